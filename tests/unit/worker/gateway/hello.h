/* tests/unit/worker/gateway/hello.h - ClientHellos, right and wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WORKER_GATEWAY_HELLO_H
#define TESTS_UNIT_WORKER_GATEWAY_HELLO_H

#include "base/strbuf.h"

UNUSED static void hello_number(struct strbuf *out, size_t n, unsigned bytes)
{
    while (bytes--)
        strbuf_addc(out, (char)(n >> 8 * bytes));
}

UNUSED static void hello_extension(struct strbuf *out, unsigned type,
                                   const void *data, size_t len)
{
    hello_number(out, type, 2);
    hello_number(out, len, 2);
    strbuf_add(out, data, len);
}

/* An entry of a list of server names, of the kind given. */
UNUSED static void hello_name(struct strbuf *out, int kind, const char *name,
                              size_t len)
{
    hello_number(out, (size_t)kind, 1);
    hello_number(out, len, 2);
    strbuf_add(out, name, len);
}

UNUSED static void hello_names(struct strbuf *extensions,
                               const struct strbuf *names)
{
    CLEANUP(strbuf) struct strbuf list = STRBUF_INIT;

    hello_number(&list, names->len, 2);
    strbuf_add(&list, names->data, names->len);
    hello_extension(extensions, 0, list.data, list.len);
}

/* The handshake message, without records; `extensions` NULL: none at all. */
UNUSED static void hello_message(struct strbuf *out,
                                 const struct strbuf *extensions)
{
    CLEANUP(strbuf) struct strbuf body = STRBUF_INIT;

    strbuf_adds(&body, "\x03\x03"
                       "0123456789abcdef0123456789abcdef");
    hello_number(&body, 0, 1);      /* session */
    hello_number(&body, 2, 2);      /* cipher suites */
    hello_number(&body, 0x1301, 2); /* of which one */
    hello_number(&body, 1, 1);      /* compression */
    hello_number(&body, 0, 1);
    if (extensions) {
        hello_number(&body, extensions->len, 2);
        strbuf_add(&body, extensions->data, extensions->len);
    }
    hello_number(out, 1, 1);
    hello_number(out, body.len, 3);
    strbuf_add(out, body.data, body.len);
}

/* In records of `size` bytes each. */
UNUSED static void hello_records(struct strbuf *out,
                                 const struct strbuf *message, size_t size)
{
    for (size_t at = 0; at < message->len; at += size) {
        size_t len = message->len - at < size ? message->len - at : size;

        strbuf_adds(out, "\x16\x03\x01");
        hello_number(out, len, 2);
        strbuf_add(out, message->data + at, len);
    }
}

#endif
