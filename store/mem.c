/* SPDX-License-Identifier: Apache-2.0 */
/* The engine that keeps all in memory, for tests and trials: ordered maps of rows, and a list of
 * what to put back when a batch or a transaction is undone.  The writer holds the lock from begin()
 * to commit(), so a reader sees whole transactions only. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "mem.h"

#define PATHS_MAX (1u << 20)

#define KEY1(x) ((map_key){.a = (x)})
#define KEY2(x, y) ((map_key){.a = (x), .b = (y)})
#define KEY3(x, y, z) ((map_key){.a = (x), .b = (y), .c = (z)})
#define KEYT(s) ((map_key){.text = (s)})

/* ---- rows -------------------------------------------------------------------------- */

blob *mem_blob(odm_str s)
{
        blob *b = malloc(sizeof *b + s.n + 1);

        if (b == NULL)
                return NULL;
        b->n = s.n;
        if (s.n)
                memcpy(b->p, s.p, s.n);
        return b;
}

static blob *blob_of_id(int64_t id)
{
        return mem_blob((odm_str){(const char *)&id, sizeof id});
}

static int64_t id_of_blob(const blob *b)
{
        int64_t id;

        memcpy(&id, b->p, sizeof id);
        return id;
}

static void drop_row(unsigned t, void *row)
{
        if (t == T_RESULT && row) {
                free(((result_row *)row)->r);
                free(((result_row *)row)->items);
        }
        free(row);
}

static void drop_plain(void *row)
{
        free(row);
}

static void drop_result(void *row)
{
        drop_row(T_RESULT, row);
}

/* ---- changing with a way back -------------------------------------------------------- */

static int remember(mem *m, unsigned t, map_key key, undo **out)
{
        undo *u;

        if (m->n_undo == m->cap_undo) {
                size_t cap = m->cap_undo ? m->cap_undo * 2 : 64;
                u = realloc(m->undo, cap * sizeof *u);
                if (u == NULL)
                        return ODM_ENOMEM;
                m->undo = u;
                m->cap_undo = cap;
        }
        u = &m->undo[m->n_undo];
        *u = (undo){.t = t, .key = key};
        if (key.text.n) {
                u->text = malloc(key.text.n);
                if (u->text == NULL)
                        return ODM_ENOMEM;
                memcpy(u->text, key.text.p, key.text.n);
                u->key.text.p = u->text;
        }
        *out = u;
        return 0;
}

/* Takes `row`, which is NULL when there was no memory for it. */
static int put(mem *m, unsigned t, map_key key, void *row)
{
        undo *u;
        int rc = row ? remember(m, t, key, &u) : ODM_ENOMEM;

        if (rc == 0) {
                rc = map_put(&m->t[t], key, row, &u->old);
                if (rc == 0)
                        m->n_undo++;
                else
                        free(u->text);
        }
        if (rc < 0)
                drop_row(t, row);
        return rc;
}

static int drop(mem *m, unsigned t, map_key key)
{
        undo *u;
        int rc;

        if (map_find(&m->t[t], key) == NULL)
                return 0;
        rc = remember(m, t, key, &u);
        if (rc < 0)
                return rc;
        u->old = map_remove(&m->t[t], key);
        m->n_undo++;
        return 0;
}

int mem_put(mem *m, unsigned t, map_key key, void *row)
{
        return put(m, t, key, row);
}

int mem_drop(mem *m, unsigned t, map_key key)
{
        return drop(m, t, key);
}

