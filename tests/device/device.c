/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mo.h"

extern const odm_mo odm_mo_lab;

static const odm_provider plain[] = {{.name = "devinfo", .mo = &odm_mo_devinfo},
                                     {.name = "devdetail", .mo = &odm_mo_devdetail},
                                     {.name = "inbox", .mo = &odm_mo_inbox}};

void device_account_init(device_account *a)
{
        *a = (device_account){
                .type = ODM_AUTH_MD5,
                .server_type = ODM_AUTH_MD5,
                .user = "dev",
                .password = "pw",
                .server_user = "srv",
                .server_password = "spw",
                .server_id = "srv",
                .addr = "http://dm/s",
        };
}

/* ---- the lab's behaviour --------------------------------------------------------- */

static int read_count(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        const device *d = ctx;

        (void)at;
        out->data = odm_arena_fmt(a, "%u", d->runs);
        return out->data.p ? 0 : odm_arena_err(a);
}

/* An argument that is a number is counted: nothing may run twice. */
static void count_run(device *d, odm_str arg)
{
        uint64_t n;

        d->runs++;
        if (odm_str_u64(arg, 1u << 30, &n) < 0)
                return;
        if (n >= d->n_ran) {
                size_t more = (size_t)n + 1024;
                uint8_t *p = realloc(d->ran, more);
                if (p == NULL)
                        return;
                memset(p + d->n_ran, 0, more - d->n_ran);
                d->ran = p;
                d->n_ran = more;
        }
        d->ran[n]++;
}

static int exec_run(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)at;
        if (odm_str_is(op->value.data, "fail"))
                *status = ODM_ST_FAILED;
        else
                count_run(ctx, op->value.data);
        return 0;
}

static int exec_later(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)at;
        (void)status;
        count_run(ctx, op->value.data);
        return ODM_LATER;
}

static int exec_slow(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        device *d = ctx;

        (void)snprintf(d->job_uri, sizeof d->job_uri, "%.*s", (int)at->uri.n, at->uri.p);
        (void)snprintf(d->job_correlator, sizeof d->job_correlator, "%.*s", (int)op->correlator.n,
                       op->correlator.p ? op->correlator.p : "");
        count_run(ctx, op->value.data);
        *status = ODM_ST_ACCEPTED;
        return 0;
}

static int check_picky(void *ctx, const odm_at *at, const odm_value *v, unsigned *status)
{
        (void)ctx;
        (void)at;
        if (v && odm_str_is(v->data, "no"))
                *status = ODM_ST_FORBIDDEN;
        return 0;
}

static const odm_binding lab_bind[] = {{.path = "Count", .read = read_count},
                                       {.path = "Run", .exec = exec_run},
                                       {.path = "Later", .exec = exec_later},
                                       {.path = "Slow", .exec = exec_slow},
                                       {.path = "Picky", .check = check_picky}};

/* ---- the disk ---------------------------------------------------------------------- */

static int log_record(void *ctx, odm_str record)
{
        device *d = ctx;
        uint32_t n = (uint32_t)record.n;

        if (d->disk_fails)
                return ODM_EIO;
        int rc = odm_buf_put(&d->disk, &n, sizeof n);
        if (rc == 0)
                rc = odm_buf_str(&d->disk, record);
        return rc;
}

void device_sync(device *d)
{
        d->durable = d->disk.n;
}

static int load_disk(device *d)
{
        size_t at = 0;
        uint32_t n;

        while (d->disk.n - at > sizeof n) {
                memcpy(&n, d->disk.p + at, sizeof n);
                if (n > d->disk.n - at - sizeof n)
                        break; /* cut short: it never happened */
                int rc = odm_tree_load(d->tree, (odm_str){d->disk.p + at + sizeof n, n});
                if (rc < 0)
                        return rc;
                at += sizeof n + n;
        }
        odm_buf_cut(&d->disk, at);
        d->durable = at;
        return 0;
}

/* ---- the tree ------------------------------------------------------------------------ */

static int mount_all(device *d)
{
        int rc = odm_tree_new(&d->opt, &d->tree);

        for (size_t i = 0; i < ODM_COUNT(plain) && rc == 0; i++)
                rc = odm_tree_mount(d->tree, NULL, &plain[i]);
        odm_dmacc_init(&d->dmacc, d->mem, &odm_mo_dmacc, "./DMAcc");
        if (rc == 0)
                rc = odm_tree_mount(d->tree, NULL, &d->dmacc.provider);
        if (rc == 0)
                rc = odm_tree_mount(d->tree, NULL, &d->lab);
        return rc;
}

static int put(device *d, const char *uri, odm_format f, odm_str data)
{
        odm_value v = {.format = f, .data = data};

        return odm_tree_write(d->tree, odm_cstr(uri), &v, (odm_wall){d->wall});
}

struct setting {
        const char *uri;
        odm_format format;
        odm_str data;
};

