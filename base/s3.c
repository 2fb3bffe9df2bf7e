/* base/s3.c - objects of a bucket, for programs that do nothing else. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3.h"

#include "base/clock.h"
#include "base/http.h"
#include "base/s3_keys.h"
#include "base/s3_url.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES        4
#define PAUSE_MS     200
#define RETRY_MAX_MS 30000
#define KEY_CHARS                                                              \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/="
#define OWN_KEY_MAX 600
/* A page has 1000 keys of a kilobyte, each of their bytes as &amp; at worst. */
#define PAGE_MAX      ((size_t)8 << 20)
#define PAGES_MAX     1000
#define SAID_MAX      ((size_t)8 << 10) /* of an error */
#define SLOWEST       ((int64_t)16)     /* bytes a millisecond */
#define DIGEST_HEADER "x-amz-meta-sha256"

struct s3 {
    struct s3_url url;
    struct s3_keys keys;
    struct loop *loop; /* owned */
    struct http *http; /* owned; uses the loop */
    char *scope;       /* owned */
    char *host;        /* owned: "Host: …" */
    const char *ca;    /* of the environment, or NULL */
};

/* What is asked, and what came of it the last time. */
struct ask {
    const char *method, *key; /* the key: NULL for the bucket */
    const char *query;        /* sorted and encoded; NULL: none */
    const char *sha256;       /* of what is sent */
    const char *digest;       /* to go with the object; NULL: none */
    const struct s3_blob *upload;
    const char *body; /* NULL: none */
    size_t body_len;
    size_t max_bytes; /* of the answer */

    struct http_call *call; /* borrowed */
    bool over;
    int status;
    struct strbuf said;                /* its first bytes, or all of them */
    char sent_digest[SHA256_HEX_SIZE]; /* DIGEST_HEADER of the answer, or "" */
    uint64_t length;                   /* Content-Length of it */
    struct err err;

    struct s3_blob *into; /* the body goes there; NULL: into `said` */
    uint64_t got;
    struct sha256 sha;
    bool hopeless; /* `err` is nothing that another try mends */
};

/* ---- opening ------------------------------------------------------------ */

