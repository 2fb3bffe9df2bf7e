/* scheduler/forge/protocol.h - what scheduler and `forge` tell each other. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_PROTOCOL_H
#define SCHEDULER_FORGE_PROTOCOL_H

/*
 * `forge` speaks with one Git host's API, one request after the other, and may
 * block while it does: so it is a process of its own, started with one end of a
 * socket pair as descriptor 3. It alone has the host's tokens and the App's
 * key. A scheduler has up to three for each host: one that mints tokens and
 * reads what is short, for those who wait, one that reads lists, and one that
 * writes, so that the host sees one write at a time. Frames are of
 * base/frame.h; a document that is larger than one frame goes in several of the
 * same id, the last of which is the one of the type that ends it. End-of-file:
 * it ends.
 */
enum forge_frame {
    /* down */
    FORGE_FRAME_SETUP = 1, /* once, first: below */
    FORGE_FRAME_MORE, /* a part of the document that FORGE_FRAME_ASK ends */
    FORGE_FRAME_ASK,  /* {"op", …}; `id` is the scheduler's */

    /* up */
    FORGE_FRAME_PART = 16, /* a part of the document that _ANSWER ends */
    FORGE_FRAME_ANSWER,    /* to ASK, with its id: below */
};

#define FORGE_MAX_DOCUMENT ((size_t)24 << 20) /* bytes, one way */

/*
 * SETUP:
 * { "forge": "github", "api_url": "https://api.github.com",
 *   "base_url": "https://github.com", "ca": "/PATH" or "",
 *   "app": "123456" or "", "app_key": "PEM" or "", "token": "" or "…",
 *   "gap_ms": N: between two writes, where the host asks for one,
 *   "timeout_ms": N: of one request to the host }
 *
 * ANSWER: what the op says below, or
 * { "error": "refused" | "away" | "paused" | "bug",
 *   "message": "for people: what was asked, and what the host said",
 *   "status": N (0: none), "after_ms": N (of paused; else 0) }
 *   refused: asking again will not help (no permission, not found, invalid);
 *   away:    no answer, 5xx: again later;
 *   paused:  the host's limit: nobody asks this host anything for after_ms.
 *
 * In each ASK: "repo": "owner/name", "installation": N (GitHub; 0: ask the
 * host). Ops:
 *
 * token {"own": bool}: a credential that can read this repository and nothing
 *   else, or none if the host cannot make one: {"username", "password",
 *   "expires_at_ms"}; {"password": ""} with no token to be had. With "own" the
 *   scheduler itself is to read: then it is the token that we have. Never for
 *   workers.
 * change {"number": N}: {"state": "open|closed|merged", "draft": bool,
 *   "fork": bool, "head": {"ref", "sha", "repo"}, "base": {"ref", "sha",
 *   "repo"}, "author": "login", "author_is_bot": bool, "labels": ["…"],
 *   "title": "…", "description": "…" (not in a list), "clone_url",
 *   "default_branch", "number": N}. "" for what the host does not tell:
 *   head.repo of a fork that is gone or hidden, GitLab's base.sha in a list,
 *   default_branch
 * paths {"number": N}: {"paths": ["…"], "complete": bool}: old and new ones
 * permission {"login": "…"}: {"write": bool}; false, too, for nobody. Gitea
 *   tells it to administrators of the repository only: else refused
 * open_changes {}: {"changes": [as change's answer]}
 * missed {"since_ms": N, "until_ms": N}: GitHub's App: have each delivery that
 *   failed then, and did not come later, sent again, the oldest first:
 *   {"asked": N, "again": N, "next_ms": since when there are more, or 0,
 *   "complete": bool; false: there were too many to look at the oldest}
 * report: scheduler/report/post/ says
 */
#define FORGE_OP_TOKEN        "token"
#define FORGE_OP_CHANGE       "change"
#define FORGE_OP_PATHS        "paths"
#define FORGE_OP_PERMISSION   "permission"
#define FORGE_OP_OPEN_CHANGES "open_changes"
#define FORGE_OP_MISSED       "missed"
#define FORGE_OP_REPORT       "report"

/*
 * report {
 *   "commit": sha, "ref": the branch it was pushed to, or "" (of a change the
 *     host knows it), "change": N (0: none), "latest": bool: no younger job of
 *     this change and pipeline is there, so its comments are ours to write,
 *   "check": {"name", "external_id": the job's id, "state": "queued|running|
 *     passed|failed|cancelled|skipped", "reason": "" or one of
 *     pipelines/reason.h, "message": "" or why, "attempt": N,
 *     "started_at_ms": N or 0, "ended_at_ms": N or 0, "url": "" or a page,
 *     "fork": bool: offer to approve the commit},
 *   "key": what the mark of the summary has: one a change and pipeline,
 *   "title": its heading,
 *   "findings": a document of schemas/findings.schema.json, or null: the job
 *     has not ended, or looked for none,
 *   "partial": bool: not all was looked at, so nothing counts as fixed,
 *   "note": "" or Markdown of ours for the summary's foot,
 *   "posted": {"<fingerprint>": "open"|"fixed"|"resolved"|"gone"}: what the
 *     last answer said, of this change: its comment is open; we closed it, for
 *     the finding was not there any more; somebody else closed it; or removed
 *     it. What is fixed and found again is raised again; the last two stay
 * away, "max_comments": N, "max_rows": N, "request_changes": bool: a review
 * with errors asks for changes }
 * -> {"posted": {…}, "comments": N new ones, "resolved": N, "requests": N made,
 *     "notes": ["what could not be done, and was got around"]}
 */

#endif
