/* SPDX-License-Identifier: Apache-2.0 */
/* Traps: every arrow of mo-diagmon.md 8 and every refusal, the table of kinds, the power cut after
 * each record of the log, each allocation failing in turn. */
#include "lab.h"
#include "mo.h"
#include "odm/trap.h"

static odm_traps *traps; /* one at a time: tests and restarts do not overlap */
static odm_trap_hub hub;
static long value;           /* what ./Vendor/xrem/Uptime says; below 0: nothing */
static const char *load;     /* and Load1 */
static const char *measured; /* "kind number", what the host measures; NULL: nothing */
static int64_t now_s;
static unsigned pings, keeps, fails; /* fails: so many orders are answered with ODM_EIO */
static char said[1024];

static void say(const char *fmt, ...) ODM_PRINTF(1, 2);
static void say(const char *fmt, ...)
{
        size_t n = strlen(said);
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(said + n, sizeof said - n, fmt, ap);
        va_end(ap);
}

static int read_value(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)at;
        if (value < 0)
                return ODM_ENOENT;
        out->format = ODM_FMT_INT;
        out->data = odm_arena_fmt(a, "%ld", value);
        return out->data.p ? 0 : odm_arena_err(a);
}

static int read_load(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)at;
        out->format = ODM_FMT_FLOAT;
        out->data = odm_arena_copy(a, odm_cstr(load));
        return out->data.p ? 0 : odm_arena_err(a);
}

static int ping(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        (void)at;
        (void)op;
        pings++;
        *status = 200;
        return 0;
}

static const odm_binding bind[] = {{.path = "Uptime", .read = read_value},
                                   {.path = "Load/Load1", .read = read_load},
                                   {.path = "Ping", .exec = ping}};
static const odm_provider machine = {
        .name = "xrem", .mo = &odm_mo_xrem, .bind = bind, .n_bind = ODM_COUNT(bind)};

static int mount(lab *l)
{
        const odm_traps_opt o = {.mem = l->mem, .tree = l->tree, .mo = &odm_mo_trap, .hub = &hub};
        int rc = odm_tree_mount(l->tree, NULL, &machine);

        odm_traps_free(traps);
        traps = NULL;
        hub = (odm_trap_hub){0};
        return rc == 0 ? odm_traps_new(&o, &traps) : rc;
}

static int made(lab *l)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv&Add=srv&Delete=srv")};
        int rc = 0;

        for (int k = ODM_TRAP_GEO; rc == 0 && k < ODM_TRAP_KINDS; k++)
                rc = odm_traps_offer(traps, (odm_trap_kind)k, true, LAB_NOW);
        if (rc == 0 && odm_tree_exists(l->tree, ODM_STR("./Trap?prop=ACL")))
                return 0;
        if (rc == 0)
                rc = odm_tree_write(l->tree, ODM_STR("./Trap?prop=ACL"), &acl, LAB_NOW);
        return rc == 0 ? odm_tree_write(l->tree, ODM_STR("./Vendor?prop=ACL"), &acl, LAB_NOW) : rc;
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc;

        value = 50;
        load = "0.5";
        measured = NULL;
        now_s = 1000;
        pings = keeps = fails = 0;
        said[0] = 0;
        rc = lab_open(l, mem, mount);
        return rc == 0 ? made(l) : rc;
}

static void close_lab(lab *l)
{
        odm_traps_free(traps);
        traps = NULL;
        lab_close(l);
}

/* ---- the host ------------------------------------------------------------------------------- */

static odm_time now(void)
{
        return (odm_time){now_s * 1000};
}

static odm_wall wall(void)
{
        return (odm_wall){LAB_NOW.s + now_s};
}

static odm_trap_done measure(const odm_trap_order *o)
{
        odm_trap_done d = {.rc = ODM_ENOENT};
        char name[32];
        long n = 0;

        if (measured && sscanf(measured, "%31s %ld", name, &n) == 2 &&
            strcmp(name, odm_trap_name(o->kind)) == 0)
                d = (odm_trap_done){.rc = 0, .value = (int64_t)n * 1000000};
        if (o->detail.n)
                say("(%.*s)", (int)o->detail.n, o->detail.p);
        return d;
}

static odm_trap_done alerted(const odm_trap_order *o)
{
        const char *type = strrchr(o->alert.type.p, ':'); /* the copy ends with a zero */

        assert_int_equal(o->alert.code, 1226);
        assert_string_equal(o->alert.mark.p, "warning");
        assert_non_null(type);
        if (odm_str_is(o->server, "gone"))
                return (odm_trap_done){.rc = ODM_ENOENT};
        say("%.*s %s %.*s%s%.*s%s%.*s; ", (int)o->server.n, o->server.p, type + 1,
            (int)o->alert.source.n, o->alert.source.p, o->alert.data.n ? " " : "",
            (int)o->alert.data.n, o->alert.data.p, o->alert.source_name.n ? " " : "",
            (int)o->alert.source_name.n, o->alert.source_name.p ? o->alert.source_name.p : "");
        return (odm_trap_done){.rc = 0};
}

