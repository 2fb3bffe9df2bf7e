/* scheduler/forge/jwt.c - how a GitHub App says who it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/jwt.h"

#include "base/strbuf.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define BEFORE_S    60
#define AFTER_S     (JWT_MAX_SECONDS - BEFORE_S)
#define APP_ID_MAX  64
#define KEY_MIN_BIT 2048
#define WORD        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* RFC 4648, 5, without padding. */
static void add_base64url(struct strbuf *out, const void *data, size_t len)
{
    size_t size = (len + 2) / 3 * 4 + 1, start = out->len;
    CLEANUP(mem) unsigned char *text = xmalloc(size);
    int n = EVP_EncodeBlock(text, data, (int)len);

    strbuf_add(out, text, (size_t)n);
    for (size_t i = start; i < out->len; i++) {
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
    while (out->len > start && out->data[out->len - 1] == '=')
        strbuf_cut(out, out->len - 1);
}

/* Without it libcrypto asks for a password on the terminal. */
static int no_password(char *buf UNUSED, int size UNUSED, int writing UNUSED,
                       void *arg UNUSED)
{
    return -1;
}

static EVP_PKEY *read_key(const char *pem, size_t len, struct err *err)
{
    BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *key = NULL;

    if (bio)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key && EVP_PKEY_base_id(key) == EVP_PKEY_RSA &&
        EVP_PKEY_bits(key) >= KEY_MIN_BIT)
        return key;
    (void)err_set(err, ERR_USER,
                  key ? "the App's key is no RSA key of %d bits or more"
                      : "the App's key is no private key in PEM without a "
                        "password (RSA, %d bits or more)",
                  KEY_MIN_BIT);
    EVP_PKEY_free(key);
    return NULL;
}

static int add_signature(struct strbuf *out, EVP_PKEY *key, struct err *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = (size_t)EVP_PKEY_size(key);
    CLEANUP(mem) unsigned char *signature = xmalloc(len ? len : 1);
    int ok = ctx &&
             EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestSign(ctx, signature, &len,
                            (const unsigned char *)out->data, out->len) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return err_set(err, ERR_USER, "the App's key cannot sign");
    strbuf_addc(out, '.');
    add_base64url(out, signature, len);
    return 0;
}

int jwt_make(const char *app_id, const char *pem, size_t pem_len, int64_t now_s,
             char **out_token, struct err *err)
{
    static const char head[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    CLEANUP(mem) char *claims = NULL;
    size_t len = strlen(app_id);
    EVP_PKEY *key;
    int rc;

    if (!len || len > APP_ID_MAX || strspn(app_id, WORD) != len)
        return err_set(err, ERR_USER,
                       "the App's id is no number and no "
                       "client id");
    key = read_key(pem, pem_len, err);
    if (!key)
        return -1;
    claims = xasprintf("{\"iat\":%lld,\"exp\":%lld,\"iss\":\"%s\"}",
                       (long long)(now_s - BEFORE_S),
                       (long long)(now_s + AFTER_S), app_id);
    add_base64url(&out, head, sizeof(head) - 1);
    strbuf_addc(&out, '.');
    add_base64url(&out, claims, strlen(claims));
    rc = add_signature(&out, key, err);
    EVP_PKEY_free(key);
    if (rc == 0)
        *out_token = strbuf_take(&out);
    return rc;
}
