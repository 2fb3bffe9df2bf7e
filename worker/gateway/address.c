/* worker/gateway/address.c - which addresses a sandbox may not reach. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96u /* of ::ffff:0:0/96 */

/* Of IPv4; a longer prefix before the shorter one that holds it. */
static const struct {
    uint8_t base[4];
    uint8_t bits;
    const char *name;
} special_v4[] = {
    {{0, 0, 0, 0}, 8, "this network"},
    {{10, 0, 0, 0}, 8, "private use"},
    {{100, 64, 0, 0}, 10, "shared address space"},
    {{127, 0, 0, 0}, 8, "loopback"},
    {{169, 254, 0, 0}, 16, "link local"},
    {{172, 16, 0, 0}, 12, "private use"},
    {{192, 0, 0, 0}, 24, "protocol assignments"},
    {{192, 0, 2, 0}, 24, "documentation"},
    {{192, 31, 196, 0}, 24, "AS112"},
    {{192, 52, 193, 0}, 24, "multicast tunnels"},
    {{192, 88, 99, 0}, 24, "6to4 relays"},
    {{192, 168, 0, 0}, 16, "private use"},
    {{192, 175, 48, 0}, 24, "AS112"},
    {{198, 18, 0, 0}, 15, "benchmarking"},
    {{198, 51, 100, 0}, 24, "documentation"},
    {{203, 0, 113, 0}, 24, "documentation"},
    {{224, 0, 0, 0}, 4, "multicast"},
    {{240, 0, 0, 0}, 4, "reserved"},
};

