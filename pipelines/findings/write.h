/* pipelines/findings/write.h - findings in the formats of other tools. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_WRITE_H
#define PIPELINES_FINDINGS_WRITE_H

#include "base/strbuf.h"
#include "pipelines/findings/findings.h"

/*
 * The readers of both (findings.h) read back what there is room for in them.
 * Why something matters stands behind the message, after an empty line. What
 * counts lines of the old side has no lines there: they know no such side. A
 * fix goes along if its columns count what theirs do, or there are none.
 */

/**
 * https://github.com/reviewdog/reviewdog/tree/master/proto/rdf, a
 * DiagnosticResult; columns are bytes. Owned by the caller.
 */
MUST_USE json_t *findings_to_rdjson(const struct findings *findings);

/**
 * SARIF 2.1.0, a run for each tool, paths below %SRCROOT%; columns are code
 * units of UTF-16. `version`: berth's. Owned by the caller.
 */
MUST_USE json_t *findings_to_sarif(const struct findings *findings,
                                   const char *version);

/** Message and why, as above; `out` is empty. */
void write_message(struct strbuf *out, const struct finding *finding);

#endif
