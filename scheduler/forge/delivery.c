/* scheduler/forge/delivery.c - a webhook's request, from headers to event. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/forge/delivery.h"

#include "base/header.h"
#include "scheduler/forge/body.h"
#include "scheduler/forge/git_name.h"

#include <string.h>

/* The first that is there decides. */
static const struct form {
    const char *event; /* the header with the event's name */
    const char *id;    /* and with the delivery's */
    enum forge_kind forge;
} forms[] = {
    {"X-Forgejo-Event", "X-Forgejo-Delivery", FORGE_GITEA},
    {"X-Gitea-Event", "X-Gitea-Delivery", FORGE_GITEA},
    {"X-Gitlab-Event", "Idempotency-Key", FORGE_GITLAB},
    {"X-GitHub-Event", "X-GitHub-Delivery", FORGE_GITHUB},
};

static const struct form *find_form(const struct strv *headers)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (header_find(headers, forms[i].event))
            return &forms[i];
    return NULL;
}

/* Words of a header, for people and logs; "" for what is none. */
static void copy_word(const struct strv *headers, const char *name, char *out,
                      size_t size)
{
    const char *value = header_find(headers, name);
    size_t len = value ? strlen(value) : 0;

    out[0] = '\0';
    if (!len || len >= size)
        return;
    for (size_t i = 0; i < len; i++)
        if (value[i] < ' ' || value[i] > '~')
            return;
    memcpy(out, value, len + 1);
}

/* Of what the host signed: the event's name and its id are not among it. */
static void make_key(enum forge_kind forge, const struct webhook_request *r,
                     char out[SHA256_HEX_SIZE])
{
    struct sha256 state;

    sha256_init(&state);
    sha256_add(&state, forge_name(forge), strlen(forge_name(forge)) + 1);
    sha256_add(&state, r->body, r->len);
    sha256_end_hex(&state, out);
}

static int refuse(int status, int *out_status)
{
    *out_status = status;
    return -1;
}

int delivery_verify(const struct webhook_request *request,
                    const struct webhook_secrets *secrets, struct delivery *out,
                    int *out_status, struct err *err)
{
    const struct form *form = find_form(request->headers);
    struct delivery delivery = {.forge = FORGE_NONE};

    if (request->len > BODY_MAX_BYTES) {
        (void)err_set(err, ERR_USER, "the body has more than %zu bytes",
                      BODY_MAX_BYTES);
        return refuse(413, out_status);
    }
    if (!form || (request->route && request->route != form->forge)) {
        (void)err_set(err, ERR_USER, "this is no delivery of %s",
                      request->route ? forge_name(request->route)
                                     : "a Git host that berth knows");
        return refuse(400, out_status);
    }
    delivery.forge = form->forge;
    if (signature_check(form->forge, request, secrets, &delivery.secrets, err) <
        0)
        return refuse(401, out_status);
    copy_word(request->headers, form->event, delivery.event,
              sizeof(delivery.event));
    copy_word(request->headers, form->id, delivery.id, sizeof(delivery.id));
    make_key(form->forge, request, delivery.key);
    *out = delivery;
    return 0;
}

int delivery_read(const struct delivery *delivery,
                  const struct webhook_request *request, const char *base_url,
                  struct event **out_event, struct err *err)
{
    const struct event_source source = {.forge = delivery->forge,
                                        .name = delivery->event,
                                        .body = request->body,
                                        .len = request->len,
                                        .base_url = base_url};

    return event_read(&source, out_event, err);
}

int delivery_check_scope(const struct delivery *delivery,
                         const struct webhook_secrets *secrets,
                         const struct event *event, struct err *err)
{
    if (event->kind == EVENT_IGNORED || event->kind == EVENT_PING)
        return 0;
    for (size_t i = 0; i < secrets->count && i < WEBHOOK_MAX_SECRETS; i++) {
        const char *scope = secrets->items[i].scope;

        if ((delivery->secrets >> i & 1) &&
            (!scope || git_in_scope(event->repo.full_name, scope)))
            return 0;
    }
    return err_set(err, ERR_USER,
                   "the secret is not one that may speak for '%s'",
                   event->repo.full_name);
}
