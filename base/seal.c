/* base/seal.c - messages that only one can read, whoever carries them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/seal.h"

#include "base/hmac.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define VERSION   1
#define INFO      "berth-seal-1"
#define TAG       16
#define AES_KEY   32
#define AES_NONCE 12
#define AT_KEY    1
#define AT_BODY   (AT_KEY + SEAL_KEY_SIZE)

/* ---- keys ---------------------------------------------------------------- */

int seal_key_of(const uint8_t secret[SEAL_KEY_SIZE], struct seal_key *out_key,
                struct err *err)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret,
                                                  SEAL_KEY_SIZE);
    CLEANUP(seal_key) struct seal_key key = {{0}, {0}};
    size_t len = SEAL_KEY_SIZE;
    int ok =
        pkey && EVP_PKEY_get_raw_public_key(pkey, key.public_key, &len) == 1;

    EVP_PKEY_free(pkey);
    ERR_clear_error();
    if (!ok)
        return err_set(err, ERR_BUG, "libcrypto has no X25519");
    memcpy(key.secret, secret, SEAL_KEY_SIZE);
    *out_key = key;
    return 0;
}

int seal_key_new(struct seal_key *out_key, struct err *err)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, NULL);
    EVP_PKEY *pkey = NULL;
    CLEANUP(seal_key) struct seal_key key = {{0}, {0}};
    size_t len = SEAL_KEY_SIZE, public_len = SEAL_KEY_SIZE;
    int ok =
        ctx && EVP_PKEY_keygen_init(ctx) == 1 &&
        EVP_PKEY_keygen(ctx, &pkey) == 1 &&
        EVP_PKEY_get_raw_private_key(pkey, key.secret, &len) == 1 &&
        EVP_PKEY_get_raw_public_key(pkey, key.public_key, &public_len) == 1;

    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (!ok)
        return err_set(err, ERR_BUG, "libcrypto makes no X25519 key");
    *out_key = key;
    return 0;
}

void seal_key_wipe(struct seal_key *key)
{
    mem_wipe(key, sizeof(*key));
}

void seal_key_text(const uint8_t key[SEAL_KEY_SIZE], char out[SEAL_TEXT_SIZE])
{
    (void)EVP_EncodeBlock((unsigned char *)out, key, SEAL_KEY_SIZE);
}

int seal_key_parse(const char *text, uint8_t out[SEAL_KEY_SIZE],
                   struct err *err)
{
    unsigned char bytes[SEAL_KEY_SIZE + 1]; /* the padding is decoded, too */
    char again[SEAL_TEXT_SIZE] = "";
    bool ok = strlen(text) == SEAL_TEXT_SIZE - 1 &&
              EVP_DecodeBlock(bytes, (const unsigned char *)text,
                              SEAL_TEXT_SIZE - 1) == sizeof(bytes);

    if (ok)
        seal_key_text(bytes, again);
    ok = ok && strcmp(text, again) == 0;
    if (ok)
        memcpy(out, bytes, SEAL_KEY_SIZE);
    mem_wipe(bytes, sizeof(bytes));
    mem_wipe(again, sizeof(again));
    return ok ? 0
              : err_set(err, ERR_USER,
                        "a key is base64 of 32 bytes: 44 characters");
}

/* ---- what both sides work out -------------------------------------------- */

struct material {
    uint8_t bytes[AES_KEY + AES_NONCE];
};

static int agree(const uint8_t secret[SEAL_KEY_SIZE],
                 const uint8_t public_key[SEAL_KEY_SIZE],
                 uint8_t out[SEAL_KEY_SIZE])
{
    EVP_PKEY *ours = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret,
                                                  SEAL_KEY_SIZE);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL,
                                                   public_key, SEAL_KEY_SIZE);
    EVP_PKEY_CTX *ctx = ours ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
    size_t len = SEAL_KEY_SIZE;
    /* A point of small order, with which anybody knows the secret, fails. */
    int ok = ctx && theirs && EVP_PKEY_derive_init(ctx) == 1 &&
             EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
             EVP_PKEY_derive(ctx, out, &len) == 1 && len == SEAL_KEY_SIZE;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(ours);
    ERR_clear_error();
    return ok ? 0 : -1;
}

