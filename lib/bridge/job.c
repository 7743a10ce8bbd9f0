/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: what they share.  A kind (job_fumo.c, job_scomo.c, job_order.c) is one function that is
 * told what happened and says what comes next; everything else is here: what is lent, what the
 * device is known to have said, the end and its alert, and what is saved. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "job.h"

static const char *phase_name(enum phase p)
{
        static const char *const names[] = {
#define X(name) #name,
                JOB_PHASES(X)
#undef X
        };
        return names[p];
}

void odm_job_enter(odm_job *j, enum phase to)
{
        ODM_TRACE(j->b->trace, "bridge", "job %u: %s -> %s", j->number, phase_name(j->phase),
                  phase_name(to));
        j->phase = to; /* the only assignment to phase but for what was saved */
        j->b->dirty = true;
}

bool odm_job_is_over(const odm_job *j)
{
        return j->phase == PHASE_OVER;
}

enum task odm_job_task(const odm_job *j)
{
        return j->task;
}

odm_str odm_job_name(const odm_job *j)
{
        return j->name;
}

static bool is_fumo(enum task t)
{
        return t <= TASK_FUMO_BOTH;
}

static bool is_scomo(enum task t)
{
        return t >= TASK_SCOMO_DOWNLOAD && t <= TASK_SCOMO_DEACTIVATE;
}

unsigned odm_job_state(const odm_job *j)
{
        bool download = j->task == TASK_SCOMO_DOWNLOAD || j->task == TASK_SCOMO_BOTH ||
                        j->task == TASK_SCOMO_BOTH_INACTIVE;

        if (!is_fumo(j->task) && !download)
                return 0;
        if (j->phase >= PHASE_INSTALL)
                return is_fumo(j->task) ? 60 : 50;
        return 30;
}

static int dispatch(odm_job *j, enum event ev)
{
        if (is_fumo(j->task))
                return odm_job_fumo(j, ev);
        if (is_scomo(j->task))
                return odm_job_scomo(j, ev);
        return odm_job_order(j, ev);
}

/* ---- what comes next ------------------------------------------------------------------------- */

static void want(odm_job *j, odm_job_want w)
{
        j->want = w;
        j->lent = false;
        j->until = j->deadline;
}

static void send(odm_job *j, enum phase to, const odm_lw_request *rq)
{
        odm_job_enter(j, to);
        want(j, ODM_JOB_SEND);
        j->rq = *rq;
}

int odm_job_read(odm_job *j, enum phase to, odm_lw_path p)
{
        odm_lw_request rq = odm_bridge_read_of(j->b, p);

        send(j, to, &rq);
        return 0;
}

int odm_job_execute(odm_job *j, enum phase to, odm_lw_path p, odm_str arg)
{
        odm_lw_request rq = {.verb = ODM_LW_EXECUTE,
                             .path = p,
                             .ct = arg.n ? ODM_LW_TEXT : ODM_LW_NO_CT,
                             .accept = ODM_LW_NO_CT,
                             .payload = arg};

        send(j, to, &rq);
        return 0;
}

int odm_job_write(odm_job *j, enum phase to, odm_lw_path p, const odm_lw_value *v)
{
        odm_lw_node node = {.path = p, .value = *v};
        odm_lw_list l = {&node, 1};
        odm_lw_request rq;

        odm_arena_reset(&j->work);
        int rc = odm_bridge_write_of(j->b, p, &l, odm_lw_ct_for(p, v->type, 1), &j->work, &rq);
        if (rc < 0)
                return rc;
        send(j, to, &rq);
        return 0;
}

void odm_job_push(odm_job *j, enum phase to, odm_lw_path p)
{
        odm_lw_request rq = {
                .verb = ODM_LW_WRITE, .path = p, .ct = ODM_LW_OPAQUE, .accept = ODM_LW_NO_CT};

        send(j, to, &rq);
        j->want = ODM_JOB_PUSH;
}

void odm_job_fetch(odm_job *j, enum phase to)
{
        odm_job_enter(j, to);
        want(j, ODM_JOB_FETCH);
}

