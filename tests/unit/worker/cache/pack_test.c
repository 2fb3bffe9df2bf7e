/* tests/unit/worker/cache/pack_test.c - entries as files, signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/mem.h"
#include "worker/cache/far/pack.h"
#include "worker/cache/far/record.h"
#include "worker/cache/far/stream.h"
#include "worker/cache/seal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "caches/fork-1/key"

static char top[] = "/tmp/pack-test-XXXXXX";
static struct pack_key key;
static const struct pack pack = {NAME, &key, (uint64_t)1 << 24};
static unsigned made;

static int open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int scratch(void)
{
    CLEANUP(mem) char *path = xasprintf("%s/file%u", top, made++);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

/* An empty directory, open. */
static int new_dir(void)
{
    CLEANUP(mem) char *path = xasprintf("%s/dir%u", top, made++);

    assert_int_equal(mkdir(path, 0755), 0);
    return open_dir(path);
}

static void add_file(int dir, const char *name, size_t len, mode_t mode)
{
    CLEANUP(mem) char *data = xcalloc(1, len + 1);
    CLEANUP(fd)
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const struct timespec times[2] = {{12345, 678}, {12345, 678}};

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 7 / 3);
    assert_int_equal(fd_write_all(fd, data, len, NULL), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(futimens(fd, times), 0);
}

