/* worker/gateway/relay/desk.c - who may ask a model, and for how long. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/desk.h"

#include "base/clock.h"
#include "worker/gateway/relay/account.h"
#include "worker/gateway/relay/ask.h"
#include "worker/gateway/relay/guest.h"
#include "worker/gateway/relay/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define JSON_TYPE "application/json"

struct visit {
    LIST_ENTRY(visit) link;
    struct desk *desk;         /* borrowed */
    struct guest *guest;       /* owned */
    struct ask *ask;           /* owned; NULL: none is under way */
    struct token_count most;   /* that it may take */
    struct tally hold;         /* the same, at the price of: */
    struct relay_model *payer; /* borrowed */
};

struct desk {
    struct loop *loop; /* these borrowed */
    struct relay_setup *setup;
    int listener;
    struct channel *up;
    struct http *http; /* owned */
    struct loop_source *source;
    LIST_HEAD(, visit) visits;
    size_t visit_count, asking;
    bool busy; /* a step is under way */
    struct relay_step step;
    struct loop_source *time_up;
    uint64_t empty;   /* answers in a row without content */
    uint64_t broken;  /* answers in a row that were not whole */
    enum reason over; /* why the step may not ask any more; REASON_NONE */
    char why[600];
};

/* ---- upwards --------------------------------------------------------------
 */

static void send_json(struct desk *desk, uint8_t type, json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT);

    if (text)
        channel_send(desk->up, type, 0, text, strlen(text));
    free(text);
    json_decref(doc);
}

static void send_usage(struct desk *desk, uint8_t type)
{
    send_json(desk, type, account_json(&desk->step, desk->setup));
}

/* ---- what is under way ----------------------------------------------------
 */

/* Told before it is sent: whoever ends us in the middle knows the worst. */
static void begin_paying(struct visit *visit, struct relay_model *payer)
{
    struct desk *desk = visit->desk;

    visit->payer = payer;
    tally_add(&visit->hold, &visit->most, &payer->price);
    account_hold(&desk->step, payer, &visit->hold);
    account_request(&desk->step, payer);
    send_usage(desk, RELAY_FRAME_USAGE);
}

static void release(struct visit *visit)
{
    account_release(&visit->desk->step, visit->payer, &visit->hold);
    visit->hold = (struct tally){0};
}

/* A provider has read what it was sent, whether or not we waited. */
static void count(struct desk *desk, const struct ask *ask,
                  struct token_count tokens)
{
    account_tokens(&desk->step, ask_model(ask), &tokens);
    send_usage(desk, RELAY_FRAME_USAGE);
}

/* Nobody waits for it any more. */
static void stop_asking(struct visit *visit)
{
    if (!visit->ask)
        return;
    release(visit);
    count(visit->desk, visit->ask, ask_tokens(visit->ask, true));
    ask_free(STEAL(visit->ask));
    visit->desk->asking--;
}

static bool has_room(void *arg, size_t len)
{
    const struct desk *desk = ((struct visit *)arg)->desk;
    const struct visit *visit;
    uint64_t bytes = len;

    LIST_FOREACH(visit, &desk->visits, link)
    {
        bytes += guest_bytes(visit->guest);
        bytes += visit->ask ? ask_bytes(visit->ask) : 0;
    }
    return bytes <= desk->setup->max_buffered;
}

static void visit_free(struct visit *visit)
{
    LIST_REMOVE(visit, link);
    if (visit->desk->visit_count-- == DESK_MAX_GUESTS)
        loop_set_events(visit->desk->source, EPOLLIN);
    stop_asking(visit);
    guest_free(visit->guest);
    free(visit);
}

/* ---- what a client is told ------------------------------------------------
 */

static enum dialect dialect_of(const struct desk *desk)
{
    return desk->busy ? desk->step.model->dialect
                      : desk->setup->models[0].dialect;
}

static void refuse(struct visit *visit, int status, const char *code,
                   const char *message)
{
    CLEANUP(mem)
    char *text = dialect_error(dialect_of(visit->desk), code, message);

    if (guest_has_begun(visit->guest))
        guest_cut(visit->guest);
    else
        guest_answer(visit->guest, status, JSON_TYPE, text, strlen(text));
}

