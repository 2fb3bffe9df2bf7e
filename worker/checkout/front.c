/* worker/checkout/front.c - checkout --show: a client for other rooms. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/front.h"

#include "base/fd.h"
#include "worker/checkout/client.h"
#include "worker/checkout/protocol.h"
#include "worker/checkout/report.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

struct front {
    struct loop *loop;
    int rc;
    struct err *err; /* borrowed */
};

static void on_done(void *arg, const struct checkout_result *result,
                    const struct err *err)
{
    struct front *front = arg;

    loop_stop(front->loop);
    if (err) {
        *front->err = *err;
        front->rc = -1;
        return;
    }
    for (size_t i = 0; i < result->shown_count; i++)
        report_file(result->shown[i].path, result->shown[i].data,
                    result->shown[i].len, result->shown[i].why);
    report_done(&(struct report_done){
        result->commit, result->branch, result->subject, result->fetched,
        result->files, NULL, "", "", result->shown_more});
}

/* A list of strings, or nothing. */
static int take_list(const json_t *list, const char **items, size_t max,
                     size_t *out_count)
{
    size_t count = json_array_size(list);

    if ((list && !json_is_array(list)) || count > max)
        return -1;
    for (size_t i = 0; i < count; i++) {
        items[i] = json_string_value(json_array_get(list, i));
        if (!items[i])
            return -1;
    }
    *out_count = count;
    return 0;
}

static int check_out(const struct checkout_request *request, struct err *err)
{
    static const struct checkout_callbacks callbacks = {NULL, on_done};
    CLEANUP(loop) struct loop *loop = NULL;
    struct front front = {.err = err};
    struct checkout *checkout;

    if (loop_new(&loop, err) < 0)
        return -1;
    front.loop = loop;
    if (checkout_start(loop, request, &callbacks, &front, &checkout, err) < 0 ||
        loop_run(loop, err) < 0)
        return -1;
    return front.rc;
}

static int run(json_t *root, struct err *err)
{
    struct checkout_request r = {.show = true};
    const char *paths[SHOW_MAX_FILES];
    const char *also[ALSO_MAX];
    const char *mirrors = NULL;
    json_t *list = NULL;
    json_t *also_list = NULL;
    json_int_t timeout = 0;
    json_int_t uid = 0;

    if (json_unpack(root, "{s:s, s:s, s:I, s?s, s?s, s?o, s?I, s?s, s?s, s?o!}",
                    "url", &r.url, "mirrors", &mirrors, "timeout_ms", &timeout,
                    "commit", &r.commit, "ref", &r.ref, "paths", &list, "uid",
                    &uid, "username", &r.username, "password", &r.password,
                    "also", &also_list) < 0 ||
        uid < 0 || uid >= UINT32_MAX ||
        take_list(list, paths, ARRAY_LEN(paths), &r.path_count) < 0 ||
        take_list(also_list, also, ARRAY_LEN(also), &r.also_count) < 0)
        return err_set(err, ERR_BUG, "the request is not what protocol.h says");
    CLEANUP(mem)
    char *name = checkout_mirror_name(r.url, r.username, r.password);
    CLEANUP(mem) char *mirror = xasprintf("%s/%s", mirrors, name);

    r.mirror = mirror;
    r.paths = paths;
    r.also = also;
    r.uid = (unsigned)uid;
    r.timeout_ms = timeout;
    return check_out(&r, err);
}

int front_run(int fd, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(REQUEST_MAX_BYTES);
    json_t *root;
    int rc;

    if (fd_read_all(fd, &text, err) < 0)
        return -1;
    root = json_loadb(text.data, text.truncated ? 0 : text.len,
                      JSON_REJECT_DUPLICATES, NULL);
    mem_wipe(text.data, text.len);
    rc = run(root, err);
    json_decref(root);
    return rc;
}
