/* worker/checkout/repack.h - few packs in a mirror, however many fetches. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_REPACK_H
#define WORKER_CHECKOUT_REPACK_H

#include "worker/checkout/mirror.h"

/*
 * Each fetch leaves a pack, and each look-up of an object may ask all of them.
 * From REPACK_PACKS on the small ones become one, as git's geometric repacking
 * does: afterwards each pack is at least twice as large as all smaller ones
 * together, but for those that make more than REPACK_MAX_BYTES: a job waits for
 * this. So their number grows with the logarithm of what is fetched.
 */
#define REPACK_PACKS     24
#define REPACK_MAX_BYTES ((off_t)16 << 20)

/**
 * Put packs together where there are many; needs the lock. An object never
 * goes: the new pack is there before the old ones are removed, and git and
 * libgit2 look again when a pack that they knew is gone.
 *
 * ERR_TRANSIENT: it could not be done, and nothing is lost; the next fetch
 * tries again.
 */
MUST_USE int repack(struct mirror *mirror, struct err *err);

#endif
