/* SPDX-License-Identifier: Apache-2.0 */
/* dremd-archive: applications as folders, an installer of dremd (docs/software.md).
 *
 *     dremd-archive --root FOLDER [--max-size OCTETS] install FILE PKGID active|inactive NAME
 * PARAMS check PKGID | activate ID | deactivate ID | remove ID | list | heal
 *
 *     FOLDER/ID/component     what is known of it, and which folder it is in
 *     FOLDER/ID/1.0/ ...      its versions: the one it is in, and the one before
 *     FOLDER/ID/1.0.sha256    the hashes of a version's files (manifest.h)
 *     FOLDER/ID/1.0.component what was known of it when the next one came
 *     FOLDER/ID/current       a link to the one in use; not there when it is inactive
 *
 * The archive's own file `component` (id=, version=, name=, description=) says what it is, or else
 * PARAMS, or else NAME and PKGID.  The file FOLDER/ID/component decides: it is written when all of
 * the folder is on the disk, and the link follows it.  An archive is refused whole when one of its
 * entries would be, or lead, outside of its folder, or is no file, folder or link. */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "fsio.h"
#include "heap.h"
#include "manifest.h"

#define COMPONENT "component"
#define LINK "current"
#define NEW_LINK "." LINK
#define MANIFEST ".sha256"
#define KNOWN "." COMPONENT
#define NEW ".new"   /* being unpacked */
#define GONE ".gone" /* being removed */
#define TEXT 255
#define ENTRIES 200000
#define BLOCK 65536

enum { NO_ROOM = 20, NOT_ACCEPTED = 50 };

typedef struct component {
        char id[TEXT + 1], version[TEXT + 1], name[TEXT + 1], description[TEXT + 1];
        char package[TEXT + 1], folder[TEXT + 1];
        bool active;
        bool earlier; /* its package is ordered anew: what is here is of an order before that */
} component;

static const char *root;
static int64_t max_size = (int64_t)2 << 30;
static const char *reason = "it failed"; /* told in the end when it did */
static char reason_text[512];

static int give_up(int code, const char *what, const char *about)
{
        snprintf(reason_text, sizeof reason_text, "%.100s%s%.400s", what, about ? ": " : "",
                 about ? about : "");
        reason = reason_text;
        return code;
}

static int disk(const char *what)
{
        const bool full = errno == ENOSPC || errno == EDQUOT;

        return full ? give_up(NO_ROOM, "the disk is full", NULL)
                    : give_up(CLI_FAILED, what, strerror(errno));
}

/* ---- files ---------------------------------------------------------------------------- */

/* root, or what is below it; false when that is too long. */
static bool path_of(char out[PATH_MAX], const char *id, const char *name)
{
        int n = snprintf(out, PATH_MAX, "%s%s%s%s%s", root, id ? "/" : "", id ? id : "",
                         name ? "/" : "", name ? name : "");

        return n > 0 && n < PATH_MAX;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
        (void)st;
        (void)f;
        return flag == FTW_DP ? rmdir(path) : unlink(path);
}

/* A folder with all that is in it; links are not followed, nor are other disks. */
static int remove_tree(const char *path)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -1;
        return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int sync_folder(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

        if (fd < 0)
                return -1;
        rc = fsync(fd);
        close(fd);
        return rc;
}

/* All of a new folder, its files too. */
static int sync_all(const char *path)
{
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

        if (fd < 0)
                return -1;
        rc = syncfs(fd);
        close(fd);
        return rc;
}

/* ---- what is known of a component ----------------------------------------------------- */

static void take_line(component *c, const char *line, size_t n)
{
        const struct {
                const char *key;
                char *to;
        } keys[] = {
                {"id=", c->id},           {"version=", c->version},
                {"name=", c->name},       {"description=", c->description},
                {"package=", c->package}, {"folder=", c->folder},
        };
        odm_str s = odm_str_trim((odm_str){line, n});

        for (size_t i = 0; i < ODM_COUNT(keys); i++) {
                if (!odm_str_starts(s, keys[i].key))
                        continue;
                odm_str v = odm_str_trim(odm_str_from(s, strlen(keys[i].key)));
                if (v.n == 0 || v.n > TEXT || !odm_utf8_ok(v))
                        continue;
                for (size_t k = 0; k < v.n; k++)
                        keys[i].to[k] = (unsigned char)v.p[k] < ' ' ? ' ' : v.p[k];
                keys[i].to[v.n] = 0;
        }
        if (odm_str_is(s, "active=1"))
                c->active = true;
        if (odm_str_is(s, "earlier=1"))
                c->earlier = true;
}

