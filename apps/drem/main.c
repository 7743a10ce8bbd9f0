/* SPDX-License-Identifier: Apache-2.0 */
/* dremd: the agent that makes a machine a managed device. */
#include "daemon.h"

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
        };

        return daemon_main(&p, argc, argv);
}
