/* SPDX-License-Identifier: Apache-2.0 */
/* lwm2m_test.c - the LwM2M adapter over loopback: devices made of a CoAP end and a few resources,
 * and a gateway that writes down what it is told. */
#include "lwm2m.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cert.h"
#include "coap.h"
#include "fsio.h"
#include "gateway.h"
#include "heap.h"
#include "images.h"
#include "odm/lwm2m.h"
#include "support.h"

#define PATIENCE_MS 10000
#define RECORDS 1100
#define LINKS "</>;rt=\"oma.lwm2m\",</1/0>,</3/0>,</5/0>"

/* ---- images, one of them -------------------------------------------------------------------------------- */

static const char *image_path; /* NULL: there is none */
static uint64_t image_size;

int gw_image_get(store *st, const char *folder, odm_str id, odm_arena *a, gw_image *out)
{
        (void)st;
        (void)folder;
        if (!image_path || !odm_str_is(id, "fw-2"))
                return ODM_ENOENT;
        *out = (gw_image){.id = ODM_STR("fw-2"),
                          .name = ODM_STR("firmware"),
                          .version = ODM_STR("2.0"),
                          .path = odm_arena_copy(a, odm_cstr(image_path)),
                          .size = image_size,
                          .url_http = ODM_STR("http://127.0.0.1:8080/img/fw-2")};
        return 0;
}

int gw_image_by_url(store *st, const char *folder, odm_str url, odm_arena *a, gw_image *out)
{
        const char *at = memmem(url.p, url.n, "/img/", 5);

        return at ? gw_image_get(st, folder, odm_str_from(url, (size_t)(at - url.p) + 5), a, out)
                  : ODM_ENOENT;
}

/* ---- a gateway that writes down ---------------------------------------------------------------- */

typedef struct stage {
        loop *l;
        cfg *conf;
        store *store;
        store_fault fault;
        char folder[64], *where;
        void *adapter;
        gw_device *records[RECORDS];
        size_t n;
        unsigned refuse; /* status with which all devices are refused */
        bool full;       /* no alert can be kept */
        loop_timer soon; /* an order as soon as a device is seen */
        char told[8192]; /* a line a word of the adapter */
        uint64_t replied;
        unsigned status;
        uint64_t open; /* an order that is cancelled when its device is gone */
        char text[256];
        char nodes[2048];                /* of the reply, "path=value " */
        odm_format format;               /* of its last node */
        _Atomic uint64_t served, octets; /* of images */
} stage;

static void note(stage *s, const char *fmt, ...) ODM_PRINTF(2, 3);
static void note(stage *s, const char *fmt, ...)
{
        size_t n = strlen(s->told);
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(s->told + n, sizeof s->told - n, fmt, ap);
        va_end(ap);
}

static gw_device *record_of(stage *s, odm_str id)
{
        for (size_t i = 0; i < s->n; i++)
                if (odm_str_eq(s->records[i]->id, id))
                        return s->records[i];
        return NULL;
}

static gw_device *on_seen(void *ctx, const adapter_class *k, const adapter_device *d, void *native,
                          unsigned *why)
{
        stage *s = ctx;
        gw_device *r = record_of(s, d->id);

        assert_ptr_equal(k, &lwm2m_class);
        if (s->refuse) {
                *why = s->refuse;
                return NULL;
        }
        if (!r) {
                assert_true(s->n < RECORDS);
                r = s->records[s->n++] = calloc(1, sizeof *r);
                r->id = exact_bytes(d->id.p, d->id.n);
        }
        r->native = native;
        if (s->soon.fn)
                assert_int_equal(loop_timer_set(s->l, &s->soon, loop_now()), 0);
        if (s->n < 50)
                note(s, "seen %.*s %.*s man=%.*s fw=%.*s\n", (int)d->id.n, d->id.p,
                     (int)d->protocol.n, d->protocol.p ? d->protocol.p : "", (int)d->man.n,
                     d->man.p ? d->man.p : "", (int)d->fwv.n, d->fwv.p ? d->fwv.p : "");
        return r;
}

static void on_awake(void *ctx, gw_device *d, int64_t ms)
{
        if (((stage *)ctx)->n < 50)
                note(ctx, "awake %.*s %lld\n", (int)d->id.n, d->id.p, (long long)ms);
}

static void on_asleep(void *ctx, gw_device *d, int64_t ms)
{
        (void)ms;
        if (((stage *)ctx)->n < 50)
                note(ctx, "asleep %.*s\n", (int)d->id.n, d->id.p);
}

static void on_gone(void *ctx, gw_device *d, adapter_gone why)
{
        stage *s = ctx;

        if (s->open)
                lwm2m_class.cancel(s->adapter, s->open);
        s->open = 0;
        if (((stage *)ctx)->n < 50)
                note(ctx, "gone %.*s %d\n", (int)d->id.n, d->id.p, why);
}

static void on_reply(void *ctx, uint64_t id, const adapter_reply *r)
{
        stage *s = ctx;

        s->replied = id;
        s->status = r->status;
        snprintf(s->text, sizeof s->text, "%.*s", (int)r->text.n, r->text.p ? r->text.p : "");
        s->nodes[0] = 0;
        for (size_t i = 0; i < r->n; i++) {
                size_t n = strlen(s->nodes);
                const adapter_node *v = &r->nodes[i];

                s->format = v->value.format;
                snprintf(s->nodes + n, sizeof s->nodes - n, "%.*s%s%.*s ", (int)v->path.n,
                         v->path.p, v->has_data ? "=" : "", v->has_data ? (int)v->value.data.n : 0,
                         v->has_data ? v->value.data.p : "");
        }
}

static void on_changed(void *ctx, gw_device *d, const adapter_node *v, size_t n)
{
        (void)d;
        for (size_t i = 0; i < n && ((stage *)ctx)->n < 50; i++)
                note(ctx, "changed %.*s=%.*s\n", (int)v[i].path.n, v[i].path.p,
                     (int)v[i].value.data.n, v[i].value.data.p ? v[i].value.data.p : "");
}

static int on_alert(void *ctx, gw_device *d, const odm_alert *a, odm_wall at)
{
        (void)d;
        (void)at;
        if (((stage *)ctx)->full)
                return ODM_EIO;
        note(ctx, "alert %.*s %.*s %.*s %.*s\n", (int)a->source.n, a->source.p ? a->source.p : "",
             (int)a->type.n, a->type.p ? a->type.p : "", (int)a->data.n, a->data.p ? a->data.p : "",
             (int)a->correlator.n, a->correlator.p ? a->correlator.p : "");
        return 0;
}

static gw_device *on_known(void *ctx, odm_str id)
{
        return record_of(ctx, id);
}

static void open_adapter(stage *s)
{
        adapter_host h = {.loop = s->l,
                          .conf = s->conf,
                          .store = s->store,
                          .folder = s->folder,
                          .seen = on_seen,
                          .awake = on_awake,
                          .asleep = on_asleep,
                          .gone = on_gone,
                          .reply = on_reply,
                          .changed = on_changed,
                          .alert = on_alert,
                          .known = on_known,
                          .images_served = &s->served,
                          .image_octets = &s->octets,
                          .ctx = s};
        diag d = {0};

        if (lwm2m_class.open(&h, &s->adapter, &d) < 0)
                fail_msg("%s", d.text);
        lwm2m_class.enumerate(s->adapter);
}

static void begin_with(stage *s, const char *more)
{
        char text[1024], why[STORE_DIAG] = "";
        diag d = {0};
        store_opt o;

        memset(s, 0, sizeof *s);
        snprintf(s->folder, sizeof s->folder, "/tmp/lwm2m-test-XXXXXX");
        assert_non_null(mkdtemp(s->folder));
        assert_int_equal(loop_new(&s->l), 0);
        assert_int_equal(cfg_new(lwm2m_class.keys, lwm2m_class.n_keys, &s->conf), 0);
        snprintf(text, sizeof text, "[lwm2m]\nlisten = 127.0.0.1:0\nack = 40ms\n%s", more);
        if (cfg_parse(s->conf, odm_cstr(text), "test", &d) < 0)
                fail_msg("%s", d.text);
        store_opt_init(&o);
        o.where = "mem:";
        o.fault = &s->fault;
        o.tables = lwm2m_class.tables;
        while (o.tables[o.n_tables])
                o.n_tables++;
        assert_int_equal(store_open(&o, &s->store, why), 0);
        open_adapter(s);
}

static void begin(stage *s)
{
        begin_with(s, "");
}

static void end(stage *s)
{
        char path[128];

        if (s->adapter)
                lwm2m_class.close(s->adapter);
        store_close(s->store);
        cfg_free(s->conf);
        loop_free(s->l);
        for (size_t i = 0; i < s->n; i++) {
                exact_free(s->records[i]->id);
                free(s->records[i]);
        }
        snprintf(path, sizeof path, "%s/lwm2m", s->folder);
        (void)rmdir(path);
        snprintf(path, sizeof path, "%s/keys", s->folder);
        (void)unlink(path);
        assert_int_equal(rmdir(s->folder), 0);
}

/* ---- a device ------------------------------------------------------------------------------------------ */

typedef struct resource {
        const char *path;
        odm_str value; /* as it is on the wire */
        int format;
} resource;

typedef struct device {
        stage *s;
        co_end *end;
        net_addr to;
        resource v[24];
        size_t n;
        uint8_t mute; /* a method that it hears, and says nothing to */
        char asked[4096];
        char body[4096]; /* of the last request with one */
        size_t body_n;
        char all[4096]; /* of all of them */
        size_t all_n;
        size_t last_n;  /* octets of the last one */
        char got[8192]; /* what its own last request brought */
        size_t got_n;
        co_watcher *watcher[8];
        char watched[8][32];
        size_t n_watched;
        /* its own last request */
        unsigned answered;
        bool early; /* it was asked before it was answered */
        co_end_of why;
        uint8_t code;
        char location[64];
} device;

