/* SPDX-License-Identifier: Apache-2.0 */
/* Software (lwm2m.md 5, 5.1; mo-scomo.md): packages and components as instances of /9.
 *
 *     PICK -> CREATE? -> PROBE -> PROTOCOLS -> FETCH? -> OFFER or PUSH -> LOADING     Download
 *          -> INSTALL -> WORKING                                    DownloadInstallInactive
 *          -> SWITCH (Activate) -> SWITCHED                                DownloadInstall
 *     Install begins at INSTALL; Activate, Deactivate and Remove are SWITCH alone. */
#include <string.h>

#include "job.h"

#define RESOURCE(j, r) ODM_LW_PATH3(9, (j)->instance, (r))
#define INSTANCE(j) ODM_LW_PATH2(9, (j)->instance)

enum { PACKAGE = 2, URI = 3, INSTALL = 4, UNINSTALL = 6, ACTIVATE = 10, DEACTIVATE = 11 };
enum { INITIAL = 0, DELIVERED = 3, INSTALLED = 4 };

static bool is_download(enum task t)
{
        return t <= TASK_SCOMO_BOTH_INACTIVE;
}

static bool installs(enum task t)
{
        return t == TASK_SCOMO_BOTH || t == TASK_SCOMO_BOTH_INACTIVE || t == TASK_SCOMO_INSTALL ||
               t == TASK_SCOMO_INSTALL_INACTIVE;
}

static bool activates(enum task t)
{
        return t == TASK_SCOMO_BOTH || t == TASK_SCOMO_INSTALL;
}

/* Status of Download/<x> after a failure: 20 of the download, 60 and 70 of the installation. */
static int fail(odm_job *j, unsigned code)
{
        if (!is_download(j->task))
                return odm_job_end(j, code, NULL);
        if (j->phase < PHASE_INSTALL)
                return odm_job_end(j, code, "20");
        return odm_job_end(j, code, j->state == DELIVERED ? "60" : "70");
}

static int done(odm_job *j)
{
        return odm_job_end(j, 1200, j->task == TASK_SCOMO_DOWNLOAD ? "40" : NULL);
}

/* The code of a step that the device refused, or was silent to. */
static int refused(odm_job *j, unsigned code)
{
        unsigned coap = j->answer->code;

        return fail(j, coap == 0                          ? 1412
                       : coap == ODM_COAP_NOT_IMPLEMENTED ? 1411
                       : coap == ODM_COAP_TOO_LARGE       ? 1404
                                                          : code);
}

/* ---- an instance for the package ---------------------------------------------------------------- */

/* The name below which the instance of a package is remembered. */
static odm_str key_of(odm_job *j)
{
        return odm_arena_join(&j->text, ODM_STR("=9/"), j->name);
}

static int use(odm_job *j, uint16_t instance)
{
        odm_str key = key_of(j), number = odm_arena_number(&j->text, instance);

        j->instance = instance;
        if (key.p == NULL || number.p == NULL)
                return odm_arena_err(&j->text);
        int rc = odm_bridge_keep(j->b, key, number);
        if (rc < 0 && rc != ODM_ELIMIT) /* forgotten, it is found again by its state */
                return rc;
        return odm_job_read(j, PHASE_PROBE, INSTANCE(j));
}

/* Whether another package is using it. */
static bool is_taken(const odm_job *j, uint16_t instance)
{
        for (size_t i = 0; i < ODM_COUNT(j->b->job); i++) {
                const odm_job *o = j->b->job[i];
                if (o && o != j && o->task > TASK_FUMO_BOTH && o->instance == instance)
                        return true;
        }
        return false;
}

/* The first instance that holds nothing; NO_INSTANCE. */
static uint16_t idle_one(const odm_job *j, const odm_lw_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                odm_lw_path p = l->v[i].path;
                int64_t state;
                if (p.depth == 3 && p.id[0] == 9 && p.id[2] == 7 && odm_bridge_int(l, p, &state) &&
                    state == INITIAL && !is_taken(j, p.id[1]))
                        return p.id[1];
        }
        return NO_INSTANCE;
}

