/* tests/unit/worker/sandbox/cgroup_test.c - limits on made-up hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "worker/sandbox/cgroup.h"
#include "worker/sandbox/hierarchy.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* A directory that plays /sys/fs/cgroup: knobs are plain files. */
static char top[64];
static char mountinfo[128], self[128];
static const struct cgroup_host fake = {mountinfo, self};

static int setup(void **state UNUSED)
{
    (void)snprintf(top, sizeof(top), "/tmp/berth-cgroup-XXXXXX");
    assert_non_null(mkdtemp(top));
    (void)snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", top);
    (void)snprintf(self, sizeof(self), "%s/self", top);
    return 0;
}

static int teardown(void **state UNUSED)
{
    struct err err = {0};

    assert_int_equal(tree_remove(top, &err), 0);
    return 0;
}

static void put(const char *name, const char *text)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", top, name);
    CLEANUP(mem) char *dir = xstrdup(path);
    struct err err = {0};

    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, 0755, &err), 0);
    assert_int_equal(file_write(path, text, strlen(text), 0644, &err), 0);
}

static void assert_file(const char *name, const char *text)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", top, name);
    CLEANUP(strbuf) struct strbuf got = STRBUF_INIT;
    struct err err = {0};

    if (file_read(path, 65536, &got, &err) < 0)
        fail_msg("%s", err.msg);
    assert_string_equal(got.data, text);
}

static bool exists(const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", top, name);

    return access(path, F_OK) == 0;
}

static struct cgroup *make(const char *id, bool subgroup)
{
    struct cgroup_spec spec = {
        .host = &fake,
        .id = id,
        .limits = {.memory_bytes = 1 << 30, .cpu_millis = 1500, .pids = 200},
        .subgroup = subgroup,
    };
    struct cgroup *cg = NULL;
    struct err err = {0};

    if (cgroup_create(&spec, &cg, &err) < 0)
        fail_msg("%s", err.msg);
    return cg;
}

static void host_v2(void)
{
    CLEANUP(mem)
    char *line = xasprintf("30 25 0:26 / %s/v2 rw,nosuid shared:4 - cgroup2 "
                           "cgroup2 rw,nsdelegate\n",
                           top);

    put("mountinfo", line);
    put("self", "0::/system.slice/ssh.service\n");
    put("v2/cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma\n");
    put("v2/cgroup.subtree_control", "cpu memory pids\n");
    put("v2/berth/cgroup.subtree_control", "");
}

static void test_v2(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;
    CLEANUP(mem) char *join = NULL;
    struct cgroup_usage usage;

    host_v2();
    cg = make("job1", false);
    assert_string_equal(cgroup_unenforced(cg), "");
    assert_null(cgroup_runtime_path(cg));
    assert_file("v2/berth/job1/memory.max", "1073741824");
    assert_file("v2/berth/job1/memory.swap.max", "0");
    assert_file("v2/berth/job1/cpu.max", "150000 100000");
    assert_file("v2/berth/job1/pids.max", "200");
    /* Already on at the top, so only written below; the last one is seen. */
    assert_file("v2/cgroup.subtree_control", "cpu memory pids\n");
    assert_int_equal(cgroup_join_files(cg)->count, 1);
    join = xasprintf("%s/v2/berth/job1/cgroup.procs", top);
    assert_string_equal(cgroup_join_files(cg)->items[0], join);
    put("v2/berth/job1/memory.peak", "4096\n");
    put("v2/berth/job1/memory.events", "low 0\nmax 3\noom 2\noom_kill 2\n"
                                       "oom_group_kill 0\n");
    put("v2/berth/job1/cpu.stat", "usage_usec 2500000\nuser_usec 1\n");
    cgroup_usage_read(cg, &usage);
    assert_int_equal(usage.memory_peak_bytes, 4096);
    assert_int_equal(usage.oom_kills, 2);
    assert_int_equal(usage.cpu_ms, 2500);
}

/* As systemd marks what Delegate=yes gave away. */
static bool delegate(const char *name)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", top, name);

    return setxattr(path, "trusted.delegate", "1", 1, 0) == 0;
}

static void test_v2_delegated(void **state UNUSED)
{
    static const char *const own[] = {"0::/system.slice/berth.service\n",
                                      /* where the first one moved us */
                                      "0::/system.slice/berth.service/"
                                      "berth.main\n"};

    host_v2();
    put("v2/system.slice/berth.service/cgroup.subtree_control", "");
    put("v2/system.slice/berth.service/cgroup.type", "domain\n");
    put("v2/system.slice/berth.service/cgroup.procs", "4242\n");
    if (!delegate("v2/system.slice/berth.service")) {
        print_message("# needs root, and attributes in /tmp\n");
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        CLEANUP(mem) char *id = xasprintf("job%zu", i);
        CLEANUP(mem)
        char *knob = xasprintf("v2/system.slice/berth.service/berth/%s/"
                               "pids.max",
                               id);
        CLEANUP(mem)
        char *path = xasprintf("/system.slice/berth.service/berth/%s/c", id);
        CLEANUP(cgroup) struct cgroup *cg = NULL;

        put("self", own[i]);
        cg = make(id, true);
        assert_file(knob, "200");
        /* No process may be where controllers are handed down from. */
        assert_file("v2/system.slice/berth.service/berth.main/cgroup.procs",
                    "4242");
        assert_string_equal(cgroup_runtime_path(cg), path);
        assert_false(exists("v2/berth/job0"));
        assert_false(exists("v2/berth/job1"));
    }
}

