/* SPDX-License-Identifier: Apache-2.0 */
/* The content models of SyncML, as far as DM uses them, and a walk that follows them.  Below an
 * element without a model (Data, and texts) anything may stand. */
#include "order.h"

#include <expat.h>
#include <stdio.h>
#include <string.h>

#define DEPTH 32
#define ITEMS "CmdID NoResp? Cred? Meta? Item+"

typedef struct model {
        const char *name, *content; /* names with ?, * or + behind; @ is any command */
} model;

static const model models[] = {
        {"SyncML", "SyncHdr SyncBody"},
        {"SyncHdr", "VerDTD VerProto SessionID MsgID Target Source RespURI? NoResp? Cred? Meta?"},
        {"SyncBody", "@* Final?"},
        {"Target", "LocURI LocName?"},
        {"Source", "LocURI LocName?"},
        {"Cred", "Meta? Data"},
        {"Chal", "Meta"},
        {"Meta",
         "Format? Type? Mark? Size? Anchor? Version? NextNonce? MaxMsgSize? MaxObjSize? EMI*"},
        {"Item", "Target? Source? Meta? Data? MoreData?"},
        {"Status", "CmdID MsgRef CmdRef Cmd TargetRef* SourceRef* Cred? Chal? Data Item*"},
        {"Results", "CmdID MsgRef? CmdRef Meta? TargetRef? SourceRef? Item+"},
        {"Alert", "CmdID NoResp? Cred? Data? Correlator? Item*"},
        {"Add", ITEMS},
        {"Replace", ITEMS},
        {"Copy", ITEMS},
        {"Delete", ITEMS},
        {"Get", ITEMS},
        {"Exec", "CmdID NoResp? Cred? Meta? Correlator? Item"},
        {"Sequence", "CmdID NoResp? Meta? @+"},
        {"Atomic", "CmdID NoResp? Meta? @+"},
};

typedef struct place { /* an open element, and how far its content is */
        const model *m;
        const char *at; /* the word that is next, or was seen last */
        unsigned seen;  /* how often that one was */
} place;

typedef struct walk {
        place open[DEPTH];
        unsigned depth, beneath; /* beneath: elements below one without a model */
        char *why;
        size_t n;
        bool bad;
} walk;

static const model *find_model(const char *name)
{
        for (size_t i = 0; i < ODM_COUNT(models); i++)
                if (strcmp(models[i].name, name) == 0)
                        return &models[i];
        return NULL;
}

static size_t name_length(const char *word)
{
        return strcspn(word, " ?*+");
}

static bool matches(const char *word, const char *name)
{
        static const char commands[] = " Alert Atomic Copy Exec Get Results Sequence Status Add "
                                       "Replace Delete ";
        char text[32];

        if (*word != '@')
                return strlen(name) == name_length(word) && strncmp(word, name, strlen(name)) == 0;
        (void)snprintf(text, sizeof text, " %s ", name);
        return strstr(commands, text) != NULL;
}

static bool may_end(const place *p)
{
        char sign = p->at[name_length(p->at)];

        return p->seen > 0 || sign == '?' || sign == '*';
}

static bool may_repeat(const place *p)
{
        char sign = p->at[name_length(p->at)];

        return p->seen == 0 || sign == '*' || sign == '+';
}

static void go_on(place *p)
{
        p->at += strcspn(p->at, " ");
        p->at += *p->at == ' ';
        p->seen = 0;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attrs)
{
        walk *w = ctx;
        const model *m = find_model(name);
        place *p = w->depth ? &w->open[w->depth - 1] : NULL;

        (void)attrs;
        if (w->bad || w->beneath) {
                w->beneath += !w->bad;
                return;
        }
        while (p && *p->at && may_end(p) && !(matches(p->at, name) && may_repeat(p)))
                go_on(p);
        w->bad = w->depth == DEPTH || (p && !(matches(p->at, name) && may_repeat(p)));
        if (w->bad) {
                (void)snprintf(w->why, w->n, "%s stands in %s where '%s' should be", name,
                               p ? p->m->name : "nothing", p && *p->at ? p->at : "the end");
                return;
        }
        if (p)
                p->seen++;
        if (m)
                w->open[w->depth++] = (place){m, m->content, 0};
        else
                w->beneath = 1;
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
        walk *w = ctx;
        place *p;

        if (w->bad)
                return;
        if (w->beneath) {
                w->beneath--;
                return;
        }
        p = &w->open[--w->depth];
        while (*p->at && may_end(p))
                go_on(p);
        w->bad = *p->at != '\0';
        if (w->bad)
                (void)snprintf(w->why, w->n, "%s ends where '%s' should be", name, p->at);
}

bool order_check(odm_str xml, char *why, size_t n)
{
        XML_Parser x = XML_ParserCreate(NULL);
        walk w = {.why = why, .n = n};

        if (x == NULL)
                return false;
        XML_SetUserData(x, &w);
        XML_SetElementHandler(x, on_start, on_end);
        bool ok = XML_Parse(x, xml.p, (int)xml.n, 1) == XML_STATUS_OK;
        if (!ok)
                (void)snprintf(why, n, "it is no XML");
        XML_ParserFree(x);
        return ok && !w.bad;
}
