/* base/json_texts.c - texts in JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_texts.h"

const char *json_text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

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
