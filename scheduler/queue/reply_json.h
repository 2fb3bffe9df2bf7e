/* scheduler/queue/reply_json.h - answers of Redis as JSON, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_REPLY_JSON_H
#define SCHEDULER_QUEUE_REPLY_JSON_H

#include <hiredis/hiredis.h>
#include <jansson.h>

/*
 * What Redis holds may be any bytes, JSON is UTF-8: each byte that is not
 * becomes U+FFFD. Nothing here fails; all are owned by the caller.
 */

json_t *json_of_bytes(const char *data, size_t len);
/** Element `i` of an array reply as a string; "" if it is none. */
json_t *json_of_text(const redisReply *reply, size_t i);
/** The same as a number. */
json_t *json_of_number(const redisReply *reply, size_t i);
/**
 * From element `i` on, name and value by turns: into `object`. What counts
 * something (…_ms, …_bytes, running, capacity, drain, pid) becomes a number.
 */
void json_add_facts(json_t *object, const redisReply *reply, size_t i);

#endif
