/* worker/logs/spool.c - a job's whole log on the worker's disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/spool.h"

#include "base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_MAX 1024

/* Where a block is; not of every block once there are many. */
struct place {
    uint64_t seq, at;
};

/* Lost output for which there is no gap entry yet. */
struct lost {
    uint64_t seq; /* of the first lost entry */
    uint64_t offset, bytes;
    int64_t at_ms;
    unsigned step;
    bool some;
};

struct spool {
    int fd;     /* owned */
    char *path; /* owned */
    uint64_t max_bytes, cost;
    bool full;
    uint64_t end;      /* of the last whole block in the file */
    uint64_t next_seq; /* these two: of the log, lost blocks included */
    uint64_t offset;
    struct lost lost;
    uint64_t lost_bytes;
    struct place places[INDEX_MAX]; /* of every `stride`th block */
    size_t place_count;
    uint64_t block_count, stride;
};

const char *spool_path(const struct spool *spool)
{
    return spool->path;
}

uint64_t spool_next_seq(const struct spool *spool)
{
    return spool->next_seq;
}

uint64_t spool_offset(const struct spool *spool)
{
    return spool->offset;
}

uint64_t spool_lost_bytes(const struct spool *spool)
{
    return spool->lost_bytes;
}

void spool_free(struct spool *spool)
{
    if (!spool)
        return;
    fd_close(&spool->fd);
    free(spool->path);
    free(spool);
}

/* ---- what is in the file ------------------------------------------------- */

static void index_block(struct spool *spool, uint64_t seq, uint64_t at)
{
    if (spool->block_count++ % spool->stride)
        return;
    if (spool->place_count == INDEX_MAX) {
        for (size_t i = 0; i < INDEX_MAX / 2; i++)
            spool->places[i] = spool->places[2 * i];
        spool->place_count = INDEX_MAX / 2;
        spool->stride *= 2;
    }
    spool->places[spool->place_count++] = (struct place){seq, at};
}

/*
 * What a block counts against the maximum. Of its bytes of output no more than
 * a block can hold: the others are a gap's.
 */
static uint64_t cost_of(const struct log_block *block)
{
    uint64_t size = LOG_BLOCK_HEADER_SIZE + block->len;
    uint64_t bytes =
        block->bytes < LOG_BLOCK_MAX_RAW ? block->bytes : LOG_BLOCK_MAX_RAW;

    return size > bytes ? size : bytes;
}

static void note_log(struct spool *spool, const struct log_block *block)
{
    spool->next_seq = log_block_last_seq(block) + 1;
    spool->offset = block->offset + block->bytes;
}

static void note_written(struct spool *spool, const struct log_block *block)
{
    index_block(spool, block->first_seq, spool->end);
    spool->end += LOG_BLOCK_HEADER_SIZE + block->len;
    spool->cost += cost_of(block);
}

/* ---- opening ------------------------------------------------------------- */

/* Blocks of a file that was there; it is cut behind the last good one. */
static int recover(struct spool *spool, struct err *err)
{
    CLEANUP(log_reader) struct log_reader *reader = NULL;
    struct log_block block;
    struct stat st;
    int rc;

    if (spool_read(spool, 0, &reader, err) < 0)
        return -1;
    while ((rc = log_reader_next_block(reader, &block, err)) > 0 &&
           block.first_seq >= spool->next_seq) {
        note_written(spool, &block);
        note_log(spool, &block);
    }
    if (rc < 0 && err->kind != ERR_USER)
        return -1;
    if (fstat(spool->fd, &st) < 0 ||
        (st.st_size > (off_t)spool->end &&
         ftruncate(spool->fd, (off_t)spool->end) < 0))
        return err_sys(err, ERR_TRANSIENT, "cannot cut '%s'", spool->path);
    return 0;
}

int spool_open(const struct spool_options *options, struct spool **out_spool,
               struct err *err)
{
    CLEANUP(spool) struct spool *spool = xcalloc(1, sizeof(*spool));
    char name[LOG_FILE_NAME_SIZE];
    struct err local = {0};

