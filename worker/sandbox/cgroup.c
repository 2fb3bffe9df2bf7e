/* worker/sandbox/cgroup.c - a sandbox's limits, on cgroup v2 and v1. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/cgroup.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "worker/sandbox/hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CPU_PERIOD_US  100000u
#define MOVE_PASSES    20
#define RACE_TRIES     100
#define FREEZE_MS      2000
#define FREEZE_POLL_MS 1
#define ADVICE                                                                 \
    "a container needs a writable /sys/fs/cgroup, a systemd unit Delegate=yes"

static const struct cgroup_host this_host = {"/proc/self/mountinfo",
                                             "/proc/self/cgroup"};

/* The three that limits need. cpuacct and freezer of v1 come on top. */
enum { MEMORY, CPU, PIDS, CONTROLLERS };
static const char *const controllers[] = {"memory", "cpu", "pids"};

struct cgroup {
    char *dirs[CONTROLLERS]; /* owned; NULL: not enforced */
    char *cpuacct;           /* owned: v1; NULL: none */
    char *freezer;           /* owned: v1; NULL: none */
    bool v2[CONTROLLERS];
    char *unenforced; /* owned */
    struct strv join; /* owned */
    struct strbuf record;
    char *runtime_path;             /* owned; NULL without a subgroup */
    const struct cgroup_spec *spec; /* borrowed, while it is made */
};

/* A knob that the kernel was built without is fine where `optional`. */
static int set(const char *dir, const char *file, const char *value,
               bool optional, struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, file);
    CLEANUP(fd) int fd = open(path, O_WRONLY | O_CLOEXEC | O_CREAT, 0644);

    if (fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value))
        return 0;
    if (optional && (errno == ENOENT || errno == EACCES || errno == EPERM ||
                     errno == EOPNOTSUPP))
        return 0;
    return err_sys(err, ERR_TRANSIENT, "cannot write %s to '%s'", value, path);
}

static int set_number(const char *dir, const char *file, uint64_t value,
                      bool optional, struct err *err)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    return set(dir, file, text, optional, err);
}

/* The number behind `key` ("" for a file that is one number); or -1. */
static int64_t get_number(const char *dir, const char *file, const char *key)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, file);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(65536);
    struct err ignored;
    char *save = NULL;

    if (file_read(path, 65000, &text, &ignored) < 0 || !text.len)
        return -1;
    if (!*key)
        return (int64_t)strtoull(text.data, NULL, 10);
    for (char *line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ')
            return (int64_t)strtoull(line + strlen(key), NULL, 10);
    return -1;
}

static int make_dir(const char *path, struct err *err)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return 0;
    return err_sys(err, ERR_TRANSIENT, "cannot create cgroup '%s' (" ADVICE ")",
                   path);
}

/* ---- v2: hand controllers down --------------------------------------- */

static bool is_delegated(const struct hierarchy *h)
{
    char value[2] = "";

    return (getxattr(h->own, "trusted.delegate", value, 1) == 1 ||
            getxattr(h->own, "user.delegate", value, 1) == 1) &&
           value[0] == '1';
}

/* Below it our cgroups are made. */
static const char *base_of(const struct hierarchy *h)
{
    return h->v2 && !is_delegated(h) ? h->mount : h->own;
}

/* A cgroup that hands controllers down may hold no process itself (the kernel
 * refuses memory, but cpu and pids only make its children useless), except for
 * the top, which has no type: move what is in it (we, and whoever shares it)
 * into a leaf. */
static int clear_processes(const char *base, struct err *err)
{
    CLEANUP(mem) char *leaf = xasprintf("%s/" HIERARCHY_LEAF, base);
    CLEANUP(mem) char *path = xasprintf("%s/cgroup.procs", base);
    CLEANUP(mem) char *type = xasprintf("%s/cgroup.type", base);

    if (access(type, F_OK) < 0)
        return 0;
    for (int i = 0; i < MOVE_PASSES; i++) {
        CLEANUP(strbuf) struct strbuf text = STRBUF_MAX((size_t)1 << 20);
        char *save = NULL;

        if (file_read(path, (size_t)1 << 19, &text, err) < 0)
            return -1;
        if (!text.len)
            break;
        if (make_dir(leaf, err) < 0)
            return -1;
        for (char *pid = strtok_r(text.data, "\n", &save); pid;
             pid = strtok_r(NULL, "\n", &save))
            if (set(leaf, "cgroup.procs", pid, false, err) < 0 &&
                err->sys != ESRCH)
                return -1;
    }
    return 0;
}

static int enable(const char *dir, const char *controller, struct err *err)
{
    char word[32];

    (void)snprintf(word, sizeof(word), "+%s", controller);
    return set(dir, "cgroup.subtree_control", word, false, err);
}

