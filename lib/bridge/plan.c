/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: requests lent one after the other, and their answers. */
#include <assert.h>
#include <string.h>

#include "plan.h"

int odm_plan_new(odm_bridge *b, odm_arena *a, int (*then)(odm_plan *p), odm_plan **out)
{
        odm_plan *p = odm_new(a, odm_plan);

        if (p == NULL)
                return odm_arena_err(a);
        p->b = b;
        p->a = a;
        p->then = then;
        *out = p;
        return 0;
}

int odm_plan_room(odm_arena *a, void **v, size_t n, size_t *cap, size_t size, size_t max)
{
        size_t more = *cap ? *cap * 2 : 8;

        if (n < *cap)
                return 0;
        if (n >= max)
                return ODM_ELIMIT;
        void *new = odm_arena_get(a, more * size);
        if (new == NULL)
                return odm_arena_err(a);
        if (n)
                memcpy(new, *v, n * size);
        *v = new;
        *cap = more;
        return 0;
}

int odm_plan_add(odm_plan *p, const odm_lw_request *rq)
{
        void *v = p->step;
        int rc = odm_plan_room(p->a, &v, p->n_steps, &p->cap_steps, sizeof *p->step, REQUESTS_MAX);

        if (rc < 0)
                return rc;
        p->step = v;
        p->step[p->n_steps++] = (struct step){.rq = *rq};
        return 0;
}

void odm_plan_finish(odm_plan *p, unsigned status, odm_str text)
{
        p->result.status = status;
        p->result.text = text;
        p->over = true;
}

void odm_plan_refuse(odm_plan *p, unsigned status, const char *why)
{
        odm_plan_finish(p, status, odm_cstr(why));
}

int odm_plan_end(odm_plan *p)
{
        if (p->failed)
                odm_plan_finish(p, p->failed, p->failed_text);
        else
                odm_plan_finish(p, ODM_ST_OK, ODM_ABSENT);
        return 0;
}

