/* base/header.h - the headers of an HTTP message, as "Name: value" lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEADER_H
#define BASE_HEADER_H

#include "base/mem.h"

/**
 * The value of the first header of this name, any case, without white space in
 * front of it; borrowed from `headers`. NULL: there is none.
 */
const char *header_find(const struct strv *headers, const char *name);

/** How many headers have this name. */
size_t header_count(const struct strv *headers, const char *name);

#endif
