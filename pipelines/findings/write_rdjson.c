/* pipelines/findings/write_rdjson.c - findings as Reviewdog reads them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/write.h"

static const char *const severities[] = {
    [FINDING_INFO] = "INFO",
    [FINDING_WARNING] = "WARNING",
    [FINDING_ERROR] = "ERROR",
};

void write_message(struct strbuf *out, const struct finding *finding)
{
    strbuf_adds(out, finding->message);
    if (*finding->why)
        strbuf_addf(out, "%s%s", out->len ? "\n\n" : "", finding->why);
}

static json_t *position(uint32_t line, uint32_t column)
{
    json_t *made = json_pack("{s:i}", "line", (int)line);

    if (column)
        json_object_set_new(made, "column", json_integer(column));
    return made;
}

static json_t *make_range(uint32_t line, uint32_t column, uint32_t end_line,
                          uint32_t end_column)
{
    json_t *range = json_object();

    json_object_set_new(range, "start", position(line, column));
    if (end_line)
        json_object_set_new(range, "end", position(end_line, end_column));
    return range;
}

static json_t *make_location(const struct finding *f)
{
    json_t *location = json_object();

    json_object_set_new(location, "path", json_string(f->path));
    if (f->line && f->side == DIFF_NEW)
        json_object_set_new(
            location, "range",
            make_range(f->line, f->column, f->end_line, f->end_column));
    return location;
}

static bool is_whole_lines(const struct finding_fix *fix)
{
    return !fix->column && !fix->end_column;
}

static void set_suggestion(json_t *made, const struct finding *f)
{
    const struct finding_fix *fix = &f->fix;

    if (!fix->text || !fix->line ||
        (fix->unit != FINDING_BYTES && !is_whole_lines(fix)))
        return;
    json_object_set_new(
        made, "suggestions",
        json_pack("[{s:o, s:s}]", "range",
                  make_range(fix->line, fix->column,
                             fix->end_line ? fix->end_line : fix->line,
                             fix->end_column),
                  "text", fix->text));
}

static json_t *make_diagnostic(const struct finding *f)
{
    CLEANUP(strbuf) struct strbuf message = STRBUF_INIT;
    json_t *made = json_object();

    write_message(&message, f);
    json_object_set_new(made, "message", json_string(message.data));
    if (*f->path)
        json_object_set_new(made, "location", make_location(f));
    json_object_set_new(made, "severity", json_string(severities[f->severity]));
    if (*f->tool)
        json_object_set_new(made, "source",
                            json_pack("{s:s}", "name", f->tool));
    if (*f->rule) {
        json_t *code = json_pack("{s:s}", "value", f->rule);

        if (*f->url)
            json_object_set_new(code, "url", json_string(f->url));
        json_object_set_new(made, "code", code);
    }
    set_suggestion(made, f);
    return made;
}

json_t *findings_to_rdjson(const struct findings *findings)
{
    json_t *list = json_array();

    for (size_t i = 0; i < findings->count; i++)
        json_array_append_new(list, make_diagnostic(&findings->items[i]));
    return json_pack("{s:{s:s}, s:o}", "source", "name", "berth", "diagnostics",
                     list);
}
