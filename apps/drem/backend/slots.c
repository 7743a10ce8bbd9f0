/* SPDX-License-Identifier: Apache-2.0 */
/* The marker is nine lines, replaced as a whole; an image is replaced as a whole before the marker
 * names it.  So at any moment the marker that is on the disk tells the truth. */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"

#define MARKER_MAX 2048
#define LINES 9
#define LINES_BEFORE 6 /* of a marker written before there were hashes */

static const char *const states[] = {
        [SLOTS_EMPTY] = "empty",
        [SLOTS_GOOD] = "good",
        [SLOTS_TRIAL] = "trial",
        [SLOTS_FELL_BACK] = "fell-back",
};

static void marker_path(const slots *s, char out[300])
{
        snprintf(out, 300, "%s/marker", s->folder);
}

void slots_path(const slots *s, bool in_use, char out[300])
{
        char other = s->in_use == 'a' ? 'b' : 'a';

        snprintf(out, 300, "%s/%c", s->folder, in_use ? s->in_use : other);
}

/* ---- the marker ------------------------------------------------------------------------- */

static int write_marker(slots *s, const slots *next, diag *d)
{
        char text[MARKER_MAX], path[300];
        int n = snprintf(text, sizeof text,
                         "state=%s\nslot=%c\nstarts=%u\nversion=%s\nother-version=%s\nreason=%s\n"
                         "hash=%s\nother-hash=%s\nswitches=%u\n",
                         states[next->state], next->in_use, next->starts, next->version,
                         next->other_version, next->reason, next->hash, next->other_hash,
                         next->switches);
        int rc;

        marker_path(s, path);
        rc = fsio_write(s->ops, path, (odm_str){text, (size_t)n}, 0644, d);
        if (rc == 0)
                *s = *next;
        return rc;
}

static bool take_text(odm_str v, char *out, size_t max)
{
        if (v.n > max)
                return false;
        memcpy(out, v.p, v.n);
        out[v.n] = 0;
        return true;
}

static bool take_state(slots *s, odm_str v)
{
        for (size_t i = 0; i < ODM_COUNT(states); i++) {
                if (!odm_str_is(v, states[i]))
                        continue;
                s->state = (slots_state)i;
                return true;
        }
        return false;
}

static bool take_count(odm_str v, unsigned *out)
{
        uint64_t n;

        if (odm_str_u64(v, 1000, &n) < 0)
                return false;
        *out = (unsigned)n;
        return true;
}

static bool take_line(slots *s, odm_str name, odm_str v)
{
        if (odm_str_is(name, "state"))
                return take_state(s, v);
        if (odm_str_is(name, "slot")) {
                s->in_use = v.n == 1 ? v.p[0] : 0;
                return s->in_use == 'a' || s->in_use == 'b';
        }
        if (odm_str_is(name, "starts"))
                return take_count(v, &s->starts);
        if (odm_str_is(name, "switches"))
                return take_count(v, &s->switches);
        if (odm_str_is(name, "hash"))
                return take_text(v, s->hash, SLOTS_HASH);
        if (odm_str_is(name, "other-hash"))
                return take_text(v, s->other_hash, SLOTS_HASH);
        if (odm_str_is(name, "version"))
                return take_text(v, s->version, SLOTS_VERSION);
        if (odm_str_is(name, "other-version"))
                return take_text(v, s->other_version, SLOTS_VERSION);
        return odm_str_is(name, "reason") && take_text(v, s->reason, SLOTS_REASON);
}

static bool take_marker(slots *s, odm_str text)
{
        unsigned lines = 0;

        for (; text.n; lines++) {
                const char *end = memchr(text.p, '\n', text.n);
                const char *eq = end ? memchr(text.p, '=', (size_t)(end - text.p)) : NULL;
                if (!eq || !take_line(s, odm_str_to(text, (size_t)(eq - text.p)),
                                      (odm_str){eq + 1, (size_t)(end - eq - 1)}))
                        return false;
                text = odm_str_from(text, (size_t)(end + 1 - text.p));
        }
        return lines == LINES || lines == LINES_BEFORE;
}

int slots_open(slots *s, const fsio_ops *ops, const char *folder, diag *d)
{
        slots got = {.ops = ops, .in_use = 'a'};
        char path[300];
        odm_buf b;
        int rc;

        if (snprintf(got.folder, sizeof got.folder, "%s", folder) >= (int)sizeof got.folder)
                return diag_set(d, ODM_EINVAL, "%s: the name is too long", folder);
        rc = fsio_mkdir(folder, 0755, d);
        if (rc < 0)
                return rc;
        marker_path(&got, path);
        odm_buf_init(&b, &heap_mem, MARKER_MAX);
        rc = fsio_read(path, MARKER_MAX, &b, d);
        if (rc == 0 && !take_marker(&got, odm_buf_view(&b)))
                rc = diag_set(d, ODM_EMALFORMED, "%s: damaged; say by hand which slot is good",
                              path);
        odm_buf_done(&b);
        if (rc < 0 && rc != ODM_ENOENT)
                return rc;
        *s = got;
        return 0;
}

