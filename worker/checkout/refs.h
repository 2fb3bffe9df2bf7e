/* worker/checkout/refs.h - lists of references, as packed-refs files. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REFS_H
#define WORKER_CHECKOUT_REFS_H

#include "base/err.h"

#include <stdbool.h>

#define REFS_MAX      500000
#define REF_NAME_MAX  1000
#define OID_HEX_SIZE  41 /* 40 digits and a NUL */
#define REFS_MAX_FILE ((size_t)256 << 20)

struct ref {
    char *name;                /* owned; "refs/…" */
    char oid[OID_HEX_SIZE];    /* lower case */
    char peeled[OID_HEX_SIZE]; /* of an annotated tag; "" otherwise */
};

/*
 * A set of references. A mirror and a tree keep all of theirs in one
 * packed-refs file, replaced in one step: a branch `a` that gave way to `a/b`
 * cannot leave a file where a directory must be, and nothing is half-written.
 */
struct refs {
    struct ref *items; /* owned */
    size_t count;
    size_t cap;
};

/** Whether git takes `name` as a reference below refs/ (check-ref-format). */
bool ref_name_ok(const char *name);
/** Whether `text` is a whole commit id: 40 hexadecimal digits. */
bool oid_ok(const char *text);

/**
 * Add a reference; a name that is not ref_name_ok(), an id that is not one,
 * or more than REFS_MAX of them are left out and give false. Ids are lowered.
 */
bool refs_add(struct refs *refs, const char *name, const char *oid,
              const char *peeled);
/** Remove all whose name begins with `prefix`. */
void refs_drop(struct refs *refs, const char *prefix);
/** Remove the one called `name`, if there is one. */
void refs_drop_one(struct refs *refs, const char *name);
/**
 * Sort by name; of two with one name the later added is dropped, and so is
 * `a/b` beside `a`: no git could keep both.
 */
void refs_settle(struct refs *refs);
/** Borrowed, NULL when there is none; only after refs_settle(). */
const struct ref *refs_find(const struct refs *refs, const char *name);

/** Add those of a packed-refs file; a missing file is an empty one. */
MUST_USE int refs_load(struct refs *refs, const char *path, struct err *err);
/** Settle, and replace `path` in one step. */
MUST_USE int refs_save(struct refs *refs, const char *path, struct err *err);

/** Free what the set owns and empty it. */
void refs_clear(struct refs *refs);
UNUSED static inline void refs_freep(struct refs *refs)
{
    refs_clear(refs);
}

#endif
