/* SPDX-License-Identifier: Apache-2.0 */
/* The life of LwM2M devices.
 *
 *     OFF --boot--> UP --registered, then updated each call--> UP
 *      ^             | ^
 *      |  quiet for  | | call, or something to tell
 *      |  `awake`    v |
 *      +-- power -- ASLEEP: deaf, but its socket and its observers stay
 *
 * All that happens to a device by itself comes from its timer: so nothing of CoAP is closed
 * within a callback of CoAP. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "things_inner.h"

#define BACK_OFF_MS 1000 /* after a registration in vain, doubled with each in a row */
#define BACK_OFFS 6
#define FALL_MS 100     /* the answer leaves before the device restarts */
#define MOVED_MS 20     /* changes within so long are told together */
#define ANSWER_MS 20000 /* of a registration */

/* ---- a device's own ---------------------------------------------------------------------- */

const group *things_group(const node *d)
{
        return &d->all->s->group[d->group];
}

static uint32_t place_of(const node *d) /* among all */
{
        return things_group(d)->begin + d->t.i;
}

int64_t things_drawn(const node *d, int64_t ms)
{
        uint64_t state = d->all->s->seed ^ (uint64_t)place_of(d) << 32 ^ d->calls;

        (void)fault_random(&state);
        return ms > 0 ? (int64_t)(fault_random(&state) % (uint64_t)(ms + 1)) : 0;
}

odm_wall things_wall(const node *d)
{
        odm_wall w = loop_wall();

        for (size_t k = 0; d->mine && k < d->all->s->n_faults; k++)
                if ((d->mine >> k & 1) && d->all->s->fault[k].kind == FAULT_CLOCK_SKEW)
                        w.s += d->all->s->fault[k].ms / 1000;
        return w;
}

const fault *things_fault(const node *d, size_t k, fault_kind kind)
{
        const fault *f = &d->all->s->fault[k];

        return (d->mine >> k & 1) && f->kind == kind && (!(d->fired >> k & 1) || f->always) ? f
                                                                                            : NULL;
}

void things_fired(node *d, size_t k)
{
        d->fired |= 1ull << k;
        d->all->st.fired[k]++;
}

void things_trouble(things *f, const char *what, int rc)
{
        if (!f->st.why[0])
                (void)snprintf(f->st.why, sizeof f->st.why, "%s: %s", what, odm_err_text(rc));
}

/* ---- power ---------------------------------------------------------------------------------- */

void things_power_off(node *d, int64_t ms)
{
        things_step_drop(d);
        things_watch_drop(d);
        co_close(d->end);
        d->end = NULL;
        d->ask = 0;
        d->location[0] = '\0';
        d->n_attrs = 0;
        d->life = LIFE_OFF;
        d->dead = ms < 0;
        d->boot = ms < 0 ? NEVER : loop_now().ms + ms;
        d->call = d->sleep = d->fall = NEVER;
        d->all->st.restarts += !d->dead;
        things_plan(d);
}

static const co_app app = {.request = things_request};

#define FILE_ROOM 1024

/* "certs/{n}.pem" */
static const char *file_of(const node *d, const char *name, char out[FILE_ROOM])
{
        const char *mark = strstr(name, "{n}");

        if (!mark)
                return name;
        (void)snprintf(out, FILE_ROOM, "%.*s%u%s", (int)(mark - name), name,
                       sim_number(&things_group(d)->o, d->t.i), mark + 3);
        return out;
}

/* The account that it was given; NULL: it goes by what its group says. */
static const account *account_in_use(const node *d)
{
        return d->account && d->account->whole ? d->account : NULL;
}

static const net_addr *server_of(const node *d)
{
        const account *c = account_in_use(d);

        return c ? &c->addr : &d->all->server[d->group];
}

