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

static const char lock[] = "a lock file";
static const char vendored[] = "vendored";
static const char generated[] = "generated";
static const char data[] = "data";
static const char secret[] = "it may hold secrets";

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
    {"id_rsa*", secret},
};

static const struct rule directories[] = {
    {"node_modules", vendored}, {"bower_components", vendored},
    {"vendor", vendored},       {"third_party", vendored},
    {"external", vendored},     {"Pods", vendored},
    {"dist", generated},        {"__snapshots__", generated},
};

static const char *by_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (glob_match(names[i].pattern, name))
            return names[i].why;
    return NULL;
}

static const char *by_directory(const char *path)
{
    for (const char *end; (end = strchr(path, '/')); path = end + 1)
        for (size_t i = 0; i < ARRAY_LEN(directories); i++)
            if (strlen(directories[i].pattern) == (size_t)(end - path) &&
                !strncmp(directories[i].pattern, path, (size_t)(end - path)))
                return directories[i].why;
    return NULL;
}

static bool says(const struct diff_line *line, const char *word)
{
    return memmem(line->text, line->len, word, strlen(word)) != NULL;
}

/* "Code generated … DO NOT EDIT." (Go), "@generated" (Meta). */
static bool is_generated(const struct diff_file *file)
{
    const struct diff_hunk *hunk = file->hunk_count ? file->hunks : NULL;

    for (size_t i = 0; hunk && i < hunk->count; i++) {
        const struct diff_line *line = &hunk->lines[i];

        if (line->new_line > HEAD_LINES)
            break;
        if (line->kind != DIFF_REMOVED &&
            (says(line, "@generated") || says(line, "DO NOT EDIT")))
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

const char *skip_why(const struct diff_file *file, const struct strv *paths)
{
    const char *path = file->new_path;
    const char *why;

    if (!skip_wanted(paths, path))
        return "not among the paths";
    if (file->binary)
        return "binary";
    if (is_link(file->new_mode) || is_link(file->old_mode))
        return "a link";
    if (file->status == DIFF_DELETED)
        return "deleted";
    if (!file->hunk_count)
        return file->cut ? "not in the diff" : "only its name or mode changed";
    why = by_directory(path);
    if (!why)
        why = by_name(path);
    return why ? why : is_generated(file) ? generated : NULL;
}