static bool is_enabled(const char *dir, const char *controller)
{
    CLEANUP(mem) char *path = xasprintf("%s/cgroup.subtree_control", dir);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(4096);
    struct err ignored;

    return file_read(path, 4000, &text, &ignored) == 0 &&
           hierarchy_has_word(text.data, controller);
}

static int enable_below(const char *base, const char *controller,
                        struct err *err)
{
    CLEANUP(mem) char *parent = xasprintf("%s/berth", base);

    if (clear_processes(base, err) < 0 ||
        (!is_enabled(base, controller) && enable(base, controller, err) < 0))
        return err_wrap(
            err, "cannot hand the %s controller to sandboxes (" ADVICE ")",
            controller);
    /* Always: one that another has just turned on is said to be on before our
     * group has its files, and the kernel lets a second writer wait. */
    return enable(parent, controller, err);
}

/* ---- making ----------------------------------------------------------- */

static bool is_recorded(const struct cgroup *cg, const char *dir)
{
    CLEANUP(mem) char *line = xasprintf("%s\n", dir);
    const char *at = strstr(cg->record.data, line);

    return at && (at == cg->record.data || at[-1] == '\n');
}

/* Before the directory is made: a crash must not leave an unknown one. */
static int record(struct cgroup *cg, const char *dir, struct err *err)
{
    const char *path = cg->spec->record_path;
    CLEANUP(fd) int fd = -1;
    size_t len = cg->record.len;

    if (is_recorded(cg, dir))
        return 0;
    strbuf_addf(&cg->record, "%s\n", dir);
    if (!path)
        return 0;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot write '%s'", path);
    return fd_write_all(fd, cg->record.data + len, cg->record.len - len, err);
}

static bool has(const struct strv *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], word) == 0)
            return true;
    return false;
}

/* Whoever removes the last other sandbox takes our parent along. */
static int make_below(const char *parent, const char *dir, struct err *err)
{
    for (int i = 0; i < RACE_TRIES; i++) {
        if (make_dir(parent, err) < 0)
            return -1;
        if (make_dir(dir, err) == 0)
            return 0;
        if (err->sys != ENOENT)
            break;
    }
    return -1;
}

/* <base>/berth/<id> in one hierarchy; joined, unless a subgroup is used. */
static int make_group(struct cgroup *cg, const struct hierarchy *h,
                      char **out_dir, struct err *err)
{
    const char *id = cg->spec->id;
    bool subgroup = cg->spec->subgroup;
    const char *base = base_of(h);
    CLEANUP(mem) char *parent = xasprintf("%s/berth", base);
    CLEANUP(mem) char *dir = xasprintf("%s/%s", parent, id);
    CLEANUP(mem)
    char *file = xasprintf("%s/%s", dir, h->v2 ? "cgroup.procs" : "tasks");

    if (record(cg, dir, err) < 0 || make_below(parent, dir, err) < 0)
        return -1;
    if (!subgroup && !has(&cg->join, file))
        strv_add(&cg->join, file);
    if (subgroup && !cg->runtime_path)
        cg->runtime_path =
            h->v2 ? xasprintf("%s/berth/%s/c",
                              base == h->own && strcmp(h->name, "/") != 0
                                  ? h->name
                                  : "",
                              id)
                  : xasprintf("berth/%s/c", id);
    *out_dir = STEAL(dir);
    return 0;
}

static void add_unenforced(struct cgroup *cg, const char *what)
{
    char *more =
        xasprintf("%s%s%s", cg->unenforced, *cg->unenforced ? ", " : "", what);

    free(cg->unenforced);
    cg->unenforced = more;
}

static bool host_has_swap(void)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(65536);
    const char *line;
    struct err ignored;

    /* A heading, and a line for each. */
    if (file_read("/proc/swaps", 65000, &text, &ignored) < 0)
        return false;
    line = strchr(text.data, '\n');
    return line && line[1];
}

/* Memory is what is limited, not memory and then some swap. Kernels without
 * swap accounting lack the knob; v1 has another that does nearly as well. */
static int limit_swap(struct cgroup *cg, const char *dir, struct err *err)
{
    bool v2 = cg->v2[MEMORY];
    const char *file = v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, file);

    if ((!v2 && set(dir, "memory.swappiness", "0", true, err) < 0) ||
        set_number(dir, file, v2 ? 0 : cg->spec->limits.memory_bytes, true,
                   err) < 0)
        return -1;
    if (access(path, F_OK) < 0 && host_has_swap())
        add_unenforced(cg, "swap");
    return 0;
}

