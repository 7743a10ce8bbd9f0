/* SPDX-License-Identifier: Apache-2.0 */
/* inventory.c - states, selectors and modes of a gateway's devices; see odm/inventory.h. */
#include "odm/inventory.h"

#define SLACK_MIN 10000 /* a sleeper is late by this at least before it counts as silent */

static void enter(odm_inv *v, odm_inv_state to, unsigned *news)
{
        if (v->state == to)
                return;
        *news |= ODM_INV_MOVED;
        if (v->state == ODM_INV_DEACTIVATED || to == ODM_INV_UNREACHABLE ||
            to == ODM_INV_DEACTIVATED ||
            (v->state == ODM_INV_UNREACHABLE && to != ODM_INV_DETACHED))
                *news |= ODM_INV_TELL; /* that it is detached says an alert of its own */
        v->state = to;                 /* the only assignment to state in this file */
}

static bool is_here(const odm_inv *v)
{
        return v->state == ODM_INV_ACTIVE || v->state == ODM_INV_ASLEEP ||
               v->state == ODM_INV_UNREACHABLE;
}

static int64_t plus(int64_t t, int64_t ms)
{
        return t > 0 && ms > ODM_INV_NEVER - t ? ODM_INV_NEVER : t + ms;
}

/* ---- silence ---------------------------------------------------------------------------------- */

/* When it should have said something; never where nothing is known. */
static int64_t expected(const odm_inv *v)
{
        int64_t slack;

        if (v->state == ODM_INV_ASLEEP && v->next_wake > 0) {
                slack = v->awake > v->wake_interval / 10 ? v->awake : v->wake_interval / 10;
                return plus(v->next_wake, slack > SLACK_MIN ? slack : SLACK_MIN);
        }
        return v->lifetime > 0 ? plus(v->seen, v->lifetime) : ODM_INV_NEVER;
}

static int64_t detach_time(const odm_inv *v, const odm_inv_terms *t)
{
        int64_t by_life = v->lifetime > 0 ? plus(v->seen, v->lifetime) : ODM_INV_NEVER;
        int64_t wake = v->next_wake > v->seen ? v->next_wake : by_life;

        if (t->grace <= 0)
                return by_life;
        return wake == ODM_INV_NEVER ? wake : plus(wake, t->grace);
}

static unsigned pass(odm_inv *v, const odm_inv_terms *t, int64_t now)
{
        unsigned news = 0;

        if (v->state == ODM_INV_ACTIVE && v->awake_until <= now) {
                v->next_wake = v->wake_interval > 0 ? plus(v->seen, v->wake_interval) : 0;
                enter(v, ODM_INV_ASLEEP, &news);
                news |= ODM_INV_SLEPT;
        }
        if (is_here(v) && detach_time(v, t) <= now) {
                news &= ~(unsigned)ODM_INV_SLEPT;
                enter(v, ODM_INV_DETACHED, &news);
                news |= ODM_INV_WENT | ODM_INV_LATE;
        } else if (is_here(v) && v->state != ODM_INV_UNREACHABLE && expected(v) <= now) {
                enter(v, ODM_INV_UNREACHABLE, &news);
        }
        if (v->state == ODM_INV_DETACHED && t->kept > 0 && plus(v->seen, t->kept) <= now)
                news |= ODM_INV_OVER;
        return news;
}

int64_t odm_inv_due(const odm_inv *v, const odm_inv_terms *t)
{
        int64_t due = ODM_INV_NEVER, d;

        if (v->state == ODM_INV_ACTIVE)
                due = v->awake_until;
        if (is_here(v)) {
                d = detach_time(v, t);
                due = d < due ? d : due;
        }
        if (v->state == ODM_INV_ACTIVE || v->state == ODM_INV_ASLEEP) {
                d = expected(v);
                due = d < due ? d : due;
        }
        if (v->state == ODM_INV_DETACHED && t->kept > 0)
                due = plus(v->seen, t->kept);
        return due;
}

/* ---- events ------------------------------------------------------------------------------------ */

static unsigned come(odm_inv *v, int64_t now)
{
        bool attach = v->state == ODM_INV_PROVISIONED || v->state == ODM_INV_DETACHED;
        unsigned news = attach ? ODM_INV_ATTACHED : 0;

        if (v->state == ODM_INV_DEACTIVATED)
                return ODM_INV_REFUSED;
        if (attach && v->known)
                news |= ODM_INV_BACK;
        if (v->state != ODM_INV_ACTIVE) { /* else it goes on being awake as it was */
                v->awake_until = ODM_INV_NEVER;
                news |= ODM_INV_WOKE;
        }
        v->known = true;
        v->seen = now;
        v->next_wake = 0;
        enter(v, ODM_INV_ACTIVE, &news);
        return news;
}

