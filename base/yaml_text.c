/* base/yaml_text.c - a YAML document's bytes, checked and cut into lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"
#include "base/yaml_internal.h"

#include <string.h>

#define MAX_BAD_BYTES 10 /* reported of one document */

/* What a character is called that no document may hold, or NULL. */
static const char *refused(uint32_t c)
{
    if (c == '\n' || c == '\r' || c == '\t')
        return NULL;
    if (!c)
        return "a NUL byte";
    if (c == 0x85 || c == 0x2028 || c == 0x2029)
        return "an unusual line break";
    if (utf8_is_control(c))
        return "a control character";
    if (c == 0xfeff)
        return "a byte order mark inside the document";
    return c == 0xfffe || c == 0xffff ? "a character that is none" : NULL;
}

/* Report bytes that may not be there. Columns count characters. */
static int check_bytes(struct yaml_build *build)
{
    struct yaml_tree *tree = build->tree;
    struct yaml_pos pos = {1, 1};
    size_t n, bad = 0;

    for (size_t i = 0; i < tree->len && bad < MAX_BAD_BYTES; i += n) {
        uint32_t c = 0;
        const char *what;

        n = utf8_decode(tree->text + i, tree->len - i, &c);
        what = n ? refused(c) : "a byte that is not UTF-8";
        n = n ? n : 1;
        if (what) {
            bad++;
            (void)yaml_fail(build, pos, NULL, "%s (0x%02x)", what,
                            c ? c : (unsigned char)tree->text[i]);
        }
        pos.column++;
        if (c == '\n' || (c == '\r' && tree->text[i + 1] != '\n')) {
            pos.line++;
            pos.column = 1;
        }
    }
    return bad ? -1 : 0;
}

static void cut_lines(struct yaml_tree *tree)
{
    uint32_t *lines = arena_grow(tree->arena, NULL, 0, sizeof(*lines));
    size_t count = 1;

    lines[0] = 0;
    for (size_t i = 0; i < tree->len; i++) {
        if (tree->text[i] != '\n' &&
            (tree->text[i] != '\r' || tree->text[i + 1] == '\n'))
            continue;
        lines = arena_grow(tree->arena, lines, count, sizeof(*lines));
        lines[count++] = (uint32_t)(i + 1);
    }
    tree->lines = lines;
    tree->line_count = count;
}

int yaml_text_take(struct yaml_build *build, const char *text, size_t len)
{
    struct yaml_tree *tree = build->tree;

    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        len -= 3;
    }
    if (len > YAML_MAX_BYTES)
        return yaml_fail(build, (struct yaml_pos){0, 0}, NULL,
                         "the document is larger than 1 MiB");
    if (len >= 2 &&
        (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2)))
        return yaml_fail(build, (struct yaml_pos){1, 1}, NULL,
                         "this is UTF-16; save it as UTF-8");
    tree->text = arena_strndup(tree->arena, text, len);
    tree->len = len;
    if (check_bytes(build) < 0)
        return -1;
    cut_lines(tree);
    return 0;
}

bool yaml_text_line(const struct yaml_tree *tree, unsigned line,
                    size_t *out_start, size_t *out_len)
{
    size_t start, end;

    if (!line || line > tree->line_count)
        return false;
    start = tree->lines[line - 1];
    end = line < tree->line_count ? tree->lines[line] : tree->len;
    while (end > start &&
           (tree->text[end - 1] == '\n' || tree->text[end - 1] == '\r'))
        end--;
    *out_start = start;
    *out_len = end - start;
    return true;
}
