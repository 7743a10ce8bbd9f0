/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - /proc and /sys as DiagMon tells them; see probe.h. */
#include "part/probe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "odm/tree.h"

#define KBYTE 1000 /* as all our objects count (mo-diagmon.md 7) */

static void put_at(probe_sink *to, const char *text, const char *rel, va_list list)
{
        char path[160];
        int n = vsnprintf(path, sizeof path, rel, list);

        if (to->rc == 0 && *text && n > 0 && (size_t)n < sizeof path)
                to->rc = to->put(to->ctx, (odm_str){path, (size_t)n}, odm_cstr(text));
}

void probe_put(probe_sink *to, const char *text, const char *rel, ...)
{
        va_list list;

        va_start(list, rel);
        put_at(to, text, rel, list);
        va_end(list);
}

/* The leaves are int: 32 bits, so what is larger is shown as the largest. */
void probe_put_int(probe_sink *to, int64_t n, const char *rel, ...)
{
        char text[24];
        va_list list;

        if (n > INT32_MAX)
                n = INT32_MAX;
        if (n < INT32_MIN)
                n = INT32_MIN;
        snprintf(text, sizeof text, "%" PRId64, n);
        va_start(list, rel);
        put_at(to, text, rel, list);
        va_end(list);
}

/* Text of the machine as a leaf may have it. */
static void clean(char *text)
{
        for (char *c = text; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f)
                        *c = ' ';
        if (!odm_utf8_ok(odm_cstr(text)))
                for (char *c = text; *c; c++)
                        if ((unsigned char)*c >= 0x80)
                                *c = '?';
}

static bool line_of(const machine *m, char *out, size_t room, const char *path, ...)
        ODM_PRINTF(4, 5);
static bool line_of(const machine *m, char *out, size_t room, const char *path, ...)
{
        char whole[400];
        va_list list;
        int n;

        va_start(list, path);
        n = vsnprintf(whole, sizeof whole, path, list);
        va_end(list);
        if (n < 0 || (size_t)n >= sizeof whole || !machine_line(m, whole, out, room))
                return false;
        clean(out);
        return true;
}

static bool number_of(const machine *m, int64_t *out, const char *path, ...) ODM_PRINTF(3, 4);
static bool number_of(const machine *m, int64_t *out, const char *path, ...)
{
        char whole[400];
        va_list list;
        int n;

        va_start(list, path);
        n = vsnprintf(whole, sizeof whole, path, list);
        va_end(list);
        return n > 0 && (size_t)n < sizeof whole && machine_number(m, whole, out);
}

/* ---- memory ---------------------------------------------------------------------------------- */

void probe_memory(const machine *m, odm_wall now, probe_sink *to)
{
        machine_disk *d = calloc(MACHINE_DISKS, sizeof *d);
        int64_t kib, total = 0, avail = 0;
        size_t n = d ? machine_disks(m, d) : 0;

        (void)now;
        if (machine_memory(m, "MemTotal", &kib) == 0)
                probe_put_int(to, kib * 1024 / KBYTE, "RAMTotal");
        if (machine_memory(m, "MemAvailable", &kib) == 0)
                probe_put_int(to, kib * 1024 / KBYTE, "RAMAvail");
        for (size_t i = 0; i < n; i++) {
                int64_t all = d[i].total_mb * (1 << 20) / KBYTE;
                int64_t free_now = d[i].free_mb * (1 << 20) / KBYTE;
                if (d[i].removable) {
                        probe_put_int(to, all, "ExtMem/%s/Total", d[i].name);
                        probe_put_int(to, free_now, "ExtMem/%s/Avail", d[i].name);
                        continue;
                }
                total += all;
                avail += free_now;
        }
        if (total) {
                probe_put_int(to, total, "StorageTotal");
                probe_put_int(to, avail, "StorageAvail");
        }
        free(d);
}

/* ---- batteries -------------------------------------------------------------------------------- */

#define SUPPLY "/sys/class/power_supply/%s/"

typedef struct supplies {
        const machine *m;
        probe_sink *to;
        int plugged; /* -1: nothing tells */
} supplies;

