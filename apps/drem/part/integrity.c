/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what this device keeps is what was kept (xrem.md D2): its tree, whose journal is mended
 * from its copy before anything is read (fsio_twin.h), the configuration where somebody looked at
 * it (conf_kept.h), and deployed components, which are compared with the hashes beside them.  The
 * images of the firmware are firmware.c's to look at.  What is found is an alarm of cause
 * `integrity`; the next start that finds all well clears it.
 *
 * Where components are those of dremd-archive it is asked to heal them, once a start: it looks
 * again while no installation is under way, and goes back to an earlier version. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_kept.h"
#include "fsio_twin.h"
#include "log.h"
#include "manifest.h"
#include "part/notice.h"
#include "program.h"

typedef struct integrity {
        const part_host *host;
        notice tree, conf;
        manifest_check *check; /* of the components; NULL when it is over */
        notice components;
        char found[FM_TEXT + 1]; /* those that are damaged, and how, as many as have room */
        unsigned damaged, untold, looked_at;
        const char *archive; /* folder of dremd-archive, if it is the one of the components */
        unsigned versions;   /* of its components, that seem damaged */
        char version[300];   /* the first of them, and how */
        program *healer;
        loop_timer limit;
        char reason[256]; /* the healer's last word */
} integrity;

static void integrity_close(void *ctx)
{
        integrity *p = ctx;

        manifest_check_end(p->check);
        program_kill(p->healer); /* wherever it is, the next start goes on */
        loop_timer_stop(&p->limit);
        notice_stop(&p->tree);
        notice_stop(&p->conf);
        notice_stop(&p->components);
        free(p);
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

/* ---- the configuration --------------------------------------------------------------------- */

static void tell_conf(integrity *p)
{
        const conf_kept *k = p->host->kept;
        char text[FM_TEXT];

        notice_init(&p->conf, p->host, FM_INTEGRITY, k->file);
        switch (k->was) {
        case CONF_EDITED:
                notice_say(&p->conf, FM_WARNING,
                           "the configuration was changed since the last start, and is in use");
                break;
        case CONF_DAMAGED:
                snprintf(text, sizeof text,
                         "the configuration is damaged; the last good one is in use: %.300s",
                         k->why);
                notice_say(&p->conf, FM_MAJOR, text);
                break;
        case CONF_REFUSED:
                notice_say(&p->conf, FM_MAJOR,
                           "the configuration was changed, and nobody accepted it: the last one "
                           "that was is in use");
                break;
        case CONF_COPY_LOST:
                notice_say(&p->conf, FM_MINOR,
                           "the copy of the configuration was damaged, and is made anew");
                break;
        default: notice_say(&p->conf, FM_CLEARED, "the configuration is as it was"); return;
        }
        log_warn("the configuration is not as it was", log_text("file", k->file),
                 log_text("what", p->conf.text));
}

/* ---- deployed components ---------------------------------------------------------------------- */

static void complain(integrity *p, const char *text)
{
        size_t n = strlen(p->found);

        p->damaged++;
        if (n == 0)
                snprintf(p->found, sizeof p->found, "%.450s", text);
        else if (p->untold == 0 && n + strlen(text) < 450)
                snprintf(p->found + n, sizeof p->found - n, "; %s", text);
        else
                p->untold++;
}

static void tell_components(integrity *p)
{
        char text[FM_TEXT], more[32] = "";

        log_debug("components looked at", log_int("number", p->looked_at),
                  log_int("damaged", p->damaged));
        if (p->damaged == 0) {
                notice_say(&p->components, FM_CLEARED, "all are whole");
                return;
        }
        if (p->untold)
                snprintf(more, sizeof more, "; and %u more", p->untold);
        snprintf(text, sizeof text, "%.450s%s", p->found, more);
        notice_say(&p->components, FM_MAJOR, text);
}

/* "damaged<TAB>TEXT" */
static void on_healer_line(void *ctx, odm_str line)
{
        static const char mark[] = "damaged\t";
        integrity *p = ctx;
        char text[450];

        if (odm_str_starts(line, mark)) {
                line = odm_str_from(line, strlen(mark));
                snprintf(text, sizeof text, "%.*s", (int)odm_utf8_cut(line, sizeof text - 1),
                         line.p);
                log_warn("a component is damaged", log_text("component", text));
                complain(p, text);
        } else if (odm_str_trim(line).n) {
                snprintf(p->reason, sizeof p->reason, "%.*s",
                         (int)odm_utf8_cut(line, sizeof p->reason - 1), line.p);
        }
}

static void on_healed(void *ctx, int code)
{
        integrity *p = ctx;
        char text[450];

        p->healer = NULL;
        loop_timer_stop(&p->limit);
        if (code != 0) {
                snprintf(text, sizeof text, "%s; it cannot be healed: %.120s", p->version,
                         p->reason);
                log_error("components cannot be healed", log_text("component", p->version),
                          log_text("reason", p->reason));
                complain(p, text);
        }
        p->host->installed(p->host->ctx);
        tell_components(p);
}

static void on_limit(void *ctx)
{
        integrity *p = ctx;

        program_kill(p->healer);
        snprintf(p->reason, sizeof p->reason, "it took too long");
        on_healed(p, 128);
}

static void heal(integrity *p)
{
        const cfg *c = p->host->conf;
        char tool[PATH_MAX];
        const char *const argv[] = {tool, "--root", p->archive, "heal", NULL};
        const program_opt o = {.argv = argv, .line = on_healer_line, .done = on_healed, .ctx = p};
        const odm_time until = odm_time_add(loop_now(), cfg_ms(c, "software.command_time"));
        diag d = {{0}};

        snprintf(tool, sizeof tool, "%s/dremd-archive", cfg_str(c, "software.installers"));
        if (program_start(p->host->loop, &o, &p->healer, &d) < 0) {
                snprintf(p->reason, sizeof p->reason, "%.250s", d.text);
                on_healed(p, 128);
        } else if (loop_timer_set(p->host->loop, &p->limit, until) < 0) {
                log_error("no memory for a timer");
        }
}

static void on_component(void *ctx, const char *name, bool whole, const char *why)
{
        integrity *p = ctx;
        char text[450];

        p->looked_at++;
        if (whole)
                return;
        if (p->archive && strchr(name, '/')) {
                if (p->versions++ == 0)
                        snprintf(p->version, sizeof p->version, "%.140s: %.140s", name, why);
                return; /* dremd-archive tells, after another look */
        }
        log_warn("a component is damaged", log_text("component", name), log_text("reason", why));
        snprintf(text, sizeof text, "%.180s: %.250s", name, why);
        complain(p, text);
}

static void on_checked(void *ctx)
{
        integrity *p = ctx;

        p->check = NULL;
        if (p->versions)
                heal(p);
        else
                tell_components(p);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int integrity_mount(const part_host *h, void **out, diag *d)
{
        integrity *p = calloc(1, sizeof *p);

        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->host = h;
        p->limit = (loop_timer){.fn = on_limit, .ctx = p};
        *out = p;
        return 0;
}

static int integrity_open(void *ctx, diag *d)
{
        integrity *p = ctx;
        const cfg *c = p->host->conf;
        const char *folder = cfg_str(c, "integrity.components");
        const char *archive = cfg_str(c, "software.archive");
        char *journal = fsio_join(p->host->folder, "journal");
        int rc = 0;

        if (!journal)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        notice_init(&p->tree, p->host, FM_INTEGRITY, journal);
        free(journal);
        tell_tree(p);
        if (p->host->kept)
                tell_conf(p);
        if (!folder)
                folder = archive;
        if (folder && archive && strcmp(folder, archive) == 0)
                p->archive = archive;
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
