/* SPDX-License-Identifier: Apache-2.0 */
/* Fan-outs on a clock that is moved: stories of a line, a host that is killed after each step, ten
 * thousand devices. */
#include "odm/fanout.h"

#include <inttypes.h>

#include "support.h"

#define DEVICES 12
#define RUNS 8 /* answers that a device has ready */
#define STEPS 200000

/* ---- a host and its devices --------------------------------------------------------------------- */

typedef struct device {
        odm_presence presence;
        const char *answers; /* o ok, f 404, t 408, u 503, w 202 and well, x 202 and not, n 202 */
        unsigned ran, told;
        int64_t done_at; /* of the run under way; 0: none */
        int64_t alert_at;
        bool alert_ok;
        odm_fanout_row row; /* as kept */
        bool has_row;
        odm_fanout_row lent;
        bool is_lent;
} device;

typedef struct world {
        odm_fanout *f;
        odm_fanout_plan plan;
        odm_fanout_cmds cmds;
        device *v; /* numbers 1 .. n */
        uint32_t n;
        int64_t ms;
        int64_t kept_at; /* the batch under way; 0: none */
        uint32_t in_batch, reports, lasts, told, tops, batches;
        uint32_t busy, busy_most;
        odm_fanout_state state, kept_state;
        bool over, broken_disk;
        unsigned steps;
} world;

static odm_fanout_now now(const world *w)
{
        return (odm_fanout_now){{w->ms}, {1000 + w->ms / 1000}};
}

static void setup(world *w, const odm_mem *mem, device *v, uint32_t n, bool again)
{
        static const odm_command nothing;
        static const odm_command *at[1] = {&nothing};
        odm_fanout_opt o;

        *w = (world){.v = v, .n = n, .cmds = {.list = &nothing, .n = 1, .at = at, .again = again}};
        w->ms = 1000;
        odm_fanout_opt_init(&o, mem);
        assert_int_equal(odm_fanout_new(&o, &w->f), 0);
        odm_fanout_plan_init(&w->plan);
        w->plan.id = 7;
        w->plan.cmds = &w->cmds;
        w->plan.expire.s = 1000 + 86400;
}

static odm_fanout_to *targets_of(const world *w)
{
        odm_fanout_to *to = malloc((w->n + 1) * sizeof *to);

        assert_non_null(to);
        for (uint32_t i = 0; i < w->n; i++)
                to[i] = (odm_fanout_to){i + 1, w->v[i].presence};
        to[w->n] = to[0]; /* named twice */
        return to;
}

static void begin(world *w)
{
        odm_fanout_to *to = targets_of(w);
        odm_fanout_now t = now(w);

        assert_int_equal(odm_fanout_start(w->f, &w->plan, to, w->n + 1, &t), 0);
        assert_int_equal(odm_fanout_start(w->f, &w->plan, to, w->n + 1, &t), ODM_EEXIST);
        free(to);
}

/* Everything that was not durable is gone, runs and their answers too. */
static void restart(world *w, const odm_mem *mem)
{
        odm_fanout_row *rows = malloc(w->n * sizeof *rows);
        odm_fanout_to *to = targets_of(w);
        odm_fanout_now t = now(w);
        odm_fanout_opt o;
        size_t n = 0;

        assert_non_null(rows);
        odm_fanout_free(w->f);
        odm_fanout_opt_init(&o, mem);
        assert_int_equal(odm_fanout_new(&o, &w->f), 0);
        for (uint32_t i = 0; i < w->n; i++) {
                device *d = &w->v[i];
                d->done_at = 0;
                d->is_lent = false;
                if (d->has_row)
                        rows[n++] = d->row;
        }
        w->kept_at = 0;
        w->in_batch = w->busy = 0;
        if (!w->over)
                assert_int_equal(odm_fanout_restore(w->f, &w->plan, to, w->n + 1, rows, n, w->told,
                                                    w->kept_state, &t),
                                 0);
        free(rows);
        free(to);
}

static void run(world *w, const odm_fanout_ask *a)
{
        device *d = &w->v[a->device - 1];

        assert_int_equal(d->done_at, 0);
        assert_true(a->deadline_ms > 0 && a->deadline_ms <= w->plan.timeout_ms);
        d->done_at = w->ms + 1000;
        if (++w->busy > w->busy_most)
                w->busy_most = w->busy;
}