/* Does all that is to be done now. */
static int pump(void)
{
        const odm_trap_order *o;
        int rc;

        while ((rc = odm_traps_next(traps, now(), wall(), &o)) == 1) {
                odm_trap_done d = {.rc = 0};
                if (fails && o->what != ODM_TRAP_SAMPLE) {
                        fails--;
                        d.rc = ODM_EIO;
                } else if (o->what == ODM_TRAP_KEEP) {
                        keeps++;
                } else {
                        d = o->what == ODM_TRAP_SAMPLE ? measure(o) : alerted(o);
                }
                rc = odm_traps_did(traps, &d, now(), wall());
                if (rc < 0)
                        return rc;
        }
        return rc;
}

/* The clock goes to `s`, and whatever falls due on the way is done. */
static int pump_until(int64_t s)
{
        for (;;) {
                int rc = pump();
                odm_time due = odm_traps_time(traps);
                if (rc < 0 || due.ms > s * 1000) {
                        now_s = s;
                        return rc < 0 ? rc : pump();
                }
                if (due.ms > now_s * 1000)
                        now_s = (due.ms + 999) / 1000;
        }
}

static int operate(lab *l, odm_cmd kind, const char *uri, odm_format f, const char *data,
                   unsigned *status)
{
        const odm_op op = {.kind = kind,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .has_value = data != NULL,
                           .value = {.format = f, .data = odm_cstr(data)}};
        odm_answer out = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, l->mem, 1 << 20);
        rc = odm_tree_do(l->tree, &op, wall(), &a, &out);
        odm_arena_done(&a);
        if (rc == 0)
                *status = out.status;
        return rc;
}

/* One line of a story:
 *   + URI [VALUE] [STATUS]   the server adds a node, or a leaf (chr fits the node's own format)
 *   = URI VALUE [STATUS]     it replaces a leaf        - URI [STATUS]   it deletes a node
 *   v N                      the value becomes N       l TEXT           the load
 *   m KIND N                 the host measures that    t S              the clock moves on
 *   > TEXT                   what was said since       s NAME N         its Status
 *   f N                      so many orders fail       p N              so many pings till now */
static int tell(lab *l, const char *why, const char *line)
{
        char a[128] = "", b[128] = "", c[16] = "", uri[160];
        unsigned status = 0;
        int n = sscanf(line + 1, "%127s %127s %15s", a, b, c), rc = 0;

        snprintf(uri, sizeof uri, "./Trap/%s", a);
        switch (line[0]) {
        case '+':
                if (n == 1)
                        rc = operate(l, ODM_CMD_ADD, uri, ODM_FMT_NODE, "", &status);
                else
                        rc = operate(l, ODM_CMD_ADD, uri, b[0] == '!' ? ODM_FMT_NODE : ODM_FMT_CHR,
                                     b[0] == '!' ? "" : b, &status);
                if (rc == 0 && status != (n == 3 ? strtoul(c, NULL, 10) : 200))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '=':
                rc = operate(l, ODM_CMD_REPLACE, uri, ODM_FMT_CHR, b, &status);
                if (rc == 0 && status != (n == 3 ? strtoul(c, NULL, 10) : 200))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '-':
                rc = operate(l, ODM_CMD_DELETE, uri, ODM_FMT_ABSENT, NULL, &status);
                if (rc == 0 && status != (n == 2 ? strtoul(b, NULL, 10) : 200))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case 'v': value = strtol(a, NULL, 10); break;
        case 'l': load = line + 2; break;
        case 'm': measured = line + 2; break;
        case 't': rc = pump_until(now_s + strtol(a, NULL, 10)); break;
        case 'f': fails = (unsigned)strtoul(a, NULL, 10); break;
        case '>':
                rc = pump();
                if (rc == 0 && strcmp(said, line[1] ? line + 2 : "") != 0)
                        fail_msg("%s: wanted '%s', said '%s'", why, line, said);
                if (rc == 0)
                        said[0] = 0;
                break;
        case 's':
                snprintf(uri, sizeof uri, "./Trap/%s/Status", a);
                if (strcmp(lab_get(l, uri), b) != 0)
                        fail_msg("%s: %s is %s", why, line, lab_get(l, uri));
                break;
        case 'p':
                if (pings != strtoul(a, NULL, 10))
                        fail_msg("%s: %s: %u", why, line, pings);
                break;
        default: fail_msg("%s: what is '%s'?", why, line);
        }
        return rc;
}

struct story {
        const char *why, *line[32];
};