static int create(odm_job *j)
{
        odm_lw_node node = {.path = {2, {9, 0}}};
        odm_lw_list l = {&node, 1};
        odm_lw_request rq;
        uint16_t id = 0;

        while (odm_bridge_has(j->b, ODM_LW_PATH2(9, id)))
                id++;
        node.path.id[1] = j->instance = id;
        odm_arena_reset(&j->work);
        int rc = odm_bridge_write_of(j->b, ODM_LW_PATH1(9), &l, ODM_LW_TLV, &j->work, &rq);
        if (rc < 0)
                return rc;
        rc = odm_job_execute(j, PHASE_CREATE, ODM_LW_PATH1(9), ODM_ABSENT);
        rq.verb = ODM_LW_CREATE;
        j->rq = rq;
        return rc;
}

static int on_pick(odm_job *j)
{
        odm_lw_list l;

        if (!odm_job_ok(j))
                return j->answer->code == ODM_COAP_NOT_FOUND ? create(j) : refused(j, 1400);
        odm_arena_reset(&j->work);
        int rc = odm_bridge_answer_of(j->b, ODM_LW_PATH1(9), j->answer, &j->work, &l);
        if (rc == ODM_ENOMEM)
                return rc;
        uint16_t id = rc < 0 ? NO_INSTANCE : idle_one(j, &l);
        return id == NO_INSTANCE ? create(j) : use(j, id);
}

static int on_created(odm_job *j)
{
        odm_str where = j->answer->location, root = {j->b->root, j->b->root_n};
        odm_lw_path p = INSTANCE(j), told;

        if (!odm_job_ok(j))
                return refused(j, 1400);
        if (root.n && where.n > root.n && memcmp(where.p, root.p, root.n) == 0)
                where = odm_str_from(where, root.n);
        if (where.p && odm_lw_path_parse(where, &told) == 0 && told.depth == 2 && told.id[0] == 9)
                p = told;
        int rc = odm_bridge_add_offer(j->b, p);
        return rc < 0 ? rc : use(j, p.id[1]);
}

/* ---- the way ----------------------------------------------------------------------------------------- */

static int judge_switched(odm_job *j)
{
        bool gone = j->state == INITIAL;

        switch (j->task) {
        case TASK_SCOMO_REMOVE:
                if (gone)
                        return done(j);
                if (j->result == 59)
                        return fail(j, 1408);
                break;
        case TASK_SCOMO_DEACTIVATE:
                if (j->active == 0)
                        return done(j);
                break;
        default:
                if (j->active == 1)
                        return done(j);
        }
        if (++j->looks > JOB_LOOKS)
                return fail(j, j->task == TASK_SCOMO_REMOVE       ? 1408
                               : j->task == TASK_SCOMO_DEACTIVATE ? 1410
                                                                  : 1409);
        odm_job_wait(j, PHASE_SWITCHED, JOB_LOOK_MS);
        return 0;
}

static int change(odm_job *j)
{
        uint16_t r = j->task == TASK_SCOMO_REMOVE       ? UNINSTALL
                     : j->task == TASK_SCOMO_DEACTIVATE ? DEACTIVATE
                                                        : ACTIVATE;

        j->executed = true;
        j->active = -1;
        return odm_job_execute(j, PHASE_SWITCH, RESOURCE(j, r), ODM_ABSENT);
}

static int installed(odm_job *j)
{
        return activates(j->task) ? change(j) : done(j);
}

/* Instances come and go, and are not observed: they are looked at, soon at first. */
static void wait_long(odm_job *j, enum phase to)
{
        int64_t ms = JOB_FIRST_MS;

        if (j->phase != to)
                j->polls = 0;
        for (unsigned i = 0; i < j->polls && ms < JOB_POLL_MS; i++)
                ms *= 2;
        odm_job_wait(j, to, ms < JOB_POLL_MS ? ms : JOB_POLL_MS);
}

static int judge_working(odm_job *j)
{
        unsigned code = j->result >= 0 ? odm_bridge_scomo_result(j->result, ODM_PHASE_INSTALL) : 0;

        if (j->state == INSTALLED)
                return installed(j);
        if (code >= 1400)
                return fail(j, code);
        wait_long(j, PHASE_WORKING);
        return 0;
}