static void keep(world *w, const odm_fanout_ask *a)
{
        device *d = &w->v[a->device - 1];

        assert_false(d->is_lent);
        d->lent = a->row;
        d->is_lent = true;
        w->in_batch++;
}

static void tell(world *w, const odm_fanout_ask *a)
{
        odm_fanout_now t = now(w);

        assert_int_equal(a->told, w->told);
        for (uint32_t i = 0; i < w->n; i++) {
                device *d = &w->v[i];
                if (!d->has_row || d->row.ended <= a->told || d->row.ended > a->upto)
                        continue;
                assert_true(odm_target_over(d->row.state));
                d->told++;
        }
        w->reports++;
        w->told = a->upto;
        w->lasts += a->last;
        if (a->last) {
                w->state = a->state;
                w->over = true;
        }
        odm_fanout_told(w->f, a->task, a->upto, a->last, &t);
}

/* All that there is to do now. */
static void drain(world *w)
{
        odm_fanout_now t = now(w);
        odm_fanout_ask a;

        while (odm_fanout_next(w->f, &t, w->kept_at == 0, &a) == 1) {
                assert_true(++w->steps < STEPS);
                switch (a.kind) {
                case ODM_ASK_RUN: run(w, &a); break;
                case ODM_ASK_KEEP: keep(w, &a); break;
                case ODM_ASK_TELL: tell(w, &a); break;
                }
        }
        if (w->in_batch && w->kept_at == 0) {
                w->kept_at = w->ms + 10;
                w->batches++;
        }
}

static void end_batch(world *w)
{
        bool good = !w->broken_disk;

        for (uint32_t i = 0; i < w->n; i++) {
                device *d = &w->v[i];
                if (d->is_lent && good) {
                        d->row = d->lent;
                        d->has_row = true;
                }
                d->is_lent = false;
        }
        w->broken_disk = false;
        w->kept_at = 0;
        w->in_batch = 0;
        odm_fanout_kept(w->f, good);
}

static void answer(world *w, uint32_t i)
{
        device *d = &w->v[i];
        size_t known = strlen(d->answers);
        char c = d->answers[d->ran < known ? d->ran : known - 1];
        odm_fanout_now t = now(w);

        d->ran++;
        d->done_at = 0;
        w->busy--;
        switch (c) {
        case 'o': odm_fanout_ran(w->f, w->plan.id, i + 1, ODM_TARGET_OK, 200, &t); return;
        case 'f': odm_fanout_ran(w->f, w->plan.id, i + 1, ODM_TARGET_FAILED, 404, &t); return;
        case 't': odm_fanout_ran(w->f, w->plan.id, i + 1, ODM_TARGET_TIMEOUT, 408, &t); return;
        case 'u': odm_fanout_ran(w->f, w->plan.id, i + 1, ODM_TARGET_TIMEOUT, 503, &t); return;
        default: break;
        }
        odm_fanout_ran(w->f, w->plan.id, i + 1, ODM_TARGET_RUNNING, 202, &t);
        d->alert_at = c == 'n' ? 0 : w->ms + 5000;
        d->alert_ok = c == 'w';
}

static void alert(world *w, uint32_t i)
{
        device *d = &w->v[i];
        odm_fanout_now t = now(w);

        d->alert_at = 0;
        (void)(odm_fanout_final(w->f, w->plan.id, i + 1, d->alert_ok, d->alert_ok ? 200 : 410,
                                &t) == 0);
}

static int64_t least(int64_t a, int64_t b)
{
        return b && b < a ? b : a;
}

/* When the world moves next, by itself. */
static int64_t next_time(const world *w)
{
        odm_fanout_now t = now(w);
        int64_t at = least(odm_fanout_time(w->f, &t).ms, w->kept_at);

        for (uint32_t i = 0; i < w->n; i++)
                at = least(least(at, w->v[i].done_at), w->v[i].alert_at);
        return at;
}

static void happen(world *w)
{
        if (w->kept_at && w->kept_at <= w->ms)
                end_batch(w);
        for (uint32_t i = 0; i < w->n; i++) {
                if (w->v[i].done_at && w->v[i].done_at <= w->ms)
                        answer(w, i);
                if (w->v[i].alert_at && w->v[i].alert_at <= w->ms)
                        alert(w, i);
        }
}

