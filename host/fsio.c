/* SPDX-License-Identifier: Apache-2.0 */
/* fsio.c - whole files replaced, and journals; see fsio.h for the layout. */
#include "fsio.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "heap.h"

#define HEAD_N FSIO_JOURNAL_HEAD
#define RECORD_HEAD_N 8
#define LOCK_WAIT_MS 1000
#define LOCK_PAUSE_MS 10

static const char journal_head[HEAD_N] = {'O', 'D', 'M', 'J', 1, 0, 0, 0};

static ssize_t real_write(void *ctx, int fd, const void *p, size_t n)
{
        (void)ctx;
        return write(fd, p, n);
}

static int real_fsync(void *ctx, int fd)
{
        (void)ctx;
        return fsync(fd);
}

static int real_rename(void *ctx, const char *from, const char *to)
{
        (void)ctx;
        return rename(from, to);
}

static int real_ftruncate(void *ctx, int fd, off_t n)
{
        (void)ctx;
        return ftruncate(fd, n);
}

const fsio_ops fsio_real = {real_write, real_fsync, real_rename, real_ftruncate, NULL};

/* ---- files ---------------------------------------------------------------------- */

static int write_all(const fsio_ops *ops, int fd, const void *data, size_t n)
{
        const char *p = data;

        while (n > 0) {
                ssize_t w = ops->write(ops->ctx, fd, p, n);
                if (w < 0 && errno == EINTR)
                        continue;
                if (w <= 0)
                        return ODM_EIO;
                p += w;
                n -= (size_t)w;
        }
        return 0;
}

/* The buffer is full to its ceiling: a whole file has no octet more. */
static int expect_end(int fd)
{
        char more;
        ssize_t got;

        do
                got = read(fd, &more, 1);
        while (got < 0 && errno == EINTR);
        return got < 0 ? ODM_EIO : got > 0 ? ODM_ELIMIT : 0;
}

static int read_fd(int fd, size_t max, odm_buf *out)
{
        size_t before = out->n;

        for (;;) {
                /* the buffer's own ceiling may lie less than a block away */
                size_t room = out->max - out->n;
                ssize_t got;
                int rc;
                if (room == 0)
                        return expect_end(fd);
                rc = odm_buf_reserve(out, room < 4096 ? room : 4096);
                if (rc < 0)
                        return rc;
                got = read(fd, out->p + out->n, out->cap - out->n);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return got < 0 ? ODM_EIO : 0;
                out->n += (size_t)got;
                if (out->n - before > max)
                        return ODM_ELIMIT;
        }
}

int fsio_read(const char *path, size_t max, odm_buf *out, diag *d)
{
        size_t before = out->n;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        int rc;

        if (fd < 0)
                return diag_set(d, errno == ENOENT ? ODM_ENOENT : ODM_EIO, "%s: %s", path,
                                strerror(errno));
        rc = read_fd(fd, max, out);
        if (rc < 0) {
                diag_set(d, rc, "%s: %s", path, rc == ODM_EIO ? strerror(errno) : odm_err_text(rc));
                odm_buf_cut(out, before);
        }
        close(fd);
        return rc;
}

char *fsio_join(const char *folder, const char *name)
{
        size_t n = strlen(folder) + strlen(name) + 2;
        char *z = malloc(n);

        if (z)
                snprintf(z, n, "%s/%s", folder, name);
        return z;
}

/* The name of a file is durable only when its folder is. */
static int sync_folder_of(const fsio_ops *ops, const char *path)
{
        const char *slash = strrchr(path, '/');
        size_t n = slash ? (size_t)(slash - path) : 0;
        char *dir = malloc(n + 2);
        int fd, rc;

        if (!dir)
                return ODM_ENOMEM;
        memcpy(dir, path, n);
        dir[n] = 0;
        fd = open(n ? dir : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        free(dir);
        if (fd < 0)
                return ODM_EIO;
        rc = ops->fsync(ops->ctx, fd) < 0 ? ODM_EIO : 0;
        close(fd);
        return rc;
}

static char *temporary_of(const char *path)
{
        size_t n = strlen(path) + 5;
        char *z = malloc(n);

        if (z)
                snprintf(z, n, "%s.new", path);
        return z;
}

/* Writes `path`.new with the parts one behind the other, synced.  Returns the open file. */
static int write_temporary(const fsio_ops *ops, const char *temp, const odm_str *parts, size_t n,
                           mode_t mode)
{
        int fd;

        unlink(temp); /* left by a cut: its mode may be another */
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0)
                return ODM_EIO;
        for (size_t i = 0; i < n; i++)
                if (write_all(ops, fd, parts[i].p, parts[i].n) < 0)
                        goto fail;
        if (fchmod(fd, mode) < 0 || ops->fsync(ops->ctx, fd) < 0)
                goto fail;
        return fd;
fail:
        close(fd);
        unlink(temp);
        return ODM_EIO;
}

