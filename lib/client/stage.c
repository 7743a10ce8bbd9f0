/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#define SERVER_URI "https://dm.example/s"
#define DEVICE "IMEI:004999010640000"

/* ---- the device ------------------------------------------------------------------ */

static const char vendor_ddf[] =
        "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>Vendor</NodeName>"
        "<DFProperties><AccessType><Get/><Add/></AccessType><DFFormat><node/></DFFormat>"
        "<Scope><Permanent/></Scope><DFType><DDFName/></DFType></DFProperties>"
        "<Node><NodeName>Run</NodeName><DFProperties><AccessType><Exec/><Get/></AccessType>"
        "<DFFormat><null/></DFFormat><Scope><Permanent/></Scope><DFType><MIME>text/plain</MIME>"
        "</DFType></DFProperties></Node>"
        "<Node><NodeName>Later</NodeName><DFProperties><AccessType><Exec/><Get/></AccessType>"
        "<DFFormat><chr/></DFFormat><Scope><Permanent/></Scope><DFType><MIME>text/plain</MIME>"
        "</DFType></DFProperties></Node>"
        "<Node><NodeName>Even</NodeName><DFProperties><AccessType><Replace/><Get/></AccessType>"
        "<DFFormat><int/></DFFormat><Scope><Permanent/></Scope><DFType><MIME>text/plain</MIME>"
        "</DFType><DefaultValue>2</DefaultValue></DFProperties></Node>"
        "<Node><NodeName>Free</NodeName><DFProperties><AccessType><Get/><Add/></AccessType>"
        "<DFFormat><node/></DFFormat><Scope><Permanent/></Scope><DFType><DDFName/></DFType>"
        "</DFProperties>"
        "<Node><NodeName></NodeName><DFProperties><AccessType><Get/><Add/><Replace/><Delete/><Copy/"
        ">"
        "</AccessType><DFFormat><chr/></DFFormat><Occurrence><ZeroOrMore/></Occurrence>"
        "<DFType><MIME>text/plain</MIME></DFType></DFProperties></Node></Node>"
        "</Node></MgmtTree>";

#define LEAF(name, format)                                                                 \
        "<Node><NodeName>" name "</NodeName><DFProperties><AccessType><Get/><Replace/>"    \
        "<Delete/></AccessType><DFFormat><" format "/></DFFormat><DFType><MIME>text/plain" \
        "</MIME></DFType></DFProperties></Node>"
#define NODE(name, more)                                                              \
        "<Node><NodeName>" name "</NodeName><DFProperties><AccessType><Get/><Add/>"   \
        "<Delete/></AccessType><DFFormat><node/></DFFormat><Occurrence><ZeroOrMore/>" \
        "</Occurrence><DFType><DDFName/></DFType></DFProperties>" more "</Node>"

static const char dmacc_ddf[] =
        "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>DMAcc</NodeName>"
        "<DFProperties><AccessType><Get/><Add/></AccessType><DFFormat><node/></DFFormat>"
        "<Scope><Permanent/></Scope><DFType><DDFName/></DFType></DFProperties>" NODE(
                "", LEAF("AppID", "chr") LEAF("ServerID", "chr") LEAF("AAuthPref", "chr") NODE(
                            "AppAddr", NODE("", LEAF("Addr", "chr") LEAF("AddrType", "chr") NODE(
                                                        "Port", NODE("", LEAF("PortNbr", "chr")))))
                            NODE("AppAuth",
                                 NODE("", LEAF("AAuthLevel", "chr") LEAF("AAuthType", "chr") LEAF(
                                                  "AAuthName", "chr") LEAF("AAuthSecret", "chr")
                                                  LEAF("AAuthData", "bin")))) "</Node></MgmtTree>";

static const char far_ddf[] =
        "<MgmtTree xmlns='syncml:dmddf1.2'><VerDTD>1.2</VerDTD><Node><NodeName>Far</NodeName>"
        "<DFProperties><AccessType><Get/><Add/><Replace/><Delete/><Exec/></AccessType><DFFormat>"
        "<node/></DFFormat><Scope><Permanent/></Scope><DFType><DDFName/></DFType></DFProperties>"
        "</Node></MgmtTree>";

