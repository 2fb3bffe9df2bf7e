/* worker/job/egress.c - a job's way out of its sandbox, by names of hosts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/egress.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/host_rule.h"
#include "worker/sandbox/drivers.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/mounts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTES_MAX 20 /* hosts that are told to be refused */
#define SETTLE_MS 1000
#define HOSTS_MAX 64 /* that are summed up */

/* The first behind those of sandboxes: no user of the host, nor inside. */
#define GATEWAY_UID (SANDBOX_UID_BASE + SANDBOX_UID_COUNT)

struct total {
    char *where; /* owned: "host:port at address" */
    uint64_t connections, up_bytes, down_bytes;
};

struct egress {
    struct egress_spec spec;
    struct gateway *gateway; /* owned */
    struct strv noted;
    struct total totals[HOSTS_MAX];
    size_t total_count;
    uint64_t uncounted; /* connections to more hosts */
    void (*injected)(void *arg);
    void *injected_arg;
    void (*done)(void *arg); /* NULL: not settling */
    void *done_arg;
    struct loop_source *timer;
};

enum sandbox_network egress_network(const struct pipeline *pipeline)
{
    switch (pipeline->network) {
    case NETWORK_HOSTS:
        return SANDBOX_NETWORK_HOSTS;
    case NETWORK_FULL:
        return SANDBOX_NETWORK_FULL;
    case NETWORK_NONE:
        break;
    }
    return SANDBOX_NETWORK_NONE;
}

static const json_t *fork_hosts(const struct job_start *start)
{
    const json_t *list = json_object_get(start->gateway, "fork_hosts");

    return !strcmp(start->trust, "fork") && json_array_size(list) ? list : NULL;
}

/* Whether sandboxes use the host's network stack, so that a listener can be
 * made in their namespace: runsc and Kata have one of their own. */
static bool shares_stack(const char *runtime)
{
    const char *slash = runtime ? strrchr(runtime, '/') : NULL;
    const char *name = slash ? slash + 1 : runtime;

    return !name || strncmp(name, "crun", 4) == 0 ||
           strncmp(name, "runc", 4) == 0;
}

bool egress_can_listen(const struct job_start *start,
                       const struct sandbox_driver *driver)
{
    return driver->listen &&
           shares_stack(driver_runtime(driver, start->runtime));
}

int egress_check(const struct job_start *start,
                 const struct sandbox_driver *driver, struct err *err)
{
    const char *runtime = driver_runtime(driver, start->runtime);

    if (start->pipeline->network == NETWORK_FULL && fork_hosts(start))
        return err_set(err, ERR_USER,
                       "`network: full` is not given to jobs of forks here "
                       "(gateway.fork_hosts of the worker); name the hosts, as "
                       "in `network: [npm]`");
    if (start->pipeline->network == NETWORK_HOSTS && !driver->listen)
        return err_set(err, ERR_USER,
                       "sandboxes by '%s' cannot be let out by names of hosts: "
                       "say `network: none` or `full`",
                       driver->name);
    if (start->pipeline->network == NETWORK_HOSTS && !shares_stack(runtime))
        return err_set(err, ERR_USER,
                       "sandboxes by the runtime '%.200s' cannot be let out by "
                       "names of hosts: use crun or runc, or say `network: "
                       "none` or `full`",
                       runtime);
    return 0;
}

/* ---- what the gateway is told ---------------------------------------------
 */

/* The host of the registry that npm is set up with, as a rule. */
static int add_npm(const struct job_start *start, json_t *rules,
                   struct err *err)
{
    CLEANUP(mem) char *url = hostenv_npm_registry(start->pipeline->image);
    const char *scheme = strstr(url, "://");
    const char *host = scheme ? scheme + 3 : url;
    CLEANUP(mem) char *text = xstrndup(host, strcspn(host, "/?#"));
    struct host_rule rule;

    if (host_rule_parse(text, &rule, err) < 0)
        return err_wrap(err,
                        "the preset 'npm' is of no use: the registry "
                        "'%.200s' of this worker's npm",
                        url);
    json_array_append_new(rules, json_string(text));
    return 0;
}

static int add_rule(const struct job_start *start, const char *word,
                    json_t *rules, struct err *err)
{
    if (!strcmp(word, "npm"))
        return add_npm(start, rules, err);
    json_array_append_new(rules, json_string(word));
    return 0;
}

