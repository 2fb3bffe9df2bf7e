/* worker/checkout/confine.h - give up what the work does not need. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_CONFINE_H
#define WORKER_CHECKOUT_CONFINE_H

#include "worker/checkout/request.h"

#define FILE_MAX_BYTES ((uint64_t)4 << 30)
#define ADDRESS_MAX    ((uint64_t)4 << 30)

/**
 * Make the mirror's directory, owned by `uid`; become `uid` for good, with no
 * privilege to gain; bound memory, file size, descriptors; no core, no ptrace;
 * die with the client. Where the kernel has Landlock, only the mirror and the
 * tree, if one is asked for, can be written from then on. ERR_TRANSIENT when
 * any of it fails.
 */
MUST_USE int confine(const struct request *request, struct err *err);

/**
 * Go to the tree, or to the submodule's place in it, through no symbolic link;
 * from then on it is ".". ERR_USER when it is not there or not empty.
 */
MUST_USE int confine_enter_tree(const struct request *request, struct err *err);

#endif
