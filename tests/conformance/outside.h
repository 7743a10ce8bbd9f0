/* SPDX-License-Identifier: Apache-2.0 */
/* outside.h - what reaches a device outside of a session: package 0, a bootstrap message, octets
 * for the decoder.  Each is made as a server makes it, or written out as octets. */
#ifndef CONFORMANCE_OUTSIDE_H
#define CONFORMANCE_OUTSIDE_H

#include "odm/bootstrap.h"
#include "teller.h"

typedef struct outside {
        teller *t;
        odm_arena *a;
        odm_tree *tree;
        odm_wall *wall;

        odm_str made; /* what the server made last */
        /* a package 0, as the device takes it */
        bool followed;
        odm_notification call;
        odm_notify_check check;
        odm_str account; /* of the server that calls */
        /* a bootstrap message */
        odm_str doc;
        odm_boot boot;
        int parsed; /* what parsing said */
        bool tried; /* to prove it; then */
        odm_boot_verdict verdict;
        odm_boot_done done;
        /* what a decoder made of octets */
        odm_str octets, xml;
        int decoded;
} outside;

/* Plays a line when its word is one of ours. */
bool outside_play(outside *o, const line *l);
/* Checks a "want" when it is one of ours. */
bool outside_want(outside *o, const line *l);
/* The session that a followed package 0 asks for. */
void outside_call(const outside *o, odm_arena *a, odm_client_opt *opt);

#endif
