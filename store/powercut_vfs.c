/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's layer of files over disk.h.  All connections are of this process, so locks and the
 * shared index of a log are counted here. */
#include "powercut_vfs.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 256
#define REGIONS 64

typedef struct pc_file pc_file;

/* A file of the disk while somebody has it open: who locks it, and the index of its log. */
typedef struct node {
        struct node *next;
        int file;
        unsigned opened, shared;
        const pc_file *reserved, *pending, *exclusive;
        unsigned mapped; /* connections with the index */
        void *region[REGIONS];
        int regions;
        unsigned slot_shared[SQLITE_SHM_NLOCK];
        const pc_file *slot_owner[SQLITE_SHM_NLOCK];
} node;

struct pc_file {
        sqlite3_file base;
        node *node;
        int lock;
        unsigned slots; /* of the index, held shared: bits */
        bool mapped, sync_names, delete_on_close;
        char name[NAME_MAX_LEN];
};

static struct {
        pthread_mutex_t lock; /* all below */
        pthread_cond_t go;
        disk *disk;
        node *nodes;
        powercut_faults faults;
        uint64_t changes;
        bool held;
        unsigned waiting;
        sqlite3_vfs *system;
} pc = {.lock = PTHREAD_MUTEX_INITIALIZER, .go = PTHREAD_COND_INITIALIZER};

/* ---- faults ------------------------------------------------------------------------------ */

/* Counts a change; the code it has to fail with, or 0. */
static int strike(void)
{
        const powercut_faults *f = &pc.faults;
        int code = SQLITE_OK;

        pthread_mutex_lock(&pc.lock);
        pc.changes++;
        if (f->fail_at && (pc.changes == f->fail_at || (f->for_ever && pc.changes > f->fail_at)))
                code = f->code;
        pthread_mutex_unlock(&pc.lock);
        return code;
}

static powercut_faults faults(void)
{
        pthread_mutex_lock(&pc.lock);
        powercut_faults f = pc.faults;
        pthread_mutex_unlock(&pc.lock);
        return f;
}

static void wait_while_held(void)
{
        pthread_mutex_lock(&pc.lock);
        pc.waiting++;
        while (pc.held)
                pthread_cond_wait(&pc.go, &pc.lock);
        pc.waiting--;
        pthread_mutex_unlock(&pc.lock);
}

void powercut_set(powercut_faults f)
{
        pthread_mutex_lock(&pc.lock);
        pc.faults = f;
        pc.changes = 0;
        pthread_mutex_unlock(&pc.lock);
}

uint64_t powercut_changes(void)
{
        pthread_mutex_lock(&pc.lock);
        uint64_t n = pc.changes;
        pthread_mutex_unlock(&pc.lock);
        return n;
}

void powercut_hold(bool held)
{
        pthread_mutex_lock(&pc.lock);
        pc.held = held;
        pthread_cond_broadcast(&pc.go);
        pthread_mutex_unlock(&pc.lock);
}

unsigned powercut_waiting(void)
{
        pthread_mutex_lock(&pc.lock);
        unsigned n = pc.waiting;
        pthread_mutex_unlock(&pc.lock);
        return n;
}

/* ---- files --------------------------------------------------------------------------------- */

static pc_file *of(sqlite3_file *f)
{
        return (pc_file *)(void *)f;
}

static int file_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
        size_t got = disk_read(pc.disk, of(f)->node->file, (uint64_t)at, p, (size_t)n);

        if (got == (size_t)n)
                return SQLITE_OK;
        memset((char *)p + got, 0, (size_t)n - got);
        return SQLITE_IOERR_SHORT_READ;
}

static bool fits(int file, uint64_t end)
{
        uint64_t capacity = faults().capacity, size = disk_size(pc.disk, file);

        return capacity == 0 || end <= size || disk_used(pc.disk) - size + end <= capacity;
}

static int file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
        int file = of(f)->node->file, code = strike();

        if (code == SQLITE_OK && !fits(file, (uint64_t)at + (uint64_t)n))
                return SQLITE_FULL;
        disk_write(pc.disk, file, (uint64_t)at, p, (size_t)(code ? n / 2 : n));
        return code;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
        int code = strike();

        if (code == SQLITE_OK)
                disk_truncate(pc.disk, of(f)->node->file, (uint64_t)size);
        return code;
}

static void sync_names(void)
{
        if (!faults().names_lie)
                disk_sync_names(pc.disk);
}

static int file_sync(sqlite3_file *f, int flags)
{
        pc_file *x = of(f);
        int code;

        (void)flags;
        wait_while_held();
        code = strike();
        if (code)
                disk_sync_fails(pc.disk, x->node->file);
        if (code || faults().sync_lies)
                return code;
        disk_sync(pc.disk, x->node->file);
        if (x->sync_names) /* once, for a journal or log that was made */
                sync_names();
        x->sync_names = false;
        return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
        *out = (sqlite3_int64)disk_size(pc.disk, of(f)->node->file);
        return SQLITE_OK;
}

