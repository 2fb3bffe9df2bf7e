/* tests/unit/scheduler/forge/client_test.c - asking a Git host from a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
/* timeout 60 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/frame.h"
#include "base/loop.h"
#include "scheduler/forge/client.h"
#include "scheduler/forge/protocol.h"
#include "tests/lib/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the other side: this program, when it is called `forge` -------------
 */

static void put(uint8_t type, uint32_t id, const char *text, size_t len)
{
    uint8_t header[FRAME_HEADER_SIZE];

    frame_put_header(header, type, id, (uint32_t)len);
    if (fd_write_all(3, header, sizeof(header), NULL) < 0 ||
        fd_write_all(3, text, len, NULL) < 0)
        exit(3);
}

static void put_document(uint32_t id, const char *text)
{
    size_t len = strlen(text);

    for (; len > 100000; text += 100000, len -= 100000)
        put(FORGE_FRAME_PART, id, text, 100000);
    put(FORGE_FRAME_ANSWER, id, text, len);
}

/* A token that is nowhere in memory until somebody is told it. */
#define SECRET_LEN  200
#define SECRET_TAIL 40 /* ASan writes over the beginning of what is freed */

static char secret_at(size_t i)
{
    return (char)('a' + ((uint32_t)i * 0x9E3779B1u >> 16) % 26);
}

static void fake_answer(uint32_t id, const char *ask)
{
    CLEANUP(mem) char *echo = NULL;

    if (strstr(ask, "\"do\":\"die\""))
        (void)raise(SIGKILL);
    if (strstr(ask, "\"do\":\"exit\""))
        exit(7);
    if (strstr(ask, "\"do\":\"hang\""))
        return;
    if (strstr(ask, "\"do\":\"secret\"")) {
        CLEANUP(mem) char *token = xcalloc(SECRET_LEN + 1, 1);

        for (size_t i = 0; i < SECRET_LEN; i++)
            token[i] = secret_at(i);
        echo = xasprintf("{\"password\":\"%s\"}", token);
        put_document(id, echo);
    } else if (strstr(ask, "\"do\":\"garbage\""))
        put_document(id, "[");
    else if (strstr(ask, "\"do\":\"refuse\""))
        put_document(id, "{\"error\":\"refused\",\"message\":\"no\","
                         "\"status\":404,\"after_ms\":0}");
    else if (strstr(ask, "\"do\":\"pause\""))
        put_document(id, "{\"error\":\"paused\",\"message\":\"slowly\","
                         "\"status\":429,\"after_ms\":60000}");
    else {
        echo = xasprintf("{\"pid\":%d,\"ask\":%s}", (int)getpid(), ask);
        put_document(id, echo);
    }
}

static int fake_main(void)
{
    struct strbuf in = STRBUF_INIT, document = STRBUF_INIT;
    static char chunk[65536];
    struct frame frame;
    ssize_t n;
    int64_t used;

    while ((n = read(3, chunk, sizeof(chunk))) > 0) {
        strbuf_add(&in, chunk, (size_t)n);
        while ((used = frame_parse(in.data, in.len, &frame)) > 0) {
            strbuf_add(&document, frame.data, frame.len);
            if (frame.type == FORGE_FRAME_SETUP &&
                strstr(document.data, "host/broken"))
                exit(1);
            if (frame.type == FORGE_FRAME_ASK)
                fake_answer(frame.id, document.data);
            if (frame.type != FORGE_FRAME_MORE)
                strbuf_cut(&document, 0);
            strbuf_consume(&in, (size_t)used);
        }
    }
    strbuf_clear(&in);
    strbuf_clear(&document);
    return 0;
}

/* ---- ours ---------------------------------------------------------------- */

struct seen {
    int calls;
    enum forge_error error;
    int status;
    int64_t after_ms;
    int pid;
    char message[256];
    json_t *ask;        /* owned */
    struct forge *free; /* in the callback; NULL: no */
};

struct rig {
    struct loop *loop;
    struct forge *forge;
};

static char libexec[256];

static struct forge_options options_of(struct loop *loop, const char *url)
{
    return (struct forge_options){
        .loop = loop, .kind = FORGE_GITEA, .base_url = url, .token = "t0ken"};
}

static void start(struct rig *rig, const char *url)
{
    struct forge_options options;
    struct err err = {0};

    assert_int_equal(loop_new(&rig->loop, &err), 0);
    options = options_of(rig->loop, url);
    assert_int_equal(forge_new(&options, &rig->forge, &err), 0);
}

static void stop(struct rig *rig)
{
    forge_free(rig->forge);
    loop_free(rig->loop);
}

