/* worker/sandbox/disk.c - a file system of its own, of bounded size. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/sandbox/disk.h"

#include "base/fd.h"
#include "base/proc.h"
#include "worker/sandbox/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MIN_BYTES       ((uint64_t)16 << 20)
#define BYTES_AN_INODE  8192u /* node_modules: many small files */
#define ATTACH_TRIES    64    /* others take free devices too */
#define MKFS_TIMEOUT_MS 60000

/* EXT4_IOC_SHUTDOWN and its flag, which no installed header has. */
#define SHUTDOWN          _IOR('X', 125, uint32_t)
#define SHUTDOWN_NO_FLUSH 2u

/* Often not in the PATH of whoever runs us by sudo or su. */
static const char *find_mkfs(void)
{
    static const char *const places[] = {"/usr/sbin/mkfs.ext4",
                                         "/sbin/mkfs.ext4"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return "mkfs.ext4";
}

/* Space that nobody uses is not taken: the file is sparse. No journal: after
 * a crash the file system is thrown away, not repaired. */
int disk_make_file(const char *path, uint64_t bytes, struct err *err)
{
    CLEANUP(mem) char *blocks = xasprintf("%" PRIu64 "k", bytes >> 10);
    const char *argv[] = {
        find_mkfs(),
        "-q",
        "-F",
        "-m0",
        "-b4096",
        "-i8192",
        "-I256",
        "-O",
        "^has_journal,^resize_inode,^metadata_csum,uninit_bg,sparse_super2",
        "-E",
        "nodiscard,lazy_itable_init=1,num_backup_sb=0,packed_meta_blocks=1",
        path,
        blocks,
        NULL};

    return proc_run(argv, MKFS_TIMEOUT_MS, NULL, err);
}

/* ---- templates: an empty file system is some 100 KiB to copy --------------
 */

static int create_image(const char *path, uint64_t bytes)
{
    int fd =
        open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0)
        fd_close(&fd);
    return fd;
}

static bool copy_range(int from, int to, off_t at, off_t end)
{
    char chunk[65536];

    while (at < end) {
        size_t part = (size_t)(end - at) < sizeof(chunk) ? (size_t)(end - at)
                                                         : sizeof(chunk);
        ssize_t n = pread(from, chunk, part, at);

        if (n <= 0 || pwrite(to, chunk, (size_t)n, at) != n)
            return false;
        at += n;
    }
    return true;
}

static bool copy_data(int from, int to)
{
    off_t at = 0;
    off_t end;

    while ((at = lseek(from, at, SEEK_DATA)) >= 0) {
        end = lseek(from, at, SEEK_HOLE);
        if (end < 0 || !copy_range(from, to, at, end))
            return false;
        at = end;
    }
    return errno == ENXIO; /* no more data */
}

static bool copy_template(const char *template, int to, uint64_t bytes)
{
    CLEANUP(fd) int from = open(template, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    return from >= 0 && fstat(from, &st) == 0 && st.st_uid == geteuid() &&
           (uint64_t)st.st_size == bytes && copy_data(from, to);
}

/* Whole on the disk or not there, even after a power cut. It is made where
 * nothing stays of who is killed. */
static void keep_template(const char *template, const char *image, int from,
                          uint64_t bytes)
{
    CLEANUP(mem) char *tmp = xasprintf("%s.template", image);
    CLEANUP(fd) int to = create_image(tmp, bytes);

    if (to < 0)
        return;
    if (!copy_data(from, to) || fsync(to) < 0 || rename(tmp, template) < 0)
        (void)unlink(tmp);
}

static int make_image(const char *path, const char *template, uint64_t bytes,
                      struct err *err)
{
    CLEANUP(fd) int fd = create_image(path, bytes);

    if (fd < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make the disk '%s'", path);
    if (template && copy_template(template, fd, bytes))
        return 0;
    if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)bytes) < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot make the disk '%s'", path);
    if (disk_make_file(path, bytes, err) < 0)
        return -1;
    if (template)
        keep_template(template, path, fd, bytes);
    return 0;
}

static int attach_to(int device, int image, bool readonly)
{
    struct loop_config config = {
        .fd = (uint32_t)image,
        .block_size = 4096,
        .info.lo_flags =
            LO_FLAGS_AUTOCLEAR | (readonly ? LO_FLAGS_READ_ONLY : 0u),
    };

    return ioctl(device, LOOP_CONFIGURE, &config);
}

/* Attach the image to a free loop device; it detaches itself when the last
 * user, the mount, is gone. */
