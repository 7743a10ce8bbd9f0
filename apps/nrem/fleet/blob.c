/* SPDX-License-Identifier: Apache-2.0 */
/* Contents on disk.  Locks: that over the lists first, then a part's; a part's is held while its
 * octets are written, and while it is proved, which its `proving` tells those who must not wait. */
#include "blob.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"

#define HASH_OCTETS 32
#define HASH_TEXT 64
#define STRIDE ((size_t)128 << 10)
#define WRITE_OUT ((uint64_t)8 << 20) /* octets after which the disk is asked to begin */
#define PART ".part"

typedef struct part {
        struct part *next;
        int64_t id;
        unsigned refs; /* under the list's lock */
        bool dead;     /* out of the list */
        bool proving;
        atomic_uint_fast64_t at;
        pthread_mutex_t lock; /* over what follows */
        int fd;
        uint64_t size, hashed, out; /* octets in the hash; asked to be written out */
        gnutls_hash_hd_t hash;      /* NULL: none */
        unsigned turn;              /* of the put that may write */
} part;

typedef struct pin {
        struct pin *next;
        unsigned n;
        char sha256[HASH_TEXT + 1];
} pin;

struct blobs {
        char folder[BLOB_PATH - 128];
        pthread_mutex_t lock; /* over the lists, `refs` and `proving` of parts, `doomed` */
        part *parts;
        pin *pins;
        char doomed[HASH_TEXT + 1]; /* a content about to be removed; empty: none */
};

struct blob_put {
        blobs *b;
        part *p;
        unsigned turn;
        diag why;
};

/* ---- names ---------------------------------------------------------------------------- */

bool blobs_path(const blobs *b, odm_str sha256, int64_t id, char out[BLOB_PATH])
{
        int n = sha256.p ? snprintf(out, BLOB_PATH, "%s/%.*s", b->folder, (int)sha256.n, sha256.p)
                         : snprintf(out, BLOB_PATH, "%s/%lld" PART, b->folder, (long long)id);

        return n > 0 && n < BLOB_PATH;
}

static int failed(diag *d, const char *path, const char *what)
{
        return diag_set(d, ODM_EIO, "%s: %s: %s", path, what, strerror(errno));
}

int blobs_new(const char *folder, blobs **out, diag *d)
{
        blobs *b = calloc(1, sizeof *b);
        int rc;

        if (!b)
                return ODM_ENOMEM;
        if (strlen(folder) >= sizeof b->folder) {
                free(b);
                return diag_set(d, ODM_EIO, "%s: the path is too long", folder);
        }
        memcpy(b->folder, folder, strlen(folder) + 1);
        rc = fsio_mkdir(folder, 0700, d);
        if (rc < 0) {
                free(b);
                return rc;
        }
        pthread_mutex_init(&b->lock, NULL);
        *out = b;
        return 0;
}

/* ---- parts in memory --------------------------------------------------------------------- */

static void part_free(part *p)
{
        if (p->fd >= 0)
                close(p->fd);
        if (p->hash)
                gnutls_hash_deinit(p->hash, NULL);
        pthread_mutex_destroy(&p->lock);
        free(p);
}

void blobs_free(blobs *b)
{
        part *p;
        pin *n;

        if (!b)
                return;
        while ((p = b->parts)) {
                assert(p->refs == 0);
                b->parts = p->next;
                part_free(p);
        }
        while ((n = b->pins)) {
                b->pins = n->next;
                free(n);
        }
        pthread_mutex_destroy(&b->lock);
        free(b);
}

static part *find_part(const blobs *b, int64_t id)
{
        part *p = b->parts;

        while (p && p->id != id)
                p = p->next;
        return p;
}

