/* worker/gateway/proxy_body.c - where the body of a request ends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/proxy_request.h"

#define SIZE_DIGITS 15

/* Of a chunked body: "1f" CR LF data CR LF … "0" CR LF CR LF. */
enum state { SIZE, SIZE_LF, DATA, DATA_CR, DATA_LF, LAST_CR, LAST_LF };

void proxy_body_init(struct proxy_body *body,
                     const struct proxy_request *request)
{
    *body = (struct proxy_body){
        .kind = request->body,
        .left = request->length,
        .over = request->body == BODY_NONE,
    };
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_size(struct proxy_body *body, char c)
{
    int value = digit(c);

    if (c == '\r') {
        body->state = SIZE_LF;
        return body->digits > 0;
    }
    if (value < 0 || ++body->digits > SIZE_DIGITS)
        return false;
    body->left = body->left << 4 | (uint64_t)value;
    return true;
}

static bool expect(struct proxy_body *body, char c, char wanted,
                   enum state next)
{
    body->state = (int)next;
    return c == wanted;
}

static bool take_char(struct proxy_body *body, char c)
{
    switch ((enum state)body->state) {
    case SIZE:
        return take_size(body, c);
    case SIZE_LF:
        body->digits = 0;
        return expect(body, c, '\n', body->left ? DATA : LAST_CR);
    case DATA_CR:
        return expect(body, c, '\r', DATA_LF);
    case DATA_LF:
        return expect(body, c, '\n', SIZE);
    case LAST_CR:
        return expect(body, c, '\r', LAST_LF);
    case LAST_LF:
        body->over = true;
        return c == '\n';
    case DATA:
        break;
    }
    return false;
}

static size_t take_data(struct proxy_body *body, size_t len)
{
    size_t taken = len < body->left ? len : (size_t)body->left;

    body->left -= taken;
    return taken;
}

int64_t proxy_body_take(struct proxy_body *body, const char *data, size_t len)
{
    size_t at = 0;

    if (body->kind == BODY_LENGTH) {
        at = take_data(body, len);
        body->over = !body->left;
        return (int64_t)at;
    }
    while (at < len && !body->over) {
        if (body->state == DATA) {
            at += take_data(body, len - at);
            if (!body->left)
                body->state = DATA_CR;
        } else if (!take_char(body, data[at++])) {
            return -1;
        }
    }
    return (int64_t)at;
}
