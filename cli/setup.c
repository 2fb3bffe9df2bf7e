/* cli/setup.c - berth setup: install what sandboxes are given of this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/embed.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/state.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "worker/job/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPENCODE_VERSION "1.18.33"
#define VERSION_MAX      40
#define INSTALL_MS       ((int64_t)20 * 60 * 1000)
#define ASK_MS           30000
#define ANSWER_MAX       ((size_t)64 << 10)

/* What npm makes of it, without addresses: the registry is npm's to choose. */
EMBED(opencode_lock, "cli/opencode/package-lock.json");

struct setup_options {
    struct settings_options settings;
    const char *version;
};

static const struct option_def option_defs[] = {
    {.name = "version",
     .argument = "V",
     .help = "which opencode-ai of npm (default: " OPENCODE_VERSION ")",
     .type = OPTION_STRING,
     .offset = offsetof(struct setup_options, version)},
    SETTINGS_OPTION_DEFS(struct setup_options, settings),
};

const struct command command_setup = {
    .name = "setup",
    .operands = "opencode",
    .summary = "Install what jobs are given of this worker: opencode.",
    .details =
        "Installs opencode-ai with npm (whose own configuration counts) into "
        "the\nstate directory, without its scripts, and ripgrep beside it. "
        "Jobs with a\nmodel find both in their sandboxes from then on. Doing "
        "it again, or beside a\nworker, is fine.\n\n"
        "The default version must have the digests that are built in (on "
        "x86-64;"
        "\nelsewhere, and of another version, npm's registry is believed).\n\n"
        "exit status: 0 it is there, 1 it could not be done, 2 wrong usage",
    .options = option_defs,
    .option_count = ARRAY_LEN(option_defs),
    .min_operands = 1,
    .max_operands = 1,
    .main = cmd_setup,
};

/* ---- files ---------------------------------------------------------------
 */

/* What the file is, whatever the name leads over; it stays as it is. */
static int copy(const char *from, const char *to, struct err *err)
{
    CLEANUP(fd) int in = -1;
    CLEANUP(fd) int out = -1;

    in = open(from, O_RDONLY | O_CLOEXEC);
    out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (in < 0 || out < 0)
        return err_sys(err, ERR_USER, "cannot copy '%s' to '%s'", from, to);
    if (fd_copy(in, out, err) < 0)
        return -1;
    return fchmod(out, 0755) == 0
               ? 0
               : err_sys(err, ERR_USER, "cannot change '%s'", to);
}

/* ---- npm ------------------------------------------------------------------
 */

static int run_visibly(const char *const *argv, const char *cwd,
                       struct err *err)
{
    const struct proc_spec spec = {.argv = argv,
                                   .cwd = cwd,
                                   .in = PROC_NULL,
                                   .out = STDERR_FILENO,
                                   .err = PROC_INHERIT};
    int status = 0;
    pid_t pid;

    if (proc_spawn(&spec, &pid, err) < 0 ||
        proc_wait(pid, INSTALL_MS, &status, err) < 0)
        return -1;
    if (status != 0)
        return err_set(err, ERR_USER, "'%s' failed", argv[0]);
    return 0;
}

static int write_lock(const char *stage, const char *version, struct err *err)
{
    CLEANUP(mem) char *package = xasprintf("%s/package.json", stage);
    CLEANUP(mem) char *lock = xasprintf("%s/package-lock.json", stage);
    CLEANUP(mem)
    char *text = xasprintf("{\"name\": \"berth-opencode\", \"private\": true, "
                           "\"dependencies\": {\"opencode-ai\": \"%s\"}}\n",
                           version);

    if (file_write(package, text, strlen(text), 0644, err) < 0)
        return -1;
    return file_write(lock, opencode_lock, strlen(opencode_lock), 0644, err);
}

/* Whether the lock has digests of this version's packages for this host. */
static bool is_locked(const char *version)
{
#if defined(__x86_64__)
    return strcmp(version, OPENCODE_VERSION) == 0;
#else
    (void)version;
    return false;
#endif
}

/* `npm ci` refuses what is not, byte for byte, what the lock says. */
static int npm_install(const char *stage, const char *version, struct err *err)
{
    CLEANUP(mem) char *package = xasprintf("opencode-ai@%s", version);
    bool locked = is_locked(version);
    const char *const argv[] = {
        "npm",       locked ? "ci" : "install", "--prefix",
        stage,       "--ignore-scripts",        "--no-audit",
        "--no-fund", "--no-update-notifier",    locked ? NULL : package,
        NULL};

    if (!proc_in_path("npm"))
        return err_set(err, ERR_USER,
                       "npm is not installed (Debian: apt-get install npm)");
    if (locked && write_lock(stage, version, err) < 0)
        return -1;
    if (!locked)
        log_warn("no digest of opencode-ai %s for this kind of processor is "
                 "known here: what the registry has is taken as it is",
                 version);
    if (run_visibly(argv, stage, err) < 0)
        return locked ? err_wrap(err,
                                 "opencode-ai %s is not what this berth knows, "
                                 "or did not come",
                                 version)
                      : -1;
    return 0;
}

