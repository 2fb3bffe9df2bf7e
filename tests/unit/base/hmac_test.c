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

static void check_hkdf(const struct hkdf_input *input, const char *wanted)
{
    uint8_t out[82];
    size_t len = strlen(wanted) / 2;
    char hex[2 * sizeof(out) + 1];

    hkdf_sha256(input, out, len);
    for (size_t i = 0; i < len; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", out[i]);
    assert_string_equal(hex, wanted);
}

/* RFC 5869, A.1 to A.3. */
static void test_hkdf(void **state)
{
    uint8_t bytes[256], secret[22];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    memset(secret, 0x0b, sizeof(secret));
    check_hkdf(
        &(struct hkdf_input){secret, 22, bytes, 13, bytes + 0xf0, 10},
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        "34007208d5b887185865");
    check_hkdf(
        &(struct hkdf_input){bytes, 80, bytes + 0x60, 80, bytes + 0xb0, 80},
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87");
    check_hkdf(
        &(struct hkdf_input){.secret = secret, .secret_len = 22},
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        "9d201395faa4b61a96c8");
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
        cmocka_unit_test(test_hkdf),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
