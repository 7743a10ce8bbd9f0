/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one REST request on its way through a handler.
 *
 * A handler ends in exactly one of call_reply(), call_empty(), call_text(), call_fail(),
 * call_commit() or call_wait(); after that the call is no longer its own.  The continuation given
 * to the last two is a handler again.  Helpers that return false have set the problem: the
 * handler then ends with call_fail(). */
#ifndef NREM_CALL_H
#define NREM_CALL_H

#include "api.h"
#include "jread.h"
#include "token.h"
#include "wait.h"

#define CALL_PARAMS 2
#define CALL_MEMORY ((size_t)256 << 20) /* ceiling of what one request may read together */

struct api {
        api_opt opt;
        waits *waits;
        _Atomic bool stopping;
};

typedef struct call call;

typedef enum call_access {
        ACCESS_OPEN,
        ACCESS_METRICS,
        ACCESS_VIEWER,
        ACCESS_OPERATOR,
        ACCESS_ADMIN
} call_access;

typedef struct call_route {
        const char *method, *pattern;
        call_access access;
        const char *query; /* parameters it knows, blanks between */
        bool body;         /* takes a JSON body */
        void (*fn)(call *c);
        /* For a body that is no JSON, before it comes.  True with *sink, to which it goes, and its
         * ceiling: fn follows, or sink->gone(), which ends in call_drop().  False with the problem
         * set.  NULL: no such body. */
        bool (*head)(call *c, httpd_sink *sink, size_t *max_body);
} call_route;

struct call {
        api *api;
        httpd_req *req;
        const call_route *route;
        const struct fleet_part *part; /* whose route it is; NULL: the server's own */
        odm_arena arena;               /* lives as long as the call */
        problem problem;
        odm_str param[CALL_PARAMS]; /* of the path, decoded */
        store_token who;            /* absent name: nobody */
        token_role role;
        json_t *body; /* with route->body: an object */
        int64_t now;  /* milliseconds since 1970, once a call */
        odm_time began;
        const char *allow; /* methods, for 405 */
        odm_str location;  /* of what was created */
        bool secret;       /* the answer holds a secret: never compressed */
        void (*then)(call *c, store_batch *b, int rc);
        void (*woken)(call *c, int rc);
        void *data; /* the handler's, between its parts; in the arena */
        struct {
                int64_t device; /* 0: not looked up */
                bool all;
        } covered; /* reach_covers() */
};

/* ---- ends ------------------------------------------------------------------------ */

void call_reply(call *c, unsigned status, json_t *body); /* takes body; NULL: out of memory */
void call_empty(call *c, unsigned status);
void call_text(call *c, const char *type, odm_str text);
void call_file(call *c, httpd_file *file); /* fields of REST are added; takes the descriptor */
void call_drop(call *c);                   /* nobody waits for an answer: see call_route.head */
void call_fail(call *c);                   /* with the problem that was set */
/* The answer is a stream of `type`, which is the caller's from now on; NULL when memory is out (it
 * was answered).  What the call held in its arena is gone. */
httpd_stream *call_stream(call *c, const char *type);

/* Writes the batch (taken in any case), and goes on in `then` on the writer thread, where the
 * store may not be read; b is lent to it.  With rc < 0 nothing has happened; call_refused() turns
 * it into a problem. */
void call_commit(call *c, store_batch *b, void (*then)(call *c, store_batch *b, int rc));
/* Goes on in `woken` on the loop when the job has ended, or after `ms`: see wait_fn. */
void call_wait(call *c, int64_t job, int64_t ms, void (*woken)(call *c, int rc));
/* Ends with what a refused batch means. */
void call_refused(call *c, const char *what, int rc);

/* ---- what a handler asks --------------------------------------------------------- */

/* The device of the path's first parameter, when the token may see it. */
bool call_device(call *c, store_device *out);
bool call_sees(const call *c, odm_str device_name);
/* Query parameters: absent gives the default. */
bool call_query_int(call *c, const char *name, int64_t min, int64_t max, int64_t def, int64_t *out);
odm_str call_query(call *c, const char *name);
/* The number behind an opaque id, or a problem NOT_FOUND. */
bool call_id(call *c, odm_str text, const char *what, int64_t *out);
/* With `flag=1` in the query: needs the role admin.  *out says whether it was asked. */
bool call_admin_flag(call *c, const char *flag, bool *out);
/* The page parameters; *before is 0 without a cursor. */
bool call_page(call *c, uint32_t *limit, int64_t *before);

/* What open() of the part gave whose route this is (fleet.h). */
void *call_self(const call *c);

/* A batch that holds the audit entry already; NULL with the problem set. */
store_batch *call_batch(call *c, const char *action, int64_t device, odm_str target,
                        const char *detail);
/* Adds an operation; false with the problem set when memory is out. */
bool call_op(call *c, store_batch *b, store_op_kind kind, store_op **out);
/* Adds an event {"device": name} and perhaps a member more. */
bool call_event(call *c, store_batch *b, const char *kind, int64_t device, odm_str name);

/* ---- building answers: each returns false when memory is out --------------------- */

bool put_text(json_t *o, const char *name, odm_str s); /* absent: left out */
bool put_cstr(json_t *o, const char *name, const char *s);
bool put_int(json_t *o, const char *name, int64_t v);
bool put_bool(json_t *o, const char *name, bool v);
bool put_ms(json_t *o, const char *name, int64_t ms); /* a time; 0: left out */
bool put_id(json_t *o, const char *name, int64_t id); /* as text; 0: left out */
/* {"items": items, "next": next}; takes both; `next` may be NULL.  NULL when out of memory. */
json_t *page_new(json_t *items, json_t *next);
json_t *id_text(int64_t id);

/* ---- the handlers ---------------------------------------------------------------- */

void device_list(call *c);
void device_create(call *c);
void device_show(call *c);
void device_change(call *c);
void device_remove(call *c);
void device_wake(call *c);
void tree_show(call *c);
void job_list(call *c);
void device_job_list(call *c);
void job_create(call *c);
void job_show(call *c);
void job_cancel(call *c);
void session_list(call *c);
void session_show(call *c);
void token_list(call *c);
void token_create(call *c);
void token_remove(call *c);
void whoami_show(call *c);
void audit_list(call *c);
void health_show(call *c);
void version_show(call *c);
void metrics_show(call *c);

#endif