static unsigned wake(odm_inv *v, int64_t ms, int64_t now)
{
        unsigned news = come(v, now);

        if (!(news & ODM_INV_REFUSED))
                v->awake_until = ms > 0 ? plus(now, ms) : ODM_INV_NEVER;
        return news & ODM_INV_REFUSED ? news : news | ODM_INV_WOKE;
}

static unsigned sleeps(odm_inv *v, int64_t ms, int64_t now)
{
        unsigned news = 0;

        if (!is_here(v))
                return 0;
        if (v->state == ODM_INV_ASLEEP && ms <= 0)
                return 0;
        if (v->state != ODM_INV_ASLEEP)
                news |= ODM_INV_SLEPT;
        if (ms > 0)
                v->next_wake = plus(now, ms);
        else
                v->next_wake = v->wake_interval > 0 ? plus(v->seen, v->wake_interval) : 0;
        enter(v, ODM_INV_ASLEEP, &news);
        return news;
}

unsigned odm_inv_hear(odm_inv *v, odm_inv_event e, int64_t ms, const odm_inv_terms *t, int64_t now)
{
        unsigned news = 0;

        switch (e) {
        case ODM_INV_SEEN: return come(v, now);
        case ODM_INV_AWAKE: return wake(v, ms, now);
        case ODM_INV_SLEEPS: return sleeps(v, ms, now);
        case ODM_INV_TIME: return pass(v, t, now);
        case ODM_INV_GONE:
                if (is_here(v)) {
                        v->seen = now;
                        news = ODM_INV_WENT;
                        enter(v, ODM_INV_DETACHED, &news);
                }
                return news;
        case ODM_INV_LOST:
                if (is_here(v))
                        enter(v, ODM_INV_UNREACHABLE, &news);
                return news;
        case ODM_INV_OFF: enter(v, ODM_INV_DEACTIVATED, &news); return news;
        case ODM_INV_ON:
                if (v->state == ODM_INV_DEACTIVATED) {
                        v->seen = now; /* for so long it is kept */
                        enter(v, v->known ? ODM_INV_DETACHED : ODM_INV_PROVISIONED, &news);
                }
                return news;
        }
        return 0;
}

/* ---- selectors ---------------------------------------------------------------------------------- */

bool odm_inv_glob(odm_str text, odm_str glob)
{
        size_t t = 0, g = 0, star = SIZE_MAX, from = 0; /* the last '*', and what it took up to */

        while (t < text.n) {
                if (g < glob.n && (glob.p[g] == '?' || glob.p[g] == text.p[t]) &&
                    glob.p[g] != '*') {
                        g++;
                        t++;
                } else if (g < glob.n && glob.p[g] == '*') {
                        star = g++;
                        from = t;
                } else if (star != SIZE_MAX) {
                        g = star + 1;
                        t = ++from;
                } else {
                        return false;
                }
        }
        while (g < glob.n && glob.p[g] == '*')
                g++;
        return g == glob.n;
}

static odm_str digit_of(odm_inv_state s)
{
        static const char digits[] = "012345";

        return (odm_str){&digits[s], 1};
}

/* False when there is no such key. */
static bool fact(const odm_inv_facts *f, odm_str key, odm_str *out)
{
        const struct {
                const char *name;
                odm_str value;
        } facts[] = {{"id", f->id},       {"man", f->man},
                     {"mod", f->mod},     {"type", f->type},
                     {"proto", f->proto}, {"name", f->name},
                     {"key", f->key},     {"state", digit_of(f->state)}};

        for (size_t i = 0; i < ODM_COUNT(facts); i++)
                if (odm_str_is(key, facts[i].name)) {
                        *out = facts[i].value;
                        return true;
                }
        return false;
}

/* The next `key=glob` of *s, which loses it.  1, 0 at the end, ODM_EMALFORMED. */
static int next_term(odm_str *s, odm_str *key, odm_str *glob)
{
        size_t end = 0, eq = 0;

        if (s->n == 0)
                return 0;
        while (end < s->n && s->p[end] != ';')
                end++;
        while (eq < end && s->p[eq] != '=')
                eq++;
        if (eq == end)
                return ODM_EMALFORMED;
        *key = odm_str_trim(odm_str_to(*s, eq));
        *glob = odm_str_trim((odm_str){s->p + eq + 1, end - eq - 1});
        if (glob->n == 0 || (end < s->n && end + 1 == s->n))
                return ODM_EMALFORMED;
        *s = odm_str_from(*s, end + 1);
        return 1;
}

