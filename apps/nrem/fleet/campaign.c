/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of campaign.h: states, verdicts, waves, and what is done next. */
#include "campaign.h"

#include <stdio.h>
#include <string.h>

const char *const campaign_states[] = {"draft", "running",   "paused", "halted",
                                       "done",  "cancelled", NULL};
const char *const campaign_item_states[] = {"pending",  "delayed",   "ordered",
                                            "checking", "succeeded", "failed",
                                            "skipped",  "cancelled", NULL};
const char *const campaign_actions[] = {"approve", "start",    "pause",  "resume", "cancel",
                                        "retry",   "rollback", "remove", NULL};
const char *const campaign_classes[] = {
#define X(id, word) word,
        CAMPAIGN_CLASSES(X)
#undef X
                NULL};

/* ---- states ------------------------------------------------------------------------------ */

#define NO 0xff
/* By state and action: what it leads to. */
static const uint8_t arrows[][8] = {
        [CAMPAIGN_DRAFT] = {[CAMPAIGN_APPROVE] = CAMPAIGN_DRAFT,
                            [CAMPAIGN_START] = CAMPAIGN_RUNNING,
                            [CAMPAIGN_PAUSE] = NO,
                            [CAMPAIGN_RESUME] = NO,
                            [CAMPAIGN_CANCEL] = CAMPAIGN_CANCELLED,
                            [CAMPAIGN_RETRY] = NO,
                            [CAMPAIGN_ROLLBACK] = NO,
                            [CAMPAIGN_REMOVE] = CAMPAIGN_DRAFT},
        [CAMPAIGN_RUNNING] = {[CAMPAIGN_APPROVE] = NO,
                              [CAMPAIGN_START] = NO,
                              [CAMPAIGN_PAUSE] = CAMPAIGN_PAUSED,
                              [CAMPAIGN_RESUME] = NO,
                              [CAMPAIGN_CANCEL] = CAMPAIGN_CANCELLED,
                              [CAMPAIGN_RETRY] = CAMPAIGN_RUNNING,
                              [CAMPAIGN_ROLLBACK] = CAMPAIGN_CANCELLED,
                              [CAMPAIGN_REMOVE] = NO},
        [CAMPAIGN_PAUSED] = {[CAMPAIGN_APPROVE] = NO,
                             [CAMPAIGN_START] = NO,
                             [CAMPAIGN_PAUSE] = NO,
                             [CAMPAIGN_RESUME] = CAMPAIGN_RUNNING,
                             [CAMPAIGN_CANCEL] = CAMPAIGN_CANCELLED,
                             [CAMPAIGN_RETRY] = CAMPAIGN_RUNNING,
                             [CAMPAIGN_ROLLBACK] = CAMPAIGN_CANCELLED,
                             [CAMPAIGN_REMOVE] = NO},
        [CAMPAIGN_HALTED] = {[CAMPAIGN_APPROVE] = NO,
                             [CAMPAIGN_START] = NO,
                             [CAMPAIGN_PAUSE] = NO,
                             [CAMPAIGN_RESUME] = CAMPAIGN_RUNNING,
                             [CAMPAIGN_CANCEL] = CAMPAIGN_CANCELLED,
                             [CAMPAIGN_RETRY] = CAMPAIGN_RUNNING,
                             [CAMPAIGN_ROLLBACK] = CAMPAIGN_CANCELLED,
                             [CAMPAIGN_REMOVE] = NO},
        [CAMPAIGN_DONE] = {[CAMPAIGN_APPROVE] = NO,
                           [CAMPAIGN_START] = NO,
                           [CAMPAIGN_PAUSE] = NO,
                           [CAMPAIGN_RESUME] = NO,
                           [CAMPAIGN_CANCEL] = NO,
                           [CAMPAIGN_RETRY] = CAMPAIGN_RUNNING,
                           [CAMPAIGN_ROLLBACK] = CAMPAIGN_DONE,
                           [CAMPAIGN_REMOVE] = CAMPAIGN_DONE},
        [CAMPAIGN_CANCELLED] = {[CAMPAIGN_APPROVE] = NO,
                                [CAMPAIGN_START] = NO,
                                [CAMPAIGN_PAUSE] = NO,
                                [CAMPAIGN_RESUME] = NO,
                                [CAMPAIGN_CANCEL] = NO,
                                [CAMPAIGN_RETRY] = NO,
                                [CAMPAIGN_ROLLBACK] = CAMPAIGN_CANCELLED,
                                [CAMPAIGN_REMOVE] = CAMPAIGN_CANCELLED},
};

