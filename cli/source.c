/* cli/source.c - which repository and commit a run is about. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source.h"

#include "base/proc.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIT_TIMEOUT_MS 30000
#define GIT_OUTPUT_MAX ((size_t)1 << 20)
#define NAME_MAX_LEN   512
/* Two for each setting; how many words git() has room for, less some. */
#define FILTER_WORDS_MAX 60

int source_is_address(const char *repo)
{
    size_t colon = strcspn(repo, ":");

    if (strstr(repo, "://"))
        return 1;
    /* git@host:path, where no directory of that name is in the way. */
    return colon > 0 && repo[colon] && strcspn(repo, "/") > colon &&
           access(repo, F_OK) < 0;
}

char *source_name_of(const char *address)
{
    const char *scheme = strstr(address, "://");
    const char *path = scheme ? strchr(scheme + 3, '/') : NULL;
    size_t len;
    size_t start;
    unsigned parts = 0;

    if (!scheme && *address != '/' && strchr(address, ':'))
        path = strchr(address, ':') + 1;
    else if (!scheme)
        path = address;
    if (!path)
        return xstrdup("");
    len = strcspn(path, "?#");
    while (len && path[len - 1] == '/')
        len--;
    if (len > 4 && !strncmp(path + len - 4, ".git", 4))
        len -= 4;
    for (start = len; start > 0; start--)
        if (path[start - 1] == '/' && ++parts == 2)
            break;
    while (start < len && path[start] == '/')
        start++;
    return xstrndup(path + start,
                    len - start < NAME_MAX_LEN ? len - start : NAME_MAX_LEN);
}

void source_free(struct source *source)
{
    if (!source)
        return;
    free(source->repo);
    free(source->name);
    free(source->commit);
    free(source->ref);
    free(source->branch);
    free(source);
}

/* `git rev-parse --local-env-vars`, of all versions, and what hooks get. */
static const char *const local_variables[] = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
};

/*
 * Run git in `dir`; `words` end with NULL. Whoever started berth from a hook
 * has variables set that name another repository; and a repository's own
 * configuration must not start programs when it is only looked at.
 */
static int git(const char *dir, const char *const *words, struct strbuf *output,
               struct err *err)
{
    static const char *const start[] = {
        "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "git",
        "-c",       "core.fsmonitor=false", "-C"};
    const char *argv[128] = {"env"};
    size_t count = 1;

    for (size_t i = 0; i < ARRAY_LEN(local_variables); i++) {
        argv[count++] = "-u";
        argv[count++] = local_variables[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(start); i++)
        argv[count++] = start[i];
    argv[count++] = dir;
    for (; *words && count + 1 < ARRAY_LEN(argv); words++)
        argv[count++] = *words;
    return proc_run(argv, GIT_TIMEOUT_MS, output, err);
}

#define GIT(dir, output, err, ...)                                             \
    git(dir, (const char *const[]){__VA_ARGS__, NULL}, output, err)

/* The last line that git printed: warnings may stand in front of it. */
static char *answer(struct strbuf *output)
{
    const char *line;

    while (output->len && output->data[output->len - 1] == '\n')
        strbuf_cut(output, output->len - 1);
    line = strrchr(output->data, '\n');
    return xstrdup(line ? line + 1 : output->data);
}

static char *ask(const char *dir, const char *word, const char *option,
                 const char *what)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);

    if (GIT(dir, &output, NULL, word, option, what) < 0)
        return xstrdup("");
    return answer(&output);
}

static int no_repository(const char *dir, const struct strbuf *output,
                         const struct err *why, struct err *err)
{
    if (strstr(output->data, "not a git repository"))
        return err_set(err, ERR_USER,
                       "'%.300s' is not in a Git repository; give one with "
                       "--repo, or make one: git init, git add, git commit",
                       dir);
    return err_set(err, ERR_USER, "cannot look at '%.300s': %.500s", dir,
                   why->msg);
}

/* Of a path that has more than one line, answer() would give another. */
static int check_path(const char *dir, struct err *err)
{
    char real[PATH_MAX];

    if (!realpath(dir, real))
        return err_sys(err, ERR_USER, "--repo '%.300s'", dir);
    if (strchr(real, '\n'))
        return err_set(err, ERR_USER,
                       "the path of the repository has a newline in it");
    return 0;
}