/* All that fork_hosts allows, presets worked out. */
static int add_within(const struct job_start *start, json_t *setup,
                      struct err *err)
{
    const json_t *list = fork_hosts(start);
    const json_t *word;
    json_t *within;
    size_t i;

    if (!list)
        return 0;
    within = json_array();
    json_object_set_new(setup, "within", within);
    json_array_foreach(list, i, word)
    {
        if (add_rule(start, json_string_value(word), within, err) < 0)
            return -1;
    }
    return 0;
}

/* Presets among the addresses are hosts, which may be anywhere on the site. A
 * registry that cannot be one is of no concern to who does not list it. */
static void add_addresses(const struct job_start *start, json_t *setup)
{
    const json_t *list = json_object_get(start->gateway, "allow_addresses");
    json_t *ranges = json_array(), *own = json_array();
    const json_t *word;
    struct err ignored;
    size_t i;

    json_array_foreach(list, i, word)
    {
        if (!strcmp(json_string_value(word), "npm"))
            (void)!add_npm(start, own, &ignored);
        else
            json_array_append_new(ranges, json_string(json_string_value(word)));
    }
    if (json_array_size(ranges))
        json_object_set(setup, "allow_addresses", ranges);
    if (json_array_size(own))
        json_object_set(setup, "own_hosts", own);
    json_decref(ranges);
    json_decref(own);
}

static bool may_inject_tls(const struct pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->step_count; i++) {
        const struct secret_list *secrets = &pipeline->steps[i].secrets;

        for (size_t k = 0; k < secrets->count; k++)
            if (secrets->items[k].form == SECRET_INJECT &&
                !secrets->items[k].plain)
                return true;
    }
    return false;
}

static int fill_setup(const struct job_start *start, json_t *setup,
                      struct err *err)
{
    static const char *const passed[] = {"max_connections", "max_rate",
                                         "max_bytes"};
    const struct strv *hosts = &start->pipeline->hosts;
    bool is_fork = !strcmp(start->trust, "fork");
    CLEANUP(strbuf) struct strbuf listed = STRBUF_MAX(32768);
    json_t *rules = json_array();

    json_object_set_new(setup, "hosts", rules);
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        json_t *value = json_object_get(start->gateway, passed[i]);

        if (value)
            json_object_set(setup, passed[i], value);
    }
    for (size_t i = 0; i < hosts->count; i++) {
        strbuf_addf(&listed, "%s%s", i ? ", " : "", hosts->items[i]);
        if (add_rule(start, hosts->items[i], rules, err) < 0)
            return -1;
    }
    json_object_set_new(setup, "listed", json_string(listed.data));
    add_addresses(start, setup);
    if (start->inject && !is_fork)
        json_object_set(setup, "inject", start->inject);
    if (!is_fork && may_inject_tls(start->pipeline))
        json_object_set_new(setup, "tls", json_true());
    return add_within(start, setup, err);
}

json_t *egress_setup(const struct job_start *start, struct err *err)
{
    json_t *setup = json_object();

    if (fill_setup(start, setup, err) == 0)
        return setup;
    json_decref(setup);
    return NULL;
}

/* ---- what it tells --------------------------------------------------------
 */

static void on_ready(void *arg, const struct err *err)
{
    struct egress *egress = arg;

    egress->spec.on_ready(egress->spec.arg, err);
}

static void sum_up(const struct egress *egress);

/* The last thing in its caller. */
static void settled(void *arg)
{
    struct egress *egress = arg;
    void (*done)(void *) = egress->done;

    loop_remove(egress->timer);
    egress->timer = NULL;
    egress->done = NULL;
    sum_up(egress);
    done(egress->done_arg);
}

static void on_lost(void *arg, const struct err *err)
{
    struct egress *egress = arg;

    if (egress->done)
        settled(egress);
    else
        egress->spec.on_lost(egress->spec.arg, err);
}

static void on_held(void *arg)
{
    struct egress *egress = arg;

    egress->injected(egress->injected_arg);
}

/* A program tries again and again: each reason once. */
static void note(struct egress *egress, const char *message)
{
    CLEANUP(mem) char *text = xasprintf("network: %s", message);

    for (size_t i = 0; i < egress->noted.count; i++)
        if (!strcmp(egress->noted.items[i], text))
            return;
    if (egress->noted.count > NOTES_MAX)
        return;
    strv_add(&egress->noted, text);
    egress->spec.on_note(egress->spec.arg,
                         egress->noted.count > NOTES_MAX
                             ? "network: what else is refused is not told"
                             : text);
}

