/* cli/embedded.c - a private redis-server for `berth run` and `berth up`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/embedded.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/redis_sync.h"
#include "cli/socket_path.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TIMEOUT_MS  45000
#define START_TIMEOUT_MS 30000
#define BOOT_MS          3000 /* by then a pid file must be there */
#define STOP_TIMEOUT_MS  20000
#define POLL_MS          10
#define LOCK_SLICE_MS    100
#define MAX_LOG          ((size_t)4 << 20)

/*
 * Two locks in <state>/redis. `lock` is held while somebody starts or stops
 * the server; `users`, shared, as long as somebody uses it. Who leaves takes
 * `lock`, and is the last if `users` can be had exclusively.
 */
struct embedded {
    char *dir;               /* owned; <state>/redis */
    char *socket;            /* owned */
    char *url;               /* owned; unix://<socket> */
    int users_fd;            /* owned; holds the shared lock */
    embedded_stop_fn *asked; /* NULL: nobody asks, or it is told already */
};

static char *file_in(const struct embedded *e, const char *name)
{
    return xasprintf("%s/%s", e->dir, name);
}

static void release(struct embedded *e)
{
    fd_close(&e->users_fd);
    free(e->dir);
    free(e->socket);
    free(e->url);
    free(e);
}

static void releasep(struct embedded **e)
{
    if (*e)
        release(*e);
}

const char *embedded_url(const struct embedded *embedded)
{
    return embedded->url;
}

/* ---- the server that is there, or not ----------------------------------- */

/* A pid file outlives kill -9 and its number is used again: the process is
 * ours if it works in our directory, which Redis enters. -1: none. */
static pid_t server_pid(const struct embedded *e)
{
    CLEANUP(mem) char *pid_file = file_in(e, "redis.pid");
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(64);
    char link[64], cwd[PATH_MAX] = "", real[PATH_MAX];
    long pid;

    if (file_read(pid_file, 32, &text, NULL) < 0)
        return -1;
    pid = strtol(text.data, NULL, 10);
    if (pid <= 1 || pid > INT_MAX)
        return -1;
    (void)snprintf(link, sizeof(link), "/proc/%ld/cwd", pid);
    if (readlink(link, cwd, sizeof(cwd) - 1) < 0 || !realpath(e->dir, real) ||
        strcmp(cwd, real) != 0)
        return -1;
    return (pid_t)pid;
}

static int ping(const struct embedded *e, struct err *err)
{
    static const char *const list[] = {"PING"};
    const struct redis_words words = {list, NULL, 1};
    const struct redis_options options = {
        .url = e->url, .connect_timeout_ms = 1000, .command_timeout_ms = 2000};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;

    if (redis_sync_open(&options, &redis, err) < 0 ||
        redis_sync_command(redis, &words, &reply, err) < 0)
        return -1;
    freeReplyObject(reply);
    return 0;
}

static int fail_with_log(const struct embedded *e, const char *what,
                         struct err *err)
{
    CLEANUP(mem) char *path = file_in(e, "redis.log");
    CLEANUP(strbuf) struct strbuf log = STRBUF_MAX(MAX_LOG + 1);
    const char *end;

    if (file_read(path, MAX_LOG, &log, NULL) < 0)
        strbuf_adds(&log, "(no log)");
    while (log.len && log.data[log.len - 1] == '\n')
        strbuf_cut(&log, log.len - 1);
    end = log.len > 400 ? log.data + log.len - 400 : log.data;
    return err_set(err, ERR_TRANSIENT,
                   "the embedded redis-server %s; its log %s ends with: %s",
                   what, path, end);
}

static int check_asked(const struct embedded *e, struct err *err)
{
    if (e->asked && e->asked())
        return err_set(err, ERR_CANCELLED, "interrupted");
    return 0;
}

/* While it loads its file it answers -LOADING: that takes its time. Without
 * its pid file it could not be stopped: nobody is heard until it has one. */