static void go(world *w, int64_t until_ms)
{
        drain(w);
        while (!w->over) {
                int64_t at = next_time(w);
                if (at > until_ms)
                        break;
                assert_true(++w->steps < STEPS);
                if (at > w->ms)
                        w->ms = at;
                happen(w);
                drain(w);
        }
        if (w->ms < until_ms && !w->over)
                w->ms = until_ms;
}

/* ---- stories -------------------------------------------------------------------------------------- */

/* Events: "SECONDS what", what being a device and its presence ("3Z", "3A", "3G", "3B", "3-" for
 * removed, "3W" withdrawn), P pause, R resume, C cancel, K kill and start again, X the disk fails
 * once. */
static const struct story {
        const char *why, *devices, *answers, *events;
        bool again;
        uint32_t parallel, retry, stop_pct, agg_max, agg_window;
        int64_t not_before, expire; /* seconds from the start; 0: as is */
        odm_fanout_state state;
        const char *want; /* a digit a device: its state */
        const char *ran;  /* how often it was run; NULL: does not matter */
        uint32_t reports; /* 0: does not matter */
} stories[] = {
        {"all well", "AAA", "o o o", "", .state = 40, .want = "333", .ran = "111", .reports = 1},
        {"one fails, and is not tried again", "AAA", "o f o", "", .state = 41, .want = "343",
         .ran = "111"},
        {"what cannot be run", "AGBFDU", "o o o o o o", "", .state = 41, .want = "374747",
         .ran = "100000"},
        {"nobody can be run", "GG", "o o", "", .state = 41, .want = "77", .ran = "00"},
        {"off-line is tried again", "A", "uuo", "", .state = 40, .want = "3", .ran = "3"},
        {"not for ever", "A", "u", "", .retry = 2, .state = 41, .want = "5", .ran = "3"},
        {"silence may mean that it was done", "A", "to", "", .state = 41, .want = "5", .ran = "1"},
        {"silence of what may be done twice", "A", "to", "", .again = true, .state = 40,
         .want = "3", .ran = "2"},
        {"a final alert, good and bad", "AA", "w x", "", .state = 41, .want = "34", .ran = "11"},
        {"an alert that never comes", "AA", "n o", "", .expire = 300, .state = 60, .want = "53",
         .ran = "11"},
        {"who awaits an alert gives its place back", "AA", "n o", "", .parallel = 1, .expire = 300,
         .state = 60, .want = "53", .ran = "11"},
        {"asleep until it wakes", "ZA", "o o", "500 1A", .state = 40, .want = "33", .ran = "11"},
        {"asleep for good", "ZA", "o o", "", .expire = 600, .state = 60, .want = "53", .ran = "01"},
        {"it fell asleep while it ran", "A", "uo", "1 1Z 900 1A", .retry = 0, .state = 40,
         .want = "3", .ran = "2"},
        {"removed", "ZA", "o o", "50 1-", .state = 41, .want = "73", .ran = "01"},
        {"deactivated meanwhile", "ZA", "o o", "50 1B", .state = 41, .want = "43", .ran = "01"},
        {"gone meanwhile, and back", "ZA", "o o", "50 1G 90 1A", .state = 40, .want = "33"},
        {"not before", "AA", "o o", "", .not_before = 3600, .state = 40, .want = "33", .ran = "11"},
        {"a pause", "ZA", "o o", "5 P 10 1A 100 R", .state = 40, .want = "33", .ran = "11"},
        {"cancelled while it sleeps", "ZA", "o o", "50 C", .state = 50, .want = "83", .ran = "01"},
        {"cancelled while an alert is awaited", "AA", "n o", "50 C", .state = 50, .want = "83"},
        {"taken back while it sleeps", "ZZ", "o o", "50 1W 90 1A 95 2A", .state = 41, .want = "73",
         .ran = "01"},
        {"taken back while an alert is awaited", "AA", "n o", "50 1W", .state = 41, .want = "53",
         .ran = "11"},
        {"taken back before its time, and after a kill", "AA", "o o", "3 1W 4 K", .not_before = 60,
         .state = 41, .want = "73", .ran = "01"},
        {"cancelled in its pause", "ZA", "o o", "50 P 60 C", .state = 50, .want = "83"},
        {"failures stop it", "AAAAAAAAAAAA", "f f f f f f f f f f f f", "", .parallel = 1,
         .stop_pct = 20, .state = 70, .want = "444888888888", .ran = "111000000000"},
        {"few failures do not", "AAAAAAAAAAAA", "f f o o o o o o o o o o", "", .parallel = 1,
         .stop_pct = 20, .state = 41, .want = "443333333333"},
        {"one of three is more than 10 %", "AAA", "f o o", "", .parallel = 1, .stop_pct = 10,
         .state = 70, .want = "488"},
        {"what runs when it stops comes to its end", "AAA", "w f o", "", .parallel = 2,
         .stop_pct = 10, .state = 70, .want = "348"},
        {"a report for each two", "AAAAA", "o o o o o", "", .parallel = 1, .agg_max = 2,
         .state = 40, .want = "33333", .reports = 3},
        {"a report each ten seconds", "AAA", "uuo uuo o", "", .agg_window = 10, .retry = 5,
         .state = 40, .want = "333", .reports = 2},
        {"a sleeper needs no place", "AZ", "n o", "2 2A", .parallel = 1, .expire = 300, .state = 60,
         .want = "53", .ran = "11"},
        {"the disk fails once", "AAA", "o o o", "0 X", .state = 40, .want = "333", .ran = "111"},
        {"killed while it sleeps", "ZA", "o o", "50 K 100 1A", .state = 40, .want = "33",
         .ran = "11"},
        {"killed in a pause", "ZA", "o o", "50 P 60 K 70 1A 90 R", .state = 40, .want = "33"},
        {"killed while an alert is awaited", "AA", "w o", "3 K", .state = 40, .want = "33",
         .ran = "11"},
        {"killed before the time has come", "AA", "o o", "3 K", .not_before = 60, .state = 40,
         .want = "33"},
};

