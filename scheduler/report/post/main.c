/* scheduler/report/post/main.c - the program `forge`: asks one Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine.h"
#include "base/fd.h"
#include "base/frame.h"
#include "base/log.h"
#include "scheduler/forge/body.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/report/post/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHANNEL     3
#define CHUNK       65536
#define ADDRESS_MAX ((uint64_t)2 << 30)
#define FILES_MAX   64

/* Who may not be traced cannot be looked through for leaks at its end. */
#if defined(__SANITIZE_ADDRESS__)
const char *
__asan_default_options(void); /* NOLINT(bugprone-reserved-identifier) */
const char *
__asan_default_options(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return "detect_leaks=0";
}
#endif

struct forge_program {
    struct api *api;        /* owned; NULL before SETUP */
    struct strbuf in;       /* bytes that are no whole frame yet */
    struct strbuf document; /* what MORE brought */
};

/* Reading stays free: name servers and certificates change while it runs. */
static int confine(struct err *err)
{
    CLEANUP(strv) struct strv none = {0};
    const struct confine_files files = {.writes = &none};

    if (confine_limit(RLIMIT_CORE, 0, err) < 0 ||
        confine_limit(RLIMIT_NOFILE, FILES_MAX, err) < 0 ||
        confine_memory(ADDRESS_MAX, err) < 0 ||
        confine_process(getppid(), err) < 0)
        return -1;
    return confine_files(&files, err);
}

/* ---- frames --------------------------------------------------------------
 */

static int send_frame(uint8_t type, uint32_t id, const char *data, size_t len,
                      struct err *err)
{
    uint8_t header[FRAME_HEADER_SIZE];

    frame_put_header(header, type, id, (uint32_t)len);
    if (fd_write_all(CHANNEL, header, sizeof(header), err) < 0)
        return -1;
    return fd_write_all(CHANNEL, data, len, err);
}

/* `answer` is taken over. */
static int send_answer(uint32_t id, json_t *answer, struct err *err)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(6));
    size_t len = text ? strlen(text) : 0, at = 0;
    int rc = 0;

    json_decref(answer);
    if (!text || len > FORGE_MAX_DOCUMENT) {
        const struct api_failure none = {API_REFUSED, 0, 0};
        struct err why = {0};
        json_t *error;

        (void)err_set(&why, ERR_USER, "the answer is larger than %zu bytes",
                      FORGE_MAX_DOCUMENT);
        error = ops_error(&none, &why);
        free(text);
        text = json_dumps(error, JSON_COMPACT);
        json_decref(error);
        len = text ? strlen(text) : 0;
    }
    for (; rc == 0 && len - at > FRAME_MAX_PAYLOAD; at += FRAME_MAX_PAYLOAD)
        rc =
            send_frame(FORGE_FRAME_PART, id, text + at, FRAME_MAX_PAYLOAD, err);
    if (rc == 0)
        rc = send_frame(FORGE_FRAME_ANSWER, id, text ? text + at : "", len - at,
                        err);
    mem_wipe(text, len);
    free(text);
    return rc;
}

static int on_setup(struct forge_program *program, struct err *err)
{
    const struct strbuf *document = &program->document;
    json_t *setup;
    int rc;

    if (program->api)
        return err_set(err, ERR_BUG, "it is set up twice");
    setup = body_parse(document->data, document->len, err);
    if (!setup)
        return err_wrap(err, "the setup");
    rc = api_new(setup, &program->api, err);
    json_decref(setup);
    return rc;
}

static int on_ask(struct forge_program *program, uint32_t id, struct err *err)
{
    const struct strbuf *document = &program->document;
    const struct api_failure none = {API_REFUSED, 0, 0};
    struct err why = {0};
    json_t *ask = NULL, *answer;

    if (!program->api)
        return err_set(err, ERR_BUG, "it is asked before it is set up");
    if (document->truncated)
        (void)err_set(&why, ERR_USER, "what is asked is larger than %zu bytes",
                      FORGE_MAX_DOCUMENT);
    else
        ask = body_parse(document->data, document->len, &why);
    answer = ask ? ops_answer(program->api, ask) : ops_error(&none, &why);
    json_decref(ask);
    return send_answer(id, answer, err);
}

static void document_clear(struct forge_program *program)
{
    mem_wipe(program->document.data, program->document.len);
    strbuf_clear(&program->document);
    program->document = (struct strbuf)STRBUF_MAX(FORGE_MAX_DOCUMENT);
}

static int on_frame(struct forge_program *program, const struct frame *frame,
                    struct err *err)
{
    int rc = 0;

    strbuf_add(&program->document, frame->data, frame->len);
    if (frame->type == FORGE_FRAME_MORE)
        return 0;
    if (frame->type == FORGE_FRAME_SETUP)
        rc = on_setup(program, err);
    else if (frame->type == FORGE_FRAME_ASK)
        rc = on_ask(program, frame->id, err);
    document_clear(program);
    return rc;
}

/* ---- all of it -----------------------------------------------------------
 */

/* 1 and some more bytes, 0 at the end. */
static int read_some(struct forge_program *program, struct err *err)
{
    char chunk[CHUNK];
    ssize_t n;

    do
        n = read(CHANNEL, chunk, sizeof(chunk));
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != ECONNRESET)
        return err_sys(err, ERR_TRANSIENT, "cannot read");
    if (n <= 0)
        return 0;
    strbuf_add(&program->in, chunk, (size_t)n);
    mem_wipe(chunk, (size_t)n);
    return 1;
}

static int serve(struct forge_program *program, struct err *err)
{
    struct strbuf *in = &program->in;
    struct frame frame;
    int64_t used;
    int rc;

    while ((rc = read_some(program, err)) > 0) {
        while ((used = frame_parse(in->data, in->len, &frame)) > 0) {
            if (on_frame(program, &frame, err) < 0)
                return -1;
            mem_wipe(in->data, (size_t)used);
            strbuf_consume(in, (size_t)used);
        }
        if (used < 0)
            return err_set(err, ERR_BUG, "a frame is too large");
    }
    return rc;
}

int main(void)
{
    struct forge_program program = {
        .in = STRBUF_MAX(FRAME_HEADER_SIZE + FRAME_MAX_PAYLOAD + CHUNK),
        .document = STRBUF_MAX(FORGE_MAX_DOCUMENT)};
    struct err err = {0};
    int rc;

    log_init("forge", LOG_WARN);
    if (fcntl(CHANNEL, F_GETFD) < 0) {
        log_error("usage: a scheduler starts it (scheduler/forge/protocol.h)");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    json_object_seed(0);
    body_wipe_freed();
    rc = confine(&err);
    if (rc == 0)
        rc = serve(&program, &err);
    if (rc < 0)
        log_error("%s", err.msg);
    api_free(program.api);
    document_clear(&program);
    strbuf_clear(&program.document);
    mem_wipe(program.in.data, program.in.len);
    strbuf_clear(&program.in);
    return rc < 0;
}
