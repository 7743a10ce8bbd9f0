/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - the agent's journal; see state.h. */
#include "state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"

#define TIDY_FROM (256u << 10) /* octets grown before a compaction pays */
#define ABSENT_LEN 0xffffffffu
#define ALERT_MAX (1u << 20)

enum tag { TAG_TREE = 'T', TAG_ALERT = 'A', TAG_DONE = 'D', TAG_WAKE = 'W' };

typedef struct pending {
        state_alert a;
        odm_arena arena; /* its text */
} pending;

struct state {
        const fsio_ops *ops;
        char *path, *copy_path;
        fsio_journal *journal;
        fsio_journal *copy; /* NULL: it could not be written; made again when that pays */
        fsio_healed healed;
        odm_tree *tree; /* while the journal is replayed */
        pending *alerts[STATE_ALERTS];
        size_t n_alerts;
        uint64_t last_id;
        uint8_t seen[STATE_SEEN][STATE_WAKE_ID];
        size_t n_seen, next_seen;
        bool broken; /* an append failed: only a compaction mends it */
};

/* ---- numbers and text in sections --------------------------------------------------- */

static int put_u32(odm_buf *b, uint32_t v)
{
        const uint8_t p[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
                              (uint8_t)(v >> 24)};

        return odm_buf_put(b, p, sizeof p);
}

static bool take(odm_str *s, size_t n, odm_str *out)
{
        if (s->n < n)
                return false;
        *out = odm_str_to(*s, n);
        *s = odm_str_from(*s, n);
        return true;
}

static bool take_u32(odm_str *s, uint32_t *out)
{
        odm_str p;

        if (!take(s, 4, &p))
                return false;
        *out = 0;
        for (int i = 3; i >= 0; i--)
                *out = *out << 8 | (uint8_t)p.p[i];
        return true;
}

static int put_text(odm_buf *b, odm_str s)
{
        int rc = put_u32(b, s.p ? (uint32_t)s.n : ABSENT_LEN);

        return rc < 0 ? rc : odm_buf_str(b, s);
}

static bool take_text(odm_str *s, odm_str *out)
{
        uint32_t n;

        if (!take_u32(s, &n))
                return false;
        *out = ODM_ABSENT;
        return n == ABSENT_LEN || take(s, n, out);
}

static int put_id(odm_buf *b, uint64_t id)
{
        int rc = put_u32(b, (uint32_t)id);

        return rc < 0 ? rc : put_u32(b, (uint32_t)(id >> 32));
}

static bool take_id(odm_str *s, uint64_t *out)
{
        uint32_t lo, hi;

        if (!take_u32(s, &lo) || !take_u32(s, &hi))
                return false;
        *out = (uint64_t)hi << 32 | lo;
        return true;
}

static int put_section(odm_buf *b, enum tag tag, odm_str data)
{
        int rc = odm_buf_byte(b, (uint8_t)tag);

        if (rc == 0)
                rc = put_u32(b, (uint32_t)data.n);
        return rc < 0 ? rc : odm_buf_str(b, data);
}

/* The text fields of an alert, in the order they are written.  Those of an older version end before
 * the server and the time. */
#define ALERT_TEXTS 8
#define OLD_ALERT_TEXTS 7
static void alert_texts(state_alert *s, odm_str *out[ALERT_TEXTS])
{
        odm_alert *a = &s->alert;
        odm_str *const all[ALERT_TEXTS] = {&a->source, &a->source_name, &a->target,     &a->type,
                                           &a->mark,   &a->data,        &a->correlator, &s->server};

        memcpy(out, all, sizeof all);
}

static int put_alert(odm_buf *b, const state_alert *from)
{
        state_alert a = *from;
        odm_str *text[ALERT_TEXTS];
        int rc = put_id(b, a.alert.id);

        alert_texts(&a, text);
        if (rc == 0)
                rc = put_u32(b, a.alert.code);
        if (rc == 0)
                rc = put_u32(b, (uint32_t)a.alert.format);
        for (size_t i = 0; rc == 0 && i < ALERT_TEXTS; i++)
                rc = put_text(b, *text[i]);
        return rc < 0 ? rc : put_id(b, (uint64_t)a.since.s);
}

