/* base/xml.c - the elements of an XML document, by expat. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/xml.h"

#include "base/strbuf.h"

#include <expat.h>
#include <limits.h>
#include <string.h>

struct reading {
    XML_Parser parser; /* owned */
    const struct xml_handler *handler;
    void *arg;
    char path[XML_MAX_PATH];
    size_t depth;
    struct strbuf text;           /* of all elements that are open */
    size_t begins[XML_MAX_DEPTH]; /* where in it that of each does */
    struct err err;               /* why we ended it */
};

static unsigned long long line_of(const struct reading *r)
{
#ifdef HAVE_EXPAT_LINE64
    return XML_GetCurrentLineNumber64(r->parser);
#else
    return XML_GetCurrentLineNumber(r->parser);
#endif
}

static void end_with(struct reading *r, const char *why)
{
    if (r->err.kind == ERR_NONE)
        (void)err_set(&r->err, ERR_USER, "line %llu: %s", line_of(r), why);
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static bool enter(struct reading *r, const char *name)
{
    const char *colon = strrchr(name, ':');
    size_t len = strlen(r->path), more;

    name = colon ? colon + 1 : name;
    more = strlen(name);
    if (r->depth == XML_MAX_DEPTH) {
        end_with(r, "it is nested too deeply");
        return false;
    }
    if (more + 2 > sizeof(r->path) - len) {
        end_with(r, "its names are too long");
        return false;
    }
    if (r->depth)
        r->path[len++] = '/';
    memcpy(r->path + len, name, more + 1);
    if (r->handler->leaves) {
        strbuf_cut(&r->text, 0);
        memset(r->begins, 0, sizeof(r->begins));
        r->text.truncated = false;
    }
    r->begins[r->depth++] = r->text.len;
    return true;
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **atts)
{
    struct reading *r = arg;

    if (r->err.kind != ERR_NONE || !enter(r, name))
        return;
    for (size_t i = 0; atts[i]; i++)
        if (i == (size_t)2 * XML_MAX_ATTRIBUTES) {
            end_with(r, "an element has too many attributes");
            return;
        }
    if (r->handler->on_start &&
        r->handler->on_start(r->arg, r->path, (const char *const *)atts,
                             &r->err) < 0)
        (void)XML_StopParser(r->parser, XML_FALSE);
}

static void on_end(void *arg, const XML_Char *name)
{
    struct reading *r = arg;
    char *slash = strrchr(r->path, '/');
    size_t begin;

    (void)name;
    if (r->err.kind != ERR_NONE || !r->depth)
        return;
    begin = r->begins[--r->depth];
    if (r->handler->on_end &&
        r->handler->on_end(r->arg, r->path, r->text.data + begin,
                           r->text.len - begin, &r->err) < 0)
        (void)XML_StopParser(r->parser, XML_FALSE);
    strbuf_cut(&r->text, begin);
    *(slash ? slash : r->path) = '\0';
}

static void on_text(void *arg, const XML_Char *text, int len)
{
    struct reading *r = arg;

    if (r->err.kind != ERR_NONE)
        return;
    strbuf_add(&r->text, text, (size_t)len);
    if (r->text.truncated && !r->handler->leaves)
        end_with(r, "a text in it is too long");
}

/* With it would come entities, which grow without bound, and addresses. */
static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                       const XML_Char *public, int has_internal)
{
    (void)name, (void)system, (void)public, (void)has_internal;
    end_with(arg, "it has a document type");
}

static int explain(struct reading *r, struct err *err)
{
    if (r->err.kind == ERR_NONE)
        (void)err_set(&r->err, ERR_USER, "line %llu: %s", line_of(r),
                      XML_ErrorString(XML_GetErrorCode(r->parser)));
    if (err)
        *err = r->err;
    return -1;
}

int xml_parse(const void *data, size_t len, const struct xml_handler *handler,
              void *arg, struct err *err)
{
    struct reading r = {
        .handler = handler, .arg = arg, .text = STRBUF_MAX(XML_MAX_TEXT)};
    int rc = 0;

    if (len > INT_MAX)
        return err_set(err, ERR_USER, "no XML: it is too long");
    r.parser = XML_ParserCreate(NULL);
    if (!r.parser)
        return err_set(err, ERR_TRANSIENT, "cannot start expat");
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
    if (XML_Parse(r.parser, data, (int)len, 1) != XML_STATUS_OK)
        rc = explain(&r, err);
    XML_ParserFree(r.parser);
    strbuf_clear(&r.text);
    return rc;
}

int xml_read(const void *data, size_t len, xml_element_fn *fn, void *arg,
             struct err *err)
{
    const struct xml_handler handler = {.on_end = fn};

    return xml_parse(data, len, &handler, arg, err);
}

const char *xml_attribute(const char *const *attributes, const char *name)
{
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return NULL;
}
