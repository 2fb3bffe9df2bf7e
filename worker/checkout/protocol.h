/* worker/checkout/protocol.h - what is said to checkout, and by it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_CHECKOUT_PROTOCOL_H
#define WORKER_CHECKOUT_PROTOCOL_H

/*
 * `checkout` reads one JSON object from stdin to end of file, then drops to
 * `uid` before it touches anything of a stranger. Every key is there; a key
 * that is not in this list is an error:
 *
 * { "url": "https://host/path (no userinfo), or what was given, for messages
 *           and as the origin of the tree",
 *   "commit": "40 hex or \"\"", "ref": "name, refs/… or \"\"" (HEAD if both
 *   are ""), "base": "branch or \"\"",
 *   "mirror": "/state/mirrors/<key>", "credential": "" or 16 digits that
 *   stand for the one the repository is fetched with: only who has it reads
 *   the mirror, "prefix": "refs/" (the repository) or
 *   "refs/berth/<key>/" (a submodule's, in the same mirror),
 *   "tree": "/…/workspace" (exists), "subdir": "" or "lib/x" (a submodule's
 *   place in the tree; nothing there may be a symbolic link; empty),
 *   "alternates": "/path of the mirror's objects inside the sandbox",
 *   "uid": 1900001000 (0: stay), "inside_uid": 1000,
 *   "submodules": false, "stdio_transport": false, "timeout_ms": 600000,
 *   "username": "", "password": "", "show": null,
 *   "layer": null, "also": [] }
 *
 * With "show": ["path", …], SHOW_MAX_FILES at most, no tree is written: "tree"
 * and "alternates" are "", and the files of the commit are told instead, in
 * that order. Without a path only the commit is found. The last path may be a
 * pattern, with one `*` in its last name: of that directory the regular files
 * whose names fit (glob_match_last() of base/glob.h), are UTF-8 and without
 * control characters, in the order of their bytes, as many as make
 * SHOW_MAX_FILES with the others. None are there where there is no such
 * directory, or only behind a symbolic link.
 *
 * With "also": ["sha", …], ALSO_MAX at most, these commits are brought along
 * if there is something to fetch, where a reference is at them.
 *
 * With "layer": {"bases": [{"commit": "sha", "index": "/…"}, …], "max_bytes":
 * 123}, LAYER_MAX_BASES at most, what is written is to be shared by many, below
 * overlays: the whole tree, or what differs from one of the bases, whole trees
 * themselves (delta.h); and no more than that. A failure to write is no error
 * then.
 *
 * With "stdio_transport", for paths and ssh, descriptors 4 and 5 are sockets.
 * Nothing is behind one until it is asked for by {"connect": 0 or 1}; then a
 * `git upload-pack` (or ssh running one) is. The second is for a commit that
 * the heads and tags of the first did not bring.
 *
 * On stdout it writes JSON objects, one a line of REPLY_MAX_BYTES at most:
 *   {"progress": "receiving objects 120/500, 3 MiB"}      4 a second at most
 *   {"connect": 0}                                        once each
 *   {"submodule": {"path": "lib/x", "url": "…", "commit": "sha"}}
 *                              to be checked out by a process of its own
 *   {"done": {"commit": "sha", "branch": "main", "subject": "…",
 *             "fetched": true, "files": 123}}  last, exit 0
 *     with "more": true where more files fit the pattern than were told
 *     with a layer {…, "layer": {"kind": "none"|"full"|"delta", "base": 0,
 * "bytes": 123, "refs": "which references (refs_state.h)", "why": "none, or
 * \"\""}}
 *   {"error": {"kind": "user"|"transient"|"bug", "message": "…"}}
 *                                                          last, exit 1
 * and before "done" one of these for each path to show, or file that fits:
 *   {"file": {"size": 123}}    as many bytes, as they are, follow the newline
 *   {"file": {"why": "is a directory"}}                    not told, and why
 *     with "path": "…" where it is a pattern's, each greater than the one
 * before
 *
 * `checkout --show` is for those who are no client of ours (client.h), in
 * another room: it is one for them, with transports and all. It reads
 *
 * { "url": "as people write it", "commit": "", "ref": "" (as above),
 *   "paths": ["path", …], "also": ["sha", …], "mirrors": "/state/mirrors",
 *   "uid": 0,
 *   "username": "", "password": "", "timeout_ms": 30000 }
 *
 * of which all but "url", "mirrors" and "timeout_ms" can be left out, and
 * writes "file"s and "done", or "error". What it starts dies with it.
 * scheduler/intake/repo_file.c knows these names too.
 */

#define REQUEST_MAX_BYTES ((size_t)64 << 10)
#define REPLY_MAX_BYTES   ((size_t)32 << 10)

#define ALSO_MAX       64
#define SHOW_MAX_FILES 16
#define SHOW_MAX_BYTES ((size_t)1 << 20) /* of one file */

#define CONNECTION_FD    4 /* and the one behind it */
#define CONNECTION_COUNT 2

#endif