/* The value of a pragma is SQLite's own copy, which it reads after this. */
static int file_control(sqlite3_file *f, int op, void *arg)
{
        powercut_faults t = faults();
        char **pragma = arg;

        (void)f;
        if (op != SQLITE_FCNTL_PRAGMA || !pragma[2])
                return SQLITE_NOTFOUND;
        if (t.synchronous && sqlite3_stricmp(pragma[1], "synchronous") == 0)
                pragma[2][0] = t.synchronous[0], pragma[2][1] = 0;
        if (t.checkpoint && sqlite3_stricmp(pragma[1], "wal_autocheckpoint") == 0)
                snprintf(pragma[2], strlen(pragma[2]) + 1, "%u", t.checkpoint);
        return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *f)
{
        (void)f;
        return 4096;
}

static int file_characteristics(sqlite3_file *f)
{
        (void)f;
        return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* ---- locks ----------------------------------------------------------------------------------- */

static int lock_exclusive(pc_file *x, node *n)
{
        if ((n->reserved && n->reserved != x) || (n->pending && n->pending != x))
                return SQLITE_BUSY;
        n->pending = x;
        x->lock = SQLITE_LOCK_PENDING;
        if (n->shared > 1)
                return SQLITE_BUSY;
        n->exclusive = x;
        x->lock = SQLITE_LOCK_EXCLUSIVE;
        return SQLITE_OK;
}

static int lock_now(pc_file *x, int want)
{
        node *n = x->node;

        if (x->lock >= want)
                return SQLITE_OK;
        if (want == SQLITE_LOCK_EXCLUSIVE)
                return lock_exclusive(x, n);
        if (want == SQLITE_LOCK_SHARED) {
                if (n->pending || n->exclusive)
                        return SQLITE_BUSY;
                n->shared++;
        } else {
                if (n->reserved || n->pending)
                        return SQLITE_BUSY;
                n->reserved = x;
        }
        x->lock = want;
        return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int want)
{
        pthread_mutex_lock(&pc.lock);
        int code = lock_now(of(f), want);
        pthread_mutex_unlock(&pc.lock);
        return code;
}

static int file_unlock(sqlite3_file *f, int want)
{
        pc_file *x = of(f);
        node *n = x->node;

        pthread_mutex_lock(&pc.lock);
        if (n->reserved == x)
                n->reserved = NULL;
        if (n->pending == x)
                n->pending = NULL;
        if (n->exclusive == x)
                n->exclusive = NULL;
        if (want == SQLITE_LOCK_NONE && x->lock >= SQLITE_LOCK_SHARED)
                n->shared--;
        if (x->lock > want)
                x->lock = want;
        pthread_mutex_unlock(&pc.lock);
        return SQLITE_OK;
}

static int file_reserved(sqlite3_file *f, int *out)
{
        const node *n = of(f)->node;

        pthread_mutex_lock(&pc.lock);
        *out = n->reserved || n->pending || n->exclusive;
        pthread_mutex_unlock(&pc.lock);
        return SQLITE_OK;
}

/* ---- the index of a log ----------------------------------------------------------------- */

static int shm_map(sqlite3_file *f, int i, int size, int extend, void volatile **out)
{
        pc_file *x = of(f);
        node *n = x->node;
        int code = SQLITE_OK;

        pthread_mutex_lock(&pc.lock);
        if (!x->mapped)
                n->mapped++;
        x->mapped = true;
        while (extend && code == SQLITE_OK && n->regions <= i) {
                assert(n->regions < REGIONS);
                n->region[n->regions] = calloc(1, (size_t)size);
                if (n->region[n->regions])
                        n->regions++;
                else
                        code = SQLITE_NOMEM;
        }
        *out = i < n->regions ? n->region[i] : NULL;
        pthread_mutex_unlock(&pc.lock);
        return code;
}

static int slot_take(pc_file *x, int i, bool exclusive)
{
        node *n = x->node;

        if ((n->slot_owner[i] && n->slot_owner[i] != x) || (exclusive && n->slot_shared[i]))
                return SQLITE_BUSY;
        return SQLITE_OK;
}

static void slot_mark(pc_file *x, int i, int flags)
{
        node *n = x->node;
        unsigned bit = 1u << i;

        if (flags & SQLITE_SHM_EXCLUSIVE) {
                n->slot_owner[i] = flags & SQLITE_SHM_LOCK ? x : NULL;
        } else if ((flags & SQLITE_SHM_LOCK) && !(x->slots & bit)) {
                n->slot_shared[i]++;
                x->slots |= bit;
        } else if ((flags & SQLITE_SHM_UNLOCK) && (x->slots & bit)) {
                n->slot_shared[i]--;
                x->slots &= ~bit;
        }
}

static int shm_lock(sqlite3_file *f, int first, int n, int flags)
{
        int code = SQLITE_OK;

        pthread_mutex_lock(&pc.lock);
        for (int i = first; (flags & SQLITE_SHM_LOCK) && code == SQLITE_OK && i < first + n; i++)
                code = slot_take(of(f), i, flags & SQLITE_SHM_EXCLUSIVE);
        for (int i = first; code == SQLITE_OK && i < first + n; i++)
                slot_mark(of(f), i, flags);
        pthread_mutex_unlock(&pc.lock);
        return code;
}

static void shm_barrier(sqlite3_file *f)
{
        (void)f;
        pthread_mutex_lock(&pc.lock); /* a full barrier, and one that checkers understand */
        pthread_mutex_unlock(&pc.lock);
}

static int shm_unmap(sqlite3_file *f, int forget)
{
        pc_file *x = of(f);
        node *n = x->node;

        pthread_mutex_lock(&pc.lock);
        if (x->mapped)
                n->mapped--;
        x->mapped = false;
        if (n->mapped == 0 && forget)
                while (n->regions)
                        free(n->region[--n->regions]);
        pthread_mutex_unlock(&pc.lock);
        return SQLITE_OK;
}

/* ---- open and close -------------------------------------------------------------------------- */

static node *node_get(int file)
{
        node *n;

        pthread_mutex_lock(&pc.lock);
        for (n = pc.nodes; n && n->file != file; n = n->next)
                ;
        if (!n && (n = calloc(1, sizeof *n))) {
                n->file = file;
                n->next = pc.nodes;
                pc.nodes = n;
        }
        if (n)
                n->opened++;
        pthread_mutex_unlock(&pc.lock);
        return n;
}

static void node_give(node *n)
{
        node **at = &pc.nodes;

        pthread_mutex_lock(&pc.lock);
        if (--n->opened == 0) {
                while (*at != n)
                        at = &(*at)->next;
                *at = n->next;
                while (n->regions)
                        free(n->region[--n->regions]);
                free(n);
        }
        pthread_mutex_unlock(&pc.lock);
}

static int file_close(sqlite3_file *f)
{
        pc_file *x = of(f);

        (void)file_unlock(f, SQLITE_LOCK_NONE);
        if (x->delete_on_close)
                disk_remove(pc.disk, x->name);
        node_give(x->node);
        return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_reserved,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_characteristics,
        .xShmMap = shm_map,
        .xShmLock = shm_lock,
        .xShmBarrier = shm_barrier,
        .xShmUnmap = shm_unmap,
};

#define JOURNALS (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL)

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
        pc_file *x = of(f);
        int file;

        (void)v;
        if (!name)
                return pc.system->xOpen(pc.system, name, f, flags, out_flags);
        memset(x, 0, sizeof *x);
        if (faults().read_only && (flags & SQLITE_OPEN_READWRITE)) { /* as the system does it */
                flags &= ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
                flags |= SQLITE_OPEN_READONLY;
        }
        file = flags & SQLITE_OPEN_CREATE ? disk_make(pc.disk, name) : disk_find(pc.disk, name);
        if (file < 0)
                return SQLITE_CANTOPEN;
        snprintf(x->name, sizeof x->name, "%s", name);
        x->node = node_get(file);
        if (!x->node)
                return SQLITE_NOMEM;
        x->sync_names = (flags & SQLITE_OPEN_CREATE) && (flags & JOURNALS);
        x->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
        x->base.pMethods = &methods;
        if (out_flags)
                *out_flags = flags;
        return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync)
{
        (void)v;
        if (disk_find(pc.disk, name) < 0)
                return SQLITE_IOERR_DELETE_NOENT;
        disk_remove(pc.disk, name);
        if (sync)
                sync_names();
        return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
        int file = disk_find(pc.disk, name);

        (void)v;
        *out = file >= 0 && (flags != SQLITE_ACCESS_EXISTS || disk_size(pc.disk, file) > 0);
        return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *v, const char *name, int n, char *out)
{
        (void)v;
        snprintf(out, (size_t)n, "%s", name);
        return SQLITE_OK;
}

static sqlite3_vfs vfs; /* a copy of the system's, with what is ours */

void powercut_install(void)
{
        if (!pc.system)
                pc.system = sqlite3_vfs_find(NULL);
        vfs = *pc.system;
        vfs.zName = "powercut";
        vfs.pNext = NULL;
        vfs.mxPathname = NAME_MAX_LEN - 1;
        if (vfs.szOsFile < (int)sizeof(pc_file))
                vfs.szOsFile = (int)sizeof(pc_file);
        vfs.xOpen = vfs_open;
        vfs.xDelete = vfs_delete;
        vfs.xAccess = vfs_access;
        vfs.xFullPathname = vfs_full_path;
        sqlite3_vfs_register(&vfs, 1);
}

void powercut_remove(void)
{
        sqlite3_vfs_unregister(&vfs);
        sqlite3_vfs_register(pc.system, 1);
}

void powercut_use(disk *d)
{
        assert(pc.nodes == NULL);
        pc.disk = d;
        powercut_set((powercut_faults){.fail_at = 0});
}
