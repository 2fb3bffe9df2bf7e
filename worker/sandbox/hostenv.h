/* worker/sandbox/hostenv.h - the environment that a sandbox's host implies. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_SANDBOX_HOSTENV_H
#define WORKER_SANDBOX_HOSTENV_H

#include "base/mem.h"
#include "worker/sandbox/sandbox.h"

#define SANDBOX_HOME      "/home/berth"
#define SANDBOX_WORKSPACE "/workspace"
/* Of the gateway, inside: below 1024, where no command can listen. */
#define SANDBOX_PROXY_PORT 808
/* Of the relay to models, the same way. */
#define SANDBOX_MODEL_PORT 809

/** Start zeroed. `sources[i]` of the host has to be at `targets[i]` inside. */
struct hostenv {
    struct strv env;     /* owned: NAME=value, as sandbox_exec.env takes it */
    struct strv sources; /* owned */
    struct strv targets; /* owned */
};

/**
 * Fill `out` with PATH, HOME, USER, LOGNAME, SHELL, LANG and TMPDIR, with
 * those variables of this process that name a trust store (SSL_CERT_FILE,
 * NODE_EXTRA_CA_CERTS and the like), their values changed where the file is
 * at another place inside, and, for a network, with the registry of npm and
 * the proxies: the host's, or with SANDBOX_NETWORK_HOSTS the gateway at
 * 127.0.0.1:SANDBOX_PROXY_PORT, as npm, git, curl and (from 22.21 and 24.0)
 * Node look for it. What holds a password (user:password@) is left out.
 *
 * The job runner takes `env` as the lowest layer of a step's environment; the
 * driver brings the files in. Same process environment, same result.
 */
void hostenv_fill(const char *image, enum sandbox_network network,
                  struct hostenv *out);
/**
 * The address of npm's registry as it is set up for `image`: by a variable of
 * this process, by the configuration below /usr that image `host` shows, or
 * npm's own default. The caller's (free).
 */
MUST_USE char *hostenv_npm_registry(const char *image);
void hostenv_clear(struct hostenv *hostenv);
UNUSED static inline void hostenv_freep(struct hostenv *hostenv)
{
    hostenv_clear(hostenv);
}

#endif