static void on_answer(void *arg, const struct forge_answer *answer)
{
    struct seen *seen = arg;

    seen->calls++;
    seen->error = answer->error;
    seen->status = answer->status;
    seen->after_ms = answer->after_ms;
    (void)snprintf(seen->message, sizeof(seen->message), "%s", answer->message);
    assert_true((answer->error == FORGE_OK) == (answer->body != NULL));
    seen->pid = (int)json_integer_value(json_object_get(answer->body, "pid"));
    json_decref(seen->ask);
    seen->ask = json_incref(json_object_get(answer->body, "ask"));
    if (seen->free)
        forge_free(STEAL(seen->free));
}

static void ask(struct rig *rig, const char *op, const char *what,
                struct seen *seen, struct forge_call **out_call)
{
    *seen = (struct seen){0};
    forge_ask(rig->forge, op, json_pack("{s:s}", "do", what), on_answer, seen,
              out_call);
    assert_int_equal(seen->calls, 0);
}

static void wait_for(struct rig *rig, const struct seen *seen)
{
    int64_t end = clock_mono_ms() + 30000;

    while (!seen->calls && clock_mono_ms() < end)
        assert_int_equal(loop_step(rig->loop, 100, NULL), 0);
    assert_int_equal(seen->calls, 1);
}

static void turn(struct rig *rig, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;

    while (clock_mono_ms() < end)
        assert_int_equal(loop_step(rig->loop, 10, NULL), 0);
}

static void answers(void **state UNUSED)
{
    struct rig rig = {0};
    struct seen read, other, report, refused;

    start(&rig, "https://host");
    assert_int_equal(forge_kind_of(rig.forge), FORGE_GITEA);
    assert_string_equal(forge_base_url(rig.forge), "https://host");
    assert_true(forge_can_write(rig.forge));
    assert_false(forge_is_app(rig.forge));
    ask(&rig, FORGE_OP_CHANGE, "x", &read, NULL);
    ask(&rig, FORGE_OP_REPORT, "x", &report, NULL);
    ask(&rig, FORGE_OP_TOKEN, "x", &other, NULL);
    ask(&rig, FORGE_OP_PATHS, "refuse", &refused, NULL);
    wait_for(&rig, &read);
    wait_for(&rig, &other);
    wait_for(&rig, &report);
    wait_for(&rig, &refused);
    assert_int_equal(read.error, FORGE_OK);
    assert_int_equal(read.pid, other.pid);
    assert_true(report.pid && report.pid != read.pid);
    assert_string_equal(json_string_value(json_object_get(report.ask, "op")),
                        "report");
    assert_int_equal(refused.error, FORGE_REFUSED);
    assert_int_equal(refused.status, 404);
    assert_string_equal(refused.message, "no");
    json_decref(read.ask);
    json_decref(other.ask);
    json_decref(report.ask);
    stop(&rig);
    assert_int_equal(kill(read.pid, 0), -1);
    assert_int_equal(kill(report.pid, 0), -1);
}

/* A list that takes long keeps nobody waiting but for lists. */
static void lists_apart(void **state UNUSED)
{
    static const char *const lists[] = {FORGE_OP_OPEN_CHANGES, FORGE_OP_MISSED,
                                        FORGE_OP_PATHS};
    static const char *const others[] = {FORGE_OP_TOKEN, FORGE_OP_PERMISSION,
                                         FORGE_OP_CHANGE, FORGE_OP_REPORT};
    struct rig rig = {0};
    struct seen slow[ARRAY_LEN(lists)], seen;

    start(&rig, "https://host");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        ask(&rig, lists[i], "hang", &slow[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ask(&rig, others[i], "x", &seen, NULL);
        wait_for(&rig, &seen);
        assert_int_equal(seen.error, FORGE_OK);
        json_decref(seen.ask);
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        assert_int_equal(slow[i].calls, 0);
    stop(&rig);
}

__attribute__((no_sanitize("address"))) static size_t
count_secrets(const char *from, const char *to)
{
    size_t count = 0;

    for (; to - from >= SECRET_TAIL; from++) {
        size_t i = 0;

        while (i < SECRET_TAIL &&
               from[i] == secret_at(SECRET_LEN - SECRET_TAIL + i))
            i++;
        count += i == SECRET_TAIL;
    }
    return count;
}

/* In all that we can write to; ASan's own map of it is left out by its size. */
static size_t secrets_in_memory(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], rights[5];
    unsigned long from, to;
    size_t count = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 &&
            !strncmp(rights, "rw", 2) && to - from < (1UL << 28))
            count += count_secrets((const char *)from, (const char *)to);
    (void)fclose(maps);
    return count;
}

static void on_secret(void *arg, const struct forge_answer *answer)
{
    const char *got =
        json_string_value(json_object_get(answer->body, "password"));
    struct seen *seen = arg;

    seen->calls++;
    assert_non_null(got);
    assert_int_equal(count_secrets(got, got + SECRET_LEN), 1);
    assert_true(secrets_in_memory() > 0);
}

