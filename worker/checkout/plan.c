/* worker/checkout/plan.c - the checkouts that one request turns into. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/plan.h"

#include "base/clock.h"
#include "base/json_texts.h"
#include "base/state.h"
#include "worker/checkout/names.h"
#include "worker/checkout/protocol.h"
#include "worker/checkout/secret.h"

#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SHARE_MS 10000

struct fetch_plan {
    char *ref, *base, *mirror, *tree, *alternates; /* owned */
    char *username, *password;                     /* owned */
    char credential[SECRET_DIGEST_SIZE];           /* whose the mirror is */
    json_t *show;  /* owned; the paths to show, or null */
    json_t *also;  /* owned; commits to bring along */
    json_t *layer; /* owned; how the main step writes, or null */
    bool submodules;
    unsigned uid, inside_uid;
    int64_t deadline_ms;
    struct plan_step *steps[1 + PLAN_MAX_SUBMODULES]; /* owned */
    size_t count;
    size_t begun;
};

static void step_free(struct plan_step *step)
{
    url_clear(&step->url);
    free(step->commit);
    free(step->subdir);
    free(step->prefix);
    free(step);
}

void fetch_plan_free(struct fetch_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->count; i++)
        step_free(plan->steps[i]);
    free(plan->ref);
    free(plan->base);
    free(plan->mirror);
    free(plan->tree);
    free(plan->alternates);
    json_decref(plan->show);
    json_decref(plan->also);
    json_decref(plan->layer);
    secret_free(plan->username);
    secret_free(plan->password);
    free(plan);
}

/* FNV-1a: only to tell names apart; checkout compares the address itself. */
static uint64_t hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001b3U;
    return h;
}

static struct plan_step *step_add(struct fetch_plan *plan, struct url *url,
                                  const char *commit)
{
    struct plan_step *step = xcalloc(1, sizeof(*step));

    step->url = *url;
    memset(url, 0, sizeof(*url));
    step->commit = xstrdup(commit);
    plan->steps[plan->count++] = step;
    return step;
}

static char *copy(const char *s)
{
    return xstrdup(s ? s : "");
}

static int check_pattern(const struct checkout_request *request,
                         struct err *err)
{
    for (size_t i = 0; i < request->path_count; i++) {
        const char *path = request->paths[i];
        const char *star = strrchr(path, '*');

        if (!path_is_pattern(path))
            continue;
        if (i + 1 < request->path_count)
            return err_set(err, ERR_BUG, "only the last path is a pattern");
        if (star > path && memchr(path, '*', (size_t)(star - path)))
            return err_set(err, ERR_USER,
                           "'%.300s' has more than one '*', which stands for "
                           "any text",
                           path);
    }
    return 0;
}

static int digest_of(const char *username, const char *password,
                     const char *whose, char out[SECRET_DIGEST_SIZE],
                     struct err *err)
{
    if (whose && *whose && (*username || *password))
        return secret_digest_whose(whose, out, err);
    return secret_digest(username, password, out, err);
}

static int check(const struct checkout_request *request, struct err *err)
{
    const char *paths[] = {request->mirror, request->tree, request->alternates};
    size_t count = request->show ? 1 : ARRAY_LEN(paths);

    for (size_t i = 0; i < count; i++)
        if (!paths[i] || paths[i][0] != '/' || strlen(paths[i]) > 3000)
            return err_set(err, ERR_BUG,
                           "checkout needs absolute paths of a mirror, a tree "
                           "and alternates");
    if (request->timeout_ms <= 0)
        return err_set(err, ERR_BUG, "checkout needs a time-out");
    if (request->path_count > SHOW_MAX_FILES)
        return err_set(err, ERR_BUG, "more than %d files to show",
                       SHOW_MAX_FILES);
    if (request->also_count > ALSO_MAX)
        return err_set(err, ERR_BUG, "more than %d commits to bring along",
                       ALSO_MAX);
    for (size_t i = 0; i < request->path_count; i++)
        if (path_fault(request->paths[i]))
            return err_set(err, ERR_USER,
                           "'%.300s' cannot be a file of a repository: it %s",
                           request->paths[i], path_fault(request->paths[i]));
    return check_pattern(request, err);
}

