/* worker/cache/far/pack.c - an entry's root/ as one file, signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/far/pack.h"

#include "base/fd.h"
#include "worker/cache/far/record.h"
#include "worker/cache/far/stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX ((size_t)4096)

struct packing {
    struct stream *to; /* borrowed */
    char *chunk;       /* borrowed */
    struct err *err;
};

/* ---- the key ------------------------------------------------------------- */

int pack_key_read(const char *path, struct pack_key *out_key, struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct pack_key key = {STRBUF_MAX(KEY_MAX)};
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, ERR_USER, "cannot read the key of the store '%s'",
                       path);
    if (st.st_mode & 077)
        return err_set(err, ERR_USER, "'%.300s' is open to others", path);
    if (fd_read_all(fd, &key.secret, err) < 0) {
        pack_key_clear(&key);
        return -1;
    }
    while (key.secret.len && (key.secret.data[key.secret.len - 1] == '\n' ||
                              key.secret.data[key.secret.len - 1] == '\r'))
        strbuf_cut(&key.secret, key.secret.len - 1);
    if (key.secret.len < PACK_KEY_MIN || key.secret.truncated) {
        pack_key_clear(&key);
        return err_set(err, ERR_USER,
                       "'%.300s' is no key: it has 16 to 4096 "
                       "bytes",
                       path);
    }
    *out_key = key;
    return 0;
}

void pack_key_clear(struct pack_key *key)
{
    if (key->secret.len)
        mem_wipe(key->secret.data, key->secret.len);
    strbuf_clear(&key->secret);
}

/* ---- the signature ------------------------------------------------------- */

/* Of all behind it in the file. */
static int sign(const struct pack *pack, int fd, uint8_t out[SHA256_SIZE],
                struct err *err)
{
    CLEANUP(mem) char *chunk = xmalloc(PACK_CHUNK);
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    off_t at = PACK_MAGIC_SIZE + SHA256_SIZE;
    uint8_t digest[SHA256_SIZE];
    struct sha256 sum;
    ssize_t n;

    sha256_init(&sum);
    while ((n = pread(fd, chunk, PACK_CHUNK, at)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot read what was packed");
        sha256_add(&sum, chunk, (size_t)n);
        at += n;
    }
    sha256_end(&sum, digest);
    strbuf_add(&text, PACK_MAGIC, PACK_MAGIC_SIZE);
    strbuf_add(&text, pack->name, strlen(pack->name) + 1);
    strbuf_add(&text, digest, sizeof(digest));
    hmac_sha256(pack->key->secret.data, pack->key->secret.len, text.data,
                text.len, out);
    return 0;
}

int pack_check(const struct pack *pack, int fd, struct err *err)
{
    uint8_t head[PACK_MAGIC_SIZE + SHA256_SIZE];
    uint8_t wanted[SHA256_SIZE];

    if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head, PACK_MAGIC, PACK_MAGIC_SIZE) != 0)
        return err_set(err, ERR_USER, "it is nothing that was packed");
    if (sign(pack, fd, wanted, err) < 0)
        return -1;
    return hmac_equal(head + PACK_MAGIC_SIZE, wanted)
               ? 0
               : err_set(err, ERR_USER, "it has a wrong signature");
}

/* ---- files --------------------------------------------------------------- */

static int fail(struct packing *p, const char *what, const char *name)
{
    return err_sys(p->err, ERR_TRANSIENT, "cannot %s '%.255s'", what, name);
}

static int add_record(struct packing *p, enum record_kind kind,
                      const char *name, const struct stat *st, uint64_t size)
{
    uint8_t bytes[RECORD_SIZE] = {(uint8_t)kind};
    size_t len = strlen(name);

    record_put(bytes + 2, len, 2);
    record_put(bytes + 4, st ? st->st_mode & 0777 : 0, 4);
    record_put(bytes + 8,
               st ? (uint64_t)st->st_mtim.tv_sec * 1000000000u +
                        (uint64_t)st->st_mtim.tv_nsec
                  : 0,
               8);
    record_put(bytes + 16, size, 8);
    return stream_add(p->to, bytes, sizeof(bytes), p->err) < 0
               ? -1
               : stream_add(p->to, name, len, p->err);
}

