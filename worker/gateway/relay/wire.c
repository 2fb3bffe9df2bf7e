/* worker/gateway/relay/wire.c - what a client inside sends, as HTTP. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/relay/wire.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES 1024 /* of a chunk's size, or behind the last */

void wire_init(struct wire *wire)
{
    *wire = (struct wire){.head = STRBUF_MAX(WIRE_HEAD_MAX),
                          .body = STRBUF_MAX(WIRE_BODY_MAX)};
}

void wire_clear(struct wire *wire)
{
    strbuf_clear(&wire->head);
    strbuf_clear(&wire->body);
}

static int refuse(int *out_status, int status, struct err *err,
                  const char *message)
{
    *out_status = status;
    return err_set(err, ERR_USER, "%s", message);
}

/* ---- the head -------------------------------------------------------------
 */

static int take_request_line(struct wire *wire, char *line, int *out_status,
                             struct err *err)
{
    char *path = strchr(line, ' ');
    char *version = path ? strchr(path + 1, ' ') : NULL;
    size_t len;

    if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0)
        return refuse(out_status, 400, err, "this is no request of HTTP/1.1");
    *path++ = *version++ = '\0';
    wire->is_old = !strcmp(version, "HTTP/1.0");
    len = strcspn(path, "?#");
    if (strlen(line) >= sizeof(wire->method) || len >= sizeof(wire->path) ||
        *path != '/')
        return refuse(out_status, 404, err, "there is no such path here");
    (void)snprintf(wire->method, sizeof(wire->method), "%s", line);
    (void)snprintf(wire->path, sizeof(wire->path), "%.*s", (int)len, path);
    return 0;
}

static int take_length(struct wire *wire, const char *value, int *out_status,
                       struct err *err)
{
    uint64_t length = 0;

    if (wire->state == WIRE_LENGTH || !*value ||
        value[strspn(value, "0123456789")])
        return refuse(out_status, 400, err, "Content-Length is no number");
    for (; *value; value++) {
        length = length * 10 + (uint64_t)(*value - '0');
        if (length > WIRE_BODY_MAX)
            return refuse(out_status, 413, err, "a request has 16 MiB at most");
    }
    wire->left = length;
    wire->state = WIRE_LENGTH;
    return 0;
}

static int take_field(struct wire *wire, char *line, int *out_status,
                      struct err *err)
{
    char *value = strchr(line, ':');
    size_t len;

    if (!value || value == line || strpbrk(line, " \t") == line)
        return refuse(out_status, 400, err, "a field of the request is none");
    *value++ = '\0';
    value += strspn(value, " \t");
    for (len = strlen(value); len && strchr(" \t", value[len - 1]); len--)
        value[len - 1] = '\0';
    if (!strcasecmp(line, "Content-Length"))
        return take_length(wire, value, out_status, err);
    if (!strcasecmp(line, "Transfer-Encoding")) {
        if (strcasecmp(value, "chunked") != 0 || wire->chunked)
            return refuse(out_status, 501, err, "no such transfer coding");
        wire->chunked = true;
    } else if (!strcasecmp(line, "Content-Encoding") &&
               strcasecmp(value, "identity") != 0) {
        return refuse(out_status, 415, err, "a request must not be compressed");
    } else if (!strcasecmp(line, "Expect")) {
        wire->wants_leave = !strcasecmp(value, "100-continue");
    } else if (!strcasecmp(line, "anthropic-version") &&
               strlen(value) < sizeof(wire->version) &&
               !value[strspn(value, "0123456789-")]) {
        (void)snprintf(wire->version, sizeof(wire->version), "%s", value);
    }
    return 0;
}

/* The end of the head, or NULL. */
static char *head_end(struct strbuf *head)
{
    return memmem(head->data, head->len, "\r\n\r\n", 4);
}

static int take_head(struct wire *wire, char *end, int *out_status,
                     struct err *err)
{
    char *line = wire->head.data;
    char *next;
    bool first = true;

    if (memchr(line, '\0', (size_t)(end - line)))
        return refuse(out_status, 400, err, "the request's head is no text");
    *end = '\0';
    for (; line; line = next, first = false) {
        int rc;

        next = strstr(line, "\r\n");
        if (next) {
            *next = '\0';
            next += 2;
        }
        rc = first ? take_request_line(wire, line, out_status, err)
                   : take_field(wire, line, out_status, err);
        if (rc < 0)
            return -1;
    }
    if (wire->chunked && wire->state == WIRE_LENGTH)
        return refuse(out_status, 400, err,
                      "a request has a length or chunks, not both");
    if (wire->chunked)
        wire->state = WIRE_SIZE;
    else if (wire->state != WIRE_LENGTH || !wire->left)
        wire->state = WIRE_WHOLE;
    if (wire->state == WIRE_WHOLE)
        wire->wants_leave = false;
    return 0;
}