static bool take_alert(odm_str s, state_alert *a)
{
        odm_str *text[ALERT_TEXTS];
        uint32_t code, format;
        uint64_t since;

        alert_texts(a, text);
        if (!take_id(&s, &a->alert.id) || !take_u32(&s, &code) || !take_u32(&s, &format) ||
            format > ODM_FMT_OTHER)
                return false;
        a->alert.code = code;
        a->alert.format = (odm_format)format;
        for (size_t i = 0; i < ALERT_TEXTS; i++) {
                if (i == OLD_ALERT_TEXTS && s.n == 0)
                        return true;
                if (!take_text(&s, text[i]))
                        return false;
        }
        if (!take_id(&s, &since))
                return false;
        a->since.s = (int64_t)since;
        return s.n == 0;
}

/* ---- in memory ------------------------------------------------------------------------ */

static void pending_free(pending *p)
{
        odm_arena_done(&p->arena);
        free(p);
}

static int alert_keep(state *s, const state_alert *a)
{
        odm_str *text[ALERT_TEXTS];
        pending *p;

        if (s->n_alerts == STATE_ALERTS)
                return ODM_ELIMIT;
        p = calloc(1, sizeof *p);
        if (!p)
                return ODM_ENOMEM;
        odm_arena_init(&p->arena, &heap_mem, 2 * ALERT_MAX);
        p->a = *a;
        alert_texts(&p->a, text);
        for (size_t i = 0; i < ALERT_TEXTS; i++)
                *text[i] = odm_arena_copy(&p->arena, *text[i]);
        if (p->arena.err) {
                int rc = p->arena.err;
                pending_free(p);
                return rc;
        }
        s->alerts[s->n_alerts++] = p;
        if (a->alert.id > s->last_id)
                s->last_id = a->alert.id;
        return 0;
}

static bool alert_drop(state *s, uint64_t id)
{
        for (size_t i = 0; i < s->n_alerts; i++) {
                if (s->alerts[i]->a.alert.id != id)
                        continue;
                pending_free(s->alerts[i]);
                memmove(&s->alerts[i], &s->alerts[i + 1], (--s->n_alerts - i) * sizeof *s->alerts);
                return true;
        }
        return false;
}

static void wake_keep(state *s, const uint8_t id[STATE_WAKE_ID])
{
        memcpy(s->seen[s->next_seen], id, STATE_WAKE_ID);
        s->next_seen = (s->next_seen + 1) % STATE_SEEN;
        if (s->n_seen < STATE_SEEN)
                s->n_seen++;
}

/* ---- the journal ---------------------------------------------------------------------------- */

static int replay_section(state *s, uint8_t tag, odm_str data)
{
        state_alert a = {{0}};
        uint64_t id;

        switch ((enum tag)tag) {
        case TAG_TREE: return odm_tree_load(s->tree, data);
        case TAG_ALERT: return take_alert(data, &a) ? alert_keep(s, &a) : ODM_EMALFORMED;
        case TAG_DONE:
                if (!take_id(&data, &id))
                        return ODM_EMALFORMED;
                (void)alert_drop(s, id);
                if (id > s->last_id)
                        s->last_id = id;
                return 0;
        case TAG_WAKE:
                if (data.n != STATE_WAKE_ID)
                        return ODM_EMALFORMED;
                wake_keep(s, (const uint8_t *)data.p);
                return 0;
        }
        return ODM_EMALFORMED; /* written by a later version: not to be half understood */
}

static int replay(void *ctx, odm_str record)
{
        int rc = 0;

        while (rc == 0 && record.n) {
                odm_str tag, data;
                uint32_t n;
                if (!take(&record, 1, &tag) || !take_u32(&record, &n) || !take(&record, n, &data))
                        return ODM_EMALFORMED;
                rc = replay_section(ctx, (uint8_t)tag.p[0], data);
        }
        return rc;
}

