/* SPDX-License-Identifier: Apache-2.0 */
/* A device: what it offers, and what the gateway keeps for it because LwM2M has no place for it. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inner.h"

int odm_bridge_new(const odm_bridge_opt *opt, odm_bridge **out)
{
        odm_bridge *b = odm_alloc(opt->mem, sizeof *b);

        if (b == NULL)
                return ODM_ENOMEM;
        b->mem = opt->mem;
        b->trace = opt->trace;
        b->map = opt->map;
        b->reg = opt->reg;
        b->kept_max = opt->max_kept ? opt->max_kept : KEPT_MAX_DEFAULT;
        b->back_ms = opt->back_ms ? opt->back_ms : BACK_MS_DEFAULT;
        b->id = odm_alloc(b->mem, opt->id.n);
        if (b->id == NULL) {
                odm_bridge_free(b);
                return ODM_ENOMEM;
        }
        b->id_n = opt->id.n;
        if (opt->id.n)
                memcpy(b->id, opt->id.p, opt->id.n);
        b->awake = true;
        *out = b;
        return 0;
}

static void free_kept(odm_bridge *b, struct kept *k)
{
        b->kept_bytes -= k->path_n + k->data_n;
        odm_free(b->mem, k, sizeof *k + k->path_n + k->data_n);
}

void odm_bridge_free(odm_bridge *b)
{
        if (b == NULL)
                return;
        for (size_t i = 0; i < ODM_COUNT(b->job); i++)
                if (b->job[i])
                        odm_job_drop(b->job[i]);
        while (b->kept) {
                struct kept *k = b->kept;
                b->kept = k->next;
                free_kept(b, k);
        }
        odm_free(b->mem, b->offer, b->n_offer * sizeof *b->offer);
        odm_free(b->mem, b->res, b->cap_res * sizeof *b->res);
        odm_free(b->mem, b->seen, b->n_seen * sizeof *b->seen);
        odm_free(b->mem, b->id, b->id_n);
        odm_free(b->mem, b, sizeof *b);
}

/* ---- what it offers ------------------------------------------------------------------------ */

static int offer_cmp(const void *x, const void *y)
{
        const struct offer *a = x, *b = y;

        if (a->object != b->object)
                return a->object < b->object ? -1 : 1;
        return (a->instance > b->instance) - (a->instance < b->instance);
}

static int res_cmp(const void *x, const void *y)
{
        const struct res *a = x, *b = y;

        if (a->object != b->object)
                return a->object < b->object ? -1 : 1;
        if (a->instance != b->instance)
                return a->instance < b->instance ? -1 : 1;
        return (a->id > b->id) - (a->id < b->id);
}

/* Security is between the client and its servers, and no business of a tree's. */
static bool is_ours(odm_lw_path p)
{
        return p.depth > 0 && p.id[0] != 0;
}

static bool was_discovered(const odm_bridge *b, const struct offer *o)
{
        const struct offer *old =
                b->n_offer ? bsearch(o, b->offer, b->n_offer, sizeof *o, offer_cmp) : NULL;

        return old && old->discovered;
}

int odm_bridge_offers(odm_bridge *b, const odm_lw_links *l, odm_str version)
{
        struct offer *v;
        size_t n = 0, k = 0;

        for (size_t i = 0; i < l->n; i++)
                n += is_ours(l->v[i].path);
        v = odm_alloc(b->mem, n * sizeof *v);
        if (v == NULL)
                return ODM_ENOMEM;
        for (size_t i = 0; i < l->n; i++) {
                odm_lw_path p = l->v[i].path;
                if (!is_ours(p))
                        continue;
                v[k] = (struct offer){p.id[0], p.depth > 1 ? p.id[1] : NO_INSTANCE, false};
                v[k].discovered = was_discovered(b, &v[k]);
                k++;
        }
        if (n > 1)
                qsort(v, n, sizeof *v, offer_cmp);
        odm_free(b->mem, b->offer, b->n_offer * sizeof *b->offer);
        b->offer = v;
        b->n_offer = n;
        b->v1_1 = odm_str_is(version, "1.1");
        b->cts = l->cts;
        b->root_n = 0;
        if (l->root.n > 0 && l->root.n <= sizeof b->root) {
                memcpy(b->root, l->root.p, l->root.n);
                b->root_n = (uint8_t)l->root.n;
        }
        return 0;
}

