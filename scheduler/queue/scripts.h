/* scheduler/queue/scripts.h - the Lua scripts, one transition each. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_SCRIPTS_H
#define SCHEDULER_QUEUE_SCRIPTS_H

#include "base/redis.h"

/** Places in queue_scripts; what each takes and gives is told at its top. */
enum queue_script {
    SCRIPT_SUBMIT,
    SCRIPT_LEASE,
    SCRIPT_RENEW,
    SCRIPT_COMPLETE,
    SCRIPT_LOG,
    SCRIPT_CANCEL,
    SCRIPT_RETRY,
    SCRIPT_DRAIN,
    SCRIPT_CONFIGURE,
    SCRIPT_REAP,
    SCRIPT_PROMOTE,
    SCRIPT_TRIM,
    SCRIPT_WATCH,
    SCRIPT_ADVANCE,
    SCRIPT_FIRE,
    SCRIPT_REJECT,
    SCRIPT_LIST,
    SCRIPT_WHY,
    SCRIPT_DEPTHS,
    SCRIPT_AUDIT,
    SCRIPT_GIVE_BACK,
    SCRIPT_LOOK,
    SCRIPT_ENDS,
    SCRIPT_WORKER,
    SCRIPT_REJECTED,
    SCRIPT_FORGET,
    SCRIPT_PASS,
    SCRIPT_DELIVER,
    SCRIPT_SETTLE,
    SCRIPT_ASK,
    SCRIPT_ASKED,
    SCRIPT_ANSWER,
    SCRIPT_ATTEND,
    SCRIPT_POSTPONE,
    SCRIPT_REPLAY,
    SCRIPT_DELIVERIES,
    SCRIPT_HEADS,
    SCRIPT_REPORT_TAKE,
    SCRIPT_REPORT_RENEW,
    SCRIPT_REPORT_DONE,
    SCRIPT_REPORT_LOOK,
    SCRIPT_REPORT_AGAIN,
    SCRIPT_UNREPORTED,
    SCRIPT_CHANGE,
    SCRIPT_RESERVE,
    SCRIPT_SPENT,
    SCRIPT_COUNT
};

extern const struct redis_script queue_scripts[SCRIPT_COUNT];

#endif
