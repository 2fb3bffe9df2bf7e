/* tests/unit/cli/logs_test.c - berth logs against a real Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "scheduler/queue/log_block.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <inttypes.h>

#define PATIENCE_MS 60000

/* A private Redis and state directory, and one log that grows. */
struct fixture {
    struct redis_server server;
    struct log_builder *builder;
    const char *id;
    unsigned epoch;
    uint64_t offset; /* bytes of output so far */
};

/* ---- Redis ----------------------------------------------------------------
 */

static void redis(struct fixture *f, const struct redis_words *words)
{
    const struct redis_options options = {.url = f->server.url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;
    struct err err;

    if (redis_sync_open(&options, &redis, &err) < 0 ||
        redis_sync_command(redis, words, &reply, &err) < 0)
        fail_msg("%s", err.msg);
    freeReplyObject(reply);
}

/* HSET berth:{default}:<key> <name value …, parted by spaces> */
static void set(struct fixture *f, const char *key, const char *fields)
{
    CLEANUP(mem) char *name = xasprintf("berth:{default}:%s", key);
    CLEANUP(mem) char *text = xstrdup(fields);
    const char *list[32] = {"HSET", name};
    struct redis_words words = {list, NULL, 2};
    char *rest = NULL;

    for (char *word = strtok_r(text, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        list[words.count++] = word;
    redis(f, &words);
}

/* ---- the log ---------------------------------------------------------------
 */

/* A new log: of job `id`, attempt `epoch`. */
static void begin(struct fixture *f, const char *id, unsigned epoch)
{
    log_builder_free(f->builder);
    f->builder = log_builder_new(1, 0);
    f->id = id;
    f->epoch = epoch;
    f->offset = 0;
}

static void say(struct fixture *f, unsigned step, enum log_stream stream,
                const char *text)
{
    const struct log_entry entry = {.at_ms = 1795644950853,
                                    .step = step,
                                    .stream = stream,
                                    .data = text,
                                    .len = strlen(text)};

    assert_true(log_builder_add(f->builder, &entry));
}

/* What was said is a block: put it in, or lose it on the way. */
static void flush(struct fixture *f, const char *part, bool lose)
{
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    CLEANUP(mem)
    char *key = xasprintf("berth:{default}:log:%s:%u", f->id, f->epoch);
    CLEANUP(mem) char *stream = xasprintf("%s:%s", key, part);
    char first[32], next[32], offset[32], total[32];
    const char *add[] = {"XADD",  stream, first,   "offset", offset,
                         "bytes", "0",    "block", NULL};
    const char *meta[] = {"HSET", key, "next_seq", next, "offset", total};
    size_t lens[9];
    struct redis_words words = {add, lens, ARRAY_LEN(add)};
    struct log_block block;

    assert_true(log_builder_finish(f->builder, &block));
    log_block_put(&block, &bytes);
    (void)snprintf(first, sizeof(first), "%" PRIu64 "-0", block.first_seq);
    (void)snprintf(offset, sizeof(offset), "%" PRIu64, block.offset);
    (void)snprintf(next, sizeof(next), "%" PRIu64,
                   log_block_last_seq(&block) + 1);
    (void)snprintf(total, sizeof(total), "%" PRIu64,
                   block.offset + block.bytes);
    add[8] = bytes.data;
    for (size_t i = 0; i < 8; i++)
        lens[i] = strlen(add[i]);
    lens[8] = bytes.len;
    if (!lose)
        redis(f, &words);
    words = (struct redis_words){meta, NULL, ARRAY_LEN(meta)};
    redis(f, &words);
}

/* ---- the program -----------------------------------------------------------
 */

struct child {
    pid_t pid;
    char out[96], err[96]; /* files */
};

static int create(const char *path)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* berth logs <arguments, parted by spaces> */
static void spawn(struct fixture *f, const char *arguments, struct child *child)
{
    CLEANUP(mem) char *text = xstrdup(arguments);
    const char *argv[16] = {getenv("BERTH_BIN"), "logs", "--redis",
                            f->server.url};
    struct proc_spec spec = {.argv = argv, .in = PROC_NULL};
    size_t count = 4;
    char *rest = NULL;
    struct err err;

    for (char *word = strtok_r(text, " ", &rest); word;
         word = strtok_r(NULL, " ", &rest))
        argv[count++] = word;
    (void)snprintf(child->out, sizeof(child->out), "%s/out", f->server.dir);
    (void)snprintf(child->err, sizeof(child->err), "%s/err", f->server.dir);
    spec.out = create(child->out);
    spec.err = create(child->err);
    if (proc_spawn(&spec, &child->pid, &err) < 0)
        fail_msg("%s", err.msg);
    fd_close(&spec.out);
    fd_close(&spec.err);
}

static char *contents(const char *path)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    assert_int_equal(file_read(path, (size_t)1 << 20, &text, NULL), 0);
    return xstrdup(text.data);
}

static void wait_for(const char *path, const char *wanted)
{
    int64_t until = clock_mono_ms() + PATIENCE_MS;

    for (;;) {
        CLEANUP(mem) char *text = contents(path);

        if (strstr(text, wanted))
            return;
        if (clock_mono_ms() > until)
            fail_msg("no '%s' in: %s", wanted, text);
        (void)poll(NULL, 0, 20);
    }
}

/* It ends with `status`, has printed `out`, and `err` among its complaints. */
static void ends(struct child *child, int wanted, const char *out,
                 const char *complaint)
{
    int status = 0;
    struct err why;
    char *text;

    if (proc_wait(child->pid, PATIENCE_MS, &status, &why) < 0)
        fail_msg("%s", why.msg);
    text = contents(child->out);
    assert_string_equal(text, out);
    free(text);
    text = contents(child->err);
    if (!strstr(text, complaint) || (!*complaint && *text))
        fail_msg("wanted '%s', got: %s", complaint, text);
    free(text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), wanted);
}

static void logs(struct fixture *f, const char *arguments, int wanted,
                 const char *out, const char *complaint)
{
    struct child child;

    spawn(f, arguments, &child);
    ends(&child, wanted, out, complaint);
}

/* ---- tests ----------------------------------------------------------------
 */

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    redis_server_init(&f->server, "");
    (void)setenv("BERTH_STATE_DIR", f->server.dir, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_builder_free(f->builder);
    redis_server_clear(&f->server);
    free(f);
    return 0;
}

#define PAYLOAD                                                                \
    "{\"pipeline\":{\"steps\":[{\"name\":\"first\"},{\"name\":\"last\"}]}}"

static void test_whole(void **state)
{
    struct fixture *f = *state;

    set(f, "job:j", "state failed kind job epoch 1 payload " PAYLOAD);
    begin(f, "j", 1);
    say(f, 0, LOG_STDOUT, "one\ntw");
    say(f, 0, LOG_STDERR, "\033[31mred\033[0m\n");
    flush(f, "head", false);
    say(f, 0, LOG_STDOUT, "o\n");
    say(f, 1, LOG_NOTE, "noted\n");
    say(f, 1, LOG_STDOUT, "no end");
    flush(f, "head", false);
    logs(f, "j", 0,
         "step 1: first\n  | one\n  | red\n  | two\n"
         "step 2: last\n  | noted\n  | no end\n",
         "");
    logs(f, "--step 2 -t j", 0,
         "step 2: last\n2026-11-25T22:15:50.853Z   | noted\n"
         "2026-11-25T22:15:50.853Z   | no end\n",
         "");
    logs(f, "--json --step 2 j", 0,
         "{\"job\":\"j\",\"epoch\":1,\"seq\":4,\"at_ms\":1795644950853,"
         "\"step\":1,\"stream\":\"note\",\"data\":\"noted\\n\"}\n"
         "{\"job\":\"j\",\"epoch\":1,\"seq\":5,\"at_ms\":1795644950853,"
         "\"step\":1,\"stream\":\"stdout\",\"data\":\"no end\"}\n",
         "");
}

static void test_gaps(void **state)
{
    struct fixture *f = *state;
    char much[3001] = "";

    memset(much, 'x', sizeof(much) - 1);
    set(f, "job:j", "state failed kind job epoch 1");
    begin(f, "j", 1);
    say(f, 0, LOG_STDOUT, "head\n");
    flush(f, "head", false);
    say(f, 0, LOG_STDOUT, much);
    flush(f, "tail", true);
    say(f, 0, LOG_STDOUT, much);
    flush(f, "tail", true);
    say(f, 0, LOG_STDOUT, "tail\n");
    flush(f, "tail", false);
    say(f, 1, LOG_STDOUT, "lost");
    flush(f, "tail", true);
    logs(f, "j", 0,
         "step 1\n  | head\n[... 5.9 KiB of output are not here ...]\n"
         "  | tail\n[... 4 B of output are not here ...]\n",
         "");
    logs(f, "--json j", 0,
         "{\"job\":\"j\",\"epoch\":1,\"seq\":1,\"at_ms\":1795644950853,"
         "\"step\":0,\"stream\":\"stdout\",\"data\":\"head\\n\"}\n"
         "{\"job\":\"j\",\"epoch\":1,\"seq\":2,\"at_ms\":0,"
         "\"step\":0,\"stream\":\"gap\",\"gap_bytes\":6000}\n"
         "{\"job\":\"j\",\"epoch\":1,\"seq\":4,\"at_ms\":1795644950853,"
         "\"step\":0,\"stream\":\"stdout\",\"data\":\"tail\\n\"}\n"
         "{\"job\":\"j\",\"epoch\":1,\"seq\":5,\"at_ms\":0,"
         "\"step\":0,\"stream\":\"gap\",\"gap_bytes\":4}\n",
         "");
}

/* What Redis lost is in the store, once the attempt is over. */
static void test_store(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *dir = xasprintf("%s/logs/jo", f->server.dir);
    CLEANUP(mem) char *path = xasprintf("%s/job-1.log", dir);
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct log_builder *whole = log_builder_new(1, 0);
    const struct log_entry entry = {
        .stream = LOG_STDOUT, .data = "kept\n", .len = 5};
    struct log_block block;
    struct err err;

    assert_true(log_builder_add(whole, &entry));
    assert_true(log_builder_finish(whole, &block));
    log_block_put(&block, &bytes);
    log_builder_free(whole);
    if (dir_make(dir, 0700, &err) < 0 ||
        file_write(path, bytes.data, bytes.len, 0600, &err) < 0)
        fail_msg("%s", err.msg);
    begin(f, "job", 1);
    say(f, 0, LOG_STDOUT, "kept\n");
    flush(f, "tail", true);
    set(f, "job:job", "state running kind job epoch 1");
    logs(f, "job", 0, "[... 5 B of output are not here ...]\n", "");
    set(f, "job:job", "state passed");
    logs(f, "job", 0, "step 1\n  | kept\n", "");
    assert_int_equal(file_write(path, bytes.data, bytes.len - 1, 0600, NULL),
                     0);
    logs(f, "job", 0, "[... 5 B of output are not here ...]\n", "");
}

static void test_follow(void **state)
{
    struct fixture *f = *state;
    struct child child;

    set(f, "job:j", "state ready kind job");
    spawn(f, "-f j", &child);
    wait_for(child.err, "job j is ready: waiting for its worker\n");
    set(f, "job:j", "state running epoch 1");
    begin(f, "j", 1);
    say(f, 0, LOG_STDOUT, "one\n");
    flush(f, "head", false);
    wait_for(child.out, "one\n");
    say(f, 0, LOG_STDOUT, "two\n");
    say(f, 0, LOG_STDOUT, "thr");
    flush(f, "head", false);
    redis_server_kill(&f->server);
    wait_for(child.err, "trying again\n");
    redis_server_start(&f->server);
    say(f, 0, LOG_STDOUT, "ee\n");
    flush(f, "tail", false);
    wait_for(child.out, "three\n");
    say(f, 0, LOG_STDOUT, "lost");
    flush(f, "tail", true);
    say(f, 0, LOG_STDOUT, "four\n");
    flush(f, "tail", false);
    wait_for(child.out, "four\n");
    set(f, "job:j", "state passed");
    ends(&child, 0,
         "step 1\n  | one\n  | two\n  | three\n"
         "[... 4 B of output are not here ...]\n  | four\n",
         "trying again");
}

static void test_attempts(void **state)
{
    struct fixture *f = *state;
    struct child child;

    set(f, "job:j", "state running kind job epoch 1");
    begin(f, "j", 1);
    say(f, 0, LOG_STDOUT, "first\n");
    flush(f, "head", false);
    spawn(f, "-f j", &child);
    wait_for(child.out, "first\n");
    set(f, "job:j", "state delayed");
    wait_for(child.err, "job j is delayed: waiting for its worker\n");
    begin(f, "j", 2);
    say(f, 0, LOG_STDOUT, "second\n");
    flush(f, "head", false);
    set(f, "job:j", "state failed epoch 2");
    ends(&child, 0, "step 1\n  | first\nattempt 2\nstep 1\n  | second\n",
         "delayed");
    logs(f, "j", 0, "step 1\n  | second\n", "");
    logs(f, "--epoch 1 j", 0, "step 1\n  | first\n", "");
    logs(f, "--epoch 3 j", 1, "", "there is no attempt 3 of job j, but 2");
}

static void test_run(void **state)
{
    struct fixture *f = *state;
    struct child child;

    set(f, "job:r", "state running kind run");
    set(f, "run:r", "0 active 1 skipped 2 active");
    set(f, "job:r-1", "state running kind job epoch 1 parent r");
    set(f, "job:r-3",
        "state ready kind job parent r about {\"name\":\"third\"}");
    begin(f, "r-1", 1);
    say(f, 0, LOG_STDOUT, "a\n");
    flush(f, "head", false);
    logs(f, "r", 0, "job r-1\nstep 1\n  | a\n", "");
    spawn(f, "-f r", &child);
    wait_for(child.out, "  | a\n");
    set(f, "job:r-1", "state passed");
    begin(f, "r-3", 1);
    say(f, 0, LOG_STDOUT, "b\n");
    flush(f, "head", false);
    set(f, "job:r-3", "state passed epoch 1");
    wait_for(child.out, "  | b\n");
    set(f, "job:r", "state passed");
    ends(&child, 0, "job r-1\nstep 1\n  | a\njob r-3: third\nstep 1\n  | b\n",
         "");
}

static void test_errors(void **state)
{
    struct fixture *f = *state;

    logs(f, "none", 1, "", "there is no job 'none'");
    logs(f, "-f none", 1, "", "there is no job 'none'");
    logs(f, "--step 0 j", 2, "", "option '--step' takes 1 to 100");
    logs(f, "--epoch x j", 2, "", "option '--epoch' takes 1 to ");
    set(f, "job:j", "state ready kind job");
    logs(f, "j", 0, "", "note: job j is ready: it has printed nothing yet");
    redis_server_kill(&f->server);
    logs(f, "-f j", 3, "", "/s");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_whole),  TEST(test_gaps),     TEST(test_store),
        TEST(test_follow), TEST(test_attempts), TEST(test_run),
        TEST(test_errors),
    };

    (void)setenv("LC_ALL", "C", 1);
    (void)unsetenv("BERTH_REDIS");
    (void)unsetenv("BERTH_CONFIG");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
