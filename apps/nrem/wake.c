/* SPDX-License-Identifier: Apache-2.0 */
/* Package 0 over UDP: a datagram, a wait that doubles, some tries, and a rest, as long as orders
 * wait (wake_plan.h).  What runs for a device is kept in its row (wake_at, wake_tries,
 * wake_session), so a restart goes on with it; in a rest there is no wake_session.  After some
 * tries of a round without an answer the default nonce is used (security B3), for a device that
 * lost its own.
 *
 * What wakes a device can get lost before it is in the row: a process that is killed, a queue of
 * the store that is full.  So orders that wait while nobody wakes their device are looked for,
 * slowly. */
#include <stdio.h>
#include <string.h>

#include "dm_inner.h"
#include "heap.h"
#include "log.h"
#include "odm/notify.h"
#include "rand.h"
#include "udp.h"
#include "wake_plan.h"

#define PAGE 64             /* datagrams of one commit */
#define WAKES_A_SECOND 1000 /* of all devices */
#define NAMES_MOST 64       /* looked up at one time */
#define JOBS_MOST 100
#define WAKE_MEMORY ((size_t)16 << 20)
#define GRACE_MS 5000   /* a gateway may need to be woken itself */
#define SEARCH_PAGE 100 /* orders looked at in a second */
#define SEARCH_MS 60000 /* from one search to the next, and the age of what is lost */

struct wake {
        dm *dm;
        udp *udp;            /* NULL: switched off */
        struct sending *out; /* names being looked up */
        unsigned n_out;
        atomic_bool kicked;
        int64_t second; /* when the one began in which `sent` were woken */
        uint32_t sent;
        int64_t search;        /* monotonic ms: when the next one begins */
        int64_t search_before; /* the job it has come to; 0: none */
};

/* A package 0 whose address is being looked up. */
typedef struct sending {
        struct sending *next;
        wake *w;
        net_query *query;
        size_t n;
        char octets[ODM_NOTIFY_MAX + 64];
} sending;

/* ---- where it goes ------------------------------------------------------------------- */

static odm_str wake_url(const store_device *d)
{
        return d->wake_override.n ? d->wake_override : d->wake_reported;
}

/* udp://host:port; an empty host is where the last session came from (xrem.md N5). */
static int wake_target(const store_device *d, char *host, size_t size, uint16_t *port)
{
        odm_str url = wake_url(d);
        net_url u;
        odm_str h;

        if (url.n == 0 || net_url_parse(url, &u) < 0 || strcmp(u.scheme, "udp") != 0)
                return ODM_ENOENT;
        h = u.host[0] ? odm_cstr(u.host) : d->address;
        if (h.n == 0 || h.n >= size)
                return ODM_ENOENT;
        memcpy(host, h.p, h.n);
        host[h.n] = 0;
        *port = u.port ? u.port : ODM_WAP_PUSH_PORT;
        return 0;
}

/* The operator's own word goes before all else. */
static int other_way(const dm *m, const store_device *d, odm_arena *a, dm_way *out)
{
        if (!m->opt.way || d->wake_override.n)
                return ODM_ENOENT;
        return m->opt.way(m->opt.ctx, d, a, out);
}

static bool has_way(const dm *m, const store_device *d)
{
        odm_arena a;
        dm_way w;
        bool has;

        odm_arena_init(&a, &heap_mem, WAKE_MEMORY);
        has = other_way(m, d, &a, &w) == 0;
        odm_arena_done(&a);
        return has;
}

const char *wake_route(const dm *m, const store_device *d)
{
        odm_arena a;
        dm_way w = {.gateway = 0};
        int rc;

        odm_arena_init(&a, &heap_mem, WAKE_MEMORY);
        rc = other_way(m, d, &a, &w);
        odm_arena_done(&a);
        return rc < 0 ? "udp wake" : w.gateway ? "gateway trigger" : "gateway relay";
}

static wake_plan plan_of(const dm *m)
{
        return (wake_plan){.first = m->opt.wake_first_ms,
                           .max = m->opt.wake_max_ms,
                           .tries = m->opt.wake_tries ? m->opt.wake_tries : 1,
                           .again = m->opt.wake_again_ms};
}

