/* worker/gateway/setup.c - what a gateway lets through. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/setup.h"

#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1000

static const struct {
    const char *key;
    size_t offset;
    uint64_t initial, min, max;
} numbers[] = {
    {"max_connections", offsetof(struct setup, max_connections), 128, 1, 400},
    {"max_rate", offsetof(struct setup, max_rate), 100, 1, 100000},
    {"max_bytes", offsetof(struct setup, max_bytes), 10ULL << 30, 1,
     1ULL << 60},
    {"head_ms", offsetof(struct setup, head_ms), 10000, 10, 600000},
    {"connect_ms", offsetof(struct setup, connect_ms), 15000, 10, 600000},
    {"idle_ms", offsetof(struct setup, idle_ms), 300000, 10, 86400000},
};

static int bad(struct err *err, const char *key)
{
    return err_set(err, ERR_BUG, "the gateway's '%s' is malformed", key);
}

static int take_numbers(struct setup *setup, const json_t *doc, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const json_t *value = json_object_get(doc, numbers[i].key);
        json_int_t n = json_integer_value(value);
        uint64_t number = value ? (uint64_t)n : numbers[i].initial;

        if (value && (!json_is_integer(value) || n < 0 ||
                      number < numbers[i].min || number > numbers[i].max))
            return bad(err, numbers[i].key);
        memcpy((char *)setup + numbers[i].offset, &number, sizeof(number));
    }
    return 0;
}

/* A list of at most LIST_MAX strings, which may be left out. */
static int take_list(const json_t *doc, const char *key, const json_t **out,
                     struct err *err)
{
    const json_t *list = json_object_get(doc, key);
    const json_t *entry;
    size_t i;

    *out = list;
    if (list && (!json_is_array(list) || json_array_size(list) > LIST_MAX))
        return bad(err, key);
    json_array_foreach(list, i, entry)
    {
        if (!json_is_string(entry) ||
            strlen(json_string_value(entry)) != json_string_length(entry))
            return bad(err, key);
    }
    return 0;
}

static int take_rules(const json_t *doc, const char *key,
                      struct host_rule **out, size_t *out_count,
                      struct err *err)
{
    const json_t *list, *entry;
    size_t i;

    if (take_list(doc, key, &list, err) < 0)
        return -1;
    *out = xcalloc(json_array_size(list) + 1, sizeof(**out));
    json_array_foreach(list, i, entry)
    {
        if (host_rule_parse(json_string_value(entry), &(*out)[i], err) < 0)
            return bad(err, key);
    }
    *out_count = json_array_size(list);
    return 0;
}

static int take_ranges(struct setup *setup, const json_t *doc, struct err *err)
{
    const json_t *list, *entry;
    size_t i;

    if (take_list(doc, "allow_addresses", &list, err) < 0)
        return -1;
    setup->allowed =
        xcalloc(json_array_size(list) + 1, sizeof(*setup->allowed));
    json_array_foreach(list, i, entry)
    {
        if (address_range_parse(json_string_value(entry), &setup->allowed[i],
                                err) < 0)
            return bad(err, "allow_addresses");
    }
    setup->allowed_count = json_array_size(list);
    return 0;
}

/* A value that would end its field, or the head, is refused. */
static bool is_field(const char *name, const char *value)
{
    if (!name || !value || !*name || strlen(name) > 100 ||
        strlen(value) > 16384)
        return false;
    for (; *name; name++)
        if (!((*name | 0x20) >= 'a' && (*name | 0x20) <= 'z') &&
            !(*name >= '0' && *name <= '9') && *name != '-' && *name != '_')
            return false;
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 || *value == 0x7f)
            return false;
    return true;
}

static int take_inject(struct setup_inject *inject, const json_t *entry,
                       struct err *err)
{
    const char *host = json_string_value(json_object_get(entry, "host"));
    const char *name = json_string_value(json_object_get(entry, "header"));
    const char *value = json_string_value(json_object_get(entry, "value"));
    const json_t *port = json_object_get(entry, "port");
    json_int_t number;

    inject->tls = !json_is_false(json_object_get(entry, "tls"));
    number = port ? json_integer_value(port) : inject->tls ? 443 : 80;
    if (!host || number < 1 || number > UINT16_MAX || !is_field(name, value) ||
        host_name_parse(host, strlen(host), inject->host, err) < 0)
        return bad(err, "inject");
    inject->port = (uint16_t)number;
    inject->header = xstrdup(name);
    inject->value = xstrdup(value);
    return 0;
}

