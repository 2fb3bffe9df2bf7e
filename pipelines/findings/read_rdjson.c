/* pipelines/findings/read_rdjson.c - Reviewdog's diagnostics. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/reader.h"

#include <string.h>

/* https://github.com/reviewdog/reviewdog/tree/master/proto/rdf */

struct document {
    const char *tool;
    const json_t *severity;
};

/* A name or a number: it is protobuf's JSON. */
static enum finding_severity read_severity(const json_t *value,
                                           enum finding_severity otherwise)
{
    switch (json_integer_value(value)) {
    case 1:
        return FINDING_ERROR;
    case 2:
        return FINDING_WARNING;
    case 3:
        return FINDING_INFO;
    default:
        return reader_severity(json_string_value(value), otherwise);
    }
}

static void read_range(const json_t *range, struct finding *draft)
{
    const json_t *start = json_object_get(range, "start");
    const json_t *end = json_object_get(range, "end");

    draft->line = json_line(start, "line");
    draft->column = json_line(start, "column");
    draft->end_line = json_line(end, "line");
    draft->end_column = json_line(end, "column");
}

static void read_suggestion(const json_t *suggestion, struct finding_fix *fix)
{
    const json_t *range = json_object_get(suggestion, "range");
    const json_t *start = json_object_get(range, "start");
    const json_t *end = json_object_get(range, "end");

    fix->text = json_text(suggestion, "text");
    fix->line = json_line(start, "line");
    fix->column = json_line(start, "column");
    fix->end_line = json_line(end, "line");
    fix->end_column = json_line(end, "column");
    if (!fix->end_line) { /* "if omitted, the range is the start alone" */
        fix->end_line = fix->line;
        fix->end_column = fix->column;
    }
    fix->unit = FINDING_BYTES;
}

static void read_diagnostic(struct reader *reader,
                            const struct document *document,
                            const json_t *value, size_t number)
{
    struct finding draft = FINDING_DRAFT;
    const json_t *location = json_object_get(value, "location");
    const json_t *code = json_object_get(value, "code");
    const char *tool = json_text(json_object_get(value, "source"), "name");

    draft.message = json_text(value, "message");
    if (!draft.message) {
        reader_refuse(reader, "diagnostic %zu: no 'message'", number);
        return;
    }
    draft.tool = tool ? tool : document->tool;
    draft.rule = json_text(code, "value");
    draft.url = json_text(code, "url");
    draft.severity =
        read_severity(json_object_get(value, "severity"),
                      read_severity(document->severity, FINDING_WARNING));
    read_range(json_object_get(location, "range"), &draft);
    read_suggestion(json_array_get(json_object_get(value, "suggestions"), 0),
                    &draft.fix);
    reader_add(reader, &draft, json_text(location, "path"), false);
}

int read_rdjson(struct reader *reader, const char *text, size_t len,
                struct err *err)
{
    struct document document;
    json_t *root = NULL;
    const json_t *diagnostics, *value;
    size_t i;

    if (reader_json(text, len, &root, err) < 0)
        return -1;
    diagnostics = json_object_get(root, "diagnostics");
    if (!json_is_array(diagnostics)) {
        json_decref(root);
        return err_set(err, ERR_USER, "there is no list 'diagnostics'");
    }
    document.tool = json_text(json_object_get(root, "source"), "name");
    document.severity = json_object_get(root, "severity");
    json_array_foreach(diagnostics, i, value)
        read_diagnostic(reader, &document, value, i + 1);
    json_decref(root);
    return 0;
}

int read_rdjsonl(struct reader *reader, const char *text, size_t len,
                 struct err *err)
{
    const struct document document = {NULL, NULL};
    const char *end = text + len;

    for (size_t number = 1; text < end; number++) {
        const char *lf = memchr(text, '\n', (size_t)(end - text));
        size_t n = (size_t)((lf ? lf : end) - text);
        json_t *value = NULL;
        struct err why = {0};

        while (n && strchr(" \t\r", text[n - 1]))
            n--;
        if (n && reader_json(text, n, &value, &why) < 0)
            return err_set(err, ERR_USER, "line %zu: %s", number, why.msg);
        if (n)
            read_diagnostic(reader, &document, value, number);
        json_decref(value);
        text = lf ? lf + 1 : end;
    }
    return 0;
}