/* ---- the body -------------------------------------------------------------
 */

/* Up to `left` bytes; returns how many. */
static size_t take_bytes(struct wire *wire, const char *data, size_t len)
{
    size_t part = len < wire->left ? len : (size_t)wire->left;

    strbuf_add(&wire->body, data, part);
    wire->left -= part;
    return part;
}

static int hex_of(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

static int take_size(struct wire *wire, const char *line, int *out_status,
                     struct err *err)
{
    uint64_t size = 0;
    int digit = hex_of(*line);

    if (digit < 0)
        return refuse(out_status, 400, err, "a chunk has no size");
    for (; (digit = hex_of(*line)) >= 0; line++) {
        size = size * 16 + (uint64_t)digit;
        if (size > WIRE_BODY_MAX - wire->body.len)
            return refuse(out_status, 413, err, "a request has 16 MiB at most");
    }
    if (*line && *line != ';' && *line != ' ')
        return refuse(out_status, 400, err, "a chunk has no size");
    wire->left = size;
    wire->state = size ? WIRE_CHUNK : WIRE_TRAILER;
    return 0;
}

static int take_line(struct wire *wire, int *out_status, struct err *err)
{
    char *line = wire->head.data;
    size_t len = wire->head.len;

    while (len && line[len - 1] == '\r')
        line[--len] = '\0';
    if (wire->state == WIRE_TRAILER) {
        if (!len)
            wire->state = WIRE_WHOLE;
    } else if (wire->state == WIRE_CHUNK_END) {
        if (len)
            return refuse(out_status, 400, err, "a chunk has no end");
        wire->state = WIRE_SIZE;
    } else if (take_size(wire, line, out_status, err) < 0) {
        return -1;
    }
    strbuf_cut(&wire->head, 0);
    return 0;
}

/* Lines between chunks; returns the bytes that belong to one, or -1. */
static int64_t feed_line(struct wire *wire, const char *data, size_t len,
                         int *out_status, struct err *err)
{
    const char *end = memchr(data, '\n', len);
    size_t part = end ? (size_t)(end - data) : len;

    strbuf_add(&wire->head, data, part);
    if (wire->head.len > LINE_MAX_BYTES)
        return refuse(out_status, 400, err, "a chunk's line is too long");
    if (!end)
        return (int64_t)part;
    return take_line(wire, out_status, err) < 0 ? -1 : (int64_t)part + 1;
}

static int feed_body(struct wire *wire, const char *data, size_t len,
                     int *out_status, struct err *err)
{
    while (len && wire->state != WIRE_WHOLE) {
        int64_t part;

        if (wire->state == WIRE_LENGTH || wire->state == WIRE_CHUNK) {
            part = (int64_t)take_bytes(wire, data, len);
            if (!wire->left)
                wire->state =
                    wire->state == WIRE_LENGTH ? WIRE_WHOLE : WIRE_CHUNK_END;
        } else {
            part = feed_line(wire, data, len, out_status, err);
        }
        if (part < 0)
            return -1;
        data += part;
        len -= (size_t)part;
    }
    return wire->state == WIRE_WHOLE;
}

int wire_feed(struct wire *wire, const void *data, size_t len, int *out_status,
              struct err *err)
{
    CLEANUP(mem) char *rest = NULL;
    size_t rest_len, room = WIRE_HEAD_MAX - wire->head.len;
    size_t part = len < room ? len : room;
    char *end;

    if (wire->state != WIRE_HEAD)
        return feed_body(wire, data, len, out_status, err);
    strbuf_add(&wire->head, data, part);
    end = head_end(&wire->head);
    if (!end && part < len)
        return refuse(out_status, 431, err, "the request's head is too long");
    if (!end)
        return 0;
    /* What follows the head, of the buffer and of what did not fit. */
    rest_len = wire->head.len - (size_t)(end + 4 - wire->head.data);
    rest = xmemdup(end + 4, rest_len + 1);
    if (take_head(wire, end, out_status, err) < 0)
        return -1;
    strbuf_cut(&wire->head, 0);
    if (feed_body(wire, rest, rest_len, out_status, err) < 0)
        return -1;
    return feed_body(wire, (const char *)data + part, len - part, out_status,
                     err);
}
