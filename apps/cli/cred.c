/* SPDX-License-Identifier: Apache-2.0 */
/* Nonces and secrets: read from options, checked before they reach the library. */
#include "cred.h"

#include <string.h>

#include "io.h"

int xrem_cred_nonce(xrem *c, const xrem_args *a, const odm_nonce *otherwise, odm_nonce *out)
{
        const char *v = xrem_value(a, "nonce");
        odm_str octets;

        *out = *otherwise;
        if (v == NULL)
                return XREM_OK;
        if (xrem_octets(c, v, &octets) < 0)
                return xrem_fail(XREM_BAD_INPUT, "--nonce: '%s' is neither base64 nor hex:..", v);
        if (octets.n > ODM_NONCE_MAX)
                return xrem_fail(XREM_BAD_INPUT, "--nonce: longer than %d octets", ODM_NONCE_MAX);
        *out = (odm_nonce){.n = (uint8_t)octets.n};
        memcpy(out->p, octets.p, octets.n);
        return XREM_OK;
}

int xrem_cred_password(xrem *c, const xrem_args *a, const char **out)
{
        return xrem_cred_text(c, a, "password", "password-file", out);
}

int xrem_cred_text(xrem *c, const xrem_args *a, const char *option, const char *file_option,
                   const char **out)
{
        const char *value = xrem_value(a, option), *file = xrem_value(a, file_option);
        odm_str text;

        *out = value;
        if (file == NULL)
                return XREM_OK;
        if (value)
                return xrem_fail(XREM_USAGE, "give --%s or --%s, not both", option, file_option);
        int rc = xrem_read_file(c, file, &text);
        if (rc != XREM_OK)
                return rc;
        size_t n = 0;
        while (n < text.n && text.p[n] != '\n' && text.p[n] != '\r')
                n++;
        *out = xrem_z(c, odm_str_to(text, n));
        return XREM_OK;
}

int xrem_cred_secret(xrem *c, const xrem_args *a, odm_str user, odm_secret *out, bool *has)
{
        const char *given = xrem_value(a, "secret"), *password = NULL;
        int rc = xrem_cred_password(c, a, &password);

        *has = false;
        if (rc != XREM_OK)
                return rc;
        if (given && strlen(given) != ODM_SECRET_LEN)
                return xrem_fail(XREM_BAD_INPUT, "--secret: %d characters of base64 are expected",
                                 ODM_SECRET_LEN);
        *has = given || password;
        if (given)
                memcpy(out->b64, given, ODM_SECRET_LEN);
        else if (password)
                odm_secret_of(user, odm_cstr(password), out);
        return XREM_OK;
}
