/* scheduler/forge/signature.c - is a delivery from who it says? */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/signature.h"

#include "base/header.h"
#include "base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SIGNED_PREFIX      "whsec_"
#define SIGNED_PREFIX_LEN  (sizeof(SIGNED_PREFIX) - 1)
#define KEY_MIN_BYTES      16
#define KEY_MAX_BYTES      256
#define ID_MAX_BYTES       255
#define MAX_SIGNATURES     16
#define SIGNATURE_B64_SIZE 44 /* of 32 bytes, with its padding */

/* The bytes that a key signs: one piece, or "id.timestamp." before the body. */
struct signed_text {
    const char *head; /* borrowed; "" for none */
    const void *body;
    size_t len;
};

/* What came, as bytes; none of it is secret. */
struct claims {
    uint8_t mac[MAX_SIGNATURES][SHA256_SIZE];
    size_t count;
};

static bool is_signing_key(const char *value)
{
    return !strncmp(value, SIGNED_PREFIX, SIGNED_PREFIX_LEN);
}

/* ---- reading -------------------------------------------------------------
 */

/* Standard base64 with its padding; how many bytes, or -1. */
static int base64_decode(const char *text, size_t len, uint8_t *out, size_t max)
{
    size_t pad = len && text[len - 1] == '=';
    size_t digits;
    int got;

    pad += len > 1 && pad && text[len - 2] == '=';
    digits = len - pad;
    if (!len || len % 4 || len / 4 * 3 > max ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789+/") < digits)
        return -1;
    got = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
    return got < 0 ? -1 : got - (int)pad;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hex(const char *text, struct claims *out)
{
    if (strlen(text) != (size_t)2 * SHA256_SIZE)
        return -1;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        out->mac[0][i] = (uint8_t)(high << 4 | low);
    }
    out->count = 1;
    return 0;
}

/* "v1,<base64> v1,<base64> …"; other versions are not ours to judge. */
static int read_versions(const char *text, struct claims *out)
{
    uint8_t mac[SIGNATURE_B64_SIZE];

    for (size_t len; *text; text += len + (text[len] == ' ')) {
        len = strcspn(text, " ");
        if (strncmp(text, "v1,", 3) != 0)
            continue;
        if (len != 3 + SIGNATURE_B64_SIZE || out->count == MAX_SIGNATURES ||
            base64_decode(text + 3, SIGNATURE_B64_SIZE, mac, sizeof(mac)) !=
                SHA256_SIZE)
            return -1;
        memcpy(out->mac[out->count++], mac, SHA256_SIZE);
    }
    return out->count ? 0 : -1;
}

/* The one header of this name: two would be two opinions. */
static int one_header(const struct strv *headers, const char *name,
                      const char **out, struct err *err)
{
    if (header_count(headers, name) > 1)
        return err_set(err, ERR_USER, "there is more than one %s", name);
    *out = header_find(headers, name);
    return *out ? 0
                : err_set(err, ERR_USER, "the signature is missing: no %s",
                          name);
}

/* ---- comparing -----------------------------------------------------------
 */

/* HMAC-SHA256; libcrypto can only fail for want of memory. */
static void hmac(const void *key, size_t key_len,
                 const struct signed_text *text, uint8_t out[SHA256_SIZE])
{
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, key_len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = SHA256_SIZE;

    if (!pkey || !ctx ||
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) != 1 ||
        EVP_DigestSignUpdate(ctx, text->head, strlen(text->head)) != 1 ||
        EVP_DigestSignUpdate(ctx, text->body, text->len) != 1 ||
        EVP_DigestSignFinal(ctx, out, &len) != 1 || len != SHA256_SIZE)
        abort();
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

static bool any_equals(const struct claims *claims,
                       const uint8_t mac[SHA256_SIZE])
{
    int found = 0;

    for (size_t i = 0; i < claims->count; i++)
        found |= !CRYPTO_memcmp(claims->mac[i], mac, SHA256_SIZE);
    return found;
}

static bool signs(const char *secret, const struct signed_text *text,
                  const struct claims *claims)
{
    uint8_t mac[SHA256_SIZE], key[KEY_MAX_BYTES + 3];
    const char *encoded = secret + SIGNED_PREFIX_LEN;
    int len;

    if (!*text->head) {
        hmac(secret, strlen(secret), text, mac);
        return any_equals(claims, mac);
    }
    len = base64_decode(encoded, strlen(encoded), key, sizeof(key));
    if (len < 0)
        return false;
    hmac(key, (size_t)len, text, mac);
    mem_wipe(key, sizeof(key));
    return any_equals(claims, mac);
}

/* Of both the digest: so nothing is told of the secret's length either. */
static bool same_token(const char *secret, const char *token)
{
    uint8_t a[SHA256_SIZE], b[SHA256_SIZE];
    struct sha256 state;

    sha256_init(&state);
    sha256_add(&state, secret, strlen(secret));
    sha256_end(&state, a);
    sha256_init(&state);
    sha256_add(&state, token, strlen(token));
    sha256_end(&state, b);
    return !CRYPTO_memcmp(a, b, sizeof(a));
}

/* ---- the forms -----------------------------------------------------------
 */

static int check_hex(const char *header, const char *prefix,
                     const struct webhook_request *r,
                     const struct webhook_secrets *secrets, uint64_t *matched,
                     struct err *err)
{
    const struct signed_text text = {"", r->body, r->len};
    struct claims claims = {.count = 0};
    const char *value = NULL;
    size_t len = strlen(prefix);

    if (one_header(r->headers, header, &value, err) < 0)
        return -1;
    if (strncmp(value, prefix, len) != 0 || read_hex(value + len, &claims) < 0)
        return err_set(err, ERR_USER,
                       "the signature is malformed: %s is not "
                       "%s64 hex digits",
                       header, prefix);
    for (size_t i = 0; i < secrets->count; i++)
        if (*secrets->items[i].value &&
            signs(secrets->items[i].value, &text, &claims))
            *matched |= UINT64_C(1) << i;
    return 0;
}

/* Seconds since 1970 in plain decimal, and not far from now. */
static int check_stamp(const char *stamp, int64_t now_ms, struct err *err)
{
    size_t digits = strspn(stamp, "0123456789");
    int64_t at_ms;

    if (!digits || stamp[digits] || digits > 11)
        return err_set(err, ERR_USER,
                       "the signature is malformed: "
                       "webhook-timestamp is no time");
    at_ms = (int64_t)strtoll(stamp, NULL, 10) * 1000;
    if (at_ms < now_ms - WEBHOOK_CLOCK_MS || at_ms > now_ms + WEBHOOK_CLOCK_MS)
        return err_set(
            err, ERR_USER,
            "the delivery was signed %lld s %s: it is a replay, or "
            "a clock is wrong",
            (long long)(at_ms < now_ms ? now_ms - at_ms : at_ms - now_ms) /
                1000,
            at_ms < now_ms ? "ago" : "from now");
    return 0;
}

static bool is_signing_id(const char *id)
{
    size_t len = strlen(id);

    for (const char *c = id; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return len && len <= ID_MAX_BYTES;
}

/* https://github.com/standard-webhooks/standard-webhooks, "Signature scheme" */
static int check_standard(const struct webhook_request *r,
                          const struct webhook_secrets *secrets,
                          uint64_t *matched, struct err *err)
{
    const char *id = NULL, *stamp = NULL, *value = NULL;
    CLEANUP(mem) char *head = NULL;
    struct claims claims = {.count = 0};
    struct signed_text text = {NULL, r->body, r->len};

    if (one_header(r->headers, "webhook-id", &id, err) < 0 ||
        one_header(r->headers, "webhook-timestamp", &stamp, err) < 0 ||
        one_header(r->headers, "webhook-signature", &value, err) < 0 ||
        check_stamp(stamp, r->now_ms, err) < 0)
        return -1;
    if (!is_signing_id(id) || read_versions(value, &claims) < 0)
        return err_set(err, ERR_USER,
                       "the signature is malformed: no "
                       "\"v1,<base64>\" of 32 bytes");
    text.head = head = xasprintf("%s.%s.", id, stamp);
    for (size_t i = 0; i < secrets->count; i++)
        if (is_signing_key(secrets->items[i].value) &&
            signs(secrets->items[i].value, &text, &claims))
            *matched |= UINT64_C(1) << i;
    return 0;
}

static int check_token(const struct webhook_request *r,
                       const struct webhook_secrets *secrets, uint64_t *matched,
                       struct err *err)
{
    const char *token = NULL;

    if (one_header(r->headers, "X-Gitlab-Token", &token, err) < 0)
        return -1;
    for (size_t i = 0; i < secrets->count; i++) {
        const char *value = secrets->items[i].value;

        if (*value && !is_signing_key(value) && same_token(value, token))
            *matched |= UINT64_C(1) << i;
    }
    return 0;
}

static int check_gitlab(const struct webhook_request *r,
                        const struct webhook_secrets *secrets,
                        uint64_t *matched, struct err *err)
{
    struct err signature = {0};

    if (!header_find(r->headers, "webhook-signature"))
        return check_token(r, secrets, matched, err);
    if (check_standard(r, secrets, matched, &signature) == 0 && *matched)
        return 0;
    /* While a hook gets its first signing key it has a token, too. */
    if (header_find(r->headers, "X-Gitlab-Token") &&
        check_token(r, secrets, matched, err) == 0 && *matched)
        return 0;
    if (signature.kind == ERR_NONE)
        return 0;
    if (err)
        *err = signature;
    return -1;
}

static int check_gitea(const struct webhook_request *r,
                       const struct webhook_secrets *secrets, uint64_t *matched,
                       struct err *err)
{
    bool forgejo = header_find(r->headers, "X-Forgejo-Signature") != NULL;

    return check_hex(forgejo ? "X-Forgejo-Signature" : "X-Gitea-Signature", "",
                     r, secrets, matched, err);
}

/* ---- in and out ----------------------------------------------------------
 */

int webhook_secret_check(const struct webhook_secret *secret, struct err *err)
{
    uint8_t key[KEY_MAX_BYTES + 3];
    const char *value = secret->value;
    int len;

    if (!*value)
        return err_set(err, ERR_USER, "the webhook secret '%s' is empty",
                       secret->name);
    if (!is_signing_key(value))
        return 0;
    value += SIGNED_PREFIX_LEN;
    len = base64_decode(value, strlen(value), key, sizeof(key));
    mem_wipe(key, sizeof(key));
    if (len < KEY_MIN_BYTES || len > KEY_MAX_BYTES)
        return err_set(err, ERR_USER,
                       "the webhook secret '%s' begins with " SIGNED_PREFIX
                       " and goes on with no base64 of %d to %d bytes",
                       secret->name, KEY_MIN_BYTES, KEY_MAX_BYTES);
    return 0;
}

int signature_check(enum forge_kind forge,
                    const struct webhook_request *request,
                    const struct webhook_secrets *secrets,
                    uint64_t *out_matched, struct err *err)
{
    uint64_t matched = 0;
    int rc = 0;

    if (!secrets->count || secrets->count > WEBHOOK_MAX_SECRETS)
        return err_set(err, ERR_USER, "no webhook secret of %s is configured",
                       forge_name(forge));
    if (forge == FORGE_GITHUB)
        rc = check_hex("X-Hub-Signature-256", "sha256=", request, secrets,
                       &matched, err);
    else if (forge == FORGE_GITLAB)
        rc = check_gitlab(request, secrets, &matched, err);
    else
        rc = check_gitea(request, secrets, &matched, err);
    if (rc < 0)
        return -1;
    if (!matched)
        return err_set(err, ERR_USER,
                       "the signature is wrong: no secret of "
                       "%s fits it",
                       forge_name(forge));
    *out_matched = matched;
    return 0;
}
