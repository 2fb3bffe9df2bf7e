/* worker/supervisor/spending.c - a job's share of what models may cost. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/spending.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "scheduler/queue/spend.h"
#include "worker/secrets/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX ((json_int_t)1000000000000000) /* Lua counts so far */

struct share {
    char *model; /* owned */
    struct spend_amount most, repository_limit, day_limit;
    bool may_lack;              /* it is a fallback: the job goes without */
    char date[SPEND_DATE_SIZE]; /* "": not reserved */
};

struct spending {
    struct spending_spec spec;
    char *repository;     /* owned */
    bool looked;          /* what is spent already is known */
    struct share *shares; /* owned */
    size_t count;
    size_t next;   /* to be reserved */
    json_t *spent; /* owned; as run-job told it last; NULL: nothing */
    bool charging; /* it is on its way to Redis */
    bool changed;  /* since */
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
    json_int_t number = json_integer_value(json_object_get(object, field));

    return (uint64_t)(number < 0            ? 0
                      : number > AMOUNT_MAX ? AMOUNT_MAX
                                            : number);
}

static struct spend_amount amount_of(const json_t *object)
{
    return (struct spend_amount){.requests = number_of(object, "requests"),
                                 .tokens = number_of(object, "tokens"),
                                 .micro_usd = number_of(object, "micro_usd")};
}

static bool is_none(const struct spend_amount *amount)
{
    return !amount->requests && !amount->tokens && !amount->micro_usd;
}

