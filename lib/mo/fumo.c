/* SPDX-License-Identifier: Apache-2.0 */
/* FUMO 1.0: the states of mo-fumo.md 3, the orders of 4, the alert of 5, and what 8 says of power
 * cuts.  A state is a leaf of the tree, and it moves in the transaction that moves its task. */
#include "odm/fumo.h"

#include <string.h>

static const char *const steps[] = {
        [ODM_FUMO_DOWNLOAD] = "download",
        [ODM_FUMO_INSTALL] = "install",
        [ODM_FUMO_CHECK] = "check",
};

/* ---- numbers -------------------------------------------------------------------------------- */

unsigned odm_fumo_result(odm_task_cause cause, bool download)
{
        switch (cause) {
        case ODM_CAUSE_OK: return 200;
        case ODM_CAUSE_CANCELLED: return 401;
        case ODM_CAUSE_CORRUPT: return 402;
        case ODM_CAUSE_MISMATCH: return 403;
        case ODM_CAUSE_UNSIGNED: return 404;
        case ODM_CAUSE_NOT_ACCEPTED: return 405;
        case ODM_CAUSE_AUTH: return 406;
        case ODM_CAUSE_TIMEOUT: return 407;
        case ODM_CAUSE_UNSUPPORTED: return 408;
        case ODM_CAUSE_FAILED: return download ? 409 : 410;
        case ODM_CAUSE_BAD_URL: return 411;
        case ODM_CAUSE_UNAVAILABLE: return 412;
        case ODM_CAUSE_SERVER: return 500;
        case ODM_CAUSE_NO_ROOM: return download ? 501 : 502;
        case ODM_CAUSE_NETWORK: return 503;
        case ODM_CAUSE_BAD_CONFIG: return 400;
        case ODM_CAUSE_INTERRUPTED: return download ? 503 : 410;
        }
        return 409;
}

static int set_state(odm_tasks *ts, const odm_task *t, odm_fumo_state s)
{
        static const struct {
                odm_fumo_state state;
                const char *text;
        } texts[] = {
                {ODM_FUMO_IDLE, "10"},        {ODM_FUMO_DOWNLOAD_FAILED, "20"},
                {ODM_FUMO_DOWNLOADING, "30"}, {ODM_FUMO_DOWNLOADED, "40"},
                {ODM_FUMO_READY, "50"},       {ODM_FUMO_UPDATING, "60"},
                {ODM_FUMO_FAILED_DATA, "70"}, {ODM_FUMO_FAILED, "80"},
                {ODM_FUMO_DONE_DATA, "90"},   {ODM_FUMO_DONE, "100"},
        };

        for (size_t i = 0; i < ODM_COUNT(texts); i++)
                if (texts[i].state == s)
                        return odm_task_leaf_set(ts, t, "State", ODM_FMT_INT,
                                                 odm_cstr(texts[i].text));
        return ODM_EINVAL;
}

static int get_state(odm_tasks *ts, const odm_task *t, odm_arena *a, odm_fumo_state *out)
{
        uint64_t n = 0;
        odm_str text = ODM_ABSENT;
        int rc = odm_task_leaf(ts, t, "State", a, &text);

        if (rc == 0)
                *out = text.p && odm_str_u64(text, 100, &n) == 0 ? (odm_fumo_state)n
                                                                 : ODM_FUMO_IDLE;
        return rc;
}

/* ---- an order --------------------------------------------------------------------------- */

/* Copies a leaf of the object into the task. */
static int copy_arg(odm_tasks *ts, odm_task *t, odm_arena *a, const char *arg, const char *rel)
{
        odm_str v = ODM_ABSENT;
        int rc = odm_task_leaf(ts, t, rel, a, &v);

        return rc < 0 || v.n == 0 ? rc : odm_task_arg_set(t, arg, v);
}