int fsio_write(const fsio_ops *ops, const char *path, odm_str data, mode_t mode, diag *d)
{
        char *temp = temporary_of(path);
        int fd, rc = ODM_EIO;

        if (!ops)
                ops = &fsio_real;
        if (!temp)
                return diag_set(d, ODM_ENOMEM, "%s: out of memory", path);
        fd = write_temporary(ops, temp, &data, 1, mode);
        if (fd < 0)
                goto out;
        close(fd);
        if (ops->rename(ops->ctx, temp, path) < 0) {
                unlink(temp);
                goto out;
        }
        rc = sync_folder_of(ops, path);
out:
        if (rc < 0)
                diag_set(d, rc, "%s: cannot be written: %s", path, strerror(errno));
        free(temp);
        return rc;
}

int fsio_mkdir(const char *path, mode_t mode, diag *d)
{
        char *z = strdup(path);
        int rc = 0;

        if (!z)
                return diag_set(d, ODM_ENOMEM, "%s: out of memory", path);
        for (char *at = z + 1; rc == 0; at++) {
                char c = *at;
                if (c && c != '/')
                        continue;
                *at = 0;
                if (mkdir(z, c ? 0755 : mode) < 0 && errno != EEXIST)
                        rc = diag_set(d, ODM_EIO, "%s: %s", z, strerror(errno));
                *at = c;
                if (!c)
                        break;
        }
        free(z);
        return rc;
}

/* ---- locks ------------------------------------------------------------------------ */

static int lock_busy(int fd, const char *path, diag *d)
{
        char pid[24] = "";
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

        pid[n > 0 ? strcspn(pid, "\n") : 0] = 0;
        return diag_set(d, ODM_EEXIST, "%s is held by process %s", path, *pid ? pid : "?");
}

/* A process that is killed while it starts another one leaves the lock to that one, until it runs
 * what it was started for. */
static int lock_soon(int fd)
{
        const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000l};

        for (unsigned i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
                if (errno != EWOULDBLOCK || i == LOCK_WAIT_MS / LOCK_PAUSE_MS)
                        return -1;
                (void)nanosleep(&pause, NULL);
        }
        return 0;
}

int fsio_lock(const char *path, int *fd, diag *d)
{
        char pid[24];
        int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        int rc, n;

        if (f < 0)
                return diag_set(d, ODM_EIO, "%s: %s", path, strerror(errno));
        if (lock_soon(f) < 0) {
                rc = errno == EWOULDBLOCK ? lock_busy(f, path, d)
                                          : diag_set(d, ODM_EIO, "%s: %s", path, strerror(errno));
                close(f);
                return rc;
        }
        n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
        if (ftruncate(f, 0) < 0 || pwrite(f, pid, (size_t)n, 0) != n) {
                rc = diag_set(d, ODM_EIO, "%s: %s", path, strerror(errno));
                close(f);
                return rc;
        }
        *fd = f;
        return 0;
}

void fsio_unlock(int fd)
{
        if (fd >= 0)
                close(fd);
}

/* ---- journals ----------------------------------------------------------------------- */

struct fsio_journal {
        const fsio_ops *ops;
        char *path;
        int fd;
        uint64_t size, base; /* octets now, and after the last compaction */
        bool dirty, broken;
        diag why;
};

static void put_u32(char *p, uint32_t v)
{
        for (int i = 0; i < 4; i++)
                p[i] = (char)(v >> (8 * i));
}

