/* SPDX-License-Identifier: Apache-2.0 */
#include "tell.h"

#include "support.h"

#define S(z) odm_cstr(z)

static const field fields[] = {
        STORE_FIELD_OF(tell_row, device, I64), STORE_FIELD_OF(tell_row, n, I64),
        STORE_FIELD_OF(tell_row, name, STR),   STORE_FIELD_OF(tell_row, state, U32),
        STORE_FIELD_OF(tell_row, count, U64),  STORE_FIELD_OF(tell_row, text, STR)};
static const record record_row = STORE_RECORD_OF(tell_row, fields);
static const store_index indexes[] = {
        {.name = "name", .fields = {TELL_NAME}, .n = 1, .unique = true},
        {.name = "state", .fields = {TELL_STATE}, .n = 1}};
const store_table tell_table = {.name = "tell",
                                .rec = &record_row,
                                .n_key = 2,
                                .numbered = true,
                                .index = indexes,
                                .n_index = ODM_COUNT(indexes)};
const store_table *const tell_tables[1] = {&tell_table};

typedef struct teller {
        store *st;
        odm_arena a;
        odm_buf out;
        int rc;
} teller;

__attribute__((format(printf, 2, 3))) static void say(teller *t, const char *format, ...)
{
        char line[512];
        va_list ap;

        va_start(ap, format);
        int n = vsnprintf(line, sizeof line, format, ap);
        va_end(ap);
        if (n >= (int)sizeof line)
                n = (int)sizeof line - 1;
        if (t->rc == 0)
                t->rc = odm_buf_put(&t->out, line, (size_t)n);
}

/* Long ones by their length and a digest. */
static void say_str(teller *t, const char *name, odm_str s)
{
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < s.n; i++)
                h = (h ^ (uint8_t)s.p[i]) * 16777619u;
        if (s.n < 40)
                say(t, " %s=%.*s", name, (int)s.n, s.p ? s.p : "");
        else
                say(t, " %s=%zu/%x", name, s.n, h);
}

static bool told(teller *t, int rc)
{
        if (rc < 0 && rc != ODM_ENOENT && t->rc == 0)
                t->rc = rc;
        return rc == 0;
}

static void say_account(teller *t, int64_t device)
{
        store_account x;

        if (!told(t, store_account_get(t->st, device, &t->a, &x)))
                return;
        say(t, "account %u %u %lld", x.auth, x.failures, (long long)x.locked_until);
        say_str(t, "user", x.user);
        say_str(t, "nonce", x.nonce);
        say_str(t, "previous", x.previous);
        say_str(t, "server", x.server_nonce);
        say(t, "\n");
}

static void say_job(teller *t, const store_job *j)
{
        store_result_list r = {.n = 0};
        store_note_list n = {.n = 0};

        say(t, "job %lld %s %u %lld %lld", (long long)j->id, store_job_state_name(j->state),
            j->attempts, (long long)j->session, (long long)j->updated);
        say_str(t, "commands", j->commands);
        say_str(t, "key", j->key);
        say(t, "\n");
        if (told(t, store_job_results(t->st, j->device, j->id, &t->a, &r)))
                for (size_t i = 0; i < r.n; i++) {
                        say(t, "result %u %u", r.v[i].index, r.v[i].status);
                        say_str(t, "text", r.v[i].text);
                        say_str(t, "data", r.v[i].n_items ? r.v[i].items[0].data : S("none"));
                        say(t, "\n");
                }
        if (told(t, store_job_notes(t->st, j->device, j->id, &t->a, &n)))
                for (size_t i = 0; i < n.n; i++)
                        say(t, "note %lld\n", (long long)n.v[i].at);
}

static void say_session(teller *t, const store_session *s)
{
        store_message_list m = {.n = 0};
        store_session again;
        odm_str saved = ODM_ABSENT;

        say(t, "session %lld %d %u", (long long)s->id, s->authenticated, s->messages);
        say_str(t, "outcome", s->outcome);
        if (told(t, store_session_saved(t->st, s->sid, &t->a, &again, &saved)))
                say_str(t, "saved", saved);
        say(t, "\n");
        if (told(t, store_session_messages(t->st, s->device, s->id, &t->a, &m)))
                for (size_t i = 0; i < m.n; i++) {
                        say(t, "message %u %d", m.v[i].n, m.v[i].out);
                        say_str(t, "bytes", m.v[i].bytes);
                        say(t, "\n");
                }
}

static void say_tree(teller *t, int64_t device)
{
        store_tree tree;

        if (!told(t, store_tree_get(t->st, device, S("."), &t->a, &tree)))
                return;
        for (size_t i = 0; i < tree.n; i++) {
                say_str(t, "node", tree.v[i].path);
                say_str(t, "value", tree.v[i].value);
                say(t, " %lld\n", (long long)tree.v[i].at);
        }
}

