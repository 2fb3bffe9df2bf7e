/* worker/cache/far/stream.c - bytes into a file with zstd, and out of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/cache/far/stream.h"

#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define LEVEL      3
#define WINDOW_LOG 23 /* 8 MiB: what a reader has to keep */
#define CHUNK      ((size_t)128 << 10)

struct stream {
    int fd;        /* borrowed */
    ZSTD_CCtx *to; /* owned; NULL: it is read */
    ZSTD_DCtx *from;
    char *chunk; /* owned; compressed bytes */
    ZSTD_inBuffer in;
    bool at_end; /* a frame has ended */
};

static struct stream *stream_new(int fd)
{
    struct stream *s = xcalloc(1, sizeof(*s));

    s->fd = fd;
    s->chunk = xmalloc(CHUNK);
    s->in.src = s->chunk;
    return s;
}

struct stream *stream_to(int fd)
{
    struct stream *s = stream_new(fd);

    s->to = ZSTD_createCCtx();
    if (!s->to)
        abort();
    (void)ZSTD_CCtx_setParameter(s->to, ZSTD_c_compressionLevel, LEVEL);
    (void)ZSTD_CCtx_setParameter(s->to, ZSTD_c_checksumFlag, 1);
    return s;
}

struct stream *stream_from(int fd)
{
    struct stream *s = stream_new(fd);

    s->from = ZSTD_createDCtx();
    if (!s->from)
        abort();
    (void)ZSTD_DCtx_setParameter(s->from, ZSTD_d_windowLogMax, WINDOW_LOG);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    (void)ZSTD_freeCCtx(s->to);
    (void)ZSTD_freeDCtx(s->from);
    free(s->chunk);
    free(s);
}

static int compress(struct stream *s, ZSTD_inBuffer *in, ZSTD_EndDirective how,
                    struct err *err)
{
    size_t left;

    do {
        ZSTD_outBuffer out = {s->chunk, CHUNK, 0};

        left = ZSTD_compressStream2(s->to, &out, in, how);
        if (ZSTD_isError(left))
            return err_set(err, ERR_TRANSIENT, "cannot compress: %s",
                           ZSTD_getErrorName(left));
        if (out.pos && fd_write_all(s->fd, s->chunk, out.pos, err) < 0)
            return -1;
    } while (how == ZSTD_e_end ? left != 0 : in->pos < in->size);
    return 0;
}

int stream_add(struct stream *s, const void *data, size_t len, struct err *err)
{
    ZSTD_inBuffer in = {data, len, 0};

    return compress(s, &in, ZSTD_e_continue, err);
}

int stream_end(struct stream *s, struct err *err)
{
    ZSTD_inBuffer in = {NULL, 0, 0};

    return compress(s, &in, ZSTD_e_end, err);
}

/* 0: there is no more. */
static int fill(struct stream *s, struct err *err)
{
    ssize_t n;

    do
        n = read(s->fd, s->chunk, CHUNK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot read what was packed");
    s->in.size = (size_t)n;
    s->in.pos = 0;
    return n > 0;
}

int stream_take(struct stream *s, void *data, size_t len, struct err *err)
{
    ZSTD_outBuffer out = {data, len, 0};

    while (out.pos < out.size) {
        size_t before = out.pos;
        size_t rc = ZSTD_decompressStream(s->from, &out, &s->in);
        int more;

        if (ZSTD_isError(rc))
            return err_set(err, ERR_USER, "what was packed is damaged: %s",
                           ZSTD_getErrorName(rc));
        s->at_end = rc == 0;
        if (out.pos == out.size || out.pos > before)
            continue;
        if (s->at_end && s->in.pos < s->in.size)
            return err_set(err, ERR_USER, "what was packed goes on");
        if (s->in.pos < s->in.size)
            continue;
        more = fill(s, err);
        if (more < 0)
            return -1;
        if (!more)
            return err_set(err, ERR_USER, "what was packed has no end");
    }
    return 0;
}

int stream_over(struct stream *s, struct err *err)
{
    char byte;
    ZSTD_outBuffer out = {&byte, 1, 0};
    int more = 1;

    while (!s->at_end && out.pos == 0 && more > 0) {
        size_t rc = ZSTD_decompressStream(s->from, &out, &s->in);

        if (ZSTD_isError(rc))
            return err_set(err, ERR_USER, "what was packed is damaged: %s",
                           ZSTD_getErrorName(rc));
        s->at_end = rc == 0;
        if (!s->at_end && out.pos == 0 && s->in.pos == s->in.size)
            more = fill(s, err);
    }
    if (more < 0)
        return -1;
    if (s->at_end && out.pos == 0 && s->in.pos == s->in.size)
        more = fill(s, err);
    return s->at_end && out.pos == 0 && !more
               ? 0
               : err_set(err, ERR_USER, "what was packed does not end well");
}
