/* base/confine_calls.c - the system calls that are left to a process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/confine_calls.h"

#include "base/mem.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>

static int add(scmp_filter_ctx filter, const char *name,
               const struct confine_call *call)
{
    int number = seccomp_syscall_resolve_name(name);
    struct scmp_arg_cmp match = {.op = SCMP_CMP_MASKED_EQ};

    if (number == __NR_SCMP_ERROR)
        return 0;
    if (!call)
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    match.arg = call->argument;
    match.datum_a = call->mask;
    match.datum_b = call->value;
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &match);
}

static int fill(scmp_filter_ctx filter, const char *names,
                const struct confine_call *calls, size_t count)
{
    CLEANUP(mem) char *copy = xstrdup(names);
    char *save = NULL;
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 1);

    for (char *name = strtok_r(copy, " ", &save); name && rc == 0;
         name = strtok_r(NULL, " ", &save))
        rc = add(filter, name, NULL);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add(filter, calls[i].name, &calls[i]);
    return rc;
}

int confine_calls(const char *names, const struct confine_call *calls,
                  size_t count, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = filter ? fill(filter, names, calls, count) : -ENOMEM;

    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc == 0)
        return 0;
    errno = -rc;
    return err_sys(err, ERR_TRANSIENT, "cannot filter system calls");
}
