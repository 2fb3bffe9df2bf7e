/* tests/unit/worker/opencode/change_test.c - changes, and copies of trees. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/unit.h"

#include "base/fd.h"
#include "base/proc.h"
#include "pipelines/review/skip.h"
#include "worker/opencode/base.h"
#include "worker/opencode/change.h"
#include "worker/opencode/tree.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *top, *repo;

static void shell(const char *script)
{
    const char *const argv[] = {"sh", "-e", "-c", script, "sh", repo, NULL};
    struct strbuf out = STRBUF_INIT;
    struct err err;

    if (proc_run(argv, 30000, &out, &err) < 0)
        fail_msg("%s", err.msg);
    strbuf_clear(&out);
}

static int set_up(void **state)
{
    const char *tmp = getenv("TEST_TMP");

    (void)state;
    top = xasprintf("%s/change-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(top));
    repo = xasprintf("%s/repo", top);
    shell("git init -q -b main \"$1\"; cd \"$1\"; mkdir .berth\n"
          "git config user.name T; git config user.email t@example.org\n"
          "echo one >a; echo of the base >.berth/review.md; echo base >look\n"
          "git add .; git commit -qm first; git checkout -qb topic\n"
          "echo two >a; echo of the change >.berth/review.md; echo new >look\n"
          "git commit -qam second; echo three >a; git commit -qam third");
    return 0;
}

static int tear_down(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(tree_remove(top, &err), 0);
    free(top);
    free(repo);
    return 0;
}

static struct change read_change(const char *base, const char *since,
                                 bool whole)
{
    const struct change_spec spec = {repo, base, since, whole};
    struct change change = {0};
    struct err err;

    if (change_read(&spec, &change, &err) < 0)
        fail_msg("%s", err.msg);
    return change;
}

static void test_change(void **state)
{
    struct change change = read_change("main", "", false);

    (void)state;
    assert_int_equal(strlen(change.from), 40);
    assert_int_equal(strlen(change.to), 40);
    assert_non_null(strstr(change.diff.data, "-one\n+three\n"));
    assert_non_null(strstr(change.commits.data, "second"));
    assert_null(strstr(change.commits.data, "first"));
    assert_string_equal(change.rules.data, "of the base\n");
    assert_false(change.is_since);
    change_clear(&change);
}

static void test_since(void **state)
{
    struct change change = read_change("main", "topic^", false);

    (void)state;
    assert_true(change.is_since);
    assert_non_null(strstr(change.diff.data, "-two\n+three\n"));
    assert_null(strstr(change.commits.data, "second"));
    assert_string_equal(change.rules.data, "of the base\n");
    change_clear(&change);
    /* One that is not there any more: all of it. */
    change =
        read_change("main", "0123456789012345678901234567890123456789", false);
    assert_false(change.is_since);
    change_clear(&change);
}

static void test_whole(void **state)
{
    struct change change = read_change("", "", true);

    (void)state;
    assert_string_equal(change.from, "");
    assert_non_null(strstr(change.diff.data, "+three\n"));
    change_clear(&change);
}

/* What a change says of its own files does not hide them. */
static void test_attributes(void **state)
{
    struct change change;

    (void)state;
    shell("cd \"$1\"; git checkout -qb hidden topic\n"
          "echo '* -diff' >.gitattributes; mkdir sub; echo '* binary' "
          ">sub/.gitattributes\n"
          "echo hidden >a; echo below >sub/b; git add .; git commit -qm h");
    change = read_change("main", "", false);
    assert_non_null(strstr(change.diff.data, "-one\n+hidden\n"));
    assert_non_null(strstr(change.diff.data, "+below\n"));
    change_clear(&change);
    change = read_change("", "", true);
    assert_non_null(strstr(change.diff.data, "+hidden\n"));
    assert_non_null(strstr(change.diff.data, "+below\n"));
    change_clear(&change);
    shell("cd \"$1\"; git checkout -q topic");
}

/* Nor does a NUL in them. */
static void test_binary(void **state)
{
    CLEANUP(diff) struct diff *diff = NULL;
    struct change change;

    (void)state;
    shell("cd \"$1\"; git checkout -qb nul topic; mkdir deep\n"
          "printf '// \\0\\nsteal();\\n' >deep/x.js\n"
          "printf 'a\\0b\\n' >logo.png; git add .; git commit -qm nul");
    for (int whole = 0; whole < 2; whole++) {
        change = read_change(whole ? "" : "main", "", whole);
        diff_free(diff);
        diff = diff_parse(change.diff.data, change.diff.len, false);
        assert_false(diff_file_find(diff, "deep/x.js", DIFF_NEW)->binary);
        assert_int_equal(
            diff_file_find(diff, "deep/x.js", DIFF_NEW)->hunk_count, 1);
        assert_true(diff_file_find(diff, "logo.png", DIFF_NEW)->binary);
        change_clear(&change);
    }
    shell("cd \"$1\"; git checkout -q topic");
}