static bool rests(const store_device *d)
{
        return d->wake_at && d->wake_tries && d->wake_session == 0;
}

bool wake_has_orders(const dm *m, int64_t device)
{
        const store_job_filter f = {.device = device,
                                    .states = STORE_JOB_BIT(STORE_JOB_QUEUED) |
                                              STORE_JOB_BIT(STORE_JOB_NOTIFIED),
                                    .limit = 1,
                                    .no_commands = true};
        store_job_list l = {0};
        odm_arena a;
        int rc;

        odm_arena_init(&a, &heap_mem, WAKE_MEMORY);
        rc = store_job_find(m->opt.store, &f, &a, &l);
        odm_arena_done(&a);
        return rc == 0 && l.n > 0;
}

/* ---- the datagram ------------------------------------------------------------------------ */

bool wake_resynced(const dm *m, const store_device *d, const store_account *acc)
{
        const wake_plan p = plan_of(m);

        return m->opt.wake_resync && wake_plan_nth(&p, d->wake_tries) > m->opt.wake_resync &&
               !(acc->flags & STORE_ACCOUNT_NO_RESYNC);
}

/* Package 0 is keyed with the Server Identifier as the user (security B1). */
static int wake_secret(const dm *m, const store_account *acc, odm_str *id, odm_secret *out)
{
        *id = acc->server_id.n ? acc->server_id : odm_cstr(m->opt.server_id);
        if (acc->server_password.n) {
                odm_secret_of(*id, acc->server_password, out);
                return 0;
        }
        if (acc->server_secret.n != ODM_SECRET_LEN ||
            (acc->server_user.n && !odm_str_eq(acc->server_user, *id)))
                return ODM_ENOENT;
        memcpy(out->b64, acc->server_secret.p, ODM_SECRET_LEN);
        return 0;
}

static int make_package(const dm *m, const store_device *d, const store_account *acc, odm_str *id,
                        odm_buf *out)
{
        odm_notification n = {.version = ODM_NOTIFY_VERSION,
                              .ui = ODM_UI_BACKGROUND,
                              .by_server = true,
                              .session_id = (uint16_t)d->wake_session};
        odm_nonce nonce = {0};
        odm_secret secret;
        int rc = wake_secret(m, acc, &n.server_id, &secret);

        if (rc < 0)
                return rc;
        if (wake_resynced(m, d, acc)) {
                nonce = odm_nonce_default_zero;
        } else if (acc->server_nonce.n && acc->server_nonce.n <= ODM_NONCE_MAX) {
                nonce.n = (uint8_t)acc->server_nonce.n;
                memcpy(nonce.p, acc->server_nonce.p, nonce.n);
        }
        rc = odm_notify_make(&n, &secret, &nonce, out);
        *id = n.server_id;
        odm_wipe(&secret, sizeof secret);
        return rc;
}

static int wrap(uint8_t push, odm_str package, sending *out)
{
        odm_buf datagram;
        int rc;

        odm_buf_init(&datagram, &heap_mem, sizeof out->octets);
        rc = odm_wsp_wrap(push, package, &datagram);
        if (rc == 0) {
                memcpy(out->octets, datagram.p, datagram.n);
                out->n = datagram.n;
        }
        odm_buf_done(&datagram);
        return rc;
}

static void send_to(wake *w, const sending *x, const net_addr *to)
{
        char text[NET_ADDR_TEXT];
        int rc = udp_send(w->udp, (odm_str){x->octets, x->n}, to);

        net_addr_format(to, text);
        dm_count(w->dm, rc < 0 ? METRIC_WAKES_FAILED : METRIC_WAKES_SENT, 1);
        if (rc < 0)
                log_warn("package 0 cannot be sent", log_text("to", text), log_err(rc));
        else
                log_debug("package 0 sent", log_text("to", text));
}

static void sending_free(sending *x)
{
        sending **at = &x->w->out;

        while (*at && *at != x)
                at = &(*at)->next;
        if (*at) {
                *at = x->next;
                x->w->n_out--;
        }
        odm_free(&heap_mem, x, sizeof *x);
}

