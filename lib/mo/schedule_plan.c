/* SPDX-License-Identifier: Apache-2.0 */
/* What a schedule is configured to do, as mo-scheduling.md 3 and 4 allow it. */
#include <stdio.h>
#include <string.h>

#include "schedule_inner.h"

#define TASK_MEMORY ((size_t)512 << 10) /* of the commands of one task */
#define CMD_MOST 65536
#define ID_MOST 255

/* What is being read: the first fault found stays in `why`. */
struct reader {
        struct pen *p;
        struct plan *plan;
        const char *why;
};

static void bad(struct reader *r, const char *why)
{
        if (!r->why)
                r->why = why;
}

/* A text that outlives the pen. */
static odm_str keep(struct reader *r, odm_str text)
{
        odm_str kept = odm_arena_copy(&r->plan->a, text);

        if (text.p && !kept.p && r->p->rc == 0)
                r->p->rc = odm_arena_err(&r->plan->a);
        return kept;
}

static bool whole_number(odm_str text, int32_t *out)
{
        bool minus = text.n > 1 && text.p[0] == '-';
        uint64_t n;

        if (odm_str_u64(odm_str_from(text, minus), (uint64_t)INT32_MAX + minus, &n) < 0)
                return false;
        *out = (int32_t)(minus ? -(int64_t)n : (int64_t)n);
        return true;
}

/* A number that need not be there; below `least` it is a fault. */
static int32_t number(struct reader *r, const char *rel, int32_t least, int32_t none,
                      const char *why)
{
        odm_str text = odm_pen_get(r->p, rel);
        int32_t n = none;

        if (text.p && (!whole_number(odm_str_trim(text), &n) || n < least))
                bad(r, why);
        return n;
}

/* ---- the parts of a condition ------------------------------------------------------------- */

static const char *at(char buf[256], odm_str cond, const char *rel)
{
        (void)snprintf(buf, 256, "Condition/%.*s%s%s", (int)cond.n, cond.p, *rel ? "/" : "", rel);
        return buf;
}

static void read_timer(struct reader *r, struct cond *c, odm_str name)
{
        char buf[256];
        odm_str base = odm_pen_get(r->p, at(buf, name, "Timer/Base"));
        odm_str rule = odm_pen_get(r->p, at(buf, name, "Timer/Recurrence"));

        c->has_timer = true;
        c->from_now = odm_str_is(base, "0");
        if (!c->from_now && (!base.p || odm_moment_parse(base, &c->base) < 0))
                bad(r, "Timer/Base is no time");
        if (rule.n && odm_recur_parse(rule, &c->rule) < 0)
                bad(r, "Timer/Recurrence is no rule that is known here");
        c->by_seconds = c->from_now && odm_recur_is_interval(&c->rule) && !c->rule.has_until;
        c->window = number(r, at(buf, name, "Timer/Window"), 0, 0, "Timer/Window is no number");
}

int odm_schedule_find_trap(struct pen *p, odm_str id, odm_str server, odm_str *uri)
{
        const odm_trap_hub *h = p->s->opt.hub;
        int rc = h ? odm_trap_find(p->s->opt.tree, id, &p->a, uri) : ODM_ENOENT;

        return rc == ODM_ENOENT && h && h->elsewhere ? h->elsewhere(h->elsewhere_ctx, id, server)
                                                     : rc;
}

/* The trap is to be there; whether it is active counts for conditions of several parts. */
static void find_trap(struct reader *r, struct cond *c)
{
        odm_schedules *s = r->p->s;
        odm_value v = {ODM_FMT_ABSENT};
        odm_str uri = ODM_ABSENT;
        int rc = odm_schedule_find_trap(r->p, c->trap, r->plan->server, &uri);

        if (rc == ODM_ENOENT)
                bad(r, "there is no such trap");
        else if (rc == ODM_EACCESS)
                bad(r, "its owner may not read the device of its trap");
        else if (rc < 0)
                r->p->rc = rc;
        if (rc < 0 || r->p->rc < 0 || !uri.p)
                return;
        uri = odm_arena_join(&r->p->a, uri, ODM_STR("/Status"));
        c->active = uri.p && odm_tree_read(s->opt.tree, uri, &r->p->a, &v) == 0 &&
                    odm_str_is(v.data, "20");
}