static int add_file(struct packing *p, int dir, const char *name)
{
    CLEANUP(fd)
    int in = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    uint64_t left;

    if (in < 0 || fstat(in, &st) < 0)
        return fail(p, "open", name);
    if (!S_ISREG(st.st_mode))
        return err_set(p->err, ERR_USER, "'%.255s' was changed", name);
    left = (uint64_t)st.st_size;
    if (add_record(p, RECORD_FILE, name, &st, left) < 0)
        return -1;
    while (left) {
        ssize_t n = read(in, p->chunk, left < PACK_CHUNK ? left : PACK_CHUNK);

        if (n < 0)
            return fail(p, "read", name);
        if (n == 0)
            return err_set(p->err, ERR_USER, "'%.255s' was changed", name);
        if (stream_add(p->to, p->chunk, (size_t)n, p->err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static int add_link(struct packing *p, int dir, const char *name)
{
    char target[RECORD_LINK_MAX + 1];
    ssize_t n = readlinkat(dir, name, target, sizeof(target));

    if (n <= 0 || n > RECORD_LINK_MAX)
        return fail(p, "read", name);
    if (add_record(p, RECORD_LINK, name, NULL, (uint64_t)n) < 0)
        return -1;
    return stream_add(p->to, target, (size_t)n, p->err);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(struct packing *p, int fd, struct strv *names)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *entry;

    if (!dir) {
        fd_close(&copy);
        return fail(p, "list", "a directory");
    }
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            strv_add(names, entry->d_name);
    (void)closedir(dir);
    if (names->count)
        qsort(names->items, names->count, sizeof(*names->items), compare);
    return 0;
}

static int add_all(struct packing *p, int dir);

static int add_dir(struct packing *p, int dir, const char *name,
                   const struct stat *st)
{
    CLEANUP(fd)
    int in = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (in < 0)
        return fail(p, "open", name);
    return add_record(p, RECORD_DIR, name, st, 0) < 0 ? -1 : add_all(p, in);
}

/* An entry is no deeper than seal.h lets it be: so are we. */
static int add_all(struct packing *p, int dir)
{
    CLEANUP(strv) struct strv names = {0};

    if (list(p, dir, &names) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        struct stat st;
        int rc;

        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return fail(p, "look at", name);
        if (S_ISDIR(st.st_mode))
            rc = add_dir(p, dir, name, &st);
        else if (S_ISREG(st.st_mode))
            rc = add_file(p, dir, name);
        else if (S_ISLNK(st.st_mode))
            rc = add_link(p, dir, name);
        else
            rc = err_set(p->err, ERR_USER, "'%.255s' is not kept", name);
        if (rc < 0)
            return -1;
    }
    return add_record(p, RECORD_UP, "", NULL, 0);
}

static int add_head(struct stream *to, unsigned uid, json_t *meta,
                    struct err *err)
{
    json_t *head = json_pack("{s:i, s:O}", "uid", (int)uid, "meta", meta);
    CLEANUP(mem)
    char *text = json_dumps(head, JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t len[4];

    json_decref(head);
    if (!text || strlen(text) > PACK_HEAD_MAX)
        return err_set(err, ERR_USER, "its meta is too long");
    record_put(len, strlen(text), sizeof(len));
    return stream_add(to, len, sizeof(len), err) < 0
               ? -1
               : stream_add(to, text, strlen(text), err);
}

int pack_write(const struct pack *pack, int root, unsigned uid, json_t *meta,
               int fd, struct err *err)
{
    CLEANUP(stream) struct stream *to = stream_to(fd);
    CLEANUP(mem) char *chunk = xmalloc(PACK_CHUNK);
    struct packing p = {to, chunk, err};
    uint8_t mac[SHA256_SIZE] = {0};

    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot pack");
    if (fd_write_all(fd, PACK_MAGIC, PACK_MAGIC_SIZE, err) < 0 ||
        fd_write_all(fd, mac, sizeof(mac), err) < 0 ||
        add_head(to, uid, meta, err) < 0 || add_all(&p, root) < 0 ||
        stream_end(to, err) < 0 || sign(pack, fd, mac, err) < 0)
        return -1;
    if (pwrite(fd, mac, sizeof(mac), PACK_MAGIC_SIZE) != (ssize_t)sizeof(mac))
        return err_sys(err, ERR_TRANSIENT, "cannot sign");
    return 0;
}
