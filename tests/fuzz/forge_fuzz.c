/* tests/fuzz/forge_fuzz.c - what a Git host answers to what it is asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "scheduler/forge/api/api_internal.h"
#include "scheduler/forge/body.h"
#include "scheduler/report/post/ops.h"
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * An input is a host ('0' to '2'), an op, a line's end, and answers in their
 * order, with a line "%%" between: a status, a blank, the page's next or
 * nothing, a line's end, the body. It has the place of the wire: requests go
 * nowhere, and there is no waiting.
 */

#define SEPARATOR "\n%%\n"
#define MAX_ASKED 2000 /* requests of one op, pages among them */

static struct {
    char *text, *at; /* NULL: there are no more answers */
    unsigned asked;
} host;

/* ---- the host ------------------------------------------------------------ */

/* The next answer's status line and body; false: none is left. */
static bool next_answer(char **out_head, char **out_body)
{
    char *head = host.at, *end, *line;

    if (!head)
        return false;
    end = strstr(head, SEPARATOR);
    if (end)
        *end = 0;
    host.at = end ? end + strlen(SEPARATOR) : NULL;
    line = strchr(head, '\n');
    if (line)
        *line = 0;
    *out_head = head;
    *out_body = line ? line + 1 : head + strlen(head);
    return true;
}

static int fail(struct api *api, const struct api_answer *answer,
                struct err *err)
{
    struct api_failure failure = {API_REFUSED, answer->status, 0};
    CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(4096);

    api_message(api, answer, &said);
    if (answer->status == 429)
        failure = (struct api_failure){API_PAUSED, 429, 1000};
    else if (answer->status >= 500 || answer->status == 0)
        failure.kind = API_AWAY;
    return api_fail(api, failure, err, "%d: %s", answer->status, said.data);
}

/* In place of scheduler/forge/api/api_wire.c. */
int wire_send(struct api *api, const struct api_request *request,
              const char *url, const char *auth, struct api_answer *out,
              struct err *err)
{
    struct api_answer answer = {.text = STRBUF_MAX(API_MAX_ANSWER)};
    char none[] = "0", *head = none, *body = none + 1, *link;
    int rc = 0;

    require(strncmp(url, "http://", 7) == 0 && auth);
    require(++host.asked < MAX_ASKED);
    require(request->is_write || !strcmp(request->method, "GET") ||
            !strcmp(request->method, "POST"));
    api->requests++;
    api->failed = (struct api_failure){API_OK, 0, 0};
    (void)next_answer(&head, &body);
    answer.status = atoi(head);
    link = strchr(head, ' ');
    if (link && link[1])
        strv_addf(&answer.headers, "Link: <%s>; rel=\"next\"", link + 1);
    strbuf_adds(&answer.text, body);
    if (answer.status < 200 || answer.status > 299)
        rc = fail(api, &answer, err);
    else if (!request->accept && answer.text.len) {
        answer.json = body_parse_any(answer.text.data, answer.text.len, err);
        if (!answer.json) {
            answer.status = 0;
            rc = fail(api, &answer, err);
        }
    }
    if (rc < 0)
        api_answer_clear(&answer);
    else
        *out = answer;
    return rc;
}

/* ---- what it is asked ---------------------------------------------------- */

static const char *const setups[] = {
    "{'forge':'github','api_url':'http://h.org','base_url':'http://h.org',"
    "'ca':'','app':'','app_key':'','token':'t','gap_ms':0,'timeout_ms':1000}",
    "{'forge':'gitlab','api_url':'http://h.org/api/v4','base_url':"
    "'http://h.org','ca':'','app':'','app_key':'','token':'t','gap_ms':0,"
    "'timeout_ms':1000}",
    "{'forge':'gitea','api_url':'http://h.org/api/v1','base_url':"
    "'http://h.org','ca':'','app':'','app_key':'','token':'t','gap_ms':0,"
    "'timeout_ms':1000}",
};

#define COMMIT "'commit':'0123456789abcdef0123456789abcdef01234567'"
#define CHECK                                                                  \
    "'ref':'','latest':true,'key':'review','title':'R','note':'','posted':"    \
    "{'47c4ab4ba80bbe69e892506dcc74608b':'fixed'},'max_comments':20,"          \
    "'max_rows':50,'request_changes':false,'check':{'name':'review',"          \
    "'external_id':'job-1','state':'passed','reason':'','message':'',"         \
    "'attempt':1,'started_at_ms':1700000000000,'ended_at_ms':1700000060000,"   \
    "'url':'','fork':false}"
#define ISSUE(line, said)                                                      \
    "{'kind':'issue','severity':'warning','tool':'lint','path':'a.js',"        \
    "'line':" line ",'end_line':" line ",'message':'" said "'}"

static const char *const asks[] = {
    "{'op':'token','repo':'o/r','installation':0}",
    "{'op':'change','repo':'o/r','installation':0,'number':1}",
    "{'op':'paths','repo':'o/r','installation':0,'number':1}",
    "{'op':'permission','repo':'o/r','installation':0,'login':'dev'}",
    "{'op':'open_changes','repo':'o/r','installation':0}",
    "{'op':'report','repo':'o/r','installation':0,'change':1," COMMIT
    ",'findings':{'schema':1,'tests':{'passed':0,'failed':0,'skipped':0},"
    "'findings':[" ISSUE("5", "no var") "," ISSUE("15", "too much") "," ISSUE(
        "26", "no c") "]}," CHECK "}",
    "{'op':'report','repo':'o/r','installation':0,'change':0," COMMIT
    ",'findings':null," CHECK "}",
};

static json_t *read_quoted(const char *text)
{
    char *copy = xstrdup(text);
    json_t *read;

    for (char *at = copy; (at = strchr(at, '\'')); at++)
        *at = '"';
    read = json_loads(copy, 0, NULL);
    free(copy);
    require(read != NULL);
    return read;
}

static struct api *api_of(size_t kind)
{
    struct api *api = NULL;
    json_t *setup = read_quoted(setups[kind]);

    require(api_new(setup, &api, NULL) == 0);
    json_decref(setup);
    return api;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t kind, op;
    struct api *api;
    json_t *ask, *answer;
    char *text;

    if (size < 3 || data[0] < '0' || data[0] > '2' || data[1] < '0' ||
        data[1] >= '0' + (int)(sizeof(asks) / sizeof(*asks)))
        return 0;
    kind = data[0] - '0';
    op = data[1] - '0';
    host.text = xstrndup((const char *)data + 3, size - 3);
    host.at = host.text;
    host.asked = 0;
    api = api_of(kind);
    ask = read_quoted(asks[op]);
    answer = ops_answer(api, ask);
    require(json_is_object(answer));
    text = json_dumps(answer, JSON_COMPACT);
    require(text != NULL);
    free(text);
    json_decref(answer);
    json_decref(ask);
    api_free(api);
    free(host.text);
    return 0;
}
