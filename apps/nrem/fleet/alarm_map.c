/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm_map.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "alarm_record.h"
#include "jread.h"
#include "odm/result.h"

#define FUMO "org.openmobilealliance.dm.firmwareupdate."
#define TRAP "urn:oma:mo:oma-diagmontrap:"
#define THRESHOLD "urn:oma:mo:x-xrem-trap-threshold:1.0"
#define TYPE_MAX 255

#define LIT(z)                      \
        {                           \
                "" z, sizeof(z) - 1 \
        } /* ODM_STR() is no constant */
#define ALERT(t, h)                                     \
        {                                               \
                .alert = LIT(t), .how = (h), .type = -1 \
        }
#define RESULT(t)                                                                               \
        {                                                                                       \
                .alert = LIT(t), .how = ALARM_BY_RESULT, .cause = LIT(ALARM_UPDATE), .type = -1 \
        }
#define CAUSE(c, s, t, p)                                                         \
        {                                                                         \
                .cause = LIT(c), .severity = (s), .type = (t), .probable = LIT(p) \
        }

/* docs/alarms.md has the same table; a test compares them. */
static const alarm_rule built_in[] = {
        ALERT("urn:oma:at:x-xrem-fm:1.0:Alarm", ALARM_BY_RECORD),
        ALERT("urn:oma:at:diagmon:1.0:TrapNotification", ALARM_RAISES),
        ALERT("urn:oma:at:diagmon:1.0:TrapInactiveNotification", ALARM_CLEARS),
        RESULT(FUMO "download"),
        RESULT(FUMO "update"),
        RESULT(FUMO "downloadandupdate"),
        RESULT("urn:oma:at:scomo:1.0:OperationComplete"),
        CAUSE(ALARM_UNREACHABLE, ALARM_MAJOR, ALARM_COMMUNICATIONS,
              "communicationsSubsystemFailure"),
        CAUSE(ALARM_UPDATE, ALARM_MAJOR, ALARM_PROCESSING, "softwareError"),
        CAUSE(ALARM_THRESHOLD, ALARM_WARNING, ALARM_QUALITY, "thresholdCrossed"),
        CAUSE("integrity", ALARM_MAJOR, ALARM_PROCESSING, "corruptData"),
        CAUSE("connectivity-fallback", ALARM_MAJOR, ALARM_COMMUNICATIONS,
              "communicationsSubsystemFailure"),
        CAUSE("device-quarantined", ALARM_MAJOR, ALARM_EQUIPMENT, "equipmentMalfunction"),
        CAUSE("storage-full", ALARM_MINOR, ALARM_PROCESSING, "storageCapacityProblem"),
        CAUSE(THRESHOLD "*", ALARM_WARNING, ALARM_QUALITY, "thresholdCrossed"),
        CAUSE(TRAP "geo:*", ALARM_WARNING, ALARM_ENVIRONMENT, "thresholdCrossed"),
        CAUSE(TRAP "rxpwr:*", ALARM_WARNING, ALARM_COMMUNICATIONS, "degradedSignal"),
        CAUSE(TRAP "calldrop:*", ALARM_WARNING, ALARM_COMMUNICATIONS, "lossOfSignal"),
        CAUSE(TRAP "qos:*", ALARM_WARNING, ALARM_QUALITY, "performanceDegraded"),
        CAUSE(TRAP "dataspeed:*", ALARM_WARNING, ALARM_QUALITY, "bandwidthReduced"),
        CAUSE(TRAP "hard-reboot:*", ALARM_WARNING, ALARM_EQUIPMENT, "powerProblem"),
        CAUSE(TRAP "logcapacityfull:*", ALARM_WARNING, ALARM_PROCESSING, "storageCapacityProblem"),
        CAUSE("trap", ALARM_WARNING, ALARM_QUALITY, "thresholdCrossed"),
};

/* ---- reading and showing rules ------------------------------------------------------------- */

static void read_words(jread *r, alarm_rule *x)
{
        unsigned severity = ALARM_NONE, type;

        x->type = -1;
        if (jread_word(r, "severity", alarm_severities, &severity) == 1 && severity == ALARM_NONE)
                (void)jread_wrong(r, "severity", "cannot be cleared: say \"clears\"");
        x->severity = (alarm_severity)severity;
        if (jread_word(r, "event_type", alarm_types, &type) == 1)
                x->type = (int)type;
        if (jread_text(r, "probable_cause", 1, 64, &x->probable) == 1 &&
            !alarm_probable_known(x->probable))
                (void)jread_wrong(r, "probable_cause", "is none of X.733");
}

