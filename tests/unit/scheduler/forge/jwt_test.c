/* tests/unit/scheduler/forge/jwt_test.c - the token of an App. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/jwt.h"

#include "base/strbuf.h"
#include "tests/lib/unit.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S 1700000000

/* The private key as PEM, by `cipher` with a password. */
static char *pem_of(EVP_PKEY *key, const EVP_CIPHER *cipher)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char password[] = "secret", *data = NULL, *pem;
    long len;

    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, password,
                                                   6, NULL, NULL),
                     1);
    len = BIO_get_mem_data(bio, &data);
    pem = xstrndup(data, (size_t)len);
    BIO_free(bio);
    return pem;
}

static size_t decode(const char *text, size_t len, unsigned char *out)
{
    CLEANUP(strbuf) struct strbuf b = STRBUF_INIT;
    int n;

    for (size_t i = 0; i < len; i++) {
        assert_null(strchr("+/=", text[i]));
        strbuf_addc(&b, text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    }
    while (b.len % 4)
        strbuf_addc(&b, '=');
    n = EVP_DecodeBlock(out, (const unsigned char *)b.data, (int)b.len);
    return (size_t)n - (b.len - len);
}

static void check_claims(const char *text, size_t len)
{
    unsigned char data[512] = {0};
    size_t n = decode(text, len, data);
    json_t *claims = json_loadb((const char *)data, n, 0, NULL);

    assert_non_null(claims);
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")),
                     NOW_S - 60);
    assert_true(json_integer_value(json_object_get(claims, "exp")) <=
                NOW_S + JWT_MAX_SECONDS);
    assert_true(json_integer_value(json_object_get(claims, "exp")) >
                NOW_S + 300);
    assert_string_equal(json_string_value(json_object_get(claims, "iss")),
                        "Iv23.x");
    json_decref(claims);
}

static void test_token(void **state UNUSED)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CLEANUP(mem) char *pem = pem_of(key, NULL);
    CLEANUP(mem) char *token = NULL;
    unsigned char data[512] = {0};
    const char *claims, *signature;
    size_t len;

    assert_int_equal(jwt_make("Iv23.x", pem, strlen(pem), NOW_S, &token, NULL),
                     0);
    claims = strchr(token, '.') + 1;
    signature = strchr(claims, '.') + 1;
    len = decode(token, (size_t)(claims - token) - 1, data);
    assert_int_equal(len, strlen("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"));
    assert_memory_equal(data, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", len);
    check_claims(claims, (size_t)(signature - claims) - 1);
    len = decode(signature, strlen(signature), data);
    assert_int_equal(len, 256);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key),
                     1);
    assert_int_equal(EVP_DigestVerify(ctx, data, len,
                                      (const unsigned char *)token,
                                      (size_t)(signature - token) - 1),
                     1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

static void refuse(const char *app, const char *pem, const char *why)
{
    CLEANUP(mem) char *token = NULL;
    struct err err = {0};

    assert_int_equal(jwt_make(app, pem, strlen(pem), NOW_S, &token, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_null(token);
    if (!strstr(err.msg, why))
        fail_msg("'%s', without '%s'", err.msg, why);
    assert_null(strstr(err.msg, "BEGIN"));
}

static void test_refused(void **state UNUSED)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *small = EVP_RSA_gen(1024);
    EVP_PKEY *ec = EVP_EC_gen("P-256");
    CLEANUP(mem) char *pem = pem_of(rsa, NULL);
    CLEANUP(mem) char *locked = pem_of(rsa, EVP_aes_128_cbc());
    CLEANUP(mem) char *weak = pem_of(small, NULL);
    CLEANUP(mem) char *curve = pem_of(ec, NULL);

    refuse("", pem, "id");
    refuse("1\",\"iss\":\"2", pem, "id");
    refuse("1", "", "no private key");
    refuse("1", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "no private key");
    refuse("1", locked, "no private key");
    refuse("1", weak, "no RSA key");
    refuse("1", curve, "no RSA key");
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(small);
    EVP_PKEY_free(ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("scheduler/forge/jwt", tests, NULL,
                                       NULL);
}
