/* worker/sandbox/fetch/main.c - image-fetch: a container image as a disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/disk.h"
#include "worker/sandbox/fetched.h"
#include "worker/sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * image-fetch DIR REFERENCE
 *
 * Prints the path of <dir>/<sha256>.img, a file system with the tree of that
 * image, which is made where it is missing. Ends with RUNTIME_EXIT_USER where
 * there is no such image.
 *
 * skopeo and umoci work on a stranger's bytes: as a user that nobody is, with
 * no rights, on a file system of a fixed size, which is the result, too. So
 * nothing can grow beyond it, and a file comes into its place whole.
 */
#define EXIT_USER   65
#define ASK_MS      60000
#define COPY_MS     ((int64_t)10 * 60 * 1000)
#define LOCK_MS     ((int64_t)20 * 60 * 1000)
#define IMAGE_BYTES ((uint64_t)16 << 30)
#define OUTPUT_MAX  4096

/* Run one of the two; `words` after its name, NULL at their end. */
static int as_nobody(const char *const *words, int64_t timeout_ms,
                     struct strbuf *output, struct err *err)
{
    CLEANUP(strv) struct strv argv = {0};

    strv_add(&argv, "setpriv");
    strv_addf(&argv, "--reuid=%u", SANDBOX_UID_BASE);
    strv_addf(&argv, "--regid=%u", SANDBOX_UID_BASE);
    strv_add(&argv, "--clear-groups");
    strv_add(&argv, "--no-new-privs");
    strv_add(&argv, "--pdeathsig=KILL");
    strv_add(&argv, "--inh-caps=-all");
    strv_add(&argv, "--bounding-set=-all");
    for (size_t i = 0; words[i]; i++)
        strv_add(&argv, words[i]);
    return proc_run((const char *const *)argv.items, timeout_ms, output, err);
}

/* What will not be otherwise when it is tried again. */
static bool is_refusal(const char *text)
{
    static const char *const words[] = {
        "manifest unknown",  "not found",    "no such file",
        "unauthorized",      "denied",       "no descriptor",
        "invalid reference", "NAME_UNKNOWN", "permission denied"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(text, words[i]))
            return true;
    return false;
}

/* "sha256:<64 hex digits>" of the image that the name means now. */
static int ask_digest(const char *reference, char *out_hex, struct err *err)
{
    const char *words[] = {"skopeo",        "inspect", "--no-tags", "--format",
                           "{{ .Digest }}", reference, NULL};
    CLEANUP(strbuf) struct strbuf answer = STRBUF_MAX(OUTPUT_MAX);
    const char *hex;

    if (as_nobody(words, ASK_MS, &answer, err) < 0) {
        if (is_refusal(err->msg))
            err->kind = ERR_USER;
        return err_wrap(err, "no image '%s'%s", reference,
                        strstr(err->msg, "permission denied")
                            ? " (everybody has to be let in: chmod -R a+rX)"
                            : "");
    }
    answer.data[strcspn(answer.data, "\r\n")] = '\0';
    hex = answer.data + strlen("sha256:");
    if (strncmp(answer.data, "sha256:", 7) != 0 || strlen(hex) != 64 ||
        strspn(hex, "0123456789abcdef") != 64)
        return err_set(err, ERR_TRANSIENT, "skopeo says no digest of '%s': %s",
                       reference, answer.data);
    memcpy(out_hex, hex, 65);
    return 0;
}

static int make_dir(const char *top, const char *name, struct err *err)
{
    CLEANUP(mem) char *dir = xasprintf("%s/%s", top, name);

    if (mkdir(dir, 0755) < 0 || chown(dir, SANDBOX_UID_BASE, SANDBOX_UID_BASE))
        return err_sys(err, ERR_TRANSIENT, "cannot create '%s'", dir);
    return 0;
}

/* By the digest: what was looked at is what is copied. */
static int copy(const char *reference, const char *hex, const char *top,
                struct err *err)
{
    CLEANUP(mem) char *layout = xasprintf("oci:%s/layout:image", top);
    CLEANUP(mem) char *tmp = xasprintf("--tmpdir=%s/tmp", top);
    CLEANUP(mem) char *wanted = fetched_pin(reference, hex);
    const char *words[] = {
        "skopeo", "--insecure-policy", tmp, "copy", "--quiet", wanted, layout,
        NULL};

    char got[65];

    if (as_nobody(words, COPY_MS, NULL, err) < 0)
        return err_wrap(err, "cannot fetch '%s'", reference);
    /* A directory may have changed since it was asked. */
    if (strcmp(wanted, reference) != 0)
        return 0;
    if (ask_digest(layout, got, err) < 0)
        return -1;
    if (strcmp(got, hex) != 0)
        return err_set(err, ERR_TRANSIENT, "'%s' changed while it was read",
                       reference);
    return 0;
}

