/* SPDX-License-Identifier: Apache-2.0 */
/* Rules are text, a line a node (README.md), read once; a line that makes no sense is told with its
 * number. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "map.h"

#define TEXT_MAX ((size_t)1 << 20)
#define WORDS 8

struct reader {
        odm_map *m;
        const odm_lw_registry *reg;
        odm_map_fault *why;
        unsigned line;
};

static int refuse(struct reader *r, const char *fmt, ...) ODM_PRINTF(2, 3);

static int refuse(struct reader *r, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        r->why->line = r->line;
        (void)vsnprintf(r->why->text, sizeof r->why->text, fmt, ap);
        va_end(ap);
        return ODM_EMALFORMED;
}

#define SHOW(s) (int)((s).n < 60 ? (s).n : 60), (s).p

enum task odm_bridge_task(odm_str name)
{
        static const char *const names[] = {
#define X(id, text) text,
                BRIDGE_TASKS(X)
#undef X
        };
        unsigned i = 0;

        while (i < ODM_COUNT(names) && !odm_str_is(name, names[i]))
                i++;
        return (enum task)i;
}

const char *odm_bridge_task_name(enum task t)
{
        static const char *const names[] = {
#define X(id, text) text,
                BRIDGE_TASKS(X)
#undef X
        };
        assert((unsigned)t < ODM_COUNT(names));
        return names[t];
}

static const char *const rule_names[] = {
#define X(id, text) text,
        BRIDGE_RULES(X)
#undef X
};

/* The part of a=b before or behind the sign; absent when there is none. */
static odm_str side(odm_str pair, bool right)
{
        for (size_t i = 0; i < pair.n; i++)
                if (pair.p[i] == '=')
                        return right ? odm_str_from(pair, i + 1) : odm_str_to(pair, i);
        return ODM_ABSENT;
}

static odm_str look_up(odm_str arg, odm_str key, bool by_right)
{
        while (arg.n > 0) {
                size_t n = 0;
                while (n < arg.n && arg.p[n] != ',')
                        n++;
                odm_str pair = odm_str_to(arg, n);
                if (odm_str_eq(side(pair, by_right), key))
                        return side(pair, !by_right);
                arg = odm_str_from(arg, n + 1);
        }
        return ODM_ABSENT;
}

odm_str odm_bridge_enum(odm_str arg, odm_str left)
{
        return look_up(arg, left, false);
}

odm_str odm_bridge_enum_back(odm_str arg, odm_str right)
{
        return look_up(arg, right, true);
}

/* ---- fields of a line -------------------------------------------------------------------- */

static int read_node(struct reader *r, odm_str s, struct row *out)
{
        odm_uri uri;
        odm_uri_limits lim = {.max_depth = SEGS_MAX};

        if (!odm_str_starts(s, "./") || odm_uri_parse(s, &lim, &uri) < 0 || uri.depth == 0 ||
            uri.prop != ODM_PROP_NONE || uri.list != ODM_LIST_NONE)
                return refuse(r, "\"%.*s\" is no address of a node", SHOW(s));
        out->node = s;
        out->n_seg = (uint8_t)uri.depth;
        out->star = -1;
        for (unsigned i = 0; i < uri.depth; i++) {
                out->seg[i] = uri.seg[i];
                if (!odm_str_is(uri.seg[i], "*"))
                        continue;
                if (out->star >= 0)
                        return refuse(r, "more than one * in \"%.*s\"", SHOW(s));
                out->star = (int8_t)i;
        }
        return 0;
}

static int read_format(struct reader *r, odm_str s, struct row *out)
{
        out->format = odm_format_parse(s);
        if (out->format == ODM_FMT_ABSENT || out->format == ODM_FMT_OTHER)
                return refuse(r, "\"%.*s\" is no format", SHOW(s));
        return 0;
}

