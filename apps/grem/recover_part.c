/* SPDX-License-Identifier: Apache-2.0 */
/* recover_part.c - see recover.h.  What is known of a device here is in memory alone: after a
 * restart it is looked at again, in quarantine or not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "fsio.h"
#include "fsio_twin.h"
#include "heap.h"
#include "images.h"
#include "inner.h"
#include "log.h"
#include "odm/heal.h"
#include "odm/inventory.h"
#include "part/notice.h"
#include "recover.h"
#include "rights.h"
#include "spare.h"

#define AT "./GwMO/Config/Ext/Validation"
#define CAUSE "device-quarantined"
#define LOOK_MEMORY ((size_t)4 << 20)
#define RULES_MAX 256
#define JUDGE_MS 500 /* after a change: more of them may follow */

#define FWV "./DevDetail/FwV"
#define HASH "./FUMO/main/Ext/xrem/ImageHash"
#define FUMO "./FUMO/main"
#define URL FUMO "/DownloadAndUpdate/PkgURL"

typedef struct ward {              /* a device that a rule names */
        struct ward *next, **link; /* all of them */
        struct ward *chain;        /* of the bucket */
        struct recover *p;
        gw_device *d;
        char *rule; /* its node name */
        odm_heal heal;
        loop_timer timer; /* heal.due */
        uint64_t run;     /* an order under way */
        odm_arena arena;  /* of that */
        bool has_arena;
        size_t n_golden;        /* of a look: Gets behind the first two */
        const odm_str *golden;  /* and what they should say */
        odm_heal_rule expected; /* in the arena */
        bool installing;        /* an image is on its way: its alert, or this long */
        loop_timer limit;
        char correlator[40];
        unsigned orders;
        bool again;       /* what it was told came from within an order: later */
        bool wants_image; /* there was none to heal it with */
        notice *alarm;
} ward;

#define BUCKETS 1024

typedef struct fading { /* an alarm that is over, and cannot be said yet */
        struct fading *next;
        notice n;
} fading;

typedef struct recover {
        const part_host *host;
        gateway *g;
        gw_hook hook;
        ward *wards, *bucket[BUCKETS];
        fading *fading;
        loop_timer judge;
        odm_heal_terms terms;
        notice store;
        spare *spare;
} recover;

static void act(ward *w, unsigned actions);

static void hear(ward *w, odm_heal_event e, unsigned faults)
{
        odm_heal_state before = w->heal.state;
        unsigned actions = odm_heal_hear(&w->heal, e, faults, &w->p->terms, loop_now().ms);

        if (w->heal.state != before)
                log_debug("validation", log_text("key", w->d->key),
                          log_text("state", odm_heal_state_name(w->heal.state)));
        act(w, actions);
}

static void set_timer(ward *w)
{
        if (w->heal.due == INT64_MAX)
                loop_timer_stop(&w->timer);
        else if (loop_timer_set(w->p->g->loop, &w->timer, (odm_time){w->heal.due}) < 0)
                log_error("no memory for a timer");
}

static void end_order(ward *w)
{
        if (w->run)
                gw_cancel(w->p->g, w->run);
        w->run = 0;
        if (w->has_arena)
                odm_arena_done(&w->arena);
        w->has_arena = false;
}

static void begin_order(ward *w)
{
        end_order(w);
        odm_arena_init(&w->arena, &heap_mem, LOOK_MEMORY);
        w->has_arena = true;
}

/* ---- rules ------------------------------------------------------------------------------------- */

/* A leaf of a rule, in `a`; absent: there is none. */
static odm_str leaf(recover *p, const char *rule, const char *name, odm_arena *a)
{
        odm_str uri = odm_arena_fmt(a, AT "/%s/%s", rule, name);
        odm_value v;

        if (!uri.p || odm_tree_read(p->host->tree, uri, a, &v) < 0 || v.data.n == 0)
                return ODM_ABSENT;
        return odm_arena_copy(a, v.data);
}

typedef struct finder {
        recover *p;
        const gw_device *d;
        char *found;
        char *names[RULES_MAX];
        size_t n;
} finder;

static int on_rule(void *ctx, odm_str name)
{
        finder *f = ctx;

        if (f->n == RULES_MAX)
                return 1;
        f->names[f->n] = strndup(name.p, name.n);
        return f->names[f->n++] ? 0 : ODM_ENOMEM;
}

