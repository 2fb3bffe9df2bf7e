/* tests/unit/worker/logs/spool_test.c - a job's log on the worker's disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/spool.h"

#include "tests/unit/worker/logs/logs.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static struct spool *open_spool(const char *id, uint64_t max_bytes)
{
    CLEANUP(mem) char *dir = xasprintf("%s/spool/deep", logs_dir);
    const struct spool_options options = {dir, id, 2, max_bytes};
    struct spool *spool = NULL;
    struct err err = {0};

    if (spool_open(&options, &spool, &err) < 0)
        fail_msg("%s", err.msg);
    return spool;
}

static void add(struct spool *spool, struct log_builder *builder,
                const char *text)
{
    struct log_block block = text_block(builder, text);

    spool_append(spool, &block);
}

static void assert_reads(const struct spool *spool, uint64_t from_seq,
                         const char *expected)
{
    CLEANUP(log_reader) struct log_reader *reader = NULL;
    CLEANUP(mem) char *got = NULL;

    assert_int_equal(spool_read(spool, from_seq, &reader, NULL), 0);
    got = read_rest(reader);
    assert_string_equal(got, expected);
}

static void keeps_what_it_is_given(void **state UNUSED)
{
    CLEANUP(spool) struct spool *spool = open_spool("keeps", 0);
    CLEANUP(log_builder)
    struct log_builder *builder =
        log_builder_new(spool_next_seq(spool), spool_offset(spool));
    CLEANUP(mem)
    char *path = xasprintf("%s/spool/deep/keeps-2.log", logs_dir);
    struct log_block block;
    struct stat st;

    assert_string_equal(spool_path(spool), path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_reads(spool, 1, "");
    add(spool, builder, "one");
    block = text_block(builder, "two");
    spool_append(spool, &block);
    spool_append(spool, &block); /* repeated */
    assert_int_equal(spool_next_seq(spool), 3);
    assert_int_equal(spool_offset(spool), 6);
    add(spool, builder, "three");
    assert_reads(spool, 1, "1:one|2:two|3:three|");
    assert_reads(spool, 3, "3:three|");
    assert_reads(spool, 4, "");
    assert_true(spool_finish(spool));
    assert_reads(spool, 1, "1:one|2:two|3:three|");
    assert_int_equal(spool_lost_bytes(spool), 0);
}

