/* tests/unit/base/s3_url_test.c - addresses and keys of S3. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3_url.h"

#include "base/fd.h"
#include "base/s3_keys.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void parses(const char *text, const char *wanted)
{
    CLEANUP(s3_url) struct s3_url url = {0};
    CLEANUP(mem) char *got = NULL;
    struct err err = {0};

    if (s3_url_parse(text, &url, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    got = xasprintf("%s|%s|%s|%s|%d|%lld", url.bucket, url.prefix, url.region,
                    url.endpoint, url.path_style, (long long)url.timeout_ms);
    assert_string_equal(got, wanted);
}

static void refuses(const char *text, const char *why)
{
    struct s3_url url = {0};
    struct err err = {0};

    assert_int_equal(s3_url_parse(text, &url, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_null(url.bucket);
    if (!strstr(err.msg, why))
        fail_msg("%s: '%s' has no '%s'", text, err.msg, why);
}

static void test_addresses(void **state UNUSED)
{
    parses("s3://abc",
           "abc||us-east-1|https://s3.us-east-1.amazonaws.com|0|20000");
    parses("s3://a.bc/", "a.bc||us-east-1|https://s3.us-east-1.amazonaws.com|"
                         "1|20000");
    parses("s3://abc/x/y_Z.1~/?region=eu-1",
           "abc|x/y_Z.1~/|eu-1|https://s3.eu-1.amazonaws.com|0|20000");
    parses("s3://abc?endpoint=http://h:90/&timeout=1m",
           "abc||us-east-1|http://h:90|1|60000");
    parses("s3://abc?path_style=0&endpoint=https%3A%2F%2F[::1]:9",
           "abc||us-east-1|https://[::1]:9|0|20000");
    assert_true(s3_url_is("s3://abc"));
    assert_true(s3_url_is("s3:abc"));
    assert_false(s3_url_is("/s3"));
}

static void test_refused(void **state UNUSED)
{
    refuses("s3:/abc", "begins with");
    refuses("s3://ab", "bucket");
    refuses("s3://ABC", "bucket");
    refuses("s3://a..b", "bucket");
    refuses("s3://.abc", "bucket");
    refuses("s3://abc-", "bucket");
    refuses("s3://key:SECRET@abc", "bucket");
    refuses("s3://abc//x", "prefix");
    refuses("s3://abc/x/../y", "prefix");
    refuses("s3://abc/./y", "prefix");
    refuses("s3://abc/a b", "prefix");
    refuses("s3://abc?", "region");
    refuses("s3://abc?regio=x", "region");
    refuses("s3://abc?region", "region");
    refuses("s3://abc?region=", "region is");
    refuses("s3://abc?region=a&region=b", "twice");
    refuses("s3://abc?region=A/b", "region is");
    refuses("s3://abc?region=%zz", "'%'");
    refuses("s3://abc?region=a%00b", "'%'");
    refuses("s3://abc?region=a%4", "'%'");
    refuses("s3://abc?endpoint=ftp://h", "endpoint");
    refuses("s3://abc?endpoint=https://", "endpoint");
    refuses("s3://abc?endpoint=https://u:p@h", "endpoint");
    refuses("s3://abc?endpoint=https://h/x", "endpoint");
    refuses("s3://abc?path_style=2", "path_style");
    refuses("s3://abc?timeout=500", "timeout");
    refuses("s3://abc?timeout=11m", "timeout");
}

/* What is wrong may be a key that was pasted. */
static void test_no_quotes(void **state UNUSED)
{
    static const char *const texts[] = {
        "s3://key:SECRET@abc", "s3://abc/a SECRET", "s3://abc?secret=SECRET",
        "s3://abc?region=SECRET", "s3://abc?endpoint=https://u:SECRET@h"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct s3_url url = {0};
        struct err err = {0};

        assert_int_equal(s3_url_parse(texts[i], &url, &err), -1);
        assert_null(strstr(err.msg, "SECRET"));
    }
}

