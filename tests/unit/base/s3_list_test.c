/* tests/unit/base/s3_list_test.c - what S3 servers say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3_list.h"

#include "base/strbuf.h"
#include "tests/lib/unit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE(inside)                                                           \
    "<?xml version='1.0'?><ListBucketResult xmlns='http://s3/'>" inside        \
    "</ListBucketResult>"
#define OBJECT(key, size, at)                                                  \
    "<Contents><Key>" key "</Key><LastModified>" at "</LastModified>"          \
    "<ETag>&quot;x&quot;</ETag><Size>" size "</Size><Owner><ID>1</ID></Owner>" \
    "</Contents>"
#define LAST "<IsTruncated>false</IsTruncated>"
#define AT   "1970-01-02T00:00:01.234Z"

static int add(void *arg, const struct s3_object *object, struct err *err)
{
    if (strcmp(object->key, "stop") == 0)
        return err_set(err, ERR_LOST, "stopped");
    strbuf_addf(arg, "%s %" PRIu64 " %" PRId64 "\n", object->key, object->bytes,
                object->modified_ms);
    return 0;
}

static void reads(const char *text, const char *wanted, const char *next)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    CLEANUP(mem) char *token = NULL;
    struct err err = {0};

    if (s3_list_read(text, strlen(text), add, &got, &token, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(got.data, wanted);
    assert_string_equal(token ? token : "", next);
}

static void refuses(const char *text, const char *why)
{
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    char *token = (char *)(uintptr_t) "untouched";
    struct err err = {0};

    assert_int_equal(s3_list_read(text, strlen(text), add, &got, &token, &err),
                     -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    if (!strstr(err.msg, why))
        fail_msg("'%s' has no '%s'", err.msg, why);
    assert_string_equal(token, "untouched");
}

static void test_pages(void **state UNUSED)
{
    reads(PAGE(LAST), "", "");
    reads(PAGE("<Name>b</Name>" OBJECT("a/b", "12", AT)
                   LAST OBJECT("c&amp;d", "0", "2026-11-26T07:41:51Z")),
          "a/b 12 86401000\nc&d 0 1795678911000\n", "");
    reads(PAGE("<IsTruncated>true</IsTruncated>"
               "<NextContinuationToken>a+/=</NextContinuationToken>"),
          "", "a+/=");
    /* A token without more to come says nothing. */
    reads(PAGE("<NextContinuationToken>a</NextContinuationToken>" LAST), "",
          "");
}

static void test_refused(void **state UNUSED)
{
    refuses("", "no XML");
    refuses("<html>hello</html>", "no list of objects");
    refuses("<Error><Code>NoSuchBucket</Code></Error>", "no list of objects");
    refuses("<!DOCTYPE a [<!ENTITY b 'c'>]>" PAGE(LAST), "document type");
    refuses(PAGE("<IsTruncated>true</IsTruncated>"), "continuation");
    refuses(PAGE("<IsTruncated>maybe</IsTruncated>"), "end");
    refuses(PAGE(OBJECT("", "1", AT)), "key");
    refuses(PAGE(OBJECT("a", "", AT)), "size");
    refuses(PAGE(OBJECT("a", "-1", AT)), "size");
    refuses(PAGE(OBJECT("a", "1234567890123456789", AT)), "size");
    refuses(PAGE(OBJECT("a", "1x", AT)), "size");
    refuses(PAGE(OBJECT("a", "1", "yesterday")), "date");
    refuses(PAGE(OBJECT("a", "1", "2026-11-26T07:41:51")), "date");
    refuses(PAGE(OBJECT("a", "1", "1960-11-26T07:41:51Z")), "date");
    refuses(PAGE("<Contents><Key>a</Key></Contents>"), "object");
    /* Nothing of one object is taken for another's. */
    refuses(PAGE(OBJECT("a", "1", AT) "<Contents><Key>b</Key></Contents>"),
            "object");
}

static void test_long_key(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    strbuf_adds(&text, "<ListBucketResult><Contents><Key>");
    for (int i = 0; i <= S3_KEY_MAX; i++)
        strbuf_addc(&text, 'a');
    strbuf_adds(&text, "</Key></Contents></ListBucketResult>");
    refuses(text.data, "key");
}

static void test_stopped(void **state UNUSED)
{
    const char *text = PAGE(OBJECT("a", "1", AT) OBJECT("stop", "1", AT) LAST);
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    char *token = NULL;
    struct err err = {0};

    assert_int_equal(s3_list_read(text, strlen(text), add, &got, &token, &err),
                     -1);
    assert_int_equal(err.kind, ERR_LOST);
    assert_null(token);
}

static void says(const char *text, const char *wanted)
{
    struct s3_error error;

    memset(&error, 'x', sizeof(error));
    s3_error_read(text, strlen(text), &error);
    assert_string_equal(error.code, wanted);
}

static void test_errors(void **state UNUSED)
{
    says("<Error><Code>SlowDown</Code><Message>m</Message></Error>",
         "SlowDown");
    says("<Error><Code>Slow\n\xc3\xa4 Down</Code></Error>", "Slow Down");
    says("<Error><Message>m</Message></Error>", "");
    says("<Error><Code>A</Code>", "");
    says("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long_key), cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