static json_t *layer_object(const struct checkout_layer *layer)
{
    json_t *bases = json_array();

    if (!layer) {
        json_decref(bases);
        return json_null();
    }
    for (size_t i = 0; i < layer->base_count; i++)
        (void)json_array_append_new(
            bases, json_pack("{s:s, s:s}", "commit", layer->bases[i].commit,
                             "index", layer->bases[i].index));
    return json_pack("{s:o, s:I}", "bases", bases, "max_bytes",
                     (json_int_t)layer->max_bytes);
}

int fetch_plan_new(const struct checkout_request *request,
                   struct fetch_plan **out_plan, struct err *err)
{
    CLEANUP(fetch_plan) struct fetch_plan *plan = xcalloc(1, sizeof(*plan));
    CLEANUP(url) struct url url = {0};
    struct plan_step *step;

    if (check(request, err) < 0 ||
        url_parse(request->url ? request->url : "", &url, err) < 0)
        return -1;
    plan->ref = copy(request->ref);
    plan->base = copy(request->base);
    plan->mirror = copy(request->mirror);
    plan->tree = copy(request->tree);
    plan->alternates = copy(request->alternates);
    plan->show = request->show ? json_texts(request->paths, request->path_count)
                               : json_null();
    plan->also = json_texts(request->also, request->also_count);
    plan->layer = layer_object(request->layer);
    plan->username = copy(request->username);
    plan->password = copy(request->password);
    if (url.kind == URL_HTTP && !*plan->username && !*plan->password) {
        secret_free(plan->username);
        secret_free(plan->password);
        plan->username = copy(url.user);
        plan->password = copy(url.password);
    }
    if (url.kind == URL_HTTP &&
        digest_of(plan->username, plan->password, request->whose,
                  plan->credential, err) < 0)
        return -1;
    plan->submodules = request->submodules;
    plan->uid = request->uid;
    plan->inside_uid = request->inside_uid ? request->inside_uid : request->uid;
    plan->deadline_ms = clock_mono_ms() + request->timeout_ms;
    step = step_add(plan, &url, request->commit ? request->commit : "");
    step->subdir = xstrdup("");
    step->prefix = xstrdup("refs/");
    *out_plan = STEAL(plan);
    return 0;
}

const struct plan_step *fetch_plan_next(struct fetch_plan *plan)
{
    return plan->begun < plan->count ? plan->steps[plan->begun++] : NULL;
}

unsigned fetch_plan_submodules(const struct fetch_plan *plan)
{
    return plan->begun ? (unsigned)plan->begun - 1 : 0;
}

int fetch_plan_add(struct fetch_plan *plan, const struct plan_step *step,
                   const char *path, const char *url, const char *commit,
                   struct err *err)
{
    CLEANUP(url) struct url parsed = {0};
    struct plan_step *added;

    if (!plan->submodules || plan->count > PLAN_MAX_SUBMODULES)
        return err_set(err, ERR_USER, "there are more than %d submodules",
                       PLAN_MAX_SUBMODULES);
    if (step->depth >= PLAN_MAX_DEPTH)
        return err_set(err, ERR_USER,
                       "submodule '%.300s' is nested more than %d deep", path,
                       PLAN_MAX_DEPTH);
    if (url_parse(url, &parsed, err) < 0)
        return err_wrap(err, "submodule '%.300s'", path);
    /* git's own protocol.file.allow=user (CVE-2022-39253). */
    if (parsed.kind == URL_LOCAL)
        return err_set(err, ERR_USER,
                       "submodule '%.300s' names a path of this host, which no "
                       "repository may: give it an https or ssh address",
                       path);
    added = step_add(plan, &parsed, commit);
    added->depth = step->depth + 1;
    added->subdir =
        xasprintf("%s%s%s", step->subdir, *step->subdir ? "/" : "", path);
    added->prefix = xasprintf("refs/berth/%016llx/",
                              (unsigned long long)hash(added->url.shown));
    return 0;
}

int64_t fetch_plan_allowance_ms(const struct fetch_plan *plan)
{
    int64_t left = plan->deadline_ms - clock_mono_ms();
    int64_t steps = (int64_t)(plan->count - plan->begun) + 1;
    int64_t share = left / steps;

    if (share < LEAST_SHARE_MS)
        share = left < LEAST_SHARE_MS ? left : LEAST_SHARE_MS;
    return share > 1 ? share : 1;
}

