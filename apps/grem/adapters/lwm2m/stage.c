/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "images.h"

#define PATIENCE_MS 10000

/* ---- images, one of them ------------------------------------------------------------------ */

int gw_image_get(store *st, const char *folder, odm_str id, odm_arena *a, gw_image *out)
{
        char path[128];
        struct stat is;

        (void)st;
        snprintf(path, sizeof path, "%s/image", folder);
        if (stat(path, &is) < 0 || !odm_str_is(id, "fw-2"))
                return ODM_ENOENT;
        *out = (gw_image){.id = ODM_STR("fw-2"),
                          .name = ODM_STR("firmware"),
                          .version = ODM_STR("2.0"),
                          .path = odm_arena_copy(a, odm_cstr(path)),
                          .size = (uint64_t)is.st_size,
                          .url_http = ODM_STR("http://127.0.0.1:8080/img/fw-2")};
        return 0;
}

int gw_image_by_url(store *st, const char *folder, odm_str url, odm_arena *a, gw_image *out)
{
        const char *at = memmem(url.p, url.n, "/img/", 5);

        return at ? gw_image_get(st, folder, odm_str_from(url, (size_t)(at - url.p) + 5), a, out)
                  : ODM_ENOENT;
}

void stage_image(const stage *s)
{
        char octets[STAGE_IMAGE_SIZE], path[128];

        for (size_t i = 0; i < sizeof octets; i++)
                octets[i] = (char)(i * 7 + i / 256);
        snprintf(path, sizeof path, "%s/image", s->folder);
        assert_int_equal(fsio_write(NULL, path, (odm_str){octets, sizeof octets}, 0600, NULL), 0);
}

const char *stage_file(const stage *s, const char *name, const char *text)
{
        static char path[128];

        snprintf(path, sizeof path, "%s/%s", s->folder, name);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), 0600, NULL), 0);
        return path;
}

/* ---- a gateway that writes down ----------------------------------------------------------- */

/* With many devices nothing is noted but what fails. */
static void note(stage *s, const char *fmt, ...) ODM_PRINTF(2, 3);
static void note(stage *s, const char *fmt, ...)
{
        size_t n = strlen(s->told);
        va_list ap;

        if (s->n >= 50)
                return;
        va_start(ap, fmt);
        vsnprintf(s->told + n, sizeof s->told - n, fmt, ap);
        va_end(ap);
}

#define TEXT(s) (int)(s).n, (s).p ? (s).p : ""

gw_device *stage_record(stage *s, odm_str id)
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
        gw_device *r = stage_record(s, d->id);

        assert_ptr_equal(k, &lwm2m_class);
        if (s->refuse) {
                *why = s->refuse;
                return NULL;
        }
        if (!r) {
                assert_true(s->n < STAGE_RECORDS);
                r = s->records[s->n++] = calloc(1, sizeof *r);
                r->id = exact_bytes(d->id.p, d->id.n);
        }
        r->native = native;
        if (s->soon.fn)
                assert_int_equal(loop_timer_set(s->l, &s->soon, loop_now()), 0);
        note(s, "seen %.*s %.*s man=%.*s fw=%.*s\n", TEXT(d->id), TEXT(d->protocol), TEXT(d->man),
             TEXT(d->fwv));
        return r;
}

static void on_awake(void *ctx, gw_device *d, int64_t ms)
{
        note(ctx, "awake %.*s %lld\n", TEXT(d->id), (long long)ms);
}

static void on_asleep(void *ctx, gw_device *d, int64_t ms)
{
        (void)ms;
        note(ctx, "asleep %.*s\n", TEXT(d->id));
}

static void on_gone(void *ctx, gw_device *d, adapter_gone why)
{
        stage *s = ctx;

        if (s->open)
                lwm2m_class.cancel(s->adapter, s->open);
        s->open = 0;
        note(s, "gone %.*s %d\n", TEXT(d->id), why);
}

static void on_reply(void *ctx, uint64_t id, const adapter_reply *r)
{
        stage *s = ctx;

        s->replied = id;
        s->status = r->status;
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
        for (size_t i = 0; i < n; i++)
                note(ctx, "changed %.*s=%.*s\n", TEXT(v[i].path), TEXT(v[i].value.data));
}

static int on_alert(void *ctx, gw_device *d, const odm_alert *a, odm_wall at)
{
        (void)d;
        (void)at;
        if (((stage *)ctx)->full)
                return ODM_EIO;
        note(ctx, "alert %.*s %.*s %.*s %.*s\n", TEXT(a->source), TEXT(a->type), TEXT(a->data),
             TEXT(a->correlator));
        return 0;
}

