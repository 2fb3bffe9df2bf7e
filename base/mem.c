/* base/mem.c - allocation that cannot fail, and ownership. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p)
{
    if (!p) {
        fputs("berth: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    return check(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return check(strdup(s));
}

char *xstrndup(const char *s, size_t max)
{
    return check(strndup(s, max));
}

void *xmemdup(const void *data, size_t size)
{
    void *copy = xmalloc(size);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *s = NULL;

    if (vasprintf(&s, fmt, ap) < 0)
        s = NULL;
    return check(s);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = xvasprintf(fmt, ap);
    va_end(ap);
    return s;
}

void mem_freep(void *p)
{
    void *mem;

    memcpy(&mem, p, sizeof(mem));
    free(mem);
}

void mem_wipe(void *data, size_t size)
{
    if (data)
        explicit_bzero(data, size);
}

static void strv_take(struct strv *v, char *s)
{
    v->items = xreallocarray(v->items, v->count + 2, sizeof(*v->items));
    v->items[v->count++] = s;
    v->items[v->count] = NULL;
}

void strv_add(struct strv *v, const char *s)
{
    strv_take(v, xstrdup(s));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    strv_take(v, xvasprintf(fmt, ap));
    va_end(ap);
}

static size_t strv_find(const struct strv *v, const char *name)
{
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < v->count; i++)
        if (!strncmp(v->items[i], name, len) && v->items[i][len] == '=')
            break;
    return i;
}

void strv_setenv(struct strv *v, const char *name, const char *value)
{
    char *entry = xasprintf("%s=%s", name, value);
    size_t i = strv_find(v, name);

    if (i == v->count) {
        strv_take(v, entry);
        return;
    }
    free(v->items[i]);
    v->items[i] = entry;
}

const char *strv_getenv(const struct strv *v, const char *name)
{
    size_t i = strv_find(v, name);

    return i == v->count ? NULL : v->items[i] + strlen(name) + 1;
}

void strv_clear(struct strv *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->items[i]);
    free(v->items);
    memset(v, 0, sizeof(*v));
}