static int derive(const uint8_t secret[SEAL_KEY_SIZE],
                  const uint8_t other[SEAL_KEY_SIZE],
                  const uint8_t ephemeral[SEAL_KEY_SIZE],
                  const uint8_t recipient[SEAL_KEY_SIZE], struct material *out)
{
    uint8_t info[sizeof(INFO) - 1 + (size_t)2 * SEAL_KEY_SIZE];
    uint8_t shared[SEAL_KEY_SIZE];
    int rc = agree(secret, other, shared);

    memcpy(info, INFO, sizeof(INFO) - 1);
    memcpy(info + sizeof(INFO) - 1, ephemeral, SEAL_KEY_SIZE);
    memcpy(info + sizeof(INFO) - 1 + SEAL_KEY_SIZE, recipient, SEAL_KEY_SIZE);
    if (rc == 0)
        hkdf_sha256(&(struct hkdf_input){.secret = shared,
                                         .secret_len = sizeof(shared),
                                         .info = info,
                                         .info_len = sizeof(info)},
                    out->bytes, sizeof(out->bytes));
    mem_wipe(shared, sizeof(shared));
    return rc;
}

/* ---- the cipher -----------------------------------------------------------
 */

static EVP_CIPHER_CTX *begin(const struct material *m, bool sealing,
                             const struct seal_data *context)
{
    static const uint8_t version = VERSION;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;

    if (ctx &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, m->bytes,
                          m->bytes + AES_KEY, sealing) == 1 &&
        EVP_CipherUpdate(ctx, NULL, &len, &version, 1) == 1 &&
        (!context->len || EVP_CipherUpdate(ctx, NULL, &len, context->data,
                                           (int)context->len) == 1))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

static int encrypt(const struct material *m, const struct seal_data *message,
                   const struct seal_data *context, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = begin(m, true, context);
    int len = 0, rest = 0;
    int ok = ctx &&
             (!message->len || EVP_CipherUpdate(ctx, out, &len, message->data,
                                                (int)message->len) == 1) &&
             EVP_CipherFinal_ex(ctx, out + len, &rest) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG,
                                 out + message->len) == 1;

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok ? 0 : -1;
}

static int decrypt(const struct material *m, const uint8_t *body, size_t size,
                   const struct seal_data *context, uint8_t *out)
{
    EVP_CIPHER_CTX *ctx = begin(m, false, context);
    uint8_t tag[TAG];
    int len = 0, rest = 0, ok;

    memcpy(tag, body + size, TAG);
    ok = ctx &&
         (!size || EVP_CipherUpdate(ctx, out, &len, body, (int)size) == 1) &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
         EVP_CipherFinal_ex(ctx, out + len, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok ? 0 : -1;
}

/* ---- sealing ---------------------------------------------------------------
 */

int seal_to(const uint8_t public_key[SEAL_KEY_SIZE],
            const struct seal_data *message, const struct seal_data *context,
            struct strbuf *out, struct err *err)
{
    CLEANUP(seal_key) struct seal_key ephemeral = {{0}, {0}};
    CLEANUP(mem) uint8_t *sealed = NULL;
    struct material material = {{0}};
    int rc = -1;

    if (message->len > SEAL_MAX_BYTES || context->len > SEAL_MAX_CONTEXT)
        return err_set(err, ERR_USER, "what is to be sealed is too large");
    if (seal_key_new(&ephemeral, err) < 0)
        return -1;
    sealed = xmalloc(SEAL_OVERHEAD + message->len);
    sealed[0] = VERSION;
    memcpy(sealed + AT_KEY, ephemeral.public_key, SEAL_KEY_SIZE);
    if (derive(ephemeral.secret, public_key, ephemeral.public_key, public_key,
               &material) == 0)
        rc = encrypt(&material, message, context, sealed + AT_BODY);
    mem_wipe(&material, sizeof(material));
    if (rc < 0)
        return err_set(err, ERR_USER, "nothing can be sealed to this key");
    strbuf_add(out, sealed, SEAL_OVERHEAD + message->len);
    return 0;
}

int seal_open(const struct seal_key *key, const struct seal_data *sealed,
              const struct seal_data *context, char **out_message,
              size_t *out_len, struct err *err)
{
    const uint8_t *bytes = sealed->data;
    struct material material = {{0}};
    uint8_t *message = NULL;
    size_t size = 0;
    int rc = -1;

    if (sealed->len >= SEAL_OVERHEAD &&
        sealed->len <= SEAL_OVERHEAD + SEAL_MAX_BYTES &&
        context->len <= SEAL_MAX_CONTEXT && bytes[0] == VERSION) {
        size = sealed->len - SEAL_OVERHEAD;
        message = xcalloc(size + 1, 1);
        if (derive(key->secret, bytes + AT_KEY, bytes + AT_KEY, key->public_key,
                   &material) == 0)
            rc = decrypt(&material, bytes + AT_BODY, size, context, message);
    }
    mem_wipe(&material, sizeof(material));
    if (rc < 0) {
        mem_wipe(message, size);
        free(message);
        return err_set(err, ERR_USER, "the sealed message cannot be opened");
    }
    *out_message = (char *)message;
    *out_len = size;
    return 0;
}
