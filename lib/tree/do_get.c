/* SPDX-License-Identifier: Apache-2.0 */
/* Get of a value, of the children's names, and of one property (dm-tree.md 3, 5). */
#include <string.h>

#include "desc.h"
#include "job.h"

/* ---- properties ------------------------------------------------------------------ */

static int live_size(struct job *j, odm_str uri, size_t *n)
{
        odm_value v;
        int rc = odm_spot_read(&j->trail.at, uri, j->a, &v);

        if (rc == 0)
                *n = v.data.n;
        return rc;
}

static int number(struct job *j, size_t n, odm_str *out)
{
        *out = odm_arena_fmt(j->a, "%zu", n);
        return out->p ? 0 : odm_arena_err(j->a);
}

static int prop_text(struct job *j, odm_str uri, odm_str *out)
{
        const struct spot *s = &j->trail.at;
        const struct node *n = s->node;
        char stamp[ODM_WALL_TEXT];
        size_t size = 0;
        int rc;

        switch (j->uri.prop) {
        case ODM_PROP_ACL: *out = n ? n->acl : ODM_STR(""); return 0;
        case ODM_PROP_FORMAT: *out = odm_cstr(odm_format_name(odm_spot_format(s))); return 0;
        case ODM_PROP_NAME: *out = s->name.n ? s->name : ODM_STR("."); return 0;
        case ODM_PROP_TITLE: *out = n ? n->title : ODM_STR(""); return 0;
        case ODM_PROP_TYPE:
                *out = odm_spot_type(s);
                if (odm_spot_is_leaf(s) && out->n == 0)
                        *out = ODM_STR("text/plain");
                return 0;
        case ODM_PROP_SIZE: rc = live_size(j, uri, &size); return rc ? rc : number(j, size, out);
        case ODM_PROP_VERNO: return number(j, n->verno, out);
        case ODM_PROP_TSTAMP:
                odm_wall_format((odm_wall){n->tstamp}, stamp);
                *out = odm_arena_copy(j->a, odm_cstr(stamp));
                return out->p ? 0 : odm_arena_err(j->a);
        case ODM_PROP_NONE:
        case ODM_PROP_VALUE: break;
        }
        *out = ODM_STR("");
        return 0;
}

static bool prop_is_there(const struct job *j)
{
        const struct spot *s = &j->trail.at;

        switch (j->uri.prop) {
        case ODM_PROP_SIZE: return j->t->opt.has_tstamp && odm_spot_is_leaf(s);
        case ODM_PROP_TITLE: return j->t->opt.has_tstamp;
        case ODM_PROP_TSTAMP:
        case ODM_PROP_VERNO: return j->t->opt.has_tstamp && s->node;
        default: return true;
        }
}

/* The list of a leaf may also be read by who may change it from above (dm-tree.md 4.4). */
static bool may_read_prop(const struct job *j)
{
        return odm_job_has_right(j, &j->trail.at, ODM_ACC_GET) ||
               (j->uri.prop == ODM_PROP_ACL && j->uri.depth && odm_spot_is_leaf(&j->trail.at) &&
                odm_job_has_right(j, &j->trail.above, ODM_ACC_REPLACE));
}

static int status_of_read(struct job *j, int rc)
{
        if (rc == ODM_ENOENT)
                return job_status(j, ODM_ST_NOT_FOUND);
        return rc == ODM_EIO ? job_status(j, ODM_ST_FAILED) : rc;
}

int odm_do_prop_get(struct job *j)
{
        odm_str text = ODM_ABSENT;
        odm_str uri = odm_uri_text(&j->uri, j->uri.depth, j->a);

        if (uri.p == NULL)
                return odm_arena_err(j->a);
        if (!prop_is_there(j))
                return job_status(j, ODM_ST_UNSUPPORTED);
        if (!may_read_prop(j))
                return job_status(j, ODM_ST_DENIED);
        int rc = prop_text(j, uri, &text);
        if (rc != 0)
                return status_of_read(j, rc);
        odm_result *r = odm_job_result(j);
        if (r == NULL)
                return odm_arena_err(j->a);
        r->uri = j->op->target;
        r->value.data = text.p ? text : ODM_STR("");
        r->has_data = true;
        r->is_prop = true;
        return 0;
}

/* ---- values ------------------------------------------------------------------------- */

static int join_names(const struct names *l, odm_arena *a, odm_str *out)
{
        size_t n = 0, at = 0;

        for (size_t i = 0; i < l->n; i++)
                n += l->name[i].n + 1;
        char *p = odm_arena_get(a, n + 1);
        if (p == NULL)
                return odm_arena_err(a);
        for (size_t i = 0; i < l->n; i++) {
                if (i)
                        p[at++] = '/';
                memcpy(p + at, l->name[i].p, l->name[i].n);
                at += l->name[i].n;
        }
        *out = (odm_str){p, at};
        return 0;
}

static int interior_value(struct job *j, odm_str uri, odm_value *v)
{
        struct names l = {.n = 0};
        int rc = odm_spot_names(j->t, &j->trail.at, uri, j->a, &l);

        if (rc != 0)
                return rc;
        v->format = ODM_FMT_NODE;
        v->type = ODM_STR("text/plain");
        return join_names(&l, j->a, &v->data);
}

static int get_value(struct job *j)
{
        const struct spot *s = &j->trail.at;
        odm_str uri = odm_uri_text(&j->uri, j->uri.depth, j->a);
        odm_value v = {.format = ODM_FMT_ABSENT};
        int rc;

        if (uri.p == NULL)
                return odm_arena_err(j->a);
        rc = odm_spot_is_leaf(s) ? odm_spot_read(s, uri, j->a, &v) : interior_value(j, uri, &v);
        if (rc != 0)
                return status_of_read(j, rc);
        if (j->op->max_result && v.data.n > j->op->max_result)
                return job_status(j, ODM_ST_TOO_LARGE);
        odm_result *r = odm_job_result(j);
        if (r == NULL)
                return odm_arena_err(j->a);
        r->uri = j->op->target;
        r->value = v;
        r->has_data = true;
        return 0;
}

int odm_do_get(struct job *j)
{
        if (!j->trail.found)
                return job_status(j, ODM_ST_NOT_FOUND);
        if (!odm_job_may(j, &j->trail.at, ODM_ACC_GET))
                return job_status(j, ODM_ST_NOT_ALLOWED);
        if (j->uri.prop)
                return odm_do_prop_get(j);
        if (!odm_job_has_right(j, &j->trail.at, ODM_ACC_GET))
                return job_status(j, ODM_ST_DENIED);
        return j->uri.list ? odm_do_list(j) : get_value(j);
}
