/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of every kind.  Each has a number of its own that it leaves in the tree, so that
 * what is there tells who wrote it. */
#include "world.h"

/* ---- what a node may hold ------------------------------------------------------------ */

void model_given(model *m, uint64_t value, uint64_t given)
{
        if (m->n_maybe == MAYBE) { /* the oldest is the least likely to matter */
                memmove(m->maybe, m->maybe + 1, (MAYBE - 1) * sizeof m->maybe[0]);
                m->n_maybe--;
        }
        m->maybe[m->n_maybe].value = value;
        m->maybe[m->n_maybe++].given = given;
}

void model_sure(model *m, uint64_t value, uint64_t given)
{
        unsigned n = 0;

        m->sure = value;
        for (unsigned i = 0; i < m->n_maybe; i++)
                if (m->maybe[i].given > given)
                        m->maybe[n++] = m->maybe[i];
        m->n_maybe = n;
}

bool model_may(const model *m, uint64_t value)
{
        for (unsigned i = 0; i < m->n_maybe; i++)
                if (m->maybe[i].value == value)
                        return true;
        return m->sure == value;
}

/* ---- making commands -------------------------------------------------------------------- */

static odm_command *cmd(world *w, odm_cmd kind, odm_str target, odm_str text)
{
        odm_command *c = odm_new(&w->text, odm_command);
        odm_item *it = odm_new(&w->text, odm_item);

        assert_true(c && it);
        c->kind = kind;
        c->items = it;
        it->target = target;
        if (text.p)
                it->data = (odm_data){ODM_DATA_TEXT, text};
        return c;
}

static odm_str num(world *w, uint64_t n)
{
        return odm_arena_fmt(&w->text, "%llu", (unsigned long long)n);
}

static odm_str key_uri(world *w, unsigned key)
{
        return odm_arena_fmt(&w->text, "./Vendor/lab/Ext/k%u", key);
}

static odm_str own_uri(world *w, const sim_job *j)
{
        return odm_arena_fmt(&w->text, "./Vendor/lab/Ext/n%llu", (unsigned long long)j->id);
}

static odm_command *then(odm_command *a, odm_command *b)
{
        odm_command *last = a;

        while (last->next)
                last = last->next;
        last->next = b;
        return a;
}

static odm_command *inside(world *w, odm_cmd kind, odm_command *members)
{
        odm_command *c = odm_new(&w->text, odm_command);

        assert_non_null(c);
        c->kind = kind;
        c->body = members;
        return c;
}

static odm_command *both(world *w, odm_str value)
{
        return then(cmd(w, ODM_CMD_REPLACE, ODM_STR("./Vendor/lab/Ext/a"), value),
                    cmd(w, ODM_CMD_REPLACE, ODM_STR("./Vendor/lab/Ext/b"), value));
}

static odm_command *make_large(world *w, sim_job *j)
{
        odm_command *c = cmd(w, ODM_CMD_REPLACE, ODM_STR("./Vendor/lab/Blob"), ODM_ABSENT);
        char *p = odm_arena_get(&w->text, w->large);

        assert_non_null(p);
        assert_int_equal(w->server_rng.fill(w->server_rng.ctx, p, w->large), 0);
        j->octets = (odm_str){p, w->large};
        c->items->data = (odm_data){ODM_DATA_OPAQUE, j->octets};
        c->items->meta = (odm_meta){.present = true,
                                    .format = ODM_FMT_BIN,
                                    .type = ODM_STR("application/octet-stream")};
        return then(c, cmd(w, ODM_CMD_GET, ODM_STR("./Vendor/lab/Blob"), ODM_ABSENT));
}

