/* SPDX-License-Identifier: Apache-2.0 */
/* What wakes a device: our own package 0, which the DM side makes, and those of servers that manage
 * the device themselves (gwmo.md 7).  The gateway has no key of such a server and verifies nothing:
 * the device does.  So what comes by UDP is limited before anything is read for it: datagrams in
 * all, and those of each device.  What an order of a server brings has passed the agent's checks,
 * and is not held up by what strangers send.
 *
 *   (b) the server has the gateway deliver it            wake(), with a notification
 *   (a) the server sends it to the gateway's own address  the ServerID in it tells for which
 * devices
 */
#include <string.h>

#include "heap.h"
#include "log.h"
#include "odm/msg.h"
#include "odm/notify.h"
#include "omadm_inner.h"
#include "udp.h"

#define COPIES_MAX 64 /* devices that one datagram goes to */
#define LOOKED_AT 50  /* datagrams of servers in a second */
#define DATAGRAM_MAX (ODM_NOTIFY_MAX + 64)

typedef struct relay {
        omadm *a;
        udp *udp;
        odm_time second; /* when it began */
        unsigned n;      /* datagrams in it */
} relay;

/* Where package 0 reaches it: udp://host:port, an empty host being where it called from. */
static int target_of(behind *b, net_addr *out)
{
        store_device d;
        odm_str url, host;
        char name[NET_ADDR_TEXT];
        net_url u;
        odm_arena m;
        int rc;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        rc = store_device_get(b->a->store, b->id, &m, &d);
        if (rc == 0) {
                url = d.wake_override.n ? d.wake_override : d.wake_reported;
                rc = url.n && net_url_parse(url, &u) == 0 && strcmp(u.scheme, "udp") == 0
                             ? 0
                             : ODM_ENOENT;
        }
        if (rc == 0) {
                host = u.host[0] ? odm_cstr(u.host) : d.address;
                if (host.n == 0 || host.n >= sizeof name)
                        rc = ODM_ENOENT;
        }
        if (rc == 0) {
                memcpy(name, host.p, host.n);
                name[host.n] = 0;
                if (net_addr_parse(name, u.port ? u.port : ODM_WAP_PUSH_PORT, out) < 0)
                        rc = ODM_ENOENT; /* a name: nobody is to wait for its address */
        }
        odm_arena_done(&m);
        return rc;
}

/* As it came where it is a push already.  0, ODM_EMALFORMED, ODM_ENOMEM, ODM_ELIMIT. */
static int wrapped(odm_str in, odm_buf *out)
{
        odm_notification n;
        odm_str package;

        if (in.n > DATAGRAM_MAX || odm_wsp_unwrap(in, &package) < 0 ||
            odm_notify_parse(package, &n) < 0)
                return ODM_EMALFORMED;
        return package.p == in.p ? odm_wsp_wrap(1, in, out) : odm_buf_str(out, in);
}

static int pass_on(relay *r, behind *b, odm_str notification)
{
        net_addr to;
        odm_buf datagram;
        int rc = target_of(b, &to);

        if (rc < 0)
                return rc;
        odm_buf_init(&datagram, &heap_mem, DATAGRAM_MAX + 64);
        rc = wrapped(notification, &datagram);
        if (rc == 0)
                rc = udp_send(r->udp, odm_buf_view(&datagram), &to);
        odm_buf_done(&datagram);
        return rc;
}

/* ---- by order ------------------------------------------------------------------------- */

static int call_it(omadm *a, const behind *b)
{
        store_device d;
        odm_arena m;
        int rc;

        odm_arena_init(&m, &heap_mem, READ_MEMORY);
        rc = store_device_get(a->store, b->id, &m, &d);
        if (rc == 0)
                rc = dm_wake(a->dm, &d);
        odm_arena_done(&m);
        return rc;
}