static int read_access(struct reader *r, odm_str s, struct row *out)
{
        static const struct {
                char letter;
                uint8_t bit;
        } known[] = {{'G', ODM_ACC_GET},
                     {'R', ODM_ACC_REPLACE},
                     {'A', ODM_ACC_ADD},
                     {'D', ODM_ACC_DELETE},
                     {'E', ODM_ACC_EXEC}};

        if (odm_str_is(s, "-"))
                return 0;
        for (size_t i = 0; i < s.n; i++) {
                size_t k = 0;
                while (k < ODM_COUNT(known) && known[k].letter != s.p[i])
                        k++;
                if (k == ODM_COUNT(known))
                        return refuse(r, "\"%.*s\" is no access", SHOW(s));
                out->access |= known[k].bit;
        }
        return 0;
}

static int read_source(struct reader *r, odm_str s, struct row *out)
{
        char plain[64];
        size_t n = 0;

        out->source_text = s;
        out->source_star = -1;
        if (odm_str_is(s, "-"))
                return 0;
        if (s.n >= sizeof plain)
                return refuse(r, "\"%.*s\" is no path", SHOW(s));
        int8_t at = -1;
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                if (c == '/')
                        at++;
                if (c == '*' || c == '^') {
                        if (out->source_star >= 0 || out->first_instance || (at != 1 && at != 3) ||
                            (c == '^' && at != 1))
                                return refuse(r, "no %c may stand there in \"%.*s\"", c, SHOW(s));
                        if (c == '*')
                                out->source_star = at;
                        else
                                out->first_instance = true;
                        c = '0';
                }
                plain[n++] = c;
        }
        if (!odm_str_starts(s, "/") || odm_lw_path_parse((odm_str){plain, n}, &out->source) < 0 ||
            out->source.depth == 0)
                return refuse(r, "\"%.*s\" is no path", SHOW(s));
        if (out->source.id[0] == 0)
                return refuse(r, "object 0 holds secrets and is never mapped");
        out->has_source = true;
        if (out->source.depth >= 3 &&
            !odm_lw_resource_find(r->reg, out->source.id[0], out->source.id[2]))
                return refuse(r, "\"%.*s\": no such resource is known", SHOW(s));
        return 0;
}

static int read_when(struct reader *r, odm_str s, struct row *out)
{
        odm_str res = side(odm_str_from(s, 1), false), values = side(odm_str_from(s, 1), true);
        uint64_t v;

        if (res.p == NULL || odm_str_u64(res, ODM_LW_ID_MAX, &v) < 0)
                return refuse(r, "\"%.*s\" is no condition", SHOW(s));
        out->when = (uint16_t)v;
        while (values.n > 0) {
                size_t n = 0;
                while (n < values.n && values.p[n] != ',')
                        n++;
                if (out->n_when == WHEN_MAX ||
                    odm_str_u64(odm_str_to(values, n), INT32_MAX, &v) < 0)
                        return refuse(r, "\"%.*s\" is no condition", SHOW(s));
                out->when_value[out->n_when++] = (int64_t)v;
                values = odm_str_from(values, n + 1);
        }
        if (out->n_when == 0)
                return refuse(r, "\"%.*s\" is no condition", SHOW(s));
        return 0;
}

/* ---- what must hold of a rule ---------------------------------------------------------------- */

enum need { ARG = 1, NO_ARG = 2, SOURCE = 4, RESOURCE = 8, NO_SOURCE = 16, STAR = 32 };

