/* worker/logs/store.c - where the logs of jobs that ended are kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/store.h"

#include "scheduler/queue/queue.h"

#include <stdlib.h>
#include <string.h>

#define SHARD_LEN 2 /* characters of the id before the slash */

static const struct log_store_driver *const drivers[] = {&log_store_dir,
                                                         &log_store_s3};

int log_store_open_by(const struct log_store_driver *driver,
                      const char *address, struct log_store **out_store,
                      struct err *err)
{
    size_t len = strlen(driver->scheme);

    if (strncmp(address, driver->scheme, len) != 0 || address[len] != ':')
        return err_set(err, ERR_USER, "the log store does not begin with '%s:'",
                       driver->scheme);
    if (driver->open(address + len + 1, out_store, err) < 0)
        return -1;
    (*out_store)->address = xstrdup(address);
    return 0;
}

int log_store_open(const char *address, struct log_store **out_store,
                   struct err *err)
{
    const char *colon = strchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (len && strlen(drivers[i]->scheme) == len &&
            strncmp(drivers[i]->scheme, address, len) == 0)
            return log_store_open_by(drivers[i], address, out_store, err);
    return err_set(err, ERR_USER,
                   "'%.200s' is no log store: it begins with 'dir:' or "
                   "'s3://'",
                   address);
}

char *log_store_path(const char *id, uint64_t epoch)
{
    char name[LOG_FILE_NAME_SIZE];

    if (log_file_name(id, epoch, name, NULL) < 0)
        return xstrdup("");
    return xasprintf("%.*s/%s", SHARD_LEN, id, name);
}

/* Ids may have but one character. */
bool log_store_is_path(const char *path)
{
    const char *slash = strchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;

    return len && len <= SHARD_LEN && log_file_is_name(slash + 1) &&
           strncmp(slash + 1, path, len) == 0;
}

void log_store_free(struct log_store *store)
{
    if (!store)
        return;
    free(store->address);
    store->driver->free(store);
}

const char *log_store_address(const struct log_store *store)
{
    return store->address;
}

char *log_store_name(const struct log_store *store, const char *id,
                     uint64_t epoch)
{
    CLEANUP(mem) char *path = NULL;

    if (queue_check_id(id, NULL) < 0)
        return NULL;
    path = log_store_path(id, epoch);
    return xasprintf("%s:%s", store->driver->scheme, path);
}

int log_store_put(struct log_store *store, const char *path, const char *id,
                  uint64_t epoch, struct err *err)
{
    if (queue_check_id(id, err) < 0)
        return -1;
    return store->driver->put(store, path, id, epoch, err);
}

int log_store_move(struct log_store *store, const char *path, const char *id,
                   uint64_t epoch, struct err *err)
{
    if (queue_check_id(id, err) < 0)
        return -1;
    if (!store->driver->move)
        return 1;
    return store->driver->move(store, path, id, epoch, err);
}

int log_store_get(struct log_store *store, const char *id, uint64_t epoch,
                  int *out_fd, struct err *err)
{
    if (queue_check_id(id, err) < 0)
        return -1;
    return store->driver->get(store, id, epoch, out_fd, err);
}

int log_store_read(struct log_store *store, const char *id, uint64_t epoch,
                   uint64_t from_seq, struct log_reader **out_reader,
                   struct err *err)
{
    int fd = -1;

    if (log_store_get(store, id, epoch, &fd, err) < 0)
        return -1;
    *out_reader = log_reader_new(fd, 0, from_seq);
    return 0;
}

int log_store_expire(struct log_store *store,
                     const struct log_retention *retention, int64_t now_ms,
                     struct log_removed *out_removed, struct err *err)
{
    return store->driver->expire(store, retention, now_ms, out_removed, err);
}
