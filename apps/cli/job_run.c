/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: made, waited for, and judged. */
#include <stdio.h>
#include <string.h>

#include "job.h"
#include "odm/msg.h"
#include "term.h"

#define POLL_S 1 /* the server answers earlier when the job ends; this is for the display */
#define NESTED 8 /* sequences in sequences */
#define B64_SHOWN 64
#define TEXT_SHOWN 1024

static bool has_ended(const char *state)
{
        static const char *const ends[] = {"done", "failed", "expired", "cancelled"};

        for (size_t i = 0; state && i < ODM_COUNT(ends); i++)
                if (strcmp(state, ends[i]) == 0)
                        return true;
        return false;
}

static int gave_up(xrem *c, const char *id)
{
        return xrem_fail(XREM_TIMEOUT, "no answer within %u s; the job goes on: xrem job watch %s",
                         c->set.timeout_s, id);
}

int xrem_job_wait(xrem *c, const char *id, json_t **out)
{
        const char *path = xrem_fmt(c, "/api/v1/jobs/%s?wait=%d", xrem_escape(c, id), POLL_S);
        xrem_progress p;
        json_t *job = NULL;
        int rc;

        xrem_progress_begin(&p, c, "queued");
        for (;;) {
                xrem_ask ask = {.method = "GET", .path = path, .wait_s = POLL_S, .progress = &p};

                rc = xrem_api(c, &ask, &job);
                const char *state = rc == XREM_OK ? xrem_json_z(job, "state") : NULL;
                if (rc != XREM_OK || has_ended(state))
                        break;
                if (xrem_progress_seconds(&p) >= c->set.timeout_s) {
                        xrem_progress_end(&p);
                        return gave_up(c, id);
                }
                xrem_progress_say(&p, xrem_fmt(c, "%s (job %s)", state ? state : "?", id));
        }
        xrem_progress_end(&p);
        if (c->interrupted || rc == XREM_UNREACHABLE)
                return xrem_fail(rc, "the job goes on: xrem job watch %s", id);
        if (rc == XREM_OK)
                *out = job;
        return rc;
}

int xrem_job_make(xrem *c, const xrem_args *a, const char *device, json_t *commands, bool atomic,
                  json_t **out)
{
        json_t *body = json_object(), *job = NULL;
        xrem_ask ask = {
                .method = "POST", .path = xrem_device_path(c, device, "/jobs"), .body = body};

        xrem_json_set(body, "commands", commands);
        if (atomic)
                xrem_json_set(body, "atomic", json_true());
        *out = NULL;
        int rc = xrem_api(c, &ask, &job);
        if (rc != XREM_OK)
                return rc;
        const char *id = xrem_json_z(job, "id");
        if (id == NULL)
                return xrem_fail(XREM_UNREACHABLE, "%s does not answer as nremd does",
                                 c->set.server);
        if (!xrem_has(a, "no-wait"))
                return xrem_job_wait(c, id, out);
        if (c->set.json)
                return xrem_print_json(json_incref(job));
        puts(id);
        return XREM_OK;
}

/* ---- what came of it --------------------------------------------------------------------- */

typedef struct tally {
        unsigned failed, missing; /* commands without success; of them, node not found */
} tally;

static void judge(xrem *c, const json_t *list, unsigned depth, tally *t)
{
        for (size_t i = 0; i < json_array_size(list) && depth < NESTED; i++) {
                const json_t *cmd = json_array_get(list, i);
                const json_t *inner = json_object_get(cmd, "commands");
                long long status = xrem_json_int(cmd, "status", 0);
                const char *text = xrem_json_z(cmd, "status_text"), *uri = xrem_json_z(cmd, "uri");
                const char *why = xrem_json_z(cmd, "why"), *word = xrem_json_z(cmd, "cmd");

                judge(c, inner, depth + 1, t);
                if (status == 0 || xrem_succeeded((unsigned)status))
                        continue;
                t->failed++;
                t->missing += status == ODM_ST_NOT_FOUND;
                if (text == NULL)
                        text = odm_status_text((unsigned)status);
                xrem_fail(XREM_REFUSED, "%s%s%s: %lld %s%s%s", word ? word : "", uri ? " " : "",
                          uri ? xrem_visible(c, odm_cstr(uri), false).p : "", status, text,
                          why ? ": " : "", why ? why : "");
        }
}

int xrem_job_verdict(xrem *c, const json_t *job)
{
        const char *state = xrem_json_z(job, "state"), *reason = xrem_json_z(job, "reason");
        tally t = {0};

        judge(c, json_object_get(job, "commands"), 0, &t);
        if (t.failed == 0 && state && strcmp(state, "done") == 0)
                return XREM_OK;
        if (t.failed == 0)
                xrem_fail(XREM_REFUSED, "the job %s%s%s",
                          state && strcmp(state, "failed") != 0 ? xrem_fmt(c, "is %s", state)
                                                                : "failed",
                          reason ? ": " : "", reason ? reason : "");
        return t.failed && t.failed == t.missing ? XREM_NOT_FOUND : XREM_REFUSED;
}

odm_str xrem_node_value(xrem *c, const json_t *node, bool *octets)
{
        odm_str b64 = xrem_json_str(node, "data_base64"), out;

        *octets = b64.p != NULL;
        if (b64.p == NULL)
                return xrem_json_str(node, "data");
        return odm_b64_decode(&c->arena, b64, &out) == 0 ? out : ODM_ABSENT;
}

odm_str xrem_node_text(xrem *c, const json_t *node)
{
        odm_str b64 = xrem_json_str(node, "data_base64"), text = xrem_json_str(node, "data");
        long long size = xrem_json_int(node, "size", -1);
        bool octets;

        if (b64.n > B64_SHOWN)
                return xrem_str(c, "(%zu octets)", xrem_node_value(c, node, &octets).n);
        if (text.n > TEXT_SHOWN)
                return xrem_str(c, "(%zu octets)", text.n);
        if (b64.p == NULL && text.p == NULL && size >= 0)
                return xrem_str(c, "(%lld octets)", size);
        return b64.p ? b64 : text.p ? text : ODM_STR("");
}
