/* SPDX-License-Identifier: Apache-2.0 */
/* device.h - a device for tests that cross rooms: a tree with the standard objects and the
 * lab (lab.ddf), an account, and a disk that keeps the records of transactions.
 *
 * The disk is octets with a mark: what stands before the mark is durable.  device_crash()
 * loses the tree and some of what is not, and starts again from the rest. */
#ifndef DEVICE_H
#define DEVICE_H

#include "odm/client.h"

#define DEVICE_RUNS 64

typedef struct device_account {
        odm_auth_type type, server_type; /* CLCRED, SRVCRED */
        const char *user, *password, *server_user, *server_password, *server_id, *addr;
        odm_nonce nonce, server_nonce;
} device_account;

typedef struct device {
        const odm_mem *mem;
        odm_tree *tree;
        odm_dmacc dmacc;
        odm_provider lab; /* a copy of the lab's provider, with us as ctx */
        odm_tree_opt opt;
        odm_buf disk; /* records, each with four octets of length before it */
        size_t durable;
        bool disk_fails;                      /* the log refuses */
        uint32_t runs;                        /* of ./Vendor/lab/Run */
        char job_uri[64], job_correlator[64]; /* of the last Exec of ./Vendor/lab/Slow */
        uint8_t *ran;                         /* how often each number was run; n_ran of them */
        size_t n_ran;
        const char *acl; /* of the root; NULL: as the tree makes it */
        device_account account;
        int64_t wall;
} device;

void device_account_init(device_account *a); /* dev/pw, srv/spw, DIGEST both, empty nonces */
/* Makes the tree, mounts the objects, writes the account.  0, ODM_ENOMEM. */
ODM_MUST_USE int device_open(device *d, const odm_mem *mem, const device_account *a,
                             const char *acl);
/* The same with the limits of `limits` (uri, max_nodes, max_value, max_bytes ...). */
ODM_MUST_USE int device_open_limited(device *d, const odm_mem *mem, const device_account *a,
                                     const char *acl, const odm_tree_opt *limits);
void device_close(device *d);
void device_sync(device *d); /* what the log took is durable */
/* The power goes, and comes again; `keep` says how many octets of what was not durable are there
 * (a record cut short is lost). */
ODM_MUST_USE int device_crash(device *d, size_t keep);
/* The tree's whole state as octets, appended to `out`. */
ODM_MUST_USE int device_state(device *d, odm_buf *out);
/* Reads a leaf as text into buf; false when it is not there. */
bool device_read(device *d, const char *uri, char *buf, size_t n);

#endif
