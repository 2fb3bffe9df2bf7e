/* worker/opencode/change.c - what a change is, from the repository inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/change.h"

#include "base/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GIT_MS      120000
#define MAX_RULES   ((size_t)64 << 10)
#define MAX_COMMITS ((size_t)64 << 10)
#define MAX_WORDS   24
/* The tree without files: git knows it without its being there. */
#define EMPTY_TREE "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

/* ---- git ----------------------------------------------------------------- */

/* 0: it ended with 0. 1: with something else. `words` end with NULL. */
static int git(const char *dir, const char *const *words, struct strbuf *output,
               struct err *err)
{
    static const char *const safe[] = {
        "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
        "-c", "safe.directory=*",     "-c", "core.quotePath=true",
        "-c", "diff.noprefix=false",  "-c", "diff.mnemonicPrefix=false"};
    static const char *const env[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                      "GIT_CONFIG_NOSYSTEM=1",
                                      "GIT_CONFIG_GLOBAL=/dev/null",
                                      "GIT_TERMINAL_PROMPT=0",
                                      "GIT_OPTIONAL_LOCKS=0",
                                      "LC_ALL=C.UTF-8",
                                      "HOME=/nonexistent",
                                      NULL};
    const char *argv[ARRAY_LEN(safe) + MAX_WORDS] = {"git", "-C", dir};
    const struct proc_spec spec = {.argv = argv,
                                   .envp = (char *const *)(uintptr_t)env,
                                   .in = PROC_NULL,
                                   .out = PROC_NULL,
                                   .err = PROC_NULL};
    size_t n = 3;
    int status = 0;

    for (size_t i = 0; i < ARRAY_LEN(safe); i++)
        argv[n++] = safe[i];
    for (size_t i = 0; words[i] && n + 1 < ARRAY_LEN(argv); i++)
        argv[n++] = words[i];
    if (proc_call(&spec, GIT_MS, output, &status, err) < 0)
        return -1;
    return status != 0;
}

/* A commit's name in full; NULL: it is not there. The caller's. */
static char *commit_of(const char *dir, const char *name)
{
    CLEANUP(mem) char *what = xasprintf("%s^{commit}", name);
    const char *const words[] = {"rev-parse",        "--verify", "--quiet",
                                 "--end-of-options", what,       NULL};
    struct strbuf out = STRBUF_MAX(128);
    struct err err;
    char *commit = NULL;

    if (git(dir, words, &out, &err) == 0 && out.len >= 40) {
        strbuf_cut(&out, strcspn(out.data, "\n"));
        commit = strbuf_take(&out);
    }
    strbuf_clear(&out);
    return commit;
}

static char *base_of(const struct change_spec *spec)
{
    static const char *const where[] = {"refs/remotes/origin/", "refs/heads/",
                                        ""};
    char *found = NULL;

    if (!*spec->base)
        return commit_of(spec->dir, "HEAD^");
    for (size_t i = 0; i < ARRAY_LEN(where) && !found; i++) {
        CLEANUP(mem) char *name = xasprintf("%s%s", where[i], spec->base);

        found = commit_of(spec->dir, name);
    }
    return found;
}

static bool is_before_head(const char *dir, const char *commit)
{
    const char *const words[] = {"merge-base", "--is-ancestor", commit, "HEAD",
                                 NULL};
    struct err err;

    return git(dir, words, NULL, &err) == 0;
}

/* ---- pieces -------------------------------------------------------------- */

/* Where git looks for attributes there are none of the change's: it could say
 * that its files are binary, and nobody would see them. */
static bool has_git_dir(const char *git_dir)
{
    struct stat st;

    return stat(git_dir, &st) == 0 && S_ISDIR(st.st_mode);
}

static int read_diff(const struct change_spec *spec, const char *range,
                     struct change *out, struct err *err)
{
    CLEANUP(mem) char *git_dir = xasprintf("%s/.git", spec->dir);
    const char *const words[] = {"--bare",
                                 "diff",
                                 "--no-ext-diff",
                                 "--no-textconv",
                                 "--no-color",
                                 "--find-renames",
                                 "--unified=8",
                                 "--submodule=short",
                                 "--end-of-options",
                                 range,
                                 "--",
                                 NULL};
    const char *const all[] = {"--bare",
                               "diff",
                               "--no-ext-diff",
                               "--no-textconv",
                               "--no-color",
                               "--unified=0",
                               "--end-of-options",
                               EMPTY_TREE,
                               "HEAD",
                               "--",
                               NULL};
    bool bare = has_git_dir(git_dir);
    int rc;

