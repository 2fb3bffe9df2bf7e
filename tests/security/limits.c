/* tests/security/limits.c - to use up what the host has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * Each stops by itself a little above the limit that the runner gives its
 * sandboxes: 256 MiB of memory, 128 processes, 1/4 of a CPU, 64 MB of disk.
 */
#define MIB        ((size_t)1 << 20)
#define MEMORY     (320 * MIB)
#define PROCESSES  200
#define DISK_FILES 40000
#define DISK_BYTES (100 * MIB)
#define WATCHES    48

static long processes(void)
{
    static pid_t pids[PROCESSES];
    long count = 0, rc = 0;
    int error = 0;

    while (count < PROCESSES) {
        pid_t pid = fork();

        if (pid == 0) {
            (void)sleep(20);
            _exit(0);
        }
        if (pid < 0) {
            error = errno;
            rc = -1;
            break;
        }
        pids[count++] = pid;
    }
    while (count > 0)
        (void)kill(pids[--count], SIGKILL);
    while (wait(NULL) > 0)
        continue;
    return rc < 0 ? held(error) : 0;
}

static long use(void)
{
    char *all = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED)
        return -1;
    for (size_t i = 0; i < MEMORY; i += 4096)
        all[i] = 1;
    return 0;
}

static long memory(void)
{
    return in_child(use);
}

static long fill(int fd, size_t bytes)
{
    static char block[MIB];

    memset(block, 1, sizeof(block));
    for (size_t i = 0; i < bytes; i += sizeof(block))
        if (write(fd, block, sizeof(block)) < 0)
            return -1;
    return 0;
}

static long fill_memfd(void)
{
    return fill(memfd_create("attack", MFD_CLOEXEC), MEMORY);
}

static long memory_file(void)
{
    return in_child(fill_memfd);
}

static long fill_shm(void)
{
    int fd = open("/dev/shm/attack", O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    (void)unlink("/dev/shm/attack");
    return fd < 0 ? -1 : fill(fd, MEMORY);
}

static long shared_memory(void)
{
    return in_child(fill_shm);
}

static long fill_segment(void)
{
    int id = shmget(IPC_PRIVATE, MEMORY, 0600);
    char *all = id < 0 ? NULL : shmat(id, NULL, 0);

    if (id < 0)
        return -1;
    (void)shmctl(id, IPC_RMID, NULL);
    for (size_t i = 0; i < MEMORY; i += 4096)
        all[i] = 1;
    return 0;
}

static long segment(void)
{
    return in_child(fill_segment);
}

static long disk(void)
{
    int fd = open("/workspace/big", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    long rc = fd < 0 ? -1 : fill(fd, DISK_BYTES);
    int error = errno;

    (void)unlink("/workspace/big");
    return rc < 0 ? held(error) : 0;
}

static long inodes(void)
{
    char name[64];
    long made = 0;
    int error = 0, fd;

    if (mkdir("/workspace/many", 0700) < 0)
        return -1;
    for (; made < DISK_FILES; made++) {
        (void)snprintf(name, sizeof(name), "/workspace/many/%ld", made);
        fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0) {
            error = errno;
            break;
        }
        (void)close(fd);
    }
    for (long i = 0; i < made; i++) {
        (void)snprintf(name, sizeof(name), "/workspace/many/%ld", i);
        (void)unlink(name);
    }
    (void)rmdir("/workspace/many");
    return error ? held(error) : 0;
}

static long files(void)
{
    long most = strtol(given("ATTACK_FILES"), NULL, 10);

    for (long i = 0; i <= most; i++)
        if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
            return -1;
    return 0;
}

static long watches(void)
{
    for (int i = 0; i < WATCHES; i++)
        if (inotify_init1(IN_CLOEXEC) < 0)
            return -1;
    return 0;
}

/* How much of a second was ours. */
static double share_of_cpu(void)
{
    struct timespec now, start, used[2];
    double passed, spent;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used[0]);
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (double)(now.tv_sec - start.tv_sec) +
                 (double)(now.tv_nsec - start.tv_nsec) / 1e9;
    } while (passed < 1);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used[1]);
    spent = (double)(used[1].tv_sec - used[0].tv_sec) +
            (double)(used[1].tv_nsec - used[0].tv_nsec) / 1e9;
    return spent / passed;
}

/* The limit is a quarter; others may be busy, too. */
static long cpu(void)
{
    for (int i = 0; i < 5; i++)
        if (share_of_cpu() > 0.4)
            return 0;
    return held(EAGAIN);
}

static long terminals(void)
{
    struct rlimit limit;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < 5000; i++)
        if (open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY) < 0)
            return -1;
    return 0;
}

/* One byte at the end of 16 EiB. */
static long sparse(void)
{
    int fd = open("/workspace/sparse", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    long rc = fd < 0 ? -1 : ftruncate(fd, (off_t)1 << 60);
    int error = errno;

    (void)unlink("/workspace/sparse");
    return rc < 0 ? held(error) : 0;
}

static long queue(void)
{
    struct mq_attr attr = {.mq_maxmsg = 65536, .mq_msgsize = 65536};

    return mq_open("/attack", O_CREAT | O_RDWR, 0600, &attr);
}

static long lock_memory(void)
{
    void *all = mmap(NULL, 64 * MIB, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mlock(all, 64 * MIB);
}

const struct attack attacks_limits[] = {
    {"limit-processes", "pids-limit", processes},
    {"limit-memory", "memory-limit", memory},
    {"limit-memfd", "memory-limit", memory_file},
    {"limit-shared-memory", "memory-limit shm", shared_memory},
    {"limit-sysv-memory", "memory-limit", segment},
    {"limit-cpu", "cpu-limit", cpu},
    {"limit-disk", "disk", disk},
    {"limit-inodes", "disk", inodes},
    {"limit-files", "rlimits", files},
    {"limit-inotify", "userns", watches},
    {"limit-terminals", "- the host's terminals", terminals},
    {"limit-sparse", "- no file system has that", sparse},
    {"limit-message-queue", "- the kernel's memory", queue},
    {"limit-locked-memory", "- the host's memory", lock_memory},
    {NULL, NULL, NULL}};