static void read_rule(const json_t *v, const char *path, problem *p, alarm_rule *x)
{
        bool clears = false, ignore = false;
        jread r;

        jread_init(&r, v, path, p);
        (void)jread_text(&r, "alert", 1, TYPE_MAX, &x->alert);
        (void)jread_text(&r, "cause", 1, ALARM_CAUSE_MAX, &x->cause);
        read_words(&r, x);
        (void)jread_bool(&r, "clears", &clears);
        (void)jread_bool(&r, "ignore", &ignore);
        jread_end(&r);
        x->how = ignore ? ALARM_IGNORED : clears ? ALARM_CLEARS : ALARM_RAISES;
        if (!x->cause.p && !ignore)
                (void)jread_missing(&r, "cause");
        if (!x->cause.p && !x->alert.p)
                (void)jread_wrong(&r, "alert", "or a cause has to be named");
        if (clears && (ignore || !x->alert.p))
                (void)jread_wrong(&r, "clears", "is for alerts, and not with ignore");
        if (x->alert.p && x->cause.n && x->cause.p[x->cause.n - 1] == '*')
                (void)jread_wrong(&r, "cause", "of an alert has to be one cause");
}

bool alarm_map_read(const json_t *rules, odm_arena *a, alarm_map *out, problem *p)
{
        alarm_rule *v = odm_arena_zget(a, (json_array_size(rules) + 1) * sizeof *v);
        const json_t *o;
        size_t i;

        if (json_array_size(rules) > ALARM_RULES_MAX)
                problem_at(p, "rules", "are more than %d", ALARM_RULES_MAX);
        if (!v || problem_is(p))
                return false;
        json_array_foreach(rules, i, o)
        {
                char path[32];

                (void)snprintf(path, sizeof path, "rules[%zu]", i);
                if (json_is_object(o))
                        read_rule(o, path, p, &v[i]);
                else
                        problem_at(p, path, "has to be an object");
        }
        if (problem_is(p))
                return false;
        *out = (alarm_map){v, json_array_size(rules)};
        return true;
}

static int put(json_t *o, const char *name, odm_str s)
{
        return s.p ? json_object_set_new(o, name, json_stringn(s.p, s.n)) : 0;
}

static json_t *rule_json(const alarm_rule *r)
{
        static const char *const how[] = {"raises", "clears", "by_result", "by_record", "ignore"};
        json_t *o = json_object();
        int rc = put(o, "alert", r->alert) | put(o, "cause", r->cause);

        if (r->alert.p)
                rc |= put(o, "does", odm_cstr(how[r->how]));
        if (r->severity != ALARM_NONE)
                rc |= put(o, "severity", odm_cstr(alarm_severities[r->severity]));
        if (r->type >= 0)
                rc |= put(o, "event_type", odm_cstr(alarm_types[r->type]));
        rc |= put(o, "probable_cause", r->probable);
        if (rc == 0)
                return o;
        json_decref(o);
        return NULL;
}

json_t *alarm_map_built_in(void)
{
        json_t *list = json_array();

        for (size_t i = 0; i < ODM_COUNT(built_in); i++)
                if (json_array_append_new(list, rule_json(&built_in[i])) < 0) {
                        json_decref(list);
                        return NULL;
                }
        return list;
}

/* ---- what a cause means ---------------------------------------------------------------------- */

static bool fits(odm_str pattern, odm_str s)
{
        if (pattern.n && pattern.p[pattern.n - 1] == '*')
                return s.n >= pattern.n - 1 &&
                       odm_str_eq(odm_str_to(s, pattern.n - 1), odm_str_to(pattern, pattern.n - 1));
        return odm_str_eq(pattern, s);
}

/* The rule's number i, an operator's first; NULL behind the last. */
static const alarm_rule *rule_at(const alarm_map *m, size_t i)
{
        if (i < m->n)
                return &m->v[i];
        i -= m->n;
        return i < ODM_COUNT(built_in) ? &built_in[i] : NULL;
}

static void fill(alarm_news *n, const alarm_rule *r, bool wins)
{
        if (r->severity != ALARM_NONE && (wins || n->severity == ALARM_NONE))
                n->severity = r->severity;
        if (n->type < 0)
                n->type = r->type;
        if (!n->probable.p)
                n->probable = r->probable;
}

bool alarm_map_cause(const alarm_map *m, alarm_news *n)
{
        const alarm_rule *r;
        bool judged = false; /* an operator has said how severe it is */

        for (size_t i = 0; (r = rule_at(m, i)); i++) {
                if (r->alert.p || !fits(r->cause, n->cause))
                        continue;
                if (r->how == ALARM_IGNORED)
                        return false;
                fill(n, r, i < m->n && !judged);
                judged = judged || (i < m->n && r->severity != ALARM_NONE);
        }
        if (n->severity == ALARM_NONE)
                n->severity = ALARM_INDETERMINATE;
        return true;
}

/* ---- alerts ---------------------------------------------------------------------------------- */

odm_str alarm_trap_cause(odm_str source, odm_arena *a)
{
        static const char at[] = "./Trap/";
        static const struct {
                const char *name, *id;
        } kinds[] = {
                {"Geo", TRAP "geo:1.0"},
                {"RxPower", TRAP "rxpwr:1.0"},
                {"DataSpeed", TRAP "dataspeed:1.0"},
                {"HardReboot", TRAP "hard-reboot:1.0"},
                {"LogFull", TRAP "logcapacityfull:1.0"},
        };
        odm_str name = odm_str_from(source, sizeof at - 1);

        if (!odm_str_starts(source, at) || name.n == 0 || odm_str_has(name, '/'))
                return ODM_STR("trap");
        for (size_t i = 0; i < ODM_COUNT(kinds); i++)
                if (odm_str_is(name, kinds[i].name))
                        return odm_cstr(kinds[i].id);
        return odm_arena_join(a, ODM_STR(THRESHOLD "/"), name);
}

