/* worker/gateway/proxy_request.c - what a client asks of an HTTP proxy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/proxy_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define METHOD_MAX    32
#define BAD_REQUEST   400
#define TOO_LARGE     431
#define NOT_SUPPORTED 501
#define BAD_VERSION   505

/* A part of what was sent. */
struct span {
    const char *at;
    size_t len;
};

/* What the fields said that decides how the request is read. */
struct framing {
    struct span hosts[1], lengths[1];
    size_t host_count, length_count, coding_count;
    struct strv hop; /* owned: names that Connection has */
    bool is_1_0;
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.at[i]))
            return false;
    return s.len > 0;
}

static bool equals(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static struct span trim(struct span s)
{
    while (s.len && (*s.at == ' ' || *s.at == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static int refuse(struct err *err, const char *why)
{
    return err_set(err, ERR_USER, "%s", why);
}

/* ---- lines ----------------------------------------------------------------
 */

/*
 * The bytes of the head, its empty line too; 0: not whole. Every line ends with
 * CR LF, and neither is anywhere else.
 */
static int64_t head_bytes(const char *data, size_t len, struct err *err)
{
    size_t line = 0;

    for (size_t i = 0; i < len; i++) {
        bool cr = i > 0 && data[i - 1] == '\r';

        if (cr != (data[i] == '\n'))
            return refuse(err, "a line of the request does not end with CR LF");
        if (data[i] != '\n')
            continue;
        if (i - line == 1)
            return (int64_t)i + 1;
        line = i + 1;
    }
    return 0;
}

static struct span next_line(const char **at)
{
    const char *end = strchr(*at, '\r');
    struct span line = {*at, (size_t)(end - *at)};

    *at = end + 2;
    return line;
}

/* ---- the target -----------------------------------------------------------
 */

static int take_authority(struct span authority, uint16_t port,
                          char host[HOST_NAME_SIZE], uint16_t *out_port,
                          struct err *err)
{
    const char *colon = memchr(authority.at, ':', authority.len);
    size_t name = colon ? (size_t)(colon - authority.at) : authority.len;

    if (memchr(authority.at, '@', authority.len))
        return refuse(err, "an address with a user name is not taken");
    if (host_name_parse(authority.at, name, host, err) < 0)
        return -1;
    *out_port = port;
    if (!colon)
        return port ? 0 : refuse(err, "CONNECT needs host:port");
    return host_port_parse(colon, authority.len - name, out_port, err);
}

static int take_target(struct proxy_request *r, struct span target,
                       struct err *err)
{
    struct span authority = target;
    size_t scheme = strlen("http://");
    const char *slash = "/";

    for (size_t i = 0; i < target.len; i++)
        if (target.at[i] <= 0x20 || target.at[i] == 0x7f || target.at[i] == '#')
            return refuse(err, "the target of the request is malformed");
    if (r->connect)
        return take_authority(target, 0, r->host, &r->port, err);
    if (target.len >= scheme + 1 &&
        strncasecmp(target.at, "https://", scheme + 1) == 0)
        return refuse(err, "https goes through CONNECT");
    if (target.len < scheme || strncasecmp(target.at, "http://", scheme) != 0)
        return refuse(err, "this is a proxy: the target is http://host/…");
    authority.at += scheme;
    authority.len = strcspn(authority.at, "/? ");
    target.len -= scheme + authority.len;
    target.at += scheme + authority.len;
    if (target.len && *target.at == '/')
        slash = "";
    r->path = xasprintf("%s%.*s", slash, (int)target.len, target.at);
    return take_authority(authority, 80, r->host, &r->port, err);
}

static int take_request_line(struct proxy_request *r, struct framing *f,
                             struct span line, int *status, struct err *err)
{
    const char *first = memchr(line.at, ' ', line.len);
    size_t method = first ? (size_t)(first - line.at) : 0;
    struct span version = {line.at + line.len - strlen("HTTP/1.1"),
                           strlen("HTTP/1.1")};
    struct span target;

    if (!is_token((struct span){line.at, method}) || method > METHOD_MAX ||
        line.len < method + 2 + version.len || version.at[-1] != ' ')
        return refuse(err, "the first line of the request is malformed");
    f->is_1_0 = strncmp(version.at, "HTTP/1.0", version.len) == 0;
    if (!f->is_1_0 && strncmp(version.at, "HTTP/1.1", version.len) != 0) {
        *status = BAD_VERSION;
        return refuse(err, "only HTTP/1.1 and 1.0 are spoken here");
    }
    target.at = first + 1;
    target.len = line.len - method - 2 - version.len;
    r->connect = equals((struct span){line.at, method}, "CONNECT");
    if (!r->connect)
        r->method = xstrndup(line.at, method);
    return take_target(r, target, err);
}

/* ---- fields ---------------------------------------------------------------
 */

static const char *const hop_fields[] = {
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authenticate",
    "TE",
    "Proxy-Authorization",
    "Upgrade",
};

/* What Connection may not take away: it decides how the request is read. */
static const char *const end_fields[] = {"Host", "Content-Length",
                                         "Transfer-Encoding"};

static bool is_one_of(struct span name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (equals(name, list[i]))
            return true;
    return false;
}

static int take_connection(struct framing *f, struct span value,
                           struct err *err)
{
    while (value.len) {
        const char *comma = memchr(value.at, ',', value.len);
        size_t len = comma ? (size_t)(comma - value.at) : value.len;
        struct span word = trim((struct span){value.at, len});

        if (is_one_of(word, end_fields, ARRAY_LEN(end_fields)) ||
            (word.len && !is_token(word)))
            return refuse(err, "Connection is malformed");
        if (word.len)
            strv_addf(&f->hop, "%.*s", (int)word.len, word.at);
        len += comma ? 1 : 0;
        value.at += len;
        value.len -= len;
    }
    return 0;
}

static int take_coding(struct framing *f, struct span value, int *status,
                       struct err *err)
{
    f->coding_count++;
    if (equals(value, "chunked"))
        return 0;
    *status = NOT_SUPPORTED;
    return refuse(err, "the only transfer coding that is taken is chunked");
}

static int take_field(struct proxy_request *r, struct framing *f,
                      struct span line, int *status, struct err *err)
{
    const char *colon = memchr(line.at, ':', line.len);
    struct span name = {line.at, colon ? (size_t)(colon - line.at) : 0};
    struct span value;

    if (*line.at == ' ' || *line.at == '\t')
        return refuse(err, "folded fields are not taken");
    if (!colon || !is_token(name))
        return refuse(err, "a field of the request is malformed");
    value = trim((struct span){colon + 1, line.len - name.len - 1});
    for (size_t i = 0; i < value.len; i++)
        if (((unsigned char)value.at[i] < 0x20 && value.at[i] != '\t') ||
            value.at[i] == 0x7f)
            return refuse(err, "a field has control characters");
    if (equals(name, "Host")) {
        f->hosts[0] = value;
        f->host_count++;
        return 0;
    }
    if (equals(name, "Content-Length")) {
        f->lengths[0] = value;
        f->length_count++;
        return 0;
    }
    if (equals(name, "Transfer-Encoding"))
        return take_coding(f, value, status, err);
    if (equals(name, "Connection") && take_connection(f, value, err) < 0)
        return -1;
    if (is_one_of(name, hop_fields, ARRAY_LEN(hop_fields)))
        return 0;
    strv_addf(&r->names, "%.*s", (int)name.len, name.at);
    strv_addf(&r->values, "%.*s", (int)value.len, value.at);
    return 0;
}

static int check_host(const struct proxy_request *r, const struct framing *f,
                      struct err *err)
{
    char host[HOST_NAME_SIZE];
    uint16_t port = 0;

    if (f->host_count > 1 || (!f->host_count && !f->is_1_0))
        return refuse(err, "there must be one Host field");
    if (!f->host_count)
        return 0;
    /* Many clients leave the port out behind CONNECT. */
    if (take_authority(f->hosts[0], r->connect ? r->port : 80, host, &port,
                       err) < 0 ||
        strcmp(host, r->host) != 0 || port != r->port)
        return refuse(err, "Host is not that of the target");
    return 0;
}

static int take_length(struct proxy_request *r, struct span value,
                       struct err *err)
{
    if (!value.len || value.len > 18)
        return refuse(err, "Content-Length is malformed");
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9')
            return refuse(err, "Content-Length is malformed");
        r->length = r->length * 10 + (uint64_t)(value.at[i] - '0');
    }
    r->body = r->length ? BODY_LENGTH : BODY_NONE;
    return 0;
}

static int check_body(struct proxy_request *r, const struct framing *f,
                      struct err *err)
{
    if (f->length_count + f->coding_count > 1)
        return refuse(err, "the length of the body is said more than once");
    if (f->coding_count && f->is_1_0)
        return refuse(err, "HTTP/1.0 has no transfer coding");
    if (r->connect && f->length_count + f->coding_count)
        return refuse(err, "CONNECT has no body");
    if (f->coding_count)
        r->body = BODY_CHUNKED;
    return f->length_count ? take_length(r, f->lengths[0], err) : 0;
}

/* A field for this hop alone, by what Connection said. */
static bool is_hop(const struct proxy_request *r, const struct framing *f,
                   size_t i)
{
    for (size_t j = 0; j < f->hop.count; j++)
        if (strcasecmp(r->names.items[i], f->hop.items[j]) == 0)
            return true;
    return false;
}

static void drop_hops(struct proxy_request *r, const struct framing *f)
{
    struct strv names = {0}, values = {0};

    for (size_t i = 0; i < r->names.count; i++) {
        if (is_hop(r, f, i))
            continue;
        strv_add(&names, r->names.items[i]);
        strv_add(&values, r->values.items[i]);
    }
    strv_clear(&r->names);
    strv_clear(&r->values);
    r->names = names;
    r->values = values;
}

/* ---- the whole ------------------------------------------------------------
 */

static int take_head(struct proxy_request *r, struct framing *f,
                     const char *head, int *status, struct err *err)
{
    const char *at = head;
    size_t fields = 0;

    if (take_request_line(r, f, next_line(&at), status, err) < 0)
        return -1;
    for (struct span line; (line = next_line(&at)).len;) {
        if (++fields > PROXY_MAX_FIELDS) {
            *status = TOO_LARGE;
            return refuse(err, "the request has too many fields");
        }
        if (take_field(r, f, line, status, err) < 0)
            return -1;
    }
    if (check_host(r, f, err) < 0 || check_body(r, f, err) < 0)
        return -1;
    drop_hops(r, f);
    return 0;
}

int64_t proxy_request_parse(const char *data, size_t len,
                            struct proxy_request *out_request, int *out_status,
                            struct err *err)
{
    CLEANUP(mem) char *head = NULL;
    CLEANUP(proxy_request) struct proxy_request r = {0};
    struct framing f = {0};
    int status = BAD_REQUEST;
    bool long_head = len >= PROXY_HEAD_MAX_BYTES;
    int64_t size =
        head_bytes(data, long_head ? PROXY_HEAD_MAX_BYTES : len, err);
    int rc = size < 0 ? -1 : 0;

    if (size == 0 && !long_head)
        return 0;
    if (size == 0) {
        status = TOO_LARGE;
        rc = refuse(err, "the request's head is too large");
    } else if (rc == 0 && memchr(data, '\0', (size_t)size)) {
        rc = refuse(err, "the request has a NUL");
    } else if (rc == 0) {
        head = xstrndup(data, (size_t)size);
        rc = take_head(&r, &f, head, &status, err);
    }
    strv_clear(&f.hop);
    if (rc < 0) {
        *out_status = status;
        return -1;
    }
    *out_request = r;
    r = (struct proxy_request){0};
    return size;
}

bool proxy_request_is_plain(const struct proxy_request *request)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(request->method, methods[i]) == 0)
            return true;
    return false;
}

void proxy_request_write(const struct proxy_request *request,
                         const struct proxy_field *field, struct strbuf *out)
{
    strbuf_addf(out, "%s %s HTTP/1.1\r\nHost: %s", request->method,
                request->path, request->host);
    if (request->port != (request->tls ? 443 : 80))
        strbuf_addf(out, ":%u", (unsigned)request->port);
    strbuf_adds(out, "\r\n");
    for (size_t i = 0; i < request->names.count; i++)
        if (!field || strcasecmp(request->names.items[i], field->name) != 0)
            strbuf_addf(out, "%s: %s\r\n", request->names.items[i],
                        request->values.items[i]);
    if (field)
        strbuf_addf(out, "%s: %s\r\n", field->name, field->value);
    if (request->body == BODY_CHUNKED)
        strbuf_adds(out, "Transfer-Encoding: chunked\r\n");
    else if (request->body == BODY_LENGTH)
        strbuf_addf(out, "Content-Length: %llu\r\n",
                    (unsigned long long)request->length);
    strbuf_adds(out, "Connection: close\r\n\r\n");
}

void proxy_request_clear(struct proxy_request *request)
{
    free(request->method);
    free(request->path);
    strv_clear(&request->names);
    strv_clear(&request->values);
    *request = (struct proxy_request){0};
}
