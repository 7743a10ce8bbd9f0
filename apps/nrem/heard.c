/* SPDX-License-Identifier: Apache-2.0 */
/* What a device said of itself: proof, nonces, DevInfo, alerts.  Texts of events live until the
 * next call of the engine, so all that goes into the batch is copied. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "dm_inner.h"
#include "gateway.h"
#include "log.h"
#include "odm/fanout.h"

static odm_str keep(session *s, odm_str x)
{
        odm_arena *a = session_batch_arena(s);
        odm_str copy = a ? odm_arena_copy(a, x) : ODM_ABSENT;

        if (x.p && !copy.p)
                session_failed(s);
        return copy;
}

/* A column of the device, unless it has that value already. */
static void patch_text(session *s, uint32_t field, odm_str *place, odm_str value)
{
        size_t offset = (size_t)((char *)place - (char *)&s->patch);
        odm_str known;

        memcpy(&known, (char *)&s->device + offset, sizeof known);
        value = odm_str_to(value, 255);
        if (!value.p || (known.p && odm_str_eq(value, known)))
                return;
        known = odm_arena_copy(&s->a, value);
        value = keep(s, value);
        if (!known.p || !value.p) {
                session_failed(s);
                return;
        }
        memcpy((char *)&s->device + offset, &known, sizeof known);
        *place = value;
        s->fields |= field;
}

/* ---- proof -------------------------------------------------------------------------- */

/* Others of this device are lost: what they held goes back before we take work. */
static void replace_others(session *s)
{
        dm *m = s->dm;

        for (;;) {
                session *x, *found = NULL;
                pthread_mutex_lock(&m->lock);
                for (x = table_first(m, s->source); x && !found; x = x->by_source) {
                        if (x == s || !odm_str_eq(x->source, s->source) || x->doomed)
                                continue;
                        if (x->busy) {
                                x->doomed = true; /* its owner will see */
                                continue;
                        }
                        x->busy = true;
                        found = x;
                }
                pthread_mutex_unlock(&m->lock);
                if (!found)
                        return;
                if (found->jobs && session_batch_arena(s)) {
                        work_put_back(found, s->batch, s->turn->at);
                        work_free(found);
                        s->put_back = s->urgent = true;
                }
                session_lost(found, "a newer session of the device took its place");
        }
}

static void tell_from(session *s, odm_str kind, odm_str from)
{
        odm_arena *a = session_batch_arena(s);
        store_op *op = a ? session_op(s, STORE_EVENT_ADD) : NULL;

        if (!op)
                return;
        op->event =
                (store_event){.at = s->turn->at,
                              .device = s->device.id,
                              .kind = kind,
                              .data = odm_arena_fmt(a, "{\"from\":\"%.*s\"}", (int)from.n, from.p)};
        if (!op->event.data.p)
                session_failed(s);
}

/* Silent or new, it is here now. */
static void becomes_active(session *s)
{
        tell_from(s, ODM_STR("device.active"), odm_cstr(store_device_state_name(s->device.state)));
        s->patch.state = s->device.state = STORE_DEVICE_ACTIVE;
        s->fields |= STORE_DF_STATE;
}

void heard_authenticated(session *s)
{
        s->authenticated = true;
        if (!s->known)
                return;
        s->due = true;
        lockout_clear(s->dm->lockout, s->source, s->host);
        s->failures = 0;
        if (odm_str_is(s->device.route, "gateway"))
                tell_from(s, ODM_STR("device.direct"), s->device.route);
        patch_text(s, STORE_DF_ADDRESS, &s->patch.address, s->host);
        patch_text(s, STORE_DF_ROUTE, &s->patch.route, odm_cstr(s->route));
        patch_text(s, STORE_DF_REACHED, &s->patch.reached, s->reached);
        s->patch.last_contact = s->turn->at;
        s->fields |= STORE_DF_LAST_CONTACT;
        if (s->device.state != STORE_DEVICE_ACTIVE)
                becomes_active(s);
        if (s->device.wake_at || s->device.wake_session) { /* it is here: no more datagrams */
                s->patch.wake_at = 0;
                s->patch.wake_tries = s->patch.wake_session = 0;
                s->fields |= STORE_DF_WAKE;
                s->urgent = true;
        }
        replace_others(s);
}

