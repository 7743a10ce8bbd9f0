/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h - a device from inside: what it offers, what is kept for it, its jobs. */
#ifndef BRIDGE_INNER_H
#define BRIDGE_INNER_H

#include "map.h"

#define KEPT_MAX_DEFAULT 16384
#define BACK_MS_DEFAULT ((int64_t)600 * 1000)
#define TRAPS_MAX 33 /* error codes 0 .. 32 */
#define NO_INSTANCE 0xffff
#define PAYLOAD_MAX ((size_t)1 << 20)

struct kept { /* a value of the device's tree that the gateway holds */
        struct kept *next;
        size_t path_n, data_n;
        char text[]; /* path, then value */
};

struct offer { /* an instance, or an object that has none */
        uint16_t object, instance;
        bool discovered; /* its resources are in `res` */
};

struct res {
        uint16_t object, instance, id;
};

#define SEEN_MAX 16
struct seen { /* the last value of what a condition goes by */
        uint16_t object, instance, id;
        int64_t v;
};

struct odm_bridge {
        const odm_mem *mem;
        const odm_tracer *trace;
        const odm_map *map;
        const odm_lw_registry *reg;
        char *id;
        size_t id_n;
        struct offer *offer; /* in order */
        size_t n_offer;
        struct res *res; /* in order */
        size_t n_res, cap_res;
        unsigned cts; /* bits of odm_lw_can */
        bool v1_1;
        bool no_composite; /* it said that it cannot */
        bool behind;       /* another registers for it */
        bool queue, awake;
        bool dirty;
        bool observe_news; /* what is below ./LwM2M/Observe changed */
        int64_t lifetime;
        struct kept *kept; /* in the order of their paths, a node before what is below it */
        size_t kept_bytes, kept_max;
        struct seen *seen; /* n_seen, at most SEEN_MAX */
        uint8_t n_seen, next_seen;
        uint8_t root_n; /* of the alternate path, as in names of JSON */
        char root[47];
        uint64_t trap_seen, trap_active; /* bits by error code */
        odm_job *job[ODM_BRIDGE_JOBS];
        uint32_t job_number;
        int64_t back_ms; /* how long a restart or reset may take */
};

/* ---- what it offers: bridge.c ---- */

/* Whether something is there, as far as is known: resources of an instance that was not asked for
 * them count as there. */
bool odm_bridge_has(const odm_bridge *b, odm_lw_path p);
/* The instances of an object in order: the first at or after `from`; NO_INSTANCE when none. */
uint16_t odm_bridge_instance(const odm_bridge *b, uint16_t object, uint32_t from);
int odm_bridge_add_offer(odm_bridge *b, odm_lw_path instance);
void odm_bridge_drop_offer(odm_bridge *b, odm_lw_path instance);
/* Remembers values that conditions go by. */
void odm_bridge_see(odm_bridge *b, const odm_lw_list *l);
bool odm_bridge_known(const odm_bridge *b, odm_lw_path instance); /* was discovered */

/* ---- what is kept ---- */

odm_str odm_bridge_kept(const odm_bridge *b, odm_str path); /* absent: nothing */
/* An absent value takes it away.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_bridge_keep(odm_bridge *b, odm_str path, odm_str value);
void odm_bridge_forget_below(odm_bridge *b, odm_str path); /* and at it */

/* ---- values: convert.c ---- */

/* What an instance of a row's values is taken from. */
struct from {
        const odm_bridge *b;
        const struct row *row;
        odm_lw_path source; /* its numbers filled in */
        odm_str name;       /* what the asterisk of the address is */
        const odm_lw_list *list;
};
/* The value of a leaf.  1 with *out in `a` (and *t); 0: there is none; ODM_ENOMEM, ODM_ELIMIT. */
int odm_bridge_to_dm(const struct from *f, odm_str path, odm_arena *a, odm_value *out, int64_t *t);
/* 1: the row's condition holds; 0: it does not, or its value is not in the list. */
bool odm_bridge_when(const struct from *f);
/* A value of LwM2M as one of `format`.  1, 0 for none that fits, errors. */
int odm_bridge_plain(odm_format format, const odm_lw_value *v, odm_arena *a, odm_value *out);
/* The format of a resource without a rule. */
odm_format odm_bridge_raw_format(odm_lw_type t);
/* A value of the tree for a resource of `type` (UNKNOWN: as its format is).  0, ODM_EMALFORMED,
 * ODM_ENOMEM, ODM_ELIMIT. */
