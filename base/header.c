/* base/header.c - the headers of an HTTP message, as "Name: value" lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/header.h"

#include <string.h>
#include <strings.h>

/* The value of a line that has this name, or NULL. */
static const char *value_of(const char *line, const char *name, size_t len)
{
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line + len + 1 + strspn(line + len + 1, " \t");
}

const char *header_find(const struct strv *headers, const char *name)
{
    const char *value = NULL;
    size_t len = strlen(name);

    for (size_t i = 0; i < headers->count && !value; i++)
        value = value_of(headers->items[i], name, len);
    return value;
}

size_t header_count(const struct strv *headers, const char *name)
{
    size_t found = 0, len = strlen(name);

    for (size_t i = 0; i < headers->count; i++)
        found += value_of(headers->items[i], name, len) != NULL;
    return found;
}
