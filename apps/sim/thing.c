/* SPDX-License-Identifier: Apache-2.0 */
/* What a thing is apart from requests: packages, power, battery, and what is kept of it.
 *
 * A record is lines of "name value"; `program` has id, state, result, active and version. */
#include "thing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRMWARE_ID 0
#define LOW_BATTERY 1 /* /3/0/11 */
#define LOW_PERCENT 10
#define SPREAD 9      /* batteries differ by so many per cent */
#define NEW_BATTERY 5 /* at so many per cent somebody puts in a new one */

/* ---- orders ------------------------------------------------------------------------------- */

unsigned thing_look(const thing *t, odm_str package, char version[IMAGE_VERSION])
{
        image m;

        if (image_read(package, &m) < 0)
                return THING_CORRUPT;
        if (m.model.p && !odm_str_is(m.model, t->group->model))
                return THING_TYPE;
        if (m.hardware.p && !odm_str_is(m.hardware, t->group->hwv))
                return THING_TYPE;
        memcpy(version, m.version[0] ? m.version : "1", m.version[0] ? sizeof m.version : 2);
        return THING_OK;
}

/* UpdateResult of /9 for one of /5 (lwm2m.md 4). */
static uint8_t software_result(unsigned result)
{
        switch (result) {
        case THING_OK: return 3;
        case THING_NO_ROOM: return 50;
        case THING_LOST: return 52;
        case THING_CORRUPT: return 53;
        case THING_TYPE: return 54;
        case THING_URI:
        case THING_PROTOCOL: return 56;
        default: return 57;
        }
}

void thing_fetched(thing *t, unsigned result, const char *version)
{
        thing_slot *s = t->order;
        bool firmware = s == &t->firmware;

        if (!s)
                return;
        t->order = NULL;
        t->wants &= ~(unsigned)THING_FETCH;
        t->wants |= THING_KEEP;
        (void)snprintf(s->version, sizeof s->version, "%s", result == THING_OK ? version : "");
        if (firmware) {
                s->state = result == THING_OK ? FW_DOWNLOADED : FW_IDLE;
                s->result = result == THING_OK ? 0 : (uint8_t)result;
                (void)snprintf(s->name, sizeof s->name, "%s", s->version[0] ? "firmware" : "");
        } else {
                s->state = result == THING_OK ? SW_DELIVERED : SW_INITIAL;
                s->result = software_result(result);
        }
}

void thing_installed(thing *t, unsigned result, bool takes)
{
        thing_slot *s = t->order;

        if (!s)
                return;
        t->order = NULL;
        t->wants &= ~(unsigned)THING_INSTALL;
        t->wants |= THING_KEEP;
        if (s != &t->firmware) {
                s->state = result == THING_OK ? SW_INSTALLED : SW_DELIVERED;
                s->result = result == THING_OK ? 2 : 58;
                s->active = false;
                return;
        }
        s->result = (uint8_t)result;
        s->state = result == THING_OK ? FW_IDLE : FW_DOWNLOADED;
        if (result == THING_OK && takes)
                memcpy(t->fwv, s->version, sizeof t->fwv);
        if (result == THING_OK)
                s->version[0] = s->name[0] = '\0';
}

/* ---- power ---------------------------------------------------------------------------------- */

static void start_slot(thing *t, thing_slot *s, bool firmware)
{
        free(s->uri);
        s->uri = NULL;
        if (s->state != (firmware ? FW_DOWNLOADING : SW_DOWNLOADING))
                return;
        t->order = s;
        thing_fetched(t, THING_LOST, "");
}

void thing_restart(thing *t)
{
        t->order = NULL;
        t->wants = THING_KEEP;
        t->restarts++;
        start_slot(t, &t->firmware, true);
        for (size_t i = 0; i < THING_PROGRAMS; i++)
                if (t->program[i].there)
                        start_slot(t, &t->program[i], false);
        if (t->firmware.state == FW_UPDATING) {
                t->order = &t->firmware;
                t->wants |= THING_INSTALL;
        }
}

