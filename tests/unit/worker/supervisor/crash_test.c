/* tests/unit/worker/supervisor/crash_test.c - what killed workers leave. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/diag.h"
#include "pipelines/pipeline.h"
#include "tests/unit/worker/supervisor/rig.h"

#include <dirent.h>
#include <fcntl.h>

/* ---- a supervisor in a process of its own -------------------------------- */

/* It inherits nothing of ours that it uses: neither loop nor connection. */
static void be_supervisor(const struct fixture *f, uint32_t kill_ms)
{
    struct fixture own = {0};
    struct queue_options options = {.url = server.url,
                                    .pool = own.pool,
                                    .max_instances = 8,
                                    .lease_ms = 60000,
                                    .kill_grace_ms = 500};

    memcpy(own.pool, f->pool, sizeof(own.pool));
    memcpy(own.dir, f->dir, sizeof(own.dir));
    if (loop_new(&own.loop, NULL) < 0 ||
        queue_open(own.loop, &options, &own.queue, NULL) < 0)
        _exit(9);
    start_supervisor(&own, 4, kill_ms);
    _exit(loop_run(own.loop, NULL) < 0 ? 8 : 7);
}

static pid_t fork_supervisor(const struct fixture *f, uint32_t kill_ms)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        be_supervisor(f, kill_ms);
    return pid;
}

static void kill_supervisor(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

/* The files of leases, and the text of one of them. */
static unsigned leases(const struct fixture *f, struct strbuf *text)
{
    CLEANUP(mem) char *dir = xasprintf("%s/leases", f->dir);
    DIR *list = opendir(dir);
    struct dirent *entry;
    unsigned count = 0;

    while (list && (entry = readdir(list))) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir, entry->d_name);

        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".tmp."))
            continue;
        count++;
        if (text) {
            strbuf_clear(text);
            assert_int_equal(file_read(path, 4096, text, NULL), 0);
        }
    }
    if (list)
        (void)closedir(list);
    return count;
}

static void wait_leases(const struct fixture *f, unsigned wanted)
{
    for (int i = 0; i < 1500 && leases(f, NULL) != wanted; i++)
        (void)poll(NULL, 0, 20);
    assert_int_equal(leases(f, NULL), wanted);
}

/* Of the run-job of the only lease. */
static pid_t leased_pid(const struct fixture *f)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const char *number;

    assert_int_equal(leases(f, &text), 1);
    number = strstr(text.data, "\"pid\":");
    assert_non_null(number);
    return (pid_t)strtol(number + 6, NULL, 10);
}

static char *state_of(struct fixture *f, const char *id, char **out_reason)
{
    CLEANUP(queue_status) struct queue_status *status = NULL;

    assert_int_equal(queue_status(f->queue, id, &status, NULL), 0);
    if (out_reason)
        *out_reason = STEAL(status->reason);
    return STEAL(status->state);
}

/* Let the loop run until the job has that state. */
static void wait_state(struct fixture *f, const char *id, const char *wanted)
{
    for (int i = 0; i < 600; i++) {
        CLEANUP(mem) char *state = state_of(f, id, NULL);

        if (strcmp(state, wanted) == 0)
            return;
        run_for(f, 50);
    }
    fail_msg("job %s did not become %s", id, wanted);
}

/* ---- tests --------------------------------------------------------------- */

/* What a killed worker had of a log goes to the store. */
static void test_log_is_kept(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *address = xasprintf("dir:%s/logs", f->dir);
    CLEANUP(mem) char *spooled = xasprintf("%s/spool/abc-1.log", f->dir);
    CLEANUP(mem) char *kept = xasprintf("%s/logs/ab/abc-1.log", f->dir);
    struct supervisor_options options = usual(f, 1, 4000);
    CLEANUP(queue_status) struct queue_status *status = NULL;
    struct log_store *store;
    struct stat st = {0};
    pid_t pid;

    submit(f, "abc", "hang"); /* no retries: it ends so */
    pid = fork_supervisor(f, 50000);
    for (int i = 0; i < 1500 && st.st_size == 0; i++) {
        (void)poll(NULL, 0, 20);
        (void)stat(spooled, &st);
    }
    assert_true(st.st_size > 0);
    kill_supervisor(pid);
    assert_int_equal(log_store_open(address, &store, NULL), 0);
    options.log_store = store;
    start_with(f, &options);
    wait_state(f, "abc", "failed");
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(access(spooled, F_OK), -1);
    assert_int_equal(queue_status(f->queue, "abc", &status, NULL), 0);
    assert_string_equal(status->reason, "worker_lost");
    assert_non_null(strstr(status->result, "dir:ab/abc-1.log"));
    supervisor_free(STEAL(f->supervisor));
    log_store_free(store);
}

