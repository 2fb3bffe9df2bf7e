/* tests/unit/worker/sandbox/parts_test.c - hostenv, rootfs, seccomp, place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/depth.h"
#include "base/fd.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/feed.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/place.h"
#include "worker/sandbox/rootfs.h"
#include "worker/sandbox/seccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_hostenv_host(void **state UNUSED)
{
    CLEANUP(hostenv) struct hostenv env = {0};

    (void)setenv("SSL_CERT_FILE", "/etc/passwd", 1);
    (void)setenv("CURL_CA_BUNDLE", "/etc/passwd", 1);
    (void)setenv("PIP_CERT", "/usr/bin/env", 1);
    (void)setenv("AWS_CA_BUNDLE", "/no/such/file", 1);
    (void)setenv("GIT_SSL_CAINFO", "relative", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    (void)setenv("npm_config_registry", "https://registry.example/", 1);
    hostenv_fill("host", SANDBOX_NETWORK_NONE, &env);
    /* One file, named twice, is brought in once. */
    assert_string_equal(strv_getenv(&env.env, "SSL_CERT_FILE"), "/.berth/ca/0");
    assert_string_equal(strv_getenv(&env.env, "CURL_CA_BUNDLE"),
                        "/.berth/ca/0");
    assert_int_equal(env.sources.count, env.targets.count);
    assert_string_equal(env.sources.items[0], "/etc/passwd");
    assert_string_equal(env.targets.items[0], "/.berth/ca/0");
    assert_string_equal(strv_getenv(&env.env, "PIP_CERT"), "/usr/bin/env");
    assert_null(strv_getenv(&env.env, "AWS_CA_BUNDLE"));
    assert_null(strv_getenv(&env.env, "GIT_SSL_CAINFO"));
    assert_null(strv_getenv(&env.env, "AWS_SECRET_ACCESS_KEY"));
    assert_null(strv_getenv(&env.env, "npm_config_registry"));
    assert_string_equal(strv_getenv(&env.env, "HOME"), SANDBOX_HOME);
}

static void test_hostenv_rootfs_with_network(void **state UNUSED)
{
    CLEANUP(hostenv) struct hostenv env = {0};

    (void)setenv("PIP_CERT", "/usr/bin/env", 1);
    (void)setenv("npm_config_registry", "https://registry.example/", 1);
    (void)setenv("https_proxy", "http://user:pw@proxy:3128", 1);
    (void)setenv("no_proxy", "localhost", 1);
    hostenv_fill("/srv/image", SANDBOX_NETWORK_FULL, &env);
    assert_int_equal(
        strncmp(strv_getenv(&env.env, "PIP_CERT"), "/.berth/ca/", 11), 0);
    assert_string_equal(strv_getenv(&env.env, "npm_config_registry"),
                        "https://registry.example/");
    assert_null(strv_getenv(&env.env, "https_proxy"));
    assert_string_equal(strv_getenv(&env.env, "no_proxy"), "localhost");
}

static void refuse_image(const char *image, const char *why)
{
    struct err err = {0};

    if (rootfs_check(image, "/nowhere/sandboxes", &err) == 0)
        fail_msg("'%s' was taken", image);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, why))
        fail_msg("'%s': %s", image, err.msg);
}

static void test_images(void **state UNUSED)
{
    struct err err = {0};

    assert_int_equal(rootfs_check("host", "/nowhere/sandboxes", &err), 0);
    refuse_image("", "neither 'host' nor");
    refuse_image("hosts", "neither 'host' nor");
    refuse_image("relative/path", "neither 'host' nor");
    refuse_image("/", "the host itself");
    refuse_image("//./", "the host itself");
    refuse_image("/usr/..", "the host itself");
    refuse_image("/nowhere", "No such file");
    refuse_image("/etc/passwd", "not a directory");
    refuse_image("/etc", "no root file system");
    refuse_image("/usr", "no root file system");
}

/* Ways to the host's root that are no "/". */
static void test_images_in_proc(void **state UNUSED)
{
    static const char *const bad[] = {
        "/proc/self/root", "/proc/thread-self/root", "/proc/self/cwd",
        "/proc/self/root/usr/.."};
    CLEANUP(mem)
    char *task = xasprintf("/proc/%d/task/%d/root", getpid(), getpid());
    CLEANUP(fd) int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(mem) char *open_fd = xasprintf("/proc/self/fd/%d", fd);

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refuse_image(bad[i], "leads through a link of /proc");
    refuse_image(task, "leads through a link of /proc");
    refuse_image(open_fd, "leads through a link of /proc");
    refuse_image("/proc/1/root", ""); /* some roots may not even look */
    refuse_image("/proc", "is a part of");
    refuse_image("/proc/self/task", "is a part of");
    refuse_image("/sys/fs", "is a part of");
    refuse_image("/dev", "is a part of");
    refuse_image("/dev/shm", "is a part of");
}

