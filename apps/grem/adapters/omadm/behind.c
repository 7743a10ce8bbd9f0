/* SPDX-License-Identifier: Apache-2.0 */
/* Devices behind the gateway: what the store knows of them is told to the gateway when they are
 * there, and when the gateway starts.
 *
 * A device that says where a package 0 reaches it can always be spoken to, until it does not answer
 * one; others only while a session of theirs is open, and are awaited in between. */
#include <stdlib.h>
#include <string.h>

#include "gateway.h"
#include "heap.h"
#include "log.h"
#include "omadm_inner.h"

#define PAGE 200
#define MOS_MAX 64
#define SERVERS_MAX 512 /* octets of all ServerIDs */
#define ASK_AGAIN_MS ((int64_t)7 * 24 * 3600 * 1000)

typedef struct kept { /* what the DM side has no place for */
        int64_t device;
        odm_str servers;
} kept;

static const field kept_fields[] = {STORE_FIELD_OF(kept, device, I64),
                                    STORE_FIELD_OF(kept, servers, STR)};
static const record kept_record = STORE_RECORD_OF(kept, kept_fields);
const store_table omadm_table_device = {.name = "omadm_device", .rec = &kept_record, .n_key = 1};

/* ---- in memory ---------------------------------------------------------------------- */

behind *behind_of(omadm *a, int64_t id)
{
        behind **chain = &a->behind[(uint64_t)id % BEHIND_CHAINS], *b = *chain;

        while (b && b->id != id)
                b = b->next;
        if (b)
                return b;
        b = odm_alloc(&heap_mem, sizeof *b);
        if (!b)
                return NULL;
        *b = (behind){.next = *chain, .a = a, .id = id, .woken = {INT64_MIN / 2}};
        *chain = b;
        a->n_behind++;
        return b;
}

void behind_free(omadm *a)
{
        for (size_t i = 0; i < BEHIND_CHAINS; i++)
                while (a->behind[i]) {
                        behind *b = a->behind[i];
                        a->behind[i] = b->next;
                        free(b->servers);
                        odm_free(&heap_mem, b, sizeof *b);
                }
}

/* ---- what is known ------------------------------------------------------------------ */

static const store_node *node_of(const store_tree *t, const char *path)
{
        for (size_t i = 0; i < t->n; i++)
                if (odm_str_is(t->v[i].path, path))
                        return &t->v[i];
        return NULL;
}

static odm_str value_of(const store_tree *t, const char *path)
{
        const store_node *n = node_of(t, path);

        return n ? n->value : ODM_ABSENT;
}

/* Its own servers: what it told when they changed, else what its accounts say. */
static odm_str servers_of(omadm *a, int64_t device, const store_tree *t, odm_arena *m)
{
        const char *ours = cfg_str(a->conf, "omadm.server_id");
        kept key = {.device = device}, row;
        odm_buf list;
        odm_str out = ODM_ABSENT;

        if (store_row_get(a->store, &omadm_table_device, &key, m, &row) == 0)
                return row.servers;
        odm_buf_init(&list, &heap_mem, SERVERS_MAX);
        for (size_t i = 0; i < t->n; i++) {
                const store_node *x = &t->v[i];
                static const char leaf[] = "/ServerID";
                bool is = odm_str_starts(x->path, "./DMAcc/") && x->path.n > sizeof leaf - 1 &&
                          odm_str_is(odm_str_from(x->path, x->path.n - (sizeof leaf - 1)), leaf);
                if (!is || !x->value.n || odm_str_is(x->value, ours))
                        continue;
                if (odm_buf_fmt(&list, "%s%.*s", list.n ? " " : "", (int)x->value.n, x->value.p) <
                    0)
                        break;
        }
        if (list.n)
                out = odm_arena_copy(m, odm_buf_view(&list));
        odm_buf_done(&list);
        return out;
}