/* The top of the working tree, or a bare repository itself; NULL: none. */
static char *find_top(const char *dir, struct err *err)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);
    CLEANUP(mem) char *bare = NULL;
    const char *what = "--show-toplevel";
    struct err why = {0};

    if (check_path(dir, err) < 0)
        return NULL;
    if (GIT(dir, &output, &why, "rev-parse", "--is-bare-repository") < 0) {
        (void)no_repository(dir, &output, &why, err);
        return NULL;
    }
    bare = answer(&output);
    if (strcmp(bare, "true") == 0)
        what = "--absolute-git-dir";
    strbuf_cut(&output, 0);
    if (GIT(dir, &output, &why, "rev-parse", what) < 0) {
        (void)no_repository(dir, &output, &why, err);
        return NULL;
    }
    return answer(&output);
}

static bool is_hex(const char *text, size_t least, size_t most)
{
    size_t len = strspn(text, "0123456789abcdefABCDEF");

    return !text[len] && len >= least && len <= most;
}

static int no_commit(const char *top, const char *wanted, struct err *err)
{
    if (strcmp(wanted, "HEAD") == 0)
        return err_set(err, ERR_USER,
                       "'%.300s' has no commit yet: a run takes what is "
                       "committed",
                       top);
    return err_set(err, ERR_USER, "'%.300s' has no commit '%.200s'", top,
                   wanted);
}

static int find_commit(struct source *source, const char *wanted,
                       struct err *err)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);
    CLEANUP(mem) char *name = xasprintf("%s^{commit}", wanted);
    char *commit;

    if (GIT(source->repo, &output, NULL, "rev-parse", "--verify",
            "--end-of-options", name) < 0)
        return no_commit(source->repo, wanted, err);
    commit = answer(&output);
    free(source->commit);
    source->commit = commit;
    if (!is_hex(commit, 40, 40))
        return err_set(err, ERR_USER,
                       "'%.300s' does not name its commits by SHA-1, which is "
                       "all that berth knows",
                       source->repo);
    return 0;
}

/* refs/heads/main of "main" or HEAD; "" of what is no name of a ref. */
static void find_ref(struct source *source, const char *wanted)
{
    CLEANUP(mem)
    char *full = ask(source->repo, "rev-parse", "--symbolic-full-name", wanted);

    if (strncmp(full, "refs/", 5) != 0)
        return;
    if (!strncmp(full, "refs/heads/", 11)) {
        free(source->branch);
        source->branch = xstrdup(full + 11);
    }
    free(source->ref);
    source->ref = STEAL(full);
}

static void find_name(struct source *source)
{
    CLEANUP(mem)
    char *origin = ask(source->repo, "config", "--get", "remote.origin.url");
    const char *slash = strrchr(source->repo, '/');

    free(source->name);
    source->name = source_name_of(origin);
    if (*source->name)
        return;
    free(source->name);
    source->name = xstrdup(slash && slash[1] ? slash + 1 : source->repo);
}

/* Comparing files starts the filters that the configuration names: words for
 * git by which there are none. False where these are too many or too odd. */
static bool without_filters(const char *dir, struct strv *out_words)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);
    char *save = NULL;

    /* It fails where there are none, too. */
    if (GIT(dir, &output, NULL, "config", "--name-only", "--get-regexp",
            "^filter\\.") < 0)
        return true;
    for (char *key = strtok_r(output.data, "\n", &save); key;
         key = strtok_r(NULL, "\n", &save)) {
        const char *last = strrchr(key, '.');
        bool flag = last && strcmp(last, ".required") == 0;

        if (strchr(key, '=') || out_words->count > FILTER_WORDS_MAX)
            return false;
        strv_add(out_words, "-c");
        strv_addf(out_words, "%s=%s", key, flag ? "false" : "");
    }
    return true;
}

static void count_dirty(struct source *source)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);
    CLEANUP(strv) struct strv words = {0};

    if (!without_filters(source->repo, &words))
        return;
    strv_add(&words, "status");
    strv_add(&words, "--porcelain");
    /* These have configurations of their own. */
    strv_add(&words, "--ignore-submodules=dirty");
    /* A bare repository has no working tree: git says so and fails. */
    if (git(source->repo, (const char *const *)words.items, &output, NULL) < 0)
        return;
    for (size_t i = 0; i < output.len; i++)
        source->dirty_files += output.data[i] == '\n';
}