    spool->fd = -1;
    spool->next_seq = 1;
    spool->stride = 1;
    spool->max_bytes =
        options->max_bytes ? options->max_bytes : SPOOL_MAX_BYTES;
    if (log_file_name(options->id, options->epoch, name, err) < 0 ||
        dir_make(options->dir, 0700, err) < 0)
        return -1;
    spool->path = xasprintf("%s/%s", options->dir, name);
    spool->fd =
        open(spool->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (spool->fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", spool->path);
    if (recover(spool, &local) < 0) {
        if (err)
            *err = local;
        return -1;
    }
    *out_spool = STEAL(spool);
    return 0;
}

/* ---- writing ------------------------------------------------------------- */

static bool write_block(struct spool *spool, const struct log_block *block)
{
    CLEANUP(strbuf) struct strbuf bytes = STRBUF_MAX(LOG_BLOCK_MAX_SIZE);

    log_block_put(block, &bytes);
    if (lseek(spool->fd, (off_t)spool->end, SEEK_SET) < 0 ||
        fd_write_all(spool->fd, bytes.data, bytes.len, NULL) < 0) {
        /* Part of it may be there. If it stays, the next one covers it. */
        (void)!ftruncate(spool->fd, (off_t)spool->end);
        return false;
    }
    note_written(spool, block);
    return true;
}

static bool write_gap(struct spool *spool)
{
    CLEANUP(log_builder) struct log_builder *builder = NULL;
    struct lost *lost = &spool->lost;
    const struct log_entry gap = {
        .at_ms = lost->at_ms,
        .step = lost->step,
        .stream = LOG_GAP,
        .gap_bytes = lost->bytes,
    };
    struct log_block block;

    if (!lost->some)
        return true;
    builder = log_builder_new(lost->seq, lost->offset);
    if (!log_builder_add(builder, &gap) ||
        !log_builder_finish(builder, &block) || !write_block(spool, &block))
        return false;
    lost->some = false;
    lost->bytes = 0;
    return true;
}

static void lose(struct spool *spool, const struct log_block *block)
{
    CLEANUP(log_decoder) struct log_decoder *decoder = NULL;
    struct lost *lost = &spool->lost;
    struct log_entry entry;

    spool->lost_bytes += block->bytes;
    lost->bytes += block->bytes;
    if (lost->some)
        return;
    lost->some = true;
    lost->seq = block->first_seq;
    lost->offset = block->offset;
    decoder = log_decoder_new();
    if (log_decoder_open(decoder, block, NULL) == 0 &&
        log_decoder_next(decoder, &entry)) {
        lost->at_ms = entry.at_ms;
        lost->step = entry.step;
    }
}

void spool_append(struct spool *spool, const struct log_block *block)
{
    if (block->first_seq < spool->next_seq)
        return;
    note_log(spool, block);
    /* Once only: a log with many holes is of no use. */
    if (spool->cost + cost_of(block) > spool->max_bytes)
        spool->full = true;
    if (spool->full || !write_gap(spool) || !write_block(spool, block))
        lose(spool, block);
}

bool spool_finish(struct spool *spool)
{
    return write_gap(spool);
}

/* ---- reading ------------------------------------------------------------- */

int spool_read(const struct spool *spool, uint64_t from_seq,
               struct log_reader **out_reader, struct err *err)
{
    size_t low = 0, high = spool->place_count;
    int fd = fcntl(spool->fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot read '%s'", spool->path);
    while (low < high) { /* the first place that begins behind `from_seq` */
        size_t middle = low + (high - low) / 2;

        if (spool->places[middle].seq <= from_seq)
            low = middle + 1;
        else
            high = middle;
    }
    *out_reader =
        log_reader_new(fd, low ? spool->places[low - 1].at : 0, from_seq);
    return 0;
}
