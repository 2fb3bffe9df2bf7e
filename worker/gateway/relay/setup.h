/* worker/gateway/relay/setup.h - the models that a relay may ask. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_RELAY_SETUP_H
#define WORKER_GATEWAY_RELAY_SETUP_H

#include "base/err.h"
#include "pipelines/reason.h"
#include "worker/gateway/relay/tally.h"

#include <jansson.h>

enum dialect { DIALECT_OPENAI, DIALECT_ANTHROPIC };

struct relay_model {
    char *name, *url; /* owned, as all strings */
    enum dialect dialect;
    char *key; /* secret; "": it wants none */
    char *id;
    struct strv allow; /* ids; `id` is not among them */
    struct model_price price;
    uint64_t output;              /* tokens of an answer at most; 0: unknown */
    struct relay_model *fallback; /* borrowed, of the same setup; NULL */
    char *ca;                     /* or NULL */
    struct model_budget budget;   /* of the job */
    struct tally spent; /* by steps that asked it, in all attempts so far */
    struct tally paid;  /* to its provider, whichever was asked; in this one */
    struct tally held;  /* what requests under way may add to that */
    enum reason over;   /* why it is asked no more; REASON_NONE */
    char why[512];
};

/** RELAY_FRAME_SETUP (protocol.h), parsed and checked. */
struct relay_setup {
    struct relay_model *models; /* owned */
    size_t count;
    int64_t first_byte_ms; /* without a byte of the answer; 120 s */
    int64_t stall_ms;      /* between two; 30 s */
    int64_t retry_ms;      /* all tries of one provider and the waits; 60 s */
    int64_t backoff_ms;    /* before the second try, twice that before the
                              third, where the provider says nothing; 1 s */
    uint64_t max_answer;   /* bytes; 8 MiB */
    uint64_t max_empty;    /* answers in a row without content; 3 */
    uint64_t max_hollow;   /* events in a row without content; 1000 */
    uint64_t max_buffered; /* bytes of all requests and answers; 64 MiB */
};

/** ERR_BUG, naming the field: our client made it. Owned by the caller. */
MUST_USE int relay_setup_parse(const void *data, size_t len,
                               struct relay_setup **out_setup, struct err *err);
void relay_setup_free(struct relay_setup *setup); /* keys are wiped */
OWNER(relay_setup)

/** A step, as RELAY_FRAME_BEGIN has it. Start zeroed. */
struct relay_step {
    struct relay_model *model; /* borrowed from the setup */
    struct model_budget budget;
    struct tally spent;
    struct tally held;  /* what requests under way may add to that */
    int64_t counted_ms; /* clock_mono_ms(): its time is, up to then */
};

/** ERR_BUG. */
MUST_USE int relay_step_parse(const struct relay_setup *setup, const void *data,
                              size_t len, struct relay_step *out_step,
                              struct err *err);
/** Whether the step may ask for the model `id`. */
bool relay_step_allows(const struct relay_step *step, const char *id);

#endif
