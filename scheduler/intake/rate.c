/* scheduler/intake/rate.c - how many requests an address sent lately. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/intake/rate.h"

#include "base/sha256.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SLOTS     4096
#define WINDOW_MS 60000
#define PREFIX_V6 8 /* bytes: what one customer gets */

struct slot {
    int64_t since_ms;
    unsigned count;
};

struct rate {
    unsigned max;
    uint8_t key[16];
    struct slot slots[SLOTS];
};

struct rate *rate_new(unsigned max)
{
    struct rate *rate = xcalloc(1, sizeof(*rate));

    rate->max = max;
    if (getrandom(rate->key, sizeof(rate->key), 0) !=
        (ssize_t)sizeof(rate->key))
        abort();
    return rate;
}

void rate_free(struct rate *rate)
{
    free(rate);
}

static struct slot *slot_of(struct rate *rate, const struct sockaddr *address)
{
    uint8_t digest[SHA256_SIZE];
    struct sha256 state;

    sha256_init(&state);
    sha256_add(&state, rate->key, sizeof(rate->key));
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof(in));
        sha256_add(&state, &in.sin_addr, sizeof(in.sin_addr));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof(in6));
        sha256_add(&state, &in6.sin6_addr,
                   IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) ? sizeof(in6.sin6_addr)
                                                        : PREFIX_V6);
    }
    sha256_end(&state, digest);
    return &rate->slots[(digest[0] << 8 | digest[1]) % SLOTS];
}

int64_t rate_take(struct rate *rate, const struct sockaddr *address,
                  int64_t now_ms)
{
    struct slot *slot = slot_of(rate, address);

    if (!rate->max)
        return 0;
    if (!slot->count || now_ms - slot->since_ms >= WINDOW_MS) {
        slot->since_ms = now_ms;
        slot->count = 0;
    }
    if (slot->count >= rate->max)
        return slot->since_ms + WINDOW_MS - now_ms;
    slot->count++;
    return 0;
}
