/* SPDX-License-Identifier: Apache-2.0 */
/* Values of LwM2M as values of the tree, and back: the rules of a map, one function each. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "inner.h"

/* ---- finding values ----------------------------------------------------------------------- */

const odm_lw_node *odm_bridge_first(const odm_lw_list *l, odm_lw_path p)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].value.type != ODM_LW_T_NONE && odm_lw_path_below(l->v[i].path, p))
                        return &l->v[i];
        return NULL;
}

bool odm_bridge_int(const odm_lw_list *l, odm_lw_path p, int64_t *out)
{
        const odm_lw_node *n = odm_bridge_first(l, p);

        if (n == NULL)
                return false;
        switch (n->value.type) {
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: *out = n->value.i; return true;
        case ODM_LW_T_BOOLEAN: *out = n->value.b; return true;
        case ODM_LW_T_NONE:
        case ODM_LW_T_STRING:
        case ODM_LW_T_FLOAT:
        case ODM_LW_T_OPAQUE:
        case ODM_LW_T_OBJLNK:
        case ODM_LW_T_CORELNK:
        case ODM_LW_T_UNKNOWN: break;
        }
        return false;
}

bool odm_bridge_when(const struct from *f)
{
        const struct row *w = f->row;
        int64_t v;

        if (w->n_when == 0)
                return true;
        if (!odm_bridge_int(f->list, odm_lw_path_down(odm_lw_path_to(f->source, 2), w->when), &v))
                return false;
        for (unsigned i = 0; i < w->n_when; i++)
                if (w->when_value[i] == v)
                        return true;
        return false;
}

/* ---- into the tree -------------------------------------------------------------------------- */

static int given(odm_format format, odm_str text, odm_arena *a, odm_value *out)
{
        if (text.p == NULL)
                return odm_arena_err(a);
        *out = (odm_value){.format = format, .data = text};
        return 1;
}

static odm_str iso_time(int64_t s, odm_arena *a)
{
        char z[ODM_WALL_TEXT];

        if (s < 0 || s > 253402300799) /* 9999-12-31 */
                return ODM_ABSENT;
        odm_wall_format((odm_wall){s}, z);
        return odm_arena_copy(a, odm_cstr(z));
}

static int as_int(const odm_lw_value *v, int64_t *out)
{
        switch (v->type) {
        case ODM_LW_T_INTEGER:
        case ODM_LW_T_TIME: *out = v->i; return 1;
        case ODM_LW_T_BOOLEAN: *out = v->b; return 1;
        case ODM_LW_T_FLOAT:
                if (v->f < -9e15 || v->f > 9e15)
                        return 0;
                *out = (int64_t)(v->f < 0 ? v->f - 0.5 : v->f + 0.5);
                return 1;
        case ODM_LW_T_NONE:
        case ODM_LW_T_STRING:
        case ODM_LW_T_OPAQUE:
        case ODM_LW_T_OBJLNK:
        case ODM_LW_T_CORELNK:
        case ODM_LW_T_UNKNOWN: break;
        }
        return 0;
}

static int as_text(odm_format format, const odm_lw_value *v, odm_arena *a, odm_value *out)
{
        odm_str s;

        if (v->type == ODM_LW_T_TIME)
                s = iso_time(v->i, a);
        else if (v->type == ODM_LW_T_BOOLEAN)
                s = v->b ? ODM_STR("true") : ODM_STR("false");
        else if (v->type == ODM_LW_T_UNKNOWN && !odm_utf8_ok(v->data))
                return 0;
        else
                s = odm_lw_value_text(v, a);
        if (v->type == ODM_LW_T_TIME && s.p == NULL && a->err == 0)
                return 0;
        return given(format, s, a, out);
}

