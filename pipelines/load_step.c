/* pipelines/load_step.c - the steps of a pipeline. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"
#include "base/utf8.h"
#include "pipelines/expr.h"
#include "pipelines/load.h"
#include "pipelines/reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTO_NAME_MAX 60 /* characters of a command that name its step */

const char *const load_shells[] = {"sh",  "bash", "dash", "ash",
                                   "ksh", "zsh",  NULL};

/* What a step itself can end with; `always` is all of them. */
const char *const load_retry_reasons[] = {"step_failed",     "timed_out",
                                          "out_of_memory",   "disk_full",
                                          "checkout_failed", NULL};

/* ---- checkout, install, run ------------------------------------------------
 */

static void load_submodules(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    (void)load_bool(l, value, &((struct step *)target)->submodules);
}

static const struct key_rule checkout_keys[] = {
    {"submodules", load_submodules, false, 0},
};

static const struct foreign_word checkout_foreign[] = {
    {"ref", "the job says which commit it is for"},
    {"repository", "the job says which repository it is for"},
    {"fetch-depth", "the whole history is always there"},
    {"depth", "the whole history is always there"},
};

static const struct map_rules checkout_rules = {
    "checkout",
    checkout_keys,
    ARRAY_LEN(checkout_keys),
    checkout_foreign,
    ARRAY_LEN(checkout_foreign),
};

static void load_checkout(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    if (value->kind != NODE_NULL)
        load_map(l, value, &checkout_rules, 0, target);
}

static void load_install(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    static const char *const managers[] = {"npm", NULL};
    struct step *step = target;
    size_t i;

    if (value->kind == NODE_STRING &&
        (!strcmp(value->text, "yarn") || !strcmp(value->text, "pnpm")))
        load_fail(l, value, NULL,
                  "only npm is known to install; say  run: %s install",
                  value->text);
    else if (load_word(l, value, managers, &i))
        step->install = xstrdup(managers[i]);
}

/* A variable's name made from the last word of an expression. */
static void suggest_variable(const char *expr, size_t expr_len, char out[32])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t len = 0;

    for (const char *s = expr; s < expr + expr_len; s++) {
        if (*s == '.')
            len = 0;
        if (len < 31 && strchr(letters, *s))
            out[len++] = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
    }
    out[len] = '\0';
    if (!len)
        (void)snprintf(out, 32, "VALUE");
}

/* Shell code with a stranger's text in it is how CI systems get hijacked. */
static void refuse_template(struct loader *l, const struct yaml_node *value,
                            const char *open)
{
    const char *expr = open + 3 + strspn(open + 3, " ");
    const char *end = strstr(expr, "}}");
    size_t len = end && end - expr <= 60 ? (size_t)(end - expr) : 0;
    char variable[32];

    while (len && expr[len - 1] == ' ')
        len--;
    suggest_variable(expr, len, variable);
    load_fail_inside(l, value, (size_t)(open - value->text), NULL,
                     "${{ }} is refused in commands: a branch or a title could "
                     "inject shell code. Put it under env, as  %s: ${{ %.*s }}"
                     ", and write \"$%s\" here",
                     variable, len ? (int)len : 3, len ? expr : "…", variable);
}

static bool command_ok(struct loader *l, const struct yaml_node *value)
{
    const char *open;

    if (!load_is_string(l, value, YAML_MAX_SCALAR_BYTES))
        return false;
    if (!value->text[strspn(value->text, " \t\r\n")]) {
        load_fail(l, value, NULL, "a command must not be blank");
        return false;
    }
    open = strstr(value->text, "${{");
    if (open)
        refuse_template(l, value, open);
    return !open;
}

static void load_run(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct step *step = target;
    bool list = value->kind == NODE_LIST;
    size_t count = list ? value->count : 1;

    if (!count || count > LOAD_MAX_COMMANDS) {
        load_fail(l, value, NULL, "a step runs 1 to %d commands, not %zu",
                  LOAD_MAX_COMMANDS, count);
        return;
    }
    if (step->commands) /* both run and commands: reported already */
        return;
    step->commands = xcalloc(count, sizeof(*step->commands));
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *item = list ? value->items[i] : value;

        if (item->kind == NODE_BOOL) /* true and false are commands */
            step->commands[step->command_count++] =
                xstrdup(item->number != 0 ? "true" : "false");
        else if (command_ok(l, item))
            step->commands[step->command_count++] = xstrdup(item->text);
    }
}

/* ---- retry -----------------------------------------------------------------
 */