static odm_presence presence_of(char c)
{
        switch (c) {
        case 'Z': return ODM_PRESENCE_ASLEEP;
        case 'G': return ODM_PRESENCE_GONE;
        case 'B': return ODM_PRESENCE_BARRED;
        case 'F': return ODM_PRESENCE_FOREIGN;
        case 'D': return ODM_PRESENCE_DENIED;
        case 'U': return ODM_PRESENCE_UNKNOWN;
        default: return ODM_PRESENCE_AWAKE;
        }
}

static void order(world *w, const char *what)
{
        odm_fanout_now t = now(w);
        unsigned number = 0;
        char c = 0;

        switch (what[0]) {
        case 'P':
                assert_int_equal(odm_fanout_pause(w->f, 7, &t), 0);
                assert_int_equal(odm_fanout_pause(w->f, 7, &t), ODM_ESTATE);
                w->kept_state = ODM_FANOUT_PAUSED;
                return;
        case 'R':
                assert_int_equal(odm_fanout_resume(w->f, 7, &t), 0);
                assert_int_equal(odm_fanout_resume(w->f, 7, &t), ODM_ESTATE);
                w->kept_state = ODM_FANOUT_RUNNING;
                return;
        case 'C':
                assert_int_equal(odm_fanout_cancel(w->f, 7, &t), 0);
                assert_int_equal(odm_fanout_cancel(w->f, 7, &t), ODM_ESTATE);
                w->kept_state = ODM_FANOUT_CANCELLED;
                return;
        case 'K': restart(w, &heap); return;
        case 'X': w->broken_disk = true; return;
        default: break;
        }
        assert_int_equal(sscanf(what, "%u%c", &number, &c), 2);
        if (c == '-') {
                odm_fanout_removed(w->f, number, &t);
                return;
        }
        if (c == 'W') {
                assert_int_equal(odm_fanout_withdraw(w->f, 7, number), 0);
                assert_int_equal(odm_fanout_withdraw(w->f, 7, number), ODM_ENOENT);
                return;
        }
        w->v[number - 1].presence = presence_of(c);
        odm_fanout_device(w->f, number, w->v[number - 1].presence, &t);
}

static void play(world *w, const char *events)
{
        char what[16];
        int64_t at;
        int used;

        while (sscanf(events, "%" SCNd64 " %15s%n", &at, what, &used) == 2) {
                go(w, 1000 + at * 1000);
                assert_false(w->over);
                order(w, what);
                events += used;
        }
        go(w, INT64_MAX / 2);
}

