/* pipelines/findings/dump.c - findings as schemas/findings.schema.json. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/findings.h"

static const char *const units[] = {
    [FINDING_BYTES] = "bytes",
    [FINDING_UTF16] = "utf16",
    [FINDING_CHARACTERS] = "characters",
};

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && *text)
        json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
    if (number)
        json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *make_fix(const struct finding_fix *fix)
{
    json_t *made = json_object();

    json_object_set_new(made, "text", json_string(fix->text));
    set_number(made, "line", fix->line);
    set_number(made, "end_line", fix->end_line);
    set_number(made, "column", fix->column);
    set_number(made, "end_column", fix->end_column);
    json_object_set_new(made, "unit", json_string(units[fix->unit]));
    return made;
}

static json_t *make_finding(const struct finding *finding)
{
    json_t *made = json_object();

    set_text(made, "kind", finding->kind == FINDING_TEST ? "test" : "issue");
    set_text(made, "severity", finding_severity_name(finding->severity));
    set_text(made, "tool", finding->tool);
    set_text(made, "rule", finding->rule);
    set_text(made, "path", finding->path);
    if (finding->line && finding->side == DIFF_OLD)
        set_text(made, "side", "old");
    set_number(made, "line", finding->line);
    set_number(made, "end_line", finding->end_line);
    set_number(made, "column", finding->column);
    set_number(made, "end_column", finding->end_column);
    set_text(made, "message", finding->message);
    set_text(made, "why", finding->why);
    set_text(made, "quote", finding->quote);
    set_text(made, "url", finding->url);
    if (finding->confidence >= 0)
        json_object_set_new(made, "confidence", json_real(finding->confidence));
    if (finding->fix.text)
        json_object_set_new(made, "fix", make_fix(&finding->fix));
    set_text(made, "fingerprint", finding->fingerprint);
    return made;
}

json_t *findings_to_json(const struct findings *findings)
{
    json_t *root = json_object(), *list = json_array();

    for (size_t i = 0; i < findings->count; i++)
        json_array_append_new(list, make_finding(&findings->items[i]));
    json_object_set_new(root, "schema", json_integer(1));
    json_object_set_new(root, "findings", list);
    json_object_set_new(root, "tests",
                        json_pack("{s:I, s:I, s:I}", "passed",
                                  (json_int_t)findings->passed, "failed",
                                  (json_int_t)findings->failed, "skipped",
                                  (json_int_t)findings->skipped));
    set_number(root, "overflow", findings->overflow);
    set_number(root, "strayed", findings->strayed);
    set_number(root, "refused", findings->refused);
    set_text(root, "note", findings->note);
    return root;
}

char *findings_dump(const struct findings *findings)
{
    json_t *root = findings_to_json(findings);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6));

    json_decref(root);
    return text;
}