int odm_plan_begin(odm_plan *p)
{
        while (!p->over && p->at == p->n_steps) {
                int rc = p->then(p);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

int odm_plan_next(odm_plan *p, const odm_lw_request **out)
{
        if (p->over)
                return 0;
        assert(p->at < p->n_steps);
        p->asked = true;
        *out = &p->step[p->at].rq;
        return 1;
}

static int take_values(odm_plan *p, const odm_lw_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                void *v = p->got;
                int rc = odm_plan_room(p->a, &v, p->n_got, &p->cap_got, sizeof *p->got,
                                       ODM_LW_NODES_MAX);
                if (rc < 0)
                        return rc;
                p->got = v;
                p->got[p->n_got++] = l->v[i];
        }
        return 0;
}

static int on_values(odm_plan *p, const struct step *s, const odm_lw_answer *r)
{
        odm_lw_list l;
        int rc = odm_bridge_answer_of(p->b, s->rq.path, r, p->a, &l);

        if (rc < 0)
                return rc;
        odm_bridge_see(p->b, &l);
        return take_values(p, &l);
}

static int on_links(odm_plan *p, const struct step *s, const odm_lw_answer *r)
{
        odm_lw_links l;
        odm_str copy = odm_arena_copy(p->a, r->payload.p ? r->payload : ODM_STR(""));

        if (copy.p == NULL)
                return odm_arena_err(p->a);
        int rc = odm_lw_links_parse(copy, (odm_str){p->b->root, p->b->root_n}, p->a, &l);
        return rc < 0 ? rc : odm_bridge_discovered(p->b, s->rq.path, &l);
}

static int on_created(odm_plan *p, const struct step *s, const odm_lw_answer *r)
{
        odm_str where = r->location, root = {p->b->root, p->b->root_n};
        odm_lw_path at;

        if (root.n && where.n > root.n && memcmp(where.p, root.p, root.n) == 0)
                where = odm_str_from(where, root.n);
        if (where.p == NULL || odm_lw_path_parse(where, &at) < 0 || at.depth != 2 ||
            at.id[0] != s->rq.path.id[0])
                return 0;
        p->result.created = odm_bridge_raw_uri(at, p->a);
        if (p->result.created.p == NULL)
                return odm_arena_err(p->a);
        return odm_bridge_add_offer(p->b, at);
}

/* A good answer.  What cannot be read is as good as a refusal. */
static int on_good(odm_plan *p, const struct step *s, const odm_lw_answer *r)
{
        switch (s->rq.verb) {
        case ODM_LW_READ:
        case ODM_LW_OBSERVE:
        case ODM_LW_READ_COMPOSITE: return on_values(p, s, r);
        case ODM_LW_DISCOVER: return on_links(p, s, r);
        case ODM_LW_CREATE: return on_created(p, s, r);
        case ODM_LW_DELETE:
                if (s->rq.path.depth == 2)
                        odm_bridge_drop_offer(p->b, s->rq.path);
                return 0;
        case ODM_LW_WRITE:
        case ODM_LW_UPDATE:
        case ODM_LW_ATTRS:
        case ODM_LW_EXECUTE:
        case ODM_LW_CANCEL:
        case ODM_LW_WRITE_COMPOSITE:
        case ODM_LW_STAGE: return 0;
        }
        ODM_UNREACHABLE();
}

static int note_failure(odm_plan *p, const struct step *s, unsigned status, unsigned code)
{
        char z[ODM_LW_PATH_TEXT];
        odm_str path = odm_lw_path_format(s->rq.path, z);

        if (p->failed)
                return 0;
        p->failed = status;
        p->failed_text =
                code == 0    ? odm_arena_fmt(p->a, "no answer to %s of %.*s",
                                             odm_lw_verb_name(s->rq.verb), (int)path.n, path.p)
                : code < 300 ? odm_arena_fmt(p->a, "the answer to %s of %.*s cannot be read",
                                             odm_lw_verb_name(s->rq.verb), (int)path.n, path.p)
                             : odm_arena_fmt(p->a, "%u.%02u to %s of %.*s", code / 100, code % 100,
                                             odm_lw_verb_name(s->rq.verb), (int)path.n, path.p);
        return p->failed_text.p ? 0 : odm_arena_err(p->a);
}

/* Whether the same can be asked in another way.  1: it is; 0: no; errors. */
static int other_way(odm_plan *p, struct step *s, unsigned code)
{
        if (s->retried)
                return 0;
        s->retried = true;
        if (code == ODM_COAP_NOT_ACCEPTABLE && s->rq.accept != ODM_LW_NO_CT &&
            s->rq.verb == ODM_LW_READ) {
                s->rq.accept = ODM_LW_NO_CT;
                return 1;
        }
        if (code == ODM_COAP_BAD_FORMAT && s->rq.verb == ODM_LW_WRITE && s->rq.path.depth == 3 &&
            s->rq.ct != odm_bridge_ct_of_several(p->b)) {
                odm_lw_answer as_text = {.ct = s->rq.ct, .payload = s->rq.payload};
                odm_lw_list l;
                int rc = odm_bridge_answer_of(p->b, s->rq.path, &as_text, p->a, &l);
                if (rc == 0)
                        rc = odm_bridge_write_of(p->b, s->rq.path, &l,
                                                 odm_bridge_ct_of_several(p->b), p->a, &s->rq);
                return rc == ODM_ENOMEM || rc == ODM_ELIMIT ? rc : rc == 0;
        }
        if (s->rq.verb == ODM_LW_READ_COMPOSITE) { /* it cannot, so each by itself */
                p->b->no_composite = true;
                odm_lw_path *v = s->paths;
                size_t n = s->n_paths;
                s->rq = odm_bridge_read_of(p->b, v[0]);
                s->retried = false;
                for (size_t i = 1; i < n; i++) {
                        odm_lw_request rq = odm_bridge_read_of(p->b, v[i]);
                        int rc = odm_plan_add(p, &rq);
                        if (rc < 0)
                                return rc;
                }
                return 1;
        }
        return 0;
}

static int on_answer(odm_plan *p, const odm_lw_answer *r)
{
        struct step *s = &p->step[p->at];
        bool good = r->code >= 200 && r->code < 300;
        int rc = good ? on_good(p, s, r) : r->code ? other_way(p, s, r->code) : 0;

        if (rc == ODM_ENOMEM || rc == ODM_ELIMIT)
                return rc;
        if (!good && rc == 1)
                return 0;
        if (!good || rc < 0) {
                unsigned status = good ? ODM_ST_FAILED : odm_bridge_status(r->code);
                s->unread = status != ODM_ST_NOT_FOUND;
                rc = note_failure(p, s, status, r->code);
                if (rc < 0)
                        return rc;
        }
        p->at++;
        if (r->code == 0) { /* who is silent stays silent */
                odm_plan_finish(p, p->failed, p->failed_text);
                return 0;
        }
        if (p->failed && p->stop)
                p->at = p->n_steps;
        return odm_plan_begin(p);
}

int odm_plan_answer(odm_plan *p, const odm_lw_answer *r)
{
        if (p->over || !p->asked)
                return ODM_ESTATE;
        p->asked = false;
        int rc = on_answer(p, r);
        if (rc < 0)
                odm_plan_finish(p, ODM_ST_FAILED, ODM_STR("out of room for the answer"));
        return rc;
}

const odm_plan_result *odm_plan_result_of(const odm_plan *p)
{
        assert(p->over);
        return &p->result;
}
