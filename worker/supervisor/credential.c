/* worker/supervisor/credential.c - what reads a job's repository. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/credential.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "scheduler/queue/credential.h"
#include "worker/secrets/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LOOK_MS     50 /* grows */
#define LOOK_MAX_MS 500
#define AGAIN_MS    8000 /* who took it may have died; the host may be back */

struct credential {
    struct credential_spec spec;
    credential_fn *fn;
    void *arg;
    struct credential **place; /* borrowed; the caller's */
    char *repo;                /* owned */
    int64_t until_ms, again_ms, look_ms;
    struct loop_source *timer; /* borrowed */
};

static void look(void *arg);
static void look_in(struct credential *c);

/* Last thing done with it. */
static void over(struct credential *c, json_t *found, const char *note)
{
    credential_fn *fn = c->fn;
    void *arg = c->arg;

    *c->place = NULL;
    credential_free(c);
    fn(arg, found, note);
}

void credential_free(struct credential *c)
{
    if (!c)
        return;
    queue_forget_calls(c->spec.queue, c);
    loop_remove(c->timer);
    free(c->repo);
    free(c);
}

/* ---- the answer ------------------------------------------------------------
 */

static const char *reason_of(const char *word, size_t len)
{
    static const struct {
        const char *word, *note;
    } reasons[] = {
        {QUEUE_NO_KEY, "this worker is not enrolled with a scheduler "
                       "(scheduler.workers)"},
        {QUEUE_NO_HOST, "the repository is of no host that the scheduler "
                        "knows"},
        {QUEUE_NO_TOKEN, "no token for this host: it cannot make one for one "
                         "repository (checkout.credentials)"},
        {QUEUE_NO_RIGHT, "no token: the host refuses it; the scheduler's log "
                         "says why"},
        {QUEUE_NO_REPLY, "no token: the host does not answer the scheduler"},
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (strlen(reasons[i].word) == len &&
            memcmp(reasons[i].word, word, len) == 0)
            return reasons[i].note;
    return "a scheduler's answer that this worker does not understand";
}

/* There may be one later: who cannot read the repository is to try again. */
static void give_up(struct credential *c, const char *note)
{
    over(c, json_pack("{s:s}", "credential", "later"), note);
}

static json_t *read_message(const char *text, size_t len)
{
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *username = json_object_get(root, "username");
    json_t *password = json_object_get(root, "password");

    if (json_is_string(username) && json_string_length(password) &&
        json_object_set_new(root, "whose", json_string(CREDENTIAL_WHOSE)) == 0)
        return root;
    json_decref(root);
    return NULL;
}

static json_t *open_it(const struct credential *c, const char *text, size_t len)
{
    CLEANUP(strbuf) struct strbuf sealed = STRBUF_INIT;
    char epoch[24];
    const struct queue_credential_for of = {
        .pool = queue_pool(c->spec.queue),
        .job_id = lease_job_id(c->spec.lease),
        .epoch = epoch,
        .nonce = lease_nonce(c->spec.lease),
        .repo = c->repo,
        .worker = c->spec.worker,
    };
    CLEANUP(mem) char *context = NULL;
    size_t context_len = 0, message_len = 0;
    char *message = NULL;
    json_t *found = NULL;

    (void)snprintf(epoch, sizeof(epoch), "%" PRIu64,
                   lease_epoch(c->spec.lease));
    context = queue_credential_context(&of, &context_len);
    if (!base64_decode(text, len, &sealed) ||
        seal_open(c->spec.key, &(struct seal_data){sealed.data, sealed.len},
                  &(struct seal_data){context, context_len}, &message,
                  &message_len, NULL) < 0)
        return NULL;
    found = read_message(message, message_len);
    mem_wipe(message, message_len);
    free(message);
    return found;
}

static void take_answer(struct credential *c, const char *text, size_t len)
{
    json_t *found = NULL;

    if (len - 1 == strlen(QUEUE_NO_REPLY) && *text == '-' &&
        memcmp(text + 1, QUEUE_NO_REPLY, len - 1) == 0) {
        if (clock_mono_ms() < c->until_ms)
            look_in(c);
        else
            give_up(c, reason_of(text + 1, len - 1));
        return;
    }
    if (len && *text == '-') {
        over(c, NULL, reason_of(text + 1, len - 1));
        return;
    }
    if (len && *text == '+' && len <= QUEUE_MAX_ANSWER)
        found = open_it(c, text + 1, len - 1);
    over(c, found,
         found ? ""
               : "what a scheduler sealed cannot be opened: is this worker's "
                 "key the one that it is enrolled with?");
}

/* ---- asking -----------------------------------------------------------------
 */

static void look_in(struct credential *c)
{
    int64_t at = clock_mono_ms() + c->look_ms;

    c->look_ms += c->look_ms / 2;
    if (c->look_ms > LOOK_MAX_MS)
        c->look_ms = LOOK_MAX_MS;
    c->timer = loop_add_timer(c->spec.loop, at < c->until_ms ? at : c->until_ms,
                              look, c);
}

static void on_answer(void *arg, const char *answer, size_t len,
                      const struct err *err)
{
    struct credential *c = arg;

    (void)err; /* Redis may be back in time */
    if (answer)
        take_answer(c, answer, len);
    else if (clock_mono_ms() >= c->until_ms)
        give_up(c, "no scheduler answered, or the host does not answer it");
    else
        look_in(c);
}

static void on_asked(void *arg, enum queue_asked what, const struct err *err)
{
    struct credential *c = arg;

    if (!err && what == QUEUE_ASKED)
        c->again_ms = clock_mono_ms() + AGAIN_MS;
    if (err || what == QUEUE_ASKED || what == QUEUE_ASK_FULL)
        look_in(c);
    else
        over(c, NULL,
             what == QUEUE_ASK_NOBODY
                 ? "no scheduler is there to be asked for a token"
                 : "the lease is lost");
}

static void look(void *arg)
{
    struct credential *c = arg;
    int64_t now = clock_mono_ms();

    c->timer = NULL;
    if (now >= c->again_ms && now < c->until_ms)
        lease_ask_credential(c->spec.lease, c->spec.worker, on_asked, c);
    else
        lease_take_credential(c->spec.lease, on_answer, c);
}

/* ---- the beginning ----------------------------------------------------------
 */

/* What the worker itself has: whether that is all. */
static bool get_local(const struct credential_spec *spec, const char *repo,
                      credential_fn *fn, void *arg)
{
    char *username = NULL, *password = NULL;
    struct err err = {ERR_NONE, 0, ""};
    json_t *found = NULL;

    if (checkout_credentials_find(spec->local, repo, &username, &password,
                                  &err) < 0) {
        log_warn("job %s: %s", lease_job_id(spec->lease), err.msg);
        fn(arg, NULL, err.msg);
        return true;
    }
    if (!password)
        return false;
    found = json_pack("{s:s, s:s}", "username", username, "password", password);
    secret_free_value(username);
    secret_free_value(password);
    fn(arg, found, found ? "" : "checkout.credentials: it is no UTF-8");
    return true;
}

static bool is_http(const char *repo)
{
    return strncasecmp(repo, "https://", 8) == 0 ||
           strncasecmp(repo, "http://", 7) == 0;
}

/* The address, if there is something to be had; owned by the caller. */
static char *repo_of(const char *payload)
{
    json_t *start = json_loads(payload, JSON_REJECT_DUPLICATES, NULL);
    const char *repo = json_string_value(json_object_get(start, "repo"));
    const char *user = json_string_value(json_object_get(start, "username"));
    const char *word = json_string_value(json_object_get(start, "password"));
    char *copy = NULL;

    if (repo && is_http(repo) && strlen(repo) <= QUEUE_MAX_ADDRESS &&
        (!user || !*user) && (!word || !*word))
        copy = xstrdup(repo);
    json_decref(start);
    return copy;
}

/* Who runs one job of his own has what it needs. */
struct credential_spec
credential_spec_of(const struct supervisor_options *options)
{
    return (struct credential_spec){
        .worker = options->worker,
        .key = options->secrets ? NULL : options->key,
        .local = options->secrets ? NULL : options->credentials};
}

void credential_get(const struct credential_spec *spec, credential_fn *fn,
                    void *arg, struct credential **out_credential)
{
    CLEANUP(mem) char *repo = NULL;
    struct credential *c;

    *out_credential = NULL;
    if (spec->key || spec->local)
        repo = repo_of(lease_payload(spec->lease));
    if (!repo) {
        fn(arg, NULL, "");
        return;
    }
    if (get_local(spec, repo, fn, arg))
        return;
    if (!spec->key) {
        fn(arg, NULL, "");
        return;
    }
    c = *out_credential = xcalloc(1, sizeof(*c));
    c->spec = *spec;
    c->fn = fn;
    c->arg = arg;
    c->place = out_credential;
    c->repo = STEAL(repo);
    c->look_ms = LOOK_MS;
    c->until_ms =
        clock_mono_ms() + (spec->wait_ms ? spec->wait_ms : CREDENTIAL_WAIT_MS);
    lease_ask_credential(c->spec.lease, c->spec.worker, on_asked, c);
}
