/* pipelines/review/sift.c - which findings of a model are worth saying. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/sift.h"

#include "pipelines/diff/place.h"
#include "pipelines/findings/reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NEAR 3 /* lines between two that may be the same */

/* ---- places -------------------------------------------------------------- */

static void move(struct finding *finding, const struct diff_range *range)
{
    /* A suggestion is for the lines that it was made for. */
    if (finding->fix.text) {
        finding->fix.line = range->line;
        finding->fix.end_line = range->end_line;
    }
    finding->line = range->line;
    finding->end_line = range->end_line;
}

bool sift_place(struct finding *finding, const struct diff *diff,
                struct review_counts *counts)
{
    struct diff_range range = {.path = finding->path,
                               .side = finding->side,
                               .line = finding->line,
                               .end_line = finding->end_line};
    const struct diff_file *file =
        *finding->path ? diff_file_find(diff, finding->path, finding->side)
                       : NULL;
    struct diff_place place;

    if (!file) {
        counts->misplaced++;
        return false;
    }
    place = diff_place(diff, &range);
    if (place.where == DIFF_INLINE && !place.clipped &&
        (!*finding->quote || diff_says(file, &range, finding->quote)))
        return true;
    if (*finding->quote &&
        diff_find(file, finding->side, finding->quote, finding->line, &range)) {
        move(finding, &range);
        counts->moved++;
        return true;
    }
    /* Without a quote the place is all there is to go by. */
    if (place.where == DIFF_INLINE && !*finding->quote)
        return true;
    counts->misplaced++;
    return false;
}

/* ---- the same ------------------------------------------------------------ */

/* Of a word, in any language. */
static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Letters and digits only, so that dots and blanks make no difference. */
static bool same_words(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && !is_letter(*a))
            a++;
        while (*b && !is_letter(*b))
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

static bool is_of_one_file(const struct finding *a, const struct finding *b)
{
    return strcmp(a->path, b->path) == 0 && a->side == b->side;
}

static bool is_within(const struct finding *a, const struct finding *b,
                      uint32_t lines)
{
    return a->line <= b->end_line + lines && b->line <= a->end_line + lines;
}

static bool is_same(const struct finding *a, const struct finding *b)
{
    if (!is_of_one_file(a, b))
        return false;
    if (is_within(a, b, NEAR) && same_words(a->message, b->message))
        return true;
    return is_within(a, b, 0) &&
           a->end_line - a->line <= NEAR + b->end_line - b->line &&
           b->end_line - b->line <= NEAR + a->end_line - a->line &&
           !strcasecmp(a->rule, b->rule) && *a->rule;
}

static bool is_graver(const struct finding *a, const struct finding *b)
{
    if (a->severity != b->severity)
        return a->severity > b->severity;
    return a->confidence > b->confidence;
}

/* Told again it may have another line: nobody wants it again for that. */
static bool is_known(const struct finding *finding,
                     const struct findings *earlier)
{
    for (size_t i = 0; earlier && i < earlier->count; i++)
        if (is_same(finding, &earlier->items[i]) ||
            (is_of_one_file(finding, &earlier->items[i]) &&
             same_words(finding->message, earlier->items[i].message)))
            return true;
    return false;
}

void sift_merge(struct candidate *items, size_t count,
                const struct review_options *options,
                struct review_counts *counts)
{
    for (size_t i = 0; i < count; i++) {
        struct finding *one = &items[i].finding;

        if (items[i].dropped)
            continue;
        if (one->severity < options->min_severity ||
            (one->confidence >= 0 &&
             one->confidence < options->min_confidence)) {
            items[i].dropped = true;
            counts->minor++;
            continue;
        }
        items[i].dropped = is_known(one, options->earlier);
        for (size_t k = 0; k < i && !items[i].dropped; k++) {
            if (items[k].dropped || !is_same(&items[k].finding, one))
                continue;
            if (is_graver(one, &items[k].finding))
                items[k].finding = *one;
            items[i].dropped = true;
        }
        counts->repeated += items[i].dropped;
    }
}

static int by_gravity(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->dropped != y->dropped)
        return x->dropped ? 1 : -1;
    if (is_graver(&x->finding, &y->finding))
        return -1;
    if (is_graver(&y->finding, &x->finding))
        return 1;
    if (strcmp(x->finding.path, y->finding.path) != 0)
        return strcmp(x->finding.path, y->finding.path);
    return (x->finding.line > y->finding.line) -
           (x->finding.line < y->finding.line);
}

void sift_cap(struct candidate *items, size_t count, size_t max,
              struct review_counts *counts)
{
    if (count)
        qsort(items, count, sizeof(*items), by_gravity);
    for (size_t i = max; i < count; i++) {
        counts->beyond += !items[i].dropped;
        items[i].dropped = true;
    }
}

/* ---- verdicts ------------------------------------------------------------ */

static int read_verdicts(const json_t *list, size_t count, bool *stands,
                         bool *known, struct err *err)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        json_int_t claim = json_integer_value(json_object_get(entry, "claim"));
        const json_t *verdict = json_object_get(entry, "stands");

        if (claim < 1 || (size_t)claim > count || !json_is_boolean(verdict))
            return err_set(err, ERR_USER,
                           "verdicts[%zu] is not {\"claim\": 1 to %zu, "
                           "\"stands\": true or false}",
                           i, count);
        stands[claim - 1] = json_is_true(verdict);
        known[claim - 1] = true;
    }
    for (i = 0; i < count; i++)
        if (!known[i])
            return err_set(err, ERR_USER, "claim %zu has no verdict", i + 1);
    return 0;
}

int sift_verdicts(const char *text, size_t len, size_t count, bool *out_stands,
                  struct err *err)
{
    CLEANUP(mem) bool *known = xcalloc(count + 1, sizeof(*known));
    CLEANUP(mem) bool *stands = xcalloc(count + 1, sizeof(*stands));
    json_t *root = NULL;
    const json_t *list;
    int rc = -1;

    reader_unfence(&text, &len);
    if (reader_json(text, len, &root, err) < 0)
        return -1;
    list = json_is_array(root) ? root : json_object_get(root, "verdicts");
    if (!json_is_array(list))
        (void)err_set(err, ERR_USER, "there is no list 'verdicts'");
    else
        rc = read_verdicts(list, count, stands, known, err);
    json_decref(root);
    if (rc == 0)
        memcpy(out_stands, stands, count * sizeof(*stands));
    return rc;
}
