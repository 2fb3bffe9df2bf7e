/* tests/bench/checkout.c - the checkout step, as run-job does it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"
#include "pipelines/diag.h"
#include "worker/job/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * usage: checkout REPOSITORY COMMIT…
 *
 * For each commit a new sandbox, and the checkout step in it: from the call
 * to its end, the tree in the workspace; the sandbox's own time is not in it.
 * Prints microseconds, one line a commit. Needs root, BERTH_LIBEXEC and
 * BERTH_STATE_DIR.
 */
static const char pipeline_text[] = "name: bench\nsteps:\n  - checkout:\n";

struct bench {
    struct loop *loop;
    double done_us; /* 0: not yet */
    struct err err;
};

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void on_end(void *arg, const struct err *err)
{
    struct bench *bench = arg;

    bench->done_us = now_us();
    if (err)
        bench->err = *err;
    loop_stop(bench->loop);
}

static void on_note(void *arg UNUSED, const char *text UNUSED)
{
}

static void on_lost(void *arg, const struct err *err)
{
    struct bench *bench = arg;

    bench->err = *err;
    loop_stop(bench->loop);
}

static struct job_start *start_of(const char *repo, const char *commit,
                                  struct err *err)
{
    struct job_start *start = NULL;
    struct pipeline *pipeline = NULL;
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    char *text;
    json_t *doc;

    if (pipeline_load("bench.yml", pipeline_text, strlen(pipeline_text), diags,
                      &pipeline) < 0)
        abort();
    doc = json_pack("{s:s, s:i, s:s, s:s, s:o}", "job_id", "bench", "epoch", 1,
                    "repo", repo, "commit", commit, "pipeline",
                    pipeline_to_json(pipeline));
    text = json_dumps(doc, 0);
    if (job_start_parse(text, strlen(text), &start, err) < 0)
        start = NULL;
    free(text);
    json_decref(doc);
    pipeline_free(pipeline);
    return start;
}

static int run_step(struct bench *bench, const struct job_start *start,
                    struct machine *machine, double *out_us, struct err *err)
{
    struct job_result *result = job_result_new(start);
    struct output *output = output_new(NULL);
    struct attempt_spec spec = {.loop = bench->loop,
                                .machine = machine,
                                .output = output,
                                .start = start,
                                .result = result};
    struct fetch *fetch = NULL;
    double began = now_us();
    int rc = fetch_start(&spec, on_end, bench, &fetch, err);

    if (rc == 0)
        rc = loop_run(bench->loop, err);
    *out_us = bench->done_us - began;
    fetch_free(fetch);
    output_free(output);
    job_result_free(result);
    return rc;
}

static int measure(const char *repo, const char *commit, struct err *err)
{
    struct bench bench = {0};
    const struct machine_events events = {
        .on_lost = on_lost, .on_note = on_note, .arg = &bench};
    struct machine *machine = NULL;
    struct job_start *start = start_of(repo, commit, err);
    double us = 0;
    struct err left;
    int rc = -1;

    if (!start || loop_new(&bench.loop, err) < 0)
        return -1;
    if (machine_new(bench.loop, start, &events, &machine, err) == 0)
        rc = run_step(&bench, start, machine, &us, err);
    if (rc == 0 && bench.err.kind != ERR_NONE) {
        *err = bench.err;
        rc = -1;
    }
    if (machine_destroy(machine, &left) < 0 && rc == 0) {
        *err = left;
        rc = -1;
    }
    loop_free(bench.loop);
    job_start_free(start);
    if (rc == 0)
        printf("%.0f\n", us);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    for (int i = 2; i < argc; i++) {
        if (measure(argv[1], argv[i], &err) < 0) {
            fprintf(stderr, "checkout: %s\n", err.msg);
            return 1;
        }
        (void)fflush(stdout);
    }
    return 0;
}