/* The same port as before its power went, when it is still free. */
static int open_end(node *d, diag *why)
{
        const group *g = things_group(d);
        const account *c = account_in_use(d);
        char identity[SIM_TEXT], key[SIM_TEXT], cert[FILE_ROOM], cert_key[FILE_ROOM];
        co_setup s;
        bool taken;
        int rc;

        co_setup_init(&s);
        s.client = true;
        s.app = &app;
        s.ctx = d;
        s.body_max = d->all->s->image_max;
        s.peers_max = 16;
        s.asks_max = 64;
        if (c && c->key_n) {
                s.security = CO_PSK;
                s.identity = odm_cstr(c->identity);
                s.key = (odm_str){(const char *)c->key, c->key_n};
        } else if (!c && g->certs) {
                s.security = CO_CERT;
                s.cert_file = file_of(d, g->cert_file, cert);
                s.key_file = file_of(d, g->key_file, cert_key);
                s.ca_file = g->ca_file;
        } else if (!c && g->psk) {
                sim_devid(&g->o, d->t.i, identity);
                sim_password(&g->o, d->t.i, key);
                s.security = CO_PSK;
                s.identity = odm_cstr(identity);
                s.key = odm_str_to(odm_cstr(key), CO_KEY_MAX);
        }
        do {
                if (sim_url_is_here(g->o.server) && net_addr_parse("127.0.0.1", d->port, &s.at) < 0)
                        return ODM_EINVAL;
                rc = co_open(d->all->loop, &s, &d->end, why);
                taken = rc == ODM_EIO && d->port != 0;
                if (taken)
                        d->port = 0;
        } while (taken);
        if (rc == 0)
                d->port = co_port(d->end);
        return rc;
}

/* ---- sleep --------------------------------------------------------------------------------- */

void things_awake(node *d)
{
        int64_t ms = things_group(d)->awake_ms;

        if (d->life == LIFE_ASLEEP) {
                d->life = LIFE_UP;
                co_deaf(d->end, false);
        }
        d->sleep = ms > 0 ? loop_now().ms + ms : NEVER;
}

static void fall_asleep(node *d)
{
        d->sleep = NEVER;
        if (d->ask || d->t.order || d->fetch) {
                things_awake(d); /* it has something to do */
                return;
        }
        d->life = LIFE_ASLEEP;
        d->all->st.sleeps++;
        co_deaf(d->end, true);
}

/* ---- registration ------------------------------------------------------------------------------ */

static void call_again(node *d, bool good)
{
        const group *g = things_group(d);
        int64_t ms = g->call_ms + things_drawn(d, g->jitter_ms);

        if (!good) {
                int64_t back = (int64_t)BACK_OFF_MS
                               << (d->failures < BACK_OFFS ? d->failures : BACK_OFFS);
                back -= things_drawn(d, back / 2);
                ms = back < ms ? back : ms;
                d->failures += d->failures < UINT8_MAX;
        } else {
                d->failures = 0;
        }
        if (d->t.lifetime_s * 1000 / 2 < ms) /* as the server set it */
                ms = d->t.lifetime_s * 1000 / 2;
        d->call = loop_now().ms + (ms > 0 ? ms : 1);
}

static void took(node *d, const co_msg *m)
{
        if (things_boots(d)) { /* it is given what it asked for, or asks again */
                call_again(d, false);
                return;
        }
        if (m->code == CO_CREATED) {
                (void)snprintf(d->location, sizeof d->location, "%.*s", (int)m->path.n, m->path.p);
                d->all->st.registrations++;
        } else {
                d->all->st.updates++;
        }
        d->met = true;
        d->links_moved = false;
        d->t.wants &= ~(unsigned)THING_UPDATE;
        hist_add(&d->all->st.call, (uint64_t)(sim_us() - d->asked));
        call_again(d, true);
}

static void on_answer(void *ctx, co_end_of why, const co_msg *m)
{
        node *d = ctx;
        bool good = why == CO_REPLY && (m->code == CO_CREATED || m->code == CO_CHANGED);
        bool forgotten = why == CO_REPLY && m->code == CO_NOT_FOUND && d->location[0];

        d->ask = 0;
        things_awake(d);
        if (good) {
                took(d, m);
        } else {
                d->all->st.silent += why != CO_REPLY;
                d->all->st.refused += why == CO_REPLY && !forgotten;
                d->location[0] = '\0';
                call_again(d, false);
                if (forgotten) /* by a server that knew it: it registers at once */
                        d->call = loop_now().ms;
        }
        things_plan(d);
}

static int ask_for_account(node *d, const char *ep, co_msg *m)
{
        char text[SIM_TEXT + 4];
        const co_how how = {.deadline_ms = ANSWER_MS};
        const odm_str query = {text, (size_t)snprintf(text, sizeof text, "ep=%s", ep)};

        m->path = ODM_STR("bs");
        m->query = &query;
        m->n_query = 1;
        return co_ask(d->end, server_of(d), m, &how, on_answer, d, &d->ask);
}

