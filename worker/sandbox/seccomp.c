/* worker/sandbox/seccomp.c - the system calls that a sandbox may make. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/seccomp.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>

/*
 * After the default profile of Docker, without what makes namespaces, mounts,
 * keys, traces, rings or programs in the kernel, whatever the capabilities.
 * One line a family; names that this architecture lacks are skipped by the
 * runtime.
 */
static const char allowed[] =
    "access faccessat faccessat2 open openat openat2 creat close close_range "
    "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 "
    "lseek _llseek readahead sendfile sendfile64 splice tee vmsplice "
    "copy_file_range "
    "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat oldfstat "
    "oldlstat oldstat statx statfs statfs64 fstatfs fstatfs64 ustat "
    "getdents getdents64 readdir readlink readlinkat getcwd chdir fchdir "
    "mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 "
    "link linkat symlink symlinkat mknod mknodat "
    "chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat "
    "lchown lchown32 umask utime utimes utimensat utimensat_time64 futimesat "
    "truncate truncate64 ftruncate ftruncate64 fallocate "
    "fadvise64 fadvise64_64 sync syncfs fsync fdatasync sync_file_range "
    "sync_file_range2 cachestat "
    "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr "
    "llistxattr flistxattr removexattr lremovexattr fremovexattr "
    "dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2 "
    "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 "
    "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait "
    "epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd "
    "signalfd4 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
    "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents "
    "io_pgetevents_time64 ioprio_get ioprio_set "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
    "timerfd_settime64 timer_create timer_delete timer_getoverrun "
    "timer_gettime timer_gettime64 timer_settime timer_settime64 alarm "
    "getitimer setitimer nanosleep clock_nanosleep clock_nanosleep_time64 "
    "clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "gettimeofday time times pause "
    "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 "
    "mlockall munlock munlockall remap_file_pages membarrier memfd_create "
    "memfd_secret pkey_alloc pkey_free pkey_mprotect process_mrelease "
    "map_shadow_stack mseal "
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid "
    "kill tkill tgkill getpid getppid gettid getpgid getpgrp getsid setpgid "
    "setsid pidfd_open pidfd_send_signal "
    "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
    "rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sigaction sigaltstack signal sigpending sigprocmask sigreturn sigsuspend "
    "restart_syscall "
    "futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue "
    "get_robust_list set_robust_list set_tid_address rseq "
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr "
    "sched_setattr sched_getparam sched_setparam sched_getscheduler "
    "sched_setscheduler sched_get_priority_max sched_get_priority_min "
    "sched_rr_get_interval sched_rr_get_interval_time64 getpriority "
    "setpriority nice getcpu "
    "getrlimit ugetrlimit setrlimit prlimit64 getrusage sysinfo uname "
    "getrandom arch_prctl prctl modify_ldt get_thread_area set_thread_area "
    "set_tls cacheflush breakpoint seccomp landlock_create_ruleset "
    "landlock_add_rule landlock_restrict_self "
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 "
    "getresuid getresuid32 getresgid getresgid32 getgroups getgroups32 "
    "setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 "
    "setresuid setresuid32 setresgid setresgid32 setgroups setgroups32 "
    "setfsuid setfsuid32 setfsgid setfsgid32 capget capset "
    "socketcall socketpair bind listen accept accept4 connect getsockname "
    "getpeername getsockopt setsockopt shutdown send sendto sendmsg sendmmsg "
    "recv recvfrom recvmsg recvmmsg recvmmsg_time64 "
    "ipc shmget shmat shmctl shmdt semget semop semctl semtimedop "
    "semtimedop_time64 msgget msgsnd msgrcv msgctl mq_open mq_unlink "
    "mq_timedsend mq_timedsend_time64 mq_timedreceive "
    "mq_timedreceive_time64 mq_notify mq_getsetattr "
    "statmount listmount lsm_get_self_attr lsm_list_modules";

/* Known and refused: a program is told so instead of "no such call". */
static const char refused[] =
    "mount umount umount2 pivot_root chroot unshare setns move_mount "
    "open_tree fsopen fsconfig fsmount fspick mount_setattr swapon swapoff "
    "quotactl quotactl_fd nfsservctl vhangup acct "
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd "
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter "
    "io_uring_register fanotify_init fanotify_mark lookup_dcookie "
    "add_key keyctl request_key "
    "open_by_handle_at name_to_handle_at "
    "init_module finit_module delete_module create_module query_module "
    "get_kernel_syms kexec_load kexec_file_load reboot syslog sysfs _sysctl "
    "iopl ioperm vm86 vm86old uselib "
    "settimeofday stime clock_settime clock_settime64 clock_adjtime "
    "clock_adjtime64 adjtimex sethostname setdomainname "
    "get_mempolicy set_mempolicy set_mempolicy_home_node mbind migrate_pages "
    "move_pages process_madvise";

static const json_int_t namespaces[] = {
    CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
    CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP,
};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
/* Linux, 32-bit, and asking which; as Docker has them. */
static const json_int_t personalities[] = {PER_LINUX, PER_LINUX32, UNAME26,
                                           UNAME26 | PER_LINUX32, 0xffffffff};

static json_t *names_of(const char *words)
{
    json_t *names = json_array();
    CLEANUP(mem) char *copy = xstrdup(words);
    char *save = NULL;

    for (char *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        json_array_append_new(names, json_string(word));
    return names;
}

static json_t *refuse(const char *words, int error)
{
    return json_pack("{s:o, s:s, s:i}", "names", names_of(words), "action",
                     "SCMP_ACT_ERRNO", "errnoRet", error);
}

/* Argument `index` of one call; `value` is the mask of a masked comparison. */
static json_t *rule(const char *name, const char *op, json_int_t value,
                    json_int_t second, int error)
{
    json_t *call =
        json_pack("{s:[s], s:s, s:[{s:i, s:I, s:I, s:s}]}", "names", name,
                  "action", error ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW", "args",
                  "index", 0, "value", value, "valueTwo", second, "op", op);

    if (error)
        json_object_set_new(call, "errnoRet", json_integer(error));
    return call;
}

static void add_conditional(json_t *calls)
{
    json_int_t all = 0;

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        all |= namespaces[i];
        json_array_append_new(calls, rule("clone", "SCMP_CMP_MASKED_EQ",
                                          namespaces[i], namespaces[i], EPERM));
    }
    json_array_append_new(calls,
                          rule("clone", "SCMP_CMP_MASKED_EQ", all, 0, 0));
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        json_array_append_new(calls,
                              rule("socket", "SCMP_CMP_EQ", families[i], 0, 0));
    json_array_append_new(
        calls, rule("socket", "SCMP_CMP_GT", AF_NETLINK, 0, EAFNOSUPPORT));
    for (size_t i = 0; i < ARRAY_LEN(personalities); i++)
        json_array_append_new(
            calls, rule("personality", "SCMP_CMP_EQ", personalities[i], 0, 0));
}

json_t *seccomp_profile(void)
{
    json_t *calls = json_array();

    json_array_append_new(calls,
                          json_pack("{s:o, s:s}", "names", names_of(allowed),
                                    "action", "SCMP_ACT_ALLOW"));
    json_array_append_new(calls, refuse(refused, EPERM));
    add_conditional(calls);
    return json_pack("{s:s, s:i, s:o}", "defaultAction", "SCMP_ACT_ERRNO",
                     "defaultErrnoRet", ENOSYS, "syscalls", calls);
}
