/* cli/secret_source.h - secrets that the configuration only points at. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SECRET_SOURCE_H
#define CLI_SECRET_SOURCE_H

#include "base/err.h"
#include "base/strbuf.h"

/**
 * Add the text at `file:/PATH` or `env:NAME` to `out`, without the line feeds
 * at its end. ERR_USER: there is none, or it is no text that fits `out`'s
 * maximum. The caller wipes `out`, whatever is returned.
 */
MUST_USE int secret_source_read(const char *source, struct strbuf *out,
                                struct err *err);

/**
 * Once all are read: what `source` names in the environment, if it does, is
 * wiped, so that no program that we start finds it there.
 */
void secret_source_forget(const char *source);

#endif
