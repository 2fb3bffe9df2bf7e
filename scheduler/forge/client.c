/* scheduler/forge/client.c - asking a Git host, from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/client.h"

#include "base/clock.h"
#include "scheduler/forge/body.h"
#include "scheduler/forge/client_impl.h"
#include "scheduler/forge/jwt.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/forge/url.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define MAX_WAITING 1000

struct forge_call {
    TAILQ_ENTRY(forge_call) link;
    struct lane *lane; /* borrowed */
    json_t *body;      /* owned */
    forge_answer_fn *fn;
    void *arg;
    bool ended; /* in `ended`: what follows is its answer */
    enum forge_error error;
    char *message; /* owned */
    int64_t after_ms;
};

TAILQ_HEAD(calls, forge_call);

/*
 * Apart, so that what is short waits only for what is short: a list takes many
 * requests, and a report waits between its own.
 */
enum lane_kind { LANE_SHORT, LANE_LIST, LANE_WRITE, LANE_COUNT };

/* One of the processes, and who waits for it. */
struct lane {
    struct forge *forge;           /* borrowed */
    struct forge_process *process; /* owned */
    struct calls waiting;
    size_t count;
    struct forge_call *asked; /* owned; `fn` is NULL if nobody waits for it */
};

struct forge {
    struct loop *loop; /* borrowed */
    enum forge_kind kind;
    char *base_url; /* owned, as the next */
    json_t *setup;
    bool is_app, has_token;
    struct lane lanes[LANE_COUNT];
    struct calls ended;       /* without the process */
    struct loop_source *pump; /* borrowed from the loop */
    int64_t paused_until_ms;  /* monotonic: the host's limit */
};

/* ---- calls ---------------------------------------------------------------
 */

static void pump_soon(struct forge *forge);

static void call_free(struct forge_call *call)
{
    json_decref(call->body);
    free(call->message);
    free(call);
}

static struct forge_call *take_first(struct lane *lane)
{
    struct forge_call *call = TAILQ_FIRST(&lane->waiting);

    if (call) {
        TAILQ_REMOVE(&lane->waiting, call, link);
        lane->count--;
    }
    return call;
}

/* It is told later, from the loop. `call` waits nowhere. */
static void end_call(struct forge_call *call, enum forge_error error,
                     const char *message, int64_t after_ms)
{
    struct forge *forge = call->lane->forge;

    if (!call->fn) {
        call_free(call);
        return;
    }
    call->ended = true;
    call->error = error;
    call->message = xstrdup(message);
    call->after_ms = after_ms;
    TAILQ_INSERT_TAIL(&forge->ended, call, link);
    pump_soon(forge);
}

void forge_call_cancel(struct forge_call *call)
{
    if (!call)
        return;
    call->fn = NULL;
    if (call == call->lane->asked)
        return;
    if (call->ended) {
        TAILQ_REMOVE(&call->lane->forge->ended, call, link);
    } else {
        TAILQ_REMOVE(&call->lane->waiting, call, link);
        call->lane->count--;
    }
    call_free(call);
}

static void end_all(struct lane *lane, enum forge_error error,
                    const char *message, int64_t after_ms)
{
    struct forge_call *call;

    while ((call = take_first(lane)))
        end_call(call, error, message, after_ms);
}

/* ---- answers -------------------------------------------------------------
 */

static enum forge_error error_of(const char *word)
{
    if (!strcmp(word, "away"))
        return FORGE_AWAY;
    if (!strcmp(word, "paused"))
        return FORGE_PAUSED;
    return FORGE_REFUSED;
}

static void note_pause(struct forge *forge, const struct forge_answer *answer)
{
    int64_t until = clock_mono_ms() + answer->after_ms;

    if (answer->error == FORGE_PAUSED && until > forge->paused_until_ms)
        forge->paused_until_ms = until;
}

static void read_answer(const json_t *body, struct forge_answer *out)
{
    const char *error = json_string_value(json_object_get(body, "error"));
    const char *message = json_string_value(json_object_get(body, "message"));

    *out =
        (struct forge_answer){.error = FORGE_OK, .body = body, .message = ""};
    if (!error)
        return;
    out->error = error_of(error);
    out->body = NULL;
    out->message = message ? message : error;
    out->status = (int)json_integer_value(json_object_get(body, "status"));
    out->after_ms = json_integer_value(json_object_get(body, "after_ms"));
}

