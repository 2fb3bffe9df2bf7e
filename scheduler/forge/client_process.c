/* scheduler/forge/client_process.c - a `forge` program, from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/client_impl.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"
#include "scheduler/forge/body.h"
#include "scheduler/forge/protocol.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define REST_MS     100 /* after it died; doubled each time it does at once */
#define REST_MAX_MS 15000
#define FAILING_MS  800                       /* died four times in a row */
#define PATIENCE_MS ((int64_t)15 * 60 * 1000) /* for one question */
#define REAP_MS     5000

struct forge_process {
    struct forge_process_spec spec;
    pid_t pid;                    /* -1: not running */
    struct loop_source *child;    /* borrowed from the loop, as the timers */
    struct loop_source *rest;     /* until it may be started again */
    struct loop_source *patience; /* for the question that it has */
    struct channel *channel;      /* owned */
    struct strbuf answer;         /* parts of it */
    uint32_t id;                  /* of the last question */
    bool busy;
    int64_t rest_ms; /* the last one; 0: it answered since */
};

/* ---- its end -------------------------------------------------------------
 */

static void answer_clear(struct forge_process *p)
{
    /* It may have been a token. */
    mem_wipe(p->answer.data, p->answer.len);
    strbuf_clear(&p->answer);
    p->answer = (struct strbuf)STRBUF_MAX(FORGE_MAX_DOCUMENT);
}

static void on_rested(void *arg)
{
    struct forge_process *p = arg;

    p->rest = NULL;
    p->spec.on_ready(p->spec.arg);
}

static void rest(struct forge_process *p)
{
    p->rest_ms = p->rest_ms ? p->rest_ms * 2 : REST_MS;
    if (p->rest_ms > REST_MAX_MS)
        p->rest_ms = REST_MAX_MS;
    loop_remove(p->rest);
    p->rest = loop_add_timer(p->spec.loop, clock_mono_ms() + p->rest_ms,
                             on_rested, p);
}

/* It, and what it is asked; the question's fate is the caller's. */
static void stop(struct forge_process *p)
{
    int status;

    loop_remove(p->child);
    loop_remove(p->patience);
    p->child = p->patience = NULL;
    channel_free(STEAL(p->channel));
    answer_clear(p);
    p->busy = false;
    if (p->pid < 0)
        return;
    (void)kill(p->pid, SIGKILL);
    if (proc_wait(p->pid, REAP_MS, &status, NULL) < 0)
        status = 0; /* nothing hangs on it */
    p->pid = -1;
}

static void died(struct forge_process *p, const char *why)
{
    bool busy = p->busy;

    stop(p);
    rest(p);
    if (busy)
        p->spec.on_answer(p->spec.arg, NULL, why);
    else
        p->spec.on_ready(p->spec.arg);
}

static void on_ended(void *arg, pid_t pid UNUSED, int status)
{
    struct forge_process *p = arg;
    CLEANUP(mem) char *why = NULL;

    p->child = NULL;
    p->pid = -1;
    if (WIFSIGNALED(status))
        why = xasprintf("the program that asks it died of signal %d",
                        WTERMSIG(status));
    else
        why = xasprintf("the program that asks it ended with %d",
                        WEXITSTATUS(status));
    died(p, why);
}

static void on_closed(void *arg, const struct err *err)
{
    struct forge_process *p = arg;

    /* Of its end its parent is told, with more to say. */
    if (err)
        died(p, "the program that asks it makes no sense");
}

static void on_patience(void *arg)
{
    struct forge_process *p = arg;

    p->patience = NULL;
    died(p, "the program that asks it took too long");
}

/* ---- answers -------------------------------------------------------------
 */

static void on_answer(struct forge_process *p)
{
    json_t *answer = NULL;

    if (!p->answer.truncated)
        answer = body_parse(p->answer.data, p->answer.len, NULL);
    if (!answer) {
        died(p, "the program that asks it makes no sense");
        return;
    }
    answer_clear(p);
    loop_remove(STEAL(p->patience));
    p->busy = false;
    p->rest_ms = 0;
    p->spec.on_answer(p->spec.arg, answer, NULL);
    json_decref(answer);
}

