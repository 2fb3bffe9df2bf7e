/* tests/unit/scheduler/queue/keys_test.c - Redis against redis-keys.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/state.h"
#include "base/strbuf.h"
#include "scheduler/queue/job_args.h"
#include "scheduler/queue/log.h"
#include "scheduler/queue/spend.h"
#include "tests/unit/scheduler/queue/pool.h"

#include <fnmatch.h>

#define MAX_ROWS 64

enum lifetime { ALWAYS, NEVER, ENDED, SETTLED };

struct row {
    char pattern[128]; /* of a key; or the name of a field */
    char type[16];
    enum lifetime lifetime;
    bool seen;
};

struct table {
    const char *title;
    const char *of; /* the keys whose fields these are; NULL: keys */
    struct row rows[MAX_ROWS];
    size_t count;
};

static struct table tables[] = {
    {.title = "## Keys"},
    {.title = "## Fields of a job", .of = "*}:job:*"},
    {.title = "## Fields of a run", .of = "*}:run:*"},
    {.title = "## Fields of a report under way", .of = "*}:reporting:*"},
    {.title = "## Fields of a worker", .of = "*}:worker:*"},
    {.title = "## Fields of a rejected document", .of = "*}:rejected:*"},
    {.title = "## Fields of a delivery", .of = "*}:delivery:*"},
    {.title = "## Fields of the configuration", .of = "*}:conf"},
    {.title = "## Fields of a log's entries", .of = "*:[ht][ea][ai][dl]"},
    {.title = "## Fields of a log's counters", .of = "*}:log:*"},
};

/* ---- reading the document ----------------------------------------------- */

static void trim(char *s)
{
    size_t n = strlen(s);

    while (n && s[n - 1] == ' ')
        s[--n] = '\0';
}

/* `berth:{<pool>}:job:<id>` becomes berth:{*}:job:* */
static void to_pattern(const char *name, char out[128])
{
    size_t n = 0;

    if (strcmp(name, "<index>") == 0)
        name = "[0-9]<more digits>";
    for (; *name && n < 127; name++) {
        if (*name == '<') {
            out[n++] = '*';
            name = strchr(name, '>');
            assert_non_null(name);
        } else {
            out[n++] = *name;
        }
    }
    out[n] = '\0';
}

static enum lifetime to_lifetime(const char *cell)
{
    if (strncmp(cell, "none until it ends", 18) == 0)
        return ENDED;
    if (strncmp(cell, "none while it waits", 19) == 0)
        return SETTLED;
    if (strncmp(cell, "none", 4) == 0 || strcmp(cell, "empty: gone") == 0)
        return NEVER;
    return ALWAYS;
}

static void add_row(struct table *table, char *line)
{
    struct row *row = &table->rows[table->count];
    char *cells[4] = {NULL, NULL, NULL, NULL};
    char *save = NULL;
    char *end_mark;

    for (size_t i = 0; i < 4; i++) {
        cells[i] = strtok_r(i ? NULL : line, "|", &save);
        if (!cells[i])
            break;
        cells[i] += strspn(cells[i], " ");
        trim(cells[i]);
    }
    if (!cells[0] || cells[0][0] != '`')
        return;
    assert_true(table->count++ < MAX_ROWS);
    end_mark = strchr(cells[0] + 1, '`');
    assert_non_null(end_mark);
    *end_mark = '\0';
    to_pattern(cells[0] + 1, row->pattern);
    (void)snprintf(row->type, sizeof(row->type), "%s", cells[1]);
    if (cells[3])
        row->lifetime = to_lifetime(cells[3]);
}

