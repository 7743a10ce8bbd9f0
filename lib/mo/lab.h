/* SPDX-License-Identifier: Apache-2.0 */
/* lab.h - for the tests of objects: a tree whose log is kept record by record, so that the power
 * can be cut after any of them; and what a server would do and be told. */
#ifndef MO_LAB_H
#define MO_LAB_H

#include "odm/task.h"
#include "support.h"

#define LAB_NOW ((odm_wall){1290000000})
#define LAB_LOG 2048

typedef struct lab {
        const odm_mem *mem;
        odm_tree *tree;
        odm_tasks *tasks;
        odm_str log[LAB_LOG]; /* on the heap */
        size_t n_log;
        bool log_fails;
        char said[2048]; /* the alerts of lab_report(), a line each: "CODE type source mark data
                            correlator" */
        uint64_t last_alert;
} lab;

/* Makes tree and tasks; `mount` puts the objects on and makes their kinds known. */
int lab_open(lab *l, const odm_mem *mem, int (*mount)(lab *l));
void lab_close(lab *l);
/* The device as it starts again when only the first `n` records had reached the disk: in `to`,
 * which must be new. */
int lab_restart(const lab *from, size_t n, lab *to, int (*mount)(lab *l), int (*made)(lab *l));
/* An operation of server "srv"; the status. */
int lab_exec(lab *l, const char *uri, const char *correlator, unsigned *status);
int lab_set(lab *l, const char *uri, odm_format format, const char *data, unsigned *status);
int lab_delete(lab *l, const char *uri, unsigned *status);
/* The value of a leaf, "(none)" when it is not there; until the next call. */
const char *lab_get(lab *l, const char *uri);
/* What a session with "srv" would be told, into l->said. */
int lab_tell(lab *l);
/* The same, the server's answer to each, and the end of the session. */
int lab_report(lab *l, unsigned status);
/* Lends `steps` steps, ends each well, and reports what came of it with 200. */
int lab_finish(lab *l, unsigned steps);

#endif
