/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the journal, several of them in one after a compaction:
 *     'A' sequence(4) task(4) time(8) server correlator data leaves(4) (format(1) path text)...
 *     'D' sequence(4)        that sample is over
 * Numbers are little-endian, texts have their length(4) in front; ~0 stands for an absent one. */
#include "part/samples.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"

#define GROWN (256u << 10) /* octets of the journal that are nothing but history */
#define ABSENT UINT32_MAX

typedef struct sample {
        struct sample *next;
        uint32_t seq, task, n, left; /* leaves, and those not answered yet */
        odm_wall at;
        bool due, saved;
        odm_str server, correlator, data; /* in body */
        odm_str leaves;
        uint8_t *over; /* a bit for each leaf */
        char *body;    /* the record */
        size_t size;
} sample;

struct samples {
        fsio_journal *journal;
        sample *first, **last;
        size_t n, octets, max;
        uint32_t next_seq;
        uint64_t dropped;
        odm_buf making; /* the record that samples_begin() began */
        uint32_t making_n;
        size_t making_at; /* where the number of leaves stands */
};

/* ---- records ----------------------------------------------------------------------------------- */

static int put_u32(odm_buf *b, uint32_t v)
{
        const uint8_t raw[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                                (uint8_t)(v >> 24)};

        return odm_buf_put(b, raw, sizeof raw);
}

static int put_text(odm_buf *b, odm_str s)
{
        int rc = put_u32(b, s.p ? (uint32_t)s.n : ABSENT);

        return rc == 0 && s.n ? odm_buf_str(b, s) : rc;
}

static bool take(odm_str *in, size_t n, odm_str *out)
{
        if (in->n < n)
                return false;
        *out = odm_str_to(*in, n);
        *in = odm_str_from(*in, n);
        return true;
}

static bool take_u32(odm_str *in, uint32_t *out)
{
        odm_str raw;

        if (!take(in, 4, &raw))
                return false;
        const uint8_t *p = (const uint8_t *)raw.p;
        *out = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        return true;
}

static bool take_text(odm_str *in, odm_str *out)
{
        uint32_t n;

        if (!take_u32(in, &n))
                return false;
        if (n == ABSENT) {
                *out = ODM_ABSENT;
                return true;
        }
        return take(in, n, out);
}

static bool take_leaf(odm_str *in, odm_format *format, odm_str *rel, odm_str *text)
{
        odm_str f;

        if (!take(in, 1, &f) || !take_text(in, rel) || !take_text(in, text))
                return false;
        *format = (odm_format)(uint8_t)f.p[0];
        return true;
}

/* The fields behind the 'A'; leaves `in` behind the sample. */
static bool parse(odm_str *in, sample *out)
{
        uint32_t low, high;
        sample s = {.next = NULL};

        if (!take_u32(in, &s.seq) || !take_u32(in, &s.task) || !take_u32(in, &low) ||
            !take_u32(in, &high) || !take_text(in, &s.server) || !take_text(in, &s.correlator) ||
            !take_text(in, &s.data) || !take_u32(in, &s.n) || s.n > SAMPLES_LEAVES)
                return false;
        s.at.s = (int64_t)(low | (uint64_t)high << 32);
        s.leaves = *in;
        for (uint32_t i = 0; i < s.n; i++) {
                odm_format format;
                odm_str rel, text;
                if (!take_leaf(in, &format, &rel, &text))
                        return false;
        }
        s.leaves.n -= in->n;
        s.left = s.n;
        *out = s;
        return true;
}

/* ---- the list ---------------------------------------------------------------------------------- */

static void forget(samples *s, sample **at)
{
        sample *x = *at;

        *at = x->next;
        if (s->last == &x->next)
                s->last = at;
        s->n--;
        s->octets -= x->size;
        free(x->over);
        free(x->body);
        free(x);
}

static bool has_room(samples *s, size_t more)
{
        if (more > s->max)
                return false;
        while (s->octets + more > s->max) {
                forget(s, &s->first);
                s->dropped++;
                if ((s->dropped & (s->dropped - 1)) == 0) /* not once a second for ever */
                        log_warn("samples that no server took had to go",
                                 log_int("since_start", (int64_t)s->dropped));
        }
        return true;
}

