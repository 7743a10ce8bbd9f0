/* SPDX-License-Identifier: Apache-2.0 */
/* ident.c - /etc, /sys and uname(2); see ident.h. */
#include "ident.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* The first line of a small file, printable, trimmed; empty when there is none. */
static void read_line(const char *root, const char *path, char *out, size_t room)
{
        char whole[PATH_MAX];
        odm_str s;
        size_t n;
        FILE *f;

        out[0] = 0;
        snprintf(whole, sizeof whole, "%s%s", root, path);
        f = fopen(whole, "re");
        if (!f)
                return;
        n = fread(out, 1, room - 1, f);
        fclose(f);
        s.p = out;
        s.n = 0;
        while (s.n < n && (unsigned char)out[s.n] >= ' ')
                s.n++;
        s = odm_str_trim(s);
        if (!odm_utf8_ok(s))
                s.n = 0;
        memmove(out, s.p, s.n);
        out[s.n] = 0;
}

/* Firmware makers leave these where a name should be. */
static bool is_filler(const char *z)
{
        static const char *const fillers[] = {"To Be Filled By O.E.M.", "To be filled by O.E.M.",
                                              "System manufacturer",    "System Product Name",
                                              "Default string",         "Not Specified",
                                              "System Version",         "None",
                                              "Not Applicable"};

        for (size_t i = 0; i < ODM_COUNT(fillers); i++)
                if (odm_str_ieq(odm_cstr(z), fillers[i]))
                        return true;
        return z[0] == 0;
}

static void first_good(const char *root, const char *const *paths, size_t n, char *out, size_t room)
{
        for (size_t i = 0; i < n; i++) {
                read_line(root, paths[i], out, room);
                if (!is_filler(out))
                        return;
        }
        out[0] = 0;
}

static void read_hardware(const char *root, ident *out)
{
        static const char *const makers[] = {"/sys/class/dmi/id/sys_vendor",
                                             "/sys/class/dmi/id/board_vendor"};
        static const char *const models[] = {"/sys/class/dmi/id/product_name",
                                             "/sys/class/dmi/id/board_name",
                                             "/proc/device-tree/model"};
        static const char *const versions[] = {"/sys/class/dmi/id/product_version",
                                               "/sys/class/dmi/id/board_version"};
        char compatible[128];

        first_good(root, makers, ODM_COUNT(makers), out->maker, sizeof out->maker);
        first_good(root, models, ODM_COUNT(models), out->model, sizeof out->model);
        first_good(root, versions, ODM_COUNT(versions), out->hw_version, sizeof out->hw_version);
        if (!out->maker[0]) { /* "raspberrypi,4-model-b": the vendor stands before the comma */
                read_line(root, "/proc/device-tree/compatible", compatible, sizeof compatible);
                compatible[strcspn(compatible, ",")] = 0;
                snprintf(out->maker, sizeof out->maker, "%s", compatible);
        }
}

/* NAME=value of os-release(5): the value bare, or in quotes with backslashes. */
static void os_value(odm_str v, char *out, size_t room)
{
        char quote = v.n && (v.p[0] == '"' || v.p[0] == '\'') ? v.p[0] : 0;
        size_t n = 0;

        for (size_t i = quote ? 1 : 0; i < v.n && n + 1 < room; i++) {
                if (quote && v.p[i] == quote)
                        break;
                if (quote == '"' && v.p[i] == '\\' && i + 1 < v.n)
                        i++;
                out[n++] = v.p[i];
        }
        out[n] = 0;
}

static bool read_os_release(const char *root, const char *path, ident *out)
{
        char whole[PATH_MAX], line[512], build[128] = "";
        const struct {
                const char *key;
                char *to;
                size_t room;
        } keys[] = {{"NAME=", out->os_name, sizeof out->os_name},
                    {"VERSION_ID=", out->os_version, sizeof out->os_version},
                    {"BUILD_ID=", build, sizeof build},
                    {"PRETTY_NAME=", out->os_pretty, sizeof out->os_pretty}};
        FILE *f;

        snprintf(whole, sizeof whole, "%s%s", root, path);
        f = fopen(whole, "re");
        if (!f)
                return false;
        while (fgets(line, sizeof line, f)) {
                odm_str s = odm_str_trim(odm_cstr(line));
                for (size_t i = 0; i < ODM_COUNT(keys); i++)
                        if (odm_str_starts(s, keys[i].key))
                                os_value(odm_str_from(s, strlen(keys[i].key)), keys[i].to,
                                         keys[i].room);
        }
        fclose(f);
        if (!out->os_version[0])
                snprintf(out->os_version, sizeof out->os_version, "%s", build);
        return true;
}

/* machine-id(5) asks that the id itself stays on the machine: what leaves is a keyed digest,
 * in the shape of a version 8 UUID. */
static void read_machine(const char *root, ident *out)
{
        static const char key[] = "xrem device identity";
        char id[64];
        uint8_t h[32];

        read_line(root, "/etc/machine-id", id, sizeof id);
        if (!id[0])
                read_line(root, "/var/lib/dbus/machine-id", id, sizeof id);
        if (!id[0] || gnutls_hmac_fast(GNUTLS_MAC_SHA256, id, strlen(id), key, sizeof key - 1, h))
                return;
        h[6] = (uint8_t)((h[6] & 0x0f) | 0x80);
        h[8] = (uint8_t)((h[8] & 0x3f) | 0x80);
        for (int i = 0, n = 0; i < 16; i++) {
                const char *dash = i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "";
                n += snprintf(out->machine_uuid + n, sizeof out->machine_uuid - (size_t)n, "%s%02x",
                              dash, h[i]);
        }
}

void ident_read(const char *root, ident *out)
{
        struct utsname u;

        *out = (ident){0};
        read_machine(root, out);
        read_hardware(root, out);
        if (!read_os_release(root, "/etc/os-release", out))
                read_os_release(root, "/usr/lib/os-release", out);
        if (uname(&u) == 0) {
                snprintf(out->kernel, sizeof out->kernel, "%s", u.release);
                snprintf(out->arch, sizeof out->arch, "%.63s", u.machine);
                snprintf(out->host, sizeof out->host, "%s", u.nodename);
        }
}
