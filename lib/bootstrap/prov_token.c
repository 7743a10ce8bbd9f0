/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens of Client Provisioning, see prov_token.h. */
#include "prov_token.h"

const struct prov_start odm_prov_starts[] = {
        {0, 0x05, PROV_NAME, ""},
        {0, 0x06, PROV_VALUE, ""},
        {0, 0x07, PROV_NAME, "NAME"},
        {0, 0x22, PROV_NAME, "TO-NAPID"},
        {0, 0x23, PROV_NAME, "PORTNBR"},
        {0, 0x24, PROV_NAME, "SERVICE"},
        {0, 0x45, PROV_VERSION, ""},
        {0, 0x46, PROV_VERSION, "1.0"},
        {0, 0x50, PROV_TYPE, ""},
        {0, 0x51, PROV_TYPE, "PXLOGICAL"},
        {0, 0x52, PROV_TYPE, "PXPHYSICAL"},
        {0, 0x53, PROV_TYPE, "PORT"},
        {0, 0x54, PROV_TYPE, "VALIDITY"},
        {0, 0x55, PROV_TYPE, "NAPDEF"},
        {0, 0x56, PROV_TYPE, "BOOTSTRAP"},
        {1, 0x05, PROV_NAME, ""},
        {1, 0x06, PROV_VALUE, ""},
        {1, 0x07, PROV_NAME, "NAME"},
        {1, 0x22, PROV_NAME, "TO-NAPID"},
        {1, 0x23, PROV_NAME, "PORTNBR"},
        {1, 0x2e, PROV_NAME, "AACCEPT"},
        {1, 0x2f, PROV_NAME, "AAUTHDATA"},
        {1, 0x30, PROV_NAME, "AAUTHLEVEL"},
        {1, 0x31, PROV_NAME, "AAUTHNAME"},
        {1, 0x32, PROV_NAME, "AAUTHSECRET"},
        {1, 0x33, PROV_NAME, "AAUTHTYPE"},
        {1, 0x34, PROV_NAME, "ADDR"},
        {1, 0x35, PROV_NAME, "ADDRTYPE"},
        {1, 0x36, PROV_NAME, "APPID"},
        {1, 0x37, PROV_NAME, "APROTOCOL"},
        {1, 0x38, PROV_NAME, "PROVIDER-ID"},
        {1, 0x39, PROV_NAME, "TO-PROXY"},
        {1, 0x3a, PROV_NAME, "URI"},
        {1, 0x3b, PROV_NAME, "RULE"},
        {1, 0x50, PROV_TYPE, ""},
        {1, 0x53, PROV_TYPE, "PORT"},
        {1, 0x55, PROV_TYPE, "APPLICATION"},
        {1, 0x56, PROV_TYPE, "APPADDR"},
        {1, 0x57, PROV_TYPE, "APPAUTH"},
        {1, 0x58, PROV_TYPE, "CLIENTIDENTITY"},
        {1, 0x59, PROV_TYPE, "RESOURCE"},
};
const size_t odm_prov_n_starts = ODM_COUNT(odm_prov_starts);

const struct prov_text odm_prov_texts[] = {
        {0, 0x85, "IPV4"},   {1, 0x86, "IPV6"},   {1, 0x87, "E164"}, {1, 0x88, "ALPHA"},
        {1, 0x8d, "APPSRV"}, {1, 0x8e, "OBEX"},   {1, 0x90, ","},    {1, 0x91, "HTTP-"},
        {1, 0x92, "BASIC"},  {1, 0x93, "DIGEST"},
};
const size_t odm_prov_n_texts = ODM_COUNT(odm_prov_texts);
