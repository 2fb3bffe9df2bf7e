/* tests/unit/worker/sandbox/oci_network_test.c - none, full, and npm. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

/* ---- networks --------------------------------------------------------- */

static enum sandbox_network network;
static int tcp_port;
static char abstract[64];

static int listen_tcp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    tcp_port = ntohs(at.sin_port);
    return fd;
}

static int listen_abstract(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int len;

    (void)snprintf(abstract, sizeof(abstract), "berth-test-%d", (int)getpid());
    len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s", abstract);
    assert_int_equal(bind(fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      1 + (size_t)len)),
                     0);
    assert_int_equal(listen(fd, 5), 0);
    return fd;
}

/* Tries to connect to us. What slirp answers to the sandbox is no proof: it may
 * accept, and drop, what it never passes on. */
static char *connect_script(void)
{
    return xasprintf("python3 - <<'E'\n"
                     "import socket\n"
                     "for family, at in ((socket.AF_INET, ('127.0.0.1', %d)),\n"
                     "                   (socket.AF_INET, ('10.0.2.2', %d)),\n"
                     "                   (socket.AF_UNIX, '\\0%s')):\n"
                     "    s = socket.socket(family)\n"
                     "    s.settimeout(3)\n"
                     "    try:\n"
                     "        s.connect(at)\n"
                     "    except OSError:\n"
                     "        pass\n"
                     "E\n",
                     tcp_port, tcp_port, abstract);
}

static void use_network(void)
{
    struct sandbox_spec spec = box_spec("net");
    CLEANUP(mem) char *script = connect_script();

    spec.network = network;
    child_open(&spec);
    CHECK(child_run(script) == 0);
    if (network == SANDBOX_NETWORK_NONE) {
        CHECK(child_run("tail -n +2 /proc/net/route | grep .") == 1);
        CHECK(child_run("getent hosts deb.debian.org") != 0);
        CHECK(child_run("grep -v lo: /proc/net/dev | tail -n +3 | grep .") ==
              1);
        CHECK(child_run("python3 -c 'import socket as s; a = s.socket(); "
                        "a.bind((\"127.0.0.1\", 0)); a.listen(); "
                        "s.socket().connect(a.getsockname())'") == 0);
    } else {
        CHECK(child_run("grep -q tap0 /proc/net/route") == 0);
    }
    child_close();
}

static bool was_reached(int listener)
{
    struct pollfd pfd = {.fd = listener, .events = POLLIN};

    return poll(&pfd, 1, 0) > 0;
}

static void check_network(enum sandbox_network kind)
{
    int tcp = listen_tcp();
    int local = listen_abstract();

    network = kind;
    assert_int_equal(in_child(use_network), 0);
    assert_false(was_reached(tcp));
    assert_false(was_reached(local));
    fd_close(&tcp);
    fd_close(&local);
}

static void test_network_none(void **state UNUSED)
{
    NEED_ROOT();
    check_network(SANDBOX_NETWORK_NONE);
}

static void test_network_full(void **state UNUSED)
{
    NEED_ROOT();
    if (!proc_in_path("slirp4netns"))
        skip();
    check_network(SANDBOX_NETWORK_FULL);
}

/* A listener of the sandbox's own loopback, taken from outside. */
static void use_listener(void)
{
    struct sandbox_spec spec = box_spec("net");
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    struct err err = {0};
    int fd = -1, second = -1, taken;

    spec.network = SANDBOX_NETWORK_HOSTS;
    child_open(&spec);
    CHECK(sandbox_oci.listen(child.sandbox, 808, &fd, &err) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
          at.sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
          at.sin_port == htons(808));
    /* Nobody of ours is there, only who is inside. */
    CHECK(sandbox_oci.listen(child.sandbox, 808, &second, &err) < 0);
    CHECK(strstr(err.msg, "cannot listen"));
    CHECK(child_run("python3 -c 'import socket as s; "
                    "s.create_connection((\"127.0.0.1\", 808), 5)'") == 0);
    taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    CHECK(taken >= 0);
    CHECK(child_run("python3 -c 'import socket as s; "
                    "s.socket().bind((\"127.0.0.2\", 808))'") == 1);
    CHECK(child_run("tail -n +2 /proc/net/route | grep .") == 1);
    (void)close(taken);
    fd_close(&fd);
    child_close();
}

static void test_listener(void **state UNUSED)
{
    NEED_ROOT();
    assert_int_equal(in_child(use_listener), 0);
}

