/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

const char *lab_map_path;
const char *lab_map_text;

static odm_str read_file(const char *path)
{
        FILE *f = fopen(path, "r");
        char *p = malloc(65536);
        size_t n = f && p ? fread(p, 1, 65536, f) : 0;

        if (f)
                (void)fclose(f);
        assert_true(n > 0 && n < 65536);
        return (odm_str){p, n};
}

static int load_map(lab *l)
{
        odm_map_fault why = {0};
        odm_str text = lab_map_text ? exact_copy(lab_map_text) : read_file(lab_map_path);
        int rc = odm_map_parse(l->mem, text, NULL, &l->map, &why);

        if (rc == ODM_EMALFORMED)
                fail_msg("%s:%u: %s", lab_map_text ? "map" : lab_map_path, why.line, why.text);
        free((void *)(uintptr_t)text.p);
        return rc;
}

int lab_open(lab *l, const odm_mem *mem, const char *links, const char *version)
{
        odm_bridge_opt opt = {.mem = mem, .id = ODM_STR("urn:dev:os:32473-1")};
        odm_lw_links parsed;

        *l = (lab){.mem = mem};
        odm_arena_init(&l->a, &heap, 4 << 20);
        int rc = load_map(l);
        opt.map = l->map;
        if (rc == 0)
                rc = odm_bridge_new(&opt, &l->b);
        if (rc == 0)
                rc = odm_lw_links_parse(odm_cstr(links), ODM_ABSENT, &l->a, &parsed);
        if (rc == 0)
                rc = odm_bridge_offers(l->b, &parsed, odm_cstr(version));
        return rc;
}

void lab_close(lab *l)
{
        odm_bridge_free(l->b);
        odm_map_free(l->map);
        odm_arena_done(&l->a);
}

static odm_lw_path path_of(const char *z)
{
        odm_lw_path p;

        assert_int_equal(odm_lw_path_parse(odm_cstr(z), &p), 0);
        return p;
}

static lab_value *find(lab *l, odm_lw_path p)
{
        for (size_t i = 0; i < l->n; i++)
                if (odm_lw_path_eq(l->v[i].path, p))
                        return &l->v[i];
        return NULL;
}

static void set(lab *l, odm_lw_path p, odm_str text)
{
        lab_value *v = find(l, p);
        size_t i = l->n;

        if (v == NULL) {
                assert_true(l->n < LAB_VALUES);
                while (i > 0 && odm_lw_path_cmp(l->v[i - 1].path, p) > 0) {
                        l->v[i] = l->v[i - 1];
                        i--;
                }
                l->n++;
                v = &l->v[i];
                v->path = p;
        }
        assert_true(text.n < sizeof v->text);
        memcpy(v->text, text.p, text.n);
        v->text[text.n] = '\0';
}

void lab_set(lab *l, const char *path, const char *text)
{
        set(l, path_of(path), odm_cstr(text));
}

void lab_del(lab *l, const char *path)
{
        odm_lw_path p = path_of(path);
        size_t k = 0;

        for (size_t i = 0; i < l->n; i++)
                if (!odm_lw_path_below(l->v[i].path, p))
                        l->v[k++] = l->v[i];
        l->n = k;
}

const char *lab_get(const lab *l, const char *path)
{
        odm_lw_path p = path_of(path);

        for (size_t i = 0; i < l->n; i++)
                if (odm_lw_path_eq(l->v[i].path, p))
                        return l->v[i].text;
        return NULL;
}

static odm_lw_list below(lab *l, odm_lw_path p)
{
        odm_lw_node *v = odm_arena_zget(&l->a, (l->n + 1) * sizeof *v);
        odm_lw_list out = {v, 0};

        assert_non_null(v);
        for (size_t i = 0; i < l->n; i++) {
                if (!odm_lw_path_below(l->v[i].path, p) || l->v[i].text[0] == '\1')
                        continue;
                v[out.n].path = l->v[i].path;
                assert_int_equal(odm_lw_value_parse(odm_lw_type_at(NULL, l->v[i].path),
                                                    odm_cstr(l->v[i].text), &l->a, &v[out.n].value),
                                 0);
                out.n++;
        }
        return out;
}

