/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c - an adapter to copy: devices that are folders of files.
 *
 *     [folder]
 *     path = /srv/devices            one folder a device, called as its DeviceID
 *     look = 2s                      how often it looks who is there, and what has changed
 *
 *     /srv/devices/pump-7/DevInfo/Man          the leaf ./DevInfo/Man
 *     /srv/devices/pump-7/DevDetail/FwV
 *
 * What a real adapter has a socket for is a file here.  docs/adapters.md goes through it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapter.h"
#include "heap.h"

#define DEVICES_MAX 1000
#define NODES_MAX 1000 /* of one device */
#define VALUE_MAX 4096
#define DEPTH_MAX 8

typedef struct device { /* one of ours: `native` of every call */
        struct device *next;
        char *id;
        gw_device *record; /* the gateway's; NULL: it was refused, or has forgotten it */
        bool seen, gone;   /* in this look; it was said that it went */
        struct timespec newest;
} device;

typedef struct folder {
        adapter_host host;
        const char *path;
        int64_t look_ms;
        loop_timer timer;
        device *devices;
        size_t n;
} folder;

extern const adapter_class adapter_v1; /* what gremd looks for; at the end */

/* ---- files ---------------------------------------------------------------------------------------- */

/* The file of a node: "./DevInfo/Man" of "pump-7".  Names of the tree have no slash in them and are
 * never ".."; this is why no address leaves the folder. */
static bool file_of(const folder *f, const device *d, odm_str path, char out[PATH_MAX])
{
        odm_str rel = odm_str_starts(path, "./") ? odm_str_from(path, 2) : ODM_STR("");
        int n = snprintf(out, PATH_MAX, "%s/%s%s%.*s", f->path, d->id, rel.n ? "/" : "", (int)rel.n,
                         rel.n ? rel.p : "");

        return n > 0 && n < PATH_MAX;
}

static odm_str read_file(const char *file, odm_arena *a)
{
        char *text = odm_arena_get(a, VALUE_MAX);
        int fd = text ? open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
        ssize_t n = fd < 0 ? -1 : read(fd, text, VALUE_MAX);

        if (fd >= 0)
                close(fd);
        while (n > 0 && text[n - 1] == '\n')
                n--;
        return n < 0 ? ODM_ABSENT : (odm_str){text, (size_t)n};
}

/* ---- reading: the nodes at and below a path ------------------------------------------------------- */

struct found {
        odm_arena a;
        adapter_node v[NODES_MAX];
        size_t n;
};

static bool add(struct found *f, const char *file, odm_str path, bool leaf, bool data)
{
        adapter_node *v = &f->v[f->n];

        if (f->n == NODES_MAX)
                return false;
        *v = (adapter_node){.path = odm_arena_copy(&f->a, path),
                            .value = {.format = leaf ? ODM_FMT_CHR : ODM_FMT_NODE}};
        if (leaf && data) {
                v->value.data = read_file(file, &f->a);
                v->has_data = v->value.data.p != NULL;
        }
        f->n += v->path.p != NULL;
        return v->path.p != NULL;
}

/* `down`: how many levels below are wanted, the last of them without values; parents come before
 * their children.  The folders are ours, so that their depth is no stranger's: but a ceiling costs
 * nothing. */
static bool walk(struct found *f, const char *file, odm_str path, unsigned down, bool data)
{
        struct stat st;
        struct dirent **list = NULL;
        bool good = true;

        if (lstat(file, &st) < 0)
                return true;
        if (!S_ISDIR(st.st_mode))
                return add(f, file, path, true, data);
        if (!add(f, file, path, false, false) || down == 0)
                return f->n < NODES_MAX;
        int n = scandir(file, &list, NULL, alphasort);
        for (int i = 0; i < n; i++) {
                char below[PATH_MAX];
                odm_str name = odm_cstr(list[i]->d_name);
                int len = snprintf(below, sizeof below, "%s/%s", file, list[i]->d_name);
                if (good && odm_name_ok(name) && len > 0 && len < PATH_MAX) {
                        odm_str to = odm_arena_fmt(&f->a, "%.*s/%s", (int)path.n, path.p,
                                                   list[i]->d_name);
                        good = to.p && walk(f, below, to, down - 1, data && down > 1);
                }
                free(list[i]);
        }
        free(list);
        return good;
}

