/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - a small device: the standard objects in a tree, an account, and one session.
 *
 * record.c runs it beside the server engine and writes down what the server said; replay.c runs
 * it on the target, where it hears the same. Both see the same randomness, so the device has to
 * say the same as well. */
#ifndef SIZE_DEVICE_H
#define SIZE_DEVICE_H

#include "odm/client.h"

#define DEVICE_ID "IMEI:004999010640000"
#define DEVICE_USER "dev-0001"
#define DEVICE_PASSWORD "s3cr3t-pw"
#define DEVICE_SERVER "com.example.dm"
#define DEVICE_SERVER_PASSWORD "srv-pass"
#define DEVICE_URI "http://dm.example/s"
#define DEVICE_NONCE "first-of-device." /* 16 octets each */
#define DEVICE_SERVER_NONCE "first-of-server."
#define DEVICE_MESSAGE 4096 /* octets of the largest message, either way */

struct device_memory {
        size_t live, most, calls; /* octets asked for now, at the most, and how often */
};

/* Octets of memory: what the tree keeps, and what a session takes beside it at the most. */
struct device_use {
        size_t tree, session, allocations;
        unsigned messages;
        size_t longest[2]; /* message: of the device, of the server */
};

/* Posts a message and gives the reply, which stays until the next call. */
typedef odm_str (*device_post)(void *ctx, odm_str message);

/* Plays one session.  Returns NULL and fills *out, or says what went wrong. */
const char *device_run(device_post post, void *ctx, struct device_use *out);

/* The same randomness each time, from *seed. */
int device_fill(void *seed, void *p, size_t n);

#endif
