/* cli/style.c - colours, marks and words of what berth prints. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/style.h"

#include "cli/text.h"
#include "pipelines/reason.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const tints[] = {
    [TINT_RED] = "31", [TINT_GREEN] = "32", [TINT_YELLOW] = "33",
    [TINT_DIM] = "2",  [TINT_BOLD] = "1",
};

static const struct {
    const char *outcome;
    const char *mark;
    const char *ascii;
    enum tint tint;
} marks[] = {
    {"passed", "✓", "+", TINT_GREEN},
    {"failed", "✗", "x", TINT_RED},
    {"skipped", "○", "-", TINT_DIM},
    {"cancelled", "■", "!", TINT_YELLOW},
};

/* Only of reasons that an exit code does not tell. */
static const struct {
    enum reason reason;
    const char *words;
} reason_words[] = {
    {REASON_TIMED_OUT, "timed out"},
    {REASON_OUT_OF_MEMORY, "out of memory"},
    {REASON_DISK_FULL, "disk full"},
    {REASON_BUDGET_EXCEEDED, "budget exceeded"},
    {REASON_CHECKOUT_FAILED, "checkout failed"},
    {REASON_SANDBOX_FAILED, "the sandbox failed"},
    {REASON_MODEL_FAILED, "the model failed"},
    {REASON_WORKER_LOST, "the worker was lost"},
};

bool style_choose(int fd, struct style *out)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    bool live = isatty(fd) && term && *term && strcmp(term, "dumb") != 0;

    out->ascii = !text_is_utf8();
    out->colour = live && !(no_color && *no_color);
    return live;
}

void style_add(const struct style *style, enum tint tint, const char *text,
               struct strbuf *out)
{
    if (style->colour && *text)
        strbuf_addf(out, "\033[%sm%s\033[0m", tints[tint], text);
    else
        strbuf_adds(out, text);
}

static size_t find_mark(const char *outcome)
{
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(marks) && strcmp(marks[i].outcome, outcome) != 0)
        i++;
    return i;
}

void style_add_mark(const struct style *style, const char *outcome,
                    struct strbuf *out)
{
    size_t i = find_mark(outcome);

    style_add(style, marks[i].tint,
              style->ascii ? marks[i].ascii : marks[i].mark, out);
}

enum tint style_outcome_tint(const char *outcome)
{
    return marks[find_mark(outcome)].tint;
}

const char *style_spinner(const struct style *style, uint64_t frame)
{
    static const char *const braille[] = {"⠋", "⠙", "⠹", "⠸", "⠼",
                                          "⠴", "⠦", "⠧", "⠇", "⠏"};
    static const char *const ascii[] = {"|", "/", "-", "\\"};

    return style->ascii ? ascii[frame % ARRAY_LEN(ascii)]
                        : braille[frame % ARRAY_LEN(braille)];
}

const char *style_gutter(const struct style *style)
{
    return style->ascii ? "  | " : "  │ ";
}

static void add_part(struct strbuf *out, size_t start, const char *text)
{
    if (out->len > start)
        strbuf_adds(out, ", ");
    strbuf_adds(out, text);
}

static void add_exit(const json_t *step, struct strbuf *out, size_t start)
{
    const json_t *code = json_object_get(step, "exit_code");
    const json_t *signo = json_object_get(step, "signal");
    char text[64] = "";

    if (json_integer_value(signo) > 0) {
        const char *name = sigabbrev_np((int)json_integer_value(signo));

        (void)snprintf(text, sizeof(text), "killed by SIG%s",
                       name ? name : "?");
    } else if (json_integer_value(code) > 0) {
        (void)snprintf(text, sizeof(text), "exit code %" JSON_INTEGER_FORMAT,
                       json_integer_value(code));
    }
    if (*text)
        add_part(out, start, text);
}

void style_add_detail(const json_t *step, struct strbuf *out)
{
    const char *reason = json_string_value(json_object_get(step, "reason"));
    json_int_t attempts = json_integer_value(json_object_get(step, "attempts"));
    size_t start = out->len;
    int found = reason_find(reason);

    for (size_t i = 0; i < ARRAY_LEN(reason_words); i++)
        if (found == (int)reason_words[i].reason)
            add_part(out, start, reason_words[i].words);
    if (out->len == start)
        add_exit(step, out, start);
    if (attempts > 1) {
        char text[64];

        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT " attempts",
                       attempts);
        add_part(out, start, text);
    }
    if (json_is_true(json_object_get(step, "continue_on_error")) &&
        out->len > start)
        add_part(out, start, "the job goes on");
}
