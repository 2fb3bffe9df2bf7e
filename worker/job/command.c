/* worker/job/command.c - what a step of commands runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job/command.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* `npm ci` wants a lock file; without one, `npm install` makes do. */
static const char npm_script[] =
    "if [ ! -f package.json ]; then\n"
    "  echo \"install: npm: there is no package.json in $PWD\" >&2\n"
    "  exit 1\n"
    "fi\n"
    "if [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then\n"
    "  echo '$ npm ci'\n"
    "  exec npm ci --no-audit --no-fund --no-update-notifier\n"
    "fi\n"
    "echo '$ npm install   (no package-lock.json: versions may vary)'\n"
    "exec npm install --no-audit --no-fund --no-update-notifier\n";

/* How a shell takes a script, so that its first failure is its end. */
static const struct {
    const char *name;
    const char *flags[4];
} shells[] = {
    {"sh", {"-e", "-c"}},
    {"bash", {"-e", "-o", "pipefail", "-c"}},
    {"python3", {"-c"}},
    {"node", {"-e"}},
};

static void fill_argv(const char *shell, const char *script, struct strv *argv)
{
    strv_add(argv, shell);
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (!strcmp(shells[i].name, shell))
            for (size_t j = 0;
                 j < ARRAY_LEN(shells[i].flags) && shells[i].flags[j]; j++)
                strv_add(argv, shells[i].flags[j]);
    if (argv->count == 1)
        strv_add(argv, "-c");
    strv_add(argv, script);
}

static char *script_of(const struct step *step)
{
    struct strbuf script = STRBUF_INIT;

    if (step->kind == STEP_INSTALL)
        return xstrdup(npm_script);
    for (size_t i = 0; i < step->command_count; i++)
        strbuf_addf(&script, "%s%s", i ? "\n" : "", step->commands[i]);
    return strbuf_take(&script);
}

void command_argv(const struct step *step, struct strv *argv)
{
    CLEANUP(mem) char *script = script_of(step);

    fill_argv(step->kind == STEP_INSTALL ? "sh" : step->shell, script, argv);
}
