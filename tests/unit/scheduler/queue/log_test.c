/* tests/unit/scheduler/queue/log_test.c - head, ring, gap and repeats. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/impl.h"
#include "scheduler/queue/log.h"
#include "scheduler/queue/submit.h"
#include "tests/lib/redis_server.h"
#include "tests/lib/unit.h"

/* As log.c has them. */
#define HEAD_BYTES ((size_t)256 << 10)
#define TAIL_BYTES ((size_t)1 << 20)
#define OVERHEAD   ((size_t)64)

static struct redis_server server;
static struct loop *loop;
static struct queue *queue;

static void on_lease(void *arg, struct lease *lease, const struct err *err)
{
    assert_null(err);
    *(struct lease **)arg = lease;
}

static struct lease *take(const char *id)
{
    static const struct lease_wish wish = {.worker = "w", .labels = ""};
    const struct queue_job job = {.id = id, .payload = "{}"};
    struct queue_answer answer;
    struct lease *lease = NULL;

    assert_int_equal(queue_submit(queue, &job, 1, &answer, NULL), 0);
    queue_lease(queue, &wish, on_lease, &lease);
    while (!lease)
        assert_int_equal(loop_step(loop, 1000, NULL), 0);
    return lease;
}

static void on_done(void *arg, const struct err *err)
{
    assert_null(err);
    *(bool *)arg = true;
}

static void store(struct lease *lease, uint64_t batch,
                  const struct queue_log_entry *entries, size_t count)
{
    bool done = false;

    lease_log(lease, batch, entries, count, on_done, &done);
    while (!done)
        assert_int_equal(loop_step(loop, 1000, NULL), 0);
}

/* Entries of `size` bytes, each beginning with its number. */
static void store_many(struct lease *lease, unsigned count, size_t size)
{
    CLEANUP(mem) char *data = xmalloc(size + 16);
    unsigned n = 0;

    memset(data, 'x', size);
    for (uint64_t batch = 1; n < count; batch++) {
        struct queue_log_entry entries[LEASE_LOG_MAX_ENTRIES];
        CLEANUP(mem) char *all = xcalloc(LEASE_LOG_MAX_ENTRIES, size + 1);
        size_t k = 0;

        while (k < LEASE_LOG_MAX_ENTRIES && n < count &&
               (k + 1) * size <= LEASE_LOG_MAX_BYTES) {
            char *at = all + k * (size + 1);
            char number[16];

            memcpy(at, data, size);
            (void)snprintf(number, sizeof(number), "%07u,", n++);
            memcpy(at, number, size < 8 ? size : 8);
            entries[k++] = (struct queue_log_entry){
                .step = 3, .stream = "stdout", .data = at, .len = size};
        }
        store(lease, batch, entries, k);
    }
}

struct seen {
    uint64_t head_bytes, tail_bytes, gap_bytes;
    unsigned head_entries, tail_entries, gaps;
    unsigned first_of_tail, last;
};

static void on_entry(void *arg, const struct queue_log_entry *e)
{
    struct seen *seen = arg;

    if (strcmp(e->stream, "gap") == 0) {
        seen->gaps++;
        seen->gap_bytes += e->gap_bytes;
        return;
    }
    assert_int_equal(e->step, 3);
    if (e->len >= 8) {
        seen->last = (unsigned)strtoul(e->data, NULL, 10);
        if (seen->gaps && !seen->tail_entries)
            seen->first_of_tail = seen->last;
    }
    if (seen->gaps) {
        seen->tail_entries++;
        seen->tail_bytes += e->len;
    } else {
        seen->head_entries++;
        seen->head_bytes += e->len;
    }
}

static struct seen read_log(const char *id)
{
    struct seen seen = {.gaps = 0};

    assert_int_equal(queue_log(queue, id, 1, on_entry, &seen, NULL), 0);
    return seen;
}

/* ---- tests -------------------------------------------------------------- */

