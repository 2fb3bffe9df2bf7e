/* tests/unit/worker/supervisor/log_test.c - where output goes. */
/* SPDX-License-Identifier: Apache-2.0 */
/* long 25 */
#include "tests/unit/worker/supervisor/rig.h"

#include "worker/logs/store.h"

#include <fcntl.h>

/* ---- a supervisor with a store ------------------------------------------- */

static struct log_store *store;

static void start_storing(struct fixture *f)
{
    CLEANUP(mem) char *address = xasprintf("dir:%s/logs", f->dir);
    struct supervisor_options options = usual(f, 1, 60000);

    assert_int_equal(log_store_open(address, &store, NULL), 0);
    options.log_store = store;
    start_with(f, &options);
}

static int close_store(void **state)
{
    int rc = teardown(state);

    log_store_free(STEAL(store));
    return rc;
}

/* All output of a log, whichever way it was read. */
struct whole {
    struct strbuf text;
    uint64_t gap_bytes, next_seq, last_seq;
    unsigned gaps;
};

static void add(void *arg, const struct log_entry *e)
{
    struct whole *whole = arg;

    assert_true(e->seq > whole->last_seq);
    whole->last_seq = e->seq;
    if (e->stream == LOG_GAP) {
        whole->gaps++;
        whole->gap_bytes += e->gap_bytes;
    }
    strbuf_add(&whole->text, e->data, e->len);
}

static void whole_clear(struct whole *whole)
{
    strbuf_clear(&whole->text);
    *whole = (struct whole){.text = STRBUF_INIT};
}

static void read_redis(struct fixture *f, const char *id, uint64_t from,
                       struct whole *whole)
{
    whole_clear(whole);
    assert_int_equal(
        queue_log(f->queue, id, 1, from, add, whole, &whole->next_seq, NULL),
        0);
}

static void read_store(const char *id, struct whole *whole)
{
    CLEANUP(log_reader) struct log_reader *reader = NULL;
    struct log_entry entry;
    struct err err = {0};
    int rc;

    whole_clear(whole);
    assert_int_equal(log_store_read(store, id, 1, 1, &reader, NULL), 0);
    while ((rc = log_reader_next(reader, &entry, &err)) > 0)
        add(whole, &entry);
    assert_int_equal(rc, 0);
}

static void no_spool_is_left(const struct fixture *f, const char *id)
{
    CLEANUP(mem) char *path = xasprintf("%s/spool/%s-1.log", f->dir, id);

    assert_int_equal(access(path, F_OK), -1);
}

/* ---- tests --------------------------------------------------------------- */

static void test_stored(void **state)
{
    struct fixture *f = *state;
    struct whole whole = {.text = STRBUF_INIT};

    start_storing(f);
    submit(f, "abc", "pass");
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "passed", "");
    assert_non_null(strstr(f->seen.result, "\"stored\":\"dir:ab/abc-1.log\""));
    read_redis(f, "abc", 1, &whole);
    assert_string_equal(whole.text.data, "hello\na warning\na note\n");
    assert_int_equal(whole.next_seq, 4);
    read_store("abc", &whole);
    assert_string_equal(whole.text.data, "hello\na warning\na note\n");
    no_spool_is_left(f, "abc");
    read_redis(f, "abc", 2, &whole);
    assert_string_equal(whole.text.data, "a warning\na note\n");
    read_redis(f, "abc", 4, &whole);
    assert_string_equal(whole.text.data, "");
    assert_int_equal(whole.next_seq, 4);
    whole_clear(&whole);
}

static void test_not_stored(void **state)
{
    struct fixture *f = *state;

    start_supervisor(f, 1, 4000);
    submit(f, "abc", "pass");
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "passed", "");
    assert_non_null(strstr(f->seen.result, "\"stored\":null"));
    no_spool_is_left(f, "abc");
}

/* What repeats itself takes no room: all of 8 MiB is in Redis. */
static void test_flood(void **state)
{
    struct fixture *f = *state;
    struct whole whole = {.text = STRBUF_INIT};

    start_storing(f);
    submit(f, "abc", "flood");
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "passed", "");
    read_redis(f, "abc", 1, &whole);
    assert_int_equal(whole.text.len, 8U << 20);
    read_store("abc", &whole);
    assert_int_equal(whole.text.len, 8U << 20);
    whole_clear(&whole);
}