static int take_injects(struct setup_injects *injects, const json_t *doc,
                        struct err *err)
{
    const json_t *list = json_object_get(doc, "inject"), *entry;
    size_t i;

    if (list && (!json_is_array(list) || json_array_size(list) > LIST_MAX))
        return bad(err, "inject");
    injects->items =
        xcalloc(json_array_size(list) + 1, sizeof(*injects->items));
    injects->count = json_array_size(list);
    json_array_foreach(list, i, entry)
    {
        if (take_inject(&injects->items[i], entry, err) < 0)
            return -1;
    }
    return 0;
}

int setup_injects_parse(const void *data, size_t len,
                        struct setup_injects *out_injects, struct err *err)
{
    json_t *doc = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
    struct setup_injects injects = {0};
    int rc = json_is_object(doc) ? take_injects(&injects, doc, err)
                                 : bad(err, "hold");

    json_decref(doc);
    if (rc == 0)
        *out_injects = injects;
    else
        setup_injects_clear(&injects);
    return rc;
}

void setup_injects_clear(struct setup_injects *injects)
{
    for (size_t i = 0; injects->items && i < injects->count; i++) {
        struct setup_inject *inject = &injects->items[i];

        free(inject->header);
        if (inject->value)
            mem_wipe(inject->value, strlen(inject->value));
        free(inject->value);
    }
    free(injects->items);
    *injects = (struct setup_injects){NULL, 0};
}

const struct setup_inject *
setup_injects_find(const struct setup_injects *injects,
                   const struct setup_inject *like)
{
    for (size_t i = 0; i < injects->count; i++) {
        const struct setup_inject *inject = &injects->items[i];

        if (!strcmp(inject->host, like->host) && inject->port == like->port &&
            inject->tls == like->tls && !strcmp(inject->header, like->header) &&
            !strcmp(inject->value, like->value))
            return inject;
    }
    return NULL;
}

static int take_all(struct setup *setup, const json_t *doc, struct err *err)
{
    const char *listed = json_string_value(json_object_get(doc, "listed"));

    setup->listed = xstrdup(listed ? listed : "");
    setup->tls = json_is_true(json_object_get(doc, "tls"));
    setup->narrowed = json_object_get(doc, "within") != NULL;
    if (!json_is_object(doc))
        return bad(err, "setup");
    if (take_numbers(setup, doc, err) < 0 ||
        take_rules(doc, "hosts", &setup->hosts, &setup->host_count, err) < 0 ||
        take_rules(doc, "within", &setup->within, &setup->within_count, err) <
            0 ||
        take_rules(doc, "own_hosts", &setup->own, &setup->own_count, err) < 0 ||
        take_ranges(setup, doc, err) < 0)
        return -1;
    return take_injects(&setup->injects, doc, err);
}

int setup_parse(const void *data, size_t len, struct setup **out_setup,
                struct err *err)
{
    CLEANUP(setup) struct setup *setup = xcalloc(1, sizeof(*setup));
    json_t *doc = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
    int rc = take_all(setup, doc, err);

    json_decref(doc);
    if (rc == 0)
        *out_setup = STEAL(setup);
    return rc;
}

void setup_free(struct setup *setup)
{
    if (!setup)
        return;
    setup_injects_clear(&setup->injects);
    free(setup->hosts);
    free(setup->within);
    free(setup->own);
    free(setup->allowed);
    free(setup->listed);
    free(setup);
}

static bool any_allows(const struct host_rule *rules, size_t count,
                       const char *host, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (host_rule_allows(&rules[i], host, port))
            return true;
    return false;
}

bool setup_lists(const struct setup *setup, const char *host, uint16_t port)
{
    return any_allows(setup->hosts, setup->host_count, host, port);
}

bool setup_is_own(const struct setup *setup, const char *host, uint16_t port)
{
    return any_allows(setup->own, setup->own_count, host, port);
}

bool setup_allows(const struct setup *setup, const char *host, uint16_t port)
{
    return setup_lists(setup, host, port) &&
           (!setup->narrowed ||
            any_allows(setup->within, setup->within_count, host, port));
}

const struct setup_inject *setup_find_inject(const struct setup *setup,
                                             const char *host, uint16_t port)
{
    for (size_t i = 0; i < setup->injects.count; i++) {
        const struct setup_inject *inject = &setup->injects.items[i];

        if (strcmp(inject->host, host) == 0 &&
            (inject->port == port || (inject->tls && port == 80)))
            return inject;
    }
    return NULL;
}
