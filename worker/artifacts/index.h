/* worker/artifacts/index.h - artifacts of a job as a bucket has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ARTIFACTS_INDEX_H
#define WORKER_ARTIFACTS_INDEX_H

#include "base/sha256.h"
#include "worker/artifacts/artifacts.h"

#include <jansson.h>

/*
 *   index/<job>/<epoch>-<expires at, ms>.json   what there is, see below
 *   files/<job>/<epoch>/<step>/<path>           the files
 *
 * The index is put first, without files, and with them when all are there: so
 * what a killed process left is found, and goes when it expires. In a path all
 * bytes but A-Z a-z 0-9 - _ . / are =XX; one that is long then is named
 * "=long/" and its SHA-256.
 *
 *   {"schema": 1, "files": [{"step": 0, "path": "a/b", "bytes": 1,
 *                            "sha256": "…"}]}       (or "files": null)
 *
 * Its paths are written in the same way. Whoever writes to the bucket can make
 * it say anything: index_read() takes paths only that stay below a directory.
 */
#define INDEX_PREFIX    "index/"
#define INDEX_MAX_BYTES ((size_t)64 << 20)

struct index_name {
    char job_id[80];
    uint64_t epoch;
    int64_t expires_at_ms;
};

/** Owned by the caller. */
MUST_USE char *index_key(const struct index_name *name);
/** Is it what index_key() makes? */
MUST_USE bool index_key_parse(const char *key, struct index_name *out_name);
/** "files/<job>/<epoch>/"; owned by the caller. */
MUST_USE char *index_files_prefix(const struct index_name *name);
/** The key of a file; owned by the caller. */
MUST_USE char *index_file_key(const struct index_name *name,
                              const struct artifact_file *file);

/** One line of "files". */
MUST_USE json_t *index_file_json(const struct artifact_file *file,
                                 const char *sha256);
/** The document; takes `files` over, which may be NULL. Owned by the caller. */
MUST_USE char *index_write(json_t *files);

/** `sha256` is of the file. -1, with its own `err`, ends it. */
typedef int index_file_fn(void *arg, const struct artifact_file *file,
                          const char *sha256, struct err *err);
/**
 * Tell of all files of an index, whose bytes are a stranger's. ERR_USER: it is
 * none, or names what no job can have left; ERR_TRANSIENT: it has no files yet.
 */
MUST_USE int index_read(const void *data, size_t len, index_file_fn *fn,
                        void *arg, struct err *err);

#endif
