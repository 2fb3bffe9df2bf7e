/* base/loop.c - the poll loop (epoll) that every process of ours runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_A_TURN    64
#define LONGEST_SLEEP_MS 1000 /* towards a timer */

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_CHILD, SOURCE_SIGNAL };

struct loop_source {
    LIST_ENTRY(loop_source) link;
    struct loop *loop; /* borrowed */
    enum source_kind kind;
    bool dead;       /* removed: freed at the end of the turn */
    int fd;          /* -1 for a timer; owned for SOURCE_CHILD and _SIGNAL */
    int64_t at_ms;   /* SOURCE_TIMER */
    uint64_t serial; /* in the order of adding */
    pid_t pid;       /* SOURCE_CHILD */
    uint32_t events; /* SOURCE_FD */
    union {
        loop_fd_fn *fd;
        loop_timer_fn *timer;
        loop_child_fn *child;
        loop_signal_fn *signal;
    } fn;
    void *arg;
};

struct loop {
    int epoll;
    bool stopped;
    bool has_dead;
    uint64_t serial; /* of the next source */
    LIST_HEAD(, loop_source) sources;
};

/* Out of descriptors or memory, a host may have some again later. */
static enum err_kind kind_of(int sys)
{
    bool scarce =
        sys == EMFILE || sys == ENFILE || sys == ENOMEM || sys == ENOSPC;

    return scarce ? ERR_TRANSIENT : ERR_BUG;
}

int loop_new(struct loop **out_loop, struct err *err)
{
    CLEANUP(loop) struct loop *loop = xcalloc(1, sizeof(*loop));

    LIST_INIT(&loop->sources);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        return err_sys(err, kind_of(errno), "cannot make an epoll descriptor");
    *out_loop = STEAL(loop);
    return 0;
}

static void source_free(struct loop_source *source)
{
    LIST_REMOVE(source, link);
    if (source->kind == SOURCE_CHILD || source->kind == SOURCE_SIGNAL)
        fd_close(&source->fd);
    free(source);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (!LIST_EMPTY(&loop->sources))
        source_free(LIST_FIRST(&loop->sources));
    fd_close(&loop->epoll);
    free(loop);
}

static struct loop_source *source_new(struct loop *loop, enum source_kind kind,
                                      void *arg)
{
    struct loop_source *source = xcalloc(1, sizeof(*source));

    source->loop = loop;
    source->kind = kind;
    source->arg = arg;
    source->fd = -1;
    source->serial = loop->serial++;
    LIST_INSERT_HEAD(&loop->sources, source, link);
    return source;
}

static int watch(struct loop_source *source, uint32_t events, struct err *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(source->loop->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        (void)err_sys(err, kind_of(errno), "cannot watch descriptor %d",
                      source->fd);
        source_free(source);
        return -1;
    }
    source->events = events;
    return 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn,
                void *arg, struct loop_source **out_source, struct err *err)
{
    struct loop_source *source = source_new(loop, SOURCE_FD, arg);

    source->fd = fd;
    source->fn.fd = fn;
    if (watch(source, events, err) < 0)
        return -1;
    *out_source = source;
    return 0;
}

void loop_set_events(struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (source->dead || source->events == events)
        return;
    /* A paused descriptor is taken out: EPOLLHUP cannot be masked. */
    if (!events)
        (void)epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    else
        (void)epoll_ctl(source->loop->epoll,
                        source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                        source->fd, &event);
    source->events = events;
}

struct loop_source *loop_add_timer(struct loop *loop, int64_t at_ms,
                                   loop_timer_fn *fn, void *arg)
{
    struct loop_source *source = source_new(loop, SOURCE_TIMER, arg);

    source->at_ms = at_ms;
    source->fn.timer = fn;
    return source;
}

int loop_add_child(struct loop *loop, pid_t pid, loop_child_fn *fn, void *arg,
                   struct loop_source **out_source, struct err *err)
{
    struct loop_source *source = source_new(loop, SOURCE_CHILD, arg);

    source->pid = pid;
    source->fn.child = fn;
    source->fd = pidfd_open(pid, 0);
    if (source->fd < 0) {
        (void)err_sys(err, kind_of(errno), "cannot watch process %d", (int)pid);
        source_free(source);
        return -1;
    }
    if (watch(source, EPOLLIN, err) < 0)
        return -1;
    if (out_source)
        *out_source = source;
    return 0;
}