/* Who wrote the rule may look at the device, put it into quarantine and heal it. */
static bool may(recover *p, const char *rule, const gw_device *d)
{
        char uri[sizeof AT + 256];
        int n = snprintf(uri, sizeof uri, AT "/%s", rule);

        return n > 0 && (size_t)n < sizeof uri &&
               rights_writers_have(p->g, odm_cstr(uri), d,
                                   ODM_ACC_EXEC | ODM_ACC_GET | ODM_ACC_REPLACE);
}

static bool fits(recover *p, const char *rule, const gw_device *d)
{
        odm_arena a;
        bool is;

        odm_arena_init(&a, &heap_mem, 65536);
        is = gw_matches(d, leaf(p, rule, "Match", &a)) && may(p, rule, d);
        odm_arena_done(&a);
        return is;
}

/* The name of the first rule that fits the device; NULL: none, and the device is left alone. */
static char *rule_of(recover *p, const gw_device *d)
{
        finder *f = calloc(1, sizeof *f);
        char *found = NULL;

        if (!f)
                return NULL;
        if (p->host->tree)
                (void)odm_tree_children(p->host->tree, ODM_STR(AT), on_rule, f);
        for (size_t i = 0; i < f->n; i++) {
                if (!found && f->names[i] && fits(p, f->names[i], d)) {
                        found = f->names[i];
                        f->names[i] = NULL;
                }
                free(f->names[i]);
        }
        free(f);
        return found;
}

static bool is_true(odm_str s)
{
        return odm_str_ieq(s, "true") || odm_str_is(s, "1");
}

/* The image that the rule names, or that fits. */
static int image_of(ward *w, odm_arena *a, gw_image *out)
{
        return gw_image_for(w->p->g, w->d, leaf(w->p, w->rule, "ImageID", a), a, out);
}

static odm_str hex_of(odm_str octets, odm_arena *a)
{
        odm_str s = ODM_STR("");

        for (size_t i = 0; i < octets.n && s.p; i++)
                s = odm_arena_fmt(a, "%.*s%02x", (int)s.n, s.p, (unsigned char)octets.p[i]);
        return s;
}

/* What the device should run: as the rule says, else as its image is. */
static void expect(ward *w)
{
        odm_arena *a = &w->arena;
        gw_image image;

        w->expected =
                (odm_heal_rule){leaf(w->p, w->rule, "FwV", a), leaf(w->p, w->rule, "FwHash", a)};
        if (!leaf(w->p, w->rule, "ImageID", a).p || image_of(w, a, &image) < 0)
                return;
        if (!w->expected.version.p)
                w->expected.version = image.version;
        if (!w->expected.hash.p)
                w->expected.hash = hex_of(image.sha256, a);
}

/* ---- a look ---------------------------------------------------------------------------------------- */

static int add_get(odm_arena *a, odm_command ***last, odm_str uri)
{
        odm_command *c = odm_new(a, odm_command);
        odm_item *i = odm_new(a, odm_item);

        if (!c || !i)
                return odm_arena_err(a);
        i->target = uri;
        *c = (odm_command){.kind = ODM_CMD_GET, .items = i};
        **last = c;
        *last = &c->next;
        return 0;
}

/* A Get for each leaf that the stored configuration replaces; members of Atomic and Sequence too,
 * which are not deeper than one level in what is stored. */
static int add_golden(ward *w, const odm_command *list, odm_command ***last, odm_str *should,
                      size_t max)
{
        for (; list; list = list->next) {
                for (const odm_item *i = list->items; i; i = i->next) {
                        odm_meta m = odm_meta_of(list, i);
                        if ((list->kind != ODM_CMD_REPLACE && list->kind != ODM_CMD_ADD) ||
                            i->data.kind == ODM_DATA_ABSENT || m.format == ODM_FMT_NODE ||
                            m.format == ODM_FMT_B64 || w->n_golden == max)
                                continue;
                        int rc = add_get(&w->arena, last, i->target);
                        if (rc < 0)
                                return rc;
                        should[w->n_golden++] = i->data.bytes;
                }
        }
        return 0;
}

#define GOLDEN_MAX 1024

