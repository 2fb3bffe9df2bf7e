/* cli/settings_checks.c - what a value of the configuration may be. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings_checks.h"

#include "base/glob.h"
#include "base/host_rule.h"
#include "base/image_name.h"
#include "base/redis.h"
#include "base/redis_url.h"
#include "base/s3_url.h"
#include "cli/settings.h"
#include "cli/webhooks.h"
#include "pipelines/load.h"
#include "scheduler/daemon/enrolled.h"
#include "scheduler/forge/url.h"
#include "worker/gateway/address.h"

#include <string.h>

int settings_check_redis(const char *text, struct err *err)
{
    CLEANUP(redis_url) struct redis_url *url = NULL;

    return *text ? redis_url_parse(text, &url, err) : 0;
}

int settings_check_name(const char *text, struct err *err)
{
    size_t len = strspn(text, SETTINGS_NAME_CHARS);

    if (!len || text[len] || len > SETTINGS_NAME_MAX)
        return err_set(err, ERR_USER,
                       "a name has letters, digits, _ . and -, 1 to %d",
                       SETTINGS_NAME_MAX);
    return 0;
}

int settings_check_label(const char *text, struct err *err)
{
    if (!label_ok(text))
        return err_set(err, ERR_USER,
                       "a label has letters, digits and _.:/=-, the first a "
                       "letter or digit, at most %d",
                       LOAD_MAX_LABEL);
    return 0;
}

int settings_check_range(const char *text, struct err *err)
{
    struct address_range range;

    return network_is_preset(text) ? 0 : address_range_parse(text, &range, err);
}

int settings_check_host(const char *text, struct err *err)
{
    struct host_rule rule;

    return network_is_preset(text) ? 0 : host_rule_parse(text, &rule, err);
}

int settings_check_image(const char *text, struct err *err)
{
    if (*text && !image_name_ok(text))
        return err_set(err, ERR_USER,
                       "this is no name of an image, as node:20-slim is one");
    return 0;
}

int settings_check_registry(const char *text, struct err *err)
{
    CLEANUP(mem) char *name = xasprintf("%s/x", text);
    CLEANUP(mem) char *registry = image_name_registry(name);

    if (!image_name_ok(name) || strcmp(registry, text) != 0)
        return err_set(err, ERR_USER,
                       "a registry is HOST or HOST:PORT, like docker.io");
    return 0;
}

int settings_check_bucket(const char *text, struct err *err)
{
    CLEANUP(s3_url) struct s3_url url = {0};

    return *text ? s3_url_parse(text, &url, err) : 0;
}

int settings_check_place(const char *text, struct err *err)
{
    if (s3_url_is(text))
        return settings_check_bucket(text, err);
    return *text && *text != '/'
               ? err_set(err, ERR_USER,
                         "it is an absolute path, or s3://bucket/prefix?…")
               : 0;
}

int settings_check_runtime(const char *text, struct err *err)
{
    if (*text && *text != '/' && text[strspn(text, SETTINGS_NAME_CHARS)])
        return err_set(err, ERR_USER,
                       "a runtime is the name of a program, or an absolute "
                       "path");
    return 0;
}

int settings_check_listen(const char *text, struct err *err)
{
    struct sockaddr_storage address;

    return *text ? webhook_address(text, &address, err) : 0;
}

int settings_check_base_url(const char *text, struct err *err)
{
    if (*text && (!url_origin_len(text) || strpbrk(text, "?#@ ")))
        return err_set(err, ERR_USER, "this is no address like https://HOST");
    return 0;
}

int settings_check_secret_source(const char *text, struct err *err)
{
    if (*text && strncmp(text, "file:/", 6) != 0 &&
        (strncmp(text, "env:", 4) != 0 || !text[4]))
        return err_set(err, ERR_USER, "this is not file:/PATH or env:NAME");
    return 0;
}

int settings_check_worker_key(const char *text, struct err *err)
{
    CLEANUP(mem) char *name = xstrndup(text, strcspn(text, "="));

    if (settings_check_name(name, err) < 0)
        return -1;
    return enrolled_check(text, err);
}

int settings_check_repositories(const char *text, struct err *err)
{
    const char *problem = glob_problem(text);

    return problem ? err_set(err, ERR_USER, "%s", problem) : 0;
}

/* Long enough to mean no other variable. */
int settings_check_prefix(const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (!len)
        return 0;
    if (len < 4 || !strcmp(text, "BERTH_") || text[len - 1] != '_' ||
        text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")])
        return err_set(err, ERR_USER,
                       "a prefix has capital letters, digits and _, 4 or more, "
                       "ends with _, and is not BERTH_");
    return 0;
}