static size_t mos_of(const store_tree *t, odm_str *out)
{
        size_t n = 0;

        for (size_t i = 0; i < t->n && n < MOS_MAX; i++) {
                bool known = !odm_str_starts(t->v[i].type, "urn:oma:mo:");
                for (size_t k = 0; k < n && !known; k++)
                        known = odm_str_eq(out[k], t->v[i].type);
                if (!known)
                        out[n++] = t->v[i].type;
        }
        return n;
}

static bool is_wakeable(const store_device *d)
{
        odm_str url = d->wake_override.n ? d->wake_override : d->wake_reported;
        net_url u;

        return url.n && net_url_parse(url, &u) == 0 && strcmp(u.scheme, "udp") == 0;
}

/* Our agent says how often it calls; of others the operator says it. */
static int64_t interval_of(const omadm *a, const store_tree *t)
{
        uint64_t s;

        if (odm_str_u64(value_of(t, "./Vendor/xrem/Config/Interval"), UINT32_MAX, &s) == 0)
                return (int64_t)s * 1000;
        return cfg_ms(a->conf, "omadm.interval");
}

/* A device that is silent for longer is gone; 0: never. */
static int64_t lifetime_of(const behind *b)
{
        return b->interval_ms * (1 + cfg_int(b->a->conf, "omadm.missed"));
}

static bool tell(behind *b, const store_device *d, const store_tree *t)
{
        omadm *a = b->a;
        odm_str mos[MOS_MAX];
        unsigned why = 0;
        adapter_device x = {
                .id = d->devid,
                .protocol = odm_str_starts(d->dmv, "1.3") ? ODM_STR("OMA-DM/1.3")
                                                          : ODM_STR("OMA-DM/1.2"),
                .addr = d->address,
                .addr_type = odm_str_has(d->address, ':') ? ODM_STR("IPv6") : ODM_STR("IPv4"),
                .man = d->maker,
                .mod = d->model,
                .dev_type = value_of(t, "./DevDetail/DevTyp"),
                .fwv = d->fwv,
                .swv = d->swv,
                .hwv = d->hwv,
                .dms = odm_cstr(b->servers),
                .mos = mos,
                .n_mos = mos_of(t, mos),
                .is_gateway = node_of(t, "./GwMO/Config/GwID") != NULL,
                .lifetime_s = lifetime_of(b) / 1000,
                .wake_interval_s = b->wakes ? -1 : b->interval_ms / 1000,
        };

        b->record = a->host.seen(a->host.ctx, &omadm_class, &x, b, &why);
        if (!b->record)
                log_info("a device is not served", log_str("devid", d->devid),
                         log_int("status", why));
        return b->record != NULL;
}

/* At the start it has not called: who was gone before, for long without a record, is not there for
 * that. */
static bool is_gone(const behind *b, const store_device *d)
{
        const adapter_host *h = &b->a->host;
        const gw_device *known = h->known ? h->known(h->ctx, d->devid) : NULL;
        int64_t lifetime = lifetime_of(b);

        return (!known || known->state == GW_DETACHED) && lifetime > 0 &&
               loop_wall_ms() - d->last_contact > lifetime;
}

static bool introduce(behind *b, store_device *d, bool at_start, odm_arena *m)
{
        store_tree t = {0};
        odm_str servers;

        if (store_device_get(b->a->store, b->id, m, d) < 0 || !d->devid.n)
                return false;
        if (store_tree_get(b->a->store, b->id, ODM_STR("."), m, &t) < 0)
                t = (store_tree){0};
        b->wakes = is_wakeable(d);
        b->interval_ms = interval_of(b->a, &t);
        if (at_start && is_gone(b, d))
                return false;
        servers = servers_of(b->a, b->id, &t, m);
        free(b->servers);
        b->servers = servers.n ? strndup(servers.p, servers.n) : NULL;
        if (!tell(b, d, &t))
                return false;
        if (b->here)
                link_tell(b, &t);
        return true;
}

static bool introduced(behind *b, bool at_start)
{
        store_device d;
        odm_arena m;
        bool ok;

        b->asking = false;
        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        ok = introduce(b, &d, at_start, &m);
        odm_arena_done(&m);
        return ok;
}

bool behind_introduce(behind *b)
{
        return introduced(b, false);
}

