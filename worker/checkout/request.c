/* worker/checkout/request.c - what checkout was asked to do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/request.h"

#include "base/fd.h"
#include "worker/checkout/names.h"
#include "worker/checkout/refs.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

/* null, or a list of paths. */
static int unpack_show(const json_t *show, struct request *r)
{
    r->show = json_is_array(show);
    if (!r->show)
        return json_is_null(show) ? 0 : -1;
    if (json_array_size(show) > ARRAY_LEN(r->paths))
        return -1;
    for (; r->path_count < json_array_size(show); r->path_count++) {
        const char *path =
            json_string_value(json_array_get(show, r->path_count));

        if (!path || path_fault(path) ||
            (path_is_pattern(path) &&
             r->path_count + 1 < json_array_size(show)))
            return -1;
        r->paths[r->path_count] = path;
    }
    return 0;
}

/* Commits to bring along. */
static int unpack_also(const json_t *also, struct request *r)
{
    if (!json_is_array(also) || json_array_size(also) > ARRAY_LEN(r->also))
        return -1;
    for (; r->also_count < json_array_size(also); r->also_count++) {
        const char *oid =
            json_string_value(json_array_get(also, r->also_count));

        if (!oid || !oid_ok(oid))
            return -1;
        r->also[r->also_count] = oid;
    }
    return 0;
}

static int unpack_base(json_t *value, struct request *r)
{
    struct layer_base *base = &r->bases[r->base_count++];

    return json_unpack(value, "{s:s, s:s!}", "commit", &base->commit, "index",
                       &base->index) == 0 &&
                   oid_ok(base->commit) && base->index[0] == '/'
               ? 0
               : -1;
}

/* null, or what a layer can be made from. */
static int unpack_layer(json_t *layer, struct request *r)
{
    json_int_t max_bytes;
    json_t *bases;

    r->layered = !json_is_null(layer);
    if (!r->layered)
        return 0;
    if (json_unpack(layer, "{s:o, s:I!}", "bases", &bases, "max_bytes",
                    &max_bytes) < 0 ||
        max_bytes < 0 || !json_is_array(bases) ||
        json_array_size(bases) > ARRAY_LEN(r->bases))
        return -1;
    r->max_bytes = (uint64_t)max_bytes;
    for (size_t i = 0; i < json_array_size(bases); i++)
        if (unpack_base(json_array_get(bases, i), r) < 0)
            return -1;
    return 0;
}

static int unpack(json_t *root, struct request *r)
{
    json_int_t uid = -1;
    json_int_t inside_uid = -1;
    json_int_t timeout = 0;
    json_t *show;
    json_t *layer;
    json_t *also;
    int submodules;
    int stdio;

    if (json_unpack(
            root,
            "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b, "
            "s:b, s:I, s:s, s:s, s:o, s:o, s:o!}",
            "url", &r->url, "commit", &r->commit, "ref", &r->ref, "base",
            &r->base, "mirror", &r->mirror, "credential", &r->credential,
            "prefix", &r->prefix, "tree", &r->tree, "subdir", &r->subdir,
            "alternates", &r->alternates, "uid", &uid, "inside_uid",
            &inside_uid, "submodules", &submodules, "stdio_transport", &stdio,
            "timeout_ms", &timeout, "username", &r->username, "password",
            &r->password, "show", &show, "layer", &layer, "also", &also) < 0 ||
        unpack_show(show, r) < 0 || unpack_layer(layer, r) < 0 ||
        unpack_also(also, r) < 0)
        return -1;
    if (uid < 0 || uid >= UINT32_MAX || inside_uid < 0 ||
        inside_uid >= UINT32_MAX || timeout <= 0)
        return -1;
    r->uid = (uid_t)uid;
    r->inside_uid = (uid_t)inside_uid;
    r->timeout_ms = timeout;
    r->submodules = submodules;
    r->stdio_transport = stdio;
    return 0;
}

static int check(const struct request *r, struct err *err)
{
    if (r->mirror[0] != '/' ||
        (!r->show && (r->tree[0] != '/' || r->alternates[0] != '/')) ||
        strpbrk(r->alternates, "\n\r"))
        return err_set(err, ERR_BUG, "a path in the request is not absolute");
    if (*r->subdir && path_fault(r->subdir))
        return err_set(err, ERR_BUG, "subdir '%.200s' %s", r->subdir,
                       path_fault(r->subdir));
    if (strspn(r->credential, "0123456789abcdef") != strlen(r->credential))
        return err_set(err, ERR_BUG, "the request's credential is malformed");
    if (strncmp(r->prefix, "refs/", 5) != 0)
        return err_set(err, ERR_BUG, "the request's prefix is malformed");
    if (*r->commit && strlen(r->commit) == 64)
        return err_set(err, ERR_USER,
                       "'%s' is a SHA-256 commit, which is not supported",
                       r->commit);
    if (*r->commit && !oid_ok(r->commit))
        return err_set(err, ERR_USER,
                       "'%.100s' is not a whole commit id: give all 40 digits "
                       "(git rev-parse %.40s)",
                       r->commit, r->commit);
    return 0;
}

int request_read(int fd, struct request *out_request, struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(REQUEST_MAX_BYTES);
    CLEANUP(request) struct request request = {0};
    json_t *root;

    if (fd_read_all(fd, &text, err) < 0)
        return -1;
    root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    mem_wipe(text.data, text.len);
    request.root = root;
    if (!root || text.truncated || unpack(root, &request) < 0)
        return err_set(err, ERR_BUG, "the request is not what protocol.h says");
    if (check(&request, err) < 0)
        return -1;
    /* Ours to change: the string lives in `root`. */
    for (char *c = (char *)(uintptr_t)request.commit; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *out_request = request;
    request.root = NULL;
    return 0;
}

void request_clear(struct request *request)
{
    json_decref(request->root);
    request->root = NULL;
}
