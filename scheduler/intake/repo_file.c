/* scheduler/intake/repo_file.c - files of a repository, read at a commit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/repo_file.h"

#include "base/fd.h"
#include "base/glob.h"
#include "base/helper.h"
#include "base/json_texts.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * worker/checkout/protocol.h describes what is said to `checkout --show` and
 * what it answers; no room of ours may include it, so its words stand here for
 * a second time, and the test runs the real program.
 */
#define REQUEST_MAX_BYTES ((size_t)64 << 10)
#define LINE_MAX_BYTES    ((size_t)32 << 10)
#define ANSWER_MAX_BYTES                                                       \
    (REPO_FILE_MAX * REPO_FILE_MAX_BYTES + (REPO_FILE_MAX + 1) * LINE_MAX_BYTES)
#define LATE_MS 2000 /* after that it will not tell why it is late any more */

struct repo_file {
    repo_file_fn *fn;
    void *arg;
    struct strv paths;       /* wanted, the pattern not among them */
    char *pattern;           /* owned; or NULL */
    struct helper *checkout; /* owned */
};

/* What an answer consists of; `files` points into it. */
struct answer {
    struct repo_file_content files[REPO_FILE_MAX];
    json_t *lines[REPO_FILE_MAX + 1]; /* owned */
    size_t count;                     /* files */
    size_t line_count;
    const char *commit, *branch;
    int fetched, more;
};

void repo_file_free(struct repo_file *f)
{
    if (!f)
        return;
    helper_free(f->checkout);
    strv_clear(&f->paths);
    free(f->pattern);
    free(f);
}

/* ---- the answer ------------------------------------------------------------
 */

/* The path of the next file, or NULL: it must not be there. Those that were
 * named come first, and those that fit the pattern in order. */
static const char *path_of(const struct repo_file *f, const struct answer *a,
                           const char *told)
{
    size_t named = f->paths.count;

    if (a->count < named)
        return told ? NULL : f->paths.items[a->count];
    if (!f->pattern || !told || a->count == REPO_FILE_MAX ||
        !glob_match_last(f->pattern, told))
        return NULL;
    if (a->count > named && strcmp(a->files[a->count - 1].path, told) >= 0)
        return NULL;
    return told;
}

static int parse_file(const struct repo_file *f, const json_t *value,
                      struct answer *a, char **rest, const char *end)
{
    const char *why = json_string_value(json_object_get(value, "why"));
    json_int_t size = json_integer_value(json_object_get(value, "size"));
    const char *path =
        path_of(f, a, json_string_value(json_object_get(value, "path")));
    struct repo_file_content *file = &a->files[a->count];

    if (!path)
        return -1;
    a->count++;
    file->path = path;
    if (why) {
        file->why = why;
        return 0;
    }
    if (!json_is_integer(json_object_get(value, "size")) || size < 0 ||
        size > end - *rest || (size_t)size > REPO_FILE_MAX_BYTES)
        return -1;
    file->data = *rest;
    file->len = (size_t)size;
    *rest += size;
    return 0;
}

static bool is_commit(const char *id)
{
    return strlen(id) == 40 && strspn(id, "0123456789abcdef") == 40;
}

/* 1: the last line, and a good one. */
static int parse_line(const struct repo_file *f, json_t *line, struct answer *a,
                      char **rest, const char *end, struct err *err)
{
    const char *kind, *message;

    if (json_unpack(line, "{s:{s:s, s:s}}", "error", "kind", &kind, "message",
                    &message) == 0 &&
        err_kind_find(kind))
        return err_set(err, err_kind_find(kind), "%s", message);
    if (json_unpack(line, "{s:{s:s, s:s, s:b, s?b}}", "done", "commit",
                    &a->commit, "branch", &a->branch, "fetched", &a->fetched,
                    "more", &a->more) == 0 &&
        is_commit(a->commit) && a->count >= f->paths.count && *rest == end)
        return 1;
    if (json_object_get(line, "file") &&
        parse_file(f, json_object_get(line, "file"), a, rest, end) == 0)
        return 0;
    return err_set(err, ERR_BUG, "checkout said what it must not say");
}

static int parse(const struct repo_file *f, const struct strbuf *text,
                 struct answer *a, struct err *err)
{
    char *rest = text->data;
    const char *end = rest + text->len;
    char *newline;
    int rc = 0;

    while (rc == 0 && a->line_count < ARRAY_LEN(a->lines) &&
           (newline = memchr(rest, '\n', (size_t)(end - rest)))) {
        json_t *line = json_loadb(rest, (size_t)(newline - rest),
                                  JSON_REJECT_DUPLICATES, NULL);

        a->lines[a->line_count++] = line;
        rest = newline + 1;
        rc = parse_line(f, line, a, &rest, end, err);
    }
    if (rc == 0)
        return err_set(err, ERR_BUG, "checkout ended without a last word");
    return rc < 0 ? -1 : 0;
}