#define REF "+T/TrapConfig/Ref ./Vendor/xrem/Uptime"
#define SRV "+T/ServerIDs/a/ServerID srv"
#define FIRED(x) "> srv TrapNotification ./Trap/T " x "; "
#define OVER(x) "> srv TrapInactiveNotification ./Trap/T " x "; "

static const struct story stories[] = {
        {"fires once, and clears",
         {"+T",
          REF,
          "+T/TrapConfig/Low 10",
          SRV,
          "t 300",
          ">",
          "v 10",
          "t 59",
          ">",
          "t 1",
          FIRED("10 is at or below 10"),
          "s T 20",
          "v 3",
          "t 600",
          ">",
          "v 11",
          "t 60",
          OVER("11 is within limits"),
          "s T 10",
          "t 600",
          ">",
          "v 0",
          "t 60",
          FIRED("0 is at or below 10")}},
        {"from above, and a fraction",
         {"+T", "+T/TrapConfig/Ref ./Vendor/xrem/Load/Load1", "+T/TrapConfig/High 2", SRV, "l 1.99",
          "t 60", ">", "l 2.00", "t 60", FIRED("2 is at or above 2"), "l 1.999", "t 60",
          OVER("1.999 is within limits")}},
        {"hysteresis: back, but not far enough",
         {"+T",
          REF,
          "+T/TrapConfig/Low 10",
          "+T/TrapConfig/High 90",
          "+T/TrapConfig/Hysteresis 5",
          SRV,
          "v 95",
          "t 60",
          FIRED("95 is at or above 90"),
          "v 86",
          "t 60",
          ">",
          "s T 20",
          "v 85",
          "t 60",
          ">",
          "v 84",
          "t 60",
          OVER("84 is within limits"),
          "v 86",
          "t 60",
          ">",
          "s T 10",
          "v 10",
          "t 60",
          FIRED("10 is at or below 10"),
          "v 15",
          "t 60",
          ">"}},
        {"HoldTime: a short one is nothing",
         {"+T", REF, "+T/TrapConfig/Low 10", "+T/TrapConfig/HoldTime 30",
          "+T/TrapConfig/SampIntrvl 10", SRV, "v 5", "t 20", ">", "v 50", "t 20", ">", "v 5",
          "t 35", ">", "t 5", FIRED("5 is at or below 10"), "s T 20"}},
        {"it is looked at when HoldTime is over, not at the next interval",
         {"+T", REF, "+T/TrapConfig/Low 10", "+T/TrapConfig/HoldTime 7", "v 5", SRV, "t 7",
          FIRED("5 is at or below 10")}},
        {"nobody is registered: nothing is watched, and who comes is told",
         {"+T", REF, "+T/TrapConfig/Low 10", "v 5", "t 600", ">", "s T 10", SRV,
          FIRED("5 is at or below 10"), "-T/ServerIDs/a", ">", "s T 10", SRV,
          FIRED("5 is at or below 10")}},
        {"a second one who comes while it is active hears of its end",
         {"+T", REF, "+T/TrapConfig/Low 10", "v 5", SRV, FIRED("5 is at or below 10"),
          "+T/ServerIDs/b/ServerID two", ">", "v 50", "t 60",
          "> srv TrapInactiveNotification ./Trap/T 50 is within limits; two "
          "TrapInactiveNotification ./Trap/T 50 is within limits; "}},
        {"an entry without a server is nobody",
         {"+T", REF, "+T/TrapConfig/Low 10", "v 5", "+T/ServerIDs/a", "t 600", ">", "s T 10"}},
        {"a server without an account is dropped",
         {"+T", REF, "+T/TrapConfig/Low 10", "v 5", "+T/ServerIDs/a/ServerID gone",
          "+T/ServerIDs/b/ServerID srv", FIRED("5 is at or below 10"), "-T/ServerIDs/a 404"}},
        {"a local node is executed, each time it fires",
         {"+T", REF, "+T/TrapConfig/Low 10", "+T/ToRef/p/URI ./Vendor/xrem/Ping", "v 5", "t 60",
          "p 1", ">", "v 50", "t 60", "p 1", "v 5", "t 60", "p 2", ">"}},
        {"its target is gone: the entry is dropped and its writer told",
         {"+T", REF, "+T/TrapConfig/Low 10", "+T/ToRef/p/URI ./Vendor/xrem/Pong",
          "+T/ToRef/q/URI ./Vendor/xrem/Ping", "v 5",
          "> srv TrapDeregistered ./Trap/T ./Vendor/xrem/Pong; ", "p 1", "-T/ToRef/p 404",
          "s T 20"}},
        {"what cannot be executed now stays",
         {"+T", REF, "+T/TrapConfig/Low 10", "+T/ToRef/p/URI ./Vendor/xrem/Uptime", "v 5", ">",
          "-T/ToRef/p"}},
        {"the value goes away: what is active stays so, what is not does not fire",
         {"+T", REF, "+T/TrapConfig/Low 10", SRV, "v -1", "t 120", ">", "s T 10", "v 5", "t 60",
          FIRED("5 is at or below 10"), "v -1", "t 120", ">", "s T 20"}},
        {"no limit is set", {"+T", REF, SRV, "t 600", ">", "s T 10"}},
        {"nothing is named", {"+T", "+T/TrapConfig/Low 10", SRV, "t 600", ">", "s T 10"}},
        {"a leaf that is no number, one that no server may read",
         {"+T", "+T/TrapConfig/Ref ./Vendor/xrem/Machine", "+T/TrapConfig/Low 10", SRV, "t 60", ">",
          "=T/TrapConfig/Ref ./Trap/T/TrapID", "t 60", ">", "s T 10"}},
        {"a new limit is looked at once",
         {"+T", REF, "+T/TrapConfig/Low 10", SRV, ">", "=T/TrapConfig/Low 60",
          FIRED("50 is at or below 60"), "=T/TrapConfig/Low 10", OVER("50 is within limits")}},
        {"deleted while active: silence",
         {"+T", REF, "+T/TrapConfig/Low 10", "v 5", SRV, FIRED("5 is at or below 10"), "-T", ">",
          "t 600", ">"}},
        {"orders that fail are given again",
         {"+T", REF, "+T/TrapConfig/Low 10", "v 5", SRV, "f 3", "t 4", ">", "t 30",
          FIRED("5 is at or below 10"), "p 0"}},
        {"values that make no sense",
         {"+T", "+T/TrapConfig/HoldTime -1 415", "+T/TrapConfig/SampIntrvl 0 415",
          "+T/TrapConfig/Hysteresis -5 415", "+T/TrapConfig/Low high 415",
          "+T/TrapConfig/Ref ../etc 415", "+T/TrapConfig/Ref ./A?prop=ACL 415",
          "+LogFull/TrapConfig/Percent 101 415", "+LogFull/TrapConfig/Percent 0 415",
          "+DataSpeed/TrapConfig/Direction left 415", "+Geo/TrapConfig/GeoArea/a/Lat 91 415",
          "+T/ToRef/a/URI . 415"}},
        {"not the server's to write",
         {"+T", "=T/Status 20 405", "=T/TrapID x 405", "+T/Ext/xrem ! 405",
          "+T/Ext/xrem/Event active 405", "=T?prop=Name U 405", "-Geo 405", "+T/Other 1 405"}},
        {"speed: between the limits nothing moves",
         {"+DataSpeed/TrapConfig/Low 100", "+DataSpeed/TrapConfig/High 200",
          "+DataSpeed/TrapConfig/Direction up", "+DataSpeed/ServerIDs/a/ServerID srv",
          "m DataSpeed 150", "> (up)", "m DataSpeed 99", "t 10",
          "> (up)srv TrapNotification ./Trap/DataSpeed 99 kbit/s is below 100; ", "m DataSpeed 200",
          "t 10", "> (up)", "s DataSpeed 20", "m DataSpeed 201", "t 10",
          "> (up)srv TrapInactiveNotification ./Trap/DataSpeed 201 is enough; "}},
        {"power: below, and not measured for a while",
         {"+RxPower/TrapConfig/LowPower -90", "+RxPower/TrapConfig/HoldTime 15",
          "+RxPower/ServerIDs/a/ServerID srv", "m RxPower -95", "t 10", "m none 0", "t 10",
          "m RxPower -95", "t 10", ">", "t 15",
          "> srv TrapNotification ./Trap/RxPower -95 dBm is below -90; "}},
        {"a hard restart is told once, and is not active",
         {"+HardReboot/ServerIDs/a/ServerID srv", "m HardReboot 1",
          "> srv TrapNotification ./Trap/HardReboot the device started without having been "
          "stopped; ",
          "s HardReboot 10", "t 600", ">"}},
        {"who registers later does not hear of it",
         {"m HardReboot 1", ">", "+HardReboot/ServerIDs/a/ServerID srv", "t 60", ">"}},
        {"a log is full, and is not",
         {"+LogFull/TrapConfig/Percent 80", "+LogFull/ServerIDs/a/ServerID srv", "m LogFull 79",
          ">", "m LogFull 80", "t 10",
          "> srv TrapNotification ./Trap/LogFull 80 percent are used, limit 80; ", "m LogFull 10",
          "t 10", "> srv TrapInactiveNotification ./Trap/LogFull 10 percent are used, below 80; "}},
};

