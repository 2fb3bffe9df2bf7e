/* tests/unit/worker/checkout/client_test.c - the client, and a driver of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/checkout/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * `client_test drive url=… mirror=… tree=…` runs one checkout and prints how it
 * ended: tests/integration/checkout.sh is made of that. BERTH_LIBEXEC says
 * where the program is, also one that misbehaves.
 */
struct drive {
    struct loop *loop;
    struct checkout *checkout;
    int64_t started_ms;
    unsigned progress;
    bool kill_on_progress;
    bool ended;
    int exit_code;
};

static void on_progress(void *arg, const char *line)
{
    struct drive *d = arg;

    d->progress++;
    printf("progress %s\n", line);
    (void)fflush(stdout);
    if (!d->kill_on_progress)
        return;
    checkout_kill(d->checkout);
    d->checkout = NULL;
    d->ended = true;
    loop_stop(d->loop);
}

static void on_done(void *arg, const struct checkout_result *result,
                    const struct err *err)
{
    struct drive *d = arg;

    d->ended = true;
    d->checkout = NULL;
    d->exit_code = err ? 1 : 0;
    if (err)
        printf("error %s %s\n", err_kind_name(err->kind), err->msg);
    else
        printf("done commit=%s branch=%s fetched=%d files=%u submodules=%u "
               "subject=%s\n",
               result->commit, result->branch, result->fetched, result->files,
               result->submodules, result->subject);
    printf("ms %lld\n", (long long)(clock_mono_ms() - d->started_ms));
    loop_stop(d->loop);
}

static void on_kill_timer(void *arg)
{
    struct drive *d = arg;

    checkout_kill(d->checkout);
    d->checkout = NULL;
    d->ended = true;
    loop_stop(d->loop);
}

static const char *option(int argc, char **argv, const char *name,
                          const char *otherwise)
{
    size_t len = strlen(name);

    for (int i = argc - 1; i >= 2; i--)
        if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
            return argv[i] + len + 1;
    return otherwise;
}

static unsigned number(int argc, char **argv, const char *name,
                       const char *otherwise)
{
    return (unsigned)strtoul(option(argc, argv, name, otherwise), NULL, 10);
}

static struct checkout_request request_of(int argc, char **argv)
{
    return (struct checkout_request){
        .url = option(argc, argv, "url", ""),
        .commit = option(argc, argv, "commit", ""),
        .ref = option(argc, argv, "ref", ""),
        .base = option(argc, argv, "base", ""),
        .mirror = option(argc, argv, "mirror", ""),
        .tree = option(argc, argv, "tree", ""),
        .alternates = option(argc, argv, "alternates", ""),
        .username = option(argc, argv, "username", ""),
        .password = option(argc, argv, "password", ""),
        .submodules = number(argc, argv, "submodules", "0"),
        .uid = number(argc, argv, "uid", "0"),
        .inside_uid = number(argc, argv, "inside_uid", "0"),
        .timeout_ms = number(argc, argv, "timeout", "60000"),
    };
}

static int drive(int argc, char **argv)
{
    static const struct checkout_callbacks callbacks = {on_progress, on_done};
    struct checkout_request request = request_of(argc, argv);
    unsigned kill_ms = number(argc, argv, "kill_after", "0");
    struct drive d = {.started_ms = clock_mono_ms()};
    struct err err = {0};

    d.kill_on_progress = number(argc, argv, "kill_on_progress", "0");
    if (loop_new(&d.loop, &err) < 0 ||
        checkout_start(d.loop, &request, &callbacks, &d, &d.checkout, &err) <
            0) {
        printf("error %s %s\n", err_kind_name(err.kind), err.msg);
        loop_free(d.loop);
        return 1;
    }
    if (kill_ms)
        (void)loop_add_timer(d.loop, clock_mono_ms() + kill_ms, on_kill_timer,
                             &d);
    if (loop_run(d.loop, &err) < 0)
        printf("error %s %s\n", err_kind_name(err.kind), err.msg);
    loop_free(d.loop);
    return d.exit_code;
}

