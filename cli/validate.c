/* cli/validate.c - berth validate: what is wrong with pipeline files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/yaml_tree.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "pipelines/diag.h"
#include "pipelines/document.h"
#include "pipelines/job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct validate_options {
    bool json;
    bool job;
    bool config;
};

static const struct option_def option_defs[] = {
    {.name = "json",
     .help = "print {\"files\": [{\"file\", \"valid\", \"errors\",\n"
             "\"warnings\"}]}",
     .type = OPTION_FLAG,
     .offset = offsetof(struct validate_options, json)},
    {.name = "job",
     .help = "the files are job documents, as berth submit takes\n"
             "them",
     .type = OPTION_FLAG,
     .offset = offsetof(struct validate_options, job)},
    {.name = "config",
     .help = "the files are configuration files",
     .type = OPTION_FLAG,
     .offset = offsetof(struct validate_options, config)},
};

const struct command command_validate = {
    .name = "validate",
    .operands = "FILE…",
    .summary = "Check pipelines, job documents or configurations.",
    .details = "\"-\" is standard input. All errors go to standard error, as\n"
               "FILE:LINE:COLUMN: MESSAGE with the line they are about (but\n"
               "of a configuration: it may hold a password); so do warnings,\n"
               "with which a file is valid.\n\n"
               "Exit status: 0 all are valid, 1 any is not, 2 wrong usage.",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 10000,
    .main = cmd_validate,
};

/* One byte more than a document may have, so that too large is seen. */
static int read_text(const char *file, struct strbuf *text, struct err *err)
{
    if (strcmp(file, "-") != 0)
        return file_read(file, text->max_bytes, text, err);
    return fd_read_all(STDIN_FILENO, text, err);
}

/* As if there were nothing but this file. */
static bool check_config(const char *shown, const struct strbuf *text,
                         struct settings_errors *errors)
{
    CLEANUP(settings) struct settings *settings = NULL;

    return settings_load_text(shown, text->data, text->len, errors,
                              &settings) == 0;
}

static bool check_text(const char *shown,
                       const struct validate_options *options,
                       const struct strbuf *text,
                       struct settings_errors *errors)
{
    struct diag_list *diags = errors->file;
    CLEANUP(document) struct document *document = NULL;
    CLEANUP(job_batch) struct job_batch *batch = NULL;

    if (options->config)
        return check_config(shown, text, errors);
    if (options->job)
        return job_load(shown, text->data, text->len, diags, &batch) == 0;
    return document_load(shown, text->data, text->len, diags, &document) == 0;
}

static bool check_file(const char *file, const struct validate_options *options,
                       struct settings_errors *errors)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(YAML_MAX_BYTES + 1);
    const char *shown = strcmp(file, "-") ? file : "<stdin>";
    struct err err = {0};

    if (read_text(file, &text, &err) < 0) {
        diag_list_set_source(errors->file, shown, "", 0);
        diag_list_add(errors->file, 0, 0, NULL, "%s", err.msg);
        return false;
    }
    return check_text(shown, options, &text, errors);
}

static void print_text(const char *file, bool valid,
                       const struct settings_errors *errors)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    if (valid)
        printf("%s: valid\n", file);
    else
        settings_errors_render(errors, &out);
    if (diag_list_warnings(errors->file))
        diag_list_render(diag_list_warnings(errors->file), &out);
    (void)fflush(stdout);
    fputs(out.data, stderr);
}

static json_t *file_json(const char *file, bool valid,
                         const struct diag_list *diags)
{
    json_t *object = json_object();
    /* A name of other bytes than UTF-8 has no place in JSON. */
    json_t *name = json_string(file);
    const struct diag_list *warnings = diag_list_warnings(diags);

    json_object_set_new(object, "file", name ? name : json_string("?"));
    json_object_set_new(object, "valid", json_boolean(valid));
    json_object_set_new(object, "errors", diag_list_to_json(diags));
    json_object_set_new(object, "warnings",
                        warnings ? diag_list_to_json(warnings) : json_array());
    return object;
}

int cmd_validate(int argc, char **argv)
{
    CLEANUP(strv) struct strv files = {0};
    struct validate_options options = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_validate, argc, argv, &options, &files, &err);
    json_t *list, *document;
    int status = 0;

    if (parsed == 0 && options.job && options.config)
        parsed =
            err_set(&err, ERR_USER, "--job and --config exclude each other");
    if (parsed != 0)
        return options_finish(&command_validate, parsed, &err);
    list = json_array();
    for (size_t i = 0; i < files.count; i++) {
        CLEANUP(settings_errors)
        struct settings_errors *errors = settings_errors_new();
        bool valid = check_file(files.items[i], &options, errors);

        if (options.json)
            json_array_append_new(
                list, file_json(files.items[i], valid, errors->file));
        else
            print_text(files.items[i], valid, errors);
        status |= !valid;
    }
    document = json_pack("{s:o}", "files", list);
    if (options.json && (json_dumpf(document, stdout, JSON_INDENT(2)) < 0 ||
                         putchar('\n') == EOF))
        status = 1;
    json_decref(document);
    return status;
}