static int golden(ward *w, odm_command ***last)
{
        odm_str *should = odm_arena_get(&w->arena, GOLDEN_MAX * sizeof *should);
        const odm_command *list = NULL;
        int rc;

        w->n_golden = 0;
        w->golden = should;
        if (!should)
                return odm_arena_err(&w->arena);
        if (!is_true(leaf(w->p, w->rule, "Config", &w->arena)))
                return 0;
        rc = apply_list(w->p->g, w->d, &w->arena, &list);
        for (const odm_command *c = list; c && rc == 0; c = c->next) {
                odm_command one = *c;
                one.next = NULL;
                rc = add_golden(w, one.body ? one.body : &one, last, should, GOLDEN_MAX);
        }
        return rc;
}

/* The value of a Get; absent when there is none. */
static odm_str value_of(const gw_answer *v)
{
        if (!odm_status_ok(v->status) || v->n == 0 || !v->nodes[0].has_data)
                return ODM_ABSENT;
        return v->nodes[0].value.data;
}

/* A leaf that cannot be read (405, 425) says nothing; one that is gone is not as it was stored. */
static bool differs(const gw_answer *v, odm_str should)
{
        if (v->status == ODM_ST_NOT_FOUND)
                return true;
        return odm_status_ok(v->status) && !odm_heal_same(value_of(v), should);
}

static void on_look(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        ward *w = ctx;
        odm_heal_facts f = {0};
        unsigned faults;

        w->run = 0;
        if (n < 2 + w->n_golden || v[0].status == ODM_ST_TIMEOUT ||
            v[0].status == ODM_ST_UNAVAILABLE) {
                log_debug("a device cannot be looked at", log_text("key", w->d->key),
                          log_int("status", status), log_str("reason", text));
                end_order(w);
                hear(w, ODM_HEAL_SILENT, 0);
                return;
        }
        f.version = value_of(&v[0]);
        f.hash = value_of(&v[1]);
        for (size_t i = 0; i < w->n_golden; i++)
                f.differing += differs(&v[2 + i], w->golden[i]);
        faults = odm_heal_judge(&w->expected, &f);
        end_order(w);
        hear(w, ODM_HEAL_FOUND, faults);
}

static void look(ward *w)
{
        odm_command *list = NULL, **last = &list;
        int rc;

        begin_order(w);
        expect(w);
        rc = add_get(&w->arena, &last, ODM_STR(FWV));
        if (rc == 0)
                rc = add_get(&w->arena, &last, ODM_STR(HASH));
        if (rc == 0)
                rc = golden(w, &last);
        if (rc == 0) {
                const gw_order o = {.list = list};
                rc = gw_run(w->p->g, w->d, &o, on_look, w, &w->run);
        }
        if (rc < 0) {
                log_error("a device cannot be looked at", log_text("key", w->d->key),
                          log_text("reason", odm_err_text(rc)));
                end_order(w);
                hear(w, ODM_HEAL_SILENT, 0);
        }
}

/* ---- healing ------------------------------------------------------------------------------------------ */

/* Later, for what calls here may be in the middle of telling others. */
static void done_soon(ward *w)
{
        w->again = true;
        if (loop_timer_set(w->p->g->loop, &w->limit, loop_now()) < 0)
                log_error("no memory for a timer");
}

static void on_limit(void *ctx)
{
        ward *w = ctx;

        if (!w->again && w->installing)
                log_warn("an image did not heal a device in time", log_text("key", w->d->key));
        w->again = w->installing = false;
        end_order(w);
        hear(w, ODM_HEAL_DONE, 0);
}

static ward **place_of(recover *p, const gw_device *d)
{
        ward **at = &p->bucket[d->number % BUCKETS];

        while (*at && (*at)->d != d)
                at = &(*at)->chain;
        return at;
}

static ward *ward_of(recover *p, const gw_device *d)
{
        return *place_of(p, d);
}

static void on_configured(void *ctx, gw_device *d, unsigned status)
{
        ward *w = ward_of(ctx, d);

        (void)status; /* the next look says how it went */
        if (w)
                done_soon(w);
}