static void read_document(void)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct table *table = NULL;
    char *save = NULL;

    assert_int_equal(file_read("schemas/redis-keys.md", 100000, &text, NULL),
                     0);
    for (char *line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        for (size_t i = 0; i < ARRAY_LEN(tables); i++)
            if (strcmp(line, tables[i].title) == 0)
                table = &tables[i];
        if (table && line[0] == '|')
            add_row(table, line + 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        assert_true(tables[i].count > 0);
}

static struct row *find(struct table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (fnmatch(table->rows[i].pattern, name, 0) == 0) {
            table->rows[i].seen = true;
            return &table->rows[i];
        }
    fail_msg("schemas/redis-keys.md does not know '%s' of %s", name,
             table->title);
    return NULL;
}

/* ---- reading Redis ------------------------------------------------------ */

/* The job of a key job:<id>, or run:<id>. */
static bool has_ended(struct pool *p, const char *key)
{
    const char *id = strrchr(key, ':') + 1;
    const char *state = field_of(p, id, "state");

    return strcmp(state, "passed") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

/* And so has the run that it is of, if any. */
static bool is_over(struct pool *p, const char *key)
{
    CLEANUP(mem)
    char *parent = xstrdup(field_of(p, strrchr(key, ':') + 1, "parent"));

    return has_ended(p, key) &&
           (!*parent || strcmp(field_of(p, parent, "state"), "running") != 0);
}

/* What a job was told is kept no longer than it is needed. */
static void check_payload(struct pool *p, const char *key)
{
    const char *state = redis_word(p, "HGET", key, "state");

    if (strcmp(state, "passed") == 0)
        assert_int_equal(redis_num(p, "HEXISTS", key, "payload"), 0);
    else if (!has_ended(p, key))
        assert_int_equal(redis_num(p, "HEXISTS", key, "payload"), 1);
}

static void check_lifetime(struct pool *p, const char *key,
                           const struct row *row)
{
    long long ms = redis_num(p, "PTTL", key);
    bool must = row->lifetime == ALWAYS;

    if (row->lifetime == ENDED)
        must = is_over(p, key);
    if (row->lifetime == SETTLED)
        must = strcmp(redis_word(p, "HGET", key, "state"), "waiting") != 0;
    if (must && ms <= 0)
        fail_msg("'%s' has no lifetime", key);
    if (!must && ms > 0)
        fail_msg("'%s' has a lifetime", key);
}

/* Which names its fields may have; NULL: any. */
static struct table *fields_of(const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        if (tables[i].of && fnmatch(tables[i].of, key, 0) == 0)
            return &tables[i];
    return NULL;
}

static void check_fields(struct table *table, const redisReply *names,
                         size_t step)
{
    for (size_t i = 0; i < names->elements; i += step)
        (void)find(table, names->element[i]->str);
}

static void check_entries(struct pool *p, const char *key)
{
    redisReply *reply = redis(p, "XRANGE", key, "-", "+", NULL);

    for (size_t i = 0; i < reply->elements; i++)
        check_fields(fields_of(key), reply->element[i]->element[1], 2);
    freeReplyObject(reply);
}

static void check_key(struct pool *p, const char *key)
{
    struct row *row = find(&tables[0], key);
    struct table *fields = fields_of(key);

    assert_string_equal(redis_word(p, "TYPE", key), row->type);
    check_lifetime(p, key, row);
    if (strstr(key, "}:job:"))
        check_payload(p, key);
    if (strcmp(row->type, "stream") == 0) {
        check_entries(p, key);
    } else if (strcmp(row->type, "hash") == 0 && fields) {
        redisReply *names = redis(p, "HKEYS", key, NULL);

        check_fields(fields, names, 1);
        freeReplyObject(names);
    }
}

static void look(struct pool *p)
{
    redisReply *reply = redis(p, "KEYS", "*", NULL);

    assert_true(reply->elements > 0);
    for (size_t i = 0; i < reply->elements; i++)
        check_key(p, reply->element[i]->str);
    freeReplyObject(reply);
    expect_sound(p);
}

static void expect_all_seen(void)
{
    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (size_t k = 0; k < tables[i].count; k++)
            if (!tables[i].rows[k].seen)
                fail_msg("'%s' is documented, and never there",
                         tables[i].rows[k].pattern);
}

/* ---- every transition --------------------------------------------------- */

static void on_done(void *arg, const struct err *err)
{
    assert_null(err);
    *(bool *)arg = true;
}

/* Noise, which cannot be compressed: more than the head takes. */
static void write_log(struct pool *p, const struct given *given)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    CLEANUP(lease)
    struct lease *lease = lease_adopt(p->queue, given->id, 1, given->nonce);
    char noise[LOG_ENTRY_MAX_DATA + 1];
    struct log_entry entry = {
        .stream = LOG_STDOUT, .data = noise, .len = LOG_ENTRY_MAX_DATA};

    for (int i = 0; i < 20; i++) {
        CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
        struct log_block block;
        bool done = false;

        do
            state_random_hex(noise, LOG_ENTRY_MAX_DATA);
        while (log_builder_add(builder, &entry));
        assert_true(log_builder_finish(builder, &block));
        log_block_put(&block, &out);
        lease_log(lease, (uint64_t)256 << 20, out.data, out.len, on_done,
                  &done);
        while (!done)
            assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
    }
}

static void do_config(struct pool *p)
{
    static const struct queue_number number = {"t", 2}, one = {"deploy", 1};
    const struct pool_conf conf = {.max_instances = 50,
                                   .keep_ms = 1000000,
                                   .dead_keep_ms = 2000000,
                                   .infra_retries = 1,
                                   .backoff_ms = 1000,
                                   .backoff_max_ms = 5000,
                                   .weights = &number,
                                   .weight_count = 1,
                                   .caps = &number,
                                   .cap_count = 1,
                                   .pipeline_caps = &one,
                                   .pipeline_cap_count = 1};
    struct err err;

    assert_int_equal(queue_configure(p->queue, &conf, &err), 0);
    (void)word_of(p, SCRIPT_REAP, "400", "1000", "0.5");
    look(p);
}

/* Workers that wait for a bell, and what they say of themselves. */
static void do_workers(struct pool *p)
{
    (void)word_of(p, SCRIPT_RENEW, "w1", LEASE_MS, "2", "labels", ",gpu,",
                  "cpus", "4");
    (void)word_of(p, SCRIPT_DRAIN, "w1", "1");
    assert_string_equal(take_as(p, "w2", "", "1000").word, "none");
    look(p);
}

static void do_documents(struct pool *p)
{
    (void)word_of(p, SCRIPT_FIRE, "nightly", "", "100", "good", "bad");
    look(p);
    (void)word_of(p, SCRIPT_WATCH, "s1", "1000");
    (void)redis_word(p, "LMOVE", "%inbox", "%inbox:s1", "RIGHT", "LEFT");
    look(p);
    (void)redis_word(p, "LMOVE", "%inbox", "%inbox:s1", "RIGHT", "LEFT");
    (void)word_of(p, SCRIPT_REJECT, "s1", "bad", "d1", "no name");
    look(p);
}

/* Of a Git host: one that is settled, one that waits, one that is ignored. */
static void do_deliveries(struct pool *p)
{
    static const char *const digests[] = {"d1", "d2", "d3"};

    for (size_t i = 0; i < ARRAY_LEN(digests); i++)
        assert_string_equal(word_of(p, SCRIPT_DELIVER, digests[i], "1000000",
                                    "100000", i == 2 ? "ignored" : "waiting",
                                    "why", "body", "bytes", "4", "forge",
                                    "github", "event", "push", "id", "1",
                                    "repo", "a/b", "source", "192.0.2.1"),
                            "stored");
    (void)word_of(p, SCRIPT_ATTEND, "s1", "claim", "60000", " github ");
    (void)word_of(p, SCRIPT_HEADS, "github", "a/b", "7", "8f14e45");
    look(p);
    assert_string_equal(word_of(p, SCRIPT_SETTLE, "d1", "1000000", "done", "",
                                "claim", "j-1 j-2"),
                        "1");
    assert_string_equal(word_of(p, SCRIPT_REPLAY, "d1"), "again");
    look(p);
}

static void on_reserved(void *arg, const char *date, const char *refused,
                        const struct err *err)
{
    assert_null(err);
    assert_null(refused);
    assert_non_null(date);
    *(bool *)arg = true;
}

static void do_spending(struct pool *p)
{
    const struct spend_wish wish = {.job_id = "j",
                                    .epoch = 1,
                                    .model = "default",
                                    .repository = "h/a/b",
                                    .most = {1, 2, 3}};
    bool done = false;

    spend_reserve(p->queue, &wish, on_reserved, &done);
    while (!done)
        assert_int_equal(loop_step(p->loop, 1000, NULL), 0);
    look(p);
}

static void do_waiting(struct pool *p)
{
    struct strv labels = {NULL, 0};
    char name[] = "g";
    const struct concurrency group = {
        .group = name, .cancel_in_progress = true, .queue = 1};

    const struct concurrency plain = {.group = name};

    strv_add(&labels, "gpu");
    (void)submit(p, "labelled",
                 JOB(.labels = &labels, .about = "{}", .as_of_ms = 1));
    (void)submit(
        p, "late",
        JOB(.not_before_ms = 9999999999999, .expires_at_ms = 9999999999999));
    (void)submit(p, "first", JOB(.concurrency = &group, .job_retries = 1));
    (void)submit(p, "second", JOB(.concurrency = &plain));
    (void)submit(p, "third",
                 JOB(.not_before_ms = 9999999999999, .concurrency = &group));
    (void)submit(p, "keyed", JOB(.dedupe_key = "k", .dedupe_ms = 60000));
    look(p);
    (void)submit(p, "run", JOB(.run_jobs = 5));
    look(p);
    strv_clear(&labels);
}

/* More than the caps allow, so that lanes are set aside; logs of one. */
static void do_running(struct pool *p)
{
    static const char *const ids[] = {"t1", "t2", "t3", "d1", "d2"};
    struct given given;
    bool logged = false;

    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        (void)submit(p, ids[i],
                     JOB(.tenant = i < 3 ? "t" : "d", .pipeline = "deploy",
                         .report = "{}"));
    while (*(given = take(p)).id) {
        look(p);
        if (!logged)
            write_log(p, &given);
        logged = true;
        if (strcmp(given.id, "keyed") == 0)
            (void)word_of(p, SCRIPT_CANCEL, "keyed", "cancelled");
        look(p);
        (void)end(p, &given, given.id[0] == 't' ? "passed" : "failed",
                  given.id[0] == 't' ? "" : "step_failed", "0");
        look(p);
    }
}

/* What reads a private repository. */
static void do_asks(struct pool *p)
{
    struct given given;

    (void)submit(p, "private", JOB(.payload = "{\"repo\":\"https://h/a/b\"}"));
    while (strcmp((given = take(p)).id, "private") != 0)
        pass(p, &given);
    assert_string_equal(
        word_of(p, SCRIPT_ASK, "w", given.id, given.epoch, given.nonce, "9"),
        "asked");
    look(p);
    assert_string_equal(word_of(p, SCRIPT_ASKED, "w", given.id, given.epoch,
                                given.nonce, "1", "3", "99999999999999"),
                        "ok");
    assert_string_equal(word_of(p, SCRIPT_ANSWER, "w", given.id, given.epoch,
                                given.nonce, "-host", "30000"),
                        "1");
    look(p);
    pass(p, &given);
}

/* How a host answers the report that is due; "": it does not. */
static void tell(struct pool *p, const char *nonce, const char *what)
{
    redisReply *reply =
        script(p, SCRIPT_REPORT_TAKE, "s1", nonce, "60000", "github", NULL);

    assert_string_equal(queue_reply_str(reply, 0), "github");
    freeReplyObject(reply);
    look(p);
    if (*what)
        assert_string_equal(word_of(p, SCRIPT_REPORT_DONE, "github", nonce,
                                    what, "it said so", "60000", "0.5", "note",
                                    "2", "1", "1", "f1", "open"),
                            what);
    look(p);
}

static void do_reports(struct pool *p)
{
    static const char *const said[] = {"again", "refused", "done"};
    const struct queue_job job = {
        .priority = JOB_NORMAL,
        .infra_retries = -1,
        .report = "{\"forge\":\"github\",\"repo\":\"a/b\",\"change\":\"7\"}",
        .as_of_ms = 1};

    (void)submit(p, "told1", &job);
    tell(p, "n1", "done");
    (void)submit(p, "told2", &job);
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        (void)word_of(p, SCRIPT_REPORT_AGAIN, "told2");
        tell(p, "n2", said[i]);
    }
    (void)word_of(p, SCRIPT_REPORT_AGAIN, "told1");
    tell(p, "n3", "again");
    (void)submit(p, "told3", &job);
    tell(p, "n4", "refused");
    (void)submit(p, "told4", &job);
    tell(p, "n5", "paused");
}

