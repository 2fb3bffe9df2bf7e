/* cli/worker_key.c - `berth worker-key`: what enrols a worker. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/secrets/worker_key.h"
#include "cli/commands.h"
#include "cli/settings.h"

#include <stdio.h>

struct worker_key_options {
    struct settings_options settings;
    const char *name;
};

static const struct option_def options[] = {
    {"name", 0, "NAME",
     "what the worker is called (default: worker.name of the\n"
     "configuration)",
     OPTION_STRING, offsetof(struct worker_key_options, name)},
    SETTINGS_OPTION_DEFS(struct worker_key_options, settings),
};

const struct command command_worker_key = {
    .name = "worker-key",
    .operands = "",
    .summary = "Make this worker's key, and print what enrols it.",
    .details =
        "Schedulers seal the tokens that read private repositories to this\n"
        "key. The line printed, NAME=KEY, is no secret: put it into\n"
        "scheduler.workers of their configuration. The key itself is\n"
        "worker.key in state_dir; where there is one, it stays as it is. Run\n"
        "it as the worker's user, then restart the worker.\n\n"
        "exit status: 0 done, 1 no key could be made, 2 wrong usage or\n"
        "settings",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .main = cmd_worker_key,
};

static int make(const struct worker_key_options *given, int *out_status,
                struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;
    CLEANUP(seal_key) struct seal_key key = {{0}, {0}};
    char text[SEAL_TEXT_SIZE];
    const char *name;

    *out_status = OPTIONS_USAGE;
    if (settings_get(&given->settings, NULL, &settings, err) < 0)
        return -1;
    name = given->name ? given->name : settings->worker.name;
    if (settings_check_name(name, err) < 0)
        return err_wrap(err, "--name '%.80s'", name);
    *out_status = 1;
    if (settings_make_state_dir(settings, err) < 0 ||
        worker_key_make(settings->state_dir, &key, err) < 0)
        return -1;
    seal_key_text(key.public_key, text);
    (void)printf("%s=%s\n", name, text);
    *out_status = 0;
    return 0;
}

int cmd_worker_key(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct worker_key_options given = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_worker_key, argc, argv, &given, &operands, &err);
    int status = 0;

    if (parsed != 0)
        status = options_finish(&command_worker_key, parsed, &err);
    else if (make(&given, &status, &err) < 0)
        (void)fprintf(stderr, "berth worker-key: %s\n", err.msg);
    strv_clear(&given.settings.sets);
    return status;
}
