/* base/yaml_scalar.c - what a scalar is, by YAML 1.2's core schema. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CORE_TAG "tag:yaml.org,2002:"

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

static bool is_null(const char *text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};

    return is_one_of(text, words);
}

static bool is_bool(const char *text, double *out)
{
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};

    *out = is_one_of(text, yes);
    return *out != 0 || is_one_of(text, no);
}

static bool is_int(const char *text, double *out)
{
    const char *p = text + (*text == '-' || *text == '+');
    char *end;

    if (!strncmp(text, "0x", 2) || !strncmp(text, "0o", 2)) {
        bool hex = text[1] == 'x';
        const char *set = hex ? "0123456789abcdefABCDEF" : "01234567";

        if (!text[2] || text[2 + strspn(text + 2, set)])
            return false;
        *out = (double)strtoull(text + 2, &end, hex ? 16 : 8);
        return true;
    }
    if (!*p || p[strspn(p, "0123456789")])
        return false;
    *out = strtod(text, NULL);
    return true;
}

static bool is_special(const char *text, double *out)
{
    static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nan_[] = {".nan", ".NaN", ".NAN", NULL};
    const char *p = text + (*text == '-' || *text == '+');

    if (is_one_of(p, inf)) {
        *out = *text == '-' ? -INFINITY : INFINITY;
        return true;
    }
    *out = NAN;
    return is_one_of(text, nan_);
}

static bool is_float(const char *text, double *out)
{
    const char *p = text + (*text == '-' || *text == '+');
    size_t whole = strspn(p, "0123456789");
    size_t part = 0;

    if (is_special(text, out))
        return true;
    p += whole;
    if (*p == '.') {
        part = strspn(p + 1, "0123456789");
        p += 1 + part;
    }
    if (!whole && !part)
        return false;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        if (!strspn(p, "0123456789"))
            return false;
        p += strspn(p, "0123456789");
    }
    *out = strtod(text, NULL);
    return !*p;
}

static enum yaml_kind plain_kind(const char *text, double *number)
{
    if (is_null(text))
        return NODE_NULL;
    if (is_bool(text, number))
        return NODE_BOOL;
    if (is_int(text, number))
        return NODE_INT;
    return is_float(text, number) ? NODE_FLOAT : NODE_STRING;
}

bool yaml_scalar_resolve(struct yaml_node *node, bool plain, const char *tag)
{
    static const struct {
        const char *tag;
        enum yaml_kind kind;
    } tags[] = {
        {CORE_TAG "null", NODE_NULL},  {CORE_TAG "bool", NODE_BOOL},
        {CORE_TAG "int", NODE_INT},    {CORE_TAG "float", NODE_FLOAT},
        {CORE_TAG "str", NODE_STRING}, {"!", NODE_STRING},
    };
    enum yaml_kind kind = plain_kind(node->text, &node->number);

    if (!tag) {
        node->kind = plain ? kind : NODE_STRING;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (strcmp(tag, tags[i].tag) != 0)
            continue;
        node->kind = tags[i].kind;
        return kind == node->kind || node->kind == NODE_STRING ||
               (kind == NODE_INT && node->kind == NODE_FLOAT);
    }
    node->kind = NODE_STRING;
    return false;
}
