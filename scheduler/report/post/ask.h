/* scheduler/report/post/ask.h - what the op `report` is asked with. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_POST_ASK_H
#define SCHEDULER_REPORT_POST_ASK_H

#include "scheduler/forge/api/driver.h"

/** As protocol.h says; all borrowed from the document, "" where not said. */
struct report_ask {
    struct forge_target target;
    bool latest;
    struct forge_check check; /* without title, summary and annotations */
    const char *reason, *message;
    int64_t attempt;
    const char *key, *title, *note;
    const json_t *findings; /* NULL: none */
    bool partial;         /* what is not among them may be there all the same */
    const json_t *posted; /* an object, or NULL */
    size_t max_comments, max_rows;
    bool request_changes;
};

/** ERR_BUG: a scheduler of ours does not ask so. */
MUST_USE int report_ask_read(const json_t *document, struct report_ask *out,
                             struct err *err);

#endif
