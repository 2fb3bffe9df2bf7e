/* cli/main.c - berth: the table of its commands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/suggest.h"
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct command command_version = {
    .name = "version",
    .operands = "",
    .summary = "Print berth's version.",
    .main = cmd_version,
};

static const struct command command_help = {
    .name = "help",
    .operands = "[COMMAND]",
    .summary = "List the commands, or explain one.",
    .max_operands = 1,
    .main = cmd_help,
};

/* A NULL stands behind the commands of each heading. */
#define GROUP_MAX 9
static const struct {
    const char *heading;
    const struct command *commands[GROUP_MAX];
} groups[] = {
    {"on this machine",
     {&command_run, &command_validate, &command_config, &command_doctor,
      &command_setup}},
    {"jobs of a queue",
     {&command_submit, &command_ps, &command_status, &command_logs,
      &command_artifacts, &command_cancel, &command_retry}},
    {"a queue and its workers",
     {&command_queue, &command_drain, &command_resume, &command_rejected,
      &command_dead}},
    {"daemons", {&command_up, &command_scheduler, &command_worker}},
    {"berth itself", {&command_version, &command_help}},
};

static void usage(FILE *out)
{
    fputs("usage: berth COMMAND [arguments]\n\n"
          "Runs review, test and batch jobs in sandboxes.\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        fprintf(out, "\n%s:\n", groups[i].heading);
        for (size_t k = 0; groups[i].commands[k]; k++)
            fprintf(out, "  %-10s %s\n", groups[i].commands[k]->name,
                    groups[i].commands[k]->summary);
    }
    fputs("\n'berth help COMMAND' explains one.\n", out);
}

static const struct command *find(const char *name)
{
    struct suggest meant = SUGGEST_INIT(name);

    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        for (size_t k = 0; groups[i].commands[k]; k++) {
            const struct command *command = groups[i].commands[k];

            if (strcmp(command->name, name) == 0)
                return command;
            suggest_offer(&meant, command->name);
        }
    if (meant.best)
        log_error("unknown command '%.100s'; did you mean '%s'?", name,
                  meant.best);
    else
        log_error("unknown command '%.100s'; 'berth help' lists them", name);
    return NULL;
}

static int finish(void)
{
    return fflush(stdout) ? 1 : 0;
}

static int cmd_version(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_version, argc, argv, NULL, &operands, &err);

    if (parsed != 0)
        return options_finish(&command_version, parsed, &err);
    puts("berth " BERTH_VERSION);
    return finish();
}

static int cmd_help(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    const struct command *command;
    struct err err = {0};
    int parsed =
        options_parse(&command_help, argc, argv, NULL, &operands, &err);

    if (parsed != 0)
        return options_finish(&command_help, parsed, &err);
    if (!operands.count) {
        usage(stdout);
        return finish();
    }
    command = find(operands.items[0]);
    return command ? options_finish(command, OPTIONS_HELP, NULL)
                   : OPTIONS_USAGE;
}

int main(int argc, char **argv)
{
    const struct command *command;

    log_init("berth", LOG_WARN);
    if (argc < 2) {
        usage(stderr);
        return OPTIONS_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        usage(stdout);
        return finish();
    }
    if (!strcmp(argv[1], "--version"))
        return cmd_version(1, argv);
    command = find(argv[1]);
    return command ? command->main(argc - 1, argv + 1) : OPTIONS_USAGE;
}
