/* worker/logs/forms.h - the forms in which a secret shows up in output. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_FORMS_H
#define WORKER_LOGS_FORMS_H

#include <stddef.h>

/** Gets a form, which is wiped after the call. */
typedef void form_fn(void *arg, const char *form, size_t len);

/**
 * Tell `fn` the forms of `len` bytes at `value`; some may come twice:
 * - the value itself; with CRLF for LF and the reverse; with `\n` for LF;
 * - as a JSON string has it: with and without escaped slashes, with and
 *   without all that is not ASCII escaped;
 * - percent-encoded (RFC 3986): upper and lower case, a space as %20 and as +,
 *   and with what encodeURIComponent() and paths leave as it is;
 * - in hexadecimal, upper and lower case;
 * - in base64 and base64url at each of the three alignments at which it can
 *   stand in what was encoded: those characters that are determined by the
 *   value alone, and those at the end of what was encoded, with and without
 *   padding.
 */
void forms_of(const char *value, size_t len, form_fn *fn, void *arg);

/** Of these, only the value itself and as JSON has it: for a line of it. */
void forms_of_line(const char *line, size_t len, form_fn *fn, void *arg);

/**
 * The lines of base64 output that is wrapped at 76 (base64) and at 64 columns
 * (openssl, PEM), of a value that begins what was encoded and is long enough to
 * be wrapped at all.
 */
void forms_wrapped(const char *value, size_t len, form_fn *fn, void *arg);

#endif
