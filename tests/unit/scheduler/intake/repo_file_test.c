/* tests/unit/scheduler/intake/repo_file_test.c - files read, and a driver. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/repo_file.h"

#include "base/clock.h"
#include "tests/unit/scheduler/intake/repo_rig.h"

#include <errno.h>
#include <sys/wait.h>

/*
 * `repo_file_test drive repo=… path=… path=…` reads once and prints how that
 * ended: tests/integration/show.sh is made of it. BERTH_LIBEXEC says where the
 * program is; here that is the real one, or one that misbehaves.
 */
struct run {
    struct loop *loop;
    struct repo_file *file;
    bool free_inside;
    unsigned calls;
    struct err err;
    char commit[64], branch[64];
    char *data[REPO_FILE_MAX]; /* owned, as the next */
    char *why[REPO_FILE_MAX];
    char *path[REPO_FILE_MAX];
    bool more;
    size_t len[REPO_FILE_MAX];
    size_t count;
};

static void keep(struct run *run, size_t i,
                 const struct repo_file_content *file)
{
    run->len[i] = file->len;
    run->why[i] = file->why ? xstrdup(file->why) : NULL;
    run->path[i] = xstrdup(file->path);
    if (!file->data)
        return;
    run->data[i] = xcalloc(file->len + 1, 1);
    memcpy(run->data[i], file->data, file->len);
}

static void on_read(void *arg, const struct repo_file_result *result,
                    const struct err *err)
{
    struct run *run = arg;

    run->calls++;
    loop_stop(run->loop);
    if (err)
        run->err = *err;
    for (size_t i = 0; result && i < result->count; i++)
        keep(run, i, &result->files[i]);
    if (result) {
        (void)snprintf(run->commit, sizeof(run->commit), "%s", result->commit);
        (void)snprintf(run->branch, sizeof(run->branch), "%s", result->branch);
        run->count = result->count;
        run->more = result->more;
    }
    if (run->free_inside) {
        repo_file_free(run->file);
        run->file = NULL;
    }
}

static void run_clear(struct run *run)
{
    repo_file_free(run->file);
    loop_free(run->loop);
    for (size_t i = 0; i < run->count; i++) {
        free(run->data[i]);
        free(run->why[i]);
        free(run->path[i]);
    }
    memset(run, 0, sizeof(*run));
}

static int begin(struct run *run, const struct repo_file_request *request)
{
    if (loop_new(&run->loop, &run->err) < 0)
        return -1;
    return repo_file_get(run->loop, request, on_read, run, &run->file,
                         &run->err);
}

/* ---- the driver ------------------------------------------------------------
 */

static const char *option(int argc, char **argv, const char *name,
                          const char *otherwise)
{
    size_t len = strlen(name);

    for (int i = argc - 1; i >= 2; i--)
        if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
            return argv[i] + len + 1;
    return otherwise;
}

static void on_kill(void *arg)
{
    struct run *run = arg;

    repo_file_free(run->file);
    run->file = NULL;
    loop_stop(run->loop);
}

static void print(const struct run *run, const char *out)
{
    struct err err = {0};

    if (run->err.kind)
        printf("error %s %s\n", err_kind_name(run->err.kind), run->err.msg);
    else if (run->calls)
        printf("done commit=%s branch=%s\n", run->commit, run->branch);
    if (run->more)
        printf("more\n");
    for (size_t i = 0; i < run->count; i++) {
        CLEANUP(mem) char *path = xasprintf("%s/%zu", out, i);

        printf("path %zu %s\n", i, run->path[i]);
        if (run->why[i])
            printf("none %zu %s\n", i, run->why[i]);
        else
            printf("file %zu %zu\n", i, run->len[i]);
        if (run->data[i] &&
            file_write(path, run->data[i], run->len[i], 0644, &err) < 0)
            printf("error %s\n", err.msg);
    }
}

