/* base/arena.h - memory that is freed all at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/mem.h"

struct arena;

/** An empty arena, owned by the caller. */
MUST_USE struct arena *arena_new(void);
/** Free it and everything allocated from it. NULL is fine. */
void arena_free(struct arena *arena);
OWNER(arena)

/** `size` zeroed bytes, aligned for anything; running out aborts. */
MUST_USE __attribute__((returns_nonnull)) void *arena_alloc(struct arena *arena,
                                                            size_t size);
/** A copy of `len` bytes with a NUL behind it. */
MUST_USE char *arena_strndup(struct arena *arena, const char *s, size_t len);

/**
 * Make room for one more item: returns `items` (NULL while `count` is 0), or a
 * copy of twice the size when `count` is 0 or a power of two. Never shrinks;
 * the old copy stays until the arena goes, so a list costs at most twice its
 * size.
 */
MUST_USE __attribute__((returns_nonnull)) void *
arena_grow(struct arena *arena, void *items, size_t count, size_t item_size);

#endif
