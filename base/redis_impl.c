/* base/redis_impl.c - what both Redis clients share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_impl.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t redis_login_steps(const struct redis_url *url,
                         struct redis_login out[REDIS_MAX_LOGIN])
{
    size_t n = 0;

    memset(out, 0, REDIS_MAX_LOGIN * sizeof(out[0]));
    if (url->password) {
        out[n].words[out[n].count++] = "AUTH";
        if (url->user)
            out[n].words[out[n].count++] = url->user;
        out[n].words[out[n].count++] = url->password;
        n++;
    }
    if (url->db) {
        (void)snprintf(out[n].db, sizeof(out[n].db), "%d", url->db);
        out[n].words[out[n].count++] = "SELECT";
        out[n].words[out[n].count++] = out[n].db;
        n++;
    }
    return n;
}

/* Redis quotes the arguments of commands that it does not know: of an answer
 * to AUTH only the first word is ours to repeat. */
int redis_login_failed(const struct redis_login *step, const char *reply,
                       struct err *err)
{
    int code = (int)strspn(reply, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (strcmp(step->words[0], "AUTH") == 0)
        return err_set(err, ERR_USER,
                       "cannot log in as '%s': the password or the user is "
                       "wrong, or none is wanted (%.*s)",
                       step->count == 3 ? step->words[1] : "default",
                       code < 20 ? code : 20, reply);
    return err_set(err, ERR_USER, "cannot select database %s: %.200s",
                   step->words[1], reply);
}

int redis_options_fill(struct redis_options *o, struct err *err)
{
    if (o->script_count > REDIS_MAX_SCRIPTS)
        return err_set(err, ERR_BUG, "more than %d scripts", REDIS_MAX_SCRIPTS);
    if (!o->connect_timeout_ms)
        o->connect_timeout_ms = 5000;
    if (!o->command_timeout_ms)
        o->command_timeout_ms = 10000;
    if (!o->max_reply_bytes)
        o->max_reply_bytes = 16U << 20;
    if (!o->max_retry_ms)
        o->max_retry_ms = 2000;
    return 0;
}

void redis_copy_words(struct redis_copy *copy, size_t skip,
                      const struct redis_words *words)
{
    size_t count = words ? words->count : 0;

    copy->count = skip + count;
    copy->words = xcalloc(copy->count, sizeof(copy->words[0]));
    copy->lens = xcalloc(copy->count, sizeof(copy->lens[0]));
    copy->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len = words->lens ? words->lens[i] : strlen(words->words[i]);

        copy->words[skip + i] = xmalloc(len + 1);
        memcpy(copy->words[skip + i], words->words[i], len);
        copy->words[skip + i][len] = '\0';
        copy->lens[skip + i] = len;
        copy->bytes += len + 16;
    }
}

void redis_copy_set(struct redis_copy *copy, size_t at, const char *word)
{
    free(copy->words[at]);
    copy->words[at] = xstrdup(word);
    copy->lens[at] = strlen(word);
}

void redis_copy_eval(struct redis_copy *copy, const char *key,
                     const struct redis_words *args)
{
    redis_copy_words(copy, 4, args);
    redis_copy_set(copy, 2, "1");
    redis_copy_set(copy, 3, key);
}

void redis_copy_freep(struct redis_copy *copy)
{
    for (size_t i = 0; i < copy->count; i++)
        free(copy->words[i]);
    free(copy->words);
    free(copy->lens);
    memset(copy, 0, sizeof(*copy));
}

char *redis_format(const struct redis_copy *copy, size_t *out_len)
{
    char *wire = NULL;
    /* int in hiredis 0.14, long long since 1.0. */
    long long len = redisFormatCommandArgv(
        &wire, (int)copy->count, (const char **)(uintptr_t)copy->words,
        copy->lens);

    if (len < 0 || !wire)
        abort(); /* out of memory: nothing else makes it fail */
    *out_len = (size_t)len;
    return wire;
}

bool redis_reply_is(const struct redisReply *reply, const char *code)
{
    size_t len = strlen(code);

    return reply && reply->type == REDIS_REPLY_ERROR &&
           strncmp(reply->str, code, len) == 0;
}

int redis_reply_failed(const char *reply, const char *server, struct err *err)
{
    static const char *const passing[] = {
        "LOADING",     "BUSY",     "OOM",        "MISCONF",    "READONLY",
        "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS", "UNKILLABLE"};

    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (strncmp(reply, passing[i], strlen(passing[i])) == 0)
            return err_set(err, ERR_TRANSIENT, "%s: %.400s", server, reply);
    return err_set(err, ERR_BUG, "%s: %.400s", server, reply);
}

void redis_ignore_sigpipe(void)
{
    struct sigaction old;

    if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        (void)signal(SIGPIPE, SIG_IGN);
}

void redis_keep_private(const redisContext *context)
{
    if (context->fd >= 0)
        (void)fcntl(context->fd, F_SETFD, FD_CLOEXEC);
}