int odm_bridge_plain(odm_format format, const odm_lw_value *v, odm_arena *a, odm_value *out)
{
        odm_lw_value copy = *v;
        int64_t i;

        switch (format) {
        case ODM_FMT_INT:
                return as_int(v, &i) ? given(format, odm_arena_fmt(a, "%" PRId64, i), a, out) : 0;
        case ODM_FMT_BOOL:
                if (!as_int(v, &i))
                        return 0;
                return given(format, i ? ODM_STR("true") : ODM_STR("false"), a, out);
        case ODM_FMT_FLOAT:
                if (v->type == ODM_LW_T_INTEGER) {
                        copy.type = ODM_LW_T_FLOAT;
                        copy.f = (double)v->i;
                }
                return copy.type == ODM_LW_T_FLOAT ? as_text(format, &copy, a, out) : 0;
        case ODM_FMT_TIME:
        case ODM_FMT_DATE:
                if (v->type != ODM_LW_T_TIME && v->type != ODM_LW_T_INTEGER)
                        return 0;
                copy.type = ODM_LW_T_TIME;
                return as_text(format, &copy, a, out);
        case ODM_FMT_BIN:
        case ODM_FMT_B64:
                if (v->type == ODM_LW_T_OPAQUE || v->type == ODM_LW_T_UNKNOWN ||
                    v->type == ODM_LW_T_STRING)
                        return given(ODM_FMT_BIN, odm_arena_copy(a, v->data), a, out);
                return as_text(ODM_FMT_BIN, v, a, out);
        case ODM_FMT_CHR:
        case ODM_FMT_XML: return as_text(format, v, a, out);
        case ODM_FMT_NULL:
        case ODM_FMT_NODE:
        case ODM_FMT_ABSENT:
        case ODM_FMT_OTHER: break;
        }
        return 0;
}

odm_format odm_bridge_raw_format(odm_lw_type t)
{
        switch (t) {
        case ODM_LW_T_INTEGER: return ODM_FMT_INT;
        case ODM_LW_T_FLOAT: return ODM_FMT_FLOAT;
        case ODM_LW_T_BOOLEAN: return ODM_FMT_BOOL;
        case ODM_LW_T_UNKNOWN:
        case ODM_LW_T_OPAQUE: return ODM_FMT_BIN;
        case ODM_LW_T_TIME: return ODM_FMT_TIME;
        case ODM_LW_T_NONE: return ODM_FMT_NULL;
        case ODM_LW_T_STRING:
        case ODM_LW_T_OBJLNK:
        case ODM_LW_T_CORELNK: break;
        }
        return ODM_FMT_CHR;
}

static int by_enum(const struct from *f, const odm_lw_value *v, odm_arena *a, odm_value *out)
{
        int64_t i;

        if (!as_int(v, &i))
                return 0;
        odm_str key = odm_arena_fmt(a, "%" PRId64, i);
        if (key.p == NULL)
                return odm_arena_err(a);
        odm_str s = odm_bridge_enum(f->row->arg, key);
        if (s.p == NULL) /* a number that the rule does not know says as much as none */
                return 0;
        return given(f->row->format, s, a, out);
}

static uint64_t number(odm_str s)
{
        uint64_t v = 1;

        return odm_str_u64(s, 1000000, &v) < 0 ? 1 : v; /* the map was checked when it was read */
}

static int by_times(const struct from *f, const odm_lw_value *v, odm_arena *a, odm_value *out)
{
        int64_t i, by = (int64_t)number(f->row->arg);

        if (!as_int(v, &i) || i > INT64_MAX / by || i < INT64_MIN / by)
                return 0;
        return given(f->row->format, odm_arena_fmt(a, "%" PRId64, i * by), a, out);
}

static int by_decimal(const struct from *f, const odm_lw_value *v, odm_arena *a, odm_value *out)
{
        double d = v->type == ODM_LW_T_INTEGER ? (double)v->i : v->f;

        if ((v->type != ODM_LW_T_FLOAT && v->type != ODM_LW_T_INTEGER) || d < -1e9 || d > 1e9)
                return 0;
        odm_str s = odm_arena_fmt(a, "%.*f", (int)number(f->row->arg), d);
        while (s.n > 1 && s.p[s.n - 1] == '0' && s.p[s.n - 2] != '.')
                s.n--;
        if (s.n > 2 && s.p[s.n - 1] == '0')
                s.n -= 2;
        return given(f->row->format, s, a, out);
}

/* All values of a resource, a blank between them. */
static int by_list(const struct from *f, odm_arena *a, odm_value *out)
{
        odm_str all = ODM_ABSENT;

        for (size_t i = 0; i < f->list->n && a->err == 0; i++) {
                const odm_lw_node *n = &f->list->v[i];
                if (n->value.type == ODM_LW_T_NONE || !odm_lw_path_below(n->path, f->source))
                        continue;
                odm_str one = odm_lw_value_text(&n->value, a);
                all = all.p ? odm_arena_fmt(a, "%.*s %.*s", (int)all.n, all.p, (int)one.n, one.p)
                            : one;
        }
        if (a->err)
                return a->err;
        return all.p ? given(f->row->format, all, a, out) : 0;
}

