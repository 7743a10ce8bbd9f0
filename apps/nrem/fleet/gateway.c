/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

#include <string.h>

#include "job_codec.h"
#include "odm/codec.h"
#include "odm/values.h"
#include "xml.h"

#define DOC_DEPTH 8

/* ---- alerts ---------------------------------------------------------------------------- */

gateway_news gateway_news_of(odm_str type)
{
        static const struct {
                const char *type;
                gateway_news news;
        } types[] = {
                {"urn:oma:at:oma-gwmo:deviceattached:1.0", GATEWAY_ATTACHED},
                {"urn:oma:at:oma-gwmo:deviceattached:1.1", GATEWAY_ATTACHED},
                {"urn:oma:at:oma-gwmo:devicedetached:1.0", GATEWAY_DETACHED},
                {"urn:oma:at:oma-gwmo:resultaggregation:1.0", GATEWAY_RESULTS},
                {"urn:oma:at:oma-gwmo:completionstatus:1.0", GATEWAY_COMPLETED},
                {"urn:oma:at:oma-gwmo:imageready:1.0", GATEWAY_IMAGE},
                {"urn:oma:at:oma-gwmo:BootstrappedDMSList:1.0", GATEWAY_SERVERS},
                {"urn:oma:at:oma-gwmo:AssociatedGateway:1.0", GATEWAY_ADDRESS},
                {"urn:oma:at:x-xrem-gw:1.0:DeviceState", GATEWAY_STATE},
                {"urn:oma:at:x-xrem-gw:1.0:RecordChange", GATEWAY_RENEWED},
                {"urn:oma:at:x-xrem-gw:1.0:TaskRequest", GATEWAY_REQUEST},
                {ODM_VALUES_ALERT, GATEWAY_VALUES},
        };

        for (size_t i = 0; i < ODM_COUNT(types); i++)
                if (odm_str_ieq(type, types[i].type))
                        return types[i].news;
        return GATEWAY_NONE;
}

enum { W_ID, W_PROTOCOL, W_MODE, W_COMPONENT, W_REASON, W_KIND, W_DETAIL, W_TIME, W_LEAVES };
static const char *const word_leaves[W_LEAVES] = {"DeviceID", "Protocol", "Mode",   "ComponentType",
                                                  "Reason",   "Kind",     "Detail", "Time"};

typedef struct reader {
        struct xml_parse p; /* the first */
        odm_arena *a;
        const char *root;
        unsigned depth; /* elements open */
        int leaf;       /* the one that is open; -1: none of ours */
        bool right;     /* the root is */
        odm_str v[W_LEAVES];
} reader;

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
        reader *r = ctx;

        (void)attributes;
        r->depth++;
        if (r->depth == 1)
                r->right = strcmp(name, r->root) == 0;
        r->leaf = -1;
        if (r->depth != 2 || !r->right)
                return;
        for (int i = 0; i < W_LEAVES; i++)
                if (strcmp(name, word_leaves[i]) == 0) {
                        r->leaf = i;
                        r->v[i] = ODM_STR("");
                }
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int n)
{
        reader *r = ctx;

        if (r->leaf < 0 || r->v[r->leaf].n > GATEWAY_ID_MAX)
                return;
        r->v[r->leaf] = odm_arena_join(r->a, r->v[r->leaf], (odm_str){s, (size_t)n});
        if (!r->v[r->leaf].p)
                odm_xml_fail(&r->p, odm_arena_err(r->a));
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
        reader *r = ctx;

        (void)name;
        r->depth--;
        r->leaf = -1;
}

static int64_t number_of(odm_str s)
{
        uint64_t v;

        return odm_str_u64(odm_str_trim(s), INT32_MAX, &v) == 0 ? (int64_t)v : -1;
}

/* Milliseconds since 1970; 0: it says no time. */
static int64_t time_of(odm_str s)
{
        odm_wall w;

        return odm_wall_parse(odm_str_trim(s), &w) == 0 ? w.s * 1000 : 0;
}

static odm_str short_text(odm_str s, size_t most)
{
        s = odm_str_trim(s);
        return s.p && s.n && odm_utf8_ok(s)
                       ? odm_str_to(s, odm_utf8_cut(s, s.n < most ? s.n : most))
                       : ODM_ABSENT;
}

/* One that is cut would be another's. */
static odm_str id_of(odm_str s)
{
        s = odm_str_trim(s);
        return s.p && s.n && s.n <= GATEWAY_ID_MAX && odm_utf8_ok(s) ? s : ODM_ABSENT;
}

