/* worker/checkout/transport.c - the process behind a path or an ssh address. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/transport.h"

#include "base/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_TIMEOUT "ConnectTimeout=20"
#define ALIVE_INTERVAL  "ServerAliveInterval=15" /* three are missed */

/*
 * Ours, without git's own variables: GIT_DIR and its like would lead the
 * child elsewhere, GIT_PROTOCOL would make it speak version 2, which libgit2
 * does not.
 */
static void base_environment(struct strv *env)
{
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "GIT_", 4) != 0 && strncmp(*e, "LC_", 3) != 0 &&
            strncmp(*e, "LANG=", 5) != 0 && strncmp(*e, "LANGUAGE=", 9) != 0)
            strv_add(env, *e);
    strv_setenv(env, "LC_ALL", "C"); /* transport_explain reads English */
}

/*
 * upload-pack is made for repositories of strangers; it refuses those of
 * another owner since 2.39.4 and 2.45.1 all the same. safe.directory counts
 * when it comes from the environment since git 2.38.
 */
static void local_environment(struct strv *env)
{
    base_environment(env);
    strv_setenv(env, "GIT_CONFIG_NOSYSTEM", "1");
    strv_setenv(env, "GIT_CONFIG_GLOBAL", "/dev/null");
    strv_setenv(env, "GIT_NO_LAZY_FETCH", "1");
    strv_setenv(env, "GIT_OPTIONAL_LOCKS", "0");
    strv_setenv(env, "GIT_CONFIG_COUNT", "2");
    strv_setenv(env, "GIT_CONFIG_KEY_0", "safe.directory");
    strv_setenv(env, "GIT_CONFIG_VALUE_0", "*");
    strv_setenv(env, "GIT_CONFIG_KEY_1", "uploadpack.allowAnySHA1InWant");
    strv_setenv(env, "GIT_CONFIG_VALUE_1", "true");
}

/* Whether uid:gid may search every directory above `path` and `path`. */
static bool can_reach(const char *path, uid_t uid, gid_t gid)
{
    CLEANUP(mem) char *part = xstrdup(path);

    for (size_t i = 1;; i++) {
        char c = part[i];
        struct stat st;
        mode_t bit;

        if (c && c != '/')
            continue;
        part[i] = '\0';
        if (stat(part, &st) < 0)
            return false;
        bit = st.st_uid == uid ? S_IXUSR : st.st_gid == gid ? S_IXGRP : S_IXOTH;
        if (!(st.st_mode & bit))
            return false;
        part[i] = c;
        if (!c)
            return true;
    }
}

/* Prefix the command with what makes it run as the repository's owner. */
static void add_owner(struct strv *argv, const char *path)
{
    CLEANUP(mem) char *git_dir = xasprintf("%s/.git", path);
    struct stat st;

    if (geteuid() != 0 || !proc_in_path("setpriv"))
        return;
    if (stat(git_dir, &st) < 0 && stat(path, &st) < 0)
        return;
    if (st.st_uid == 0 || !can_reach(path, st.st_uid, st.st_gid))
        return;
    strv_add(argv, "setpriv");
    strv_addf(argv, "--reuid=%u", (unsigned)st.st_uid);
    strv_addf(argv, "--regid=%u", (unsigned)st.st_gid);
    strv_add(argv, "--clear-groups");
    strv_add(argv, "--no-new-privs");
    strv_add(argv, "--inh-caps=-all");
    strv_add(argv, "--pdeathsig=KILL"); /* a new uid undoes launch's */
    strv_add(argv, "--");
}

static int check_local(const struct url *url, struct err *err)
{
    static const char *const shallow[] = {"shallow", ".git/shallow"};
    struct stat st;

    if (stat(url->path, &st) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return err_set(err, ERR_USER, "there is no repository at '%s'",
                           url->shown);
        return err_sys(err, ERR_USER, "cannot read '%s'", url->shown);
    }
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_USER, "'%s' is not a directory", url->shown);
    for (size_t i = 0; i < ARRAY_LEN(shallow); i++) {
        CLEANUP(mem) char *file = xasprintf("%s/%s", url->path, shallow[i]);

        if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size)
            return err_set(err, ERR_USER,
                           "'%s' is a shallow clone, which cannot be fetched "
                           "from: run `git fetch --unshallow` there",
                           url->shown);
    }
    if (!proc_in_path("git"))
        return err_set(err, ERR_USER,
                       "git is not installed on this host, and reading '%s' "
                       "needs it: apt-get install git",
                       url->shown);
    return 0;
}

static void local_command(const struct url *url, struct strv *argv,
                          struct strv *env)
{
    add_owner(argv, url->path);
    strv_add(argv, "git");
    strv_add(argv, "upload-pack");
    strv_add(argv, "--timeout=600");
    strv_add(argv, "--");
    strv_add(argv, url->path);
    local_environment(env);
}

/* git-upload-pack 'path', quoted for the shell over there. */
static char *remote_command(const char *path)
{
    struct strbuf out = STRBUF_INIT;

    strbuf_adds(&out, "git-upload-pack '");
    for (; *path; path++) {
        if (*path == '\'' || *path == '!')
            strbuf_addf(&out, "'\\%c'", *path);
        else
            strbuf_addc(&out, *path);
    }
    strbuf_addc(&out, '\'');
    return strbuf_take(&out);
}

