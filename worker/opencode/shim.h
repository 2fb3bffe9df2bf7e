/* worker/opencode/shim.h - `opencode` in a sandbox, whichever is installed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_SHIM_H
#define WORKER_OPENCODE_SHIM_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>

/*
 * Two programs have had this name. Both are understood here, and whichever is
 * there is run:
 *   opencode -p PROMPT [-f text|json] [-q] [-c DIR]   the older one
 *   opencode run [OPTION…] [PROMPT…]                  the newer one
 *   … | opencode                                      a prompt
 * The prompt goes to its standard input, so that it can be of any length; what
 * would wait for a person is refused; all else is passed through. It exits with
 * 0 only where the model finished, and said something; with 1 where it did not;
 * with 2 where it was not asked.
 */

#define SHIM_MAX_PROMPT ((size_t)16 << 20)

enum shim_kind {
    SHIM_ASK,         /* one of the above */
    SHIM_PASS,        /* another command of the program, as it is */
    SHIM_INTERACTIVE, /* it would wait for a person */
};

struct shim_call {
    enum shim_kind kind;
    struct strbuf prompt; /* from the arguments */
    bool wrap;            /* answer {"response": …}, as the older one does */
    bool events;          /* --format json of the newer one */
    const char *cwd;      /* borrowed; NULL: here */
    bool has_model, has_title;
    struct strv rest; /* options for the newer one */
};

/** Read the arguments, without the program's name. ERR_USER. */
MUST_USE int shim_parse(int argc, const char *const *argv,
                        struct shim_call *out, struct err *err);
void shim_call_clear(struct shim_call *call);

int shim_main(int argc, char **argv);

#endif