/* What is on disk of it; 0 too when nothing is to be found out. */
static uint64_t octets_on_disk(const blobs *b, odm_str sha256, int64_t id)
{
        char path[BLOB_PATH];
        struct stat st;

        if (!blobs_path(b, sha256, id, path) || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        return (uint64_t)st.st_size;
}

/* Under the list's lock; with a hold on it.  NULL: no memory. */
static part *get_part(blobs *b, int64_t id)
{
        part *p = find_part(b, id);

        if (!p) {
                p = calloc(1, sizeof *p);
                if (!p)
                        return NULL;
                p->id = id;
                p->fd = -1;
                atomic_init(&p->at, octets_on_disk(b, ODM_ABSENT, id));
                pthread_mutex_init(&p->lock, NULL);
                p->next = b->parts;
                b->parts = p;
        }
        p->refs++;
        return p;
}

/* Under the list's lock. */
static void unlist(blobs *b, part *p)
{
        part **at = &b->parts;

        while (*at && *at != p)
                at = &(*at)->next;
        if (*at)
                *at = p->next;
        p->dead = true;
}

static void let_go(blobs *b, part *p)
{
        bool last;

        pthread_mutex_lock(&b->lock);
        last = --p->refs == 0 && p->dead;
        pthread_mutex_unlock(&b->lock);
        if (last)
                part_free(p);
}

/* ---- writing -------------------------------------------------------------------------------- */

uint64_t blobs_have(blobs *b, int64_t id, odm_str sha256, uint64_t size)
{
        uint64_t n;
        part *p;

        if (octets_on_disk(b, sha256, 0) == size && size > 0)
                return size;
        pthread_mutex_lock(&b->lock);
        p = find_part(b, id);
        n = p ? atomic_load(&p->at) : octets_on_disk(b, ODM_ABSENT, id);
        pthread_mutex_unlock(&b->lock);
        return n < size ? n : size;
}

static int open_part(const blobs *b, part *p, diag *d)
{
        char path[BLOB_PATH];

        if (p->fd >= 0)
                return 0;
        if (!blobs_path(b, ODM_ABSENT, p->id, path))
                return ODM_EIO;
        p->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        return p->fd < 0 ? failed(d, path, "open") : 0;
}

/* Nothing of it, and a hash that follows. */
static int begin_anew(part *p, diag *d)
{
        if (ftruncate(p->fd, 0) < 0)
                return diag_set(d, ODM_EIO, "truncate: %s", strerror(errno));
        if (p->hash)
                gnutls_hash_deinit(p->hash, NULL);
        p->hash = NULL;
        atomic_store(&p->at, 0);
        p->hashed = p->out = 0;
        return gnutls_hash_init(&p->hash, GNUTLS_DIG_SHA256) < 0 ? ODM_ENOMEM : 0;
}

static int part_begin(const blobs *b, part *p, uint64_t size, uint64_t at, diag *d)
{
        int rc = 0;

        if (at != 0 && at != atomic_load(&p->at))
                return ODM_ESTATE;
        rc = open_part(b, p, d);
        p->turn++;
        p->size = size;
        return rc == 0 && at == 0 ? begin_anew(p, d) : rc;
}

int blobs_put(blobs *b, int64_t id, uint64_t size, uint64_t at, blob_put **out, uint64_t *have,
              diag *d)
{
        blob_put *u = calloc(1, sizeof *u);
        int rc = ODM_ENOMEM;
        part *p;
        bool proving;

        pthread_mutex_lock(&b->lock);
        p = u ? get_part(b, id) : NULL;
        proving = p && p->proving;
        pthread_mutex_unlock(&b->lock);
        if (!p)
                goto out;
        rc = ODM_ESTATE;
        if (!proving) {
                pthread_mutex_lock(&p->lock);
                rc = part_begin(b, p, size, at, d);
                u->turn = p->turn;
                pthread_mutex_unlock(&p->lock);
        }
        if (rc == 0) {
                u->b = b;
                u->p = p;
                *out = u;
                return 0;
        }
        *have = atomic_load(&p->at);
        let_go(b, p);
out:
        free(u);
        return rc;
}

static int write_failed(int why, diag *d)
{
        bool full = why == ENOSPC || why == EDQUOT || why == EFBIG;

        return diag_set(d, full ? ODM_ELIMIT : ODM_EIO, "the content cannot be written: %s",
                        strerror(why));
}

static int write_all(part *p, odm_str data, diag *d)
{
        uint64_t at = atomic_load(&p->at);

        while (data.n) {
                ssize_t n = pwrite(p->fd, data.p, data.n, (off_t)at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return write_failed(n < 0 ? errno : ENOSPC, d);
                if (p->hash && p->hashed == at && gnutls_hash(p->hash, data.p, (size_t)n) == 0)
                        p->hashed += (uint64_t)n;
                data = odm_str_from(data, (size_t)n);
                at += (uint64_t)n;
                atomic_store(&p->at, at);
        }
        if (at - p->out >= WRITE_OUT) { /* so that little is left to be done by the end */
                (void)sync_file_range(p->fd, (off_t)p->out, (off_t)(at - p->out),
                                      SYNC_FILE_RANGE_WRITE);
                p->out = at;
        }
        return 0;
}

int blob_put_write(blob_put *u, odm_str data)
{
        part *p = u->p;
        int rc;

        pthread_mutex_lock(&p->lock);
        if (p->turn != u->turn)
                rc = ODM_ESTATE;
        else if (data.n > p->size - atomic_load(&p->at))
                rc = ODM_ELIMIT;
        else
                rc = write_all(p, data, &u->why);
        pthread_mutex_unlock(&p->lock);
        return rc;
}

const char *blob_put_why(const blob_put *u)
{
        return u->why.text;
}

void blob_put_end(blob_put *u)
{
        if (!u)
                return;
        let_go(u->b, u->p);
        free(u);
}

/* ---- the end of an upload --------------------------------------------------------------- */

int blobs_sync(blobs *b, int64_t id, diag *d)
{
        char path[BLOB_PATH];
        int fd, rc = 0;

        if (!blobs_path(b, ODM_ABSENT, id, path))
                return ODM_EIO;
        fd = open(path, O_RDONLY | O_CLOEXEC); /* of its own: nobody waits */
        if (fd < 0)
                return errno == ENOENT ? 0 : failed(d, path, "open");
        if (fsync(fd) < 0)
                rc = failed(d, path, "fsync");
        close(fd);
        return rc;
}

/* What the hash does not have yet: after a restart, all that was there before. */
static int hash_rest(part *p, diag *d)
{
        char *buf = malloc(STRIDE);
        int rc = buf ? 0 : ODM_ENOMEM;

        if (rc == 0 && !p->hash) {
                p->hashed = 0;
                rc = gnutls_hash_init(&p->hash, GNUTLS_DIG_SHA256) < 0 ? ODM_ENOMEM : 0;
        }
        while (rc == 0 && p->hashed < p->size) {
                ssize_t n = pread(p->fd, buf, STRIDE, (off_t)p->hashed);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0 || gnutls_hash(p->hash, buf, (size_t)n) < 0)
                        rc = diag_set(d, ODM_EIO, "the content cannot be read back: %s",
                                      n < 0 ? strerror(errno) : "it ends too early");
                else
                        p->hashed += (uint64_t)n;
        }
        free(buf);
        return rc;
}

static int check_hash(part *p, odm_str sha256, diag *d)
{
        uint8_t got[HASH_OCTETS];
        char text[HASH_TEXT + 1];
        int rc = hash_rest(p, d);

        if (rc < 0)
                return rc;
        gnutls_hash_deinit(p->hash, got);
        p->hash = NULL;
        p->hashed = 0;
        for (size_t i = 0; i < HASH_OCTETS; i++)
                (void)snprintf(text + 2 * i, 3, "%02x", got[i]);
        if (odm_str_is(sha256, text))
                return 0;
        rc = begin_anew(p, d);
        return rc < 0 ? rc
                      : diag_set(d, ODM_EMALFORMED,
                                 "what came has the SHA-256 %s; what was announced has %.*s", text,
                                 (int)sha256.n, sha256.p);
}

static int sync_folder(const char *path, diag *d)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

        if (fd < 0 || fsync(fd) < 0)
                rc = failed(d, path, "fsync");
        if (fd >= 0)
                close(fd);
        return rc;
}

