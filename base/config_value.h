/* base/config_value.h - one value of a config; for config*.c alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONFIG_VALUE_H
#define BASE_CONFIG_VALUE_H

#include "base/config.h"

/* Told what is wrong with a value; `node` is the part that it is about. */
typedef void config_value_error_fn(void *arg, const struct yaml_node *node,
                                   const char *message, const char *hint);

/* Set a field from text, or leave it and say what is wrong. */
MUST_USE int config_value_parse(const struct config_key *key, const char *text,
                                void *field, struct err *err);
/* Set a field from a part of a file; -1: reported, and the field is as it was.
 */
MUST_USE int config_value_load(const struct config_key *key,
                               const struct yaml_node *node, void *field,
                               config_value_error_fn *fn, void *arg);
/* config_value_parse() takes it; owned by the caller; "" for a tree. */
MUST_USE char *config_value_text(const struct config_key *key,
                                 const void *field);
MUST_USE json_t *config_value_json(const struct config_key *key,
                                   const void *field);
/* Free what a field owns; it is zero then. */
void config_value_clear(const struct config_key *key, void *field);

#endif
