/* tests/unit/worker/logs/logs.h - blocks and stores for the tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_WORKER_LOGS_LOGS_H
#define TESTS_UNIT_WORKER_LOGS_LOGS_H

#include "base/fd.h"
#include "scheduler/queue/log_block.h"
#include "tests/lib/unit.h"
#include "worker/logs/file.h"
#include "worker/logs/spool.h"
#include "worker/logs/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* ---- stores -------------------------------------------------------------- */

/** The store <logs_dir>/<name>. */
UNUSED static struct log_store *open_store(const char *name)
{
    CLEANUP(mem) char *address = xasprintf("dir:%s/%s", logs_dir, name);
    struct log_store *store = NULL;
    struct err err = {0};

    if (log_store_open(address, &store, &err) < 0)
        fail_msg("%s", err.msg);
    return store;
}

/* A finished spool file below `dir` of one entry; its path. */
UNUSED static char *make_log(const char *dir, const char *id, const char *text)
{
    CLEANUP(log_builder) struct log_builder *builder = log_builder_new(1, 0);
    struct log_block block = text_block(builder, text);
    const struct spool_options options = {dir, id, 1, 0};
    CLEANUP(spool) struct spool *spool = NULL;

    assert_int_equal(spool_open(&options, &spool, NULL), 0);
    spool_append(spool, &block);
    assert_true(spool_finish(spool));
    return xstrdup(spool_path(spool));
}

UNUSED static void assert_has(struct log_store *store, const char *id,
                              const char *expected)
{
    CLEANUP(log_reader) struct log_reader *reader = NULL;
    CLEANUP(mem) char *got = NULL;
    struct err err = {0};

    if (!expected) {
        assert_int_equal(log_store_read(store, id, 1, 1, &reader, &err), -1);
        assert_int_equal(err.kind, ERR_USER);
        return;
    }
    assert_int_equal(log_store_read(store, id, 1, 1, &reader, &err), 0);
    got = read_rest(reader);
    assert_string_equal(got, expected);
}

/** A new directory elsewhere, owned; NULL: there is no other. */
UNUSED static char *other_file_system(void)
{
    char *dir = xstrdup("/dev/shm/berth-logs-XXXXXX");
    struct stat here, there;

    if (mkdtemp(dir) && stat(logs_dir, &here) == 0 && stat(dir, &there) == 0 &&
        here.st_dev != there.st_dev)
        return dir;
    (void)rmdir(dir);
    free(dir);
    return NULL;
}

#endif