static bool is_of_us(const machine *m, const char *name)
{
        char scope[32];

        return !line_of(m, scope, sizeof scope, SUPPLY "scope", name) ||
               strcmp(scope, "Device") != 0; /* the battery of a mouse is the mouse's */
}

static bool is_battery(const machine *m, const char *name)
{
        char type[32];

        return line_of(m, type, sizeof type, SUPPLY "type", name) && strcmp(type, "Battery") == 0 &&
               is_of_us(m, name);
}

static void look_for_plug(void *ctx, const char *name)
{
        supplies *s = ctx;
        int64_t online;

        if (is_battery(s->m, name) || !is_of_us(s->m, name) ||
            !number_of(s->m, &online, SUPPLY "online", name))
                return;
        if (s->plugged < 1)
                s->plugged = online > 0;
}

/* mo-diagmon.md 7.2 */
static int battery_status(const machine *m, const char *name)
{
        char status[32] = "", health[40] = "", level[32] = "";
        int64_t present;

        if (number_of(m, &present, SUPPLY "present", name) && present == 0)
                return 5;
        (void)line_of(m, health, sizeof health, SUPPLY "health", name);
        if (strcmp(health, "Dead") == 0 || strstr(health, "failure") || strstr(health, "Over"))
                return 3;
        (void)line_of(m, status, sizeof status, SUPPLY "status", name);
        (void)line_of(m, level, sizeof level, SUPPLY "capacity_level", name);
        if (strcmp(status, "Charging") == 0)
                return 1;
        if (strcmp(status, "Full") == 0)
                return 2;
        if (strcmp(level, "Low") == 0 || strcmp(level, "Critical") == 0)
                return 4;
        return strcmp(status, "Discharging") == 0 || strcmp(status, "Not charging") == 0 ? 0 : 6;
}

static void give_battery(void *ctx, const char *name)
{
        const supplies *s = ctx;
        char text[64];
        int64_t n;

        if (!odm_name_ok(odm_cstr(name)) || !is_battery(s->m, name))
                return;
        if (number_of(s->m, &n, SUPPLY "capacity", name))
                probe_put_int(s->to, n, "%s/BatteryLevel", name);
        probe_put_int(s->to, battery_status(s->m, name), "%s/BatteryStatus", name);
        if (line_of(s->m, text, sizeof text, SUPPLY "technology", name) &&
            strcmp(text, "Unknown") != 0)
                probe_put(s->to, text, "%s/BatteryType", name);
        if (number_of(s->m, &n, SUPPLY "voltage_now", name))
                probe_put_int(s->to, n / 1000, "%s/Voltage", name);
        if (number_of(s->m, &n, SUPPLY "temp", name))
                probe_put_int(s->to, n / 10, "%s/Temp", name);
        if (s->plugged >= 0)
                probe_put_int(s->to, s->plugged, "%s/PlugStatus", name);
}

void probe_battery(const machine *m, odm_wall now, probe_sink *to)
{
        supplies s = {m, to, -1};

        (void)now;
        machine_each(m, "/sys/class/power_supply", look_for_plug, &s);
        machine_each(m, "/sys/class/power_supply", give_battery, &s);
}

/* ---- processes ------------------------------------------------------------------------------- */

typedef struct processes {
        const machine *m;
        probe_sink *to;
        int64_t booted; /* seconds since 1970; 0 unknown */
        long tick, page;
        size_t n;
} processes;

typedef struct process {
        char name[64], state;
        int64_t parent, ticks, started, pages;
} process;

/* The name stands in parentheses and may hold anything, those too. */
static bool parse_stat(char *line, process *p)
{
        char *open = strchr(line, '('), *end = strrchr(line, ')');
        long long parent, user, system, started, pages;

        if (!open || !end || end < open)
                return false;
        *end = 0;
        snprintf(p->name, sizeof p->name, "%s", open + 1);
        if (sscanf(end + 1,
                   " %c %lld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld %*d %*d %*d %*d %*d "
                   "%*d %lld %*u %lld",
                   &p->state, &parent, &user, &system, &started, &pages) != 6)
                return false;
        p->parent = parent;
        p->ticks = user + system;
        p->started = started;
        p->pages = pages;
        return true;
}

