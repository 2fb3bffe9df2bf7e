/* worker/job/reports.c - what `results:` of a step names, read when it ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/reports.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/helper.h"
#include "base/units.h"
#include "worker/findings/protocol.h"
#include "worker/sandbox/hostenv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM       "findings-read"
#define ANSWER_MAX    ((size_t)1 << 20)
#define TEXT_MAX      1300 /* of a line of the log */
#define READER_UID    65534
#define NUMBER_SIZE   24
#define FIXED_WORDS   5 /* of its arguments, in front of the documents */
#define MAX_ARGUMENTS (FIXED_WORDS + 3 * FINDINGS_MAX_DOCUMENTS + 1)

struct document {
    const char *format; /* static */
    char *name;         /* owned; a stranger's bytes */
    char bytes[NUMBER_SIZE];
};

struct reports {
    const struct attempt_spec *spec; /* borrowed */
    reports_end_fn *end;
    void *arg;
    int fd;                /* in memory: the documents; -1: none can be */
    uint64_t output_bytes; /* that came; perhaps more than are there */
    size_t next;           /* of the step's reports */
    char *stage;           /* owned: where files are copied to */
    struct sandbox_tree tree;
    size_t matched; /* files of this report */
    uint64_t files_bytes;
    struct document documents[FINDINGS_MAX_DOCUMENTS];
    size_t count;
    struct helper *helper;
    struct loop_source *limit;
    struct loop_source *soon;
    bool stopped;
};

static const struct step *step_of(const struct reports *r)
{
    return &r->spec->start->pipeline->steps[r->spec->index];
}

static const struct sandbox_driver *driver_of(const struct reports *r)
{
    return machine_driver(r->spec->machine);
}

static struct sandbox *sandbox_of(const struct reports *r)
{
    return machine_sandbox(r->spec->machine);
}

static void note(const struct reports *r, const char *text)
{
    output_note(r->spec->output, "results: %s", text);
}

/* ---- standard output ------------------------------------------------------
 */

/* The format of standard output; NULL: no report is of it. */
static const char *output_format(const struct reports *r)
{
    const struct step *step = step_of(r);

    for (size_t i = 0; i < step->report_count; i++)
        if (!step->reports[i].files.count)
            return step->reports[i].format;
    return NULL;
}

struct reports *reports_new(const struct attempt_spec *spec)
{
    struct reports *r = xcalloc(1, sizeof(*r));

    r->spec = spec;
    r->fd = memfd_create("results", MFD_CLOEXEC);
    (void)job_result_set_findings(spec->result, spec->index, NULL);
    return r;
}

void reports_output(struct reports *r, const void *data, size_t len)
{
    uint64_t left = r->output_bytes < REPORTS_OUTPUT_MAX_BYTES
                        ? REPORTS_OUTPUT_MAX_BYTES - r->output_bytes
                        : 0;
    struct err err;

    r->output_bytes += len;
    if (r->fd < 0 || !left || !output_format(r))
        return;
    if (fd_write_all(r->fd, data, len < left ? len : (size_t)left, &err) < 0) {
        note(r, err.msg);
        fd_close(&r->fd);
    }
}

static void add_document(struct reports *r, const char *format,
                         const char *name, uint64_t bytes)
{
    struct document *document = &r->documents[r->count++];

    document->format = format;
    document->name = xstrdup(name);
    (void)snprintf(document->bytes, sizeof(document->bytes), "%llu",
                   (unsigned long long)bytes);
}

/* It was written first. */
static void add_output(struct reports *r)
{
    const char *format = output_format(r);
    char size[SIZE_TEXT_SIZE];

    if (!format)
        return;
    if (r->output_bytes > REPORTS_OUTPUT_MAX_BYTES) {
        output_note(r->spec->output,
                    "results: only the first %s of standard output are read",
                    size_format(REPORTS_OUTPUT_MAX_BYTES, size));
        r->output_bytes = REPORTS_OUTPUT_MAX_BYTES;
    }
    add_document(r, format, "standard output", r->output_bytes);
}

/* ---- the end ------------------------------------------------------------- */

static void on_soon(void *arg)
{
    struct reports *r = arg;

    r->soon = NULL;
    r->end(r->arg);
}

static void end_soon(struct reports *r)
{
    loop_remove(STEAL(r->limit));
    if (!r->soon)
        r->soon = loop_add_timer(r->spec->loop, 0, on_soon, r);
}