int gateway_word_read(gateway_news news, odm_str xml, odm_arena *a, gateway_word *out)
{
        reader r = {.a = a, .leaf = -1};
        int rc;

        r.root = news == GATEWAY_ATTACHED   ? "DeviceAttach"
                 : news == GATEWAY_DETACHED ? "DeviceDetach"
                                            : "TaskRequest";
        if (xml.n > GATEWAY_DOC_MAX)
                return ODM_ELIMIT;
        rc = odm_xml_run(&r.p, xml, on_start, on_end, on_text);
        if (rc < 0)
                return rc;
        if (!r.right || !(news == GATEWAY_REQUEST ? r.v[W_KIND].n : id_of(r.v[W_ID]).n))
                return ODM_EMALFORMED;
        *out = (gateway_word){.id = id_of(r.v[W_ID]),
                              .protocol = short_text(r.v[W_PROTOCOL], GATEWAY_TEXT_MAX),
                              .mode = number_of(r.v[W_MODE]),
                              .component = number_of(r.v[W_COMPONENT]),
                              .reason = number_of(r.v[W_REASON]),
                              .at = time_of(r.v[W_TIME]),
                              .kind = short_text(r.v[W_KIND], GATEWAY_TEXT_MAX),
                              .detail = short_text(r.v[W_DETAIL], GATEWAY_ID_MAX)};
        return 0;
}

const char *gateway_detach_text(int64_t reason)
{
        static const char *const texts[] = {
                "it signed off at its gateway", "it did not renew its registration at its gateway",
                "its gateway lost the link to it", "an operator of its gateway took it away"};

        return reason >= 1 && reason <= (int64_t)ODM_COUNT(texts) ? texts[reason - 1]
                                                                  : "its gateway says so";
}

static odm_str after(odm_str s, const char *z)
{
        size_t n = strlen(z);

        for (size_t i = 0; i + n <= s.n; i++)
                if (memcmp(s.p + i, z, n) == 0)
                        return odm_str_from(s, i + n);
        return ODM_ABSENT;
}

unsigned gateway_image_result(odm_str xml)
{
        odm_str s = after(xml, "<ImageReady");
        uint64_t v = 0;
        size_t n = 0;

        s = s.p ? odm_str_trim(after(s, "<Result>")) : s;
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                n++;
        return odm_str_u64(odm_str_to(s, n), 1999, &v) == 0 && v >= 200 ? (unsigned)v : 0;
}

odm_str gateway_image_id(odm_str xml)
{
        odm_str s = after(xml, "<ImageReady");
        size_t n = 0;

        s = s.p ? odm_str_trim(after(s, "<ImageID>")) : s;
        while (n < s.n && s.p[n] != '<' && s.p[n] != '&')
                n++;
        return n < s.n && s.p[n] == '<' ? odm_str_trim(odm_str_to(s, n)) : ODM_ABSENT;
}

/* ---- addresses -------------------------------------------------------------------------- */

bool gateway_key_ok(odm_str key)
{
        if (key.n < 1 || key.n > GATEWAY_KEY_MAX)
                return false;
        for (size_t i = 0; i < key.n; i++) {
                char c = key.p[i];

                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_' || (c == '.' && i > 0)))
                        return false;
        }
        return true;
}

/* The name that follows `above` in the address; absent: it is not below, or no key. */
static odm_str name_below(odm_str uri, const char *above, odm_str *rest)
{
        odm_str s = odm_str_starts(uri, above) ? odm_str_from(uri, strlen(above)) : ODM_ABSENT;
        size_t n = 0;

        while (n < s.n && s.p[n] != '/' && s.p[n] != '?')
                n++;
        *rest = odm_str_from(s, n);
        s = odm_str_to(s, n);
        return gateway_key_ok(s) ? s : ODM_ABSENT;
}

bool gateway_mount_split(odm_str uri, odm_str *key, odm_str *rest)
{
        odm_str below, k = name_below(uri, GATEWAY_MOUNT, &below);

        if (!k.p)
                return false;
        *key = k;
        *rest = below;
        return true;
}

odm_str gateway_mount_join(odm_str key, odm_str uri, odm_arena *a)
{
        if (uri.n < 1 || uri.p[0] != '.' || (uri.n > 1 && uri.p[1] != '/' && uri.p[1] != '?'))
                return ODM_ABSENT;
        return odm_arena_fmt(a, GATEWAY_MOUNT "%.*s%.*s", (int)key.n, key.p, (int)(uri.n - 1),
                             uri.p + 1);
}

/* The names of the address alone: no query, no "./", no "/" at the end. */
static odm_str bare_path(odm_str uri)
{
        size_t n = 0;

        while (n < uri.n && uri.p[n] != '?')
                n++;
        while (n > 0 && uri.p[n - 1] == '/')
                n--;
        uri = odm_str_to(uri, n);
        if (uri.n && uri.p[0] == '.')
                uri = odm_str_from(uri, 1);
        while (uri.n && uri.p[0] == '/')
                uri = odm_str_from(uri, 1);
        return uri;
}

