/* SPDX-License-Identifier: Apache-2.0 */
/* Observations that servers order, ./LwM2M/Observe/<x>: which resource is to be told, how often,
 * and what comes of it when it is: a sample each time, a trap when it passes gt or lt.
 *
 *     Ref               an address of the device's tree
 *     pmin pmax gt lt st    attributes of LwM2M, as they are; those not written are not sent
 *     Status            how the device answered, by the adapter */
#include <stdio.h>
#include <string.h>

#include "inner.h"

#define TOP "./LwM2M/Observe/"
#define REPORT "urn:oma:at:diagmon:1.0:CollectedSimpleDataReport"
#define TRAP "urn:oma:at:diagmon:1.0:Trap"
#define LEAF_MAX 64

bool odm_bridge_is_observe(odm_str path)
{
        return odm_str_starts(path, TOP);
}

/* The name in "./LwM2M/Observe/x" or below it. */
static odm_str name_of(odm_str path)
{
        odm_str name = odm_str_from(path, sizeof TOP - 1);
        size_t n = 0;

        while (n < name.n && name.p[n] != '/')
                n++;
        return odm_str_to(name, n);
}

static odm_str leaf_of(const odm_bridge *b, odm_str name, const char *leaf)
{
        char path[sizeof TOP + LEAF_MAX + 16];
        int n = snprintf(path, sizeof path, "%s%.*s/%s", TOP, (int)name.n, name.p, leaf);

        return n < 0 || (size_t)n >= sizeof path ? ODM_ABSENT
                                                 : odm_bridge_kept(b, (odm_str){path, (size_t)n});
}

static bool number_of(odm_str text, odm_lw_type type, odm_lw_value *out)
{
        return text.n > 0 && odm_lw_value_parse(type, text, NULL, out) == 0;
}

bool odm_bridge_kept_fits(odm_format format, odm_str text)
{
        odm_lw_value v;

        if (format != ODM_FMT_INT && format != ODM_FMT_FLOAT)
                return true;
        return number_of(text, format == ODM_FMT_INT ? ODM_LW_T_INTEGER : ODM_LW_T_FLOAT, &v);
}

static void take_seconds(const odm_bridge *b, odm_str name, const char *leaf, unsigned bit,
                         int64_t *to, unsigned *has)
{
        odm_lw_value v;

        if (!number_of(leaf_of(b, name, leaf), ODM_LW_T_INTEGER, &v) || v.i < 0)
                return;
        *to = v.i;
        *has |= bit;
}

static void take_limit(const odm_bridge *b, odm_str name, const char *leaf, unsigned bit,
                       double *to, unsigned *has)
{
        odm_lw_value v;

        if (!number_of(leaf_of(b, name, leaf), ODM_LW_T_FLOAT, &v))
                return;
        *to = v.f;
        *has |= bit;
}

/* The resource that an address is about; false: none that the device has. */
static bool resource_of(const odm_bridge *b, odm_str ref, odm_lw_path *out)
{
        const struct row *row;
        odm_str name;
        odm_lw_path at;

        if (odm_bridge_raw(ref, &at) == 0) {
                *out = at;
                return at.depth >= 3 && odm_bridge_has(b, at);
        }
        row = odm_bridge_row(b, ref, &name);
        if (row == NULL || !row->has_source || row->rule == RULE_KEPT || row->rule == RULE_JOB ||
            !odm_bridge_source(b, row, row->source_star < 0 ? ODM_ABSENT : name, &at) ||
            at.depth < 3 || !odm_bridge_has(b, at))
                return false;
        *out = odm_lw_path_to(at, 3);
        return true;
}

static void fill(const odm_bridge *b, odm_str name, odm_bridge_observation *out)
{
        odm_lw_attrs *at = &out->attrs;

        *out = (odm_bridge_observation){.name = name, .ref = leaf_of(b, name, "Ref")};
        take_seconds(b, name, "pmin", ODM_LW_PMIN, &at->pmin, &at->has);
        take_seconds(b, name, "pmax", ODM_LW_PMAX, &at->pmax, &at->has);
        take_limit(b, name, "gt", ODM_LW_GT, &at->gt, &at->has);
        take_limit(b, name, "lt", ODM_LW_LT, &at->lt, &at->has);
        take_limit(b, name, "st", ODM_LW_ST, &at->st, &at->has);
        out->there = out->ref.n > 0 && resource_of(b, out->ref, &out->path);
}

