/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "mo.h"

static void *counted_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        struct device_memory *m = ctx;
        void *q = NULL;

        if (n == 0)
                free(p);
        else
                q = realloc(p, n);
        if (q || n == 0) {
                m->live += n - old_n;
                m->calls += n > 0;
        }
        if (m->live > m->most)
                m->most = m->live;
        return q;
}

int device_fill(void *seed, void *p, size_t n)
{
        uint32_t *x = seed;
        uint8_t *to = p;

        for (size_t i = 0; i < n; i++) {
                *x ^= *x << 13;
                *x ^= *x >> 17;
                *x ^= *x << 5;
                to[i] = (uint8_t)*x;
        }
        return 0;
}

/* ---- the tree --------------------------------------------------------------------- */

static const struct fixed {
        const char *name, *text;
} fixed[] = {
        {"DevId", DEVICE_ID}, {"Man", "Example"}, {"Mod", "X1"},  {"DmV", "1.0"}, {"Lang", "en"},
        {"DevTyp", "meter"},  {"OEM", "Example"}, {"FwV", "1.0"}, {"SwV", "1.0"}, {"HwV", "1.0"},
};

static int read_fixed(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx, (void)a;
        for (size_t i = 0; i < ODM_COUNT(fixed); i++)
                if (odm_str_is(at->desc->name, fixed[i].name)) {
                        *out = (odm_value){.format = ODM_FMT_CHR, .data = odm_cstr(fixed[i].text)};
                        return 0;
                }
        return ODM_ENOENT;
}

static const odm_binding info_bindings[] = {{.path = "DevId", .read = read_fixed},
                                            {.path = "Man", .read = read_fixed},
                                            {.path = "Mod", .read = read_fixed},
                                            {.path = "DmV", .read = read_fixed},
                                            {.path = "Lang", .read = read_fixed}};
static const odm_binding detail_bindings[] = {{.path = "DevTyp", .read = read_fixed},
                                              {.path = "OEM", .read = read_fixed},
                                              {.path = "FwV", .read = read_fixed},
                                              {.path = "SwV", .read = read_fixed},
                                              {.path = "HwV", .read = read_fixed}};

static const odm_provider info = {.name = "devinfo",
                                  .mo = &odm_mo_devinfo,
                                  .bind = info_bindings,
                                  .n_bind = ODM_COUNT(info_bindings)};
static const odm_provider detail = {.name = "devdetail",
                                    .mo = &odm_mo_devdetail,
                                    .bind = detail_bindings,
                                    .n_bind = ODM_COUNT(detail_bindings)};
static const odm_provider inbox = {.name = "inbox", .mo = &odm_mo_inbox};

static const struct leaf {
        const char *uri, *text;
        odm_format format;
} leaves[] = {
        {"./DMAcc/main/AppID", "w7", ODM_FMT_CHR},
        {"./DMAcc/main/ServerID", DEVICE_SERVER, ODM_FMT_CHR},
        {"./DMAcc/main/AppAddr/1/Addr", DEVICE_URI, ODM_FMT_CHR},
        {"./DMAcc/main/AppAddr/1/AddrType", "URI", ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/1/AAuthLevel", "CLCRED", ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/1/AAuthType", "DIGEST", ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/1/AAuthName", DEVICE_USER, ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/1/AAuthSecret", DEVICE_PASSWORD, ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/1/AAuthData", DEVICE_NONCE, ODM_FMT_BIN},
        {"./DMAcc/main/AppAuth/2/AAuthLevel", "SRVCRED", ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/2/AAuthType", "DIGEST", ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/2/AAuthName", DEVICE_SERVER, ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/2/AAuthSecret", DEVICE_SERVER_PASSWORD, ODM_FMT_CHR},
        {"./DMAcc/main/AppAuth/2/AAuthData", DEVICE_SERVER_NONCE, ODM_FMT_BIN},
        {"./Vendor/App/Log", "what the device has to tell", ODM_FMT_CHR},
        {".?prop=ACL", "Add=*&Delete=*&Exec=*&Get=*&Replace=*", ODM_FMT_ABSENT},
};

static const char *plant(odm_tree *t, odm_dmacc *accounts)
{
        const odm_provider *const mounts[] = {&info, &detail, &inbox, &accounts->provider};

        for (size_t i = 0; i < ODM_COUNT(mounts); i++)
                if (odm_tree_mount(t, NULL, mounts[i]) < 0)
                        return mounts[i]->name;
        for (size_t i = 0; i < ODM_COUNT(leaves); i++) {
                odm_value v = {leaves[i].format, ODM_ABSENT, odm_cstr(leaves[i].text)};
                if (odm_tree_write(t, odm_cstr(leaves[i].uri), &v, (odm_wall){1700000000}) < 0)
                        return leaves[i].uri;
        }
        return odm_dmacc_learn(accounts, t) == 0 ? NULL : "the accounts";
}

/* ---- the session ------------------------------------------------------------------- */

static const char *converse(odm_client *c, device_post post, void *ctx, struct device_use *use)
{
        const odm_time now = {0};
        const odm_wall wall = {1700000000};
        const odm_request *req;
        odm_packet sent, reply = {.content_type = ODM_STR("application/vnd.syncml.dm+wbxml")};

        if (odm_client_start(c, now, wall) < 0)
                return "the start";
        while (odm_client_next(c, &req) == 0 && odm_client_send(c, &sent) == 1) {
                use->messages += 2;
                if (sent.body.n > use->longest[0])
                        use->longest[0] = sent.body.n;
                reply.body = post(ctx, sent.body);
                if (reply.body.n > use->longest[1])
                        use->longest[1] = reply.body.n;
                if (odm_client_recv(c, &reply, now, wall) < 0)
                        return "a reply";
        }
        return odm_client_outcome(c) == ODM_OUTCOME_DONE ? NULL : odm_client_diag(c);
}

static const char *hold(odm_tree *t, const odm_mem *mem, device_post post, void *ctx,
                        struct device_use *use)
{
        struct device_memory *m = mem->ctx;
        uint32_t seed = 2463534242;
        odm_client_opt o;
        odm_client *c;

        odm_client_opt_init(&o, mem);
        o.rng = (odm_rng){device_fill, &seed};
        o.codec = &odm_codec_wbxml;
        o.account = ODM_STR("./DMAcc/main");
        o.max_msg_size = o.send_max = DEVICE_MESSAGE;
        o.max_obj_size = DEVICE_MESSAGE;
        use->tree = m->most = m->live;
        m->calls = 0;
        if (odm_client_new(&o, t, &c) < 0)
                return "a session";
        const char *wrong = converse(c, post, ctx, use);
        use->session = m->most - use->tree;
        use->allocations = m->calls;
        odm_client_free(c);
        return wrong;
}

const char *device_run(device_post post, void *ctx, struct device_use *out)
{
        struct device_memory counts = {0};
        const odm_mem mem = {counted_resize, &counts};
        struct device_use use = {0};
        const char *wrong = "the tree";
        odm_dmacc accounts;
        odm_tree_opt o;
        odm_tree *t;

        odm_tree_opt_init(&o, &mem);
        if (odm_tree_new(&o, &t) < 0)
                return wrong;
        odm_dmacc_init(&accounts, &mem, &odm_mo_dmacc, "./DMAcc");
        wrong = plant(t, &accounts);
        if (wrong == NULL)
                wrong = hold(t, &mem, post, ctx, &use);
        if (wrong == NULL)
                *out = use;
        odm_tree_free(t);
        return wrong;
}
