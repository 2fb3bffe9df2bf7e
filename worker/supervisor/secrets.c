/* worker/supervisor/secrets.c - what has to be masked of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/secrets.h"

#include "base/log.h"
#include "worker/supervisor/models.h"

#include <stdint.h>
#include <string.h>

struct gathering {
    const char *job_id; /* borrowed */
    struct needles *needles;
    const json_t *inputs; /* borrowed; or NULL */
};

/* `API_TOKEN: ${{ inputs.tok }}`: it is the input's value that is secret. */
static void add_inputs_of(const struct gathering *g, const char *text)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)g->inputs, name, value)
    {
        const char *secret = json_string_value(value);

        if (secret && strstr(text, name) &&
            !needles_add(g->needles, secret, strlen(secret)))
            log_warn("job %s: the input '%s' is too short or too common to be "
                     "masked",
                     g->job_id, name);
    }
}

static void add_env(const struct gathering *g, const json_t *env)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)env, name, value)
    {
        const char *text = json_string_value(value);

        if (text && needles_is_secret_name(name) && strstr(text, "${{"))
            add_inputs_of(g, text);
        if (text && !needles_add_env(g->needles, name, text))
            log_warn("job %s: the value of '%s' is too short or too common to "
                     "be masked",
                     g->job_id, name);
    }
}

/* https://token@host has a user and no password. */
static void add_credential(const struct gathering *g, const json_t *object)
{
    const char *user = json_string_value(json_object_get(object, "username"));
    const char *password =
        json_string_value(json_object_get(object, "password"));
    const char *secret = password && *password ? password : user;

    if (secret && *secret && !needles_add(g->needles, secret, strlen(secret)))
        log_warn("job %s: the credential of its repository is too short or too "
                 "common to be masked",
                 g->job_id);
}

/* Also what is too short for other values is said, by its name. */
static void add_named(const struct gathering *g, const json_t *named)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)named, name, value)
    {
        const char *text = json_string_value(value);

        if (text && !needles_add(g->needles, text, strlen(text)))
            log_warn("job %s: the secret '%s' is too short or too common to be "
                     "masked",
                     g->job_id, name);
    }
}

/* No sandbox ever has them: this is for mistakes of ours. */
static void add_keys(const struct gathering *g, const json_t *models)
{
    const json_t *model;
    size_t i;

    json_array_foreach(models, i, model)
    {
        const json_t *key = json_object_get(model, "key");

        if (json_string_length(key))
            (void)!needles_add(g->needles, json_string_value(key),
                               json_string_length(key));
    }
}

static void add_object(const struct gathering *g, const json_t *object)
{
    add_credential(g, object);
    add_env(g, json_object_get(object, "env"));
    add_named(g, json_object_get(object, "secrets"));
    add_keys(g, json_object_get(object, "models"));
}

static void add_pipeline(const struct gathering *g, const json_t *pipeline)
{
    const json_t *step;
    size_t i;

    add_env(g, json_object_get(pipeline, "env"));
    json_array_foreach(json_object_get(pipeline, "steps"), i, step)
        add_env(g, json_object_get(step, "env"));
}

struct mask *secrets_mask(const char *job_id, const char *payload,
                          const json_t *secrets)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    json_t *start = json_loads(payload, JSON_REJECT_DUPLICATES, NULL);
    const struct gathering g = {job_id, needles,
                                json_object_get(start, "inputs")};

    add_env(&g, g.inputs);
    add_object(&g, start);
    add_pipeline(&g, json_object_get(start, "pipeline"));
    if (secrets)
        add_object(&g, secrets);
    json_decref(start);
    return needles_count(needles) ? mask_new(needles) : NULL;
}

/* ---- what run-job gets --------------------------------------------------- */

struct looking {
    const char *job_id; /* borrowed, as the others */
    const struct secret_store *store;
    const char *repository; /* NULL: `err` says why */
    struct err err;
    json_t *found, *missing;
};