static void prepare(world *w, const struct story *s, device *v, char *text, size_t room)
{
        uint32_t n = (uint32_t)strlen(s->devices);
        char *save = NULL, *word;

        setup(w, &heap, v, n, s->again);
        (void)snprintf(text, room, "%s", s->answers);
        word = strtok_r(text, " ", &save);
        for (uint32_t i = 0; i < n; i++, word = strtok_r(NULL, " ", &save)) {
                assert_non_null(word);
                v[i] = (device){.presence = presence_of(s->devices[i]), .answers = word};
        }
        w->plan.parallel = s->parallel ? s->parallel : 8;
        w->plan.retry = s->retry || strchr(s->answers, 'u') == NULL ? s->retry : 2;
        if (s->again)
                w->plan.retry = 2;
        w->plan.stop_pct = s->stop_pct;
        w->plan.agg_max = s->agg_max;
        w->plan.agg_window_s = s->agg_window;
        if (s->not_before)
                w->plan.not_before.s = 1001 + s->not_before;
        if (s->expire)
                w->plan.expire.s = 1001 + s->expire;
}

static void check(const world *w, const struct story *s)
{
        assert_true(w->over);
        assert_int_equal(w->lasts, 1);
        if (w->state != s->state)
                fail_msg("%s: ended as %u", s->why, (unsigned)w->state);
        for (uint32_t i = 0; i < w->n; i++) {
                const device *d = &w->v[i];
                if (d->row.state != (odm_fanout_target)(s->want[i] - '0') || d->told != 1)
                        fail_msg("%s: device %u is %u (%u), told %u times", s->why, i + 1,
                                 (unsigned)d->row.state, d->row.status, d->told);
                if (s->ran && d->ran != (unsigned)(s->ran[i] - '0'))
                        fail_msg("%s: device %u was run %u times", s->why, i + 1, d->ran);
        }
        if (s->reports && s->reports != w->reports)
                fail_msg("%s: %u reports", s->why, w->reports);
}

static void stories_end_as_told(void **state)
{
        device v[DEVICES];
        char text[128];
        world w;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                prepare(&w, &stories[i], v, text, sizeof text);
                begin(&w);
                play(&w, stories[i].events);
                check(&w, &stories[i]);
                odm_fanout_free(w.f);
        }
}

/* ---- killed after each step ------------------------------------------------------------------------ */

static bool killed_after(unsigned step, bool again)
{
        static const char *const answers[] = {"o", "f", "w", "o", "o", "x"};
        device v[ODM_COUNT(answers)];
        unsigned steps = 0;
        world w;

        for (size_t i = 0; i < ODM_COUNT(answers); i++)
                v[i] = (device){.presence = ODM_PRESENCE_AWAKE, .answers = answers[i]};
        setup(&w, &heap, v, ODM_COUNT(answers), again);
        w.plan.parallel = 2;
        w.plan.agg_max = 2;
        begin(&w);
        drain(&w);
        for (; !w.over && steps < step; steps++) {
                int64_t at = next_time(&w);
                w.ms = at > w.ms ? at : w.ms;
                happen(&w);
                if (steps + 1 < step || step % 2)
                        drain(&w);
        }
        bool early = !w.over;
        restart(&w, &heap);
        go(&w, INT64_MAX / 2);
        assert_int_equal(w.lasts, 1);
        for (size_t i = 0; i < ODM_COUNT(answers); i++) {
                assert_int_equal(v[i].told, 1);
                assert_true(again || v[i].ran <= 1);
                assert_true(v[i].ran == 1 || again || v[i].row.state == ODM_TARGET_TIMEOUT);
        }
        odm_fanout_free(w.f);
        return early;
}

static void nothing_is_lost_or_done_twice(void **state)
{
        (void)state;
        for (int again = 0; again < 2; again++) {
                unsigned step = 0;
                while (killed_after(step, again))
                        step++;
                assert_true(step > 10);
        }
}

/* ---- many -------------------------------------------------------------------------------------------- */

#define MANY 10000

/* A device that is there again while the disk writes that it slept: its next run waits until that
 * is written too, or a start of the host would have it done twice. */
