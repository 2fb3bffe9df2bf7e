/* base/json_texts.h - lists of texts as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_TEXTS_H
#define BASE_JSON_TEXTS_H

#include "base/mem.h"

#include <jansson.h>

/** An array, new (json_decref); NULL: one of them is not UTF-8. */
MUST_USE json_t *json_texts(const char *const *items, size_t count);

#endif
