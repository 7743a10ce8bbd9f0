/* SPDX-License-Identifier: Apache-2.0 */
/* sdnotify.h - tells the service manager how the program is, where there is one. */
#ifndef HOST_SDNOTIFY_H
#define HOST_SDNOTIFY_H

/* Sends `state` ("READY=1", "STOPPING=1") to $NOTIFY_SOCKET, one datagram.  Without one, or when it
 * does not take it, nothing happens: the program runs all the same. */
void sdnotify(const char *state);

#endif