static json_t *find(const json_t *models, const char *name)
{
    json_t *model;
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

/* ---- what the job may spend -----------------------------------------------
 */

static uint64_t left_of(uint64_t budget, uint64_t spent)
{
    return budget > spent ? budget - spent : 0;
}

static void add_left(const json_t *granted, struct spend_amount *sum)
{
    const struct spend_amount budget =
        amount_of(json_object_get(granted, "budget"));
    const struct spend_amount spent =
        amount_of(json_object_get(granted, "spent"));

    sum->requests += left_of(budget.requests, spent.requests);
    sum->tokens += left_of(budget.tokens, spent.tokens);
    sum->micro_usd += left_of(budget.micro_usd, spent.micro_usd);
}

/* Whether requests for `model` may come to the one of that name. */
static bool leads_to(const json_t *gathered, const json_t *model,
                     const char *name)
{
    for (size_t i = 0; model && i < json_array_size(gathered); i++) {
        if (!strcmp(text_of(model, "name"), name))
            return true;
        model = find(gathered, text_of(model, "fallback"));
    }
    return false;
}

static bool is_asked(const json_t *granted)
{
    return json_is_true(json_object_get(granted, "asked"));
}

static void add_share(struct spending *spending, const json_t *granted)
{
    const char *name = text_of(granted, "name");
    const json_t *model = find(spending->spec.models, name);
    const json_t *asked;
    struct share share = {
        .repository_limit =
            amount_of(json_object_get(model, "repository_budget")),
        .day_limit = amount_of(json_object_get(model, "day_budget")),
        .may_lack = !is_asked(granted),
    };
    size_t i;

    if (is_none(&share.repository_limit) && is_none(&share.day_limit))
        return;
    json_array_foreach(spending->spec.gathered, i, asked)
    {
        if (is_asked(asked) && leads_to(spending->spec.gathered, asked, name))
            add_left(asked, &share.most);
    }
    share.model = xstrdup(name);
    spending->shares[spending->count++] = share;
}

struct spending *spending_new(const struct spending_spec *spec)
{
    struct spending *spending;

    if (!spec->gathered)
        return NULL;
    spending = xcalloc(1, sizeof(*spending));
    spending->spec = *spec;
    spending->shares =
        xcalloc(json_array_size(spec->gathered) + 1, sizeof(*spending->shares));
    spending->repository = repository_of(spec->lease);
    return spending;
}

/* ---- reserving ------------------------------------------------------------
 */

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

static void refuse(struct spending *spending, const char *refused)
{
    const struct spend_amount nothing = {0, 0, 0};
    char message[512];

    for (size_t i = 0; i < spending->next; i++)
        settle(spending, &spending->shares[i], &nothing);
    (void)snprintf(message, sizeof(message), "the model '%.60s': %s",
                   spending->shares[spending->next].model, refused);
    spending->fn(spending->arg, message, NULL);
}

/* Who would fall back on it has nobody to. */
static void leave_out(struct spending *spending, const char *name,
                      const char *refused)
{
    json_t *model;
    size_t i;

    json_array_foreach(spending->spec.gathered, i, model)
    {
        if (!strcmp(text_of(model, "fallback"), name))
            (void)json_object_del(model, "fallback");
    }
    strbuf_addf(spending->spec.note, "no fallback to the model '%.60s': %s\n",
                name, refused);
}

static void on_reserved(void *arg, const char *date, const char *refused,
                        const struct err *err)
{
    struct spending *spending = arg;
    struct share *share = &spending->shares[spending->next];

    if (err) {
        spending->fn(spending->arg, NULL, err);
        return;
    }
    if (refused && !share->may_lack) {
        refuse(spending, refused);
        return;
    }
    if (refused)
        leave_out(spending, share->model, refused);
    else
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

static void begin(struct spending *spending, const char *before)
{
    json_t *doc = json_loads(before, 0, NULL);
    json_t *model;
    size_t i;

    spending->looked = true;
    json_array_foreach(spending->spec.gathered, i, model)
    {
        json_t *spent = json_object_get(doc, text_of(model, "name"));

        if (json_is_object(spent))
            json_object_set(model, "spent", spent);
    }
    json_decref(doc);
    json_array_foreach(spending->spec.gathered, i, model)
    {
        add_share(spending, model);
    }
    reserve_next(spending);
}

static void on_looked(void *arg, const char *text, const struct err *err)
{
    struct spending *spending = arg;

    if (err)
        spending->fn(spending->arg, NULL, err);
    else
        begin(spending, text);
}

void spending_begin(struct spending *spending, spending_fn *fn, void *arg)
{
    if (!spending) {
        fn(arg, NULL, NULL);
        return;
    }
    spending->fn = fn;
    spending->arg = arg;
    if (spending->looked)
        reserve_next(spending);
    else if (lease_epoch(spending->spec.lease) > 1)
        spend_charge(spending->spec.queue, spending->spec.lease, "", on_looked,
                     spending);
    else
        begin(spending, "");
}

/* ---- what it did spend ----------------------------------------------------
 */

/* Of all attempts, as the next one is to be told. */
static char *charge_text(const json_t *spent)
{
    static const char *const fields[] = {"requests", "tokens", "micro_usd",
                                         "time_ms"};
    json_t *doc = json_object();
    const char *name;
    json_t *model;
    char *text;

    json_object_foreach((json_t *)(uintptr_t)spent, name, model)
    {
        json_t *one = json_object();

        for (size_t i = 0; i < ARRAY_LEN(fields); i++)
            json_object_set_new(
                one, fields[i],
                json_integer((json_int_t)number_of(model, fields[i])));
        json_object_set_new(doc, name, one);
    }
    text = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    return text ? text : xstrdup("");
}

static void charge(struct spending *spending);

static void on_charged(void *arg, const char *text UNUSED,
                       const struct err *err)
{
    struct spending *spending = arg;

    spending->charging = false;
    if (!err && spending->changed) /* else it is told with the next change */
        charge(spending);
}

static void charge(struct spending *spending)
{
    CLEANUP(mem) char *text = charge_text(spending->spent);

    spending->charging = true;
    spending->changed = false;
    spend_charge(spending->spec.queue, spending->spec.lease, text, on_charged,
                 spending);
}

void spending_take(struct spending *spending, const void *data, size_t len)
{
    json_t *spent = json_loadb(data, len, 0, NULL);

    if (!spending || !json_is_object(spent)) {
        json_decref(spent);
        return;
    }
    json_decref(spending->spent);
    spending->spent = spent;
    spending->changed = true;
    if (!spending->charging)
        charge(spending);
}

void spending_charge(struct spending *spending)
{
    if (spending && spending->spent)
        charge(spending);
}

void spending_end(struct spending *spending, const json_t *result)
{
    /* run-job gave none, so requests may have been under way: who knows. */
    if (!json_array_size(json_object_get(result, "steps")))
        return;
    for (size_t i = 0; i < spending->count; i++) {
        struct share *share = &spending->shares[i];
        const json_t *model = json_object_get(spending->spent, share->model);
        const struct spend_amount paid =
            amount_of(json_object_get(model, "paid"));

        settle(spending, share, &paid);
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
    json_decref(spending->spent);
    free(spending);
}
