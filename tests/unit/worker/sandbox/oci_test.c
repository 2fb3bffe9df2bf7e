/* tests/unit/worker/sandbox/oci_test.c - isolation, files and life cycle. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <sys/mount.h>

#include <fcntl.h>

static struct box shared; /* most tests only look around */

static int open_shared(void **state)
{
    struct sandbox_spec spec = box_spec("shared");

    if (box_setup(state) < 0)
        return -1;
    if (box_can())
        box_open(&shared, &spec);
    return 0;
}

static int close_shared(void **state)
{
    if (box_can())
        box_close(&shared);
    return box_teardown(state);
}

static void test_identity(void **state UNUSED)
{
    struct box *b = &shared;

    NEED_ROOT();
    assert_string_equal(box_says(b, "id -u; id -g; id -G; id -un"),
                        "1000\n1000\n1000\nberth");
    assert_string_equal(box_says(b, "pwd; echo $HOME; hostname"),
                        "/workspace\n/home/berth\nberth");
    assert_string_equal(box_says(b,
                                 "awk '/^Cap|^NoNew|^Seccomp:/ { print $2 }' "
                                 "/proc/self/status | sort -u"),
                        "0000000000000000\n1\n2");
    assert_string_equal(box_says(b, "awk '/^Seccomp:/ { print $2 }' "
                                    "/proc/self/status"),
                        "2");
    assert_string_equal(box_says(b, "cat /proc/self/uid_map | tr -s ' '"),
                        " 0 1900000000 65536");
}

static void test_housekeeping_as_root(void **state UNUSED)
{
    const char *argv[4];
    struct sandbox_exec exec;

    NEED_ROOT();
    exec = box_sh(&shared, argv,
                  "id -u; awk '/^CapEff|^CapBnd/ { print $2 }' "
                  "/proc/self/status");
    exec.as_root = true;
    box_begin(&shared, &exec);
    assert_true(box_wait(&shared, &shared.over, 5000));
    assert_string_equal(shared.out.data,
                        "0\n0000000000000000\n0000000000000000\n");
}

static void test_agent_is_out_of_reach(void **state UNUSED)
{
    struct box *b = &shared;

    NEED_ROOT();
    assert_int_not_equal(box_run(b, "ls /proc/1/fd"), 0);
    assert_int_not_equal(box_run(b, "cat /proc/1/environ"), 0);
    assert_int_not_equal(box_run(b, "kill -9 1"), 0);
    assert_int_not_equal(box_run(b, "echo > /.berth/agent"), 0);
    /* Three descriptors, no more, and none of them the agent's. (Not piped:
     * the shell would have a fourth for a moment; not last: no shell.) */
    assert_string_equal(box_says(b, "ls /proc/$$/fd; true"), "0\n1\n2");
    assert_string_equal(box_says(b, "readlink /proc/$$/fd/0"), "/dev/null");
}

static void test_read_only(void **state UNUSED)
{
    static const char *const places[] = {
        "/usr/x",  "/etc/x", "/x",        "/bin/x",          "/dev/x",
        "/proc/x", "/run/x", "/.berth/x", "/etc/ssl/certs/x"};

    NEED_ROOT();
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        CLEANUP(mem) char *script = xasprintf("echo > %s", places[i]);

        assert_int_not_equal(box_run(&shared, script), 0);
    }
    assert_int_equal(box_run(&shared, "for d in /workspace /tmp /var/tmp ~ "
                                      "/dev/shm; do echo > $d/x || exit; done"),
                     0);
    assert_int_not_equal(box_run(&shared, "echo 1 > /proc/sys/kernel/panic"),
                         0);
    assert_int_not_equal(box_run(&shared, "ls /root /var/lib /sys/kernel"), 0);
}

