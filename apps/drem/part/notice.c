/* SPDX-License-Identifier: Apache-2.0 */
#include "part/notice.h"

#include <stdio.h>

#include "log.h"

#define AGAIN_MS 500

static void say(notice *n)
{
        int rc = n->severity == FM_CLEARED
                         ? fm_clear(n->h, n->cause, odm_cstr(n->object), odm_cstr(n->text))
                         : fm_raise(n->h, n->cause, odm_cstr(n->object), n->severity,
                                    odm_cstr(n->text));

        if (rc == ODM_ESTATE)
                rc = loop_timer_set(n->h->loop, &n->again, odm_time_add(loop_now(), AGAIN_MS));
        if (rc < 0)
                log_error("an alarm cannot be kept", log_text("object", n->object),
                          log_text("reason", odm_err_text(rc)));
}

static void on_again(void *ctx)
{
        say(ctx);
}

void notice_init(notice *n, const part_host *h, const char *cause, const char *object)
{
        *n = (notice){.h = h, .cause = cause};
        n->again = (loop_timer){.fn = on_again, .ctx = n};
        snprintf(n->object, sizeof n->object, "%.*s", FM_TEXT, object);
}

void notice_say(notice *n, fm_severity s, const char *text)
{
        loop_timer_stop(&n->again);
        n->severity = s;
        snprintf(n->text, sizeof n->text, "%.*s", FM_TEXT, text);
        say(n);
}

void notice_room(notice *n, const odm_task_end *e)
{
        char text[FM_TEXT + 1];

        if (e->cause == ODM_CAUSE_OK) {
                notice_say(n, FM_CLEARED, "there was room for the next one");
                return;
        }
        if (e->cause != ODM_CAUSE_NO_ROOM)
                return;
        if (e->note.n)
                snprintf(text, sizeof text, "%.*s", (int)odm_str_to(e->note, FM_TEXT).n, e->note.p);
        else
                snprintf(text, sizeof text, "%s", odm_task_cause_text(e->cause));
        notice_say(n, FM_MINOR, text);
}

void notice_stop(notice *n)
{
        loop_timer_stop(&n->again);
}
