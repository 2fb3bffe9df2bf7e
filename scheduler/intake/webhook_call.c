/* scheduler/intake/webhook_call.c - one request of a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/forge/body.h"
#include "scheduler/intake/webhook_impl.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PREFIX       "/webhooks/"
#define RETRY_BUSY_S 5
#define RETRY_FULL_S 60
#define HEADERS_MAX  100
#define ADDRESS_SIZE INET6_ADDRSTRLEN

/* ---- the life of a call
 * ------------------------------------------------------
 */

void webhook_call_free(struct webhook_call *call)
{
    struct webhook *w = call->webhook;

    loop_remove(call->deadline);
    loop_remove(call->patience);
    w->memory -= call->body.len;
    strbuf_clear(&call->body);
    TAILQ_REMOVE(&w->calls, call, link);
    free(call);
}

/* End of file is what MHD then finds there. */
static void on_deadline(void *arg)
{
    struct webhook_call *call = arg;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        call->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    call->deadline = NULL;
    if (info)
        (void)shutdown(info->connect_fd, SHUT_RDWR);
}

void webhook_on_connection(void *arg, struct MHD_Connection *connection,
                           void **slot, enum MHD_ConnectionNotificationCode why)
{
    struct webhook *w = arg;
    struct webhook_call *call = *slot;

    if (why == MHD_CONNECTION_NOTIFY_STARTED) {
        call = xcalloc(1, sizeof(*call));
        call->webhook = w;
        call->connection = connection;
        call->body = (struct strbuf)STRBUF_MAX(BODY_MAX_BYTES);
        call->deadline = loop_add_timer(w->options.loop,
                                        clock_mono_ms() + WEBHOOK_CONNECTION_MS,
                                        on_deadline, call);
        TAILQ_INSERT_TAIL(&w->calls, call, link);
        *slot = call;
        return;
    }
    if (!call)
        return;
    *slot = NULL;
    call->closed = true;
    loop_remove(call->deadline);
    call->deadline = NULL;
    if (!call->asked)
        webhook_call_free(call);
}

/* ---- answers ---------------------------------------------------------------
 */

static void decide(struct webhook_call *call, unsigned status,
                   const char *result, const char *reason)
{
    call->status = status;
    call->result = result;
    if (reason != call->reason.msg)
        (void)err_set(&call->reason, ERR_NONE, "%s", reason);
}

static void add_headers(const struct webhook_call *call,
                        struct MHD_Response *response)
{
    char seconds[16];

    (void)snprintf(seconds, sizeof(seconds), "%u", call->retry_s);
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    (void)MHD_add_response_header(response, "Connection", "close");
    if (call->retry_s)
        (void)MHD_add_response_header(response, "Retry-After", seconds);
    if (call->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, "Allow", "POST");
}

static enum MHD_Result answer(struct webhook_call *call)
{
    json_t *json = json_pack("{s:s, s:s}", "result", call->result, "reason",
                             call->reason.msg);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct MHD_Response *response;
    enum MHD_Result rc;

    json_decref(json);
    if (!text)
        text = xstrdup("{}");
    response = MHD_create_response_from_buffer(strlen(text), text,
                                               MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(text);
        return MHD_NO;
    }
    add_headers(call, response);
    rc = MHD_queue_response(call->connection, call->status, response);
    MHD_destroy_response(response);
    return rc;
}

/* ---- Redis -----------------------------------------------------------------
 */

static void resume(struct webhook_call *call)
{
    loop_remove(call->patience);
    call->patience = NULL;
    if (!call->suspended)
        return;
    call->suspended = false;
    MHD_resume_connection(call->connection);
    webhook_turn(call->webhook);
}

static void set_away(struct webhook_call *call)
{
    /* Of what is ignored nothing is lost. */
    if (call->status)
        return;
    call->retry_s = RETRY_BUSY_S;
    decide(call, MHD_HTTP_SERVICE_UNAVAILABLE, "unavailable",
           "the queue cannot be reached");
}

static void on_impatient(void *arg)
{
    struct webhook_call *call = arg;

    call->patience = NULL;
    set_away(call);
    resume(call);
}

