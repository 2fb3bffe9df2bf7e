/* cli/settings_checks.h - what a value of the configuration may be. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SETTINGS_CHECKS_H
#define CLI_SETTINGS_CHECKS_H

#include "base/err.h"

/* Of names of workers and pools. */
#define SETTINGS_NAME_MAX 64
#define SETTINGS_NAME_CHARS                                                    \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* All of base/config.h's `check`: 0, or -1 and ERR_USER, which says what one
 * is. */

/** An address of Redis, or nothing. */
int settings_check_redis(const char *text, struct err *err);
/** A label of jobs and workers. */
int settings_check_label(const char *text, struct err *err);
/** A range of addresses, or a preset. */
int settings_check_range(const char *text, struct err *err);
/** A host that a gateway may reach, or a preset. */
int settings_check_host(const char *text, struct err *err);
/** The name of an image, or nothing. */
int settings_check_image(const char *text, struct err *err);
/** A registry of images. */
int settings_check_registry(const char *text, struct err *err);
/** An address of S3, or nothing. */
int settings_check_bucket(const char *text, struct err *err);
/** An absolute path, an address of S3, or nothing. */
int settings_check_place(const char *text, struct err *err);
/** A program by name or path, or nothing. */
int settings_check_runtime(const char *text, struct err *err);
/** An address to listen at, or nothing. */
int settings_check_listen(const char *text, struct err *err);
/** Where a Git host is, or nothing. */
int settings_check_base_url(const char *text, struct err *err);
/** Where a secret is: `file:/PATH` or `env:NAME`, or nothing. */
int settings_check_secret_source(const char *text, struct err *err);
int settings_check_worker_key(const char *text, struct err *err);
/** A pattern of repositories. */
int settings_check_repositories(const char *text, struct err *err);
/** What names of variables begin with, or nothing. */
int settings_check_prefix(const char *text, struct err *err);

#endif
