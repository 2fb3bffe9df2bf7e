/* tests/fuzz/logs_fuzz.c - blocks of a log of any bytes, and masking. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/queue/log_block.h"
#include "tests/fuzz/fuzz.h"
#include "worker/logs/mask.h"

#define MASKED_MAX                                                             \
    4096 /* what a search for each needle everywhere can bear                  \
          */

/* What is read gives the same entries once it is written again. */
static void decode(const struct log_block *block)
{
    CLEANUP(log_decoder) struct log_decoder *decoder = log_decoder_new();
    CLEANUP(log_builder)
    struct log_builder *builder =
        log_builder_new(block->first_seq, block->offset);
    uint64_t bytes = 0, seq = block->first_seq;
    struct log_entry entry;
    struct log_block again;
    bool room = true;

    if (log_decoder_open(decoder, block, NULL) < 0)
        return;
    while (log_decoder_next(decoder, &entry)) {
        require(entry.seq == seq++);
        bytes += entry.len + entry.gap_bytes;
        room = room && log_builder_add(builder, &entry);
    }
    require(bytes == block->bytes && seq == log_block_last_seq(block) + 1);
    if (!room) /* it was written closer than we write */
        return;
    require(log_builder_finish(builder, &again));
    require(again.bytes == bytes && again.count == block->count);
    require(log_decoder_open(decoder, &again, NULL) == 0);
}

static void fuzz_block(const uint8_t *data, size_t size)
{
    struct log_block block;
    int64_t taken = log_block_parse(data, size, &block);

    require(taken <= (int64_t)size);
    if (taken > 0)
        decode(&block);
    /* The check sum is no hurdle for whoever sends the bytes. */
    if (log_block_parse_header(data, size, &block) > 0 &&
        block.len <= size - LOG_BLOCK_HEADER_SIZE) {
        block.data = data + LOG_BLOCK_HEADER_SIZE;
        decode(&block);
    }
}

static void mask_slowly(const struct needles *needles, const char *text,
                        size_t len, struct strbuf *out)
{
    CLEANUP(mem) char *covered = xcalloc(len + 1, 1);

    for (size_t n = 0; n < needles_count(needles); n++) {
        size_t needle_len;
        const char *needle = needles_get(needles, n, &needle_len);

        for (const char *at = text;
             (at = memmem(at, len - (size_t)(at - text), needle, needle_len));
             at++)
            memset(covered + (at - text), 1, needle_len);
    }
    for (size_t i = 0; i < len; i++)
        if (!covered[i])
            strbuf_addc(out, text[i]);
        else if (!i || !covered[i - 1])
            strbuf_adds(out, "***");
}

/* One byte says how long the secret is, one how long the chunks are. */
static void fuzz_mask(const char *data, size_t size)
{
    CLEANUP(needles) struct needles *needles = needles_new();
    CLEANUP(mask) struct mask *mask = NULL;
    CLEANUP(mask_stream) struct mask_stream *stream = NULL;
    CLEANUP(strbuf) struct strbuf slow = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf whole = STRBUF_INIT;
    CLEANUP(strbuf) struct strbuf chunked = STRBUF_INIT;
    size_t secret, chunk;

    if (size < 2 || size > MASKED_MAX)
        return;
    secret = (uint8_t)data[0] % 64;
    secret = secret < size - 2 ? secret : size - 2;
    chunk = (size_t)(uint8_t)data[1] % 32 + 1;
    (void)!needles_add(needles, data + 2, secret);
    mask = mask_new(needles);
    stream = mask_stream_new(mask);
    data += 2;
    size -= 2;
    mask_slowly(needles, data, size, &slow);
    mask_string(mask, data, size, &whole);
    require(whole.len == slow.len && whole.len <= size &&
            memcmp(whole.data, slow.data, slow.len) == 0);
    for (size_t i = 0; i < size; i += chunk)
        mask_stream_feed(stream, data + i, size - i < chunk ? size - i : chunk,
                         &chunked);
    mask_stream_flush(stream, &chunked);
    require(chunked.len == slow.len &&
            memcmp(chunked.data, slow.data, slow.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_block(data, size);
    fuzz_mask((const char *)data, size);
    return 0;
}
