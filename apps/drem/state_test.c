/* SPDX-License-Identifier: Apache-2.0 */
/* state_test.c - what the agent must not forget, with the power cut at every write. */
#include "state.h"

#include <errno.h>
#include <unistd.h>

#include "fsio_disk.h"
#include "heap.h"
#include "objects.h"
#include "support.h"

/* ---- a disk that loses power --------------------------------------------------------- */

typedef struct cutter {
        long left; /* octets and calls until the cut; negative: never */
} cutter;

static bool spend(cutter *c, long n)
{
        if (c->left < 0)
                return true;
        if (c->left >= n) {
                c->left -= n;
                return true;
        }
        errno = EIO;
        return false;
}

static ssize_t cut_write(void *ctx, int fd, const void *p, size_t n)
{
        cutter *c = ctx;
        long before = c->left;

        if (spend(c, (long)n))
                return write(fd, p, n);
        c->left = 0;
        if (before > 0 && write(fd, p, (size_t)before) < 0)
                return -1;
        errno = EIO;
        return -1;
}

static int cut_fsync(void *ctx, int fd)
{
        (void)fd; /* the page cache survives our cuts; only the order counts */
        return spend(ctx, 1) ? 0 : -1;
}

static int cut_rename(void *ctx, const char *from, const char *to)
{
        return spend(ctx, 1) ? rename(from, to) : -1;
}

static int cut_truncate(void *ctx, int fd, off_t n)
{
        return spend(ctx, 1) ? ftruncate(fd, n) : -1;
}

/* ---- an agent's tree without the agent -------------------------------------------------- */

typedef struct rig {
        char dir[64];
        cutter cut;
        disk *disk; /* is told of all, or NULL */
        diag *why;
        fsio_ops ops;
        objects o;
        odm_tree *t;
        state *s;
} rig;

static void nothing(void *ctx)
{
        (void)ctx;
}

static void nothing_said(void *ctx, odm_str correlator)
{
        (void)ctx;
        (void)correlator;
}

static int log_record(void *ctx, odm_str record)
{
        rig *r = ctx;

        return r->s ? state_log(r->s, record) : 0;
}

static int rig_open(rig *r)
{
        odm_tree_opt opt;

        odm_tree_opt_init(&opt, &heap_mem);
        opt.log = log_record;
        opt.log_ctx = r;
        r->o = (objects){.dev_id = "urn:uuid:1",
                         .machine = {.root = ""},
                         .on_config = nothing,
                         .on_sync = nothing_said};
        r->ops = (fsio_ops){cut_write, cut_fsync, cut_rename, cut_truncate, &r->cut};
        if (r->disk)
                r->ops = fsio_disk_ops(r->disk);
        assert_int_equal(odm_tree_new(&opt, &r->t), 0);
        assert_int_equal(objects_mount(&r->o, r->t), 0);
        return state_open(&r->ops, r->dir, r->t, &r->s, r->why);
}

static void rig_close(rig *r)
{
        odm_tree_free(r->t);
        state_close(r->s);
        r->t = NULL;
        r->s = NULL;
}

static void reopen(rig *r)
{
        rig_close(r);
        r->cut.left = -1;
        assert_int_equal(rig_open(r), 0);
}

static int set_up(void **state_out)
{
        rig *r = calloc(1, sizeof *r);

        snprintf(r->dir, sizeof r->dir, "/tmp/state_test.XXXXXX");
        assert_non_null(mkdtemp(r->dir));
        r->cut.left = -1;
        *state_out = r;
        return 0;
}

static void wipe_folder(const rig *r)
{
        static const char *const names[] = {"journal", "journal.new", "journal.copy",
                                            "journal.copy.new", "journal.damaged"};
        char path[96];

        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", r->dir, names[i]);
                unlink(path);
        }
}

static int tear_down(void **state_in)
{
        rig *r = *state_in;

        rig_close(r);
        wipe_folder(r);
        rmdir(r->dir);
        free(r);
        return 0;
}

static int set_note(rig *r, const char *text)
{
        const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(text)};
        int rc = odm_tree_write(r->t, ODM_STR("./Vendor/xrem/Config/Note"), &v, (odm_wall){1});

        return rc < 0 ? rc : state_sync(r->s);
}

