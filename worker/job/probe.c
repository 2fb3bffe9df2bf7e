/* worker/job/probe.c - whether something answers inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/probe.h"

#include "base/clock.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MS  100
#define ANSWER_MS 5000 /* then it is asked anew */
#define HEAD_MAX  64   /* of an answer: the status is at its start */

struct probe {
    struct loop *loop; /* borrowed, as the following */
    struct machine *machine;
    const struct step_wait *wait;
    probe_ready_fn *ready;
    void *arg;
    uint32_t id; /* of the connection; 0: none */
    bool holds;  /* all is well, and is to be told */
    struct strbuf head;
    struct loop_source *timer;
};

static void try(void *arg);

static const struct sandbox_driver *driver_of(const struct probe *p)
{
    return machine_driver(p->machine);
}

static void set_timer(struct probe *p, int64_t ms)
{
    loop_remove(p->timer);
    p->timer = loop_add_timer(p->loop, clock_mono_ms() + ms, try, p);
}

static void drop(struct probe *p)
{
    if (p->id)
        driver_of(p)->disconnect(machine_sandbox(p->machine), p->id);
    p->id = 0;
    strbuf_clear(&p->head);
}

static void succeed(struct probe *p)
{
    drop(p);
    p->holds = true;
    set_timer(p, 0);
}

static void on_open(void *arg)
{
    struct probe *p = arg;
    CLEANUP(mem) char *request = NULL;

    if (p->wait->kind == WAIT_PORT) {
        succeed(p);
        return;
    }
    request = xasprintf("GET %s HTTP/1.0\r\nHost: localhost:%u\r\n"
                        "Connection: close\r\n\r\n",
                        p->wait->text, p->wait->port);
    driver_of(p)->send(machine_sandbox(p->machine), p->id, request,
                       strlen(request));
}

static void on_data(void *arg, const void *data, size_t len)
{
    struct probe *p = arg;
    unsigned status = 0;

    strbuf_add(&p->head, data, len);
    if (p->head.len < sizeof("HTTP/1.1 200"))
        return;
    if (sscanf(p->head.data, "HTTP/%*1[0-9].%*1[0-9] %3u", &status) == 1 &&
        status >= 200 && status < 400) {
        succeed(p);
        return;
    }
    drop(p);
    set_timer(p, PAUSE_MS);
}

static void on_closed(void *arg, const struct err *err UNUSED)
{
    struct probe *p = arg;

    p->id = 0;
    drop(p);
    set_timer(p, PAUSE_MS);
}

static void try(void *arg)
{
    struct probe *p = arg;
    struct sandbox_connection connection = {
        .port = p->wait->port,
        .on_open = on_open,
        .on_data = on_data,
        .on_closed = on_closed,
        .arg = p,
    };
    struct err ignored;

    p->timer = NULL;
    if (p->holds) {
        p->ready(p->arg);
        return;
    }
    drop(p);
    if (driver_of(p)->connect(machine_sandbox(p->machine), &connection, &p->id,
                              &ignored) < 0)
        p->id = 0;
    set_timer(p, p->id ? ANSWER_MS : PAUSE_MS);
}

struct probe *probe_start(struct loop *loop, struct machine *machine,
                          const struct step_wait *wait, probe_ready_fn *ready,
                          void *arg)
{
    struct probe *p = xcalloc(1, sizeof(*p));

    p->loop = loop;
    p->machine = machine;
    p->wait = wait;
    p->ready = ready;
    p->arg = arg;
    p->head = (struct strbuf)STRBUF_MAX(HEAD_MAX);
    set_timer(p, 0);
    return p;
}

void probe_free(struct probe *p)
{
    if (!p)
        return;
    drop(p);
    loop_remove(p->timer);
    strbuf_clear(&p->head);
    free(p);
}
