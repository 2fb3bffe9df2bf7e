/* cli/doctor_redis.c - whether a Redis can be trusted with jobs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/proc.h"
#include "base/state.h"
#include "cli/doctor.h"
#include "scheduler/queue/control.h"
#include "scheduler/queue/submit.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_MS  3000
#define PINGS       200
#define P50         (PINGS / 2)
#define P99         (PINGS * 99 / 100)
#define SLOW_US     20000 /* a round trip that workers would feel */
#define SKEW_MAX_MS 1000
#define LAG_MAX_S   10
#define SCAN_MAX_MS 3000
#define MIN_VERSION 7
#define VALUE_SIZE  128

static int command(struct doctor *d, const char *const *words, size_t count,
                   redisReply **out, struct err *err)
{
    const struct redis_words all = {.words = words, .count = count};

    return redis_sync_command(d->redis, &all, out, err);
}

/* A field of INFO, or "". */
static const char *info(const struct doctor *d, const char *field,
                        char out[VALUE_SIZE])
{
    size_t len = strlen(field);
    const char *at = d->info.data;

    out[0] = '\0';
    for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (!strncmp(at, field, len) && at[len] == ':') {
            (void)snprintf(out, VALUE_SIZE, "%.*s",
                           (int)strcspn(at + len + 1, "\r\n"), at + len + 1);
            break;
        }
    return out;
}

static bool info_is(const struct doctor *d, const char *field,
                    const char *value)
{
    char text[VALUE_SIZE];

    return !strcmp(info(d, field, text), value);
}

/* ---- reaching it -------------------------------------------------------- */

static void check_none(struct finding *out)
{
    if (proc_in_path("redis-server"))
        finding_ok(out, "none is configured: berth run starts a private one");
    else
        finding_fail(out,
                     "install redis-server, or set redis.url to a Redis that "
                     "runs",
                     "none is configured, and no redis-server is installed");
}

static void check_reach(struct doctor *d, struct finding *out)
{
    const struct redis_options options = {.url = d->settings->redis.url,
                                          .connect_timeout_ms = TIMEOUT_MS,
                                          .command_timeout_ms = TIMEOUT_MS};
    const char *const words[] = {"INFO"};
    redisReply *reply = NULL;
    struct err err = {0};

    if (!*options.url) {
        check_none(out);
        return;
    }
    if (redis_sync_open(&options, &d->redis, &err) < 0) {
        finding_fail(out,
                     "start it, or set redis.url (BERTH_REDIS) to where it "
                     "is; look at firewalls, and at user and password",
                     "%s", err.msg);
        return;
    }
    if (command(d, words, 1, &reply, &err) < 0) {
        finding_fail(out,
                     "allow INFO to berth's user (ACL SETUSER … +info); "
                     "redis-acl.conf, which is installed with berth, has all "
                     "that it needs",
                     "reached, but it does not tell how it is: %s", err.msg);
        redis_sync_free(d->redis);
        d->redis = NULL;
        return;
    }
    if (reply->str)
        strbuf_add(&d->info, reply->str, reply->len);
    freeReplyObject(reply);
    finding_ok(out, "reached");
}

static void check_version(struct doctor *d, struct finding *out)
{
    char version[VALUE_SIZE], valkey[VALUE_SIZE];

    if (*info(d, "valkey_version", valkey))
        finding_ok(out, "Valkey %s", valkey);
    else if (atoi(info(d, "redis_version", version)) >= MIN_VERSION)
        finding_ok(out, "Redis %s", version);
    else
        finding_fail(out, "use Redis 7 or later, or Valkey",
                     "Redis %s is too old", version);
}

static void check_role(struct doctor *d, struct finding *out)
{
    char role[VALUE_SIZE];

    if (!strcmp(info(d, "role", role), "master"))
        finding_ok(out, "master");
    else
        finding_fail(out, "set redis.url to the master of this replica",
                     "it is a '%s': jobs cannot be written to it", role);
}

/* ---- whether it keeps what it is given ---------------------------------- */

static void check_eviction(struct doctor *d, struct finding *out)
{
    char policy[VALUE_SIZE], limit[VALUE_SIZE];

    (void)info(d, "maxmemory_policy", policy);
    (void)info(d, "maxmemory_human", limit);
    if (!strcmp(policy, "noeviction"))
        finding_ok(out, "noeviction, maxmemory %s",
                   info_is(d, "maxmemory", "0") ? "without limit" : limit);
    else
        finding_fail(out, "CONFIG SET maxmemory-policy noeviction",
                     "maxmemory-policy is '%s': when memory is short, jobs "
                     "vanish",
                     policy);
}