static void every_arrow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                lab l;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(stories[i].line) && stories[i].line[k]; k++)
                        assert_int_equal(tell(&l, stories[i].why, stories[i].line[k]), 0);
                close_lab(&l);
        }
}

/* ---- rights ----------------------------------------------------------------------------------- */

static void set_acl(lab *l, const char *uri, const char *acl)
{
        const odm_value v = {.data = odm_cstr(acl)};

        assert_int_equal(odm_tree_write(l->tree, odm_cstr(uri), &v, LAB_NOW), 0);
}

/* What the server that wrote the address may not do, the trap does not do for it. */
static void rights_are_those_of_the_writer(void **state)
{
        static const char *const line[] = {
                "+T", REF, "+T/TrapConfig/Low 10", "+T/ToRef/p/URI ./Vendor/xrem/Ping", SRV, "v 5"};
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(line); i++)
                assert_int_equal(tell(&l, "", line[i]), 0);
        set_acl(&l, "./Vendor/xrem/Ping?prop=ACL", "Get=*");
        set_acl(&l, "./Vendor?prop=ACL", "Get=*&Exec=other");
        assert_int_equal(tell(&l, "no Exec",
                              "> srv TrapNotification ./Trap/T 5 is at or below 10; "
                              "srv TrapDeregistered ./Trap/T ./Vendor/xrem/Ping; "),
                         0);
        assert_int_equal(pings, 0);
        set_acl(&l, "./Vendor?prop=ACL", "Get=other");
        assert_int_equal(tell(&l, "no Get: the value is not known", "v 50"), 0);
        assert_int_equal(tell(&l, "", "t 120"), 0);
        assert_int_equal(tell(&l, "", ">"), 0);
        assert_int_equal(tell(&l, "", "s T 20"), 0);
        close_lab(&l);
}

