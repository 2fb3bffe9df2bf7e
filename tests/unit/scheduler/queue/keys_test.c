/* tests/unit/scheduler/queue/keys_test.c - Redis against redis-keys.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

#include <fnmatch.h>

#define MAX_ROWS 32

struct row {
    char pattern[128]; /* of a key; or the name of a field */
    char type[16];
    bool lives_on; /* without a time to live */
    bool seen;
};

struct table {
    struct row rows[MAX_ROWS];
    size_t count;
};

static struct redis_server server;
static struct loop *loop;
static struct queue *queue;
static struct redis_sync *redis;
static struct table keys, job_fields, entry_fields, counter_fields;

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

static void add_row(struct table *table, char *line)
{
    struct row *row = &table->rows[table->count];
    char *cells[4] = {NULL, NULL, NULL, NULL};
    char *save = NULL;
    char *end;

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
    end = strchr(cells[0] + 1, '`');
    assert_non_null(end);
    *end = '\0';
    to_pattern(cells[0] + 1, row->pattern);
    (void)snprintf(row->type, sizeof(row->type), "%s", cells[1]);
    row->lives_on = cells[3] && (strncmp(cells[3], "none", 4) == 0 ||
                                 strncmp(cells[3], "empty", 5) == 0);
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
        if (strcmp(line, "## Keys") == 0)
            table = &keys;
        else if (strcmp(line, "## Fields of a job") == 0)
            table = &job_fields;
        else if (strcmp(line, "## Fields of a log's entries") == 0)
            table = &entry_fields;
        else if (strcmp(line, "## Fields of a log's counters") == 0)
            table = &counter_fields;
        else if (table && line[0] == '|')
            add_row(table, line + 1);
    }
    assert_int_equal(keys.count, 10);
    assert_true(job_fields.count && entry_fields.count && counter_fields.count);
}

static struct row *find(struct table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (fnmatch(table->rows[i].pattern, name, 0) == 0) {
            table->rows[i].seen = true;
            return &table->rows[i];
        }
    fail_msg("schemas/redis-keys.md does not know '%s'", name);
    return NULL;
}

/* ---- reading Redis ------------------------------------------------------ */

static redisReply *ask(const char *a, const char *b, const char *c,
                       const char *d)
{
    const char *const list[] = {a, b, c, d};
    struct redis_words words = {list, NULL, d ? 4 : c ? 3 : 2};
    redisReply *reply = NULL;

    assert_int_equal(redis_sync_command(redis, &words, &reply, NULL), 0);
    return reply;
}

static bool has_ended(const char *key)
{
    redisReply *reply = ask("HGET", key, "state", NULL);
    bool ended =
        strcmp(reply->str, "ready") != 0 && strcmp(reply->str, "running") != 0;

    freeReplyObject(reply);
    return ended;
}

/* What a job was told is kept no longer than it is needed. */
static void check_payload(const char *key)
{
    redisReply *reply = ask("HEXISTS", key, "payload", NULL);

    assert_int_equal(reply->integer, !has_ended(key));
    freeReplyObject(reply);
}

static void check_lifetime(const char *key, const struct row *row)
{
    redisReply *reply = ask("PTTL", key, NULL, NULL);
    bool must = !row->lives_on;

    if (strstr(row->pattern, ":job:"))
        must = has_ended(key);
    if (must && reply->integer <= 0)
        fail_msg("'%s' has no lifetime", key);
    freeReplyObject(reply);
}

static void check_fields(struct table *table, const redisReply *names)
{
    for (size_t i = 0; i < names->elements; i++)
        (void)find(table, names->element[i]->str);
}

