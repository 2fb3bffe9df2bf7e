/* worker/supervisor/models.c - which models a job gets, and their keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/models.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/strbuf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX ((size_t)8 << 10)

/* NAME=value of what was taken out of the environment; lives as long as we. */
static struct strv taken;

static const char *text_of(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));

    return text ? text : "";
}

/* ---- keys ----------------------------------------------------------------
 */

void models_take_keys(const json_t *models)
{
    const json_t *model;
    size_t i;

    json_array_foreach(models, i, model)
    {
        const char *key = text_of(model, "key");
        char *value = strncmp(key, "env:", 4) == 0 ? getenv(key + 4) : NULL;

        if (!value)
            continue;
        strv_setenv(&taken, key + 4, value);
        mem_wipe(value, strlen(value));
        (void)unsetenv(key + 4);
    }
}

/* What a header can hold; a file's last line end is none of it. */
static int check_key(struct strbuf *key, const char *where, struct err *err)
{
    while (key->len && strchr(" \t\r\n", key->data[key->len - 1]))
        strbuf_cut(key, key->len - 1);
    if (!key->len)
        return err_set(err, ERR_USER, "there is no key in %.300s", where);
    for (size_t i = 0; i < key->len; i++)
        if (key->data[i] <= ' ' || key->data[i] > '~')
            return err_set(err, ERR_USER,
                           "what is in %.300s has more than one word", where);
    return 0;
}

static int read_key(const char *where, struct strbuf *out, struct err *err)
{
    const char *value;

    if (!strncmp(where, "file:", 5)) {
        if (file_read(where + 5, KEY_MAX, out, err) < 0)
            return -1;
        return check_key(out, where + 5, err);
    }
    value = strv_getenv(&taken, where + 4);
    if (!value)
        return err_set(err, ERR_USER, "the variable %.200s is not set",
                       where + 4);
    strbuf_adds(out, value);
    return check_key(out, where + 4, err);
}

static void set_key(json_t *model)
{
    struct strbuf key = STRBUF_MAX(KEY_MAX);
    struct err err = {0};
    const char *where = text_of(model, "key");

    if (*where && read_key(where, &key, &err) < 0) {
        log_warn("the model '%s': %s", text_of(model, "name"), err.msg);
        json_object_set_new(model, "unusable", json_string(err.msg));
        strbuf_cut(&key, 0);
    }
    json_object_set_new(model, "key", json_string(key.data));
    mem_wipe(key.data, key.len);
    strbuf_clear(&key);
}

/* ---- a job's --------------------------------------------------------------
 */

static const json_t *find(const json_t *models, const char *name)
{
    const json_t *model;
    size_t i;

    json_array_foreach(models, i, model)
    {
        if (!*name || !strcmp(text_of(model, "name"), name))
            return model;
    }
    return NULL;
}

static bool is_fork(const json_t *start)
{
    return strcmp(text_of(start, "trust"), "fork") == 0;
}

/* As the relay takes it: with the budget that this job has. */
static json_t *granted(const json_t *model, bool fork)
{
    static const char *const ours[] = {"fork_budget", "repository_budget",
                                       "day_budget"};
    json_t *copy = json_deep_copy(model);

    if (fork)
        json_object_set(copy, "budget", json_object_get(copy, "fork_budget"));
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        (void)json_object_del(copy, ours[i]);
    set_key(copy);
    return copy;
}

/* With its fallback, and that one's: each once. */
static void add(json_t *list, const json_t *models, const json_t *model,
                bool fork)
{
    const char *asked = text_of(model, "name");

    while (model && !find(list, text_of(model, "name"))) {
        const char *next = text_of(model, "fallback");

        json_array_append_new(list, granted(model, fork));
        model = *next ? find(models, next) : NULL;
    }
    if (*asked)
        json_object_set_new((json_t *)(uintptr_t)find(list, asked), "asked",
                            json_true());
}

/* What a step says: NULL: none; "": the usual one. */
static const char *wanted(const json_t *step)
{
    const json_t *opencode = json_object_get(step, "opencode");
    const json_t *model = json_object_get(opencode ? opencode : step, "model");

    if (json_is_object(model))
        return text_of(model, "name");
    if (json_is_true(model))
        return "";
    return json_string_value(model);
}

json_t *models_gather(const char *payload, const json_t *models)
{
    json_t *start = json_loads(payload, JSON_REJECT_DUPLICATES, NULL);
    const json_t *steps =
        json_object_get(json_object_get(start, "pipeline"), "steps");
    json_t *list = json_array();
    const json_t *step;
    size_t i;

    /* The usual one is the first: run-job knows it by that. */
    json_array_foreach(steps, i, step)
    {
        const char *name = wanted(step);

        if (name && !*name)
            add(list, models, find(models, ""), is_fork(start));
    }
    json_array_foreach(steps, i, step)
    {
        const char *name = wanted(step);

        if (name && *name)
            add(list, models, find(models, name), is_fork(start));
    }
    json_decref(start);
    if (json_array_size(list))
        return list;
    json_decref(list);
    return NULL;
}

void models_wipe(json_t *gathered)
{
    const json_t *model;
    size_t i;

    json_array_foreach(gathered, i, model)
    {
        const json_t *key = json_object_get(model, "key");

        mem_wipe((char *)(uintptr_t)json_string_value(key),
                 json_string_length(key));
    }
    json_decref(gathered);
}
