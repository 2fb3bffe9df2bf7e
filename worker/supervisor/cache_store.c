/* worker/supervisor/cache_store.c - asks the store of caches, for run-jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/cache_store.h"

#include "base/clock.h"
#include "base/helper.h"
#include "base/log.h"
#include "worker/cache/far/program.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define CALL_MS      ((int64_t)(CACHE_ANSWER_S + CACHE_FETCH_S + 5) * 1000)
#define AGAIN_MS     15000
#define AGAIN_MAX_MS 300000
#define MAX_OUTPUT   ((size_t)64 << 10)
#define MAX_NAMES    400
#define MISS         "{\"found\":false,\"notes\":[]}"
#define AWAY                                                                   \
    "{\"found\":false,\"notes\":[\"the store of caches does not answer: a "    \
    "miss\"]}"

struct asking {
    TAILQ_ENTRY(asking) link;
    struct cache_store *store; /* borrowed */
    uint32_t id;
    cache_store_fn *fn; /* NULL: nobody is told */
    void *arg;
    struct helper *helper; /* owned */
};

struct cache_store {
    struct loop *loop; /* borrowed */
    char *address;     /* owned */
    char *key_file;    /* owned */
    TAILQ_HEAD(, asking) all;
    int64_t again_ms;     /* the last pause; 0: it answers */
    int64_t away_till_ms; /* monotonic */
};

struct cache_store *cache_store_new(struct loop *loop, const char *address,
                                    const char *key_file)
{
    struct cache_store *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->address = xstrdup(address);
    s->key_file = xstrdup(key_file);
    TAILQ_INIT(&s->all);
    return s;
}

static void asking_free(struct asking *asking)
{
    TAILQ_REMOVE(&asking->store->all, asking, link);
    helper_free(asking->helper);
    free(asking);
}

void cache_store_free(struct cache_store *s)
{
    struct asking *asking;

    if (!s)
        return;
    while ((asking = TAILQ_FIRST(&s->all)))
        asking_free(asking);
    free(s->address);
    free(s->key_file);
    free(s);
}

void cache_store_forget(struct cache_store *s, const void *arg)
{
    struct asking *asking;

    if (!s)
        return;
    TAILQ_FOREACH (asking, &s->all, link)
        if (asking->arg == arg)
            asking->fn = NULL;
}

/* ---- the answer ---------------------------------------------------------- */

static void is_away(struct cache_store *s, const char *why)
{
    int64_t now = clock_mono_ms();

    if (now < s->away_till_ms) /* another was asked at the same time */
        return;
    s->again_ms = s->again_ms ? s->again_ms * 2 : AGAIN_MS;
    if (s->again_ms > AGAIN_MAX_MS)
        s->again_ms = AGAIN_MAX_MS;
    s->away_till_ms = now + s->again_ms;
    log_warn("the store of caches is left alone for %lld s: %.800s",
             (long long)(s->again_ms / 1000), why);
}

static void cut_lines(struct strbuf *output)
{
    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
}

static void on_ended(void *arg, int status, struct strbuf *output,
                     const struct err *err)
{
    struct asking *asking = arg;
    const char *answer = AWAY;

    cut_lines(output);
    if (err) {
        is_away(asking->store, err->msg);
    } else if (status != 0) {
        is_away(asking->store, output->data);
    } else {
        asking->store->again_ms = 0;
        answer = output->data;
    }
    if (asking->fn)
        asking->fn(asking->arg, asking->id, answer);
    asking_free(asking);
}

/* ---- the question -------------------------------------------------------- */

/* An option is none: names have a scope in front. */
static bool add_all(const json_t *list, struct strv *argv)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(item);

        if (!name || !strchr(name, '/') || argv->count > MAX_NAMES)
            return false;
        strv_add(argv, name);
    }
    return true;
}

static bool read_question(const struct cache_store *s,
                          const struct frame *frame, struct strv *argv)
{
    CLEANUP(mem) char *program = proc_libexec(CACHE_PROGRAM);
    json_t *wanted = json_loadb((const char *)frame->data, frame->len,
                                JSON_REJECT_DUPLICATES, NULL);
    const char *kind = json_string_value(json_object_get(wanted, "kind"));
    const json_t *names = json_object_get(wanted, "names");
    bool ok = kind && json_array_size(names);

    strv_add(argv, program);
    strv_add(argv, "get");
    strv_add(argv, s->address);
    strv_add(argv, s->key_file);
    strv_add(argv, ok ? kind : "");
    ok = ok && add_all(names, argv);
    strv_add(argv, "--");
    ok = ok && add_all(json_object_get(wanted, "prefixes"), argv);
    json_decref(wanted);
    return ok;
}

static int start(struct asking *asking, const struct strv *argv,
                 struct err *err)
{
    const struct helper_spec spec = {
        .name = CACHE_PROGRAM,
        .proc = {.argv = (const char *const *)argv->items,
                 .in = PROC_NULL,
                 .err = PROC_INHERIT,
                 .new_group = true},
        .max_output = MAX_OUTPUT,
        .timeout_ms = CALL_MS};

    return helper_start(asking->store->loop, &spec, on_ended, asking,
                        &asking->helper, err);
}

void cache_store_ask(struct cache_store *s, const struct frame *frame,
                     cache_store_fn *fn, void *arg)
{
    CLEANUP(strv) struct strv argv = {0};
    struct asking *asking;
    struct err err = {0};

    if (!s || !read_question(s, frame, &argv)) {
        fn(arg, frame->id, MISS);
        return;
    }
    if (clock_mono_ms() < s->away_till_ms) {
        fn(arg, frame->id, AWAY);
        return;
    }
    asking = xcalloc(1, sizeof(*asking));
    asking->store = s;
    asking->id = frame->id;
    asking->fn = fn;
    asking->arg = arg;
    TAILQ_INSERT_TAIL(&s->all, asking, link);
    if (start(asking, &argv, &err) == 0)
        return;
    is_away(s, err.msg);
    asking_free(asking);
    fn(arg, frame->id, AWAY);
}