/* 1: fits; 0; ODM_EMALFORMED, ODM_ELIMIT. */
static int judge(const odm_inv_facts *f, odm_str selector)
{
        odm_str key, glob, value;
        bool fits = true, any = false;
        int rc;

        if (selector.n > ODM_INV_SELECTOR_MAX)
                return ODM_ELIMIT;
        while ((rc = next_term(&selector, &key, &glob)) == 1) {
                if (!fact(f, key, &value))
                        return ODM_EMALFORMED;
                fits = fits && odm_inv_glob(value, glob);
                any = true;
        }
        return rc < 0 ? rc : !any ? ODM_EMALFORMED : fits;
}

int odm_inv_selector_check(odm_str selector)
{
        const odm_inv_facts none = {.state = ODM_INV_PROVISIONED};
        int rc = judge(&none, selector);

        return rc < 0 ? rc : 0;
}

bool odm_inv_matches(const odm_inv_facts *f, odm_str selector)
{
        return judge(f, selector) == 1;
}

/* ---- modes --------------------------------------------------------------------------------------- */

odm_inv_mode odm_inv_by_capability(odm_str protocol, odm_str dms)
{
        if (!odm_str_starts(protocol, "OMA-DM/"))
                return ODM_INV_ADAPTATION;
        return odm_str_trim(dms).n ? ODM_INV_TRANSPARENT : ODM_INV_PROXY;
}

/* ---- documents ----------------------------------------------------------------------------------- */

/* Without what XML cannot have, whatever a stranger calls himself. */
static int put_text(odm_buf *b, odm_str s)
{
        int rc = 0;

        for (size_t i = 0; i < s.n && rc == 0; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c == '&')
                        rc = odm_buf_str(b, ODM_STR("&amp;"));
                else if (c == '<')
                        rc = odm_buf_str(b, ODM_STR("&lt;"));
                else if (c == '>')
                        rc = odm_buf_str(b, ODM_STR("&gt;"));
                else if (c >= 0x20 || c == '\t')
                        rc = odm_buf_byte(b, (char)c);
        }
        return rc;
}

static int put(odm_buf *b, const char *name, odm_str text)
{
        int rc = odm_buf_fmt(b, "<%s>", name);

        if (rc == 0)
                rc = put_text(b, text);
        return rc == 0 ? odm_buf_fmt(b, "</%s>", name) : rc;
}

static int put_number(odm_buf *b, const char *name, unsigned n)
{
        return odm_buf_fmt(b, "<%s>%u</%s>", name, n, name);
}

static int put_time(odm_buf *b, odm_wall at)
{
        char text[ODM_WALL_TEXT];

        odm_wall_format(at, text);
        return put(b, "Time", odm_cstr(text));
}

int odm_inv_attach_doc(const odm_inv_attach *v, odm_buf *b)
{
        int rc = odm_buf_str(b, ODM_STR("<DeviceAttach>"));

        if (rc == 0)
                rc = put(b, "DeviceID", v->id);
        if (rc == 0)
                rc = put_number(b, "Mode", v->mode);
        if (rc == 0)
                rc = put(b, "Protocol", v->protocol);
        if (rc == 0)
                rc = put_number(b, "ComponentType", v->is_gateway);
        if (rc == 0)
                rc = put_time(b, v->at);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</DeviceAttach>")) : rc;
}

int odm_inv_detach_doc(odm_str id, unsigned reason, odm_wall at, odm_buf *b)
{
        int rc = odm_buf_str(b, ODM_STR("<DeviceDetach>"));

        if (rc == 0)
                rc = put(b, "DeviceID", id);
        if (rc == 0)
                rc = put_number(b, "Reason", reason);
        if (rc == 0)
                rc = put_time(b, at);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</DeviceDetach>")) : rc;
}

int odm_inv_request_doc(odm_str kind, odm_str detail, odm_buf *b)
{
        int rc = odm_buf_str(b, ODM_STR("<TaskRequest>"));

        if (rc == 0)
                rc = put(b, "Kind", kind);
        if (rc == 0)
                rc = put(b, "Detail", detail);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</TaskRequest>")) : rc;
}
