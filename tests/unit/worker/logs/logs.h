/* tests/unit/worker/logs/logs.h - blocks and directories for the tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WORKER_LOGS_LOGS_H
#define TESTS_UNIT_WORKER_LOGS_LOGS_H

#include "base/fd.h"
#include "scheduler/queue/log_block.h"
#include "tests/lib/unit.h"
#include "worker/logs/file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define AT_MS INT64_C(1790000000000)

static char logs_dir[64];

UNUSED static int make_logs_dir(void **state UNUSED)
{
    (void)strcpy(logs_dir, "/tmp/berth-logs-XXXXXX");
    return mkdtemp(logs_dir) ? 0 : -1;
}

UNUSED static int remove_logs_dir(void **state UNUSED)
{
    return tree_remove(logs_dir, NULL);
}

/** A block of one entry with this text; borrows the builder. */
UNUSED static struct log_block text_block(struct log_builder *builder,
                                          const char *text)
{
    const struct log_entry entry = {
        .at_ms = AT_MS,
        .step = 3,
        .stream = LOG_STDOUT,
        .data = text,
        .len = strlen(text),
    };
    struct log_block block;

    assert_true(log_builder_add(builder, &entry));
    assert_true(log_builder_finish(builder, &block));
    return block;
}

/** All that is left to read: "1:text|2:<gap>|" and so on; owned. */
UNUSED static char *read_rest(struct log_reader *reader)
{
    struct strbuf out = STRBUF_INIT;
    struct err err = {0};
    struct log_entry entry;
    int rc;

    while ((rc = log_reader_next(reader, &entry, &err)) > 0) {
        strbuf_addf(&out, "%u:", (unsigned)entry.seq);
        if (entry.stream == LOG_GAP)
            strbuf_addf(&out, "<%u>", (unsigned)entry.gap_bytes);
        strbuf_add(&out, entry.data, entry.len);
        strbuf_addc(&out, '|');
    }
    if (rc < 0)
        strbuf_addf(&out, "error: %s", err.msg);
    return strbuf_take(&out);
}

UNUSED static int64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

#endif
