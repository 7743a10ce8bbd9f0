/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint: one URL for all devices, the rules of HTTP, and the table of sessions. */
#include <stdlib.h>
#include <string.h>

#include "dm_inner.h"
#include "heap.h"
#include "log.h"

#define DRAIN_S 5
#define CALM_NS 20000000 /* between two looks whether all is calm */

/* ---- small things shared ------------------------------------------------------------- */

const odm_mem *dm_mem(const dm *m)
{
        return m->opt.memory ? &m->opt.memory->mem : &heap_mem;
}

void dm_count(dm *m, metric id, uint64_t n)
{
        if (m->opt.metrics)
                metrics_add(m->opt.metrics, id, n);
}

void dm_tell_moved(dm *m, const store_batch *b)
{
        for (size_t i = 0; i < b->n && m->opt.job_moved; i++)
                if (b->ops[i]->kind == STORE_JOB_MOVE && b->ops[i]->rc == 0)
                        m->opt.job_moved(m->opt.ctx, b->ops[i]->job_move.job);
}

void dm_written(void *ctx, store_batch *b, int rc)
{
        if (rc == 0)
                dm_tell_moved(ctx, b);
        else
                log_warn("a batch was not kept", log_err(rc));
}

void dm_write(dm *m, store_batch *b)
{
        int rc;

        if (!b)
                return;
        rc = store_write(m->opt.store, b, dm_written, m);
        if (rc < 0) {
                log_warn("a batch was not taken", log_err(rc));
                store_batch_free(b);
        }
}

/* ---- the table --------------------------------------------------------------------------- */

static size_t chain_of(odm_str key)
{
        uint64_t h = 14695981039346656037u;

        for (size_t i = 0; i < key.n; i++)
                h = (h ^ (uint8_t)key.p[i]) * 1099511628211u;
        return (size_t)(h ^ h >> 32) & (TABLE_SIZE - 1);
}

session *table_first(dm *m, odm_str source)
{
        session *s = m->by_source[chain_of(source)];

        while (s && !odm_str_eq(s->source, source))
                s = s->by_source;
        return s;
}

static void use_link(dm *m, session *s)
{
        s->older = m->newest;
        s->newer = NULL;
        if (m->newest)
                m->newest->newer = s;
        else
                m->oldest = s;
        m->newest = s;
}

static void use_unlink(dm *m, session *s)
{
        if (s->older)
                s->older->newer = s->newer;
        else
                m->oldest = s->newer;
        if (s->newer)
                s->newer->older = s->older;
        else
                m->newest = s->older;
}

void table_add(dm *m, session *s)
{
        session **sid = &m->by_sid[chain_of(odm_cstr(s->sid))];
        session **source = &m->by_source[chain_of(s->source)];

        s->by_sid = *sid;
        *sid = s;
        s->by_source = *source;
        *source = s;
        use_link(m, s);
        m->n_sessions++;
        s->listed = true;
}

void table_remove(dm *m, session *s)
{
        session **at;

        if (!s->listed)
                return;
        for (at = &m->by_sid[chain_of(odm_cstr(s->sid))]; *at != s; at = &(*at)->by_sid)
                ;
        *at = s->by_sid;
        for (at = &m->by_source[chain_of(s->source)]; *at != s; at = &(*at)->by_source)
                ;
        *at = s->by_source;
        use_unlink(m, s);
        m->n_sessions--;
        s->listed = false;
}

void table_use(dm *m, session *s, odm_time now)
{
        s->used = now;
        if (!s->listed)
                return;
        use_unlink(m, s);
        use_link(m, s);
}

static session *find_sid(dm *m, odm_str sid)
{
        session *s = m->by_sid[chain_of(sid)];

        while (s && !(sid.n == SID_TEXT - 1 && odm_equal_ct(s->sid, sid.p, sid.n)))
                s = s->by_sid;
        return s;
}

/* Without a token (a client that does not follow RespURI), and only then: the session that waits
 * for this number, or that had this very message; one whose device has proved itself wins. */
static session *find_key(dm *m, const turn *t, uint32_t msg)
{
        session *best = NULL;

        for (session *s = table_first(m, t->peek.source); s; s = s->by_source) {
                bool fits = odm_str_eq(s->source, t->peek.source) &&
                            odm_str_eq(s->dm_id, t->peek.session_id) && !s->doomed &&
                            ((msg > 1 && msg == s->last_msg + 1) ||
                             (msg == s->last_msg && t->digest == s->last_digest &&
                              (msg > 1 || t->now.ms - s->last_at < m->opt.repeat_ms)));
                if (fits && (!best || (s->authenticated && !best->authenticated)))
                        best = s;
        }
        return best;
}

