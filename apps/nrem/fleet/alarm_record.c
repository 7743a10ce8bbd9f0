/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm_record.h"

#include <string.h>

#include "xml.h"

#define LEAVES 4
#define TEXT_MOST 1024

typedef struct reader {
        struct xml_parse p; /* the first */
        odm_arena *a;
        unsigned depth; /* elements open */
        int leaf;       /* the one that is open; -1: none of ours */
        bool alarm;     /* the root is right */
        odm_str v[LEAVES];
} reader;

static const char *const names[LEAVES] = {"Severity", "Cause", "Object", "Text"};

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
        reader *r = ctx;

        (void)attributes;
        r->depth++;
        if (r->depth == 1)
                r->alarm = strcmp(name, "Alarm") == 0;
        r->leaf = -1;
        if (r->depth != 2 || !r->alarm)
                return;
        for (int i = 0; i < LEAVES; i++)
                if (strcmp(name, names[i]) == 0) {
                        r->leaf = i;
                        r->v[i] = ODM_STR("");
                }
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int n)
{
        reader *r = ctx;

        if (r->leaf < 0 || r->v[r->leaf].n > TEXT_MOST) /* more is cut by whoever keeps it */
                return;
        r->v[r->leaf] = odm_arena_join(r->a, r->v[r->leaf], (odm_str){s, (size_t)n});
        if (!r->v[r->leaf].p)
                odm_xml_fail(&r->p, odm_arena_err(r->a));
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
        reader *r = ctx;

        (void)name;
        r->depth--;
        r->leaf = -1;
}

int alarm_record_read(odm_str xml, odm_arena *a, alarm_record *out)
{
        reader r = {.a = a, .leaf = -1};
        int rc;

        if (xml.n > ALARM_RECORD_MAX)
                return ODM_ELIMIT;
        rc = odm_xml_run(&r.p, xml, on_start, on_end, on_text);
        if (rc < 0)
                return rc;
        for (int i = 0; i < LEAVES; i++)
                r.v[i] = r.v[i].p ? odm_str_trim(r.v[i]) : r.v[i];
        if (r.v[1].n == 0)
                return ODM_EMALFORMED;
        *out = (alarm_record){
                .severity = r.v[0], .cause = r.v[1], .object = r.v[2], .text = r.v[3]};
        return 0;
}
