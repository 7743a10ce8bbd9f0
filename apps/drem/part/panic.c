/* SPDX-License-Identifier: Apache-2.0 */
/* A file of pstore is recorded once: its name and time are remembered in the file "panics" of the
 * part's folder.  systemd moves such files away, so its archive is looked at too.  Of the running
 * kernel's log, a line that tells of a fault begins a record, and what follows within a second is
 * part of it. */
#include "part/panic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"
#include "part/ring.h"

#define LOG "PanicLog"
#define LOG_MAX (32u << 10) /* octets of a record; of what is longer the end counts */
#define KNOWN_MAX (64u << 10)
#define GATHER_MS 1000
#define QUIET_MS 60000 /* one record a minute: a fault may come a thousand times */
#define FILES 64

struct panic {
        diagmon *g;
        odm_buf known; /* "name time\n" of each file that was recorded */
        loop_io kmsg;
        loop_timer gather;
        odm_buf text; /* of the fault under way */
        odm_time last;
        bool ever;
};

static const char *const stores[] = {"/sys/fs/pstore", "/var/lib/systemd/pstore"};

/* ---- records -------------------------------------------------------------------------------------- */

/* Text as a leaf may have it: lines of printable characters. */
static void clean(char *p, size_t n)
{
        bool utf8 = odm_utf8_ok((odm_str){p, n});

        for (size_t i = 0; i < n; i++)
                if (((unsigned char)p[i] < ' ' && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f ||
                    (!utf8 && (unsigned char)p[i] >= 0x80))
                        p[i] = '?';
}

static int record(panic *p, odm_str log, odm_wall at)
{
        const part_host *h = p->g->host;
        odm_value version = {ODM_FMT_ABSENT};
        char when[ODM_WALL_TEXT], block[512];
        uint32_t id;
        odm_arena a;
        int rc;

        odm_arena_init_on(&a, &heap_mem, 65536, block, sizeof block);
        if (odm_tree_read(h->tree, ODM_STR("./DevDetail/FwV"), &a, &version) < 0)
                version.data = ODM_STR("");
        odm_wall_format(at, when);
        const ring_leaf leaves[] = {
                {"Time", odm_cstr(when)}, {"SwVersion", version.data}, {"Log", log}};
        rc = ring_add(h, LOG, NULL, leaves, ODM_COUNT(leaves), &id);
        odm_arena_done(&a);
        if (rc == 0)
                rc = h->moved(h->ctx);
        if (rc < 0)
                log_error("a fault of the kernel cannot be recorded",
                          log_text("reason", odm_err_text(rc)));
        return rc;
}

/* ---- pstore --------------------------------------------------------------------------------------- */

static bool is_known(const panic *p, const char *key)
{
        odm_str all = odm_buf_view(&p->known);

        return all.n && memmem(all.p, all.n, key, strlen(key)) != NULL;
}

/* The last LOG_MAX octets of a file. */
static int read_end(const char *path, odm_buf *out)
{
        char block[4096];
        int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
        ssize_t n;

        if (fd < 0)
                return ODM_ENOENT;
        while (rc == 0 && (n = read(fd, block, sizeof block)) > 0) {
                if (out->n + (size_t)n > LOG_MAX) { /* forgets the first half */
                        size_t half = out->n / 2;
                        memmove(out->p, out->p + half, out->n - half);
                        odm_buf_cut(out, out->n - half);
                }
                rc = odm_buf_put(out, block, (size_t)n);
        }
        close(fd);
        return rc;
}

static void take_file(panic *p, const char *folder, const char *name)
{
        char path[512], key[320];
        struct stat st;
        odm_buf b;

        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return;
        snprintf(key, sizeof key, "%.250s %lld\n", name, (long long)st.st_mtime);
        if (is_known(p, key))
                return;
        odm_buf_init(&b, &heap_mem, LOG_MAX + 8192);
        if (read_end(path, &b) == 0 && b.n) {
                clean(b.p, b.n);
                if (record(p, odm_buf_view(&b), (odm_wall){st.st_mtime}) == 0 &&
                    odm_buf_str(&p->known, odm_cstr(key)) < 0)
                        log_error("too many files in pstore");
        }
        odm_buf_done(&b);
}

static bool tells_of_a_fault(const char *name)
{
        return strncmp(name, "dmesg", 5) == 0;
}

static void take_folder(panic *p, const char *folder, int deeper)
{
        struct dirent **list;
        int n = scandir(folder, &list, NULL, alphasort);

        for (int i = 0; i < n; i++) {
                char sub[512];
                const char *name = list[i]->d_name;
                if (i < FILES && tells_of_a_fault(name))
                        take_file(p, folder, name);
                else if (i < FILES && deeper && name[0] != '.' &&
                         (size_t)snprintf(sub, sizeof sub, "%s/%s", folder, name) < sizeof sub)
                        take_folder(p, sub, deeper - 1);
                free(list[i]);
        }
        if (n >= 0)
                free(list);
}

static void take_stores(panic *p)
{
        size_t before = p->known.n;
        char *path;

        for (size_t i = 0; i < ODM_COUNT(stores); i++) {
                char folder[400];
                snprintf(folder, sizeof folder, "%s%s", p->g->root, stores[i]);
                take_folder(p, folder, 2);
        }
        if (p->known.n == before)
                return;
        path = fsio_join(p->g->folder, "panics");
        if (!path || fsio_write(NULL, path, odm_buf_view(&p->known), 0600, NULL) < 0)
                log_error("what was recorded of pstore may be recorded again");
        free(path);
}

static int load_known(panic *p, diag *d)
{
        char *path = fsio_join(p->g->folder, "panics");
        int rc = path ? fsio_read(path, KNOWN_MAX / 2, &p->known, d) : ODM_ENOMEM;

        free(path);
        if (rc == ODM_ELIMIT) /* years of them: the oldest are forgotten, all at once */
                odm_buf_cut(&p->known, 0);
        return rc == ODM_ENOMEM ? rc : 0;
}

/* ---- the kernel's log ------------------------------------------------------------------------------- */

/* "4,1234,567890,-;text": level and facility, number, time, flags. */
static bool is_fault(odm_str text, unsigned level)
{
        static const char *const signs[] = {"BUG: ",
                                            "Oops",
                                            "Kernel panic",
                                            "Internal error",
                                            "general protection fault",
                                            "watchdog: BUG"};

        if (level <= 1)
                return true;
        for (size_t i = 0; i < ODM_COUNT(signs); i++)
                if (memmem(text.p, text.n, signs[i], strlen(signs[i])))
                        return true;
        return false;
}

static void take_line(panic *p, odm_str line)
{
        const char *semicolon = line.n ? memchr(line.p, ';', line.n) : NULL;
        const char *comma = line.n ? memchr(line.p, ',', line.n) : NULL;
        const char *end;
        uint64_t number;
        odm_str text;

        if (!semicolon || !comma || comma > semicolon ||
            odm_str_u64(odm_str_to(line, (size_t)(comma - line.p)), 4096, &number) < 0 ||
            number >> 3 != 0) /* not the kernel's own */
                return;
        text = odm_str_from(line, (size_t)(semicolon - line.p) + 1);
        end = text.n ? memchr(text.p, '\n', text.n) : NULL;
        if (end)
                text = odm_str_to(text, (size_t)(end - text.p));
        if (p->text.n == 0) {
                if (!is_fault(text, number & 7) ||
                    (p->ever && !odm_time_reached(loop_now(), odm_time_add(p->last, QUIET_MS))))
                        return;
                p->ever = true;
                p->last = loop_now();
                if (loop_timer_set(p->g->host->loop, &p->gather,
                                   odm_time_add(loop_now(), GATHER_MS)) < 0)
                        return;
        }
        if (p->text.n + text.n + 1 <= LOG_MAX && odm_buf_str(&p->text, text) == 0 &&
            odm_buf_byte(&p->text, '\n') < 0)
                log_debug("a line of the kernel is lost");
}

static void on_gathered(void *ctx)
{
        panic *p = ctx;

        if (p->text.n && ring_records(p->g->host, LOG)) {
                clean(p->text.p, p->text.n);
                (void)record(p, odm_buf_view(&p->text), loop_wall());
        }
        odm_buf_cut(&p->text, 0);
        odm_buf_trim(&p->text);
}

static void on_kmsg(void *ctx, unsigned events)
{
        panic *p = ctx;
        char line[8192];

        (void)events;
        for (int i = 0; i < 100; i++) { /* a read is a line; others have their turn too */
                ssize_t n = read(p->kmsg.fd, line, sizeof line);
                if (n > 0) {
                        take_line(p, (odm_str){line, (size_t)n});
                } else if (n < 0 && errno == EPIPE) {
                        continue; /* lines were lost, the next one is there */
                } else {
                        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                                loop_io_del(&p->kmsg);
                                close(p->kmsg.fd);
                                p->kmsg.fd = -1;
                        }
                        return;
                }
        }
}

