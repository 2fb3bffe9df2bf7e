/* worker/opencode/setup.h - what opencode finds when it runs in a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_OPENCODE_SETUP_H
#define WORKER_OPENCODE_SETUP_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>

/** A directory of ours alone, with a home and a configuration for it. */
struct setup {
    char *dir;         /* owned; below $HOME, removed by setup_clear() */
    char *program;     /* owned; the real one */
    bool is_legacy;    /* it is the older program, with -p */
    struct strv env;   /* its whole environment */
    const char *model; /* "berth/MODEL" as it is named there; NULL: none */
    char *model_name;  /* owned */
};

/** Tools by their names in opencode: "read", "grep", "glob", "bash" … */
#define SETUP_TOOLS_DEFAULT "read grep glob"

/**
 * Find the real program ($BERTH_OPENCODE, else where `berth setup opencode`
 * puts it, else the first in $PATH that is not us), and write a configuration
 * that allows `tools` (words) and nothing else, asks for nothing, loads no
 * plugins, shares and updates nothing, and knows one model: the one that
 * BERTH_MODEL_URL, BERTH_MODEL, BERTH_MODEL_CONTEXT, BERTH_MODEL_OUTPUT and
 * BERTH_MODEL_DIALECT say. `agent` NULL: no prompt of its own.
 * ERR_USER: there is no opencode, and how to get one.
 */
MUST_USE int setup_make(struct setup *out, const char *tools,
                        const char *agent_prompt, struct err *err);
void setup_clear(struct setup *setup);
UNUSED static inline void setup_freep(struct setup *setup)
{
    setup_clear(setup);
}

#endif