static unsigned retry_always(void)
{
    unsigned bits = 0;

    for (const char *const *name = load_retry_reasons; *name; name++)
        bits |= 1u << reason_find(*name);
    return bits;
}

static void load_retry_reason(struct loader *l, const struct yaml_node *value,
                              struct step_retry *retry)
{
    const char *words[8] = {"always"};
    size_t i;

    for (i = 0; load_retry_reasons[i]; i++)
        words[i + 1] = load_retry_reasons[i];
    if (value->kind == NODE_STRING && reason_find(value->text) > 0 &&
        reason_is_infrastructure((enum reason)reason_find(value->text)) &&
        strcmp(value->text, "checkout_failed") != 0)
        load_fail(l, value, NULL,
                  "'%s' is the infrastructure's fault, and retried unasked",
                  value->text);
    else if (load_word(l, value, words, &i))
        retry->when |= i ? 1u << reason_find(words[i]) : retry_always();
}

static void load_retry_when(struct loader *l, const struct yaml_node *value,
                            void *target)
{
    struct step_retry *retry = &((struct step *)target)->retry;

    if (value->kind != NODE_LIST) {
        load_retry_reason(l, value, retry);
        return;
    }
    if (!value->count || value->count > 16)
        load_fail(l, value, NULL, "1 to 16 reasons, not %zu", value->count);
    for (size_t i = 0; i < value->count && value->count <= 16; i++)
        load_retry_reason(l, value->items[i], retry);
}

