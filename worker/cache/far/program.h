/* worker/cache/far/program.h - what the program cache-store is asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_FAR_PROGRAM_H
#define WORKER_CACHE_FAR_PROGRAM_H

/*
 *   cache-store get STORE KEY KIND NAME… [-- PREFIX…]
 *       bring the first of the entries NAME, "scope/key", that the store has
 *       into the cache of this host; else of those whose names begin with a
 *       PREFIX the one put last. Writes {"found": true or false, "notes": […]},
 *       what a job's log is to say.
 *   cache-store push STORE KEY
 *       bring what the store does not have yet there, and remove what is older
 *       than cache.keep, once in an hour; writes what was done, if anything
 *
 * STORE is "s3://…" (base/s3_url.h), KEY the file of pack.h, the cache that of
 * worker/cache/settings.h. It exits with 0, or with 1: then the last line of
 * its output is the reason. It is killed by SIGALRM when the store has not said
 * for CACHE_ANSWER_S whether it has one, or does not give it in CACHE_FETCH_S.
 *
 * An object is "kind/scope/key", put whole or not at all (pack.h).
 */
#define CACHE_PROGRAM  "cache-store"
#define CACHE_ANSWER_S 5
#define CACHE_FETCH_S  60

#endif