/* All rows whose key begins with those numbers (b == 0: with a alone). */
static int drop_all(mem *m, table t, int64_t a, int64_t b)
{
        map_key from = b ? KEY2(a, b) : KEY1(a);
        map_node *n;

        while ((n = map_from(&m->t[t], from)) && n->key.a == a && (b == 0 || n->key.b == b)) {
                int rc = drop(m, t, n->key);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static void put_back(mem *m, size_t down_to)
{
        while (m->n_undo > down_to) {
                undo *u = &m->undo[--m->n_undo];
                void *now = map_remove(&m->t[u->t], u->key), *none;

                drop_row(u->t, now);
                /* the node that held it was just freed: memory for it is there, or all is lost */
                if (u->old && map_put(&m->t[u->t], u->key, u->old, &none) < 0)
                        abort();
                free(u->text);
        }
}

static int mem_begin(void *e)
{
        mem *m = e;

        pthread_rwlock_wrlock(&m->lock);
        return 0;
}

static int mem_commit(void *e)
{
        mem *m = e;

        for (size_t i = 0; i < m->n_undo; i++) {
                drop_row(m->undo[i].t, m->undo[i].old);
                free(m->undo[i].text);
        }
        m->n_undo = 0;
        pthread_rwlock_unlock(&m->lock);
        return 0;
}

static void mem_rollback(void *e)
{
        mem *m = e;

        put_back(m, 0);
        pthread_rwlock_unlock(&m->lock);
}

static int mem_mark(void *e)
{
        mem *m = e;

        m->mark = m->n_undo;
        return 0;
}

static int mem_keep(void *e)
{
        (void)e;
        return 0;
}

static int mem_undo(void *e)
{
        mem *m = e;

        put_back(m, m->mark);
        return 0;
}

/* ---- opening ------------------------------------------------------------------------------ */

static int mem_open(const store_opt *opt, const char *where, void **out, char diag[STORE_DIAG])
{
        mem *m = calloc(1, sizeof *m);

        (void)where;
        (void)diag;
        if (m == NULL)
                return ODM_ENOMEM;
        m->opt = *opt;
        m->maps = TABLES + mem_row_maps(opt);
        m->t = calloc(m->maps, sizeof *m->t);
        if (m->t == NULL) {
                free(m);
                return ODM_ENOMEM;
        }
        pthread_rwlock_init(&m->lock, NULL);
        *out = m;
        return 0;
}

static void mem_close(void *e)
{
        mem *m = e;

        for (unsigned i = 0; i < m->maps; i++)
                map_clear(&m->t[i], i == T_RESULT ? drop_result : drop_plain);
        free(m->t);
        free(m->undo);
        pthread_rwlock_destroy(&m->lock);
        free(m);
}

static void mem_diag(void *e, char out[STORE_DIAG])
{
        (void)e;
        out[0] = 0;
}

static int reader_take(void *e, void **out)
{
        mem *m = e;

        pthread_rwlock_rdlock(&m->lock);
        *out = m;
        return 0;
}

static void reader_give(void *e, void *h)
{
        mem *m = e;

        (void)h;
        pthread_rwlock_unlock(&m->lock);
}

/* ---- copying out ----------------------------------------------------------------------------- */

static int copy_row(const record *r, const void *row, odm_arena *a, void *out)
{
        char tmp[512];
        int rc;

        assert(r->size <= sizeof tmp);
        if (row == NULL)
                return ODM_ENOENT;
        memcpy(tmp, row, r->size);
        rc = record_copy(r, tmp, a);
        if (rc == 0)
                memcpy(out, tmp, r->size);
        return rc;
}

static int copy_blob(const blob *b, odm_arena *a, odm_str *out)
{
        if (b == NULL)
                return ODM_ENOENT;
        odm_str s = odm_arena_copy(a, (odm_str){b->p, b->n});
        if (s.p == NULL)
                return odm_arena_err(a);
        *out = s;
        return 0;
}

static int list_add(record_list *l, const void *row)
{
        void *slot;
        int rc = record_list_room(l, &slot);

        if (rc == 0)
                rc = copy_row(l->r, row, l->a, slot);
        if (rc == 0)
                l->n++;
        return rc;
}

/* ---- devices --------------------------------------------------------------------------------- */

static int next_id(void *e, id_kind kind, int64_t *out)
{
        mem *m = e;

        *out = ++m->ids[kind];
        return 0;
}

static int64_t session_number(void *e)
{
        mem *m = e;

        return atomic_fetch_add(&m->sessions, 1) + 1;
}

static int device_known(void *h, int64_t id)
{
        const mem *m = h;

        return map_find(&m->t[T_DEVICE], KEY1(id)) ? 0 : ODM_ENOENT;
}

static int device_get(void *h, int64_t id, odm_arena *a, store_device *out)
{
        mem *m = h;

        return copy_row(&record_device, map_find(&m->t[T_DEVICE], KEY1(id)), a, out);
}

static int owner(const mem *m, table t, odm_str key, int64_t *out)
{
        const blob *b = map_find(&m->t[t], KEYT(key));

        if (b == NULL)
                return ODM_ENOENT;
        *out = id_of_blob(b);
        return 0;
}

static int name_owner(void *h, odm_str name, int64_t *out)
{
        return owner(h, T_NAME, name, out);
}

static int devid_owner(void *h, odm_str devid, int64_t *out)
{
        return owner(h, T_DEVID, devid, out);
}

static int move_key(mem *m, table t, odm_str old, odm_str now, int64_t id)
{
        int rc = 0;

        if (old.p && odm_str_eq(old, now))
                return 0;
        if (old.p)
                rc = drop(m, t, KEYT(old));
        if (rc == 0 && now.p)
                rc = put(m, t, KEYT(now), blob_of_id(id));
        return rc;
}

static int device_put(void *e, const store_device *old, const store_device *d)
{
        mem *m = e;
        int rc = move_key(m, T_NAME, old ? old->name : ODM_ABSENT, d->name, d->id);

        if (rc == 0)
                rc = move_key(m, T_DEVID, old ? old->devid : ODM_ABSENT, d->devid, d->id);
        return rc < 0 ? rc : put(m, T_DEVICE, KEY1(d->id), record_dup(&record_device, d));
}

static int device_contact(void *e, const store_device_patch *p)
{
        mem *m = e;
        const store_device *old = map_find(&m->t[T_DEVICE], KEY1(p->to.id));
        store_device d;

        if (old == NULL)
                return ODM_ENOENT;
        d = *old;
        if (p->fields & STORE_DF_ADDRESS)
                d.address = p->to.address;
        if (p->fields & STORE_DF_ROUTE)
                d.route = p->to.route;
        if (p->fields & STORE_DF_LAST_CONTACT)
                d.last_contact = p->to.last_contact;
        d.updated = p->to.updated;
        return put(m, T_DEVICE, KEY1(d.id), record_dup(&record_device, &d));
}

static int drop_job_ids(mem *m, int64_t device)
{
        for (map_node *n = map_from(&m->t[T_JOB], KEY1(device)); n && n->key.a == device;
             n = n->next[0]) {
                int rc = drop(m, T_JOB_ID, KEY1(n->key.b));
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int device_delete(void *e, const store_device *d)
{
        static const table own[] = {T_DEVICE, T_ACCOUNT, T_JOB,   T_RESULT, T_NOTE,
                                    T_TREE,   T_SESSION, T_SAVED, T_LOG};
        mem *m = e;
        int rc = move_key(m, T_NAME, d->name, ODM_ABSENT, d->id);

        if (rc == 0)
                rc = move_key(m, T_DEVID, d->devid, ODM_ABSENT, d->id);
        if (rc == 0)
                rc = drop_job_ids(m, d->id);
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(own); i++)
                rc = drop_all(m, own[i], d->id, 0);
        return rc < 0 ? rc : mem_row_device_gone(m, d->id);
}

static char lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool has_text(odm_str hay, odm_str needle)
{
        for (size_t i = 0; i + needle.n <= hay.n; i++) {
                size_t k = 0;
                while (k < needle.n && lower(hay.p[i + k]) == lower(needle.p[k]))
                        k++;
                if (k == needle.n)
                        return true;
        }
        return false;
}

static bool has_word(odm_str words, odm_str word)
{
        while (words.n) {
                size_t n = 0;
                while (n < words.n && words.p[n] != ' ')
                        n++;
                if (odm_str_eq(odm_str_to(words, n), word))
                        return true;
                words = odm_str_from(words, n + 1);
        }
        return false;
}

static bool exactly(odm_str wanted, odm_str got)
{
        return wanted.p == NULL || odm_str_eq(wanted, got);
}

static bool device_matches(const store_device_filter *f, const store_device *d)
{
        if (f->states && !(f->states & 1u << d->state))
                return false;
        if (f->text.n && !has_text(d->name, f->text) && !has_text(d->devid, f->text) &&
            !has_text(d->maker, f->text) && !has_text(d->model, f->text))
                return false;
        if (f->tag.n && !has_word(d->tags, f->tag))
                return false;
        if (f->contact_after && d->last_contact < f->contact_after)
                return false;
        if (f->contact_before && d->last_contact >= f->contact_before)
                return false;
        return exactly(f->maker, d->maker) && exactly(f->model, d->model) &&
               exactly(f->fwv, d->fwv);
}

static int device_find(void *h, const store_device_filter *f, odm_arena *a, store_device_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_device, .a = a};
        store_device_list found = {.n = 0};
        odm_str last = ODM_ABSENT, kept = ODM_ABSENT; /* names */
        uint32_t looked = 0;
        odm_str from = odm_str_cmp(f->after, f->prefix) > 0 ? f->after : f->prefix;

        for (map_node *n = map_from(&m->t[T_NAME], KEYT(from)); n; n = n->next[0]) {
                const store_device *d =
                        map_find(&m->t[T_DEVICE], KEY1(id_of_blob((const blob *)n->value)));
                if (!odm_str_eq(odm_str_to(d->name, f->prefix.n), f->prefix))
                        break;
                bool same = f->after.n && odm_str_eq(n->key.text, f->after);
                if (!same && f->look && looked++ == f->look) {
                        found.next = last;
                        break;
                }
                last = n->key.text;
                if (same || !device_matches(f, d))
                        continue;
                if (l.n == f->limit) {
                        found.next = kept;
                        break;
                }
                int rc = list_add(&l, d);
                if (rc < 0)
                        return rc;
                kept = last;
        }
        found.more = found.next.p != NULL;
        if (found.more)
                found.next = odm_arena_copy(a, found.next);
        if (found.more && found.next.p == NULL)
                return odm_arena_err(a);
        found.v = (store_device *)(void *)l.v;
        found.n = l.n;
        *out = found;
        return 0;
}

static int by_wake(const void *x, const void *y)
{
        const store_device *a = x, *b = y;

        return a->wake_at < b->wake_at ? -1 : a->wake_at > b->wake_at;
}

static int wake_due(void *h, int64_t now, uint32_t limit, odm_arena *a, store_device_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_device, .a = a};

        for (map_node *n = m->t[T_DEVICE].first[0]; n; n = n->next[0]) {
                const store_device *d = n->value;
                if (d->wake_at <= 0 || d->wake_at > now)
                        continue;
                int rc = list_add(&l, d);
                if (rc < 0)
                        return rc;
        }
        if (l.n)
                qsort(l.v, l.n, sizeof(store_device), by_wake);
        *out = (store_device_list){(store_device *)(void *)l.v, l.n < limit ? l.n : limit,
                                   l.n > limit};
        return 0;
}

static int account_get(void *h, int64_t device, odm_arena *a, store_account *out)
{
        mem *m = h;

        return copy_row(&record_account, map_find(&m->t[T_ACCOUNT], KEY1(device)), a, out);
}

static int account_put(void *e, const store_account *x)
{
        return put(e, T_ACCOUNT, KEY1(x->device), record_dup(&record_account, x));
}

static int nonces_put(void *e, const store_nonces *n)
{
        const mem *m = e;
        const store_account *old = map_find(&m->t[T_ACCOUNT], KEY1(n->device));
        store_account x;

        if (old == NULL)
                return ODM_ENOENT;
        x = *old;
        if (n->nonce.p)
                x.nonce = n->nonce;
        if (n->previous.p)
                x.previous = n->previous;
        if (n->server_nonce.p)
                x.server_nonce = n->server_nonce;
        return account_put(e, &x);
}

static int lockout_put(void *e, const store_lockout *l)
{
        const mem *m = e;
        const store_account *old = map_find(&m->t[T_ACCOUNT], KEY1(l->device));
        store_account x;

        if (old == NULL)
                return ODM_ENOENT;
        x = *old;
        x.failures = l->failures;
        x.locked_until = l->locked_until;
        return account_put(e, &x);
}

/* ---- jobs ------------------------------------------------------------------------------- */

static int64_t device_of_job(const mem *m, int64_t device, int64_t id)
{
        const blob *b = device ? NULL : map_find(&m->t[T_JOB_ID], KEY1(id));

        return device ? device : b ? id_of_blob(b) : 0;
}

static int job_get(void *h, int64_t device, int64_t id, odm_arena *a, store_job *out)
{
        mem *m = h;

        device = device_of_job(m, device, id);
        return copy_row(&record_job, map_find(&m->t[T_JOB], KEY2(device, id)), a, out);
}

static bool job_matches(const store_job_filter *f, const store_job *j)
{
        if (!(f->states & STORE_JOB_BIT(j->state)) || (f->device && f->device != j->device))
                return false;
        if (f->before && j->id >= f->before)
                return false;
        if (f->deadline_before && (j->deadline <= 0 || j->deadline > f->deadline_before))
                return false;
        return exactly(f->correlator, j->correlator);
}

static int by_newest(const void *x, const void *y)
{
        const store_job *a = *(const store_job *const *)x, *b = *(const store_job *const *)y;

        return a->id > b->id ? -1 : a->id < b->id;
}

static int by_order(const void *x, const void *y)
{
        const store_job *a = *(const store_job *const *)x, *b = *(const store_job *const *)y;

        if (a->priority != b->priority)
                return a->priority > b->priority ? -1 : 1;
        return a->id < b->id ? -1 : a->id > b->id;
}

static int job_find(void *h, const store_job_filter *f, odm_arena *a, store_job_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_job, .a = a};
        size_t n = 0;
        const store_job **found = odm_arena_get(a, (m->t[T_JOB].n + 1) * sizeof(const store_job *));

        if (found == NULL)
                return odm_arena_err(a);
        for (map_node *at = map_from(&m->t[T_JOB], KEY1(f->device)); at; at = at->next[0]) {
                if (f->device && at->key.a != f->device)
                        break;
                if (job_matches(f, at->value))
                        found[n++] = at->value;
        }
        qsort(found, n, sizeof(const store_job *), f->in_order ? by_order : by_newest);
        for (size_t i = 0; i < n && i < f->limit; i++) {
                store_job j = *found[i];
                if (f->no_commands)
                        j.commands = ODM_ABSENT;
                int rc = list_add(&l, &j);
                if (rc < 0)
                        return rc;
        }
        *out = (store_job_list){(store_job *)(void *)l.v, l.n, n > f->limit};
        return 0;
}

