/* SPDX-License-Identifier: Apache-2.0 */
/* images_file.c - files of images: what comes in, and what is offered; see images_inner.h. */
#include "images_inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"

/* What comes in, and is not proved. */
odm_str image_file_coming(const image_node *i, odm_arena *a)
{
        return odm_arena_fmt(a, "%s/images/in-%.*s", i->p->folder, (int)i->row.node.n,
                             i->row.node.p);
}

static bool is_used(const images *p, odm_str hash)
{
        for (const image_node *i = p->list; i; i = i->next)
                if (odm_str_eq(i->row.hash, hash) || odm_str_eq(i->row.previous, hash))
                        return true;
        return false;
}

/* A file that no row names any more. */
void image_file_forget(const images *p, odm_str hash)
{
        odm_arena a;
        odm_str path;

        if (!hash.n || is_used(p, hash))
                return;
        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        path = image_path(&a, p->folder, hash);
        if (path.p)
                (void)unlink(path.p);
        odm_arena_done(&a);
}

uint64_t image_file_size(const char *path)
{
        struct stat st;

        return path && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

uint64_t images_taken(const images *p)
{
        odm_arena a;
        uint64_t sum = 0;

        odm_arena_init(&a, &heap_mem, (size_t)16 << 20);
        for (const image_node *i = p->list; i; i = i->next) {
                if (i->row.hash.n)
                        sum += i->row.size;
                if (i->row.previous.n)
                        sum += image_file_size(image_path(&a, p->folder, i->row.previous).p);
        }
        odm_arena_done(&a);
        return sum;
}

uint64_t images_room(const images *p)
{
        uint64_t most = (uint64_t)cfg_int(p->host->conf, "images.max_total"),
                 have = images_taken(p), disk;
        struct statvfs v;

        have = have < most ? most - have : 0;
        if (statvfs(p->folder, &v) < 0)
                return have;
        disk = (uint64_t)v.f_bavail * v.f_frsize;
        return disk < have ? disk : have;
}

static bool sync_path(const char *path, int flags)
{
        int fd = open(path, flags | O_CLOEXEC);
        bool ok = fd >= 0 && fsync(fd) == 0;

        if (fd >= 0)
                close(fd);
        return ok;
}

/* Under a second name, which takes the place of whatever is there: what came in stays until the row
 * names the other one, or an order that goes on after a restart would have nothing left. */
static bool link_over(const char *from, const char *beside, const char *to)
{
        bool ok;

        (void)unlink(beside); /* of one that was cut short */
        ok = link(from, beside) == 0 && rename(beside, to) == 0;
        (void)unlink(beside); /* rename() leaves it where both are one file already */
        return ok;
}

/* Durable on return. */
int image_file_place(const image_node *i, odm_arena *a)
{
        odm_str from = image_file_coming(i, a), to = image_path(a, i->p->folder, odm_cstr(i->hash));
        odm_str folder = odm_arena_fmt(a, "%s/images", i->p->folder);
        odm_str beside = odm_arena_fmt(a, "%s/images/at-%.*s", i->p->folder, (int)i->row.node.n,
                                       i->row.node.p);

        if (a->err)
                return odm_arena_err(a);
        if (!sync_path(from.p, O_RDONLY) || !link_over(from.p, beside.p, to.p) ||
            !sync_path(folder.p, O_RDONLY | O_DIRECTORY)) {
                log_error("an image cannot be put in its place", log_str("image", i->row.node),
                          log_int("errno", errno));
                return ODM_EIO;
        }
        return 0;
}

void image_file_drop(const image_node *i)
{
        odm_arena a;
        odm_str file;

        odm_arena_init(&a, &heap_mem, IMAGE_TEXTS);
        file = image_file_coming(i, &a);
        if (file.p)
                delivery_drop(file.p);
        odm_arena_done(&a);
}

/* Files of images that are no more: the power went between row and file. */
void images_sweep(const images *p, const char *folder)
{
        DIR *d = opendir(folder);
        struct dirent *e;

        while (d && (e = readdir(d))) {
                odm_str name = odm_cstr(e->d_name);
                char *path;
                if (name.n != 68 || strcmp(e->d_name + 64, ".img") != 0 ||
                    is_used(p, odm_str_to(name, 64)))
                        continue;
                path = fsio_join(folder, e->d_name);
                if (path)
                        (void)unlink(path);
                free(path);
        }
        if (d)
                closedir(d);
}