static void on_resolved(void *ctx, int rc, const net_addr *a, size_t n, const char *why)
{
        sending *x = ctx;

        if (rc == 0 && n)
                send_to(x->w, x, &a[0]);
        else {
                dm_count(x->w->dm, METRIC_WAKES_FAILED, 1);
                log_warn("no address to wake a device", log_text("reason", why));
        }
        sending_free(x);
}

/* Sends at once to a numeric address; a name is looked up first. */
static int dispatch(wake *w, const sending *x, const char *host, uint16_t port)
{
        net_addr to;
        int rc;

        if (net_addr_parse(host, port, &to) == 0) {
                send_to(w, x, &to);
                return 0;
        }
        if (w->n_out >= NAMES_MOST)
                return ODM_ELIMIT;
        sending *y = odm_alloc(&heap_mem, sizeof *y);
        if (!y)
                return ODM_ENOMEM;
        *y = *x;
        y->w = w;
        y->next = w->out;
        w->out = y;
        w->n_out++;
        rc = net_query_start(w->dm->opt.loop, host, port, SOCK_DGRAM, on_resolved, y, &y->query);
        if (rc < 0)
                sending_free(y);
        return rc;
}

/* ---- what is kept -------------------------------------------------------------------------- */

/* Refused, with its batch, when the device called since `d` was read: what its session has put an
 * end to would begin again otherwise, with a session id that the device has followed already. */
static bool patch_wake(store_batch *b, const store_device *d, int64_t at, uint32_t tries,
                       uint32_t id, int64_t now)
{
        store_op *op = store_batch_add(b, STORE_DEVICE_PATCH);

        if (!op)
                return false;
        op->device_patch.fields = STORE_DF_WAKE;
        op->device_patch.expect_wake = true;
        op->device_patch.expect_wake_at = d->wake_at;
        op->device_patch.to = (store_device){.id = d->id,
                                             .updated = now,
                                             .wake_at = at,
                                             .wake_tries = tries,
                                             .wake_session = id};
        return true;
}

/* Moves the device's jobs between queued and notified. */
static bool move_jobs(dm *m, store_batch *b, const store_device *d, store_job_state from,
                      store_job_state to, const char *why, const char *route, odm_arena *a,
                      int64_t now)
{
        store_job_filter f = {.device = d->id,
                              .states = STORE_JOB_BIT(from),
                              .limit = JOBS_MOST,
                              .in_order = true,
                              .no_commands = true};
        store_job_list l = {0};

        if (store_job_find(m->opt.store, &f, a, &l) < 0)
                return false;
        for (size_t i = 0; i < l.n; i++) {
                store_op *op = work_move(b, &l.v[i], STORE_JOB_BIT(from), to, why, now);
                if (!op)
                        return false;
                if (to == STORE_JOB_NOTIFIED)
                        op->job_move.route = odm_cstr(route);
        }
        return true;
}

static int64_t with_jitter(int64_t ms) /* so that a fleet does not march */
{
        return ms + (int64_t)rand_below((uint64_t)ms / 8 + 1);
}

static int64_t wait_after(const dm *m, uint32_t tries)
{
        const wake_plan p = plan_of(m);

        return with_jitter(wake_plan_wait(&p, tries));
}

/* What was refused because the device called, or somebody else moved its job, is settled. */
static void written(void *ctx, store_batch *b, int rc)
{
        if (rc != ODM_ESTATE)
                dm_written(ctx, b, rc);
}

/* The round is over: what waits is no longer notified, until the next one. */
static void end_round(dm *m, const store_device *d, odm_arena *a, int64_t now, const char *why)
{
        const wake_plan p = plan_of(m);
        bool again = p.again && wake_has_orders(m, d->id);
        uint32_t tries = again ? wake_plan_round_end(&p, d->wake_tries) : 0;
        int64_t rest = again ? with_jitter(wake_plan_rest(&p, tries)) : 0;
        store_batch *b = store_batch_new();
        char text[224];

        if (!b)
                return;
        if (again)
                (void)snprintf(text, sizeof text, "%s; tried again in %lld s", why,
                               (long long)((rest + 999) / 1000));
        else
                (void)snprintf(text, sizeof text, "%s; waits for the device to call", why);
        if (patch_wake(b, d, again ? now + rest : 0, tries, 0, now) &&
            move_jobs(m, b, d, STORE_JOB_NOTIFIED, STORE_JOB_QUEUED, text, NULL, a, now) &&
            store_write(m->opt.store, b, written, m) == 0) {
                log_info("wake-ups without an answer", log_str("device", d->name),
                         log_text("reason", text));
        } else {
                store_batch_free(b);
        }
}

