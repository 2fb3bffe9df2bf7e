/* worker/checkout/refs.c - lists of references, as packed-refs files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/refs.h"

#include "base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER "# pack-refs with: peeled fully-peeled sorted \n"

bool oid_ok(const char *text)
{
    return strlen(text) == OID_HEX_SIZE - 1 &&
           strspn(text, "0123456789abcdefABCDEF") == OID_HEX_SIZE - 1;
}

static bool component_ok(const char *start, size_t len)
{
    return len > 0 && len <= 255 && start[0] != '.' &&
           !(len >= 5 && memcmp(start + len - 5, ".lock", 5) == 0);
}

bool ref_name_ok(const char *name)
{
    size_t len = strlen(name);
    const char *start = name;

    if (strncmp(name, "refs/", 5) != 0 || len > REF_NAME_MAX ||
        name[len - 1] == '.' || strstr(name, "..") || strstr(name, "@{"))
        return false;
    for (const char *c = name;; c++) {
        if (*c == '/' || *c == '\0') {
            if (!component_ok(start, (size_t)(c - start)))
                return false;
            start = c + 1;
        }
        if (*c == '\0')
            return true;
        if ((unsigned char)*c <= 0x20 || *c == 0x7f || strchr("~^:?*[\\", *c))
            return false;
    }
}

static void put_oid(char out[OID_HEX_SIZE], const char *text)
{
    for (size_t i = 0; i < OID_HEX_SIZE - 1; i++)
        out[i] = (char)tolower((unsigned char)text[i]);
    out[OID_HEX_SIZE - 1] = '\0';
}

bool refs_add(struct refs *refs, const char *name, const char *oid,
              const char *peeled)
{
    struct ref *ref;

    if (refs->count >= REFS_MAX || !ref_name_ok(name) || !oid_ok(oid) ||
        (peeled && !oid_ok(peeled)))
        return false;
    if (refs->count == refs->cap) {
        refs->cap = refs->cap ? refs->cap * 2 : 64;
        refs->items =
            xreallocarray(refs->items, refs->cap, sizeof(*refs->items));
    }
    ref = &refs->items[refs->count++];
    ref->name = xstrdup(name);
    put_oid(ref->oid, oid);
    ref->peeled[0] = '\0';
    if (peeled)
        put_oid(ref->peeled, peeled);
    return true;
}

void refs_drop(struct refs *refs, const char *prefix)
{
    size_t len = strlen(prefix);
    size_t kept = 0;

    for (size_t i = 0; i < refs->count; i++) {
        if (strncmp(refs->items[i].name, prefix, len) == 0)
            free(refs->items[i].name);
        else
            refs->items[kept++] = refs->items[i];
    }
    refs->count = kept;
}

void refs_drop_one(struct refs *refs, const char *name)
{
    for (size_t i = 0; i < refs->count; i++) {
        if (strcmp(refs->items[i].name, name) != 0)
            continue;
        free(refs->items[i].name);
        refs->count--;
        memmove(&refs->items[i], &refs->items[i + 1],
                (refs->count - i) * sizeof(*refs->items));
        return;
    }
}

/* '/' sorts before all else, so that `a/b` follows `a` at once. */
static int compare_paths(const void *a, const void *b)
{
    const char *x = ((const struct ref *)a)->name;
    const char *y = ((const struct ref *)b)->name;

    while (*x && *x == *y) {
        x++;
        y++;
    }
    return (*x == '/' ? 1 : (unsigned char)*x) -
           (*y == '/' ? 1 : (unsigned char)*y);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct ref *)a)->name, ((const struct ref *)b)->name);
}

static bool clashes(const char *kept, const char *name)
{
    size_t len = strlen(kept);

    return strncmp(kept, name, len) == 0 &&
           (name[len] == '\0' || name[len] == '/');
}

/* Stable: of two with one name, the first added must win. */
static void sort_stable(struct refs *refs)
{
    size_t i = 1;

    while (i < refs->count &&
           compare_paths(&refs->items[i - 1], &refs->items[i]) < 0)
        i++;
    if (i >= refs->count)
        return;
    struct ref *copy = xmemdup(refs->items, refs->count * sizeof(*copy));
    size_t n = refs->count;

    /* Bottom-up merge sort: libc's qsort is not stable by contract. */
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n;
            size_t hi = lo + 2 * width < n ? lo + 2 * width : n;
            size_t a = lo;
            size_t b = mid;

            for (size_t k = lo; k < hi; k++)
                copy[k] =
                    b >= hi || (a < mid && compare_paths(&refs->items[a],
                                                         &refs->items[b]) <= 0)
                        ? refs->items[a++]
                        : refs->items[b++];
        }
        memcpy(refs->items, copy, n * sizeof(*copy));
    }
    free(copy);
}

void refs_settle(struct refs *refs)
{
    size_t kept = 0;

    sort_stable(refs);
    for (size_t i = 0; i < refs->count; i++) {
        if (kept && clashes(refs->items[kept - 1].name, refs->items[i].name))
            free(refs->items[i].name);
        else
            refs->items[kept++] = refs->items[i];
    }
    refs->count = kept;
    if (kept)
        qsort(refs->items, kept, sizeof(*refs->items), compare_names);
}

const struct ref *refs_find(const struct refs *refs, const char *name)
{
    struct ref key = {.name = (char *)(uintptr_t)name};

    if (!refs->count)
        return NULL;
    return bsearch(&key, refs->items, refs->count, sizeof(*refs->items),
                   compare_names);
}

/* One line of a packed-refs file, NUL-terminated. */
static void load_line(struct refs *refs, char *line)
{
    char *space = strchr(line, ' ');

    if (line[0] == '^' && refs->count && oid_ok(line + 1)) {
        put_oid(refs->items[refs->count - 1].peeled, line + 1);
        return;
    }
    if (line[0] == '#' || !space)
        return;
    *space = '\0';
    (void)refs_add(refs, space + 1, line, NULL);
}

int refs_load(struct refs *refs, const char *path, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(REFS_MAX_FILE);
    char *line;
    char *save = NULL;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    if (file_read(path, REFS_MAX_FILE, &text, err) < 0) {
        err->kind = ERR_TRANSIENT;
        return -1;
    }
    for (line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        load_line(refs, line);
    refs_settle(refs);
    return 0;
}

int refs_save(struct refs *refs, const char *path, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(REFS_MAX_FILE);

    refs_settle(refs);
    strbuf_adds(&text, HEADER);
    for (size_t i = 0; i < refs->count; i++) {
        const struct ref *ref = &refs->items[i];

        strbuf_addf(&text, "%s %s\n", ref->oid, ref->name);
        if (*ref->peeled)
            strbuf_addf(&text, "^%s\n", ref->peeled);
    }
    if (text.truncated)
        return err_set(err, ERR_USER, "the repository has too many references");
    return file_write(path, text.data, text.len, 0644, err);
}

void refs_clear(struct refs *refs)
{
    for (size_t i = 0; i < refs->count; i++)
        free(refs->items[i].name);
    free(refs->items);
    memset(refs, 0, sizeof(*refs));
}
