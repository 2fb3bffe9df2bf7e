/* cli/model_setup.c - whether this machine can ask a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/model_setup.h"

#include "base/proc.h"
#include "worker/job/tools.h"

#include <unistd.h>

static int no_model(const struct settings_options *options, struct err *err)
{
    const char *file = settings_file_of(options);

    return err_set(err, ERR_USER,
                   "no model is configured; write into %.300s\n"
                   "models:\n"
                   "  - name: default\n"
                   "    url: https://api.example.com/v1\n"
                   "    key: env:MODEL_KEY\n"
                   "    model: what-the-provider-calls-it\n"
                   "(docs/models.md has all keys)",
                   file ? file : SETTINGS_FILE);
}

static bool has_opencode(const struct settings *settings)
{
    CLEANUP(mem)
    char *installed =
        xasprintf("%s/" TOOLS_DIR "/" TOOLS_DESCRIPTION, settings->state_dir);

    return access(installed, F_OK) == 0 || proc_in_path("opencode");
}

int model_setup_check(const struct settings_options *options, const char *model,
                      struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;

    if (settings_get(options, NULL, &settings, err) < 0)
        return -1;
    if (!settings->models->count)
        return no_model(options, err);
    if (!model_list_find(settings->models, model ? model : ""))
        return err_set(err, ERR_USER,
                       "the configuration has no model '%.80s' under 'models'",
                       model);
    if (!has_opencode(settings))
        return err_set(err, ERR_USER,
                       "opencode is not set up here: run 'berth setup "
                       "opencode'");
    return 0;
}
