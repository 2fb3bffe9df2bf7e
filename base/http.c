/* base/http.c - HTTP requests by libcurl, in the poll loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http.h"

#include "base/clock.h"
#include "base/header.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define HEADERS_MAX    ((size_t)64 << 10)
#define CONNECT_MAX_MS 30000

struct http_call {
    LIST_ENTRY(http_call) link;
    struct http *http; /* borrowed */
    CURL *easy;        /* owned */
    struct curl_slist *sent;
    char *body;  /* owned: what is sent */
    char *place; /* owned: for messages */
    struct strbuf gathered;
    struct strv headers;
    size_t header_bytes;
    size_t received;
    size_t max_bytes;
    int64_t timeout_ms;
    struct http_upload upload;
    uint64_t uploaded;          /* bytes of it */
    int64_t stall_ms;           /* 0: no limit */
    uint64_t moved, moved_seen; /* grows with what comes and goes */
    struct loop_source *stall;  /* borrowed from the loop */
    http_data_fn *on_data;
    http_done_fn *done;
    void *arg;
    struct err err; /* why we ended it */
    char words[CURL_ERROR_SIZE];
};

/* A socket that curl wants to have watched. */
struct watch {
    LIST_ENTRY(watch) link;
    struct http *http; /* borrowed */
    curl_socket_t fd;
    struct loop_source *source; /* borrowed from the loop */
};

struct http {
    struct loop *loop;         /* borrowed */
    CURLM *multi;              /* owned */
    struct loop_source *timer; /* borrowed from the loop */
    LIST_HEAD(, http_call) calls;
    LIST_HEAD(, watch) watches;
};

/* ---- an answer -------------------------------------------------------- */

static void call_free(struct http_call *call)
{
    LIST_REMOVE(call, link);
    loop_remove(call->stall);
    if (call->easy) {
        (void)curl_multi_remove_handle(call->http->multi, call->easy);
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->sent);
    strbuf_clear(&call->gathered);
    strv_clear(&call->headers);
    free(call->body);
    free(call->place);
    free(call);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    size_t len = size * count;

    call->moved += len;
    if (len > call->max_bytes - call->received) {
        (void)err_set(&call->err, ERR_TRANSIENT,
                      "%s: the answer is larger than %zu bytes", call->place,
                      call->max_bytes);
        return CURL_WRITEFUNC_ERROR;
    }
    call->received += len;
    if (!call->on_data) {
        strbuf_add(&call->gathered, data, len);
        return len;
    }
    if (call->on_data(call->arg, data, len) == 0)
        return len;
    (void)err_set(&call->err, ERR_TRANSIENT, "%s: the answer was not wanted",
                  call->place);
    return CURL_WRITEFUNC_ERROR;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    size_t len = size * count, text = len;

    call->moved += len;
    call->header_bytes += len;
    if (call->header_bytes > HEADERS_MAX) {
        (void)err_set(&call->err, ERR_TRANSIENT,
                      "%s: the headers are larger than %zu bytes", call->place,
                      HEADERS_MAX);
        return 0;
    }
    while (text && strchr(" \t\r\n", data[text - 1]))
        text--;
    /* A status line begins another answer: those before it were 1xx. */
    if (text >= 5 && strncmp(data, "HTTP/", 5) == 0)
        strv_clear(&call->headers);
    else if (text && memchr(data, ':', text))
        strv_addf(&call->headers, "%.*s", (int)text, data);
    return len;
}

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
    struct http_call *call = arg;
    uint64_t left = call->upload.len - call->uploaded;
    size_t want = size * count < left ? size * count : (size_t)left;
    ssize_t n;

    do
        n = want ? pread(call->upload.fd, out, want, (off_t)call->uploaded) : 0;
    while (n < 0 && errno == EINTR);
    if (n < 0 || (want && n == 0)) {
        (void)err_set(&call->err, ERR_TRANSIENT,
                      "%s: what is to be sent cannot be read", call->place);
        return CURL_READFUNC_ABORT;
    }
    call->uploaded += (uint64_t)n;
    call->moved += (uint64_t)n;
    return (size_t)n;
}