/* The call returns the errno it failed with. */
static const char syscall_script[] =
    "python3 - <<'E'\n"
    "import ctypes, os\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(*a):\n"
    "    ctypes.set_errno(0)\n"
    "    r = libc.syscall(*[ctypes.c_long(x) for x in a])\n"
    "    return ctypes.get_errno() if r < 0 else 0\n"
    "import platform\n"
    "assert platform.machine() == 'x86_64'\n"
    "print('ptrace', call(101, 0, 0, 0, 0), 'mount', call(165, 0, 0, 0, 0, 0),"
    " 'unshare', call(272, 0x10000000), 'setns', call(308, 0, 0),"
    " 'bpf', call(321, 0, 0, 0), 'perf', call(298, 0, 0, 0, 0, 0),"
    " 'uring', call(425, 1, 0), 'keyctl', call(250, 0, 0),"
    " 'userfaultfd', call(323, 0), 'vm_readv', call(310, 1, 0, 0, 0, 0, 0),"
    " 'clone3', call(435, 0, 0), 'clone_newuser', call(56, 0x10000011, 0),"
    " 'unknown', call(511), 'vsock', call(41, 40, 1, 0))\n"
    "E\n";

static void test_seccomp(void **state UNUSED)
{
    NEED_ROOT();
#ifndef __x86_64__
    skip();
#endif
    /* Docker before 23 has only one answer to what a profile does not name. */
    assert_string_equal(
        box_says(&shared, syscall_script),
        box_is_docker()
            ? "ptrace 1 mount 1 unshare 1 setns 1 bpf 1 perf 1 uring 1 keyctl "
              "1 userfaultfd 1 vm_readv 1 clone3 38 clone_newuser 1 unknown 1 "
              "vsock 97"
            : "ptrace 1 mount 1 unshare 1 setns 1 bpf 1 perf 1 uring 1 keyctl "
              "1 userfaultfd 1 vm_readv 1 clone3 38 clone_newuser 1 unknown 38 "
              "vsock 97");
}

static void test_setuid_is_harmless(void **state UNUSED)
{
    NEED_ROOT();
    assert_int_not_equal(box_run(&shared, "mount -t tmpfs none /tmp"), 0);
    assert_int_not_equal(box_run(&shared, "unshare -Ur true"), 0);
    assert_string_equal(
        box_says(&shared, "cp /bin/sh /tmp/s; chmod 6755 /tmp/s; "
                          "/tmp/s -c 'id -u; id -u -r; id -g'; rm /tmp/s"),
        "1000\n1000\n1000");
}

static void test_programs_run(void **state UNUSED)
{
    NEED_ROOT();
    ONLY_HOST();
    if (!proc_in_path("gcc") || !proc_in_path("git") || !proc_in_path("node"))
        skip();
    assert_string_equal(
        box_says(&shared,
                 "cd /tmp && printf 'int main(void) { return 42; }' > a.c && "
                 "gcc -o a.out a.c && ./a.out; echo $?; rm a.out a.c; "
                 "node -e 'new (require(\"worker_threads\").Worker)"
                 "(\"console.log(6 * 7)\", { eval: true })' && "
                 "git init -q r && cd r && git config user.email a@b.c && "
                 "git config user.name n && git commit -q --allow-empty -m m "
                 "&& git log --format=%s; rm -rf /tmp/r"),
        "42\n42\nm");
}

static void test_exit_codes(void **state UNUSED)
{
    const char *argv[] = {"/no/such/program", NULL};
    const char *dir[] = {"true", NULL};
    struct sandbox_exec exec = {.argv = argv,
                                .env = argv + 1,
                                .cwd = "/",
                                .on_output = box_output,
                                .on_exit = box_exit,
                                .arg = &shared};

    NEED_ROOT();
    assert_int_equal(box_run(&shared, "exit 42"), 42);
    assert_int_equal(box_run(&shared, "kill -SEGV $$"), 1000 + SIGSEGV);
    box_begin(&shared, &exec);
    assert_true(box_wait(&shared, &shared.over, 5000));
    assert_int_equal(shared.end.code, 127);
    assert_non_null(strstr(shared.both.data, "'/no/such/program'"));
    exec.argv = dir;
    exec.cwd = "/nowhere";
    box_begin(&shared, &exec);
    assert_true(box_wait(&shared, &shared.over, 5000));
    assert_int_equal(shared.end.code, 126);
    /* The streams stay apart. */
    assert_int_equal(box_run(&shared, "echo out; echo err >&2"), 0);
    assert_string_equal(shared.out.data, "out\n");
    assert_int_equal(shared.both.len, 8);
}

