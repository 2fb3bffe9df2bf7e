/* worker/gateway/relay/account.h - what a step and its job have spent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_ACCOUNT_H
#define WORKER_GATEWAY_RELAY_ACCOUNT_H

#include "worker/gateway/relay/setup.h"

/** One more is sent to `payer`'s provider. */
void account_request(struct relay_step *step, struct relay_model *payer);
/** What `payer`'s provider takes, at its price. */
void account_tokens(struct relay_step *step, struct relay_model *payer,
                    const struct token_count *tokens);
/** The time since the last call, or since the step began. */
void account_time(struct relay_step *step);

/**
 * What a request that is under way may take of `payer`'s provider; released
 * when it has ended.
 */
void account_hold(struct relay_step *step, struct relay_model *payer,
                  const struct tally *hold);
void account_release(struct relay_step *step, struct relay_model *payer,
                     const struct tally *hold);
/** Whether all that is held would leave something of the budgets. */
bool account_has_room(const struct relay_step *step);

/** RELAY_FRAME_USAGE: what is held is in it. The caller's. */
MUST_USE json_t *account_json(const struct relay_step *step,
                              const struct relay_setup *setup);

#endif
