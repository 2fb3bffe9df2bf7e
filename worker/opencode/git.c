/* worker/opencode/git.c - git, of a repository that is a stranger's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/git.h"

#include "base/proc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GIT_MS    120000
#define MAX_WORDS 24

int git_ask(const char *dir, const char *const *words, struct strbuf *output,
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
                                      "GIT_NO_REPLACE_OBJECTS=1",
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

char *git_commit(const char *dir, const char *name)
{
    CLEANUP(mem) char *what = xasprintf("%s^{commit}", name);
    const char *const words[] = {"rev-parse",        "--verify", "--quiet",
                                 "--end-of-options", what,       NULL};
    struct strbuf out = STRBUF_MAX(128);
    struct err err;
    char *commit = NULL;

    if (git_ask(dir, words, &out, &err) == 0 && out.len >= 40) {
        strbuf_cut(&out, strcspn(out.data, "\n"));
        commit = strbuf_take(&out);
    }
    strbuf_clear(&out);
    return commit;
}

char *git_base(const char *dir, const char *base)
{
    static const char *const where[] = {"refs/remotes/origin/", "refs/heads/",
                                        ""};
    char *found = NULL;

    if (!*base)
        return git_commit(dir, "HEAD^");
    for (size_t i = 0; i < ARRAY_LEN(where) && !found; i++) {
        CLEANUP(mem) char *name = xasprintf("%s%s", where[i], base);

        found = git_commit(dir, name);
    }
    return found;
}
