/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap: a device that knows no server but the one that gives accounts (lwm2m.md 3.6, 6).
 *
 *     POST /bs?ep=   it asks       DELETE /   PUT /0/x   PUT /1/x   it is given
 *     POST /bs       that was all: it begins anew, with the account */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "things_inner.h"

#define DEFINITIONS_MAX (1u << 16) /* octets for what a write says */

enum { URI = 0, IS_BOOTSTRAP = 1, MODE = 2, IDENTITY = 3, KEY = 5 };
enum { LIFETIME = 1 };
enum { MODE_PSK = 0, MODE_NONE = 3 };

bool things_boots(const node *d)
{
        return things_group(d)->bootstrap && !(d->account && d->account->whole);
}

static account *account_of(node *d)
{
        if (!d->account && (d->account = calloc(1, sizeof *d->account)))
                d->account->mode = MODE_NONE;
        return d->account;
}

static void set_text(char *to, size_t room, odm_str s)
{
        size_t n = s.n < room ? s.n : room - 1;

        if (n)
                memcpy(to, s.p, n);
        to[n] = 0;
}

static void take_security(account *c, uint16_t id, const odm_lw_value *v)
{
        switch (id) {
        case URI: set_text(c->uri, sizeof c->uri, v->data); break;
        case MODE: c->mode = v->i; break;
        case IDENTITY: set_text(c->identity, sizeof c->identity, v->data); break;
        case KEY:
                c->key_n = v->data.n <= sizeof c->key ? v->data.n : 0;
                if (c->key_n)
                        memcpy(c->key, v->data.p, c->key_n);
                break;
        default: break;
        }
}

/* The account of a bootstrap server is not what it is asked for. */
static bool is_of_bootstrap(const odm_lw_list *l)
{
        for (size_t i = 0; i < l->n; i++)
                if (l->v[i].path.id[0] == 0 && l->v[i].path.id[2] == IS_BOOTSTRAP)
                        return l->v[i].value.b;
        return false;
}

static int take(node *d, odm_lw_path at, const co_msg *m)
{
        odm_lw_frame f = {.reg = d->all->reg, .at = at};
        unsigned ct = m->format < 0 ? (unsigned)ODM_LW_NO_CT : (unsigned)m->format;
        account *c = account_of(d);
        odm_lw_list l = {NULL, 0};
        odm_arena a;
        int rc;

        if (!c)
                return ODM_ENOMEM;
        odm_arena_init(&a, &heap_mem, DEFINITIONS_MAX);
        rc = odm_lw_decode(&f, ct, m->body, &a, &l);
        for (size_t i = 0; rc == 0 && !is_of_bootstrap(&l) && i < l.n; i++) {
                odm_lw_path p = l.v[i].path;
                if (p.id[0] == 0 && p.depth == 3)
                        take_security(c, p.id[2], &l.v[i].value);
                else if (p.id[0] == 1 && p.depth == 3 && p.id[2] == LIFETIME)
                        c->lifetime_s = l.v[i].value.i;
        }
        odm_arena_done(&a);
        return rc == 0 ? ODM_COAP_CHANGED : rc == ODM_ENOMEM ? rc : ODM_COAP_BAD_REQUEST;
}

/* That was all: whether it can be used. */
static int finish(node *d)
{
        account *c = d->account;
        bool secure = c && c->mode == MODE_PSK;
        net_url u;

        if (!c || net_url_parse(odm_cstr(c->uri), &u) < 0 ||
            strcmp(u.scheme, secure ? "coaps" : "coap") != 0 || (!secure && c->mode != MODE_NONE) ||
            (secure && (!c->identity[0] || !c->key_n)) ||
            net_addr_parse(u.host,
                           u.port   ? u.port
                           : secure ? 5684
                                    : 5683,
                           &c->addr) < 0)
                return ODM_COAP_BAD_REQUEST;
        if (c->lifetime_s > 0)
                d->t.lifetime_s = c->lifetime_s;
        c->whole = true;
        d->all->st.bootstrapped++;
        return ODM_COAP_CHANGED;
}

int things_boot_request(node *d, const co_msg *m)
{
        odm_lw_path at;

        if (m->code == CO_POST && odm_str_is(m->path, "bs"))
                return finish(d);
        if (odm_lw_path_parse(m->path.p ? m->path : ODM_STR(""), &at) < 0)
                return ODM_COAP_NOT_FOUND;
        if (m->code == CO_DELETE) {
                things_boot_forget(d);
                return ODM_COAP_DELETED;
        }
        if (m->code != CO_PUT || at.depth == 0 || at.id[0] > 1)
                return ODM_COAP_NOT_ALLOWED;
        return take(d, at, m);
}

void things_boot_forget(node *d)
{
        if (d->account)
                odm_wipe(d->account, sizeof *d->account);
        free(d->account);
        d->account = NULL;
}
