/* cli/report_findings.h - what reports of steps said, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_REPORT_FINDINGS_H
#define CLI_REPORT_FINDINGS_H

#include "cli/style.h"

/** Lines of findings; the rest is counted. */
#define REPORT_MAX_FINDINGS 20

/**
 * Add what is in `findings` of `steps` (schemas/result.schema.json): how many
 * there are, how the tests went, and a line each, errors first,
 * `path:line:column: severity: message`. Nothing where there is nothing.
 */
void report_findings_add(const json_t *steps, const struct style *style,
                         struct strbuf *out);

#endif