/* Whether `path` is `top`, or below it. */
static bool is_within(odm_str path, odm_str top)
{
        return odm_str_eq(odm_str_to(path, top.n), top) &&
               (path.n == top.n || path.p[top.n] == '/');
}

static bool ends_with(odm_str s, const char *z)
{
        size_t n = strlen(z);

        return s.n >= n && memcmp(s.p + s.n - n, z, n) == 0;
}

bool gateway_has_addresses(odm_str uri, odm_str format)
{
        static const odm_str mount = {&GATEWAY_MOUNT[2], sizeof GATEWAY_MOUNT - 4};
        static const odm_str records = {&GATEWAY_RECORDS[2], sizeof GATEWAY_RECORDS - 3};
        static const odm_str images = {&GATEWAY_IMAGES[2], sizeof GATEWAY_IMAGES - 3};
        odm_str p = bare_path(uri);

        while (p.n > mount.n && is_within(p, mount)) {
                size_t n = mount.n + 1;

                while (n < p.n && p.p[n] != '/')
                        n++;
                p = odm_str_from(p, n + 1);
        }
        if (p.n && is_within(p, records))
                return true;
        if (p.n > images.n && is_within(p, images))
                return odm_str_is(format, "xml") || ends_with(p, "/LocalURL");
        return !odm_str_is(format, "node") &&
               (p.n == 0 || odm_str_eq(p, mount) || is_within(records, p) || is_within(images, p));
}

odm_str gateway_without_places(odm_str xml, odm_arena *a)
{
        static const char open[] = "<LocalURL>", close[] = "</LocalURL>";
        const char *at = xml.p ? memmem(xml.p, xml.n, open, strlen(open)) : NULL;
        size_t from = at ? (size_t)(at - xml.p) + strlen(open) : 0;
        odm_str rest = odm_str_from(xml, from);
        const char *end = at ? memmem(rest.p, rest.n, close, strlen(close)) : NULL;

        if (!end)
                return xml;
        return odm_arena_join(a, odm_str_to(xml, from), odm_str_from(rest, (size_t)(end - rest.p)));
}

odm_str gateway_record_key(odm_str uri)
{
        odm_str rest;

        return name_below(uri, GATEWAY_RECORDS "/", &rest);
}

/* ---- records ------------------------------------------------------------------------------ */

const char *gateway_mode_name(int64_t mode)
{
        static const char *const names[] = {"transparent", "proxy", "adaptation"};

        return mode >= 1 && mode <= (int64_t)ODM_COUNT(names) ? names[mode - 1] : NULL;
}

typedef struct gatherer {
        odm_arena *a;
        gateway_record *v;
        size_t n, cap, most, refused;
        bool full; /* what comes now is of a record beyond the ceiling */
} gatherer;

/* Leaves of a record come one after the other. */
static int record_of(gatherer *g, odm_str key, gateway_record **out)
{
        *out = NULL;
        if (g->n && odm_str_eq(g->v[g->n - 1].key, key)) {
                *out = &g->v[g->n - 1];
                return 0;
        }
        if (g->n == g->most) {
                g->refused += !g->full;
                g->full = true;
                return 0;
        }
        if (g->n == g->cap) {
                size_t cap = g->cap ? 2 * g->cap : 16;
                gateway_record *v = odm_arena_get(g->a, cap * sizeof *v);

                if (!v)
                        return odm_arena_err(g->a);
                if (g->n)
                        memcpy(v, g->v, g->n * sizeof *v);
                g->v = v;
                g->cap = cap;
        }
        g->v[g->n] = (gateway_record){.key = key, .mode = -1, .component = -1, .state = -1};
        *out = &g->v[g->n++];
        return 0;
}

static void take_leaf(gateway_record *r, odm_str name, odm_str value)
{
        const struct {
                const char *name;
                odm_str *place;
        } texts[] = {
                {"Name", &r->name},
                {"Protocol", &r->protocol},
                {"Addr", &r->addr},
                {"AddrType", &r->addr_type},
                {"Man", &r->maker},
                {"Mod", &r->model},
                {"DevTyp", &r->type},
                {"FwV", &r->fwv},
                {"SwV", &r->swv},
                {"HwV", &r->hwv},
                {"StateReason", &r->reason},
        };

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (odm_str_is(name, texts[i].name))
                        *texts[i].place = short_text(value, GATEWAY_TEXT_MAX);
        if (odm_str_is(name, "DeviceID"))
                r->id = id_of(value);
        else if (odm_str_is(name, "Mode"))
                r->mode = number_of(value);
        else if (odm_str_is(name, "ComponentType"))
                r->component = number_of(value);
        else if (odm_str_is(name, "State"))
                r->state = number_of(value);
        else if (odm_str_is(name, "WakeInterval"))
                r->wake_interval = number_of(value) > 0 ? number_of(value) : 0;
        else if (odm_str_is(name, "LastSeen"))
                r->seen = time_of(value);
}

