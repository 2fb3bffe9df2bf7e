/* tests/unit/cli/source_test.c - repositories and commits, with real git. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/source.h"
#include "tests/lib/unit.h"

#include "base/fd.h"
#include "base/proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/berth-source-test-XXXXXX";

/* Run a line of shell in the scratch directory. */
static void shell(const char *line)
{
    CLEANUP(mem) char *text = xasprintf("set -e; cd '%s'; %s", dir, line);
    const char *argv[] = {"sh", "-c", text, NULL};
    struct err err = {0};

    if (proc_run(argv, 20000, NULL, &err) < 0)
        fail_msg("%s: %s", line, err.msg);
}

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static struct source *find(const char *name, const char *commit,
                           const char *ref)
{
    CLEANUP(mem) char *path = path_of(name);
    struct source *source = NULL;
    struct err err = {0};

    if (source_find(path, commit, ref, &source, &err) < 0)
        fail_msg("%s: %s", name, err.msg);
    return source;
}

static void check_fails(const char *repo, const char *commit, const char *ref,
                        const char *part)
{
    struct source *source = NULL;
    struct err err = {0};

    assert_int_equal(source_find(repo, commit, ref, &source, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_null(source);
    if (!strstr(err.msg, part))
        fail_msg("'%s' does not hold '%s'", err.msg, part);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    (void)setenv("GIT_AUTHOR_NAME", "t", 1);
    (void)setenv("GIT_AUTHOR_EMAIL", "t@example.org", 1);
    (void)setenv("GIT_COMMITTER_NAME", "t", 1);
    (void)setenv("GIT_COMMITTER_EMAIL", "t@example.org", 1);
    shell("git init -q -b main app; cd app; mkdir -p sub/deep; "
          "echo 1 > a; echo 1 > sub/b; git add .; git commit -qm one; "
          "git tag v1; git tag -am annotated v1-note; echo 2 > a; "
          "git commit -qam two; git branch other v1");
    shell("git init -q -b main empty; mkdir plain");
    return 0;
}

static int teardown(void **state)
{
    struct err err = {0};

    (void)state;
    return tree_remove(dir, &err);
}

static void test_head(void **state)
{
    CLEANUP(source) struct source *source = find("app", NULL, NULL);
    CLEANUP(mem) char *path = path_of("app");

    (void)state;
    assert_string_equal(source->repo, path);
    assert_string_equal(source->name, "app");
    assert_int_equal(strlen(source->commit), 40);
    assert_string_equal(source->ref, "refs/heads/main");
    assert_string_equal(source->branch, "main");
    assert_int_equal(source->dirty_files, 0);
}

static void test_below_the_top(void **state)
{
    CLEANUP(source) struct source *top = find("app", NULL, NULL);
    CLEANUP(source) struct source *deep = find("app/sub/deep", NULL, NULL);

    (void)state;
    assert_string_equal(deep->repo, top->repo);
    assert_string_equal(deep->commit, top->commit);
}

static void test_dirty(void **state)
{
    CLEANUP(source) struct source *source = NULL;
    CLEANUP(source) struct source *chosen = NULL;

    (void)state;
    shell("cd app; echo 3 > a; echo new > c");
    source = find("app", NULL, NULL);
    chosen = find("app", NULL, "v1");
    shell("cd app; git checkout -q a; rm c");
    assert_int_equal(source->dirty_files, 2);
    assert_int_equal(chosen->dirty_files, 0);
}

static void test_refs(void **state)
{
    CLEANUP(source) struct source *head = find("app", NULL, NULL);
    CLEANUP(source) struct source *tag = find("app", NULL, "v1");
    CLEANUP(source) struct source *note = find("app", NULL, "v1-note");
    CLEANUP(source) struct source *branch = find("app", NULL, "other");
    CLEANUP(source) struct source *before = find("app", NULL, "HEAD~1");
    char start[11] = "";
    CLEANUP(source) struct source *commit = NULL;

    (void)state;
    assert_string_equal(tag->ref, "refs/tags/v1");
    assert_string_equal(tag->branch, "");
    assert_string_equal(note->commit, tag->commit);
    assert_string_equal(branch->commit, tag->commit);
    assert_string_equal(branch->branch, "other");
    assert_string_equal(before->commit, tag->commit);
    assert_string_equal(before->ref, "");
    assert_string_not_equal(head->commit, tag->commit);
    memcpy(start, tag->commit, 10);
    commit = find("app", start, NULL);
    assert_string_equal(commit->commit, tag->commit);
}

static void test_detached_and_bare(void **state)
{
    CLEANUP(source) struct source *detached = NULL;
    CLEANUP(source) struct source *bare = NULL;
    CLEANUP(mem) char *path = path_of("bare.git");

    (void)state;
    shell("cd app; git checkout -q v1");
    detached = find("app", NULL, NULL);
    shell("cd app; git checkout -q main; git clone -q --bare . ../bare.git");
    assert_string_equal(detached->branch, "");
    bare = find("bare.git", NULL, NULL);
    assert_string_equal(bare->repo, path);
    assert_string_equal(bare->branch, "main");
}

static void test_name_of_origin(void **state)
{
    CLEANUP(source) struct source *source = NULL;

    (void)state;
    shell("cd app; git remote add origin "
          "https://me:secret@host.example/acme/tool.git");
    source = find("app", NULL, NULL);
    shell("cd app; git remote remove origin");
    assert_string_equal(source->name, "acme/tool");
}

/* A hook's variables name another repository: ours counts. */
static void test_hook_variables(void **state)
{
    CLEANUP(source) struct source *source = NULL;

    (void)state;
    (void)setenv("GIT_DIR", "/nonexistent", 1);
    source = find("app", NULL, NULL);
    (void)unsetenv("GIT_DIR");
    assert_string_equal(source->branch, "main");
}

/* To look at a repository starts no program that it names. */
static void test_filters(void **state)
{
    CLEANUP(source) struct source *source = NULL;
    CLEANUP(mem) char *ran = path_of("ran");

    (void)state;
    shell("mkdir odd; cd odd; git init -q -b main; echo 1 >f; echo 1 >g;"
          "echo '* filter=x' >.gitattributes; git add .;"
          "git -c user.name=t -c user.email=t commit -qm first;"
          "for key in clean smudge process; do"
          " git config filter.x.$key 'touch ../ran; cat'; done;"
          "git config filter.x.required true;"
          "git config core.fsmonitor 'touch ../ran;'; echo 2 >f; touch g");
    source = find("odd", NULL, NULL);
    assert_int_equal(access(ran, F_OK), -1);
    assert_int_equal(source->dirty_files, 1);
    /* It would have run. */
    shell("cd odd; git status --porcelain || :");
    assert_int_equal(access(ran, F_OK), 0);
}

/* All those that git itself knows; each has a value that breaks something. */
static void test_local_variables(void **state)
{
    CLEANUP(source) struct source *source = NULL;
    CLEANUP(strbuf) struct strbuf names = STRBUF_INIT;
    const char *argv[] = {"git", "rev-parse", "--local-env-vars", NULL};
    char *save = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(proc_run(argv, 20000, &names, NULL), 0);
    CLEANUP(mem) char *list = xasprintf("%s\nGIT_NAMESPACE\n", names.data);

    for (char *name = strtok_r(list, "\n", &save); name;
         name = strtok_r(NULL, "\n", &save), count++)
        (void)setenv(name, "/nonexistent", 1);
    source = find("app", NULL, NULL);
    strcpy(list, names.data);
    for (char *name = strtok_r(list, "\n", &save); name;
         name = strtok_r(NULL, "\n", &save))
        (void)unsetenv(name);
    (void)unsetenv("GIT_NAMESPACE");
    assert_true(count > 10);
    assert_string_equal(source->branch, "main");
    assert_int_equal(source->dirty_files, 0);
}

static void test_newline(void **state)
{
    CLEANUP(mem) char *path = path_of("new\nline/sub");

    (void)state;
    shell("mkdir 'new\nline'; git clone -q app 'new\nline/sub'");
    check_fails(path, NULL, NULL, "newline");
}

static void test_wrong(void **state)
{
    CLEANUP(mem) char *app = path_of("app");
    CLEANUP(mem) char *empty = path_of("empty");
    CLEANUP(mem) char *plain = path_of("plain");

    (void)state;
    check_fails("/nonexistent/x", NULL, NULL, "No such file");
    check_fails(plain, NULL, NULL, "is not in a Git repository");
    check_fails(empty, NULL, NULL, "has no commit yet");
    check_fails(app, NULL, "nope", "has no commit 'nope'");
    check_fails(app, "ffffffffff", NULL, "has no commit 'ffffffffff'");
    check_fails(app, "main", NULL, "use --ref");
    check_fails(app, NULL, "--upload-pack=x", "--ref takes");
    check_fails("https://me:secret@h.example/a/b", "abcd123", NULL,
                "all 40 digits");
}

static void test_address(void **state)
{
    static const char sha[] = "0123456789ABCDEF0123456789abcdef01234567";
    CLEANUP(source) struct source *source = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(source_find("https://me:secret@h.example/acme/b.git", sha,
                                 NULL, &source, &err),
                     0);
    assert_string_equal(source->repo, "https://me:secret@h.example/acme/b.git");
    assert_string_equal(source->name, "acme/b");
    assert_string_equal(source->commit,
                        "0123456789abcdef0123456789abcdef01234567");
}

static void test_is_address(void **state)
{
    (void)state;
    assert_true(source_is_address("https://h/a"));
    assert_true(source_is_address("file:///a"));
    assert_true(source_is_address("git@host:a/b.git"));
    assert_true(source_is_address("host:a"));
    assert_false(source_is_address("."));
    assert_false(source_is_address("../a:b"));
    assert_false(source_is_address("/a:b"));
    assert_false(source_is_address(":a"));
}

static void test_names(void **state)
{
    static const char *const cases[][2] = {
        {"https://h.example/acme/app.git", "acme/app"},
        {"https://h.example/acme/app/", "acme/app"},
        {"https://h.example/group/sub/app", "sub/app"},
        {"https://h.example/app?x=/y/z", "app"},
        {"https://h.example", ""},
        {"ssh://git@h.example:22/acme/app.git", "acme/app"},
        {"git@h.example:acme/app.git", "acme/app"},
        {"git@h.example:app", "app"},
        {"/srv/git/acme/app.git", "acme/app"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mem) char *name = source_name_of(cases[i][0]);

        assert_string_equal(name, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_below_the_top),
        cmocka_unit_test(test_dirty),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_refs),
        cmocka_unit_test(test_detached_and_bare),
        cmocka_unit_test(test_name_of_origin),
        cmocka_unit_test(test_hook_variables),
        cmocka_unit_test(test_local_variables),
        cmocka_unit_test(test_newline),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_is_address),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
