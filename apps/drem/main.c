/* SPDX-License-Identifier: Apache-2.0 */
/* dremd: the agent that makes a machine a managed device. */
#include "daemon.h"

/* What gremd, which has an object of that name itself, is without. */
static const part_class *const own_parts[] = {&part_gwlink, NULL};
static const agent_app app = {.parts = own_parts, .program = "dremd"};

int main(int argc, char **argv)
{
        const daemon_program p = {
                .name = "dremd",
                .version = XREM_VERSION,
                .about = "Makes this machine a device that an OMA DM server manages.",
                .config = "/etc/xrem/dremd.conf",
                .keys = conf_keys,
                .n_keys = conf_keys_n,
                .check = conf_check,
                .app = &app,
        };

        return daemon_main(&p, argc, argv);
}
