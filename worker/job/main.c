/* worker/job/main.c - run-job: one job, in a process of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "worker/cache/settings.h"
#include "worker/job/job.h"
#include "worker/sandbox/drivers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define JOB_FD 3

static const char usage[] =
    "usage: run-job            take a job from descriptor 3\n"
    "       run-job --sweep DIR  destroy the dead sandboxes below DIR\n";

static int sweep(const char *dir)
{
    struct err err = {0};
    const struct sandbox_driver *driver;
    unsigned swept = 0;

    if (driver_chosen(&driver, &err) < 0 ||
        driver->sweep(dir, &swept, &err) < 0) {
        log_error("%s", err.msg);
        return 1;
    }
    (void)printf("%u\n", swept);
    (void)fflush(stdout);
    cache_tidy();
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    log_init("run-job", LOG_WARN);
    if (argc == 3 && !strcmp(argv[1], "--sweep"))
        return sweep(argv[2]);
    if (argc != 1) {
        (void)fputs(usage, stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)fcntl(JOB_FD, F_SETFD, FD_CLOEXEC);
    /* What crun or git leave behind comes to us, so that destroy finds it. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (job_run(JOB_FD, &err) < 0) {
        if (err.kind != ERR_LOST)
            log_error("%s", err.msg);
        return 1;
    }
    return 0;
}
