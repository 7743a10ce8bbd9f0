/* SPDX-License-Identifier: Apache-2.0 */
/* xrem session: what was said, message by message. */
#include <stdio.h>

#include "commands.h"
#include "fields.h"
#include "io.h"
#include "odm/codec.h"
#include "summary.h"

static const xrem_field shown[] = {
        {"Session", "id", false},
        {"Device", "device", false},
        {"SessionID", "session_id", false},
        {"Began", "started", true},
        {"Outcome", "outcome", false},
        {"Route", "route", false},
        {"Transport", "transport", false},
        {"Codec", "codec", false},
        {"Authenticated", "authenticated", false},
        {"Agent", "agent", false},
        {"Octets in", "bytes_in", false},
        {"Octets out", "bytes_out", false},
};

int xrem_run_session_list(xrem *c, const xrem_args *a)
{
        static const xrem_list_col cols[] = {
                {{.head = "Session", .keep = true}, "id", false, false},
                {{.head = "Began"}, "started", true, false},
                {{.head = "Route"}, "route", false, false},
                {{.head = "Over"}, "transport", false, false},
                {{.head = "Codec"}, "codec", false, false},
                {{.head = "Messages", .right = true}, "message_count", false, false},
                {{.head = "In", .right = true}, "bytes_in", false, false},
                {{.head = "Out", .right = true}, "bytes_out", false, false},
                {{.head = "Outcome"}, "outcome", false, false},
        };
        json_t *items = NULL;
        uint64_t limit;
        int rc = xrem_number(a, "limit", UINT32_MAX, 20, &limit);

        if (rc == XREM_OK)
                rc = xrem_api_list(c, xrem_device_path(c, a->word[0], "/sessions"), limit, &items);
        if (rc != XREM_OK)
                return rc;
        return xrem_list_print(c, items, cols, ODM_COUNT(cols), "no sessions yet");
}

/* ---- one session ------------------------------------------------------------------------ */

static void print_head(xrem *c, const json_t *m, size_t number)
{
        bool in = odm_str_is(xrem_json_str(m, "direction"), "in");

        printf("\n%s%zu  %s  %s  %lld octets  %s%s%s\n",
               xrem_colour(c, in ? XREM_GREEN : XREM_BLUE), number,
               in ? "device to server" : "server to device",
               xrem_visible(c, xrem_json_str(m, "time"), false).p, xrem_json_int(m, "size", 0),
               xrem_visible(c, xrem_json_str(m, "content_type"), false).p,
               json_is_true(json_object_get(m, "mac")) ? "  with x-syncml-hmac" : "",
               xrem_colour(c, XREM_PLAIN));
}

static void print_hex(odm_str s)
{
        for (size_t i = 0; i < s.n; i += 16) {
                printf("  %06zx ", i);
                for (size_t k = i; k < i + 16; k++)
                        if (k < s.n)
                                printf(" %02x", (uint8_t)s.p[k]);
                        else
                                fputs("   ", stdout);
                fputs("  ", stdout);
                for (size_t k = i; k < i + 16 && k < s.n; k++)
                        putchar(s.p[k] >= ' ' && s.p[k] < 0x7f ? s.p[k] : '.');
                putchar('\n');
        }
}

static void print_summary(xrem *c, odm_str xml)
{
        odm_limits lim;
        odm_msg *msg;

        odm_limits_init(&lim);
        lim.max_msg = XREM_FILE_MAX;
        if (odm_decode(&odm_codec_xml, xml, &lim, &c->arena, &msg) == 0)
                xrem_summary(c, msg, 2);
        else
                xrem_put_text(c, xml);
}

static void print_raw(xrem *c, const json_t *m)
{
        odm_str octets;

        if (odm_b64_decode(&c->arena, xrem_json_str(m, "raw_base64"), &octets) == 0)
                print_hex(octets);
}

static void print_message(xrem *c, const xrem_args *a, const json_t *m, size_t number)
{
        odm_str xml = xrem_json_str(m, "xml");

        print_head(c, m, number);
        if (json_is_true(json_object_get(m, "missing")))
                puts("  (it was too large to keep)");
        if (json_is_true(json_object_get(m, "broken")))
                puts("  (it could not be decoded)");
        if (xrem_has(a, "raw"))
                print_raw(c, m);
        else if (xml.p && xrem_has(a, "summary"))
                print_summary(c, xml);
        else if (xml.p) {
                xrem_put_text(c, xml);
                if (xml.n && xml.p[xml.n - 1] != '\n')
                        putchar('\n');
        }
}

static int last_session(xrem *c, const char *device, const char **out)
{
        json_t *items = NULL;
        int rc = xrem_api_list(c, xrem_device_path(c, device, "/sessions"), 1, &items);

        if (rc != XREM_OK)
                return rc;
        *out = xrem_json_z(json_array_get(items, 0), "id");
        if (*out == NULL)
                return xrem_fail(XREM_NOT_FOUND, "%s has had no session yet", device);
        return XREM_OK;
}

int xrem_run_session_show(xrem *c, const xrem_args *a)
{
        const char *id = a->n_words > 1 ? a->word[1] : NULL;
        json_t *session = NULL;
        int rc = id ? XREM_OK : last_session(c, a->word[0], &id);

        if (rc != XREM_OK)
                return rc;
        const char *path =
                xrem_device_path(c, a->word[0], xrem_fmt(c, "/sessions/%s", xrem_escape(c, id)));
        if (xrem_has(a, "raw") || xrem_has(a, "secrets"))
                path = xrem_query(c, path, "secrets", "1");
        xrem_ask ask = {.method = "GET", .path = path};
        if ((rc = xrem_api(c, &ask, &session)) != XREM_OK)
                return rc;
        if (c->set.json)
                return xrem_print_json(json_incref(session));
        xrem_fields_print(c, session, shown, ODM_COUNT(shown));
        const json_t *list = json_object_get(session, "messages");
        for (size_t i = 0; i < json_array_size(list); i++)
                print_message(c, a, json_array_get(list, i), i + 1);
        return XREM_OK;
}
