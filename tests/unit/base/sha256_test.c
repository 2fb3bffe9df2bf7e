/* tests/unit/base/sha256_test.c - SHA-256. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Whole, and in parts of each size. */
static void check(const char *data, size_t len, const char *wanted)
{
    for (size_t part = 1; part <= len + 1; part = part * 3 + 1) {
        struct sha256 state;
        char hex[SHA256_HEX_SIZE];

        sha256_init(&state);
        for (size_t at = 0; at < len; at += part)
            sha256_add(&state, data + at, part < len - at ? part : len - at);
        sha256_end_hex(&state, hex);
        assert_string_equal(hex, wanted);
    }
}

/* FIPS 180-4, and each way for the last block to be filled (sha256sum's). */
static void test_known(void **state)
{
    static const struct {
        size_t count; /* of 'a' */
        const char *digest;
    } cases[] = {
        {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"},
        {55,
         "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"},
        {56,
         "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a"},
        {63,
         "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34"},
        {64,
         "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"},
        {65,
         "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0"},
        {1000000,
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    CLEANUP(mem) char *text = xmalloc(1000000);

    (void)state;
    memset(text, 'a', 1000000);
    check("abc", 3,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
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
