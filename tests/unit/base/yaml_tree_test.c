/* tests/unit/base/yaml_tree_test.c - YAML with places. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_tree.h"
#include "tests/lib/unit.h"

#include "base/strbuf.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* What was reported of the last document: how often, and the first. */
static struct seen {
    unsigned count;
    struct yaml_pos pos;
    char message[200];
} seen;

static void *anew(void)
{
    seen = (struct seen){0};
    return &seen;
}

static void on_error(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    (void)hint;
    assert_ptr_equal(arg, &seen);
    if (seen.count++)
        return;
    seen.pos = pos;
    strncpy(seen.message, message, sizeof(seen.message) - 1);
}

static struct yaml_tree *parse(const char *text)
{
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, anew());

    if (!tree || seen.count)
        fail_msg("%u:%u: %s", seen.pos.line, seen.pos.column, seen.message);
    assert_true(yaml_tree_is_sound(tree));
    return tree;
}

static void refuse(const char *text, size_t len, unsigned line, unsigned column,
                   const char *message)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree = yaml_tree_parse(text, len, on_error, anew());

    assert_true(seen.count > 0);
    assert_false(tree && yaml_tree_is_sound(tree));
    if (!strstr(seen.message, message))
        fail_msg("'%s' is not in '%s'", message, seen.message);
    assert_int_equal(seen.pos.line, line);
    assert_int_equal(seen.pos.column, column);
}

static const struct yaml_node *value(const struct yaml_tree *tree,
                                     const char *key)
{
    const struct yaml_node *node = yaml_node_get(yaml_tree_root(tree), key);

    assert_non_null(node);
    return node;
}

static void test_positions(void **state)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        parse("# c\na: b\nl:\n  - \"x\"\n  - &n !!str 1\n  - *n\nü: {k: v}\n");
    const struct yaml_node *root = yaml_tree_root(tree);
    const struct yaml_node *list = value(tree, "l");

    (void)state;
    assert_int_equal(root->kind, NODE_MAP);
    assert_int_equal(root->count, 3);
    assert_int_equal(root->entries[1].key->pos.line, 3);
    assert_int_equal(root->entries[1].key->pos.column, 1);
    assert_int_equal(value(tree, "a")->pos.column, 4);
    assert_int_equal(list->kind, NODE_LIST);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->items[0]->pos.line, 4);
    assert_int_equal(list->items[0]->pos.column, 5);
    assert_int_equal(list->items[1]->pos.column, 14); /* behind & and !! */
    assert_ptr_equal(list->items[1], list->items[2]);
    assert_int_equal(value(tree, "ü")->pos.line, 7);
    assert_int_equal(value(tree, "ü")->pos.column, 4);
    assert_null(yaml_node_get(root, "nope"));
    assert_null(yaml_node_get(list, "nope"));
}

