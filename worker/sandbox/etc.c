/* worker/sandbox/etc.c - the files in /etc that are ours in every image. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/etc.h"

#include "base/fd.h"
#include "worker/sandbox/hostenv.h"
#include "worker/sandbox/image.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_MAX ((size_t)1 << 20)

const char *const etc_users[] = {"passwd", "group", NULL};
const char *const etc_others[] = {"hostname", "hosts", "nsswitch.conf",
                                  "resolv.conf", NULL};

static int put(const char *dir, const char *name, const char *text,
               struct err *err)
{
    CLEANUP(mem) char *path = xasprintf("%s/%s", dir, name);

    return file_write(path, text, strlen(text), 0644, err);
}

/* The image's own list, but for whoever has our name or number. */
static void add_others(int image, const char *name, struct strbuf *out)
{
    CLEANUP(strbuf) struct strbuf text = STRBUF_MAX(LIST_MAX);
    CLEANUP(fd) int fd = image_open_inside(image, name, O_RDONLY | O_NONBLOCK);
    struct stat st;
    struct err ignored;
    char *save = NULL;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        fd_read_all(fd, &text, &ignored) < 0)
        return;
    for (char *line = strtok_r(text.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *second = strchr(line, ':');
        const char *id = second ? strchr(second + 1, ':') : NULL;

        if (id && strncmp(line, "berth:", 6) != 0 &&
            strncmp(id, ":1000:", 6) != 0)
            strbuf_addf(out, "%s\n", line);
    }
}

static int put_users(const struct etc_spec *spec, struct err *err)
{
    CLEANUP(strbuf) struct strbuf passwd = STRBUF_MAX(LIST_MAX);
    CLEANUP(strbuf) struct strbuf group = STRBUF_MAX(LIST_MAX);

    strbuf_adds(&passwd, "berth:x:1000:1000:berth:" SANDBOX_HOME ":/bin/sh\n");
    strbuf_adds(&group, "berth:x:1000:\n");
    if (spec->image < 0) {
        strbuf_adds(&passwd, "root:x:0:0:root:/:/bin/sh\n"
                             "nobody:x:65534:65534:nobody:/:/bin/false\n");
        strbuf_adds(&group, "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n");
    } else {
        add_others(spec->image, "etc/passwd", &passwd);
        add_others(spec->image, "etc/group", &group);
    }
    if (put(spec->dir, "passwd", passwd.data, err) < 0)
        return -1;
    return put(spec->dir, "group", group.data, err);
}

int etc_write(const struct etc_spec *spec, struct err *err)
{
    if (put_users(spec, err) < 0 ||
        put(spec->dir, "hostname", "berth\n", err) < 0 ||
        put(spec->dir, "hosts",
            "127.0.0.1 localhost berth\n::1 localhost ip6-localhost\n",
            err) < 0 ||
        put(spec->dir, "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n"
            "services: files\nprotocols: files\n",
            err) < 0)
        return -1;
    /* slirp4netns answers names there. */
    return put(spec->dir, "resolv.conf",
               spec->network ? "nameserver 10.0.2.3\noptions timeout:5\n" : "",
               err);
}
