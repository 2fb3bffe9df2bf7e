/* worker/gateway/relay/client.c - run a relay from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/client.h"

#include "base/channel.h"
#include "base/fd.h"
#include "base/proc.h"
#include "worker/gateway/relay/protocol.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define STOP_MS 1000

struct relay {
    struct relay_spec spec; /* listener and setup are not used any more */
    pid_t pid;              /* 0: reaped */
    int status;             /* of its end, once reaped */
    struct loop_source *child;
    struct channel *channel; /* owned */
    bool is_ready, is_over;
};

void model_usage_add(struct model_usage *sum, const struct model_usage *more)
{
    sum->requests += more->requests;
    sum->input_tokens += more->input_tokens;
    sum->output_tokens += more->output_tokens;
    sum->cached_tokens += more->cached_tokens;
    sum->micro_usd += more->micro_usd;
    sum->estimated = sum->estimated || more->estimated;
}

/* The last thing in its caller: what it calls may stop the relay. */
static void over(struct relay *relay, const struct err *err)
{
    if (relay->is_over)
        return;
    relay->is_over = true;
    if (relay->is_ready)
        relay->spec.on_lost(relay->spec.arg, err);
    else
        relay->spec.on_ready(relay->spec.arg, err);
}

static void tell_usage(struct relay *relay, const json_t *doc)
{
    struct model_usage usage = {0};
    const struct {
        const char *name;
        uint64_t *value;
    } fields[] = {
        {"requests", &usage.requests},
        {"input_tokens", &usage.input_tokens},
        {"output_tokens", &usage.output_tokens},
        {"cached_tokens", &usage.cached_tokens},
        {"micro_usd", &usage.micro_usd},
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        *fields[i].value =
            (uint64_t)json_integer_value(json_object_get(doc, fields[i].name));
    usage.estimated = json_is_true(json_object_get(doc, "estimated"));
    relay->spec.on_usage(relay->spec.arg, &usage,
                         json_object_get(doc, "models"));
}

static void tell_over(struct relay *relay, const json_t *doc)
{
    const char *message = json_string_value(json_object_get(doc, "message"));
    int reason = reason_find(json_string_value(json_object_get(doc, "reason")));

    relay->spec.on_over(relay->spec.arg,
                        reason == REASON_BUDGET_EXCEEDED
                            ? REASON_BUDGET_EXCEEDED
                            : REASON_MODEL_FAILED,
                        message ? message : "");
}

static void tell(struct relay *relay, const struct frame *frame)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);

    if (frame->type == RELAY_FRAME_OVER)
        tell_over(relay, doc);
    else
        tell_usage(relay, doc);
    json_decref(doc);
    if (frame->type == RELAY_FRAME_ENDED)
        relay->spec.on_ended(relay->spec.arg);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct relay *relay = arg;
    struct err err;

    switch (frame->type) {
    case RELAY_FRAME_READY:
        relay->is_ready = true;
        relay->spec.on_ready(relay->spec.arg, NULL);
        break;
    case RELAY_FRAME_BEGUN:
        relay->spec.on_begun(relay->spec.arg);
        break;
    case RELAY_FRAME_USAGE:
    case RELAY_FRAME_OVER:
    case RELAY_FRAME_ENDED:
        tell(relay, frame);
        break;
    case RELAY_FRAME_FAILED:
        (void)err_set(&err, ERR_TRANSIENT, "the relay to models: %.*s",
                      (int)(frame->len < 600 ? frame->len : 600),
                      (const char *)frame->data);
        over(relay, &err);
        break;
    default:
        break;
    }
}

static void explain(struct relay *relay, int status)
{
    struct err err;

    if (WIFSIGNALED(status))
        (void)err_set(&err, ERR_TRANSIENT,
                      "the relay to models was killed by signal %d (SIG%s)",
                      WTERMSIG(status),
                      sigabbrev_np(WTERMSIG(status))
                          ? sigabbrev_np(WTERMSIG(status))
                          : "?");
    else
        (void)err_set(&err, ERR_TRANSIENT, "the relay to models ended with %d",
                      WEXITSTATUS(status));
    over(relay, &err);
}

/* What it told is all read. Its end says more, if it is known yet. */
static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct relay *relay = arg;

    channel_free(STEAL(relay->channel));
    if (!relay->pid)
        explain(relay, relay->status);
}

static void on_child(void *arg, pid_t pid UNUSED, int status)
{
    struct relay *relay = arg;

    relay->pid = 0;
    relay->child = NULL;
    if (relay->channel)
        relay->status = status;
    else
        explain(relay, status);
}

static int spawn(struct relay *relay, int listener, int *out_fd,
                 struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("relay");
    CLEANUP(mem) char *uid = xasprintf("%u", relay->spec.uid);
    const char *argv[] = {program, uid, NULL};
    int pair[2];
    struct proc_fd fds[] = {{-1, RELAY_CLIENT_FD},
                            {listener, RELAY_LISTENER_FD}};
    struct proc_spec spec = {.argv = argv,
                             .in = PROC_NULL,
                             .out = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = fds,
                             .fd_count = ARRAY_LEN(fds),
                             .new_group = true};
    int rc;

    if (fd_socketpair(pair, err) < 0)
        return -1;
    fds[0].from = pair[1];
    rc = proc_spawn(&spec, &relay->pid, err);
    fd_close(&pair[1]);
    if (rc < 0)
        fd_close(&pair[0]);
    else
        *out_fd = pair[0];
    return rc;
}

static void send_json(struct relay *relay, uint8_t type, const json_t *doc)
{
    char *text = json_dumps(doc, JSON_COMPACT);

    if (!text)
        return;
    if (relay->channel)
        channel_send(relay->channel, type, 0, text, strlen(text));
    mem_wipe(text, strlen(text)); /* there may be keys in it */
    free(text);
}

int relay_start(const struct relay_spec *spec, struct relay **out_relay,
                struct err *err)
{
    struct relay *relay = xcalloc(1, sizeof(*relay));
    struct channel_spec channel = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = relay};
    int fd = -1;
    int rc;

    relay->spec = *spec;
    rc = spawn(relay, spec->listener, &fd, err);
    if (rc == 0) {
        channel.in_fd = channel.out_fd = fd;
        rc = channel_new(spec->loop, &channel, &relay->channel, err);
    }
    if (rc == 0)
        rc = loop_add_child(spec->loop, relay->pid, on_child, relay,
                            &relay->child, err);
    if (rc < 0) {
        relay_stop(relay);
        return -1;
    }
    send_json(relay, RELAY_FRAME_SETUP, spec->setup);
    *out_relay = relay;
    return 0;
}

void relay_begin(struct relay *relay, const json_t *step)
{
    send_json(relay, RELAY_FRAME_BEGIN, step);
}

void relay_end(struct relay *relay)
{
    if (relay->channel)
        channel_send(relay->channel, RELAY_FRAME_END, 0, "{}", 2);
}

void relay_stop(struct relay *relay)
{
    struct err ignored;
    int status;

    if (!relay)
        return;
    loop_remove(relay->child);
    channel_free(relay->channel);
    if (relay->pid > 0) {
        (void)kill(relay->pid, SIGKILL);
        (void)!proc_wait(relay->pid, STOP_MS, &status, &ignored);
    }
    free(relay);
}