static void on_request(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        static const char *const methods[] = {"",       "GET",   "POST",  "PUT",
                                              "DELETE", "FETCH", "PATCH", "iPATCH"};
        device *d = ctx;
        size_t n = strlen(d->asked);
        co_msg a;

        (void)p;
        snprintf(d->asked + n, sizeof d->asked - n, "%s %.*s%s%.*s%s\n", methods[m->code & 7],
                 (int)m->path.n, m->path.p ? m->path.p : "", m->n_query ? "?" : "",
                 m->n_query ? (int)m->query[0].n : 0, m->n_query ? m->query[0].p : "",
                 m->observe == 0 ? " observe" : "");
        if (d->mute && m->code == d->mute)
                return;
        if (m->body.n && m->body.n <= sizeof d->body) {
                memcpy(d->body, m->body.p, m->body.n);
                d->body_n = m->body.n;
        }
        d->last_n = m->body.n;
        if (m->body.n && d->all_n + m->body.n <= sizeof d->all) {
                memcpy(d->all + d->all_n, m->body.p, m->body.n);
                d->all_n += m->body.n;
        }
        co_msg_init(&a, m->code == CO_GET ? CO_NOT_FOUND : CO_CHANGED);
        for (size_t i = 0; m->code == CO_GET && i < d->n; i++)
                if (odm_str_is(m->path, d->v[i].path)) {
                        a.code = CO_CONTENT;
                        a.format = d->v[i].format;
                        a.body = d->v[i].value;
                        if (m->accept != d->v[i].format &&
                            (m->accept >= 0 || d->v[i].format == ODM_LW_TLV)) {
                                a.code = CO_NOT_ACCEPTABLE; /* several values are no text */
                                a.body = ODM_ABSENT;
                        }
                }
        if (m->observe == 0 && a.code == CO_CONTENT && d->n_watched < 8) {
                snprintf(d->watched[d->n_watched], 32, "%.*s", (int)m->path.n, m->path.p);
                d->watcher[d->n_watched++] = co_watch(r, NULL, NULL);
        }
        co_answer(r, &a);
}

static const co_app device_app = {.request = on_request};

static void have(device *d, const char *path, odm_str value, int format)
{
        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->v[i].path, path) == 0) {
                        d->v[i].value = value;
                        return;
                }
        assert_true(d->n < ODM_COUNT(d->v));
        d->v[d->n++] = (resource){path, value, format};
}

static void device_begin(stage *s, device *d, const co_setup *as)
{
        co_setup c;
        diag why = {0};

        memset(d, 0, sizeof *d);
        co_setup_init(&c);
        if (as)
                c = *as;
        assert_int_equal(net_addr_parse("127.0.0.1", 0, &c.at), 0);
        c.ack_ms = 40;
        c.app = &device_app;
        c.ctx = d;
        d->s = s;
        assert_int_equal(co_open(s->l, &c, &d->end, &why), 0);
        assert_int_equal(
                net_addr_parse("127.0.0.1", (uint16_t)lwm2m_port(s->adapter, as != NULL), &d->to),
                0);
        /* /3/0 as TLV: manufacturer, model, firmware version, error code 0 */
        have(d, "3/0",
             ODM_STR("\xc3\x00"
                     "Acm"
                     "\xc2\x01"
                     "M1"
                     "\xc3\x03"
                     "1.0"
                     "\x83\x0b\x41\x00\x00"),
             ODM_LW_TLV);
        have(d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        have(d, "5/0/3", ODM_STR("0"), ODM_LW_TEXT);
        have(d, "5/0/5", ODM_STR("0"), ODM_LW_TEXT);
        have(d, "3/0/9", ODM_STR("77"), ODM_LW_TEXT);
        have(d, "3/0/3", ODM_STR("1.0"), ODM_LW_TEXT);
}

static void on_done(void *ctx, co_end_of why, const co_msg *m)
{
        device *d = ctx;

        d->answered++;
        d->early = d->asked[0] != 0;
        d->why = why;
        d->code = m ? m->code : 0;
        d->got_n = m && m->body.n <= sizeof d->got ? m->body.n : 0;
        if (d->got_n)
                memcpy(d->got, m->body.p, d->got_n);
        if (m && m->code == CO_CREATED)
                snprintf(d->location, sizeof d->location, "%.*s", (int)m->path.n,
                         m->path.p ? m->path.p : "");
}

/* "a=b&c" */
static size_t split(const char *text, odm_str out[CO_QUERY_MAX])
{
        size_t n = 0;

        while (text && *text && n < CO_QUERY_MAX) {
                const char *amp = strchr(text, '&');
                size_t len = amp ? (size_t)(amp - text) : strlen(text);

                out[n++] = (odm_str){text, len};
                text = amp ? amp + 1 : NULL;
        }
        return n;
}

static void say(device *d, uint8_t code, const char *path, const char *query, const char *body)
{
        odm_str q[CO_QUERY_MAX];
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);
        unsigned before = d->answered;
        co_msg m;
        uint64_t id;

        co_msg_init(&m, code);
        m.path = odm_cstr(path);
        m.query = q;
        m.n_query = split(query, q);
        m.body = odm_cstr(body);
        if (body)
                m.format = ODM_LW_LINK;
        assert_int_equal(co_ask(d->end, &d->to, &m, NULL, on_done, d, &id), 0);
        while (d->answered == before) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(d->s->l, 50), 0);
        }
}

static void enrol(device *d, const char *query)
{
        say(d, CO_POST, "rd", query, LINKS);
        if (d->code != CO_CREATED || strncmp(d->location, "rd/", 3) != 0)
                fail_msg("%s: %x '%s'", query, d->code, d->location);
}

/* Until `word` is in what was told or asked. */
static void until(stage *s, const char *where, const char *word)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (!strstr(where, word)) {
                if (odm_time_reached(loop_now(), last))
                        fail_msg("'%s' did not come; there is\n%s", word, where);
                assert_int_equal(loop_once(s->l, 50), 0);
        }
}

static void pass(stage *s, int64_t ms)
{
        odm_time last = odm_time_add(loop_now(), ms);

        while (!odm_time_reached(loop_now(), last))
                assert_int_equal(loop_once(s->l, 5), 0);
}

static void replied(stage *s, uint64_t id)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (s->replied != id) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(s->l, 50), 0);
        }
}

static void read_one(stage *s, uint64_t id, const char *path)
{
        gw_device *r = s->records[0];
        odm_str p = odm_cstr(path);

        lwm2m_class.read(s->adapter, id, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
        replied(s, id);
}

/* ---- registration ------------------------------------------------------------------------------------------ */

static void registrations_are_answered_as_the_table_says(void **state)
{
        static const struct row {
                const char *why, *query, *links;
                uint8_t code;
        } rows[] = {
                {"as it should be", "ep=d1&lt=60&lwm2m=1.0&b=U", LINKS, CO_CREATED},
                {"the shortest", "ep=d1&lwm2m=1.0", "</3/0>", CO_CREATED},
                {"version 1.1", "ep=d1&lwm2m=1.1&lt=300&Q", LINKS, CO_CREATED},
                {"objects nobody knows", "ep=d1&lwm2m=1.0", "</3/0>,</31024/7>", CO_CREATED},
                {"parameters nobody knows", "ep=d1&lwm2m=1.0&pid=7", "</3/0>", CO_CREATED},
                {"an alternate root", "ep=d1&lwm2m=1.0", "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/3/0>",
                 CO_CREATED},
                {"no name", "lt=60&lwm2m=1.0", LINKS, CO_BAD_REQUEST},
                {"an empty name", "ep=&lwm2m=1.0", LINKS, CO_BAD_REQUEST},
                {"no version", "ep=d1&lt=60", LINKS, CO_BAD_REQUEST},
                {"a version that is newer", "ep=d1&lwm2m=2.0", LINKS, CO_PRECONDITION},
                {"a minor one that is newer", "ep=d1&lwm2m=1.9", LINKS, CO_PRECONDITION},
                {"a lifetime of nothing", "ep=d1&lwm2m=1.0&lt=0", LINKS, CO_BAD_REQUEST},
                {"a lifetime that is no number", "ep=d1&lwm2m=1.0&lt=soon", LINKS, CO_BAD_REQUEST},
                {"links that are none", "ep=d1&lwm2m=1.0", "<3/0", CO_BAD_REQUEST},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                device d;

                begin(&s);
                device_begin(&s, &d, NULL);
                say(&d, CO_POST, "rd", rows[i].query, rows[i].links);
                if (d.code != rows[i].code || (s.n == 1) != (rows[i].code == CO_CREATED))
                        fail_msg("%s: %x, %zu records", rows[i].why, d.code, s.n);
                co_close(d.end);
                end(&s);
        }
}

static void paths_are_answered_as_the_table_says(void **state)
{
        static const struct row {
                const char *why;
                uint8_t method;
                const char *path;
                uint8_t code;
        } rows[] = {
                {"an update of nobody", CO_POST, "rd/0123456789abcd", CO_NOT_FOUND},
                {"a deregistration of nobody", CO_DELETE, "rd/0123456789abcd", CO_NOT_FOUND},
                {"reading registrations", CO_GET, "rd", CO_NOT_ALLOWED},
                {"reading one", CO_GET, "rd/0123456789abcd", CO_NOT_ALLOWED},
                {"Send of nobody", CO_POST, "dp", CO_NOT_FOUND},
                {"an image that is not there", CO_GET, "img/nothing", CO_NOT_FOUND},
                {"what there is", CO_GET, ".well-known/core", CO_CONTENT},
                {"the root", CO_GET, NULL, CO_NOT_FOUND},
        };
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                say(&d, rows[i].method, rows[i].path, NULL, NULL);
                if (d.code != rows[i].code)
                        fail_msg("%s: %x", rows[i].why, d.code);
        }
        co_close(d.end);
        end(&s);
}

static void a_device_is_introduced_and_observed(void **state)
{
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=urn:imei:1&lwm2m=1.0&lt=60");
        assert_false(d.early);
        until(&s, d.asked, "GET 5/0/5 observe");
        assert_non_null(strstr(d.asked, "GET 3/0\n"));
        assert_non_null(strstr(d.asked, "GET 3/0/11 observe"));
        assert_non_null(strstr(d.asked, "GET 5/0/3 observe"));
        assert_non_null(strstr(s.told, "seen urn:imei:1 LWM2M/1.0 man= fw=\n"));
        assert_non_null(strstr(s.told, "awake urn:imei:1 0\n"));
        assert_non_null(strstr(s.told, "seen urn:imei:1  man=Acm fw=1.0\n"));
        assert_non_null(strstr(s.told, "changed ./DevInfo/Mod=M1\n"));
        co_close(d.end);
        end(&s);
}

