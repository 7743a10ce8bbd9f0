/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that loses power; see disk.h.  All steps are kept, and a cut plays them again up to its
 * moment, on the durable side alone. */
#include "disk.h"

#include <pthread.h>

#include "support.h"

#define SECTOR 512u

typedef enum step_kind {
        STEP_MAKE,
        STEP_REMOVE,
        STEP_RENAME,
        STEP_WRITE,
        STEP_TRUNCATE,
        STEP_SYNC,
        STEP_SYNC_FAILS,
        STEP_SYNC_NAMES,
} step_kind;

typedef struct step {
        step_kind kind;
        int file;
        uint64_t at; /* offset, or size */
        size_t n;
        char *octets;    /* WRITE */
        char *name, *to; /* MAKE, REMOVE, RENAME */
} step;

typedef struct content {
        char *p;
        size_t n, cap;
} content;

typedef struct entry {
        char *name;
        int file;
} entry;

typedef struct names {
        entry *v;
        size_t n, cap;
} names;

typedef struct mark {
        size_t step;
        uint64_t promised;
} mark;

struct disk {
        pthread_mutex_t lock;
        content *files; /* as a reader sees them */
        size_t n_files, cap_files;
        names names;
        content *base; /* as they were at the beginning, durable */
        size_t n_base;
        names base_names;
        step *steps;
        size_t n_steps, cap_steps;
        mark *marks;
        size_t n_marks, cap_marks;
        uint64_t base_promise;
};

/* ---- memory: a test that has none is over ------------------------------------------------ */

static void *must(void *p)
{
        if (!p)
                abort();
        return p;
}

/* Room for one more of `size` octets. */
static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
        if (n < *cap)
                return v;
        *cap = *cap ? *cap * 2 : 16;
        return must(realloc(v, *cap * size));
}

static char *copy_of(const void *p, size_t n)
{
        char *c = must(malloc(n ? n : 1));

        memcpy(c, p, n);
        return c;
}

static char *copy_name(const char *z)
{
        return copy_of(z, strlen(z) + 1);
}

/* ---- contents ------------------------------------------------------------------------------- */

static void set_size(content *c, size_t n)
{
        if (n > c->cap) {
                c->cap = n > 2 * c->cap ? n : 2 * c->cap;
                c->p = must(realloc(c->p, c->cap));
        }
        if (n > c->n)
                memset(c->p + c->n, 0, n - c->n);
        c->n = n;
}

static void put_octets(content *c, uint64_t at, const char *p, size_t n)
{
        if (at + n > c->n)
                set_size(c, (size_t)at + n);
        if (n)
                memcpy(c->p + at, p, n);
}

static content content_copy(const content *c)
{
        content to = {.n = c->n, .cap = c->n};

        to.p = c->n ? copy_of(c->p, c->n) : NULL;
        return to;
}

/* ---- names ---------------------------------------------------------------------------------- */

static entry *name_find(const names *l, const char *name)
{
        for (size_t i = 0; i < l->n; i++)
                if (strcmp(l->v[i].name, name) == 0)
                        return &l->v[i];
        return NULL;
}

static void name_drop(names *l, const char *name)
{
        entry *e = name_find(l, name);

        if (!e)
                return;
        free(e->name);
        *e = l->v[--l->n];
}

static void name_put(names *l, const char *name, int file)
{
        name_drop(l, name);
        l->v = grown(l->v, l->n, &l->cap, sizeof *l->v);
        l->v[l->n++] = (entry){copy_name(name), file};
}

static void name_apply(names *l, const step *s)
{
        const entry *e;

        if (s->kind == STEP_MAKE) {
                name_put(l, s->name, s->file);
        } else if (s->kind == STEP_REMOVE) {
                name_drop(l, s->name);
        } else if ((e = name_find(l, s->name))) {
                int file = e->file;
                name_drop(l, s->name);
                name_put(l, s->to, file);
        }
}

static void names_done(names *l)
{
        for (size_t i = 0; i < l->n; i++)
                free(l->v[i].name);
        free(l->v);
}

