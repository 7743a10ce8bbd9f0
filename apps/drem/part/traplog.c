/* SPDX-License-Identifier: Apache-2.0 */
#include "part/traplog.h"

#include "part/ring.h"

#define LOG "TrapLog"
#define DATA 512

int traplog_add(const part_host *h, odm_str trap_id, bool active, odm_str data)
{
        char when[ODM_WALL_TEXT];
        const ring_leaf leaves[] = {
                {"TrapID", trap_id},
                {"Time", {when, sizeof when - 1}},
                {"Event", active ? ODM_STR("active") : ODM_STR("inactive")},
                {"Data", odm_str_to(data, odm_utf8_cut(data, data.n < DATA ? data.n : DATA))},
        };
        uint32_t id;
        int rc;

        if (!ring_records(h, LOG))
                return 0;
        odm_wall_format(loop_wall(), when);
        rc = ring_add(h, LOG, NULL, leaves, ODM_COUNT(leaves), &id);
        return rc < 0 ? rc : h->moved(h->ctx);
}

unsigned traplog_fullest(const part_host *h, const char **name)
{
        static const char *const logs[] = {LOG, "PanicLog", "FM"};
        unsigned percent = 0;

        if (name)
                *name = logs[0];
        for (size_t i = 0; i < ODM_COUNT(logs); i++) {
                unsigned p = ring_percent(h, logs[i]);
                if (p > percent && name)
                        *name = logs[i];
                if (p > percent)
                        percent = p;
        }
        return percent;
}