/* Some of each kind, made in another order where `reverse`. */
static int make_tree(bool reverse)
{
    int root = new_dir();
    CLEANUP(fd) int sub = -1;
    const struct timespec times[2] = {{1, 0}, {1, 0}};

    assert_int_equal(mkdirat(root, "sub", 0700), 0);
    sub = openat(root, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (reverse)
        add_file(root, "big", 300000, 0640);
    add_file(sub, "x", 3, 0755);
    assert_int_equal(mkdirat(sub, "none", 0750), 0);
    assert_int_equal(utimensat(sub, "none", times, 0), 0);
    add_file(root, "zero", 0, 0600);
    if (!reverse)
        add_file(root, "big", 300000, 0640);
    assert_int_equal(symlinkat("../../etc/passwd", root, "link"), 0);
    assert_int_equal(fchmod(sub, 0755), 0);
    assert_int_equal(futimens(sub, times), 0);
    return root;
}

static int write_pack(int root, unsigned uid)
{
    json_t *meta = json_pack("{s:s, s:i}", "key", "k", "files", 6);
    int fd = scratch();

    assert_int_equal(pack_write(&pack, root, uid, meta, fd, NULL), 0);
    json_decref(meta);
    return fd;
}

static void digest_of(int root, char out[SHA256_HEX_SIZE])
{
    struct seal seal = {.max_bytes = UINT64_MAX};

    assert_int_equal(seal_read(root, &seal, NULL), 0);
    memcpy(out, seal.digest, SHA256_HEX_SIZE);
}

static void test_there_and_back(void **state)
{
    CLEANUP(fd) int root = make_tree(false);
    CLEANUP(fd) int fd = write_pack(root, 0);
    CLEANUP(fd) int back = new_dir();
    char before[SHA256_HEX_SIZE];
    char after[SHA256_HEX_SIZE];
    json_t *meta = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(pack_check(&pack, fd, NULL), 0);
    assert_int_equal(pack_read(&pack, fd, back, &meta, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(meta, "key")), "k");
    json_decref(meta);
    digest_of(root, before);
    digest_of(back, after);
    assert_string_equal(before, after);
    assert_int_equal(fstatat(back, "sub/x", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0755);
    assert_int_equal(st.st_mtim.tv_sec, 12345);
    assert_int_equal(st.st_mtim.tv_nsec, 678);
    assert_int_equal(fstatat(back, "sub/none", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0750);
    assert_int_equal(st.st_mtim.tv_sec, 1);
    assert_int_equal(fstatat(back, "zero", &st, 0), 0);
    assert_int_equal(st.st_size, 0);
}

static void test_same_bytes(void **state)
{
    CLEANUP(fd) int one = make_tree(false);
    CLEANUP(fd) int two = make_tree(true);
    CLEANUP(fd) int a = write_pack(one, 0);
    CLEANUP(fd) int b = write_pack(two, 0);
    CLEANUP(strbuf) struct strbuf x = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf y = STRBUF_INIT;

    (void)state;
    assert_int_equal(lseek(a, 0, SEEK_SET) + lseek(b, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(a, &x, NULL), 0);
    assert_int_equal(fd_read_all(b, &y, NULL), 0);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.data, y.data, x.len);
}

static void refuse_check(const struct pack *as, int fd, const char *why)
{
    struct err err = {0};

    assert_int_equal(pack_check(as, fd, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, why));
}

/* Any byte that is another one, another name, another key. */
static void test_signature(void **state)
{
    CLEANUP(fd) int root = make_tree(false);
    CLEANUP(fd) int fd = write_pack(root, 0);
    struct pack_key other = {STRBUF_INIT};
    const struct pack as_branch = {"caches/branch-1/key", &key, UINT64_MAX};
    const struct pack with_other = {NAME, &other, UINT64_MAX};
    struct stat st;

    (void)state;
    refuse_check(&as_branch, fd, "wrong signature");
    strbuf_addf(&other.secret, "another-key-of-tests");
    refuse_check(&with_other, fd, "wrong signature");
    pack_key_clear(&other);
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < 60 ? 1 : 97) {
        char byte = 0;
        char flipped;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        flipped = (char)(byte ^ 4);
        assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
        refuse_check(&pack, fd,
                     at < 8 ? "nothing that was packed" : "wrong signature");
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(pack_check(&pack, fd, NULL), 0);
    assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
    refuse_check(&pack, fd, "wrong signature");
    assert_int_equal(ftruncate(fd, 39), 0);
    refuse_check(&pack, fd, "nothing that was packed");
}

static void refuse_read(const struct pack *as, int fd, const char *why)
{
    CLEANUP(fd) int root = new_dir();
    json_t *meta = NULL;
    struct err err = {0};

    assert_int_equal(pack_read(as, fd, root, &meta, &err), -1);
    assert_null(meta);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, why))
        fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void test_limits(void **state)
{
    CLEANUP(fd) int root = make_tree(false);
    CLEANUP(fd) int fd = write_pack(root, 0);
    const struct pack small = {NAME, &key, 200000};
    struct stat st;

    (void)state;
    refuse_read(&small, fd, "too large");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(ftruncate(fd, st.st_size - 5), 0);
    refuse_read(&pack, fd, "no end");
    assert_int_equal(ftruncate(fd, 50), 0);
    refuse_read(&pack, fd, "no end");
}

/* What a signer that is not ours could write: `head`, then one record. */
static int forge(const char *head, const struct record *record,
                 const char *name)
{
    int fd = scratch();
    CLEANUP(stream) struct stream *to = NULL;
    uint8_t bytes[RECORD_SIZE] = {record->kind};
    uint8_t len[4];

    assert_int_equal(lseek(fd, PACK_MAGIC_SIZE + SHA256_SIZE, SEEK_SET),
                     PACK_MAGIC_SIZE + SHA256_SIZE);
    to = stream_to(fd);
    record_put(len, strlen(head), 4);
    record_put(bytes + 2, record->name_len, 2);
    record_put(bytes + 16, record->size, 8);
    assert_int_equal(stream_add(to, len, 4, NULL), 0);
    assert_int_equal(stream_add(to, head, strlen(head), NULL), 0);
    assert_int_equal(stream_add(to, bytes, sizeof(bytes), NULL), 0);
    assert_int_equal(stream_add(to, name, strlen(name), NULL), 0);
    assert_int_equal(stream_end(to, NULL), 0);
    return fd;
}

static void test_hostile(void **state)
{
    static const char good[] = "{\"uid\":0,\"meta\":{}}";
    static const struct {
        const char *head;
        struct record record;
        const char *name;
        const char *why;
    } cases[] = {
        {good, {'f', 2, 0, 0, 0}, "..", "a name is none"},
        {good, {'d', 1, 0, 0, 0}, ".", "a name is none"},
        {good, {'f', 3, 0, 0, 0}, "a/b", "a name is none"},
        {good, {'f', 0, 0, 0, 0}, "", "a name is too long"},
        {good, {'f', 256, 0, 0, 0}, "", "a name is too long"},
        {good, {'l', 1, 0, 0, 5000}, "a", "a link is too long"},
        {good, {'l', 1, 0, 0, 0}, "a", "a link is too long"},
        {good, {'c', 1, 0, 0, 0}, "a", "of no kind"},
        {good, {'f', 1, 0, 0, UINT64_MAX}, "a", "too large"},
        {good, {'u', 1, 0, 0, 0}, "a", "an end has a name"},
        {good, {'u', 0, 0, 0, 0}, "more", "does not end well"},
        {good, {'d', 1, 0, 0, 0}, "a", "no end"},
        {"{\"uid\":0}", {'u', 0, 0, 0, 0}, "", "no meta"},
        {"{\"uid\":-1,\"meta\":{}}", {'u', 0, 0, 0, 0}, "", "no meta"},
        {"[]", {'u', 0, 0, 0, 0}, "", "no meta"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(fd)
        int fd = forge(cases[i].head, &cases[i].record, cases[i].name);

        refuse_read(&pack, fd, cases[i].why);
    }
}

static void test_key(void **state)
{
    CLEANUP(mem) char *path = xasprintf("%s/key", top);
    struct pack_key read = {STRBUF_INIT};
    struct err err = {0};

    (void)state;
    assert_int_equal(file_write(path, "sixteen bytes it\n", 17, 0600, NULL), 0);
    assert_int_equal(pack_key_read(path, &read, NULL), 0);
    assert_int_equal(read.secret.len, 16);
    pack_key_clear(&read);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(pack_key_read(path, &read, &err), -1);
    assert_non_null(strstr(err.msg, "open to others"));
    assert_int_equal(file_write(path, "fifteen bytes..\n", 16, 0600, NULL), 0);
    assert_int_equal(pack_key_read(path, &read, &err), -1);
    assert_non_null(strstr(err.msg, "is no key"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pack_key_read(path, &read, &err), -1);
    assert_int_equal(err.kind, ERR_USER);
}

static int set_up(void **state)
{
    (void)state;
    key = (struct pack_key){STRBUF_INIT};
    strbuf_addf(&key.secret, "a key of the tests");
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pack_key_clear(&key);
    return tree_remove(top, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_key),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
