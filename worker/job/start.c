/* worker/job/start.c - what run-job is told to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/start.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define STRING_MAX 8192
#define ENV_MAX    512
#define VALUES_MAX 64

/* Every string field, where it goes and whether it may be left out. */
static const struct {
    const char *key;
    size_t offset;
    bool required;
} fields[] = {
    {"job_id", offsetof(struct job_start, job_id), true},
    {"repo", offsetof(struct job_start, repo), false},
    {"username", offsetof(struct job_start, username), false},
    {"whose", offsetof(struct job_start, whose), false},
    {"password", offsetof(struct job_start, password), false},
    {"credential", offsetof(struct job_start, credential), false},
    {"repo_name", offsetof(struct job_start, repo_name), false},
    {"commit", offsetof(struct job_start, commit), false},
    {"ref", offsetof(struct job_start, ref), false},
    {"branch", offsetof(struct job_start, branch), false},
    {"base", offsetof(struct job_start, base), false},
    {"change", offsetof(struct job_start, change), false},
    {"title", offsetof(struct job_start, title), false},
    {"description", offsetof(struct job_start, description), false},
    {"trust", offsetof(struct job_start, trust), false},
    {"runtime", offsetof(struct job_start, runtime), false},
    {"log_stream", offsetof(struct job_start, log_stream), false},
};

static char **field_of(struct job_start *start, size_t i)
{
    return (char **)(void *)((char *)start + fields[i].offset);
}

static int take_strings(struct job_start *start, const json_t *doc,
                        struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const json_t *value = json_object_get(doc, fields[i].key);

        if (!value && !fields[i].required) {
            *field_of(start, i) = xstrdup("");
            continue;
        }
        if (!json_is_string(value) || json_string_length(value) > STRING_MAX ||
            strlen(json_string_value(value)) != json_string_length(value))
            return err_set(err, ERR_USER, "'%s' must be a short string",
                           fields[i].key);
        *field_of(start, i) = xstrdup(json_string_value(value));
    }
    return 0;
}

static bool is_id(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return len && len <= 63 && !s[len] && s[0] != '-';
}

static int check(const struct job_start *start, struct err *err)
{
    size_t hex = strspn(start->commit, "0123456789abcdef");

    if (!is_id(start->job_id))
        return err_set(err, ERR_USER, "'job_id' must be [a-z0-9-]");
    if (start->commit[hex] || (hex && hex != 40))
        return err_set(err, ERR_USER, "'commit' must have 40 hex digits");
    if (*start->trust && strcmp(start->trust, "member") != 0 &&
        strcmp(start->trust, "fork") != 0)
        return err_set(err, ERR_USER, "'trust' must be member or fork");
    return 0;
}

static int take_env(struct job_start *start, const json_t *doc, struct err *err)
{
    json_t *env = json_object_get(doc, "env");
    const char *name;
    json_t *value;

    if (!env)
        return 0;
    if (!json_is_object(env) || json_object_size(env) > ENV_MAX)
        return err_set(err, ERR_USER, "'env' must be an object of strings");
    json_object_foreach(env, name, value)
    {
        if (!json_is_string(value) || strchr(name, '=') || !*name)
            return err_set(err, ERR_USER, "'env' must hold strings");
        strv_setenv(&start->env, name, json_string_value(value));
    }
    return 0;
}

/* `inputs` or `matrix`: an object of strings, empty when left out. */
static int take_values(const json_t *doc, const char *key, json_t **out,
                       struct err *err)
{
    json_t *values = json_object_get(doc, key);
    const char *name;
    json_t *value;

    if (values &&
        (!json_is_object(values) || json_object_size(values) > VALUES_MAX))
        return err_set(err, ERR_USER, "'%s' must be an object of strings", key);
    json_object_foreach(values, name, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_USER, "'%s' of %s must be a string", name,
                           key);
    }
    *out = values ? json_incref(values) : json_object();
    return 0;
}

/* The document's own copy goes at once. */
static int take_secrets(struct job_start *start, json_t *doc, struct err *err)
{
    json_t *secrets = json_object_get(doc, "secrets");
    json_t *missing = json_object_get(doc, "secrets_missing");
    const char *name;
    json_t *value;

    if ((secrets && !json_is_object(secrets)) ||
        (missing && !json_is_object(missing)))
        return err_set(err, ERR_USER, "'secrets' must be an object of strings");
    start->missing = json_incref(missing);
    start->secrets =
        xcalloc(json_object_size(secrets) + 1, sizeof(*start->secrets));
    json_object_foreach(secrets, name, value)
    {
        const char *text = json_string_value(value);

        if (!text || strlen(text) != json_string_length(value))
            return err_set(err, ERR_USER, "'secrets' must hold strings");
        if (!strcmp(start->trust, "member"))
            start->secrets[start->secret_count++] =
                (struct job_secret){xstrdup(name), xstrdup(text)};
        mem_wipe((char *)(uintptr_t)text, strlen(text));
    }
    return 0;
}

