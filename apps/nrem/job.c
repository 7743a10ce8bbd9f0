/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of job.h. */
#include "job.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "gateway.h"
#include "odm/result.h"

static void say(job_verdict *v, store_job_state to, const char *text)
{
        v->to = to;
        (void)snprintf(v->reason, sizeof v->reason, "%s", text);
}

static bool is_holder(const odm_command *c)
{
        return c->kind == ODM_CMD_SEQUENCE || c->kind == ODM_CMD_ATOMIC;
}

/* ---- the end ------------------------------------------------------------------------- */

/* The command to name as the cause: in an Atomic that failed, the member that is neither rolled
 * back nor left out. */
static uint32_t cause_of(const job_commands *all, const job_answer *ans, uint32_t i)
{
        for (uint32_t k = i + 1; k <= i + all->flat[i].members; k++)
                if (ans[k].has && !job_status_ok(ans[k].status) &&
                    ans[k].status != ODM_ST_NOT_EXECUTED && ans[k].status != ODM_ST_ROLLED_BACK &&
                    !is_holder(all->flat[k].c))
                        return k;
        return i;
}

/* Refused as something the device has not, which the job can do without. */
static bool is_waived(const job_cmd *f, const job_answer *a)
{
        switch (a->status) {
        case ODM_ST_NOT_FOUND:
        case ODM_ST_NOT_ALLOWED:
        case ODM_ST_UNSUPPORTED:
        case ODM_ST_NOT_IMPLEMENTED:
        case ODM_ST_NOT_EXECUTED: return f->optional && a->has;
        default: return false;
        }
}

#define SAID_MOST 60 /* octets: with an address and a status it fits into a reason */

/* Why the device refused, in its own words. */
static odm_str said_of(const job_answer *a)
{
        if (a->alert.p || !a->text.n || odm_str_starts(a->text, "at ") || !odm_utf8_ok(a->text))
                return ODM_ABSENT;
        return odm_str_to(a->text,
                          odm_utf8_cut(a->text, a->text.n < SAID_MOST ? a->text.n : SAID_MOST));
}

static void say_failure(const job_commands *all, const job_answer *ans, uint32_t i, job_verdict *v)
{
        uint32_t k = cause_of(all, ans, i);
        odm_str whole = job_uri(all->flat[k].c), uri = odm_str_to(whole, 120);
        const char *text = !ans[k].status   ? "no answer"
                           : ans[k].alert.p ? odm_result_text(ans[k].alert, ans[k].status)
                                            : odm_result_status(whole, ans[k].status);

        odm_str said = said_of(&ans[k]);

        v->to = STORE_JOB_FAILED;
        (void)snprintf(v->reason, sizeof v->reason, "%s%s%.*s: %u %s%s%.*s%s",
                       odm_cmd_name(all->flat[k].c->kind), uri.n ? " " : "", (int)uri.n,
                       uri.p ? uri.p : "", ans[k].status, text, said.n ? " (" : "", (int)said.n,
                       said.n ? said.p : "", said.n ? ")" : "");
}

void job_finish(const job_commands *all, const job_answer *ans, job_verdict *out)
{
        for (uint32_t i = 0; i < all->n; i++)
                if (ans[i].pending) {
                        say(out, STORE_JOB_WAITING,
                            "accepted by the device; its alert has not come yet");
                        return;
                }
        for (uint32_t i = 0; i < all->n; i++) {
                if (!ans[i].has && is_holder(all->flat[i].c))
                        continue; /* its members tell */
                if (is_waived(&all->flat[i], &ans[i])) {
                        i += all->flat[i].members; /* they fall with it */
                        continue;
                }
                if (!ans[i].has || !job_status_ok(ans[i].status)) {
                        say_failure(all, ans, i, out);
                        return;
                }
        }
        say(out, STORE_JOB_DONE, "");
}

/* `pattern` is a URI whose names may be stars: any one name. */
static bool matches(odm_str uri, const char *pattern)
{
        size_t i = 0;

        for (; *pattern; pattern++) {
                if (*pattern != '*') {
                        if (i >= uri.n || uri.p[i++] != *pattern)
                                return false;
                        continue;
                }
                size_t from = i;
                while (i < uri.n && uri.p[i] != '/')
                        i++;
                if (i == from)
                        return false;
        }
        return i == uri.n;
}

/* A FactoryReset may take the tasks with it, and a RunNow has none. */
bool job_exec_is_task(odm_str uri)
{
        static const char *const execs[] = {
                "./FUMO/*/Download",
                "./FUMO/*/Update",
                "./FUMO/*/DownloadAndUpdate",
                "./SCM/Download/*/Operations/*",
                "./SCM/Inventory/*/*/Operations/*",
                "./DiagMon/*/Operations/*",
                "./DiagMon/RF/*/Operations/*",
                "./LAWMO/Operations/FullyLock",
                "./LAWMO/Operations/PartiallyLock",
                "./LAWMO/Operations/UnLock",
                "./LAWMO/Operations/Wipe",
                "./DCMO/*/Operations/*",
        };

        for (size_t i = 0; i < ODM_COUNT(execs); i++)
                if (matches(uri, execs[i]))
                        return true;
        return false;
}