void reports_stop(struct reports *r)
{
    if (r->stopped || r->soon)
        return;
    r->stopped = true;
    if (r->helper) {
        helper_free(STEAL(r->helper));
        end_soon(r);
    } else {
        driver_of(r)->stop_files(sandbox_of(r));
    }
}

static void on_limit(void *arg)
{
    struct reports *r = arg;

    r->limit = NULL;
    note(r, "reading them took too long: there are none");
    reports_stop(r);
}

/* ---- reading ------------------------------------------------------------- */

/* What it says is told as it is by nobody: a line is one line. */
static void tell_problems(const struct reports *r, const json_t *problems)
{
    const json_t *problem;
    size_t i;

    json_array_foreach(problems, i, problem)
    {
        const char *said = json_string_value(problem);
        CLEANUP(mem) char *text = xstrndup(said ? said : "", TEXT_MAX);

        for (char *c = text; *c; c++)
            if ((unsigned char)*c < ' ' || *c == 0x7f)
                *c = '?';
        if (*text && i < FINDINGS_MAX_DOCUMENTS)
            note(r, text);
    }
}

static void on_read(void *arg, int status, struct strbuf *output,
                    const struct err *err)
{
    struct reports *r = arg;
    json_t *answer =
        err || status ? NULL : json_loadb(output->data, output->len, 0, NULL);
    json_t *report = json_object_get(answer, "report");

    helper_free(STEAL(r->helper));
    if (err)
        note(r, err->msg);
    else if (!report || job_result_set_findings(r->spec->result, r->spec->index,
                                                report) < 0)
        note(r, PROGRAM " failed: there are none");
    else
        tell_problems(r, json_object_get(answer, "problems"));
    json_decref(answer);
    end_soon(r);
}

/* Where the tools ran, below the workspace. */
static const char *dir_of(const struct reports *r)
{
    const char *cwd = r->spec->cwd;
    size_t len = strlen(SANDBOX_WORKSPACE);

    if (strncmp(cwd, SANDBOX_WORKSPACE, len) != 0)
        return "";
    cwd += len;
    return *cwd == '/' ? cwd + 1 : cwd;
}

/* So that who comes first leaves something to the others. */
static void share(const struct reports *r, size_t *out_count, size_t *out_bytes)
{
    const struct pipeline *pipeline = r->spec->start->pipeline;
    size_t steps = 1;

    job_result_findings_left(r->spec->result, r->spec->index, out_count,
                             out_bytes);
    for (size_t i = r->spec->index + 1; i < pipeline->step_count; i++)
        steps += pipeline->steps[i].report_count > 0;
    *out_count /= steps;
    *out_bytes /= steps;
}

static int start_reader(struct reports *r, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec(PROGRAM);
    static char *const no_environment[] = {NULL};
    char uid[NUMBER_SIZE], count[NUMBER_SIZE], bytes[NUMBER_SIZE];
    const char *argv[MAX_ARGUMENTS] = {program, uid, count, bytes, dir_of(r)};
    const char **next = argv + FIXED_WORDS;
    size_t most_count = 0, most_bytes = 0;
    const struct helper_spec spec = {.name = PROGRAM,
                                     .proc = {.argv = argv,
                                              .envp = no_environment,
                                              .in = r->fd,
                                              .err = PROC_INHERIT},
                                     .max_output = ANSWER_MAX,
                                     .timeout_ms = REPORTS_MAX_MS};

    if (r->fd < 0 || lseek(r->fd, 0, SEEK_SET) < 0)
        return err_set(err, ERR_TRANSIENT, "there is no memory for them");
    share(r, &most_count, &most_bytes);
    (void)snprintf(uid, sizeof(uid), "%d", geteuid() == 0 ? READER_UID : 0);
    (void)snprintf(count, sizeof(count), "%zu", most_count);
    (void)snprintf(bytes, sizeof(bytes), "%zu", most_bytes);
    for (size_t i = 0; i < r->count; i++) {
        *next++ = r->documents[i].format;
        *next++ = r->documents[i].name;
        *next++ = r->documents[i].bytes;
    }
    return helper_start(r->spec->loop, &spec, on_read, r, &r->helper, err);
}

static void read_all(struct reports *r)
{
    struct err err = {0};

    if (r->count && start_reader(r, &err) == 0)
        return;
    if (r->count)
        note(r, err.msg);
    end_soon(r);
}

