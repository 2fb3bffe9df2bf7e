/* cli/env_file.c - KEY=VALUE files, and k=v arguments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/env_file.h"

#include "base/fd.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_BYTES 256

struct reader {
    const char *file;
    const char *at;
    const char *end;
    const char *line_start;
    unsigned line;
};

static int fail(const struct reader *r, const char *at, struct err *err,
                const char *message)
{
    return err_set(err, ERR_USER, "%s:%u:%zu: %s", r->file, r->line,
                   (size_t)(at - r->line_start) + 1, message);
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
}

static bool at_line_end(const struct reader *r)
{
    return r->at == r->end || *r->at == '\n' ||
           (*r->at == '\r' && (r->at + 1 == r->end || r->at[1] == '\n'));
}

static void next_line(struct reader *r)
{
    while (r->at < r->end && *r->at != '\n')
        r->at++;
    if (r->at < r->end)
        r->at++;
    r->line++;
    r->line_start = r->at;
}

static int read_name(struct reader *r, char out[NAME_MAX_BYTES + 1],
                     struct err *err)
{
    const char *start = r->at;
    size_t len;

    if (!is_name_start(*r->at))
        return fail(r, r->at, err, "expected NAME=value");
    while (r->at < r->end && is_name_char(*r->at))
        r->at++;
    len = (size_t)(r->at - start);
    if (len > NAME_MAX_BYTES)
        return fail(r, start, err, "the name is longer than 256 bytes");
    memcpy(out, start, len);
    out[len] = '\0';
    return 0;
}

/* `export ` is for shells that source the same file. */
static void skip_export(struct reader *r)
{
    if (r->end - r->at > 7 && !strncmp(r->at, "export", 6) &&
        (r->at[6] == ' ' || r->at[6] == '\t')) {
        r->at += 6;
        skip_blanks(r);
    }
}

static void add_escaped(struct strbuf *value, char c)
{
    static const char from[] = "nrt\\\"$";
    static const char to[] = "\n\r\t\\\"$";
    const char *known = c ? strchr(from, c) : NULL;

    if (!known)
        strbuf_addc(value, '\\');
    strbuf_addc(value, known ? to[known - from] : c);
}

static int read_quoted(struct reader *r, struct strbuf *value, struct err *err)
{
    struct reader opened = *r;
    char quote = *r->at++;

    while (r->at < r->end && *r->at != quote) {
        char c = *r->at++;

        if (c == '\\' && quote == '"' && r->at < r->end && *r->at != '\n') {
            add_escaped(value, *r->at++);
            continue;
        }
        strbuf_addc(value, c);
        if (c == '\n') {
            r->line++;
            r->line_start = r->at;
        }
    }
    if (r->at == r->end)
        return fail(&opened, opened.at, err, "the quote is never closed");
    r->at++;
    skip_blanks(r);
    if (!at_line_end(r) && *r->at != '#')
        return fail(r, r->at, err, "unexpected text behind the quote");
    return 0;
}

static void read_bare(struct reader *r, struct strbuf *value)
{
    const char *start = r->at;
    const char *end = start;

    for (; !at_line_end(r); r->at++) {
        if (*r->at == '#' &&
            (r->at == start || r->at[-1] == ' ' || r->at[-1] == '\t'))
            break;
        if (*r->at != ' ' && *r->at != '\t')
            end = r->at + 1;
    }
    strbuf_add(value, start, (size_t)(end - start));
}

static int read_value(struct reader *r, struct strbuf *value, struct err *err)
{
    struct reader start;

    skip_blanks(r);
    start = *r;
    if (r->at < r->end && (*r->at == '"' || *r->at == '\'')) {
        if (read_quoted(r, value, err) < 0)
            return -1;
    } else {
        read_bare(r, value);
    }
    if (value->truncated)
        return fail(&start, start.at, err, "the value is longer than 64 KiB");
    if (memchr(value->data, '\0', value->len))
        return fail(&start, start.at, err, "the value holds a NUL");
    return 0;
}

static int read_entry(struct reader *r, struct strv *env, struct err *err)
{
    CLEANUP(strbuf) struct strbuf value = STRBUF_MAX(ENV_VALUE_MAX);
    char name[NAME_MAX_BYTES + 1];

    skip_export(r);
    if (read_name(r, name, err) < 0)
        return -1;
    skip_blanks(r);
    if (r->at == r->end || *r->at != '=')
        return fail(r, r->at, err, "expected '=' behind the name");
    r->at++;
    if (read_value(r, &value, err) < 0)
        return -1;
    strv_setenv(env, name, value.data);
    if (env->count > ENV_FILE_MAX_ENTRIES)
        return fail(r, r->line_start, err, "more than 512 variables");
    return 0;
}

int env_file_parse(const char *file, const char *text, size_t len,
                   struct strv *env, struct err *err)
{
    struct reader r = {.file = file,
                       .at = text,
                       .end = text + len,
                       .line_start = text,
                       .line = 1};

    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3))
        r.at += 3;
    while (r.at < r.end) {
        skip_blanks(&r);
        if (!at_line_end(&r) && *r.at != '#' && read_entry(&r, env, err) < 0)
            return -1;
        next_line(&r);
    }
    return 0;
}

int env_file_load(const char *file, struct strv *env, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (file_read(file, ENV_FILE_MAX_BYTES, &text, err) < 0)
        return -1;
    return env_file_parse(file, text.data, text.len, env, err);
}

int env_add_argument(const char *option, const char *argument,
                     struct strv *entries, struct err *err)
{
    const char *equals = strchr(argument, '=');
    size_t len = equals ? (size_t)(equals - argument) : 0;
    CLEANUP(mem) char *name = xstrndup(argument, len);
    bool good = len > 0 && len <= NAME_MAX_BYTES && is_name_start(*name);

    for (const char *c = name; good && *c; c++)
        good = is_name_char(*c) || *c == '-';
    if (!good)
        return err_set(err, ERR_USER,
                       "option '%s' takes NAME=value, with a name of letters, "
                       "digits, '_' and '-'",
                       option);
    if (strlen(equals + 1) > ENV_VALUE_MAX)
        return err_set(err, ERR_USER, "%s %s: the value is over 64 KiB", option,
                       name);
    if (strv_getenv(entries, name))
        return err_set(err, ERR_USER, "%s %s is given twice", option, name);
    strv_add(entries, argument);
    return 0;
}
