/* base/yaml_value.c - a part of a YAML document as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_value.h"

#include <math.h>

/* What a double holds exactly. */
#define INTEGER_MAX 9007199254740992.0

static json_t *number_json(double number)
{
    if (trunc(number) == number && fabs(number) <= INTEGER_MAX)
        return json_integer((json_int_t)number);
    return json_real(number); /* NULL: not finite */
}

static json_t *list_json(const struct yaml_node *node)
{
    json_t *list = json_array();

    for (size_t i = 0; i < node->count; i++)
        if (json_array_append_new(list, yaml_node_to_json(node->items[i])) <
            0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *map_json(const struct yaml_node *node)
{
    json_t *map = json_object();

    for (size_t i = 0; i < node->count; i++)
        if (json_object_set_new(map, node->entries[i].key->text,
                                yaml_node_to_json(node->entries[i].value)) <
            0) {
            json_decref(map);
            return NULL;
        }
    return map;
}

json_t *yaml_node_to_json(const struct yaml_node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        return json_null();
    case NODE_BOOL:
        return json_boolean(node->number != 0);
    case NODE_INT:
    case NODE_FLOAT:
        return number_json(node->number);
    case NODE_STRING:
        return json_string(node->text);
    case NODE_LIST:
        return list_json(node);
    case NODE_MAP:
        return map_json(node);
    }
    return NULL;
}
