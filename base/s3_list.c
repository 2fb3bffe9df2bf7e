/* base/s3_list.c - what an S3 server says in XML. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3_list.h"

#include "base/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE "ListBucketResult"

struct page {
    s3_object_fn *fn;
    void *arg;
    char key[S3_KEY_MAX + 1];
    uint64_t bytes;
    int64_t modified_ms;
    unsigned has; /* bits of what was read of this object */
    bool is_page, truncated;
    char *next; /* owned */
};

#define HAS_KEY      1U
#define HAS_BYTES    2U
#define HAS_MODIFIED 4U

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_TRANSIENT, "the list of objects has no good %s",
                   what);
}

/* ---- its parts ---------------------------------------------------------- */

static int read_key(struct page *page, const char *text, size_t len,
                    struct err *err)
{
    if (!len || len > S3_KEY_MAX || strlen(text) != len)
        return bad(err, "key");
    memcpy(page->key, text, len + 1);
    page->has |= HAS_KEY;
    return 0;
}

static int read_size(struct page *page, const char *text, size_t len,
                     struct err *err)
{
    if (!len || len > 18 || strspn(text, "0123456789") != len)
        return bad(err, "size");
    page->bytes = strtoull(text, NULL, 10);
    page->has |= HAS_BYTES;
    return 0;
}

/* 2026-01-02T03:04:05.678Z, also without the fraction. */
static int read_modified(struct page *page, const char *text, size_t len,
                         struct err *err)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    size_t digits = rest && *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
    time_t at;

    if (digits)
        rest += 1 + digits;
    at = timegm(&tm);
    if (len > 40 || !rest || strcmp(rest, "Z") != 0 || at < 0)
        return bad(err, "date");
    page->modified_ms = (int64_t)at * 1000;
    page->has |= HAS_MODIFIED;
    return 0;
}

static int tell(struct page *page, const char *text, size_t len,
                struct err *err)
{
    const struct s3_object object = {.key = page->key,
                                     .bytes = page->bytes,
                                     .modified_ms = page->modified_ms};

    (void)text, (void)len;
    if (page->has != (HAS_KEY | HAS_BYTES | HAS_MODIFIED))
        return bad(err, "object");
    page->has = 0;
    return page->fn(page->arg, &object, err);
}

static int read_truncated(struct page *page, const char *text, size_t len,
                          struct err *err)
{
    (void)len;
    page->truncated = strcmp(text, "true") == 0;
    if (!page->truncated && strcmp(text, "false") != 0)
        return bad(err, "end");
    return 0;
}

static int read_next(struct page *page, const char *text, size_t len,
                     struct err *err)
{
    if (!len || len > 4096 || strlen(text) != len)
        return bad(err, "continuation");
    free(page->next);
    page->next = xstrdup(text);
    return 0;
}

static int read_end(struct page *page, const char *text, size_t len,
                    struct err *err)
{
    (void)text, (void)len, (void)err;
    page->is_page = true;
    return 0;
}

static const struct {
    const char *path;
    int (*read)(struct page *page, const char *text, size_t len,
                struct err *err);
} parts[] = {
    {PAGE "/Contents/Key", read_key},
    {PAGE "/Contents/Size", read_size},
    {PAGE "/Contents/LastModified", read_modified},
    {PAGE "/Contents", tell},
    {PAGE "/IsTruncated", read_truncated},
    {PAGE "/NextContinuationToken", read_next},
    {PAGE, read_end},
};

static int on_element(void *arg, const char *path, const char *text, size_t len,
                      struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strcmp(path, parts[i].path) == 0)
            return parts[i].read(arg, text, len, err);
    return 0;
}

int s3_list_read(const void *data, size_t len, s3_object_fn *fn, void *arg,
                 char **out_next, struct err *err)
{
    struct page page = {.fn = fn, .arg = arg};
    CLEANUP(mem) char *next = NULL;
    struct err mine = {0};
    int rc = xml_read(data, len, on_element, &page, &mine);

    next = page.next;
    if (rc < 0 && mine.kind == ERR_USER)
        return err_set(err, ERR_TRANSIENT, "the list of objects is no XML: %s",
                       mine.msg);
    if (rc < 0) {
        if (err)
            *err = mine;
        return -1;
    }
    if (!page.is_page)
        return err_set(err, ERR_TRANSIENT, "this is no list of objects");
    if (page.truncated && !next)
        return bad(err, "continuation");
    *out_next = page.truncated ? STEAL(next) : NULL;
    return 0;
}

/* ---- errors ------------------------------------------------------------- */

static void take_clean(char *out, size_t size, const char *text)
{
    size_t n = 0;

    for (; *text && n + 1 < size; text++)
        if (*text >= ' ' && *text <= '~')
            out[n++] = *text;
    out[n] = '\0';
}

static int on_error_element(void *arg, const char *path, const char *text,
                            size_t len, struct err *err)
{
    struct s3_error *error = arg;

    (void)len, (void)err;
    if (strcmp(path, "Error/Code") == 0)
        take_clean(error->code, sizeof(error->code), text);
    return 0;
}

void s3_error_read(const void *data, size_t len, struct s3_error *out_error)
{
    struct err ignored;

    *out_error = (struct s3_error){{0}};
    if (len && xml_read(data, len, on_error_element, out_error, &ignored) < 0)
        *out_error = (struct s3_error){{0}};
}
