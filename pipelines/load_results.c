/* pipelines/load_results.c - reports of tools that a step leaves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/load.h"

#include <string.h>

const char *const load_formats[] = {"tap",     "junit",      "sarif",  "rdjson",
                                    "rdjsonl", "checkstyle", "eslint", NULL};

static void load_format(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    size_t i;

    if (load_word(l, value, load_formats, &i))
        ((struct step_report *)target)->format = load_formats[i];
}

static void load_files(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_each(l, value, LOAD_MAX_PATTERNS, "patterns", load_pattern,
                    &((struct step_report *)target)->files);
}

static const struct key_rule report_keys[] = {
    {"format", load_format, true, 0},
    {"files", load_files, false, 0},
};

static const struct foreign_word report_foreign[] = {
    {"type", "write format"},
    {"tool", "write format"},
    {"path", "write files"},
    {"paths", "write files"},
    {"file", "write files"},
    {"junit", "write format: junit, and files"},
    {"name", "the report says which tool it is of"},
};

static const struct map_rules report_rules = {
    "results",
    report_keys,
    ARRAY_LEN(report_keys),
    report_foreign,
    ARRAY_LEN(report_foreign),
};

static bool reads_output(const struct step *step)
{
    for (size_t i = 0; i < step->report_count; i++)
        if (!step->reports[i].files.count)
            return true;
    return false;
}

static void load_report(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    struct step *step = target;
    struct step_report report = {.format = NULL};

    if (value->kind == NODE_MAP)
        load_map(l, value, &report_rules, 0, &report);
    else
        load_format(l, value, &report);
    if (!yaml_node_get(value, "files") && reads_output(step))
        load_fail(l, value, NULL,
                  "standard output is one report: give the others files");
    step->reports = xreallocarray(step->reports, step->report_count + 1,
                                  sizeof(*step->reports));
    step->reports[step->report_count++] = report;
}

void load_results(struct loader *l, const struct yaml_node *value, void *target)
{
    (void)load_each(l, value, LOAD_MAX_RESULTS, "reports", load_report, target);
}
