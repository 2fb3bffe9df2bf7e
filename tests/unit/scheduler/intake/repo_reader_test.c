/* tests/unit/scheduler/intake/repo_reader_test.c - many readings at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/repo_reader.h"

#include "base/clock.h"
#include "tests/unit/scheduler/intake/repo_rig.h"

#define COUNT 10

struct reads {
    struct loop *loop;
    struct repo_reader *reader;
    struct repo_reading *readings[COUNT];
    size_t done, fetched, failed;
};

static void on_read(void *arg, const struct repo_file_result *result,
                    const struct err *err)
{
    struct reads *reads = arg;

    reads->done++;
    reads->failed += err != NULL;
    reads->fetched += result && result->fetched;
    if (result && result->count)
        assert_non_null(result->files[0].data);
}

static void begin(struct reads *reads)
{
    struct err err = {0};

    memset(reads, 0, sizeof(*reads));
    assert_int_equal(loop_new(&reads->loop, &err), 0);
    reads->reader = repo_reader_new(reads->loop);
}

static void add(struct reads *reads, size_t i,
                const struct repo_file_request *request)
{
    reads->readings[i] =
        repo_reader_get(reads->reader, request, on_read, reads);
}

static void wait_for(struct reads *reads, size_t done)
{
    int64_t until = clock_mono_ms() + 60000;
    struct err err = {0};

    while (reads->done < done && clock_mono_ms() < until)
        assert_int_equal(loop_step(reads->loop, 100, &err), 0);
    assert_int_equal(reads->done, done);
}

static void end(struct reads *reads)
{
    for (size_t i = 0; i < COUNT; i++)
        repo_reading_free(reads->readings[i]);
    repo_reader_free(reads->reader);
    loop_free(reads->loop);
}

static struct repo_file_request request_of(const char *state)
{
    static const char *const paths[] = {".berth/*.yml"};

    return (struct repo_file_request){.repo = repo,
                                      .paths = paths,
                                      .path_count = 1,
                                      .state_dir = state,
                                      .timeout_ms = 60000};
}

/* ---- the real program ------------------------------------------------------
 */

/* The commit of the change of this number; owned. */
static char *commit_of(size_t number)
{
    CLEANUP(mem)
    char *command =
        xasprintf("git -C \"$REPO\" rev-parse refs/pull/%zu/head", number);
    char *id = shell(command);

    id[strcspn(id, "\n")] = '\0';
    return id;
}

static void read_changes(struct reads *reads, const char *state, size_t first,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct repo_file_request request = request_of(state);
        CLEANUP(mem) char *commit = commit_of(first + i);

        request.commit = commit;
        add(reads, i, &request);
    }
}

static void test_one_fetch_for_all(void **state)
{
    CLEANUP(mem) char *mirrors = xasprintf("%s/one", dir);
    struct reads reads;

    (void)state;
    begin(&reads);
    read_changes(&reads, mirrors, 1, COUNT);
    assert_int_equal(reads.done, 0);
    wait_for(&reads, COUNT);
    assert_int_equal(reads.failed, 0);
    assert_int_equal(reads.fetched, 1);
    end(&reads);
}

/* Who goes first has nothing to fetch: the next one does, for all others. */
static void test_nothing_to_bring(void **state)
{
    CLEANUP(mem) char *mirrors = xasprintf("%s/two", dir);
    struct reads reads;

    (void)state;
    begin(&reads);
    read_changes(&reads, mirrors, 1, 1);
    wait_for(&reads, 1);
    end(&reads);
    begin(&reads);
    read_changes(&reads, mirrors, 1, COUNT);
    wait_for(&reads, COUNT);
    assert_int_equal(reads.failed, 0);
    assert_int_equal(reads.fetched, 1);
    end(&reads);
}

/* Of fetches without number few packs remain, and all objects. */
static void test_few_packs(void **state)
{
    CLEANUP(mem) char *mirrors = xasprintf("%s/packs", dir);
    CLEANUP(mem)
    char *list =
        xasprintf("ls %s/mirrors/*/objects/pack/*.pack | wc -l", mirrors);
    CLEANUP(mem)
    char *check =
        xasprintf("git -C %s/mirrors/* -c safe.directory='*' fsck --full "
                  "--connectivity-only",
                  mirrors);
    CLEANUP(mem) char *packs = NULL;
    struct reads reads;

    (void)state;
    for (size_t i = 1; i <= 40; i++) {
        begin(&reads);
        read_changes(&reads, mirrors, i, 1);
        wait_for(&reads, 1);
        assert_int_equal(reads.fetched, 1);
        end(&reads);
    }
    packs = shell(list);
    assert_in_range(strtol(packs, NULL, 10), 1, 26);
    free(shell(check));
    begin(&reads);
    read_changes(&reads, mirrors, 1, COUNT);
    wait_for(&reads, COUNT);
    assert_int_equal(reads.failed, 0);
    assert_int_equal(reads.fetched, 0);
    end(&reads);
}

static void test_no_program(void **state)
{
    struct repo_file_request request = request_of(dir);
    struct reads reads;

    (void)state;
    use_programs("/nonexistent");
    begin(&reads);
    for (size_t i = 0; i < COUNT; i++)
        add(&reads, i, &request);
    assert_int_equal(reads.done, 0);
    wait_for(&reads, COUNT);
    assert_int_equal(reads.failed, COUNT);
    end(&reads);
    use_programs(libexec);
}

