/* tests/tools/findings.c - readers, diffs and comments, for scripts. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/findings/comment.h"
#include "pipelines/findings/fingerprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * findings read FORMAT [WORKSPACE [DIR]]   a report on stdin: the findings
 * findings diff                            a diff on stdin: all its lines
 * findings remarks FORMAT DIFF [WORKSPACE] each finding, where it is placed
 * findings summary FORMAT [WORKSPACE]      the summary, as Markdown
 *
 * Prints JSON, or exits with 1 and the reason on stderr.
 */

static int read_all(FILE *in, struct strbuf *out)
{
    char chunk[65536];
    size_t n;

    while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
        strbuf_add(out, chunk, n);
    return ferror(in) ? -1 : 0;
}

static void print(json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(value);
}

static struct findings *read_report(int argc, char **argv, int workspace)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(findings) struct findings *findings = findings_new();
    const struct findings_source source = {
        .workspace = argc > workspace ? argv[workspace] : NULL,
        .dir = argc > workspace + 1 ? argv[workspace + 1] : NULL,
    };
    int format = findings_format_find(argv[2]);
    struct err err = {0};

    if (format < 0 || read_all(stdin, &text) < 0) {
        fprintf(stderr, "findings: no such format, or no input\n");
        return NULL;
    }
    if (findings_read(findings, (enum findings_format)format, &source,
                      text.data, text.len, &err) < 0) {
        fprintf(stderr, "findings: %s\n", err.msg);
        return NULL;
    }
    return STEAL(findings);
}

static json_t *line_json(const struct diff_file *file,
                         const struct diff_line *line)
{
    static const char *const kinds[] = {" ", "+", "-"};
    char code[DIFF_LINE_CODE_SIZE];
    uint32_t old_line, new_line;

    diff_line_pair(line, &old_line, &new_line);
    return json_pack("{s:s, s:i, s:i, s:i, s:s%, s:b, s:b, s:s}", "kind",
                     kinds[line->kind], "old", (int)old_line, "new",
                     (int)new_line, "next_old", (int)line->old_line, "text",
                     line->text, line->len, "cr", line->has_cr, "no_newline",
                     line->no_newline, "code",
                     diff_line_code(file, line, code));
}

static json_t *file_json(const struct diff_file *file)
{
    static const char *const statuses[] = {"modified", "new", "deleted",
                                           "renamed", "copied"};
    json_t *lines = json_array();

    for (size_t h = 0; h < file->hunk_count; h++)
        for (size_t i = 0; i < file->hunks[h].count; i++)
            json_array_append_new(lines,
                                  line_json(file, &file->hunks[h].lines[i]));
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:i, s:i, s:o}", "old",
                     file->old_path, "new", file->new_path, "status",
                     statuses[file->status], "binary", file->binary, "cut",
                     file->cut, "old_mode", (int)file->old_mode, "new_mode",
                     (int)file->new_mode, "hunks", (int)file->hunk_count,
                     "lines", lines);
}

static int show_diff(void)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(diff) struct diff *diff = NULL;
    json_t *files = json_array();

    if (read_all(stdin, &text) < 0)
        return 1;
    diff = diff_parse(text.data, text.len, false);
    for (size_t i = 0; i < diff->count; i++)
        json_array_append_new(files, file_json(&diff->files[i]));
    print(json_pack("{s:b, s:o}", "cut", diff->cut, "files", files));
    return 0;
}

static json_t *remark_json(const struct remark *remark)
{
    static const char *const places[] = {"outside", "file", "inline"};
    const struct comment_style style = {SUGGESTION_GITHUB, 65536, NULL, NULL};
    CLEANUP(mem) char *body = comment_write(remark, &style);
    const struct diff_place *place = &remark->place;
    enum diff_side side = place->side;
    int start = 0, line = 0;

    if (place->where == DIFF_INLINE) {
        start = (int)diff_line_number(place->start, side);
        line = (int)diff_line_number(place->end, side);
    }
    return json_pack(
        "{s:s, s:s, s:i, s:i, s:s, s:b, s:b, s:b, s:s?, s:s}", "rule",
        remark->finding->rule, "where", places[place->where], "start_line",
        start, "line", line, "side", side == DIFF_OLD ? "old" : "new",
        "clipped", place->clipped, "moved", remark->moved, "unquoted",
        remark->unquoted, "suggestion", remark->suggestion, "body", body);
}

static int show_remarks(int argc, char **argv)
{
    CLEANUP(findings) struct findings *findings = read_report(argc, argv, 4);
    CLEANUP(arena) struct arena *arena = arena_new();
    CLEANUP(strbuf) struct strbuf text = STRBUF_INIT;
    CLEANUP(diff) struct diff *diff = NULL;
    FILE *file = fopen(argv[3], "re");
    json_t *list = json_array();

    if (!findings || !file || read_all(file, &text) < 0) {
        json_decref(list);
        if (file)
            (void)fclose(file);
        return 1;
    }
    (void)fclose(file);
    diff = diff_parse(text.data, text.len, false);
    findings_fingerprint(findings, fingerprint_diff_line, diff);
    for (size_t i = 0; i < findings->count; i++) {
        struct remark remark = remark_make(arena, diff, &findings->items[i]);

        json_array_append_new(list, remark_json(&remark));
    }
    print(list);
    return 0;
}

static int show_summary(int argc, char **argv)
{
    CLEANUP(findings) struct findings *findings = read_report(argc, argv, 3);
    const struct summary_spec spec = {
        .key = "test", .title = "Findings", .max_rows = 50, .max = 65536};
    CLEANUP(mem) char *body = NULL;

    if (!findings)
        return 1;
    body = summary_write(findings, &spec);
    (void)fputs(body, stdout);
    return 0;
}

static int show_findings(int argc, char **argv)
{
    CLEANUP(findings) struct findings *findings = read_report(argc, argv, 3);

    if (!findings)
        return 1;
    findings_fingerprint(findings, NULL, NULL);
    print(findings_to_json(findings));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "read") == 0)
        return show_findings(argc, argv);
    if (argc == 2 && strcmp(argv[1], "diff") == 0)
        return show_diff();
    if (argc >= 4 && strcmp(argv[1], "remarks") == 0)
        return show_remarks(argc, argv);
    if (argc >= 3 && strcmp(argv[1], "summary") == 0)
        return show_summary(argc, argv);
    fprintf(stderr, "usage: findings read|diff|remarks|summary…\n");
    return 2;
}
