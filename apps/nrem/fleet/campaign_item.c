/* SPDX-License-Identifier: Apache-2.0 */
/* One device of a campaign. */
#include "campaign_item.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "odm/result.h"
#include "version.h"

#define ZONES_DEFAULT "/usr/share/zoneinfo"
#define TAG_ZONE "tz:"

typedef struct campaign_zone { /* those read, so that each is read once a turn */
        struct campaign_zone *next;
        odm_str name;
        zone z;
        bool bad;
} campaign_zone;

/* ---- zones ------------------------------------------------------------------------------- */

static int read_zone_file(const campaign_scope *s, odm_str name, zone *out)
{
        char path[512], *buf = odm_arena_get(s->a, ZONE_FILE_MAX);
        const char *folder = s->host->conf ? cfg_str(s->host->conf, "campaigns.zones") : NULL;
        FILE *f;
        size_t n;

        if (!buf)
                return odm_arena_err(s->a);
        if (!zone_name_ok(name))
                return ODM_EMALFORMED;
        (void)snprintf(path, sizeof path, "%s/%.*s", folder ? folder : ZONES_DEFAULT, (int)name.n,
                       name.p);
        f = fopen(path, "rbe");
        if (!f)
                return ODM_EMALFORMED;
        n = fread(buf, 1, ZONE_FILE_MAX, f);
        (void)fclose(f);
        return zone_parse((odm_str){buf, n}, out);
}

static int find_zone(campaign_scope *s, odm_str name, const zone **out)
{
        campaign_zone *z = s->zones;
        int rc;

        while (z && !odm_str_eq(z->name, name))
                z = z->next;
        if (!z) {
                z = odm_new(s->a, campaign_zone);
                if (!z)
                        return odm_arena_err(s->a);
                z->name = odm_arena_copy(s->a, name);
                rc = zone_fixed(name, &z->z) == 0 ? 0 : read_zone_file(s, name, &z->z);
                if (rc < 0 && rc != ODM_EMALFORMED)
                        return rc;
                z->bad = rc < 0;
                z->next = s->zones;
                s->zones = z;
        }
        *out = &z->z;
        return z->bad ? ODM_EMALFORMED : 0;
}

static odm_str zone_tag(odm_str tags)
{
        while (tags.n > 0) {
                size_t n = 0;

                while (n < tags.n && tags.p[n] != ' ')
                        n++;
                if (odm_str_starts(odm_str_to(tags, n), TAG_ZONE))
                        return odm_str_from(odm_str_to(tags, n), strlen(TAG_ZONE));
                tags = odm_str_from(tags, n + 1);
        }
        return ODM_ABSENT;
}

/* ---- what all share ------------------------------------------------------------------------ */

static int read_package(campaign_scope *s, int64_t id)
{
        const package key = {.id = id};

        if (s->pkg.id == id)
                return 0;
        return store_row_get(s->host->store, &table_package, &key, s->a, &s->pkg);
}

int campaign_scope_init(campaign_scope *s, const fleet_host *h, const campaign *c, odm_arena *a)
{
        problem p;
        int rc = 0;

        *s = (campaign_scope){.host = h, .c = c, .a = a};
        problem_init(&p);
        s->holder = json_loadb(c->plan.p ? c->plan.p : "{}", c->plan.p ? c->plan.n : 2, 0, NULL);
        if (!json_is_object(s->holder) || !campaign_plan_read(s->holder, "", &p, &s->plan))
                rc = ODM_EMALFORMED;
        problem_done(&p);
        if (rc == 0 && c->target.n)
                rc = selector_parse(c->target, a, &s->target);
        if (rc == 0 && c->package)
                rc = read_package(s, c->package);
        if (rc == 0 && h->conf)
                s->base = package_base(h->conf, a);
        return rc;
}

void campaign_scope_done(campaign_scope *s)
{
        json_decref(s->holder);
        s->holder = NULL;
}

/* ---- the order ----------------------------------------------------------------------------- */

static int leave(campaign_scope *s, campaign_order *o, campaign_class class, odm_str text)
{
        if (!text.p)
                return odm_arena_err(s->a);
        o->class = class;
        o->reason = text.p;
        return 0;
}

