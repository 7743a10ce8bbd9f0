/* SPDX-License-Identifier: Apache-2.0 */
/* plugin_bad.c - for plugin_test: an adapter with one thing wrong with it, BAD. */
#include "adapter.h"

static int never_open(const adapter_host *h, void **out, diag *d)
{
        (void)h;
        (void)out;
        (void)d;
        return ODM_EIO;
}

static unsigned no_caps(void *a, gw_device *d, void *native)
{
        (void)a;
        (void)d;
        (void)native;
        return 0;
}

static void nothing(void *a)
{
        (void)a;
}

static const cfg_key keys[] = {{"other.key", CFG_INT, "1", "Not ours.", 0, 0}};

enum { NO_FAULT, NO_SYMBOL, VERSION, SIZE, NAME, TAKEN, NO_OPEN, KEY };

#define THE_NAME (BAD == NAME ? "No Name" : BAD == TAKEN ? "fake" : "bad")

#if BAD == 1
#define adapter_v1 adapter_v0
#endif
extern const adapter_class adapter_v1;
const adapter_class adapter_v1 = {
        .version = ADAPTER_VERSION + (BAD == VERSION),
        .size = sizeof(adapter_class) - 8 * (BAD == SIZE),
        .name = THE_NAME,
        .keys = keys,
        .n_keys = BAD == KEY,
        .open = BAD == NO_OPEN ? NULL : never_open,
        .caps = no_caps,
        .close = nothing,
};