static void updates_keep_a_registration(void **state)
{
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, s.told, "fw=1.0");
        loop_skip(50000);
        say(&d, CO_POST, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_CHANGED);
        loop_skip(50000);
        say(&d, CO_POST, d.location, "lt=120&b=U", LINKS ",</6/0>");
        assert_int_equal(d.code, CO_CHANGED);
        loop_skip(110000);
        pass(&s, 20);
        assert_null(strstr(s.told, "gone"));
        say(&d, CO_POST, d.location, "lt=x", NULL);
        assert_int_equal(d.code, CO_BAD_REQUEST);
        loop_skip(16000);
        until(&s, s.told, "gone d1 2\n"); /* its lifetime passed */
        say(&d, CO_POST, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_NOT_FOUND);
        co_close(d.end);
        end(&s);
}

static void a_device_leaves_and_comes_back(void **state)
{
        stage s;
        device d;
        char first[64];

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        snprintf(first, sizeof first, "%s", d.location);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60"); /* it restarted */
        assert_string_not_equal(first, d.location);
        assert_int_equal(s.n, 1);
        say(&d, CO_POST, first, NULL, NULL);
        assert_int_equal(d.code, CO_NOT_FOUND);
        say(&d, CO_DELETE, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_DELETED);
        assert_non_null(strstr(s.told, "gone d1 1\n"));
        say(&d, CO_DELETE, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_NOT_FOUND);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        assert_int_equal(s.n, 1);
        co_close(d.end);
        end(&s);
}

static void order_soon(void *ctx)
{
        const odm_str path = ODM_STR("./DevDetail/FwV");
        stage *s = ctx;
        gw_device *r = s->records[0];

        s->soon.fn = NULL;
        lwm2m_class.read(s->adapter, 7, r, r->native, &path, 1, ADAPTER_LIST_NONE, 5000);
}

/* Nor is a sleeper's lost, which is awake by what it says. */
static void nothing_is_asked_before_the_answer(void **state)
{
        static const char *const queries[] = {"ep=d1&lwm2m=1.0&lt=60",
                                              "ep=d1&lwm2m=1.0&lt=60&b=UQ"};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(queries); i++) {
                stage s;
                device d;

                begin(&s);
                device_begin(&s, &d, NULL);
                s.soon = (loop_timer){.fn = order_soon, .ctx = &s};
                enrol(&d, queries[i]);
                assert_false(d.early);
                replied(&s, 7);
                assert_int_equal(s.status, 200);
                co_close(d.end);
                end(&s);
        }
}

static void one_that_is_switched_off_is_refused(void **state)
{
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        s.records[0]->state = GW_DEACTIVATED;
        s.refuse = ODM_ST_FORBIDDEN; /* as the gateway does then */
        say(&d, CO_POST, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_FORBIDDEN);
        s.records[0]->state = GW_ACTIVE;
        s.refuse = 0;
        say(&d, CO_POST, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_CHANGED);
        co_close(d.end);
        end(&s);
}

static void a_device_may_be_refused(void **state)
{
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        s.refuse = ODM_ST_FORBIDDEN;
        say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", LINKS);
        assert_int_equal(d.code, CO_FORBIDDEN);
        s.refuse = ODM_ST_FULL;
        say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", LINKS);
        assert_int_equal(d.code, CO_UNAVAILABLE);
        s.refuse = 0;
        enrol(&d, "ep=d1&lwm2m=1.0");
        pass(&s, 20);
        co_close(d.end);
        end(&s);
}

static void a_gateway_that_begins_anew_knows_its_devices(void **state)
{
        stage s;
        device d;
        char listen[64];

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.1&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        snprintf(listen, sizeof listen, "lwm2m.listen=127.0.0.1:%u", lwm2m_port(s.adapter, false));
        lwm2m_class.close(s.adapter);
        assert_int_equal(cfg_set(s.conf, listen, NULL), 0);
        s.told[0] = d.asked[0] = 0;
        d.n_watched = 0;
        open_adapter(&s);
        assert_non_null(strstr(s.told, "seen d1 LWM2M/1.1"));
        assert_non_null(strstr(s.told, "awake d1 0"));
        until(&s, d.asked, "GET 5/0/5 observe"); /* it is asked, though it said nothing */
        say(&d, CO_POST, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_CHANGED);
        assert_int_equal(s.n, 1);
        co_close(d.end);
        end(&s);
}

/* ---- orders ------------------------------------------------------------------------------------------------- */

static void values_are_read_and_written(void **state)
{
        const odm_str level = ODM_STR("./DiagMon/Battery/DiagMonData/1/BatteryLevel");
        stage s;
        device d;
        gw_device *r;
        adapter_node v = {.path = ODM_STR("./LwM2M/1/0/1"),
                          .value = {.format = ODM_FMT_INT, .data = ODM_STR("300")},
                          .has_data = true};

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        r = s.records[0];
        read_one(&s, 1, "./DevDetail/FwV");
        assert_int_equal(s.status, 200);
        assert_string_equal(s.nodes, "./DevDetail/FwV=1.0 ");
        lwm2m_class.read(s.adapter, 2, r, r->native, &level, 1, ADAPTER_LIST_NONE, 5000);
        replied(&s, 2);
        assert_int_equal(s.status, 200);
        assert_non_null(strstr(s.nodes, "BatteryLevel=77"));

        lwm2m_class.write(s.adapter, 3, r, r->native, &v, 1, 5000);
        replied(&s, 3);
        assert_int_equal(s.status, 200);
        assert_non_null(strstr(d.asked, "PUT 1/0/1\n"));
        assert_int_equal(d.body_n, 3);
        assert_memory_equal(d.body, "300", 3);

        read_one(&s, 4, "./LwM2M/6/0/0");
        assert_int_equal(s.status, 404);
        co_close(d.end);
        end(&s);
}

static void a_device_is_asked_to_call(void **state)
{
        stage s;
        device d;
        gw_device *r;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "</1/3>,</3/0>");
        assert_int_equal(d.code, CO_CREATED);
        r = s.records[0];
        lwm2m_class.wake(s.adapter, 1, r, r->native, ODM_ABSENT, ODM_STR("xrem"));
        replied(&s, 1);
        assert_int_equal(s.status, 200);
        assert_non_null(strstr(d.asked, "POST 1/3/8\n"));
        lwm2m_class.wake(s.adapter, 2, r, r->native, ODM_STR("package 0"), ODM_STR("xrem"));
        replied(&s, 2);
        assert_int_equal(s.status, 406);
        co_close(d.end);
        end(&s);
}

static void silence_is_408(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_with(&s, "retransmit = 1\n");
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        co_close(d.end);
        read_one(&s, 1, "./DevDetail/FwV");
        assert_int_equal(s.status, 408);
        end(&s);
}

static void a_cancelled_order_is_not_replied(void **state)
{
        const odm_str p = ODM_STR("./DevDetail/FwV");
        stage s;
        device d;
        gw_device *r;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        r = s.records[0];
        lwm2m_class.read(s.adapter, 9, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
        lwm2m_class.cancel(s.adapter, 9);
        lwm2m_class.cancel(s.adapter, 9);
        read_one(&s, 10, "./DevDetail/FwV");
        assert_int_equal(s.status, 200);
        assert_int_equal(s.replied, 10);
        lwm2m_class.read(s.adapter, 11, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
        co_close(d.end);
        end(&s); /* with one under way */
}

/* Its record lives on, and with it what the adapter once gave for it. */
static void a_device_that_is_gone_is_asked_nothing(void **state)
{
        const odm_str p = ODM_STR("./DevDetail/FwV");
        const adapter_attrs attrs = {.pmin_s = -1, .pmax_s = -1, .gt = NAN, .lt = NAN, .st = NAN};
        adapter_node v = {.path = p, .has_data = true};
        stage s;
        device d;
        gw_device *r;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        r = s.records[0];
        lwm2m_class.read(s.adapter, 20, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
        s.open = 20;
        say(&d, CO_DELETE, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_DELETED);
        assert_non_null(strstr(s.told, "gone d1 1\n"));
        assert_int_equal(s.replied, 0); /* it was cancelled before */
        for (uint64_t id = 1; id <= 7; id++) {
                s.status = 0;
                switch (id) {
                case 1:
                        lwm2m_class.read(s.adapter, id, r, r->native, &p, 1, ADAPTER_LIST_NONE, 9);
                        break;
                case 2: lwm2m_class.write(s.adapter, id, r, r->native, &v, 1, 9); break;
                case 3: lwm2m_class.create(s.adapter, id, r, r->native, &v, 1, 9); break;
                case 4: lwm2m_class.remove(s.adapter, id, r, r->native, p, 9); break;
                case 5:
                        lwm2m_class.execute(s.adapter, id, r, r->native, p, p, ODM_ABSENT, 9);
                        break;
                case 6: lwm2m_class.observe(s.adapter, id, r, r->native, p, &attrs, 9); break;
                case 7: lwm2m_class.wake(s.adapter, id, r, r->native, ODM_ABSENT, p); break;
                }
                if (s.replied != id || s.status != 503)
                        fail_msg("%u: %u", (unsigned)id, s.status);
        }
        lwm2m_class.forget(s.adapter, r, r->native);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        read_one(&s, 9, "./DevDetail/FwV");
        assert_int_equal(s.status, 200);
        lwm2m_class.forget(s.adapter, r, r->native);
        lwm2m_class.forget(s.adapter, r, r->native);
        co_close(d.end);
        end(&s);
}

static void sleepers_are_asked_while_they_are_awake(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_with(&s, "awake = 1s\n");
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        assert_non_null(strstr(s.told, "awake d1 1000\n"));
        until(&s, d.asked, "GET 5/0/5 observe");
        read_one(&s, 1, "./DevDetail/FwV");
        assert_int_equal(s.status, 200);
        loop_skip(2000);
        read_one(&s, 2, "./DevDetail/FwV");
        assert_int_equal(s.status, 503);
        say(&d, CO_POST, d.location, NULL, NULL);
        read_one(&s, 3, "./DevDetail/FwV");
        assert_int_equal(s.status, 200);
        co_close(d.end);
        end(&s);
}

/* ---- what devices tell ------------------------------------------------------------------------------------------ */

static void tell(device *d, const char *path, odm_str value, int format)
{
        co_msg m;

        co_msg_init(&m, CO_CONTENT);
        m.body = value;
        m.format = format;
        for (size_t i = 0; i < d->n_watched; i++)
                if (strcmp(d->watched[i], path) == 0) {
                        co_notify(d->watcher[i], &m, true);
                        return;
                }
        fail_msg("%s is not observed", path);
}

static void error_codes_become_traps(void **state)
{
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        assert_null(strstr(s.told, "alert"));
        tell(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x01"), ODM_LW_TLV);
        until(&s, s.told, "TrapNotification");
        s.told[0] = 0;
        say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "<3/0"); /* refused: all is as it was */
        assert_int_equal(d.code, CO_BAD_REQUEST);
        tell(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        until(&s, s.told, "TrapInactiveNotification");
        co_close(d.end);
        end(&s);
}

static void send_values(device *d, odm_str body)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);
        unsigned before = d->answered;
        co_msg m;
        uint64_t id;

        co_msg_init(&m, CO_POST);
        m.path = ODM_STR("dp");
        m.format = ODM_LW_SENML_JSON;
        m.body = body;
        assert_int_equal(co_ask(d->end, &d->to, &m, NULL, on_done, d, &id), 0);
        while (d->answered == before) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(d->s->l, 50), 0);
        }
}

