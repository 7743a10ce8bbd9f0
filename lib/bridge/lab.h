/* SPDX-License-Identifier: Apache-2.0 */
/* lab.h - what the tests of this room share: the map that ships, and a device of theirs. */
#ifndef BRIDGE_LAB_H
#define BRIDGE_LAB_H

#include "odm/bridge.h"
#include "support.h"

#define LAB_VALUES 96
#define LAB_LOG 4096

typedef struct lab_value {
        odm_lw_path path; /* of a resource or resource instance */
        char text[64];
} lab_value;

typedef struct lab {
        const odm_mem *mem;
        odm_map *map;
        odm_bridge *b;
        lab_value v[LAB_VALUES];
        size_t n;
        char log[LAB_LOG]; /* "Read /3/0; Write /3/0/13 20;" ... */
        size_t log_n;
        unsigned refuse; /* code of the next answer instead of its own; 0: none */
        bool silent;     /* it answers nothing */
        bool tlv_only;   /* 4.15 to text */
        odm_arena a;
} lab;

extern const char *lab_map_path; /* argv[1] of the test */
extern const char *lab_map_text; /* instead of what is at that path; NULL */

/* A device that offers `links`, of `version`; the map is that of lab_map_path. */
int lab_open(lab *l, const odm_mem *mem, const char *links, const char *version);
void lab_close(lab *l);
void lab_set(lab *l, const char *path, const char *text);
void lab_del(lab *l, const char *path);
const char *lab_get(const lab *l, const char *path); /* NULL: none */
/* Answers a request as the device would, and notes it in the log. */
odm_lw_answer lab_answer(lab *l, const odm_lw_request *rq);
/* Runs a plan to its end; that it comes there: its result. */
int lab_run(lab *l, odm_plan *p);
const odm_plan_result *lab_done(lab *l, odm_plan *p);
/* The nodes of a result: "./DevInfo/Man chr=Acme; ./DevInfo node" */
const char *lab_nodes(lab *l, odm_bridge_nodes nodes);
/* A list of one value, for odm_bridge_told(). */
odm_lw_list lab_list(lab *l, const char *path);

/* The device of most tests. */
#define LAB_LINKS "</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</8/0>,</9/0>,</9/2>,</3303/0>"
void lab_furnish(lab *l);
/* Opens a device of 1.0 on the heap, furnished. */
void lab_begin(lab *l, const char *links);

/* Orders of one path, after which the log tells of nothing else: what came of it. */
void lab_forget(lab *l);
const odm_plan_result *lab_read(lab *l, const char *path, odm_ask ask);
unsigned lab_write(lab *l, const char *path, odm_format format, const char *value);
unsigned lab_create(lab *l, const char *path, odm_format format, const char *value);
/* The device tells of what it has at `path`. */
odm_bridge_news lab_told(lab *l, const char *path);

#endif
