/* base/seal.h - messages that only one can read, whoever carries them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdint.h>

/*
 * A sealed message is
 *
 *   version (1 byte: 1) | ephemeral public key (32) | AES-256-GCM's output |
 * tag (16)
 *
 * X25519 (RFC 7748) of the ephemeral key and the recipient's makes a secret;
 * HKDF-SHA256 (RFC 5869) of it, with "berth-seal-1" and both public keys as
 * info, key and nonce, which nothing else is ever sealed with. What both sides
 * know besides, `context`, is authenticated, not sent. It does not say who
 * sealed it: anybody with the public key may have.
 */
#define SEAL_KEY_SIZE    32
#define SEAL_TEXT_SIZE   45                 /* of a key as text, with its NUL */
#define SEAL_MAX_BYTES   ((size_t)64 << 10) /* of a message */
#define SEAL_MAX_CONTEXT ((size_t)8 << 10)
#define SEAL_OVERHEAD    (1 + SEAL_KEY_SIZE + 16)

struct seal_key {
    uint8_t secret[SEAL_KEY_SIZE];
    uint8_t public_key[SEAL_KEY_SIZE];
};

/** All borrowed. */
struct seal_data {
    const void *data;
    size_t len;
};

/** A new pair of keys. ERR_BUG: libcrypto failed. The caller wipes it. */
MUST_USE int seal_key_new(struct seal_key *out_key, struct err *err);
/** The pair of a secret. */
MUST_USE int seal_key_of(const uint8_t secret[SEAL_KEY_SIZE],
                         struct seal_key *out_key, struct err *err);
void seal_key_wipe(struct seal_key *key);
UNUSED static inline void seal_key_freep(struct seal_key *key)
{
    seal_key_wipe(key);
}

/** 32 bytes as base64, and back. */
void seal_key_text(const uint8_t key[SEAL_KEY_SIZE], char out[SEAL_TEXT_SIZE]);
/** ERR_USER, quoting nothing: it is not the one text of 32 bytes. */
MUST_USE int seal_key_parse(const char *text, uint8_t out[SEAL_KEY_SIZE],
                            struct err *err);

/**
 * Add the message, sealed to a public key, to `out`. ERR_USER: message or
 * context is too large, or the key is none that a secret can be agreed with.
 */
MUST_USE int seal_to(const uint8_t public_key[SEAL_KEY_SIZE],
                     const struct seal_data *message,
                     const struct seal_data *context, struct strbuf *out,
                     struct err *err);
/**
 * The message with a NUL behind it, owned by the caller, who wipes it
 * (`*out_len` bytes) and frees it. ERR_USER, always with the same words: not
 * sealed to this key, not in this context, or damaged.
 */
MUST_USE int seal_open(const struct seal_key *key,
                       const struct seal_data *sealed,
                       const struct seal_data *context, char **out_message,
                       size_t *out_len, struct err *err);

#endif
