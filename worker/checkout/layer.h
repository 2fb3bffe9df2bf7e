/* worker/checkout/layer.h - a tree for many, below an overlay. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_LAYER_H
#define WORKER_CHECKOUT_LAYER_H

#include <stddef.h>
#include <stdint.h>

#define LAYER_MAX_BASES  3
#define LAYER_FILE_BYTES 4096u /* what a file costs at least, and is cut to */

/** A whole tree that is there already. */
struct layer_base {
    const char *commit; /* 40 hexadecimal digits */
    const char *index;  /* a copy of its index, readable by the uid */
};

/** What a tree is written to be, instead of one job's own. */
enum layer_kind {
    LAYER_NONE,  /* nothing that could be used was written */
    LAYER_FULL,  /* a whole tree */
    LAYER_DELTA, /* what differs from a base */
};

struct layer {
    enum layer_kind kind;
    size_t base;    /* which one, of LAYER_DELTA */
    uint64_t bytes; /* about what it takes on disk: max_bytes at most */
    uint64_t max_bytes;
};

/** What a file of so many bytes adds to struct layer's bytes. */
static inline uint64_t layer_cost(uint64_t size)
{
    return (size / LAYER_FILE_BYTES + 2) * LAYER_FILE_BYTES;
}

#endif