static const unsigned needs[] = {
        [RULE_PLAIN] = NO_ARG,
        [RULE_MO] = ARG | NO_SOURCE,
        [RULE_CONST] = ARG,
        [RULE_ID] = NO_ARG,
        [RULE_OR_EMPTY] = NO_ARG | RESOURCE,
        [RULE_OR_KEPT] = NO_ARG | RESOURCE,
        [RULE_ENUM] = ARG | RESOURCE,
        [RULE_TIMES] = ARG | RESOURCE,
        [RULE_DECIMAL] = ARG | RESOURCE,
        [RULE_LIST] = NO_ARG | RESOURCE,
        [RULE_IPV4] = NO_ARG | RESOURCE,
        [RULE_IPV6] = NO_ARG | RESOURCE,
        [RULE_KEPT] = SOURCE,
        [RULE_MADE] = NO_ARG | SOURCE | STAR,
        [RULE_STAGE] = NO_ARG | SOURCE,
        [RULE_FUMO_STATE] = NO_ARG | RESOURCE,
        [RULE_SCOMO_STATUS] = NO_ARG | SOURCE | STAR,
        [RULE_SLEEP] = NO_ARG | RESOURCE,
        [RULE_AWAKE] = NO_ARG,
        [RULE_TRAP] = ARG | RESOURCE | STAR,
        [RULE_TRAP_ID] = ARG | RESOURCE | STAR,
        [RULE_TRAP_STATUS] = NO_ARG | RESOURCE | STAR,
        [RULE_EXEC] = RESOURCE,
        [RULE_JOB] = ARG | SOURCE,
};

/* Leaves below a node that a server makes have the names of their own. */
static bool names_are_kept(const struct row *w)
{
        return w->rule == RULE_MADE || w->rule == RULE_SCOMO_STATUS || w->rule == RULE_TRAP ||
               w->rule == RULE_TRAP_ID || w->rule == RULE_TRAP_STATUS ||
               ((w->rule == RULE_KEPT || w->rule == RULE_JOB) && w->source_star < 0);
}

static int check(struct reader *r, struct row *w)
{
        unsigned need = needs[w->rule];
        uint64_t v;

        if ((need & ARG && w->arg.n == 0) || (need & NO_ARG && w->arg.n > 0))
                return refuse(r, "rule \"%s\" %s", rule_names[w->rule],
                              need & ARG ? "wants an argument" : "takes no argument");
        if ((need & SOURCE && !w->has_source) || (need & NO_SOURCE && w->has_source) ||
            (need & RESOURCE && w->source.depth < 3))
                return refuse(r, "rule \"%s\" wants %s", rule_names[w->rule],
                              need & RESOURCE ? "a resource"
                              : need & SOURCE ? "a source"
                                              : "no source");
        if (need & STAR && w->star < 0)
                return refuse(r, "rule \"%s\" wants a * in the address", rule_names[w->rule]);
        if ((w->star >= 0) != (w->source_star >= 0) && !names_are_kept(w))
                return refuse(r, "a * in the address and none in the source, or the other way");
        if (w->n_when > 0 && w->source.depth < 2)
                return refuse(r, "a condition wants an instance as its source");
        if ((w->rule == RULE_TIMES || w->rule == RULE_DECIMAL) &&
            (odm_str_u64(w->arg, 1000000, &v) < 0 || v == 0))
                return refuse(r, "\"%.*s\" is no number", SHOW(w->arg));
        if (w->rule == RULE_JOB) {
                w->task = odm_bridge_task(w->arg);
                if (w->task == TASK_NONE)
                        return refuse(r, "\"%.*s\" is no job", SHOW(w->arg));
        }
        if (w->rule == RULE_PLAIN && w->format != ODM_FMT_NODE && w->source.depth < 3)
                return refuse(r, "a leaf wants a resource or a rule");
        if ((w->rule == RULE_JOB || w->rule == RULE_EXEC) != ((w->access & ODM_ACC_EXEC) != 0))
                return refuse(r, "Exec goes with the rules \"exec\" and \"job\"");
        return 0;
}

static int read_rule(struct reader *r, const odm_str *word, size_t n, struct row *w)
{
        size_t i = 0;

        if (n > 0 && word[n - 1].p[0] == '?') {
                int rc = read_when(r, word[n - 1], w);
                if (rc < 0)
                        return rc;
                n--;
        }
        if (n == 0)
                return 0;
        while (i < ODM_COUNT(rule_names) && !odm_str_is(word[0], rule_names[i]))
                i++;
        if (i == ODM_COUNT(rule_names))
                return refuse(r, "\"%.*s\" is no rule", SHOW(word[0]));
        if (n > 2)
                return refuse(r, "too many words");
        w->rule = (enum rule)i;
        w->arg = n > 1 ? word[1] : ODM_STR("");
        return 0;
}