/* When a server asks for it once more, on another connection. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct http_call *call = arg;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > call->upload.len)
        return CURL_SEEKFUNC_FAIL;
    call->uploaded = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void explain(struct http_call *call, CURLcode code)
{
    if (call->err.kind != ERR_NONE)
        return;
    if (code == CURLE_OPERATION_TIMEDOUT)
        (void)err_set(&call->err, ERR_TIMEOUT, "%s: no answer within %lld ms",
                      call->place, (long long)call->timeout_ms);
    else
        (void)err_set(&call->err,
                      code == CURLE_PEER_FAILED_VERIFICATION ? ERR_USER
                                                             : ERR_TRANSIENT,
                      "%s: %s", call->place,
                      *call->words ? call->words : curl_easy_strerror(code));
}

static void finish(struct http_call *call, CURLcode code)
{
    /* The callback may do anything but free the http: give it our own. */
    struct http_response response = {.body = "", .headers = &call->headers};

    if (code != CURLE_OK)
        explain(call, code);
    response.status = http_call_status(call);
    response.body = call->gathered.data;
    response.len = call->gathered.len;
    if (call->err.kind != ERR_NONE)
        call->done(call->arg, NULL, &call->err);
    else
        call->done(call->arg, &response, NULL);
    call_free(call);
}

static void on_stall(void *arg);

static void arm_stall(struct http_call *call)
{
    call->moved_seen = call->moved;
    call->stall = loop_add_timer(
        call->http->loop, clock_mono_ms() + call->stall_ms, on_stall, call);
}

static void on_stall(void *arg)
{
    struct http_call *call = arg;

    call->stall = NULL;
    if (call->moved != call->moved_seen) {
        arm_stall(call);
        return;
    }
    (void)err_set(&call->err, ERR_TIMEOUT, "%s: silent for %lld ms",
                  call->place, (long long)call->stall_ms);
    finish(call, CURLE_OPERATION_TIMEDOUT);
}

/* One at a time: the callback may end others. */
static void finish_all(struct http *http)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(http->multi, &left))) {
        struct http_call *call = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
                                (char **)&call);
        finish(call, code);
    }
}

/* ---- curl in our loop ------------------------------------------------- */

static void on_ready(void *arg, uint32_t events)
{
    struct watch *watch = arg;
    struct http *http = watch->http;
    int what = (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    int running;

    (void)curl_multi_socket_action(http->multi, watch->fd, what, &running);
    finish_all(http);
}

static void on_timer(void *arg)
{
    struct http *http = arg;
    int running;

    http->timer = NULL;
    (void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0,
                                   &running);
    finish_all(http);
}

static int set_timer(CURLM *multi UNUSED, long ms, void *arg)
{
    struct http *http = arg;

    loop_remove(http->timer);
    http->timer = ms < 0 ? NULL
                         : loop_add_timer(http->loop, clock_mono_ms() + ms,
                                          on_timer, http);
    return 0;
}

static void watch_free(struct watch *watch)
{
    LIST_REMOVE(watch, link);
    loop_remove(watch->source);
    free(watch);
}

static int set_watch(CURL *easy UNUSED, curl_socket_t fd, int what, void *arg,
                     void *known)
{
    struct http *http = arg;
    struct watch *watch = known;
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0u) |
                      (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_free(watch);
        (void)curl_multi_assign(http->multi, fd, NULL);
        return 0;
    }
    if (watch) {
        loop_set_events(watch->source, events);
        return 0;
    }
    watch = xcalloc(1, sizeof(*watch));
    watch->http = http;
    watch->fd = fd;
    LIST_INSERT_HEAD(&http->watches, watch, link);
    if (loop_add_fd(http->loop, fd, events, on_ready, watch, &watch->source,
                    NULL) < 0) {
        watch_free(watch);
        return -1;
    }
    return curl_multi_assign(http->multi, fd, watch) == CURLM_OK ? 0 : -1;
}

