/* scheduler/daemon/credentials.c - workers get what reads a repository. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/daemon/credentials.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/seal.h"
#include "scheduler/daemon/enrolled.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/queue/credential.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WAIT_MS     5000
#define AGAIN_MS    1000
#define MAX_HELD    32 /* asks that are worked on at once */
#define MAX_MESSAGE (QUEUE_MAX_ANSWER / 4)

struct asking {
    TAILQ_ENTRY(asking) link;
    struct credentials *credentials; /* borrowed */
    struct queue_ask ask;
    char *repo;              /* owned; the job's address */
    struct forge_call *call; /* borrowed; NULL: none is under way */
};

struct credentials {
    struct credentials_options options;
    struct strv workers;
    TAILQ_HEAD(, asking) asks; /* owned */
    size_t ask_count;
    bool taking, stopping;
    struct loop_source *timer; /* borrowed; to begin again */
};

static void take(struct credentials *c);

static void asking_free(struct asking *asking)
{
    TAILQ_REMOVE(&asking->credentials->asks, asking, link);
    asking->credentials->ask_count--;
    forge_call_cancel(asking->call);
    free(asking->repo);
    free(asking);
}

/* ---- who is enrolled ------------------------------------------------------
 */

static bool find_worker(const struct credentials *c, const char *name,
                        uint8_t out_key[SEAL_KEY_SIZE])
{
    return enrolled_find(&c->workers, name, out_key);
}

void credentials_set_workers(struct credentials *c, const struct strv *workers)
{
    strv_clear(&c->workers);
    for (size_t i = 0; workers && i < workers->count; i++)
        strv_add(&c->workers, workers->items[i]);
}

/* ---- answering -------------------------------------------------------------
 */

static void on_answered(void *arg, const struct err *err)
{
    struct asking *asking = arg;
    struct credentials *c = asking->credentials;

    if (err)
        log_warn("job %s: its credential was not stored: %s",
                 asking->ask.job_id, err->msg);
    asking_free(asking);
    take(c);
}

static void answer(struct asking *asking, const char *text)
{
    queue_answer_ask(asking->credentials->options.queue, &asking->ask, text,
                     on_answered, asking);
}

static void refuse(struct asking *asking, const char *word)
{
    CLEANUP(mem) char *text = xasprintf("-%s", word);

    answer(asking, text);
}

static int seal_it(const struct asking *asking, const struct seal_data *message,
                   struct strbuf *out, struct err *err)
{
    const struct queue_credential_for of = {
        .pool = queue_pool(asking->credentials->options.queue),
        .job_id = asking->ask.job_id,
        .epoch = asking->ask.epoch,
        .nonce = asking->ask.nonce,
        .repo = asking->repo,
        .worker = asking->ask.worker,
    };
    size_t len;
    CLEANUP(mem) char *context = queue_credential_context(&of, &len);
    uint8_t key[SEAL_KEY_SIZE];

    if (!find_worker(asking->credentials, asking->ask.worker, key))
        return err_set(err, ERR_USER, "it is not enrolled any more");
    return seal_to(key, message, &(struct seal_data){context, len}, out, err);
}

static void wipe_text(const json_t *object, const char *key)
{
    json_t *text = json_object_get(object, key);

    mem_wipe((char *)(uintptr_t)json_string_value(text),
             json_string_length(text));
}

static int seal_pair(const struct asking *asking, const char *username,
                     const char *password, struct strbuf *out, struct err *err)
{
    json_t *object =
        json_pack("{s:s, s:s}", "username", username, "password", password);
    char *message = xcalloc(MAX_MESSAGE, 1);
    /* Into one place that can be wiped. */
    size_t len = json_dumpb(object, message, MAX_MESSAGE, JSON_COMPACT);
    int rc = len && len <= MAX_MESSAGE
                 ? seal_it(asking, &(struct seal_data){message, len}, out, err)
                 : err_set(err, ERR_BUG, "the token is none");

    mem_wipe(message, MAX_MESSAGE);
    free(message);
    wipe_text(object, "password");
    json_decref(object);
    return rc;
}

static void answer_sealed(struct asking *asking, const char *username,
                          const char *password)
{
    CLEANUP(strbuf) struct strbuf sealed = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err err = {ERR_NONE, 0, ""};

    if (seal_pair(asking, username, password, &sealed, &err) < 0) {
        log_warn("worker %s: %s", asking->ask.worker, err.msg);
        refuse(asking, QUEUE_NO_KEY);
        return;
    }
    strbuf_addc(&text, '+');
    base64_encode(sealed.data, sealed.len, &text);
    answer(asking, text.data);
}

/* ---- the host --------------------------------------------------------------
 */

static void on_token(void *arg, const struct forge_answer *from)
{
    struct asking *asking = arg;
    const char *username =
        json_string_value(json_object_get(from->body, "username"));
    const char *password =
        json_string_value(json_object_get(from->body, "password"));

    asking->call = NULL;
    if (from->error != FORGE_OK) {
        log_warn("job %s: no credential for '%s': %s", asking->ask.job_id,
                 asking->repo, from->message);
        refuse(asking,
               from->error == FORGE_REFUSED ? QUEUE_NO_RIGHT : QUEUE_NO_REPLY);
    } else if (!password || !*password) {
        refuse(asking, QUEUE_NO_TOKEN);
    } else {
        answer_sealed(asking, username ? username : "", password);
    }
}

