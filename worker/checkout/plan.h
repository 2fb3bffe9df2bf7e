/* worker/checkout/plan.h - the checkouts that one request turns into. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_PLAN_H
#define WORKER_CHECKOUT_PLAN_H

#include "base/strbuf.h"
#include "worker/checkout/client.h"
#include "worker/checkout/url.h"

#define PLAN_MAX_SUBMODULES 64
#define PLAN_MAX_DEPTH      5

/*
 * The repository itself first, then each submodule, in the order in which they
 * were found. One process does one step, so that what a submodule's host sends
 * never meets the credential of another.
 */
struct fetch_plan;

struct plan_step {
    struct url url;
    char *commit;   /* owned; "" only for the repository itself */
    char *subdir;   /* owned; "" for the repository itself */
    char *prefix;   /* owned: where its references are kept in the mirror */
    unsigned depth; /* 0: the repository itself */
};

/** Copies the request. ERR_USER when it is not one that can be done. */
MUST_USE int fetch_plan_new(const struct checkout_request *request,
                            struct fetch_plan **out_plan, struct err *err);
/** Wipes the credential. NULL is fine. */
void fetch_plan_free(struct fetch_plan *plan);
OWNER(fetch_plan)

/** The next step, borrowed and valid until fetch_plan_free; NULL after the
 * last. */
const struct plan_step *fetch_plan_next(struct fetch_plan *plan);
/** Steps begun so far, less the first: submodules. */
unsigned fetch_plan_submodules(const struct fetch_plan *plan);

/**
 * Add the submodule that `step` found at `path`, at the end. ERR_USER: too
 * many, too deep, a malformed address, or a local one: that would read the
 * host's repositories for whoever wrote the file, wherever that came from.
 */
MUST_USE int fetch_plan_add(struct fetch_plan *plan,
                            const struct plan_step *step, const char *path,
                            const char *url, const char *commit,
                            struct err *err);

/**
 * Milliseconds from now for the step that fetch_plan_next() gave last: what is
 * left of the request's time-out, shared among the steps not done yet.
 */
int64_t fetch_plan_allowance_ms(const struct fetch_plan *plan);

/** Write the JSON that checkout reads for `step`. ERR_USER: not UTF-8. */
MUST_USE int fetch_plan_request(const struct fetch_plan *plan,
                                const struct plan_step *step,
                                int64_t allowance_ms, struct strbuf *out,
                                struct err *err);

#endif
