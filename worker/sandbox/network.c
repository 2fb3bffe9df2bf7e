/* worker/sandbox/network.c - a network for one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/network.h"

#include "base/fd.h"
#include "base/proc.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM    "slirp4netns"
#define OUTPUT_MAX ((size_t)16 << 10)
#define STOP_MS    1000
#define LISTEN_MS  10000

/* Descriptors in the child. */
enum { READY_FD = 3, EXIT_FD = 4 };

struct network {
    struct loop *loop; /* borrowed */
    pid_t pid;         /* 0: reaped */
    int hold;          /* owned: it ends when this closes, so with us */
    int ready;         /* owned */
    int output;        /* owned */
    struct loop_source *child, *ready_source, *output_source; /* borrowed */
    struct strbuf text;
    network_fn *fn;
    void *arg;
};

int network_check(struct err *err)
{
    if (proc_in_path(PROGRAM))
        return 0;
    return err_set(err, ERR_TRANSIENT,
                   "a sandbox with a network needs slirp4netns: apt-get "
                   "install slirp4netns (or ask for no network)");
}

static void on_output(void *arg, uint32_t events UNUSED)
{
    struct network *net = arg;
    char chunk[4096];
    ssize_t n = read(net->output, chunk, sizeof(chunk));

    if (n > 0) {
        strbuf_add(&net->text, chunk, (size_t)n);
        return;
    }
    loop_remove(net->output_source);
    net->output_source = NULL;
}

static void on_ready(void *arg, uint32_t events UNUSED)
{
    struct network *net = arg;
    char byte;
    ssize_t n = read(net->ready, &byte, 1);

    loop_remove(net->ready_source);
    net->ready_source = NULL;
    /* End of file: it is about to die, which on_end reports. */
    if (n == 1)
        net->fn(net->arg, NULL);
}

/* What it said, without the warnings that it always prints, in one line. */
static void collect_words(struct network *net, struct strbuf *out)
{
    char *save = NULL;

    for (char *line = strtok_r(net->text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "WARNING", 7) != 0)
            strbuf_addf(out, "%s%s", out->len ? "; " : "", line);
}

static void on_end(void *arg, pid_t pid UNUSED, int status)
{
    struct network *net = arg;
    CLEANUP(strbuf) struct strbuf words = STRBUF_MAX(600);
    struct err err;

    net->pid = 0;
    net->child = NULL;
    if (net->output_source)
        on_output(net, 0);
    collect_words(net, &words);
    (void)err_set(&err, ERR_TRANSIENT,
                  "the sandbox's network (slirp4netns) ended with status %#x%s"
                  ": %s",
                  (unsigned)status,
                  strstr(words.data, "/dev/net/tun")
                      ? ", it needs: modprobe tun; chmod 666 /dev/net/tun"
                      : "",
                  words.data);
    net->fn(net->arg, &err);
}

static int spawn(struct network *net, int pid, bool rootless, struct err *err)
{
    CLEANUP(mem) char *number = xasprintf("%d", pid);
    CLEANUP(mem)
    char *userns = xasprintf("--userns-path=/proc/%d/ns/user", pid);
    const char *argv[] = {PROGRAM,
                          "--configure",
                          "--mtu=65520",
                          "--disable-host-loopback",
                          "--enable-seccomp",
                          "--ready-fd=3",
                          "--exit-fd=4",
                          userns,
                          number,
                          "tap0",
                          rootless ? NULL : "--enable-sandbox",
                          NULL};
    int ready[2] = {-1, -1}, hold[2] = {-1, -1}, output[2] = {-1, -1};
    struct proc_fd fds[2];
    struct proc_spec spec = {.argv = argv,
                             .in = PROC_NULL,
                             .fds = fds,
                             .fd_count = 2,
                             .new_group = true};
    int rc = -1;

    if (fd_pipe(ready, err) == 0 && fd_pipe(hold, err) == 0 &&
        fd_pipe(output, err) == 0) {
        spec.out = spec.err = output[1];
        fds[0] = (struct proc_fd){ready[1], READY_FD};
        fds[1] = (struct proc_fd){hold[0], EXIT_FD};
        rc = proc_spawn(&spec, &net->pid, err);
    }
    fd_close(&ready[1]);
    fd_close(&hold[0]);
    fd_close(&output[1]);
    net->ready = ready[0];
    net->hold = hold[1];
    net->output = output[0];
    return rc;
}

