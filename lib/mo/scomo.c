/* SPDX-License-Identifier: Apache-2.0 */
/* SCOMO: orders, how they go on, and what they are told with.  The states are drawn in scomo.h;
 * their numbers are those of mo-scomo.md 3. */
#include "odm/scomo.h"

#include <assert.h>
#include <string.h>

#include "scomo_node.h"

enum { /* of Download/x, Delivered/y, Deployed/z: the same number is not the same state */
       IDLE = 10,
       DL_FAILED = 20,
       DL_RUNS = 30,
       DL_DONE = 40,
       DL_INSTALLS = 50,
       DL_FAILED_DATA = 60,
       DL_FAILED_NO_DATA = 70,
       DP_INSTALLS = 40,
       DP_FAILED_DATA = 50,
       DP_FAILED_NO_DATA = 60,
       DC_REMOVE_FAILED = 20,
       DC_REMOVES = 30,
       DC_ACTIVATE_FAILED = 40,
       DC_ACTIVATES = 50,
       DC_DEACTIVATE_FAILED = 60,
       DC_DEACTIVATES = 70,
};
enum { DELIVERED = 10, INSTALLED = 20, INACTIVE = 10, ACTIVE = 20 };

static const char *const steps[] = {
        [ODM_SCOMO_DOWNLOAD] = "download",     [ODM_SCOMO_INSTALL] = "install",
        [ODM_SCOMO_CHECK] = "check",           [ODM_SCOMO_ACTIVATE] = "activate",
        [ODM_SCOMO_DEACTIVATE] = "deactivate", [ODM_SCOMO_REMOVE] = "remove",
};

/* What failed, when nothing better is known of it. */
static unsigned failed(odm_scomo_step step)
{
        switch (step) {
        case ODM_SCOMO_DOWNLOAD: return 1402;
        case ODM_SCOMO_INSTALL:
        case ODM_SCOMO_CHECK: return 1405;
        case ODM_SCOMO_ACTIVATE: return 1409;
        case ODM_SCOMO_DEACTIVATE: return 1410;
        case ODM_SCOMO_REMOVE: return 1408;
        }
        return 1412;
}

unsigned odm_scomo_result(odm_task_cause c, odm_scomo_step step)
{
        const bool download = step == ODM_SCOMO_DOWNLOAD;
        const bool install = step == ODM_SCOMO_INSTALL || step == ODM_SCOMO_CHECK;

        switch (c) {
        case ODM_CAUSE_OK: return 1200;
        case ODM_CAUSE_CANCELLED: return 1401;
        case ODM_CAUSE_UNSIGNED: return 1407;
        case ODM_CAUSE_MISMATCH: return 1413;
        case ODM_CAUSE_AUTH: return 1403;
        case ODM_CAUSE_UNSUPPORTED: return 1411;
        case ODM_CAUSE_UNAVAILABLE: return 1501;
        case ODM_CAUSE_SERVER: return 1500;
        case ODM_CAUSE_BAD_CONFIG: return 1400;
        case ODM_CAUSE_NO_ROOM: return download ? 1404 : install ? 1406 : failed(step);
        case ODM_CAUSE_CORRUPT:
        case ODM_CAUSE_NOT_ACCEPTED:
        case ODM_CAUSE_TIMEOUT:
        case ODM_CAUSE_FAILED:
        case ODM_CAUSE_BAD_URL:
        case ODM_CAUSE_NETWORK:
        case ODM_CAUSE_INTERRUPTED: return failed(step);
        }
        return 1412;
}

/* ---- orders for packages ------------------------------------------------------------------ */

static bool is_install(const odm_task *t)
{
        return !odm_task_is(t, "Operations/Download") && !odm_task_is(t, "Operations/Remove");
}

static bool is_inactive(const odm_task *t)
{
        return odm_task_is(t, "Operations/DownloadInstallInactive") ||
               odm_task_is(t, "Operations/InstallInactive");
}

/* Line breaks in what only people read become blanks: arguments are lines. */
static odm_str one_line(odm_arena *a, odm_str s)
{
        char *out = odm_arena_get(a, s.n);

        for (size_t i = 0; out && i < s.n; i++)
                out[i] = s.p[i] == '\n' || s.p[i] == 0 ? ' ' : s.p[i];
        return (odm_str){out, out ? s.n : 0};
}

