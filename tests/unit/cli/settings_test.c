/* tests/unit/cli/settings_test.c - berth's own table, and its schedules. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis.h"
#include "cli/settings.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

static struct settings *load(const char *text)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    struct settings *settings = NULL;

    if (settings_load_text("f.yml", text, strlen(text), errors, &settings) < 0)
        fail_msg("%s", text);
    return settings;
}

static void expect_errors(const char *text, const char *wanted)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(settings) struct settings *settings = NULL;
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;

    assert_int_equal(
        settings_load_text("f.yml", text, strlen(text), errors, &settings), -1);
    assert_null(settings);
    settings_errors_render(errors, &got);
    assert_string_equal(got.data, wanted);
}

static void test_defaults(void **state)
{
    CLEANUP(settings) struct settings *s = load("");

    (void)state;
    assert_string_equal(s->redis.url, "");
    assert_string_equal(s->pool.name, "default");
    assert_int_equal(s->lease.duration_ms, 120000);
    assert_int_equal(s->lease.renew_ms, 20000);
    assert_int_equal(s->lease.kill_after_ms, 110000);
    assert_int_equal(s->lease.kill_grace_ms, 15000);
    assert_int_equal(s->queue.keep_ms, INT64_C(7) * 24 * 3600 * 1000);
    assert_int_equal(s->queue.log_budget_bytes, 256 << 20);
    assert_true(s->worker.capacity >= 1);
    assert_true(*s->worker.name);
    assert_int_equal(s->schedules->count, 0);
    assert_int_equal(s->triggers->count, 0);
}

/* A key as its variable is called. */
static char *flat(const char *name)
{
    char *copy = xstrdup(name);

    for (char *c = copy; (c = strchr(c, '.'));)
        *c = '_';
    return copy;
}

/* No two keys have one variable, and none is a group of others. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_table.count; i++)
        for (size_t k = 0; k < settings_table.count; k++) {
            CLEANUP(mem) char *a = flat(settings_table.keys[i].name);
            CLEANUP(mem) char *b = flat(settings_table.keys[k].name);
            size_t len = strlen(a);

            if (i == k)
                continue;
            assert_string_not_equal(a, b);
            assert_false(!strncmp(settings_table.keys[i].name,
                                  settings_table.keys[k].name, len) &&
                         settings_table.keys[k].name[len] == '.');
        }
}

static void test_relations(void **state)
{
    (void)state;
    expect_errors("lease: {renew: 2m}\n",
                  "f.yml:1:16: 'lease.renew' (2m) must be less than "
                  "'lease.kill_after' (1m50s)\n");
    /* Both are blamed on what somebody wrote. */
    expect_errors("lease: {duration: 15s}\n",
                  "f.yml:1:19: 'lease.kill_after' (1m50s) must be less than "
                  "'lease.duration' (15s)\n");
    expect_errors("queue: {backoff_max: 4s}\n",
                  "f.yml:1:22: 'queue.backoff' (5s) must be at most "
                  "'queue.backoff_max' (4s)\n");
}

/* In the file's own lines, besides errors of other keys. */
/* What can be configured, a queue can be opened with. */
static void test_wait_timeout(void **state)
{
    const struct config_key *key = settings_table.keys;
    struct redis_options redis = {.url = "unix:///nowhere", .wait_replicas = 1};
    struct loop *loop = NULL;
    struct redis *client = NULL;

    (void)state;
    while (strcmp(key->name, "redis.wait_timeout") != 0)
        key++;
    redis.wait_ms = (uint32_t)key->max;
    assert_int_equal(loop_new(&loop, NULL), 0);
    assert_int_equal(redis_open(loop, &redis, &client, NULL), 0);
    redis_free(client);
    loop_free(loop);
}

