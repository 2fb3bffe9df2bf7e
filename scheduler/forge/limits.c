/* scheduler/forge/limits.c - how long a Git host wants to be left alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/limits.h"

#include "base/header.h"
#include "base/http.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_MS  ((int64_t)1000)
#define MINUTE_MS  (60 * SECOND_MS)
#define DIGITS_MAX 12

/* Plain decimal and nothing else, or -1. */
static int64_t number_of(const char *text)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;

    if (!digits || text[digits] || digits > DIGITS_MAX)
        return -1;
    return strtoll(text, NULL, 10);
}

int64_t limits_retry_after_ms(const char *value, int64_t now_ms)
{
    int64_t seconds = number_of(value), at_ms;

    if (seconds >= 0)
        return seconds * 1000;
    at_ms = value ? http_date_ms(value) : -1;
    if (at_ms < 0)
        return -1;
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

/* GitHub and Gitea have the X-, GitLab has not. */
static int64_t limit_number(const struct strv *headers, const char *name)
{
    int64_t number = number_of(header_find(headers, name));

    return number >= 0 ? number : number_of(header_find(headers, name + 2));
}

static bool speaks_of_limits(const char *body)
{
    return body && (strcasestr(body, "rate limit") ||
                    strcasestr(body, "abuse detection"));
}

static bool is_refusal(const struct limits_answer *answer, int64_t retry_ms,
                       int64_t left)
{
    if (answer->status == 429)
        return true;
    if (answer->status == 503)
        return retry_ms >= 0;
    return answer->status == 403 && answer->forge == FORGE_GITHUB &&
           (retry_ms >= 0 || left == 0 || speaks_of_limits(answer->body));
}

/* A minute, two, four …, for hosts that do not say how long. */
static int64_t growing_ms(unsigned refusals)
{
    int64_t pause = MINUTE_MS;

    while (refusals-- && pause < LIMITS_MAX_PAUSE_MS)
        pause *= 2;
    return pause;
}

/* Until the budget is new; a second more, since that is when it is due. */
static int64_t until_reset_ms(const struct limits_answer *answer)
{
    int64_t reset = limit_number(answer->headers, "X-RateLimit-Reset");
    int64_t pause = reset * 1000 - answer->now_ms + SECOND_MS;

    if (reset < 0)
        return -1;
    return pause > 0 ? pause : 0;
}

struct limits limits_read(const struct limits_answer *answer)
{
    const char *retry = header_find(answer->headers, "Retry-After");
    int64_t retry_ms =
        retry ? limits_retry_after_ms(retry, answer->now_ms) : -1;
    int64_t left = limit_number(answer->headers, "X-RateLimit-Remaining");
    struct limits limits = {.verdict = LIMITS_NONE};
    int64_t pause = -1;

    if (is_refusal(answer, retry_ms, left))
        limits.verdict = LIMITS_REFUSED;
    else if (left == 0 && answer->status < 500)
        limits.verdict = LIMITS_SLOW;
    if (limits.verdict == LIMITS_NONE)
        return limits;
    limits.is_secondary = limits.verdict == LIMITS_REFUSED && left != 0;
    if (limits.verdict == LIMITS_REFUSED)
        pause = retry_ms;
    if (pause < 0 && left == 0)
        pause = until_reset_ms(answer);
    if (pause < 0)
        pause = growing_ms(answer->refusals);
    /* "Now" is never: who takes it at its word asks without an end. */
    if (pause < SECOND_MS)
        pause = SECOND_MS;
    limits.pause_ms = pause < LIMITS_MAX_PAUSE_MS ? pause : LIMITS_MAX_PAUSE_MS;
    return limits;
}
