/* tests/unit/cli/embedded_test.c - the private redis-server and its users. */
/* SPDX-License-Identifier: Apache-2.0 */
/* long 25 */
#include "cli/embedded.h"

#include "cli/socket_path.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

#include <dirent.h>
#include <sys/stat.h>

struct fixture {
    char dir[512];
    char top[64];
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));

    (void)snprintf(f->top, sizeof(f->top), "/tmp/berth-test-XXXXXX");
    assert_non_null(mkdtemp(f->top));
    (void)snprintf(f->dir, sizeof(f->dir), "%s", f->top);
    *state = f;
    return 0;
}

/* Processes that work in <dir>/redis: servers, whatever the pid file says. */
static unsigned servers(const struct fixture *f, pid_t *out_pid)
{
    CLEANUP(mem) char *dir = xasprintf("%s/redis", f->dir);
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(proc))) {
        CLEANUP(mem) char *link = xasprintf("/proc/%s/cwd", entry->d_name);
        char cwd[600] = "";

        if (readlink(link, cwd, sizeof(cwd) - 1) > 0 && strcmp(cwd, dir) == 0) {
            count++;
            if (out_pid)
                *out_pid = (pid_t)atoi(entry->d_name);
        }
    }
    (void)closedir(proc);
    return count;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pid_t pid;

    if (servers(f, &pid))
        (void)kill(pid, SIGKILL);
    assert_int_equal(tree_remove(f->top, NULL), 0);
    free(f);
    return 0;
}

static struct embedded *start(struct fixture *f)
{
    struct embedded *e = NULL;
    struct err err;

    if (embedded_start(f->dir, NULL, &e, &err) < 0)
        fail_msg("%s", err.msg);
    return e;
}

static void stop(struct embedded *e)
{
    struct err err;

    if (embedded_stop(e, &err) < 0)
        fail_msg("%s", err.msg);
}

/* The value of "k", after setting it if `set`; "" if there is none. */
static void value(const struct embedded *e, const char *set, char out[32])
{
    const char *const get_list[] = {"GET", "k"};
    const char *const set_list[] = {"SET", "k", set};
    const struct redis_options options = {.url = embedded_url(e)};
    const struct redis_words get = {get_list, NULL, 2};
    const struct redis_words put = {set_list, NULL, 3};
    CLEANUP(redis_sync) struct redis_sync *redis = NULL;
    struct redisReply *reply = NULL;

    assert_int_equal(redis_sync_open(&options, &redis, NULL), 0);
    if (set) {
        assert_int_equal(redis_sync_command(redis, &put, &reply, NULL), 0);
        freeReplyObject(reply);
    }
    assert_int_equal(redis_sync_command(redis, &get, &reply, NULL), 0);
    (void)snprintf(out, 32, "%s", reply->str ? reply->str : "");
    freeReplyObject(reply);
}

/* ---- tests -------------------------------------------------------------- */