#define OF_TASK GATEWAY_TASKS "/*/Operations/"
#define OF_IMAGE GATEWAY_IMAGES "/*/Operations/"

static bool is_gateways(odm_str uri)
{
        return matches(uri, OF_TASK "Start") || matches(uri, OF_IMAGE "*");
}

static odm_str beside(odm_str uri, const char *leaf, odm_arena *a)
{
        static const char operations[] = "/Operations/";
        const char *at = memmem(uri.p, uri.n, operations, strlen(operations));

        return at ? odm_arena_fmt(a, "%.*s/%s", (int)(at - uri.p), uri.p, leaf) : ODM_ABSENT;
}

odm_str job_exec_state(odm_str uri, odm_arena *a)
{
        return is_gateways(uri) ? beside(uri, "State", a) : ODM_ABSENT;
}

odm_str job_exec_mark(odm_str uri, odm_arena *a)
{
        return matches(uri, OF_IMAGE "*") ? beside(uri, "Correlator", a) : ODM_ABSENT;
}

static bool can_be_asked(const odm_command *c)
{
        return c->correlator.n && (job_exec_is_task(job_uri(c)) || is_gateways(job_uri(c)));
}

/* Done twice it does no more than once. */
static bool may_go_twice(const odm_command *c)
{
        return c->kind != ODM_CMD_EXEC || matches(job_uri(c), OF_TASK "Cancel");
}

void job_lost(const job_commands *all, const job_answer *ans, bool given, uint32_t attempts,
              uint32_t max_attempts, odm_str correlator, job_verdict *out)
{
        bool left = false;

        for (uint32_t i = 0; i < all->n; i++) {
                const odm_command *c = all->flat[i].c;
                if (ans[i].has || is_holder(c))
                        continue;
                left = true;
                if (!given || may_go_twice(c))
                        continue;
                odm_str uri = odm_str_to(job_uri(c), 100);
                out->to = STORE_JOB_WAITING;
                (void)snprintf(out->reason, sizeof out->reason,
                               "the session was lost after Exec %.*s may have been sent; %s: its "
                               "alert%s%.*s or the deadline ends the job",
                               (int)uri.n, uri.p ? uri.p : "",
                               can_be_asked(c) ? "the device will be asked" : "it is not repeated",
                               correlator.n ? " " : "", (int)odm_str_to(correlator, 40).n,
                               correlator.p ? correlator.p : "");
                return;
        }
        if (!left)
                job_finish(all, ans, out);
        else if (given && attempts >= max_attempts)
                say(out, STORE_JOB_FAILED, "every session that tried it was lost");
        else
                say(out, STORE_JOB_QUEUED,
                    given ? "the session was lost; it will be tried again"
                          : "the session ended before its turn came");
}

void job_answers(const job_commands *all, const store_result_list *l, job_answer *ans)
{
        memset(ans, 0, all->n * sizeof *ans);
        for (size_t i = 0; i < l->n; i++) {
                const store_result *r = &l->v[i];
                if (r->index >= all->n)
                        continue;
                ans[r->index] = (job_answer){
                        .has = true,
                        .status = r->status,
                        .alert = command_alert_type(r->text),
                        .text = r->text,
                        .pending = r->status == ODM_ST_ACCEPTED &&
                                   all->flat[r->index].c->kind == ODM_CMD_EXEC,
                };
        }
}

/* ---- Adds whose fate is not known -------------------------------------------------------- */

static bool is_within(odm_str uri, odm_str top)
{
        return odm_str_eq(odm_str_to(uri, top.n), top) && (uri.n == top.n || uri.p[top.n] == '/');
}

/* A Delete before it goes again, and takes away what is there. */
static bool is_deleted_first(const job_commands *all, const job_answer *ans, uint32_t add)
{
        for (uint32_t i = 0; i < add; i++)
                if (all->flat[i].c->kind == ODM_CMD_DELETE && !ans[i].has &&
                    is_within(job_uri(all->flat[add].c), job_uri(all->flat[i].c)))
                        return true;
        return false;
}

uint32_t job_to_check(const job_commands *all, const job_answer *ans, uint32_t *out)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < all->n; i++)
                if (all->flat[i].c->kind == ODM_CMD_ADD && !ans[i].has &&
                    !is_deleted_first(all, ans, i))
                        out[n++] = i;
        return n;
}