odm_lw_list lab_list(lab *l, const char *path)
{
        return below(l, path_of(path));
}

static void note(lab *l, const char *fmt, ...) ODM_PRINTF(2, 3);
static void note(lab *l, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        l->log_n += (size_t)vsnprintf(l->log + l->log_n, sizeof l->log - l->log_n, fmt, ap);
        va_end(ap);
        assert_true(l->log_n < sizeof l->log);
}

static odm_str encode(lab *l, odm_lw_path at, unsigned ct, const odm_lw_list *list)
{
        odm_lw_frame f = {.at = at};
        odm_buf b;

        odm_buf_init(&b, &heap, 65536);
        assert_int_equal(odm_lw_encode(&f, ct, list, &b), 0);
        odm_str s = odm_arena_copy(&l->a, odm_buf_view(&b));
        odm_buf_done(&b);
        return s;
}

static odm_lw_answer on_read(lab *l, const odm_lw_request *rq)
{
        odm_lw_list list = below(l, rq->path);
        unsigned ct = rq->accept == ODM_LW_NO_CT ? ODM_LW_TLV : rq->accept;

        if (list.n == 0)
                return (odm_lw_answer){.code = 404, .ct = ODM_LW_NO_CT};
        return (odm_lw_answer){.code = 205, .ct = ct, .payload = encode(l, rq->path, ct, &list)};
}

static odm_lw_answer on_composite(lab *l, const odm_lw_request *rq)
{
        odm_lw_frame f = {0};
        odm_lw_list want, all = {odm_arena_zget(&l->a, LAB_VALUES * sizeof(odm_lw_node)), 0};

        assert_int_equal(odm_lw_decode(&f, rq->ct, rq->payload, &l->a, &want), 0);
        for (size_t i = 0; i < want.n; i++) {
                odm_lw_list some = below(l, want.v[i].path);
                char z[ODM_LW_PATH_TEXT];
                note(l, " %s", odm_lw_path_format(want.v[i].path, z).p);
                if (some.n)
                        memcpy(all.v + all.n, some.v, some.n * sizeof *some.v);
                all.n += some.n;
        }
        return (odm_lw_answer){
                .code = 205, .ct = rq->ct, .payload = encode(l, rq->path, rq->ct, &all)};
}

static odm_lw_answer on_discover(lab *l, const odm_lw_request *rq)
{
        odm_lw_link *v = odm_arena_zget(&l->a, LAB_VALUES * sizeof *v);
        odm_lw_links links = {.v = v};
        odm_buf b;

        for (size_t i = 0; i < l->n; i++) {
                odm_lw_path p = odm_lw_path_to(l->v[i].path, 3);
                if (!odm_lw_path_below(p, rq->path) ||
                    (links.n > 0 && odm_lw_path_eq(v[links.n - 1].path, p)))
                        continue;
                v[links.n++] = (odm_lw_link){.path = p, .dim = -1, .ssid = -1};
        }
        odm_buf_init(&b, &heap, 65536);
        assert_int_equal(odm_lw_links_format(&links, false, &b), 0);
        odm_lw_answer r = {.code = 205, .ct = ODM_LW_LINK};
        r.payload = odm_arena_copy(&l->a, odm_buf_view(&b));
        odm_buf_done(&b);
        return r;
}

