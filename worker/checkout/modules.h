/* worker/checkout/modules.h - reading a stranger's .gitmodules. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_MODULES_H
#define WORKER_CHECKOUT_MODULES_H

#include "base/err.h"

#define MODULES_MAX_BYTES ((size_t)256 << 10)
#define MODULES_MAX       256

struct module {
    char *name; /* owned, as the others; NULL where the file has none */
    char *path;
    char *url;
};

struct modules {
    struct module *items; /* owned */
    size_t count;
};

/**
 * Parse the text of a .gitmodules file: git's configuration syntax, but no
 * includes, and only [submodule "name"] with path and url. ERR_USER with the
 * line for what git would refuse: a malformed line, a name with "..", a path
 * that is path_fault(), a value that begins with '-', too many of them.
 */
MUST_USE int modules_parse(const char *text, size_t len,
                           struct modules *out_modules, struct err *err);
/** The one at `path`, borrowed, or NULL. */
const struct module *modules_at(const struct modules *modules,
                                const char *path);
void modules_clear(struct modules *modules);
UNUSED static inline void modules_freep(struct modules *modules)
{
    modules_clear(modules);
}

#endif
