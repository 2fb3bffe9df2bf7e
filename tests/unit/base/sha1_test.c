/* tests/unit/base/sha1_test.c - SHA-1. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha1.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *data, size_t len, const char *wanted)
{
    uint8_t digest[SHA1_SIZE];
    char hex[2 * SHA1_SIZE + 1];

    sha1(data, len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(hex, wanted);
}

/* RFC 3174, and each way for the last block to be filled (sha1sum's words). */
static void test_known(void **state)
{
    static const struct {
        size_t count; /* of 'a' */
        const char *digest;
    } cases[] = {
        {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"},
        {55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
        {56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
        {63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
        {64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
        {65, "11655326c708d70319be2610e8a57d9a5b959d3b"},
        {1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
    };
    CLEANUP(mem) char *text = xmalloc(1000000);

    (void)state;
    memset(text, 'a', 1000000);
    check("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(text, cases[i].count, cases[i].digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
