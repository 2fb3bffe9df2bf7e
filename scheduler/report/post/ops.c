/* scheduler/report/post/ops.c - what a `forge` can be asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/post/ops.h"

#include "scheduler/forge/api/driver.h"
#include "scheduler/forge/event.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/forge/protocol.h"
#include "scheduler/report/post/report.h"

#include <string.h>

/* An ASK, read. */
struct asked {
    struct api *api;
    const struct forge_driver *driver;
    struct forge_target target;
    const json_t *ask;
};

/* A string without NUL, or "". */
static const char *text_of(const json_t *ask, const char *key)
{
    const json_t *value = json_object_get(ask, key);
    const char *text = json_string_value(value);

    return text && strlen(text) == json_string_length(value) ? text : "";
}

static int need_change(const struct asked *asked, struct err *err)
{
    if (asked->target.change <= 0)
        return err_set(err, ERR_USER, "the number of the change is missing");
    return 0;
}

/* ---- one by one ----------------------------------------------------------
 */

/* A host that makes none for one repository: ours, where only we read. */
static void add_own(struct asked *asked, json_t *answer)
{
    const char *made = json_string_value(json_object_get(answer, "password"));
    const char *own = api_own_token(asked->api);
    bool is_gitlab = api_kind(asked->api) == FORGE_GITLAB;

    if ((made && *made) || !own)
        return;
    json_object_set_new(answer, "username",
                        json_string(is_gitlab ? "oauth2" : "x-access-token"));
    json_object_set_new(answer, "password", json_string(own));
}

static int do_token(struct asked *asked, json_t **out, struct err *err)
{
    if (asked->driver->token(asked->api, &asked->target, out, err) < 0)
        return -1;
    if (json_is_true(json_object_get(asked->ask, "own")))
        add_own(asked, *out);
    return 0;
}

static int do_change(struct asked *asked, json_t **out, struct err *err)
{
    if (need_change(asked, err) < 0)
        return -1;
    return asked->driver->change(asked->api, &asked->target, out, err);
}

static int do_paths(struct asked *asked, json_t **out, struct err *err)
{
    if (need_change(asked, err) < 0)
        return -1;
    return asked->driver->paths(asked->api, &asked->target, out, err);
}

static int do_permission(struct asked *asked, json_t **out, struct err *err)
{
    const char *login = text_of(asked->ask, "login");

    if (!*login || strlen(login) > EVENT_MAX_WORD_BYTES)
        return err_set(err, ERR_USER, "the login is missing, or none");
    return asked->driver->permission(asked->api, &asked->target, login, out,
                                     err);
}

static int do_open_changes(struct asked *asked, json_t **out, struct err *err)
{
    return asked->driver->open_changes(asked->api, &asked->target, out, err);
}

static int do_missed(struct asked *asked, json_t **out, struct err *err)
{
    int64_t since_ms =
        json_integer_value(json_object_get(asked->ask, "since_ms"));
    int64_t until_ms =
        json_integer_value(json_object_get(asked->ask, "until_ms"));

    if (!asked->driver->missed || !api_is_app(asked->api))
        return err_set(err, ERR_USER,
                       "only GitHub's Apps have a list of deliveries");
    return asked->driver->missed(asked->api, since_ms, until_ms, out, err);
}

static int do_report(struct asked *asked, json_t **out, struct err *err)
{
    return report_op(asked->api, asked->driver, asked->ask, out, err);
}

static const struct op {
    const char *name;
    int (*run)(struct asked *asked, json_t **out, struct err *err);
    bool is_write;
    bool has_no_repo;
} ops[] = {
    {FORGE_OP_TOKEN, do_token, .is_write = false},
    {FORGE_OP_CHANGE, do_change, .is_write = false},
    {FORGE_OP_PATHS, do_paths, .is_write = false},
    {FORGE_OP_PERMISSION, do_permission, .is_write = false},
    {FORGE_OP_OPEN_CHANGES, do_open_changes, .is_write = false},
    {FORGE_OP_MISSED, do_missed, .has_no_repo = true},
    {FORGE_OP_REPORT, do_report, .is_write = true},
};

/* ---- all of them ---------------------------------------------------------
 */

static const struct op *op_of(const json_t *ask)
{
    const char *name = text_of(ask, "op");

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (!strcmp(ops[i].name, name))
            return &ops[i];
    return NULL;
}

static int run(struct api *api, const json_t *ask, json_t **out,
               struct err *err)
{
    const struct op *op = op_of(ask);
    struct asked asked = {
        .api = api, .driver = forge_driver_of(api_kind(api)), .ask = ask};
    struct forge_target *target = &asked.target;

    if (!op)
        return err_set(err, ERR_BUG, "a Git host cannot be asked that");
    target->repo = text_of(ask, "repo");
    target->installation =
        json_integer_value(json_object_get(ask, "installation"));
    target->change = json_integer_value(json_object_get(ask, "number"));
    target->commit = text_of(ask, "commit");
    if (op->has_no_repo)
        target->repo = NULL;
    else if (!git_is_full_name(api_kind(api), target->repo))
        return err_set(err, ERR_USER, "this is no name of a repository");
    api_for_repo(api, target->repo, target->installation, op->is_write);
    return op->run(&asked, out, err);
}

static const char *word_of(const struct api_failure *failure,
                           const struct err *err)
{
    if (err->kind == ERR_BUG)
        return "bug";
    if (err->kind == ERR_USER)
        return "refused";
    return failure->kind == API_PAUSED ? "paused" : "away";
}

json_t *ops_error(const struct api_failure *failure, const struct err *err)
{
    json_t *message = json_string(err->msg);
    json_t *out = json_object();

    (void)json_object_set_new(out, "error", json_string(word_of(failure, err)));
    /* Cut between characters it should be; if not, that is not worth more. */
    (void)json_object_set_new(
        out, "message", message ? message : json_string("it is unreadable"));
    (void)json_object_set_new(out, "status", json_integer(failure->status));
    (void)json_object_set_new(out, "after_ms", json_integer(failure->after_ms));
    return out;
}

json_t *ops_answer(struct api *api, const json_t *ask)
{
    struct api_failure failure;
    struct err err = {0};
    json_t *out = NULL;

    /* What comes first may fail without asking the host. */
    api_for_repo(api, NULL, 0, false);
    if (run(api, ask, &out, &err) == 0)
        return out;
    failure = api_failed(api);
    return ops_error(&failure, &err);
}
