/* worker/gateway/protocol.h - what gateway and its client tell each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_PROTOCOL_H
#define WORKER_GATEWAY_PROTOCOL_H

/*
 * `gateway UID` is a coprocess (base/coprocess.h): its listener is in the
 * sandbox's network namespace, its frames are JSON, and it becomes UID, unless
 * that is 0.
 */
enum gateway_frame {
    /*
     * Down, once. Lists may be left out, and are empty then; but without
     * `within`, what `hosts` allows is not narrowed.
     *
     * {"hosts": ["h", "*.h:1"], "within": [the same: both must allow],
     *  "allow_addresses": ["10.0.0.0/8"],
     *  "own_hosts": [as hosts: these may be at addresses of the site, too],
     *  "listed": "npm, h": what `network` of
     *  the pipeline has, for messages,
     *  "inject": [{"host", "header", "value", "port": 443, "tls": true}],
     *  "tls": true, if later ones may be so,
     *  "max_connections", "max_rate", "max_bytes": N,
     *  "head_ms", "connect_ms", "idle_ms": N}
     */
    GATEWAY_FRAME_SETUP = 1,
    GATEWAY_FRAME_END, /* down: end all, report it, and end; {} */
    /*
     * Down, behind READY: {"inject": as above}, in place of what there was.
     * Connections with a field that is not among them any more are ended.
     */
    GATEWAY_FRAME_HOLD,

    GATEWAY_FRAME_READY = 16, /* up: it listens; {} */
    /*
     * Up: a connection has ended, or was refused just now.
     * {"host", "port", "address" (or ""), "up", "down": bytes, "ms",
     *  "verdict": "allowed", or "host", "address", "sni", "request", "limit",
     *  "failed", "message": what a person is told, or ""}
     */
    GATEWAY_FRAME_CONNECTION,
    GATEWAY_FRAME_FAILED, /* up: {"message"}; it ends behind it */
    GATEWAY_FRAME_HELD,   /* up, one for each HOLD: it was done; {} */
};

#endif
