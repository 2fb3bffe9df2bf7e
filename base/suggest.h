/* base/suggest.h - "did you mean". */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/** Words longer than this are never close to anything. */
#define SUGGEST_MAX 64

/**
 * Edits between two words: insert, delete, replace, swap neighbours. Case and
 * `-`, `_`, space are all one. More than SUGGEST_MAX means "far".
 */
size_t suggest_distance(const char *a, const char *b);

/** Collects the closest of several candidates. Start with SUGGEST_INIT. */
struct suggest {
    const char *word; /* what was written; borrowed */
    const char *best; /* the closest candidate so far; borrowed; or NULL */
    size_t distance;
};

#define SUGGEST_INIT(word)                                                     \
    {                                                                          \
        (word), NULL, SUGGEST_MAX + 1                                          \
    }

/**
 * Offer a candidate. It is taken when it is closer than the best, and close
 * enough for the length of the word: a third of it, but for two letters none.
 */
void suggest_offer(struct suggest *s, const char *candidate);

#endif
