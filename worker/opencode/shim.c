/* worker/opencode/shim.c - `opencode` in a sandbox, whichever is installed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/shim.h"

#include "base/fd.h"
#include "base/proc.h"
#include "worker/opencode/change.h"
#include "worker/opencode/run.h"
#include "worker/opencode/tree.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_WRONG  2

/* ---- the prompt ---------------------------------------------------------- */

/* Whether somebody gave us something there, who will also close it. */
static bool has_input(void)
{
    struct stat st, null;

    if (isatty(STDIN_FILENO) || fstat(STDIN_FILENO, &st) < 0)
        return false;
    return !(S_ISCHR(st.st_mode) && stat("/dev/null", &null) == 0 &&
             null.st_rdev == st.st_rdev);
}

static int read_input(struct shim_call *call, struct err *err)
{
    struct strbuf input = STRBUF_MAX(SHIM_MAX_PROMPT);

    if (!has_input())
        return 0;
    if (fd_read_all(STDIN_FILENO, &input, err) < 0) {
        strbuf_clear(&input);
        return -1;
    }
    if (input.len && call->prompt.len)
        strbuf_addc(&call->prompt, '\n');
    strbuf_add(&call->prompt, input.data, input.len);
    if (input.truncated)
        call->prompt.truncated = true;
    strbuf_clear(&input);
    if (call->prompt.truncated)
        return err_set(err, ERR_USER, "the prompt has more than %zu bytes",
                       SHIM_MAX_PROMPT);
    return 0;
}

/* What the step says, of a branch that the change at hand did not write. */
static int read_file_of_base(struct shim_call *call, struct err *err)
{
    const char *file = getenv("BERTH_OPENCODE_PROMPT_FILE");
    const char *base = getenv("BERTH_OPENCODE_BASE");

    if (!file || !*file)
        return 0;
    return change_file(".", base ? base : "HEAD", file, &call->prompt, err);
}

/* ---- asking -------------------------------------------------------------- */

static const char *tools(void)
{
    const char *given = getenv("BERTH_OPENCODE_TOOLS");

    return given && *given ? given : SETUP_TOOLS_DEFAULT;
}

/* Who only reads, reads a copy: without what could instruct it, or run. */
static bool only_reads(const char *list)
{
    while (*list) {
        size_t len = strcspn(list, " ,");

        if (len && !(len == 4 &&
                     (!strncmp(list, "read", 4) || !strncmp(list, "grep", 4) ||
                      !strncmp(list, "glob", 4))))
            return false;
        list += len + (list[len] != '\0');
    }
    return true;
}

static void answer(const struct shim_call *call, const struct events *events)
{
    json_t *wrapped;
    CLEANUP(mem) char *line = NULL;

    if (call->events)
        return; /* they were passed on as they came */
    if (!call->wrap) {
        (void)fwrite(events->text.data, 1, events->text.len, stdout);
        (void)putchar('\n');
        return;
    }
    wrapped = json_pack("{s:s}", "response", events->text.data);
    line = json_dumps(wrapped, 0);
    json_decref(wrapped);
    (void)puts(line ? line : "{\"response\": \"\"}");
}

/* It allows all of them, whatever a step says. */
static int check_legacy_tools(struct err *err)
{
    static const char *const all[] = {"read", "grep", "glob", "list",
                                      "bash", "edit", "write"};
    const char *list = getenv("BERTH_OPENCODE_TOOLS");

    for (size_t i = 0; list && *list && i < ARRAY_LEN(all); i++) {
        const char *at = list;
        size_t len = strlen(all[i]);

        while (*at && (strncmp(at, all[i], len) != 0 ||
                       (at[len] && !strchr(" ,", at[len])))) {
            at += strcspn(at, " ,");
            at += strspn(at, " ,");
        }
        if (!*at)
            return err_set(err, ERR_USER,
                           "the opencode that is installed is the older one, "
                           "which cannot be kept from using %s: allow all "
                           "tools, or have `berth setup opencode` install the "
                           "newer one",
                           all[i]);
    }
    return 0;
}

/* The older program: a prompt is an argument there. */
static int ask_legacy(const struct setup *setup, const struct shim_call *call,
                      struct err *err)
{
    const char *argv[] = {
        setup->program,    "-q", "-f", call->wrap ? "json" : "text", "-p",
        call->prompt.data, NULL};
    const struct proc_spec spec = {.argv = argv,
                                   .cwd = call->cwd,
                                   .in = PROC_NULL,
                                   .out = PROC_INHERIT,
                                   .err = PROC_INHERIT};
    int status;
    pid_t pid;

