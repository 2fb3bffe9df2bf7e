/* base/config_value.c - one value of a config: parsed, shown, freed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_value.h"

#include "base/suggest.h"
#include "base/units.h"
#include "base/utf8.h"
#include "base/yaml_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is in a field ------------------------------------------------- */

int64_t config_numbers_get(const struct config_numbers *numbers,
                           const char *name, int64_t fallback)
{
    for (size_t i = 0; i < numbers->count; i++)
        if (!strcmp(numbers->items[i].name, name))
            return numbers->items[i].value;
    return fallback;
}

static void numbers_clear(struct config_numbers *numbers)
{
    for (size_t i = 0; i < numbers->count; i++)
        free(numbers->items[i].name);
    free(numbers->items);
    *numbers = (struct config_numbers){NULL, 0};
}

static void numbers_freep(struct config_numbers *numbers)
{
    numbers_clear(numbers);
}

static void numbers_add(struct config_numbers *numbers, const char *name,
                        int64_t value)
{
    numbers->items = xreallocarray(numbers->items, numbers->count + 1,
                                   sizeof(*numbers->items));
    numbers->items[numbers->count++] =
        (struct config_number){xstrdup(name), value};
}

void config_value_clear(const struct config_key *key, void *field)
{
    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
        if (*(char **)field && (key->flags & CONFIG_SECRET))
            mem_wipe(*(char **)field, strlen(*(char **)field));
        free(*(char **)field);
        *(char **)field = NULL;
        break;
    case CONFIG_LIST:
        strv_clear(field);
        break;
    case CONFIG_NUMBERS:
        numbers_clear(field);
        break;
    case CONFIG_BOOL:
        *(bool *)field = false;
        break;
    case CONFIG_WORD:
        *(size_t *)field = 0;
        break;
    case CONFIG_TREE:
        *(const struct yaml_node **)field = NULL;
        break;
    case CONFIG_INTEGER:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        *(int64_t *)field = 0;
        break;
    }
}

/* ---- from text ---------------------------------------------------------- */

static int check_text(const struct config_key *key, const char *text,
                      struct err *err)
{
    size_t len = strlen(text), n;
    uint32_t c;

    if (len > CONFIG_MAX_TEXT)
        return err_set(err, ERR_USER, "longer than %d bytes", CONFIG_MAX_TEXT);
    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        if (!n || utf8_is_control(c))
            return err_set(err, ERR_USER,
                           "not plain text: it holds control characters, or "
                           "is not UTF-8");
    }
    if (key->type == CONFIG_PATH && *text && *text != '/')
        return err_set(err, ERR_USER, "a path starts with /");
    return key->check ? key->check(text, err) : 0;
}

/* An item of a list, a name of a mapping: what can be parted by commas. */
static int check_item(const struct config_key *key, const char *text,
                      struct err *err)
{
    const char *never = key->flags & CONFIG_PAIRS ? ", \t" : ",= \t";

    if (!*text || strpbrk(text, never))
        return err_set(err, ERR_USER,
                       "a name is not empty, and has no blanks, commas or "
                       "equals signs");
    return check_text(key, text, err);
}

static void format_number(const struct config_key *key, int64_t value,
                          char out[DURATION_TEXT_SIZE])
{
    if (key->type == CONFIG_DURATION)
        (void)duration_format(value, out);
    else if (key->type == CONFIG_SIZE)
        (void)size_format((uint64_t)value, out);
    else
        (void)snprintf(out, DURATION_TEXT_SIZE, "%" PRId64, value);
}

static int check_range(const struct config_key *key, int64_t value,
                       struct err *err)
{
    char min[DURATION_TEXT_SIZE], max[DURATION_TEXT_SIZE];

    if (value >= key->min && (!key->max || value <= key->max))
        return 0;
    format_number(key, key->min, min);
    format_number(key, key->max, max);
    if (!key->max)
        return err_set(err, ERR_USER, "less than %s", min);
    return err_set(err, ERR_USER, "not between %s and %s", min, max);
}

