/* worker/sandbox/agent/drop.c - what privileges are given up, and when. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/agent/agent.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_BIT(c) (1u << (c))
#define LAST_CAP   63

void drop_at_start(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};

    /* Nobody inside may open /proc/1/fd or our memory, whatever its uid. */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        agent_die("cannot become undumpable");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        agent_die("cannot set no_new_privs");
    /* Rootless there is one uid, and no capability to give up. */
    if (getuid() != 0)
        return;
    for (int cap = 0; cap <= LAST_CAP; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    data[0].effective = data[0].permitted =
        CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_KILL);
    if (syscall(SYS_capset, &header, data) < 0)
        agent_die("cannot drop capabilities");
    if (prctl(PR_CAPBSET_READ, CAP_KILL, 0, 0, 0) != 0)
        agent_die("cannot empty the bounding set");
}

/* Commands are to be the kernel's choice when memory runs out, not we. */
static void volunteer_for_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)!write(fd, "500", 3);
    (void)close(fd);
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};

    return syscall(SYS_capset, &header, data) == 0;
}

bool drop_in_child(bool as_root)
{
    volunteer_for_oom();
    if (getuid() != 0)
        return true;
    if (setgroups(0, NULL) < 0)
        return false;
    if (!as_root && (setresgid(AGENT_USER, AGENT_USER, AGENT_USER) < 0 ||
                     setresuid(AGENT_USER, AGENT_USER, AGENT_USER) < 0))
        return false;
    return drop_capabilities();
}

bool child_stdio(int in, int out, int err)
{
    sigset_t none;
    int fds[3] = {in, out, err};

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setsid();
    (void)umask(022);
    for (int i = 0; i < 3; i++)
        fds[i] = fcntl(fds[i], F_DUPFD, 100);
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) < 0)
            return false;
    return close_range(3, ~0U, 0) == 0;
}
