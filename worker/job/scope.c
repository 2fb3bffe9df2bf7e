/* worker/job/scope.c - what conditions and templates of a job can see. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/scope.h"

#include "worker/job/egress.h"
#include "worker/sandbox/drivers.h"
#include "worker/sandbox/hostenv.h"

#include <string.h>

static const char *current_branch(const struct step_scope *scope)
{
    return scope->result->branch ? scope->result->branch : scope->start->branch;
}

static const char *current_commit(const struct job_start *start,
                                  const struct job_result *result)
{
    return *result->commit ? result->commit : start->commit;
}

/* Expressions use the words that users of CI know from elsewhere. */
static const char *const outcome_words[] = {
    [OUTCOME_PENDING] = NULL,          [OUTCOME_PASSED] = "success",
    [OUTCOME_FAILED] = "failure",      [OUTCOME_SKIPPED] = "skipped",
    [OUTCOME_CANCELLED] = "cancelled",
};

/* Conditions name a step as the pipeline does, before templates expand. */
static const char *step_outcome(const struct step_scope *scope,
                                const char *name)
{
    const struct pipeline *pipeline = scope->start->pipeline;

    for (size_t i = 0; i < pipeline->step_count; i++)
        if (!strcmp(pipeline->steps[i].name, name))
            return outcome_words[scope->result->steps[i].outcome];
    return NULL;
}

static const char *lookup(void *arg, const char *context, const char *name)
{
    const struct step_scope *scope = arg;
    const struct job_start *start = scope->start;

    if (!strcmp(context, "repo"))
        return start->repo_name;
    if (!strcmp(context, "commit"))
        return current_commit(start, scope->result);
    if (!strcmp(context, "branch"))
        return current_branch(scope);
    if (!strcmp(context, "change"))
        return start->change;
    if (!strcmp(context, "base"))
        return start->base;
    if (!strcmp(context, "trust"))
        return *start->trust ? start->trust : "member";
    if (!name)
        return NULL;
    if (!strcmp(context, "inputs"))
        return json_string_value(json_object_get(start->inputs, name));
    if (!strcmp(context, "matrix"))
        return json_string_value(json_object_get(start->matrix, name));
    if (!strcmp(context, "env"))
        return strv_getenv(scope->env, name);
    if (!strcmp(context, "steps"))
        return step_outcome(scope, name);
    return NULL;
}

struct expr_scope step_scope_expr(const struct step_scope *scope)
{
    return (struct expr_scope){
        .status = scope->status,
        .lookup = lookup,
        .arg = (void *)(uintptr_t)scope,
    };
}

static int add_list(const struct env_list *list, const struct step_scope *scope,
                    struct strv *env, struct err *err)
{
    struct expr_scope expr = step_scope_expr(scope);

    for (size_t i = 0; i < list->count; i++) {
        CLEANUP(mem) char *value = NULL;

        if (template_expand(list->items[i].value, &expr, &value, err) < 0)
            return err_wrap(err, "env '%s'", list->items[i].name);
        strv_setenv(env, list->items[i].name, value);
    }
    return 0;
}

static void add_given(const struct strv *given, struct strv *env)
{
    for (size_t i = 0; i < given->count; i++) {
        const char *equals = strchr(given->items[i], '=');
        CLEANUP(mem)
        char *name =
            xstrndup(given->items[i], (size_t)(equals - given->items[i]));

        strv_setenv(env, name, equals + 1);
    }
}

static void add_host(const struct pipeline *pipeline, struct strv *env)
{
    CLEANUP(hostenv) struct hostenv host = {0};
    CLEANUP(mem) char *image = NULL;
    const struct sandbox_driver *driver = &sandbox_oci;

    (void)!driver_chosen(&driver, NULL); /* else there is no sandbox */
    image = driver_image(driver, pipeline->image);
    hostenv_fill(image, egress_network(pipeline), &host);
    add_given(&host.env, env);
}

static void add_ci(const struct step_scope *scope, struct strv *env)
{
    const struct job_start *start = scope->start;

    strv_setenv(env, "CI", "true");
    strv_setenv(env, "BERTH", "true");
    strv_setenv(env, "CI_JOB_ID", start->job_id);
    strv_setenv(env, "CI_PIPELINE", start->pipeline->name);
    strv_setenv(env, "CI_REPO", start->repo_name);
    strv_setenv(env, "CI_COMMIT_SHA", current_commit(start, scope->result));
    strv_setenv(env, "CI_COMMIT_BRANCH", current_branch(scope));
    strv_setenv(env, "CI_COMMIT_MESSAGE",
                scope->result->subject ? scope->result->subject : "");
    strv_setenv(env, "CI_BASE_BRANCH", start->base);
    strv_setenv(env, "CI_CHANGE", start->change);
    strv_setenv(env, "CI_WORKSPACE", "/workspace");
}

int step_env(const struct job_start *start, const struct job_result *result,
             size_t index, enum expr_status status, struct strv *env,
             struct err *err)
{
    const struct pipeline *pipeline = start->pipeline;
    const struct step_scope scope = {start, result, status, env};

    add_host(pipeline, env);
    add_ci(&scope, env);
    if (add_list(&pipeline->sandbox_env, &scope, env, err) < 0 ||
        add_list(&pipeline->env, &scope, env, err) < 0)
        return -1;
    add_given(&start->env, env);
    if (add_list(&pipeline->steps[index].env, &scope, env, err) < 0)
        return -1;
    add_ci(&scope, env);
    return 0;
}