/* A registration or, with what changed, an update. */
static int send_call(node *d, odm_arena *a, odm_buf *b)
{
        const group *g = things_group(d);
        bool update = d->location[0];
        char ep[SIM_TEXT];
        odm_str query[ODM_LW_QUERIES];
        odm_lw_register r = {.lt = d->t.lifetime_s};
        odm_lw_links l;
        co_how how = {.deadline_ms = ANSWER_MS};
        co_msg m;
        int rc = 0;

        sim_devid(&g->o, d->t.i, ep);
        co_msg_init(&m, CO_POST);
        m.path = update ? odm_cstr(d->location) : ODM_STR("rd");
        m.query = query;
        if (things_boots(d))
                return ask_for_account(d, ep, &m);
        if (!update) {
                r.ep = odm_cstr(ep);
                r.version = g->v11 ? ODM_STR("1.1") : ODM_STR("1.0");
                r.binding = g->awake_ms > 0 && !g->v11 ? ODM_STR("UQ") : ODM_STR("U");
                r.queue = g->awake_ms > 0;
        }
        rc = odm_lw_register_format(&r, update, a, query, &m.n_query);
        if (rc == 0 && (!update || d->links_moved)) {
                rc = thing_links(&d->t, a, &l);
                l.cts = g->formats;
                if (rc == 0)
                        rc = odm_lw_links_format(&l, true, b);
                m.format = ODM_LW_LINK;
                m.body = odm_buf_view(b);
        }
        if (rc == 0)
                rc = co_ask(d->end, server_of(d), &m, &how, on_answer, d, &d->ask);
        return rc;
}

static void call(node *d)
{
        char block[8192];
        odm_arena a;
        odm_buf b;
        int rc;

        d->call = NEVER;
        if (d->ask)
                return;
        d->calls++;
        d->asked = sim_us();
        things_awake(d);
        odm_arena_init_on(&a, &heap_mem, 1u << 20, block, sizeof block);
        odm_buf_init(&b, &heap_mem, ANSWER_MAX);
        rc = send_call(d, &a, &b);
        if (rc < 0) {
                things_trouble(d->all, "a registration cannot be sent", rc);
                call_again(d, false);
        }
        odm_buf_done(&b);
        odm_arena_done(&a);
}

static void on_said(void *ctx, co_end_of why, const co_msg *m)
{
        (void)ctx;
        (void)why;
        (void)m;
}

static void say_goodbye(node *d)
{
        co_msg m;
        co_how how = {.deadline_ms = 1000, .non = true};
        uint64_t id;

        co_msg_init(&m, CO_DELETE);
        m.path = odm_cstr(d->location);
        if (d->location[0] && co_ask(d->end, server_of(d), &m, &how, on_said, d, &id) < 0)
                things_trouble(d->all, "a device cannot say good-bye", ODM_ENOMEM);
        d->location[0] = '\0';
}

/* It says good-bye, and is gone for a while. */
static void disable(node *d)
{
        d->t.wants &= ~(unsigned)THING_DISABLE;
        say_goodbye(d);
        things_watch_drop(d);
        d->call = loop_now().ms + d->t.disable_s * 1000;
}

/* ---- what is kept, and what comes of requests ------------------------------------------------------ */

static void save(node *d)
{
        odm_buf b;
        int rc;

        d->t.wants &= ~(unsigned)THING_KEEP;
        if (!d->all->keep)
                return;
        odm_buf_init(&b, &heap_mem, THING_RECORD_MAX);
        rc = odm_buf_fmt(&b, "fired %llu\nover %llu\n", (unsigned long long)d->fired,
                         (unsigned long long)d->over);
        if (rc == 0)
                rc = thing_dump(&d->t, &b);
        if (rc == 0)
                rc = keep_put(d->all->keep, things_group(d)->name,
                              sim_number(&things_group(d)->o, d->t.i), odm_buf_view(&b));
        odm_buf_done(&b);
        if (rc < 0)
                things_trouble(d->all, "a device cannot be kept", rc);
}

