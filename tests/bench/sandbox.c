/* tests/bench/sandbox.c - how long `true` takes in a sandbox, against peers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_peers.h"

#include "base/clock.h"
#include "scheduler/queue/submit.h"
#include "worker/job/events.h"
#include "worker/supervisor/runner.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

/*
 * sandbox REDIS STATE_DIR ROUNDS [DOCKER_SOCKET IMAGE CONTAINER]
 *
 * All are measured in turn in each round, so that they have the same weather;
 * what is reported are medians. The limits are those of TYPE, no network, the
 * same system calls, no capabilities.
 */
#define TYPE        "standard-2"
#define PAUSE_NS    60000000
#define WAIT_MS     30000
#define MAX_NUMBERS 1000

enum what {
    SPAWN, /* posix_spawn of `true`: the floor */
    BWRAP,
    CRUN, /* crun run of a bundle that is there */
    DOCKER_RUN,
    DOCKER_EXEC,
    EXEC,      /* in a sandbox that runs */
    COLD,      /* a sandbox from nothing to nothing */
    COLD_JOB,  /* a lease to the end of its first command, without the pool */
    POOL_EXEC, /* a lease to its first command, with it */
    POOL,      /* to the end of that */
    POOL_JOB,  /* to the end of the sandbox */
    COUNT
};

struct bench {
    struct loop *loop;
    struct queue *queue;
    const char *state_dir; /* absolute */
    const char *docker[3]; /* socket, image, container; NULL: none */
    char *sandboxes, *disks;
    const struct instance_type *type;
    struct sandbox *running;
    struct peers peers;
    struct warm_pool *pool;
    double ms[COUNT][MAX_NUMBERS];
    size_t round;
    int own_stdio; /* for who takes it over */

    /* of the job or the command that is under way */
    struct lease *lease;
    struct runner *runner;
    int64_t leased_ns, started_ns, ended_ns;
    bool answered, over, passed;
};

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void note(struct bench *b, enum what what, int64_t ns)
{
    b->ms[what][b->round] = (double)ns / 1e6;
}

static void wait_for(struct bench *b, const bool *flag, const char *what)
{
    int64_t until = clock_mono_ms() + WAIT_MS;
    struct err err;

    while (!*flag && clock_mono_ms() < until)
        if (loop_step(b->loop, 100, &err) < 0)
            die(&err);
    if (*flag)
        return;
    log_error("%s takes too long", what);
    exit(1);
}

/* So that what the last one left to do is done. */
static void rest(struct bench *b)
{
    int64_t until = clock_mono_ms() + PAUSE_NS / 1000000;
    struct err err;

    while (clock_mono_ms() < until)
        if (loop_step(b->loop, until - clock_mono_ms(), &err) < 0)
            die(&err);
}

/* ---- programs ------------------------------------------------------------ */

static void measure_program(struct bench *b, enum what what,
                            const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int64_t before = now_ns();
    int status = 0;
    pid_t pid;

    (void)posix_spawn_file_actions_init(&actions);
    if (what == BWRAP) {
        (void)lseek(b->peers.filter, 0, SEEK_SET);
        (void)posix_spawn_file_actions_adddup2(&actions, b->peers.filter,
                                               PEERS_FILTER_FD);
    }
    /* crun gives what it has as 0 to 2 to the container's user: not ours,
     * which may be the host's /dev/null. */
    for (int fd = 0; what == CRUN && fd < 3; fd++)
        (void)posix_spawn_file_actions_adddup2(&actions, b->own_stdio, fd);
    if (posix_spawnp(&pid, argv[0], &actions, NULL,
                     (char *const *)(uintptr_t)argv, environ) != 0 ||
        waitpid(pid, &status, 0) < 0 || status != 0) {
        log_error("%s failed: %d", argv[0], status);
        exit(1);
    }
    note(b, what, now_ns() - before);
    (void)posix_spawn_file_actions_destroy(&actions);
    rest(b);
}

