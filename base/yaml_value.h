/* base/yaml_value.h - a part of a YAML document as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_YAML_VALUE_H
#define BASE_YAML_VALUE_H

#include "base/yaml_tree.h"

/**
 * The same value as JSON, aliases written out; owned by the caller
 * (json_decref). Numbers that fit 53 bits are integers; NULL when one is
 * infinite or not a number, which JSON has not.
 */
MUST_USE json_t *yaml_node_to_json(const struct yaml_node *node);

#endif
