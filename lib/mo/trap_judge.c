/* SPDX-License-Identifier: Apache-2.0 */
/* When a trap's condition holds (mo-diagmon.md 8, the table of kinds).  Numbers are in millionths,
 * so that int and float leaves are compared without rounding. */
#include <string.h>

#include "trap_node.h"

#define MILLION 1000000
#define LARGEST INT64_MAX
#define EARTH_M 6371000.0
#define PI 3.14159265358979323846
#define REF_INTERVAL_S 60

/* ---- numbers -------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Multiplies by ten to the power of `exp`. */
static int64_t scaled(uint64_t m, int exp)
{
        for (; exp > 0 && m > 0; exp--) {
                if (m > LARGEST / 10)
                        return LARGEST;
                m *= 10;
        }
        for (; exp < 0 && m > 0; exp++)
                m /= 10;
        return m > LARGEST ? LARGEST : (int64_t)m;
}

/* "e-3" at s[i], to the end. */
static int exponent(odm_str s, size_t i, int *out)
{
        bool minus = i + 1 < s.n && s.p[i + 1] == '-';
        uint64_t n;
        size_t at = i + 1 + (minus || (i + 1 < s.n && s.p[i + 1] == '+'));

        if (odm_str_u64(odm_str_from(s, at), 9999, &n) < 0)
                return ODM_EMALFORMED;
        *out = minus ? -(int)n : (int)n;
        return 0;
}

int odm_trap_number(odm_str text, int64_t *out)
{
        odm_str s = odm_str_trim(text);
        bool minus = s.n && s.p[0] == '-', fraction = false;
        size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'), digits = 0;
        uint64_t m = 0;
        int exp = 6, more = 0;
        int64_t v;

        for (; i < s.n && (is_digit(s.p[i]) || (s.p[i] == '.' && !fraction)); i++) {
                if (s.p[i] == '.') {
                        fraction = true;
                        continue;
                }
                digits++;
                if (m < UINT64_MAX / 100) {
                        m = m * 10 + (uint64_t)(s.p[i] - '0');
                        exp -= fraction;
                } else {
                        exp += !fraction && exp < 9999;
                }
        }
        if (digits == 0)
                return ODM_EMALFORMED;
        if (i < s.n && ((s.p[i] != 'e' && s.p[i] != 'E') || exponent(s, i, &more) < 0))
                return ODM_EMALFORMED;
        v = scaled(m, exp + more);
        *out = minus ? -v : v;
        return 0;
}

/* Without needless zeros: "4", "0.25". */
static odm_str number_text(odm_arena *a, int64_t v)
{
        uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
        odm_str s =
                odm_arena_fmt(a, "%s%llu.%06llu", v < 0 ? "-" : "",
                              (unsigned long long)(m / MILLION), (unsigned long long)(m % MILLION));

        while (s.n && s.p[s.n - 1] == '0')
                s.n--;
        if (s.n && s.p[s.n - 1] == '.')
                s.n--;
        return s;
}

/* ---- places ----------------------------------------------------------------------------------- */

/* Only digits and a sign: the form of 3GPP TS 23.032 6.1 when it cannot be degrees. */
static bool is_whole(odm_str s)
{
        size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');

        while (i < s.n && is_digit(s.p[i]))
                i++;
        return s.n && i == s.n;
}

int odm_trap_degrees(odm_str text, bool is_lat, int64_t *out)
{
        const int64_t most = (is_lat ? 90 : 180) * (int64_t)MILLION;
        odm_str s = odm_str_trim(text);
        int64_t v;

        if (odm_trap_number(s, &v) < 0)
                return ODM_EMALFORMED;
        if (is_whole(s) && (v > 180 * (int64_t)MILLION || v < -180 * (int64_t)MILLION)) {
                int64_t n = v / MILLION;
                if (n > 1 << 24 || n < -(1 << 24))
                        return ODM_EMALFORMED;
                v = is_lat ? n * 90 * MILLION / (1 << 23) : n * 360 * MILLION / (1 << 24);
        }
        if (v > most || v < -most)
                return ODM_EMALFORMED;
        *out = v;
        return 0;
}