/* The fault that takes its power away in the state it has come to. */
static const fault *cut_at(node *d, size_t *k)
{
        unsigned state = things_fumo_state(&d->t);

        for (*k = 0; d->mine && *k < d->all->s->n_faults; (*k)++) {
                const fault *f = things_fault(d, *k, FAULT_POWER_CUT);
                f = f ? f : things_fault(d, *k, FAULT_SILENCE);
                if (f && f->state == state && state)
                        return f;
        }
        return NULL;
}

static bool has_new_account(const node *d)
{
        return account_in_use(d) && !d->account->used;
}

void things_settle(node *d)
{
        thing *t = &d->t;
        int64_t now = loop_now().ms;
        const fault *f;
        size_t k;

        if (t->wants & THING_KEEP)
                save(d);
        f = d->fall == NEVER ? cut_at(d, &k) : NULL;
        if (f) {
                things_fired(d, k);
                d->cut_ms = f->ms > 0 ? f->ms : f->kind == FAULT_SILENCE ? -1 : 0;
                d->cut = true;
                d->fall = now;
                save(d);
        }
        things_step_begin(d);
        if ((t->wants & THING_REBOOT) && d->fall == NEVER)
                d->fall = now + FALL_MS;
        if ((t->wants & THING_UPDATE) && d->call > now + MOVED_MS)
                d->call = now + MOVED_MS;
        if ((t->wants & THING_DISABLE) || has_new_account(d))
                d->fall = d->fall == NEVER ? now + FALL_MS : d->fall;
        if (d->watches && d->look > now + MOVED_MS)
                d->look = now + MOVED_MS;
        things_plan(d);
}

/* ---- alarms --------------------------------------------------------------------------------------- */

/* The next time that one begins or is over. */
static int64_t alarm_time(const node *d)
{
        int64_t due = NEVER;

        for (size_t k = 0; d->mine && k < d->all->s->n_faults; k++) {
                const fault *f = &d->all->s->fault[k];
                int64_t at = d->all->started + f->after;
                if (!(d->mine >> k & 1) || f->kind != FAULT_ALARM || (d->over >> k & 1))
                        continue;
                if (d->fired >> k & 1)
                        at = f->ms > 0 ? at + f->ms : NEVER;
                due = at < due ? at : due;
        }
        return due;
}

static void move_alarms(node *d)
{
        int64_t now = loop_now().ms;

        for (size_t k = 0; d->mine && k < d->all->s->n_faults; k++) {
                const fault *f = &d->all->s->fault[k];
                int64_t at = d->all->started + f->after;
                if (!(d->mine >> k & 1) || f->kind != FAULT_ALARM || now < at)
                        continue;
                if (!(d->fired >> k & 1)) {
                        things_fired(d, k);
                        thing_raise(&d->t, thing_error_of(f->alarm));
                } else if (!(d->over >> k & 1) && f->ms > 0 && now >= at + f->ms) {
                        d->over |= 1ull << k;
                        thing_clear(&d->t, thing_error_of(f->alarm));
                }
        }
        d->alarm = alarm_time(d);
        if (d->watches)
                d->look = now;
}

/* ---- what is due -------------------------------------------------------------------------------------- */

static void boot(node *d)
{
        diag why = {{0}};
        char *told = d->all->st.why;
        bool first = d->calls == 0;

        d->boot = NEVER;
        if (!first && !d->trial)
                thing_restart(&d->t);
        things_step_boot(d);
        d->t.wants &= ~(unsigned)(THING_REBOOT | THING_UPDATE);
        if (open_end(d, &why) < 0) {
                if (!told[0])
                        (void)snprintf(told, sizeof d->all->st.why, "%.200s", why.text);
                d->boot = loop_now().ms + BACK_OFF_MS;
                return;
        }
        d->life = LIFE_UP;
        d->call = loop_now().ms;
        things_settle(d);
}

/* It leaves the server that gave it its account, for the one of that. */
static void begin_anew(node *d)
{
        diag why = {{0}};

        d->account->used = true;
        things_watch_drop(d);
        co_close(d->end);
        d->end = NULL;
        d->ask = 0;
        d->location[0] = '\0';
        d->call = loop_now().ms;
        if (open_end(d, &why) == 0)
                return;
        d->life = LIFE_OFF;
        d->boot = loop_now().ms + BACK_OFF_MS;
}

