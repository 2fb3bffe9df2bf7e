/* worker/gateway/client_hello.c - the name that a TLS client asks for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/client_hello.h"

#include <string.h>

#define RECORD_HEADER    5u
#define RECORD_MAX       16384u /* RFC 8446, 5.1 */
#define RECORD_HANDSHAKE 22
#define HANDSHAKE_HEADER 4u
#define CLIENT_HELLO     1
#define EXTENSION_NAME   0
#define NAME_HOST        0
#define RANDOM_BYTES     32u

/* Bytes still to be read; a read that goes beyond them makes it bad. */
struct cursor {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct cursor *c, size_t len)
{
    const uint8_t *at = c->at;

    if (c->bad || c->left < len) {
        c->bad = true;
        return NULL;
    }
    c->at += len;
    c->left -= len;
    return at;
}

static size_t take_number(struct cursor *c, unsigned bytes)
{
    const uint8_t *at = take(c, bytes);
    size_t number = 0;

    for (unsigned i = 0; at && i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

/* A part with its length before it, in so many bytes. */
static struct cursor take_vector(struct cursor *c, unsigned length_bytes)
{
    size_t len = take_number(c, length_bytes);
    const uint8_t *at = take(c, len);

    return (struct cursor){at, at ? len : 0, !at};
}

static int malformed(struct err *err)
{
    return err_set(err, ERR_USER, "the ClientHello is malformed");
}

/* ---- records --------------------------------------------------------------
 */

/*
 * The handshake's bytes out of its records, into `out`. Returns how many there
 * are so far, -1 for what is no handshake.
 */
static int64_t gather(const uint8_t *data, size_t len, uint8_t *out,
                      struct err *err)
{
    size_t total = 0;
    size_t at = 0;

    while (len - at >= RECORD_HEADER) {
        size_t size = (size_t)data[at + 3] << 8 | data[at + 4];
        size_t here = len - at - RECORD_HEADER;

        if (data[at] != RECORD_HANDSHAKE || data[at + 1] != 3 || !size ||
            size > RECORD_MAX)
            return err_set(err, ERR_USER,
                           "what goes through CONNECT must be TLS");
        if (here > size)
            here = size;
        memcpy(out + total, data + at + RECORD_HEADER, here);
        total += here;
        at += RECORD_HEADER + here;
    }
    /* Not even the first byte of a record needs to be waited for. */
    if (at < len && data[at] != RECORD_HANDSHAKE)
        return err_set(err, ERR_USER, "what goes through CONNECT must be TLS");
    return (int64_t)total;
}

/* ---- the message ----------------------------------------------------------
 */

static int read_name(struct cursor extension, char out[HOST_NAME_SIZE],
                     struct err *err)
{
    struct cursor list = take_vector(&extension, 2);
    size_t kind = take_number(&list, 1);
    struct cursor name = take_vector(&list, 2);

    if (extension.bad || extension.left || list.bad || list.left || name.bad ||
        kind != NAME_HOST)
        return malformed(err);
    if (host_name_parse((const char *)name.at, name.left, out, err) < 0)
        return err_wrap(err, "the TLS server name (SNI) is no host's");
    return 0;
}

static int read_extensions(struct cursor all, char out[HOST_NAME_SIZE],
                           struct err *err)
{
    bool found = false;

    while (all.left) {
        size_t type = take_number(&all, 2);
        struct cursor body = take_vector(&all, 2);

        if (all.bad || body.bad)
            return malformed(err);
        if (type != EXTENSION_NAME)
            continue;
        if (found)
            return err_set(err, ERR_USER, "two TLS server names (SNI)");
        if (read_name(body, out, err) < 0)
            return -1;
        found = true;
    }
    if (!found)
        return err_set(err, ERR_USER,
                       "the client names no server (SNI) in its TLS");
    return 0;
}

static int read_hello(struct cursor hello, char out[HOST_NAME_SIZE],
                      struct err *err)
{
    struct cursor extensions;

    (void)take(&hello, 2 + RANDOM_BYTES); /* version, random */
    (void)take_vector(&hello, 1);         /* session */
    (void)take_vector(&hello, 2);         /* cipher suites */
    (void)take_vector(&hello, 1);         /* compression */
    if (hello.bad)
        return malformed(err);
    if (!hello.left)
        return err_set(err, ERR_USER,
                       "the client names no server (SNI) in its TLS");
    extensions = take_vector(&hello, 2);
    if (extensions.bad || hello.left)
        return malformed(err);
    return read_extensions(extensions, out, err);
}

int client_hello_name(const void *data, size_t len,
                      char out_name[HOST_NAME_SIZE], struct err *err)
{
    uint8_t message[CLIENT_HELLO_MAX_BYTES];
    char name[HOST_NAME_SIZE];
    struct cursor c = {.at = message};
    int64_t total;
    size_t size;

    if (len > CLIENT_HELLO_MAX_BYTES)
        len = CLIENT_HELLO_MAX_BYTES;
    total = gather(data, len, message, err);
    if (total < 0)
        return -1;
    c.left = (size_t)total;
    if (c.left && message[0] != CLIENT_HELLO)
        return err_set(err, ERR_USER, "TLS begins with a ClientHello");
    size = c.left < HANDSHAKE_HEADER ? 0
                                     : (size_t)message[1] << 16 |
                                           (size_t)message[2] << 8 | message[3];
    if (size > CLIENT_HELLO_MAX_BYTES ||
        (len == CLIENT_HELLO_MAX_BYTES &&
         (!size || c.left < HANDSHAKE_HEADER + size)))
        return err_set(err, ERR_USER, "the ClientHello is too long");
    if (c.left < HANDSHAKE_HEADER || c.left < HANDSHAKE_HEADER + size)
        return 0;
    c = (struct cursor){message + HANDSHAKE_HEADER, size, false};
    if (read_hello(c, name, err) < 0)
        return -1;
    memcpy(out_name, name, sizeof(name));
    return 1;
}
