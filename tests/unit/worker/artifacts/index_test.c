/* tests/unit/worker/artifacts/index_test.c - artifacts as a bucket has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/index.h"

#include "base/strbuf.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define DIGEST                                                                 \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct index_name name = {"a-job-1", 3, 1800000000000};

static void test_names(void **state UNUSED)
{
    static const char *const others[] = {
        "index/a/1-0.json",   "index/a/1-2.jso",   "index/A/1-2.json",
        "index/a/01-2.json",  "index/a/1-2.jsonx", "index//1-2.json",
        "index/a/1--2.json",  "index/a/1.json",    "files/a/1-2.json",
        "index/a/b/1-2.json", "index/a/-1-2.json", "index/a/1-2-3.json"};
    CLEANUP(mem) char *key = index_key(&name);
    struct index_name got = {"", 0, 0};

    assert_string_equal(key, "index/a-job-1/3-1800000000000.json");
    assert_true(index_key_parse(key, &got));
    assert_string_equal(got.job_id, name.job_id);
    assert_int_equal(got.epoch, 3);
    assert_int_equal(got.expires_at_ms, name.expires_at_ms);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (index_key_parse(others[i], &got))
            fail_msg("%s", others[i]);
}

static void test_files(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf path = STRBUF_INIT;
    struct artifact_file file = {2, "out/a b=\xff", 7};
    CLEANUP(mem) char *key = index_file_key(&name, &file);
    CLEANUP(mem) char *many = NULL;
    CLEANUP(mem) char *other = NULL;

    assert_string_equal(key, "files/a-job-1/3/2/out/a=20b=3D=FF");
    for (int i = 0; i < 401; i++)
        strbuf_addc(&path, 'x');
    file.path = path.data;
    many = index_file_key(&name, &file);
    assert_non_null(strstr(many, "/2/=long/"));
    assert_true(strlen(many) < 200);
    path.data[400] = 'y';
    other = index_file_key(&name, &file);
    assert_string_not_equal(many, other);
}

static int add(void *arg, const struct artifact_file *file, const char *sha256,
               struct err *err UNUSED)
{
    strbuf_addf(arg, "%u %s %u %.4s\n", file->step, file->path,
                (unsigned)file->bytes, sha256);
    return 0;
}

static void test_document(void **state UNUSED)
{
    static const struct artifact_file files[] = {{0, "a", 1},
                                                 {7, "d/ =\x01\xff", 2}};
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    CLEANUP(mem) char *text = NULL;
    json_t *list = json_array();
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        (void)json_array_append_new(list, index_file_json(&files[i], DIGEST));
    text = index_write(list);
    assert_int_equal(index_read(text, strlen(text), add, &got, &err), 0);
    assert_string_equal(got.data, "0 a 1 e3b0\n7 d/ =\x01\xff 2 e3b0\n");
    free(STEAL(text));
    text = index_write(NULL);
    assert_int_equal(index_read(text, strlen(text), add, &got, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

/* The bucket may be somebody else's. */
static void test_hostile(void **state UNUSED)
{
    static const char *const files[] = {
        "'path': '../a'",     "'path': '/a'",    "'path': 'a/../b'",
        "'path': '.'",        "'path': 'a//b'",  "'path': ''",
        "'path': '=2E=2E/a'", "'path': 'a=00b'", "'path': '=2Fa'",
        "'path': 'a=2'",      "'path': 'a=gg'",  "'path': 'a='",
        "'path': 1",          "'nopath': 'a'",
    };
    static const char *const documents[] = {"",
                                            "[]",
                                            "{}",
                                            "{\"schema\": 2, \"files\": []}",
                                            "{\"schema\": 1, \"files\": {}}",
                                            "{\"schema\": 1, \"files\": [1]}"};
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP(mem)
        char *text = xasprintf("{'schema': 1, 'files': [{'step': 0, 'bytes': "
                               "1, 'sha256': '" DIGEST "', %s}]}",
                               files[i]);

        for (char *c = text; (c = strchr(c, '\''));)
            *c = '"';
        assert_int_equal(index_read(text, strlen(text), add, &got, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
    }
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        assert_int_equal(
            index_read(documents[i], strlen(documents[i]), add, &got, &err),
            -1);
    assert_string_equal(got.data, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
