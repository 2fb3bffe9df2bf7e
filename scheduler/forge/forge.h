/* scheduler/forge/forge.h - the kinds of Git hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_FORGE_H
#define SCHEDULER_FORGE_FORGE_H

/** Forgejo is a Gitea: its names of headers differ, its documents do not. */
enum forge_kind { FORGE_NONE, FORGE_GITHUB, FORGE_GITLAB, FORGE_GITEA };

/** "github", "gitlab", "gitea"; "none". Static. */
const char *forge_name(enum forge_kind kind);
/** The inverse, and "forgejo" too; FORGE_NONE for any other word. */
enum forge_kind forge_find(const char *name);

#endif
