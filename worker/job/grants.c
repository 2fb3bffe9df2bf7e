/* worker/job/grants.c - the secrets of a step, while it runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/grants.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As the gateway takes them (worker/gateway/setup.c). */
#define FIELD_MAX_BYTES  16384
#define FIELDS_MAX_BYTES ((size_t)768 << 10) /* in one frame to it, as JSON */

struct grants {
    struct loop *loop; /* these three borrowed */
    struct machine *machine;
    const struct job_start *start;
    bool *open;   /* owned; of each step */
    bool holding; /* the gateway has not answered yet */
    bool lost;
    grants_fn *done; /* NULL: nobody waits */
    void *arg;
    struct loop_source *soon;
    struct err err; /* for the one who waits, with `soon` */
};

static const struct secret_list *secrets_of(const struct job_start *start,
                                            size_t index)
{
    return &start->pipeline->steps[index].secrets;
}

/* ---- values ---------------------------------------------------------------
 */

/* One line's end behind the value is the editor's. */
static char *one_line(const char *value)
{
    size_t len = strlen(value);

    if (len && value[len - 1] == '\n')
        len--;
    if (len && value[len - 1] == '\r')
        len--;
    return xstrndup(value, len);
}

static void wiped_freep(char **text)
{
    if (*text)
        mem_wipe(*text, strlen(*text));
    free(*text);
}

static int refuse(const struct job_start *start, const char *name,
                  struct err *err)
{
    const char *why = job_start_missing(start, name);

    if (strcmp(start->trust, "member") != 0)
        return err_set(err, ERR_USER,
                       "the secret '%.64s' is not given to jobs of forks: "
                       "write  if: ${{ trust == 'member' }}  or, where the "
                       "step can do without it, optional: true",
                       name);
    if (why)
        return err_set(err, ERR_USER, "%s", why);
    return err_set(err, ERR_USER, "the job was not given the secret '%.64s'",
                   name);
}

/* What makes no field, or is too long for one, never gets to the gateway. */
static int check_field(const struct step_secret *secret, const char *value,
                       struct err *err)
{
    CLEANUP(wiped) char *line = one_line(value);

    for (const char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return err_set(err, ERR_USER,
                           "the secret '%.64s' cannot be injected: it has "
                           "more than one line, or control characters",
                           secret->name);
    if (strlen(line) + strlen(secret->prefix) > FIELD_MAX_BYTES)
        return err_set(err, ERR_USER,
                       "the secret '%.64s' cannot be injected: it is longer "
                       "than %d bytes",
                       secret->name, FIELD_MAX_BYTES);
    return 0;
}

int grants_env(const struct job_start *start, size_t index, struct strv *env,
               struct err *err)
{
    const struct secret_list *list = secrets_of(start, index);