static void wipes_tokens(void **state UNUSED)
{
    struct rig rig = {0};
    struct seen seen = {0}, next;

    start(&rig, "https://host");
    forge_ask(rig.forge, FORGE_OP_TOKEN, json_pack("{s:s}", "do", "secret"),
              on_secret, &seen, NULL);
    wait_for(&rig, &seen);
    assert_int_equal(secrets_in_memory(), 0);
    ask(&rig, FORGE_OP_TOKEN, "x", &next, NULL);
    wait_for(&rig, &next);
    json_decref(next.ask);
    stop(&rig);
}

static void comes_back(void **state UNUSED)
{
    static const char *const ends[] = {"die", "exit", "garbage"};
    struct rig rig = {0};
    struct seen first, dead, next;

    start(&rig, "https://host");
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        ask(&rig, FORGE_OP_CHANGE, "x", &first, NULL);
        ask(&rig, FORGE_OP_CHANGE, ends[i], &dead, NULL);
        ask(&rig, FORGE_OP_CHANGE, "x", &next, NULL);
        wait_for(&rig, &first);
        wait_for(&rig, &dead);
        wait_for(&rig, &next);
        assert_int_equal(dead.error, FORGE_AWAY);
        assert_true(strlen(dead.message) > 0);
        assert_int_equal(next.error, FORGE_OK);
        assert_int_not_equal(next.pid, first.pid);
        json_decref(first.ask);
        json_decref(next.ask);
    }
    /* While it has nothing to do. */
    assert_int_equal(kill(next.pid, SIGKILL), 0);
    turn(&rig, 50);
    ask(&rig, FORGE_OP_CHANGE, "x", &first, NULL);
    wait_for(&rig, &first);
    assert_int_equal(first.error, FORGE_OK);
    json_decref(first.ask);
    stop(&rig);
}

/* Nobody waits for what does not come. */
static void never_begins(void **state UNUSED)
{
    struct rig rig = {0};
    struct seen seen[30];
    int64_t began;

    start(&rig, "https://host/broken");
    began = clock_mono_ms();
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        ask(&rig, FORGE_OP_CHANGE, "x", &seen[i], NULL);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        wait_for(&rig, &seen[i]);
        assert_int_equal(seen[i].error, FORGE_AWAY);
    }
    assert_in_range(clock_mono_ms() - began, 0, 10000);
    stop(&rig);
    assert_int_equal(setenv("BERTH_LIBEXEC", "/nonexistent", 1), 0);
    start(&rig, "https://host");
    ask(&rig, FORGE_OP_CHANGE, "x", &seen[0], NULL);
    ask(&rig, FORGE_OP_REPORT, "x", &seen[1], NULL);
    wait_for(&rig, &seen[0]);
    wait_for(&rig, &seen[1]);
    assert_int_equal(seen[0].error, FORGE_AWAY);
    assert_non_null(strstr(seen[1].message, "cannot be started"));
    stop(&rig);
    assert_int_equal(setenv("BERTH_LIBEXEC", libexec, 1), 0);
}

static void cancels(void **state UNUSED)
{
    struct forge_call *calls[3];
    struct rig rig = {0};
    struct seen seen[3], last;

    start(&rig, "https://host");
    for (int i = 0; i < 3; i++)
        ask(&rig, FORGE_OP_CHANGE, "x", &seen[i], &calls[i]);
    forge_call_cancel(calls[1]);
    turn(&rig, 1); /* the first is asked now, or was answered */
    if (!seen[0].calls)
        forge_call_cancel(calls[0]);
    wait_for(&rig, &seen[2]);
    assert_int_equal(seen[1].calls, 0);
    json_decref(seen[0].ask);
    json_decref(seen[2].ask);
    ask(&rig, FORGE_OP_CHANGE, "die", &seen[0], &calls[0]);
    turn(&rig, 0);
    assert_int_equal(loop_step(rig.loop, 0, NULL), 0);
    forge_call_cancel(calls[0]);
    ask(&rig, FORGE_OP_CHANGE, "x", &last, NULL);
    wait_for(&rig, &last);
    assert_int_equal(seen[0].calls, 0);
    json_decref(last.ask);
    forge_call_cancel(NULL);
    stop(&rig);
}

static void carries_much(void **state UNUSED)
{
    size_t len = (size_t)5 << 20;
    CLEANUP(mem) char *text = xmalloc(len + 1);
    struct rig rig = {0};
    struct seen seen = {0};

    memset(text, 'x', len);
    text[len] = '\0';
    start(&rig, "https://host");
    forge_ask(rig.forge, FORGE_OP_REPORT, json_pack("{s:s}", "text", text),
              on_answer, &seen, NULL);
    wait_for(&rig, &seen);
    assert_int_equal(seen.error, FORGE_OK);
    assert_int_equal(json_string_length(json_object_get(seen.ask, "text")),
                     len);
    json_decref(seen.ask);
    stop(&rig);
}

