/* base/arena.c - memory that is freed all at once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 << 10)

struct block {
    struct block *next; /* owned */
    max_align_t data[];
};

struct arena {
    struct block *blocks; /* owned; the first has the room */
    size_t used;          /* of the first block's data */
    size_t size;
};

struct arena *arena_new(void)
{
    return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        struct block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

static struct block *block_new(size_t size)
{
    return xcalloc(1, sizeof(struct block) + size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    struct block *block;
    char *p;

    if (size > SIZE_MAX / 2)
        abort();
    if (!size)
        size = 1;
    size = (size + align - 1) / align * align;
    if (size > BLOCK_SIZE / 4) { /* of its own, behind the one with room */
        block = block_new(size);
        if (!arena->blocks) {
            arena->blocks = block;
            return block->data;
        }
        block->next = arena->blocks->next;
        arena->blocks->next = block;
        return block->data;
    }
    if (size > arena->size - arena->used) {
        block = block_new(BLOCK_SIZE);
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used = 0;
        arena->size = BLOCK_SIZE;
    }
    p = (char *)arena->blocks->data + arena->used;
    arena->used += size;
    return p;
}

char *arena_strndup(struct arena *arena, const char *s, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (len)
        memcpy(copy, s, len);
    return copy;
}

void *arena_grow(struct arena *arena, void *items, size_t count,
                 size_t item_size)
{
    void *copy;

    if (items && (count & (count - 1)))
        return items;
    copy = arena_alloc(arena, (count ? 2 * count : 1) * item_size);
    if (items)
        memcpy(copy, items, count * item_size);
    return copy;
}