static void test_start_and_stop(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *redis_dir = xasprintf("%s/redis", f->dir);
    CLEANUP(mem) char *socket = xasprintf("%s/redis.sock", redis_dir);
    CLEANUP(mem) char *url = xasprintf("unix://%s", socket);
    struct embedded *e = start(f);
    struct stat st;
    char got[32];
    pid_t pid = 0;

    assert_string_equal(embedded_url(e), url);
    assert_int_equal(servers(f, &pid), 1);
    /* Out of reach of the terminal, and of other users. */
    assert_int_not_equal(getsid(pid), getsid(0));
    assert_int_not_equal(getpgid(pid), getpgid(0));
    assert_int_equal(stat(socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(redis_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    value(e, "kept", got);
    stop(e);
    assert_int_equal(servers(f, NULL), 0);
    assert_int_equal(stat(socket, &st), -1);
    e = start(f);
    value(e, NULL, got);
    assert_string_equal(got, "kept");
    stop(e);
    assert_int_equal(servers(f, NULL), 0);
    assert_int_equal(embedded_stop(NULL, NULL), 0);
}

/* Who only looks keeps no server alive, and starts none. */
static void test_find(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *none = embedded_find(f->dir);
    struct embedded *e = start(f);
    CLEANUP(mem) char *found = embedded_find(f->dir);
    CLEANUP(mem) char *gone = NULL;

    assert_null(none);
    assert_string_equal(found, embedded_url(e));
    stop(e);
    gone = embedded_find(f->dir);
    assert_null(gone);
}

static void test_shared(void **state)
{
    struct fixture *f = *state;
    struct embedded *first = start(f);
    struct embedded *second = start(f);
    char got[32];

    assert_int_equal(servers(f, NULL), 1);
    stop(first);
    assert_int_equal(servers(f, NULL), 1);
    value(second, "x", got);
    assert_string_equal(got, "x");
    stop(second);
    assert_int_equal(servers(f, NULL), 0);
}

/* A process of its own that starts, says so, and waits to be told to stop. */
static pid_t user(struct fixture *f, int *out_say, int *out_hear)
{
    struct embedded *e = NULL;
    int down[2], up[2];
    char byte = 'y';
    pid_t pid;

    assert_int_equal(fd_pipe(down, NULL), 0);
    assert_int_equal(fd_pipe(up, NULL), 0);
    pid = fork();
    if (pid == 0) {
        if (embedded_start(f->dir, NULL, &e, NULL) < 0)
            _exit(1);
        (void)!write(up[1], &byte, 1);
        (void)!read(down[0], &byte, 1);
        _exit(embedded_stop(e, NULL) < 0 ? 2 : 0);
    }
    (void)close(down[0]);
    (void)close(up[1]);
    *out_say = down[1];
    *out_hear = up[0];
    return pid;
}

static void test_starters_at_once(void **state)
{
    enum { USERS = 6 };
    struct fixture *f = *state;
    int say[USERS], hear[USERS];
    pid_t pids[USERS];
    char byte;
    int status;

    for (int i = 0; i < USERS; i++)
        pids[i] = user(f, &say[i], &hear[i]);
    for (int i = 0; i < USERS; i++)
        assert_int_equal(read(hear[i], &byte, 1), 1);
    assert_int_equal(servers(f, NULL), 1);
    for (int i = 0; i < USERS; i++) {
        assert_int_equal(servers(f, NULL), 1);
        assert_int_equal(write(say[i], "q", 1), 1);
        (void)close(say[i]);
        (void)close(hear[i]);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(servers(f, NULL), 0);
}

static void test_user_killed(void **state)
{
    struct fixture *f = *state;
    int say, hear, status;
    pid_t pid = user(f, &say, &hear);
    char byte;

    assert_int_equal(read(hear, &byte, 1), 1);
    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(say);
    (void)close(hear);
    assert_int_equal(servers(f, NULL), 1); /* nobody was there to stop it */
    stop(start(f));
    assert_int_equal(servers(f, NULL), 0);
}

static void test_server_killed(void **state)
{
    struct fixture *f = *state;
    struct embedded *first = start(f);
    struct embedded *second;
    char got[32];
    pid_t pid = 0;

    value(first, "kept", got);
    assert_int_equal(servers(f, &pid), 1);
    (void)kill(pid, SIGKILL);
    while (servers(f, NULL))
        (void)poll(NULL, 0, 10);
    second = start(f); /* the next user starts it again, for the first too */
    value(first, NULL, got);
    assert_string_equal(got, "kept");
    stop(second);
    assert_int_equal(servers(f, NULL), 1);
    stop(first);
    assert_int_equal(servers(f, NULL), 0);
    /* Killed while it has its last user: nothing to stop. */
    first = start(f);
    assert_int_equal(servers(f, &pid), 1);
    (void)kill(pid, SIGKILL);
    stop(first);
    assert_int_equal(servers(f, NULL), 0);
}

static void test_stale_files(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *dir = xasprintf("%s/redis", f->dir);
    CLEANUP(mem) char *pid_file = xasprintf("%s/redis.pid", dir);
    CLEANUP(mem) char *socket = xasprintf("%s/redis.sock", dir);
    CLEANUP(mem) char *me = xasprintf("%d\n", (int)getpid());
    struct embedded *e;

    assert_int_equal(dir_make(dir, 0700, NULL), 0);
    assert_int_equal(file_write(pid_file, me, strlen(me), 0600, NULL), 0);
    assert_int_equal(file_write(socket, "", 0, 0600, NULL), 0);
    e = start(f);
    assert_int_equal(servers(f, NULL), 1);
    stop(e);
    assert_int_equal(servers(f, NULL), 0);
}

static void test_server_hangs(void **state)
{
    struct fixture *f = *state;
    struct embedded *e = start(f);
    struct err err = {ERR_NONE, 0, ""};
    pid_t pid = 0;

    assert_int_equal(servers(f, &pid), 1);
    (void)kill(pid, SIGSTOP);
    assert_int_equal(embedded_stop(e, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "was killed"));
    assert_int_equal(servers(f, NULL), 0);
}

static void test_long_directory(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *runtime = xasprintf("%s/run", f->top);
    struct embedded *first, *second;
    char got[32];

    assert_int_equal(dir_make(runtime, 0700, NULL), 0);
    (void)setenv("XDG_RUNTIME_DIR", runtime, 1);
    while (strlen(f->dir) < 150)
        (void)strcat(f->dir, "/0123456789abcdef");
    assert_int_equal(dir_make(f->dir, 0700, NULL), 0);
    first = start(f);
    assert_true(strlen(embedded_url(first)) <= SOCKET_PATH_MAX + 7);
    /* Another environment, the same server. */
    (void)unsetenv("XDG_RUNTIME_DIR");
    second = start(f);
    assert_string_equal(embedded_url(second), embedded_url(first));
    value(second, "x", got);
    stop(first);
    stop(second);
    assert_int_equal(servers(f, NULL), 0);
}

static void test_socket_path(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *short_one = NULL;
    CLEANUP(mem) char *one = NULL;
    CLEANUP(mem) char *other = NULL;
    char longer[300] = "/";

    assert_int_equal(socket_path(f->dir, "s", &short_one, NULL), 0);
    assert_int_equal(strncmp(short_one, f->dir, strlen(f->dir)), 0);
    memset(longer + 1, 'a', 200);
    assert_int_equal(socket_path(longer, "s", &one, NULL), 0);
    assert_true(strlen(one) <= SOCKET_PATH_MAX);
    longer[3] = 'b';
    assert_int_equal(socket_path(longer, "s", &other, NULL), 0);
    assert_string_not_equal(one, other);
}

static void test_not_installed(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *path = xstrdup(getenv("PATH"));
    struct embedded *e = NULL;
    struct err err;

    (void)setenv("PATH", f->dir, 1);
    assert_int_equal(embedded_start(f->dir, NULL, &e, &err), -1);
    (void)setenv("PATH", path, 1);
    assert_int_equal(err.kind, ERR_USER);
    assert_non_null(strstr(err.msg, "apt-get install redis-server"));
}

/* A server that does not come up: the message quotes its log. */
static void test_broken_data(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *file = xasprintf("%s/redis/appendonlydir", f->dir);
    struct embedded *e = NULL;
    struct err err;

    stop(start(f));
    assert_int_equal(tree_remove(file, NULL), 0);
    assert_int_equal(file_write(file, "x", 1, 0600, NULL), 0);
    assert_int_equal(embedded_start(f->dir, NULL, &e, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_non_null(strstr(err.msg, "redis.log"));
    assert_int_equal(servers(f, NULL), 0);
}

static unsigned questions;

static bool asked(void)
{
    return ++questions > 3;
}

/* Ctrl-C while another holds the lock, and while a server comes up. */
static void test_interrupted(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *dir = xasprintf("%s/redis", f->dir);
    CLEANUP(mem) char *path = xasprintf("%s/lock", dir);
    CLEANUP(fd) int lock = -1;
    int64_t begin = clock_mono_ms();
    struct embedded *first = start(f);
    struct embedded *e = NULL;
    struct err err;
    pid_t pid = 0;

    assert_int_equal(file_lock(path, 0, &lock, NULL), 0);
    questions = 0;
    assert_int_equal(embedded_start(f->dir, asked, &e, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    fd_close(&lock);
    /* It is there, and does not answer. */
    assert_int_equal(servers(f, &pid), 1);
    (void)kill(pid, SIGSTOP);
    questions = 3;
    assert_int_equal(embedded_start(f->dir, asked, &e, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_in_range(clock_mono_ms() - begin, 0, 8000);
    (void)kill(pid, SIGCONT);
    assert_int_equal(servers(f, NULL), 1); /* another's */
    stop(first);
    assert_int_equal(servers(f, NULL), 0);
}

/* The server that was started for nobody ends. */
static void test_interrupted_first(void **state)
{
    struct fixture *f = *state;
    CLEANUP(mem) char *conf = xasprintf("%s/bin", f->top);
    CLEANUP(mem) char *fake = xasprintf("%s/redis-server", conf);
    CLEANUP(mem) char *path = xstrdup(getenv("PATH"));
    CLEANUP(mem) char *first = xasprintf("%s:%s", conf, path);
    /* It is up, and has no answer to PING. */
    static const char script[] = "#!/bin/sh\nPATH=${PATH#*:}\n"
                                 "exec redis-server \"$@\" "
                                 "--rename-command PING \"''\"\n";
    struct embedded *e = NULL;
    struct err err;

    assert_int_equal(dir_make(conf, 0700, NULL), 0);
    assert_int_equal(file_write(fake, script, sizeof(script) - 1, 0700, NULL),
                     0);
    (void)setenv("PATH", first, 1);
    questions = 0;
    assert_int_equal(embedded_start(f->dir, asked, &e, &err), -1);
    (void)setenv("PATH", path, 1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(servers(f, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_start_and_stop),
        TEST(test_shared),
        TEST(test_find),

        TEST(test_starters_at_once),
        TEST(test_user_killed),
        TEST(test_server_killed),
        TEST(test_stale_files),
        TEST(test_server_hangs),
        TEST(test_long_directory),
        TEST(test_socket_path),
        TEST(test_not_installed),
        TEST(test_broken_data),
        TEST(test_interrupted),
        TEST(test_interrupted_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
