/* cli/options.c - command-line options from one table a command. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "base/log.h"
#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 26 /* where the help texts start */

static const struct option_def help_option = {
    .name = "help", .letter = 'h', .help = "show this help and exit"};

/* Where the parser stands. */
struct parse {
    const struct command *command;
    char *const *argv; /* NULL-terminated at argv[argc] or not: see argc */
    int argc;
    int next;     /* index of the argument after this one */
    char *values; /* the command's struct */
    bool seen[64];
};

static const struct option_def *by_name(const struct command *command,
                                        const char *name, size_t len)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const struct option_def *def = &command->options[i];

        if (strlen(def->name) == len && !strncmp(def->name, name, len))
            return def;
    }
    return len == 4 && !strncmp(name, "help", 4) ? &help_option : NULL;
}

static const struct option_def *by_letter(const struct command *command,
                                          char letter)
{
    for (size_t i = 0; i < command->option_count; i++)
        if (command->options[i].letter == letter)
            return &command->options[i];
    return letter == 'h' ? &help_option : NULL;
}

static int unknown_name(const struct command *command, const char *name,
                        size_t len, struct err *err)
{
    CLEANUP(mem) char *word = xstrndup(name, len);
    struct suggest meant = SUGGEST_INIT(word);

    for (size_t i = 0; i < command->option_count; i++)
        suggest_offer(&meant, command->options[i].name);
    suggest_offer(&meant, help_option.name);
    if (meant.best)
        return err_set(err, ERR_USER,
                       "unknown option '--%.100s'; did you mean '--%s'?", word,
                       meant.best);
    return err_set(err, ERR_USER, "unknown option '--%.100s'", word);
}

/* Store a value. `given` is the option as it was typed, for messages. */
static int store(struct parse *p, const struct option_def *def,
                 const char *given, const char *value, struct err *err)
{
    size_t index = (size_t)(def - p->command->options);
    char *field = p->values + def->offset;

    if (def->type == OPTION_FLAG) {
        *(bool *)(void *)field = true;
    } else if (def->type == OPTION_LIST) {
        struct strv *list = (struct strv *)(void *)field;

        if (list->count == OPTION_LIST_MAX)
            return err_set(err, ERR_USER, "option '%s' is given over %d times",
                           given, OPTION_LIST_MAX);
        strv_add(list, value);
    } else {
        if (p->seen[index])
            return err_set(err, ERR_USER, "option '%s' is given twice", given);
        p->seen[index] = true;
        *(const char **)(void *)field = value;
    }
    return 0;
}

/* The value of an option: `attached` to it, or the next argument. */
static int take(struct parse *p, const struct option_def *def,
                const char *given, const char *attached, struct err *err)
{
    if (def->type != OPTION_FLAG && !attached) {
        if (p->next == p->argc)
            return err_set(err, ERR_USER, "option '%s' needs %s behind it",
                           given, def->argument);
        attached = p->argv[p->next++];
    }
    return store(p, def, given, attached, err);
}

static int parse_long(struct parse *p, const char *arg, struct err *err)
{
    size_t len = strcspn(arg + 2, "=");
    const char *attached = arg[2 + len] ? arg + 3 + len : NULL;
    const struct option_def *def = by_name(p->command, arg + 2, len);
    CLEANUP(mem) char *given = NULL;

    if (!def)
        return unknown_name(p->command, arg + 2, len, err);
    given = xasprintf("--%s", def->name);
    if (def->type == OPTION_FLAG && attached)
        return err_set(err, ERR_USER, "option '%s' takes no value", given);
    return def == &help_option ? OPTIONS_HELP
                               : take(p, def, given, attached, err);
}

