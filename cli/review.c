/* cli/review.c - berth review: what a model says about a branch. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "cli/commands.h"
#include "cli/model_setup.h"
#include "cli/report.h"
#include "cli/review_output.h"
#include "cli/run_local.h"
#include "pipelines/diag.h"
#include "pipelines/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FINDINGS 200 /* as in the pipeline language */

struct review_options {
    struct local_options local;
    const char *format, *model, *max, *severity, *fail_on, *prompt;
    bool verbose;
};

#define FIELD(name) offsetof(struct review_options, name)

static const struct option_def options[] = {
    {"base", 0, "BRANCH",
     "what it is compared with: a branch or a commit\n(default: the origin's "
     "main branch, else main or\nmaster)",
     OPTION_STRING, FIELD(local.base)},
    {"repo", 0, "PATH", "the repository (default: the one of this\ndirectory)",
     OPTION_STRING, FIELD(local.repo)},
    {"ref", 0, "REF", "the branch that is reviewed (default: HEAD)",
     OPTION_STRING, FIELD(local.ref)},
    {"format", 0, "FORMAT",
     "text, json (schemas/findings.schema.json), rdjson,\nsarif or md "
     "(default: "
     "text)",
     OPTION_STRING, FIELD(format)},
    {"prompt", 0, "TEXT", "what to look for (default: what is wrong)",
     OPTION_STRING, FIELD(prompt)},
    {"model", 0, "NAME", "of the configuration (default: its first)",
     OPTION_STRING, FIELD(model)},
    {"max", 0, "N", "how many findings at most (default: 10)", OPTION_STRING,
     FIELD(max)},
    {"severity", 0, "SEVERITY",
     "info, warning or error: nothing less is told\n(default: warning)",
     OPTION_STRING, FIELD(severity)},
    {"fail-on", 0, "SEVERITY",
     "info, warning, error or never: what makes the exit\nstatus 1 (default: "
     "warning)",
     OPTION_STRING, FIELD(fail_on)},
    {"verbose", 'v', NULL, "all that goes on, on standard error", OPTION_FLAG,
     FIELD(verbose)},
    LOCAL_OPTION_DEFS(struct review_options, local),
};

const struct command command_review = {
    .name = "review",
    .operands = "",
    .summary = "Have a model review a branch, in a sandbox on this machine.",
    .details =
        "The pipeline 'review' is run over what HEAD has that the base has "
        "not. What is\ncommitted is reviewed, not the working tree. Findings "
        "are on standard output,\nall else on standard error. It needs a model "
        "in the configuration\n(docs/models.md), and opencode: berth setup "
        "opencode.\n\n"
        "exit status: 0 nothing found, or nothing as bad as --fail-on, 1 "
        "something is,\n2 wrong usage or settings, 3 the review failed, 130 "
        "cancelled",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .main = cmd_review,
};

/* ---- what was asked for ---------------------------------------------------
 */

static int find_word(const char *option, const char *word,
                     const char *const *words, struct err *err)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return err_set(err, ERR_USER,
                   "--%s is none of info, warning, error%s: %.40s", option,
                   words[3] ? ", never" : "", word);
}

static const char *const severities[] = {"info", "warning", "error", NULL};
static const char *const limits[] = {"info", "warning", "error", "never", NULL};

/* In place of what the pipeline says. */
static int adjust(const struct review_options *o, struct pipeline *pipeline,
                  struct err *err)
{
    for (size_t i = 0; i < pipeline->step_count; i++) {
        struct step *step = &pipeline->steps[i];
        char *end = NULL;
        long max = o->max ? strtol(o->max, &end, 10) : 0;
        int severity = o->severity
                           ? find_word("severity", o->severity, severities, err)
                           : 1;

        if (severity < 0)
            return -1;
        if (o->max && (end == o->max || *end || max < 1 || max > MAX_FINDINGS))
            return err_set(err, ERR_USER, "--max is a number from 1 to %d",
                           MAX_FINDINGS);
        if (step->kind != STEP_OPENCODE)
            continue;
        step->opencode.min_severity = severities[severity];
        step->opencode.incremental = false;
        if (o->max)
            step->opencode.max_findings = (unsigned)max;
        if (o->model) {
            free(step->model.name);
            step->model.name = xstrdup(o->model);
        }
    }
    return 0;
}

static int load(const struct review_options *o, struct pipeline **out,
                struct err *err)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;

    const char *text = library_find("review");

    if (pipeline_load("review.yml", text, strlen(text), diags, &pipeline) < 0)
        return err_set(err, ERR_USER, "the pipeline that ships is wrong");
    if (adjust(o, pipeline, err) < 0)
        return -1;
    *out = STEAL(pipeline);
    return 0;
}

