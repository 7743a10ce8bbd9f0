/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "gateway.h"
#include "heap.h"

#define DEVICE_MEMORY ((size_t)1 << 20)

const char *const event_kinds[] = {"device.created",
                                   "device.changed",
                                   "device.removed",
                                   "device.held",
                                   "device.accepted",
                                   "device.active",
                                   "device.unreachable",
                                   "device.asleep",
                                   "device.detached",
                                   "device.deactivated",
                                   "device.direct",
                                   "device.attached",
                                   "device.claimed",
                                   "device.placed",
                                   "device.replaced",
                                   "device.expected",
                                   "device.interval",
                                   "alert",
                                   "gateway.early",
                                   "gateway.found",
                                   "gateway.inventory",
                                   "gateway.image",
                                   "gateway.request",
                                   "gateway.sync",
                                   "gateway.forget",
                                   "metric.samples",
                                   "metric.crossed",
                                   "metric.collection",
                                   "metric.limit",
                                   "alarm.raised",
                                   "alarm.repeated",
                                   "alarm.changed",
                                   "alarm.cleared",
                                   "alarm.acknowledged",
                                   "alarm.commented",
                                   "alarm.rules",
                                   "package.added",
                                   "package.changed",
                                   "package.removed",
                                   "campaign.created",
                                   "campaign.approved",
                                   "campaign.started",
                                   "campaign.paused",
                                   "campaign.resumed",
                                   "campaign.cancelled",
                                   "campaign.retried",
                                   "campaign.rollback",
                                   "campaign.removed",
                                   "campaign.wave",
                                   "campaign.halted",
                                   "campaign.done",
                                   "campaign.device",
                                   "job.done",
                                   "job.failed",
                                   "job.expired",
                                   "job.cancelled",
                                   "webhook.changed",
                                   "webhook.test",
                                   "webhook.failing",
                                   "webhook.recovered",
                                   "template.changed",
                                   "template.check",
                                   "config.drift",
                                   "config.applied",
                                   "config.conform",
                                   "config.failed",
                                   "rule.changed",
                                   "rule.fired",
                                   "rule.notified",
                                   "rule.campaign",
                                   NULL};

static bool begins(odm_str s, odm_str with)
{
        return s.n >= with.n && (with.n == 0 || memcmp(s.p, with.p, with.n) == 0);
}

/* The name of the event's device into v->name, "" when it has none or is gone. */
static int look_up(event_view *v, int64_t device)
{
        store_device d;
        odm_arena a;
        int rc;

        if (device == v->device)
                return 0;
        odm_arena_init(&a, &heap_mem, DEVICE_MEMORY);
        rc = store_device_get(v->st, device, &a, &d);
        if (rc == 0)
                (void)snprintf(v->name, sizeof v->name, "%.*s", (int)d.name.n, d.name.p);
        else if (rc == ODM_ENOENT)
                v->name[0] = 0;
        odm_arena_done(&a);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        v->device = device;
        return 0;
}

/* What was about a device that is gone still names it in its data. */
static odm_str name_of(const event_view *v, const store_event *e, const json_t *data)
{
        const json_t *said = json_object_get(data, "device");

        if (e->device && v->name[0])
                return odm_cstr(v->name);
        return json_is_string(said) ? odm_cstr(json_string_value(said)) : ODM_ABSENT;
}

static bool tells_of_others(gateway_news news)
{
        switch (news) {
        case GATEWAY_ATTACHED:
        case GATEWAY_DETACHED:
        case GATEWAY_STATE:
        case GATEWAY_RENEWED:
        case GATEWAY_RESULTS:
        case GATEWAY_COMPLETED:
        case GATEWAY_VALUES: return true;
        case GATEWAY_NONE:
        case GATEWAY_IMAGE:
        case GATEWAY_REQUEST:
        case GATEWAY_SERVERS:
        case GATEWAY_ADDRESS: break;
        }
        return false;
}