static void no_run_before_it_is_kept(void **state)
{
        device v[1] = {{.presence = ODM_PRESENCE_AWAKE}};
        odm_fanout_ask a;
        odm_fanout_now t;
        world w;

        (void)state;
        setup(&w, &heap, v, 1, false);
        begin(&w);
        t = now(&w);
        for (unsigned run = 1; run <= 2; run++) {
                assert_int_equal(odm_fanout_next(w.f, &t, true, &a), 1);
                assert_int_equal(a.kind, ODM_ASK_KEEP);
                assert_int_equal(a.row.state, ODM_TARGET_RUNNING);
                odm_fanout_kept(w.f, true);
                assert_int_equal(odm_fanout_next(w.f, &t, true, &a), 1);
                assert_int_equal(a.kind, ODM_ASK_RUN);
                odm_fanout_device(w.f, 1, ODM_PRESENCE_ASLEEP, &t);
                odm_fanout_ran(w.f, 7, 1, ODM_TARGET_TIMEOUT, ODM_ST_UNAVAILABLE, &t);
                assert_int_equal(odm_fanout_next(w.f, &t, true, &a), 1);
                assert_int_equal(a.kind, ODM_ASK_KEEP);
                assert_int_equal(a.row.state, ODM_TARGET_ASLEEP);
                odm_fanout_device(w.f, 1, ODM_PRESENCE_AWAKE, &t);
                assert_int_equal(odm_fanout_next(w.f, &t, false, &a), 0);
                odm_fanout_kept(w.f, true);
        }
        odm_fanout_free(w.f);
}

static void ten_thousand(void **state)
{
        device *v = calloc(MANY, sizeof *v);
        world w;

        (void)state;
        assert_non_null(v);
        for (int again = 0; again < 2; again++) {
                for (uint32_t i = 0; i < MANY; i++)
                        v[i] = (device){.presence =
                                                i % 100 ? ODM_PRESENCE_AWAKE : ODM_PRESENCE_ASLEEP,
                                        .answers = i % 1000 == 1 ? "f" : "o"};
                setup(&w, &heap, v, MANY, again);
                w.plan.parallel = 2000;
                w.plan.expire.s = 1001 + 3600;
                begin(&w);
                assert_true(odm_fanout_bytes(w.f) < MANY * 48);
                go(&w, INT64_MAX / 2);
                assert_int_equal(w.state, ODM_FANOUT_EXPIRED);
                assert_int_equal(w.busy_most, 512); /* of all tasks at once */
                for (uint32_t i = 0; i < MANY; i++) {
                        assert_int_equal(v[i].told, 1);
                        assert_int_equal(v[i].row.state, i % 100 == 0    ? ODM_TARGET_TIMEOUT
                                                         : i % 1000 == 1 ? ODM_TARGET_FAILED
                                                                         : ODM_TARGET_OK);
                }
                assert_int_equal(w.reports, 1);
                odm_fanout_free(w.f);
        }
        free(v);
}

/* ---- a device's queue -------------------------------------------------------------------------------- */

typedef struct stage {
        odm_fanout *f;
        odm_fanout_cmds cmds[8];
        char log[256];
        odm_fanout_now now;
        uint32_t max_queue;
} stage;

static void stage_open(stage *s, uint32_t max_queue)
{
        odm_fanout_opt o;

        *s = (stage){.now = {{1000}, {1000}}, .max_queue = max_queue};
        odm_fanout_opt_init(&o, &heap);
        assert_int_equal(odm_fanout_new(&o, &s->f), 0);
}

static void stage_task(stage *s, odm_arena *a, uint64_t id, uint8_t priority, const char *body,
                       odm_presence presence)
{
        const odm_fanout_to to = {1, presence};
        const char *why = NULL;
        odm_fanout_plan p;

        odm_fanout_plan_init(&p);
        p.id = id;
        p.priority = priority;
        p.max_queue = s->max_queue;
        p.expire.s = 90000;
        p.cmds = &s->cmds[id];
        assert_int_equal(odm_fanout_cmds_parse(odm_arena_fmt(a, "<SyncBody>%s</SyncBody>", body), a,
                                               &s->cmds[id], &why),
                         0);
        assert_int_equal(odm_fanout_start(s->f, &p, &to, 1, &s->now), 0);
}

/* Runs what may be, and says it was well; the order is in the log. */
static const char *stage_go(stage *s)
{
        bool kept = true;
        odm_fanout_ask a;
        size_t n = 0;

        s->log[0] = '\0';
        while (kept) {
                kept = false;
                while (odm_fanout_next(s->f, &s->now, true, &a) == 1) {
                        if (a.kind == ODM_ASK_RUN) {
                                n += (size_t)snprintf(s->log + n, sizeof s->log - n, "%u ",
                                                      (unsigned)a.task);
                                odm_fanout_ran(s->f, a.task, 1, ODM_TARGET_OK, 200, &s->now);
                        }
                        kept |= a.kind == ODM_ASK_KEEP;
                        if (a.kind == ODM_ASK_TELL)
                                odm_fanout_told(s->f, a.task, a.upto, a.last, &s->now);
                }
                odm_fanout_kept(s->f, true);
        }
        return s->log;
}

