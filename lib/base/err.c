/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/base.h"

const char *odm_err_name(int err)
{
        switch (err) {
#define X(name, value, text) \
        case value: return #name;
                ODM_ERRORS(X)
#undef X
        default: return err >= 0 ? "OK" : "E?";
        }
}

const char *odm_err_text(int err)
{
        switch (err) {
#define X(name, value, text) \
        case value: return text;
                ODM_ERRORS(X)
#undef X
        default: return err >= 0 ? "success" : "unknown error";
        }
}
