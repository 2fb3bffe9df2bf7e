/* cli/settings_defaults.c - values that the host decides. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings_defaults.h"

#include "base/mem.h"
#include "base/state.h"
#include "cli/settings.h"
#include "cli/settings_checks.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

char *settings_default_name(const void *values)
{
    char name[SETTINGS_NAME_MAX + 1] = "";
    char *c = name;

    (void)values;
    (void)gethostname(name, sizeof(name));
    name[SETTINGS_NAME_MAX] = '\0';
    for (; *(c += strspn(c, SETTINGS_NAME_CHARS)); c++)
        *c = '-';
    return xstrdup(*name ? name : "worker");
}

char *settings_default_capacity(const void *values)
{
    cpu_set_t set;
    int count = 1;

    (void)values;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = CPU_COUNT(&set);
    return xasprintf("%d", count > 0 ? count : 1);
}

char *settings_default_state(const void *values)
{
    char *dir = state_dir_default();

    (void)values;
    return dir ? dir : xstrdup("");
}

char *settings_default_log_store(const void *values)
{
    const struct settings *settings = values;

    return *settings->state_dir ? xasprintf("%s/logs", settings->state_dir)
                                : xstrdup("");
}

char *settings_default_cache(const void *values)
{
    const struct settings *settings = values;

    return *settings->state_dir ? xasprintf("%s/cache", settings->state_dir)
                                : xstrdup("");
}
