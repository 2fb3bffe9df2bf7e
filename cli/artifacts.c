/* cli/artifacts.c - berth artifacts: files that a job left. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/artifacts.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct artifacts_options {
    struct settings_options settings;
    bool json;
    const char *output;
};

static const struct option_def option_defs[] = {
    SETTINGS_OPTION_DEFS(struct artifacts_options, settings),
    {.name = "output",
     .argument = "DIR",
     .help = "copy all of them, or the one, below DIR",
     .type = OPTION_STRING,
     .offset = offsetof(struct artifacts_options, output)},
    {.name = "json",
     .help = "list them as JSON: [{\"path\", \"bytes\"}]",
     .type = OPTION_FLAG,
     .offset = offsetof(struct artifacts_options, json)},
};

const struct command command_artifacts = {
    .name = "artifacts",
    .operands = "JOB [PATH]",
    .summary = "List the files that a job left, or print one.",
    .details =
        "They are on the host whose worker, or berth run, had the job, in its\n"
        "state directory. Those of the last attempt that left any.\n\n"
        "exit status: 0 done, 1 there is none, 2 wrong usage",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 2,
    .main = cmd_artifacts,
};

struct job {
    const char *id;
    uint64_t epoch;
    const char *output;
    json_t *list; /* owned, or NULL */
    struct err err;
    bool failed;
};

/* A stranger chose it: bytes that are no UTF-8 are no JSON. */
static json_t *path_json(const char *path)
{
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;
    json_t *json = json_string(path);

    if (json)
        return json;
    text_add_clean(&clean, path);
    return json_string(clean.data);
}

static bool list_one(void *arg, const char *path, uint64_t size_bytes)
{
    struct job *job = arg;
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;
    char size[SIZE_TEXT_SIZE];

    if (job->list) {
        json_array_append_new(job->list,
                              json_pack("{s:o, s:I}", "path", path_json(path),
                                        "bytes", (json_int_t)size_bytes));
        return true;
    }
    text_add_clean(&clean, path);
    (void)printf("%10s  %s\n", size_format(size_bytes, size), clean.data);
    return true;
}

static int copy(int from, int to, struct err *err)
{
    char chunk[65536];
    ssize_t n;

    while ((n = read(from, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ERR_USER, "cannot read it");
        if (fd_write_all(to, chunk, (size_t)n, err) < 0)
            return -1;
    }
    return 0;
}

/* Below DIR, which the caller chose; `path` has plain names only, as
 * artifacts_list() found it or artifacts_open() took it. */
static int save(struct job *job, const char *path, struct err *err)
{
    CLEANUP(mem) char *to = xasprintf("%s/%s", job->output, path);
    CLEANUP(mem) char *above = xstrdup(to);
    CLEANUP(fd) int from = -1;
    CLEANUP(fd) int fd = -1;

    if (artifacts_open(job->id, job->epoch, path, &from, err) < 0)
        return -1;
    *strrchr(above, '/') = '\0';
    if (dir_make(above, 0755, err) < 0)
        return -1;
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, ERR_USER, "cannot write '%s'", to);
    return copy(from, fd, err);
}

static bool save_one(void *arg, const char *path, uint64_t size_bytes UNUSED)
{
    struct job *job = arg;

    job->failed = save(job, path, &job->err) < 0;
    return !job->failed;
}

static int print_one(const struct job *job, const char *path, struct err *err)
{
    CLEANUP(fd) int from = -1;

    if (artifacts_open(job->id, job->epoch, path, &from, err) < 0)
        return -1;
    return copy(from, STDOUT_FILENO, err);
}

static int list(struct job *job, bool json, struct err *err)
{
    int rc;

    if (json)
        job->list = json_array();
    rc = artifacts_list(job->id, job->epoch, list_one, job, err);
    if (json && rc == 0) {
        (void)json_dumpf(job->list, stdout, JSON_COMPACT);
        (void)putchar('\n');
    }
    json_decref(job->list);
    if (rc == 0 && fflush(stdout))
        return err_sys(err, ERR_USER, "cannot write the list");
    return rc;
}

static int save_all(struct job *job, struct err *err)
{
    if (artifacts_list(job->id, job->epoch, save_one, job, err) < 0)
        return -1;
    if (job->failed)
        *err = job->err;
    return job->failed ? -1 : 0;
}

static bool is_id(const char *s)
{
    return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

/* As the worker does: the configuration may name another directory. */
static int find_state(const struct settings_options *options, struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;

    if (settings_get(options, NULL, &settings, err) < 0)
        return -1;
    if (*settings->state_dir &&
        setenv("BERTH_STATE_DIR", settings->state_dir, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set BERTH_STATE_DIR");
    return 0;
}

static int artifacts(const struct artifacts_options *o,
                     const struct strv *operands, struct err *err)
{
    const char *path = operands->count > 1 ? operands->items[1] : NULL;
    struct job job = {.id = operands->items[0], .output = o->output};

    if (!is_id(job.id))
        return err_set(err, ERR_USER, "'%.80s' is no id of a job", job.id);
    if (artifacts_last_epoch(job.id, &job.epoch, err) < 0)
        return -1;
    if (path && job.output)
        return save(&job, path, err);
    if (path)
        return print_one(&job, path, err);
    return job.output ? save_all(&job, err) : list(&job, o->json, err);
}

int cmd_artifacts(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct artifacts_options options = {0};
    struct err err = {0};
    int parsed = options_parse(&command_artifacts, argc, argv, &options,
                               &operands, &err);

    if (parsed != 0)
        return options_finish(&command_artifacts, parsed, &err);
    parsed = find_state(&options.settings, &err);
    strv_clear(&options.settings.sets);
    if (parsed < 0)
        return OPTIONS_USAGE;
    if (artifacts(&options, &operands, &err) == 0)
        return 0;
    log_error("%s", err.msg);
    return 1;
}
