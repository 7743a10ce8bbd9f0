/* SPDX-License-Identifier: Apache-2.0 */
/* One line per command and item, so that an exchange can be read at a glance. */
#include "summary.h"

#include <stdio.h>

#define DEPTH 32     /* as deep as a decoder lets Sequence and Atomic nest */
#define VALUE_MAX 60 /* characters of a value that are shown */

static const char *text(xrem *c, odm_str s)
{
        return xrem_visible(c, s, false).p;
}

static const char *alert_name(unsigned code)
{
        switch (code) {
        case ODM_ALERT_DISPLAY: return "display";
        case ODM_ALERT_CONFIRM: return "confirm or reject";
        case ODM_ALERT_INPUT: return "text input";
        case ODM_ALERT_CHOICE: return "single choice";
        case ODM_ALERT_CHOICES: return "multiple choice";
        case ODM_ALERT_SERVER_INITIATED: return "server-initiated session";
        case ODM_ALERT_CLIENT_INITIATED: return "client-initiated session";
        case ODM_ALERT_NEXT_MESSAGE: return "next message";
        case ODM_ALERT_ABORT: return "session abort";
        case ODM_ALERT_CLIENT_EVENT: return "client event";
        case ODM_ALERT_NO_END_OF_DATA: return "no end of data";
        case ODM_ALERT_GENERIC: return "generic alert";
        default: return "alert";
        }
}

/* " (int) = 5", or a count of octets for what is no short text. */
static odm_str value_text(xrem *c, const odm_command *cmd, const odm_item *it)
{
        odm_meta m = odm_meta_of(cmd, it);
        odm_str d = it->data.bytes;
        const char *more = it->more ? " (more follows)" : "";
        const char *format =
                m.format == ODM_FMT_ABSENT ? "" : xrem_fmt(c, " (%s)", odm_format_name(m.format));

        if (it->data.kind == ODM_DATA_ABSENT)
                return xrem_str(c, "%s", format);
        if (it->data.kind == ODM_DATA_XML)
                return xrem_str(c, "%s = document of %zu octets%s", format, d.n, more);
        if (d.n > VALUE_MAX || !odm_utf8_ok(d))
                return xrem_str(c, "%s = %zu octets%s", format, d.n, more);
        return xrem_str(c, "%s = \"%s\"%s", format, text(c, d), more);
}

static void print_item(xrem *c, const odm_command *cmd, const odm_item *it, unsigned indent)
{
        odm_str place = it->target.p ? it->target : it->source;
        odm_meta m = odm_meta_of(cmd, it);

        printf("%*s%s", (int)indent, "", text(c, place));
        if (cmd->kind == ODM_CMD_COPY)
                printf(" from %s", text(c, it->source));
        if (cmd->kind == ODM_CMD_ALERT && m.type.p)
                printf(" %s", text(c, m.type));
        if (m.mark.p)
                printf(" [%s]", text(c, m.mark));
        printf("%s\n", value_text(c, cmd, it).p);
}

static void print_items(xrem *c, const odm_command *cmd, unsigned indent)
{
        const odm_item *it = cmd->items;

        if (it == NULL) {
                putchar('\n');
        } else if (it->next == NULL) {
                print_item(c, cmd, it, 1);
        } else {
                putchar('\n');
                for (; it; it = it->next)
                        print_item(c, cmd, it, indent + 4);
        }
}

static void print_status(xrem *c, const odm_command *cmd)
{
        bool good = xrem_succeeded(cmd->code);
        const char *colour = xrem_colour(c, good ? XREM_GREEN : XREM_RED);
        bool of_hdr = odm_str_is(cmd->cmd_ref, "0");

        printf(" %s%u %s%s for %s", colour, cmd->code, odm_status_text(cmd->code),
               xrem_colour(c, XREM_PLAIN), of_hdr ? "the message" : text(c, cmd->cmd));
        if (!of_hdr)
                printf(" %s", text(c, cmd->cmd_ref));
        for (const odm_ref *r = of_hdr ? NULL : cmd->target_refs; r; r = r->next)
                printf(" %s", text(c, r->uri));
        if (cmd->chal.present)
                printf(", challenge %s", text(c, cmd->chal.type));
}

static void print_command(xrem *c, const odm_command *cmd, unsigned indent)
{
        printf("%*s%3s %s%s%s", (int)indent, "", text(c, cmd->cmd_id), xrem_colour(c, XREM_BOLD),
               cmd->kind == ODM_CMD_UNKNOWN ? text(c, cmd->name) : odm_cmd_name(cmd->kind),
               xrem_colour(c, XREM_PLAIN));
        if (cmd->kind == ODM_CMD_STATUS)
                print_status(c, cmd);
        if (cmd->kind == ODM_CMD_ALERT)
                printf(" %u %s", cmd->code, alert_name(cmd->code));
        if (cmd->kind == ODM_CMD_RESULTS)
                printf(" of %s", text(c, cmd->cmd_ref));
        if (cmd->correlator.p)
                printf(" correlator %s", text(c, cmd->correlator));
        print_items(c, cmd, indent);
}

static void print_header(xrem *c, const odm_hdr *h, unsigned indent)
{
        printf("%*sSession %s, message %s, from %s to %s", (int)indent, "", text(c, h->session_id),
               text(c, h->msg_id), text(c, h->source), text(c, h->target));
        if (h->source_name.p)
                printf(", user %s", text(c, h->source_name));
        if (h->cred.present)
                printf(", credentials %s", text(c, h->cred.meta.type));
        if (h->meta.has_max_msg)
                printf(", messages up to %llu", (unsigned long long)h->meta.max_msg);
        if (h->meta.has_max_obj)
                printf(", objects up to %llu", (unsigned long long)h->meta.max_obj);
        if (h->resp_uri.p)
                printf(", answer to %s", text(c, h->resp_uri));
        putchar('\n');
}

void xrem_summary(xrem *c, const odm_msg *m, unsigned indent)
{
        const odm_command *stack[DEPTH];
        const odm_command *at = m->body;
        size_t depth = 0;

        print_header(c, &m->hdr, indent);
        while (at || depth > 0) {
                if (at == NULL) {
                        at = stack[--depth];
                        continue;
                }
                print_command(c, at, indent + 2 + 2 * (unsigned)depth);
                if (at->body && depth < DEPTH) {
                        stack[depth++] = at->next;
                        at = at->body;
                } else {
                        at = at->next;
                }
        }
        if (m->final)
                printf("%*sFinal\n", (int)indent + 6, "");
}
