/* worker/job/far_ask.c - entries that the cache of this host does not have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/far_ask.h"

#include "worker/cache/settings.h"
#include "worker/job/events.h"

#include <stdlib.h>
#include <string.h>

struct far_ask {
    struct channel *up;    /* borrowed */
    struct output *output; /* the same */
    uint32_t id;           /* of the last question */
    far_ask_fn *fn;        /* NULL: nobody waits */
    void *arg;
};

struct far_ask *far_ask_new(struct channel *up, struct output *output)
{
    struct far_ask *ask = xcalloc(1, sizeof(*ask));

    ask->up = up;
    ask->output = output;
    return ask;
}

void far_ask_free(struct far_ask *ask)
{
    free(ask);
}

/* Each of them in each scope, the scopes of one together. */
static void add(json_t *list, const struct trust *trust, const char *name)
{
    for (size_t i = 0; i < trust->reader_count; i++) {
        CLEANUP(mem)
        char *text = xasprintf("%s/%s", trust->readers[i].name, name);

        (void)json_array_append_new(list, json_string(text));
    }
}

bool far_ask_begin(struct far_ask *ask, const struct far_wanted *wanted,
                   far_ask_fn *fn, void *arg)
{
    const char *on = getenv(CACHE_FAR_VARIABLE);
    size_t count = wanted->prefixes ? wanted->prefixes->count : 0;
    json_t *names = json_array();
    json_t *prefixes = json_array();
    json_t *body = json_pack("{s:s, s:o, s:o}", "kind", wanted->kind, "names",
                             names, "prefixes", prefixes);
    CLEANUP(mem) char *text = NULL;

    add(names, wanted->trust, wanted->name);
    for (size_t i = 0; i < count; i++)
        add(prefixes, wanted->trust, wanted->prefixes->items[i]);
    text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    if (!on || !*on || ask->fn || !text)
        return false;
    ask->fn = fn;
    ask->arg = arg;
    channel_send(ask->up, JOB_FRAME_CACHE_WANTED, ++ask->id, text,
                 strlen(text));
    return true;
}

void far_ask_forget(struct far_ask *ask, const void *arg)
{
    if (ask->arg == arg)
        ask->fn = NULL;
}

void far_ask_answer(struct far_ask *ask, const struct frame *frame)
{
    far_ask_fn *fn = ask ? ask->fn : NULL;
    json_t *answer;
    const json_t *note;
    size_t i;

    if (!fn || frame->id != ask->id)
        return;
    answer = json_loadb((const char *)frame->data, frame->len, 0, NULL);
    json_array_foreach(json_object_get(answer, "notes"), i,
                       note) if (json_is_string(note))
        output_note(ask->output, "cache: %s", json_string_value(note));
    json_decref(answer);
    ask->fn = NULL;
    fn(ask->arg);
}