bool event_is_of_others(odm_str kind, const json_t *data)
{
        odm_str type = odm_cstr(json_string_value(json_object_get(data, "type")));
        odm_str source = odm_cstr(json_string_value(json_object_get(data, "source")));
        odm_str target = odm_cstr(json_string_value(json_object_get(data, "target")));

        return odm_str_is(kind, "gateway.early") ||
               (odm_str_is(kind, "alert") &&
                (tells_of_others(gateway_news_of(type)) || odm_str_starts(source, GATEWAY_MOUNT) ||
                 odm_str_starts(target, GATEWAY_MOUNT)));
}

/* What a gateway tells of many devices is megabytes, which the fleet needs and nobody looks at. */
static int cut_texts(json_t *data)
{
        const char *key;
        json_t *v;

        json_object_foreach(data, key, v)
        {
                odm_str s = {json_string_value(v), json_string_length(v)};

                if (s.n > EVENT_TEXT && json_string_setn(v, s.p, odm_utf8_cut(s, EVENT_TEXT)) < 0)
                        return ODM_ENOMEM;
        }
        return 0;
}

int event_show(event_view *v, const event_filter *f, const store_event *e, json_t **out)
{
        json_t *data, *o;
        odm_str name;
        int rc;

        if ((f->device && e->device != f->device) || (f->kind.n && !begins(e->kind, f->kind)))
                return 0;
        rc = e->device ? look_up(v, e->device) : 0;
        if (rc < 0)
                return rc;
        data = json_loadb(e->data.p ? e->data.p : "{}", e->data.p ? e->data.n : 2, 0, NULL);
        name = name_of(v, e, data);
        if (f->scope.n && (!name.n || !begins(name, f->scope) ||
                           (f->token && event_is_of_others(e->kind, data)))) {
                json_decref(data);
                return 0;
        }
        if (e->data.n > EVENT_SHOWN && cut_texts(data) < 0) {
                json_decref(data);
                return ODM_ENOMEM;
        }
        v->octets += e->data.n > EVENT_SHOWN ? json_dumpb(data, NULL, 0, JSON_COMPACT) : e->data.n;
        o = json_object();
        if (put_id(o, "id", e->seq) && put_ms(o, "time", e->at) && put_text(o, "kind", e->kind) &&
            put_text(o, "device", name) &&
            json_object_set_new(o, "data", data ? data : json_object()) == 0) {
                *out = o;
                return 1;
        }
        json_decref(o);
        return ODM_ENOMEM;
}

bool event_kind_known(odm_str s)
{
        for (size_t i = 0; event_kinds[i]; i++)
                if (s.n && begins(odm_cstr(event_kinds[i]), s))
                        return true;
        return false;
}

bool event_kind_ok(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || s.p[i] == '.' || s.p[i] == '_'))
                        return false;
        return s.n > 0 && s.n < 64;
}

/* ---- places in the log ------------------------------------------------------------------- */

int event_page(store *st, int64_t after, int64_t device, odm_arena *a, store_event_list *out)
{
        uint32_t most = EVENT_PAGE;
        int rc;

        for (;; most /= 4) {
                odm_arena_done(a);
                odm_arena_init(a, a->mem, a->max);
                rc = store_event_find(st, after, device, most, a, out);
                if (rc != ODM_ELIMIT || most == 1)
                        return rc;
        }
}

int event_place(store *st, int64_t *at, int64_t *missed)
{
        store_event_list first = {0};
        int64_t last = 0;
        odm_arena a;
        int rc = store_event_last(st, &last);

        *missed = 0;
        if (rc < 0)
                return rc;
        if (*at > last)
                *at = last;
        odm_arena_init(&a, &heap_mem, EVENT_MEMORY);
        rc = store_event_find(st, 0, 0, 1, &a, &first);
        if (rc == 0 && first.n && first.v[0].seq > *at + 1) {
                *missed = first.v[0].seq - *at - 1;
                *at = first.v[0].seq - 1;
        }
        odm_arena_done(&a);
        return rc;
}
