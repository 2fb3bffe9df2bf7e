/* worker/cache/boot.h - which boot of the host this is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CACHE_BOOT_H
#define WORKER_CACHE_BOOT_H

/**
 * The kernel's random id of this boot (random(4)), or one of this process
 * where there is none: then nothing is of this boot. Borrowed, never NULL.
 */
const char *boot_id(void);

#endif
