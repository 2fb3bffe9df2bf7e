/* worker/gateway/relay/ask.c - a request to a provider. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/ask.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX     3 /* of one provider */
#define TOTAL_MS      ((int64_t)3600 * 1000)
#define REFUSAL_MAX   ((size_t)64 << 10)
#define COMPLAINT_MAX 300
/* What is later is a mistake. */
#define RETRY_AFTER_MAX_MS (86400 * 1000)
/* What a model writes at least; slower ones are estimated at more than they
 * cost. */
#define TOKENS_PER_SECOND 100

struct ask {
    struct ask_spec spec;
    char *text; /* owned; the request, as the first model gets it */
    size_t text_len;
    bool wants_stream;
    char version[32];
    struct relay_model *model; /* who is asked now */
    size_t models;             /* that were asked */
    unsigned tries;            /* of this one */
    int64_t began_ms;          /* with this one */
    int64_t tried_ms;          /* the last try */
    size_t sent_bytes;         /* of it; 0: nothing that anybody would count */
    struct http_call *call;
    struct loop_source *timer; /* silence, or the wait for the next try */
    struct answer answer;
    struct strbuf kept; /* what is not passed on before all is there */
    uint64_t received;
    bool streaming;  /* something was passed on */
    bool crowded;    /* why we ended it ourselves */
    char fatal[256]; /* the same; "" */
    char message[512];
};

static void try_next(void *arg);

/* ---- the end --------------------------------------------------------------
 */

static void end(struct ask *ask, enum ask_outcome outcome, int status)
{
    const struct ask_end ended = {
        .outcome = outcome,
        .status = status,
        .body = ask->kept.data,
        .len = ask->kept.len,
        .message = ask->message,
        .answer = ask->answer.begun ? &ask->answer : NULL,
    };

    loop_remove(ask->timer);
    ask->timer = NULL;
    answer_finish(&ask->answer);
    ask->spec.on_end(ask->spec.arg, &ended);
}

static void end_later(void *arg)
{
    struct ask *ask = arg;

    ask->timer = NULL;
    end(ask, ASK_FAILED, 0);
}

/* From the loop, whoever found out. */
static void fail(struct ask *ask)
{
    loop_remove(ask->timer);
    ask->timer = loop_add_timer(ask->spec.loop, 0, end_later, ask);
}

static void wait_for(struct ask *ask, int64_t ms)
{
    loop_remove(ask->timer);
    ask->timer =
        loop_add_timer(ask->spec.loop, clock_mono_ms() + ms, try_next, ask);
}

/* Counted already, or it came to nothing that is to be. */
static void forget_cost(struct ask *ask)
{
    ask->sent_bytes = 0;
}

static void ask_next(struct ask *ask, struct relay_model *next, int64_t wait_ms)
{
    const struct token_count wasted = ask_tokens(ask, false);

    forget_cost(ask);
    if (!ask->spec.on_again(ask->spec.arg, &wasted, next))
        return;
    if (next != ask->model) {
        ask->model = next;
        ask->models++;
        ask->tries = 0;
        ask->began_ms = clock_mono_ms();
    }
    wait_for(ask, wait_ms);
}

/* Nothing was passed on: once more, or somebody else, or no more. */
static void try_again(struct ask *ask, int64_t retry_after_ms)
{
    const struct relay_setup *setup = ask->spec.setup;
    int64_t wait_ms = retry_after_ms >= 0
                          ? retry_after_ms
                          : setup->backoff_ms << (ask->tries - 1);
    int64_t spent_ms = clock_mono_ms() - ask->began_ms;

    if (ask->tries < TRIES_MAX && spent_ms + wait_ms < setup->retry_ms)
        ask_next(ask, ask->model, wait_ms);
    else if (ask->model->fallback && ask->models < setup->count)
        ask_next(ask, ask->model->fallback, 0);
    else
        fail(ask);
}

/* ---- the answer -----------------------------------------------------------
 */

static void on_silence(void *arg)
{
    struct ask *ask = arg;
    int64_t limit_ms = ask->received ? ask->spec.setup->stall_ms
                                     : ask->spec.setup->first_byte_ms;

    ask->timer = NULL;
    if (!http_call_has_sent(ask->call))
        forget_cost(ask);
    http_cancel(STEAL(ask->call));
    (void)snprintf(ask->message, sizeof(ask->message), "no byte for %g s",
                   (double)limit_ms / 1000);
    if (ask->streaming)
        end(ask, ASK_FAILED, 0);
    else
        try_again(ask, -1);
}

static void watch(struct ask *ask, int64_t ms)
{
    loop_remove(ask->timer);
    ask->timer =
        loop_add_timer(ask->spec.loop, clock_mono_ms() + ms, on_silence, ask);
}

static int spoil(struct ask *ask, const char *message)
{
    (void)snprintf(ask->fatal, sizeof(ask->fatal), "%s", message);
    return -1;
}