size_t odm_bridge_observations(const odm_bridge *b, odm_bridge_observation out[ODM_BRIDGE_OBSERVE])
{
        odm_str last = ODM_ABSENT;
        size_t n = 0;

        for (const struct kept *k = b->kept; k && n < ODM_BRIDGE_OBSERVE; k = k->next) {
                odm_str path = {k->text, k->path_n};
                if (!odm_bridge_is_observe(path))
                        continue;
                odm_str name = name_of(path);
                if (last.p && odm_str_eq(name, last))
                        continue;
                last = name;
                fill(b, name, &out[n++]);
        }
        return n;
}

bool odm_bridge_observe_full(const odm_bridge *b)
{
        odm_bridge_observation all[ODM_BRIDGE_OBSERVE];

        return odm_bridge_observations(b, all) == ODM_BRIDGE_OBSERVE;
}

bool odm_bridge_observe_news(odm_bridge *b)
{
        bool news = b->observe_news;

        b->observe_news = false;
        return news;
}

int odm_bridge_observed(odm_bridge *b, odm_str name, unsigned status)
{
        char path[sizeof TOP + LEAF_MAX + 16], text[16];
        int n = snprintf(path, sizeof path, "%s%.*s", TOP, (int)name.n, name.p);
        odm_str to = {path, (size_t)n}, value = {text, 0};
        bool news = b->observe_news;
        int rc;

        if (n < 0 || (size_t)n + sizeof "/Status" > sizeof path || !odm_bridge_kept(b, to).p)
                return 0; /* it is gone meanwhile */
        to.n += (size_t)snprintf(path + n, sizeof path - (size_t)n, "/Status");
        value.n = (size_t)snprintf(text, sizeof text, "%u", status);
        if (odm_str_eq(odm_bridge_kept(b, to), value))
                return 0;
        rc = odm_bridge_keep(b, to, value);
        b->observe_news = news;
        return rc;
}

/* ---- what is told -------------------------------------------------------------------------- */

static bool is_below(odm_str path, odm_str top)
{
        return odm_str_starts(path, "./") && path.n >= top.n && memcmp(path.p, top.p, top.n) == 0 &&
               (path.n == top.n || path.p[top.n] == '/');
}

static void add(odm_bridge_news *out, const odm_alert *alert, int64_t at)
{
        if (out->n_alerts == ODM_BRIDGE_ALERTS)
                return;
        out->at[out->n_alerts] = at;
        out->alert[out->n_alerts++] = *alert;
}

static void report(const odm_bridge_node *n, odm_bridge_news *out)
{
        add(out,
            &(odm_alert){.code = ODM_ALERT_GENERIC,
                         .source = n->path,
                         .type = ODM_STR(REPORT),
                         .format = n->value.format,
                         .mark = ODM_STR("informational"),
                         .data = n->value.data},
            n->t);
}

