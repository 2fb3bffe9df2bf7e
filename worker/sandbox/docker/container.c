/* worker/sandbox/docker/container.c - the container of one sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/docker/container.h"

#include "base/clock.h"
#include "base/fd.h"
#include "worker/sandbox/docker.h"
#include "worker/sandbox/docker/attach.h"
#include "worker/sandbox/mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_MS   30000
#define VOLUMES_MAX 64

static const char *text_of(const json_t *doc, const char *key)
{
    const char *text = json_string_value(json_object_get(doc, key));

    return text ? text : "";
}

/* ---- the engine ------------------------------------------------------- */

static bool has_user_namespace(const json_t *info)
{
    const json_t *list = json_object_get(info, "SecurityOptions"), *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);

        if (text && strcmp(text, "name=userns") == 0)
            return true;
    }
    return false;
}

/* With --userns-remap all that it stores is in a directory named so. */
static bool has_our_uids(const json_t *info)
{
    const char *dir = text_of(info, "DockerRootDir");
    const char *last = strrchr(dir, '/');
    char wanted[32];

    (void)snprintf(wanted, sizeof(wanted), "/%u.%u", SANDBOX_UID_BASE,
                   SANDBOX_UID_BASE);
    return last && strcmp(last, wanted) == 0;
}

static void add_unenforced(const json_t *info, struct strbuf *out)
{
    static const struct {
        const char *key, *name;
    } limits[] = {{"MemoryLimit", "memory"},
                  {"CpuCfsQuota", "cpu"},
                  {"PidsLimit", "pids"}};

    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (!json_is_true(json_object_get(info, limits[i].key)))
            strbuf_addf(out, "%s%s", out->len ? ", " : "", limits[i].name);
}

int container_check(struct engine *engine, struct strbuf *out, struct err *err)
{
    json_t *info;
    int rc = 0;

    if (engine_json(engine, "GET", "/info", NULL, 200, &info, err) < 0)
        return -1;
    if (!has_user_namespace(info) || !has_our_uids(info))
        rc = err_set(
            err, ERR_TRANSIENT,
            "root in the containers of the Docker Engine at '%s' is %s: set "
            "userns-remap in its daemon.json to a user with the line "
            "'<user>:%u:%u' in /etc/subuid and /etc/subgid",
            engine_socket(engine),
            has_user_namespace(info) ? "not of berth's uids"
                                     : "the root of this host",
            SANDBOX_UID_BASE, SANDBOX_UID_COUNT);
    else
        add_unenforced(info, out);
    json_decref(info);
    return rc;
}

/* ---- removing --------------------------------------------------------- */

static bool is_gone(struct engine *engine, const char *container)
{
    CLEANUP(mem) char *path = xasprintf("/containers/%s/json", container);
    struct err ignored;

    return engine_call(engine, "GET", path, NULL, NULL, &ignored) == 404;
}

