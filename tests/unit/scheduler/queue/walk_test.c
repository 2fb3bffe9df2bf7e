/* tests/unit/scheduler/queue/walk_test.c - anything may follow anything. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/job_args.h"
#include "tests/unit/scheduler/queue/pool.h"

/*
 * Random transitions by many workers and schedulers. After each few of them
 * every job must be where its state says, and only there; in the end all must
 * have ended. BERTH_WALK_SEED and BERTH_WALK_STEPS try others.
 */

enum { WORKERS = 8, HELD = 3, ZOMBIES = 64, MAX_RUNNING = 9, CHILDREN = 3 };

static const char *const worker_labels[] = {"", ",a,", ",b,", ",a,b,"};
static const char *const tenants[] = {"t0", "t1", "t2", "t3"};
static const char *const pipelines[] = {"build", "test", "deploy"};
static char group_names[3][4] = {"g0", "g1", "g2"};

struct held {
    struct given given;
    bool taken;
    char result[32];
};

struct walk {
    struct pool *pool;
    uint64_t random;
    unsigned submitted; /* ids j0, j1… given so far */
    long created, forgotten, results;
    struct held held[WORKERS][HELD];
    struct given zombies[ZOMBIES];
    unsigned zombie_count;
    unsigned finished, lost, again; /* so that a test of nothing is seen */
};

/* ---- chance ---------------------------------------------------------------
 */

static unsigned below(struct walk *w, unsigned n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)((w->random >> 11) % n);
}

static bool chance(struct walk *w, unsigned percent)
{
    return below(w, 100) < percent;
}

static const char *some_id(struct walk *w)
{
    static char id[32];
    unsigned recent = w->submitted < 200 ? w->submitted : 200;

    if (!recent)
        return "none";
    (void)snprintf(id, sizeof(id), "j%u", w->submitted - 1 - below(w, recent));
    if (chance(w, 10))
        (void)snprintf(id + strlen(id), 8, "-%u", 1 + below(w, CHILDREN));
    return id;
}

/* ---- what is always true ----------------------------------------------------
 */

/* -> {how many jobs there are, complaints…} */
static const char check[] =
    "local P, call = KEYS[1], redis.call\n"
    "local out, count, lanes = {}, 0, {}\n"
    "local function bad(...)\n"
    "    if #out < 5 then out[#out + 1] = table.concat({...}, ' ') end\n"
    "end\n"
    "for _, key in ipairs(call('KEYS', P .. 'parked:*')) do\n"
    "    for _, lane in ipairs(call('ZRANGE', key, 0, -1)) do\n"
    "        lanes[lane] = true\n"
    "    end\n"
    "    if call('SISMEMBER', P .. 'parked',\n"
    "            string.sub(key, #P + 8)) == 0 then\n"
    "        bad(key, 'is not known')\n"
    "    end\n"
    "end\n"
    "for _, key in ipairs(call('KEYS', P .. 'act:*')) do\n"
    "    local labels = string.sub(key, #P + 5)\n"
    "    if labels ~= '' and\n"
    "        call('SISMEMBER', P .. 'labels', labels) == 0 then\n"
    "        bad(key, 'is not known')\n"
    "    end\n"
    "    for _, lane in ipairs(call('ZRANGE', key, 0, -1)) do\n"
    "        lanes[lane .. ':' .. labels] = true\n"
    "    end\n"
    "end\n"
    "local groups = call('HGETALL', P .. 'groups')\n"
    "local held = {}\n"
    "for i = 1, #groups, 2 do held[groups[i]] = groups[i + 1] end\n"
    "for _, key in ipairs(call('KEYS', P .. 'group:*')) do\n"
    "    if not held[string.sub(key, #P + 7)] then bad(key, 'waits') end\n"
    "end\n"
    "for _, key in ipairs(call('KEYS', P .. 'job:*')) do\n"
    "    local id = string.sub(key, #P + 5)\n"
    "    local f = call('HMGET', key, 'state', 'kind', 'class', 'tenant',\n"
    "        'labels', 'group', 'epoch', 'pipeline', 'parent')\n"
    "    local state, at = f[1]\n"
    "    local lane = (f[3] or '') .. ':' .. (f[4] or '') .. ':' ..\n"
    "        (f[5] or '')\n"
    "    count = count + 1\n"
    "    if state == 'ready' then\n"
    "        at = call('ZSCORE', P .. 'ready:' .. lane, id) and lanes[lane]\n"
    "    elseif state == 'delayed' then\n"
    "        at = call('ZSCORE', P .. 'delayed', id)\n"
    "    elseif state == 'blocked' then\n"
    "        at = held[f[6]] and call('ZSCORE', P .. 'group:' .. f[6], id)\n"
    "    elseif state == 'running' and f[2] == 'run' then\n"
    "        at = call('ZSCORE', P .. 'runs', id)\n"
    "    elseif state == 'running' then\n"
    "        at = call('ZSCORE', P .. 'slots', id .. ':' .. f[7] .. ':' ..\n"
    "            f[4] .. ':' .. f[8])\n"
    "    else\n"
    "        at = (call('ZSCORE', P .. 'done', id) or\n"
    "            call('ZSCORE', P .. 'dead', id)) and\n"
    "            (call('PTTL', key) > 0 or f[9] and\n"
    "             call('HGET', P .. 'job:' .. f[9], 'state') == 'running')\n"
    "    end\n"
    "    if not at then bad('job', id, 'is lost; it is', tostring(state)) end\n"
    "    if f[6] and (state == 'running' or state == 'ready') and\n"
    "        held[f[6]] ~= id then\n"
    "        bad('job', id, 'has not its group')\n"
    "    end\n"
    "end\n"
    "table.insert(out, 1, count)\n"
    "return out\n";

