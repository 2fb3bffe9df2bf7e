/* tests/unit/base/redis_url_test.c - addresses of all kinds of Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_url.h"
#include "base/strbuf.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

static void assert_text(const char *wanted, const char *is)
{
    assert_int_equal(!!wanted, !!is);
    if (wanted)
        assert_string_equal(wanted, is);
}

static void test_one(void **state UNUSED)
{
    static const struct {
        const char *text, *path, *host, *user, *password;
        int port, db;
        const char *name;
    } cases[] = {
        {"redis://h", NULL, "h", NULL, NULL, 6379, 0, "redis://h:6379/0"},
        {"redis://h/", NULL, "h", NULL, NULL, 6379, 0, "redis://h:6379/0"},
        {"redis://h:1/3", NULL, "h", NULL, NULL, 1, 3, "redis://h:1/3"},
        {"redis://:pw@h:7000", NULL, "h", NULL, "pw", 7000, 0, NULL},
        {"redis://pw@h", NULL, "h", NULL, "pw", 6379, 0, NULL},
        {"redis://u:p%40w%2f@h/1", NULL, "h", "u", "p@w/", 6379, 1, NULL},
        {"redis://u:a@b@h", NULL, "h", "u", "a@b", 6379, 0, NULL},
        {"redis://u:a:b@h", NULL, "h", "u", "a:b", 6379, 0, NULL},
        {"redis://[::1]:7/2", NULL, "::1", NULL, NULL, 7, 2,
         "redis://[::1]:7/2"},
        {"redis://[fe80::1%eth0]", NULL, "fe80::1%eth0", NULL, NULL, 6379, 0,
         NULL},
        {"unix:///a/b", "/a/b", NULL, NULL, NULL, 0, 0, "unix:///a/b"},
        {"unix:/a/b?db=4", "/a/b", NULL, NULL, NULL, 0, 4, NULL},
        {"unix://u:p@/a%20b", "/a b", NULL, "u", "p", 0, 0, "unix:///a b"},
        {"/a/b", "/a/b", NULL, NULL, NULL, 0, 0, NULL},
        {"/a@b:c", "/a@b:c", NULL, NULL, NULL, 0, 0, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(redis_url) struct redis_url *url = NULL;
        struct err err;

        if (redis_url_parse(cases[i].text, &url, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.msg);
        assert_int_equal(url->kind, REDIS_ONE);
        assert_text(cases[i].path, url->path);
        assert_int_equal(url->host_count, cases[i].host ? 1 : 0);
        assert_text(cases[i].host, url->hosts[0].host);
        assert_int_equal(url->hosts[0].port, cases[i].port);
        assert_text(cases[i].user, url->user);
        assert_text(cases[i].password, url->password);
        assert_int_equal(url->db, cases[i].db);
        if (cases[i].password)
            assert_null(strstr(url->name, cases[i].password));
        if (cases[i].name)
            assert_string_equal(url->name, cases[i].name);
        assert_false(url->tls);
    }
}

static void test_sentinel(void **state UNUSED)
{
    CLEANUP(redis_url) struct redis_url *url = NULL;
    CLEANUP(redis_url) struct redis_url *plain = NULL;

    assert_int_equal(
        redis_url_parse("redis+sentinel://u:SECRET@a,b:7,[::2]:8/m%20x/3"
                        "?sentinel-user=s&sentinel-password=SEC%26RET",
                        &url, NULL),
        0);
    assert_int_equal(url->kind, REDIS_SENTINEL);
    assert_int_equal(url->host_count, 3);
    assert_string_equal(url->hosts[0].host, "a");
    assert_int_equal(url->hosts[0].port, 26379);
    assert_string_equal(url->hosts[1].host, "b");
    assert_int_equal(url->hosts[1].port, 7);
    assert_string_equal(url->hosts[2].host, "::2");
    assert_int_equal(url->hosts[2].port, 8);
    assert_string_equal(url->master, "m x");
    assert_int_equal(url->db, 3);
    assert_string_equal(url->user, "u");
    assert_string_equal(url->sentinel_user, "s");
    assert_string_equal(url->sentinel_password, "SEC&RET");
    assert_string_equal(url->name,
                        "redis+sentinel://a:26379,b:7,[::2]:8/m x/3");
    assert_int_equal(redis_url_parse("redis+sentinel://h/m", &plain, NULL), 0);
    assert_null(plain->sentinel_password);
    assert_string_equal(plain->master, "m");
}

static void test_cluster(void **state UNUSED)
{
    CLEANUP(redis_url) struct redis_url *url = NULL;

    assert_int_equal(
        redis_url_parse("redis+cluster://:SECRET@a:1,b/", &url, NULL), 0);
    assert_int_equal(url->kind, REDIS_CLUSTER);
    assert_int_equal(url->host_count, 2);
    assert_int_equal(url->hosts[0].port, 1);
    assert_int_equal(url->hosts[1].port, 6379);
    assert_string_equal(url->password, "SECRET");
    assert_string_equal(url->name, "redis+cluster://a:1,b:6379");
}

/* The character that the message must name; the secret that it must not. */
static void test_invalid(void **state UNUSED)
{
    static const struct {
        const char *text;
        int at;
    } cases[] = {
        {"", 1},
        {"h", 1},
        {"http://h", 1},
        {"redis://", 9},
        {"redis://:0", 9},
        {"redis://h:0", 11},
        {"redis://h:x", 11},
        {"redis://h:", 11},
        {"redis://h:65536", 11},
        {"redis://h:123456", 11},
        {"redis://h x", 10},
        {"redis://h,i", 10},
        {"redis://h/x", 11},
        {"redis://h/65536", 11},
        {"redis://[::1", 9},
        {"redis://[::1]x", 14},
        {"redis://h?db=1", 11},
        {"redis://h?ca=x", 11},
        {"unix://a/b", 8},
        {"unix:", 6},
        {"unix:///a?x=1", 11},
        {"unix:///a?", 11},
        {"unix:///a?db=1&", 16},
        {"unix:///a?db", 11},
        {"unix:///a%0", 10},
        {"unix:///a%00", 10},
        {"redis://u:SECRET%zz@h", 17},
        {"redis://u:SECRET@", 18},
        {"redis+sentinel://h", 19},
        {"redis+sentinel://h/", 19},
        {"redis+sentinel://,/m", 18},
        {"redis+sentinel://h,/m", 20},
        {"redis+sentinel://h/m/x", 22},
        {"redis+sentinel://h/m?sentinel-user=u", 21},
        {"redis+sentinel://h/m?sentinel-password=SECRET&"
         "sentinel-password=SECRET",
         65},
        {"redis+cluster://h/1", 19},
        {"redis+cluster://h?db=1", 19},
    };
    struct redis_url *url = NULL;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char at[40];

        if (redis_url_parse(cases[i].text, &url, &err) == 0)
            fail_msg("'%s' was taken", cases[i].text);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(strstr(err.msg, "SECRET"));
        (void)snprintf(at, sizeof(at), "character %d:", cases[i].at);
        if (!strstr(err.msg, at))
            fail_msg("'%s': %s", cases[i].text, err.msg);
    }
}