/* Copies a leaf into the task. */
static int copy_arg(scomo_pen *p, odm_task *t, const char *arg, const char *rel, bool prose)
{
        odm_str v = ODM_STR("");
        int rc = odm_scomo_get(p, t->object, rel, &v);

        if (rc < 0 || v.n == 0)
                return rc;
        if (prose)
                v = one_line(&p->a, v);
        return v.p ? odm_task_arg_set(t, arg, v) : odm_arena_err(&p->a);
}

static const struct {
        const char *arg, *rel;
        bool prose;
} package_leaves[] = {
        {"pkg", "PkgID", false},
        {"name", "Name", true},
        {"description", "Description", true},
        {"env", "EnvType", false},
        {"type", "PkgType", false},
        {"params", "InstallParams", true},
        {"hash_alg", "Ext/xrem/HashAlg", false},
        {"hash", "Ext/xrem/Hash", false},
        {"sig_alg", "Ext/xrem/SigAlg", false},
        {"key", "Ext/xrem/KeyID", false},
};

static int copy_package(scomo_pen *p, odm_task *t)
{
        odm_str sig = ODM_STR("");
        int rc = 0;

        for (size_t i = 0; i < ODM_COUNT(package_leaves) && rc == 0; i++)
                rc = copy_arg(p, t, package_leaves[i].arg, package_leaves[i].rel,
                              package_leaves[i].prose);
        if (rc == 0)
                rc = odm_scomo_get(p, t->object, "Ext/xrem/Signature", &sig);
        if (rc < 0 || sig.n == 0)
                return rc;
        sig = odm_b64_encode(&p->a, sig);
        return sig.p ? odm_task_arg_set(t, "signature", sig) : odm_arena_err(&p->a);
}

/* A name for a file that no package and no task has. */
static int choose_hold(odm_scomo *s, scomo_pen *p, odm_task *t)
{
        for (unsigned i = 1; i <= 9999; i++) {
                odm_str hold = odm_arena_fmt(&p->a, "p%u", i);
                int rc = hold.p ? odm_scomo_holds(s, hold) : odm_arena_err(&p->a);
                if (rc < 0)
                        return rc;
                if (rc == 0)
                        return odm_task_arg_set(t, "hold", hold);
        }
        return ODM_ELIMIT;
}

static int give_reason(scomo_pen *p, const odm_task *t, const odm_task_end *e)
{
        odm_str text = t->note.n ? t->note : odm_cstr(odm_task_cause_text(e->cause));

        if (!odm_tree_exists(p->tree, t->object))
                return 0; /* a component whose end it was */
        return odm_scomo_set(p, t->object, "Ext/xrem/Reason", ODM_FMT_CHR,
                             e->cause == ODM_CAUSE_OK ? ODM_STR("") : text);
}

static odm_task_cause judge(const odm_scomo *s, const odm_task *t)
{
        odm_str env = odm_task_arg(t, "env"), type = odm_task_arg(t, "type");

        if (!is_install(t) || !s->fits)
                return ODM_CAUSE_OK;
        return s->fits(s->ctx, env.p ? env : ODM_STR(""), type.p ? type : ODM_STR(""));
}

/* Known before anything is fetched: told with the Status of the Exec. */
static int refuse(scomo_pen *p, odm_task *t, odm_task_cause cause)
{
        const odm_task_end e = {.cause = cause};

        odm_task_finish(t, cause == ODM_CAUSE_NOT_ACCEPTED
                                   ? 1413
                                   : odm_scomo_result(cause, ODM_SCOMO_INSTALL));
        return give_reason(p, t, &e);
}

