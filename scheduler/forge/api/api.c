/* scheduler/forge/api/api.c - one Git host's API, asked step by step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"

#include "base/clock.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/forge/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS     30000
#define TIMEOUT_MAX_MS ((int64_t)10 * 60 * 1000)
#define GAP_MAX_MS     ((int64_t)60 * 1000)
#define URL_MAX_BYTES  2048
#define PATH_MAX_BYTES 16384 /* with its query */

int api_fail(struct api *api, struct api_failure failure, struct err *err,
             const char *fmt, ...)
{
    CLEANUP(mem) char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    api->failed = failure;
    return err_set(err, failure.kind == API_REFUSED ? ERR_USER : ERR_TRANSIENT,
                   "%s", text);
}

void api_answer_clear(struct api_answer *answer)
{
    json_decref(answer->json);
    strbuf_clear(&answer->text);
    strv_clear(&answer->headers);
    answer->json = NULL;
    answer->status = 0;
}

/* ---- life ----------------------------------------------------------------
 */

static const char *text_of(const json_t *setup, const char *key)
{
    const json_t *value = json_object_get(setup, key);
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : "";
}

static char *optional(const json_t *setup, const char *key)
{
    const char *text = text_of(setup, key);

    return *text ? xstrdup(text) : NULL;
}

/* An address without a query, a user, or a slash at its end. */
static char *address(const char *text)
{
    size_t len = strlen(text), origin = url_origin_len(text);

    if (!origin || len > URL_MAX_BYTES || memchr(text, '@', origin))
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("?#\\", text[i]))
            return NULL;
    while (len && text[len - 1] == '/')
        len--;
    return xstrndup(text, len);
}

/* Where each kind of host has its API, if nobody says. */
static void default_url(struct api *api)
{
    const char *base = api->base_url;

    if (api->kind == FORGE_GITLAB)
        api->url = xasprintf("%s/api/v4", base);
    else if (api->kind == FORGE_GITEA)
        api->url = xasprintf("%s/api/v1", base);
    else if (!strcasecmp(base, "https://github.com"))
        api->url = xstrdup("https://api.github.com");
    else
        api->url = xasprintf("%s/api/v3", base);
}

/* https://api.github.com/graphql, https://HOST/api/graphql. */
static void find_graphql(struct api *api)
{
    size_t len = strlen(api->url);

    if (len > 7 && !strcmp(api->url + len - 7, "/api/v3"))
        len -= 3;
    api->graphql_url = xasprintf("%.*s/graphql", (int)len, api->url);
}

static int find_urls(struct api *api, const json_t *setup, struct err *err)
{
    const char *url = text_of(setup, "api_url");

    api->base_url = address(text_of(setup, "base_url"));
    if (!api->base_url)
        return err_set(err, ERR_USER, "the address of the host is none");
    if (!*url)
        default_url(api);
    else
        api->url = address(url);
    if (!api->url)
        return err_set(err, ERR_USER, "the address of the API is none");
    find_graphql(api);
    return 0;
}