/* `tried`: it had an order already, and an update may be why it is silent since. */
static int check_device(campaign_scope *s, const store_device *d, bool tried, campaign_order *o)
{
        odm_str why = ODM_ABSENT;

        if (d->state != STORE_DEVICE_ACTIVE && d->state != STORE_DEVICE_PROVISIONED &&
            d->state != STORE_DEVICE_ASLEEP && /* which wakes as expected */
            !(tried && d->state == STORE_DEVICE_UNREACHABLE))
                return leave(
                        s, o, CLASS_STATE,
                        odm_arena_fmt(s->a, "the device is %s", store_device_state_name(d->state)));
        if (s->pkg.id && !package_fits(&s->pkg, d, s->a, &why))
                return leave(s, o, CLASS_UNFIT,
                             odm_arena_fmt(s->a, "the package is not for it: %.*s", (int)why.n,
                                           why.p ? why.p : ""));
        if (s->c->kind == CAMPAIGN_FIRMWARE && o->version.n && d->fwv.n &&
            version_cmp(o->version, d->fwv) == 0)
                return leave(s, o, CLASS_THERE,
                             odm_arena_fmt(s->a, "it runs version %.*s already", (int)d->fwv.n,
                                           d->fwv.p));
        return 0;
}

static int check_window(campaign_scope *s, const store_device *d, int64_t now, campaign_order *o)
{
        odm_str name = zone_tag(d->tags);
        const zone *z;
        int rc;

        o->open = true;
        o->edge = INT64_MAX;
        if (s->plan.n_windows == 0)
                return 0;
        if (!name.n)
                name = s->plan.zone.n ? s->plan.zone : ODM_STR("UTC");
        rc = find_zone(s, name, &z);
        if (rc == ODM_EMALFORMED)
                return leave(s, o, CLASS_VALUE,
                             odm_arena_fmt(s->a, "%.*s is no time zone that is known here",
                                           (int)name.n, name.p));
        if (rc == 0)
                o->open = zone_open(z, s->plan.windows, s->plan.n_windows, now, &o->edge);
        return rc;
}

/* The same name for the same package: devices refuse one PkgID under two names. */
static odm_str download_name(const campaign_vars *v, odm_arena *a)
{
        odm_str s = odm_arena_copy(a, odm_str_to(v->package, odm_utf8_cut(v->package, 64)));
        char *at = (char *)(uintptr_t)s.p;

        for (size_t i = 0; i < s.n; i++)
                if (at[i] == '/' || at[i] == '"' || at[i] == '\\' || (unsigned char)at[i] < ' ' ||
                    at[i] == '?')
                        at[i] = '-';
        return s;
}

static json_t *template_of(const campaign *c, const campaign_vars *v, odm_arena *a)
{
        odm_str name;

        if (c->commands.n)
                return json_loadb(c->commands.p, c->commands.n, 0, NULL);
        if (c->kind == CAMPAIGN_FIRMWARE) {
                name = odm_arena_copy(a, c->node.n ? c->node : ODM_STR("./FUMO/main"));
                return name.p ? campaign_firmware(name.p) : NULL;
        }
        name = download_name(v, a);
        return name.p ? campaign_software(name.p) : NULL;
}

static int fill_vars(campaign_scope *s, const store_device *d, const campaign_order *o,
                     campaign_vars *v)
{
        const campaign *c = s->c;

        *v = (campaign_vars){.name = d->name,
                             .devid = d->devid,
                             .maker = d->maker,
                             .model = d->model,
                             .hwv = d->hwv,
                             .fwv = d->fwv,
                             .swv = d->swv,
                             .tags = d->tags,
                             .version = o->version,
                             .url = c->url.n ? c->url : ODM_ABSENT,
                             .sha256 = ODM_STR(""),
                             .size = ODM_STR(""),
                             .campaign = odm_arena_number(s->a, (uint64_t)c->id)};
        v->package = c->name;
        if (s->pkg.id) {
                v->url = package_link(&s->pkg, d,
                                      s->base.n || d->reached.n ? s->base : odm_cstr(s->host->url),
                                      s->a);
                v->sha256 = s->pkg.sha256;
                v->size = odm_arena_number(s->a, s->pkg.size);
                v->package = s->pkg.component.n ? s->pkg.component : s->pkg.name;
        }
        return s->a->err ? odm_arena_err(s->a) : 0;
}

