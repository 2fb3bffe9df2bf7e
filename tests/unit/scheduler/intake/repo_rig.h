/* tests/unit/scheduler/intake/repo_rig.h - a repository, and who reads it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCHEDULER_INTAKE_REPO_RIG_H
#define TESTS_UNIT_SCHEDULER_INTAKE_REPO_RIG_H

#include "base/fd.h"
#include "base/proc.h"
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char *repo, *libexec; /* owned */

/** What it says; owned by the caller. */
static char *shell(const char *command)
{
    const char *argv[] = {"sh", "-ec", command, NULL};
    CLEANUP(strbuf) struct strbuf output = STRBUF_INIT;
    struct err err = {0};

    if (proc_run(argv, 30000, &output, &err) < 0)
        fail_msg("%s: %s", err.msg, output.data);
    return strbuf_take(&output);
}

static void use_programs(const char *where)
{
    assert_int_equal(setenv("BERTH_LIBEXEC", where, 1), 0);
}

/** A script in place of checkout, until use_programs(libexec). */
static void fake(const char *script)
{
    CLEANUP(mem) char *path = xasprintf("%s/fake/checkout", dir);
    CLEANUP(mem) char *text = xasprintf("#!/bin/sh\n%s\n", script);
    CLEANUP(mem) char *bin = xasprintf("%s/fake", dir);
    struct err err = {0};

    assert_int_equal(file_write(path, text, strlen(text), 0755, &err), 0);
    use_programs(bin);
}

/** `script` makes the repository at $REPO. */
static int rig_up(const char *script)
{
    CLEANUP(mem) char *fakes = NULL;
    CLEANUP(mem) char *from = NULL;
    CLEANUP(mem) char *to = NULL;
    struct err err = {0};

    (void)snprintf(dir, sizeof(dir), "/tmp/berth-repo-XXXXXX");
    if (!getenv("BERTH_LIBEXEC") || !mkdtemp(dir))
        return -1;
    (void)chmod(dir, 0755);
    libexec = xstrdup(getenv("BERTH_LIBEXEC"));
    repo = xasprintf("%s/repo", dir);
    fakes = xasprintf("%s/fake", dir);
    from = xasprintf("%s/launch", libexec);
    to = xasprintf("%s/launch", fakes);
    if (dir_make(fakes, 0755, &err) < 0 || symlink(from, to) < 0 ||
        setenv("REPO", repo, 1) < 0)
        return -1;
    free(shell(script));
    return 0;
}

static int rig_down(void **state)
{
    struct err err = {0};

    (void)state;
    free(repo);
    free(libexec);
    return tree_remove(dir, &err);
}

#endif
