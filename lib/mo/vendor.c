/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a vendor's command. */
#include "odm/vendor.h"

static const char *const steps[] = {[ODM_VENDOR_RUN] = "run"};

static int vendor_begin(void *ctx, odm_tasks *ts, odm_task *t, unsigned *status)
{
        (void)ctx;
        (void)ts;
        (void)status;
        odm_task_step(t, ODM_VENDOR_RUN, false);
        return 0;
}

static unsigned result_of(odm_task_cause c)
{
        switch (c) {
        case ODM_CAUSE_OK: return ODM_VENDOR_OK;
        case ODM_CAUSE_TIMEOUT: return ODM_VENDOR_TIMEOUT;
        case ODM_CAUSE_INTERRUPTED: return ODM_VENDOR_INTERRUPTED;
        case ODM_CAUSE_UNSUPPORTED: return ODM_VENDOR_UNSUPPORTED;
        default: return ODM_VENDOR_FAILED;
        }
}

static int vendor_ended(void *ctx, odm_tasks *ts, odm_task *t, const odm_task_end *e)
{
        (void)ctx;
        (void)ts;
        odm_task_finish(t, result_of(e->cause));
        return 0;
}

/* Nobody knows how far it came, and what a second run would do. */
static int vendor_resume(void *ctx, odm_tasks *ts, odm_task *t)
{
        (void)ctx;
        (void)ts;
        if (t->tries)
                odm_task_finish(t, ODM_VENDOR_INTERRUPTED);
        return 0;
}

static int vendor_report(void *ctx, const odm_task *t, size_t i, odm_arena *a, odm_alert *out)
{
        (void)ctx;
        if (i > 0)
                return 0;
        return odm_task_alert(t, ODM_STR("urn:oma:at:x-xrem-vendor:1.0:OperationComplete"), t->exec,
                              "critical", a, out);
}

const odm_task_kind odm_vendor_kind = {
        .name = "vendor",
        .steps = steps,
        .n_steps = ODM_COUNT(steps),
        .begin = vendor_begin,
        .ended = vendor_ended,
        .resume = vendor_resume,
        .report = vendor_report,
};