static int install(odm_job *j)
{
        j->executed = true;
        j->result = -1;
        return odm_job_execute(j, PHASE_INSTALL, RESOURCE(j, INSTALL), ODM_ABSENT);
}

static int judge_loading(odm_job *j)
{
        unsigned code = j->result >= 0 ? odm_bridge_scomo_result(j->result, ODM_PHASE_DOWNLOAD) : 0;

        if (j->state == DELIVERED)
                return installs(j->task) ? install(j) : done(j);
        if (code >= 1400)
                return fail(j, code);
        wait_long(j, PHASE_LOADING);
        return 0;
}

static int bring(odm_job *j)
{
        odm_lw_value v = {.type = ODM_LW_T_STRING};

        j->state = j->result = -1;
        switch (odm_job_way(j, &v.data)) {
        case WAY_PULL:
        case WAY_PULL_LOCAL: return odm_job_write(j, PHASE_OFFER, RESOURCE(j, URI), &v);
        case WAY_PUSH: odm_job_push(j, PHASE_PUSH, RESOURCE(j, PACKAGE)); return 0;
        case WAY_FETCH: odm_job_fetch(j, PHASE_FETCH); return 0;
        case WAY_NONE: break;
        }
        return fail(j, 1402);
}

/* It registered anew, and has forgotten what it was offered: once more, a few times. */
static bool has_lost(odm_job *j)
{
        bool lost = j->anew && j->state == INITIAL && j->result <= 0 && j->looks < JOB_LOOKS;

        j->anew = false;
        j->looks += lost;
        return lost;
}

/* Object 9 does not say what it can fetch by; that of firmware is what the device has. */
static int ask_protocols(odm_job *j)
{
        odm_lw_path p = ODM_LW_PATH3(5, 0, 8);

        j->delivery = 2;
        return odm_bridge_has(j->b, p) ? odm_job_read(j, PHASE_PROTOCOLS, p) : bring(j);
}

static int on_probe(odm_job *j)
{
        int rc = odm_job_learn(j);

        if (rc < 0)
                return rc;
        if (rc == 0)
                return refused(j, is_download(j->task) ? 1400 : 1405);
        if (!is_download(j->task))
                return j->state == INSTALLED ? installed(j) : install(j);
        if (j->state == DELIVERED && installs(j->task) && j->executed)
                return install(j);
        if (j->state > INITIAL) /* it holds something else by now */
                return odm_job_read(j, PHASE_PICK, ODM_LW_PATH1(9));
        return ask_protocols(j);
}

static int on_offered(odm_job *j)
{
        bool cannot_pull = j->phase == PHASE_OFFER && (j->answer->code == ODM_COAP_NOT_ALLOWED ||
                                                       j->answer->code == ODM_COAP_NOT_FOUND);

        if (odm_job_ok(j))
                return judge_loading(j);
        if (!cannot_pull)
                return refused(j, 1402);
        j->delivery = 1;
        return bring(j);
}

static int on_switched(odm_job *j)
{
        bool gone = j->task == TASK_SCOMO_REMOVE && j->answer->code == ODM_COAP_NOT_FOUND;
        int rc = odm_job_learn(j);

        if (rc < 0)
                return rc;
        if (gone) {
                odm_bridge_drop_offer(j->b, INSTANCE(j));
                return done(j);
        }
        return judge_switched(j);
}

