/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a campaign, to and from JSON. */
#include <stdio.h>
#include <string.h>

#include "campaign.h"
#include "jread.h"

#define SECOND ((int64_t)1000)
#define YEAR ((int64_t)366 * 86400)

static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

void campaign_plan_init(campaign_plan *p)
{
        *p = (campaign_plan){.threshold = 90,
                             .stop_least = 10,
                             .retries = 2,
                             .retry_delay = 300 * SECOND,
                             .retry_most = 3600 * SECOND,
                             .retry_classes = CLASS_BIT(CLASS_NETWORK) | CLASS_BIT(CLASS_LOST) |
                                              CLASS_BIT(CLASS_BUSY),
                             .contact_time = 7 * 86400 * SECOND,
                             .update_time = 3600 * SECOND};
}

static void read_number(jread *r, const char *name, int64_t min, int64_t max, uint32_t *out)
{
        int64_t v;

        if (jread_int(r, name, min, max, &v) == 1)
                *out = (uint32_t)v;
}

static void read_seconds(jread *r, const char *name, int64_t min, int64_t *out)
{
        int64_t v;

        if (jread_int(r, name, min, YEAR, &v) == 1)
                *out = v * SECOND;
}

/* 5 or "5%" */
static void read_share(jread *r, const char *name, campaign_share *out)
{
        odm_str s;
        uint64_t v;

        if (!json_is_string(json_object_get(r->obj, name))) {
                read_number(r, name, 0, 10000000, &out->count);
                return;
        }
        if (jread_text(r, name, 1, 4, &s) != 1)
                return;
        if (s.p[s.n - 1] != '%' || odm_str_u64(odm_str_to(s, s.n - 1), 100, &v) < 0 || v == 0)
                jread_wrong(r, name, "has to be a number of devices, or a share such as \"5%\"");
        else
                out->percent = (uint32_t)v;
}

static bool read_minutes(odm_str s, uint16_t *out)
{
        uint64_t h, m;

        if (s.n != 5 || s.p[2] != ':' || odm_str_u64(odm_str_to(s, 2), 24, &h) < 0 ||
            odm_str_u64(odm_str_from(s, 3), 59, &m) < 0 || h * 60 + m > 1440)
                return false;
        *out = (uint16_t)(h * 60 + m);
        return true;
}

static void read_minute(jread *r, const char *name, uint16_t *out)
{
        odm_str s;
        int got = jread_text(r, name, 1, 5, &s);

        if (got == 0)
                jread_missing(r, name);
        else if (got == 1 && !read_minutes(s, out))
                jread_wrong(r, name, "has to be a time of day such as \"02:30\"");
}

static unsigned word_index(const char *word, const char *const *words)
{
        unsigned i = 0;

        while (words[i] && (!word || strcmp(word, words[i]) != 0))
                i++;
        return i;
}

static void read_days(jread *r, uint8_t *out)
{
        const json_t *list, *v;
        uint8_t got = 0;
        size_t i;

        if (jread_list(r, "days", 1, 7, &list) != 1)
                return;
        json_array_foreach(list, i, v)
        {
                unsigned d = word_index(json_string_value(v), days);
                if (!days[d]) {
                        jread_wrong(r, "days", "has to list mon, tue, wed, thu, fri, sat, sun");
                        return;
                }
                got |= (uint8_t)(1 << d);
        }
        *out = got;
}

static void read_windows(jread *r, campaign_plan *p)
{
        const json_t *list, *v;
        size_t i;

        if (jread_list(r, "windows", 0, ZONE_WINDOWS, &list) != 1)
                return;
        json_array_foreach(list, i, v)
        {
                zone_window *w = &p->windows[p->n_windows++];
                char path[JREAD_PATH];
                jread in;

                (void)snprintf(path, sizeof path, "%.100s%swindows[%zu]", r->path,
                               r->path[0] ? "." : "", i);
                w->days = ZONE_DAYS;
                if (!json_is_object(v)) {
                        problem_at(r->problem, path, "has to be an object");
                        continue;
                }
                jread_init(&in, v, path, r->problem);
                read_days(&in, &w->days);
                read_minute(&in, "from", &w->from);
                read_minute(&in, "until", &w->until);
                jread_end(&in);
        }
}

static void read_zone(jread *r, odm_str *out)
{
        zone z;

        if (jread_text(r, "zone", 1, ZONE_NAME_MAX, out) == 1 && zone_fixed(*out, &z) < 0 &&
            !zone_name_ok(*out))
                jread_wrong(r, "zone", "is no time zone such as \"Europe/Paris\" or \"+01:00\"");
}

static void read_classes(jread *r, uint32_t *out)
{
        const json_t *list, *v;
        uint32_t got = 0;
        size_t i;

        if (jread_list(r, "classes", 0, 32, &list) != 1)
                return;
        json_array_foreach(list, i, v)
        {
                unsigned c = word_index(json_string_value(v), campaign_classes);
                if (!campaign_classes[c]) {
                        jread_wrong(r, "classes", "has a word that is no class of failures");
                        return;
                }
                got |= CLASS_BIT(c);
        }
        *out = got;
}

