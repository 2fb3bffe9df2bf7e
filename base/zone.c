/* base/zone.c - time zones of the IANA database, without the TZ variable. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

#include "base/calendar.h"
#include "base/fd.h"
#include "base/zone_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZONE_DIR       "/usr/share/zoneinfo"
#define ZONE_MAX_BYTES ((size_t)64 << 10)
#define HEADER_BYTES   44
#define OFFSET_MAX_S   (26 * 3600) /* RFC 8536, 3.2 */
/* Before the Big Bang, some files say. Nothing here looks so far. */
#define CHANGE_MIN_S (-((int64_t)1 << 59))
#define CHANGE_MAX_S ((int64_t)1 << 59)

/* From `at_s` on clocks show UTC plus `offset_s`. */
struct change {
    int64_t at_s;
    int32_t offset_s;
};

struct zone {
    struct change *changes; /* owned; in order */
    size_t count;
    int32_t first_s; /* the offset before the first change */
    bool has_rule;   /* for what comes after the last */
    struct zone_rule rule;
};

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->changes);
    free(zone);
}

/* ---- the file --------------------------------------------------------------
 */

/* The counts of a header (RFC 8536, 3.1), and where its data starts. */
struct block {
    const uint8_t *data;
    uint32_t isut, isstd, leap, time, type, chars;
};

static uint64_t take_big_endian(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    return value;
}

static size_t block_bytes(const struct block *b, size_t time_bytes)
{
    return b->time * (time_bytes + 1) + (size_t)b->type * 6 + b->chars +
           b->leap * (time_bytes + 4) + b->isstd + b->isut;
}

/* Read the header at `p`; false when it or its data is not whole. */
static bool take_header(const uint8_t *p, size_t len, size_t time_bytes,
                        struct block *out)
{
    uint32_t *const counts[] = {&out->isut, &out->isstd, &out->leap,
                                &out->time, &out->type,  &out->chars};

    if (len < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        *counts[i] = (uint32_t)take_big_endian(p + 20 + i * 4, 4);
        if (*counts[i] > ZONE_MAX_BYTES)
            return false;
    }
    out->data = p + HEADER_BYTES;
    return out->type && block_bytes(out, time_bytes) <= len - HEADER_BYTES;
}

static bool take_type(const struct block *b, size_t time_bytes, size_t type,
                      int32_t *out_offset_s)
{
    const uint8_t *types = b->data + b->time * (time_bytes + 1);

    if (type >= b->type)
        return false;
    *out_offset_s = (int32_t)(uint32_t)take_big_endian(types + type * 6, 4);
    return *out_offset_s > -OFFSET_MAX_S && *out_offset_s < OFFSET_MAX_S;
}

static bool take_changes(const struct block *b, struct zone *zone)
{
    const uint8_t *indices = b->data + (size_t)b->time * 8;

    if (!take_type(b, 8, 0, &zone->first_s))
        return false;
    zone->changes = xcalloc(b->time + 1, sizeof(*zone->changes));
    for (size_t i = 0; i < b->time; i++) {
        struct change *change = &zone->changes[zone->count];

        change->at_s = (int64_t)take_big_endian(b->data + i * 8, 8);
        if (change->at_s > CHANGE_MAX_S ||
            !take_type(b, 8, indices[i], &change->offset_s))
            return false;
        if (change->at_s < CHANGE_MIN_S) {
            zone->first_s = change->offset_s;
            continue;
        }
        if (zone->count && change[-1].at_s >= change->at_s)
            return false;
        zone->count++;
    }
    return true;
}

static bool take_rule(const uint8_t *p, size_t len, struct zone *zone)
{
    const uint8_t *end = len > 1 ? memchr(p + 1, '\n', len - 1) : NULL;
    CLEANUP(mem) char *text = NULL;

    if (!end || *p != '\n')
        return false;
    if (end == p + 1) /* none: the last offset stays */
        return true;
    text = xstrndup((const char *)p + 1, (size_t)(end - p - 1));
    zone->has_rule = true;
    return zone_rule_parse(text, &zone->rule);
}

static bool take_file(const uint8_t *p, size_t len, struct zone *zone)
{
    struct block old, block;
    size_t skip;

    if (!take_header(p, len, 4, &old) || p[4] < '2')
        return false;
    skip = HEADER_BYTES + block_bytes(&old, 4);
    if (!take_header(p + skip, len - skip, 8, &block))
        return false;
    skip += HEADER_BYTES + block_bytes(&block, 8);
    return take_changes(&block, zone) && take_rule(p + skip, len - skip, zone);
}