/* ---- moves ------------------------------------------------------------------------------ */

/* Writes what is mapped, so that an image larger than memory goes too. */
static int copy_image(const slots *s, const char *from, const char *to, diag *d)
{
        int fd = open(from, O_RDONLY | O_CLOEXEC), rc = ODM_EIO;
        void *p = MAP_FAILED;
        struct stat st;

        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
                p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
                (void)diag_set(d, 0, "%s: %s", from,
                               fd < 0 ? strerror(errno) : "no file with anything in it");
        } else {
                rc = fsio_write(s->ops, to, (odm_str){p, (size_t)st.st_size}, 0755, d);
                munmap(p, (size_t)st.st_size);
        }
        if (fd >= 0)
                close(fd);
        return rc;
}

/* Versions and reasons come from afar, the marker has lines. */
static void take_line_of(char *out, size_t max, const char *text)
{
        snprintf(out, max + 1, "%s", text ? text : "");
        for (; *out; out++)
                if ((unsigned char)*out < ' ')
                        *out = ' ';
}

/* The other image is the one in use. */
static void turn(slots *s)
{
        const slots was = *s;

        s->in_use = was.in_use == 'a' ? 'b' : 'a';
        memcpy(s->version, was.other_version, sizeof s->version);
        memcpy(s->other_version, was.version, sizeof s->other_version);
        memcpy(s->hash, was.other_hash, sizeof s->hash);
        memcpy(s->other_hash, was.hash, sizeof s->other_hash);
}

int slots_install(slots *s, const char *from, const char *version, const char *hash, diag *d)
{
        slots next = *s;
        char path[300];
        int rc;

        if (s->state == SLOTS_TRIAL)
                return diag_set(d, ODM_ESTATE, "%s: the image installed last is on trial",
                                s->folder);
        slots_path(s, false, path);
        rc = copy_image(s, from, path, d);
        if (rc < 0)
                return rc;
        next.state = SLOTS_TRIAL;
        next.starts = 0;
        turn(&next);
        take_line_of(next.version, SLOTS_VERSION, version);
        take_line_of(next.hash, SLOTS_HASH, hash);
        next.reason[0] = 0;
        return write_marker(s, &next, d);
}

static int fall_back(slots *s, slots *next, const char *reason, diag *d)
{
        next->state = SLOTS_FELL_BACK;
        next->starts = 0;
        turn(next);
        take_line_of(next->reason, SLOTS_REASON, reason);
        return write_marker(s, next, d);
}

int slots_refuse(slots *s, const char *reason, diag *d)
{
        slots next = *s;

        next.hash[0] = 0; /* whole or not, it is nothing to go back to */
        return s->state == SLOTS_TRIAL ? fall_back(s, &next, reason, d) : 0;
}

int slots_damaged(slots *s, const char *reason, diag *d)
{
        slots next = *s;

        if (s->switches >= SLOTS_STARTS)
                return diag_set(d, ODM_ELIMIT, "%s: the image was changed %u times for a damage",
                                s->folder, s->switches);
        next.switches++;
        return fall_back(s, &next, reason, d);
}

int slots_sound(slots *s, diag *d)
{
        slots next = *s;

        if (s->switches == 0)
                return 0;
        next.switches = 0;
        return write_marker(s, &next, d);
}

int slots_start(slots *s, diag *d)
{
        slots next = *s;
        char reason[SLOTS_REASON];

        if (s->state != SLOTS_TRIAL)
                return 0;
        if (s->starts >= SLOTS_STARTS) {
                snprintf(reason, sizeof reason, "%.80s was started %d times and never confirmed",
                         s->version[0] ? s->version : "the image", SLOTS_STARTS);
                return slots_refuse(s, reason, d);
        }
        next.starts++;
        return write_marker(s, &next, d);
}

int slots_confirm(slots *s, diag *d)
{
        slots next = *s;

        if (s->state != SLOTS_TRIAL)
                return 0;
        next.state = SLOTS_GOOD;
        next.starts = 0;
        return write_marker(s, &next, d);
}

int slots_heard(slots *s, diag *d)
{
        slots next = *s;
        char path[300];

        if (s->state != SLOTS_FELL_BACK)
                return 0;
        slots_path(s, true, path);
        next.state = access(path, F_OK) == 0 ? SLOTS_GOOD : SLOTS_EMPTY;
        next.reason[0] = 0;
        return write_marker(s, &next, d);
}
