/* tests/unit/worker/sandbox/oci_life_test.c - crashes, users, images. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

/* ---- what is left ----------------------------------------------------- */

static bool file_has(const char *path, const char *text)
{
    CLEANUP(strbuf) struct strbuf all = STRBUF_MAX(4 * MIB);
    struct err ignored;

    return file_read(path, 4 * MIB - 1, &all, &ignored) == 0 &&
           strstr(all.data, text);
}

static bool has_loop_device(void)
{
    for (int i = 0; i < 64; i++) {
        char path[64];

        (void)snprintf(path, sizeof(path),
                       "/sys/block/loop%d/loop/backing_file", i);
        if (file_has(path, box_state))
            return true;
    }
    return false;
}

/* The kernel takes a mount namespace down a little after its processes. */
static void assert_no_loop_device(void)
{
    for (int i = 0; i < 3000 && has_loop_device(); i++)
        (void)poll(NULL, 0, 10);
    assert_false(has_loop_device());
}

static void assert_no_cgroup(const char *id)
{
    CLEANUP(mem)
    char *script =
        xasprintf("! find /sys/fs/cgroup -type d -name '%s-*' | grep .", id);
    const char *argv[] = {"sh", "-c", script, NULL};
    struct err err = {0};

    if (proc_run(argv, 10000, NULL, &err) < 0)
        fail_msg("cgroup left: %s", err.msg);
}