/* The room uses no mathematical library; beyond x^17 nothing is left of a metre. */
static double sine(double x)
{
        double term = x, sum = x;

        for (int k = 1; k <= 9; k++) {
                term *= -x * x / ((2 * k) * (2 * k + 1));
                sum += term;
        }
        return sum;
}

static double square(double x)
{
        return x * x;
}

static double radians(int64_t millionths)
{
        return (double)millionths / MILLION * (PI / 180);
}

/* By the haversine of the angle between them, which grows with it up to half a circle. */
bool odm_trap_near(int64_t lat1, int64_t long1, int64_t lat2, int64_t long2, int64_t radius)
{
        double reach = (double)radius / EARTH_M;
        double wide = radians(long2 - long1) / 2, h;

        if (reach >= PI)
                return true;
        if (wide > PI / 2)
                wide = PI - wide;
        if (wide < -PI / 2)
                wide = -PI - wide;
        h = square(sine(radians(lat2 - lat1) / 2)) +
            sine(PI / 2 - radians(lat1)) * sine(PI / 2 - radians(lat2)) * square(sine(wide));
        return h <= square(sine(reach / 2));
}

/* ---- configuration ---------------------------------------------------------------------------- */

struct conf {
        odm_tree *tree;
        const char *trap;
        odm_arena *a;
        int rc; /* the first failure */
};

/* A number of TrapConfig in millionths; false when it is not set. */
static bool conf_number(struct conf *c, const char *rel, int64_t *out)
{
        odm_str text = ODM_ABSENT;

        if (c->rc == 0)
                c->rc = odm_trap_leaf(c->tree, c->trap, rel, c->a, &text);
        return c->rc == 0 && text.n && odm_trap_number(text, out) == 0;
}

static int64_t seconds(struct conf *c, const char *rel, int64_t otherwise)
{
        int64_t v = otherwise * MILLION;

        (void)conf_number(c, rel, &v);
        return v / (MILLION / 1000);
}

static void say(struct conf *c, odm_trap_verdict *v, const char *before, int64_t value,
                const char *between, int64_t limit)
{
        odm_str x = number_text(c->a, value), y = number_text(c->a, limit);

        v->reason = odm_arena_fmt(c->a, "%s%.*s%s%.*s", before, (int)x.n, x.p ? x.p : "", between,
                                  (int)y.n, y.p ? y.p : "");
}

/* ---- the kinds -------------------------------------------------------------------------------- */

/* Reads Ref with the rights of the server that wrote it: who may not read a node may not learn its
 * value by a trap either. */
static bool read_ref(struct conf *c, odm_wall now, int64_t *out)
{
        odm_op op = {.kind = ODM_CMD_GET, .at_hand = true};
        odm_answer got = {0};

        c->rc = odm_trap_leaf(c->tree, c->trap, "TrapConfig/Ref", c->a, &op.target);
        if (c->rc == 0)
                c->rc = odm_trap_leaf(c->tree, c->trap, TRAP_REF_BY, c->a, &op.server);
        if (c->rc < 0 || op.target.n == 0)
                return false;
        if (op.server.n == 0)
                op.server = ODM_ABSENT;
        int rc = odm_tree_do(c->tree, &op, now, c->a, &got);
        if (rc < 0)
                c->rc = rc;
        return rc == 0 && odm_status_ok(got.status) && got.results && got.results->has_data &&
               odm_trap_number(got.results->value.data, out) == 0;
}

/* An amount that may not overflow: both are far from the ends. */
static int64_t sum(int64_t a, int64_t b)
{
        if (b > 0 && a > LARGEST - b)
                return LARGEST;
        if (b < 0 && a < -LARGEST - b)
                return -LARGEST;
        return a + b;
}

