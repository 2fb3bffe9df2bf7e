/* cli/pipeline_file.h - finding the pipeline that a command line names. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PIPELINE_FILE_H
#define CLI_PIPELINE_FILE_H

#include "pipelines/diag.h"
#include "pipelines/pipeline.h"

#define PIPELINE_FILE_MAX_BYTES ((size_t)1 << 20)

/**
 * Load the pipeline `name`: a file if there is one of that name, "-" for
 * standard input, else one that ships with berth (pipelines/library.h).
 *
 * Returns 0 and `*out_pipeline`, owned by the caller. Returns -1 with ERR_USER
 * when there is none or it cannot be read (`diags` is empty then), or when it
 * is invalid (`diags` says what is wrong with it).
 */
MUST_USE int pipeline_file_load(const char *name, struct diag_list *diags,
                                struct pipeline **out_pipeline,
                                struct err *err);

#endif