static bool is_document(odm_str type)
{
        return odm_str_starts(type, "application/vnd.syncml.dmtnds");
}

bool job_is_there(const odm_command *c, uint32_t status, const store_value *items, size_t n)
{
        const odm_item *want = c->items;
        odm_str path = job_uri(c);

        if (!job_status_ok(status) || n == 0)
                return false;
        if (is_document(want->meta.type)) /* what was added with it is not compared */
                return true;
        for (size_t i = 0; i < n; i++) {
                if (!odm_str_eq(job_path(items[i].uri), path))
                        continue;
                if (want->meta.format == ODM_FMT_NODE)
                        return odm_str_is(items[i].format, "node");
                return !odm_str_is(items[i].format, "node") &&
                       odm_str_eq(items[i].data, want->data.bytes);
        }
        return false;
}

static bool all_adds_there(const job_commands *all, const bool *there, uint32_t i)
{
        bool any = false;

        for (uint32_t k = i + 1; k <= i + all->flat[i].members; k++) {
                if (all->flat[k].c->kind != ODM_CMD_ADD)
                        continue;
                any = true;
                if (!there[k])
                        return false;
        }
        return any;
}

/* One that has an answer and members without was taken apart: they are by themselves now. */
static bool in_atomic(const job_commands *all, const job_answer *ans, uint32_t i)
{
        for (int32_t p = all->flat[i].parent; p >= 0; p = all->flat[p].parent)
                if (all->flat[p].c->kind == ODM_CMD_ATOMIC)
                        return !ans[p].has;
        return false;
}

void job_apply_check(const job_commands *all, const bool *there, job_answer *ans, bool *skip)
{
        for (uint32_t i = 0; i < all->n; i++) {
                const job_cmd *f = &all->flat[i];
                bool done =
                        f->c->kind == ODM_CMD_ATOMIC
                                ? !ans[i].has && all_adds_there(all, there, i)
                                : f->c->kind == ODM_CMD_ADD && there[i] && !in_atomic(all, ans, i);
                if (!done)
                        continue;
                for (uint32_t k = i; k <= i + f->members; k++)
                        ans[k] = (job_answer){.has = true, .status = ODM_ST_OK};
        }
        for (uint32_t i = 0; i < all->n; i++)
                skip[i] = ans[i].has;
}

bool job_is_told(const job_commands *all, const job_answer *ans)
{
        for (uint32_t i = 0; i < all->n; i++)
                if (all->flat[i].c->kind == ODM_CMD_EXEC && (!ans[i].has || ans[i].pending))
                        return false;
        return true;
}

void job_told(const job_commands *all, const job_answer *ans, job_verdict *out)
{
        bool whole = true;

        for (uint32_t i = 0; i < all->n; i++)
                whole = whole && (ans[i].has || all->flat[i].members);
        if (whole)
                job_finish(all, ans, out);
        else /* its session was lost before the rest was sent */
                say(out, STORE_JOB_QUEUED, "its alert came; what is left of it will be sent");
}

/* ---- Execs whose fate is not known ------------------------------------------------------- */

uint32_t job_in_doubt(const job_commands *all, const job_answer *ans, uint32_t *out)
{
        uint32_t n = 0;

        for (uint32_t i = 0; i < all->n; i++) {
                if (may_go_twice(all->flat[i].c) || ans[i].has)
                        continue;
                if (!can_be_asked(all->flat[i].c))
                        return 0; /* it would be sent again with the others */
                out[n++] = i;
        }
        return n;
}

bool job_is_kept(const odm_command *c, const job_task *tasks, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (odm_str_eq(tasks[i].correlator, c->correlator) &&
                    odm_str_eq(tasks[i].exec, job_uri(c)))
                        return true;
        return false;
}

void job_doubt_over(const job_commands *all, const job_answer *ans, uint32_t attempts,
                    uint32_t max_attempts, job_verdict *out)
{
        for (uint32_t i = 0; i < all->n; i++) {
                if (all->flat[i].c->kind != ODM_CMD_EXEC || ans[i].has)
                        continue;
                odm_str uri = odm_str_to(job_uri(all->flat[i].c), 100);
                bool again = attempts < max_attempts;
                out->to = again ? STORE_JOB_QUEUED : STORE_JOB_FAILED;
                (void)snprintf(out->reason, sizeof out->reason, "the device never got Exec %.*s%s",
                               (int)uri.n, uri.p,
                               again ? "; it will be sent again"
                                     : ": every session that tried it was lost");
                return;
        }
        say(out, STORE_JOB_WAITING, "the device has it; its alert has not come yet");
}

/* ---- lists that a device has not --------------------------------------------------------- */