static unsigned status_of(int rc, const char **text)
{
        switch (rc) {
        case 0: *text = ""; return ODM_ST_OK;
        case ODM_ENOENT: *text = "it says no address for wake-ups"; return ODM_ST_UNAVAILABLE;
        case ODM_ESTATE: *text = "wake-ups are switched off"; return ODM_ST_UNSUPPORTED;
        case ODM_EMALFORMED: *text = "this is no package 0"; return ODM_ST_BAD_FORMAT;
        default: *text = odm_err_text(rc); return ODM_ST_FAILED;
        }
}

void relay_wake(void *ctx, uint64_t id, gw_device *d, void *native, odm_str notification,
                odm_str server_id)
{
        omadm *a = ctx;
        behind *b = native;
        int rc = notification.n ? pass_on(a->relay, b, notification) : call_it(a, b);
        const char *text;
        adapter_reply r = {.status = status_of(rc, &text)};

        (void)d;
        (void)server_id; /* it is in the package */
        r.text = odm_cstr(text);
        a->host.reply(a->host.ctx, id, &r);
}

/* ---- from the servers ------------------------------------------------------------------- */

static bool has_word(const char *list, odm_str word)
{
        odm_str rest = odm_cstr(list);

        while (rest.n) {
                const char *blank = memchr(rest.p, ' ', rest.n);
                odm_str one = odm_str_to(rest, blank ? (size_t)(blank - rest.p) : rest.n);
                if (odm_str_eq(one, word))
                        return true;
                rest = odm_str_from(rest, one.n + 1);
        }
        return false;
}

/* Whether a datagram of a stranger may cost anything now. */
static bool may_look(relay *r)
{
        odm_time now = loop_now();

        if (now.ms - r->second.ms >= 1000) {
                r->second = now;
                r->n = 0;
        }
        return r->n++ < LOOKED_AT;
}

/* The same of one device; counted whatever comes of it. */
static bool may_pass(behind *b)
{
        odm_time now = loop_now(),
                 next = odm_time_add(b->woken, cfg_ms(b->a->conf, "omadm.relay_every"));

        if (!odm_time_reached(now, next))
                return false;
        b->woken = now;
        return true;
}

static void on_datagram(void *ctx, odm_str datagram, const net_addr *from)
{
        relay *r = ctx;
        odm_notification n;
        odm_str package;
        unsigned copies = 0, tried = 0;

        (void)from;
        if (!may_look(r) || odm_wsp_unwrap(datagram, &package) < 0 ||
            odm_notify_parse(package, &n) < 0)
                return;
        for (size_t i = 0; i < BEHIND_CHAINS && tried < COPIES_MAX; i++)
                for (behind *b = r->a->behind[i]; b && tried < COPIES_MAX; b = b->next)
                        if (b->record && b->servers && has_word(b->servers, n.server_id) &&
                            may_pass(b)) {
                                tried++;
                                copies += pass_on(r, b, datagram) == 0;
                        }
        log_debug("package 0 passed on", log_str("server", n.server_id),
                  log_int("devices", copies));
}

int relay_open(omadm *a, diag *d)
{
        const char *listen = cfg_str(a->conf, "omadm.relay");
        relay *r = odm_alloc(&heap_mem, sizeof *r);
        net_addr at;
        int rc;

        if (!r)
                return ODM_ENOMEM;
        r->a = a;
        a->relay = r;
        if (net_hostport_parse(listen ? listen : "*:0", &at) < 0)
                return diag_set(d, ODM_EINVAL, "omadm.relay: %s is no address:port", listen);
        rc = udp_open(a->loop, &at, listen ? on_datagram : NULL, r, &r->udp, d);
        if (rc == 0 && listen)
                log_info("wake-ups of other servers are passed on", log_text("address", listen),
                         log_int("port", udp_port(r->udp)));
        return rc;
}

unsigned omadm_relay_port(const void *adapter)
{
        const omadm *a = adapter;

        return a->relay ? udp_port(a->relay->udp) : 0;
}

void relay_close(relay *r)
{
        if (!r)
                return;
        udp_close(r->udp);
        odm_free(&heap_mem, r, sizeof *r);
}