static void on_frame(void *arg, const struct frame *frame)
{
    struct forge_process *p = arg;

    if (!p->busy || frame->id != p->id)
        return;
    strbuf_add(&p->answer, frame->data, frame->len);
    if (frame->type == FORGE_FRAME_ANSWER)
        on_answer(p);
}

/* ---- its beginning -------------------------------------------------------
 */

/* Not what else is secret in ours. */
static void list_environment(struct strv *out)
{
    static const char *const names[] = {
        "PATH",          "TZ",           "LANG",         "LC_ALL",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy",   "https_proxy",
        "HTTPS_PROXY",   "all_proxy",    "ALL_PROXY",    "no_proxy",
        "NO_PROXY",      "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);

        if (value)
            strv_setenv(out, names[i], value);
    }
}

static int spawn(struct forge_process *p, int theirs, struct err *err)
{
    CLEANUP(strv) struct strv env = {0};
    CLEANUP(mem) char *program = proc_libexec("forge");
    const char *const argv[] = {program, NULL};
    const struct proc_fd fd = {theirs, 3};
    struct proc_spec spec = {.argv = argv,
                             .in = PROC_NULL,
                             .out = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = &fd,
                             .fd_count = 1,
                             .new_group = true};

    strv_add(&env, "HOME=/nonexistent");
    list_environment(&env);
    spec.envp = env.items;
    return proc_spawn(&spec, &p->pid, err);
}

static void send_document(struct forge_process *p, uint8_t type, uint8_t more,
                          const json_t *document)
{
    char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(6));
    size_t len = text ? strlen(text) : 0, at = 0;

    for (; len - at > FRAME_MAX_PAYLOAD; at += FRAME_MAX_PAYLOAD)
        channel_send(p->channel, more, p->id, text + at, FRAME_MAX_PAYLOAD);
    channel_send(p->channel, type, p->id, text ? text + at : "", len - at);
    mem_wipe(text, len);
    free(text);
}

static int start(struct forge_process *p, struct err *err)
{
    struct channel_spec spec = {
        .on_frame = on_frame, .on_closed = on_closed, .arg = p, .secret = true};
    int ends[2];
    int rc;

    if (fd_socketpair(ends, err) < 0)
        return -1;
    rc = spawn(p, ends[1], err);
    fd_close(&ends[1]);
    if (rc < 0) {
        fd_close(&ends[0]);
        return -1;
    }
    spec.in_fd = spec.out_fd = ends[0];
    if (channel_new(p->spec.loop, &spec, &p->channel, err) < 0 ||
        loop_add_child(p->spec.loop, p->pid, on_ended, p, &p->child, err) < 0) {
        stop(p);
        return -1;
    }
    send_document(p, FORGE_FRAME_SETUP, FORGE_FRAME_MORE, p->spec.setup);
    return 0;
}

/* ---- the outside ---------------------------------------------------------
 */

struct forge_process *forge_process_new(const struct forge_process_spec *spec)
{
    struct forge_process *p = xcalloc(1, sizeof(*p));

    p->spec = *spec;
    p->pid = -1;
    answer_clear(p);
    return p;
}

void forge_process_free(struct forge_process *p)
{
    if (!p)
        return;
    stop(p);
    loop_remove(p->rest);
    strbuf_clear(&p->answer);
    free(p);
}

bool forge_process_is_ready(const struct forge_process *p)
{
    return !p->busy && !p->rest;
}

bool forge_process_is_failing(const struct forge_process *p)
{
    return p->rest_ms >= FAILING_MS;
}

int forge_process_ask(struct forge_process *p, const json_t *document,
                      struct err *err)
{
    if (p->pid < 0 && start(p, err) < 0) {
        rest(p);
        return err_wrap(err, "the program that asks it cannot be started");
    }
    p->id++;
    p->busy = true;
    p->patience = loop_add_timer(p->spec.loop, clock_mono_ms() + PATIENCE_MS,
                                 on_patience, p);
    send_document(p, FORGE_FRAME_ASK, FORGE_FRAME_MORE, document);
    return 0;
}
