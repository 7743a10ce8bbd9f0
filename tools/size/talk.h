/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h - a session as record.c wrote it down: what the device says, what it hears then. */
#ifndef SIZE_TALK_H
#define SIZE_TALK_H

#include "odm/base.h"

struct talk_turn {
        odm_str said, heard;
};

extern const struct talk_turn talk_turns[];
extern const unsigned talk_n;

#endif
