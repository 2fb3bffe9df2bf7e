/* worker/logs/store.c - where the logs of jobs that ended are kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/store.h"

#include "scheduler/queue/queue.h"

#include <stdlib.h>
#include <string.h>

static const struct log_store_driver *const drivers[] = {&log_store_dir};

int log_store_open(const char *address, struct log_store **out_store,
                   struct err *err)
{
    const char *colon = strchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;

    for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
        if (!len || strlen(drivers[i]->scheme) != len ||
            strncmp(drivers[i]->scheme, address, len) != 0)
            continue;
        if (drivers[i]->open(colon + 1, out_store, err) < 0)
            return -1;
        (*out_store)->address = xstrdup(address);
        return 0;
    }
    return err_set(err, ERR_USER,
                   "'%.200s' is no log store: it begins with 'dir:'", address);
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
    CLEANUP(mem) char *name = NULL;

    if (queue_check_id(id, NULL) < 0)
        return NULL;
    name = store->driver->name(store, id, epoch);
    return xasprintf("%s:%s", store->driver->scheme, name);
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

int log_store_read(struct log_store *store, const char *id, uint64_t epoch,
                   uint64_t from_seq, struct log_reader **out_reader,
                   struct err *err)
{
    int fd;

    if (queue_check_id(id, err) < 0 ||
        store->driver->get(store, id, epoch, &fd, err) < 0)
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
