/* tests/unit/worker/checkout/url_test.c - addresses of repositories. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    enum url_kind kind;
    const char *user;
    const char *password;
    const char *host;
    const char *port;
    const char *path;
    const char *shown;
} good[] = {
    {"https://h.org/a/b.git", URL_HTTP, NULL, NULL, "h.org", NULL, "/a/b.git",
     "https://h.org/a/b.git"},
    {"HTTPS://H.org:8443/a", URL_HTTP, NULL, NULL, "h.org", "8443", "/a",
     "https://h.org:8443/a"},
    {"http://u:p%40ss@h/a", URL_HTTP, "u", "p@ss", "h", NULL, "/a",
     "http://h/a"},
    {"https://tok@h/a", URL_HTTP, "tok", NULL, "h", NULL, "/a", "https://h/a"},
    {"https://a@b:c@h/x", URL_HTTP, "a@b", "c", "h", NULL, "/x", "https://h/x"},
    {"https://[::1]:80/x", URL_HTTP, NULL, NULL, "::1", "80", "/x",
     "https://[::1]:80/x"},
    {"ssh://git@h:22/a%20b", URL_SSH, "git", NULL, "h", "22", "/a b",
     "ssh://git@h:22/a%20b"},
    {"ssh://h/~me/x", URL_SSH, NULL, NULL, "h", NULL, "~me/x", "ssh://h/~me/x"},
    {"git+ssh://h/x", URL_SSH, NULL, NULL, "h", NULL, "/x", "ssh://h/x"},
    {"git@h:a/b.git", URL_SSH, "git", NULL, "h", NULL, "a/b.git",
     "git@h:a/b.git"},
    {"h:/abs", URL_SSH, NULL, NULL, "h", NULL, "/abs", "h:/abs"},
    {"git@[::1]:x", URL_SSH, "git", NULL, "::1", NULL, "x", "git@[::1]:x"},
    {"/a/b", URL_LOCAL, NULL, NULL, NULL, NULL, "/a/b", "/a/b"},
    {"/a:b/c", URL_LOCAL, NULL, NULL, NULL, NULL, "/a:b/c", "/a:b/c"},
    {"/a/b//", URL_LOCAL, NULL, NULL, NULL, NULL, "/a/b", "/a/b"},
    {"file:///a%20b", URL_LOCAL, NULL, NULL, NULL, NULL, "/a b", "/a b"},
    {"file://localhost/a", URL_LOCAL, NULL, NULL, NULL, NULL, "/a", "/a"},
    {"/", URL_LOCAL, NULL, NULL, NULL, NULL, "/", "/"},
};

static void same(const char *text, const char *got, const char *wanted)
{
    if (!got != !wanted || (got && strcmp(got, wanted) != 0))
        fail_msg("'%s': '%s', not '%s'", text, got ? got : "(none)",
                 wanted ? wanted : "(none)");
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CLEANUP(url) struct url url = {0};
        struct err err = {0};

        if (url_parse(good[i].text, &url, &err) < 0)
            fail_msg("'%s': %s", good[i].text, err.msg);
        assert_int_equal(url.kind, good[i].kind);
        same(good[i].text, url.user, good[i].user);
        same(good[i].text, url.password, good[i].password);
        same(good[i].text, url.host, good[i].host);
        same(good[i].text, url.port, good[i].port);
        same(good[i].text, url.path, good[i].path);
        same(good[i].text, url.shown, good[i].shown);
    }
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "./x",
        "../x",
        "-x",
        "https:///x",
        "https://h",
        "https://h/",
        "https://h:0/x",
        "https://h:99999/x",
        "https://h:1x/x",
        "https://-h/x",
        "https://h h/x",
        "https://[::1/x",
        "https://[::1]x/x",
        "https://hunter2%0a@h/x",
        "ssh://-oX=y/x",
        "ssh://-u@h/x",
        "ssh://u:hunter2@h/x",
        "ssh://h/%00",
        "u:hunter2@h:x",
        "-oX=y:x",
        "u@-h:x",
        "u v@h:x",
        "h:",
        "h:-x",
        "ext::sh -c hunter2",
        "fd::17",
        "git://h/x",
        "ftp://u:hunter2@h/x",
        "file://h/x",
        "file://",
        "javascript://x",
        "/a\nb",
        "https://h/\x7f",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct url url = {0};
        struct err err = {0};

        if (url_parse(bad[i], &url, &err) == 0)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.kind, ERR_USER);
        assert_true(strlen(err.msg) > 10);
        assert_null(strstr(err.msg, "hunter2"));
        assert_null(url.shown);
    }
}

static void test_length(void **state)
{
    char text[URL_MAX_BYTES + 2];
    struct url url = {0};
    struct err err = {0};

    (void)state;
    memset(text, 'a', sizeof(text));
    text[0] = '/';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(url_parse(text, &url, &err), -1);
    text[sizeof(text) - 2] = '\0';
    assert_int_equal(url_parse(text, &url, &err), 0);
    url_clear(&url);
}

static void test_origins(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } cases[] = {
        {"https://h/a", "https://u:p@H/b", true},
        {"https://h/a", "https://h:443/b", true},
        {"http://h/a", "http://h:80/b", true},
        {"https://h/a", "http://h/a", false},
        {"https://h/a", "https://h:8443/a", false},
        {"https://h/a", "https://h.evil/a", false},
        {"ssh://h/a", "ssh://h/a", false},
        {"/a", "/a", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(url) struct url a = {0};
        CLEANUP(url) struct url b = {0};
        struct err err;

        assert_int_equal(url_parse(cases[i].a, &a, &err), 0);
        assert_int_equal(url_parse(cases[i].b, &b, &err), 0);
        assert_int_equal(url_same_origin(&a, &b), cases[i].same);
    }
}

static void test_resolve(void **state)
{
    static const struct {
        const char *base;
        const char *relative;
        const char *wanted; /* NULL: refused */
    } cases[] = {
        {"https://h/a/b", "../c", "https://h/a/c"},
        {"https://h/a/b/", "../c", "https://h/a/c"},
        {"https://h/a/b", "./c", "https://h/a/b/c"},
        {"https://h/a/b", "../../c/d", "https://h/c/d"},
        {"https://h/a", "../../c", NULL},
        {"https://h/a/b", "../../../../c", NULL},
        {"git@h:a/b", "../c", "git@h:a/c"},
        {"git@h:a", "../c", "git@h:c"},
        {"git@h:a", "../../c", NULL},
        {"ssh://h:1/a/b", "./../c", "ssh://h:1/a/c"},
        {"/a/b", "../c", "/a/c"},
        {"/a/b", "../../c", "/c"},
        {"/a/b", "../../../c", NULL},
        {"https://h/a", "/etc", "/etc"},
        {"https://h/a", "ssh://x/y", "ssh://x/y"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem) char *out = NULL;
        struct err err = {0};
        int rc = url_resolve(cases[i].base, cases[i].relative, &out, &err);

        assert_int_equal(rc, cases[i].wanted ? 0 : -1);
        if (cases[i].wanted)
            assert_string_equal(out, cases[i].wanted);
        else
            assert_int_equal(err.kind, ERR_USER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_bad),
        cmocka_unit_test(test_length),  cmocka_unit_test(test_origins),
        cmocka_unit_test(test_resolve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
