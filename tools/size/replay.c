/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - the program for the target: the device in a session whose server is a record.  It
 * tells what memory that took. */
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "start.h"
#include "talk.h"

static odm_str post(void *ctx, odm_str message)
{
        unsigned *turn = ctx;

        if (*turn >= talk_n || !odm_str_eq(message, talk_turns[*turn].said))
                return ODM_STR("another message than it was");
        return talk_turns[(*turn)++].heard;
}

int main(void)
{
        struct device_use use = {0};
        char text[160];
        unsigned turn = 0;
        const char *wrong = device_run(post, &turn, &use);

        if (wrong == NULL && turn != talk_n)
                wrong = "less was said than it was";
        int n = snprintf(text, sizeof text,
                         "%s tree %u session %u allocations %u messages %u device %u server %u\n",
                         wrong ? wrong : "ok", (unsigned)use.tree, (unsigned)use.session,
                         (unsigned)use.allocations, use.messages, (unsigned)use.longest[0],
                         (unsigned)use.longest[1]);
        start_tell(text, n < (int)sizeof text ? (unsigned)n : sizeof text - 1);
        return wrong != NULL;
}