static void fall(node *d)
{
        d->fall = NEVER;
        if (has_new_account(d)) {
                begin_anew(d);
        } else if (d->cut) {
                d->cut = false;
                d->trial = false;
                things_power_off(d, d->cut_ms ? d->cut_ms : things_group(d)->reboot_ms);
        } else if (d->t.wants & THING_REBOOT) {
                d->t.wants &= ~(unsigned)THING_REBOOT;
                if (things_group(d)->farewell)
                        say_goodbye(d);
                things_power_off(d, things_group(d)->reboot_ms);
        } else if (d->t.wants & THING_DISABLE) {
                disable(d);
        }
}

/* One thing that is due; false when nothing is. */
static bool turn(node *d, int64_t now)
{
        if (d->life == LIFE_OFF) {
                if (now < d->boot)
                        return false;
                boot(d);
        } else if (now >= d->fall) {
                fall(d);
        } else if (now >= d->alarm) {
                move_alarms(d);
        } else if (now >= d->step) {
                things_step_due(d);
        } else if (now >= d->call) {
                call(d);
        } else if (now >= d->look) {
                things_look(d);
                d->look = things_look_time(d);
        } else if (now >= d->sleep) {
                fall_asleep(d);
        } else {
                return false;
        }
        return true;
}

static int64_t due_time(const node *d)
{
        const int64_t times[] = {d->fall, d->alarm, d->step, d->call, d->look, d->sleep};
        int64_t due = NEVER;

        if (d->life == LIFE_OFF)
                return d->boot;
        for (size_t i = 0; i < ODM_COUNT(times); i++)
                due = times[i] < due ? times[i] : due;
        return due;
}

void things_plan(node *d)
{
        int64_t due = d->all->stopped ? NEVER : due_time(d);

        if (loop_timer_set(d->all->loop, &d->timer, (odm_time){due}) < 0)
                things_trouble(d->all, "a device is not heard of again", ODM_ENOMEM);
}

static void on_due(void *ctx)
{
        node *d = ctx;

        for (int i = 0; i < 8 && !d->all->stopped && turn(d, loop_now().ms); i++)
                ;
        things_plan(d);
}

/* ---- life -------------------------------------------------------------------------------------------- */

static int set_up_node(things *f, size_t of, uint32_t k)
{
        const group *g = &f->s->group[of];
        node *d = &f->node[g->begin + k];

        d->all = f;
        d->group = (uint16_t)of;
        d->boot = d->call = d->sleep = d->fall = d->step = d->look = d->alarm = NEVER;
        d->mine = scenario_faults(f->s, g, k);
        d->timer = (loop_timer){.fn = on_due, .ctx = d};
        for (size_t n = 0; n < f->s->n_faults; n++)
                f->st.hit[n] += d->mine >> n & 1;
        return thing_init(&d->t, g, k, ODM_ABSENT, loop_wall());
}

static int take_record(void *ctx, const char *name, uint32_t number, odm_str record)
{
        things *f = ctx;
        unsigned long long fired, over;
        char head[64] = "";
        int used = 0;

        memcpy(head, record.p, record.n < sizeof head ? record.n : sizeof head - 1);
        for (size_t i = 0; i < f->s->n_groups; i++) {
                const group *g = &f->s->group[i];
                node *d;
                if (g->kind != GROUP_LWM2M || strcmp(g->name, name) != 0 || number < g->o.first ||
                    number - g->o.first >= g->o.n)
                        continue;
                if (sscanf(head, "fired %llu\nover %llu\n%n", &fired, &over, &used) != 2 || !used)
                        return ODM_EMALFORMED;
                d = &f->node[g->begin + number - g->o.first];
                d->fired = fired;
                d->over = over;
                thing_done(&d->t);
                return thing_init(&d->t, g, number - g->o.first, odm_str_from(record, (size_t)used),
                                  loop_wall());
        }
        return 0;
}

static int find_servers(things *f, diag *d)
{
        for (size_t i = 0; i < f->s->n_groups; i++) {
                const group *g = &f->s->group[i];
                net_url u;
                if (g->kind != GROUP_LWM2M)
                        continue;
                if (net_url_parse(odm_cstr(g->o.server), &u) < 0 ||
                    net_addr_parse(strcmp(u.host, "localhost") == 0 ? "127.0.0.1" : u.host,
                                   u.port               ? u.port
                                   : g->psk || g->certs ? 5684
                                                        : 5683,
                                   &f->server[i]) < 0)
                        return diag_set(d, ODM_EINVAL, "[group %s]: server: has to have an address",
                                        g->name);
        }
        return 0;
}