/* Killed with two jobs: its successor gives both back, and runs them again. */
static void test_given_back(void **state)
{
    struct fixture *f = *state;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(mem) char *reason = NULL;
    CLEANUP(mem) char *again = NULL;
    struct stat st;
    pid_t pid;

    f->retries = 3;
    submit(f, "a", "hang");
    submit(f, "b", "hang");
    pid = fork_supervisor(f, 50000);
    wait_leases(f, 2);
    assert_int_equal(leases(f, &text), 2);
    assert_non_null(strstr(text.data, "\"worker\":\"w1\""));
    {
        CLEANUP(mem) char *path = xasprintf("%s/leases/a-1", f->dir);

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    kill_supervisor(pid);
    start_supervisor(f, 4, 4000);
    wait_state(f, "a", "delayed");
    wait_state(f, "b", "delayed");
    free(state_of(f, "a", &reason));
    assert_string_equal(reason, "worker_lost");
    wait_leases(f, 0);
    for (int i = 0; i < 600 && f->seen.started < 2; i++) {
        promote(f);
        run_for(f, 50);
    }
    assert_int_equal(f->seen.started, 2);
    supervisor_cancel(f->supervisor, "cancelled");
    run_until(f, &f->seen.ended, 2);
    again = state_of(f, "a", NULL);
    assert_string_equal(again, "cancelled");
    wait_leases(f, 0);
}

/* As long as its run-job lives, the lease is not given back. */
static void test_not_while_it_runs(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *still = NULL;
    pid_t pid, deaf;

    f->retries = 3;
    submit(f, "a", "deaf"); /* to end of file, too */
    pid = fork_supervisor(f, 50000);
    wait_leases(f, 1);
    kill_supervisor(pid);
    deaf = leased_pid(f);
    assert_int_equal(kill(deaf, 0), 0);
    start_supervisor(f, 4, 4000);
    submit(f, "b", "pass");
    run_for(f, 1000);
    still = state_of(f, "a", NULL);
    assert_string_equal(still, "running");
    assert_int_equal(f->seen.started, 0);
    assert_int_equal(sweeps(f), 1); /* its predecessor's */
    assert_int_equal(kill(deaf, SIGKILL), 0);
    run_until(f, &f->seen.ended, 1);
    wait_state(f, "a", "delayed");
    assert_int_equal(sweeps(f), 2);
}

/* What could not be swept may still run: the lease expires by itself. */
static void test_not_unless_swept(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *mark = xasprintf("%s/sweep-fails", f->dir);
    CLEANUP(mem) char *still = NULL;
    pid_t pid;

    submit(f, "a", "hang");
    pid = fork_supervisor(f, 50000);
    wait_leases(f, 1);
    kill_supervisor(pid);
    assert_int_equal(file_write(mark, "", 0, 0600, NULL), 0);
    start_supervisor(f, 4, 4000);
    submit(f, "b", "pass");
    run_until(f, &f->seen.ended, 1);
    run_for(f, 300);
    still = state_of(f, "a", NULL);
    assert_string_equal(still, "running");
    assert_int_equal(leases(f, NULL), 1);
}

/* Somebody else's leases, and what is no lease. */
static void test_others_are_left_alone(void **state)
{
    static const char other[] =
        "{\"pool\":\"%s\",\"worker\":\"%s\",\"job\":\"%s\",\"epoch\":1,"
        "\"nonce\":\"x\",\"pid\":0,\"began\":0,\"started_at_ms\":1}";
    struct fixture *f = *state;
    CLEANUP(mem) char *dir = xasprintf("%s/leases", f->dir);
    const struct {
        const char *file, *pool, *worker, *job;
    } files[] = {
        {"o-1", f->pool, "w2", "o"},
        {"p-1", "elsewhere", "w1", "p"},
        {"q-1", f->pool, "w1", "q"}, /* ours, but there is no such job */
    };

    assert_int_equal(dir_make(dir, 0700, NULL), 0);
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir, files[i].file);
        CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

        strbuf_addf(&text, other, files[i].pool, files[i].worker, files[i].job);
        assert_int_equal(file_write(path, text.data, text.len, 0600, NULL), 0);
    }
    {
        CLEANUP(mem) char *path = xasprintf("%s/r-1", dir);

        assert_int_equal(file_write(path, "nonsense", 8, 0600, NULL), 0);
    }
    start_supervisor(f, 1, 4000);
    submit(f, "a", "pass");
    run_until(f, &f->seen.ended, 1);
    run_for(f, 200);
    assert_int_equal(leases(f, NULL), 2);
}

