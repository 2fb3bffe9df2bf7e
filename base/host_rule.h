/* base/host_rule.h - names of hosts, and patterns that allow them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HOST_RULE_H
#define BASE_HOST_RULE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/** A name of RFC 1123 at its longest, and a NUL. */
#define HOST_NAME_SIZE 254

/**
 * Check `len` bytes that name a host, and put the name into `out` in small
 * letters and without a dot at its end: labels of letters, digits, '-' and '_',
 * 63 at most. What ends with a number is an address to some program (RFC 3986,
 * 7.4; WHATWG URL, "ends in a number") and refused, as is every address.
 * ERR_USER; `out` is untouched then. Other alphabets come as xn--….
 */
MUST_USE int host_name_parse(const char *text, size_t len,
                             char out[HOST_NAME_SIZE], struct err *err);

/**
 * Parse ":" and a port at `text`, up to its end, in plain decimal. ERR_USER.
 */
MUST_USE int host_port_parse(const char *text, size_t len, uint16_t *out_port,
                             struct err *err);

struct host_rule {
    char name[HOST_NAME_SIZE];
    bool below;    /* *.name: what is below the name, and not it */
    uint16_t port; /* 0: 80 and 443 */
};

/**
 * Parse `name`, `*.name`, either with `:port`. A pattern needs two labels
 * behind the star, and a name without a dot its port: without, it is a word for
 * something else. ERR_USER, the message quoting nothing.
 */
MUST_USE int host_rule_parse(const char *text, struct host_rule *out_rule,
                             struct err *err);

/** Whether `rule` allows a host as host_name_parse() gives it. */
bool host_rule_allows(const struct host_rule *rule, const char *name,
                      uint16_t port);

#endif
