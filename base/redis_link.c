/* base/redis_link.c - one connection to one server of Redis, logged in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_link.h"

#include "base/clock.h"
#include "base/redis_adapter.h"
#include "base/redis_impl.h"
#include "base/resolve.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step { STEP_AUTH, STEP_SELECT, STEP_ROLE, STEP_SCRIPT, STEP_PING };

#define MAX_STEPS (4 + REDIS_MAX_SCRIPTS)

/*
 *   (resolving) ──▶ connecting ──▶ logging in ──▶ ready
 *                    │      ▲
 *                    └──────┘ to the next address of the name
 */
struct redis_link {
    struct loop *loop;           /* borrowed */
    struct redis_link_spec spec; /* its strings are borrowed */
    struct redis_address address;
    struct redis_link_calls calls;
    void *arg;                  /* theirs */
    struct resolve *resolve;    /* owned; NULL: it is done, or not needed */
    struct strv hosts;          /* owned; addresses, tried in turn */
    size_t tried;               /* of them; the last is the one in use */
    redisAsyncContext *context; /* owned by hiredis; NULL: not (any more) */
    struct ssl_st *tls;         /* owned; NULL: in the clear */
    int64_t until_ms;           /* it has to be ready by then */
    struct loop_source *limit;  /* borrowed; of this address, or of all */
    bool connected, ready;
    enum step steps[MAX_STEPS]; /* of the login, in the order of answers */
    size_t step_count, steps_done;
    size_t scripts_done;
    char sha[REDIS_MAX_SCRIPTS][REDIS_SHA_SIZE];
};

/* ---- replies that outlive their callback -------------------------------- */

static redisReply *kept; /* between redis_reply_keep() and its freeing */

redisReply *redis_reply_keep(const struct redisReply *reply)
{
    kept = (redisReply *)(uintptr_t)reply;
    return kept;
}

static void free_unless_kept(void *reply)
{
    if (reply != kept || !reply)
        freeReplyObject(reply);
    else
        kept = NULL;
}

void redis_reply_free(redisReply *reply)
{
    free_unless_kept(reply);
}

/* hiredis frees each reply behind its callback: this spares a copy. */
static void own_replies(redisReader *reader)
{
    static redisReplyObjectFunctions functions;

    functions = *reader->fn;
    functions.freeObject = free_unless_kept;
    reader->fn = &functions;
}

/* ---- the end of it ------------------------------------------------------ */

static int connect_next(struct redis_link *link, struct err *err);
static void set_limit(struct redis_link *link, int64_t at_ms);

/* hiredis may still call back: nothing of it may reach us. */
static void let_go(struct redis_link *link)
{
    redisAsyncContext *context = STEAL(link->context);

    loop_remove(STEAL(link->limit));
    if (!context)
        return;
    context->data = NULL;
    redisAsyncFree(context);
}

void redis_link_free(struct redis_link *link)
{
    if (!link)
        return;
    let_go(link);
    redis_tls_end(link->tls);
    resolve_free(link->resolve);
    strv_clear(&link->hosts);
    free(link);
}

static void end(struct redis_link *link, const struct err *err)
{
    let_go(link);
    link->calls.down(link->arg, err);
}

/* Of a name's addresses a message says which. */
static void say_which(const struct redis_link *link, struct err *err)
{
    const char *host = link->hosts.items[link->tried - 1];

    if (!link->address.path && strcmp(host, link->address.host) != 0)
        (void)err_wrap(err, "%s", host);
}

/* This address is no good: the next may be. */
static void failed(struct redis_link *link, const struct err *reason)
{
    struct err err = *reason;

    let_go(link);
    redis_tls_end(STEAL(link->tls));
    say_which(link, &err);
    if (link->connected || connect_next(link, &err) < 0)
        link->calls.down(link->arg, &err);
}

/* hiredis frees the context by itself. */
static void lost(const redisAsyncContext *context)
{
    struct redis_link *link = context->data;
    struct err err = {ERR_NONE, 0, ""};

    if (!link)
        return;
    (void)redis_tls_failed(link->tls,
                           context->errstr && *context->errstr
                               ? context->errstr
                               : "connection lost",
                           &err);
    link->context->data = NULL;
    link->context = NULL;
    failed(link, &err);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis_link *link = context->data;

    if (status != REDIS_OK) {
        lost(context);
    } else if (link) {
        link->connected = true;
        set_limit(link, link->until_ms);
    }
}

static void on_disconnect(const redisAsyncContext *context, int status UNUSED)
{
    lost(context);
}