static int write_account(device *d)
{
        const device_account *a = &d->account;
        const struct setting list[] = {
                {"./DevInfo/DevId", ODM_FMT_CHR, ODM_STR("IMEI:1")},
                {"./DevInfo/Man", ODM_FMT_CHR, ODM_STR("Example")},
                {"./DevInfo/Mod", ODM_FMT_CHR, ODM_STR("X1")},
                {"./DevInfo/DmV", ODM_FMT_CHR, ODM_STR("1.0")},
                {"./DevInfo/Lang", ODM_FMT_CHR, ODM_STR("en")},
                {"./DMAcc/main/AppID", ODM_FMT_CHR, ODM_STR("w7")},
                {"./DMAcc/main/ServerID", ODM_FMT_CHR, odm_cstr(a->server_id)},
                {"./DMAcc/main/AppAddr/1/Addr", ODM_FMT_CHR, odm_cstr(a->addr)},
                {"./DMAcc/main/AppAddr/1/AddrType", ODM_FMT_CHR, ODM_STR("URI")},
                {"./DMAcc/main/AAuthPref", ODM_FMT_CHR, odm_cstr(odm_auth_aauth(a->type))},
                {"./DMAcc/main/AppAuth/c/AAuthLevel", ODM_FMT_CHR, ODM_STR("CLCRED")},
                {"./DMAcc/main/AppAuth/c/AAuthType", ODM_FMT_CHR,
                 odm_cstr(odm_auth_aauth(a->type))},
                {"./DMAcc/main/AppAuth/c/AAuthName", ODM_FMT_CHR, odm_cstr(a->user)},
                {"./DMAcc/main/AppAuth/c/AAuthSecret", ODM_FMT_CHR, odm_cstr(a->password)},
                {"./DMAcc/main/AppAuth/c/AAuthData", ODM_FMT_BIN, odm_nonce_view(&a->nonce)},
                {"./DMAcc/main/AppAuth/s/AAuthLevel", ODM_FMT_CHR, ODM_STR("SRVCRED")},
                {"./DMAcc/main/AppAuth/s/AAuthType", ODM_FMT_CHR,
                 odm_cstr(odm_auth_aauth(a->server_type))},
                {"./DMAcc/main/AppAuth/s/AAuthName", ODM_FMT_CHR, odm_cstr(a->server_user)},
                {"./DMAcc/main/AppAuth/s/AAuthSecret", ODM_FMT_CHR, odm_cstr(a->server_password)},
                {"./DMAcc/main/AppAuth/s/AAuthData", ODM_FMT_BIN, odm_nonce_view(&a->server_nonce)},
        };
        int rc = 0;

        if (d->acl)
                rc = put(d, ".?prop=ACL", ODM_FMT_CHR, odm_cstr(d->acl));
        for (size_t i = 0; i < ODM_COUNT(list) && rc == 0; i++)
                rc = put(d, list[i].uri, list[i].format, list[i].data);
        return rc;
}

int device_open(device *d, const odm_mem *mem, const device_account *a, const char *acl)
{
        odm_tree_opt limits;

        odm_tree_opt_init(&limits, mem);
        return device_open_limited(d, mem, a, acl, &limits);
}

int device_open_limited(device *d, const odm_mem *mem, const device_account *a, const char *acl,
                        const odm_tree_opt *limits)
{
        *d = (device){.mem = mem, .account = *a, .acl = acl, .wall = 994869497};
        d->lab = (odm_provider){.name = "lab",
                                .mo = &odm_mo_lab,
                                .bind = lab_bind,
                                .n_bind = ODM_COUNT(lab_bind),
                                .ctx = d};
        odm_buf_init(&d->disk, mem, (size_t)256 << 20);
        d->opt = *limits;
        d->opt.log = log_record;
        d->opt.log_ctx = d;
        int rc = mount_all(d);
        if (rc == 0)
                rc = write_account(d);
        if (rc == 0)
                rc = odm_dmacc_learn(&d->dmacc, d->tree);
        device_sync(d);
        return rc;
}

void device_close(device *d)
{
        odm_tree_free(d->tree);
        odm_buf_done(&d->disk);
        free(d->ran);
}

int device_crash(device *d, size_t keep)
{
        odm_tree_free(d->tree);
        d->tree = NULL;
        if (keep < d->disk.n - d->durable)
                odm_buf_cut(&d->disk, d->durable + keep);
        int rc = mount_all(d);
        if (rc == 0)
                rc = load_disk(d);
        if (rc == 0)
                rc = odm_dmacc_learn(&d->dmacc, d->tree);
        return rc;
}

int device_state(device *d, odm_buf *out)
{
        return odm_tree_dump(d->tree, out);
}

bool device_read(device *d, const char *uri, char *buf, size_t n)
{
        odm_arena a;
        odm_value v;

        odm_arena_init(&a, d->mem, (size_t)64 << 20);
        int rc = odm_tree_read(d->tree, odm_cstr(uri), &a, &v);
        if (rc == 0)
                (void)snprintf(buf, n, "%.*s", (int)v.data.n, v.data.p ? v.data.p : "");
        odm_arena_done(&a);
        return rc == 0;
}
