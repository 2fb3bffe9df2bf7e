/* worker/opencode/change.c - what a change is, from the repository inside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/change.h"

#include "base/fd.h"
#include "worker/opencode/git.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_RULES   ((size_t)64 << 10)
#define MAX_COMMITS ((size_t)64 << 10)
/* The tree without files: git knows it without its being there. */
#define EMPTY_TREE "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

static bool is_before_head(const char *dir, const char *commit)
{
    const char *const words[] = {"merge-base", "--is-ancestor", commit, "HEAD",
                                 NULL};
    struct err err;

    return git_ask(dir, words, NULL, &err) == 0;
}

/* ---- pieces -------------------------------------------------------------- */

/* Where git looks for attributes there are none of the change's: it could say
 * that its files are binary, and nobody would see them. */
static bool has_git_dir(const char *git_dir)
{
    struct stat st;

    return stat(git_dir, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Code with a NUL in it runs all the same in many languages, and git would say
 * that it is binary: what is code by its name is compared as text. */
static const char code[] =
    "*.[ch] diff\n*.cc diff\n*.cpp diff\n*.cxx diff\n*.hpp diff\n*.cs diff\n"
    "*.css diff\n*.go diff\n*.htm diff\n*.html diff\n*.java diff\n*.js diff\n"
    "*.[cm]js diff\n*.jsx diff\n*.json diff\n*.kt diff\n*.kts diff\n"
    "*.lua diff\n*.m diff\n*.mm diff\n*.md diff\n*.php diff\n*.p[lm] diff\n"
    "*.ps1 diff\n*.py diff\n*.r diff\n*.rb diff\n*.rs diff\n*.scala diff\n"
    "*.sh diff\n*.bash diff\n*.bat diff\n*.cmd diff\n*.sql diff\n"
    "*.svelte diff\n*.swift diff\n*.tf diff\n*.toml diff\n*.ts diff\n"
    "*.[cm]ts diff\n*.tsx diff\n*.vue diff\n*.xml diff\n*.yml diff\n"
    "*.yaml diff\n*.gradle diff\nMakefile diff\n*.mk diff\nDockerfile diff\n";

/* The option of git that names a file with these; owned by the caller. */
static int attributes_option(char **out, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    CLEANUP(mem)
    char *path = xasprintf("%s/berth-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    CLEANUP(fd) int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make %s", path);
    if (fd_write_all(fd, code, sizeof(code) - 1, err) < 0) {
        (void)unlink(path);
        return -1;
    }
    *out = xasprintf("core.attributesFile=%s", path);
    return 0;
}

static int read_diff(const struct change_spec *spec, const char *range,
                     struct change *out, struct err *err)
{
    CLEANUP(mem) char *option = NULL;
    CLEANUP(mem) char *git_dir = xasprintf("%s/.git", spec->dir);
    const char *words[] = {"-c",
                           NULL,
                           "--bare",
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
    const char *all[] = {"-c",
                         NULL,
                         "--bare",
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
    const char **asked = spec->whole ? all : words;
    bool bare = has_git_dir(git_dir);
    int rc;

    if (attributes_option(&option, err) < 0)
        return -1;
    asked[1] = option;
    if (!bare)
        asked[2] = "--no-pager"; /* in its place */
    rc = git_ask(bare ? git_dir : spec->dir, asked, &out->diff, err);
    (void)unlink(strchr(option, '=') + 1);
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

    if (!spec->whole && git_ask(spec->dir, log, &out->commits, &err) != 0)
        strbuf_cut(&out->commits, 0);
    if (*base && git_ask(spec->dir, show, &out->rules, &err) != 0)
        strbuf_cut(&out->rules, 0);
}

int change_read(const struct change_spec *spec, struct change *out,
                struct err *err)
{
    CLEANUP(mem) char *base = git_base(spec->dir, spec->base);
    CLEANUP(mem) char *since = NULL;
    CLEANUP(mem) char *range = NULL;
    CLEANUP(mem) char *commits = NULL;
    CLEANUP(change)
    struct change c = {.diff = STRBUF_MAX(CHANGE_MAX_DIFF),
                       .commits = STRBUF_MAX(MAX_COMMITS),
                       .rules = STRBUF_MAX(MAX_RULES)};

    c.to = git_commit(spec->dir, "HEAD");
    if (!c.to)
        return err_set(err, ERR_USER,
                       "there is no repository with a commit in %s: a review "
                       "wants git, and the step 'checkout' before it",
                       spec->dir);
    if (!base && !spec->whole)
        return err_set(err, ERR_USER, "there is no commit '%s' to compare with",
                       *spec->base ? spec->base : "HEAD^");
    if (*spec->since && !spec->whole)
        since = git_commit(spec->dir, spec->since);
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
    CLEANUP(mem) char *commit = git_base(dir, base);
    CLEANUP(mem) char *file = NULL;
    struct strbuf text = STRBUF_MAX(MAX_RULES);
    int rc = -1;

    if (!commit) {
        (void)err_set(err, ERR_USER, "there is no commit '%.200s'",
                      *base ? base : "HEAD^");
    } else {
        file = xasprintf("%s:%s", commit, path);
        rc = git_ask(dir, (const char *const[]){"cat-file", "blob", file, NULL},
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