static odm_lw_answer on_write(lab *l, const odm_lw_request *rq, unsigned good)
{
        odm_lw_frame f = {.at = rq->path};
        odm_lw_list list;

        if (l->tlv_only && rq->ct != ODM_LW_TLV)
                return (odm_lw_answer){.code = 415, .ct = ODM_LW_NO_CT};
        if (odm_lw_decode(&f, rq->ct, rq->payload, &l->a, &list) < 0)
                return (odm_lw_answer){.code = 400, .ct = ODM_LW_NO_CT};
        for (size_t i = 0; i < list.n; i++) {
                char z[ODM_LW_PATH_TEXT];
                odm_str text = odm_lw_value_text(&list.v[i].value, &l->a);
                note(l, " %s=%.*s", odm_lw_path_format(list.v[i].path, z).p, (int)text.n, text.p);
                if (list.v[i].value.type != ODM_LW_T_NONE)
                        set(l, list.v[i].path, text);
        }
        return (odm_lw_answer){.code = good, .ct = ODM_LW_NO_CT};
}

odm_lw_answer lab_answer(lab *l, const odm_lw_request *rq)
{
        odm_lw_answer none = {.code = 204, .ct = ODM_LW_NO_CT};
        char z[ODM_LW_PATH_TEXT];

        note(l, "%s%s %s", l->log_n ? "; " : "", odm_lw_verb_name(rq->verb),
             odm_lw_path_format(rq->path, z).p);
        if (l->silent)
                return (odm_lw_answer){.ct = ODM_LW_NO_CT};
        if (l->refuse) {
                none.code = l->refuse;
                l->refuse = 0;
                return none;
        }
        switch (rq->verb) {
        case ODM_LW_READ: return on_read(l, rq);
        case ODM_LW_OBSERVE: return on_read(l, rq);
        case ODM_LW_DISCOVER: return on_discover(l, rq);
        case ODM_LW_READ_COMPOSITE: return on_composite(l, rq);
        case ODM_LW_WRITE:
        case ODM_LW_UPDATE: return on_write(l, rq, 204);
        case ODM_LW_CREATE: return on_write(l, rq, 201);
        case ODM_LW_DELETE: lab_del(l, odm_lw_path_format(rq->path, z).p); break;
        case ODM_LW_EXECUTE:
                if (rq->payload.n)
                        note(l, " %.*s", (int)rq->payload.n, rq->payload.p);
                break;
        case ODM_LW_ATTRS: note(l, " has=%u", rq->attrs.has); break;
        case ODM_LW_STAGE: note(l, " %zu octets", rq->payload.n); break;
        case ODM_LW_CANCEL:
        case ODM_LW_WRITE_COMPOSITE: break;
        }
        return none;
}