static void forget_resources(odm_bridge *b, odm_lw_path instance)
{
        size_t k = 0;

        for (size_t i = 0; i < b->n_res; i++)
                if (b->res[i].object != instance.id[0] || b->res[i].instance != instance.id[1])
                        b->res[k++] = b->res[i];
        b->n_res = k;
}

static int add_resource(odm_bridge *b, odm_lw_path p)
{
        if (b->n_res == b->cap_res) {
                size_t cap = b->cap_res ? b->cap_res * 2 : 16;
                if (b->n_res >= ODM_LW_LINKS_MAX)
                        return ODM_ELIMIT;
                struct res *v = b->mem->resize(b->mem->ctx, b->res, b->cap_res * sizeof *v,
                                               cap * sizeof *v);
                if (v == NULL)
                        return ODM_ENOMEM;
                b->res = v;
                b->cap_res = cap;
        }
        b->res[b->n_res++] = (struct res){p.id[0], p.id[1], p.id[2]};
        return 0;
}

/* Gives back the room beyond what is there: it stays like this for long. */
static void fit_resources(odm_bridge *b)
{
        struct res *v;

        if (b->n_res == 0 || b->n_res == b->cap_res)
                return;
        v = b->mem->resize(b->mem->ctx, b->res, b->cap_res * sizeof *v, b->n_res * sizeof *v);
        if (v == NULL)
                return;
        b->res = v;
        b->cap_res = b->n_res;
}

static struct offer *find_offer(const odm_bridge *b, uint16_t object, uint16_t instance)
{
        struct offer key = {object, instance, false};

        return b->n_offer ? bsearch(&key, b->offer, b->n_offer, sizeof key, offer_cmp) : NULL;
}

/* An instance that the registration did not show. */
int odm_bridge_add_offer(odm_bridge *b, odm_lw_path p)
{
        size_t n = b->n_offer;
        struct offer *v;

        if (find_offer(b, p.id[0], p.id[1]))
                return 0;
        if (n >= ODM_LW_LINKS_MAX)
                return ODM_ELIMIT;
        v = b->mem->resize(b->mem->ctx, b->offer, (n ? n : 1) * sizeof *v, (n + 1) * sizeof *v);
        if (v == NULL)
                return ODM_ENOMEM;
        v[n] = (struct offer){p.id[0], p.id[1], false};
        qsort(v, n + 1, sizeof *v, offer_cmp);
        b->offer = v;
        b->n_offer = n + 1;
        return 0;
}

void odm_bridge_drop_offer(odm_bridge *b, odm_lw_path p)
{
        struct offer *o = find_offer(b, p.id[0], p.id[1]);

        if (o == NULL)
                return;
        forget_resources(b, p);
        o->instance = NO_INSTANCE; /* the object itself stays on offer */
        o->discovered = false;
        qsort(b->offer, b->n_offer, sizeof *b->offer, offer_cmp);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static struct seen *find_seen(odm_bridge *b, odm_lw_path p)
{
        for (size_t i = 0; i < b->n_seen; i++)
                if (b->seen[i].object == p.id[0] && b->seen[i].instance == p.id[1] &&
                    b->seen[i].id == p.id[2])
                        return &b->seen[i];
        return NULL;
}

static bool is_condition(const odm_bridge *b, odm_lw_path p)
{
        for (size_t i = 0; i < b->map->n; i++)
                if (b->map->v[i].n_when && b->map->v[i].source.id[0] == p.id[0] &&
                    b->map->v[i].when == p.id[2])
                        return true;
        return false;
}

/* A place for one more; that of the oldest when there are too many, or there is no memory; NULL:
 * there is none at all. */
static struct seen *new_seen(odm_bridge *b)
{
        struct seen *v, *s;

        v = b->n_seen < SEEN_MAX ? b->mem->resize(b->mem->ctx, b->seen, b->n_seen * sizeof *v,
                                                  (b->n_seen + 1u) * sizeof *v)
                                 : NULL;
        if (v) {
                b->seen = v;
                return &b->seen[b->n_seen++];
        }
        if (b->n_seen == 0)
                return NULL;
        s = &b->seen[b->next_seen % b->n_seen];
        b->next_seen = (uint8_t)((b->next_seen + 1) % SEEN_MAX);
        return s;
}

void odm_bridge_see(odm_bridge *b, const odm_lw_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                odm_lw_path p = l->v[i].path;
                int64_t v;
                if (p.depth != 3 || !is_condition(b, p) || !odm_bridge_int(l, p, &v))
                        continue;
                struct seen *s = find_seen(b, p);
                if (s == NULL)
                        s = new_seen(b);
                if (s)
                        *s = (struct seen){p.id[0], p.id[1], p.id[2], v};
        }
}