void heard_refused(session *s)
{
        uint32_t failures = lockout_failed(s->dm->lockout, s->source, s->host, s->turn->now);

        dm_count(s->dm, METRIC_AUTH_FAILURES, 1);
        log_info("wrong credentials", log_str("device", s->source), log_str("address", s->host),
                 log_int("in_a_row", failures));
        s->failures = failures;
}

void heard_lockout(session *s)
{
        store_op *op;

        if (!s->known || s->failures == s->account.failures)
                return;
        s->account.failures = s->failures;
        op = session_op_later(s, STORE_LOCKOUT);
        if (op)
                op->lockout = (store_lockout){.device = s->device.id, .failures = s->failures};
}

void heard_nonces(session *s)
{
        odm_nonce client, previous, server;
        store_op *op;

        s->nonces = false;
        if (!s->known)
                return;
        odm_server_nonces(s->server, &client, &previous, &server);
        op = session_op_later(s, STORE_NONCES);
        if (!op)
                return;
        op->nonces = (store_nonces){.device = s->device.id,
                                    .nonce = keep(s, odm_nonce_view(&client)),
                                    .previous = keep(s, odm_nonce_view(&previous)),
                                    .server_nonce = keep(s, odm_nonce_view(&server))};
        if (server.n == 0)
                op->nonces.server_nonce = ODM_ABSENT;
        if (previous.n == 0)
                op->nonces.previous = ODM_ABSENT;
}

/* ---- DevInfo and DevDetail ------------------------------------------------------------ */

static void lift(session *s, odm_str path, odm_str value)
{
        store_device *p = &s->patch;
        const struct {
                const char *path;
                uint32_t field;
                odm_str *place;
        } columns[] = {
                {"./DevInfo/Man", STORE_DF_MAKER, &p->maker},
                {"./DevInfo/Mod", STORE_DF_MODEL, &p->model},
                {"./DevInfo/DmV", STORE_DF_DMV, &p->dmv},
                {"./DevInfo/Lang", STORE_DF_LANG, &p->lang},
                {"./DevInfo/Ext/xrem/Wake", STORE_DF_WAKE_REPORTED, &p->wake_reported},
                {"./DevDetail/FwV", STORE_DF_FWV, &p->fwv},
                {"./DevDetail/SwV", STORE_DF_SWV, &p->swv},
                {"./DevDetail/HwV", STORE_DF_HWV, &p->hwv},
        };

        for (size_t i = 0; i < ODM_COUNT(columns); i++)
                if (odm_str_is(path, columns[i].path))
                        patch_text(s, columns[i].field, columns[i].place, value);
        if (odm_str_is(path, "./DevDetail/LrgObj") && odm_str_ieq(value, "false"))
                odm_server_set_large_objects(s->server, false);
}

void heard_devinfo(session *s, const odm_event *ev)
{
        odm_str format = ev->value.format == ODM_FMT_ABSENT
                                 ? ODM_STR("chr")
                                 : odm_cstr(odm_format_name(ev->value.format));

        if (!s->known || !session_batch_arena(s))
                return;
        lift(s, job_path(ev->uri), ev->value.data);
        if (mirror_leaf(&s->changes, ev->uri, format, ev->value.type,
                        ev->value.data.p ? ev->value.data : ODM_STR("")) < 0)
                session_failed(s);
}

void heard_values(session *s, const store_value *v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].data.p && !odm_str_is(v[i].format, "node"))
                        lift(s, job_path(v[i].uri), v[i].data);
}

/* Copies: the engine's memory is lent until its next call. */
int heard_items(session *s, const odm_item *items, odm_arena *a, store_value **out, size_t *n)
{
        static const odm_command none;
        bool binary = odm_codec_is_binary(s->codec);
        store_value *v;
        size_t count = 0, k = 0;

        for (const odm_item *i = items; i; i = i->next)
                count++;
        v = odm_arena_zget(a, (count + 1) * sizeof *v);
        if (!v)
                return odm_arena_err(a);
        for (const odm_item *i = items; i; i = i->next, k++) {
                int rc = job_value(&none, i, binary, a, &v[k]);
                if (rc < 0)
                        return rc;
                v[k].uri = odm_arena_copy(a, v[k].uri);
                v[k].format = odm_arena_copy(a, v[k].format);
                v[k].type = odm_arena_copy(a, v[k].type);
                v[k].data = odm_arena_copy(a, v[k].data);
                if (a->err)
                        return odm_arena_err(a);
        }
        *out = v;
        *n = count;
        return 0;
}

/* ---- alerts -------------------------------------------------------------------------------- */