static void do_parked(struct pool *p)
{
    struct given a, b;

    (void)submit(p, "p1", JOB(.tenant = "t"));
    (void)submit(p, "p2", JOB(.tenant = "t"));
    (void)submit(p, "p3", JOB(.tenant = "t"));
    a = take(p);
    b = take(p);
    assert_string_equal(take(p).id, "");
    (void)word_of(p, SCRIPT_CHARGE, a.id, a.epoch, a.nonce, "{}");
    look(p);
    (void)redis_num(p, "HSET", "%job:p1", "infra_retries", "0");
    (void)end(p, &a, "failed", "model_failed", "1"); /* the last time */
    (void)end(p, &b, "failed", "model_failed", "1");
    look(p);
}

static void do_run(struct pool *p)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    static const char *const words[] = {"run", "0", "0", "1", "1",
                                        "0",   "",  "",  "",  "0"};
    struct given given;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        queue_args_str(&args, words[i]);
    job_args_add(&args, JOB(.id = "run-1", .payload = "{}", .tenant = "r"));
    assert_string_equal(first_word(run(p, SCRIPT_ADVANCE, &args)), "ok");
    look(p);
    do
        given = take(p);
    while (*given.id && strcmp(given.id, "run-1") != 0);
    pass(p, &given);
    look(p);
    assert_string_equal(word_of(p, SCRIPT_ADVANCE, "run", "2", "0", "0", "0",
                                "passed", "", "{}"),
                        "ok");
    look(p);
}

static void test_keys(void **state)
{
    struct pool *p = *state;

    do_config(p);
    do_workers(p);
    do_documents(p);
    do_spending(p);
    do_spending(p);
    do_deliveries(p);
    do_waiting(p);
    do_running(p);
    do_asks(p);
    do_parked(p);
    do_run(p);
    do_reports(p);
    (void)word_of(p, SCRIPT_CANCEL, "labelled", "cancelled");
    promote(p, "1000");
    (void)word_of(p, SCRIPT_TRIM, "1");
    look(p);
    expect_all_seen();
}

static int start(void **state)
{
    read_document();
    return server_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {POOL_TEST(test_keys)};

    return cmocka_run_group_tests(tests, start, server_teardown);
}
