/* SPDX-License-Identifier: Apache-2.0 */
/* A store for a test. */
#include <unistd.h>

#include "store_lab.h"

void lab_open(lab *f)
{
        char diag[STORE_DIAG];
        int rc = store_open(&f->opt, &f->st, diag);

        if (rc < 0)
                fail_msg("open %s: %s (%s)", f->where, odm_err_name(rc), diag);
}

static lab *lab_new(const char *engine, bool wrapped)
{
        lab *f = calloc(1, sizeof *f);

        f->engine = engine;
        f->wrapped = wrapped;
        snprintf(f->dir, sizeof f->dir, "%s", "/tmp/store_test.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->where, sizeof f->where, "%s", "mem:");
        if (strcmp(engine, "sqlite") == 0)
                snprintf(f->where, sizeof f->where, "sqlite:%s/db", f->dir);
        store_opt_init(&f->opt);
        f->opt.where = f->where;
        f->opt.fault = wrapped ? &f->fault : NULL;
        odm_arena_init(&f->a, &heap, (size_t)64 << 20);
        lab_open(f);
        return f;
}

static void lab_free(lab *f)
{
        static const char *const names[] = {"db", "db-wal", "db-shm", "db-lock"};
        char path[160];

        store_close(f->st);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
                unlink(path);
        }
        rmdir(f->dir);
        odm_arena_done(&f->a);
        free(f);
}

int lab_mem(void **state)
{
        *state = lab_new("mem", false);
        return 0;
}

int lab_sqlite(void **state)
{
        *state = lab_new("sqlite", false);
        return 0;
}

int lab_fail(void **state)
{
        *state = lab_new("sqlite", true);
        return 0;
}

int lab_end(void **state)
{
        lab_free(*state);
        return 0;
}

int lab_write(lab *f, store_batch *b)
{
        int rc = store_write_sync(f->st, b);

        store_batch_free(b);
        return rc;
}

void lab_add_device(store_batch *b, const char *name, const char *devid, const char *model)
{
        store_op *op = store_batch_add(b, STORE_DEVICE_CREATE);

        op->device = (store_device){
                .name = S(name), .devid = S(devid), .model = S(model), .created = 1000};
}

int64_t lab_device(lab *f, const char *name)
{
        store_batch *b = store_batch_new();
        char devid[80];
        int64_t id;

        snprintf(devid, sizeof devid, "IMEI:%s", name);
        lab_add_device(b, name, devid, "M1");
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = b->ops[0]->id;
        assert_true(id > 0);
        store_batch_free(b);
        return id;
}

store_op *lab_add_job(store_batch *b, int64_t device, int priority)
{
        store_op *op = store_batch_add(b, STORE_JOB_CREATE);

        op->job = (store_job){.device = device,
                              .kind = S("get"),
                              .commands = S("[{}]"),
                              .priority = priority,
                              .max_attempts = 3,
                              .created = 2000};
        return op;
}

int64_t lab_job(lab *f, int64_t device, int priority)
{
        store_batch *b = store_batch_new();
        int64_t id;

        lab_add_job(b, device, priority);
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = b->ops[0]->id;
        store_batch_free(b);
        return id;
}

store_op *lab_add_move(store_batch *b, int64_t device, int64_t job, uint32_t from,
                       store_job_state to)
{
        store_op *op = store_batch_add(b, STORE_JOB_MOVE);

        op->job_move.device = device;
        op->job_move.job = job;
        op->job_move.from = from;
        op->job_move.to = to;
        op->job_move.at = 3000;
        return op;
}

int lab_move(lab *f, int64_t device, int64_t job, uint32_t from, store_job_state to)
{
        store_batch *b = store_batch_new();

        lab_add_move(b, device, job, from, to);
        return lab_write(f, b);
}

int lab_account(lab *f, int64_t device, const char *user)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_ACCOUNT_PUT);

        op->account = (store_account){.device = device,
                                      .user = S(user),
                                      .secret = S("qCuuTa3laq2VWRZa+k/r6g=="),
                                      .auth = 2,
                                      .nonce = S("never taken from here")};
        return lab_write(f, b);
}

int lab_tree(lab *f, int64_t device, int64_t at, const store_tree_change *v, size_t n)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_TREE_UPDATE);

        op->tree.device = device;
        op->tree.at = at;
        op->tree.v = v;
        op->tree.n = n;
        return lab_write(f, b);
}

void lab_expect_tree(lab *f, int64_t device, const char *prefix, const char *want)
{
        char got[1024] = "";
        size_t n = 0;
        store_tree t;
        int rc = store_tree_get(f->st, device, S(prefix), &f->a, &t);

        if (rc == 0)
                for (size_t i = 0; i < t.n; i++)
                        n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s=%.*s", i ? " " : "",
                                              (int)t.v[i].path.n, t.v[i].path.p,
                                              (int)t.v[i].value.n,
                                              t.v[i].value.p ? t.v[i].value.p : "");
        assert_string_equal(rc < 0 ? odm_err_name(rc) : got, want);
}

store_session lab_session_of(int64_t device, int64_t id, const char *sid)
{
        return (store_session){.device = device,
                               .id = id,
                               .sid = S(sid),
                               .dm_id = S("A1"),
                               .codec = S("wbxml"),
                               .tls = true,
                               .started = 10};
}

int64_t lab_session(lab *f, int64_t device, const char *sid)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        int64_t id;

        op->session.s = lab_session_of(device, 0, sid);
        assert_int_equal(store_write_sync(f->st, b), 0);
        id = op->id;
        store_batch_free(b);
        return id;
}

int lab_message(lab *f, int64_t device, int64_t session, odm_str bytes)
{
        store_batch *b = store_batch_new();
        store_op *op = store_batch_add(b, STORE_SESSION_PUT);
        const store_message m = {.at = 11, .out = true, .mime = S("m"), .bytes = bytes};

        op->session.s = lab_session_of(device, session, "tok");
        op->session.v = &m;
        op->session.n = 1;
        return lab_write(f, b);
}
