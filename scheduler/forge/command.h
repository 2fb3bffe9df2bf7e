/* scheduler/forge/command.h - what people ask for in comments. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_COMMAND_H
#define SCHEDULER_FORGE_COMMAND_H

#include "base/err.h"

#include <stddef.h>

enum command { COMMAND_TEST, COMMAND_REVIEW, COMMAND_CANCEL, COMMAND_RETRY };
#define COMMAND_COUNT 4

/** Each once, in the order in which they were written. */
struct command_list {
    enum command items[COMMAND_COUNT];
    size_t count;
};

/**
 * Find the lines of a comment that are `/berth test`, `review`, `cancel` or
 * `retry`: from the first column on, nothing but blanks behind them, and not in
 * a fenced block or an HTML comment, where they are somebody's example. What
 * is quoted or in the middle of a line is no command.
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
