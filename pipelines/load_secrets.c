/* pipelines/load_secrets.c - which secrets a step is given, and how. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_rule.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LETTERS   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define SMALL     "abcdefghijklmnopqrstuvwxyz"
#define DIGITS    "0123456789"
#define MAX_FIELD 100 /* characters of the name of a field */
#define DIR_CHARS 100 /* of the name of a file */

/* ---- lists -----------------------------------------------------------------
 */

static void secret_clear(struct step_secret *secret)
{
    free(secret->name);
    free(secret->target);
    free(secret->header);
    free(secret->prefix);
}

void secret_list_clear(struct secret_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        secret_clear(&list->items[i]);
    free(list->items);
    *list = (struct secret_list){NULL, 0};
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static void secret_list_add(struct secret_list *list,
                            const struct step_secret *from)
{
    struct step_secret *secret;

    list->items =
        xreallocarray(list->items, list->count + 1, sizeof(*list->items));
    secret = &list->items[list->count++];
    *secret = *from;
    secret->name = copy(from->name);
    secret->target = copy(from->target);
    secret->header = copy(from->header);
    secret->prefix = copy(from->prefix);
}

/* With TLS, requests for port 80 are taken as well. */
static bool meets_port(const struct step_secret *a, const struct step_secret *b)
{
    return a->port == b->port || (!a->plain && !b->plain) ||
           (!a->plain && b->port == 80) || (!b->plain && a->port == 80);
}

/* Whether both go to the same place: only one of them can. */
static bool same_place(const struct step_secret *a, const struct step_secret *b)
{
    return a->form == b->form && !strcmp(a->target, b->target) &&
           (a->form != SECRET_INJECT || meets_port(a, b));
}

static bool same_value(const struct step_secret *a, const struct step_secret *b)
{
    return !strcmp(a->name, b->name) &&
           (a->form != SECRET_INJECT ||
            (!strcasecmp(a->header, b->header) &&
             !strcmp(a->prefix, b->prefix) && a->plain == b->plain));
}

void secret_list_inherit(struct secret_list *list,
                         const struct secret_list *from)
{
    size_t own = list->count;

    for (size_t i = 0; i < from->count; i++) {
        bool taken = false;

        for (size_t k = 0; k < own; k++)
            taken |= !strcmp(list->items[k].name, from->items[i].name) ||
                     same_place(&list->items[k], &from->items[i]);
        if (!taken)
            secret_list_add(list, &from->items[i]);
    }
}

/* ---- one entry -------------------------------------------------------------
 */

static void load_secret_name(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    struct step_secret *secret = target;
    CLEANUP(mem) char *hint = NULL;
    const char *s = value->text;

    if (!load_is_line(l, value, LOAD_MAX_KEY))
        return;
    if (!strchr(DIGITS, *s) && !s[strspn(s, LETTERS DIGITS "_")]) {
        free(secret->name);
        secret->name = xstrdup(s);
        return;
    }
    if (!strchr(DIGITS, *s) && !s[strspn(s, LETTERS SMALL DIGITS "_-")]) {
        hint = xstrdup(s);
        for (char *c = hint; *c; c++)
            *c = *c == '-'                ? '_'
                 : *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A')
                                          : *c;
    }
    load_fail(l, value, hint,
              "'%.60s' is not the name of a secret: capital letters, digits "
              "and _, and no digit first",
              s);
}

/* Two forms in one entry: the second is reported, and not taken. */
static bool takes_form(struct loader *l, const struct yaml_node *value,
                       struct step_secret *secret, enum secret_form form,
                       const char *target)
{
    if (secret->target) {
        load_fail(l, value, NULL,
                  "a secret is given in one way: env, file or inject");
        return false;
    }
    secret->form = form;
    secret->target = xstrdup(target);
    return true;
}

static void load_secret_env(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    if (load_is_line(l, value, LOAD_MAX_NAME) && load_is_variable(l, value))
        (void)takes_form(l, value, target, SECRET_ENV, value->text);
}

static void load_secret_file(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    const char *s = value->text;

    if (!load_is_line(l, value, DIR_CHARS))
        return;
    if (s[strspn(s, LETTERS SMALL DIGITS "._-")] || !strcmp(s, ".") ||
        !strcmp(s, ".."))
        load_fail(l, value, NULL,
                  "'%.60s' is not the name of a file (letters, digits, . _ "
                  "and -); it will be in %s",
                  s, PIPELINE_SECRETS_DIR);
    else
        (void)takes_form(l, value, target, SECRET_FILE, s);
}

static void load_optional(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    (void)load_bool(l, value, &((struct step_secret *)target)->optional);
}

/* ---- inject ----------------------------------------------------------------
 */

static void load_inject_host(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    struct step_secret *secret = target;
    const char *colon = strchr(value->text ? value->text : "", ':');
    char host[HOST_NAME_SIZE];
    struct err err = {0};
    size_t len;

    if (!load_is_line(l, value, LOAD_MAX_HOST))
        return;
    if (strstr(value->text, "://")) {
        load_fail(l, value, NULL,
                  "'%.60s': the name of a host alone, and its port: "
                  "example.org:8443",
                  value->text);
        return;
    }
    len = colon ? (size_t)(colon - value->text) : value->len;
    if (host_name_parse(value->text, len, host, &err) < 0 ||
        (colon &&
         host_port_parse(colon, value->len - len, &secret->port, &err) < 0))
        load_fail(l, value, NULL, "'%.60s': %s", value->text, err.msg);
    else
        (void)takes_form(l, value, secret, SECRET_INJECT, host);
}

static void load_inject_header(struct loader *l, const struct yaml_node *value,
                               void *target)
{
    /* What decides how a request is read, or is for the next hop alone. */
    static const char *const ours[] = {
        "Host",       "Content-Length", "Transfer-Encoding",
        "Connection", "Keep-Alive",     "Upgrade",
        "TE",         "Trailer",        "Expect"};
    struct step_secret *secret = target;
    const char *s = value->text;

    if (!load_is_line(l, value, MAX_FIELD))
        return;
    if (s[strspn(s, LETTERS SMALL DIGITS "-_")]) {
        load_fail(l, value, NULL,
                  "'%.60s' is not the name of a field: letters, digits, - "
                  "and _",
                  s);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (!strcasecmp(s, ours[i]) || !strncasecmp(s, "proxy-", 6)) {
            load_fail(l, value, NULL, "the field '%.60s' is the gateway's own",
                      s);
            return;
        }
    free(secret->header);
    secret->header = xstrdup(s);
}

static void load_inject_prefix(struct loader *l, const struct yaml_node *value,
                               void *target)
{
    struct step_secret *secret = target;

    if (!load_is_line(l, value, LOAD_MAX_PREFIX))
        return;
    if (strstr(value->text, "${{")) {
        load_fail(l, value, NULL, "a prefix is fixed, and holds no ${{ }}");
        return;
    }
    free(secret->prefix);
    secret->prefix = xstrdup(value->text);
}

static void load_inject_tls(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    bool tls = true;

    if (load_bool(l, value, &tls))
        ((struct step_secret *)target)->plain = !tls;
}

static const struct key_rule inject_keys[] = {
    {"host", load_inject_host, true, 0},
    {"header", load_inject_header, false, 0},
    {"prefix", load_inject_prefix, false, 0},
    {"tls", load_inject_tls, false, 0},
};

static const struct foreign_word inject_foreign[] = {
    {"hosts", "one entry is for one host: write host: NAME"},
    {"url", "write host: NAME, or host: NAME:PORT"},
    {"port", "write host: NAME:PORT"},
    {"value", "the value is the secret's; write prefix: TEXT for what "
              "stands before it"},
    {"format", "write prefix: TEXT"},
};

static const struct map_rules inject_rules = {
    "inject",
    inject_keys,
    ARRAY_LEN(inject_keys),
    inject_foreign,
    ARRAY_LEN(inject_foreign),
};

static void load_inject(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    struct step_secret *secret = target;

    load_map(l, value, &inject_rules, 0, secret);
    if (!secret->header)
        secret->header = xstrdup("Authorization");
    if (!secret->prefix)
        secret->prefix = xstrdup("");
    if (!secret->port)
        secret->port = secret->plain ? 80 : 443;
    /* A host that is wrong is no variable either. */
    if (!secret->target) {
        secret->target = xstrdup("");
        secret->form = SECRET_INJECT;
    }
}

/* ---- the list --------------------------------------------------------------
 */

static const struct key_rule secret_keys[] = {
    {"name", load_secret_name, true, 0},   {"env", load_secret_env, false, 0},
    {"file", load_secret_file, false, 0},  {"inject", load_inject, false, 0},
    {"optional", load_optional, false, 0},
};

static const struct foreign_word secret_foreign[] = {
    {"as", "write env: VARIABLE"},
    {"variable", "write env: VARIABLE"},
    {"path", "write file: NAME; it will be in " PIPELINE_SECRETS_DIR},
    {"target", "write file: NAME; it will be in " PIPELINE_SECRETS_DIR},
    {"host", "write inject: {host: NAME, header: NAME}"},
    {"header", "write inject: {host: NAME, header: NAME}"},
    {"value", "the worker's store has it; nothing secret stands in a pipeline"},
    {"required", "write optional: true for one that may be missing"},
};

static const struct map_rules secret_rules = {
    "a secret",
    secret_keys,
    ARRAY_LEN(secret_keys),
    secret_foreign,
    ARRAY_LEN(secret_foreign),
};

static void report_double(struct loader *l, const struct yaml_node *node,
                          const struct step_secret *secret)
{
    static const char *const what[] = {
        [SECRET_ENV] = "the variable",
        [SECRET_FILE] = "the file",
        [SECRET_INJECT] = "the host",
    };

    load_fail(l, node, NULL, "%s '%.60s' is there twice", what[secret->form],
              secret->target);
}

static void load_secret(struct loader *l, const struct yaml_node *node,
                        struct secret_list *list)
{
    struct step_secret secret = {0};
    bool failed = l->failed;

    l->failed = false;
    if (node->kind == NODE_MAP)
        load_map(l, node, &secret_rules, 0, &secret);
    else
        load_secret_name(l, node, &secret);
    /* By default it is a variable of its own name. */
    if (secret.name && !secret.target &&
        load_is_variable(l, node->kind == NODE_MAP ? yaml_node_get(node, "name")
                                                   : node))
        secret.target = xstrdup(secret.name);
    for (size_t i = 0; secret.target && !l->failed && i < list->count; i++)
        if (same_place(&list->items[i], &secret))
            report_double(l, node, &secret);
    if (!l->failed)
        secret_list_add(list, &secret);
    l->failed |= failed;
    secret_clear(&secret);
}

static void load_list(struct loader *l, const struct yaml_node *value,
                      struct secret_list *list)
{
    if (value->kind != NODE_LIST) {
        load_fail(l, value, NULL, "secrets is a list ([NAME]), not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (value->count > LOAD_MAX_SECRETS) {
        load_fail(l, value, NULL, "more than %d secrets", LOAD_MAX_SECRETS);
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        load_secret(l, value->items[i], list);
}

void load_step_secrets(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    load_list(l, value, &((struct step *)target)->secrets);
}

void load_job_secrets(struct loader *l, const struct yaml_node *value,
                      void *target UNUSED)
{
    struct secret_list inherited = l->pipeline->secrets;

    l->pipeline->secrets = (struct secret_list){NULL, 0};
    load_list(l, value, &l->pipeline->secrets);
    secret_list_inherit(&l->pipeline->secrets, &inherited);
    secret_list_clear(&inherited);
}

/* ---- what several keys say together ----------------------------------------
 */

/* Where an entry is written: in the step, in the job, or above that. */
static const struct yaml_node *place_of(const struct yaml_node *job,
                                        const struct yaml_node *step,
                                        const char *name)
{
    const struct yaml_node *lists[] = {yaml_node_get(step, "secrets"),
                                       yaml_node_get(job, "secrets")};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (size_t k = 0;
             lists[i] && lists[i]->kind == NODE_LIST && k < lists[i]->count;
             k++) {
            const struct yaml_node *item = lists[i]->items[k];
            const struct yaml_node *text =
                item->kind == NODE_MAP ? yaml_node_get(item, "name") : item;

            if (text && text->text && !strcmp(text->text, name))
                return item;
        }
    return step;
}

static bool is_listed(const struct pipeline *p,
                      const struct step_secret *secret)
{
    struct host_rule rule;
    struct err ignored;

    /* Which hosts a preset stands for is the worker's to know. */
    for (size_t i = 0; i < p->hosts.count; i++)
        if (network_is_preset(p->hosts.items[i]) ||
            (host_rule_parse(p->hosts.items[i], &rule, &ignored) == 0 &&
             host_rule_allows(&rule, secret->target, secret->port)))
            return true;
    return false;
}

static void check_inject(struct loader *l, const struct yaml_node *node,
                         const struct step_secret *secret)
{
    const struct pipeline *p = l->pipeline;
    bool usual = secret->port == 443 || secret->port == 80;
    CLEANUP(mem)
    char *entry =
        usual ? xstrdup(secret->target)
              : xasprintf("%s:%u", secret->target, (unsigned)secret->port);

    if (!*secret->target || is_listed(p, secret))
        return;
    load_fail(l, node, NULL,
              "the gateway that injects a secret is there with a list of "
              "hosts only, and goes to those: write `network: [%.100s]` below "
              "`sandbox:`",
              entry);
}

static void check_step(struct loader *l, const struct yaml_node *job,
                       const struct yaml_node *node, const struct step *step)
{
    if (step->secrets.count > LOAD_MAX_SECRETS)
        load_fail(l, node, NULL, "more than %d secrets, the job's among them",
                  LOAD_MAX_SECRETS);
    for (size_t i = 0; i < step->secrets.count; i++) {
        const struct step_secret *secret = &step->secrets.items[i];
        const struct yaml_node *place = place_of(job, node, secret->name);

        if (secret->form == SECRET_INJECT)
            check_inject(l, place, secret);
        if (secret->form == SECRET_ENV &&
            env_list_get(&step->env, secret->target))
            load_fail(l, place, NULL,
                      "the variable '%.60s' is in env of this step, too",
                      secret->target);
    }
}

/* Files and fields are there for all that runs: beside a step in the background
 * nothing else may be meant by them. */
static void check_pair(struct loader *l, const struct yaml_node *place,
                       const struct step *behind, const struct step *step)
{
    for (size_t i = 0; i < behind->secrets.count; i++)
        for (size_t k = 0; k < step->secrets.count; k++) {
            const struct step_secret *a = &behind->secrets.items[i];
            const struct step_secret *b = &step->secrets.items[k];

            if (a->form != SECRET_ENV && same_place(a, b) && !same_value(a, b))
                load_fail(l, place, NULL,
                          "'%.60s' is another secret in the step '%.60s', "
                          "which runs in the background beside this one",
                          b->target, behind->name);
        }
}

static void check_beside(struct loader *l, const struct yaml_node *list)
{
    const struct pipeline *p = l->pipeline;

    for (size_t i = 0; i < p->step_count; i++)
        for (size_t k = i + 1; p->steps[i].background && k < p->step_count; k++)
            check_pair(l, list->items[k], &p->steps[i], &p->steps[k]);
}

void load_finish_secrets(struct loader *l, const struct yaml_node *node)
{
    const struct yaml_node *list = yaml_node_get(node, "steps");
    struct pipeline *p = l->pipeline;

    if (!list || list->kind != NODE_LIST || load_is_hopeless(l))
        return;
    for (size_t i = 0; i < p->step_count && i < list->count; i++) {
        struct step *step = &p->steps[i];

        if (step->kind == STEP_RUN || step->kind == STEP_INSTALL)
            secret_list_inherit(&step->secrets, &p->secrets);
        check_step(l, node, list->items[i], step);
    }
    check_beside(l, list);
}

/* ---- as JSON ---------------------------------------------------------------
 */

static json_t *inject_json(const struct step_secret *secret)
{
    CLEANUP(mem)
    char *host =
        secret->port == (secret->plain ? 80 : 443)
            ? xstrdup(secret->target)
            : xasprintf("%s:%u", secret->target, (unsigned)secret->port);
    json_t *object =
        json_pack("{s:s, s:s}", "host", host, "header", secret->header);

    if (*secret->prefix)
        json_object_set_new(object, "prefix", json_string(secret->prefix));
    json_object_set_new(object, "tls", json_boolean(!secret->plain));
    return object;
}

json_t *secrets_to_json(const struct secret_list *list)
{
    static const char *const forms[] = {
        [SECRET_ENV] = "env",
        [SECRET_FILE] = "file",
        [SECRET_INJECT] = "inject",
    };
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const struct step_secret *secret = &list->items[i];
        json_t *object = json_pack("{s:s}", "name", secret->name);

        json_object_set_new(object, forms[secret->form],
                            secret->form == SECRET_INJECT
                                ? inject_json(secret)
                                : json_string(secret->target));
        if (secret->optional)
            json_object_set_new(object, "optional", json_true());
        json_array_append_new(array, object);
    }
    return array;
}