int loop_add_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg,
                    struct err *err)
{
    struct loop_source *source = source_new(loop, SOURCE_SIGNAL, arg);
    sigset_t set;

    source->fn.signal = fn;
    sigemptyset(&set);
    sigaddset(&set, signo);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        source->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (source->fd < 0) {
        (void)err_sys(err, kind_of(errno), "cannot watch signal %d", signo);
        source_free(source);
        return -1;
    }
    return watch(source, EPOLLIN, err);
}

void loop_remove(struct loop_source *source)
{
    if (!source || source->dead)
        return;
    if (source->fd >= 0 && source->events)
        (void)epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    source->events = 0;
    source->dead = true;
    source->loop->has_dead = true;
}

static void dispatch_child(struct loop_source *source)
{
    int status = 0;
    pid_t pid = waitpid(source->pid, &status, WNOHANG);

    if (pid == 0)
        return;
    loop_remove(source);
    source->fn.child(source->arg, source->pid, pid < 0 ? 0 : status);
}

static void dispatch_signal(struct loop_source *source)
{
    struct signalfd_siginfo info;

    while (!source->dead &&
           read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        source->fn.signal(source->arg, (int)info.ssi_signo);
}

static void dispatch(struct loop_source *source, uint32_t events)
{
    if (source->dead)
        return;
    switch (source->kind) {
    case SOURCE_FD:
        source->fn.fd(source->arg, events);
        break;
    case SOURCE_CHILD:
        dispatch_child(source);
        break;
    case SOURCE_SIGNAL:
        dispatch_signal(source);
        break;
    case SOURCE_TIMER:
        break;
    }
}

/* The timer that is due first, of those set before this turn. */
static struct loop_source *next_due(struct loop *loop, int64_t now,
                                    uint64_t set_before)
{
    struct loop_source *first = NULL;
    struct loop_source *source;

    LIST_FOREACH(source, &loop->sources, link)
    {
        if (source->kind != SOURCE_TIMER || source->dead ||
            source->at_ms > now || source->serial >= set_before)
            continue;
        if (!first || source->at_ms < first->at_ms ||
            (source->at_ms == first->at_ms && source->serial < first->serial))
            first = source;
    }
    return first;
}

static void fire_timers(struct loop *loop)
{
    int64_t now = clock_mono_ms();
    uint64_t set_before = loop->serial;
    struct loop_source *source;

    while ((source = next_due(loop, now, set_before))) {
        loop_remove(source);
        source->fn.timer(source->arg);
    }
}

/* epoll's clock stands still while the host is suspended, ours goes on: what is
 * due by then must not wait for the rest of a long sleep. */
static int64_t next_wait_ms(const struct loop *loop, int64_t max_wait_ms)
{
    const struct loop_source *source;
    int64_t wait = max_wait_ms;
    int64_t now = clock_mono_ms();

    LIST_FOREACH(source, &loop->sources, link)
    {
        int64_t left;

        if (source->kind != SOURCE_TIMER || source->dead)
            continue;
        left = source->at_ms > now ? source->at_ms - now : 0;
        if (left > LONGEST_SLEEP_MS)
            left = LONGEST_SLEEP_MS;
        if (wait < 0 || left < wait)
            wait = left;
    }
    return wait > INT32_MAX ? INT32_MAX : wait;
}

static void bury(struct loop *loop)
{
    struct loop_source *source = LIST_FIRST(&loop->sources);

    while (loop->has_dead && source) {
        struct loop_source *next = LIST_NEXT(source, link);

        if (source->dead)
            source_free(source);
        source = next;
    }
    loop->has_dead = false;
}

int loop_step(struct loop *loop, int64_t max_wait_ms, struct err *err)
{
    struct epoll_event events[EVENTS_A_TURN];
    int n = epoll_wait(loop->epoll, events, EVENTS_A_TURN,
                       (int)next_wait_ms(loop, max_wait_ms));

    if (n < 0 && errno != EINTR)
        return err_sys(err, ERR_BUG, "cannot wait for events");
    for (int i = 0; i < n; i++)
        dispatch(events[i].data.ptr, events[i].events);
    fire_timers(loop);
    bury(loop);
    return 0;
}

int loop_run(struct loop *loop, struct err *err)
{
    loop->stopped = false;
    while (!loop->stopped)
        if (loop_step(loop, -1, err) < 0)
            return -1;
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
