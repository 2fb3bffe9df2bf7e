/* base/mem.h - allocation that cannot fail, and ownership. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define UNUSED            __attribute__((unused))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

/** Call `name_freep(&variable)` when the variable leaves its scope. */
#define CLEANUP(name) __attribute__((cleanup(name##_freep)))

/** Define `name_freep`, which CLEANUP(name) needs, from `name_free`. */
#define OWNER(name)                                                            \
    UNUSED static inline void name##_freep(struct name **p)                    \
    {                                                                          \
        name##_free(*p);                                                       \
    }

/** Give away what a cleanup variable owns. */
#define STEAL(p)                                                               \
    __extension__({                                                            \
        __typeof__(p) stolen_ = (p);                                           \
        (p) = NULL;                                                            \
        stolen_;                                                               \
    })

/**
 * The allocators of libc, but for running out: that aborts the process
 * with a line on stderr. Leases make an abort safe. The caller owns the result
 * and gives it to free().
 */
MUST_USE void *xmalloc(size_t size);
MUST_USE void *xcalloc(size_t count, size_t size);
MUST_USE void *xreallocarray(void *old, size_t count, size_t size);
MUST_USE char *xstrdup(const char *s);
MUST_USE char *xstrndup(const char *s, size_t max);
MUST_USE void *xmemdup(const void *data, size_t size);
MUST_USE char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
MUST_USE char *xvasprintf(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);

/** free() for `CLEANUP(mem) char *s`: takes any pointer variable's address. */
void mem_freep(void *p);

/** Overwrite a secret so that the compiler cannot drop it. NULL is fine. */
void mem_wipe(void *data, size_t size);

/**
 * A NULL-terminated list of owned strings, as execve() takes it. Start with
 * all zeros; `items` is NULL while empty.
 */
struct strv {
    char **items; /* owned, NULL-terminated */
    size_t count;
};

/** Append a copy of `s`. */
void strv_add(struct strv *v, const char *s);
/** Append a formatted string. */
void strv_addf(struct strv *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
/**
 * Set `NAME=value` in a list of environment entries, in place of an earlier
 * entry with the same name.
 */
void strv_setenv(struct strv *v, const char *name, const char *value);
/** The value of `name` in a list of environment entries (borrowed), or NULL. */
const char *strv_getenv(const struct strv *v, const char *name);
/** Free what the list owns and empty it. */
void strv_clear(struct strv *v);
/** strv_clear for CLEANUP(strv) struct strv v. */
UNUSED static inline void strv_freep(struct strv *v)
{
    strv_clear(v);
}

#endif
