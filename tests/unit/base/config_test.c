/* tests/unit/base/config_test.c - a table of settings and its sources. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

struct values {
    char *title, *dir, *host, *secret;
    bool on;
    int64_t count, wait_ms, bytes;
    size_t mode;
    struct strv words;
    struct config_numbers shares;
    const struct yaml_node *rest;
};

static const char *const modes[] = {"fast", "careful", NULL};

static int check_title(const char *text, struct err *err)
{
    return strchr(text, '!') ? err_set(err, ERR_USER, "too loud") : 0;
}

/* From what stands above it in the table. */
static char *make_host(const void *values)
{
    return xasprintf("%s.local", ((const struct values *)values)->title);
}

#define AT(member) .offset = offsetof(struct values, member)

static const struct config_key keys[] = {
    {.name = "title",
     .type = CONFIG_STRING,
     AT(title),
     .initial = "none",
     .check = check_title,
     .env = "OLD_TITLE",
     .flags = CONFIG_RELOADS,
     .help = "What it is called."},
    {.name = "place.dir",
     .type = CONFIG_PATH,
     AT(dir),
     .initial = "/srv",
     .help = "Where it is."},
    {.name = "place.host",
     .type = CONFIG_STRING,
     AT(host),
     .initial = "made of the title",
     .derive = make_host,
     .help = "On which."},
    {.name = "place.secret",
     .type = CONFIG_STRING,
     AT(secret),
     .initial = "",
     .flags = CONFIG_SECRET,
     .check = check_title,
     .help = "Tell nobody."},
    {.name = "run.on",
     .type = CONFIG_BOOL,
     AT(on),
     .initial = "true",
     .help = "Whether it runs."},
    {.name = "run.count",
     .type = CONFIG_INTEGER,
     AT(count),
     .initial = "3",
     .min = 1,
     .max = 10,
     .flags = CONFIG_RELOADS,
     .help = "How many."},
    {.name = "run.wait",
     .parts = 2U,
     .type = CONFIG_DURATION,
     AT(wait_ms),
     .initial = "90s",
     .min = 1000,
     .help = "How long."},
    {.name = "run.bytes",
     .type = CONFIG_SIZE,
     AT(bytes),
     .initial = "1KiB",
     .help = "How large."},
    {.name = "run.mode",
     .type = CONFIG_WORD,
     AT(mode),
     .initial = "fast",
     .words = modes,
     .help = "In which way."},
    {.name = "words",
     .type = CONFIG_LIST,
     AT(words),
     .initial = "",
     .help = "Words."},
    {.name = "shares",
     .type = CONFIG_NUMBERS,
     AT(shares),
     .initial = "",
     .min = 1,
     .max = 100,
     .flags = CONFIG_RELOADS,
     .help = "Numbers of names."},
    {.name = "rest",
     .type = CONFIG_TREE,
     AT(rest),
     .flags = CONFIG_RELOADS,
     .help = "Anything."},
};

static const char *const part_names[] = {"cook", "waiter", NULL};

static const struct config_table table = {keys, ARRAY_LEN(keys), "DEMO_",
                                          part_names};

/* A load and what came of it. */
struct loaded {
    struct values values;
    struct config *config;
    struct strbuf errors; /* "where: message [hint]\n"… */
    int rc;
};

static void on_error(void *arg, const struct config_origin *origin,
                     const char *message, const char *hint)
{
    struct loaded *loaded = arg;
    CLEANUP(mem) char *where = config_origin_text(origin);

    strbuf_addf(&loaded->errors, "%s: %s", where, message);
    if (hint)
        strbuf_addf(&loaded->errors, " [%s]", hint);
    strbuf_addc(&loaded->errors, '\n');
}

static struct loaded *load_sources(const struct config_sources *sources)
{
    struct loaded *loaded = xcalloc(1, sizeof(*loaded));

    loaded->errors = (struct strbuf)STRBUF_INIT;
    loaded->rc = config_load(&table, sources, &loaded->values, on_error, loaded,
                             &loaded->config);
    assert_int_equal(loaded->rc == 0, loaded->errors.len == 0);
    return loaded;
}

static struct loaded *load_text(const char *text)
{
    const struct config_sources sources = {
        .file = "f.yml", .text = text, .len = strlen(text)};

    return load_sources(&sources);
}

static void loaded_free(struct loaded *loaded)
{
    config_free(loaded->config);
    strbuf_clear(&loaded->errors);
    free(loaded);
}
OWNER(loaded)

