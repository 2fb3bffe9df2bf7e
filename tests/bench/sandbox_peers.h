/* tests/bench/sandbox_peers.h - bwrap and crun with the isolation of ours. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_SANDBOX_PEERS_H
#define TESTS_BENCH_SANDBOX_PEERS_H

#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "pipelines/pipeline.h"
#include "worker/sandbox/bundle.h"
#include "worker/sandbox/cgroup.h"
#include "worker/sandbox/mounts.h"
#include "worker/sandbox/rootfs.h"
#include "worker/sandbox/seccomp.h"

#include <jansson.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEERS_FILTER_FD 9 /* of bwrap: p->filter, from its start */

struct peers {
    const char *dir; /* borrowed */
    const struct instance_type *type;
    struct strv bwrap, crun; /* commands */
    struct cgroup *cgroup;   /* that bwrap joins */
    int filter;
};

static void die(const struct err *err)
{
    log_error("%s", err->msg);
    exit(1);
}

static void add_words(struct strv *argv, const char *words)
{
    CLEANUP(mem) char *copy = xstrdup(words);
    char *save = NULL;

    for (char *word = strtok_r(copy, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        strv_add(argv, word);
}

/* ---- bwrap: the same filter, the same limits ------------------------------
 */

static enum scmp_compare compare_of(const char *name)
{
    return strcmp(name, "SCMP_CMP_MASKED_EQ") == 0 ? SCMP_CMP_MASKED_EQ
           : strcmp(name, "SCMP_CMP_GT") == 0      ? SCMP_CMP_GT
                                                   : SCMP_CMP_EQ;
}

static void add_call(scmp_filter_ctx ctx, const json_t *call)
{
    const json_t *names = json_object_get(call, "names");
    const json_t *arg = json_array_get(json_object_get(call, "args"), 0);
    json_int_t error = json_integer_value(json_object_get(call, "errnoRet"));
    uint32_t action = error ? SCMP_ACT_ERRNO((uint32_t)error) : SCMP_ACT_ALLOW;
    size_t i;
    const json_t *name;

    json_array_foreach(names, i, name)
    {
        int nr = seccomp_syscall_resolve_name(json_string_value(name));
        struct scmp_arg_cmp cmp = {
            .op = compare_of(arg ? json_string_value(json_object_get(arg, "op"))
                                 : ""),
            .datum_a =
                (scmp_datum_t)json_integer_value(json_object_get(arg, "value")),
            .datum_b = (scmp_datum_t)json_integer_value(
                json_object_get(arg, "valueTwo"))};

        if (nr != __NR_SCMP_ERROR)
            (void)seccomp_rule_add_array(ctx, action, nr, arg ? 1 : 0, &cmp);
    }
}

static void make_filter(struct peers *p)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(38));
    json_t *profile = seccomp_profile();
    size_t i;
    const json_t *call;

    json_array_foreach(json_object_get(profile, "syscalls"), i, call)
    {
        add_call(ctx, call);
    }
    p->filter = memfd_create("filter", 0);
    if (p->filter < 0 || seccomp_export_bpf(ctx, p->filter) < 0) {
        log_error("cannot make bwrap's filter");
        exit(1);
    }
    seccomp_release(ctx);
    json_decref(profile);
}

