/* tests/unit/base/hmac_test.c - HMAC-SHA256. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hmac.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *key, size_t key_len, const char *data,
                  const char *wanted)
{
    uint8_t mac[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];

    hmac_sha256(key, key_len, data, strlen(data), mac);
    for (size_t i = 0; i < sizeof(mac); i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    assert_string_equal(hex, wanted);
}

/* RFC 4231, 4.2, 4.3, 4.7: also a key that is longer than a block. */
static void test_known(void **state)
{
    char key[131];

    (void)state;
    memset(key, 0x0b, 20);
    check(key, 20, "Hi There",
          "b0344c61d8db38535ca8afceaf0bf12b"
          "881dc200c9833da726e9376c2e32cff7");
    check("Jefe", 4, "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c7"
          "5a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    check(key, sizeof(key),
          "Test Using Larger Than Block-Size Key - Hash Key First",
          "60e431591ee0b67f0d8a26aacbf5b77f"
          "8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal(void **state)
{
    uint8_t a[SHA256_SIZE] = {1, 2, 3};
    uint8_t b[SHA256_SIZE] = {1, 2, 3};

    (void)state;
    assert_true(hmac_equal(a, b));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] ^= 0x80;
        assert_false(hmac_equal(a, b));
        b[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