/* ---- files --------------------------------------------------------------- */

static void next_report(struct reports *r);

static void remove_stage(struct reports *r)
{
    CLEANUP(mem) char *stage = STEAL(r->stage);
    struct err err;

    if (stage && tree_remove(stage, &err) < 0)
        note(r, err.msg);
}

/* It is ours, and nothing in it is a link: only regular files came. */
static int take_file(struct reports *r, const char *path, uint64_t *out_bytes,
                     struct err *err)
{
    CLEANUP(mem) char *copy = xasprintf("%s/%s", r->stage, path);
    CLEANUP(fd)
    int fd = open(copy, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    off_t before = lseek(r->fd, 0, SEEK_CUR);

    if (fd < 0 || before < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open a copy");
    if (fd_copy(fd, r->fd, err) < 0)
        return -1;
    *out_bytes = (uint64_t)(lseek(r->fd, 0, SEEK_CUR) - before);
    return 0;
}

static void on_file(void *arg, const char *path, uint64_t size_bytes)
{
    struct reports *r = arg;
    uint64_t bytes = 0;
    struct err err;

    r->matched++;
    r->files_bytes += size_bytes;
    if (r->fd < 0 || r->count == FINDINGS_MAX_DOCUMENTS)
        return;
    if (take_file(r, path, &bytes, &err) == 0) {
        add_document(r, step_of(r)->reports[r->next].format, path, bytes);
    } else {
        note(r, err.msg); /* where the next one begins is not known */
        fd_close(&r->fd);
    }
}

static void on_copied(void *arg, const void *data UNUSED, size_t len UNUSED,
                      const struct err *err)
{
    struct reports *r = arg;
    const struct strv *files = &step_of(r)->reports[r->next].files;

    remove_stage(r);
    if (r->stopped) {
        end_soon(r);
        return;
    }
    if (err)
        output_note(r->spec->output, "results: not all files are read: %s",
                    err->msg);
    else if (!r->matched)
        output_note(r->spec->output, "results: no file fits '%.100s'%s",
                    files->items[0], files->count > 1 ? " or the others" : "");
    r->next++;
    next_report(r);
}

static int copy_files(struct reports *r, const struct strv *files,
                      struct err *err)
{
    if (r->files_bytes >= REPORTS_FILES_MAX_BYTES ||
        r->count == FINDINGS_MAX_DOCUMENTS)
        return err_set(err, ERR_USER, "there are too many before '%.100s'",
                       files->items[0]);
    r->stage =
        xasprintf("%s.results", driver_of(r)->host_workspace(sandbox_of(r)));
    if (tree_remove(r->stage, err) < 0)
        return -1;
    if (mkdir(r->stage, 0700) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", r->stage);
    r->matched = 0;
    r->tree = (struct sandbox_tree){
        .path = SANDBOX_WORKSPACE,
        .host_dir = r->stage,
        .patterns = (const char *const *)files->items,
        .max_bytes = REPORTS_FILES_MAX_BYTES - r->files_bytes,
        .max_entries = (uint32_t)(FINDINGS_MAX_DOCUMENTS - r->count),
        .on_entry = on_file,
        .arg = r,
    };
    return driver_of(r)->get_tree(sandbox_of(r), &r->tree, on_copied, r, err);
}

static void next_report(struct reports *r)
{
    const struct step *step = step_of(r);
    struct err err = {0};

    for (; r->next < step->report_count; r->next++) {
        const struct step_report *report = &step->reports[r->next];

        if (!report->files.count)
            continue;
        if (copy_files(r, &report->files, &err) == 0)
            return;
        remove_stage(r);
        note(r, err.msg);
    }
    read_all(r);
}

void reports_collect(struct reports *r, reports_end_fn *end, void *arg)
{
    r->end = end;
    r->arg = arg;
    r->limit = loop_add_timer(r->spec->loop, clock_mono_ms() + REPORTS_MAX_MS,
                              on_limit, r);
    add_output(r);
    next_report(r);
}

void reports_free(struct reports *r)
{
    if (!r)
        return;
    loop_remove(r->limit);
    loop_remove(r->soon);
    helper_free(r->helper);
    remove_stage(r);
    fd_close(&r->fd);
    for (size_t i = 0; i < r->count; i++)
        free(r->documents[i].name);
    free(r);
}