/* An address that the device wrote by itself meets no list; the server that writes over it does. */
static void the_writer_is_the_last_one(void **state)
{
        const odm_value ping_uri = {.data = ODM_STR("./Vendor/xrem/Ping")};
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_int_equal(tell(&l, "", "+T"), 0);
        assert_int_equal(
                odm_tree_write(l.tree, ODM_STR("./Trap/T/ToRef/p/URI"), &ping_uri, LAB_NOW), 0);
        assert_string_equal(lab_get(&l, "./Trap/T/Ext/xrem/UriBy/p"), "");
        assert_int_equal(tell(&l, "", "=T/ToRef/p/URI ./Vendor/xrem/Ping"), 0);
        assert_string_equal(lab_get(&l, "./Trap/T/Ext/xrem/UriBy/p"), "srv");
        assert_int_equal(tell(&l, "", "-T/ToRef/p"), 0);
        assert_string_equal(lab_get(&l, "./Trap/T/Ext/xrem/UriBy/p"), "(none)");
        close_lab(&l);
}

/* ---- listeners -------------------------------------------------------------------------------- */

static odm_trap_listener one, two;
static char log_name[] = "log", job_name[] = "job", once_name[] = "once";

static void hear(void *ctx, const odm_trap_event *e)
{
        say("[%s %.*s %s]", (const char *)ctx, (int)e->uri.n, e->uri.p, e->active ? "on" : "off");
        if (strcmp(ctx, "once") == 0) {
                odm_trap_unlisten(&hub, &one);
                odm_trap_unlisten(&hub, &two);
        }
}

static void listeners_are_told(void **state)
{
        static const char *const line[] = {"+T", REF, "+T/TrapConfig/Low 10", "v 5"};
        odm_arena a;
        odm_str uri;
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(line); i++)
                assert_int_equal(tell(&l, "", line[i]), 0);
        one = (odm_trap_listener){.idle = true, .fn = hear, .ctx = log_name};
        odm_trap_listen(&hub, &one);
        assert_int_equal(tell(&l, "one that only listens arms nothing", "t 120"), 0);
        assert_int_equal(tell(&l, "", ">"), 0);
        two = (odm_trap_listener){.id = ODM_STR("URN:oma:mo:x-xrem-trap-threshold:1.0/T"),
                                  .fn = hear,
                                  .ctx = job_name};
        odm_trap_listen(&hub, &two);
        assert_int_equal(odm_traps_time(traps).ms, 0);
        assert_int_equal(
                tell(&l, "one that hooks on it does", "> [job ./Trap/T on][log ./Trap/T on]"), 0);
        assert_int_equal(odm_traps_active(traps), 1);
        assert_int_equal(odm_traps_watched(traps), 1);
        two.ctx = once_name;
        assert_int_equal(tell(&l, "", "v 50"), 0);
        assert_int_equal(tell(&l, "", "t 60"), 0);
        assert_int_equal(tell(&l, "it took both off while it was called", "> [once ./Trap/T off]"),
                         0);
        assert_null(hub.first);
        assert_int_equal(pump(), 0);
        assert_int_equal(odm_traps_watched(traps), 0);
        odm_arena_init(&a, &heap, 4096);
        assert_int_equal(
                odm_trap_find(l.tree, ODM_STR("urn:oma:mo:omadiagmontrap:geo:1.0"), &a, &uri), 0);
        assert_true(odm_str_is(uri, "./Trap/Geo"));
        assert_int_equal(odm_trap_find(l.tree, ODM_STR("urn:none"), &a, &uri), ODM_ENOENT);
        odm_arena_done(&a);
        close_lab(&l);
}

