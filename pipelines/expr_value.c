/* pipelines/expr_value.c - the values of expressions; for expr*.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/expr_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX_LEN 64

struct value value_bool(bool b)
{
    return (struct value){VALUE_BOOL, b ? 1 : 0, NULL};
}

bool value_true(struct value v)
{
    switch (v.kind) {
    case VALUE_NULL:
        return false;
    case VALUE_TEXT:
        return *v.text != '\0';
    default:
        return v.number != 0 && !isnan(v.number);
    }
}

/* Only what strtod() reads the same in every locale, and no inf or nan. */
static bool number_shape(const char *s)
{
    size_t whole, part = 0;

    s += *s == '-' || *s == '+';
    if (s[0] == '0' && s[1] == 'x')
        return s[2] && !s[2 + strspn(s + 2, "0123456789abcdefABCDEF")];
    whole = strspn(s, "0123456789");
    s += whole;
    if (*s == '.') {
        part = strspn(s + 1, "0123456789");
        s += 1 + part;
    }
    if (!whole && !part)
        return false;
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '-' || s[1] == '+');
        if (!strspn(s, "0123456789"))
            return false;
        s += strspn(s, "0123456789");
    }
    return !*s;
}

bool value_number(const char *s, size_t len, double *out)
{
    char copy[NUMBER_MAX_LEN + 1];

    if (len > NUMBER_MAX_LEN)
        return false;
    memcpy(copy, s, len);
    copy[len] = '\0';
    if (!number_shape(copy))
        return false;
    *out = strtod(copy, NULL);
    return true;
}

static double as_number(struct value v)
{
    size_t lead, len;
    double number;

    if (v.kind != VALUE_TEXT)
        return v.number; /* null has 0 there */
    lead = strspn(v.text, " \t\n");
    len = strlen(v.text + lead);
    while (len && strchr(" \t\n", v.text[lead + len - 1]))
        len--;
    if (!len)
        return 0;
    return value_number(v.text + lead, len, &number) ? number : NAN;
}

enum value_order value_compare(struct value a, struct value b)
{
    double x, y;

    if (a.kind == VALUE_TEXT && b.kind == VALUE_TEXT) {
        int order = strcmp(a.text, b.text);

        if (order)
            return order < 0 ? ORDER_LESS : ORDER_MORE;
        return ORDER_EQUAL;
    }
    x = as_number(a);
    y = as_number(b);
    if (isnan(x) || isnan(y))
        return ORDER_NONE;
    if (x < y)
        return ORDER_LESS;
    return x > y ? ORDER_MORE : ORDER_EQUAL;
}

const char *value_text(struct value v, struct arena *arena)
{
    char text[32];

    switch (v.kind) {
    case VALUE_NULL:
        return "";
    case VALUE_BOOL:
        return v.number != 0 ? "true" : "false";
    case VALUE_TEXT:
        return v.text;
    default:
        (void)snprintf(text, sizeof(text), "%.15g", v.number);
        return arena_strndup(arena, text, strlen(text));
    }
}