static void check_key(const char *key)
{
    struct row *row = find(&keys, key);
    redisReply *reply = ask("TYPE", key, NULL, NULL);

    assert_string_equal(reply->str, row->type);
    freeReplyObject(reply);
    check_lifetime(key, row);
    if (strstr(row->pattern, ":job:"))
        check_payload(key);
    if (strcmp(row->type, "hash") == 0) {
        reply = ask("HKEYS", key, NULL, NULL);
        check_fields(strstr(key, ":meta") ? &counter_fields : &job_fields,
                     reply);
        freeReplyObject(reply);
    } else if (strcmp(row->type, "stream") == 0) {
        reply = ask("XRANGE", key, "-", "+");
        for (size_t i = 0; i < reply->elements; i++) {
            const redisReply *fields = reply->element[i]->element[1];

            for (size_t k = 0; k < fields->elements; k += 2)
                (void)find(&entry_fields, fields->element[k]->str);
        }
        freeReplyObject(reply);
    }
}

static void check_all(void)
{
    redisReply *reply = ask("KEYS", "*", NULL, NULL);

    assert_true(reply->elements > 0);
    for (size_t i = 0; i < reply->elements; i++)
        check_key(reply->element[i]->str);
    freeReplyObject(reply);
}

static void expect_all_seen(const struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        if (!table->rows[i].seen)
            fail_msg("'%s' is documented, and never there",
                     table->rows[i].pattern);
}

/* ---- every transition --------------------------------------------------- */

static struct lease *leased;
static unsigned answers;

static void on_lease(void *arg UNUSED, struct lease *lease,
                     const struct err *err)
{
    assert_null(err);
    leased = lease;
    answers++;
}

static void on_done(void *arg UNUSED, const struct err *err)
{
    assert_null(err);
    answers++;
}

static void wait_for(unsigned wanted)
{
    while (answers < wanted)
        assert_int_equal(loop_step(loop, 1000, NULL), 0);
}

static struct lease *take(void)
{
    queue_lease(queue, "w", on_lease, NULL);
    wait_for(answers + 1);
    return leased;
}

static void write_log(struct lease *lease)
{
    CLEANUP(mem) char *big = xcalloc(1, LEASE_LOG_MAX_BYTES);
    const struct queue_log_entry entries[] = {
        {.step = 1, .stream = "stdout", .data = "x", .len = 1},
        {.step = 1, .stream = "gap", .data = "", .gap_bytes = 7},
        {.step = 1, .stream = "note", .data = big, .len = 200000},
    };

    for (uint64_t batch = 1; batch < 9; batch++) {
        lease_log(lease, batch, entries, ARRAY_LEN(entries), on_done, NULL);
        wait_for(answers + 1);
    }
}

static void test_keys(void **state UNUSED)
{
    static const struct lease_result failed = {"failed", "timed_out", "{}"};
    struct lease *a, *b;

    for (const char *id = "abcd"; *id; id++) {
        const char name[] = {*id, '\0'};

        assert_int_equal(queue_submit(queue, name, "{}", NULL), 0);
    }
    check_all();
    a = take();
    b = take();
    check_all();
    write_log(a);
    assert_int_equal(queue_cancel(queue, "b", "cancelled", NULL), 0);
    assert_int_equal(queue_cancel(queue, "d", "cancelled", NULL), 0);
    check_all();
    lease_complete(a, &failed, on_done, NULL);
    wait_for(answers + 1);
    check_all();
    lease_free(a);
    lease_free(b); /* is reaped */
    (void)poll(NULL, 0, 1700);
    a = take();
    check_all();
    lease_complete(a, &failed, on_done, NULL);
    wait_for(answers + 1);
    check_all();
    lease_free(a);
    expect_all_seen(&keys);
    expect_all_seen(&job_fields);
    expect_all_seen(&entry_fields);
    expect_all_seen(&counter_fields);
}

static int start(void **state UNUSED)
{
    struct queue_options options = {.url = server.url,
                                    .pool = "keys",
                                    .max_instances = 2,
                                    .lease_ms = 1500,
                                    .kill_grace_ms = 100};

    redis_server_init(&server, "");
    read_document();
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(queue_open(loop, &options, &queue, NULL), 0);
    return queue_sync(queue, &redis, NULL);
}

static int stop(void **state UNUSED)
{
    queue_free(queue);
    loop_free(loop);
    redis_server_clear(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys)};

    return cmocka_run_group_tests(tests, start, stop);
}