static int on_answer(odm_job *j)
{
        int rc;

        switch (j->phase) {
        case PHASE_PICK: return on_pick(j);
        case PHASE_CREATE: return on_created(j);
        case PHASE_PROBE: return on_probe(j);
        case PHASE_PROTOCOLS: rc = odm_job_learn(j); return rc < 0 ? rc : bring(j);
        case PHASE_OFFER:
        case PHASE_PUSH: return on_offered(j);
        case PHASE_LOADING:
                rc = odm_job_learn(j);
                if (rc < 0)
                        return rc;
                return has_lost(j) ? bring(j) : judge_loading(j);
        case PHASE_INSTALL:
                if (!odm_job_ok(j) && j->answer->code != 0)
                        return refused(j, 1405);
                return judge_working(j);
        case PHASE_WORKING: rc = odm_job_learn(j); return rc < 0 ? rc : judge_working(j);
        case PHASE_SWITCH:
                if (!odm_job_ok(j) && j->answer->code != 0)
                        return refused(j, j->task == TASK_SCOMO_REMOVE       ? 1408
                                          : j->task == TASK_SCOMO_DEACTIVATE ? 1410
                                                                             : 1409);
                return odm_job_read(j, PHASE_SWITCHED, INSTANCE(j));
        case PHASE_SWITCHED: return on_switched(j);
        case PHASE_BEGIN:
        case PHASE_VERSION:
        case PHASE_RESET:
        case PHASE_FETCH:
        case PHASE_VERIFY:
        case PHASE_ITEMS:
        case PHASE_TARGETS:
        case PHASE_ORDER:
        case PHASE_VERDICT:
        case PHASE_OVER: break;
        }
        ODM_UNREACHABLE();
}

static int begin(odm_job *j)
{
        odm_str kept;
        uint64_t v;

        if (j->phase == PHASE_SWITCH || j->phase == PHASE_SWITCHED)
                return odm_job_read(j, PHASE_SWITCHED, INSTANCE(j));
        if (j->phase == PHASE_INSTALL || j->phase == PHASE_WORKING)
                return odm_job_read(j, PHASE_WORKING, INSTANCE(j));
        if (j->phase == PHASE_LOADING || j->phase == PHASE_OFFER)
                return odm_job_read(j, PHASE_LOADING, INSTANCE(j));
        if (!is_download(j->task)) { /* the name is the instance */
                if (odm_str_u64(j->name, ODM_LW_ID_MAX, &v) < 0)
                        return ODM_ENOENT;
                j->instance = (uint16_t)v;
                return installs(j->task) ? odm_job_read(j, PHASE_PROBE, INSTANCE(j)) : change(j);
        }
        odm_str key = key_of(j);
        if (key.p == NULL)
                return odm_arena_err(&j->text);
        kept = odm_bridge_kept(j->b, key);
        if (kept.p && odm_str_u64(kept, ODM_LW_ID_MAX, &v) == 0 &&
            odm_bridge_has(j->b, ODM_LW_PATH2(9, (uint16_t)v))) {
                j->instance = (uint16_t)v;
                return odm_job_read(j, PHASE_PROBE, INSTANCE(j));
        }
        return odm_job_read(j, PHASE_PICK, ODM_LW_PATH1(9));
}

static int look(odm_job *j)
{
        bool waits = j->want == ODM_JOB_WAIT && !j->lent &&
                     (j->phase == PHASE_LOADING || j->phase == PHASE_WORKING ||
                      j->phase == PHASE_SWITCHED);

        j->polls += waits;
        return waits ? odm_job_read(j, j->phase, INSTANCE(j)) : 0;
}

int odm_job_scomo(odm_job *j, enum event ev)
{
        bool waits = j->want == ODM_JOB_WAIT && !j->lent;

        switch (ev) {
        case EV_BEGIN: return begin(j);
        case EV_ANSWER: return on_answer(j);
        case EV_FETCHED:
                if (j->has_image)
                        return bring(j);
                return fail(j, j->fetch_result == 501   ? 1404
                               : j->fetch_result == 406 ? 1403
                               : j->fetch_result == 404 ? 1407
                               : j->fetch_result == 500 ? 1500
                               : j->fetch_result == 412 ? 1501
                                                        : 1402);
        case EV_TOLD:
                if (j->phase == PHASE_LOADING && waits)
                        return judge_loading(j);
                if (j->phase == PHASE_WORKING && waits)
                        return judge_working(j);
                return 0;
        case EV_BACK: j->anew = j->phase == PHASE_LOADING; return look(j);
        case EV_TIME: return look(j);
        }
        ODM_UNREACHABLE();
}
