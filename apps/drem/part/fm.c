/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms are records of ./DiagMon/FM (ring.h): what stands has no time in Cleared. */
#include "part/fm.h"

#include <stdio.h>
#include <string.h>

#include "heap.h"
#include "odm/diag.h"
#include "part/ring.h"

#define FM "FM"
#define TYPE "urn:oma:at:x-xrem-fm:1.0:Alarm"

static const char *const severities[] = {"cleared", "indeterminate", "warning",
                                         "minor",   "major",         "critical"};

typedef struct alarm {
        const part_host *h;
        const char *cause;
        odm_str object, text, id;
        fm_severity severity;
        char when[ODM_WALL_TEXT];
        uint32_t stands; /* the record of the same alarm; 0: none */
        bool same;       /* in all that is told */
} alarm;

static odm_str cut(odm_str s)
{
        return odm_str_to(s, odm_utf8_cut(s, s.n < FM_TEXT ? s.n : FM_TEXT));
}

static int look(void *ctx, uint32_t id)
{
        alarm *m = ctx;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        if (ring_read(m->h, FM, id, "Cleared", &a).n == 0 &&
            odm_str_is(ring_read(m->h, FM, id, "Cause", &a), m->cause) &&
            odm_str_eq(ring_read(m->h, FM, id, "Object", &a), m->object)) {
                m->stands = id;
                m->same = odm_str_is(ring_read(m->h, FM, id, "Severity", &a),
                                     severities[m->severity]) &&
                          odm_str_eq(ring_read(m->h, FM, id, "Text", &a), m->text);
        }
        odm_arena_done(&a);
        return 0;
}

static int set(const alarm *m, const char *leaf, odm_str text, odm_wall now)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = text};
        char uri[96];

        snprintf(uri, sizeof uri, ODM_DIAG_AT "/" FM "/DiagMonData/%u/%s", (unsigned)m->stands,
                 leaf);
        return odm_tree_write(m->h->tree, odm_cstr(uri), &v, now);
}

/* Another severity or text, or the end. */
static int change(const alarm *m)
{
        odm_wall now = loop_wall();
        unsigned status = ODM_ST_OK;
        int rc = odm_tree_begin(m->h->tree, now);

        if (rc < 0)
                return rc;
        rc = set(m, "Severity", odm_cstr(severities[m->severity]), now);
        if (rc == 0 && m->text.n)
                rc = set(m, "Text", m->text, now);
        if (rc == 0 && m->severity == FM_CLEARED)
                rc = set(m, "Cleared", odm_cstr(m->when), now);
        if (rc == 0)
                rc = odm_tree_commit(m->h->tree, &status);
        else
                odm_tree_rollback(m->h->tree);
        return rc == 0 && !odm_status_ok(status) ? ODM_EIO : rc;
}

static int add(alarm *m)
{
        const ring_leaf leaves[] = {
                {"Raised", odm_cstr(m->when)},
                {"Cleared", ODM_STR("")},
                {"Severity", odm_cstr(severities[m->severity])},
                {"Cause", odm_cstr(m->cause)},
                {"Object", m->object},
                {"Text", m->text},
        };
        const odm_value id = {.format = ODM_FMT_CHR};
        odm_value v = id;
        char uri[96], text[16];
        int rc = ring_add(m->h, FM, "Cleared", leaves, ODM_COUNT(leaves), &m->stands);

        if (rc < 0)
                return rc;
        snprintf(text, sizeof text, "%u", (unsigned)m->stands);
        snprintf(uri, sizeof uri, ODM_DIAG_AT "/" FM "/DiagMonData/%s/Id", text);
        v.data = odm_cstr(text);
        return odm_tree_write(m->h->tree, odm_cstr(uri), &v, loop_wall());
}

/* ---- telling ----------------------------------------------------------------------------------- */

static int put_element(odm_buf *b, const char *name, odm_str text)
{
        int rc = odm_buf_fmt(b, "<%s>", name);

        for (size_t i = 0; i < text.n && rc == 0; i++) {
                char c = text.p[i];
                rc = c == '<'                 ? odm_buf_str(b, ODM_STR("&lt;"))
                     : c == '>'               ? odm_buf_str(b, ODM_STR("&gt;"))
                     : c == '&'               ? odm_buf_str(b, ODM_STR("&amp;"))
                     : (unsigned char)c < ' ' ? odm_buf_byte(b, ' ')
                                              : odm_buf_byte(b, (uint8_t)c);
        }
        return rc == 0 ? odm_buf_fmt(b, "</%s>", name) : rc;
}