int fetch_plan_request(const struct fetch_plan *plan,
                       const struct plan_step *step, int64_t allowance_ms,
                       struct strbuf *out, struct err *err)
{
    bool main_step = step->depth == 0;
    bool trusted = url_same_origin(&plan->steps[0]->url, &step->url);
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b, "
        "s:b, s:I, s:s, s:s, s:O, s:O, s:o}",
        "url", step->url.shown, "commit", step->commit, "ref",
        main_step ? plan->ref : "", "base", main_step ? plan->base : "",
        "mirror", plan->mirror, "credential", plan->credential, "prefix",
        step->prefix, "tree", plan->tree, "subdir", step->subdir, "alternates",
        plan->alternates, "uid", (json_int_t)plan->uid, "inside_uid",
        (json_int_t)plan->inside_uid, "submodules", (int)plan->submodules,
        "stdio_transport", (int)(step->url.kind != URL_HTTP), "timeout_ms",
        (json_int_t)allowance_ms, "username", trusted ? plan->username : "",
        "password", trusted ? plan->password : "", "show", plan->show, "also",
        plan->also, "layer",
        main_step ? json_incref(plan->layer) : json_null());
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);
    if (!text)
        return err_set(err, ERR_USER,
                       "a path or name for the checkout is not UTF-8");
    strbuf_adds(out, text);
    mem_wipe(text, strlen(text));
    free(text);
    if (out->len > REQUEST_MAX_BYTES || out->truncated)
        return err_set(err, ERR_USER, "the checkout's request is too long");
    return 0;
}

/* Nobody's, and so read by nobody, where there is no key to tell whose. */
static void credential_of(const struct url *url, const char *username,
                          const char *password, const char *whose,
                          char out[SECRET_DIGEST_SIZE])
{
    bool given = (username && *username) || (password && *password);
    const char *user = given ? username : url->user;
    const char *secret = given ? password : url->password;
    struct err ignored;

    out[0] = '\0';
    if (url->kind == URL_HTTP &&
        digest_of(user ? user : "", secret ? secret : "", whose, out,
                  &ignored) < 0)
        state_random_hex(out, SECRET_DIGEST_SIZE - 1);
}

int checkout_identify(const char *url, const char *username,
                      const char *password, const char *whose,
                      struct checkout_identity *out, struct err *err)
{
    CLEANUP(url) struct url parsed = {0};

    _Static_assert(sizeof(out->credential) == SECRET_DIGEST_SIZE, "digest");
    if (url_parse(url, &parsed, err) < 0)
        return -1;
    credential_of(&parsed, username, password, whose, out->credential);
    out->url = STEAL(parsed.shown);
    return 0;
}

char *checkout_mirror_name(const char *url, const char *username,
                           const char *password)
{
    return checkout_mirror_name_as(url, username, password, NULL);
}

char *checkout_mirror_name_as(const char *url, const char *username,
                              const char *password, const char *whose)
{
    CLEANUP(url) struct url parsed = {0};
    char credential[SECRET_DIGEST_SIZE] = "";
    struct err ignored;
    const char *shown = url;
    char readable[61];
    size_t most;
    size_t len;
    size_t n = 0;

    if (url_parse(url, &parsed, &ignored) == 0) {
        shown = parsed.shown;
        credential_of(&parsed, username, password, whose, credential);
    }
    most = *credential ? 60 - SECRET_DIGEST_SIZE : 60;
    len = strlen(shown);
    for (size_t i = len > most ? len - most : 0; i < len; i++) {
        unsigned char c = (unsigned char)tolower((unsigned char)shown[i]);

        if (isalnum(c) && c < 0x80)
            readable[n++] = (char)c;
        else if (n && readable[n - 1] != '-')
            readable[n++] = c == '.' || c == '_' ? (char)c : '-';
    }
    readable[n] = '\0';
    return xasprintf("%s-%016llx%s%s", readable,
                     (unsigned long long)hash(shown), *credential ? "-" : "",
                     credential);
}
