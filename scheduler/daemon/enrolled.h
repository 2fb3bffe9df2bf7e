/* scheduler/daemon/enrolled.h - which workers are known, and by which key. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_DAEMON_ENROLLED_H
#define SCHEDULER_DAEMON_ENROLLED_H

#include "base/seal.h"

#include <stdbool.h>

/** ERR_USER unless it is NAME=KEY (seal_key_text). */
MUST_USE int enrolled_check(const char *text, struct err *err);
/** Whether such a list has one of this name; its key. */
bool enrolled_find(const struct strv *list, const char *name,
                   uint8_t out_key[SEAL_KEY_SIZE]);

#endif
