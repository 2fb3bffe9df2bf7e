/* worker/sandbox/docker/engine.c - calls of the Docker Engine's API. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/docker/engine.h"

#include "base/http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS      60000
#define PULL_MS      ((int64_t)15 * 60 * 1000)
#define ANSWER_MAX   ((size_t)4 << 20)
#define PULL_MAX     ((size_t)256 << 20) /* of lines about its progress */
#define PROGRESS_MAX ((size_t)16 << 10)

struct engine {
    char *socket; /* owned, like the rest */
    struct loop *loop;
    struct http *http;
};

int engine_new(const char *socket, struct engine **out_engine, struct err *err)
{
    CLEANUP(engine) struct engine *engine = xcalloc(1, sizeof(*engine));

    engine->socket = xstrdup(socket);
    if (loop_new(&engine->loop, err) < 0 ||
        http_new(engine->loop, &engine->http, err) < 0)
        return -1;
    *out_engine = STEAL(engine);
    return 0;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    http_free(engine->http);
    loop_free(engine->loop);
    free(engine->socket);
    free(engine);
}

const char *engine_socket(const struct engine *engine)
{
    return engine->socket;
}

static struct http_request request_of(const struct engine *engine,
                                      const char *method, const char *url)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          NULL};

    return (struct http_request){
        .method = method,
        .url = url,
        .unix_socket = engine->socket,
        .headers = headers,
        .timeout_ms = CALL_MS,
        .max_bytes = ANSWER_MAX,
    };
}

int engine_call(struct engine *engine, const char *method, const char *path,
                const json_t *body, struct strbuf *out, struct err *err)
{
    CLEANUP(mem) char *url = xasprintf("http://docker/" ENGINE_API "%s", path);
    struct http_request request = request_of(engine, method, url);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int status, rc;

    /* A POST without a body has none, but says so. */
    request.body = text ? text : strcmp(method, "POST") == 0 ? "" : NULL;
    request.body_len = text ? strlen(text) : 0;
    rc = http_run(engine->http, &request, &status, out, err);
    free(text);
    return rc < 0 ? err_wrap(err, "the Docker Engine does not answer") : status;
}

/* {"message": "…"} of an answer, else what it says. */
static void quote(const char *answer, char *out, size_t size)
{
    json_t *doc = json_loads(answer, 0, NULL);
    const char *message = json_string_value(json_object_get(doc, "message"));

    (void)snprintf(out, size, "%s", message ? message : answer);
    out[strcspn(out, "\r\n")] = '\0';
    json_decref(doc);
}

int engine_json(struct engine *engine, const char *method, const char *path,
                const json_t *body, int wanted, json_t **out, struct err *err)
{
    CLEANUP(strbuf) struct strbuf answer = STRBUF_MAX(ANSWER_MAX);
    char message[512];
    int status = engine_call(engine, method, path, body, &answer, err);
    json_t *doc;

    if (status < 0)
        return -1;
    if (status != wanted) {
        quote(answer.data, message, sizeof(message));
        return err_set(
            err, status == 400 || status == 404 ? ERR_USER : ERR_TRANSIENT,
            "the Docker Engine answers %d: %s", status, message);
    }
    if (!out)
        return 0;
    doc = json_loads(answer.data, 0, NULL);
    if (!doc)
        return err_set(err, ERR_TRANSIENT,
                       "the Docker Engine's answer is no JSON");
    *out = doc;
    return 0;
}

/* ---- fetching an image ------------------------------------------------ */

struct pull {
    struct strbuf line;
    char error[512];
};

static void take_line(struct pull *pull)
{
    json_t *doc = json_loads(pull->line.data, 0, NULL);
    const char *error = json_string_value(json_object_get(doc, "error"));

    if (error)
        (void)snprintf(pull->error, sizeof(pull->error), "%s", error);
    json_decref(doc);
    strbuf_clear(&pull->line);
}

static int on_progress(void *arg, const void *data, size_t len)
{
    struct pull *pull = arg;
    const char *text = data;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            take_line(pull);
        else
            strbuf_addc(&pull->line, text[i]);
    }
    return 0;
}

int engine_pull(struct engine *engine, const char *image, struct err *err)
{
    CLEANUP(mem) char *name = engine_escape(image);
    CLEANUP(mem)
    char *url = xasprintf(
        "http://docker/" ENGINE_API "/images/create?fromImage=%s%s", name,
        /* Without a tag it would fetch all there are. */
        strrchr(image, ':') > strrchr(image, '/') || strchr(image, '@')
            ? ""
            : "&tag=latest");
    struct http_request request = request_of(engine, "POST", url);
    struct pull pull = {.line = STRBUF_MAX(PROGRESS_MAX)};
    int status, rc;

    request.body = "";
    request.timeout_ms = PULL_MS;
    request.max_bytes = PULL_MAX;
    request.on_data = on_progress;
    request.arg = &pull;
    rc = http_run(engine->http, &request, &status, NULL, err);
    if (rc == 0 && pull.line.len) {
        if (status != 200)
            quote(pull.line.data, pull.error, sizeof(pull.error));
        else
            take_line(&pull);
    }
    strbuf_clear(&pull.line);
    if (rc < 0)
        return err_wrap(err, "cannot fetch image '%s'", image);
    if (status == 200 && !*pull.error)
        return 0;
    return err_set(err, ERR_USER, "cannot fetch image '%s': %s", image,
                   *pull.error ? pull.error : "error");
}

char *engine_escape(const char *text)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || strchr("-._~", *text))
            strbuf_addc(&out, *text);
        else
            strbuf_addf(&out, "%%%02X", (unsigned char)*text);
    }
    return strbuf_take(&out);
}
