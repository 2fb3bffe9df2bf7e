/* cli/report_findings.c - what reports of steps said, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_findings.h"

#include "cli/text.h"

#include <string.h>

#define LINE_COLUMNS 200

enum { ERRORS, WARNINGS, INFOS, SEVERITIES };

static const char *const severities[] = {
    [ERRORS] = "error", [WARNINGS] = "warning", [INFOS] = "info"};
static const enum tint tints[] = {
    [ERRORS] = TINT_RED, [WARNINGS] = TINT_YELLOW, [INFOS] = TINT_DIM};

struct tally {
    json_int_t passed, failed, skipped;
    json_int_t found[SEVERITIES];
    json_int_t untold; /* of any severity */
    unsigned reports;
};

static const char *string_of(const json_t *json, const char *key)
{
    const char *s = json_string_value(json_object_get(json, key));

    return s ? s : "";
}

static json_int_t integer_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static int severity_of(const json_t *finding)
{
    const char *severity = string_of(finding, "severity");

    for (int i = 0; i < SEVERITIES; i++)
        if (strcmp(severity, severities[i]) == 0)
            return i;
    return WARNINGS;
}

static void count_one(const json_t *report, struct tally *tally)
{
    const json_t *tests = json_object_get(report, "tests");
    const json_t *finding;
    size_t i;

    if (!report)
        return;
    tally->reports++;
    tally->passed += integer_of(tests, "passed");
    tally->failed += integer_of(tests, "failed");
    tally->skipped += integer_of(tests, "skipped");
    tally->untold += integer_of(report, "overflow");
    json_array_foreach(json_object_get(report, "findings"), i, finding)
        tally->found[severity_of(finding)]++;
}

/* A comma stands between two, so not behind `start`. */
static void add_count(struct strbuf *out, size_t start, json_int_t count,
                      const char *what)
{
    if (count)
        strbuf_addf(out, "%s%lld %s", out->len > start ? ", " : "",
                    (long long)count, what);
}

static void add_head(const struct tally *tally, const struct style *style,
                     struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf line = STRBUF_INIT;
    json_int_t errors = tally->found[ERRORS];
    json_int_t warnings = tally->found[WARNINGS];
    size_t start;

    strbuf_adds(&line, "found: ");
    start = line.len;
    add_count(&line, start, errors, errors == 1 ? "error" : "errors");
    add_count(&line, start, warnings, warnings == 1 ? "warning" : "warnings");
    add_count(&line, start, tally->found[INFOS], "info");
    add_count(&line, start, tally->untold, "left out");
    if (line.len == start)
        strbuf_adds(&line, "nothing");
    if (tally->passed || tally->failed || tally->skipped) {
        strbuf_adds(&line, "; tests: ");
        start = line.len;
        add_count(&line, start, tally->passed, "passed");
        add_count(&line, start, tally->failed, "failed");
        add_count(&line, start, tally->skipped, "skipped");
    }
    strbuf_addc(out, '\n');
    style_add(style, TINT_BOLD, line.data, out);
    strbuf_addc(out, '\n');
}

/* A test that failed may be nowhere: then it is its name that counts. */
static void add_place(const json_t *finding, struct strbuf *out)
{
    const char *path = string_of(finding, "path");
    json_int_t line = integer_of(finding, "line");
    json_int_t column = integer_of(finding, "column");

    if (!*path)
        path = string_of(finding, "rule");
    if (!*path)
        path = string_of(finding, "tool");
    if (!*path)
        return;
    text_add_clean(out, path);
    if (line)
        strbuf_addf(out, ":%lld", (long long)line);
    if (line && column)
        strbuf_addf(out, ":%lld", (long long)column);
    strbuf_adds(out, ": ");
}

static void add_finding(const json_t *finding, const struct style *style,
                        struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf place = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf message = STRBUF_INIT;
    int severity = severity_of(finding);

    add_place(finding, &place);
    text_add_clean(&message, string_of(finding, "message"));
    strbuf_adds(out, "  ");
    text_add_fit(out, place.data, place.len, LINE_COLUMNS, style->ascii);
    style_add(style, tints[severity], severities[severity], out);
    strbuf_adds(out, ": ");
    text_add_fit(out, message.data, message.len, LINE_COLUMNS, style->ascii);
    strbuf_addc(out, '\n');
}

/* Those of one severity, as long as lines are `left`. */
static void add_severity(const json_t *steps, int severity, unsigned *left,
                         const struct style *style, struct strbuf *out)
{
    const json_t *step, *finding;
    size_t i, j;

    json_array_foreach(steps, i, step)
    {
        const json_t *report = json_object_get(step, "findings");

        json_array_foreach(json_object_get(report, "findings"), j, finding)
        {
            if (!*left)
                return;
            if (severity_of(finding) != severity)
                continue;
            add_finding(finding, style, out);
            --*left;
        }
    }
}

void report_findings_add(const json_t *steps, const struct style *style,
                         struct strbuf *out)
{
    struct tally tally = {0};
    unsigned left = REPORT_MAX_FINDINGS;
    json_int_t more;
    const json_t *step;
    size_t i;

    json_array_foreach(steps, i, step)
        count_one(json_object_get(step, "findings"), &tally);
    if (!tally.reports)
        return;
    add_head(&tally, style, out);
    for (int severity = ERRORS; severity < SEVERITIES; severity++)
        add_severity(steps, severity, &left, style, out);
    more = tally.untold - (REPORT_MAX_FINDINGS - left);
    for (int severity = ERRORS; severity < SEVERITIES; severity++)
        more += tally.found[severity];
    if (more > 0)
        strbuf_addf(out, "  +%lld more\n", (long long)more);
}
