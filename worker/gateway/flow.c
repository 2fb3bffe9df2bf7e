/* worker/gateway/flow.c - bytes on their way in one direction, bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/gateway/flow.h"

#include <stdlib.h>
#include <string.h>

char *flow_space(struct flow *flow, size_t *out_len)
{
    if (!flow->data)
        flow->data = xmalloc(FLOW_BYTES);
    if (flow->start && flow->end == FLOW_BYTES) {
        memmove(flow->data, flow->data + flow->start, flow_len(flow));
        flow->end -= flow->start;
        flow->start = 0;
    }
    *out_len = FLOW_BYTES - flow->end;
    return flow->data + flow->end;
}

void flow_drop(struct flow *flow, size_t len)
{
    flow->start += len;
    if (flow->start == flow->end)
        flow->start = flow->end = 0;
}

void flow_clear(struct flow *flow)
{
    free(flow->data);
    *flow = (struct flow){0};
}
