/* cli/run.c - `berth run`: one pipeline over one repository, here and now. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/commands.h"
#include "cli/pipeline_file.h"
#include "cli/run_local.h"

#include <stdio.h>
#include <unistd.h>

struct run_options {
    struct local_options local;
    bool json;
    bool quiet;
    bool verbose;
    bool no_color;
};

#define FIELD(name) offsetof(struct run_options, name)

static const struct option_def options[] = {
    {"repo", 0, "PATH|URL",
     "the repository (default: the one of this\ndirectory)", OPTION_STRING,
     FIELD(local.repo)},
    {"commit", 0, "SHA", "the commit (default: HEAD)", OPTION_STRING,
     FIELD(local.commit)},
    {"ref", 0, "REF", "a branch, a tag or refs/… instead", OPTION_STRING,
     FIELD(local.ref)},
    {"base", 0, "BRANCH", "the branch that a change is compared with",
     OPTION_STRING, FIELD(local.base)},
    {"input", 'i', "NAME=VALUE",
     "a value for ${{ inputs.NAME }}; may be repeated", OPTION_LIST,
     FIELD(local.inputs)},
    {"env-file", 0, "FILE", "NAME=VALUE lines for the steps' environment",
     OPTION_STRING, FIELD(local.env_file)},
    {"secret", 0, "NAME[=FILE]",
     "what a step names under secrets: what is in FILE,\nor in the variable "
     "NAME; may be repeated",
     OPTION_LIST, FIELD(local.secrets)},
    LOCAL_OPTION_DEFS(struct run_options, local),
    {"json", 0, NULL,
     "the result as JSON on standard output, all else\non standard error",
     OPTION_FLAG, FIELD(json)},
    {"keep", 0, NULL, "keep a copy of the workspace and say where", OPTION_FLAG,
     FIELD(local.keep)},
    {"quiet", 'q', NULL, "only the table and what failed", OPTION_FLAG,
     FIELD(quiet)},
    {"verbose", 'v', NULL, "all output, also on a terminal; resource use",
     OPTION_FLAG, FIELD(verbose)},
    {"no-color", 0, NULL, "no colours (as NO_COLOR does)", OPTION_FLAG,
     FIELD(no_color)},
};

const struct command command_run = {
    .name = "run",
    .operands = "PIPELINE",
    .summary =
        "Run a pipeline over a repository, in a sandbox on this machine.",
    .details =
        "PIPELINE is a file, - for standard input, or the name of a pipeline "
        "that\nships with berth, such as test. What is committed is run, not "
        "the working\ntree. Ctrl-C cancels, twice kills; nothing is left "
        "behind.\n\n"
        "exit status: 0 passed, 1 failed, 2 wrong usage or invalid pipeline,\n"
        "3 the infrastructure failed, 130 cancelled",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_run,
};

static int load_pipeline(const char *name, struct pipeline **out_pipeline,
                         struct err *err)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    int rc = pipeline_file_load(name, diags, out_pipeline, err);

    if (rc < 0)
        diag_list_render(diags, &text);
    if (diag_list_warnings(diags))
        diag_list_render(diag_list_warnings(diags), &text);
    if (text.len)
        fputs(text.data, stderr);
    return rc;
}

static void choose_display(const struct run_options *opts,
                           struct display_options *out)
{
    out->fd = opts->json ? STDERR_FILENO : STDOUT_FILENO;
    out->live = style_choose(out->fd, &out->style);
    out->style.colour = out->style.colour && !opts->no_color;
    out->detail = opts->quiet     ? DISPLAY_QUIET
                  : opts->verbose ? DISPLAY_VERBOSE
                                  : DISPLAY_NORMAL;
}

/* Everything that can be wrong with the command line is found before Redis. */
static int run(struct run_options *opts, const char *name, int *out_status,
               struct err *err)
{
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;
    CLEANUP(source) struct source *source = NULL;
    struct run_request request = {.json = opts->json};
    const struct local_options *local = &opts->local;

    *out_status = LOCAL_USAGE;
    choose_display(opts, &request.display);
    if (opts->quiet && opts->verbose)
        return err_set(err, ERR_USER,
                       "--quiet and --verbose exclude each other");
    if (local_check(&opts->local, err) < 0 ||
        load_pipeline(name, &pipeline, err) < 0 ||
        source_find(local->repo, local->commit, local->ref, &source, err) < 0)
        return -1;
    return local_run(local, pipeline, source, &request, out_status, err);
}

int cmd_run(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct run_options opts = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_run, argc, argv, &opts, &operands, &err);
    int status = 0;

    if (parsed != 0)
        status = options_finish(&command_run, parsed, &err);
    else if (run(&opts, operands.items[0], &status, &err) < 0)
        log_error("%s", err.msg);
    local_clear(&opts.local);
    return status;
}