static void on_trap(void *ctx, const odm_trap_event *e)
{
        struct cond *c = ctx;

        c->active = e->active;
        c->fired |= e->active;
        c->plan->of->next_look = (odm_time){0};
        c->plan->of->all->opt.changed(c->plan->of->all->opt.ctx);
}

static void read_trap(struct reader *r, struct cond *c, odm_str name)
{
        char buf[256];

        c->has_trap = true;
        c->trap = keep(r, odm_pen_get(r->p, at(buf, name, "Trap/TrapID")));
        if (c->trap.n)
                find_trap(r, c);
        else
                bad(r, "Trap/TrapID is missing");
        c->listener = (odm_trap_listener){.id = c->trap, .fn = on_trap, .ctx = c};
}

static void read_threshold(struct reader *r, struct cond *c, odm_str name)
{
        static const char why[] = "a Threshold is no number";
        char buf[256];
        odm_uri u;

        c->has_threshold = true;
        c->ref = keep(r, odm_str_trim(odm_pen_get(r->p, at(buf, name, "Threshold/Ref"))));
        if (c->ref.n == 0 || odm_uri_parse(c->ref, NULL, &u) < 0 || u.prop || u.list)
                bad(r, "Threshold/Ref is no address");
        c->has_low = odm_pen_get(r->p, at(buf, name, "Threshold/Low")).p != NULL;
        c->low = number(r, at(buf, name, "Threshold/Low"), INT32_MIN, 0, why);
        c->has_high = odm_pen_get(r->p, at(buf, name, "Threshold/High")).p != NULL;
        c->high = number(r, at(buf, name, "Threshold/High"), INT32_MIN, 0, why);
        if (!c->has_low && !c->has_high)
                bad(r, "a Threshold without Low or High");
        c->every_ms = 1000 * (int64_t)number(r, at(buf, name, "Threshold/SampIntrvl"), 1, 60,
                                             "Threshold/SampIntrvl is below 1");
}

static bool has(struct reader *r, odm_str cond, const char *part)
{
        char buf[256];
        odm_str uri = odm_pen_uri(r->p, "%s", at(buf, cond, part));

        return r->p->rc == 0 && odm_tree_exists(r->p->s->opt.tree, uri);
}

static void read_condition(struct reader *r, odm_str name)
{
        struct cond *c = &r->plan->cond[r->plan->n_cond];

        *c = (struct cond){.plan = r->plan};
        if (has(r, name, "Timer"))
                read_timer(r, c, name);
        if (has(r, name, "Trap"))
                read_trap(r, c, name);
        if (has(r, name, "Threshold"))
                read_threshold(r, c, name);
        if (!c->has_timer && !c->has_trap && !c->has_threshold)
                bad(r, "a Condition with nothing in it");
        r->plan->n_cond++;
}

static void read_conditions(struct reader *r)
{
        size_t n = 0;
        const odm_str *name = odm_pen_names(r->p, "Condition", &n);

        if (n == 0)
                bad(r, "there is no Condition");
        if (n > ODM_SCHEDULE_CONDITIONS) {
                bad(r, "too many Conditions");
                return;
        }
        for (size_t i = 0; i < n && r->p->rc == 0; i++)
                read_condition(r, name[i]);
}

/* ---- the rest ----------------------------------------------------------------------------- */

static bool read_moment(struct reader *r, const char *rel, odm_moment *out)
{
        odm_str text = odm_pen_get(r->p, rel);

        if (!text.p)
                return false;
        if (odm_moment_parse(text, out) < 0)
                bad(r, "Valid is no time");
        return true;
}