static void folder_read(void *self, uint64_t id, gw_device *record, void *native,
                        const odm_str *paths, size_t n, adapter_list list, int64_t deadline_ms)
{
        folder *f = self;
        struct found *got = calloc(1, sizeof *got);
        adapter_reply r = {.status = ODM_ST_OK};
        char file[PATH_MAX];

        (void)record, (void)deadline_ms;
        if (!got) {
                r.status = ODM_ST_FAILED;
                f->host.reply(f->host.ctx, id, &r);
                return;
        }
        odm_arena_init(&got->a, &heap_mem, (size_t)8 << 20);
        for (size_t i = 0; i < n && r.status == ODM_ST_OK; i++) {
                unsigned down = list == ADAPTER_LIST_NONE ? 1 : DEPTH_MAX;
                bool data = list != ADAPTER_LIST_STRUCT;
                size_t before = got->n;
                if (!file_of(f, native, paths[i], file) || !walk(got, file, paths[i], down, data))
                        r.status = ODM_ST_TOO_LARGE;
                else if (got->n == before)
                        r.status = ODM_ST_NOT_FOUND;
        }
        r.nodes = got->v;
        r.n = r.status == ODM_ST_OK ? got->n : 0;
        f->host.reply(f->host.ctx, id, &r);
        odm_arena_done(&got->a);
        free(got);
}

/* ---- writing ------------------------------------------------------------------------------------------ */

/* The new text in a file beside it, which then takes its place. */
static unsigned write_file(const char *file, odm_str text)
{
        char beside[PATH_MAX + 8];
        struct stat st;

        if (lstat(file, &st) < 0)
                return ODM_ST_NOT_FOUND;
        if (!S_ISREG(st.st_mode))
                return ODM_ST_NOT_ALLOWED;
        if (text.n > VALUE_MAX)
                return ODM_ST_TOO_LARGE;
        snprintf(beside, sizeof beside, "%s.new", file);
        int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return ODM_ST_FAILED;
        bool good = write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
        good = close(fd) == 0 && good && rename(beside, file) == 0;
        if (!good)
                unlink(beside);
        return good ? ODM_ST_OK : ODM_ST_FAILED;
}

static void folder_write(void *self, uint64_t id, gw_device *record, void *native,
                         const adapter_node *v, size_t n, int64_t deadline_ms)
{
        folder *f = self;
        adapter_reply r = {.status = ODM_ST_OK};
        char file[PATH_MAX];

        (void)record, (void)deadline_ms;
        if (n != 1) { /* several files at once: all or none is not to be had */
                r.status = ODM_ST_UNSUPPORTED;
                r.text = ODM_STR("one file at a time");
        } else if (!file_of(f, native, v->path, file)) {
                r.status = ODM_ST_URI_TOO_LONG;
        } else {
                r.status = write_file(file, v->value.data.p ? v->value.data : ODM_STR(""));
        }
        f->host.reply(f->host.ctx, id, &r);
}

/* ---- who is there ---------------------------------------------------------------------------------------- */

/* What it says of itself, where there is a file of it. */
static void say_seen(folder *f, device *d)
{
        static const char *const files[] = {"./DevInfo/Man", "./DevInfo/Mod", "./DevDetail/DevTyp",
                                            "./DevDetail/FwV"};
        odm_str text[ODM_COUNT(files)];
        char file[PATH_MAX];
        unsigned why = 0;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        for (size_t i = 0; i < ODM_COUNT(files); i++)
                text[i] =
                        file_of(f, d, odm_cstr(files[i]), file) ? read_file(file, &a) : ODM_ABSENT;
        const adapter_device x = {.id = odm_cstr(d->id),
                                  .protocol = ODM_STR("FOLDER/1"),
                                  .addr = odm_cstr(d->id),
                                  .addr_type = ODM_STR("URI"),
                                  .man = text[0],
                                  .mod = text[1],
                                  .dev_type = text[2],
                                  .fwv = text[3],
                                  .wake_interval_s = -1};
        d->record = f->host.seen(f->host.ctx, &adapter_v1, &x, d, &why);
        d->gone = false;
        if (d->record)
                f->host.awake(f->host.ctx, d->record, 0);
        odm_arena_done(&a);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
        return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* Files written since the last look are told unasked. */
static void tell_changes(folder *f, device *d)
{
        struct found *all = calloc(1, sizeof *all);
        struct timespec newest = d->newest;
        char file[PATH_MAX];

        if (all == NULL || d->record == NULL || !file_of(f, d, ODM_STR("."), file)) {
                free(all);
                return;
        }
        odm_arena_init(&all->a, &heap_mem, (size_t)8 << 20);
        (void)walk(all, file, ODM_STR("."), DEPTH_MAX, true);
        for (size_t i = 0; i < all->n; i++) {
                struct stat st;
                if (!all->v[i].has_data || !file_of(f, d, all->v[i].path, file) ||
                    lstat(file, &st) < 0 || !is_later(&st.st_mtim, &d->newest))
                        continue;
                f->host.changed(f->host.ctx, d->record, &all->v[i], 1);
                if (is_later(&st.st_mtim, &newest))
                        newest = st.st_mtim;
        }
        d->newest = newest;
        odm_arena_done(&all->a);
        free(all);
}

static device *find_or_make(folder *f, const char *id)
{
        device *d = f->devices;

        while (d && strcmp(d->id, id) != 0)
                d = d->next;
        if (d || f->n == DEVICES_MAX)
                return d;
        d = calloc(1, sizeof *d);
        if (d == NULL)
                return NULL;
        d->id = strdup(id);
        if (d->id == NULL) {
                free(d);
                return NULL;
        }
        d->next = f->devices;
        f->devices = d;
        f->n++;
        return d;
}

static void device_free(folder *f, device *d)
{
        device **at = &f->devices;

        while (*at != d)
                at = &(*at)->next;
        *at = d->next;
        f->n--;
        free(d->id);
        free(d);
}

static void look(folder *f)
{
        DIR *dir = opendir(f->path);

        for (device *d = f->devices; d; d = d->next)
                d->seen = false;
        for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
                device *d = e->d_name[0] == '.' ? NULL : find_or_make(f, e->d_name);
                if (d == NULL)
                        continue;
                d->seen = true;
                if (d->record == NULL || d->gone)
                        say_seen(f, d);
                tell_changes(f, d);
        }
        if (dir)
                closedir(dir);
        for (device *d = f->devices, *next; d; d = next) {
                next = d->next;
                if (d->seen || d->gone)
                        continue;
                d->gone = true;
                if (d->record) /* the record outlives it, until forget() */
                        f->host.gone(f->host.ctx, d->record, ADAPTER_LINK_LOST);
                else
                        device_free(f, d);
        }
}