void odm_job_wait(odm_job *j, enum phase to, int64_t ms)
{
        odm_time t = odm_time_add(j->now, ms);

        /* a device that tells other things all the while is looked at when it is time */
        if (j->phase == to && j->want == ODM_JOB_WAIT && !odm_time_reached(j->now, j->until) &&
            j->until.ms < t.ms)
                t = j->until;
        if (j->phase != to)
                odm_job_enter(j, to);
        want(j, ODM_JOB_WAIT);
        j->until = t.ms < j->deadline.ms ? t : j->deadline;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static bool good(unsigned code)
{
        return odm_status_ok(code);
}

/* The address without its last segments. */
static odm_str above(odm_str path, unsigned up)
{
        while (up > 0 && path.n > 0) {
                path.n--;
                up -= path.p[path.n] == '/';
        }
        return path;
}

static int escaped(odm_job *j, odm_str s, odm_str *out)
{
        odm_str done = ODM_STR("");

        for (size_t i = 0, from = 0; i <= s.n; i++) {
                const char *e = i == s.n        ? ""
                                : s.p[i] == '&' ? "&amp;"
                                : s.p[i] == '<' ? "&lt;"
                                : s.p[i] == '>' ? "&gt;"
                                                : NULL;
                if (e == NULL)
                        continue;
                done = odm_arena_fmt(&j->text, "%.*s%.*s%s", (int)done.n, done.p, (int)(i - from),
                                     s.p + from, e);
                if (done.p == NULL)
                        return odm_arena_err(&j->text);
                from = i + 1;
        }
        *out = done;
        return 0;
}

/* Of software: the component or package, and the code as the document of mo-scomo.md 5. */
static int software_alert(odm_job *j, odm_alert *al)
{
        bool deployed =
                good(j->code) && j->task != TASK_SCOMO_DOWNLOAD && j->task != TASK_SCOMO_REMOVE;
        bool delivered = good(j->code) && j->task == TASK_SCOMO_DOWNLOAD;
        odm_str top = above(j->path, 2), id = ODM_ABSENT;

        if (deployed || delivered)
                al->target = odm_arena_fmt(&j->text, "./SCM/Inventory/%s/%u",
                                           deployed ? "Deployed" : "Delivered", j->instance);
        else
                al->target = odm_arena_copy(&j->text, top);
        odm_str key = odm_arena_join(&j->text, top, ODM_STR("/PkgID"));
        if (al->target.p == NULL || key.p == NULL)
                return odm_arena_err(&j->text);
        id = odm_bridge_kept(j->b, key);
        if (id.p == NULL)
                id = j->name;
        int rc = escaped(j, id, &id);
        if (rc < 0)
                return rc;
        al->type = ODM_STR("urn:oma:at:scomo:1.0:OperationComplete");
        al->source = j->path;
        al->format = ODM_FMT_XML;
        al->data =
                odm_arena_fmt(&j->text, "<ResultCode>%u</ResultCode><Identifier>%.*s</Identifier>",
                              j->code, (int)id.n, id.p);
        return al->data.p ? 0 : odm_arena_err(&j->text);
}

static int make_alert(odm_job *j)
{
        static const char *const types[] = {
                [TASK_FUMO_DOWNLOAD] = "org.openmobilealliance.dm.firmwareupdate.download",
                [TASK_FUMO_UPDATE] = "org.openmobilealliance.dm.firmwareupdate.update",
                [TASK_FUMO_BOTH] = "org.openmobilealliance.dm.firmwareupdate.downloadandupdate",
                [TASK_RESTART] = "urn:oma:at:diagmon:1.0:OperationComplete",
                [TASK_FACTORY_RESET] = "urn:oma:at:lawmo:1.0:OperationComplete",
                [TASK_LOCK_FULL] = "urn:oma:at:lawmo:1.0:OperationComplete",
                [TASK_LOCK_PART] = "urn:oma:at:lawmo:1.0:OperationComplete",
                [TASK_UNLOCK] = "urn:oma:at:lawmo:1.0:OperationComplete",
                [TASK_WIPE] = "urn:oma:at:lawmo:1.0:OperationComplete",
        };
        odm_alert al = {.id = j->number,
                        .code = ODM_ALERT_GENERIC,
                        .format = ODM_FMT_INT,
                        .correlator = j->correlator,
                        .mark = good(j->code) ? ODM_STR("informational") : ODM_STR("critical")};
        int rc = 0;

        if (is_scomo(j->task)) {
                rc = software_alert(j, &al);
        } else {
                al.type = odm_cstr(types[j->task]);
                al.source = is_fumo(j->task)          ? above(j->path, 1)
                            : j->task == TASK_RESTART ? above(j->path, 2)
                                                      : j->path;
                al.data = odm_arena_number(&j->text, j->code);
                rc = al.data.p ? 0 : odm_arena_err(&j->text);
        }
        if (rc == 0)
                j->alert = al;
        return rc;
}

int odm_job_end(odm_job *j, unsigned code, const char *state)
{
        odm_str key = is_fumo(j->task) ? ODM_STR("=FUMO")
                                       : odm_arena_join(&j->text, ODM_STR("=SCM/"), j->name);
        int rc = 0;

        j->code = code;
        odm_job_enter(j, PHASE_OVER);
        want(j, ODM_JOB_OVER);
        j->until = ODM_NEVER;
        if (key.p == NULL)
                return odm_arena_err(&j->text);
        if (is_fumo(j->task) || is_scomo(j->task))
                rc = odm_bridge_keep(j->b, key, odm_cstr(state));
        if (rc == ODM_ELIMIT) /* no room to remember it: the device's own state counts */
                rc = 0;
        return rc < 0 ? rc : make_alert(j);
}

/* ---- beginning ------------------------------------------------------------------------------------ */

static int copy(odm_job *j, odm_str s, odm_str *out)
{
        *out = odm_arena_copy(&j->text, s);
        return s.p && out->p == NULL ? odm_arena_err(&j->text) : 0;
}

static int copy_image(odm_job *j, const odm_job_image *i)
{
        int rc = copy(j, i->name, &j->image.name);

        if (rc == 0)
                rc = copy(j, i->version, &j->image.version);
        if (rc == 0)
                rc = copy(j, i->file, &j->image.file);
        if (rc == 0)
                rc = copy(j, i->url_http, &j->image.url_http);
        if (rc == 0)
                rc = copy(j, i->url_coap, &j->image.url_coap);
        if (rc == 0)
                j->has_image = true;
        return rc;
}

static void free_job(odm_job *j)
{
        odm_arena_done(&j->text);
        odm_arena_done(&j->work);
        odm_free(j->b->mem, j, sizeof *j);
}

static int place_of(odm_bridge *b, size_t *out)
{
        for (size_t i = 0; i < ODM_COUNT(b->job); i++)
                if (b->job[i] == NULL) {
                        *out = i;
                        return 0;
                }
        return ODM_ESTATE;
}

/* One job of firmware, of a package, of an order at a time; while the device is to restart or be
 * wiped, nothing else. */
static bool is_free(const odm_bridge *b, enum task task, odm_str name)
{
        for (size_t i = 0; i < ODM_COUNT(b->job); i++) {
                const odm_job *j = b->job[i];
                if (j == NULL || j->phase == PHASE_OVER)
                        continue;
                bool alone = task >= TASK_RESTART || j->task >= TASK_RESTART;
                if (alone || (is_fumo(task) && is_fumo(j->task)) ||
                    (is_scomo(task) && is_scomo(j->task) && odm_str_eq(j->name, name)))
                        return false;
        }
        return true;
}

static odm_job *blank(odm_bridge *b, enum task task, odm_time now)
{
        odm_job *j = odm_alloc(b->mem, sizeof *j);

        if (j == NULL)
                return NULL;
        j->b = b;
        odm_arena_init(&j->text, b->mem, JOB_TEXT_MAX);
        odm_arena_init(&j->work, b->mem, JOB_TEXT_MAX);
        j->task = task;
        j->now = now;
        j->state = j->result = j->delivery = j->active = -1;
        j->protocols = 1u << 31;
        j->instance = NO_INSTANCE;
        j->number = ++b->job_number;
        want(j, ODM_JOB_WAIT);
        return j;
}

/* What the address of the package is, and whether there is one: 0, ODM_ESTATE, errors. */
static int find_package(odm_job *j)
{
        bool push = j->task == TASK_FUMO_UPDATE;
        odm_str key = is_fumo(j->task)
                              ? odm_arena_join(&j->text, j->path, ODM_STR("/PkgURL"))
                              : odm_arena_join(&j->text, above(j->path, 2), ODM_STR("/PkgURL"));

        if (key.p == NULL)
                return odm_arena_err(&j->text);
        if (push || j->task > TASK_SCOMO_BOTH_INACTIVE)
                return 0;
        odm_str url = odm_bridge_kept(j->b, key);
        if (url.n == 0)
                return ODM_ESTATE;
        return copy(j, url, &j->url);
}

int odm_job_new(odm_bridge *b, enum task task, odm_str path, odm_str name, const odm_job_opt *opt,
                odm_time now, odm_job **out)
{
        size_t place;
        odm_job *j;

        if (!is_free(b, task, name) || place_of(b, &place) < 0)
                return ODM_ESTATE;
        j = blank(b, task, now);
        if (j == NULL)
                return ODM_ENOMEM;
        int64_t ms = opt->deadline_ms ? opt->deadline_ms
                     : b->queue       ? JOB_DEADLINE_QUEUE_MS
                                      : JOB_DEADLINE_MS;
        j->deadline = odm_time_add(now, ms);
        int rc = copy(j, path, &j->path);
        if (rc == 0)
                rc = copy(j, name, &j->name);
        if (rc == 0)
                rc = copy(j, opt->correlator, &j->correlator);
        if (rc == 0)
                rc = find_package(j);
        if (rc == 0)
                rc = dispatch(j, EV_BEGIN);
        if (rc < 0) {
                free_job(j);
                return rc;
        }
        b->job[place] = j;
        b->dirty = true;
        *out = j;
        return 0;
}

odm_job *odm_bridge_job(odm_bridge *b, size_t i)
{
        for (size_t k = 0; k < ODM_COUNT(b->job); k++)
                if (b->job[k] && i-- == 0)
                        return b->job[k];
        return NULL;
}

void odm_job_drop(odm_job *j)
{
        odm_bridge *b = j->b;

        for (size_t i = 0; i < ODM_COUNT(b->job); i++)
                if (b->job[i] == j)
                        b->job[i] = NULL;
        b->dirty = true;
        free_job(j);
}

/* ---- lent and answered ----------------------------------------------------------------------------- */

odm_job_step odm_job_next(odm_job *j)
{
        odm_job_step s = {.want = j->want, .until = j->until};

        if (j->want == ODM_JOB_OVER) {
                s.alert = &j->alert;
                return s;
        }
        if (j->want == ODM_JOB_WAIT || j->lent) {
                s.want = ODM_JOB_WAIT;
                return s;
        }
        j->lent = true;
        if (j->want == ODM_JOB_FETCH) {
                s.url = j->url;
        } else {
                s.request = &j->rq;
                s.file = j->want == ODM_JOB_PUSH ? j->image.file : ODM_ABSENT;
        }
        return s;
}

bool odm_job_asked(const odm_job *j)
{
        return j->lent;
}

bool odm_job_ok(const odm_job *j)
{
        return j->answer->code >= 200 && j->answer->code < 300;
}

static int keep_version(odm_job *j, odm_str *to, odm_str s)
{
        return odm_str_eq(*to, s) ? 0 : copy(j, s, to);
}

/* What a value says of the object that the job is about. */
static int learn_node(odm_job *j, const odm_lw_list *l, const odm_lw_node *n)
{
        odm_lw_path p = n->path;
        bool mine = p.depth >= 3 && ((is_fumo(j->task) && p.id[0] == 5 && p.id[1] == 0) ||
                                     (is_scomo(j->task) && p.id[0] == 9 && p.id[1] == j->instance));
        bool software = is_scomo(j->task);
        int64_t v;

        if (p.depth >= 3 && p.id[0] == 3 && p.id[2] == 3 && n->value.type == ODM_LW_T_STRING)
                return keep_version(j, &j->version, n->value.data);
        if (p.depth >= 3 && p.id[0] == 5 && p.id[2] == 8 && odm_bridge_int(l, p, &v)) {
                j->protocols &= ~(1u << 31);
                if (v >= 0 && v < 31)
                        j->protocols |= 1u << v;
        }
        if (p.depth >= 3 && p.id[0] == 8 && p.id[2] == 5)
                (void)odm_bridge_int(l, p, &j->result);
        if (p.depth >= 3 && p.id[0] == 8 && p.id[2] == 0)
                (void)odm_bridge_int(l, p, &j->state);
        if (!mine)
                return 0;
        if (p.id[2] == (software ? 7 : 3))
                (void)odm_bridge_int(l, p, &j->state);
        else if (p.id[2] == (software ? 9 : 5))
                (void)odm_bridge_int(l, p, &j->result);
        else if (p.id[2] == 9)
                (void)odm_bridge_int(l, p, &j->delivery);
        else if (p.id[2] == 12 && software)
                (void)odm_bridge_int(l, p, &j->active);
        else if (p.id[2] == (software ? 1 : 7) && n->value.type == ODM_LW_T_STRING)
                return keep_version(j, &j->expected, n->value.data);
        return 0;
}

static int learn(odm_job *j, const odm_lw_list *l)
{
        for (size_t i = 0; i < l->n; i++) {
                int rc = learn_node(j, l, &l->v[i]);
                if (rc < 0)
                        return rc;
        }
        return 0;
}

int odm_job_learn(odm_job *j)
{
        odm_lw_list l;

        if (!odm_job_ok(j))
                return 0;
        odm_arena_reset(&j->work);
        int rc = odm_bridge_answer_of(j->b, j->rq.path, j->answer, &j->work, &l);
        if (rc == ODM_ENOMEM)
                return rc;
        if (rc < 0)
                return 0;
        odm_bridge_see(j->b, &l);
        rc = learn(j, &l);
        return rc < 0 ? rc : 1;
}

/* Past its deadline a job ends, whatever it waits for. */
static int too_late(odm_job *j)
{
        if (is_fumo(j->task))
                return odm_job_end(j, 409, j->phase < PHASE_LOADING ? "20" : NULL);
        if (is_scomo(j->task))
                return odm_job_end(j, 1412, j->phase < PHASE_INSTALL ? "20" : "70");
        switch (j->task) {
        case TASK_RESTART:
        case TASK_LOCK_FULL: return odm_job_end(j, 1402, NULL);
        case TASK_LOCK_PART: return odm_job_end(j, 1403, NULL);
        case TASK_UNLOCK: return odm_job_end(j, 1404, NULL);
        case TASK_WIPE: return odm_job_end(j, 1405, NULL);
        default: return odm_job_end(j, 1400, NULL);
        }
}

static int event(odm_job *j, enum event ev, odm_time now)
{
        j->now = now;
        if (j->phase == PHASE_OVER)
                return 0;
        if (odm_time_reached(now, j->deadline) && ev == EV_TIME)
                return too_late(j);
        return dispatch(j, ev);
}

/* The same Write as TLV, when a device wants no text.  True: it is asked again. */
static bool other_way(odm_job *j, const odm_lw_answer *r)
{
        odm_lw_answer as_text = {.ct = j->rq.ct, .payload = j->rq.payload};
        odm_lw_request rq;
        odm_lw_list l;

        if (r->code == ODM_COAP_NOT_ACCEPTABLE && j->rq.verb == ODM_LW_READ &&
            j->rq.accept != ODM_LW_NO_CT) {
                j->rq.accept = ODM_LW_NO_CT;
                return true;
        }
        if (r->code != ODM_COAP_BAD_FORMAT || j->want != ODM_JOB_SEND ||
            j->rq.verb != ODM_LW_WRITE || j->rq.ct == odm_bridge_ct_of_several(j->b) ||
            j->rq.path.depth != 3)
                return false;
        if (odm_bridge_answer_of(j->b, j->rq.path, &as_text, &j->work, &l) < 0 ||
            odm_bridge_write_of(j->b, j->rq.path, &l, odm_bridge_ct_of_several(j->b), &j->work,
                                &rq) < 0)
                return false;
        j->rq = rq;
        return true;
}

int odm_job_answer(odm_job *j, const odm_lw_answer *r, odm_time now)
{
        if (!j->lent || (j->want != ODM_JOB_SEND && j->want != ODM_JOB_PUSH))
                return j->phase == PHASE_OVER ? 0 : ODM_ESTATE;
        j->lent = false;
        if (other_way(j, r))
                return 0;
        j->answer = r;
        j->want = ODM_JOB_WAIT; /* unless the kind says otherwise */
        int rc = event(j, EV_ANSWER, now);
        j->answer = NULL;
        return rc;
}

int odm_job_fetched(odm_job *j, const odm_job_image *i, unsigned result, odm_time now)
{
        int rc = 0;

        if (!j->lent || j->want != ODM_JOB_FETCH)
                return j->phase == PHASE_OVER ? 0 : ODM_ESTATE;
        j->lent = false;
        j->want = ODM_JOB_WAIT;
        j->fetch_result = result;
        if (i)
                rc = copy_image(j, i);
        return rc < 0 ? rc : event(j, EV_FETCHED, now);
}

int odm_job_told(odm_job *j, const odm_lw_list *l, odm_time now)
{
        int rc = learn(j, l);

        if (rc < 0)
                return rc;
        return j->lent ? 0 : event(j, EV_TOLD, now);
}

int odm_job_registered(odm_job *j, odm_time now)
{
        j->back = j->back || j->executed;
        return j->lent && j->phase != PHASE_ORDER ? 0 : event(j, EV_BACK, now);
}

int odm_job_tick(odm_job *j, odm_time now)
{
        if (j->lent && !odm_time_reached(now, j->deadline))
                return 0;
        if (!odm_time_reached(now, j->until))
                return 0;
        return event(j, EV_TIME, now);
}

void odm_job_cancel(odm_job *j, odm_time now)
{
        j->now = now;
        if (j->phase == PHASE_OVER)
                return;
        /* what cannot be told for want of memory is told as far as it goes: the job is over */
        if (odm_job_end(j, is_fumo(j->task) ? 401 : 1401, NULL) < 0)
                j->alert.mark = ODM_STR("critical");
}

/* ---- how a package gets there --------------------------------------------------------------------------- */

static const char *const schemes[] = {"coap://",  "coaps://",    "http://",
                                      "https://", "coap+tcp://", "coaps+tcp://"};

/* The number of a URL's scheme as /5/0/8 counts; -1: none of them. */
static int scheme_of(odm_str url)
{
        for (size_t i = 0; i < ODM_COUNT(schemes); i++)
                if (odm_str_starts(url, schemes[i]))
                        return (int)i;
        return -1;
}

/* Who tells no protocols has CoAP. */
static bool takes(const odm_job *j, odm_str url)
{
        int s = scheme_of(url);
        uint32_t can = j->protocols & 1u << 31 ? 3u : j->protocols;

        return s >= 0 && (can >> s & 1);
}

enum way odm_job_way(const odm_job *j, odm_str *url)
{
        bool pull = j->delivery != 1, push = j->delivery != 0;

        if (pull && j->url.n && !j->has_image && takes(j, j->url)) {
                *url = j->url;
                return WAY_PULL;
        }
        if (!j->has_image)
                return WAY_FETCH;
        if (pull && takes(j, j->image.url_coap)) {
                *url = j->image.url_coap;
                return WAY_PULL_LOCAL;
        }
        if (pull && takes(j, j->image.url_http)) {
                *url = j->image.url_http;
                return WAY_PULL_LOCAL;
        }
        if (push && j->image.file.p)
                return WAY_PUSH;
        return WAY_NONE;
}

/* ---- saved ------------------------------------------------------------------------------------------------- */

static int put(odm_buf *out, odm_str s)
{
        int rc = s.p ? odm_buf_fmt(out, "%zu ", s.n) : odm_buf_fmt(out, "- ");

        return rc < 0 || s.p == NULL ? rc : odm_buf_str(out, s);
}

int odm_job_save(const odm_job *j, odm_buf *out)
{
        const odm_str text[] = {j->path,       j->name,           j->correlator,
                                j->url,        j->image.name,     j->image.version,
                                j->image.file, j->image.url_http, j->image.url_coap,
                                j->before,     j->expected};
        int64_t left = j->deadline.ms - j->now.ms;
        int rc = odm_buf_fmt(out, "%s %u %u %u %d %u %" PRId64 " ", odm_bridge_task_name(j->task),
                             (unsigned)j->phase, j->code, j->instance, j->executed, j->items,
                             left > 0 ? left : 0);

        for (size_t i = 0; i < ODM_COUNT(text) && rc == 0; i++)
                rc = put(out, text[i]);
        return rc;
}

static int take_word(odm_str *in, odm_str *out)
{
        size_t n = 0;

        while (n < in->n && in->p[n] != ' ')
                n++;
        if (n == in->n)
                return ODM_EMALFORMED;
        *out = odm_str_to(*in, n);
        *in = odm_str_from(*in, n + 1);
        return 0;
}

static int take_number(odm_str *in, uint64_t max, uint64_t *out)
{
        odm_str s;

        if (take_word(in, &s) < 0 || odm_str_u64(s, max, out) < 0)
                return ODM_EMALFORMED;
        return 0;
}

static int take_text(odm_job *j, odm_str *in, odm_str *out)
{
        odm_str s;
        uint64_t n;

        if (take_word(in, &s) < 0)
                return ODM_EMALFORMED;
        if (odm_str_is(s, "-")) {
                *out = ODM_ABSENT;
                return 0;
        }
        if (odm_str_u64(s, in->n, &n) < 0)
                return ODM_EMALFORMED;
        int rc = copy(j, odm_str_to(*in, n), out);
        *in = odm_str_from(*in, n);
        return rc;
}

static int load(odm_job *j, odm_str in)
{
        odm_str *const text[] = {&j->path,       &j->name,           &j->correlator,
                                 &j->url,        &j->image.name,     &j->image.version,
                                 &j->image.file, &j->image.url_http, &j->image.url_coap,
                                 &j->before,     &j->expected};
        uint64_t phase, code, instance, executed, items, left;

        if (take_number(&in, PHASE_OVER, &phase) < 0 || take_number(&in, 1999, &code) < 0 ||
            take_number(&in, NO_INSTANCE, &instance) < 0 || take_number(&in, 1, &executed) < 0 ||
            take_number(&in, 1000, &items) < 0 || take_number(&in, INT64_MAX / 2, &left) < 0)
                return ODM_EMALFORMED;
        for (size_t i = 0; i < ODM_COUNT(text); i++) {
                int rc = take_text(j, &in, text[i]);
                if (rc < 0)
                        return rc;
        }
        if (in.n > 0 || j->path.n == 0)
                return ODM_EMALFORMED;
        j->instance = (uint16_t)instance;
        j->executed = executed;
        j->items = (unsigned)items;
        j->has_image = j->image.file.p || j->image.url_http.p || j->image.url_coap.p;
        j->deadline = odm_time_add(j->now, (int64_t)left);
        j->phase = (enum phase)phase;
        if (j->phase == PHASE_OVER) {
                j->code = (unsigned)code;
                want(j, ODM_JOB_OVER);
                return make_alert(j);
        }
        return dispatch(j, EV_BEGIN);
}

int odm_job_load(odm_bridge *b, odm_str text, odm_time now)
{
        odm_str name;
        size_t place;

        if (take_word(&text, &name) < 0 || odm_bridge_task(name) == TASK_NONE ||
            place_of(b, &place) < 0)
                return ODM_EMALFORMED;
        odm_job *j = blank(b, odm_bridge_task(name), now);
        if (j == NULL)
                return ODM_ENOMEM;
        int rc = load(j, text);
        if (rc < 0)
                free_job(j);
        else
                b->job[place] = j;
        return rc;
}