static void test_schedule_errors(void **state)
{
    (void)state;
    expect_errors("pool: {nmae: x}\n"
                  "schedules:\n"
                  "  - name: a\n"
                  "    cron: 0 25 * * *\n"
                  "    job:\n"
                  "      kind: tset\n"
                  "      repo: /r\n",
                  "f.yml:1:8: unknown key 'pool.nmae'; did you mean 'name'?\n"
                  "f.yml:4:13: '0 25 * * *': hour: '25': this must be from 0 "
                  "to 23\n"
                  "f.yml:6:13: 'tset' is not one of: test, review, nightly, "
                  "codegen, batch; did you mean "
                  "'test'?\n");
}

static void test_triggers(void **state)
{
    CLEANUP(settings)
    struct settings *s =
        load("triggers:\n"
             "  - {event: [push], repos: 'a/*', pipeline: x}\n");

    (void)state;
    assert_int_equal(s->triggers->count, 1);
    assert_string_equal(s->triggers->items[0].pipelines.items[0], "x");
    expect_errors("triggers:\n"
                  "  - event: psuh\n"
                  "    pipeline: test\n"
                  "schedules: nightly\n",
                  "f.yml:2:12: 'psuh' is not one of: change, push, tag; did "
                  "you mean 'push'?\n"
                  "f.yml:4:12: schedules are a list of at most 1000 "
                  "mappings\n");
}

/* Neither a message nor the line it is about. */
static void test_passwords_are_not_quoted(void **state)
{
    static const char *const bad[] = {
        "redis: {url: 'redis://u:hunter22@h:x'}\n",
        "redis: {url: 'redi://u:hunter22@h'}\n",
        "redis: {url: redis://u:hunter22@h, nonsense: 1}\n",
        "redis: {url: redis://u:hunter22@h\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(settings_errors)
        struct settings_errors *errors = settings_errors_new();
        CLEANUP(settings) struct settings *settings = NULL;
        CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;

        assert_int_equal(settings_load_text("f.yml", bad[i], strlen(bad[i]),
                                            errors, &settings),
                         -1);
        settings_errors_render(errors, &got);
        assert_true(got.len > 0);
        assert_null(strstr(got.data, "hunter22"));
    }
}

static int reload(const struct settings *before, const char *option,
                  struct strv *kept, struct settings **out)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    const struct config_option options[] = {{"--set", NULL, option}};
    char *const env[] = {(char *)(uintptr_t) "BERTH_CONFIG=/dev/null", NULL};
    const struct settings_from from = {.environ = env,
                                       .options = options,
                                       .option_count = 1,
                                       .before = before,
                                       .kept = kept};

    return settings_load(&from, errors, out);
}

static void test_reload(void **state)
{
    CLEANUP(settings) struct settings *first = load("lease: {renew: 10s}\n");
    CLEANUP(settings) struct settings *second = NULL;
    CLEANUP(settings) struct settings *third = NULL;
    CLEANUP(settings) struct settings *none = NULL;
    CLEANUP(strv) struct strv kept = {0};

    (void)state;
    assert_int_equal(reload(first, "queue.keep=1d", &kept, &second), 0);
    assert_int_equal(second->queue.keep_ms, 86400000);
    assert_int_equal(second->lease.renew_ms, 10000);
    assert_int_equal(kept.count, 1);
    assert_string_equal(kept.items[0],
                        "'lease.renew' stays '10s': '20s' needs a restart");
    assert_int_equal(reload(second, "lease.renew=10s", &kept, &third), 0);
    assert_int_equal(kept.count, 1);
    assert_int_equal(reload(third, "lease.renew=x", &kept, &none), -1);
    assert_null(none);
    assert_int_equal(third->lease.renew_ms, 10000);
}

static void test_file_is_missing(void **state)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(settings) struct settings *settings = NULL;
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    const struct settings_from from = {.file = "/nonexistent/berth.yml"};

    (void)state;
    assert_int_equal(settings_load(&from, errors, &settings), -1);
    settings_errors_render(errors, &got);
    assert_non_null(strstr(got.data, "/nonexistent/berth.yml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_wait_timeout),
        cmocka_unit_test(test_schedule_errors),
        cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_passwords_are_not_quoted),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_file_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