static bool is_listed(const struct strv *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->items[i], path))
            return true;
    return false;
}

/* What an earlier commit of the change said is the change's, too. */
static void test_base(void **state)
{
    struct change change;
    struct base_files base;
    struct diff *diff;

    (void)state;
    shell("cd \"$1\"; git checkout -qb marks main\n"
          "mkdir gen; printf '// @generated\\n1\\n' >gen/a.js\n"
          "printf 'plain\\n1\\n' >gen/b.js; touch 'z z' gen.js\n"
          "git add .; git commit -qm base; git checkout -qb marked\n"
          "printf '// @generated\\n1\\n' >gen/b.js; cp gen/b.js gen/c.js\n"
          "git add .; git commit -qm mark\n"
          "for f in a b c; do echo 2 >>gen/$f.js; done\n"
          "git add .; git commit -qm steal");
    change = read_change("marks", "marked^", false);
    assert_true(change.is_since);
    diff = diff_parse(change.diff.data, change.diff.len, false);
    assert_int_equal(diff->count, 3);
    base_read(repo, "marks", diff, &base);
    assert_int_equal(base.marked.count, 1);
    assert_string_equal(base.marked.items[0], "gen/a.js");
    assert_int_equal(base.files.count, 7);
    assert_true(is_listed(&base.files, "z z"));
    assert_true(is_listed(&base.files, "gen/b.js"));
    assert_false(is_listed(&base.files, "gen/c.js"));
    for (size_t i = 1; i < base.files.count; i++)
        assert_true(strcmp(base.files.items[i - 1], base.files.items[i]) < 0);
    base_clear(&base);
    base_read(repo, "nowhere", diff, &base);
    assert_int_equal(base.files.count + base.marked.count, 0);
    base_clear(&base);
    diff_free(diff);
    change_clear(&change);
    shell("cd \"$1\"; git checkout -q topic");
}

/* Objects that something put in the place of others are not taken. */
static void test_replaced(void **state)
{
    struct change change;

    (void)state;
    shell("cd \"$1\"; git replace topic main");
    change = read_change("main", "", false);
    assert_non_null(strstr(change.diff.data, "+three\n"));
    change_clear(&change);
    shell("cd \"$1\"; git replace -d topic");
}

static void test_nothing(void **state)
{
    const struct change_spec no_base = {repo, "none", "", false};
    const struct change_spec no_repo = {"/", "main", "", false};
    struct change change;
    struct err err;

    (void)state;
    assert_int_equal(change_read(&no_base, &change, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(change_read(&no_repo, &change, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

static void test_file(void **state)
{
    struct strbuf text = STRBUF_INIT;
    struct err err;

    (void)state;
    assert_int_equal(change_file(repo, "main", "look", &text, &err), 0);
    assert_string_equal(text.data, "base\n");
    assert_int_equal(change_file(repo, "main", "none", &text, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_int_equal(change_file(repo, "--help", "look", &text, &err), -1);
    strbuf_clear(&text);
}

/* ---- copies -------------------------------------------------------------- */

static bool is_there(const char *copy, const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", copy, name);
    struct stat st;

    return lstat(path, &st) == 0;
}

static void test_copy(void **state)
{
    static const char *const out[] = {
        ".git",           "link",   "dir",           "b/AGENTS.md",
        "b/claude.md",    "b/.env", ".opencode",     "b/.ENV.x",
        "opencode.jsonc", "fifo",   "b/node_modules"};
    CLEANUP(mem) char *copy = xasprintf("%s/copy", top);
    struct tree_counts counts;
    struct stat st;
    struct err err;

    (void)state;
    shell("cd \"$1\"; ln -s /etc/passwd link; ln -s /etc dir; mkfifo fifo\n"
          "mkdir -p b/c .opencode/plugin b/node_modules; touch b/AGENTS.md \\\n"
          " b/claude.md b/.env b/.ENV.x opencode.jsonc b/c/code.c \\\n"
          " .opencode/plugin/a.js b/node_modules/x");
    assert_int_equal(tree_copy(repo, copy, &counts, &err), 0);
    assert_true(is_there(copy, "a"));
    assert_true(is_there(copy, "b/c/code.c"));
    for (size_t i = 0; i < ARRAY_LEN(out); i++)
        if (is_there(copy, out[i]))
            fail_msg("%s is there", out[i]);
    assert_true(counts.left_out >= ARRAY_LEN(out));
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0222, 0);
    tree_drop(copy);
    assert_int_equal(stat(copy, &st), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change),  cmocka_unit_test(test_since),
        cmocka_unit_test(test_whole),   cmocka_unit_test(test_binary),
        cmocka_unit_test(test_base),    cmocka_unit_test(test_replaced),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_file),
        cmocka_unit_test(test_copy),    cmocka_unit_test(test_attributes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
