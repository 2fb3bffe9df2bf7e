/* cli/doctor_rights.c - whether berth's user of Redis may do its work. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/embed.h"
#include "base/redis_url.h"
#include "cli/doctor.h"

#include <hiredis/hiredis.h>
#include <string.h>

/* The one list of what berth sends; what an operator is given is what is
 * compared. */
EMBED(redis_acl, "deploy/redis-acl.conf");
#define OUR_USER "\nuser berth "

#define NAMED_MAX 8 /* in the finding; the advice has all */

/*
 * To be asked is no attempt: nothing comes into Redis' log of refusals. The
 * words behind each command are a key of ours for wherever it has one. Six are
 * enough for all: with fewer than it takes, Redis 7.0 would crash. Redis 8
 * wants the right number, and says so when it is another one.
 */
static const char ask[] =
    "local missing = {} "
    "for _, command in ipairs(ARGV) do "
    "  local words = {} "
    "  for word in string.gmatch(command, '[^|]+') do "
    "    words[#words + 1] = word "
    "  end "
    "  local least, known, may = #words, false, false "
    "  for i = least + 1, 8 do words[i] = 'berth:{doctor-x}:x' end "
    "  for _, count in ipairs({6, 2, 3, 4, 5, 7, 8, 1}) do "
    "    if not known and count >= least then "
    "      known, may = pcall(redis.acl_check_cmd, unpack(words, 1, count)) "
    "    end "
    "  end "
    "  if not (known and may) then missing[#missing + 1] = command end "
    "end "
    "return missing";

int doctor_missing(struct redis_sync *redis, const struct strv *commands,
                   struct strv *out_missing, struct err *err)
{
    CLEANUP(strv) struct strv words = {0};
    redisReply *reply = NULL;

    strv_add(&words, "EVAL");
    strv_add(&words, ask);
    strv_add(&words, "0");
    for (size_t i = 0; i < commands->count; i++)
        strv_add(&words, commands->items[i]);
    if (redis_sync_command(
            redis,
            &(struct redis_words){.words = (const char *const *)words.items,
                                  .count = words.count},
            &reply, err) < 0)
        return -1;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->str)
            strv_add(out_missing, reply->element[i]->str);
    freeReplyObject(reply);
    return 0;
}

/* What stands behind a `+` in the line of our user. */
static void read_needed(struct strv *out)
{
    const char *at = strstr(redis_acl, OUR_USER);
    const char *end;

    if (!at)
        return;
    at += strlen(OUR_USER);
    end = at + strcspn(at, "\n");
    while (at < end) {
        size_t len = strcspn(at, " \n");

        if (*at == '+')
            strv_addf(out, "%.*s", (int)len - 1, at + 1);
        at += len + 1;
    }
}

/* "ACL SETUSER NAME ~berth:* +a +b" */
static char *cure(const char *url, const struct strv *missing)
{
    CLEANUP(redis_url) struct redis_url *parsed = NULL;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    const char *user = "default";

    if (redis_url_parse(url, &parsed, NULL) == 0 && parsed->user)
        user = parsed->user;
    strbuf_addf(&text, "ACL SETUSER %s ~berth:*", user);
    for (size_t i = 0; i < missing->count; i++)
        strbuf_addf(&text, " +%s", missing->items[i]);
    strbuf_addf(&text, "; redis-acl.conf, which is installed with berth, has "
                       "all that it needs");
    return strbuf_take(&text);
}

void doctor_check_rights(struct doctor *d, struct finding *out)
{
    CLEANUP(strv) struct strv needed = {0};
    CLEANUP(strv) struct strv missing = {0};
    CLEANUP(strbuf) struct strbuf names = STRBUF_INIT;
    CLEANUP(mem) char *advice = NULL;
    struct err err = {0};

    read_needed(&needed);
    if (doctor_missing(d->redis, &needed, &missing, &err) < 0) {
        strv_add(&missing, "eval");
        advice = cure(d->settings->redis.url, &missing);
        finding_fail(out, advice, "cannot ask for them: %s", err.msg);
        return;
    }
    if (!missing.count) {
        finding_ok(out, "all %zu commands that berth sends", needed.count);
        return;
    }
    for (size_t i = 0; i < missing.count && i < NAMED_MAX; i++)
        strbuf_addf(&names, "%s%s", i ? ", " : "", missing.items[i]);
    if (missing.count > NAMED_MAX)
        strbuf_addf(&names, " and %zu more", missing.count - NAMED_MAX);
    advice = cure(d->settings->redis.url, &missing);
    finding_fail(out, advice, "berth's user may not, with keys of berth: %s",
                 names.data);
}
