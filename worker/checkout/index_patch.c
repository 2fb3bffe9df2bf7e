/* worker/checkout/index_patch.c - the index of a tree, made from another's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/index_patch.h"

#include "base/sha1.h"

#include <stdint.h>
#include <string.h>

#define HEADER_SIZE 12
#define FIXED_SIZE  62 /* of an entry, before its path */
#define MODE_AT     24
#define OID_AT      40
#define FLAGS_AT    60
#define FLAGS_ODD   0xf000u /* assume-valid, extended, a stage: not ours */
#define NAME_MASK   0x0fffu
#define VERSION     2

static uint32_t get32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
}

static void put32(struct strbuf *out, uint32_t value)
{
    const uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                          (uint8_t)(value >> 8), (uint8_t)value};

    strbuf_add(out, b, sizeof(b));
}

/* Padded with 1 to 8 NULs to a multiple of eight. */
static size_t entry_size(size_t path_len)
{
    return (FIXED_SIZE + path_len + 8) & ~(size_t)7;
}

struct reader {
    const char *at;
    const char *end; /* of the file, less the checksum */
    uint32_t left;   /* entries */
    /* The current one; NULL behind the last. */
    const char *entry;
    const char *path;
    size_t size;
};

static int next(struct reader *r, struct err *err)
{
    size_t room = (size_t)(r->end - r->at);
    size_t len;

    r->entry = NULL;
    if (!r->left)
        return 0;
    if (room <= FIXED_SIZE)
        return err_set(err, ERR_TRANSIENT, "an index is cut off");
    len = strnlen(r->at + FIXED_SIZE, room - FIXED_SIZE);
    if (entry_size(len) > room ||
        ((uint32_t)(uint8_t)r->at[FLAGS_AT] << 8 & FLAGS_ODD))
        return err_set(err, ERR_TRANSIENT, "an index is malformed");
    r->left--;
    r->entry = r->at;
    r->path = r->at + FIXED_SIZE;
    r->size = entry_size(len);
    r->at += r->size;
    return 0;
}

static int open_reader(const struct strbuf *index, struct reader *r,
                       struct err *err)
{
    if (index->len < HEADER_SIZE + SHA1_SIZE ||
        memcmp(index->data, "DIRC", 4) != 0 ||
        get32(index->data + 4) != VERSION)
        return err_set(err, ERR_TRANSIENT, "an index is of another version");
    r->at = index->data + HEADER_SIZE;
    r->end = index->data + index->len - SHA1_SIZE;
    r->left = get32(index->data + 8);
    return next(r, err);
}

static bool matches(const char *entry, const struct change_side *side)
{
    return get32(entry + MODE_AT) == side->mode &&
           memcmp(entry + OID_AT, side->oid.id, GIT_OID_RAWSZ) == 0;
}

static void put_entry(struct strbuf *out, const struct change *change,
                      unsigned owner)
{
    static const char zeros[8];
    const struct stat *st = &change->written;
    size_t len = strlen(change->path);
    uint32_t flags = len < NAME_MASK ? (uint32_t)len : NAME_MASK;
    uint8_t raw_flags[2] = {(uint8_t)(flags >> 8), (uint8_t)flags};
    uint32_t size = S_ISDIR(st->st_mode) ? 0 : (uint32_t)st->st_size;

    put32(out, (uint32_t)st->st_ctim.tv_sec);
    put32(out, (uint32_t)st->st_ctim.tv_nsec);
    put32(out, (uint32_t)st->st_mtim.tv_sec);
    put32(out, (uint32_t)st->st_mtim.tv_nsec);
    put32(out, (uint32_t)st->st_dev);
    put32(out, (uint32_t)st->st_ino);
    put32(out, change->after.mode);
    put32(out, owner);
    put32(out, owner);
    put32(out, size);
    strbuf_add(out, change->after.oid.id, GIT_OID_RAWSZ);
    strbuf_add(out, raw_flags, sizeof(raw_flags));
    strbuf_add(out, change->path, len);
    strbuf_add(out, zeros, entry_size(len) - FIXED_SIZE - len);
}

/* Copy entries up to where `path` is or would be; NULL: all. */
static int copy_to(struct reader *r, const char *path, struct strbuf *out,
                   unsigned *entries, struct err *err)
{
    while (r->entry && (!path || strcmp(r->path, path) < 0)) {
        strbuf_add(out, r->entry, r->size);
        ++*entries;
        if (next(r, err) < 0)
            return -1;
    }
    return 0;
}

static int apply(struct reader *r, const struct change *change, unsigned owner,
                 struct strbuf *out, unsigned *entries, struct err *err)
{
    bool there;

    if (copy_to(r, change->path, out, entries, err) < 0)
        return -1;
    there = r->entry && strcmp(r->path, change->path) == 0;
    if (there != (change->before.mode != 0) ||
        (there && !matches(r->entry, &change->before)))
        return err_set(err, ERR_TRANSIENT,
                       "an index is another tree's: at '%.300s'", change->path);
    if (there && next(r, err) < 0)
        return -1;
    if (change->after.mode) {
        put_entry(out, change, owner);
        ++*entries;
    }
    return 0;
}

int index_patch(const struct strbuf *index, const struct changes *changes,
                unsigned owner, struct strbuf *out, unsigned *out_entries,
                struct err *err)
{
    struct reader r = {0};
    uint8_t digest[SHA1_SIZE];
    unsigned entries = 0;
    size_t start = out->len;

    if (open_reader(index, &r, err) < 0)
        return -1;
    strbuf_add(out, "DIRC", 4);
    put32(out, VERSION);
    put32(out, 0);
    for (size_t i = 0; i < changes->count; i++)
        if (apply(&r, &changes->items[i], owner, out, &entries, err) < 0)
            return -1;
    if (copy_to(&r, NULL, out, &entries, err) < 0)
        return -1;
    if (out->truncated)
        return err_set(err, ERR_TRANSIENT, "an index is too large");
    for (int i = 0; i < 4; i++)
        out->data[start + 8 + (size_t)i] = (char)(entries >> (24 - 8 * i));
    sha1(out->data + start, out->len - start, digest);
    strbuf_add(out, digest, sizeof(digest));
    *out_entries = entries;
    return 0;
}
