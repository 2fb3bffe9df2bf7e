/* base/state.c - where berth keeps its state on this host. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/state.h"

#include "base/fd.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

char *state_dir_default(void)
{
    const char *dir = getenv("BERTH_STATE_DIR");

    if (dir && *dir)
        return xstrdup(dir);
    if (geteuid() == 0)
        return xstrdup("/var/lib/berth");
    dir = getenv("XDG_STATE_HOME");
    if (dir && *dir)
        return xasprintf("%s/berth", dir);
    dir = getenv("HOME");
    return dir && *dir ? xasprintf("%s/.local/state/berth", dir) : NULL;
}

int state_dir(char **out_path, struct err *err)
{
    CLEANUP(mem) char *dir = state_dir_default();

    if (!dir)
        return err_set(err, ERR_USER,
                       "no state directory: set BERTH_STATE_DIR or HOME");
    if (dir[0] != '/')
        return err_set(err, ERR_USER,
                       "the state directory '%s' must be an absolute path",
                       dir);
    if (dir_make(dir, 0711, err) < 0) {
        err->kind = ERR_USER;
        return err_wrap(err, "no state directory (set BERTH_STATE_DIR)");
    }
    *out_path = STEAL(dir);
    return 0;
}

int state_subdir(const char *name, unsigned mode, char **out_path,
                 struct err *err)
{
    CLEANUP(mem) char *dir = NULL;
    CLEANUP(mem) char *path = NULL;

    if (state_dir(&dir, err) < 0)
        return -1;
    path = xasprintf("%s/%s", dir, name);
    if (dir_make(path, mode, err) < 0)
        return -1;
    *out_path = STEAL(path);
    return 0;
}

void state_random_hex(char *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[64];
    size_t i;

    for (i = 0; i < size; i++) {
        if (i % sizeof(bytes) == 0 &&
            getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
            abort();
        out[i] = digits[bytes[i % sizeof(bytes)] & 15];
    }
    out[size] = '\0';
}