/* A datagram, and where it goes. */
typedef struct letter {
        sending x;
        char host[256];
        uint16_t port;
        const char *route;
        char way[160]; /* for people */
} letter;

/* Where it goes, by which way; a gateway's job is added to `b`, and nothing is to be sent then. */
static int address_letter(dm *m, const store_device *d, const dm_package *p, odm_arena *a,
                          store_batch *b, letter *out)
{
        dm_way w = {.gateway = 0};
        int rc = other_way(m, d, a, &w);

        if (rc == 0 && w.gateway) {
                out->port = 0;
                out->route = "gateway trigger";
                (void)snprintf(out->way, sizeof out->way, "through its gateway %s", w.name);
                return m->opt.carry(m->opt.ctx, &w, d, p, b);
        }
        out->route = rc == 0 ? "gateway relay" : "udp wake";
        (void)snprintf(out->way, sizeof out->way, "by UDP%s",
                       rc == 0 ? " to the relay of its gateway" : "");
        if (rc == 0) {
                (void)snprintf(out->host, sizeof out->host, "%s", w.host);
                out->port = w.port;
        } else {
                rc = wake_target(d, out->host, sizeof out->host, &out->port);
        }
        return rc < 0 ? rc : wrap((uint8_t)d->wake_tries, p->octets, &out->x);
}

static int write_letter(dm *m, const store_device *d, odm_arena *a, store_batch *b, int64_t now,
                        letter *out)
{
        dm_package p = {.at = now, .ms = wait_after(m, d->wake_tries) + GRACE_MS};
        store_account acc;
        odm_buf package;
        int rc = store_account_get(m->opt.store, d->id, a, &acc);

        odm_buf_init(&package, &heap_mem, ODM_NOTIFY_MAX);
        if (rc == 0)
                rc = make_package(m, d, &acc, &p.server_id, &package);
        p.octets = odm_buf_view(&package);
        if (rc == 0)
                rc = address_letter(m, d, &p, a, b, out);
        odm_buf_done(&package);
        return rc;
}

/* Writes a datagram for a device that is due, and into `b` its wait and the state of its jobs.
 * Whether there is something to be sent. */
static bool write_next(wake *w, const store_device *due, odm_arena *a, store_batch *b, letter *out)
{
        dm *m = w->dm;
        int64_t now = loop_wall_ms();
        store_device d = *due;
        const wake_plan p = plan_of(m);
        char why[224];

        if (d.wake_session == 0)
                d.wake_session = 1 + (uint32_t)rand_below(0xffff);
        d.wake_tries++;
        if (write_letter(m, &d, a, b, now, out) < 0) {
                end_round(m, due, a, now, "it cannot be woken");
                return false;
        }
        (void)snprintf(why, sizeof why, "wake-up %u sent %s", wake_plan_nth(&p, d.wake_tries),
                       out->way);
        /* kept before it is sent: its session id must be known when the device calls */
        return patch_wake(b, due, now + wait_after(m, d.wake_tries), d.wake_tries, d.wake_session,
                          now) &&
               move_jobs(m, b, &d, STORE_JOB_QUEUED, STORE_JOB_NOTIFIED, why, out->route, a, now);
}

/* A device that is due.  As write_next(). */
static bool prepare(wake *w, const store_device *due, odm_arena *a, store_batch *b, letter *out)
{
        dm *m = w->dm;
        const wake_plan p = plan_of(m);
        bool rested = rests(due);
        char why[64];

        switch (wake_plan_next(&p, due->wake_tries, rested,
                               !rested || wake_has_orders(m, due->id))) {
        case WAKE_SEND: return write_next(w, due, a, b, out);
        case WAKE_REST:
        case WAKE_END: break;
        }
        (void)snprintf(why, sizeof why, "no answer to %u wake-ups", p.tries);
        end_round(m, due, a, loop_wall_ms(), why);
        return false;
}

