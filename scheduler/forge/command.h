/* scheduler/forge/command.h - what people ask for in comments. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_COMMAND_H
#define SCHEDULER_FORGE_COMMAND_H

#include "base/err.h"

#include <stddef.h>

enum command {
    COMMAND_TEST,
    COMMAND_REVIEW,
    COMMAND_CANCEL,
    COMMAND_RETRY,
    COMMAND_APPROVE, /* of one commit */
};
#define COMMAND_COUNT 5

/** What is enough of a commit's id to approve it. */
#define COMMAND_SHA_MIN 12
#define COMMAND_SHA_MAX 40

/** Each once, in the order in which they were written. */
struct command_list {
    enum command items[COMMAND_COUNT];
    size_t count;
    /* Of COMMAND_APPROVE: what its commit begins with, in small letters; "". */
    char approved[COMMAND_SHA_MAX + 1];
};

/**
 * Find the lines of a comment that are `/berth test`, `review`, `cancel` or
 * `retry`, or `approve SHA` with at least COMMAND_SHA_MIN hexadecimal digits:
 * from the first column on, nothing but blanks behind them, and not in a fenced
 * block or an HTML comment, where they are somebody's example. What is quoted
 * or in the middle of a line is no command. Two commits cannot be approved.
 *
 * 0 and `*out`, which may be empty. -1 and ERR_USER when a line begins with
 * `/berth` and goes on with something else: then nothing is done, and somebody
 * should be told.
 */
MUST_USE int command_parse(const char *text, size_t len,
                           struct command_list *out, struct err *err);

/** "test" …; static. */
const char *command_name(enum command command);

#endif
