/* worker/checkout/giterr.c - libgit2's last error as one of ours. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/checkout/giterr.h"

#include "base/mem.h"
#include "worker/checkout/reply.h"

#include <errno.h>
#include <git2.h>
#if __has_include(<git2/sys/errors.h>) /* libgit2 1.8 moved it there */
#include <git2/sys/errors.h>
#endif
#include <stdio.h>
#include <string.h>

static const char *last_message(void)
{
    const git_error *last = git_error_last();

    return last && last->message && *last->message ? last->message
                                                   : "unknown error";
}

static int last_class(void)
{
    const git_error *last = git_error_last();

    return last ? last->klass : GIT_ERROR_NONE;
}

/* Of the host, and no fault of the repository's: it may pass. */
static bool is_hosts(const char *said)
{
    static const int faults[] = {EIO, EMFILE, ENFILE};

    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        if (strstr(said, strerrordesc_np(faults[i])))
            return true;
    return false;
}

int giterr_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (is_hosts(last_message()))
        kind = ERR_TRANSIENT;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(err, kind, "%s: %.400s", text, last_message());
}

int giterr_fetch(struct err *err, int code, const char *url)
{
    const char *said = last_message();

    if (code == GIT_EAUTH || strstr(said, "status code: 401") ||
        strstr(said, "status code: 403"))
        return err_set(err, ERR_USER,
                       "cannot fetch from '%s': " CHECKOUT_DENIED ": check "
                       "the credential and the address",
                       url);
    if (strstr(said, "status code: 404") || strstr(said, "status code: 410") ||
        strstr(said, "epository not found"))
        return err_set(err, ERR_USER,
                       "cannot fetch from '%s': " CHECKOUT_ABSENT ", "
                       "or no right to read it",
                       url);
    if (strstr(said, "redirect"))
        return err_set(err, ERR_USER,
                       "cannot fetch from '%s': it redirects elsewhere; give "
                       "the address that it leads to (%.200s)",
                       url, said);
    return err_set(err, ERR_TRANSIENT, "cannot fetch from '%s': %.400s", url,
                   said);
}

int giterr_tree(struct err *err, int code, const char *what, bool *out_damaged)
{
    const char *said = last_message();
    int class = last_class();
    bool full = strstr(said, strerrordesc_np(ENOSPC)) ||
                strstr(said, strerrordesc_np(EDQUOT));

    if (full)
        return err_set(err, ERR_USER,
                       "cannot %s: the sandbox's disk is full; ask for a "
                       "larger one",
                       what);
    if (is_hosts(said))
        return err_set(err, ERR_TRANSIENT, "cannot %s: %.400s", what, said);
    if (class == GIT_ERROR_NOMEMORY)
        return err_set(err, ERR_USER, "cannot %s: a file in it is too large",
                       what);
    if (class == GIT_ERROR_ODB || class == GIT_ERROR_ZLIB ||
        (class == GIT_ERROR_OBJECT && code != GIT_EINVALIDSPEC)) {
        *out_damaged = true;
        return err_set(err, ERR_TRANSIENT,
                       "cannot %s: the mirror lacks an object and will "
                       "be fetched anew (%.200s)",
                       what, said);
    }
    return err_set(err, ERR_USER, "cannot %s: %.400s", what, said);
}

int giterr_say(const char *text)
{
    (void)git_error_set_str(GIT_ERROR_NET, text);
    return -1;
}
