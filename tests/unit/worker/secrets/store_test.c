/* tests/unit/worker/secrets/store_test.c - the store of secrets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/strbuf.h"
#include "tests/lib/unit.h"
#include "worker/secrets/store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APP "git.example.org/acme/app"

static char top[] = "/tmp/secrets.XXXXXX";

static char *below(const char *path)
{
    return xasprintf("%s/%s", top, path);
}

static void put(const char *path, const char *text, size_t len, unsigned mode)
{
    CLEANUP(mem) char *whole = below(path);
    CLEANUP(mem) char *dir = xstrdup(whole);
    struct err err;

    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, 0700, &err), 0);
    assert_int_equal(file_write(whole, text, len, mode, &err), 0);
    assert_int_equal(chmod(whole, mode), 0);
}

static struct secret_store *store_of(const char *allow, const char *prefix)
{
    CLEANUP(strv) struct strv list = {0};
    CLEANUP(mem) char *dir = below("store");
    CLEANUP(mem) char *credentials = below("cred");
    const struct secret_store_options options = {.dir = dir,
                                                 .credentials_dir = credentials,
                                                 .env_prefix = prefix,
                                                 .allow = &list};

    if (allow)
        strv_add(&list, allow);
    return secret_store_new(&options);
}

static void expect(const struct secret_store *store, const char *repository,
                   const char *name, const char *wanted)
{
    struct err err = {0};
    char *value = NULL;
    int rc = secret_store_get(store, repository, name, &value, &err);

    if (rc < 0)
        fail_msg("%s: %s", name, err.msg);
    assert_string_equal(value, wanted);
    secret_free_value(value);
}

static void refuse(const struct secret_store *store, const char *repository,
                   const char *name, const char *why)
{
    struct err err = {0};
    char *value = NULL;

    assert_int_equal(secret_store_get(store, repository, name, &value, &err),
                     -1);
    assert_null(value);
    assert_int_equal(err.kind, ERR_USER);
    if (!strstr(err.msg, why))
        fail_msg("%s: '%s' has no '%s'", name, err.msg, why);
    assert_null(strstr(err.msg, "value"));
}

/* ---- names ------------------------------------------------------------- */

