/* tests/unit/scheduler/daemon/credentials_test.c - tokens, from ask to open. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/daemon/credentials.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/seal.h"
#include "scheduler/daemon/enrolled.h"
#include "scheduler/queue/credential.h"
#include "tests/unit/scheduler/queue/pool.h"
#include "worker/supervisor/credential.h"
#include "worker/supervisor/secrets.h"

#define TOKEN   "ghs_abcdefghijklmnopqrstuvwxyz0123456789"
#define ADDRESS "https://git.example/acme/app.git"

/* ---- a host that answers what the test says --------------------------------
 */

struct forge_call {
    forge_answer_fn *fn;
    void *arg;
};

struct forge {
    struct loop *loop;
    enum forge_error error;
    const char *password;
    bool silent;    /* it never answers */
    unsigned asked; /* tokens */
    char repo[128];
    json_int_t installation;
    struct forge_call call;
    struct loop_source *timer;
};

enum forge_kind forge_kind_of(const struct forge *forge UNUSED)
{
    return FORGE_GITHUB;
}

const char *forge_base_url(const struct forge *forge UNUSED)
{
    return "https://git.example";
}

static void on_forge(void *arg)
{
    struct forge *forge = arg;
    struct forge_answer answer = {.error = forge->error, .message = "no"};
    json_t *body = json_pack("{s:s, s:s}", "username", "x-access-token",
                             "password", forge->password);

    forge->timer = NULL;
    if (answer.error == FORGE_OK)
        answer.body = body;
    forge->call.fn(forge->call.arg, &answer);
    json_decref(body);
}

void forge_ask(struct forge *forge, const char *op, json_t *body,
               forge_answer_fn *fn, void *arg, struct forge_call **out_call)
{
    assert_string_equal(op, "token");
    forge->asked++;
    (void)snprintf(forge->repo, sizeof(forge->repo), "%s",
                   json_string_value(json_object_get(body, "repo")));
    forge->installation =
        json_integer_value(json_object_get(body, "installation"));
    json_decref(body);
    forge->call = (struct forge_call){fn, arg};
    if (!forge->silent)
        forge->timer = loop_add_timer(forge->loop, 0, on_forge, forge);
    *out_call = &forge->call;
}

void forge_call_cancel(struct forge_call *call UNUSED)
{
}

/* ---- a scheduler and a worker -----------------------------------------------
 */

struct world {
    struct pool *p;
    struct forge forge;
    struct forge *forges[1];
    struct outage outage;
    struct seal_key key;
    struct strv workers;
    struct credentials *credentials;
    struct lease *lease;
    struct credential *asking;
    bool over;
    json_t *found;
    char note[200];
};

static void on_lease(void *arg, struct lease *lease, const struct err *err)
{
    struct world *w = arg;

    assert_null(err);
    assert_non_null(lease);
    w->lease = lease;
}

static void step(struct world *w)
{
    assert_int_equal(loop_step(w->p->loop, 1000, NULL), 0);
}

static void enrol(struct world *w, const char *name)
{
    char text[SEAL_TEXT_SIZE];

    seal_key_text(w->key.public_key, text);
    strv_clear(&w->workers);
    strv_addf(&w->workers, "%s=%s", name, text);
    if (w->credentials)
        credentials_set_workers(w->credentials, &w->workers);
}

static void start_scheduler(struct world *w)
{
    const struct credentials_options options = {.loop = w->p->loop,
                                                .queue = w->p->queue,
                                                .outage = &w->outage,
                                                .forges = w->forges,
                                                .forge_count = 1,
                                                .workers = &w->workers};

    (void)word_of(w->p, SCRIPT_WATCH, "s1", "1000");
    w->credentials = credentials_new(&options);
}

static void lease_job(struct world *w, const char *repo, const char *report)
{
    CLEANUP(mem)
    char *payload = xasprintf("{\"repo\":\"%s\",\"pipeline\":{}}", repo);
    const struct lease_wish wish = {.worker = "w1", .labels = ""};

    (void)submit(w->p, "j1", JOB(.payload = payload, .report = report));
    queue_lease(w->p->queue, &wish, on_lease, w);
    while (!w->lease)
        step(w);
}

