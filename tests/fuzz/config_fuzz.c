/* tests/fuzz/config_fuzz.c - configuration files and options of any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"
#include "tests/fuzz/fuzz.h"

#define OPTION_MAX 512

static void check_errors(const struct settings_errors *errors)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    require(diag_list_count(errors->file) + diag_list_count(errors->other) > 0);
    settings_errors_render(errors, &text);
    require(text.len > 0);
}

static void fuzz_file(const char *text, size_t len)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(settings) struct settings *settings = NULL;

    if (settings_load_text("fuzz.yml", text, len, errors, &settings) < 0) {
        check_errors(errors);
        return;
    }
    require(settings->lease.renew_ms < settings->lease.kill_after_ms);
    require(settings->lease.kill_after_ms < settings->lease.duration_ms);
    for (size_t i = 0; i < settings->caps.count; i++)
        require(settings->caps.items[i].value >= 1);
    for (size_t i = 0; i < settings->schedules->count; i++)
        require(settings->schedules->items[i].job->count == 1 &&
                settings->schedules->items[i].zone);
    for (size_t i = 0; i < settings->triggers->count; i++)
        require(settings->triggers->items[i].events &&
                settings->triggers->items[i].pipelines.count);
}

static void on_error(void *arg, const struct config_origin *origin,
                     const char *message, const char *hint)
{
    (void)hint;
    require(origin->from == CONFIG_OPTION && *message);
    *(bool *)arg = true;
}

/* The value of a key from `NAME=VALUE`; NULL: refused. Owned. */
static char *set(const char *text)
{
    const struct config_option option = {.given = "--set", .value = text};
    const struct config_sources sources = {.options = &option,
                                           .option_count = 1};
    CLEANUP(mem) char *name = xstrndup(text, strcspn(text, "="));
    struct settings values = {.state_dir = NULL};
    struct config *config = NULL;
    bool failed = false;
    char *shown = NULL;
    size_t i = 0;

    if (config_load(&settings_table, &sources, &values, on_error, &failed,
                    &config) == 0) {
        require(!failed && config_find(&settings_table, name, &i, NULL) == 0);
        shown = config_shown(config, i);
    } else {
        require(failed);
    }
    config_free(config);
    return shown;
}

/* What is accepted is accepted again as it is shown, and shown the same. */
static void fuzz_option(const char *text)
{
    CLEANUP(mem) char *first = set(text);
    CLEANUP(mem) char *again = NULL;
    CLEANUP(mem) char *second = NULL;

    if (!first || !strcmp(first, "(set)"))
        return;
    again = xasprintf("%.*s=%s", (int)strcspn(text, "="), text, first);
    second = set(again);
    require(second && !strcmp(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_file((const char *)data, size);
    if (size <= OPTION_MAX) {
        CLEANUP(mem) char *text = xstrndup((const char *)data, size);

        fuzz_option(text);
    }
    return 0;
}
