/* worker/artifacts/store/store.h - what artifact-store does. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_ARTIFACTS_STORE_STORE_H
#define WORKER_ARTIFACTS_STORE_STORE_H

#include "base/s3.h"
#include "worker/artifacts/index.h"

/* worker/artifacts/program.h says what each is for. */

/** 0 also when there are none. One process at a time; others wait. */
MUST_USE int store_put(struct s3 *s3, const char *job_id, uint64_t epoch,
                       struct err *err);
/** As many as the store takes; what another process has is passed over. */
MUST_USE int store_resend(struct s3 *s3, struct err *err);
MUST_USE int store_expire(struct s3 *s3, int64_t now_ms, unsigned *out_removed,
                          struct err *err);

/** Find the last attempt that left any, and tell of its files. */
MUST_USE int store_files(struct s3 *s3, const char *job_id,
                         struct index_name *out_name, json_t **out_files,
                         struct err *err);
MUST_USE int store_get(struct s3 *s3, const char *job_id, const char *path,
                       int fd, struct err *err);
MUST_USE int store_save(struct s3 *s3, const char *job_id, const char *dir,
                        struct err *err);

#endif