static int drive(int argc, char **argv)
{
    const char *paths[32];
    struct repo_file_request request = {
        .repo = option(argc, argv, "repo", ""),
        .commit = option(argc, argv, "commit", NULL),
        .ref = option(argc, argv, "ref", NULL),
        .branch = option(argc, argv, "branch", NULL),
        .username = option(argc, argv, "username", NULL),
        .password = option(argc, argv, "password", NULL),
        .state_dir = option(argc, argv, "state", ""),
        .uid = (unsigned)strtoul(option(argc, argv, "uid", "0"), NULL, 10),
        .timeout_ms = strtol(option(argc, argv, "timeout", "60000"), NULL, 10),
        .paths = paths,
    };
    long kill_ms = strtol(option(argc, argv, "kill_after", "0"), NULL, 10);
    struct run run = {0};
    int failed;

    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], "path=", 5) == 0 && request.path_count < 32)
            paths[request.path_count++] = argv[i] + 5;
    if (begin(&run, &request) == 0) {
        if (kill_ms)
            (void)loop_add_timer(run.loop, clock_mono_ms() + kill_ms, on_kill,
                                 &run);
        if (loop_run(run.loop, &run.err) < 0)
            printf("error %s\n", run.err.msg);
    }
    print(&run, option(argc, argv, "out", "."));
    failed = run.err.kind != ERR_NONE;
    run_clear(&run);
    return failed;
}

/* ---- the real program ------------------------------------------------------
 */

static struct repo_file_request request_of(const char *const *paths,
                                           size_t count)
{
    return (struct repo_file_request){.repo = repo,
                                      .paths = paths,
                                      .path_count = count,
                                      .state_dir = dir,
                                      .timeout_ms = 60000};
}

static void go(struct run *run, const struct repo_file_request *request)
{
    struct err err = {0};

    if (begin(run, request) < 0)
        fail_msg("%s", run->err.msg);
    assert_int_equal(run->calls, 0);
    assert_int_equal(loop_run(run->loop, &err), 0);
    assert_int_equal(run->calls, 1);
}

static void test_files(void **state)
{
    static const char *const paths[] = {".berth/test.yml", "none", "nul",
                                        "empty", ".berth"};
    struct repo_file_request request = request_of(paths, 5);
    struct run run = {.free_inside = true};

    (void)state;
    go(&run, &request);
    assert_int_equal(run.err.kind, ERR_NONE);
    assert_int_equal(strlen(run.commit), 40);
    assert_string_equal(run.branch, "main");
    assert_int_equal(run.count, 5);
    assert_string_equal(run.data[0], "steps: [{run: ls}]\n");
    assert_null(run.data[1]);
    assert_string_equal(run.why[1], "is not there");
    assert_int_equal(run.len[2], 4);
    assert_memory_equal(run.data[2], "a\0\nb", 4);
    assert_non_null(run.data[3]);
    assert_int_equal(run.len[3], 0);
    assert_null(run.why[3]);
    assert_string_equal(run.why[4], "is a directory");
    run_clear(&run);
}

static void test_pattern(void **state)
{
    static const char *const paths[] = {"nul", ".berth/*.yml"};
    struct repo_file_request request = request_of(paths, 2);
    struct run run = {0}, none = {0}, two = {0};

    (void)state;
    go(&run, &request);
    assert_int_equal(run.err.kind, ERR_NONE);
    assert_int_equal(run.count, 3);
    assert_false(run.more);
    assert_string_equal(run.path[0], "nul");
    assert_string_equal(run.path[1], ".berth/other.yml");
    assert_string_equal(run.data[1], "other\n");
    assert_string_equal(run.path[2], ".berth/test.yml");
    request = request_of((const char *const[]){"nowhere/*.yml"}, 1);
    go(&none, &request);
    assert_int_equal(none.err.kind, ERR_NONE);
    assert_int_equal(none.count, 0);
    request = request_of((const char *const[]){"*", "nul"}, 2);
    go(&two, &request);
    assert_int_equal(two.err.kind, ERR_BUG);
    run_clear(&run);
    run_clear(&none);
    run_clear(&two);
}

static void test_only_the_commit(void **state)
{
    struct repo_file_request request = request_of(NULL, 0);
    struct run head = {0}, side = {0}, again = {0};

    (void)state;
    go(&head, &request);
    assert_int_equal(head.count, 0);
    request.branch = "side";
    go(&side, &request);
    assert_string_equal(side.branch, "side");
    assert_string_not_equal(side.commit, head.commit);
    request.commit = head.commit;
    go(&again, &request);
    assert_string_equal(again.commit, head.commit);
    run_clear(&head);
    run_clear(&side);
    run_clear(&again);
}

