/* cli/doctor.h - what berth doctor looks at; for doctor*.c alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "base/redis_sync.h"
#include "cli/settings.h"

enum doctor_level {
    DOCTOR_OK,
    DOCTOR_WARN, /* jobs run, but less well, or not all of them */
    DOCTOR_FAIL, /* jobs do not run, or get lost */
};

/** What a check found. */
struct finding {
    enum doctor_level level;
    struct strbuf text;   /* one line, not yet cleaned */
    struct strbuf advice; /* the same; "" when all is well */
};

/** What the checks know. */
struct doctor {
    const struct settings *settings; /* borrowed */
    struct redis_sync *redis; /* owned; NULL: not reached, or none is there */
    struct strbuf info;       /* Redis' answer to INFO */
};

typedef void doctor_fn(struct doctor *doctor, struct finding *out);

struct doctor_check {
    const char *name;
    doctor_fn *run;
    bool needs_redis; /* left out where it cannot be reached */
};

struct doctor_checks {
    const struct doctor_check *items;
    size_t count;
};

extern const struct doctor_checks doctor_redis_checks; /* the first connects */
extern const struct doctor_checks doctor_host_checks;
extern const struct doctor_checks doctor_tool_checks;

/**
 * Add to `out_missing` those of `commands` ("get", "script|load") that the user
 * of the connection may not send with a key of berth, or that Redis does not
 * know. ERR_*: it cannot be asked (no right to EVAL, older than 7).
 */
MUST_USE int doctor_missing(struct redis_sync *redis,
                            const struct strv *commands,
                            struct strv *out_missing, struct err *err);
/** Whether it may send all that deploy/redis-acl.conf has for it. */
doctor_fn doctor_check_rights;

/** Each sets the level; the advice is one sentence. */
void finding_ok(struct finding *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
void finding_warn(struct finding *out, const char *advice, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void finding_fail(struct finding *out, const char *advice, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