static void test_encoding(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(mem) char *back = NULL;

    s3_encode(&out, "aZ9-_.~/ +=%\xc3\xa4", false);
    assert_string_equal(out.data, "aZ9-_.~%2F%20%2B%3D%25%C3%A4");
    assert_int_equal(s3_decode(out.data, &back, NULL), 0);
    assert_string_equal(back, "aZ9-_.~/ +=%\xc3\xa4");
    strbuf_cut(&out, 0);
    s3_encode(&out, "a/b=", true);
    assert_string_equal(out.data, "a/b%3D");
}

/* ---- keys -----------------------------------------------------------------
 */

static void has(const char *text, const char *id, const char *secret,
                const char *token)
{
    CLEANUP(s3_keys) struct s3_keys keys = {0};
    struct err err = {0};

    if (s3_keys_parse(text, &keys, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(keys.id, id);
    assert_string_equal(keys.secret, secret);
    assert_string_equal(keys.token ? keys.token : "", token);
}

static void test_keys(void **state UNUSED)
{
    has("[default]\naws_access_key_id = I\naws_secret_access_key=S/+=\n", "I",
        "S/+=", "");
    has("# mine\r\nAWS_ACCESS_KEY_ID=\"I\"\r\nAWS_SECRET_ACCESS_KEY=S\r\n"
        "AWS_SESSION_TOKEN=T\r\nAWS_REGION=x\r\n",
        "I", "S", "T");
    has("[other]\naws_access_key_id=X\n[default]\naws_access_key_id=I\n"
        "aws_secret_access_key=S\n[last]\naws_secret_access_key=Y\n",
        "I", "S", "");
}

static void test_no_keys(void **state UNUSED)
{
    static const char *const texts[] = {
        "",
        "AWS_ACCESS_KEY_ID=I",
        "AWS_SECRET_ACCESS_KEY=SECRET",
        "AWS_ACCESS_KEY_ID=I\nAWS_SECRET_ACCESS_KEY=SECRET more",
        "AWS_ACCESS_KEY_ID=I\x01\nAWS_SECRET_ACCESS_KEY=SECRET",
        "[other]\nAWS_ACCESS_KEY_ID=I\nAWS_SECRET_ACCESS_KEY=SECRET",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct s3_keys keys = {0};
        struct err err = {0};

        assert_int_equal(s3_keys_parse(texts[i], &keys, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(strstr(err.msg, "SECRET "));
        assert_null(keys.id);
    }
}

static void test_where(void **state UNUSED)
{
    const char *text = "AWS_ACCESS_KEY_ID=F\nAWS_SECRET_ACCESS_KEY=S\n";
    char path[] = "/tmp/berth-keys-XXXXXX";
    CLEANUP(fd) int fd = mkstemp(path);
    CLEANUP(s3_keys) struct s3_keys keys = {0};
    struct err err = {0};

    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text), NULL), 0);
    assert_int_equal(setenv("AWS_ACCESS_KEY_ID", "E", 1), 0);
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "S", 1), 0);
    assert_int_equal(setenv(S3_CREDENTIALS_VARIABLE, "", 1), 0);
    assert_int_equal(s3_keys_find(&keys, NULL), 0);
    assert_string_equal(keys.id, "E");
    s3_keys_clear(&keys);
    assert_int_equal(setenv(S3_CREDENTIALS_VARIABLE, path, 1), 0);
    assert_int_equal(s3_keys_find(&keys, NULL), 0);
    assert_string_equal(keys.id, "F");
    s3_keys_clear(&keys);
    assert_int_equal(fchmod(fd, 0604), 0);
    assert_int_equal(s3_keys_find(&keys, &err), -1);
    assert_non_null(strstr(err.msg, "open to others"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(s3_keys_find(&keys, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_quotes), cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_keys),      cmocka_unit_test(test_no_keys),
        cmocka_unit_test(test_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
