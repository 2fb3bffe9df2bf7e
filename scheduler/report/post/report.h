/* scheduler/report/post/report.h - the op `report`: what a host is to show. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_REPORT_POST_REPORT_H
#define SCHEDULER_REPORT_POST_REPORT_H

#include "scheduler/forge/api/driver.h"

/**
 * Make the host show one check, one comment for each finding, and one summary,
 * whatever it shows so far: each call looks, and writes what differs. So it may
 * be asked again after any failure, and after it was killed between any two
 * requests; who did what is told by the marks of comments of ours, and by the
 * check's external_id.
 *
 * The check comes first. Comments and the summary follow if the job is the
 * latest one of a change, has findings, and the change's head is its commit. A
 * finding has a comment if the diff shows its line, else (and beyond
 * `max_comments`, or if the host does not take it) a row of the summary; and an
 * annotation where a check can have those. A comment that somebody else
 * resolved or removed is not made again. One whose finding is gone is resolved,
 * or says so where there is no resolving; but only by a job that came to its
 * end, and with a list of findings that is whole. If the finding comes back, so
 * does its comment.
 *
 * 0 and `*out`, the answer of protocol.h, owned by the caller. What was refused
 * is in its "notes": the rest was done. -1: the first ERR_TRANSIENT of any
 * part, after the others were done, save for a host's pause, which ends it at
 * once; ask again. Or ERR_USER: each part was refused; or ERR_BUG: `ask` is
 * wrong.
 */
MUST_USE int report_op(struct api *api, const struct forge_driver *driver,
                       const json_t *ask, json_t **out, struct err *err);

#endif