/* The text of `list`, its variables filled. */
static int fill_list(campaign_scope *s, json_t *list, const campaign_vars *v, bool called,
                     campaign_order *o)
{
        char which[CAMPAIGN_VAR] = "";
        char *text;
        int rc = campaign_fill(list, v, which);

        if (rc == ODM_ENOENT && strcmp(which, "url") == 0 && !called) { /* it tells by calling */
                o->unknown = true;
                return 0;
        }
        if (rc == ODM_ENOENT && strcmp(which, "url") == 0)
                return leave(s, o, CLASS_VALUE,
                             odm_arena_copy(s->a, ODM_STR("how the device reaches this server is "
                                                          "not known: set packages.url")));
        if (rc == ODM_ENOENT || rc == ODM_EMALFORMED)
                return leave(s, o, CLASS_VALUE,
                             odm_arena_fmt(s->a, "${%s} has no value for it", which));
        if (rc < 0)
                return rc;
        text = json_dumps(list, JSON_COMPACT);
        o->commands = text ? odm_arena_copy(s->a, odm_cstr(text)) : ODM_ABSENT;
        free(text);
        return o->commands.p ? 0 : ODM_ENOMEM;
}

static int fill_expect(campaign_scope *s, const campaign_vars *v, campaign_order *o)
{
        json_t *list =
                json_pack("[{s:s%}]", "v", s->c->expect.p ? s->c->expect.p : "", s->c->expect.n);
        char which[CAMPAIGN_VAR];
        int rc = list ? campaign_fill(list, v, which) : ODM_ENOMEM;

        if (rc == 0)
                o->expect = odm_arena_copy(
                        s->a,
                        odm_cstr(json_string_value(json_object_get(json_array_get(list, 0), "v"))));
        json_decref(list);
        if (rc == ODM_ENOENT || rc == ODM_EMALFORMED)
                return leave(s, o, CLASS_VALUE,
                             odm_arena_fmt(s->a, "${%s} has no value for it", which));
        return rc;
}

/* Package and version of the item. */
static int choose(campaign_scope *s, const campaign_item *it, campaign_order *o)
{
        int rc = it->package ? read_package(s, it->package) : 0;

        o->version = it->version.n ? it->version : s->c->version;
        if (rc == ODM_ENOENT)
                return leave(s, o, CLASS_VALUE, ODM_STR("its package was removed"));
        if (rc == 0 && !o->version.n && s->pkg.id)
                o->version = s->pkg.version;
        return rc;
}

static int fill_commands(campaign_scope *s, const store_device *d, campaign_order *o)
{
        campaign_vars v;
        json_t *list = NULL;
        int rc = fill_vars(s, d, o, &v);

        if (rc == 0)
                list = template_of(s->c, &v, s->a);
        if (rc == 0 && !list)
                rc = ODM_ENOMEM;
        if (rc == 0)
                rc = fill_list(s, list, &v, d->last_contact > 0, o);
        json_decref(list);
        return rc;
}

int campaign_item_order(campaign_scope *s, const campaign_item *it, const store_device *d,
                        int64_t now, campaign_order *out)
{
        campaign_order o = {.class = CLASS_NONE};
        int rc = choose(s, it, &o);

        if (rc == 0 && o.class == CLASS_NONE)
                rc = check_device(s, d, it->tries > 0, &o);
        if (rc == 0 && o.class == CLASS_NONE)
                rc = check_window(s, d, now, &o);
        if (rc == 0 && o.class == CLASS_NONE)
                rc = fill_commands(s, d, &o);
        if (rc == 0)
                *out = o;
        return rc;
}

int campaign_item_expect(campaign_scope *s, const campaign_item *it, const store_device *d,
                         campaign_order *out)
{
        campaign_order o = {.class = CLASS_NONE};
        campaign_vars v;
        int rc = choose(s, it, &o);

        if (rc == 0)
                rc = fill_vars(s, d, &o, &v);
        if (rc == 0)
                rc = fill_expect(s, &v, &o);
        if (rc == 0)
                *out = o;
        return rc;
}

