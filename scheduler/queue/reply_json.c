/* scheduler/queue/reply_json.c - answers of Redis as JSON, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/reply_json.h"

#include "base/strbuf.h"
#include "base/utf8.h"
#include "scheduler/queue/impl.h"

#include <string.h>

json_t *json_of_bytes(const char *data, size_t len)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    json_t *string = json_stringn(data, len);

    for (size_t at = 0; !string && at < len;) {
        uint32_t point;
        size_t size = utf8_decode(data + at, len - at, &point);

        if (size)
            strbuf_add(&text, data + at, size);
        else
            strbuf_adds(&text, "\xEF\xBF\xBD");
        at += size ? size : 1;
    }
    return string ? string : json_stringn(text.data, text.len);
}

json_t *json_of_text(const redisReply *reply, size_t i)
{
    const char *text = queue_reply_str(reply, i);

    return text ? json_of_bytes(text, reply->element[i]->len) : json_string("");
}

json_t *json_of_number(const redisReply *reply, size_t i)
{
    return json_integer(queue_reply_num(reply, i));
}

static bool is_number(const char *name)
{
    static const char *const counts[] = {"running", "capacity", "drain", "pid"};
    size_t len = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (strcmp(name, counts[i]) == 0)
            return true;
    return (len > 3 && strcmp(name + len - 3, "_ms") == 0) ||
           (len > 6 && strcmp(name + len - 6, "_bytes") == 0);
}

void json_add_facts(json_t *object, const redisReply *reply, size_t i)
{
    for (; i + 1 < reply->elements; i += 2) {
        const char *name = queue_reply_str(reply, i);

        if (name)
            (void)json_object_set_new(object, name,
                                      is_number(name)
                                          ? json_of_number(reply, i + 1)
                                          : json_of_text(reply, i + 1));
    }
}