/* Lines, or words: what a file or a parameter says. */
static void take_text(component *c, odm_str text, char end)
{
        while (text.n) {
                const char *at = memchr(text.p, end, text.n);
                size_t n = at ? (size_t)(at - text.p) : text.n;
                take_line(c, text.p, n);
                text = odm_str_from(text, n + (at != NULL));
        }
}

static bool read_component(const char *path, component *c)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, 8192);
        rc = fsio_read(path, 8000, &b, NULL);
        if (rc == 0)
                take_text(c, odm_buf_view(&b), '\n');
        odm_buf_done(&b);
        return rc == 0;
}

/* `name` is COMPONENT, or that of an earlier version. */
static int write_component(const component *c, const char *name)
{
        char path[PATH_MAX], text[8 * TEXT];
        diag d = {{0}};

        snprintf(text, sizeof text,
                 "id=%s\nversion=%s\nname=%s\ndescription=%s\npackage=%s\nfolder=%s\nactive=%d\n%s",
                 c->id, c->version, c->name, c->description, c->package, c->folder, c->active,
                 c->earlier ? "earlier=1\n" : "");
        if (!path_of(path, c->id, name))
                return give_up(CLI_FAILED, "the name is too long", c->id);
        if (fsio_write(NULL, path, odm_cstr(text), 0644, &d) < 0)
                return errno == ENOSPC ? disk(c->id) : give_up(CLI_FAILED, d.text, NULL);
        return 0;
}

/* A name that is a folder here. */
static bool is_folder_name(const char *s)
{
        size_t n = strlen(s);

        if (n == 0 || n > 64 || s[0] == '.' || strcmp(s, LINK) == 0 || strcmp(s, COMPONENT) == 0)
                return false;
        for (size_t i = 0; i < n; i++) {
                char c = s[i];
                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      strchr("-_.+~@", c)))
                        return false;
        }
        return true;
}

static bool find_known(const char *id, const char *name, component *c)
{
        char path[PATH_MAX];

        *c = (component){.active = false};
        return is_folder_name(id) && path_of(path, id, name) && read_component(path, c) &&
               strcmp(c->id, id) == 0 && is_folder_name(c->folder);
}

static bool find_component(const char *id, component *c)
{
        return find_known(id, COMPONENT, c);
}

/* The truth about which one is in use is the link. */
static bool is_active(const component *c)
{
        char path[PATH_MAX], to[TEXT + 1];
        ssize_t n = path_of(path, c->id, LINK) ? readlink(path, to, sizeof to - 1) : -1;

        if (n < 0)
                return false;
        to[n] = 0;
        return strcmp(to, c->folder) == 0;
}

/* The link is where it is to be, or not there where there is to be none. */
static bool is_linked_right(const component *c)
{
        char path[PATH_MAX];
        struct stat st;

        return c->active ? is_active(c)
                         : path_of(path, c->id, LINK) && lstat(path, &st) < 0 && errno == ENOENT;
}

static void show(const component *c)
{
        (void)printf("component\t%s\t%s\t%s\t%s\t%s\n", c->id, c->version,
                     is_active(c) ? "active" : "inactive", c->name, c->description);
}

/* ---- unpacking ------------------------------------------------------------------------ */

/* How deep a path is, its own name not counted; -1 for one that has no place in a folder. */
static int depth_of(const char *path)
{
        int depth = -1;

        if (path[0] == '/' || path[0] == 0 || strlen(path) >= PATH_MAX / 2)
                return -1;
        while (*path) {
                size_t n = strcspn(path, "/");
                if (n == 2 && path[0] == '.' && path[1] == '.')
                        return -1;
                depth += n > 0 && !(n == 1 && path[0] == '.');
                path += n + (path[n] == '/');
        }
        return depth < 0 ? 0 : depth;
}

/* Upwards first and then no more: whatever links it may pass, it stays within. */
static bool stays_within(const char *target, int depth)
{
        bool down = false;

        if (target[0] == '/' || target[0] == 0)
                return false;
        while (*target) {
                size_t n = strcspn(target, "/");
                if (n == 2 && target[0] == '.' && target[1] == '.') {
                        if (down || --depth < 0)
                                return false;
                } else if (n > 0 && !(n == 1 && target[0] == '.')) {
                        down = true;
                }
                target += n + (target[n] == '/');
        }
        return true;
}

