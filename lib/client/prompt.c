/* SPDX-License-Identifier: Apache-2.0 */
/* User interaction alerts (dm-protocol.md 6): the option string, the text and the choices. */
#include "session.h"

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* "John+Doe%21" to "John Doe!"; a broken escape stays as it is. */
static odm_str url_decode(odm_arena *a, odm_str s)
{
        char *p = odm_arena_get(a, s.n + 1);
        size_t n = 0;

        if (p == NULL)
                return ODM_ABSENT;
        for (size_t i = 0; i < s.n; i++) {
                int hi = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
                int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
                if (lo >= 0) {
                        p[n++] = (char)(hi << 4 | lo);
                        i += 2;
                } else {
                        p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
                }
        }
        return (odm_str){p, n};
}

static uint32_t number(odm_str s)
{
        uint64_t v;

        return odm_str_u64(s, UINT32_MAX, &v) == 0 ? (uint32_t)v : 0;
}

static char one_of(odm_str s, const char *letters, char standard)
{
        return s.n == 1 && odm_str_has(odm_cstr(letters), s.p[0]) ? s.p[0] : standard;
}

/* Unknown options are skipped in silence. */
static void set_option(odm_request *r, odm_str name, odm_str value)
{
        if (odm_str_ieq(name, "MINDT"))
                r->min_s = number(value);
        else if (odm_str_ieq(name, "MAXDT"))
                r->max_s = number(value);
        else if (odm_str_ieq(name, "MAXLEN"))
                r->max_len = number(value);
        else if (odm_str_ieq(name, "DR"))
                r->preset = value;
        else if (odm_str_ieq(name, "IT"))
                r->input = one_of(value, "ANDTPI", 'A');
        else if (odm_str_ieq(name, "ET"))
                r->echo = one_of(value, "TP", 'T');
}

static size_t index_of(odm_str s, char ch)
{
        size_t i = 0;

        while (i < s.n && s.p[i] != ch)
                i++;
        return i;
}

static int read_options(odm_client *c, odm_str options)
{
        odm_request *r = &c->request;

        r->options = options;
        while (options.n > 0) {
                odm_str pair = odm_str_to(options, index_of(options, '&'));
                size_t eq = index_of(pair, '=');
                odm_str name = odm_str_trim(odm_str_to(pair, eq));
                odm_str value = url_decode(&c->in, odm_str_from(pair, eq + 1));
                if (value.p == NULL)
                        return arena_rc(&c->in);
                set_option(r, name, value);
                options = odm_str_from(options, pair.n + 1);
        }
        return 0;
}

int odm_prompt_read(odm_client *c, const odm_command *cmd, unsigned *code)
{
        const odm_item *options = cmd->items, *text = options ? options->next : NULL;
        bool choosing = cmd->code == ODM_ALERT_CHOICE || cmd->code == ODM_ALERT_CHOICES;

        if (!c->opt.has_ui) {
                *code = ODM_ST_UNSUPPORTED;
                return 0;
        }
        if (text == NULL || (choosing && text->next == NULL)) {
                *code = ODM_ST_INCOMPLETE;
                return 0;
        }
        *code = 0;
        c->request = (odm_request){.kind = ODM_REQ_USER,
                                   .alert = cmd->code,
                                   .text = text->data.bytes,
                                   .choices = choosing ? text->next : NULL,
                                   .input = 'A',
                                   .echo = 'T'};
        return read_options(c, options->data.bytes);
}