static void set_defaults(thing *t)
{
        const group *g = t->group;

        t->lifetime_s = (g->lifetime_ms + 999) / 1000;
        t->pmin_s = 0;
        t->pmax_s = 0;
        t->disable_s = 10;
        t->period_s = 0;
        t->storing = true;
        t->level = 0;
        t->clock = 0;
        (void)snprintf(t->text, sizeof t->text, "hello");
        (void)snprintf(t->utc, sizeof t->utc, "+00:00");
        (void)snprintf(t->zone, sizeof t->zone, "Etc/UTC");
}

void thing_factory_reset(thing *t)
{
        set_defaults(t);
        for (size_t i = 0; i < THING_PROGRAMS; i++) {
                free(t->program[i].uri);
                t->program[i] = (thing_slot){0};
        }
        t->n_errors = 0;
        t->low = false;
        t->wants |= THING_REBOOT | THING_KEEP;
}

/* ---- errors ----------------------------------------------------------------------------------- */

void thing_clear(thing *t, uint16_t error)
{
        for (size_t i = 0; i < t->n_errors; i++) {
                if (t->error[i] != error)
                        continue;
                t->n_errors--;
                memmove(&t->error[i], &t->error[i + 1], (t->n_errors - i) * sizeof t->error[0]);
                return;
        }
}

void thing_raise(thing *t, uint16_t error)
{
        thing_clear(t, error);
        if (error && t->n_errors < THING_ERRORS)
                t->error[t->n_errors++] = error;
}

uint16_t thing_error_of(const char *word)
{
        static const char *const words[] = {"low-battery", "power-failure", "gps-failure",
                                            "low-signal",  "out-of-memory", "sms-failure",
                                            "ip-failure",  "peripheral"};
        uint64_t v;

        for (size_t i = 0; i < ODM_COUNT(words); i++)
                if (strcmp(word, words[i]) == 0)
                        return (uint16_t)(i + 1);
        return odm_str_u64(odm_cstr(word), 32, &v) == 0 && v > 0 ? (uint16_t)v : 16;
}

/* ---- what it measures ---------------------------------------------------------------------------- */

unsigned thing_battery(thing *t, odm_wall now)
{
        uint64_t own = t->i;
        int64_t level = t->group->battery - (int64_t)(fault_random(&own) % (SPREAD + 1));
        bool low;

        if (level < 1)
                level = 1;
        if (t->group->drain_ms > 0 && now.s > t->born.s) {
                int64_t gone = (now.s - t->born.s) * 1000 / t->group->drain_ms;
                level -= level > NEW_BATTERY ? gone % (level - NEW_BATTERY + 1) : 0;
        }
        low = level < LOW_PERCENT;
        if (low != t->low)
                (low ? thing_raise : thing_clear)(t, LOW_BATTERY);
        t->low = low;
        return (unsigned)level;
}

/* As that of the others: a triangle from 12 degrees at midnight to 28 at noon, and a little of its
 * own (gadget.c). */
double thing_temperature(const thing *t, odm_wall now)
{
        int64_t second = now.s % 86400;
        int64_t from_noon = second < 43200 ? 43200 - second : second - 43200;
        uint64_t own = t->i, moment = t->i ^ (uint64_t)(now.s / 60) << 20;
        int64_t tenths = 280 - from_noon * 160 / 43200 + (int64_t)(fault_random(&own) % 41) +
                         (int64_t)(fault_random(&moment) % 11) - 5;

        return (double)tenths / 10;
}

/* ---- records ---------------------------------------------------------------------------------- */

int thing_dump(const thing *t, odm_buf *out)
{
        int rc = odm_buf_fmt(out,
                             "born %lld\nfwv %s\nfirmware %u %u %s\nlifetime %lld\nrestarts %u\n",
                             (long long)t->born.s, t->fwv, t->firmware.state, t->firmware.result,
                             t->firmware.version, (long long)t->lifetime_s, t->restarts);

        for (size_t i = 0; i < THING_PROGRAMS && rc == 0; i++) {
                const thing_slot *s = &t->program[i];
                if (s->there)
                        rc = odm_buf_fmt(out, "program %u %u %u %d %s\n", s->id, s->state,
                                         s->result, s->active, s->version);
        }
        return rc;
}

