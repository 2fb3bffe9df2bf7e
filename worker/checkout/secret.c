/* worker/checkout/secret.c - credentials: wiped, and told apart. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/secret.h"

#include "base/fd.h"
#include "base/state.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_DIGITS      32
#define LOCK_TIMEOUT_MS 10000

void secret_free(char *secret)
{
    if (secret)
        mem_wipe(secret, strlen(secret));
    free(secret);
}

/* ---- SipHash-2-4, by Aumasson and Bernstein ------------------------------ */

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t load(const unsigned char *p, size_t len)
{
    uint64_t x = 0;

    for (size_t i = 0; i < len; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

static void rounds(uint64_t v[4], unsigned count)
{
    while (count--) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static void compress(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

static uint64_t siphash(const uint64_t key[2], const unsigned char *data,
                        size_t len)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
                     key[0] ^ 0x6c7967656e657261U,
                     key[1] ^ 0x7465646279746573U};
    size_t whole = len - len % 8;

    for (size_t i = 0; i < whole; i += 8)
        compress(v, load(data + i, 8));
    compress(v, (uint64_t)len << 56 | load(data + whole, len - whole));
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the key ------------------------------------------------------------- */

/* Under its lock: who is second reads what the first one wrote. */
static int key_text(char out[KEY_DIGITS + 1], struct err *err)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *path = NULL;
    CLEANUP(fd) int lock = -1;
    ssize_t n;

    if (state_dir(&dir, err) < 0)
        return -1;
    path = xasprintf("%s/mirror.key", dir);
    if (file_lock(path, LOCK_TIMEOUT_MS, &lock, err) < 0) {
        err->kind = ERR_TRANSIENT;
        return -1;
    }
    n = pread(lock, out, KEY_DIGITS, 0);
    out[KEY_DIGITS] = '\0';
    if (n == KEY_DIGITS &&
        strspn(out, "0123456789abcdef") == (size_t)KEY_DIGITS)
        return 0;
    state_random_hex(out, KEY_DIGITS);
    if (n < 0 || pwrite(lock, out, KEY_DIGITS, 0) != KEY_DIGITS)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", path);
    return 0;
}

static int digest(const void *data, size_t len, char out[SECRET_DIGEST_SIZE],
                  struct err *err)
{
    char text[KEY_DIGITS + 1];
    uint64_t key[2];

    if (key_text(text, err) < 0)
        return -1;
    key[1] = strtoull(text + KEY_DIGITS / 2, NULL, 16);
    text[KEY_DIGITS / 2] = '\0';
    key[0] = strtoull(text, NULL, 16);
    (void)snprintf(out, SECRET_DIGEST_SIZE, "%016llx",
                   (unsigned long long)siphash(key, data, len));
    mem_wipe(key, sizeof(key));
    mem_wipe(text, sizeof(text));
    return 0;
}

int secret_digest(const char *username, const char *password,
                  char out[SECRET_DIGEST_SIZE], struct err *err)
{
    size_t user_len = strlen(username);
    size_t len = user_len + 1 + strlen(password);
    unsigned char *data;
    int rc;

    out[0] = '\0';
    if (!*username && !*password)
        return 0;
    data = xmalloc(len);
    memcpy(data, username, user_len + 1);
    memcpy(data + user_len + 1, password, len - user_len - 1);
    rc = digest(data, len, out, err);
    mem_wipe(data, len);
    free(data);
    return rc;
}

/* Two NULs, which no user and password begin with that have neither. */
int secret_digest_whose(const char *whose, char out[SECRET_DIGEST_SIZE],
                        struct err *err)
{
    size_t len = 2 + strlen(whose);
    CLEANUP(mem) char *data = xcalloc(len, 1);

    out[0] = '\0';
    memcpy(data + 2, whose, len - 2);
    return digest(data, len, out, err);
}
