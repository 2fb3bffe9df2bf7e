/* cli/webhooks.h - the webhooks of a scheduler, as they are configured. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WEBHOOKS_H
#define CLI_WEBHOOKS_H

#include "scheduler/intake/webhook.h"

struct settings;

/** The listener, and the secrets that it borrows. */
struct webhooks;

/**
 * Check `[SCOPE@]file:/PATH` or `[SCOPE@]env:NAME`; what is there is not
 * looked at. ERR_USER.
 */
MUST_USE int webhook_secret_item_check(const char *item, struct err *err);

/**
 * Read the secrets, and listen. 0 and NULL where `webhooks.listen` is empty.
 * ERR_USER: a secret that is not there, or cannot be one; else as
 * webhook_new().
 */
MUST_USE int webhooks_open(const struct settings *settings, struct loop *loop,
                           struct queue *queue, struct webhooks **out_webhooks,
                           struct err *err);
/** After queue_free(). NULL is fine. */
void webhooks_free(struct webhooks *webhooks);
OWNER(webhooks)

#endif
