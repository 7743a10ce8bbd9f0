/* SPDX-License-Identifier: Apache-2.0 */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "odm/msg.h"

static const struct kind {
        unsigned status;
        const char *word, *title;
} kinds[] = {{500, "internal", "The server failed"}, /* NONE: nobody said what is wrong */
#define X(id, status, word, title) {status, word, title},
             PROBLEMS(X)
#undef X
};

void problem_init(problem *p)
{
        *p = (problem){.kind = PROBLEM_NONE};
}

void problem_done(problem *p)
{
        json_decref(p->errors);
        p->errors = NULL;
}

void problem_set(problem *p, problem_kind kind, const char *fmt, ...)
{
        va_list ap;

        if (problem_is(p))
                return;
        p->kind = kind;
        va_start(ap, fmt);
        (void)vsnprintf(p->detail, sizeof p->detail, fmt, ap);
        va_end(ap);
        p->detail[odm_utf8_cut(odm_cstr(p->detail), sizeof p->detail)] = '\0';
}

void problem_at(problem *p, const char *name, const char *fmt, ...)
{
        char reason[256];
        va_list ap;

        va_start(ap, fmt);
        (void)vsnprintf(reason, sizeof reason, fmt, ap);
        va_end(ap);
        problem_set(p, PROBLEM_INVALID, "%s: %s", name, reason);
        if (!p->errors)
                p->errors = json_array();
        if (json_array_size(p->errors) >= PROBLEM_ERRORS_MAX)
                return;
        /* without memory the entry is missing, and the detail still tells the first */
        (void)json_array_append_new(p->errors,
                                    json_pack("{s:s, s:s}", "name", name, "reason", reason));
}

static problem_kind kind_of(int err)
{
        switch (err) {
        case ODM_ENOENT: return PROBLEM_NOT_FOUND;
        case ODM_EEXIST: return PROBLEM_EXISTS;
        case ODM_ESTATE: return PROBLEM_STATE;
        case ODM_ELIMIT: return PROBLEM_TOO_LARGE;
        case ODM_EMALFORMED:
        case ODM_EINVAL: return PROBLEM_INVALID;
        case ODM_EACCESS: return PROBLEM_FORBIDDEN;
        case ODM_EIO: return PROBLEM_UNAVAILABLE;
        default: return PROBLEM_INTERNAL;
        }
}

void problem_err(problem *p, int err, const char *what)
{
        problem_set(p, kind_of(err), "%s: %s", what, odm_err_text(err));
}

unsigned problem_status(const problem *p)
{
        return kinds[p->kind].status;
}

const char *problem_word(const problem *p)
{
        return kinds[p->kind].word;
}

static int put_text(json_t *o, const char *name, const char *text)
{
        return json_object_set_new(o, name, json_string(text));
}

json_t *problem_json(const problem *p, const char *instance)
{
        const struct kind *k = &kinds[p->kind];
        char type[64];
        json_t *o = json_object();
        int bad;

        (void)snprintf(type, sizeof type, "urn:xrem:problem:%s", k->word);
        bad = put_text(o, "type", type) | put_text(o, "title", k->title) |
              json_object_set_new(o, "status", json_integer(k->status));
        if (p->detail[0])
                bad |= put_text(o, "detail", p->detail);
        if (instance)
                bad |= put_text(o, "instance", instance);
        if (json_array_size(p->errors) > 0)
                bad |= json_object_set(o, "errors", p->errors);
        if (p->job[0])
                bad |= put_text(o, "job", p->job);
        if (p->device_status)
                bad |= json_object_set_new(o, "device_status", json_integer(p->device_status));
        if (bad) {
                json_decref(o);
                return NULL;
        }
        return o;
}