static int world_setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    void *p = NULL;

    assert_int_equal(pool_setup(&p), 0);
    w->p = p;
    w->p->queue->options.lease_ms = 600000;
    w->forges[0] = &w->forge;
    w->forge.loop = w->p->loop;
    w->forge.password = TOKEN;
    assert_int_equal(seal_key_new(&w->key, NULL), 0);
    enrol(w, "w1");
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    void *p = w->p;

    credential_free(w->asking);
    lease_free(w->lease);
    secrets_free(w->found);
    loop_remove(w->forge.timer);
    /* As a daemon does it. */
    queue_free(STEAL(w->p->queue));
    credentials_free(w->credentials);
    strv_clear(&w->workers);
    free(w);
    return pool_teardown(&p);
}

static void on_credential(void *arg, json_t *credential, const char *note)
{
    struct world *w = arg;

    w->over = true;
    w->found = credential;
    (void)snprintf(w->note, sizeof(w->note), "%s", note);
}

static void get(struct world *w, int64_t wait_ms)
{
    const struct credential_spec spec = {.loop = w->p->loop,
                                         .queue = w->p->queue,
                                         .lease = w->lease,
                                         .worker = "w1",
                                         .key = &w->key,
                                         .wait_ms = wait_ms};

    secrets_free(STEAL(w->found));
    w->over = false;
    credential_get(&spec, on_credential, w, &w->asking);
    while (!w->over)
        step(w);
    assert_null(w->asking);
}

static void expect_none(struct world *w, const char *note)
{
    get(w, 1000);
    /* At most that it has to come with another attempt. */
    assert_null(json_object_get(w->found, "password"));
    if (!strstr(w->note, note))
        fail_msg("'%s' is not '%s'", w->note, note);
}

/* ---- tests
 * ------------------------------------------------------------------- */

static void test_granted(void **state)
{
    struct world *w = *state;

    lease_job(w, ADDRESS,
              "{\"forge\":\"github\",\"repo\":\"acme/app\","
              "\"installation\":7}");
    start_scheduler(w);
    get(w, 10000);
    assert_non_null(w->found);
    assert_string_equal(
        json_string_value(json_object_get(w->found, "password")), TOKEN);
    assert_string_equal(
        json_string_value(json_object_get(w->found, "username")),
        "x-access-token");
    assert_string_equal(json_string_value(json_object_get(w->found, "whose")),
                        CREDENTIAL_WHOSE);
    assert_string_equal(w->note, "");
    assert_string_equal(w->forge.repo, "acme/app");
    assert_int_equal(w->forge.installation, 7);
    /* Nothing stays. */
    assert_int_equal(redis_num(w->p, "EXISTS", "%answer:j1:1"), 0);
    assert_int_equal(redis_num(w->p, "EXISTS", "%asks"), 0);
}

/* The installation of another repository is not asked for this one. */
static void test_other_report(void **state)
{
    struct world *w = *state;

    lease_job(w, "https://GIT.example/acme/app",
              "{\"forge\":\"github\",\"repo\":\"acme/other\","
              "\"installation\":7}");
    start_scheduler(w);
    get(w, 10000);
    assert_non_null(w->found);
    assert_string_equal(w->forge.repo, "acme/app");
    assert_int_equal(w->forge.installation, 0);
}

static void test_not_enrolled(void **state)
{
    struct world *w = *state;

    enrol(w, "w10");
    lease_job(w, ADDRESS, NULL);
    start_scheduler(w);
    expect_none(w, "not enrolled");
    enrol(w, "w");
    expect_none(w, "not enrolled");
    assert_int_equal(w->forge.asked, 0);
    enrol(w, "w1"); /* the configuration was read again */
    get(w, 10000);
    assert_non_null(w->found);
}

static void test_hosts(void **state)
{
    struct world *w = *state;
    static const char *const others[] = {
        "https://git.example.evil/acme/app", "https://git.exampleX/acme/app",
        "http://git.example/acme/app",       "https://git.example/acme",
        "https://git.example/acme/app/x",    "https://git.example/../acme/app",
        "https://git.example:444/acme/app",  "https://x@git.example/acme/app",
        "https://git.example/acme/app?x=y",
    };

    start_scheduler(w);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        lease_job(w, others[i], NULL);
        expect_none(w, "no host that the scheduler knows");
        lease_free(STEAL(w->lease));
        (void)redis_num(w->p, "DEL", "%job:j1");
    }
    assert_int_equal(w->forge.asked, 0);
}

