/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "loop.h"
#include "mo.h"

#define RECORD_MAX (1u << 20)

extern const odm_mo odm_mo_sim;

static int exec_run(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        (void)at;
        (void)op;
        *status = 200;
        return 0;
}

static const odm_binding sim_bind[] = {{.path = "Run", .exec = exec_run}};

/* All devices share these: none keeps anything.  The account's own rules are left out, because no
 * server is meant to change accounts here. */
static const odm_provider providers[] = {
        {.name = "devinfo", .mo = &odm_mo_devinfo},
        {.name = "devdetail", .mo = &odm_mo_devdetail},
        {.name = "dmacc", .mo = &odm_mo_dmacc},
        {.name = "sim", .mo = &odm_mo_sim, .bind = sim_bind, .n_bind = ODM_COUNT(sim_bind)},
};

static int mount_all(const odm_mem *mem, odm_tree **out)
{
        odm_tree_opt o;
        odm_tree *t = NULL;
        int rc;

        odm_tree_opt_init(&o, mem);
        o.max_nodes = 1024;
        o.max_value = 65536;
        o.max_bytes = 1u << 20;
        rc = odm_tree_new(&o, &t);
        for (size_t i = 0; i < ODM_COUNT(providers) && rc == 0; i++)
                rc = odm_tree_mount(t, NULL, &providers[i]);
        if (rc < 0)
                odm_tree_free(t);
        else
                *out = t;
        return rc;
}

int sim_leaves_write(odm_tree *t, const sim_leaf *list, size_t n, odm_wall now)
{
        unsigned status = 200;
        int rc = odm_tree_begin(t, now);

        for (size_t i = 0; i < n && rc == 0; i++) {
                const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(list[i].value)};
                rc = odm_tree_write(t, odm_cstr(list[i].uri), &v, now);
        }
        if (rc == 0)
                rc = odm_tree_commit(t, &status);
        if (rc < 0)
                odm_tree_rollback(t);
        return rc == 0 && status != 200 ? ODM_EINVAL : rc;
}

int sim_device_write(odm_tree *t, const sim_opt *o, uint32_t i, odm_wall now)
{
        char devid[SIM_TEXT], user[SIM_TEXT], password[SIM_TEXT];
        const char *type = odm_auth_aauth(o->auth);
        const sim_leaf list[] = {
                {".?prop=ACL", "Add=*&Get=*&Replace=*&Delete=*&Exec=*"},
                {"./DevInfo/DevId", devid},
                {"./DevInfo/Man", "xrem"},
                {"./DevInfo/Mod", "simulated"},
                {"./DevInfo/DmV", "1.0"},
                {"./DevInfo/Lang", "en"},
                {"./DevDetail/FwV", "1.0"},
                {"./DevDetail/SwV", "1.0"},
                {"./DevDetail/HwV", "1"},
                {SIM_ACCOUNT "/AppID", "w7"},
                {SIM_ACCOUNT "/ServerID", o->server_id},
                {SIM_ACCOUNT "/AppAddr/1/Addr", o->server},
                {SIM_ACCOUNT "/AppAddr/1/AddrType", "URI"},
                {SIM_ACCOUNT "/AAuthPref", type},
                {SIM_ACCOUNT "/AppAuth/c/AAuthLevel", "CLCRED"},
                {SIM_ACCOUNT "/AppAuth/c/AAuthType", type},
                {SIM_ACCOUNT "/AppAuth/c/AAuthName", user},
                {SIM_ACCOUNT "/AppAuth/c/AAuthSecret", password},
                {SIM_ACCOUNT "/AppAuth/s/AAuthLevel", "SRVCRED"},
                {SIM_ACCOUNT "/AppAuth/s/AAuthType", type},
                {SIM_ACCOUNT "/AppAuth/s/AAuthName", o->server_user},
                {SIM_ACCOUNT "/AppAuth/s/AAuthSecret", password},
        };
        int rc;

        sim_devid(o, i, devid);
        sim_name(o, i, user);
        sim_password(o, i, password);
        rc = sim_leaves_write(t, list, ODM_COUNT(list), now);
        odm_wipe(password, sizeof password);
        return rc;
}

int sim_device_open(const sim_device *d, const sim_opt *o, uint32_t i, const odm_mem *mem,
                    odm_tree **out)
{
        odm_tree *t;
        int rc = mount_all(mem, &t);

        if (rc < 0)
                return rc;
        if (d->record)
                rc = odm_tree_load(t, (odm_str){d->record, d->record_n});
        else
                rc = sim_device_write(t, o, i, loop_wall());
        if (rc < 0)
                odm_tree_free(t);
        else
                *out = t;
        return rc;
}

int sim_device_keep(sim_device *d, odm_tree *t)
{
        odm_buf b;
        char *copy;
        int rc;

        odm_buf_init(&b, &heap_mem, RECORD_MAX);
        rc = odm_tree_dump(t, &b);
        if (rc == 0 && b.n != d->record_n) {
                copy = realloc(d->record, b.n);
                if (copy) {
                        d->record = copy;
                        d->record_n = (uint32_t)b.n;
                } else {
                        rc = ODM_ENOMEM;
                }
        }
        if (rc == 0)
                memcpy(d->record, b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

void sim_device_done(sim_device *d)
{
        free(d->record);
        d->record = NULL;
        d->record_n = 0;
}
