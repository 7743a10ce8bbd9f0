/* SPDX-License-Identifier: Apache-2.0 */
/* Access points into force; see network.h.  First the files are as they shall be, then the programs
 * that read them are told, one after the other; the first that fails ends it. */
#include "network.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"

#define FILE_MAX 65536
#define WORDS 8
#define ORDERS (ODM_CONNMO_MAX + 3)
#define NETWORKD_PREFIX "10-" NETWORK_PREFIX /* before files that match any interface */
#define UNIT "dremd-wpa@%s.service"

typedef struct order { /* a program that is to be run */
        const char *argv[WORDS];
        char last[192]; /* what the last word of argv points to, if it was made for this */
} order;

struct network {
        network_opt opt;
        char *settings; /* exec: the file */
        network_cause cause;
        order *orders; /* ORDERS of them */
        size_t n, at;
        program *program;
        loop_timer limit, soon;
        diag why;
        char said[PROGRAM_LINE + 1]; /* the last line of the program */
        void (*done)(void *ctx, const char *why);
        void *ctx;
};

/* ---- files ------------------------------------------------------------------------------- */

static bool is_ours(const char *path)
{
        const odm_str header = ODM_STR(NETWORK_HEADER);
        odm_buf b;
        bool ours;

        odm_buf_init(&b, &heap_mem, FILE_MAX);
        ours = fsio_read(path, FILE_MAX, &b, NULL) == 0 && b.n >= header.n &&
               memcmp(b.p, header.p, header.n) == 0;
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return ours;
}

/* Writes the file unless it is so already: 1 written, 0 as it was, or an error. */
static int put_file(network *n, const char *path, odm_str text, mode_t mode)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, FILE_MAX);
        rc = fsio_read(path, FILE_MAX, &b, NULL);
        if (rc == 0 && odm_str_eq(odm_buf_view(&b), text))
                rc = 0;
        else if (rc == 0 && !is_ours(path))
                rc = diag_set(&n->why, ODM_EACCESS, "%s is not ours", path);
        else
                rc = fsio_write(NULL, path, text, mode, &n->why) < 0 ? ODM_EIO : 1;
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

static bool is_named(const char *const *names, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* Removes files of ours with `prefix` that are not among `names`: how many, or an error. */
static int drop_files(network *n, const char *folder, const char *prefix, const char *const *names,
                      size_t n_names)
{
        DIR *d = opendir(folder);
        struct dirent *e;
        int gone = 0;

        if (!d)
                return errno == ENOENT
                               ? 0
                               : diag_set(&n->why, ODM_EIO, "%s: %s", folder, strerror(errno));
        while (gone >= 0 && (e = readdir(d)) != NULL) {
                char *path;
                if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 ||
                    is_named(names, n_names, e->d_name))
                        continue;
                path = fsio_join(folder, e->d_name);
                if (!path)
                        gone = ODM_ENOMEM;
                else if (is_ours(path) && unlink(path) == 0)
                        gone++;
                else if (is_ours(path))
                        gone = diag_set(&n->why, ODM_EIO, "%s: %s", path, strerror(errno));
                free(path);
        }
        closedir(d);
        return gone;
}

/* ---- orders ------------------------------------------------------------------------------ */

static order *add_order(network *n, const char *a, const char *b, const char *c)
{
        order *o = &n->orders[n->n++];

        *o = (order){.argv = {a, b, c}};
        return o;
}

static int unsupported(network *n, int rc, const odm_nap *nap, const char *why)
{
        if (rc == ODM_EUNSUPPORTED)
                return diag_set(&n->why, rc, "%.*s: %s", nap ? (int)nap->uri.n : 3,
                                nap ? nap->uri.p : "WLAN", why);
        return rc;
}

typedef struct name_set {
        char *name[ODM_CONNMO_MAX * ODM_NAP_NAMES];
        size_t n;
} name_set;

static void free_names(name_set *s)
{
        while (s->n)
                free(s->name[--s->n]);
}

/* "10-xrem-" "m2m" "+2" ".network", kept in the set; NULL when out of memory. */
static const char *add_name(name_set *s, const char *prefix, odm_str name, size_t k,
                            const char *suffix)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, 512);
        rc = odm_buf_str(&b, odm_cstr(prefix));
        if (rc == 0)
                rc = network_text_name(name, &b);
        if (rc == 0 && k)
                rc = odm_buf_fmt(&b, "+%zu", k + 1);
        if (rc == 0)
                rc = odm_buf_str(&b, odm_cstr(suffix));
        s->name[s->n] = rc == 0 ? strndup(b.p, b.n) : NULL;
        odm_buf_done(&b);
        return s->name[s->n] ? s->name[s->n++] : NULL;
}

static int write_in(network *n, const char *folder, const char *name, const odm_buf *text,
                    mode_t mode)
{
        char *path = fsio_join(folder, name);
        int rc = path ? put_file(n, path, odm_buf_view(text), mode) : ODM_ENOMEM;

        free(path);
        return rc;
}

