/* SPDX-License-Identifier: Apache-2.0 */
/* All looking happens on a thread, which keeps what it finds to itself until its end; an eventfd
 * says that there is something to take.  So a check can be ended at any time. */
#include "manifest.h"

#include <dirent.h>
#include <fts.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "proof.h"

#define SUFFIX ".sha256"
#define HASH 64

typedef struct finding {
        struct finding *next;
        char name[2 * NAME_MAX + 2];
        bool whole;
        char why[256];
} finding;

struct manifest_check {
        manifest_opt opt;
        char *folder;
        finding *findings;
        loop_io over;
        pthread_t thread;
        bool has_thread;
        size_t n; /* manifests looked at */
        atomic_bool enough;
};

/* ---- one manifest ------------------------------------------------------------------------- */

static bool is_hash(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (!strchr("0123456789abcdefABCDEF", s.p[i]) || !s.p[i])
                        return false;
        return s.n == HASH;
}

/* A path that stays below its folder. */
static bool is_inside(odm_str path)
{
        size_t at = 0;

        if (path.n == 0 || path.p[0] == '/' || memchr(path.p, 0, path.n))
                return false;
        while (at < path.n) {
                const char *slash = memchr(path.p + at, '/', path.n - at);
                size_t n = slash ? (size_t)(slash - path.p) - at : path.n - at;
                if (n == 2 && memcmp(path.p + at, "..", 2) == 0)
                        return false;
                at += n + 1;
        }
        return true;
}

static bool line_holds(odm_str line, const char *folder, char why[256])
{
        odm_str hash = odm_str_to(line, HASH), name = odm_str_from(line, HASH + 2);
        char path[PATH_MAX], have[65];
        struct stat st;

        if (line.n < HASH + 3 || !is_hash(hash) || line.p[HASH] != ' ' ||
            (line.p[HASH + 1] != ' ' && line.p[HASH + 1] != '*') || !is_inside(name) ||
            snprintf(path, sizeof path, "%s/%.*s", folder, (int)name.n, name.p) >=
                    (int)sizeof path) {
                snprintf(why, 256, "its manifest is damaged");
                return false;
        }
        if (stat(path, &st) < 0) {
                snprintf(why, 256, "%.200s is not there", path + strlen(folder) + 1);
                return false;
        }
        if ((st.st_size == 0 ? proof_hash_of(ODM_STR(""), have) : proof_hash(path, have, NULL)) ==
                    0 &&
            odm_str_ieq(hash, have))
                return true;
        snprintf(why, 256, "%.200s was changed", path + strlen(folder) + 1);
        return false;
}

static bool holds(odm_str text, const char *folder, const atomic_bool *enough, char why[256])
{
        if (text.n == 0) {
                snprintf(why, 256, "its manifest is empty");
                return false;
        }
        while (text.n) {
                const char *end = memchr(text.p, '\n', text.n);
                odm_str line = odm_str_to(text, end ? (size_t)(end - text.p) : text.n);
                if ((enough && atomic_load(enough)) || !line_holds(line, folder, why))
                        return false;
                text = odm_str_from(text, line.n + (end != NULL));
        }
        return true;
}

bool manifest_holds(odm_str manifest, const char *folder, char why[256])
{
        return holds(manifest, folder, NULL, why);
}

static int put_file(odm_buf *b, const FTSENT *e, size_t skip)
{
        const char *name = e->fts_path + skip;
        char hash[65];
        int rc = e->fts_statp->st_size ? proof_hash(e->fts_accpath, hash, NULL)
                                       : proof_hash_of(ODM_STR(""), hash);

        if (rc < 0 || strchr(name, '\n'))
                return rc;
        return odm_buf_fmt(b, "%s  %s\n", hash, name);
}

int manifest_write(const char *folder, const char *path)
{
        char *const from[] = {(char *)folder, NULL};
        FTS *walk = fts_open(from, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
        const FTSENT *e;
        odm_buf b;
        int rc = walk ? 0 : ODM_EIO;

        odm_buf_init(&b, &heap_mem, MANIFEST_MAX);
        while (rc == 0 && (e = fts_read(walk)) != NULL) {
                if (e->fts_info == FTS_F)
                        rc = put_file(&b, e, strlen(folder) + 1);
                else if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS)
                        rc = ODM_EIO;
        }
        if (rc == 0 && b.n) /* nothing to compare is no manifest */
                rc = fsio_write(NULL, path, odm_buf_view(&b), 0644, NULL);
        if (walk)
                (void)fts_close(walk);
        odm_buf_done(&b);
        return rc;
}

