/* worker/logs/mask.c - secrets in output become ***. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/logs/mask.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STARS       "***"
#define SLICE       ((size_t)16 << 10)
#define START_BYTES 4 /* by which the start of a needle is recognised */
#define START_BITS  16

_Static_assert(START_BYTES <= NEEDLES_MIN_VALUE, "needles have a start");

/*
 * An automaton of Aho and Corasick. A node is a prefix of a needle; node 0 is
 * the empty one. Edges are in one hash table, for most nodes have one.
 */
struct node {
    uint32_t fail;  /* the longest prefix it ends in that can go on */
    uint16_t depth; /* length of the prefix */
    uint16_t match; /* length of the longest needle it ends in, or 0 */
    bool leaf;      /* no needle goes on from it */
};

struct edge {
    uint32_t from; /* node << 8 | byte */
    uint32_t to;   /* 0: this place is free */
};

struct mask {
    struct node *nodes; /* owned */
    uint32_t node_count, node_cap;
    struct edge *edges;   /* owned; a power of two of places */
    uint32_t edge_places; /* at least twice the nodes */
    uint32_t root[256];
    /* A bit for each hash of the first bytes of a needle: a text's bytes for
     * which it is not set begin none. Most are passed over by this. */
    uint64_t starts[(1 << START_BITS) / 64];
};

/* ---- the automaton ------------------------------------------------------- */

static uint32_t hash(uint32_t n)
{
    return n * UINT32_C(0x9e3779b1);
}

static struct edge *edge_place(const struct mask *mask, uint32_t node,
                               uint8_t byte)
{
    uint32_t from = node << 8 | byte;
    uint32_t last = mask->edge_places - 1;
    uint32_t i = (hash(from) >> 8) & last;

    while (mask->edges[i].to && mask->edges[i].from != from)
        i = (i + 1) & last;
    return &mask->edges[i];
}

static void grow_edges(struct mask *mask)
{
    struct edge *old = mask->edges;
    uint32_t places = mask->edge_places;

    mask->edge_places = places ? places * 2 : 64;
    mask->edges = xcalloc(mask->edge_places, sizeof(*mask->edges));
    for (uint32_t i = 0; i < places; i++)
        if (old[i].to)
            *edge_place(mask, old[i].from >> 8, (uint8_t)old[i].from) = old[i];
    free(old);
}

static uint32_t new_node(struct mask *mask, uint16_t depth)
{
    if (mask->node_count == mask->node_cap) {
        mask->node_cap = mask->node_cap ? mask->node_cap * 2 : 64;
        mask->nodes =
            xreallocarray(mask->nodes, mask->node_cap, sizeof(*mask->nodes));
    }
    mask->nodes[mask->node_count] = (struct node){.depth = depth, .leaf = true};
    if (mask->node_count >= mask->edge_places / 2)
        grow_edges(mask);
    return mask->node_count++;
}

static uint32_t child(struct mask *mask, uint32_t node, uint8_t byte)
{
    uint32_t to = edge_place(mask, node, byte)->to;

    if (!to) {
        to = new_node(mask, (uint16_t)(mask->nodes[node].depth + 1));
        mask->nodes[node].leaf = false;
        *edge_place(mask, node, byte) = (struct edge){node << 8 | byte, to};
    }
    return to;
}

static uint32_t start_hash(const char *p)
{
    uint32_t n;

    memcpy(&n, p, START_BYTES);
    return hash(n) >> (32 - START_BITS);
}

static void insert(struct mask *mask, const char *needle, size_t len)
{
    uint32_t node = 0, start = start_hash(needle);

    for (size_t i = 0; i < len; i++)
        node = child(mask, node, (uint8_t)needle[i]);
    mask->nodes[node].match = (uint16_t)len;
    mask->starts[start / 64] |= UINT64_C(1) << start % 64;
}

static uint32_t step(const struct mask *mask, uint32_t node, uint8_t byte)
{
    while (node) {
        uint32_t to = edge_place(mask, node, byte)->to;

        if (to)
            return to;
        node = mask->nodes[node].fail;
    }
    return mask->root[byte];
}

/* All that are less deep are linked. */
static void link_node(struct mask *mask, const struct edge *edge)
{
    uint32_t parent = edge->from >> 8;
    uint32_t fail =
        parent ? step(mask, mask->nodes[parent].fail, (uint8_t)edge->from) : 0;
    struct node *node = &mask->nodes[edge->to];

    if (!node->match)
        node->match = mask->nodes[fail].match;
    node->fail = mask->nodes[fail].leaf ? mask->nodes[fail].fail : fail;
}

static int by_depth(const void *a, const void *b, void *arg)
{
    const struct node *nodes = arg;

    return nodes[((const struct edge *)a)->to].depth -
           nodes[((const struct edge *)b)->to].depth;
}

static void link_nodes(struct mask *mask)
{
    CLEANUP(mem)
    struct edge *order = xcalloc(mask->node_count, sizeof(*order));
    uint32_t count = 0;

    for (uint32_t i = 0; i < mask->edge_places; i++)
        if (mask->edges[i].to)
            order[count++] = mask->edges[i];
    qsort_r(order, count, sizeof(*order), by_depth, mask->nodes);
    for (uint32_t i = 0; i < count; i++) {
        if (order[i].from < 256)
            mask->root[order[i].from] = order[i].to;
        link_node(mask, &order[i]);
    }
}