static int job_create(void *e, const store_job *j)
{
        int rc = put(e, T_JOB_ID, KEY1(j->id), blob_of_id(j->device));

        return rc < 0 ? rc : put(e, T_JOB, KEY2(j->device, j->id), record_dup(&record_job, j));
}

static int job_now_of(void *e, int64_t device, int64_t job, job_now *out)
{
        const mem *m = e;
        const store_job *j = map_find(&m->t[T_JOB], KEY2(device, job));

        if (j == NULL)
                return ODM_ENOENT;
        *out = (job_now){j->state, j->attempts, j->session, j->started, j->finished};
        return 0;
}

static int job_move(void *e, const store_job_move *v, const job_now *now)
{
        const mem *m = e;
        store_job j = *(const store_job *)map_find(&m->t[T_JOB], KEY2(v->device, v->job));

        job_moved(&j, v, now);
        return put(e, T_JOB, KEY2(j.device, j.id), record_dup(&record_job, &j));
}

static int job_open_count(void *e, int64_t device, uint64_t *out)
{
        const mem *m = e;
        uint64_t n = 0;

        for (map_node *at = map_from(&m->t[T_JOB], KEY1(device)); at && at->key.a == device;
             at = at->next[0])
                n += (STORE_JOB_OPEN & STORE_JOB_BIT(((store_job *)at->value)->state)) != 0;
        *out = n;
        return 0;
}