/* Whether the condition of a row holds by what was last seen. */
static bool seen_holds(const odm_bridge *b, const struct row *w, odm_lw_path p)
{
        for (size_t i = 0; i < b->n_seen; i++) {
                const struct seen *s = &b->seen[i];
                if (s->object != p.id[0] || s->id != w->when ||
                    (w->source_star != 1 && s->instance != p.id[1]))
                        continue;
                for (unsigned k = 0; k < w->n_when; k++)
                        if (w->when_value[k] == s->v)
                                return true;
        }
        return false;
}

int odm_bridge_discovered(odm_bridge *b, odm_lw_path at, const odm_lw_links *l)
{
        int rc = 0;

        for (size_t i = 0; i < l->n && rc == 0; i++) {
                odm_lw_path p = l->v[i].path;
                if (p.depth >= 2 && is_ours(p) && odm_lw_path_below(p, odm_lw_path_to(at, 2)))
                        rc = odm_bridge_add_offer(b, p);
        }
        for (size_t i = 0; i < b->n_offer && rc == 0; i++) {
                struct offer *o = &b->offer[i];
                odm_lw_path p = ODM_LW_PATH2(o->object, o->instance);
                if (o->instance == NO_INSTANCE || !odm_lw_path_below(p, odm_lw_path_to(at, 2)))
                        continue;
                forget_resources(b, p);
                o->discovered = false;
                for (size_t k = 0; k < l->n && rc == 0; k++) {
                        if (l->v[k].path.depth != 3 || !odm_lw_path_below(l->v[k].path, p))
                                continue;
                        o->discovered = true;
                        rc = add_resource(b, l->v[k].path);
                }
        }
        if (b->n_res > 1)
                qsort(b->res, b->n_res, sizeof *b->res, res_cmp);
        fit_resources(b);
        return rc;
}

bool odm_bridge_known(const odm_bridge *b, odm_lw_path instance)
{
        const struct offer *o = find_offer(b, instance.id[0], instance.id[1]);

        return o && o->discovered;
}

bool odm_bridge_has(const odm_bridge *b, odm_lw_path p)
{
        const struct offer *o;

        if (p.depth == 0)
                return true;
        if (p.depth == 1) {
                if (find_offer(b, p.id[0], NO_INSTANCE))
                        return true;
                return odm_bridge_instance(b, p.id[0], 0) != NO_INSTANCE;
        }
        o = find_offer(b, p.id[0], p.id[1]);
        if (o == NULL || p.depth == 2 || !o->discovered)
                return o != NULL;
        struct res key = {p.id[0], p.id[1], p.id[2]};
        return b->n_res && bsearch(&key, b->res, b->n_res, sizeof key, res_cmp) != NULL;
}

uint16_t odm_bridge_instance(const odm_bridge *b, uint16_t object, uint32_t from)
{
        for (size_t i = 0; i < b->n_offer; i++)
                if (b->offer[i].object == object && b->offer[i].instance >= from)
                        return b->offer[i].instance;
        return NO_INSTANCE;
}

void odm_bridge_sleeps(odm_bridge *b, int64_t lifetime_s, bool queue, bool awake)
{
        b->lifetime = lifetime_s;
        b->queue = queue;
        b->awake = awake;
}

void odm_bridge_behind(odm_bridge *b, bool behind)
{
        b->behind = behind;
}

