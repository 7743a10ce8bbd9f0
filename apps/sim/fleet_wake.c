/* SPDX-License-Identifier: Apache-2.0 */
/* Package 0 for one of the devices: verified by its account, followed once. */
#include "fleet_inner.h"

#include "device.h"
#include "heap.h"

/* The account is that of the record: no session is open that could be about to change it. */
static uint16_t checked(device *d, odm_str package, bool *resync)
{
        odm_notification n;
        odm_notify_check check_ = ODM_NOTIFY_FORGED;
        odm_account acc;
        odm_secret secret;
        odm_arena a;
        gadget *g = NULL;

        odm_arena_init(&a, &heap_mem, 65536);
        if (odm_notify_parse(package, &n) == 0 && fleet_open_up(d, &g) == 0 &&
            odm_account_read(g->tree, ODM_STR(SIM_ACCOUNT), &a, &acc) == 0 &&
            odm_str_eq(acc.server_id, n.server_id) && acc.server_password.n) {
                odm_secret_of(n.server_id, acc.server_password, &secret);
                check_ = odm_notify_verify(package, &secret, &acc.server_nonce);
                odm_wipe(&secret, sizeof secret);
        }
        gadget_free(g, &d->f->mem);
        odm_arena_done(&a);
        *resync = check_ != ODM_NOTIFY_GOOD;
        return check_ == ODM_NOTIFY_FORGED ? 0 : n.session_id;
}

/* The network lost it, by a fault. */
static bool is_lost(device *d)
{
        for (size_t k = 0; d->mine && k < d->f->s->n_faults; k++) {
                const fault *f = &d->f->s->fault[k];

                if (!(d->mine >> k & 1) || f->kind != FAULT_DEAF || d->missed >= f->wakes)
                        continue;
                d->f->st.fired[k] += !(d->fired >> k & 1);
                d->fired |= 1ull << k;
                d->missed++;
                return true;
        }
        return false;
}

void fleet_on_datagram(void *ctx, uint32_t i, odm_str datagram)
{
        fleet *f = ctx;
        device *d = &f->device[i];
        odm_str package;
        uint16_t id = 0;
        bool resync = false;

        if (is_lost(d)) {
                f->st.wakes_lost++;
                return;
        }
        if (!d->off && d->place != TALKING && !f->stopped &&
            odm_wsp_unwrap(datagram, &package) == 0)
                id = checked(d, package, &resync);
        if (id == 0 || id == d->woken) {
                f->st.wakes_ignored++;
                return;
        }
        f->st.wakes++;
        d->woken = d->wake = id;
        d->resync = resync;
        d->call = loop_now().ms;
        if (d->place == RESTING)
                fleet_plan(d);
}