/* Head and tail are in Redis, all is in the store, and the gap is exact. */
static void test_noise(void **state)
{
    struct fixture *f = *state;
    struct whole whole = {.text = STRBUF_INIT};
    struct whole part = {.text = STRBUF_INIT};
    uint64_t end;

    start_storing(f);
    submit(f, "abc", "noise");
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "passed", "");
    read_store("abc", &whole);
    assert_int_equal(whole.text.len, 3U << 20);
    assert_int_equal(whole.gaps, 0);
    end = whole.last_seq;
    read_redis(f, "abc", 1, &part);
    assert_int_equal(part.gaps, 1);
    assert_int_equal(part.text.len + part.gap_bytes, 3U << 20);
    assert_in_range(part.text.len, 1U << 20, 7U << 18);
    assert_int_equal(part.next_seq, end + 1);
    assert_memory_equal(part.text.data, whole.text.data, 200000);
    assert_memory_equal(part.text.data + part.text.len - 900000,
                        whole.text.data + whole.text.len - 900000, 900000);
    /* From the middle of the gap: how much is missing is not known. */
    read_redis(f, "abc", end / 2, &part);
    assert_int_equal(part.gaps, 1);
    assert_int_equal(part.gap_bytes, 0);
    assert_memory_equal(part.text.data + part.text.len - 900000,
                        whole.text.data + whole.text.len - 900000, 900000);
    whole_clear(&whole);
    whole_clear(&part);
}

static void check_lines(const struct whole *whole)
{
    static bool seen[400];
    const char *p = whole->text.data;
    unsigned count = 0;

    memset(seen, 0, sizeof(seen));
    for (; (p = strstr(p, "line ")); p++) {
        unsigned long n = strtoul(p + 5, NULL, 10);

        assert_true(n < 400);
        assert_false(seen[n]); /* none twice */
        assert_int_equal(n, count);
        seen[n] = true;
        count++;
    }
    assert_int_equal(count, 400);
    assert_int_equal(whole->gaps, 0);
}

/* Nothing is lost, and nothing comes twice. */
static void test_redis_is_killed(void **state)
{
    struct fixture *f = *state;
    struct whole whole = {.text = STRBUF_INIT};

    start_storing(f);
    submit(f, "abc", "chatter");
    run_to(f, &f->seen.frames[JOB_FRAME_STDOUT], 60);
    redis_server_kill(&server);
    run_for(f, 1000);
    redis_server_start(&server);
    run_to(f, &f->seen.frames[JOB_FRAME_STDOUT], 180);
    redis_server_kill(&server);
    run_for(f, 500);
    redis_server_start(&server);
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "passed", "");
    read_redis(f, "abc", 1, &whole);
    check_lines(&whole);
    read_store("abc", &whole);
    check_lines(&whole);
    whole_clear(&whole);
}

/* Redis stands still: output does not wait for it, nor pile up in memory. */
static void test_redis_stands_still(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *path = xasprintf("%s/spool/abc-1.log", f->dir);
    struct whole whole = {.text = STRBUF_INIT};
    struct stat st = {0};

    start_storing(f);
    submit(f, "abc", "chatter");
    run_to(f, &f->seen.frames[JOB_FRAME_STDOUT], 20);
    redis_server_signal(&server, SIGSTOP);
    run_to(f, &f->seen.frames[JOB_FRAME_STDOUT], 120);
    for (int i = 0; i < 600 && st.st_size <= 500; i++) {
        run_for(f, 50);
        (void)stat(path, &st);
    }
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size > 500);
    redis_server_signal(&server, SIGCONT);
    run_until(f, &f->seen.ended, 1);
    read_redis(f, "abc", 1, &whole);
    check_lines(&whole);
    whole_clear(&whole);
}

/* Redis is away when the job ends, for longer than a log is waited for. */
static void test_redis_is_away_at_the_end(void **state)
{
    struct fixture *f = *state;
    struct whole whole = {.text = STRBUF_INIT};

    start_supervisor(f, 1, 60000);
    submit(f, "abc", "sleep");
    run_to(f, &f->seen.started, 1);
    redis_server_kill(&server);
    run_to(f, &f->seen.frames[JOB_FRAME_RESULT], 1);
    run_for(f, 4000);
    assert_int_equal(f->seen.ended, 0);
    redis_server_start(&server);
    run_until(f, &f->seen.ended, 1);
    read_redis(f, "abc", 1, &whole);
    assert_non_null(strstr(whole.text.data, "hello\na warning\na note\n"));
    no_spool_is_left(f, "abc");
    whole_clear(&whole);
}

static void check_masked(const char *text)
{
    assert_null(strstr(text, "swordfish"));
    assert_null(strstr(text, "-77-perch"));
    assert_non_null(strstr(text, "beside"));
    assert_null(strstr(text, "c3dvcmRmaXNo")); /* base64 */
    assert_non_null(strstr(text, "<"));
    assert_non_null(strstr(text, "***>"));
    assert_non_null(strstr(text, "[***]"));
    assert_non_null(strstr(text, "note ***"));
    assert_non_null(strstr(text, "sword")); /* was none */
}

