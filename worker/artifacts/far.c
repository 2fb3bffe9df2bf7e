/* worker/artifacts/far.c - artifacts in a store, for who wants to have them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/far.h"

#include "base/proc.h"
#include "worker/artifacts/index.h"
#include "worker/artifacts/program.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX_MS ((int64_t)5 * 60000)
#define GET_MAX_MS  ((int64_t)6 * 3600000)

/* argv[0] is ours to fill in. */
static int run(const char **argv, int fd, int64_t timeout_ms,
               struct strbuf *output, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec(ARTIFACT_PROGRAM);
    const struct proc_fd passed = {fd, ARTIFACT_PROGRAM_FD};
    const struct proc_spec spec = {.argv = argv,
                                   .in = PROC_NULL,
                                   .err = PROC_INHERIT,
                                   .fds = &passed,
                                   .fd_count = fd >= 0 ? 1 : 0};
    const char *line;
    int status = 0;

    argv[0] = program;
    if (proc_call(&spec, timeout_ms, output, &status, err) < 0)
        return -1;
    if (status == 0)
        return 0;
    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
    line = strrchr(output->data, '\n');
    return err_set(err,
                   status == ARTIFACT_PROGRAM_NONE ? ERR_USER : ERR_TRANSIENT,
                   "%.900s", line ? line + 1 : output->data);
}

static int read_list(char *text, struct far_artifacts *out_found,
                     struct err *err)
{
    struct far_artifacts found = {.files = json_array()};
    char *line = strsep(&text, "\n");

    found.epoch = strtoull(line, NULL, 10);
    while ((line = strsep(&text, "\n"))) {
        json_t *file = *line ? json_loads(line, 0, NULL) : NULL;

        if (*line && (!file || json_array_append_new(found.files, file) < 0)) {
            far_clear(&found);
            return err_set(err, ERR_TRANSIENT,
                           ARTIFACT_PROGRAM " does not list artifacts");
        }
    }
    *out_found = found;
    return 0;
}

int far_find(const char *store, const char *job_id,
             struct far_artifacts *out_found, struct err *err)
{
    const char *argv[] = {NULL, "list", store, job_id, NULL};
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(2 * INDEX_MAX_BYTES);
    struct err why = {0};

    *out_found = (struct far_artifacts){0};
    if (run(argv, -1, LIST_MAX_MS, &output, &why) == 0)
        return read_list(output.data, out_found, err);
    if (why.kind == ERR_USER)
        return 0;
    if (err)
        *err = why;
    return -1;
}

void far_clear(struct far_artifacts *found)
{
    json_decref(found->files);
    *found = (struct far_artifacts){0};
}

struct each {
    artifacts_file_fn *fn;
    void *arg;
    bool stopped;
};

static int tell(void *arg, const struct artifact_file *file,
                const char *sha256 UNUSED, struct err *err UNUSED)
{
    struct each *each = arg;

    each->stopped = each->stopped || !each->fn(each->arg, file);
    return 0;
}

int far_each(const struct far_artifacts *found, artifacts_file_fn *fn,
             void *arg, struct err *err)
{
    struct each each = {.fn = fn, .arg = arg};
    CLEANUP(mem) char *text = index_write(json_incref(found->files));

    return index_read(text, strlen(text), tell, &each, err);
}

int far_get(const char *store, const char *job_id, const char *path, int fd,
            struct err *err)
{
    const char *argv[] = {NULL, "get", store, job_id, path, NULL};
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(65536);

    return run(argv, fd, GET_MAX_MS, &output, err);
}

int far_save(const char *store, const char *job_id, const char *dir,
             struct err *err)
{
    const char *argv[] = {NULL, "save", store, job_id, dir, NULL};
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(65536);

    return run(argv, -1, GET_MAX_MS, &output, err);
}
