/* tests/unit/scheduler/forge/link_test.c - the next page, and where it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/link.h"

#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#define URL "https://api.h.org/repos?page=1"

/* `want` NULL: no next page; "!": refused. */
static void check(const char *header, const char *want)
{
    CLEANUP(strv) struct strv headers = {0};
    CLEANUP(mem) char *next = NULL;
    struct err err = {0};
    int rc;

    strv_add(&headers, "Server: x");
    strv_addf(&headers, "link: %s", header);
    rc = link_next(&headers, URL, &next, &err);
    if (want && !strcmp(want, "!")) {
        if (rc == 0)
            fail_msg("taken: %s", header);
        assert_int_equal(err.kind, ERR_USER);
        return;
    }
    if (rc < 0)
        fail_msg("%s: %s", header, err.msg);
    if (want)
        assert_string_equal(next, want);
    else
        assert_null(next);
}

static void test_next(void **state UNUSED)
{
    static const char next[] = "https://api.h.org/repos?page=2";

    check("<https://api.h.org/repos?page=2>; rel=\"next\", "
          "<https://api.h.org/repos?page=9>; rel=\"last\"",
          next);
    check("<https://api.h.org/repos?page=9>; rel=last,"
          "<https://api.h.org/repos?page=2> ; title=\"a, b; \\\" >\" ; REL = "
          "NEXT",
          next);
    check("<https://api.h.org/repos?page=2>; rel=\"prev  next\"", next);
    check("<https://API.h.org/repos?page=2>;rel=next",
          "https://API.h.org/repos?page=2");
    check("</repos?page=2>; rel=next", next);
    check(", ,<https://api.h.org/repos?page=2>;rel=next,,", next);
}

static void test_none(void **state UNUSED)
{
    CLEANUP(strv) struct strv headers = {0};
    CLEANUP(mem) char *next = NULL;

    assert_int_equal(link_next(&headers, URL, &next, NULL), 0);
    assert_null(next);
    check("", NULL);
    check("<https://api.h.org/2>; rel=\"prev\"", NULL);
    check("<https://api.h.org/2>; rel=prev; rel=next", NULL);
    check("<https://api.h.org/2>; relx=next", NULL);
    check("<https://api.h.org/2>; rel=\"nextx xnext\"", NULL);
    check("<https://api.h.org/2>", NULL);
    check("<>; rel=next", NULL);
}

static void test_refused(void **state UNUSED)
{
    char large[LINK_MAX_BYTES + 2];

    check("<https://evil.org/2>; rel=next", "!");
    check("<http://api.h.org/2>; rel=next", "!");
    check("<https://api.h.org:444/2>; rel=next", "!");
    check("<https://api.h.org@evil.org/2>; rel=next", "!");
    check("<https://u@api.h.org/2>; rel=next", "!");
    check("<https://api.h.org.evil.org/2>; rel=next", "!");
    check("<//evil.org/2>; rel=next", "!");
    check("<2>; rel=next", "!");
    check("<https://api.h.org/a b>; rel=next", "!");
    check("</\\evil.org/>; rel=next", "!");
    check("<https://api.h.org/2; rel=next", "!");
    check("https://api.h.org/2; rel=next", "!");
    check("<https://api.h.org/2>; rel=\"next", "!");
    check("<https://api.h.org/2> x; rel=next", "!");
    memset(large, ',', sizeof(large));
    large[sizeof(large) - 1] = '\0';
    check(large, "!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("scheduler/forge/link", tests, NULL,
                                       NULL);
}
