/* tests/unit/worker/sandbox/oci_confine_test.c - what is out of reach. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>

static struct box shared;

static int open_shared(void **state)
{
    struct sandbox_spec spec = box_spec("confine");

    (void)box_setup(state);
    if (box_can())
        box_open(&shared, &spec);
    return 0;
}

static int close_shared(void **state)
{
    if (shared.sandbox)
        box_close(&shared);
    return box_teardown(state);
}

static void test_masks(void **state UNUSED)
{
    static const char *const paths[] = {
        "/proc/kcore",       "/proc/keys",        "/proc/latency_stats",
        "/proc/timer_list",  "/proc/timer_stats", "/proc/sched_debug",
        "/proc/interrupts",  "/proc/acpi/wakeup", "/proc/scsi/scsi",
        "/proc/asound/cards"};

    NEED_ROOT();
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(mem)
        char *script = xasprintf("cat %s 2>/dev/null | wc -c", paths[i]);

        assert_string_equal(box_says(&shared, script), "0");
    }
    assert_int_not_equal(box_run(&shared, "echo b > /proc/sysrq-trigger"), 0);
    assert_string_equal(box_says(&shared, "ls /sys 2>/dev/null | wc -l"), "0");
    /* The host's log and addresses. */
    assert_int_not_equal(box_run(&shared, "head -c 1 /proc/kmsg"), 0);
    assert_int_not_equal(box_run(&shared, "dmesg"), 0);
}

static void test_devices(void **state UNUSED)
{
    NEED_ROOT();
    assert_string_equal(box_says(&shared,
                                 "ls -lR /dev | awk '/^[cb]/ { print $NF }' | "
                                 "grep -v '^[0-9]*$' | sort | tr '\\n' ' '"),
                        "full null ptmx random tty urandom zero ");
    assert_int_not_equal(box_run(&shared, "mknod /tmp/null c 1 3"), 0);
    assert_int_not_equal(box_run(&shared, "mknod /workspace/mem c 1 1"), 0);
    assert_int_not_equal(box_run(&shared, "mknod /dev/shm/sda b 8 0"), 0);
    /* As root of the sandbox neither, and where one is, it opens nothing. */
    assert_string_equal(
        box_says(&shared, "for d in / /workspace /tmp /var/tmp ~ /dev/shm; do "
                          "findmnt -nT $d -o OPTIONS | grep -q nodev || "
                          "[ $d = / ] || echo $d; done"),
        "");
}

/* Their names are of the network namespace. */
static void test_abstract_sockets(void **state UNUSED)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    CLEANUP(fd)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP(fd) int own = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP(mem) char *script = NULL;
    socklen_t len;
    char text[64];

    NEED_ROOT();
    (void)snprintf(text, sizeof(text), "berth-test-%d", (int)getpid());
    memcpy(name.sun_path + 1, text, strlen(text));
    len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text));
    assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(connect(own, (struct sockaddr *)&name, len), 0);
    script = xasprintf("python3 -c 'import socket\n"
                       "s = socket.socket(socket.AF_UNIX)\n"
                       "print(s.connect_ex(\"\\0%s\"))'",
                       text);
    assert_string_equal(box_says(&shared, script), "111");
}

/* Those below 1024 are the gateway's. */
static void test_low_ports(void **state UNUSED)
{
    static const char script[] =
        "python3 -c 'import socket\n"
        "for port in 808, 1023, 1024:\n"
        "    try: socket.socket().bind((\"127.0.0.1\", port))\n"
        "    except OSError as e: print(port, e.errno)'";

    NEED_ROOT();
    assert_string_equal(box_says(&shared, script), "808 13\n1023 13");
}

/* The limit is that of a process; what all of them hold is kernel memory,
 * which counts as theirs. */
static void test_open_files(void **state UNUSED)
{
    static const char script[] =
        "python3 -c 'import os, resource\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "n = 0\n"
        "try:\n"
        "    while n < 100000: os.open(\"/dev/null\", 0); n += 1\n"
        "except OSError as e: print(e.errno, n < hard, hard <= 65536)\n"
        "try: resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard + 1))\n"
        "except (ValueError, OSError): print(\"fixed\")'";

    NEED_ROOT();
    assert_string_equal(box_says(&shared, script), "24 True True\nfixed");
}

