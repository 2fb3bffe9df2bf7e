/* pipelines/review/skip.c - files of a change that nobody should review. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipelines/review/skip.h"

#include "base/glob.h"

#include <string.h>
#include <strings.h>

#define HEAD_LINES 12 /* where generators say that they are */

struct rule {
    const char *pattern; /* of the path, without regard to a leading dot */
    const char *why;
};

static const char lock[] = "lock file";
static const char vendored[] = "vendored";
static const char generated[] = "generated";
static const char data[] = "data";
static const char secret[] = "may hold secrets";

static const struct rule names[] = {
    {"package-lock.json", lock},
    {"npm-shrinkwrap.json", lock},
    {"yarn.lock", lock},
    {"pnpm-lock.yaml", lock},
    {"bun.lock", lock},
    {"Cargo.lock", lock},
    {"go.sum", lock},
    {"Gemfile.lock", lock},
    {"composer.lock", lock},
    {"poetry.lock", lock},
    {"uv.lock", lock},
    {"Pipfile.lock", lock},
    {"flake.lock", lock},
    {"packages.lock.json", lock},
    {"mix.lock", lock},
    {"pubspec.lock", lock},
    {"*.min.js", generated},
    {"*.min.css", generated},
    {"*.map", generated},
    {"*.pb.go", generated},
    {"*.pb.cc", generated},
    {"*.pb.h", generated},
    {"*_pb2.py", generated},
    {"*_pb2_grpc.py", generated},
    {"*.g.dart", generated},
    {"*.snap", generated},
    {"*.generated.*", generated},
    {"*.svg", data},
    {"*.csv", data},
    {"*.tsv", data},
    {"*.ipynb", data},
    {"*.geojson", data},
    {".env", secret},
    {".env.*", secret},
    {".envrc", secret},
    {".npmrc", secret},
    {"*.pem", secret},
    {"*.key", secret},
    {"*.p12", secret},
    {"id_rsa", secret},
};

static const struct rule directories[] = {
    {"node_modules", vendored}, {"bower_components", vendored},
    {"vendor", vendored},       {"third_party", vendored},
    {"external", vendored},     {"Pods", vendored},
    {"dist", generated},        {"__snapshots__", generated},
};

/* ---- what the base says ---------------------------------------------------
 */

/* Whether a path of the sorted list is `text`, or begins with it. */
static bool has(const struct strv *sorted, const char *text, size_t len,
                bool is_start)
{
    size_t low = 0, high = sorted ? sorted->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(sorted->items[middle], text, len);

        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return sorted && low < sorted->count &&
           strncmp(sorted->items[low], text, len) == 0 &&
           (is_start || !sorted->items[low][len]);
}

static bool has_file(const struct skip_base *base, const char *path)
{
    return base && has(base->files, path, strlen(path), false);
}

/* ---- rules ----------------------------------------------------------------
 */

/* A change could give its code the name of what is generated. */
static const char *by_name(const char *path, const struct skip_base *base)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (glob_match(names[i].pattern, name) &&
            (names[i].why != generated || has_file(base, path)))
            return names[i].why;
    return NULL;
}

static const char *by_directory(const char *path, const struct skip_base *base)
{
    const char *at = path;

    for (const char *end; base && (end = strchr(at, '/')); at = end + 1)
        for (size_t i = 0; i < ARRAY_LEN(directories); i++)
            if (strlen(directories[i].pattern) == (size_t)(end - at) &&
                !strncmp(directories[i].pattern, at, (size_t)(end - at)) &&
                has(base->files, path, (size_t)(end + 1 - path), true))
                return directories[i].why;
    return NULL;
}

static bool says(const char *text, size_t len)
{
    /* "Code generated … DO NOT EDIT." (Go), "@generated" (Meta). */
    static const char *const marks[] = {"@generated", "DO NOT EDIT"};

    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (memmem(text, len, marks[i], strlen(marks[i])))
            return true;
    return false;
}

bool skip_head_says(const char *text, size_t len)
{
    const char *end = text;

    for (unsigned i = 0; i < HEAD_LINES && end < text + len; i++) {
        const char *lf = memchr(end, '\n', len - (size_t)(end - text));

        end = lf ? lf + 1 : text + len;
    }
    return says(text, (size_t)(end - text));
}

bool skip_says_generated(const struct diff_file *file)
{
    const struct diff_hunk *hunk = file->hunk_count ? file->hunks : NULL;

    for (size_t i = 0; hunk && i < hunk->count; i++) {
        const struct diff_line *line = &hunk->lines[i];

        if (line->new_line > HEAD_LINES)
            break;
        if (line->kind != DIFF_REMOVED && says(line->text, line->len))
            return true;
    }
    return false;
}

/* Its text is a path, of a symbolic link or a commit of a submodule. */
static bool is_link(unsigned mode)
{
    return (mode & 0170000) == 0120000 || (mode & 0170000) == 0160000;
}

bool skip_wanted(const struct strv *patterns, const char *path)
{
    bool wanted = true;

    for (size_t i = 0; patterns && i < patterns->count; i++) {
        const char *pattern = patterns->items[i];
        bool is_not = *pattern == '!';

        /* The first one says what holds for all others. */
        if (i == 0)
            wanted = is_not;
        if (glob_match(pattern + is_not, path))
            wanted = !is_not;
    }
    return wanted;
}

const char *skip_why(const struct diff_file *file, const struct strv *paths,
                     const struct skip_base *base)
{
    const char *path = file->new_path;
    const char *why;

    if (!skip_wanted(paths, path))
        return "not among the paths";
    if (file->binary)
        return "binary";
    if (is_link(file->new_mode) || is_link(file->old_mode))
        return "link";
    if (file->status == DIFF_DELETED)
        return "deleted";
    if (!file->hunk_count)
        return file->cut ? "not in the diff" : "only its name or mode changed";
    why = by_directory(path, base);
    if (!why)
        why = by_name(path, base);
    if (!why && base && skip_says_generated(file) &&
        has(base->marked, path, strlen(path), false))
        why = generated;
    return why;
}