/*
 * What the shell starts in its own place dies with us, for certain. Behind an
 * assignment or in a list ssh is the shell's child, which end of file ends.
 */
static bool can_exec(const char *command)
{
    const char *word = command + strspn(command, " \t");

    return !memchr(word, '=', strcspn(word, " \t")) &&
           !command[strcspn(command, ";&|(){}\n")];
}

static int ssh_command(const struct url *url, struct strv *argv,
                       struct strv *env, struct err *err)
{
    const char *command = getenv("GIT_SSH_COMMAND");
    CLEANUP(mem) char *remote = remote_command(url->path);

    if (command && *command) {
        /* git's own way: the shell splits the command, not the arguments. */
        strv_add(argv, "/bin/sh");
        strv_add(argv, "-c");
        strv_addf(argv, "%s%s \"$@\"", can_exec(command) ? "exec " : "",
                  command);
        strv_add(argv, command);
    } else if (proc_in_path("ssh")) {
        strv_add(argv, "ssh");
    } else {
        return err_set(err, ERR_USER,
                       "ssh is not installed on this host, and reading '%s' "
                       "needs it: apt-get install openssh-client",
                       url->shown);
    }
    strv_add(argv, "-o");
    strv_add(argv, "BatchMode=yes");
    strv_add(argv, "-o");
    strv_add(argv, CONNECT_TIMEOUT);
    strv_add(argv, "-o");
    strv_add(argv, ALIVE_INTERVAL);
    if (url->port) {
        strv_add(argv, "-p");
        strv_add(argv, url->port);
    }
    if (url->user)
        strv_addf(argv, "%s@%s", url->user, url->host);
    else
        strv_add(argv, url->host);
    strv_add(argv, remote);
    base_environment(env);
    return 0;
}

/* A group of its own outlives a killed client, unless it is told not to. */
static void add_launch(struct strv *argv)
{
    CLEANUP(mem) char *launch = proc_libexec("launch");

    strv_add(argv, launch);
    strv_addf(argv, "%d", (int)getpid());
    strv_add(argv, "--");
}

int transport_spawn(const struct url *url, int fd, int diag, pid_t *out_pid,
                    struct err *err)
{
    CLEANUP(strv) struct strv argv = {0};
    CLEANUP(strv) struct strv env = {0};
    struct proc_spec spec = {.cwd = "/", .in = fd, .out = fd, .err = diag};

    spec.new_group = true;
    add_launch(&argv);
    if (url->kind == URL_LOCAL) {
        if (check_local(url, err) < 0)
            return -1;
        local_command(url, &argv, &env);
    } else if (ssh_command(url, &argv, &env, err) < 0) {
        return -1;
    }
    spec.argv = (const char *const *)argv.items;
    spec.envp = env.items;
    if (proc_spawn(&spec, out_pid, err) < 0) {
        err->kind = ERR_TRANSIENT; /* launch is ours */
        return -1;
    }
    return 0;
}

static const struct {
    const char *said;
    enum err_kind kind;
    const char *meaning;
} meanings[] = {
    {"Permission denied (", ERR_USER,
     "no key of ours is accepted there: add one, or check the user"},
    {"Host key verification failed", ERR_USER,
     "the host's key is not known here: add it to known_hosts"},
    {"epository not found", ERR_USER,
     "there is no such repository, or no "
     "right to read it"},
    {"does not appear to be a git repository", ERR_USER,
     "there is no git repository"},
    {"not a git repository", ERR_USER, "there is no git repository"},
    {"access denied", ERR_USER, "there is no right to read it"},
    {"Permission denied", ERR_USER, "there is no right to read it"},
    {"command not found", ERR_USER, "git is not installed there"},
};

/* The last line that says something, without git's "fatal: ". */
static char *telling_line(const char *said)
{
    CLEANUP(mem) char *copy = xstrdup(said);
    CLEANUP(mem) char *best = NULL;
    char *save = NULL;

    for (char *line = strtok_r(copy, "\r\n", &save); line;
         line = strtok_r(NULL, "\r\n", &save)) {
        if (strncmp(line, "fatal: ", 7) == 0)
            line += 7;
        /* ssh and git end on lines of comfort. */
        if (strstr(line, "lease make sure you have") ||
            strstr(line, "and the repository exists") ||
            strstr(line, "the remote end hung up") ||
            strspn(line, " \t") == strlen(line))
            continue;
        free(best);
        best = xstrndup(line, 300);
    }
    return STEAL(best);
}

bool transport_explain(const struct url *url, const char *said, struct err *err)
{
    CLEANUP(mem) char *line = NULL;

    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (!strstr(said, meanings[i].said))
            continue;
        (void)err_set(err, meanings[i].kind, "cannot fetch from '%s': %s",
                      url->shown, meanings[i].meaning);
        return true;
    }
    line = telling_line(said);
    if (!line)
        return false;
    (void)err_set(err, ERR_TRANSIENT, "cannot fetch from '%s': %s", url->shown,
                  line);
    return true;
}