int http_new(struct loop *loop, struct http **out_http, struct err *err)
{
    static bool started;
    CLEANUP(http) struct http *http = xcalloc(1, sizeof(*http));

    http->loop = loop;
    LIST_INIT(&http->calls);
    LIST_INIT(&http->watches);
    if (!started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_TRANSIENT, "cannot start libcurl");
    started = true;
    http->multi = curl_multi_init();
    if (!http->multi ||
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, set_watch) ||
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http))
        return err_set(err, ERR_TRANSIENT, "cannot start libcurl");
    *out_http = STEAL(http);
    return 0;
}

void http_free(struct http *http)
{
    if (!http)
        return;
    while (!LIST_EMPTY(&http->calls))
        call_free(LIST_FIRST(&http->calls));
    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    while (!LIST_EMPTY(&http->watches))
        watch_free(LIST_FIRST(&http->watches));
    loop_remove(http->timer);
    free(http);
}

/* ---- a request -------------------------------------------------------- */

static bool set_place(struct http_call *call,
                      const struct http_request *request)
{
    CURL *easy = call->easy;
    /* Never the query: it may hold what is secret. */
    int shown = (int)strcspn(request->url, "?#");

    if (!request->unix_socket) {
        call->place = xasprintf("%s %.*s", request->method,
                                shown < 200 ? shown : 200, request->url);
        return true;
    }
    call->place = xasprintf("'%.200s'", request->unix_socket);
    return !curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
                             request->unix_socket) &&
           !curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static bool set_upload(struct http_call *call,
                       const struct http_request *request)
{
    CURL *easy = call->easy;

    call->upload = *request->upload;
    return !curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                             (curl_off_t)call->upload.len) &&
           !curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) &&
           !curl_easy_setopt(easy, CURLOPT_READDATA, call) &&
           !curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) &&
           !curl_easy_setopt(easy, CURLOPT_SEEKDATA, call) &&
           !curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static bool set_body(struct http_call *call, const struct http_request *request)
{
    CURL *easy = call->easy;

    if (strcmp(request->method, "HEAD") == 0)
        return !curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (request->upload)
        return set_upload(call, request);
    if (!request->body)
        return !curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    call->body = xmemdup(request->body, request->body_len + !request->body_len);
    return !curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)request->body_len) &&
           !curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body) &&
           !curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static bool add_header(struct http_call *call, const char *header)
{
    struct curl_slist *list = curl_slist_append(call->sent, header);

    if (!list || strpbrk(header, "\r\n"))
        return false;
    call->sent = list;
    return true;
}

static bool set_headers(struct http_call *call,
                        const struct http_request *request)
{
    /* Else curl waits a second for leave to send a large body. But old ones
     * sign this header, which they do not send. */
    if (request->sign
            ? curl_easy_setopt(call->easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L)
            : !add_header(call, "Expect:"))
        return false;
    for (size_t i = 0; request->headers && request->headers[i]; i++)
        if (!add_header(call, request->headers[i]))
            return false;
    return !curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->sent);
}

static bool set_limits(struct http_call *call,
                       const struct http_request *request)
{
    CURL *easy = call->easy;
    long timeout = (long)request->timeout_ms;

    return !curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) &&
           !curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                             timeout < CONNECT_MAX_MS ? timeout
                                                      : CONNECT_MAX_MS) &&
           !curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT,
                             request->once ? 1L : 0L) &&
           !curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static bool set_callbacks(struct http_call *call)
{
    CURL *easy = call->easy;

    return !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) &&
           !curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) &&
           !curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) &&
           !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->words) &&
           !curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

/* Where OpenSSL would look; libcurl's own default may be another. */
static bool set_trust(CURL *easy, const char *ca_file)
{
    const char *file = getenv("SSL_CERT_FILE");
    const char *dir = getenv("SSL_CERT_DIR");

    if (ca_file)
        return !curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) &&
               !curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    return (!file || !curl_easy_setopt(easy, CURLOPT_CAINFO, file)) &&
           (!dir || !curl_easy_setopt(easy, CURLOPT_CAPATH, dir));
}

