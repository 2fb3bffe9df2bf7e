/* worker/sandbox/session_files.c - file operations. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/session_impl.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TASKS    4
#define PATTERNS_MAX ((size_t)48 << 10)
/* A stranger can stop the helper, which runs as the same user. */
#define STALL_MS 30000

static bool serve_put(struct task *task, const struct frame *frame);
static bool serve_read(struct task *task, const struct frame *frame);
static bool serve_tree(struct task *task, const struct frame *frame);
static bool serve_clear(struct task *task, const struct frame *frame);

static const struct task_type put_type = {"write", MAX_TASKS, TASK_FILE,
                                          serve_put};
static const struct task_type get_type = {"read", MAX_TASKS, TASK_FILE,
                                          serve_read};
static const struct task_type list_type = {"list", MAX_TASKS, TASK_FILE,
                                           serve_read};
static const struct task_type tree_type = {"copy", MAX_TASKS, TASK_FILE,
                                           serve_tree};
static const struct task_type clear_type = {"clear", MAX_TASKS, TASK_FILE,
                                            serve_clear};

static void watch(struct task *task);

static void on_stall(void *arg)
{
    struct task *task = arg;

    task->stall = NULL;
    if (task->session->held) {
        watch(task);
        return;
    }
    /* The second time even the kill went unanswered. */
    if (task->stalled) {
        struct session_events events = task->session->events;
        struct err err;

        (void)err_set(&err, ERR_TRANSIENT, "the agent does not answer");
        events.closed(events.arg, &err);
        return;
    }
    task->stalled = true;
    task_send(task, AGENT_DROP, NULL, 0);
    watch(task);
}

static void watch(struct task *task)
{
    loop_remove(task->stall);
    task->stall = loop_add_timer(task->session->loop,
                                 clock_mono_ms() + STALL_MS, on_stall, task);
}

static void progress(struct task *task)
{
    if (!task->stalled)
        watch(task);
}

/* ---- asking ----------------------------------------------------------- */

/* NULL, having filled `err`: not now, or not that path. */
static struct task *begin(struct session *s, const struct task_type *type,
                          const char *path, sandbox_file_fn *done, void *arg,
                          struct err *err)
{
    struct task *task;

    if (path[0] != '/' || strlen(path) > AGENT_PATH_MAX) {
        (void)err_set(err, ERR_USER, "'%.200s' is no absolute path", path);
        return NULL;
    }
    task = task_new(s, type, arg, err);
    if (!task)
        return NULL;
    task->done = done;
    watch(task);
    return task;
}

int session_put(struct session *s, const char *dir, struct feed *feed,
                sandbox_file_fn *done, void *arg, struct err *err)
{
    CLEANUP(feed) struct feed *mine = feed;
    struct task *task = begin(s, &put_type, dir, done, arg, err);

    if (!task)
        return -1;
    task->feed = STEAL(mine);
    task_send(task, AGENT_PUT, dir, strlen(dir));
    task_send_more(task);
    return 0;
}

int session_get(struct session *s, const char *path, size_t max_bytes,
                sandbox_file_fn *done, void *arg, struct err *err)
{
    CLEANUP(strbuf) struct strbuf request = STRBUF_INIT;
    struct task *task = begin(s, &get_type, path, done, arg, err);

    if (!task)
        return -1;
    task->data.max_bytes = max_bytes + 1;
    wire_add(&request, max_bytes, 8);
    strbuf_adds(&request, path);
    task_send(task, AGENT_GET, request.data, request.len);
    return 0;
}

int session_list(struct session *s, const char *path, sandbox_list_fn *done,
                 void *arg, struct err *err)
{
    struct task *task = begin(s, &list_type, path, NULL, arg, err);

    if (!task)
        return -1;
    task->listed = done;
    task->data.max_bytes = (size_t)AGENT_LIST_MAX * (AGENT_ENTRY_SIZE + 256);
    task_send(task, AGENT_LIST, path, strlen(path));
    return 0;
}

int session_tree(struct session *s, const struct sandbox_tree *tree,
                 sandbox_file_fn *done, void *arg, struct err *err)
{
    CLEANUP(strbuf) struct strbuf request = STRBUF_MAX(PATTERNS_MAX);
    CLEANUP(unpack) struct unpack *unpack = NULL;
    struct task *task;

    wire_add(&request, tree->patterns ? AGENT_TREE_FILES : 0, 1);
    wire_add(&request, tree->max_bytes, 8);
    wire_add(&request, tree->max_entries, 4);
    strbuf_add(&request, tree->path, strlen(tree->path) + 1);
    for (size_t i = 0; tree->patterns && tree->patterns[i]; i++)
        strbuf_add(&request, tree->patterns[i], strlen(tree->patterns[i]) + 1);
    if (request.truncated)
        return err_set(err, ERR_USER, "the patterns are longer than 48 KiB");
    if (unpack_new(tree, &unpack, err) < 0)
        return -1;
    task = begin(s, &tree_type, tree->path, done, arg, err);
    if (!task)
        return -1;
    task->unpack = STEAL(unpack);
    task_send(task, AGENT_TREE, request.data, request.len);
    return 0;
}

int session_clear(struct session *s, const char *path, sandbox_file_fn *done,
                  void *arg, struct err *err)
{
    struct task *task = begin(s, &clear_type, path, done, arg, err);

    if (!task)
        return -1;
    task_send(task, AGENT_CLEAR, path, strlen(path));
    return 0;
}

void session_stop_files(struct session *s)
{
    struct task *task;

    LIST_FOREACH(task, &s->tasks, link)
    {
        if (task->type->class != TASK_FILE || task->stalled)
            continue;
        task->stalled = true;
        task_send(task, AGENT_DROP, NULL, 0);
        watch(task);
    }
}

