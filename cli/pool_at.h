/* cli/pool_at.h - which pool a command is about, and on which Redis. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_POOL_AT_H
#define CLI_POOL_AT_H

#include "cli/settings.h"
#include "scheduler/queue/queue.h"

/** What all of them take, a member of a command's own struct. */
struct pool_at_options {
    struct settings_options settings;
    const char *redis;
    const char *pool;
};

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define POOL_AT_OPTION_DEFS(whole, member)                                     \
    {.name = "redis",                                                          \
     .argument = "URL",                                                        \
     .help = "the Redis of the pool (default: $BERTH_REDIS, else\n"            \
             "redis.url of the configuration, else the one of a\n"             \
             "berth that runs with this state directory)",                     \
     .type = OPTION_STRING,                                                    \
     .offset = offsetof(whole, member.redis)},                                 \
        {.name = "pool",                                                       \
         .argument = "NAME",                                                   \
         .help = "the pool (default: pool.name of the configuration)",         \
         .type = OPTION_STRING,                                                \
         .offset = offsetof(whole, member.pool)},                              \
        SETTINGS_OPTION_DEFS(whole, member.settings)
/* NOLINTEND(bugprone-macro-parentheses) */

/** No Redis is configured, or it is away; OPTIONS_USAGE is 2. */
#define POOL_AT_NO_REDIS 3

struct pool_at {
    struct settings *settings; /* owned */
    char *url;                 /* owned; NULL: not found yet */
    const char *pool;          /* borrowed from the options, or the settings */
    bool embedded;             /* it is the Redis of a berth that runs here */
};

/**
 * Load the settings, and find the Redis: options win over all that the
 * configuration says. Zeroed before; pool_at_clear() it in any case. -1 with
 * `*out_status`, what to exit with: OPTIONS_USAGE where the settings are wrong
 * (told on standard error already), POOL_AT_NO_REDIS where there is none.
 */
MUST_USE int pool_at_find(struct pool_at *at,
                          const struct pool_at_options *options,
                          int *out_status, struct err *err);
/** Wipes the address, which may hold a password. */
void pool_at_clear(struct pool_at *at);

/** To open its queue with; what is in it is borrowed from `at`. */
struct queue_options pool_at_queue(const struct pool_at *at);

#endif
