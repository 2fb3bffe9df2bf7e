/* worker/gateway/flow.h - bytes on their way in one direction, bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_GATEWAY_FLOW_H
#define WORKER_GATEWAY_FLOW_H

#include "base/mem.h"

#include <stdbool.h>

#define FLOW_BYTES ((size_t)64 << 10)

/** Start zeroed; `data` is owned once something was put in. */
struct flow {
    char *data;
    size_t start, end;
    bool ended;  /* its source has no more */
    bool passed; /* and whoever drinks from it was told so */
};

static inline size_t flow_len(const struct flow *flow)
{
    return flow->end - flow->start;
}
static inline const char *flow_at(const struct flow *flow)
{
    return flow->data + flow->start;
}
/** Where to put up to `*out_len` bytes, which may be 0; then flow_add(). */
char *flow_space(struct flow *flow, size_t *out_len);
static inline void flow_add(struct flow *flow, size_t len)
{
    flow->end += len;
}
/** Drop the first bytes. */
void flow_drop(struct flow *flow, size_t len);
/** Whether nothing is in it, and nothing will be. */
static inline bool flow_is_over(const struct flow *flow)
{
    return flow->ended && flow->start == flow->end;
}
static inline bool flow_is_full(const struct flow *flow)
{
    return flow_len(flow) == FLOW_BYTES;
}
void flow_clear(struct flow *flow);

#endif