static const char *refusal(campaign_action a)
{
        switch (a) {
        case CAMPAIGN_APPROVE: return "Only a draft is approved.";
        case CAMPAIGN_START: return "It was started already.";
        case CAMPAIGN_PAUSE: return "Only a running campaign is paused.";
        case CAMPAIGN_RESUME: return "Only one that is paused or halted is resumed.";
        case CAMPAIGN_CANCEL: return "It has ended already.";
        case CAMPAIGN_RETRY:
                return "A draft has nothing to retry, and one that was cancelled stays so.";
        case CAMPAIGN_ROLLBACK: return "A draft has changed nothing.";
        case CAMPAIGN_REMOVE: return "It has not ended: cancel it first.";
        }
        ODM_UNREACHABLE();
}

const char *campaign_may(campaign_state s, campaign_action a, bool needs_approval, bool approved,
                         campaign_state *to)
{
        if (arrows[s][a] == NO)
                return refusal(a);
        if (a == CAMPAIGN_APPROVE && !needs_approval)
                return "Its plan asks for no approval.";
        if (a == CAMPAIGN_APPROVE && approved)
                return "It was approved already.";
        if (a == CAMPAIGN_START && needs_approval && !approved)
                return "It has to be approved first.";
        *to = (campaign_state)arrows[s][a];
        return NULL;
}

/* ---- verdicts ---------------------------------------------------------------------------- */

struct code {
        unsigned code;
        campaign_class class;
};

static const struct code fumo[] = {
        {401, CLASS_USER},    {402, CLASS_CORRUPT}, {403, CLASS_UNFIT},   {404, CLASS_SIGNATURE},
        {405, CLASS_UNFIT},   {406, CLASS_ADDRESS}, {407, CLASS_NETWORK}, {408, CLASS_UNSUPPORTED},
        {409, CLASS_INSTALL}, {410, CLASS_INSTALL}, {411, CLASS_ADDRESS}, {412, CLASS_NETWORK},
        {500, CLASS_NETWORK}, {501, CLASS_SPACE},   {502, CLASS_SPACE},   {503, CLASS_NETWORK},
};
static const struct code scomo[] = {
        {1401, CLASS_USER},      {1402, CLASS_NETWORK},     {1403, CLASS_ADDRESS},
        {1404, CLASS_SPACE},     {1405, CLASS_INSTALL},     {1406, CLASS_SPACE},
        {1407, CLASS_SIGNATURE}, {1408, CLASS_INSTALL},     {1409, CLASS_INSTALL},
        {1410, CLASS_INSTALL},   {1411, CLASS_UNSUPPORTED}, {1413, CLASS_UNFIT},
        {1500, CLASS_NETWORK},   {1501, CLASS_NETWORK},
};
static const struct code plain[] = {
        {401, CLASS_DENIED},      {403, CLASS_DENIED}, {404, CLASS_UNSUPPORTED}, {405, CLASS_BUSY},
        {406, CLASS_UNSUPPORTED}, {407, CLASS_DENIED}, {413, CLASS_SPACE},       {417, CLASS_BUSY},
        {420, CLASS_SPACE},       {425, CLASS_DENIED}, {501, CLASS_UNSUPPORTED}, {503, CLASS_BUSY},
};

static campaign_class look_up(const struct code *v, size_t n, unsigned status)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].code == status)
                        return v[i].class;
        return CLASS_OTHER;
}

campaign_class campaign_class_of(odm_str type, unsigned status)
{
        if ((status >= 200 && status < 300) || (status >= 1200 && status < 1300))
                return CLASS_NONE;
        if (odm_str_starts(type, "org.openmobilealliance.dm.firmwareupdate."))
                return look_up(fumo, ODM_COUNT(fumo), status);
        if (odm_str_starts(type, "urn:oma:at:scomo:") ||
            odm_str_starts(type, "org.openmobilealliance.dm.softwarecomponent."))
                return look_up(scomo, ODM_COUNT(scomo), status);
        return type.n ? CLASS_OTHER : look_up(plain, ODM_COUNT(plain), status);
}

/* ---- waves ------------------------------------------------------------------------------- */

static int64_t share(const campaign_share *s, int64_t total)
{
        int64_t n = s->percent ? (total * s->percent + 99) / 100 : s->count;

        return s->percent && n < 1 ? 1 : n;
}

int64_t campaign_bound(const campaign_plan *p, uint32_t wave, int64_t total)
{
        int64_t first = share(&p->canary, total), size = share(&p->wave, total), n;

        if (wave == 0)
                return 0;
        if (first > 0)
                wave--;
        if (wave > 0 && size == 0)
                return total;
        n = first + (wave > 0 && size > (total - first) / wave ? total - first : size * wave);
        return n < total ? n : total;
}

uint32_t campaign_wave_of(const campaign_plan *p, int64_t n, int64_t total)
{
        int64_t first = share(&p->canary, total), size = share(&p->wave, total);
        uint32_t canary = first > 0;

        if (n > total)
                n = total;
        if (canary && n <= first)
                return 1;
        if (size == 0 || n <= first)
                return canary + 1;
        return canary + (uint32_t)((n - first - 1) / size) + 1;
}