/* owner/name, owned by the caller, if the address is one of the host's. */
static char *full_name_at(const struct forge *forge, const char *address)
{
    const char *base = forge_base_url(forge);
    size_t len = strlen(base);
    CLEANUP(mem) char *name = NULL;
    CLEANUP(mem) char *clone_url = NULL;
    size_t end;

    while (len && base[len - 1] == '/')
        len--;
    if (!len || strlen(address) <= len + 1 || address[len] != '/')
        return NULL;
    name = xstrdup(address + len + 1);
    end = strlen(name);
    if (end && name[end - 1] == '/')
        name[--end] = '\0';
    if (end > 4 && strcmp(name + end - 4, ".git") == 0)
        name[end - 4] = '\0';
    if (!git_is_full_name(forge_kind_of(forge), name))
        return NULL;
    clone_url = xasprintf("%.*s/%s.git", (int)len, address, name);
    return git_is_clone_url(clone_url, base, name) ? STEAL(name) : NULL;
}

/* The App's installation, as the webhook had it; only of that repository. */
static json_int_t installation_of(const char *report, const struct forge *forge,
                                  const char *name)
{
    json_t *root = json_loads(report, JSON_REJECT_DUPLICATES, NULL);
    const char *host = json_string_value(json_object_get(root, "forge"));
    const char *repo = json_string_value(json_object_get(root, "repo"));
    json_int_t id = json_integer_value(json_object_get(root, "installation"));

    if (!host || forge_find(host) != forge_kind_of(forge) || !repo ||
        strcmp(repo, name) != 0 || id < 0)
        id = 0;
    json_decref(root);
    return id;
}

static void ask_host(struct asking *asking, const char *report)
{
    const struct credentials_options *o = &asking->credentials->options;

    for (size_t i = 0; i < o->forge_count; i++) {
        CLEANUP(mem) char *name = full_name_at(o->forges[i], asking->repo);

        if (!name)
            continue;
        forge_ask(o->forges[i], FORGE_OP_TOKEN,
                  json_pack("{s:s, s:I}", "repo", name, "installation",
                            installation_of(report, o->forges[i], name)),
                  on_token, asking, &asking->call);
        return;
    }
    refuse(asking, QUEUE_NO_HOST);
}

/* ---- the worker's lease ----------------------------------------------------
 */

static void on_checked(void *arg, const char *repo, const char *report,
                       const struct err *err)
{
    struct asking *asking = arg;
    struct credentials *c = asking->credentials;
    uint8_t key[SEAL_KEY_SIZE];

    if (err) {
        if (err->kind == ERR_LOST)
            log_warn("worker %s, job %s: it gets no credential: %s",
                     asking->ask.worker, asking->ask.job_id, err->msg);
        asking_free(asking);
        take(c);
        return;
    }
    asking->repo = xstrndup(repo, QUEUE_MAX_ADDRESS);
    if (!find_worker(c, asking->ask.worker, key)) {
        log_warn("worker %s asks for a credential, and is not enrolled "
                 "(scheduler.workers)",
                 asking->ask.worker);
        refuse(asking, QUEUE_NO_KEY);
    } else {
        ask_host(asking, report);
    }
}

/* A worker asks again while it waits: one answer is enough. */
static bool is_known(const struct credentials *c, const struct queue_ask *ask)
{
    const struct asking *asking;

    TAILQ_FOREACH (asking, &c->asks, link)
        if (strcmp(asking->ask.job_id, ask->job_id) == 0 &&
            strcmp(asking->ask.epoch, ask->epoch) == 0 &&
            strcmp(asking->ask.nonce, ask->nonce) == 0 &&
            strcmp(asking->ask.worker, ask->worker) == 0)
            return true;
    return false;
}

static void begin(struct credentials *c, const struct queue_ask *ask)
{
    struct asking *asking = xcalloc(1, sizeof(*asking));

    asking->credentials = c;
    asking->ask = *ask;
    TAILQ_INSERT_TAIL(&c->asks, asking, link);
    c->ask_count++;
    queue_check_ask(c->options.queue, &asking->ask, on_checked, asking);
}

/* ---- taking ----------------------------------------------------------------
 */

static void on_time(void *arg)
{
    struct credentials *c = arg;

    c->timer = NULL;
    take(c);
}

static void on_ask(void *arg, const struct queue_ask *ask,
                   const struct err *err)
{
    struct credentials *c = arg;

    c->taking = false;
    outage_note(c->options.outage, c->options.queue, OUTAGE_WAIT, err);
    if (ask && !is_known(c, ask))
        begin(c, ask);
    if (err && !c->stopping)
        c->timer = loop_add_timer(c->options.loop, clock_mono_ms() + AGAIN_MS,
                                  on_time, c);
    else
        take(c);
}

static void take(struct credentials *c)
{
    loop_remove(STEAL(c->timer));
    if (c->taking || c->stopping || c->ask_count >= MAX_HELD)
        return;
    c->taking = true;
    queue_take_ask(c->options.queue, WAIT_MS, on_ask, c);
}

struct credentials *credentials_new(const struct credentials_options *options)
{
    struct credentials *c = xcalloc(1, sizeof(*c));

    c->options = *options;
    TAILQ_INIT(&c->asks);
    credentials_set_workers(c, options->workers);
    take(c);
    return c;
}

void credentials_stop(struct credentials *c)
{
    c->stopping = true;
    loop_remove(STEAL(c->timer));
}

void credentials_free(struct credentials *c)
{
    struct asking *asking;

    if (!c)
        return;
    while ((asking = TAILQ_FIRST(&c->asks)))
        asking_free(asking);
    loop_remove(c->timer);
    strv_clear(&c->workers);
    free(c);
}
