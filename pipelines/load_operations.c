/* pipelines/load_operations.c - steps on files and ports, and behind others. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"
#include "base/utf8.h"
#include "pipelines/load.h"

#include <stdlib.h>
#include <string.h>

bool load_is_path(struct loader *l, const struct yaml_node *value,
                  const char *what)
{
    const char *part;

    if (!load_is_line(l, value, LOAD_MAX_PATH))
        return false;
    load_template(l, PLACE_STEP, value);
    if (value->text[0] == '/') {
        load_fail(l, value, NULL, "%s is relative to the workspace", what);
        return false;
    }
    for (part = value->text; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strcspn(part, "/") == 2 && part[0] == '.' && part[1] == '.') {
            load_fail_inside(l, value, (size_t)(part - value->text), NULL,
                             "'..' leads out of the workspace");
            return false;
        }
    }
    return true;
}

/* ---- write_file, read_file ------------------------------------------------
 */

static void load_path(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct step *step = target;

    if (!load_is_path(l, value, "the path"))
        return;
    if (value->text[value->len - 1] == '/') {
        load_fail(l, value, NULL, "this is a directory, not a file");
        return;
    }
    free(step->path); /* both write_file and read_file: reported already */
    step->path = xstrdup(value->text);
}

static void load_content(struct loader *l, const struct yaml_node *value,
                         void *target)
{
    struct step *step = target;

    if (value->kind == NODE_LIST || value->kind == NODE_MAP) {
        load_fail(l, value, NULL, "the content is a text, not %s",
                  yaml_kind_name(value->kind));
        return;
    }
    if (value->kind == NODE_STRING)
        load_template(l, PLACE_STEP, value);
    step->content = xstrdup(value->kind == NODE_NULL ? "" : value->text);
}

/* 0644 is a number to YAML, and 0o644 another: the digits are what counts. */
static void load_mode(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct step *step = target;
    bool scalar = value->kind == NODE_STRING || value->kind == NODE_INT;
    size_t len = scalar ? strspn(value->text, "01234567") : 0;

    if (len < 3 || len > 4 || value->text[len] ||
        (len == 4 && value->text[0] != '0'))
        load_fail(l, value, NULL,
                  "a mode has three octal digits, like \"644\" or \"755\"");
    else
        step->mode = (unsigned)strtoul(value->text, NULL, 8);
}

static const struct key_rule write_keys[] = {
    {"path", load_path, true, 0},
    {"content", load_content, true, 0},
    {"mode", load_mode, false, 0},
};

static const struct foreign_word write_foreign[] = {
    {"contents", "write content"},
    {"text", "write content"},
    {"file", "write path"},
    {"permissions", "write mode"},
};

static const struct map_rules write_rules = {
    "write_file",
    write_keys,
    ARRAY_LEN(write_keys),
    write_foreign,
    ARRAY_LEN(write_foreign),
};

void load_write_file(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    load_map(l, value, &write_rules, 0, target);
}

void load_read_file(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    load_path(l, value, target);
}

/* ---- artifacts ------------------------------------------------------------
 */

void load_pattern(struct loader *l, const struct yaml_node *value, void *target)
{
    const char *problem;

    if (!load_is_line(l, value, LOAD_MAX_PATH))
        return;
    problem = glob_problem(value->text);
    if (strstr(value->text, "${{"))
        problem = "${{ }} is not expanded here";
    if (problem)
        load_fail(l, value, NULL, "no pattern of paths in the workspace: %s",
                  problem);
    else
        strv_add(target, value->text);
}

bool load_each(struct loader *l, const struct yaml_node *value, size_t max,
               const char *what, load_fn *one, void *target)
{
    if (value->kind != NODE_LIST) {
        one(l, value, target);
        return true;
    }
    if (!value->count || value->count > max) {
        load_fail(l, value, NULL, "1 to %zu %s, not %zu", max, what,
                  value->count);
        return false;
    }
    for (size_t i = 0; i < value->count; i++)
        one(l, value->items[i], target);
    return true;
}

static void load_patterns(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    (void)load_each(l, value, LOAD_MAX_PATTERNS, "patterns", load_pattern,
                    &((struct step *)target)->patterns);
}

static void load_retention(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    (void)load_long_duration(l, value, LOAD_MAX_RETENTION_MS,
                             &((struct step *)target)->retention_ms);
}

static const struct key_rule artifacts_keys[] = {
    {"paths", load_patterns, true, 0},
    {"retention", load_retention, false, 0},
};

