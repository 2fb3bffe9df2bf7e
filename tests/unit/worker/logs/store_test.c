/* tests/unit/worker/logs/store_test.c - where the logs of jobs are kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/logs/logs.h"

#include <fcntl.h>
#include <unistd.h>

#define HOUR_MS ((int64_t)3600 * 1000)

static void put(struct log_store *store, const char *id, const char *text)
{
    CLEANUP(mem) char *path = make_log(logs_dir, id, text);
    struct err err = {0};

    if (log_store_put(store, path, id, 1, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(size_of(path), -1);
}

static char *stored_path(const char *store, const char *name)
{
    return xasprintf("%s/%s/%s", logs_dir, store, name);
}

static void addresses(void **state UNUSED)
{
    static const char *const bad[] = {"",    "dir",     "dir:",    ":/x",
                                      "/x",  "s3:x",    "direct:", "di:/x",
                                      "dir", "DIR:/tmp"};
    struct log_store *store = NULL;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};

        assert_int_equal(log_store_open(bad[i], &store, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(store);
    }
}

static void gives_back_what_was_put(void **state UNUSED)
{
    CLEANUP(log_store) struct log_store *store = open_store("a/store");
    CLEANUP(mem) char *path = stored_path("a/store", "jo/job-1-1.log");
    CLEANUP(mem) char *name = log_store_name(store, "job-1", 1);
    struct stat st;

    assert_has(store, "job-1", NULL);
    put(store, "job-1", "hello");
    put(store, "j", "short id");
    assert_has(store, "job-1", "1:hello|");
    assert_has(store, "j", "1:short id|");
    assert_has(store, "job-2", NULL);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_string_equal(name, "dir:jo/job-1-1.log");
    put(store, "job-1", "anew");
    assert_has(store, "job-1", "1:anew|");
}

static void reads_from_an_entry_on(void **state UNUSED)
{
    CLEANUP(log_store) struct log_store *store = open_store("from");
    CLEANUP(log_reader) struct log_reader *reader = NULL;
    struct log_entry entry;

    put(store, "from", "only");
    assert_int_equal(log_store_read(store, "from", 1, 2, &reader, NULL), 0);
    assert_int_equal(log_reader_next(reader, &entry, NULL), 0);
}

static void a_repeated_put_is_fine(void **state UNUSED)
{
    CLEANUP(log_store) struct log_store *store = open_store("repeat");
    CLEANUP(mem) char *path = make_log(logs_dir, "twice", "text");
    struct err err = {0};

    assert_int_equal(log_store_put(store, path, "other", 1, &err), 0);
    assert_int_equal(log_store_put(store, path, "other", 1, &err), 0);
    assert_has(store, "other", "1:text|");
    assert_int_equal(log_store_put(store, path, "third", 1, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(log_store_put(store, logs_dir, "third", 1, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

static void ids_are_no_paths(void **state UNUSED)
{
    static const char *const bad[] = {"",     "..", "../../x", "/etc",
                                      "a/b",  "-x", "a.b",     "A",
                                      "a\nb", ".",  "a b",     "x/../y"};
    CLEANUP(log_store) struct log_store *store = open_store("ids");
    CLEANUP(mem) char *path = make_log(logs_dir, "ids", "text");

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        struct log_reader *reader = NULL;

        assert_int_equal(log_store_put(store, path, bad[i], 1, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_int_equal(log_store_read(store, bad[i], 1, 1, &reader, &err),
                         -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(log_store_name(store, bad[i], 1));
    }
    assert_true(size_of(path) > 0);
}

/* A directory on another file system; NULL where there is none. */
static void copies_between_file_systems(void **state UNUSED)
{
    CLEANUP(log_store) struct log_store *store = open_store("copy");
    CLEANUP(mem) char *dir = other_file_system();
    CLEANUP(mem) char *path = NULL;
    CLEANUP(mem) char *copied = stored_path("copy", "fa/far-1.log");
    CLEANUP(mem) char *tmp = xasprintf("%s.tmp", copied);
    struct err err = {0};
    struct stat st;

    if (!dir) {
        print_message("# there is no other file system\n");
        skip();
    }
    path = make_log(dir, "far", "from afar");
    assert_int_equal(log_store_put(store, path, "far", 1, &err), 0);
    assert_has(store, "far", "1:from afar|");
    assert_int_equal(stat(copied, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(size_of(path), -1);
    assert_int_equal(size_of(tmp), -1);
    /* What is in the way is left alone, and so is the log. */
    free(path);
    path = make_log(dir, "far", "again");
    assert_int_equal(unlink(copied), 0);
    assert_int_equal(dir_make(copied, 0700, NULL), 0);
    assert_int_equal(log_store_put(store, path, "far", 1, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_true(size_of(path) > 0);
    assert_int_equal(size_of(tmp), -1);
    assert_int_equal(tree_remove(dir, NULL), 0);
}

/* ---- retention ----------------------------------------------------------- */

static void set_age(const char *store, const char *name, int64_t at_ms)
{
    CLEANUP(mem) char *path = stored_path(store, name);
    const struct timespec times[2] = {
        {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000},
        {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000},
    };

    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void removes_what_is_old(void **state UNUSED)
{
    const struct log_retention retention = {.max_age_ms = HOUR_MS};
    CLEANUP(log_store) struct log_store *store = open_store("old");
    struct log_removed removed = {0};
    struct err err = {0};

    put(store, "old", "1");
    put(store, "older", "2");
    put(store, "young", "3");
    set_age("old", "ol/old-1.log", AT_MS - HOUR_MS);
    set_age("old", "ol/older-1.log", AT_MS - HOUR_MS - 1);
    set_age("old", "yo/young-1.log", AT_MS + 5000);
    assert_int_equal(log_store_expire(store, &retention, AT_MS, &removed, &err),
                     0);
    assert_int_equal(removed.logs, 1);
    assert_has(store, "old", "1:1|");
    assert_has(store, "older", NULL);
    assert_has(store, "young", "1:3|");
    assert_int_equal(
        log_store_expire(store, &retention, AT_MS + 1, &removed, &err), 0);
    assert_int_equal(removed.logs, 1);
    assert_has(store, "old", NULL);
}

static void removes_the_oldest_first(void **state UNUSED)
{
    CLEANUP(log_store) struct log_store *store = open_store("size");
    CLEANUP(mem) char *path = stored_path("size", "aa/aa1-1.log");
    struct log_retention retention = {.max_age_ms = 0};
    struct log_removed removed = {0};
    struct err err = {0};
    uint64_t size;

    put(store, "aa1", "1");
    put(store, "bb2", "2");
    put(store, "aa3", "3");
    put(store, "cc4", "4");
    size = (uint64_t)size_of(path);
    set_age("size", "aa/aa1-1.log", AT_MS + 3);
    set_age("size", "bb/bb2-1.log", AT_MS + 1);
    set_age("size", "aa/aa3-1.log", AT_MS + 2);
    set_age("size", "cc/cc4-1.log", AT_MS + 4);
    assert_int_equal(log_store_expire(store, &retention, AT_MS, &removed, &err),
                     0);
    assert_int_equal(removed.logs, 0); /* no limit at all */
    retention.max_bytes = 4 * size;
    assert_int_equal(log_store_expire(store, &retention, AT_MS, &removed, &err),
                     0);
    assert_int_equal(removed.logs, 0);
    retention.max_bytes = 3 * size - 1;
    assert_int_equal(log_store_expire(store, &retention, AT_MS, &removed, &err),
                     0);
    assert_int_equal(removed.logs, 2);
    assert_int_equal(removed.bytes, 2 * size);
    assert_has(store, "bb2", NULL);
    assert_has(store, "aa3", NULL);
    assert_has(store, "aa1", "1:1|");
    assert_has(store, "cc4", "1:4|");
}

/* Age first; what it removes counts no more. */
static void both_limits(void **state UNUSED)
{
    CLEANUP(log_store) struct log_store *store = open_store("both");
    CLEANUP(mem) char *path = stored_path("both", "aa/aa1-1.log");
    struct log_retention retention = {.max_age_ms = HOUR_MS};
    struct log_removed removed = {0};

    put(store, "aa1", "1");
    put(store, "aa2", "2");
    put(store, "aa3", "3");
    retention.max_bytes = 2 * (uint64_t)size_of(path);
    set_age("both", "aa/aa1-1.log", AT_MS);
    set_age("both", "aa/aa2-1.log", AT_MS - 2 * HOUR_MS);
    set_age("both", "aa/aa3-1.log", AT_MS - 1);
    assert_int_equal(log_store_expire(store, &retention, AT_MS, &removed, NULL),
                     0);
    assert_int_equal(removed.logs, 1);
    assert_has(store, "aa2", NULL);
    assert_has(store, "aa3", "1:3|");
}

static void add_file(const char *store, const char *name, int64_t at_ms)
{
    CLEANUP(mem) char *path = stored_path(store, name);

    assert_int_equal(file_write(path, "x", 1, 0600, NULL), 0);
    set_age(store, name, at_ms);
}

static bool is_there(const char *store, const char *name)
{
    CLEANUP(mem) char *path = stored_path(store, name);
    struct stat st;

    return lstat(path, &st) == 0;
}

static void touches_nothing_else(void **state UNUSED)
{
    const struct log_retention retention = {.max_age_ms = 1, .max_bytes = 1};
    CLEANUP(log_store) struct log_store *store = open_store("else");
    CLEANUP(mem) char *shard = stored_path("else", "aa");
    CLEANUP(mem) char *deep = stored_path("else", "abc");
    CLEANUP(mem) char *link = stored_path("else", "aa/link-1.log");
    CLEANUP(mem) char *shard_link = stored_path("else", "zz");
    struct log_removed removed = {0};
    struct err err = {0};

    assert_int_equal(dir_make(shard, 0700, NULL), 0);
    assert_int_equal(dir_make(deep, 0700, NULL), 0);
    add_file("else", "a-1.log", 0);
    add_file("else", "aa/notes.txt", 0);
    add_file("else", "aa/aa-1.log", 0);
    add_file("else", "abc/abc-1.log", 0);
    add_file("else", "aa/aa-2.log.tmp", AT_MS - 23 * HOUR_MS);
    add_file("else", "aa/aa-3.log.tmp", AT_MS - 25 * HOUR_MS);
    assert_int_equal(symlink("../a-1.log", link), 0);
    assert_int_equal(symlink("abc", shard_link), 0);
    assert_int_equal(log_store_expire(store, &retention, AT_MS, &removed, &err),
                     0);
    assert_int_equal(removed.logs, 1);
    assert_false(is_there("else", "aa/aa-1.log"));
    assert_false(is_there("else", "aa/aa-3.log.tmp"));
    assert_true(is_there("else", "aa/aa-2.log.tmp"));
    assert_true(is_there("else", "a-1.log"));
    assert_true(is_there("else", "aa/notes.txt"));
    assert_true(is_there("else", "aa/link-1.log"));
    assert_true(is_there("else", "abc/abc-1.log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(gives_back_what_was_put),
        cmocka_unit_test(reads_from_an_entry_on),
        cmocka_unit_test(a_repeated_put_is_fine),
        cmocka_unit_test(ids_are_no_paths),
        cmocka_unit_test(copies_between_file_systems),
        cmocka_unit_test(removes_what_is_old),
        cmocka_unit_test(removes_the_oldest_first),
        cmocka_unit_test(both_limits),
        cmocka_unit_test(touches_nothing_else),
    };

    return cmocka_run_group_tests(tests, make_logs_dir, remove_logs_dir);
}
