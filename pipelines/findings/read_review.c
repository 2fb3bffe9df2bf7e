/* pipelines/findings/read_review.c - what a model answers, and our own form. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/fingerprint.h"
#include "pipelines/findings/reader.h"

#include <string.h>
#include <strings.h>

/* ---- review -------------------------------------------------------------- */

void reader_unfence(const char **text, size_t *len)
{
    const char *s = *text, *lf;
    size_t n = *len;

    while (n && strchr(" \t\r\n", s[n - 1]) && s[n - 1])
        n--;
    while (n && strchr(" \t\r\n", *s) && *s) {
        s++;
        n--;
    }
    lf = n ? memchr(s, '\n', n) : NULL;
    if (n < 6 || memcmp(s, "```", 3) != 0 || !lf ||
        memcmp(s + n - 3, "```", 3) != 0 || lf > s + n - 4)
        return;
    *len = n - 3 - (size_t)(lf + 1 - s);
    *text = lf + 1;
}

/* What is wrong with an entry; NULL: nothing. */
static const char *check_entry(const json_t *entry)
{
    static const char *const texts[] = {
        "path", "side", "severity", "category", "message", "why", "quote"};
    static const char *const numbers[] = {"line", "end_line"};
    const json_t *confidence = json_object_get(entry, "confidence");
    const json_t *suggestion = json_object_get(entry, "suggestion");
    const char *message = json_text(entry, "message");

    if (!json_is_object(entry))
        return "it is no object";
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const json_t *value = json_object_get(entry, texts[i]);

        if (value && !json_is_string(value) && !json_is_null(value))
            return "one of path, side, severity, category, message, why and "
                   "quote is no text";
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const json_t *value = json_object_get(entry, numbers[i]);

        if (value && !json_is_null(value) && !json_line(entry, numbers[i]))
            return "'line' or 'end_line' is no number of a line";
    }
    if (confidence && !json_is_number(confidence) && !json_is_null(confidence))
        return "'confidence' is no number";
    if (suggestion && !json_is_string(suggestion) && !json_is_null(suggestion))
        return "'suggestion' is no text";
    return message && *message ? NULL : "it has no 'message'";
}

static bool is_old(const char *side)
{
    return side &&
           (strcasecmp(side, "old") == 0 || strcasecmp(side, "left") == 0);
}

static void read_entry(struct reader *reader, const json_t *entry, size_t i)
{
    struct finding draft = FINDING_DRAFT;
    const json_t *confidence = json_object_get(entry, "confidence");
    const char *wrong = check_entry(entry);
    const char *suggestion = json_text(entry, "suggestion");

    if (wrong) {
        reader_refuse(reader, "findings[%zu]: %s", i, wrong);
        return;
    }
    draft.severity =
        reader_severity(json_text(entry, "severity"), FINDING_WARNING);
    draft.side = is_old(json_text(entry, "side")) ? DIFF_OLD : DIFF_NEW;
    draft.rule = json_text(entry, "category");
    draft.line = json_line(entry, "line");
    draft.end_line = json_line(entry, "end_line");
    draft.message = json_text(entry, "message");
    draft.why = json_text(entry, "why");
    draft.quote = json_text(entry, "quote");
    if (json_is_number(confidence))
        draft.confidence = json_number_value(confidence);
    if (draft.confidence > 1 && draft.confidence <= 100) /* per cent */
        draft.confidence /= 100;
    if (suggestion) {
        draft.fix.text = suggestion;
        draft.fix.line = draft.line;
        draft.fix.end_line = draft.end_line;
    }
    reader_add(reader, &draft, json_text(entry, "path"), false);
}

int read_review(struct reader *reader, const char *text, size_t len,
                struct err *err)
{
    json_t *root = NULL;
    const json_t *list, *entry;
    size_t i;

    reader_unfence(&text, &len);
    if (reader_json(text, len, &root, err) < 0)
        return -1;
    list = json_is_array(root) ? root : json_object_get(root, "findings");
    if (!json_is_array(list)) {
        json_decref(root);
        return err_set(err, ERR_USER, "there is no list 'findings'");
    }
    json_array_foreach(list, i, entry) read_entry(reader, entry, i);
    json_decref(root);
    return 0;
}

/* ---- our own ------------------------------------------------------------- */

static enum finding_unit read_unit(const char *word)
{
    if (word && strcmp(word, "utf16") == 0)
        return FINDING_UTF16;
    return word && strcmp(word, "characters") == 0 ? FINDING_CHARACTERS
                                                   : FINDING_BYTES;
}

static void read_own_entry(struct reader *reader, const json_t *entry)
{
    struct finding draft = FINDING_DRAFT;
    const json_t *fix = json_object_get(entry, "fix");
    const json_t *confidence = json_object_get(entry, "confidence");
    const char *kind = json_text(entry, "kind");
    const char *fingerprint = json_text(entry, "fingerprint");

    draft.message = json_text(entry, "message");
    if (!draft.message) {
        reader_refuse(reader, "a finding without 'message'");
        return;
    }
    draft.kind =
        kind && strcmp(kind, "test") == 0 ? FINDING_TEST : FINDING_ISSUE;
    draft.severity =
        reader_severity(json_text(entry, "severity"), FINDING_WARNING);
    draft.side = is_old(json_text(entry, "side")) ? DIFF_OLD : DIFF_NEW;
    draft.tool = json_text(entry, "tool");
    draft.rule = json_text(entry, "rule");
    draft.line = json_line(entry, "line");
    draft.end_line = json_line(entry, "end_line");
    draft.column = json_line(entry, "column");
    draft.end_column = json_line(entry, "end_column");
    draft.why = json_text(entry, "why");
    draft.quote = json_text(entry, "quote");
    draft.url = json_text(entry, "url");
    if (json_is_number(confidence))
        draft.confidence = json_number_value(confidence);
    draft.fix.text = json_text(fix, "text");
    draft.fix.line = json_line(fix, "line");
    draft.fix.end_line = json_line(fix, "end_line");
    draft.fix.column = json_line(fix, "column");
    draft.fix.end_column = json_line(fix, "end_column");
    draft.fix.unit = read_unit(json_text(fix, "unit"));
    if (fingerprint && fingerprint_ok(fingerprint))
        memcpy(draft.fingerprint, fingerprint, FINGERPRINT_SIZE);
    reader_add(reader, &draft, json_text(entry, "path"), false);
}

static uint64_t read_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 && value <= INT32_MAX ? (uint64_t)value : 0;
}

int read_own(struct reader *reader, const char *text, size_t len,
             struct err *err)
{
    struct findings *out = reader->out;
    const json_t *list, *entry, *tests;
    json_t *root = NULL;
    size_t i;

    if (reader_json(text, len, &root, err) < 0)
        return -1;
    list = json_object_get(root, "findings");
    if (!json_is_array(list) || read_count(root, "schema") != 1) {
        json_decref(root);
        return err_set(err, ERR_USER,
                       "it is no object of schema 1 with a list 'findings'");
    }
    json_array_foreach(list, i, entry) read_own_entry(reader, entry);
    tests = json_object_get(root, "tests");
    out->passed += read_count(tests, "passed");
    out->failed += read_count(tests, "failed");
    out->skipped += read_count(tests, "skipped");
    out->overflow += read_count(root, "overflow");
    out->strayed += read_count(root, "strayed");
    out->refused += read_count(root, "refused");
    json_decref(root);
    return 0;
}