static void test_secrets(void **state)
{
    static const char grep[] = "! grep -r -e swordfish-77 -e c3dvcmRmaXNoLTc3 "
                               "\"$0\" \"$1\"";
    struct fixture *f = *state;
    const char *const argv[] = {"sh", "-c", grep, server.dir, f->dir, NULL};
    CLEANUP(strbuf) struct strbuf found = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf payloads = STRBUF_INIT;
    struct whole whole = {.text = STRBUF_INIT};

    f->seen.payloads = &payloads;
    f->secrets =
        json_pack("{s:s, s:s, s:{s:s}}", "username", "u", "password",
                  "wordpass", "env", "API_TOKEN", "swordfish-77-perch");
    start_storing(f);
    submit(f, "abc", "leaky");
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "failed", "step_failed");
    assert_non_null(strstr(f->seen.result, "it said ***!"));
    assert_null(strstr(f->seen.result, "swordfish"));
    read_redis(f, "abc", 1, &whole);
    check_masked(whole.text.data);
    assert_non_null(strstr(whole.text.data, "xsword"));
    read_store("abc", &whole);
    check_masked(whole.text.data);
    assert_int_equal(proc_run(argv, 20000, &found, NULL), 0);
    /* Who looks on sees the same, what was held back behind other frames. */
    check_masked(payloads.data);
    assert_non_null(strstr(payloads.data, "\"name\":\"step ***\""));
    assert_non_null(strstr(payloads.data, "fetching ***"));
    assert_non_null(strstr(payloads.data, "\"name\":\"end ***\""));
    whole_clear(&whole);
}

/* The spool cannot be made: the job runs all the same. */
static void test_no_spool(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *path = xasprintf("%s/spool", f->dir);
    struct whole whole = {.text = STRBUF_INIT};

    assert_int_equal(file_write(path, "", 0, 0600, NULL), 0);
    start_storing(f);
    submit(f, "abc", "pass");
    run_until(f, &f->seen.ended, 1);
    expect(f, "abc", "passed", "");
    assert_non_null(strstr(f->seen.result, "\"stored\":null"));
    read_redis(f, "abc", 1, &whole);
    assert_string_equal(whole.text.data, "hello\na warning\na note\n");
    whole_clear(&whole);
}

/* The pool's budget: logs of ended jobs make room. */
static void test_budget(void **state)
{
    struct fixture *f = *state;
    struct supervisor_options options = usual(f, 1, 60000);
    struct whole whole = {.text = STRBUF_INIT};

    options.limits.log_budget_bytes = 1500000;
    start_with(f, &options);
    submit(f, "a", "noise");
    run_until(f, &f->seen.ended, 1);
    submit(f, "b", "noise");
    run_until(f, &f->seen.ended, 2);
    read_redis(f, "a", 1, &whole);
    assert_int_equal(whole.text.len, 0);
    read_redis(f, "b", 1, &whole);
    assert_true(whole.text.len > 1000000);
    whole_clear(&whole);
}

/* Old files of killed processes go; others stay. */
static void test_clean(void **state)
{
    static const char *const names[] = {"old-1.log", "new-1.log", "old-file"};
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    struct fixture *f = *state;
    CLEANUP(mem) char *dir = xasprintf("%s/spool", f->dir);
    char *paths[ARRAY_LEN(names)];

    assert_int_equal(dir_make(dir, 0700, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        paths[i] = xasprintf("%s/%s", dir, names[i]);
        assert_int_equal(file_write(paths[i], "", 0, 0600, NULL), 0);
        if (i != 1)
            assert_int_equal(utimensat(AT_FDCWD, paths[i], old, 0), 0);
    }
    start_supervisor(f, 1, 4000);
    assert_int_equal(access(paths[0], F_OK), -1);
    assert_int_equal(access(paths[1], F_OK), 0);
    assert_int_equal(access(paths[2], F_OK), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        free(paths[i]);
}

/* The job goes on elsewhere; what it printed here is kept all the same. */
static void test_lease_lost(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *key = xasprintf("berth:{%s}:job:abc", f->pool);
    CLEANUP(mem) char *path = xasprintf("%s/spool/abc-1.log", f->dir);
    const char *const list[] = {"HSET", key, "nonce", "another"};
    const struct redis_words words = {list, NULL, ARRAY_LEN(list)};
    const struct redis_options options = {.url = server.url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct whole whole = {.text = STRBUF_INIT};
    struct redisReply *reply = NULL;

    start_storing(f);
    submit(f, "abc", "hang");
    run_until(f, &f->seen.frames[JOB_FRAME_STDOUT], 1);
    for (int i = 0; i < 600 && access(path, F_OK) < 0; i++)
        run_for(f, 50);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(redis_sync_open(&options, &redis, NULL), 0);
    assert_int_equal(redis_sync_command(redis, &words, &reply, NULL), 0);
    freeReplyObject(reply);
    run_until(f, &f->seen.failed, 1);
    assert_int_equal(access(path, F_OK), -1);
    read_store("abc", &whole);
    assert_true(whole.text.len > 0);
    whole_clear(&whole);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, close_store)
    const struct CMUnitTest tests[] = {
        TEST(test_stored),
        TEST(test_not_stored),
        TEST(test_flood),
        TEST(test_noise),
        TEST(test_redis_is_killed),
        TEST(test_redis_stands_still),
        TEST(test_redis_is_away_at_the_end),
        TEST(test_secrets),
        TEST(test_no_spool),
        TEST(test_budget),
        TEST(test_clean),
        TEST(test_lease_lost),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