static int job_drop(mem *m, int64_t device, int64_t job)
{
        int rc = drop(m, T_JOB, KEY2(device, job));

        if (rc == 0)
                rc = drop(m, T_JOB_ID, KEY1(job));
        if (rc == 0)
                rc = drop_all(m, T_RESULT, device, job);
        return rc < 0 ? rc : drop_all(m, T_NOTE, device, job);
}

static bool has_ended(const store_job *j)
{
        return !(STORE_JOB_OPEN & STORE_JOB_BIT(j->state));
}

/* The one to go; 0: none. */
static int64_t first_ended(const mem *m, int64_t device, int64_t but)
{
        const store_job *first = NULL;
        unsigned looked = 0;

        for (map_node *n = map_from(&m->t[T_JOB], KEY1(device));
             n && n->key.a == device && looked < JOBS_LOOKED_AT; n = n->next[0]) {
                const store_job *j = n->value;
                if (!has_ended(j) || j->id == but)
                        continue;
                looked++;
                if (first == NULL || j->finished < first->finished)
                        first = j;
        }
        return first ? first->id : 0;
}

static int job_trim(void *e, int64_t device, int64_t just, uint32_t keep)
{
        mem *m = e;
        uint64_t ended = 0;
        int64_t id;
        int rc = 0;

        for (map_node *n = map_from(&m->t[T_JOB], KEY1(device)); n && n->key.a == device;
             n = n->next[0])
                ended += has_ended(n->value);
        for (; rc == 0 && ended > keep && (id = first_ended(m, device, just)); ended--)
                rc = job_drop(m, device, id);
        return rc;
}

