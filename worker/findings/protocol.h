/* worker/findings/protocol.h - between run-job and findings-read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_FINDINGS_PROTOCOL_H
#define WORKER_FINDINGS_PROTOCOL_H

/*
 * findings-read UID MAX_COUNT MAX_BYTES DIR (FORMAT NAME BYTES)…
 *
 * On stdin the documents, any bytes, one behind the other. UID: who to become,
 * 0: nobody else. Of the findings at most MAX_COUNT are told, which take
 * MAX_BYTES of JSON. DIR is where the tools ran, below the workspace. On
 * stdout:
 *
 * { "report": <schemas/findings.schema.json>,
 *   "problems": ["NAME: why it could not be read, or not all of it"] }
 */
#define FINDINGS_MAX_DOCUMENTS 64

#endif
