/* worker/artifacts/store/get.c - out of the bucket, and out of time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "worker/artifacts/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- finding ------------------------------------------------------------ */

static int see_index(void *arg, const struct s3_object *object,
                     struct err *err UNUSED)
{
    struct index_name *last = arg;
    struct index_name name;

    if (index_key_parse(object->key, &name) &&
        (name.epoch > last->epoch ||
         (name.epoch == last->epoch &&
          name.expires_at_ms > last->expires_at_ms)))
        *last = name;
    return 0;
}

static int add_file(void *arg, const struct artifact_file *file,
                    const char *sha256, struct err *err UNUSED)
{
    (void)json_array_append_new(arg, index_file_json(file, sha256));
    return 0;
}

static int read_index(struct s3 *s3, const struct index_name *name,
                      struct strbuf *out, struct err *err)
{
    CLEANUP(mem) char *key = index_key(name);
    CLEANUP(fd) int fd = memfd_create("index", MFD_CLOEXEC);
    struct s3_blob blob = {.fd = fd, .bytes = INDEX_MAX_BYTES};

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make a file in memory");
    if (s3_get(s3, key, &blob, err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot read the index");
    return fd_read_all(fd, out, err);
}

int store_files(struct s3 *s3, const char *job_id, struct index_name *out_name,
                json_t **out_files, struct err *err)
{
    CLEANUP(mem) char *prefix = xasprintf(INDEX_PREFIX "%s/", job_id);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(INDEX_MAX_BYTES + 1);
    struct index_name name = {.epoch = 0};
    json_t *files;

    if (s3_list(s3, prefix, see_index, &name, err) < 0)
        return -1;
    if (!name.epoch)
        return err_set(err, ERR_USER, "job '%s' left no artifacts in the store",
                       job_id);
    if (read_index(s3, &name, &text, err) < 0)
        return -1;
    files = json_array();
    if (index_read(text.data, text.len, add_file, files, err) < 0) {
        json_decref(files);
        return -1;
    }
    *out_name = name;
    *out_files = files;
    return 0;
}

/* ---- getting ------------------------------------------------------------ */

struct fetch {
    struct s3 *s3;    /* borrowed */
    const char *dir;  /* all go there; NULL: one to `fd` */
    const char *path; /* that one */
    int fd;
    struct index_name name;
    bool found;
};

static int get_into(const struct fetch *fetch, const struct artifact_file *file,
                    const char *sha256, int fd, struct err *err)
{
    CLEANUP(mem) char *key = index_file_key(&fetch->name, file);
    struct s3_blob blob = {.fd = fd, .bytes = file->bytes};

    if (s3_get(fetch->s3, key, &blob, err) < 0)
        return -1;
    if (blob.bytes != file->bytes || strcmp(blob.sha256, sha256) != 0)
        return err_set(err, ERR_TRANSIENT, "'%.200s' is damaged in the store",
                       file->path);
    return 0;
}

static int get_file(void *arg, const struct artifact_file *file,
                    const char *sha256, struct err *err)
{
    struct fetch *fetch = arg;
    CLEANUP(fd) int fd = -1;

    if (!fetch->dir) {
        if (strcmp(file->path, fetch->path) != 0)
            return 0;
        fetch->found = true; /* the last step's stays */
        return get_into(fetch, file, sha256, fetch->fd, err);
    }
    fetch->found = true;
    if (artifacts_create(fetch->dir, file->path, &fd, err) < 0)
        return -1;
    return get_into(fetch, file, sha256, fd, err);
}

static int fetch_all(struct fetch *fetch, const char *job_id, struct err *err)
{
    json_t *files = NULL;
    CLEANUP(mem) char *text = NULL;
    int rc;

    if (store_files(fetch->s3, job_id, &fetch->name, &files, err) < 0)
        return -1;
    text = index_write(files);
    rc = index_read(text, strlen(text), get_file, fetch, err);
    if (rc == 0 && !fetch->found)
        return err_set(err, ERR_USER, "job '%s' left no artifact '%.200s'",
                       job_id, fetch->path ? fetch->path : "");
    return rc;
}

int store_get(struct s3 *s3, const char *job_id, const char *path, int fd,
              struct err *err)
{
    struct fetch fetch = {.s3 = s3, .path = path, .fd = fd};

    return fetch_all(&fetch, job_id, err);
}

int store_save(struct s3 *s3, const char *job_id, const char *dir,
               struct err *err)
{
    struct fetch fetch = {.s3 = s3, .dir = dir, .fd = -1};

    return fetch_all(&fetch, job_id, err);
}

/* ---- forgetting --------------------------------------------------------- */

struct forget {
    struct s3 *s3; /* borrowed */
    int64_t now_ms;
    unsigned removed;
};

static int forget_file(void *arg, const struct s3_object *object,
                       struct err *err)
{
    const struct forget *forget = arg;

    return s3_delete(forget->s3, object->key, err);
}

static int forget_job(void *arg, const struct s3_object *object,
                      struct err *err)
{
    struct forget *forget = arg;
    CLEANUP(mem) char *files = NULL;
    struct index_name name;

    if (!index_key_parse(object->key, &name) ||
        name.expires_at_ms > forget->now_ms)
        return 0;
    files = index_files_prefix(&name);
    /* The index last: whoever is killed on the way is followed by another. */
    if (s3_list(forget->s3, files, forget_file, forget, err) < 0 ||
        s3_delete(forget->s3, object->key, err) < 0)
        return -1;
    forget->removed++;
    return 0;
}

int store_expire(struct s3 *s3, int64_t now_ms, unsigned *out_removed,
                 struct err *err)
{
    struct forget forget = {.s3 = s3, .now_ms = now_ms};
    int rc = s3_list(s3, INDEX_PREFIX, forget_job, &forget, err);

    *out_removed = forget.removed;
    return rc;
}