static int take(gatherer *g, odm_str key, odm_str name, odm_str value)
{
        gateway_record *r;
        int rc = gateway_key_ok(key) ? record_of(g, key, &r) : ODM_ENOENT;

        if (rc < 0)
                return rc == ODM_ENOENT ? 0 : rc;
        if (r)
                take_leaf(r, name, value);
        return 0;
}

static int take_item(gatherer *g, const store_value *v)
{
        odm_str rest, key = name_below(v->uri, GATEWAY_RECORDS "/", &rest);

        if (!key.p || rest.n < 2 || !v->data.p || odm_str_is(v->format, "node"))
                return 0;
        return take(g, key, odm_str_from(rest, 1), v->data);
}

static int take_record(gatherer *g, const odm_doc_node *record)
{
        int rc = 0;

        for (const odm_doc_node *n = record->children; n && rc == 0; n = n->next)
                if (n->value.kind != ODM_DATA_ABSENT)
                        rc = take(g, record->name, n->name, n->value.bytes);
        return rc;
}

/* The root is Records, or one record. */
static int take_document(gatherer *g, odm_str uri, odm_str text)
{
        odm_limits lim;
        odm_doc *doc = NULL;
        int rc;

        odm_limits_init(&lim);
        lim.max_msg = text.n + 1;
        lim.max_items = 2000000;
        rc = odm_doc_decode(text, &lim, g->a, &doc);
        if (rc == ODM_EMALFORMED || (rc == ODM_ELIMIT && !g->a->err)) {
                g->refused++;
                return 0;
        }
        if (rc < 0)
                return rc;
        if (!doc->nodes)
                return 0;
        if (gateway_record_key(uri).p)
                return take_record(g, doc->nodes);
        for (const odm_doc_node *n = doc->nodes->children; n && rc == 0; n = n->next)
                rc = take_record(g, n);
        return rc;
}

int gateway_records_read(const store_value *items, size_t n, size_t most, odm_arena *a,
                         gateway_record **out, size_t *n_out, size_t *refused)
{
        gatherer g = {.a = a, .most = most};
        size_t kept = 0;
        int rc = 0;

        for (size_t i = 0; i < n && rc == 0; i++)
                rc = job_is_tnds(items[i].type) ? take_document(&g, items[i].uri, items[i].data)
                                                : take_item(&g, &items[i]);
        if (rc < 0)
                return rc;
        for (size_t i = 0; i < g.n; i++)
                if (g.v[i].id.p && gateway_mode_name(g.v[i].mode))
                        g.v[kept++] = g.v[i];
                else
                        g.refused++;
        *out = g.v;
        *n_out = kept;
        *refused = g.refused;
        return 0;
}

store_device_state gateway_device_state(int64_t state)
{
        static const store_device_state states[GATEWAY_STATES] = {
                [GATEWAY_PROVISIONED] = STORE_DEVICE_PROVISIONED,
                [GATEWAY_ACTIVE] = STORE_DEVICE_ACTIVE,
                [GATEWAY_ASLEEP] = STORE_DEVICE_ASLEEP,
                [GATEWAY_UNREACHABLE] = STORE_DEVICE_UNREACHABLE,
                [GATEWAY_DETACHED_STATE] = STORE_DEVICE_DETACHED,
                [GATEWAY_DEACTIVATED] = STORE_DEVICE_DEACTIVATED,
        };

        return state >= 0 && state < GATEWAY_STATES ? states[state] : STORE_DEVICE_ACTIVE;
}

/* As REST takes one: segments of visible characters. */
static bool name_ok(odm_str s)
{
        size_t begin = 0;

        for (size_t i = 0; i <= s.n; i++) {
                if (i < s.n && ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f))
                        return false;
                if (i < s.n && s.p[i] != '/')
                        continue;
                odm_str seg = {s.p + begin, i - begin};

                if (seg.n == 0 || odm_str_is(seg, ".") || odm_str_is(seg, ".."))
                        return false;
                begin = i + 1;
        }
        return s.n > 0 && s.n <= 128;
}

odm_str gateway_name_of(odm_str gateway, const gateway_record *r, bool by_own, odm_arena *a)
{
        if (by_own && r->name.n && name_ok(r->name))
                return odm_arena_copy(a, r->name);
        return odm_arena_fmt(a, "%.*s/%.*s", (int)gateway.n, gateway.p, (int)r->key.n, r->key.p);
}
