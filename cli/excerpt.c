/* cli/excerpt.c - the first and the last lines of an output of any size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/excerpt.h"

#include "cli/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct excerpt {
    size_t head;
    size_t tail;
    uint64_t count;
    char **first; /* owned, `head` slots, each owned */
    char **last;  /* the same, `tail` slots: a ring of what follows the head */
};

struct excerpt *excerpt_new(size_t head, size_t tail)
{
    struct excerpt *excerpt = xcalloc(1, sizeof(*excerpt));

    excerpt->head = head;
    excerpt->tail = tail;
    excerpt->first = xcalloc(head, sizeof(*excerpt->first));
    excerpt->last = xcalloc(tail, sizeof(*excerpt->last));
    return excerpt;
}

void excerpt_free(struct excerpt *excerpt)
{
    if (!excerpt)
        return;
    for (size_t i = 0; i < excerpt->head; i++)
        free(excerpt->first[i]);
    for (size_t i = 0; i < excerpt->tail; i++)
        free(excerpt->last[i]);
    free(excerpt->first);
    free(excerpt->last);
    free(excerpt);
}

/* A copy that ends at a character's end. */
static char *copy_line(const char *line, size_t len)
{
    size_t keep = len;

    if (len > EXCERPT_LINE_MAX) {
        keep = EXCERPT_LINE_MAX;
        while (keep > 0 && ((unsigned char)line[keep] & 0xc0) == 0x80)
            keep--;
    }
    return xasprintf("%.*s%s", (int)keep, line, keep < len ? " […]" : "");
}

void excerpt_add(struct excerpt *excerpt, const char *line, size_t len)
{
    char **slot = NULL;

    if (excerpt->count < excerpt->head)
        slot = &excerpt->first[excerpt->count];
    else if (excerpt->tail)
        slot = &excerpt->last[(excerpt->count - excerpt->head) % excerpt->tail];
    excerpt->count++;
    if (!slot)
        return;
    free(*slot);
    *slot = copy_line(line, len);
}

uint64_t excerpt_count(const struct excerpt *excerpt)
{
    return excerpt->count;
}

const char *excerpt_last(const struct excerpt *excerpt, size_t back)
{
    uint64_t at;

    if (back >= excerpt->count)
        return NULL;
    at = excerpt->count - 1 - back;
    if (at < excerpt->head)
        return excerpt->first[at];
    if (back >= excerpt->tail)
        return NULL;
    return excerpt->last[(at - excerpt->head) % excerpt->tail];
}

void excerpt_print(const struct excerpt *excerpt, const char *prefix,
                   struct strbuf *out)
{
    uint64_t kept = excerpt->head + excerpt->tail;

    for (uint64_t i = 0; i < excerpt->count && i < excerpt->head; i++)
        strbuf_addf(out, "%s%s\n", prefix, excerpt->first[i]);
    if (excerpt->count > kept)
        strbuf_addf(out, "%s[%" PRIu64 " lines left out]\n", prefix,
                    excerpt->count - kept);
    for (size_t back = excerpt->tail; back-- > 0;)
        if (excerpt->count > excerpt->head + back)
            strbuf_addf(out, "%s%s\n", prefix, excerpt_last(excerpt, back));
}
