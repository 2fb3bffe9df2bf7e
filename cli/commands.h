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

extern const struct command command_artifacts;
extern const struct command command_config;
extern const struct command command_doctor;
extern const struct command command_run;
extern const struct command command_scheduler;
extern const struct command command_setup;
extern const struct command command_submit;
extern const struct command command_up;
extern const struct command command_validate;
extern const struct command command_worker;

/** List, print or copy what a job left: 0 done, 1 none, 2 wrong usage. */
int cmd_artifacts(int argc, char **argv);
/** Show or check the configuration: 0 valid, 1 invalid, 2 wrong usage. */
int cmd_config(int argc, char **argv);
/** Look for what would keep jobs from running: 0 nothing, 1 something. */
int cmd_doctor(int argc, char **argv);
extern const struct command command_cancel;
extern const struct command command_retry;
extern const struct command command_ps;
extern const struct command command_status;
extern const struct command command_logs;
extern const struct command command_queue;
extern const struct command command_drain;
extern const struct command command_resume;
extern const struct command command_rejected;
extern const struct command command_dead;

/** Run one pipeline, to its result. Exit status: see command_run.details. */
int cmd_run(int argc, char **argv);
/** Install opencode for jobs: 0 it is there, 1 not, 2 wrong usage. */
int cmd_setup(int argc, char **argv);
/** Keep a pool going, until it is told to end. */
int cmd_scheduler(int argc, char **argv);
/** A scheduler and a worker here, and a Redis, until told to end. */
int cmd_up(int argc, char **argv);
/** Put the jobs of a document into a queue. */
int cmd_submit(int argc, char **argv);
/** Check pipeline files: 0 all valid, 1 any invalid, 2 wrong usage. */
int cmd_validate(int argc, char **argv);
/** Run jobs until told to end. Exit status: see command_worker.details. */
int cmd_worker(int argc, char **argv);

/* About a pool of jobs; exit statuses as cli/pool.h has them. */
int cmd_cancel(int argc, char **argv);
int cmd_retry(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_rejected(int argc, char **argv);
int cmd_dead(int argc, char **argv);

#endif
