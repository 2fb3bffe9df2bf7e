/* tests/fuzz/review_fuzz.c - reviews of any diff, with any answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/review.h"
#include "tests/fuzz/fuzz.h"
#include "worker/opencode/events.h"

#define MAX_QUESTIONS 2000
#define MAX_FINDINGS  5

/* What stands before a line "%%", and what is behind it. */
static size_t part(const char **data, size_t *size)
{
    const char *mark = memmem(*data, *size, "\n%%\n", 4);
    size_t len = mark ? (size_t)(mark - *data) : *size;
    size_t used = mark ? len + 4 : len;

    *data += used;
    *size -= used;
    return len;
}

static void check(const struct review *review, const struct diff *diff)
{
    const struct findings *found = review_findings(review);
    const struct review_counts *counts = review_counts(review);

    require(found->count <= MAX_FINDINGS && found->count <= counts->found);
    require(counts->files + counts->left_out == diff->count);
    require(counts->failed <= counts->chunks);
    for (size_t i = 0; i < found->count; i++) {
        const struct finding *one = &found->items[i];

        require(diff_file_find(diff, one->path, one->side));
        require(one->line && one->line <= one->end_line);
        require(one->severity >= FINDING_WARNING);
    }
}

/* The answers one after the other, again and again. */
static void review_all(const struct diff *diff, const char *answers,
                       size_t size)
{
    const struct review_options options = {.task = "x",
                                           .title = answers ? "t" : "",
                                           .min_severity = FINDING_WARNING,
                                           .max_findings = MAX_FINDINGS,
                                           .max_prompt = 8192,
                                           .min_confidence = 0.3,
                                           .verify = size % 2,
                                           .nonce = "0123456789abcdef"};
    struct review *review = review_new(&options, diff);
    const char *at = answers;
    size_t left = size, questions = 0;
    const char *question;
    struct err err;

    while ((question = review_ask(review))) {
        const char *text = at;
        size_t len = part(&at, &left);

        require(questions++ < MAX_QUESTIONS);
        require(strlen(question) <= 64u << 10);
        (void)!review_answer(review, text, len, &err);
        if (!left) {
            at = answers;
            left = size;
        }
    }
    check(review, diff);
    review_free(review);
}

static void read_events(const char *text, size_t len)
{
    struct events events;
    struct err err;
    int code = 0;

    events_init(&events);
    for (size_t i = 0; i < len; i += 7) {
        size_t n = len - i < 7 ? len - i : 7;

        if (events_feed(&events, text + i, n, &err) < 0)
            code = 1;
    }
    if (events_check(&events, code, &err) == 0)
        require(events.text.len > 0);
    events_clear(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    const char *text = at;
    size_t left = size;
    size_t len = part(&at, &left);
    struct diff *diff = diff_parse(text, len, false);

    read_events(text, size);
    review_all(diff, at, left);
    diff_free(diff);
    return 0;
}