static int check(struct ask *ask)
{
    const struct relay_setup *setup = ask->spec.setup;
    char message[128];

    if (ask->received > setup->max_answer) {
        (void)snprintf(message, sizeof(message),
                       "an answer of more than %llu bytes",
                       (unsigned long long)setup->max_answer);
        return spoil(ask, message);
    }
    if (!ask->answer.is_json && ask->answer.hollow > setup->max_hollow) {
        (void)snprintf(message, sizeof(message),
                       "more than %llu events in a row without content",
                       (unsigned long long)setup->max_hollow);
        return spoil(ask, message);
    }
    return 0;
}

/* A stream goes on as it comes; what is one object when it is whole, so that
 * until then all can be tried again. */
static int on_data(void *arg, const void *data, size_t len)
{
    struct ask *ask = arg;
    int status = http_call_status(ask->call);

    ask->received += len;
    watch(ask, ask->spec.setup->stall_ms);
    /* As it came, and as it is read along; see ask_bytes(). */
    if (!ask->spec.has_room(ask->spec.arg, 4 * len)) {
        ask->crowded = true;
        return -1;
    }
    if (status < 200 || status >= 300) {
        if (ask->kept.len < REFUSAL_MAX)
            strbuf_add(&ask->kept, data, len);
        return ask->received > ask->spec.setup->max_answer ? -1 : 0;
    }
    answer_feed(&ask->answer, data, len);
    if (check(ask) < 0)
        return -1;
    if (!ask->wants_stream || ask->answer.is_json || !ask->answer.begun) {
        strbuf_add(&ask->kept, data, len);
        return 0;
    }
    if (!ask->streaming) {
        ask->streaming = true;
        ask->spec.on_data(ask->spec.arg, "text/event-stream", ask->kept.data,
                          ask->kept.len);
        strbuf_cut(&ask->kept, 0);
    }
    ask->spec.on_data(ask->spec.arg, NULL, data, len);
    return 0;
}

/* RFC 9110, 10.2.3: seconds, or a date; -1: as we like. A date that has passed
 * says that a clock is wrong, not that there is no haste. */
static int64_t retry_after(const struct http_response *response)
{
    const char *value = http_header(response, "Retry-After");
    char *stop = NULL;
    double ms = value ? strtod(value, &stop) * 1000 : -1;

    if (value && stop == value)
        ms = (double)(http_date_ms(value) - clock_wall_ms());
    else if (!value || *stop)
        return -1;
    return ms >= 0 && ms <= RETRY_AFTER_MAX_MS ? (int64_t)ms : -1;
}

static void complain(struct ask *ask, int status)
{
    CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(COMPLAINT_MAX);

    dialect_complaint(ask->kept.data, ask->kept.len, ask->model->key, &said);
    (void)snprintf(ask->message, sizeof(ask->message),
                   "the provider answers %d%s%s", status, said.len ? ": " : "",
                   said.data);
}

/* Who shows us the key we gave does not show it to the client. */
static void hide_key(struct ask *ask)
{
    const char *key = ask->model->key;
    CLEANUP(mem) char *text = NULL;

    if (!*key || !ask->kept.len ||
        !memmem(ask->kept.data, ask->kept.len, key, strlen(key)))
        return;
    text = dialect_error(ask->model->dialect, "bad_request", ask->message);
    mem_wipe(ask->kept.data, ask->kept.len);
    strbuf_cut(&ask->kept, 0);
    strbuf_adds(&ask->kept, text);
}

static void judge(struct ask *ask, const struct http_response *response)
{
    int status = response->status;
    int64_t wait_ms = retry_after(response);

    if (status >= 200 && status < 300) {
        if (!ask->received) {
            (void)snprintf(ask->message, sizeof(ask->message),
                           "an answer without a byte");
            try_again(ask, wait_ms);
            return;
        }
        if (ask->kept.len)
            ask->spec.on_data(ask->spec.arg,
                              ask->answer.is_json ? "application/json"
                                                  : "text/plain",
                              ask->kept.data, ask->kept.len);
        end(ask, ASK_DONE, 0);
        return;
    }
    /* Who refuses what he gets takes nothing for it. */
    forget_cost(ask);
    complain(ask, status);
    hide_key(ask);
    if (status == 408 || status == 429 || status >= 500)
        try_again(ask, wait_ms);
    else if (status == 401 || status == 403 || status < 400)
        end(ask, ASK_FAILED, 0);
    else
        end(ask, ASK_REFUSED, status);
}