static void make_image(const char *dir, struct err *err)
{
    static const char *const parts[] = {"bin/sh", "etc", "usr"};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir, parts[i]);

        assert_int_equal(dir_make(path, 0755, err), 0);
    }
}

static void test_images_of_directories(void **state UNUSED)
{
    char top[] = "/tmp/berth-images-XXXXXX";
    struct err err = {0};
    CLEANUP(mem) char *image = NULL;
    CLEANUP(mem) char *link = NULL;
    CLEANUP(mem) char *root = NULL;
    CLEANUP(mem) char *above = NULL;
    CLEANUP(mem) char *below = NULL;

    assert_non_null(mkdtemp(top));
    image = xasprintf("%s/a:b,c/image", top);
    link = xasprintf("%s/link", top);
    root = xasprintf("%s/root", top);
    make_image(image, &err);
    assert_int_equal(symlink(image, link), 0);
    assert_int_equal(symlink("/", root), 0);
    refuse_image(root, "the host itself");
    /* Berth's state in it, it in berth's state (beside the sandboxes). */
    above = xasprintf("%s/usr/state/sandboxes", image);
    assert_int_equal(dir_make(above, 0755, &err), 0);
    assert_int_equal(rootfs_check(link, above, &err), -1);
    assert_non_null(strstr(err.msg, "berth's own state"));
    below = xasprintf("%s/sandboxes", top);
    assert_int_equal(rootfs_check(link, below, &err), -1);
    assert_non_null(strstr(err.msg, "berth's own state"));
    assert_int_equal(rootfs_check(image, "/nowhere", &err), 0);
    assert_int_equal(rootfs_check(link, "/nowhere", &err), 0);
    /* Only what the operator allows. */
    assert_int_equal(setenv("BERTH_IMAGE_DIRS", "/usr:/nowhere:.", 1), 0);
    refuse_image(link, "BERTH_IMAGE_DIRS");
    assert_int_equal(setenv("BERTH_IMAGE_DIRS", "", 1), 0);
    refuse_image(link, "BERTH_IMAGE_DIRS");
    assert_int_equal(setenv("BERTH_IMAGE_DIRS", top, 1), 0);
    assert_int_equal(rootfs_check(link, "/nowhere", &err), 0);
    assert_int_equal(rootfs_check("host", "/nowhere", &err), 0);
    assert_int_equal(unsetenv("BERTH_IMAGE_DIRS"), 0);
    assert_int_equal(tree_remove(top, &err), 0);
}

static void test_targets(void **state UNUSED)
{
    static const char *const bad[] = {
        "",     "/",      "x",      "/x/",     "/x/../y",   "/x/..", "//x",
        "/usr", "/usr/x", "/etc/x", "/proc/x", "/.berth/x", "/bin"};
    struct err err = {0};

    assert_int_equal(rootfs_check_target("/berth/mirror", &err), 0);
    assert_int_equal(rootfs_check_target("/usrlocal", &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(rootfs_check_target(bad[i], &err), -1);
}

static void test_secrets(void **state UNUSED)
{
    assert_false(rootfs_holds_secret("cafile=/etc/ssl/x.pem\nfund=false\n"));
    assert_false(rootfs_holds_secret("registry=https://r.example/a@b/\n"));
    assert_true(rootfs_holds_secret("//r.example/:_authToken=abc\n"));
    assert_true(rootfs_holds_secret("_AUTH = abc"));
    assert_true(rootfs_holds_secret("index-url = https://u:p@pypi/simple"));
    assert_true(rootfs_holds_secret("[http] extraHeader = Authorization: x"));
}

static void check_names(json_t *names, const char *seen[], size_t *count)
{
    size_t i;
    json_t *name;
    int known = 0;

    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);

        known += seccomp_syscall_resolve_name(text) != __NR_SCMP_ERROR;
        for (size_t j = 0; j < *count; j++)
            if (strcmp(seen[j], text) == 0)
                fail_msg("'%s' is there twice", text);
        seen[(*count)++] = text;
    }
    /* A few are newer than an older libseccomp; a slip is not alone there. */
    assert_true((size_t)known + 20 > json_array_size(names));
}

