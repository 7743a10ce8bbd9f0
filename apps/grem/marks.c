/* SPDX-License-Identifier: Apache-2.0 */
/* marks.c - see marks.h.  A record is a few lines:
 *
 *     n DEVICE FANOUT ALERT   numbers from here on are free
 *     a ID ID ..              answered
 *     m HOW                   mended; 0: settled; and DOUBT
 *
 * Only alerts that were there when the copy was made can be in it, so that most answers need no
 * mark. */
#include "marks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"

#define NAME "gateway.marks"
#define RECORD_MAX ((size_t)64 << 20)
#define ANSWERED_MAX ((size_t)2 << 20)
#define GROWN_MAX ((uint64_t)1 << 20)
#define FAR ((int64_t)1 << 20) /* numbers that are passed over when nobody knows what was given */
#define DOUBT 16u              /* of HOW: they are to be */

static const int64_t blocks[MARKS_KINDS] = {256, 1000, 10000};

struct marks {
        const fsio_ops *ops;
        char *path;
        fsio_journal *j;
        int64_t next[MARKS_KINDS];     /* the next to be given */
        int64_t reserved[MARKS_KINDS]; /* durable: those below may have been given */
        bool jump[MARKS_KINDS];        /* FAR, before the next is given */
        bool doubtful;                 /* the file was not there, or not whole */
        bool copies;
        unsigned how;
        int64_t *answered; /* in the order in which they were */
        size_t n, cap;
        size_t past;   /* so many were before them, and are forgotten; counted are these too: */
        size_t gone;   /* so many have no row any more */
        size_t before; /* had none when the copy was begun */
        int64_t *old;  /* those of earlier runs, sorted */
        size_t n_old;
        bool copying;
        int64_t newest; /* alerts from here on are in no copy */
};

/* ---- what is read ------------------------------------------------------------------------------ */

static int add_answered(marks *m, int64_t id)
{
        if (m->n == m->cap) {
                size_t cap = m->cap ? m->cap * 2 : 64;
                int64_t *v = cap <= ANSWERED_MAX ? realloc(m->answered, cap * sizeof *v) : NULL;
                if (!v)
                        return cap <= ANSWERED_MAX ? ODM_ENOMEM : ODM_ELIMIT;
                m->answered = v;
                m->cap = cap;
        }
        m->answered[m->n++] = id;
        return 0;
}

/* The next word of a line as a number; false: there is none. */
static bool take(odm_str *line, int64_t *out)
{
        size_t n = 0;
        uint64_t v;

        *line = odm_str_trim(*line);
        while (n < line->n && line->p[n] != ' ')
                n++;
        if (n == 0 || odm_str_u64(odm_str_to(*line, n), INT64_MAX / 2, &v) < 0)
                return false;
        *line = odm_str_from(*line, n);
        *out = (int64_t)v;
        return true;
}

static int replay_line(marks *m, odm_str line)
{
        char what = line.n ? line.p[0] : '\0';
        odm_str rest = odm_str_from(line, 1);
        int64_t v;
        int rc = 0;

        switch (what) {
        case 'n':
                for (size_t i = 0; i < MARKS_KINDS && take(&rest, &v); i++)
                        m->next[i] = m->reserved[i] = v;
                break;
        case 'm':
                if (take(&rest, &v))
                        m->how = (unsigned)v;
                break;
        case 'a':
                while (rc == 0 && take(&rest, &v))
                        rc = add_answered(m, v);
                break;
        default: break; /* of a later version */
        }
        return rc == ODM_ELIMIT ? 0 : rc;
}

static int replay(void *ctx, odm_str record)
{
        int rc = 0;

        while (rc == 0 && record.n > 0) {
                const char *end = memchr(record.p, '\n', record.n);
                odm_str line = end ? odm_str_to(record, (size_t)(end - record.p)) : record;
                rc = replay_line(ctx, line);
                record = odm_str_from(record, line.n + 1);
        }
        return rc;
}

/* ---- what is written ------------------------------------------------------------------------------ */

static int put_numbers(odm_buf *b, const int64_t v[MARKS_KINDS])
{
        return odm_buf_fmt(b, "n %" PRId64 " %" PRId64 " %" PRId64 "\n", v[MARKS_DEVICE],
                           v[MARKS_FANOUT], v[MARKS_ALERT]);
}

