/* worker/checkout/refs_state.h - whether a mirror's references moved. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REFS_STATE_H
#define WORKER_CHECKOUT_REFS_STATE_H

#define REFS_STATE_SIZE 128

/**
 * A word that is another one when a fetch has replaced the references or the
 * HEAD of the mirror in the directory `mirror`, and else is the same. Made from
 * the files' stat data: cheap.
 */
void refs_state(const char *mirror, char out[REFS_STATE_SIZE]);

#endif