/* "Reversed-Domain-Name: x" and "Content-Type: x" mean x (mo-others.md 1.2). */
static odm_str alert_type(odm_str type)
{
        static const char *const prefixes[] = {"Reversed-Domain-Name:", "Content-Type:"};

        type = odm_str_trim(type);
        for (size_t i = 0; i < ODM_COUNT(prefixes); i++)
                if (type.n > strlen(prefixes[i]) &&
                    odm_str_ieq(odm_str_to(type, strlen(prefixes[i])), prefixes[i]))
                        return odm_str_trim(odm_str_from(type, strlen(prefixes[i])));
        return type;
}

static void set_text(json_t *o, const char *name, odm_str s)
{
        if (s.p && odm_utf8_ok(s))
                (void)json_object_set_new(o, name, json_stringn_nocheck(s.p, s.n));
}

/* Whose word it is: an address below a mount point is that of a device behind this one. */
typedef struct speaker {
        int64_t device;
        odm_str uri; /* in the tree of that */
        bool early;  /* it is one behind that, which is not known yet, or whose alerts of before
                        are still to be told */
} speaker;

static bool is_early(session *s, int64_t gateway)
{
        const dm_opt *o = &s->dm->opt;
        bool early = s->early;

        if (!early && o->early && o->early(o->ctx, gateway, &early) < 0)
                session_failed(s);
        return early;
}

static void find_speaker(session *s, odm_str uri, bool alert, speaker *out)
{
        odm_arena *a = session_batch_arena(s);
        const dm_opt *o = &s->dm->opt;
        odm_str key, rest;

        *out = (speaker){s->device.id, uri, false};
        for (unsigned i = 0; i < GATEWAY_DEPTH && o->behind && a; i++) {
                int64_t device;
                int rc;

                if (!gateway_mount_split(out->uri, &key, &rest))
                        return;
                rc = o->behind(o->ctx, out->device, key, a, &device);
                out->early = rc == ODM_ENOENT || (rc == 0 && alert && is_early(s, out->device));
                if (rc < 0 && rc != ODM_ENOENT)
                        session_failed(s);
                if (rc < 0 || out->early)
                        return;
                out->device = device;
                out->uri = odm_arena_fmt(a, ".%.*s", (int)rest.n, rest.p);
                if (!out->uri.p)
                        session_failed(s);
        }
}

/* The results of a fan-out are needed whole, and so are measurements.  Text is cut between two
 * characters, and stays text. */
static odm_str data_kept(const session *s, odm_str type, odm_str data)
{
        gateway_news news = gateway_news_of(type);
        size_t most = (news == GATEWAY_RESULTS || news == GATEWAY_VALUES) && s->dm->opt.behind
                              ? ODM_FANOUT_DOC_MAX
                              : s->dm->opt.alert_data;
        odm_str text = odm_str_to(data, odm_utf8_cut(data, most));

        return odm_utf8_ok(text) ? text : odm_str_to(data, most);
}

static odm_str alert_json(session *s, const odm_event *ev, odm_str type, const store_value *v,
                          const speaker *by)
{
        odm_arena *a = session_batch_arena(s);
        json_t *o = json_object();
        odm_str text = ODM_ABSENT;
        char *dump;

        if (!o || !a) {
                json_decref(o);
                session_failed(s);
                return text;
        }
        (void)json_object_set_new(o, "code", json_integer(ev->alert->code));
        set_text(o, "type", type);
        set_text(o, "source", by->uri);
        set_text(o, "target", ev->item->target);
        if (by->device != s->device.id)
                (void)json_object_set_new(o, "gateway",
                                          json_sprintf("%lld", (long long)s->device.id));
        set_text(o, "format", v->format);
        set_text(o, "correlator", ev->alert->correlator);
        set_text(o, "mark", odm_meta_of(ev->alert, ev->item).mark);
        set_text(o, "time", ev->item->source_name);
        odm_str data = v->data;
        if (gateway_news_of(type) == GATEWAY_IMAGE)
                data = gateway_without_places(data, a);
        if (command_value_put(o, v->format, data_kept(s, type, data), a) < 0)
                session_failed(s);
        dump = json_dumps(o, JSON_COMPACT);
        json_decref(o);
        if (dump)
                text = keep(s, odm_cstr(dump));
        else
                session_failed(s);
        free(dump);
        return text;
}

/* ---- samples of performance data ---------------------------------------------------- */

