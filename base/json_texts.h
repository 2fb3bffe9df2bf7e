/* base/json_texts.h - texts in JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_TEXTS_H
#define BASE_JSON_TEXTS_H

#include "base/mem.h"

#include <jansson.h>

/** The text of a key, borrowed; "": there is none. */
const char *json_text_at(const json_t *object, const char *key);

/** An array, new (json_decref); NULL: one of them is not UTF-8. */
MUST_USE json_t *json_texts(const char *const *items, size_t count);

#endif