/* ---- one that waits --------------------------------------------------------
 */

/* Begun, and not more, when nothing happens for a while. */
static void expect_running(struct reads *reads, size_t wanted)
{
    CLEANUP(mem) char *command = xasprintf("ls %s/begun | wc -l", dir);
    int64_t until = clock_mono_ms() + 20000;
    size_t count = 0, quiet = 0;
    struct err err = {0};

    while (clock_mono_ms() < until && quiet < 20) {
        CLEANUP(mem) char *text = NULL;

        assert_int_equal(loop_step(reads->loop, 5, &err), 0);
        text = shell(command);
        count = strtoul(text, NULL, 10);
        quiet = count >= wanted ? quiet + 1 : 0;
    }
    assert_int_equal(count, wanted);
}

static void hold(const char *kind)
{
    CLEANUP(mem)
    char *script =
        xasprintf(": >%s/begun/$$\nuntil [ -e %s/go ]; do sleep 0.02; done\n"
                  "echo '{\"error\":{\"kind\":\"%s\",\"message\":\"m\"}}'",
                  dir, dir, kind);
    CLEANUP(mem)
    char *command = xasprintf("rm -f %s/go %s/begun/*", dir, dir);

    free(shell(command));
    fake(script);
}

static void let_go(void)
{
    CLEANUP(mem) char *command = xasprintf(": >%s/go", dir);

    free(shell(command));
}

static void test_at_most(void **state)
{
    struct reads reads;

    (void)state;
    hold("user");
    begin(&reads);
    for (size_t i = 0; i < COUNT; i++) {
        struct repo_file_request request = request_of(dir);
        CLEANUP(mem) char *name = xasprintf("/repository/%zu", i);

        request.repo = name;
        add(&reads, i, &request);
    }
    expect_running(&reads, REPO_READER_MAX);
    let_go();
    wait_for(&reads, COUNT);
    end(&reads);
    use_programs(libexec);
}

/* The one that leads is given up: the others do not wait for ever. */
static void test_of_one_repository(void **state)
{
    struct repo_file_request request = request_of(dir);
    struct reads reads;

    (void)state;
    hold("user");
    begin(&reads);
    request.commit = "0123456789abcdef0123456789abcdef01234567";
    for (size_t i = 0; i < COUNT; i++)
        add(&reads, i, &request);
    expect_running(&reads, 1);
    repo_reading_free(reads.readings[0]);
    reads.readings[0] = NULL;
    expect_running(&reads, 1 + REPO_READER_EACH);
    let_go();
    wait_for(&reads, COUNT - 1);
    assert_int_equal(reads.failed, COUNT - 1);
    end(&reads);
    use_programs(libexec);
}

static void test_host_away(void **state)
{
    struct repo_file_request request = request_of(dir);
    struct reads reads;

    (void)state;
    hold("transient");
    begin(&reads);
    for (size_t i = 0; i < COUNT; i++)
        add(&reads, i, &request);
    expect_running(&reads, 1);
    let_go();
    wait_for(&reads, COUNT);
    assert_int_equal(reads.failed, COUNT);
    expect_running(&reads, 1);
    end(&reads);
    use_programs(libexec);
}

static void test_freed_before_all(void **state)
{
    struct repo_file_request request = request_of(dir);
    struct reads reads;

    (void)state;
    hold("user");
    begin(&reads);
    for (size_t i = 0; i < COUNT; i++)
        add(&reads, i, &request);
    expect_running(&reads, 1);
    end(&reads);
    assert_int_equal(reads.done, 0);
    let_go();
    use_programs(libexec);
}

static int set_up(void **state)
{
    (void)state;
    return rig_up(
        "mkdir -m 0777 \"$(dirname \"$REPO\")/begun\"\n"
        "git init -q --bare -b main \"$REPO\"\n"
        "cd \"$REPO\"; who='committer n <n@example.org> 1767225600 +0000'\n"
        "{ printf 'commit refs/heads/main\\n%s\\ndata 1\\nb\\n' \"$who\"\n"
        "  printf 'M 100644 inline .berth/ci.yml\\ndata 3\\nx\\n\\n'\n"
        "  for i in $(seq 40); do\n"
        "    printf 'commit refs/pull/%s/head\\n%s\\n' \"$i\" \"$who\"\n"
        "    printf 'data 3\\n%03d\\nfrom refs/heads/main\\n' \"$i\"\n"
        "    printf 'M 100644 inline a\\ndata 3\\n%03d\\n' \"$i\"\n"
        "  done; } | git fast-import --quiet\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_fetch_for_all),
        cmocka_unit_test(test_nothing_to_bring),
        cmocka_unit_test(test_few_packs),
        cmocka_unit_test(test_no_program),
        cmocka_unit_test(test_at_most),
        cmocka_unit_test(test_of_one_repository),
        cmocka_unit_test(test_host_away),
        cmocka_unit_test(test_freed_before_all),
    };

    return cmocka_run_group_tests(tests, set_up, rig_down);
}