static uint32_t get_u32(const char *p)
{
        const unsigned char *u = (const unsigned char *)p;

        return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static uint32_t record_crc(const char *length, odm_str payload)
{
        uLong c = crc32(0, (const Bytef *)length, 4);

        return (uint32_t)crc32_z(c, (const Bytef *)payload.p, payload.n);
}

static void record_head(odm_str payload, char out[RECORD_HEAD_N])
{
        put_u32(out, (uint32_t)payload.n);
        put_u32(out + 4, record_crc(out, payload));
}

bool fsio_is_journal(odm_str file)
{
        return file.n >= HEAD_N && memcmp(file.p, journal_head, HEAD_N) == 0;
}

size_t fsio_record_claims(odm_str file, size_t at)
{
        uint32_t n;

        if (file.n < at || file.n - at < RECORD_HEAD_N)
                return 0;
        n = get_u32(file.p + at);
        return n > FSIO_RECORD_MAX ? 0 : (size_t)RECORD_HEAD_N + n;
}

size_t fsio_record_at(odm_str file, size_t at)
{
        size_t n = fsio_record_claims(file, at);

        if (n == 0 || n > file.n - at)
                return 0;
        return record_crc(file.p + at, (odm_str){file.p + at + RECORD_HEAD_N, n - RECORD_HEAD_N}) ==
                               get_u32(file.p + at + 4)
                       ? n
                       : 0;
}

/* The whole records at the front of `s`; *good is where they end. */
static int replay_records(odm_str s, int (*replay)(void *ctx, odm_str record), void *ctx,
                          size_t *good)
{
        size_t at = HEAD_N, n;

        while ((n = fsio_record_at(s, at)) > 0) {
                int rc = replay(ctx, (odm_str){s.p + at + RECORD_HEAD_N, n - RECORD_HEAD_N});
                if (rc < 0)
                        return rc;
                at += n;
        }
        *good = at;
        return 0;
}

/* A file that a cut left without its whole head counts as new. */
static int journal_begin(fsio_journal *j)
{
        if (j->ops->ftruncate(j->ops->ctx, j->fd, 0) < 0 || lseek(j->fd, 0, SEEK_SET) < 0 ||
            write_all(j->ops, j->fd, journal_head, HEAD_N) < 0 ||
            j->ops->fsync(j->ops->ctx, j->fd) < 0)
                return ODM_EIO;
        j->size = HEAD_N;
        return sync_folder_of(j->ops, j->path);
}

/* Who was killed may have left records, or the file under its name, that are read and yet not
 * durable: they become so before anybody acts by them, or syncs what comes behind. */
static int journal_cut(fsio_journal *j, size_t good, size_t n, diag *d)
{
        j->size = good;
        if (good != n) {
                diag_set(d, 0, "%s: cut off %zu octets of a torn record", j->path, n - good);
                if (j->ops->ftruncate(j->ops->ctx, j->fd, (off_t)good) < 0)
                        return ODM_EIO;
        }
        if (j->ops->fsync(j->ops->ctx, j->fd) < 0)
                return ODM_EIO;
        return sync_folder_of(j->ops, j->path);
}

static int journal_load(fsio_journal *j, int (*replay)(void *ctx, odm_str record), void *ctx,
                        diag *d)
{
        size_t good = 0;
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, (size_t)1 << 31);
        rc = read_fd(j->fd, (size_t)1 << 31, &b);
        if (rc < 0)
                goto out;
        if (b.n < HEAD_N && memcmp(b.p ? b.p : "", journal_head, b.n) == 0) {
                rc = journal_begin(j);
                goto out;
        }
        if (!fsio_is_journal(odm_buf_view(&b))) {
                rc = diag_set(d, ODM_EMALFORMED,
                              "%s is not a journal of ours; move it away to begin anew", j->path);
                goto out;
        }
        rc = replay_records(odm_buf_view(&b), replay, ctx, &good);
        if (rc == 0)
                rc = journal_cut(j, good, b.n, d);
out:
        odm_buf_done(&b);
        return rc;
}

/* A new journal gets its name with its head in it: a name alone might outlive a cut. */
static int journal_make(fsio_journal *j, const char *temp)
{
        const odm_str head = {journal_head, HEAD_N};

        j->fd = write_temporary(j->ops, temp, &head, 1, 0600);
        if (j->fd < 0)
                return ODM_EIO;
        if (j->ops->rename(j->ops->ctx, temp, j->path) < 0) {
                unlink(temp);
                return ODM_EIO;
        }
        j->size = HEAD_N;
        return sync_folder_of(j->ops, j->path);
}

