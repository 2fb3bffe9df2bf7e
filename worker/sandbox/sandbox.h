/* worker/sandbox/sandbox.h - the driver table of sandboxes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_SANDBOX_H
#define WORKER_SANDBOX_SANDBOX_H

#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A sandbox is one job's disposable machine: a file system with a workspace,
 * limits, and an agent of ours as pid 1 that starts what it is asked to. It is
 * driven by one process, in one poll loop, and dies with that process.
 *
 *   create ─▶ (write into host_workspace) ─▶ start ─▶ exec … ─▶ destroy
 *
 * Nothing here is thread-safe. All callbacks come from the loop, never from
 * inside a call, and none comes after destroy.
 */
struct sandbox;

enum sandbox_network { SANDBOX_NETWORK_NONE, SANDBOX_NETWORK_FULL };

/** All borrowed, for the duration of create. */
struct sandbox_spec {
    const char *id;        /* job id + epoch: [a-z0-9-], at most 96 bytes */
    const char *state_dir; /* <state>/sandboxes: one directory a sandbox */
    const char *image;     /* "host", or the absolute path of a rootfs, which
                              image.h looks at */
    const char *runtime;   /* a path or name: crun, runc, runsc; NULL: find */
    enum sandbox_network network;
    unsigned cpu_millis; /* 1000 = one vCPU */
    uint64_t memory_bytes;
    uint64_t disk_bytes;
    unsigned pids;
    /* A directory of ours alone, for empty disks of this size to copy, which is
     * faster than to make one; NULL: for a size that is seldom used. */
    const char *disk_templates;
};

/**
 * How a command ended. As a shell has it, 127 is a program that does not exist
 * and 126 one (or a cwd) that cannot be used, with a line on stderr that says
 * why; 126 also when the pids limit leaves no process for it.
 */
struct sandbox_exit {
    int code;            /* exit code, or -1 when killed by a signal */
    int signal;          /* the signal, or 0 */
    int64_t cpu_ms;      /* user + system of it and its reaped children */
    uint64_t peak_bytes; /* its largest resident set */
};

enum sandbox_stream { SANDBOX_STDOUT = 1, SANDBOX_STDERR = 2 };

typedef void sandbox_output_fn(void *arg, enum sandbox_stream stream,
                               const void *data, size_t len);
/**
 * Last callback of an exec: its main process is gone, and its output is read
 * to the end or, where others hold it open, as far as it was written within one
 * second more.
 */
typedef void sandbox_exit_fn(void *arg, const struct sandbox_exit *exit);

/** All borrowed, for the duration of the call. */
struct sandbox_exec {
    const char *const *argv; /* argv[0] is searched in the sandbox's PATH */
    const char *const *env;  /* the whole environment, NAME=value */
    const char *cwd;         /* absolute, inside */
    bool as_root; /* uid 0 of the sandbox: for our own housekeeping only */
    /*
     * When the last running command ends, whatever it left running is killed,
     * unless this is set: then it lives on, for later commands to use.
     */
    bool keep_background;
    sandbox_output_fn *on_output; /* NULL: to /dev/null */
    sandbox_exit_fn *on_exit;
    void *arg;
};

/** `err` NULL: it worked. `data` only for read_file; borrowed. */
typedef void sandbox_file_fn(void *arg, const void *data, size_t len,
                             const struct err *err);
/**
 * The sandbox is gone unasked: its runtime, agent or network died, or the
 * agent broke the protocol. Called once; commands and file operations under
 * way get no callback after it. Only destroy makes sense then.
 */
typedef void sandbox_lost_fn(void *arg, const struct err *err);
typedef void sandbox_started_fn(void *arg, const struct err *err);

/** What the sandbox used and ran into so far. */
struct sandbox_usage {
    uint64_t memory_peak_bytes; /* 0: not known */
    int64_t cpu_ms;             /* -1: not known */
    unsigned oom_kills;         /* grows; compare before and after */
    bool disk_full; /* fewer than 1 % of the blocks or inodes are left */
};

/** A directory inside for what is ours, and may come when it runs already. */
#define SANDBOX_LATE "/run/berth"

struct sandbox_driver {
    const char *name;