static int unpack(const char *reference, const char *top, struct err *err)
{
    CLEANUP(mem) char *layout = xasprintf("%s/layout:image", top);
    CLEANUP(mem) char *rootfs = xasprintf("%s/rootfs", top);
    const char *words[] = {"umoci",   "raw",  "unpack", "--rootless",
                           "--image", layout, rootfs,   NULL};

    if (as_nobody(words, COPY_MS, NULL, err) < 0) {
        err->kind = ERR_USER;
        return err_wrap(err, "cannot unpack '%s'", reference);
    }
    if (chmod(rootfs, 0755) < 0)
        return err_sys(err, ERR_TRANSIENT, "'%s' has no tree", reference);
    return 0;
}

static int fill(const char *reference, const char *hex, const char *top,
                struct err *err)
{
    static const char *const works[] = {"layout", "tmp"};

    if (chmod(top, 0755) < 0 || chown(top, SANDBOX_UID_BASE, SANDBOX_UID_BASE))
        return err_sys(err, ERR_TRANSIENT, "cannot use '%s'", top);
    for (size_t i = 0; i < ARRAY_LEN(works); i++)
        if (make_dir(top, works[i], err) < 0)
            return -1;
    if (copy(reference, hex, top, err) < 0 || unpack(reference, top, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(works); i++) {
        CLEANUP(mem) char *dir = xasprintf("%s/%s", top, works[i]);

        if (tree_remove(dir, err) < 0)
            return -1;
    }
    return 0;
}

static int sync_file(const char *path, struct err *err)
{
    CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot write '%s'", path);
    return 0;
}

/* Under the lock of the digest. */
static int make(const char *dir, const char *reference, const char *hex,
                const char *path, struct err *err)
{
    CLEANUP(mem) char *part = xasprintf("%s/%s" FETCHED_PART, dir, hex);
    CLEANUP(mem) char *top = xasprintf("%s/%s" FETCHED_MOUNT, dir, hex);
    int rc;

    (void)unlink(part);
    if (dir_make(top, 0711, err) < 0)
        return -1;
    rc = disk_make_file(part, IMAGE_BYTES, err);
    if (rc == 0)
        rc = disk_mount_file(part, top, false, err);
    if (rc == 0)
        rc = fill(reference, hex, top, err);
    if (umount2(top, UMOUNT_NOFOLLOW) < 0 && rc == 0)
        rc = err_sys(err, ERR_TRANSIENT, "cannot unmount '%s'", top);
    (void)umount2(top, MNT_DETACH | UMOUNT_NOFOLLOW);
    (void)rmdir(top);
    if (rc == 0)
        rc = sync_file(part, err);
    if (rc == 0 && rename(part, path) < 0)
        rc = err_sys(err, ERR_TRANSIENT, "cannot rename '%s'", part);
    if (rc < 0)
        (void)unlink(part);
    return rc;
}

static int fetch(const char *dir, const char *reference, struct err *err)
{
    CLEANUP(mem) char *path = NULL;
    CLEANUP(mem) char *lock_path = NULL;
    CLEANUP(fd) int lock = -1;
    char hex[65];

    if (unshare(CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make mounts private");
    if (ask_digest(reference, hex, err) < 0)
        return -1;
    path = xasprintf("%s/%s" FETCHED_IMAGE, dir, hex);
    lock_path = xasprintf("%s/%s" FETCHED_LOCK, dir, hex);
    if (!fetched_touch(path)) {
        if (file_lock(lock_path, LOCK_MS, &lock, err) < 0)
            return -1;
        if (!fetched_touch(path) && make(dir, reference, hex, path, err) < 0)
            return -1;
    }
    fetched_trim(dir, path);
    (void)printf("%s\n", path);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};

    if (argc != 3) {
        (void)fputs("usage: image-fetch DIR REFERENCE\n", stderr);
        return 2;
    }
    /* The user's own settings and passwords are not for images that strangers
     * name; what /etc/containers says holds. */
    if (setenv("HOME", "/nonexistent", 1) < 0 ||
        unsetenv("XDG_CONFIG_HOME") < 0 || unsetenv("XDG_RUNTIME_DIR") < 0 ||
        unsetenv("REGISTRY_AUTH_FILE") < 0)
        return 1;
    if (fetch(argv[1], argv[2], &err) == 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.msg);
    return err.kind == ERR_USER ? EXIT_USER : 1;
}
