/* pipelines/findings/read_xml.c - reports of JUnit and of checkstyle. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "base/xml.h"
#include "pipelines/findings/reader.h"

#include <stdlib.h>
#include <string.h>

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static uint32_t number(const char *text)
{
    long value = text ? strtol(text, NULL, 10) : 0;

    return value > 0 && value <= (long)FINDING_MAX_LINE ? (uint32_t)value : 0;
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = value && *value ? xstrndup(value, FINDING_MAX_TEXT + 1) : NULL;
}

/* Runners write the colours of terminals into XML, which must not have them. */
static int parse(const char *text, size_t len,
                 const struct xml_handler *handler, void *arg, struct err *err)
{
    bool wide = len >= 2 && (unsigned char)text[0] >= 0xfe;
    CLEANUP(mem) char *clean = xmemdup(len ? text : "", len ? len : 1);

    for (size_t i = 0; i < len && !wide; i++)
        if ((unsigned char)clean[i] < ' ' && !strchr("\t\r\n", clean[i]))
            clean[i] = ' ';
    return xml_parse(clean, len, handler, arg, err);
}

/* ---- JUnit --------------------------------------------------------------- */

/* https://github.com/testmoapp/junitxml: as runners write it, in the absence
 * of anything that could be called its definition. */
struct junit {
    struct reader *reader;
    struct strbuf name;      /* of the test: class and name */
    char *file, *suite_file; /* owned, as the rest */
    char *message, *trace;   /* of its first failure */
    uint32_t line;
    bool in_test, failed, skipped;
};

static void begin_test(struct junit *junit, const char *const *attributes)
{
    const char *class = xml_attribute(attributes, "classname");
    const char *name = xml_attribute(attributes, "name");

    strbuf_clear(&junit->name);
    if (class && *class && strcmp(class, "test") != 0 &&
        (!name || strcmp(class, name) != 0)) { /* node's class is "test" */
        strbuf_adds(&junit->name, class);
        strbuf_adds(&junit->name, " \xe2\x80\xba ");
    }
    strbuf_adds(&junit->name, name && *name ? name : "(a test without a name)");
    set(&junit->file, xml_attribute(attributes, "file"));
    set(&junit->message, NULL);
    set(&junit->trace, NULL);
    junit->line = number(xml_attribute(attributes, "line"));
    junit->in_test = true;
    junit->failed = junit->skipped = false;
}

static bool is_failure(const char *name)
{
    return strcmp(name, "failure") == 0 || strcmp(name, "error") == 0;
}

static int junit_start(void *arg, const char *path,
                       const char *const *attributes, struct err *err)
{
    struct junit *junit = arg;
    const char *name = last_name(path);

    if (strncmp(path, "testsuite", 9) != 0)
        return err_set(err, ERR_USER, "the top is <%s>, no <testsuites>", path);
    if (strcmp(name, "testsuite") == 0)
        set(&junit->suite_file, xml_attribute(attributes, "file"));
    else if (strcmp(name, "testcase") == 0)
        begin_test(junit, attributes);
    else if (junit->in_test && strcmp(name, "skipped") == 0)
        junit->skipped = true;
    else if (junit->in_test && is_failure(name) && !junit->failed) {
        const char *message = xml_attribute(attributes, "message");

        junit->failed = true;
        set(&junit->message,
            message && *message ? message : xml_attribute(attributes, "type"));
    }
    return 0;
}

/* Its own place, else that in its trace, else the suite's file. */
static void add_test(struct junit *junit)
{
    struct finding draft = FINDING_DRAFT;
    const char *path = junit->file;
    const char *trace = junit->trace;

    draft.kind = FINDING_TEST;
    draft.severity = FINDING_ERROR;
    draft.rule = junit->name.data;
    draft.message = junit->message ? junit->message : trace;
    draft.why = junit->message ? trace : NULL;
    draft.line = junit->line;
    if ((!path || !draft.line) && trace) {
        const char *found = NULL;
        uint32_t line = 0, column = 0;

        if (reader_locate(junit->reader, trace, &found, &line, &column)) {
            path = found;
            draft.line = line;
            draft.column = column;
        }
    }
    reader_add(junit->reader, &draft, path ? path : junit->suite_file, false);
}

static void end_test(struct junit *junit)
{
    struct findings *out = junit->reader->out;

    junit->in_test = false;
    if (junit->failed) {
        out->failed++;
        add_test(junit);
    } else if (junit->skipped) {
        out->skipped++;
    } else {
        out->passed++;
    }
}

static int junit_end(void *arg, const char *path, const char *text, size_t len,
                     struct err *err)
{
    struct junit *junit = arg;
    const char *name = last_name(path);

    (void)len, (void)err;
    if (junit->in_test && strcmp(name, "testcase") == 0)
        end_test(junit);
    else if (junit->in_test && is_failure(name) && !junit->trace)
        set(&junit->trace, text + strspn(text, " \t\r\n"));
    return 0;
}

int read_junit(struct reader *reader, const char *text, size_t len,
               struct err *err)
{
    static const struct xml_handler handler = {junit_start, junit_end, true};
    struct junit junit = {.reader = reader,
                          .name = STRBUF_MAX(FINDING_MAX_TEXT)};
    int rc = parse(text, len, &handler, &junit, err);

    strbuf_clear(&junit.name);
    free(junit.file);
    free(junit.suite_file);
    free(junit.message);
    free(junit.trace);
    return rc;
}

/* ---- checkstyle ---------------------------------------------------------- */

struct checkstyle {
    struct reader *reader;
    char *file; /* owned */
};

static int checkstyle_start(void *arg, const char *path,
                            const char *const *attributes, struct err *err)
{
    struct checkstyle *checkstyle = arg;
    const char *severity = xml_attribute(attributes, "severity");
    struct finding draft = FINDING_DRAFT;

    if (strncmp(path, "checkstyle", 10) != 0)
        return err_set(err, ERR_USER, "the top is <%s>, no <checkstyle>", path);
    if (strcmp(path, "checkstyle/file") == 0)
        set(&checkstyle->file, xml_attribute(attributes, "name"));
    if (strcmp(path, "checkstyle/file/error") != 0 ||
        (severity && strcmp(severity, "ignore") == 0))
        return 0;
    draft.severity = reader_severity(severity, FINDING_ERROR);
    draft.rule = xml_attribute(attributes, "source");
    draft.message = xml_attribute(attributes, "message");
    draft.line = number(xml_attribute(attributes, "line"));
    draft.column = number(xml_attribute(attributes, "column"));
    if (draft.message)
        reader_add(checkstyle->reader, &draft, checkstyle->file, false);
    else
        reader_refuse(checkstyle->reader, "an <error> without 'message'");
    return 0;
}

int read_checkstyle(struct reader *reader, const char *text, size_t len,
                    struct err *err)
{
    static const struct xml_handler handler = {checkstyle_start, NULL, true};
    struct checkstyle checkstyle = {.reader = reader};
    int rc = parse(text, len, &handler, &checkstyle, err);

    free(checkstyle.file);
    return rc;
}