int odm_bridge_to_lw(const struct row *row, odm_lw_type type, const odm_value *v, odm_arena *a,
                     odm_lw_value *out);
/* The first value at or below `p`, or NULL. */
const odm_lw_node *odm_bridge_first(const odm_lw_list *l, odm_lw_path p);
bool odm_bridge_int(const odm_lw_list *l, odm_lw_path p, int64_t *out);

/* The numbers of a row's source, with `name` for its asterisk.  False: there is no such. */
bool odm_bridge_source(const odm_bridge *b, const struct row *row, odm_str name, odm_lw_path *out);
/* Finds the row of a leaf or an order, and what its asterisk is. */
const struct row *odm_bridge_row(const odm_bridge *b, odm_str path, odm_str *name);
/* "./LwM2M/3/0/9": its path.  0; ODM_ENOENT for another address; ODM_EMALFORMED for none of LwM2M.
 */
int odm_bridge_raw(odm_str path, odm_lw_path *out);
odm_str odm_bridge_raw_uri(odm_lw_path p, odm_arena *a);

/* ---- observations: observe.c ---- */

bool odm_bridge_is_observe(odm_str path);
bool odm_bridge_observe_full(const odm_bridge *b);
/* Whether a value can be kept in a leaf of this format: numbers have to be some. */
bool odm_bridge_kept_fits(odm_format format, odm_str text);
/* Adds what servers ordered to be told of these values. */
int odm_bridge_untold_observed(odm_bridge *b, const odm_alert *alert);
int odm_bridge_tell_observed(odm_bridge *b, const odm_lw_list *l, const odm_bridge_nodes *v,
                             odm_arena *a, odm_bridge_news *out);

/* "error7" of a trap's node.  -1: no such name. */
int odm_bridge_trap_code(odm_str name);

/* ---- requests: ask.c ---- */

/* A Read whose answer can be of any format the device likes best. */
odm_lw_request odm_bridge_read_of(const odm_bridge *b, odm_lw_path p);
/* The format in which the device takes several values; and that for these, one at least. */
unsigned odm_bridge_ct_of_several(const odm_bridge *b);
unsigned odm_bridge_ct_for(const odm_bridge *b, odm_lw_path at, const odm_lw_list *l);
/* A Write of one value, or of several of an instance (partial when `update`).  0, or as encode. */
int odm_bridge_write_of(const odm_bridge *b, odm_lw_path at, const odm_lw_list *l, unsigned ct,
                        odm_arena *a, odm_lw_request *out);
/* The values in an answer, in `a`.  0, ODM_EMALFORMED ... */
int odm_bridge_answer_of(const odm_bridge *b, odm_lw_path at, const odm_lw_answer *r, odm_arena *a,
                         odm_lw_list *out);

/* ---- jobs: job.c ---- */

int odm_job_save(const odm_job *j, odm_buf *out);
int odm_job_load(odm_bridge *b, odm_str text, odm_time now);
int odm_job_new(odm_bridge *b, enum task task, odm_str path, odm_str name, const odm_job_opt *opt,
                odm_time now, odm_job **out);
bool odm_job_is_over(const odm_job *j);
enum task odm_job_task(const odm_job *j);
odm_str odm_job_name(const odm_job *j); /* what the asterisk of its address is */
/* State of ./FUMO/main, or Status of ./SCM/Download/<name>, as far as a job or the gateway makes
 * it: 0 when the device's own counts. */
unsigned odm_job_state(const odm_job *j);

#endif