bool dm_has_session(dm *m, int64_t id)
{
        bool found = false;

        pthread_mutex_lock(&m->lock);
        for (session *s = m->oldest; s && !found; s = s->newer)
                found = s->id == id;
        pthread_mutex_unlock(&m->lock);
        return found;
}

/* Whether an authenticated session of the device goes on; it will look for the job. */
static bool tell_session(dm *m, odm_str devid)
{
        bool found = false;

        pthread_mutex_lock(&m->lock);
        for (session *s = table_first(m, devid); s; s = s->by_source)
                if (odm_str_eq(s->source, devid) && s->authenticated && !s->over && !s->doomed)
                        s->look = found = true;
        pthread_mutex_unlock(&m->lock);
        return found;
}

/* ---- turns ----------------------------------------------------------------------------------- */

void turn_free(dm *m, turn *t)
{
        odm_arena_done(&t->a);
        odm_free(&heap_mem, t, sizeof *t);
        pthread_mutex_lock(&m->lock);
        if (--m->turns == 0)
                pthread_cond_broadcast(&m->calm);
        pthread_mutex_unlock(&m->lock);
}

static void send_plain(httpd_req *r, unsigned status, const char *text)
{
        const http_field later[] = {{ODM_STR("Retry-After"), ODM_STR(RETRY_AFTER)}};
        httpd_reply reply = {.status = status,
                             .type = text ? "text/plain; charset=utf-8" : NULL,
                             .fields = later,
                             .n_fields = status == 503 ? 1 : 0,
                             .body = odm_cstr(text ? text : "")};

        httpd_send(r, &reply);
}

void turn_reply(dm *m, turn *t, unsigned status, const char *text)
{
        httpd_req *r = t->req;

        if (status == 400 || status == 413)
                log_debug("message refused", log_int("status", status), log_text("reason", text));
        t->req = NULL;
        send_plain(r, status, text);
        turn_free(m, t);
}

/* ---- the rules of HTTP (dm-protocol.md 10.1) -------------------------------------------- */

static const struct media {
        const char *type;
        const odm_codec *codec;
} medias[] = {
        {"application/vnd.syncml.dm+wbxml", &odm_codec_wbxml},
        {"application/vnd.syncml.dm+xml", &odm_codec_xml},
        {"application/vnd.syncml+wbxml", &odm_codec_wbxml},
        {"application/vnd.syncml+xml", &odm_codec_xml},
};

static odm_str up_to(odm_str s, char end)
{
        size_t n = 0;

        while (n < s.n && s.p[n] != end)
                n++;
        return odm_str_to(s, n);
}

static odm_str unquoted(odm_str s)
{
        s = odm_str_trim(s);
        if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
                s = odm_str_to(odm_str_from(s, 1), s.n - 2);
        return s;
}

/* Parameters nobody knows mean nothing; a charset we do not read does. */
static bool charset_ok(odm_str params)
{
        while (params.n) {
                odm_str one = up_to(params, ';'), name = up_to(one, '=');
                odm_str value = unquoted(odm_str_from(one, name.n + 1));
                if (odm_str_ieq(odm_str_trim(name), "charset") && !odm_str_ieq(value, "utf-8") &&
                    !odm_str_ieq(value, "utf8") && !odm_str_ieq(value, "us-ascii"))
                        return false;
                params = odm_str_from(params, one.n + 1);
        }
        return true;
}

/* The codec of a Content-Type, and its bare media type; NULL: 415. */
static const odm_codec *codec_of(odm_str field, odm_str *type)
{
        odm_str bare = up_to(field, ';');

        for (size_t i = 0; i < ODM_COUNT(medias); i++)
                if (odm_str_ieq(odm_str_trim(bare), medias[i].type)) {
                        *type = odm_cstr(medias[i].type);
                        return charset_ok(odm_str_from(field, bare.n + 1)) ? medias[i].codec : NULL;
                }
        return NULL;
}

static bool refused(httpd_req *r)
{
        const http_field allow[] = {{ODM_STR("Allow"), ODM_STR("POST")}};
        odm_str type;

        if (!odm_str_is(httpd_method(r), "POST")) {
                httpd_send(r, &(httpd_reply){.status = 405,
                                             .type = "text/plain; charset=utf-8",
                                             .fields = allow,
                                             .n_fields = 1,
                                             .body = ODM_STR("devices POST here\n")});
                return true;
        }
        if (!codec_of(httpd_field(r, "Content-Type"), &type)) {
                send_plain(r, 415, "SyncML DM as XML or WBXML, in UTF-8, is wanted\n");
                return true;
        }
        return false;
}

