/* SPDX-License-Identifier: Apache-2.0 */
/* Node URIs with their query (dm-tree.md 1, 5.1).  A URI comes from strangers: the path is judged
 * first for syntax, then for its limits, and only then is the query looked at, so that one bad URI
 * always gets the same status. */
#include <string.h>

#include "odm/tree.h"

static const char *const prop_names[] = {
        [ODM_PROP_NONE] = "",         [ODM_PROP_ACL] = "ACL",   [ODM_PROP_FORMAT] = "Format",
        [ODM_PROP_NAME] = "Name",     [ODM_PROP_SIZE] = "Size", [ODM_PROP_TITLE] = "Title",
        [ODM_PROP_TSTAMP] = "TStamp", [ODM_PROP_TYPE] = "Type", [ODM_PROP_VERNO] = "VerNo",
        [ODM_PROP_VALUE] = "Value",
};

#define LIST_PROPS_ALL 0x3feu /* ODM_PROP_ACL to ODM_PROP_VALUE */

const char *odm_prop_name(odm_prop p)
{
        return (size_t)p < ODM_COUNT(prop_names) ? prop_names[p] : "?";
}

static odm_prop prop_parse(odm_str s)
{
        for (size_t i = ODM_PROP_ACL; i < ODM_COUNT(prop_names); i++)
                if (odm_str_is(s, prop_names[i]))
                        return (odm_prop)i;
        return ODM_PROP_NONE;
}

static bool is_hex(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_char(char c)
{
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
                return true;
        if ((unsigned char)c >= 0x80) /* part of a character beyond ASCII; checked as UTF-8 */
                return true;
        return c != '\0' && strchr("-_.!~*'():@&=+$,", c) != NULL;
}

static bool is_dots(odm_str s)
{
        return (s.n == 1 && s.p[0] == '.') || (s.n == 2 && s.p[0] == '.' && s.p[1] == '.');
}

bool odm_name_ok(odm_str s)
{
        unsigned char all = 0;

        if (s.n == 0 || is_dots(s))
                return false;
        for (size_t i = 0; i < s.n; i++) {
                all |= (unsigned char)s.p[i];
                if (s.p[i] == '%') {
                        if (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
                                return false;
                        i += 2;
                } else if (!is_name_char(s.p[i])) {
                        return false;
                }
        }
        return all < 0x80 || odm_utf8_ok(s);
}

static size_t find(odm_str s, char c)
{
        size_t i = 0;

        while (i < s.n && s.p[i] != c)
                i++;
        return i;
}

/* Cuts the path into u->seg; every segment is checked, also those there is no room for. */
static int parse_path(odm_str path, odm_uri *u)
{
        size_t depth = 0;

        for (;;) {
                size_t n = find(path, '/');
                odm_str seg = odm_str_to(path, n);
                if (!odm_name_ok(seg))
                        return ODM_EMALFORMED;
                if (depth < ODM_URI_SEGS)
                        u->seg[depth] = seg;
                depth++;
                if (n == path.n)
                        break;
                path = odm_str_from(path, n + 1);
        }
        u->depth = (uint16_t)(depth > UINT16_MAX ? UINT16_MAX : depth);
        return 0;
}

/* Is that more than `max` characters?  There are no more of them than octets. */
static bool longer(odm_str s, size_t max)
{
        return s.n > max && odm_utf8_len(s) > max;
}

static int check_limits(const odm_uri *u, odm_str total, const odm_uri_limits *lim)
{
        if (u->depth > ODM_URI_SEGS)
                return ODM_ELIMIT;
        if (lim == NULL)
                return 0;
        if ((lim->max_depth && u->depth > lim->max_depth) ||
            (lim->max_tot_len && longer(total, lim->max_tot_len)))
                return ODM_ELIMIT;
        for (size_t i = 0; lim->max_seg_len && i < u->depth; i++)
                if (longer(u->seg[i], lim->max_seg_len))
                        return ODM_ELIMIT;
        return 0;
}

/* "TNDS", "TNDS+P1+P2" or "TNDS-P1-P2": the signs may not be mixed. */
static int parse_tnds(odm_str rest, uint16_t *props)
{
        uint16_t named = 0;
        char sign = rest.n ? rest.p[0] : '-';

        if (sign != '+' && sign != '-')
                return ODM_EUNSUPPORTED;
        while (rest.n) {
                if (rest.p[0] != sign)
                        return ODM_EUNSUPPORTED;
                rest = odm_str_from(rest, 1);
                size_t n = 0;
                while (n < rest.n && rest.p[n] != '+' && rest.p[n] != '-')
                        n++;
                odm_prop p = prop_parse(odm_str_to(rest, n));
                if (p == ODM_PROP_NONE)
                        return ODM_EUNSUPPORTED;
                named |= (uint16_t)(1u << p);
                rest = odm_str_from(rest, n);
        }
        *props = sign == '+' ? named : (uint16_t)(LIST_PROPS_ALL & ~(unsigned)named);
        return 0;
}

static int parse_query(odm_str q, odm_uri *u)
{
        if (odm_str_starts(q, "prop=")) {
                u->prop = prop_parse(odm_str_from(q, 5));
                return u->prop == ODM_PROP_NONE || u->prop == ODM_PROP_VALUE ? ODM_EUNSUPPORTED : 0;
        }
        if (odm_str_is(q, "list=Struct")) {
                u->list = ODM_LIST_STRUCT;
                return 0;
        }
        if (odm_str_is(q, "list=StructData")) {
                u->list = ODM_LIST_STRUCT_DATA;
                return 0;
        }
        if (!odm_str_starts(q, "list=TNDS"))
                return ODM_EUNSUPPORTED;
        u->list = ODM_LIST_TNDS;
        return parse_tnds(odm_str_from(q, 9), &u->list_props);
}

int odm_uri_parse(odm_str in, const odm_uri_limits *lim, odm_uri *out)
{
        odm_uri u = {.depth = 0};
        size_t mark = find(in, '?');
        odm_str path = odm_str_to(in, mark);
        size_t dots = 0;
        int rc = 0;

        if (odm_str_is(path, "."))
                dots = 1;
        else if (odm_str_starts(path, "./"))
                dots = 2;
        u.path = odm_str_from(path, dots);
        if (dots != 1) /* anything but the root has at least one segment */
                rc = parse_path(u.path, &u);
        if (rc == 0)
                rc = check_limits(&u, odm_str_from(in, dots), lim);
        if (rc == 0 && mark < in.n)
                rc = parse_query(odm_str_from(in, mark + 1), &u);
        if (rc == 0)
                *out = u;
        return rc;
}

unsigned odm_uri_status(int err)
{
        if (err >= 0)
                return ODM_ST_OK;
        if (err == ODM_ELIMIT)
                return ODM_ST_URI_TOO_LONG;
        return err == ODM_EUNSUPPORTED ? ODM_ST_UNSUPPORTED : ODM_ST_NOT_FOUND;
}
