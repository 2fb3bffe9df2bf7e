/* worker/checkout/child.c - start the program that does the work. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/child.h"

#include "base/fd.h"
#include "base/proc.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both ends of all that it is given; -1 where there is none. */
struct ends {
    int in[2];
    int out[2];
    int conn[CONNECTION_COUNT][2];
};

static void ends_close(struct ends *ends)
{
    for (size_t side = 0; side < 2; side++) {
        fd_close(&ends->in[side]);
        fd_close(&ends->out[side]);
        for (size_t i = 0; i < CONNECTION_COUNT; i++)
            fd_close(&ends->conn[i][side]);
    }
}

static int make_ends(struct ends *ends, bool connections, struct err *err)
{
    if (fd_socketpair(ends->in, err) < 0 || fd_pipe(ends->out, err) < 0)
        return -1;
    for (size_t i = 0; connections && i < CONNECTION_COUNT; i++)
        if (fd_socketpair(ends->conn[i], err) < 0)
            return -1;
    return fd_set_nonblock(ends->out[0], err);
}

/* The request, whole, into a socket that holds more than its maximum. */
static int feed(int fd, const struct strbuf *request, struct err *err)
{
    ssize_t n =
        send(fd, request->data, request->len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n != (ssize_t)request->len)
        return err_sys(err, ERR_TRANSIENT, "cannot pass on a request");
    return 0;
}

static void fill_environment(struct strv *env)
{
    static const char *const names[] = {
        "PATH",       "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy",
        "HTTP_PROXY", "https_proxy",   "HTTPS_PROXY",  "no_proxy",
        "NO_PROXY",   "ASAN_OPTIONS",  "UBSAN_OPTIONS"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (getenv(names[i]))
            strv_setenv(env, names[i], getenv(names[i]));
    strv_add(env, "HOME=/nonexistent");
}

static int spawn(const struct ends *ends, int diag, pid_t *out_pid,
                 struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("checkout");
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *us = xasprintf("%d", (int)getpid());
    CLEANUP(strv) struct strv env = {0};
    const char *argv[] = {launch, us, "--", program, NULL};
    struct proc_fd fds[CONNECTION_COUNT];
    struct proc_spec spec = {.argv = argv, .cwd = "/", .fds = fds};

    spec.in = ends->in[1];
    spec.out = ends->out[1];
    spec.err = diag;
    spec.new_group = true;
    for (int i = 0; i < CONNECTION_COUNT; i++) {
        if (ends->conn[i][1] < 0)
            continue;
        fds[i] = (struct proc_fd){ends->conn[i][1], CONNECTION_FD + i};
        spec.fd_count++;
    }
    fill_environment(&env);
    spec.envp = env.items;
    if (proc_spawn(&spec, out_pid, err) < 0) {
        err->kind = ERR_TRANSIENT;
        return -1;
    }
    return 0;
}

static int keep(int *fd)
{
    int kept = *fd;

    *fd = -1;
    return kept;
}

int child_start(const struct strbuf *request, bool connections, int diag,
                struct child *out_child, struct err *err)
{
    struct ends ends = {{-1, -1}, {-1, -1}, {{-1, -1}, {-1, -1}}};
    struct child child;
    int rc = make_ends(&ends, connections, err);

    if (rc == 0)
        rc = feed(ends.in[0], request, err);
    if (rc == 0)
        rc = spawn(&ends, diag, &child.pid, err);
    if (rc == 0) {
        child.out = keep(&ends.out[0]);
        for (size_t i = 0; i < CONNECTION_COUNT; i++)
            child.connections[i] = keep(&ends.conn[i][0]);
        *out_child = child;
    }
    ends_close(&ends);
    return rc;
}
