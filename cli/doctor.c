/* cli/doctor.c - berth doctor: what would keep jobs from running. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"

#include "cli/commands.h"
#include "cli/text.h"

#include <stdio.h>
#include <string.h>

struct doctor_options {
    struct settings_options settings;
    bool json;
};

static const struct option_def option_defs[] = {
    SETTINGS_OPTION_DEFS(struct doctor_options, settings),
    {.name = "json",
     .help = "print {\"ok\", \"checks\": [{\"name\", \"level\", \"finding\",\n"
             "\"advice\"}]}",
     .type = OPTION_FLAG,
     .offset = offsetof(struct doctor_options, json)},
};

const struct command command_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "Look for what would keep jobs from running.",
    .details = "Looks at Redis, at this host as one that runs jobs, and at\n"
               "the programs that jobs use. A pool of its own is made in\n"
               "Redis and removed again; nothing else is changed.\n\n"
               "Exit status: 0 nothing FAILs, 1 something does, 2 wrong usage.",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .main = cmd_doctor,
};

static const char *const level_words[] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_WARN] = "warn",
    [DOCTOR_FAIL] = "FAIL",
};

/* ---- findings ----------------------------------------------------------- */

static void set(struct finding *out, enum doctor_level level,
                const char *advice, const char *fmt, va_list ap)
    PRINTF_LIKE(4, 0);

static void set(struct finding *out, enum doctor_level level,
                const char *advice, const char *fmt, va_list ap)
{
    CLEANUP(mem) char *text = xvasprintf(fmt, ap);

    out->level = level;
    strbuf_cut(&out->text, 0);
    strbuf_cut(&out->advice, 0);
    /* Words of Redis and of programs are a stranger's. */
    text_add_clean(&out->text, text);
    text_add_clean(&out->advice, advice);
}

void finding_ok(struct finding *out, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(out, DOCTOR_OK, "", fmt, ap);
    va_end(ap);
}

void finding_warn(struct finding *out, const char *advice, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(out, DOCTOR_WARN, advice, fmt, ap);
    va_end(ap);
}

void finding_fail(struct finding *out, const char *advice, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(out, DOCTOR_FAIL, advice, fmt, ap);
    va_end(ap);
}

/* ---- the run ------------------------------------------------------------ */

static void print_finding(const char *name, const struct finding *found)
{
    printf("%-4s %s: %s\n", level_words[found->level], name, found->text.data);
    if (found->advice.len)
        printf("     %s\n", found->advice.data);
    (void)fflush(stdout); /* some checks take a while */
}

static json_t *finding_json(const char *name, const struct finding *found)
{
    return json_pack("{s:s, s:s, s:s, s:s?}", "name", name, "level",
                     level_words[found->level], "finding", found->text.data,
                     "advice", found->advice.len ? found->advice.data : NULL);
}

/* Returns whether any check failed. Prints, or adds to `list`. */
static bool run_checks(struct doctor *doctor, const struct doctor_checks *all,
                       json_t *list)
{
    bool failed = false;

    for (size_t i = 0; i < all->count; i++) {
        const struct doctor_check *check = &all->items[i];
        struct finding found = {.text = STRBUF_INIT, .advice = STRBUF_INIT};

        if (check->needs_redis && !doctor->redis)
            continue;
        check->run(doctor, &found);
        failed |= found.level == DOCTOR_FAIL;
        if (list)
            json_array_append_new(list, finding_json(check->name, &found));
        else
            print_finding(check->name, &found);
        strbuf_clear(&found.text);
        strbuf_clear(&found.advice);
    }
    return failed;
}

static int examine(const struct settings *settings, bool json)
{
    static const struct doctor_checks *const groups[] = {
        &doctor_redis_checks, &doctor_host_checks, &doctor_tool_checks};
    struct doctor doctor = {.settings = settings, .info = STRBUF_INIT};
    json_t *list = json ? json_array() : NULL;
    json_t *document;
    bool failed = false;

    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        failed |= run_checks(&doctor, groups[i], list);
    redis_sync_free(doctor.redis);
    strbuf_clear(&doctor.info);
    if (json) {
        document = json_pack("{s:b, s:o}", "ok", !failed, "checks", list);
        failed |= json_dumpf(document, stdout, JSON_INDENT(2)) < 0 ||
                  putchar('\n') == EOF;
        json_decref(document);
    }
    return fflush(stdout) || failed;
}

int cmd_doctor(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(settings) struct settings *settings = NULL;
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    struct doctor_options options = {0};
    struct err err = {0};
    int parsed =
        options_parse(&command_doctor, argc, argv, &options, &operands, &err);
    int status;

    if (parsed != 0) {
        status = options_finish(&command_doctor, parsed, &err);
    } else if (settings_load_options(&options.settings, errors, &settings) <
               0) {
        settings_errors_render(errors, &text);
        fputs(text.data, stderr);
        status = 1;
    } else {
        status = examine(settings, options.json);
    }
    strv_clear(&options.settings.sets);
    return status;
}
