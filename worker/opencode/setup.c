/* worker/opencode/setup.c - what opencode finds when it runs in a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/setup.h"

#include "base/fd.h"
#include "base/proc.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOOLS_DIR  "/run/berth/tools"
#define HELP_MAX   ((size_t)64 << 10)
#define HELP_MS    30000
#define STEPS      40
#define TIMEOUT_MS 600000 /* the relay has the last word */
#define CHUNK_MS   180000

/* ---- which program ------------------------------------------------------- */

static bool is_us(const struct stat *other)
{
    struct stat own;

    return stat("/proc/self/exe", &own) == 0 && own.st_dev == other->st_dev &&
           own.st_ino == other->st_ino;
}

static char *usable(const char *dir, size_t len, const char *name)
{
    char *path = xasprintf("%.*s/%s", (int)len, dir, name);
    struct stat st;

    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
        access(path, X_OK) == 0 && !is_us(&st))
        return path;
    free(path);
    return NULL;
}

static char *find_program(void)
{
    const char *given = getenv("BERTH_OPENCODE");
    const char *path = getenv("PATH");
    char *found;

    if (given && *given == '/')
        return xstrdup(given);
    found = usable(TOOLS_DIR, strlen(TOOLS_DIR), "opencode.bin");
    while (!found && path && *path) {
        size_t len = strcspn(path, ":");

        found = usable(path, len, "opencode");
        path += len + (path[len] == ':');
    }
    return found;
}

/* ---- the configuration --------------------------------------------------- */

static void add_permissions(json_t *config, const char *tools)
{
    json_t *permission = json_object();
    const char *at = tools;

    (void)json_object_set_new(permission, "*", json_string("deny"));
    (void)json_object_set_new(permission, "external_directory",
                              json_string("deny"));
    while (*at) {
        size_t len = strcspn(at, " ,");
        CLEANUP(mem) char *tool = xstrndup(at, len);

        if (!strcmp(tool, "read"))
            (void)json_object_set_new(permission, tool,
                                      json_pack("{s:s, s:s, s:s}", "*", "allow",
                                                "*.env", "deny", "*.env.*",
                                                "deny"));
        else if (len)
            (void)json_object_set_new(permission, tool, json_string("allow"));
        at += len + (at[len] != '\0');
    }
    (void)json_object_set_new(config, "permission", permission);
}

static long env_number(const char *name, long otherwise)
{
    const char *text = getenv(name);
    long value = text ? strtol(text, NULL, 10) : 0;

    return value > 0 ? value : otherwise;
}

/* Which package of opencode's own speaks it; both come with it. */
static const char *provider_package(void)
{
    const char *dialect = getenv("BERTH_MODEL_DIALECT");

    return dialect && !strcmp(dialect, "anthropic")
               ? "@ai-sdk/anthropic"
               : "@ai-sdk/openai-compatible";
}

static void add_provider(struct setup *s, json_t *config)
{
    const char *url = getenv("BERTH_MODEL_URL");
    const char *model = getenv("BERTH_MODEL");
    json_t *models;

    if (!url || !*url || !model || !*model)
        return;
    s->model_name = xasprintf("berth/%s", model);
    s->model = s->model_name;
    models =
        json_pack("{s:{s:{s:i, s:i}, s:{s:i, s:i}}}", model, "limit", "context",
                  (int)env_number("BERTH_MODEL_CONTEXT", 128000), "output",
                  (int)env_number("BERTH_MODEL_OUTPUT", 8192), "cost", "input",
                  0, "output", 0);
    (void)json_object_set_new(
        config, "provider",
        json_pack("{s:{s:s, s:{s:s, s:s, s:i, s:i}, s:o}}", "berth", "npm",
                  provider_package(), "options", "baseURL", url, "apiKey",
                  "unused", "timeout", TIMEOUT_MS, "chunkTimeout", CHUNK_MS,
                  "models", models));
    (void)json_object_set_new(config, "enabled_providers",
                              json_pack("[s]", "berth"));
    (void)json_object_set_new(config, "model", json_string(s->model));
    (void)json_object_set_new(config, "small_model", json_string(s->model));
}

static json_t *make_config(struct setup *s, const char *tools,
                           const char *agent_prompt)
{
    json_t *config =
        json_pack("{s:b, s:s, s:b, s:b, s:b}", "autoupdate", 0, "share",
                  "disabled", "snapshot", 0, "lsp", 0, "formatter", 0);
    json_t *off = json_pack("{s:b}", "disable", 1);

    add_permissions(config, tools);
    add_provider(s, config);
    if (agent_prompt) {
        (void)json_object_set_new(config, "default_agent",
                                  json_string("reviewer"));
        (void)json_object_set_new(
            config, "agent",
            json_pack("{s:{s:s, s:s, s:i}, s:O, s:O, s:O, s:O}", "reviewer",
                      "mode", "primary", "prompt", agent_prompt, "steps", STEPS,
                      "build", off, "plan", off, "general", off, "explore",
                      off));
    }
    json_decref(off);
    return config;
}