static int begin_download(odm_scomo *s, scomo_pen *p, odm_task *t, unsigned *status)
{
        int rc = copy_package(p, t);

        if (rc == 0)
                rc = copy_arg(p, t, "url", "PkgURL", false);
        if (rc == 0 && (!odm_task_arg(t, "url").p || !odm_task_arg(t, "pkg").p)) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        if (rc == 0 && judge(s, t) != ODM_CAUSE_OK)
                return refuse(p, t, judge(s, t));
        if (rc == 0)
                rc = choose_hold(s, p, t);
        if (rc == 0 && is_install(t))
                rc = odm_task_arg_set(t, "active", is_inactive(t) ? ODM_STR("0") : ODM_STR("1"));
        if (rc == 0)
                rc = odm_scomo_set_number(p, t->object, "Status", DL_RUNS);
        odm_task_step(t, ODM_SCOMO_DOWNLOAD, false);
        return rc;
}

static int begin_install(odm_scomo *s, scomo_pen *p, odm_task *t, unsigned *status)
{
        odm_str held = ODM_STR(""), state = ODM_STR("");
        bool pushed = false;
        int rc = copy_package(p, t);

        if (rc == 0)
                rc = odm_scomo_get(p, t->object, "Ext/xrem/Held", &held);
        if (rc == 0)
                rc = odm_scomo_get(p, t->object, "State", &state);
        if (rc == 0)
                rc = odm_scomo_has(p, t->object, "Data", &pushed);
        if (rc == 0 &&
            (!odm_task_arg(t, "pkg").p || (!pushed && held.n == 0) || odm_str_is(state, "20"))) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        if (rc == 0 && judge(s, t) != ODM_CAUSE_OK)
                return refuse(p, t, judge(s, t));
        if (rc == 0 && pushed)
                rc = odm_task_arg_set(t, "pushed", ODM_STR("1"));
        if (rc == 0)
                rc = pushed ? choose_hold(s, p, t) : odm_task_arg_set(t, "hold", held);
        if (rc == 0)
                rc = odm_task_arg_set(t, "active", is_inactive(t) ? ODM_STR("0") : ODM_STR("1"));
        if (rc == 0)
                rc = odm_scomo_set_number(p, t->object, "Status", DP_INSTALLS);
        odm_task_step(t, ODM_SCOMO_INSTALL, false);
        return rc;
}

/* ---- orders for components ---------------------------------------------------------------- */

static int component_ended(scomo_pen *p, odm_task *t, const odm_task_end *e);

static int start_component(odm_scomo *s, scomo_pen *p, odm_task *t, odm_scomo_step step,
                           unsigned status)
{
        odm_task_end e = {.cause = ODM_CAUSE_FAILED};
        int rc = copy_arg(p, t, "id", "ID", false);

        if (rc == 0)
                rc = copy_arg(p, t, "pkg", "PkgIDRef", false);
        if (rc == 0)
                rc = copy_arg(p, t, "installer", "Ext/xrem/Installer", false);
        if (rc < 0)
                return rc;
        odm_task_step(t, step, false);
        if (s->at_once && s->at_once(s->ctx, t, step, &e) == 1)
                return component_ended(p, t, &e);
        return odm_scomo_set_number(p, t->object, "Status", status);
}

static int begin_component(odm_scomo *s, scomo_pen *p, odm_task *t)
{
        const bool on = odm_task_is(t, "Operations/Activate");
        odm_str state = ODM_STR("");
        int rc;

        if (odm_task_is(t, "Operations/Remove"))
                return start_component(s, p, t, ODM_SCOMO_REMOVE, DC_REMOVES);
        rc = odm_scomo_get(p, t->object, "State", &state);
        if (rc < 0)
                return rc;
        if (odm_str_is(state, on ? "20" : "10")) { /* it is so already */
                odm_task_finish(t, 1200);
                return odm_scomo_set_number(p, t->object, "Status", IDLE);
        }
        return start_component(s, p, t, on ? ODM_SCOMO_ACTIVATE : ODM_SCOMO_DEACTIVATE,
                               on ? DC_ACTIVATES : DC_DEACTIVATES);
}

static int begin(odm_scomo *s, scomo_pen *p, odm_task *t, unsigned *status)
{
        enum scomo_branch b;

        (void)odm_scomo_object(t->object, &b);
        switch (b) {
        case SCOMO_DOWNLOAD: return begin_download(s, p, t, status);
        case SCOMO_DELIVERED:
                if (!odm_task_is(t, "Operations/Remove"))
                        return begin_install(s, p, t, status);
                odm_task_finish(t, 1200);
                return odm_scomo_delete(p, t->object);
        case SCOMO_DEPLOYED: return begin_component(s, p, t);
        case SCOMO_NONE: break;
        }
        return ODM_EINVAL;
}