    for (size_t i = 0; i < list->count; i++) {
        const struct step_secret *secret = &list->items[i];
        const char *value = job_start_secret(start, secret->name);

        if (!value && !secret->optional)
            return refuse(start, secret->name, err);
        if (value && secret->form == SECRET_INJECT &&
            check_field(secret, value, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < list->count; i++) {
        const struct step_secret *secret = &list->items[i];
        const char *value = job_start_secret(start, secret->name);
        CLEANUP(wiped) char *line = value ? one_line(value) : NULL;

        if (line && secret->form == SECRET_ENV)
            strv_setenv(env, secret->target, line);
    }
    return 0;
}

/* ---- telling --------------------------------------------------------------
 */

static void on_soon(void *arg)
{
    struct grants *grants = arg;
    grants_fn *done = grants->done;

    grants->soon = NULL;
    grants->done = NULL;
    if (done)
        done(grants->arg, grants->err.kind == ERR_NONE ? NULL : &grants->err);
}

static void answer(struct grants *grants)
{
    if (grants->holding && !grants->lost)
        return;
    if (grants->done && !grants->soon)
        grants->soon = loop_add_timer(grants->loop, 0, on_soon, grants);
}

static void on_injected(void *arg)
{
    struct grants *grants = arg;

    grants->holding = false;
    answer(grants);
}

/* ---- fields ---------------------------------------------------------------
 */

static bool is_there(const json_t *fields, const json_t *field)
{
    const json_t *other;
    size_t i;

    json_array_foreach(fields, i, other)
    {
        if (json_equal(other, field))
            return true;
    }
    return false;
}

static void add_field(json_t *fields, const struct step_secret *secret,
                      const char *value)
{
    CLEANUP(wiped) char *line = one_line(value);
    CLEANUP(wiped) char *text = xasprintf("%s%s", secret->prefix, line);
    json_t *field =
        json_pack("{s:s, s:i, s:b, s:s, s:s}", "host", secret->target, "port",
                  (int)secret->port, "tls", (int)!secret->plain, "header",
                  secret->header, "value", text);

    if (field && !is_there(fields, field))
        json_array_append(fields, field);
    json_decref(field);
}

/* Those of all steps that are open. The caller's (wiped_decref). */
static json_t *gather_fields(const struct grants *grants)
{
    json_t *fields = json_array();

    for (size_t i = 0; i < grants->start->pipeline->step_count; i++) {
        const struct secret_list *list = secrets_of(grants->start, i);

        for (size_t k = 0; grants->open[i] && k < list->count; k++) {
            const char *value =
                job_start_secret(grants->start, list->items[k].name);

            if (value && list->items[k].form == SECRET_INJECT)
                add_field(fields, &list->items[k], value);
        }
    }
    return fields;
}

static void wiped_decref(json_t *fields)
{
    json_t *field;
    size_t i;

    json_array_foreach(fields, i, field)
    {
        json_t *value = json_object_get(field, "value");

        mem_wipe((char *)(uintptr_t)json_string_value(value),
                 json_string_length(value));
    }
    json_decref(fields);
}

static bool has_form(const struct grants *grants, size_t index,
                     enum secret_form form)
{
    const struct secret_list *list = secrets_of(grants->start, index);

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].form == form &&
            job_start_secret(grants->start, list->items[i].name))
            return true;
    return false;
}

static void set_fields(struct grants *grants, size_t index)
{
    json_t *fields;

    if (grants->lost || !has_form(grants, index, SECRET_INJECT)) {
        answer(grants);
        return;
    }
    fields = gather_fields(grants);
    if (json_dumpb(fields, NULL, 0, JSON_COMPACT) <= FIELDS_MAX_BYTES) {
        grants->holding = true;
        machine_inject(grants->machine, fields, on_injected, grants);
    } else {
        (void)err_set(&grants->err, ERR_USER,
                      "the secrets to inject are too long together");
        answer(grants);
    }
    wiped_decref(fields);
}

/* ---- files ----------------------------------------------------------------
 */

static int write_secret(int dir, const char *name, const char *value,
                        unsigned uid, struct err *err)
{
    CLEANUP(fd)
    int fd = openat(dir, name,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    size_t len = strlen(value);

    /* Of a step in the background that has the same. */
    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0 || write(fd, value, len) != (ssize_t)len ||
        fchmod(fd, 0400) < 0 || (geteuid() == 0 && fchown(fd, uid, uid) < 0)) {
        (void)err_sys(err, ERR_TRANSIENT, "cannot write the secret '%s'", name);
        (void)unlinkat(dir, name, 0);
        return -1;
    }
    return 0;
}

static int open_dir(const struct grants *grants, struct err *err)
{
    const char *path = machine_secrets(grants->machine);
    int dir =
        path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

    if (dir < 0)
        (void)err_sys(err, ERR_TRANSIENT, "cannot open '%s'",
                      path ? path : "the secrets' directory");
    return dir;
}

static int write_files(struct grants *grants, size_t index, struct err *err)
{
    const struct secret_list *list = secrets_of(grants->start, index);
    unsigned uid = machine_driver(grants->machine)
                       ->host_uid(machine_sandbox(grants->machine));
    CLEANUP(fd) int dir = open_dir(grants, err);

    if (dir < 0)
        return -1;
    for (size_t i = 0; i < list->count; i++) {
        const char *value =
            job_start_secret(grants->start, list->items[i].name);

        if (value && list->items[i].form == SECRET_FILE &&
            write_secret(dir, list->items[i].target, value, uid, err) < 0)
            return -1;
    }
    return 0;
}

static bool is_used(const struct grants *grants, const char *file)
{
    for (size_t i = 0; i < grants->start->pipeline->step_count; i++) {
        const struct secret_list *list = secrets_of(grants->start, i);

        for (size_t k = 0; grants->open[i] && k < list->count; k++)
            if (list->items[k].form == SECRET_FILE &&
                !strcmp(list->items[k].target, file))
                return true;
    }
    return false;
}

static int remove_files(struct grants *grants, size_t index, struct err *err)
{
    const struct secret_list *list = secrets_of(grants->start, index);
    CLEANUP(fd) int dir = open_dir(grants, err);

    if (dir < 0)
        return -1;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].form == SECRET_FILE &&
            !is_used(grants, list->items[i].target) &&
            unlinkat(dir, list->items[i].target, 0) < 0 && errno != ENOENT)
            return err_sys(err, ERR_TRANSIENT, "cannot remove the secret '%s'",
                           list->items[i].target);
    return 0;
}

/* ---- the whole ------------------------------------------------------------
 */

struct grants *grants_new(struct loop *loop, struct machine *machine,
                          const struct job_start *start)
{
    struct grants *grants = xcalloc(1, sizeof(*grants));

    grants->loop = loop;
    grants->machine = machine;
    grants->start = start;
    grants->open = xcalloc(start->pipeline->step_count + 1, sizeof(bool));
    return grants;
}

void grants_free(struct grants *grants)
{
    if (!grants)
        return;
    loop_remove(grants->soon);
    free(grants->open);
    free(grants);
}

bool grants_wanted(const struct grants *grants, size_t index)
{
    return has_form(grants, index, SECRET_FILE) ||
           has_form(grants, index, SECRET_INJECT);
}

static void begin(struct grants *grants, grants_fn *done, void *arg)
{
    grants->err = (struct err){0};
    grants->done = done;
    grants->arg = arg;
}

void grants_open(struct grants *grants, size_t index, grants_fn *done,
                 void *arg)
{
    begin(grants, done, arg);
    grants->open[index] = true;
    if (has_form(grants, index, SECRET_FILE) &&
        write_files(grants, index, &grants->err) < 0)
        answer(grants);
    else
        set_fields(grants, index);
}

void grants_close(struct grants *grants, size_t index, grants_fn *done,
                  void *arg)
{
    bool was_open = grants->open[index];

    if (done)
        begin(grants, done, arg);
    grants->open[index] = false;
    if (was_open && (!has_form(grants, index, SECRET_FILE) ||
                     remove_files(grants, index, &grants->err) == 0))
        set_fields(grants, index);
    else
        answer(grants);
}

void grants_forget(struct grants *grants)
{
    grants->done = NULL;
}

void grants_lost(struct grants *grants)
{
    grants->lost = true;
    answer(grants);
}
