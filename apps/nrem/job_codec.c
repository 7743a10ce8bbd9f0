/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs between JSON and commands.  The JSON was checked when the job was made (command.h); what
 * does not fit all the same is refused here as malformed, so that a job of a strange store cannot
 * hurt. */
#include "job_codec.h"

#include <jansson.h>
#include <string.h>

#include "heap.h"

#define DOC_TEXT_MAX ((size_t)128 << 20)
#define DEPTH_MAX 3 /* the Atomic around, a Sequence or Atomic, and its members */

static const struct word {
        const char *word;
        odm_cmd cmd;
} words[] = {
        {"get", ODM_CMD_GET},       {"add", ODM_CMD_ADD},           {"replace", ODM_CMD_REPLACE},
        {"delete", ODM_CMD_DELETE}, {"copy", ODM_CMD_COPY},         {"exec", ODM_CMD_EXEC},
        {"alert", ODM_CMD_ALERT},   {"sequence", ODM_CMD_SEQUENCE}, {"atomic", ODM_CMD_ATOMIC},
};

/* ---- one command -------------------------------------------------------------------- */

static bool is_true(const json_t *o, const char *name)
{
        return json_is_true(json_object_get(o, name));
}

/* What is said of the command beside what is sent. */
static void put_flags(const json_t *o, job_cmd *f)
{
        f->optional = is_true(o, "optional");
        f->split = f->c->kind == ODM_CMD_ATOMIC && is_true(o, "split");
        f->walk = f->c->kind == ODM_CMD_GET && job_list_of(f->c) != JOB_NO_LIST &&
                  !json_is_false(json_object_get(o, "fallback"));
}

static int text_of(const json_t *o, const char *name, odm_arena *a, odm_str *out)
{
        const json_t *v = json_object_get(o, name);
        odm_str s;

        if (v == NULL) {
                *out = ODM_ABSENT;
                return 0;
        }
        if (!json_is_string(v))
                return ODM_EMALFORMED;
        s = odm_arena_copy(a, (odm_str){json_string_value(v), json_string_length(v)});
        if (s.p == NULL)
                return odm_arena_err(a);
        *out = s;
        return 0;
}

static int kind_of(const json_t *o, odm_cmd *out)
{
        const char *word = json_string_value(json_object_get(o, "cmd"));

        for (size_t i = 0; word && i < ODM_COUNT(words); i++)
                if (strcmp(words[i].word, word) == 0) {
                        *out = words[i].cmd;
                        return 0;
                }
        return ODM_EMALFORMED;
}

/* Format bin travels as octets, which the session turns into base64 where the codec needs it; b64
 * is base64 text in both. */
static int put_data(const json_t *o, odm_item *item, odm_arena *a)
{
        odm_str text = ODM_ABSENT, b64 = ODM_ABSENT, octets;
        int rc = text_of(o, "data", a, &text);

        if (rc == 0)
                rc = text_of(o, "data_base64", a, &b64);
        if (rc < 0)
                return rc;
        if (b64.p && item->meta.format == ODM_FMT_ABSENT)
                item->meta.format = ODM_FMT_BIN;
        if (b64.p && item->meta.format == ODM_FMT_B64) {
                item->data = (odm_data){ODM_DATA_TEXT, b64};
                return 0;
        }
        if (b64.p) {
                rc = odm_b64_decode(a, b64, &octets);
                if (rc < 0)
                        return rc;
                item->data = (odm_data){ODM_DATA_OPAQUE, octets};
                return 0;
        }
        if (text.p == NULL)
                return 0;
        if (item->meta.format == ODM_FMT_B64) {
                text = odm_b64_encode(a, text);
                if (text.p == NULL)
                        return odm_arena_err(a);
        }
        item->data = (odm_data){item->meta.format == ODM_FMT_BIN ? ODM_DATA_OPAQUE : ODM_DATA_TEXT,
                                text};
        return 0;
}

