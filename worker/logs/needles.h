/* worker/logs/needles.h - what has to be masked: the strings themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_LOGS_NEEDLES_H
#define WORKER_LOGS_NEEDLES_H

#include "base/mem.h"

#include <stdbool.h>

/*
 * A set of needles is gathered from secrets, each with its forms, and then
 * given to mask_new(), after which it can be freed.
 */
struct needles;

/** Shorter secrets are not masked: they would be found everywhere. */
#define NEEDLES_MIN_VALUE 4
/** A line of a secret, and a piece of it that stands alone, at least. */
#define NEEDLES_MIN_LINE 8
/** A needle at most; longer forms are cut into several, each found alone. */
#define NEEDLES_MAX_LEN ((size_t)4096)
/** All needles together, at most. */
#define NEEDLES_MAX_COUNT 65536
#define NEEDLES_MAX_BYTES ((size_t)2 << 20)

struct needles *needles_new(void);
/** Wipes the needles. NULL is fine. */
void needles_free(struct needles *needles);
OWNER(needles)

/**
 * Add a secret of `len` bytes; white space around it is no part of it. Added
 * with it are its forms (worker/logs/forms.h); each of its lines of at least
 * NEEDLES_MIN_LINE bytes, as it is and as JSON has it, but for the first and
 * last line of a PEM block; the lines of its base64 form when that is wrapped;
 * and each private key (from "-----BEGIN … PRIVATE KEY-----" to its END) in
 * it, its lines told apart by line feeds or by `\n`, as a secret of its own.
 *
 * False when it is not masked, or not in all these forms, so that the caller
 * can warn: it is shorter than NEEDLES_MIN_VALUE; it is a word that is no
 * secret (true, null, test, …), one character again and again, or a number of
 * fewer than 6 digits; or the set is full.
 */
MUST_USE bool needles_add(struct needles *needles, const char *value,
                          size_t len);

/**
 * Does the name of a variable say that its value is secret? It does when it is
 * TOKEN, SECRET, PASSWORD, API_KEY … or ends in one of these behind a `_`, in
 * either case.
 */
bool needles_is_secret_name(const char *name);

/**
 * Add the value of a variable if its name says that it is secret. False when
 * it does, and needles_add() says false; an empty value is nothing to mask.
 */
MUST_USE bool needles_add_env(struct needles *needles, const char *name,
                              const char *value);

size_t needles_count(const struct needles *needles);
/** Needle `i`, borrowed; at least NEEDLES_MIN_VALUE bytes. */
const char *needles_get(const struct needles *needles, size_t i,
                        size_t *out_len);

#endif