/* What is in `b` is kept, and the letters go. */
static int send_all(wake *w, store_batch *b, const letter *list, size_t n)
{
        int rc = store_write_sync(w->dm->opt.store, b);

        if (rc < 0)
                return rc;
        dm_tell_moved(w->dm, b);
        for (size_t i = 0; i < b->n; i++)
                if (b->ops[i]->kind == STORE_JOB_CREATE && w->dm->opt.made)
                        w->dm->opt.made(w->dm->opt.ctx, b->ops[i]->job.device, b->ops[i]->id);
        for (size_t i = 0; i < n; i++) {
                if (!list[i].port)
                        continue; /* its gateway brings it */
                rc = dispatch(w, &list[i].x, list[i].host, list[i].port);
                if (rc < 0)
                        log_warn("a device could not be woken", log_text("host", list[i].host),
                                 log_err(rc));
        }
        return 0;
}

/* Devices `from` to `to` of the list in one commit. */
static int wake_some(wake *w, const store_device_list *l, size_t from, size_t to, odm_arena *a)
{
        letter *list = odm_arena_zget(a, (to - from) * sizeof *list);
        store_batch *b = store_batch_new();
        size_t n = 0;
        int rc = list && b ? 0 : ODM_ENOMEM;

        for (size_t i = from; rc == 0 && i < to; i++)
                n += prepare(w, &l->v[i], a, b, &list[n]);
        if (rc == 0 && n > 0)
                rc = send_all(w, b, list, n);
        store_batch_free(b);
        return rc;
}

/* A job that was moved by somebody else meanwhile is refused, as is the wait of a device that
 * called, and all of its batch with it: then each device has a batch of its own. */
static void wake_page(wake *w, const store_device_list *l, odm_arena *a)
{
        if (wake_some(w, l, 0, l->n, a) == 0)
                return;
        for (size_t i = 0; i < l->n; i++)
                switch (wake_some(w, l, i, i + 1, a)) {
                case 0:
                case ODM_ESTATE: break; /* it is here */
                default: log_warn("a device could not be woken", log_str("device", l->v[i].name));
                }
}

/* How many may be woken now, so that a fleet does not call in one moment. */
static uint32_t may_wake(wake *w)
{
        int64_t now = loop_now().ms;

        if (now - w->second >= 1000) {
                w->second = now;
                w->sent = 0;
        }
        uint32_t left = WAKES_A_SECOND - w->sent;
        return left < PAGE ? left : PAGE;
}

/* ---- wake-ups that got lost --------------------------------------------------------------------- */

static bool is_forgotten(const wake *w, const store_job *j, odm_arena *a)
{
        int64_t before = loop_wall_ms() - SEARCH_MS;
        char host[256];
        uint16_t port;
        store_device d;

        return j->updated <= before && store_device_get(w->dm->opt.store, j->device, a, &d) == 0 &&
               store_device_welcome(d.state) && !d.wake_at && d.last_contact <= before &&
               (wake_target(&d, host, sizeof host, &port) == 0 || has_way(w->dm, &d));
}

/* A page of orders that wait, those of one device together where they are neighbours. */
static void search(wake *w)
{
        const store_job_filter f = {.states = STORE_JOB_BIT(STORE_JOB_QUEUED),
                                    .limit = SEARCH_PAGE,
                                    .before = w->search_before,
                                    .no_commands = true};
        int64_t now = loop_now().ms, last = 0;
        store_job_list l = {0};
        odm_arena a;

        if (!w->dm->opt.wake_again_ms || (!w->search_before && now < w->search))
                return;
        if (!w->search_before)
                w->search = now + SEARCH_MS;
        odm_arena_init(&a, &heap_mem, WAKE_MEMORY);
        w->search_before = 0;
        if (store_job_find(w->dm->opt.store, &f, &a, &l) == 0) {
                for (size_t i = 0; i < l.n; last = l.v[i++].device)
                        if (l.v[i].device != last && is_forgotten(w, &l.v[i], &a))
                                dm_job_created(w->dm, l.v[i].device, l.v[i].id);
                if (l.more)
                        w->search_before = l.v[l.n - 1].id;
        }
        odm_arena_done(&a);
}