/* What a device sends is answered when it is read, and its alerts are kept. */
static void alerts_are_kept_before_they_are_answered(void **state)
{
        stage s;
        device d;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.1&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        pass(&s, 20);
        send_values(&d, ODM_STR("[{\"n\":"));
        assert_int_equal(d.code, CO_BAD_REQUEST);
        s.full = true;
        have(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x07"), ODM_LW_TLV);
        send_values(&d, ODM_STR("[{\"bn\":\"/3/0/11/0\",\"v\":7}]"));
        assert_int_equal(d.code, CO_UNAVAILABLE);
        s.full = false;
        send_values(&d, ODM_STR("[{\"bn\":\"/3/0/11/0\",\"v\":7}]"));
        assert_int_equal(d.code, CO_CHANGED);
        assert_non_null(strstr(s.told, "alert ./Trap/error7 urn:oma:at:diagmon:1.0:TrapNot"));
        /* so with a notification, which is looked for again */
        s.full = true;
        s.told[0] = 0;
        tell(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        have(&d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        pass(&s, 50);
        assert_null(strstr(s.told, "alert"));
        s.full = false;
        loop_skip(5000);
        until(&s, s.told, "alert ./Trap/error7 urn:oma:at:diagmon:1.0:TrapInactive");
        co_close(d.end);
        end(&s);
}

static void observed_values_are_told(void **state)
{
        stage s;
        device d;
        gw_device *r;
        const adapter_attrs attrs = {.pmin_s = 5, .pmax_s = -1, .gt = NAN, .lt = 20, .st = NAN};

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        r = s.records[0];
        lwm2m_class.observe(s.adapter, 1, r, r->native,
                            ODM_STR("./DiagMon/Battery/DiagMonData/1/BatteryLevel"), &attrs, 5000);
        replied(&s, 1);
        assert_int_equal(s.status, 200);
        assert_non_null(strstr(d.asked, "PUT 3/0/9?pmin=5\n"));
        assert_non_null(strstr(d.asked, "GET 3/0/9 observe\n"));
        tell(&d, "3/0/9", ODM_STR("12"), ODM_LW_TEXT);
        until(&s, s.told, "BatteryLevel=12\n");
        co_close(d.end);
        end(&s);
}

static void reopen(stage *s)
{
        char listen[64];

        snprintf(listen, sizeof listen, "lwm2m.listen=127.0.0.1:%u", lwm2m_port(s->adapter, false));
        pass(s, 20); /* what it does is on its way to the store */
        lwm2m_class.close(s->adapter);
        assert_int_equal(cfg_set(s->conf, listen, NULL), 0);
        open_adapter(s);
}

/* A server writes what it wants to know, and hears of it. */
static void observations_are_ordered_by_nodes(void **state)
{
        adapter_node v[] = {
                {.path = ODM_STR("./LwM2M/Observe/hot"), .value.format = ODM_FMT_NODE},
                {.path = ODM_STR("./LwM2M/Observe/hot/Ref"),
                 .value = {.format = ODM_FMT_CHR,
                           .data = ODM_STR("./DiagMon/Battery/DiagMonData/1/BatteryLevel")},
                 .has_data = true},
                {.path = ODM_STR("./LwM2M/Observe/hot/gt"),
                 .value = {.format = ODM_FMT_FLOAT, .data = ODM_STR("80")},
                 .has_data = true},
        };
        stage s;
        device d;
        gw_device *r;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        r = s.records[0];
        lwm2m_class.create(s.adapter, 1, r, r->native, v, ODM_COUNT(v), 5000);
        replied(&s, 1);
        assert_int_equal(s.status, 200);
        until(&s, d.asked, "PUT 3/0/9?gt=80\n");
        until(&s, d.asked, "GET 3/0/9 observe\n");
        until(&s, s.told, "BatteryLevel urn:oma:at:diagmon:1.0:CollectedSimpleDataReport 77");
        read_one(&s, 2, "./LwM2M/Observe/hot/Status");
        assert_string_equal(s.nodes, "./LwM2M/Observe/hot/Status=200 ");
        tell(&d, "3/0/9", ODM_STR("81"), ODM_LW_TEXT);
        until(&s, s.told, "CollectedSimpleDataReport 81");
        until(&s, s.told, "alert ./LwM2M/Observe/hot urn:oma:at:diagmon:1.0:TrapNotification 81");
        tell(&d, "3/0/9", ODM_STR("80"), ODM_LW_TEXT);
        until(&s, s.told, "TrapInactiveNotification 80");
        reopen(&s); /* it is asked for again */
        d.asked[0] = 0;
        d.n_watched = 0;
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "PUT 3/0/9?gt=80\n");
        until(&s, d.asked, "GET 3/0/9 observe\n");
        pass(&s, 20);
        r = s.records[0];
        lwm2m_class.remove(s.adapter, 3, r, r->native, ODM_STR("./LwM2M/Observe/hot"), 5000);
        replied(&s, 3);
        assert_int_equal(s.status, 200);
        s.told[0] = 0;
        tell(&d, "3/0/9", ODM_STR("90"), ODM_LW_TEXT);
        pass(&s, 50);
        assert_null(strstr(s.told, "=90"));
        co_close(d.end);
        end(&s);
}

/* ---- firmware ------------------------------------------------------------------------------------------------------- */

#define IMAGE_SIZE 5000

static void make_image(stage *s, char path[128])
{
        char octets[IMAGE_SIZE];

        for (size_t i = 0; i < sizeof octets; i++)
                octets[i] = (char)(i * 7 + i / 256);
        snprintf(path, 128, "%s/image", s->folder);
        assert_int_equal(fsio_write(NULL, path, (odm_str){octets, sizeof octets}, 0600, NULL), 0);
        image_path = path;
        image_size = sizeof octets;
}

/* What /5/0 says: state, result, protocols (CoAP), ways of delivery. */
static void firmware_is(device *d, char state, char result, char delivery)
{
        static char tlv[16], one[2][1];
        char v[] = {(char)0xc1, 3, state, (char)0xc1, 5, result, (char)0xc1, 9, delivery};

        memcpy(tlv, v, sizeof v);
        have(d, "5/0", (odm_str){tlv, sizeof v}, ODM_LW_TLV);
        one[0][0] = (char)('0' + state);
        one[1][0] = (char)('0' + result);
        have(d, "5/0/3", (odm_str){one[0], 1}, ODM_LW_TEXT);
        have(d, "5/0/5", (odm_str){one[1], 1}, ODM_LW_TEXT);
}

static void order_firmware(stage *s)
{
        gw_device *r = s->records[0];
        const adapter_node url = {
                .path = ODM_STR("./FUMO/main/DownloadAndUpdate/PkgURL"),
                .value = {.format = ODM_FMT_CHR, .data = ODM_STR("http://127.0.0.1:8080/img/fw-2")},
                .has_data = true};

        lwm2m_class.write(s->adapter, 49, r, r->native, &url, 1, 5000);
        replied(s, 49);
        assert_int_equal(s->status, 200);
        lwm2m_class.execute(s->adapter, 50, r, r->native, ODM_STR("./FUMO/main/DownloadAndUpdate"),
                            ODM_ABSENT, ODM_STR("c-1"), 5000);
        assert_int_not_equal(s->replied, 50); /* nothing before it is durable */
        replied(s, 50);
        assert_int_equal(s->status, s->fault.for_ever ? 510 : 202);
}

/* It restarts with the new firmware. */
static void come_back(device *d)
{
        have(d, "3/0",
             ODM_STR("\xc3\x00"
                     "Acm"
                     "\xc3\x03"
                     "2.0"),
             ODM_LW_TLV);
        have(d, "3/0/3", ODM_STR("2.0"), ODM_LW_TEXT);
        firmware_is(d, 0, 1, 2);
        d->n_watched = 0;
        enrol(d, "ep=d1&lwm2m=1.0&lt=60");
}

static void firmware_is_pulled_from_the_gateway(void **state)
{
        stage s;
        device d;
        char path[128], url[64];

        (void)state;
        begin(&s);
        make_image(&s, path);
        device_begin(&s, &d, NULL);
        firmware_is(&d, 0, 0, 2);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        order_firmware(&s);
        until(&s, d.asked, "PUT 5/0/1\n");
        snprintf(url, sizeof url, "coap://127.0.0.1:%u/img/fw-2", lwm2m_port(s.adapter, false));
        assert_int_equal(d.body_n, strlen(url));
        assert_memory_equal(d.body, url, d.body_n);

        say(&d, CO_GET, "img/fw-2", NULL, NULL);
        assert_int_equal(d.code, CO_CONTENT);
        assert_int_equal(d.got_n, IMAGE_SIZE);
        assert_int_equal(s.served, 1);
        assert_int_equal(s.octets, IMAGE_SIZE);
        assert_int_equal((uint8_t)d.got[4444], (uint8_t)(4444 * 7 + 4444 / 256));
        firmware_is(&d, 2, 0, 2);
        tell(&d, "5/0/3", ODM_STR("2"), ODM_LW_TEXT);
        until(&s, d.asked, "POST 5/0/2\n");
        come_back(&d);
        until(&s, s.told, "downloadandupdate 200 c-1\n");
        assert_int_equal(unlink(path), 0);
        co_close(d.end);
        end(&s);
}

static void firmware_is_pushed_to_who_cannot_pull(void **state)
{
        stage s;
        device d;
        char path[128];

        (void)state;
        begin(&s);
        make_image(&s, path);
        device_begin(&s, &d, NULL);
        firmware_is(&d, 0, 0, 1);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        order_firmware(&s);
        until(&s, d.asked, "PUT 5/0/0\n");
        assert_int_equal(d.last_n, IMAGE_SIZE);
        assert_int_equal(s.served, 1);
        assert_int_equal(s.octets, IMAGE_SIZE);
        firmware_is(&d, 2, 0, 1);
        tell(&d, "5/0/3", ODM_STR("2"), ODM_LW_TEXT);
        until(&s, d.asked, "POST 5/0/2\n");
        come_back(&d);
        until(&s, s.told, "downloadandupdate 200 c-1\n");
        assert_int_equal(unlink(path), 0);
        co_close(d.end);
        end(&s);
}

static void a_job_outlives_the_gateway(void **state)
{
        stage s;
        device d;
        char path[128], listen[64];

        (void)state;
        begin(&s);
        make_image(&s, path);
        device_begin(&s, &d, NULL);
        firmware_is(&d, 0, 0, 1);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        order_firmware(&s);
        until(&s, d.asked, "PUT 5/0/0\n");
        firmware_is(&d, 2, 0, 1);
        tell(&d, "5/0/3", ODM_STR("2"), ODM_LW_TEXT);
        until(&s, d.asked, "POST 5/0/2\n");
        snprintf(listen, sizeof listen, "lwm2m.listen=127.0.0.1:%u", lwm2m_port(s.adapter, false));
        pass(&s, 20); /* what it does is on its way to the store */
        lwm2m_class.close(s.adapter);
        assert_int_equal(cfg_set(s.conf, listen, NULL), 0);
        open_adapter(&s);
        come_back(&d);
        until(&s, s.told, "downloadandupdate 200 c-1\n");
        assert_int_equal(unlink(path), 0);
        co_close(d.end);
        end(&s);
}

static void has_registered(stage *s, const char *n)
{
        char line[32];
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 4096);
        assert_int_equal(lwm2m_class.status(s->adapter, &b), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        snprintf(line, sizeof line, "registered: %s\n", n);
        assert_non_null(strstr(b.p, line));
        odm_buf_done(&b);
}

/* A device that restarts for its update may say good-bye first, or be silent for its lifetime. */
static void a_job_outlives_a_registration(void **state)
{
        static const struct row {
                const char *why;
                bool expires, restart, back;
                const char *end;
        } rows[] = {
                {"it says good-bye and comes back", false, false, true, " 200 c-1\n"},
                {"it is silent and comes back", true, false, true, " 200 c-1\n"},
                {"the gateway restarts meanwhile", false, true, true, " 200 c-1\n"},
                {"it does not come back", false, false, false, " 409 c-1\n"},
                {"nor after a restart of the gateway", false, true, false, " 409 c-1\n"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                device d;
                char path[128];

                begin(&s);
                make_image(&s, path);
                device_begin(&s, &d, NULL);
                firmware_is(&d, 0, 0, 1);
                enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
                until(&s, d.asked, "GET 5/0/5 observe");
                order_firmware(&s);
                until(&s, d.asked, "PUT 5/0/0\n");
                firmware_is(&d, 2, 0, 1);
                tell(&d, "5/0/3", ODM_STR("2"), ODM_LW_TEXT);
                until(&s, d.asked, "POST 5/0/2\n");
                pass(&s, 20);
                if (r->expires)
                        loop_skip(70000);
                else
                        say(&d, CO_DELETE, d.location, NULL, NULL);
                until(&s, s.told, r->expires ? "gone d1 2\n" : "gone d1 1\n");
                has_registered(&s, "0");
                read_one(&s, 9, "./DevInfo/Man");
                assert_int_equal(s.status, 503);
                if (r->restart)
                        reopen(&s);
                assert_null(strstr(s.told, "downloadandupdate"));
                if (r->back)
                        come_back(&d);
                else
                        loop_skip(3700000);
                until(&s, s.told, r->end);
                pass(&s, 50);
                has_registered(&s, r->back ? "1" : "0");
                reopen(&s); /* nothing is told twice */
                pass(&s, 50);
                assert_null(strstr(strstr(s.told, r->end) + 1, r->end));
                assert_int_equal(unlink(path), 0);
                co_close(d.end);
                end(&s);
        }
}

static void a_sleeper_holds_up_no_package(void **state)
{
        stage s;
        device slow, d;
        gw_device *r;
        char path[128];

        (void)state;
        begin_with(&s, "awake = 1h\n");
        make_image(&s, path);
        device_begin(&s, &slow, NULL);
        device_begin(&s, &d, NULL);
        firmware_is(&slow, 0, 0, 1); /* the values are both's */
        enrol(&slow, "ep=slow&lwm2m=1.0&lt=86400");
        until(&s, slow.asked, "GET 5/0/5 observe");
        firmware_is(&d, 0, 0, 1);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=86400&b=UQ");
        until(&s, d.asked, "GET 5/0/5 observe");
        slow.mute = CO_PUT;
        order_firmware(&s);
        r = s.records[0];
        s.records[0] = s.records[1];
        s.records[1] = r;
        until(&s, slow.asked, "PUT 5/0/0\n");
        s.replied = 0;
        order_firmware(&s);
        pass(&s, 200);
        loop_skip(3700000); /* the one is given up, the other sleeps */
        pass(&s, 200);
        assert_null(strstr(d.asked, "PUT 5/0/0"));
        say(&d, CO_POST, d.location, NULL, NULL);
        until(&s, d.asked, "PUT 5/0/0\n");
        assert_int_equal(unlink(path), 0);
        co_close(slow.end);
        co_close(d.end);
        end(&s);
}

static void a_staged_package_outlives_a_registration(void **state)
{
        stage s;
        device d;
        gw_device *r;
        adapter_node v = {.path = ODM_STR("./FUMO/main/Update/PkgData"),
                          .value = {.format = ODM_FMT_BIN, .data = ODM_STR("a package")},
                          .has_data = true};

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        firmware_is(&d, 0, 0, 1);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        r = s.records[0];
        lwm2m_class.write(s.adapter, 1, r, r->native, &v, 1, 5000);
        replied(&s, 1);
        assert_int_equal(s.status, 200);
        d.asked[0] = 0;
        d.n_watched = 0;
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        lwm2m_class.execute(s.adapter, 2, r, r->native, ODM_STR("./FUMO/main/Update"), ODM_ABSENT,
                            ODM_STR("c-2"), 5000);
        replied(&s, 2);
        assert_int_equal(s.status, 202);
        until(&s, d.asked, "PUT 5/0/0\n");
        assert_int_equal(d.last_n, 9);
        firmware_is(&d, 0, 5, 1); /* integrity */
        tell(&d, "5/0/5", ODM_STR("5"), ODM_LW_TEXT);
        until(&s, s.told, "firmwareupdate.update ");
        pass(&s, 20);
        co_close(d.end);
        end(&s); /* which finds nothing left */
}

static void what_cannot_be_kept_is_not_promised(void **state)
{
        stage s;
        device d;
        char path[128];

        (void)state;
        begin(&s);
        make_image(&s, path);
        device_begin(&s, &d, NULL);
        firmware_is(&d, 0, 0, 2);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        store_fault_set(&s.fault, (store_fault){.fail_commit = 1, .for_ever = true});
        order_firmware(&s);
        store_fault_set(&s.fault, (store_fault){0});
        order_firmware(&s); /* nothing of the first is left that it would be refused for */
        until(&s, d.asked, "PUT 5/0/1\n");
        assert_int_equal(unlink(path), 0);
        co_close(d.end);
        end(&s);
}

static void a_refusal_ends_the_job(void **state)
{
        stage s;
        device d;
        char path[128];

        (void)state;
        begin(&s);
        make_image(&s, path);
        device_begin(&s, &d, NULL);
        firmware_is(&d, 0, 0, 1);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=60");
        until(&s, d.asked, "GET 5/0/5 observe");
        order_firmware(&s);
        until(&s, d.asked, "PUT 5/0/0\n");
        firmware_is(&d, 0, 5, 1); /* integrity */
        tell(&d, "5/0/5", ODM_STR("5"), ODM_LW_TEXT);
        until(&s, s.told, "downloadandupdate 402 c-1\n");
        assert_int_equal(unlink(path), 0);
        co_close(d.end);
        end(&s);
}

static void order_restart(stage *s, uint64_t id)
{
        gw_device *r = s->records[0];

        lwm2m_class.execute(s->adapter, id, r, r->native,
                            ODM_STR("./DiagMon/Restart/Operations/Start"), ODM_ABSENT,
                            ODM_STR("c-2"), 5000);
}

/* Whether it restarts is seen by its registering anew, in good time. */
static void a_restart_is_over_when_the_device_is_back(void **state)
{
        static const struct row {
                const char *why;
                bool answers, back;
                const char *end;
        } rows[] = {
                {"it answers, and is back", true, true, " 1200 c-2\n"},
                {"it is back before it answers", false, true, " 1200 c-2\n"},
                {"it answers, and stays", true, false, " 1402 c-2\n"},
                {"it is silent", false, false, " 1402 c-2\n"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                stage s;
                device d;

                begin_with(&s, "restart = 5m\nretransmit = 2\n");
                device_begin(&s, &d, NULL);
                enrol(&d, "ep=d1&lwm2m=1.0&lt=86400");
                until(&s, d.asked, "GET 5/0/5 observe");
                d.mute = r->answers ? 0 : CO_POST;
                order_restart(&s, 1);
                replied(&s, 1);
                assert_int_equal(s.status, 202);
                until(&s, d.asked, "POST 3/0/4\n");
                if (r->answers)
                        pass(&s, 20);
                order_restart(&s, 2); /* nothing else while it may be on its way */
                assert_int_equal(s.status, 405);
                assert_null(strstr(s.told, "OperationComplete"));
                d.asked[0] = 0;
                if (r->back) {
                        d.n_watched = 0;
                        enrol(&d, "ep=d1&lwm2m=1.0&lt=86400");
                } else {
                        pass(&s, 500); /* nothing is sent again any more */
                        loop_skip(290000);
                        pass(&s, 20);
                        assert_null(strstr(s.told, "OperationComplete"));
                        loop_skip(10000);
                }
                until(&s, s.told, r->end);
                pass(&s, 500);
                if (r->back && strstr(d.asked, "POST 3/0/4\n"))
                        fail_msg("%s: it is ordered twice", r->why);
                order_restart(&s, 3);
                replied(&s, 3);
                assert_int_equal(s.status, 202);
                co_close(d.end);
                end(&s);
        }
}

/* A sleeper that registers when it wakes has not done what it is then told. */
static void an_order_that_waits_is_not_what_brought_it_back(void **state)
{
        stage s;
        device d;

        (void)state;
        begin_with(&s, "awake = 1s\n");
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        until(&s, d.asked, "GET 5/0/5 observe");
        order_restart(&s, 1);
        loop_skip(2000); /* it sleeps before the order is durable */
        replied(&s, 1);
        assert_int_equal(s.status, 202);
        enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        until(&s, d.asked, "POST 3/0/4\n");
        pass(&s, 50);
        assert_null(strstr(s.told, "OperationComplete"));
        enrol(&d, "ep=d1&lwm2m=1.0&lt=600&b=UQ");
        until(&s, s.told, " 1200 c-2\n");
        co_close(d.end);
        end(&s);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------ */

static void write_keys(stage *s, const char *text)
{
        char path[128];

        snprintf(path, sizeof path, "%s/keys", s->folder);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0600, NULL), 0);
}

static void begin_secure(stage *s, const char *keys)
{
        char more[256];

        begin(s);
        lwm2m_class.close(s->adapter);
        s->adapter = NULL;
        write_keys(s, keys);
        snprintf(more, sizeof more, "[lwm2m]\nlisten_secure = 127.0.0.1:0\nkeys = %s/keys\n",
                 s->folder);
        assert_int_equal(cfg_parse(s->conf, odm_cstr(more), "test", NULL), 0);
        open_adapter(s);
}

static co_setup secure_device(const char *identity, const char *key)
{
        co_setup c;

        co_setup_init(&c);
        c.security = CO_PSK;
        c.client = true;
        c.identity = odm_cstr(identity);
        c.key = odm_cstr(key);
        return c;
}

#define KEYS                          \
        "# identity, key, endpoint\n" \
        "d1 3031323334353637\n"       \
        "\n"                          \
        "someone 61626364656667686970 urn:dev:os:2-3\n"

static void an_endpoint_is_bound_to_its_key(void **state)
{
        static const struct row {
                const char *why, *identity, *key, *ep; /* no identity: without DTLS */
                uint8_t code;
        } rows[] = {
                {"the identity is the endpoint", "d1", "01234567", "d1", CO_CREATED},
                {"the endpoint is another", "d1", "01234567", "d2", CO_FORBIDDEN},
                {"one that the file gives it", "someone", "abcdefghip", "urn:dev:os:2-3",
                 CO_CREATED},
                {"its identity is not its endpoint", "someone", "abcdefghip", "someone",
                 CO_FORBIDDEN},
                {"a key is needed", NULL, NULL, "d1", CO_FORBIDDEN},
                {"none is needed", NULL, NULL, "d7", CO_CREATED},
        };
        stage s;

        (void)state;
        begin_secure(&s, KEYS);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                co_setup c = secure_device(r->identity, r->key);
                char query[64];
                device d;

                device_begin(&s, &d, r->identity ? &c : NULL);
                snprintf(query, sizeof query, "ep=%s&lwm2m=1.0", r->ep);
                say(&d, CO_POST, "rd", query, LINKS);
                if (d.code != r->code)
                        fail_msg("%s: %x", r->why, d.code);
                co_close(d.end);
        }
        end(&s);
}

static void a_registration_is_its_owners(void **state)
{
        stage s;
        co_setup c1 = secure_device("d1", "01234567"), c2 = secure_device("someone", "abcdefghip");
        device d1, d2, plain;

        (void)state;
        begin_secure(&s, KEYS);
        device_begin(&s, &d1, &c1);
        device_begin(&s, &d2, &c2);
        device_begin(&s, &plain, NULL);
        enrol(&d1, "ep=d1&lwm2m=1.0");
        until(&s, d1.asked, "GET 5/0/5 observe"); /* over the device's own session */
        say(&d2, CO_DELETE, d1.location, NULL, NULL);
        assert_int_equal(d2.code, CO_NOT_FOUND);
        say(&plain, CO_DELETE, d1.location, NULL, NULL);
        assert_int_equal(plain.code, CO_NOT_FOUND);
        say(&d1, CO_POST, d1.location, NULL, NULL);
        assert_int_equal(d1.code, CO_CHANGED);
        /* nor is it taken over without DTLS, by an endpoint whose key is gone or not */
        write_keys(&s, "d9 3031323334353637\n");
        say(&plain, CO_POST, "rd", "ep=d1&lwm2m=1.0", LINKS);
        assert_int_equal(plain.code, CO_FORBIDDEN);
        say(&d1, CO_POST, "rd", "ep=d1&lwm2m=1.0", LINKS); /* a session that outlived its key */
        assert_int_equal(d1.code, CO_FORBIDDEN);
        write_keys(&s, KEYS "d9 3031323334353637\n"); /* keys may come while it runs */
        co_close(d2.end);
        c2 = secure_device("d9", "01234567");
        device_begin(&s, &d2, &c2);
        enrol(&d2, "ep=d9&lwm2m=1.0");
        co_close(d1.end);
        co_close(d2.end);
        co_close(plain.end);
        end(&s);
}

/* What was asked by the listener of before is cancelled there. */
static void a_device_changes_to_dtls_while_it_is_asked(void **state)
{
        const odm_str p = ODM_STR("./DevDetail/FwV");
        co_setup c = secure_device("d7", "01234567");
        stage s;
        device plain, d;
        gw_device *r;

        (void)state;
        begin_secure(&s, KEYS);
        device_begin(&s, &plain, NULL);
        enrol(&plain, "ep=d7&lwm2m=1.0");
        until(&s, plain.asked, "GET 5/0/5 observe");
        co_close(plain.end);
        r = s.records[0];
        lwm2m_class.read(s.adapter, 30, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
        write_keys(&s, KEYS "d7 3031323334353637\n");
        device_begin(&s, &d, &c);
        enrol(&d, "ep=d7&lwm2m=1.0");
        assert_int_equal(s.replied, 0);
        lwm2m_class.cancel(s.adapter, 30);
        loop_skip(10000); /* its deadline */
        pass(&s, 20);
        assert_int_equal(s.replied, 0);
        read_one(&s, 31, "./DevDetail/FwV");
        assert_int_equal(s.status, 200);
        co_close(d.end);
        end(&s);
}

/* Nothing was sent: that is no silence, after which a restart may have been heard. */
static void without_a_session_an_order_is_503(void **state)
{
        co_setup c = secure_device("d1", "01234567");
        stage s;
        device d;
        gw_device *r;

        (void)state;
        begin_secure(&s, KEYS);
        device_begin(&s, &d, &c);
        enrol(&d, "ep=d1&lwm2m=1.0");
        until(&s, d.asked, "GET 5/0/5 observe");
        co_close(d.end);
        pass(&s, 50);
        r = s.records[0];
        read_one(&s, 1, "./DevDetail/FwV");
        assert_int_equal(s.status, 503);
        lwm2m_class.execute(s.adapter, 2, r, r->native, ODM_STR("./LwM2M/3/0/4"), ODM_ABSENT,
                            ODM_ABSENT, 5000);
        replied(&s, 2);
        assert_int_equal(s.status, 503);
        end(&s);
}

/* ---- a gateway behind the gateway ---------------------------------------------------------------- */

static odm_str tlv_text(odm_buf *b, uint8_t id, const char *text)
{
        size_t n = strlen(text);

        assert_true(n < 256);
        assert_int_equal(odm_buf_byte(b, 0xc8), 0);
        assert_int_equal(odm_buf_byte(b, id), 0);
        assert_int_equal(odm_buf_byte(b, (uint8_t)n), 0);
        assert_int_equal(odm_buf_str(b, odm_cstr(text)), 0);
        return odm_buf_view(b);
}

/* An instance of /25, in TLV. */
static void add_behind(odm_buf *b, uint8_t instance, const char *id, const char *prefix,
                       const char *objects)
{
        odm_buf one;
        odm_str in;

        odm_buf_init(&one, &heap_mem, 1024);
        (void)tlv_text(&one, 0, id);
        (void)tlv_text(&one, 1, prefix);
        in = tlv_text(&one, 3, objects);
        assert_int_equal(odm_buf_byte(b, 0x08), 0);
        assert_int_equal(odm_buf_byte(b, instance), 0);
        assert_int_equal(odm_buf_byte(b, (uint8_t)in.n), 0);
        assert_int_equal(odm_buf_str(b, in), 0);
        odm_buf_done(&one);
}

#define BEHIND_LINKS "</>;rt=\"oma.lwm2m\",</1/0>,</3/0>,</25/0>,</25/1>"

static void furnish_behind(device *d, odm_buf *b)
{
        add_behind(b, 0, "leaf-1", "d01", "</3/0>,</3303/0>");
        add_behind(b, 1, "leaf-2", "d02", "</d02/3/0>,</d02/3/0>");
        have(d, "25", odm_buf_view(b), ODM_LW_TLV);
        have(d, "d01/3/0",
             ODM_STR("\xc2\x00"
                     "LA"
                     "\xc3\x03"
                     "7.1"),
             ODM_LW_TLV);
        have(d, "d01/3/0/3", ODM_STR("7.1"), ODM_LW_TEXT);
        have(d, "d01/3303/0/5700", ODM_STR("21.5"), ODM_LW_TEXT);
        have(d, "d02/3/0",
             ODM_STR("\xc2\x00"
                     "LB"
                     "\xc3\x03"
                     "8.2"),
             ODM_LW_TLV);
        have(d, "d02/3/0/3", ODM_STR("8.2"), ODM_LW_TEXT);
}

static void read_of(stage *s, uint64_t id, const char *who, const char *path)
{
        gw_device *r = record_of(s, odm_cstr(who));
        odm_str p = odm_cstr(path);

        assert_non_null(r);
        lwm2m_class.read(s->adapter, id, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
        replied(s, id);
}

static void devices_behind_a_device_are_devices(void **state)
{
        stage s;
        device d;
        odm_buf b;
        gw_device *leaf;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        odm_buf_init(&b, &heap_mem, 4096);
        furnish_behind(&d, &b);
        say(&d, CO_POST, "rd", "ep=gw&lwm2m=1.0&lt=60", BEHIND_LINKS);
        until(&s, s.told, "seen leaf-1  man=LA fw=7.1\n");
        until(&s, s.told, "seen leaf-2  man=LB fw=8.2\n");
        assert_non_null(strstr(s.told, "awake leaf-1 0\n"));
        read_of(&s, 1, "leaf-1", "./LwM2M/3303/0/5700");
        assert_int_equal(s.status, 200);
        assert_non_null(strstr(s.nodes, "=21.5"));
        read_of(&s, 2, "leaf-2", "./DevDetail/FwV");
        assert_string_equal(s.nodes, "./DevDetail/FwV=8.2 ");
        leaf = record_of(&s, ODM_STR("leaf-2"));
        lwm2m_class.execute(s.adapter, 3, leaf, leaf->native,
                            ODM_STR("./DiagMon/Restart/Operations/Start"), ODM_ABSENT,
                            ODM_STR("c-9"), 5000);
        until(&s, d.asked, "POST d02/3/0/4\n");
        until(&s, s.told, "OperationComplete 1200 c-9\n");
        /* one is there no more, another is new */
        odm_buf_cut(&b, 0);
        add_behind(&b, 1, "leaf-2", "d02", "</3/0>");
        add_behind(&b, 2, "leaf-3", "d01", "</3/0>");
        have(&d, "25", odm_buf_view(&b), ODM_LW_TLV);
        tell(&d, "25", odm_buf_view(&b), ODM_LW_TLV);
        until(&s, s.told, "gone leaf-1 1\n");
        until(&s, s.told, "seen leaf-3  man=LA fw=7.1\n");
        assert_null(strstr(s.told, "gone leaf-2"));
        /* and without their gateway there are none */
        say(&d, CO_DELETE, d.location, NULL, NULL);
        assert_non_null(strstr(s.told, "gone leaf-2 3\n"));
        assert_non_null(strstr(s.told, "gone leaf-3 3\n"));
        read_of(&s, 4, "leaf-3", "./DevDetail/FwV");
        assert_int_equal(s.status, 503);
        odm_buf_done(&b);
        co_close(d.end);
        end(&s);
}

static void they_are_kept_with_their_gateway(void **state)
{
        stage s;
        device d;
        odm_buf b;
        char listen[64];

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        odm_buf_init(&b, &heap_mem, 4096);
        furnish_behind(&d, &b);
        say(&d, CO_POST, "rd", "ep=gw&lwm2m=1.0&lt=60&b=UQ", BEHIND_LINKS);
        until(&s, s.told, "seen leaf-1  man=LA fw=7.1\n");
        until(&s, s.told, "seen leaf-2  man=LB fw=8.2\n");
        snprintf(listen, sizeof listen, "lwm2m.listen=127.0.0.1:%u", lwm2m_port(s.adapter, false));
        pass(&s, 20);
        lwm2m_class.close(s.adapter);
        assert_int_equal(cfg_set(s.conf, listen, NULL), 0);
        s.told[0] = d.asked[0] = 0;
        open_adapter(&s);
        assert_non_null(strstr(s.told, "asleep leaf-1\n")); /* as its gateway is */
        read_of(&s, 1, "leaf-1", "./DevDetail/FwV");
        assert_int_equal(s.status, 503);
        say(&d, CO_POST, d.location, NULL, NULL);
        assert_int_equal(d.code, CO_CHANGED);
        until(&s, s.told, "awake leaf-1 93000\n");
        read_of(&s, 2, "leaf-1", "./DevDetail/FwV");
        assert_string_equal(s.nodes, "./DevDetail/FwV=7.1 ");
        /* a registration of its own takes it away from there */
        until(&s, d.asked, "GET 25 observe\n");
        d.n_watched = 0;
        say(&d, CO_POST, "rd", "ep=leaf-1&lwm2m=1.0&lt=60", LINKS);
        assert_int_equal(d.code, CO_CREATED);
        read_of(&s, 3, "leaf-1", "./DevDetail/FwV");
        assert_string_equal(s.nodes, "./DevDetail/FwV=1.0 ");
        odm_buf_done(&b);
        co_close(d.end);
        end(&s);
}

static void what_a_gateway_says_of_others_is_not_believed(void **state)
{
        static const struct row {
                const char *why, *id, *prefix, *objects;
        } rows[] = {
                {"itself", "gw", "d01", "</3/0>"},
                {"a device with a registration of its own", "d1", "d01", "</3/0>"},
                {"nobody", "", "d01", "</3/0>"},
                {"no prefix", "x1", "", "</3/0>"},
                {"a prefix that is a path", "x2", "a/b", "</3/0>"},
                {"one that is too long", "x3", "0123456789012345678901234567890123456789012345678",
                 "</3/0>"},
                {"objects that are none", "x4", "d04", "3/0"},
        };
        stage s;
        device d, own;

        (void)state;
        begin(&s);
        device_begin(&s, &own, NULL);
        enrol(&own, "ep=d1&lwm2m=1.0&lt=60");
        device_begin(&s, &d, NULL);
        have(&d, "d9/3/0",
             ODM_STR("\xc2\x00"
                     "LA"
                     "\xc3\x03"
                     "7.1"),
             ODM_LW_TLV);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                size_t before;
                odm_buf b;

                odm_buf_init(&b, &heap_mem, 4096);
                add_behind(&b, 0, rows[i].id, rows[i].prefix, rows[i].objects);
                add_behind(&b, 1, "good", "d9", "</3/0>");
                have(&d, "25", odm_buf_view(&b), ODM_LW_TLV);
                s.told[0] = 0;
                d.n_watched = 0;
                say(&d, CO_POST, "rd", "ep=gw&lwm2m=1.0&lt=60", BEHIND_LINKS);
                until(&s, s.told, "seen good  man=LA");
                before = s.n;
                if (before != 3)
                        fail_msg("%s: %zu records", rows[i].why, before);
                odm_buf_done(&b);
        }
        read_of(&s, 1, "d1", "./DevDetail/FwV");
        assert_string_equal(s.nodes, "./DevDetail/FwV=1.0 ");
        co_close(own.end);
        co_close(d.end);
        end(&s);
}

static void write_definition(const stage *s, const char *type)
{
        char path[128], xml[1024];

        snprintf(path, sizeof path, "%s/objects/x.xml", s->folder);
        snprintf(xml, sizeof xml,
                 "<LWM2M><Object ObjectType=\"MODefinition\"><Name>X</Name>"
                 "<ObjectID>33000</ObjectID><ObjectURN>urn:oma:lwm2m:x:33000</ObjectURN>"
                 "<MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>"
                 "<Resources><Item ID=\"1\"><Name>Y</Name><Operations>RW</Operations>"
                 "<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>"
                 "<Type>%s</Type></Item></Resources></Object></LWM2M>",
                 type);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(xml), 0600, NULL), 0);
}

static odm_format format_of_y(stage *s)
{
        s->format = ODM_FMT_ABSENT;
        s->replied = 0;
        read_one(s, 11, "./LwM2M/33000/0/1");
        assert_int_equal(s->status, 200);
        return s->format;
}

/* A definition that comes, or is another one, while the gateway runs. */
static void definitions_are_read_when_they_change(void **state)
{
        stage s;
        device d;
        char folder[96], more[160];

        (void)state;
        begin(&s);
        snprintf(folder, sizeof folder, "%s/objects", s.folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        lwm2m_class.close(s.adapter);
        s.adapter = NULL;
        snprintf(more, sizeof more, "[lwm2m]\nobjects = %s\n", folder);
        assert_int_equal(cfg_parse(s.conf, odm_cstr(more), "test", NULL), 0);
        open_adapter(&s);
        device_begin(&s, &d, NULL);
        have(&d, "33000/0/1", ODM_STR("5"), ODM_LW_TEXT);
        say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "</1/0>,</3/0>,</33000/0>");
        assert_int_equal(format_of_y(&s), ODM_FMT_CHR); /* as text is, when nobody knows */
        write_definition(&s, "Integer");
        loop_skip(2000);
        say(&d, CO_POST, "rd", "ep=d1&lwm2m=1.0", "</1/0>,</3/0>,</33000/0>");
        assert_int_equal(format_of_y(&s), ODM_FMT_INT);
        write_definition(&s, "Float"); /* for a device that registered before, too */
        loop_skip(2000);
        assert_int_equal(format_of_y(&s), ODM_FMT_FLOAT);
        write_definition(&s, "No such type");
        loop_skip(2000);
        assert_int_equal(format_of_y(&s), ODM_FMT_FLOAT); /* what was known stays */
        snprintf(more, sizeof more, "%s/x.xml", folder);
        assert_int_equal(unlink(more), 0);
        loop_skip(2000);
        assert_int_equal(format_of_y(&s), ODM_FMT_CHR); /* nobody knows it any more */
        assert_int_equal(rmdir(folder), 0);
        co_close(d.end);
        end(&s);
}

static void files_of_keys_that_cannot_be(void **state)
{
        static const struct row {
                const char *why, *text;
        } rows[] = {
                {"no key", "d1\n"},
                {"a key too short to be one", "d1 3031\n"},
                {"no hexadecimal", "d1 303132333435363x\n"},
                {"an octet and a half", "d1 30313233343536373\n"},
                {"a word too many", "d1 3031323334353637 d1 x\n"},
                {"the same twice", "d1 3031323334353637\nd1 3031323334353638\n"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                adapter_host h;
                void *a = NULL;
                diag d = {0};

                begin_secure(&s, KEYS);
                h = (adapter_host){.loop = s.l,
                                   .conf = s.conf,
                                   .store = s.store,
                                   .folder = s.folder,
                                   .ctx = &s};
                write_keys(&s, rows[i].text);
                if (lwm2m_class.open(&h, &a, &d) == 0 || !d.text[0])
                        fail_msg("%s: taken", rows[i].why);
                end(&s);
        }
}

static void without_protection_it_listens_here_only(void **state)
{
        static const struct row {
                const char *why, *set;
                int rc;
        } rows[] = {
                {"all addresses", "listen = :0\n", ODM_EINVAL},
                {"one of a network", "listen = 192.0.2.1:0\n", ODM_EINVAL},
                {"no address", "listen = here\n", ODM_EINVAL},
                {"DTLS without keys", "listen_secure = 127.0.0.1:0\n", ODM_EINVAL},
                {"all addresses, meant so", "listen = :0\ninsecure = yes\n", 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                stage s;
                adapter_host h;
                void *a = NULL;
                diag d = {0};
                char text[256];

                begin(&s);
                lwm2m_class.close(s.adapter);
                s.adapter = NULL;
                snprintf(text, sizeof text, "[lwm2m]\n%s", rows[i].set);
                assert_int_equal(cfg_parse(s.conf, odm_cstr(text), "test", NULL), 0);
                h = (adapter_host){.loop = s.l,
                                   .conf = s.conf,
                                   .store = s.store,
                                   .folder = s.folder,
                                   .ctx = &s};
                int rc = lwm2m_class.open(&h, &a, &d);
                if (rc != rows[i].rc || (rc < 0) != (d.text[0] != 0))
                        fail_msg("%s: %s %s", rows[i].why, odm_err_name(rc), d.text);
                if (rc == 0)
                        lwm2m_class.close(a);
                end(&s);
        }
}

/* ---- certificates --------------------------------------------------------------------------------------------------------- */

static void a_certificate_names_the_endpoint(void **state)
{
        static const char *const names[] = {"ca.pem", "ca.key", "gw.pem",
                                            "gw.key", "d.pem",  "d.key"};
        char f[6][96], more[512];
        stage s;
        device d;
        co_setup c;

        (void)state;
        begin(&s);
        lwm2m_class.close(s.adapter);
        s.adapter = NULL;
        for (size_t i = 0; i < 6; i++)
                snprintf(f[i], sizeof f[i], "%s/%s", s.folder, names[i]);
        assert_int_equal(cert_make_ca("ca", 2, f[0], f[1], NULL), 0);
        assert_int_equal(cert_make(&(cert_request){.common_name = "gw", .days = 2, .server = true},
                                   f[0], f[1], f[2], f[3], NULL),
                         0);
        assert_int_equal(cert_make(&(cert_request){.common_name = "d1", .days = 2, .client = true},
                                   f[0], f[1], f[4], f[5], NULL),
                         0);
        snprintf(more, sizeof more,
                 "[lwm2m]\nlisten_secure = 127.0.0.1:0\ncert = %s\nkey = %s\nclient_ca = %s\n",
                 f[2], f[3], f[0]);
        assert_int_equal(cfg_parse(s.conf, odm_cstr(more), "test", NULL), 0);
        open_adapter(&s);
        co_setup_init(&c);
        c.security = CO_CERT;
        c.client = true;
        c.ca_file = f[0];
        c.cert_file = f[4];
        c.key_file = f[5];
        device_begin(&s, &d, &c);
        say(&d, CO_POST, "rd", "ep=d2&lwm2m=1.0", LINKS);
        assert_int_equal(d.code, CO_FORBIDDEN);
        enrol(&d, "ep=d1&lwm2m=1.0");
        until(&s, d.asked, "GET 5/0/5 observe");
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(unlink(f[i]), 0);
        co_close(d.end);
        end(&s);
}

/* ---- bootstrap ---------------------------------------------------------------------------------------------------------- */

static void a_device_is_given_its_account(void **state)
{
        stage s;
        device d;
        char path[128], set[160];
        /* /0/1: its URI, no bootstrap server, PSK, identity, key, short id */
        static const char security[] = "\xc8\x00\x0e"
                                       "coaps://gw:568"
                                       "\xc1\x01\x00"
                                       "\xc1\x02\x00"
                                       "\xc2\x03"
                                       "id"
                                       "\xc0\x04"
                                       "\xc8\x05\x08"
                                       "01234567"
                                       "\xc1\x0a\x01";

        (void)state;
        begin(&s);
        snprintf(path, sizeof path, "%s/accounts", s.folder);
        assert_int_equal(fsio_write(NULL, path,
                                    ODM_STR("# accounts\nd1 coaps://gw:568 id 3031323334353637\n"
                                            "d2 coap://gw:5683\n"),
                                    0600, NULL),
                         0);
        snprintf(set, sizeof set, "lwm2m.bootstrap=%s", path);
        assert_int_equal(cfg_set(s.conf, set, NULL), 0);
        device_begin(&s, &d, NULL);
        say(&d, CO_POST, "bs", "ep=d1", NULL);
        assert_int_equal(d.code, CO_CHANGED);
        until(&s, d.asked, "POST bs\n");
        assert_string_equal(d.asked, "DELETE \nPUT 0/1\nPUT 1/1\nPOST bs\n");
        assert_non_null(memmem(d.all, d.all_n, security, sizeof security - 1));

        say(&d, CO_POST, "bs", "ep=nobody", NULL);
        assert_int_equal(d.code, CO_BAD_REQUEST);
        say(&d, CO_POST, "bs", NULL, NULL);
        assert_int_equal(d.code, CO_BAD_REQUEST);
        assert_int_equal(cfg_set(s.conf, "lwm2m.insecure=yes", NULL), 0);
        say(&d, CO_POST, "bs", "ep=d1", NULL); /* no keys over a network that is open */
        assert_int_equal(d.code, CO_FORBIDDEN);
        d.asked[0] = 0;
        say(&d, CO_POST, "bs", "ep=d2", NULL);
        assert_int_equal(d.code, CO_CHANGED);
        until(&s, d.asked, "POST bs\n");
        assert_int_equal(fsio_write(NULL, path, ODM_STR("d3\n"), 0600, NULL), 0);
        say(&d, CO_POST, "bs", "ep=d3", NULL); /* a line that is none */
        assert_int_equal(d.code, CO_SERVER_ERROR);
        assert_int_equal(unlink(path), 0);
        co_close(d.end);
        end(&s);
}

/* ---- many -------------------------------------------------------------------------------------------------------------- */

static void a_thousand_come_and_go(void **state)
{
        enum { MANY = 1000, ROUNDS = 3 };
        static device d[8];
        stage s;
        odm_buf text;

        (void)state;
        begin(&s);
        for (size_t i = 0; i < ODM_COUNT(d); i++)
                device_begin(&s, &d[i], NULL);
        for (unsigned k = 0; k < ROUNDS; k++)
                for (unsigned i = 0; i < MANY; i++) {
                        device *x = &d[i % ODM_COUNT(d)];
                        char query[64];

                        snprintf(query, sizeof query, "ep=many-%u&lwm2m=1.0&lt=600", i);
                        x->asked[0] = 0;
                        enrol(x, query);
                        if (i % 2 == 0)
                                say(x, CO_POST, x->location, NULL, NULL);
                        if (i % 3 == 0 || k + 1 == ROUNDS)
                                say(x, CO_DELETE, x->location, NULL, NULL);
                }
        assert_int_equal(s.n, MANY); /* each has one record, however often it came */
        odm_buf_init(&text, &heap, 4096);
        assert_int_equal(lwm2m_class.status(s.adapter, &text), 0);
        assert_true(odm_str_starts(odm_buf_view(&text), "registered: 0\n"));
        odm_buf_done(&text);
        for (size_t i = 0; i < ODM_COUNT(d); i++)
                co_close(d[i].end);
        end(&s);
}

static void it_tells_of_itself(void **state)
{
        stage s;
        device d;
        odm_buf text;

        (void)state;
        begin(&s);
        device_begin(&s, &d, NULL);
        enrol(&d, "ep=d1&lwm2m=1.0");
        odm_buf_init(&text, &heap, 16384);
        assert_int_equal(lwm2m_class.metrics(s.adapter, &text), 0);
        assert_int_equal(odm_buf_byte(&text, 0), 0);
        assert_non_null(strstr(text.p, "\nxrem_lwm2m_registered 1\n"));
        assert_non_null(strstr(text.p, "\nxrem_lwm2m_registrations_total 1\n"));
        odm_buf_done(&text);
        co_close(d.end);
        end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(registrations_are_answered_as_the_table_says),
                cmocka_unit_test(paths_are_answered_as_the_table_says),
                cmocka_unit_test(a_device_is_introduced_and_observed),
                cmocka_unit_test(updates_keep_a_registration),
                cmocka_unit_test(a_device_leaves_and_comes_back),
                cmocka_unit_test(nothing_is_asked_before_the_answer),
                cmocka_unit_test(one_that_is_switched_off_is_refused),
                cmocka_unit_test(a_device_may_be_refused),
                cmocka_unit_test(a_gateway_that_begins_anew_knows_its_devices),
                cmocka_unit_test(values_are_read_and_written),
                cmocka_unit_test(a_device_is_asked_to_call),
                cmocka_unit_test(silence_is_408),
                cmocka_unit_test(a_cancelled_order_is_not_replied),
                cmocka_unit_test(a_device_that_is_gone_is_asked_nothing),
                cmocka_unit_test(sleepers_are_asked_while_they_are_awake),
                cmocka_unit_test(error_codes_become_traps),
                cmocka_unit_test(alerts_are_kept_before_they_are_answered),
                cmocka_unit_test(observed_values_are_told),
                cmocka_unit_test(observations_are_ordered_by_nodes),
                cmocka_unit_test(firmware_is_pulled_from_the_gateway),
                cmocka_unit_test(firmware_is_pushed_to_who_cannot_pull),
                cmocka_unit_test(a_job_outlives_the_gateway),
                cmocka_unit_test(a_job_outlives_a_registration),
                cmocka_unit_test(a_sleeper_holds_up_no_package),
                cmocka_unit_test(a_staged_package_outlives_a_registration),
                cmocka_unit_test(what_cannot_be_kept_is_not_promised),
                cmocka_unit_test(a_refusal_ends_the_job),
                cmocka_unit_test(a_restart_is_over_when_the_device_is_back),
                cmocka_unit_test(an_order_that_waits_is_not_what_brought_it_back),
                cmocka_unit_test(an_endpoint_is_bound_to_its_key),
                cmocka_unit_test(a_registration_is_its_owners),
                cmocka_unit_test(a_device_changes_to_dtls_while_it_is_asked),
                cmocka_unit_test(without_a_session_an_order_is_503),
                cmocka_unit_test(devices_behind_a_device_are_devices),
                cmocka_unit_test(they_are_kept_with_their_gateway),
                cmocka_unit_test(what_a_gateway_says_of_others_is_not_believed),
                cmocka_unit_test(definitions_are_read_when_they_change),
                cmocka_unit_test(files_of_keys_that_cannot_be),
                cmocka_unit_test(without_protection_it_listens_here_only),
                cmocka_unit_test(a_certificate_names_the_endpoint),
                cmocka_unit_test(a_device_is_given_its_account),
                cmocka_unit_test(a_thousand_come_and_go),
                cmocka_unit_test(it_tells_of_itself),
        };

        return RUN_TESTS(tests);
}