void dm_head(dm *m, httpd_req *r, size_t *max_body)
{
        if (!refused(r))
                *max_body = m->opt.max_message;
}

/* ---- to whom a message belongs ---------------------------------------------------------- */

typedef enum place {
        PLACE_OURS,    /* an idle session, which is ours now */
        PLACE_QUEUED,  /* the session's owner will take it */
        PLACE_FULL,    /* too many wait */
        PLACE_NEW,     /* a session is to be made */
        PLACE_NOWHERE, /* it names a session that is not */
} place;

static place find_place(dm *m, turn *t, session **out)
{
        odm_str sid = httpd_query(t->req, "sid");
        uint32_t msg = odm_ref_number(t->peek.msg_id);
        session *s = NULL;
        place p = PLACE_OURS;
        turn **at;

        pthread_mutex_lock(&m->lock);
        if (sid.n)
                s = find_sid(m, sid);
        if (s &&
            (!odm_str_eq(s->source, t->peek.source) || !odm_str_eq(s->dm_id, t->peek.session_id)))
                s = NULL; /* a token is worth nothing in another mouth */
        /* Who names a session that is gone means no other. */
        if (sid.n == 0)
                s = find_key(m, t, msg);
        if (!s) {
                p = msg > 1 ? PLACE_NOWHERE : PLACE_NEW;
        } else if (!s->busy) {
                s->busy = true;
        } else if (s->n_waiting == TURNS_MAX || s->doomed) {
                p = PLACE_FULL;
        } else {
                for (at = &s->waiting; *at; at = &(*at)->next)
                        ;
                *at = t;
                t->next = NULL;
                s->n_waiting++;
                p = PLACE_QUEUED;
        }
        *out = s;
        pthread_mutex_unlock(&m->lock);
        return p;
}

/* An ended session, kept for a repetition of its last message only; under the lock. */
static session *take_ended(dm *m)
{
        session *s = m->oldest;

        while (s && (s->busy || !s->over))
                s = s->newer;
        if (s)
                s->busy = true;
        return s;
}

static void start_session(dm *m, turn *t)
{
        session *s, *ended;
        char host[NET_ADDR_TEXT];
        bool full;

        net_addr_host(httpd_peer(t->req), host);
        if (lockout_left(m->lockout, t->peek.source, odm_cstr(host), t->now) > 0) {
                dm_count(m, METRIC_AUTH_LOCKED, 1);
                turn_reply(m, t, 503, "try again later");
                return;
        }
        if (atomic_load(&m->stopping) || (m->opt.memory && budget_is_tight(m->opt.memory)) ||
            session_new(m, t, &s) < 0) {
                turn_reply(m, t, 503, "try again later");
                return;
        }
        pthread_mutex_lock(&m->lock);
        ended = m->n_sessions >= m->opt.sessions ? take_ended(m) : NULL;
        full = !ended && m->n_sessions >= m->opt.sessions;
        if (!full)
                table_add(m, s);
        pthread_mutex_unlock(&m->lock);
        if (ended)
                session_lost(ended, "its place is needed");
        if (full) {
                session_free(s);
                turn_reply(m, t, 503, "too many sessions");
                return;
        }
        dm_count(m, METRIC_SESSIONS_STARTED, 1);
        session_take(s, t);
}

static void place_turn(dm *m, turn *t)
{
        session *s;

        switch (find_place(m, t, &s)) {
        case PLACE_OURS: session_take(s, t); return;
        case PLACE_QUEUED: return;
        case PLACE_FULL: turn_reply(m, t, 503, "the session is busy"); return;
        case PLACE_NEW: start_session(m, t); return;
        case PLACE_NOWHERE: turn_reply(m, t, 404, "no such session: begin a new one"); return;
        }
}

static uint64_t digest_of(odm_str s)
{
        uint64_t h = 14695981039346656037u ^ s.n;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
        return h;
}