static void test_errors(void **state)
{
    static const char *const outside[] = {"../x"};
    struct repo_file_request request = request_of(NULL, 0);
    struct run run = {0};

    (void)state;
    request.branch = "nowhere";
    go(&run, &request);
    assert_int_equal(run.err.kind, ERR_USER);
    assert_non_null(strstr(run.err.msg, "nowhere"));
    run_clear(&run);
    request = request_of(outside, 1);
    go(&run, &request);
    assert_int_equal(run.err.kind, ERR_USER);
    assert_non_null(strstr(run.err.msg, "'../x'"));
    run_clear(&run);
    request = request_of(NULL, 0);
    request.repo = "http://127.0.0.1:1/x.git";
    go(&run, &request);
    assert_int_equal(run.err.kind, ERR_TRANSIENT);
    run_clear(&run);
}

static void test_refused_at_once(void **state)
{
    static const char *const broken[] = {"\xff"};
    struct repo_file_request request = request_of(NULL, REPO_FILE_MAX + 1);
    struct run run = {0};

    (void)state;
    assert_int_equal(begin(&run, &request), -1);
    assert_int_equal(run.err.kind, ERR_BUG);
    run_clear(&run);
    request = request_of(NULL, 0);
    request.timeout_ms = 0;
    assert_int_equal(begin(&run, &request), -1);
    assert_int_equal(run.err.kind, ERR_BUG);
    run_clear(&run);
    request = request_of(broken, 1);
    assert_int_equal(begin(&run, &request), -1);
    assert_int_equal(run.err.kind, ERR_USER);
    assert_null(run.file);
    run_clear(&run);
    request = request_of(NULL, 0);
    request.repo = broken[0];
    assert_int_equal(begin(&run, &request), -1);
    assert_int_equal(run.err.kind, ERR_USER);
    run_clear(&run);
    repo_file_free(NULL);
}

/* ---- programs that misbehave -----------------------------------------------
 */

#define OID "0123456789abcdef0123456789abcdef01234567"
#define DONE                                                                   \
    "{\"done\":{\"commit\":\"" OID                                             \
    "\",\"branch\":\"b\",\"fetched\":false,\"files\":0}}"

