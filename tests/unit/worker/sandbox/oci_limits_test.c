/* tests/unit/worker/sandbox/oci_limits_test.c - limits, signals, floods. */
/* SPDX-License-Identifier: Apache-2.0 */
/* long 25 */
#include "box.h"

#include <dirent.h>

#include <fcntl.h>
#include <poll.h>

/* The main process stays, without needing another fork. */
#define BOMB "b() { b | b & b; }; b 2>/dev/null & exec sleep 60"

static struct sandbox_usage usage_of(struct box *b)
{
    struct sandbox_usage usage;

    box_driver->usage(b->sandbox, &usage);
    return usage;
}

static long own_rss_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    (void)fclose(file);
    return pages * 4;
}

static void test_out_of_memory(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("oom");
    struct box b;

    NEED_ROOT();
    spec.memory_bytes = 64 * MIB;
    box_open(&b, &spec);
    assert_int_equal(usage_of(&b).oom_kills, 0);
    assert_int_equal(box_run(&b, "exec python3 -c 'x=bytearray(500<<20)'"),
                     1000 + SIGKILL);
    assert_true(usage_of(&b).oom_kills >= 1);
    assert_true(usage_of(&b).memory_peak_bytes >= 60 * MIB);
    assert_true(usage_of(&b).memory_peak_bytes <= 64 * MIB);
    /* The agent was not the victim, and goes on. */
    assert_string_equal(box_says(&b, "echo here"), "here");
    box_close(&b);
}

static long number_in(const char *path)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(100);
    struct err err = {0};

    if (file_read(path, 50, &text, &err) < 0)
        fail_msg("%s", err.msg);
    return strtol(text.data, NULL, 10);
}

static long oom_score_of(int pid)
{
    CLEANUP(mem) char *path = xasprintf("/proc/%d/oom_score_adj", pid);

    return number_in(path);
}

/* Root of a container often may not lower a score, ours included. */
static bool can_lower_oom_score(void)
{
    CLEANUP(fd)
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, "-1", 2) == 2 && write(fd, "0", 1) == 1;
}

static void test_order_of_oom_victims(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("order");
    CLEANUP(mem) char *file = NULL;
    CLEANUP(mem) char *stat = NULL;
    struct box b;
    FILE *agents_stat;
    int agent, parent = 0;

    NEED_ROOT();
    if (!can_lower_oom_score()) {
        print_message("# needs CAP_SYS_RESOURCE\n");
        skip();
    }
    box_open(&b, &spec);
    file = xasprintf("%s/order/run/pid", box_state);
    assert_string_equal(box_says(&b, "cat /proc/self/oom_score_adj"), "500");
    agent = (int)number_in(file);
    stat = xasprintf("/proc/%d/stat", agent);
    agents_stat = fopen(stat, "re");
    assert_non_null(agents_stat);
    assert_int_equal(fscanf(agents_stat, "%*d (agent) %*c %d", &parent), 1);
    (void)fclose(agents_stat);
    assert_int_equal(oom_score_of(parent), -500);
    assert_int_equal(oom_score_of(agent), -20);
    assert_int_not_equal(box_run(&b, "echo -21 > /proc/self/oom_score_adj"), 0);
    assert_int_not_equal(box_run(&b, "echo -1000 > /proc/self/oom_score_adj"),
                         0);
    box_close(&b);
}

/* What is left for the host's root, and for the other jobs. */
static void test_inotify(void **state UNUSED)
{
    static const char script[] =
        "python3 -c 'import ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        "n = 0\n"
        "while n < 1000 and libc.inotify_init() >= 0:\n"
        "    n += 1\n"
        "print(n)'";
    struct sandbox_spec spec = box_spec("inotify");
    long ours = number_in("/proc/sys/user/max_inotify_instances");
    struct box b;

    NEED_ROOT();
    box_open(&b, &spec);
    assert_int_equal(atoi(box_says(&b, script)), ours < 128 ? ours / 4 : 32);
    assert_string_equal(box_says(&b, "cat /proc/sys/user/max_user_namespaces"),
                        "0");
    assert_true(number_in("/proc/sys/user/max_user_namespaces") > 0);
    assert_int_equal(number_in("/proc/sys/user/max_inotify_instances"), ours);
    box_close(&b);
}

