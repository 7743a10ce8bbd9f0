/* SPDX-License-Identifier: Apache-2.0 */
/* bootstrap.c - a message proved by what the device and its user know, and applied to the device's
 * tree; see bootstrap.h. */
#include "bootstrap.h"

#include <string.h>

#include "device.h"
#include "heap.h"
#include "loop.h"

#define NETWORK_KEY_MAX 129 /* one octet of it for the zero */
#define MEMORY_MAX ((size_t)16 << 20)

static int parse(const char *path, odm_str in, odm_boot *b, diag *d)
{
        int rc = odm_boot_parse(in, b);

        switch (rc) {
        case 0: return 0;
        case ODM_EACCESS:
                return diag_set(d, rc, "%s: nothing proves this message; it is refused", path);
        case ODM_EUNSUPPORTED:
                return diag_set(d, rc, "%s: this message is for another purpose", path);
        case ODM_ELIMIT: return diag_set(d, rc, "%s: too large a message", path);
        default: return diag_set(d, rc, "%s: this is no bootstrap message", path);
        }
}

static int ask_and_prove(const bootstrap_opt *o, odm_boot *b, odm_boot_keys *keys,
                         odm_boot_verdict *v)
{
        char pin[ODM_BOOT_PIN_MAX + 1];
        bool again = false;
        int rc = 0;

        while (rc == 0 && *v == ODM_BOOT_AGAIN) {
                rc = o->ask ? o->ask(o->ctx, again, pin, sizeof pin) : ODM_ENOENT;
                if (rc < 0)
                        break;
                keys->pin = odm_cstr(pin);
                *v = odm_boot_prove(b, keys);
                again = true;
        }
        keys->pin = ODM_ABSENT;
        odm_wipe(pin, sizeof pin);
        return rc;
}

static int prove(const cfg *c, const bootstrap_opt *o, odm_boot *b, diag *d)
{
        char network[NETWORK_KEY_MAX];
        odm_boot_keys keys = {.pin = odm_cstr(o->pin)};
        odm_boot_verdict v;
        int rc = conf_secret(c, "bootstrap.network_key", "bootstrap.network_key_file", network,
                             sizeof network, d);

        if (rc < 0)
                return rc;
        keys.network = odm_cstr(network);
        v = odm_boot_prove(b, &keys);
        if (v == ODM_BOOT_AGAIN && !o->pin)
                rc = ask_and_prove(o, b, &keys, &v);
        odm_wipe(network, sizeof network);
        if (rc < 0)
                return diag_set(d, rc, "a PIN is needed: --pin, or a terminal to ask on");
        if (v != ODM_BOOT_GOOD)
                return diag_set(d, ODM_EACCESS, "%s: %s; nothing was changed", o->path,
                                b->sec == ODM_BOOT_NETWORK ? "bootstrap.network_key does not fit it"
                                                           : "it is not proved by this PIN");
        return 0;
}

static int tell(const odm_boot_done *done, odm_buf *told)
{
        int rc = 0;

        for (size_t i = 0; i < done->n && rc == 0; i++)
                rc = odm_buf_fmt(told, "account of %.*s: %.*s\n", (int)done->server[i].server_id.n,
                                 done->server[i].server_id.p, (int)done->server[i].uri.n,
                                 done->server[i].uri.p);
        return rc;
}

static int apply(const cfg *c, const char *version, const bootstrap_opt *o, const odm_boot *b,
                 odm_buf *told, diag *d)
{
        odm_boot_done done;
        device *v = NULL;
        odm_arena a;
        int rc = device_open_bare(c, version, o->app, &v, d);

        if (rc < 0)
                return rc;
        d->text[0] = 0; /* a torn record of the journal is no news here */
        odm_arena_init(&a, &heap_mem, MEMORY_MAX);
        rc = device_bootstrap(v, c, b, o->replace, &a, &done, d);
        if (rc == 0)
                rc = tell(&done, told);
        odm_arena_done(&a);
        device_close(v);
        return rc;
}

int bootstrap_run(const cfg *c, const char *version, const bootstrap_opt *o, odm_buf *told, diag *d)
{
        odm_boot b;
        int rc = parse(o->path, o->message, &b, d);

        if (rc == 0)
                rc = prove(c, o, &b, d);
        if (rc == 0)
                rc = apply(c, version, o, &b, told, d);
        return rc;
}