static int put_answered(odm_buf *b, const int64_t *v, size_t n)
{
        int rc = n ? odm_buf_str(b, ODM_STR("a")) : 0;

        for (size_t i = 0; rc == 0 && i < n; i++)
                rc = odm_buf_fmt(b, " %" PRId64, v[i]);
        return rc == 0 && n ? odm_buf_byte(b, '\n') : rc;
}

/* All of it as one record, which takes the place of all others. */
static int compact(marks *m, const int64_t v[MARKS_KINDS])
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        rc = put_numbers(&b, v);
        if (rc == 0)
                rc = odm_buf_fmt(&b, "m %u\n", m->how);
        if (rc == 0)
                rc = put_answered(&b, m->answered, m->n);
        if (rc == 0)
                rc = fsio_journal_compact(m->j, odm_buf_view(&b));
        odm_buf_done(&b);
        return rc;
}

static void shorten(marks *m, const int64_t v[MARKS_KINDS])
{
        if (compact(m, v) < 0)
                log_warn("marks of the store are not made shorter", log_text("file", m->path));
}

/* Durable on return; `m` is as if it were already. */
static int append(marks *m, odm_str record)
{
        int rc = fsio_journal_append(m->j, record);

        if (rc == 0)
                rc = fsio_journal_sync(m->j);
        if (rc < 0) /* a new file, which has it too, is the way on */
                return compact(m, m->reserved);
        if (fsio_journal_grown(m->j) > GROWN_MAX)
                shorten(m, m->reserved);
        return 0;
}

