/* tests/lib/redis_server.h - a real redis-server on a private socket. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_REDIS_SERVER_H
#define TESTS_LIB_REDIS_SERVER_H

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/redis_sync.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    char dir[64];
    char url[96];
    char password[32]; /* "": none */
    pid_t pid;         /* -1: not running */
};

/** Start it, with the append-only file that it has, if any. */
UNUSED static void redis_server_start(struct redis_server *server)
{
    char socket[96];
    struct err err = {ERR_NONE, 0, ""};
    struct redis_options options = {.url = server->url};
    struct redis_sync *redis = NULL;

    (void)snprintf(socket, sizeof(socket), "%s/s", server->dir);
    {
        /* clang-format off */
        const char *const argv[] = {
            "redis-server", "--port", "0", "--unixsocket", socket,
            "--dir", server->dir, "--save", "", "--appendonly", "yes",
            "--appendfsync", "everysec", "--requirepass", server->password,
            "--loglevel", "warning", NULL,
        };
        /* clang-format on */
        const struct proc_spec spec = {.argv = argv,
                                       .in = PROC_NULL,
                                       .out = PROC_NULL,
                                       .err = PROC_NULL,
                                       .new_group = true};

        if (proc_spawn(&spec, &server->pid, &err) < 0) {
            (void)fprintf(stderr, "%s\n", err.msg);
            abort();
        }
    }
    for (int i = 0; i < 1000; i++) {
        if (redis_sync_open(&options, &redis, &err) == 0)
            break;
        (void)poll(NULL, 0, 10);
    }
    if (!redis) {
        (void)fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    redis_sync_free(redis);
}

UNUSED static void redis_server_init(struct redis_server *server,
                                     const char *password)
{
    (void)snprintf(server->dir, sizeof(server->dir), "/tmp/berth-test-XXXXXX");
    if (!mkdtemp(server->dir))
        abort();
    (void)snprintf(server->password, sizeof(server->password), "%s", password);
    (void)snprintf(server->url, sizeof(server->url), "unix://%s%s%s%s/s",
                   *password ? ":" : "", password, *password ? "@" : "",
                   server->dir);
    redis_server_start(server);
}

UNUSED static void redis_server_signal(struct redis_server *server, int signo)
{
    if (server->pid > 0)
        (void)kill(server->pid, signo);
}

UNUSED static void redis_server_kill(struct redis_server *server)
{
    int status;

    redis_server_signal(server, SIGKILL);
    if (server->pid > 0)
        (void)waitpid(server->pid, &status, 0);
    server->pid = -1;
}

UNUSED static void redis_server_clear(struct redis_server *server)
{
    redis_server_kill(server);
    if (tree_remove(server->dir, NULL) < 0)
        abort();
}

#endif
