/* scheduler/report/post/report.c - what became of a job, told on a Git host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/report/post/report.h"

int report_op(struct api *api UNUSED, const struct forge_driver *driver UNUSED,
              const json_t *ask UNUSED, json_t **out UNUSED, struct err *err)
{
    return err_set(err, ERR_USER, "reports are not written yet");
}
