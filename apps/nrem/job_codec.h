/* SPDX-License-Identifier: Apache-2.0 */
/* job_codec.h - the commands of a job: JSON as the store keeps it and REST takes it, to commands as
 * a session sends them, and what came back to values as the store keeps them.
 *
 * A job's commands are an array of objects (docs/openapi.yaml, Command):
 *
 *     cmd          get add replace delete copy exec alert sequence atomic
 *     uri          the node; for get and replace a query may follow (?list=Struct, ?prop=ACL)
 *     source       copy: the node copied from
 *     format       add replace exec; default chr, bin with data_base64
 *     type         MIME type; default text/plain, or application/octet-stream for bin
 *     data         text, or data_base64: octets
 *     correlator   exec: the alert that ends it names it
 *     code, options, items   alert: which interaction, its options, the text shown and the choices
 *     commands     sequence, atomic: the members
 *     optional     true: the job does not fail when the device refuses it as something it has not
 *     fallback     get with ?list=: false: a refused list is not read node by node
 *     split        atomic: true: where the device has no Atomic, its members go singly
 *
 * Commands are numbered in document order, members after what holds them.  An atomic job is one
 * Atomic around the array, which then is number 0. */
#ifndef NREM_JOB_CODEC_H
#define NREM_JOB_CODEC_H

#include "odm/codec.h"
#include "store.h"

#define JOB_COMMANDS_MAX 1002 /* REST lets 1000 in; an Atomic around them, and one to spare */

/* One command in its place. */
typedef struct job_cmd {
        const odm_command *c;
        int32_t parent;   /* number of the Sequence or Atomic it is a member of; -1: none */
        uint32_t members; /* commands inside, of all levels */
        bool optional;    /* what it has not may be refused */
        bool walk;        /* a Get of a list, which plain Gets may stand in for */
        bool split;       /* an Atomic that may go in pieces */
} job_cmd;

typedef struct job_commands {
        odm_command *list; /* as a session takes it */
        job_cmd *flat;     /* by number */
        uint32_t n;
        bool split; /* every Atomic among them may go in pieces, and there is one */
} job_commands;

/* Everything lives in `a`.  Returns 0, ODM_EMALFORMED for what REST would not have let in,
 * ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int job_decode(odm_str json, bool atomic, odm_arena *a, job_commands *out);

/* The commands whose `skip` is false, as a list to send, in `a`; (*map)[i] is the number in `all`
 * of the list's number i.  A Sequence keeps the members that are left; an Atomic goes whole or not
 * at all, but for one that an earlier session took apart: its members that are left go singly.  *n
 * is 0 when nothing is left.  0, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int job_remainder(const job_commands *all, const bool *skip, odm_arena *a,
                               odm_command **list, uint32_t **map, uint32_t *n);

/* The URI of a command without its query: target of the first item. */
odm_str job_uri(const odm_command *c);
/* Which list a Get asks for by its query. */
typedef enum job_list {
        JOB_NO_LIST,
        JOB_LIST_NAMES, /* ?list=Struct */
        JOB_LIST_VALUES /* ?list=StructData, ?list=TNDS... */
} job_list;
job_list job_list_of(const odm_command *c);
/* The path of a URI, without its query. */
odm_str job_path(odm_str uri);
/* True for a Status that means success: 200 to 213, 304 of no use here, 1200 to 1299.  214 to 216
 * say that something was not, or no longer, done. */
bool job_status_ok(unsigned status);

/* Whether a media type means a TNDS document, in XML or in WBXML. */
bool job_is_tnds(odm_str type);

/* An item of Results (or of an alert) as the store keeps it, base64 decoded, and a TNDS document as
 * XML text whatever it came as; text in `a` or borrowed from the item.  0, ODM_ENOMEM, ODM_ELIMIT.
 */
ODM_MUST_USE int job_value(const odm_command *c, const odm_item *item, bool binary, odm_arena *a,
                           store_value *out);

#endif
