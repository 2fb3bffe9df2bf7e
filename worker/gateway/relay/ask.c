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

struct ask {
    struct ask_spec spec;
    json_t *request; /* owned */
    char version[32];
    const struct relay_model *model; /* who is asked now */
    size_t models;                   /* that were asked */
    unsigned tries;                  /* of this one */
    int64_t began_ms;                /* with this one */
    size_t sent_bytes;
    struct http_call *call;
    struct loop_source *timer; /* silence, or the wait for the next try */
    struct answer answer;
    struct strbuf kept; /* what is not passed on before all is there */
    uint64_t received;
    bool streaming;  /* something was passed on */
    char fatal[256]; /* why we ended it ourselves; "" */
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
        .model = ask->model,
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

/* Nothing was passed on: once more, or somebody else, or no more. */
static void try_again(struct ask *ask, int64_t retry_after_ms)
{
    const struct relay_setup *setup = ask->spec.setup;
    int64_t wait_ms = retry_after_ms >= 0
                          ? retry_after_ms
                          : setup->backoff_ms << (ask->tries - 1);
    int64_t spent_ms = clock_mono_ms() - ask->began_ms;

    if (ask->tries < TRIES_MAX && spent_ms + wait_ms < setup->retry_ms) {
        wait_for(ask, wait_ms);
        return;
    }
    if (ask->model->fallback && ask->models < setup->count) {
        ask->model = ask->model->fallback;
        ask->models++;
        ask->tries = 0;
        ask->began_ms = clock_mono_ms();
        wait_for(ask, 0);
        return;
    }
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
    if (status < 200 || status >= 300) {
        if (ask->kept.len < REFUSAL_MAX)
            strbuf_add(&ask->kept, data, len);
        return ask->received > ask->spec.setup->max_answer ? -1 : 0;
    }
    answer_feed(&ask->answer, data, len);
    if (check(ask) < 0)
        return -1;
    if (!dialect_wants_stream(ask->request) || ask->answer.is_json ||
        !ask->answer.begun) {
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

static int64_t retry_after(const struct http_response *response)
{
    const char *value = http_header(response, "Retry-After");
    char *stop = NULL;
    double seconds = value ? strtod(value, &stop) : -1;

    /* A date is for who has days. */
    if (!value || stop == value || *stop || !(seconds >= 0) || seconds > 86400)
        return -1;
    return (int64_t)(seconds * 1000);
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

    ask->call = NULL;
    loop_remove(ask->timer);
    ask->timer = NULL;
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

static void try_next(void *arg)
{
    struct ask *ask = arg;
    CLEANUP(mem) char *url = dialect_url(ask->spec.route, ask->model);
    CLEANUP(mem)
    char *body = dialect_write(ask->request, ask->spec.route, ask->spec.model,
                               ask->model);
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
    ask->sent_bytes = request.body_len;
    dialect_headers(ask->model, ask->version, &headers);
    request.headers = (const char *const *)headers.items;
    watch(ask, ask->spec.setup->first_byte_ms);
    if (http_send(ask->spec.http, &request, &ask->call, &err) < 0) {
        (void)snprintf(ask->message, sizeof(ask->message), "%.400s", err.msg);
        fail(ask);
    }
    wipe(&headers);
}

struct ask *ask_start(const struct ask_spec *spec)
{
    struct ask *ask = xcalloc(1, sizeof(*ask));

    ask->spec = *spec;
    ask->request = json_incref((json_t *)(uintptr_t)spec->request);
    (void)snprintf(ask->version, sizeof(ask->version), "%s", spec->version);
    ask->model = spec->model;
    ask->models = 1;
    ask->began_ms = clock_mono_ms();
    ask->kept = (struct strbuf)STRBUF_MAX(REFUSAL_MAX);
    answer_init(&ask->answer, spec->setup->max_answer);
    wait_for(ask, 0);
    return ask;
}

const struct answer *ask_answer(const struct ask *ask)
{
    return ask->answer.begun ? &ask->answer : NULL;
}

const struct relay_model *ask_model(const struct ask *ask)
{
    return ask->model;
}

size_t ask_sent(const struct ask *ask)
{
    return ask->sent_bytes;
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    loop_remove(ask->timer);
    http_cancel(ask->call);
    answer_clear(&ask->answer);
    strbuf_clear(&ask->kept);
    json_decref(ask->request);
    free(ask);
}