static int far_forward(void *ctx, const odm_op *op, const odm_at *at, odm_arena *a, odm_answer *out)
{
        (void)ctx;
        (void)op;
        (void)at;
        (void)a;
        (void)out;
        return ODM_LATER;
}

static int vendor_exec(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        struct stage *s = ctx;

        (void)at;
        (void)op;
        s->execs++;
        *status = ODM_ST_OK;
        return 0;
}

static int vendor_exec_later(void *ctx, const odm_at *at, const odm_op *op, unsigned *status)
{
        (void)ctx;
        (void)at;
        (void)op;
        (void)status;
        return ODM_LATER;
}

static int vendor_read_later(void *ctx, const odm_at *at, odm_arena *a, odm_value *out)
{
        (void)ctx;
        (void)at;
        (void)a;
        (void)out;
        return ODM_LATER;
}

static int vendor_validate(void *ctx, odm_tree *t, const odm_change *list, unsigned *status)
{
        odm_arena a;
        const struct stage *s = ctx;
        odm_value v = {ODM_FMT_ABSENT};
        int rc = 0;

        odm_arena_init(&a, s->mem, 65536);
        for (; list && rc == 0; list = list->next) {
                if (!odm_str_is(list->uri, "./Vendor/Even"))
                        continue;
                rc = odm_tree_read(t, list->uri, &a, &v);
                if (rc == 0 && v.data.n && (v.data.p[v.data.n - 1] & 1))
                        *status = ODM_ST_FAILED;
        }
        odm_arena_done(&a);
        return rc;
}

static const odm_binding vendor_bindings[] = {
        {.path = "Run", .exec = vendor_exec},
        {.path = "Later", .exec = vendor_exec_later, .read = vendor_read_later},
};

static int read_ddf(struct stage *s, const char *text, odm_mo *mo)
{
        odm_limits lim;
        odm_doc *doc;
        const char *why = "";
        int rc;

        odm_limits_init(&lim);
        odm_str copy = odm_arena_copy(&s->a, odm_cstr(text));
        if (copy.p == NULL)
                return odm_arena_err(&s->a);
        rc = odm_doc_decode(copy, &lim, &s->a, &doc);
        return rc == 0 ? odm_mo_from_doc(doc->nodes, &s->a, mo, &why) : rc;
}

static int set(struct stage *s, const char *uri, odm_format f, odm_str data)
{
        odm_value v = {f, ODM_ABSENT, data};

        return odm_tree_write(s->tree, odm_cstr(uri), &v, s->wall);
}

static int set_all(struct stage *s, const char *const (*rows)[2], size_t n)
{
        int rc = 0;

        for (size_t i = 0; i < n && rc == 0; i++)
                rc = set(s, rows[i][0], ODM_FMT_CHR, odm_cstr(rows[i][1]));
        return rc;
}

static int fill_tree(struct stage *s)
{
        static const char *const leaves[][2] = {
                {"./DevInfo/DevId", DEVICE},
                {"./DevInfo/Man", "Example"},
                {"./DevInfo/Mod", "X1"},
                {"./DevInfo/DmV", "1.0"},
                {"./DevInfo/Lang", "en"},
                {"./DevInfo/Ext/Color", "red"},
                {"./DevDetail/FwV", "1.4.2"},
                {"./DMAcc/main/AppID", "w7"},
                {"./DMAcc/main/ServerID", "com.mgmtsrv.manage"},
                {"./DMAcc/main/AppAddr/1/Addr", SERVER_URI},
                {"./DMAcc/main/AppAddr/1/AddrType", "URI"},
                {"./A/b", "hello"},
                {"./A/c", ""},
        };

        const odm_op everyone = {
                .kind = ODM_CMD_REPLACE,
                .target = ODM_STR(".?prop=ACL"),
                .value = {.data = ODM_STR("Add=*&Delete=*&Exec=*&Get=*&Replace=*")},
                .has_value = true};
        odm_answer a;
        int rc = set_all(s, leaves, ODM_COUNT(leaves));

        return rc == 0 ? odm_tree_do(s->tree, &everyone, s->wall, &s->a, &a) : rc;
}