static void on_ordered(void *ctx, unsigned status, odm_str text, const gw_answer *v, size_t n)
{
        ward *w = ctx;
        const gw_answer *exec = n ? &v[n - 1] : NULL;

        w->run = 0;
        if (exec && exec->status == ODM_ST_ACCEPTED)
                return; /* its alert follows, or the limit */
        log_warn("a device cannot be healed by its image", log_text("key", w->d->key),
                 log_int("status", exec ? exec->status : status),
                 log_str("reason", exec ? exec->text : text));
        w->installing = false;
        done_soon(w);
}

static odm_command *command(odm_arena *a, odm_cmd kind, odm_str uri, odm_str data,
                            odm_str correlator)
{
        odm_command *c = odm_new(a, odm_command);
        odm_item *i = odm_new(a, odm_item);

        if (!c || !i)
                return NULL;
        i->target = uri;
        if (data.p) {
                i->data = (odm_data){ODM_DATA_TEXT, data};
                i->meta = (odm_meta){.present = true, .format = ODM_FMT_CHR};
        }
        *c = (odm_command){.kind = kind, .items = i, .correlator = correlator};
        return c;
}

/* What a server would order: the image's own address, its hash for those that look, and Exec. */
static odm_command *update(ward *w, odm_str url, odm_str hash)
{
        odm_arena *a = &w->arena;
        odm_command *v[4];

        v[0] = command(a, ODM_CMD_REPLACE, ODM_STR(FUMO "/Ext/xrem/HashAlg"), ODM_STR("sha-256"),
                       ODM_ABSENT);
        v[1] = command(a, ODM_CMD_REPLACE, ODM_STR(FUMO "/Ext/xrem/Hash"), hash, ODM_ABSENT);
        v[2] = command(a, ODM_CMD_REPLACE, ODM_STR(URL), url, ODM_ABSENT);
        v[3] = command(a, ODM_CMD_EXEC, ODM_STR(FUMO "/DownloadAndUpdate"), ODM_ABSENT,
                       odm_cstr(w->correlator));
        for (size_t i = 0; i < 4; i++) {
                if (!v[i])
                        return NULL;
                if (i > 0)
                        v[i - 1]->next = v[i];
        }
        return v[0];
}

/* Nothing here heals it: the server is asked, once for all devices of the rule. */
static void ask_for_image(ward *w)
{
        odm_arena *a = &w->arena;
        odm_str version = leaf(w->p, w->rule, "FwV", a), id = leaf(w->p, w->rule, "ImageID", a),
                match = leaf(w->p, w->rule, "Match", a), source, detail;
        bool asked = w->wants_image;

        for (const ward *o = w->p->wards; o; o = o->next)
                asked |= o->wants_image && strcmp(o->rule, w->rule) == 0;
        w->wants_image = true;
        source = odm_arena_fmt(a, AT "/%s", w->rule);
        detail = odm_arena_fmt(a, "there is no image%s%.*s of firmware%s%.*s for %.*s",
                               id.n ? " " : "", (int)id.n, id.p ? id.p : "", version.n ? " " : "",
                               (int)version.n, version.p ? version.p : "", (int)match.n, match.p);
        if (!asked && source.p && detail.p)
                gw_request(w->p->g, source, "update", detail);
}

static void install(ward *w)
{
        const odm_time until = odm_time_add(loop_now(), cfg_ms(w->p->g->conf, "gateway.heal_time"));
        odm_command *list = NULL;
        gw_image image;
        odm_str url;
        int rc;

        begin_order(w);
        rc = image_of(w, &w->arena, &image);
        if (rc == 0)
                rc = gw_image_url(w->p->g, w->d, image.id, &w->arena, &url);
        if (rc == 0) {
                snprintf(w->correlator, sizeof w->correlator, "heal-%s-%u", w->d->key, ++w->orders);
                list = update(w, url, hex_of(image.sha256, &w->arena));
                rc = list ? 0 : ODM_ENOMEM;
        }
        if (rc == 0) {
                const gw_order o = {.list = list};
                w->installing = true;
                rc = gw_run(w->p->g, w->d, &o, on_ordered, w, &w->run);
        }
        if (rc == 0 && loop_timer_set(w->p->g->loop, &w->limit, until) == 0) {
                log_info("a device is healed by an image", log_text("key", w->d->key),
                         log_str("image", image.id));
                return;
        }
        log_warn("there is no image to heal a device", log_text("key", w->d->key),
                 log_text("reason", odm_err_text(rc)));
        if (rc == ODM_ENOENT)
                ask_for_image(w);
        w->installing = false;
        done_soon(w);
}

