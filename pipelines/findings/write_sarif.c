/* pipelines/findings/write_sarif.c - findings as SARIF 2.1.0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/write.h"

#include <string.h>

/* https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html */
#define SCHEMA                                                                 \
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"      \
    "sarif-schema-2.1.0.json"
#define NO_TOOL "berth" /* a tool must have a name */

static const char *const levels[] = {
    [FINDING_INFO] = "note",
    [FINDING_WARNING] = "warning",
    [FINDING_ERROR] = "error",
};

static const char *tool_of(const struct finding *f)
{
    return *f->tool ? f->tool : NO_TOOL;
}

/* 3.11.5: braces of a text are doubled, for others are placeholders. */
static json_t *make_message(const struct finding *f)
{
    CLEANUP(strbuf) struct strbuf plain = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    write_message(&plain, f);
    for (const char *s = plain.data; *s; s++) {
        if (*s == '{' || *s == '}')
            strbuf_addc(&text, *s);
        strbuf_addc(&text, *s);
    }
    return json_pack("{s:s}", "text", text.data);
}

static json_t *make_address(const char *path)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~/";
    CLEANUP(strbuf) struct strbuf uri = STRBUF_INIT;

    for (; *path; path++)
        if (strchr(plain, *path))
            strbuf_addc(&uri, *path);
        else
            strbuf_addf(&uri, "%%%02X", (unsigned)(unsigned char)*path);
    return json_pack("{s:s, s:s}", "uri", uri.data, "uriBaseId", "%SRCROOT%");
}

static void set_number(json_t *object, const char *key, uint32_t number)
{
    if (number)
        json_object_set_new(object, key, json_integer(number));
}

static json_t *make_region(uint32_t line, uint32_t column, uint32_t end_line,
                           uint32_t end_column)
{
    json_t *region = json_object();

    set_number(region, "startLine", line);
    set_number(region, "startColumn", column);
    set_number(region, "endLine", end_line);
    set_number(region, "endColumn", end_column);
    return region;
}

static json_t *make_place(const struct finding *f)
{
    json_t *place = json_object();
    json_t *region;

    json_object_set_new(place, "artifactLocation", make_address(f->path));
    if (f->line && f->side == DIFF_NEW) {
        region = make_region(f->line, f->column, f->end_line, f->end_column);
        if (*f->quote)
            json_object_set_new(region, "snippet",
                                json_pack("{s:s}", "text", f->quote));
        json_object_set_new(place, "region", region);
    }
    return json_pack("[{s:o}]", "physicalLocation", place);
}

static void set_fix(json_t *made, const struct finding *f)
{
    const struct finding_fix *fix = &f->fix;
    json_t *replacement;

    if (!fix->text || !fix->line || !*f->path ||
        (fix->unit != FINDING_UTF16 && (fix->column || fix->end_column)))
        return;
    replacement = json_pack(
        "{s:o, s:{s:s}}", "deletedRegion",
        make_region(fix->line, fix->column,
                    fix->end_line ? fix->end_line : fix->line, fix->end_column),
        "insertedContent", "text", fix->text);
    json_object_set_new(made, "fixes",
                        json_pack("[{s:[{s:o, s:[o]}]}]", "artifactChanges",
                                  "artifactLocation", make_address(f->path),
                                  "replacements", replacement));
}

static json_t *make_result(const struct finding *f)
{
    json_t *made = json_object();

    if (*f->rule)
        json_object_set_new(made, "ruleId", json_string(f->rule));
    json_object_set_new(made, "level", json_string(levels[f->severity]));
    json_object_set_new(made, "message", make_message(f));
    if (*f->path)
        json_object_set_new(made, "locations", make_place(f));
    if (*f->fingerprint)
        json_object_set_new(
            made, "partialFingerprints",
            json_pack("{s:s}", "berthFingerprint/v1", f->fingerprint));
    set_fix(made, f);
    return made;
}

/* Rules that are named, each once; `seen` has them. */
static void add_rule(json_t *rules, json_t *seen, const struct finding *f)
{
    json_t *rule;

    if (!*f->rule || json_object_get(seen, f->rule))
        return;
    rule = json_pack("{s:s}", "id", f->rule);
    if (*f->url)
        json_object_set_new(rule, "helpUri", json_string(f->url));
    json_array_append_new(rules, rule);
    json_object_set_new(seen, f->rule, json_true());
}

static json_t *make_run(const struct findings *findings, const char *tool,
                        const char *version)
{
    json_t *rules = json_array(), *results = json_array();
    json_t *seen = json_object();
    json_t *driver = json_pack("{s:s}", "name", tool);

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *f = &findings->items[i];

        if (strcmp(tool_of(f), tool) != 0)
            continue;
        add_rule(rules, seen, f);
        json_array_append_new(results, make_result(f));
    }
    json_decref(seen);
    if (strcmp(tool, NO_TOOL) == 0)
        json_object_set_new(driver, "version", json_string(version));
    json_object_set_new(driver, "rules", rules);
    return json_pack("{s:{s:o}, s:s, s:o}", "tool", "driver", driver,
                     "columnKind", "utf16CodeUnits", "results", results);
}

json_t *findings_to_sarif(const struct findings *findings, const char *version)
{
    json_t *runs = json_array(), *seen = json_object();

    for (size_t i = 0; i < findings->count; i++) {
        const char *tool = tool_of(&findings->items[i]);

        if (json_object_get(seen, tool))
            continue;
        json_object_set_new(seen, tool, json_true());
        json_array_append_new(runs, make_run(findings, tool, version));
    }
    if (!findings->count) /* so that what was there before is gone */
        json_array_append_new(runs, make_run(findings, NO_TOOL, version));
    json_decref(seen);
    return json_pack("{s:s, s:s, s:o}", "$schema", SCHEMA, "version", "2.1.0",
                     "runs", runs);
}