static void test_fork_bomb(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("bomb");
    const char *argv[4];
    struct sandbox_exec exec;
    struct box b;
    int64_t started = clock_mono_ms();
    int left = 0;

    NEED_ROOT();
    box_open(&b, &spec);
    exec = box_sh(&b, argv, BOMB);
    exec.on_output = NULL;
    box_begin(&b, &exec);
    assert_false(box_wait(&b, &b.over, 1000));
    box_driver->kill_all(b.sandbox, SIGKILL);
    assert_true(box_wait(&b, &b.over, BOX_LIMIT_MS));
    assert_int_equal(b.end.signal, SIGKILL);
    /* The agent, this shell, ls, and wc if it was started first; the dead are
     * there until the agent, which shares the processors, has reaped them. */
    for (int i = 0; i < 200 && (left < 3 || left > 4); i++)
        left = atoi(box_says(&b, "ls -d /proc/[0-9]* | wc -l"));
    assert_in_range(left, 3, 4);
    box_close(&b);
    assert_true(clock_mono_ms() - started < 15000);
}

static void test_fork_bomb_and_destroy(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("bomb2");
    const char *argv[4];
    struct sandbox_exec exec;
    struct box b;
    int64_t before;

    NEED_ROOT();
    box_open(&b, &spec);
    exec = box_sh(&b, argv, BOMB);
    box_begin(&b, &exec);
    (void)box_wait(&b, &b.over, 500);
    before = clock_mono_ms();
    box_close(&b);
    assert_true(clock_mono_ms() - before < 3000);
}

static void test_disk_full(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("disk");
    struct box b;
    uint64_t most;

    NEED_ROOT();
    spec.disk_bytes = 256 * MIB;
    spec.memory_bytes = 64 * MIB;
    box_open(&b, &spec);
    assert_false(usage_of(&b).disk_full);
    assert_int_not_equal(
        box_run(&b, "dd if=/dev/zero of=big bs=1M count=10240 2>&1"), 0);
    assert_non_null(strstr(b.both.data, "No space left"));
    assert_true(usage_of(&b).disk_full);
    assert_int_equal(usage_of(&b).oom_kills, 0);
    most = strtoull(box_says(&b, "stat -c %s big"), NULL, 10);
    assert_true(most < 256 * MIB);
    assert_true(most > 200 * MIB);
    /* /tmp and the home are on the same disk. */
    assert_int_not_equal(box_run(&b, "head -c 20000000 /dev/zero > /tmp/x"), 0);
    box_close(&b);
}

static void test_inodes(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("inodes");
    struct box b;

    NEED_ROOT();
    spec.disk_bytes = 16 * MIB;
    box_open(&b, &spec);
    assert_int_not_equal(
        box_run(&b, "python3 -c 'for i in range(100000): open(str(i), \"w\")'"
                    " 2>/dev/null"),
        0);
    assert_true(usage_of(&b).disk_full);
    box_close(&b);
}

static char *only_file(const char *dir)
{
    DIR *list = opendir(dir);
    struct dirent *entry;
    char *path = NULL;

    assert_non_null(list);
    while ((entry = readdir(list)))
        if (entry->d_name[0] != '.') {
            assert_null(path);
            path = xasprintf("%s/%s", dir, entry->d_name);
        }
    (void)closedir(list);
    return path;
}

/* The first makes it, the others copy it; one that is damaged is made anew. */
static void test_disk_template(void **state UNUSED)
{
    CLEANUP(mem) char *dir = xasprintf("%s/disks", box_state);
    struct sandbox_spec spec = box_spec("template");
    struct err err = {0};
    char *path = NULL;

    NEED_ROOT();
    spec.disk_templates = dir;
    assert_int_equal(mkdir(dir, 0700), 0);
    for (int i = 0; i < 4; i++) {
        struct stat before = {0};
        struct stat after;
        struct box b;

        if (i == 3) {
            assert_int_equal(truncate(path, 0), 0);
            assert_int_equal(truncate(path, 512 << 20), 0);
        }
        if (path)
            assert_int_equal(stat(path, &before), 0);
        box_open(&b, &spec);
        /* Nothing of the one before, and as large as asked for. */
        assert_string_equal(
            box_says(&b, "ls -A /workspace /tmp | grep mark; echo mark "
                         ">/workspace/mark; df --output=fstype,size -k "
                         "/workspace | awk 'NR == 2 && $2 > 450000 { print $1 "
                         "}'"),
            "ext4");
        box_close(&b);
        free(path);
        path = only_file(dir);
        if (i < 3)
            assert_non_null(path);
        if (i == 1 || i == 2) {
            assert_int_equal(stat(path, &after), 0);
            assert_true(before.st_ino == after.st_ino);
        }
    }
    free(path);
    assert_int_equal(tree_remove(dir, &err), 0);
}

