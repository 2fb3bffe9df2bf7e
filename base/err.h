/* base/err.h - one error value; its kind decides a job's fate. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/mem.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_USER,      /* the job's or the caller's fault: fails the job */
    ERR_TRANSIENT, /* the infrastructure's: the job may be tried again */
    ERR_LOST,      /* another holds the lease: drop the job silently */
    ERR_CANCELLED,
    ERR_TIMEOUT,
    ERR_BUG, /* ours: alert somebody */
};

/** Belongs to the caller, on the stack; never allocates. Start zeroed. */
struct err {
    enum err_kind kind;
    int sys; /* errno, or 0 */
    char msg[1024];
};

/** Set `*err` (NULL is fine) and return -1. `sys` becomes 0. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/** The same with errno: the message gets ": strerror" behind it. */
int err_sys(struct err *err, enum err_kind kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/** Put "context: " in front of the message; kind stays. Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#ifdef __clang_analyzer__
/* It cannot see from here that these always return -1. */
#define err_set(...)  ((void)err_set(__VA_ARGS__), -1)
#define err_sys(...)  ((void)err_sys(__VA_ARGS__), -1)
#define err_wrap(...) ((void)err_wrap(__VA_ARGS__), -1)
#endif

/** "user", "transient" …: a stable word for logs and JSON. Static. */
const char *err_kind_name(enum err_kind kind);
/** The inverse; ERR_NONE for any other word. */
enum err_kind err_kind_find(const char *name);

#endif