static odm_command *make_tnds(world *w, const sim_job *j)
{
        odm_command *c = cmd(w, ODM_CMD_ADD, ODM_STR("./Vendor/lab/Ext"), ODM_ABSENT);

        c->items->data = (odm_data){
                ODM_DATA_XML,
                odm_arena_fmt(
                        &w->text,
                        "<MgmtTree "
                        "xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>t%llu"
                        "</NodeName><RTProperties><Format><node/></Format><Type><DDFName/></Type>"
                        "</RTProperties><Node><NodeName>x</NodeName><RTProperties><Format><chr/>"
                        "</Format><Type><MIME>text/plain</MIME></Type></RTProperties><Value>%llu"
                        "</Value></Node></Node></MgmtTree>",
                        (unsigned long long)j->id, (unsigned long long)j->id)};
        c->items->meta = (odm_meta){.present = true,
                                    .format = ODM_FMT_XML,
                                    .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
        return then(c, cmd(w, ODM_CMD_GET,
                           odm_arena_fmt(&w->text, "./Vendor/lab/Ext/t%llu?list=TNDS",
                                         (unsigned long long)j->id),
                           ODM_ABSENT));
}

static odm_command *make_user(world *w)
{
        odm_command *c = cmd(w, ODM_CMD_ALERT, ODM_ABSENT, ODM_STR("MINDT=1"));

        c->code = ODM_ALERT_CONFIRM;
        c->items->next = cmd(w, ODM_CMD_ALERT, ODM_ABSENT, ODM_STR("Go on?"))->items;
        return c;
}

static odm_command *make_commands(world *w, sim_job *j)
{
        odm_str me = num(w, j->id);
        odm_command *c;

        switch (j->kind) {
        case JOB_GET:
                return then(cmd(w, ODM_CMD_GET, ODM_STR("./Vendor/lab/Text"), ODM_ABSENT),
                            cmd(w, ODM_CMD_GET, ODM_STR("./Vendor/none"), ODM_ABSENT));
        case JOB_LIST:
                return then(cmd(w, ODM_CMD_GET, ODM_STR("./DevDetail?list=TNDS"), ODM_ABSENT),
                            cmd(w, ODM_CMD_GET, ODM_STR("./DevInfo?list=StructData"), ODM_ABSENT));
        case JOB_REPLACE: return cmd(w, ODM_CMD_REPLACE, key_uri(w, j->key), me);
        case JOB_ADD:
                return then(cmd(w, ODM_CMD_ADD, own_uri(w, j), me),
                            cmd(w, ODM_CMD_GET, own_uri(w, j), ODM_ABSENT));
        case JOB_COPY:
                c = cmd(w, ODM_CMD_COPY, own_uri(w, j), ODM_ABSENT);
                c->items->source = ODM_STR("./Vendor/lab/Text");
                return then(c, cmd(w, ODM_CMD_DELETE, own_uri(w, j), ODM_ABSENT));
        case JOB_SEQUENCE:
                return inside(w, ODM_CMD_SEQUENCE,
                              then(cmd(w, ODM_CMD_REPLACE, key_uri(w, j->key), me),
                                   cmd(w, ODM_CMD_GET, key_uri(w, j->key), ODM_ABSENT)));
        case JOB_ATOMIC: return inside(w, ODM_CMD_ATOMIC, both(w, me));
        case JOB_ATOMIC_FAILS:
                return inside(
                        w, ODM_CMD_ATOMIC,
                        then(both(w, me), cmd(w, ODM_CMD_REPLACE, ODM_STR("./Vendor/none"), me)));
        case JOB_EXEC: return cmd(w, ODM_CMD_EXEC, ODM_STR("./Vendor/lab/Run"), me);
        case JOB_LATER: return cmd(w, ODM_CMD_EXEC, ODM_STR("./Vendor/lab/Later"), me);
        case JOB_LARGE: return make_large(w, j);
        case JOB_TNDS: return make_tnds(w, j);
        case JOB_USER: return make_user(w);
        case JOB_KINDS: break;
        }
        fail();
        return NULL;
}

sim_job *sim_make(world *w, job_kind kind)
{
        sim_job *j = odm_new(&w->text, sim_job), **at = &w->jobs;

        assert_non_null(j);
        j->id = ++w->job_ids;
        j->kind = kind;
        j->key = (unsigned)roll(w, KEYS);
        j->job = (odm_job){.id = j->id, .alone = roll(w, 8) == 0, .split_atomic = w->split_atomic};
        j->commands = make_commands(w, j);
        j->job.commands = j->commands;
        assert_int_equal(w->text.err, 0);
        while (*at)
                at = &(*at)->next;
        *at = j;
        return j;
}

/* ---- the life of a job -------------------------------------------------------------------- */

static const unsigned wanted[JOB_KINDS][4] = {
        [JOB_GET] = {200, 404},
        [JOB_LIST] = {200, 200},
        [JOB_REPLACE] = {200},
        [JOB_ADD] = {200, 200},
        [JOB_COPY] = {200, 200},
        [JOB_SEQUENCE] = {200, 200, 200},
        [JOB_ATOMIC] = {200, 200, 200},
        [JOB_ATOMIC_FAILS] = {507, 216, 216, 404},
        [JOB_EXEC] = {200},
        [JOB_LATER] = {200},
        [JOB_LARGE] = {200, 200},
        [JOB_TNDS] = {200, 200},
        [JOB_USER] = {200},
};

static uint32_t all_of(job_kind kind)
{
        uint32_t bits = 0;

        for (unsigned i = 0; i < 4 && wanted[kind][i]; i++)
                bits |= 1u << i;
        return bits;
}

/* What is kept as done is not sent again: the second command is all that can be left. */
const odm_job *sim_lend(world *w, sim_job *j)
{
        (void)w;
        if (!j->taken && j->state == JOB_NEW) {
                j->taken = true;
                j->heard = j->told;
                j->base = j->told == 1;
                j->job.commands = j->base ? j->commands->next : j->commands;
        }
        return &j->job;
}

/* May it be done once more when nobody knows whether it was done? */
static bool repeatable(const sim_job *j)
{
        bool container =
                j->kind == JOB_SEQUENCE || j->kind == JOB_ATOMIC || j->kind == JOB_ATOMIC_FAILS;
        bool reading = j->kind != JOB_COPY && j->told == 1; /* what is left is a Get */

        if (j->told)
                return reading && !container && all_of(j->kind) == 3;
        return j->kind != JOB_ADD && j->kind != JOB_EXEC && j->kind != JOB_LATER &&
               j->kind != JOB_COPY && j->kind != JOB_TNDS;
}

static void put_back(world *w, sim_job *j)
{
        if (j->told == all_of(j->kind)) {
                j->state = JOB_DONE;
                w->n.jobs_done++;
        } else if (repeatable(j)) {
                j->state = JOB_NEW;
        } else {
                j->state = JOB_UNKNOWN;
                w->n.jobs_unknown++;
        }
}

void sim_put_back(world *w, uint64_t session)
{
        for (sim_job *j = w->jobs; j; j = j->next)
                if (j->state == JOB_GIVEN && j->holder == session)
                        put_back(w, j);
}

bool sim_left(const world *w)
{
        const sim_job *j = w->jobs;

        while (j && j->state != JOB_NEW && j->state != JOB_GIVEN)
                j = j->next;
        return j != NULL;
}

static odm_str value_of(world *w, const odm_item *it)
{
        odm_str v = it ? it->data.bytes : ODM_ABSENT;

        if (it && it->meta.format == ODM_FMT_B64 && odm_b64_decode(&w->text, v, &v) < 0)
                wrong(w, "a value that is no base64");
        return v;
}

/* When the Get of a job is sent alone, another one may have written meanwhile. */
static bool is_large(const world *w, const sim_job *j, odm_str v)
{
        if (j->base == 0)
                return odm_str_eq(v, j->octets);
        for (const sim_job *k = w->jobs; k; k = k->next)
                if (k->kind == JOB_LARGE && odm_str_eq(v, k->octets))
                        return true;
        return false;
}

static void check_value(world *w, sim_job *j, unsigned command, const odm_event *ev)
{
        odm_str v = value_of(w, ev->results);
        odm_str me = num(w, j->id);
        bool ok = true;

        if (j->kind == JOB_GET && command == 0)
                ok = odm_str_is(v, "hello");
        if (j->kind == JOB_LIST || (j->kind == JOB_TNDS && command == 1))
                ok = v.n > 0 || (ev->results && ev->results->next);
        if (j->kind == JOB_ADD && command == 1)
                ok = odm_str_eq(v, me);
        if (j->kind == JOB_SEQUENCE && command == 2)
                ok = odm_str_eq(v, me);
        if (j->kind == JOB_LARGE && command == 1)
                ok = is_large(w, j, v);
        if (!ok)
                wrong(w, "job %llu of kind %d, command %u: got '%.*s' (%zu octets)",
                      (unsigned long long)j->id, (int)j->kind, command, (int)(v.n < 40 ? v.n : 40),
                      v.p ? v.p : "", v.n);
}

void sim_result(world *w, sim_job *j, const odm_event *ev)
{
        unsigned command = ev->command + j->base;

        if (command >= 4 || (j->heard >> command & 1)) {
                wrong(w, "job %llu: command %u told twice", (unsigned long long)j->id, command);
                return;
        }
        j->heard |= 1u << command;
        if (!ev->sent && j->kind != JOB_LARGE)
                wrong(w, "job %llu: not sent: %.*s", (unsigned long long)j->id, (int)ev->why.n,
                      ev->why.p);
        host_note(w,
                  &(fact){.kind = FACT_RESULT, .job = j, .command = command, .status = ev->status});
        if (ev->status == 0)
                return; /* a message was lost and the device says no more */
        if (ev->status != wanted[j->kind][command])
                wrong(w, "job %llu of kind %d, command %u: status %u (%.*s)",
                      (unsigned long long)j->id, (int)j->kind, command, ev->status, (int)ev->why.n,
                      ev->why.p ? ev->why.p : "");
        else
                check_value(w, j, command, ev);
}

/* ---- what the store takes ----------------------------------------------------------------- */

static void keep_given(world *w, sim_job *j, uint64_t session)
{
        j->state = JOB_GIVEN;
        j->holder = session;
        j->given = ++w->clock;
        if (j->kind == JOB_REPLACE || j->kind == JOB_SEQUENCE)
                model_given(&w->keys[j->key], j->id, j->given);
        if (j->kind == JOB_ATOMIC)
                model_given(&w->pair, j->id, j->given);
}

static void keep_result(world *w, sim_job *j, const fact *f)
{
        j->told |= 1u << f->command;
        if (f->status != ODM_ST_OK)
                return;
        if ((j->kind == JOB_REPLACE && f->command == 0) ||
            (j->kind == JOB_SEQUENCE && f->command == 1))
                model_sure(&w->keys[j->key], j->id, j->given);
        if (j->kind == JOB_ATOMIC && f->command == 0)
                model_sure(&w->pair, j->id, j->given);
        if ((j->kind == JOB_EXEC || j->kind == JOB_LATER) &&
            (j->id >= w->dev.n_ran || w->dev.ran[j->id] != 1))
                wrong(w, "job %llu: acknowledged, and not run once", (unsigned long long)j->id);
}

void sim_keep(world *w, const fact *f, uint64_t session)
{
        switch (f->kind) {
        case FACT_GIVEN: keep_given(w, f->job, session); break;
        case FACT_RESULT: keep_result(w, f->job, f); break;
        case FACT_DONE:
                f->job->state = JOB_DONE;
                w->n.jobs_done++;
                break;
        case FACT_ALERT: w->alerts_told |= UINT64_C(1) << f->alert; break;
        }
}
