/* base/log.h - lines on stderr, for main() and loops only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/mem.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

/** Name in front of every line; borrowed, must outlive the process. */
void log_init(const char *program, enum log_level max_level);

/**
 * One line on stderr: `program: message`, or `program: warning: message`.
 * Control characters in the message are replaced: it may quote a stranger.
 */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
/** What a daemon does; `program: message`. */
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
