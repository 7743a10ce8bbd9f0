/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - /proc, /sys, statvfs(3) and getifaddrs(3); see machine.h. */
#include "machine.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <limits.h>
#include <mntent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

const char *const machine_net_counters[6] = {"rx_bytes",   "tx_bytes",  "rx_packets",
                                             "tx_packets", "rx_errors", "tx_errors"};

static FILE *open_below(const machine *m, const char *path)
{
        char whole[PATH_MAX];

        snprintf(whole, sizeof whole, "%s%s", m->root, path);
        return fopen(whole, "re");
}

bool machine_line(const machine *m, const char *path, char *out, size_t room)
{
        FILE *f = open_below(m, path);
        bool got;

        if (!f)
                return false;
        got = fgets(out, (int)room, f) != NULL;
        fclose(f);
        if (got)
                out[strcspn(out, "\n")] = 0;
        return got && out[0];
}

bool machine_number(const machine *m, const char *path, int64_t *out)
{
        char line[32], *end;
        long long n;

        if (!machine_line(m, path, line, sizeof line))
                return false;
        n = strtoll(line, &end, 10);
        if (end == line || *end)
                return false;
        *out = n;
        return true;
}

/* ---- single values ---------------------------------------------------------------- */

int machine_uptime(const machine *m, int64_t *seconds)
{
        char line[64];

        if (!machine_line(m, "/proc/uptime", line, sizeof line))
                return ODM_ENOENT;
        *seconds = strtoll(line, NULL, 10);
        return 0;
}

int machine_load(const machine *m, char out[3][16])
{
        char line[128];

        if (!machine_line(m, "/proc/loadavg", line, sizeof line) ||
            sscanf(line, "%15s %15s %15s", out[0], out[1], out[2]) != 3)
                return ODM_ENOENT;
        return 0;
}

/* The text behind "key :" in a file of such lines. */
static bool find_key(const machine *m, const char *path, const char *key, char *out, size_t room)
{
        FILE *f = open_below(m, path);
        char line[512];
        bool found = false;

        if (!f)
                return false;
        while (!found && fgets(line, sizeof line, f)) {
                odm_str s = odm_cstr(line);
                const char *colon = memchr(s.p, ':', s.n);
                if (!colon || !odm_str_is(odm_str_trim(odm_str_to(s, (size_t)(colon - s.p))), key))
                        continue;
                s = odm_str_trim(odm_str_from(s, (size_t)(colon - s.p) + 1));
                snprintf(out, room, "%.*s", (int)s.n, s.p);
                found = out[0] != 0;
        }
        fclose(f);
        return found;
}

int machine_memory(const machine *m, const char *key, int64_t *kb)
{
        char text[64];

        if (!find_key(m, "/proc/meminfo", key, text, sizeof text))
                return ODM_ENOENT;
        *kb = strtoll(text, NULL, 10);
        return 0;
}

int machine_cpu_count(const machine *m, int64_t *out)
{
        long n = sysconf(_SC_NPROCESSORS_ONLN);

        (void)m;
        if (n <= 0)
                return ODM_ENOENT;
        *out = n;
        return 0;
}

int machine_cpu_model(const machine *m, char *out, size_t room)
{
        static const char *const keys[] = {"model name", "Model", "Hardware", "cpu model"};

        for (size_t i = 0; i < ODM_COUNT(keys); i++)
                if (find_key(m, "/proc/cpuinfo", keys[i], out, room))
                        return 0;
        return ODM_ENOENT;
}

/* ---- disks ---------------------------------------------------------------------------- */