/* Whoever is called back may free the forge: that is the last thing here. */
static void on_answer(void *arg, const json_t *body, const char *why)
{
    struct lane *lane = arg;
    struct forge_call *call = STEAL(lane->asked);
    struct forge_answer answer = {.error = FORGE_AWAY, .message = why};
    forge_answer_fn *fn = call->fn;
    void *fn_arg = call->arg;

    if (body)
        read_answer(body, &answer);
    else if (forge_process_is_failing(lane->process))
        end_all(lane, FORGE_AWAY, why, 0);
    note_pause(lane->forge, &answer);
    call_free(call);
    pump_soon(lane->forge);
    if (fn)
        fn(fn_arg, &answer);
}

/* ---- questions -----------------------------------------------------------
 */

static void pump_lane(struct lane *lane)
{
    int64_t left = lane->forge->paused_until_ms - clock_mono_ms();
    struct forge_call *call;
    struct err err = {0};

    if (left > 0)
        end_all(lane, FORGE_PAUSED, "the host's limit: it is left alone", left);
    if (!forge_process_is_ready(lane->process) || !(call = take_first(lane)))
        return;
    if (forge_process_ask(lane->process, call->body, &err) < 0) {
        end_call(call, FORGE_AWAY, err.msg, 0);
        /* Nor can the others be asked for. */
        end_all(lane, FORGE_AWAY, err.msg, 0);
        return;
    }
    lane->asked = call;
}

static void on_pump(void *arg)
{
    struct forge *forge = arg;
    struct forge_call *call;

    forge->pump = NULL;
    for (int i = 0; i < LANE_COUNT; i++)
        pump_lane(&forge->lanes[i]);
    call = TAILQ_FIRST(&forge->ended);
    if (call) {
        struct forge_answer answer = {.error = call->error,
                                      .message = call->message,
                                      .after_ms = call->after_ms};

        TAILQ_REMOVE(&forge->ended, call, link);
        /* One at a time: what is called back may do anything. */
        if (!TAILQ_EMPTY(&forge->ended))
            pump_soon(forge);
        call->fn(call->arg, &answer);
        call_free(call);
    }
}

static void pump_soon(struct forge *forge)
{
    if (!forge->pump)
        forge->pump =
            loop_add_timer(forge->loop, clock_mono_ms(), on_pump, forge);
}

static void on_ready(void *arg)
{
    struct lane *lane = arg;

    pump_soon(lane->forge);
}

static enum lane_kind lane_of(const char *op)
{
    static const struct {
        const char *op;
        enum lane_kind lane;
    } others[] = {
        {FORGE_OP_PATHS, LANE_LIST},
        {FORGE_OP_OPEN_CHANGES, LANE_LIST},
        {FORGE_OP_MISSED, LANE_LIST},
        {FORGE_OP_REPORT, LANE_WRITE},
    };

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (!strcmp(op, others[i].op))
            return others[i].lane;
    return LANE_SHORT;
}

void forge_ask(struct forge *forge, const char *op, json_t *body,
               forge_answer_fn *fn, void *arg, struct forge_call **out_call)
{
    struct forge_call *call = xcalloc(1, sizeof(*call));
    struct lane *lane = &forge->lanes[lane_of(op)];

    (void)json_object_set_new(body, "op", json_string(op));
    call->lane = lane;
    call->body = body;
    call->fn = fn;
    call->arg = arg;
    if (out_call)
        *out_call = call;
    if (lane->count >= MAX_WAITING) {
        end_call(call, FORGE_AWAY, "too much is asked of the host", 0);
        return;
    }
    TAILQ_INSERT_TAIL(&lane->waiting, call, link);
    lane->count++;
    pump_soon(forge);
}

/* ---- life ----------------------------------------------------------------
 */

static bool has(const char *text)
{
    return text && *text;
}

static int check_url(const char *url, const char *what, struct err *err)
{
    size_t origin = url_origin_len(url);

    if (!origin || memchr(url, '@', origin) || strpbrk(url, "?# \t\r\n\\"))
        return err_set(err, ERR_USER,
                       "%s: this is not https://HOST, with a path or without",
                       what);
    return 0;
}

