/* worker/supervisor/connections.c - jobs' connections, in the worker's log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/connections.h"

#include <inttypes.h>
#include <jansson.h>

#define LINE_MS (1000 / CONNECTIONS_RATE)

static bool has_room(struct connections *connections, int64_t now_ms)
{
    int64_t most = (int64_t)CONNECTIONS_BURST * LINE_MS;

    connections->room_ms +=
        connections->counted_ms ? now_ms - connections->counted_ms : most;
    connections->counted_ms = now_ms;
    if (connections->room_ms > most)
        connections->room_ms = most;
    if (connections->room_ms < LINE_MS) {
        connections->left_out++;
        return false;
    }
    connections->room_ms -= LINE_MS;
    return true;
}

/* Texts of run-job are a stranger's, as far as they go. */
static bool add_line(const json_t *doc, struct strbuf *out)
{
    const char *host = NULL, *address = NULL, *verdict = NULL;
    json_int_t up = 0, down = 0, ms = 0;
    int port = 0;

    if (json_unpack((json_t *)(uintptr_t)doc,
                    "{s:s, s:i, s:s, s:I, s:I, s:I, s:s}", "host", &host,
                    "port", &port, "address", &address, "up", &up, "down",
                    &down, "ms", &ms, "verdict", &verdict) < 0)
        return false;
    strbuf_addf(out, "%.253s:%d", *host ? host : "?", port);
    if (*address)
        strbuf_addf(out, " (%.46s)", address);
    strbuf_addf(out,
                ": %.20s, %" PRId64 " bytes sent, %" PRId64
                " received, %" PRId64 " ms",
                verdict, (int64_t)up, (int64_t)down, (int64_t)ms);
    return true;
}

bool connections_line(struct connections *connections, const char *job_id,
                      const struct frame *frame, int64_t now_ms,
                      struct strbuf *out_line)
{
    json_t *doc = json_loadb((const char *)frame->data, frame->len, 0, NULL);
    CLEANUP(strbuf) struct strbuf line = STRBUF_MAX(1024);
    bool told = add_line(doc, &line) && has_room(connections, now_ms);

    json_decref(doc);
    if (!told)
        return false;
    strbuf_addf(out_line, "job %s: connection to %s", job_id, line.data);
    if (connections->left_out)
        strbuf_addf(out_line, "; %" PRIu64 " before it are not told",
                    connections->left_out);
    connections->left_out = 0;
    return true;
}