static int scomo_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        odm_scomo *s = ctx;
        scomo_pen p;
        int rc;

        (void)ts;
        odm_scomo_pen_init(&p, s, t->since);
        rc = begin(s, &p, t, status);
        odm_scomo_pen_done(&p);
        if (rc == ODM_EINVAL ||
            rc == ODM_ELIMIT) { /* an address with a line break, or without end */
                *status = ODM_ST_NOT_ALLOWED;
                rc = 0;
        }
        return rc;
}

/* ---- how downloads go on -------------------------------------------------------------------- */

/* The package is on the device now: a node says so, that one which said so before if there is. */
static int deliver(odm_scomo *s, scomo_pen *p, odm_task *t, unsigned status, unsigned state)
{
        odm_str pkg = odm_task_arg(t, "pkg"), object = ODM_ABSENT, sig = ODM_STR("");
        const char *slash =
                memchr(t->object.p + sizeof ODM_SCOMO_AT, '/', t->object.n - sizeof ODM_SCOMO_AT);
        odm_str name = odm_str_from(t->object, (size_t)(slash - t->object.p) + 1);
        int rc = odm_scomo_find(p, SCOMO_DELIVERED, "PkgID", pkg, ODM_ABSENT, &object);

        if (rc == 0 && object.p && odm_tasks_busy(s->tasks, object))
                object = ODM_ABSENT; /* it is being installed: what came later stands beside it */
        if (rc == 0 && !object.p)
                rc = odm_scomo_free_object(p, SCOMO_DELIVERED, name, &object);
        for (size_t i = 0; i < ODM_COUNT(package_leaves) && rc == 0; i++) {
                odm_str v = odm_task_arg(t, package_leaves[i].arg);
                if (v.p)
                        rc = odm_scomo_set(p, object, package_leaves[i].rel, ODM_FMT_CHR, v);
        }
        if (rc == 0 && odm_task_arg(t, "signature").p)
                rc = odm_b64_decode(&p->a, odm_task_arg(t, "signature"), &sig);
        if (rc == 0 && sig.n)
                rc = odm_scomo_set(p, object, "Ext/xrem/Signature", ODM_FMT_BIN, sig);
        if (rc == 0)
                rc = odm_scomo_set(p, object, "Ext/xrem/Held", ODM_FMT_CHR,
                                   odm_task_arg(t, "hold"));
        if (rc == 0)
                rc = odm_scomo_fill(p, object, SCOMO_DELIVERED);
        if (rc == 0)
                rc = odm_scomo_set_number(p, object, "Status", status);
        if (rc == 0)
                rc = odm_scomo_set_number(p, object, "State", state);
        return rc < 0 ? rc : odm_task_target_set(t, object);
}

static int download_ended(odm_scomo *s, scomo_pen *p, odm_task *t, const odm_task_end *e)
{
        int rc;

        if (e->cause != ODM_CAUSE_OK) {
                odm_task_finish(t, odm_scomo_result(e->cause, ODM_SCOMO_DOWNLOAD));
                return odm_scomo_set_number(p, t->object, "Status", DL_FAILED);
        }
        if (is_install(t)) {
                odm_task_step(t, ODM_SCOMO_INSTALL, false);
                return odm_scomo_set_number(p, t->object, "Status", DL_INSTALLS);
        }
        rc = deliver(s, p, t, IDLE, DELIVERED);
        odm_task_finish(t, 1200);
        return rc < 0 ? rc : odm_scomo_set_number(p, t->object, "Status", DL_DONE);
}

/* ---- how installations go on ---------------------------------------------------------------- */

/* A package none of whose components is left is delivered, and no more than that. */
static int unrefer(scomo_pen *p, odm_str pkg)
{
        odm_str other = ODM_ABSENT, object = ODM_ABSENT;
        int rc = 0;

        if (pkg.n == 0)
                return 0;
        rc = odm_scomo_find(p, SCOMO_DEPLOYED, "PkgIDRef", pkg, ODM_ABSENT, &other);
        if (rc == 0 && !other.p)
                rc = odm_scomo_find(p, SCOMO_DELIVERED, "PkgID", pkg, ODM_ABSENT, &object);
        return rc < 0 || !object.p ? rc : odm_scomo_set_number(p, object, "State", DELIVERED);
}