/* ---- the driver ---------------------------------------------------------- */

static void on_started(void *arg, const struct err *err)
{
    struct bench *b = arg;

    if (err)
        die(err);
    b->answered = true;
}

static void on_lost(void *arg UNUSED, const struct err *err)
{
    die(err);
}

static void on_exit_inside(void *arg, const struct sandbox_exit *end)
{
    struct bench *b = arg;

    b->passed = end->code == 0;
    b->over = true;
}

static struct sandbox *start_sandbox(struct bench *b, const char *id)
{
    const struct sandbox_spec spec = {.id = id,
                                      .state_dir = b->sandboxes,
                                      .image = "host",
                                      .network = SANDBOX_NETWORK_NONE,
                                      .cpu_millis = b->type->cpu_millis,
                                      .memory_bytes = b->type->memory_bytes,
                                      .disk_bytes = b->type->disk_bytes,
                                      .pids = b->type->pids,
                                      .disk_templates = b->disks};
    struct sandbox *sandbox = NULL;
    struct err err;

    b->answered = false;
    if (sandbox_oci.create(&spec, b->loop, &sandbox, &err) < 0 ||
        sandbox_oci.start(sandbox, on_started, on_lost, b, &err) < 0)
        die(&err);
    wait_for(b, &b->answered, "a sandbox");
    return sandbox;
}

static void run_true(struct bench *b, struct sandbox *sandbox)
{
    static const char *const argv[] = {"true", NULL};
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const struct sandbox_exec exec = {.argv = argv,
                                      .env = env,
                                      .cwd = "/workspace",
                                      .on_exit = on_exit_inside,
                                      .arg = b};
    struct err err;
    uint32_t id;

    b->over = false;
    if (sandbox_oci.exec(sandbox, &exec, &id, &err) < 0)
        die(&err);
    wait_for(b, &b->over, "a command");
    if (!b->passed) {
        log_error("true failed");
        exit(1);
    }
}

static void measure_exec(struct bench *b)
{
    int64_t before = now_ns();

    run_true(b, b->running);
    note(b, EXEC, now_ns() - before);
    rest(b);
}

static void measure_cold(struct bench *b)
{
    int64_t before = now_ns();
    struct sandbox *sandbox = start_sandbox(b, "bench-cold");
    struct err err;

    run_true(b, sandbox);
    if (sandbox_oci.destroy(sandbox, &err) < 0)
        die(&err);
    note(b, COLD, now_ns() - before);
    rest(b);
}

/* ---- jobs ---------------------------------------------------------------- */

static void on_frame(void *arg, const struct frame *frame)
{
    struct bench *b = arg;

    if (frame->type == JOB_FRAME_STEP_START)
        b->started_ns = now_ns();
    if (frame->type == JOB_FRAME_STEP_END)
        b->ended_ns = now_ns();
}

static void on_over(void *arg, struct job_verdict *verdict)
{
    struct bench *b = arg;

    b->passed = verdict && strcmp(verdict->state, "passed") == 0;
    b->over = true;
    job_verdict_free(verdict);
}

static void on_leased(void *arg, struct lease *lease, const struct err *err)
{
    struct bench *b = arg;

    if (err)
        die(err);
    b->leased_ns = now_ns();
    b->lease = lease;
    b->answered = true;
}

static void on_completed(void *arg, struct lease *next UNUSED,
                         const struct err *err)
{
    struct bench *b = arg;

    if (err)
        die(err);
    b->answered = true;
}

static void submit(struct bench *b)
{
    static unsigned number;
    CLEANUP(mem) char *id = xasprintf("bench-%u", number++);
    const struct queue_job job = {
        .id = id,
        .payload = "{\"pipeline\":{\"name\":\"bench\",\"sandbox\":{\"image\":"
                   "\"host\",\"instance_type\":\"" TYPE
                   "\",\"network\":\"none\"},\"steps\":[{\"run\":\"true\"}]}}",
        .tenant = "bench",
        .pipeline = "bench",
        .priority = JOB_NORMAL};
    struct queue_answer answer;
    struct err err;

    if (queue_submit(b->queue, &job, 1, &answer, &err) < 0)
        die(&err);
}