/* The top of a container's own hierarchy, after the move. */
static void test_v2_leaf_of_the_top(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;

    host_v2();
    put("self", "0::/berth.main\n");
    put("v2/berth.main/cgroup.procs", "");
    (void)delegate("v2");
    cg = make("job1", true);
    assert_file("v2/berth/job1/pids.max", "200");
    assert_string_equal(cgroup_runtime_path(cg), "/berth/job1/c");
}

static void test_v2_without_counters(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;
    struct cgroup_usage usage;

    host_v2();
    cg = make("job1", false);
    cgroup_usage_read(cg, &usage);
    assert_int_equal(usage.memory_peak_bytes, 0);
    assert_int_equal(usage.oom_kills, 0);
    assert_int_equal(usage.cpu_ms, -1);
}

static void test_v2_subgroup(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;

    host_v2();
    cg = make("job1", true);
    assert_string_equal(cgroup_runtime_path(cg), "/berth/job1/c");
    assert_int_equal(cgroup_join_files(cg)->count, 0);
    assert_file("v2/berth/job1/pids.max", "200");
}

static void host_hybrid(void)
{
    CLEANUP(mem)
    char *lines = xasprintf(
        "30 25 0:26 / %s/memory rw - cgroup cgroup rw,memory\n"
        "31 25 0:27 / %s/cpu,cpuacct rw shared:9 - cgroup cgroup "
        "rw,cpu,cpuacct\n"
        "32 25 0:28 /outer %s/pids rw - cgroup cgroup rw,pids\n"
        "33 25 0:29 / %s/unified rw - cgroup2 cgroup2 rw\n"
        "34 25 0:30 / %s/systemd rw - cgroup cgroup rw,xattr,name=systemd\n",
        top, top, top, top, top);

    put("mountinfo", lines);
    put("self", "5:memory:/user/x\n4:cpu,cpuacct:/\n3:pids:/outer/inner\n"
                "1:name=systemd:/user\n0::/\n");
    put("unified/cgroup.controllers", "hugetlb\n");
    put("memory/user/x/tasks", "");
    put("pids/inner/tasks", "");
    put("cpu,cpuacct/tasks", "");
    put("systemd/user/tasks", "");
}