/* The node of one component that was installed; `line` gets its address and its ID. */
static int take_component(scomo_pen *p, const odm_task *t, const odm_component *c, odm_str *line)
{
        odm_str object = ODM_ABSENT, before = ODM_STR("");
        odm_component one = *c;
        int rc = odm_scomo_find(p, SCOMO_DEPLOYED, "ID", c->id, ODM_ABSENT, &object);

        if (rc == 0 && object.p)
                rc = odm_scomo_get(p, object, "PkgIDRef", &before);
        if (rc == 0 && !object.p)
                rc = odm_scomo_free_object(p, SCOMO_DEPLOYED, c->id, &object);
        one.package = odm_task_arg(t, "pkg");
        if (rc == 0)
                rc = odm_scomo_write(p, object, &one);
        if (rc == 0)
                rc = odm_scomo_set_number(p, object, "Status", IDLE);
        if (rc == 0)
                rc = odm_scomo_set(p, object, "Ext/xrem/Reason", ODM_FMT_CHR, ODM_STR(""));
        if (rc == 0 && !odm_str_eq(before, one.package))
                rc = unrefer(p, before);
        if (rc < 0)
                return rc;
        *line = odm_arena_fmt(&p->a, "%.*s%.*s %.*s\t", (int)line->n, line->p, (int)object.n,
                              object.p, (int)c->id.n, c->id.p);
        return line->p ? 0 : odm_arena_err(&p->a);
}

/* What is told of each in the end must not depend on what becomes of it until then. */
static int take_components(odm_scomo *s, scomo_pen *p, odm_task *t)
{
        odm_str line = ODM_STR("");
        odm_component c;
        int rc = 0;

        for (size_t i = 0; i < ODM_SCOMO_MADE && rc == 0; i++) {
                c = (odm_component){.id = ODM_ABSENT};
                if (!s->made || s->made(s->ctx, t->id, i, &c) != 1)
                        break;
                rc = take_component(p, t, &c, &line);
        }
        return rc < 0 || line.n == 0 ? rc : odm_task_arg_set(t, "made", line);
}

/* Of a package that was fetched for this. */
static int fetched_ended(odm_scomo *s, scomo_pen *p, odm_task *t, const odm_task_end *e)
{
        const bool ok = e->cause == ODM_CAUSE_OK, keep = s->keep && e->has_data;
        int rc = 0;

        if (keep)
                rc = deliver(s, p, t, ok ? IDLE : DP_FAILED_DATA, ok ? INSTALLED : DELIVERED);
        if (rc < 0)
                return rc;
        return odm_scomo_set_number(p, t->object, "Status",
                                    ok     ? (keep ? DL_DONE : IDLE)
                                    : keep ? DL_FAILED_DATA
                                           : DL_FAILED_NO_DATA);
}

/* Of one that was there before: the node stays, so that it can be read how it ended. */
static int delivered_ended(scomo_pen *p, const odm_task *t, const odm_task_end *e)
{
        const bool ok = e->cause == ODM_CAUSE_OK;
        bool pushed = false;
        int rc = odm_scomo_set_number(p, t->object, "Status",
                                      ok            ? IDLE
                                      : e->has_data ? DP_FAILED_DATA
                                                    : DP_FAILED_NO_DATA);

        if (rc == 0)
                rc = odm_scomo_set_number(p, t->object, "State", ok ? INSTALLED : DELIVERED);
        if (rc == 0)
                rc = odm_scomo_set(p, t->object, "Ext/xrem/Held", ODM_FMT_CHR,
                                   e->has_data ? odm_task_arg(t, "hold") : ODM_STR(""));
        if (rc == 0)
                rc = odm_scomo_has(p, t->object, "Data", &pushed);
        return rc < 0 || !pushed ? rc
                                 : odm_scomo_set(p, t->object, "Data", ODM_FMT_BIN, ODM_STR(""));
}

