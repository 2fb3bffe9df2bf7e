/* worker/sandbox/launch/main.c - joins cgroups, then becomes the runtime. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * launch PARENT [FILE…] -- PROGRAM [ARGUMENT…]
 *
 * Writes "0" (this process) to each FILE, a `tasks` or `cgroup.procs`, so that
 * the program is inside from its first instruction: on v1 a process that moves
 * itself costs 0.1 ms, one that is moved 10. Dies with PARENT, its pid.
 */
static int fail(const char *what)
{
    (void)fprintf(stderr, "launch: %s: %s\n", what,
                  strerrordesc_np(errno) ? strerrordesc_np(errno) : "error");
    return 1;
}

static int join(const char *file)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, "0", 1);

    if (fd >= 0)
        (void)close(fd);
    return n == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    int i;

    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: launch PARENT [FILE...] -- PROGRAM [ARG...]\n");
        return 2;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return fail("cannot follow the parent");
    /* It may have died before that. */
    if (getppid() != (pid_t)strtol(argv[1], NULL, 10))
        return 1;
    for (i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (join(argv[i]) < 0)
            return fail(argv[i]);
    if (i + 1 >= argc)
        return 2;
    (void)execvp(argv[i + 1], argv + i + 1);
    return fail(argv[i + 1]);
}
