/* cli/commands.h - the commands that main.c's table holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

/*
 * A file a command: cli/run.c defines command_run, with its option table, and
 * cmd_run, which is command_run.main:
 *
 *   int cmd_x(int argc, char **argv)
 *   {
 *       CLEANUP(strv) struct strv files = {0};
 *       struct x_options options = {0};
 *       struct err err = {0};
 *       int parsed = options_parse(&command_x, argc, argv, &options, &files,
 *                                  &err);
 *
 *       if (parsed != 0)
 *           return options_finish(&command_x, parsed, &err);
 *       …
 *   }
 */

extern const struct command command_config;
extern const struct command command_doctor;
extern const struct command command_run;
extern const struct command command_validate;
extern const struct command command_worker;

/** Show or check the configuration: 0 valid, 1 invalid, 2 wrong usage. */
int cmd_config(int argc, char **argv);
/** Look for what would keep jobs from running: 0 nothing, 1 something. */
int cmd_doctor(int argc, char **argv);
/** Run one pipeline, to its result. Exit status: see command_run.details. */
int cmd_run(int argc, char **argv);
/** Check pipeline files: 0 all valid, 1 any invalid, 2 wrong usage. */
int cmd_validate(int argc, char **argv);
/** Run jobs until told to end. Exit status: see command_worker.details. */
int cmd_worker(int argc, char **argv);

#endif
