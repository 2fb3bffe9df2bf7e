/* base/notify.c - tell the service manager how we are: sd_notify(3). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX  16   /* messages that wait for room */
#define STATUS_MAX 1024 /* bytes of a status */
#define RETRY_MS   100

struct notify {
    struct loop *loop; /* borrowed */
    int fd;            /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_len;
    struct strv queue;             /* the oldest first */
    struct loop_source *retry;     /* NULL: the queue is empty */
    struct loop_source *watchdog;  /* NULL: none is wanted */
    int64_t watchdog_ms, alive_at; /* half of what is wanted; the next sign */
};

/* False: there is no room now. What cannot be sent at all counts as sent. */
static bool send_text(const struct notify *n, const char *text)
{
    struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)&n->address,
        .msg_namelen = n->address_len,
        .msg_iov = &part,
        .msg_iovlen = 1,
    };

    return sendmsg(n->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

static void drop_oldest(struct notify *n)
{
    free(n->queue.items[0]);
    /* The NULL at the end moves too. */
    memmove(n->queue.items, n->queue.items + 1,
            n->queue.count * sizeof(*n->queue.items));
    n->queue.count--;
}

static void on_retry(void *arg)
{
    struct notify *n = arg;

    n->retry = NULL;
    while (n->queue.count && send_text(n, n->queue.items[0]))
        drop_oldest(n);
    if (n->queue.count)
        n->retry =
            loop_add_timer(n->loop, clock_mono_ms() + RETRY_MS, on_retry, n);
}

static void say(struct notify *n, const char *text)
{
    if (n->fd < 0 || (!n->queue.count && send_text(n, text)))
        return;
    if (n->queue.count == QUEUE_MAX)
        drop_oldest(n);
    strv_add(&n->queue, text);
    if (!n->retry)
        n->retry =
            loop_add_timer(n->loop, clock_mono_ms() + RETRY_MS, on_retry, n);
}

static void on_watchdog(void *arg)
{
    struct notify *n = arg;
    int64_t now = clock_mono_ms();

    /* The next comes soon enough: none is kept. */
    if (!n->queue.count)
        (void)send_text(n, "WATCHDOG=1");
    n->alive_at += n->watchdog_ms;
    if (n->alive_at < now)
        n->alive_at = now;
    n->watchdog = loop_add_timer(n->loop, n->alive_at, on_watchdog, n);
}

static int set_address(struct notify *n, const char *name, struct err *err)
{
    size_t len = strlen(name);
    bool abstract = *name == '@';

    if ((*name != '/' && !abstract) || len < 2 ||
        len >= sizeof(n->address.sun_path))
        return err_set(err, ERR_USER,
                       "NOTIFY_SOCKET is '%.200s', which is no address", name);
    n->address.sun_family = AF_UNIX;
    memcpy(n->address.sun_path, name, len);
    if (abstract)
        n->address.sun_path[0] = '\0';
    n->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
                                 (abstract ? 0 : 1));
    return 0;
}

static int64_t number(const char *text)
{
    char *end;
    long long value;

    errno = 0;
    value = text && *text ? strtoll(text, &end, 10) : 0;
    return value > 0 && !errno && !*end ? value : 0;
}

/* Half of the time between two signs of life; 0: none is wanted of us. */
static int64_t watchdog_half_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID");
    int64_t half_ms = number(getenv("WATCHDOG_USEC")) / 2000;

    if (!number(getenv("WATCHDOG_USEC")) || (pid && number(pid) != getpid()))
        return 0;
    return half_ms ? half_ms : 1;
}

int notify_new(struct loop *loop, struct notify **out_notify, struct err *err)
{
    CLEANUP(notify) struct notify *n = xcalloc(1, sizeof(*n));
    const char *given = getenv("NOTIFY_SOCKET");
    CLEANUP(mem) char *name = given && *given ? xstrdup(given) : NULL;

    n->loop = loop;
    n->fd = -1;
    n->watchdog_ms = watchdog_half_ms();
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    if (name && set_address(n, name, err) < 0)
        return -1;
    if (name)
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (name && n->fd < 0)
        return err_sys(err, ERR_TRANSIENT, "no socket to the service manager");
    n->alive_at = clock_mono_ms() + n->watchdog_ms;
    if (name && n->watchdog_ms)
        n->watchdog = loop_add_timer(loop, n->alive_at, on_watchdog, n);
    *out_notify = STEAL(n);
    return 0;
}

void notify_free(struct notify *notify)
{
    if (!notify)
        return;
    loop_remove(notify->retry);
    loop_remove(notify->watchdog);
    fd_close(&notify->fd);
    strv_clear(&notify->queue);
    free(notify);
}

void notify_status(struct notify *notify, const char *status)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(STATUS_MAX);

    strbuf_addf(&text, "STATUS=%s", status);
    /* A second line would be another assignment. */
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n')
            text.data[i] = ' ';
    say(notify, text.data);
}

void notify_ready(struct notify *notify)
{
    say(notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
    CLEANUP(mem) char *text = NULL;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    text = xasprintf("RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                     (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    say(notify, text);
}

void notify_stopping(struct notify *notify)
{
    say(notify, "STOPPING=1");
}