static void test_cpu_limit_and_time(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("cpu");
    struct box b;
    int64_t took_ms;

    NEED_ROOT();
    spec.cpu_millis = 200;
    box_open(&b, &spec);
    took_ms = clock_mono_ms();
    /* Until it had a second, which the kernel counts by ticks, however busy
     * the machine is. */
    assert_int_equal(
        box_run(&b, "sh -c 'ulimit -t 1; while :; do :; done'; true"), 0);
    took_ms = clock_mono_ms() - took_ms;
    assert_true(b.end.cpu_ms < 100 + took_ms * 3 / 10);
    assert_true(b.end.cpu_ms > 500);
    assert_true(usage_of(&b).cpu_ms >= b.end.cpu_ms);
    box_close(&b);
}

/* The runtime takes some 20 ms of CPU: a hundredth of one would be 2 s, also
 * when the machine is not busy with something else. */
static void test_small_cpu_starts_fast(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("small-cpu");
    struct box b;
    int64_t took_ms = INT64_MAX;

    NEED_ROOT();
    spec.cpu_millis = 10;
    for (int i = 0; i < 10 && took_ms > 1000; i++) {
        int64_t began = clock_mono_ms();

        box_open(&b, &spec);
        took_ms = clock_mono_ms() - began;
        box_close(&b);
    }
    if (took_ms > 1000)
        fail_msg("it took %lld ms", (long long)took_ms);
}

static void test_flood_of_output(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("flood");
    struct box b;
    long before;

    NEED_ROOT();
    box_open(&b, &spec);
    assert_int_equal(box_run(&b, "head -c 10000000 /dev/zero"), 0);
    before = own_rss_kib();
    assert_int_equal(box_run(&b, "head -c 1073741824 /dev/zero"), 0);
    assert_true(b.total == (uint64_t)1 << 30);
    assert_true(own_rss_kib() - before < 16384);
    box_close(&b);
}

static void test_paused_output(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("pause");
    const char *argv[4];
    struct sandbox_exec exec;
    struct box b;
    uint64_t held;

    NEED_ROOT();
    box_open(&b, &spec);
    exec = box_sh(&b, argv, "head -c 100000000 /dev/zero");
    box_begin(&b, &exec);
    box_driver->pause_output(b.sandbox, true);
    assert_false(box_wait(&b, &b.over, 300));
    held = b.total;
    assert_true(held < 4 * MIB);
    assert_false(box_wait(&b, &b.over, 300));
    assert_true(b.total == held);
    /* The agent is not held back. */
    assert_int_equal(box_write(&b, "/workspace/x", "x"), 0);
    box_driver->pause_output(b.sandbox, false);
    assert_true(box_wait(&b, &b.over, BOX_LIMIT_MS));
    assert_int_equal(b.end.code, 0);
    assert_true(b.total == 100000000);
    box_close(&b);
}

/* The driver is starved while a command ends: nothing of what it wrote, the
 * last line least of all, may be lost. What writes on for ever ends too. */
static void starve(struct box *b, const char *script)
{
    const char *argv[4];
    struct sandbox_exec exec = box_sh(b, argv, script);

    box_begin(b, &exec);
    (void)poll(NULL, 0, 2500);
    assert_true(box_wait(b, &b->over, BOX_LIMIT_MS));
}

static void test_starved_reader(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("starved");
    struct box b;

    NEED_ROOT();
    box_open(&b, &spec);
    for (int lines = 2000; lines <= 3200; lines += 400) {
        CLEANUP(mem)
        char *script = xasprintf("i=0; while [ $i -lt %d ]; do printf "
                                 "'%%099d\\n' $i; i=$((i+1)); done; "
                                 "echo the end",
                                 lines);

        starve(&b, script);
        assert_int_equal(b.total, lines * 100 + 8);
        assert_string_equal(b.both.data + lines * 100, "the end\n");
    }
    /* A child's last words, within the second that it has. */
    starve(&b, "(sleep 0.4; echo late) & head -c 230000 /dev/zero");
    assert_int_equal(b.total, 230005);
    starve(&b, "yes & exit 3");
    assert_int_equal(b.end.code, 3);
    box_close(&b);
}

