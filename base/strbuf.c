/* base/strbuf.c - a growing byte buffer with a maximum. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char strbuf_empty[1] = "";

static void reserve(struct strbuf *b, size_t more)
{
    size_t need = b->len + more + 1;
    size_t cap = b->cap ? b->cap : 64;

    if (need <= b->cap)
        return;
    while (cap < need)
        cap *= 2;
    b->data = xreallocarray(b->cap ? b->data : NULL, cap, 1);
    b->cap = cap;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
    if (len > b->max_bytes - b->len) {
        len = b->max_bytes - b->len;
        b->truncated = true;
    }
    if (!len)
        return;
    reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void strbuf_adds(struct strbuf *b, const char *s)
{
    strbuf_add(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    CLEANUP(mem) char *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    s = xvasprintf(fmt, ap);
    va_end(ap);
    strbuf_adds(b, s);
}

void strbuf_consume(struct strbuf *b, size_t n)
{
    if (n > b->len)
        n = b->len;
    if (!n)
        return;
    memmove(b->data, b->data + n, b->len - n);
    strbuf_cut(b, b->len - n);
}

void strbuf_cut(struct strbuf *b, size_t len)
{
    if (len >= b->len)
        return;
    b->len = len;
    b->data[len] = '\0';
}

char *strbuf_take(struct strbuf *b)
{
    char *s = b->cap ? b->data : xstrdup("");

    b->data = strbuf_empty;
    b->len = b->cap = 0;
    b->truncated = false;
    return s;
}

void strbuf_clear(struct strbuf *b)
{
    if (b->cap)
        free(b->data);
    b->data = strbuf_empty;
    b->len = b->cap = 0;
    b->truncated = false;
}
