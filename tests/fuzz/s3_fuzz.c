/* tests/fuzz/s3_fuzz.c - what an S3 server, or who writes there, may say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3_list.h"
#include "base/s3_url.h"
#include "base/xml.h"
#include "tests/fuzz/fuzz.h"
#include "worker/artifacts/index.h"

static int on_element(void *arg, const char *path, const char *text, size_t len,
                      struct err *err)
{
    (void)arg, (void)err;
    require(*path && strlen(path) < XML_MAX_PATH);
    require(len <= XML_MAX_TEXT && text[len] == '\0');
    return 0;
}

static int on_object(void *arg, const struct s3_object *object, struct err *err)
{
    struct index_name name;

    (void)arg, (void)err;
    require(*object->key && strlen(object->key) <= S3_KEY_MAX);
    require(object->modified_ms >= 0);
    if (index_key_parse(object->key, &name))
        require(*name.job_id && name.expires_at_ms > 0);
    return 0;
}

static int on_file(void *arg, const struct artifact_file *file,
                   const char *sha256, struct err *err)
{
    static const struct index_name name = {"a", 1, 1};
    CLEANUP(mem) char *key = index_file_key(&name, file);

    (void)arg, (void)err;
    require(file->step < ARTIFACTS_MAX_STEPS && strlen(sha256) == 64);
    require(*file->path != '/' && !strstr(file->path, "/../"));
    require(strcmp(file->path, "..") != 0 &&
            strncmp(file->path, "../", 3) != 0);
    require(strlen(key) < 600);
    return 0;
}

static void address(const uint8_t *data, size_t size)
{
    CLEANUP(s3_url) struct s3_url url = {0};
    CLEANUP(mem) char *text = xasprintf("s3://%.*s", (int)size, data);

    if (s3_url_parse(text, &url, NULL) < 0)
        return;
    require(*url.bucket && !strchr(url.bucket, '/'));
    require(!*url.prefix || url.prefix[strlen(url.prefix) - 1] == '/');
    require(strncmp(url.prefix, "../", 3) != 0 && !strstr(url.prefix, "/../") &&
            !strpbrk(url.endpoint + 8, "/@?#"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct s3_error error;
    char *next = NULL;

    (void)!xml_read(data, size, on_element, NULL, NULL);
    if (s3_list_read(data, size, on_object, NULL, &next, NULL) == 0)
        free(next);
    s3_error_read(data, size, &error);
    (void)!index_read(data, size, on_file, NULL, NULL);
    address(data, size);
    return 0;
}
