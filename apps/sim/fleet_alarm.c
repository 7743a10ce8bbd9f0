/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms that a scenario wishes for, as a device has them that keeps a log of its own. */
#include "fleet_inner.h"

#include <stdio.h>

#define ALARM "urn:oma:at:x-xrem-fm:1.0:Alarm"
#define ALARM_OVER 0x100 /* of the id of an alert: it ends alarm number id & 0xff */

/* When fault `k` of the device is due: the alarm, or its end.  NEVER for what is no alarm, or over.
 */
static int64_t alarm_due(const device *d, size_t k)
{
        const fault *f = &d->f->s->fault[k];
        int64_t at = d->f->started + f->after;

        if (!(d->mine >> k & 1) || f->kind != FAULT_ALARM)
                return NEVER;
        if (!(d->fired >> k & 1))
                return at;
        return f->ms > 0 && !(d->over >> k & 1) ? at + f->ms : NEVER;
}

int64_t fleet_first_alarm(const device *d)
{
        int64_t first = NEVER;

        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                int64_t due = alarm_due(d, k);
                first = due < first ? due : first;
        }
        return first;
}

static int queue_alarm(slot *k, size_t n)
{
        const device *d = k->d;
        const fault *f = &d->f->s->fault[n];
        bool over = d->fired >> n & 1;
        char data[512], source[64], when[ODM_WALL_TEXT];
        odm_alert a = {.code = ODM_ALERT_GENERIC,
                       .id = n | (over ? ALARM_OVER : 0),
                       .type = ODM_STR(ALARM),
                       .format = ODM_FMT_XML,
                       .mark = over ? ODM_STR("informational") : ODM_STR("critical")};

        odm_wall_format(fleet_wall_of(d), when);
        (void)snprintf(source, sizeof source, "./DiagMon/FM/DiagMonData/%zu", n + 1);
        (void)snprintf(data, sizeof data,
                       "<Alarm><Id>%zu</Id><Severity>%s</Severity><Cause>%s</Cause>"
                       "<Object>./Vendor/sim</Object><Text>%.200s</Text><Time>%s</Time></Alarm>",
                       n + 1, over ? "cleared" : f->severity, f->alarm, f->text, when);
        a.source = odm_cstr(source);
        a.data = odm_cstr(data);
        return odm_client_alert(k->talk.client, &a);
}

int fleet_queue_alarms(slot *k)
{
        int64_t now = loop_now().ms;
        int rc = 0;

        for (size_t n = 0; rc == 0 && k->d->mine && n < k->f->s->n_faults; n++)
                if (alarm_due(k->d, n) <= now) {
                        rc = queue_alarm(k, n);
                        k->d->told = true;
                }
        return rc;
}

/* The server has it. */
void fleet_alarm_taken(slot *k, uint64_t id)
{
        uint64_t bit = 1ull << (id & 0xff);
        int64_t due = (alarm_due(k->d, id & 0xff) - k->f->started) * 1000;
        fleet_stats *st = &k->f->st;

        k->d->told = false;
        if (st->alarms++ == 0 || due < st->first_alarm)
                st->first_alarm = due;
        st->last_alarm = sim_us() - k->f->began;
        if (!(id & ALARM_OVER)) {
                fleet_fired(k->d, k->g, bit);
                return;
        }
        k->d->over |= bit;
        k->g->over = k->d->over;
        k->g->dirty = true;
}