/* Gone within the time that the kernel takes to tear down namespaces. */
static void assert_gone(pid_t pid)
{
    for (int i = 0; i < 3000 && kill(pid, 0) == 0; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(kill(pid, 0), -1);
}

/* ---- scenarios -------------------------------------------------------- */

static int tell[2]; /* a crashing child's pids, for its parent */
static const char *runtime;
static enum sandbox_network network;

static void crash(void)
{
    struct sandbox_spec spec = box_spec("crash");
    const char *argv[4];
    struct sandbox_exec exec;
    struct strbuf pid = STRBUF_MAX(64);
    CLEANUP(mem) char *path = xasprintf("%s/crash/run/pid", box_state);
    struct err err;
    pid_t init;
    uint32_t id;

    spec.runtime = runtime;
    spec.network = network;
    child_open(&spec);
    exec = box_sh(&child, argv,
                  "setsid sleep 1000 & trap '' TERM HUP; echo up; sleep 1000");
    CHECK(box_driver->exec(child.sandbox, &exec, &id, &err) == 0);
    while (!child.both.len)
        (void)box_wait(&child, &child.over, 50);
    while (file_read(path, 32, &pid, &err) < 0 || !pid.len)
        (void)box_wait(&child, &child.over, 10);
    init = atoi(pid.data);
    CHECK(write(tell[1], &init, sizeof(init)) == sizeof(init));
    for (;;)
        (void)pause();
}

static void crash_and_sweep(void)
{
    struct err err = {0};
    unsigned swept = 99;
    pid_t pid, init = -1;

    assert_int_equal(fd_pipe(tell, &err), 0);
    pid = fork();
    if (pid == 0)
        crash();
    assert_true(read(tell[0], &init, sizeof(init)) == sizeof(init));
    assert_int_equal(kill(init, 0), 0);
    /* A live one is let alone. */
    assert_int_equal(box_driver->sweep(box_state, &swept, &err), 0);
    assert_int_equal(swept, 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(box_driver->sweep(box_state, &swept, &err), 0);
    assert_int_equal(swept, 1);
    assert_gone(init);
    assert_no_loop_device();
    assert_no_cgroup("crash");
    assert_false(file_has("/proc/self/mountinfo", box_state));
    /* Idempotent, and the directory is empty (the teardown looks). */
    assert_int_equal(box_driver->sweep(box_state, &swept, &err), 0);
    assert_int_equal(swept, 0);
    fd_close(&tell[0]);
    fd_close(&tell[1]);
}

static void test_crash(void **state UNUSED)
{
    NEED_ROOT();
    runtime = NULL;
    network = SANDBOX_NETWORK_NONE;
    crash_and_sweep();
}

static void test_crash_of_runc(void **state UNUSED)
{
    NEED_ROOT();
    if (!proc_in_path("runc"))
        skip();
    runtime = "runc";
    network = SANDBOX_NETWORK_NONE;
    crash_and_sweep();
}

static void test_crash_with_network(void **state UNUSED)
{
    NEED_ROOT();
    if (!proc_in_path("slirp4netns"))
        skip();
    runtime = NULL;
    network = SANDBOX_NETWORK_FULL;
    crash_and_sweep();
}

static void use_runc(void)
{
    struct sandbox_spec spec = box_spec("runc");
    struct sandbox_usage usage;

    spec.runtime = "runc";
    spec.memory_bytes = 64 * MIB;
    child_open(&spec);
    CHECK(child_run("id -u; awk '/^Cap|^NoNew|^Seccomp:/ { print $2 }' "
                    "/proc/self/status | sort -u") == 0);
    CHECK(!strcmp(child.out.data, "1000\n0000000000000000\n1\n2\n"));
    CHECK(child_run("unshare -U true") != 0);
    CHECK(child_run("exec python3 -c 'x=bytearray(500<<20)'") ==
          1000 + SIGKILL);
    box_driver->usage(child.sandbox, &usage);
    CHECK(usage.oom_kills >= 1);
    CHECK(usage.memory_peak_bytes > 50 * MIB);
    CHECK(usage.cpu_ms > 0);
    child_close();
}

static void test_runc(void **state UNUSED)
{
    NEED_ROOT();
    if (!proc_in_path("runc"))
        skip();
    assert_int_equal(in_child(use_runc), 0);
    assert_no_cgroup("runc");
    assert_no_loop_device();
}

static void use_as_nobody(void)
{
    struct sandbox_spec spec = box_spec("nobody");
    CLEANUP(mem) char *dir = xasprintf("%s/nobody-state", box_state);
    CLEANUP(mem) char *agent = proc_libexec("agent");
    struct err err = {0};

    CHECK(mkdir(dir, 0700) == 0 && chown(dir, NOBODY, NOBODY) == 0);
    CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 &&
          setuid(NOBODY) == 0);
    /* As after an exec: setuid() takes /proc/self away from us. */
    CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
    if (access(agent, X_OK) < 0)
        _exit(77);
    spec.state_dir = dir;
    spec.disk_bytes = 64 * MIB;
    child_open(&spec);
    CHECK(box_driver->host_uid(child.sandbox) == NOBODY);
    CHECK(!strcmp(box_driver->unenforced(child.sandbox), "memory, cpu"));
    CHECK(child_run("id -u; awk '/^Cap|^NoNew|^Seccomp:/ { print $2 }' "
                    "/proc/self/status | sort -u") == 0);
    CHECK(!strcmp(child.out.data, "1000\n0000000000000000\n1\n2\n"));
    CHECK(child_run("ls /proc/1/fd || echo > /usr/x") != 0);
    CHECK(child_run("head -c 100000000 /dev/zero > big") != 0);
    CHECK(strstr(child.both.data, "No space left"));
    CHECK(child_run("rm big; i=0; while [ $i -lt 200 ]; do sleep 9 & "
                    "i=$((i+1)); done") != 0);
    CHECK(box_write(&child, "/workspace/d/f", "text") == 0);
    CHECK(box_read(&child, "/workspace/d/f", 10) == 0);
    CHECK(!strcmp(child.file.data, "text"));
    child_close();
    CHECK(tree_remove(dir, &err) == 0 || err.sys);
}

static void test_rootless(void **state UNUSED)
{
    char dir[PATH_MAX + 16];
    int rc;

    NEED_ROOT();
    ONLY_ROOTLESS();
    if (!proc_in_path("crun"))
        skip();
    (void)snprintf(dir, sizeof(dir), "%s/nobody-state", box_state);
    rc = in_child(use_as_nobody);
    /* It could empty its directory, not remove it from root's. */
    assert_int_equal(rmdir(dir), 0);
    if (rc == 77) {
        print_message("# nobody cannot reach the programs\n");
        skip();
    }
    assert_int_equal(rc, 0);
}

/* A container often has none: the disk is a tmpfs then, and we say so. */
static void use_without_loop_devices(void)
{
    struct sandbox_spec spec = box_spec("noloop");

    spec.disk_bytes = 32 * MIB;
    CHECK(unshare(CLONE_NEWNS) == 0 &&
          mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
          mount("/dev/null", "/dev/loop-control", NULL, MS_BIND, NULL) == 0);
    child_open(&spec);
    CHECK(strstr(box_driver->unenforced(child.sandbox), "disk apart"));
    CHECK(child_run("head -c 64000000 /dev/zero > big") != 0);
    CHECK(strstr(child.both.data, "No space left"));
    CHECK(child_run("id -u; stat -c %u .") == 0);
    CHECK(!strcmp(child.out.data, "1000\n1000\n"));
    child_close();
}

static void test_without_loop_devices(void **state UNUSED)
{
    NEED_ROOT();
    assert_int_equal(in_child(use_without_loop_devices), 0);
}

/* ---- a rootfs as image ------------------------------------------------ */

static char rootfs[PATH_MAX + 16];

static void use_rootfs_in(const char *state_dir)
{
    struct sandbox_spec spec = box_spec("rootfs");

    spec.state_dir = state_dir;
    spec.image = rootfs;
    child_open(&spec);
    CHECK(child_run("cat /marker; id -un; grep ^app: /etc/passwd; "
                    "cat /etc/hosts | head -1") == 0);
    CHECK(!strcmp(child.out.data, "image\nberth\napp:x:7:7::/:/bin/sh\n"
                                  "127.0.0.1 localhost berth\n"));
    CHECK(child_run("echo > /marker || echo > /etc/x") != 0);
    CHECK(child_run("cat /etc/leak /etc/group") != 0);
    CHECK(!strstr(child.both.data, "root:x:0"));
    child_close();
}

static void use_rootfs(void)
{
    use_rootfs_in(box_state);
}

static void use_rootfs_at_odd_place(void)
{
    CLEANUP(mem) char *dir = xasprintf("%s/a:b,c\\d e", box_state);

    use_rootfs_in(dir);
    CHECK(rmdir(dir) == 0);
}

/* busybox in a directory, with a link that leads out and one in a list. */
static void test_rootfs(void **state UNUSED)
{
    CLEANUP(mem) char *make = NULL;
    const char *argv[] = {"sh", "-ec", NULL, NULL};
    struct err err = {0};
    struct stat st;

    NEED_ROOT();
    ONLY_OCI();
    if (access("/bin/busybox", X_OK) < 0) {
        print_message("# needs busybox-static\n");
        skip();
    }
    (void)snprintf(rootfs, sizeof(rootfs), "%s-rootfs", box_state);
    make = xasprintf(
        "mkdir -p %s/bin %s/etc %s/usr/bin; cd %s; cp /bin/busybox bin; "
        "for i in sh cat id grep head echo; do ln -s busybox bin/$i; done; "
        "echo image > marker; "
        "printf 'node:x:1000:1000::/:/bin/sh\\napp:x:7:7::/:/bin/sh\\n' > "
        "etc/passwd; ln -s /etc/group etc/group; "
        "ln -s /etc/shadow etc/leak; chmod 755 . bin etc usr usr/bin",
        rootfs, rootfs, rootfs, rootfs);
    argv[2] = make;
    if (proc_run(argv, 10000, NULL, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(in_child(use_rootfs), 0);
    /* A state directory whose path means something to an overlay. */
    assert_int_equal(in_child(use_rootfs_at_odd_place), 0);
    /* The image is as it was: nothing was made in it. */
    assert_int_equal(stat(rootfs, &st), 0);
    assert_int_equal(st.st_nlink, 5);
    assert_int_equal(tree_remove(rootfs, &err), 0);
}

/* ---- a stranger in the way -------------------------------------------- */

static void test_closed_state_directory(void **state UNUSED)
{
    CLEANUP(mem) char *closed = xasprintf("%s/closed", box_state);
    CLEANUP(mem) char *dir = xasprintf("%s/closed/state", box_state);
    struct sandbox_spec spec = box_spec("closed");
    struct sandbox *sandbox = NULL;
    struct err err = {0};
    struct loop *loop;

    NEED_ROOT();
    assert_int_equal(mkdir(closed, 0700), 0);
    spec.state_dir = dir;
    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(box_driver->create(&spec, loop, &sandbox, &err), -1);
    assert_non_null(strstr(err.msg, "chmod o+x"));
    loop_free(loop);
    assert_int_equal(tree_remove(closed, &err), 0);
}

/* Two workers of one host may each have a job of this name. */
static void test_same_id(void **state UNUSED)
{
    CLEANUP(mem) char *other = xasprintf("%s/other", box_state);
    struct sandbox_spec spec = box_spec("same");
    struct box a, b;

    NEED_ROOT();
    assert_int_equal(mkdir(other, 0711), 0);
    box_open(&a, &spec);
    spec.state_dir = other;
    box_open(&b, &spec);
    box_close(&a);
    assert_int_equal(box_run(&b, "echo still there"), 0);
    assert_string_equal(b.out.data, "still there\n");
    box_close(&b);
    assert_int_equal(rmdir(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_crash_of_runc),
        cmocka_unit_test(test_crash_with_network),
        cmocka_unit_test(test_runc),
        cmocka_unit_test(test_rootless),
        cmocka_unit_test(test_without_loop_devices),
        cmocka_unit_test(test_rootfs),
        cmocka_unit_test(test_same_id),
        /* Last: from here on this process has its own mounts. */
        cmocka_unit_test(test_closed_state_directory),
    };

    return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
