/* cli/doctor_tools.c - the programs that berth and jobs use. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/proc.h"
#include "cli/doctor.h"
#include "worker/job/tools.h"

#include <string.h>
#include <unistd.h>

#define VERSION_MAX_MS 15000 /* some take seconds to say who they are */
#define OUTPUT_MAX     4096

/* The first line that `program --version` says. */
static int version_of(const char *program, struct strbuf *out, struct err *err)
{
    const char *const argv[] = {program, "--version", NULL};

    if (proc_run(argv, VERSION_MAX_MS, out, err) < 0)
        return -1;
    strbuf_cut(out, strcspn(out->data, "\r\n"));
    return 0;
}

/* What a program that may be missing is for. */
struct tool {
    const char *program;
    const char *without; /* what does not work then */
    const char *advice;
};

static void check_tool(const struct tool *tool, struct finding *out)
{
    CLEANUP(strbuf) struct strbuf version = STRBUF_MAX(OUTPUT_MAX);
    struct err err = {0};

    if (!proc_in_path(tool->program))
        finding_warn(out, tool->advice, "not installed: %s", tool->without);
    else if (version_of(tool->program, &version, &err) < 0)
        finding_warn(out, tool->advice, "it does not work: %s", err.msg);
    else
        finding_ok(out, "%s", *version.data ? version.data : "installed");
}

static void check_git(struct doctor *d UNUSED, struct finding *out)
{
    static const struct tool tool = {
        "git", "repositories of this host cannot be checked out",
        "install git (Debian: apt-get install git)"};

    check_tool(&tool, out);
}

static void check_node(struct doctor *d UNUSED, struct finding *out)
{
    static const struct tool tool = {
        "node", "jobs with `image: host` have none",
        "install it (Debian: apt-get install nodejs)"};

    check_tool(&tool, out);
}

static void check_npm(struct doctor *d UNUSED, struct finding *out)
{
    static const struct tool tool = {
        "npm", "`install: npm` fails with `image: host`",
        "install it (Debian: apt-get install npm)"};

    check_tool(&tool, out);
}

/* What `berth setup opencode` left; else an image may have one. */
static void check_opencode(struct doctor *d, struct finding *out)
{
    CLEANUP(mem)
    char *path = xasprintf("%s/%s/%s", d->settings->state_dir, TOOLS_DIR,
                           TOOLS_DESCRIPTION);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(OUTPUT_MAX);
    CLEANUP(mem) char *program = NULL;
    const char *version = NULL, *dialect = NULL, *dir = NULL;
    struct err err = {0};
    json_t *doc = NULL;

    if (access(path, F_OK) == 0 &&
        file_read(path, OUTPUT_MAX, &text, &err) == 0)
        doc = json_loadb(text.data, text.len, 0, NULL);
    if (json_unpack(doc, "{s:s, s:s, s:s}", "version", &version, "dialect",
                    &dialect, "dir", &dir) == 0)
        program = xasprintf("%s/%s/%s/%s", d->settings->state_dir, TOOLS_DIR,
                            dir, TOOLS_PROGRAM);
    if (program && access(program, X_OK) == 0)
        finding_ok(out, "%s (%s)", version, dialect);
    else if (program || err.kind != ERR_NONE)
        finding_warn(out, "do `berth setup opencode` again",
                     "what was set up is not there: '%s'",
                     program ? program : path);
    else
        finding_ok(out, "none: no reviews, but where an image has one "
                        "(berth setup opencode)");
    json_decref(doc);
}

static void check_slirp(struct doctor *d UNUSED, struct finding *out)
{
    static const struct tool tool = {
        "slirp4netns", "sandboxes with `network: full` cannot start",
        "install it (Debian: apt-get install slirp4netns)"};

    check_tool(&tool, out);
}

/* The one that the worker is to use, and no other. */
static void check_named_runtime(const char *name, struct finding *out)
{
    static const char advice[] =
        "install it, or set worker.runtime to one that is there";
    CLEANUP(strbuf) struct strbuf version = STRBUF_MAX(OUTPUT_MAX);
    struct err err = {0};

    if (!proc_in_path(name))
        finding_fail(out, advice, "'%s' of worker.runtime is not installed",
                     name);
    else if (version_of(name, &version, &err) < 0)
        finding_fail(out, advice, "'%s' of worker.runtime does not work: %s",
                     name, err.msg);
    else
        finding_ok(out, "%s", *version.data ? version.data : name);
}

static void check_runtime(struct doctor *d, struct finding *out)
{
    static const char *const known[] = {"crun", "runc"};
    CLEANUP(strbuf) struct strbuf found = STRBUF_INIT;
    const char *named = d->settings->worker.runtime;
    struct err err = {0};

    if (*named) {
        check_named_runtime(named, out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        CLEANUP(strbuf) struct strbuf version = STRBUF_MAX(OUTPUT_MAX);

        if (proc_in_path(known[i]) && version_of(known[i], &version, &err) == 0)
            strbuf_addf(&found, "%s%s", found.len ? ", " : "", version.data);
    }
    if (found.len)
        finding_ok(out, "%s", found.data);
    else
        finding_fail(out, "install crun or runc (Debian: apt-get install crun)",
                     "no OCI runtime works%s%s", *err.msg ? ": " : "", err.msg);
}

/* Only where the worker is to use it. */
static void check_docker(struct doctor *d, struct finding *out)
{
    CLEANUP(mem) char *client = proc_libexec("docker-client");
    CLEANUP(strbuf) struct strbuf missing = STRBUF_MAX(OUTPUT_MAX);
    const char *socket = d->settings->worker.docker_socket;
    const char *const argv[] = {client, "check", socket, NULL};
    struct err err = {0};

    if (strcmp(settings_drivers[d->settings->worker.driver], "docker") != 0)
        finding_ok(out, "not used: worker.driver is oci");
    else if (proc_run(argv, VERSION_MAX_MS, &missing, &err) < 0)
        finding_fail(out,
                     "install docker.io, see \"Sandboxes by Docker\" in "
                     "operations.md, or set worker.driver to oci",
                     "%s", err.msg);
    else if (missing.len)
        finding_warn(out, "a kernel with these controllers",
                     "it cannot limit: %s", missing.data);
    else
        finding_ok(out, "the engine at '%s' can be used", socket);
}

static void check_programs(struct doctor *d UNUSED, struct finding *out)
{
    static const char *const own[] = {"run-job",       "checkout",  "launch",
                                      "agent",         "log-store", "gateway",
                                      "docker-client", "relay",     "opencode"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        CLEANUP(mem) char *path = proc_libexec(own[i]);

        if (access(path, X_OK) == 0)
            continue;
        finding_fail(out, "install berth anew, with `make install`",
                     "berth's own program '%s' is not there", path);
        return;
    }
    finding_ok(out, "berth's own are all there");
}

static const struct doctor_check checks[] = {
    {"programs", check_programs, false}, {"runtime", check_runtime, false},
    {"docker", check_docker, false},     {"slirp4netns", check_slirp, false},
    {"git", check_git, false},           {"node", check_node, false},
    {"npm", check_npm, false},           {"opencode", check_opencode, false},
};

const struct doctor_checks doctor_tool_checks = {checks, ARRAY_LEN(checks)};