static void on_timer(void *ctx)
{
        folder *f = ctx;

        look(f);
        (void)!loop_timer_set(f->host.loop, &f->timer, odm_time_add(loop_now(), f->look_ms));
}

static void folder_enumerate(void *self)
{
        on_timer(self);
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static bool folder_wanted(const cfg *c)
{
        return cfg_str(c, "folder.path") != NULL;
}

static int folder_open(const adapter_host *h, void **out, diag *d)
{
        folder *f = calloc(1, sizeof *f);
        struct stat st;

        if (f == NULL)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        f->host = *h; /* what it points to is lent until close */
        f->path = cfg_str(h->conf, "folder.path");
        f->look_ms = cfg_ms(h->conf, "folder.look");
        f->timer = (loop_timer){.fn = on_timer, .ctx = f};
        if (stat(f->path, &st) < 0 || !S_ISDIR(st.st_mode)) {
                int rc = diag_set(d, ODM_ENOENT, "folder.path: %s is no folder", f->path);
                free(f);
                return rc;
        }
        *out = f;
        return 0;
}

static unsigned folder_caps(void *self, gw_device *record, void *native)
{
        (void)self, (void)record, (void)native;
        return ADAPTER_READ | ADAPTER_WRITE | ADAPTER_LIST;
}

static void folder_cancel(void *self, uint64_t id)
{
        (void)self, (void)id; /* all is answered from within the call: nothing is ever under way */
}

static void folder_forget(void *self, gw_device *record, void *native)
{
        device *d = native;

        (void)self, (void)record;
        d->record = NULL; /* the next look makes a new one, if it is still there */
}

static int folder_status(void *self, odm_buf *b)
{
        const folder *f = self;

        return odm_buf_fmt(b, "folder-devices: %zu\n", f->n);
}

static void folder_close(void *self)
{
        folder *f = self;

        loop_timer_stop(&f->timer);
        while (f->devices)
                device_free(f, f->devices);
        free(f);
}

static const cfg_key keys[] = {
        {"folder.path", CFG_PATH, NULL, "Folder with a folder for each device; none if not set."},
        {"folder.look", CFG_DURATION, "2s", "How often it is looked at.", 50, 3600000},
};

const adapter_class adapter_v1 = {
        .version = ADAPTER_VERSION,
        .size = sizeof(adapter_class),
        .name = "folder",
        .keys = keys,
        .n_keys = ODM_COUNT(keys),
        .wanted = folder_wanted,
        .open = folder_open,
        .enumerate = folder_enumerate,
        .caps = folder_caps,
        .read = folder_read,
        .write = folder_write,
        .cancel = folder_cancel,
        .forget = folder_forget,
        .status = folder_status,
        .close = folder_close,
};
