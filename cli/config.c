/* cli/config.c - berth config: every setting, and where it is from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/config_page.h"
#include "cli/settings.h"

#include <stdio.h>
#include <string.h>

struct config_options {
    struct settings_options settings;
    bool json;
    bool check;
    bool reference;
};

static const struct option_def option_defs[] = {
    SETTINGS_OPTION_DEFS(struct config_options, settings),
    {.name = "json",
     .help = "print JSON",
     .type = OPTION_FLAG,
     .offset = offsetof(struct config_options, json)},
    {.name = "check",
     .help = "only say whether it is valid",
     .type = OPTION_FLAG,
     .offset = offsetof(struct config_options, check)},
    {.name = "reference",
     .help = "print docs/configuration.md, and read nothing",
     .type = OPTION_FLAG,
     .offset = offsetof(struct config_options, reference)},
};

static void more_help(struct strbuf *out)
{
    strbuf_adds(out, "\nkeys:\n");
    config_help(&settings_table, ~0U, out);
}

const struct command command_config = {
    .name = "config",
    .operands = "",
    .summary = "Show every setting and where it is from, or check them.",
    .details = "A value comes from the last of these that has it: its\n"
               "default, the file, the environment (BERTH_LEASE_RENEW for\n"
               "lease.renew), --set.\n\n"
               "Exit status: 0 valid, 1 not: all errors are listed on\n"
               "standard error; 2 wrong usage.",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .more = more_help,
    .main = cmd_config,
};

/* ---- for people --------------------------------------------------------- */

static char *shown(const struct settings *settings, size_t index)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;
    const struct schedule_list *schedules = settings->schedules;
    const struct trigger_list *triggers = settings->triggers;
    const struct model_list *models = settings->models;
    const char *name = settings_table.keys[index].name;

    if (settings_table.keys[index].type != CONFIG_TREE)
        return config_shown(settings->config, index);
    if (!strcmp(name, "schedules"))
        for (size_t i = 0; i < schedules->count; i++)
            strbuf_addf(&out, "%s%s", i ? "," : "", schedules->items[i].name);
    else if (!strcmp(name, "models"))
        for (size_t i = 0; i < models->count; i++)
            strbuf_addf(&out, "%s%s", i ? "," : "", models->items[i].name);
    else
        for (size_t i = 0; i < triggers->count; i++)
            for (size_t k = 0; k < triggers->items[i].pipelines.count; k++)
                strbuf_addf(&out, "%s%s", out.len ? "," : "",
                            triggers->items[i].pipelines.items[k]);
    return strbuf_take(&out);
}

static void print_text(const struct settings *settings)
{
    for (size_t i = 0; i < settings_table.count; i++) {
        CLEANUP(mem) char *value = shown(settings, i);
        CLEANUP(mem)
        char *origin = config_origin_text(config_origin(settings->config, i));

        printf("%-28s  %-24s  %s\n", settings_table.keys[i].name,
               *value ? value : "-", origin);
    }
}

static void print_errors(const struct settings_errors *errors)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    settings_errors_render(errors, &out);
    fputs(out.data, stderr);
}

/* ---- for programs ------------------------------------------------------- */

static json_t *key_json(const struct settings *settings, size_t index)
{
    const struct config_key *key = &settings_table.keys[index];
    CLEANUP(mem)
    char *origin = config_origin_text(config_origin(settings->config, index));
    CLEANUP(mem) char *type = config_type_text(key);

    return json_pack("{s:o, s:s, s:s, s:s?, s:s, s:b}", "value",
                     config_to_json(settings->config, index), "origin", origin,
                     "type", type, "default", key->initial, "help", key->help,
                     "reloads", (key->flags & CONFIG_RELOADS) != 0);
}

static json_t *settings_json(const struct settings *settings)
{
    json_t *all = json_object();

    for (size_t i = 0; i < settings_table.count; i++)
        json_object_set_new(all, settings_table.keys[i].name,
                            key_json(settings, i));
    return all;
}

static json_t *errors_json(const struct settings_errors *errors)
{
    json_t *list = diag_list_to_json(errors->file);
    json_t *other = diag_list_to_json(errors->other);

    json_array_extend(list, other);
    json_decref(other);
    return list;
}

static int print_json(const struct settings *settings,
                      const struct settings_errors *errors, bool check)
{
    json_t *document = json_pack("{s:b, s:o}", "valid", settings != NULL,
                                 "errors", errors_json(errors));
    int rc;

    if (settings && !check)
        json_object_set_new(document, "settings", settings_json(settings));
    rc = json_dumpf(document, stdout, JSON_INDENT(2));
    json_decref(document);
    return rc < 0 || putchar('\n') == EOF ? -1 : 0;
}

/* ---- the command -------------------------------------------------------- */

static int show(const struct config_options *options)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(settings) struct settings *settings = NULL;
    int status = settings_load_options(&options->settings, errors, &settings);

    status = status < 0;
    if (options->json)
        status |= print_json(settings, errors, options->check) < 0;
    else if (!settings)
        print_errors(errors);
    else if (options->check)
        puts("the configuration is valid");
    else
        print_text(settings);
    return fflush(stdout) ? 1 : status;
}

int cmd_config(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    CLEANUP(strbuf) struct strbuf page = STRBUF_INIT;
    struct config_options options = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_config, argc, argv, &options, &operands, &err);
    int status;

    if (parsed != 0) {
        status = options_finish(&command_config, parsed, &err);
    } else if (options.reference) {
        config_page(&page);
        status = fputs(page.data, stdout) < 0 || fflush(stdout);
    } else {
        status = show(&options);
    }
    strv_clear(&options.settings.sets);
    return status;
}
