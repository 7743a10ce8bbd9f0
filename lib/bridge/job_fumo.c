/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware (lwm2m.md 5.1, 6; mo-fumo.md): Download, Update and DownloadAndUpdate as /5/0 does them.
 *
 *     PROBE -> VERSION -> RESET? -> FETCH? -> OFFER --\
 *                             Update: staged, PUSH ----> LOADING -> INSTALL -> WORKING -> VERIFY
 *                                                           |                     |
 *                                          Download: 200 <--+      a restart, or Result, ends it
 *
 * A device that loses its answer, its notification or its power is looked at every half minute;
 * what it says then counts. */
#include "job.h"

#define RESOURCE(r) ODM_LW_PATH3(5, 0, (r))
#define INSTANCE ODM_LW_PATH2(5, 0)

enum { PACKAGE = 0, URI = 1, UPDATE = 2 };
enum { IDLE = 0, DOWNLOADING = 1, DOWNLOADED = 2, UPDATING = 3 };

static int fail(odm_job *j, unsigned code)
{
        return odm_job_end(j, code, j->phase < PHASE_LOADING ? "20" : NULL);
}

/* A refusal of the device to what it was asked. */
static int refused(odm_job *j, unsigned code)
{
        unsigned coap = j->answer->code;

        return fail(j, coap == 0                    ? 409
                       : coap == ODM_COAP_TOO_LARGE ? 501
                       : coap == ODM_COAP_NOT_FOUND || coap == ODM_COAP_NOT_ALLOWED ||
                                       coap == ODM_COAP_NOT_IMPLEMENTED
                               ? 408
                               : code);
}

static int install(odm_job *j)
{
        j->executed = true; /* durable before it is asked: see after_power_cut() */
        return odm_job_execute(j, PHASE_INSTALL, RESOURCE(UPDATE), ODM_ABSENT);
}

static int loaded(odm_job *j)
{
        if (j->task == TASK_FUMO_DOWNLOAD)
                return odm_job_end(j, 200, NULL);
        return install(j);
}

/* The package was offered or sent: what the device says of it. */
static int judge_loading(odm_job *j)
{
        if (j->state == DOWNLOADED)
                return loaded(j);
        if (j->state <= IDLE && j->result > 1)
                return fail(j, odm_bridge_fumo_result(j->result));
        odm_job_wait(j, PHASE_LOADING, JOB_POLL_MS);
        return 0;
}

static bool is_expected(const odm_job *j)
{
        odm_str expected = j->has_image && j->image.version.n ? j->image.version : j->expected;

        if (expected.n)
                return odm_str_eq(j->version, expected);
        return j->before.n && j->version.n && !odm_str_eq(j->version, j->before);
}

/* The update was ordered: what the device says of it.  A Result that was reset by the restart is
 * made good by the version that runs. */
static int judge_working(odm_job *j)
{
        if (j->state == UPDATING || j->state < 0)
                goto wait;
        if (j->result == 1)
                return odm_job_end(j, 200, NULL);
        if (j->result > 1)
                return fail(j, odm_bridge_fumo_result(j->result));
        if (j->state == IDLE && is_expected(j))
                return odm_job_end(j, 200, NULL);
        if (j->back && j->state == IDLE && j->version.p)
                return fail(j, 410);
wait:
        odm_job_wait(j, PHASE_WORKING, JOB_POLL_MS);
        return 0;
}

/* What to do with the package, once everything that decides it is known. */
static int bring(odm_job *j)
{
        odm_lw_value v = {.type = ODM_LW_T_STRING};

        j->state = j->result = -1; /* what was said before does not count any more */
        if (j->task == TASK_FUMO_UPDATE) {
                odm_job_push(j, PHASE_PUSH, RESOURCE(PACKAGE));
                return 0;
        }
        switch (odm_job_way(j, &v.data)) {
        case WAY_PULL:
        case WAY_PULL_LOCAL: return odm_job_write(j, PHASE_OFFER, RESOURCE(URI), &v);
        case WAY_PUSH: odm_job_push(j, PHASE_PUSH, RESOURCE(PACKAGE)); return 0;
        case WAY_FETCH: odm_job_fetch(j, PHASE_FETCH); return 0;
        case WAY_NONE: break;
        }
        return fail(j, 408);
}

/* It registered anew, and has forgotten what it was offered: once more, a few times. */
static bool has_lost(odm_job *j)
{
        bool lost = j->anew && j->state == IDLE && j->result <= 1 && j->looks < JOB_LOOKS;

        j->anew = false;
        j->looks += lost;
        return lost;
}

