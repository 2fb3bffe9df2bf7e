/* scheduler/queue/log_block.h - the unit in which a job's log travels. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_QUEUE_LOG_BLOCK_H
#define SCHEDULER_QUEUE_LOG_BLOCK_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdint.h>

/*
 * The log of a lease is a sequence of entries, numbered 1, 2, 3 … A block is
 * some consecutive ones, compressed; blocks are what is sent, spooled, kept in
 * Redis and in the log store, and read back, everywhere in the same bytes.
 *
 * Between two blocks numbers may be missing: a gap entry that stands for what
 * was lost has the number of the first entry lost.
 */

enum log_stream {
    LOG_STDOUT,
    LOG_STDERR,
    LOG_NOTE, /* what berth itself says */
    LOG_GAP,  /* output that was lost here */
};
#define LOG_STREAMS 4

/** "stdout", "stderr", "note", "gap". Static. */
const char *log_stream_name(enum log_stream stream);

struct log_entry {
    uint64_t seq;
    int64_t at_ms; /* wall clock of the worker */
    unsigned step; /* index of the step */
    enum log_stream stream;
    const char *data; /* borrowed, not NUL-terminated; nothing for a gap */
    size_t len;
    uint64_t gap_bytes; /* of a gap: bytes of output lost; else 0 */
};

/** The data of one entry, and what a gap can say, at most. */
#define LOG_ENTRY_MAX_DATA ((size_t)16 << 10)
#define LOG_GAP_MAX_BYTES  ((uint64_t)1 << 48)
/** A block at most: serialised entries, their number, compressed bytes. */
#define LOG_BLOCK_MAX_RAW     ((size_t)64 << 10)
#define LOG_BLOCK_MAX_ENTRIES 4096
#define LOG_BLOCK_MAX_LEN     (LOG_BLOCK_MAX_RAW + ((size_t)1 << 10))

struct log_block {
    uint64_t first_seq; /* of its first entry; its last is + count - 1 */
    uint32_t count;     /* of entries, at least 1 */
    uint64_t offset;    /* bytes of output of the log before it */
    uint64_t bytes;     /* of output in it, those of gaps included */
    const void *data;   /* borrowed: one zstd frame with a check sum */
    size_t len;
};

/** The number of its last entry. */
uint64_t log_block_last_seq(const struct log_block *block);

/* ---- as bytes ------------------------------------------------------------ */

/*
 * All big-endian: u32 magic, u32 CRC-32 of all that follows, u32 len,
 * u32 count, u64 first_seq, u64 offset, u64 bytes; then the frame.
 */
#define LOG_BLOCK_HEADER_SIZE 40
#define LOG_BLOCK_MAX_SIZE    (LOG_BLOCK_HEADER_SIZE + LOG_BLOCK_MAX_LEN)

/** Add header and data to `buf`. */
void log_block_put(const struct log_block *block, struct strbuf *buf);

/**
 * Parse the block at the start of `size` bytes that nobody vouches for.
 * Returns the bytes it takes and fills `*out_block`, which borrows `data`; 0
 * when it is not whole yet; -1 when it is damaged. What is in the frame is not
 * looked at: log_decoder_open() does that.
 */
int64_t log_block_parse(const void *data, size_t size,
                        struct log_block *out_block);

/**
 * The same for the header alone, without the check sum: `out_block->data` is
 * NULL. For skipping blocks. Returns the size of the whole block, 0, or -1.
 */
int64_t log_block_parse_header(const void *data, size_t size,
                               struct log_block *out_block);

/* ---- making -------------------------------------------------------------- */

/** Makes the blocks of one log, one after the other. */
struct log_builder;

/**
 * `next_seq` (1 for a new log) is the number of the first entry to be added,
 * `offset` the bytes of output before it. Takes less than 512 KiB.
 */
struct log_builder *log_builder_new(uint64_t next_seq, uint64_t offset);
void log_builder_free(struct log_builder *builder);
OWNER(log_builder)

/**
 * Add a copy of an entry, with the next number (`entry->seq` is not read).
 * False, and nothing done, when the block is full: finish it first. An empty
 * builder takes any entry of at most LOG_ENTRY_MAX_DATA and LOG_GAP_MAX_BYTES;
 * what is beyond them is cut off, so split longer data.
 */
MUST_USE bool log_builder_add(struct log_builder *builder,
                              const struct log_entry *entry);
/** Bytes gathered so far, with what entries cost; 0: nothing to finish. */
size_t log_builder_pending(const struct log_builder *builder);
/** The number that the next entry gets. */
uint64_t log_builder_next_seq(const struct log_builder *builder);

/**
 * Compress what was added into `*out_block`, which borrows the builder until
 * it is finished again or freed. False when there is nothing.
 */
MUST_USE bool log_builder_finish(struct log_builder *builder,
                                 struct log_block *out_block);

/* ---- reading ------------------------------------------------------------- */

/** Holds one block's entries; under 256 KiB. */
struct log_decoder;

struct log_decoder *log_decoder_new(void);
void log_decoder_free(struct log_decoder *decoder);
OWNER(log_decoder)

/**
 * Read a block that nobody vouches for: all of it is checked here, against its
 * header too. ERR_USER: damaged; then the decoder is empty.
 */
MUST_USE int log_decoder_open(struct log_decoder *decoder,
                              const struct log_block *block, struct err *err);
/**
 * The next entry; `out_entry->data` borrows the decoder until the next
 * log_decoder_open(). False after the last.
 */
bool log_decoder_next(struct log_decoder *decoder, struct log_entry *out_entry);

#endif