static bool is_secret(const char *text)
{
    for (; text && *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int find_secrets(struct api *api, const json_t *setup, struct err *err)
{
    api->app = optional(setup, "app");
    api->app_key = optional(setup, "app_key");
    api->token = optional(setup, "token");
    if (api->app && api->token)
        return err_set(err, ERR_USER, "either an App or a token, not both");
    if (!api->app != !api->app_key)
        return err_set(err, ERR_USER, "an App has an id and a key");
    if (api->app && api->kind != FORGE_GITHUB)
        return err_set(err, ERR_USER, "only GitHub has Apps");
    if (!is_secret(api->token))
        return err_set(err, ERR_USER, "the token has blanks or controls");
    return 0;
}

int api_new(const json_t *setup, struct api **out_api, struct err *err)
{
    CLEANUP(api) struct api *api = xcalloc(1, sizeof(*api));
    int64_t timeout = json_integer_value(json_object_get(setup, "timeout_ms"));
    int64_t gap = json_integer_value(json_object_get(setup, "gap_ms"));

    api->kind = forge_find(text_of(setup, "forge"));
    if (api->kind == FORGE_NONE)
        return err_set(err, ERR_USER, "no such kind of Git host");
    if (gap < 0 || gap > GAP_MAX_MS || timeout < 0 || timeout > TIMEOUT_MAX_MS)
        return err_set(err, ERR_USER, "a time of the setup is none");
    api->timeout_ms = timeout ? timeout : TIMEOUT_MS;
    api->gap_ms = gap;
    api->ca = optional(setup, "ca");
    if (find_urls(api, setup, err) < 0 || find_secrets(api, setup, err) < 0 ||
        loop_new(&api->loop, err) < 0 ||
        http_new(api->loop, &api->http, err) < 0)
        return -1;
    *out_api = STEAL(api);
    return 0;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    auth_clear(api);
    api_wipe(&api->token);
    api_wipe(&api->app_key);
    http_free(api->http);
    loop_free(api->loop);
    free(api->url);
    free(api->graphql_url);
    free(api->base_url);
    free(api->ca);
    free(api->app);
    free(api->self);
    free(api->repo);
    free(api);
}

/* ---- asking --------------------------------------------------------------
 */

void api_for_repo(struct api *api, const char *repo, int64_t installation,
                  bool write)
{
    char *mine = repo ? xstrdup(repo) : NULL;

    free(api->repo);
    api->repo = mine;
    api->installation = installation;
    api->write = write;
    api->failed = (struct api_failure){API_OK, 0, 0};
}

int api_send_to(struct api *api, const struct api_request *request,
                const char *url, struct api_answer *out, struct err *err)
{
    for (bool again = true;; again = false) {
        char *header = NULL;
        int rc;

        if (auth_header(api, request->as_app, &header, err) < 0)
            return -1;
        rc = wire_send(api, request, url, header, out, err);
        api_wipe(&header);
        if (rc == 0 || !again || api->failed.status != 401 ||
            !auth_forget(api, request->as_app))
            return rc;
    }
}

/* Names in it are checked by whoever puts them in: this is the last net. */
bool api_is_path(const char *path)
{
    size_t len = strcspn(path, "?"), n;

    if (*path != '/' || strlen(path) > PATH_MAX_BYTES)
        return false;
    for (size_t i = 0; path[i]; i++)
        if (path[i] <= ' ' || path[i] > '~' || path[i] == '#')
            return false;
    for (size_t i = 0; i < len; i += n + 1) {
        n = strcspn(path + i, "/?");
        if ((n == 1 && path[i] == '.') ||
            (n == 2 && !strncmp(path + i, "..", 2)))
            return false;
    }
    return true;
}

int api_send(struct api *api, const struct api_request *request,
             struct api_answer *out, struct err *err)
{
    CLEANUP(mem) char *url = NULL;

    if (!api_is_path(request->path))
        return api_fail(api, (struct api_failure){API_REFUSED, 0, 0}, err,
                        "this is no path of an API");
    url = xasprintf("%s%s", api->url, request->path);
    return api_send_to(api, request, url, out, err);
}

struct api_failure api_failed(const struct api *api)
{
    return api->failed;
}

enum forge_kind api_kind(const struct api *api)
{
    return api->kind;
}

bool api_is_app(const struct api *api)
{
    return api->app != NULL;
}

const char *api_own_token(const struct api *api)
{
    return api->token;
}

void api_after_others(struct api *api)
{
    if (api->gap_ms)
        api->wrote_at_ms = clock_mono_ms();
}

unsigned api_requests(const struct api *api)
{
    return api->requests;
}

static int ask_self(struct api *api, struct err *err)
{
    const struct api_request request = {
        .method = "GET",
        .path = api->app ? "/app" : "/user",
        .as_app = api->app != NULL,
    };
    const char *key = api->app                    ? "slug"
                      : api->kind == FORGE_GITLAB ? "username"
                                                  : "login";
    CLEANUP(api_answer) struct api_answer answer = {0};
    const char *name;

    if (!api->app && !api->token)
        return api_fail(api, (struct api_failure){API_REFUSED, 0, 0}, err,
                        "without a token we are nobody");
    if (api_send(api, &request, &answer, err) < 0)
        return -1;
    name = text_of(answer.json, key);
    if (!*name || strlen(name) > GIT_FULL_NAME_MAX || !is_secret(name))
        return api_fail(api, (struct api_failure){API_REFUSED, 200, 0}, err,
                        "GET %s: it does not say who we are", request.path);
    api->self = api->app ? xasprintf("%s[bot]", name) : xstrdup(name);
    return 0;
}

int api_self(struct api *api, const char **out_login, struct err *err)
{
    if (!api->self && ask_self(api, err) < 0)
        return -1;
    *out_login = api->self;
    return 0;
}

char *api_encode(const char *text)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') || strchr("-._~", c))
            strbuf_addc(&out, *text);
        else
            strbuf_addf(&out, "%%%02X", c);
    }
    return strbuf_take(&out);
}
