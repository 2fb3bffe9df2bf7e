/* pipelines/findings/read_eslint.c - `eslint --format json`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "pipelines/findings/reader.h"

#include <string.h>

/* https://eslint.org/docs/latest/use/formatters/#json */

/* Each fix is looked for from the begin of its file; so much is looked at. */
#define WORK_MAX ((size_t)64 << 20)

struct work {
    struct reader *reader;
    size_t done; /* bytes */
};

struct place {
    uint32_t line, column; /* the column in UTF-16 */
};

/* Where an offset in UTF-16 units is; false: it is beyond the end. */
static bool place_of(const char *source, json_int_t offset, struct place *out)
{
    size_t len = strlen(source), i = 0;
    struct place at = {1, 1};

    while (offset > 0 && i < len) {
        uint32_t c = 0;
        size_t n = utf8_decode(source + i, len - i, &c);
        unsigned units = c > 0xffff ? 2 : 1;

        i += n ? n : 1;
        offset -= (json_int_t)units;
        at.column += units;
        if (c == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    *out = at;
    return offset == 0;
}

/* ESLint's fixes count from the begin of the file, which has to be there. */
static void read_fix(struct work *work, const json_t *message,
                     const char *source, struct finding_fix *out)
{
    const json_t *fix = json_object_get(message, "fix");
    const json_t *range = json_object_get(fix, "range");
    const char *text = json_text(fix, "text");
    struct place from, to;

    if (!text || !source || json_array_size(range) != 2 ||
        (work->done += strlen(source)) > WORK_MAX ||
        !place_of(source, json_integer_value(json_array_get(range, 0)),
                  &from) ||
        !place_of(source, json_integer_value(json_array_get(range, 1)), &to))
        return;
    *out = (struct finding_fix){text,      to.line < from.line ? 0 : from.line,
                                to.line,   from.column,
                                to.column, FINDING_UTF16};
}

static void read_message(struct work *work, const json_t *file,
                         const json_t *message)
{
    struct finding draft = FINDING_DRAFT;

    draft.message = json_text(message, "message");
    if (!draft.message) {
        reader_refuse(work->reader, "a message without 'message'");
        return;
    }
    draft.tool = "eslint";
    draft.rule = json_text(message, "ruleId");
    draft.severity =
        json_integer_value(json_object_get(message, "severity")) == 1
            ? FINDING_WARNING
            : FINDING_ERROR;
    draft.line = json_line(message, "line");
    draft.column = json_line(message, "column");
    draft.end_line = json_line(message, "endLine");
    draft.end_column = json_line(message, "endColumn");
    read_fix(work, message, json_text(file, "source"), &draft.fix);
    reader_add(work->reader, &draft, json_text(file, "filePath"), false);
}

int read_eslint(struct reader *reader, const char *text, size_t len,
                struct err *err)
{
    struct work work = {reader, 0};
    json_t *root = NULL;
    const json_t *file, *message;
    size_t i, j;

    if (reader_json(text, len, &root, err) < 0)
        return -1;
    if (!json_is_array(root)) {
        json_decref(root);
        return err_set(err, ERR_USER, "it is no list of files");
    }
    json_array_foreach(root, i, file)
    {
        const json_t *messages = json_object_get(file, "messages");

        if (!json_is_array(messages)) {
            reader_refuse(reader, "[%zu]: no list 'messages'", i);
            continue;
        }
        json_array_foreach(messages, j, message)
            read_message(&work, file, message);
    }
    json_decref(root);
    return 0;
}