/* ---- the disk that is used --------------------------------------------------------------- */

disk *disk_new(void)
{
        disk *d = must(calloc(1, sizeof *d));

        pthread_mutex_init(&d->lock, NULL);
        return d;
}

static void free_contents(content *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(v[i].p);
        free(v);
}

void disk_free(disk *d)
{
        if (!d)
                return;
        for (size_t i = 0; i < d->n_steps; i++) {
                free(d->steps[i].octets);
                free(d->steps[i].name);
                free(d->steps[i].to);
        }
        free(d->steps);
        free(d->marks);
        free_contents(d->files, d->n_files);
        free_contents(d->base, d->n_base);
        names_done(&d->names);
        names_done(&d->base_names);
        pthread_mutex_destroy(&d->lock);
        free(d);
}

static step *add_step(disk *d, step s)
{
        d->steps = grown(d->steps, d->n_steps, &d->cap_steps, sizeof *d->steps);
        d->steps[d->n_steps] = s;
        return &d->steps[d->n_steps++];
}

static int find(const disk *d, const char *name)
{
        const entry *e = name_find(&d->names, name);

        return e ? e->file : -1;
}

int disk_find(disk *d, const char *name)
{
        pthread_mutex_lock(&d->lock);
        int file = find(d, name);
        pthread_mutex_unlock(&d->lock);
        return file;
}

int disk_make(disk *d, const char *name)
{
        pthread_mutex_lock(&d->lock);
        int file = find(d, name);
        if (file < 0) {
                file = (int)d->n_files;
                d->files = grown(d->files, d->n_files, &d->cap_files, sizeof *d->files);
                d->files[d->n_files++] = (content){.n = 0};
                name_apply(&d->names, add_step(d, (step){.kind = STEP_MAKE,
                                                         .file = file,
                                                         .name = copy_name(name)}));
        }
        pthread_mutex_unlock(&d->lock);
        return file;
}

void disk_remove(disk *d, const char *name)
{
        pthread_mutex_lock(&d->lock);
        name_apply(&d->names, add_step(d, (step){.kind = STEP_REMOVE, .name = copy_name(name)}));
        pthread_mutex_unlock(&d->lock);
}

void disk_rename(disk *d, const char *from, const char *to)
{
        pthread_mutex_lock(&d->lock);
        name_apply(&d->names, add_step(d, (step){.kind = STEP_RENAME,
                                                 .name = copy_name(from),
                                                 .to = copy_name(to)}));
        pthread_mutex_unlock(&d->lock);
}

const char *disk_name(disk *d, size_t i)
{
        return i < d->names.n ? d->names.v[i].name : NULL;
}

void disk_write(disk *d, int file, uint64_t at, const void *p, size_t n)
{
        pthread_mutex_lock(&d->lock);
        const step *s = add_step(d, (step){.kind = STEP_WRITE,
                                           .file = file,
                                           .at = at,
                                           .n = n,
                                           .octets = copy_of(p, n)});
        put_octets(&d->files[file], at, s->octets, n);
        pthread_mutex_unlock(&d->lock);
}

void disk_truncate(disk *d, int file, uint64_t size)
{
        pthread_mutex_lock(&d->lock);
        add_step(d, (step){.kind = STEP_TRUNCATE, .file = file, .at = size});
        set_size(&d->files[file], (size_t)size);
        pthread_mutex_unlock(&d->lock);
}

static void plain_step(disk *d, step_kind kind, int file)
{
        pthread_mutex_lock(&d->lock);
        add_step(d, (step){.kind = kind, .file = file});
        pthread_mutex_unlock(&d->lock);
}

void disk_sync(disk *d, int file)
{
        plain_step(d, STEP_SYNC, file);
}

void disk_sync_names(disk *d)
{
        plain_step(d, STEP_SYNC_NAMES, 0);
}

void disk_sync_fails(disk *d, int file)
{
        plain_step(d, STEP_SYNC_FAILS, file);
}