static int parse_integer(const char *text, int64_t *out, struct err *err)
{
    size_t digits = strspn(*text == '-' ? text + 1 : text, "0123456789");
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    if (!digits || *end || errno)
        return err_set(err, ERR_USER, "not a whole number");
    return 0;
}

static int parse_number(const struct config_key *key, const char *text,
                        int64_t *out, struct err *err)
{
    uint64_t bytes = 0;
    int64_t value = 0;
    int rc;

    if (key->type == CONFIG_DURATION && !strcmp(text, "0s"))
        rc = 0; /* where the range allows it */
    else if (key->type == CONFIG_DURATION)
        rc = duration_parse(text, &value, err);
    else if (key->type == CONFIG_SIZE)
        rc = size_parse(text, &bytes, err);
    else
        rc = parse_integer(text, &value, err);
    if (key->type == CONFIG_SIZE)
        value = (int64_t)bytes;
    if (rc < 0 || check_range(key, value, err) < 0)
        return -1;
    *out = value;
    return 0;
}

static int parse_word(const struct config_key *key, const char *text,
                      size_t *out, struct err *err)
{
    CLEANUP(strbuf) struct strbuf list = STRBUF_MAX(400);

    for (size_t i = 0; key->words[i]; i++) {
        if (!strcmp(key->words[i], text)) {
            *out = i;
            return 0;
        }
        strbuf_addf(&list, "%s%s", i ? ", " : "", key->words[i]);
    }
    return err_set(err, ERR_USER, "not one of: %s", list.data);
}

static int add_item(const struct config_key *key, const char *item,
                    struct strv *list, struct err *err)
{
    if (check_item(key, item, err) < 0)
        return -1;
    if (list->count == CONFIG_MAX_ITEMS)
        return err_set(err, ERR_USER, "more than %d items", CONFIG_MAX_ITEMS);
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], item))
            return err_set(err, ERR_USER, "'%.100s' is there twice", item);
    strv_add(list, item);
    return 0;
}

static int add_number(const struct config_key *key, const char *name,
                      const char *text, struct config_numbers *numbers,
                      struct err *err)
{
    int64_t value;

    if (check_item(key, name, err) < 0)
        return -1;
    if (parse_number(key, text, &value, err) < 0)
        return err_wrap(err, "'%.100s'", name);
    if (numbers->count == CONFIG_MAX_ITEMS)
        return err_set(err, ERR_USER, "more than %d names", CONFIG_MAX_ITEMS);
    for (size_t i = 0; i < numbers->count; i++)
        if (!strcmp(numbers->items[i].name, name))
            return err_set(err, ERR_USER, "'%.100s' is there twice", name);
    numbers_add(numbers, name, value);
    return 0;
}

static int parse_list(const struct config_key *key, const char *text,
                      struct strv *out, struct err *err)
{
    CLEANUP(mem) char *copy = xstrdup(text);
    CLEANUP(strv) struct strv list = {0};
    char *save = NULL;

    for (char *item = strtok_r(copy, ", \t", &save); item;
         item = strtok_r(NULL, ", \t", &save))
        if (add_item(key, item, &list, err) < 0)
            return -1;
    strv_clear(out);
    *out = list;
    list = (struct strv){NULL, 0};
    return 0;
}

static int parse_numbers(const struct config_key *key, const char *text,
                         struct config_numbers *out, struct err *err)
{
    __attribute__((cleanup(numbers_freep))) struct config_numbers numbers = {0};
    CLEANUP(mem) char *copy = xstrdup(text);
    char *save = NULL;

    for (char *item = strtok_r(copy, ", \t", &save); item;
         item = strtok_r(NULL, ", \t", &save)) {
        char *value = strrchr(item, '=');

        if (!value)
            return err_set(err, ERR_USER,
                           "a mapping is written NAME=NUMBER,NAME=NUMBER");
        *value = '\0';
        if (add_number(key, item, value + 1, &numbers, err) < 0)
            return -1;
    }
    numbers_clear(out);
    *out = numbers;
    numbers = (struct config_numbers){NULL, 0};
    return 0;
}

