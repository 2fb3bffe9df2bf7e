/* cli/settings.c - berth's configuration, checked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/settings.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/s3_keys.h"
#include "base/s3_url.h"
#include "worker/artifacts/artifacts.h"
#include "worker/sandbox/drivers.h"
#include "worker/sandbox/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings_errors *settings_errors_new(void)
{
    struct settings_errors *errors = xcalloc(1, sizeof(*errors));

    errors->file = diag_list_new();
    errors->other = diag_list_new();
    return errors;
}

void settings_errors_free(struct settings_errors *errors)
{
    if (!errors)
        return;
    diag_list_free(errors->file);
    diag_list_free(errors->other);
    free(errors);
}

void settings_errors_render(const struct settings_errors *errors,
                            struct strbuf *out)
{
    diag_list_render(errors->file, out);
    diag_list_render(errors->other, out);
}

static void on_error(void *arg, const struct config_origin *origin,
                     const char *message, const char *hint)
{
    struct settings_errors *errors = arg;
    CLEANUP(mem) char *where = config_origin_text(origin);

    if (origin->from == CONFIG_FILE)
        diag_list_add(errors->file, origin->pos.line, origin->pos.column, hint,
                      "%s", message);
    else
        diag_list_add(errors->other, 0, 0, hint, "%s: %s", where, message);
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    schedule_list_free(settings->schedules);
    trigger_list_free(settings->triggers);
    model_list_free(settings->models);
    config_free(settings->config);
    free(settings);
}

/* ---- what one key alone cannot tell ------------------------------------- */

static const struct {
    const char *less, *more;
    bool or_equal;
} relations[] = {
    {"lease.renew", "lease.kill_after", false},
    {"lease.kill_after", "lease.duration", false},
    {"queue.backoff", "queue.backoff_max", true},
};

static int64_t number_of(const struct settings *settings, size_t index)
{
    const char *field =
        (const char *)settings + settings_table.keys[index].offset;

    return *(const int64_t *)(const void *)field;
}

/* Blames the one that somebody wrote. */
static void blame(const struct settings *settings, size_t less, size_t more,
                  const char *relation, struct settings_errors *errors)
{
    const struct config_origin *origin = config_origin(settings->config, less);
    CLEANUP(mem) char *a = config_shown(settings->config, less);
    CLEANUP(mem) char *b = config_shown(settings->config, more);
    CLEANUP(mem)
    char *message = xasprintf("'%s' (%s) must be %s '%s' (%s)",
                              settings_table.keys[less].name, a, relation,
                              settings_table.keys[more].name, b);

    if (origin->from == CONFIG_DEFAULT)
        origin = config_origin(settings->config, more);
    on_error(errors, origin, message, NULL);
}

/* What is in a bucket anybody may have put there. */
static int check_store(const struct settings *settings,
                       struct settings_errors *errors)
{
    size_t key = 0;

    if (!*settings->cache.store || *settings->cache.store_key ||
        config_find(&settings_table, "cache.store", &key, NULL) < 0)
        return 0;
    on_error(errors, config_origin(settings->config, key),
             "'cache.store' needs 'cache.store_key'", NULL);
    return -1;
}

static int check_relations(const struct settings *settings,
                           struct settings_errors *errors)
{
    int rc = 0;

    for (size_t i = 0; i < ARRAY_LEN(relations); i++) {
        size_t less, more;
        int64_t over;

        if (config_find(&settings_table, relations[i].less, &less, NULL) < 0 ||
            config_find(&settings_table, relations[i].more, &more, NULL) < 0)
            abort(); /* the table has them */
        over = number_of(settings, less) - number_of(settings, more);
        if (over < 0 || (over == 0 && relations[i].or_equal))
            continue;
        blame(settings, less, more,
              relations[i].or_equal ? "at most" : "less than", errors);
        rc = -1;
    }
    return check_store(settings, errors) < 0 ? -1 : rc;
}

static void on_item_error(void *arg, struct yaml_pos pos, const char *message,
                          const char *hint)
{
    struct settings_errors *errors = arg;

    diag_list_add(errors->file, pos.line, pos.column, hint, "%s", message);
}

/* What is a list of mappings, all of it. */
static int load_lists(struct settings *settings, struct settings_errors *errors)
{
    const struct yaml_tree *tree = config_tree(settings->config);
    int rc = schedule_load(tree, settings->schedules_node, on_item_error,
                           errors, &settings->schedules);

    if (trigger_list_load(tree, settings->triggers_node, on_item_error, errors,
                          &settings->triggers) < 0)
        rc = -1;
    if (model_list_load(tree, settings->models_node, on_item_error, errors,
                        &settings->models) < 0)
        rc = -1;
    return rc;
}

/* ---- loading ------------------------------------------------------------ */

static void on_kept(void *arg, const struct config_key *key, const char *kept,
                    const char *wanted)
{
    strv_addf(arg, "'%s' stays '%s': '%s' needs a restart", key->name, kept,
              wanted);
}

static int load(const struct config_sources *sources,
                const struct settings *before, struct strv *kept,
                struct settings_errors *errors, struct settings **out_settings)
{
    CLEANUP(settings)
    struct settings *settings = xcalloc(1, sizeof(*settings));
    int rc;

    diag_list_set_source(errors->file, sources->file ? sources->file : "", "",
                         0);
    rc = config_load(&settings_table, sources, settings, on_error, errors,
                     &settings->config);
    if (rc == 0 && before)
        config_keep(settings->config, before->config, on_kept, kept);
    /* Between defaults in place of what is wrong, relations mean nothing. */
    if (rc == 0)
        rc = check_relations(settings, errors);
    if (load_lists(settings, errors) < 0 || rc < 0)
        return -1;
    *out_settings = STEAL(settings);
    return 0;
}