static int put_value(const json_t *o, odm_item *item, odm_arena *a)
{
        odm_str format = ODM_ABSENT, type = ODM_ABSENT;
        int rc = text_of(o, "format", a, &format);

        if (rc == 0)
                rc = text_of(o, "type", a, &type);
        if (rc < 0)
                return rc;
        if (format.p) {
                item->meta.format = odm_format_parse(format);
                if (item->meta.format == ODM_FMT_OTHER)
                        return ODM_EMALFORMED;
        }
        item->meta.type = type;
        rc = put_data(o, item, a);
        if (item->meta.format != ODM_FMT_ABSENT)
                item->meta.format_text = odm_cstr(odm_format_name(item->meta.format));
        item->meta.present = item->meta.format != ODM_FMT_ABSENT || type.p != NULL;
        return rc;
}

static int put_target(const json_t *o, odm_command *c, odm_arena *a)
{
        odm_item *item = odm_new(a, odm_item);
        int rc;

        if (item == NULL)
                return odm_arena_err(a);
        rc = text_of(o, "uri", a, &item->target);
        if (rc == 0 && item->target.p == NULL)
                rc = ODM_EMALFORMED;
        if (rc == 0)
                rc = text_of(o, "source", a, &item->source);
        if (rc == 0 && c->kind == ODM_CMD_COPY && item->source.p == NULL)
                rc = ODM_EMALFORMED;
        if (rc == 0 &&
            (c->kind == ODM_CMD_ADD || c->kind == ODM_CMD_REPLACE || c->kind == ODM_CMD_EXEC))
                rc = put_value(o, item, a);
        if (rc == 0 && c->kind == ODM_CMD_EXEC)
                rc = text_of(o, "correlator", a, &c->correlator);
        c->items = item;
        return rc;
}

static odm_item *add_text(odm_item ***end, odm_str text, odm_arena *a)
{
        odm_item *item = odm_new(a, odm_item);

        if (item == NULL)
                return NULL;
        item->data = (odm_data){ODM_DATA_TEXT, text};
        **end = item;
        *end = &item->next;
        return item;
}

/* The options are the first item, empty or not; the text and the choices follow. */
static int put_interaction(const json_t *o, odm_command *c, odm_arena *a)
{
        const json_t *items = json_object_get(o, "items"), *v;
        json_int_t code = json_integer_value(json_object_get(o, "code"));
        odm_item **end = &c->items;
        odm_str s = ODM_ABSENT;
        size_t i;
        int rc = text_of(o, "options", a, &s);

        if (rc < 0)
                return rc;
        if (code < ODM_ALERT_DISPLAY || code > ODM_ALERT_CHOICES || !json_is_array(items))
                return ODM_EMALFORMED;
        c->code = (unsigned)code;
        if (add_text(&end, s.p ? s : ODM_STR(""), a) == NULL)
                return odm_arena_err(a);
        json_array_foreach(items, i, v)
        {
                if (!json_is_string(v))
                        return ODM_EMALFORMED;
                s = odm_arena_copy(a, (odm_str){json_string_value(v), json_string_length(v)});
                if (s.p == NULL || add_text(&end, s, a) == NULL)
                        return odm_arena_err(a);
        }
        return 0;
}

/* ---- lists -------------------------------------------------------------------------- */

typedef struct decoder {
        odm_arena *a;
        job_cmd *flat;
        uint32_t n;
} decoder;

static int decode_list(decoder *d, const json_t *list, int32_t parent, unsigned depth,
                       odm_command **out);

static int decode_one(decoder *d, const json_t *o, int32_t parent, unsigned depth,
                      odm_command **out)
{
        odm_command *c = odm_new(d->a, odm_command);
        uint32_t me = d->n;
        int rc;

        if (c == NULL)
                return odm_arena_err(d->a);
        if (me == JOB_COMMANDS_MAX)
                return ODM_ELIMIT;
        rc = kind_of(o, &c->kind);
        if (rc < 0)
                return rc;
        d->flat[d->n++] = (job_cmd){.c = c, .parent = parent};
        if (c->kind == ODM_CMD_ALERT)
                rc = put_interaction(o, c, d->a);
        else if (c->kind == ODM_CMD_SEQUENCE || c->kind == ODM_CMD_ATOMIC)
                rc = decode_list(d, json_object_get(o, "commands"), (int32_t)me, depth + 1,
                                 &c->body);
        else
                rc = put_target(o, c, d->a);
        d->flat[me].members = d->n - me - 1;
        if (rc == 0)
                put_flags(o, &d->flat[me]);
        if (rc == 0)
                *out = c;
        return rc;
}