#define REPORT "urn:oma:at:diagmon:1.0:CollectedSimpleDataReport"

void heard_samples(session *s)
{
        odm_arena *a = s->samples.n ? session_batch_arena(s) : NULL;
        store_op *op;

        if (!a)
                return;
        op = session_op(s, STORE_EVENT_ADD);
        if (!op)
                return;
        op->event = (store_event){.at = s->turn->at,
                                  .device = s->sampled_of,
                                  .kind = ODM_STR(SAMPLE_EVENT),
                                  .data = sample_take(&s->samples, "report", s->sampled_by, a)};
        if (!op->event.data.p)
                session_failed(s);
}

/* One leaf of a sample.  There are many of them: those of one run and message are one event.
 * A device without a clock says no time: then it is that of its coming. */
static void heard_report(session *s, const odm_event *ev, const store_value *v, odm_str correlator)
{
        speaker by;
        odm_str name;
        int64_t at = s->turn->at;
        bool refused;
        json_t *value = sample_value(v->format, v->data.p ? v->data : ODM_STR(""), &refused);
        int rc;

        find_speaker(s, v->uri, false, &by);
        name = sample_name(by.uri, session_batch_arena(s));
        if (s->samples.n && (s->samples.n == SAMPLE_VALUES || s->sampled_of != by.device ||
                             !odm_str_eq(s->sampled_by, correlator)))
                heard_samples(s);
        s->sampled_by = correlator;
        s->sampled_of = by.device;
        if (sample_time_parse(odm_str_trim(ev->item->source_name), &at) < 0)
                at = s->turn->at; /* it said none, or none we understand */
        if (refused || !name.p) {
                log_debug("a sample is no measurement", log_str("device", s->source),
                          log_str("node", v->uri));
                json_decref(value);
                return;
        }
        s->urgent = true;
        rc = value ? sample_add(&s->samples, at, name, value) : ODM_ENOMEM;
        if (rc < 0)
                session_failed(s);
}

/* It becomes an event, of the device that speaks; or of its gateway, while that is not known. */
static void keep_alert(session *s, const odm_event *ev, odm_str type, const store_value *v)
{
        speaker by;
        store_op *op;

        find_speaker(s, v->uri, true, &by);
        s->early = s->early || by.early;
        op = session_op(s, STORE_EVENT_ADD);
        if (op)
                op->event = (store_event){.at = s->turn->at,
                                          .device = by.device,
                                          .kind = by.early ? ODM_STR("gateway.early")
                                                           : ODM_STR("alert"),
                                          .data = alert_json(s, ev, type, v, &by)};
}

/* The job whose Exec it tells the end of is over. */
static void end_by_alert(session *s, odm_arena *a, odm_str correlator, const store_value *v)
{
        odm_str text = odm_arena_fmt(a, COMMAND_BY_ALERT "%.*s", (int)odm_str_to(v->type, 120).n,
                                     v->type.p ? v->type.p : "");

        if (!work_alert_live(s, correlator, v->uri, v, text))
                (void)work_alert_stored(s, correlator, v->uri, v, text);
}

void heard_alert(session *s, const odm_event *ev)
{
        odm_arena *a = session_batch_arena(s);
        odm_item one = *ev->item;
        odm_str type = alert_type(odm_meta_of(ev->alert, ev->item).type), correlator;
        bool generic = ev->alert->code == ODM_ALERT_GENERIC;
        store_value *v = NULL;
        size_t n = 0;

        odm_server_alert_status(s->server, job_alert_asks(type) ? ODM_ST_ACCEPTED : 200);
        dm_count(s->dm, METRIC_ALERTS, 1);
        if (!s->known || !a)
                return;
        one.next = NULL;
        one.meta = odm_meta_of(ev->alert, ev->item);
        one.meta.type = type;
        correlator = keep(s, odm_str_trim(ev->alert->correlator));
        if (heard_items(s, &one, a, &v, &n) < 0 || !v) {
                session_failed(s);
                return;
        }
        if (job_is_tnds(v->type) && v->uri.n && /* some tell of their objects so */
            mirror_document(&s->changes, v->uri, v->data) < 0)
                session_failed(s);
        s->due = true;
        if (generic && odm_str_ieq(type, REPORT) && !s->dm->opt.plain_reports) {
                heard_report(s, ev, v, correlator);
                return;
        }
        keep_alert(s, ev, type, v);
        if (generic && job_alert_ends(v->type))
                end_by_alert(s, a, correlator, v);
}
