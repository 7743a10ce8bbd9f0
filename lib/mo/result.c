/* SPDX-License-Identifier: Apache-2.0 */
/* Codes by family; vendors have the last half of each hundred. */
#include "odm/result.h"

struct meaning {
        unsigned code;
        const char *text;
};

static const struct meaning fumo[] = {
        {200, "Successful"},
        {400, "Management client error"},
        {401, "User cancelled"},
        {402, "Corrupted package"},
        {403, "Package does not fit this device"},
        {404, "Package validation failed"},
        {405, "Package not acceptable"},
        {406, "Download server demands authentication"},
        {407, "Download timed out"},
        {408, "Not implemented"},
        {409, "Undefined error"},
        {410, "Firmware update failed"},
        {411, "Malformed or bad URL"},
        {412, "Download server unavailable"},
        {500, "Download server error"},
        {501, "Download failed, out of memory"},
        {502, "Update failed, out of memory"},
        {503, "Download failed, network"},
};

static const struct meaning scomo[] = {
        {1200, "Successful"},
        {1400, "Management client error"},
        {1401, "User cancelled"},
        {1402, "Download failed"},
        {1403, "Download server demands authentication"},
        {1404, "Download failed, out of memory"},
        {1405, "Install failed"},
        {1406, "Install failed, out of memory"},
        {1407, "Package validation failed"},
        {1408, "Remove failed"},
        {1409, "Activate failed"},
        {1410, "Deactivate failed"},
        {1411, "Not implemented"},
        {1412, "Undefined error"},
        {1413, "Unsupported environment type"},
        {1500, "Download server error"},
        {1501, "Download server unavailable"},
};

static const struct meaning diagmon[] = {
        {1200, "Successful"},
        {1400, "Client error"},
        {1401, "User cancelled"},
        {1402, "Start failed"},
        {1403, "Stop failed"},
        {1404, "Bad or missing configuration"},
        {1405, "Memory limit reached, data usable"},
        {1406, "The data could not be delivered"},
        {1411, "Not implemented"},
        {1412, "Undefined error"},
        {1500, "Data server error"},
        {1501, "Data server unavailable"},
};

static const struct meaning lawmo[] = {
        {1200, "Successful"},
        {1201, "Data wiped"},
        {1202, "Data and the selected items wiped"},
        {1400, "Management client error"},
        {1401, "User cancelled"},
        {1402, "Fully lock failed"},
        {1403, "Partially lock failed"},
        {1404, "Unlock failed"},
        {1405, "Wipe failed"},
        {1406, "Wipe not performed"},
};

static const struct meaning dcmo[] = {
        {1200, "Successful"},
        {1400, "Management client error"},
        {1401, "User cancelled"},
        {1402, "Enable failed"},
        {1403, "Disable failed"},
        {1404, "Capability not attached or not available"},
        {1405, "Not allowed by local policy"},
        {1411, "Not implemented"},
        {1412, "Undefined error"},
};

static const struct meaning vendor[] = {
        {1200, "Successful"},
        {1402, "The command failed"},
        {1403, "The command took too long"},
        {1404, "The device was started again meanwhile"},
        {1411, "Not implemented"},
};

static const struct meaning scheduling[] = {
        {1200, "All commands succeeded"}, {1201, "Some commands succeeded"},
        {1400, "Client error"},           {1401, "User cancelled"},
        {1402, "All commands failed"},    {1403, "The owner has not the right, or is gone"},
        {1404, "Bad configuration"},      {1405, "Run missed"},
        {1406, "User put it off"},        {1411, "Not implemented"},
        {1412, "Undefined error"},
};

static const struct family {
        const char *type; /* how it begins */
        const struct meaning *list;
        size_t n;
        unsigned thousand;
        const char *place; /* what its nodes begin with (mo-others.md 1.6) */
} families[] = {
        {"org.openmobilealliance.dm.firmwareupdate.", fumo, ODM_COUNT(fumo), 0, "./FUMO/"},
        {"urn:oma:at:oma-gwmo:imageready:", fumo, ODM_COUNT(fumo), 0, NULL},
        {"urn:oma:at:diagmon:", diagmon, ODM_COUNT(diagmon), 1000, "./DiagMon/"},
        {"urn:oma:at:dcmo:", dcmo, ODM_COUNT(dcmo), 1000, "./DCMO/"},
        {"urn:oma:at:lawmo:", lawmo, ODM_COUNT(lawmo), 1000, "./LAWMO/"},
        {"urn:oma:at:x-xrem-vendor:", vendor, ODM_COUNT(vendor), 1000, NULL},
        {"urn:oma:at:x-dm-scheduling:", scheduling, ODM_COUNT(scheduling), 1000, "./Schedule/"},
        {"urn:oma:at:scomo:", scomo, ODM_COUNT(scomo), 1000, "./SCM/"},
        {"org.openmobilealliance.dm.softwarecomponent.", scomo, ODM_COUNT(scomo), 1000, "./SCOMO/"},
};

static const char *of_vendor(unsigned code)
{
        switch (code / 50) {
        case 5: return "Successful, as the vendor specifies";
        case 9: return "Client error, as the vendor specifies";
        case 11: return "Download server error, as the vendor specifies";
        default: return "Unknown result";
        }
}

static const char *meaning_in(const struct family *f, unsigned code)
{
        for (size_t i = 0; i < f->n; i++)
                if (f->list[i].code == code)
                        return f->list[i].text;
        return of_vendor(code - f->thousand);
}

const char *odm_result_text(odm_str type, unsigned code)
{
        static const char prefix[] = "Reversed-Domain-Name:";

        type = odm_str_trim(type);
        if (odm_str_starts(type, prefix))
                type = odm_str_trim(odm_str_from(type, sizeof prefix - 1));
        for (size_t f = 0; f < ODM_COUNT(families); f++)
                if (odm_str_starts(type, families[f].type))
                        return meaning_in(&families[f], code);
        if (code / 100 == 12)
                return "Successful";
        if (code / 100 == 14 || code / 100 == 15)
                return "Failed, in the object's own codes";
        return odm_status_text(code);
}

const char *odm_result_status(odm_str uri, unsigned code)
{
        bool own = code / 100 == 12 || code / 100 == 14 || code / 100 == 15;

        for (size_t f = 0; own && f < ODM_COUNT(families); f++)
                if (families[f].place && odm_str_starts(uri, families[f].place))
                        return meaning_in(&families[f], code);
        return odm_result_text(ODM_ABSENT, code);
}
