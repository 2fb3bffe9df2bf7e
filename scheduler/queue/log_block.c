/* scheduler/queue/log_block.c - the unit in which a job's log travels. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/log_block.h"

#include "base/crc32.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAGIC      UINT32_C(0x424c4731) /* "BLG1" */
#define CHECKED_AT 8  /* where in the header that begins which is summed up */
#define LEVEL      1  /* logs are written more often than read */
#define WINDOW_LOG 16 /* LOG_BLOCK_MAX_RAW */
#define ENTRY_COST 30 /* of an entry beside its data: three varints */
/* No log gets there, and no sum of two overflows. */
#define COUNT_MAX ((uint64_t)1 << 60)

const char *log_stream_name(enum log_stream stream)
{
    static const char *const names[LOG_STREAMS] = {
        [LOG_STDOUT] = "stdout",
        [LOG_STDERR] = "stderr",
        [LOG_NOTE] = "note",
        [LOG_GAP] = "gap",
    };

    return (unsigned)stream < LOG_STREAMS ? names[stream] : "unknown";
}

uint64_t log_block_last_seq(const struct log_block *block)
{
    return block->first_seq + block->count - 1;
}

/* ---- as bytes ------------------------------------------------------------ */

static void put32(uint8_t *out, uint32_t n)
{
    n = htobe32(n);
    memcpy(out, &n, sizeof(n));
}

static void put64(uint8_t *out, uint64_t n)
{
    n = htobe64(n);
    memcpy(out, &n, sizeof(n));
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t n;

    memcpy(&n, p, sizeof(n));
    return be32toh(n);
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t n;

    memcpy(&n, p, sizeof(n));
    return be64toh(n);
}

void log_block_put(const struct log_block *block, struct strbuf *buf)
{
    uint8_t header[LOG_BLOCK_HEADER_SIZE];
    uint32_t sum;

    put32(header, MAGIC);
    put32(header + 8, (uint32_t)block->len);
    put32(header + 12, block->count);
    put64(header + 16, block->first_seq);
    put64(header + 24, block->offset);
    put64(header + 32, block->bytes);
    sum = crc32_add(0, header + CHECKED_AT, sizeof(header) - CHECKED_AT);
    put32(header + 4, crc32_add(sum, block->data, block->len));
    strbuf_add(buf, (const char *)header, sizeof(header));
    strbuf_add(buf, block->data, block->len);
}

int64_t log_block_parse_header(const void *data, size_t size,
                               struct log_block *out_block)
{
    const uint8_t *p = data;
    struct log_block block = {.data = NULL};

    if (size < LOG_BLOCK_HEADER_SIZE)
        return 0;
    block.len = get32(p + 8);
    block.count = get32(p + 12);
    block.first_seq = get64(p + 16);
    block.offset = get64(p + 24);
    block.bytes = get64(p + 32);
    if (get32(p) != MAGIC || !block.len || block.len > LOG_BLOCK_MAX_LEN ||
        !block.count || block.count > LOG_BLOCK_MAX_ENTRIES ||
        !block.first_seq || block.first_seq > COUNT_MAX ||
        block.offset > COUNT_MAX || block.bytes > COUNT_MAX)
        return -1;
    *out_block = block;
    return (int64_t)(LOG_BLOCK_HEADER_SIZE + block.len);
}

int64_t log_block_parse(const void *data, size_t size,
                        struct log_block *out_block)
{
    const uint8_t *p = data;
    struct log_block block;
    int64_t whole = log_block_parse_header(data, size, &block);

    if (whole <= 0)
        return whole;
    if (size < (size_t)whole)
        return 0;
    if (crc32_add(0, p + CHECKED_AT, (size_t)whole - CHECKED_AT) !=
        get32(p + 4))
        return -1;
    block.data = p + LOG_BLOCK_HEADER_SIZE;
    *out_block = block;
    return whole;
}

/* ---- numbers ------------------------------------------------------------- */

/*
 * An entry is three varints, seven bits a byte and the lowest first, and its
 * data: the milliseconds since the entry before it (the first: since 1970),
 * folded so that a clock set back is small too; step * 4 + stream; the length,
 * or a gap's bytes.
 */
static void add_varint(struct strbuf *buf, uint64_t n)
{
    for (; n > 0x7f; n >>= 7)
        strbuf_addc(buf, (char)(n | 0x80));
    strbuf_addc(buf, (char)n);
}

