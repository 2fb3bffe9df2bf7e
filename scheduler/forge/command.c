/* scheduler/forge/command.c - what people ask for in comments. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/command.h"

#include <stdbool.h>
#include <string.h>

#define PREFIX     "/berth"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static const char *const names[COMMAND_COUNT] = {
    [COMMAND_TEST] = "test",       [COMMAND_REVIEW] = "review",
    [COMMAND_CANCEL] = "cancel",   [COMMAND_RETRY] = "retry",
    [COMMAND_APPROVE] = "approve",
};

/* Where in the comment we are. */
struct place {
    char fence;      /* '`' or '~' in a fenced block, else 0 */
    size_t ticks;    /* how many began it */
    bool in_comment; /* of HTML */
};

const char *command_name(enum command command)
{
    return names[command];
}

static size_t run_of(const char *text, size_t len, char c)
{
    size_t n = 0;

    while (n < len && text[n] == c)
        n++;
    return n;
}

static bool is_blank(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    return true;
}

/* https://spec.commonmark.org/0.31.2/#fenced-code-blocks; true on its lines */
static bool walk_fence(struct place *place, const char *line, size_t len)
{
    size_t indent = run_of(line, len, ' ');
    const char *text = line + indent;
    size_t n = 0, rest = len - indent;
    char c = rest && (*text == '`' || *text == '~') ? *text : '\0';

    if (c && indent <= 3)
        n = run_of(text, rest, c);
    if (!place->fence) {
        if (n < 3 || (c == '`' && memchr(text + n, '`', rest - n)))
            return false;
        place->fence = c;
        place->ticks = n;
        return true;
    }
    if (c == place->fence && n >= place->ticks && is_blank(text + n, rest - n))
        place->fence = '\0';
    return true;
}

/* Whether the line touches an HTML comment; where it is left off stays. */
static bool walk_comment(struct place *place, const char *line, size_t len)
{
    bool touched = place->in_comment;
    const char *end = line + len, *mark;

    for (;;) {
        mark = memmem(line, (size_t)(end - line),
                      place->in_comment ? "-->" : "<!--",
                      place->in_comment ? 3 : 4);
        if (!mark)
            return touched;
        line = mark + (place->in_comment ? 3 : 4);
        place->in_comment = !place->in_comment;
        touched = true;
    }
}

static void add(struct command_list *list, enum command command)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == command)
            return;
    list->items[list->count++] = command;
}

/* "approve SHA": 1, and the commit is in the list; 0: it is none. */
static int parse_approval(const char *text, size_t len,
                          struct command_list *list)
{
    static const char word[] = "approve ";
    char sha[COMMAND_SHA_MAX + 1] = "";
    size_t n;

    if (len < sizeof(word) || memcmp(text, word, sizeof(word) - 1) != 0)
        return 0;
    text += sizeof(word) - 1;
    len -= sizeof(word) - 1;
    n = run_of(text, len, ' ');
    text += n;
    len -= n;
    if (len < COMMAND_SHA_MIN || len > COMMAND_SHA_MAX)
        return 0;
    for (size_t i = 0; i < len; i++)
        sha[i] =
            text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 32) : text[i];
    if (strspn(sha, "0123456789abcdef") != len ||
        (*list->approved && strcmp(list->approved, sha) != 0))
        return 0;
    memcpy(list->approved, sha, sizeof(sha));
    add(list, COMMAND_APPROVE);
    return 1;
}

static int parse_line(const char *line, size_t len, struct command_list *list,
                      struct err *err)
{
    size_t word = PREFIX_LEN;

    if (len < PREFIX_LEN || memcmp(line, PREFIX, PREFIX_LEN) != 0 ||
        (len > PREFIX_LEN && line[PREFIX_LEN] != ' '))
        return 0;
    while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    while (word < len && line[word] == ' ')
        word++;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (i != COMMAND_APPROVE && len - word == strlen(names[i]) &&
            !memcmp(line + word, names[i], len - word)) {
            add(list, (enum command)i);
            return 0;
        }
    if (parse_approval(line + word, len - word, list))
        return 0;
    return err_set(err, ERR_USER,
                   "'" PREFIX "' is followed by none of test, review, cancel, "
                   "retry alone, and not by approve and one commit");
}

int command_parse(const char *text, size_t len, struct command_list *out,
                  struct err *err)
{
    struct command_list list = {.count = 0};
    struct place place = {0};
    const char *end = text + len, *next;

    for (const char *line = text; line < end; line = next) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((feed ? feed : end) - line);

        next = feed ? feed + 1 : end;
        if (n && line[n - 1] == '\r')
            n--;
        if ((!place.in_comment && walk_fence(&place, line, n)) ||
            walk_comment(&place, line, n))
            continue;
        if (parse_line(line, n, &list, err) < 0)
            return -1;
    }
    *out = list;
    return 0;
}