static void on_delivered(void *arg, enum queue_delivered what,
                         const struct err *err)
{
    static const char *const words[] = {
        [QUEUE_DELIVERY_STORED] = "stored",
        [QUEUE_DELIVERY_KNOWN] = "known",
        [QUEUE_DELIVERY_AGAIN] = "again",
        [QUEUE_DELIVERY_FULL] = "full",
    };
    struct webhook_call *call = arg;

    call->asked = false;
    if (call->closed) {
        webhook_call_free(call);
        return;
    }
    if (err) {
        set_away(call);
    } else if (!call->status && what == QUEUE_DELIVERY_FULL) {
        call->retry_s = RETRY_FULL_S;
        decide(call, MHD_HTTP_SERVICE_UNAVAILABLE, words[what],
               "too many deliveries wait");
    } else if (!call->status) {
        decide(call, MHD_HTTP_ACCEPTED, words[what], "");
    }
    resume(call);
}

static const char *address_of(const struct webhook_call *call,
                              char out[ADDRESS_SIZE])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    struct sockaddr_in6 in6;
    struct sockaddr_in in;

    out[0] = '\0';
    if (address && address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof(in));
        (void)inet_ntop(AF_INET, &in.sin_addr, out, ADDRESS_SIZE);
    } else if (address && address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof(in6));
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, out, ADDRESS_SIZE);
    }
    return out;
}

/* What is decided already (`status`) is kept for people to look at. */
static void store(struct webhook_call *call, const struct delivery *delivery,
                  const struct event *event)
{
    struct webhook *w = call->webhook;
    const struct queue_deliver_done done = {on_delivered, call};
    char address[ADDRESS_SIZE];
    const struct queue_delivery d = {
        .key = delivery->key,
        .forge = forge_name(delivery->forge),
        .event = event ? event->name : delivery->event,
        .host_id = delivery->id,
        .repo = event ? event->repo.full_name : "",
        .source = address_of(call, address),
        .ignored = call->status ? call->reason.msg : NULL,
        .body = call->body.data,
        .len = call->body.len,
    };
    struct err err = {0};

    if (queue_deliver(w->options.queue, &d, &w->options.limits, &done, &err) <
        0) {
        if (!call->status)
            decide(call, MHD_HTTP_OK, "ignored", err.msg);
        return;
    }
    call->asked = true;
    call->suspended = true;
    MHD_suspend_connection(call->connection);
    call->patience =
        loop_add_timer(w->options.loop, clock_mono_ms() + w->options.answer_ms,
                       on_impatient, call);
}

/* ---- reading it
 * --------------------------------------------------------------
 */

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind UNUSED,
                                  const char *name, const char *value)
{
    struct strv *headers = arg;

    if (headers->count >= HEADERS_MAX)
        return MHD_NO;
    strv_addf(headers, "%s: %s", name, value ? value : "");
    return MHD_YES;
}

static const struct webhook_host *host_of(const struct webhook_call *call)
{
    const struct webhook_options *o = &call->webhook->options;

    if (call->route == FORGE_GITHUB)
        return o->github;
    return call->route == FORGE_GITLAB ? o->gitlab : o->gitea;
}

/*
 * What may not speak is not kept: nobody is to replay it, and the host may send
 * it again once its secret may. Not by a 4xx: GitLab would end a hook for good
 * that speaks for others, too.
 */
static void read_event(struct webhook_call *call,
                       const struct webhook_request *request,
                       const struct delivery *delivery)
{
    const struct webhook_host *host = host_of(call);
    CLEANUP(event) struct event *event = NULL;

    if (delivery_read(delivery, request, host->base_url, &event,
                      &call->reason) < 0) {
        decide(call, MHD_HTTP_OK, "ignored", call->reason.msg);
    } else if (delivery_check_scope(delivery, &host->secrets, event,
                                    &call->reason) < 0) {
        decide(call, MHD_HTTP_OK, "refused", call->reason.msg);
        log_warn("a delivery of %s is refused: %s", forge_name(delivery->forge),
                 call->reason.msg);
        return;
    } else if (event->kind == EVENT_IGNORED) {
        decide(call, MHD_HTTP_OK, "ignored", event->reason);
    } else if (event->kind == EVENT_PING) {
        decide(call, MHD_HTTP_OK, "pong", "");
        return;
    }
    store(call, delivery, event);
}

