/* pipelines/job_load_change.c - what a job document tells of its change. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yaml_value.h"
#include "pipelines/job_load.h"

#include <stdlib.h>
#include <string.h>

#define PREVIOUS_MAX_NODES 40000

/* A stranger's text, for a model alone: lines, and nothing that is no text. */
static void load_plain(struct loader *l, const struct yaml_node *value,
                       size_t max_bytes, char **out)
{
    if (value->kind == NODE_LIST || value->kind == NODE_MAP) {
        load_fail(l, value, NULL, "this is a text, not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (value->kind == NODE_NULL)
        return;
    if (value->len > max_bytes) {
        load_fail(l, value, NULL, "more than %zu bytes", max_bytes);
        return;
    }
    free(*out);
    *out = xstrdup(value->text);
}

void job_load_title(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    load_plain(l, value, JOB_MAX_TITLE_BYTES,
               &((struct job_request *)target)->title);
}

void job_load_description(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    load_plain(l, value, JOB_MAX_DESCRIPTION_BYTES,
               &((struct job_request *)target)->description);
}

/* ---- the last review -------------------------------------------------------
 */

static void load_previous_commit(struct loader *l,
                                 const struct yaml_node *value, void *target)
{
    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (value->len != 40 ||
        value->text[strspn(value->text, "0123456789abcdef")])
        load_fail(l, value, NULL, "a commit has 40 hex digits, all of them");
    else
        json_object_set_new(target, "commit", json_string(value->text));
}

static void load_previous_findings(struct loader *l,
                                   const struct yaml_node *value, void *target)
{
    json_t *findings;

    if (value->kind == NODE_NULL)
        return;
    if (value->kind != NODE_MAP || value->weight > PREVIOUS_MAX_NODES ||
        value->weight_bytes > JOB_MAX_PREVIOUS_BYTES) {
        load_fail(l, value, NULL,
                  "findings is a document of findings of %zu KiB at most",
                  JOB_MAX_PREVIOUS_BYTES >> 10);
        return;
    }
    findings = yaml_node_to_json(value);
    if (findings)
        json_object_set_new(target, "findings", findings);
    else
        load_fail(l, value, NULL, "findings holds a number without end");
}

static const struct key_rule previous_keys[] = {
    {"commit", load_previous_commit, true, 0},
    {"findings", load_previous_findings, false, 0},
};

static const struct map_rules previous_rules = {
    "previous", previous_keys, ARRAY_LEN(previous_keys), NULL, 0,
};

void job_load_previous(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct job_request *r = target;

    json_decref(r->previous);
    r->previous = json_object();
    load_map(l, value, &previous_rules, 0, r->previous);
}