static void test_core_schema(void **state)
{
    static const struct {
        const char *text;
        enum yaml_kind kind;
    } cases[] = {
        {"null", NODE_NULL},       {"~", NODE_NULL},
        {"Null", NODE_NULL},       {"true", NODE_BOOL},
        {"False", NODE_BOOL},      {"TRUE", NODE_BOOL},
        {"yes", NODE_STRING},      {"no", NODE_STRING},
        {"on", NODE_STRING},       {"off", NODE_STRING},
        {"y", NODE_STRING},        {"tRue", NODE_STRING},
        {"12", NODE_INT},          {"-12", NODE_INT},
        {"+1", NODE_INT},          {"0o17", NODE_INT},
        {"0x1F", NODE_INT},        {"0o8", NODE_STRING},
        {"0x", NODE_STRING},       {"0xg", NODE_STRING},
        {"1_000", NODE_STRING},    {"1.5", NODE_FLOAT},
        {".5", NODE_FLOAT},        {"1.", NODE_FLOAT},
        {"1e3", NODE_FLOAT},       {"-1.5E-3", NODE_FLOAT},
        {"1e", NODE_STRING},       {".inf", NODE_FLOAT},
        {"-.INF", NODE_FLOAT},     {".nan", NODE_FLOAT},
        {".", NODE_STRING},        {"1.2.3", NODE_STRING},
        {"12:30", NODE_STRING},    {"\"12\"", NODE_STRING},
        {"'true'", NODE_STRING},   {"inf", NODE_STRING},
        {"!!str 12", NODE_STRING}, {"! 12", NODE_STRING},
        {"!!int 12", NODE_INT},    {"!!float 12", NODE_FLOAT},
        {"!!null ~", NODE_NULL},   {"!!bool true", NODE_BOOL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(yaml_tree) struct yaml_tree *tree = parse(cases[i].text);

        if (yaml_tree_root(tree)->kind != cases[i].kind)
            fail_msg("%s: kind %d", cases[i].text, yaml_tree_root(tree)->kind);
    }
}

static double number(const char *text)
{
    CLEANUP(yaml_tree) struct yaml_tree *tree = parse(text);

    return yaml_tree_root(tree)->number;
}

static void test_numbers(void **state)
{
    (void)state;
    assert_true(number("0o17") == 15);
    assert_true(number("0x1F") == 31);
    assert_true(number("-1.5e1") == -15);
    assert_true(number("true") == 1);
    assert_true(number("false") == 0);
    assert_true(isinf(number("-.inf")) && number("-.inf") < 0);
    assert_true(isinf(number("+.inf")) && number("+.inf") > 0);
    assert_true(isnan(number(".nan")));
}

static void test_merge(void **state)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        parse("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n"
              "c:\n  <<: [*a, *b]\n  x: 3\nd: {<<: *b}\ne: {\"<<\": 1}\n");
    const struct yaml_node *c = value(tree, "c");

    (void)state;
    assert_int_equal(c->count, 3);
    assert_string_equal(yaml_node_get(c, "x")->text, "3");
    assert_string_equal(yaml_node_get(c, "y")->text, "1");
    assert_string_equal(yaml_node_get(c, "z")->text, "2");
    assert_int_equal(value(tree, "d")->count, 2);
    assert_string_equal(yaml_node_get(value(tree, "e"), "<<")->text, "1");
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
        const char *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", 3, 1, "'a' is here already, on line 1"},
        {"<<: {a: 1}\n<<: {b: 1}\n", 2, 1, "'<<' is here already"},
        {"<<: 1\n", 1, 1, "merges mappings"},
        {"<<: [1]\n", 1, 1, "merges mappings"},
        {"a:\n\tb: 1\n", 2, 1, "a tab indents"},
        {"a:\n - b\n \t- c\n", 3, 2, "a tab indents"},
        {"- @x\n", 1, 3, "put it in quotes"},
        {"a: b: c\n", 1, 5, "put the text in quotes"},
        {"[a\n", 2, 1, "that starts on line 1"},
        {"a: 'x\n", 2, 1, "quoted scalar that starts on line 1"},
        {"{a: b]\n", 1, 6, "while parsing a flow mapping"},
        {"*x\n", 1, 1, "'*x' has no anchor"},
        {"&x [*x]\n", 1, 5, "inside its own anchor"},
        {"a: &x {b: *x}\n", 1, 11, "inside its own anchor"},
        {"{[a]: b}\n", 1, 2, "a key must be"},
        {"a: &a {}\n*a : b\n", 2, 1, "a key must be"},
        {"a\n---\nb\n", 2, 1, "a second document"},
        {"%YAML 1.1\n---\na\n", 1, 1, "YAML 1.2"},
        {"%YAML 2.0\n---\na\n", 1, 1, "incompatible"},
        {"%TAG !e! tag:x\n---\na\n", 1, 1, "%TAG"},
        {"!x a\n", 1, 4, "'!x' is unknown"},
        {"!!int a\n", 1, 7, "does not fit"},
        {"!!map a\n", 1, 7, "does not fit"},
        {"!x [a]\n", 1, 1, "'!x' is unknown"},
        {"!!seq {a: b}\n", 1, 1, "does not fit"},
        {"a: \"x\\0y\"\n", 1, 4, "a NUL character"},
        {"a: \x01\n", 1, 4, "a control character (0x01)"},
        {"a: \x7f\n", 1, 4, "a control character"},
        {"a: \xc2\x85\n", 1, 4, "an unusual line break"},
        {"a: \xe2\x80\xa8\n", 1, 4, "an unusual line break"},
        {"a: \xef\xbb\xbf\n", 1, 4, "a byte order mark"},
        {"a: \xef\xbf\xbe\n", 1, 4, "a character that is none"},
        {"a\r\nb\rc: \xff\n", 3, 4, "not UTF-8"},
        {"\xff\xfe"
         "a",
         1, 1, "UTF-16"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        refuse(cases[i].text, strlen(cases[i].text), cases[i].line,
               cases[i].column, cases[i].message);
    refuse("a: \0b\n", 6, 1, 4, "a NUL byte");
}

/* After some errors there is a tree, to look for more errors in. */
static void test_goes_on_after_an_error(void **state)
{
    static const char text[] = "a: 1\na: 2\nb: !x 3\nc: \"d\\0e\"\n";
    CLEANUP(yaml_tree)
    struct yaml_tree *tree =
        yaml_tree_parse(text, strlen(text), on_error, anew());

    (void)state;
    assert_non_null(tree);
    assert_false(yaml_tree_is_sound(tree));
    assert_int_equal(seen.count, 3);
    assert_string_equal(value(tree, "a")->text, "1");
    assert_string_equal(value(tree, "c")->text, "d");
}

static void add_many(struct strbuf *b, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_adds(b, text);
}

static void test_limits(void **state)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;

    (void)state;
    add_many(&b, "[", YAML_MAX_DEPTH);
    add_many(&b, "]", YAML_MAX_DEPTH);
    yaml_tree_free(parse(b.data));
    strbuf_clear(&b);
    add_many(&b, "[", YAML_MAX_DEPTH + 1);
    refuse(b.data, b.len, 1, YAML_MAX_DEPTH + 1, "nested deeper");
    strbuf_clear(&b);
    add_many(&b, "x", YAML_MAX_SCALAR_BYTES);
    yaml_tree_free(parse(b.data));
    strbuf_adds(&b, "x");
    refuse(b.data, b.len, 1, 1, "a text of 65537 bytes");
    strbuf_cut(&b, YAML_MAX_SCALAR_BYTES - 1);
    strbuf_adds(&b, "\xe4\xb8\x96");
    refuse(b.data, b.len, 1, 1, "a text of 65538 bytes");
    strbuf_clear(&b);
    add_many(&b, "#", YAML_MAX_BYTES);
    yaml_tree_free(parse(b.data));
    strbuf_adds(&b, "#");
    refuse(b.data, b.len, 0, 0, "larger than 1 MiB");
    strbuf_clear(&b);
    for (int i = 0; i <= YAML_MAX_ANCHORS; i++)
        strbuf_addf(&b, "- &a%d x\n", i);
    refuse(b.data, b.len, YAML_MAX_ANCHORS + 1, 3, "more than 200 anchors");
    strbuf_clear(&b);
    for (int i = 0; i <= YAML_MAX_ENTRIES; i++)
        strbuf_addf(&b, "k%d: v\n", i);
    refuse(b.data, b.len, YAML_MAX_ENTRIES + 1, 1, "more than 1000 entries");
    strbuf_clear(&b);
    add_many(&b, "- x\n", YAML_MAX_NODES - 1);
    yaml_tree_free(parse(b.data));
    strbuf_adds(&b, "- x");
    refuse(b.data, b.len, YAML_MAX_NODES, 3,
           "the document has more than 262144 values and keys");
    assert_null(strstr(seen.message, "aliases"));
    /* Wherever they are. */
    strbuf_clear(&b);
    for (int i = 0; i < 500; i++) {
        strbuf_adds(&b, "- [");
        add_many(&b, "x,", 600);
        strbuf_adds(&b, "]\n");
    }
    refuse(b.data, b.len, 437, 216, "more than 262144 values and keys");
    assert_null(strstr(seen.message, "aliases"));
}