static const char *what_is_wrong(struct archive_entry *e)
{
        const char *path = archive_entry_pathname(e), *hard = archive_entry_hardlink(e);
        int depth = path ? depth_of(path) : -1;

        if (depth < 0)
                return "an entry leads out of its folder";
        if (hard)
                return depth_of(hard) < 0 ? "a link leads out of its folder" : NULL;
        switch (archive_entry_filetype(e)) {
        case AE_IFREG:
        case AE_IFDIR: return NULL;
        case AE_IFLNK:
                return archive_entry_symlink(e) && stays_within(archive_entry_symlink(e), depth)
                               ? NULL
                               : "a link leads out of its folder";
        default: return "an entry is no file, folder or link";
        }
}

static int of_archive(struct archive *a)
{
        errno = archive_errno(a);
        if (errno == ENOSPC || errno == EDQUOT)
                return disk("");
        return give_up(NOT_ACCEPTED, "the archive is damaged", archive_error_string(a));
}

static int copy_data(struct archive *from, struct archive *to, int64_t *left)
{
        const void *p;
        size_t n;
        la_int64_t at;
        int rc;

        while ((rc = archive_read_data_block(from, &p, &n, &at)) == ARCHIVE_OK) {
                *left -= (int64_t)n;
                if (*left < 0)
                        return give_up(NO_ROOM, "it is larger than there may be", NULL);
                if (archive_write_data_block(to, p, n, at) < ARCHIVE_OK)
                        return of_archive(to);
        }
        return rc == ARCHIVE_EOF ? 0 : of_archive(from);
}

/* Owners, times and all rights but the usual ones stay behind. */
static int extract(struct archive *from, struct archive *to, struct archive_entry *e, int64_t *left)
{
        const char *wrong = what_is_wrong(e);
        int rc;

        if (wrong)
                return give_up(NOT_ACCEPTED, wrong, archive_entry_pathname(e));
        archive_entry_set_perm(e, archive_entry_filetype(e) == AE_IFDIR
                                          ? 0755
                                          : (archive_entry_perm(e) & 0111 ? 0755 : 0644));
        if (archive_entry_size_is_set(e) && archive_entry_size(e) > *left)
                return give_up(NO_ROOM, "it is larger than there may be", NULL);
        if (archive_write_header(to, e) < ARCHIVE_OK)
                return of_archive(to);
        rc = copy_data(from, to, left);
        if (rc == 0 && archive_write_finish_entry(to) < ARCHIVE_OK)
                rc = of_archive(to);
        return rc;
}

