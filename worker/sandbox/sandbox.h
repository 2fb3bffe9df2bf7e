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

enum sandbox_network {
    SANDBOX_NETWORK_NONE,
    SANDBOX_NETWORK_HOSTS, /* only what listen() gives: a gateway outside */
    SANDBOX_NETWORK_FULL,
};

/** All borrowed, for the duration of create. */
struct sandbox_spec {
    const char *id;        /* job id + epoch: [a-z0-9-], at most 96 bytes */
    const char *state_dir; /* <state>/sandboxes: one directory a sandbox */
    const char *image;     /* "host", or the absolute path of a rootfs, which
                              image.h looks at; docker: "docker://NAME". oci: also
                              that, and     "oci:DIR[:TAG]": fetched by start */
    const char *image_dir; /* where those are kept; NULL: there are none */
    const char *runtime;   /* a path or name: crun, runc, runsc; NULL: find.
                              docker: a name that the engine knows */
    const char *docker_socket; /* docker: NULL: /run/docker.sock */
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
    bool timed_out;      /* killed at sandbox_exec.timeout_ms */
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
    const void *input;       /* stdin; NULL: /dev/null */
    size_t input_len;        /* 16 MiB at most */
    uint32_t timeout_ms;     /* then it is killed from inside; 0: never */
    bool as_root; /* uid 0 of the sandbox: for our own housekeeping only */
    /*
     * When a command ends, whatever runs and is no descendant of another that
     * still runs is killed, unless this is set: then it lives on.
     */
    bool keep_background;
    sandbox_output_fn *on_output; /* NULL: to /dev/null */
    sandbox_exit_fn *on_exit;
    void *arg;
};

/** A command that has not ended. */
struct sandbox_command {
    uint32_t id;
    const char *program; /* argv[0]; borrowed until the loop turns */
    int64_t started_mono_ms;
};

/** `err` NULL: it worked. `data` only for read_file; borrowed. */
typedef void sandbox_file_fn(void *arg, const void *data, size_t len,
                             const struct err *err);

/** What a directory holds. */
struct sandbox_entry {
    const char *name; /* a stranger's bytes, no '/' in them */
    enum { SANDBOX_FILE, SANDBOX_DIR, SANDBOX_LINK, SANDBOX_OTHER } type;
    unsigned mode;       /* permissions */
    uint64_t size_bytes; /* of a file */
    int64_t changed_ms;  /* since 1970, by the clock of the sandbox' kernel */
};
/** By name; all borrowed. `err` as above. */
typedef void sandbox_list_fn(void *arg, const struct sandbox_entry *entries,
                             size_t count, const struct err *err);

/** What get_tree is to bring out; all borrowed until it is done. */
struct sandbox_tree {
    const char *path;     /* of a directory, inside */
    const char *host_dir; /* exists, is empty, and ours alone */
    /*
     * base/glob.h, NULL at its end, below `path`: only regular files that fit,
     * or lie in a directory that does. NULL: all, with links and directories.
     */
    const char *const *patterns;
    uint64_t max_bytes; /* of all files together */
    uint32_t max_entries;
    /* Called for each file and link once it is whole; may be NULL. */
    void (*on_entry)(void *arg, const char *path, uint64_t size_bytes);
    void *arg; /* for on_entry */
};

/** A TCP connection to what listens on the loopback inside. */
struct sandbox_connection {
    unsigned port; /* 1 to 65535 */
    void (*on_open)(void *arg);
    /** Bytes from inside; say by taken() when they are dealt with. */
    void (*on_data)(void *arg, const void *data, size_t len);
    /** `unsent` bytes of what was given to send() are still under way. */
    void (*on_sent)(void *arg, size_t unsent);
    /** Last callback: it ended, or (`err`) could not be made or broke. */
    void (*on_closed)(void *arg, const struct err *err);
    void *arg;
};

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

