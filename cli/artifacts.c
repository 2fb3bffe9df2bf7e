/* cli/artifacts.c - berth artifacts: files that a job left. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/artifacts.h"
#include "worker/artifacts/far.h"

#include "base/clock.h"
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
    bool json, expire;
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
    {.name = "expire",
     .help = "remove what all jobs left and has expired, as a worker\ndoes "
             "each hour; without JOB",
     .type = OPTION_FLAG,
     .offset = offsetof(struct artifacts_options, expire)},
};

const struct command command_artifacts = {
    .name = "artifacts",
    .operands = "[JOB [PATH]]",
    .summary = "List the files that a job left, or print one.",
    .details =
        "They are on the host whose worker, or berth run, had the job, in its\n"
        "state directory, or in artifacts.store. Those of the last attempt\n"
        "that left any.\n\n"
        "exit status: 0 done, 1 there is none, 2 wrong usage",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .max_operands = 2,
    .main = cmd_artifacts,
};

struct job {
    const char *id;
    uint64_t epoch;    /* of those on this host; 0: none are */
    const char *store; /* borrowed; NULL: they are on this host */
    struct far_artifacts far;
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

static bool list_one(void *arg, const struct artifact_file *file)
{
    struct job *job = arg;
    CLEANUP(strbuf) struct strbuf clean = STRBUF_INIT;
    char size[SIZE_TEXT_SIZE];

    if (job->list) {
        json_array_append_new(
            job->list, json_pack("{s:o, s:I}", "path", path_json(file->path),
                                 "bytes", (json_int_t)file->bytes));
        return true;
    }
    text_add_clean(&clean, file->path);
    (void)printf("%10s  %s\n", size_format(file->bytes, size), clean.data);
    return true;
}

static int save(struct job *job, const char *path, struct err *err)
{
    CLEANUP(fd) int from = -1;
    CLEANUP(fd) int fd = -1;

    if (!job->store &&
        artifacts_open(job->id, job->epoch, path, &from, err) < 0)
        return -1;
    if (artifacts_create(job->output, path, &fd, err) < 0)
        return -1;
    return job->store ? far_get(job->store, job->id, path, fd, err)
                      : fd_copy(from, fd, err);
}

static bool save_one(void *arg, const struct artifact_file *file)
{
    struct job *job = arg;

    job->failed = save(job, file->path, &job->err) < 0;
    return !job->failed;
}

/* Only a whole one is printed: it goes through a file without a name. */
static int print_one(const struct job *job, const char *path, struct err *err)
{
    CLEANUP(fd) int from = -1;

    if (!job->store &&
        artifacts_open(job->id, job->epoch, path, &from, err) < 0)
        return -1;
    if (job->store) {
        const char *dir = getenv("TMPDIR");

        from = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC,
                    0600);
        if (from < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot make a temporary file");
        if (far_get(job->store, job->id, path, from, err) < 0)
            return -1;
    }
    return fd_copy(from, STDOUT_FILENO, err);
}

static int list(struct job *job, bool json, struct err *err)
{
    int rc;

    if (json)
        job->list = json_array();
    rc = job->store ? far_each(&job->far, list_one, job, err)
                    : artifacts_list(job->id, job->epoch, list_one, job, err);
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
    if (job->store)
        return far_save(job->store, job->id, job->output, err);
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
static int find_state(const struct settings_options *options,
                      struct settings **out_settings, struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;

    if (settings_get(options, NULL, &settings, err) < 0 ||
        settings_export_state_dir(settings, err) < 0)
        return -1;
    *out_settings = STEAL(settings);
    return settings_export_s3(*out_settings, err);
}

/* On this host or in the store: those of the later attempt. */
static int find(struct job *job, const char *store, struct err *err)
{
    struct err why = {0};

    if (artifacts_last_epoch(job->id, &job->epoch, err) < 0)
        return -1;
    if (!*store)
        return 0;
    if (far_find(store, job->id, &job->far, &why) < 0) {
        if (!job->epoch) {
            *err = why;
            return -1;
        }
        log_warn("these are on this host: %s", why.msg);
    }
    if (job->far.epoch > job->epoch)
        job->store = store;
    return 0;
}

static int expire(struct err *err)
{
    unsigned removed = 0;
    int rc = artifacts_expire(clock_wall_ms(), &removed, err);

    if (removed)
        log_info("removed the artifacts of %u jobs", removed);
    return rc;
}

static int artifacts(const struct artifacts_options *o,
                     const struct strv *operands, const char *store,
                     struct err *err)
{
    const char *path = operands->count > 1 ? operands->items[1] : NULL;
    struct job job = {.output = o->output};
    int rc;

    if (o->expire)
        return expire(err);
    job.id = operands->items[0];
    if (!is_id(job.id))
        return err_set(err, ERR_USER, "'%.80s' is no id of a job", job.id);
    if (find(&job, store, err) < 0)
        return -1;
    if (path)
        rc = job.output ? save(&job, path, err) : print_one(&job, path, err);
    else
        rc = job.output ? save_all(&job, err) : list(&job, o->json, err);
    far_clear(&job.far);
    return rc;
}

int cmd_artifacts(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    CLEANUP(settings) struct settings *settings = NULL;
    struct artifacts_options options = {0};
    struct err err = {0};
    int parsed = options_parse(&command_artifacts, argc, argv, &options,
                               &operands, &err);

    if (parsed != 0)
        return options_finish(&command_artifacts, parsed, &err);
    parsed = find_state(&options.settings, &settings, &err);
    strv_clear(&options.settings.sets);
    if (parsed == 0 && options.expire != (operands.count == 0))
        parsed = err_set(&err, ERR_USER,
                         "give the id of a job, or --expire; see berth "
                         "artifacts --help");
    if (parsed < 0) {
        log_error("%s", err.msg);
        return OPTIONS_USAGE;
    }
    if (artifacts(&options, &operands, settings->artifacts.store, &err) == 0)
        return 0;
    log_error("%s", err.msg);
    return 1;
}
