/* worker/checkout/mirror.h - a repository's objects, kept on this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_MIRROR_H
#define WORKER_CHECKOUT_MIRROR_H

#include "worker/checkout/refs.h"
#include "worker/checkout/request.h"

#include <git2.h>

/*
 * <mirror>/ is a bare repository whose references are all in packed-refs, as
 * the remote had them at the last fetch. Objects are only ever added (packs are
 * put together, repack.h), so readers need no lock; who adds holds
 * <mirror>/berth.lock. A file
 * <mirror>/berth-mirror, written last, says that all of it is there and whose
 * it is: without it the mirror is made anew. Objects of a mirror that is made
 * anew are kept aside for a day, for the sandboxes that they are bound into.
 * What a credential fetched over http(s) is for those who have the same one:
 * a commit that is there is not asked for, and the whole is bound into the
 * sandbox. Paths and ssh are read with the host's rights, whoever asks.
 */
struct mirror;

/**
 * Open, making it where it is missing or half-made. ERR_USER when another
 * repository's or credential's mirror is there; ERR_TRANSIENT: disk, or the
 * lock is held.
 */
MUST_USE int mirror_open(const struct request *request,
                         struct mirror **out_mirror, struct err *err);
/** Lets the lock go. NULL is fine. */
void mirror_free(struct mirror *mirror);
OWNER(mirror)

/**
 * Wait for the lock, most of the request's time-out, and sweep what a killed
 * process left. Only once. The error says who holds it.
 */
MUST_USE int mirror_lock(struct mirror *mirror, struct err *err);
void mirror_unlock(struct mirror *mirror);

/** Borrowed. */
git_repository *mirror_repository(const struct mirror *mirror);
git_odb *mirror_odb(const struct mirror *mirror);
/** <mirror>/objects; borrowed. */
const char *mirror_objects(const struct mirror *mirror);

/** Whether the object is there, packs that came since included. */
bool mirror_has(const struct mirror *mirror, const char *oid_hex);

/** The references as last fetched: all of them, submodules' too. */
MUST_USE int mirror_refs(const struct mirror *mirror, struct refs *out_refs,
                         struct err *err);
/** Replace them; needs the lock. */
MUST_USE int mirror_set_refs(struct mirror *mirror, struct refs *refs,
                             struct err *err);
/** The remote's branch at HEAD, as of the last fetch; "" if not known. */
char *mirror_head(const struct mirror *mirror);
MUST_USE int mirror_set_head(struct mirror *mirror, const char *branch,
                             struct err *err);

/** It is damaged: the next to open it makes it anew. */
void mirror_condemn(struct mirror *mirror);

#endif