/* Any refusal but those that plain Gets would meet too. */
bool job_wants_walk(const job_cmd *f, unsigned status, bool sent)
{
        switch (status) {
        case ODM_ST_BAD_REQUEST:
        case ODM_ST_NOT_FOUND:
        case ODM_ST_NOT_ALLOWED:
        case ODM_ST_UNSUPPORTED:
        case ODM_ST_TOO_LARGE:
        case ODM_ST_BAD_FORMAT:
        case ODM_ST_FAILED:
        case ODM_ST_NOT_IMPLEMENTED:
        case ODM_ST_NOT_EXECUTED: return f->walk && sent;
        default: return false;
        }
}

static bool changes_something(const job_commands *all, uint32_t i)
{
        for (uint32_t k = i; k <= i + all->flat[i].members; k++)
                if (all->flat[k].c->kind != ODM_CMD_GET && !is_holder(all->flat[k].c))
                        return true;
        return false;
}

uint32_t job_first_part(const job_commands *all, const bool *skip)
{
        bool list = false;

        for (uint32_t i = 0; i < all->n; i += 1 + all->flat[i].members) {
                if (list && changes_something(all, i))
                        return i;
                for (uint32_t k = i; k <= i + all->flat[i].members; k++)
                        list = list || (all->flat[k].walk && !skip[k]);
        }
        return all->n;
}

/* ---- alerts ----------------------------------------------------------------------------- */

/* An alert names the node that was executed or the object above it (mo-others.md 1.2). */
static bool names(odm_str source, odm_str uri)
{
        return odm_str_eq(source, uri) ||
               (uri.n > source.n && source.n > 0 && uri.p[source.n] == '/' &&
                odm_str_eq(odm_str_to(uri, source.n), source));
}

/* One that gathers may tell of an Exec that another one has told of. */
static bool may_be_told(const job_answer *a, bool gathers)
{
        return !a->has || a->pending || (gathers && a->told);
}

int32_t job_alerted(const job_commands *all, const job_answer *ans, odm_str correlator,
                    odm_str source, bool gathers)
{
        int32_t found = -1;

        source = job_path(source);
        for (uint32_t i = 0; i < all->n; i++) {
                const odm_command *c = all->flat[i].c;
                if (c->kind != ODM_CMD_EXEC || !may_be_told(&ans[i], gathers))
                        continue;
                bool same = correlator.n && odm_str_eq(c->correlator, correlator);
                bool named = names(source, job_uri(c));
                if (same && named)
                        return (int32_t)i;
                if (found < 0 && (correlator.n ? same : named && (ans[i].pending || ans[i].told)))
                        found = (int32_t)i;
        }
        return found;
}

static const char *const requests[] = {
        "org.openmobilealliance.dm.firmwareupdate.devicerequest",
        "org.openmobilealliance.dm.firmwareupdate.userrequest",
        "urn:oma:at:scomo:1.0:DeviceRequest",
        "urn:oma:at:scomo:1.0:UserRequest",
};

static bool is_one_of(odm_str type, const char *const *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (odm_str_ieq(type, list[i]))
                        return true;
        return false;
}

bool job_alert_ends(odm_str type)
{
        static const char *const events[] = {
                "urn:oma:at:diagmon:1.0:CollectedSimpleDataReport",
                "urn:oma:at:diagmon:1.0:TrapNotification",
                "urn:oma:at:diagmon:1.0:TrapInactiveNotification",
                "urn:oma:at:diagmon:1.0:TrapDeregistered",
                "urn:oma:at:x-xrem-fm:1.0:Alarm",
                "urn:oma:at:x-dm-scheduling:1.0:StateChange",
        };

        switch (gateway_news_of(type)) {
        case GATEWAY_NONE:
        case GATEWAY_COMPLETED:
        case GATEWAY_IMAGE: break;
        default: return false;
        }
        return !is_one_of(type, events, ODM_COUNT(events)) && !job_alert_asks(type);
}

bool job_alert_asks(odm_str type)
{
        return is_one_of(type, requests, ODM_COUNT(requests)) ||
               gateway_news_of(type) == GATEWAY_REQUEST;
}

bool job_alert_gathers(odm_str type)
{
        return odm_str_ieq(type, "urn:oma:at:scomo:1.0:OperationComplete") ||
               odm_str_ieq(type, "org.openmobilealliance.dm.softwarecomponent.OperationComplete");
}

uint32_t job_alert_status(odm_str data)
{
        static const char element[] = "<ResultCode>"; /* of alerts that carry XML */
        odm_str s = odm_str_trim(data);
        uint64_t v;
        size_t n = 0;

        if (gateway_image_result(s))
                return gateway_image_result(s);
        if (odm_str_starts(s, element))
                s = odm_str_trim(odm_str_from(s, sizeof element - 1));
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                n++;
        if (odm_str_u64(odm_str_to(s, n), 1999, &v) < 0 || v < 200)
                return ODM_ST_OK;
        return (uint32_t)v;
}