    if (check_legacy_tools(err) < 0)
        return -1;
    if (call->prompt.len > 120000)
        return err_set(err, ERR_USER,
                       "the opencode that is installed takes prompts of up "
                       "to 120000 bytes");
    if (proc_spawn(&spec, &pid, err) < 0 ||
        proc_wait(pid, -1, &status, err) < 0)
        return -1;
    if (status != 0)
        return err_set(err, ERR_USER, "opencode failed");
    return 0;
}

/* `*out_began`: it is the model's fault, or the program's, from here on. */
static int ask(struct shim_call *call, bool *out_began, struct err *err)
{
    CLEANUP(setup) struct setup setup = {0};
    CLEANUP(mem) char *copy = NULL;
    const char *list = tools();
    struct tree_counts counts;
    struct events events;
    struct run_spec spec = {.prompt = call->prompt.data,
                            .len = call->prompt.len,
                            .cwd = call->cwd,
                            .has_title = call->has_title,
                            .has_model = call->has_model,
                            .tee = call->events,
                            .arguments = (const char *const *)call->rest.items};
    int code = 0, rc;

    if (setup_make(&setup, list, NULL, err) < 0)
        return -1;
    *out_began = true;
    if (setup.is_legacy)
        return ask_legacy(&setup, call, err);
    if (only_reads(list)) {
        copy = xasprintf("%s/code", setup.dir);
        if (tree_copy(call->cwd ? call->cwd : ".", copy, &counts, err) < 0)
            return -1;
        spec.cwd = copy;
    }
    events_init(&events);
    rc = run_ask(&setup, &spec, &events, &code, err);
    if (rc == 0)
        rc = events_check(&events, code, err);
    if (rc == 0)
        answer(call, &events);
    events_clear(&events);
    if (copy)
        tree_drop(copy);
    return rc;
}

/* ---- all else ------------------------------------------------------------ */

static int pass(char **argv, struct err *err)
{
    CLEANUP(setup) struct setup setup = {0};
    CLEANUP(strv) struct strv words = {0};
    struct proc_spec spec = {
        .in = PROC_NULL, .out = PROC_INHERIT, .err = PROC_INHERIT};
    int status = 0;
    pid_t pid;

    if (setup_make(&setup, tools(), NULL, err) < 0)
        return -1;
    strv_add(&words, setup.program);
    for (size_t i = 1; argv[i]; i++)
        strv_add(&words, argv[i]);
    spec.argv = (const char *const *)words.items;
    spec.envp = setup.env.items;
    if (proc_spawn(&spec, &pid, err) < 0 ||
        proc_wait(pid, -1, &status, err) < 0)
        return -1;
    return status == 0 ? 0 : err_set(err, ERR_USER, "%s failed", argv[1]);
}

int shim_main(int argc, char **argv)
{
    struct shim_call call;
    struct err err = {0};
    bool began = false;
    int rc;

    if (shim_parse(argc - 1, (const char *const *)argv + 1, &call, &err) < 0) {
        (void)fprintf(stderr, "opencode: %s\n", err.msg);
        return EXIT_WRONG;
    }
    rc = call.kind == SHIM_ASK ? read_input(&call, &err) : 0;
    if (rc == 0 && call.kind == SHIM_ASK)
        rc = read_file_of_base(&call, &err);
    if (rc < 0) {
        (void)fprintf(stderr, "opencode: %s\n", err.msg);
        shim_call_clear(&call);
        return EXIT_WRONG;
    }
    if (rc == 0 && (call.kind == SHIM_INTERACTIVE ||
                    (call.kind == SHIM_ASK && !call.prompt.len))) {
        (void)fprintf(stderr, "opencode: there is nobody to talk to in a "
                              "sandbox: give a prompt, as in opencode run "
                              "\"…\", opencode -p \"…\" or on standard "
                              "input\n");
        shim_call_clear(&call);
        return EXIT_WRONG;
    }
    if (rc == 0)
        rc = call.kind == SHIM_PASS ? pass(argv, &err)
                                    : ask(&call, &began, &err);
    if (rc < 0)
        (void)fprintf(stderr, "opencode: %s\n", err.msg);
    shim_call_clear(&call);
    if (rc == 0)
        return 0;
    return began || call.kind == SHIM_PASS ? EXIT_FAILED : EXIT_WRONG;
}