static int write_config(const struct setup *s, const json_t *config,
                        struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/config.json", s->dir);
    int rc = json_dump_file(config, path, JSON_INDENT(1));

    return rc == 0 ? 0 : err_set(err, ERR_TRANSIENT, "cannot write %s", path);
}

/* ---- the environment ----------------------------------------------------- */

static void make_env(struct setup *s)
{
    static const char *const off[] = {
        "PROJECT_CONFIG",  "AUTOUPDATE",  "MODELS_FETCH",   "LSP_DOWNLOAD",
        "DEFAULT_PLUGINS", "CLAUDE_CODE", "EXTERNAL_SKILLS"};
    static const char *const xdg[] = {"CONFIG", "DATA", "CACHE", "STATE"};
    const char *path = getenv("PATH");

    for (char **e = environ; *e; e++)
        if (strncmp(*e, "OPENCODE_", 9) != 0 && strncmp(*e, "XDG_", 4) != 0)
            strv_add(&s->env, *e);
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        CLEANUP(mem) char *name = xasprintf("OPENCODE_DISABLE_%s", off[i]);

        strv_setenv(&s->env, name, "1");
    }
    for (size_t i = 0; i < ARRAY_LEN(xdg); i++) {
        CLEANUP(mem) char *name = xasprintf("XDG_%s_HOME", xdg[i]);
        CLEANUP(mem) char *dir = xasprintf("%s/%s", s->dir, xdg[i]);

        strv_setenv(&s->env, name, dir);
    }
    {
        CLEANUP(mem) char *config = xasprintf("%s/config.json", s->dir);
        /* ripgrep comes with the tools, where the image has none. */
        CLEANUP(mem)
        char *paths = xasprintf("%s:%s", path && *path ? path : "/usr/bin:/bin",
                                TOOLS_DIR);

        strv_setenv(&s->env, "OPENCODE_CONFIG", config);
        strv_setenv(&s->env, "HOME", s->dir);
        strv_setenv(&s->env, "TMPDIR", s->dir);
        strv_setenv(&s->env, "PATH", paths);
        strv_setenv(&s->env, "NO_COLOR", "1");
    }
}

/* ---- which of the two ---------------------------------------------------- */

/* The worker says it of what it brought; an image's own is asked. */
static bool is_legacy(const struct setup *s)
{
    const char *dialect = getenv("BERTH_OPENCODE_DIALECT");
    const char *const argv[] = {s->program, "--help", NULL};
    const struct proc_spec spec = {.argv = argv,
                                   .envp = s->env.items,
                                   .in = PROC_NULL,
                                   .out = PROC_NULL,
                                   .err = PROC_NULL};
    struct strbuf said = STRBUF_MAX(HELP_MAX);
    struct err ignored;
    bool legacy = false;
    int status;

    if (dialect && *dialect)
        return !strcmp(dialect, "legacy");
    if (proc_call(&spec, HELP_MS, &said, &status, &ignored) == 0 && said.len)
        legacy = strstr(said.data, "-p, --prompt") &&
                 !strstr(said.data, "opencode run");
    strbuf_clear(&said);
    return legacy;
}

/* ---- all of it ----------------------------------------------------------- */

int setup_make(struct setup *out, const char *tools, const char *agent_prompt,
               struct err *err)
{
    const char *home = getenv("HOME");
    struct setup s = {0};
    json_t *config;
    int rc;

    s.program = find_program();
    if (!s.program)
        return err_set(err, ERR_USER,
                       "there is no opencode in this sandbox: have `berth "
                       "setup opencode` install it on the worker, or use an "
                       "image that has it");
    s.dir = xasprintf("%s/.berth-XXXXXX", home && *home ? home : "/tmp");
    if (!mkdtemp(s.dir)) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot make a directory in %s",
                      home && *home ? home : "/tmp");
        free(STEAL(s.dir));
        setup_clear(&s);
        return -1;
    }
    config = make_config(&s, tools, agent_prompt);
    rc = write_config(&s, config, err);
    json_decref(config);
    if (rc < 0) {
        setup_clear(&s);
        return -1;
    }
    make_env(&s);
    s.is_legacy = is_legacy(&s);
    *out = s;
    return 0;
}

void setup_clear(struct setup *s)
{
    struct err err;

    /* What is left goes with the sandbox. */
    if (s->dir)
        (void)!tree_remove(s->dir, &err);
    free(s->dir);
    free(s->program);
    free(s->model_name);
    strv_clear(&s->env);
    *s = (struct setup){0};
}