static gw_device *on_known(void *ctx, odm_str id)
{
        return stage_record(ctx, id);
}

/* ---- the adapter -------------------------------------------------------------------------- */

void stage_make(stage *s)
{
        char why[STORE_DIAG] = "";
        store_opt o;

        memset(s, 0, sizeof *s);
        snprintf(s->folder, sizeof s->folder, "/tmp/lwm2m-test-XXXXXX");
        assert_non_null(mkdtemp(s->folder));
        assert_int_equal(loop_new(&s->l), 0);
        assert_int_equal(cfg_new(lwm2m_class.keys, lwm2m_class.n_keys, &s->conf), 0);
        stage_set(s, "listen = 127.0.0.1:0\nack = 40ms\n");
        store_opt_init(&o);
        o.where = "mem:";
        o.fault = &s->fault;
        o.tables = lwm2m_class.tables;
        while (o.tables[o.n_tables])
                o.n_tables++;
        assert_int_equal(store_open(&o, &s->store, why), 0);
}

void stage_set(stage *s, const char *fmt, ...)
{
        char text[1024] = "[lwm2m]\n";
        size_t n = strlen(text);
        diag d = {0};
        va_list ap;

        va_start(ap, fmt);
        assert_true(vsnprintf(text + n, sizeof text - n, fmt, ap) < (int)(sizeof text - n));
        va_end(ap);
        if (cfg_parse(s->conf, odm_cstr(text), "test", &d) < 0)
                fail_msg("%s", d.text);
}

int stage_try(stage *s, diag *d)
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

        return lwm2m_class.open(&h, &s->adapter, d);
}

void stage_open(stage *s)
{
        diag d = {0};

        if (stage_try(s, &d) < 0)
                fail_msg("%s", d.text);
        lwm2m_class.enumerate(s->adapter);
}

void stage_close(stage *s)
{
        unsigned port = lwm2m_port(s->adapter, false);

        stage_pass(s, 20);
        lwm2m_class.close(s->adapter);
        s->adapter = NULL;
        stage_set(s, "listen = 127.0.0.1:%u\n", port);
}

void stage_reopen(stage *s)
{
        stage_close(s);
        stage_open(s);
}

void stage_begin(stage *s, const char *settings)
{
        stage_make(s);
        stage_set(s, "%s", settings);
        stage_open(s);
}

void stage_begin_with(stage *s, device *d, const char *settings, const char *query)
{
        stage_begin(s, settings);
        device_begin(s, d, NULL);
        if (!query)
                return;
        device_enrol(d, query);
        device_observed(d);
}

static void remove_files(const stage *s)
{
        static const char *const files[] = {"image", "keys", "accounts"};
        char path[128];

        for (size_t i = 0; i < ODM_COUNT(files); i++) {
                snprintf(path, sizeof path, "%s/%s", s->folder, files[i]);
                (void)unlink(path);
        }
        snprintf(path, sizeof path, "%s/lwm2m", s->folder);
        (void)rmdir(path);
        assert_int_equal(rmdir(s->folder), 0);
}

void stage_end(stage *s)
{
        while (s->n_devices)
                device_end(s->devices[s->n_devices - 1]);
        if (s->adapter)
                lwm2m_class.close(s->adapter);
        store_close(s->store);
        cfg_free(s->conf);
        loop_free(s->l);
        for (size_t i = 0; i < s->n; i++) {
                exact_free(s->records[i]->id);
                free(s->records[i]);
        }
        remove_files(s);
}

/* ---- waiting, and orders ------------------------------------------------------------------ */

void stage_until(stage *s, const char *where, const char *word)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (!strstr(where, word)) {
                if (odm_time_reached(loop_now(), last))
                        fail_msg("'%s' did not come; there is\n%s", word, where);
                assert_int_equal(loop_once(s->l, 50), 0);
        }
}

void stage_pass(stage *s, int64_t ms)
{
        odm_time last = odm_time_add(loop_now(), ms);

        while (!odm_time_reached(loop_now(), last))
                assert_int_equal(loop_once(s->l, 5), 0);
}

unsigned stage_replied(stage *s, uint64_t id)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);

        while (s->replied != id) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(s->l, 50), 0);
        }
        return s->status;
}