/* The first of several addresses that is of the family. */
static int by_address(const struct from *f, char mark, odm_arena *a, odm_value *out)
{
        for (size_t i = 0; i < f->list->n; i++) {
                const odm_lw_node *n = &f->list->v[i];
                if (odm_lw_path_below(n->path, f->source) && n->value.type == ODM_LW_T_STRING &&
                    odm_str_has(n->value.data, mark) == true &&
                    (mark == ':' || !odm_str_has(n->value.data, ':')))
                        return given(f->row->format, odm_arena_copy(a, n->value.data), a, out);
        }
        return 0;
}

static int as_number(const struct from *f, unsigned v, odm_arena *a, odm_value *out)
{
        return given(f->row->format, odm_arena_fmt(a, "%u", v), a, out);
}

static unsigned job_state(const odm_bridge *b, bool firmware, odm_str name)
{
        for (size_t i = 0; i < ODM_COUNT(b->job); i++) {
                const odm_job *j = b->job[i];
                if (j == NULL || odm_job_is_over(j))
                        continue;
                bool fumo = odm_job_task(j) <= TASK_FUMO_BOTH;
                if (fumo == firmware && (fumo || odm_str_eq(odm_job_name(j), name)))
                        return odm_job_state(j);
        }
        return 0;
}

/* What a job is at comes first; then how the gateway's own part of the last one ended; then what
 * the device says. */
static int by_fumo_state(const struct from *f, odm_arena *a, odm_value *out)
{
        odm_lw_path in = odm_lw_path_to(f->source, 2);
        unsigned state = job_state(f->b, true, ODM_ABSENT);
        int64_t s, r = 0;

        if (state)
                return as_number(f, state, a, out);
        odm_str kept = odm_bridge_kept(f->b, ODM_STR("=FUMO"));
        if (!odm_bridge_int(f->list, odm_lw_path_down(in, 3), &s))
                return kept.p ? given(f->row->format, kept, a, out) : 0;
        (void)odm_bridge_int(f->list, odm_lw_path_down(in, 5), &r);
        if (kept.p && s == 0)
                return given(f->row->format, kept, a, out);
        return as_number(f, odm_bridge_fumo_state(s, r), a, out);
}

static int by_scomo_status(const struct from *f, odm_arena *a, odm_value *out)
{
        unsigned state = job_state(f->b, false, f->name);
        odm_str kept;

        if (state)
                return as_number(f, state, a, out);
        odm_str key = odm_arena_join(a, ODM_STR("=SCM/"), f->name);
        if (key.p == NULL)
                return odm_arena_err(a);
        kept = odm_bridge_kept(f->b, key);
        return given(f->row->format, kept.p ? kept : ODM_STR("10"), a, out);
}

static int by_kept(const struct from *f, odm_str path, odm_arena *a, odm_value *out)
{
        odm_str kept = odm_bridge_kept(f->b, path);

        if (kept.p == NULL && f->row->star >= 0 && f->row->arg.n == 0)
                return 0; /* a server makes those one by one */
        return given(f->row->format, odm_arena_copy(a, kept.p ? kept : f->row->arg), a, out);
}

/* What the device says itself counts; of a package that it has not heard of it says nothing, or an
 * empty text. */
static int by_own_or_kept(const struct from *f, odm_str path, const odm_lw_node *n, odm_arena *a,
                          odm_value *out)
{
        if (n && (n->value.type != ODM_LW_T_STRING || n->value.data.n > 0))
                return odm_bridge_plain(f->row->format, &n->value, a, out);
        return by_kept(f, path, a, out);
}

static int by_sleep(const struct from *f, const odm_lw_value *v, odm_arena *a, odm_value *out)
{
        int64_t s;

        if (!as_int(v, &s))
                return 0;
        return given(f->row->format, odm_arena_fmt(a, "%" PRId64, f->b->queue ? s : (int64_t)0), a,
                     out);
}

int odm_bridge_trap_code(odm_str name)
{
        uint64_t v;

        if (!odm_str_starts(name, "error") ||
            odm_str_u64(odm_str_from(name, 5), TRAPS_MAX - 1, &v) < 0 ||
            (name.n > 6 && name.p[5] == '0'))
                return -1;
        return (int)v;
}

/* As the codes that were just read say, else as they were last told. */
static int by_trap_status(const struct from *f, odm_arena *a, odm_value *out)
{
        int code = odm_bridge_trap_code(f->name);
        bool active = code >= 0 && (f->b->trap_active >> code & 1), read = false;

        for (size_t i = 0; i < f->list->n; i++) {
                const odm_lw_node *n = &f->list->v[i];
                if (!odm_lw_path_below(n->path, f->source))
                        continue;
                active = read ? active : false;
                read = true;
                active = active || (n->value.type == ODM_LW_T_INTEGER && n->value.i == code);
        }
        return as_number(f, active ? 20 : 10, a, out);
}

