/* tests/lib/redis_server.h - a real redis-server, private to a test. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_REDIS_SERVER_H
#define TESTS_LIB_REDIS_SERVER_H

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/redis_sync.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_server {
    char dir[64];
    char url[96];
    char password[32]; /* "": none */
    int port;          /* of 127.0.0.1; 0: its socket alone */
    bool sentinel;     /* it runs by `dir`/conf, which the test writes */
    struct strv more;  /* owned; arguments besides the usual ones */
    pid_t pid;         /* -1: not running */
};

/**
 * A port of 127.0.0.1 that nobody has now. It is below those that the kernel
 * gives to whoever connects, which would take it before it is used.
 */
UNUSED static int redis_free_port(void)
{
    for (int i = 0; i < 1000; i++) {
        struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        uint16_t port;
        int rc;

        if (getrandom(&port, sizeof(port), 0) != sizeof(port))
            abort();
        port = (uint16_t)(10000 + port % 20000);
        address.sin_port = htons(port);
        rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
        (void)close(fd);
        if (rc == 0)
            return port;
    }
    abort();
}

UNUSED static void redis_server_args(const struct redis_server *server,
                                     struct strv *argv)
{
    /* With "everysec" a write may wait for a sync, and who is killed lose it.
     */
    const char *const usual[] = {
        "--save",        "",       "--appendonly", "yes",
        "--appendfsync", "always", "--loglevel",   "warning",
    };

    strv_add(argv, "redis-server");
    if (server->sentinel) {
        strv_addf(argv, "%s/conf", server->dir);
        strv_add(argv, "--sentinel");
        return;
    }
    strv_add(argv, "--port");
    strv_addf(argv, "%d", server->port);
    strv_add(argv, "--unixsocket");
    strv_addf(argv, "%s/s", server->dir);
    strv_add(argv, "--dir");
    strv_add(argv, server->dir);
    strv_add(argv, "--requirepass");
    strv_add(argv, server->password);
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        strv_add(argv, usual[i]);
    for (size_t i = 0; i < server->more.count; i++)
        strv_add(argv, server->more.items[i]);
}

/** Start it, with the append-only file that it has, if any. */
UNUSED static void redis_server_start(struct redis_server *server)
{
    CLEANUP(strv) struct strv argv = {NULL, 0};
    struct err err = {ERR_NONE, 0, ""};
    struct redis_options options = {.url = server->url};
    struct redis_sync *redis = NULL;
    const char *const word = "PING";
    const struct redis_words ping = {&word, NULL, 1};
    struct redisReply *reply = NULL;

    redis_server_args(server, &argv);
    {
        const struct proc_spec spec = {.argv = (const char *const *)argv.items,
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
        /* It lets us in while it is still loading. */
        if (redis_sync_open(&options, &redis, &err) == 0 &&
            redis_sync_command(redis, &ping, &reply, &err) == 0)
            break;
        redis_sync_free(STEAL(redis));
        (void)poll(NULL, 0, 10);
    }
    if (!redis) {
        (void)fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    freeReplyObject(reply);
    redis_sync_free(redis);
}

/** Make its directory; the caller may set port, more and sentinel, and then
 * calls redis_server_start(). */
UNUSED static void redis_server_prepare(struct redis_server *server,
                                        const char *password)
{
    char dir[] = "/tmp/berth-test-XXXXXX";

    if (!mkdtemp(dir))
        abort();
    memset(server, 0, sizeof(*server));
    server->pid = -1;
    memcpy(server->dir, dir, sizeof(dir));
    (void)snprintf(server->password, sizeof(server->password), "%s", password);
    (void)snprintf(server->url, sizeof(server->url), "unix://%s%s%s%s/s",
                   *password ? ":" : "", password, *password ? "@" : "", dir);
}

UNUSED static void redis_server_init(struct redis_server *server,
                                     const char *password)
{
    redis_server_prepare(server, password);
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
    strv_clear(&server->more);
    if (*server->dir && tree_remove(server->dir, NULL) < 0)
        abort();
}

/**
 * Say something to it, NULL behind the last word, and write the answer (the
 * text of an error, too) to `out`: one word a line.
 */
UNUSED static void redis_server_say(const struct redis_server *server,
                                    char *out, size_t size, const char *first,
                                    ...)
{
    const struct redis_options options = {.url = server->url};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    CLEANUP(strv) struct strv words = {NULL, 0};
    struct redis_words list;
    redisReply *reply = NULL;
    struct err err;
    va_list ap;

    va_start(ap, first);
    for (const char *word = first; word; word = va_arg(ap, const char *))
        strv_add(&words, word);
    va_end(ap);
    list = (struct redis_words){(const char *const *)words.items, NULL,
                                words.count};
    if (redis_sync_open(&options, &redis, &err) < 0 ||
        redis_sync_command(redis, &list, &reply, &err) < 0) {
        (void)snprintf(out, size, "%s", err.msg);
        return;
    }
    if (reply->type == REDIS_REPLY_INTEGER)
        (void)snprintf(out, size, "%lld", reply->integer);
    else
        (void)snprintf(out, size, "%s", reply->str ? reply->str : "");
    for (size_t i = 0, len = 0; i < reply->elements && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s\n",
                                reply->element[i]->str ? reply->element[i]->str
                                                       : "");
    freeReplyObject(reply);
}

#endif
