/* scheduler/forge/api/read.h - the reading half of each driver. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_FORGE_API_READ_H
#define SCHEDULER_FORGE_API_READ_H

#include "scheduler/forge/api/driver.h"
#include "scheduler/forge/event_read.h"

/* As driver.h says of the functions with these names. */

int any_token(struct api *api, const struct forge_target *target, json_t **out,
              struct err *err);
int github_token(struct api *api, const struct forge_target *target,
                 json_t **out, struct err *err);
int github_missed(struct api *api, int64_t since_ms, int64_t until_ms,
                  json_t **out, struct err *err);

/* GitHub and Gitea: their documents are alike. */
int pull_change(struct api *api, const struct forge_target *target,
                json_t **out, struct err *err);
int pull_paths(struct api *api, const struct forge_target *target, json_t **out,
               struct err *err);
int pull_permission(struct api *api, const struct forge_target *target,
                    const char *login, json_t **out, struct err *err);
int pull_open_changes(struct api *api, const struct forge_target *target,
                      json_t **out, struct err *err);

int gitlab_change(struct api *api, const struct forge_target *target,
                  json_t **out, struct err *err);
int gitlab_paths(struct api *api, const struct forge_target *target,
                 json_t **out, struct err *err);
int gitlab_permission(struct api *api, const struct forge_target *target,
                      const char *login, json_t **out, struct err *err);
int gitlab_open_changes(struct api *api, const struct forge_target *target,
                        json_t **out, struct err *err);

/* ---- what they share -----------------------------------------------------
 */

/**
 * The answer to the op `change` from what was read; owned by the caller.
 * `state` is "open", "closed" or "merged".
 */
MUST_USE json_t *change_to_json(const struct event *event, const char *state);

/** What the host answered to this makes no sense: -1, refused. */
int read_refuse(struct api *api, const char *path, const struct err *why,
                struct err *err);

/** The answer to the op `permission`. */
MUST_USE json_t *permission_to_json(bool write);

/** Add a path to a list of them, unless it is null; false: it is none. */
bool add_path(json_t *paths, const json_t *path);

/** {"paths": […each once], "complete"}; `paths` is taken over. */
MUST_USE json_t *paths_to_json(json_t *paths, bool complete);

#endif