static int install_ended(odm_scomo *s, scomo_pen *p, odm_task *t, const odm_task_end *e)
{
        enum scomo_branch b;
        int rc = 0;

        (void)odm_scomo_object(t->object, &b);
        odm_task_finish(t, odm_scomo_result(e->cause, ODM_SCOMO_INSTALL));
        if (e->cause == ODM_CAUSE_OK)
                rc = take_components(s, p, t);
        if (rc < 0)
                return rc;
        return b == SCOMO_DOWNLOAD ? fetched_ended(s, p, t, e) : delivered_ended(p, t, e);
}

/* ---- how changes of components go on -------------------------------------------------------- */

static int component_ended(scomo_pen *p, odm_task *t, const odm_task_end *e)
{
        const odm_scomo_step step = (odm_scomo_step)t->step;
        const bool ok = e->cause == ODM_CAUSE_OK, on = step == ODM_SCOMO_ACTIVATE;
        int rc;

        odm_task_finish(t, odm_scomo_result(e->cause, step));
        if (step == ODM_SCOMO_REMOVE) {
                if (!ok)
                        return odm_scomo_set_number(p, t->object, "Status", DC_REMOVE_FAILED);
                rc = odm_scomo_delete(p, t->object);
                return rc < 0 ? rc : unrefer(p, odm_task_arg(t, "pkg"));
        }
        if (!ok)
                return odm_scomo_set_number(p, t->object, "Status",
                                            on ? DC_ACTIVATE_FAILED : DC_DEACTIVATE_FAILED);
        rc = odm_scomo_set_number(p, t->object, "Status", IDLE);
        return rc < 0 ? rc : odm_scomo_set_number(p, t->object, "State", on ? ACTIVE : INACTIVE);
}

static int ended(odm_scomo *s, scomo_pen *p, odm_task *t, const odm_task_end *e)
{
        switch ((odm_scomo_step)t->step) {
        case ODM_SCOMO_DOWNLOAD: return download_ended(s, p, t, e);
        case ODM_SCOMO_INSTALL:
        case ODM_SCOMO_CHECK: return install_ended(s, p, t, e);
        case ODM_SCOMO_ACTIVATE:
        case ODM_SCOMO_DEACTIVATE:
        case ODM_SCOMO_REMOVE: return component_ended(p, t, e);
        }
        return ODM_EINVAL;
}

/* The part that does the work may not be there any more: then nothing of it is, but its tasks. */
static int end_alone(odm_task *t, const odm_task_end *e)
{
        odm_task_finish(t, odm_scomo_result(e->cause, (odm_scomo_step)t->step));
        return 0;
}

static int scomo_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        odm_scomo *s = ctx;
        scomo_pen p;
        int rc;

        (void)ts;
        if (!s)
                return end_alone(t, e);
        odm_scomo_pen_init(&p, s, t->since);
        rc = ended(s, &p, t, e);
        if (rc == 0)
                rc = give_reason(&p, t, e);
        odm_scomo_pen_done(&p);
        return rc;
}

static int scomo_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        const odm_task_end cut = {.cause = ODM_CAUSE_INTERRUPTED};

        if (t->step != ODM_SCOMO_DOWNLOAD && t->tries >= ODM_SCOMO_TRIES)
                return scomo_ended(ctx, ts, t, &cut);
        if (t->step == ODM_SCOMO_INSTALL && t->tries)
                odm_task_step(t, ODM_SCOMO_CHECK, false);
        return 0;
}

/* ---- reports ------------------------------------------------------------------------------ */

/* Number `i` of the components that were made; 0 past the end. */
static int made_at(odm_str made, size_t i, odm_str *object, odm_str *id)
{
        for (odm_str rest = made; rest.n;) {
                const char *end = memchr(rest.p, '\t', rest.n);
                odm_str one = odm_str_to(rest, end ? (size_t)(end - rest.p) : rest.n);
                const char *blank = memchr(one.p, ' ', one.n);
                if (i-- == 0 && blank) {
                        *object = odm_str_to(one, (size_t)(blank - one.p));
                        *id = odm_str_from(one, object->n + 1);
                        return 1;
                }
                rest = odm_str_from(rest, one.n + (end != NULL));
        }
        return 0;
}

