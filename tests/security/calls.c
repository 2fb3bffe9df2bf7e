/* tests/security/calls.c - system calls that a sandbox has no business with. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* ---- namespaces --------------------------------------------------------- */

static long unshare_user(void)
{
    return unshare(CLONE_NEWUSER);
}
static long unshare_mount(void)
{
    return unshare(CLONE_NEWNS);
}
static long unshare_net(void)
{
    return unshare(CLONE_NEWNET);
}
static long unshare_pid(void)
{
    return unshare(CLONE_NEWPID);
}

static long reap(long pid)
{
    if (pid == 0)
        _exit(0);
    return pid < 0 ? -1 : waitpid((pid_t)pid, NULL, __WALL);
}

static long clone_user(void)
{
    return reap(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
}

static long clone3_user(void)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};

    return reap(syscall(SYS_clone3, &args, sizeof(args)));
}

static long setns_own(void)
{
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : setns(fd, CLONE_NEWUTS);
}

/* ---- mounts ------------------------------------------------------------- */

static const char *place(void)
{
    (void)mkdir("/tmp/place", 0700);
    return "/tmp/place";
}

static long mount_tmpfs(void)
{
    return mount("none", place(), "tmpfs", 0, "size=4k");
}

/* A /proc without the masks. */
static long mount_proc(void)
{
    return mount("proc", place(), "proc", 0, NULL);
}