static void look(struct walk *w, unsigned step)
{
    redisReply *reply =
        redis(w->pool, "EVAL", check, "1", w->pool->queue->prefix, NULL);

    if (reply->elements > 1)
        fail_msg("step %u: %s", step, queue_reply_str(reply, 1));
    if (reply->element[0]->integer + w->forgotten != w->created)
        fail_msg("step %u: %lld jobs, %ld forgotten, of %ld", step,
                 reply->element[0]->integer, w->forgotten, w->created);
    freeReplyObject(reply);
    expect_sound(w->pool);
    assert_true(redis_num(w->pool, "ZCARD", "%slots") <= MAX_RUNNING);
}

/* ---- steps -----------------------------------------------------------------
 */

/* Most are there; what a run has for its jobs is refused. */
static void submit_again(struct walk *w, struct queue_job *job)
{
    struct queue_answer answer;
    struct err err;

    job->id = some_id(w);
    job->payload = "{}";
    if (queue_submit(w->pool->queue, job, 1, &answer, &err) == 0)
        w->created += answer.what == QUEUE_QUEUED;
    else if (err.kind != ERR_USER || !strchr(job->id, '-'))
        fail_msg("submit %s: %s", job->id, err.msg);
}

static void some_submit(struct walk *w)
{
    struct strv labels = {NULL, 0};
    struct concurrency group = {.group = NULL};
    char id[32];
    struct queue_job job = {
        .priority = (enum job_priority)below(w, 4),
        .tenant = tenants[below(w, 4)],
        .pipeline = pipelines[below(w, 3)],
        .infra_retries = (int)below(w, 4) - 1,
        .job_retries = below(w, 3),
        .labels = &labels,
        .run_jobs = chance(w, 8) ? CHILDREN : 0,
        .report = chance(w, 30) ? "{}" : NULL,
    };

    if (chance(w, 20) && w->submitted) {
        submit_again(w, &job);
        return;
    }
    (void)snprintf(id, sizeof(id), "j%u", w->submitted++);
    if (chance(w, 20))
        strv_add(&labels, chance(w, 50) ? "a" : "b");
    if (chance(w, 30)) {
        group = (struct concurrency){.group = group_names[below(w, 3)],
                                     .cancel_in_progress = chance(w, 20),
                                     .queue = below(w, 3)};
        job.concurrency = &group;
    }
    if (chance(w, 20))
        job.not_before_ms = now_ms(w->pool) + below(w, 50);
    if (chance(w, 10))
        job.expires_at_ms = now_ms(w->pool) + below(w, 100);
    if (chance(w, 10)) {
        job.dedupe_key = tenants[below(w, 4)];
        job.dedupe_ms = 20;
    }
    if (submit(w->pool, id, &job) == QUEUE_QUEUED)
        w->created++;
    strv_clear(&labels);
}