static void run_job(struct bench *b, struct warm_pool *pool)
{
    const struct lease_wish wish = {.worker = "bench", .labels = ""};
    struct runner_spec spec = {
        .loop = b->loop,
        .state_dir = b->state_dir,
        .warm = pool,
        .events = {.on_frame = on_frame, .on_over = on_over, .arg = b}};
    struct job_verdict *verdict = NULL;

    submit(b);
    b->answered = b->over = false;
    queue_lease(b->queue, &wish, on_leased, b);
    wait_for(b, &b->answered, "a lease");
    spec.lease = b->lease;
    runner_start(&spec, &b->runner, &verdict);
    if (b->runner)
        wait_for(b, &b->over, "a job");
    if (!b->passed) {
        log_error("a job failed");
        exit(1);
    }
}

static void end_job(struct bench *b)
{
    const struct lease_result result = {.state = "passed", .json = "{}"};

    runner_free(STEAL(b->runner));
    b->answered = false;
    lease_complete(b->lease, "bench", &result, NULL, on_completed, b);
    wait_for(b, &b->answered, "the end of a lease");
    lease_free(STEAL(b->lease));
    rest(b);
}

static void measure_jobs(struct bench *b)
{
    int64_t until = clock_mono_ms() + WAIT_MS;
    struct err err;

    run_job(b, NULL);
    note(b, COLD_JOB, b->ended_ns - b->leased_ns);
    end_job(b);
    while (!warm_pool_ready(b->pool) && clock_mono_ms() < until)
        if (loop_step(b->loop, 100, &err) < 0)
            die(&err);
    rest(b);
    if (!warm_pool_ready(b->pool)) {
        log_error("the pool stays empty");
        exit(1);
    }
    run_job(b, b->pool);
    note(b, POOL_EXEC, b->started_ns - b->leased_ns);
    note(b, POOL, b->ended_ns - b->leased_ns);
    note(b, POOL_JOB, now_ns() - b->leased_ns);
    end_job(b);
}

/* ---- docker ---------------------------------------------------------------
 */

static void measure_docker(struct bench *b)
{
    CLEANUP(mem) char *host = NULL;
    CLEANUP(strv) struct strv run = {0};
    CLEANUP(strv) struct strv exec = {0};

    if (!b->docker[0])
        return;
    host = xasprintf("unix://%s", b->docker[0]);
    add_words(&run, "docker -H");
    strv_add(&run, host);
    add_words(&run, "run --rm --network none --cap-drop ALL --security-opt "
                    "no-new-privileges --user 1000:1000");
    strv_addf(&run, "--memory=%llu", (unsigned long long)b->type->memory_bytes);
    strv_addf(&run, "--cpus=%.3f", b->type->cpu_millis / 1000.0);
    strv_addf(&run, "--pids-limit=%u", b->type->pids);
    strv_add(&run, b->docker[1]);
    strv_add(&run, "true");
    measure_program(b, DOCKER_RUN, (const char *const *)run.items);
    add_words(&exec, "docker -H");
    strv_add(&exec, host);
    strv_add(&exec, "exec");
    strv_add(&exec, b->docker[2]);
    strv_add(&exec, "true");
    measure_program(b, DOCKER_EXEC, (const char *const *)exec.items);
}

/* ---- all ------------------------------------------------------------------
 */