static void choose_display(const struct review_options *o,
                           struct display_options *out)
{
    out->fd = STDERR_FILENO;
    out->live = style_choose(out->fd, &out->style);
    out->detail = o->verbose  ? DISPLAY_VERBOSE
                  : out->live ? DISPLAY_NORMAL
                              : DISPLAY_QUIET;
}

/* ---- what became of it ----------------------------------------------------
 */

static int print(enum review_format format, const struct findings *findings,
                 struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    review_output_add(&text, format, findings);
    if (fwrite(text.data, 1, text.len, stdout) < text.len ||
        fflush(stdout) != 0)
        return err_sys(err, ERR_USER, "cannot write what was found");
    return 0;
}

static void tell_failure(const json_t *result, const struct style *style)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const struct report_options how = {.style = *style};

    report_add(result, &how, &text);
    fputs(text.data, stderr);
}

static int conclude(const struct review_options *o, const json_t *result,
                    const struct style *style, int *out_status, struct err *err)
{
    CLEANUP(findings) struct findings *findings = review_findings_of(result);
    CLEANUP(strbuf) struct strbuf facts = STRBUF_INIT;
    int limit = o->fail_on ? find_word("fail-on", o->fail_on, limits, err)
                           : FINDING_WARNING;
    bool passed = *out_status == 0;

    review_facts_add(&facts, result);
    if (findings && print((enum review_format)review_format_find(o->format),
                          findings, err) < 0)
        return -1;
    if (!passed)
        tell_failure(result, style);
    else if (facts.len)
        fputs(facts.data, stderr);
    if (!passed)
        *out_status = *out_status == 130 ? 130 : LOCAL_INFRASTRUCTURE;
    else if (findings && limit <= FINDING_ERROR)
        *out_status = review_count(findings, (enum finding_severity)limit) > 0;
    return 0;
}

static int nothing_new(const struct review_options *o, const char *base,
                       int *out_status, struct err *err)
{
    CLEANUP(findings) struct findings *none = findings_new();

    fprintf(stderr,
            "note: there is nothing to review: the base has all of it "
            "(%.7s); give another with --base\n",
            base);
    *out_status = 0;
    return print((enum review_format)review_format_find(o->format), none, err);
}

static int check(struct review_options *o, struct err *err)
{
    if (!o->format)
        o->format = "text";
    if (review_format_find(o->format) < 0)
        return err_set(err, ERR_USER,
                       "--format is none of text, json, rdjson, sarif, md: "
                       "%.40s",
                       o->format);
    if (o->fail_on && find_word("fail-on", o->fail_on, limits, err) < 0)
        return -1;
    if (o->local.repo && source_is_address(o->local.repo))
        return err_set(err, ERR_USER,
                       "--repo is a path here; of an address: berth run review "
                       "--repo ADDRESS --ref REF --base BRANCH");
    if (o->prompt)
        strv_addf(&o->local.inputs, "prompt=%s", o->prompt);
    return local_check(&o->local, err);
}

static int review(struct review_options *o, int *out_status, struct err *err)
{
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;
    CLEANUP(source) struct source *source = NULL;
    CLEANUP(mem) char *base = NULL;
    json_t *result = NULL;
    struct run_request request = {.out_result = &result};
    int rc;

    *out_status = LOCAL_USAGE;
    if (check(o, err) < 0 || load(o, &pipeline, err) < 0 ||
        source_find(o->local.repo, NULL, o->local.ref, &source, err) < 0 ||
        source_base(source, o->local.base, &base, err) < 0)
        return -1;
    if (strcmp(base, source->commit) == 0)
        return nothing_new(o, base, out_status, err);
    if (model_setup_check(&o->local.settings, o->model, err) < 0)
        return -1;
    o->local.base = base;
    choose_display(o, &request.display);
    rc = local_run(&o->local, pipeline, source, &request, out_status, err);
    if (rc == 0 && result)
        rc = conclude(o, result, &request.display.style, out_status, err);
    json_decref(result);
    o->local.base = NULL;
    return rc;
}

int cmd_review(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct review_options opts = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_review, argc, argv, &opts, &operands, &err);
    int status = 0;

    if (parsed != 0)
        status = options_finish(&command_review, parsed, &err);
    else if (review(&opts, &status, &err) < 0)
        log_error("%s", err.msg);
    local_clear(&opts.local);
    return status;
}