int64_t campaign_delay(const campaign_plan *p, uint32_t tries)
{
        int64_t d = p->retry_delay;

        for (uint32_t i = 1; i < tries && d < p->retry_most; i++)
                d *= 2;
        return d < p->retry_most ? d : p->retry_most;
}

bool campaign_retries(const campaign_plan *p, campaign_class c, uint32_t tries)
{
        return tries <= p->retries && (p->retry_classes & CLASS_BIT(c));
}

/* ---- the next step ----------------------------------------------------------------------- */

static bool too_many_failed(const campaign_plan *p, const campaign_stage *s, char *reason)
{
        int64_t failed = s->failed - s->base_failed, ok = s->succeeded - s->base_succeeded;
        int64_t ended;

        if (failed < 0)
                failed = 0;
        ended = failed + (ok > 0 ? ok : 0);
        if (!p->stop_above || failed == 0 || ended < p->stop_least ||
            failed * 100 <= ended * p->stop_above)
                return false;
        (void)snprintf(reason, CAMPAIGN_REASON, "%lld of %lld failed, which is more than %u %%",
                       (long long)failed, (long long)ended, p->stop_above);
        return true;
}

/* How many of those released have to succeed before the next wave. */
static int64_t needed(const campaign_plan *p, const campaign_stage *s)
{
        int64_t of = s->released - s->left;

        return of > 0 ? (of * p->threshold + 99) / 100 : 0;
}

static campaign_step between_waves(const campaign_plan *p, const campaign_stage *s, int64_t *at,
                                   char *reason)
{
        int64_t need = needed(p, s), can = s->released - s->left - s->failed;

        if (s->succeeded >= need) {
                if (!s->reached || s->reached > s->now) /* or the clock was set back */
                        return STEP_REACHED;
                *at = s->reached + p->soak;
                if (s->now < *at)
                        return STEP_WAIT;
                if (p->hold && s->wave == 1 && !s->forced) {
                        (void)snprintf(reason, CAMPAIGN_REASON,
                                       "the canary is done: resume it to go on");
                        return STEP_HOLD;
                }
                return STEP_RELEASE;
        }
        if (can >= need || (s->forced && s->open))
                return STEP_WAIT;
        if (s->forced)
                return STEP_RELEASE;
        (void)snprintf(reason, CAMPAIGN_REASON,
                       "of %lld devices %lld failed; the next wave wants %u %% to succeed",
                       (long long)(s->released - s->left), (long long)s->failed, p->threshold);
        return STEP_HALT;
}

campaign_step campaign_next(const campaign_plan *p, const campaign_stage *s, int64_t *at,
                            char reason[CAMPAIGN_REASON])
{
        *at = INT64_MAX;
        if (too_many_failed(p, s, reason))
                return STEP_HALT;
        if (!s->filled)
                return STEP_WAIT;
        if (p->begin > s->now) {
                *at = p->begin;
                return STEP_WAIT;
        }
        if (s->wave == 0)
                return s->total > 0 ? STEP_RELEASE : p->join || s->coming ? STEP_WAIT : STEP_FINISH;
        if (s->released < s->total)
                return between_waves(p, s, at, reason);
        return s->open || p->join || s->coming ? STEP_WAIT : STEP_FINISH;
}

/* ---- commands ---------------------------------------------------------------------------- */

static const char firmware[] =
        "[{\"cmd\":\"replace\",\"uri\":\"%s/"
        "PkgVersion\",\"data\":\"${version}\",\"optional\":true},"
        "{\"cmd\":\"replace\",\"uri\":\"%s/DownloadAndUpdate/PkgURL\",\"data\":\"${url}\"},"
        "{\"cmd\":\"replace\",\"uri\":\"%s/Ext/xrem/"
        "Hash\",\"data\":\"${sha256}\",\"optional\":true},"
        "{\"cmd\":\"exec\",\"uri\":\"%s/DownloadAndUpdate\"}]";

static const char software[] =
        "[{\"cmd\":\"delete\",\"uri\":\"./SCM/Download/%s\",\"optional\":true},"
        "{\"cmd\":\"add\",\"uri\":\"./SCM/Download/%s\",\"format\":\"node\"},"
        "{\"cmd\":\"add\",\"uri\":\"./SCM/Download/%s/PkgID\",\"data\":\"${package}\"},"
        "{\"cmd\":\"add\",\"uri\":\"./SCM/Download/%s/PkgURL\",\"data\":\"${url}\"},"
        "{\"cmd\":\"exec\",\"uri\":\"./SCM/Download/%s/Operations/DownloadInstall\"}]";

json_t *campaign_firmware(const char *node)
{
        char text[1024];

        (void)snprintf(text, sizeof text, firmware, node, node, node, node);
        return json_loads(text, 0, NULL);
}

json_t *campaign_software(const char *name)
{
        char text[1024];

        (void)snprintf(text, sizeof text, software, name, name, name, name, name);
        return json_loads(text, 0, NULL);
}