static int copy_proof(odm_tasks *ts, odm_task *t, odm_arena *a)
{
        static const char *const leaves[][2] = {
                {"hash_alg", "Ext/xrem/HashAlg"},   {"hash", "Ext/xrem/Hash"},
                {"sig_alg", "Ext/xrem/SigAlg"},     {"key", "Ext/xrem/KeyID"},
                {"delta_url", "Ext/xrem/DeltaURL"}, {"delta_base", "Ext/xrem/DeltaBase"},
        };
        odm_str v = ODM_ABSENT;
        int rc = 0;

        for (size_t i = 0; i < ODM_COUNT(leaves) && rc == 0; i++)
                rc = copy_arg(ts, t, a, leaves[i][0], leaves[i][1]);
        if (rc == 0)
                rc = odm_task_leaf(ts, t, "Ext/xrem/Signature", a, &v);
        if (rc < 0 || v.n == 0)
                return rc;
        v = odm_b64_encode(a, v);
        return v.p ? odm_task_arg_set(t, "signature", v) : odm_arena_err(a);
}

static int empty_pushed(odm_tasks *ts, const odm_task *t, odm_arena *a)
{
        odm_str v = ODM_ABSENT;
        int rc = odm_task_leaf(ts, t, "Update/PkgData", a, &v);

        if (rc < 0 || v.n == 0)
                return rc;
        return odm_task_leaf_set(ts, t, "Update/PkgData", ODM_FMT_BIN, ODM_STR(""));
}

static int begin_download(odm_tasks *ts, odm_task *t, odm_arena *a, unsigned *status)
{
        const char *rel =
                odm_task_is(t, "Download") ? "Download/PkgURL" : "DownloadAndUpdate/PkgURL";
        int rc = copy_arg(ts, t, a, "url", rel);

        if (rc == 0 && odm_task_arg(t, "url").p == NULL) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        if (rc == 0)
                rc = copy_proof(ts, t, a);
        if (rc == 0)
                rc = empty_pushed(ts, t, a);
        if (rc == 0)
                rc = set_state(ts, t, ODM_FUMO_DOWNLOADING);
        odm_task_step(t, ODM_FUMO_DOWNLOAD, false);
        return rc;
}

static bool holds_package(odm_fumo_state s)
{
        return s == ODM_FUMO_DOWNLOADED || s == ODM_FUMO_READY || s == ODM_FUMO_FAILED_DATA ||
               s == ODM_FUMO_DONE_DATA;
}

static int begin_update(odm_tasks *ts, odm_task *t, odm_arena *a, unsigned *status)
{
        odm_fumo_state s = ODM_FUMO_IDLE;
        odm_str pushed = ODM_ABSENT;
        int rc = get_state(ts, t, a, &s);

        if (rc == 0 && !holds_package(s)) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        if (rc == 0)
                rc = copy_proof(ts, t, a);
        if (rc == 0)
                rc = odm_task_leaf(ts, t, "Update/PkgData", a, &pushed);
        if (rc == 0 && pushed.n)
                rc = odm_task_arg_set(t, "pushed", ODM_STR("1"));
        if (rc == 0)
                rc = set_state(ts, t, ODM_FUMO_UPDATING);
        odm_task_step(t, ODM_FUMO_INSTALL, true);
        return rc;
}

static int fumo_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        odm_arena a;
        int rc;

        (void)ctx;
        odm_arena_init(&a, odm_tasks_mem(ts), 65536);
        rc = odm_task_is(t, "Update") ? begin_update(ts, t, &a, status)
                                      : begin_download(ts, t, &a, status);
        odm_arena_done(&a);
        if (rc == ODM_EINVAL ||
            rc == ODM_ELIMIT) { /* an address with a line break, or without end */
                *status = ODM_ST_NOT_ALLOWED;
                rc = 0;
        }
        return rc;
}

/* ---- how it goes on --------------------------------------------------------------------- */

/* The code of the alert says little; people read this. */
static int give_reason(odm_tasks *ts, const odm_task *t, const odm_task_end *e)
{
        odm_str text = t->note.n ? t->note : odm_cstr(odm_task_cause_text(e->cause));

        return odm_task_leaf_set(ts, t, "Ext/xrem/Reason", ODM_FMT_CHR,
                                 e->cause == ODM_CAUSE_OK ? ODM_STR("") : text);
}