static void test_small(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("small");
    struct seen seen;

    seen = read_log("small"); /* none is fine */
    assert_int_equal(seen.head_entries, 0);
    store_many(lease, 100, 100);
    seen = read_log("small");
    assert_int_equal(seen.gaps, 0);
    assert_int_equal(seen.head_entries, 100);
    assert_int_equal(seen.head_bytes, 10000);
    assert_int_equal(seen.last, 99);
}

static void test_between_head_and_tail(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("middle");
    struct seen seen;

    store_many(lease, 800, 1000); /* over the head, nothing dropped */
    seen = read_log("middle");
    assert_int_equal(seen.gaps, 0);
    assert_int_equal(seen.head_bytes, 800000);
    assert_int_equal(seen.last, 799);
}

static void test_ring(void **state UNUSED)
{
    static const struct {
        const char *id;
        unsigned count;
        size_t size;
    } cases[] = {
        {"ring-a", 4000, 1000}, {"ring-b", 40, 200000}, {"ring-c", 40000, 8}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lease) struct lease *lease = take(cases[i].id);
        size_t cost = cases[i].size + OVERHEAD;
        struct seen seen;

        store_many(lease, cases[i].count, cases[i].size);
        seen = read_log(cases[i].id);
        assert_int_equal(seen.gaps, 1);
        assert_int_equal(seen.head_bytes + seen.tail_bytes + seen.gap_bytes,
                         cases[i].count * cases[i].size);
        assert_int_equal(seen.head_entries, HEAD_BYTES / cost);
        assert_int_equal(seen.tail_entries, TAIL_BYTES / cost);
        assert_int_equal(seen.last, cases[i].count - 1);
        assert_int_equal(seen.first_of_tail,
                         cases[i].count - seen.tail_entries);
    }
}

static void test_repeated_batch(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("repeat");
    const struct queue_log_entry entry = {
        .step = 3, .stream = "stderr", .data = "a\0b\n", .len = 4};

    store(lease, 1, &entry, 1);
    store(lease, 1, &entry, 1);
    assert_int_equal(read_log("repeat").head_entries, 1);
    store(lease, 2, &entry, 1);
    store(lease, 1, &entry, 1);
    assert_int_equal(read_log("repeat").head_entries, 2);
    assert_int_equal(read_log("repeat").head_bytes, 8);
}

/* What the worker dropped is a gap of its own, and is not lost with the
 * entries that the ring drops. */
static void test_gap_of_the_worker(void **state UNUSED)
{
    CLEANUP(lease) struct lease *lease = take("gap");
    CLEANUP(mem) char *big = xcalloc(1, LEASE_LOG_MAX_BYTES);
    const struct queue_log_entry gap = {
        .step = 3, .stream = "gap", .data = "", .gap_bytes = 12345};
    const struct queue_log_entry entry = {.step = 3,
                                          .stream = "stdout",
                                          .data = big,
                                          .len = LEASE_LOG_MAX_BYTES - 1};
    struct seen seen;

    store(lease, 1, &gap, 1);
    seen = read_log("gap");
    assert_int_equal(seen.gap_bytes, 12345);
    store(lease, 2, &entry, 1); /* closes the head */
    store(lease, 3, &gap, 1);   /* in the tail */
    for (uint64_t batch = 4; batch < 12; batch++)
        store(lease, batch, &entry, 1);
    seen = read_log("gap");
    assert_int_equal(seen.gap_bytes + seen.head_bytes + seen.tail_bytes,
                     2 * 12345 + 9 * entry.len);
}

static int start(void **state UNUSED)
{
    struct queue_options options = {
        .url = server.url, .pool = "logs", .max_instances = 100};

    redis_server_init(&server, "");
    assert_int_equal(loop_new(&loop, NULL), 0);
    return queue_open(loop, &options, &queue, NULL);
}

static int stop(void **state UNUSED)
{
    queue_free(queue);
    loop_free(loop);
    redis_server_clear(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_between_head_and_tail),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_repeated_batch),
        cmocka_unit_test(test_gap_of_the_worker),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
