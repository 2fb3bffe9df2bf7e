/* worker/sandbox/launch/main.c - what is done in other processes' places. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * launch PARENT [FILE…] -- PROGRAM [ARGUMENT…]
 *
 * Writes "0" (this process) to each FILE, a `tasks` or `cgroup.procs`, so that
 * the program is inside from its first instruction: on v1 a process that moves
 * itself costs 0.1 ms, one that is moved 10. Dies with PARENT, its pid.
 *
 * launch --graft INIT AGENT [SOURCE TARGET ro|rw]…
 *
 * Mounts each SOURCE, a file or directory that we see, at TARGET in the mount
 * namespace of INIT, which has to run the program AGENT: nosuid, nodev and, if
 * asked, read-only, with all that is mounted below it.
 *
 * launch --tame RUNTIME INIT
 *
 * Sets quotas of the user namespace of INIT, a sandbox's pid 1, which takes
 * joining it, and how the kernel chooses between the two and what INIT starts
 * when memory runs out.
 *
 * launch --listen INIT PORT
 *
 * Listens at 127.0.0.1:PORT in the network namespace of INIT, and sends the
 * socket over stderr, which is one itself (SCM_RIGHTS).
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

static int put(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        (void)close(fd);
    return n < 0 ? -1 : 0;
}

/* Fine where we may not: root of a container may lack the capability. */
static void spare(const char *pid, const char *score)
{
    char file[64];

    (void)snprintf(file, sizeof(file), "/proc/%s/oom_score_adj", pid);
    (void)put(file, score);
}

/* A user's inotify instances and watches are counted in the namespace that he
 * is in and, for the user who made that, in the one around it: without a limit
 * here, one sandbox uses up those of the host's root. */
static const struct quota {
    const char *file;
    long most; /* or a quarter of what we have, if that is less */
} quotas[] = {
    {"/proc/sys/user/max_inotify_instances", 32},
    {"/proc/sys/user/max_inotify_watches", 65536},
    {"/proc/sys/user/max_user_namespaces", 0},
};

#define QUOTAS (sizeof(quotas) / sizeof(quotas[0]))

static long share(const struct quota *quota)
{
    FILE *file = fopen(quota->file, "re");
    char text[32] = "";
    long ours;

    if (!file)
        return quota->most;
    (void)!fgets(text, sizeof(text), file);
    (void)fclose(file);
    ours = strtol(text, NULL, 10) / 4;
    return ours < quota->most ? ours : quota->most;
}

static int tame(const char *runtime, const char *init)
{
    long limits[QUOTAS];
    char text[64];
    int fd;

    /* The runtime has forked already, so what it gets stays its own; what INIT
     * gets is also the lowest that commands can give themselves. */
    spare(runtime, "-500");
    spare(init, "-20");
    for (size_t i = 0; i < QUOTAS; i++)
        limits[i] = share(&quotas[i]);
    (void)snprintf(text, sizeof(text), "/proc/%s/ns/user", init);
    fd = open(text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(text);
    /* EINVAL: a runtime that needs no user namespace: it is our own. */
    if (setns(fd, CLONE_NEWUSER) < 0)
        return errno == EINVAL ? 0 : fail("cannot join the sandbox");
    for (size_t i = 0; i < QUOTAS; i++) {
        (void)snprintf(text, sizeof(text), "%ld", limits[i]);
        /* ENOENT: the kernel was built without it. */
        if (put(quotas[i].file, text) < 0 && errno != ENOENT)
            return fail(quotas[i].file);
    }
    return 0;
}

static int join_namespace(const char *init, const char *name, int kind)
{
    char path[64];
    int fd;
    int rc;

    (void)snprintf(path, sizeof(path), "/proc/%s/ns/%s", init, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    rc = fd < 0 ? -1 : setns(fd, kind);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static int send_socket(int to, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int listen_inside(const char *init, const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port =
                                 htons((uint16_t)strtoul(port, NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd;

    /* An ordinary user has the right only in the user namespace of INIT. */
    if (join_namespace(init, "net", CLONE_NEWNET) < 0 &&
        (join_namespace(init, "user", CLONE_NEWUSER) < 0 ||
         join_namespace(init, "net", CLONE_NEWNET) < 0))
        return fail("cannot join the sandbox's network");
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(fd, SOMAXCONN) < 0)
        return fail("cannot listen");
    return send_socket(STDERR_FILENO, fd) < 0 ? fail("cannot answer") : 0;
}

/* ---- mounting in another's mounts -------------------------------------- */

#define GRAFTS_MAX 128

static int take(const char *source, bool readonly)
{
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                    (readonly ? (uint64_t)MOUNT_ATTR_RDONLY : 0),
        .propagation = MS_PRIVATE,
    };
    int fd = open_tree(AT_FDCWD, source,
                       OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
                                sizeof(attr)) < 0)
        return -1;
    return fd;
}

/* Its links may lead anywhere, but not out of it. */
static int put_mount(int root, int tree, const char *target)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, root, target, &how, sizeof(how));

    if (fd < 0)
        return -1;
    return move_mount(tree, "", (int)fd, "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Its mount namespace, if it is who it has to be: the number of a process that
 * has ended may be another's. */
static int open_mounts(const char *init, const char *agent)
{
    struct stat ours, its;
    char path[64];
    int process, mounts;

    (void)snprintf(path, sizeof(path), "/proc/%s", init);
    process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (process < 0)
        return -1;
    mounts = openat(process, "ns/mnt", O_RDONLY | O_CLOEXEC);
    if (mounts < 0 || stat(agent, &ours) < 0 ||
        fstatat(process, "exe", &its, 0) < 0)
        return -1;
    if (ours.st_dev == its.st_dev && ours.st_ino == its.st_ino)
        return mounts;
    errno = ESRCH;
    return -1;
}

static int graft(int count, char **grafts, const char *init, const char *agent)
{
    int trees[GRAFTS_MAX], mounts = open_mounts(init, agent), root;

    if (mounts < 0)
        return fail("this is not the sandbox's pid 1 on this host");
    if (count % 3 || count > 3 * GRAFTS_MAX)
        return 2;
    for (int i = 0; i < count; i += 3) {
        trees[i / 3] = take(grafts[i], strcmp(grafts[i + 2], "rw") != 0);
        if (trees[i / 3] < 0)
            return fail(grafts[i]);
    }
    if (setns(mounts, CLONE_NEWNS) < 0)
        return fail("cannot join the sandbox's mounts");
    root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < count; i += 3)
        if (put_mount(root, trees[i / 3], grafts[i + 1]) < 0)
            return fail(grafts[i + 1]);
    return 0;
}

int main(int argc, char **argv)
{
    int i;

    if (argc == 4 && strcmp(argv[1], "--tame") == 0)
        return tame(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "--listen") == 0)
        return listen_inside(argv[2], argv[3]);
    /* Nothing that runs at exit may find its files in the sandbox's. */
    if (argc >= 4 && strcmp(argv[1], "--graft") == 0)
        _exit(graft(argc - 4, argv + 4, argv[2], argv[3]));

    if (argc < 4) {
        (void)fprintf(stderr,
                      "usage: launch PARENT [FILE...] -- PROGRAM [ARG...]\n"
                      "       launch --graft INIT AGENT [SOURCE TARGET ro|rw]\n"
                      "       launch --tame RUNTIME INIT\n"
                      "       launch --listen INIT PORT\n");
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
