/* worker/checkout/report.c - what checkout says on stdout. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/report.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/checkout/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_EVERY_MS 250
#define TEXT_MAX_BYTES    4000

static json_t *text(const char *s)
{
    CLEANUP(mem) char *copy = xstrndup(s, TEXT_MAX_BYTES);

    text_clean(copy);
    return json_string(copy);
}

static void put(const void *data, size_t len)
{
    struct err err;

    if (fd_write_all(STDOUT_FILENO, data, len, &err) < 0)
        _exit(1);
}

/* Takes `value`. */
static void say(const char *key, json_t *value)
{
    json_t *root = json_object();
    char *line;

    (void)json_object_set_new(root, key, value);
    line = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!line)
        abort();
    put(line, strlen(line));
    put("\n", 1);
    free(line);
}

void report_progress(const char *fmt, ...)
{
    static int64_t last_ms;
    int64_t now = clock_mono_ms();
    va_list ap;

    if (last_ms && now - last_ms < PROGRESS_EVERY_MS)
        return;
    last_ms = now;
    va_start(ap, fmt);
    CLEANUP(mem) char *line = xvasprintf(fmt, ap);
    va_end(ap);
    say("progress", text(line));
}

void report_connect(int number)
{
    say("connect", json_integer(number));
}

void report_submodule(const char *path, const char *url, const char *commit)
{
    json_t *value = json_object();

    (void)json_object_set_new(value, "path", json_string(path));
    (void)json_object_set_new(value, "url", json_string(url));
    (void)json_object_set_new(value, "commit", json_string(commit));
    say("submodule", value);
}

void report_file(const char *path, const void *data, size_t len,
                 const char *why)
{
    json_t *value = json_object();

    if (path)
        (void)json_object_set_new(value, "path", json_string(path));
    if (why)
        (void)json_object_set_new(value, "why", text(why));
    else
        (void)json_object_set_new(value, "size", json_integer((json_int_t)len));
    say("file", value);
    if (!why)
        put(data, len);
}

static json_t *layer_object(const struct report_done *done)
{
    static const char *const kinds[] = {
        [LAYER_NONE] = "none", [LAYER_FULL] = "full", [LAYER_DELTA] = "delta"};
    json_t *value = json_object();

    (void)json_object_set_new(value, "kind", text(kinds[done->layer->kind]));
    (void)json_object_set_new(value, "base",
                              json_integer((json_int_t)done->layer->base));
    (void)json_object_set_new(value, "bytes",
                              json_integer((json_int_t)done->layer->bytes));
    (void)json_object_set_new(value, "refs", text(done->refs));
    (void)json_object_set_new(value, "why", text(done->why));
    return value;
}

void report_done(const struct report_done *done)
{
    json_t *value = json_object();

    (void)json_object_set_new(value, "commit", text(done->commit));
    (void)json_object_set_new(value, "branch", text(done->branch));
    (void)json_object_set_new(value, "subject", text(done->subject));
    (void)json_object_set_new(value, "fetched", json_boolean(done->fetched));
    (void)json_object_set_new(value, "files", json_integer(done->files));
    if (done->more)
        (void)json_object_set_new(value, "more", json_true());
    if (done->layer)
        (void)json_object_set_new(value, "layer", layer_object(done));
    say("done", value);
}

void report_error(const struct err *err)
{
    json_t *value = json_object();
    enum err_kind kind = err->kind;

    if (kind != ERR_USER && kind != ERR_TRANSIENT)
        kind = ERR_BUG;
    (void)json_object_set_new(value, "kind", text(err_kind_name(kind)));
    (void)json_object_set_new(value, "message", text(err->msg));
    say("error", value);
}