static void give_process(void *ctx, const char *name)
{
        processes *s = ctx;
        char line[1024], when[ODM_WALL_TEXT], state[2] = "";
        process p;
        uint64_t pid;

        if (s->n == PROBE_PROCESSES || s->to->rc < 0 ||
            odm_str_u64(odm_cstr(name), INT32_MAX, &pid) < 0 ||
            !line_of(s->m, line, sizeof line, "/proc/%s/stat", name) || !parse_stat(line, &p))
                return;
        if (pid == 2 || p.parent == 2) /* threads of the kernel are no programs */
                return;
        s->n++;
        state[0] = p.state;
        probe_put(s->to, p.name, "%s/Name", name);
        probe_put_int(s->to, (int64_t)pid, "%s/Pid", name);
        probe_put(s->to, state, "%s/State", name);
        probe_put_int(s->to, p.ticks / s->tick, "%s/CpuTime", name);
        probe_put_int(s->to, p.pages * s->page / KBYTE, "%s/Memory", name);
        if (s->booted) {
                odm_wall_format((odm_wall){s->booted + p.started / s->tick}, when);
                probe_put(s->to, when, "%s/Start", name);
        }
}

/* A line of /proc/stat: the numbers after its name. */
static bool stat_line(const machine *m, const char *key, char *out, size_t room)
{
        char path[4200], line[1024];
        bool found = false;
        FILE *f;

        if ((size_t)snprintf(path, sizeof path, "%s/proc/stat", m->root) >= sizeof path)
                return false;
        f = fopen(path, "re");
        while (f && !found && fgets(line, sizeof line, f)) {
                size_t n = strcspn(line, " ");
                bool is_it = n == strlen(key) && strncmp(line, key, n) == 0 && line[n];
                if (is_it)
                        snprintf(out, room, "%s", line + n + 1);
                if (!strchr(line, '\n')) /* interrupts of large machines; the sum comes first */
                        for (int c = fgetc(f); c != EOF && c != '\n';)
                                c = fgetc(f);
                found = is_it;
        }
        if (f)
                fclose(f);
        return found;
}

void probe_processes(const machine *m, odm_wall now, probe_sink *to)
{
        processes s = {.m = m, .to = to, .tick = sysconf(_SC_CLK_TCK)};
        char text[64];

        (void)now;
        s.page = sysconf(_SC_PAGESIZE);
        if (s.tick <= 0)
                s.tick = 100;
        if (stat_line(m, "btime", text, sizeof text))
                s.booted = strtoll(text, NULL, 10);
        machine_each(m, "/proc", give_process, &s);
}

/* ---- sensors ---------------------------------------------------------------------------------- */

typedef struct sensors {
        const machine *m;
        probe_sink *to;
        const char *chip;
        char when[ODM_WALL_TEXT];
} sensors;

static void give_sensor(const sensors *s, const char *name, const char *label, const char *type,
                        const char *unit, double value)
{
        char text[40];

        probe_put(s->to, label[0] ? label : name, "%s/Name", name);
        probe_put(s->to, type, "%s/Type", name);
        probe_put(s->to, unit, "%s/Unit", name);
        snprintf(text, sizeof text, "%.10g", value);
        probe_put(s->to, text, "%s/Value", name);
        probe_put(s->to, s->when, "%s/Time", name);
}