static int reserve(marks *m, const int64_t to[MARKS_KINDS])
{
        int64_t was[MARKS_KINDS];
        odm_buf b;
        int rc;

        memcpy(was, m->reserved, sizeof was);
        memcpy(m->reserved, to, sizeof was);
        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        rc = put_numbers(&b, m->reserved);
        if (rc == 0)
                rc = append(m, odm_buf_view(&b));
        odm_buf_done(&b);
        if (rc < 0) { /* perhaps it is there all the same: that does no harm */
                memcpy(m->reserved, was, sizeof was);
                log_error("no number can be given", log_text("file", m->path),
                          log_text("reason", fsio_journal_why(m->j)));
        }
        return rc;
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

void marks_floor(marks *m, marks_kind k, int64_t next)
{
        if (m->next[k] < next)
                m->next[k] = next;
        if (k == MARKS_ALERT)
                m->newest = m->next[k]; /* only rows of the store ask, before any is given */
}

static void jump(marks *m, marks_kind k)
{
        if (m->jump[k])
                m->next[k] += FAR;
        m->jump[k] = false;
}

int marks_next(marks *m, marks_kind k, int64_t *out)
{
        jump(m, k);
        if (m->next[k] >= m->reserved[k]) {
                int64_t to[MARKS_KINDS];
                int rc;
                memcpy(to, m->reserved, sizeof to);
                to[k] = m->next[k] + blocks[k];
                rc = reserve(m, to);
                if (rc < 0)
                        return rc;
        }
        *out = m->next[k]++;
        return 0;
}

/* ---- a store that was mended ------------------------------------------------------------------------ */

static void put_how(marks *m, unsigned how)
{
        char text[32];

        if (how == m->how)
                return;
        m->how = how;
        (void)snprintf(text, sizeof text, "m %u\n", how);
        if (append(m, odm_cstr(text)) < 0)
                log_error("that the store was damaged is not kept", log_text("file", m->path));
}

static void doubt(marks *m)
{
        for (size_t i = 0; i < MARKS_KINDS; i++)
                m->jump[i] = true;
}

void marks_mended(marks *m, unsigned how)
{
        if (m->doubtful) {
                log_error("what numbers were given is not known: they begin far above");
                doubt(m);
        }
        put_how(m, how | (m->jump[0] ? DOUBT : 0));
}

unsigned marks_how(const marks *m)
{
        return m->how & ~DOUBT;
}

void marks_settled(marks *m)
{
        int64_t to[MARKS_KINDS];
        int rc = 0;

        if (m->how == 0)
                return;
        for (size_t i = 0; i < MARKS_KINDS; i++) {
                jump(m, i);
                to[i] = m->next[i] > m->reserved[i] ? m->next[i] : m->reserved[i];
        }
        if (m->how & DOUBT)
                rc = reserve(m, to);
        if (rc == 0)
                put_how(m, 0);
}

/* ---- alerts that were answered ------------------------------------------------------------------------ */

void marks_answered(marks *m, const int64_t *id, size_t n, size_t *upto)
{
        size_t from = m->n;
        odm_buf b;
        int rc = 0;

        for (size_t i = 0; m->copies && rc == 0 && i < n; i++)
                if (m->copying || id[i] < m->newest)
                        rc = add_answered(m, id[i]);
        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        if (rc == 0)
                rc = put_answered(&b, m->answered + from, m->n - from);
        if (rc == 0 && b.n)
                rc = append(m, odm_buf_view(&b));
        odm_buf_done(&b);
        if (rc < 0)
                log_warn("alerts that were answered would be told again by a copy of the store");
        *upto = m->past + m->n;
}

void marks_gone(marks *m, size_t upto)
{
        if (m->gone < upto)
                m->gone = upto;
}

static int by_number(const void *a, const void *b)
{
        const int64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

bool marks_is_answered(const marks *m, int64_t id)
{
        return m->n_old && bsearch(&id, m->old, m->n_old, sizeof id, by_number);
}

void marks_copying(marks *m)
{
        m->copying = true;
        m->before = m->gone;
}

/* Those are in no copy any more. */
static void drop(marks *m, size_t upto)
{
        size_t n = upto > m->past ? upto - m->past : 0;

        assert(n <= m->n);
        if (n == 0)
                return;
        m->n -= n;
        m->past += n;
        memmove(m->answered, m->answered + n, m->n * sizeof *m->answered);
        shorten(m, m->reserved);
}

void marks_copied(marks *m, bool good)
{
        m->copying = false;
        if (!good)
                return;
        m->newest = m->next[MARKS_ALERT];
        drop(m, m->before);
}

/* ---- life -------------------------------------------------------------------------------------------- */

/* One that is no journal is put aside. */
static int open_journal(marks *m, diag *d)
{
        diag cut = {{0}};
        int rc = fsio_journal_open(m->ops, m->path, replay, m, &m->j, &cut);

        if (rc == ODM_EMALFORMED) {
                char away[4096];
                log_error("marks of the store cannot be read", log_text("file", m->path));
                (void)snprintf(away, sizeof away, "%s.damaged", m->path);
                rc = rename(m->path, away) < 0 ? ODM_EIO : 0;
                if (rc == 0)
                        rc = fsio_journal_open(m->ops, m->path, replay, m, &m->j, &cut);
                m->doubtful = true;
        }
        if (rc < 0)
                return diag_set(d, rc, "%s: %s", m->path,
                                cut.text[0] ? cut.text : odm_err_text(rc));
        m->doubtful |= cut.text[0] || m->reserved[0] == 0;
        return 0;
}

static int sort_old(marks *m)
{
        if (m->n == 0)
                return 0;
        m->old = malloc(m->n * sizeof *m->old);
        if (!m->old)
                return ODM_ENOMEM;
        memcpy(m->old, m->answered, m->n * sizeof *m->old);
        m->n_old = m->n;
        qsort(m->old, m->n_old, sizeof *m->old, by_number);
        return 0;
}

static void free_marks(marks *m)
{
        fsio_journal_close(m->j);
        free(m->answered);
        free(m->old);
        free(m->path);
        free(m);
}

int marks_open(const fsio_ops *ops, const char *folder, bool copies, marks **out, diag *d)
{
        marks *m = calloc(1, sizeof *m);
        int rc = ODM_ENOMEM;

        if (!m)
                return diag_set(d, rc, "out of memory");
        m->ops = ops;
        m->copies = copies;
        m->path = fsio_join(folder, NAME);
        if (m->path)
                rc = open_journal(m, d);
        if (rc == 0)
                rc = sort_old(m);
        if (rc < 0) {
                free_marks(m);
                return rc;
        }
        for (size_t i = 0; i < MARKS_KINDS; i++)
                if (m->next[i] == 0)
                        m->next[i] = 1;
        if (m->how & DOUBT)
                doubt(m);
        m->newest = m->next[MARKS_ALERT];
        m->gone = m->n; /* who reads the rows sees to it */
        *out = m;
        return 0;
}

void marks_close(marks *m, bool copied)
{
        if (!m)
                return;
        if (copied)
                m->n = 0;
        shorten(m, m->next);
        free_marks(m);
}
