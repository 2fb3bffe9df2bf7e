/* base/suggest.c - "did you mean". */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/suggest.h"

#include "base/mem.h"

#include <string.h>

static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '_' || c == ' ' ? '-' : c;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* One row of the matrix; `two` and `one` are the rows before it. */
static void next_row(const char *a, size_t i, const char *b, size_t b_len,
                     const size_t *two, const size_t *one, size_t *row)
{
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
        size_t cost = fold(a[i - 1]) != fold(b[j - 1]);

        row[j] = min3(one[j] + 1, row[j - 1] + 1, one[j - 1] + cost);
        if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
            fold(a[i - 2]) == fold(b[j - 1]) && two[j - 2] + cost < row[j])
            row[j] = two[j - 2] + cost;
    }
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t rows[3][SUGGEST_MAX + 1];
    size_t a_len = strnlen(a, SUGGEST_MAX + 1);
    size_t b_len = strnlen(b, SUGGEST_MAX + 1);

    if (a_len > SUGGEST_MAX || b_len > SUGGEST_MAX)
        return SUGGEST_MAX + 1;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = rows[2][j] = j;
    for (size_t i = 1; i <= a_len; i++)
        next_row(a, i, b, b_len, rows[(i + 1) % 3], rows[(i + 2) % 3],
                 rows[i % 3]);
    return rows[a_len % 3][b_len];
}

void suggest_offer(struct suggest *s, const char *candidate)
{
    size_t distance = suggest_distance(s->word, candidate);
    size_t longer = strnlen(s->word, SUGGEST_MAX);

    if (strnlen(candidate, SUGGEST_MAX) > longer)
        longer = strnlen(candidate, SUGGEST_MAX);
    if (distance < s->distance && distance <= longer / 3) {
        s->best = candidate;
        s->distance = distance;
    }
}