static struct held *free_place(struct walk *w, unsigned worker)
{
    for (unsigned i = 0; i < HELD; i++)
        if (!w->held[worker][i].taken)
            return &w->held[worker][i];
    return NULL;
}

static void keep(struct walk *w, struct held *place, const struct given *given)
{
    if (!*given->id)
        return;
    place->taken = true;
    place->given = *given;
    (void)snprintf(place->result, sizeof(place->result), "{\"r\":%ld}",
                   w->results++);
}

static void some_lease(struct walk *w)
{
    unsigned worker = below(w, WORKERS);
    struct held *place = free_place(w, worker);
    const char *labels = worker_labels[worker % 4];
    struct given given;

    if (!place)
        return;
    given = take_as(w->pool, "w", labels, chance(w, 50) ? "1000" : "0");
    keep(w, place, &given);
    if (place->taken && chance(w, 20)) {
        redisReply *reply = script(w->pool, SCRIPT_LEASE, WISH(labels, "0"),
                                   given.nonce, "1", NULL);

        assert_string_equal(queue_reply_str(reply, 0), given.id);
        assert_string_equal(queue_reply_str(reply, 1), given.epoch);
        freeReplyObject(reply);
        w->again++;
    }
}

static struct held *some_held(struct walk *w)
{
    struct held *held = &w->held[below(w, WORKERS)][below(w, HELD)];

    return held->taken ? held : NULL;
}

static void some_renew(struct walk *w)
{
    struct held *held = some_held(w);
    redisReply *reply;

    if (!held)
        return;
    reply = script(w->pool, SCRIPT_RENEW, "w", LEASE_MS, "1", "labels", ",a,",
                   held->given.id, held->given.epoch, held->given.nonce, NULL);
    assert_string_not_equal(queue_reply_str(reply, 1), "lost");
    freeReplyObject(reply);
}

/* Complete it; with a wish the next job takes its place. */
static void finish(struct walk *w, struct held *held, const char *how,
                   const char *infra, bool wish)
{
    static unsigned number;
    struct given next = {.word = ""};
    struct given old = held->given;
    redisReply *reply;

    (void)snprintf(next.nonce, sizeof(next.nonce), "f%u", number++);
    reply =
        script(w->pool, SCRIPT_COMPLETE,
               WISH(worker_labels[(size_t)(held - w->held[0]) / HELD % 4], "0"),
               old.id, old.epoch, old.nonce, how,
               strcmp(how, "passed") == 0 ? "" : "step_failed", held->result,
               infra, "0.5", wish ? next.nonce : "", "0", NULL);
    assert_string_equal(queue_reply_str(reply, 0), "ok");
    expect(w->pool, old.id, "result", held->result);
    w->finished++;
    held->taken = false;
    if (wish) {
        read_given(reply, 1, &next);
        keep(w, held, &next);
    }
    freeReplyObject(reply);
    if (chance(w, 20) && (!wish || strcmp(next.id, old.id) != 0)) {
        /* A repeat says the same, and changes nothing. */
        reply =
            script(w->pool, SCRIPT_COMPLETE, WISH("", "0"), old.id, old.epoch,
                   old.nonce, "passed", "", "other", "0", "0.5", "", "0", NULL);
        assert_string_equal(queue_reply_str(reply, 0), "ok");
        freeReplyObject(reply);
        assert_string_not_equal(field_of(w->pool, old.id, "result"), "other");
    }
}