int network_start(struct loop *loop, int pid, bool rootless, network_fn *fn,
                  void *arg, struct network **out_network, struct err *err)
{
    CLEANUP(network) struct network *net = xcalloc(1, sizeof(*net));

    net->loop = loop;
    net->hold = net->ready = net->output = -1;
    net->text = (struct strbuf)STRBUF_MAX(OUTPUT_MAX);
    net->fn = fn;
    net->arg = arg;
    if (spawn(net, pid, rootless, err) < 0 ||
        fd_set_nonblock(net->output, err) < 0 ||
        loop_add_fd(loop, net->ready, EPOLLIN, on_ready, net,
                    &net->ready_source, err) < 0 ||
        loop_add_fd(loop, net->output, EPOLLIN, on_output, net,
                    &net->output_source, err) < 0 ||
        loop_add_child(loop, net->pid, on_end, net, &net->child, err) < 0)
        return -1;
    *out_network = STEAL(net);
    return 0;
}

void network_free(struct network *net)
{
    struct err ignored;
    int status;

    if (!net)
        return;
    loop_remove(net->child);
    loop_remove(net->ready_source);
    loop_remove(net->output_source);
    fd_close(&net->hold);
    if (net->pid > 0) {
        (void)kill(net->pid, SIGKILL);
        if (proc_wait(net->pid, STOP_MS, &status, &ignored) < 0)
            net->pid = 0;
    }
    fd_close(&net->ready);
    fd_close(&net->output);
    strbuf_clear(&net->text);
    free(net);
}

/* ---- a listener inside ----------------------------------------------------
 */

/* What the helper sent: a descriptor, or why there is none. */
static int take_listener(int from, int *out_fd, struct err *err)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    char text[400] = "";
    struct iovec part = {text, sizeof(text) - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    struct pollfd pfd = {.fd = from, .events = POLLIN};
    const struct cmsghdr *header;

    if (poll(&pfd, 1, LISTEN_MS) != 1 ||
        recvmsg(from, &message, MSG_CMSG_CLOEXEC) < 0)
        return err_set(err, ERR_TRANSIENT,
                       "cannot listen inside the sandbox: no answer");
    header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int))) {
        text[strcspn(text, "\n")] = '\0';
        return err_set(err, ERR_TRANSIENT,
                       "cannot listen inside the sandbox: %s", text);
    }
    memcpy(out_fd, CMSG_DATA(header), sizeof(*out_fd));
    return 0;
}

int network_listen(int pid, uint16_t port, int *out_fd, struct err *err)
{
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *init = xasprintf("%d", pid);
    CLEANUP(mem) char *number = xasprintf("%u", (unsigned)port);
    const char *argv[] = {launch, "--listen", init, number, NULL};
    struct proc_spec spec = {.argv = argv, .in = PROC_NULL, .out = PROC_NULL};
    int pair[2];
    pid_t helper = 0;
    int status;
    int rc;

    if (pid < 0)
        return err_set(err, ERR_TRANSIENT, "the runtime wrote no pid file");
    if (fd_socketpair(pair, err) < 0)
        return -1;
    spec.err = pair[1];
    rc = proc_spawn(&spec, &helper, err);
    fd_close(&pair[1]);
    if (rc == 0) {
        struct err ignored;

        rc = take_listener(pair[0], out_fd, err);
        (void)!proc_wait(helper, rc < 0 ? 0 : STOP_MS, &status, &ignored);
    }
    fd_close(&pair[0]);
    return rc;
}