/* ---- here or away ------------------------------------------------------------------------- */

static void say_awake(behind *b)
{
        b->awake = true;
        b->a->host.awake(b->a->host.ctx, b->record, 0);
}

/* It is awaited so long after its last contact, which may be to come when the clock was set back.
 */
static void say_asleep(behind *b, int64_t contact, int64_t now)
{
        int64_t ms =
                b->interval_ms && contact < now ? contact + b->interval_ms - now : b->interval_ms;

        b->awake = false;
        b->a->host.asleep(b->a->host.ctx, b->record, ms > 0 ? ms : 0);
}

static void on_unwoken(void *ctx)
{
        behind *b = ctx;
        int64_t now = loop_wall_ms();

        if (b->record && b->awake && !b->here && !b->a->closing)
                say_asleep(b, now, now);
}

/* Whoever takes an order back is not to hear of it from within. */
void behind_unwoken(behind *b)
{
        if (loop_post(b->a->loop, on_unwoken, b) < 0)
                log_warn("no memory to say that a device does not answer");
}

/* What it is, beyond what every session tells: once a week. */
static const char question[] =
        "[{\"cmd\":\"get\",\"uri\":\"./DevDetail/DevTyp\",\"optional\":true},"
        "{\"cmd\":\"get\",\"uri\":\"./GwMO/Config/GwID\",\"optional\":true},"
        "{\"cmd\":\"get\",\"uri\":\"./GwMO/Config/Mode\",\"optional\":true},"
        "{\"cmd\":\"get\",\"uri\":\"./GwMO/Config/GwAddress/Addr\",\"optional\":true},"
        "{\"cmd\":\"get\",\"uri\":\"./GwMO/Config/Ext/ServerID\",\"optional\":true},"
        "{\"cmd\":\"get\",\"uri\":\"./DMAcc?list=StructData\",\"optional\":true},"
        "{\"cmd\":\"get\",\"uri\":\".?list=Struct\",\"optional\":true,\"fallback\":false}]";

static bool is_fresh(const omadm *a, int64_t device, int64_t now)
{
        store_tree t;
        odm_arena m;
        bool fresh = false;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        if (store_tree_get(a->store, device, ODM_STR("./DevDetail/DevTyp"), &m, &t) == 0)
                fresh = t.n && now - t.v[0].at < ASK_AGAIN_MS;
        odm_arena_done(&m);
        return fresh;
}

static void asked(void *ctx, store_batch *b, int rc)
{
        omadm *a = ctx;

        if (rc == 0)
                dm_job_created(a->dm, b->ops[0]->job.device, b->ops[0]->id);
}

/* Whether it is asked now. */
static bool ask(behind *b)
{
        int64_t now = loop_wall_ms();
        store_batch *batch;
        store_op *op;

        if (b->asked)
                return false;
        b->asked = true;
        if (is_fresh(b->a, b->id, now))
                return false;
        batch = store_batch_new();
        op = batch ? store_batch_add(batch, STORE_JOB_CREATE) : NULL;
        if (op)
                op->job = (store_job){.device = b->id,
                                      .kind = ODM_STR("inquiry"),
                                      .commands = odm_cstr(question),
                                      .deadline = now + ASK_AGAIN_MS,
                                      .max_attempts = 3,
                                      .actor = ODM_STR("gateway"),
                                      .created = now,
                                      .updated = now};
        if (op && store_write(b->a->store, batch, asked, b->a) == 0)
                return true;
        store_batch_free(batch);
        return false;
}

/* ---- sessions ------------------------------------------------------------------------------- */

void behind_at_hand(void *ctx, int64_t device)
{
        omadm *a = ctx;
        behind *b = behind_of(a, device);

        /* one that nobody knows is asked what it is before anybody hears of it */
        if (b && ask(b) && !b->record) {
                b->asking = true;
                return;
        }
        if (!b || !behind_introduce(b)) {
                dm_cut(a->dm, device);
                return;
        }
        told_read(a);
        if (!b->record) /* told, it may have been sent away */
                return;
        b->here = true;
        if (!behind_introduce(b)) /* here, it hears of its gateway */
                return;
        say_awake(b);
}