static void expect_origin(const struct loaded *loaded, const char *name,
                          const char *shown, const char *origin)
{
    CLEANUP(mem) char *got_shown = NULL;
    CLEANUP(mem) char *got_origin = NULL;
    size_t i;

    assert_int_equal(config_find(&table, name, &i, NULL), 0);
    got_shown = config_shown(loaded->config, i);
    got_origin = config_origin_text(config_origin(loaded->config, i));
    assert_string_equal(got_shown, shown);
    assert_string_equal(got_origin, origin);
}

static void test_defaults(void **state)
{
    const struct config_sources none = {.file = NULL};
    CLEANUP(loaded) struct loaded *loaded = load_sources(&none);
    const struct values *v = &loaded->values;

    (void)state;
    assert_int_equal(loaded->rc, 0);
    assert_string_equal(v->title, "none");
    assert_string_equal(v->host, "none.local");
    assert_string_equal(v->secret, "");
    assert_true(v->on);
    assert_int_equal(v->count, 3);
    assert_int_equal(v->wait_ms, 90000);
    assert_int_equal(v->bytes, 1024);
    assert_int_equal(v->mode, 0);
    assert_int_equal(v->words.count, 0);
    assert_int_equal(v->shares.count, 0);
    assert_null(v->rest);
    assert_null(config_tree(loaded->config));
    expect_origin(loaded, "run.wait", "1m30s", "default");
    expect_origin(loaded, "place.host", "none.local", "default");
}

static void test_file(void **state)
{
    CLEANUP(loaded)
    struct loaded *loaded =
        load_text("title: mine\n"
                  "place: {dir: /x, secret: hush}\n"
                  "run:\n  on: false\n  count: 10\n  wait: 1h\n"
                  "  bytes: 2GB\n  mode: careful\n"
                  "words: [a, b/c]\nshares: {x: 5, y: 100}\nrest: [1, 2]\n");
    const struct values *v = &loaded->values;

    (void)state;
    assert_string_equal(loaded->errors.data, "");
    assert_string_equal(v->dir, "/x");
    assert_string_equal(v->host, "mine.local");
    assert_string_equal(v->secret, "hush");
    assert_false(v->on);
    assert_int_equal(v->count, 10);
    assert_int_equal(v->wait_ms, 3600000);
    assert_int_equal(v->bytes, 2000000000);
    assert_int_equal(v->mode, 1);
    assert_string_equal(v->words.items[1], "b/c");
    assert_int_equal(config_numbers_get(&v->shares, "y", 1), 100);
    assert_int_equal(config_numbers_get(&v->shares, "z", 1), 1);
    assert_int_equal(v->rest->count, 2);
    expect_origin(loaded, "run.mode", "careful", "f.yml:8:9");
    expect_origin(loaded, "words", "a,b/c", "f.yml:9:8");
    expect_origin(loaded, "shares", "x=5,y=100", "f.yml:10:9");
    expect_origin(loaded, "place.secret", "(set)", "f.yml:2:26");
}

static void test_later_sources_win(void **state)
{
    char *const env[] = {(char *)(uintptr_t) "DEMO_RUN_COUNT=5",
                         (char *)(uintptr_t) "DEMO_RUN_WAIT=5s",
                         (char *)(uintptr_t) "DEMO_WORDS=a,b",
                         (char *)(uintptr_t) "DEMO_SHARES=x=1, y=2",
                         (char *)(uintptr_t) "DEMO_PLACE_DIR=",
                         (char *)(uintptr_t) "OLD_TITLE=old",
                         NULL};
    const struct config_option options[] = {
        {"--set", NULL, "run.wait=6s"},
        {"--mode", "run.mode", "careful"},
    };
    const char text[] = "run: {count: 4, wait: 4s, bytes: 4B}\n";
    const struct config_sources sources = {
        "f.yml", text, sizeof(text) - 1, env, options, ARRAY_LEN(options)};
    CLEANUP(loaded) struct loaded *loaded = load_sources(&sources);

    (void)state;
    assert_string_equal(loaded->errors.data, "");
    expect_origin(loaded, "run.bytes", "4B", "f.yml:1:34");
    expect_origin(loaded, "run.count", "5", "$DEMO_RUN_COUNT");
    expect_origin(loaded, "run.wait", "6s", "--set");
    expect_origin(loaded, "run.mode", "careful", "--mode");
    expect_origin(loaded, "words", "a,b", "$DEMO_WORDS");
    expect_origin(loaded, "shares", "x=1,y=2", "$DEMO_SHARES");
    expect_origin(loaded, "place.dir", "/srv", "default");
    expect_origin(loaded, "title", "old", "$OLD_TITLE");
    expect_origin(loaded, "place.host", "old.local", "default");
}

