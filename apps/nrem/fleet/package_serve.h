/* SPDX-License-Identifier: Apache-2.0 */
/* package_serve.h - packages, fetched by devices: paths of package.h on the listeners for devices.
 */
#ifndef NREM_PACKAGE_SERVE_H
#define NREM_PACKAGE_SERVE_H

#include "fleet.h"
#include "httpd.h"

/* Whether the request is for a package: its path begins with PACKAGE_PATH. */
bool package_asked(const httpd_req *r);
/* Answers it, with ranges: content or signature; 404 for whatever is no path of a package, 405 for
 * other methods than GET and HEAD.  Any thread. */
void package_serve(fleet *f, httpd_req *r);

#endif