static int fill_credentials(struct stage *s, const char *type)
{
        const char *const leaves[][2] = {
                {"./DMAcc/main/AppAuth/1/AAuthLevel", "CLCRED"},
                {"./DMAcc/main/AppAuth/1/AAuthType", type},
                {"./DMAcc/main/AppAuth/1/AAuthName", "dev-0001"},
                {"./DMAcc/main/AppAuth/1/AAuthSecret", "s3cr3t-pw"},
                {"./DMAcc/main/AppAuth/2/AAuthLevel", "SRVCRED"},
                {"./DMAcc/main/AppAuth/2/AAuthType", type},
                {"./DMAcc/main/AppAuth/2/AAuthName", "com.mgmtsrv.manage"},
                {"./DMAcc/main/AppAuth/2/AAuthSecret", "srv-pass"},
        };
        char nonce[16];
        int rc = set_all(s, leaves, ODM_COUNT(leaves));

        for (int i = 0; i < 16; i++)
                nonce[i] = (char)i;
        if (rc == 0)
                rc = set(s, "./DMAcc/main/AppAuth/1/AAuthData", ODM_FMT_BIN,
                         (odm_str){nonce, sizeof nonce});
        for (int i = 0; i < 16; i++)
                nonce[i] = (char)(0xa0 + i);
        if (rc == 0)
                rc = set(s, "./DMAcc/main/AppAuth/2/AAuthData", ODM_FMT_BIN,
                         (odm_str){nonce, sizeof nonce});
        memcpy(s->prover.nonce.p, nonce, sizeof nonce);
        s->prover.nonce.n = sizeof nonce;
        return rc;
}

static int make_tree(struct stage *s, enum stage_account account)
{
        odm_tree_opt o;
        int rc;

        odm_tree_opt_init(&o, s->mem);
        rc = read_ddf(s, vendor_ddf, &s->mo);
        if (rc == 0)
                rc = read_ddf(s, dmacc_ddf, &s->dmacc_mo);
        if (rc == 0)
                rc = read_ddf(s, far_ddf, &s->far_mo);
        if (rc == 0)
                rc = odm_tree_new(&o, &s->tree);
        if (rc < 0)
                return rc;
        s->provider = (odm_provider){.name = "vendor",
                                     .mo = &s->mo,
                                     .bind = vendor_bindings,
                                     .n_bind = ODM_COUNT(vendor_bindings),
                                     .ctx = s,
                                     .validate = vendor_validate};
        odm_dmacc_init(&s->dmacc, s->mem, &s->dmacc_mo, "./DMAcc");
        s->far = (odm_provider){.name = "far", .mo = &s->far_mo, .forward = far_forward};
        rc = odm_tree_mount(s->tree, NULL, &s->provider);
        if (rc == 0)
                rc = odm_tree_mount(s->tree, NULL, &s->far);
        if (rc == 0)
                rc = odm_tree_mount(s->tree, NULL, &s->dmacc.provider);
        if (rc == 0)
                rc = fill_tree(s);
        if (rc == 0 && account != STAGE_OPEN)
                rc = fill_credentials(s, account == STAGE_MAC ? "HMAC" : "DIGEST");
        return rc;
}