static int parse_letters(struct parse *p, const char *arg, struct err *err)
{
    for (const char *c = arg + 1; *c; c++) {
        const struct option_def *def = by_letter(p->command, *c);
        const char given[] = {'-', *c, '\0'};
        bool last;

        if (!def && arg[2] && by_name(p->command, arg + 1, strlen(arg + 1)))
            return err_set(err, ERR_USER,
                           "unknown option '%.100s'; did you mean '-%.100s'?",
                           arg, arg);
        if (!def)
            return err_set(err, ERR_USER, "unknown option '%s'", given);
        if (def == &help_option)
            return OPTIONS_HELP;
        last = def->type != OPTION_FLAG;
        if (take(p, def, given, last && c[1] ? c + 1 : NULL, err) < 0)
            return -1;
        if (last)
            break;
    }
    return 0;
}

static int check_operands(const struct command *command,
                          const struct strv *operands, struct err *err)
{
    if (operands->count < command->min_operands)
        return err_set(err, ERR_USER, "'berth %s' needs %s", command->name,
                       command->operands);
    if (operands->count > command->max_operands)
        return err_set(err, ERR_USER, "unexpected argument '%.200s'",
                       operands->items[command->max_operands]);
    return 0;
}

int options_parse(const struct command *command, int argc, char *const *argv,
                  void *values, struct strv *operands, struct err *err)
{
    struct parse p = {.command = command,
                      .argv = argv,
                      .argc = argc,
                      .next = 1,
                      .values = values};
    bool only_operands = false;

    if (command->option_count > ARRAY_LEN(p.seen))
        return err_set(err, ERR_BUG, "'%s' has too many options",
                       command->name);
    while (p.next < argc) {
        const char *arg = argv[p.next++];
        int rc = 0;

        if (only_operands || arg[0] != '-' || !arg[1])
            strv_add(operands, arg);
        else if (!strcmp(arg, "--"))
            only_operands = true;
        else if (arg[1] == '-')
            rc = parse_long(&p, arg, err);
        else
            rc = parse_letters(&p, arg, err);
        if (rc)
            return rc;
    }
    return check_operands(command, operands, err);
}

static void help_row(struct strbuf *out, const struct option_def *def)
{
    size_t start = out->len;
    const char *line = def->help;

    if (def->letter)
        strbuf_addf(out, "  -%c, --%s", def->letter, def->name);
    else
        strbuf_addf(out, "      --%s", def->name);
    if (def->argument)
        strbuf_addf(out, " %s", def->argument);
    if (out->len - start > HELP_COLUMN - 2) {
        strbuf_addc(out, '\n');
        start = out->len;
    }
    while (line) {
        const char *end = strchr(line, '\n');

        while (out->len - start < HELP_COLUMN)
            strbuf_addc(out, ' ');
        strbuf_add(out, line, end ? (size_t)(end - line) : strlen(line));
        strbuf_addc(out, '\n');
        start = out->len;
        line = end ? end + 1 : NULL;
    }
}

static void usage_line(const struct command *command, struct strbuf *out)
{
    strbuf_addf(out, "usage: berth %s%s%s%s\n", command->name,
                *command->operands ? " " : "", command->operands,
                command->option_count ? " [options]" : "");
}

void options_help(const struct command *command, struct strbuf *out)
{
    usage_line(command, out);
    strbuf_addf(out, "\n%s\n\noptions:\n", command->summary);
    for (size_t i = 0; i < command->option_count; i++)
        help_row(out, &command->options[i]);
    help_row(out, &help_option);
    if (command->details)
        strbuf_addf(out, "\n%s\n", command->details);
    if (command->more)
        command->more(out);
}

int options_finish(const struct command *command, int parsed,
                   const struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;

    if (parsed == OPTIONS_HELP) {
        options_help(command, &text);
        return fputs(text.data, stdout) < 0 || fflush(stdout) ? 1 : 0;
    }
    log_error("%s", err->msg);
    usage_line(command, &text);
    fputs(text.data, stderr);
    fprintf(stderr, "'berth help %s' lists the options\n", command->name);
    return OPTIONS_USAGE;
}
