/* pipelines/load_cache.c - steps that keep directories for later jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

#define HOME "~/"

/* It is shown on a line of its own, and is to name something. */
static void load_key(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct step *step = target;

    if (!load_is_line(l, value, LOAD_MAX_CACHE_KEY))
        return;
    load_template(l, PLACE_STEP, value);
    free(step->cache.key);
    step->cache.key = xstrdup(value->text);
}

static void load_files(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_each(l, value, LOAD_MAX_PATTERNS, "patterns", load_pattern,
                    &((struct step *)target)->cache.files);
}

/* What is wrong with a directory below the workspace or home; NULL: nothing. */
static const char *path_problem(const char *path)
{
    if (strstr(path, "${{"))
        return "${{ }} is not expanded here";
    if (strpbrk(path, "*?["))
        return "it is no pattern: the whole directory is kept";
    if (*path == '~' && strncmp(path, HOME, strlen(HOME)) != 0)
        return "~ is the home directory, in front of a slash";
    if (*path == '~')
        path += strlen(HOME);
    if (*path == '~')
        return "a second ~ means nothing";
    if (*path == '/')
        return "it is relative to the workspace, or begins with ~/";
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");

        if (!len)
            return "it has no empty part and no slash at its end";
        if (!strncmp(part, "..", len) && len <= 2)
            return len == 1 ? "it names a directory, without '.'"
                            : "'..' leads out of the workspace";
        part += len;
        if (!*part)
            return NULL;
    }
}

static void load_kept_path(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    const char *problem;

    if (!load_is_line(l, value, LOAD_MAX_PATH))
        return;
    problem = path_problem(value->text);
    if (problem)
        load_fail(l, value, NULL, "no path of a directory to keep: %s",
                  problem);
    else
        strv_add(target, value->text);
}

static void load_paths(struct loader *l, const struct yaml_node *value,
                       void *target)
{
    (void)load_each(l, value, LOAD_MAX_CACHE_PATHS, "paths", load_kept_path,
                    &((struct step *)target)->cache.paths);
}

static void load_restore_key(struct loader *l, const struct yaml_node *value,
                             void *target)
{
    if (!load_is_line(l, value, LOAD_MAX_CACHE_KEY))
        return;
    load_template(l, PLACE_STEP, value);
    strv_add(target, value->text);
}

static void load_restore_keys(struct loader *l, const struct yaml_node *value,
                              void *target)
{
    (void)load_each(l, value, LOAD_MAX_RESTORE_KEYS, "keys", load_restore_key,
                    &((struct step *)target)->cache.restore_keys);
}

static const struct key_rule cache_keys[] = {
    {"key", load_key, true, 0},
    {"files", load_files, false, 0},
    {"paths", load_paths, true, 0},
    {"restore_keys", load_restore_keys, false, 0},
};

static const struct foreign_word cache_foreign[] = {
    {"path", "write paths"},
    {"restore-keys", "write restore_keys"},
    {"hash", "write files: their content is a part of the key"},
    {"policy", "it is restored at the step, and saved when the job has passed"},
    {"when", "it is saved when the job has passed; write if: for the step"},
    {"ttl", "the worker's cache.keep says how long it is kept"},
};

static const struct map_rules cache_rules = {
    "cache",
    cache_keys,
    ARRAY_LEN(cache_keys),
    cache_foreign,
    ARRAY_LEN(cache_foreign),
};

void load_cache(struct loader *l, const struct yaml_node *value, void *target)
{
    load_map(l, value, &cache_rules, 0, target);
}
