/* pipelines/findings/tap_block.h - the YAML behind a test point of TAP. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_TAP_BLOCK_H
#define PIPELINES_FINDINGS_TAP_BLOCK_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * What is of use in one. Read line by line and not by a parser of YAML: half of
 * what runners write is none, and one block must not cost the others.
 */
struct tap_block {
    struct strbuf message;  /* message, error */
    struct strbuf trace;    /* stack */
    struct strbuf place;    /* at, location */
    struct strbuf file;     /* file, fileName… */
    struct strbuf expected; /* expected, wanted */
    struct strbuf actual;   /* actual, found, got */
    uint32_t line, column;
    struct strbuf *open; /* the block scalar that goes on */
    size_t indent;       /* of its key */
};

/** Empty; tap_block_clear() after use. */
void tap_block_init(struct tap_block *block);
void tap_block_clear(struct tap_block *block);

/** The next line, without line feed and the indentation of the whole block. */
void tap_block_add(struct tap_block *block, const char *line, size_t len);

#endif