static bool set_sign(CURL *easy, const struct http_sign *sign)
{
    if (!sign)
        return true;
    return !curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, sign->scope) &&
           !curl_easy_setopt(easy, CURLOPT_USERNAME, sign->key_id) &&
           !curl_easy_setopt(easy, CURLOPT_PASSWORD, sign->secret);
}

int http_send(struct http *http, const struct http_request *request,
              struct http_call **out_call, struct err *err)
{
    struct http_call *call = xcalloc(1, sizeof(*call));

    call->http = http;
    call->max_bytes = request->max_bytes;
    call->timeout_ms = request->timeout_ms;
    call->stall_ms = request->stall_ms;
    call->gathered = (struct strbuf)STRBUF_MAX(request->max_bytes);
    call->on_data = request->on_data;
    call->done = request->done;
    call->arg = request->arg;
    LIST_INSERT_HEAD(&http->calls, call, link);
    call->easy = curl_easy_init();
    if (request->timeout_ms < 1 || !call->easy || !set_place(call, request) ||
        curl_easy_setopt(call->easy, CURLOPT_URL, request->url) ||
        !set_body(call, request) || !set_headers(call, request) ||
        !set_limits(call, request) || !set_callbacks(call) ||
        !set_trust(call->easy, request->ca_file) ||
        !set_sign(call->easy, request->sign) ||
        curl_multi_add_handle(http->multi, call->easy) != CURLM_OK) {
        call_free(call);
        return err_set(err, ERR_BUG, "this is no HTTP request: %s %.200s",
                       request->method, request->url);
    }
    if (call->stall_ms)
        arm_stall(call);
    if (out_call)
        *out_call = call;
    return 0;
}

void http_cancel(struct http_call *call)
{
    if (call)
        call_free(call);
}

int http_call_status(struct http_call *call)
{
    long status = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

bool http_call_has_sent(struct http_call *call)
{
    long bytes = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

const char *http_header(const struct http_response *response, const char *name)
{
    return header_find(response->headers, name);
}

int64_t http_date_ms(const char *text)
{
    /* libcurl takes more for a date: "20261126", for one. */
    time_t at = isalpha((unsigned char)*text) ? curl_getdate(text, NULL) : -1;

    return at < 0 ? -1 : (int64_t)at * 1000;
}

/* ---- waiting for one -------------------------------------------------- */

struct wait {
    bool over;
    int status;
    struct strbuf *body; /* borrowed, or NULL */
    struct err err;
    http_data_fn *on_data;
    void *arg;
};

static int on_run_data(void *arg, const void *data, size_t len)
{
    struct wait *wait = arg;

    return wait->on_data(wait->arg, data, len);
}

static void on_run_done(void *arg, const struct http_response *response,
                        const struct err *err)
{
    struct wait *wait = arg;

    wait->over = true;
    if (err) {
        wait->err = *err;
        return;
    }
    wait->status = response->status;
    if (wait->body)
        strbuf_add(wait->body, response->body, response->len);
}

int http_run(struct http *http, const struct http_request *request,
             int *out_status, struct strbuf *out_body, struct err *err)
{
    struct wait wait = {
        .body = out_body, .on_data = request->on_data, .arg = request->arg};
    struct http_request mine = *request;
    struct http_call *call;

    mine.done = on_run_done;
    mine.on_data = request->on_data ? on_run_data : NULL;
    mine.arg = &wait;
    if (http_send(http, &mine, &call, err) < 0)
        return -1;
    while (!wait.over)
        if (loop_step(http->loop, -1, err) < 0) {
            http_cancel(call);
            return -1;
        }
    if (wait.err.kind != ERR_NONE) {
        if (err)
            *err = wait.err;
        return -1;
    }
    *out_status = wait.status;
    return 0;
}