/* CONFIG is often forbidden: then "". Whoever watches Redis' log of refusals
 * need not look into one that is ours. */
static void config_get(struct doctor *d, const char *name, char out[VALUE_SIZE])
{
    const char *const words[] = {"CONFIG", "GET", name};
    CLEANUP(strv) struct strv commands = {0};
    CLEANUP(strv) struct strv missing = {0};
    redisReply *reply = NULL;

    out[0] = '\0';
    strv_add(&commands, "config|get");
    if (doctor_missing(d->redis, &commands, &missing, NULL) < 0 ||
        missing.count || command(d, words, 3, &reply, NULL) < 0)
        return;
    if (reply->elements == 2 && reply->element[1]->str)
        (void)snprintf(out, VALUE_SIZE, "%s", reply->element[1]->str);
    freeReplyObject(reply);
}

static void check_persistence(struct doctor *d, struct finding *out)
{
    char fsync[VALUE_SIZE];

    if (!info_is(d, "aof_enabled", "1")) {
        finding_warn(out,
                     "CONFIG SET appendonly yes; appendfsync everysec will do",
                     "there is no append-only file: a crash of Redis loses "
                     "jobs");
        return;
    }
    config_get(d, "appendfsync", fsync);
    if (!strcmp(fsync, "no"))
        finding_warn(out, "CONFIG SET appendfsync everysec",
                     "append-only file, but appendfsync is 'no': a power cut "
                     "loses what the kernel had not written");
    else
        finding_ok(out, "append-only file, appendfsync %s",
                   *fsync ? fsync : "not told");
}

static void check_saves(struct doctor *d, struct finding *out)
{
    static const char *const fields[] = {"rdb_last_bgsave_status",
                                         "aof_last_bgrewrite_status",
                                         "aof_last_write_status"};
    char status[VALUE_SIZE];

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        (void)info(d, fields[i], status);
        if (*status && strcmp(status, "ok") != 0) {
            finding_fail(out,
                         "look at Redis' log, and at the space and rights of "
                         "its directory",
                         "%s is '%s'", fields[i], status);
            return;
        }
    }
    finding_ok(out, "the last ones succeeded");
}

/* The largest lag in seconds of the replicas that are online. */
static long worst_lag(const struct doctor *d, long replicas)
{
    long worst = 0;

    for (long i = 0; i < replicas; i++) {
        char field[VALUE_SIZE], value[VALUE_SIZE];
        const char *lag;

        (void)snprintf(field, sizeof(field), "slave%ld", i);
        lag = strstr(info(d, field, value), "lag=");
        if (lag && atol(lag + 4) > worst)
            worst = atol(lag + 4);
    }
    return worst;
}

static void check_replicas(struct doctor *d, struct finding *out)
{
    char text[VALUE_SIZE];
    long replicas = atol(info(d, "connected_slaves", text));
    int64_t wanted = d->settings->redis.wait_replicas;
    long lag = worst_lag(d, replicas < 100 ? replicas : 100);

    if (replicas < wanted)
        finding_fail(out, "start replicas, or set redis.wait_replicas lower",
                     "%ld connected, but redis.wait_replicas is %" PRId64,
                     replicas, wanted);
    else if (lag > LAG_MAX_S)
        finding_warn(out, "look at the replica's load and its network",
                     "%ld connected, the slowest %ld s behind", replicas, lag);
    else if (replicas && !wanted)
        finding_warn(out,
                     "set redis.wait_replicas to 1, so that a replica that "
                     "takes over has all jobs",
                     "%ld connected, but nobody waits for them", replicas);
    else
        finding_ok(out, "%ld connected", replicas);
}

/* ---- time --------------------------------------------------------------- */