void s3_free(struct s3 *s3)
{
    if (!s3)
        return;
    http_free(s3->http);
    loop_free(s3->loop);
    s3_url_clear(&s3->url);
    s3_keys_clear(&s3->keys);
    free(s3->scope);
    free(s3->host);
    free(s3);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

int s3_open(const char *url, struct s3 **out_s3, struct err *err)
{
    CLEANUP(s3) struct s3 *s3 = xcalloc(1, sizeof(*s3));
    const char *host;

    if (s3_url_parse(url, &s3->url, err) < 0 ||
        s3_keys_find(&s3->keys, err) < 0 || loop_new(&s3->loop, err) < 0 ||
        http_new(s3->loop, &s3->http, err) < 0)
        return -1;
    host = strstr(s3->url.endpoint, "://") + 3;
    s3->scope = xasprintf("aws:amz:%s:s3", s3->url.region);
    /* Old libcurl signs a name without its port, unless it is given one. */
    s3->host = s3->url.path_style
                   ? xasprintf("Host: %s", host)
                   : xasprintf("Host: %s.%s", s3->url.bucket, host);
    s3->ca = variable(S3_CA_VARIABLE);
    if (!s3->ca)
        s3->ca = variable("CURL_CA_BUNDLE");
    *out_s3 = STEAL(s3);
    return 0;
}

/* ---- one request -------------------------------------------------------- */

/* The key may be a part of one, or NULL. */
static int check_key(const char *key, struct err *err)
{
    CLEANUP(mem) char *around = xasprintf("/%s/", key);

    if (!*key || strlen(key) > OWN_KEY_MAX || key[strspn(key, KEY_CHARS)] ||
        strstr(around, "//") || strstr(around, "/./") || strstr(around, "/../"))
        return err_set(err, ERR_BUG, "'%.100s' cannot be a key of S3", key);
    return 0;
}

static char *make_url(const struct s3 *s3, const struct ask *ask)
{
    CLEANUP(strbuf) struct strbuf url = STRBUF_INIT;
    const char *host = strstr(s3->url.endpoint, "://") + 3;

    if (s3->url.path_style)
        strbuf_addf(&url, "%s/%s", s3->url.endpoint, s3->url.bucket);
    else
        strbuf_addf(&url, "%.*s%s.%s", (int)(host - s3->url.endpoint),
                    s3->url.endpoint, s3->url.bucket, host);
    if (ask->key || !s3->url.path_style)
        strbuf_addc(&url, '/');
    if (ask->key) {
        s3_encode(&url, s3->url.prefix, true);
        s3_encode(&url, ask->key, true);
    }
    if (ask->query)
        strbuf_addf(&url, "?%s", ask->query);
    return strbuf_take(&url);
}

static int on_data(void *arg, const void *data, size_t len)
{
    struct ask *ask = arg;

    if (ask->said.len < ask->said.max_bytes)
        strbuf_add(&ask->said, data, len);
    if (!ask->into || http_call_status(ask->call) != 200)
        return 0;
    if (len > ask->into->bytes - ask->got) {
        ask->hopeless = true;
        return err_set(&ask->err, ERR_TRANSIENT, "it is larger than %llu bytes",
                       (unsigned long long)ask->into->bytes);
    }
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(ask->into->fd, (const char *)data + done, len - done,
                           (off_t)(ask->got + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            ask->hopeless = true;
            return err_sys(&ask->err, ERR_TRANSIENT, "cannot write it down");
        }
        done += (size_t)n;
    }
    sha256_add(&ask->sha, data, len);
    ask->got += len;
    return 0;
}

static void on_done(void *arg, const struct http_response *response,
                    const struct err *err)
{
    struct ask *ask = arg;
    const char *text;

    ask->over = true;
    if (err) {
        if (ask->err.kind == ERR_NONE)
            ask->err = *err;
        return;
    }
    ask->status = response->status;
    text = http_header(response, DIGEST_HEADER);
    if (text && strlen(text) == SHA256_HEX_SIZE - 1)
        memcpy(ask->sent_digest, text, SHA256_HEX_SIZE);
    text = http_header(response, "content-length");
    ask->length = text ? strtoull(text, NULL, 10) : 0;
}

static void begin_answer(struct ask *ask)
{
    ask->over = false;
    ask->status = 0;
    ask->got = ask->length = 0;
    ask->err = (struct err){0};
    *ask->sent_digest = '\0';
    strbuf_cut(&ask->said, 0);
    ask->said.truncated = false;
    sha256_init(&ask->sha);
}

static int turn(struct s3 *s3, struct ask *ask,
                const struct http_request *request)
{
    if (http_send(s3->http, request, &ask->call, &ask->err) < 0)
        return -1;
    while (!ask->over)
        if (loop_step(s3->loop, -1, &ask->err) < 0) {
            http_cancel(ask->call);
            return -1;
        }
    return ask->err.kind == ERR_NONE ? 0 : -1;
}

/* 0: there is a status; -1: there is an error. */
static int try_once(struct s3 *s3, struct ask *ask)
{
    CLEANUP(mem) char *url = make_url(s3, ask);
    CLEANUP(strv) struct strv headers = {0};
    uint64_t size = ask->upload ? ask->upload->bytes : ask->body_len;
    struct http_upload upload = {0};
    const struct http_sign sign = {s3->scope, s3->keys.id, s3->keys.secret};
    struct http_request request = {
        .method = ask->method,
        .url = url,
        .body = ask->body,
        .body_len = ask->body_len,
        .upload = ask->upload ? &upload : NULL,
        .sign = &sign,
        .ca_file = s3->ca,
        .stall_ms = s3->url.timeout_ms,
        .max_bytes = ask->max_bytes,
        .on_data = on_data,
        .done = on_done,
        .arg = ask,
    };

    if (ask->into)
        size = ask->into->bytes;
    request.timeout_ms = s3->url.timeout_ms + 60000 + (int64_t)size / SLOWEST;
    if (ask->upload)
        upload = (struct http_upload){ask->upload->fd, ask->upload->bytes};
    strv_add(&headers, s3->host);
    strv_addf(&headers, "x-amz-content-sha256: %s", ask->sha256);
    if (ask->digest)
        strv_addf(&headers, DIGEST_HEADER ": %s", ask->digest);
    if (s3->keys.token)
        strv_addf(&headers, "x-amz-security-token: %s", s3->keys.token);
    if (ask->upload || ask->body)
        strv_add(&headers, "Content-Type: application/octet-stream");
    request.headers = (const char *const *)headers.items;
    begin_answer(ask);
    return turn(s3, ask, &request);
}

/* ---- again and again ---------------------------------------------------- */

/* Whether another try may help. */
static bool is_passing(const struct ask *ask)
{
    static const int statuses[] = {408, 429, 500, 502, 503, 504};

    if (ask->err.kind != ERR_NONE)
        return !ask->hopeless &&
               (ask->err.kind == ERR_TRANSIENT || ask->err.kind == ERR_TIMEOUT);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (ask->status == statuses[i])
            return true;
    /* It came whole, but not as it was put. */
    return ask->status == 200 && ask->into && *ask->sent_digest &&
           strcmp(ask->sent_digest, ask->into->sha256) != 0;
}

static int explain(const struct s3 *s3, const struct ask *ask, struct err *err)
{
    CLEANUP(mem) char *url = make_url(s3, ask);
    int shown = (int)strcspn(url, "?");
    struct s3_error error = {{0}};

    if (ask->err.kind != ERR_NONE) {
        if (err)
            *err = ask->err;
        if (err && err->kind == ERR_USER)
            err->kind = ERR_TRANSIENT; /* that is for what is not there */
        return ask->hopeless ? err_wrap(err, "%s %.*s", ask->method, shown, url)
                             : -1;
    }
    if (ask->status == 200)
        return err_set(err, ERR_TRANSIENT, "%s %.*s: it is damaged",
                       ask->method, shown, url);
    s3_error_read(ask->said.data, ask->said.len, &error);
    /* No more of what it says: who knows what of ours it repeats. */
    return err_set(err, ask->status == 404 ? ERR_USER : ERR_TRANSIENT,
                   "%s %.*s: %d %s", ask->method, shown, url, ask->status,
                   error.code);
}

static void wait_before(unsigned tries)
{
    int64_t pause = PAUSE_MS << (tries - 1);

    /* Others that were sent away with us do not all come back at once. */
    pause += (int64_t)(clock_mono_ms() + getpid()) % (pause / 2 + 1);
    (void)poll(NULL, 0, (int)pause);
}

static bool is_good(const struct ask *ask)
{
    return ask->err.kind == ERR_NONE && ask->status >= 200 &&
           ask->status <= 299;
}

static int run(struct s3 *s3, struct ask *ask, struct err *err)
{
    int64_t began = clock_mono_ms();

    for (unsigned tries = 1;; tries++) {
        (void)try_once(s3, ask);
        if (ask->into)
            sha256_end_hex(&ask->sha, ask->into->sha256);
        if (is_good(ask) && !is_passing(ask))
            return 0;
        if (!is_passing(ask) || tries == TRIES ||
            clock_mono_ms() - began > RETRY_MAX_MS)
            return explain(s3, ask, err);
        wait_before(tries);
    }
}

static void digest_of(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
    struct sha256 sha;

    sha256_init(&sha);
    sha256_add(&sha, data, len);
    sha256_end_hex(&sha, out);
}

/* A request without a body, all of whose answer is kept in memory. */
static int ask_plain(struct s3 *s3, struct ask *ask, struct err *err)
{
    char empty[SHA256_HEX_SIZE];

    digest_of("", 0, empty);
    ask->sha256 = empty;
    return run(s3, ask, err);
}

/* ---- the calls ---------------------------------------------------------- */

static int digest_file(struct s3_blob *blob, struct err *err)
{
    size_t chunk = (size_t)64 << 10;
    CLEANUP(mem) char *data = xmalloc(chunk);
    struct sha256 sha;

    sha256_init(&sha);
    for (uint64_t at = 0; at < blob->bytes;) {
        size_t want =
            blob->bytes - at < chunk ? (size_t)(blob->bytes - at) : chunk;
        ssize_t n = pread(blob->fd, data, want, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot read");
        if (n == 0)
            return err_set(err, ERR_TRANSIENT, "the file is shorter than told");
        sha256_add(&sha, data, (size_t)n);
        at += (uint64_t)n;
    }
    sha256_end_hex(&sha, blob->sha256);
    return 0;
}

static int finish_put(struct s3 *s3, struct ask *ask, struct err *err)
{
    int rc = run(s3, ask, err);

    strbuf_clear(&ask->said);
    /* That there is no such bucket is no user's fault. */
    if (rc < 0 && err && err->kind == ERR_USER)
        err->kind = ERR_TRANSIENT;
    return rc;
}

int s3_put(struct s3 *s3, const char *key, struct s3_blob *blob,
           struct err *err)
{
    struct ask ask = {.method = "PUT",
                      .key = key,
                      .upload = blob,
                      .sha256 = blob->sha256,
                      .digest = blob->sha256,
                      .max_bytes = SAID_MAX,
                      .said = STRBUF_MAX(SAID_MAX)};

    if (blob->bytes > S3_PUT_MAX_BYTES)
        return err_set(err, ERR_TRANSIENT, "%s: larger than 5 GiB", key);
    if (check_key(key, err) < 0 || digest_file(blob, err) < 0)
        return -1;
    return finish_put(s3, &ask, err);
}

int s3_put_bytes(struct s3 *s3, const char *key, const void *data, size_t len,
                 struct err *err)
{
    char digest[SHA256_HEX_SIZE];
    struct ask ask = {.method = "PUT",
                      .key = key,
                      .body = data,
                      .body_len = len,
                      .sha256 = digest,
                      .digest = digest,
                      .max_bytes = SAID_MAX,
                      .said = STRBUF_MAX(SAID_MAX)};

    if (check_key(key, err) < 0)
        return -1;
    digest_of(data, len, digest);
    return finish_put(s3, &ask, err);
}

/* The same, of an object, and nothing of what was said is wanted. */
static int ask_once(struct s3 *s3, struct ask *ask, struct err *err)
{
    int rc = -1;

    if (check_key(ask->key, err) == 0)
        rc = ask_plain(s3, ask, err);
    strbuf_clear(&ask->said);
    return rc;
}

int s3_get(struct s3 *s3, const char *key, struct s3_blob *blob,
           struct err *err)
{
    struct ask ask = {.method = "GET",
                      .key = key,
                      .into = blob,
                      /* What is larger is refused where it is counted. */
                      .max_bytes = SIZE_MAX / 2,
                      .said = STRBUF_MAX(SAID_MAX)};
    int rc = ask_once(s3, &ask, err);

    if (ftruncate(blob->fd, rc == 0 ? (off_t)ask.got : 0) < 0 && rc == 0)
        return err_sys(err, ERR_TRANSIENT, "cannot write down '%s'", key);
    if (rc == 0)
        blob->bytes = ask.got;
    return rc;
}

int s3_head(struct s3 *s3, const char *key, uint64_t *out_bytes,
            struct err *err)
{
    struct ask ask = {.method = "HEAD",
                      .key = key,
                      .max_bytes = SAID_MAX,
                      .said = STRBUF_MAX(SAID_MAX)};
    int rc = ask_once(s3, &ask, err);

    if (rc == 0)
        *out_bytes = ask.length;
    return rc;
}

int s3_delete(struct s3 *s3, const char *key, struct err *err)
{
    struct ask ask = {.method = "DELETE",
                      .key = key,
                      .max_bytes = SAID_MAX,
                      .said = STRBUF_MAX(SAID_MAX)};
    int rc = ask_once(s3, &ask, err);

    return rc < 0 && ask.err.kind == ERR_NONE && ask.status == 404 ? 0 : rc;
}

/* ---- listing ------------------------------------------------------------ */

struct listing {
    size_t prefix;   /* bytes of the address' own */
    const char *all; /* what each key begins with */
    s3_object_fn *fn;
    void *arg;
};

/* A server that tells of what was not asked for has it removed by nobody. */
static int on_object(void *arg, const struct s3_object *object, struct err *err)
{
    const struct listing *listing = arg;
    struct s3_object mine = *object;

    if (strncmp(object->key, listing->all, strlen(listing->all)) != 0)
        return err_set(err, ERR_TRANSIENT,
                       "the list has objects that were not asked for");
    mine.key += listing->prefix;
    if (!*mine.key || check_key(mine.key, NULL) < 0)
        return 0; /* somebody else's */
    return listing->fn(listing->arg, &mine, err);
}

static int list_page(struct s3 *s3, const struct listing *listing, char **token,
                     struct err *err)
{
    CLEANUP(strbuf) struct strbuf query = STRBUF_INIT;
    struct ask ask = {
        .method = "GET", .max_bytes = PAGE_MAX, .said = STRBUF_MAX(PAGE_MAX)};
    char *next = NULL;
    int rc;

    if (*token) {
        strbuf_adds(&query, "continuation-token=");
        s3_encode(&query, *token, false);
        strbuf_addc(&query, '&');
    }
    strbuf_adds(&query, "list-type=2&max-keys=1000&prefix=");
    s3_encode(&query, listing->all, false);
    ask.query = query.data;
    rc = ask_plain(s3, &ask, err);
    if (rc == 0)
        rc = s3_list_read(ask.said.data, ask.said.len, on_object,
                          (void *)(uintptr_t)listing, &next, err);
    strbuf_clear(&ask.said);
    if (rc == 0 && next && *token && strcmp(next, *token) == 0) {
        free(STEAL(next));
        rc = err_set(err, ERR_TRANSIENT, "the list of objects has no end");
    }
    free(*token);
    *token = next;
    return rc;
}

int s3_list(struct s3 *s3, const char *prefix, s3_object_fn *fn, void *arg,
            struct err *err)
{
    CLEANUP(mem) char *all = xasprintf("%s%s", s3->url.prefix, prefix);
    const struct listing listing = {
        .prefix = strlen(s3->url.prefix), .all = all, .fn = fn, .arg = arg};
    char *token = NULL;
    int rc;

    for (unsigned pages = 0;; pages++) {
        rc = list_page(s3, &listing, &token, err);
        if (rc < 0 || !token)
            break;
        if (pages == PAGES_MAX) {
            rc = err_set(err, ERR_TRANSIENT, "more than a million objects");
            break;
        }
    }
    free(token);
    if (rc < 0 && err && err->kind == ERR_USER)
        err->kind = ERR_TRANSIENT;
    return rc;
}
