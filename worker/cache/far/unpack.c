/* worker/cache/far/unpack.c - files out of a pack. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "worker/cache/far/pack.h"
#include "worker/cache/far/record.h"
#include "worker/cache/far/stream.h"
#include "worker/cache/seal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096u

struct unpacking {
    struct stream *from; /* borrowed */
    char *chunk;         /* borrowed */
    uint64_t left;       /* bytes */
    unsigned files;
    uid_t uid;
    struct err *err;
};

static int wrong(struct unpacking *u, const char *what)
{
    return err_set(u->err, ERR_USER, "what was packed is damaged: %s", what);
}

static int fail(struct unpacking *u, const char *name)
{
    return err_sys(u->err, ERR_TRANSIENT, "cannot make '%.255s'", name);
}

/* As seal.h counts. */
static int count(struct unpacking *u, uint64_t bytes)
{
    uint64_t takes =
        bytes > UINT64_MAX / 2 ? UINT64_MAX / 2 : (bytes / BLOCK + 2) * BLOCK;

    if (takes > u->left || ++u->files > SEAL_MAX_FILES)
        return err_set(u->err, ERR_USER, "it is too large");
    u->left -= takes;
    return 0;
}

static int finish(struct unpacking *u, int fd, mode_t mode,
                  const struct record *record, const char *name)
{
    int64_t sec = record->mtime_ns / 1000000000;
    int64_t ns = record->mtime_ns % 1000000000;
    const struct timespec time = {.tv_sec = ns < 0 ? sec - 1 : sec,
                                  .tv_nsec = ns < 0 ? ns + 1000000000 : ns};
    const struct timespec times[2] = {time, time};

    return fchown(fd, u->uid, u->uid) < 0 || fchmod(fd, mode) < 0 ||
                   futimens(fd, times) < 0
               ? fail(u, name)
               : 0;
}

static int make_file(struct unpacking *u, int dir, const char *name,
                     const struct record *record)
{
    CLEANUP(fd)
    int fd = openat(dir, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    uint64_t left = record->size;

    if (fd < 0)
        return fail(u, name);
    while (left) {
        size_t n = left < PACK_CHUNK ? (size_t)left : PACK_CHUNK;

        if (stream_take(u->from, u->chunk, n, u->err) < 0 ||
            fd_write_all(fd, u->chunk, n, u->err) < 0)
            return -1;
        left -= n;
    }
    return finish(u, fd, record->mode & 0777, record, name);
}

static int make_link(struct unpacking *u, int dir, const char *name,
                     const struct record *record)
{
    char target[RECORD_LINK_MAX + 1];

    if (!record->size || record->size > RECORD_LINK_MAX)
        return wrong(u, "a link is too long");
    if (stream_take(u->from, target, (size_t)record->size, u->err) < 0)
        return -1;
    target[record->size] = '\0';
    if (strlen(target) != record->size)
        return wrong(u, "a link has a NUL");
    return symlinkat(target, dir, name) < 0 ||
                   fchownat(dir, name, u->uid, u->uid, AT_SYMLINK_NOFOLLOW) < 0
               ? fail(u, name)
               : 0;
}

static int make_all(struct unpacking *u, int dir, unsigned depth);

static int make_dir(struct unpacking *u, int dir, const char *name,
                    const struct record *record, unsigned depth)
{
    CLEANUP(fd) int fd = -1;

    if (depth > SEAL_MAX_DEPTH)
        return wrong(u, "it is too deep");
    if (mkdirat(dir, name, 0700) < 0)
        return fail(u, name);
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(u, name);
    return make_all(u, fd, depth) < 0
               ? -1
               : finish(u, fd, (record->mode & 0755) | 0700, record, name);
}

static int take_record(struct unpacking *u, struct record *out,
                       char name[RECORD_NAME_MAX + 1])
{
    uint8_t bytes[RECORD_SIZE] = {0};

    if (stream_take(u->from, bytes, sizeof(bytes), u->err) < 0)
        return -1;
    *out = (struct record){
        .kind = bytes[0],
        .name_len = (uint16_t)record_get(bytes + 2, 2),
        .mode = (uint32_t)record_get(bytes + 4, 4),
        .mtime_ns = (int64_t)record_get(bytes + 8, 8),
        .size = record_get(bytes + 16, 8),
    };
    name[0] = '\0';
    if (out->kind == RECORD_UP)
        return out->name_len ? wrong(u, "an end has a name") : 0;
    if (!out->name_len || out->name_len > RECORD_NAME_MAX)
        return wrong(u, "a name is too long");
    if (stream_take(u->from, name, out->name_len, u->err) < 0)
        return -1;
    name[out->name_len] = '\0';
    if (strlen(name) != out->name_len || strchr(name, '/') ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return wrong(u, "a name is none");
    return count(u, out->kind == RECORD_FILE ? out->size : 0);
}

static int make_all(struct unpacking *u, int dir, unsigned depth)
{
    for (;;) {
        char name[RECORD_NAME_MAX + 1];
        struct record record;
        int rc;

        if (take_record(u, &record, name) < 0)
            return -1;
        if (record.kind == RECORD_UP)
            return 0;
        if (record.kind == RECORD_DIR)
            rc = make_dir(u, dir, name, &record, depth + 1);
        else if (record.kind == RECORD_FILE)
            rc = make_file(u, dir, name, &record);
        else if (record.kind == RECORD_LINK)
            rc = make_link(u, dir, name, &record);
        else
            rc = wrong(u, "a file is of no kind");
        if (rc < 0)
            return -1;
    }
}

static int take_head(struct unpacking *u, json_t **out_meta)
{
    CLEANUP(mem) char *text = NULL;
    uint8_t bytes[4] = {0};
    uint32_t len;
    json_t *head;
    json_t *meta;
    json_int_t uid;

    if (stream_take(u->from, bytes, sizeof(bytes), u->err) < 0)
        return -1;
    len = (uint32_t)record_get(bytes, sizeof(bytes));
    if (len > PACK_HEAD_MAX)
        return wrong(u, "its head is too long");
    text = xmalloc((size_t)len + 1);
    if (stream_take(u->from, text, len, u->err) < 0)
        return -1;
    head = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    meta = json_incref(json_object_get(head, "meta"));
    uid = json_integer_value(json_object_get(head, "uid"));
    json_decref(head);
    if (!json_is_object(meta) || uid < 0 || uid > INT32_MAX) {
        json_decref(meta);
        return wrong(u, "it has no meta");
    }
    if (uid > 0 && geteuid() != 0) {
        json_decref(meta);
        return err_set(u->err, ERR_USER, "it is for root's sandboxes");
    }
    u->uid = uid > 0 ? (uid_t)uid : geteuid();
    *out_meta = meta;
    return 0;
}

int pack_read(const struct pack *pack, int fd, int root, json_t **out_meta,
              struct err *err)
{
    CLEANUP(stream) struct stream *from = stream_from(fd);
    CLEANUP(mem) char *chunk = xmalloc(PACK_CHUNK);
    struct unpacking u = {from, chunk, pack->max_bytes, 0, 0, err};
    json_t *meta = NULL;

    if (lseek(fd, PACK_MAGIC_SIZE + SHA256_SIZE, SEEK_SET) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot unpack");
    if (take_head(&u, &meta) < 0)
        return -1;
    if (make_all(&u, root, 0) < 0 || stream_over(from, err) < 0) {
        json_decref(meta);
        return -1;
    }
    if (fchown(root, u.uid, u.uid) < 0) {
        json_decref(meta);
        return fail(&u, "root");
    }
    *out_meta = meta;
    return 0;
}