static int compare_ms(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(struct bench *b, enum what what)
{
    qsort(b->ms[what], b->round, sizeof(double), compare_ms);
    return b->ms[what][b->round / 2];
}

static void report(struct bench *b)
{
    static const struct {
        enum what what;
        const char *name;
    } ours[] = {{EXEC, "sandbox-exec"}, {COLD, "sandbox-cold"},
                {COLD_JOB, "job-cold"}, {POOL_EXEC, "lease-to-exec"},
                {POOL, "job-pool"},     {POOL_JOB, "job-pool-and-away"}};
    static const struct {
        enum what what;
        const char *name;
    } peers[] = {{SPAWN, "posix_spawn"},
                 {BWRAP, "bwrap"},
                 {CRUN, "crun-run"},
                 {DOCKER_RUN, "docker-run"},
                 {DOCKER_EXEC, "docker-exec"}};

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        for (size_t j = 0; j < ARRAY_LEN(peers); j++) {
            double a = median(b, ours[i].what);
            double c = median(b, peers[j].what);

            if (c > 0)
                (void)printf("bench %s %.2f ms vs %s %.2f ratio %.3f\n",
                             ours[i].name, a, peers[j].name, c, c / a);
        }
}

static bool always(void *arg UNUSED)
{
    return true;
}

static void open_all(struct bench *b, char **argv)
{
    static char name[] = TYPE;
    struct warm_pool_options warm = {.may = always};
    struct config_number kind = {name, 1};
    const struct config_numbers kinds = {&kind, 1};
    const struct queue_options options = {.url = argv[1],
                                          .pool = "bench",
                                          .max_instances = 4,
                                          .lease_ms = 60000,
                                          .kill_grace_ms = 1000};
    struct err err;

    b->state_dir = argv[2];
    b->sandboxes = xasprintf("%s/sandboxes", b->state_dir);
    b->type = instance_type_find(TYPE);
    b->disks = xasprintf("%s/disks", b->state_dir);
    if (dir_make(b->disks, 0700, &err) < 0 || loop_new(&b->loop, &err) < 0 ||
        queue_open(b->loop, &options, &b->queue, &err) < 0)
        die(&err);
    b->peers.dir = b->state_dir;
    b->peers.type = b->type;
    prepare_crun(&b->peers);
    prepare_bwrap(&b->peers);
    b->running = start_sandbox(b, "bench-running");
    warm.loop = b->loop;
    warm.state_dir = b->state_dir;
    b->pool = warm_pool_new(&warm);
    warm_pool_set(b->pool, &kinds);
    warm_pool_look(b->pool);
}

static void close_all(struct bench *b)
{
    struct err err;

    warm_pool_close(b->pool);
    (void)warm_pool_wait(b->pool, clock_mono_ms() + WAIT_MS);
    warm_pool_free(b->pool);
    if (sandbox_oci.destroy(b->running, &err) < 0)
        die(&err);
    end_peers(&b->peers);
    free(b->sandboxes);
    free(b->disks);
    queue_free(b->queue);
    loop_free(b->loop);
}

int main(int argc, char **argv)
{
    static const char *const floor[] = {"true", NULL};
    static struct bench b;
    size_t rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

    log_init("sandbox", LOG_WARN);
    if (rounds < 1 || rounds > MAX_NUMBERS || (argc != 4 && argc != 7)) {
        (void)fprintf(stderr, "usage: sandbox REDIS STATE_DIR ROUNDS "
                              "[DOCKER_SOCKET IMAGE CONTAINER]\n");
        return 2;
    }
    for (int i = 0; argc == 7 && i < 3; i++)
        b.docker[i] = argv[4 + i];
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    open_all(&b, argv);
    b.own_stdio = memfd_create("stdio", MFD_CLOEXEC);
    for (b.round = 0; b.round < rounds; b.round++) {
        measure_program(&b, SPAWN, floor);
        measure_program(&b, BWRAP, (const char *const *)b.peers.bwrap.items);
        measure_program(&b, CRUN, (const char *const *)b.peers.crun.items);
        measure_docker(&b);
        measure_exec(&b);
        measure_cold(&b);
        measure_jobs(&b);
    }
    report(&b);
    close_all(&b);
    return 0;
}