/* It looks like mark-up, so it is to be read as such. */
static odm_str escaped(odm_arena *a, odm_str s)
{
        char *out = odm_arena_get(a, s.n * 5 + 1);
        size_t n = 0;

        if (!out)
                return ODM_ABSENT;
        for (size_t i = 0; i < s.n; i++) {
                const char *with = s.p[i] == '&'   ? "&amp;"
                                   : s.p[i] == '<' ? "&lt;"
                                   : s.p[i] == '>' ? "&gt;"
                                                   : NULL;
                if (with) {
                        memcpy(out + n, with, strlen(with));
                        n += strlen(with);
                } else {
                        out[n++] = s.p[i];
                }
        }
        return (odm_str){out, n};
}

static int scomo_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        odm_str made = odm_task_arg(t, "made"), who = odm_task_arg(t, "id");

        (void)ctx;
        if (!who.p)
                who = odm_task_arg(t, "pkg");
        out->target = t->target.p ? t->target : t->object;
        if (made.n ? made_at(made, i, &out->target, &who) == 0 : i > 0)
                return 0;
        out->type = ODM_STR("urn:oma:at:scomo:1.0:OperationComplete");
        out->source = t->exec;
        out->format = ODM_FMT_XML;
        out->mark = t->result < 1300 ? ODM_STR("informational") : ODM_STR("critical");
        who = escaped(a, who);
        if (who.p)
                out->data =
                        odm_arena_fmt(a, "<ResultCode>%u</ResultCode><Identifier>%.*s</Identifier>",
                                      t->result, (int)who.n, who.p);
        return out->data.p ? 1 : odm_arena_err(a);
}

const odm_task_kind odm_scomo_kind = {
        .name = "scomo",
        .steps = steps,
        .n_steps = ODM_COUNT(steps),
        .begin = scomo_begin,
        .ended = scomo_ended,
        .resume = scomo_resume,
        .report = scomo_report,
};

/* ---- the provider ------------------------------------------------------------------------- */

static int scomo_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        const odm_scomo *s = ctx;
        enum scomo_branch b;

        return odm_tasks_exec(s->tasks, &odm_scomo_kind, odm_scomo_object(at->uri, &b), at, op,
                              status);
}

static bool is_leaf(odm_str uri, odm_str object, const char *name)
{
        return uri.n > object.n && odm_str_is(odm_str_from(uri, object.n + 1), name);
}

/* What may not change under a task: the node itself, what it is called, what it holds. */
static bool touches_work(odm_str object, const odm_change *c)
{
        return (c->kind == ODM_CHANGE_DELETE && c->uri.n <= object.n) ||
               is_leaf(c->uri, object, "PkgID") || is_leaf(c->uri, object, "Data");
}

/* The same package under two names would be two truths about it (mo-scomo.md 4). */
static int check_id(scomo_pen *p, enum scomo_branch b, odm_str object, unsigned *status)
{
        odm_str id = ODM_STR(""), other = ODM_ABSENT;
        int rc = odm_scomo_get(p, object, "PkgID", &id);

        if (rc == 0 && id.n)
                rc = odm_scomo_find(p, b, "PkgID", id, object, &other);
        if (rc == 0 && other.p)
                *status = ODM_ST_FAILED;
        return rc;
}

/* A package came within the session: nothing that was held before counts. */
static int take_data(scomo_pen *p, odm_str object)
{
        bool has = false;
        int rc = odm_scomo_has(p, object, "Data", &has);

        if (rc < 0 || !has)
                return rc;
        rc = odm_scomo_set_number(p, object, "Status", IDLE);
        if (rc == 0)
                rc = odm_scomo_set_number(p, object, "State", DELIVERED);
        if (rc == 0)
                rc = odm_scomo_has(p, object, "Ext/xrem/Held", &has);
        return rc < 0 || !has ? rc
                              : odm_scomo_set(p, object, "Ext/xrem/Held", ODM_FMT_CHR, ODM_STR(""));
}