static void test_bombs(void **state)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;

    (void)state;
    strbuf_adds(&b, "- &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (int c = 'b'; c < 'j'; c++) {
        strbuf_addf(&b, "- &%c [", c);
        for (int i = 0; i < 10; i++)
            strbuf_addf(&b, "%s*%c", i ? "," : "", c - 1);
        strbuf_adds(&b, "]\n");
    }
    refuse(b.data, b.len, 6, 3,
           "more than 262144 values and keys, with its aliases written out");
    strbuf_clear(&b);
    strbuf_adds(&b, "- &a ");
    add_many(&b, "x", 65000);
    add_many(&b, "\n- *a", 70);
    refuse(b.data, b.len, 1, 1,
           "more than 4 MiB of text, with its aliases written out");
    /* Merging the same mapping again and again adds no entry, but work. */
    strbuf_clear(&b);
    strbuf_adds(&b, "a: &a {x: 1}\nb: &b\n");
    add_many(&b, "- *a\n", 5000);
    for (int i = 0; i < 20; i++)
        strbuf_addf(&b, "c%d: {<<: *b}\n", i);
    refuse(b.data, b.len, 5019, 1, "with its aliases written out");
}

/* A short document whose merges look at many keys, again and again. */
static void test_merge_time(void **state)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;
    clock_t start = clock();

    (void)state;
    strbuf_adds(&b, "a: &a {");
    for (int i = 0; i < YAML_MAX_ENTRIES; i++)
        strbuf_addf(&b, "k%d: , ", i);
    strbuf_adds(&b, "}\nb: {<<: [");
    add_many(&b, "*a, ", 128);
    strbuf_adds(&b, "]}\n");
    yaml_tree_free(parse(b.data));
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 1);
}

static void test_empty(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        static const char *const texts[] = {"", "# only\n", "---\n...\n"};
        CLEANUP(yaml_tree) struct yaml_tree *tree = parse(texts[i]);

        assert_int_equal(yaml_tree_root(tree)->kind, NODE_NULL);
    }
}