/* ---- the clock ---------------------------------------------------------------------------------- */

static void look_again(wake *w);

static void wake_due(wake *w)
{
        dm *m = w->dm;
        store_device_list l = {0};
        uint32_t most;
        odm_arena a;

        if (!w->udp || atomic_load(&m->stopping))
                return;
        most = may_wake(w);
        odm_arena_init(&a, &heap_mem, WAKE_MEMORY);
        if (most > 0 && store_device_wake_due(m->opt.store, loop_wall_ms(), most, &a, &l) == 0 &&
            l.n > 0) {
                w->sent += (uint32_t)l.n;
                wake_page(w, &l, &a);
        }
        odm_arena_done(&a);
        if (l.n == PAGE) /* others on the loop have their turn first */
                look_again(w);
}

void wake_tick(dm *m)
{
        wake *w = m->wake;

        if (!w || !w->udp || atomic_load(&m->stopping))
                return;
        wake_due(w);
        search(w);
}

/* ---- asked for ------------------------------------------------------------------------------- */

static void on_kick(void *ctx)
{
        wake *w = ctx;

        atomic_store(&w->kicked, false);
        wake_due(w);
}

static void look_again(wake *w)
{
        if (!atomic_exchange(&w->kicked, true) && loop_post(w->dm->opt.loop, on_kick, w) < 0)
                atomic_store(&w->kicked, false); /* the clock will see it within a second */
}

/* The row says that it is due: the loop may look. */
static void kick_written(void *ctx, store_batch *b, int rc)
{
        wake *w = ctx;

        written(w->dm, b, rc);
        if (rc == 0)
                look_again(w);
}

int wake_device(dm *m, const store_device *d, bool now)
{
        wake *w = m->wake;
        char host[256];
        uint16_t port;
        store_batch *b;
        int64_t at = loop_wall_ms();
        wake_plan p;
        bool fresh; /* with a session id of its own */
        int rc;

        if (!w || !w->udp || atomic_load(&m->stopping))
                return ODM_ESTATE;
        rc = wake_target(d, host, sizeof host, &port);
        if (rc < 0 && !has_way(m, d))
                return rc;
        if (d->wake_at && !now && !rests(d))
                return 0; /* it is being woken */
        p = plan_of(m);
        fresh = !d->wake_at || rests(d) || wake_plan_nth(&p, d->wake_tries) == p.tries;
        b = store_batch_new();
        if (!b)
                return ODM_ENOMEM;
        if (!patch_wake(b, d, at, fresh && (now || !d->wake_at) ? 0 : d->wake_tries,
                        fresh ? 0 : d->wake_session, at)) {
                store_batch_free(b);
                return ODM_ENOMEM;
        }
        rc = store_write(m->opt.store, b, kick_written, w);
        if (rc < 0)
                store_batch_free(b);
        return rc;
}

int wake_new(dm *m, diag *d)
{
        wake *w = odm_alloc(&heap_mem, sizeof *w);
        net_addr from;
        int rc = 0;

        if (!w)
                return ODM_ENOMEM;
        w->dm = m;
        m->wake = w;
        if (!m->opt.wake)
                return 0;
        if (net_hostport_parse(m->opt.wake_from, &from) < 0)
                return diag_set(d, ODM_EINVAL, "wake.listen: %s is no address:port",
                                m->opt.wake_from);
        rc = udp_open(m->opt.loop, &from, NULL, NULL, &w->udp, d);
        return rc;
}

void wake_free(wake *w)
{
        if (!w)
                return;
        while (w->out) {
                net_query_cancel(w->out->query);
                sending_free(w->out);
        }
        udp_close(w->udp);
        w->udp = NULL;
        odm_free(&heap_mem, w, sizeof *w);
}