static int wait_until_up(const struct embedded *e, struct err *err)
{
    int64_t begin = clock_mono_ms();

    for (;;) {
        int64_t elapsed = clock_mono_ms() - begin;

        if (ping(e, err) == 0)
            return 0;
        if (server_pid(e) >= 0 && check_asked(e, err) < 0)
            return -1;
        if (elapsed > BOOT_MS && server_pid(e) < 0)
            return fail_with_log(e, "ended at once", err);
        if (elapsed > START_TIMEOUT_MS)
            return fail_with_log(e, "does not answer", err);
        (void)poll(NULL, 0, POLL_MS);
    }
}

/* ---- starting ----------------------------------------------------------- */

static const char *find_program(void)
{
    static const char *const names[] = {"redis-server", "valkey-server"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (proc_in_path(names[i]))
            return names[i];
    return NULL;
}

/* Redis appends to its log for ever. */
static void cut_log(const char *path)
{
    struct stat st;
    int fd;

    if (stat(path, &st) < 0 || st.st_size <= (off_t)MAX_LOG / 4)
        return;
    fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    fd_close(&fd);
}

static int spawn_server(const struct embedded *e, struct err *err)
{
    CLEANUP(mem) char *pid_file = file_in(e, "redis.pid");
    CLEANUP(mem) char *log = file_in(e, "redis.log");
    const char *program = find_program();
    /* clang-format off */
    const char *const argv[] = {
        program,
        "--port", "0",
        "--unixsocket", e->socket, "--unixsocketperm", "700",
        "--dir", e->dir, "--pidfile", pid_file, "--logfile", log,
        "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
        "--maxmemory-policy", "noeviction",
        /* A daemon: a session of its own, which no terminal signals. */
        "--daemonize", "yes", NULL,
    };
    /* clang-format on */

    if (!program)
        return err_set(err, ERR_USER,
                       "no redis-server is installed: apt-get install "
                       "redis-server, or name a Redis with --redis URL or "
                       "BERTH_REDIS");
    cut_log(log);
    (void)unlink(pid_file);
    (void)unlink(e->socket);
    return proc_run(argv, START_TIMEOUT_MS, NULL, err);
}

static void set_socket(struct embedded *e, char *socket)
{
    free(e->socket);
    free(e->url);
    e->socket = socket;
    e->url = xasprintf("unix://%s", socket);
}

/* Where the running one listens: the rule depends on the environment, which
 * its starter's need not have been ours. */
static bool read_socket(struct embedded *e)
{
    CLEANUP(mem) char *path = file_in(e, "socket");
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(SOCKET_PATH_MAX + 1);

    if (file_read(path, SOCKET_PATH_MAX, &text, NULL) < 0 ||
        text.data[0] != '/')
        return false;
    set_socket(e, strbuf_take(&text));
    return true;
}

static int start_server(struct embedded *e, struct err *err)
{
    CLEANUP(mem) char *note = file_in(e, "socket");
    char *socket = NULL;

    if (socket_path(e->dir, "redis.sock", &socket, err) < 0)
        return -1;
    set_socket(e, socket);
    if (file_write(note, e->socket, strlen(e->socket), 0600, err) < 0)
        return -1;
    if (spawn_server(e, err) < 0)
        return err_wrap(err, "cannot start the embedded Redis");
    return wait_until_up(e, err);
}

/* With `lock` held. */
static int join_or_start(struct embedded *e, struct err *err)
{
    if (server_pid(e) >= 0 && read_socket(e))
        return wait_until_up(e, err);
    return start_server(e, err);
}

static int take_users_lock(struct embedded *e, struct err *err)
{
    CLEANUP(mem) char *path = file_in(e, "users");

    e->users_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->users_fd < 0 || flock(e->users_fd, LOCK_SH | LOCK_NB) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot lock '%s'", path);
    return 0;
}

static int take_lock(const struct embedded *e, int *out_fd, struct err *err)
{
    CLEANUP(mem) char *path = file_in(e, "lock");
    int64_t until = clock_mono_ms() + LOCK_TIMEOUT_MS;
    struct err why = {0};

    while (file_lock(path, LOCK_SLICE_MS, out_fd, &why) < 0) {
        if (check_asked(e, err) < 0)
            return -1;
        if (why.kind != ERR_TIMEOUT || clock_mono_ms() >= until)
            return err_set(err, why.kind, "%s", why.msg);
    }
    return 0;
}

/* ---- stopping ----------------------------------------------------------- */

static bool wait_gone(int pidfd, int64_t timeout_ms)
{
    struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
    int64_t until = clock_mono_ms() + timeout_ms;

    for (;;) {
        int64_t left = until - clock_mono_ms();
        int n = poll(&pfd, 1, left > 0 ? (int)left : 0);

        if (n > 0)
            return true;
        if (n == 0)
            return false;
    }
}

/* No answer is the answer: the connection closes when it is gone. */
static void ask_to_stop(const struct embedded *e)
{
    static const char *const list[] = {"SHUTDOWN"};
    const struct redis_words words = {list, NULL, 1};
    const struct redis_options options = {.url = e->url,
                                          .connect_timeout_ms = 1000,
                                          .command_timeout_ms =
                                              STOP_TIMEOUT_MS / 2};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;

    if (redis_sync_open(&options, &redis, NULL) == 0 &&
        redis_sync_command(redis, &words, &reply, NULL) == 0)
        freeReplyObject(reply);
}

static int stop_server(const struct embedded *e, struct err *err)
{
    pid_t pid = server_pid(e);
    CLEANUP(fd) int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;

    if (pidfd < 0)
        return 0; /* it was killed: nothing to stop */
    ask_to_stop(e);
    if (wait_gone(pidfd, STOP_TIMEOUT_MS / 2))
        return 0;
    (void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    if (!wait_gone(pidfd, STOP_TIMEOUT_MS / 2))
        return err_set(err, ERR_TRANSIENT,
                       "the embedded redis-server (process %d) cannot be "
                       "killed",
                       (int)pid);
    return err_set(err, ERR_TRANSIENT,
                   "the embedded redis-server (process %d) did not shut down "
                   "and was killed: the last second of its data may be lost",
                   (int)pid);
}

/* ---- users --------------------------------------------------------------- */

char *embedded_find(const char *state_dir)
{
    __attribute__((cleanup(releasep))) struct embedded *e =
        xcalloc(1, sizeof(*e));

    e->users_fd = -1;
    e->dir = xasprintf("%s/redis", state_dir);
    return server_pid(e) >= 0 && read_socket(e) ? STEAL(e->url) : NULL;
}

int embedded_start(const char *state_dir, embedded_stop_fn *asked,
                   struct embedded **out_embedded, struct err *err)
{
    __attribute__((cleanup(releasep))) struct embedded *e =
        xcalloc(1, sizeof(*e));
    CLEANUP(fd) int lock = -1;

    e->users_fd = -1;
    e->asked = asked;
    e->dir = xasprintf("%s/redis", state_dir);
    if (dir_make(e->dir, 0700, err) < 0 || take_lock(e, &lock, err) < 0 ||
        take_users_lock(e, err) < 0)
        return -1;
    if (join_or_start(e, err) < 0) {
        if (e->url && flock(e->users_fd, LOCK_EX | LOCK_NB) == 0)
            (void)stop_server(e, NULL);
        return -1;
    }
    e->asked = NULL;
    *out_embedded = STEAL(e);
    return 0;
}

int embedded_stop(struct embedded *embedded, struct err *err)
{
    __attribute__((cleanup(releasep))) struct embedded *e = embedded;
    CLEANUP(fd) int lock = -1;

    if (!e)
        return 0;
    if (take_lock(e, &lock, err) < 0)
        return -1;
    if (flock(e->users_fd, LOCK_EX | LOCK_NB) < 0)
        return 0; /* others use it still */
    return stop_server(e, err);
}
