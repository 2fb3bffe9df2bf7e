/* worker/checkout/text.h - a stranger's bytes made fit for JSON and people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_TEXT_H
#define WORKER_CHECKOUT_TEXT_H

/**
 * In place: control characters become spaces, and what is not UTF-8 (also a
 * sequence cut off at the end) '?'. The length stays.
 */
void text_clean(char *s);

#endif