static void check_clock(struct doctor *d, struct finding *out)
{
    const char *const words[] = {"TIME"};
    int64_t before = clock_wall_ms(), after, theirs, skew;
    redisReply *reply = NULL;
    struct err err = {0};

    if (command(d, words, 1, &reply, &err) < 0) {
        finding_fail(out, "allow TIME to berth's user (ACL SETUSER … +time)",
                     "%s", err.msg);
        return;
    }
    after = clock_wall_ms();
    theirs = 0;
    if (reply->elements == 2)
        theirs = strtoll(reply->element[0]->str, NULL, 10) * 1000 +
                 strtoll(reply->element[1]->str, NULL, 10) / 1000;
    freeReplyObject(reply);
    /* Anything between the two moments is no skew. */
    skew = theirs < before ? before - theirs : theirs - after;
    if (skew > SKEW_MAX_MS)
        finding_warn(out,
                     "set both clocks by NTP; leases do not mind, but "
                     "schedules and stamps are off",
                     "Redis' clock is %" PRId64 " ms %s this host's", skew,
                     theirs < before ? "behind" : "before");
    else
        finding_ok(out, "less than a second from this host's");
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void check_latency(struct doctor *d, struct finding *out)
{
    const char *const words[] = {"PING"};
    int64_t took[PINGS], half_us, most_us;
    struct err err = {0};

    for (size_t i = 0; i < PINGS; i++) {
        redisReply *reply = NULL;
        int64_t start = now_us();

        if (command(d, words, 1, &reply, &err) < 0) {
            finding_fail(out, "look at the network, and at Redis' log",
                         "%zu of %d answers came, then: %s", i, PINGS, err.msg);
            return;
        }
        freeReplyObject(reply);
        took[i] = now_us() - start;
    }
    qsort(took, PINGS, sizeof(took[0]), compare);
    half_us = took[P50];
    most_us = took[P99];
    if (most_us > SLOW_US)
        finding_warn(out, "bring workers nearer to Redis, or look at its load",
                     "a round trip takes %.1f ms (p50), %.1f ms (p99)",
                     (double)half_us / 1000, (double)most_us / 1000);
    else
        finding_ok(out, "a round trip takes %.1f ms (p50), %.1f ms (p99)",
                   (double)half_us / 1000, (double)most_us / 1000);
}

/* ---- the queue's own scripts -------------------------------------------- */

static void unlink_all(struct doctor *d, const redisReply *keys)
{
    for (size_t i = 0; i < keys->elements; i++) {
        const char *const words[] = {"UNLINK", keys->element[i]->str};
        redisReply *reply = NULL;

        if (command(d, words, 2, &reply, NULL) == 0)
            freeReplyObject(reply);
    }
}

/* Where SCAN is forbidden, or takes too long, they expire. */
static void remove_pool(struct doctor *d, const char *pool)
{
    CLEANUP(mem) char *pattern = xasprintf("berth:{%s}:*", pool);
    int64_t until = clock_mono_ms() + SCAN_MAX_MS;
    char cursor[32] = "0";

    do {
        const char *const words[] = {"SCAN",  cursor,  "MATCH",
                                     pattern, "COUNT", "1000"};
        redisReply *reply = NULL;

        if (command(d, words, ARRAY_LEN(words), &reply, NULL) < 0)
            return;
        cursor[0] = '\0';
        if (reply->elements == 2 && reply->element[0]->str) {
            (void)snprintf(cursor, sizeof(cursor), "%s",
                           reply->element[0]->str);
            unlink_all(d, reply->element[1]);
        }
        freeReplyObject(reply);
    } while (*cursor && strcmp(cursor, "0") != 0 && clock_mono_ms() < until);
}

static int try_queue(const struct settings *settings, const char *pool,
                     struct err *err)
{
    const struct queue_options options = {
        .url = settings->redis.url, .pool = pool, .max_instances = 1};
    const struct queue_job job = {
        .id = "doctor", .payload = "{}", .priority = JOB_NORMAL};
    CLEANUP(queue) struct queue *queue = NULL;
    struct queue_answer answer;
    enum queue_cancelled what;

    if (queue_open(NULL, &options, &queue, err) < 0)
        return -1;
    if (queue_submit(queue, &job, 1, &answer, err) < 0)
        return err_wrap(err, "submit");
    if (queue_cancel(queue, "doctor", "cancelled", &what, err) < 0)
        return err_wrap(err, "cancel");
    return 0;
}

static void check_scripts(struct doctor *d, struct finding *out)
{
    char pool[] = "doctor-xxxxxxxxxxxxxxxx";
    struct err err = {0};

    state_random_hex(pool + 7, 16);
    if (try_queue(d->settings, pool, &err) < 0)
        finding_fail(out, "look at redis-rights above, and at Redis' log", "%s",
                     err.msg);
    else
        finding_ok(out, "a job was submitted and cancelled");
    remove_pool(d, pool);
}

static const struct doctor_check checks[] = {
    {"redis", check_reach, false},
    {"redis-version", check_version, true},
    {"redis-role", check_role, true},
    {"redis-memory", check_eviction, true},
    {"redis-persistence", check_persistence, true},
    {"redis-saves", check_saves, true},
    {"redis-replicas", check_replicas, true},
    {"redis-clock", check_clock, true},
    {"redis-latency", check_latency, true},
    {"redis-rights", doctor_check_rights, true},
    {"redis-scripts", check_scripts, true},
};

const struct doctor_checks doctor_redis_checks = {checks, ARRAY_LEN(checks)};
