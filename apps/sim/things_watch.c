/* SPDX-License-Identifier: Apache-2.0 */
/* Observations: who wants to know what, how often, and when it has changed enough
 * (lwm2m.md 3.2; Write-Attributes pmin pmax gt lt st). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "things_inner.h"

#define LOOK_MS 1000 /* between two looks at values that move by themselves */

/* ---- attributes ------------------------------------------------------------------------- */

static attrs *attrs_at(const node *d, odm_lw_path at)
{
        for (size_t i = 0; i < d->n_attrs; i++)
                if (odm_lw_path_eq(d->attrs[i].at, at))
                        return &d->attrs[i];
        return NULL;
}

/* Those that hold for a path: its own, and where it has none those of what it is in. */
static odm_lw_attrs effective(const node *d, odm_lw_path at)
{
        odm_lw_attrs out = {0};

        for (unsigned depth = 1; depth <= at.depth; depth++) {
                const attrs *x = attrs_at(d, odm_lw_path_to(at, depth));
                if (!x)
                        continue;
                out.has |= x->v.has;
                out.pmin = x->v.has & ODM_LW_PMIN ? x->v.pmin : out.pmin;
                out.pmax = x->v.has & ODM_LW_PMAX ? x->v.pmax : out.pmax;
                out.gt = x->v.has & ODM_LW_GT ? x->v.gt : out.gt;
                out.lt = x->v.has & ODM_LW_LT ? x->v.lt : out.lt;
                out.st = x->v.has & ODM_LW_ST ? x->v.st : out.st;
        }
        if (!(out.has & ODM_LW_PMIN))
                out.pmin = d->t.pmin_s;
        if (!(out.has & ODM_LW_PMAX))
                out.pmax = d->t.pmax_s;
        return out;
}

int things_attrs(node *d, odm_lw_path at, const co_msg *m)
{
        attrs *x = attrs_at(d, at), *more;
        odm_lw_attrs v = x ? x->v : (odm_lw_attrs){0};
        unsigned cleared = 0;

        for (size_t i = 0; i < m->n_query; i++)
                if (odm_lw_attrs_parse(m->query[i], &v, &cleared) < 0)
                        return ODM_COAP_BAD_REQUEST;
        v.has &= ~cleared;
        if ((v.has & ODM_LW_PMIN) && (v.has & ODM_LW_PMAX) && v.pmax < v.pmin)
                return ODM_COAP_BAD_REQUEST;
        if (!x) {
                if (d->n_attrs == ATTRS_MAX)
                        return ODM_COAP_BAD_REQUEST;
                more = realloc(d->attrs, (d->n_attrs + 1u) * sizeof *more);
                if (!more)
                        return ODM_ENOMEM;
                d->attrs = more;
                x = &more[d->n_attrs++];
                x->at = at;
        }
        x->v = v;
        d->look = loop_now().ms;
        return ODM_COAP_CHANGED;
}

/* ---- what is told ------------------------------------------------------------------------- */

static void mix(uint64_t *h, const void *p, size_t n)
{
        const unsigned char *c = p;

        for (size_t i = 0; i < n; i++)
                *h = (*h ^ c[i]) * 1099511628211u;
}

/* Of all values but times, which move by themselves. */
static uint64_t hash_of(const odm_lw_list *l)
{
        uint64_t h = 14695981039346656037u;

        for (size_t i = 0; i < l->n; i++) {
                const odm_lw_value *v = &l->v[i].value;
                mix(&h, &l->v[i].path, sizeof l->v[i].path);
                if (v->type == ODM_LW_T_TIME)
                        continue;
                mix(&h, v->data.p ? v->data.p : "", v->data.n);
                mix(&h, &v->i, sizeof v->i);
                mix(&h, &v->f, sizeof v->f);
        }
        return h;
}

static bool number_of(const watch *w, const odm_lw_list *l, double *out)
{
        const odm_lw_value *v = &l->v[0].value;

        if (l->n != 1 || w->at.depth < 3 ||
            (v->type != ODM_LW_T_INTEGER && v->type != ODM_LW_T_FLOAT))
                return false;
        *out = v->type == ODM_LW_T_FLOAT ? v->f : (double)v->i;
        return true;
}

static bool crossed(double from, double to, double line)
{
        return (from > line) != (to > line);
}

