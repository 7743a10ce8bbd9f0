/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of one schedule, read and written as the device itself. */
#include <stdarg.h>
#include <stdio.h>

#include "schedule_inner.h"

#define TEXT_MOST 8192 /* octets of a leaf that anything is made of; longer ones are not there */
#define NAMES_MOST 256

void odm_pen_open(struct pen *p, odm_schedules *s, odm_str name, odm_wall now)
{
        p->s = s;
        p->name = name;
        p->now = now;
        p->rc = 0;
        odm_arena_init_on(&p->a, s->opt.mem, (size_t)1 << 20, p->block, sizeof p->block);
}

void odm_pen_done(struct pen *p)
{
        odm_arena_done(&p->a);
}

static void fail(struct pen *p, int rc)
{
        if (p->rc == 0)
                p->rc = rc;
}

odm_str odm_pen_uri(struct pen *p, const char *rel, ...)
{
        char text[512];
        odm_str uri;
        va_list ap;

        va_start(ap, rel);
        (void)vsnprintf(text, sizeof text, rel, ap);
        va_end(ap);
        uri = odm_arena_fmt(&p->a, ODM_SCHEDULE_AT "/%.*s%s%s", (int)p->name.n, p->name.p,
                            *text ? "/" : "", text);
        if (!uri.p)
                fail(p, odm_arena_err(&p->a));
        return uri;
}

odm_str odm_pen_get(struct pen *p, const char *rel)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_str uri = odm_pen_uri(p, "%s", rel), text;
        int rc;

        if (p->rc < 0)
                return ODM_ABSENT;
        rc = odm_tree_read(p->s->opt.tree, uri, &p->a, &v);
        if (rc == ODM_ENOENT || rc == ODM_EINVAL)
                return ODM_ABSENT;
        if (rc < 0)
                fail(p, rc);
        if (rc < 0 || v.data.n > TEXT_MOST)
                return ODM_ABSENT;
        text = odm_arena_copy(&p->a, v.data.p ? v.data : ODM_STR(""));
        if (!text.p)
                fail(p, odm_arena_err(&p->a));
        return text;
}

uint32_t odm_pen_number(struct pen *p, const char *rel, uint32_t none)
{
        odm_str text = odm_pen_get(p, rel);
        uint64_t n;

        return text.p && odm_str_u64(text, INT32_MAX, &n) == 0 ? (uint32_t)n : none;
}

int64_t odm_pen_time(struct pen *p, const char *rel)
{
        odm_str text = odm_pen_get(p, rel);
        odm_wall w;

        return text.p && odm_wall_parse(text, &w) == 0 ? w.s : -1;
}

void odm_pen_put(struct pen *p, const char *rel, odm_format f, odm_str text)
{
        const odm_value v = {.format = f, .data = text};
        odm_str uri = odm_pen_uri(p, "%s", rel);

        if (p->rc == 0)
                fail(p, odm_tree_write(p->s->opt.tree, uri, &v, p->now));
}

void odm_pen_put_number(struct pen *p, const char *rel, uint32_t n)
{
        odm_str text = odm_arena_number(&p->a, n);

        if (!text.p)
                fail(p, odm_arena_err(&p->a));
        odm_pen_put(p, rel, ODM_FMT_INT, text);
}

void odm_pen_put_time(struct pen *p, const char *rel, odm_wall at)
{
        char text[ODM_WALL_TEXT];

        odm_wall_format(at, text);
        odm_pen_put(p, rel, ODM_FMT_CHR, odm_cstr(text));
}

void odm_pen_delete(struct pen *p, const char *rel)
{
        const odm_op op = {.kind = ODM_CMD_DELETE, .target = odm_pen_uri(p, "%s", rel)};
        odm_answer out = {0};

        if (p->rc < 0)
                return;
        fail(p, odm_tree_do(p->s->opt.tree, &op, p->now, &p->a, &out));
        if (p->rc == 0 && !odm_status_ok(out.status) && out.status != ODM_ST_NOT_FOUND)
                fail(p, ODM_EIO);
}

struct names {
        struct pen *p;
        odm_str *list;
        size_t n;
};

static int add_name(void *ctx, odm_str name)
{
        struct names *l = ctx;

        if (l->n == NAMES_MOST)
                return 1;
        l->list[l->n] = odm_arena_copy(&l->p->a, name);
        return l->list[l->n++].p ? 0 : odm_arena_err(&l->p->a);
}

const odm_str *odm_pen_names(struct pen *p, const char *rel, size_t *n)
{
        struct names l = {.p = p};
        odm_str uri = odm_pen_uri(p, "%s", rel);
        int rc;

        *n = 0;
        l.list = odm_arena_get(&p->a, NAMES_MOST * sizeof *l.list);
        if (!l.list)
                fail(p, odm_arena_err(&p->a));
        if (p->rc < 0)
                return NULL;
        rc = odm_tree_children(p->s->opt.tree, uri, add_name, &l);
        if (rc < 0 && rc != ODM_ENOENT && rc != ODM_EINVAL)
                fail(p, rc);
        *n = p->rc == 0 ? l.n : 0;
        return l.list;
}

void odm_pen_begin(struct pen *p)
{
        if (p->rc == 0)
                p->rc = odm_tree_begin(p->s->opt.tree, p->now);
}

int odm_pen_commit(struct pen *p)
{
        unsigned status = ODM_ST_OK;

        if (p->rc == 0) {
                p->rc = odm_tree_commit(p->s->opt.tree, &status);
                if (p->rc == 0 && !odm_status_ok(status))
                        p->rc = ODM_EIO;
        } else if (odm_tree_in_transaction(p->s->opt.tree)) {
                odm_tree_rollback(p->s->opt.tree);
        }
        return p->rc;
}