static bool is_requirement(odm_str word)
{
        uint64_t n;

        if (odm_str_is(word, "power"))
                return true;
        if (odm_str_starts(word, "link="))
                return word.n > 5;
        return odm_str_starts(word, "load<=") &&
               odm_str_u64(odm_str_from(word, 6), 1000000, &n) == 0;
}

static void read_requirements(struct reader *r)
{
        odm_str text = keep(r, odm_pen_get(r->p, "Require"));

        for (text = odm_str_trim(text); text.n; text = odm_str_trim(text)) {
                size_t n = 0;
                while (n < text.n && text.p[n] != ' ')
                        n++;
                odm_str word = odm_str_to(text, n);
                text = odm_str_from(text, n);
                if (!is_requirement(word) || r->plan->n_require == SCHEDULE_REQUIRES) {
                        bad(r, "Require asks for what is not known here");
                        return;
                }
                r->plan->require[r->plan->n_require++] = word;
        }
}

static void read_head(struct reader *r)
{
        struct plan *l = r->plan;

        l->id = keep(r, odm_pen_get(r->p, "ID"));
        l->server = keep(r, odm_pen_get(r->p, "Server"));
        l->next = keep(r, odm_pen_get(r->p, "Next"));
        if (l->id.n == 0 || l->id.n > ID_MOST)
                bad(r, "ID is missing or too long");
        if (l->server.n == 0)
                bad(r, "it belongs to no server");
        l->gating = (unsigned)number(r, "Gating", 0, 15, "Gating is no number");
        l->repeat = (uint32_t)number(r, "Repeat", 0, 0, "Repeat is no number");
}

/* No two of one owner have the same ID, so that Next and reports name one. */
static void check_id(struct reader *r)
{
        for (struct item *i = r->p->s->first; i && !r->why && r->p->rc == 0; i = i->next) {
                struct pen other;
                if (odm_str_eq(i->name, r->p->name))
                        continue;
                odm_pen_open(&other, r->p->s, i->name, r->p->now);
                if (odm_str_eq(odm_pen_get(&other, "ID"), r->plan->id) &&
                    odm_str_eq(odm_pen_get(&other, "Server"), r->plan->server))
                        bad(r, "another schedule of this owner has the same ID");
                if (other.rc < 0)
                        r->p->rc = other.rc;
                odm_pen_done(&other);
        }
}

static void check_task(struct reader *r)
{
        odm_arena a;
        stored *task;
        const char *why = NULL;
        int rc;

        if (r->why || r->p->rc < 0)
                return;
        odm_arena_init(&a, r->p->s->opt.mem, TASK_MEMORY);
        rc = odm_schedule_plan_task(r->p->s, r->p->name, &a, &task, &why);
        if (rc == ODM_EMALFORMED)
                bad(r, why);
        else
                r->p->rc = rc;
        odm_arena_done(&a);
}

void odm_schedule_plan_listen(struct plan *l, struct item *it)
{
        l->of = it;
        for (size_t i = 0; i < l->n_cond; i++)
                if (l->cond[i].has_trap)
                        odm_trap_listen(it->all->opt.hub, &l->cond[i].listener);
}

int odm_schedule_plan_read(odm_schedules *s, odm_str name, bool task_only, struct plan **out,
                           const char **why)
{
        struct plan *l = odm_alloc(s->opt.mem, sizeof *l);
        struct pen p;
        struct reader r = {.p = &p, .plan = l};
        int rc;

        if (!l)
                return ODM_ENOMEM;
        odm_arena_init(&l->a, s->opt.mem, 65536);
        odm_pen_open(&p, s, name, (odm_wall){0});
        read_head(&r);
        l->has_from = read_moment(&r, "Valid/From", &l->from);
        l->has_to = read_moment(&r, "Valid/To", &l->to);
        if (!task_only) {
                read_requirements(&r);
                read_conditions(&r);
        }
        check_id(&r);
        check_task(&r);
        rc = p.rc ? p.rc : r.why ? ODM_EMALFORMED : 0;
        odm_pen_done(&p);
        if (rc < 0) {
                odm_schedule_plan_free(s, l);
                *why = r.why;
                return rc;
        }
        *out = l;
        return 0;
}