/* "/" is "root", "/var/lib" is "var_lib"; what a node name does not take becomes '_'. */
static void disk_name(const char *mount, char out[MACHINE_NAME])
{
        size_t n = 0;

        for (const char *at = mount + 1; *at && n < MACHINE_NAME - 1; at++) {
                bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                             (*at >= '0' && *at <= '9') || *at == '-' || *at == '.';
                out[n++] = plain ? *at : '_';
        }
        out[n] = 0;
        if (n == 0 || strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
                snprintf(out, MACHINE_NAME, "root");
}

/* Real storage has a device behind it; the root counts whatever it is. */
static bool is_storage(const struct mntent *e)
{
        return strcmp(e->mnt_dir, "/") == 0 ||
               (strncmp(e->mnt_fsname, "/dev/", 5) == 0 && strcmp(e->mnt_type, "squashfs") != 0 &&
                strncmp(e->mnt_dir, "/etc/", 5) != 0);
}

/* Of a whole disk or of the one that a partition is on. */
static bool is_removable(const machine *m, const char *device)
{
        int64_t is = 0;
        char path[512];

        if (strncmp(device, "/dev/", 5) != 0 || strlen(device) > 64)
                return false;
        snprintf(path, sizeof path, "/sys/class/block/%s/removable", device + 5);
        if (!machine_number(m, path, &is)) {
                snprintf(path, sizeof path, "/sys/class/block/%s/../removable", device + 5);
                (void)machine_number(m, path, &is);
        }
        return is != 0;
}

static bool add_disk(const machine *m, const struct mntent *e, machine_disk *d)
{
        struct statvfs v;
        struct stat st;

        if (statvfs(e->mnt_dir, &v) < 0 || v.f_blocks == 0 || stat(e->mnt_dir, &st) < 0 ||
            !S_ISDIR(st.st_mode))
                return false;
        disk_name(e->mnt_dir, d->name);
        snprintf(d->mount, sizeof d->mount, "%s", e->mnt_dir);
        snprintf(d->fs, sizeof d->fs, "%s", e->mnt_type);
        d->removable = is_removable(m, e->mnt_fsname);
        d->total_mb = (int64_t)((uint64_t)v.f_blocks * v.f_frsize >> 20);
        d->free_mb = (int64_t)((uint64_t)v.f_bavail * v.f_frsize >> 20);
        return true;
}

static bool has_root(const machine_disk *d, size_t n)
{
        while (n > 0)
                if (strcmp(d[--n].mount, "/") == 0)
                        return true;
        return false;
}

size_t machine_disks(const machine *m, machine_disk out[MACHINE_DISKS])
{
        /* in a changed root no line may name "/", yet it is there and can fill up */
        static char name[] = "/", type[] = "unknown", none[] = "none";
        static const struct mntent root = {.mnt_fsname = none, .mnt_dir = name, .mnt_type = type};
        FILE *f = open_below(m, "/proc/self/mounts");
        struct mntent e;
        dev_t seen[MACHINE_DISKS];
        char buf[2048];
        size_t n = 0;

        if (!f)
                return 0;
        while (n < MACHINE_DISKS && getmntent_r(f, &e, buf, sizeof buf)) {
                struct stat st;
                size_t i = 0;
                if (!is_storage(&e) || stat(e.mnt_dir, &st) < 0)
                        continue;
                while (i < n && seen[i] != st.st_dev) /* bind mounts show one disk many times */
                        i++;
                if (i < n || !add_disk(m, &e, &out[n]))
                        continue;
                seen[n++] = st.st_dev;
        }
        fclose(f);
        return n < MACHINE_DISKS && !has_root(out, n) && add_disk(m, &root, &out[n]) ? n + 1 : n;
}

/* ---- temperatures ------------------------------------------------------------------------- */

void machine_each(const machine *m, const char *folder, void (*fn)(void *ctx, const char *name),
                  void *ctx)
{
        char path[PATH_MAX];
        struct dirent **list;
        int n;

        snprintf(path, sizeof path, "%s%s", m->root, folder);
        n = scandir(path, &list, NULL, versionsort);
        for (int i = 0; i < n; i++) {
                if (list[i]->d_name[0] != '.')
                        fn(ctx, list[i]->d_name);
                free(list[i]);
        }
        if (n >= 0)
                free(list);
}

typedef struct temp_scan {
        const machine *m;
        machine_temp *out;
        size_t n;
        const char *chip; /* folder of the hwmon chip */
} temp_scan;

static machine_temp *next_temp(temp_scan *s, const char *path)
{
        machine_temp *t = &s->out[s->n];

        if (s->n == MACHINE_TEMPS || !machine_number(s->m, path, &t->milli))
                return NULL;
        s->n++;
        t->label[0] = 0;
        return t;
}

static void add_hwmon_temp(void *ctx, const char *name)
{
        temp_scan *s = ctx;
        size_t n = strlen(name);
        char path[512], chip[64] = "", own[64] = "";
        machine_temp *t;

        if (strncmp(name, "temp", 4) != 0 || n < 7 || n > 30 || strcmp(name + n - 6, "_input") != 0)
                return;
        snprintf(path, sizeof path, "/sys/class/hwmon/%s/%s", s->chip, name);
        t = next_temp(s, path);
        if (!t)
                return;
        snprintf(t->name, sizeof t->name, "%.30s-%.*s", s->chip, (int)(n - 6), name);
        snprintf(path, sizeof path, "/sys/class/hwmon/%s/name", s->chip);
        (void)machine_line(s->m, path, chip, sizeof chip);
        snprintf(path, sizeof path, "/sys/class/hwmon/%s/%.*s_label", s->chip, (int)(n - 6), name);
        (void)machine_line(s->m, path, own, sizeof own);
        snprintf(t->label, sizeof t->label, "%s%s%s", chip, chip[0] && own[0] ? " " : "", own);
}

static void add_hwmon(void *ctx, const char *name)
{
        temp_scan *s = ctx;
        char folder[300];

        s->chip = name;
        snprintf(folder, sizeof folder, "/sys/class/hwmon/%s", name);
        machine_each(s->m, folder, add_hwmon_temp, s);
}

static void add_zone(void *ctx, const char *name)
{
        temp_scan *s = ctx;
        char path[512];
        machine_temp *t;

        if (strncmp(name, "thermal_zone", 12) != 0)
                return;
        snprintf(path, sizeof path, "/sys/class/thermal/%s/temp", name);
        t = next_temp(s, path);
        if (!t)
                return;
        snprintf(t->name, sizeof t->name, "zone%.20s", name + 12);
        snprintf(path, sizeof path, "/sys/class/thermal/%s/type", name);
        (void)machine_line(s->m, path, t->label, sizeof t->label);
}

size_t machine_temps(const machine *m, machine_temp out[MACHINE_TEMPS])
{
        temp_scan s = {.m = m, .out = out};

        machine_each(m, "/sys/class/hwmon", add_hwmon, &s);
        machine_each(m, "/sys/class/thermal", add_zone, &s);
        return s.n;
}

/* ---- interfaces ------------------------------------------------------------------------------ */

typedef struct net_scan {
        const machine *m;
        machine_net *out;
        size_t n;
} net_scan;

static void add_net(void *ctx, const char *name)
{
        net_scan *s = ctx;
        machine_net *i = &s->out[s->n];
        char path[512], state[32] = "";

        if (s->n == MACHINE_NETS || strlen(name) >= sizeof i->name)
                return;
        memset(i, 0, sizeof *i);
        snprintf(path, sizeof path, "/sys/class/net/%s/mtu", name);
        if (!machine_number(s->m, path, &i->mtu))
                return; /* bonding_masters and the like are no interfaces */
        snprintf(i->name, sizeof i->name, "%s", name);
        snprintf(path, sizeof path, "/sys/class/net/%s/address", name);
        (void)machine_line(s->m, path, i->mac, sizeof i->mac);
        snprintf(path, sizeof path, "/sys/class/net/%s/operstate", name);
        (void)machine_line(s->m, path, state, sizeof state);
        i->up = strcmp(state, "up") == 0 || strcmp(state, "unknown") == 0; /* lo says unknown */
        for (size_t c = 0; c < ODM_COUNT(i->counter); c++) {
                snprintf(path, sizeof path, "/sys/class/net/%s/statistics/%s", name,
                         machine_net_counters[c]);
                (void)machine_line(s->m, path, i->counter[c], sizeof i->counter[c]);
        }
        s->n++;
}

static unsigned prefix_length(const uint8_t *mask, size_t n)
{
        unsigned bits = 0;

        for (size_t i = 0; i < n; i++)
                bits += (unsigned)__builtin_popcount(mask[i]);
        return bits;
}

/* "address/length" of one of the list; false when it has no address we show. */
static bool address_text(const struct ifaddrs *a, char *out, size_t room)
{
        char text[INET6_ADDRSTRLEN];
        struct sockaddr_in v4, mask4;
        struct sockaddr_in6 v6, mask6;

        if (!a->ifa_addr || !a->ifa_netmask)
                return false;
        if (a->ifa_addr->sa_family == AF_INET) {
                memcpy(&v4, a->ifa_addr, sizeof v4);
                memcpy(&mask4, a->ifa_netmask, sizeof mask4);
                inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
                snprintf(out, room, "%s/%u", text,
                         prefix_length((const uint8_t *)&mask4.sin_addr, 4));
                return true;
        }
        if (a->ifa_addr->sa_family == AF_INET6) {
                memcpy(&v6, a->ifa_addr, sizeof v6);
                memcpy(&mask6, a->ifa_netmask, sizeof mask6);
                inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
                snprintf(out, room, "%s/%u", text, prefix_length(mask6.sin6_addr.s6_addr, 16));
                return true;
        }
        return false;
}

static void add_addresses(machine_net *i, const struct ifaddrs *list)
{
        for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
                char text[80];
                size_t n = strlen(i->addrs);
                if (strcmp(a->ifa_name, i->name) != 0 || !address_text(a, text, sizeof text))
                        continue;
                if (n + strlen(text) + 2 > sizeof i->addrs)
                        return;
                snprintf(i->addrs + n, sizeof i->addrs - n, "%s%s", n ? " " : "", text);
        }
}

size_t machine_nets(const machine *m, machine_net out[MACHINE_NETS])
{
        net_scan s = {.m = m, .out = out};
        struct ifaddrs *list;

        machine_each(m, "/sys/class/net", add_net, &s);
        if (getifaddrs(&list) < 0)
                return s.n;
        for (size_t i = 0; i < s.n; i++)
                add_addresses(&out[i], list);
        freeifaddrs(list);
        return s.n;
}
