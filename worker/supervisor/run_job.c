/* worker/supervisor/run_job.c - starting and ending run-job processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/supervisor/run_job.h"

#include "base/fd.h"
#include "base/frame.h"
#include "base/proc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the worker grants no document can say. */
static char *write_message(json_t *start, const json_t *gateway,
                           const json_t *secrets)
{
    static const char *const ours[] = {"inject", "secrets", "secrets_missing",
                                       "models", "whose"};
    json_t *message = json_copy(start);
    char *json;

    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        (void)json_object_del(message, ours[i]);
    if (secrets)
        (void)json_object_update(message, (json_t *)(uintptr_t)secrets);
    (void)json_object_del(message, "gateway");
    if (gateway)
        (void)json_object_set(message, "gateway", (json_t *)(uintptr_t)gateway);
    json = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    return json;
}

int run_job_message(const struct lease *lease, const json_t *gateway,
                    const json_t *secrets, json_t **out_start, char **out_json,
                    struct err *err)
{
    json_error_t where;
    json_t *start =
        json_loads(lease_payload(lease), JSON_REJECT_DUPLICATES, &where);
    char *json;

    if (!json_is_object(start)) {
        json_decref(start);
        return err_set(err, ERR_USER, "the job's payload is no JSON object");
    }
    (void)json_object_set_new(start, "job_id",
                              json_string(lease_job_id(lease)));
    (void)json_object_set_new(start, "epoch",
                              json_integer((json_int_t)lease_epoch(lease)));
    json = write_message(start, gateway, secrets);
    if (!json || strlen(json) > FRAME_MAX_PAYLOAD) {
        free(json);
        json_decref(start);
        return err_set(err, ERR_USER, "the job's payload is too large");
    }
    *out_start = start;
    *out_json = json;
    return 0;
}

/* The keys of the stores (base/s3_keys.h) are nothing that a job's processes
 * need: checkout runs as a user whom a sandbox has, too. */
static void copy_environment(struct strv *out)
{
    for (char *const *entry = environ; *entry; entry++)
        if (strncmp(*entry, "AWS_", 4) != 0)
            strv_add(out, *entry);
}

static int spawn(const char *const *argv, const struct proc_fd *fd,
                 pid_t *out_pid, struct err *err)
{
    CLEANUP(strv) struct strv environment = {0};
    struct proc_spec spec = {.argv = argv,
                             .in = PROC_NULL,
                             .out = PROC_NULL,
                             .err = PROC_INHERIT,
                             .fds = fd,
                             .fd_count = fd ? 1 : 0,
                             .new_group = true};

    copy_environment(&environment);
    spec.envp = environment.items;
    return proc_spawn(&spec, out_pid, err);
}

int run_job_spawn(pid_t *out_pid, int *out_fd, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("run-job");
    const char *const argv[] = {program, NULL};
    int ends[2];
    struct proc_fd fd = {.to = 3};
    int rc;

    if (fd_socketpair(ends, err) < 0)
        return -1;
    fd.from = ends[1];
    rc = spawn(argv, &fd, out_pid, err);
    fd_close(&ends[1]);
    if (rc < 0)
        fd_close(&ends[0]);
    else
        *out_fd = ends[0];
    return rc;
}

int run_job_spawn_sweep(const char *state_dir, pid_t *out_pid, struct err *err)
{
    CLEANUP(mem) char *program = proc_libexec("run-job");
    CLEANUP(mem) char *dir = xasprintf("%s/sandboxes", state_dir);
    const char *const argv[] = {program, "--sweep", dir, NULL};

    return spawn(argv, NULL, out_pid, err);
}

void run_job_kill(pid_t pid)
{
    if (pid < 1)
        return;
    (void)kill(-pid, SIGKILL);
    (void)kill(pid, SIGKILL);
}

bool run_job_reap(pid_t pid, int64_t timeout_ms)
{
    int status = 0;
    int rc = proc_wait(pid, timeout_ms > 0 ? timeout_ms : 0, &status, NULL);

    (void)kill(-pid, SIGKILL); /* what it left in its group */
    return rc < 0 || !WIFEXITED(status);
}
