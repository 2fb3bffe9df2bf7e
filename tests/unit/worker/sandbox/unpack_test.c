/* tests/unit/worker/sandbox/unpack_test.c - trees from an agent that lies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "worker/sandbox/agent/protocol.h"
#include "worker/sandbox/feed.h"
#include "worker/sandbox/unpack.h"
#include "worker/sandbox/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];
static struct sandbox_tree tree;
static unsigned told;
static uint64_t told_bytes;

static void on_entry(void *arg UNUSED, const char *path, uint64_t size)
{
    assert_true(*path);
    told++;
    told_bytes += size;
}

static int setup(void **state UNUSED)
{
    (void)snprintf(top, sizeof(top), "/tmp/berth-unpack-XXXXXX");
    assert_non_null(mkdtemp(top));
    told = 0;
    told_bytes = 0;
    tree = (struct sandbox_tree){.path = "/workspace",
                                 .host_dir = top,
                                 .max_bytes = 1000,
                                 .max_entries = 10,
                                 .on_entry = on_entry};
    return 0;
}

static int teardown(void **state UNUSED)
{
    struct err err;

    return tree_remove(top, &err);
}

static void entry(struct strbuf *out, char type, uint64_t size,
                  const char *path, const char *content)
{
    strbuf_addc(out, type);
    wire_add(out, 0644, 4);
    wire_add(out, size, 8);
    wire_add(out, UINT64_C(1700000000123456789), 8);
    wire_add(out, strlen(path), 4);
    strbuf_adds(out, path);
    strbuf_adds(out, content);
}

/* In pieces of `step` bytes; whether all of it went in, and was whole. */
static int unpack(const struct strbuf *stream, size_t step, struct err *err)
{
    CLEANUP(unpack) struct unpack *u = NULL;

    assert_int_equal(unpack_new(&tree, &u, err), 0);
    for (size_t at = 0; at < stream->len; at += step) {
        size_t len = stream->len - at < step ? stream->len - at : step;

        if (unpack_add(u, stream->data + at, len, err) < 0)
            return -1;
    }
    return unpack_end(u, err);
}

static void refused(struct strbuf *stream, const char *why)
{
    struct err err = {0};

    if (unpack(stream, 7, &err) == 0 || !strstr(err.msg, why))
        fail_msg("'%s', but not '%s'", err.msg, why);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    strbuf_clear(stream);
}