static int load_program(thing *t, const char *text)
{
        thing_slot s = {.there = true};
        unsigned id, state, result, active;
        int got = sscanf(text, "%u %u %u %u %47s", &id, &state, &result, &active, s.version);
        size_t i = 0;

        while (i < THING_PROGRAMS && t->program[i].there)
                i++;
        if (got < 4 || i == THING_PROGRAMS || id > ODM_LW_ID_MAX || state > SW_INSTALLED)
                return ODM_EMALFORMED;
        s.id = (uint16_t)id;
        s.state = (uint8_t)state;
        s.result = (uint8_t)result;
        s.active = active == 1;
        (void)snprintf(s.name, sizeof s.name, "program%u", id);
        t->program[i] = s;
        return 0;
}

static int load_line(thing *t, const char *line)
{
        long long n;
        unsigned state, result;

        if (sscanf(line, "born %lld", &n) == 1)
                t->born.s = n;
        else if (sscanf(line, "lifetime %lld", &n) == 1 && n > 0)
                t->lifetime_s = n;
        else if (sscanf(line, "restarts %lld", &n) == 1)
                t->restarts = (uint32_t)n;
        else if (strncmp(line, "fwv ", 4) == 0)
                (void)snprintf(t->fwv, sizeof t->fwv, "%s", line + 4);
        else if (sscanf(line, "firmware %u %u %47s", &state, &result, t->firmware.version) >= 2 &&
                 state <= FW_UPDATING) {
                t->firmware.state = (uint8_t)state;
                t->firmware.result = (uint8_t)result;
        } else if (strncmp(line, "program ", 8) == 0) {
                return load_program(t, line + 8);
        } else {
                return ODM_EMALFORMED;
        }
        return 0;
}

static int load(thing *t, odm_str record)
{
        char text[THING_RECORD_MAX + 1];
        char *line, *rest = text;
        int rc = 0;

        if (record.n > THING_RECORD_MAX)
                return ODM_EMALFORMED;
        memcpy(text, record.p, record.n);
        text[record.n] = '\0';
        while (rc == 0 && (line = strsep(&rest, "\n")) != NULL)
                if (line[0])
                        rc = load_line(t, line);
        return rc;
}

static void make(thing *t, const group *g, uint32_t i, odm_wall now)
{
        *t = (thing){.group = g, .i = i, .born = now};
        t->firmware = (thing_slot){.there = true, .id = FIRMWARE_ID};
        (void)snprintf(t->fwv, sizeof t->fwv, "%s", g->fwv);
        set_defaults(t);
}

static int make_leaves(thing *t, odm_wall now)
{
        const group *g = t->group;

        if (g->leaves == 0)
                return 0;
        t->leaf = calloc(g->leaves, sizeof *t->leaf);
        for (unsigned k = 0; t->leaf && k < g->leaves; k++) {
                make(&t->leaf[k], g, t->i, now);
                t->leaf[k].number = k + 1;
        }
        return t->leaf ? 0 : ODM_ENOMEM;
}

thing *thing_leaf(thing *t, odm_str *path)
{
        odm_str at = *path;
        size_t n = 0;
        uint64_t k;

        while (n < at.n && at.p[n] != '/')
                n++;
        if (!t->leaf || !odm_str_starts(at, "d") ||
            odm_str_u64(odm_str_from(odm_str_to(at, n), 1), t->group->leaves, &k) < 0 || k == 0)
                return NULL;
        *path = odm_str_from(at, n);
        return &t->leaf[k - 1];
}

int thing_init(thing *t, const group *g, uint32_t i, odm_str record, odm_wall now)
{
        int rc;

        make(t, g, i, now);
        rc = make_leaves(t, now);
        if (rc == 0 && record.p)
                rc = load(t, record);
        if (rc == 0 && record.p)
                thing_restart(t);
        if (rc < 0)
                thing_done(t);
        return rc;
}

void thing_done(thing *t)
{
        free(t->firmware.uri);
        t->firmware.uri = NULL;
        for (size_t i = 0; i < THING_PROGRAMS; i++) {
                free(t->program[i].uri);
                t->program[i].uri = NULL;
        }
        free(t->leaf);
        t->leaf = NULL;
}
