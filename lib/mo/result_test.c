/* SPDX-License-Identifier: Apache-2.0 */
#include "odm/result.h"

#include "support.h"

#define FUMO "org.openmobilealliance.dm.firmwareupdate.update"
#define SCOMO "urn:oma:at:scomo:1.0:OperationComplete"
#define LAWMO "urn:oma:at:lawmo:1.0:OperationComplete"
#define DCMO "urn:oma:at:dcmo:1.0:OperationComplete"
#define DIAG "urn:oma:at:diagmon:1.0:OperationComplete"
#define SCHED "urn:oma:at:x-dm-scheduling:1.0:TaskResult"

static void the_family_tells(void **state)
{
        static const struct {
                const char *type;
                unsigned code;
                const char *text;
        } rows[] = {
                {FUMO, 200, "Successful"},
                {FUMO, 411, "Malformed or bad URL"},
                {"Reversed-Domain-Name: " FUMO, 404, "Package validation failed"},
                {FUMO, 250, "Successful, as the vendor specifies"},
                {FUMO, 299, "Successful, as the vendor specifies"},
                {FUMO, 450, "Client error, as the vendor specifies"},
                {FUMO, 599, "Download server error, as the vendor specifies"},
                {FUMO, 602, "Unknown result"},
                {FUMO, 300, "Unknown result"},
                {SCOMO, 1407, "Package validation failed"},
                {SCOMO, 1460, "Client error, as the vendor specifies"},
                {SCOMO, 200, "Unknown result"},
                {DIAG, 1405, "Memory limit reached, data usable"},
                {DIAG, 1470, "Client error, as the vendor specifies"},
                {LAWMO, 1202, "Data and the selected items wiped"},
                {LAWMO, 1406, "Wipe not performed"},
                {LAWMO, 1250, "Successful, as the vendor specifies"},
                {DCMO, 1404, "Capability not attached or not available"},
                {DCMO, 1202, "Unknown result"},
                {SCHED, 1201, "Some commands succeeded"},
                {SCHED, 1405, "Run missed"},
                {SCHED, 1499, "Client error, as the vendor specifies"},
                {NULL, 411, "Size required"},
                {NULL, 1200, "Successful"},
                {NULL, 1404, "Failed, in the object's own codes"},
                {"org.example.other", 404, "Not found"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_string_equal(odm_result_text(odm_cstr(rows[i].type), rows[i].code),
                                    rows[i].text);
}

static void the_node_tells(void **state)
{
        static const struct {
                const char *uri;
                unsigned code;
                const char *text;
        } rows[] = {
                {"./LAWMO/Operations/Wipe", 1406, "Wipe not performed"},
                {"./SCM/Download/a/Operations/DownloadInstall", 1413,
                 "Unsupported environment type"},
                {"./SCOMO/Inventory/Deployed/a/Operations/Remove", 1408, "Remove failed"},
                {"./DCMO/cam/Operations/Disable", 1200, "Successful"},
                {"./DiagMon/Memory/Operations/Start", 1404, "Bad or missing configuration"},
                {"./Schedule/a/Operations/RunNow", 1402, "All commands failed"},
                {"./DiagMon/Memory/Operations/Start", 405, "Command not allowed"},
                {"./FUMO/main/Update", 404, "Not found"}, /* no code of its own in a Status */
                {"./FUMO/main/Update", 200, "OK"},
                {"./Vendor/x/Run", 1404, "Failed, in the object's own codes"},
                {"./LAWMOX/y", 1406, "Failed, in the object's own codes"},
                {"", 1200, "Successful"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                assert_string_equal(odm_result_status(odm_cstr(rows[i].uri), rows[i].code),
                                    rows[i].text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(the_family_tells),
                                           cmocka_unit_test(the_node_tells)};

        return RUN_TESTS(tests);
}