/** The directories that can be made of layers. */
enum sandbox_dir {
    SANDBOX_WORKSPACE, /* /workspace */
    SANDBOX_HOME       /* the home directory of its user */
};
#define SANDBOX_DIRS 2

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
     * Put `count` directories of the host, the topmost first, over what a
     * directory of the sandbox shows, and over them a new one that takes what
     * is written from now on: the layers stay as they are, must not change or
     * go away before destroy, and belong to host_uid(). With none, what was
     * written before is frozen. Before start, or while nothing runs inside.
     * ERR_TRANSIENT: this host cannot (an ordinary user, no overlayfs); all is
     * as it was. Some milliseconds. NULL here, and frozen, too: the driver has
     * no layers.
     */
    int (*push_layers)(struct sandbox *sandbox, enum sandbox_dir dir,
                       const char *const *lowers, size_t count,
                       struct err *err);
    /**
     * What was written between the last two pushes, or before the only one:
     * an O_PATH descriptor of a directory that does not change, borrowed; -1
     * before the first.
     */
    int (*frozen)(const struct sandbox *sandbox, enum sandbox_dir dir);
    /** Without layers again, and empty; before the first command.
     * ERR_TRANSIENT.
     */
    int (*reset_dir)(struct sandbox *sandbox, enum sandbox_dir dir,
                     struct err *err);

    /**
     * Bind a directory or file of the host read-only at `inside`, a plain
     * absolute path outside /usr, /etc, /proc, /dev and their like, and the
     * directories that can have layers. After start only below SANDBOX_LATE
     * (not with docker). ERR_USER for another path.
     */
    int (*bind_readonly)(struct sandbox *sandbox, const char *host_path,
                         const char *inside, struct err *err);

    /** Boot the agent; once. `started` when it answers, or why not. */
    int (*start)(struct sandbox *sandbox, sandbox_started_fn *started,
                 sandbox_lost_fn *lost, void *arg, struct err *err);

    /**
     * A listening TCP socket at 127.0.0.1:`port` inside, the caller's, whose
     * connections are thus made inside and taken outside; once it runs.
     * Commands cannot listen at ports below 1024. Blocks some milliseconds.
     * ERR_TRANSIENT. NULL here: the driver cannot, so that it has no
     * SANDBOX_NETWORK_HOSTS either.
     */
    int (*listen)(struct sandbox *sandbox, uint16_t port, int *out_fd,
                  struct err *err);

    /**
     * Start a command; it leads its own session. Not idempotent. Output that is
     * not taken holds the command back (see pause_output), never the agent.
     * `*out_id` names it in kill.
     */
    int (*exec)(struct sandbox *sandbox, const struct sandbox_exec *exec,
                uint32_t *out_id, struct err *err);
    /** Signal a command, its session and its descendants. Idempotent. */
    void (*kill)(struct sandbox *sandbox, uint32_t id, int signo);
    /** Those that were started and have not ended, at most `max`. */
    size_t (*commands)(struct sandbox *sandbox,
                       struct sandbox_command *out_commands, size_t max);
    /**
     * Signal everything the sandbox's user runs, not only the commands: a
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
     * `path` absolute, inside; at most 16 MiB. Done inside by the agent, as
     * all of the following: what lies in the workspace, the home or a /tmp is
     * looked up beneath it, and a link that leads out of it is refused,
     * whoever made it and when. Idempotent.
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

    /**
     * Copy a directory out; ERR_USER when it exceeds the limits or changes
     * while it is read. What was written by then stays.
     */
    int (*get_tree)(struct sandbox *sandbox, const struct sandbox_tree *tree,
                    sandbox_file_fn *done, void *arg, struct err *err);
    /** Look into a directory; ERR_USER above 10,000 names. */
    int (*list)(struct sandbox *sandbox, const char *path,
                sandbox_list_fn *done, void *arg, struct err *err);
    /** Remove all that is in a directory, as the sandbox's user. */
    int (*clear)(struct sandbox *sandbox, const char *path,
                 sandbox_file_fn *done, void *arg, struct err *err);

    /** Give up all file operations: each ends, with ERR_USER, soon. */
    void (*stop_files)(struct sandbox *sandbox);

    /**
     * Connect to a port inside; no network path is opened for it. 16 at a
     * time. `*out_id` names it in the following, which are no-ops for one that
     * is closed.
     */
    int (*connect)(struct sandbox *sandbox,
                   const struct sandbox_connection *connection,
                   uint32_t *out_id, struct err *err);
    /** Send bytes, copied; with `data` NULL: no more will come. */
    void (*send)(struct sandbox *sandbox, uint32_t id, const void *data,
                 size_t len);
    /** `len` bytes of on_data are dealt with: as many more may come. */
    void (*taken)(struct sandbox *sandbox, uint32_t id, size_t len);
    /** Close it; no callback comes any more. */
    void (*disconnect)(struct sandbox *sandbox, uint32_t id);

    /**
     * Freeze all processes inside, or let them go on; blocks some
     * milliseconds. Nothing answers meanwhile, time-outs run on. Idempotent.
     * ERR_TRANSIENT where there is no freezer (an ordinary user's sandbox).
     */
    int (*pause)(struct sandbox *sandbox, bool paused, struct err *err);

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
/**
 * The Docker Engine of this host, by libexec/berth/docker-client. Its images
 * are "docker://NAME", which it fetches when it lacks them; disk, network and
 * agent are the same as with sandbox_oci, and so are the uids, which the engine
 * has to be set up for (userns-remap). For root alone.
 */
extern const struct sandbox_driver sandbox_docker;

#endif
