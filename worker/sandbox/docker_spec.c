/* worker/sandbox/docker_spec.c - what docker-client is told of a container. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "worker/sandbox/bundle.h"
#include "worker/sandbox/docker.h"
#include "worker/sandbox/etc.h"
#include "worker/sandbox/place.h"
#include "worker/sandbox/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *docker_mount(const char *source, const char *target)
{
    /* What is mounted below the source would stay writable: leave it out. */
    return json_pack("{s:s, s:s, s:s, s:b, s:{s:s, s:b}}", "Type", "bind",
                     "Source", source, "Target", target, "ReadOnly", 1,
                     "BindOptions", "Propagation", "rprivate", "NonRecursive",
                     1);
}

static void add_mount(json_t *all, const char *dir, const char *name,
                      const char *target)
{
    CLEANUP(mem) char *source = xasprintf("%s/%s", dir, name);

    json_array_append_new(all, docker_mount(source, target));
}

/* Places for what is mounted once it runs, in our mounts, and what the engine
 * can mount itself. */
static json_t *mounts(const struct docker_spec *spec)
{
    json_t *all = json_array();

    add_mount(all, spec->dir, "agent", "/.berth/agent");
    for (size_t i = 0; etc_others[i]; i++) {
        CLEANUP(mem) char *name = xasprintf("etc/%s", etc_others[i]);
        CLEANUP(mem) char *target = xasprintf("/%s", name);

        add_mount(all, spec->dir, name, target);
    }
    for (size_t i = 0; i < spec->dirs->count; i++)
        add_mount(all, spec->dir, "none", spec->dirs->items[i]);
    for (size_t i = 0; i < spec->files->count; i++)
        add_mount(all, spec->dir, "nothing", spec->files->items[i]);
    return all;
}

/* The profile as text; its form is that of OCI. An engine before 23 does not
 * know `defaultErrnoRet`: what the profile does not name fails with EPERM, at
 * which libc gives up, where it would fall back from clone3 after ENOSYS. */
static json_t *security(void)
{
    json_t *profile = seccomp_profile();
    json_t *calls = json_object_get(profile, "syscalls");
    int failed = json_array_append_new(
        calls, json_pack("{s:[s], s:s, s:i}", "names", "clone3", "action",
                         "SCMP_ACT_ERRNO", "errnoRet", ENOSYS));
    char *text = failed ? NULL : json_dumps(profile, JSON_COMPACT);
    CLEANUP(mem) char *seccomp = xasprintf("seccomp=%s", text ? text : "");

    free(text);
    json_decref(profile);
    return json_pack("[s, s]", "no-new-privileges:true", seccomp);
}

static json_t *ulimit(const char *name, unsigned most)
{
    return json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t)most,
                     "Hard", (json_int_t)most);
}

/* As in bundle.c; and /sys, which an OCI bundle of ours does not have. */
static void hide_kernel(json_t *host)
{
    json_object_set_new(host, "MaskedPaths",
                        json_pack("[s, s, s, s, s, s, s, s, s, s, s, s]",
                                  "/sys", "/dev/mqueue", "/proc/acpi",
                                  "/proc/asound", "/proc/kcore", "/proc/keys",
                                  "/proc/latency_stats", "/proc/timer_list",
                                  "/proc/timer_stats", "/proc/sched_debug",
                                  "/proc/scsi", "/proc/interrupts"));
    json_object_set_new(host, "ReadonlyPaths",
                        json_pack("[s, s, s, s, s]", "/proc/bus", "/proc/fs",
                                  "/proc/irq", "/proc/sys",
                                  "/proc/sysrq-trigger"));
}

static void limit(const struct docker_spec *spec, json_t *host)
{
    json_int_t memory = (json_int_t)spec->memory_bytes;

    json_object_set_new(host, "Memory", json_integer(memory));
    json_object_set_new(host, "MemorySwap", json_integer(memory));
    json_object_set_new(
        host, "NanoCpus",
        json_integer((json_int_t)spec->cpu_millis * 1000 * 1000));
    json_object_set_new(host, "PidsLimit", json_integer(spec->pids));
    json_object_set_new(host, "Ulimits",
                        json_pack("[o, o]",
                                  ulimit("nofile", bundle_max_files()),
                                  ulimit("core", 0)));
    json_object_set_new(
        host, "ShmSize",
        json_integer((json_int_t)bundle_shm_bytes(spec->memory_bytes)));
}

/* AutoRemove and StdinOnce: should everybody who knows of it be killed, its
 * stdin ends, so the agent does, and the engine removes it. */
static json_t *host_config(const struct docker_spec *spec)
{
    json_t *host = json_pack(
        "{s:b, s:s, s:b, s:[s], s:[s, s, s, s], s:o, s:s, s:s, s:{s:s}, s:b, "
        "s:o}",
        "AutoRemove", 1, "NetworkMode", "none", "ReadonlyRootfs", 1, "CapDrop",
        "ALL", "CapAdd", "SETUID", "SETGID", "KILL", "SETPCAP", "SecurityOpt",
        security(), "IpcMode", "private", "CgroupnsMode", "private",
        "LogConfig", "Type", "none", "Init", 0, "Mounts", mounts(spec));

    /* The engine's own choice is that anybody may listen at any port, and be
     * taken for the gateway. */
    json_object_set_new(
        host, "Sysctls",
        json_pack("{s:s}", "net.ipv4.ip_unprivileged_port_start", "1024"));
    limit(spec, host);
    hide_kernel(host);
    if (spec->runtime)
        json_object_set_new(host, "Runtime", json_string(spec->runtime));
    return host;
}

/* All that an image could ask for is overridden. */
static json_t *create_body(const struct docker_spec *spec)
{
    return json_pack(
        "{s:s, s:[s], s:[], s:s, s:s, s:s, s:[s], s:b, s:b, s:b, s:b, s:b, "
        "s:b, s:{s:s, s:s}, s:{s:[s]}, s:s, s:o}",
        "Image", spec->image, "Entrypoint", "/.berth/agent", "Cmd", "User",
        "0:0", "WorkingDir", "/", "Hostname", "berth", "Env",
        "PATH=/usr/bin:/bin", "Tty", 0, "OpenStdin", 1, "StdinOnce", 1,
        "AttachStdin", 1, "AttachStdout", 1, "AttachStderr", 1, "Labels",
        DOCKER_LABEL_ID, spec->id, DOCKER_LABEL_STATE, spec->state_dir,
        "Healthcheck", "Test", "NONE", "StopSignal", "SIGKILL", "HostConfig",
        host_config(spec));
}

int docker_write(const struct docker_spec *spec, const char *path,
                 struct err *err)
{
    CLEANUP(mem) char *unique = place_name(spec->id);
    CLEANUP(mem) char *name = xasprintf("berth-%s", unique);
    CLEANUP(mem) char *empty = xasprintf("%s/none", spec->dir);
    json_t *doc =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "socket", spec->socket,
                  "record", spec->record, "pid_file", spec->pid_file, "empty",
                  empty, "name", name, "create", create_body(spec));
    char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
    int rc;

    json_decref(doc);
    if (!text)
        return err_set(err, ERR_USER, "image '%s' is not UTF-8", spec->image);
    rc = file_write(path, text, strlen(text), 0600, err);
    free(text);
    return rc;
}
