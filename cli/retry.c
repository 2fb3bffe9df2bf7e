/* cli/retry.c - berth retry: run ended jobs again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/pool.h"

struct retry_options {
    struct pool_options pool;
};

static const struct option_def option_defs[] = {
    POOL_OPTION_DEFS(struct retry_options, pool),
};

const struct command command_retry = {
    .name = "retry",
    .operands = "ID…",
    .summary = "Run ended jobs again, as the same jobs.",
    .details = "All attempts may be used again. Not of jobs that passed: what "
               "they were to\ndo is not kept; and of a run only all of it.\n\n"
               "--json: {\"jobs\": [{\"id\", \"result\": \"queued\"}]}, or "
               "\"error\" in place of\n\"result\".\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = POOL_MAX_IDS,
    .main = cmd_retry,
};

static int retry(struct pool *pool, const void *options UNUSED,
                 const struct strv *ids, struct err *err)
{
    return pool_each(pool, ids, pool_retry, err);
}

int cmd_retry(int argc, char **argv)
{
    struct retry_options options = {0};
    const struct pool_call call = {
        .command = &command_retry, .options = &options.pool, .fn = retry};

    return pool_main(&call, argc, argv);
}