static void some_finish(struct walk *w)
{
    static const char *const ends[] = {"passed", "passed", "failed",
                                       "cancelled"};
    struct held *held = some_held(w);

    if (held)
        finish(w, held, ends[below(w, 4)], chance(w, 50) ? "1" : "0",
               chance(w, 60));
}

/* A worker dies, is reaped, and comes back as a zombie. */
static void some_death(struct walk *w)
{
    struct held *held = some_held(w);
    char slot[160], pipeline[32];

    if (!held)
        return;
    (void)snprintf(pipeline, sizeof(pipeline), "%s",
                   field_of(w->pool, held->given.id, "pipeline"));
    (void)snprintf(slot, sizeof(slot), "%s:%s:%s:%s", held->given.id,
                   held->given.epoch,
                   field_of(w->pool, held->given.id, "tenant"), pipeline);
    assert_int_equal(
        redis_num(w->pool, "ZADD", "%slots", "XX", "CH", "1", slot), 1);
    (void)redis_num(w->pool, "HSET", "%conf", "reaped_at_ms", "9999999999999",
                    "reap_from_ms", "0");
    freeReplyObject(script(w->pool, SCRIPT_REAP, "400", "1000", "0.5", NULL));
    held->taken = false;
    w->zombies[w->zombie_count++ % ZOMBIES] = held->given;
}

static void some_zombie(struct walk *w)
{
    unsigned count = w->zombie_count < ZOMBIES ? w->zombie_count : ZOMBIES;

    if (!count)
        return;
    assert_string_equal(
        end(w->pool, &w->zombies[below(w, count)], "passed", "", "0"), "lost");
    w->lost++;
}

static void some_clock(struct walk *w)
{
    freeReplyObject(script(w->pool, SCRIPT_PROMOTE, chance(w, 50) ? "20" : "0",
                           "0.3", NULL));
    if (chance(w, 20))
        (void)word_of(w->pool, SCRIPT_WATCH, "s1", "1000");
    if (chance(w, 10))
        w->forgotten += strtol(word_of(w->pool, SCRIPT_TRIM, "150"), NULL, 10);
}

static void some_configure(struct walk *w)
{
    configure(w->pool, "max_instances", "9", "backoff_ms", "20", "keep_ms",
              "60000000", chance(w, 70) ? "capped" : "x", "1", "tcap:t0", "1",
              "tcap:*", chance(w, 50) ? "3" : "2", "pcap:deploy", "1",
              "weighted", "1", "weight:t1", "3", NULL);
}

/* ---- runs ------------------------------------------------------------------
 */

/* What a scheduler decides: the children one after the other. */
static void decide(struct walk *w, const char *id)
{
    CLEANUP(queue_args) struct queue_args args = QUEUE_ARGS;
    CLEANUP(mem) char *run_key = xasprintf("%%run:%s", id);
    redisReply *reply =
        redis(w->pool, "HMGET", run_key, "rev", "0", "1", "2", NULL);
    const char *rev = queue_reply_str(reply, 0);
    bool ending = *field_of(w->pool, id, "cancel") != '\0';
    bool active = false;
    char child[48], index[8];
    size_t next = 0;

    while (next < CHILDREN && queue_reply_str(reply, next + 1)) {
        active |= strcmp(queue_reply_str(reply, next + 1), "active") == 0;
        next++;
    }
    queue_args_str(&args, id);
    queue_args_str(&args, rev ? rev : "0");
    queue_args_str(&args, "1");
    queue_args_str(&args, "0");
    queue_args_str(&args, "0");
    ending = ending || next == CHILDREN;
    queue_args_str(&args, ending && !active ? "passed" : "");
    queue_args_str(&args, "");
    queue_args_str(&args, "{}");
    (void)snprintf(child, sizeof(child), "%s-%zu", id, next + 1);
    (void)snprintf(index, sizeof(index), "%zu", next);
    if (!ending && (!active || next < 2)) {
        CLEANUP(mem) char *key = xasprintf("%%job:%s", child);

        w->created += redis_num(w->pool, "EXISTS", key) == 0;
        queue_args_str(&args, index);
        job_args_add(&args, JOB(.id = child, .payload = "{}", .tenant = "t1"));
    }
    assert_string_equal(first_word(run(w->pool, SCRIPT_ADVANCE, &args)), "ok");
    freeReplyObject(reply);
}