static void test_honest(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf stream = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(mem) char *file = xasprintf("%s/a/b/c", top);
    CLEANUP(mem) char *link = xasprintf("%s/link", top);
    char target[20] = "";
    struct err err = {0};
    struct stat st;

    entry(&stream, 'd', 0, "a", "");
    entry(&stream, 'f', 5, "a/b/c", "hello");
    entry(&stream, 'f', 0, "empty", "");
    entry(&stream, 'l', 9, "link", "/etc/what");
    if (unpack(&stream, 1, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(file_read(file, 100, &text, &err), 0);
    assert_string_equal(text.data, "hello");
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(st.st_mtim.tv_nsec, 123456789);
    assert_int_equal(readlink(link, target, sizeof(target)), 9);
    assert_string_equal(target, "/etc/what");
    assert_int_equal(told, 3);
    assert_int_equal(told_bytes, 14);
}

static void test_paths(void **state UNUSED)
{
    static const char *const paths[] = {"../x", "a/../x", "/etc/x", "a//b",
                                        ".",    "a/.",    "a/",     ".."};
    struct strbuf stream = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf deep = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        entry(&stream, 'f', 1, paths[i], "x");
        refused(&stream, "leads elsewhere");
    }
    for (int i = 0; i < 300; i++)
        strbuf_adds(&deep, "d/");
    strbuf_adds(&deep, "x");
    entry(&stream, 'f', 1, deep.data, "x");
    refused(&stream, "leads elsewhere");
}

/* A link that the stream itself made leads nowhere. */
static void test_through_a_link(void **state UNUSED)
{
    struct strbuf stream = STRBUF_INIT;

    entry(&stream, 'l', 4, "link", "/tmp");
    entry(&stream, 'f', 1, "link/berth-unpack-escaped", "x");
    refused(&stream, "cannot write 'link/");
    assert_int_equal(access("/tmp/berth-unpack-escaped", F_OK), -1);
    entry(&stream, 'l', 4, "other", "/tmp");
    entry(&stream, 'd', 0, "other/berth-unpack-escaped/x", "");
    refused(&stream, "cannot write 'other/");
    assert_int_equal(access("/tmp/berth-unpack-escaped", F_OK), -1);
}

static void test_twice(void **state UNUSED)
{
    struct strbuf stream = STRBUF_INIT;

    entry(&stream, 'l', 24, "x", "/tmp/berth-unpack-escape");
    entry(&stream, 'f', 1, "x", "x");
    refused(&stream, "cannot write 'x'");
    assert_int_equal(access("/tmp/berth-unpack-escape", F_OK), -1);
}

static void test_limits(void **state UNUSED)
{
    struct strbuf stream = STRBUF_INIT;

    entry(&stream, 'f', 1001, "a", "");
    refused(&stream, "more than was asked for");
    entry(&stream, 'f', 1, "a", "x");
    entry(&stream, 'f', UINT64_MAX, "b", "");
    refused(&stream, "more than was asked for");
    for (int i = 0; i < 11; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "f%d", i);
        entry(&stream, 'f', 0, name, "");
    }
    refused(&stream, "more than was asked for");
}

static void test_broken(void **state UNUSED)
{
    struct strbuf stream = STRBUF_INIT;

    entry(&stream, 'x', 0, "a", "");
    refused(&stream, "unknown entry");
    entry(&stream, 'd', 1, "a", "x");
    refused(&stream, "wrong size");
    entry(&stream, 'l', 0, "a", "");
    refused(&stream, "wrong size");
    entry(&stream, 'f', 5, "b", "cut");
    refused(&stream, "a part missing");
    entry(&stream, 'f', 0, "", "");
    strbuf_adds(&stream, "more");
    refused(&stream, "without a path");
    strbuf_adds(&stream, "cut");
    refused(&stream, "a part missing");
    entry(&stream, 'f', 0, "", "");
    memset(stream.data + 21, 0x7f, 4);
    strbuf_adds(&stream, "more");
    refused(&stream, "too long a path");
}

/* What feed makes of a tree, unpack makes that tree again. */
static void test_round(void **state UNUSED)
{
    CLEANUP(mem) char *from = xasprintf("%s/from", top);
    CLEANUP(mem) char *to = xasprintf("%s/to", top);
    CLEANUP(mem) char *file = xasprintf("%s/x/y", from);
    CLEANUP(mem) char *copy = xasprintf("%s/x/y", to);
    CLEANUP(mem) char *dir = xasprintf("%s/x", from);
    CLEANUP(feed) struct feed *feed = NULL;
    CLEANUP(strbuf) struct strbuf stream = STRBUF_INIT;
    struct stat before, after;
    struct err err = {0};
    bool end = false;

    assert_int_equal(dir_make(dir, 0755, &err), 0);
    assert_int_equal(dir_make(to, 0755, &err), 0);
    assert_int_equal(file_write(file, "data", 4, 0755, &err), 0);
    assert_int_equal(feed_of_tree(from, &feed, &err), 0);
    while (!end)
        assert_int_equal(feed_take(feed, 10, &stream, &end, &err), 0);
    tree.host_dir = to;
    assert_int_equal(unpack(&stream, 3, &err), 0);
    assert_int_equal(stat(file, &before), 0);
    assert_int_equal(stat(copy, &after), 0);
    assert_int_equal(after.st_size, 4);
    assert_int_equal(before.st_mode, after.st_mode);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_honest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_through_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