/* What the program says to `argument`; false: it does not run here. */
static bool ask(const char *program, const char *argument, const char *home,
                struct strbuf *out)
{
    CLEANUP(strv) struct strv env = {0};
    const char *const argv[] = {program, argument, NULL};
    struct proc_spec spec = {.argv = argv,
                             .cwd = home,
                             .in = PROC_NULL,
                             .out = PROC_NULL,
                             .err = PROC_NULL};
    struct err err;
    int status = 0;

    strv_setenv(&env, "PATH", "/usr/local/bin:/usr/bin:/bin");
    strv_setenv(&env, "HOME", home);
    strv_setenv(&env, "OPENCODE_DISABLE_AUTOUPDATE", "1");
    strv_setenv(&env, "OPENCODE_DISABLE_MODELS_FETCH", "1");
    spec.envp = env.items;
    return proc_call(&spec, ASK_MS, out, &status, &err) == 0 && status == 0;
}

/* The programs of other kinds of processors are there, too. */
static int choose(const char *stage, const char *home, char **out_program,
                  struct err *err)
{
    static const char *const places[] = {
#if defined(__aarch64__)
        "opencode-linux-arm64/bin/opencode",
#else
        "opencode-linux-x64/bin/opencode",
        "opencode-linux-x64-baseline/bin/opencode",
#endif
        "opencode-ai/bin/opencode.exe",
        "opencode-ai/bin/opencode"
    };

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        CLEANUP(mem)
        char *program = xasprintf("%s/node_modules/%s", stage, places[i]);
        CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(ANSWER_MAX);

        (void)chmod(program, 0755);
        if (access(program, X_OK) == 0 &&
            ask(program, "--version", home, &said)) {
            *out_program = STEAL(program);
            return 0;
        }
    }
    return err_set(err, ERR_USER,
                   "opencode-ai has no program that runs on this host");
}

/* Into a directory that nobody looks into yet. */
static int fill(const char *stage, const char *version, struct err *err)
{
    CLEANUP(mem) char *home = xasprintf("%s/home", stage);
    CLEANUP(mem) char *modules = xasprintf("%s/node_modules", stage);
    CLEANUP(mem) char *to = xasprintf("%s/" TOOLS_PROGRAM, stage);
    CLEANUP(mem) char *program = NULL;

    if (mkdir(home, 0700) < 0)
        return err_sys(err, ERR_USER, "cannot make '%s'", home);
    if (npm_install(stage, version, err) < 0 ||
        choose(stage, home, &program, err) < 0)
        return -1;
    if (rename(program, to) < 0)
        return err_sys(err, ERR_USER, "cannot make '%s'", to);
    if (tree_remove(home, err) < 0 || tree_remove(modules, err) < 0)
        return -1;
    return chmod(stage, 0755) == 0
               ? 0
               : err_sys(err, ERR_USER, "cannot change '%s'", stage);
}

static int install(const char *tools, const char *dir, const char *version,
                   struct err *err)
{
    CLEANUP(mem) char *stage = xasprintf("%s/opencode.tmp-XXXXXX", tools);
    struct err ignored;
    int rc;

    if (!mkdtemp(stage))
        return err_sys(err, ERR_USER, "cannot make a directory in '%s'", tools);
    rc = fill(stage, version, err);
    /* Another one may have come first. */
    if (rc == 0 && rename(stage, dir) < 0 && errno != EEXIST &&
        errno != ENOTEMPTY)
        rc = err_sys(err, ERR_USER, "cannot make '%s'", dir);
    (void)!tree_remove(stage, &ignored);
    return rc;
}

/* ---- ripgrep --------------------------------------------------------------
 */

static void apt_install(void)
{
    static const char *const argv[] = {
        "apt-get", "install", "-y", "--no-install-recommends",
        "-q",      "ripgrep", NULL};
    struct err err;

    if (geteuid() != 0 || !proc_in_path("apt-get"))
        return;
    (void)fputs("installing ripgrep with apt-get\n", stderr);
    if (run_visibly(argv, NULL, &err) < 0)
        log_warn("%s", err.msg);
}