int stage_open(struct stage *s, const odm_mem *mem, const odm_codec *codec,
               enum stage_account account)
{
        *s = (struct stage){.mem = mem,
                            .codec = codec,
                            .now = {1000},
                            .wall = {1000000},
                            .proto = "DM/1.2",
                            .dtd = "1.2",
                            .target = DEVICE};
        odm_arena_init(&s->a, mem, 256 << 20);
        odm_client_opt_init(&s->opt, mem);
        s->opt.rng = seeded_rng(&s->seed, 1);
        s->opt.codec = codec;
        s->opt.other = odm_codec_is_binary(codec) ? &odm_codec_xml : &odm_codec_wbxml;
        s->opt.account = ODM_STR("./DMAcc/main");
        s->opt.session_id = ODM_STR("A1");
        s->opt.secure = true;
        s->opt.server_known = account == STAGE_OPEN;
        s->prover = (odm_prover){.type = account == STAGE_DIGEST ? ODM_AUTH_MD5
                                         : account == STAGE_MAC  ? ODM_AUTH_MAC
                                                                 : ODM_AUTH_NONE,
                                 .user = ODM_STR("com.mgmtsrv.manage"),
                                 .password = ODM_STR("srv-pass")};
        return make_tree(s, account);
}

void stage_close(struct stage *s)
{
        odm_client_free(s->c);
        odm_tree_free(s->tree);
        odm_arena_done(&s->a);
}

/* ---- the server speaks ---------------------------------------------------------------- */

static odm_str cred_xml(struct stage *s)
{
        odm_cred cred = {.present = false};

        s->rc = odm_prover_cred(&s->prover, &s->a, &cred);
        if (s->rc < 0 || !cred.present)
                return ODM_STR("");
        return odm_arena_fmt(
                &s->a,
                "<Cred><Meta><Format xmlns='syncml:metinf'>b64</Format>"
                "<Type xmlns='syncml:metinf'>%.*s</Type></Meta><Data>%.*s</Data></Cred>",
                (int)cred.meta.type.n, cred.meta.type.p, (int)cred.data.n, cred.data.p);
}

static odm_str message_xml(struct stage *s, const char *body)
{
        odm_str cred = cred_xml(s), sid = odm_client_session_id(s->c);

        return odm_arena_fmt(
                &s->a,
                "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr><VerDTD>%s</VerDTD>"
                "<VerProto>%s</VerProto><SessionID>%.*s</SessionID><MsgID>%u</MsgID>"
                "<Target><LocURI>%s</LocURI></Target><Source><LocURI>" SERVER_URI "</LocURI>%s"
                "</Source>%s%.*s%s</SyncHdr><SyncBody>%s</SyncBody></SyncML>",
                s->dtd, s->proto, s->session ? (int)strlen(s->session) : (int)sid.n,
                s->session ? s->session : sid.p, s->server_msg, s->target,
                s->prover.type ? "<LocName>com.mgmtsrv.manage</LocName>" : "",
                s->hdr && !strstr(s->hdr, "<Meta>") ? s->hdr : "", (int)cred.n,
                cred.p ? cred.p : "", s->hdr && strstr(s->hdr, "<Meta>") ? s->hdr : "", body);
}

/* The XML of a message in the stage's codec. */
static int in_codec(struct stage *s, odm_str xml, odm_buf *out)
{
        odm_limits lim;
        odm_msg *m;
        int rc;

        if (!odm_codec_is_binary(s->codec))
                return odm_buf_str(out, xml);
        odm_limits_init(&lim);
        lim.max_msg = 64 << 20;
        rc = odm_decode(&odm_codec_xml, xml, &lim, &s->a, &m);
        if (rc == 0)
                rc = odm_msg_convert(m, s->codec, &s->a);
        return rc == 0 ? odm_encode(s->codec, m, out) : rc;
}

int stage_write(struct stage *s, const char *body, odm_buf *out)
{
        s->server_msg++;
        odm_str xml = message_xml(s, body);
        return xml.p ? in_codec(s, xml, out) : odm_arena_err(&s->a);
}

int stage_hand_over(struct stage *s, odm_str bytes, odm_str mac)
{
        odm_str exact = exact_bytes(bytes.p, bytes.n); /* gone right after the call */
        odm_packet p = {
                .body = exact, .mac = mac, .content_type = odm_cstr(odm_codec_mime(s->codec))};
        int rc = odm_client_recv(s->c, &p, s->now, s->wall);

        exact_free(exact);
        return rc;
}