/* A new node begins as all do, whatever the server put into it. */
static int begin_plain(scomo_pen *p, odm_str object, const odm_change *c)
{
        if (c->kind != ODM_CHANGE_ADD)
                return 0;
        if (is_leaf(c->uri, object, "Status"))
                return odm_scomo_set_number(p, object, "Status", IDLE);
        if (is_leaf(c->uri, object, "State"))
                return odm_scomo_set_number(p, object, "State", DELIVERED);
        return is_leaf(c->uri, object, "Ext/xrem/Held")
                       ? odm_scomo_set(p, object, "Ext/xrem/Held", ODM_FMT_CHR, ODM_STR(""))
                       : 0;
}

static int validate_one(odm_scomo *s, scomo_pen *p, const odm_change *c, unsigned *status)
{
        enum scomo_branch b;
        odm_str object = odm_scomo_object(c->uri, &b);
        int rc = 0;

        if (c->kind == ODM_CHANGE_PROP || b == SCOMO_NONE || b == SCOMO_DEPLOYED)
                return 0;
        if (odm_tasks_busy(s->tasks, object) && touches_work(object, c)) {
                *status = ODM_ST_NOT_ALLOWED;
                return 0;
        }
        if (c->kind == ODM_CHANGE_DELETE || !odm_tree_exists(p->tree, object))
                return 0;
        rc = begin_plain(p, object, c);
        if (rc == 0)
                rc = odm_scomo_fill(p, object, b);
        if (rc == 0 && is_leaf(c->uri, object, "PkgID"))
                rc = check_id(p, b, object, status);
        if (rc == 0 && is_leaf(c->uri, object, "Data"))
                rc = take_data(p, object);
        return rc;
}

static int scomo_validate(void *ctx, odm_tree *tree, const odm_change *list, unsigned *status)
{
        odm_scomo *s = ctx;
        scomo_pen p;
        int rc = 0;

        (void)tree;
        if (s->own || odm_tasks_moving(s->tasks))
                return 0;
        odm_scomo_pen_init(&p, s, (odm_wall){0}); /* the transaction has its time */
        for (const odm_change *c = list; c && rc == 0 && *status == ODM_ST_OK; c = c->next)
                rc = validate_one(s, &p, c, status);
        odm_scomo_pen_done(&p);
        return rc;
}

static int scomo_commit(void *ctx, odm_tree *tree, const odm_change *list)
{
        const odm_scomo *s = ctx;
        bool any = false;

        (void)tree;
        for (const odm_change *c = list; c; c = c->next) {
                enum scomo_branch b;
                (void)odm_scomo_object(c->uri, &b);
                any |= c->kind != ODM_CHANGE_PROP && (b == SCOMO_DOWNLOAD || b == SCOMO_DELIVERED);
        }
        if (any && s->changed)
                s->changed(s->ctx);
        return 0;
}

static const odm_binding bindings[] = {
        {.path = "Download/*/Operations/Download", .exec = scomo_exec},
        {.path = "Download/*/Operations/DownloadInstall", .exec = scomo_exec},
        {.path = "Download/*/Operations/DownloadInstallInactive", .exec = scomo_exec},
        {.path = "Inventory/Delivered/*/Operations/Install", .exec = scomo_exec},
        {.path = "Inventory/Delivered/*/Operations/InstallInactive", .exec = scomo_exec},
        {.path = "Inventory/Delivered/*/Operations/Remove", .exec = scomo_exec},
        {.path = "Inventory/Deployed/*/Operations/Activate", .exec = scomo_exec},
        {.path = "Inventory/Deployed/*/Operations/Deactivate", .exec = scomo_exec},
        {.path = "Inventory/Deployed/*/Operations/Remove", .exec = scomo_exec},
};

int odm_scomo_mount(odm_scomo *s, odm_tasks *tasks, const odm_mo *mo)
{
        int rc;

        s->tasks = tasks;
        s->own = false;
        s->provider = (odm_provider){.name = "scomo",
                                     .mo = mo,
                                     .bind = bindings,
                                     .n_bind = ODM_COUNT(bindings),
                                     .ctx = s,
                                     .validate = scomo_validate,
                                     .commit = scomo_commit};
        rc = odm_tree_mount(odm_tasks_tree(tasks), NULL, &s->provider);
        return rc < 0 ? rc : odm_tasks_know(tasks, &odm_scomo_kind, s);
}
