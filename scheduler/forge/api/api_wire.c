/* scheduler/forge/api/api_wire.c - one request and its answer. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"

#include "base/clock.h"
#include "scheduler/forge/body.h"
#include "scheduler/forge/limits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AGAIN_MS     300  /* before a GET that went away is sent once more */
#define SHORT_MS     2000 /* as long a pause is waited for here */
#define SHOWN_PATH   200
#define SHOWN_ANSWER 400

/* An exchange under way. */
struct exchange {
    struct api_answer *answer; /* borrowed */
    bool over, too_large;
    struct err err;
};

static void pause_ms(int64_t ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

/* ---- the exchange --------------------------------------------------------
 */

static int on_data(void *arg, const void *data, size_t len)
{
    struct exchange *exchange = arg;
    struct strbuf *text = &exchange->answer->text;

    if (len > API_MAX_ANSWER - text->len) {
        exchange->too_large = true;
        return -1;
    }
    strbuf_add(text, data, len);
    return 0;
}

static void on_done(void *arg, const struct http_response *response,
                    const struct err *err)
{
    struct exchange *exchange = arg;

    exchange->over = true;
    if (err) {
        exchange->err = *err;
        return;
    }
    exchange->answer->status = response->status;
    for (size_t i = 0; i < response->headers->count; i++)
        strv_add(&exchange->answer->headers, response->headers->items[i]);
}

static void list_headers(const struct api *api,
                         const struct api_request *request, const char *auth,
                         struct strv *out)
{
    const char *accept = api->kind == FORGE_GITHUB
                             ? "application/vnd.github+json"
                             : "application/json";

    strv_add(out, "User-Agent: berth/" BERTH_VERSION);
    strv_addf(out, "Accept: %s", request->accept ? request->accept : accept);
    if (api->kind == FORGE_GITHUB)
        strv_add(out, "X-GitHub-Api-Version: 2022-11-28");
    if (request->body)
        strv_add(out, "Content-Type: application/json");
    if (*auth)
        strv_add(out, auth);
}

/* What it ended with is in `exchange`; -1 for what never began. */
static int exchange_once(struct api *api, const struct api_request *request,
                         const char *url, const char *auth,
                         struct exchange *exchange, struct err *err)
{
    CLEANUP(strv) struct strv headers = {0};
    char *body = request->body ? json_dumps(request->body, JSON_COMPACT) : NULL;
    struct http_request http = {.method = request->method,
                                .url = url,
                                .body = body,
                                .body_len = body ? strlen(body) : 0,
                                .ca_file = api->ca,
                                .once = request->is_write,
                                .timeout_ms = api->timeout_ms,
                                .max_bytes =
                                    2 * API_MAX_ANSWER, /* on_data's is less */
                                .on_data = on_data,
                                .done = on_done,
                                .arg = exchange};
    struct http_call *call;
    int rc = -1;

    list_headers(api, request, auth, &headers);
    http.headers = (const char *const *)headers.items;
    api->requests++;
    if (request->body && !body)
        (void)err_set(err, ERR_BUG, "this cannot be sent as JSON");
    else
        rc = http_send(api->http, &http, &call, err);
    while (rc == 0 && !exchange->over)
        if ((rc = loop_step(api->loop, -1, err)) < 0)
            http_cancel(call);
    if (*auth)
        mem_wipe(headers.items[headers.count - 1], strlen(auth));
    free(body);
    return rc;
}

/* ---- what it means -------------------------------------------------------
 */

static bool is_json(const struct api_answer *answer, const char *accept)
{
    return !accept && answer->text.len > 0 && answer->status != 204;
}

/* A host that is being mended answers 200 and a page for people, too. */
static int read_json(struct api *api, const struct api_request *request,
                     struct api_answer *answer, struct err *err)
{
    const struct api_failure away = {API_AWAY, answer->status, 0};
    struct err why = {0};

    if (!is_json(answer, request->accept))
        return 0;
    answer->json = body_parse_any(answer->text.data, answer->text.len, &why);
    if (answer->json)
        return 0;
    return api_fail(api, away, err, "%s %.*s: %s", request->method, SHOWN_PATH,
                    request->path, why.msg);
}

static int refuse(struct api *api, const struct api_request *request,
                  const struct api_answer *answer, struct api_failure failure,
                  struct err *err)
{
    CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(SHOWN_ANSWER);

    api_message(api, answer, &said);
    if (!said.len && answer->status >= 300 && answer->status < 400)
        strbuf_adds(&said, "it was moved, and we do not follow");
    return api_fail(api, failure, err, "%s %.*s: %d%s%s%s", request->method,
                    SHOWN_PATH, request->path, answer->status,
                    failure.kind == API_PAUSED ? ", a limit" : "",
                    said.len ? ": " : "", said.data);
}

static int judge(struct api *api, const struct api_request *request,
                 struct api_answer *answer, struct err *err)
{
    const struct limits_answer seen = {.forge = api->kind,
                                       .status = answer->status,
                                       .headers = &answer->headers,
                                       .body = answer->text.data,
                                       .now_ms = clock_wall_ms(),
                                       .refusals = api->refusals};
    const struct limits limits = limits_read(&seen);
    struct api_failure failure = {API_REFUSED, answer->status, 0};

    if (limits.verdict != LIMITS_NONE)
        api->paused_until_ms = clock_mono_ms() + limits.pause_ms;
    if (limits.verdict == LIMITS_REFUSED) {
        api->refusals++;
        failure.kind = API_PAUSED;
        failure.after_ms = limits.pause_ms;
        return refuse(api, request, answer, failure, err);
    }
    api->refusals = 0;
    if (answer->status >= 200 && answer->status < 300)
        return read_json(api, request, answer, err);
    if (answer->status >= 500)
        failure.kind = API_AWAY;
    return refuse(api, request, answer, failure, err);
}

static int no_answer(struct api *api, const struct api_request *request,
                     const struct exchange *exchange, struct err *err)
{
    struct api_failure failure = {API_AWAY, 0, 0};
    const char *why = strstr(exchange->err.msg, ": ");

    if (exchange->too_large) {
        failure.kind = API_REFUSED;
        return api_fail(
            api, failure, err, "%s %.*s: the answer is larger than %zu bytes",
            request->method, SHOWN_PATH, request->path, API_MAX_ANSWER);
    }
    return api_fail(api, failure, err, "%s %.*s: %.400s", request->method,
                    SHOWN_PATH, request->path,
                    why ? why + 2 : exchange->err.msg);
}

/* ---- both ----------------------------------------------------------------
 */

static int wait_for_turn(struct api *api, const struct api_request *request,
                         struct err *err)
{
    int64_t now = clock_mono_ms();
    int64_t left = api->paused_until_ms - now;
    int64_t gap = api->wrote_at_ms + api->gap_ms - now;

    if (left > SHORT_MS)
        return api_fail(api, (struct api_failure){API_PAUSED, 0, left}, err,
                        "%s %.*s: the host's limit: %lld s more",
                        request->method, SHOWN_PATH, request->path,
                        (long long)(left + 999) / 1000);
    if (request->is_write && api->kind == FORGE_GITHUB && api->wrote_at_ms &&
        gap > left)
        left = gap;
    if (left > 0)
        pause_ms(left);
    return 0;
}

int wire_send(struct api *api, const struct api_request *request,
              const char *url, const char *auth, struct api_answer *out,
              struct err *err)
{
    bool again = !strcmp(request->method, "GET");
    int rc;

    for (;; again = false) {
        struct api_answer answer = {.text = STRBUF_MAX(API_MAX_ANSWER)};
        struct exchange exchange = {.answer = &answer};

        api->failed = (struct api_failure){API_OK, 0, 0};
        rc = wait_for_turn(api, request, err);
        if (rc < 0)
            return -1;
        if (exchange_once(api, request, url, auth, &exchange, err) < 0) {
            api->failed.kind = API_REFUSED;
            api_answer_clear(&answer);
            return -1;
        }
        rc = exchange.err.kind == ERR_NONE
                 ? judge(api, request, &answer, err)
                 : no_answer(api, request, &exchange, err);
        if (request->is_write)
            api->wrote_at_ms = clock_mono_ms();
        if (rc == 0) {
            *out = answer;
            return 0;
        }
        api_answer_clear(&answer);
        if (!again || api->failed.kind != API_AWAY ||
            exchange.err.kind == ERR_TIMEOUT)
            return -1;
        pause_ms(AGAIN_MS);
    }
}
