/* base/json_texts.c - lists of texts as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_texts.h"

json_t *json_texts(const char *const *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(items[i]));
    if (json_array_size(list) == count)
        return list;
    json_decref(list);
    return NULL;
}
