/* SPDX-License-Identifier: Apache-2.0 */
/* dremd-patch: an image made of the one that runs and a patch, in a process of its own that lives
 * as long as that takes.
 *
 *     dremd-patch [--max-size OCTETS] BASE PATCH FILE
 *
 * PATCH is what `zstd --patch-from=BASE` writes.  FILE is there, whole and synced, when it ends
 * well, and not there otherwise.  The last line of standard output is "end CAUSE SENTENCE", as
 * dremd-fetch says it.  Whether FILE is what was meant is for its proof to say: the patch itself is
 * signed by nobody, which is one reason for this to be a process apart.
 *
 * The other one is memory.  All three files are mapped and decoded in one call, so no window is
 * held: a few hundred kB beside what the kernel may take back, whatever the size of the image.  The
 * program `zstd` holds a window as large as the image. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "cli.h"
#include "odm/task.h"

typedef struct mapped {
        void *p; /* NULL: not mapped */
        size_t n;
} mapped;

typedef struct verdict {
        odm_task_cause cause;
        const char *why;
} verdict;

static const verdict good = {ODM_CAUSE_OK, ""};

static verdict map_file(const char *path, const char *what, mapped *out)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        verdict v = {ODM_CAUSE_FAILED, what};
        void *p = MAP_FAILED;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                goto out;
        if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size <= SIZE_MAX)
                p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                goto out;
        *out = (mapped){p, (size_t)st.st_size};
        v = good;
out:
        if (fd >= 0)
                close(fd);
        return v;
}

static void unmap(mapped *m)
{
        if (m->p)
                munmap(m->p, m->n);
        m->p = NULL;
}

/* Room is taken before it is written: a full disk is an error here, and a signal later. */
static verdict map_new(int fd, size_t n, mapped *out)
{
        int rc = posix_fallocate(fd, 0, (off_t)n);
        void *p;

        if (rc != 0)
                return (verdict){ODM_CAUSE_NO_ROOM,
                                 rc == ENOSPC ? "the disk is full" : "there is no room for it"};
        p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                return (verdict){ODM_CAUSE_NO_ROOM, "there is no memory for it"};
        *out = (mapped){p, n};
        return good;
}

static verdict decode(const mapped *base, const mapped *patch, const mapped *to)
{
        ZSTD_DCtx *z = ZSTD_createDCtx();
        verdict v = {ODM_CAUSE_CORRUPT, "the patch does not fit"};
        size_t n;

        if (!z)
                return (verdict){ODM_CAUSE_NO_ROOM, "out of memory"};
        n = ZSTD_DCtx_refPrefix(z, base->p, base->n);
        if (!ZSTD_isError(n))
                n = ZSTD_decompressDCtx(z, to->p, to->n, patch->p, patch->n);
        if (!ZSTD_isError(n) && n == to->n)
                v = good;
        ZSTD_freeDCtx(z);
        return v;
}

static verdict write_image(const mapped *base, const mapped *patch, size_t n, const char *path)
{
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        mapped to = {NULL, 0};
        verdict v;

        if (fd < 0)
                return (verdict){errno == ENOSPC ? ODM_CAUSE_NO_ROOM : ODM_CAUSE_FAILED,
                                 "the file cannot be made"};
        v = map_new(fd, n, &to);
        if (v.cause == ODM_CAUSE_OK)
                v = decode(base, patch, &to);
        unmap(&to);
        if (v.cause == ODM_CAUSE_OK && fsync(fd) < 0)
                v = (verdict){ODM_CAUSE_FAILED, "the file cannot be kept"};
        close(fd);
        if (v.cause != ODM_CAUSE_OK)
                (void)unlink(path);
        return v;
}

static verdict apply(const char *base_path, const char *patch_path, const char *path,
                     int64_t max_size)
{
        mapped base = {NULL, 0}, patch = {NULL, 0};
        unsigned long long n;
        verdict v;

        (void)unlink(path);
        v = map_file(base_path, "the image it is against cannot be read", &base);
        if (v.cause == ODM_CAUSE_OK)
                v = map_file(patch_path, "the patch cannot be read", &patch);
        if (v.cause != ODM_CAUSE_OK)
                goto out;
        n = ZSTD_getFrameContentSize(patch.p, patch.n);
        if (n == ZSTD_CONTENTSIZE_ERROR)
                v = (verdict){ODM_CAUSE_NOT_ACCEPTED, "it is no patch of zstd"};
        else if (n == ZSTD_CONTENTSIZE_UNKNOWN || n == 0)
                v = (verdict){ODM_CAUSE_NOT_ACCEPTED, "the patch does not tell the image's size"};
        else if (n > (unsigned long long)max_size || n > SIZE_MAX)
                v = (verdict){ODM_CAUSE_NO_ROOM, "larger than there is room for"};
        else
                v = write_image(&base, &patch, (size_t)n, path);
out:
        unmap(&base);
        unmap(&patch);
        return v;
}

static const char about[] = "Makes FILE of BASE and PATCH, which zstd --patch-from=BASE wrote.";

int main(int argc, char **argv)
{
        int64_t max_size = (int64_t)1 << 40;
        const cli_option options[] = {
                {0, "max-size", CLI_INT, &max_size, "OCTETS", "refuse what is larger"},
        };
        const cli_program p = {"dremd-patch", XREM_VERSION, "[options] BASE PATCH FILE",
                               about,         options,      ODM_COUNT(options),
                               NULL};
        int first;
        verdict v;

        switch (cli_parse(&p, argc, argv, false, &first)) {
        case CLI_EXIT_OK: return CLI_OK;
        case CLI_EXIT_USAGE: return CLI_USAGE;
        case CLI_GO_ON: break;
        }
        if (argc - first != 3) {
                (void)fprintf(stderr, "dremd-patch: BASE, PATCH and FILE are needed; try --help\n");
                return CLI_USAGE;
        }
        (void)signal(SIGXFSZ, SIG_IGN);         /* a limit is a full disk */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* who asked for it will ask again */
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        v = apply(argv[first], argv[first + 1], argv[first + 2], max_size);
        (void)printf("end %s %s\n", odm_task_cause_name(v.cause), v.why);
        return v.cause == ODM_CAUSE_OK ? CLI_OK : CLI_FAILED;
}
