/* scheduler/forge/api/api_auth.c - who we are, and tokens of an App. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"

#include "base/calendar.h"
#include "base/clock.h"
#include "scheduler/forge/jwt.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MINUTE_MS       ((int64_t)60 * 1000)
#define TOKEN_MAX_BYTES 4096

/* What a token must be good for yet: ours for what is asked now, a job's for
 * as long as jobs wait and check out. */
static const int64_t use_left_ms[] = {
    [GRANT_READ] = 5 * MINUTE_MS,
    [GRANT_WRITE] = 5 * MINUTE_MS,
    [GRANT_CLONE] = 45 * MINUTE_MS,
};

/* The least that each use needs; every App may read metadata. */
static json_t *permissions_of(enum grant_use use)
{
    switch (use) {
    case GRANT_WRITE:
        return json_pack("{s:s,s:s,s:s}", "metadata", "read", "checks", "write",
                         "pull_requests", "write");
    case GRANT_CLONE:
        return json_pack("{s:s,s:s}", "metadata", "read", "contents", "read");
    case GRANT_READ:
    default:
        return json_pack("{s:s,s:s}", "metadata", "read", "pull_requests",
                         "read");
    }
}

void api_wipe(char **secret)
{
    if (*secret)
        mem_wipe(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

static void answer_wipe(struct api_answer *answer)
{
    json_t *token = json_object_get(answer->json, "token");

    mem_wipe(answer->text.data, answer->text.len);
    mem_wipe((char *)json_string_value(token), json_string_length(token));
    api_answer_clear(answer);
}

/* ---- grants --------------------------------------------------------------
 */

static void grant_clear(struct grant *grant)
{
    api_wipe(&grant->token);
    free(grant->repo);
    *grant = (struct grant){0};
}

/* That of the repository, else a free one, else what was used longest ago. */
static struct grant *grant_of(struct api *api, enum grant_use use)
{
    struct grant *oldest = &api->grants[0];

    for (size_t i = 0; i < GRANTS_MAX; i++) {
        struct grant *grant = &api->grants[i];

        if (grant->repo && grant->use == use &&
            !strcasecmp(grant->repo, api->repo)) {
            grant->used = ++api->uses;
            return grant;
        }
        if (grant->used < oldest->used)
            oldest = grant;
    }
    grant_clear(oldest);
    oldest->repo = xstrdup(api->repo);
    oldest->use = use;
    oldest->used = ++api->uses;
    return oldest;
}

static int app_header(struct api *api, char **out_header, struct err *err)
{
    char *token = NULL;

    if (jwt_make(api->app, api->app_key, strlen(api->app_key),
                 clock_wall_ms() / 1000, &token, err) < 0) {
        api->failed = (struct api_failure){API_REFUSED, 0, 0};
        return -1;
    }
    *out_header = xasprintf("Authorization: Bearer %s", token);
    api_wipe(&token);
    return 0;
}

static int ask_as_app(struct api *api, const struct api_request *request,
                      struct api_answer *out, struct err *err)
{
    CLEANUP(mem) char *url = xasprintf("%s%s", api->url, request->path);
    char *header = NULL;
    int rc;

    if (app_header(api, &header, err) < 0)
        return -1;
    rc = wire_send(api, request, url, header, out, err);
    api_wipe(&header);
    return rc;
}

static int find_installation(struct api *api, struct grant *grant,
                             struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/repos/%s/installation", grant->repo);
    const struct api_request request = {.method = "GET", .path = path};
    struct api_answer answer = {0};
    int64_t id;

    if (ask_as_app(api, &request, &answer, err) < 0)
        return api->failed.status == 404
                   ? err_wrap(err, "the App is not installed for '%.200s'",
                              grant->repo)
                   : -1;
    id = json_integer_value(json_object_get(answer.json, "id"));
    api_answer_clear(&answer);
    if (id <= 0)
        return api_fail(api, (struct api_failure){API_REFUSED, 200, 0}, err,
                        "GET %.200s: no id of an installation", path);
    grant->installation = id;
    return 0;
}

static bool is_token(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (!text || !len || len > TOKEN_MAX_BYTES)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

/* Another owner's installation has its own repository of that name. */
static bool is_of(const json_t *json, const struct grant *grant)
{
    const json_t *list = json_object_get(json, "repositories"), *repo;
    const char *name;
    size_t i;

    json_array_foreach(list, i, repo)
    {
        name = json_string_value(json_object_get(repo, "full_name"));
        if (name && !strcasecmp(name, grant->repo))
            return true;
    }
    return !json_is_array(list); /* it is not told */
}

static int keep_token(struct api *api, struct grant *grant, const json_t *json,
                      struct err *err)
{
    const json_t *token = json_object_get(json, "token");
    const char *until = json_string_value(json_object_get(json, "expires_at"));
    int64_t at_ms = 0;

    if (!is_token(token) || !until || stamp_parse(until, &at_ms, NULL) < 0)
        return api_fail(api, (struct api_failure){API_REFUSED, 201, 0}, err,
                        "the host made no token for '%.200s'", grant->repo);
    if (!is_of(json, grant))
        return api_fail(api, (struct api_failure){API_REFUSED, 404, 0}, err,
                        "installation %lld is not one of '%.200s'",
                        (long long)grant->installation, grant->repo);
    api_wipe(&grant->token);
    grant->token = xstrdup(json_string_value(token));
    grant->expires_at_ms = at_ms;
    return 0;
}

static int make_token(struct api *api, struct grant *grant, struct err *err)
{
    const char *name = strrchr(grant->repo, '/');
    CLEANUP(mem)
    char *path = xasprintf("/app/installations/%lld/access_tokens",
                           (long long)grant->installation);
    json_t *body =
        json_pack("{s:[s],s:o}", "repositories", name ? name + 1 : "",
                  "permissions", permissions_of(grant->use));
    const struct api_request request = {
        .method = "POST", .path = path, .body = body};
    struct api_answer answer = {0};
    int rc = ask_as_app(api, &request, &answer, err);

    json_decref(body);
    if (rc < 0)
        return -1;
    rc = keep_token(api, grant, answer.json, err);
    answer_wipe(&answer);
    return rc;
}

/* What a delivery named, or what was found before, may be of the past. */
static int renew(struct api *api, struct grant *grant, struct err *err)
{
    int64_t known = grant->installation;

    if (!known && api->installation > 0)
        known = grant->installation = api->installation;
    if (known) {
        if (make_token(api, grant, err) == 0)
            return 0;
        if (api->failed.status != 404)
            return -1;
        grant->installation = 0;
    }
    if (find_installation(api, grant, err) < 0)
        return -1;
    return make_token(api, grant, err);
}

int auth_grant(struct api *api, enum grant_use use, const char **out_token,
               int64_t *out_expires_at_ms, struct err *err)
{
    struct grant *grant;

    if (!api->repo)
        return api_fail(api, (struct api_failure){API_REFUSED, 0, 0}, err,
                        "an App's token is one for a repository");
    grant = grant_of(api, use);
    if (!grant->token ||
        grant->expires_at_ms - clock_wall_ms() < use_left_ms[use]) {
        api_wipe(&grant->token);
        if (renew(api, grant, err) < 0)
            return -1;
    }
    *out_token = grant->token;
    *out_expires_at_ms = grant->expires_at_ms;
    return 0;
}

void auth_clear(struct api *api)
{
    for (size_t i = 0; i < GRANTS_MAX; i++)
        grant_clear(&api->grants[i]);
}

/* ---- headers -------------------------------------------------------------
 */

int auth_header(struct api *api, bool as_app, char **out_header,
                struct err *err)
{
    const char *token = api->token;
    int64_t until;

    if (as_app && !api->app)
        return api_fail(api, (struct api_failure){API_REFUSED, 0, 0}, err,
                        "only an App can ask this");
    if (as_app)
        return app_header(api, out_header, err);
    if (api->app && auth_grant(api, api->write ? GRANT_WRITE : GRANT_READ,
                               &token, &until, err) < 0)
        return -1;
    if (!token)
        *out_header = xstrdup("");
    else if (api->kind == FORGE_GITLAB)
        *out_header = xasprintf("PRIVATE-TOKEN: %s", token);
    else
        *out_header =
            xasprintf("Authorization: %s %s",
                      api->kind == FORGE_GITHUB ? "Bearer" : "token", token);
    return 0;
}

bool auth_forget(struct api *api, bool as_app)
{
    if (as_app || !api->app || !api->repo)
        return false;
    api_wipe(&grant_of(api, api->write ? GRANT_WRITE : GRANT_READ)->token);
    return true;
}