/* No limit is written, too: the group may be one that was left. */
int cgroup_limit_cpu(const struct cgroup *cg, unsigned cpu_millis,
                     struct err *err)
{
    const char *dir = cg->dirs[CPU];
    uint64_t quota = (uint64_t)cpu_millis * CPU_PERIOD_US / 1000;
    char text[64];

    if (!dir)
        return 0;
    (void)snprintf(text, sizeof(text), "%" PRIu64 " %u", quota, CPU_PERIOD_US);
    if (cg->v2[CPU])
        return set(dir, "cpu.max", cpu_millis ? text : "max", false, err);
    (void)snprintf(text, sizeof(text), "%" PRIu64, quota);
    return set_number(dir, "cpu.cfs_period_us", CPU_PERIOD_US, false, err) < 0
               ? -1
               : set(dir, "cpu.cfs_quota_us", cpu_millis ? text : "-1", false,
                     err);
}

static int limit(struct cgroup *cg, int controller, struct err *err)
{
    const struct cgroup_limits *limits = &cg->spec->limits;
    const char *dir = cg->dirs[controller];

    if (controller == PIDS)
        return set_number(dir, "pids.max", limits->pids, false, err);
    if (controller == MEMORY)
        return set_number(
                   dir, cg->v2[MEMORY] ? "memory.max" : "memory.limit_in_bytes",
                   limits->memory_bytes, false, err) < 0
                   ? -1
                   : limit_swap(cg, dir, err);
    return cgroup_limit_cpu(cg, limits->cpu_millis, err);
}

static int add_controller(struct cgroup *cg, const struct hierarchies *all,
                          int c, struct err *err)
{
    const struct hierarchy *h = hierarchy_find(all, controllers[c]);

    if (!h) {
        add_unenforced(cg, controllers[c]);
        return 0;
    }
    cg->v2[c] = h->v2;
    /* First the group: it keeps the parent, which has to hand down, alive. */
    if (make_group(cg, h, &cg->dirs[c], err) < 0)
        return -1;
    return h->v2 ? enable_below(base_of(h), controllers[c], err) : 0;
}

/* Counting needs cpuacct on v1, and pausing freezer; a runtime with a subgroup
 * makes it in every hierarchy, which we then have to know in order to remove
 * it. */
static int add_others(struct cgroup *cg, const struct hierarchies *all,
                      struct err *err)
{
    const struct hierarchy *acct = hierarchy_find(all, "cpuacct");
    const struct hierarchy *freezer = hierarchy_find(all, "freezer");
    struct err ignored;

    if (acct && !acct->v2 && make_group(cg, acct, &cg->cpuacct, err) < 0)
        return -1;
    /* Where it may not be used a sandbox just cannot be paused. */
    if (freezer && !freezer->v2 &&
        make_group(cg, freezer, &cg->freezer, &ignored) < 0)
        cg->freezer = NULL;
    for (size_t i = 0; cg->spec->subgroup && i < all->count; i++) {
        CLEANUP(mem)
        char *dir = xasprintf("%s/berth/%s", all->items[i].own, cg->spec->id);

        if (record(cg, dir, err) < 0)
            return -1;
    }
    return 0;
}

int cgroup_create(const struct cgroup_spec *spec, struct cgroup **out_cgroup,
                  struct err *err)
{
    CLEANUP(cgroup) struct cgroup *cg = xcalloc(1, sizeof(*cg));
    CLEANUP(hierarchies) struct hierarchies all = {0};
    int rc = 0;

    cg->record = (struct strbuf)STRBUF_INIT;
    cg->unenforced = xstrdup("");
    cg->spec = spec;
    if (hierarchies_load(spec->host ? spec->host : &this_host, &all, err) < 0)
        return -1;
    for (int c = 0; rc == 0 && c < CONTROLLERS; c++) {
        rc = add_controller(cg, &all, c, err);
        if (rc == 0 && cg->dirs[c])
            rc = limit(cg, c, err);
    }
    if (rc == 0)
        rc = add_others(cg, &all, err);
    if (rc < 0) {
        struct err left;

        if (cgroup_remove_recorded(cg->record.data, 1000, &left) < 0)
            return err_wrap(err, "%s", left.msg);
        return -1;
    }
    cg->spec = NULL;
    *out_cgroup = STEAL(cg);
    return 0;
}

/* The top of a hierarchy belongs to everybody. */
static char *own_group(const struct hierarchy *h)
{
    return h && strcmp(h->own, h->mount) != 0 ? xstrdup(h->own) : NULL;
}

