/* tests/security/devices.c - devices of the host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE(name, path, how)                                                \
    static long name(void)                                                     \
    {                                                                          \
        return try_open(path, how);                                            \
    }

DEVICE(memory, "/dev/mem", O_RDONLY)
DEVICE(messages, "/dev/kmsg", O_RDONLY)
DEVICE(disk, "/dev/loop0", O_RDONLY)
DEVICE(loops, "/dev/loop-control", O_RDONLY)
DEVICE(kvm, "/dev/kvm", O_RDWR)
DEVICE(fuse, "/dev/fuse", O_RDWR)
DEVICE(tunnel, "/dev/net/tun", O_RDWR)
DEVICE(console, "/dev/tty0", O_RDWR)
DEVICE(latency, "/dev/cpu_dma_latency", O_RDONLY)
DEVICE(terminal, "/dev/tty", O_RDWR)

/* To the terminal that berth runs in, if it were ours. */
static long push_input(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char byte = 'x';

    if (fd < 0)
        fd = 0;
    return ioctl(fd, TIOCSTI, &byte);
}

/* Terminals are numbered per instance of devpts. */
static long other_terminal(void)
{
    return try_open("/dev/pts/0", O_RDWR);
}

const struct attack attacks_devices[] = {
    {"device-memory", "devices root userns", memory},
    {"device-kmsg", "devices root userns", messages},
    {"device-disk", "devices root userns", disk},
    {"device-loop-control", "devices root userns", loops},
    {"device-kvm", "devices root userns", kvm},
    {"device-fuse", "devices root userns", fuse},
    {"device-tun", "devices root userns", tunnel},
    {"device-console", "devices root userns", console},
    {"device-latency", "devices root userns", latency},
    {"device-terminal", "- a job has none", terminal},
    {"terminal-input", "- a job has none", push_input},
    {"terminal-other", "- the host's terminals", other_terminal},
    {NULL, NULL, NULL}};