static int decode_list(decoder *d, const json_t *list, int32_t parent, unsigned depth,
                       odm_command **out)
{
        odm_command *head = NULL, **end = &head;
        const json_t *o;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) == 0 || depth == DEPTH_MAX)
                return ODM_EMALFORMED;
        json_array_foreach(list, i, o)
        {
                int rc = decode_one(d, o, parent, depth, end);
                if (rc != 0)
                        return rc;
                end = &(*end)->next;
        }
        *out = head;
        return 0;
}

static int decode_all(decoder *d, const json_t *list, bool atomic, odm_command **out)
{
        odm_command *around;

        if (!atomic)
                return decode_list(d, list, -1, 0, out);
        around = odm_new(d->a, odm_command);
        if (around == NULL)
                return odm_arena_err(d->a);
        around->kind = ODM_CMD_ATOMIC;
        d->flat[d->n++] = (job_cmd){.c = around, .parent = -1};
        int rc = decode_list(d, list, 0, 1, &around->body);
        d->flat[0].members = d->n - 1;
        if (rc == 0)
                *out = around;
        return rc;
}

static bool all_split(const decoder *d)
{
        bool any = false;

        for (uint32_t i = 0; i < d->n; i++) {
                if (d->flat[i].c->kind != ODM_CMD_ATOMIC)
                        continue;
                if (!d->flat[i].split)
                        return false;
                any = true;
        }
        return any;
}

int job_decode(odm_str json, bool atomic, odm_arena *a, job_commands *out)
{
        decoder d = {.a = a};
        odm_command *list = NULL;
        json_t *j = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);
        int rc;

        if (j == NULL)
                return ODM_EMALFORMED;
        d.flat = odm_arena_get(a, JOB_COMMANDS_MAX * sizeof *d.flat);
        rc = d.flat ? decode_all(&d, j, atomic, &list) : odm_arena_err(a);
        json_decref(j);
        if (rc == 0)
                *out = (job_commands){list, d.flat, d.n, all_split(&d)};
        return rc;
}

/* ---- what is left of a job ------------------------------------------------------------- */

typedef struct chooser {
        const job_commands *all;
        const bool *skip;
        odm_arena *a;
        uint32_t *map, n;
} chooser;

static bool all_skipped(const chooser *x, uint32_t i)
{
        for (uint32_t k = i + 1; k <= i + x->all->flat[i].members; k++)
                if (!x->skip[k])
                        return false;
        return true;
}

static odm_command *copy_command(chooser *x, uint32_t i)
{
        odm_command *c = odm_arena_get(x->a, sizeof *c);

        if (c) {
                *c = *x->all->flat[i].c;
                c->next = NULL;
                x->map[x->n++] = i;
        }
        return c;
}

/* Commands first .. end-1 of one level: see choose(). */
static int choose(chooser *x, uint32_t first, uint32_t end, unsigned depth, odm_command **out);

/* What is left of an Atomic that was taken apart: it has an answer, and they have none. */
static int choose_pieces(chooser *x, uint32_t i, unsigned depth, odm_command ***at)
{
        int rc = choose(x, i + 1, i + 1 + x->all->flat[i].members, depth + 1, *at);

        while (rc == 0 && **at)
                *at = &(**at)->next;
        return rc;
}

/* Chooses among the commands first .. end-1, which are of one level. */
static int choose(chooser *x, uint32_t first, uint32_t end, unsigned depth, odm_command **out)
{
        odm_command *head = NULL, **at = &head;

        for (uint32_t i = first; i < end; i += 1 + x->all->flat[i].members) {
                const job_cmd *f = &x->all->flat[i];
                bool sequence = f->c->kind == ODM_CMD_SEQUENCE && depth < DEPTH_MAX;
                if (f->split && x->skip[i] && depth < DEPTH_MAX) {
                        int rc = choose_pieces(x, i, depth, &at);
                        if (rc < 0)
                                return rc;
                        continue;
                }
                if (sequence ? all_skipped(x, i) : x->skip[i])
                        continue;
                odm_command *c = copy_command(x, i);
                int rc = c ? 0 : odm_arena_err(x->a);
                if (rc == 0 && sequence)
                        rc = choose(x, i + 1, i + 1 + f->members, depth + 1, &c->body);
                if (rc < 0)
                        return rc;
                for (uint32_t k = 1; !sequence && k <= f->members; k++)
                        x->map[x->n++] = i + k;
                *at = c;
                at = &c->next;
        }
        *out = head;
        return 0;
}

