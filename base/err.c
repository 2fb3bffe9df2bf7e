/* base/err.c - one error value; its kind decides a job's fate. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

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

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return -1;
    err->kind = kind;
    err->sys = 0;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    int sys = errno;
    va_list ap;
    size_t len;

    if (!err)
        return -1;
    err->kind = kind;
    err->sys = sys;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    len = strlen(err->msg);
    (void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s",
                   strerrordesc_np(sys) ? strerrordesc_np(sys) : "error");
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    char old[sizeof(err->msg)];
    va_list ap;
    size_t len;

    if (!err)
        return -1;
    memcpy(old, err->msg, sizeof(old));
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    len = strlen(err->msg);
    (void)snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", old);
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
