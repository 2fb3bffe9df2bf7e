/* pipelines/pipeline.c - a whole pipeline, loaded and checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/pipeline.h"

#include "base/suggest.h"
#include "base/utf8.h"
#include "pipelines/diag.h"
#include "pipelines/expr.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS ((int64_t)60 * 60 * 1000)

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
    env_list_clear(&step->env);
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
    env_list_clear(&pipeline->sandbox_env);
    env_list_clear(&pipeline->env);
    free(pipeline);
}

/* ---- sandbox ---------------------------------------------------------------
 */

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

static void load_image(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    struct pipeline *p = target;

    if (!load_is_line(l, value, LOAD_MAX_PATH))
        return;
    if (strcmp(value->text, "host") != 0 && value->text[0] != '/') {
        load_fail(l, value,
                  suggest_distance(value->text, "host") < 3 ? "host" : NULL,
                  "'%.60s': an image is `host`, or the absolute path of a "
                  "directory with a root file system; names of OCI images are "
                  "not understood yet",
                  value->text);
        return;
    }
    if (value->text[0] == '/' && !is_clean_path(value->text)) {
        load_fail(l, value, NULL,
                  "an image's path has no empty part, no '.' and no '..'");
        return;
    }
    free(p->image);
    p->image = xstrdup(value->text);
}

static void load_network(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    static const char *const modes[] = {
        [NETWORK_NONE] = "none", [NETWORK_FULL] = "full", NULL};
    struct pipeline *p = target;
    size_t i;

    if (value->kind == NODE_LIST) {
        load_fail(l, value, NULL,
                  "a list of hosts is not understood yet; say `full`, or "
                  "`none`");
        return;
    }
    if (load_word(l, value, modes, &i))
        p->network = (enum network_mode)i;
}

static void load_sandbox_env(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    load_env(l, value, &((struct pipeline *)target)->sandbox_env);
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

/* ---- the document ----------------------------------------------------------
 */

static void load_name(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct pipeline *p = target;

    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (template_is(value->text)) {
        load_fail_inside(
            l, value, (size_t)(strstr(value->text, "${{") - value->text), NULL,
            "a pipeline's name is fixed, and holds no ${{ }}");
        return;
    }
    free(p->name);
    p->name = xstrdup(value->text);
}

static void load_description(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    struct pipeline *p = target;
    size_t n;
    uint32_t c;

    if (!load_is_string(l, value, LOAD_MAX_DESCRIPTION))
        return;
    for (size_t i = 0; i < value->len; i += n) {
        n = utf8_decode(value->text + i, value->len - i, &c);
        if (n && (!utf8_is_control(c) || c == '\n' || c == '\t'))
            continue;
        load_fail_inside(l, value, i, NULL,
                         "a control character in the description");
        return;
    }
    p->description = xstrdup(value->text);
}

static void load_sandbox(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    if (value->kind != NODE_NULL)
        load_map(l, value, &sandbox_rules, 0, target);
}

static void load_timeout(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    (void)load_duration(l, value, &((struct pipeline *)target)->timeout_ms);
}

static void load_job_env(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    load_env(l, value, &((struct pipeline *)target)->env);
}

static const struct key_rule pipeline_keys[] = {
    {"name", load_name, false, 0},
    {"description", load_description, false, 0},
    {"sandbox", load_sandbox, false, 0},
    {"timeout", load_timeout, false, 0},
    {"env", load_job_env, false, 0},
    {"steps", load_steps, true, 0},
};

static const struct foreign_word pipeline_foreign[] = {
    {"jobs", "a pipeline is one job: write its steps"},
    {"stages", "a pipeline is one job: write its steps"},
    {"pipeline", "write the keys at the top: name, sandbox, steps"},
    {"on", "what starts a pipeline is not said in it"},
    {"runs-on", "write sandbox: {instance_type: standard-1}"},
    {"image", "write sandbox: {image: …}"},
    {"instance_type", "write sandbox: {instance_type: …}"},
    {"network", "write sandbox: {network: …}"},
    {"environment", "write env"},
    {"variables", "write env"},
    {"timeout-minutes", "write timeout: 30m"},
    {"script", "write steps: [{run: …}]"},
    {"run", "write steps: [{run: …}]"},
};

static const struct map_rules pipeline_rules = {
    "a pipeline",
    pipeline_keys,
    ARRAY_LEN(pipeline_keys),
    pipeline_foreign,
    ARRAY_LEN(pipeline_foreign),
};

void load_pipeline(struct loader *l)
{
    const struct yaml_node *root = yaml_tree_root(l->tree);
    struct pipeline *p = l->pipeline;

    p->image = xstrdup("host");
    p->instance_type = instance_type_find("standard-1");
    p->timeout_ms = DEFAULT_TIMEOUT_MS;
    if (root->kind == NODE_NULL)
        load_fail(l, root, NULL, "the document is empty");
    else
        load_map(l, root, &pipeline_rules, 0, p);
}

/* ---- from text -------------------------------------------------------------
 */

static void add_diag(void *arg, struct yaml_pos pos, const char *message,
                     const char *hint)
{
    diag_list_add(arg, pos.line, pos.column, hint, "%s", message);
}

/* The file's base name without its ending, if that makes a name. */
static char *name_from_file(const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    const char *dot = strrchr(base, '.');
    size_t len = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    CLEANUP(mem) char *name = xstrndup(base, len);
    bool ok = name[strspn(name, " ")] && *name != '<' && /* not <stdin> */
              !template_is(name) && utf8_count(name, len) <= LOAD_MAX_NAME;

    for (size_t i = 0, n; ok && i < len; i += n) {
        uint32_t c;

        n = utf8_decode(name + i, len - i, &c);
        ok = n && !utf8_is_control(c);
    }
    return ok ? STEAL(name) : xstrdup("pipeline");
}

int pipeline_load(const char *file, const char *text, size_t len,
                  struct diag_list *diags, struct pipeline **out_pipeline)
{
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;
    CLEANUP(yaml_tree) struct yaml_tree *tree = NULL;
    struct loader l = {.on_error = add_diag, .arg = diags};

    diag_list_set_source(diags, file, text, len);
    tree = yaml_tree_parse(text, len, add_diag, diags);
    if (!tree)
        return -1;
    pipeline = xcalloc(1, sizeof(*pipeline));
    l.tree = tree;
    l.pipeline = pipeline;
    load_pipeline(&l);
    if (l.failed || !yaml_tree_is_sound(tree))
        return -1;
    if (!pipeline->name)
        pipeline->name = name_from_file(file);
    *out_pipeline = STEAL(pipeline);
    return 0;
}
