/* base/depth.h - how deep a tree of files may be. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DEPTH_H
#define BASE_DEPTH_H

/** Names in a path: what one room lets through, the next one takes. */
#define TREE_MAX_DEPTH 256

#endif