/* Whether anything at or below the address of an object's root is there. */
static bool object_is_there(const odm_bridge *b, const struct row *mo)
{
        for (size_t i = 0; i < b->map->n; i++) {
                const struct row *w = &b->map->v[i];
                odm_lw_path p = w->source;
                if (w->rule == RULE_MO || w->node.n <= mo->node.n || w->node.p[mo->node.n] != '/' ||
                    memcmp(w->node.p, mo->node.p, mo->node.n) != 0)
                        continue;
                if (!w->has_source)
                        return true;
                if (w->source_star == 1 || w->first_instance)
                        p.id[1] = odm_bridge_instance(b, p.id[0], 0);
                if (odm_bridge_has(b, p) && (w->n_when == 0 || seen_holds(b, w, p)))
                        return true;
        }
        return false;
}

int odm_bridge_mos(const odm_bridge *b, odm_arena *a, odm_str **out, size_t *n)
{
        odm_str *v = odm_arena_get(a, (b->map->n ? b->map->n : 1) * sizeof *v);
        size_t k = 0;

        if (v == NULL)
                return odm_arena_err(a);
        for (size_t i = 0; i < b->map->n; i++) {
                const struct row *w = &b->map->v[i];
                bool again = false;
                if (w->rule != RULE_MO || !object_is_there(b, w))
                        continue;
                for (size_t m = 0; m < k; m++)
                        again = again || odm_str_eq(v[m], w->arg);
                if (!again)
                        v[k++] = w->arg;
        }
        *out = v;
        *n = k;
        return 0;
}

size_t odm_bridge_watch(const odm_bridge *b, odm_lw_path out[ODM_BRIDGE_WATCH])
{
        static const odm_lw_path wanted[] = {
                {3, {3, 0, 11}}, {3, {5, 0, 3}}, {3, {5, 0, 5}}, {1, {25}}};
        size_t n = 0;

        for (size_t i = 0; i < ODM_COUNT(wanted); i++)
                if (odm_bridge_has(b, wanted[i]))
                        out[n++] = wanted[i];
        return n;
}

/* ---- what is kept ----------------------------------------------------------------------------- */

static odm_str path_of(const struct kept *k)
{
        return (odm_str){k->text, k->path_n};
}

odm_str odm_bridge_kept(const odm_bridge *b, odm_str path)
{
        for (const struct kept *k = b->kept; k; k = k->next)
                if (odm_str_eq(path_of(k), path))
                        return (odm_str){k->text + k->path_n, k->data_n};
        return ODM_ABSENT;
}

/* A node comes right before what is below it: "a", "a/Ref", "a-b". */
static bool comes_before(odm_str a, odm_str b)
{
        size_t i = 0;

        while (i < a.n && i < b.n && a.p[i] == b.p[i])
                i++;
        if (i == a.n || i == b.n)
                return i < b.n;
        return b.p[i] != '/' && (a.p[i] == '/' || (uint8_t)a.p[i] < (uint8_t)b.p[i]);
}

int odm_bridge_keep(odm_bridge *b, odm_str path, odm_str value)
{
        struct kept **at = &b->kept, *old = NULL, *new = NULL;

        while (*at && comes_before(path_of(*at), path))
                at = &(*at)->next;
        if (*at && odm_str_eq(path_of(*at), path))
                old = *at;
        if (value.p) {
                size_t now = b->kept_bytes - (old ? old->path_n + old->data_n : 0);
                if (path.n + value.n > b->kept_max || now > b->kept_max - path.n - value.n)
                        return ODM_ELIMIT;
                new = odm_alloc(b->mem, sizeof *new + path.n + value.n);
                if (new == NULL)
                        return ODM_ENOMEM;
                new->path_n = path.n;
                new->data_n = value.n;
                memcpy(new->text, path.p, path.n);
                if (value.n)
                        memcpy(new->text + path.n, value.p, value.n);
                b->kept_bytes += path.n + value.n;
        }
        if (new) {
                new->next = old ? old->next : *at;
                *at = new;
        } else if (old) {
                *at = old->next;
        }
        if (old)
                free_kept(b, old);
        b->dirty = b->dirty || old || new;
        b->observe_news = b->observe_news || odm_bridge_is_observe(path);
        return 0;
}

void odm_bridge_forget_below(odm_bridge *b, odm_str path)
{
        for (struct kept **at = &b->kept; *at;) {
                struct kept *k = *at;
                odm_str p = path_of(k);
                if (p.n >= path.n && memcmp(p.p, path.p, path.n) == 0 &&
                    (p.n == path.n || p.p[path.n] == '/')) {
                        *at = k->next;
                        b->observe_news = b->observe_news || odm_bridge_is_observe(p);
                        free_kept(b, k);
                        b->dirty = true;
                } else {
                        at = &k->next;
                }
        }
}