/* ---- what needs no program ----------------------------------------------- */

static void never(void *arg, const struct checkout_result *result,
                  const struct err *err)
{
    (void)arg;
    (void)result;
    fail_msg("on_done was called: %s", err ? err->msg : "done");
}

static int start(struct loop *loop, struct checkout_request request,
                 struct err *err)
{
    static const struct checkout_callbacks callbacks = {NULL, never};
    struct checkout *checkout = NULL;

    if (!request.mirror)
        request.mirror = "/nonexistent/mirror";
    request.tree = "/nonexistent/tree";
    request.alternates = "/nonexistent/objects";
    if (checkout_start(loop, &request, &callbacks, NULL, &checkout, err) < 0) {
        assert_null(checkout);
        return -1;
    }
    checkout_kill(checkout);
    return 0;
}

static void test_refusals_at_once(void **state)
{
    static const struct {
        const char *url;
        const char *says;
    } cases[] = {
        {"", "is empty"},
        {"relative/path", "neither a URL nor an absolute path"},
        {"ftp://host/x", "not fetched by 'ftp'"},
        {"ext::sh -c id", "remote helpers"},
        {"ssh://-oProxyCommand=id/x", "is not a host"},
        {"-oProxyCommand=id:x", "is not a host"},
        {"https://host", "no path"},
        {"ssh://u:secret@host/x", "password"},
        {"https://ho\nst/x", "control character"},
    };
    struct loop *loop;
    struct err err = {0};

    (void)state;
    assert_int_equal(loop_new(&loop, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct checkout_request request = {.url = cases[i].url,
                                           .timeout_ms = 1000};

        memset(&err, 0, sizeof(err));
        assert_int_equal(start(loop, request, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("'%s': %s", cases[i].url, err.msg);
        assert_null(strstr(err.msg, "secret"));
    }
    loop_free(loop);
}

static void test_bugs_of_the_caller(void **state)
{
    struct checkout_request relative = {
        .url = "/x", .mirror = "mirror", .timeout_ms = 1};
    struct checkout_request timeless = {.url = "/x"};
    struct loop *loop;
    struct err err = {0};

    (void)state;
    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(start(loop, relative, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    assert_int_equal(start(loop, timeless, &err), -1);
    assert_int_equal(err.kind, ERR_BUG);
    loop_free(loop);
}

static void test_no_program(void **state)
{
    struct checkout_request request = {.url = "/x", .timeout_ms = 1000};
    struct loop *loop;
    struct err err = {0};

    (void)state;
    assert_int_equal(setenv("BERTH_LIBEXEC", "/nonexistent", 1), 0);
    assert_int_equal(loop_new(&loop, &err), 0);
    assert_int_equal(start(loop, request, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "cannot start"));
    checkout_kill(NULL);
    loop_free(loop);
}

static void test_mirror_names(void **state)
{
    static const char *const urls[] = {
        "https://github.com/acme/app.git",
        "https://github.com/acme/app",
        "http://github.com/acme/app",
        "git@github.com:acme/app.git",
        "/srv/Git/app",
        "/srv/git/app",
        "/srv/git/äpp",
        "/",
    };
    char *names[ARRAY_LEN(urls)];
    char *file = checkout_mirror_name("file:///srv/git/app/", NULL, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        names[i] = checkout_mirror_name(urls[i], NULL, NULL);
        assert_true(strlen(names[i]) <= 80);
        assert_true(names[i][0] != '.');
        assert_int_equal(
            strspn(names[i], "abcdefghijklmnopqrstuvwxyz0123456789._-"),
            strlen(names[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(file, names[5]);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        free(names[i]);
    free(file);
}

/* One mirror per credential, the same each time, which the name hides. */
static void test_mirror_names_of_credentials(void **state)
{
    static const char *const urls[] = {
        "https://github.com/acme/app-with-quite-a-long-name-in-the-address",
        "https://u:hunter2@github.com/acme/app-with-quite-a-long-name-in-the-"
        "address",
        "https://u:hunter3@github.com/acme/app-with-quite-a-long-name-in-the-"
        "address",
        "https://v:hunter2@github.com/acme/app-with-quite-a-long-name-in-the-"
        "address",
        "https://u:hunter2@github.com/b",
    };
    char dir[] = "/tmp/berth-names-XXXXXX";
    char *apart;
    char *names[ARRAY_LEN(urls)];
    struct err err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("BERTH_STATE_DIR", dir, 1), 0);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        char *again = checkout_mirror_name(urls[i], NULL, NULL);

        names[i] = checkout_mirror_name(urls[i], NULL, NULL);
        assert_string_equal(names[i], again);
        free(again);
        assert_true(strlen(names[i]) <= 80);
        assert_null(strstr(names[i], "hunter"));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
    assert_string_equal(strrchr(names[1], '-'), strrchr(names[4], '-'));
    apart = checkout_mirror_name(urls[0], "u", "hunter2");
    assert_string_equal(apart, names[1]);
    free(apart);
    /* What stands for many is for none that is one of them, or like it. */
    for (size_t i = 0; i < 3; i++) {
        static const char *const whose[] = {"u", "hunter2", "scheduler"};
        char *one = checkout_mirror_name_as(urls[0], "u", "hunter2", whose[i]);
        char *plain = checkout_mirror_name(urls[0], whose[i], "");

        apart = checkout_mirror_name_as(urls[0], "v", "x", whose[i]);
        assert_string_equal(one, apart);
        assert_string_not_equal(one, plain);
        assert_string_not_equal(one, names[0]);
        assert_string_not_equal(one, names[1]);
        free(one);
        free(plain);
        free(apart);
        apart = checkout_mirror_name_as(urls[0], "", "", whose[i]);
        assert_string_equal(apart, names[0]);
        free(apart);
    }
    apart = checkout_mirror_name(urls[0], "", NULL);
    assert_string_equal(apart, names[0]);
    free(apart);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        free(names[i]);
    /* Without a key a name is nobody else's. */
    assert_int_equal(setenv("BERTH_STATE_DIR", "/proc/none", 1), 0);
    names[0] = checkout_mirror_name(urls[1], NULL, NULL);
    names[1] = checkout_mirror_name(urls[1], NULL, NULL);
    assert_string_not_equal(names[0], names[1]);
    free(names[0]);
    free(names[1]);
    assert_int_equal(unsetenv("BERTH_STATE_DIR"), 0);
    assert_int_equal(tree_remove(dir, &err), 0);
}

/* The vector of the paper's appendix: bytes 0 to 14, the key 0 to 15. */
static void test_secret_digest(void **state)
{
    static const char key[] = "07060504030201000f0e0d0c0b0a0908";
    char dir[] = "/tmp/berth-digest-XXXXXX";
    char digest[SECRET_DIGEST_SIZE];
    char *path;
    struct err err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("BERTH_STATE_DIR", dir, 1), 0);
    path = xasprintf("%s/mirror.key", dir);
    assert_int_equal(secret_digest("", "", digest, &err), 0);
    assert_string_equal(digest, "");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(file_write(path, key, strlen(key), 0600, &err), 0);
    assert_int_equal(
        secret_digest("", "\1\2\3\4\5\6\7\10\11\12\13\14\15\16", digest, &err),
        0);
    assert_string_equal(digest, "a129ca6149be45e5");
    free(path);
    assert_int_equal(unsetenv("BERTH_STATE_DIR"), 0);
    assert_int_equal(tree_remove(dir, &err), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_at_once),
        cmocka_unit_test(test_bugs_of_the_caller),
        cmocka_unit_test(test_no_program),
        cmocka_unit_test(test_mirror_names),
        cmocka_unit_test(test_mirror_names_of_credentials),
        cmocka_unit_test(test_secret_digest),
    };

    if (argc > 1 && strcmp(argv[1], "drive") == 0)
        return drive(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