/* Into its place; a removal that has begun leaves it alone.  An upload that was dropped meanwhile,
 * since the same came by another way, is not there to be moved. */
static int move_in(blobs *b, int64_t id, odm_str sha256, diag *d)
{
        char from[BLOB_PATH], to[BLOB_PATH];
        int rc = 0;

        if (!blobs_path(b, ODM_ABSENT, id, from) || !blobs_path(b, sha256, 0, to))
                return ODM_EIO;
        pthread_mutex_lock(&b->lock);
        if (odm_str_is(sha256, b->doomed))
                b->doomed[0] = 0;
        if (rename(from, to) < 0 && (errno != ENOENT || access(to, F_OK) < 0))
                rc = errno == ENOENT ? ODM_ESTATE : failed(d, to, "rename");
        pthread_mutex_unlock(&b->lock);
        return rc == 0 ? sync_folder(b->folder, d) : rc;
}

static int prove(blobs *b, part *p, odm_str sha256, uint64_t size, diag *d)
{
        int rc = open_part(b, p, d);

        p->turn++; /* nobody writes from here on */
        p->size = size;
        if (rc == 0 && atomic_load(&p->at) != size)
                rc = ODM_ESTATE;
        if (rc == 0 && fsync(p->fd) < 0)
                rc = diag_set(d, ODM_EIO, "the content is not durable: %s", strerror(errno));
        if (rc == 0)
                rc = check_hash(p, sha256, d);
        return rc == 0 ? move_in(b, p->id, sha256, d) : rc;
}