static void judge_threshold(struct conf *c, odm_wall now, odm_trap_verdict *v)
{
        int64_t x = 0, low = 0, high = 0, back = 0;
        bool has_low = conf_number(c, "TrapConfig/Low", &low);
        bool has_high = conf_number(c, "TrapConfig/High", &high);

        (void)conf_number(c, "TrapConfig/Hysteresis", &back);
        v->interval_ms = seconds(c, "TrapConfig/SampIntrvl", REF_INTERVAL_S);
        if (c->rc < 0 || !read_ref(c, now, &x))
                return;
        v->is = TRAP_BAD;
        if (has_low && x <= low) {
                say(c, v, "", x, " is at or below ", low);
        } else if (has_high && x >= high) {
                say(c, v, "", x, " is at or above ", high);
        } else if ((!has_low || x > sum(low, back)) && (!has_high || x < sum(high, -back))) {
                v->is = TRAP_GOOD;
                v->reason =
                        odm_arena_join(c->a, number_text(c->a, x), ODM_STR(" is within limits"));
        } else {
                v->is = TRAP_BETWEEN;
        }
}

static void judge_low(struct conf *c, const char *low_leaf, const char *high_leaf, const char *unit,
                      int64_t x, odm_trap_verdict *v)
{
        int64_t low = 0, high = 0;
        bool has_low = conf_number(c, low_leaf, &low);
        bool has_high = conf_number(c, high_leaf, &high);

        v->is = TRAP_BETWEEN;
        if (!has_low) {
                v->is = TRAP_GOOD;
                v->reason = ODM_STR("there is no limit");
        } else if (x < low) {
                v->is = TRAP_BAD;
                say(c, v, "", x, unit, low);
        } else if (!has_high || x > high) {
                v->is = TRAP_GOOD;
                v->reason = odm_arena_join(c->a, number_text(c->a, x), ODM_STR(" is enough"));
        }
}

static void judge_full(struct conf *c, int64_t x, odm_trap_verdict *v)
{
        int64_t percent = 100 * (int64_t)MILLION;

        (void)conf_number(c, "TrapConfig/Percent", &percent);
        v->is = x >= percent ? TRAP_BAD : TRAP_GOOD;
        say(c, v, "", x, x >= percent ? " percent are used, limit " : " percent are used, below ",
            percent);
}

struct searching {
        struct conf *c;
        int64_t lat, lon;
        odm_str found;
};

static int search_area(void *ctx, odm_str name)
{
        struct searching *s = ctx;
        const char *leaf[3] = {"Lat", "Long", "Radius"};
        odm_str text[3] = {{NULL, 0}};
        int64_t lat, lon, radius;

        for (size_t i = 0; i < 3 && s->c->rc == 0; i++)
                s->c->rc = odm_trap_text(s->c->tree,
                                         odm_arena_fmt(s->c->a,
                                                       ODM_TRAP_AT "/%s/TrapConfig/GeoArea/%.*s/%s",
                                                       s->c->trap, (int)name.n, name.p, leaf[i]),
                                         s->c->a, &text[i]);
        if (s->c->rc < 0)
                return s->c->rc;
        if (odm_trap_degrees(text[0], true, &lat) < 0 ||
            odm_trap_degrees(text[1], false, &lon) < 0 || odm_trap_number(text[2], &radius) < 0)
                return 0; /* not all of it is written yet */
        if (!odm_trap_near(s->lat, s->lon, lat, lon, radius / MILLION))
                return 0;
        s->found = odm_arena_copy(s->c->a, name);
        return 1;
}

static void judge_place(struct conf *c, odm_trap_verdict *v)
{
        struct searching s = {.c = c};
        odm_str lat = ODM_ABSENT, lon = ODM_ABSENT, areas;
        int rc;

        c->rc = odm_trap_text(c->tree, ODM_STR("./DiagMon/Location/DiagMonData/Lat"), c->a, &lat);
        if (c->rc == 0)
                c->rc = odm_trap_text(c->tree, ODM_STR("./DiagMon/Location/DiagMonData/Long"), c->a,
                                      &lon);
        if (c->rc < 0 || odm_trap_degrees(lat, true, &s.lat) < 0 ||
            odm_trap_degrees(lon, false, &s.lon) < 0)
                return; /* nobody knows where we are */
        areas = odm_arena_fmt(c->a, ODM_TRAP_AT "/%s/TrapConfig/GeoArea", c->trap);
        rc = areas.p ? odm_tree_children(c->tree, areas, search_area, &s) : odm_arena_err(c->a);
        if (rc < 0 && rc != ODM_ENOENT)
                c->rc = rc;
        v->is = rc == 1 ? TRAP_BAD : TRAP_GOOD;
        v->reason = rc == 1 ? odm_arena_join(c->a, ODM_STR("inside area "), s.found)
                            : ODM_STR("outside all areas");
}