/* 400, as that is what clients do not try again. */
static void refuse_over(struct visit *visit)
{
    const struct desk *desk = visit->desk;

    refuse(visit, 400, reason_name(desk->over), desk->why);
}

/* What is under way ends: nothing of it is wanted any more. */
static void stop_all(struct desk *desk)
{
    struct visit *visit;

    LIST_FOREACH(visit, &desk->visits, link)
    {
        if (!visit->ask)
            continue;
        stop_asking(visit);
        if (desk->over != REASON_NONE)
            refuse_over(visit);
        else
            refuse(visit, 403, "no_step", "the step has ended");
    }
}

/* The step hears of it first, so that it knows why its client fails. */
static void be_over(struct desk *desk, enum reason reason, const char *message)
{
    if (desk->over != REASON_NONE)
        return;
    desk->over = reason;
    (void)snprintf(desk->why, sizeof(desk->why), "%.590s", message);
    send_json(desk, RELAY_FRAME_OVER,
              json_pack("{s:s, s:s}", "reason", reason_name(reason), "message",
                        desk->why));
    stop_all(desk);
}

/* No step of this job will have it. */
static void give_up_model(struct desk *desk, const char *what)
{
    struct relay_model *model = desk->step.model;

    (void)snprintf(model->why, sizeof(model->why), "the model '%.60s': %.400s",
                   model->name, what);
    model->over = REASON_MODEL_FAILED;
    be_over(desk, REASON_MODEL_FAILED, model->why);
}

/* ---- budgets --------------------------------------------------------------
 */

/* Whether one request more is allowed; else it is over. */
static bool may_ask(struct desk *desk)
{
    struct relay_model *model = desk->step.model;
    char what[160], message[320];
    const char *whose = "job";

    if (desk->over != REASON_NONE)
        return false;
    if (model->over != REASON_NONE) {
        be_over(desk, model->over, model->why);
        return false;
    }
    account_time(&desk->step);
    if (tally_allows(&model->spent, &model->budget, what, sizeof(what))) {
        whose = "step";
        if (tally_allows(&desk->step.spent, &desk->step.budget, what,
                         sizeof(what)))
            return true;
    }
    (void)snprintf(message, sizeof(message),
                   "%s (budget of the %s, model '%.60s')", what, whose,
                   model->name);
    be_over(desk, REASON_BUDGET_EXCEEDED, message);
    return false;
}

static void on_time_up(void *arg)
{
    struct desk *desk = arg;

    desk->time_up = NULL;
    (void)may_ask(desk);
}

static void arm_time(struct desk *desk)
{
    const struct relay_step *step = &desk->step;
    int64_t job = step->model->budget.time_ms - step->model->spent.time_ms;
    int64_t left = step->budget.time_ms;

    if (step->model->budget.time_ms && (!left || job < left))
        left = job > 0 ? job : 1;
    if (left)
        desk->time_up = loop_add_timer(desk->loop, clock_mono_ms() + left,
                                       on_time_up, desk);
}

/* ---- answers --------------------------------------------------------------
 */

static void on_data(void *arg, const char *type, const void *data, size_t len)
{
    struct visit *visit = arg;

    if (type)
        guest_begin(visit->guest, 200, type);
    guest_add(visit->guest, data, len);
}

static void judge_whole(struct visit *visit, const struct ask_end *end)
{
    struct desk *desk = visit->desk;
    char message[128];

    desk->broken = 0;
    if (end->answer && end->answer->content_bytes) {
        desk->empty = 0;
        guest_end(visit->guest);
        return;
    }
    if (++desk->empty <= desk->setup->max_empty) {
        guest_end(visit->guest);
        return;
    }
    (void)snprintf(message, sizeof(message),
                   "%llu answers in a row without content",
                   (unsigned long long)desk->empty);
    give_up_model(desk, message);
    guest_end(visit->guest);
}

