/* worker/job/install_key.c - all that decides what an install makes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/install_key.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TOP      "/workspace"
#define FILE_MAX ((size_t)64 << 20)
#define VERSION  "berth install 1" /* with attempt.c's way to call npm */

/* What a job is, and no install may depend on. */
static const char *const ignored_env[] = {
    "CI_JOB_ID=", "CI_PIPELINE=",       "CI_COMMIT_SHA=", "CI_COMMIT_BRANCH=",
    "CI_CHANGE=", "CI_COMMIT_MESSAGE=", "CI_BASE_BRANCH="};
/* Scripts of the project itself that npm runs after an install. */
static const char *const lifecycle[] = {
    "preinstall", "install", "postinstall", "prepublish",
    "preprepare", "prepare", "postprepare"};

/* A file below the workspace or home, through no symbolic link; -1: none. */
static int open_below(const char *top, const char *dir, const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
    CLEANUP(fd) int fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

    return fd < 0 ? -1 : (int)syscall(SYS_openat2, fd, path, &how, sizeof(how));
}

/* A missing one is an empty one, but not the same. ERR_USER: it is something
 * else, or too large. */
static int read_below(const char *top, const char *dir, const char *name,
                      struct strbuf *out, bool *out_there, struct err *err)
{
    CLEANUP(fd) int fd = open_below(top, dir, name);
    struct stat st;

    *out_there = fd >= 0;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, ERR_USER, "cannot read '%s'", name);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > FILE_MAX)
        return err_set(err, ERR_USER, "'%s' is no file to read", name);
    if (fd_read_all(fd, out, err) < 0)
        return -1;
    return out->truncated ? err_set(err, ERR_USER, "'%s' is too large", name)
                          : 0;
}

static const char *workspace_of(const struct attempt_spec *spec)
{
    return machine_driver(spec->machine)
        ->host_workspace(machine_sandbox(spec->machine));
}

static bool is_there(const struct attempt_spec *spec, const char *dir,
                     const char *name)
{
    CLEANUP(fd) int fd = open_below(workspace_of(spec), dir, name);

    return fd >= 0 || errno != ENOENT;
}

int install_dir(const struct attempt_spec *spec, char **out_dir,
                struct err *err)
{
    const char *cwd = spec->cwd;
    const char *dir = cwd + strlen(TOP);

    if (strncmp(cwd, TOP, strlen(TOP)) != 0 || (*dir && *dir != '/') ||
        strstr(cwd, "/.") || strstr(cwd, "//"))
        return err_set(err, ERR_USER, "'%.300s' is not in the workspace", cwd);
    while (*dir == '/')
        dir++;
    if (*dir && dir[strlen(dir) - 1] == '/')
        return err_set(err, ERR_USER, "'%.300s' ends with a slash", cwd);
    if (!is_there(spec, dir, "package-lock.json") &&
        !is_there(spec, dir, "npm-shrinkwrap.json"))
        return err_set(err, ERR_USER, "there is no lock file");
    if (is_there(spec, dir, "node_modules"))
        return err_set(err, ERR_USER, "there are node_modules");
    *out_dir = xstrdup(dir);
    return 0;
}

static void add(struct sha256 *sum, const char *what, const void *data,
                size_t len)
{
    uint64_t size = len;

    sha256_add(sum, what, strlen(what) + 1);
    sha256_add(sum, &size, sizeof(size));
    sha256_add(sum, data, len);
}

static void add_text(struct sha256 *sum, const char *what, const char *text)
{
    add(sum, what, text, strlen(text));
}

static void add_env(struct sha256 *sum, const struct strv *env)
{
    for (size_t i = 0; i < env->count; i++) {
        bool ignored = false;

        for (size_t j = 0; j < ARRAY_LEN(ignored_env); j++)
            ignored |= strncmp(env->items[i], ignored_env[j],
                               strlen(ignored_env[j])) == 0;
        if (!ignored)
            add_text(sum, "env", env->items[i]);
    }
}

/* What it has as files or fields is not in its environment; who has it not, as
 * a fork, is not to find what was installed by it. */
static void add_secrets(struct sha256 *sum, const struct attempt_spec *spec)
{
    const struct secret_list *list =
        &spec->start->pipeline->steps[spec->index].secrets;

    for (size_t i = 0; i < list->count; i++)
        if (job_start_secret(spec->start, list->items[i].name)) {
            add_text(sum, "secret", list->items[i].name);
            add_text(sum, "target", list->items[i].target);
        }
}

/* A script of the project's can read whatever is in the tree. */
static bool has_scripts(const struct strbuf *package)
{
    json_t *root = json_loadb(package->data, package->len, 0, NULL);
    json_t *scripts = json_object_get(root, "scripts");
    bool found = !json_is_object(root) || json_object_get(root, "workspaces");

    for (size_t i = 0; i < ARRAY_LEN(lifecycle); i++)
        found |= json_object_get(scripts, lifecycle[i]) != NULL;
    json_decref(root);
    return found;
}

/* Packages that are directories or files of the repository itself. */
static bool has_own_packages(const struct strbuf *lock)
{
    return memmem(lock->data, lock->len, "\"link\"", 6) ||
           memmem(lock->data, lock->len, "file:", 5);
}

static int add_files(struct sha256 *sum, const struct attempt_spec *spec,
                     const char *dir, bool *out_bound, struct err *err)
{
    static const char *const names[] = {
        "package-lock.json", "npm-shrinkwrap.json", "package.json", ".npmrc"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(FILE_MAX);
        bool there;

        if (read_below(workspace_of(spec), dir, names[i], &text, &there, err) <
            0)
            return -1;
        add_text(sum, names[i], there ? "there" : "missing");
        add(sum, "content", text.data, text.len);
        if (i == 2)
            *out_bound |= has_scripts(&text);
        else if (i < 2)
            *out_bound |= has_own_packages(&text);
    }
    return 0;
}

static int add_home(struct sha256 *sum, const struct attempt_spec *spec,
                    struct err *err)
{
    CLEANUP(mem) char *home = xasprintf("%s/../home", workspace_of(spec));
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(FILE_MAX);
    bool there;

    if (read_below(home, "", ".npmrc", &text, &there, err) < 0)
        return -1;
    add(sum, "home", text.data, text.len);
    return 0;
}

int install_key(const struct attempt_spec *spec, const char *dir,
                const struct strbuf *probe, char out[INSTALL_KEY_SIZE],
                struct err *err)
{
    struct sha256 sum;
    bool bound = false;

    sha256_init(&sum);
    add_text(&sum, "version", VERSION);
    add_text(&sum, "image", spec->start->pipeline->image);
    add_text(&sum, "dir", dir);
    add(&sum, "probe", probe->data, probe->len);
    add_env(&sum, spec->env);
    add_secrets(&sum, spec);
    if (add_files(&sum, spec, dir, &bound, err) < 0 ||
        add_home(&sum, spec, err) < 0)
        return -1;
    if (bound)
        add_text(&sum, "commit", spec->result->commit);
    sha256_end_hex(&sum, out);
    return 0;
}