static void locate(const char *text, const char *what, unsigned line,
                   unsigned column)
{
    CLEANUP(yaml_tree) struct yaml_tree *tree = parse(text);
    const struct yaml_node *node = value(tree, "k");
    const char *at = strstr(node->text, what);
    struct yaml_pos pos;

    assert_non_null(at);
    pos = yaml_node_locate(tree, node, (size_t)(at - node->text));
    assert_int_equal(pos.line, line);
    assert_int_equal(pos.column, column);
}

static void test_locate(void **state)
{
    (void)state;
    locate("k: abc X\n", "X", 1, 8);
    locate("ü: 1\nk: üü X\n", "X", 2, 7);
    locate("k: 'ab X'\n", "X", 1, 8);
    locate("k: \"ab X\\n\"\n", "X", 1, 8);
    locate("k: &a !!str ab X\n", "X", 1, 16);
    locate("k: |\n  one\n\n  two X\n", "X", 4, 7);
    locate("k: |- # c\n    one X\n", "X", 2, 9);
    locate("k: |2\n    one X\n", "X", 2, 9);
    locate("k: |\n  ü X\n", "X", 2, 5);
    /* Not to be known exactly: where the scalar starts. */
    locate("k: \"a\\tX\"\n", "X", 1, 4);
    locate("k: 'it''s X'\n", "X", 1, 4);
    locate("k: >\n  one\n  two X\n", "X", 1, 4);
    locate("k: one\n  two X\n", "X", 1, 4);
}

static void test_locate_outside(void **state)
{
    CLEANUP(yaml_tree) struct yaml_tree *tree = parse("k: abc\n");
    struct yaml_pos pos = yaml_node_locate(tree, value(tree, "k"), 99);

    (void)state;
    assert_int_equal(pos.line, 1);
    assert_int_equal(pos.column, 4);
}

static void test_from_json(void **state)
{
    json_t *json = json_pack("{s:[s,i,f,b,n], s:{s:s}}", "a", "yes", 7, 0.5, 1,
                             "b", "c", "d");
    CLEANUP(yaml_tree)
    struct yaml_tree *tree = yaml_tree_from_json(json, on_error, anew());
    const struct yaml_node *list;

    (void)state;
    json_decref(json);
    assert_non_null(tree);
    assert_true(yaml_tree_is_sound(tree));
    list = value(tree, "a");
    assert_int_equal(list->count, 5);
    assert_int_equal(list->items[0]->kind, NODE_STRING);
    assert_int_equal(list->items[1]->kind, NODE_INT);
    assert_string_equal(list->items[1]->text, "7");
    assert_int_equal(list->items[2]->kind, NODE_FLOAT);
    assert_true(list->items[2]->number == 0.5);
    assert_int_equal(list->items[3]->kind, NODE_BOOL);
    assert_true(list->items[3]->number == 1);
    assert_int_equal(list->items[4]->kind, NODE_NULL);
    assert_string_equal(yaml_node_get(value(tree, "b"), "c")->text, "d");
    assert_int_equal(list->pos.line, 0);
    assert_int_equal(yaml_node_locate(tree, list->items[0], 1).line, 0);
}

static void refuse_json(json_t *json, const char *message)
{
    CLEANUP(yaml_tree)
    struct yaml_tree *tree = yaml_tree_from_json(json, on_error, anew());

    json_decref(json);
    assert_false(tree && yaml_tree_is_sound(tree));
    assert_non_null(strstr(seen.message, message));
}

static void test_from_json_limits(void **state)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;
    json_t *deep = json_array();
    json_t *wide = json_array();
    json_t *pairs = json_object();

    (void)state;
    for (int i = 0; i < YAML_MAX_DEPTH; i++)
        deep = json_pack("[o]", deep);
    refuse_json(deep, "nested deeper");
    for (int i = 0; i < YAML_MAX_NODES; i++) {
        json_array_append_new(wide, json_true());
        strbuf_clear(&b);
        strbuf_addf(&b, "%d", i);
        json_object_set_new(pairs, b.data, json_null());
    }
    refuse_json(wide, "more than 262144 values and keys");
    assert_null(strstr(seen.message, "aliases"));
    refuse_json(pairs, "more than 262144 values and keys");
    strbuf_clear(&b);
    add_many(&b, "x", YAML_MAX_SCALAR_BYTES + 1);
    refuse_json(json_string(b.data), "longer than 64 KiB");
}

static void test_kind_names(void **state)
{
    (void)state;
    assert_string_equal(yaml_kind_name(NODE_NULL), "nothing");
    assert_string_equal(yaml_kind_name(NODE_MAP), "a mapping");
    yaml_tree_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_core_schema),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_goes_on_after_an_error),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_merge_time),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_locate),
        cmocka_unit_test(test_locate_outside),
        cmocka_unit_test(test_from_json),
        cmocka_unit_test(test_from_json_limits),
        cmocka_unit_test(test_kind_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