/* Rules that need no value of the device. */
static int without_value(const struct from *f, odm_str path, odm_arena *a, odm_value *out)
{
        const odm_bridge *b = f->b;

        switch (f->row->rule) {
        case RULE_CONST: return given(f->row->format, f->row->arg, a, out);
        case RULE_ID: return given(f->row->format, (odm_str){b->id, b->id_n}, a, out);
        case RULE_AWAKE:
                return given(f->row->format, b->awake ? ODM_STR("AWAKE") : ODM_STR("ASLEEP"), a,
                             out);
        case RULE_KEPT: return by_kept(f, path, a, out);
        case RULE_SCOMO_STATUS: return by_scomo_status(f, a, out);
        case RULE_FUMO_STATE: return by_fumo_state(f, a, out);
        case RULE_LIST: return by_list(f, a, out);
        case RULE_IPV4: return by_address(f, '.', a, out);
        case RULE_IPV6: return by_address(f, ':', a, out);
        case RULE_PLAIN:
        case RULE_MO:
        case RULE_OR_EMPTY:
        case RULE_OR_KEPT:
        case RULE_ENUM:
        case RULE_TIMES:
        case RULE_DECIMAL:
        case RULE_MADE:
        case RULE_STAGE:
        case RULE_SLEEP:
        case RULE_TRAP:
        case RULE_EXEC:
        case RULE_JOB: break;
        case RULE_TRAP_ID:
                return given(f->row->format,
                             odm_arena_fmt(a, "%.*s/%.*s", (int)f->row->arg.n, f->row->arg.p,
                                           (int)f->name.n, f->name.p),
                             a, out);
        case RULE_TRAP_STATUS: return by_trap_status(f, a, out);
        }
        return 0;
}

int odm_bridge_to_dm(const struct from *f, odm_str path, odm_arena *a, odm_value *out, int64_t *t)
{
        const odm_lw_node *n = f->row->has_source && f->row->source.depth >= 3
                                       ? odm_bridge_first(f->list, f->source)
                                       : NULL;

        *t = n ? n->t : 0;
        switch (f->row->rule) {
        case RULE_PLAIN: return n ? odm_bridge_plain(f->row->format, &n->value, a, out) : 0;
        case RULE_OR_EMPTY:
                return n ? odm_bridge_plain(f->row->format, &n->value, a, out)
                         : given(f->row->format, ODM_STR(""), a, out);
        case RULE_OR_KEPT: return by_own_or_kept(f, path, n, a, out);
        case RULE_ENUM: return n ? by_enum(f, &n->value, a, out) : 0;
        case RULE_TIMES: return n ? by_times(f, &n->value, a, out) : 0;
        case RULE_DECIMAL: return n ? by_decimal(f, &n->value, a, out) : 0;
        case RULE_SLEEP: return n ? by_sleep(f, &n->value, a, out) : 0;
        case RULE_MO:
        case RULE_CONST:
        case RULE_ID:
        case RULE_LIST:
        case RULE_IPV4:
        case RULE_IPV6:
        case RULE_KEPT:
        case RULE_MADE:
        case RULE_STAGE:
        case RULE_FUMO_STATE:
        case RULE_SCOMO_STATUS:
        case RULE_AWAKE:
        case RULE_TRAP:
        case RULE_TRAP_ID:
        case RULE_TRAP_STATUS:
        case RULE_EXEC:
        case RULE_JOB: break;
        }
        return without_value(f, path, a, out);
}

/* ---- to the device --------------------------------------------------------------------------- */

/* The type that a value of the tree has by its format, where nobody knows the resource. */
static odm_lw_type type_of(odm_format f)
{
        switch (f) {
        case ODM_FMT_INT: return ODM_LW_T_INTEGER;
        case ODM_FMT_FLOAT: return ODM_LW_T_FLOAT;
        case ODM_FMT_BOOL: return ODM_LW_T_BOOLEAN;
        case ODM_FMT_BIN:
        case ODM_FMT_B64: return ODM_LW_T_OPAQUE;
        case ODM_FMT_TIME:
        case ODM_FMT_DATE: return ODM_LW_T_TIME;
        case ODM_FMT_ABSENT:
        case ODM_FMT_CHR:
        case ODM_FMT_NODE:
        case ODM_FMT_NULL:
        case ODM_FMT_XML:
        case ODM_FMT_OTHER: break;
        }
        return ODM_LW_T_STRING;
}