struct mask *mask_new(const struct needles *needles)
{
    struct mask *mask = xcalloc(1, sizeof(*mask));

    (void)new_node(mask, 0);
    for (size_t i = 0; i < needles_count(needles); i++) {
        size_t len;
        const char *needle = needles_get(needles, i, &len);

        insert(mask, needle, len);
    }
    link_nodes(mask);
    return mask;
}

void mask_free(struct mask *mask)
{
    if (!mask)
        return;
    free(mask->nodes);
    free(mask->edges);
    free(mask);
}

/* ---- a stream ------------------------------------------------------------ */

/* Bytes to be masked, counted from the first that is held. */
struct span {
    size_t start, end;
};

struct mask_stream {
    const struct mask *mask; /* borrowed */
    uint32_t node;           /* that the bytes so far end in */
    struct strbuf held;
    struct span *spans; /* owned; in order, with bytes between them */
    size_t span_count, span_cap;
    bool starred; /* what was put out last is STARS */
};

struct mask_stream *mask_stream_new(const struct mask *mask)
{
    struct mask_stream *stream = xcalloc(1, sizeof(*stream));

    stream->mask = mask;
    stream->held = (struct strbuf)STRBUF_MAX(SLICE + NEEDLES_MAX_LEN);
    return stream;
}

void mask_stream_free(struct mask_stream *stream)
{
    if (!stream)
        return;
    strbuf_clear(&stream->held);
    free(stream->spans);
    free(stream);
}

/* No span ends behind `end`. */
static void add_span(struct mask_stream *stream, size_t start, size_t end)
{
    struct span *last;

    while (stream->span_count &&
           stream->spans[stream->span_count - 1].start >= start)
        stream->span_count--;
    last = stream->span_count ? &stream->spans[stream->span_count - 1] : NULL;
    if (last && last->end >= start) {
        last->end = end;
        return;
    }
    if (stream->span_count == stream->span_cap) {
        stream->span_cap = stream->span_cap ? stream->span_cap * 2 : 16;
        stream->spans = xreallocarray(stream->spans, stream->span_cap,
                                      sizeof(*stream->spans));
    }
    stream->spans[stream->span_count++] = (struct span){start, end};
}

/* The held bytes from `from` on. */
static void scan(struct mask_stream *stream, size_t from)
{
    const struct mask *mask = stream->mask;
    const char *text = stream->held.data;
    size_t len = stream->held.len;
    uint32_t node = stream->node;

    for (size_t i = from; i < len;) {
        uint32_t match;

        if (!node)
            for (; i + START_BYTES <= len; i++) {
                uint32_t start = start_hash(text + i);

                if (mask->starts[start / 64] >> start % 64 & 1)
                    break;
            }
        node = step(mask, node, (uint8_t)text[i++]);
        match = mask->nodes[node].match;
        if (match)
            add_span(stream, i - match, i);
        if (mask->nodes[node].leaf)
            node = mask->nodes[node].fail;
    }
    stream->node = node;
}

static void put_plain(struct mask_stream *stream, size_t from, size_t to,
                      struct strbuf *out)
{
    if (from == to)
        return;
    strbuf_add(out, stream->held.data + from, to - from);
    stream->starred = false;
}

/* The first `len` held bytes; a span may reach beyond them. */
static void release(struct mask_stream *stream, size_t len, struct strbuf *out)
{
    size_t at = 0, kept = 0;

    for (size_t i = 0; i < stream->span_count; i++) {
        struct span span = stream->spans[i];

        if (span.start < len) {
            put_plain(stream, at, span.start, out);
            if (!stream->starred)
                strbuf_adds(out, STARS);
            stream->starred = true;
            at = span.end < len ? span.end : len;
            span.start = len;
        }
        if (span.end > len)
            stream->spans[kept++] =
                (struct span){span.start - len, span.end - len};
    }
    put_plain(stream, at, len, out);
    stream->span_count = kept;
    strbuf_consume(&stream->held, len);
}

void mask_stream_feed(struct mask_stream *stream, const char *data, size_t len,
                      struct strbuf *out)
{
    while (len) {
        size_t before = stream->held.len;
        size_t size = len < SLICE ? len : SLICE;

        strbuf_add(&stream->held, data, size);
        scan(stream, before);
        release(stream,
                stream->held.len - stream->mask->nodes[stream->node].depth,
                out);
        data += size;
        len -= size;
    }
}

void mask_stream_flush(struct mask_stream *stream, struct strbuf *out)
{
    release(stream, stream->held.len, out);
    stream->node = 0;
    stream->starred = false;
}

void mask_string(const struct mask *mask, const char *data, size_t len,
                 struct strbuf *out)
{
    CLEANUP(mask_stream) struct mask_stream *stream = NULL;

    if (!mask) {
        strbuf_add(out, data, len);
        return;
    }
    stream = mask_stream_new(mask);
    mask_stream_feed(stream, data, len, out);
    mask_stream_flush(stream, out);
}
