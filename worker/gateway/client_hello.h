/* worker/gateway/client_hello.h - the name that a TLS client asks for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_CLIENT_HELLO_H
#define WORKER_GATEWAY_CLIENT_HELLO_H

#include "base/host_rule.h"

/** What a client may send before its ClientHello is whole, records and all. */
#define CLIENT_HELLO_MAX_BYTES ((size_t)20 << 10)

/**
 * Look for the server_name (RFC 6066, 3) in the first bytes of a connection:
 * a ClientHello of TLS 1.0 to 1.3 (RFC 8446, 4.1.2) in one or more records and
 * nothing before it. Returns 1 and the name as host_name_parse() gives it; 0
 * when more bytes are needed; -1 with ERR_USER when it is no ClientHello, has
 * no name or more than one, is malformed, or is not whole in
 * CLIENT_HELLO_MAX_BYTES. Of SSL 2's form of it nothing is taken.
 */
MUST_USE int client_hello_name(const void *data, size_t len,
                               char out_name[HOST_NAME_SIZE], struct err *err);

#endif
