/* SPDX-License-Identifier: Apache-2.0 */
/* gauge.c - /proc/net/dev, /proc/net/wireless, and a marker of orderly ends; see gauge.h. */
#include "gauge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"

#define LEAST_MS 1000

static FILE *open_below(const char *root, const char *path)
{
        char whole[512];

        if ((size_t)snprintf(whole, sizeof whole, "%s%s", root, path) >= sizeof whole)
                return NULL;
        return fopen(whole, "re");
}

/* ---- speed ------------------------------------------------------------------------------- */

/* "  eth0: 1 2 ...": the octets in and out of one line; false for headings and the loopback. */
static bool take_line(const char *line, uint64_t *in, uint64_t *out)
{
        const char *colon = strchr(line, ':');

        while (*line == ' ')
                line++;
        if (!colon || (colon - line == 2 && memcmp(line, "lo", 2) == 0))
                return false;
        return sscanf(colon + 1, "%" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, in, out) == 2;
}

static size_t add_up(const char *root, uint64_t *down, uint64_t *up)
{
        FILE *f = open_below(root, "/proc/net/dev");
        char line[512];
        size_t n = 0;

        *down = *up = 0;
        while (f && fgets(line, sizeof line, f)) {
                uint64_t in, out;
                if (!take_line(line, &in, &out))
                        continue;
                *down += in;
                *up += out;
                n++;
        }
        if (f)
                fclose(f);
        return n;
}

bool gauge_has_net(const char *root)
{
        uint64_t down, up;

        return add_up(root, &down, &up) > 0;
}

static int64_t per_second(uint64_t octets, int64_t ms)
{
        return (int64_t)((double)octets * 8000 / (double)ms);
}

int gauge_speed_look(gauge_speed *g, const char *root, odm_time now, gauge_way way, int64_t *out)
{
        uint64_t down, up;
        int64_t ms = now.ms - g->at.ms;

        if (!g->begun || ms >= LEAST_MS) {
                bool any = add_up(root, &down, &up) > 0;
                g->known = any && g->begun && down >= g->down && up >= g->up;
                if (g->known) {
                        g->last[GAUGE_DOWN] = per_second(down - g->down, ms);
                        g->last[GAUGE_UP] = per_second(up - g->up, ms);
                }
                g->begun = any;
                g->down = down;
                g->up = up;
                g->at = now;
        }
        if (!g->known)
                return ODM_ENOENT;
        *out = way == GAUGE_BOTH ? g->last[GAUGE_DOWN] + g->last[GAUGE_UP] : g->last[way];
        return 0;
}

/* ---- radio ------------------------------------------------------------------------------- */

/* "wlan0: 0000   60.  -50.  -256 ...": the level.  Drivers that do not know dBm say a number that
 * is not below zero; that is no power. */
int gauge_wlan(const char *root, int *dbm)
{
        FILE *f = open_below(root, "/proc/net/wireless");
        char line[512];
        bool found = false;

        while (f && !found && fgets(line, sizeof line, f)) {
                const char *colon = strchr(line, ':');
                double level;
                if (!colon || sscanf(colon + 1, "%*s %*s %lf", &level) != 1 || level >= 0 ||
                    level < -200)
                        continue;
                *dbm = (int)level;
                found = true;
        }
        if (f)
                fclose(f);
        return found ? 0 : ODM_ENOENT;
}

/* ---- restarts ---------------------------------------------------------------------------- */

static int read_id(const char *root, char out[GAUGE_BOOT_ID])
{
        FILE *f = open_below(root, "/proc/sys/kernel/random/boot_id");
        int rc = ODM_ENOENT;

        if (f && fgets(out, GAUGE_BOOT_ID, f)) {
                out[strcspn(out, "\n")] = 0;
                rc = out[0] ? 0 : ODM_ENOENT;
        }
        if (f)
                fclose(f);
        return rc;
}

/* "ID running" or "ID stopped".  A marker that is neither, or cannot be read, says nothing; the
 * next one takes its place. */
int gauge_boot_look(const char *root, const char *folder, gauge_boot *out)
{
        gauge_boot b = {.hard = false};
        char *path = fsio_join(folder, "boot");
        char id[GAUGE_BOOT_ID] = "", state[16] = "";
        odm_buf text;
        int rc = path ? read_id(root, b.id) : ODM_ENOMEM;

        odm_buf_init(&text, &heap_mem, 256);
        if (rc == 0 && fsio_read(path, 200, &text, NULL) == 0 && odm_buf_byte(&text, 0) == 0 &&
            sscanf(text.p, "%36s %15s", id, state) == 2)
                b.hard = strcmp(state, "running") == 0 && strcmp(id, b.id) != 0;
        if (rc == 0)
                *out = b;
        odm_buf_done(&text);
        free(path);
        return rc;
}

int gauge_boot_mark(const char *folder, const gauge_boot *b, bool running, diag *d)
{
        char *path = fsio_join(folder, "boot");
        char text[64];
        int rc = ODM_ENOMEM;

        snprintf(text, sizeof text, "%s %s\n", b->id, running ? "running" : "stopped");
        if (path)
                rc = fsio_write(NULL, path, odm_cstr(text), 0600, d);
        free(path);
        return rc;
}