static int extract_all(struct archive *from, struct archive *to)
{
        struct archive_entry *e;
        int64_t left = max_size;
        int rc, n = 0;

        while ((rc = archive_read_next_header(from, &e)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
                if (++n > ENTRIES)
                        return give_up(NOT_ACCEPTED, "it has too many entries", NULL);
                rc = extract(from, to, e, &left);
                if (rc != 0)
                        return rc;
        }
        if (rc != ARCHIVE_EOF)
                return of_archive(from);
        return n == 0 ? give_up(NOT_ACCEPTED, "the archive is empty", NULL) : 0;
}

/* Into the working folder. */
static int unpack(const char *file)
{
        struct archive *from = archive_read_new(), *to = archive_write_disk_new();
        int rc;

        if (!from || !to)
                return give_up(CLI_FAILED, "out of memory", NULL);
        archive_read_support_filter_all(from);
        archive_read_support_format_tar(from);
        archive_read_support_format_zip(from);
        archive_write_disk_set_options(to, ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                                                   ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                                   ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS |
                                                   ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_PERM);
        rc = archive_read_open_filename(from, file, BLOCK) == ARCHIVE_OK ? extract_all(from, to)
                                                                         : of_archive(from);
        if (archive_write_close(to) < ARCHIVE_OK && rc == 0)
                rc = of_archive(to);
        archive_write_free(to);
        archive_read_free(from);
        return rc;
}

/* ---- what can be ordered -------------------------------------------------------------- */

/* All of a link that takes room, so that to turn it cannot fail for want of that. */
static int prepare_link(const component *c)
{
        char fresh[PATH_MAX];

        if (!path_of(fresh, c->id, NEW_LINK))
                return give_up(CLI_FAILED, "the name is too long", c->id);
        if ((unlink(fresh) < 0 && errno != ENOENT) || (c->active && symlink(c->folder, fresh) < 0))
                return disk(c->id);
        return 0;
}

static int turn_link(const component *c)
{
        char path[PATH_MAX], fresh[PATH_MAX], folder[PATH_MAX];

        if (!path_of(path, c->id, LINK) || !path_of(fresh, c->id, NEW_LINK) ||
            !path_of(folder, c->id, NULL))
                return give_up(CLI_FAILED, "the name is too long", c->id);
        if (c->active ? rename(fresh, path) < 0 : unlink(path) < 0 && errno != ENOENT)
                return disk(c->id);
        return sync_folder(folder) < 0 ? disk(c->id) : 0;
}

static int set_link(const component *c)
{
        int rc = prepare_link(c);

        return rc ? rc : turn_link(c);
}

/* Back to what it was before, or to nothing known: whether nothing leads to c any more.  `reason`
 * stays that of what failed. */
static bool stay(const component *c, const component *before)
{
        char known[PATH_MAX], link[PATH_MAX], kept[sizeof reason_text];
        bool stays = path_of(known, c->id, COMPONENT) && path_of(link, c->id, LINK);

        memcpy(kept, reason_text, sizeof kept);
        if (before) {
                stays = stays && write_component(before, COMPONENT) == 0;
                (void)set_link(before);
        } else {
                stays = stays && (unlink(known) == 0 || errno == ENOENT);
                (void)unlink(link);
        }
        memcpy(reason_text, kept, sizeof kept);
        return stays && !is_active(c);
}

/* What is known of it and its link are c's, or both stay as they were: *stays says whether they do
 * when it failed. */
static int turn_to(const component *c, const component *before, bool *stays)
{
        int rc = prepare_link(c);

        *stays = true;
        if (rc != 0)
                return rc;
        rc = write_component(c, COMPONENT);
        if (rc == 0)
                rc = turn_link(c);
        if (rc != 0)
                *stays = stay(c, before);
        return rc;
}

/* "1.0.sha256" belongs to "1.0", as "1.0.component" does. */
static bool is_of(const char *name, const char *folder)
{
        size_t n = strlen(folder);

        return n > 0 && strncmp(name, folder, n) == 0 &&
               (name[n] == 0 || strcmp(name + n, MANIFEST) == 0 || strcmp(name + n, KNOWN) == 0);
}

/* Versions but that one in use and the one before. */
static void remove_old(const component *c, const char *before)
{
        char path[PATH_MAX];
        DIR *d = path_of(path, c->id, NULL) ? opendir(path) : NULL;
        struct dirent *e;

        while (d && (e = readdir(d)) != NULL)
                if (is_folder_name(e->d_name) && !is_of(e->d_name, c->folder) &&
                    !is_of(e->d_name, before) && path_of(path, c->id, e->d_name))
                        (void)remove_tree(path);
        if (d)
                closedir(d);
}

/* A folder for the version that no other one has. */
static bool choose_folder(component *c, char path[PATH_MAX])
{
        char plain[49];
        struct stat st;
        size_t n = 0;

        for (; n < sizeof plain - 1 && c->version[n]; n++) {
                const char one[2] = {c->version[n], 0};
                plain[n] = (n == 0 && one[0] == '.') ||
                                           (n > 0 && one[0] != '.' && !is_folder_name(one)) ||
                                           (n == 0 && !is_folder_name(one))
                                   ? '_'
                                   : one[0];
        }
        plain[n] = 0;
        for (unsigned i = 1; i < 1000; i++) {
                if (i == 1)
                        snprintf(c->folder, sizeof c->folder, "%s", plain);
                else
                        snprintf(c->folder, sizeof c->folder, "%s_%u", plain, i);
                if (!is_folder_name(c->folder) || !path_of(path, c->id, c->folder))
                        continue;
                if (lstat(path, &st) < 0 && errno == ENOENT)
                        return true;
        }
        return false;
}

static void copy_text(char to[TEXT + 1], const char *from)
{
        odm_str s = odm_cstr(from);
        size_t n = odm_utf8_cut(s, s.n < TEXT ? s.n : TEXT);

        for (size_t i = 0; i < n; i++)
                to[i] = (unsigned char)from[i] < ' ' ? ' ' : from[i];
        to[n] = 0;
}

/* What the archive says of itself, and what was said with it. */
static int describe(component *c, char **arg)
{
        copy_text(c->id, arg[3][0] ? arg[3] : arg[1]);
        copy_text(c->name, c->id);
        copy_text(c->version, arg[1]);
        take_text(c, odm_cstr(arg[4]), ' ');
        (void)read_component(COMPONENT, c);
        copy_text(c->package, arg[1]);
        c->folder[0] = 0;
        c->active = strcmp(arg[2], "active") == 0;
        return is_folder_name(c->id) ? 0 : give_up(NOT_ACCEPTED, "this is no name", c->id);
}

/* What is too much to write down is not compared later; that is no reason to refuse it. */
static bool write_hashes(const char *path, char manifest[PATH_MAX])
{
        if (snprintf(manifest, PATH_MAX, "%s" MANIFEST, path) >= PATH_MAX)
                return false;
        switch (manifest_write(path, manifest)) {
        case 0: return true;
        case ODM_ELIMIT: return unlink(manifest) == 0 || errno == ENOENT;
        default: return false;
        }
}

/* What the version before was, for the day that the new one is damaged. */
static int keep_known(const component *before)
{
        char name[TEXT + 1 + sizeof KNOWN];

        snprintf(name, sizeof name, "%s" KNOWN, before->folder);
        return write_component(before, name);
}

static int put_in_place(component *c)
{
        char fresh[PATH_MAX], path[PATH_MAX], folder[PATH_MAX], manifest[PATH_MAX], link[PATH_MAX];
        component before;
        bool had = find_component(c->id, &before), stays = true;
        int rc;

        if (!path_of(fresh, NEW, NULL) || !path_of(folder, c->id, NULL) ||
            !path_of(link, c->id, NEW_LINK))
                return give_up(CLI_FAILED, "the name is too long", c->id);
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return disk(c->id);
        if (!choose_folder(c, path))
                return give_up(NOT_ACCEPTED, "this is no version", c->version);
        if (sync_all(fresh) < 0 || rename(fresh, path) < 0 || sync_folder(folder) < 0 ||
            sync_folder(root) < 0)
                return disk(c->id);
        rc = write_hashes(path, manifest) ? 0 : disk(c->id);
        if (rc == 0 && had)
                rc = keep_known(&before);
        if (rc == 0)
                rc = turn_to(c, had ? &before : NULL, &stays);
        if (rc == 0) {
                remove_old(c, had ? before.folder : "");
        } else if (stays) {
                (void)remove_tree(path);
                (void)unlink(manifest);
                (void)unlink(link);
                (void)rmdir(folder); /* if it is new */
        }
        return rc;
}

static int each(int (*fn)(const component *c, const char *about), const char *about)
{
        DIR *d = opendir(root);
        struct dirent *e;
        component c;
        int rc = 0;

        while (d && rc == 0 && (e = readdir(d)) != NULL)
                if (find_component(e->d_name, &c))
                        rc = fn(&c, about);
        if (d)
                closedir(d);
        return rc;
}

/* The package may be installed anew, another one by its name: what is there is not what `check`
 * looks for after a cut. */
static int forget(const component *c, const char *package)
{
        component now = *c;

        if (strcmp(c->package, package) != 0)
                return 0;
        now.earlier = true;
        return write_component(&now, COMPONENT);
}

/* FILE PKGID active|inactive NAME PARAMS */
static int install(char **arg)
{
        component c = {.active = false};
        char fresh[PATH_MAX], file[PATH_MAX];
        int rc;

        if (!path_of(fresh, NEW, NULL) || !realpath(arg[0], file))
                return disk(arg[0]);
        rc = each(forget, arg[1]);
        if (rc != 0)
                return rc;
        if (remove_tree(fresh) < 0 || mkdir(fresh, 0755) < 0 || chdir(fresh) < 0)
                return disk(fresh);
        rc = unpack(file);
        if (rc == 0)
                rc = describe(&c, arg);
        if (rc == 0)
                rc = put_in_place(&c);
        if (rc != 0)
                (void)remove_tree(fresh);
        else
                show(&c);
        return rc;
}

static int show_one(const component *c, const char *about)
{
        (void)about;
        show(c);
        return 0;
}

#define FOUND 255

static int complete(const component *c, const char *package)
{
        int rc;

        if (strcmp(c->package, package) != 0 || c->earlier)
                return 0;
        rc = set_link(c);
        show(c);
        return rc == 0 ? FOUND : rc;
}

/* The power went: all of it is there, and the link follows, or none of it. */
static int check(char **arg)
{
        char path[PATH_MAX];
        int rc = each(complete, arg[0]);

        if (path_of(path, NEW, NULL))
                (void)remove_tree(path);
        if (rc == FOUND)
                return 0;
        return rc ? rc : give_up(3, "the installation was interrupted, and undone", NULL);
}

static int switch_to(const char *id, bool active)
{
        component before, c;
        bool stays;

        if (!find_component(id, &before))
                return give_up(CLI_FAILED, "there is no such component", id);
        c = before;
        c.active = active;
        return turn_to(&c, &before, &stays);
}

static int activate(char **arg)
{
        return switch_to(arg[0], true);
}

static int deactivate(char **arg)
{
        return switch_to(arg[0], false);
}

/* In one step it is gone; then its files go. */
static int take_away(char **arg)
{
        char path[PATH_MAX], gone[PATH_MAX];

        if (!is_folder_name(arg[0]) || !path_of(path, arg[0], NULL) || !path_of(gone, GONE, NULL))
                return give_up(CLI_FAILED, "there is no such component", arg[0]);
        if (remove_tree(gone) < 0 || (rename(path, gone) < 0 && errno != ENOENT) ||
            sync_folder(root) < 0)
                return disk(arg[0]);
        (void)remove_tree(gone);
        return 0;
}

/* ---- what was damaged ----------------------------------------------------------------- */

typedef enum health { WHOLE, DAMAGED, UNKNOWN } health; /* UNKNOWN: it has no manifest */

static health health_of(const char *id, const char *folder, char why[256])
{
        char path[PATH_MAX], name[TEXT + 1 + sizeof MANIFEST];
        health h = DAMAGED;
        odm_buf b;
        int rc;

        snprintf(name, sizeof name, "%s" MANIFEST, folder);
        if (!path_of(path, id, name))
                return UNKNOWN;
        odm_buf_init(&b, &heap_mem, MANIFEST_MAX + 4096);
        snprintf(why, 256, "its manifest cannot be read");
        rc = fsio_read(path, MANIFEST_MAX, &b, NULL);
        if (rc == ODM_ENOENT)
                h = UNKNOWN;
        else if (rc == 0 && path_of(path, id, folder) &&
                 manifest_holds(odm_buf_view(&b), path, why))
                h = WHOLE;
        odm_buf_done(&b);
        return h;
}

/* The folder whose file `name` is, going by its end. */
static bool folder_of(const char *name, const char *end, char folder[TEXT + 1])
{
        size_t n = strlen(name), k = strlen(end);

        if (n <= k || n - k > TEXT || strcmp(name + n - k, end) != 0)
                return false;
        snprintf(folder, TEXT + 1, "%.*s", (int)(n - k), name);
        return is_folder_name(folder);
}

/* An earlier version that is whole.  What an installation that was cut left is none: nothing was
 * written down of it. */
static bool find_whole(const component *c, component *out)
{
        char path[PATH_MAX], folder[TEXT + 1], why[256];
        DIR *d = path_of(path, c->id, NULL) ? opendir(path) : NULL;
        struct dirent *e;
        bool found = false;

        while (d && !found && (e = readdir(d)) != NULL)
                found = folder_of(e->d_name, KNOWN, folder) && strcmp(folder, c->folder) != 0 &&
                        find_known(c->id, e->d_name, out) && strcmp(out->folder, folder) == 0 &&
                        health_of(c->id, folder, why) == WHOLE;
        if (d)
                closedir(d);
        return found;
}

/* The version it is in is damaged.  Cut in the middle, the link follows with the next `heal`. */
static int fall_back(component *c, const char *why)
{
        component other;
        int rc;

        (void)printf("damaged\t%s/%s: %s; ", c->id, c->folder, why);
        if (!c->active) {
                (void)printf("it is not in use\n");
                return 0;
        }
        if (!find_whole(c, &other)) {
                (void)printf("no earlier version is whole, so it stays in use\n");
                return 0;
        }
        other.active = true;
        rc = write_component(&other, COMPONENT);
        if (rc == 0)
                rc = set_link(&other);
        (void)printf(rc == 0 ? "fell back to %s\n" : "%s cannot be switched to\n", other.version);
        if (rc == 0)
                *c = other;
        return rc;
}

/* Those it is not in, but for one that was told of. */
static void tell_others(const component *c, const char *told)
{
        char path[PATH_MAX], folder[TEXT + 1], why[256];
        DIR *d = path_of(path, c->id, NULL) ? opendir(path) : NULL;
        struct dirent *e;

        while (d && (e = readdir(d)) != NULL)
                if (folder_of(e->d_name, MANIFEST, folder) && strcmp(folder, c->folder) != 0 &&
                    strcmp(folder, told) != 0 && health_of(c->id, folder, why) == DAMAGED)
                        (void)printf("damaged\t%s/%s: %s; %s%s\n", c->id, folder, why,
                                     c->active ? c->version : "it",
                                     c->active ? " is in use" : " is not in use");
        if (d)
                closedir(d);
}

static int heal_one(const component *c, const char *unused)
{
        component now = *c;
        char why[256];
        int rc = 0;

        (void)unused;
        if (health_of(c->id, c->folder, why) == DAMAGED)
                rc = fall_back(&now, why);
        else if (!is_linked_right(c))
                rc = set_link(c);
        if (rc == 0)
                tell_others(&now, c->folder);
        return rc;
}

/* Lines "damaged<TAB>ID/VERSION: WHY; WHAT WAS DONE".  Who was damaged stays, but not in use when
 * there is another one. */
static int heal(char **arg)
{
        (void)arg;
        return each(heal_one, NULL);
}

static int tell(char **arg)
{
        (void)arg;
        return each(show_one, NULL);
}

static const struct {
        const char *name;
        int words;
        int (*fn)(char **arg);
} commands[] = {
        {"install", 5, install},   {"check", 1, check},
        {"activate", 1, activate}, {"deactivate", 1, deactivate},
        {"remove", 1, take_away},  {"list", 0, tell},
        {"heal", 0, heal},
};

/* Whoever was killed may have left one that still runs: one after the other. */
static int run(int n, char **arg)
{
        const pid_t parent = getppid();
        char path[PATH_MAX];
        int fd, rc = CLI_USAGE;

        if (fsio_mkdir(root, 0755, NULL) < 0 || !path_of(path, ".lock", NULL))
                return disk(root);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return disk(path);
        if (getppid() != parent) /* who died while it waited orders anew */
                return give_up(CLI_FAILED, "nobody waits for it", NULL);
        for (size_t i = 0; i < ODM_COUNT(commands); i++)
                if (n == commands[i].words + 1 && strcmp(arg[0], commands[i].name) == 0)
                        rc = commands[i].fn(arg + 1);
        close(fd);
        return rc;
}

static const char about[] = "Keeps applications that come as archives, for dremd.";

int main(int argc, char **argv)
{
        static char folder[PATH_MAX];
        const cli_option options[] = {
                {0, "root", CLI_STRING, &root, "FOLDER", "where applications are"},
                {0, "max-size", CLI_INT, &max_size, "OCTETS", "most that one may unpack to"},
        };
        const cli_program p = {
                "dremd-archive",
                XREM_VERSION,
                "--root FOLDER install|check|activate|deactivate|remove|list|heal ...",
                about,
                options,
                ODM_COUNT(options),
                NULL};
        int first, rc;

        switch (cli_parse(&p, argc, argv, false, &first)) {
        case CLI_EXIT_OK: return CLI_OK;
        case CLI_EXIT_USAGE: return CLI_USAGE;
        case CLI_GO_ON: break;
        }
        if (!root || root[0] != '/' || strlen(root) > PATH_MAX / 4 || first == argc) {
                (void)fprintf(stderr,
                              "dremd-archive: a folder and an order are needed; try --help\n");
                return CLI_USAGE;
        }
        snprintf(folder, sizeof folder, "%s", root);
        root = folder;
        (void)signal(SIGPIPE, SIG_IGN); /* what was begun is ended */
        (void)umask(022);
        rc = run(argc - first, argv + first);
        if (rc != 0)
                (void)printf("%s\n", reason);
        return rc;
}
