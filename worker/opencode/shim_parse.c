/* worker/opencode/shim_parse.c - the arguments of both opencodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/opencode/shim.h"

#include <string.h>

/* Options of `opencode run` that take a value. */
static const char *const valued[] = {
    "-m",    "--model",    "--agent",   "--title",    "-f",        "--file",
    "-s",    "--session",  "--variant", "--attach",   "--command", "--port",
    "--dir", "--password", "-p",        "--log-level"};

static void add_word(struct strbuf *prompt, const char *word)
{
    if (prompt->len)
        strbuf_addc(prompt, ' ');
    strbuf_adds(prompt, word);
}

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(word, list[i]))
            return true;
    return false;
}

/*
 * The value of option `a` or `b` at `*at`, which moves on to it where it is a
 * word of its own. NULL: it is another option; "" also where there is none.
 */
static const char *value_of(int argc, const char *const *argv, int *at,
                            const char *a, const char *b)
{
    const char *word = argv[*at];
    size_t len = strlen(b);

    if (!strncmp(word, b, len) && word[len] == '=')
        return word + len + 1;
    if (strcmp(word, a) != 0 && strcmp(word, b) != 0)
        return NULL;
    if (*at + 1 >= argc || !argv[*at + 1])
        return "";
    return argv[++*at];
}

/* ---- the newer one ------------------------------------------------------- */

static void note(struct shim_call *call, const char *word)
{
    call->has_model |= !strcmp(word, "-m") || !strncmp(word, "--model", 7);
    call->has_title |= !strncmp(word, "--title", 7);
}

static int parse_run(int argc, const char *const *argv, struct shim_call *call,
                     struct err *err)
{
    for (int i = 0; i < argc; i++) {
        const char *format = value_of(argc, argv, &i, "--format", "--format");

        if (format) {
            call->events = !strcmp(format, "json");
            if (!call->events && strcmp(format, "default") != 0)
                return err_set(err, ERR_USER, "--format is default or json");
        } else if (!strcmp(argv[i], "--")) {
            while (++i < argc)
                add_word(&call->prompt, argv[i]);
        } else if (argv[i][0] != '-' || !argv[i][1]) {
            add_word(&call->prompt, argv[i]);
        } else {
            note(call, argv[i]);
            strv_add(&call->rest, argv[i]);
            if (is_one_of(argv[i], valued, ARRAY_LEN(valued)) && i + 1 < argc)
                strv_add(&call->rest, argv[++i]);
        }
    }
    return 0;
}

/* ---- the older one ------------------------------------------------------- */

static int parse_legacy(int argc, const char *const *argv,
                        struct shim_call *call, struct err *err)
{
    for (int i = 0; i < argc; i++) {
        const char *value;

        if ((value = value_of(argc, argv, &i, "-p", "--prompt"))) {
            add_word(&call->prompt, value);
        } else if ((value =
                        value_of(argc, argv, &i, "-f", "--output-format")) ||
                   (value = value_of(argc, argv, &i, "-f", "--format"))) {
            call->wrap = !strcmp(value, "json");
            if (!call->wrap && strcmp(value, "text") != 0)
                return err_set(err, ERR_USER, "-f is text or json");
        } else if ((value = value_of(argc, argv, &i, "-c", "--cwd"))) {
            call->cwd = value;
        } else if ((value = value_of(argc, argv, &i, "-m", "--model"))) {
            call->has_model = true;
            strv_add(&call->rest, "-m");
            strv_add(&call->rest, value);
        } else if ((value = value_of(argc, argv, &i, "--agent", "--agent"))) {
            strv_add(&call->rest, "--agent");
            strv_add(&call->rest, value);
        } else if (!strcmp(argv[i], "-q") || !strcmp(argv[i], "--quiet") ||
                   !strcmp(argv[i], "-d") || !strcmp(argv[i], "--debug")) {
            continue; /* we are quiet, but for what went wrong */
        } else if (argv[i][0] != '-') {
            add_word(&call->prompt, argv[i]);
        } else {
            return err_set(err, ERR_USER,
                           "opencode -p does not have the option '%.80s'",
                           argv[i]);
        }
    }
    return 0;
}

/* ---- which --------------------------------------------------------------- */

static bool is_legacy(int argc, const char *const *argv)
{
    for (int i = 0; i < argc; i++)
        if (!strcmp(argv[i], "-p") || !strcmp(argv[i], "--prompt") ||
            !strncmp(argv[i], "--prompt=", 9))
            return true;
    return false;
}

int shim_parse(int argc, const char *const *argv, struct shim_call *out,
               struct err *err)
{
    /* Commands of the newer one that end by themselves. */
    static const char *const passed[] = {
        "--help",  "-h",        "--version", "-v",     "models", "auth",
        "agent",   "export",    "stats",     "debug",  "mcp",    "session",
        "upgrade", "uninstall", "github",    "import", "db"};
    int rc = 0;

    *out = (struct shim_call){.prompt = STRBUF_MAX(SHIM_MAX_PROMPT)};
    if (argc && is_one_of(argv[0], passed, ARRAY_LEN(passed)))
        out->kind = SHIM_PASS;
    else if (argc && !strcmp(argv[0], "run"))
        rc = parse_run(argc - 1, argv + 1, out, err);
    else if (is_legacy(argc, argv))
        rc = parse_legacy(argc, argv, out, err);
    else if (argc) /* the interface, a server, a directory to open */
        out->kind = SHIM_INTERACTIVE;
    if (rc < 0)
        shim_call_clear(out);
    return rc;
}

void shim_call_clear(struct shim_call *call)
{
    strbuf_clear(&call->prompt);
    strv_clear(&call->rest);
}
