/* pipelines/schedule.c - jobs that a clock asks for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/schedule.h"

#include "pipelines/job_load.h"

#include <stdlib.h>
#include <string.h>

static void schedule_clear(struct schedule *schedule)
{
    free(schedule->name);
    free(schedule->zone_name);
    zone_free(schedule->zone);
    job_batch_free(schedule->job);
}

void schedule_list_free(struct schedule_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        schedule_clear(&list->items[i]);
    free(list->items);
    free(list);
}

/* ---- keys --------------------------------------------------------------- */

static void load_name(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct schedule *schedule = target;
    const char *s = value->text;

    if (!load_is_line(l, value, LOAD_MAX_NAME))
        return;
    if (*s == '-' || value->len > SCHEDULE_MAX_NAME ||
        s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")]) {
        load_fail(l, value, NULL,
                  "the name of a schedule has small letters, digits and -, "
                  "the first none, at most %d",
                  SCHEDULE_MAX_NAME);
        return;
    }
    free(schedule->name);
    schedule->name = xstrdup(s);
}

static void load_cron(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct schedule *schedule = target;
    struct err err = {0};
    size_t at = 0;

    if (load_is_line(l, value, LOAD_MAX_NAME) &&
        cron_parse(value->text, &schedule->cron, &at, &err) < 0)
        load_fail_inside(l, value, at, NULL, "'%.100s': %s", value->text,
                         err.msg);
}

static void load_zone(struct loader *l, const struct yaml_node *value,
                      void *target)
{
    struct schedule *schedule = target;
    struct zone *zone = NULL;
    struct err err = {0};

    if (!load_is_line(l, value, ZONE_NAME_MAX))
        return;
    if (zone_load(value->text, &zone, &err) < 0) {
        load_fail(l, value, NULL, "%s", err.msg);
        return;
    }
    zone_free(schedule->zone);
    free(schedule->zone_name);
    schedule->zone = zone;
    schedule->zone_name = xstrdup(value->text);
}

static void load_catch_up(struct loader *l, const struct yaml_node *value,
                          void *target)
{
    static const char *const words[] = {"skip", "one", "all", NULL};
    size_t i;

    if (load_word(l, value, words, &i))
        ((struct schedule *)target)->catch_up =
            (enum cron_catch_up)cron_catch_up_find(words[i]);
}

static void load_jitter(struct loader *l, const struct yaml_node *value,
                        void *target)
{
    struct schedule *schedule = target;

    if (load_duration(l, value, &schedule->jitter_ms) &&
        schedule->jitter_ms > SCHEDULE_MAX_JITTER_MS)
        load_fail(l, value, NULL, "a jitter is at most a day");
}

static void check_moment(struct loader *l, const struct yaml_node *job,
                         const char *key, const struct job_moment *moment)
{
    if (moment->kind == JOB_AT)
        load_fail(l, yaml_node_get(job, key), NULL,
                  "'%s' of a schedule's job is a delay (10m), no fixed moment",
                  key);
}

static void load_job(struct loader *l, const struct yaml_node *value,
                     void *target)
{
    struct schedule *schedule = target;
    const struct yaml_node *id = yaml_node_get(value, "id");
    const struct job_request *request;

    job_batch_free(schedule->job);
    schedule->job = job_load_one(l, value);
    request = schedule->job->items;
    if (id)
        load_fail(l, id, NULL,
                  "a schedule's job has no id: each firing gets its own");
    check_moment(l, value, "not_before", &request->not_before);
    check_moment(l, value, "deadline", &request->deadline);
}

static const struct key_rule schedule_keys[] = {
    {"name", load_name, true, 0},      {"cron", load_cron, true, 0},
    {"zone", load_zone, false, 0},     {"catch_up", load_catch_up, false, 0},
    {"jitter", load_jitter, false, 0}, {"job", load_job, true, 0},
};

static const struct foreign_word schedule_foreign[] = {
    {"schedule", "write cron"},
    {"timezone", "write zone"},
    {"tz", "write zone"},
    {"pipeline", "write job: {pipeline: …}"},
    {"kind", "write job: {kind: …}"},
};

static const struct map_rules schedule_rules = {
    "a schedule",
    schedule_keys,
    ARRAY_LEN(schedule_keys),
    schedule_foreign,
    ARRAY_LEN(schedule_foreign),
};

/* ---- a schedule --------------------------------------------------------- */

static void load_schedule(struct loader *l, const struct yaml_node *node,
                          struct schedule *schedule)
{
    bool failed = l->failed;
    int64_t due_ms;

    l->failed = false;
    schedule->zone_name = xstrdup("UTC");
    if (zone_load("UTC", &schedule->zone, NULL) < 0)
        abort(); /* it needs no file */
    load_map(l, node, &schedule_rules, 0, schedule);
    if (!l->failed && !cron_next(&schedule->cron, schedule->zone, 0, &due_ms))
        load_fail(l, yaml_node_get(node, "cron"), NULL, "it is never due");
    l->failed |= failed;
}

static void check_names(struct loader *l, const struct yaml_node *node,
                        const struct schedule_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; list->items[i].name && k < i; k++)
            if (list->items[k].name &&
                !strcmp(list->items[k].name, list->items[i].name)) {
                load_fail(l, yaml_node_get(node->items[i], "name"), NULL,
                          "the schedule '%s' is there twice",
                          list->items[i].name);
                break;
            }
}

int schedule_load(const struct yaml_tree *tree, const struct yaml_node *node,
                  yaml_error_fn *on_error, void *arg,
                  struct schedule_list **out_list)
{
    CLEANUP(schedule_list)
    struct schedule_list *list = xcalloc(1, sizeof(*list));
    struct loader l = {.tree = tree, .on_error = on_error, .arg = arg};

    if (node && node->kind == NODE_LIST && node->count <= SCHEDULE_MAX) {
        list->items = xcalloc(node->count + 1, sizeof(*list->items));
        list->count = node->count;
        for (size_t i = 0; i < node->count; i++)
            load_schedule(&l, node->items[i], &list->items[i]);
        check_names(&l, node, list);
    } else if (node && node->kind != NODE_NULL) {
        load_fail(&l, node, NULL, "schedules are a list of at most %d mappings",
                  SCHEDULE_MAX);
    }
    if (l.failed)
        return -1;
    *out_list = STEAL(list);
    return 0;
}