static void prepare_bwrap(struct peers *p)
{
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *workspace = xasprintf("%s/bwrap", p->dir);
    const struct cgroup_spec spec = {
        .id = "bench-bwrap",
        .limits = {p->type->memory_bytes, p->type->cpu_millis, p->type->pids}};
    const struct strv *join;
    struct err err;

    if (dir_make(workspace, 0755, &err) < 0 ||
        cgroup_create(&spec, &p->cgroup, &err) < 0)
        die(&err);
    make_filter(p);
    join = cgroup_join_files(p->cgroup);
    strv_add(&p->bwrap, launch);
    strv_addf(&p->bwrap, "%d", (int)getpid());
    for (size_t i = 0; i < join->count; i++)
        strv_add(&p->bwrap, join->items[i]);
    add_words(
        &p->bwrap,
        "-- bwrap --unshare-all --die-with-parent --new-session --cap-drop "
        "ALL --uid 1000 --gid 1000 --hostname berth --ro-bind /usr /usr "
        "--symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib "
        "/lib --symlink usr/lib64 /lib64 --ro-bind /etc/alternatives "
        "/etc/alternatives --ro-bind /etc/ssl/certs /etc/ssl/certs --proc "
        "/proc --dev /dev --tmpfs /tmp --tmpfs /var/tmp --tmpfs /home/berth "
        "--seccomp 9 --bind");
    strv_add(&p->bwrap, workspace);
    add_words(&p->bwrap, "/workspace --chdir /workspace true");
}

/* ---- crun: a bundle of ours, with limits that it sets itself ---------------
 */

static void set_limits(struct peers *p, const char *path)
{
    json_t *doc = json_load_file(path, 0, NULL);
    json_t *system = json_object_get(doc, "linux");
    struct err err;
    char *text;

    json_object_set_new(json_object_get(doc, "process"), "args",
                        json_pack("[s]", "/usr/bin/true"));
    json_object_set_new(system, "cgroupsPath", json_string("/berth-bench/c"));
    json_object_set_new(system, "resources",
                        json_pack("{s:{s:I}, s:{s:I, s:I}, s:{s:I}}", "memory",
                                  "limit", (json_int_t)p->type->memory_bytes,
                                  "cpu", "quota",
                                  (json_int_t)p->type->cpu_millis * 100,
                                  "period", (json_int_t)100000, "pids", "limit",
                                  (json_int_t)p->type->pids));
    text = json_dumps(doc, JSON_COMPACT);
    if (file_write(path, text, strlen(text), 0600, &err) < 0)
        die(&err);
    free(text);
    json_decref(doc);
}

static void prepare_crun(struct peers *p)
{
    static const char *const dirs[] = {"workspace", "home", "tmp", "vartmp"};
    CLEANUP(mem) char *run = xasprintf("%s/crun", p->dir);
    CLEANUP(mem) char *disk = xasprintf("%s/disk", run);
    CLEANUP(mem) char *agent = proc_libexec("agent");
    CLEANUP(mem) char *config = xasprintf("%s/config.json", run);
    CLEANUP(mem) char *root = NULL;
    struct rootfs_spec tree = {.image = "host",
                               .state_dir = p->dir,
                               .run_dir = run,
                               .disk_dir = disk,
                               .agent = agent};
    struct bundle_spec bundle = {.run_dir = run};
    bool rootless;
    struct err err;

    if (mounts_enter(&rootless, &err) < 0 || dir_make(run, 0711, &err) < 0 ||
        mounts_tmpfs(run, (uint64_t)64 << 20, 4096, 0711, &err) < 0)
        die(&err);
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        CLEANUP(mem) char *dir = xasprintf("%s/%s", disk, dirs[i]);

        if (dir_make(dir, 0777, &err) < 0)
            die(&err);
    }
    if (rootfs_make_late(run, &err) < 0 || rootfs_build(&tree, &root, &err) < 0)
        die(&err);
    bundle.root = root;
    if (bundle_write(&bundle, config, &err) < 0)
        die(&err);
    set_limits(p, config);
    strv_add(&p->crun, "crun");
    strv_addf(&p->crun, "--root=%s/state", run);
    strv_add(&p->crun, "run");
    strv_addf(&p->crun, "--bundle=%s", run);
    strv_add(&p->crun, "bench-crun");
}

static void end_peers(struct peers *p)
{
    struct err err;

    if (cgroup_remove_recorded(cgroup_record(p->cgroup), 5000, &err) < 0)
        die(&err);
    cgroup_free(p->cgroup);
    strv_clear(&p->bwrap);
    strv_clear(&p->crun);
    fd_close(&p->filter);
}

#endif