static void use_rootless_listener(void)
{
    CLEANUP(mem) char *dir = xasprintf("%s/net-state", box_state);
    struct sandbox_spec spec = box_spec("net");
    CLEANUP(mem) char *agent = proc_libexec("agent");
    struct err err = {0};
    int fd = -1, taken;

    CHECK(mkdir(dir, 0700) == 0 && chown(dir, NOBODY, NOBODY) == 0);
    CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 &&
          setuid(NOBODY) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    if (access(agent, X_OK) < 0)
        _exit(77);
    spec.state_dir = dir;
    spec.network = SANDBOX_NETWORK_HOSTS;
    child_open(&spec);
    if (sandbox_oci.listen(child.sandbox, 808, &fd, &err) < 0)
        (void)fprintf(stderr, "# %s\n", err.msg);
    CHECK(fd >= 0);
    CHECK(child_run("python3 -c 'import socket as s; "
                    "s.create_connection((\"127.0.0.1\", 808), 5)'") == 0);
    taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    CHECK(taken >= 0);
    (void)close(taken);
    fd_close(&fd);
    child_close();
}

static void test_rootless_listener(void **state UNUSED)
{
    char dir[PATH_MAX + 16];
    int rc;

    NEED_ROOT();
    ONLY_ROOTLESS();
    if (!proc_in_path("crun"))
        skip();
    (void)snprintf(dir, sizeof(dir), "%s/net-state", box_state);
    rc = in_child(use_rootless_listener);
    assert_int_equal(rmdir(dir), 0);
    if (rc == 77)
        skip();
    assert_int_equal(rc, 0);
}

static void use_npm(void)
{
    struct sandbox_spec spec = box_spec("npm");

    spec.network = SANDBOX_NETWORK_FULL;
    spec.memory_bytes = 1024 * MIB;
    spec.pids = 256;
    child_open(&spec);
    CHECK(child_run("npm view is-number version") == 0);
    CHECK(child_run("npm init -y && npm install is-number@7.0.0 && "
                    "node -e 'process.exit(require(\"is-number\")(5) ? 0 : "
                    "1)'") == 0);
    child_close();
}

static void test_npm(void **state UNUSED)
{
    const char *argv[] = {"npm", "view", "is-number", "version", NULL};
    struct err err = {0};

    NEED_ROOT();
    ONLY_HOST();
    if (!proc_in_path("slirp4netns") || !proc_in_path("npm"))
        skip();
    if (proc_run(argv, 30000, NULL, &err) < 0) {
        print_message("# no registry: %s\n", err.msg);
        skip();
    }
    assert_int_equal(in_child(use_npm), 0);
}

/* Where udev runs everybody may open the device; make it so for us alone. */
static bool open_tun_to_all(void)
{
    CLEANUP(mem) char *node = xasprintf("%s/net-state/tun", box_state);
    CLEANUP(mem) char *dir = xasprintf("%s/net-state", box_state);

    return unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, "mode=755") == 0 &&
           mknod(node, S_IFCHR | 0666, makedev(10, 200)) == 0 &&
           chmod(node, 0666) == 0 &&
           mount(node, "/dev/net/tun", NULL, MS_BIND, NULL) == 0 &&
           umount2(dir, MNT_DETACH) == 0;
}

static void use_rootless_network(void)
{
    CLEANUP(mem) char *dir = xasprintf("%s/net-state", box_state);
    struct sandbox_spec spec = box_spec("net");
    CLEANUP(mem) char *agent = proc_libexec("agent");

    CHECK(mkdir(dir, 0700) == 0 && open_tun_to_all());
    CHECK(chown(dir, NOBODY, NOBODY) == 0);
    CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 &&
          setuid(NOBODY) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    if (access(agent, X_OK) < 0)
        _exit(77);
    spec.state_dir = dir;
    spec.network = SANDBOX_NETWORK_FULL;
    child_open(&spec);
    CHECK(child_run("grep -q tap0 /proc/net/route") == 0);
    child_close();
}

static void test_rootless_network(void **state UNUSED)
{
    char dir[PATH_MAX + 16];
    int rc;

    NEED_ROOT();
    ONLY_ROOTLESS();
    if (!proc_in_path("slirp4netns") || !proc_in_path("crun"))
        skip();
    (void)snprintf(dir, sizeof(dir), "%s/net-state", box_state);
    rc = in_child(use_rootless_network);
    assert_int_equal(rmdir(dir), 0);
    if (rc == 77)
        skip();
    assert_int_equal(rc, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network_none),
        cmocka_unit_test(test_network_full),
        cmocka_unit_test(test_listener),
        cmocka_unit_test(test_rootless_listener),
        cmocka_unit_test(test_npm),
        cmocka_unit_test(test_rootless_network),
    };

    return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
