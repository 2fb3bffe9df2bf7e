/* pipelines/findings/fingerprint.c - the same finding, push after push. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/fingerprint.h"

#include "base/sha256.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 4096 /* of a line, as far as it counts */

struct entry {
    struct finding *finding;
    char hash[SHA256_HEX_SIZE]; /* of all but the number */
};

static void add_field(struct sha256 *state, const char *s)
{
    sha256_add(state, s, strlen(s) + 1);
}

/* Without blanks: who indents anew, or wraps a line, changes nothing. */
static void add_line(struct sha256 *state, const char *s, size_t len)
{
    if (len > LINE_MAX_BYTES)
        len = LINE_MAX_BYTES;
    for (size_t i = 0; i < len; i++)
        if (!isspace((unsigned char)s[i]))
            sha256_add(state, s + i, 1);
    sha256_add(state, "\n", 1);
}

/* Numbers are times, counts and places: they differ from run to run. */
static void add_message(struct sha256 *state, const char *s)
{
    for (; *s; s++) {
        if (isspace((unsigned char)*s))
            continue;
        if (!isdigit((unsigned char)*s)) {
            sha256_add(state, s, 1);
        } else if (!isdigit((unsigned char)s[1])) {
            sha256_add(state, "0", 1);
        }
    }
}

static void add_text(struct sha256 *state, const struct finding *finding,
                     finding_line_fn *line_of, void *arg)
{
    size_t len = 0;
    const char *line =
        line_of && finding->line && *finding->path
            ? line_of(arg, finding->path, finding->side, finding->line, &len)
            : NULL;

    if (!line) {
        add_message(state, finding->message);
        return;
    }
    add_line(state, line, len);
    for (int step = -1; step <= 1; step += 2) {
        uint32_t number = finding->line + (uint32_t)step;

        len = 0;
        line = number ? line_of(arg, finding->path, finding->side, number, &len)
                      : NULL;
        add_line(state, line ? line : "", line ? len : 0);
    }
}

static void hash(struct entry *entry, finding_line_fn *line_of, void *arg)
{
    const struct finding *finding = entry->finding;
    struct sha256 state;

    sha256_init(&state);
    add_field(&state, finding->kind == FINDING_TEST ? "test" : "issue");
    add_field(&state, finding->tool);
    add_field(&state, finding->rule);
    add_field(&state, finding->path);
    add_field(&state, finding->side == DIFF_OLD ? "old" : "new");
    if (finding->kind != FINDING_TEST)
        add_text(&state, finding, line_of, arg);
    sha256_end_hex(&state, entry->hash);
}

static int in_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->hash, y->hash);

    if (!order)
        order = (x->finding->line > y->finding->line) -
                (x->finding->line < y->finding->line);
    if (!order)
        order = (x->finding->column > y->finding->column) -
                (x->finding->column < y->finding->column);
    if (!order)
        order = strcmp(x->finding->message, y->finding->message);
    return order ? order
                 : (x->finding > y->finding) - (x->finding < y->finding);
}

static void finish(struct entry *entry, size_t number)
{
    struct sha256 state;
    char digits[24], hex[SHA256_HEX_SIZE];

    snprintf(digits, sizeof(digits), "#%zu", number);
    sha256_init(&state);
    sha256_add(&state, entry->hash, strlen(entry->hash));
    add_field(&state, digits);
    sha256_end_hex(&state, hex);
    memcpy(entry->finding->fingerprint, hex, FINGERPRINT_SIZE - 1);
    entry->finding->fingerprint[FINGERPRINT_SIZE - 1] = '\0';
}

void findings_fingerprint(struct findings *findings, finding_line_fn *line_of,
                          void *arg)
{
    CLEANUP(mem)
    struct entry *entries = xcalloc(findings->count + 1, sizeof(*entries));
    size_t count = 0, number = 0;

    for (size_t i = 0; i < findings->count; i++) {
        if (*findings->items[i].fingerprint)
            continue;
        entries[count].finding = &findings->items[i];
        hash(&entries[count++], line_of, arg);
    }
    qsort(entries, count, sizeof(*entries), in_order);
    for (size_t i = 0; i < count; i++) {
        bool again = i && strcmp(entries[i].hash, entries[i - 1].hash) == 0;

        number = again ? number + 1 : 0;
        finish(&entries[i], number);
    }
}

const char *fingerprint_diff_line(void *diff, const char *path,
                                  enum diff_side side, uint32_t line,
                                  size_t *out_len)
{
    const struct diff_file *file = diff_file_find(diff, path, side);
    const struct diff_line *found =
        file ? diff_line_at(file, side, line, NULL) : NULL;

    if (!found)
        return NULL;
    *out_len = found->len;
    return found->text;
}

bool fingerprint_ok(const char *text)
{
    return strlen(text) == FINGERPRINT_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == FINGERPRINT_SIZE - 1;
}