static int result_put(void *e, int64_t device, int64_t job, const store_result *r, odm_str items)
{
        result_row *row = calloc(1, sizeof *row);

        if (row) {
                row->r = record_dup(&record_result, r);
                row->items = mem_blob(items);
                if (row->r == NULL || row->items == NULL) {
                        drop_row(T_RESULT, row);
                        row = NULL;
                }
        }
        return put(e, T_RESULT, KEY3(device, job, r->index), row);
}

static int results(void *h, int64_t device, int64_t job, odm_arena *a, store_result_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_result, .a = a};

        for (map_node *n = map_from(&m->t[T_RESULT], KEY2(device, job));
             n && n->key.a == device && n->key.b == job; n = n->next[0]) {
                const result_row *row = n->value;
                odm_str items = ODM_ABSENT;
                store_result *r;
                int rc = list_add(&l, row->r);
                if (rc == 0)
                        rc = copy_blob(row->items, a, &items);
                if (rc < 0)
                        return rc;
                r = (store_result *)(void *)l.v + l.n - 1;
                rc = unpack_values(items, a, &r->items, &r->n_items);
                if (rc < 0)
                        return rc;
        }
        *out = (store_result_list){(store_result *)(void *)l.v, l.n};
        return 0;
}

static int note_add(void *e, int64_t device, int64_t job, const store_note *n, uint32_t keep)
{
        mem *m = e;
        int64_t last = 0;
        uint32_t count = 0;

        for (map_node *at = map_from(&m->t[T_NOTE], KEY2(device, job));
             at && at->key.a == device && at->key.b == job; at = at->next[0], count++)
                last = at->key.c;
        while (count-- >= keep) {
                map_node *oldest = map_from(&m->t[T_NOTE], KEY2(device, job));
                int rc = drop(m, T_NOTE, oldest->key);
                if (rc < 0)
                        return rc;
        }
        return put(m, T_NOTE, KEY3(device, job, last + 1), record_dup(&record_note, n));
}