int cgroup_adopt(pid_t pid, struct cgroup **out_cgroup, struct err *err)
{
    CLEANUP(cgroup) struct cgroup *cg = xcalloc(1, sizeof(*cg));
    CLEANUP(hierarchies) struct hierarchies all = {0};
    CLEANUP(mem) char *self = xasprintf("/proc/%d/cgroup", (int)pid);
    const struct cgroup_host host = {this_host.mountinfo, self};
    const struct hierarchy *acct, *freezer;

    cg->record = (struct strbuf)STRBUF_INIT;
    cg->unenforced = xstrdup("");
    if (hierarchies_load(&host, &all, err) < 0)
        return -1;
    for (int c = 0; c < CONTROLLERS; c++) {
        const struct hierarchy *h = hierarchy_find(&all, controllers[c]);

        cg->dirs[c] = own_group(h);
        cg->v2[c] = h && h->v2;
    }
    acct = hierarchy_find(&all, "cpuacct");
    freezer = hierarchy_find(&all, "freezer");
    cg->cpuacct = acct && !acct->v2 ? own_group(acct) : NULL;
    cg->freezer = freezer && !freezer->v2 ? own_group(freezer) : NULL;
    *out_cgroup = STEAL(cg);
    return 0;
}

void cgroup_free(struct cgroup *cg)
{
    if (!cg)
        return;
    for (int c = 0; c < CONTROLLERS; c++)
        free(cg->dirs[c]);
    free(cg->cpuacct);
    free(cg->freezer);
    free(cg->unenforced);
    free(cg->runtime_path);
    strv_clear(&cg->join);
    strbuf_clear(&cg->record);
    free(cg);
}

const char *cgroup_unenforced(const struct cgroup *cg)
{
    return cg->unenforced;
}

const struct strv *cgroup_join_files(const struct cgroup *cg)
{
    return &cg->join;
}

const char *cgroup_record(const struct cgroup *cg)
{
    return cg->record.data;
}

const char *cgroup_runtime_path(const struct cgroup *cg)
{
    return cg->runtime_path;
}

/* ---- pausing ---------------------------------------------------------- */

static bool is_frozen(const char *dir, bool v2)
{
    CLEANUP(mem) char *path = xasprintf("%s/freezer.state", dir);
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(64);
    struct err ignored;

    if (v2)
        return get_number(dir, "cgroup.events", "frozen") == 1;
    return file_read(path, 60, &text, &ignored) == 0 &&
           strncmp(text.data, "FROZEN", 6) == 0;
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *err)
{
    int64_t until = clock_mono_ms() + FREEZE_MS;
    const char *dir = cg->freezer;
    bool v2 = !dir;

    for (int c = 0; !dir && c < CONTROLLERS; c++)
        if (cg->v2[c])
            dir = cg->dirs[c];
    if (!dir)
        return err_set(err, ERR_TRANSIENT,
                       "this host has no freezer: sandboxes cannot be paused");
    if ((v2 ? set(dir, "cgroup.freeze", frozen ? "1" : "0", false, err)
            : set(dir, "freezer.state", frozen ? "FROZEN" : "THAWED", false,
                  err)) < 0)
        return -1;
    while (is_frozen(dir, v2) != frozen) {
        if (clock_mono_ms() >= until)
            return err_set(err, ERR_TRANSIENT, "'%s' does not %s", dir,
                           frozen ? "freeze" : "thaw");
        (void)poll(NULL, 0, FREEZE_POLL_MS);
    }
    return 0;
}

/* ---- counters --------------------------------------------------------- */

static void read_memory(const struct cgroup *cg, struct cgroup_usage *out)
{
    const char *dir = cg->dirs[MEMORY];
    CLEANUP(mem) char *sub = xasprintf("%s/c", dir);
    bool v2 = cg->v2[MEMORY];
    int64_t peak =
        get_number(dir, v2 ? "memory.peak" : "memory.max_usage_in_bytes", "");
    int64_t kills = get_number(dir, v2 ? "memory.events" : "memory.oom_control",
                               "oom_kill");

    /* v2 counts what happened below; v1 does not. */
    if (!v2 && cg->runtime_path) {
        int64_t below = get_number(sub, "memory.oom_control", "oom_kill");

        kills += below > 0 ? below : 0;
    }
    out->memory_peak_bytes = peak > 0 ? (uint64_t)peak : 0;
    out->oom_kills = kills > 0 ? (unsigned)kills : 0;
}

void cgroup_usage_read(const struct cgroup *cg, struct cgroup_usage *out)
{
    int64_t n = -1;

    *out = (struct cgroup_usage){.cpu_ms = -1};
    if (cg->dirs[MEMORY])
        read_memory(cg, out);
    if (cg->cpuacct && (n = get_number(cg->cpuacct, "cpuacct.usage", "")) >= 0)
        out->cpu_ms = n / 1000000;
    else if (cg->dirs[CPU] && cg->v2[CPU] &&
             (n = get_number(cg->dirs[CPU], "cpu.stat", "usage_usec")) >= 0)
        out->cpu_ms = n / 1000;
}