uint64_t disk_size(disk *d, int file)
{
        pthread_mutex_lock(&d->lock);
        uint64_t n = d->files[file].n;
        pthread_mutex_unlock(&d->lock);
        return n;
}

size_t disk_read(disk *d, int file, uint64_t at, void *p, size_t n)
{
        pthread_mutex_lock(&d->lock);
        const content *c = &d->files[file];
        size_t got = at >= c->n ? 0 : c->n - (size_t)at < n ? c->n - (size_t)at : n;
        if (got)
                memcpy(p, c->p + at, got);
        pthread_mutex_unlock(&d->lock);
        return got;
}

uint64_t disk_used(disk *d)
{
        uint64_t sum = 0;

        pthread_mutex_lock(&d->lock);
        for (size_t i = 0; i < d->names.n; i++)
                sum += d->files[d->names.v[i].file].n;
        pthread_mutex_unlock(&d->lock);
        return sum;
}

/* ---- promises -------------------------------------------------------------------------------- */

void disk_promise(disk *d, uint64_t n)
{
        pthread_mutex_lock(&d->lock);
        d->marks = grown(d->marks, d->n_marks, &d->cap_marks, sizeof *d->marks);
        d->marks[d->n_marks++] = (mark){d->n_steps, n};
        pthread_mutex_unlock(&d->lock);
}

static uint64_t promised(const disk *d, size_t steps)
{
        uint64_t most = d->base_promise;

        for (size_t i = 0; i < d->n_marks && d->marks[i].step <= steps; i++)
                if (d->marks[i].promised > most)
                        most = d->marks[i].promised;
        return most;
}

uint64_t disk_promised(disk *d, size_t steps)
{
        pthread_mutex_lock(&d->lock);
        uint64_t n = promised(d, steps);
        pthread_mutex_unlock(&d->lock);
        return n;
}

size_t disk_steps(disk *d)
{
        pthread_mutex_lock(&d->lock);
        size_t n = d->n_steps;
        pthread_mutex_unlock(&d->lock);
        return n;
}

/* ---- the cut ------------------------------------------------------------------------------- */

const char *disk_loss_name(disk_loss how)
{
        static const char *const text[DISK_LOSSES] = {"keeps all", "keeps names", "drops all",
                                                      "tears"};

        return text[how];
}

/* The durable side while the steps are played: contents, names, and which steps wait for a sync. */
typedef struct platter {
        disk *out; /* its base is what is durable */
        const disk *from;
        disk_loss how;
        seeded rnd;
        size_t *waiting; /* steps on files, in order; 0: none is there any more (step + 1) */
        size_t n, cap;
        size_t *names_waiting;
        size_t n_names, cap_names;
} platter;

static bool chance(platter *p)
{
        return seeded_next(&p->rnd) & 1;
}

static void junk(platter *p, char *at, size_t n)
{
        for (size_t i = 0; i < n; i++)
                at[i] = (char)seeded_next(&p->rnd);
}

/* One sector of a write that is not whole: it arrived, or what was there before stays. */
static void tear_sector(platter *p, content *c, const step *s, size_t done, size_t n)
{
        uint64_t at = s->at + done;

        if (chance(p)) {
                put_octets(c, at, s->octets + done, n);
        } else if (at + n > c->n && chance(p)) { /* the length arrived, the octets did not */
                size_t old = c->n > at ? c->n : (size_t)at;
                set_size(c, (size_t)at + n);
                if (chance(p))
                        junk(p, c->p + old, c->n - old);
        }
}

static void tear_write(platter *p, content *c, const step *s)
{
        for (size_t done = 0; done < s->n;) {
                size_t n = SECTOR - (size_t)((s->at + done) % SECTOR);
                if (n > s->n - done)
                        n = s->n - done;
                tear_sector(p, c, s, done, n);
                done += n;
        }
}