static int open_kmsg(const diagmon *g)
{
        char path[300];

        snprintf(path, sizeof path, "%s/dev/kmsg", g->root);
        return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* ---- life ----------------------------------------------------------------------------------------- */

bool panic_offered(const diagmon *g)
{
        int fd = open_kmsg(g);
        bool is = fd >= 0;

        if (fd >= 0)
                close(fd);
        for (size_t i = 0; i < ODM_COUNT(stores) && !is; i++) {
                char folder[400];
                snprintf(folder, sizeof folder, "%s%s", g->root, stores[i]);
                is = access(folder, R_OK | X_OK) == 0;
        }
        return is;
}

static void watch(panic *p)
{
        p->kmsg.fd = open_kmsg(p->g);
        if (p->kmsg.fd < 0)
                return;
        (void)lseek(p->kmsg.fd, 0,
                    SEEK_END); /* what was before us was told before, or is history */
        if (loop_io_add(p->g->host->loop, &p->kmsg, LOOP_READ) < 0) {
                close(p->kmsg.fd);
                p->kmsg.fd = -1;
        }
}

int panic_open(diagmon *g, panic **out, diag *d)
{
        panic *p;
        int rc;

        if (!panic_offered(g))
                return 0;
        p = calloc(1, sizeof *p);
        if (!p)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        p->g = g;
        p->kmsg = (loop_io){.fd = -1, .fn = on_kmsg, .ctx = p};
        p->gather = (loop_timer){.fn = on_gathered, .ctx = p};
        odm_buf_init(&p->known, &heap_mem, KNOWN_MAX);
        odm_buf_init(&p->text, &heap_mem, LOG_MAX);
        rc = load_known(p, NULL);
        if (rc < 0) {
                panic_close(p);
                return diag_set(d, rc, "out of memory");
        }
        if (ring_records(g->host, LOG))
                take_stores(p);
        watch(p);
        *out = p;
        return 0;
}

void panic_close(panic *p)
{
        if (!p)
                return;
        if (p->kmsg.fd >= 0) {
                loop_io_del(&p->kmsg);
                close(p->kmsg.fd);
        }
        loop_timer_stop(&p->gather);
        odm_buf_done(&p->known);
        odm_buf_done(&p->text);
        free(p);
}