static void test_hosts_words(void **state)
{
    struct world *w = *state;

    lease_job(w, ADDRESS, NULL);
    start_scheduler(w);
    w->forge.password = "";
    expect_none(w, "no token for this host");
    w->forge.error = FORGE_REFUSED;
    expect_none(w, "the host refuses");
    w->forge.error = FORGE_AWAY;
    expect_none(w, "does not answer");
    /* Of one lease no more than three. */
    w->forge.error = FORGE_OK;
    expect_none(w, "no scheduler answered");
    assert_int_equal(w->forge.asked, 3);
}

static void test_nobody(void **state)
{
    struct world *w = *state;

    lease_job(w, ADDRESS, NULL);
    expect_none(w, "no scheduler is there");
    (void)word_of(w->p, SCRIPT_WATCH, "s1", "1000");
    expect_none(w, "no scheduler answered");
    w->forge.silent = true;
    start_scheduler(w);
    expect_none(w, "no scheduler answered");
    expect_none(w, "no scheduler answered");
    assert_int_equal(w->forge.asked, 1); /* it is still at work on that */
}

/* What was sealed for another key, lease or repository is of no use. */
static void test_wrong_key(void **state)
{
    struct world *w = *state;
    struct seal_key enrolled = w->key;

    lease_job(w, ADDRESS, NULL);
    start_scheduler(w);
    assert_int_equal(seal_key_new(&w->key, NULL), 0);
    expect_none(w, "cannot be opened");
    w->key = enrolled;
    (void)redis_num(w->p, "HSET", "%job:j1", "payload",
                    "{\"repo\":\"https://git.example/acme/secret\"}");
    expect_none(w, "cannot be opened");
    assert_string_equal(w->forge.repo, "acme/secret");
}

static void test_nonsense(void **state)
{
    struct world *w = *state;
    static const char *const answers[] = {
        "", "+", "-", "+AA", "-xxxxxxx", "+AAAA", "=", "+AA==", "xyz"};

    lease_job(w, ADDRESS, NULL);
    (void)word_of(w->p, SCRIPT_WATCH, "s1", "1000");
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        (void)redis_num(w->p, "RPUSH", "%answer:j1:1", answers[i]);
        get(w, 5000);
        assert_null(w->found);
        assert_true(*w->note);
    }
}

/* Asks that somebody else put there: nothing is made for them. */
static void test_forged_asks(void **state)
{
    struct world *w = *state;
    CLEANUP(mem) char *now = xasprintf("%" PRId64, now_ms(w->p));
    const char *nonce;
    CLEANUP(strv) struct strv asks = {0};

    lease_job(w, ADDRESS, NULL);
    nonce = lease_nonce(w->lease);
    strv_addf(&asks, "%s j1 1 %s w2", now, nonce); /* another worker */
    strv_addf(&asks, "%s j1 2 %s w1", now, nonce); /* epoch */
    strv_addf(&asks, "%s j1 1 %c%s w1", now, *nonce == '0' ? '1' : '0',
              nonce + 1);
    strv_addf(&asks, "%s j1 1 %.31s w1", now, nonce);
    strv_addf(&asks, "%s j2 1 %s w1", now, nonce); /* job */
    strv_addf(&asks, "1000 j1 1 %s w1", nonce);    /* long ago */
    strv_addf(&asks, "99999999999999 j1 1 %s w1", nonce);
    strv_addf(&asks, "%s j1 1 %s w1 more", now, nonce);
    strv_addf(&asks, "%s j1:x 1 %s w1", now, nonce);
    strv_add(&asks, "");
    strv_add(&asks, "     ");
    for (size_t i = 0; i < asks.count; i++)
        (void)redis_num(w->p, "RPUSH", "%asks", asks.items[i]);
    start_scheduler(w);
    while (redis_num(w->p, "EXISTS", "%asks"))
        step(w);
    expect(w->p, "j1", "asked", "");
    /* When the lease's own is answered, the others have been dealt with. */
    get(w, 10000);
    assert_non_null(w->found);
    assert_int_equal(w->forge.asked, 1);
}