int blobs_finish(blobs *b, int64_t id, odm_str sha256, uint64_t size, diag *d)
{
        int rc = ODM_ENOMEM;
        bool busy;
        part *p;

        if (blobs_pin(b, sha256, size)) { /* the same came by another way */
                blobs_drop(b, id);
                blobs_unpin(b, sha256);
                return 0;
        }
        pthread_mutex_lock(&b->lock);
        p = get_part(b, id);
        busy = p && p->proving;
        if (p)
                p->proving = true;
        pthread_mutex_unlock(&b->lock);
        if (!p)
                return rc;
        rc = ODM_ESTATE;
        if (!busy) {
                pthread_mutex_lock(&p->lock);
                rc = prove(b, p, sha256, size, d);
                pthread_mutex_unlock(&p->lock);
                pthread_mutex_lock(&b->lock);
                p->proving = false;
                if (rc == 0)
                        unlist(b, p);
                pthread_mutex_unlock(&b->lock);
        }
        let_go(b, p);
        return rc;
}

void blobs_drop(blobs *b, int64_t id)
{
        char path[BLOB_PATH];
        part *p;

        if (!blobs_path(b, ODM_ABSENT, id, path))
                return;
        pthread_mutex_lock(&b->lock);
        p = find_part(b, id);
        if (p) {
                p->refs++;
                unlist(b, p);
        }
        (void)unlink(path);
        pthread_mutex_unlock(&b->lock);
        if (!p)
                return;
        pthread_mutex_lock(&p->lock);
        p->turn++;
        pthread_mutex_unlock(&p->lock);
        let_go(b, p);
}

/* ---- contents ---------------------------------------------------------------------------------- */

static pin **find_pin(blobs *b, odm_str sha256)
{
        pin **at = &b->pins;

        while (*at && !odm_str_is(sha256, (*at)->sha256))
                at = &(*at)->next;
        return at;
}

