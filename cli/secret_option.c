/* cli/secret_option.c - --secret of `berth run`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret_option.h"

#include "base/fd.h"
#include "base/strbuf.h"
#include "worker/secrets/store.h"

#include <stdlib.h>
#include <string.h>

static int add(json_t *secrets, const char *name, const char *value, size_t len,
               struct err *err)
{
    json_t *text;

    if (!len)
        return err_set(err, ERR_USER, "--secret %s: it is empty", name);
    if (len > SECRET_MAX_BYTES)
        return err_set(err, ERR_USER, "--secret %s: it is larger than %zu KiB",
                       name, SECRET_MAX_BYTES >> 10);
    text = strlen(value) == len ? json_string(value) : NULL;
    if (!text || json_object_set_new(secrets, name, text) < 0)
        return err_set(
            err, ERR_USER,
            "--secret %s: it is not text in UTF-8: give base64 of it", name);
    return 0;
}

static int add_file(json_t *secrets, const char *name, const char *path,
                    struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    int rc;

    if (file_read(path, SECRET_MAX_BYTES, &text, err) < 0)
        return err_wrap(err, "--secret %s", name);
    rc = add(secrets, name, text.data, text.len, err);
    if (text.len)
        mem_wipe(text.data, text.len);
    return rc;
}

/* No process that we start has it in its environment. */
static int add_variable(json_t *secrets, const char *name, struct err *err)
{
    char *value = getenv(name);

    if (!value)
        return err_set(err, ERR_USER,
                       "--secret %s: there is no such variable; for a file say "
                       "--secret %s=FILE",
                       name, name);
    if (add(secrets, name, value, strlen(value), err) < 0)
        return -1;
    mem_wipe(value, strlen(value));
    (void)unsetenv(name);
    return 0;
}

static int add_given(const struct strv *given, json_t *secrets, struct err *err)
{
    for (size_t i = 0; i < given->count; i++) {
        const char *text = given->items[i];
        size_t len = strcspn(text, "=");
        CLEANUP(mem) char *name = xstrndup(text, len);

        if (!secret_name_ok(name))
            return err_set(err, ERR_USER,
                           "--secret %.80s: a name has capital letters, "
                           "digits and _, and no digit first",
                           name);
        if (json_object_get(secrets, name))
            return err_set(err, ERR_USER, "--secret %s is there twice", name);
        if ((text[len] ? add_file(secrets, name, text + len + 1, err)
                       : add_variable(secrets, name, err)) < 0)
            return -1;
    }
    return 0;
}

static void say_missing(const struct pipeline *pipeline, const json_t *secrets,
                        json_t *missing)
{
    for (size_t i = 0; i < pipeline->step_count; i++) {
        const struct secret_list *list = &pipeline->steps[i].secrets;

        for (size_t k = 0; k < list->count; k++) {
            const char *name = list->items[k].name;
            CLEANUP(mem)
            char *why = xasprintf("the run was not given the secret '%s': say "
                                  "--secret %s=FILE, or --secret %s for the "
                                  "variable of that name",
                                  name, name, name);

            if (!json_object_get(secrets, name))
                json_object_set_new(missing, name, json_string(why));
        }
    }
}

int secret_options_add(const struct strv *given,
                       const struct pipeline *pipeline, json_t *message,
                       struct err *err)
{
    json_t *secrets = json_object();
    json_t *missing = json_object();

    json_object_set_new(message, "secrets", secrets);
    json_object_set_new(message, "secrets_missing", missing);
    if (add_given(given, secrets, err) < 0)
        return -1;
    say_missing(pipeline, secrets, missing);
    return 0;
}

void secret_options_wipe(json_t *message)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(message, "secrets"), name, value)
    {
        mem_wipe((char *)(uintptr_t)json_string_value(value),
                 json_string_length(value));
    }
}
