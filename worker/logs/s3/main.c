/* worker/logs/s3/main.c - log-store-s3: logs in a bucket. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/log.h"
#include "base/s3.h"
#include "worker/logs/program.h"
#include "worker/logs/retention.h"
#include "worker/logs/spool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of the spool is cut off before (worker/logs/spool.h). */
#define LOG_MAX_BYTES (2 * SPOOL_MAX_BYTES)

struct bucket {
    struct log_store store;
    struct s3 *s3; /* owned */
};

static const struct log_store_driver driver;

static struct s3 *of(struct log_store *store)
{
    return ((struct bucket *)store)->s3;
}

static int open_bucket(const char *where, struct log_store **out_store,
                       struct err *err)
{
    CLEANUP(mem) char *url = xasprintf("s3:%s", where);
    struct s3 *s3;
    struct bucket *bucket;

    if (s3_open(url, &s3, err) < 0)
        return -1;
    bucket = xcalloc(1, sizeof(*bucket));
    bucket->store.driver = &driver;
    bucket->s3 = s3;
    *out_store = &bucket->store;
    return 0;
}

static void free_bucket(struct log_store *store)
{
    s3_free(of(store));
    free(store);
}

static int put(struct log_store *store, const char *path, const char *id,
               uint64_t epoch, struct err *err)
{
    CLEANUP(mem) char *key = log_store_path(id, epoch);
    CLEANUP(fd) int fd = -1;
    struct s3_blob blob = {0};
    struct stat st;
    int held = log_file_hold(path, &fd, err);

    if (held < 0)
        return -1;
    if (held == 0)
        return s3_head(of(store), key, &blob.bytes, err);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_USER, "there is no log '%s'", path);
    blob.fd = fd;
    blob.bytes = (uint64_t)st.st_size;
    if (s3_put(of(store), key, &blob, err) < 0)
        return -1;
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(err, ERR_TRANSIENT, "cannot remove '%s'", path);
    return 0;
}

static int get(struct log_store *store, const char *id, uint64_t epoch,
               int *out_fd, struct err *err)
{
    CLEANUP(mem) char *key = log_store_path(id, epoch);
    CLEANUP(fd) int fd = memfd_create("log", MFD_CLOEXEC);
    struct s3_blob blob = {.fd = fd, .bytes = LOG_MAX_BYTES};

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make a file in memory");
    if (s3_get(of(store), key, &blob, err) < 0)
        return -1;
    *out_fd = fd;
    fd = -1;
    return 0;
}

struct look {
    struct log_pass pass;
    struct s3 *s3;
    struct err err; /* of what could not be removed */
};

static int remove_log(void *arg, const char *path)
{
    struct look *look = arg;

    return s3_delete(look->s3, path, &look->err) < 0 ? -1 : 1;
}

/* Only what a store makes is touched. */
static int see(void *arg, const struct s3_object *object,
               struct err *err UNUSED)
{
    struct look *look = arg;

    if (log_store_is_path(object->key))
        log_pass_see(&look->pass, object->key, object->bytes,
                     object->modified_ms);
    return 0;
}

static int expire(struct log_store *store,
                  const struct log_retention *retention, int64_t now_ms,
                  struct log_removed *out_removed, struct err *err)
{
    struct look look = {.pass = {.retention = retention,
                                 .now_ms = now_ms,
                                 .remove = remove_log,
                                 .arg = &look},
                        .s3 = of(store)};
    struct err why = {0};
    int rc = s3_list(of(store), "", see, &look, &why);

    /* Of a list that is not whole the oldest is not known. */
    if (rc < 0)
        look.pass.bytes = 0;
    log_pass_end(&look.pass, out_removed);
    if (rc == 0 && look.err.kind == ERR_NONE)
        return 0;
    if (err)
        *err = rc < 0 ? why : look.err;
    return -1;
}

static const struct log_store_driver driver = {
    .scheme = "s3",
    .program = "log-store-s3",
    .is_far = true,
    .open = open_bucket,
    .free = free_bucket,
    .put = put,
    .get = get,
    .expire = expire,
};

int main(int argc, char **argv)
{
    log_init("log-store-s3", LOG_WARN);
    (void)signal(SIGPIPE, SIG_IGN);
    return log_program(argc, argv, &driver);
}