/* mo-others.md 1.2; an alert without a mark is informational. */
static alarm_severity severity_of(odm_str mark)
{
        if (odm_str_ieq(mark, "fatal") || odm_str_ieq(mark, "critical"))
                return ALARM_CRITICAL;
        if (odm_str_ieq(mark, "minor"))
                return ALARM_MINOR;
        if (odm_str_ieq(mark, "warning"))
                return ALARM_WARNING;
        return odm_str_ieq(mark, "indeterminate") ? ALARM_INDETERMINATE : ALARM_NONE;
}

static odm_str cut(odm_str s, size_t most)
{
        s = odm_str_trim(s);
        if (!s.p || !odm_utf8_ok(s))
                return ODM_ABSENT;
        return odm_str_to(s, odm_utf8_cut(s, s.n < most ? s.n : most));
}

/* The code in "411", "1402 and words" or "<ResultCode>1402</ResultCode>..."; 0: none. */
static unsigned result_code(odm_str data)
{
        static const char element[] = "<ResultCode>";
        odm_str s = odm_str_trim(data);
        uint64_t v = 0;
        size_t n = 0;

        if (odm_str_starts(s, element))
                s = odm_str_trim(odm_str_from(s, sizeof element - 1));
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                n++;
        return odm_str_u64(odm_str_to(s, n), 1999, &v) == 0 ? (unsigned)v : 0;
}

static bool by_result(const alarm_alert *al, odm_arena *a, alarm_news *n)
{
        unsigned code = result_code(al->data), family = code % 1000;

        if (code < 200 || (code >= 1000 && family < 200))
                return false;
        n->clear = family < 400;
        n->text = odm_arena_fmt(a, "%u %s", code, odm_result_text(al->type, code));
        if (family == 401) /* somebody at the device said no: nothing is broken */
                n->severity = ALARM_WARNING;
        return true;
}

static int by_record(const alarm_alert *al, odm_arena *a, alarm_news *n)
{
        alarm_record r = {0};
        alarm_severity s = ALARM_NONE;
        int rc = al->data.n ? alarm_record_read(al->data, a, &r) : ODM_EMALFORMED;

        if (rc == ODM_ENOMEM)
                return rc;
        n->cause = cut(r.cause, ALARM_CAUSE_MAX);
        if (rc < 0 || n->cause.n == 0)
                return 0;
        n->source = cut(r.object, ALARM_SOURCE_MAX);
        n->text = cut(r.text, ALARM_TEXT_MAX);
        if (alarm_severity_parse(r.severity, &s) && s == ALARM_NONE)
                n->clear = true;
        n->severity = s;
        return 1;
}

/* Types are compared without regard to case (mo-others.md 1.2). */
static bool is_type(odm_str pattern, odm_str type)
{
        bool all = pattern.p[pattern.n - 1] == '*';
        size_t n = all ? pattern.n - 1 : pattern.n;

        return (all ? type.n >= n : type.n == n) && strncasecmp(pattern.p, type.p, n) == 0;
}

static const alarm_rule *rule_of(const alarm_map *m, odm_str type)
{
        const alarm_rule *r;

        for (size_t i = 0; (r = rule_at(m, i)); i++)
                if (r->alert.n && is_type(r->alert, type))
                        return r;
        return NULL;
}

/* What the alert says before the rules for its cause are asked. */
static int read_alert(const alarm_rule *r, const alarm_alert *al, odm_arena *a, alarm_news *n)
{
        n->source = cut(al->source, ALARM_SOURCE_MAX);
        n->cause = r->cause;
        switch (r->how) {
        case ALARM_IGNORED: return 0;
        case ALARM_BY_RECORD: return by_record(al, a, n);
        case ALARM_BY_RESULT: return by_result(al, a, n);
        case ALARM_RAISES:
        case ALARM_CLEARS: break;
        }
        n->clear = r->how == ALARM_CLEARS;
        n->text = cut(al->data, ALARM_TEXT_MAX);
        n->severity = severity_of(al->mark);
        if (!n->cause.p)
                n->cause = alarm_trap_cause(n->source, a);
        n->cause = cut(n->cause, ALARM_CAUSE_MAX);
        return 1;
}

int alarm_map_alert(const alarm_map *m, const alarm_alert *al, odm_arena *a, alarm_news *out)
{
        const alarm_rule *r = al->type.n ? rule_of(m, al->type) : NULL;
        alarm_news n = {.type = -1};
        int rc = r ? read_alert(r, al, a, &n) : 0;

        if (rc <= 0)
                return rc;
        if (a->err)
                return odm_arena_err(a);
        fill(&n, r, true);
        if (!alarm_map_cause(m, &n))
                return 0;
        *out = n;
        return 1;
}