static void some_decision(struct walk *w)
{
    redisReply *reply = redis(w->pool, "ZRANDMEMBER", "%dirty", "1", NULL);
    const char *id = queue_reply_str(reply, 0);

    if (id)
        decide(w, id);
    freeReplyObject(reply);
}

/* ---- the walk ---------------------------------------------------------------
 */

static void some_step(struct walk *w)
{
    unsigned n = below(w, 100);

    if (n < 24)
        some_submit(w);
    else if (n < 50)
        some_lease(w);
    else if (n < 72)
        some_finish(w);
    else if (n < 76)
        some_renew(w);
    else if (n < 79)
        some_death(w);
    else if (n < 81)
        some_zombie(w);
    else if (n < 86)
        (void)word_of(w->pool, SCRIPT_CANCEL, some_id(w), "cancelled");
    else if (n < 88)
        (void)word_of(w->pool, SCRIPT_RETRY, some_id(w));
    else if (n < 93)
        some_clock(w);
    else if (n < 99)
        some_decision(w);
    else
        some_configure(w);
}

/* Until nothing is left that waits or runs. */
static void finish_all(struct walk *w)
{
    struct pool *p = w->pool;

    for (int round = 0; round < 5000; round++) {
        bool idle = true;

        /* First: what they make ready is taken in the same round. */
        some_decision(w);
        some_clock(w);
        for (unsigned i = 0; i < WORKERS; i++) {
            for (unsigned k = 0; k < HELD; k++)
                if (w->held[i][k].taken) {
                    finish(w, &w->held[i][k], "passed", "0", true);
                    idle = false;
                }
            if (free_place(w, i)) {
                struct given given = take_as(p, "w", worker_labels[i % 4], "0");

                keep(w, free_place(w, i), &given);
                idle = idle && !*given.id;
            }
        }
        if (idle && !redis_num(p, "EXISTS", "%delayed", "%runs", "%slots"))
            return;
    }
    fail_msg("something never ends: %lld delayed, %lld runs, %lld slots",
             redis_num(p, "ZCARD", "%delayed"), redis_num(p, "ZCARD", "%runs"),
             redis_num(p, "ZCARD", "%slots"));
}

static void test_walk(void **state)
{
    const char *seed = getenv("BERTH_WALK_SEED");
    const char *steps = getenv("BERTH_WALK_STEPS");
    unsigned count = steps ? (unsigned)atoi(steps) : 20000;
    static struct walk walk;
    struct walk *w = &walk;

    walk = (struct walk){.pool = *state, .random = 88172645463325252};
    if (seed)
        w->random ^= strtoull(seed, NULL, 10) << 20;
    some_configure(w);
    for (unsigned i = 1; i <= count; i++) {
        some_step(w);
        if (i % 250 == 0)
            look(w, i);
    }
    finish_all(w);
    look(w, count);
    print_message("%ld jobs, %u attempts, %u zombies, %u repeats\n", w->created,
                  w->finished, w->lost, w->again);
    assert_true(w->lost > 0 && w->again > 0);
    assert_true(w->finished > count / 20);
    assert_int_equal(redis_num(w->pool, "EXISTS", "%groups", "%labels", "%act:",
                               "%parked", "%deadlines", "%dirty", "%delayed"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {POOL_TEST(test_walk)};

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
