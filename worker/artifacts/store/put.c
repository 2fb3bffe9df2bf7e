/* worker/artifacts/store/put.c - from this host into the bucket. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fd.h"
#include "worker/artifacts/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What nobody said the end of. */
#define LOST_MS ((int64_t)24 * 3600 * 1000)

struct send {
    struct s3 *s3; /* borrowed */
    struct index_name name;
    json_t *files; /* owned */
    struct err err;
};

static int put_index(struct send *send, json_t *files, struct err *err)
{
    CLEANUP(mem) char *key = index_key(&send->name);
    CLEANUP(mem) char *text = index_write(files);

    return s3_put_bytes(send->s3, key, text, strlen(text), err);
}

static bool put_file(void *arg, const struct artifact_file *file)
{
    struct send *send = arg;
    CLEANUP(mem) char *key = index_file_key(&send->name, file);
    CLEANUP(fd) int fd = -1;
    struct artifact_file sent = *file;
    struct s3_blob blob = {0};
    struct stat st;

    if (artifacts_open_step(send->name.job_id, send->name.epoch, file, &fd,
                            &send->err) < 0)
        return false;
    if (fstat(fd, &st) < 0) {
        (void)err_sys(&send->err, ERR_TRANSIENT, "cannot read an artifact");
        return false;
    }
    blob.fd = fd;
    blob.bytes = sent.bytes = (uint64_t)st.st_size;
    if (s3_put(send->s3, key, &blob, &send->err) < 0)
        return false;
    (void)json_array_append_new(send->files,
                                index_file_json(&sent, blob.sha256));
    return true;
}

static int put_all(struct send *send, struct err *err)
{
    json_t *files = json_array();
    struct err none = {0};
    int rc;

    send->files = files;
    rc = put_index(send, NULL, err);
    if (rc == 0 && artifacts_list(send->name.job_id, send->name.epoch, put_file,
                                  send, &none) < 0)
        send->err = none;
    if (rc == 0 && send->err.kind != ERR_NONE) {
        if (err)
            *err = send->err;
        rc = -1;
    }
    if (rc == 0)
        return put_index(send, files, err);
    json_decref(files);
    return rc;
}

/* 1: `*out_fd` keeps others away; 0: there is nothing, or another has it. */
static int hold(const char *dir, int how, int *out_fd, struct err *err)
{
    CLEANUP(fd)
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", dir);
    while (flock(fd, how) < 0) {
        if (errno == EWOULDBLOCK)
            return 0;
        if (errno != EINTR)
            return err_sys(err, ERR_TRANSIENT, "cannot lock '%s'", dir);
    }
    if (fstat(fd, &st) == 0 && st.st_nlink == 0)
        return 0; /* by the other, while we waited */
    *out_fd = fd;
    fd = -1;
    return 1;
}

static int put(struct s3 *s3, const char *job_id, uint64_t epoch, int how,
               struct err *err)
{
    struct send send = {.s3 = s3, .name = {.epoch = epoch}};
    int64_t now_ms = clock_wall_ms();
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(fd) int lock = -1;
    int held;

    (void)snprintf(send.name.job_id, sizeof(send.name.job_id), "%s", job_id);
    if (artifacts_dir(job_id, epoch, &dir, err) < 0)
        return -1;
    held = hold(dir, how, &lock, err);
    if (held <= 0)
        return held;
    send.name.expires_at_ms = artifacts_expire_at(dir);
    if (send.name.expires_at_ms <= 0)
        send.name.expires_at_ms = now_ms + LOST_MS;
    if (send.name.expires_at_ms > now_ms && put_all(&send, err) < 0)
        return -1;
    return tree_remove(dir, err);
}

int store_put(struct s3 *s3, const char *job_id, uint64_t epoch,
              struct err *err)
{
    return put(s3, job_id, epoch, LOCK_EX, err);
}

static bool resend(void *arg, const char *job_id, uint64_t epoch)
{
    struct send *send = arg;

    return put(send->s3, job_id, epoch, LOCK_EX | LOCK_NB, &send->err) == 0;
}

int store_resend(struct s3 *s3, struct err *err)
{
    struct send send = {.s3 = s3};

    if (artifacts_marked(resend, &send, err) < 0)
        return -1;
    if (send.err.kind == ERR_NONE)
        return 0;
    if (err)
        *err = send.err;
    return -1;
}