static void test_bounds(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct redis_url *url = NULL;
    struct err err;

    strbuf_adds(&text, "redis+cluster://h");
    for (int i = 1; i < REDIS_MAX_HOSTS; i++)
        strbuf_adds(&text, ",h");
    assert_int_equal(redis_url_parse(text.data, &url, &err), 0);
    assert_int_equal(url->host_count, REDIS_MAX_HOSTS);
    redis_url_free(url);
    strbuf_adds(&text, ",h");
    assert_int_equal(redis_url_parse(text.data, &url, &err), -1);
    strbuf_clear(&text);
    strbuf_addf(&text, "redis://%0*d", REDIS_MAX_HOST + 1, 0);
    assert_int_equal(redis_url_parse(text.data, &url, &err), -1);
    strbuf_clear(&text);
    strbuf_addf(&text, "/%0200d", 0);
    assert_int_equal(redis_url_parse(text.data, &url, &err), -1);
    assert_non_null(strstr(err.msg, "too long"));
    strbuf_clear(&text);
    strbuf_addf(&text, "redis://:%05000d@h", 0);
    assert_int_equal(redis_url_parse(text.data, &url, &err), -1);
    assert_non_null(strstr(err.msg, "longer than"));
}

static void test_tls(void **state UNUSED)
{
    CLEANUP(redis_url) struct redis_url *url = NULL;
    struct err err;
#ifdef HAVE_REDIS_TLS
    CLEANUP(redis_url) struct redis_url *cluster = NULL;

    assert_int_equal(
        redis_url_parse("rediss://u:p@h:1/2?ca=/a%20b&cert=c&key=k&sni=n", &url,
                        &err),
        0);
    assert_true(url->tls);
    assert_string_equal(url->ca, "/a b");
    assert_string_equal(url->cert, "c");
    assert_string_equal(url->key, "k");
    assert_string_equal(url->sni, "n");
    assert_string_equal(url->name, "rediss://h:1/2");
    assert_int_equal(redis_url_parse("rediss+cluster://h?ca=x", &cluster, &err),
                     0);
    assert_true(cluster->tls);
    assert_int_equal(redis_url_parse("rediss://h?cert=c", &cluster, &err), -1);
    assert_non_null(strstr(err.msg, "go together"));
#else
    assert_int_equal(redis_url_parse("rediss://u:SECRET@h", &url, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "hiredis_ssl"));
    assert_null(strstr(err.msg, "SECRET"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),     cmocka_unit_test(test_sentinel),
        cmocka_unit_test(test_cluster), cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_bounds),  cmocka_unit_test(test_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