static void test_files(void **state UNUSED)
{
    struct box *b = &shared;

    NEED_ROOT();
    assert_int_equal(box_write(b, "/workspace/a/b/c", "first"), 0);
    assert_int_equal(box_write(b, "/workspace/a/b/c", "second"), 0);
    assert_string_equal(box_says(b, "stat -c '%a %u' a/b/c; cat a/b/c; ls a/b"),
                        "640 1000\nsecondc");
    assert_int_equal(box_read(b, "/workspace/a/b/c", 100), 0);
    assert_string_equal(b->file.data, "second");
    assert_int_equal(box_run(b, "head -c 9000000 /dev/urandom > big; "
                                ": > none; sha256sum big"),
                     0);
    assert_int_equal(box_read(b, "/workspace/big", 16 * MIB), 0);
    assert_int_equal(b->file.len, 9000000);
    assert_int_equal(box_read(b, "/workspace/none", 1), 0);
    assert_int_equal(b->file.len, 0);
    assert_int_equal(box_read(b, "/workspace/big", 1000), -1);
    assert_int_equal(b->err.kind, ERR_USER);
    assert_non_null(strstr(b->err.msg, "larger than 1000 bytes"));
    assert_int_equal(box_read(b, "/workspace/nix", 10), -1);
    assert_non_null(strstr(b->err.msg, "'/workspace/nix'"));
    assert_int_equal(box_read(b, "/workspace", 10), -1);
    assert_int_equal(box_run(b, "rm -rf a big none; mkfifo pipe"), 0);
    assert_int_equal(box_read(b, "/workspace/pipe", 10), -1);
    assert_int_equal(box_read(b, "/dev/zero", 10), -1);
    assert_int_equal(box_write(b, "/etc/passwd", "x"), -1);
    assert_int_equal(box_write(b, "relative", "x"), -1);
}

static void test_hostile_links(void **state UNUSED)
{
    struct box *b = &shared;
    CLEANUP(mem) char *secret = xasprintf("%s-secret", box_state);
    CLEANUP(mem) char *script = NULL;
    struct err err;
    struct strbuf text = STRBUF_MAX(100);

    NEED_ROOT();
    assert_int_equal(file_write(secret, "secret", 6, 0666, &err), 0);
    script = xasprintf("ln -sf %s link; ln -sfn /etc dir; ln -sf "
                       "/proc/1/root%s proc; ln -sf /proc/1/mem mem",
                       secret, secret);
    assert_int_equal(box_run(b, script), 0);
    assert_int_equal(box_read(b, "/workspace/link", 100), -1);
    assert_int_equal(box_read(b, "/workspace/proc", 100), -1);
    assert_int_equal(box_read(b, "/workspace/mem", 100), -1);
    assert_int_equal(box_write(b, "/workspace/dir/passwd", "x"), -1);
    /* A link in the file's place is replaced, not followed. */
    assert_int_equal(box_write(b, "/workspace/link", "mine"), 0);
    assert_string_equal(box_says(b, "test -L link || cat link"), "mine");
    assert_int_equal(file_read(secret, 100, &text, &err), 0);
    assert_string_equal(text.data, "secret");
    strbuf_clear(&text);
    assert_int_equal(box_run(b, "rm -f link dir proc mem pipe"), 0);
    assert_int_equal(unlink(secret), 0);
}

static void test_stopped_helper_spared(void **state UNUSED)
{
    struct box *b = &shared;
    struct err err = {0};

    NEED_ROOT();
    assert_int_equal(box_run(b, "head -c 16000000 /dev/zero > big"), 0);
    b->filed = false;
    assert_int_equal(box_driver->read_file(b->sandbox, "/workspace/big",
                                           16 * MIB, box_filed, b, &err),
                     0);
    box_driver->kill_all(b->sandbox, SIGKILL);
    assert_true(box_wait(b, &b->filed, 10000));
    assert_int_equal(b->err.kind, ERR_NONE);
    assert_int_equal(b->file.len, 16000000);
    assert_int_equal(box_run(b, "rm big"), 0);
}

