/* scheduler/forge/api/driver.c - one table a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/driver.h"

#include "pipelines/findings/comment.h"
#include "scheduler/forge/api/read.h"
#include "scheduler/forge/api/write.h"

const struct forge_driver forge_github = {
    .kind = FORGE_GITHUB,
    .suggestion = SUGGESTION_GITHUB,
    .max_body = 65536,
    .max_description = 140,
    .can_resolve = true,
    .can_annotate = true,
    .token = github_token,
    .change = pull_change,
    .paths = pull_paths,
    .permission = pull_permission,
    .open_changes = pull_open_changes,
    .missed = github_missed,
    .diff = github_diff,
    .check = github_check,
    .comments = github_comments,
    .review = github_review,
    .edit = github_edit,
    .resolve = github_resolve,
};

const struct forge_driver forge_gitlab = {
    .kind = FORGE_GITLAB,
    .suggestion = SUGGESTION_GITLAB,
    .max_body = 1000000,
    .max_description = 255,
    .can_resolve = true,
    .token = any_token,
    .change = gitlab_change,
    .paths = gitlab_paths,
    .permission = gitlab_permission,
    .open_changes = gitlab_open_changes,
    .diff = gitlab_diff,
    .check = gitlab_check,
    .comments = gitlab_comments,
    .review = gitlab_review,
    .edit = gitlab_edit,
    .resolve = gitlab_resolve,
};

const struct forge_driver forge_gitea = {
    .kind = FORGE_GITEA,
    .suggestion = SUGGESTION_NONE,
    .max_body = 65536,
    .max_description = 255,
    .token = any_token,
    .change = pull_change,
    .paths = pull_paths,
    .permission = pull_permission,
    .open_changes = pull_open_changes,
    .diff = gitea_diff,
    .check = gitea_check,
    .comments = gitea_comments,
    .review = gitea_review,
    .edit = gitea_edit,
};

const struct forge_driver *forge_driver_of(enum forge_kind kind)
{
    switch (kind) {
    case FORGE_GITHUB:
        return &forge_github;
    case FORGE_GITLAB:
        return &forge_gitlab;
    case FORGE_GITEA:
        return &forge_gitea;
    case FORGE_NONE:
    default:
        return NULL;
    }
}
