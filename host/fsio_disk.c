/* SPDX-License-Identifier: Apache-2.0 */
/* Files are known by the last part of their name.  Making a file and removing a temporary one are
 * not among fsio's operations: they are told with the first operation that shows them. */
#include "fsio_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *last_part(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* The number of an open file. */
static int file_of(disk *d, int fd)
{
        char link[64], path[512];
        ssize_t n;

        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        n = readlink(link, path, sizeof path - 1);
        if (n < 0)
                abort();
        path[n] = 0;
        return disk_make(d, last_part(path));
}

static ssize_t disk_op_write(void *ctx, int fd, const void *p, size_t n)
{
        disk *d = ctx;
        int file = file_of(d, fd);
        off_t at = lseek(fd, 0, SEEK_CUR);
        ssize_t done = write(fd, p, n);

        if (done > 0)
                disk_write(d, file, (uint64_t)at, p, (size_t)done);
        return done;
}

static int disk_op_fsync(void *ctx, int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -1;
        if (S_ISDIR(st.st_mode))
                disk_sync_names(ctx);
        else
                disk_sync(ctx, file_of(ctx, fd));
        return 0;
}

static int disk_op_rename(void *ctx, const char *from, const char *to)
{
        int rc = rename(from, to);

        if (rc == 0)
                disk_rename(ctx, last_part(from), last_part(to));
        return rc;
}

static int disk_op_truncate(void *ctx, int fd, off_t n)
{
        int rc = ftruncate(fd, n);

        if (rc == 0)
                disk_truncate(ctx, file_of(ctx, fd), (uint64_t)n);
        return rc;
}

fsio_ops fsio_disk_ops(disk *d)
{
        return (fsio_ops){disk_op_write, disk_op_fsync, disk_op_rename, disk_op_truncate, d};
}

/* ---- back to the folder -------------------------------------------------------------------- */

static void empty(const char *folder)
{
        DIR *dir = opendir(folder);
        struct dirent *e;

        while (dir && (e = readdir(dir)))
                (void)unlinkat(dirfd(dir), e->d_name, 0);
        if (dir)
                closedir(dir);
}

static void lay_file(disk *d, const char *folder, const char *name)
{
        char *path = fsio_join(folder, name), block[4096];
        int file = disk_find(d, name);
        int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
        uint64_t at = 0;
        size_t n;

        if (fd < 0)
                abort();
        while ((n = disk_read(d, file, at, block, sizeof block)) > 0) {
                if (write(fd, block, n) != (ssize_t)n)
                        abort();
                at += n;
        }
        close(fd);
        free(path);
}

void fsio_disk_lay(disk *d, const char *folder)
{
        const char *name;

        empty(folder);
        for (size_t i = 0; (name = disk_name(d, i)); i++)
                lay_file(d, folder, name);
}