static void test_put_tree(void **state UNUSED)
{
    struct box *b = &shared;
    struct err err = {0};
    CLEANUP(mem) char *dir = xasprintf("%s-tree", box_state);
    CLEANUP(mem)
    char *make = xasprintf(
        "mkdir -p %s/a/b && cd %s && echo one > a/b/one && ln -s /etc/shadow l "
        "&& head -c 5000000 /dev/zero > zero && chmod 755 a/b/one && "
        "mkfifo pipe && for i in $(seq 300); do echo $i > a/$i; done",
        dir, dir);
    const char *argv[] = {"sh", "-c", make, NULL};
    int rc;

    NEED_ROOT();
    assert_int_equal(proc_run(argv, 10000, NULL, &err), 0);
    for (int i = 0; i < 2; i++) {
        rc = box_driver->put_tree(b->sandbox, dir, "/workspace/new/tree",
                                  box_filed, b, &err);
        if (box_done(b, rc, &err) < 0)
            fail_msg("%s", b->err.msg);
    }
    assert_string_equal(
        box_says(b, "cd new/tree; cat a/b/one; stat -c '%a %u' a/b/one; "
                    "readlink l; stat -c %s zero; find . | wc -l; cat a/277"),
        "one\n755 1000\n/etc/shadow\n5000000\n306\n277");
    rc = box_driver->put_tree(b->sandbox, dir, "/usr/x", box_filed, b, &err);
    assert_int_equal(box_done(b, rc, &err), -1);
    assert_int_equal(b->err.kind, ERR_USER);
    rc =
        box_driver->put_tree(b->sandbox, "/no/dir", "/tmp", box_filed, b, &err);
    assert_int_equal(rc, -1);
    assert_int_equal(box_run(b, "rm -rf new"), 0);
    assert_int_equal(tree_remove(dir, &err), 0);
}

