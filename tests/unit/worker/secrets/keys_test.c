/* tests/unit/worker/secrets/keys_test.c - a worker's key and own tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "tests/lib/unit.h"
#include "worker/secrets/checkout.h"
#include "worker/secrets/store.h"
#include "worker/secrets/worker_key.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/keys.XXXXXX";

static int make_top(void **state UNUSED)
{
    return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state UNUSED)
{
    return tree_remove(top, NULL);
}

static char *put(const char *name, const char *text, unsigned mode)
{
    char *path = xasprintf("%s/%s", top, name);

    assert_int_equal(file_write(path, text, strlen(text), mode, NULL), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

static void test_worker_key(void **state UNUSED)
{
    struct seal_key key, again;
    struct stat st;
    bool found = true;
    CLEANUP(mem) char *path = xasprintf("%s/" WORKER_KEY_NAME, top);
    struct err err = {ERR_NONE, 0, ""};

    assert_int_equal(worker_key_load(top, &key, &found, NULL), 0);
    assert_false(found);
    assert_int_equal(worker_key_make(top, &key, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(worker_key_make(top, &again, NULL), 0);
    assert_memory_equal(&key, &again, sizeof(key));
    assert_int_equal(worker_key_load(top, &again, &found, NULL), 0);
    assert_true(found);
    assert_memory_equal(&key, &again, sizeof(key));

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(worker_key_load(top, &again, &found, &err), -1);
    assert_non_null(strstr(err.msg, "may be read or written by others"));
    assert_int_equal(worker_key_make(top, &again, NULL), -1);
    free(put(WORKER_KEY_NAME, "not a key\n", 0600));
    assert_int_equal(worker_key_load(top, &again, &found, NULL), -1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_int_equal(worker_key_load(top, &again, &found, &err), -1);
    assert_non_null(strstr(err.msg, "symbolic link"));
}

/* What there is for an address: "user:password", "" for none, or "!" and why
 * not; owned by the caller. */
static char *find(const struct checkout_credentials *c, const char *address)
{
    char *user = NULL, *password = NULL, *out;
    struct err err = {ERR_NONE, 0, ""};

    if (checkout_credentials_find(c, address, &user, &password, &err) < 0)
        return xasprintf("!%s", err.msg);
    out = password ? xasprintf("%s:%s", user, password) : xstrdup("");
    secret_free_value(user);
    secret_free_value(password);
    return out;
}

static void expect(const struct checkout_credentials *c, const char *address,
                   const char *wanted)
{
    CLEANUP(mem) char *found = find(c, address);

    if (*wanted == '!' ? !strstr(found, wanted + 1)
                       : strcmp(found, wanted) != 0)
        fail_msg("%s: '%s' is not '%s'", address, found, wanted);
}

static void test_checkout(void **state UNUSED)
{
    CLEANUP(mem) char *pair = put("pair", "me:se:cret \n", 0600);
    CLEANUP(mem) char *token = put("token", "tok\n", 0640);
    CLEANUP(mem) char *open = put("open", "tok\n", 0644);
    CLEANUP(mem) char *empty = put("empty", "\n", 0600);
    CLEANUP(mem) char *lines = put("lines", "a\nb\n", 0600);
    CLEANUP(strv) struct strv items = {0};
    struct checkout_credentials *c;

    assert_int_equal(setenv("TEST_READ", "u:p", 1), 0);
    strv_addf(&items, "git.example/a/one=file:%s", pair);
    strv_addf(&items, "git.example/a/*=file:%s", token);
    strv_addf(&items, "git.example/open/*=file:%s", open);
    strv_addf(&items, "git.example/empty/*=file:%s", empty);
    strv_addf(&items, "git.example/lines/*=file:%s", lines);
    strv_add(&items, "git.example/gone/*=file:/nonexistent");
    strv_add(&items, "b.example/**=env:TEST_READ");
    strv_add(&items, "http+/c.example/**=env:TEST_READ");
    strv_add(&items, "d.example/**=env:TEST_NONE");
    c = checkout_credentials_new(&items);
    assert_null(getenv("TEST_READ"));
    expect(c, "https://git.example/a/one.git", "me:se:cret");
    expect(c, "https://GIT.example/a/two", "x-access-token:tok");
    expect(c, "https://git.example/a/two/three", "");
    expect(c, "http://git.example/a/one", ""); /* anybody may listen */
    expect(c, "git@git.example:a/one", "");
    expect(c, "ssh://git.example/a/one", "");
    expect(c, "/a/one", "");
    expect(c, "https://git.example/open/x", "!by others");
    expect(c, "https://git.example/empty/x", "!is empty");
    expect(c, "https://git.example/lines/x", "!no line of text");
    expect(c, "https://git.example/gone/x", "!there is no '/nonexistent'");
    expect(c, "https://b.example/x/y/z", "u:p");
    expect(c, "http://c.example/x/y", "u:p");
    expect(c, "https://d.example/x/y", "!there is no variable 'TEST_NONE'");
    expect(NULL, "https://b.example/x/y", "");
    checkout_credentials_free(c);
}

static void test_items(void **state UNUSED)
{
    static const char *const wrong[] = {"",           "x",
                                        "x=file:rel", "=file:/x",
                                        "x=env:",     "/x=env:Y",
                                        "x=y",        "a/../b=env:X",
                                        "file:/x",    "x=FILE:/x"};

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        if (checkout_credential_check(wrong[i], NULL) == 0)
            fail_msg("'%s' is taken", wrong[i]);
    assert_int_equal(checkout_credential_check("a/**=file:/x=y", NULL), 0);
    assert_int_equal(checkout_credential_check("a/b=env:X", NULL), 0);
    assert_null(checkout_credentials_new(&(struct strv){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_key),
        cmocka_unit_test(test_checkout),
        cmocka_unit_test(test_items),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
