/* pipelines/expr_value.h - the values of expressions; for expr*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_EXPR_VALUE_H
#define PIPELINES_EXPR_VALUE_H

#include "base/arena.h"

#include <stdbool.h>

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_TEXT };

struct value {
    enum value_kind kind;
    double number;    /* VALUE_BOOL: 0 or 1 */
    const char *text; /* VALUE_TEXT; in the arena */
};

enum value_order { ORDER_NONE, ORDER_LESS, ORDER_EQUAL, ORDER_MORE };

struct value value_bool(bool b);
/** False are: false, 0, '', null, not-a-number. */
bool value_true(struct value v);
/** By the loose rules in expr.h; ORDER_NONE: neither equal nor ordered. */
enum value_order value_compare(struct value a, struct value b);
/** As a template shows it; null is "". In the arena, or static. */
const char *value_text(struct value v, struct arena *arena);

/** A number that takes all of `len` bytes: 12, -0.5, 1e3, 0x1f. */
bool value_number(const char *s, size_t len, double *out);

#endif
