/* worker/logs/file.c - a job's log as a file of blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/file.h"

#include "base/fd.h"
#include "scheduler/queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENDING       ".log"
#define EPOCH_DIGITS 20

/* id, "-", epoch, ending, NUL */
_Static_assert(QUEUE_MAX_ID + 1 + EPOCH_DIGITS + sizeof(ENDING) <=
                   LOG_FILE_NAME_SIZE,
               "a name fits");

int log_file_name(const char *id, uint64_t epoch, char out[LOG_FILE_NAME_SIZE],
                  struct err *err)
{
    if (queue_check_id(id, err) < 0)
        return -1;
    (void)snprintf(out, LOG_FILE_NAME_SIZE, "%s-%" PRIu64 ENDING, id, epoch);
    return 0;
}

bool log_file_is_name(const char *name)
{
    char again[LOG_FILE_NAME_SIZE];
    const char *dash = strrchr(name, '-');
    CLEANUP(mem)
    char *id = dash ? xstrndup(name, (size_t)(dash - name)) : NULL;

    return id &&
           log_file_name(id, strtoull(dash + 1, NULL, 10), again, NULL) == 0 &&
           strcmp(again, name) == 0;
}

int log_file_hold(const char *path, int *out_fd, struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot open '%s'", path);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(err, ERR_TRANSIENT, "cannot lock '%s'", path);
    if (fstat(fd, &st) == 0 && st.st_nlink == 0)
        return 0; /* by the other, while we waited */
    *out_fd = fd;
    fd = -1;
    return 1;
}

/* ---- reading ------------------------------------------------------------- */

struct log_reader {
    int fd;                      /* owned */
    uint64_t at;                 /* of the next block */
    uint64_t from_seq;           /* of the next entry to be told */
    struct log_decoder *decoder; /* owned */
    bool in_block;               /* there may be entries in the decoder */
    char *bytes;                 /* owned: LOG_BLOCK_MAX_SIZE, the last block */
};

struct log_reader *log_reader_new(int fd, uint64_t at, uint64_t from_seq)
{
    struct log_reader *reader = xcalloc(1, sizeof(*reader));

    reader->fd = fd;
    reader->at = at;
    reader->from_seq = from_seq;
    reader->decoder = log_decoder_new();
    reader->bytes = xmalloc(LOG_BLOCK_MAX_SIZE);
    return reader;
}

void log_reader_free(struct log_reader *reader)
{
    if (!reader)
        return;
    fd_close(&reader->fd);
    log_decoder_free(reader->decoder);
    free(reader->bytes);
    free(reader);
}

uint64_t log_reader_at(const struct log_reader *reader)
{
    return reader->at;
}

/* Up to `size` bytes at the next block, fewer at the end of the file. */
static int read_bytes(struct log_reader *reader, size_t size, size_t *out_len,
                      struct err *err)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = pread(reader->fd, reader->bytes + len, size - len,
                          (off_t)(reader->at + len));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ERR_TRANSIENT, "cannot read a log");
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *out_len = len;
    return 0;
}

/* The block at `reader->at`, its data only when it is wanted. */
static int64_t read_block(struct log_reader *reader, struct log_block *block,
                          struct err *err)
{
    size_t len;
    int64_t size;

    if (read_bytes(reader, LOG_BLOCK_HEADER_SIZE, &len, err) < 0)
        return -1;
    size = log_block_parse_header(reader->bytes, len, block);
    if (size > 0 && log_block_last_seq(block) >= reader->from_seq) {
        if (read_bytes(reader, (size_t)size, &len, err) < 0)
            return -1;
        size = log_block_parse(reader->bytes, len, block);
    }
    if (size < 0)
        return err_set(err, ERR_USER, "the log is damaged at byte %" PRIu64,
                       reader->at);
    return size;
}

int log_reader_next_block(struct log_reader *reader,
                          struct log_block *out_block, struct err *err)
{
    struct log_block block;
    int64_t size;

    while ((size = read_block(reader, &block, err)) > 0) {
        reader->at += (uint64_t)size;
        if (!block.data)
            continue;
        reader->from_seq = log_block_last_seq(&block) + 1;
        *out_block = block;
        return 1;
    }
    return (int)size;
}

int log_reader_next(struct log_reader *reader, struct log_entry *out_entry,
                    struct err *err)
{
    struct log_block block;
    struct log_entry entry;
    uint64_t from_seq;
    int rc;

    for (;;) {
        while (reader->in_block && log_decoder_next(reader->decoder, &entry))
            if (entry.seq >= reader->from_seq) {
                reader->from_seq = entry.seq + 1;
                *out_entry = entry;
                return 1;
            }
        reader->in_block = false;
        from_seq = reader->from_seq;
        rc = log_reader_next_block(reader, &block, err);
        reader->from_seq = from_seq;
        if (rc <= 0)
            return rc;
        if (log_decoder_open(reader->decoder, &block, err) < 0)
            return -1;
        reader->in_block = true;
    }
}