/* It dies at once; the loop reaps it. */
static void assert_no_child(struct loop *loop)
{
    siginfo_t info;

    for (int i = 0; i < 100; i++) {
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
            break;
        assert_int_equal(loop_step(loop, 20, NULL), 0);
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_answers(void **state)
{
    static const struct {
        const char *script;
        enum err_kind kind;
    } cases[] = {
        {"echo '{\"file\":{\"size\":2}}'; printf ab; echo '" DONE "'",
         ERR_NONE},
        {"echo '{\"file\":{\"why\":\"x\"}}'; echo '" DONE "'", ERR_NONE},
        {"echo '{\"error\":{\"kind\":\"user\",\"message\":\"m\"}}'; exit 1",
         ERR_USER},
        {"echo '{\"error\":{\"kind\":\"none\",\"message\":\"m\"}}'", ERR_BUG},
        {"echo nonsense", ERR_BUG},
        {"echo '" DONE "'", ERR_BUG},
        {"echo '{\"file\":{\"size\":2}}'; printf ab", ERR_BUG},
        {"echo '{\"file\":{\"size\":9}}'; echo '" DONE "'", ERR_BUG},
        {"echo '{\"file\":{\"size\":-1}}'; echo '" DONE "'", ERR_BUG},
        {"echo '{\"file\":{\"size\":\"2\"}}'; echo '" DONE "'", ERR_BUG},
        {"echo '{\"file\":{\"size\":2}}'; printf ab; echo '" DONE "'; echo x",
         ERR_BUG},
        {"for i in 1 2; do echo '{\"file\":{\"why\":\"x\"}}'; done; echo '" DONE
         "'",
         ERR_BUG},
        {"cat /dev/zero", ERR_BUG},
        {"exit 3", ERR_BUG},
        {"kill -SEGV $$", ERR_BUG},
        {"kill -KILL $$", ERR_TRANSIENT},
    };
    static const char *const paths[] = {"a"};
    struct repo_file_request request = request_of(paths, 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run = {.free_inside = i % 2};

        fake(cases[i].script);
        go(&run, &request);
        if (run.err.kind != cases[i].kind)
            fail_msg("%s: %s: %s", cases[i].script, err_kind_name(run.err.kind),
                     run.err.msg);
        assert_no_child(run.loop);
        run_clear(&run);
    }
    use_programs(libexec);
}

#define OF(path)  "echo '{\"file\":{\"size\":0,\"path\":\"" path "\"}}';"
#define WHY(path) "echo '{\"file\":{\"why\":\"w\",\"path\":\"" path "\"}}';"
#define NAMED     "echo '{\"file\":{\"size\":0}}';"
#define MORE                                                                   \
    "echo '{\"done\":{\"commit\":\"" OID                                       \
    "\",\"branch\":\"\",\"fetched\":true,\"more\":true}}'"

static void test_pattern_answers(void **state)
{
    static const struct {
        const char *script;
        enum err_kind kind;
        size_t count;
    } cases[] = {
        {NAMED "echo '" DONE "'", ERR_NONE, 1},
        {NAMED OF("d/b.yml") WHY("d/c.yml") "echo '" DONE "'", ERR_NONE, 3},
        {NAMED OF("d/b.yml") MORE, ERR_NONE, 2},
        {"echo '" DONE "'", ERR_BUG, 0},
        {OF("d/b.yml") "echo '" DONE "'", ERR_BUG, 0},
        {OF("a") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED NAMED "echo '" DONE "'", ERR_BUG, 0},
        {NAMED OF("e/b.yml") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED OF("d/b.yaml") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED OF("d/x/b.yml") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED OF("d/.yml") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED OF("d/b.yml") OF("d/b.yml") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED OF("d/b.yml") OF("d/a.yml") "echo '" DONE "'", ERR_BUG, 0},
        {NAMED "for i in a b c d e f g h i j k l m n o p; do "
               "echo '{\"file\":{\"why\":\"w\",\"path\":\"d/'$i'.yml\"}}';"
               "done; echo '" DONE "'",
         ERR_BUG, 0},
    };
    static const char *const paths[] = {"a", "d/*.yml"};
    struct repo_file_request request = request_of(paths, 2);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run = {0};

        fake(cases[i].script);
        go(&run, &request);
        if (run.err.kind != cases[i].kind || run.count != cases[i].count)
            fail_msg("%s: %s: %s, %zu files", cases[i].script,
                     err_kind_name(run.err.kind), run.err.msg, run.count);
        run_clear(&run);
    }
    use_programs(libexec);
}

static void test_hangs(void **state)
{
    struct repo_file_request request = request_of(NULL, 0);
    int64_t started = clock_mono_ms();
    struct run run = {0};

    (void)state;
    fake("trap '' TERM; sleep 60");
    request.timeout_ms = 1;
    go(&run, &request);
    assert_int_equal(run.err.kind, ERR_TRANSIENT);
    assert_true(clock_mono_ms() - started < 20000);
    assert_no_child(run.loop);
    run_clear(&run);
    use_programs(libexec);
}

static void test_freed_on_the_way(void **state)
{
    struct repo_file_request request = request_of(NULL, 0);
    struct run run = {0};

    (void)state;
    fake("sleep 60");
    assert_int_equal(begin(&run, &request), 0);
    assert_int_equal(loop_step(run.loop, 50, &run.err), 0);
    repo_file_free(run.file);
    run.file = NULL;
    assert_no_child(run.loop);
    assert_int_equal(loop_step(run.loop, 50, &run.err), 0);
    assert_int_equal(run.calls, 0);
    run_clear(&run);
    use_programs(libexec);
}

static void test_no_program(void **state)
{
    struct repo_file_request request = request_of(NULL, 0);
    struct run run = {0};

    (void)state;
    use_programs("/nonexistent");
    assert_int_equal(begin(&run, &request), -1);
    assert_int_equal(run.err.kind, ERR_TRANSIENT);
    run_clear(&run);
    use_programs(libexec);
}

static int set_up(void **state)
{
    (void)state;
    return rig_up(
        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\n"
        "git init -q -b main \"$REPO\"; cd \"$REPO\"\n"
        "git config user.name n; git config user.email n@example.org\n"
        "mkdir .berth; echo 'steps: [{run: ls}]' >.berth/test.yml\n"
        "echo other >.berth/other.yml; echo no >.berth/other.yaml\n"
        "printf 'a\\0\\nb' >nul; : >empty; git add -A; git commit -qm one\n"
        "git checkout -qb side; git commit -q --allow-empty -m two\n"
        "git checkout -q main\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_pattern_answers),
        cmocka_unit_test(test_only_the_commit),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_hangs),
        cmocka_unit_test(test_freed_on_the_way),
        cmocka_unit_test(test_no_program),
    };

    if (argc > 1 && strcmp(argv[1], "drive") == 0)
        return drive(argc, argv);
    return cmocka_run_group_tests(tests, set_up, rig_down);
}