static void test_seccomp_profile(void **state UNUSED)
{
    static const char *const never[] = {
        "mount",          "ptrace", "bpf",         "unshare", "setns", "keyctl",
        "io_uring_setup", "clone3", "userfaultfd", "clone",   "socket"};
    const char *seen[600];
    size_t count = 0, i;
    json_t *profile = seccomp_profile();
    json_t *calls = json_object_get(profile, "syscalls");
    json_t *allowed = json_object_get(json_array_get(calls, 0), "names");
    json_t *refused = json_object_get(json_array_get(calls, 1), "names");
    json_t *name;

    assert_string_equal(
        json_string_value(json_object_get(profile, "defaultAction")),
        "SCMP_ACT_ERRNO");
    check_names(allowed, seen, &count);
    check_names(refused, seen, &count);
    assert_true(json_array_size(allowed) > 300);
    for (size_t n = 0; n < ARRAY_LEN(never); n++)
        json_array_foreach(allowed, i, name)
            assert_string_not_equal(json_string_value(name), never[n]);
    json_decref(profile);
}

static void test_ids(void **state UNUSED)
{
    assert_true(place_is_id("job-1"));
    assert_false(place_is_id(""));
    assert_false(place_is_id("-x"));
    assert_false(place_is_id(".."));
    assert_false(place_is_id("a/b"));
    assert_false(place_is_id("A"));
    assert_true(
        place_is_id("012345678901234567890123456789012345678901234567"
                    "012345678901234567890123456789012345678901234567"));
    assert_false(
        place_is_id("012345678901234567890123456789012345678901234567"
                    "0123456789012345678901234567890123456789012345678"));
}

static void test_place(void **state UNUSED)
{
    char top[] = "/tmp/berth-place-XXXXXX";
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *again = NULL;
    CLEANUP(mem) char *left = NULL;
    CLEANUP(fd) int lock = -1;
    struct err err = {0};
    unsigned swept = 9;

    assert_non_null(mkdtemp(top));
    assert_int_equal(place_take(top, "a", &dir, &lock, &err), 0);
    left = xasprintf("%s/left", dir);
    assert_int_equal(file_write(left, "x", 1, 0600, &err), 0);
    {
        CLEANUP(fd) int second = -1;

        assert_int_equal(place_take(top, "a", &again, &second, &err), -1);
        assert_int_equal(err.kind, ERR_TRANSIENT);
    }
    assert_int_equal(place_sweep(top, &swept, &err), 0);
    assert_int_equal(swept, 0);
    /* Its owner is gone: what lies there is cleared, then it is taken. */
    fd_close(&lock);
    assert_int_equal(place_take(top, "a", &again, &lock, &err), 0);
    assert_int_equal(access(left, F_OK), -1);
    fd_close(&lock);
    assert_int_equal(place_sweep(top, &swept, &err), 0);
    assert_int_equal(swept, 1);
    assert_int_equal(rmdir(top), 0);
    assert_int_equal(place_sweep(top, &swept, &err), 0);
}

static void test_feed_of_file(void **state UNUSED)
{
    CLEANUP(feed) struct feed *feed = feed_of_file("a/b", 0644, "data", 4);
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    bool end = false;
    struct err err = {0};

    assert_int_equal(feed_take(feed, 10, &out, &end, &err), 0);
    assert_false(end);
    assert_int_equal(out.len, 10);
    assert_int_equal(feed_take(feed, 100, &out, &end, &err), 0);
    assert_true(end);
    assert_int_equal(out.len, AGENT_ENTRY_SIZE + 3 + 4);
    assert_memory_equal(out.data,
                        "f\0\0\1\244\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0"
                        "\3a/bdata",
                        out.len);
}

/* All of a tree whose deepest directory is so many levels down. */
static int take_deep_tree(int levels, struct err *err)
{
    char top[] = "/tmp/berth-feed-XXXXXX";
    CLEANUP(feed) struct feed *feed = NULL;
    CLEANUP(strbuf) struct strbuf deep = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    bool end = false;
    struct err other = {0};
    int rc = 0;

    assert_non_null(mkdtemp(top));
    strbuf_adds(&deep, top);
    for (int i = 0; i < levels; i++)
        strbuf_adds(&deep, "/d");
    assert_int_equal(dir_make(deep.data, 0755, &other), 0);
    assert_int_equal(feed_of_tree(top, &feed, &other), 0);
    while (rc == 0 && !end)
        rc = feed_take(feed, 4096, &out, &end, err);
    assert_int_equal(tree_remove(top, &other), 0);
    return rc;
}

static void test_feed_of_deep_tree(void **state UNUSED)
{
    struct err err = {0};

    if (take_deep_tree(TREE_MAX_DEPTH, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(take_deep_tree(TREE_MAX_DEPTH + 1, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "too deeply"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostenv_host),
        cmocka_unit_test(test_hostenv_rootfs_with_network),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_images_in_proc),
        cmocka_unit_test(test_images_of_directories),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_seccomp_profile),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_feed_of_file),
        cmocka_unit_test(test_feed_of_deep_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
