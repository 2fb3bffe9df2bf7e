/* pipelines/expr.h - conditions (`if`) and templates (`${{ }}`). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_EXPR_H
#define PIPELINES_EXPR_H

#include "base/err.h"

#include <stdbool.h>

/*
 * The language, loosest first: `||`, `&&`, `== !=`, `< <= > >=`, `!`,
 * parentheses; literals 'text' and "text" (a quote is doubled to stand for
 * itself), numbers, true, false, null; the functions always(), success(),
 * failure(), cancelled(); and the contexts
 *
 *   repo commit branch change base trust      plain values
 *   inputs.x  env.X  matrix.x                 also inputs['x']
 *   steps.NAME.outcome                        also steps['unit tests'].outcome
 *   needs.NAME.outcome                        in the condition of a job
 *
 * An outcome is success, failure, cancelled or skipped. What a context does
 * not have is null. Types are as loose as GitHub's: unlike types compare as
 * numbers (null and '' are 0, true is 1, other text is not a number and equals
 * nothing), `&&` and `||` give back an operand; but text compares byte by
 * byte, so 'Main' is not 'main'. False are: false, 0, '', null, not-a-number.
 */

/** How the job stands when a step is about to start. */
enum expr_status {
    EXPR_SUCCESS,
    EXPR_FAILURE,
    EXPR_CANCELLED,
    EXPR_SKIPPED, /* of a job that needs one which was skipped: none of these */
};

/**
 * The value of a context: ("repo", NULL), ("inputs", "x"), ("env", "X"),
 * ("matrix", "x"), ("steps", "unit tests") for that step's outcome,
 * ("needs", "build") for that job's. NULL when there is none. The text is
 * copied before the next call.
 */
typedef const char *expr_lookup_fn(void *arg, const char *context,
                                   const char *name);

struct expr_scope {
    enum expr_status status;
    expr_lookup_fn *lookup; /* NULL: every context is null */
    void *arg;              /* for lookup */
};

/**
 * Whether a step is to run. `condition` is struct step's: without ${{ }}
 * around it, or NULL, which means success(). A condition that names no status
 * function means success() && (condition).
 *
 * ERR_USER when it is not a condition, as expr_check() would have said.
 */
MUST_USE int condition_eval(const char *condition,
                            const struct expr_scope *scope, bool *out,
                            struct err *err);

/**
 * Replace each ${{ expression }} in `text`. `*out` is owned by the caller.
 * ERR_USER when an expression is wrong, or the result longer than
 * EXPR_MAX_EXPANDED bytes.
 */
MUST_USE int template_expand(const char *text, const struct expr_scope *scope,
                             char **out, struct err *err);

#define EXPR_MAX_BYTES    4096 /* of one expression */
#define EXPR_MAX_DEPTH    32   /* of parentheses */
#define EXPR_MAX_PARTS    100  /* ${{ }} in one template */
#define EXPR_MAX_EXPANDED ((size_t)128 << 10)

enum expr_form { EXPR_CONDITION, EXPR_TEMPLATE };

/** What expr_check() may refer to, and where its complaints go. */
struct expr_rules {
    /**
     * Whether a step of that name comes earlier. On false `*out_close` may be
     * set to the name that was meant. NULL: there is no earlier step.
     */
    bool (*has_step)(void *arg, const char *name, const char **out_close);
    /**
     * One error at byte `offset` of the text. `hint` is what was meant
     * instead, or NULL.
     */
    void (*on_error)(void *arg, size_t offset, const char *message,
                     const char *hint);
    void *arg; /* for all */
    /**
     * Whether a context other than steps has a name: ("matrix", "node");
     * `*out_close` as has_step's. NULL: they are not checked.
     */
    bool (*has_name)(void *arg, const char *context, const char *name,
                     const char **out_close);
    /** The contexts that may be used, NULL at the end. NULL: all. */
    const char *const *contexts;
};

/**
 * Check a condition or a template without evaluating it. A wrong name is
 * reported and passed over; wrong syntax ends that expression, and the next
 * ${{ }} of a template is looked at. Returns 0 when nothing was reported.
 */
MUST_USE int expr_check(const char *text, enum expr_form form,
                        const struct expr_rules *rules);

/** Whether `text` holds a ${{ at all. */
bool template_is(const char *text);

#endif