static void is_bounded(void **state UNUSED)
{
    enum { MANY = 1010 };
    struct seen *seen = xcalloc(MANY, sizeof(*seen));
    struct rig rig = {0};
    int away = 0;

    start(&rig, "https://host");
    for (size_t i = 0; i < MANY; i++)
        ask(&rig, FORGE_OP_CHANGE, "x", &seen[i], NULL);
    for (size_t i = 0; i < MANY; i++) {
        wait_for(&rig, &seen[i]);
        away += seen[i].error == FORGE_AWAY;
        json_decref(seen[i].ask);
    }
    assert_int_equal(away, MANY - 1000);
    free(seen);
    stop(&rig);
}

static void pauses(void **state UNUSED)
{
    struct rig rig = {0};
    struct seen first, waiting, later, report;

    start(&rig, "https://host");
    ask(&rig, FORGE_OP_CHANGE, "pause", &first, NULL);
    ask(&rig, FORGE_OP_CHANGE, "x", &waiting, NULL);
    wait_for(&rig, &first);
    wait_for(&rig, &waiting);
    ask(&rig, FORGE_OP_CHANGE, "x", &later, NULL);
    ask(&rig, FORGE_OP_REPORT, "x", &report, NULL);
    wait_for(&rig, &later);
    wait_for(&rig, &report);
    assert_int_equal(first.status, 429);
    assert_int_equal(first.after_ms, 60000);
    assert_int_equal(waiting.error, FORGE_PAUSED);
    assert_int_equal(later.error, FORGE_PAUSED);
    assert_int_equal(report.error, FORGE_PAUSED);
    assert_in_range(report.after_ms, 50000, 60000);
    stop(&rig);
}

static void goes_at_any_time(void **state UNUSED)
{
    static const char *const whats[] = {"x", "hang", "die", "pause"};
    struct rig rig = {0};
    struct seen seen, other;

    for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
        start(&rig, "https://host");
        ask(&rig, FORGE_OP_CHANGE, whats[i], &seen, NULL);
        ask(&rig, FORGE_OP_CHANGE, "x", &other, NULL);
        turn(&rig, 20);
        if (!seen.calls && strcmp(whats[i], "hang") != 0) {
            /* By whoever is called back. */
            seen.free = STEAL(rig.forge);
            wait_for(&rig, &seen);
            turn(&rig, 20);
            assert_int_equal(other.calls, 0);
        }
        json_decref(seen.ask);
        if (other.calls)
            json_decref(other.ask);
        stop(&rig);
    }
}

static void refuses_options(void **state UNUSED)
{
    const struct forge_options good = options_of(NULL, "https://host");
    struct forge_options bad[7];
    struct forge *forge = NULL;
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        bad[i] = good;
    bad[0].base_url = "";
    bad[1].base_url = "ssh://host";
    bad[2].api_url = "https://user@host";
    bad[3].token = "a b";
    bad[4].kind = FORGE_NONE;
    bad[5].app = "1";
    bad[6].kind = FORGE_GITHUB;
    bad[6].token = NULL;
    bad[6].app = "1";
    bad[6].app_key = "no key";
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(forge_new(&bad[i], &forge, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        assert_null(strstr(err.msg, "a b"));
    }
    assert_null(forge);
}

int main(int argc UNUSED, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),         cmocka_unit_test(comes_back),
        cmocka_unit_test(never_begins),    cmocka_unit_test(cancels),
        cmocka_unit_test(carries_much),    cmocka_unit_test(is_bounded),
        cmocka_unit_test(pauses),          cmocka_unit_test(goes_at_any_time),
        cmocka_unit_test(refuses_options), cmocka_unit_test(lists_apart),
        cmocka_unit_test(wipes_tokens),
    };
    const char *tmp = getenv("TEST_TMP");
    const char *name = strrchr(argv[0], '/');
    CLEANUP(mem) char *link = NULL;
    char self[4096] = "";
    int failed;

    if (name && !strcmp(name, "/forge"))
        return fake_main();
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(libexec, sizeof(libexec), "%s/fake.XXXXXX",
                   tmp ? tmp : "/tmp");
    if (!mkdtemp(libexec) ||
        readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return 1;
    link = xasprintf("%s/forge", libexec);
    if (symlink(self, link) < 0 || setenv("BERTH_LIBEXEC", libexec, 1) < 0)
        return 1;
    failed = cmocka_run_group_tests_name("scheduler/forge/client", tests, NULL,
                                         NULL);
    if (tree_remove(libexec, NULL) < 0)
        failed = 1;
    return failed;
}