static int tell_saved(odm_tasks *ts, const odm_task *t, int64_t saved)
{
        odm_arena a;
        odm_str text;
        int rc;

        odm_arena_init(&a, odm_tasks_mem(ts), 4096);
        text = odm_arena_number(&a, saved > 0 ? (uint64_t)saved : 0);
        rc = text.p ? odm_task_leaf_set(ts, t, "Ext/xrem/Saved", ODM_FMT_CHR, text)
                    : odm_arena_err(&a);
        odm_arena_done(&a);
        return rc;
}

static int download_ended(odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        int rc = tell_saved(ts, t, e->saved);

        if (rc < 0)
                return rc;
        if (e->cause != ODM_CAUSE_OK) {
                odm_task_finish(t, odm_fumo_result(e->cause, true));
                return set_state(ts, t, ODM_FUMO_DOWNLOAD_FAILED);
        }
        if (odm_task_is(t, "Download")) {
                odm_task_finish(t, 200);
                return set_state(ts, t, ODM_FUMO_READY);
        }
        odm_task_step(t, ODM_FUMO_INSTALL, true);
        return set_state(ts, t, ODM_FUMO_UPDATING);
}

static int let_go(odm_tasks *ts, const odm_task *t)
{
        odm_arena a;
        int rc;

        odm_arena_init(&a, odm_tasks_mem(ts), 4096);
        rc = empty_pushed(ts, t, &a);
        odm_arena_done(&a);
        return rc;
}

static int install_ended(odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        bool ok = e->cause == ODM_CAUSE_OK;
        int rc;

        odm_task_finish(t, odm_fumo_result(e->cause, false));
        if (e->has_data)
                return set_state(ts, t, ok ? ODM_FUMO_DONE_DATA : ODM_FUMO_FAILED_DATA);
        rc = let_go(ts, t);
        return rc < 0 ? rc : set_state(ts, t, ok ? ODM_FUMO_DONE : ODM_FUMO_FAILED);
}

/* The installer never ran: from 50 once more, but not for ever (mo-fumo.md 8). */
static int install_again(odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        odm_str n = odm_task_arg(t, "cut");
        uint64_t cuts = 0;
        char text[] = "1";
        int rc;

        if (n.p && odm_str_u64(n, 9, &cuts) < 0)
                cuts = ODM_FUMO_TRIES;
        if (++cuts >= ODM_FUMO_TRIES)
                return install_ended(ts, t, e);
        text[0] = (char)('0' + cuts);
        rc = odm_task_arg_set(t, "cut", odm_cstr(text));
        odm_task_step(t, ODM_FUMO_INSTALL, true);
        return rc;
}

static int fumo_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        int rc = give_reason(ts, t, e);

        (void)ctx;
        if (rc < 0)
                return rc;
        switch ((odm_fumo_step)t->step) {
        case ODM_FUMO_DOWNLOAD: return download_ended(ts, t, e);
        case ODM_FUMO_INSTALL: return install_ended(ts, t, e);
        case ODM_FUMO_CHECK:
                return e->cause == ODM_CAUSE_INTERRUPTED ? install_again(ts, t, e)
                                                         : install_ended(ts, t, e);
        }
        return ODM_EINVAL;
}

static int fumo_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        (void)ctx;
        (void)ts;
        if (t->step == ODM_FUMO_INSTALL && t->tries)
                odm_task_step(t, ODM_FUMO_CHECK, true);
        return 0;
}

static int fumo_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        static const char *const types[][2] = {
                {"Download", "org.openmobilealliance.dm.firmwareupdate.download"},
                {"Update", "org.openmobilealliance.dm.firmwareupdate.update"},
                {"DownloadAndUpdate", "org.openmobilealliance.dm.firmwareupdate.downloadandupdate"},
        };
        odm_str type = ODM_ABSENT;

        (void)ctx;
        if (i > 0)
                return 0;
        for (size_t k = 0; k < ODM_COUNT(types); k++)
                if (odm_task_is(t, types[k][0]))
                        type = odm_cstr(types[k][1]);
        return odm_task_alert(t, type, t->object, "critical", a, out);
}

const odm_task_kind odm_fumo_kind = {
        .name = "fumo",
        .steps = steps,
        .n_steps = ODM_COUNT(steps),
        .begin = fumo_begin,
        .ended = fumo_ended,
        .resume = fumo_resume,
        .report = fumo_report,
};

