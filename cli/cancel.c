/* cli/cancel.c - berth cancel: end jobs, or runs with all their jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/pool.h"
#include "scheduler/queue/control.h"

struct cancel_options {
    struct pool_options pool;
};

static const struct option_def option_defs[] = {
    POOL_OPTION_DEFS(struct cancel_options, pool),
};

const struct command command_cancel = {
    .name = "cancel",
    .operands = "ID…",
    .summary = "End jobs of the queue, or runs with all their jobs.",
    .details = "A job that waits is cancelled at once. One that runs is asked "
               "to end: its\nworker learns it at once, and steps with "
               "'if: always()' still run. One that\nended stays as it was.\n\n"
               "--json: {\"jobs\": [{\"id\", \"result\": \"cancelled\" | "
               "\"asked\" | \"ended\"}]},\nor \"error\" in place of "
               "\"result\".\n\n" POOL_EXIT_HELP,
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = POOL_MAX_IDS,
    .main = cmd_cancel,
};

static int cancel_one(struct pool *pool, const char *id, const char **out_word,
                      struct err *err)
{
    static const struct {
        const char *word;
        const char *text;
    } words[] = {
        [QUEUE_CANCELLED] = {"cancelled", "cancelled"},
        [QUEUE_CANCEL_ASKED] = {"asked", "asked to end"},
        [QUEUE_CANCEL_ENDED] = {"ended", "had ended already"},
    };
    enum queue_cancelled what;

    if (queue_cancel(pool->queue, id, "cancelled", &what, err) < 0)
        return -1;
    *out_word = pool->json ? words[what].word : words[what].text;
    return 0;
}

static int cancel(struct pool *pool, const void *options UNUSED,
                  const struct strv *ids, struct err *err)
{
    return pool_each(pool, ids, cancel_one, err);
}

int cmd_cancel(int argc, char **argv)
{
    struct cancel_options options = {0};
    const struct pool_call call = {
        .command = &command_cancel, .options = &options.pool, .fn = cancel};

    return pool_main(&call, argc, argv);
}
