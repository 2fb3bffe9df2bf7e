/* scheduler/report/gather.c - the findings of a job, or of a run's jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/gather.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

static const char *const tests[] = {"passed", "failed", "skipped"};
static const char *const counts[] = {"overflow", "strayed", "refused"};

struct gather {
    bool any;         /* a step looked for some */
    json_t *findings; /* owned; an array */
    json_t *known;    /* owned; fingerprints of the jobs before */
    json_t *job;      /* owned; those of this job */
    size_t bytes;
    json_int_t tests[ARRAY_LEN(tests)];
    json_int_t counts[ARRAY_LEN(counts)];
    char *note; /* owned; NULL: none */
};

struct gather *gather_new(void)
{
    struct gather *g = xcalloc(1, sizeof(*g));

    g->findings = json_array();
    g->known = json_object();
    g->job = json_object();
    return g;
}

void gather_free(struct gather *g)
{
    if (!g)
        return;
    json_decref(g->findings);
    json_decref(g->known);
    json_decref(g->job);
    free(g->note);
    free(g);
}

/* What is in Redis came from a worker: a sum that is none is none. */
static void add(json_int_t *sum, const json_t *number)
{
    json_int_t n = json_integer_value(number);

    if (n > 0 && n < (json_int_t)1 << 40)
        *sum += n;
}

static void add_finding(struct gather *g, json_t *finding)
{
    const char *fingerprint =
        json_string_value(json_object_get(finding, "fingerprint"));
    size_t bytes;

    if (fingerprint && json_object_get(g->known, fingerprint))
        return;
    bytes = json_dumpb(finding, NULL, 0, JSON_COMPACT);
    if (json_array_size(g->findings) >= GATHER_MAX_FINDINGS ||
        g->bytes + bytes > GATHER_MAX_BYTES) {
        g->counts[0]++;
        return;
    }
    g->bytes += bytes;
    json_array_append(g->findings, finding);
    if (fingerprint)
        json_object_set_new(g->job, fingerprint, json_true());
}

static void add_document(struct gather *g, const json_t *document)
{
    const char *note = json_string_value(json_object_get(document, "note"));
    json_t *finding;
    size_t i;

    g->any = true;
    json_array_foreach(json_object_get(document, "findings"), i, finding)
        add_finding(g, finding);
    for (i = 0; i < ARRAY_LEN(tests); i++)
        add(&g->tests[i],
            json_object_get(json_object_get(document, "tests"), tests[i]));
    for (i = 0; i < ARRAY_LEN(counts); i++)
        add(&g->counts[i], json_object_get(document, counts[i]));
    if (note && !g->note)
        g->note = xstrdup(note);
}

void gather_add(struct gather *g, const json_t *result)
{
    json_t *step;
    size_t i;

    json_array_foreach(json_object_get(result, "steps"), i, step)
    {
        const json_t *document = json_object_get(step, "findings");

        if (json_is_object(document))
            add_document(g, document);
    }
    json_object_update(g->known, g->job);
    json_object_clear(g->job);
}

json_t *gather_take(struct gather *g)
{
    json_t *document, *sums;

    if (!g->any)
        return NULL;
    document = json_object();
    sums = json_object();
    json_object_set_new(document, "schema", json_integer(1));
    json_object_set_new(document, "findings", STEAL(g->findings));
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        json_object_set_new(sums, tests[i], json_integer(g->tests[i]));
    json_object_set_new(document, "tests", sums);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (g->counts[i])
            json_object_set_new(document, counts[i],
                                json_integer(g->counts[i]));
    if (g->note)
        json_object_set_new(document, "note", json_string(g->note));
    g->any = false;
    return document;
}