static void read_retry(jread *r, campaign_plan *p)
{
        const json_t *o = json_object_get(r->obj, "retry");
        char path[JREAD_PATH];
        jread in;

        r->asked[r->n_asked++] = "retry";
        if (!o)
                return;
        if (!json_is_object(o)) {
                jread_wrong(r, "retry", "has to be an object");
                return;
        }
        (void)snprintf(path, sizeof path, "%.100s%sretry", r->path, r->path[0] ? "." : "");
        jread_init(&in, o, path, r->problem);
        read_number(&in, "count", 0, 100, &p->retries);
        read_seconds(&in, "delay", 0, &p->retry_delay);
        read_seconds(&in, "max_delay", 0, &p->retry_most);
        read_classes(&in, &p->retry_classes);
        jread_end(&in);
}

static void read_wall(jread *r, const char *name, int64_t *out)
{
        odm_wall w;

        if (jread_wall(r, name, &w) == 1)
                *out = w.s * SECOND;
}

bool campaign_plan_read(const json_t *o, const char *path, problem *pr, campaign_plan *out)
{
        campaign_plan p;
        jread r;

        campaign_plan_init(&p);
        jread_init(&r, o, path, pr);
        read_share(&r, "canary", &p.canary);
        read_share(&r, "wave", &p.wave);
        read_number(&r, "threshold", 0, 100, &p.threshold);
        read_seconds(&r, "soak", 0, &p.soak);
        jread_bool(&r, "hold", &p.hold);
        read_number(&r, "stop_above", 0, 99, &p.stop_above);
        read_number(&r, "stop_least", 1, 10000000, &p.stop_least);
        read_retry(&r, &p);
        read_number(&r, "parallel", 0, 1000000, &p.parallel);
        read_seconds(&r, "contact_time", 1, &p.contact_time);
        read_seconds(&r, "update_time", 1, &p.update_time);
        read_windows(&r, &p);
        read_zone(&r, &p.zone);
        jread_bool(&r, "join", &p.join);
        jread_bool(&r, "approval", &p.approval);
        read_wall(&r, "begin", &p.begin);
        read_wall(&r, "deadline", &p.deadline);
        jread_end(&r);
        if (p.deadline && p.deadline <= p.begin)
                jread_wrong(&r, "deadline", "has to be behind begin");
        if (p.retry_most < p.retry_delay)
                p.retry_most = p.retry_delay;
        if (problem_is(pr))
                return false;
        *out = p;
        return true;
}

/* ---- out --------------------------------------------------------------------------------- */

static int put(json_t *o, const char *name, json_t *v)
{
        return json_object_set_new(o, name, v);
}

static json_t *share_json(const campaign_share *s)
{
        return s->percent ? json_sprintf("%u%%", s->percent) : json_integer(s->count);
}

static json_t *time_json(int64_t ms)
{
        char text[WALL_TEXT];

        wall_format((odm_wall){ms / SECOND}, text);
        return json_string(text);
}

static json_t *windows_json(const campaign_plan *p)
{
        json_t *list = json_array();

        for (size_t i = 0; i < p->n_windows; i++) {
                const zone_window *w = &p->windows[i];
                json_t *o = json_object(), *d = json_array();

                for (unsigned k = 0; k < 7; k++)
                        if (w->days >> k & 1)
                                (void)json_array_append_new(d, json_string(days[k]));
                (void)put(o, "days", d);
                (void)put(o, "from", json_sprintf("%02u:%02u", w->from / 60, w->from % 60));
                (void)put(o, "until", json_sprintf("%02u:%02u", w->until / 60, w->until % 60));
                (void)json_array_append_new(list, o);
        }
        return list;
}

static json_t *retry_json(const campaign_plan *p)
{
        json_t *o = json_object(), *list = json_array();

        for (unsigned i = 0; campaign_classes[i]; i++)
                if (p->retry_classes & CLASS_BIT(i))
                        (void)json_array_append_new(list, json_string(campaign_classes[i]));
        (void)put(o, "count", json_integer(p->retries));
        (void)put(o, "delay", json_integer(p->retry_delay / SECOND));
        (void)put(o, "max_delay", json_integer(p->retry_most / SECOND));
        (void)put(o, "classes", list);
        return o;
}

json_t *campaign_plan_json(const campaign_plan *p)
{
        json_t *o = json_object();
        bool bad = put(o, "canary", share_json(&p->canary)) < 0;

        bad |= put(o, "wave", share_json(&p->wave)) < 0;
        bad |= put(o, "threshold", json_integer(p->threshold)) < 0;
        bad |= put(o, "soak", json_integer(p->soak / SECOND)) < 0;
        bad |= put(o, "hold", json_boolean(p->hold)) < 0;
        bad |= put(o, "stop_above", json_integer(p->stop_above)) < 0;
        bad |= put(o, "stop_least", json_integer(p->stop_least)) < 0;
        bad |= put(o, "retry", retry_json(p)) < 0;
        bad |= put(o, "parallel", json_integer(p->parallel)) < 0;
        bad |= put(o, "contact_time", json_integer(p->contact_time / SECOND)) < 0;
        bad |= put(o, "update_time", json_integer(p->update_time / SECOND)) < 0;
        bad |= put(o, "windows", windows_json(p)) < 0;
        if (p->zone.n)
                bad |= put(o, "zone", json_stringn(p->zone.p, p->zone.n)) < 0;
        bad |= put(o, "join", json_boolean(p->join)) < 0;
        bad |= put(o, "approval", json_boolean(p->approval)) < 0;
        if (p->begin)
                bad |= put(o, "begin", time_json(p->begin)) < 0;
        if (p->deadline)
                bad |= put(o, "deadline", time_json(p->deadline)) < 0;
        if (!bad)
                return o;
        json_decref(o);
        return NULL;
}
