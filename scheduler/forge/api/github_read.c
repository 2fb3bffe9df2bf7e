/* scheduler/forge/api/github_read.c - tokens and deliveries of an App. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/api/api_internal.h"
#include "scheduler/forge/api/read.h"

#include "base/calendar.h"

#include <stdlib.h>
#include <string.h>

#define GUID_MAX  64
#define AGAIN_MAX 50 /* at one time: others wait for us */
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

/* What became of the deliveries since a moment, by their guid: true once one
   of them came, else the id of the last attempt. Newest first. */
struct sweep {
    int64_t since_ms;
    json_t *guids; /* owned */
    int64_t asked;
};

static void take_delivery(struct sweep *sweep, const json_t *delivery)
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
    else if (!json_object_get(sweep->guids, name) &&
             !event_is(delivery, "status", "pending"))
        (void)json_object_set_new(sweep->guids, name, json_integer(id));
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
        if (at_ms < sweep->since_ms || sweep->asked >= SEEN_MAX)
            return false;
        take_delivery(sweep, delivery);
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

int github_missed(struct api *api, int64_t since_ms, json_t **out,
                  struct err *err)
{
    const struct api_request request = {
        .method = "GET", .path = "/app/hook/deliveries", .as_app = true};
    struct sweep sweep = {.since_ms = since_ms, .guids = json_object()};
    int64_t again = 0;
    const char *guid;
    json_t *last;
    int rc;

    rc = api_pages(api, &request, take_deliveries, &sweep, NULL, err);
    if (rc == 0)
        json_object_foreach(sweep.guids, guid, last)
        {
            if (!json_is_integer(last))
                continue;
            if (again >= AGAIN_MAX ||
                (rc = send_again(api, json_integer_value(last), &again, err)) <
                    0)
                break;
        }
    json_decref(sweep.guids);
    if (rc < 0)
        return -1;
    *out = json_pack("{s:I,s:I}", "asked", (json_int_t)sweep.asked, "again",
                     (json_int_t)again);
    return 0;
}