int fsio_journal_open(const fsio_ops *ops, const char *path,
                      int (*replay)(void *ctx, odm_str record), void *ctx, fsio_journal **out,
                      diag *d)
{
        fsio_journal *j = calloc(1, sizeof *j);
        char *temp = temporary_of(path);
        int rc = ODM_ENOMEM;

        if (j)
                j->fd = -1;
        if (!j || !temp || !(j->path = strdup(path)))
                goto out;
        j->ops = ops ? ops : &fsio_real;
        unlink(temp); /* a compaction that a cut stopped */
        j->fd = open(path, O_RDWR | O_CLOEXEC);
        if (j->fd >= 0)
                rc = journal_load(j, replay, ctx, d);
        else
                rc = errno == ENOENT ? journal_make(j, temp) : ODM_EIO;
        if (rc == 0 && lseek(j->fd, (off_t)j->size, SEEK_SET) < 0)
                rc = ODM_EIO;
        if (rc == ODM_EIO)
                diag_set(d, rc, "%s: %s", path, strerror(errno));
        j->base = j->size;
out:
        free(temp);
        if (rc < 0)
                fsio_journal_close(j);
        else
                *out = j;
        return rc;
}

void fsio_journal_close(fsio_journal *j)
{
        if (!j)
                return;
        if (j->fd >= 0)
                close(j->fd);
        free(j->path);
        free(j);
}

static int journal_failed(fsio_journal *j)
{
        return diag_set(&j->why, ODM_EIO, "%s: %s", j->path, strerror(errno));
}

const char *fsio_journal_why(const fsio_journal *j)
{
        return j->why.text;
}

int fsio_journal_append(fsio_journal *j, odm_str record)
{
        char head[RECORD_HEAD_N];

        if (record.n > FSIO_RECORD_MAX)
                return ODM_ELIMIT;
        if (j->broken)
                return ODM_EIO;
        record_head(record, head);
        j->dirty = true;
        if (write_all(j->ops, j->fd, head, sizeof head) < 0 ||
            write_all(j->ops, j->fd, record.p, record.n) < 0) {
                /* the tail is torn now: a record behind it would never be read */
                j->broken = true;
                return journal_failed(j);
        }
        j->size += sizeof head + record.n;
        return 0;
}

int fsio_journal_sync(fsio_journal *j)
{
        if (j->broken)
                return ODM_EIO;
        if (!j->dirty)
                return 0;
        if (j->ops->fsync(j->ops->ctx, j->fd) < 0) {
                j->broken =
                        true; /* the kernel may have dropped the pages: asking again would lie */
                return journal_failed(j);
        }
        j->dirty = false;
        return 0;
}

uint64_t fsio_journal_size(const fsio_journal *j)
{
        return j->size;
}

uint64_t fsio_journal_grown(const fsio_journal *j)
{
        return j->size - j->base;
}

int fsio_journal_compact(fsio_journal *j, odm_str snapshot)
{
        char head[RECORD_HEAD_N];
        const odm_str parts[] = {{journal_head, HEAD_N}, {head, sizeof head}, snapshot};
        char *temp;
        int fd, rc = ODM_EIO;

        if (snapshot.n > FSIO_RECORD_MAX)
                return ODM_ELIMIT;
        temp = temporary_of(j->path);
        if (!temp)
                return ODM_ENOMEM;
        record_head(snapshot, head);
        fd = write_temporary(j->ops, temp, parts, ODM_COUNT(parts), 0600);
        if (fd < 0)
                goto out;
        if (j->ops->rename(j->ops->ctx, temp, j->path) < 0) {
                close(fd);
                unlink(temp);
                goto out;
        }
        /* from here on the new file is the journal, whatever the folder's sync says */
        close(j->fd);
        j->fd = fd;
        j->size = j->base = HEAD_N + sizeof head + snapshot.n;
        j->dirty = j->broken = false;
        rc = sync_folder_of(j->ops, j->path);
        j->broken = rc < 0;
out:
        if (rc == ODM_EIO)
                (void)journal_failed(j);
        free(temp);
        return rc;
}
