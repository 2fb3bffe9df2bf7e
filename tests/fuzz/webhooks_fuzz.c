/* tests/fuzz/webhooks_fuzz.c - what Git hosts send, and strangers in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "scheduler/forge/delivery.h"
#include "scheduler/forge/git_name.h"
#include "scheduler/forge/limits.h"
#include "scheduler/forge/link.h"
#include "tests/fuzz/fuzz.h"

#include <strings.h>

#define BASE "https://h.org"

static void check_text(const char *text, size_t max)
{
    size_t len = strlen(text), n;
    uint32_t c = 0;

    require(len <= max);
    for (size_t i = 0; i < len; i += n) {
        n = utf8_decode(text + i, len - i, &c);
        require(n && !utf8_is_control(c) && !utf8_is_invisible(c));
    }
}

static void check_end(const struct event *event, const struct event_end *end)
{
    require(!*end->ref || git_is_ref(end->ref));
    require(!*end->sha || (git_is_sha(end->sha) && !git_is_zero(end->sha)));
    require(!*end->repo || git_is_full_name(event->forge, end->repo));
}

static void check_words(const struct event *event)
{
    require(event->labels.count <= EVENT_MAX_LABELS);
    for (size_t i = 0; i < event->labels.count; i++)
        check_text(event->labels.items[i], EVENT_MAX_LABEL_BYTES);
    require(event->paths.count <= EVENT_MAX_PATHS);
    require(event->paths_known || !event->paths.count);
    for (size_t i = 0; i < event->paths.count; i++)
        require(git_is_path(event->paths.items[i]) &&
                (!i ||
                 strcmp(event->paths.items[i - 1], event->paths.items[i]) < 0));
}

/* Of a change we know which, and what to check out. */
static void check_event(const struct event *event)
{
    bool is_change =
        event->kind >= EVENT_OPENED && event->kind <= EVENT_LABELED;

    check_text(event->title, EVENT_MAX_TITLE_BYTES);
    check_text(event->reason, 512);
    check_text(event->author.login, EVENT_MAX_WORD_BYTES);
    check_text(event->actor.login, EVENT_MAX_WORD_BYTES);
    check_text(event->check.action, EVENT_MAX_WORD_BYTES);
    check_end(event, &event->head);
    check_end(event, &event->base);
    check_words(event);
    require((event->kind == EVENT_IGNORED) == (*event->reason != '\0'));
    require(event->kind != EVENT_COMMAND || event->commands.count);
    if (event->kind == EVENT_IGNORED || event->kind == EVENT_PING)
        return;
    require(
        event->repo.id > 0 &&
        git_is_full_name(event->forge, event->repo.full_name) &&
        git_is_clone_url(event->repo.clone_url, BASE, event->repo.full_name));
    require(!is_change || (event->change > 0 && *event->head.sha &&
                           event->fork != EVENT_FORK_UNKNOWN &&
                           event->base.repo_id == event->repo.id));
    require(event->fork != EVENT_FORK_NO ||
            event->head.repo_id == event->repo.id);
}

/* "EVENT\nBODY". */
static void try_event(enum forge_kind forge, char *text, size_t len)
{
    CLEANUP(event) struct event *event = NULL;
    char *body = memchr(text, '\n', len);
    struct event_source source = {
        .forge = forge, .name = text, .base_url = BASE};
    struct err err = {0};

    if (!body)
        return;
    *body++ = '\0';
    if (strlen(text) >= DELIVERY_EVENT_SIZE)
        return;
    for (const char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            return;
    source.body = body;
    source.len = len - (size_t)(body - text);
    if (event_read(&source, &event, &err) == 0)
        check_event(event);
    else
        require(err.kind == ERR_USER && *err.msg && !event);
}

/* Lines of headers; what they sign is nothing. */
static void try_headers(char *text)
{
    static const struct webhook_secret items[] = {
        {"a", "secret", NULL}, {"b", "whsec_AAAAAAAAAAAAAAAAAAAAAA==", "a/b"}};
    const struct webhook_secrets secrets = {items, ARRAY_LEN(items)};
    CLEANUP(strv) struct strv headers = {0};
    struct webhook_request r = {.headers = &headers, .body = "", .now_ms = 1};
    struct limits_answer answer = {.headers = &headers, .now_ms = 1};
    CLEANUP(mem) char *next = NULL;
    struct delivery delivery;
    struct limits limits;
    int status = 0;

    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        strv_add(&headers, line);
    if (delivery_verify(&r, &secrets, &delivery, &status, NULL) < 0)
        require(status == 400 || status == 401);
    for (answer.status = 200; answer.status <= 503; answer.status++) {
        answer.forge = (enum forge_kind)(answer.status % 3 + FORGE_GITHUB);
        limits = limits_read(&answer);
        require(limits.pause_ms >= 0 && limits.pause_ms <= LIMITS_MAX_PAUSE_MS);
        require(limits.verdict != LIMITS_NONE || !limits.pause_ms);
    }
    if (link_next(&headers, BASE "/a", &next, NULL) == 0 && next)
        require(!strncasecmp(next, BASE, strlen(BASE)) &&
                (!next[strlen(BASE)] || strchr("/?#", next[strlen(BASE)])));
}

static void try_comment(const char *text, size_t len)
{
    struct command_list list = {.count = 0};

    if (command_parse(text, len, &list, NULL) == 0)
        require(list.count <= COMMAND_COUNT);
}

/* The first byte says what it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(mem) char *text = fuzz_text(data, size);

    if (!size)
        return 0;
    switch (*text) {
    case 'g':
        try_event(FORGE_GITHUB, text + 1, size - 1);
        break;
    case 'l':
        try_event(FORGE_GITLAB, text + 1, size - 1);
        break;
    case 't':
        try_event(FORGE_GITEA, text + 1, size - 1);
        break;
    case 'h':
        try_headers(text + 1);
        break;
    default:
        try_comment(text + 1, size - 1);
    }
    return 0;
}
