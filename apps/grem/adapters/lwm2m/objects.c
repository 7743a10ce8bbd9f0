/* SPDX-License-Identifier: Apache-2.0 */
/* Object definitions as OMA publishes them, a folder of XML.  The folder is looked at again when a
 * device registers or is ordered something, and read anew when it is another: all of it counts, or
 * what was known stays, and why is told. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

#define DEFINITION_MAX ((size_t)1 << 20) /* octets of an object definition */
#define PATH_ROOM 4096
#define LOOK_MS 1000 /* the folder is looked at no more often */

/* Calls fn for each definition, until one returns other than 0, which is returned. */
static int each(lwm2m *a, int (*fn)(lwm2m *a, const char *path, void *ctx), void *ctx, diag *d)
{
        const char *folder = cfg_str(a->conf, "lwm2m.objects");
        DIR *dir = opendir(folder);
        struct dirent *e;
        char path[PATH_ROOM];
        int rc = 0;

        if (!dir)
                return diag_set(d, ODM_EIO, "lwm2m.objects: %s cannot be read", folder);
        while (rc == 0 && (e = readdir(dir))) {
                size_t n = strlen(e->d_name);

                if (n < 5 || strcmp(e->d_name + n - 4, ".xml") != 0)
                        continue;
                if (snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path)
                        rc = diag_set(d, ODM_ELIMIT, "%s: too long a name", e->d_name);
                else
                        rc = fn(a, path, ctx);
        }
        closedir(dir);
        return rc;
}

/* ---- what is there, and whether it changed ------------------------------------------------------------------ */

/* The same whatever order a folder is read in. */
static int add_stamp(lwm2m *a, const char *path, void *ctx)
{
        uint64_t *sum = ctx, h = 1469598103934665603u;
        struct stat st;
        int64_t v[4] = {0};

        (void)a;
        if (stat(path, &st) == 0) {
                v[0] = st.st_mtim.tv_sec;
                v[1] = st.st_mtim.tv_nsec;
                v[2] = (int64_t)st.st_ino;
                v[3] = (int64_t)st.st_size;
        }
        for (const char *p = path; *p; p++)
                h = (h ^ (uint8_t)*p) * 1099511628211u;
        for (size_t i = 0; i < sizeof v; i++)
                h = (h ^ ((const uint8_t *)v)[i]) * 1099511628211u;
        *sum += h;
        return 0;
}

typedef struct reading {
        odm_lw_registry *to;
        diag *d;
} reading;

static int load_one(lwm2m *a, const char *path, void *ctx)
{
        reading *r = ctx;
        odm_buf text;
        const char *why = NULL;
        int rc;

        (void)a;
        odm_buf_init(&text, &heap_mem, DEFINITION_MAX);
        rc = fsio_read(path, DEFINITION_MAX, &text, r->d);
        if (rc == 0) {
                rc = odm_lw_registry_load(r->to, odm_buf_view(&text), NULL, &why);
                if (rc < 0)
                        diag_set(r->d, rc, "%s: %s", path, why ? why : odm_err_text(rc));
        }
        odm_buf_done(&text);
        return rc;
}

/* The folder as it is now takes the place of what was known. */
static int load_all(lwm2m *a, diag *d)
{
        reading r = {.d = d};
        int rc = odm_lw_registry_new(&heap_mem, &r.to);

        if (rc == 0)
                rc = each(a, load_one, &r, d);
        if (rc == 0)
                odm_lw_registry_swap(a->registry, r.to);
        odm_lw_registry_free(r.to);
        return rc;
}

int lw_objects_open(lwm2m *a, diag *d)
{
        if (!cfg_str(a->conf, "lwm2m.objects"))
                return 0;
        a->objects_seen = loop_now();
        if (each(a, add_stamp, &a->objects, d) < 0)
                return ODM_EIO;
        return load_all(a, d);
}

void lw_objects_refresh(lwm2m *a)
{
        uint64_t now = 0;
        diag d = {0};

        if (!cfg_str(a->conf, "lwm2m.objects") ||
            !odm_time_reached(loop_now(), odm_time_add(a->objects_seen, LOOK_MS)))
                return;
        a->objects_seen = loop_now();
        if (each(a, add_stamp, &now, &d) < 0 || now == a->objects)
                return;
        a->objects = now;
        if (load_all(a, &d) < 0)
                log_error("object definitions are not taken, those before stay",
                          log_text("why", d.text));
        else
                log_info("object definitions are read again");
}
