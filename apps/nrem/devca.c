/* SPDX-License-Identifier: Apache-2.0 */
#include "devca.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cert.h"
#include "fsio.h"

#define CA_DAYS 3650
#define SERVER_DAYS 825 /* longer ones are refused by some clients */

static int path_of(const char *folder, const char *name, char out[PATH_MAX], diag *d)
{
        int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);

        return n < 0 || n >= PATH_MAX ? diag_set(d, ODM_ELIMIT, "%s: the path is too long", folder)
                                      : 0;
}

static bool both_there(const char *cert, const char *key)
{
        return access(cert, R_OK) == 0 && access(key, R_OK) == 0;
}

int devca_make(const char *folder, diag *d)
{
        char ca[PATH_MAX], ca_key[PATH_MAX], cert[PATH_MAX], key[PATH_MAX];
        char host[256] = "localhost";
        const char *names[] = {"localhost", "127.0.0.1", "::1", host, NULL};
        const cert_request r = {
                .common_name = "localhost", .names = names, .days = SERVER_DAYS, .server = true};
        bool fresh = false;
        int rc = fsio_mkdir(folder, 0700, d);

        if (rc < 0 || (rc = path_of(folder, "ca.pem", ca, d)) < 0 ||
            (rc = path_of(folder, "ca.key", ca_key, d)) < 0 ||
            (rc = path_of(folder, "server.pem", cert, d)) < 0 ||
            (rc = path_of(folder, "server.key", key, d)) < 0)
                return rc;
        if (gethostname(host, sizeof host - 1) < 0 || !host[0])
                names[3] = NULL;
        if (!both_there(ca, ca_key)) {
                rc = cert_make_ca("xrem development CA", CA_DAYS, ca, ca_key, d);
                fresh = true;
        }
        if (rc == 0 && (fresh || !both_there(cert, key)))
                rc = cert_make(&r, ca, ca_key, cert, key, d);
        return rc;
}