/* ---- the copy ----------------------------------------------------------------------- */

static int pass_over(void *ctx, odm_str record)
{
        (void)ctx;
        (void)record;
        return 0;
}

/* One that is not what the journal is must not be there: it would be taken for it. */
static void drop_copy(state *s)
{
        fsio_journal_close(s->copy);
        s->copy = NULL;
        (void)unlink(s->copy_path);
}

/* Nothing depends on it as long as the disk is good, so what fails here is tried again later. */
static void make_copy(state *s)
{
        if (s->copy || s->broken)
                return;
        if (fsio_twin_copy(s->ops, s->path, s->copy_path, NULL) < 0 ||
            fsio_journal_open(s->ops, s->copy_path, pass_over, NULL, &s->copy, NULL) < 0)
                drop_copy(s);
}

static void append_copy(state *s, odm_str record)
{
        if (s->copy && fsio_journal_append(s->copy, record) < 0)
                drop_copy(s);
}

static void compact_copy(state *s, odm_str snapshot)
{
        if (s->copy && fsio_journal_compact(s->copy, snapshot) < 0)
                drop_copy(s);
        make_copy(s);
}

/* What is in it need not wait for the disk, but not be lost for ever either. */
static void sync_copy(state *s)
{
        if (s->copy && fsio_journal_sync(s->copy) < 0)
                drop_copy(s);
        make_copy(s);
}

/* ---- life ------------------------------------------------------------------------------- */

static int open_journal(state *s, odm_tree *tree, diag *d)
{
        int rc = fsio_twin_heal(s->ops, s->path, s->copy_path, &s->healed, d);

        if (rc < 0)
                return rc;
        s->tree = tree;
        rc = fsio_journal_open(s->ops, s->path, replay, s, &s->journal, d);
        s->tree = NULL;
        if (rc == ODM_EMALFORMED && d && !d->text[0])
                diag_set(d, rc,
                         "%s holds records we cannot read; start the version that wrote it, or"
                         " move it away to begin anew",
                         s->path);
        return rc;
}

int state_open(const fsio_ops *ops, const char *folder, odm_tree *tree, state **out, diag *d)
{
        state *s = calloc(1, sizeof *s);
        int rc = ODM_ENOMEM;

        if (s) {
                s->ops = ops;
                s->path = fsio_join(folder, "journal");
                s->copy_path = fsio_join(folder, "journal.copy");
        }
        if (!s || !s->path || !s->copy_path)
                diag_set(d, rc, "out of memory");
        else
                rc = open_journal(s, tree, d);
        if (rc < 0) {
                state_close(s);
                return rc;
        }
        make_copy(s);
        *out = s;
        return 0;
}

void state_close(state *s)
{
        if (!s)
                return;
        for (size_t i = 0; i < s->n_alerts; i++)
                pending_free(s->alerts[i]);
        fsio_journal_close(s->journal);
        fsio_journal_close(s->copy);
        free(s->path);
        free(s->copy_path);
        free(s);
}

const fsio_healed *state_healed(const state *s)
{
        return &s->healed;
}

static int append_section(state *s, enum tag tag, odm_str data)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, FSIO_RECORD_MAX);
        rc = put_section(&b, tag, data);
        if (rc == 0)
                rc = fsio_journal_append(s->journal, odm_buf_view(&b));
        if (rc == ODM_EIO)
                s->broken = true;
        if (rc == 0)
                append_copy(s, odm_buf_view(&b));
        if (b.n)
                odm_wipe(b.p, b.n); /* passwords pass here */
        odm_buf_done(&b);
        return rc;
}

int state_log(void *ctx, odm_str record)
{
        return append_section(ctx, TAG_TREE, record);
}

int state_sync(state *s)
{
        int rc = fsio_journal_sync(s->journal);

        s->broken |= rc < 0;
        return rc;
}

