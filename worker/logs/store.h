/* worker/logs/store.h - where the logs of jobs that ended are kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_STORE_H
#define WORKER_LOGS_STORE_H

#include "worker/logs/file.h"

#include <stdbool.h>

struct log_store;

/** What a store keeps at most; 0: there is no such limit. */
struct log_retention {
    int64_t max_age_ms; /* since the log's last entry, or its put */
    uint64_t max_bytes; /* of all logs together, as they are stored */
};

/** What was removed. */
struct log_removed {
    uint64_t logs, bytes;
};

/**
 * A kind of store. Ids have been checked (queue_check_id) before a driver gets
 * them. Any number of processes may use one store at a time; all calls may be
 * repeated. put and expire may take as long as a disk or a network does: in a
 * daemon they are done by a process of their own (worker/logs/archiver.h).
 */
struct log_store_driver {
    const char *scheme; /* "dir": of "dir:…" */
    /* Who does what takes long of it (base/proc.h, proc_libexec). */
    const char *program;
    /* It can be away for long: what it does not take is kept, and brought to
     * it later (worker/logs/archiver.h). */
    bool is_far;
    /** `where` is what stands behind the colon. Makes what is missing. */
    int (*open)(const char *where, struct log_store **out_store,
                struct err *err);
    void (*free)(struct log_store *store);
    int (*put)(struct log_store *store, const char *path, const char *id,
               uint64_t epoch, struct err *err);
    /** See log_store_move(). NULL: it always takes a put. */
    int (*move)(struct log_store *store, const char *path, const char *id,
                uint64_t epoch, struct err *err);
    /** A descriptor of a whole log that pread() works on. */
    int (*get)(struct log_store *store, const char *id, uint64_t epoch,
               int *out_fd, struct err *err);
    int (*expire)(struct log_store *store,
                  const struct log_retention *retention, int64_t now_ms,
                  struct log_removed *out_removed, struct err *err);
};

/** What every driver's own struct begins with. */
struct log_store {
    const struct log_store_driver *driver;
    char *address; /* owned; log_store_open() sets it */
};

/**
 * Open the store `address`: "dir:" and the path of a directory, which is made
 * (0700) where it is missing; or "s3://…" (base/s3_url.h), whose calls have a
 * program do it, and block. ERR_USER: no such kind of store; ERR_TRANSIENT: it
 * cannot be made.
 */
MUST_USE int log_store_open(const char *address, struct log_store **out_store,
                            struct err *err);
/** The same, by this driver. */
MUST_USE int log_store_open_by(const struct log_store_driver *driver,
                               const char *address,
                               struct log_store **out_store, struct err *err);
void log_store_free(struct log_store *store);
OWNER(log_store)

/**
 * What a result says of where its log is: "dir:ab/abcd-1.log", below the
 * store's directory, so that it tells nothing of the host. NULL: no id of a
 * job. Owned by the caller.
 */
MUST_USE char *log_store_name(const struct log_store *store, const char *id,
                              uint64_t epoch);

/** What it was opened with; borrowed. */
const char *log_store_address(const struct log_store *store);

/**
 * Move the finished file `path` (of spool_path) into the store. Until it is
 * there for good, and on failure, it is left where it is; a repeat after
 * success, or beside another, is a success. ERR_USER: no id of a job, no such
 * file; ERR_TRANSIENT.
 */
MUST_USE int log_store_put(struct log_store *store, const char *path,
                           const char *id, uint64_t epoch, struct err *err);

/**
 * The same where it takes no time, such as a rename: 0, it is there; 1, it
 * takes a log_store_put(), and nothing was done; -1, as that.
 */
MUST_USE int log_store_move(struct log_store *store, const char *path,
                            const char *id, uint64_t epoch, struct err *err);

/** A descriptor, the caller's, of a whole log. ERR_USER; ERR_TRANSIENT. */
MUST_USE int log_store_get(struct log_store *store, const char *id,
                           uint64_t epoch, int *out_fd, struct err *err);

/**
 * Read a log from entry `from_seq` on. The reader is owned by the caller and
 * can outlive the store. ERR_USER: there is none; ERR_TRANSIENT.
 */
MUST_USE int log_store_read(struct log_store *store, const char *id,
                            uint64_t epoch, uint64_t from_seq,
                            struct log_reader **out_reader, struct err *err);

/**
 * Remove the logs that are older than `max_age_ms` at `now_ms` (wall clock),
 * then the oldest until the others have `max_bytes`. Fills `*out_removed` also
 * when it fails with ERR_TRANSIENT: then something could not be removed.
 */
MUST_USE int log_store_expire(struct log_store *store,
                              const struct log_retention *retention,
                              int64_t now_ms, struct log_removed *out_removed,
                              struct err *err);

/** <first two characters of the id>/<id>-<epoch>.log. Owned by the caller. */
MUST_USE char *log_store_path(const char *id, uint64_t epoch);
/** Is it one that log_store_path() makes? */
bool log_store_is_path(const char *path);

/** <dir>/<log_store_path()>, mode 0600. */
extern const struct log_store_driver log_store_dir;
/** An object of the bucket with log_store_path() below its prefix. */
extern const struct log_store_driver log_store_s3;

#endif