static void look_for(struct looking *l, const char *name)
{
    struct err err = l->err;
    char *value = NULL;

    if (json_object_get(l->found, name) || json_object_get(l->missing, name))
        return;
    if (l->repository &&
        secret_store_get(l->store, l->repository, name, &value, &err) == 0)
        json_object_set_new(l->found, name, json_string(value));
    else
        json_object_set_new(l->missing, name, json_string(err.msg));
    secret_free_value(value);
}

static void look_for_all(struct looking *l, const json_t *pipeline)
{
    const json_t *step, *secret;
    size_t i, k;

    json_array_foreach(json_object_get(pipeline, "steps"), i, step)
    {
        json_array_foreach(json_object_get(step, "secrets"), k, secret)
        {
            const char *name =
                json_string_value(json_object_get(secret, "name"));

            if (name && secret_name_ok(name))
                look_for(l, name);
        }
    }
}

static bool is_member(const json_t *start)
{
    const char *trust = json_string_value(json_object_get(start, "trust"));

    return trust && strcmp(trust, "member") == 0;
}

json_t *secrets_gather(const char *job_id, const char *payload,
                       const json_t *given, const struct secret_store *store)
{
    json_t *start = json_loads(payload, JSON_REJECT_DUPLICATES, NULL);
    json_t *all = given ? json_deep_copy(given) : json_object();
    const char *address = json_string_value(json_object_get(start, "repo"));
    struct looking l = {.job_id = job_id, .store = store};
    CLEANUP(mem) char *repository = NULL;

    if (store && !json_object_get(all, "secrets") && is_member(start)) {
        repository = secret_repository(address ? address : "", &l.err);
        l.repository = repository;
        l.found = json_object();
        l.missing = json_object();
        look_for_all(&l, json_object_get(start, "pipeline"));
        json_object_set_new(all, "secrets", l.found);
        json_object_set_new(all, "secrets_missing", l.missing);
    }
    json_decref(start);
    return all;
}

void secrets_free(json_t *secrets)
{
    json_t *found = json_object_get(secrets, "secrets");
    json_t *password = json_object_get(secrets, "password");
    const char *name;
    json_t *value;

    json_object_foreach(found, name, value)
    {
        mem_wipe((char *)(uintptr_t)json_string_value(value),
                 json_string_length(value));
    }
    mem_wipe((char *)(uintptr_t)json_string_value(password),
             json_string_length(password));
    models_wipe(json_incref(json_object_get(secrets, "models")));
    json_decref(secrets);
}

/* ---- results ------------------------------------------------------------- */

static bool is_ours(const char *key)
{
    static const char *const ours[] = {
        "id",     "state",  "reason", "kind",   "outcome",
        "commit", "driver", "stream", "stored", "instance_type"};

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcmp(key, ours[i]) == 0)
            return true;
    return false;
}

static void mask_value(const struct mask *mask, json_t *value)
{
    CLEANUP(strbuf) struct strbuf masked = STRBUF_INIT;
    const char *text = json_string_value(value);

    if (!text)
        return;
    mask_string(mask, text, strlen(text), &masked);
    /* A needle may be a part of a character. */
    if (strcmp(masked.data, text) != 0 &&
        json_string_set(value, masked.data) < 0)
        (void)json_string_set(value, "***");
}

void secrets_mask_result(const struct mask *mask, json_t *document)
{
    const char *key;
    json_t *value;
    size_t i;

    if (!mask)
        return;
    mask_value(mask, document);
    json_array_foreach(document, i, value) secrets_mask_result(mask, value);
    json_object_foreach(document, key, value)
    {
        if (!is_ours(key))
            secrets_mask_result(mask, value);
    }
}

void secrets_mask_frame(const struct mask *mask, const struct frame *frame,
                        struct strbuf *out)
{
    const char *text = (const char *)frame->data;
    json_t *document = mask ? json_loadb(text, frame->len, 0, NULL) : NULL;
    CLEANUP(mem) char *masked = NULL;

    secrets_mask_result(document ? mask : NULL, document);
    masked = document
                 ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(6))
                 : NULL;
    if (masked)
        strbuf_adds(out, masked);
    else
        mask_string(mask, text, frame->len, out);
    json_decref(document);
}