static void judge_broken(struct visit *visit, const struct ask_end *end)
{
    struct desk *desk = visit->desk;
    char message[512];

    guest_cut(visit->guest);
    if (++desk->broken <= desk->setup->max_empty)
        return;
    (void)snprintf(message, sizeof(message),
                   "%llu answers in a row that end in the middle: %.400s",
                   (unsigned long long)desk->broken, end->message);
    give_up_model(desk, message);
}

/* It goes on, unless that is more than is left. */
static bool on_again(void *arg, const struct token_count *wasted,
                     struct relay_model *next)
{
    struct visit *visit = arg;
    struct desk *desk = visit->desk;

    count(desk, visit->ask, *wasted);
    if (!may_ask(desk))
        return false;
    release(visit);
    begin_paying(visit, next);
    return true;
}

static void on_end(void *arg, const struct ask_end *end)
{
    struct visit *visit = arg;
    struct desk *desk = visit->desk;
    struct ask *ask = STEAL(visit->ask); /* what it ends may end all others */

    desk->asking--;
    release(visit);
    count(desk, ask, ask_tokens(ask, false));
    switch (end->outcome) {
    case ASK_DONE:
        judge_whole(visit, end);
        break;
    case ASK_REFUSED:
        guest_answer(visit->guest, end->status, JSON_TYPE, end->body, end->len);
        break;
    case ASK_BROKEN:
        judge_broken(visit, end);
        break;
    case ASK_FAILED:
        give_up_model(desk, end->message);
        refuse_over(visit);
        break;
    case ASK_CROWDED:
        refuse(visit, 503, "too_much_buffered", GUEST_CROWDED);
        break;
    }
    ask_free(ask);
}

/* ---- requests -------------------------------------------------------------
 */

static void begin_ask(struct visit *visit, enum route route, size_t len,
                      const char *version, const json_t *request)
{
    struct desk *desk = visit->desk;
    struct relay_model *model = desk->step.model;
    const uint64_t most = dialect_most_output(request, model);
    const struct ask_spec spec = {
        .loop = desk->loop,
        .http = desk->http,
        .setup = desk->setup,
        .model = model,
        .route = route,
        .request = request,
        .version = version,
        .most_output = most,
        .has_room = has_room,
        .on_data = on_data,
        .on_again = on_again,
        .on_end = on_end,
        .arg = visit,
    };

    desk->asking++;
    visit->most =
        (struct token_count){.input = answer_estimate(len), .output = most};
    begin_paying(visit, model);
    visit->ask = ask_start(&spec);
}

/* Whether it may be sent; else it is answered. */
static bool check_ask(struct visit *visit, size_t len, const json_t *request)
{
    struct desk *desk = visit->desk;
    const char *id = json_string_value(json_object_get(request, "model"));
    CLEANUP(mem) char *message = NULL;

    if (!relay_step_allows(&desk->step, id)) {
        message =
            xasprintf("the model '%.100s' is not allowed here; the usual one "
                      "is '%.100s'",
                      id, desk->step.model->id);
        refuse(visit, 403, "model_not_allowed", message);
    } else if (!may_ask(desk)) {
        refuse_over(visit);
    } else if (desk->asking == DESK_MAX_REQUESTS) {
        refuse(visit, 429, "too_many_requests",
               "too many requests at the same time");
    } else if (!account_has_room(&desk->step)) {
        refuse(visit, 429, "too_many_requests",
               "the requests under way may use up what is left of the budget: "
               "ask again when one has ended");
    } else if (!has_room(visit, 2 * len)) {
        refuse(visit, 503, "too_much_buffered", GUEST_CROWDED);
    } else {
        return true;
    }
    return false;
}

static void take_request(struct visit *visit, enum route route,
                         struct wire *wire)
{
    size_t len = wire->body.len;
    struct err err = {0};
    json_t *request = dialect_parse(wire->body.data, len, &err);

    strbuf_clear(&wire->body); /* it may be large */
    if (!request)
        refuse(visit, 400, "bad_request", err.msg);
    else if (check_ask(visit, len, request))
        begin_ask(visit, route, len, wire->version, request);
    json_decref(request);
}