static void test_signals(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("signals");
    const char *argv[4];
    struct sandbox_exec exec;
    struct box b;

    NEED_ROOT();
    box_open(&b, &spec);
    /* A grandchild in a session of its own gets it too, and can clean up. */
    exec = box_sh(&b, argv,
                  "setsid sh -c 'trap \"echo grand; exit 0\" TERM;"
                  " echo up; while :; do sleep 0.05; done' & wait");
    box_begin(&b, &exec);
    while (!strstr(b.both.data, "up"))
        assert_false(box_wait(&b, &b.over, 50));
    box_driver->kill_all(b.sandbox, SIGTERM);
    assert_true(box_wait(&b, &b.over, BOX_LIMIT_MS));
    assert_int_equal(b.end.signal, SIGTERM);
    assert_non_null(strstr(b.both.data, "grand"));
    exec =
        box_sh(&b, argv, "trap '' TERM; echo deaf; setsid sleep 60 & sleep 60");
    box_begin(&b, &exec);
    while (!strstr(b.both.data, "deaf"))
        assert_false(box_wait(&b, &b.over, 50));
    box_driver->kill_all(b.sandbox, SIGTERM);
    assert_false(box_wait(&b, &b.over, 300));
    box_driver->kill_all(b.sandbox, SIGKILL);
    assert_true(box_wait(&b, &b.over, BOX_LIMIT_MS));
    assert_int_equal(b.end.signal, SIGKILL);
    assert_int_equal(b.end.code, -1);
    box_close(&b);
}

static void test_background(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("background");
    const char *argv[4];
    struct sandbox_exec exec;
    struct box b;
    int64_t before;

    NEED_ROOT();
    box_open(&b, &spec);
    /* It holds the pipes: the end comes a second later, not 60. */
    before = clock_mono_ms();
    assert_int_equal(box_run(&b, "sleep 60 & echo done; exit 3"), 3);
    assert_string_equal(b.out.data, "done\n");
    assert_in_range(clock_mono_ms() - before, 900, 5000);
    assert_true(box_none(&b, "sleep"));
    /* Kept, if asked; and gone after the next. */
    exec = box_sh(&b, argv, "sleep 60 >/dev/null 2>&1 & true");
    exec.keep_background = true;
    box_begin(&b, &exec);
    assert_true(box_wait(&b, &b.over, BOX_LIMIT_MS));
    assert_int_equal(box_run(&b, "pgrep sleep"), 0);
    assert_true(box_none(&b, "sleep"));
    box_close(&b);
}

static void test_two_at_a_time(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("two");
    const char *argv[4], *argv2[4];
    struct sandbox_exec exec, quick;
    struct box b, other;

    NEED_ROOT();
    box_open(&b, &spec);
    other = b;
    other.out = other.both = (struct strbuf)STRBUF_INIT;
    exec = box_sh(&b, argv, "sleep 2; echo slow");
    quick = box_sh(&b, argv2, "echo quick; exit 7");
    quick.arg = &other;
    box_begin(&b, &exec);
    box_begin(&other, &quick);
    assert_true(box_wait(&b, &other.over, BOX_LIMIT_MS));
    assert_int_equal(other.end.code, 7);
    assert_false(b.over);
    assert_true(box_wait(&b, &b.over, BOX_LIMIT_MS));
    assert_int_equal(b.end.code, 0);
    assert_string_equal(b.out.data, "slow\n");
    assert_string_equal(other.out.data, "quick\n");
    strbuf_clear(&other.out);
    strbuf_clear(&other.both);
    box_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_order_of_oom_victims),
        cmocka_unit_test(test_inotify),
        cmocka_unit_test(test_fork_bomb),
        cmocka_unit_test(test_fork_bomb_and_destroy),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_inodes),
        cmocka_unit_test(test_disk_template),
        cmocka_unit_test(test_cpu_limit_and_time),
        cmocka_unit_test(test_small_cpu_starts_fast),
        cmocka_unit_test(test_flood_of_output),
        cmocka_unit_test(test_paused_output),
        cmocka_unit_test(test_starved_reader),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_two_at_a_time),
    };

    return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