static void wipe(odm_buf *b)
{
        if (b->n)
                odm_wipe(b->p, b->n);
        odm_buf_cut(b, 0);
}

/* ---- systemd-networkd and wpa_supplicant ----------------------------------------------------- */

static int networkd_files(network *n, const odm_nap *naps, size_t count, odm_buf *b)
{
        name_set names = {.n = 0};
        const char *why = NULL;
        int changed = 0, rc = 0;

        for (size_t i = 0; i < count && rc >= 0; i++) {
                const char *name = add_name(&names, NETWORKD_PREFIX, naps[i].name, 0, ".network");
                wipe(b);
                rc = name ? network_text_networkd(&naps[i], &n->opt.place, b, &why) : ODM_ENOMEM;
                rc = unsupported(n, rc, &naps[i], why);
                if (rc == 0)
                        rc = write_in(n, n->opt.folder, name, b, 0644);
                changed |= rc > 0;
        }
        if (rc >= 0)
                rc = drop_files(n, n->opt.folder, NETWORKD_PREFIX, (const char *const *)names.name,
                                names.n);
        free_names(&names);
        return rc < 0 ? rc : changed || rc > 0;
}

static int wpa_files(network *n, const odm_nap *naps, size_t count, odm_buf *b, bool *any)
{
        char name[64];
        const char *names[1] = {name};
        const char *why = NULL;
        int rc;

        *any = false;
        for (size_t i = 0; i < count; i++)
                *any |= naps[i].bearer == ODM_BEARER_WLAN;
        snprintf(name, sizeof name, NETWORK_PREFIX "%.40s.conf",
                 n->opt.place.wlan ? n->opt.place.wlan : "");
        if (!*any)
                return drop_files(n, n->opt.wpa_folder, NETWORK_PREFIX, NULL, 0);
        wipe(b);
        rc = unsupported(n, network_text_wpa(naps, count, &n->opt.place, b, &why), NULL, why);
        if (rc == 0)
                rc = write_in(n, n->opt.wpa_folder, name, b, 0600);
        if (rc >= 0) {
                int gone = drop_files(n, n->opt.wpa_folder, NETWORK_PREFIX, names, 1);
                rc = gone < 0 ? gone : rc;
        }
        return rc;
}

static int by_networkd(network *n, const odm_nap *naps, size_t count, odm_buf *b)
{
        bool any = false;
        int rc = networkd_files(n, naps, count, b);

        if (rc > 0 || (rc == 0 && n->cause != NETWORK_START))
                (void)add_order(n, "networkctl", "reload", NULL);
        if (rc >= 0 && n->opt.place.wlan)
                rc = wpa_files(n, naps, count, b, &any);
        if (n->opt.place.wlan && rc >= 0 && (rc > 0 || any)) {
                bool anew = rc > 0 || n->cause != NETWORK_START;
                order *o = add_order(n, "systemctl",
                                     !any   ? "stop"
                                     : anew ? "restart"
                                            : "start",
                                     NULL);
                snprintf(o->last, sizeof o->last, UNIT, n->opt.place.wlan);
                o->argv[2] = o->last;
        }
        return rc;
}

/* ---- NetworkManager ------------------------------------------------------------------------------ */

/* Connections that changed are made at once; of a radio the best one, the others when it is away.
 */
static void order_up(network *n, const odm_nap *nap, const char *file, bool *radio)
{
        order *o;
        size_t len = strlen(file) - strlen(".nmconnection");

        if (nap->bearer == ODM_BEARER_WLAN && *radio)
                return;
        *radio |= nap->bearer == ODM_BEARER_WLAN;
        o = add_order(n, "nmcli", "connection", "up");
        o->argv[3] = "id";
        snprintf(o->last, sizeof o->last, "%.*s", (int)len, file);
        o->argv[4] = o->last;
}

static int manager_file(network *n, const odm_nap *nap, size_t k, size_t rank, name_set *names,
                        odm_buf *b)
{
        const char *name = add_name(names, NETWORK_PREFIX, nap->name, k, ".nmconnection");
        const char *why = NULL;
        int rc;

        wipe(b);
        rc = name ? network_text_keyfile(nap, k, rank, &n->opt.place, b, &why) : ODM_ENOMEM;
        rc = unsupported(n, rc, nap, why);
        return rc == 0 ? write_in(n, n->opt.folder, name, b, 0600) : rc;
}

static int by_manager(network *n, const odm_nap *naps, size_t count, odm_buf *b)
{
        name_set names = {.n = 0};
        bool radio = false;
        int changed = 0, rc = 0;

        (void)add_order(n, "nmcli", "connection", "reload");
        for (size_t i = 0; i < count && rc >= 0; i++) {
                size_t kinds = naps[i].bearer == ODM_BEARER_WLAN ? naps[i].n_ssid : 1;
                for (size_t k = 0; k < kinds && rc >= 0; k++) {
                        rc = manager_file(n, &naps[i], k, i, &names, b);
                        changed |= rc > 0;
                        if (k == 0 && (rc > 0 || (rc == 0 && n->cause != NETWORK_START)))
                                order_up(n, &naps[i], names.name[names.n - 1], &radio);
                }
        }
        if (rc >= 0)
                rc = drop_files(n, n->opt.folder, NETWORK_PREFIX, (const char *const *)names.name,
                                names.n);
        if (rc == 0 && !changed && n->cause == NETWORK_START)
                n->n = 0;
        free_names(&names);
        return rc;
}

