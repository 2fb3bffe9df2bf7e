/* worker/checkout/wire.c - git's protocol over descriptors of the client. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/wire.h"

#include "base/fd.h"
#include "worker/checkout/giterr.h"
#include "worker/checkout/protocol.h"
#include "worker/checkout/report.h"

#include <errno.h>
#include <git2/sys/transport.h>
#include <stdlib.h>
#include <unistd.h>

struct wire_stream {
    git_smart_subtransport_stream base; /* first: libgit2 gives it back */
    int fd;
};

struct wire {
    git_smart_subtransport base;
    struct wire_stream stream;
};

static int wire_read(git_smart_subtransport_stream *base, char *buffer,
                     size_t size, size_t *out_read)
{
    const struct wire_stream *stream = (const struct wire_stream *)base;
    ssize_t n;

    do {
        n = read(stream->fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != ECONNRESET)
        return giterr_say("the connection broke");
    *out_read = n < 0 ? 0 : (size_t)n;
    return 0;
}

static int wire_write(git_smart_subtransport_stream *base, const char *buffer,
                      size_t len)
{
    const struct wire_stream *stream = (const struct wire_stream *)base;
    struct err err;

    if (fd_write_all(stream->fd, buffer, len, &err) < 0)
        return giterr_say("the connection broke");
    return 0;
}

/* The stream is part of the subtransport, which is freed after it. */
static void wire_stream_free(git_smart_subtransport_stream *base)
{
    (void)base;
}

/* libgit2 closes before it first asks, so a descriptor is taken only now. */
static int take_connection(struct wire *wire)
{
    static int next_fd = CONNECTION_FD;

    if (next_fd >= CONNECTION_FD + CONNECTION_COUNT)
        return giterr_say("no connection is left");
    fd_close(&wire->stream.fd);
    wire->stream.fd = next_fd++;
    report_connect(wire->stream.fd - CONNECTION_FD);
    return 0;
}

static int wire_action(git_smart_subtransport_stream **out,
                       git_smart_subtransport *base, const char *url,
                       git_smart_service_t action)
{
    struct wire *wire = (struct wire *)base;

    (void)url;
    if (action != GIT_SERVICE_UPLOADPACK_LS && action != GIT_SERVICE_UPLOADPACK)
        return giterr_say("mirrors are only fetched into");
    if (action == GIT_SERVICE_UPLOADPACK_LS && take_connection(wire) < 0)
        return -1;
    *out = &wire->stream.base;
    return 0;
}

static int wire_close(git_smart_subtransport *base)
{
    struct wire *wire = (struct wire *)base;

    fd_close(&wire->stream.fd);
    return 0;
}

static void wire_free(git_smart_subtransport *base)
{
    (void)wire_close(base);
    free(base);
}

static int wire_new(git_smart_subtransport **out, git_transport *owner,
                    void *param)
{
    struct wire *wire = xcalloc(1, sizeof(*wire));

    (void)owner;
    (void)param;
    wire->base.action = wire_action;
    wire->base.close = wire_close;
    wire->base.free = wire_free;
    wire->stream.base.subtransport = &wire->base;
    wire->stream.base.read = wire_read;
    wire->stream.base.write = wire_write;
    wire->stream.base.free = wire_stream_free;
    wire->stream.fd = -1;
    *out = &wire->base;
    return 0;
}

int wire_transport(git_transport **out, git_remote *owner, void *param)
{
    git_smart_subtransport_definition definition = {wire_new, 0, NULL};

    (void)param;
    return git_transport_smart(out, owner, &definition);
}
