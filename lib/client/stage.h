/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - what the tests of this room share: a device with a small tree, and a server that
 * says what the test writes, in XML, and hears the client as short lines.
 *
 *     says(&s, "<Get><CmdID>1</CmdID>...</Get><Final/>");
 *     hears(&s, "Status 1/0 SyncHdr 200 | Status 1/1 Get 200 [./A] | Results 1/1 ./A='x' | Final");
 *
 * A stage plays in XML or in WBXML; lines look the same in both. */
#ifndef CLIENT_STAGE_H
#define CLIENT_STAGE_H

#include "odm/client.h"
#include "support.h"

struct stage {
        const odm_mem *mem;
        const odm_codec *codec;
        odm_tree *tree;
        odm_provider provider;
        odm_mo mo;
        odm_dmacc dmacc;
        odm_mo dmacc_mo;
        odm_provider far; /* ./Far: everything there is the host's to do */
        odm_mo far_mo;
        odm_client_opt opt;
        odm_client *c;
        seeded seed;
        odm_arena a; /* the tree's descriptions and what was heard */
        odm_time now;
        odm_wall wall;
        unsigned server_msg; /* MsgID of the server's last message */
        const char *hdr;     /* XML put into the server's SyncHdr behind Source; or NULL */
        const char *proto, *dtd, *session, *target;
        odm_prover prover; /* the server's; type NONE shows nothing */
        odm_packet sent;   /* the client's last message */
        odm_msg *heard;
        odm_str line; /* ... as text; absent when the client said nothing */
        int rc;       /* of the last call that can fail for memory */
        unsigned execs;
};

/* A device on the heap; `account` chooses the credentials below. */
enum stage_account {
        STAGE_OPEN,   /* no credentials, the transport knows the server */
        STAGE_DIGEST, /* dev-0001/s3cr3t-pw nonce 00..0f, com.mgmtsrv.manage/srv-pass a0..af */
        STAGE_MAC,    /* the same with HMAC both ways */
};
ODM_MUST_USE int stage_open(struct stage *s, const odm_mem *mem, const odm_codec *codec,
                            enum stage_account account);
void stage_close(struct stage *s);
/* Makes and starts a session with s->opt and hears its package 1. */
ODM_MUST_USE int stage_start(struct stage *s);
/* The server's message: SyncBody in XML.  The answer is heard, unless a request is open. */
ODM_MUST_USE int stage_say(struct stage *s, const char *body);
/* Its two halves: the octets of the message, and giving octets to the client. */
ODM_MUST_USE int stage_write(struct stage *s, const char *body, odm_buf *out);
ODM_MUST_USE int stage_hand_over(struct stage *s, odm_str bytes, odm_str mac);
/* Takes the client's next message, if there is one, into s->line. */
ODM_MUST_USE int stage_listen(struct stage *s);
/* Answers the open request. */
ODM_MUST_USE int stage_answer(struct stage *s, unsigned status, const char *const *items,
                              size_t n_items);

/* The same, for tests: they assert. */
void begins(struct stage *s, const odm_codec *codec, enum stage_account account);
void starts(struct stage *s);
void says(struct stage *s, const char *body);
void hears_at(struct stage *s, const char *line, const char *file, int at);
#define hears(s, text) hears_at((s), (text), __FILE__, __LINE__)
void silent_at(struct stage *s, odm_outcome o, const char *file, int at);
#define silent(s, o) silent_at((s), (o), __FILE__, __LINE__)
void answers(struct stage *s, unsigned status, const char *item);

void sets(struct stage *s, const char *uri, const char *value); /* as the device */
/* The value of a leaf, or "(none)". */
const char *value_of(struct stage *s, const char *uri);

/* Pieces of the server's messages. */
#define HDR_CODE(msg, code, more)               \
        "<Status><CmdID>h</CmdID><MsgRef>" #msg \
        "</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd>" more "<Data>" #code "</Data></Status>"
#define HDR_OK(msg) HDR_CODE(msg, 200, "")
#define STATUS(msg, ref, cmd, code)                                            \
        "<Status><CmdID>s" ref "</CmdID><MsgRef>" #msg "</MsgRef><CmdRef>" ref \
        "</CmdRef><Cmd>" cmd "</Cmd><Data>" #code "</Data></Status>"
#define CHAL(type, nonce)                                                                         \
        "<Chal><Meta><Format xmlns='syncml:metinf'>b64</Format><Type xmlns='syncml:metinf'>" type \
        "</Type><NextNonce xmlns='syncml:metinf'>" nonce "</NextNonce></Meta></Chal>"
#define META(format) "<Meta><Format xmlns='syncml:metinf'>" format "</Format></Meta>"
#define SIZE(n) "<Meta><Size xmlns='syncml:metinf'>" #n "</Size></Meta>"
#define TARGET(uri) "<Target><LocURI>" uri "</LocURI></Target>"
#define ITEM(uri, more) "<Item>" TARGET(uri) more "</Item>"
#define DATA(text) "<Data>" text "</Data>"
#define CMD(name, id, more) "<" name "><CmdID>" id "</CmdID>" more "</" name ">"
#define GET(id, uri) CMD("Get", id, ITEM(uri, ""))
#define DELETE(id, uri) CMD("Delete", id, ITEM(uri, ""))
#define EXEC(id, uri) CMD("Exec", id, ITEM(uri, ""))
#define REPLACE(id, uri, text) CMD("Replace", id, ITEM(uri, DATA(text)))
#define ADD(id, uri, text) CMD("Add", id, ITEM(uri, DATA(text)))
#define ADD_NODE(id, uri) CMD("Add", id, ITEM(uri, META("node")))
#define ALERT(id, code, items) CMD("Alert", id, DATA(code) items)
#define TEXT_ITEM(text) "<Item>" DATA(text) "</Item>"
#define PKG1_DEVINFO                                                             \
        "Replace ./DevInfo/DevId='IMEI:004999010640000' ./DevInfo/DmV='1.0' "    \
        "./DevInfo/Ext/Color='red' ./DevInfo/Lang='en' ./DevInfo/Man='Example' " \
        "./DevInfo/Mod='X1'"
#define PKG1 "Alert 1201 | " PKG1_DEVINFO " | Final"

#define FOR_BOTH_CODECS(codec)                               \
        for (const odm_codec *codec = &odm_codec_xml; codec; \
             codec = codec == &odm_codec_xml ? &odm_codec_wbxml : NULL)

#endif
