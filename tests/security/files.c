/* tests/security/files.c - files of the host, and rights by files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static long host_file(void)
{
    return try_read(given("ATTACK_FILE"));
}
static long host_state(void)
{
    return try_open(given("ATTACK_STATE"), O_PATH);
}
static long shadow(void)
{
    return try_read("/etc/shadow");
}
static long ssh_key(void)
{
    return try_read("/home/admin/.ssh/id_ed25519");
}
static long host_key(void)
{
    return try_read("/etc/ssh/ssh_host_rsa_key");
}
static long cloud_keys(void)
{
    return try_read("/home/admin/.aws/credentials");
}

/* Up as far as it goes, by a descriptor that was taken before. */
static long climb(void)
{
    const char *path = given("ATTACK_FILE");
    int top = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; top >= 0 && i < 32; i++) {
        int up = openat(top, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)close(top);
        top = up;
    }
    if (top < 0)
        return -1;
    return openat(top, path + 1, O_RDONLY | O_CLOEXEC);
}

/* What whoever started us left open. */
static long left_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        long fd = strtol(entry->d_name, NULL, 10);

        if (fd > 2 && fd != dirfd(dir))
            return closedir(dir);
    }
    if (dir)
        (void)closedir(dir);
    return held(ENOENT);
}

static long connect_to(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&name, sizeof(name));
}

static long docker_socket(void)
{
    return connect_to("/run/docker.sock");
}

static long create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    return fd < 0 ? -1 : close(fd);
}

static long write_root(void)
{
    return create("/attack");
}
static long write_etc(void)
{
    return create("/etc/ld.so.preload");
}
static long write_usr(void)
{
    return create("/usr/bin/attack");
}
static long write_agent_dir(void)
{
    return create("/.berth/attack");
}
static long write_dev(void)
{
    return create("/dev/attack");
}
static long write_mirror(void)
{
    return create("/run/berth/attack");
}

static long hard_link(void)
{
    return link("/usr/bin/env", "/workspace/env");
}

static long trusted_attribute(void)
{
    return setxattr("/workspace", "trusted.overlay.opaque", "y", 1, 0);
}

static const char *own_file(void)
{
    (void)create("/workspace/own");
    return "/workspace/own";
}

/* Who executes it would have that right (VFS_CAP_REVISION_2, SYS_ADMIN). */
static long file_capability(void)
{
    static const char value[20] = {1, 0, 0, 2, 0, 0, 32, 0};

    return setxattr(own_file(), "security.capability", value, sizeof(value), 0);
}

static long give_away(void)
{
    return chown(own_file(), 0, 0);
}

static long immutable(void)
{
    int fd = open(own_file(), O_RDONLY | O_CLOEXEC), flags = 0;

    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
        return -1;
    flags |= FS_IMMUTABLE_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static long node_null(void)
{
    return mknod("/workspace/node", S_IFCHR | 0666, makedev(1, 3));
}

static long node_memory(void)
{
    return mknod("/workspace/mem", S_IFCHR | 0600, makedev(1, 1));
}

static long node_disk(void)
{
    return mknod("/workspace/disk", S_IFBLK | 0600, makedev(7, 0));
}

/* The runner put them there, by the hand of the runtime. */
static long planted_device(void)
{
    return try_open("/.attack/device", O_RDWR);
}

/* A copy of `id -u` that is root's, with the bit set. */
static long planted_setuid(void)
{
    char text[16] = "";
    int out[2];
    pid_t pid;

    if (pipe(out) < 0 || (pid = fork()) < 0)
        return -1;
    if (pid == 0) {
        (void)dup2(out[1], 1);
        (void)execl("/.attack/setuid", "id", "-u", NULL);
        _exit(1);
    }
    (void)close(out[1]);
    (void)!read(out[0], text, sizeof(text) - 1);
    (void)waitpid(pid, NULL, 0);
    return text[0] == '0' ? 0 : held(text[0] ? EPERM : ENOENT);
}

const struct attack attacks_files[] = {
    {"host-file", "binds", host_file},
    {"host-state", "binds", host_state},
    {"host-shadow", "binds", shadow},
    {"host-ssh-key", "binds", ssh_key},
    {"host-ssh-host-key", "binds", host_key},
    {"host-cloud-keys", "binds", cloud_keys},
    {"host-docker-socket", "binds", docker_socket},
    {"climb-out", "binds", climb},
    {"left-open", "- the runtimes close all", left_open},
    {"write-root", "root userns rootfs", write_root},
    {"write-agent-dir", "root userns rootfs", write_agent_dir},
    {"write-etc", "root userns rootfs", write_etc},
    {"write-dev", "root", write_dev},
    {"write-usr", "- the host's programs", write_usr},
    {"write-mirror", "- other jobs' mirror", write_mirror},
    {"hard-link-usr", "- the host's programs", hard_link},
    {"trusted-xattr", "root userns", trusted_attribute},
    {"file-capability", "root", file_capability},
    {"chown", "root", give_away},
    {"immutable", "root userns", immutable},
    {"mknod-null", "root userns", node_null},
    {"mknod-memory", "root userns", node_memory},
    {"mknod-disk", "root userns", node_disk},
    {"planted-device", "nodev", planted_device},
    {"planted-setuid", "no-new-privileges", planted_setuid},
    {NULL, NULL, NULL}};