static void arrive(platter *p, const step *s)
{
        content *c = &p->out->base[s->file];

        if (s->kind == STEP_WRITE)
                put_octets(c, s->at, s->octets, s->n);
        else
                set_size(c, (size_t)s->at);
}

static void maybe_arrive(platter *p, const step *s)
{
        if (p->how == DISK_KEEPS_ALL)
                arrive(p, s);
        else if (p->how == DISK_TEARS && s->kind == STEP_WRITE)
                tear_write(p, &p->out->base[s->file], s);
        else if (p->how == DISK_TEARS && chance(p))
                arrive(p, s);
}

/* What waits for `file` (-1: for any) happens, or may. */
static void settle(platter *p, int file, bool surely)
{
        size_t left = 0;

        for (size_t i = 0; i < p->n; i++) {
                const step *s = &p->from->steps[p->waiting[i]];
                if (file >= 0 && s->file != file)
                        p->waiting[left++] = p->waiting[i];
                else if (surely)
                        arrive(p, s);
                else
                        maybe_arrive(p, s);
        }
        p->n = left;
}

static void settle_names(platter *p, size_t first)
{
        for (size_t i = 0; i < first; i++)
                name_apply(&p->out->base_names, &p->from->steps[p->names_waiting[i]]);
        p->n_names = 0;
}

static void wait_for_sync(size_t **v, size_t *n, size_t *cap, size_t step_no)
{
        *v = grown(*v, *n, cap, sizeof **v);
        (*v)[(*n)++] = step_no;
}

static void play(platter *p, size_t i)
{
        const step *s = &p->from->steps[i];

        switch (s->kind) {
        case STEP_MAKE:
        case STEP_REMOVE:
        case STEP_RENAME: wait_for_sync(&p->names_waiting, &p->n_names, &p->cap_names, i); break;
        case STEP_WRITE:
        case STEP_TRUNCATE: wait_for_sync(&p->waiting, &p->n, &p->cap, i); break;
        case STEP_SYNC: settle(p, s->file, true); break;
        case STEP_SYNC_FAILS: settle(p, s->file, false); break;
        case STEP_SYNC_NAMES: settle_names(p, p->n_names); break;
        }
}

static size_t names_that_arrive(platter *p)
{
        switch (p->how) {
        case DISK_KEEPS_ALL:
        case DISK_KEEPS_FIRST: return p->n_names;
        case DISK_DROPS_ALL: return 0;
        case DISK_TEARS: return (size_t)(seeded_next(&p->rnd) % (p->n_names + 1));
        }
        return 0;
}

/* What is durable is what a reader of the new disk sees. */
static void show(disk *d)
{
        d->n_files = d->cap_files = d->n_base;
        d->files = must(calloc(d->n_base + 1, sizeof *d->files));
        for (size_t i = 0; i < d->n_base; i++)
                d->files[i] = content_copy(&d->base[i]);
        for (size_t i = 0; i < d->base_names.n; i++)
                name_put(&d->names, d->base_names.v[i].name, d->base_names.v[i].file);
}

disk *disk_cut(disk *d, size_t steps, disk_loss how, uint64_t seed)
{
        platter p = {.out = disk_new(), .from = d, .how = how};

        (void)seeded_rng(&p.rnd, seed);
        pthread_mutex_lock(&d->lock);
        p.out->n_base = d->n_files;
        p.out->base = must(calloc(d->n_files + 1, sizeof *p.out->base));
        for (size_t i = 0; i < d->n_base; i++)
                p.out->base[i] = content_copy(&d->base[i]);
        for (size_t i = 0; i < d->base_names.n; i++)
                name_put(&p.out->base_names, d->base_names.v[i].name, d->base_names.v[i].file);
        for (size_t i = 0; i < steps && i < d->n_steps; i++)
                play(&p, i);
        settle(&p, -1, false);
        settle_names(&p, names_that_arrive(&p));
        p.out->base_promise = promised(d, steps);
        pthread_mutex_unlock(&d->lock);
        show(p.out);
        free(p.waiting);
        free(p.names_waiting);
        return p.out;
}
