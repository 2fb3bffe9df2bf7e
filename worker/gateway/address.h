/* worker/gateway/address.h - which addresses a sandbox may not reach. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_ADDRESS_H
#define WORKER_GATEWAY_ADDRESS_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>

/*
 * Every address is held as one of IPv6, those of IPv4 as ::ffff:a.b.c.d: so a
 * mapped address that a resolver gives is the same as the plain one.
 */

/** The addresses whose first `bits` (of 128) are those of `base`. */
struct address_range {
    struct in6_addr base;
    unsigned bits;
};

/**
 * Parse `10.1.2.0/24`, `fd00::/8`, or one address. Bits behind the prefix must
 * be zero: a typing error would allow what nobody meant. ERR_USER.
 */
MUST_USE int address_range_parse(const char *text,
                                 struct address_range *out_range,
                                 struct err *err);

/** An address of IPv4, in network order. */
struct in6_addr address_of_v4(struct in_addr v4);

/**
 * Whether connecting to `address` is refused: what kind of address it is, as
 * "private use", for a message; static. NULL: it is a public one, or one of
 * `allowed` holds it.
 *
 * Refused is all that the IANA IPv4 and IPv6 Special-Purpose Address Registries
 * (RFC 6890 and their updates up to 2025) list, multicast, and all of IPv6 that
 * is not global unicast. Of addresses that translators make of IPv4 ones,
 * 64:ff9b::/96 (RFC 6052) and 2002::/16 (RFC 3056), the one inside is judged
 * too, so that allowing a translator does not allow what is behind it.
 */
const char *address_refused(const struct in6_addr *address,
                            const struct address_range *allowed,
                            size_t allowed_count);

/**
 * Whether it is one that a site gives to hosts of its own: private use, shared
 * address space, loopback, unique local, and what is for documentation and
 * benchmarks. Not link local, where clouds hand out their keys, nor any of a
 * translator.
 */
bool address_is_of_site(const struct in6_addr *address);

/** As text: IPv4 as people write it. */
#define ADDRESS_TEXT_SIZE 46
const char *address_format(const struct in6_addr *address,
                           char out[ADDRESS_TEXT_SIZE]);

#endif
