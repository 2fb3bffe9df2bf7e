/* base/s3_keys.c - who we are to an S3 server. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/s3_keys.h"

#include "base/fd.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define ID       "AWS_ACCESS_KEY_ID"
#define SECRET   "AWS_SECRET_ACCESS_KEY"
#define TOKEN    "AWS_SESSION_TOKEN"
#define FILE_MAX ((size_t)64 << 10)
#define SPACE    " \t\r"

static void wipe(char **text)
{
    if (*text)
        mem_wipe(*text, strlen(*text));
    free(STEAL(*text));
}

void s3_keys_clear(struct s3_keys *keys)
{
    wipe(&keys->id);
    wipe(&keys->secret);
    wipe(&keys->token);
}

static char **place_of(struct s3_keys *keys, const char *name)
{
    if (strcasecmp(name, ID) == 0)
        return &keys->id;
    if (strcasecmp(name, SECRET) == 0)
        return &keys->secret;
    return strcasecmp(name, TOKEN) == 0 ? &keys->token : NULL;
}

/* In a header, and behind a colon. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static int check(const struct s3_keys *keys, struct err *err)
{
    if (!keys->id || !keys->secret || !*keys->id || !*keys->secret)
        return err_set(err, ERR_USER, "there is no " ID " or no " SECRET);
    if (!is_plain(keys->id) || !is_plain(keys->secret) ||
        (keys->token && !is_plain(keys->token)))
        return err_set(err, ERR_USER,
                       "they are printable characters without spaces");
    return 0;
}

static char *trim(char *text)
{
    size_t len;

    text += strspn(text, SPACE);
    len = strlen(text);
    while (len && strchr(SPACE, text[len - 1]))
        len--;
    if (len > 1 && *text == '"' && text[len - 1] == '"') {
        text++;
        len -= 2;
    }
    text[len] = '\0';
    return text;
}

static void read_line(struct s3_keys *keys, char *line)
{
    char *value = strchr(line, '=');
    char **place;

    if (!value || strchr("#;", *line))
        return;
    *value++ = '\0';
    place = place_of(keys, trim(line));
    value = trim(value);
    if (!place || !*value)
        return;
    wipe(place);
    *place = xstrdup(value);
}

static void read_lines(struct s3_keys *keys, char *text)
{
    bool ours = true;
    char *line;

    while ((line = strsep(&text, "\n"))) {
        line = trim(line);
        if (*line == '[')
            ours = strcmp(line, "[default]") == 0;
        else if (ours)
            read_line(keys, line);
    }
}

int s3_keys_parse(const char *text, struct s3_keys *out_keys, struct err *err)
{
    CLEANUP(s3_keys) struct s3_keys keys = {0};
    char *copy = xstrdup(text);

    read_lines(&keys, copy);
    mem_wipe(copy, strlen(text));
    free(copy);
    if (check(&keys, err) < 0)
        return -1;
    *out_keys = keys;
    keys = (struct s3_keys){0};
    return 0;
}

static int from_file(const char *path, struct s3_keys *out_keys,
                     struct err *err)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(FILE_MAX);
    struct stat st;
    int rc;

    if (stat(path, &st) == 0 && (st.st_mode & 07))
        return err_set(err, ERR_USER, "'%s' is open to others: chmod o=", path);
    if (file_read(path, FILE_MAX - 1, &text, err) < 0)
        return -1;
    rc = s3_keys_parse(text.data, out_keys, err);
    if (text.len)
        mem_wipe(text.data, text.len);
    return rc < 0 ? err_wrap(err, "'%s'", path) : 0;
}

int s3_keys_find(struct s3_keys *out_keys, struct err *err)
{
    static const char *const names[] = {ID, SECRET, TOKEN};
    const char *path = getenv(S3_CREDENTIALS_VARIABLE);
    CLEANUP(s3_keys) struct s3_keys keys = {0};

    if (path && *path)
        return from_file(path, out_keys, err) < 0
                   ? err_wrap(err, "the credentials of S3")
                   : 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value)
            *place_of(&keys, names[i]) = xstrdup(value);
    }
    if (check(&keys, err) < 0)
        return err_wrap(err, "the credentials of S3");
    *out_keys = keys;
    keys = (struct s3_keys){0};
    return 0;
}
