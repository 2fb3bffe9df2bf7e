/* worker/supervisor/spending.c - a job's share of what models may cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/spending.h"

#include "base/clock.h"
#include "scheduler/queue/spend.h"
#include "worker/secrets/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct share {
    char *model; /* owned */
    struct spend_amount most, repository_limit, day_limit;
    char date[SPEND_DATE_SIZE]; /* "": not reserved */
};

struct spending {
    struct spending_spec spec;
    char *repository;     /* owned */
    struct share *shares; /* owned */
    size_t count;
    size_t next; /* to be reserved */
    spending_fn *fn;
    void *arg;
};

static const char *text_of(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));

    return text ? text : "";
}

static uint64_t number_of(const json_t *object, const char *field)
{
    return (uint64_t)json_integer_value(json_object_get(object, field));
}

static struct spend_amount amount_of(const json_t *model, const char *budget)
{
    const json_t *object = json_object_get(model, budget);

    return (struct spend_amount){.requests = number_of(object, "requests"),
                                 .tokens = number_of(object, "tokens"),
                                 .micro_usd = number_of(object, "micro_usd")};
}

static bool is_none(const struct spend_amount *amount)
{
    return !amount->requests && !amount->tokens && !amount->micro_usd;
}

static const json_t *find(const json_t *models, const char *name)
{
    const json_t *model;
    size_t i;

    json_array_foreach(models, i, model)
    {
        if (!strcmp(text_of(model, "name"), name))
            return model;
    }
    return NULL;
}

/* As secrets are looked up by it: no job chooses what it is called. */
static char *repository_of(const struct lease *lease)
{
    json_t *start =
        json_loads(lease_payload(lease), JSON_REJECT_DUPLICATES, NULL);
    struct err ignored;
    char *name = secret_repository(text_of(start, "repo"), &ignored);

    json_decref(start);
    return name ? name : xstrdup("-");
}

static void add_share(struct spending *spending, const json_t *granted)
{
    const char *name = text_of(granted, "name");
    const json_t *model = find(spending->spec.models, name);
    struct share share = {
        .most = amount_of(granted, "budget"),
        .repository_limit = amount_of(model, "repository_budget"),
        .day_limit = amount_of(model, "day_budget"),
    };

    if (!json_is_true(json_object_get(granted, "asked")) ||
        (is_none(&share.repository_limit) && is_none(&share.day_limit)))
        return;
    share.model = xstrdup(name);
    spending->shares[spending->count++] = share;
}

struct spending *spending_new(const struct spending_spec *spec)
{
    CLEANUP(spending) struct spending *spending = xcalloc(1, sizeof(*spending));
    const json_t *granted;
    size_t i;

    spending->spec = *spec;
    spending->shares =
        xcalloc(json_array_size(spec->gathered) + 1, sizeof(*spending->shares));
    json_array_foreach(spec->gathered, i, granted) add_share(spending, granted);
    if (!spending->count)
        return NULL;
    spending->repository = repository_of(spec->lease);
    return STEAL(spending);
}

static struct spend_wish wish_of(const struct spending *spending,
                                 const struct share *share)
{
    return (struct spend_wish){
        .job_id = lease_job_id(spending->spec.lease),
        .epoch = lease_epoch(spending->spec.lease),
        .model = share->model,
        .repository = spending->repository,
        .most = share->most,
        .repository_limit = share->repository_limit,
        .day_limit = share->day_limit,
    };
}

static void settle(struct spending *spending, struct share *share,
                   const struct spend_amount *spent)
{
    const struct spend_wish wish = wish_of(spending, share);

    if (*share->date)
        spend_settle(spending->spec.queue, &wish, share->date, spent);
    *share->date = '\0';
}

static void reserve_next(struct spending *spending);

static void on_reserved(void *arg, const char *date, const char *refused,
                        const struct err *err)
{
    const struct spend_amount nothing = {0, 0, 0};
    struct spending *spending = arg;
    struct share *share = &spending->shares[spending->next];
    char message[512];

    if (err) {
        spending->fn(spending->arg, NULL, err);
        return;
    }
    if (refused) {
        for (size_t i = 0; i < spending->next; i++)
            settle(spending, &spending->shares[i], &nothing);
        (void)snprintf(message, sizeof(message), "the model '%.60s': %s",
                       share->model, refused);
        spending->fn(spending->arg, message, NULL);
        return;
    }
    (void)snprintf(share->date, sizeof(share->date), "%s", date);
    spending->next++;
    reserve_next(spending);
}

static void reserve_next(struct spending *spending)
{
    struct spend_wish wish;

    if (spending->next == spending->count) {
        spending->fn(spending->arg, NULL, NULL);
        return;
    }
    wish = wish_of(spending, &spending->shares[spending->next]);
    spend_reserve(spending->spec.queue, &wish, on_reserved, spending);
}

void spending_begin(struct spending *spending, spending_fn *fn, void *arg)
{
    spending->fn = fn;
    spending->arg = arg;
    reserve_next(spending);
}

/* All steps that asked this model; false: the result does not say. */
static bool spent_on(const json_t *result, const char *name,
                     struct spend_amount *out)
{
    const json_t *steps = json_object_get(result, "steps");
    const json_t *step;
    size_t i;

    if (!json_array_size(steps)) /* run-job gave none: who knows */
        return false;
    json_array_foreach(steps, i, step)
    {
        const json_t *model = json_object_get(step, "model");
        double usd = json_number_value(json_object_get(model, "usd"));

        if (strcmp(text_of(model, "name"), name) != 0)
            continue;
        out->requests += number_of(model, "requests");
        out->tokens += number_of(model, "input_tokens") +
                       number_of(model, "output_tokens");
        out->micro_usd += (uint64_t)llround(usd * 1e6);
    }
    return true;
}

void spending_end(struct spending *spending, const json_t *result)
{
    for (size_t i = 0; i < spending->count; i++) {
        struct spend_amount spent = {0, 0, 0};

        if (spent_on(result, spending->shares[i].model, &spent))
            settle(spending, &spending->shares[i], &spent);
    }
}

struct job_verdict *spending_refusal(const struct lease *lease,
                                     const char *refused)
{
    json_t *start = json_loads(lease_payload(lease), 0, NULL);
    int64_t now = clock_wall_ms();
    const struct job_verdict_spec spec = {
        .job_id = lease_job_id(lease),
        .epoch = lease_epoch(lease),
        .start = start,
        .reason = REASON_BUDGET_EXCEEDED,
        .message = refused,
        .started_at_ms = now,
        .ended_at_ms = now,
    };
    struct job_verdict *verdict = job_verdict_make(&spec);

    json_decref(start);
    return verdict;
}

void spending_free(struct spending *spending)
{
    if (!spending)
        return;
    queue_forget_calls(spending->spec.queue, spending);
    for (size_t i = 0; i < spending->count; i++)
        free(spending->shares[i].model);
    free(spending->shares);
    free(spending->repository);
    free(spending);
}