static void test_too_large_command(void **state UNUSED)
{
    const char *argv[4];
    CLEANUP(mem) char *huge = xcalloc(1, (2 << 20) + 1);
    struct sandbox_exec exec;
    struct err err = {0};
    uint32_t id;

    NEED_ROOT();
    memset(huge, 'x', 2 << 20);
    exec = box_sh(&shared, argv, huge);
    assert_int_equal(box_driver->exec(shared.sandbox, &exec, &id, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

static void test_workspace_and_binds(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("binds");
    struct err err = {0};
    CLEANUP(mem) char *file = NULL;
    struct box b;

    NEED_ROOT();
    box_create(&b, &spec);
    file = xasprintf("%s/hello", box_driver->host_workspace(b.sandbox));
    assert_int_equal(file_write(file, "hi", 2, 0600, &err), 0);
    assert_int_equal(chown(file, box_driver->host_uid(b.sandbox), (gid_t)-1),
                     0);
    assert_int_equal(box_driver->bind_readonly(b.sandbox, "/usr/share",
                                               "/berth/mirror/objects", &err),
                     0);
    assert_int_equal(
        box_driver->bind_readonly(b.sandbox, "/usr/share", "/tmp/.ro", &err),
        0);
    assert_int_equal(box_driver->bind_readonly(b.sandbox, "/usr/share",
                                               "/workspace/.ro", &err),
                     -1);
    assert_int_equal(
        box_driver->bind_readonly(b.sandbox, "/usr", "/usr/x", &err), -1);
    assert_int_equal(
        box_driver->bind_readonly(b.sandbox, "/usr", "/a/../etc", &err), -1);
    box_start(&b);
    assert_int_equal(
        box_driver->bind_readonly(b.sandbox, "/usr", "/late", &err), -1);
    assert_string_equal(box_says(&b, "cat hello; test -d /berth/mirror/objects/"
                                     "doc && test -d /tmp/.ro/doc && echo yes"),
                        "hiyes");
    assert_int_not_equal(box_run(&b, "echo > /berth/mirror/objects/x"), 0);
    assert_int_not_equal(box_run(&b, "echo > /tmp/.ro/x"), 0);
    box_close(&b);
}

/* A sandbox of the warm pool gets what is its job's while it runs. */
static void test_late_bind(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("late");
    CLEANUP(mem) char *file = NULL;
    const char *workspace;
    struct err err = {0};
    struct box b;

    NEED_ROOT();
    ONLY_OCI();
    box_create(&b, &spec);
    assert_int_equal(sandbox_oci.bind_readonly(b.sandbox, "/usr/share",
                                               "/run/berth/early", &err),
                     0);
    box_start(&b);
    assert_int_equal(sandbox_oci.bind_readonly(b.sandbox, "/usr/share",
                                               "/run/berth/mirror", &err),
                     0);
    assert_int_equal(sandbox_oci.bind_readonly(b.sandbox, "/etc/os-release",
                                               "/run/berth/a/file", &err),
                     0);
    assert_int_equal(sandbox_oci.bind_readonly(b.sandbox, "/usr/share",
                                               "/run/berth/../x", &err),
                     -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_string_equal(box_says(&b, "test -d /run/berth/early/doc && test -d "
                                     "/run/berth/mirror/doc && grep -q ID "
                                     "/run/berth/a/file && echo yes"),
                        "yes");
    assert_int_equal(sandbox_oci.bind_readonly(b.sandbox, "/usr/share",
                                               "/workspace/late", &err),
                     -1);
    workspace = sandbox_oci.host_workspace(b.sandbox);
    assert_int_equal(mount("tmpfs", workspace, "tmpfs", 0, "size=1m"), 0);
    file = xasprintf("%s/tree", workspace);
    assert_int_equal(file_write(file, "of the job", 10, 0644, &err), 0);
    assert_string_equal(box_says(&b, "cat /workspace/tree"), "of the job");
    /* Whoever owns them. */
    assert_int_not_equal(box_run(&b, "> /run/berth/mirror/x"), 0);
    assert_string_equal(
        box_says(&b, "for d in /run/berth /run/berth/mirror "
                     "/run/berth/a/file; do awk -v d=$d '$5 == d { split($6, o,"
                     " \",\"); print o[1] }' /proc/self/mountinfo; done"),
        "ro\nro\nro");
    box_close(&b);
}

static void test_refusals(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("shared");
    struct loop *loop = shared.loop;
    struct sandbox *sandbox = NULL;
    struct err err = {0};

    NEED_ROOT();
    ONLY_OCI();
    /* Its id is in use. */
    assert_int_equal(box_driver->create(&spec, loop, &sandbox, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    spec.id = "../x";
    assert_int_equal(box_driver->create(&spec, loop, &sandbox, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    spec.id = "other";
    spec.image = "/usr";
    assert_int_equal(box_driver->create(&spec, loop, &sandbox, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    spec.image = "/proc/self/root";
    assert_int_equal(box_driver->create(&spec, loop, &sandbox, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    spec.image = "host";
    spec.runtime = "no-such-runtime";
    assert_int_equal(box_driver->create(&spec, loop, &sandbox, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "no-such-runtime"));
    assert_null(sandbox);
}

static void test_failing_runtime(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("failing");
    struct err err = {0};
    struct box b;

    NEED_ROOT();
    ONLY_OCI();
    spec.runtime = "false";
    box_create(&b, &spec);
    assert_int_equal(
        box_driver->start(b.sandbox, box_started, box_lost, &b, &err), 0);
    assert_true(box_wait(&b, &b.started, 10000));
    assert_int_equal(b.err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(b.err.msg, "ended with 1"));
    assert_false(b.lost);
    box_close(&b);
}

static void test_lost(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("lost");
    CLEANUP(mem) char *path = NULL;
    CLEANUP(strbuf) struct strbuf pid = STRBUF_MAX(100);
    struct err err = {0};
    struct box b;
    bool never = false;

    NEED_ROOT();
    box_open(&b, &spec);
    path = xasprintf("%s/lost/run/pid", box_state);
    while (file_read(path, 50, &pid, &err) < 0 || !pid.len)
        (void)box_wait(&b, &never, 10);
    assert_int_equal(kill((pid_t)atoi(pid.data), SIGKILL), 0);
    (void)box_wait(&b, &never, 5000);
    assert_true(b.lost);
    assert_int_equal(b.err.kind, ERR_TRANSIENT);
    box_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_housekeeping_as_root),
        cmocka_unit_test(test_agent_is_out_of_reach),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_seccomp),
        cmocka_unit_test(test_setuid_is_harmless),
        cmocka_unit_test(test_programs_run),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_hostile_links),
        cmocka_unit_test(test_stopped_helper_spared),
        cmocka_unit_test(test_put_tree),
        cmocka_unit_test(test_too_large_command),
        cmocka_unit_test(test_workspace_and_binds),
        cmocka_unit_test(test_late_bind),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_failing_runtime),
        cmocka_unit_test(test_lost),
    };

    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