/* The same ask again when the job has ended. */
static void test_replay(void **state)
{
    struct world *w = *state;
    CLEANUP(mem) char *ask = NULL;
    struct given given = {.epoch = "1"};

    lease_job(w, ADDRESS, NULL);
    (void)snprintf(given.id, sizeof(given.id), "j1");
    (void)snprintf(given.nonce, sizeof(given.nonce), "%s",
                   lease_nonce(w->lease));
    pass(w->p, &given);
    ask = xasprintf("%" PRId64 " j1 1 %s w1", now_ms(w->p), given.nonce);
    start_scheduler(w);
    (void)redis_num(w->p, "RPUSH", "%asks", ask);
    while (redis_num(w->p, "EXISTS", "%asks"))
        step(w);
    expect_none(w, "the lease is lost");
    assert_int_equal(w->forge.asked, 0);
    assert_string_equal(
        word_of(w->p, SCRIPT_ANSWER, "w1", "j1", "1", given.nonce, "+x", "99"),
        "0");
}

static void test_bounds(void **state)
{
    struct world *w = *state;

    lease_job(w, ADDRESS, NULL);
    (void)word_of(w->p, SCRIPT_WATCH, "s1", "1000");
    assert_string_equal(
        word_of(w->p, SCRIPT_ASK, "w1", "j1", "1", lease_nonce(w->lease), "1"),
        "asked");
    assert_true(redis_num(w->p, "PTTL", "%asks") > 50000);
    assert_string_equal(
        word_of(w->p, SCRIPT_ASK, "w1", "j1", "1", lease_nonce(w->lease), "1"),
        "full");
    assert_string_equal(
        word_of(w->p, SCRIPT_ASK, "w2", "j1", "1", lease_nonce(w->lease), "1"),
        "lost");
    assert_string_equal(word_of(w->p, SCRIPT_ANSWER, "w1", "j1", "1",
                                lease_nonce(w->lease), "-token", "20000"),
                        "1");
    assert_true(redis_num(w->p, "PTTL", "%answer:j1:1") <= 20000);
    assert_int_equal(redis_num(w->p, "LLEN", "%answer:j1:1"), 1);
}

/* What a worker has itself comes first, and nobody is asked. */
static void test_local(void **state)
{
    struct world *w = *state;
    struct strv items = {NULL, 0};
    struct checkout_credentials *local;
    struct credential_spec spec = {.loop = w->p->loop,
                                   .queue = w->p->queue,
                                   .worker = "w1",
                                   .key = &w->key};

    assert_int_equal(setenv("TEST_TOKEN", "me:read-only", 1), 0);
    strv_add(&items, "git.example/acme/*=env:TEST_TOKEN");
    strv_add(&items, "git.example/**=file:/nonexistent");
    local = checkout_credentials_new(&items);
    assert_null(getenv("TEST_TOKEN"));
    lease_job(w, ADDRESS, NULL);
    spec.lease = w->lease;
    spec.local = local;
    credential_get(&spec, on_credential, w, &w->asking);
    assert_true(w->over);
    assert_null(w->asking);
    assert_string_equal(
        json_string_value(json_object_get(w->found, "password")), "read-only");
    assert_string_equal(
        json_string_value(json_object_get(w->found, "username")), "me");
    assert_null(json_object_get(w->found, "whose"));
    checkout_credentials_free(local);
    strv_clear(&items);
}

static void test_enrolled(void **state UNUSED)
{
    static const char *const wrong[] = {
        "",
        "=",
        "w1",
        "w1=",
        "=3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=",
        "w1=3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK0"};

    assert_int_equal(
        enrolled_check("w1=3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=", NULL),
        0);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_int_equal(enrolled_check(wrong[i], NULL), -1);
}

#define WORLD_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_granted),        WORLD_TEST(test_other_report),
        WORLD_TEST(test_not_enrolled),   WORLD_TEST(test_hosts),
        WORLD_TEST(test_hosts_words),    WORLD_TEST(test_nobody),
        WORLD_TEST(test_wrong_key),      WORLD_TEST(test_nonsense),
        WORLD_TEST(test_forged_asks),    WORLD_TEST(test_replay),
        WORLD_TEST(test_bounds),         WORLD_TEST(test_local),
        cmocka_unit_test(test_enrolled),
    };

    return cmocka_run_group_tests(tests, server_setup, server_teardown);
}
