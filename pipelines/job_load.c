/* pipelines/job_load.c - the keys of job documents. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/job_load.h"

#include "base/suggest.h"
#include "base/utf8.h"
#include "base/yaml_value.h"
#include "pipelines/library.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOWER   "abcdefghijklmnopqrstuvwxyz"
#define LETTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

#define ADDRESS_MAX      2048 /* characters */
#define REF_MAX          255
#define PIPELINE_MAX     200
#define CHANGE_MAX       40
#define REPORT_MAX_NODES 500
#define REPORT_MAX_KEY   128 /* bytes */
#define REPORT_MAX_REPO  256
#define REPORT_MAX_NAME  200
/* What a double holds exactly, so that JSON does too. */
#define CHANGE_MAX_NUMBER 9007199254740991.0

static void set(char **field, const char *text)
{
    free(*field);
    *field = xstrdup(text);
}

/* No blanks, no control characters. */
static bool is_one_word(const char *s)
{
    size_t len = strlen(s), n;
    uint32_t c;

    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(s + i, len - i, &c);
        if (!n || c == ' ' || utf8_is_control(c))
            return false;
    }
    return len > 0;
}

void job_load_id(struct loader *l, const struct yaml_node *value, void *target)
{
    const char *s = value->text;

    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (*s == '-' || value->len > JOB_MAX_ID || s[strspn(s, LOWER DIGITS "-")])
        load_fail(l, value, NULL,
                  "an id has small letters, digits and -, the first none, at "
                  "most %d",
                  JOB_MAX_ID);
    else
        set(&((struct job_request *)target)->id, s);
}

/* ---- the pipeline ----------------------------------------------------------
 */

void job_load_kind(struct loader *l, const struct yaml_node *value,
                   void *target)
{
    struct job_request *r = target;
    const char *names[64] = {NULL};
    size_t i;

    for (i = 0; i < ARRAY_LEN(names) - 1 && library_name(i); i++)
        names[i] = library_name(i);
    if (!load_word(l, value, names, &i))
        return;
    r->source = JOB_KIND;
    set(&r->pipeline_name, names[i]);
}

/* NAME, or a path in the repository that ends with .yml or .yaml. */
static bool pipeline_name_ok(const char *s)
{
    size_t len = strlen(s);
    bool path = (len > 4 && !strcmp(s + len - 4, ".yml")) ||
                (len > 5 && !strcmp(s + len - 5, ".yaml"));

    if (s[strspn(s, LETTERS DIGITS "_.-/")] || *s == '-' || *s == '/')
        return false;
    if (!path && (strchr(s, '/') || strchr(s, '.')))
        return false;
    for (const char *part = s; part; part = strchr(part, '/')) {
        part += *part == '/';
        len = strcspn(part, "/");
        if (!len || (len <= 2 && !strncmp(part, "..", len)))
            return false;
    }
    return true;
}

bool job_is_pipeline_name(struct loader *l, const struct yaml_node *value)
{
    if (!load_is_line(l, value, PIPELINE_MAX))
        return false;
    if (pipeline_name_ok(value->text))
        return true;
    load_fail(l, value, NULL,
              "'%.60s' is neither the name of a pipeline (letters, digits, "
              "_ and -) nor the path of a .yml file in the repository",
              value->text);
    return false;
}

