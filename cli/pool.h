/* cli/pool.h - the pool of jobs that a command is about. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_POOL_H
#define CLI_POOL_H

#include "cli/pool_at.h"
#include "cli/style.h"

#include <jansson.h>

/** Exit statuses of commands about a pool; 2 is OPTIONS_USAGE. */
#define POOL_OK             0
#define POOL_NOT            1 /* it cannot be: no such job, not ended… */
#define POOL_INFRASTRUCTURE POOL_AT_NO_REDIS

#define POOL_EXIT_HELP                                                          \
    "exit status: 0 done, 1 it cannot be (there is no such job …), 2 wrong\n" \
    "usage or settings, 3 Redis is away"

/** What they all take: the first member of a command's own struct. */
struct pool_options {
    struct pool_at_options at;
    bool json;
};

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define POOL_OPTION_DEFS(whole, member)                                        \
    POOL_AT_OPTION_DEFS(whole, member.at),                                     \
    {                                                                          \
        .name = "json",                                                        \
        .help = "print JSON; moments are milliseconds since 1970",             \
        .type = OPTION_FLAG, .offset = offsetof(whole, member.json)            \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

struct pool {
    struct pool_at at;
    struct queue *queue; /* owned; for blocking calls */
    struct style style;  /* of standard output */
    size_t columns;      /* of it */
    bool json;
};

/**
 * The command itself, with its own struct and operands. Returns its exit
 * status, or -1 with an error: ERR_USER is POOL_NOT, all else
 * POOL_INFRASTRUCTURE.
 */
typedef int pool_fn(struct pool *pool, const void *options,
                    const struct strv *operands, struct err *err);
/** Whether options and operands go together: ERR_USER is wrong usage. */
typedef int pool_check_fn(const void *options, const struct strv *operands,
                          struct err *err);

struct pool_call {
    const struct command *command;
    struct pool_options *options; /* the command's own struct, zeroed */
    pool_check_fn *check;         /* NULL: nothing to check */
    pool_fn *fn;
};

/** Parse, load the settings, open the pool, call, report. The exit status. */
int pool_main(const struct pool_call *call, int argc, char **argv);

/** Write to standard output, all or -1 (ERR_USER). */
MUST_USE int pool_print(const struct strbuf *text, struct err *err);
/** The same for JSON, which it takes. */
MUST_USE int pool_print_json(json_t *json, struct err *err);

/**
 * Wait before Redis is asked again: longer each time (`*attempt` counts), 5 s
 * at most; says so once on standard error. -1 with ERR_TRANSIENT: it makes no
 * sense, a private Redis has ended with the berth that ran it.
 */
MUST_USE int pool_back_off(const struct pool *pool, unsigned *attempt,
                           struct err *err);

/**
 * Do something with each of `ids`, all of them: `fn` sets `*out_word`, for
 * people and JSON ("cancelled"); its errors of kind ERR_USER are printed, and
 * the others are done still. {"jobs": [{"id", "result"} | {"id", "error"}]}
 */
typedef int pool_each_fn(struct pool *pool, const char *id,
                         const char **out_word, struct err *err);
MUST_USE int pool_each(struct pool *pool, const struct strv *ids,
                       pool_each_fn *fn, struct err *err);
#define POOL_MAX_IDS 1000
/** Run an ended job again: "queued". */
pool_each_fn pool_retry;

/** The value of `--limit`: 1 to QUEUE_MAX_ROWS; NULL: `fallback`. ERR_USER. */
MUST_USE int pool_limit(const char *text, unsigned fallback, unsigned *out,
                        struct err *err);

#endif