/* ---- answers ---------------------------------------------------------- */

/* What an errno means here, where the system's own words would not help. */
static const char *explain(int sys)
{
    switch (sys) {
    case EXDEV:
    case ELOOP:
        return "a link leads out of its directory, or it is too deep";
    case E2BIG:
        return "there are too many files";
    case EFBIG:
        return "it is too large";
    case ESTALE:
        return "it changed while it was read";
    case EAGAIN:
        return "no process is left for it, or names changed all the time";
    default:
        return strerrordesc_np(sys) ? strerrordesc_np(sys) : "error";
    }
}

static int file_error(struct task *task, const struct frame *frame)
{
    int sys = (int)wire_u32(frame->data);
    int len = (int)(frame->len - 4);
    const char *about = (const char *)frame->data + 4;

    if (task->err.kind != ERR_NONE)
        return -1;
    if (task->stalled)
        return err_set(&task->err, ERR_USER, "a file operation was stopped");
    if (!sys)
        return task->unpack ? unpack_end(task->unpack, &task->err) : 0;
    if (sys == EFBIG && task->type == &get_type)
        return err_set(&task->err, ERR_USER, "'%.*s' is larger than %zu bytes",
                       len, about, task->data.max_bytes - 1);
    (void)err_set(&task->err, ERR_USER, "cannot %s '%.*s' in the sandbox: %s",
                  task->type->verb, len, about, explain(sys));
    task->err.sys = sys;
    return -1;
}

static int by_name(const void *a, const void *b)
{
    const struct sandbox_entry *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* One entry of a list; the number of its bytes, or 0 when it is none. */
static size_t take_entry(char *p, size_t left, struct sandbox_entry *out)
{
    const uint8_t *head = (const uint8_t *)p;
    size_t len;

    if (left <= AGENT_ENTRY_SIZE)
        return 0;
    len = wire_u32(head + 21);
    if (!len || len > 255 || len > left - AGENT_ENTRY_SIZE)
        return 0;
    out->type = head[0] == AGENT_ENTRY_FILE   ? SANDBOX_FILE
                : head[0] == AGENT_ENTRY_DIR  ? SANDBOX_DIR
                : head[0] == AGENT_ENTRY_LINK ? SANDBOX_LINK
                                              : SANDBOX_OTHER;
    out->mode = wire_u32(head + 1) & 0777;
    out->size_bytes = wire_u64(head + 5);
    out->changed_ms = (int64_t)(wire_u64(head + 13) / 1000000);
    /* Where the head was there is room for the NUL. */
    memmove(p, p + AGENT_ENTRY_SIZE, len);
    p[len] = '\0';
    out->name = p;
    return AGENT_ENTRY_SIZE + len;
}

static void tell_list(sandbox_list_fn *done, void *arg, char *data, size_t len)
{
    struct sandbox_entry *entries =
        xcalloc(len / AGENT_ENTRY_SIZE + 1, sizeof(*entries));
    struct err err = {0};
    size_t count = 0, used = 0, n = 0;

    while (used < len &&
           (n = take_entry(data + used, len - used, &entries[count])) > 0) {
        /* A name is one: nobody may take it for a path. */
        if (strchr(entries[count].name, '/'))
            break;
        used += n;
        count++;
    }
    if (used < len)
        (void)err_set(&err, ERR_TRANSIENT,
                      "the sandbox's agent sent no list of names");
    qsort(entries, count, sizeof(*entries), by_name);
    done(arg, used < len ? NULL : entries, used < len ? 0 : count,
         used < len ? &err : NULL);
    free(entries);
}

static void finish(struct task *task, const struct frame *frame)
{
    sandbox_file_fn *done = task->done;
    sandbox_list_fn *listed = task->listed;
    void *arg = task->arg;
    bool failed = file_error(task, frame) < 0;
    bool reads = task->type == &get_type;
    struct err err = task->err;
    size_t len = task->data.len;
    CLEANUP(mem) char *data = strbuf_take(&task->data);

    task_free(task);
    if (listed && failed)
        listed(arg, NULL, 0, &err);
    else if (listed)
        tell_list(listed, arg, data, len);
    else
        done(arg, failed || !reads ? NULL : data, failed || !reads ? 0 : len,
             failed ? &err : NULL);
}

static bool is_done(struct task *task, const struct frame *frame)
{
    if (frame->type != AGENT_DONE || frame->len < 4) {
        progress(task);
        return false;
    }
    finish(task, frame);
    return true;
}

static bool serve_put(struct task *task, const struct frame *frame)
{
    return is_done(task, frame) ||
           (frame->type == AGENT_ACK && task_acknowledge(task, frame));
}

static bool serve_read(struct task *task, const struct frame *frame)
{
    if (is_done(task, frame))
        return true;
    if (frame->type != AGENT_GOT)
        return false;
    strbuf_add(&task->data, frame->data, frame->len);
    return !task->data.truncated;
}

static bool serve_tree(struct task *task, const struct frame *frame)
{
    if (is_done(task, frame))
        return true;
    if (frame->type != AGENT_GOT)
        return false;
    if (task->err.kind == ERR_NONE &&
        unpack_add(task->unpack, frame->data, frame->len, &task->err) < 0)
        task_send(task, AGENT_DROP, NULL, 0);
    return true;
}

/* Its bytes are signs of life. */
static bool serve_clear(struct task *task, const struct frame *frame)
{
    return is_done(task, frame) || frame->type == AGENT_GOT;
}