/* A record 'A', whole, becomes a sample at the end of the list.  Copies. */
static int add(samples *s, odm_str record, bool due, sample **out)
{
        sample *x = calloc(1, sizeof *x);
        odm_str in;
        int rc = ODM_ENOMEM;

        if (!x)
                return rc;
        if (!has_room(s, sizeof *x + record.n)) {
                free(x);
                return ODM_ELIMIT;
        }
        char *body = malloc(record.n);
        if (!body)
                goto out;
        memcpy(body, record.p, record.n);
        in = odm_str_from((odm_str){body, record.n}, 1);
        rc = parse(&in, x) ? 0 : ODM_EMALFORMED;
        if (rc < 0)
                goto out;
        x->over = calloc(1, (x->n + 7) / 8 + 1);
        rc = x->over ? 0 : ODM_ENOMEM;
        if (rc < 0)
                goto out;
        x->body = body;
        x->size = sizeof *x + record.n;
        x->due = due;
        *s->last = x;
        s->last = &x->next;
        s->n++;
        s->octets += x->size;
        if (s->next_seq <= x->seq)
                s->next_seq = x->seq + 1;
        *out = x;
        return 0;
out:
        free(body);
        free(x);
        return rc;
}

static sample **by_seq(samples *s, uint32_t seq)
{
        sample **at = &s->first;

        while (*at && (*at)->seq != seq)
                at = &(*at)->next;
        return at;
}

/* ---- the journal ------------------------------------------------------------------------------- */

static int replay(void *ctx, odm_str record)
{
        samples *s = ctx;

        while (record.n) {
                char kind = record.p[0];
                odm_str whole = record, in = odm_str_from(record, 1);
                sample parsed, *x;
                uint32_t seq;
                if (kind == 'D' && take_u32(&in, &seq)) {
                        sample **at = by_seq(s, seq);
                        if (*at)
                                forget(s, at);
                } else if (kind == 'A' && parse(&in, &parsed)) {
                        int rc = add(s, odm_str_to(whole, whole.n - in.n), true, &x);
                        if (rc < 0 && rc != ODM_ELIMIT)
                                return rc;
                        if (rc == 0)
                                x->saved = true;
                } else {
                        return ODM_EMALFORMED;
                }
                record = in;
        }
        return 0;
}

static void compact(samples *s)
{
        odm_buf b;
        int rc = 0;

        odm_buf_init(&b, &heap_mem, s->max + 4096);
        for (sample *x = s->first; x && rc == 0; x = x->next)
                rc = odm_buf_put(&b, x->body, x->size - sizeof *x);
        if (rc == 0)
                rc = fsio_journal_compact(s->journal, odm_buf_view(&b));
        if (rc < 0)
                log_error("the journal of samples", log_text("reason", odm_err_text(rc)));
        for (sample *x = s->first; x && rc == 0; x = x->next)
                x->saved = true;
        odm_buf_done(&b);
}

static void keep_tidy(samples *s)
{
        if (fsio_journal_grown(s->journal) > GROWN + s->octets)
                compact(s);
}

int samples_open(const char *path, size_t max, samples **out, diag *d)
{
        samples *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return diag_set(d, ODM_ENOMEM, "out of memory");
        s->last = &s->first;
        s->max = max;
        s->next_seq = 1;
        odm_buf_init(&s->making, &heap_mem, max);
        rc = fsio_journal_open(NULL, path, replay, s, &s->journal, d);
        if (rc < 0) {
                samples_close(s);
                return rc;
        }
        keep_tidy(s);
        *out = s;
        return 0;
}

void samples_close(samples *s)
{
        if (!s)
                return;
        while (s->first)
                forget(s, &s->first);
        fsio_journal_close(s->journal);
        odm_buf_done(&s->making);
        free(s);
}

/* ---- making one -------------------------------------------------------------------------------- */

int samples_begin(samples *s, const sample_head *h)
{
        odm_buf *b = &s->making;
        uint64_t at = (uint64_t)h->at.s;
        int rc;

        odm_buf_cut(b, 0);
        s->making_n = 0;
        rc = odm_buf_byte(b, 'A');
        if (rc == 0)
                rc = put_u32(b, s->next_seq);
        if (rc == 0)
                rc = put_u32(b, h->task);
        if (rc == 0)
                rc = put_u32(b, (uint32_t)at);
        if (rc == 0)
                rc = put_u32(b, (uint32_t)(at >> 32));
        if (rc == 0)
                rc = put_text(b, h->server);
        if (rc == 0)
                rc = put_text(b, h->correlator);
        if (rc == 0)
                rc = put_text(b, h->data);
        s->making_at = b->n;
        return rc == 0 ? put_u32(b, 0) : rc;
}

int samples_leaf(samples *s, odm_str rel, odm_format format, odm_str text)
{
        odm_buf *b = &s->making;
        size_t before = b->n;
        int rc;

        if (s->making_n == SAMPLES_LEAVES)
                return 0;
        rc = odm_buf_byte(b, (uint8_t)format);
        if (rc == 0)
                rc = put_text(b, rel);
        if (rc == 0)
                rc = put_text(b, text);
        if (rc < 0)
                odm_buf_cut(b, before);
        else
                s->making_n++;
        return rc;
}