/* ---- places ----------------------------------------------------------------------------------- */

static void put(lab *l, const char *uri, const char *text)
{
        const odm_value v = {.data = odm_cstr(text)};

        assert_int_equal(odm_tree_write(l->tree, odm_cstr(uri), &v, LAB_NOW), 0);
}

static void areas_are_entered_and_left(void **state)
{
        static const char *const line[] = {"+Geo/TrapConfig/GeoArea/home/Lat 46.948",
                                           "+Geo/TrapConfig/GeoArea/home/Long 7.4474",
                                           "+Geo/TrapConfig/GeoArea/home/Radius 500",
                                           "+Geo/TrapConfig/GeoArea/half/Lat 1",
                                           "+Geo/ServerIDs/a/ServerID srv",
                                           "t 60",
                                           ">"};
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(line); i++)
                assert_int_equal(tell(&l, "nobody knows where", line[i]), 0);
        put(&l, "./DiagMon/Location/DiagMonData/Lat", "46.9481");
        put(&l, "./DiagMon/Location/DiagMonData/Long", "7.4600");
        assert_int_equal(tell(&l, "", "t 10"), 0);
        assert_int_equal(tell(&l, "a kilometre away", ">"), 0);
        put(&l, "./DiagMon/Location/DiagMonData/Long", "7.4500");
        assert_int_equal(tell(&l, "", "t 10"), 0);
        assert_int_equal(tell(&l, "", "> srv TrapNotification ./Trap/Geo inside area home; "), 0);
        put(&l, "./DiagMon/Location/DiagMonData/Long", "8");
        assert_int_equal(tell(&l, "", "t 10"), 0);
        assert_int_equal(
                tell(&l, "", "> srv TrapInactiveNotification ./Trap/Geo outside all areas; "), 0);
        close_lab(&l);
}

static void distances(void **state)
{
        static const struct {
                const char *why;
                double lat1, lon1, lat2, lon2; /* degrees */
                int64_t near, far;             /* metres: within, not within */
        } row[] = {
                {"the same place", 10, 10, 10, 10, 0, -1},
                {"a degree of latitude", 0, 0, 1, 0, 111196, 111194},
                {"a degree of longitude at 60", 60, 0, 60, 1, 55598, 55590},
                {"over the date line", 0, 179.5, 0, -179.5, 111196, 111194},
                {"pole to pole", 90, 0, -90, 0, 20015200, 20014000},
                {"over the pole", 89.5, 0, 89.5, 180, 111197, 111193},
                {"ten metres", 46.948, 7.4474, 46.94809, 7.4474, 11, 9},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                int64_t p[4] = {(int64_t)(row[i].lat1 * 1e6), (int64_t)(row[i].lon1 * 1e6),
                                (int64_t)(row[i].lat2 * 1e6), (int64_t)(row[i].lon2 * 1e6)};
                if (!odm_trap_near(p[0], p[1], p[2], p[3], row[i].near))
                        fail_msg("%s: not within %lld", row[i].why, (long long)row[i].near);
                if (row[i].far >= 0 && odm_trap_near(p[0], p[1], p[2], p[3], row[i].far))
                        fail_msg("%s: within %lld", row[i].why, (long long)row[i].far);
        }
}

