/* worker/supervisor/held.c - the leases that a worker holds, on its disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/held.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE   4096
#define MAX_AGE_MS ((int64_t)7 * 24 * 3600 * 1000)

static char *path_of(const char *state_dir, const char *id, uint64_t epoch)
{
    return xasprintf("%s/leases/%s-%" PRIu64, state_dir, id, epoch);
}

int held_write(const char *state_dir, const struct held *held, struct err *err)
{
    CLEANUP(mem) char *dir = xasprintf("%s/leases", state_dir);
    CLEANUP(mem) char *path = path_of(state_dir, held->job_id, held->epoch);
    CLEANUP(mem) char *text = NULL;
    json_t *doc =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I}", "pool",
                  held->pool, "worker", held->worker, "job", held->job_id,
                  "epoch", (json_int_t)held->epoch, "nonce", held->nonce, "pid",
                  (json_int_t)held->pid, "began", (json_int_t)held->began,
                  "started_at_ms", (json_int_t)held->started_at_ms);

    text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    if (!text)
        return err_set(err, ERR_BUG, "the lease of job %s is not UTF-8",
                       held->job_id);
    if (dir_make(dir, 0700, err) < 0)
        return -1;
    return file_write(path, text, strlen(text), 0600, err);
}

void held_remove(const char *state_dir, const char *job_id, uint64_t epoch)
{
    CLEANUP(mem) char *path = path_of(state_dir, job_id, epoch);

    (void)unlink(path);
}

/* ---- what is left -------------------------------------------------------- */

static bool is_old(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 &&
           clock_wall_ms() - (int64_t)st.st_mtime * 1000 > MAX_AGE_MS;
}

static bool copy(const json_t *doc, const char *name, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(doc, name));

    return value && (size_t)snprintf(out, size, "%s", value) < size;
}

static int64_t number(const json_t *doc, const char *name)
{
    return json_integer_value(json_object_get(doc, name));
}

static bool parse(const json_t *doc, struct held *out)
{
    out->epoch = (uint64_t)number(doc, "epoch");
    out->pid = (pid_t)number(doc, "pid");
    out->began = (uint64_t)number(doc, "began");
    out->started_at_ms = number(doc, "started_at_ms");
    return copy(doc, "pool", out->pool, sizeof(out->pool)) &&
           copy(doc, "worker", out->worker, sizeof(out->worker)) &&
           copy(doc, "job", out->job_id, sizeof(out->job_id)) &&
           copy(doc, "nonce", out->nonce, sizeof(out->nonce)) && out->epoch > 0;
}

/* Whether it is one of this worker. */
static bool load(const char *path, const char *pool, const char *worker,
                 struct held *out)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(MAX_FILE);
    json_t *doc = NULL;
    bool good;

    if (!is_old(path) && file_read(path, MAX_FILE, &text, NULL) == 0)
        doc = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    good = parse(doc, out);
    json_decref(doc);
    if (!good)
        (void)unlink(path);
    return good && strcmp(out->pool, pool) == 0 &&
           strcmp(out->worker, worker) == 0;
}

size_t held_list(const char *state_dir, const char *pool, const char *worker,
                 struct held **out_list)
{
    CLEANUP(mem) char *dir_path = xasprintf("%s/leases", state_dir);
    struct held *list = xcalloc(HELD_MAX, sizeof(*list));
    DIR *dir = opendir(dir_path);
    struct dirent *entry;
    size_t count = 0;

    while (dir && count < HELD_MAX && (entry = readdir(dir))) {
        CLEANUP(mem) char *path = xasprintf("%s/%s", dir_path, entry->d_name);

        if (entry->d_name[0] != '.' && load(path, pool, worker, &list[count]))
            count++;
    }
    if (dir)
        (void)closedir(dir);
    *out_list = list;
    return count;
}

bool held_is_alive(const struct held *held)
{
    return held->pid > 0 && proc_began(held->pid) == held->began;
}