void dm_handle(dm *m, httpd_req *r)
{
        odm_limits lim;
        turn *t;
        int rc;

        if (refused(r))
                return;
        t = odm_alloc(&heap_mem, sizeof *t);
        if (!t) {
                send_plain(r, 503, "try again later");
                return;
        }
        pthread_mutex_lock(&m->lock);
        m->turns++;
        pthread_mutex_unlock(&m->lock);
        t->req = r;
        t->codec = codec_of(httpd_field(r, "Content-Type"), &t->type);
        t->at = loop_wall_ms();
        t->now = loop_now();
        t->digest = digest_of(httpd_body(r));
        odm_arena_init(&t->a, dm_mem(m), TURN_MEMORY);
        odm_limits_init(&lim);
        lim.max_msg = m->opt.max_message;
        rc = odm_server_peek(t->codec, httpd_body(r), &lim, &t->a, &t->peek);
        if (rc == 0 && (t->peek.source.n == 0 || t->peek.session_id.n == 0))
                rc = ODM_EMALFORMED;
        if (rc == 0) {
                place_turn(m, t);
                return;
        }
        dm_count(m, METRIC_MESSAGES_BAD, 1);
        if (rc == ODM_EMALFORMED)
                turn_reply(m, t, 400, "no SyncML message");
        else if (rc == ODM_ELIMIT)
                turn_reply(m, t, 413, "the message is too large");
        else
                turn_reply(m, t, 503, "try again later");
}

/* ---- hooks ---------------------------------------------------------------------------------- */

int dm_wake(dm *m, const store_device *d)
{
        return wake_device(m, d, true);
}

/* The store must not be asked on its writer's thread: the crew does. */
typedef struct errand {
        crew_task task;
        dm *dm;
        int64_t device;
} errand;

static void send_crew(dm *m, int64_t device, void (*fn)(void *ctx))
{
        errand *e = odm_alloc(&heap_mem, sizeof *e);

        if (!e)
                return;
        e->dm = m;
        e->device = device;
        e->task = (crew_task){.fn = fn, .ctx = e};
        crew_post(m->crew, &e->task);
}

static void on_created(void *ctx)
{
        errand *e = ctx;
        store_device d;
        odm_arena a;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        if (store_device_get(e->dm->opt.store, e->device, &a, &d) == 0 &&
            !tell_session(e->dm, d.devid))
                (void)wake_device(e->dm, &d, false); /* without an address: the next contact */
        odm_arena_done(&a);
        odm_free(&heap_mem, e, sizeof *e);
}

static void on_looked(void *ctx)
{
        errand *e = ctx;

        if (wake_has_orders(e->dm, e->device))
                on_created(e);
        else
                odm_free(&heap_mem, e, sizeof *e);
}

void dm_look_again(dm *m, int64_t device)
{
        send_crew(m, device, on_looked);
}

/* Where there is no memory for it, the device's next contact will find the job. */
void dm_job_created(dm *m, int64_t device, int64_t job)
{
        (void)job;
        send_crew(m, device, on_created);
}

/* All its sessions but those of `unit` (absent: those, too). */
static void cut(dm *m, int64_t device, odm_str unit)
{
        pthread_mutex_lock(&m->lock);
        for (session *s = m->oldest; s; s = s->newer)
                if (s->device_id == device && !(unit.p && odm_str_eq(s->source, unit)))
                        s->cut = true;
        pthread_mutex_unlock(&m->lock);
}

void dm_cut(dm *m, int64_t device)
{
        cut(m, device, ODM_ABSENT);
}

/* A running session goes on with the account it began with, but ends when the device is not welcome
 * any more, or is another unit.  What an operator has put right need not wait for a lock-out to
 * end. */
static void on_changed(void *ctx)
{
        errand *e = ctx;
        store_device d;
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, 1 << 20);
        rc = store_device_get(e->dm->opt.store, e->device, &a, &d);
        if (rc == ODM_ENOENT || (rc == 0 && !store_device_welcome(d.state)))
                dm_cut(e->dm, e->device);
        else if (rc == 0)
                cut(e->dm, e->device, d.devid);
        if (rc == 0)
                lockout_pardon(e->dm->lockout, d.devid);
        odm_arena_done(&a);
        odm_free(&heap_mem, e, sizeof *e);
}

void dm_device_changed(dm *m, int64_t device)
{
        send_crew(m, device, on_changed);
}

int dm_metrics(dm *m, odm_buf *out)
{
        unsigned n;
        int rc;

        pthread_mutex_lock(&m->lock);
        n = m->n_sessions;
        pthread_mutex_unlock(&m->lock);
        rc = metrics_line(out, "nrem_sessions", "", "gauge", "Sessions of devices in memory", n);
        return rc;
}

/* ---- start and end ---------------------------------------------------------------------- */

