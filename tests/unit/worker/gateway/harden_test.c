/* tests/unit/worker/gateway/harden_test.c - what gateways and relays cannot. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"
#include "tests/lib/unit.h"
#include "worker/gateway/harden.h"
#include "worker/gateway/relay/confined.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 1900065536u

static char made[4096]; /* a file that is not there */

static long try_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        _exit(0);
    return pid;
}

static long try_exec(void)
{
    char program[] = "/bin/true";
    char *argv[] = {program, NULL};

    return execve(program, argv, argv + 1);
}

static long try_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                -1, 0) == MAP_FAILED
               ? -1
               : 0;
}

static long try_make(void)
{
    return open(made, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long try_unlink(void)
{
    return unlink(made);
}

static long try_read(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long try_list(void)
{
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static long try_unix(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long try_signal(void)
{
    return kill(getppid(), 0);
}

static long try_trace(void)
{
    return prctl(PR_SET_DUMPABLE, 1);
}

static long try_become_root(void)
{
    return setresuid(0, 0, 0);
}

static long try_hosts(void)
{
    return open("/etc/hosts", O_RDONLY | O_CLOEXEC);
}

static long try_connect(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(9),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return connect(fd, (struct sockaddr *)&at, sizeof(at));
}

static const struct {
    const char *name;
    long (*try)(void);
    int error;     /* 0: it may */
    bool landlock; /* else it may, or only by other means */
} tries[] = {
    {"fork", try_fork, EPERM, false},
    {"execute", try_exec, EPERM, false},
    {"map code", try_code, EPERM, false},
    {"make a file", try_make, EPERM, false},
    {"remove a file", try_unlink, EPERM, false},
    {"read a file", try_read, EACCES, true},
    {"list a directory", try_list, EACCES, true},
    {"make a unix socket", try_unix, EPERM, false},
    {"signal", try_signal, EPERM, false},
    {"be traced", try_trace, EPERM, false},
    {"become root", try_become_root, EPERM, false},
    {"read /etc/hosts", try_hosts, 0, false},
    {"connect", try_connect, 0, false},
};

/* The number of the try that ended otherwise, counted from 1; 100: other. */
static int shut_in(uid_t uid, bool relay)
{
    const struct relay_setup none = {.count = 0};
    struct err err;

    if (relay ? confined(uid, &err) < 0 || confined_rest(&none, &err) < 0
              : harden(uid, &err) < 0 || harden_rest(&err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 100;
    }
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        int error;

        if (tries[i].landlock && !confine_has_files())
            continue;
        errno = 0;
        error = tries[i].try() < 0 ? errno : 0;
        if (error != tries[i].error)
            return (int)i + 1;
    }
    return 0;
}

static void assert_shut_in(uid_t uid, bool relay)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0)
        _exit(shut_in(uid, relay));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 100)
        fail_msg("it cannot be shut in");
    if (WEXITSTATUS(status))
        fail_msg("'%s' ends otherwise", tries[WEXITSTATUS(status) - 1].name);
}

/* The filter alone, where the user may do all; and the user, too. */
static void test_tries(void **state UNUSED)
{
    for (int relay = 0; relay < 2; relay++) {
        assert_shut_in(0, relay);
        if (geteuid() == 0)
            assert_shut_in(NOBODY, relay);
    }
}

/* Else these tries would tell nothing. */
static void test_tries_work(void **state UNUSED)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        for (size_t i = 0; i < ARRAY_LEN(tries); i++)
            if (tries[i].try != try_exec && tries[i].try != try_become_root &&
                tries[i].try() < 0)
                _exit((int)i + 1);
        _exit(try_exec() < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tries_work),
        cmocka_unit_test(test_tries),
    };

    const char *tmp = getenv("TEST_TMP");

    (void)snprintf(made, sizeof(made), "%s/harden-%d", tmp ? tmp : "/tmp",
                   (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