/* The derived name of a variable comes before the other one. */
static void test_alias(void **state)
{
    char *const env[] = {(char *)(uintptr_t) "OLD_TITLE=old",
                         (char *)(uintptr_t) "DEMO_TITLE=new", NULL};
    const struct config_sources sources = {.environ = env};
    CLEANUP(loaded) struct loaded *loaded = load_sources(&sources);

    (void)state;
    expect_origin(loaded, "title", "new", "$DEMO_TITLE");
}

static void expect_errors(const char *text, const char *errors)
{
    CLEANUP(loaded) struct loaded *loaded = load_text(text);

    assert_int_equal(loaded->rc, -1);
    assert_string_equal(loaded->errors.data, errors);
}

static void test_errors_of_a_file(void **state)
{
    (void)state;
    expect_errors("titel: x\n", "f.yml:1:1: unknown key 'titel' [title]\n");
    expect_errors("run: {wiat: 4s}\n",
                  "f.yml:1:7: unknown key 'run.wiat' [wait]\n");
    expect_errors("count: 4\n", "f.yml:1:1: unknown key 'count' [run.count]\n");
    expect_errors("run.count: 4\n", "f.yml:1:1: 'run.count' is written as a "
                                    "mapping: run: {count: …}\n");
    expect_errors("run: 4\n", "f.yml:1:6: 'run' is a mapping of settings, not "
                              "a number\n");
    expect_errors("[]\n",
                  "f.yml:1:1: the file is a mapping of settings, not a list\n");
    expect_errors("run: {mode: carefull}\n",
                  "f.yml:1:13: 'run.mode': not one of: fast, careful "
                  "[careful]\n");
    expect_errors("run: {count: 11}\n",
                  "f.yml:1:14: 'run.count': not between 1 and 10\n");
    expect_errors("run: {wait: }\n",
                  "f.yml:1:13: 'run.wait': there is no value\n");
    expect_errors("title: loud!\n", "f.yml:1:8: 'title': too loud\n");
    expect_errors("place: {dir: x}\n",
                  "f.yml:1:14: 'place.dir': a path starts with /\n");
    expect_errors("words: [a, 4, a]\n",
                  "f.yml:1:12: 'words': it is a list of strings, not a "
                  "number\nf.yml:1:15: 'words': 'a' is there twice\n");
}

static void test_all_errors_are_listed(void **state)
{
    (void)state;
    expect_errors("run:\n  on: maybe\n  count: x\nshares: {a: 0, b: c}\n"
                  "nothing: 1\n",
                  "f.yml:2:7: 'run.on': it is true or false, not a string\n"
                  "f.yml:3:10: 'run.count': it is a whole number, not a "
                  "string\n"
                  "f.yml:4:13: 'shares': 'a': not between 1 and 100\n"
                  "f.yml:4:19: 'shares': it is a mapping of names to whole "
                  "numbers, not a string\n"
                  "f.yml:5:1: unknown key 'nothing'\n");
}

static void expect_option(const char *value, const char *errors)
{
    const struct config_option option = {"--set", NULL, value};
    const struct config_sources sources = {.options = &option,
                                           .option_count = 1};
    CLEANUP(loaded) struct loaded *loaded = load_sources(&sources);

    assert_string_equal(loaded->errors.data, errors);
}

static void test_errors_of_options(void **state)
{
    (void)state;
    expect_option("run.count", "--set: it takes NAME=VALUE\n");
    expect_option("run.cuont=4", "--set: unknown key 'run.cuont'; did you "
                                 "mean 'run.count'?\n");
    expect_option("run.count=4x", "--set: 'run.count': not a whole number\n");
    expect_option("run.count=99999999999999999999",
                  "--set: 'run.count': not a whole number\n");
    expect_option("run.wait=0s", "--set: 'run.wait': less than 1s\n");
    expect_option("run.on=yes", "--set: 'run.on': neither true nor false\n");
    expect_option("shares=a", "--set: 'shares': a mapping is written "
                              "NAME=NUMBER,NAME=NUMBER\n");
    expect_option("rest=a", "--set: 'rest': only the file can set it\n");
    expect_option("title=a\nb", "--set: 'title': not plain text: it holds "
                                "control characters, or is not UTF-8\n");
    expect_option("shares=a=1,a=2", "--set: 'shares': 'a' is there twice\n");
}