/* The engine may be removing it already: its process has ended. */
static int remove_one(struct engine *engine, const char *container,
                      struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/containers/%s?force=1&v=1", container);
    CLEANUP(strbuf) struct strbuf answer = STRBUF_MAX(4096);
    int64_t until = clock_mono_ms() + REMOVE_MS;
    int status = engine_call(engine, "DELETE", path, NULL, &answer, err);

    if (status < 0)
        return -1;
    while (status != 204 && status != 404 && !is_gone(engine, container)) {
        struct timespec pause = {.tv_nsec = 20000000L};

        if (status != 409 || clock_mono_ms() > until)
            return err_set(err, ERR_TRANSIENT,
                           "cannot remove container %s: %d %.300s", container,
                           status, answer.data);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

static bool is_wanted(const json_t *container, const char *state_dir,
                      const char *id)
{
    const json_t *labels = json_object_get(container, "Labels");
    const char *owner = text_of(labels, DOCKER_LABEL_ID);
    CLEANUP(mem) char *dir = xasprintf("%s/%s", state_dir, owner);

    /* The engine has looked already; an image may have labels, too. */
    if (strcmp(text_of(labels, DOCKER_LABEL_STATE), state_dir) != 0)
        return false;
    return id ? strcmp(owner, id) == 0 : access(dir, F_OK) < 0;
}

int container_remove_all(struct engine *engine, const char *state_dir,
                         const char *id, struct err *err)
{
    json_t *filter =
        json_pack("{s:[s+]}", "label", DOCKER_LABEL_STATE "=", state_dir);
    char *text = filter ? json_dumps(filter, JSON_COMPACT) : NULL;
    CLEANUP(mem) char *escaped = engine_escape(text ? text : "");
    CLEANUP(mem)
    char *path = xasprintf("/containers/json?all=1&filters=%s", escaped);
    json_t *list, *item;
    size_t i;
    int rc = 0;

    free(text);
    json_decref(filter);
    if (engine_json(engine, "GET", path, NULL, 200, &list, err) < 0)
        return -1;
    json_array_foreach(list, i, item)
    {
        if (is_wanted(item, state_dir, id) &&
            remove_one(engine, text_of(item, "Id"), err) < 0)
            rc = -1;
    }
    json_decref(list);
    return rc;
}

/* ---- making ----------------------------------------------------------- */

/* Volumes of an image are directories of the host that the sandbox could fill
 * up: show it empty ones in their place, which cannot be written. */
static int cover_volumes(const json_t *image, const json_t *spec,
                         json_t *create, struct err *err)
{
    json_t *volumes =
        json_object_get(json_object_get(image, "Config"), "Volumes");
    json_t *mounts =
        json_object_get(json_object_get(create, "HostConfig"), "Mounts");
    const char *path;
    json_t *ignored;

    if (json_object_size(volumes) > VOLUMES_MAX)
        return err_set(err, ERR_USER, "the image has more than %d volumes",
                       VOLUMES_MAX);
    json_object_foreach(volumes, path, ignored)
    {
        bool ours = false;
        size_t i;
        json_t *mount;

        json_array_foreach(mounts, i, mount) ours |=
            strcmp(text_of(mount, "Target"), path) == 0;
        if (!ours)
            json_array_append_new(mounts,
                                  docker_mount(text_of(spec, "empty"), path));
    }
    return 0;
}

/* What the image says about itself, after fetching it where it is missing. */
static int look_at_image(struct engine *engine, const char *image, json_t **out,
                         struct err *err)
{
    CLEANUP(mem) char *name = engine_escape(image);
    CLEANUP(mem) char *path = xasprintf("/images/%s/json", name);

    if (engine_json(engine, "GET", path, NULL, 200, out, err) == 0)
        return 0;
    if (err->kind != ERR_USER)
        return -1;
    if (engine_pull(engine, image, err) < 0)
        return -1;
    return engine_json(engine, "GET", path, NULL, 200, out, err);
}

static int create(struct engine *engine, const json_t *spec, char **out_id,
                  struct err *err)
{
    json_t *body = json_deep_copy(json_object_get(spec, "create"));
    CLEANUP(mem)
    char *path = xasprintf("/containers/create?name=%s", text_of(spec, "name"));
    json_t *image = NULL, *made = NULL;
    int rc = look_at_image(engine, text_of(body, "Image"), &image, err);

    if (rc == 0)
        rc = cover_volumes(image, spec, body, err);
    /* By its digest: the name may mean another image by now. */
    if (rc == 0)
        (void)json_object_set(body, "Image", json_object_get(image, "Id"));
    if (rc == 0)
        rc = engine_json(engine, "POST", path, body, 201, &made, err);
    if (rc == 0)
        *out_id = xstrdup(text_of(made, "Id"));
    json_decref(made);
    json_decref(image);
    json_decref(body);
    return rc < 0 ? err_wrap(err, "cannot create the container") : 0;
}

static int write_pid(struct engine *engine, const char *container,
                     const json_t *spec, struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("/containers/%s/json", container);
    json_t *state, *about;
    char text[24];

    if (engine_json(engine, "GET", path, NULL, 200, &about, err) < 0)
        return -1;
    state = json_object_get(about, "State");
    (void)snprintf(text, sizeof(text), "%lld",
                   json_integer_value(json_object_get(state, "Pid")));
    json_decref(about);
    return file_write(text_of(spec, "pid_file"), text, strlen(text), 0600, err);
}

/* ---- serving ---------------------------------------------------------- */

/* Why it ended: what it printed, or how. */
static int explain(struct engine *engine, const char *container,
                   const struct strbuf *words, struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/containers/%s/json", container);
    CLEANUP(mem) char *text = xstrdup(words->data);
    json_t *about = NULL, *state;
    struct err ignored;

    text[strcspn(text, "\r\n")] = '\0';
    /* It is removed by itself soon: often nothing is known of it any more. */
    if (engine_json(engine, "GET", path, NULL, 200, &about, &ignored) < 0)
        return err_set(err, ERR_TRANSIENT, "the container ended%s%.300s",
                       *text ? ": " : "", text);
    state = json_object_get(about, "State");
    (void)err_set(err, ERR_TRANSIENT, "the container ended with %lld%s%s%.300s",
                  json_integer_value(json_object_get(state, "ExitCode")),
                  json_is_true(json_object_get(state, "OOMKilled"))
                      ? " (out of memory)"
                      : "",
                  *text ? ": " : "", text);
    json_decref(about);
    return -1;
}

static int serve(struct engine *engine, const char *container,
                 const json_t *spec, struct err *err)
{
    CLEANUP(mem) char *start = xasprintf("/containers/%s/start", container);
    CLEANUP(strbuf) struct strbuf words = STRBUF_MAX(4096);
    CLEANUP(fd) int fd = -1;
    struct attach_spec attach = {
        .in = STDIN_FILENO, .out = STDOUT_FILENO, .stderr_ = &words};
    enum attach_end end;
    int rc;

    if (attach_open(engine_socket(engine), container, &fd, err) < 0 ||
        engine_json(engine, "POST", start, NULL, 204, NULL, err) < 0)
        return err_wrap(err, "cannot start the container");
    attach.fd = fd;
    if (write_pid(engine, container, spec, err) < 0)
        return -1;
    rc = attach_pump(&attach, &end, err);
    /* From now on that number may be another's. */
    (void)unlink(text_of(spec, "pid_file"));
    if (rc < 0)
        return -1;
    if (end == ATTACH_ASKED)
        return 0;
    return explain(engine, container, &words, err);
}

int container_run(struct engine *engine, const json_t *spec, struct err *err)
{
    CLEANUP(mem) char *container = NULL;
    struct err left;
    int rc = create(engine, spec, &container, err);

    if (rc == 0)
        rc = serve(engine, container, spec, err);
    if (container && remove_one(engine, container, &left) == 0)
        /* Nothing of it is left for others to remove. */
        (void)unlink(text_of(spec, "record"));
    else if (container && rc == 0)
        rc = err_set(err, ERR_TRANSIENT, "%s", left.msg);
    return rc;
}