/* All of a table under two numbers, in order of the third. */
static int list_under(const mem *m, unsigned where, int64_t device, int64_t of, record_list *l)
{
        for (map_node *n = map_from(&m->t[where], KEY2(device, of));
             n && n->key.a == device && n->key.b == of; n = n->next[0]) {
                int rc = list_add(l, n->value);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int job_by_key(void *h, int64_t device, odm_str key, int64_t *out)
{
        const mem *m = h;

        for (map_node *n = map_from(&m->t[T_JOB], KEY1(device)); n && n->key.a == device;
             n = n->next[0]) {
                const store_job *j = n->value;
                if (j->key.p && odm_str_eq(j->key, key)) {
                        *out = j->id;
                        return 0;
                }
        }
        return ODM_ENOENT;
}

static int notes(void *h, int64_t device, int64_t job, odm_arena *a, store_note_list *out)
{
        record_list l = {.r = &record_note, .a = a};
        int rc = list_under(h, T_NOTE, device, job, &l);

        if (rc == 0)
                *out = (store_note_list){(store_note *)(void *)l.v, l.n};
        return rc;
}

/* ---- the mirror ------------------------------------------------------------------------- */

static int tree_get(void *h, int64_t device, odm_arena *a, odm_str *out)
{
        const mem *m = h;

        return copy_blob(map_find(&m->t[T_TREE], KEY1(device)), a, out);
}

static int tree_put(void *e, int64_t device, int64_t at, odm_str b)
{
        (void)at;
        return put(e, T_TREE, KEY1(device), mem_blob(b));
}

static int path_text(void *h, uint32_t id, odm_arena *a, odm_str *out)
{
        const mem *m = h;
        int rc = copy_blob(map_find(&m->t[T_PATH_ID], KEY1(id)), a, out);

        if (rc == ODM_ENOENT)
                *out = ODM_ABSENT;
        return rc == ODM_ENOENT ? 0 : rc;
}

static int path_id(void *e, odm_str path, uint32_t *out)
{
        mem *m = e;
        int64_t id;
        int rc = owner(m, T_PATH, path, &id);

        if (rc == ODM_ENOENT && m->paths == PATHS_MAX) {
                *out = 0;
                return 0;
        }
        if (rc == ODM_ENOENT) {
                id = m->paths + 1;
                rc = put(m, T_PATH, KEYT(path), blob_of_id(id));
                if (rc == 0)
                        rc = put(m, T_PATH_ID, KEY1(id), mem_blob(path));
                if (rc == 0)
                        m->paths++;
        }
        if (rc == 0)
                *out = (uint32_t)id;
        return rc;
}

/* ---- sessions --------------------------------------------------------------------------- */

static int session_get(void *h, int64_t device, int64_t id, odm_arena *a, store_session *out)
{
        mem *m = h;

        return copy_row(&record_session, map_find(&m->t[T_SESSION], KEY2(device, id)), a, out);
}

static int session_put(void *e, const store_session *x, odm_str log, bool fresh)
{
        int rc = log.p ? put(e, T_LOG, KEY2(x->device, x->id), mem_blob(log)) : 0;

        (void)fresh;
        return rc < 0 ? rc
                      : put(e, T_SESSION, KEY2(x->device, x->id), record_dup(&record_session, x));
}

static int session_save(void *e, int64_t device, int64_t session, odm_str sid, odm_str saved)
{
        (void)sid; /* the session's row has it */
        return saved.p ? put(e, T_SAVED, KEY2(device, session), mem_blob(saved))
                       : drop(e, T_SAVED, KEY2(device, session));
}

static int session_trim(void *e, int64_t device, uint32_t keep)
{
        mem *m = e;
        uint32_t n = 0;

        for (map_node *at = map_from(&m->t[T_SESSION], KEY1(device)); at && at->key.a == device;
             at = at->next[0])
                n++;
        while (n-- > keep) {
                int64_t id = map_from(&m->t[T_SESSION], KEY1(device))->key.b;
                int rc = drop(m, T_SESSION, KEY2(device, id));
                if (rc == 0)
                        rc = drop(m, T_SAVED, KEY2(device, id));
                if (rc == 0)
                        rc = drop(m, T_LOG, KEY2(device, id));
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int by_newest_session(const void *x, const void *y)
{
        const store_session *a = *(const store_session *const *)x;
        const store_session *b = *(const store_session *const *)y;

        return a->id > b->id ? -1 : a->id < b->id;
}

static int session_find(void *h, int64_t device, int64_t before, uint32_t limit, odm_arena *a,
                        store_session_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_session, .a = a};
        size_t n = 0;
        const store_session **found =
                odm_arena_get(a, (m->t[T_SESSION].n + 1) * sizeof(const store_session *));

        if (found == NULL)
                return odm_arena_err(a);
        for (map_node *at = map_from(&m->t[T_SESSION], KEY1(device)); at; at = at->next[0]) {
                if (at->key.a != device)
                        break;
                if (before == 0 || at->key.b < before)
                        found[n++] = at->value;
        }
        qsort(found, n, sizeof(const store_session *), by_newest_session);
        for (size_t i = 0; i < n && i < limit; i++) {
                int rc = list_add(&l, found[i]);
                if (rc < 0)
                        return rc;
        }
        *out = (store_session_list){(store_session *)(void *)l.v, l.n, n > limit};
        return 0;
}

static int session_log(void *h, int64_t device, int64_t session, odm_arena *a, odm_str *out)
{
        const mem *m = h;
        int rc = copy_blob(map_find(&m->t[T_LOG], KEY2(device, session)), a, out);

        if (rc == ODM_ENOENT && map_find(&m->t[T_SESSION], KEY2(device, session))) {
                *out = ODM_ABSENT;
                rc = 0;
        }
        return rc;
}

static int saved_get(void *h, odm_str sid, odm_arena *a, store_session *out, odm_str *saved)
{
        const mem *m = h;

        for (map_node *n = m->t[T_SAVED].first[0]; n; n = n->next[0]) {
                const store_session *s = map_find(&m->t[T_SESSION], n->key);
                if (!odm_str_eq(s->sid, sid))
                        continue;
                odm_str bytes;
                int rc = copy_blob(n->value, a, &bytes);
                if (rc == 0)
                        rc = copy_row(&record_session, s, a, out);
                if (rc == 0)
                        *saved = bytes;
                return rc;
        }
        return ODM_ENOENT;
}

/* ---- tokens, settings, events, audit ---------------------------------------------------- */

static int token_by_hash(void *h, odm_str hash, odm_arena *a, store_token *out)
{
        const mem *m = h;

        for (map_node *n = m->t[T_TOKEN].first[0]; n; n = n->next[0])
                if (odm_str_eq(((store_token *)n->value)->hash, hash))
                        return copy_row(&record_token, n->value, a, out);
        return ODM_ENOENT;
}

static int token_find(void *h, odm_arena *a, store_token_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_token, .a = a};

        for (map_node *n = m->t[T_TOKEN].first[0]; n; n = n->next[0]) {
                int rc = list_add(&l, n->value);
                if (rc < 0)
                        return rc;
        }
        *out = (store_token_list){(store_token *)(void *)l.v, l.n};
        return 0;
}

static int token_put(void *e, const store_token *t)
{
        return put(e, T_TOKEN, KEYT(t->name), record_dup(&record_token, t));
}

static int token_delete(void *e, odm_str name)
{
        mem *m = e;

        return map_find(&m->t[T_TOKEN], KEYT(name)) ? drop(m, T_TOKEN, KEYT(name)) : ODM_ENOENT;
}

static int setting_get(void *h, odm_str key, odm_arena *a, odm_str *out)
{
        const mem *m = h;

        return copy_blob(map_find(&m->t[T_SETTING], KEYT(key)), a, out);
}

static int setting_put(void *e, odm_str key, odm_str value)
{
        return value.p ? put(e, T_SETTING, KEYT(key), mem_blob(value))
                       : drop(e, T_SETTING, KEYT(key));
}

static int event_find(void *h, int64_t after, int64_t device, uint32_t limit, odm_arena *a,
                      store_event_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_event, .a = a};
        bool more = false;

        for (map_node *n = map_from(&m->t[T_EVENT], KEY1(after + 1)); n; n = n->next[0]) {
                const store_event *v = n->value;
                if (device && v->device != device)
                        continue;
                more = l.n == limit;
                if (more)
                        break;
                int rc = list_add(&l, v);
                if (rc < 0)
                        return rc;
        }
        *out = (store_event_list){(store_event *)(void *)l.v, l.n, more};
        return 0;
}

static int event_last(void *h, int64_t *out)
{
        const mem *m = h;
        const map_node *n = map_before(&m->t[T_EVENT], KEY1(INT64_MAX));

        *out = n ? n->key.a : 0;
        return 0;
}

static int event_add(void *e, const store_event *v)
{
        return put(e, T_EVENT, KEY1(v->seq), record_dup(&record_event, v));
}

static int event_trim(void *e, int64_t upto, uint32_t most)
{
        mem *m = e;
        map_node *n;

        while (most-- && (n = m->t[T_EVENT].first[0]) && n->key.a <= upto) {
                int rc = drop(m, T_EVENT, n->key);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

static int audit_find(void *h, int64_t before, int64_t device, uint32_t limit, odm_arena *a,
                      store_audit_list *out)
{
        const mem *m = h;
        record_list l = {.r = &record_audit, .a = a};
        int64_t at = before ? before : INT64_MAX;

        /* numbered without gaps from 1: walk down */
        if (at > m->ids[ID_AUDIT])
                at = m->ids[ID_AUDIT] + 1;
        bool more = false;
        while (--at > 0) {
                const store_audit *v = map_find(&m->t[T_AUDIT], KEY1(at));
                if (v == NULL || (device && v->device != device))
                        continue;
                more = l.n == limit;
                if (more)
                        break;
                int rc = list_add(&l, v);
                if (rc < 0)
                        return rc;
        }
        *out = (store_audit_list){(store_audit *)(void *)l.v, l.n, more};
        return 0;
}

static int audit_add(void *e, const store_audit *v)
{
        return put(e, T_AUDIT, KEY1(v->seq), record_dup(&record_audit, v));
}

static int count(void *h, store_counts *out)
{
        const mem *m = h;
        store_counts c = {.sessions = m->t[T_SESSION].n};

        for (map_node *n = m->t[T_DEVICE].first[0]; n; n = n->next[0])
                c.devices[((store_device *)n->value)->state]++;
        for (map_node *n = m->t[T_JOB].first[0]; n; n = n->next[0])
                c.jobs[((store_job *)n->value)->state]++;
        *out = c;
        return 0;
}

const store_engine engine_mem = {
        .name = "mem",
        .open = mem_open,
        .close = mem_close,
        .diag = mem_diag,
        .reader_take = reader_take,
        .reader_give = reader_give,
        .read = {device_known,  device_get,  name_owner,   devid_owner,  device_find, wake_due,
                 account_get,   job_get,     job_find,     results,      job_by_key,  notes,
                 tree_get,      path_text,   session_find, session_get,  session_log, saved_get,
                 token_by_hash, token_find,  setting_get,  event_find,   event_last,  audit_find,
                 count,         mem_row_get, mem_row_find, mem_row_count},
        .begin = mem_begin,
        .commit = mem_commit,
        .rollback = mem_rollback,
        .mark = mem_mark,
        .keep = mem_keep,
        .undo = mem_undo,
        .next_id = next_id,
        .device_put = device_put,
        .device_delete = device_delete,
        .device_contact = device_contact,
        .account_put = account_put,
        .nonces_put = nonces_put,
        .lockout_put = lockout_put,
        .job_create = job_create,
        .job_now = job_now_of,
        .job_move = job_move,
        .job_open_count = job_open_count,
        .job_trim = job_trim,
        .result_put = result_put,
        .note_add = note_add,
        .tree_put = tree_put,
        .path_id = path_id,
        .session_number = session_number,
        .session_put = session_put,
        .session_save = session_save,
        .session_trim = session_trim,
        .token_put = token_put,
        .token_delete = token_delete,
        .setting_put = setting_put,
        .event_add = event_add,
        .event_trim = event_trim,
        .audit_add = audit_add,
        .row_number = mem_row_number,
        .row_add = mem_row_add,
        .row_put = mem_row_put,
        .row_patch = mem_row_patch,
        .row_delete = mem_row_delete,
        .rows_delete = mem_rows_delete,
};