static void test_secrets_are_not_quoted(void **state)
{
    CLEANUP(loaded)
    struct loaded *bad = load_text("place: {secret: hush!}\n");
    CLEANUP(loaded) struct loaded *good = load_text("place: {secret: hush}\n");
    json_t *json;
    size_t i;

    (void)state;
    assert_null(strstr(bad->errors.data, "hush"));
    assert_int_equal(config_find(&table, "place.secret", &i, NULL), 0);
    json = config_to_json(good->config, i);
    assert_string_equal(json_string_value(json), "(set)");
    json_decref(json);
}

static void on_kept(void *arg, const struct config_key *key, const char *kept,
                    const char *wanted)
{
    strbuf_addf(arg, "%s: %s, not %s\n", key->name, kept, wanted);
}

static void test_reload(void **state)
{
    CLEANUP(loaded)
    struct loaded *before =
        load_text("place: {secret: old}\nrun: {count: 2}\nwords: [a]\n");
    CLEANUP(loaded)
    struct loaded *after = load_text("place: {secret: new}\nrun: {count: 7}\n"
                                     "words: [b]\nshares: {x: 1}\n");
    CLEANUP(strbuf) struct strbuf kept = STRBUF_INIT;

    (void)state;
    config_keep(after->config, before->config, on_kept, &kept);
    assert_string_equal(kept.data, "place.secret: (set), not (set)\n"
                                   "words: a, not b\n");
    assert_string_equal(after->values.secret, "old");
    assert_string_equal(after->values.words.items[0], "a");
    assert_int_equal(after->values.count, 7);
    expect_origin(after, "words", "a", "f.yml:3:8");
    expect_origin(after, "shares", "x=1", "f.yml:4:9");
}

static void test_json(void **state)
{
    CLEANUP(loaded)
    struct loaded *loaded =
        load_text("words: [a]\nshares: {x: 1}\nrest: {a: [1]}\n");
    json_t *all = json_object();
    CLEANUP(mem) char *text = NULL;

    (void)state;
    for (size_t i = 0; i < table.count; i++)
        json_object_set_new(all, keys[i].name,
                            config_to_json(loaded->config, i));
    text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    assert_string_equal(
        text,
        "{\"title\":\"none\",\"place.dir\":\"/srv\",\"place.host\":\"none."
        "local\",\"place.secret\":\"\",\"run.on\":true,\"run.count\":3,\"run."
        "wait\":\"1m30s\",\"run.bytes\":\"1KiB\",\"run.mode\":\"fast\","
        "\"words\":[\"a\"],\"shares\":{\"x\":1},\"rest\":{\"a\":[1]}}");
}

static void test_pages(void **state)
{
    CLEANUP(strbuf) struct strbuf page = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf help = STRBUF_INIT;

    (void)state;
    config_reference(&table, &page);
    assert_non_null(strstr(page.data, "\n## `run`\n"));
    assert_non_null(strstr(page.data, "| `run.count` | `3` | How many. (whole "
                                      "number, 1 to 10) |\n"));
    assert_non_null(strstr(page.data, "| `run.wait` | `90s` | How long. "
                                      "(duration, at least 1s; waiter; needs a "
                                      "restart) |\n"));
    assert_non_null(strstr(page.data, "one of fast, careful"));
    assert_non_null(strstr(page.data, "made of the title |"));
    config_help(&table, ~0U, &help);
    assert_non_null(strstr(help.data, "  run.count                 How many. "
                                      "(default: 3)\n"));
    assert_non_null(strstr(help.data, "run.wait"));
    strbuf_cut(&help, 0);
    config_help(&table, 1U, &help);
    assert_non_null(strstr(help.data, "run.count"));
    assert_null(strstr(help.data, "run.wait"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_later_sources_win),
        cmocka_unit_test(test_alias),
        cmocka_unit_test(test_errors_of_a_file),
        cmocka_unit_test(test_all_errors_are_listed),
        cmocka_unit_test(test_errors_of_options),
        cmocka_unit_test(test_secrets_are_not_quoted),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