int job_remainder(const job_commands *all, const bool *skip, odm_arena *a, odm_command **list,
                  uint32_t **map, uint32_t *n)
{
        chooser x = {.all = all, .skip = skip, .a = a};
        int rc;

        x.map = odm_arena_get(a, ((size_t)all->n + 1) * sizeof *x.map);
        if (x.map == NULL)
                return odm_arena_err(a);
        rc = choose(&x, 0, all->n, 0, list);
        if (rc < 0)
                return rc;
        *map = x.map;
        *n = x.n;
        return 0;
}

/* ---- small questions --------------------------------------------------------------------- */

odm_str job_path(odm_str uri)
{
        size_t n = 0;

        while (n < uri.n && uri.p[n] != '?')
                n++;
        while (n > 1 && uri.p[n - 1] == '/') /* some clients end interior nodes with one */
                n--;
        return odm_str_to(uri, n);
}

job_list job_list_of(const odm_command *c)
{
        odm_str uri = c->items ? c->items->target : ODM_ABSENT;
        odm_str query = odm_str_from(uri, job_path(uri).n);

        for (size_t i = 0; i + 5 <= query.n; i++)
                if (memcmp(query.p + i, "list=", 5) == 0) {
                        odm_str word = odm_str_from(query, i + 5);
                        bool bare = odm_str_starts(word, "Struct") &&
                                    !odm_str_starts(word, "StructData");
                        return bare ? JOB_LIST_NAMES : JOB_LIST_VALUES;
                }
        return JOB_NO_LIST;
}

odm_str job_uri(const odm_command *c)
{
        return c->items ? job_path(c->items->target) : ODM_ABSENT;
}

bool job_is_tnds(odm_str type)
{
        return odm_str_starts(type, "application/vnd.syncml.dmtnds");
}

bool job_status_ok(unsigned status)
{
        return (status >= 200 && status <= 213) || (status >= 1200 && status < 1300);
}

/* A document in octets becomes XML text; what is no document stays as it came. */
static int tnds_as_text(odm_arena *a, odm_str *data)
{
        odm_limits lim;
        odm_doc *doc;
        odm_buf b;
        int rc;

        if (odm_str_starts(odm_str_trim(*data), "<"))
                return 0;
        odm_limits_init(&lim);
        lim.max_msg = data->n + 1;
        odm_buf_init(&b, &heap_mem, DOC_TEXT_MAX);
        rc = odm_doc_decode(*data, &lim, a, &doc);
        if (rc == 0)
                rc = odm_doc_encode(&odm_codec_xml, doc, false, &b);
        if (rc == 0) {
                odm_str text = odm_arena_copy(a, odm_buf_view(&b));
                if (text.p)
                        *data = text;
                else
                        rc = odm_arena_err(a);
        }
        odm_buf_done(&b);
        return rc;
}

int job_value(const odm_command *c, const odm_item *item, bool binary, odm_arena *a,
              store_value *out)
{
        odm_meta m = odm_meta_of(c, item);
        store_value v = {.uri = item->source.p ? item->source : item->target, .type = m.type};
        bool base64 = m.format == ODM_FMT_B64 || (m.format == ODM_FMT_BIN && !binary);

        if (m.format != ODM_FMT_ABSENT)
                v.format = m.format == ODM_FMT_OTHER ? m.format_text
                                                     : odm_cstr(odm_format_name(m.format));
        if (item->data.kind != ODM_DATA_ABSENT)
                v.data = item->data.bytes.p ? item->data.bytes : ODM_STR("");
        if (base64 && v.data.n) {
                int rc = odm_b64_decode(a, v.data, &v.data);
                if (rc < 0 && rc != ODM_EMALFORMED) /* what is no base64 stays as it came */
                        return rc;
        }
        if (job_is_tnds(v.type) && v.data.n) {
                int rc = tnds_as_text(a, &v.data);
                if (rc == ODM_ENOMEM)
                        return rc;
                if (rc == 0) {
                        v.format = ODM_STR("xml");
                        v.type = odm_cstr(odm_codec_tnds_mime(&odm_codec_xml));
                }
        }
        *out = v;
        return 0;
}