#define ITEM(uri) "<Item><Target><LocURI>" uri "</LocURI></Target><Data>1</Data></Item>"
#define REPLACE(uri) "<Replace>" ITEM(uri) "</Replace>"
#define GET(uri) "<Get><Item><Target><LocURI>" uri "</LocURI></Target></Item></Get>"
#define EXEC(uri) "<Exec><Item><Target><LocURI>" uri "</LocURI></Target></Item></Exec>"

static const struct line {
        const char *why;
        const char *body[5];
        uint8_t priority[5];
        uint32_t max_queue;
        const char *want;
} lines[] = {
        {"the older first", {GET("./a"), EXEC("./b"), GET("./c")}, {4, 4, 4}, 100, "1 2 3 "},
        {"by priority", {GET("./a"), EXEC("./b"), GET("./c")}, {4, 1, 0}, 100, "3 2 1 "},
        {"the last Replace wins",
         {REPLACE("./a"), REPLACE("./a"), REPLACE("./a")},
         {4, 4, 4},
         100,
         "3 "},
        {"of another node", {REPLACE("./a"), REPLACE("./b")}, {4, 4}, 100, "1 2 "},
        {"of all its nodes",
         {REPLACE("./a") REPLACE("./b"), REPLACE("./a"), REPLACE("./b") REPLACE("./a")},
         {4, 4, 4},
         100,
         "3 "},
        {"a Get stands between",
         {REPLACE("./a"), GET("./a"), REPLACE("./a")},
         {4, 4, 4},
         100,
         "1 2 3 "},
        {"it does more than that",
         {REPLACE("./a") EXEC("./b"), REPLACE("./a")},
         {4, 4},
         100,
         "1 2 "},
        {"too many wait", {EXEC("./a"), EXEC("./a"), EXEC("./a")}, {4, 4, 4}, 2, "1 2 "},
        {"those overtaken make room",
         {REPLACE("./a"), REPLACE("./a"), REPLACE("./a")},
         {4, 4, 4},
         1,
         "3 "},
};

static void sleepers_have_one_queue(void **state)
{
        odm_arena a;
        stage s;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(lines); i++) {
                const struct line *l = &lines[i];
                odm_arena_init(&a, &heap, 1 << 20);
                stage_open(&s, l->max_queue);
                for (unsigned k = 0; k < 5 && l->body[k]; k++)
                        stage_task(&s, &a, k + 1, l->priority[k], l->body[k], ODM_PRESENCE_ASLEEP);
                assert_string_equal(stage_go(&s), "");
                odm_fanout_device(s.f, 1, ODM_PRESENCE_AWAKE, &s.now);
                if (strcmp(stage_go(&s), l->want) != 0)
                        fail_msg("%s: %s", l->why, s.log);
                assert_int_equal(odm_fanout_waiting(s.f, 1), 0);
                odm_fanout_free(s.f);
                odm_arena_done(&a);
        }
}

/* ---- what is refused --------------------------------------------------------------------------------- */

