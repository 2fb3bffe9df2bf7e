/* worker/sandbox/oci.h - a sandbox and its drivers' parts, for them alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_OCI_H
#define WORKER_SANDBOX_OCI_H

#include "worker/sandbox/cgroup.h"
#include "worker/sandbox/network.h"
#include "worker/sandbox/runtime.h"
#include "worker/sandbox/session.h"

/*
 * What is different between the drivers: how pid 1 comes to be inside. All
 * else is oci.c's, for both.
 */
struct backend {
    /* Refuse what it cannot do, before anything is made. */
    int (*check)(const struct sandbox_spec *spec, struct err *err);
    /* Set sb->program; we are in mounts of our own already. */
    int (*find)(struct sandbox *sb, const struct sandbox_spec *spec,
                struct err *err);
    /* Make the limits, and add those that are not enforced; there is a disk. */
    int (*limit)(struct sandbox *sb, const struct sandbox_spec *spec,
                 struct err *err);
    /* Write what the runtime reads, and its command line if it is no OCI
     * runtime. */
    int (*describe)(struct sandbox *sb, struct strv *out_command,
                    struct err *err);
    /* What is to be done from outside once there is pid 1; NULL: nothing. */
    int (*adopt)(struct sandbox *sb, pid_t pid, struct err *err);
    int64_t boot_ms;
    int64_t stop_ms; /* what the runtime may take to clean up */
};

extern const struct backend backend_docker;
/* sandbox_driver.sweep */
int docker_sweep(const char *state_dir, unsigned *out_swept, struct err *err);

struct sandbox {
    const struct backend *backend;
    struct loop *loop; /* borrowed */
    char *id;          /* owned, like all strings here */
    char *image;
    char *program;
    char *state_dir;
    char *dir; /* <state_dir>/<id> */
    char *run; /* dir/run: a tmpfs */
    char *disk;
    char *workspace;
    char *unenforced;
    char *docker_socket; /* NULL: not of docker */
    char *image_dir;     /* where fetched images are; NULL: nowhere */
    char *mounted;       /* tree of one that was fetched, or NULL */
    int lock;            /* on dir */
    bool rootless;
    bool paused;
    bool begun; /* start was called */
    bool up;    /* it has started */
    enum sandbox_network wants;
    unsigned pids;
    unsigned cpu_millis;
    uint64_t memory_bytes;
    struct strv binds;         /* host path, path inside, … */
    struct strv late;          /* the same, for rootfs_bind_late() */
    struct dirs *dirs;         /* owned */
    struct cgroup *cgroup;     /* owned; NULL: rootless */
    struct fetching *fetching; /* owned; NULL but for such images */
    struct runtime *runtime;   /* owned; NULL before start */
    struct session *session;   /* the same */
    struct network *network;   /* the same; NULL without */
    struct loop_source *timer; /* borrowed from the loop */
    int64_t boot_until_ms;
    sandbox_started_fn *started; /* NULL once called */
    sandbox_lost_fn *lost;       /* the same */
    void *arg;
    struct err last; /* why the agent is gone */
};

/* oci_use.c: the functions of the driver table, between create and destroy. */
int oci_push_layers(struct sandbox *sb, enum sandbox_dir dir,
                    const char *const *lowers, size_t count, struct err *err);
int oci_frozen(const struct sandbox *sb, enum sandbox_dir dir);
int oci_reset_dir(struct sandbox *sb, enum sandbox_dir dir, struct err *err);
int oci_listen(struct sandbox *sb, uint16_t port, int *out_fd, struct err *err);
int oci_exec(struct sandbox *sb, const struct sandbox_exec *exec,
             uint32_t *out_id, struct err *err);
void oci_kill(struct sandbox *sb, uint32_t id, int signo);
size_t oci_commands(struct sandbox *sb, struct sandbox_command *out,
                    size_t max);
void oci_kill_all(struct sandbox *sb, int signo);
void oci_pause_output(struct sandbox *sb, bool paused);
int oci_write_file(struct sandbox *sb, const char *path, const void *data,
                   size_t len, unsigned mode, sandbox_file_fn *done, void *arg,
                   struct err *err);
int oci_read_file(struct sandbox *sb, const char *path, size_t max_bytes,
                  sandbox_file_fn *done, void *arg, struct err *err);
int oci_put_tree(struct sandbox *sb, const char *host_dir, const char *path,
                 sandbox_file_fn *done, void *arg, struct err *err);
int oci_get_tree(struct sandbox *sb, const struct sandbox_tree *tree,
                 sandbox_file_fn *done, void *arg, struct err *err);
int oci_list(struct sandbox *sb, const char *path, sandbox_list_fn *done,
             void *arg, struct err *err);
int oci_clear(struct sandbox *sb, const char *path, sandbox_file_fn *done,
              void *arg, struct err *err);
void oci_stop_files(struct sandbox *sb);
int oci_connect(struct sandbox *sb, const struct sandbox_connection *connection,
                uint32_t *out_id, struct err *err);
void oci_send(struct sandbox *sb, uint32_t id, const void *data, size_t len);
void oci_taken(struct sandbox *sb, uint32_t id, size_t len);
void oci_disconnect(struct sandbox *sb, uint32_t id);
int oci_pause(struct sandbox *sb, bool paused, struct err *err);
void oci_usage(struct sandbox *sb, struct sandbox_usage *out);

#endif