/* "temp1_input" of a chip (Documentation/hwmon/sysfs-interface of the kernel). */
static void give_input(void *ctx, const char *file)
{
        static const struct {
                const char *prefix, *type, *unit;
                double per;
        } kinds[] = {
                {"temp", "temperature", "Cel", 1000}, {"in", "voltage", "V", 1000},
                {"fan", "fan", "1/min", 1},           {"curr", "current", "A", 1000},
                {"power", "power", "W", 1000000},     {"humidity", "humidity", "%", 1000},
        };
        const sensors *s = ctx;
        const char *end = strstr(file, "_input");
        char name[80], chip[64] = "", own[64] = "", label[140];
        int64_t n;

        if (!end || strcmp(end, "_input") != 0 || end - file > 30)
                return;
        for (size_t k = 0; k < ODM_COUNT(kinds); k++) {
                size_t p = strlen(kinds[k].prefix);
                if (strncmp(file, kinds[k].prefix, p) != 0 || file[p] < '0' || file[p] > '9' ||
                    !number_of(s->m, &n, "/sys/class/hwmon/%s/%s", s->chip, file))
                        continue;
                (void)line_of(s->m, chip, sizeof chip, "/sys/class/hwmon/%s/name", s->chip);
                (void)line_of(s->m, own, sizeof own, "/sys/class/hwmon/%s/%.*s_label", s->chip,
                              (int)(end - file), file);
                snprintf(name, sizeof name, "%.30s-%.*s", s->chip, (int)(end - file), file);
                snprintf(label, sizeof label, "%s%s%s", chip, chip[0] && own[0] ? " " : "", own);
                give_sensor(s, name, label, kinds[k].type, kinds[k].unit, (double)n / kinds[k].per);
        }
}

static void give_chip(void *ctx, const char *name)
{
        sensors *s = ctx;
        char folder[300];

        if (!odm_name_ok(odm_cstr(name)))
                return;
        s->chip = name;
        snprintf(folder, sizeof folder, "/sys/class/hwmon/%s", name);
        machine_each(s->m, folder, give_input, s);
}

static void give_zone(void *ctx, const char *file)
{
        const sensors *s = ctx;
        char name[40], label[64] = "";
        int64_t n;

        if (strncmp(file, "thermal_zone", 12) != 0 || !odm_name_ok(odm_cstr(file)) ||
            !number_of(s->m, &n, "/sys/class/thermal/%s/temp", file))
                return;
        (void)line_of(s->m, label, sizeof label, "/sys/class/thermal/%s/type", file);
        snprintf(name, sizeof name, "zone%.20s", file + 12);
        give_sensor(s, name, label, "temperature", "Cel", (double)n / 1000);
}

void probe_sensors(const machine *m, odm_wall now, probe_sink *to)
{
        sensors s = {.m = m, .to = to};

        odm_wall_format(now, s.when);
        machine_each(m, "/sys/class/hwmon", give_chip, &s);
        machine_each(m, "/sys/class/thermal", give_zone, &s);
}

/* ---- links ------------------------------------------------------------------------------------ */

typedef struct links {
        const machine *m;
        probe_sink *to;
} links;

static void give_link(void *ctx, const char *name)
{
        static const char *const counters[][2] = {
                {"RxBytes", "rx_bytes"},   {"TxBytes", "tx_bytes"},     {"RxErrors", "rx_errors"},
                {"TxErrors", "tx_errors"}, {"RxDropped", "rx_dropped"}, {"TxDropped", "tx_dropped"},
        };
        const links *l = ctx;
        char text[64];
        int64_t n;

        if (!odm_name_ok(odm_cstr(name)) ||
            !line_of(l->m, text, sizeof text, "/sys/class/net/%s/operstate", name))
                return; /* bonding_masters and the like are no interfaces */
        probe_put(l->to, name, "%s/Name", name);
        probe_put(l->to, text, "%s/State", name);
        if (number_of(l->m, &n, "/sys/class/net/%s/speed", name) && n > 0)
                probe_put_int(l->to, n, "%s/Speed", name);
        for (size_t c = 0; c < ODM_COUNT(counters); c++)
                if (line_of(l->m, text, sizeof text, "/sys/class/net/%s/statistics/%s", name,
                            counters[c][1]))
                        probe_put(l->to, text, "%s/%s", name, counters[c][0]);
}

void probe_links(const machine *m, odm_wall now, probe_sink *to)
{
        links l = {m, to};

        (void)now;
        machine_each(m, "/sys/class/net", give_link, &l);
}

/* ---- counters --------------------------------------------------------------------------------- */

static int from_stat(const machine *m, const char *key, unsigned place, uint64_t *out)
{
        char text[256], *at = text, *end = text;
        uint64_t n = 0;

        if (!stat_line(m, key, text, sizeof text))
                return ODM_ENOENT;
        for (unsigned i = 0; i <= place; i++, at = end) {
                n = strtoull(at, &end, 10);
                if (end == at)
                        return ODM_ENOENT;
        }
        *out = n;
        return 0;
}