int settings_load_text(const char *file, const char *text, size_t len,
                       struct settings_errors *errors,
                       struct settings **out_settings)
{
    const struct config_sources sources = {
        .file = file, .text = text, .len = len};

    return load(&sources, NULL, NULL, errors, out_settings);
}

static const char *find_file(const struct settings_from *from)
{
    for (char *const *env = from->environ; env && *env && !from->file; env++)
        if (!strncmp(*env, "BERTH_CONFIG=", 13) && (*env)[13])
            return *env + 13;
    if (from->file)
        return from->file;
    return access(SETTINGS_FILE, F_OK) == 0 ? SETTINGS_FILE : NULL;
}

int settings_load(const struct settings_from *from,
                  struct settings_errors *errors,
                  struct settings **out_settings)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(YAML_MAX_BYTES + 1);
    struct config_sources sources = {.file = find_file(from),
                                     .environ = from->environ,
                                     .options = from->options,
                                     .option_count = from->option_count};
    struct err err = {0};

    if (sources.file &&
        file_read(sources.file, YAML_MAX_BYTES, &text, &err) < 0) {
        diag_list_add(errors->other, 0, 0, NULL,
                      "cannot read the configuration: %s", err.msg);
        return -1;
    }
    sources.text = text.data;
    sources.len = text.len;
    return load(&sources, from->before, from->kept, errors, out_settings);
}

static int load_options(const struct settings_options *options,
                        const struct settings *before, struct strv *kept,
                        struct settings_errors *errors,
                        struct settings **out_settings)
{
    struct config_option sets[OPTION_LIST_MAX];
    const struct settings_from from = {.file = options->file,
                                       .environ = environ,
                                       .options = sets,
                                       .option_count = options->sets.count,
                                       .before = before,
                                       .kept = kept};

    for (size_t i = 0; i < options->sets.count; i++)
        sets[i] = (struct config_option){.given = "--set",
                                         .value = options->sets.items[i]};
    return settings_load(&from, errors, out_settings);
}

const char *settings_file_of(const struct settings_options *options)
{
    const struct settings_from from = {.file = options->file,
                                       .environ = environ};

    return find_file(&from);
}

int settings_load_options(const struct settings_options *options,
                          struct settings_errors *errors,
                          struct settings **out_settings)
{
    return load_options(options, NULL, NULL, errors, out_settings);
}

int settings_get(const struct settings_options *options,
                 const struct settings *before, struct settings **out_settings,
                 struct err *err)
{
    CLEANUP(settings_errors)
    struct settings_errors *errors = settings_errors_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(strv) struct strv kept = {0};

    if (load_options(options, before, &kept, errors, out_settings) < 0) {
        settings_errors_render(errors, &text);
        fputs(text.data, stderr);
        return err_set(err, ERR_USER, "the configuration is invalid");
    }
    for (size_t i = 0; i < kept.count; i++)
        log_warn("%s", kept.items[i]);
    return 0;
}

/* ---- what it is used for ------------------------------------------------- */

char *settings_log_store(const struct settings *settings)
{
    const char *store = settings->log.store;

    if (!*store)
        return NULL;
    return s3_url_is(store) ? xstrdup(store) : xasprintf("dir:%s", store);
}

int settings_export_state_dir(const struct settings *settings, struct err *err)
{
    if (*settings->state_dir &&
        setenv("BERTH_STATE_DIR", settings->state_dir, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set the environment");
    return 0;
}

int settings_export_s3(const struct settings *settings, struct err *err)
{
    if (setenv(S3_CREDENTIALS_VARIABLE, settings->s3.credentials, 1) < 0 ||
        setenv(S3_CA_VARIABLE, settings->s3.ca, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set the environment");
    return 0;
}

int settings_export_sandboxes(const struct settings *settings, struct err *err)
{
    const struct strv *list = &settings->worker.registries;
    const char *driver = settings_drivers[settings->worker.driver];
    CLEANUP(strbuf) struct strbuf registries = STRBUF_INIT;

    for (size_t i = 0; i < list->count; i++)
        strbuf_addf(&registries, "%s%s", i ? "," : "", list->items[i]);
    if (setenv(DRIVER_VARIABLE, driver, 1) < 0 ||
        setenv(RUNTIME_VARIABLE, settings->worker.runtime, 1) < 0 ||
        setenv(DOCKER_SOCKET_VARIABLE, settings->worker.docker_socket, 1) < 0 ||
        setenv(DOCKER_IMAGE_VARIABLE, settings->worker.docker_image, 1) < 0 ||
        setenv(REGISTRIES_VARIABLE, registries.data, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set the environment");
    return 0;
}

int settings_export_artifacts(const struct settings *settings, struct err *err)
{
    CLEANUP(mem)
    char *bytes = xasprintf("%lldB", (long long)settings->artifacts.max_bytes);

    if (setenv(ARTIFACTS_MAX_VARIABLE, bytes, 1) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot set the environment");
    return 0;
}

int settings_make_state_dir(const struct settings *settings, struct err *err)
{
    if (!*settings->state_dir)
        return err_set(err, ERR_USER, "set state_dir: there is no default");
    return dir_make(settings->state_dir, 0711, err);
}

static json_t *list_json(const struct strv *list)
{
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

json_t *settings_gateway(const struct settings *settings)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:I}", "allow_addresses",
                     list_json(&settings->gateway.allow_addresses),
                     "fork_hosts", list_json(&settings->gateway.fork_hosts),
                     "max_connections",
                     (json_int_t)settings->gateway.max_connections, "max_rate",
                     (json_int_t)settings->gateway.max_rate, "max_bytes",
                     (json_int_t)settings->gateway.max_bytes);
}