static void numbers(void **state)
{
        static const struct {
                const char *text;
                int rc;
                int64_t want;
        } row[] = {
                {"0", 0, 0},
                {"-1", 0, -1000000},
                {"+2.5", 0, 2500000},
                {" 7 ", 0, 7000000},
                {".5", 0, 500000},
                {"0.0000019", 0, 1},
                {"1e3", 0, 1000000000},
                {"1.5E-3", 0, 1500},
                {"1e400", 0, INT64_MAX},
                {"-99999999999999999999999", 0, -INT64_MAX},
                {"1e-400", 0, 0},
                {"0e9999", 0, 0},
                {"", ODM_EMALFORMED, 0},
                {"-", ODM_EMALFORMED, 0},
                {".", ODM_EMALFORMED, 0},
                {"1.2.3", ODM_EMALFORMED, 0},
                {"1e", ODM_EMALFORMED, 0},
                {"1e99999", ODM_EMALFORMED, 0},
                {"12a", ODM_EMALFORMED, 0},
                {"nan", ODM_EMALFORMED, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                int64_t got = 0;
                if (odm_trap_number(odm_cstr(row[i].text), &got) != row[i].rc || got != row[i].want)
                        fail_msg("'%s': %lld", row[i].text, (long long)got);
        }
}

static void degrees(void **state)
{
        static const struct {
                const char *text;
                bool is_lat;
                int rc;
                int64_t want;
        } row[] = {
                {"46.948", true, 0, 46948000},
                {"-180", false, 0, -180000000},
                {"180", false, 0, 180000000},
                {"4194304", true, 0, 45000000}, /* 2^22 of 2^23 a quarter */
                {"-4194304", false, 0, -90000000},
                {"8388608", true, 0, 90000000},
                {"181.0", false, ODM_EMALFORMED, 0},
                {"91", true, ODM_EMALFORMED, 0},
                {"99999999", false, ODM_EMALFORMED, 0},
                {"here", false, ODM_EMALFORMED, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(row); i++) {
                int64_t got = 0;
                if (odm_trap_degrees(odm_cstr(row[i].text), row[i].is_lat, &got) != row[i].rc ||
                    got != row[i].want)
                        fail_msg("'%s': %lld", row[i].text, (long long)got);
        }
}

/* ---- what the device offers ------------------------------------------------------------------- */

static void kinds_come_and_go(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_string_equal(lab_get(&l, "./Trap/Geo/TrapID"), odm_trap_type(ODM_TRAP_GEO));
        assert_int_equal(odm_traps_offer(traps, ODM_TRAP_GEO, false, LAB_NOW), 0);
        assert_false(odm_tree_exists(l.tree, ODM_STR("./Trap/Geo")));
        assert_int_equal(tell(&l, "not for a server", "+Geo ! 405"), 0);
        assert_int_equal(odm_traps_offer(traps, ODM_TRAP_GEO, true, LAB_NOW), 0);
        assert_int_equal(tell(&l, "", "+Geo/ServerIDs/a/ServerID srv"), 0);
        assert_int_equal(odm_traps_offer(traps, ODM_TRAP_GEO, false, LAB_NOW), 0);
        assert_true(odm_tree_exists(l.tree, ODM_STR("./Trap/Geo")));
        assert_int_equal(odm_traps_offer(traps, ODM_TRAP_THRESHOLD, true, LAB_NOW), ODM_EINVAL);
        close_lab(&l);
}

/* What was measured for a trap that went meanwhile makes no trap. */
static void a_late_sample_is_nothing(void **state)
{
        const odm_trap_done low = {.rc = 0, .value = 1};
        const odm_trap_order *o = NULL;
        unsigned status = 0;
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_int_equal(pump(), 0);
        assert_int_equal(tell(&l, "", "+DataSpeed/TrapConfig/Low 100"), 0);
        assert_int_equal(tell(&l, "", "+DataSpeed/ServerIDs/a/ServerID srv"), 0);
        assert_int_equal(odm_traps_next(traps, now(), wall(), &o), 1);
        assert_int_equal(o->what, ODM_TRAP_SAMPLE);
        assert_int_equal(lab_delete(&l, "./Trap/DataSpeed", &status), 0);
        assert_int_equal(status, 200);
        assert_int_equal(odm_traps_did(traps, &low, now(), wall()), 0);
        assert_int_equal(pump(), 0);
        assert_false(odm_tree_exists(l.tree, ODM_STR("./Trap/DataSpeed")));
        assert_string_equal(said, "");
        close_lab(&l);
}

static void there_is_a_ceiling(void **state)
{
        char line[32];
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (int i = ODM_TRAP_KINDS - 1; i < ODM_TRAP_MAX; i++) {
                snprintf(line, sizeof line, "+t%d", i);
                assert_int_equal(tell(&l, "", line), 0);
        }
        assert_int_equal(tell(&l, "one too many", "+more ! 420"), 0);
        assert_int_equal(tell(&l, "", ">"), 0);
        close_lab(&l);
}

/* ---- power and memory -------------------------------------------------------------------------- */

static const char *const life[] = {"+T",
                                   REF,
                                   "+T/TrapConfig/Low 10",
                                   "+T/ToRef/p/URI ./Vendor/xrem/Ping",
                                   "+T/ToRef/q/URI ./Vendor/xrem/Pong",
                                   SRV,
                                   "v 5",
                                   "t 120",
                                   "v 50",
                                   "t 120"};

static bool holds(const char *text)
{
        return strstr(said, text) != NULL;
}

/* Whatever reached the disk: after the start each event is told that was not told to its end, and
 * nothing is told that was. */
static void the_power_goes(void **state)
{
        lab l;
        bool once = false;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(life); i++)
                assert_int_equal(tell(&l, "", life[i]), 0);
        assert_true(l.n_log > 15);
        for (size_t n = 0; n <= l.n_log; n++) {
                lab after;
                const char *status;
                bool untold;
                value = 5;
                said[0] = 0;
                assert_int_equal(lab_restart(&l, n, &after, mount, made), 0);
                status = lab_get(&after, "./Trap/T/Status");
                bool was = strcmp(status, "20") == 0;
                untold = lab_get(&after, "./Trap/T/Ext/xrem/Event")[0] == 'a';
                bool armed = odm_tree_exists(after.tree, ODM_STR("./Trap/T/ServerIDs/a/ServerID"));
                assert_int_equal(pump(), 0);
                if (was && !untold) {
                        assert_string_equal(said, ""); /* it does not fire again */
                        once = true;
                } else if (was) {
                        assert_true(holds("srv TrapNotification"));
                }
                if (armed)
                        assert_string_equal(lab_get(&after, "./Trap/T/Status"), "20");
                close_lab(&after);
        }
        assert_true(once);
        lab_close(&l);
}

/* What lies down and goes on as the same device does not wait for HoldTime from the beginning; one
 * that was off does. */
static void a_hold_goes_on(void **state)
{
        static const char *const steps[] = {"+T",
                                            REF,
                                            "+T/TrapConfig/Low 10",
                                            "+T/TrapConfig/HoldTime 30",
                                            "+T/TrapConfig/SampIntrvl 10",
                                            SRV,
                                            "v 5",
                                            "t 20"};

        (void)state;
        for (int same = 0; same < 2; same++) {
                odm_trap_since held[2];
                lab l, after;
                size_t n;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t i = 0; i < ODM_COUNT(steps); i++)
                        assert_int_equal(tell(&l, "", steps[i]), 0);
                n = odm_traps_holding(traps, held, ODM_COUNT(held));
                assert_int_equal(n, 1);
                assert_string_equal(held[0].name, "T");
                assert_int_equal(odm_traps_holding(traps, held, 0), 0);
                assert_int_equal(lab_restart(&l, l.n_log, &after, mount, made), 0);
                if (same)
                        odm_traps_go_on(traps, held, n);
                said[0] = 0;
                assert_int_equal(pump(), 0);
                assert_int_equal(odm_traps_holding(traps, held, 2), 1);
                now_s += 15;
                assert_int_equal(pump(), 0);
                assert_int_equal(holds("srv TrapNotification ./Trap/T"), same);
                close_lab(&after);
                lab_close(&l);
        }
}