void job_load_pipeline(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct job_request *r = target;

    if (value->kind == NODE_MAP) {
        r->source = JOB_INLINE;
        r->document = load_document(l, value, NULL);
        return;
    }
    if (value->kind != NODE_STRING) {
        load_fail(l, value, NULL,
                  "a pipeline is a name, or a mapping with its steps, not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (!job_is_pipeline_name(l, value))
        return;
    r->source = JOB_PIPELINE;
    set(&r->pipeline_name, value->text);
}

/* ---- the repository --------------------------------------------------------
 */

static bool address_ok(const char *s)
{
    static const char *const schemes[] = {"https://", "http://", "ssh://",
                                          "git://", "file:///"};
    size_t len;

    if (!is_one_word(s))
        return false;
    if (*s == '/')
        return s[1] != '\0';
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        len = strlen(schemes[i]);
        if (!strncmp(s, schemes[i], len))
            return s[len] && s[len] != '/';
    }
    len = strspn(s, LETTERS DIGITS "._-"); /* git@host:path */
    if (!len || s[len] != '@' || *s == '-')
        return false;
    s += len + 1;
    len = strspn(s, LETTERS DIGITS ".-");
    return len && *s != '-' && s[len] == ':' && s[len + 1];
}

/* user:password in front of the host; for http the user may be a token. */
static bool has_password(const char *s)
{
    const char *host = strstr(s, "://");
    const char *at;

    host = host ? host + 3 : s;
    at = memrchr(host, '@', strcspn(host, "/"));
    return at &&
           (!strncmp(s, "http", 4) || memchr(host, ':', (size_t)(at - host)));
}

void job_load_repo(struct loader *l, const struct yaml_node *value,
                   void *target)
{
    if (!load_is_line(l, value, ADDRESS_MAX))
        return;
    if (*value->text != '/' && has_password(value->text))
        load_fail(
            l, value, NULL,
            "the address holds a password or a token, which everybody who "
            "sees the queue could read: leave it out, and let the worker "
            "have it");
    else if (address_ok(value->text))
        set(&((struct job_request *)target)->repo, value->text);
    else
        load_fail(l, value, NULL,
                  "'%.60s' is no repository: an address like "
                  "https://host/owner/name, git@host:owner/name, or an "
                  "absolute path",
                  value->text);
}

void job_load_commit(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (value->len != 40 || value->text[strspn(value->text, DIGITS "abcdef")])
        load_fail(l, value, NULL, "a commit has 40 hex digits, all of them");
    else
        set(&((struct job_request *)target)->commit, value->text);
}

/* git-check-ref-format(1), of one level or more. */
static void load_ref_name(struct loader *l, const struct yaml_node *value,
                          char **field)
{
    const char *s = value->text;

    if (!load_is_line(l, value, REF_MAX))
        return;
    if (!is_one_word(s) || strpbrk(s, "~^:?*[\\") || strstr(s, "..") ||
        strstr(s, "//") || strstr(s, "@{") || *s == '-' || *s == '/' ||
        s[value->len - 1] == '/' || s[value->len - 1] == '.')
        load_fail(l, value, NULL,
                  "'%.60s' cannot be the name of a branch or "
                  "ref",
                  s);
    else
        set(field, s);
}

void job_load_ref(struct loader *l, const struct yaml_node *value, void *target)
{
    load_ref_name(l, value, &((struct job_request *)target)->ref);
}

void job_load_branch(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    load_ref_name(l, value, &((struct job_request *)target)->branch);
}

void job_load_base(struct loader *l, const struct yaml_node *value,
                   void *target)
{
    load_ref_name(l, value, &((struct job_request *)target)->base);
}

void job_load_change(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct job_request *r = target;
    bool number = value->kind == NODE_INT || value->kind == NODE_FLOAT;

    if (number && value->number >= 1 && value->number <= CHANGE_MAX_NUMBER &&
        trunc(value->number) == value->number) {
        free(r->change);
        r->change = xasprintf("%.0f", value->number);
    } else if (value->kind == NODE_STRING && value->len &&
               value->len <= CHANGE_MAX && *value->text != '-' &&
               *value->text != '.' && *value->text != '_' &&
               !value->text[strspn(value->text, LETTERS DIGITS "._-")]) {
        set(&r->change, value->text);
    } else {
        load_fail(l, value, NULL,
                  "a change is the number of a pull or merge request");
    }
}

/* ---- values ----------------------------------------------------------------
 */

static bool value_ok(struct loader *l, const struct yaml_node *value)
{
    bool number = value->kind == NODE_INT || value->kind == NODE_FLOAT;

    if (value->kind == NODE_LIST || value->kind == NODE_MAP ||
        (number && !isfinite(value->number))) {
        load_fail(l, value, NULL, "a value is a text, a number, true or false");
        return false;
    }
    if (utf8_count(value->text, value->len) > LOAD_MAX_VALUE) {
        load_fail(l, value, NULL, "longer than %d characters", LOAD_MAX_VALUE);
        return false;
    }
    return true;
}

static void load_values(struct loader *l, const struct yaml_node *node,
                        const char *what, size_t max, struct env_list *out)
{
    bool inputs = max == JOB_MAX_INPUTS;

    if (node->kind == NODE_NULL)
        return;
    if (node->kind != NODE_MAP || node->count > max) {
        load_fail(l, node, NULL, "%s is a mapping of at most %zu values", what,
                  max);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *key = node->entries[i].key;
        const struct yaml_node *value = node->entries[i].value;

        if ((inputs ? load_is_key(l, key, "the name of an input")
                    : load_is_variable(l, key)) &&
            value_ok(l, value))
            env_list_set(out, key->text,
                         value->kind == NODE_NULL ? "" : value->text);
    }
}

void job_load_inputs(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    load_values(l, value, "inputs", JOB_MAX_INPUTS,
                &((struct job_request *)target)->inputs);
}

void job_load_env(struct loader *l, const struct yaml_node *value, void *target)
{
    load_values(l, value, "env", LOAD_MAX_ENV,
                &((struct job_request *)target)->env);
}

/* ---- dedupe, report --------------------------------------------------------
 */

static void load_dedupe_key(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    if (load_is_line(l, value, LOAD_MAX_NAME))
        set(&((struct job_request *)target)->dedupe_key, value->text);
}

static void load_dedupe_ttl(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    (void)load_duration(l, value, &((struct job_request *)target)->dedupe_ms);
}

static const struct key_rule dedupe_keys[] = {
    {"key", load_dedupe_key, true, 0},
    {"ttl", load_dedupe_ttl, false, 0},
};

static const struct map_rules dedupe_rules = {
    "dedupe", dedupe_keys, ARRAY_LEN(dedupe_keys), NULL, 0,
};

void job_load_dedupe(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    ((struct job_request *)target)->dedupe_ms = JOB_DEDUPE_MS;
    if (value->kind == NODE_MAP)
        load_map(l, value, &dedupe_rules, 0, target);
    else
        load_dedupe_key(l, value, target);
}

/* The first key that is too long for a mapping written on one line, as JSON
 * is: YAML looks no further for a colon. At most REPORT_MAX_NODES are seen. */
static const struct yaml_node *long_key(const struct yaml_node *node)
{
    const struct yaml_node *found = NULL;

    for (size_t i = 0; i < node->count && !found; i++) {
        const struct yaml_node *key =
            node->kind == NODE_MAP ? node->entries[i].key : NULL;

        if (key && key->len > REPORT_MAX_KEY)
            found = key;
        else
            found = long_key(key ? node->entries[i].value : node->items[i]);
    }
    return found;
}

static bool is_repo(const struct yaml_node *value)
{
    static const char others[] = "._~-/";

    for (size_t i = 0; i < value->len; i++)
        if (!isalnum((unsigned char)value->text[i]) &&
            !strchr(others, value->text[i]))
            return false;
    return value->len && value->len <= REPORT_MAX_REPO &&
           memchr(value->text, '/', value->len);
}

static bool is_commit(const struct yaml_node *value)
{
    return (value->len == 40 || value->len == 64) &&
           strspn(value->text, "0123456789abcdef") == value->len;
}

static bool is_name(const struct yaml_node *value)
{
    for (size_t i = 0; i < value->len; i++)
        if ((unsigned char)value->text[i] < ' ')
            return false;
    return value->len && value->len <= REPORT_MAX_NAME;
}

static bool is_number(const struct yaml_node *value)
{
    if (value->kind == NODE_INT) /* which may be written as 0x2a */
        return value->number >= 0 && value->number < 1e15;
    return value->len && value->len <= 15 &&
           strspn(value->text, "0123456789") == value->len;
}

/* What is known of the other keys; the host may want more of them. */
static const struct {
    const char *key;
    enum yaml_kind kind, also;
    bool (*is_good)(const struct yaml_node *value); /* NULL: any */
    const char *wanted;
} report_keys[] = {
    {"repo", NODE_STRING, NODE_STRING, is_repo, "owner/name"},
    {"commit", NODE_STRING, NODE_STRING, is_commit,
     "40 or 64 hexadecimal digits, in quotes"},
    {"change", NODE_STRING, NODE_INT, is_number, "its number"},
    {"installation", NODE_INT, NODE_INT, is_number, "its number"},
    {"name", NODE_STRING, NODE_STRING, is_name, "a line of 1 to 200 bytes"},
    {"fork", NODE_BOOL, NODE_BOOL, NULL, "true or false"},
};

static bool check_report(struct loader *l, const struct yaml_node *report)
{
    for (size_t i = 0; i < ARRAY_LEN(report_keys); i++) {
        const struct yaml_node *value =
            yaml_node_get(report, report_keys[i].key);

        if (!value ||
            ((value->kind == report_keys[i].kind ||
              value->kind == report_keys[i].also) &&
             (!report_keys[i].is_good || report_keys[i].is_good(value))))
            continue;
        load_fail(l, value, NULL, "%s of report is %s", report_keys[i].key,
                  report_keys[i].wanted);
        return false;
    }
    return true;
}

void job_load_report(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct job_request *r = target;
    const struct yaml_node *forge = yaml_node_get(value, "forge");

    if (value->kind != NODE_MAP) {
        load_fail(l, value, NULL, "report is a mapping ({forge: …}), not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (value->weight > REPORT_MAX_NODES ||
        value->weight_bytes > JOB_MAX_REPORT_BYTES) {
        load_fail(l, value, NULL,
                  "report holds more than %d values or 16 KiB of text",
                  REPORT_MAX_NODES);
        return;
    }
    if (long_key(value)) {
        load_fail(l, long_key(value), NULL,
                  "a key of report has more than %d bytes", REPORT_MAX_KEY);
        return;
    }
    if (!forge) {
        load_fail(l, value, NULL, "report needs the key 'forge'");
        return;
    }
    if (forge->kind != NODE_STRING || !load_is_key(l, forge, "a forge")) {
        if (forge->kind != NODE_STRING)
            load_fail(l, forge, NULL, "a forge is a name, not %s",
                      yaml_kind_name(forge->kind));
        return;
    }
    if (!check_report(l, value))
        return;
    json_decref(r->report);
    r->report = yaml_node_to_json(value);
    if (!r->report)
        load_fail(l, value, NULL, "report holds a number without end");
}