void dm_opt_init(dm_opt *o)
{
        *o = (dm_opt){
                .server_id = "xrem",
                .path = "/dm",
                .held_max = 1000,
                .accept_hour = 60,
                .accept_max = 1000,
                .max_message = 64 << 10,
                .max_object = 16 << 20,
                .session_memory = 32 << 20,
                .session_idle_ms = 5 * 60 * 1000,
                .repeat_ms = 60 * 1000,
                .sessions = 4096,
                .lockout_after = 5,
                .lockout_ms = 30 * 1000,
                .crew = 2,
                .wake = true,
                .wake_from = "*:0",
                .wake_first_ms = 5 * 1000,
                .wake_max_ms = 15 * 60 * 1000,
                .wake_tries = 6,
                .wake_resync = 3,
                .wake_again_ms = 15 * 60 * 1000,
                .alert_data = 4096,
        };
}

static bool copy_texts(dm *m)
{
        const char **texts[] = {&m->opt.server_id,
                                &m->opt.path,
                                &m->opt.url,
                                &m->opt.wake_from,
                                &m->opt.accept_password,
                                &m->opt.accept_server_password};

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (*texts[i] && !(*texts[i] = odm_arena_copy(&m->a, odm_cstr(*texts[i])).p))
                        return false;
        return true;
}

int dm_new(const dm_opt *opt, dm **out, diag *d)
{
        dm *m = odm_alloc(&heap_mem, sizeof *m);
        int rc = 0;

        if (!m)
                return ODM_ENOMEM;
        m->opt = *opt;
        odm_arena_init(&m->a, &heap_mem, 1 << 16);
        pthread_mutex_init(&m->lock, NULL);
        pthread_cond_init(&m->calm, NULL);
        m->tick = (loop_timer){.fn = care_tick, .ctx = m};
        if (!copy_texts(m))
                rc = ODM_ENOMEM;
        if (rc == 0)
                rc = crew_new(opt->crew, &m->crew);
        if (rc == 0)
                rc = lockout_new(opt->lockout_after, opt->lockout_ms, &m->lockout);
        if (rc == 0)
                rc = wake_new(m, d);
        if (rc == 0)
                rc = care_start(m, d);
        if (rc < 0) {
                dm_free(m);
                return rc;
        }
        *out = m;
        return 0;
}

void dm_stop(dm *m)
{
        atomic_store(&m->stopping, true);
}

/* The loop, which is this thread's, has a part in sessions that at_hand() is said of. */
static void run_posted(dm *m)
{
        pthread_mutex_unlock(&m->lock);
        if (loop_once(m->opt.loop, 0) < 0)
                log_warn("the loop failed at the end");
        pthread_mutex_lock(&m->lock);
}

/* Requests end by themselves; the store's writer brings them forward. */
static void wait_calm(dm *m)
{
        odm_time until = odm_time_add(loop_now(), DRAIN_S * 1000);

        pthread_mutex_lock(&m->lock);
        while (m->turns && !odm_time_reached(loop_now(), until)) {
                struct timespec soon;
                if (m->opt.at_hand) {
                        run_posted(m);
                        if (!m->turns)
                                break;
                }
                clock_gettime(CLOCK_REALTIME, &soon);
                soon.tv_nsec += CALM_NS;
                soon.tv_sec += soon.tv_nsec / 1000000000;
                soon.tv_nsec %= 1000000000;
                (void)pthread_cond_timedwait(&m->calm, &m->lock, &soon);
        }
        pthread_mutex_unlock(&m->lock);
}

static session *take_any(dm *m)
{
        session *s;

        pthread_mutex_lock(&m->lock);
        for (s = m->oldest; s && s->busy; s = s->newer)
                ;
        if (s)
                s->busy = true;
        pthread_mutex_unlock(&m->lock);
        return s;
}

void dm_free(dm *m)
{
        session *s;
        store_batch *b;

        if (!m)
                return;
        dm_stop(m);
        loop_timer_stop(&m->tick);
        if (m->crew) {
                wait_calm(m);
                crew_settle(m->crew);
                while ((s = take_any(m)))
                        session_lost(s, "the server stops");
                /* `done` of batches names this dm: none may be left on the way */
                b = store_batch_new();
                if (b && store_write_sync(m->opt.store, b) < 0)
                        log_warn("the store did not finish in time");
                store_batch_free(b);
                crew_settle(m->crew);
                if (loop_once(m->opt.loop, 0) < 0) /* what was posted names this dm too */
                        log_warn("the loop failed at the end");
        }
        wake_free(m->wake);
        crew_free(m->crew);
        lockout_free(m->lockout);
        pthread_cond_destroy(&m->calm);
        pthread_mutex_destroy(&m->lock);
        odm_arena_done(&m->a);
        odm_free(&heap_mem, m, sizeof *m);
}
