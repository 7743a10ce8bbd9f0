/* SPDX-License-Identifier: Apache-2.0 */
/* Saved sessions that nobody saved.  What loads must save again, load from that, and go on
 * with a message without falling over; the first saved form must be stable. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "odm/server.h"

static void *plain_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static int zeros(void *ctx, void *p, size_t n)
{
        (void)ctx;
        memset(p, 0x5a, n);
        return 0;
}

static const odm_mem mem = {plain_resize, NULL};

static const char next_message[] =
        "<SyncML "
        "xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>"
        "<SessionID>A1</SessionID><MsgID>2</MsgID><Target><LocURI>x</LocURI></Target>"
        "<Source><LocURI>IMEI:1</LocURI></Source></SyncHdr><SyncBody>"
        "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd>"
        "<Data>212</Data></Status>"
        "<Status><CmdID>2</CmdID><MsgRef>1</MsgRef><CmdRef>4</CmdRef><Cmd>Get</Cmd><Data>213</Data>"
        "</Status><Alert><CmdID>3</CmdID><Data>1222</Data></Alert><Final/></SyncBody></SyncML>";

static void go_on(odm_server *s)
{
        odm_item item = {.target = ODM_STR("./A"), .data = {ODM_DATA_TEXT, ODM_STR("v")}};
        odm_command list = {.kind = ODM_CMD_REPLACE, .items = &item};
        odm_packet in = {.body = odm_cstr(next_message)};
        const odm_event *ev;

        if (odm_server_recv(s, &in, (odm_time){0}) < 0)
                return;
        while (odm_server_next(s, &ev) == 1)
                if (ev->kind == ODM_EV_WORK) {
                        odm_job job = {.id = ev->job, .commands = &list};
                        (void)!odm_server_work(s, ev->job ? &job : NULL);
                }
}

static void check(odm_str saved)
{
        odm_server_opt opt;
        odm_server *s, *t;
        odm_buf one, two;

        odm_server_opt_init(&opt, &mem);
        opt.rng = (odm_rng){zeros, NULL};
        opt.server_uri = ODM_STR("http://s");
        opt.peer.known = true;
        opt.peer.type = ODM_AUTH_NONE;
        opt.max_memory = 4u << 20;
        if (odm_server_load(&opt, saved, &s) < 0)
                return;
        odm_buf_init(&one, &mem, 8u << 20);
        odm_buf_init(&two, &mem, 8u << 20);
        if (odm_server_save(s, &one) == 0) {
                assert(odm_server_load(&opt, odm_buf_view(&one), &t) == 0);
                assert(odm_server_save(t, &two) == 0);
                assert(odm_str_eq(odm_buf_view(&one), odm_buf_view(&two)));
                odm_server_free(t);
        }
        go_on(s);
        odm_buf_done(&one);
        odm_buf_done(&two);
        odm_server_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        check((odm_str){(const char *)data, n});
        return 0;
}