/* ---- the provider ----------------------------------------------------------------------- */

/* "./FUMO/main" of an address at or below it; absent for ./FUMO itself. */
static odm_str object_of(odm_str uri)
{
        const size_t from = sizeof ODM_FUMO_AT; /* with the slash */
        const char *slash;

        if (uri.n <= from)
                return ODM_ABSENT;
        slash = memchr(uri.p + from, '/', uri.n - from);
        return odm_str_to(uri, slash ? (size_t)(slash - uri.p) : uri.n);
}

static int fumo_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const odm_fumo *f = ctx;

        return odm_tasks_exec(f->tasks, &odm_fumo_kind, object_of(at->uri), at, op, status);
}

/* A package came within the session: the object holds it, and nothing that was downloaded before.
 * Emptied again, it holds nothing. */
static int pushed(const odm_fumo *f, odm_tree *t, odm_str object, odm_str data)
{
        odm_value v = {ODM_FMT_ABSENT}, state = {.format = ODM_FMT_INT};
        odm_arena a;
        int rc;

        odm_arena_init(&a, odm_tasks_mem(f->tasks), 65536);
        rc = odm_tree_read(t, data, &a, &v);
        if (rc == 0) {
                odm_str uri = odm_arena_join(&a, object, ODM_STR("/State"));
                state.data = v.data.n ? ODM_STR("50") : ODM_STR("10");
                rc = uri.p ? odm_tree_write(t, uri, &state, (odm_wall){0}) : odm_arena_err(&a);
        }
        odm_arena_done(&a);
        return rc;
}

static bool ends_with(odm_str s, const char *tail)
{
        size_t n = strlen(tail);

        return s.n > n && memcmp(s.p + s.n - n, tail, n) == 0;
}

static int fumo_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        const odm_fumo *f = ctx;

        for (const odm_change *c = list; c; c = c->next) {
                odm_str object = object_of(c->uri);
                bool is_data = ends_with(c->uri, "/Update/PkgData") && c->kind != ODM_CHANGE_PROP;
                if (!object.p || odm_tasks_moving(f->tasks) || c->kind == ODM_CHANGE_PROP)
                        continue;
                if (odm_tasks_busy(f->tasks, object) &&
                    (is_data || (c->kind == ODM_CHANGE_DELETE && c->uri.n == object.n))) {
                        *status = ODM_ST_NOT_ALLOWED;
                        return 0;
                }
                if (is_data && c->kind != ODM_CHANGE_DELETE) {
                        int rc = pushed(f, t, object, c->uri);
                        if (rc < 0)
                                return rc;
                }
        }
        return 0;
}

static int fumo_commit(void *ctx, odm_tree *t, const odm_change *list)
{
        const odm_fumo *f = ctx;

        (void)t;
        for (const odm_change *c = list; c; c = c->next)
                if (c->kind == ODM_CHANGE_DELETE && f->drop &&
                    odm_str_eq(object_of(c->uri), c->uri))
                        f->drop(f->ctx, c->uri);
        return 0;
}

static const odm_binding bindings[] = {
        {.path = "*/Download", .exec = fumo_exec},
        {.path = "*/Update", .exec = fumo_exec},
        {.path = "*/DownloadAndUpdate", .exec = fumo_exec},
};

int odm_fumo_mount(odm_fumo *f, odm_tasks *tasks, const odm_mo *mo)
{
        int rc;

        f->tasks = tasks;
        f->provider = (odm_provider){.name = "fumo",
                                     .mo = mo,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = f,
                                     .validate = fumo_validate,
                                     .commit = fumo_commit};
        rc = odm_tree_mount(odm_tasks_tree(tasks), NULL, &f->provider);
        return rc < 0 ? rc : odm_tasks_know(tasks, &odm_fumo_kind, f);
}

