/* cli/socket_path.c - a place for a socket whose address is short enough. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/socket_path.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* FNV-1a: only to tell the directories of one user apart. */
static uint64_t digest(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}

/* /tmp is everybody's: somebody may have been there before us. */
static bool is_private(const char *dir)
{
    struct stat st;

    (void)mkdir(dir, 0700);
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & 0077) == 0;
}

static char *candidate(unsigned i)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    switch (i) {
    case 0:
        return geteuid() == 0 ? xstrdup("/run/berth") : NULL;
    case 1:
        return runtime && runtime[0] == '/' ? xasprintf("%s/berth", runtime)
                                            : NULL;
    default:
        return xasprintf("/tmp/berth-%u", (unsigned)geteuid());
    }
}

int socket_path(const char *dir, const char *name, char **out_path,
                struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, name);
    uint64_t id = digest(path);

    for (unsigned i = 0; i < 3 && strlen(path) > SOCKET_PATH_MAX; i++) {
        CLEANUP(mem) char *base = candidate(i);
        CLEANUP(mem) char *shorter = NULL;

        if (!base || !is_private(base))
            continue;
        shorter = xasprintf("%s/%016" PRIx64 ".sock", base, id);
        if (strlen(shorter) > SOCKET_PATH_MAX)
            continue;
        free(path);
        path = STEAL(shorter);
    }
    if (strlen(path) > SOCKET_PATH_MAX)
        return err_set(err, ERR_USER,
                       "'%s' is too long for a socket, and neither "
                       "$XDG_RUNTIME_DIR nor /tmp has a directory for one",
                       path);
    *out_path = STEAL(path);
    return 0;
}
