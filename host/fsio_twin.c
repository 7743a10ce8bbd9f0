/* SPDX-License-Identifier: Apache-2.0 */
/* The two files are walked side by side, record by record; both hold a record at the same place or
 * not at all.  A power cut leaves a tail that is too short; damage leaves one that is long enough
 * and does not add up. */
#include "fsio_twin.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"

#define FILE_MAX ((size_t)1 << 31)

typedef struct walk {
        odm_str a, b; /* journal and copy; the copy is empty when there is none */
        odm_buf out;  /* what the journal should be */
        bool alike;   /* the copy was the same up to here */
        bool changed;
        fsio_healed got;
} walk;

static int read_file(const char *path, odm_buf *out, bool *there, diag *d)
{
        diag why = {{0}};
        int rc = fsio_read(path, FILE_MAX, out, &why);

        *there = rc == 0;
        return rc == 0 || rc == ODM_ENOENT ? 0 : diag_set(d, rc, "%s", why.text);
}

/* Whether a record of `n` octets at `at` would lie within the file: then it is no torn tail. */
static bool covers(odm_str file, size_t at, size_t n)
{
        return file.n >= at && file.n - at >= n;
}

static int take(walk *w, odm_str from, size_t at, size_t n)
{
        return odm_buf_put(&w->out, from.p + at, n);
}

static void compare(walk *w, size_t at, size_t na, size_t nb)
{
        if (nb == 0)
                w->got.copy |= w->alike && covers(w->b, at, na);
        else if (nb != na || memcmp(w->a.p + at, w->b.p + at, na) != 0)
                w->alike = false; /* of before the last compaction */
}

static int walk_records(walk *w)
{
        int rc = 0;

        while (rc == 0) {
                size_t at = w->out.n;
                size_t na = fsio_record_at(w->a, at), nb = fsio_record_at(w->b, at);
                if (na) {
                        compare(w, at, na, nb);
                        rc = take(w, w->a, at, na);
                } else if (nb && w->alike) {
                        w->got.records += covers(w->a, at, nb);
                        w->changed = true;
                        rc = take(w, w->b, at, nb);
                } else {
                        size_t claimed = fsio_record_claims(w->a, at);
                        w->got.lost = claimed && covers(w->a, at, claimed);
                        return 0;
                }
        }
        return rc;
}

static int walk_all(walk *w)
{
        bool a = fsio_is_journal(w->a), b = fsio_is_journal(w->b);

        if (!a && !b)
                return 0; /* nothing to mend it with: for who opens it */
        w->got.copy = a && !b && w->b.n >= FSIO_JOURNAL_HEAD;
        if (!b)
                w->b = (odm_str){"", 0};
        w->got.head = !a && w->a.n > 0;
        w->changed = !a;
        w->alike = b;
        int rc = take(w, a ? w->a : w->b, 0, FSIO_JOURNAL_HEAD);
        return rc < 0 ? rc : walk_records(w);
}

static int put_back(const fsio_ops *ops, const char *path, odm_str data, diag *d)
{
        static const char suffix[] = ".damaged";
        size_t n = strlen(path);
        char *aside = malloc(n + sizeof suffix);

        if (!aside)
                return ODM_ENOMEM;
        memcpy(aside, path, n);
        memcpy(aside + n, suffix, sizeof suffix);
        (void)unlink(aside);
        (void)!link(path, aside); /* for people; it heals without */
        free(aside);
        return fsio_write(ops, path, data, 0600, d);
}

int fsio_twin_heal(const fsio_ops *ops, const char *path, const char *copy, fsio_healed *out,
                   diag *d)
{
        odm_buf a, b;
        bool has_a = false, has_b = false;
        walk w = {.alike = false};
        int rc;

        odm_buf_init(&a, &heap_mem, FILE_MAX);
        odm_buf_init(&b, &heap_mem, FILE_MAX);
        odm_buf_init(&w.out, &heap_mem, FILE_MAX);
        rc = read_file(path, &a, &has_a, d);
        if (rc == 0 && has_a)
                rc = read_file(copy, &b, &has_b, d);
        if (rc < 0 || !has_a)
                goto out;
        w.a = odm_buf_view(&a);
        w.b = odm_buf_view(&b);
        rc = walk_all(&w);
        if (rc == 0 && w.changed)
                rc = put_back(ops, path, odm_buf_view(&w.out), d);
out:
        if (rc == 0)
                *out = w.got;
        odm_buf_done(&a);
        odm_buf_done(&b);
        odm_buf_done(&w.out);
        return rc;
}

int fsio_twin_copy(const fsio_ops *ops, const char *path, const char *copy, diag *d)
{
        bool has_copy = false;
        odm_buf a, b;
        int rc;

        odm_buf_init(&a, &heap_mem, FILE_MAX);
        odm_buf_init(&b, &heap_mem, FILE_MAX);
        rc = fsio_read(path, FILE_MAX, &a, d);
        if (rc == 0)
                rc = read_file(copy, &b, &has_copy, d);
        if (rc == 0 && (!has_copy || !odm_str_eq(odm_buf_view(&a), odm_buf_view(&b))))
                rc = fsio_write(ops, copy, odm_buf_view(&a), 0600, d);
        odm_buf_done(&a);
        odm_buf_done(&b);
        return rc == ODM_ENOENT ? ODM_EIO : rc;
}
