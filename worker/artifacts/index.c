/* worker/artifacts/index.c - artifacts of a job as a bucket has them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/artifacts/index.h"

#include "base/strbuf.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX   ".json"
#define ID_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define PLAIN                                                                  \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./"
#define HEX           "0123456789ABCDEF"
#define LONG_MAX_PATH 400 /* of a key's part for the path */

/* ---- names -------------------------------------------------------------- */

char *index_key(const struct index_name *name)
{
    return xasprintf(INDEX_PREFIX "%s/%" PRIu64 "-%" PRId64 SUFFIX,
                     name->job_id, name->epoch, name->expires_at_ms);
}

bool index_key_parse(const char *key, struct index_name *out_name)
{
    const char *id = key + sizeof(INDEX_PREFIX) - 1;
    struct index_name name = {.epoch = 0};
    CLEANUP(mem) char *again = NULL;
    size_t len;
    char *end;

    if (strncmp(key, INDEX_PREFIX, sizeof(INDEX_PREFIX) - 1) != 0)
        return false;
    len = strspn(id, ID_CHARS);
    if (!len || len >= sizeof(name.job_id) || id[len] != '/')
        return false;
    memcpy(name.job_id, id, len);
    name.epoch = strtoull(id + len + 1, &end, 10);
    if (*end == '-')
        name.expires_at_ms = strtoll(end + 1, NULL, 10);
    again = index_key(&name);
    if (name.expires_at_ms <= 0 || strcmp(again, key) != 0)
        return false;
    *out_name = name;
    return true;
}

char *index_files_prefix(const struct index_name *name)
{
    return xasprintf("files/%s/%" PRIu64 "/", name->job_id, name->epoch);
}

static char *encode(const char *path)
{
    CLEANUP(strbuf) struct strbuf out = STRBUF_INIT;

    for (; *path; path++)
        if (strchr(PLAIN, *path))
            strbuf_addc(&out, *path);
        else
            strbuf_addf(&out, "=%02X", (unsigned)(unsigned char)*path);
    return strbuf_take(&out);
}

/* NULL: nobody writes it so. */
static char *decode(const char *text)
{
    CLEANUP(mem) char *plain = xmalloc(strlen(text) + 1);
    char *to = plain;

    for (; *text; text++) {
        const char *high = *text == '=' && text[1] ? strchr(HEX, text[1]) : "";
        const char *low = *text == '=' && high && text[1] && text[2]
                              ? strchr(HEX, text[2])
                              : NULL;

        if (*text != '=') {
            *to++ = *text;
            continue;
        }
        if (!high || !low || (high == low && *high == '0'))
            return NULL;
        *to++ = (char)((strchr(HEX, text[1]) - HEX) * 16 +
                       (strchr(HEX, text[2]) - HEX));
        text += 2;
    }
    *to = '\0';
    return STEAL(plain);
}

char *index_file_key(const struct index_name *name,
                     const struct artifact_file *file)
{
    CLEANUP(mem) char *prefix = index_files_prefix(name);
    CLEANUP(mem) char *path = encode(file->path);
    char digest[SHA256_HEX_SIZE];
    struct sha256 sha;

    if (strlen(path) <= LONG_MAX_PATH)
        return xasprintf("%s%u/%s", prefix, file->step, path);
    sha256_init(&sha);
    sha256_add(&sha, file->path, strlen(file->path));
    sha256_end_hex(&sha, digest);
    return xasprintf("%s%u/=long/%s", prefix, file->step, digest);
}

/* ---- the document ------------------------------------------------------- */

json_t *index_file_json(const struct artifact_file *file, const char *sha256)
{
    CLEANUP(mem) char *path = encode(file->path);

    return json_pack("{s:i, s:s, s:I, s:s}", "step", (int)file->step, "path",
                     path, "bytes", (json_int_t)file->bytes, "sha256", sha256);
}

char *index_write(json_t *files)
{
    json_t *doc = json_pack("{s:i, s:o}", "schema", 1, "files",
                            files ? files : json_null());
    char *text = json_dumps(doc, JSON_COMPACT);

    json_decref(doc);
    if (!text)
        abort(); /* out of memory: all of it is ASCII */
    return text;
}

static int bad(struct err *err)
{
    return err_set(err, ERR_USER, "the index of the artifacts is damaged");
}

static int read_file(const json_t *line, index_file_fn *fn, void *arg,
                     struct err *err)
{
    const char *path = json_string_value(json_object_get(line, "path"));
    const char *sha256 = json_string_value(json_object_get(line, "sha256"));
    json_int_t step = json_integer_value(json_object_get(line, "step"));
    json_int_t bytes = json_integer_value(json_object_get(line, "bytes"));
    CLEANUP(mem) char *plain = path ? decode(path) : NULL;
    struct artifact_file file = {.path = plain};

    if (!plain || !artifacts_path_ok(plain) || !sha256 ||
        strlen(sha256) != SHA256_HEX_SIZE - 1 || step < 0 ||
        step >= ARTIFACTS_MAX_STEPS || bytes < 0)
        return bad(err);
    file.step = (unsigned)step;
    file.bytes = (uint64_t)bytes;
    return fn(arg, &file, sha256, err);
}

int index_read(const void *data, size_t len, index_file_fn *fn, void *arg,
               struct err *err)
{
    json_t *doc = json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *files = json_object_get(doc, "files");
    const json_t *line;
    size_t i;
    int rc = 0;

    if (json_integer_value(json_object_get(doc, "schema")) != 1 ||
        (!json_is_array(files) && !json_is_null(files)) ||
        json_array_size(files) > ARTIFACTS_MAX_FILES)
        rc = bad(err);
    else if (json_is_null(files))
        rc = err_set(err, ERR_TRANSIENT,
                     "the artifacts are on their way to the store");
    json_array_foreach(files, i, line)
    {
        if (rc == 0)
            rc = read_file(line, fn, arg, err);
    }
    json_decref(doc);
    return rc;
}