int campaign_item_back(campaign_scope *s, campaign_item *it, campaign_order *out)
{
        package key = {.name = s->pkg.name, .version = it->version}, p;
        int rc = ODM_ENOENT;

        *out = (campaign_order){.open = true};
        if (s->pkg.id && it->version.n)
                rc = store_row_by(s->host->store, &table_package, PACKAGE_BY_NAME, &key, s->a, &p);
        if (rc == 0 && p.state == PACKAGE_READY) {
                it->package = p.id;
                return 0;
        }
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        if (!it->version.n)
                return leave(s, out, CLASS_VALUE,
                             odm_arena_copy(s->a, ODM_STR("what it ran before is not known")));
        return leave(s, out, CLASS_VALUE,
                     odm_arena_fmt(s->a, "there is no package %.*s %.*s", (int)s->pkg.name.n,
                                   s->pkg.name.p ? s->pkg.name.p : "", (int)it->version.n,
                                   it->version.p));
}

/* ---- answers ------------------------------------------------------------------------------- */

/* The one to name: an alert's result before a Status, and not one that only follows from another.
 */
static const store_result *cause_of(const store_result_list *l)
{
        const store_result *found = NULL;

        for (size_t i = 0; i < l->n; i++) {
                const store_result *r = &l->v[i];

                if (r->status < 214 || r->status / 100 == 12 || r->status == 215 ||
                    r->status == 216)
                        continue;
                if (command_alert_type(r->text).n)
                        return r;
                if (!found || found->status == 404)
                        found = r;
        }
        return found;
}

int campaign_item_verdict(store *st, int64_t device, int64_t job, odm_str said, odm_arena *a,
                          campaign_verdict *out)
{
        store_result_list l = {0};
        const store_result *r;
        odm_str type;
        int rc = store_job_results(st, device, job, a, &l);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        r = cause_of(&l);
        if (!r) {
                *out = (campaign_verdict){CLASS_LOST, said};
                return 0;
        }
        type = command_alert_type(r->text);
        out->class = campaign_class_of(type, r->status);
        if (out->class == CLASS_NONE)
                out->class = CLASS_OTHER;
        out->reason =
                type.n ? odm_arena_fmt(a, "%s (%u)", odm_result_text(type, r->status), r->status)
                       : odm_arena_copy(a, said);
        return out->reason.p || !said.p ? 0 : odm_arena_err(a);
}

int campaign_item_got(store *st, int64_t device, int64_t job, odm_arena *a, odm_str *out)
{
        store_result_list l = {0};
        int rc = store_job_results(st, device, job, a, &l);

        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        *out = l.n > 0 && l.v[0].n_items > 0 ? l.v[0].items[0].data : ODM_ABSENT;
        return 0;
}

bool campaign_item_reached(const campaign *c, odm_str expect, odm_str got)
{
        if (!got.p)
                return false;
        return odm_str_eq(odm_str_trim(expect), odm_str_trim(got)) ||
               (c->kind == CAMPAIGN_FIRMWARE && got.n && version_cmp(expect, got) == 0);
}

static int find_job(store *st, int64_t device, uint32_t states, odm_str key, odm_arena *a,
                    store_job *out)
{
        const store_job_filter f = {
                .device = device, .states = states, .limit = 1000, .no_commands = true};
        store_job_list l = {0};
        int rc = store_job_find(st, &f, a, &l);

        for (size_t i = 0; rc == 0 && i < l.n; i++)
                if (odm_str_eq(l.v[i].key, key)) {
                        *out = l.v[i];
                        return 0;
                }
        return rc == 0 ? ODM_ENOENT : rc;
}

int campaign_item_job(store *st, int64_t device, odm_str key, odm_arena *a, store_job *out)
{
        int rc = find_job(st, device, STORE_JOB_OPEN, key, a, out);

        return rc == ODM_ENOENT ? find_job(st, device, 0, key, a, out) : rc;
}
