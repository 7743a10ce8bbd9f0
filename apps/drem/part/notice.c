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

void notice_text(char *out, size_t size, const char *text)
{
        odm_str s = odm_cstr(text);
        bool is_utf8;

        s = odm_str_to(s, s.n < size ? s.n : odm_utf8_cut(s, size - 1));
        is_utf8 = odm_utf8_ok(s);
        for (size_t i = 0; i < s.n; i++) {
                const unsigned char c = (unsigned char)s.p[i];
                out[i] = c < ' ' || c == 0x7f || (c >= 0x80 && !is_utf8) ? '?' : s.p[i];
        }
        out[s.n] = 0;
}

void notice_init(notice *n, const part_host *h, const char *cause, const char *object)
{
        *n = (notice){.h = h, .cause = cause};
        n->again = (loop_timer){.fn = on_again, .ctx = n};
        notice_text(n->object, sizeof n->object, object);
}

void notice_say(notice *n, fm_severity s, const char *text)
{
        loop_timer_stop(&n->again);
        n->severity = s;
        notice_text(n->text, sizeof n->text, text);
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
                snprintf(text, sizeof text, "%.*s",
                         (int)odm_utf8_cut(e->note, e->note.n < FM_TEXT ? e->note.n : FM_TEXT),
                         e->note.p);
        else
                snprintf(text, sizeof text, "%s", odm_task_cause_text(e->cause));
        notice_say(n, FM_MINOR, text);
}

void notice_stop(notice *n)
{
        loop_timer_stop(&n->again);
}
