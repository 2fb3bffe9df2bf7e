/* worker/gateway/client.c - run a gateway from inside a poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/client.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "worker/gateway/protocol.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define STOP_MS 1000

struct gateway {
    struct gateway_spec spec; /* listener and setup are not used any more */
    pid_t pid;                /* 0: reaped */
    int status;               /* of its end, once reaped */
    struct loop_source *child;
    struct channel *channel; /* owned */
    bool is_ready, is_over, is_settling;
    unsigned holds; /* that were not answered yet */
    struct loop_source *patience;
};

/* The last thing in its caller: what it calls may stop the gateway. */
static void over(struct gateway *gateway, const struct err *err)
{
    if (gateway->is_over)
        return;
    gateway->is_over = true;
    if (gateway->is_ready)
        gateway->spec.on_lost(gateway->spec.arg, err);
    else
        gateway->spec.on_ready(gateway->spec.arg, err);
}

static void tell(struct gateway *gateway, const struct frame *frame)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);
    struct gateway_event event = {0};
    json_int_t up = 0, down = 0, ms = 0;
    int port = 0;

    if (json_unpack(doc, "{s:s, s:i, s:s, s:I, s:I, s:I, s:s, s:s}", "host",
                    &event.host, "port", &port, "address", &event.address, "up",
                    &up, "down", &down, "ms", &ms, "verdict", &event.verdict,
                    "message", &event.message) == 0) {
        event.port = (unsigned)port;
        event.up_bytes = (uint64_t)up;
        event.down_bytes = (uint64_t)down;
        event.ms = ms;
        gateway->spec.on_event(gateway->spec.arg, &event);
    }
    json_decref(doc);
}

static void held(struct gateway *gateway)
{
    if (!gateway->holds || --gateway->holds)
        return;
    loop_remove(gateway->patience);
    gateway->patience = NULL;
    if (gateway->spec.on_held)
        gateway->spec.on_held(gateway->spec.arg);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct gateway *gateway = arg;
    struct err err;

    switch (frame->type) {
    case GATEWAY_FRAME_READY:
        gateway->is_ready = true;
        gateway->spec.on_ready(gateway->spec.arg, NULL);
        break;
    case GATEWAY_FRAME_CONNECTION:
        tell(gateway, frame);
        break;
    case GATEWAY_FRAME_HELD:
        held(gateway);
        break;
    case GATEWAY_FRAME_FAILED:
        (void)err_set(&err, ERR_TRANSIENT, "the sandbox's gateway: %.*s",
                      (int)(frame->len < 600 ? frame->len : 600),
                      (const char *)frame->data);
        over(gateway, &err);
        break;
    default:
        break;
    }
}

static void explain(struct gateway *gateway, int status);

/* What it told is all read. Its end says more, if it is known yet. */
static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct gateway *gateway = arg;

    channel_free(STEAL(gateway->channel));
    if (!gateway->pid)
        explain(gateway, gateway->status);
}

static void on_child(void *arg, pid_t pid UNUSED, int status)
{
    struct gateway *gateway = arg;

    gateway->pid = 0;
    gateway->child = NULL;
    if (gateway->channel) {
        gateway->status = status;
        return;
    }
    explain(gateway, status);
}

static void explain(struct gateway *gateway, int status)
{
    struct err err;

    if (gateway->is_settling)
        (void)err_set(&err, ERR_CANCELLED, "the sandbox's gateway was ended");
    else if (WIFSIGNALED(status))
        (void)err_set(&err, ERR_TRANSIENT,
                      "the sandbox's gateway to the network was killed by "
                      "signal %d (SIG%s)",
                      WTERMSIG(status),
                      sigabbrev_np(WTERMSIG(status))
                          ? sigabbrev_np(WTERMSIG(status))
                          : "?");
    else
        (void)err_set(&err, ERR_TRANSIENT,
                      "the sandbox's gateway to the network ended with %d",
                      WEXITSTATUS(status));
    over(gateway, &err);
}

static int spawn(struct gateway *gateway, int listener, int *out_fd,
                 struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("gateway");
    CLEANUP(mem) char *uid = xasprintf("%u", gateway->spec.uid);
    const char *argv[] = {program, uid, NULL};
    int pair[2];
    struct proc_fd fds[] = {{-1, GATEWAY_CLIENT_FD},
                            {listener, GATEWAY_LISTENER_FD}};
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
    rc = proc_spawn(&spec, &gateway->pid, err);
    fd_close(&pair[1]);
    if (rc < 0)
        fd_close(&pair[0]);
    else
        *out_fd = pair[0];
    return rc;
}

int gateway_start(const struct gateway_spec *spec, struct gateway **out_gateway,
                  struct err *err)
{
    struct gateway *gateway = xcalloc(1, sizeof(*gateway));
    struct channel_spec channel = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = gateway};
    char *text = json_dumps(spec->setup, JSON_COMPACT);
    int fd = -1;
    int rc = -1;

    gateway->spec = *spec;
    if (!text)
        (void)err_set(err, ERR_BUG, "the gateway's setup is no JSON");
    else
        rc = spawn(gateway, spec->listener, &fd, err);
    if (rc == 0) {
        channel.in_fd = channel.out_fd = fd;
        rc = channel_new(spec->loop, &channel, &gateway->channel, err);
    }
    if (rc == 0)
        rc = loop_add_child(spec->loop, gateway->pid, on_child, gateway,
                            &gateway->child, err);
    if (rc == 0) {
        channel_send(gateway->channel, GATEWAY_FRAME_SETUP, 0, text,
                     strlen(text));
        *out_gateway = gateway;
    } else {
        gateway_stop(gateway);
    }
    if (text)
        mem_wipe(text, strlen(text));
    free(text);
    return rc;
}

/* It may still have them: it has to go. */
static void on_impatient(void *arg)
{
    struct gateway *gateway = arg;

    gateway->patience = NULL;
    if (gateway->pid > 0)
        (void)kill(gateway->pid, SIGKILL);
}

void gateway_hold(struct gateway *gateway, const json_t *fields)
{
    json_t *doc = json_pack("{s:O}", "inject", fields);
    char *text = json_dumps(doc, JSON_COMPACT);

    int64_t limit_ms =
        gateway->spec.hold_ms ? gateway->spec.hold_ms : GATEWAY_HOLD_MS;

    json_decref(doc);
    gateway->holds++;
    if (gateway->channel && text)
        channel_send(gateway->channel, GATEWAY_FRAME_HOLD, 0, text,
                     strlen(text));
    if (text)
        mem_wipe(text, strlen(text));
    free(text);
    loop_remove(gateway->patience);
    gateway->patience = loop_add_timer(
        gateway->spec.loop, clock_mono_ms() + limit_ms, on_impatient, gateway);
}

void gateway_settle(struct gateway *gateway)
{
    gateway->is_settling = true;
    if (gateway->channel)
        channel_send(gateway->channel, GATEWAY_FRAME_END, 0, "{}", 2);
}

void gateway_stop(struct gateway *gateway)
{
    struct err ignored;
    int status;

    if (!gateway)
        return;
    loop_remove(gateway->child);
    loop_remove(gateway->patience);
    channel_free(gateway->channel);
    if (gateway->pid > 0) {
        (void)kill(gateway->pid, SIGKILL);
        (void)!proc_wait(gateway->pid, STOP_MS, &status, &ignored);
    }
    free(gateway);
}