static void test_one_of_a_name(void **state)
{
    struct fixture *f = *state;
    const struct supervisor_options options = usual(f, 1, 4000);
    CLEANUP(supervisor) struct supervisor *other = NULL;
    struct err err;

    start_supervisor(f, 1, 4000);
    assert_int_equal(
        supervisor_new(f->loop, f->queue, &options, NULL, &other, NULL), 0);
    assert_int_equal(supervisor_start(other, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "'w1'"));
}

/* ---- a supervisor that stands still -------------------------------------- */

static pid_t find_process(const char *argument)
{
    DIR *list = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (list && !found && (entry = readdir(list))) {
        CLEANUP(mem) char *path = xasprintf("/proc/%s/cmdline", entry->d_name);
        char text[256];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

        fd_close(&fd);
        if (n > 0 && memmem(text, (size_t)n, argument, strlen(argument)))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    if (list)
        (void)closedir(list);
    return found;
}

static char *sleeper_payload(const char *seconds)
{
    CLEANUP(diag_list) struct diag_list *diags = diag_list_new();
    CLEANUP(pipeline) struct pipeline *pipeline = NULL;
    CLEANUP(mem)
    char *text = xasprintf("name: p\nsandbox: {instance_type: lite}\n"
                           "steps:\n  - run: sleep %s\n",
                           seconds);
    json_t *payload;
    char *json;

    assert_int_equal(pipeline_load("p", text, strlen(text), diags, &pipeline),
                     0);
    payload = json_pack("{s:o, s:s, s:s, s:s, s:s, s:{}, s:s}", "pipeline",
                        pipeline_to_json(pipeline), "repo", "", "repo_name", "",
                        "commit", "", "ref", "", "inputs", "trust", "member");
    json = json_dumps(payload, JSON_COMPACT);
    json_decref(payload);
    return json;
}

/* The real run-job: its sandbox is gone by the lease's deadline, though the
 * supervisor neither renews nor closes anything. */
static void run_zombie(struct fixture *f)
{
    CLEANUP(mem) char *seconds = xasprintf("31%d", (int)getpid());
    CLEANUP(mem) char *payload = sleeper_payload(seconds);
    pid_t pid, run_job;
    int64_t begin;

    assert_int_equal(setenv("BERTH_LIBEXEC", real_libexec, 1), 0);
    assert_int_equal(setenv("BERTH_STATE_DIR", f->dir, 1), 0);
    assert_int_equal(chmod(f->dir, 0711), 0);
    submit_payload(f, "zombie", payload);
    pid = fork_supervisor(f, 3000);
    for (int i = 0; i < 1500 && !find_process(seconds); i++)
        (void)poll(NULL, 0, 20);
    assert_true(find_process(seconds) > 0);
    run_job = leased_pid(f);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    begin = clock_mono_ms();
    for (int i = 0; i < 2000 && find_process(seconds); i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(find_process(seconds), 0);
    /* 3 s from the last renewal; the machine may be busy. */
    assert_in_range(clock_mono_ms() - begin, 0, 20000);
    kill_supervisor(pid);
    for (int i = 0; i < 1000 && proc_began(run_job); i++)
        (void)poll(NULL, 0, 10); /* it removes the sandbox */
    assert_int_equal(proc_began(run_job), 0);
    assert_int_equal(setenv("BERTH_LIBEXEC", libexec, 1), 0);
    assert_int_equal(unsetenv("BERTH_STATE_DIR"), 0);
}

static void test_zombie(void **state)
{
    if (geteuid() != 0 || !*real_libexec)
        skip();
    run_zombie(*state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_log_is_kept),
        TEST(test_given_back),
        TEST(test_not_while_it_runs),
        TEST(test_not_unless_swept),
        TEST(test_others_are_left_alone),
        TEST(test_one_of_a_name),
        TEST(test_zombie),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