static const struct foreign_word artifacts_foreign[] = {
    {"path", "write paths"},
    {"expire_in", "write retention"},
    {"retention-days", "write retention: 7d"},
    {"name", "artifacts are known by their paths"},
};

static const struct map_rules artifacts_rules = {
    "artifacts",
    artifacts_keys,
    ARRAY_LEN(artifacts_keys),
    artifacts_foreign,
    ARRAY_LEN(artifacts_foreign),
};

void load_artifacts(struct loader *l, const struct yaml_node *value,
                    void *target)
{
    if (value->kind == NODE_MAP)
        load_map(l, value, &artifacts_rules, 0, target);
    else
        load_patterns(l, value, target);
}

/* ---- expose_port, background ----------------------------------------------
 */

static bool load_port(struct loader *l, const struct yaml_node *value,
                      unsigned *out)
{
    int port;

    if (!load_whole(l, value, 1, 65535, &port))
        return false;
    *out = (unsigned)port;
    return true;
}

void load_expose_port(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    (void)load_port(l, value, &((struct step *)target)->port);
}

void load_background(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    (void)load_bool(l, value, &((struct step *)target)->background);
}

/* One thing is waited for; false: reported. */
static bool wait_is_free(struct loader *l, const struct yaml_node *value,
                         const struct step_wait *wait)
{
    if (wait->kind != WAIT_NONE)
        load_fail(l, value, NULL, "one of port, log and http is waited for");
    return wait->kind == WAIT_NONE;
}

static void load_wait_port(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    struct step_wait *wait = &((struct step *)target)->wait_for;

    if (wait_is_free(l, value, wait) && load_port(l, value, &wait->port))
        wait->kind = WAIT_PORT;
}

static void load_wait_log(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    struct step_wait *wait = &((struct step *)target)->wait_for;

    if (!wait_is_free(l, value, wait) || !load_is_line(l, value, LOAD_MAX_NAME))
        return;
    wait->kind = WAIT_LOG;
    wait->text = xstrdup(value->text);
}

/* http://localhost:PORT/PATH, as people copy it. */
static void load_wait_http(struct loader *l, const struct yaml_node *value,
                           void *target)
{
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1"};
    struct step_wait *wait = &((struct step *)target)->wait_for;
    const char *rest = NULL;
    unsigned long port = 80;
    char *end = NULL;

    if (!wait_is_free(l, value, wait) || !load_is_line(l, value, LOAD_MAX_PATH))
        return;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (!strncmp(value->text, hosts[i], strlen(hosts[i])))
            rest = value->text + strlen(hosts[i]);
    if (rest && *rest == ':' && rest[1] >= '0' && rest[1] <= '9') {
        port = strtoul(rest + 1, &end, 10);
        rest = end;
    }
    if (!rest || (*rest && *rest != '/') || strpbrk(rest, " #") || port < 1 ||
        port > 65535) {
        load_fail(l, value, NULL,
                  "this is an address inside, like "
                  "http://localhost:3000/health");
        return;
    }
    wait->kind = WAIT_HTTP;
    wait->port = (unsigned)port;
    wait->text = xstrdup(*rest ? rest : "/");
}

static void load_wait_timeout(struct loader *l, const struct yaml_node *value,
                              void *target)
{
    (void)load_duration(l, value,
                        &((struct step *)target)->wait_for.timeout_ms);
}

static const struct key_rule wait_keys[] = {
    {"port", load_wait_port, false, 0},
    {"log", load_wait_log, false, 0},
    {"http", load_wait_http, false, 0},
    {"timeout", load_wait_timeout, false, 0},
};

static const struct foreign_word wait_foreign[] = {
    {"tcp", "write port: 3000"},
    {"url", "write http: http://localhost:3000/"},
    {"output", "write log: TEXT"},
};

static const struct map_rules wait_rules = {
    "wait_for",
    wait_keys,
    ARRAY_LEN(wait_keys),
    wait_foreign,
    ARRAY_LEN(wait_foreign),
};

void load_wait_for(struct loader *l, const struct yaml_node *value,
                   void *target)
{
    struct step *step = target;

    load_map(l, value, &wait_rules, 0, step);
    if (value->kind == NODE_MAP && step->wait_for.kind == WAIT_NONE &&
        !yaml_node_get(value, "port") && !yaml_node_get(value, "log") &&
        !yaml_node_get(value, "http"))
        load_fail(l, value, NULL, "it needs one of: port, log, http");
}