int lab_run(lab *l, odm_plan *p)
{
        const odm_lw_request *rq;

        while (odm_plan_next(p, &rq) == 1) {
                odm_lw_answer r = lab_answer(l, rq);
                int rc = odm_plan_answer(p, &r);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

const odm_plan_result *lab_done(lab *l, odm_plan *p)
{
        assert_int_equal(lab_run(l, p), 0);
        return odm_plan_result_of(p);
}

void lab_forget(lab *l)
{
        l->log[0] = '\0';
        l->log_n = 0;
}

const odm_plan_result *lab_read(lab *l, const char *path, odm_ask ask)
{
        const odm_str s = odm_cstr(path);
        odm_plan *p;

        lab_forget(l);
        assert_int_equal(odm_plan_read(l->b, &s, 1, ask, &l->a, &p), 0);
        return lab_done(l, p);
}

static odm_bridge_node node_of(const char *path, odm_format format, const char *value)
{
        return (odm_bridge_node){.path = odm_cstr(path),
                                 .value = {.format = format, .data = odm_cstr(value)},
                                 .has_data = value != NULL};
}

unsigned lab_write(lab *l, const char *path, odm_format format, const char *value)
{
        const odm_bridge_node v = node_of(path, format, value);
        odm_plan *p;

        lab_forget(l);
        assert_int_equal(odm_plan_write(l->b, &v, 1, &l->a, &p), 0);
        return lab_done(l, p)->status;
}

unsigned lab_create(lab *l, const char *path, odm_format format, const char *value)
{
        const odm_bridge_node v = node_of(path, format, value);
        odm_plan *p;

        lab_forget(l);
        assert_int_equal(odm_plan_create(l->b, &v, 1, &l->a, &p), 0);
        return lab_done(l, p)->status;
}

odm_bridge_news lab_told(lab *l, const char *path)
{
        odm_lw_list list = lab_list(l, path);
        odm_bridge_news news;

        assert_int_equal(odm_bridge_told(l->b, &list, (odm_time){0}, &l->a, &news), 0);
        return news;
}

const char *lab_nodes(lab *l, odm_bridge_nodes nodes)
{
        const odm_bridge_node *v = nodes.v;
        odm_str s = ODM_STR("");

        for (size_t i = 0; i < nodes.n; i++) {
                odm_str type = v[i].value.type, data = v[i].value.data;
                s = odm_arena_fmt(&l->a, "%s%s%.*s %s%s%.*s%s%.*s", s.p, i ? "; " : "",
                                  (int)v[i].path.n, v[i].path.p, odm_format_name(v[i].value.format),
                                  type.p ? " " : "", (int)type.n, type.p ? type.p : "",
                                  v[i].has_data ? "=" : "", v[i].has_data ? (int)data.n : 0,
                                  data.p ? data.p : "");
                assert_non_null(s.p);
        }
        return s.p;
}

void lab_furnish(lab *l)
{
        static const struct {
                const char *path, *text;
        } v[] = {
                {"/1/0/0", "123"},
                {"/1/0/1", "300"},
                {"/1/0/6", "1"},
                {"/1/0/7", "UQ"},
                {"/3/0/0", "Acme"},
                {"/3/0/1", "M1"},
                {"/3/0/2", "S-9"},
                {"/3/0/3", "1.0"},
                {"/3/0/6/0", "1"},
                {"/3/0/7/0", "3300"},
                {"/3/0/9", "87"},
                {"/3/0/10", "512"},
                {"/3/0/11/0", "0"},
                {"/3/0/13", "1700000000"},
                {"/3/0/14", "+01:00"},
                {"/3/0/15", "Europe/Rome"},
                {"/3/0/17", "meter"},
                {"/3/0/18", "B"},
                {"/3/0/19", "2.1"},
                {"/3/0/20", "1"},
                {"/3/0/21", "1024"},
                {"/4/0/0", "6"},
                {"/4/0/2", "-92"},
                {"/4/0/4/0", "fe80::1"},
                {"/4/0/4/1", "10.0.0.7"},
                {"/4/0/5/0", "10.0.0.1"},
                {"/4/0/7/0", "m2m.example"},
                {"/4/0/8", "4711"},
                {"/4/0/9", "2"},
                {"/4/0/10", "262"},
                {"/5/0/3", "0"},
                {"/5/0/5", "0"},
                {"/5/0/6", "fw"},
                {"/5/0/7", "1.0"},
                {"/5/0/8/0", "0"},
                {"/5/0/9", "2"},
                {"/6/0/0", "45.4642"},
                {"/6/0/1", "9.19"},
                {"/6/0/2", "120.4"},
                {"/6/0/5", "1700000000"},
                {"/8/0/0", "1"},
                {"/8/0/2/0", "logs"},
                {"/8/0/2/1", "readings"},
                {"/8/0/5", "0"},
                {"/9/0/0", "meterd"},
                {"/9/0/1", "2.4"},
                {"/9/0/7", "4"},
                {"/9/0/9", "2"},
                {"/9/0/12", "1"},
                {"/9/2/0", "extra"},
                {"/9/2/1", "1"},
                {"/9/2/7", "3"},
                {"/9/2/9", "3"},
                {"/9/2/12", "0"},
        };

        for (size_t i = 0; i < ODM_COUNT(v); i++)
                lab_set(l, v[i].path, v[i].text);
}

void lab_begin(lab *l, const char *links)
{
        assert_int_equal(lab_open(l, &heap, links, "1.0"), 0);
        lab_furnish(l);
}