static int find_here(struct source *source, const char *commit, const char *ref,
                     struct err *err)
{
    const char *wanted = commit ? commit : ref ? ref : "HEAD";
    CLEANUP(mem) char *dir = STEAL(source->repo);
    char *top = find_top(dir, err);

    source->repo = xstrdup("");
    if (!top)
        return -1;
    free(source->repo);
    source->repo = top;
    if (find_commit(source, wanted, err) < 0)
        return -1;
    if (!commit)
        find_ref(source, wanted);
    find_name(source);
    if (!commit && !ref)
        count_dirty(source);
    return 0;
}

static int find_there(struct source *source, const char *commit,
                      const char *ref, struct err *err)
{
    if (commit && !is_hex(commit, 40, 40))
        return err_set(err, ERR_USER,
                       "--commit needs all 40 digits when --repo is an "
                       "address; or give --ref");
    free(source->name);
    source->name = source_name_of(source->repo);
    if (commit) {
        free(source->commit);
        source->commit = xstrdup(commit);
    }
    if (ref) {
        free(source->ref);
        source->ref = xstrdup(ref);
    }
    return 0;
}

int source_find(const char *repo, const char *commit, const char *ref,
                struct source **out_source, struct err *err)
{
    CLEANUP(source) struct source *source = xcalloc(1, sizeof(*source));
    int rc;

    source->repo = xstrdup(repo ? repo : ".");
    source->name = xstrdup("");
    source->commit = xstrdup("");
    source->ref = xstrdup("");
    source->branch = xstrdup("");
    if (commit && !is_hex(commit, 4, 40))
        return err_set(err, ERR_USER,
                       "--commit takes a SHA; for a branch or tag use --ref");
    if (ref && (!*ref || *ref == '-' || strlen(ref) > NAME_MAX_LEN))
        return err_set(err, ERR_USER, "--ref takes a branch, a tag or refs/…");
    rc = source_is_address(source->repo) ? find_there(source, commit, ref, err)
                                         : find_here(source, commit, ref, err);
    if (rc < 0)
        return -1;
    for (char *c = source->commit; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
    *out_source = STEAL(source);
    return 0;
}

/* What a name stands for, as others have it before as it is here. */
static char *commit_named(const char *repo, const char *name)
{
    static const char *const where[] = {"refs/remotes/origin/", "refs/heads/",
                                        ""};
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);

    for (size_t i = 0; i < ARRAY_LEN(where); i++) {
        CLEANUP(mem) char *full = xasprintf("%s%s^{commit}", where[i], name);

        strbuf_cut(&output, 0);
        if (GIT(repo, &output, NULL, "rev-parse", "--verify", "--quiet",
                "--end-of-options", full) == 0)
            return answer(&output);
    }
    return NULL;
}

static char *default_branch(const char *repo)
{
    static const char *const usual[] = {"main", "master"};
    CLEANUP(mem)
    char *head =
        ask(repo, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD");
    static const char prefix[] = "refs/remotes/origin/";

    if (strncmp(head, prefix, sizeof(prefix) - 1) == 0)
        return xstrdup(head + sizeof(prefix) - 1);
    for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
        CLEANUP(mem) char *commit = commit_named(repo, usual[i]);

        if (commit)
            return xstrdup(usual[i]);
    }
    return NULL;
}

int source_base(const struct source *source, const char *base, char **out_base,
                struct err *err)
{
    CLEANUP(strbuf) struct strbuf output = STRBUF_MAX(GIT_OUTPUT_MAX);
    CLEANUP(mem)
    char *name = base ? xstrdup(base) : default_branch(source->repo);
    CLEANUP(mem) char *commit = NULL;

    if (!name)
        return err_set(err, ERR_USER,
                       "which branch it is compared with is not clear: there "
                       "is no origin/HEAD, main or master; give --base");
    commit = *name == '-' ? NULL : commit_named(source->repo, name);
    if (!commit)
        return err_set(err, ERR_USER,
                       "'%.300s' has no branch or commit '%.200s'",
                       source->repo, name);
    if (GIT(source->repo, &output, NULL, "merge-base", commit, source->commit) <
        0)
        return err_set(err, ERR_USER,
                       "'%.200s' and %.7s have no commit in common", name,
                       source->commit);
    *out_base = answer(&output);
    return 0;
}
