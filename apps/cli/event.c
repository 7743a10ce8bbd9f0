/* SPDX-License-Identifier: Apache-2.0 */
/* xrem event: what happened, and what happens. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fields.h"

#define FOLLOW_S 25  /* a request waits so long */
#define AGAIN_MS 500 /* a server that is away is asked again */
#define ID_TEXT 24
#define DATA_SHOWN 160

static void note_missed(xrem *c, const json_t *answer)
{
        json_int_t n = json_integer_value(json_object_get(answer, "missed"));

        if (n > 0)
                xrem_note(c, "xrem: %lld events are not kept any more", (long long)n);
}

static const char *path_of(xrem *c, const xrem_args *a)
{
        const char *p = xrem_query(c, "/api/v1/events", "kind", xrem_value(a, "kind"));

        return xrem_query(c, p, "device", xrem_value(a, "device"));
}

/* The data in one line, without what the line says already. */
static odm_str data_text(xrem *c, const json_t *event)
{
        json_t *data = json_deep_copy(json_object_get(event, "data"));
        char *text;
        odm_str s;

        if (json_is_object(data))
                (void)json_object_del(data, "device");
        text = json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY |
                                        JSON_REAL_PRECISION(15));
        json_decref(data);
        if (text == NULL)
                return ODM_STR("");
        s = strcmp(text, "{}") == 0 ? ODM_STR("") : xrem_copy(c, odm_cstr(text));
        free(text);
        if (s.n > DATA_SHOWN)
                s = xrem_str(c, "%.*s...", DATA_SHOWN, s.p);
        return s;
}

static void print_line(xrem *c, const json_t *event)
{
        odm_str device = xrem_json_str(event, "device");

        printf("%s  %6s  %s%-22s%s  %s  %s\n", xrem_z(c, xrem_json_str(event, "time")),
               xrem_z(c, xrem_json_str(event, "id")), xrem_colour(c, XREM_BOLD),
               xrem_visible(c, xrem_json_str(event, "kind"), false).p, xrem_colour(c, XREM_PLAIN),
               device.p ? xrem_z(c, xrem_visible(c, device, false)) : "-",
               xrem_z(c, xrem_visible(c, data_text(c, event), false)));
}

static int print_all(xrem *c, const json_t *items)
{
        for (size_t i = 0; i < json_array_size(items); i++) {
                const json_t *event = json_array_get(items, i);

                if (!c->set.json) {
                        print_line(c, event);
                } else if (json_dumpf(event, stdout, JSON_COMPACT) < 0) {
                        return xrem_fail(XREM_BROKEN, "cannot write to standard output");
                } else {
                        putchar('\n');
                }
        }
        if (fflush(stdout) != 0)
                return xrem_fail(XREM_BROKEN, "cannot write to standard output");
        return XREM_OK;
}

/* ---- those to come -------------------------------------------------------------------- */

/* One request, whose memory is given back: following has no end.  Moves `last` on. */
static int follow_once(xrem *c, const xrem_args *a, char last[ID_TEXT], bool *away)
{
        odm_arena arena = c->arena;
        struct xrem_owned *owned = c->owned;
        json_t *j = NULL;
        int rc;

        odm_arena_init(&c->arena, arena.mem, arena.max);
        c->owned = NULL;
        const char *p = xrem_query(c, path_of(c, a), "limit", "1000");
        if (last[0])
                p = xrem_query(c, p, "after", last);
        p = xrem_query(c, p, "wait", xrem_fmt(c, "%d", FOLLOW_S));
        xrem_ask ask = {.method = "GET", .path = p, .wait_s = FOLLOW_S, .away = away};
        rc = xrem_api(c, &ask, &j);
        if (rc == XREM_OK && j) {
                odm_str at = xrem_json_str(j, "last");

                note_missed(c, j);
                rc = print_all(c, json_object_get(j, "items"));
                if (at.n && at.n < ID_TEXT)
                        (void)snprintf(last, ID_TEXT, "%.*s", (int)at.n, at.p);
        }
        xrem_let_go(c);
        odm_arena_done(&c->arena);
        c->arena = arena;
        c->owned = owned;
        return rc;
}

static int follow(xrem *c, const xrem_args *a, char last[ID_TEXT])
{
        bool was_away = false;

        for (;;) {
                bool away = false;
                int rc = follow_once(c, a, last, &away);

                if (c->interrupted)
                        return XREM_OK;
                if (rc != XREM_OK && !away)
                        return rc;
                if (away && !was_away)
                        xrem_note(c, "xrem: the server is away; trying again");
                if (!away && was_away)
                        xrem_note(c, "xrem: the server is back");
                was_away = away;
                if (away)
                        (void)poll(NULL, 0, AGAIN_MS);
        }
}

/* ---- those there are ------------------------------------------------------------------ */

int xrem_run_event(xrem *c, const xrem_args *a)
{
        const char *after = xrem_value(a, "after");
        char last[ID_TEXT] = "";
        json_t *j = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", 1000, xrem_has(a, "follow") ? 10 : 20, &limit);

        if (rc != XREM_OK)
                return rc;
        if (after && strlen(after) >= sizeof last)
                return xrem_fail(XREM_USAGE, "--after: '%s' is no number of an event", after);
        if (!after || !xrem_has(a, "follow")) {
                xrem_ask ask = {.method = "GET"};

                ask.path = xrem_query(c, path_of(c, a), "after", after);
                ask.path = xrem_query(c, ask.path, "limit",
                                      xrem_fmt(c, "%llu", (unsigned long long)(limit ? limit : 1)));
                rc = xrem_api(c, &ask, &j);
                if (rc != XREM_OK)
                        return rc;
                note_missed(c, j);
                if (limit)
                        rc = print_all(c, json_object_get(j, "items"));
                odm_str at = xrem_json_str(j, "last");
                if (at.n && at.n < sizeof last)
                        (void)snprintf(last, sizeof last, "%.*s", (int)at.n, at.p);
        } else {
                (void)snprintf(last, sizeof last, "%s", after);
        }
        if (rc == XREM_OK && xrem_has(a, "follow"))
                rc = follow(c, a, last);
        return rc;
}