/* Beyond its limits, or back: told once each. */
static int judge(odm_bridge *b, const odm_bridge_observation *o, const odm_bridge_node *n,
                 odm_arena *a, odm_bridge_news *out)
{
        odm_str key = odm_arena_join(a, ODM_STR("=beyond/"), o->name);
        odm_str source = odm_arena_join(a, ODM_STR(TOP), o->name), words;
        bool was, high, low;
        odm_lw_value v;

        if (key.p == NULL || source.p == NULL)
                return odm_arena_err(a);
        was = odm_bridge_kept(b, key).p != NULL;
        if (!number_of(n->value.data, ODM_LW_T_FLOAT, &v))
                return 0;
        high = o->attrs.has & ODM_LW_GT && v.f > o->attrs.gt;
        low = o->attrs.has & ODM_LW_LT && v.f < o->attrs.lt;
        if ((high || low) == was)
                return 0;
        words = odm_arena_fmt(a, "%.*s is %s", (int)n->value.data.n, n->value.data.p,
                              high  ? "above the limit"
                              : low ? "below the limit"
                                    : "within the limits");
        if (words.p == NULL)
                return odm_arena_err(a);
        add(out,
            &(odm_alert){.code = ODM_ALERT_GENERIC,
                         .source = source,
                         .type = was ? ODM_STR(TRAP "InactiveNotification")
                                     : ODM_STR(TRAP "Notification"),
                         .format = ODM_FMT_CHR,
                         .mark = ODM_STR("warning"),
                         .data = words},
            n->t);
        int rc = odm_bridge_keep(b, key, was ? ODM_ABSENT : ODM_STR("1"));
        return rc == ODM_ELIMIT ? 0 : rc;
}

int odm_bridge_untold_observed(odm_bridge *b, const odm_alert *alert)
{
        char key[sizeof "=beyond/" + LEAF_MAX];
        odm_str name;
        int n;

        if (!odm_bridge_is_observe(alert->source) || !odm_str_starts(alert->type, TRAP))
                return 0; /* a sample: the next one counts */
        name = name_of(alert->source);
        n = snprintf(key, sizeof key, "=beyond/%.*s", (int)name.n, name.p);
        if (n < 0 || (size_t)n >= sizeof key)
                return 0;
        return odm_bridge_keep(b, (odm_str){key, (size_t)n},
                               odm_str_is(alert->type, TRAP "Notification") ? ODM_ABSENT
                                                                            : ODM_STR("1"));
}

/* A value of an observation: it is reported, and judged by its limits. */
static int tell(odm_bridge *b, const odm_bridge_observation *o, const odm_bridge_node *n,
                odm_arena *a, odm_bridge_news *out)
{
        report(n, out);
        return judge(b, o, n, a, out);
}

/* Resources by their own address are told by it, whatever else they are in the tree. */
static int tell_raw(odm_bridge *b, const odm_bridge_observation *o, const odm_lw_list *l,
                    odm_arena *a, odm_bridge_news *out)
{
        for (size_t i = 0; i < l->n; i++) {
                const odm_lw_node *v = &l->v[i];
                odm_bridge_node n = {.t = v->t};
                if (v->value.type == ODM_LW_T_NONE || !odm_lw_path_below(v->path, o->path))
                        continue;
                n.path = odm_bridge_raw_uri(v->path, a);
                if (n.path.p == NULL)
                        return odm_arena_err(a);
                int rc = odm_bridge_plain(odm_bridge_raw_format(v->value.type), &v->value, a,
                                          &n.value);
                if (rc == 1)
                        rc = tell(b, o, &n, a, out);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

int odm_bridge_tell_observed(odm_bridge *b, const odm_lw_list *l, const odm_bridge_nodes *v,
                             odm_arena *a, odm_bridge_news *out)
{
        odm_bridge_observation all[ODM_BRIDGE_OBSERVE];
        size_t n = odm_bridge_observations(b, all);
        odm_lw_path raw;
        int rc = 0;

        /* names and addresses are those of what is kept, to which judging adds: in the arena */
        for (size_t k = 0; k < n; k++) {
                all[k].name = odm_arena_copy(a, all[k].name);
                all[k].ref = odm_arena_copy(a, all[k].ref);
        }
        for (size_t k = 0; k < n && rc == 0 && !a->err; k++) {
                if (!all[k].there)
                        continue;
                if (odm_bridge_raw(all[k].ref, &raw) == 0) {
                        rc = tell_raw(b, &all[k], l, a, out);
                        continue;
                }
                for (size_t i = 0; i < v->n && rc == 0; i++)
                        if (v->v[i].has_data && is_below(v->v[i].path, all[k].ref))
                                rc = tell(b, &all[k], &v->v[i], a, out);
        }
        return rc < 0 ? rc : a->err;
}
