/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KBYTE 1000
#define LEAF_OCTETS 32 /* about what one takes in a device */
#define CATCH_UP 60    /* samples of a time in which the device was busy */

watch *watch_new(void)
{
        watch *w = calloc(1, sizeof *w);

        if (!w)
                return NULL;
        w->last = &w->first;
        w->look = w->restart = WATCH_NEVER;
        w->octets = sizeof *w;
        return w;
}

static void drop_alert(watch *w)
{
        free(w->alert);
        w->alert = NULL;
        w->taken = false;
}

static void forget(watch *w, watch_sample **at)
{
        watch_sample *s = *at;

        assert(s);
        *at = s->next;
        if (w->last == &s->next)
                w->last = at;
        w->n--;
        w->octets -= sizeof *s + strlen(s->correlator) + 1;
        free(s);
}

static void drop_run(watch *w, watch_run *r)
{
        watch_run **at = &w->runs;

        while (*at != r)
                at = &(*at)->next;
        *at = r->next;
        w->octets -= sizeof *r;
        free(r);
}

void watch_free(watch *w)
{
        if (!w)
                return;
        while (w->first)
                forget(w, &w->first);
        while (w->runs)
                drop_run(w, w->runs);
        drop_alert(w);
        free(w);
}

bool watch_is_idle(const watch *w)
{
        return !w->runs && !w->first && !w->alert && w->look == WATCH_NEVER &&
               w->restart == WATCH_NEVER;
}

/* ---- samples -------------------------------------------------------------------------------- */

static size_t leaves_of(measure_of what)
{
        const measure_who nobody = {.battery = 100};
        measure_leaf leaf[MEASURE_LEAVES];

        return measure(what, &nobody, (odm_wall){0}, leaf);
}

static int take_sample(watch *w, const watch_run *r, odm_wall at)
{
        size_t n = strlen(r->correlator) + 1;
        watch_sample *s = calloc(1, sizeof *s + n);

        if (!s)
                return ODM_ENOMEM;
        if (w->n == WATCH_SAMPLES) {
                forget(w, &w->first);
                w->dropped++;
        }
        s->seq = ++w->seq;
        s->task = r->task;
        s->what = r->what;
        s->at = at;
        s->left = (1u << leaves_of(r->what)) - 1;
        memcpy(s->correlator, r->correlator, n);
        *w->last = s;
        w->last = &s->next;
        w->n++;
        w->octets += sizeof *s + n;
        return 0;
}

static void report(watch *w, uint32_t task)
{
        for (watch_sample *s = w->first; s; s = s->next)
                if (s->task == task && !s->due)
                        s->due = w->fresh = true;
}

static bool is_full(const watch *w, const watch_run *r)
{
        size_t octets = 0;

        for (const watch_sample *s = w->first; s && r->memory; s = s->next)
                octets += s->task == r->task ? leaves_of(s->what) * LEAF_OCTETS : 0;
        return octets > r->memory;
}

/* ---- runs ------------------------------------------------------------------------------------- */

static int64_t number(const odm_task *t, const char *name)
{
        uint64_t n = 0;

        return odm_str_u64(odm_task_arg(t, name), INT64_MAX / 2000, &n) < 0 ? 0 : (int64_t)n;
}

static int64_t in(odm_time now, int64_t ms)
{
        return ms > 0 ? now.ms + ms : WATCH_NEVER;
}

int watch_begin(watch *w, const odm_task *t, measure_of what, odm_time now, odm_wall wall)
{
        watch_run *r = calloc(1, sizeof *r);
        int64_t until = number(t, "until");
        int rc;

        if (!r)
                return ODM_ENOMEM;
        r->task = t->id;
        r->what = what;
        r->interval = number(t, "SampIntrvl") * 1000;
        r->period = number(t, "Period") * 1000;
        r->memory = (size_t)number(t, "DefMemory") * KBYTE;
        r->complete = !odm_str_is(odm_task_arg(t, "OnComplete"), "false");
        r->sample = in(now, r->interval);
        r->report = in(now, r->period);
        r->until = !until            ? WATCH_NEVER
                   : until <= wall.s ? now.ms
                                     : now.ms + (until - wall.s) * 1000;
        (void)snprintf(r->correlator, sizeof r->correlator, "%.*s", (int)t->correlator.n,
                       t->correlator.p ? t->correlator.p : "");
        rc = take_sample(w, r, wall);
        if (rc < 0) {
                free(r);
                return rc;
        }
        r->next = w->runs;
        w->runs = r;
        w->octets += sizeof *r;
        return 0;
}

watch_run *watch_run_of(const watch *w, uint32_t task)
{
        watch_run *r = w->runs;

        while (r && r->task != task)
                r = r->next;
        return r;
}

void watch_end(watch *w, watch_run *r)
{
        watch_sample **at = &w->first;

        if (r->complete)
                report(w, r->task);
        while (*at)
                if ((*at)->task == r->task && !(*at)->due)
                        forget(w, at);
                else
                        at = &(*at)->next;
        drop_run(w, r);
}

/* Samples stand at their times, though the device was talking then. */
static void turn_run(watch *w, watch_run *r, odm_time now, odm_wall wall)
{
        int64_t end = r->until < now.ms ? r->until : now.ms;

        for (int i = 0; r->sample <= end && i < CATCH_UP && !r->over; i++) {
                odm_wall at = {wall.s - (now.ms - r->sample) / 1000};
                if (take_sample(w, r, at) < 0)
                        break;
                r->sample += r->interval;
                r->over = r->full = is_full(w, r);
        }
        if (r->sample <= now.ms)
                r->sample = now.ms + r->interval;
        if (r->report <= now.ms) {
                report(w, r->task);
                r->report = now.ms + r->period;
        }
        r->over |= r->until <= now.ms;
}