static int check_app(const struct forge_options *options, struct err *err)
{
    char *token = NULL;

    if (has(options->app) != has(options->app_key))
        return err_set(err, ERR_USER,
                       "a GitHub App has an id and a key: one is missing");
    if (!has(options->app))
        return 0;
    if (options->kind != FORGE_GITHUB)
        return err_set(err, ERR_USER, "only GitHub has Apps");
    if (has(options->token))
        return err_set(err, ERR_USER, "either an App or a token, not both");
    if (jwt_make(options->app, options->app_key, strlen(options->app_key),
                 clock_wall_ms() / 1000, &token, err) < 0)
        return -1;
    mem_wipe(token, strlen(token));
    free(token);
    return 0;
}

static int check(const struct forge_options *options, struct err *err)
{
    if (options->kind == FORGE_NONE)
        return err_set(err, ERR_USER, "no such kind of Git host");
    if (!has(options->base_url))
        return err_set(err, ERR_USER, "the host's address is missing");
    if (check_url(options->base_url, "the host's address", err) < 0)
        return -1;
    if (has(options->api_url) &&
        check_url(options->api_url, "the API's address", err) < 0)
        return -1;
    for (const char *c = options->token; c && *c; c++)
        if (*c <= ' ' || *c > '~')
            return err_set(err, ERR_USER, "the token has blanks or controls");
    return check_app(options, err);
}

static void set_text(json_t *setup, const char *key, const char *text)
{
    (void)json_object_set_new(setup, key, json_string(text ? text : ""));
}

static json_t *setup_of(const struct forge_options *options)
{
    json_t *setup = json_object();

    set_text(setup, "forge", forge_name(options->kind));
    set_text(setup, "base_url", options->base_url);
    set_text(setup, "api_url", options->api_url);
    set_text(setup, "ca", options->ca);
    set_text(setup, "app", options->app);
    set_text(setup, "app_key", options->app_key);
    set_text(setup, "token", options->token);
    (void)json_object_set_new(setup, "gap_ms", json_integer(options->gap_ms));
    (void)json_object_set_new(setup, "timeout_ms",
                              json_integer(options->timeout_ms));
    return setup;
}

static void lane_open(struct forge *forge, struct lane *lane)
{
    const struct forge_process_spec spec = {.loop = forge->loop,
                                            .setup = forge->setup,
                                            .on_answer = on_answer,
                                            .on_ready = on_ready,
                                            .arg = lane};

    lane->forge = forge;
    TAILQ_INIT(&lane->waiting);
    lane->process = forge_process_new(&spec);
}

int forge_new(const struct forge_options *options, struct forge **out_forge,
              struct err *err)
{
    struct forge *forge;

    if (check(options, err) < 0)
        return -1;
    body_wipe_freed();
    forge = xcalloc(1, sizeof(*forge));
    forge->loop = options->loop;
    forge->kind = options->kind;
    forge->base_url = xstrdup(options->base_url);
    forge->is_app = has(options->app);
    forge->has_token = has(options->token);
    forge->setup = setup_of(options);
    TAILQ_INIT(&forge->ended);
    for (int i = 0; i < LANE_COUNT; i++)
        lane_open(forge, &forge->lanes[i]);
    *out_forge = forge;
    return 0;
}

static void lane_close(struct lane *lane)
{
    struct forge_call *call;

    forge_process_free(lane->process);
    while ((call = take_first(lane)))
        call_free(call);
    if (lane->asked)
        call_free(lane->asked);
}

void forge_free(struct forge *forge)
{
    struct forge_call *call;

    if (!forge)
        return;
    for (int i = 0; i < LANE_COUNT; i++)
        lane_close(&forge->lanes[i]);
    while ((call = TAILQ_FIRST(&forge->ended))) {
        TAILQ_REMOVE(&forge->ended, call, link);
        call_free(call);
    }
    loop_remove(forge->pump);
    json_decref(forge->setup);
    free(forge->base_url);
    free(forge);
}

enum forge_kind forge_kind_of(const struct forge *forge)
{
    return forge->kind;
}

const char *forge_base_url(const struct forge *forge)
{
    return forge->base_url;
}

bool forge_is_app(const struct forge *forge)
{
    return forge->is_app;
}

bool forge_can_write(const struct forge *forge)
{
    return forge->is_app || forge->has_token;
}