static void configure(ward *w)
{
        int rc = apply_config(w->p->g, w->d, on_configured, w->p);

        if (rc == 1)
                return;
        log_warn("no stored configuration heals a device", log_text("key", w->d->key));
        done_soon(w);
}

/* The final alert of an installation that was ordered here; it goes on north as well. */
static int on_alert(void *ctx, gw_device *d, const odm_alert *a)
{
        ward *w = ward_of(ctx, d);

        if (w && w->installing && odm_str_is(a->correlator, w->correlator))
                done_soon(w);
        return 0;
}

/* ---- quarantine ------------------------------------------------------------------------------------------ */

static void alarm_of(notice *n, const recover *p, const gw_device *d)
{
        char object[64];

        snprintf(object, sizeof object, "./GwDev/%s", d->key);
        notice_init(n, p->host, CAUSE, object);
}

/* One that is cleared may have been raised before a restart. */
static void raise_alarm(ward *w, fm_severity s, const char *text)
{
        if (!w->alarm) {
                w->alarm = calloc(1, sizeof *w->alarm);
                if (!w->alarm) {
                        log_error("no memory for an alarm");
                        return;
                }
                alarm_of(w->alarm, w->p, w->d);
        }
        notice_say(w->alarm, s, text);
}

static void drop_faded(recover *p, bool all)
{
        for (fading **at = &p->fading; *at;) {
                fading *f = *at;
                if (f->n.again.in && !all) {
                        at = &f->next;
                        continue;
                }
                *at = f->next;
                notice_stop(&f->n);
                free(f);
        }
}

/* The alarm of a device that is looked after no more: what has to wait for the end of a transaction
 * is said then. */
static void end_alarm(recover *p, const gw_device *d, const char *text)
{
        fading *f = calloc(1, sizeof *f);

        if (!f) {
                log_error("no memory for an alarm");
                return;
        }
        alarm_of(&f->n, p, d);
        notice_say(&f->n, FM_CLEARED, text);
        f->next = p->fading;
        p->fading = f;
        drop_faded(p, false);
}

static void set_active(recover *p, gw_device *d, bool on)
{
        const gw_change c = {.wake_interval_s = -2,
                             .awake_s = -2,
                             .active = on,
                             .reason = ODM_STR(GW_QUARANTINE)};
        int rc = gw_change_device(p->g, d, &c);

        if (rc < 0)
                log_error("a device's state is not durable", log_text("key", d->key),
                          log_text("reason", odm_err_text(rc)));
}

static void quarantine(ward *w)
{
        char text[ODM_HEAL_TEXT];

        odm_heal_text(w->heal.faults, text);
        log_warn("a device is put into quarantine", log_text("key", w->d->key),
                 log_str("id", w->d->id), log_text("reason", text));
        if (!gw_is_quarantined(w->d))
                set_active(w->p, w->d, false);
        raise_alarm(w, FM_MAJOR, text);
}

static void give_up(ward *w)
{
        char why[ODM_HEAL_TEXT], text[ODM_HEAL_TEXT + 32];

        odm_heal_text(w->heal.faults, why);
        snprintf(text, sizeof text, "%s, and cannot be healed", why);
        log_error("a device stays in quarantine", log_text("key", w->d->key),
                  log_text("reason", text));
        raise_alarm(w, FM_CRITICAL, text);
}

static void release(ward *w)
{
        log_info("a device is healed", log_text("key", w->d->key));
        w->wants_image = false;
        raise_alarm(w, FM_CLEARED, "it is as it should be");
        set_active(w->p, w->d, true); /* others are told: the ward may be gone after it */
}

static void act(ward *w, unsigned actions)
{
        set_timer(w);
        if (actions & ODM_HEAL_QUARANTINE)
                quarantine(w);
        if (actions & ODM_HEAL_GIVE_UP)
                give_up(w);
        if (actions & ODM_HEAL_RELEASE)
                release(w);
        if (actions & ODM_HEAL_LOOK)
                look(w);
        if (actions & ODM_HEAL_INSTALL)
                install(w);
        if (actions & ODM_HEAL_CONFIGURE)
                configure(w);
}