/* All of it is here. */
static void read_it(struct webhook_call *call)
{
    CLEANUP(strv) struct strv headers = {0};
    const struct webhook_host *host = host_of(call);
    const struct webhook_request request = {.route = call->route,
                                            .headers = &headers,
                                            .body = call->body.data,
                                            .len = call->body.len,
                                            .now_ms = clock_wall_ms()};
    struct delivery delivery;
    int status = 0;

    (void)MHD_get_connection_values(call->connection, MHD_HEADER_KIND,
                                    add_header, &headers);
    if (delivery_verify(&request, &host->secrets, &delivery, &status,
                        &call->reason) < 0)
        decide(call, (unsigned)status, "refused", call->reason.msg);
    else
        read_event(call, &request, &delivery);
}

static void check_length(struct webhook_call *call)
{
    const char *length = MHD_lookup_connection_value(
        call->connection, MHD_HEADER_KIND, "Content-Length");

    if (length && strtoull(length, NULL, 10) > BODY_MAX_BYTES)
        decide(call, MHD_HTTP_CONTENT_TOO_LARGE, "refused",
               "the body is too large");
}

static void check_rate(struct webhook_call *call)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    int64_t pause_ms = 0;

    if (info)
        pause_ms =
            rate_take(call->webhook->rate, info->client_addr, clock_mono_ms());
    if (!pause_ms)
        return;
    call->retry_s = (unsigned)(pause_ms / 1000 + 1);
    /* For good, a 4xx ends a hook of GitLab's; and who shares its address may
       be anybody. */
    decide(call,
           call->route == FORGE_GITLAB ? MHD_HTTP_SERVICE_UNAVAILABLE
                                       : MHD_HTTP_TOO_MANY_REQUESTS,
           "refused", "too many requests from this address");
}

/* From the head alone. */
static void begin(struct webhook_call *call, const char *url,
                  const char *method)
{
    call->begun = true;
    call->route = strncmp(url, PREFIX, strlen(PREFIX)) != 0
                      ? FORGE_NONE
                      : forge_find(url + strlen(PREFIX));
    check_rate(call);
    if (call->status)
        return;
    if (!call->route || !host_of(call))
        decide(call, MHD_HTTP_NOT_FOUND, "refused", "there is nothing here");
    else if (strcmp(method, "POST") != 0)
        decide(call, MHD_HTTP_METHOD_NOT_ALLOWED, "refused",
               "webhooks are sent by POST");
    else
        check_length(call);
}

/* MHD takes no answer in the middle of a body: it is read, and thrown away. */
static void take(struct webhook_call *call, const char *data, size_t len)
{
    struct webhook *w = call->webhook;

    if (call->status)
        return;
    if (len > BODY_MAX_BYTES - call->body.len) {
        decide(call, MHD_HTTP_CONTENT_TOO_LARGE, "refused",
               "the body is too large");
    } else if (w->memory + len > WEBHOOK_MAX_MEMORY) {
        call->retry_s = RETRY_BUSY_S;
        decide(call, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
               "too many deliveries at once");
    } else {
        strbuf_add(&call->body, data, len);
        w->memory += len;
        return;
    }
    w->memory -= call->body.len;
    strbuf_clear(&call->body);
}

enum MHD_Result webhook_on_request(void *arg UNUSED,
                                   struct MHD_Connection *connection,
                                   const char *url, const char *method,
                                   const char *version UNUSED, const char *data,
                                   size_t *data_len, void **slot UNUSED)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct webhook_call *call = info ? info->socket_context : NULL;

    if (!call)
        return MHD_NO;
    if (!call->begun) {
        begin(call, url, method);
        return call->status ? answer(call) : MHD_YES;
    }
    if (*data_len) {
        take(call, data, *data_len);
        *data_len = 0;
        return MHD_YES;
    }
    if (!call->status)
        read_it(call);
    return call->suspended ? MHD_YES : answer(call);
}