int config_value_parse(const struct config_key *key, const char *text,
                       void *field, struct err *err)
{
    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
        if (check_text(key, text, err) < 0)
            return -1;
        config_value_clear(key, field);
        *(char **)field = xstrdup(text);
        return 0;
    case CONFIG_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return err_set(err, ERR_USER, "neither true nor false");
        *(bool *)field = *text == 't';
        return 0;
    case CONFIG_WORD:
        return parse_word(key, text, field, err);
    case CONFIG_LIST:
        return parse_list(key, text, field, err);
    case CONFIG_NUMBERS:
        return parse_numbers(key, text, field, err);
    case CONFIG_TREE:
        return err_set(err, ERR_USER, "only the file can set it");
    default:
        return parse_number(key, text, field, err);
    }
}

/* ---- from a file -------------------------------------------------------- */

/* What a key wants of YAML's kinds, and how that is called. */
static const struct {
    enum yaml_kind kind;
    const char *what;
} wanted[] = {
    [CONFIG_STRING] = {NODE_STRING, "a string"},
    [CONFIG_PATH] = {NODE_STRING, "a path"},
    [CONFIG_BOOL] = {NODE_BOOL, "true or false"},
    [CONFIG_INTEGER] = {NODE_INT, "a whole number"},
    [CONFIG_DURATION] = {NODE_STRING, "a duration like 90s, 30m or 1h30m"},
    [CONFIG_SIZE] = {NODE_STRING, "a size like 512MiB, 2GB or 64KiB"},
    [CONFIG_WORD] = {NODE_STRING, "a word"},
    [CONFIG_LIST] = {NODE_LIST, "a list"},
    [CONFIG_NUMBERS] = {NODE_MAP, "a mapping of names to whole numbers"},
};

/* Where errors of one value go. */
struct report {
    config_value_error_fn *fn;
    void *arg;
    const char *name; /* of the key */
};

static int fail(const struct report *r, const struct yaml_node *node,
                const char *hint, const char *what)
{
    CLEANUP(mem) char *message = xasprintf("'%s': %s", r->name, what);

    r->fn(r->arg, node, message, hint);
    return -1;
}

static int fail_kind(const struct report *r, const struct yaml_node *node,
                     const char *want)
{
    CLEANUP(mem)
    char *what =
        xasprintf("it is %s, not %s", want, yaml_kind_name(node->kind));

    return fail(r, node, NULL, what);
}

static int load_list(const struct config_key *key, const struct yaml_node *node,
                     struct strv *out, const struct report *r)
{
    CLEANUP(strv) struct strv list = {0};
    int rc = 0;

    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *item = node->items[i];
        struct err err = {0};

        if (item->kind != NODE_STRING)
            rc = fail_kind(r, item, "a list of strings");
        else if (add_item(key, item->text, &list, &err) < 0)
            rc = fail(r, item, NULL, err.msg);
    }
    if (rc < 0)
        return -1;
    strv_clear(out);
    *out = list;
    list = (struct strv){NULL, 0};
    return 0;
}

static int load_numbers(const struct config_key *key,
                        const struct yaml_node *node,
                        struct config_numbers *out, const struct report *r)
{
    __attribute__((cleanup(numbers_freep))) struct config_numbers numbers = {0};
    int rc = 0;

    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_entry *entry = &node->entries[i];
        struct err err = {0};

        if (entry->value->kind != NODE_INT)
            rc = fail_kind(r, entry->value, wanted[CONFIG_NUMBERS].what);
        else if (add_number(key, entry->key->text, entry->value->text, &numbers,
                            &err) < 0)
            rc = fail(r, entry->value, NULL, err.msg);
    }
    if (rc < 0)
        return -1;
    numbers_clear(out);
    *out = numbers;
    numbers = (struct config_numbers){NULL, 0};
    return 0;
}

