/* base/cron_parse.c - the text of a schedule. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cron.h"

#include "base/suggest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIELDS   5
#define TEXT_MAX 256 /* bytes of a schedule */
#define SHOWN    20  /* bytes of it in a message */

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct field {
    const char *name;
    int min, max;
    const char *words; /* three letters each, for `min` and on; or NULL */
} fields[FIELDS] = {
    [MINUTE] = {"minute", 0, 59, NULL},
    [HOUR] = {"hour", 0, 23, NULL},
    [DAY] = {"day of month", 1, 31, NULL},
    [MONTH] = {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [WEEKDAY] = {"day of week", 0, 7, "sunmontuewedthufrisat"},
};

static const struct {
    const char *word, *schedule;
} words[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"}, {"@nightly", "0 3 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},   {"@annually", "0 0 1 1 *"},
};

/* A schedule being read; `p` is also where an error is. */
struct reader {
    const char *p;
    const struct field *field;
    struct err *err;
};

static int wrong(struct reader *r, const char *what)
{
    int len = (int)strcspn(r->p, " \t,");

    return err_set(r->err, ERR_USER, "%s: '%.*s': %s", r->field->name,
                   len < SHOWN ? len : SHOWN, r->p, what);
}

static bool at_end(const struct reader *r)
{
    return !*r->p || strchr(" \t,", *r->p);
}

static int read_digits(struct reader *r, int *out)
{
    const char *start = r->p;
    int number = 0;

    for (; *r->p >= '0' && *r->p <= '9'; r->p++)
        if (number < 1000)
            number = number * 10 + (*r->p - '0');
    *out = number;
    return r->p > start ? 0 : -1;
}

static int read_word(struct reader *r, int *out)
{
    const char *names = r->field->words;

    for (int i = 0; names && names[i]; i += 3)
        if (!strncasecmp(r->p, names + i, 3)) {
            r->p += 3;
            *out = r->field->min + i / 3;
            return 0;
        }
    return -1;
}

static int read_value(struct reader *r, int *out)
{
    const char *start = r->p;
    char range[48];

    if (read_digits(r, out) < 0 && read_word(r, out) < 0)
        return wrong(r, r->field->words
                            ? "a number, a name of three letters or * belongs "
                              "here"
                            : "a number or * belongs here");
    if (*out >= r->field->min && *out <= r->field->max)
        return 0;
    r->p = start;
    (void)snprintf(range, sizeof(range), "this must be from %d to %d",
                   r->field->min, r->field->max);
    return wrong(r, range);
}

/* `/n`, or nothing: 1. */
static int read_step(struct reader *r, int *out)
{
    const char *start;

    *out = 1;
    if (*r->p != '/')
        return 0;
    start = ++r->p;
    if (read_digits(r, out) < 0)
        return wrong(r, "a step is a number");
    if (*out >= 1 && *out <= r->field->max)
        return 0;
    r->p = start;
    return wrong(r, "a step must be at least 1, and within the field");
}

/* a, a-b, *, each with a step but the first. */
static int read_item(struct reader *r, uint64_t *bits)
{
    const char *start = r->p;
    int from = r->field->min, to = r->field->max, step;
    bool range = true;

    if (*r->p == '*') {
        r->p++;
    } else {
        if (read_value(r, &from) < 0)
            return -1;
        to = from;
        range = *r->p == '-';
        if (range) {
            r->p++;
            if (read_value(r, &to) < 0)
                return -1;
        }
    }
    if (range && r->field == &fields[WEEKDAY] && !to && from)
        to = 7; /* fri-sun */
    if (from > to) {
        r->p = start;
        return wrong(r, "a range goes from the smaller to the larger");
    }
    if (!range && *r->p == '/') {
        r->p = start;
        return wrong(r, "a step needs a range, or *");
    }
    if (read_step(r, &step) < 0)
        return -1;
    if (!at_end(r))
        return wrong(r, "this does not belong here");
    for (int i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return 0;
}

static int read_field(struct reader *r, uint64_t *bits)
{
    *bits = 0;
    while (read_item(r, bits) == 0) {
        if (*r->p != ',')
            return 0;
        r->p++;
    }
    return -1;
}

static void skip_blanks(struct reader *r)
{
    r->p += strspn(r->p, " \t");
}

static int read_fields(struct reader *r, struct cron *out)
{
    uint64_t bits[FIELDS];
    bool star[FIELDS];

    for (size_t i = 0; i < FIELDS; i++) {
        skip_blanks(r);
        r->field = &fields[i];
        if (!*r->p)
            return err_set(r->err, ERR_USER,
                           "a schedule has five fields; the %s is missing",
                           r->field->name);
        star[i] = *r->p == '*';
        if (read_field(r, &bits[i]) < 0)
            return -1;
    }
    skip_blanks(r);
    if (*r->p)
        return err_set(r->err, ERR_USER,
                       "a schedule has five fields, and no seconds, year or "
                       "command");
    *out = (struct cron){
        .minutes = bits[MINUTE],
        .hours = (uint32_t)bits[HOUR],
        .days = (uint32_t)bits[DAY],
        .months = (uint16_t)bits[MONTH],
        .weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f),
        .any_day = !star[DAY] && !star[WEEKDAY],
    };
    return 0;
}

static int unknown_word(struct reader *r)
{
    struct suggest close = SUGGEST_INIT(r->p);

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        suggest_offer(&close, words[i].word);
    return err_set(r->err, ERR_USER, "unknown schedule '%.*s'%s%s%s", SHOWN,
                   r->p, close.best ? "; did you mean '" : "",
                   close.best ? close.best : "", close.best ? "'?" : "");
}

static int read_text(struct reader *r, struct cron *out)
{
    size_t len;

    if (strlen(r->p) > TEXT_MAX)
        return err_set(r->err, ERR_USER, "a schedule longer than %d bytes",
                       TEXT_MAX);
    skip_blanks(r);
    if (*r->p != '@')
        return read_fields(r, out);
    len = strcspn(r->p, " \t");
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strlen(words[i].word) == len &&
            !strncasecmp(r->p, words[i].word, len) &&
            !r->p[len + strspn(r->p + len, " \t")]) {
            struct reader known = {words[i].schedule, NULL, r->err};

            return read_fields(&known, out);
        }
    return unknown_word(r);
}

int cron_parse(const char *text, struct cron *out, size_t *out_at,
               struct err *err)
{
    struct reader r = {text, NULL, err};

    if (read_text(&r, out) == 0)
        return 0;
    if (out_at)
        *out_at = (size_t)(r.p - text);
    return -1;
}