const char *job_start_secret(const struct job_start *start, const char *name)
{
    for (size_t i = 0; i < start->secret_count; i++)
        if (!strcmp(start->secrets[i].name, name))
            return start->secrets[i].value;
    return NULL;
}

const char *job_start_missing(const struct job_start *start, const char *name)
{
    return json_string_value(json_object_get(start->missing, name));
}

static int take_gateway(struct job_start *start, const json_t *doc,
                        struct err *err)
{
    static const char *const lists[] = {"allow_addresses", "fork_hosts"};
    json_t *gateway = json_object_get(doc, "gateway");
    json_t *inject = json_object_get(doc, "inject");

    if (inject && !json_is_array(inject))
        return err_set(err, ERR_USER, "'inject' must be a list");
    if (gateway && !json_is_object(gateway))
        return err_set(err, ERR_USER, "'gateway' must be an object");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const json_t *list = json_object_get(gateway, lists[i]);
        const json_t *word;
        size_t j;

        if (list && !json_is_array(list))
            return err_set(err, ERR_USER, "'%s' must be a list", lists[i]);
        json_array_foreach(list, j, word)
        {
            if (!json_is_string(word))
                return err_set(err, ERR_USER, "'%s' must hold strings",
                               lists[i]);
        }
    }
    start->inject = json_incref(inject);
    start->gateway = gateway ? json_incref(gateway) : json_object();
    return 0;
}

static int take_models(struct job_start *start, const json_t *doc,
                       struct err *err)
{
    json_t *models = json_object_get(doc, "models");

    if (models && !json_is_array(models))
        return err_set(err, ERR_USER, "'models' must be a list");
    start->models = json_incref(models);
    return 0;
}

static int take_previous(struct job_start *start, const json_t *doc,
                         struct err *err)
{
    json_t *previous = json_object_get(doc, "previous");

    if (previous && !json_is_object(previous))
        return err_set(err, ERR_USER, "'previous' must be an object");
    start->previous = json_incref(previous);
    return 0;
}

static void wipe_models(json_t *models)
{
    const json_t *model;
    size_t i;

    json_array_foreach(models, i, model)
    {
        const json_t *key = json_object_get(model, "key");

        mem_wipe((char *)(uintptr_t)json_string_value(key),
                 json_string_length(key));
    }
    json_decref(models);
}

int job_start_parse(const void *data, size_t len, struct job_start **out_start,
                    struct err *err)
{
    CLEANUP(job_start) struct job_start *start = xcalloc(1, sizeof(*start));
    json_error_t where;
    json_t *doc = json_loadb(data, len, JSON_REJECT_DUPLICATES, &where);
    int rc = -1;

    if (!json_is_object(doc)) {
        (void)err_set(err, ERR_USER, "the job is not a JSON object: %s",
                      where.text);
    } else {
        json_int_t epoch = json_integer_value(json_object_get(doc, "epoch"));

        start->epoch = epoch > 0 ? (uint64_t)epoch : 1;
        start->keep = json_is_true(json_object_get(doc, "keep"));
        rc = take_strings(start, doc, err);
        if (!rc)
            rc = check(start, err);
        if (!rc)
            rc = take_env(start, doc, err);
        if (!rc)
            rc = take_values(doc, "inputs", &start->inputs, err);
        if (!rc)
            rc = take_values(doc, "matrix", &start->matrix, err);
        if (!rc)
            rc = take_secrets(start, doc, err);
        if (!rc)
            rc = take_gateway(start, doc, err);
        if (!rc)
            rc = take_models(start, doc, err);
        if (!rc)
            rc = take_previous(start, doc, err);
        if (!rc)
            rc = pipeline_from_json(json_object_get(doc, "pipeline"),
                                    &start->pipeline, err);
    }
    json_decref(doc);
    if (rc < 0)
        return err_wrap(err, "cannot take the job");
    *out_start = STEAL(start);
    return 0;
}

void job_start_free(struct job_start *start)
{
    if (!start)
        return;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        free(*field_of(start, i));
    strv_clear(&start->env);
    for (size_t i = 0; i < start->secret_count; i++) {
        free(start->secrets[i].name);
        mem_wipe(start->secrets[i].value, strlen(start->secrets[i].value));
        free(start->secrets[i].value);
    }
    free(start->secrets);
    json_decref(start->missing);
    json_decref(start->previous);
    json_decref(start->inputs);
    json_decref(start->matrix);
    json_decref(start->inject);
    wipe_models(start->models);
    json_decref(start->gateway);
    pipeline_free(start->pipeline);
    free(start);
}