    rc = git(bare ? git_dir : spec->dir, (spec->whole ? all : words) + !bare,
             &out->diff, err);
    if (rc > 0)
        return err_set(err, ERR_USER, "git cannot compare %s", range);
    return rc;
}

static void read_more(const struct change_spec *spec, const char *base,
                      const char *range, struct change *out)
{
    CLEANUP(mem) char *file = xasprintf("%s:.berth/review.md", base);
    const char *const log[] = {"log", "--no-color", "--format=- %B",
                               "-n",  "50",         "--end-of-options",
                               range, "--",         NULL};
    const char *const show[] = {"cat-file", "blob", file, NULL};
    struct err err;

    if (!spec->whole && git(spec->dir, log, &out->commits, &err) != 0)
        strbuf_cut(&out->commits, 0);
    if (*base && git(spec->dir, show, &out->rules, &err) != 0)
        strbuf_cut(&out->rules, 0);
}

int change_read(const struct change_spec *spec, struct change *out,
                struct err *err)
{
    CLEANUP(mem) char *base = base_of(spec);
    CLEANUP(mem) char *since = NULL;
    CLEANUP(mem) char *range = NULL;
    CLEANUP(mem) char *commits = NULL;
    CLEANUP(change)
    struct change c = {.diff = STRBUF_MAX(CHANGE_MAX_DIFF),
                       .commits = STRBUF_MAX(MAX_COMMITS),
                       .rules = STRBUF_MAX(MAX_RULES)};

    c.to = commit_of(spec->dir, "HEAD");
    if (!c.to)
        return err_set(err, ERR_USER,
                       "there is no repository with a commit in %s: a review "
                       "wants git, and the step 'checkout' before it",
                       spec->dir);
    if (!base && !spec->whole)
        return err_set(err, ERR_USER, "there is no commit '%s' to compare with",
                       *spec->base ? spec->base : "HEAD^");
    if (*spec->since && !spec->whole)
        since = commit_of(spec->dir, spec->since);
    c.is_since = since && is_before_head(spec->dir, since);
    c.from = xstrdup(spec->whole ? "" : c.is_since ? since : base);
    /* Two dots: what is new since; three: what the change adds to its base. */
    range = xasprintf("%s%s%s", c.from, c.is_since ? ".." : "...", c.to);
    commits = xasprintf("%s..%s", c.from, c.to);
    if (read_diff(spec, range, &c, err) < 0)
        return -1;
    read_more(spec, base ? base : c.to, commits, &c);
    *out = c;
    c = (struct change){0};
    c.diff = c.commits = c.rules = (struct strbuf)STRBUF_INIT;
    return 0;
}

int change_file(const char *dir, const char *base, const char *path,
                struct strbuf *out, struct err *err)
{
    const struct change_spec spec = {.dir = dir, .base = base};
    CLEANUP(mem) char *commit = base_of(&spec);
    CLEANUP(mem) char *file = NULL;
    struct strbuf text = STRBUF_MAX(MAX_RULES);
    int rc = -1;

    if (!commit) {
        (void)err_set(err, ERR_USER, "there is no commit '%.200s'",
                      *base ? base : "HEAD^");
    } else {
        file = xasprintf("%s:%s", commit, path);
        rc = git(dir, (const char *const[]){"cat-file", "blob", file, NULL},
                 &text, err);
        if (rc > 0)
            rc = err_set(err, ERR_USER, "there is no file '%.200s' in %.12s",
                         path, commit);
        else if (rc == 0 && text.truncated)
            rc = err_set(err, ERR_USER, "'%.200s' has more than %zu bytes",
                         path, MAX_RULES);
    }
    if (rc == 0)
        strbuf_add(out, text.data, text.len);
    strbuf_clear(&text);
    return rc;
}

void change_clear(struct change *c)
{
    free(c->from);
    free(c->to);
    strbuf_clear(&c->diff);
    strbuf_clear(&c->commits);
    strbuf_clear(&c->rules);
}