/* Whether it moved as far as the attributes ask. */
static bool far_enough(const watch *w, const odm_lw_attrs *x, double now)
{
        const unsigned conditions = ODM_LW_GT | ODM_LW_LT | ODM_LW_ST;

        if (!(x->has & conditions) || !w->number)
                return true;
        return ((x->has & ODM_LW_GT) && crossed(w->value, now, x->gt)) ||
               ((x->has & ODM_LW_LT) && crossed(w->value, now, x->lt)) ||
               ((x->has & ODM_LW_ST) && fabs(now - w->value) >= x->st);
}

static void note(watch *w, const odm_lw_list *l)
{
        w->hash = hash_of(l);
        w->number = number_of(w, l, &w->value);
        w->told = loop_now().ms;
}

static void tell(watch *w, odm_buf *b, int ct, const odm_lw_list *l)
{
        co_msg m;

        co_msg_init(&m, CO_CONTENT);
        m.format = ct;
        m.body = odm_buf_view(b);
        things_awake(w->d);
        w->d->all->st.notifications++;
        things_count(w->d, ct);
        w->d->all->st.octets_out += m.body.n;
        w->d->t.tx += m.body.n;
        note(w, l);
        co_notify(w->w, &m, true); /* it may be gone now */
}

static int look(watch *w, odm_arena *a, odm_buf *b)
{
        odm_lw_attrs x = effective(w->d, w->at);
        int64_t since = loop_now().ms - w->told;
        odm_lw_list l;
        double value = 0;
        int ct, code;

        if (since < x.pmin * 1000)
                return 0;
        code = things_read(w->d, &w->d->t, w->at, w->accept, a, b, &ct, &l);
        if (code < 0)
                return code;
        if (code != ODM_COAP_CONTENT) /* what it was of is gone */
                return 0;
        if ((x.pmax > 0 && since >= x.pmax * 1000) ||
            (hash_of(&l) != w->hash && (!number_of(w, &l, &value) || far_enough(w, &x, value))))
                tell(w, b, ct, &l);
        return 0;
}

void things_look(node *d)
{
        char block[4096];

        for (watch *w = d->watches, *next; w; w = next) {
                odm_arena a;
                odm_buf b;
                next = w->next;
                odm_arena_init_on(&a, &heap_mem, 1u << 20, block, sizeof block);
                odm_buf_init(&b, &heap_mem, ANSWER_MAX);
                if (look(w, &a, &b) < 0)
                        things_trouble(d->all, "an observer is not told", ODM_ENOMEM);
                odm_buf_done(&b);
                odm_arena_done(&a);
        }
}

/* Values that move without a request. */
static bool moves(const node *d, odm_lw_path at)
{
        bool device = at.depth == 0 || at.id[0] == 3;

        if (at.depth >= 3 && device && at.id[2] != 7 && at.id[2] != 9 && at.id[2] != 11 &&
            at.id[2] != 20)
                device = false;
        return (device && things_group(d)->drain_ms > 0) || at.depth == 0 || at.id[0] == 3303;
}

int64_t things_look_time(const node *d)
{
        int64_t due = NEVER, now = loop_now().ms;

        for (const watch *w = d->watches; w; w = w->next) {
                odm_lw_attrs x = effective(d, w->at);
                int64_t first = w->told + x.pmin * 1000, at = NEVER;
                if (x.pmax > 0)
                        at = w->told + x.pmax * 1000;
                if (moves(d, w->at) && now + LOOK_MS < at)
                        at = now + LOOK_MS;
                if (first > at)
                        at = first;
                due = at < due ? at : due;
        }
        return due;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void drop(watch *w)
{
        watch **at = &w->d->watches;

        while (*at != w)
                at = &(*at)->next;
        *at = w->next;
        w->d->n_watches--;
        free(w);
}

static void on_gone(void *ctx, co_watcher *of)
{
        (void)of;
        drop(ctx);
}

void things_watch(node *d, co_request *r, odm_lw_path at, int accept, const odm_lw_list *l)
{
        watch *w = d->n_watches < WATCHES_MAX ? calloc(1, sizeof *w) : NULL;

        if (!w)
                return; /* then it is a read */
        *w = (watch){.d = d, .at = at, .accept = accept};
        w->w = co_watch(r, on_gone, w);
        if (!w->w) {
                free(w);
                return;
        }
        note(w, l);
        w->next = d->watches;
        d->watches = w;
        d->n_watches++;
        d->look = things_look_time(d);
}

/* Nobody is told. */
void things_watch_drop(node *d)
{
        while (d->watches) {
                co_watch_end(d->watches->w);
                drop(d->watches);
        }
        d->look = NEVER;
}
