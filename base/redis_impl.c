/* base/redis_impl.c - what the parts of the Redis client share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_impl.h"

#include <signal.h>
#include <string.h>

int redis_options_fill(struct redis_options *o, struct err *err)
{
    if (o->script_count > REDIS_MAX_SCRIPTS)
        return err_set(err, ERR_BUG, "more than %d scripts", REDIS_MAX_SCRIPTS);
    if (!o->connect_timeout_ms)
        o->connect_timeout_ms = 5000;
    if (!o->command_timeout_ms)
        o->command_timeout_ms = REDIS_COMMAND_TIMEOUT_MS;
    if (!o->max_reply_bytes)
        o->max_reply_bytes = REDIS_MAX_REPLY_BYTES;
    if (!o->max_retry_ms)
        o->max_retry_ms = 2000;
    if (!o->wait_ms)
        o->wait_ms =
            o->command_timeout_ms < 4000 ? o->command_timeout_ms / 4 : 1000;
    if (o->wait_replicas && o->wait_ms >= o->command_timeout_ms)
        return err_set(err, ERR_BUG,
                       "wait_ms %u is not below command_timeout_ms %u",
                       o->wait_ms, o->command_timeout_ms);
    return 0;
}

bool redis_reply_is(const char *reply, const char *code)
{
    return strncmp(reply, code, strlen(code)) == 0;
}

int redis_reply_failed(const char *reply, const char *server, struct err *err)
{
    static const char *const passing[] = {"LOADING",
                                          "BUSY",
                                          "OOM",
                                          "MISCONF",
                                          "READONLY",
                                          "CLUSTERDOWN",
                                          "TRYAGAIN",
                                          "MASTERDOWN",
                                          "NOREPLICAS",
                                          "UNKILLABLE",
                                          "ERR max number of clients"};

    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (redis_reply_is(reply, passing[i]))
            return err_set(err, ERR_TRANSIENT, "%s: %.400s", server, reply);
    if (redis_reply_is(reply, "MOVED "))
        return err_set(err, ERR_BUG,
                       "%s: it is a cluster, and wants redis+cluster://",
                       server);
    return err_set(err, ERR_BUG, "%s: %.400s", server, reply);
}

void redis_ignore_sigpipe(void)
{
    struct sigaction old;

    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        (void)signal(SIGPIPE, SIG_IGN);
}