static void on_ended(void *arg, int status UNUSED, struct strbuf *text,
                     const struct err *ended)
{
    struct repo_file *f = arg;
    struct answer a = {0};
    struct err err = {0};

    if (ended)
        err = *ended;
    if (err.kind == ERR_TIMEOUT)
        (void)err_set(&err, ERR_TRANSIENT,
                      "reading from the repository took too long and was "
                      "stopped");
    if (ended || parse(f, text, &a, &err) < 0)
        f->fn(f->arg, NULL, &err);
    else
        f->fn(f->arg,
              &(struct repo_file_result){a.commit, a.branch, a.files, a.count,
                                         a.fetched, a.more},
              NULL);
    for (size_t i = 0; i < a.line_count; i++)
        json_decref(a.lines[i]);
}

/* ---- starting --------------------------------------------------------------
 */

static const char *text_of(const char *s)
{
    return s ? s : "";
}

static json_t *request_json(const struct repo_file_request *r)
{
    const char *ref = text_of(r->ref);
    CLEANUP(mem) char *mirrors = xasprintf("%s/mirrors", r->state_dir);
    const char *name = text_of(r->branch);
    /* In full, so that it cannot be an id, a tag or a pull request. */
    bool bare = *name && strncmp(name, "refs/heads/", 11) != 0;
    CLEANUP(mem)
    char *branch = xasprintf("%s%s", bare ? "refs/heads/" : "", name);

    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:s, s:s, s:I}", "url",
        text_of(r->repo), "commit", text_of(r->commit), "ref",
        *ref ? ref : branch, "paths", json_texts(r->paths, r->path_count),
        "also", json_texts(r->also, r->also_count), "mirrors", mirrors, "uid",
        (json_int_t)r->uid, "username", text_of(r->username), "password",
        text_of(r->password), "timeout_ms", (json_int_t)r->timeout_ms);
}

/* Whole, into a socket that holds more than its maximum. */
static int send_request(int fd, const struct repo_file_request *request,
                        struct err *err)
{
    json_t *root = request_json(request);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;
    int rc = 0;

    json_decref(root);
    if (!text)
        rc = err_set(err, ERR_USER, "a name of the repository is not UTF-8");
    else if (len > REQUEST_MAX_BYTES)
        rc = err_set(err, ERR_USER, "the repository's names are too long");
    else if (send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        rc = err_sys(err, ERR_TRANSIENT, "cannot pass on a request");
    mem_wipe(text, len);
    free(text);
    return rc;
}

static int spawn(struct repo_file *f, struct loop *loop,
                 const struct repo_file_request *request, int in,
                 struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("checkout");
    CLEANUP(mem) char *launch = proc_libexec("launch");
    CLEANUP(mem) char *us = xasprintf("%d", (int)getpid());
    CLEANUP(strv) struct strv env = {0};
    const char *argv[] = {launch, us, "--", program, "--show", NULL};
    struct helper_spec spec = {
        .name = "checkout",
        .proc = {.argv = argv,
                 .cwd = "/",
                 .in = in,
                 .err = PROC_INHERIT,
                 .new_group = true},
        .max_output = ANSWER_MAX_BYTES,
        .timeout_ms = request->timeout_ms + LATE_MS,
    };

    for (char **entry = environ; *entry; entry++)
        strv_add(&env, *entry);
    strv_setenv(&env, "BERTH_STATE_DIR", request->state_dir);
    spec.proc.envp = env.items;
    if (helper_start(loop, &spec, on_ended, f, &f->checkout, err) == 0)
        return 0;
    err->kind = ERR_TRANSIENT;
    return -1;
}

static void expect(struct repo_file *f, const struct repo_file_request *request)
{
    for (size_t i = 0; i < request->path_count; i++) {
        const char *path = request->paths[i];
        const char *slash = strrchr(path, '/');

        if (strchr(slash ? slash : path, '*') && !f->pattern)
            f->pattern = xstrdup(path);
        else
            strv_add(&f->paths, path);
    }
}

int repo_file_get(struct loop *loop, const struct repo_file_request *request,
                  repo_file_fn *fn, void *arg, struct repo_file **out,
                  struct err *err)
{
    CLEANUP(repo_file) struct repo_file *f = xcalloc(1, sizeof(*f));
    int in[2] = {-1, -1};
    int rc;

    f->fn = fn;
    f->arg = arg;
    if (request->path_count > REPO_FILE_MAX ||
        request->also_count > REPO_FILE_ALSO || request->timeout_ms <= 0)
        return err_set(err, ERR_BUG,
                       "too many files or commits to read, or no time-out");
    expect(f, request);
    rc = fd_socketpair(in, err);
    if (rc == 0)
        rc = send_request(in[0], request, err);
    if (rc == 0)
        rc = spawn(f, loop, request, in[1], err);
    fd_close(&in[0]);
    fd_close(&in[1]);
    if (rc < 0)
        return -1;
    *out = STEAL(f);
    return 0;
}