int stage_say(struct stage *s, const char *body)
{
        odm_buf bytes, mac;
        int rc;

        s->line = ODM_ABSENT;
        odm_buf_init(&bytes, s->mem, 64 << 20);
        odm_buf_init(&mac, s->mem, 1000);
        rc = stage_write(s, body, &bytes);
        if (rc == 0 && s->prover.type == ODM_AUTH_MAC)
                rc = odm_prover_mac(&s->prover, odm_buf_view(&bytes), &mac);
        if (rc == 0)
                rc = stage_hand_over(s, odm_buf_view(&bytes),
                                     mac.n ? odm_buf_view(&mac) : ODM_ABSENT);
        odm_buf_done(&bytes);
        odm_buf_done(&mac);
        return rc == 0 ? stage_listen(s) : rc;
}

/* ---- the client is heard ------------------------------------------------------------------ */

struct ear {
        struct stage *s;
        odm_buf b;
};

static void put(struct ear *e, const char *text)
{
        if (e->s->rc == 0)
                e->s->rc = odm_buf_str(&e->b, odm_cstr(text));
}

static void put_str(struct ear *e, odm_str text)
{
        if (e->s->rc == 0)
                e->s->rc = odm_buf_str(&e->b, text);
}

static void put_number(struct ear *e, unsigned long long n)
{
        if (e->s->rc == 0)
                e->s->rc = odm_buf_fmt(&e->b, "%llu", n);
}

static void put_meta(struct ear *e, const odm_meta *m)
{
        if (m->format != ODM_FMT_ABSENT) {
                put(e, ":");
                put(e, odm_format_name(m->format));
        }
        if (m->type.p && !odm_str_is(m->type, "text/plain")) {
                put(e, ";");
                put_str(e, m->type);
        }
        if (m->mark.p) {
                put(e, "!");
                put_str(e, m->mark);
        }
        if (m->has_size) {
                put(e, "#");
                put_number(e, m->size);
        }
}

static void put_item(struct ear *e, const odm_command *cmd, const odm_item *it)
{
        odm_meta m = odm_meta_of(cmd, it);

        put(e, " ");
        if (it->target.p) {
                put(e, ">");
                put_str(e, it->target);
        }
        if (it->source.p)
                put_str(e, it->source);
        put_meta(e, &m);
        if (it->data.kind != ODM_DATA_ABSENT) {
                put(e, "='");
                if (it->data.bytes.n > 60) {
                        put(e, "...");
                        put_number(e, it->data.bytes.n);
                } else {
                        put_str(e, it->data.bytes);
                }
                put(e, "'");
        }
        if (it->more)
                put(e, "+");
}

static void put_refs(struct ear *e, const odm_ref *r)
{
        for (const odm_ref *x = r; x; x = x->next) {
                put(e, x == r ? " [" : " ");
                put_str(e, x->uri);
                if (x->next == NULL)
                        put(e, "]");
        }
}

static void put_command(struct ear *e, const odm_command *cmd)
{
        if (e->b.n)
                put(e, " | ");
        put(e, odm_cmd_name(cmd->kind));
        if (cmd->kind == ODM_CMD_STATUS || cmd->kind == ODM_CMD_RESULTS) {
                put(e, " ");
                put_str(e, cmd->msg_ref);
                put(e, "/");
                put_str(e, cmd->cmd_ref);
        }
        if (cmd->kind == ODM_CMD_STATUS) {
                put(e, " ");
                put_str(e, cmd->cmd);
        }
        if (cmd->code) {
                put(e, " ");
                put_number(e, cmd->code);
        }
        if (cmd->chal.present) {
                put(e, " chal ");
                put_str(e, cmd->chal.type);
        }
        if (cmd->correlator.p) {
                put(e, " (");
                put_str(e, cmd->correlator);
                put(e, ")");
        }
        if (cmd->kind == ODM_CMD_STATUS && !odm_str_is(cmd->cmd, "SyncHdr"))
                put_refs(e, cmd->target_refs);
        for (const odm_item *it = cmd->items; it; it = it->next)
                put_item(e, cmd, it);
}