static int add_ripgrep(const char *dir, struct err *err)
{
    CLEANUP(mem) char *to = xasprintf("%s/rg", dir);
    CLEANUP(mem) char *stage = xasprintf("%s/rg.%d", dir, (int)getpid());
    CLEANUP(mem) char *from = NULL;

    if (access(to, X_OK) == 0)
        return 0;
    if (!proc_in_path("rg"))
        apt_install();
    from = proc_find("rg");
    if (!from) {
        log_warn("there is no ripgrep here, so models cannot grep: install it "
                 "(Debian: apt-get install ripgrep), then do this again");
        return 0;
    }
    (void)unlink(stage);
    if (copy(from, stage, err) < 0)
        return -1;
    return rename(stage, to) == 0
               ? 0
               : err_sys(err, ERR_USER, "cannot make '%s'", to);
}

/* ---- all of it ------------------------------------------------------------
 */

static const char *dialect_of(const char *dir)
{
    CLEANUP(mem) char *program = xasprintf("%s/" TOOLS_PROGRAM, dir);
    CLEANUP(mem) char *home = xstrdup("/tmp/berth-XXXXXX");
    CLEANUP(strbuf) struct strbuf said = STRBUF_MAX(ANSWER_MAX);
    struct err ignored;
    bool legacy = false;

    if (!mkdtemp(home))
        return "run";
    if (ask(program, "--help", home, &said))
        legacy = !strstr(said.data, "opencode run") &&
                 strstr(said.data, "-p, --prompt");
    (void)!tree_remove(home, &ignored);
    return legacy ? "legacy" : "run";
}

static int describe(const char *tools, const char *version,
                    const char *dir_name, const char *dialect, struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/" TOOLS_DESCRIPTION, tools);
    CLEANUP(mem)
    char *text = xasprintf("{\"version\": \"%s\", \"dialect\": \"%s\", "
                           "\"dir\": \"%s\"}\n",
                           version, dialect, dir_name);

    return file_write(path, text, strlen(text), 0644, err);
}

static int setup_opencode(const char *version, struct err *err)
{
    CLEANUP(mem) char *name = xasprintf("opencode-%s", version);
    CLEANUP(mem) char *tools = NULL;
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *program = NULL;
    const char *dialect;

    if (state_subdir(TOOLS_DIR, 0755, &tools, err) < 0)
        return -1;
    dir = xasprintf("%s/%s", tools, name);
    program = xasprintf("%s/" TOOLS_PROGRAM, dir);
    if (access(program, X_OK) < 0) {
        (void)fprintf(stderr, "installing opencode-ai %s with npm\n", version);
        if (install(tools, dir, version, err) < 0)
            return -1;
    }
    if (add_ripgrep(dir, err) < 0)
        return -1;
    dialect = dialect_of(dir);
    if (describe(tools, version, name, dialect, err) < 0)
        return -1;
    (void)printf("opencode %s (%s) is at %s\n", version, dialect, dir);
    return 0;
}

static bool version_ok(const char *version)
{
    size_t len = strspn(version, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");

    return len && len <= VERSION_MAX && !version[len] && *version != '-' &&
           *version != '.';
}

static int setup(const struct setup_options *options, struct err *err)
{
    CLEANUP(settings) struct settings *settings = NULL;
    const char *version =
        options->version ? options->version : OPENCODE_VERSION;

    if (!version_ok(version))
        return err_set(err, ERR_USER, "'%.60s' is no version", version);
    if (settings_get(&options->settings, NULL, &settings, err) < 0 ||
        settings_make_state_dir(settings, err) < 0 ||
        settings_export_state_dir(settings, err) < 0)
        return -1;
    return setup_opencode(version, err);
}

int cmd_setup(int argc, char **argv)
{
    CLEANUP(strv) struct strv operands = {0};
    struct setup_options options = {0};
    struct err err = {0};
    int status;
    int parsed =
        options_parse(&command_setup, argc, argv, &options, &operands, &err);

    if (parsed == 0 && strcmp(operands.items[0], "opencode") != 0)
        parsed = err_set(&err, ERR_USER, "'%.60s': only opencode is set up",
                         operands.items[0]);
    if (parsed != 0) {
        strv_clear(&options.settings.sets);
        return options_finish(&command_setup, parsed, &err);
    }
    status = setup(&options, &err) == 0 && !fflush(stdout) ? 0 : 1;
    if (err.kind != ERR_NONE)
        log_error("%s", err.msg);
    strv_clear(&options.settings.sets);
    return status;
}