static void load_retry_codes(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    struct step_retry *retry = &((struct step *)target)->retry;

    if (value->kind != NODE_LIST) {
        load_fail(l, value, NULL, "exit_codes is a list of numbers, not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (!value->count || value->count > ARRAY_LEN(retry->exit_codes)) {
        load_fail(l, value, NULL, "1 to %zu exit codes, not %zu",
                  ARRAY_LEN(retry->exit_codes), value->count);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        int *code = &retry->exit_codes[retry->exit_code_count];

        if (load_whole(l, value->items[i], 1, 255, code))
            retry->exit_code_count++;
    }
}

static void load_retry_max(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    struct step_retry *retry = &((struct step *)target)->retry;
    int max;

    if (load_whole(l, value, 0, LOAD_MAX_RETRIES, &max))
        retry->max = (unsigned)max;
}

static const struct key_rule retry_keys[] = {
    {"max", load_retry_max, true, 0},
    {"when", load_retry_when, false, 0},
    {"exit_codes", load_retry_codes, false, 0},
};

static const struct map_rules retry_rules = {
    "retry", retry_keys, ARRAY_LEN(retry_keys), NULL, 0,
};

static void load_retry(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct step *step = target;

    if (value->kind == NODE_MAP)
        load_map(l, value, &retry_rules, 0, step);
    else
        load_retry_max(l, value, step);
    if (!step->retry.when)
        step->retry.when = retry_always();
}

/* ---- the keys of a step ----------------------------------------------------
 */

static void load_step_name(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    struct step *step = target;

    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    load_template(l, PLACE_STEP, value);
    step->name = xstrdup(value->text);
}

static void load_if(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    struct step *step = target;

    free(step->condition);
    step->condition = load_condition(l, PLACE_STEP, value);
}

static void load_step_timeout(struct loader *l, const struct yaml_node *value,
                              void *target)
{
    (void)load_duration(l, value, &((struct step *)target)->timeout_ms);
}

static void load_step_env(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    load_env(l, value, &((struct step *)target)->env);
}

static void load_shell(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct step *step = target;
    size_t i;

    if (!load_word(l, value, load_shells, &i))
        return;
    free(step->shell);
    step->shell = xstrdup(load_shells[i]);
}

static void load_directory(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    struct step *step = target;

    if (load_is_path(l, value, "a working directory"))
        step->working_directory = xstrdup(value->text);
}

static void load_continue(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    (void)load_bool(l, value, &((struct step *)target)->continue_on_error);
}

#define RUN     (1u << STEP_RUN)
#define INSTALL (1u << STEP_INSTALL)

static const struct key_rule step_keys[] = {
    {"checkout", load_checkout, false, 0},
    {"install", load_install, false, 0},
    {"run", load_run, false, 0},
    {"commands", load_run, false, 0},
    {"write_file", load_write_file, false, 0},
    {"read_file", load_read_file, false, 0},
    {"artifacts", load_artifacts, false, 0},
    {"expose_port", load_expose_port, false, 0},
    {"cache", load_cache, false, 0},
    {"opencode", load_opencode, false, 0},
    {"name", load_step_name, false, 0},
    {"if", load_if, false, 0},
    {"timeout", load_step_timeout, false, 0},
    {"env", load_step_env, false, RUN | INSTALL},
    {"secrets", load_step_secrets, false, RUN | INSTALL},
    {"working-directory", load_directory, false, RUN | INSTALL},
    {"continue-on-error", load_continue, false, 0},
    {"retry", load_retry, false, 0},
    {"shell", load_shell, false, RUN},
    {"background", load_background, false, RUN},
    {"wait_for", load_wait_for, false, RUN},
    {"results", load_results, false, RUN},
    {"model", load_model, false, RUN},
};

static const struct foreign_word step_foreign[] = {
    {"uses", "there are no actions; a step says checkout, install or run"},
    {"with", "there are no actions; a step says checkout, install or run"},
    {"upload-artifact", "write artifacts: PATHS"},
    {"detach", "write background: true"},
    {"script", "write run"},
    {"cmd", "write run"},
    {"bash", "write run, and shell: bash"},
    {"id", "a step is known by its name: steps['NAME'].outcome"},
    {"when", "write if"},
    {"environment", "write env"},
    {"variables", "write env"},
    {"reports", "write results"},
    {"timeout-minutes", "write timeout: 30m"},
    {"cwd", "write working-directory"},
    {"dir", "write working-directory"},
    {"workdir", "write working-directory"},
    {"allow_failure", "write continue-on-error: true"},
    {"image", "the image is the same for all steps: sandbox: {image: …}"},
};

static const struct map_rules step_rules = {
    "a step",
    step_keys,
    ARRAY_LEN(step_keys),
    step_foreign,
    ARRAY_LEN(step_foreign),
};

/* ---- kinds and names -------------------------------------------------------
 */

/* `commands` is `run` by another name. */
static int kind_of_key(const char *key)
{
    if (!strcmp(key, "commands"))
        return STEP_RUN;
    for (int kind = 0; kind < STEP_KINDS; kind++)
        if (!strcmp(key, step_kind_name((enum step_kind)kind)))
            return kind;
    return -1;
}

/* The step's kind as a bit; 0, having reported, when it is not clear. */
static unsigned step_kind_of(struct loader *l, const struct yaml_node *node)
{
    const char *first = NULL;
    unsigned kind = 0;

    for (size_t k = 0; k < node->count; k++) {
        const struct yaml_node *key = node->entries[k].key;
        int found = kind_of_key(key->text);

        if (found < 0)
            continue;
        if (first) {
            load_fail(l, key, NULL,
                      "a step does one thing: '%s' and '%s' are two", first,
                      key->text);
            return 0;
        }
        first = key->text;
        kind = 1u << found;
    }
    if (!kind)
        load_fail(l, node, NULL,
                  "a step needs one of: checkout, install, run, write_file, "
                  "read_file, artifacts, expose_port, cache, opencode");
    return kind;
}

static bool name_taken(const struct loader *l, size_t total, const char *name)
{
    const struct pipeline *p = l->pipeline;

    for (size_t i = 0; i < total; i++)
        if (l->named[i] && !strcmp(l->named[i], name))
            return true;
    for (size_t i = 0; i < p->step_count; i++)
        if (!strcmp(p->steps[i].name, name))
            return true;
    return false;
}

/* The first line of a command, harmless and not long. */
static char *command_name(const char *command)
{
    struct strbuf name = STRBUF_INIT;
    size_t chars = 0, n;
    uint32_t c;

    command += strspn(command, " \t\r\n");
    for (; *command && *command != '\n'; command += n) {
        n = utf8_decode(command, strlen(command), &c);
        if (chars++ == AUTO_NAME_MAX) {
            strbuf_adds(&name, "…");
            break;
        }
        if (!n || utf8_is_control(c))
            strbuf_addc(&name, ' ');
        else
            strbuf_add(&name, command, n);
        n = n ? n : 1;
    }
    while (name.len && name.data[name.len - 1] == ' ')
        strbuf_cut(&name, name.len - 1);
    if (!name.len)
        strbuf_adds(&name, "run");
    return strbuf_take(&name);
}

/* The name of a step that was given none. Owned by the caller. */
static char *automatic_name(const struct step *step)
{
    switch (step->kind) {
    case STEP_RUN:
        return command_name(step->command_count ? step->commands[0] : "");
    case STEP_INSTALL:
        return xasprintf("install %s", step->install ? step->install : "");
    case STEP_WRITE_FILE:
        return xasprintf("write %s", step->path ? step->path : "");
    case STEP_READ_FILE:
        return xasprintf("read %s", step->path ? step->path : "");
    case STEP_ARTIFACTS:
        return xstrdup("artifacts");
    case STEP_EXPOSE_PORT:
        return xasprintf("expose port %u", step->port);
    case STEP_CACHE:
        return xasprintf("cache %s", step->cache.key ? step->cache.key : "");
    case STEP_OPENCODE:
        return xstrdup(step->opencode.output == OPENCODE_FINDINGS ? "review"
                                                                  : "opencode");
    default:
        return xstrdup("checkout");
    }
}

static void name_step(struct loader *l, struct step *step, size_t total)
{
    CLEANUP(mem) char *made = automatic_name(step);
    /* A path may be longer than a name. */
    CLEANUP(mem) char *name = command_name(made);

    for (unsigned n = 2; name_taken(l, total, step->name ? step->name : name);
         n++) {
        free(step->name);
        step->name = xasprintf("%s (%u)", name, n);
    }
    if (!step->name)
        step->name = STEAL(name);
}

/* What two keys say together. */
static void check_background(struct loader *l, const struct yaml_node *node,
                             const struct step *step)
{
    const struct pipeline *p = l->pipeline;
    size_t count = step->background;

    if (step->wait_for.kind != WAIT_NONE && !step->background)
        load_fail(l, yaml_node_get(node, "wait_for"), NULL,
                  "only a step with  background: true  is waited for");
    if (step->report_count && step->background)
        load_fail(l, yaml_node_get(node, "results"), NULL,
                  "a step in the background has no results: it does not end "
                  "before the job does");
    if (step->model.name && step->background)
        load_fail(l, yaml_node_get(node, "model"), NULL,
                  "a step in the background has no model");
    for (size_t i = 0; i < p->step_count; i++)
        count += p->steps[i].background;
    if (step->background && count > LOAD_MAX_BACKGROUND)
        load_fail(l, yaml_node_get(node, "background"), NULL,
                  "a job has %d steps in the background at most",
                  LOAD_MAX_BACKGROUND);
}

static void load_step(struct loader *l, const struct yaml_node *node,
                      size_t total)
{
    struct pipeline *p = l->pipeline;
    struct step *step = &p->steps[p->step_count];
    unsigned kind = 0;

    if (node->kind == NODE_MAP)
        kind = step_kind_of(l, node);
    step->shell = xstrdup("sh");
    step->mode = 0644;
    step->retention_ms = LOAD_RETENTION_MS;
    step->wait_for.timeout_ms = LOAD_WAIT_MS;
    for (int i = 0; i < STEP_KINDS; i++)
        if (kind & 1u << i)
            step->kind = (enum step_kind)i;
    if (node->kind == NODE_STRING && !strcmp(node->text, "checkout"))
        load_fail(l, node, "checkout:",
                  "a step is a mapping, and a key ends with a colon");
    else if (node->kind == NODE_STRING)
        load_fail(l, node, NULL, "a step is a mapping, like  run: %.60s",
                  node->text);
    else
        load_map(l, node, &step_rules, kind, step);
    check_background(l, node, step);
    if (!step->name)
        name_step(l, step, total);
    p->step_count++;
}

/* The names that steps are given, each once. */
static const char **given_names(struct loader *l, const struct yaml_node *list)
{
    const char **names = xcalloc(list->count + 1, sizeof(*names));

    for (size_t i = 0; i < list->count; i++) {
        const struct yaml_node *name = yaml_node_get(list->items[i], "name");

        if (!name || name->kind != NODE_STRING)
            continue;
        for (size_t k = 0; k < i; k++)
            if (names[k] && !strcmp(names[k], name->text)) {
                load_fail(l, name, NULL,
                          "the name '%.60s' is taken by an earlier step",
                          name->text);
                break;
            }
        names[i] = name->text;
    }
    return names;
}

void load_steps(struct loader *l, const struct yaml_node *value, void *target)
{
    CLEANUP(mem) const char **names = NULL;

    (void)target;
    if (value->kind != NODE_LIST) {
        load_fail(l, value, NULL, "steps is a list (- run: …), not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (!value->count || value->count > LOAD_MAX_STEPS) {
        load_fail(l, value, NULL, "a pipeline has 1 to %d steps, not %zu",
                  LOAD_MAX_STEPS, value->count);
        return;
    }
    names = given_names(l, value);
    l->named = names;
    l->pipeline->steps = xcalloc(value->count, sizeof(*l->pipeline->steps));
    for (size_t i = 0; i < value->count; i++)
        load_step(l, value->items[i], value->count);
    l->named = NULL;
    load_opencode_steps(l, value);
}
