/* pipelines/pipeline.c - a whole pipeline, loaded and checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/pipeline.h"

#include "base/host_rule.h"
#include "base/image_name.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "pipelines/diag.h"
#include "pipelines/expr.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS ((int64_t)60 * 60 * 1000)

const char *step_kind_name(enum step_kind kind)
{
    static const char *const names[] = {
        [STEP_CHECKOUT] = "checkout",
        [STEP_INSTALL] = "install",
        [STEP_RUN] = "run",
        [STEP_WRITE_FILE] = "write_file",
        [STEP_READ_FILE] = "read_file",
        [STEP_ARTIFACTS] = "artifacts",
        [STEP_EXPOSE_PORT] = "expose_port",
        [STEP_CACHE] = "cache",
        [STEP_OPENCODE] = "opencode",
    };

    return names[kind];
}

static void step_clear(struct step *step)
{
    for (size_t i = 0; i < step->command_count; i++)
        free(step->commands[i]);
    free(step->commands);
    free(step->name);
    free(step->condition);
    free(step->shell);
    free(step->working_directory);
    free(step->install);
    free(step->wait_for.text);
    for (size_t i = 0; i < step->report_count; i++)
        strv_clear(&step->reports[i].files);
    free(step->reports);
    free(step->path);
    free(step->content);
    strv_clear(&step->patterns);
    free(step->cache.key);
    strv_clear(&step->cache.files);
    strv_clear(&step->cache.paths);
    strv_clear(&step->cache.restore_keys);
    free(step->model.name);
    free(step->model.id);
    free(step->opencode.prompt_file);
    strv_clear(&step->opencode.paths);
    env_list_clear(&step->env);
    secret_list_clear(&step->secrets);
}

void pipeline_free(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    for (size_t i = 0; i < pipeline->step_count; i++)
        step_clear(&pipeline->steps[i]);
    free(pipeline->steps);
    free(pipeline->name);
    free(pipeline->description);
    free(pipeline->image);
    strv_clear(&pipeline->hosts);
    env_list_clear(&pipeline->sandbox_env);
    env_list_clear(&pipeline->env);
    secret_list_clear(&pipeline->secrets);
    free(pipeline);
}

/* ---- sandbox ---------------------------------------------------------------
 */

struct pipeline *pipeline_new(void)
{
    struct pipeline *p = xcalloc(1, sizeof(*p));

    p->image = xstrdup("host");
    p->instance_type = instance_type_find("standard-1");
    p->timeout_ms = DEFAULT_TIMEOUT_MS;
    return p;
}

static void env_inherit(struct env_list *env, const struct env_list *from)
{
    for (size_t i = 0; i < from->count; i++)
        env_list_set(env, from->items[i].name, from->items[i].value);
}

static void copy_hosts(struct strv *to, const struct strv *from)
{
    strv_clear(to);
    for (size_t i = 0; i < from->count; i++)
        strv_add(to, from->items[i]);
}

void pipeline_inherit(struct pipeline *p, const struct pipeline *from)
{
    free(p->image);
    p->image = xstrdup(from->image);
    p->custom_type = from->custom_type;
    p->instance_type = from->instance_type == &from->custom_type
                           ? &p->custom_type
                           : from->instance_type;
    p->network = from->network;
    copy_hosts(&p->hosts, &from->hosts);
    p->timeout_ms = from->timeout_ms;
    env_inherit(&p->sandbox_env, &from->sandbox_env);
    env_inherit(&p->env, &from->env);
    secret_list_inherit(&p->secrets, &from->secrets);
}

/* Parts between slashes, none of them empty, `.` or `..`. */
static bool is_clean_path(const char *path)
{
    for (const char *part = path; part; part = strchr(part, '/')) {
        size_t len = strcspn(++part, "/");

        if (!len || (len <= 2 && !strncmp(part, "..", len)))
            return false;
    }
    return true;
}

const char *image_problem(const char *image)
{
    if (!strcmp(image, "host"))
        return NULL;
    if (!strncmp(image, IMAGE_NAME_PREFIX, strlen(IMAGE_NAME_PREFIX)))
        return image_name_ok(image + strlen(IMAGE_NAME_PREFIX))
                   ? NULL
                   : "this is no name of an image in a registry";
    if (!strncmp(image, "oci:/", 5))
        image += 4;
    if (*image != '/')
        return "an image is `host`, the absolute path of a directory with a "
               "root file system, oci:DIRECTORY or docker://NAME";
    if (!is_clean_path(image))
        return "an image's path has no empty part, no '.' and no '..'";
    return NULL;
}

static const char *cell(void *arg, const char *context, const char *name)
{
    return strcmp(context, "matrix") ? NULL : env_list_get(arg, name);
}