static void ask(stage *s, uint64_t id, gw_device *r, const char *path)
{
        odm_str p = odm_cstr(path);

        assert_non_null(r);
        lwm2m_class.read(s->adapter, id, r, r->native, &p, 1, ADAPTER_LIST_NONE, 5000);
}

void stage_ask(stage *s, uint64_t id, const char *path)
{
        ask(s, id, s->records[0], path);
}

unsigned stage_read(stage *s, uint64_t id, const char *path)
{
        stage_ask(s, id, path);
        return stage_replied(s, id);
}

unsigned stage_read_of(stage *s, uint64_t id, const char *who, const char *path)
{
        ask(s, id, stage_record(s, odm_cstr(who)), path);
        return stage_replied(s, id);
}

unsigned stage_write(stage *s, uint64_t id, const char *path, odm_format format, const char *text)
{
        gw_device *r = s->records[0];
        const adapter_node v = {.path = odm_cstr(path),
                                .value = {.format = format, .data = odm_cstr(text)},
                                .has_data = true};

        lwm2m_class.write(s->adapter, id, r, r->native, &v, 1, 5000);
        return stage_replied(s, id);
}

void stage_execute(stage *s, uint64_t id, const char *path, odm_str correlator)
{
        gw_device *r = s->records[0];

        lwm2m_class.execute(s->adapter, id, r, r->native, odm_cstr(path), ODM_ABSENT, correlator,
                            5000);
}

void stage_has_status(stage *s, const char *begin)
{
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 4096);
        assert_int_equal(lwm2m_class.status(s->adapter, &b), 0);
        if (!odm_str_starts(odm_buf_view(&b), begin))
                fail_msg("not '%s' but\n%.*s", begin, (int)b.n, b.p);
        odm_buf_done(&b);
}

void stage_has_metric(stage *s, const char *line)
{
        odm_buf b;

        odm_buf_init(&b, &heap_mem, 16384);
        assert_int_equal(lwm2m_class.metrics(s->adapter, &b), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        if (!strstr(b.p, line))
                fail_msg("no '%s' in\n%s", line, b.p);
        odm_buf_done(&b);
}

/* ---- a device ----------------------------------------------------------------------------- */

static void note_asked(device *d, const co_msg *m)
{
        static const char *const methods[] = {"",       "GET",   "POST",  "PUT",
                                              "DELETE", "FETCH", "PATCH", "iPATCH"};
        size_t n = strlen(d->asked);

        snprintf(d->asked + n, sizeof d->asked - n, "%s %.*s%s%.*s%s\n", methods[m->code & 7],
                 TEXT(m->path), m->n_query ? "?" : "", m->n_query ? (int)m->query[0].n : 0,
                 m->n_query ? m->query[0].p : "", m->observe == 0 ? " observe" : "");
}

static void take_body(device *d, const co_msg *m)
{
        if (m->body.n && m->body.n <= sizeof d->body) {
                memcpy(d->body, m->body.p, m->body.n);
                d->body_n = m->body.n;
        }
        d->last_n = m->body.n;
        if (m->body.n && d->all_n + m->body.n <= sizeof d->all) {
                memcpy(d->all + d->all_n, m->body.p, m->body.n);
                d->all_n += m->body.n;
        }
}

static void find_value(const device *d, const co_msg *m, co_msg *a)
{
        for (size_t i = 0; i < d->n; i++) {
                const resource *v = &d->v[i];

                if (!odm_str_is(m->path, v->path))
                        continue;
                a->code = CO_CONTENT;
                a->format = v->format;
                a->body = v->value;
                if (m->accept != v->format && (m->accept >= 0 || v->format == ODM_LW_TLV)) {
                        a->code = CO_NOT_ACCEPTABLE; /* several values are no text */
                        a->body = ODM_ABSENT;
                }
        }
}

static void on_request(void *ctx, co_request *r, co_peer *p, const co_msg *m)
{
        device *d = ctx;
        co_msg a;

        (void)p;
        note_asked(d, m);
        if (d->mute && m->code == d->mute)
                return;
        take_body(d, m);
        co_msg_init(&a, m->code == CO_GET ? CO_NOT_FOUND : CO_CHANGED);
        if (m->code == CO_GET)
                find_value(d, m, &a);
        if (m->observe == 0 && a.code == CO_CONTENT && d->n_watched < 8) {
                snprintf(d->watched[d->n_watched], 32, "%.*s", (int)m->path.n, m->path.p);
                d->watcher[d->n_watched++] = co_watch(r, NULL, NULL);
        }
        co_answer(r, &a);
}

static const co_app device_app = {.request = on_request};

void device_have(device *d, const char *path, odm_str value, int format)
{
        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->v[i].path, path) == 0) {
                        d->v[i].value = value;
                        return;
                }
        assert_true(d->n < ODM_COUNT(d->v));
        d->v[d->n++] = (resource){path, value, format};
}

