/* cli/reports.h - in words, what became of the report of a job. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORTS_H
#define CLI_REPORTS_H

#include "base/strbuf.h"

#include <jansson.h>

/* `look` is what queue_report_look() tells (scheduler/queue/report.h). Nothing
 * here is clean: it has what strangers wrote. */

/** Add where it is told: "github acme/app #42", or "github acme/app 8f14e45".
 */
void reports_add_where(const json_t *look, struct strbuf *out);
/** Add in a line how it is: "told 3 s ago", "refused: …" */
void reports_add_state(const json_t *look, struct strbuf *out);

#endif
