/* worker/checkout/reply.c - reading what checkout says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/reply.h"

#include "worker/checkout/names.h"
#include "worker/checkout/protocol.h"
#include "worker/checkout/refs.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

static bool read_progress(json_t *value, struct reply *reply)
{
    reply->text = json_string_value(value);
    return reply->text;
}

static bool read_connect(json_t *value, struct reply *reply)
{
    json_int_t n = json_integer_value(value);

    reply->connection = n >= 0 && n < CONNECTION_COUNT ? (int)n : -1;
    return json_is_integer(value) && reply->connection >= 0;
}

static bool read_submodule(json_t *value, struct reply *reply)
{
    return json_unpack(value, "{s:s, s:s, s:s!}", "path", &reply->path, "url",
                       &reply->url, "commit", &reply->commit) == 0 &&
           !path_fault(reply->path) && oid_ok(reply->commit);
}

static bool read_file(json_t *value, struct reply *reply)
{
    json_int_t size;

    reply->path = NULL;
    if (json_unpack(value, "{s:s, s?s!}", "why", &reply->why, "path",
                    &reply->path) == 0)
        return !reply->path || !path_fault(reply->path);
    reply->why = reply->path = NULL;
    if (json_unpack(value, "{s:I, s?s!}", "size", &size, "path", &reply->path) <
            0 ||
        size < 0 || (size_t)size > SHOW_MAX_BYTES ||
        (reply->path && path_fault(reply->path)))
        return false;
    reply->size = (size_t)size;
    return true;
}

static bool read_layer(json_t *value, struct reply *reply)
{
    static const char *const kinds[] = {
        [LAYER_NONE] = "none", [LAYER_FULL] = "full", [LAYER_DELTA] = "delta"};
    struct layer *layer = &reply->layer;
    json_int_t base;
    json_int_t bytes;
    const char *kind;
    size_t i;

    reply->layered = value;
    if (!reply->layered)
        return true;
    if (json_unpack(value, "{s:s, s:I, s:I, s:s, s:s!}", "kind", &kind, "base",
                    &base, "bytes", &bytes, "refs", &reply->refs, "why",
                    &reply->why) < 0 ||
        base < 0 || base >= LAYER_MAX_BASES || bytes < 0)
        return false;
    for (i = 0; i < ARRAY_LEN(kinds) && strcmp(kind, kinds[i]) != 0; i++)
        continue;
    layer->kind = (enum layer_kind)i;
    layer->base = (size_t)base;
    layer->bytes = (uint64_t)bytes;
    return i < ARRAY_LEN(kinds);
}

static bool read_done(json_t *value, struct reply *reply)
{
    json_int_t files;
    json_t *layer = NULL;

    reply->refs = reply->why = "";
    reply->more = false;
    if (json_unpack(value, "{s:s, s:s, s:s, s:b, s:I, s?b, s?o!}", "commit",
                    &reply->commit, "branch", &reply->branch, "subject",
                    &reply->subject, "fetched", &reply->fetched, "files",
                    &files, "more", &reply->more, "layer", &layer) < 0 ||
        !read_layer(layer, reply))
        return false;
    reply->files = (unsigned)files;
    return oid_ok(reply->commit) && files >= 0 && files <= INT_MAX;
}

static bool read_error(json_t *value, struct reply *reply)
{
    const char *kind;

    if (json_unpack(value, "{s:s, s:s!}", "kind", &kind, "message",
                    &reply->text) < 0)
        return false;
    reply->err_kind = err_kind_find(kind);
    return reply->err_kind == ERR_USER || reply->err_kind == ERR_TRANSIENT ||
           reply->err_kind == ERR_BUG;
}

static const struct {
    const char *key;
    enum reply_kind kind;
    bool (*read)(json_t *value, struct reply *reply);
} readers[] = {
    {"progress", REPLY_PROGRESS, read_progress},
    {"connect", REPLY_CONNECT, read_connect},
    {"submodule", REPLY_SUBMODULE, read_submodule},
    {"file", REPLY_FILE, read_file},
    {"done", REPLY_DONE, read_done},
    {"error", REPLY_ERROR, read_error},
};

int reply_parse(const char *line, size_t len, struct reply *out_reply,
                struct err *err)
{
    CLEANUP(reply) struct reply reply = {0};

    if (len <= REPLY_MAX_BYTES)
        reply.root = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(reply.root) && json_object_size(reply.root) == 1) {
        for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
            json_t *value = json_object_get(reply.root, readers[i].key);

            if (!value || !readers[i].read(value, &reply))
                continue;
            reply.kind = readers[i].kind;
            *out_reply = reply;
            reply.root = NULL;
            return 0;
        }
    }
    return err_set(err, ERR_BUG, "checkout said what it must not say");
}

void reply_clear(struct reply *reply)
{
    json_decref(reply->root);
    memset(reply, 0, sizeof(*reply));
}