static int put_snapshot(const state *s, odm_tree *tree, odm_buf *out)
{
        size_t start = out->n;
        int rc = odm_buf_byte(out, TAG_TREE);

        if (rc == 0)
                rc = put_u32(out, 0);
        if (rc == 0)
                rc = odm_tree_dump(tree, out);
        if (rc < 0)
                return rc;
        for (uint32_t i = 0, n = (uint32_t)(out->n - start - 5); i < 4; i++) /* now we know it */
                out->p[start + 1 + i] = (char)(n >> (8 * i));
        for (size_t i = 0; rc == 0 && i < s->n_seen; i++) {
                size_t at = (s->next_seen + STATE_SEEN - s->n_seen + i) % STATE_SEEN;
                rc = put_section(out, TAG_WAKE,
                                 (odm_str){(const char *)s->seen[at], STATE_WAKE_ID});
        }
        for (size_t i = 0; rc == 0 && i < s->n_alerts; i++) {
                odm_buf one;
                odm_buf_init(&one, &heap_mem, 2 * ALERT_MAX);
                rc = put_alert(&one, &s->alerts[i]->a);
                if (rc == 0)
                        rc = put_section(out, TAG_ALERT, odm_buf_view(&one));
                odm_buf_done(&one);
        }
        return rc;
}

int state_tidy(state *s, odm_tree *tree)
{
        uint64_t grown = fsio_journal_grown(s->journal);
        odm_buf b;
        int rc;

        if (!s->broken && (grown < TIDY_FROM || grown < fsio_journal_size(s->journal) / 2)) {
                sync_copy(s);
                return 0;
        }
        odm_buf_init(&b, &heap_mem, FSIO_RECORD_MAX);
        rc = put_snapshot(s, tree, &b);
        if (rc == 0)
                rc = fsio_journal_compact(s->journal, odm_buf_view(&b));
        if (rc == 0) {
                s->broken = false;
                compact_copy(s, odm_buf_view(&b));
        }
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

bool state_broken(const state *s)
{
        return s->broken;
}

const char *state_why(const state *s)
{
        return fsio_journal_why(s->journal);
}

uint64_t state_size(const state *s)
{
        return fsio_journal_size(s->journal);
}

/* ---- alerts and wake-ups ---------------------------------------------------------------- */

int state_alert_add(state *s, const state_alert *a)
{
        state_alert numbered = *a;
        odm_buf b;
        int rc;

        numbered.alert.id = s->last_id + 1;
        odm_buf_init(&b, &heap_mem, ALERT_MAX);
        rc = put_alert(&b, &numbered);
        if (rc == 0)
                rc = alert_keep(s, &numbered);
        if (rc == 0) {
                rc = append_section(s, TAG_ALERT, odm_buf_view(&b));
                if (rc < 0)
                        (void)alert_drop(s, numbered.alert.id);
        }
        odm_buf_done(&b);
        return rc;
}

void state_alert_done(state *s, uint64_t id)
{
        odm_buf b;

        if (!alert_drop(s, id))
                return;
        odm_buf_init(&b, &heap_mem, 8);
        /* when this is lost the alert is sent once more, which a server must bear */
        if (put_id(&b, id) == 0)
                (void)append_section(s, TAG_DONE, odm_buf_view(&b));
        odm_buf_done(&b);
}

size_t state_alerts(const state *s)
{
        return s->n_alerts;
}

const state_alert *state_alert_at(const state *s, size_t i)
{
        return i < s->n_alerts ? &s->alerts[i]->a : NULL;
}

bool state_wake_seen(const state *s, const uint8_t id[STATE_WAKE_ID])
{
        for (size_t i = 0; i < s->n_seen; i++)
                if (memcmp(s->seen[i], id, STATE_WAKE_ID) == 0)
                        return true;
        return false;
}

int state_wake_add(state *s, const uint8_t id[STATE_WAKE_ID])
{
        int rc = append_section(s, TAG_WAKE, (odm_str){(const char *)id, STATE_WAKE_ID});

        if (rc == 0)
                rc = state_sync(s);
        if (rc == 0)
                wake_keep(s, id);
        return rc;
}