static int as_resource(odm_lw_type type, odm_str text, odm_arena *a, odm_lw_value *out)
{
        odm_lw_value v = {.type = type, .data = text};
        odm_wall w;

        if (type == ODM_LW_T_TIME && odm_wall_parse(text, &w) == 0) {
                v.i = w.s;
                *out = v;
                return 0;
        }
        if (type == ODM_LW_T_OPAQUE) {
                *out = v;
                return 0;
        }
        return odm_lw_value_parse(type, text, a, out);
}

int odm_bridge_to_lw(const struct row *row, odm_lw_type type, const odm_value *v, odm_arena *a,
                     odm_lw_value *out)
{
        odm_str text = v->data.p ? v->data : ODM_STR("");
        int64_t i, by;

        if (type == ODM_LW_T_UNKNOWN)
                type = type_of(v->format);
        if (type == ODM_LW_T_NONE)
                return ODM_EMALFORMED;
        if (row && row->rule == RULE_ENUM) {
                text = odm_bridge_enum_back(row->arg, text);
                if (text.p == NULL)
                        return ODM_EMALFORMED;
        }
        int rc = as_resource(type, text, a, out);
        if (rc == 0 && row && row->rule == RULE_TIMES) {
                by = (int64_t)number(row->arg);
                if (!as_int(out, &i) || i % by != 0)
                        return ODM_EMALFORMED;
                out->i = i / by;
        }
        return rc;
}

/* ---- addresses --------------------------------------------------------------------------------- */

static bool number_of(odm_str name, uint16_t *out)
{
        uint64_t v;

        if (odm_str_u64(name, ODM_LW_ID_MAX, &v) < 0 || (name.n > 1 && name.p[0] == '0'))
                return false;
        *out = (uint16_t)v;
        return true;
}

bool odm_bridge_source(const odm_bridge *b, const struct row *row, odm_str name, odm_lw_path *out)
{
        odm_lw_path p = row->source;

        if (!row->has_source) {
                *out = (odm_lw_path){0};
                return true;
        }
        if (row->first_instance) {
                p.id[1] = odm_bridge_instance(b, p.id[0], 0);
                if (p.id[1] == NO_INSTANCE)
                        return false;
        }
        if (row->source_star >= 0 && !number_of(name, &p.id[row->source_star]))
                return false;
        *out = p;
        /* what is kept for an instance needs no resource of it */
        return odm_bridge_has(b, row->rule == RULE_OR_KEPT ? odm_lw_path_to(p, 2) : p);
}

const struct row *odm_bridge_row(const odm_bridge *b, odm_str path, odm_str *name)
{
        odm_uri_limits lim = {.max_depth = SEGS_MAX};
        odm_uri uri;

        *name = ODM_ABSENT;
        if (odm_uri_parse(path, &lim, &uri) < 0)
                return NULL;
        for (size_t i = 0; i < b->map->n; i++) {
                const struct row *w = &b->map->v[i];
                unsigned k = 0;
                if (w->n_seg != uri.depth)
                        continue;
                while (k < uri.depth && ((int)k == w->star || odm_str_eq(w->seg[k], uri.seg[k])))
                        k++;
                if (k < uri.depth)
                        continue;
                if (w->star >= 0)
                        *name = uri.seg[w->star];
                return w;
        }
        return NULL;
}

#define RAW "./LwM2M"

int odm_bridge_raw(odm_str path, odm_lw_path *out)
{
        size_t n = sizeof RAW - 1;

        if (!odm_str_starts(path, RAW) || (path.n > n && path.p[n] != '/'))
                return ODM_ENOENT;
        if (path.n > n + 1 && (path.p[n + 1] < '0' || path.p[n + 1] > '9'))
                return ODM_ENOENT; /* a name: it may have a rule */
        if (odm_lw_path_parse(odm_str_from(path, n), out) < 0)
                return ODM_EMALFORMED;
        return out->depth > 0 && out->id[0] == 0 ? ODM_EMALFORMED : 0;
}

odm_str odm_bridge_raw_uri(odm_lw_path p, odm_arena *a)
{
        char z[ODM_LW_PATH_TEXT];
        odm_str s = odm_lw_path_format(p, z);

        return p.depth == 0 ? odm_arena_copy(a, ODM_STR(RAW)) : odm_arena_join(a, ODM_STR(RAW), s);
}
