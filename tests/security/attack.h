/* tests/security/attack.h - hostile programs, for inside of a sandbox. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SECURITY_ATTACK_H
#define TESTS_SECURITY_ATTACK_H

#include <stdbool.h>
#include <stddef.h>

/**
 * One attack tries one thing. It returns what a system call would: 0 or more
 * when it got in, and -1 with errno when it did not. `attack NAME` says which,
 * and ends with one of enum verdict.
 */
typedef long attack_fn(void);

enum verdict { GOT_IN = 0, HELD = 10, UNKNOWN = 11, USAGE = 12 };

struct attack {
    const char *name;
    /*
     * The protections that have to go for it to get in, words that
     * tests/security/weaken.js knows; or "-" and why nobody shows that.
     */
    const char *without;
    attack_fn *run;
};

/** A group of attacks; the last has no name. */
extern const struct attack attacks_calls[], attacks_agent[], attacks_proc[],
    attacks_files[], attacks_devices[], attacks_rights[], attacks_network[],
    attacks_limits[];

/** A value of the environment; the program ends with UNKNOWN without it. */
const char *given(const char *name);

/** -1 with `error` as errno. */
long held(int error);

/** Open and close again: 0, or -1 with errno. */
long try_open(const char *path, int flags);

/** 0 when `path` has a byte to read, else -1 with errno. */
long try_read(const char *path);

/** 0 when the text of `path` has `word`, else -1; errno ENODATA: not. */
long try_find(const char *path, const char *word);

/** Run `fn` in a child: its result; -1 and EINTR when it was killed. */
long in_child(attack_fn *fn);

#endif