static void on_left(omadm *a, int64_t device)
{
        behind *b = behind_of(a, device);
        int64_t now = loop_wall_ms();

        if (!b || a->closing)
                return;
        b->here = false;
        if (!behind_introduce(b)) /* with what the session brought */
                return;
        told_read(a);
        if (!b->wakes)
                say_asleep(b, now, now);
}

typedef struct news {
        omadm *a;
        int64_t device;
} news;

static void hear_left(void *ctx)
{
        news x = *(news *)ctx;

        odm_free(&heap_mem, ctx, sizeof x);
        on_left(x.a, x.device);
}

void behind_left(void *ctx, int64_t device)
{
        omadm *a = ctx;
        news *x = odm_alloc(&heap_mem, sizeof *x);

        if (!x)
                return;
        *x = (news){a, device};
        if (loop_post(a->loop, hear_left, x) < 0)
                odm_free(&heap_mem, x, sizeof *x);
}

/* ---- at the start ---------------------------------------------------------------------------- */

/* Those that never had a session are not known to the gateway until they have. */
static void take_up(omadm *a, const store_device *d, int64_t now)
{
        behind *b;
        bool alive;

        if (!store_device_welcome(d->state) || !d->last_contact)
                return;
        b = behind_of(a, d->id);
        if (!b || !introduced(b, true))
                return;
        alive = !b->interval_ms || now - d->last_contact < 2 * b->interval_ms;
        if (b->wakes && alive)
                say_awake(b);
        else
                say_asleep(b, d->last_contact, now);
}

void behind_all(omadm *a)
{
        store_device_filter f = {.limit = PAGE};
        store_device_list l = {.more = true};
        int64_t now = loop_wall_ms();
        odm_arena m, name;

        odm_arena_init(&name, &heap_mem, 1 << 16);
        while (l.more) {
                odm_arena_init(&m, &heap_mem, READ_MEMORY);
                if (store_device_find(a->store, &f, &m, &l) < 0) {
                        log_warn("the devices behind cannot be read");
                        l.more = false;
                        l.n = 0;
                }
                for (size_t i = 0; i < l.n; i++)
                        take_up(a, &l.v[i], now);
                odm_arena_reset(&name);
                f.after = odm_arena_copy(&name, l.more ? l.next : ODM_ABSENT);
                odm_arena_done(&m);
        }
        odm_arena_done(&name);
}

/* ---- what is kept beside ------------------------------------------------------------------------ */

/* The list without ourselves, who are no server of its own; in `a`. */
static odm_str others(const omadm *o, odm_str ids, odm_arena *a)
{
        odm_str out = ODM_STR("");

        while (ids.n) {
                const char *blank = memchr(ids.p, ' ', ids.n);
                odm_str one = odm_str_to(ids, blank ? (size_t)(blank - ids.p) : ids.n);
                ids = odm_str_from(ids, one.n + (blank ? 1 : 0));
                if (one.n && !odm_str_is(one, cfg_str(o->conf, "omadm.server_id")))
                        out = odm_arena_fmt(a, "%.*s%s%.*s", (int)out.n, out.p, out.n ? " " : "",
                                            (int)one.n, one.p);
        }
        return out;
}

int behind_servers(behind *b, odm_str ids)
{
        store_batch *batch = store_batch_new();
        store_op *op = batch ? store_batch_add(batch, STORE_ROW_PUT) : NULL;
        kept *row = op ? odm_arena_zget(store_batch_arena(batch), sizeof *row) : NULL;
        int rc = row ? 0 : ODM_ENOMEM;

        if (rc == 0) {
                row->device = b->id;
                row->servers = others(b->a, odm_str_to(odm_str_trim(ids), SERVERS_MAX),
                                      store_batch_arena(batch));
                op->row = (store_row_op){.table = &omadm_table_device, .row = row};
                rc = store_write_sync(b->a->store, batch);
        }
        store_batch_free(batch);
        return rc;
}
