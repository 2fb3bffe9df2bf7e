/* base/err.c - one error value; its kind decides a job's fate. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#undef err_set
#undef err_sys
#undef err_wrap

static const char *const kind_names[] = {
    [ERR_NONE] = "none",
    [ERR_USER] = "user",
    [ERR_TRANSIENT] = "transient",
    [ERR_LOST] = "lost",
    [ERR_CANCELLED] = "cancelled",
    [ERR_TIMEOUT] = "timeout",
    [ERR_BUG] = "bug",
};

/* Add to what is there; what has no room ends between two characters. */
PRINTF_LIKE(3, 0)
static void add(struct err *err, size_t at, const char *fmt, va_list ap)
{
    char text[sizeof(err->msg) + 1];
    size_t len;

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    len = utf8_fit(text, strlen(text), sizeof(err->msg) - 1 - at);
    memcpy(err->msg + at, text, len);
    err->msg[at + len] = '\0';
}

PRINTF_LIKE(2, 3) static void append(struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(err, strlen(err->msg), fmt, ap);
    va_end(ap);
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    err->kind = kind;
    err->sys = 0;
    va_start(ap, fmt);
    add(err, 0, fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    int sys = errno;
    va_list ap;

    if (!err)
        return -1;
    err->kind = kind;
    err->sys = sys;
    va_start(ap, fmt);
    add(err, 0, fmt, ap);
    va_end(ap);
    append(err, ": %s", strerrordesc_np(sys) ? strerrordesc_np(sys) : "error");
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char old[sizeof(err->msg)];
    va_list ap;

    if (!err)
        return -1;
    memcpy(old, err->msg, sizeof(old));
    va_start(ap, fmt);
    add(err, 0, fmt, ap);
    va_end(ap);
    append(err, ": %s", old);
    return -1;
}

const char *err_kind_name(enum err_kind kind)
{
    return (size_t)kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "unknown";
}

enum err_kind err_kind_find(const char *name)
{
    for (size_t i = ERR_NONE + 1; i < ARRAY_LEN(kind_names); i++)
        if (strcmp(name, kind_names[i]) == 0)
            return (enum err_kind)i;
    return ERR_NONE;
}
