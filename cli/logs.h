/* cli/logs.h - what a job prints, for other commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOGS_H
#define CLI_LOGS_H

#include "cli/pool.h"

/**
 * Print on standard output what a job, or all jobs of a run, printed and will
 * print, until it has ended. Waits for a Redis that goes away meanwhile.
 */
MUST_USE int logs_follow(struct pool *pool, const char *id, struct err *err);

#endif