static struct total *total_of(struct egress *egress,
                              const struct gateway_event *event)
{
    CLEANUP(mem)
    char *where =
        xasprintf("%s:%u at %s", event->host, event->port, event->address);

    for (size_t i = 0; i < egress->total_count; i++)
        if (!strcmp(egress->totals[i].where, where))
            return &egress->totals[i];
    if (egress->total_count == HOSTS_MAX)
        return NULL;
    egress->totals[egress->total_count].where = STEAL(where);
    return &egress->totals[egress->total_count++];
}

static void on_event(void *arg, const struct gateway_event *event)
{
    struct egress *egress = arg;
    struct total *total;

    egress->spec.on_event(egress->spec.arg, event);
    if (*event->message)
        note(egress, event->message);
    if (!*event->address)
        return;
    total = total_of(egress, event);
    if (!total) {
        egress->uncounted++;
        return;
    }
    total->connections++;
    total->up_bytes += event->up_bytes;
    total->down_bytes += event->down_bytes;
}

/* ---- the whole ------------------------------------------------------------
 */

int egress_listen(const struct sandbox_driver *driver, struct sandbox *sandbox,
                  int *out_fd, struct err *err)
{
    return driver->listen(sandbox, SANDBOX_PROXY_PORT, out_fd, err);
}

int egress_start(const struct egress_spec *spec, struct egress **out_egress,
                 struct err *err)
{
    CLEANUP(egress) struct egress *egress = xcalloc(1, sizeof(*egress));
    CLEANUP(fd) int listener = -1;
    json_t *setup = egress_setup(spec->start, err);
    struct gateway_spec gateway = {
        .loop = spec->loop,
        .uid = geteuid() == 0 ? GATEWAY_UID : 0,
        .setup = setup,
        .on_ready = on_ready,
        .on_event = on_event,
        .on_held = on_held,
        .on_lost = on_lost,
        .arg = egress,
    };
    int rc = 0;

    egress->spec = *spec;
    if (!setup)
        return -1;
    if (spec->listener < 0)
        rc = egress_listen(spec->driver, spec->sandbox, &listener, err);
    gateway.listener = spec->listener < 0 ? listener : spec->listener;
    if (rc == 0)
        rc = gateway_start(&gateway, &egress->gateway, err);
    json_decref(setup);
    if (rc == 0)
        *out_egress = STEAL(egress);
    return rc;
}

static void sum_up(const struct egress *egress)
{
    for (size_t i = 0; i < egress->total_count; i++) {
        const struct total *total = &egress->totals[i];
        CLEANUP(mem)
        char *text = xasprintf(
            "network: %s: %llu connection%s, %llu bytes sent, %llu received",
            total->where, (unsigned long long)total->connections,
            total->connections == 1 ? "" : "s",
            (unsigned long long)total->up_bytes,
            (unsigned long long)total->down_bytes);

        egress->spec.on_note(egress->spec.arg, text);
    }
    if (egress->uncounted) {
        CLEANUP(mem)
        char *text = xasprintf("network: %llu connections to more hosts",
                               (unsigned long long)egress->uncounted);

        egress->spec.on_note(egress->spec.arg, text);
    }
}

void egress_settle(struct egress *egress, void (*done)(void *arg), void *arg)
{
    egress->done = done;
    egress->done_arg = arg;
    egress->timer = loop_add_timer(
        egress->spec.loop, clock_mono_ms() + SETTLE_MS, settled, egress);
    gateway_settle(egress->gateway);
}

void egress_inject(struct egress *egress, const json_t *fields,
                   void (*done)(void *arg), void *arg)
{
    const struct job_start *start = egress->spec.start;
    json_t *all = json_array();

    if (start->inject && strcmp(start->trust, "fork") != 0)
        json_array_extend(all, start->inject);
    json_array_extend(all, (json_t *)(uintptr_t)fields);
    egress->injected = done;
    egress->injected_arg = arg;
    gateway_hold(egress->gateway, all);
    json_decref(all);
}

void egress_free(struct egress *egress)
{
    if (!egress)
        return;
    loop_remove(egress->timer);
    gateway_stop(egress->gateway);
    strv_clear(&egress->noted);
    for (size_t i = 0; i < egress->total_count; i++)
        free(egress->totals[i].where);
    free(egress);
}