static int attach(const char *image_path, bool readonly, char *device,
                  size_t size, int *out_fd, struct err *err)
{
    int mode = readonly ? O_RDONLY : O_RDWR;
    CLEANUP(fd) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    CLEANUP(fd) int image = open(image_path, mode | O_CLOEXEC);

    if (control < 0 || image < 0)
        return err_sys(err, ERR_TRANSIENT, "no loop devices");
    for (int i = 0; i < ATTACH_TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        int fd;

        if (number < 0)
            return err_sys(err, ERR_TRANSIENT, "no free loop device");
        (void)snprintf(device, size, "/dev/loop%d", number);
        fd = open(device, mode | O_CLOEXEC);
        if (fd >= 0 && attach_to(fd, image, readonly) == 0) {
            *out_fd = fd;
            return 0;
        }
        fd_close(&fd);
        if (errno != EBUSY && errno != ENOENT && errno != ENXIO)
            break;
    }
    return err_sys(err, ERR_TRANSIENT, "cannot set up '%s'", device);
}

static int mount_loop(const struct disk_spec *spec, const char *template,
                      uint64_t bytes, struct err *err)
{
    CLEANUP(mem) char *image = xasprintf("%s/disk.img", spec->image_dir);
    CLEANUP(fd) int device = -1;
    char name[32];
    int rc = make_image(image, template, bytes, err);

    if (rc == 0)
        rc = attach(image, false, name, sizeof(name), &device, err);
    (void)unlink(image);
    if (rc < 0)
        return -1;
    if (mount(name, spec->target, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME,
              "noinit_itable,nobarrier") < 0 &&
        mount(name, spec->target, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME,
              "") < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot mount '%s'", name);
    return 0;
}

int disk_mount_file(const char *path, const char *target, bool readonly,
                    struct err *err)
{
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME;
    CLEANUP(fd) int device = -1;
    char name[32];

    if (attach(path, readonly, name, sizeof(name), &device, err) < 0)
        return -1;
    if (mount(name, target, "ext4", flags | (readonly ? MS_RDONLY : 0),
              readonly ? "" : "noinit_itable,nobarrier,discard") < 0)
        return err_sys(err, ERR_TRANSIENT, "cannot mount '%s'", path);
    return 0;
}

/* A template that does not do is made anew by the next. */
static int mount_any_loop(const struct disk_spec *spec, uint64_t bytes,
                          struct err *err)
{
    CLEANUP(mem)
    char *template = spec->templates
                         ? xasprintf("%s/ext4-%" PRIu64, spec->templates, bytes)
                         : NULL;

    if (mount_loop(spec, template, bytes, err) == 0)
        return 0;
    if (!template)
        return -1;
    (void)unlink(template);
    return mount_loop(spec, NULL, bytes, err);
}

int disk_mount(const struct disk_spec *spec, enum disk_kind *out_kind,
               struct err *why, struct err *err)
{
    uint64_t size = spec->bytes < MIN_BYTES ? MIN_BYTES : spec->bytes;

    size &= ~(uint64_t)4095;
    *out_kind = DISK_LOOP;
    if (!spec->rootless && mount_any_loop(spec, size, why) == 0)
        return 0;
    *out_kind = DISK_TMPFS;
    return mounts_tmpfs(spec->target, size, size / BYTES_AN_INODE, 0711, err);
}

bool disk_is_full(const char *target)
{
    struct statvfs st;

    if (statvfs(target, &st) < 0)
        return false;
    return (uint64_t)st.f_bavail * 100 < (uint64_t)st.f_blocks ||
           (st.f_files && (uint64_t)st.f_ffree * 100 < (uint64_t)st.f_files);
}

/* Shutting down the wrong file system would stop the host: only one on a loop
 * device, mounted right here, is ours. */
static bool is_ours(int fd, const char *target)
{
    CLEANUP(mem) char *parent = xasprintf("%s/..", target);
    struct stat here, above;
    struct statx sx;

    return fstat(fd, &here) == 0 && stat(parent, &above) == 0 &&
           here.st_dev != above.st_dev && major(here.st_dev) == LOOP_MAJOR &&
           statx(fd, "", AT_EMPTY_PATH, STATX_INO, &sx) == 0 &&
           (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

void disk_drop(const char *target)
{
    CLEANUP(fd)
    int fd = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    uint32_t flags = SHUTDOWN_NO_FLUSH;

    /* Without it what was written goes to the disk first: a second a GB. */
    if (fd >= 0 && is_ours(fd, target))
        (void)ioctl(fd, SHUTDOWN, &flags);
}