static void seen(recover *p, gw_device *d);

static void on_timer(void *ctx)
{
        ward *w = ctx;

        if (w->d->mode != GW_TRANSPARENT && may(w->p, w->rule, w->d))
                hear(w, ODM_HEAL_TIME, 0);
        else
                seen(w->p, w->d); /* the right was taken away, or it is its server's now */
}

/* ---- which devices ----------------------------------------------------------------------------------------- */

static void ward_free(ward *w)
{
        *w->link = w->next;
        if (w->next)
                w->next->link = w->link;
        *place_of(w->p, w->d) = w->chain;
        end_order(w);
        loop_timer_stop(&w->timer);
        loop_timer_stop(&w->limit);
        if (w->alarm && w->alarm->again.in && w->alarm->severity == FM_CLEARED)
                end_alarm(w->p, w->d, w->alarm->text);
        if (w->alarm)
                notice_stop(w->alarm);
        free(w->alarm);
        free(w->rule);
        free(w);
}

static ward *ward_new(recover *p, gw_device *d, char *rule)
{
        ward *w = calloc(1, sizeof *w);

        if (!w) {
                free(rule);
                log_error("no memory for a device that is looked after");
                return NULL;
        }
        *w = (ward){.next = p->wards,
                    .link = &p->wards,
                    .chain = p->bucket[d->number % BUCKETS],
                    .p = p,
                    .d = d,
                    .rule = rule};
        w->heal.due = INT64_MAX;
        if (gw_is_quarantined(d)) /* of an earlier run: found good, it is let go */
                w->heal.state = ODM_HEAL_LOST;
        w->timer = (loop_timer){.fn = on_timer, .ctx = w};
        w->limit = (loop_timer){.fn = on_limit, .ctx = w};
        if (p->wards)
                p->wards->link = &w->next;
        p->wards = p->bucket[d->number % BUCKETS] = w;
        return w;
}

/* The device is here; whether it is looked after is decided anew. */
static void seen(recover *p, gw_device *d)
{
        char *rule = d->mode == GW_TRANSPARENT ? NULL : rule_of(p, d);
        ward *w = ward_of(p, d);

        if (!rule) { /* nobody wants it looked after any more */
                bool out = gw_is_quarantined(d);
                if (w)
                        ward_free(w);
                if (out) {
                        end_alarm(p, d, "no rule is about it any more");
                        set_active(p, d, true);
                }
                return;
        }
        if (w) {
                free(w->rule);
                w->rule = rule;
        } else {
                w = ward_new(p, d, rule);
        }
        if (w)
                hear(w, ODM_HEAL_SEEN, 0);
}

void recover_seen(gateway *g, gw_device *d)
{
        if (g->recover)
                seen(g->recover, d);
}

void recover_image(gateway *g)
{
        for (ward *w = g->recover ? g->recover->wards : NULL, *next; w; w = next) {
                next = w->next;
                if (!w->wants_image)
                        continue;
                w->wants_image = false;
                hear(w, ODM_HEAL_MEANS, 0);
        }
}

static void on_attached(void *ctx, gw_device *d, bool back)
{
        recover *p = ctx;
        ward *w = ward_of(p, d);

        (void)back;
        if (w && w->heal.state == ODM_HEAL_WELL && !w->run && w->orders)
                w->orders = 0; /* it was healed this moment: looked at already */
        else
                seen(p, d);
}

/* Somebody else switched it off, or on; or its mode is another. */
static void on_moved(void *ctx, gw_device *d, gw_state from)
{
        ward *w = ward_of(ctx, d);
        bool off = d->state == GW_DEACTIVATED;

        if (!w && from == d->state && gw_is_awake(d))
                seen(ctx, d);
        if (!w || gw_is_quarantined(d) ||
            (!off && (from != GW_DEACTIVATED || w->heal.state == ODM_HEAL_WELL)))
                return;
        w->installing = false;
        loop_timer_stop(&w->limit);
        end_order(w);
        raise_alarm(w, FM_CLEARED, "an operator decided about it");
        hear(w, ODM_HEAL_RELEASED, 0);
}

static void on_removed(void *ctx, gw_device *d)
{
        ward *w = ward_of(ctx, d);

        if (w)
                ward_free(w);
}

