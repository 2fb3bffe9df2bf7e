/* tests/unit/base/seal_test.c - sealed messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/seal.h"

#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA(text)                                                             \
    &(const struct seal_data)                                                  \
    {                                                                          \
        (text), strlen(text)                                                   \
    }

/* RFC 7748, 6.1: Bob. */
#define BOB "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
#define BOB_PUBLIC                                                             \
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
/* "a token" in "context", by another implementation (pyca/cryptography). */
#define SEALED                                                                 \
    "01504fc1c3bc8b43ef04052f6868a93bfbf0b778b2312acb76b9086d896c469219a4772a" \
    "f4e7f78e310082b46169ee7a0ab29def642566f6"

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return n;
}

static struct seal_key bob(void)
{
    uint8_t secret[SEAL_KEY_SIZE];
    struct seal_key key;

    (void)from_hex(BOB, secret);
    assert_int_equal(seal_key_of(secret, &key, NULL), 0);
    return key;
}

static void refuses(const struct seal_key *key, const void *sealed, size_t len,
                    const char *context)
{
    const struct seal_data data = {sealed, len};
    struct err err = {ERR_NONE, 0, ""};
    char *message = NULL;
    size_t size = 0;

    assert_int_equal(
        seal_open(key, &data, DATA(context), &message, &size, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_string_equal(err.msg, "the sealed message cannot be opened");
    assert_null(message);
}

static void test_known(void **state UNUSED)
{
    struct seal_key key = bob();
    uint8_t wanted[SEAL_KEY_SIZE], bytes[128];
    const struct seal_data sealed = {bytes, from_hex(SEALED, bytes)};
    CLEANUP(mem) char *message = NULL;
    size_t len = 0;

    (void)from_hex(BOB_PUBLIC, wanted);
    assert_memory_equal(key.public_key, wanted, SEAL_KEY_SIZE);
    assert_int_equal(
        seal_open(&key, &sealed, DATA("context"), &message, &len, NULL), 0);
    assert_int_equal(len, 7);
    assert_string_equal(message, "a token");
}

static void test_text(void **state UNUSED)
{
    static const char *const wrong[] = {
        "",
        "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08",   /* no padding */
        "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK09=",  /* spare bits */
        "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08=",  /* base64url */
        " 3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK0=",  /* a blank */
        "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08==", /* too long */
        "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IKw==",  /* 31 bytes */
    };
    struct seal_key key = bob();
    uint8_t again[SEAL_KEY_SIZE];
    char text[SEAL_TEXT_SIZE];

    seal_key_text(key.public_key, text);
    assert_string_equal(text, "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=");
    assert_int_equal(seal_key_parse(text, again, NULL), 0);
    assert_memory_equal(again, key.public_key, SEAL_KEY_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(seal_key_parse(wrong[i], again, NULL), -1);
}

static void test_round_trip(void **state UNUSED)
{
    CLEANUP(mem) char *large = xcalloc(SEAL_MAX_BYTES + 2, 1);
    const size_t sizes[] = {0, 1, 15, 16, 17, 1000, SEAL_MAX_BYTES};
    CLEANUP(seal_key) struct seal_key key, other;

    assert_int_equal(seal_key_new(&key, NULL), 0);
    assert_int_equal(seal_key_new(&other, NULL), 0);
    memset(large, 'x', SEAL_MAX_BYTES + 1);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(strbuf) struct strbuf out = STRBUF_INIT, again = STRBUF_INIT;
        const struct seal_data message = {large, sizes[i]};
        struct seal_data sealed;
        CLEANUP(mem) char *opened = NULL;
        size_t len = 0;

        assert_int_equal(
            seal_to(key.public_key, &message, DATA(""), &out, NULL), 0);
        assert_int_equal(out.len, SEAL_OVERHEAD + sizes[i]);
        assert_int_equal(
            seal_to(key.public_key, &message, DATA(""), &again, NULL), 0);
        assert_memory_not_equal(out.data, again.data, out.len);
        sealed = (struct seal_data){out.data, out.len};
        assert_int_equal(
            seal_open(&key, &sealed, DATA(""), &opened, &len, NULL), 0);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(opened, large, len);
        assert_int_equal(opened[len], '\0');
        refuses(&other, out.data, out.len, "");
        refuses(&key, out.data, out.len, "another context");
    }
    seal_key_wipe(&other);
    assert_int_equal(seal_to(key.public_key,
                             &(struct seal_data){large, SEAL_MAX_BYTES + 1},
                             DATA(""), NULL, NULL),
                     -1);
}

static void test_damage(void **state UNUSED)
{
    struct seal_key key = bob();
    uint8_t bytes[256] = {0};
    size_t len = from_hex(SEALED, bytes);

    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        refuses(&key, bytes, len, "context");
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t i = 0; i < len; i++)
        refuses(&key, bytes, i, "context");
    refuses(&key, bytes, len + 1, "context");
    refuses(&key, bytes, len, "contex");
    refuses(&key, bytes, len, "context ");
    refuses(&key, bytes, len, "");
}

/* Keys with which everybody knows what is agreed (RFC 7748, 6.1). */
static void test_small_order(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    uint8_t point[SEAL_KEY_SIZE] = {0};
    uint8_t sealed[SEAL_OVERHEAD] = {1};
    struct seal_key key = bob();

    for (uint8_t i = 0; i < 2; i++) {
        point[0] = sealed[1] = i;
        assert_int_equal(seal_to(point, DATA("x"), DATA(""), &out, NULL), -1);
        refuses(&key, sealed, sizeof(sealed), "");
    }
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),       cmocka_unit_test(test_text),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_damage),
        cmocka_unit_test(test_small_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