static void bad_plans_are_refused(void **state)
{
        const odm_fanout_to none = {0, ODM_PRESENCE_AWAKE}, some[] = {{1, 0}, {2, 0}, {3, 0}};
        device v[1] = {{.answers = "o"}};
        odm_fanout_opt o;
        odm_fanout_plan p;
        odm_fanout_view view;
        odm_fanout *f;
        world w;

        (void)state;
        setup(&w, &heap, v, 1, true);
        odm_fanout_now t = now(&w);
        assert_int_equal(odm_fanout_start(w.f, &w.plan, some, 0, &t), ODM_EINVAL);
        assert_int_equal(odm_fanout_start(w.f, &w.plan, &none, 1, &t), ODM_EINVAL);
        p = w.plan;
        p.priority = 8;
        assert_int_equal(odm_fanout_start(w.f, &p, some, 1, &t), ODM_EINVAL);
        p = w.plan;
        p.parallel = 0;
        assert_int_equal(odm_fanout_start(w.f, &p, some, 1, &t), ODM_EINVAL);
        assert_int_equal(odm_fanout_pause(w.f, 7, &t), ODM_ENOENT);
        assert_int_equal(odm_fanout_resume(w.f, 7, &t), ODM_ENOENT);
        assert_int_equal(odm_fanout_cancel(w.f, 7, &t), ODM_ENOENT);
        assert_int_equal(odm_fanout_withdraw(w.f, 7, 1), ODM_ENOENT);
        assert_int_equal(odm_fanout_look(w.f, 7, &view), ODM_ENOENT);
        assert_int_equal(odm_fanout_final(w.f, 7, 1, true, 200, &t), ODM_ENOENT);
        odm_fanout_free(w.f);

        odm_fanout_opt_init(&o, &heap);
        o.max_tasks = 1;
        o.max_targets = 2;
        assert_int_equal(odm_fanout_new(&o, &f), 0);
        assert_int_equal(odm_fanout_start(f, &w.plan, some, 3, &t), ODM_ELIMIT);
        assert_int_equal(odm_fanout_start(f, &w.plan, some, 2, &t), 0);
        p = w.plan;
        p.id = 8;
        assert_int_equal(odm_fanout_start(f, &p, some, 1, &t), ODM_ELIMIT);
        odm_fanout_drop(f, 7);
        assert_int_equal(odm_fanout_start(f, &p, some, 1, &t), 0);
        odm_fanout_free(f);
        odm_fanout_free(NULL);
}

/* Killed when all of it was kept, and its end was not told yet. */
static void only_the_end_is_to_be_told(void **state)
{
        static const odm_fanout_state kept[][2] = {{ODM_FANOUT_RUNNING, ODM_FANOUT_FAILURES},
                                                   {ODM_FANOUT_PAUSED, ODM_FANOUT_FAILURES},
                                                   {ODM_FANOUT_CANCELLED, ODM_FANOUT_CANCELLED}};
        const odm_fanout_to to[] = {{1, ODM_PRESENCE_ASLEEP}, {2, ODM_PRESENCE_ASLEEP}};
        const odm_fanout_row rows[] = {{1, ODM_TARGET_OK, 200, 1, 1, false},
                                       {2, ODM_TARGET_CANCELLED, 214, 0, 2, false}};
        device v[1] = {{.answers = "o"}};
        odm_fanout_ask a;
        world w;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(kept); i++) {
                setup(&w, &heap, v, 1, false);
                odm_fanout_now t = now(&w);
                assert_int_equal(
                        odm_fanout_restore(w.f, &w.plan, to, 2, rows, 2, 1, kept[i][0], &t), 0);
                assert_int_equal(odm_fanout_next(w.f, &t, true, &a), 1);
                assert_int_equal(a.kind, ODM_ASK_TELL);
                assert_true(a.last && a.told == 1 && a.upto == 2);
                assert_int_equal(a.state, kept[i][1]);
                odm_fanout_told(w.f, 7, 2, true, &t);
                assert_int_equal(odm_fanout_next(w.f, &t, true, &a), 0);
                odm_fanout_free(w.f);
        }
}

static int without_memory(failing *fl, void *arg)
{
        const odm_fanout_to to[] = {{1, ODM_PRESENCE_AWAKE}, {2, ODM_PRESENCE_ASLEEP}};
        device v[1] = {{.answers = "o"}};
        odm_fanout_opt o;
        odm_fanout *f;
        world w;
        int rc;

        (void)arg;
        setup(&w, &heap, v, 1, true);
        odm_fanout_free(w.f);
        odm_fanout_opt_init(&o, &fl->mem);
        rc = odm_fanout_new(&o, &f);
        if (rc == 0) {
                odm_fanout_now t = now(&w);
                rc = odm_fanout_start(f, &w.plan, to, 2, &t);
                odm_fanout_free(f);
        }
        return rc;
}

static void memory_runs_out(void **state)
{
        (void)state;
        torture(without_memory, NULL, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(stories_end_as_told),
                cmocka_unit_test(nothing_is_lost_or_done_twice),
                cmocka_unit_test(no_run_before_it_is_kept),
                cmocka_unit_test(ten_thousand),
                cmocka_unit_test(sleepers_have_one_queue),
                cmocka_unit_test(bad_plans_are_refused),
                cmocka_unit_test(only_the_end_is_to_be_told),
                cmocka_unit_test(memory_runs_out),
        };
        return RUN_TESTS(tests);
}