static void say_device(teller *t, const store_device *d)
{
        store_job_filter f = {.device = d->id};
        store_job_list jobs = {.n = 0};
        store_session_list sessions = {.n = 0};
        store_device same;

        say(t, "device %lld rev %lld wake %lld", (long long)d->id, (long long)d->rev,
            (long long)d->wake_at);
        say_str(t, "name", d->name);
        say_str(t, "fwv", d->fwv);
        if (told(t, store_device_by_devid(t->st, d->devid, &t->a, &same)))
                say(t, " found %lld", (long long)same.id);
        say(t, "\n");
        say_account(t, d->id);
        if (told(t, store_job_find(t->st, &f, &t->a, &jobs)))
                for (size_t i = 0; i < jobs.n; i++)
                        say_job(t, &jobs.v[i]);
        if (told(t, store_session_find(t->st, d->id, 0, 0, &t->a, &sessions)))
                for (size_t i = 0; i < sessions.n; i++)
                        say_session(t, &sessions.v[i]);
        say_tree(t, d->id);
}

static void say_counts(teller *t)
{
        store_counts c;

        if (!told(t, store_count(t->st, &c)))
                return;
        say(t, "%llu sessions\n", (unsigned long long)c.sessions);
        for (int i = 0; i < STORE_DEVICE_STATES; i++)
                say(t, "%llu devices of state %d\n", (unsigned long long)c.devices[i], i);
        for (int i = 0; i < STORE_JOB_STATES; i++)
                say(t, "%llu jobs of state %d\n", (unsigned long long)c.jobs[i], i);
}

static void say_logs(teller *t)
{
        static const char *const keys[] = {"k", "never", "first", "last"};
        store_event_list e = {.n = 0};
        store_audit_list a = {.n = 0};
        store_token_list tokens = {.n = 0};
        odm_str v;

        if (told(t, store_event_find(t->st, 0, 0, 1000, &t->a, &e)))
                for (size_t i = 0; i < e.n; i++)
                        say(t, "event %lld of %lld\n", (long long)e.v[i].seq,
                            (long long)e.v[i].device);
        if (told(t, store_audit_find(t->st, 0, 0, 1000, &t->a, &a)))
                for (size_t i = 0; i < a.n; i++)
                        say(t, "audit %lld of %lld\n", (long long)a.v[i].seq,
                            (long long)a.v[i].device);
        if (told(t, store_token_find(t->st, &t->a, &tokens)))
                for (size_t i = 0; i < tokens.n; i++)
                        say(t, "token %.*s\n", (int)tokens.v[i].name.n, tokens.v[i].name.p);
        for (size_t i = 0; i < ODM_COUNT(keys); i++)
                if (told(t, store_setting_get(t->st, S(keys[i]), &t->a, &v))) {
                        say_str(t, keys[i], v);
                        say(t, "\n");
                }
}

/* In each order, so that rows and indexes are seen to agree. */
static void say_rows(teller *t)
{
        for (unsigned order = 0; order <= TELL_BY_STATE; order++) {
                const store_scan s = {.table = &tell_table, .index = (uint8_t)order, .limit = 1000};
                store_rows rows = {.n = 0};
                int rc = store_row_find(t->st, &s, &t->a, &rows);

                if (rc == ODM_EINVAL) /* it has no tables */
                        return;
                if (!told(t, rc))
                        continue;
                for (const tell_row *r = rows.v; rows.n; rows.n--, r++) {
                        say(t, "row %u %lld %lld %u %llu", order, (long long)r->device,
                            (long long)r->n, r->state, (unsigned long long)r->count);
                        say_str(t, "name", r->name);
                        say_str(t, "text", r->text);
                        say(t, "\n");
                }
        }
}

int tell_all(store *st, char **out)
{
        teller t = {.st = st};
        store_device_list l = {.n = 0};

        odm_arena_init(&t.a, &heap, (size_t)64 << 20);
        odm_buf_init(&t.out, &heap, 1 << 20);
        if (told(&t, store_device_find(st, &(store_device_filter){.limit = 1000}, &t.a, &l)))
                for (size_t i = 0; i < l.n; i++)
                        say_device(&t, &l.v[i]);
        say_logs(&t);
        say_rows(&t);
        say_counts(&t);
        if (t.rc == 0)
                t.rc = odm_buf_byte(&t.out, 0);
        if (t.rc == 0) {
                char *all = strdup(t.out.p);
                if (all)
                        *out = all;
                else
                        t.rc = ODM_ENOMEM;
        }
        odm_buf_done(&t.out);
        odm_arena_done(&t.a);
        return t.rc;
}