/* ---- a program ------------------------------------------------------------------------------------- */

static int by_program(network *n, const odm_nap *naps, size_t count, odm_buf *b)
{
        int rc = network_text_shell(naps, count, &n->opt.place, b);

        if (rc == 0)
                rc = put_file(n, n->settings, odm_buf_view(b), 0600);
        (void)add_order(n, n->opt.command, n->cause == NETWORK_BACK ? "revert" : "apply",
                        n->settings);
        return rc;
}

/* ---- one after the other ------------------------------------------------------------------------------ */

static void end(network *n, const char *why)
{
        loop_timer_stop(&n->limit);
        n->n = n->at = 0;
        n->done(n->ctx, why);
}

static void next(network *n);

static void on_line(void *ctx, odm_str line)
{
        network *n = ctx;

        snprintf(n->said, sizeof n->said, "%.*s", (int)line.n, line.p);
}

static void on_over(void *ctx, int code)
{
        network *n = ctx;
        const order *o = &n->orders[n->at];

        n->program = NULL;
        loop_timer_stop(&n->limit);
        if (code != 0) {
                diag_set(&n->why, ODM_EIO, "%s %s: %s (%d)", o->argv[0], o->argv[1],
                         n->said[0] ? n->said : "it failed", code);
                end(n, n->why.text);
                return;
        }
        n->at++;
        next(n);
}

static void on_limit(void *ctx)
{
        network *n = ctx;
        const order *o = &n->orders[n->at];

        program_kill(n->program);
        n->program = NULL;
        diag_set(&n->why, ODM_EIO, "%s %s took too long", o->argv[0], o->argv[1]);
        end(n, n->why.text);
}

static void next(network *n)
{
        const program_opt p = {
                .argv = n->orders[n->at].argv, .line = on_line, .done = on_over, .ctx = n};

        if (n->at == n->n) {
                end(n, NULL);
                return;
        }
        n->said[0] = 0;
        log_debug("network", log_text("program", p.argv[0]), log_text("order", p.argv[1]));
        if (program_start(n->opt.loop, &p, &n->program, &n->why) < 0)
                end(n, n->why.text);
        else if (loop_timer_set(n->opt.loop, &n->limit,
                                odm_time_add(loop_now(), n->opt.command_ms)) < 0)
                log_error("no memory for a timer");
}

static void on_soon(void *ctx)
{
        network *n = ctx;

        if (n->why.text[0])
                end(n, n->why.text);
        else
                next(n);
}

static int make_files(network *n, const odm_nap *naps, size_t count)
{
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, &heap_mem, FILE_MAX);
        switch (n->opt.kind) {
        case NETWORK_NONE: break;
        case NETWORK_NETWORKD: rc = by_networkd(n, naps, count, &b); break;
        case NETWORK_MANAGER: rc = by_manager(n, naps, count, &b); break;
        case NETWORK_EXEC: rc = by_program(n, naps, count, &b); break;
        }
        wipe(&b);
        odm_buf_done(&b);
        return rc;
}

static void stop(network *n)
{
        program_kill(n->program);
        n->program = NULL;
        loop_timer_stop(&n->limit);
        loop_timer_stop(&n->soon);
        n->n = n->at = 0;
        n->why.text[0] = 0;
}

void network_apply(network *n, const odm_nap *naps, size_t n_naps, network_cause cause,
                   void (*done)(void *ctx, const char *why), void *ctx)
{
        int rc;

        stop(n);
        n->done = done;
        n->ctx = ctx;
        n->cause = cause;
        rc = make_files(n, naps, n_naps);
        if (rc < 0 && !n->why.text[0])
                diag_set(&n->why, rc, "%s", odm_err_text(rc));
        if (loop_timer_set(n->opt.loop, &n->soon, loop_now()) < 0)
                log_error("no memory for a timer");
}

bool network_busy(const network *n)
{
        return n->program || n->soon.in;
}

int network_open(const network_opt *opt, network **out)
{
        network *n = calloc(1, sizeof *n);

        if (!n)
                return ODM_ENOMEM;
        n->opt = *opt;
        n->orders = calloc(ORDERS, sizeof *n->orders);
        n->limit = (loop_timer){.fn = on_limit, .ctx = n};
        n->soon = (loop_timer){.fn = on_soon, .ctx = n};
        n->settings = fsio_join(opt->folder, "settings");
        if (!n->orders || !n->settings) {
                network_close(n);
                return ODM_ENOMEM;
        }
        *out = n;
        return 0;
}

void network_close(network *n)
{
        if (!n)
                return;
        stop(n);
        free(n->settings);
        free(n->orders);
        free(n);
}