static int cpu_counter(const machine *m, odm_str what, uint64_t *out)
{
        static const char *const places[] = {"user", "nice", "system", "idle", "iowait"};
        long tick = sysconf(_SC_CLK_TCK);

        for (unsigned i = 0; i < ODM_COUNT(places); i++)
                if (odm_str_is(what, places[i])) {
                        int rc = from_stat(m, "cpu", i, out);
                        if (rc == 0)
                                *out = *out * 1000 / (uint64_t)(tick > 0 ? tick : 100);
                        return rc;
                }
        return ODM_ENOENT;
}

static int kernel_counter(const machine *m, odm_str what, uint64_t *out)
{
        static const char *const keys[][2] = {
                {"contexts", "ctxt"}, {"interrupts", "intr"}, {"processes", "processes"}};

        for (size_t i = 0; i < ODM_COUNT(keys); i++)
                if (odm_str_is(what, keys[i][0]))
                        return from_stat(m, keys[i][1], 0, out);
        return ODM_ENOENT;
}

/* Names are a server's: one that could lead out of its folder is none. */
static bool is_file(odm_str s)
{
        return s.n > 0 && s.n < 65 && odm_name_ok(s) && !odm_str_has(s, '/');
}

static int net_counter(const machine *m, odm_str net, odm_str file, uint64_t *out)
{
        int64_t n;

        if (!is_file(net) || !is_file(file) ||
            !number_of(m, &n, "/sys/class/net/%.*s/statistics/%.*s", (int)net.n, net.p, (int)file.n,
                       file.p))
                return ODM_ENOENT;
        *out = (uint64_t)n;
        return 0;
}

/* /sys/block/sda/stat: reads, merged, sectors of 512, ms, writes, merged, sectors ... */
static int disk_counter(const machine *m, odm_str disk, odm_str what, uint64_t *out)
{
        static const struct {
                const char *name;
                unsigned place, unit;
        } places[] = {
                {"reads", 0, 1}, {"read_bytes", 2, 512}, {"writes", 4, 1}, {"write_bytes", 6, 512}};
        char line[256], *at = line, *end;

        if (!is_file(disk) ||
            !line_of(m, line, sizeof line, "/sys/block/%.*s/stat", (int)disk.n, disk.p))
                return ODM_ENOENT;
        for (size_t i = 0; i < ODM_COUNT(places); i++) {
                uint64_t n = 0;
                if (!odm_str_is(what, places[i].name))
                        continue;
                for (unsigned k = 0; k <= places[i].place; k++, at = end) {
                        n = strtoull(at, &end, 10);
                        if (end == at)
                                return ODM_ENOENT;
                }
                *out = n * places[i].unit;
                return 0;
        }
        return ODM_ENOENT;
}

static odm_str cut_at(odm_str *rest, char c)
{
        const char *end = rest->n ? memchr(rest->p, c, rest->n) : NULL;
        odm_str head = odm_str_to(*rest, end ? (size_t)(end - rest->p) : rest->n);

        *rest = odm_str_from(*rest, end ? head.n + 1 : head.n);
        return head;
}

/* The last dot parts the counter from what it belongs to: interfaces may have dots in their names.
 */
int probe_counter(const machine *m, odm_str name, uint64_t *out)
{
        odm_str group = cut_at(&name, '.'), owner = name;

        while (owner.n && owner.p[owner.n - 1] != '.')
                owner.n--;
        odm_str what = odm_str_from(name, owner.n);
        owner = odm_str_to(owner, owner.n ? owner.n - 1 : 0);
        if (odm_str_is(group, "cpu"))
                return cpu_counter(m, name, out);
        if (odm_str_is(group, "kernel"))
                return kernel_counter(m, name, out);
        if (odm_str_is(group, "net"))
                return net_counter(m, owner, what, out);
        if (odm_str_is(group, "disk"))
                return disk_counter(m, owner, what, out);
        return ODM_ENOENT;
}
