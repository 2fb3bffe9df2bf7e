/* worker/job/expand.c - a step's texts, with what ${{ }} stands for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/expand.h"

#include "worker/job/scope.h"
#include "worker/sandbox/hostenv.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 200

/* A template can make any length of it: results are bounded. */
static void cut_name(char *name)
{
    size_t len = strnlen(name, NAME_MAX_BYTES + 1);

    if (len <= NAME_MAX_BYTES)
        return;
    for (len = NAME_MAX_BYTES; len && (name[len] & 0xc0) == 0x80;)
        len--;
    name[len] = '\0';
}

/* Takes the place of what `*out` was. */
static int expand(const char *text, const struct expr_scope *expr, char **out,
                  struct err *err)
{
    char *expanded = NULL;

    if (template_expand(text ? text : "", expr, &expanded, err) < 0)
        return -1;
    free(*out);
    *out = expanded;
    return 0;
}

static int expand_list(const struct strv *texts, const struct expr_scope *expr,
                       struct strv *out, struct err *err)
{
    strv_clear(out);
    for (size_t i = 0; i < texts->count; i++) {
        CLEANUP(mem) char *text = NULL;

        if (expand(texts->items[i], expr, &text, err) < 0)
            return -1;
        strv_add(out, text);
    }
    return 0;
}

/* Secrets are among it (worker/job/grants.h). */
static void wipe_env(struct strv *env)
{
    for (size_t i = 0; i < env->count; i++)
        mem_wipe(env->items[i], strlen(env->items[i]));
    strv_clear(env);
}

int expand_step(const struct job_start *start, struct job_result *result,
                size_t index, enum expr_status status, struct expanded *out,
                struct err *err)
{
    const struct step *step = &start->pipeline->steps[index];
    const struct step_scope scope = {start, result, status, &out->env};
    struct expr_scope expr = step_scope_expr(&scope);
    CLEANUP(mem) char *below = NULL;

    wipe_env(&out->env);
    if (step_env(start, result, index, status, &out->env, err) < 0 ||
        expand(step->working_directory, &expr, &below, err) < 0 ||
        expand(step->path, &expr, &out->path, err) < 0 ||
        expand(step->content, &expr, &out->content, err) < 0 ||
        expand(step->cache.key, &expr, &out->key, err) < 0 ||
        expand_list(&step->cache.restore_keys, &expr, &out->restore_keys, err) <
            0 ||
        expand(step->name, &expr, &result->steps[index].name, err) < 0)
        return -1;
    cut_name(result->steps[index].name);
    free(out->cwd);
    if (*below == '/')
        out->cwd = xstrdup(below);
    else
        out->cwd =
            xasprintf("%s%s%s", SANDBOX_WORKSPACE, *below ? "/" : "", below);
    return 0;
}

void expanded_clear(struct expanded *expanded)
{
    wipe_env(&expanded->env);
    free(expanded->cwd);
    free(expanded->path);
    free(expanded->content);
    free(expanded->key);
    strv_clear(&expanded->restore_keys);
}