/* The state before: an old package is given up, but for an Update of what is there. */
static int ready(odm_job *j)
{
        odm_lw_value empty = {.type = ODM_LW_T_STRING, .data = ODM_STR("")};
        bool staged = odm_str_is(odm_bridge_kept(j->b, ODM_STR("=FUMO")), "50");

        if (j->task == TASK_FUMO_UPDATE && !staged)
                return j->state == DOWNLOADED ? install(j) : fail(j, 400);
        if (j->state == UPDATING)
                return fail(j, 400);
        if (j->state > IDLE)
                return odm_job_write(j, PHASE_RESET, RESOURCE(URI), &empty);
        return bring(j);
}

static int on_reset(odm_job *j)
{
        static const char nul[1] = {0};
        odm_lw_value v = {.type = ODM_LW_T_OPAQUE, .data = {nul, 1}};

        if (odm_job_ok(j) || j->rq.path.id[2] == PACKAGE)
                return bring(j); /* a device that cannot be reset says so when it is offered more */
        return odm_job_write(j, PHASE_RESET, RESOURCE(PACKAGE), &v);
}

static int on_answer(odm_job *j)
{
        int rc;

        switch (j->phase) {
        case PHASE_PROBE:
                rc = odm_job_learn(j);
                if (rc < 0)
                        return rc;
                if (rc == 0)
                        return refused(j, 409);
                return odm_job_read(j, PHASE_VERSION, ODM_LW_PATH3(3, 0, 3));
        case PHASE_VERSION:
                rc = odm_job_learn(j); /* not to know it is no harm */
                j->before = j->version;
                return rc < 0 ? rc : ready(j);
        case PHASE_RESET: return on_reset(j);
        case PHASE_OFFER:
        case PHASE_PUSH:
                if (!odm_job_ok(j))
                        return refused(j, j->phase == PHASE_OFFER ? 411 : 503);
                return judge_loading(j);
        case PHASE_LOADING:
                rc = odm_job_learn(j);
                if (rc < 0)
                        return rc;
                return has_lost(j) ? bring(j) : judge_loading(j);
        case PHASE_INSTALL:
                /* one that restarts at once may never answer */
                if (!odm_job_ok(j) && j->answer->code != 0)
                        return refused(j, 410);
                if (j->state == DOWNLOADED)
                        j->state = -1;
                return judge_working(j);
        case PHASE_WORKING:
                rc = odm_job_learn(j);
                if (rc < 0)
                        return rc;
                return odm_job_read(j, PHASE_VERIFY, ODM_LW_PATH3(3, 0, 3));
        case PHASE_VERIFY: rc = odm_job_learn(j); return rc < 0 ? rc : judge_working(j);
        case PHASE_BEGIN:
        case PHASE_PICK:
        case PHASE_CREATE:
        case PHASE_PROTOCOLS:
        case PHASE_FETCH:
        case PHASE_SWITCH:
        case PHASE_SWITCHED:
        case PHASE_ITEMS:
        case PHASE_TARGETS:
        case PHASE_ORDER:
        case PHASE_VERDICT:
        case PHASE_OVER: break;
        }
        ODM_UNREACHABLE();
}

/* After the gateway was away, requests are asked anew; what the device was doing it is asked. */
static int begin(odm_job *j)
{
        if (j->executed)
                return odm_job_read(j, PHASE_WORKING, INSTANCE);
        if (j->phase == PHASE_LOADING || j->phase == PHASE_OFFER)
                return odm_job_read(j, PHASE_LOADING, INSTANCE);
        return odm_job_read(j, PHASE_PROBE, INSTANCE);
}

static int look(odm_job *j)
{
        bool waits =
                j->want == ODM_JOB_WAIT && (j->phase == PHASE_LOADING || j->phase == PHASE_WORKING);

        return waits ? odm_job_read(j, j->phase, INSTANCE) : 0;
}

int odm_job_fumo(odm_job *j, enum event ev)
{
        switch (ev) {
        case EV_BEGIN: return begin(j);
        case EV_ANSWER: return on_answer(j);
        case EV_FETCHED: return j->has_image ? bring(j) : fail(j, j->fetch_result);
        case EV_TOLD:
                if (j->phase == PHASE_LOADING && j->want == ODM_JOB_WAIT)
                        return judge_loading(j);
                if (j->phase == PHASE_WORKING && j->want == ODM_JOB_WAIT)
                        return judge_working(j);
                return 0;
        case EV_BACK: j->anew = j->phase == PHASE_LOADING; return look(j);
        case EV_TIME: return look(j);
        }
        ODM_UNREACHABLE();
}