void device_begin(stage *s, device *d, const co_setup *as)
{
        co_setup c;
        diag why = {0};
        uint16_t port = (uint16_t)lwm2m_port(s->adapter, as != NULL);

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
        assert_true(s->n_devices < ODM_COUNT(s->devices));
        s->devices[s->n_devices++] = d;
        assert_int_equal(net_addr_parse("127.0.0.1", port, &d->to), 0);
        /* /3/0 as TLV: manufacturer, model, firmware version, error code 0 */
        device_have(d, "3/0",
                    ODM_STR("\xc3\x00"
                            "Acm"
                            "\xc2\x01"
                            "M1"
                            "\xc3\x03"
                            "1.0"
                            "\x83\x0b\x41\x00\x00"),
                    ODM_LW_TLV);
        device_have(d, "3/0/11", ODM_STR("\x83\x0b\x41\x00\x00"), ODM_LW_TLV);
        device_have(d, "5/0/3", ODM_STR("0"), ODM_LW_TEXT);
        device_have(d, "5/0/5", ODM_STR("0"), ODM_LW_TEXT);
        device_have(d, "3/0/9", ODM_STR("77"), ODM_LW_TEXT);
        device_have(d, "3/0/3", ODM_STR("1.0"), ODM_LW_TEXT);
}

void device_end(device *d)
{
        stage *s = d->s;
        size_t i = 0;

        while (i < s->n_devices && s->devices[i] != d)
                i++;
        assert_true(i < s->n_devices);
        s->devices[i] = s->devices[--s->n_devices];
        co_close(d->end);
}

void device_forget(device *d)
{
        d->asked[0] = 0;
        d->n_watched = 0;
}

static void on_done(void *ctx, co_end_of why, const co_msg *m)
{
        device *d = ctx;

        (void)why;
        d->answered++;
        d->early = d->asked[0] != 0;
        d->code = m ? m->code : 0;
        d->got_n = m && m->body.n <= sizeof d->got ? m->body.n : 0;
        if (d->got_n)
                memcpy(d->got, m->body.p, d->got_n);
        if (m && m->code == CO_CREATED)
                snprintf(d->location, sizeof d->location, "%.*s", TEXT(m->path));
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

static uint8_t request(device *d, const co_msg *m)
{
        odm_time last = odm_time_add(loop_now(), PATIENCE_MS);
        unsigned before = d->answered;
        uint64_t id;

        assert_int_equal(co_ask(d->end, &d->to, m, NULL, on_done, d, &id), 0);
        while (d->answered == before) {
                assert_false(odm_time_reached(loop_now(), last));
                assert_int_equal(loop_once(d->s->l, 50), 0);
        }
        return d->code;
}

uint8_t device_say(device *d, uint8_t code, const char *path, const char *query, const char *body)
{
        odm_str q[CO_QUERY_MAX];
        co_msg m;

        co_msg_init(&m, code);
        m.path = odm_cstr(path);
        m.query = q;
        m.n_query = split(query, q);
        m.body = odm_cstr(body);
        if (body)
                m.format = ODM_LW_LINK;
        return request(d, &m);
}

uint8_t device_send(device *d, odm_str senml)
{
        co_msg m;

        co_msg_init(&m, CO_POST);
        m.path = ODM_STR("dp");
        m.format = ODM_LW_SENML_JSON;
        m.body = senml;
        return request(d, &m);
}

uint8_t device_register(device *d, const char *query)
{
        return device_say(d, CO_POST, "rd", query, STAGE_LINKS);
}

uint8_t device_update(device *d)
{
        return device_say(d, CO_POST, d->location, NULL, NULL);
}

uint8_t device_leave(device *d)
{
        return device_say(d, CO_DELETE, d->location, NULL, NULL);
}

void device_enrol(device *d, const char *query)
{
        if (device_register(d, query) != CO_CREATED || strncmp(d->location, "rd/", 3) != 0)
                fail_msg("%s: %x '%s'", query, d->code, d->location);
}

void device_observed(device *d)
{
        stage_until(d->s, d->asked, "GET 5/0/5 observe");
}

void device_tell(device *d, const char *path, odm_str value, int format)
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