static void on_limit(void *arg)
{
    struct redis_link *link = arg;
    struct err err;

    link->limit = NULL;
    (void)err_set(&err, ERR_TRANSIENT, "cannot connect in time");
    failed(link, &err);
}

static void set_limit(struct redis_link *link, int64_t at_ms)
{
    loop_remove(link->limit);
    link->limit = loop_add_timer(link->loop, at_ms, on_limit, link);
}

static void on_unsent(void *arg)
{
    struct redis_link *link = arg;
    struct err err;

    link->limit = NULL;
    (void)err_set(&err, ERR_TRANSIENT, "a command could not be sent");
    end(link, &err);
}

static void on_too_large(void *arg)
{
    struct err err;

    (void)err_set(&err, ERR_TRANSIENT, "an answer is too large");
    end(arg, &err);
}

/* ---- logging in --------------------------------------------------------- */

/* Redis quotes the arguments of commands that it does not know: of an answer
 * to AUTH only the first word is ours to repeat. */
static void refused(const struct redis_link *link, enum step step,
                    const char *reply, struct err *err)
{
    int code = (int)strspn(reply, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    (void)redis_reply_failed(reply, "the server", err);
    if (err->kind == ERR_TRANSIENT)
        return; /* it is loading, say: not the login's fault */
    err->kind = ERR_USER;
    if (step == STEP_AUTH)
        (void)err_set(err, ERR_USER,
                      "cannot log in as '%.100s': the password or the user is "
                      "wrong, or none is wanted (%.*s)",
                      link->spec.user ? link->spec.user : "default",
                      code < 20 ? code : 20, reply);
    else if (step == STEP_SELECT)
        (void)err_set(err, ERR_USER, "cannot select database %d: %.200s",
                      link->spec.db, reply);
    else if (strstr(reply, "unauthenticated")) /* a script is too long then */
        (void)err_set(err, ERR_USER, "a password is wanted (NOAUTH)");
    else if (step == STEP_SCRIPT)
        (void)err_wrap(err, "cannot load the scripts");
}

static bool is_master(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
           reply->element[0]->str &&
           strcmp(reply->element[0]->str, "master") == 0;
}

static void log_in(struct redis_link *link, const redisReply *reply)
{
    enum step step = link->steps[link->steps_done++];
    struct err err = {ERR_NONE, 0, ""};

    if (reply->type == REDIS_REPLY_ERROR)
        refused(link, step, reply->str, &err);
    else if (step == STEP_ROLE && !is_master(reply))
        (void)err_set(&err, ERR_TRANSIENT, "the server is not a master");
    if (err.kind != ERR_NONE) {
        end(link, &err);
        return;
    }
    if (step == STEP_SCRIPT) {
        if (reply->type == REDIS_REPLY_STRING &&
            reply->len == REDIS_SHA_SIZE - 1)
            memcpy(link->sha[link->scripts_done], reply->str, REDIS_SHA_SIZE);
        link->scripts_done++;
    }
    if (link->steps_done < link->step_count)
        return;
    link->ready = true;
    loop_remove(STEAL(link->limit));
    link->calls.ready(link->arg);
}

static void on_reply(redisAsyncContext *context, void *reply, void *token)
{
    struct redis_link *link = context->data;

    if (!link || !reply)
        return; /* the end is told once, by lost() */
    if (link->ready)
        link->calls.reply(link->arg, token, reply);
    else
        log_in(link, reply);
}

static void say(struct redis_link *link, enum step step,
                const char *const *words, size_t count)
{
    struct redis_call *call =
        redis_call_new(&(struct redis_words){words, NULL, count});

    redis_link_send(link, call->wire, call->len, NULL);
    mem_wipe(call->wire, call->len);
    redis_call_free(call);
    link->steps[link->step_count++] = step;
}

/* All of it in one go: hiredis keeps it until the socket is connected. */
static void introduce(struct redis_link *link)
{
    const struct redis_link_spec *spec = &link->spec;
    const char *auth[3] = {"AUTH", spec->user, spec->password};
    char db[12];

    if (spec->password && !spec->user) {
        auth[1] = spec->password;
        say(link, STEP_AUTH, auth, 2);
    } else if (spec->password) {
        say(link, STEP_AUTH, auth, 3);
    }
    (void)snprintf(db, sizeof(db), "%d", spec->db);
    if (spec->db)
        say(link, STEP_SELECT, (const char *const[]){"SELECT", db}, 2);
    if (spec->master)
        say(link, STEP_ROLE, (const char *const[]){"ROLE"}, 1);
    for (size_t i = 0; i < spec->script_count; i++)
        say(link, STEP_SCRIPT,
            (const char *const[]){"SCRIPT", "LOAD", spec->scripts[i].source},
            3);
    if (link->step_count == 0)
        say(link, STEP_PING, (const char *const[]){"PING"}, 1);
}

/* ---- connecting and sending --------------------------------------------- */

static int attach(struct redis_link *link, struct err *err)
{
    redisAsyncContext *context = link->context;

    if (context->err)
        return err_set(err, ERR_TRANSIENT, "%s", context->errstr);
    /* No child has this socket, which hiredis does not see to. */
    (void)fcntl(context->c.fd, F_SETFD, FD_CLOEXEC);
    if (redis_adapter_attach(link->loop, context, link->spec.max_reply_bytes,
                             on_too_large, link, err) < 0)
        return -1;
    if (link->spec.tls && !link->address.path &&
        redis_tls_start(link->spec.tls, &context->c, link->address.host,
                        &link->tls, err) < 0)
        return -1;
    own_replies(context->c.reader);
    context->data = link;
    (void)redisAsyncSetConnectCallback(context, on_connect);
    (void)redisAsyncSetDisconnectCallback(context, on_disconnect);
    return 0;
}

/* `where` is an address, or the path of a socket: hiredis would wait for the
 * answer of a name server. */
static int connect_to(struct redis_link *link, const char *where,
                      struct err *err)
{
    link->context = link->address.path
                        ? redisAsyncConnectUnix(where)
                        : redisAsyncConnect(where, link->address.port);
    if (!link->context)
        abort(); /* out of memory: nothing else makes it fail */
    if (attach(link, err) < 0) {
        let_go(link);
        redis_tls_end(STEAL(link->tls));
        say_which(link, err);
        return -1;
    }
    link->step_count = link->steps_done = link->scripts_done = 0;
    introduce(link);
    return 0;
}

/* Each gets its share of the time that is left. On failure `err` is why the
 * last was no good: as it came, where there is none left. */
static int connect_next(struct redis_link *link, struct err *err)
{
    while (link->tried < link->hosts.count) {
        int64_t now = clock_mono_ms();
        int64_t left = link->until_ms > now ? link->until_ms - now : 0;
        size_t more = link->hosts.count - link->tried++;

        set_limit(link, now + left / (int64_t)more);
        if (connect_to(link, link->hosts.items[link->tried - 1], err) == 0)
            return 0;
    }
    loop_remove(STEAL(link->limit));
    return -1;
}

static void on_resolved(void *arg, const struct strv *addresses,
                        const struct err *reason)
{
    struct redis_link *link = arg;
    struct err err = {0};

    for (size_t i = 0; addresses && i < addresses->count; i++)
        strv_add(&link->hosts, addresses->items[i]);
    resolve_free(STEAL(link->resolve));
    if (reason)
        err = *reason;
    link->until_ms = clock_mono_ms() + link->spec.timeout_ms;
    if (connect_next(link, &err) < 0)
        link->calls.down(link->arg, &err);
}

int redis_link_open(struct loop *loop, const struct redis_address *address,
                    const struct redis_link_spec *spec,
                    const struct redis_link_calls *calls, void *arg,
                    struct redis_link **out_link, struct err *err)
{
    CLEANUP(redis_link) struct redis_link *link = xcalloc(1, sizeof(*link));
    int rc;

    link->loop = loop;
    link->spec = *spec;
    link->address = *address;
    link->calls = *calls;
    link->arg = arg;
    if (address->path || resolve_is_address(address->host)) {
        strv_add(&link->hosts, address->path ? address->path : address->host);
        link->until_ms = clock_mono_ms() + spec->timeout_ms;
        rc = connect_next(link, err);
    } else {
        rc = resolve_start(loop, address->host, on_resolved, link,
                           &link->resolve, err);
    }
    if (rc == 0)
        *out_link = STEAL(link);
    return rc;
}

void redis_link_send(struct redis_link *link, const char *text, size_t len,
                     void *token)
{
    if (!link->context ||
        redisAsyncFormattedCommand(link->context, on_reply, token, text, len) ==
            REDIS_OK)
        return;
    /* It is closing, or hiredis has no memory: the next answer would be taken
     * for this one's. It is told from the loop, as ever. */
    loop_remove(STEAL(link->limit));
    link->limit = loop_add_timer(link->loop, clock_mono_ms(), on_unsent, link);
}

const char *redis_link_sha(const struct redis_link *link, size_t script)
{
    return link->sha[script];
}