void odm_schedule_plan_free(odm_schedules *s, struct plan *p)
{
        if (!p)
                return;
        for (size_t i = 0; p->of && i < p->n_cond; i++)
                if (p->cond[i].has_trap)
                        odm_trap_unlisten(s->opt.hub, &p->cond[i].listener);
        odm_arena_done(&p->a);
        odm_free(s->opt.mem, p, sizeof *p);
}

/* ---- commands ----------------------------------------------------------------------------- */

struct ordered {
        odm_str name;
        int32_t seq;
};

/* The order of Seq, then of name; names come sorted. */
static void sort(struct ordered *list, size_t n)
{
        for (size_t i = 1; i < n; i++) {
                struct ordered x = list[i];
                size_t k = i;
                for (; k > 0 && list[k - 1].seq > x.seq; k--)
                        list[k] = list[k - 1];
                list[k] = x;
        }
}

static int add_cmd(struct pen *p, odm_str name, odm_arena *a, stored *s, const char **why)
{
        odm_value v = {ODM_FMT_ABSENT};
        odm_str uri = odm_pen_uri(p, "Task/%.*s/Cmd", (int)name.n, name.p);
        int rc = p->rc < 0 ? p->rc : odm_tree_read(p->s->opt.tree, uri, &p->a, &v);

        *why = "a Task without Cmd";
        if (rc == ODM_ENOENT || rc == ODM_EINVAL)
                return ODM_EMALFORMED;
        if (rc < 0)
                return rc;
        *why = "a Cmd that is too long";
        if (v.data.n > CMD_MOST)
                return ODM_EMALFORMED;
        rc = odm_stored_add(s, v.data, a, why);
        if (rc == ODM_ELIMIT) {
                *why = "commands that are too long";
                rc = ODM_EMALFORMED;
        }
        return rc;
}

static int read_task(struct pen *p, odm_arena *a, stored *s, const char **why)
{
        struct ordered list[STORED_ACTS];
        size_t n = 0;
        const odm_str *names = odm_pen_names(p, "Task", &n);
        int rc = p->rc;

        *why = n ? "too many commands" : "there is no Task";
        if (rc == 0 && (n == 0 || n > STORED_ACTS))
                return ODM_EMALFORMED;
        for (size_t i = 0; i < n && rc == 0; i++) {
                char buf[256];
                odm_str text;
                (void)snprintf(buf, sizeof buf, "Task/%.*s/Seq", (int)names[i].n, names[i].p);
                text = odm_pen_get(p, buf);
                list[i] = (struct ordered){.name = names[i]};
                rc = p->rc;
                if (text.p && !whole_number(text, &list[i].seq)) {
                        *why = "a Seq is no number";
                        return ODM_EMALFORMED;
                }
        }
        if (rc == 0)
                sort(list, n);
        for (size_t i = 0; i < n && rc == 0; i++)
                rc = add_cmd(p, list[i].name, a, s, why);
        return rc;
}

int odm_schedule_plan_task(odm_schedules *s, odm_str name, odm_arena *a, stored **out,
                           const char **why)
{
        stored *task = odm_new(a, stored);
        struct pen p;
        int rc;

        if (!task)
                return odm_arena_err(a);
        odm_pen_open(&p, s, name, (odm_wall){0});
        rc = read_task(&p, a, task, why);
        /* what a schedule made may not make another (mo-scheduling.md 6) */
        if (rc == 0 && task->makes_object && odm_pen_number(&p, "Ext/xrem/Level", 0) > 0) {
                *why = "made by a schedule, it may not make another";
                rc = ODM_EMALFORMED;
        }
        if (rc == 0)
                rc = p.rc;
        odm_pen_done(&p);
        if (rc == 0)
                *out = task;
        return rc;
}
