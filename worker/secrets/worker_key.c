/* worker/secrets/worker_key.c - whom schedulers seal credentials to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/secrets/worker_key.h"

#include "base/fd.h"
#include "worker/secrets/file.h"
#include "worker/secrets/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int worker_key_load(const char *state_dir, struct seal_key *out_key,
                    bool *out_found, struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/" WORKER_KEY_NAME, state_dir);
    uint8_t secret[SEAL_KEY_SIZE];
    char *text = NULL;
    int rc = secret_file_read(path, &text, err);

    if (rc == 0 && text) {
        rc = seal_key_parse(text, secret, err);
        if (rc == 0)
            rc = seal_key_of(secret, out_key, err);
        if (rc < 0)
            (void)err_wrap(err, "'%s'", path);
        mem_wipe(secret, sizeof(secret));
    }
    if (rc == 0)
        *out_found = text != NULL;
    secret_free_value(text);
    return rc;
}

/* In one step, so that of two who make one both have the same. */
static int publish(const char *from, const char *path, struct err *err)
{
    if (link(from, path) < 0 && errno != EEXIST)
        return err_sys(err, ERR_TRANSIENT, "cannot make '%s'", path);
    return 0;
}

static int save(const struct seal_key *key, const char *state_dir,
                struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/" WORKER_KEY_NAME, state_dir);
    CLEANUP(mem)
    char *from =
        xasprintf("%s/." WORKER_KEY_NAME ".%d", state_dir, (int)getpid());
    char text[SEAL_TEXT_SIZE + 1];
    int rc;

    seal_key_text(key->secret, text);
    text[SEAL_TEXT_SIZE - 1] = '\n';
    rc = file_write(from, text, SEAL_TEXT_SIZE, 0600, err);
    mem_wipe(text, sizeof(text));
    if (rc == 0)
        rc = publish(from, path, err);
    (void)unlink(from);
    return rc;
}

int worker_key_make(const char *state_dir, struct seal_key *out_key,
                    struct err *err)
{
    CLEANUP(seal_key) struct seal_key key = {{0}, {0}};
    bool found = false;

    if (worker_key_load(state_dir, out_key, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    if (seal_key_new(&key, err) < 0 || save(&key, state_dir, err) < 0 ||
        worker_key_load(state_dir, out_key, &found, err) < 0)
        return -1;
    return found ? 0 : err_set(err, ERR_TRANSIENT, "the key is gone again");
}
