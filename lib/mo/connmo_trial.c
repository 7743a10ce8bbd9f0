/* SPDX-License-Identifier: Apache-2.0 */
/* Do not cut the branch you sit on (mo-connmo.md 4): new settings are tried, and taken back when no
 * server can be reached within so many tries or so much time.  The drawing is in connmo.h. */
#include "odm/connmo.h"

const char *odm_trial_phase_name(odm_trial_phase p)
{
        static const char *const names[] = {"steady", "apply", "settle", "try", "back"};

        return names[p];
}

static void enter(odm_trial *t, odm_trial_phase to)
{
        ODM_TRACE(t->trace, "connmo", "%s -> %s", odm_trial_phase_name(t->phase),
                  odm_trial_phase_name(to));
        t->phase = to; /* the only assignment to phase in this file */
        t->next = ODM_NEVER;
        t->deadline = ODM_NEVER;
}

static odm_trial_action go_back(odm_trial *t)
{
        enter(t, ODM_TRIAL_BACK);
        return ODM_TRIAL_DO_BACK;
}

static odm_trial_action settle(odm_trial *t, odm_trial_action how)
{
        enter(t, ODM_TRIAL_STEADY);
        t->tries = 0;
        return how;
}

static odm_trial_action call(odm_trial *t)
{
        t->tries++;
        t->next = ODM_NEVER;
        return ODM_TRIAL_DO_CALL;
}

/* What is in force is applied at the start, when not all may be there yet that it takes. */
static odm_trial_action in_steady(odm_trial *t, odm_trial_event e, odm_time now)
{
        if (e == ODM_TRIAL_CHANGED) {
                enter(t, ODM_TRIAL_APPLY);
                t->tries = 0;
                return ODM_TRIAL_DO_APPLY;
        }
        if (e == ODM_TRIAL_NOT_APPLIED)
                t->next = odm_time_add(now, t->wait_ms);
        if (e == ODM_TRIAL_REACHED)
                t->next = ODM_NEVER;
        if (e != ODM_TRIAL_CLOCK || !odm_time_reached(now, t->next))
                return ODM_TRIAL_NOTHING;
        t->next = ODM_NEVER;
        return ODM_TRIAL_DO_AGAIN;
}

/* A program may say that it is done while the old address is still there: a server that is reached
 * now proves nothing. */
static odm_trial_action in_settle(odm_trial *t, odm_trial_event e, odm_time now)
{
        if (e != ODM_TRIAL_CLOCK || !odm_time_reached(now, t->next))
                return ODM_TRIAL_NOTHING;
        enter(t, ODM_TRIAL_TRY);
        t->deadline = odm_time_add(now, t->time_ms);
        return call(t);
}

static odm_trial_action in_apply(odm_trial *t, odm_trial_event e, odm_time now)
{
        if (e == ODM_TRIAL_NOT_APPLIED)
                return go_back(t);
        if (e != ODM_TRIAL_APPLIED)
                return ODM_TRIAL_NOTHING;
        enter(t, ODM_TRIAL_SETTLE);
        t->next = odm_time_add(now, t->settle_ms);
        return in_settle(t, ODM_TRIAL_CLOCK, now);
}

static odm_trial_action in_try(odm_trial *t, odm_trial_event e, odm_time now)
{
        bool late = odm_time_reached(now, t->deadline);

        if (e == ODM_TRIAL_REACHED)
                return settle(t, ODM_TRIAL_DO_KEEP);
        if (e == ODM_TRIAL_UNREACHED && (t->tries >= t->max_tries || late))
                return go_back(t);
        if (e == ODM_TRIAL_UNREACHED && t->next.ms == ODM_NEVER.ms)
                t->next = odm_time_add(now, t->wait_ms);
        if (e == ODM_TRIAL_CLOCK && late)
                return go_back(t);
        if (e == ODM_TRIAL_CLOCK && odm_time_reached(now, t->next))
                return call(t);
        return ODM_TRIAL_NOTHING;
}

/* Whatever the program that applies them says: a server that is reached shows that they are there.
 */
static odm_trial_action in_back(odm_trial *t, odm_trial_event e, odm_time now)
{
        if (e == ODM_TRIAL_APPLIED || e == ODM_TRIAL_REACHED)
                return settle(t, ODM_TRIAL_DO_TELL);
        if (e == ODM_TRIAL_NOT_APPLIED)
                t->next = odm_time_add(now, t->wait_ms);
        if (e == ODM_TRIAL_CLOCK && odm_time_reached(now, t->next)) {
                t->next = ODM_NEVER;
                return ODM_TRIAL_DO_BACK;
        }
        return ODM_TRIAL_NOTHING;
}

odm_trial_action odm_trial_on(odm_trial *t, odm_trial_event e, odm_time now)
{
        switch (t->phase) {
        case ODM_TRIAL_STEADY: return in_steady(t, e, now);
        case ODM_TRIAL_APPLY: return in_apply(t, e, now);
        case ODM_TRIAL_SETTLE: return in_settle(t, e, now);
        case ODM_TRIAL_TRY: return in_try(t, e, now);
        case ODM_TRIAL_BACK: return in_back(t, e, now);
        }
        ODM_UNREACHABLE();
}

odm_trial_action odm_trial_resume(odm_trial *t, odm_trial_phase phase, unsigned tries)
{
        t->tries = tries;
        t->next = t->deadline = ODM_NEVER;
        switch (phase) {
        case ODM_TRIAL_STEADY: return settle(t, ODM_TRIAL_NOTHING);
        case ODM_TRIAL_APPLY:
        case ODM_TRIAL_SETTLE:
        case ODM_TRIAL_TRY:
                if (tries >= t->max_tries)
                        return go_back(t);
                enter(t, ODM_TRIAL_APPLY);
                return ODM_TRIAL_DO_APPLY;
        case ODM_TRIAL_BACK: return go_back(t);
        }
        ODM_UNREACHABLE();
}

odm_time odm_trial_due(const odm_trial *t)
{
        return t->next.ms < t->deadline.ms ? t->next : t->deadline;
}
