/* base/xml.h - the elements of a small XML document, by expat. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_XML_H
#define BASE_XML_H

#include "base/err.h"

#include <stddef.h>

#define XML_MAX_DEPTH 16
/* Of the names of an element and those around it, and of its text. */
#define XML_MAX_PATH 512
#define XML_MAX_TEXT ((size_t)64 << 10)

/**
 * Told at the end of each element: `path`, its name behind those around it
 * ("ListBucketResult/Contents/Key"), without prefixes, and the text that stands
 * directly in it, in UTF-8 and with a NUL behind it; both borrowed. -1 ends
 * the reading, with its own `err`.
 */
typedef int xml_element_fn(void *arg, const char *path, const char *text,
                           size_t len, struct err *err);

/**
 * Read a whole document, which may be any bytes. ERR_USER: it is none, has a
 * document type (so no entities but the five that are always there), or is
 * deeper or longer than the limits above. Attributes are passed over.
 */
MUST_USE int xml_read(const void *data, size_t len, xml_element_fn *fn,
                      void *arg, struct err *err);

#endif
