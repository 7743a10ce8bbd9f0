/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what this device keeps is what was kept (xrem.md D2): its tree, whose journal is mended
 * from its copy before anything is read (fsio_twin.h), and deployed components, which are compared
 * with the hashes beside them.  The images of the firmware are firmware.c's to look at.  What is
 * found is an alarm of cause `integrity`; the next start that finds all well clears it. */
#include <stdio.h>
#include <stdlib.h>

#include "fsio_twin.h"
#include "log.h"
#include "manifest.h"
#include "part/notice.h"

typedef struct integrity {
        const part_host *host;
        notice tree;
        manifest_check *check; /* of the components; NULL when it is over */
        notice components;
        char found[FM_TEXT + 1]; /* the first component that is damaged, and how */
        unsigned damaged, looked_at;
} integrity;

static void integrity_close(void *ctx)
{
        integrity *p = ctx;

        manifest_check_end(p->check);
        notice_stop(&p->tree);
        notice_stop(&p->components);
        free(p);
}

static int integrity_mount(const part_host *h, void **out, diag *d)
{
        integrity *p = calloc(1, sizeof *p);

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        *out = p;
        return 0;
}

/* ---- the tree ----------------------------------------------------------------------------- */

static void tell_tree(integrity *p)
{
        static const fsio_healed nothing;
        const fsio_healed *h = p->host->healed ? p->host->healed : &nothing;
        char text[128];

        if (h->lost) {
                notice_say(&p->tree, FM_CRITICAL,
                           "records of the tree were damaged in the journal and in its copy:"
                           " what they held is lost");
        } else if (h->records || h->head) {
                snprintf(text, sizeof text,
                         "%u records of the tree were damaged and are taken from their copy",
                         h->records + h->head);
                notice_say(&p->tree, FM_MAJOR, text);
        } else if (h->copy) {
                notice_say(&p->tree, FM_MINOR, "the copy of the tree was damaged and is made anew");
        } else {
                notice_say(&p->tree, FM_CLEARED, "the tree is whole");
                return;
        }
        log_warn("the tree was damaged", log_text("file", p->tree.object),
                 log_int("records", h->records), log_text("head", h->head ? "yes" : "no"),
                 log_text("copy", h->copy ? "yes" : "no"),
                 log_text("lost", h->lost ? "yes" : "no"));
        log_info("all servers are called to resynchronise");
        p->host->call(p->host->ctx, "resynchronisation: the tree was damaged");
}

/* ---- deployed components ---------------------------------------------------------------------- */

static void on_component(void *ctx, const char *name, bool whole, const char *why)
{
        integrity *p = ctx;

        p->looked_at++;
        if (whole)
                return;
        log_warn("a component is damaged", log_text("component", name), log_text("reason", why));
        if (p->damaged++ == 0)
                snprintf(p->found, sizeof p->found, "%.200s: %.300s", name, why);
}

static void on_checked(void *ctx)
{
        integrity *p = ctx;
        char text[FM_TEXT], more[32] = "";

        p->check = NULL;
        log_debug("components looked at", log_int("number", p->looked_at),
                  log_int("damaged", p->damaged));
        if (p->damaged == 0) {
                notice_say(&p->components, FM_CLEARED, "all are whole");
                return;
        }
        if (p->damaged > 1)
                snprintf(more, sizeof more, "; and %u more", p->damaged - 1);
        snprintf(text, sizeof text, "%.450s%s", p->found, more);
        notice_say(&p->components, FM_MAJOR, text);
}

static int integrity_open(void *ctx, diag *d)
{
        integrity *p = ctx;
        const cfg *c = p->host->conf;
        const char *folder = cfg_str(c, "integrity.components");
        char *journal = fsio_join(p->host->folder, "journal");
        int rc = 0;

        if (!journal)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        notice_init(&p->tree, p->host, FM_INTEGRITY, journal);
        free(journal);
        tell_tree(p);
        if (folder) {
                const manifest_opt o = {.loop = p->host->loop,
                                        .folder = folder,
                                        .found = on_component,
                                        .done = on_checked,
                                        .ctx = p};
                notice_init(&p->components, p->host, FM_INTEGRITY, folder);
                rc = manifest_check_start(&o, &p->check);
        }
        return rc < 0 ? diag_set(d, rc, "integrity.components: %s", odm_err_text(rc)) : 0;
}

const part_class part_integrity = {
        .name = "integrity",
        .mount = integrity_mount,
        .open = integrity_open,
        .close = integrity_close,
};
