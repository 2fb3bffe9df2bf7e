/* base/resolve.c - the addresses of a host, while the loop goes on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/resolve.h"

#include "base/helper.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* A name server that is dead costs a resolver 5 s, then it asks the next. */
#define LIMIT_MS   10000
#define MAX_OUTPUT ((size_t)64 << 10)

struct resolve {
    char *name; /* owned */
    resolve_fn *fn;
    void *arg;
    struct helper *getent; /* owned */
};

bool resolve_is_address(const char *host)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static bool has(const struct strv *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

/* Lines of an address, a kind of socket, and perhaps the name. */
static void gather(char *text, struct strv *addresses)
{
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save);
         line && addresses->count < RESOLVE_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        line[strcspn(line, " \t")] = '\0';
        if (resolve_is_address(line) && !has(addresses, line))
            strv_add(addresses, line);
    }
}

static void on_end(void *arg, int status, struct strbuf *output,
                   const struct err *ended)
{
    struct resolve *r = arg;
    CLEANUP(strv) struct strv addresses = {0};
    struct err err = {0};

    if (ended && ended->kind == ERR_TIMEOUT)
        (void)err_set(&err, ERR_TRANSIENT,
                      "the name '%s' was not resolved in %d s", r->name,
                      LIMIT_MS / 1000);
    else if (ended)
        (void)err_set(&err, ERR_TRANSIENT, "cannot resolve '%s': %s", r->name,
                      ended->msg);
    else if (status == 0)
        gather(output->data, &addresses);
    if (!ended && !addresses.count)
        (void)err_set(&err, ERR_TRANSIENT,
                      "the name '%s' does not resolve (try: getent ahosts %s)",
                      r->name, r->name);
    r->fn(r->arg, addresses.count ? &addresses : NULL,
          addresses.count ? NULL : &err);
}

int resolve_start(struct loop *loop, const char *name, resolve_fn *fn,
                  void *arg, struct resolve **out_resolve, struct err *err)
{
    CLEANUP(resolve) struct resolve *r = xcalloc(1, sizeof(*r));
    const char *const argv[] = {"getent", "ahosts", "--", name, NULL};
    const struct helper_spec spec = {.name = "getent",
                                     .proc = {.argv = argv,
                                              .in = PROC_NULL,
                                              .err = PROC_NULL,
                                              .new_group = true},
                                     .max_output = MAX_OUTPUT,
                                     .timeout_ms = LIMIT_MS};

    r->name = xstrdup(name);
    r->fn = fn;
    r->arg = arg;
    if (helper_start(loop, &spec, on_end, r, &r->getent, err) < 0) {
        if (err)
            err->kind = ERR_TRANSIENT;
        return err_wrap(err, "cannot resolve '%s'", name);
    }
    *out_resolve = STEAL(r);
    return 0;
}

void resolve_free(struct resolve *r)
{
    if (!r)
        return;
    helper_free(r->getent);
    free(r->name);
    free(r);
}