static void on_request(void *arg, struct guest *guest, struct wire *wire)
{
    struct visit *visit = arg;
    struct desk *desk = visit->desk;
    enum route route;

    if (!desk->busy) {
        refuse(visit, 403, "no_step",
               "no step that may use a model is running");
        return;
    }
    route = dialect_route(desk->step.model->dialect, wire->method, wire->path);
    if (route == ROUTE_MODELS) {
        CLEANUP(mem) char *text = dialect_models(desk->step.model);

        guest_answer(guest, 200, JSON_TYPE, text, strlen(text));
    } else if (route != ROUTE_NONE) {
        take_request(visit, route, wire);
    } else {
        CLEANUP(mem)
        char *message =
            xasprintf("there is no %s %s here: this model speaks %s",
                      wire->method, wire->path,
                      desk->step.model->dialect == DIALECT_ANTHROPIC
                          ? "POST /v1/messages"
                          : "POST /v1/chat/completions and /v1/responses");

        refuse(visit, 404, "not_found", message);
    }
}

static void on_refused(void *arg, struct guest *guest UNUSED, int status,
                       const char *message)
{
    refuse(arg, status, status == 503 ? "too_much_buffered" : "bad_request",
           message);
}

static void on_gone(void *arg, struct guest *guest UNUSED)
{
    visit_free(arg);
}

static void on_listener(void *arg, uint32_t events UNUSED)
{
    struct desk *desk = arg;
    struct visit *visit;
    struct guest_spec spec = {.loop = desk->loop,
                              .has_room = has_room,
                              .on_request = on_request,
                              .on_refused = on_refused,
                              .on_gone = on_gone};
    struct err ignored;
    int fd = accept4(desk->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    visit = xcalloc(1, sizeof(*visit));
    visit->desk = desk;
    spec.arg = visit;
    if (guest_new(&spec, fd, &visit->guest, &ignored) < 0) {
        free(visit);
        return;
    }
    LIST_INSERT_HEAD(&desk->visits, visit, link);
    if (++desk->visit_count == DESK_MAX_GUESTS)
        loop_set_events(desk->source, 0);
}

/* ---- the whole ------------------------------------------------------------
 */

int desk_new(struct loop *loop, struct relay_setup *setup, int listener,
             struct channel *up, struct desk **out_desk, struct err *err)
{
    CLEANUP(desk) struct desk *desk = xcalloc(1, sizeof(*desk));

    desk->loop = loop;
    desk->setup = setup;
    desk->listener = listener;
    desk->up = up;
    LIST_INIT(&desk->visits);
    if (http_new(loop, &desk->http, err) < 0 ||
        loop_add_fd(loop, listener, EPOLLIN, on_listener, desk, &desk->source,
                    err) < 0)
        return -1;
    *out_desk = STEAL(desk);
    return 0;
}

int desk_begin(struct desk *desk, const void *data, size_t len, struct err *err)
{
    if (desk->busy)
        return err_set(err, ERR_BUG, "a step is under way already");
    if (relay_step_parse(desk->setup, data, len, &desk->step, err) < 0)
        return -1;
    desk->busy = true;
    desk->step.counted_ms = clock_mono_ms();
    desk->over = REASON_NONE;
    desk->empty = desk->broken = 0;
    arm_time(desk);
    send_json(desk, RELAY_FRAME_BEGUN, json_object());
    return 0;
}

void desk_end(struct desk *desk)
{
    if (!desk->busy)
        return;
    stop_all(desk);
    account_time(&desk->step);
    loop_remove(desk->time_up);
    desk->time_up = NULL;
    send_usage(desk, RELAY_FRAME_ENDED);
    desk->busy = false;
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    while (!LIST_EMPTY(&desk->visits))
        visit_free(LIST_FIRST(&desk->visits));
    loop_remove(desk->source);
    loop_remove(desk->time_up);
    http_free(desk->http);
    free(desk);
}
