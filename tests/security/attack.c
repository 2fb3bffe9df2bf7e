/* tests/security/attack.c - hostile programs, for inside of a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)1 << 20)

static const struct attack *const groups[] = {
    attacks_calls,  attacks_agent,   attacks_proc,    attacks_files,
    attacks_rights, attacks_devices, attacks_network, attacks_limits};

const char *given(const char *name)
{
    const char *value = getenv(name);

    if (value && *value)
        return value;
    (void)fprintf(stderr, "attack: no %s is given\n", name);
    exit(UNKNOWN);
}

long held(int error)
{
    errno = error;
    return -1;
}

long try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd < 0 ? -1 : close(fd);
}

long try_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char byte;
    ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);
    int error = errno;

    if (fd >= 0)
        (void)close(fd);
    return n < 0 ? held(error) : n == 0 ? held(ENODATA) : 0;
}

long try_find(const char *path, const char *word)
{
    static char text[TEXT_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = 0;

    if (fd < 0)
        return -1;
    while (len < sizeof(text) &&
           (n = read(fd, text + len, sizeof(text) - len)) > 0)
        len += (size_t)n;
    (void)close(fd);
    if (n < 0 && !len)
        return -1;
    return memmem(text, len, word, strlen(word)) ? 0 : held(ENODATA);
}

/* The signal that a child was killed by, if any was. */
static int killed_by;

long in_child(attack_fn *fn)
{
    int status = 0;
    pid_t pid = fork();

    if (pid < 0)
        return -1;
    if (pid == 0)
        _exit(fn() < 0 ? (errno & 0x7f) : 0);
    if (waitpid(pid, &status, 0) < 0)
        return -1;
    if (!WIFEXITED(status)) {
        killed_by = WTERMSIG(status);
        return held(EINTR);
    }
    return WEXITSTATUS(status) ? held(WEXITSTATUS(status)) : 0;
}

static int list(void)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (const struct attack *a = groups[i]; a->name; a++)
            (void)printf("%s\t%s\n", a->name, a->without);
    return 0;
}

static const char *reason(int error)
{
    const char *name = strerrorname_np(error);

    if (killed_by)
        return killed_by == SIGSYS ? "SIGSYS" : "SIGKILL";
    return name ? name : "no errno";
}

static int perform(const struct attack *a)
{
    long rc = a->run();
    int error = errno;

    if (rc >= 0)
        (void)printf("attack %s: got in\n", a->name);
    else
        (void)printf("attack %s: held by %s\n", a->name, reason(error));
    return rc >= 0 ? GOT_IN : HELD;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return USAGE;
    if (strcmp(argv[1], "--list") == 0)
        return list();
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        for (const struct attack *a = groups[i]; a->name; a++)
            if (strcmp(a->name, argv[1]) == 0)
                return perform(a);
    (void)fprintf(stderr, "attack: there is no '%s'\n", argv[1]);
    return USAGE;
}
