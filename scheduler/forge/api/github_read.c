/* scheduler/forge/api/github_read.c - tokens and deliveries of an App. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"
#include "scheduler/forge/api/read.h"

#include "base/calendar.h"

#include <stdlib.h>
#include <string.h>

#define GUID_MAX  64
#define AGAIN_MAX 100 /* at one time: others wait for us */
#define SEEN_MAX  5000

int github_token(struct api *api, const struct forge_target *target,
                 json_t **out, struct err *err)
{
    const char *token;
    int64_t until;

    if (!api->app)
        return any_token(api, target, out, err);
    if (auth_grant(api, GRANT_CLONE, &token, &until, err) < 0)
        return -1;
    *out = json_pack("{s:s,s:s,s:I}", "username", "x-access-token", "password",
                     token, "expires_at_ms", (json_int_t)until);
    return 0;
}

/* ---- deliveries ----------------------------------------------------------
 */

/* What became of the deliveries of a while, by their guid: true once one of
   them came, else [id, moment] of the last attempt. Newest first. */
struct sweep {
    int64_t since_ms, until_ms;
    json_t *guids; /* owned */
    int64_t asked;
    bool over, cut; /* `since_ms` was reached; SEEN_MAX was */
};

/* What we had sent again fails after `until_ms`: not for a second time. */
static void take_delivery(struct sweep *sweep, const json_t *delivery,
                          int64_t at_ms)
{
    const json_t *guid = event_field(delivery, "guid");
    const char *name = json_string_value(guid);
    int64_t status = event_number(delivery, "status_code");
    int64_t id = event_number(delivery, "id");

    if (!name || json_string_length(guid) > GUID_MAX || id <= 0)
        return;
    sweep->asked++;
    if (status >= 200 && status < 300)
        (void)json_object_set_new(sweep->guids, name, json_true());
    else if (at_ms <= sweep->until_ms && !json_object_get(sweep->guids, name) &&
             !event_is(delivery, "status", "pending"))
        (void)json_object_set_new(
            sweep->guids, name,
            json_pack("[I,I]", (json_int_t)id, (json_int_t)at_ms));
}

static bool take_deliveries(void *arg, const json_t *page)
{
    struct sweep *sweep = arg;
    json_t *delivery;
    size_t i;

    json_array_foreach(page, i, delivery)
    {
        const char *at =
            json_string_value(event_field(delivery, "delivered_at"));
        int64_t at_ms = 0;

        if (!at || stamp_parse(at, &at_ms, NULL) < 0)
            continue;
        sweep->over = at_ms < sweep->since_ms;
        sweep->cut = !sweep->over && sweep->asked >= SEEN_MAX;
        if (sweep->over || sweep->cut)
            return false;
        take_delivery(sweep, delivery, at_ms);
    }
    return true;
}

/* One that GitHub does not send any more does not keep the others. */
static int send_again(struct api *api, int64_t id, int64_t *again,
                      struct err *err)
{
    CLEANUP(mem)
    char *path = xasprintf("/app/hook/deliveries/%lld/attempts", (long long)id);
    const struct api_request request = {
        .method = "POST", .path = path, .as_app = true};
    CLEANUP(api_answer) struct api_answer answer = {0};

    if (api_send(api, &request, &answer, err) == 0)
        ++*again;
    else if (api->failed.kind != API_REFUSED || api->failed.status == 401)
        return -1;
    return 0;
}

/* Those that failed; new. */
static json_t *list_failed(const struct sweep *sweep)
{
    json_t *failed = json_array(), *last;
    const char *guid;

    json_object_foreach(sweep->guids, guid, last)
    {
        if (json_is_array(last))
            (void)json_array_append(failed, last);
    }
    return failed;
}

/*
 * The oldest first, so that what is left is all that failed from a moment on:
 * those of one moment are never torn apart.
 */
static int send_some(struct api *api, const json_t *failed, int64_t *again,
                     int64_t *next_ms, struct err *err)
{
    int64_t before_ms = 0;
    size_t sent = 0;

    for (size_t i = json_array_size(failed); i > 0; i--, sent++) {
        const json_t *last = json_array_get(failed, i - 1);
        int64_t at_ms = json_integer_value(json_array_get(last, 1));

        if (sent >= AGAIN_MAX && at_ms > before_ms) {
            *next_ms = at_ms;
            return 0;
        }
        before_ms = at_ms;
        if (send_again(api, json_integer_value(json_array_get(last, 0)), again,
                       err) < 0)
            return -1;
    }
    return 0;
}

int github_missed(struct api *api, int64_t since_ms, int64_t until_ms,
                  json_t **out, struct err *err)
{
    const struct api_request request = {
        .method = "GET", .path = "/app/hook/deliveries", .as_app = true};
    struct sweep sweep = {
        .since_ms = since_ms, .until_ms = until_ms, .guids = json_object()};
    int64_t again = 0, next_ms = 0;
    bool all = false;
    int rc = api_pages(api, &request, take_deliveries, &sweep, &all, err);

    if (rc == 0) {
        json_t *failed = list_failed(&sweep);

        rc = send_some(api, failed, &again, &next_ms, err);
        json_decref(failed);
    }
    json_decref(sweep.guids);
    if (rc < 0)
        return -1;
    *out = json_pack("{s:I,s:I,s:I,s:b}", "asked", (json_int_t)sweep.asked,
                     "again", (json_int_t)again, "next_ms", (json_int_t)next_ms,
                     "complete", sweep.over || (all && !sweep.cut));
    return 0;
}
