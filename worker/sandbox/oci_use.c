/* worker/sandbox/oci_use.c - what is done with a sandbox that is made. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/dirs.h"
#include "worker/sandbox/disk.h"
#include "worker/sandbox/network.h"
#include "worker/sandbox/oci.h"

#include <string.h>

#define FILE_MAX ((size_t)16 << 20)

int oci_push_layers(struct sandbox *sb, enum sandbox_dir dir,
                    const char *const *lowers, size_t count, struct err *err)
{
    return dirs_push(sb->dirs, dir, lowers, count, err);
}

int oci_frozen(const struct sandbox *sb, enum sandbox_dir dir)
{
    return dirs_frozen(sb->dirs, dir);
}

int oci_reset_dir(struct sandbox *sb, enum sandbox_dir dir, struct err *err)
{
    return dirs_clear(sb->dirs, dir, err);
}

static int check_running(const struct sandbox *sb, struct err *err)
{
    if (!sb->session)
        return err_set(err, ERR_BUG, "the sandbox was not started");
    if (sb->last.kind != ERR_NONE)
        return err_set(err, ERR_TRANSIENT, "%.900s", sb->last.msg);
    return 0;
}

int oci_listen(struct sandbox *sb, uint16_t port, int *out_fd, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return network_listen(runtime_init_pid(sb->runtime), port, out_fd, err);
}

int oci_exec(struct sandbox *sb, const struct sandbox_exec *exec,
             uint32_t *out_id, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return session_exec(sb->session, exec, out_id, err);
}

void oci_kill(struct sandbox *sb, uint32_t id, int signo)
{
    if (sb->session && id)
        session_kill(sb->session, id, signo);
}

size_t oci_commands(struct sandbox *sb, struct sandbox_command *out, size_t max)
{
    return sb->session ? session_commands(sb->session, out, max) : 0;
}

void oci_kill_all(struct sandbox *sb, int signo)
{
    if (sb->session)
        session_kill(sb->session, 0, signo);
}

void oci_pause_output(struct sandbox *sb, bool paused)
{
    if (sb->session)
        session_pause(sb->session, paused);
}

int oci_write_file(struct sandbox *sb, const char *path, const void *data,
                   size_t len, unsigned mode, sandbox_file_fn *done, void *arg,
                   struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    if (len > FILE_MAX)
        return err_set(err, ERR_USER, "'%.200s' is larger than 16 MiB", path);
    if (path[0] != '/' || !path[1] || path[strlen(path) - 1] == '/')
        return err_set(err, ERR_USER, "'%.200s' is no path of a file", path);
    return session_put(sb->session, "/",
                       feed_of_file(path + 1, mode, data, len), done, arg, err);
}

int oci_read_file(struct sandbox *sb, const char *path, size_t max_bytes,
                  sandbox_file_fn *done, void *arg, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return session_get(sb->session, path,
                       max_bytes < FILE_MAX ? max_bytes : FILE_MAX, done, arg,
                       err);
}

int oci_put_tree(struct sandbox *sb, const char *host_dir, const char *path,
                 sandbox_file_fn *done, void *arg, struct err *err)
{
    struct feed *feed;

    if (check_running(sb, err) < 0 || feed_of_tree(host_dir, &feed, err) < 0)
        return -1;
    return session_put(sb->session, path, feed, done, arg, err);
}

int oci_get_tree(struct sandbox *sb, const struct sandbox_tree *tree,
                 sandbox_file_fn *done, void *arg, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return session_tree(sb->session, tree, done, arg, err);
}

int oci_list(struct sandbox *sb, const char *path, sandbox_list_fn *done,
             void *arg, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return session_list(sb->session, path, done, arg, err);
}

int oci_clear(struct sandbox *sb, const char *path, sandbox_file_fn *done,
              void *arg, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return session_clear(sb->session, path, done, arg, err);
}

void oci_stop_files(struct sandbox *sb)
{
    if (sb->session)
        session_stop_files(sb->session);
}

int oci_connect(struct sandbox *sb, const struct sandbox_connection *connection,
                uint32_t *out_id, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    return session_connect(sb->session, connection, out_id, err);
}

void oci_send(struct sandbox *sb, uint32_t id, const void *data, size_t len)
{
    if (sb->session)
        session_send(sb->session, id, data, len);
}

void oci_taken(struct sandbox *sb, uint32_t id, size_t len)
{
    if (sb->session)
        session_taken(sb->session, id, len);
}

void oci_disconnect(struct sandbox *sb, uint32_t id)
{
    if (sb->session)
        session_disconnect(sb->session, id);
}

int oci_pause(struct sandbox *sb, bool paused, struct err *err)
{
    if (check_running(sb, err) < 0)
        return -1;
    if (!sb->cgroup)
        return err_set(err, ERR_TRANSIENT,
                       "a sandbox of an ordinary user cannot be paused");
    if (cgroup_freeze(sb->cgroup, paused, err) < 0)
        return -1;
    session_hold(sb->session, paused);
    sb->paused = paused;
    return 0;
}

void oci_usage(struct sandbox *sb, struct sandbox_usage *out)
{
    struct cgroup_usage counted = {.cpu_ms = -1};

    if (sb->cgroup)
        cgroup_usage_read(sb->cgroup, &counted);
    out->memory_peak_bytes = counted.memory_peak_bytes;
    out->cpu_ms = counted.cpu_ms;
    out->oom_kills = counted.oom_kills;
    out->disk_full = disk_is_full(sb->disk);
}