bool blobs_pin(blobs *b, odm_str sha256, uint64_t size)
{
        bool ok;
        pin **at;

        assert(sha256.n == HASH_TEXT);
        pthread_mutex_lock(&b->lock);
        ok = size > 0 && !odm_str_is(sha256, b->doomed) && octets_on_disk(b, sha256, 0) == size;
        at = find_pin(b, sha256);
        if (ok && !*at) {
                *at = calloc(1, sizeof **at);
                if (*at)
                        memcpy((*at)->sha256, sha256.p, HASH_TEXT);
        }
        ok = ok && *at;
        if (ok)
                (*at)->n++;
        pthread_mutex_unlock(&b->lock);
        return ok;
}

void blobs_unpin(blobs *b, odm_str sha256)
{
        pin **at, *gone;

        pthread_mutex_lock(&b->lock);
        at = find_pin(b, sha256);
        assert(*at);
        gone = --(*at)->n == 0 ? *at : NULL;
        if (gone)
                *at = gone->next;
        pthread_mutex_unlock(&b->lock);
        free(gone);
}

int blobs_open(blobs *b, odm_str sha256, uint64_t *size)
{
        char path[BLOB_PATH];
        struct stat st;
        int fd;

        if (!blobs_path(b, sha256, 0, path))
                return ODM_EIO;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT ? ODM_ENOENT : ODM_EIO;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                close(fd);
                return ODM_EIO;
        }
        *size = (uint64_t)st.st_size;
        return fd;
}

static bool doom(blobs *b, odm_str sha256)
{
        bool ok;

        pthread_mutex_lock(&b->lock);
        ok = !*find_pin(b, sha256);
        if (ok) {
                memcpy(b->doomed, sha256.p, HASH_TEXT);
                b->doomed[HASH_TEXT] = 0;
        }
        pthread_mutex_unlock(&b->lock);
        return ok;
}

static bool remove_doomed(blobs *b, odm_str sha256, bool wanted)
{
        char path[BLOB_PATH];
        bool gone = false;

        pthread_mutex_lock(&b->lock);
        if (!wanted && b->doomed[0] && blobs_path(b, sha256, 0, path))
                gone = unlink(path) == 0;
        b->doomed[0] = 0;
        pthread_mutex_unlock(&b->lock);
        return gone;
}

static bool remove_one(blobs *b, odm_str sha256, blob_wanted wanted, void *ctx)
{
        return doom(b, sha256) && remove_doomed(b, sha256, wanted(ctx, sha256, 0));
}

void blobs_remove(blobs *b, odm_str sha256, blob_wanted wanted, void *ctx)
{
        if (sha256.n == HASH_TEXT)
                (void)remove_one(b, sha256, wanted, ctx);
}

static bool is_hash(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (!memchr("0123456789abcdef", s.p[i], 16))
                        return false;
        return s.n == HASH_TEXT;
}

/* Only what has one of our names is ours to remove. */
static bool sweep_one(blobs *b, const char *name, blob_wanted wanted, void *ctx)
{
        odm_str s = odm_cstr(name);
        size_t tail = sizeof PART - 1;
        uint64_t id;

        if (is_hash(s))
                return remove_one(b, s, wanted, ctx);
        if (s.n <= tail || !odm_str_is(odm_str_from(s, s.n - tail), PART) ||
            odm_str_u64(odm_str_to(s, s.n - tail), INT64_MAX, &id) < 0 || id == 0 ||
            wanted(ctx, ODM_ABSENT, (int64_t)id))
                return false;
        blobs_drop(b, (int64_t)id);
        return true;
}

unsigned blobs_sweep(blobs *b, blob_wanted wanted, void *ctx)
{
        DIR *dir = opendir(b->folder);
        const struct dirent *e;
        unsigned n = 0;

        while (dir && (e = readdir(dir)) != NULL)
                n += sweep_one(b, e->d_name, wanted, ctx);
        if (dir)
                closedir(dir);
        return n;
}