/* The program of our child that has the sandbox, as that could reach it: a file
 * of a read-only mount, or the sealed copy that newer ones make themselves. */
static void test_runtime_is_shielded(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf children = STRBUF_MAX(4096);
    CLEANUP(mem) char *exe = NULL;
    CLEANUP(fd) int fd = -1;
    struct statvfs fs;
    int seals;
    struct stat st;
    struct err err;

    ONLY_OCI();
    NEED_ROOT();
    assert_int_equal(
        file_read("/proc/thread-self/children", 4000, &children, &err), 0);
    exe = xasprintf("/proc/%ld/exe", strtol(children.data, NULL, 10));
    assert_int_equal(stat(exe, &st), 0);
    assert_true(st.st_size > 0);
    assert_int_equal(statvfs(exe, &fs), 0);
    fd = open(exe, O_RDONLY | O_CLOEXEC);
    seals = fcntl(fd, F_GET_SEALS);
    assert_true((fs.f_flag & ST_RDONLY) ||
                (seals >= 0 && (seals & F_SEAL_WRITE)));
}

static void test_memory_of_tmpfs(void **state UNUSED)
{
    struct sandbox_spec spec = box_spec("shm");
    struct sandbox_usage usage;
    struct box b;

    NEED_ROOT();
    spec.memory_bytes = 64 * MIB;
    box_open(&b, &spec);
    assert_string_equal(
        box_says(&b, "echo $(df -k --output=size /dev/shm | tail -n 1)"),
        "65536");
    assert_int_not_equal(
        box_run(&b, "head -c 200000000 /dev/zero > /dev/shm/x"), 0);
    box_driver->usage(b.sandbox, &usage);
    assert_true(usage.oom_kills > 0);
    box_close(&b);
}

static void test_processes(void **state UNUSED)
{
    static const char script[] =
        "python3 -c 'import os, time\n"
        "n = 0\n"
        "try:\n"
        "    while n < 200:\n"
        "        if os.fork() == 0: time.sleep(60)\n"
        "        n += 1\n"
        "except OSError as e: print(e.errno, 40 < n < 64)'";

    NEED_ROOT();
    assert_string_equal(box_says(&shared, script), "11 True");
    assert_string_equal(box_says(&shared, "echo here"), "here");
}

#ifdef __x86_64__
/* Each returns the errno that it failed with; 14 would be: it was let in. */
static const char calls[] =
    "python3 - <<'E'\n"
    "import ctypes\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(*a):\n"
    "    ctypes.set_errno(0)\n"
    "    r = libc.syscall(*[ctypes.c_long(x) for x in a])\n"
    "    return ctypes.get_errno() if r < 0 else 0\n"
    "print({n: call(n, 0, 0, 0, 0, 0, 0) for n in (\n"
    "    101, 134, 135 + 1000, 154 + 1000, 155, 161, 163, 165, 166, 167, 168,\n"
    "    169, 170, 171, 172, 173, 175, 176, 179, 212, 237, 238, 239, 246,\n"
    "    248, 249, 250, 256, 272, 279, 298, 300, 301, 303, 304, 308, 310,\n"
    "    311, 312, 313, 320, 321, 323, 425, 426, 427, 428, 429, 430, 431,\n"
    "    432, 433, 438, 440, 442, 443) if n < 1000 and\n"
    "    call(n, 0, 0, 0, 0, 0, 0) != 1})\n"
    "E\n";
#endif

static void test_calls(void **state UNUSED)
{
    NEED_ROOT();
#ifndef __x86_64__
    skip();
#else
    assert_string_equal(box_says(&shared, calls), "{}");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_abstract_sockets),
        cmocka_unit_test(test_low_ports),
        cmocka_unit_test(test_open_files),
        cmocka_unit_test(test_runtime_is_shielded),
        cmocka_unit_test(test_memory_of_tmpfs),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_calls),
    };

    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