static void repositories_have_names(void **state UNUSED)
{
    static const struct {
        const char *address, *name;
    } good[] = {
        {"https://github.com/acme/app.git", "github.com/acme/app"},
        {"https://github.com/acme/app", "github.com/acme/app"},
        {"https://GitHub.com/acme/App/", "github.com/acme/App"},
        {"https://me:pass@github.com/acme/app.git", "github.com/acme/app"},
        {"https://git.example.org:8443/a/b/c", "git.example.org:8443/a/b/c"},
        {"http://127.0.0.1:80/a/b", "http+/127.0.0.1:80/a/b"},
        {"ssh://git@github.com/acme/app.git", "github.com/acme/app"},
        {"ssh://git@[::1]:22/app.git", "[::1]:22/app"},
        {"git@github.com:acme/app.git", "github.com/acme/app"},
        {"git@github.com:/acme//app.git", NULL},
        {"github.com:app", "github.com/app"},
        {"/srv/git/app.git", "file+/srv/git/app"},
        {"file:///srv/git/app", "file+/srv/git/app"},
        {"https://h/.git", "h/.git"},
        {"https://h/a@b", "h/a@b"},
        {"https://github.com", NULL},
        {"https://github.com/", NULL},
        {"https:///acme/app", NULL},
        {"https://github.com/../etc", NULL},
        {"https://github.com/a/./b", NULL},
        {"https://github.com/a//b", NULL},
        {"https://github.com/a%2f..%2fb", NULL},
        {"https://github.com/a?b", NULL},
        {"https://github.com/a\\b", NULL},
        {"https://../acme/app", NULL},
        {"https://-x/acme/app", NULL},
        {"https://a b/acme/app", NULL},
        {"https://@/acme/app", NULL},
        {"ftp://h/a", NULL},
        {"git://h/a", NULL},
        {"..:a/b", NULL},
        {"/srv/../etc", NULL},
        {"a/b", NULL},
        {"a/b:c", NULL},
        {"/", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct err err = {0};
        CLEANUP(mem) char *name = secret_repository(good[i].address, &err);

        if (!good[i].name != !name || (name && strcmp(name, good[i].name) != 0))
            fail_msg("%s: %s", good[i].address, name ? name : err.msg);
        assert_int_equal(err.kind, name ? ERR_NONE : ERR_USER);
    }
}

static void long_addresses_have_none(void **state UNUSED)
{
    CLEANUP(strbuf) struct strbuf address = STRBUF_INIT;
    struct err err;

    strbuf_adds(&address, "https://h");
    for (int i = 0; i < 1000; i++)
        strbuf_adds(&address, "/abc");
    assert_null(secret_repository(address.data, &err));
    assert_non_null(strstr(err.msg, "too long"));
}

static void secrets_have_names(void **state UNUSED)
{
    char name[66];

    assert_true(secret_name_ok("A"));
    assert_true(secret_name_ok("_A1"));
    assert_false(secret_name_ok(""));
    assert_false(secret_name_ok("1A"));
    assert_false(secret_name_ok("a"));
    assert_false(secret_name_ok("A/B"));
    assert_false(secret_name_ok("."));
    memset(name, 'A', sizeof(name));
    name[64] = '\0';
    assert_true(secret_name_ok(name));
    name[64] = 'A';
    name[65] = '\0';
    assert_false(secret_name_ok(name));
}

/* ---- values ------------------------------------------------------------ */

static void a_repository_has_its_own(void **state UNUSED)
{
    CLEANUP(secret_store) struct secret_store *store = store_of(NULL, NULL);

    put("store/" APP "/TOKEN", "value\n", 6, 0600);
    put("store/git.example.org/acme/other/OTHER", "value2", 6, 0400);
    put("store/SHARED", "value3", 6, 0640);
    put("cred/CREDENTIAL", "value4", 6, 0440);
    expect(store, APP, "TOKEN", "value\n");
    expect(store, "git.example.org/acme/other", "OTHER", "value2");
    refuse(store, APP, "OTHER", "no secret 'OTHER' for the repository");
    refuse(store, APP, "OTHER", "/store/" APP "/");
    refuse(store, APP, "SHARED", "secrets.allow");
    refuse(store, APP, "CREDENTIAL", "secrets.allow");
    refuse(store, "git.example.org/acme", "TOKEN", "no secret");
    refuse(store, "git.example.org/acme/app/TOKEN", "TOKEN", "no secret");
    refuse(store, "nowhere.example.org/a", "TOKEN", "no secret");
    refuse(store, "git.example.org", "acme", "no name of a secret");
}

static void shared_ones_are_allowed(void **state UNUSED)
{
    CLEANUP(secret_store)
    struct secret_store *store = store_of("git.example.org/acme/*", NULL);

    expect(store, APP, "SHARED", "value3");
    expect(store, APP, "CREDENTIAL", "value4");
    expect(store, APP, "TOKEN", "value\n");
    refuse(store, "git.example.org/acme/app/x", "SHARED", "secrets.allow");
    refuse(store, "git.example.net/acme/app", "SHARED", "secrets.allow");
    refuse(store, APP, "NONE", "systemd's credentials");
    /* Its own wins. */
    put("store/" APP "/SHARED", "mine", 4, 0600);
    expect(store, APP, "SHARED", "mine");
    /* Read anew. */
    put("store/" APP "/SHARED", "changed", 7, 0600);
    expect(store, APP, "SHARED", "changed");
}

static void the_environment_is_taken(void **state UNUSED)
{
    struct secret_store *store;
    char *raw;

    assert_int_equal(setenv("T_SECRET_ENV", "value5", 1), 0);
    assert_int_equal(setenv("T_SECRET_small", "stays", 1), 0);
    assert_int_equal(setenv("T_SECRET_", "stays", 1), 0);
    raw = getenv("T_SECRET_ENV");
    assert_non_null(raw);
    store = store_of("**", "T_SECRET_");
    assert_null(getenv("T_SECRET_ENV"));
    assert_string_equal(raw, ""); /* what /proc would show */
    assert_non_null(getenv("T_SECRET_small"));
    assert_non_null(getenv("T_SECRET_"));
    expect(store, APP, "ENV", "value5");
    refuse(store, APP, "NONE", "$T_SECRET_NONE");
    secret_store_free(store);
    store = store_of("other/*", NULL);
    refuse(store, APP, "ENV", "no secret");
    secret_store_free(store);
}

static void bad_files_are_refused(void **state UNUSED)
{
    CLEANUP(secret_store) struct secret_store *store = store_of(NULL, NULL);
    CLEANUP(mem) char *large = xcalloc(1, SECRET_MAX_BYTES + 1);
    CLEANUP(mem) char *link = below("store/" APP "/LINK");
    CLEANUP(mem) char *fifo = below("store/" APP "/FIFO");

    memset(large, 'x', SECRET_MAX_BYTES + 1);
    put("store/" APP "/READ", "value", 5, 0604);
    put("store/" APP "/WRITTEN", "value", 5, 0620);
    put("store/" APP "/EMPTY", "", 0, 0600);
    put("store/" APP "/ZERO", "va\0ue", 5, 0600);
    put("store/" APP "/BYTES", "\xff\xfe", 2, 0600);
    put("store/" APP "/LARGE", large, SECRET_MAX_BYTES + 1, 0600);
    put("store/" APP "/FULL", large, SECRET_MAX_BYTES, 0600);
    put("store/" APP "/DIR/x", "value", 5, 0600);
    assert_int_equal(symlink("TOKEN", link), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    refuse(store, APP, "READ", "chmod 600");
    refuse(store, APP, "WRITTEN", "chmod 600");
    refuse(store, APP, "EMPTY", "is empty");
    refuse(store, APP, "ZERO", "base64");
    refuse(store, APP, "BYTES", "base64");
    refuse(store, APP, "LARGE", "larger than 64 KiB");
    refuse(store, APP, "DIR", "no regular file");
    refuse(store, APP, "LINK", "a symbolic link");
    refuse(store, APP, "FIFO", "no regular file");
    large[SECRET_MAX_BYTES] = '\0';
    expect(store, APP, "FULL", large);
}

static void bad_directories_are_refused(void **state UNUSED)
{
    CLEANUP(secret_store) struct secret_store *store = store_of(NULL, NULL);
    CLEANUP(mem) char *acme = below("store/git.example.org/acme");
    CLEANUP(mem) char *link = below("store/git.example.org/link");

    assert_int_equal(chmod(acme, 0777), 0);
    refuse(store, APP, "TOKEN", "chmod go-w");
    assert_int_equal(chmod(acme, 0755), 0);
    expect(store, APP, "TOKEN", "value\n");
    assert_int_equal(symlink("acme", link), 0);
    refuse(store, "git.example.org/link/app", "TOKEN", "no secret");
    if (geteuid() != 0)
        return;
    assert_int_equal(chown(acme, 12345, 0), 0);
    refuse(store, APP, "TOKEN", "belongs to the user 12345");
    assert_int_equal(chown(acme, 0, 0), 0);
}

static void nothing_is_configured(void **state UNUSED)
{
    const struct secret_store_options options = {.dir = "", .env_prefix = ""};
    CLEANUP(secret_store)
    struct secret_store *store = secret_store_new(&options);

    refuse(store, APP, "TOKEN", "set secrets.dir");
}

static int set_up(void **state UNUSED)
{
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
    struct err err;

    return tree_remove(top, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repositories_have_names),
        cmocka_unit_test(long_addresses_have_none),
        cmocka_unit_test(secrets_have_names),
        cmocka_unit_test(a_repository_has_its_own),
        cmocka_unit_test(shared_ones_are_allowed),
        cmocka_unit_test(the_environment_is_taken),
        cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(bad_directories_are_refused),
        cmocka_unit_test(nothing_is_configured),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
