/* pipelines/findings/remark.h - a finding at its place in a change. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINES_FINDINGS_REMARK_H
#define PIPELINES_FINDINGS_REMARK_H

#include "base/arena.h"
#include "pipelines/diff/place.h"
#include "pipelines/findings/findings.h"

struct remark {
    const struct finding *finding; /* borrowed */
    struct diff_place place;
    /*
     * What to write in place of the lines from place.start to place.end,
     * without a line feed at the end; "" takes them out. NULL: nothing.
     */
    const char *suggestion;
    bool moved;    /* the code it quotes was found at other lines */
    bool unquoted; /* it quotes code that the diff does not show there */
};

/**
 * Place a finding in a change. One that quotes code stands where that is. With
 * a fix that can be offered the place is that of the lines it replaces: all of
 * them shown by one hunk that is whole, not of a file with CR LF (hosts would
 * mix line ends), and no character in it that cannot be seen. What it makes is
 * in `arena`, the rest borrowed from `diff` and `finding`.
 */
struct remark remark_make(struct arena *arena, const struct diff *diff,
                          const struct finding *finding);

#endif