/* ---- all of a folder ------------------------------------------------------------------------ */

/* `file` is below the folder. */
static void look_at(manifest_check *m, const char *file)
{
        finding *f = calloc(1, sizeof *f);
        char path[PATH_MAX];
        odm_buf b;

        if (!f)
                return; /* the next start looks again */
        snprintf(f->name, sizeof f->name, "%.*s", (int)(strlen(file) - strlen(SUFFIX)), file);
        odm_buf_init(&b, &heap_mem, MANIFEST_MAX + 4096);
        snprintf(path, sizeof path, "%s/%s", m->folder, file);
        if (fsio_read(path, MANIFEST_MAX, &b, NULL) < 0) {
                snprintf(f->why, sizeof f->why, "its manifest cannot be read");
        } else {
                snprintf(path, sizeof path, "%s/%s", m->folder, f->name);
                f->whole = holds(odm_buf_view(&b), path, &m->enough, f->why);
        }
        odm_buf_done(&b);
        f->next = m->findings;
        m->findings = f;
}

static bool is_manifest(const char *name)
{
        size_t n = strlen(name);

        return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static bool go_on(const manifest_check *m)
{
        return m->n < MANIFEST_NAMES && !atomic_load(&m->enough);
}

/* Those in a folder, `sub` being its name with a slash, or "" for the one we were given; then,
 * there, one level down. */
static void look_in(manifest_check *m, const char *sub)
{
        char path[PATH_MAX], file[2 * NAME_MAX + 2];
        const struct dirent *e;
        DIR *d;

        snprintf(path, sizeof path, "%s/%s", m->folder, sub);
        d = opendir(path);
        while (d && go_on(m) && (e = readdir(d)) != NULL) {
                if (e->d_name[0] == '.')
                        continue;
                snprintf(file, sizeof file, "%s%s", sub, e->d_name);
                if (is_manifest(e->d_name)) {
                        look_at(m, file);
                        m->n++;
                } else if (!*sub && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN)) {
                        snprintf(file, sizeof file, "%s/", e->d_name);
                        look_in(m, file); /* once: a name with a slash is not `sub` again */
                }
        }
        if (d)
                closedir(d);
}

static void *look(void *ctx)
{
        manifest_check *m = ctx;
        const uint64_t one = 1;

        (void)setpriority(PRIO_PROCESS, 0, 10); /* of this thread: the agent's work comes first */
        look_in(m, "");
        (void)!write(m->over.fd, &one, sizeof one); /* fails for no eventfd with room */
        return NULL;
}

static void release(manifest_check *m)
{
        atomic_store(&m->enough, true);
        loop_io_del(&m->over);
        if (m->has_thread)
                pthread_join(m->thread, NULL);
        if (m->over.fd >= 0)
                close(m->over.fd);
        while (m->findings) {
                finding *f = m->findings;
                m->findings = f->next;
                free(f);
        }
        free(m->folder);
        free(m);
}

static void on_over(void *ctx, unsigned events)
{
        manifest_check *m = ctx;
        const manifest_opt opt = m->opt;

        (void)events;
        pthread_join(m->thread, NULL);
        m->has_thread = false;
        for (const finding *f = m->findings; f; f = f->next)
                opt.found(opt.ctx, f->name, f->whole, f->why);
        release(m);
        opt.done(opt.ctx);
}

int manifest_check_start(const manifest_opt *opt, manifest_check **out)
{
        manifest_check *m = calloc(1, sizeof *m);

        if (!m)
                return ODM_ENOMEM;
        m->opt = *opt;
        m->over = (loop_io){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = on_over, .ctx = m};
        m->folder = strdup(opt->folder);
        if (!m->folder || m->over.fd < 0 || loop_io_add(opt->loop, &m->over, LOOP_READ) < 0 ||
            pthread_create(&m->thread, NULL, look, m) != 0) {
                release(m);
                return ODM_EIO;
        }
        m->has_thread = true;
        *out = m;
        return 0;
}

void manifest_check_end(manifest_check *m)
{
        if (m)
                release(m);
}
