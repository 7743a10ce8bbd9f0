/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#define HDR_OK "<Status><CmdID>90</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Data>200</Data></Status>"
#define GET(id, uri) "<Get><CmdID>" id "</CmdID><Item><Target><LocURI>" uri "</LocURI></Target></Item></Get>"
#define PKG1 "Alert 1201 | Replace ./DevInfo/DevId='IMEI:004999010640000' ./DevInfo/DmV='1.0' " \
        "./DevInfo/Ext/Color='red' ./DevInfo/Lang='en' ./DevInfo/Man='Example' ./DevInfo/Mod='X1' | Final"

static void package_1_introduces_the_device(void **state)
{
        (void)state;
        FOR_BOTH_CODECS(codec)
        {
                struct stage s;
                begins(&s, codec, STAGE_OPEN);
                starts(&s);
                hears(&s, PKG1);
                assert_str(s.heard->hdr.session_id, "A1");
                assert_str(s.heard->hdr.msg_id, "1");
                says(&s, HDR_OK GET("1", "./A/b") GET("2", "./A") "<Final/>");
                hears(&s, "Status 1/0 SyncHdr 200 | Status 1/1 Get 200 [./A/b] | Status 1/2 Get 200 [./A] | Results 1/1 ./A/b='hello' | Results 1/2 ./A:node='b/c' | Final");
                says(&s, HDR_OK "<Final/>");
                silent(&s, ODM_OUTCOME_DONE);
                stage_close(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(package_1_introduces_the_device),
        };
        return RUN_TESTS(tests);
}