static void refuses_bad_ids_and_places(void **state UNUSED)
{
    CLEANUP(mem) char *file = xasprintf("%s/file", logs_dir);
    struct spool_options options = {logs_dir, "../up", 1, 0};
    struct spool *spool = NULL;
    struct err err = {0};

    assert_int_equal(spool_open(&options, &spool, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(file_write(file, "", 0, 0600, &err), 0);
    options.id = "ok";
    options.dir = file;
    assert_int_equal(spool_open(&options, &spool, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_null(spool);
}

/* More blocks than the index has places, twice over. */
static void finds_any_entry_of_many(void **state UNUSED)
{
    static const uint64_t seqs[] = {1, 2, 1023, 1024, 1025, 2049, 3000};
    CLEANUP(spool) struct spool *spool = open_spool("many", 0);
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    struct log_entry entry;

    for (int i = 0; i < 3000; i++)
        add(spool, builder, "x");
    for (size_t i = 0; i < ARRAY_LEN(seqs); i++) {
        CLEANUP(log_reader) struct log_reader *reader = NULL;
        struct err err = {0};

        assert_int_equal(spool_read(spool, seqs[i], &reader, &err), 0);
        /* It does not begin to read at the first block. */
        assert_true(seqs[i] < 10 ||
                    log_reader_at(reader) > 40 * (seqs[i] - 10));
        assert_int_equal(log_reader_next(reader, &entry, &err), 1);
        assert_int_equal(entry.seq, seqs[i]);
    }
}

/* ---- opened again -------------------------------------------------------- */

static void goes_on_where_it_was(void **state UNUSED)
{
    CLEANUP(spool) struct spool *spool = open_spool("again", 0);
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(log_builder) struct log_builder *other = NULL;

    add(spool, builder, "one");
    add(spool, builder, "two");
    spool_free(spool);
    spool = open_spool("again", 0);
    assert_int_equal(spool_next_seq(spool), 3);
    assert_int_equal(spool_offset(spool), 6);
    other = log_builder_new(spool_next_seq(spool), spool_offset(spool));
    add(spool, other, "three");
    assert_reads(spool, 2, "2:two|3:three|");
}

/* However much of the last block got to the disk. */
static void a_torn_end_is_cut_off(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(spool) struct spool *spool = open_spool("torn", 0);
    CLEANUP(mem) char *path = xstrdup(spool_path(spool));
    CLEANUP(strbuf) struct strbuf whole = STRBUF_INIT;
    int64_t one;

    add(spool, builder, "one");
    one = size_of(path);
    add(spool, builder, "two");
    assert_int_equal(file_read(path, 4096, &whole, NULL), 0);
    for (size_t len = (size_t)one; len < whole.len; len++) {
        CLEANUP(log_builder) struct log_builder *other = log_builder_new(2, 3);

        spool_free(STEAL(spool));
        assert_int_equal(file_write(path, whole.data, len, 0600, NULL), 0);
        spool = open_spool("torn", 0);
        assert_int_equal(size_of(path), one);
        assert_int_equal(spool_next_seq(spool), 2);
        add(spool, other, "zwei");
        assert_reads(spool, 1, "1:one|2:zwei|");
    }
}

/* A power cut leaves zeros, or anything, where data should be. */
static void a_damaged_end_is_cut_off(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(spool) struct spool *spool = open_spool("damaged", 0);
    CLEANUP(mem) char *path = xstrdup(spool_path(spool));
    int64_t one;
    CLEANUP(fd) int fd = open(path, O_RDWR);

    add(spool, builder, "one");
    one = size_of(path);
    add(spool, builder, "two");
    add(spool, builder, "three");
    assert_int_equal(pwrite(fd, "\0\0\0\0", 4, (off_t)one + 44), 4);
    spool_free(spool);
    spool = open_spool("damaged", 0);
    assert_int_equal(size_of(path), one);
    assert_reads(spool, 1, "1:one|");
}

/* ---- what cannot be written ---------------------------------------------- */

static void a_long_log_ends_in_a_gap(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(spool) struct spool *spool = open_spool("long", 400);
    CLEANUP(mem) char *text = xcalloc(301, 1);
    struct log_entry entry;
    CLEANUP(log_reader) struct log_reader *reader = NULL;

    memset(text, 'x', 300);
    add(spool, builder, "one");
    add(spool, builder, text); /* 300 bytes, though it takes fewer */
    text[200] = '\0';
    add(spool, builder, text);
    add(spool, builder, "3"); /* would fit, but stands behind the gap */
    assert_int_equal(spool_next_seq(spool), 5);
    assert_int_equal(spool_offset(spool), 504);
    assert_int_equal(spool_lost_bytes(spool), 201);
    assert_reads(spool, 3, "");
    assert_true(spool_finish(spool));
    assert_true(spool_finish(spool));
    assert_reads(spool, 3, "3:<201>|");
    assert_int_equal(spool_read(spool, 3, &reader, NULL), 0);
    assert_int_equal(log_reader_next(reader, &entry, NULL), 1);
    assert_int_equal(entry.step, 3);
    assert_true(entry.at_ms == AT_MS);
}

/* It costs what is in it, not what its gap stands for. */
static void gaps_from_before_cost_little(void **state UNUSED)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(spool) struct spool *spool = open_spool("gaps", 100 << 10);
    struct log_entry gap = {.stream = LOG_GAP, .gap_bytes = 1 << 30};
    struct log_block block;

    assert_true(log_builder_add(builder, &gap));
    assert_true(log_builder_finish(builder, &block));
    spool_append(spool, &block);
    add(spool, builder, "after");
    assert_reads(spool, 1, "1:<1073741824>|2:after|");
    assert_int_equal(spool_lost_bytes(spool), 0);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full for a while, at each byte at which it can be. */
static void a_full_disk_makes_a_gap(void **state UNUSED)
{
    for (rlim_t room = 0; room < 60; room++) {
        CLEANUP(log_builder)
        struct log_builder *builder = log_builder_new(1, 0);
        CLEANUP(mem) char *id = xasprintf("full%u", (unsigned)room);
        CLEANUP(spool) struct spool *spool = open_spool(id, 0);
        int64_t one;

        add(spool, builder, "one");
        one = size_of(spool_path(spool));
        limit_files((rlim_t)one + room);
        add(spool, builder, "second");
        add(spool, builder, "third");
        assert_int_equal(size_of(spool_path(spool)), one);
        assert_int_equal(spool_lost_bytes(spool), 11);
        assert_false(spool_finish(spool));
        assert_reads(spool, 1, "1:one|");
        limit_files(RLIM_INFINITY);
        add(spool, builder, "fourth");
        assert_true(spool_finish(spool));
        assert_reads(spool, 1, "1:one|2:<11>|4:fourth|");
        assert_reads(spool, 3, "4:fourth|");
        spool_free(STEAL(spool));
        spool = open_spool(id, 0);
        assert_int_equal(spool_next_seq(spool), 5);
        assert_int_equal(spool_offset(spool), 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_it_is_given),
        cmocka_unit_test(refuses_bad_ids_and_places),
        cmocka_unit_test(finds_any_entry_of_many),
        cmocka_unit_test(goes_on_where_it_was),
        cmocka_unit_test(a_torn_end_is_cut_off),
        cmocka_unit_test(a_damaged_end_is_cut_off),
        cmocka_unit_test(a_long_log_ends_in_a_gap),
        cmocka_unit_test(gaps_from_before_cost_little),
        cmocka_unit_test(a_full_disk_makes_a_gap),
    };

    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, make_logs_dir, remove_logs_dir);
}