static void get_note(rig *r, char out[64])
{
        odm_value v = {0};
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 65536);
        out[0] = 0;
        if (odm_tree_read(r->t, ODM_STR("./Vendor/xrem/Config/Note"), &a, &v) == 0)
                snprintf(out, 64, "%.*s", (int)v.data.n, v.data.p ? v.data.p : "");
        odm_arena_done(&a);
}

static int number_of(const char *note)
{
        return note[0] >= '0' && note[0] <= '9' ? note[0] - '0' : -1;
}

static state_alert alert(const char *correlator)
{
        return (state_alert){.alert = {.code = ODM_ALERT_GENERIC,
                                       .source = ODM_STR("./A"),
                                       .type = ODM_STR("t"),
                                       .data = ODM_STR("200"),
                                       .format = ODM_FMT_INT,
                                       .correlator = odm_cstr(correlator)},
                             .server = ODM_STR("srv"),
                             .since = {1000}};
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void all_comes_back(void **state_in)
{
        rig *r = *state_in;
        const uint8_t id[STATE_WAKE_ID] = {1, 2, 3}, other[STATE_WAKE_ID] = {9};
        state_alert a = alert("c1"), b = alert(NULL);
        char note[64];

        assert_int_equal(rig_open(r), 0);
        assert_int_equal(set_note(r, "kept"), 0);
        assert_int_equal(state_alert_add(r->s, &a), 0);
        assert_int_equal(state_alert_add(r->s, &b), 0);
        assert_int_equal(state_wake_add(r->s, id), 0);
        assert_int_equal(state_sync(r->s), 0);
        for (int round = 0; round < 3; round++) {
                reopen(r);
                get_note(r, note);
                assert_string_equal(note, "kept");
                assert_int_equal(state_alerts(r->s), 2);
                assert_str(state_alert_at(r->s, 0)->alert.correlator, "c1");
                assert_int_equal(state_alert_at(r->s, 0)->alert.id, 1);
                assert_null(state_alert_at(r->s, 1)->alert.correlator.p);
                assert_str(state_alert_at(r->s, 1)->alert.data, "200");
                assert_str(state_alert_at(r->s, 1)->server, "srv");
                assert_int_equal(state_alert_at(r->s, 1)->since.s, 1000);
                assert_null(state_alert_at(r->s, 2));
                assert_true(state_wake_seen(r->s, id));
                assert_false(state_wake_seen(r->s, other));
        }
        state_alert_done(r->s, 1);
        state_alert_done(r->s, 77);
        assert_int_equal(state_sync(r->s), 0);
        reopen(r);
        assert_int_equal(state_alerts(r->s), 1);
        assert_int_equal(state_alert_add(r->s, &a), 0); /* its number is not used again */
        assert_int_equal(state_alert_at(r->s, 1)->alert.id, 3);
}

static void ceilings_hold(void **state_in)
{
        rig *r = *state_in;
        state_alert a = alert("c");
        uint8_t id[STATE_WAKE_ID] = {0};

        assert_int_equal(rig_open(r), 0);
        for (int i = 0; i < STATE_ALERTS; i++)
                assert_int_equal(state_alert_add(r->s, &a), 0);
        assert_int_equal(state_alert_add(r->s, &a), ODM_ELIMIT);
        for (int i = 0; i <= STATE_SEEN; i++) {
                id[0] = (uint8_t)i;
                assert_int_equal(state_wake_add(r->s, id), 0);
        }
        id[0] = 0;
        assert_false(state_wake_seen(r->s, id)); /* the oldest is forgotten */
        reopen(r);
        assert_false(state_wake_seen(r->s, id));
        id[0] = 1;
        assert_true(state_wake_seen(r->s, id));
        assert_int_equal(state_alerts(r->s), STATE_ALERTS);
}

static void tidying_keeps_everything_and_the_order(void **state_in)
{
        rig *r = *state_in;
        uint8_t id[STATE_WAKE_ID] = {0};
        state_alert a = alert("c1");
        char note[64];

        assert_int_equal(rig_open(r), 0);
        assert_int_equal(state_alert_add(r->s, &a), 0);
        for (int i = 0; i < 100; i++) {
                id[0] = (uint8_t)i;
                assert_int_equal(state_wake_add(r->s, id), 0);
        }
        for (int i = 0; i < 8000; i++) {
                snprintf(note, sizeof note, "note %d", i);
                assert_int_equal(set_note(r, note), 0);
                assert_int_equal(state_tidy(r->s, r->t), 0);
        }
        assert_true(state_size(r->s) < 600000);
        reopen(r);
        get_note(r, note);
        assert_string_equal(note, "note 7999");
        assert_int_equal(state_alerts(r->s), 1);
        id[0] = 99;
        assert_true(state_wake_seen(r->s, id));
        id[0] = 36;
        assert_true(state_wake_seen(r->s, id));
        id[0] = 35;
        assert_false(state_wake_seen(r->s, id));
        /* the next one pushes out the oldest, in the new file too */
        id[0] = 200;
        assert_int_equal(state_wake_add(r->s, id), 0);
        id[0] = 36;
        assert_false(state_wake_seen(r->s, id));
}

/* Writes notes 0 to 5 with an alert between; says how far it was promised. */
static int write_some(rig *r)
{
        state_alert a = alert("c");
        int promised = -1;

        for (int i = 0; i < 6; i++) {
                char note[8];
                snprintf(note, sizeof note, "%d", i);
                if (set_note(r, note) < 0)
                        break;
                promised = i;
                if (i == 2 && (state_alert_add(r->s, &a) < 0 || state_sync(r->s) < 0))
                        break;
        }
        return promised;
}

static void a_cut_at_any_write_loses_no_promise(void **state_in)
{
        rig *r = *state_in;
        char note[64];
        bool finished = false;

        for (long at = 0; !finished; at++) {
                int promised = -1;

                wipe_folder(r);
                r->cut.left = at;
                if (rig_open(r) == 0)
                        promised = write_some(r);
                finished = promised == 5;
                reopen(r); /* power is back */
                get_note(r, note);
                if (promised >= 0 && number_of(note) < promised)
                        fail_msg("cut at %ld: '%s' after %d", at, note, promised);
                if (promised > 2)
                        assert_int_equal(state_alerts(r->s), 1);
                assert_int_equal(set_note(r, "on"), 0);
                rig_close(r);
        }
}

static void a_full_disk_is_mended_by_tidying(void **state_in)
{
        rig *r = *state_in;
        char note[64];

        assert_int_equal(rig_open(r), 0);
        assert_int_equal(set_note(r, "before"), 0);
        r->cut.left = 10;
        assert_true(set_note(r, "lost") != 0);
        r->cut.left = -1;
        assert_true(set_note(r, "still closed") != 0);
        get_note(r, note);
        assert_string_equal(note, "before"); /* the tree says only what the disk holds */
        assert_int_equal(state_tidy(r->s, r->t), 0);
        assert_int_equal(set_note(r, "after"), 0);
        reopen(r);
        get_note(r, note);
        assert_string_equal(note, "after");
}

/* Else the server's next try would be taken for a repetition. */
static void a_wake_up_that_cannot_be_kept_is_not_remembered(void **state_in)
{
        rig *r = *state_in;
        const uint8_t id[STATE_WAKE_ID] = {5};

        assert_int_equal(rig_open(r), 0);
        for (long at = 0; at < 4; at++) {
                r->cut.left = at == 3 ? 60 : at * 20; /* in the head, the record, at the sync */
                if (state_wake_add(r->s, id) == 0)
                        break;
                assert_false(state_wake_seen(r->s, id));
                assert_true(state_broken(r->s));
                assert_non_null(strstr(state_why(r->s), "journal: "));
                r->cut.left = -1;
                assert_int_equal(state_tidy(r->s, r->t), 0);
                assert_false(state_broken(r->s));
        }
        reopen(r);
        assert_int_equal(state_wake_add(r->s, id), 0);
        assert_true(state_wake_seen(r->s, id));
}

/* ---- a cut that loses what was not synced ------------------------------------------------- */

static const uint8_t woken[STATE_WAKE_ID] = {7};

static void must_sync(rig *r, int rc, uint64_t promise)
{
        assert_int_equal(rc, 0);
        assert_int_equal(state_sync(r->s), 0);
        disk_promise(r->disk, promise);
}

/* Notes 1 to 8, an alert between, one answered, a wake-up, and twice the whole journal anew. */
static void live(rig *r)
{
        state_alert a = alert("c");
        char note[8];

        for (uint64_t i = 1; i <= 8; i++) {
                (void)snprintf(note, sizeof note, "%u", (unsigned)i);
                assert_int_equal(set_note(r, note), 0);
                disk_promise(r->disk, i * 10);
                if (i == 2 || i == 3)
                        must_sync(r, state_alert_add(r->s, &a), i * 10 + 1);
                if (i == 4)
                        state_alert_done(r->s, 1);
                if (i == 5)
                        must_sync(r, state_wake_add(r->s, woken), i * 10 + 1);
                if (i != 3 && i != 6)
                        continue;
                r->ops.write = cut_write; /* a write that fails closes the journal */
                r->ops.ctx = &r->cut;
                r->cut.left = 0;
                assert_true(set_note(r, "lost") < 0);
                r->cut.left = -1;
                r->ops = fsio_disk_ops(r->disk);
                assert_int_equal(state_tidy(r->s, r->t), 0);
        }
}

static void expect_promised(rig *r, uint64_t promised, const char *when)
{
        char note[64];
        size_t alerts = promised >= 40 ? 1 : promised >= 31 ? 2 : promised >= 21 ? 1 : 0;

        get_note(r, note);
        if (number_of(note) < (int)(promised / 10) && promised >= 10)
                fail_msg("%s: '%s' after %u", when, note, (unsigned)promised);
        if (state_alerts(r->s) < alerts)
                fail_msg("%s: %zu alerts after %u", when, state_alerts(r->s), (unsigned)promised);
        if (promised >= 51 && !state_wake_seen(r->s, woken))
                fail_msg("%s: a wake-up would be followed again", when);
        if (set_note(r, "9") != 0)
                fail_msg("%s: it does not go on", when);
}

#define TEARS 5

static void a_cut_that_drops_what_was_not_synced_loses_no_promise(void **state_in)
{
        rig *r = *state_in;
        char when[80];

        r->disk = disk_new();
        assert_int_equal(rig_open(r), 0);
        live(r);
        rig_close(r);
        disk *d = r->disk;
        r->disk = NULL;
        for (size_t at = 0; at <= disk_steps(d); at++)
                for (uint64_t i = 0; i < DISK_TEARS + TEARS; i++) {
                        disk_loss how = i < DISK_TEARS ? (disk_loss)i : DISK_TEARS;
                        disk *after = disk_cut(d, at, how, i * 1000 + at);
                        fsio_disk_lay(after, r->dir);
                        (void)snprintf(when, sizeof when,
                                       "cut after step %zu of %zu, which %s (%u)", at,
                                       disk_steps(d), disk_loss_name(how), (unsigned)i);
                        if (rig_open(r) != 0)
                                fail_msg("%s: it does not open", when);
                        expect_promised(r, disk_promised(after, 0), when);
                        rig_close(r);
                        disk_free(after);
                }
        disk_free(d);
}

/* ---- a disk that damages ------------------------------------------------------------------ */

static void slurp(const rig *r, const char *name, odm_buf *b)
{
        char path[96];

        snprintf(path, sizeof path, "%s/%s", r->dir, name);
        odm_buf_cut(b, 0);
        assert_int_equal(fsio_read(path, 1 << 20, b, NULL), 0);
}

static void flip(const rig *r, const char *name, long at)
{
        char path[96];
        int c;

        snprintf(path, sizeof path, "%s/%s", r->dir, name);
        FILE *f = fopen(path, "r+");
        assert_non_null(f);
        assert_int_equal(fseek(f, at, SEEK_SET), 0);
        c = fgetc(f);
        assert_int_equal(fseek(f, at, SEEK_SET), 0);
        assert_int_equal(fputc(c ^ 0x20, f), c ^ 0x20);
        assert_int_equal(fclose(f), 0);
}

/* A compaction, and what came after it. */
static void live_a_while(rig *r)
{
        state_alert a = alert("c");

        assert_int_equal(set_note(r, "1"), 0);
        r->cut.left = 0; /* a write that fails, and the journal anew */
        assert_true(set_note(r, "lost") < 0);
        r->cut.left = -1;
        assert_int_equal(state_tidy(r->s, r->t), 0);
        assert_int_equal(state_alert_add(r->s, &a), 0);
        assert_int_equal(state_wake_add(r->s, woken), 0);
        assert_int_equal(set_note(r, "2"), 0);
}

static void any_octet_may_be_damaged_and_nothing_is_lost(void **state_in)
{
        rig *r = *state_in;
        odm_buf journal, copy;
        char note[64];

        odm_buf_init(&journal, &heap_mem, 1 << 20);
        odm_buf_init(&copy, &heap_mem, 1 << 20);
        assert_int_equal(rig_open(r), 0);
        live_a_while(r);
        rig_close(r);
        slurp(r, "journal", &journal);
        slurp(r, "journal.copy", &copy);
        assert_octets(odm_buf_view(&copy), odm_buf_view(&journal));
        for (size_t at = 0; at < journal.n; at += at < 40 ? 1 : 1 + journal.n / 60)
                for (int which = 0; which < 2; which++) {
                        flip(r, which ? "journal.copy" : "journal", (long)at);
                        reopen(r);
                        const fsio_healed *h = state_healed(r->s);
                        get_note(r, note);
                        if (strcmp(note, "2") != 0 || state_alerts(r->s) != 1 ||
                            !state_wake_seen(r->s, woken))
                                fail_msg("octet %zu: note '%s'", at, note);
                        if (h->lost || (which ? h->records || h->head || !h->copy
                                              : h->records + h->head != 1 || h->copy))
                                fail_msg("octet %zu of %d: %u, %d, %d", at, which, h->records,
                                         h->head, h->copy);
                        rig_close(r);
                        slurp(r, "journal.copy", &copy);
                        assert_octets(odm_buf_view(&copy), odm_buf_view(&journal));
                }
        reopen(r); /* and now that all is well nothing is told */
        assert_true(!state_healed(r->s)->records && !state_healed(r->s)->copy);
        odm_buf_done(&journal);
        odm_buf_done(&copy);
}

static void a_copy_that_is_missing_is_made(void **state_in)
{
        rig *r = *state_in;
        char path[96], note[64];

        assert_int_equal(rig_open(r), 0);
        live_a_while(r);
        rig_close(r);
        snprintf(path, sizeof path, "%s/journal.copy", r->dir);
        assert_int_equal(unlink(path), 0);
        reopen(r); /* an agent of before had none */
        assert_false(state_healed(r->s)->copy);
        rig_close(r);
        flip(r, "journal", 20);
        reopen(r);
        get_note(r, note);
        assert_string_equal(note, "2");
        rig_close(r);
        flip(r, "journal", 20); /* the same in both: it begins anew, and says so */
        flip(r, "journal.copy", 20);
        reopen(r);
        get_note(r, note);
        assert_string_not_equal(note, "2");
        assert_true(state_healed(r->s)->lost);
}

static const struct spoilt {
        const char *why, *head;
        const char *says;
} spoilts[] = {
        {"another file", "[agent]\nid = 7\n", "not a journal of ours; move it away"},
        {"a later form", "ODMJ\002\0\0\0", "not a journal of ours; move it away"},
        {"zeros", "\0\0\0\0\0\0\0\0\0\0\0\0", "not a journal of ours; move it away"},
};

/* What it cannot read it leaves alone. */
static void a_spoilt_journal_is_refused(void **state_in)
{
        static const size_t sizes[] = {15, 8, 12};
        rig *r = *state_in;

        for (size_t i = 0; i < ODM_COUNT(spoilts); i++) {
                diag d = {{0}};
                char path[96];
                odm_buf b;
                const odm_str head = {spoilts[i].head, sizes[i]};
                (void)snprintf(path, sizeof path, "%s/journal", r->dir);
                assert_int_equal(fsio_write(NULL, path, head, 0600, NULL), 0);
                r->why = &d;
                assert_int_equal(rig_open(r), ODM_EMALFORMED);
                rig_close(r);
                if (!strstr(d.text, path) || !strstr(d.text, spoilts[i].says))
                        fail_msg("%s: %s", spoilts[i].why, d.text);
                odm_buf_init(&b, &heap_mem, 4096);
                assert_int_equal(fsio_read(path, 4096, &b, NULL), 0);
                assert_octets(odm_buf_view(&b), head);
                odm_buf_done(&b);
        }
        r->why = NULL;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(all_comes_back),
                T(ceilings_hold),
                T(tidying_keeps_everything_and_the_order),
                T(a_cut_at_any_write_loses_no_promise),
                T(a_full_disk_is_mended_by_tidying),
                T(a_wake_up_that_cannot_be_kept_is_not_remembered),
                T(a_cut_that_drops_what_was_not_synced_loses_no_promise),
                T(any_octet_may_be_damaged_and_nothing_is_lost),
                T(a_copy_that_is_missing_is_made),
                T(a_spoilt_journal_is_refused),
        };

        return RUN_TESTS(tests);
}