static const struct {
    uint16_t base[8];
    uint8_t bits;
    const char *name;
} special_v6[] = {
    {{0}, 128, "unspecified"},
    {{0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback"},
    {{0}, 96, "IPv4-compatible"},
    {{0x64, 0xff9b, 1}, 48, "local-use translation"},
    {{0x100}, 64, "discard only"},
    {{0x100, 0, 0, 1}, 64, "dummy prefix"},
    {{0x2001, 0}, 32, "Teredo"},
    {{0x2001, 2, 0}, 48, "benchmarking"},
    {{0x2001, 0}, 23, "protocol assignments"},
    {{0x2001, 0xdb8}, 32, "documentation"},
    {{0x2002}, 16, "6to4"},
    {{0x2620, 0x4f, 0x8000}, 48, "AS112"},
    {{0x3fff}, 20, "documentation"},
    {{0x5f00}, 16, "segment routing"},
    {{0xfc00}, 7, "unique local"},
    {{0xfe80}, 10, "link local"},
    {{0xfec0}, 10, "site local"},
    {{0xff00}, 8, "multicast"},
};

/* Translators: the bits before the address of IPv4 that is inside. */
static const struct {
    uint16_t base[2];
    uint8_t bits;
} translators[] = {
    {{0x64, 0xff9b}, 96},
    {{0x2002}, 16},
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *base, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    return memcmp(bytes, base, whole) == 0 &&
           (!rest || (bytes[whole] ^ base[whole]) >> (8 - rest) == 0);
}

static bool holds(const struct address_range *range, const uint8_t *bytes)
{
    return has_prefix(bytes, range->base.s6_addr, range->bits);
}

static void put_groups(const uint16_t *groups, size_t count, uint8_t out[16])
{
    memset(out, 0, 16);
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = (uint8_t)(groups[i] >> 8);
        out[2 * i + 1] = (uint8_t)groups[i];
    }
}

struct in6_addr address_of_v4(struct in_addr v4)
{
    struct in6_addr address = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    memcpy(address.s6_addr + 12, &v4, sizeof(v4));
    return address;
}

/* ---- ranges ---------------------------------------------------------------
 */

static int parse_base(const char *text, struct in6_addr *out, bool *out_is_v4)
{
    struct in_addr v4;

    *out_is_v4 = inet_pton(AF_INET, text, &v4) == 1;
    if (*out_is_v4) {
        *out = address_of_v4(v4);
        return 0;
    }
    return inet_pton(AF_INET6, text, out) == 1 ? 0 : -1;
}

static bool is_clear_behind(const struct address_range *range)
{
    for (unsigned bit = range->bits; bit < 128; bit++)
        if (range->base.s6_addr[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

int address_range_parse(const char *text, struct address_range *out_range,
                        struct err *err)
{
    struct address_range range = {.bits = 128};
    size_t len = strcspn(text, "/");
    const char *slash = text[len] ? text + len + 1 : NULL;
    char base[INET6_ADDRSTRLEN];
    unsigned most;
    bool is_v4;

    if (len >= sizeof(base))
        return err_set(err, ERR_USER, "this is no address");
    memcpy(base, text, len);
    base[len] = '\0';
    if (parse_base(base, &range.base, &is_v4) < 0)
        return err_set(err, ERR_USER,
                       "a range of addresses is written 10.1.2.0/24 or "
                       "fd00::/8, or is one address");
    most = is_v4 ? 32 : 128;
    if (slash) {
        size_t digits = strspn(slash, "0123456789");
        unsigned long bits = strtoul(slash, NULL, 10);

        if (!digits || digits > 3 || slash[digits] || bits > most)
            return err_set(err, ERR_USER,
                           "behind the '/' stands a number from 0 to %u", most);
        range.bits = (unsigned)bits + 128 - most;
    }
    if (!is_clear_behind(&range))
        return err_set(err, ERR_USER,
                       "the address has bits behind the %u that the range "
                       "looks at",
                       range.bits + most - 128);
    *out_range = range;
    return 0;
}

/* ---- the verdict ----------------------------------------------------------
 */

static bool is_v4(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

static const char *special(const struct in6_addr *address)
{
    for (size_t i = 0; is_v4(address) && i < ARRAY_LEN(special_v4); i++)
        if (has_prefix(address->s6_addr + 12, special_v4[i].base,
                       special_v4[i].bits))
            return special_v4[i].name;
    if (is_v4(address))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(special_v6); i++) {
        uint8_t base[16];

        put_groups(special_v6[i].base, 8, base);
        if (has_prefix(address->s6_addr, base, special_v6[i].bits))
            return special_v6[i].name;
    }
    return NULL;
}

static bool embedded_v4(const struct in6_addr *address, struct in6_addr *out)
{
    for (size_t i = 0; i < ARRAY_LEN(translators); i++) {
        uint8_t base[16];
        struct in_addr v4;

        put_groups(translators[i].base, 2, base);
        if (!has_prefix(address->s6_addr, base, translators[i].bits))
            continue;
        memcpy(&v4, address->s6_addr + translators[i].bits / 8, sizeof(v4));
        *out = address_of_v4(v4);
        return true;
    }
    return false;
}

static const char *refuse_one(const struct in6_addr *address, bool translated,
                              const struct address_range *allowed,
                              size_t allowed_count)
{
    const char *name = special(address);

    for (size_t i = 0; i < allowed_count; i++)
        if (holds(&allowed[i], address->s6_addr))
            return NULL;
    /* 2000::/3 is what has been given out as global unicast. */
    if (!name && !is_v4(address) && !translated &&
        address->s6_addr[0] >> 5 != 1)
        name = "no global unicast";
    return name;
}

const char *address_refused(const struct in6_addr *address,
                            const struct address_range *allowed,
                            size_t allowed_count)
{
    struct in6_addr inside;
    bool translated = embedded_v4(address, &inside);
    const char *name = refuse_one(address, translated, allowed, allowed_count);

    if (!name && translated)
        name = refuse_one(&inside, false, allowed, allowed_count);
    return name;
}

bool address_is_of_site(const struct in6_addr *address)
{
    static const char *const names[] = {
        "private use",  "shared address space", "loopback",   "documentation",
        "benchmarking", "unique local",         "site local",
    };
    struct in6_addr inside;
    const char *name = special(address);

    if (!name || embedded_v4(address, &inside))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

const char *address_format(const struct in6_addr *address,
                           char out[ADDRESS_TEXT_SIZE])
{
    const char *text =
        is_v4(address)
            ? inet_ntop(AF_INET, address->s6_addr + 12, out, ADDRESS_TEXT_SIZE)
            : inet_ntop(AF_INET6, address, out, ADDRESS_TEXT_SIZE);

    return text ? text : "?";
}
