/* worker/job/trust.c - whose cache a job may read, and which one it writes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/trust.h"

#include "base/fd.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

#define NAME_DIGITS 40

static void scope_clear(struct trust_scope *scope)
{
    free(STEAL(scope->name));
    free(STEAL(scope->text));
}

void trust_clear(struct trust *trust)
{
    free(STEAL(trust->identity.url));
    scope_clear(&trust->writer);
    for (size_t i = 0; i < trust->reader_count; i++)
        scope_clear(&trust->readers[i]);
    trust->reader_count = 0;
}

/* The whole of it is in the digest: no two scopes are one. */
static struct trust_scope scope_of(const struct checkout_identity *identity,
                                   const char *kind, const char *what)
{
    struct trust_scope scope = {.text = xasprintf("%s\n%s", kind, what)};
    char hex[SHA256_HEX_SIZE];
    struct sha256 sum;

    sha256_init(&sum);
    sha256_add(&sum, identity->url, strlen(identity->url) + 1);
    sha256_add(&sum, identity->credential, strlen(identity->credential) + 1);
    sha256_add(&sum, scope.text, strlen(scope.text));
    sha256_end_hex(&sum, hex);
    scope.name = xasprintf("%s-%.*s", kind, NAME_DIGITS, hex);
    return scope;
}

/* Where the last fetch found the remote's HEAD. */
static char *default_branch(const struct machine *machine)
{
    static const char start[] = "ref: refs/heads/";
    CLEANUP(mem) char *path = NULL;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct err ignored;

    if (!machine_mirror(machine))
        return xstrdup("");
    path =
        xasprintf("%s/" MACHINE_MIRROR_REPO "/HEAD", machine_mirror(machine));
    if (file_read(path, 4096, &text, &ignored) < 0 ||
        strncmp(text.data, start, strlen(start)) != 0)
        return xstrdup("");
    text.data[strcspn(text.data, "\n")] = '\0';
    return xstrdup(text.data + strlen(start));
}

static const char *branch_of(const struct attempt_spec *spec)
{
    return spec->result->branch && *spec->result->branch ? spec->result->branch
                                                         : spec->start->branch;
}

static struct trust_scope own_scope(const struct attempt_spec *spec,
                                    const struct checkout_identity *identity)
{
    const struct job_start *start = spec->start;
    const char *what = *start->change ? start->change : branch_of(spec);

    if (strcmp(start->trust, "fork") == 0)
        return scope_of(identity, "fork", what);
    return scope_of(identity, *start->change ? "change" : "branch", what);
}

int trust_of(const struct attempt_spec *spec, struct trust *out_trust,
             struct err *err)
{
    const struct job_start *start = spec->start;
    CLEANUP(mem) char *head = default_branch(spec->machine);
    const char *base = *start->base ? start->base : head;
    struct trust trust = {0};

    if (!*start->repo)
        return err_set(err, ERR_USER, "the job names no repository");
    if (checkout_identify(start->repo, start->username, start->password,
                          start->whose, &trust.identity, err) < 0)
        return -1;
    trust.writer = own_scope(spec, &trust.identity);
    trust.readers[trust.reader_count++] = own_scope(spec, &trust.identity);
    if (*base)
        trust.readers[trust.reader_count++] =
            scope_of(&trust.identity, "branch", base);
    *out_trust = trust;
    return 0;
}

json_t *trust_meta(const struct trust *trust, int format)
{
    return json_pack("{s:i, s:s, s:s, s:s}", "format", format, "url",
                     trust->identity.url, "credential",
                     trust->identity.credential, "scope", trust->writer.text);
}

static bool is(const json_t *meta, const char *key, const char *wanted)
{
    const char *value = json_string_value(json_object_get(meta, key));

    return value && strcmp(value, wanted) == 0;
}

bool trust_owns(const struct trust *trust, const struct trust_scope *scope,
                const json_t *meta)
{
    return is(meta, "url", trust->identity.url) &&
           is(meta, "credential", trust->identity.credential) &&
           is(meta, "scope", scope->text);
}