static void late_news_say_when(void **state)
{
        lab l, after;
        size_t n;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < 7; i++)
                assert_int_equal(tell(&l, "", life[i]), 0);
        fails = 1;
        assert_int_equal(pump(), 0); /* the event is kept, and nobody was told */
        n = l.n_log;
        now_s += 3600;
        assert_int_equal(lab_restart(&l, n, &after, mount, made), 0);
        said[0] = 0;
        assert_int_equal(pump(), 0);
        assert_true(holds("srv TrapNotification ./Trap/T 5 is at or below 10 20101117T"));
        close_lab(&after);
        lab_close(&l);
}

static void a_log_that_fails_is_tried_again(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(tell(&l, "", life[i]), 0);
        assert_int_equal(pump(), 0);
        value = 5;
        now_s += 60;
        l.log_fails = true;
        assert_int_equal(pump(), ODM_EIO);
        assert_string_equal(said, "");
        l.log_fails = false;
        now_s += 5;
        assert_int_equal(pump(), 0);
        assert_true(holds("srv TrapNotification"));
        assert_int_equal(odm_tree_begin(l.tree, LAB_NOW), 0);
        value = 50;
        now_s += 60;
        assert_int_equal(pump(), ODM_ESTATE);
        odm_tree_rollback(l.tree);
        assert_int_equal(pump(), 0);
        close_lab(&l);
}

static int live(lab *l)
{
        int rc = open_lab(l, l->mem);

        for (size_t i = 0; i < ODM_COUNT(life) && rc == 0; i++)
                rc = tell(l, "", life[i]);
        return rc;
}

static int tortured(failing *f, void *arg)
{
        lab l = {.mem = &f->mem};
        int rc = live(&l);

        (void)arg;
        close_lab(&l);
        return rc;
}

static void memory_runs_out(void **state)
{
        (void)state;
        torture(tortured, NULL, 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(rights_are_those_of_the_writer),
                cmocka_unit_test(the_writer_is_the_last_one),
                cmocka_unit_test(listeners_are_told),
                cmocka_unit_test(areas_are_entered_and_left),
                cmocka_unit_test(distances),
                cmocka_unit_test(numbers),
                cmocka_unit_test(degrees),
                cmocka_unit_test(kinds_come_and_go),
                cmocka_unit_test(a_late_sample_is_nothing),
                cmocka_unit_test(there_is_a_ceiling),
                cmocka_unit_test(the_power_goes),
                cmocka_unit_test(a_hold_goes_on),
                cmocka_unit_test(late_news_say_when),
                cmocka_unit_test(a_log_that_fails_is_tried_again),
                cmocka_unit_test(memory_runs_out),
        };

        return RUN_TESTS(tests);
}