static int put_alarm(const alarm *m, const char *id, odm_buf *b)
{
        const struct {
                const char *name;
                odm_str text;
        } parts[] = {
                {"Id", odm_cstr(id)},
                {"Severity", odm_cstr(severities[m->severity])},
                {"Cause", odm_cstr(m->cause)},
                {"Object", m->object},
                {"Text", m->text},
                {"Time", odm_cstr(m->when)},
        };
        int rc = odm_buf_str(b, ODM_STR("<Alarm>"));

        for (size_t i = 0; i < ODM_COUNT(parts) && rc == 0; i++)
                rc = put_element(b, parts[i].name, parts[i].text);
        return rc == 0 ? odm_buf_str(b, ODM_STR("</Alarm>")) : rc;
}

typedef struct telling {
        const part_host *h;
        const odm_alert *alert;
} telling;

static int tell_one(void *ctx, odm_str server)
{
        const telling *t = ctx;

        return t->h->alert(t->h->ctx, server, t->alert);
}

static int tell(const alarm *m)
{
        static const char *const marks[] = {"informational", "indeterminate", "warning",
                                            "minor",         "critical",      "critical"};
        char uri[96], id[16];
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .type = ODM_STR(TYPE),
                       .mark = odm_cstr(marks[m->severity]),
                       .format = ODM_FMT_XML};
        telling t = {m->h, &a};
        odm_buf b;
        int rc;

        snprintf(id, sizeof id, "%u", (unsigned)m->stands);
        snprintf(uri, sizeof uri, ODM_DIAG_AT "/" FM "/DiagMonData/%s", id);
        a.source = odm_cstr(uri);
        odm_buf_init(&b, &heap_mem, 16384);
        rc = put_alarm(m, id, &b);
        a.data = odm_buf_view(&b);
        if (rc == 0)
                rc = ring_servers(m->h, FM, tell_one, &t);
        if (rc == 0) /* nobody is listed: whoever is called first */
                rc = m->h->alert(m->h->ctx, ODM_ABSENT, &a);
        odm_buf_done(&b);
        return rc < 0 ? rc : 0;
}

/* ---- the whole ------------------------------------------------------------------------------------ */

static fm_severity least(const part_host *h)
{
        odm_value v = {ODM_FMT_ABSENT};
        fm_severity s = FM_INDETERMINATE;
        char block[256];
        odm_arena a;

        odm_arena_init_on(&a, &heap_mem, 4096, block, sizeof block);
        if (odm_tree_read(h->tree,
                          ODM_STR(ODM_DIAG_AT "/" FM "/DiagMonConfig/ConfigParms/MinSeverity"), &a,
                          &v) == 0)
                for (size_t i = 0; i < ODM_COUNT(severities); i++)
                        if (odm_str_is(v.data, severities[i]))
                                s = (fm_severity)i;
        odm_arena_done(&a);
        return s;
}

static int find(const part_host *h, const char *cause, odm_str object, fm_severity s, odm_str text,
                alarm *out)
{
        *out = (alarm){
                .h = h, .cause = cause, .object = cut(object), .text = cut(text), .severity = s};
        odm_wall_format(loop_wall(), out->when);
        return ring_each(h, FM, look, out);
}

int fm_raise(const part_host *h, const char *cause, odm_str object, fm_severity s, odm_str text)
{
        alarm m;
        int rc;

        if (!cause || !*cause || s == FM_CLEARED)
                return ODM_EINVAL;
        if (!ring_records(h, FM) || s < least(h))
                return 0;
        if (odm_tree_in_transaction(h->tree))
                return ODM_ESTATE;
        rc = find(h, cause, object, s, text, &m);
        if (rc < 0 || (m.stands && m.same))
                return rc;
        rc = m.stands ? change(&m) : add(&m);
        if (rc == 0)
                rc = h->moved(h->ctx);
        return rc == 0 ? tell(&m) : rc;
}

int fm_clear(const part_host *h, const char *cause, odm_str object, odm_str text)
{
        alarm m;
        int rc;

        if (!cause || !*cause)
                return ODM_EINVAL;
        rc = find(h, cause, object, FM_CLEARED, text, &m);
        if (rc < 0 || !m.stands)
                return rc;
        if (odm_tree_in_transaction(h->tree))
                return ODM_ESTATE;
        rc = change(&m);
        if (rc == 0)
                rc = h->moved(h->ctx);
        return rc == 0 ? tell(&m) : rc;
}

bool fm_stands(const part_host *h, const char *cause, odm_str object)
{
        alarm m;

        return find(h, cause, object, FM_INDETERMINATE, ODM_ABSENT, &m) == 0 && m.stands;
}