/* An image with ${{ matrix.x }}: it must be one for each sibling. */
static void check_images(struct loader *l, const struct yaml_node *value)
{
    const struct matrix *matrix = l->job ? &l->job->matrix : NULL;

    load_template(l, PLACE_IMAGE, value);
    for (size_t i = 0; matrix && !l->failed && i < matrix->count; i++) {
        struct expr_scope scope = {EXPR_SUCCESS, cell, &matrix->rows[i]};
        CLEANUP(mem) char *image = NULL;
        const char *problem;
        struct err err = {0};

        if (template_expand(value->text, &scope, &image, &err) < 0)
            load_fail(l, value, NULL, "%s", err.msg);
        else if ((problem = image_problem(image)))
            load_fail(l, value, NULL, "'%.60s': %s", image, problem);
    }
}

static void load_image(struct loader *l, const struct yaml_node *value,
                       void *target UNUSED)
{
    bool template;
    const char *problem;

    if (!load_is_line(l, value, LOAD_MAX_PATH))
        return;
    template = template_is(value->text);
    problem = image_problem(value->text);
    /* What a matrix makes of it is looked at then. */
    if (problem && !(template && (*value->text == '$' ||
                                  !strncmp(value->text, IMAGE_NAME_PREFIX,
                                           strlen(IMAGE_NAME_PREFIX))))) {
        load_fail(l, value,
                  suggest_distance(value->text, "host") < 3 ? "host" : NULL,
                  "'%.60s': %s", value->text, problem);
        return;
    }
    if (template)
        check_images(l, value);
    free(l->pipeline->image);
    l->pipeline->image = xstrdup(value->text);
}

static const char *const network_presets[] = {"npm", NULL};

bool network_is_preset(const char *word)
{
    for (const char *const *preset = network_presets; *preset; preset++)
        if (!strcmp(word, *preset))
            return true;
    return false;
}

static void load_host(struct loader *l, const struct yaml_node *value)
{
    struct strv *hosts = &l->pipeline->hosts;
    struct suggest close = SUGGEST_INIT(value->text);
    struct host_rule rule;
    struct err err;

    if (!load_is_line(l, value, LOAD_MAX_HOST))
        return;
    if (network_is_preset(value->text) ||
        host_rule_parse(value->text, &rule, &err) == 0) {
        strv_add(hosts, value->text);
        return;
    }
    for (const char *const *preset = network_presets; *preset; preset++)
        suggest_offer(&close, *preset);
    load_fail(l, value, close.best, "'%.60s': %s", value->text, err.msg);
}

static void load_hosts(struct loader *l, const struct yaml_node *value)
{
    strv_clear(&l->pipeline->hosts);
    if (!value->count)
        load_fail(l, value, "none", "a list of hosts that is empty");
    if (value->count > LOAD_MAX_HOSTS)
        load_fail(l, value, NULL, "more than %d hosts", LOAD_MAX_HOSTS);
    for (size_t i = 0; i < value->count && i < LOAD_MAX_HOSTS; i++)
        load_host(l, value->items[i]);
    l->pipeline->network = NETWORK_HOSTS;
}

static void load_network(struct loader *l, const struct yaml_node *value,
                         void *target UNUSED)
{
    static const char *const words[] = {"none", "full", NULL};
    size_t i;

    if (value->kind == NODE_LIST) {
        load_hosts(l, value);
    } else if (load_word(l, value, words, &i)) {
        strv_clear(&l->pipeline->hosts);
        l->pipeline->network = i ? NETWORK_FULL : NETWORK_NONE;
    }
}

static void load_sandbox_env(struct loader *l, const struct yaml_node *value,
                             void *target UNUSED)
{
    load_env(l, value, &l->pipeline->sandbox_env);
}

static const struct key_rule sandbox_keys[] = {
    {"image", load_image, false, 0},
    {"instance_type", load_instance_type, false, 0},
    {"network", load_network, false, 0},
    {"env", load_sandbox_env, false, 0},
};

static const struct foreign_word sandbox_foreign[] = {
    {"memory", "write instance_type: {memory: 512MiB}"},
    {"cpu", "write instance_type: {cpu: 0.5}"},
    {"disk", "write instance_type: {disk: 2GB}"},
    {"size", "write instance_type: standard-1"},
    {"environment", "write env"},
};

static const struct map_rules sandbox_rules = {
    "sandbox",
    sandbox_keys,
    ARRAY_LEN(sandbox_keys),
    sandbox_foreign,
    ARRAY_LEN(sandbox_foreign),
};

void load_sandbox(struct loader *l, const struct yaml_node *value, void *target)
{
    if (value->kind != NODE_NULL)
        load_map(l, value, &sandbox_rules, 0, target);
}

void load_timeout(struct loader *l, const struct yaml_node *value,
                  void *target UNUSED)
{
    (void)load_duration(l, value, &l->pipeline->timeout_ms);
}

void load_job_env(struct loader *l, const struct yaml_node *value,
                  void *target UNUSED)
{
    load_env(l, value, &l->pipeline->env);
}