int things_new(loop *l, const scenario *s, keep *k, const tls_cred *tls, void (*done)(void *ctx),
               void *ctx, things **out, diag *d)
{
        things *f = calloc(1, sizeof *f);
        const char *why = NULL;
        int rc = f ? 0 : ODM_ENOMEM;

        if (!f)
                return diag_set(d, rc, "out of memory");
        *f = (things){.loop = l, .s = s, .keep = k, .done = done, .ctx = ctx};
        f->node = calloc(s->things, sizeof *f->node);
        rc = f->node ? find_servers(f, d) : ODM_ENOMEM;
        if (rc == 0)
                rc = odm_lw_registry_new(&heap_mem, &f->reg);
        if (rc == 0)
                rc = odm_lw_registry_load(f->reg, odm_cstr(thing_objects), NULL, &why);
        for (size_t i = 0; rc == 0 && i < s->n_groups; i++)
                for (uint32_t n = 0;
                     rc == 0 && s->group[i].kind == GROUP_LWM2M && n < s->group[i].o.n; n++)
                        rc = set_up_node(f, i, n);
        if (rc == 0)
                rc = downloads_new(l, s->downloads, tls, s->image_max, &f->pool);
        if (rc == 0 && k)
                rc = keep_each(k, take_record, f);
        if (rc < 0) {
                if (!d->text[0])
                        diag_set(d, rc, "%s", rc == ODM_EIO && k ? keep_why(k) : odm_err_text(rc));
                things_free(f);
        } else {
                *out = f;
        }
        return rc;
}

static void on_end(void *ctx)
{
        things_stop(ctx);
}

/* Silence that has no state is there from the beginning. */
static void start_node(node *d)
{
        d->boot = loop_now().ms + things_drawn(d, things_group(d)->start_ms);
        d->alarm = alarm_time(d);
        for (size_t k = 0; d->mine && k < d->all->s->n_faults; k++) {
                const fault *f = things_fault(d, k, FAULT_SILENCE);
                if (!f || f->state)
                        continue;
                things_fired(d, k);
                d->dead = f->ms == 0;
                d->boot = d->dead ? NEVER : d->boot + f->ms;
        }
        things_plan(d);
}

int things_start(things *f, int64_t max_ms, diag *d)
{
        int rc = 0;

        f->started = loop_now().ms;
        f->end = (loop_timer){.fn = on_end, .ctx = f};
        if (max_ms > 0)
                rc = loop_timer_set(f->loop, &f->end, odm_time_add(loop_now(), max_ms));
        for (uint32_t i = 0; rc == 0 && i < f->s->things; i++)
                start_node(&f->node[i]);
        return rc < 0 ? diag_set(d, rc, "out of memory") : 0;
}

void things_stop(things *f)
{
        if (f->over)
                return;
        f->stopped = f->over = true;
        loop_timer_stop(&f->end);
        for (uint32_t i = 0; i < f->s->things; i++)
                loop_timer_stop(&f->node[i].timer);
        f->done(f->ctx);
}

const things_stats *things_get_stats(things *f)
{
        things_stats *st = &f->st;

        st->devices = f->s->things;
        st->registered = st->met = st->asleep = st->off = st->dead = 0;
        st->observers = 0;
        st->downloads = downloads_counted(f->pool);
        st->octets = sizeof(node);
        for (uint32_t i = 0; i < f->s->things; i++) {
                const node *d = &f->node[i];
                st->registered += d->location[0] != '\0';
                st->met += d->met;
                st->asleep += d->life == LIFE_ASLEEP;
                st->dead += d->dead;
                st->observers += d->n_watches;
                st->off += d->life == LIFE_OFF && !d->dead;
        }
        return st;
}

void things_free(things *f)
{
        if (!f)
                return;
        loop_timer_stop(&f->end);
        for (uint32_t i = 0; f->node && i < f->s->things; i++) {
                node *d = &f->node[i];
                loop_timer_stop(&d->timer);
                if (f->pool)
                        downloads_drop(f->pool, &d->get);
                things_watch_drop(d);
                co_close(d->end);
                thing_done(&d->t);
                things_boot_forget(d);
                free(d->attrs);
        }
        downloads_free(f->pool);
        odm_lw_registry_free(f->reg);
        free(f->node);
        free(f);
}