/* ---- saved -------------------------------------------------------------------------------------- */

#define SAVED_HEAD "bridge 1\n"

bool odm_bridge_dirty(const odm_bridge *b)
{
        return b->dirty;
}

static int put_piece(odm_buf *out, char kind, odm_str x, odm_str y)
{
        int rc = odm_buf_fmt(out, "%c %zu %zu\n", kind, x.n, y.n);

        if (rc == 0)
                rc = odm_buf_str(out, x);
        if (rc == 0)
                rc = odm_buf_str(out, y);
        return rc < 0 ? rc : odm_buf_byte(out, '\n');
}

int odm_bridge_save(odm_bridge *b, odm_buf *out)
{
        size_t before = out->n;
        char traps[48];
        int rc = odm_buf_str(out, ODM_STR(SAVED_HEAD));

        for (const struct kept *k = b->kept; k && rc == 0; k = k->next)
                rc = put_piece(out, 'k', path_of(k), (odm_str){k->text + k->path_n, k->data_n});
        if (rc == 0) {
                int n = snprintf(traps, sizeof traps, "%" PRIu64 " %" PRIu64, b->trap_seen,
                                 b->trap_active);
                rc = put_piece(out, 't', (odm_str){traps, (size_t)n}, ODM_STR(""));
        }
        for (size_t i = 0; i < ODM_COUNT(b->job) && rc == 0; i++) {
                odm_buf one;
                if (b->job[i] == NULL)
                        continue;
                odm_buf_init(&one, b->mem, 65536);
                rc = odm_job_save(b->job[i], &one);
                if (rc == 0)
                        rc = put_piece(out, 'j', odm_buf_view(&one), ODM_STR(""));
                odm_buf_done(&one);
        }
        if (rc < 0)
                odm_buf_cut(out, before);
        else
                b->dirty = false;
        return rc;
}

static int take_number(odm_str *in, char end, uint64_t max, uint64_t *out)
{
        size_t n = 0;

        while (n < in->n && in->p[n] != end)
                n++;
        if (n == in->n || odm_str_u64(odm_str_to(*in, n), max, out) < 0)
                return ODM_EMALFORMED;
        *in = odm_str_from(*in, n + 1);
        return 0;
}

static int load_traps(odm_bridge *b, odm_str s)
{
        uint64_t seen, active;

        if (take_number(&s, ' ', UINT64_MAX, &seen) < 0 || odm_str_u64(s, UINT64_MAX, &active) < 0)
                return ODM_EMALFORMED;
        b->trap_seen = seen;
        b->trap_active = active & seen;
        return 0;
}

static int load_piece(odm_bridge *b, odm_str *in, odm_time now)
{
        uint64_t n1, n2;
        char kind = in->p[0];

        if (in->n < 2 || in->p[1] != ' ')
                return ODM_EMALFORMED;
        *in = odm_str_from(*in, 2);
        if (take_number(in, ' ', PAYLOAD_MAX, &n1) < 0 ||
            take_number(in, '\n', PAYLOAD_MAX, &n2) < 0 || n1 + n2 + 1 > in->n ||
            in->p[n1 + n2] != '\n')
                return ODM_EMALFORMED;
        odm_str x = odm_str_to(*in, n1), y = {in->p + n1, n2};
        *in = odm_str_from(*in, n1 + n2 + 1);
        switch (kind) {
        case 'k': return odm_bridge_keep(b, x, y);
        case 't': return load_traps(b, x);
        case 'j': return odm_job_load(b, x, now);
        default: return ODM_EMALFORMED;
        }
}

int odm_bridge_load(odm_bridge *b, odm_str saved, odm_time now)
{
        int rc = 0;

        if (!odm_str_starts(saved, SAVED_HEAD))
                return ODM_EMALFORMED;
        saved = odm_str_from(saved, sizeof SAVED_HEAD - 1);
        while (saved.n > 0 && rc == 0)
                rc = load_piece(b, &saved, now);
        b->dirty = false;
        return rc;
}