int stage_listen(struct stage *s)
{
        odm_limits lim;
        struct ear e = {.s = s};
        int rc;

        s->line = ODM_ABSENT;
        s->heard = NULL;
        if (odm_client_send(s->c, &s->sent) != 1)
                return 0;
        odm_limits_init(&lim);
        odm_str copy = odm_arena_copy(&s->a, s->sent.body);
        rc = copy.p ? odm_decode(s->codec, copy, &lim, &s->a, &s->heard) : odm_arena_err(&s->a);
        if (rc < 0)
                return rc;
        odm_buf_init(&e.b, s->mem, 1 << 20);
        s->rc = 0;
        for (const odm_command *cmd = s->heard->body; cmd; cmd = cmd->next)
                put_command(&e, cmd);
        if (s->heard->final)
                put(&e, " | Final");
        s->line = odm_arena_copy(&s->a, odm_buf_view(&e.b));
        odm_buf_done(&e.b);
        return s->line.p ? s->rc : odm_arena_err(&s->a);
}

int stage_start(struct stage *s)
{
        int rc = odm_client_new(&s->opt, s->tree, &s->c);

        if (rc == 0)
                rc = odm_client_start(s->c, s->now, s->wall);
        return rc == 0 ? stage_listen(s) : rc;
}

int stage_answer(struct stage *s, unsigned status, const char *const *items, size_t n_items)
{
        const odm_request *req;
        odm_str text[8];
        odm_reply r = {.status = status, .items = text, .n_items = n_items};
        int rc;

        for (size_t i = 0; i < n_items; i++)
                text[i] = odm_cstr(items[i]);
        if (odm_client_next(s->c, &req) != 1)
                return ODM_ESTATE;
        rc = odm_client_answer(s->c, req->id, &r, s->now, s->wall);
        return rc == 0 ? stage_listen(s) : rc;
}

/* ---- for tests -------------------------------------------------------------------------- */

void begins(struct stage *s, const odm_codec *codec, enum stage_account account)
{
        assert_int_equal(stage_open(s, &heap, codec, account), 0);
}

void starts(struct stage *s)
{
        assert_int_equal(stage_start(s), 0);
}

void says(struct stage *s, const char *body)
{
        assert_int_equal(stage_say(s, body), 0);
}

void hears_at(struct stage *s, const char *line, const char *file, int at)
{
        if (s->line.p && odm_str_is(s->line, line))
                return;
        print_error("%s:%d (%s): heard\n  %.*s\nwant\n  %s\n%s, %s\n", file, at,
                    odm_codec_name(s->codec), (int)s->line.n, s->line.p ? s->line.p : "(nothing)",
                    line, odm_outcome_name(odm_client_outcome(s->c)), odm_client_diag(s->c));
        _fail(file, at);
}

void silent_at(struct stage *s, odm_outcome o, const char *file, int at)
{
        if (s->line.p == NULL && odm_client_outcome(s->c) == o)
                return;
        print_error("%s:%d (%s): heard %.*s, outcome %s (%s), want %s\n", file, at,
                    odm_codec_name(s->codec), (int)s->line.n, s->line.p ? s->line.p : "nothing",
                    odm_outcome_name(odm_client_outcome(s->c)), odm_client_diag(s->c),
                    odm_outcome_name(o));
        _fail(file, at);
}

void answers(struct stage *s, unsigned status, const char *item)
{
        assert_int_equal(stage_answer(s, status, &item, item ? 1 : 0), 0);
}

void sets(struct stage *s, const char *uri, const char *value)
{
        assert_int_equal(set(s, uri, ODM_FMT_CHR, odm_cstr(value)), 0);
}

const char *value_of(struct stage *s, const char *uri)
{
        odm_value v;
        int rc = odm_tree_read(s->tree, odm_cstr(uri), &s->a, &v);

        if (rc != 0)
                return "(none)";
        return odm_arena_copy(&s->a, v.data.p ? v.data : ODM_STR("")).p;
}
