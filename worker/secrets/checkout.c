/* worker/secrets/checkout.c - what reads repositories, as a worker has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/secrets/checkout.h"

#include "base/glob.h"
#include "base/mem.h"
#include "worker/secrets/file.h"
#include "worker/secrets/store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define USER "x-access-token"

struct item {
    char *pattern;  /* owned, as the next two */
    char *file;     /* NULL: of the environment */
    char *value;    /* NULL: of a file, or there is none */
    char *variable; /* owned; its name */
};

struct checkout_credentials {
    struct item *items; /* owned */
    size_t count;
};

/* Where "=file:" or "=env:" is; patterns may have a '=' themselves. */
static const char *find_source(const char *text)
{
    const char *file = strstr(text, "=file:/");
    const char *env = strstr(text, "=env:");

    return file ? file : env && env[5] ? env : NULL;
}

int checkout_credential_check(const char *text, struct err *err)
{
    const char *source = find_source(text);
    CLEANUP(mem) char *pattern = NULL;
    const char *problem;

    if (!source || source == text)
        return err_set(err, ERR_USER,
                       "this is not PATTERN=file:/PATH or PATTERN=env:NAME");
    pattern = xstrndup(text, (size_t)(source - text));
    problem = glob_problem(pattern);
    return problem ? err_set(err, ERR_USER, "%s", problem) : 0;
}

static void take_variable(struct item *item)
{
    char *value = getenv(item->variable);

    item->value = value && *value ? xstrdup(value) : NULL;
    if (value)
        mem_wipe(value, strlen(value));
}

static void take_item(struct item *item, const char *text)
{
    const char *source = find_source(text);

    item->pattern = xstrndup(text, (size_t)(source - text));
    if (strncmp(source, "=file:", 6) == 0) {
        item->file = xstrdup(source + 6);
        return;
    }
    item->variable = xstrdup(source + 5);
}

struct checkout_credentials *checkout_credentials_new(const struct strv *items)
{
    struct checkout_credentials *c;

    if (!items->count)
        return NULL;
    c = xcalloc(1, sizeof(*c));
    c->items = xcalloc(items->count, sizeof(*c->items));
    for (size_t i = 0; i < items->count; i++)
        if (checkout_credential_check(items->items[i], NULL) == 0)
            take_item(&c->items[c->count++], items->items[i]);
    for (size_t i = 0; i < c->count; i++) {
        struct item *item = &c->items[i];

        /* One may stand for several patterns. */
        for (size_t k = 0; item->variable && k < i && !item->value; k++)
            if (c->items[k].variable && c->items[k].value &&
                strcmp(c->items[k].variable, item->variable) == 0)
                item->value = xstrdup(c->items[k].value);
        if (item->variable && !item->value)
            take_variable(item);
    }
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].variable)
            (void)unsetenv(c->items[i].variable);
    return c;
}

void checkout_credentials_free(struct checkout_credentials *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].pattern);
        free(c->items[i].file);
        free(c->items[i].variable);
        secret_free_value(c->items[i].value);
    }
    free(c->items);
    free(c);
}

static int read_item(const struct item *item, char **out_text, struct err *err)
{
    if (!item->file)
        *out_text = item->value ? xstrdup(item->value) : NULL;
    else if (secret_file_read(item->file, out_text, err) < 0)
        return -1;
    if (!*out_text)
        return err_set(err, ERR_USER, "there is no %s'%s'",
                       item->file ? "" : "variable ",
                       item->file ? item->file : item->variable);
    return 0;
}

static const struct item *find(const struct checkout_credentials *c,
                               const char *address)
{
    CLEANUP(mem) char *name = NULL;
    struct err ignored;

    if (!c || (strncasecmp(address, "https://", 8) != 0 &&
               strncasecmp(address, "http://", 7) != 0))
        return NULL;
    name = secret_repository(address, &ignored);
    for (size_t i = 0; name && i < c->count; i++)
        if (glob_match(c->items[i].pattern, name))
            return &c->items[i];
    return NULL;
}

int checkout_credentials_find(const struct checkout_credentials *c,
                              const char *address, char **out_username,
                              char **out_password, struct err *err)
{
    const struct item *item = find(c, address);
    char *text = NULL;
    size_t user;

    *out_username = *out_password = NULL;
    if (!item)
        return 0;
    if (read_item(item, &text, err) < 0)
        return err_wrap(err, "checkout.credentials");
    user = strcspn(text, ":");
    *out_username = text[user] ? xstrndup(text, user) : xstrdup(USER);
    *out_password = xstrdup(text[user] ? text + user + 1 : text);
    secret_free_value(text);
    return 0;
}