int zone_parse(const void *data, size_t len, struct zone **out_zone,
               struct err *err)
{
    CLEANUP(zone) struct zone *zone = xcalloc(1, sizeof(*zone));

    if (!take_file(data, len, zone))
        return err_set(err, ERR_TRANSIENT,
                       "not a time zone file of version 2 or later");
    *out_zone = STEAL(zone);
    return 0;
}

/* No way out of the directory, nothing hidden in it. */
static bool name_ok(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t len = strspn(name, letters);

    return len && len <= ZONE_NAME_MAX && !name[len] && *name != '/' &&
           name[len - 1] != '/' && !strstr(name, "//");
}

int zone_load(const char *name, struct zone **out_zone, struct err *err)
{
    CLEANUP(strbuf) struct strbuf data = STRBUF_MAX(ZONE_MAX_BYTES);
    CLEANUP(mem) char *path = NULL;

    if (!strcmp(name, "UTC")) {
        *out_zone = xcalloc(1, sizeof(struct zone));
        return 0;
    }
    if (!name_ok(name))
        return err_set(err, ERR_USER,
                       "'%.64s' is not a time zone's name; one looks like "
                       "Europe/Berlin",
                       name);
    if (access(ZONE_DIR, F_OK) < 0)
        return err_set(err, ERR_USER,
                       "time zone '%s': there is no " ZONE_DIR
                       "; install the package tzdata",
                       name);
    path = xasprintf(ZONE_DIR "/%s", name);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return err_set(err, ERR_USER, "there is no time zone '%s'", name);
    if (file_read(path, ZONE_MAX_BYTES, &data, err) < 0 ||
        zone_parse(data.data, data.len, out_zone, err) < 0)
        return err_wrap(err, "time zone '%s'", name);
    return 0;
}

/* ---- looking up ------------------------------------------------------------
 */

/*
 * The changes of three years around a moment, in order: the one before it is
 * among them, and the one after.
 */
static size_t rule_changes(const struct zone_rule *rule, int64_t at_s,
                           struct change out[6])
{
    int64_t year = date_from_days(floor_div(at_s, DAY_S)).year;
    size_t count = 0;

    for (int64_t y = year - 1; y <= year + 1; y++) {
        struct change change[2] = {
            {zone_rule_moment(&rule->starts, y, rule->standard_s),
             rule->summer_s},
            {zone_rule_moment(&rule->ends, y, rule->summer_s),
             rule->standard_s},
        };
        size_t first = change[1].at_s < change[0].at_s;

        out[count++] = change[first];
        out[count++] = change[!first];
    }
    return count;
}

/* Within what the rule governs, which starts at `span`'s start. */
static struct zone_span span_by_rule(const struct zone *zone,
                                     struct zone_span span, int64_t at_s)
{
    struct change changes[6];
    size_t count;

    if (!zone->rule.changes)
        return span;
    count = rule_changes(&zone->rule, at_s, changes);
    for (size_t i = 0; i < count; i++) {
        int64_t change_s = changes[i].at_s;

        if (change_s <= span.start_s)
            continue;
        if (change_s > at_s) {
            span.end_s = change_s;
            break;
        }
        span.start_s = change_s;
        span.before_s = i ? changes[i - 1].offset_s : span.offset_s;
        span.offset_s = changes[i].offset_s;
    }
    return span;
}

struct zone_span zone_span_at(const struct zone *zone, int64_t at_s)
{
    struct zone_span span = {INT64_MIN, INT64_MAX, zone->first_s,
                             zone->first_s};
    size_t low = 0, high = zone->count;

    while (low < high) { /* to the first change after `at_s` */
        size_t middle = (low + high) / 2;

        if (zone->changes[middle].at_s <= at_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low) {
        span.start_s = zone->changes[low - 1].at_s;
        span.offset_s = zone->changes[low - 1].offset_s;
        span.before_s =
            low > 1 ? zone->changes[low - 2].offset_s : zone->first_s;
    }
    if (low < zone->count)
        span.end_s = zone->changes[low].at_s;
    else if (zone->has_rule)
        return span_by_rule(zone, span, at_s);
    return span;
}