int odm_fumo_add(odm_fumo *f, const char *name, odm_wall now)
{
        static const struct {
                const char *rel, *data;
                odm_format format;
        } leaves[] = {
                {"State", "10", ODM_FMT_INT},
                {"PkgName", "", ODM_FMT_CHR},
                {"PkgVersion", "", ODM_FMT_CHR},
                {"Download/PkgURL", "", ODM_FMT_CHR},
                {"Update/PkgData", "", ODM_FMT_BIN},
                {"DownloadAndUpdate/PkgURL", "", ODM_FMT_CHR},
                {"Ext/xrem/Reason", "", ODM_FMT_CHR},
                {"Ext/xrem/HashAlg", "", ODM_FMT_CHR},
                {"Ext/xrem/Hash", "", ODM_FMT_CHR},
                {"Ext/xrem/SigAlg", "", ODM_FMT_CHR},
                {"Ext/xrem/Signature", "", ODM_FMT_BIN},
                {"Ext/xrem/KeyID", "", ODM_FMT_CHR},
                {"Ext/xrem/DeltaURL", "", ODM_FMT_CHR},
                {"Ext/xrem/DeltaBase", "", ODM_FMT_CHR},
                {"Ext/xrem/Saved", "0", ODM_FMT_CHR},
                {"Ext/xrem/ImageHash", "", ODM_FMT_CHR},
        };
        odm_tree *tree = odm_tasks_tree(f->tasks);
        char block[2048];
        odm_arena a;
        int rc = 0;

        if (!odm_name_ok(odm_cstr(name)))
                return ODM_EINVAL;
        odm_arena_init_on(&a, odm_tasks_mem(f->tasks), 16384, block, sizeof block);
        for (size_t i = 0; i < ODM_COUNT(leaves) && rc == 0; i++) {
                const odm_value v = {.format = leaves[i].format, .data = odm_cstr(leaves[i].data)};
                odm_str uri = odm_arena_fmt(&a, ODM_FUMO_AT "/%s/%s", name, leaves[i].rel);
                if (!uri.p)
                        rc = odm_arena_err(&a);
                else if (!odm_tree_exists(tree, uri))
                        rc = odm_tree_write(tree, uri, &v, now);
        }
        odm_arena_done(&a);
        return rc;
}

/* ---- what the device finds by itself ---------------------------------------------------------- */

static int set_leaf(odm_tree *t, odm_arena *a, const char *name, const char *rel, odm_format format,
                    odm_str text, odm_wall now)
{
        const odm_value v = {.format = format, .data = text};
        odm_str uri = odm_arena_fmt(a, ODM_FUMO_AT "/%s/%s", name, rel);

        return uri.p ? odm_tree_write(t, uri, &v, now) : odm_arena_err(a);
}

int odm_fumo_lost(odm_fumo *f, const char *name, odm_str reason, odm_wall now)
{
        odm_tree *t = odm_tasks_tree(f->tasks);
        odm_arena a;
        odm_str object;
        int rc;

        odm_arena_init(&a, odm_tasks_mem(f->tasks), 4096);
        object = odm_arena_fmt(&a, ODM_FUMO_AT "/%s", name);
        rc = object.p ? 0 : odm_arena_err(&a);
        if (rc == 0 && odm_tasks_busy(f->tasks, object)) /* its end will tell */
                goto out;
        if (rc == 0)
                rc = set_leaf(t, &a, name, "State", ODM_FMT_INT, ODM_STR("80"), now);
        if (rc == 0)
                rc = set_leaf(t, &a, name, "Ext/xrem/Reason", ODM_FMT_CHR, reason, now);
out:
        odm_arena_done(&a);
        return rc;
}

int odm_fumo_image(odm_fumo *f, const char *name, odm_str hash, odm_wall now)
{
        odm_tree *t = odm_tasks_tree(f->tasks);
        odm_value v = {ODM_FMT_ABSENT};
        odm_arena a;
        odm_str uri;
        int rc;

        odm_arena_init(&a, odm_tasks_mem(f->tasks), 4096);
        uri = odm_arena_fmt(&a, ODM_FUMO_AT "/%s/Ext/xrem/ImageHash", name);
        rc = uri.p ? 0 : odm_arena_err(&a);
        if (rc == 0 && (odm_tree_read(t, uri, &a, &v) < 0 || !odm_str_eq(v.data, hash))) {
                rc = set_leaf(t, &a, name, "Ext/xrem/ImageHash", ODM_FMT_CHR, hash, now);
                if (rc == 0)
                        rc = 1;
        }
        odm_arena_done(&a);
        return rc;
}
