/* scheduler/forge/signature.h - is a delivery from who it says? */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_SIGNATURE_H
#define SCHEDULER_FORGE_SIGNATURE_H

#include "base/err.h"
#include "scheduler/forge/forge.h"

#include <stdint.h>

/** Each is tried on each delivery: so many megabytes are hashed per body. */
#define WEBHOOK_MAX_SECRETS 64
/** How far the stamp of a signed delivery may be from our clock. */
#define WEBHOOK_CLOCK_MS ((int64_t)5 * 60 * 1000)

/** What a host and we know. All strings borrowed. */
struct webhook_secret {
    const char *name;  /* for messages; not secret */
    const char *value; /* never empty; "whsec_…" only signs, in base64 */
    const char *scope; /* "owner" or "owner/name" it may speak for; NULL: all */
};

struct webhook_secrets {
    const struct webhook_secret *items; /* borrowed */
    size_t count;                       /* up to WEBHOOK_MAX_SECRETS */
};

/** A request as it came, nothing parsed yet. All borrowed. */
struct webhook_request {
    enum forge_kind route;      /* whose address it came to; FORGE_NONE: any */
    const struct strv *headers; /* "Name: value" */
    const void *body;           /* never NULL */
    size_t len;
    int64_t now_ms; /* wall clock */
};

/**
 * Check a secret before it is used: ERR_USER for an empty value, and for
 * "whsec_" with something behind it that is not base64 of 16 to 256 bytes. The
 * message names the secret, and does not quote it.
 */
MUST_USE int webhook_secret_check(const struct webhook_secret *secret,
                                  struct err *err);

/**
 * Check the signature of `forge` over the raw body, with every secret and in
 * constant time for each:
 * - GitHub: X-Hub-Signature-256, "sha256=" and HMAC-SHA256 in hex;
 * - Gitea: X-Forgejo-Signature or X-Gitea-Signature, HMAC-SHA256 in hex;
 * - GitLab: X-Gitlab-Token, the secret itself; with "whsec_" secrets only the
 *   form of Standard Webhooks: webhook-id, webhook-timestamp within
 *   WEBHOOK_CLOCK_MS of `now_ms`, webhook-signature with one or more
 *   "v1,<base64>" of "id.timestamp.body".
 *
 * 0 and bit i of `*out_matched` for each secret i that fits; at least one does.
 * -1 and ERR_USER, saying what is missing, malformed, too old or wrong.
 */
MUST_USE int signature_check(enum forge_kind forge,
                             const struct webhook_request *request,
                             const struct webhook_secrets *secrets,
                             uint64_t *out_matched, struct err *err);

#endif
