/* base/redis_call.c - a command of a Redis client, as the protocol has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/redis_call.h"

#include "base/redis_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 24 /* `*` or `$`, 20 digits, CR and LF, to be safe */

static size_t word_len(const struct redis_words *words, size_t i)
{
    return words->lens ? words->lens[i] : strlen(words->words[i]);
}

/* No less than it takes. */
static size_t room_for(const struct redis_words *words)
{
    size_t room = NUMBER_SIZE;

    for (size_t i = 0; words && i < words->count; i++)
        room += word_len(words, i) + NUMBER_SIZE + 2;
    return room;
}

static char *put_number(char *at, char kind, size_t value)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    *at++ = kind;
    while (n)
        *at++ = digits[--n];
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_word(char *at, const char *word, size_t len)
{
    at = put_number(at, '$', len);
    memcpy(at, word, len);
    at += len;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_words(char *at, const struct redis_words *words)
{
    for (size_t i = 0; words && i < words->count; i++)
        at = put_word(at, words->words[i], word_len(words, i));
    return at;
}

static struct redis_call *new_call(size_t room)
{
    struct redis_call *call = xmalloc(sizeof(*call) + room);

    memset(call, 0, sizeof(*call));
    return call;
}

struct redis_call *redis_call_new(const struct redis_words *words)
{
    struct redis_call *call = new_call(room_for(words));
    char *at = put_number(call->wire, '*', words->count);

    call->len = (size_t)(put_words(at, words) - call->wire);
    return call;
}

struct redis_call *redis_call_eval(size_t script, const char *key,
                                   const struct redis_words *args)
{
    size_t key_len = strlen(key);
    struct redis_call *call =
        new_call(room_for(args) + 4 * (size_t)(NUMBER_SIZE + 2) +
                 strlen("EVALSHA") + REDIS_SHA_SIZE + 1 + key_len);
    char *at = put_number(call->wire, '*', 4 + (args ? args->count : 0));

    call->is_eval = true;
    call->script = script;
    at = put_word(at, "EVALSHA", strlen("EVALSHA"));
    at = put_number(at, '$', REDIS_SHA_SIZE - 1);
    call->head = (size_t)(at - call->wire);
    memset(at, '0', REDIS_SHA_SIZE - 1);
    at += REDIS_SHA_SIZE - 1;
    *at++ = '\r';
    *at++ = '\n';
    at = put_word(at, "1", 1);
    at = put_word(at, key, key_len);
    call->len = (size_t)(put_words(at, args) - call->wire);
    return call;
}

void redis_call_free(struct redis_call *call)
{
    if (call->reply)
        redis_reply_free(call->reply);
    free(call->err);
    free(call);
}

const char *redis_call_text(struct redis_call *call,
                            const char sha[REDIS_SHA_SIZE], size_t *out_len)
{
    if (call->is_eval)
        memcpy(call->wire + call->head, sha, REDIS_SHA_SIZE - 1);
    *out_len = call->len;
    return call->wire;
}

char *redis_call_source(const struct redis_call *call, const char *source,
                        size_t *out_len)
{
    size_t source_len = strlen(source);
    size_t tail = call->head + REDIS_SHA_SIZE - 1 + 2;
    size_t count = strcspn(call->wire, "\n") + 1;
    char *text = xmalloc(call->len + NUMBER_SIZE + source_len + 2);
    char *at = text;

    memcpy(at, call->wire, count);
    at = put_word(at + count, "EVAL", strlen("EVAL"));
    at = put_word(at, source, source_len);
    memcpy(at, call->wire + tail, call->len - tail);
    *out_len = (size_t)(at - text) + call->len - tail;
    return text;
}

void redis_call_insert(struct redis_call_list *list, struct redis_call *call)
{
    struct redis_call *before = TAILQ_LAST(list, redis_call_list);

    while (before && before->deadline_ms > call->deadline_ms)
        before = TAILQ_PREV(before, redis_call_list, entry);
    if (before)
        TAILQ_INSERT_AFTER(list, before, call, entry);
    else
        TAILQ_INSERT_HEAD(list, call, entry);
}