static void on_done(void *arg, const struct http_response *response,
                    const struct err *err)
{
    struct ask *ask = arg;

    if (!http_call_has_sent(ask->call))
        forget_cost(ask);
    ask->call = NULL;
    loop_remove(ask->timer);
    ask->timer = NULL;
    if (ask->crowded) {
        end(ask, ASK_CROWDED, 0);
        return;
    }
    if (*ask->fatal) {
        (void)snprintf(ask->message, sizeof(ask->message), "%s", ask->fatal);
        end(ask, ASK_FAILED, 0);
        return;
    }
    if (response) {
        judge(ask, response);
        return;
    }
    (void)snprintf(ask->message, sizeof(ask->message), "%.400s", err->msg);
    if (ask->streaming)
        end(ask, ASK_BROKEN, 0);
    else if (err->kind == ERR_USER) /* a certificate does not get better */
        fail(ask);
    else
        try_again(ask, -1);
}

/* ---- the request ----------------------------------------------------------
 */

static void forget_answer(struct ask *ask)
{
    answer_clear(&ask->answer);
    answer_init(&ask->answer, ask->spec.setup->max_answer);
    strbuf_clear(&ask->kept);
    ask->kept.max_bytes = ask->spec.setup->max_answer + REFUSAL_MAX;
    ask->received = 0;
}

static void wipe(struct strv *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        mem_wipe(headers->items[i], strlen(headers->items[i]));
    strv_clear(headers);
}

/* The caller's. */
static char *text_for(const struct ask *ask, const struct relay_model *model)
{
    json_t *request;
    char *text;

    if (model == ask->spec.model)
        return xmemdup(ask->text, ask->text_len + 1);
    request = json_loadb(ask->text, ask->text_len, JSON_ALLOW_NUL, NULL);
    text = dialect_write(request, ask->spec.route, ask->spec.model, model);
    json_decref(request);
    return text;
}

static void try_next(void *arg)
{
    struct ask *ask = arg;
    CLEANUP(mem) char *url = dialect_url(ask->spec.route, ask->model);
    CLEANUP(mem) char *body = text_for(ask, ask->model);
    struct strv headers = {0};
    struct http_request request = {
        .method = "POST",
        .url = url,
        .body = body,
        .body_len = strlen(body),
        .ca_file = ask->model->ca,
        .timeout_ms = TOTAL_MS,
        .max_bytes = (size_t)ask->spec.setup->max_answer + REFUSAL_MAX,
        .on_data = on_data,
        .done = on_done,
        .arg = ask,
    };
    struct err err;

    ask->timer = NULL;
    forget_answer(ask);
    ask->tries++;
    ask->tried_ms = clock_mono_ms();
    ask->sent_bytes = request.body_len;
    dialect_headers(ask->model, ask->version, &headers);
    request.headers = (const char *const *)headers.items;
    watch(ask, ask->spec.setup->first_byte_ms);
    if (http_send(ask->spec.http, &request, &ask->call, &err) < 0) {
        (void)snprintf(ask->message, sizeof(ask->message), "%.400s", err.msg);
        forget_cost(ask);
        fail(ask);
    }
    wipe(&headers);
}

struct ask *ask_start(const struct ask_spec *spec)
{
    struct ask *ask = xcalloc(1, sizeof(*ask));

    ask->spec = *spec;
    ask->spec.request = NULL;
    ask->text =
        dialect_write(spec->request, spec->route, spec->model, spec->model);
    ask->text_len = strlen(ask->text);
    ask->wants_stream = dialect_wants_stream(spec->request);
    (void)snprintf(ask->version, sizeof(ask->version), "%s", spec->version);
    ask->spec.version = NULL;
    ask->model = spec->model;
    ask->models = 1;
    ask->began_ms = clock_mono_ms();
    ask->kept = (struct strbuf)STRBUF_MAX(REFUSAL_MAX);
    answer_init(&ask->answer, spec->setup->max_answer);
    wait_for(ask, 0);
    return ask;
}

struct token_count ask_tokens(const struct ask *ask, bool left)
{
    struct token_count tokens = {0};
    uint64_t least;

    if (!ask->sent_bytes || (ask->call && !http_call_has_sent(ask->call)))
        return tokens;
    tokens = answer_tokens(&ask->answer, ask->sent_bytes);
    if (!left || ask->answer.has_end)
        return tokens;
    least = ask->spec.most_output;
    if (ask->wants_stream) {
        uint64_t written = (uint64_t)(clock_mono_ms() - ask->tried_ms) *
                           TOKENS_PER_SECOND / 1000;

        least = written < least ? written : least;
    }
    if (tokens.output < least) {
        tokens.output = least;
        tokens.estimated = true;
    }
    return tokens;
}

struct relay_model *ask_model(const struct ask *ask)
{
    return ask->model;
}

size_t ask_bytes(const struct ask *ask)
{
    /* libcurl has a copy of what is sent; a buffer grows to twice its size. */
    return 2 * (ask->text_len + ask->kept.len + ask->answer.line.len);
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    loop_remove(ask->timer);
    http_cancel(ask->call);
    answer_clear(&ask->answer);
    strbuf_clear(&ask->kept);
    free(ask->text);
    free(ask);
}
