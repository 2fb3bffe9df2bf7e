/* worker/logs/program.h - what the programs of log stores are asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_PROGRAM_H
#define WORKER_LOGS_PROGRAM_H

#include "worker/logs/store.h"

/*
 *   PROGRAM put STORE FILE JOB EPOCH       log_store_put()
 *   PROGRAM get STORE JOB EPOCH            the log, whole, to descriptor 3
 *   PROGRAM expire STORE MAX-AGE-MS MAX-BYTES   writes how many are gone
 *
 * It exits with 0, with LOG_PROGRAM_NONE where there is no such log or no such
 * store (ERR_USER), or with 1. The last line of its output is the reason.
 */
#define LOG_PROGRAM_FD   3
#define LOG_PROGRAM_NONE 3
#define LOG_PROGRAM_LINE ((size_t)16 << 10)

/** The whole program, for the stores of one driver. */
int log_program(int argc, char **argv, const struct log_store_driver *driver);

#endif