static size_t split(odm_str line, odm_str word[WORDS])
{
        size_t n = 0;

        for (line = odm_str_trim(line); line.n > 0; line = odm_str_trim(line)) {
                size_t k = 0;
                while (k < line.n && line.p[k] != ' ' && line.p[k] != '\t')
                        k++;
                if (n == WORDS)
                        return WORDS + 1;
                word[n++] = odm_str_to(line, k);
                line = odm_str_from(line, k);
        }
        return n;
}

static int push(struct reader *r, const struct row *w)
{
        odm_map *m = r->m;

        for (size_t i = 0; i < m->n; i++)
                if (odm_str_eq(m->v[i].node, w->node))
                        return refuse(r, "\"%.*s\" has a rule already", SHOW(w->node));
        if (m->n == m->cap) {
                size_t cap = m->cap ? m->cap * 2 : 64;
                if (m->n >= ROWS_MAX)
                        return ODM_ELIMIT;
                struct row *v =
                        m->mem->resize(m->mem->ctx, m->v, m->cap * sizeof *v, cap * sizeof *v);
                if (v == NULL)
                        return ODM_ENOMEM;
                m->v = v;
                m->cap = cap;
        }
        m->v[m->n++] = *w;
        return 0;
}

static int read_line(struct reader *r, odm_str line)
{
        odm_str word[WORDS];
        struct row w = {.arg = ODM_STR("")};
        size_t n;

        line = odm_str_trim(line);
        if (line.n == 0 || line.p[0] == '#')
                return 0;
        if (!odm_utf8_ok(line))
                return refuse(r, "no text");
        n = split(line, word);
        if (n > WORDS)
                return refuse(r, "too many words");
        if (n < 4)
                return refuse(r, "a line has address, format, access and source");
        int rc = read_node(r, word[0], &w);
        if (rc == 0)
                rc = read_format(r, word[1], &w);
        if (rc == 0)
                rc = read_access(r, word[2], &w);
        if (rc == 0)
                rc = read_source(r, word[3], &w);
        if (rc == 0)
                rc = read_rule(r, word + 4, n - 4, &w);
        if (rc == 0)
                rc = check(r, &w);
        return rc < 0 ? rc : push(r, &w);
}

int odm_map_parse(const odm_mem *mem, odm_str text, const odm_lw_registry *reg, odm_map **out,
                  odm_map_fault *why)
{
        odm_map *m = odm_alloc(mem, sizeof *m);
        int rc = 0;

        if (m == NULL)
                return ODM_ENOMEM;
        m->mem = mem;
        odm_arena_init(&m->text, mem, TEXT_MAX);
        odm_str all = odm_arena_copy(&m->text, text.p ? text : ODM_STR(""));
        struct reader r = {.m = m, .reg = reg, .why = why};
        if (all.p == NULL)
                rc = odm_arena_err(&m->text);
        while (rc == 0 && all.n > 0) {
                size_t n = 0;
                while (n < all.n && all.p[n] != '\n')
                        n++;
                r.line++;
                rc = read_line(&r, odm_str_to(all, n));
                all = odm_str_from(all, n + 1);
        }
        if (rc < 0)
                odm_map_free(m);
        else
                *out = m;
        return rc;
}

void odm_map_free(odm_map *m)
{
        if (m == NULL)
                return;
        odm_arena_done(&m->text);
        odm_free(m->mem, m->v, m->cap * sizeof *m->v);
        odm_free(m->mem, m, sizeof *m);
}

size_t odm_map_size(const odm_map *m)
{
        return m->n;
}

odm_map_row odm_map_row_at(const odm_map *m, size_t i)
{
        const struct row *w = &m->v[i];

        assert(i < m->n);
        return (odm_map_row){
                w->node, w->format, w->access, w->source_text, odm_cstr(rule_names[w->rule]),
                w->arg};
}