static int load_scalar(const struct config_key *key,
                       const struct yaml_node *node, void *field,
                       const struct report *r)
{
    struct suggest meant = SUGGEST_INIT(node->text);
    struct err err = {0};

    if (config_value_parse(key, node->text, field, &err) == 0)
        return 0;
    for (size_t i = 0; key->type == CONFIG_WORD && key->words[i]; i++)
        suggest_offer(&meant, key->words[i]);
    return fail(r, node, meant.best, err.msg);
}

int config_value_load(const struct config_key *key,
                      const struct yaml_node *node, void *field,
                      config_value_error_fn *fn, void *arg)
{
    const struct report r = {fn, arg, key->name};

    if (key->type == CONFIG_TREE) {
        *(const struct yaml_node **)field = node;
        return 0;
    }
    if (node->kind == NODE_NULL)
        return fail(&r, node, NULL, "there is no value");
    if (node->kind != wanted[key->type].kind &&
        !(node->kind == NODE_INT && (key->flags & CONFIG_NUMERIC)))
        return fail_kind(&r, node, wanted[key->type].what);
    if (key->type == CONFIG_LIST)
        return load_list(key, node, field, &r);
    if (key->type == CONFIG_NUMBERS)
        return load_numbers(key, node, field, &r);
    return load_scalar(key, node, field, &r);
}

/* ---- to text ------------------------------------------------------------ */

static char *items_text(const struct config_key *key, const void *field)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    const struct strv *list = field;
    const struct config_numbers *numbers = field;

    if (key->type == CONFIG_LIST)
        for (size_t i = 0; i < list->count; i++)
            strbuf_addf(&out, "%s%s", i ? "," : "", list->items[i]);
    else
        for (size_t i = 0; i < numbers->count; i++)
            strbuf_addf(&out, "%s%s=%" PRId64, i ? "," : "",
                        numbers->items[i].name, numbers->items[i].value);
    return strbuf_take(&out);
}

char *config_value_text(const struct config_key *key, const void *field)
{
    char number[DURATION_TEXT_SIZE];

    switch (key->type) {
    case CONFIG_STRING:
    case CONFIG_PATH:
        return xstrdup(*(char *const *)field);
    case CONFIG_BOOL:
        return xstrdup(*(const bool *)field ? "true" : "false");
    case CONFIG_WORD:
        return xstrdup(key->words[*(const size_t *)field]);
    case CONFIG_LIST:
    case CONFIG_NUMBERS:
        return items_text(key, field);
    case CONFIG_TREE:
        return xstrdup("");
    default:
        format_number(key, *(const int64_t *)field, number);
        return xstrdup(number);
    }
}

json_t *config_value_json(const struct config_key *key, const void *field)
{
    const struct strv *list = field;
    const struct config_numbers *numbers = field;
    const struct yaml_node *node;
    CLEANUP(mem) char *text = NULL;
    json_t *json;

    switch (key->type) {
    case CONFIG_BOOL:
        return json_boolean(*(const bool *)field);
    case CONFIG_INTEGER:
        return json_integer(*(const int64_t *)field);
    case CONFIG_LIST:
        json = json_array();
        for (size_t i = 0; i < list->count; i++)
            json_array_append_new(json, json_string(list->items[i]));
        return json;
    case CONFIG_NUMBERS:
        json = json_object();
        for (size_t i = 0; i < numbers->count; i++)
            json_object_set_new(json, numbers->items[i].name,
                                json_integer(numbers->items[i].value));
        return json;
    case CONFIG_TREE:
        node = *(const struct yaml_node *const *)field;
        json = node ? yaml_node_to_json(node) : NULL;
        return json ? json : json_null();
    default:
        text = config_value_text(key, field);
        return json_string(text);
    }
}