int odm_trap_judge(odm_tree *t, const char *trap, odm_trap_kind kind, const odm_trap_done *d,
                   odm_wall now, odm_arena *a, odm_trap_verdict *out)
{
        struct conf c = {t, trap, a, 0};
        odm_trap_verdict v = {.is = TRAP_UNKNOWN,
                              .reason = ODM_ABSENT,
                              .hold_ms = seconds(&c, "TrapConfig/HoldTime", 0),
                              .interval_ms = ODM_TRAP_INTERVAL * 1000};
        bool known = d && d->rc == 0;

        switch (kind) {
        case ODM_TRAP_THRESHOLD: judge_threshold(&c, now, &v); break;
        case ODM_TRAP_GEO: judge_place(&c, &v); break;
        case ODM_TRAP_RXPWR:
                if (known)
                        judge_low(&c, "TrapConfig/LowPower", "TrapConfig/HighPower",
                                  " dBm is below ", d->value, &v);
                break;
        case ODM_TRAP_DATASPEED:
                if (known)
                        judge_low(&c, "TrapConfig/Low", "TrapConfig/High", " kbit/s is below ",
                                  d->value, &v);
                break;
        case ODM_TRAP_REBOOT:
                v.is = known && d->value ? TRAP_BAD : TRAP_GOOD;
                v.reason = ODM_STR("the device started without having been stopped");
                break;
        case ODM_TRAP_LOGFULL:
                if (known)
                        judge_full(&c, d->value, &v);
                break;
        }
        if (c.rc == 0 && a->err)
                c.rc = odm_arena_err(a);
        if (c.rc == 0)
                *out = v;
        return c.rc;
}

/* ---- names ------------------------------------------------------------------------------------ */

/* The character at *i in lower case, past the hyphen of "oma-diag"; 0 at the end. */
static char next_letter(odm_str s, size_t *i)
{
        char c;

        if (*i >= 3 && *i + 5 <= s.n && s.p[*i] == '-' &&
            odm_str_ieq((odm_str){s.p + *i - 3, 3}, "oma") &&
            odm_str_ieq((odm_str){s.p + *i + 1, 4}, "diag"))
                ++*i;
        if (*i >= s.n)
                return 0;
        c = s.p[(*i)++];
        return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool odm_trap_id_same(odm_str a, odm_str b)
{
        size_t i = 0, k = 0;

        for (;;) {
                char x = next_letter(a, &i), y = next_letter(b, &k);
                if (x != y)
                        return false;
                if (x == 0)
                        return i == a.n && k == b.n;
        }
}

struct finding {
        odm_tree *tree;
        odm_str id, uri;
        odm_arena *a;
};

static int is_it(void *ctx, odm_str name)
{
        struct finding *f = ctx;
        odm_str uri = odm_arena_fmt(f->a, ODM_TRAP_AT "/%.*s", (int)name.n, name.p);
        odm_str id = ODM_ABSENT;
        int rc = uri.p ? odm_trap_text(f->tree, odm_arena_join(f->a, uri, ODM_STR("/TrapID")), f->a,
                                       &id)
                       : odm_arena_err(f->a);

        if (rc < 0)
                return rc;
        f->uri = uri;
        return id.n && odm_trap_id_same(id, f->id);
}

int odm_trap_find(odm_tree *t, odm_str id, odm_arena *a, odm_str *uri)
{
        struct finding f = {t, id, ODM_ABSENT, a};
        int rc = odm_tree_children(t, ODM_STR(ODM_TRAP_AT), is_it, &f);

        if (rc < 0)
                return rc;
        if (rc == 0)
                return ODM_ENOENT;
        *uri = f.uri;
        return 0;
}