static void test_hybrid(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;
    struct cgroup_usage usage;

    host_hybrid();
    cg = make("job-1", false);
    assert_string_equal(cgroup_unenforced(cg), "");
    assert_file("memory/user/x/berth/job-1/memory.limit_in_bytes",
                "1073741824");
    assert_file("memory/user/x/berth/job-1/memory.memsw.limit_in_bytes",
                "1073741824");
    assert_file("cpu,cpuacct/berth/job-1/cpu.cfs_quota_us", "150000");
    assert_file("cpu,cpuacct/berth/job-1/cpu.cfs_period_us", "100000");
    assert_file("pids/inner/berth/job-1/pids.max", "200");
    assert_int_equal(cgroup_join_files(cg)->count, 3);
    assert_false(exists("unified/berth"));
    put("memory/user/x/berth/job-1/memory.max_usage_in_bytes", "77\n");
    put("memory/user/x/berth/job-1/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    put("cpu,cpuacct/berth/job-1/cpuacct.usage", "3000000000\n");
    cgroup_usage_read(cg, &usage);
    assert_int_equal(usage.memory_peak_bytes, 77);
    assert_int_equal(usage.oom_kills, 1);
    assert_int_equal(usage.cpu_ms, 3000);
}

static void test_hybrid_subgroup(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;
    struct cgroup_usage usage;

    host_hybrid();
    cg = make("job-1", true);
    assert_string_equal(cgroup_runtime_path(cg), "berth/job-1/c");
    /* What the runtime makes elsewhere is known for the clean-up. */
    assert_non_null(strstr(cgroup_record(cg), "/systemd/user/berth/job-1\n"));
    put("memory/user/x/berth/job-1/memory.oom_control", "oom_kill 0\n");
    put("memory/user/x/berth/job-1/c/memory.oom_control", "oom_kill 4\n");
    cgroup_usage_read(cg, &usage);
    assert_int_equal(usage.oom_kills, 4);
}

static void test_missing_controllers(void **state UNUSED)
{
    CLEANUP(cgroup) struct cgroup *cg = NULL;

    put("mountinfo", "1 1 0:1 / / rw - ext4 /dev/vda rw\nnonsense\n");
    put("self", "0::/\n");
    cg = make("job", false);
    assert_string_equal(cgroup_unenforced(cg), "memory, cpu, pids");
    assert_string_equal(cgroup_record(cg), "");
}

static void test_record_comes_first(void **state UNUSED)
{
    CLEANUP(mem) char *path = xasprintf("%s/record", top);
    struct cgroup_spec spec = {.host = &fake, .id = "job", .record_path = path};
    CLEANUP(cgroup) struct cgroup *cg = NULL;
    struct err err = {0};

    host_v2();
    assert_int_equal(cgroup_create(&spec, &cg, &err), 0);
    assert_file("record", cgroup_record(cg));
    assert_non_null(strstr(cgroup_record(cg), "/v2/berth/job\n"));
}

static void test_refused(void **state UNUSED)
{
    struct cgroup_spec spec = {.host = &fake, .id = "job"};
    struct cgroup *cg = NULL;
    struct err err = {0};

    host_v2();
    /* A file where our directory has to be. */
    put("v2/berth/job", "");
    assert_int_equal(cgroup_create(&spec, &cg, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_null(cg);
}

static void test_removal(void **state UNUSED)
{
    CLEANUP(mem) char *dir = xasprintf("%s/v1/berth/job", top);
    CLEANUP(mem) char *sub = xasprintf("%s/c/deeper", dir);
    CLEANUP(mem) char *other = xasprintf("%s/precious", top);
    CLEANUP(mem) char *record = xasprintf("%s\n%s\n", dir, other);
    struct err err = {0};

    assert_int_equal(dir_make(sub, 0755, &err), 0);
    assert_int_equal(dir_make(other, 0755, &err), 0);
    assert_int_equal(cgroup_remove_recorded(record, 100, &err), 0);
    assert_false(exists("v1/berth"));
    /* Not one of ours, whatever the file says. */
    assert_true(exists("precious"));
    assert_int_equal(cgroup_remove_recorded(record, 100, &err), 0);
    /* One that stays is said so, in time. */
    put("v1/berth/job/cgroup.procs", "");
    assert_int_equal(cgroup_remove_recorded(record, 20, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

/* The real thing, where a v2 hierarchy is mounted, even without controllers:
 * processes that ignore everything are killed, and the cgroup goes. */
static void test_real_v2_removal(void **state UNUSED)
{
    static const char *const places[] = {"/sys/fs/cgroup",
                                         "/sys/fs/cgroup/unified"};
    char dir[256] = "", procs[300];
    struct err err = {0};
    struct statfs fs;
    pid_t pid;
    int status;

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
            (void)snprintf(dir, sizeof(dir), "%s/berth/test-%d", places[i],
                           (int)getpid());
    if (geteuid() != 0 || !dir[0] || dir_make(dir, 0755, &err) < 0) {
        print_message("# no cgroup2 that may be written\n");
        skip();
    }
    (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
    pid = fork();
    if (pid == 0) {
        CLEANUP(fd) int fd = open(procs, O_WRONLY | O_CLOEXEC);

        if (write(fd, "0", 1) != 1)
            _exit(1);
        (void)fork();
        for (;;)
            (void)pause();
    }
    for (int i = 0; i < 500; i++) {
        CLEANUP(strbuf) struct strbuf list = STRBUF_MAX(4096);

        assert_int_equal(file_read(procs, 4000, &list, &err), 0);
        if (list.len && strchr(list.data, '\n') != strrchr(list.data, '\n'))
            break;
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(cgroup_remove_recorded(dir, 5000, &err), 0);
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == 9);
}

/* Whoever removes the last sandbox removes their parent: not under another. */
static int make_and_remove(int worker)
{
    for (int i = 0; i < 30; i++) {
        CLEANUP(mem)
        char *id = xasprintf("test-%d-%d", (int)getpid(), worker);
        struct cgroup_spec spec = {
            .id = id, .limits = {1 << 30, 1000, 100}, .subgroup = worker % 2};
        CLEANUP(cgroup) struct cgroup *cg = NULL;
        struct err err = {0};

        if (cgroup_create(&spec, &cg, &err) < 0 ||
            cgroup_remove_recorded(cgroup_record(cg), 5000, &err) < 0) {
            (void)fprintf(stderr, "# %s\n", err.msg);
            return 1;
        }
    }
    return 0;
}

static void test_many_at_once(void **state UNUSED)
{
    pid_t pids[4];
    int status;

    if (geteuid() != 0) {
        print_message("# needs root\n");
        skip();
    }
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(make_and_remove(i));
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
}

static void test_words(void **state UNUSED)
{
    assert_true(hierarchy_has_word("cpuset cpu io", "cpu"));
    assert_true(hierarchy_has_word("rw,cpu,cpuacct", "cpuacct"));
    assert_true(hierarchy_has_word("cpu\n", "cpu"));
    assert_false(hierarchy_has_word("cpuset io", "cpu"));
    assert_false(hierarchy_has_word("", "cpu"));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_v2),
        EACH(test_v2_delegated),
        EACH(test_v2_leaf_of_the_top),
        EACH(test_v2_without_counters),
        EACH(test_v2_subgroup),
        EACH(test_hybrid),
        EACH(test_hybrid_subgroup),
        EACH(test_missing_controllers),
        EACH(test_record_comes_first),
        EACH(test_refused),
        EACH(test_removal),
        cmocka_unit_test(test_real_v2_removal),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
