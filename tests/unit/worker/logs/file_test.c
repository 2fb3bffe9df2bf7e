/* tests/unit/worker/logs/file_test.c - a job's log as a file of blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/file.h"

#include "tests/unit/worker/logs/logs.h"

#include <fcntl.h>
#include <unistd.h>

static void names(void **state UNUSED)
{
    static const char *const others[] = {
        "",          "a.log",      "a-1",       "a-1.log.tmp",
        "-1.log",    "a-01.log",   "a--1.log2", "A-1.log",
        "a/b-1.log", "../a-1.log", "a-1x.log",  "a-.log",
        "a- 1.log",  "a-+1.log",   ".a-1.log",  "a-99999999999999999999.log",
    };
    char name[LOG_FILE_NAME_SIZE];
    struct err err = {0};

    assert_int_equal(log_file_name("ab-c1", 12, name, &err), 0);
    assert_string_equal(name, "ab-c1-12.log");
    assert_true(log_file_is_name(name));
    assert_int_equal(log_file_name("0123456789012345678901234567890123456789",
                                   UINT64_MAX, name, &err),
                     0);
    assert_string_equal(name, "0123456789012345678901234567890123456789-"
                              "18446744073709551615.log");
    assert_true(log_file_is_name(name));
    assert_int_equal(log_file_name("../x", 1, name, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_string_equal(name, "0123456789012345678901234567890123456789-"
                              "18446744073709551615.log");
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (log_file_is_name(others[i]))
            fail_msg("'%s' is a name", others[i]);
}

/* Blocks of 1 to 3, 4, and 7 to 8 (5 and 6 were lost). */
static void write_blocks(int fd)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_builder) struct log_builder *later = log_builder_new(7, 20);
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct log_entry entry = {.data = "x", .len = 1};
    struct log_block block;

    assert_true(log_builder_add(builder, &entry));
    assert_true(log_builder_add(builder, &entry));
    block = text_block(builder, "third");
    log_block_put(&block, &bytes);
    block = text_block(builder, "fourth");
    log_block_put(&block, &bytes);
    assert_true(log_builder_add(later, &entry));
    block = text_block(later, "eighth");
    log_block_put(&block, &bytes);
    assert_int_equal(fd_write_all(fd, bytes.data, bytes.len, NULL), 0);
}

static int new_file(const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", logs_dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void reads_from_any_entry(void **state UNUSED)
{
    static const char *const rest[] = {
        "1:x|2:x|3:third|4:fourth|7:x|8:eighth|",
        "1:x|2:x|3:third|4:fourth|7:x|8:eighth|",
        "2:x|3:third|4:fourth|7:x|8:eighth|",
        "3:third|4:fourth|7:x|8:eighth|",
        "4:fourth|7:x|8:eighth|",
        "7:x|8:eighth|",
        "7:x|8:eighth|",
        "7:x|8:eighth|",
        "8:eighth|",
        "",
    };
    CLEANUP(fd) int fd = new_file("any");

    write_blocks(fd);
    for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
        CLEANUP(log_reader)
        struct log_reader *reader = log_reader_new(dup(fd), 0, i);
        CLEANUP(mem) char *got = read_rest(reader);

        assert_string_equal(got, rest[i]);
        assert_int_equal(log_reader_at(reader), lseek(fd, 0, SEEK_END));
    }
}

static void reads_blocks(void **state UNUSED)
{
    CLEANUP(log_reader)
    struct log_reader *reader = log_reader_new(new_file("blocks"), 0, 2);
    CLEANUP(fd) int fd = -1;
    CLEANUP(mem) char *path = xasprintf("%s/blocks", logs_dir);
    struct log_block block;
    struct err err = {0};

    assert_int_equal(log_reader_next_block(reader, &block, &err), 0);
    fd = open(path, O_WRONLY);
    write_blocks(fd);
    assert_int_equal(log_reader_next_block(reader, &block, &err), 1);
    assert_int_equal(block.first_seq, 1);
    assert_int_equal(block.count, 3);
    assert_int_equal(log_reader_next_block(reader, &block, &err), 1);
    assert_int_equal(block.first_seq, 4);
    assert_int_equal(block.offset, 7);
    assert_int_equal(log_reader_next_block(reader, &block, &err), 1);
    assert_int_equal(block.first_seq, 7);
    assert_int_equal(block.offset, 20);
    assert_int_equal(log_reader_next_block(reader, &block, &err), 0);
}

/* Whatever part of a block is there: it is told once it is whole. */
static void follows_a_growing_file(void **state UNUSED)
{
    CLEANUP(fd) int whole = new_file("whole");
    CLEANUP(fd) int growing = new_file("growing");
    CLEANUP(log_reader)
    struct log_reader *reader = log_reader_new(dup(growing), 0, 1);
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;

    write_blocks(whole);
    (void)lseek(whole, 0, SEEK_SET);
    assert_int_equal(fd_read_all(whole, &bytes, NULL), 0);
    for (size_t i = 0; i < bytes.len; i++) {
        CLEANUP(mem) char *more = read_rest(reader);

        strbuf_adds(&got, more);
        assert_int_equal(write(growing, bytes.data + i, 1), 1);
    }
    assert_string_equal(got.data, "1:x|2:x|3:third|4:fourth|");
    {
        CLEANUP(mem) char *last = read_rest(reader);

        assert_string_equal(last, "7:x|8:eighth|");
    }
}

static void says_where_it_is_damaged(void **state UNUSED)
{
    CLEANUP(fd) int fd = new_file("damaged");
    struct log_block block;
    struct err err = {0};
    uint64_t at;

    write_blocks(fd);
    {
        CLEANUP(log_reader)
        struct log_reader *reader = log_reader_new(dup(fd), 0, 1);

        assert_int_equal(log_reader_next_block(reader, &block, &err), 1);
        at = log_reader_at(reader);
    }
    assert_int_equal(pwrite(fd, "?", 1, (off_t)at + 50), 1);
    {
        CLEANUP(log_reader)
        struct log_reader *reader = log_reader_new(dup(fd), 0, 1);
        CLEANUP(mem) char *got = read_rest(reader);
        CLEANUP(mem)
        char *expected =
            xasprintf("1:x|2:x|3:third|error: the log is damaged at byte %u",
                      (unsigned)at);

        assert_string_equal(got, expected);
        assert_int_equal(log_reader_next_block(reader, &block, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
    }
}

static void cannot_read(void **state UNUSED)
{
    CLEANUP(log_reader)
    struct log_reader *reader =
        log_reader_new(open(logs_dir, O_RDONLY | O_DIRECTORY), 0, 1);
    struct log_entry entry;
    struct err err = {0};

    assert_int_equal(log_reader_next(reader, &entry, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(reads_from_any_entry),
        cmocka_unit_test(reads_blocks),
        cmocka_unit_test(follows_a_growing_file),
        cmocka_unit_test(says_where_it_is_damaged),
        cmocka_unit_test(cannot_read),
    };

    return cmocka_run_group_tests(tests, make_logs_dir, remove_logs_dir);
}