static void on_judge(void *ctx)
{
        recover *p = ctx;
        gw_device *next;

        for (gw_device *d = gw_next(p->g, NULL); d; d = next) {
                next = gw_next(p->g, d);
                if (d->adapter && (gw_is_awake(d) || gw_is_quarantined(d)))
                        seen(p, d);
        }
}

void recover_judge(gateway *g)
{
        recover *p = g->recover;

        if (p && loop_timer_set(g->loop, &p->judge, odm_time_add(loop_now(), JUDGE_MS)) < 0)
                log_error("no memory for a timer");
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static int recover_mount(const part_host *h, void **out, diag *d)
{
        recover *p = calloc(1, sizeof *p);

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->g = h->app;
        *out = p;
        return 0;
}

/* The server is asked to read everything anew. */
static void ask_for_resync(recover *p, const char *why)
{
        gw_request(p->g, ODM_STR("./GwMO/Inventory"), "resync", odm_cstr(why));
        p->host->call(p->host->ctx, why);
}

/* Part integrity has said so, and called. */
static void tell_tree(recover *p)
{
        const fsio_healed *h = p->host->healed;

        if (h && (h->records || h->head || h->lost))
                ask_for_resync(p, "the tree was damaged");
}

/* The store was found damaged while it is in use: a start mends it. */
static void on_damaged(void *ctx, const char *why)
{
        recover *p = ctx;
        char *path = fsio_join(gw_folder(p->g), "gateway.db");
        char text[FM_TEXT];

        if (path)
                recover_store_condemn(path);
        free(path);
        snprintf(text, sizeof text, "the store is damaged: %.300s", why);
        log_error("the store is damaged", log_text("reason", why));
        notice_say(&p->store, FM_CRITICAL, text);
        p->host->again(p->host->ctx, "the store is damaged");
}

static int keep_spare(recover *p, const char *path)
{
        if (cfg_str(p->g->conf, "gateway.store")) /* its owner's to copy */
                return 0;
        return spare_open(p->g, path, on_damaged, p, &p->spare);
}

/* What was found when the store was opened. */
static void tell_store(recover *p, const char *path)
{
        notice_init(&p->store, p->host, FM_INTEGRITY, path);
        switch (p->g->mended) {
        case RECOVER_WHOLE: notice_say(&p->store, FM_CLEARED, "the store is whole"); return;
        case RECOVER_COPY:
                notice_say(&p->store, FM_MAJOR, "the store was damaged: its last copy is in use");
                break;
        case RECOVER_ANEW:
                notice_say(&p->store, FM_CRITICAL,
                           "the store was damaged, and there was no copy: it is begun anew");
                break;
        }
        ask_for_resync(p, "the store was damaged");
}

static int recover_open(void *ctx, diag *d)
{
        recover *p = ctx;
        char *path;
        int rc;

        if (!p->g)
                return 0;
        path = fsio_join(gw_folder(p->g), "gateway.db");
        if (!path)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->terms = (odm_heal_terms){.every_ms = cfg_ms(p->g->conf, "gateway.validate_every"),
                                    .tries = (unsigned)cfg_int(p->g->conf, "gateway.heal_tries")};
        p->judge = (loop_timer){.fn = on_judge, .ctx = p};
        p->hook = (gw_hook){.attached = on_attached,
                            .moved = on_moved,
                            .alert = on_alert,
                            .removed = on_removed,
                            .ctx = p};
        gw_hook_add(p->g, &p->hook);
        p->g->recover = p;
        tell_store(p, path);
        tell_tree(p);
        rc = keep_spare(p, path);
        free(path);
        return rc < 0 ? diag_set(d, rc, "gateway.db: %s", odm_err_text(rc)) : 0;
}

static void recover_close(void *ctx)
{
        recover *p = ctx;

        if (p->g && p->g->recover == p) {
                gw_hook_del(p->g, &p->hook);
                loop_timer_stop(&p->judge);
                notice_stop(&p->store);
                spare_stop(p->spare);
                spare_close(p->spare);
                p->g->recover = NULL;
        }
        while (p->wards)
                ward_free(p->wards);
        drop_faded(p, true);
        free(p);
}

const part_class part_gwrecover = {
        .name = "gwrecover",
        .mount = recover_mount,
        .open = recover_open,
        .close = recover_close,
};
