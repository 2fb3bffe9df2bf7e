/* cli/options.h - command-line options from one table a command. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>

/** What the field at an option's offset is. */
enum option_type {
    OPTION_FLAG,   /* bool: becomes true */
    OPTION_STRING, /* const char *: borrowed from argv; given once at most */
    OPTION_LIST, /* struct strv: one more each time, OPTION_LIST_MAX of them */
};

#define OPTION_LIST_MAX 256

/** One row of a command's table. `-h, --help` needs none: all have it. */
struct option_def {
    const char *name;     /* without the dashes: "repo" */
    char letter;          /* the short form, or '\0' */
    const char *argument; /* what help calls it: "PATH"; NULL for a flag */
    const char *help;     /* may have more lines, parted by \n */
    enum option_type type;
    size_t offset; /* offsetof() the field in the command's own struct */
};

/**
 * A command. All static; the table makes the parser, `--help` and the
 * suggestions. `main` gets its own name as argv[0] and returns the exit status.
 */
struct command {
    const char *name;
    const char *operands; /* as help shows them: "PIPELINE"; "" if none */
    const char *summary;  /* one line, for `berth help` */
    const char *details;  /* paragraphs after the options, or NULL */
    const struct option_def *options;
    size_t option_count;
    size_t min_operands;
    size_t max_operands;
    void (*more)(struct strbuf *out); /* adds to the end of help; or NULL */
    int (*main)(int argc, char **argv);
};

#define OPTIONS_HELP  1 /* options_parse(): help was asked for */
#define OPTIONS_USAGE 2 /* the exit status of wrong usage */

/**
 * Read argv[1] and what follows into the struct at `values` (zeroed by the
 * caller, with its own defaults set) and the operands, in order, into
 * `operands`. `--name=value`, `--name value`, `-nvalue`, `-n value`, bundled
 * flags and `--` are understood; options may stand behind operands; "-" is an
 * operand.
 *
 * Returns 0; OPTIONS_HELP when -h or --help is among them; or -1 with ERR_USER,
 * naming the option and one that is close to it. What was read into lists
 * by then is the caller's to clear, in every case.
 */
MUST_USE int options_parse(const struct command *command, int argc,
                           char *const *argv, void *values,
                           struct strv *operands, struct err *err);

/**
 * What to do when options_parse() did not return 0: print the help on stdout,
 * or the error and the usage line on stderr. Returns the exit status, 0 or
 * OPTIONS_USAGE.
 */
int options_finish(const struct command *command, int parsed,
                   const struct err *err);

/** Add the command's help, as `--help` prints it. */
void options_help(const struct command *command, struct strbuf *out);

#endif
