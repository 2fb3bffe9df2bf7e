/* worker/logs/store_s3.c - a log store in a bucket, by a program. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/proc.h"
#include "base/s3_url.h"
#include "worker/logs/program.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * libcurl and the keys of the bucket are log-store-s3's alone. A loop does not
 * come here for what takes long: it starts that program (archiver.c).
 */
#define GET_MAX_MS 120000
#define PUT_MAX_MS 300000

static int open_s3(const char *where, struct log_store **out_store,
                   struct err *err)
{
    CLEANUP(mem) char *address = xasprintf(S3_SCHEME "%s", where);
    CLEANUP(s3_url) struct s3_url url = {0};

    if (s3_url_parse(address, &url, err) < 0)
        return err_wrap(err, "the log store");
    *out_store = xcalloc(1, sizeof(**out_store));
    (*out_store)->driver = &log_store_s3;
    return 0;
}

static void free_s3(struct log_store *store)
{
    free(store);
}

static int run(const char *const *argv, int out, int64_t timeout_ms,
               struct err *err)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(LOG_PROGRAM_LINE);
    const struct proc_fd fd = {out, LOG_PROGRAM_FD};
    const struct proc_spec spec = {.argv = argv,
                                   .in = PROC_NULL,
                                   .err = PROC_INHERIT,
                                   .fds = &fd,
                                   .fd_count = out >= 0 ? 1 : 0};
    int status = 0;

    if (proc_call(&spec, timeout_ms, &output, &status, err) < 0)
        return -1;
    if (status == 0)
        return 0;
    while (output.len && output.data[output.len - 1] == '\n')
        strbuf_cut(&output, output.len - 1);
    return err_set(err, status == LOG_PROGRAM_NONE ? ERR_USER : ERR_TRANSIENT,
                   "%.900s", output.len ? output.data : "log-store-s3 failed");
}

static int put_in_s3(struct log_store *store, const char *path, const char *id,
                     uint64_t epoch, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec(log_store_s3.program);
    CLEANUP(mem) char *number = xasprintf("%" PRIu64, epoch);
    const char *const argv[] = {program, "put", store->address, path, id,
                                number,  NULL};

    return run(argv, -1, PUT_MAX_MS, err);
}

static int get_from_s3(struct log_store *store, const char *id, uint64_t epoch,
                       int *out_fd, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec(log_store_s3.program);
    CLEANUP(mem) char *number = xasprintf("%" PRIu64, epoch);
    const char *const argv[] = {program, "get",  store->address,
                                id,      number, NULL};
    CLEANUP(fd) int fd = memfd_create("log", MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make a file in memory");
    if (run(argv, fd, GET_MAX_MS, err) < 0)
        return -1;
    *out_fd = fd;
    fd = -1;
    return 0;
}

static int expire_s3(struct log_store *store UNUSED,
                     const struct log_retention *retention UNUSED,
                     int64_t now_ms UNUSED,
                     struct log_removed *out_removed UNUSED, struct err *err)
{
    return err_set(err, ERR_BUG, "log-store-s3 removes old logs");
}

const struct log_store_driver log_store_s3 = {
    .scheme = "s3",
    .program = "log-store-s3",
    .is_far = true,
    .open = open_s3,
    .free = free_s3,
    .put = put_in_s3,
    .get = get_from_s3,
    .expire = expire_s3,
};