struct cursor {
    const uint8_t *at, *end;
};

static bool get_varint(struct cursor *cursor, uint64_t *out)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end;
         shift += 7) {
        uint8_t byte = *cursor->at++;

        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = n;
            return true;
        }
    }
    return false;
}

static uint64_t fold(uint64_t difference)
{
    return difference >> 63 ? ~(difference << 1) : difference << 1;
}

static uint64_t unfold(uint64_t n)
{
    return n & 1 ? ~(n >> 1) : n >> 1;
}

/* ---- making -------------------------------------------------------------- */

struct log_builder {
    uint64_t first_seq; /* of the block being made */
    uint32_t count;
    uint64_t offset, bytes;
    int64_t at_ms;     /* of the last entry */
    struct strbuf raw; /* the entries so far */
    ZSTD_CCtx *zstd;   /* owned */
    char *data;        /* owned: LOG_BLOCK_MAX_LEN, the last block */
};

struct log_builder *log_builder_new(uint64_t next_seq, uint64_t offset)
{
    struct log_builder *builder = xcalloc(1, sizeof(*builder));

    builder->first_seq = next_seq;
    builder->offset = offset;
    builder->raw = (struct strbuf)STRBUF_MAX(LOG_BLOCK_MAX_RAW);
    builder->data = xmalloc(LOG_BLOCK_MAX_LEN);
    builder->zstd = ZSTD_createCCtx();
    if (!builder->zstd)
        abort();
    (void)ZSTD_CCtx_setParameter(builder->zstd, ZSTD_c_compressionLevel, LEVEL);
    (void)ZSTD_CCtx_setParameter(builder->zstd, ZSTD_c_windowLog, WINDOW_LOG);
    (void)ZSTD_CCtx_setParameter(builder->zstd, ZSTD_c_checksumFlag, 1);
    return builder;
}

void log_builder_free(struct log_builder *builder)
{
    if (!builder)
        return;
    strbuf_clear(&builder->raw);
    (void)ZSTD_freeCCtx(builder->zstd);
    free(builder->data);
    free(builder);
}

bool log_builder_add(struct log_builder *builder, const struct log_entry *entry)
{
    bool is_gap = entry->stream == LOG_GAP;
    uint64_t size = is_gap ? entry->gap_bytes : entry->len;
    uint64_t max = is_gap ? LOG_GAP_MAX_BYTES : LOG_ENTRY_MAX_DATA;

    size = size < max ? size : max;
    if (builder->count == LOG_BLOCK_MAX_ENTRIES ||
        builder->raw.len + ENTRY_COST + (is_gap ? 0 : size) > LOG_BLOCK_MAX_RAW)
        return false;
    add_varint(&builder->raw,
               fold((uint64_t)entry->at_ms - (uint64_t)builder->at_ms));
    add_varint(&builder->raw,
               (uint64_t)entry->step * LOG_STREAMS + entry->stream);
    add_varint(&builder->raw, size);
    if (!is_gap)
        strbuf_add(&builder->raw, entry->data, (size_t)size);
    builder->at_ms = entry->at_ms;
    builder->bytes += size;
    builder->count++;
    return true;
}

size_t log_builder_pending(const struct log_builder *builder)
{
    return builder->raw.len;
}

uint64_t log_builder_next_seq(const struct log_builder *builder)
{
    return builder->first_seq + builder->count;
}

bool log_builder_finish(struct log_builder *builder,
                        struct log_block *out_block)
{
    size_t len;

    if (!builder->count)
        return false;
    len = ZSTD_compress2(builder->zstd, builder->data, LOG_BLOCK_MAX_LEN,
                         builder->raw.data, builder->raw.len);
    if (ZSTD_isError(len)) /* out of memory: LOG_BLOCK_MAX_LEN is enough */
        abort();
    *out_block = (struct log_block){
        .first_seq = builder->first_seq,
        .count = builder->count,
        .offset = builder->offset,
        .bytes = builder->bytes,
        .data = builder->data,
        .len = len,
    };
    builder->first_seq += builder->count;
    builder->offset += builder->bytes;
    builder->count = 0;
    builder->bytes = 0;
    builder->at_ms = 0;
    strbuf_cut(&builder->raw, 0);
    return true;
}