int samples_end(samples *s, size_t *octets)
{
        odm_buf *b = &s->making;
        sample *x = NULL;
        int rc;

        assert(b->n >= s->making_at + 4);
        for (unsigned i = 0; i < 4; i++)
                b->p[s->making_at + i] = (char)(uint8_t)(s->making_n >> 8 * i);
        rc = add(s, odm_buf_view(b), false, &x);
        if (rc == 0 && octets)
                *octets = x->size;
        if (rc == 0) {
                rc = fsio_journal_append(s->journal, odm_buf_view(b));
                x->saved = rc == 0;
        }
        odm_buf_cut(b, 0);
        return rc;
}

/* ---- what becomes of them ---------------------------------------------------------------------- */

void samples_due(samples *s, uint32_t task)
{
        int rc = 0;

        for (sample *x = s->first; x; x = x->next)
                if (x->task == task)
                        x->due = true;
        keep_tidy(s);
        rc = fsio_journal_sync(s->journal);
        if (rc < 0)
                log_error("the journal of samples", log_text("reason", odm_err_text(rc)));
}

static void over(samples *s, sample **at)
{
        uint32_t seq = (*at)->seq;
        char record[5] = {'D', (char)(uint8_t)seq, (char)(uint8_t)(seq >> 8),
                          (char)(uint8_t)(seq >> 16), (char)(uint8_t)(seq >> 24)};

        if ((*at)->saved && fsio_journal_append(s->journal, (odm_str){record, 5}) < 0)
                log_debug("a sample may be told again"); /* the journal says so elsewhere */
        forget(s, at);
}

void samples_drop(samples *s, uint32_t task)
{
        for (sample **at = &s->first; *at;) {
                if ((*at)->task == task && !(*at)->due)
                        over(s, at);
                else
                        at = &(*at)->next;
        }
}

size_t samples_of(const samples *s, uint32_t task)
{
        size_t n = 0;

        for (const sample *x = s->first; x; x = x->next)
                if (x->task == task)
                        n += x->size;
        return n;
}

static bool is_over(const sample *x, uint32_t i)
{
        return (x->over[i / 8] >> i % 8 & 1) != 0;
}

static int each_leaf(const sample *x, int (*fn)(void *ctx, const odm_alert *a), void *ctx)
{
        odm_str in = x->leaves;
        char when[ODM_WALL_TEXT], block[1024];
        odm_arena a;
        int rc = 0;

        odm_wall_format(x->at, when);
        odm_arena_init_on(&a, &heap_mem, 65536, block, sizeof block);
        for (uint32_t i = 0; i < x->n && rc == 0; i++) {
                odm_alert one = {
                        .id = (uint64_t)x->seq << 16 | i,
                        .code = ODM_ALERT_GENERIC,
                        .source_name = odm_cstr(when),
                        .type = ODM_STR("urn:oma:at:diagmon:1.0:CollectedSimpleDataReport"),
                        .mark = ODM_STR("informational"),
                        .correlator = x->correlator};
                odm_str rel = ODM_ABSENT;
                bool ok = take_leaf(&in, &one.format, &rel, &one.data);
                assert(ok); /* it was parsed when it came */
                (void)ok;
                if (is_over(x, i))
                        continue;
                odm_arena_reset(&a);
                one.source = odm_arena_fmt(&a, "%.*s/%.*s", (int)x->data.n, x->data.p, (int)rel.n,
                                           rel.p);
                rc = one.source.p ? fn(ctx, &one) : odm_arena_err(&a);
        }
        odm_arena_done(&a);
        return rc;
}

int samples_each(const samples *s, odm_str server, int (*fn)(void *ctx, const odm_alert *a),
                 void *ctx)
{
        int rc = 0;

        for (const sample *x = s->first; x && rc == 0; x = x->next)
                if (x->due && odm_str_eq(x->server, server))
                        rc = each_leaf(x, fn, ctx);
        return rc;
}

void samples_over(samples *s, uint64_t id)
{
        sample **at = by_seq(s, (uint32_t)(id >> 16));
        uint32_t i = (uint32_t)(id & 0xffff);

        if (!*at || i >= (*at)->n || is_over(*at, i))
                return;
        (*at)->over[i / 8] |= (uint8_t)(1u << i % 8);
        if (--(*at)->left == 0)
                over(s, at);
}

odm_str samples_waits(const samples *s)
{
        for (const sample *x = s->first; x; x = x->next)
                if (x->due)
                        return x->server;
        return ODM_ABSENT;
}

size_t samples_held(const samples *s)
{
        return s->n;
}

uint64_t samples_dropped(const samples *s)
{
        return s->dropped;
}
