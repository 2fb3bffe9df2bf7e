/* worker/checkout/modules.c - reading a stranger's .gitmodules. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/modules.h"

#include "base/strbuf.h"
#include "worker/checkout/names.h"
#include "worker/checkout/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *p;
    const char *end;
    unsigned line;
    struct modules *modules;
    struct module *section; /* borrowed; NULL in a section not ours */
};

static int fail(const struct reader *r, struct err *err, const char *what)
{
    return err_set(err, ERR_USER, ".gitmodules, line %u: %s", r->line, what);
}

static int peek(const struct reader *r)
{
    return r->p < r->end ? (unsigned char)*r->p : -1;
}

static int next(struct reader *r)
{
    int c = peek(r);

    if (c < 0)
        return -1;
    r->p++;
    if (c == '\n')
        r->line++;
    return c;
}

static void skip_blank(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r')
        (void)next(r);
}

static void skip_line(struct reader *r)
{
    while (peek(r) >= 0 && peek(r) != '\n')
        (void)next(r);
}

static struct module *find_or_add(struct modules *modules, const char *name)
{
    struct module *module;

    for (size_t i = 0; i < modules->count; i++)
        if (strcmp(modules->items[i].name, name) == 0)
            return &modules->items[i];
    if (modules->count == MODULES_MAX)
        return NULL;
    modules->items = xreallocarray(modules->items, modules->count + 1,
                                   sizeof(*modules->items));
    module = &modules->items[modules->count++];
    memset(module, 0, sizeof(*module));
    module->name = xstrdup(name);
    return module;
}

/* A submodule's name becomes a path below .git/modules for git itself. */
static bool name_ok(const char *name)
{
    const char *p = name;

    if (!*name || *name == '/' || strlen(name) > 1000)
        return false;
    for (;;) {
        size_t len = strcspn(p, "/\\");

        if (len == 2 && memcmp(p, "..", 2) == 0)
            return false;
        if (!p[len])
            return true;
        p += len + 1;
    }
}

/* What stands between the quotes of [submodule "…"]. */
static int read_quoted(struct reader *r, struct strbuf *out, struct err *err)
{
    for (;;) {
        int c = next(r);

        if (c == '"')
            return 0;
        if (c == '\\')
            c = next(r);
        if (c < 0x20 || c == 0x7f)
            return fail(r, err, "a section's name is malformed");
        strbuf_addc(out, (char)c);
    }
}

static int read_section(struct reader *r, struct err *err)
{
    CLEANUP(strbuf) struct strbuf kind = STRBUF_MAX(64);
    CLEANUP(strbuf) struct strbuf name = STRBUF_MAX(1024);

    while (isalnum(peek(r)) || peek(r) == '-' || peek(r) == '.')
        strbuf_addc(&kind, (char)tolower(next(r)));
    skip_blank(r);
    if (peek(r) == '"') {
        (void)next(r);
        if (read_quoted(r, &name, err) < 0)
            return -1;
    }
    if (next(r) != ']')
        return fail(r, err, "a section must be [submodule \"name\"]");
    r->section = NULL;
    if (strcmp(kind.data, "submodule") != 0 || kind.truncated)
        return 0;
    if (name.truncated || !name_ok(name.data))
        return fail(r, err, "a submodule's name is refused");
    r->section = find_or_add(r->modules, name.data);
    return r->section ? 0 : fail(r, err, "more than 256 submodules");
}

static int read_escape(struct reader *r, struct strbuf *out, struct err *err)
{
    int c = next(r);

    if (c == '\r' && peek(r) == '\n')
        c = next(r);
    if (c == '\n')
        return 0;
    if (c == '"' || c == '\\') {
        strbuf_addc(out, (char)c);
        return 0;
    }
    return fail(r, err, "an escape in a value is malformed");
}

/* A value to the end of its line: quotes, escapes, comments, continuation. */
static int read_value(struct reader *r, struct strbuf *out, struct err *err)
{
    bool quoted = false;
    size_t keep = 0; /* unquoted blanks at the end do not count */

    for (int c = next(r);; c = next(r)) {
        if (c < 0 || c == '\n') {
            if (quoted)
                return fail(r, err, "a quote is not closed");
            strbuf_cut(out, keep);
            return 0;
        }
        if (!quoted && (c == '#' || c == ';')) {
            skip_line(r);
            continue;
        }
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (c == '\\') {
            if (read_escape(r, out, err) < 0)
                return -1;
            keep = out->len;
            continue;
        }
        if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
            if (out->len)
                strbuf_addc(out, (char)c);
            continue;
        }
        if (c < 0x20 || c == 0x7f)
            return fail(r, err, "a value has a control character in it");
        strbuf_addc(out, (char)c);
        keep = out->len;
    }
}

static int store(struct reader *r, const char *key, const char *value,
                 struct err *err)
{
    bool is_path = strcmp(key, "path") == 0;
    char **slot = is_path ? &r->section->path : &r->section->url;

    if (!is_path && strcmp(key, "url") != 0)
        return 0;
    /* Once an option, always an option: git refuses these since 2.17.1. */
    if (*value == '-')
        return fail(r, err, "a value begins with '-', which is refused");
    if (is_path && path_fault(value))
        return fail(r, err, "a submodule's path is refused");
    free(*slot);
    *slot = xstrdup(value);
    return 0;
}

static int read_setting(struct reader *r, struct err *err)
{
    CLEANUP(strbuf) struct strbuf key = STRBUF_MAX(128);
    CLEANUP(strbuf) struct strbuf value = STRBUF_MAX(PATH_MAX_BYTES + 1);

    if (!isalpha(peek(r)))
        return fail(r, err, "this is neither a section nor a setting");
    while (isalnum(peek(r)) || peek(r) == '-')
        strbuf_addc(&key, (char)tolower(next(r)));
    skip_blank(r);
    if (peek(r) == '=') {
        (void)next(r);
        skip_blank(r);
        if (read_value(r, &value, err) < 0)
            return -1;
    } else {
        skip_line(r);
    }
    if (value.truncated)
        return fail(r, err, "a value is too long");
    return r->section ? store(r, key.data, value.data, err) : 0;
}

static int read_all(struct reader *r, struct err *err)
{
    for (;;) {
        skip_blank(r);
        switch (peek(r)) {
        case -1:
            return 0;
        case '\n':
            (void)next(r);
            break;
        case '#':
        case ';':
            skip_line(r);
            break;
        case '[':
            (void)next(r);
            if (read_section(r, err) < 0)
                return -1;
            break;
        default:
            if (read_setting(r, err) < 0)
                return -1;
        }
    }
}

int modules_parse(const char *text, size_t len, struct modules *out_modules,
                  struct err *err)
{
    CLEANUP(modules) struct modules modules = {0};
    struct reader r = {text, text + len, 1, &modules, NULL};

    if (len > MODULES_MAX_BYTES)
        return err_set(err, ERR_USER, ".gitmodules is too large");
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.p += 3;
    if (read_all(&r, err) < 0)
        return -1;
    *out_modules = modules;
    memset(&modules, 0, sizeof(modules));
    return 0;
}

const struct module *modules_at(const struct modules *modules, const char *path)
{
    for (size_t i = 0; i < modules->count; i++)
        if (modules->items[i].path && strcmp(modules->items[i].path, path) == 0)
            return &modules->items[i];
    return NULL;
}

void modules_clear(struct modules *modules)
{
    for (size_t i = 0; i < modules->count; i++) {
        free(modules->items[i].name);
        free(modules->items[i].path);
        free(modules->items[i].url);
    }
    free(modules->items);
    memset(modules, 0, sizeof(*modules));
}