/* ---- reading ------------------------------------------------------------- */

struct log_decoder {
    ZSTD_DCtx *zstd;      /* owned */
    uint8_t *raw;         /* owned: LOG_BLOCK_MAX_RAW */
    struct cursor cursor; /* in `raw` */
    uint64_t seq;         /* of the next entry */
    int64_t at_ms;        /* of the last one */
};

struct log_decoder *log_decoder_new(void)
{
    struct log_decoder *decoder = xcalloc(1, sizeof(*decoder));

    decoder->raw = xmalloc(LOG_BLOCK_MAX_RAW);
    decoder->zstd = ZSTD_createDCtx();
    if (!decoder->zstd)
        abort();
    return decoder;
}

void log_decoder_free(struct log_decoder *decoder)
{
    if (!decoder)
        return;
    (void)ZSTD_freeDCtx(decoder->zstd);
    free(decoder->raw);
    free(decoder);
}

static bool get_entry(struct log_decoder *decoder, struct log_entry *out)
{
    struct cursor *cursor = &decoder->cursor;
    uint64_t time, kind, size;

    if (!get_varint(cursor, &time) || !get_varint(cursor, &kind) ||
        !get_varint(cursor, &size) || kind / LOG_STREAMS > UINT32_MAX)
        return false;
    *out = (struct log_entry){
        .seq = decoder->seq++,
        .at_ms = (int64_t)((uint64_t)decoder->at_ms + unfold(time)),
        .step = (unsigned)(kind / LOG_STREAMS),
        .stream = (enum log_stream)(kind % LOG_STREAMS),
        .data = (const char *)cursor->at,
    };
    decoder->at_ms = out->at_ms;
    if (out->stream == LOG_GAP) {
        out->gap_bytes = size;
        return size <= LOG_GAP_MAX_BYTES;
    }
    if (size > LOG_ENTRY_MAX_DATA || size > (size_t)(cursor->end - cursor->at))
        return false;
    out->len = (size_t)size;
    cursor->at += size;
    return true;
}

/* One frame that says how large it will be, and nothing behind it. */
static bool decompress(struct log_decoder *decoder,
                       const struct log_block *block)
{
    unsigned long long size = ZSTD_getFrameContentSize(block->data, block->len);
    size_t len;

    if (size > LOG_BLOCK_MAX_RAW || /* unknown and error are large numbers */
        ZSTD_findFrameCompressedSize(block->data, block->len) != block->len)
        return false;
    len = ZSTD_decompressDCtx(decoder->zstd, decoder->raw, LOG_BLOCK_MAX_RAW,
                              block->data, block->len);
    if (ZSTD_isError(len))
        return false;
    decoder->cursor = (struct cursor){decoder->raw, decoder->raw + len};
    return true;
}

static void rewind_to(struct log_decoder *decoder, uint64_t seq)
{
    decoder->cursor.at = decoder->raw;
    decoder->seq = seq;
    decoder->at_ms = 0;
}

static bool is_sound(struct log_decoder *decoder, const struct log_block *block)
{
    struct log_entry entry;
    uint64_t bytes = 0;

    if (!block->len || block->len > LOG_BLOCK_MAX_LEN || !block->count ||
        block->count > LOG_BLOCK_MAX_ENTRIES || block->first_seq > COUNT_MAX ||
        !decompress(decoder, block))
        return false;
    rewind_to(decoder, block->first_seq);
    for (uint32_t i = 0; i < block->count; i++) {
        if (!get_entry(decoder, &entry))
            return false;
        bytes += entry.len + entry.gap_bytes;
    }
    return decoder->cursor.at == decoder->cursor.end && bytes == block->bytes;
}

int log_decoder_open(struct log_decoder *decoder, const struct log_block *block,
                     struct err *err)
{
    decoder->cursor = (struct cursor){NULL, NULL};
    if (!is_sound(decoder, block)) {
        decoder->cursor = (struct cursor){NULL, NULL};
        return err_set(err, ERR_USER, "a block of the log is damaged");
    }
    rewind_to(decoder, block->first_seq);
    return 0;
}

bool log_decoder_next(struct log_decoder *decoder, struct log_entry *out_entry)
{
    return decoder->cursor.at < decoder->cursor.end &&
           get_entry(decoder, out_entry);
}