bool watch_turn(watch *w, odm_time now, odm_wall wall)
{
        bool over = false;

        for (watch_run *r = w->runs; r; r = r->next) {
                if (!r->over)
                        turn_run(w, r, now, wall);
                over |= r->over;
        }
        return over;
}

int64_t watch_due(const watch *w)
{
        int64_t due = w->look < w->restart ? w->look : w->restart;

        for (const watch_run *r = w->runs; r; r = r->next) {
                const int64_t at[] = {r->sample, r->report, r->until};
                for (size_t i = 0; i < ODM_COUNT(at) && !r->over; i++)
                        due = at[i] < due ? at[i] : due;
        }
        return due;
}

/* ---- telling ------------------------------------------------------------------------------------ */

bool watch_waits(const watch *w)
{
        for (const watch_sample *s = w->first; s; s = s->next)
                if (s->due)
                        return true;
        return w->alert && !w->taken;
}

typedef struct telling {
        const measure_who *who;
        size_t most;
        int (*fn)(void *ctx, const odm_alert *a);
        void *ctx;
} telling;

static int tell_sample(telling *t, const watch_sample *s)
{
        measure_leaf leaf[MEASURE_LEAVES];
        size_t n = measure(s->what, t->who, s->at, leaf);
        char when[ODM_WALL_TEXT], source[80];
        int rc = 0;

        odm_wall_format(s->at, when);
        for (size_t i = 0; rc == 0 && i < n && t->most; i++) {
                odm_alert a = {.id = WATCH_SAMPLE | (uint64_t)s->seq << 8 | i,
                               .code = ODM_ALERT_GENERIC,
                               .source_name = odm_cstr(when),
                               .type = ODM_STR("urn:oma:at:diagmon:1.0:CollectedSimpleDataReport"),
                               .mark = ODM_STR("informational"),
                               .format = leaf[i].format,
                               .data = odm_cstr(leaf[i].text)};
                if (!(s->left >> i & 1))
                        continue;
                (void)snprintf(source, sizeof source, ODM_DIAG_AT "/%s/DiagMonData/%s",
                               measure_name(s->what), leaf[i].path);
                a.source = odm_cstr(source);
                if (s->correlator[0])
                        a.correlator = odm_cstr(s->correlator);
                t->most--;
                rc = t->fn(t->ctx, &a);
        }
        return rc;
}

static const char *behind(const char *text)
{
        return text + strlen(text) + 1;
}

static int tell_trap(const telling *t, const watch *w)
{
        const char *source = behind(w->alert), *data = behind(source), *when = behind(data);
        const odm_alert a = {.id = WATCH_TRAP,
                             .code = ODM_ALERT_GENERIC,
                             .type = odm_cstr(w->alert),
                             .source = odm_cstr(source),
                             .source_name = *when ? odm_cstr(when) : ODM_ABSENT,
                             .format = ODM_FMT_CHR,
                             .mark = ODM_STR("warning"),
                             .data = odm_cstr(data)};

        return t->fn(t->ctx, &a);
}

int watch_alerts(watch *w, const measure_who *who, size_t most,
                 int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        telling t = {who, most, fn, ctx};
        int rc = w->alert && !w->taken && most ? (t.most--, tell_trap(&t, w)) : 0;

        for (const watch_sample *s = w->first; rc == 0 && s && t.most; s = s->next)
                if (s->due)
                        rc = tell_sample(&t, s);
        w->fresh = false;
        return rc;
}

void watch_taken(watch *w, uint64_t id, bool *whole)
{
        watch_sample **at = &w->first;

        *whole = false;
        w->fresh = true;
        if (id & WATCH_TRAP) {
                w->taken = w->alert != NULL;
                *whole = w->taken;
                return;
        }
        while (*at && (*at)->seq != (uint32_t)(id >> 8))
                at = &(*at)->next;
        if (!*at)
                return;
        (*at)->left &= ~(1u << (id & 0xff));
        *whole = (*at)->left == 0;
        if (*whole)
                forget(w, at);
}

static size_t put(char **at, odm_str s)
{
        size_t n = s.p ? s.n : 0;

        if (*at) {
                if (n)
                        memcpy(*at, s.p, n);
                (*at)[n] = '\0';
                *at += n + 1;
        }
        return n + 1;
}

/* All four texts, into `to` when that is not NULL; how many octets. */
static size_t put_all(char *to, const odm_alert *a)
{
        return put(&to, a->type) + put(&to, a->source) + put(&to, a->data) +
               put(&to, a->source_name);
}

int watch_trap(watch *w, const odm_alert *a)
{
        size_t n = put_all(NULL, a);
        char *text = malloc(n);
        bool same;

        if (!text)
                return ODM_ENOMEM;
        (void)put_all(text, a);
        /* the time is told once it is long ago, and is no part of what it is */
        same = w->alert && strcmp(w->alert, text) == 0 &&
               strcmp(behind(w->alert), behind(text)) == 0 &&
               strcmp(behind(behind(w->alert)), behind(behind(text))) == 0;
        if (same && w->taken) {
                free(text);
                drop_alert(w);
                return 1;
        }
        w->fresh |= !same;
        drop_alert(w);
        w->alert = text;
        return 0;
}