    /**
     * Prepare everything but processes: directory, disk, limits. The first
     * one gives the calling process, which must have one thread, mounts of
     * its own (and an ordinary user's a user namespace): they die with it.
     * `state_dir` and all above it must let everybody through (o+x).
     * Blocks for some tens of milliseconds. Two with one id at a time: the
     * second gets ERR_TRANSIENT. Nothing is left behind on failure.
     * ERR_USER: the image does not exist or may not be one; ERR_TRANSIENT: the
     * host cannot (the message says what to install or allow).
     */
    int (*create)(const struct sandbox_spec *spec, struct loop *loop,
                  struct sandbox **out_sandbox, struct err *err);

    /**
     * The workspace as a path on the host, owned by host_uid(), until the first
     * command; what is written there, or mounted on it, is /workspace inside.
     * Borrowed.
     */
    const char *(*host_workspace)(const struct sandbox *sandbox);
    /**
     * Uid (and gid) on the host of the sandbox's user (1000 inside): our own
     * where an ordinary user runs us (whoever writes the workspace then stays
     * who he is), else one that no user of the host has.
     */
    unsigned (*host_uid)(const struct sandbox *sandbox);
    /** Limits that this host cannot enforce, as "memory, cpu"; "" if none. */
    const char *(*unenforced)(const struct sandbox *sandbox);

    /**
     * Bind a directory or file of the host read-only at `inside`, a plain
     * absolute path outside /usr, /etc, /proc, /dev and their like. After
     * start only below SANDBOX_LATE. ERR_USER for another path.
     */
    int (*bind_readonly)(struct sandbox *sandbox, const char *host_path,
                         const char *inside, struct err *err);

    /** Boot the agent; once. `started` when it answers, or why not. */
    int (*start)(struct sandbox *sandbox, sandbox_started_fn *started,
                 sandbox_lost_fn *lost, void *arg, struct err *err);

    /**
     * Start a command; stdin is /dev/null, it leads its own session. Not
     * idempotent. Output that is not taken holds the command back (see
     * pause_output), never the agent. `*out_id` names it in kill.
     */
    int (*exec)(struct sandbox *sandbox, const struct sandbox_exec *exec,
                uint32_t *out_id, struct err *err);
    /**
     * Signal everything the sandbox's user runs, not only the command: a
     * child that left its session gets it too. Idempotent.
     */
    void (*kill_all)(struct sandbox *sandbox, int signo);
    /**
     * Stop or go on taking output: back-pressure on all commands. What is on
     * its way (some 400 KiB) still comes. While it is paused a command that
     * wrote more has no end: its on_exit comes after it is taken again.
     */
    void (*pause_output)(struct sandbox *sandbox, bool paused);

    /**
     * Create or replace a file, as the sandbox's user, its parents made;
     * `path` absolute, inside; at most 16 MiB. Done inside by the agent: a
     * hostile symbolic link leads nowhere but inside. Idempotent.
     */
    int (*write_file)(struct sandbox *sandbox, const char *path,
                      const void *data, size_t len, unsigned mode,
                      sandbox_file_fn *done, void *arg, struct err *err);
    /** Read a regular file; ERR_USER above `max_bytes` (16 MiB at most). */
    int (*read_file)(struct sandbox *sandbox, const char *path,
                     size_t max_bytes, sandbox_file_fn *done, void *arg,
                     struct err *err);
    /**
     * Copy a directory of the host (ours, not a stranger's while copying)
     * over `path` inside, as the sandbox's user. Idempotent.
     */
    int (*put_tree)(struct sandbox *sandbox, const char *host_dir,
                    const char *path, sandbox_file_fn *done, void *arg,
                    struct err *err);

    /** Read counters; cheap, never fails: unknown ones say so. */
    void (*usage)(struct sandbox *sandbox, struct sandbox_usage *out_usage);

    /**
     * Kill all inside and remove every process, mount, cgroup, loop device
     * and directory; blocks some milliseconds, 10 s at most. Frees `sandbox`
     * whatever it returns; -1 says what was left for sweep. NULL is fine.
     */
    int (*destroy)(struct sandbox *sandbox, struct err *err);

    /**
     * Destroy all sandboxes below `state_dir` whose process is dead (their
     * lock is free). Idempotent, safe beside live ones. Counts them.
     */
    int (*sweep)(const char *state_dir, unsigned *out_swept, struct err *err);
};

/** crun or runc (or what `runtime` names) with a bundle of ours. */
extern const struct sandbox_driver sandbox_oci;

#endif
