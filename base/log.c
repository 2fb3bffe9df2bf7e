/* base/log.c - lines on stderr, for main() and loops only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static const char *log_program = "berth";
static enum log_level log_max = LOG_WARN;

static const char *const level_words[] = {
    [LOG_ERROR] = "", [LOG_WARN] = "warning: ", [LOG_INFO] = ""};

void log_init(const char *program, enum log_level max_level)
{
    log_program = program;
    log_max = max_level;
}

static void emit(enum log_level level, const char *fmt, va_list ap)
    PRINTF_LIKE(2, 0);

static void emit(enum log_level level, const char *fmt, va_list ap)
{
    CLEANUP(mem) char *msg = NULL;

    if (level > log_max)
        return;
    msg = xvasprintf(fmt, ap);
    for (char *p = msg; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\t') ||
            *p == '\x7f')
            *p = '?';
    (void)fprintf(stderr, "%s: %s%s\n", log_program, level_words[level], msg);
}

#define LOG_FUNCTION(name, level)                                              \
    void name(const char *fmt, ...)                                            \
    {                                                                          \
        va_list ap;                                                            \
        va_start(ap, fmt);                                                     \
        emit(level, fmt, ap);                                                  \
        va_end(ap);                                                            \
    }

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
