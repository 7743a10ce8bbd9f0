/* SPDX-License-Identifier: Apache-2.0 */
#include "account_kept.h"

#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf.h"
#include "fsio.h"
#include "heap.h"
#include "log.h"

#define HASH 32
#define TEXT_MOST 8192
#define SECRET_MAX 512

static const char *const plain[] = {"account.server_id", "account.name",        "account.url",
                                    "account.user",      "account.server_user", NULL};
static const char *const words[] = {"account.auth", "account.server_auth", NULL};
static const char *const secrets[][2] = {
        {"account.password", "account.password_file"},
        {"account.server_password", "account.server_password_file"}};

/* All of it one after the other; an octet that no value has ends each. */
static int put_all(const cfg *c, odm_buf *b, diag *d)
{
        int rc = 0;

        for (size_t i = 0; rc == 0 && plain[i]; i++) {
                const char *v = cfg_str(c, plain[i]);

                rc = odm_buf_fmt(b, "%s\n", v ? v : "");
        }
        for (size_t i = 0; rc == 0 && words[i]; i++)
                rc = odm_buf_fmt(b, "%d\n", (int)cfg_enum(c, words[i]));
        for (size_t i = 0; rc == 0 && i < ODM_COUNT(secrets); i++) {
                char text[SECRET_MAX] = "";

                rc = conf_secret(c, secrets[i][0], secrets[i][1], text, sizeof text, d);
                if (rc == 0)
                        rc = odm_buf_fmt(b, "%s\n", text);
                odm_wipe(text, sizeof text);
        }
        return rc;
}

/* *out has room for the hexadecimal form. */
static int hash_of(const cfg *c, char out[2 * HASH + 1], diag *d)
{
        unsigned char hash[HASH];
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, TEXT_MOST);
        rc = put_all(c, &b, d);
        if (rc == 0 && gnutls_hash_fast(GNUTLS_DIG_SHA256, b.p, b.n, hash) < 0)
                rc = ODM_ENOMEM;
        for (size_t i = 0; rc == 0 && i < HASH; i++)
                (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        return rc;
}

int account_kept_write(const cfg *c, const char *folder, diag *d)
{
        char *path = fsio_join(folder, "account.kept"), text[2 * HASH + 1];
        int rc = path ? hash_of(c, text, d) : ODM_ENOMEM;

        if (rc == 0)
                rc = fsio_write(NULL, path, odm_cstr(text), 0600, d);
        free(path);
        return rc;
}

bool account_kept_differs(const cfg *c, const char *folder)
{
        char *path = fsio_join(folder, "account.kept"), text[2 * HASH + 1];
        bool differs = false;
        odm_buf b;
        int rc = path ? 0 : ODM_ENOMEM;

        odm_buf_init(&b, &heap_mem, TEXT_MOST);
        if (rc == 0)
                rc = fsio_read(path, TEXT_MOST, &b, NULL);
        if (rc == ODM_ENOENT)
                rc = account_kept_write(c, folder, NULL);
        else if (rc == 0 && hash_of(c, text, NULL) == 0)
                differs = !odm_str_eq(odm_str_trim(odm_buf_view(&b)), odm_cstr(text));
        if (rc < 0)
                log_debug("a change of the account section would not be seen", log_err(rc));
        odm_buf_done(&b);
        free(path);
        return differs;
}
