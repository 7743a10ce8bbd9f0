/* SPDX-License-Identifier: Apache-2.0 */
/* selector.h - which devices something is for, as a JSON object.  Pure.
 *
 *     {"prefix": "acme/", "tags": ["outdoor"], "model": ["M1", "M2"], "fwv": ">=1.2 <2"}
 *
 * All members hold that are there; an empty object selects every device.
 *
 *   devices              a list of names
 *   prefix               how the name begins
 *   tags                 all of them
 *   maker, model         a text, or a list of which one holds
 *   hwv, fwv, swv        a version or a range (version.h); devices that told none are not selected
 */
#ifndef NREM_SELECTOR_H
#define NREM_SELECTOR_H

#include "problem.h"
#include "store.h"

#define SELECTOR_DEVICES 10000
#define SELECTOR_LIST 64 /* of tags, makers, models */

typedef struct selector_list {
        odm_str *v;
        size_t n; /* 0: any */
} selector_list;

typedef struct selector {
        selector_list devices; /* in the order of their names, each once */
        odm_str prefix;        /* absent: any; the others too */
        selector_list tags, maker, model;
        odm_str hwv, fwv, swv;
} selector;

/* Reads the object; what is wrong goes into `p`, with `path` before the names of members (as
 * jread_init()).  Texts are borrowed from `o`, lists live in `a`.  True when nothing is wrong;
 * *out is written then only. */
bool selector_read(const json_t *o, const char *path, problem *p, odm_arena *a, selector *out);
/* From text that selector_read() has passed before: a row's.  Everything is copied into `a`.
 * 0, ODM_EMALFORMED, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int selector_parse(odm_str text, odm_arena *a, selector *out);

/* Whether the device is selected.  When it is not and `why` is there, *why is a sentence about
 * the first thing that does not hold, in `a`; absent when memory is out. */
bool selector_has(const selector *s, const store_device *d, odm_arena *a, odm_str *why);

/* What the store can tell of it by itself: prefix, and maker, model and tag where they are one. The
 * rest is selector_has()'s.  Other fields of *f stay as they are. */
void selector_filter(const selector *s, store_device_filter *f);
/* True when it cannot select a device whose name does not begin with `scope`; absent or empty:
 * always. */
bool selector_within(const selector *s, odm_str scope);
/* Whether a word is one of those, which have a blank between them, as tags have. */
bool selector_word(odm_str words, odm_str word);

#endif