/* Only the copy's flag: nothing is written. */
static long remount_usr(void)
{
    if (mount("/usr", place(), NULL, MS_BIND, NULL) < 0)
        return -1;
    return mount(NULL, place(), NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long unmask(void)
{
    return umount2("/proc/interrupts", MNT_DETACH);
}

static long chroot_up(void)
{
    return chroot("/tmp");
}

static long fsopen_tmpfs(void)
{
    return syscall(SYS_fsopen, "tmpfs", 0);
}

static long open_tree_root(void)
{
    return syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1 /* CLONE */);
}

static long mount_cgroup(void)
{
    return mount("none", place(), "cgroup", 0, "none,name=attack");
}

static long swap_on(void)
{
    return swapon("/workspace/none", 0);
}
static long account(void)
{
    return syscall(SYS_acct, "/workspace/none");
}

/* ---- other processes ---------------------------------------------------- */

static char secret[] = "a child's";

static pid_t make_child(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    return pid;
}

static long end_child(pid_t pid, long rc)
{
    int error = errno;

    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    errno = error;
    return rc;
}

static long ptrace_child(void)
{
    pid_t pid = make_child();

    return end_child(pid, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
}

static long vm_read_child(void)
{
    char copy[sizeof(secret)];
    struct iovec to = {copy, sizeof(copy)}, from = {secret, sizeof(secret)};
    pid_t pid = make_child();

    return end_child(pid, process_vm_readv(pid, &to, 1, &from, 1, 0));
}

static long kcmp_child(void)
{
    pid_t pid = make_child();

    return end_child(pid, syscall(SYS_kcmp, getpid(), pid, 1, 0, 0));
}

static long pidfd_getfd_child(void)
{
    pid_t pid = make_child();
    long fd = syscall(SYS_pidfd_open, pid, 0);

    return end_child(pid, fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static long madvise_child(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec where = {page, 4096};
    long self = syscall(SYS_pidfd_open, getpid(), 0);

    return syscall(SYS_process_madvise, self, &where, 1, MADV_COLD, 0);
}

/* ---- parts of the kernel ------------------------------------------------ */

static long bpf_map(void)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long perf_event(void)
{
    struct perf_event_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.size = sizeof(attr);
    attr.type = PERF_TYPE_SOFTWARE;
    attr.config = PERF_COUNT_SW_TASK_CLOCK;
    attr.exclude_kernel = attr.exclude_hv = 1;
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long user_fault(void)
{
    return syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
}

static long io_uring(void)
{
    struct io_uring_params params;

    memset(&params, 0, sizeof(params));
    return syscall(SYS_io_uring_setup, 2, &params);
}

static long key_session(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING,
                   1);
}

static long key_add(void)
{
    return syscall(SYS_add_key, "user", "attack", "x", 1,
                   KEY_SPEC_PROCESS_KEYRING);
}

/* A key that nobody has: whoever is asked says so. */
static long key_request(void)
{
    long rc = syscall(SYS_request_key, "user", "attack-none", NULL, 0);

    return rc < 0 && errno == ENOKEY ? 0 : rc;
}

/* By the door of 32-bit programs: keyctl is 288 there. */
static long ask_compat(void)
{
#ifdef __x86_64__
    long rc = 288;

    __asm__ volatile("int $0x80"
                     : "+a"(rc)
                     : "b"(KEYCTL_GET_KEYRING_ID),
                       "c"(KEY_SPEC_PROCESS_KEYRING), "d"(1)
                     : "memory", "r8", "r9", "r10", "r11");
    return rc < 0 ? held((int)-rc) : 0;
#else
    return held(ENOSYS);
#endif
}

/* And by that of x32. */
static long ask_x32(void)
{
    return syscall(0x40000000 | SYS_keyctl, KEYCTL_GET_KEYRING_ID,
                   KEY_SPEC_PROCESS_KEYRING, 1);
}

/* The filter may kill who comes by these. */
static long key_compat(void)
{
    return in_child(ask_compat);
}

static long key_x32(void)
{
    return in_child(ask_x32);
}

static long fanotify(void)
{
    return syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID,
                   O_RDONLY);
}

static union {
    struct file_handle head;
    char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} handle;

static long handle_name(void)
{
    int mount;

    handle.head.handle_bytes = MAX_HANDLE_SZ;
    return name_to_handle_at(AT_FDCWD, "/workspace", &handle.head, &mount, 0);
}

static long handle_open(void)
{
    int top = open("/workspace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (handle_name() < 0)
        return -1;
    return open_by_handle_at(top, &handle.head, O_RDONLY);
}

static long module_load(void)
{
    return syscall(SYS_init_module, "", 0UL, "");
}

static long kexec(void)
{
    return syscall(SYS_kexec_load, 0L, 0L, 0L, 0L);
}

/* The command that only asks for it, never the one that does it. */
static long restart(void)
{
    return syscall(SYS_reboot, 0xfee1dead, 672274793, 0 /* CAD_OFF */, 0);
}

static long kernel_log(void)
{
    return klogctl(10 /* SIZE */, NULL, 0);
}

static long io_ports(void)
{
#ifdef __x86_64__
    return iopl(3);
#else
    return held(ENOSYS);
#endif
}

static long set_clock(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return syscall(SYS_clock_settime, CLOCK_REALTIME, &now);
}

static long ask_clock(void)
{
    struct timex none;

    memset(&none, 0, sizeof(none));
    return syscall(SYS_adjtimex, &none);
}

static long mem_policy(void)
{
    return syscall(SYS_set_mempolicy, 0, NULL, 0);
}

static long move_page(void)
{
    void *page = secret;
    int status;

    return syscall(SYS_move_pages, 0, 1L, &page, NULL, &status, 0);
}

static long no_randomize(void)
{
    return syscall(SYS_personality, ADDR_NO_RANDOMIZE);
}

static long vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}

const struct attack attacks_calls[] = {
    {"unshare-user", "seccomp userns", unshare_user},
    {"unshare-mount", "root", unshare_mount},
    {"unshare-net", "root", unshare_net},
    {"unshare-pid", "root", unshare_pid},
    {"clone-user", "seccomp userns", clone_user},
    {"clone3-user", "seccomp userns", clone3_user},
    {"setns", "root", setns_own},
    {"mount-tmpfs", "root", mount_tmpfs},
    {"mount-proc", "root masks readonly-paths", mount_proc},
    {"remount-usr-writable", "root userns", remount_usr},
    {"unmask-proc", "root", unmask},
    {"chroot", "root", chroot_up},
    {"fsopen", "root", fsopen_tmpfs},
    {"open-tree", "root", open_tree_root},
    {"mount-cgroup", "root userns", mount_cgroup},
    {"swapon", "- the host's swap", swap_on},
    {"acct", "- the host's accounting", account},
    {"ptrace-child", "seccomp", ptrace_child},
    {"process-vm-readv", "seccomp", vm_read_child},
    {"kcmp", "seccomp", kcmp_child},
    {"pidfd-getfd", "seccomp", pidfd_getfd_child},
    {"process-madvise", "seccomp", madvise_child},
    {"bpf", "root userns", bpf_map},
    {"perf-event", "seccomp", perf_event},
    {"userfaultfd", "seccomp", user_fault},
    {"io-uring", "seccomp", io_uring},
    {"keyctl", "seccomp", key_session},
    {"add-key", "seccomp", key_add},
    {"request-key", "seccomp", key_request},
    {"keyctl-32bit", "seccomp", key_compat},
    {"keyctl-x32", "- kernels have no x32", key_x32},
    {"fanotify", "seccomp", fanotify},
    {"name-to-handle", "seccomp", handle_name},
    {"open-by-handle", "root userns", handle_open},
    {"init-module", "- the host's kernel", module_load},
    {"kexec", "- the host's kernel", kexec},
    {"reboot", "- the host", restart},
    {"kernel-log", "root userns", kernel_log},
    {"io-ports", "root userns", io_ports},
    {"set-clock", "- the host's clock", set_clock},
    {"adjtimex", "seccomp", ask_clock},
    {"set-mempolicy", "seccomp", mem_policy},
    {"move-pages", "seccomp", move_page},
    {"personality", "seccomp", no_randomize},
    {"vsock", "seccomp", vsock},
    {NULL, NULL, NULL}};
