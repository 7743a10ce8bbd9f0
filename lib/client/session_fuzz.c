/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session in which the fuzzer is the server, and chooses what the host answers, when the
 * clock moves and which allocation fails.
 *
 *     octet 0: codec, account, what the device can do     octet 1: allocation to fail
 *     then records: kind, length (two octets), content
 *
 * What must hold: what the client says decodes, is of its session and within its limits; after the
 * end it is silent and no transaction is open; a server that has not proved itself has
 * changed nothing. */
#include <stdlib.h>

#include "stage.h"

#define SENT_MAX 65536
#define RECORDS_MOST 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { RAW, BODY, ANSWER, TICK, ABORT, ALERT, HEADER, SILENCE };

struct input {
        const uint8_t *p;
        size_t n;
};

static void expect(bool held)
{
        if (!held)
                abort();
}

static uint8_t take(struct input *in)
{
        if (in->n == 0)
                return 0;
        in->n--;
        return *in->p++;
}

static odm_str take_record(struct input *in)
{
        size_t n = take(in);

        n |= (size_t)take(in) << 8;
        if (n > in->n)
                n = in->n;
        odm_str s = {(const char *)in->p, n};
        in->p += n;
        in->n -= n;
        return s;
}

/* Hears the client, and judges what it says. */
static int hear(struct stage *s, uint32_t *msg_id)
{
        int rc = stage_listen(s);

        if (rc < 0 || s->heard == NULL)
                return rc;
        uint32_t id = odm_ref_number(s->heard->hdr.msg_id);
        expect(id == *msg_id || id == *msg_id + 1); /* the same again, or the next */
        *msg_id = id;
        expect(s->sent.body.n <= SENT_MAX);
        expect(odm_str_is(s->heard->hdr.session_id, "A1"));
        return 0;
}

static int say_body(struct stage *s, odm_str body)
{
        odm_buf bytes;
        char *z = malloc(body.n + 1);
        int rc;

        expect(z != NULL);
        memcpy(z, body.p, body.n);
        z[body.n] = '\0';
        odm_buf_init(&bytes, s->mem, 1 << 20);
        rc = stage_write(s, z, &bytes);
        if (rc == 0)
                rc = stage_hand_over(s, odm_buf_view(&bytes), ODM_ABSENT);
        else if (rc != ODM_ENOMEM)
                rc = 0; /* the fuzzer's XML was none */
        odm_buf_done(&bytes);
        free(z);
        return rc;
}

static int answer(struct stage *s, odm_str how)
{
        static const unsigned statuses[] = {200, 202, 304, 214, 408, 404, 500, 1201, 216, 213, 0};
        const odm_request *req;
        odm_result result = {.uri = ODM_STR("./Vendor/Later"), .value = {.data = how}};
        odm_reply r = {.results = &result, .items = &how, .n_items = how.n % 2};

        if (odm_client_next(s->c, &req) != 1)
                return 0;
        uint8_t pick = how.n ? (uint8_t)how.p[0] : 0;
        r.status = statuses[pick % ODM_COUNT(statuses)];
        result.has_data = pick & 1;
        if (req->kind == ODM_REQ_ALERTED)
                return 0;
        return odm_client_answer(s->c, req->id, &r, s->now, s->wall);
}

static int alert(struct stage *s, odm_str data)
{
        const odm_alert a = {.id = 1,
                             .code = ODM_ALERT_GENERIC,
                             .type = ODM_STR("com.example/x"),
                             .data = odm_utf8_ok(data) ? data : ODM_STR("?")};
        int rc = odm_client_alert(s->c, &a);

        return rc == ODM_ENOMEM ? rc : 0;
}

static int tick(struct stage *s)
{
        odm_time at = odm_client_deadline(s->c);

        if (at.ms != ODM_NEVER.ms)
                s->now = at;
        return odm_client_tick(s->c, s->now);
}

static int one_record(struct stage *s, struct input *in)
{
        enum kind kind = (enum kind)(take(in) % 8);
        odm_str record = take_record(in);
        int rc = 0;

        switch (kind) {
        case RAW: rc = stage_hand_over(s, record, ODM_ABSENT); break;
        case BODY: rc = say_body(s, record); break;
        case ANSWER: return answer(s, record);
        case TICK: return tick(s);
        case ABORT: return odm_client_abort(s->c);
        case ALERT: return alert(s, record);
        case HEADER:
                s->hdr = record.n % 2 ? "<Meta><MaxMsgSize xmlns='syncml:metinf'>900</MaxMsgSize>"
                                        "</Meta>"
                                      : NULL;
                return 0;
        case SILENCE: odm_client_fail(s->c); return 0;
        }
        return rc == ODM_ESTATE ? 0 : rc;
}

static int play(struct stage *s, struct input *in)
{
        uint32_t msg_id = 0;
        int rc = odm_client_new(&s->opt, s->tree, &s->c);

        if (rc == 0)
                rc = odm_client_start(s->c, s->now, s->wall);
        if (rc == 0)
                rc = hear(s, &msg_id);
        for (int i = 0; i < RECORDS_MOST && in->n > 0 && rc == 0; i++) {
                rc = one_record(s, in);
                if (rc == 0)
                        rc = hear(s, &msg_id);
        }
        return rc;
}

static void judge_end(struct stage *s, enum stage_account account)
{
        odm_packet p;
        bool ended = s->c && odm_client_outcome(s->c) != ODM_OUTCOME_NONE;

        if (ended) {
                expect(odm_client_send(s->c, &p) == 0);
                expect(!odm_tree_in_transaction(s->tree));
        }
        odm_client_free(s->c);
        s->c = NULL;
        expect(!odm_tree_in_transaction(s->tree));
        if (account == STAGE_OPEN)
                return;
        failing *f = (failing *)(uintptr_t)s->mem->ctx; /* looking needs memory */
        f->fail_at = 0;
        expect(strcmp(value_of(s, "./A/b"), "hello") == 0);
        expect(s->execs == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        uint8_t how = take(&in), fail_at = take(&in);
        enum stage_account account = how & 2 ? STAGE_DIGEST : how & 4 ? STAGE_MAC : STAGE_OPEN;
        struct stage s;
        failing f;

        failing_init(&f);
        int rc = stage_open(&s, &f.mem, how & 1 ? &odm_codec_wbxml : &odm_codec_xml, account);
        expect(rc == 0);
        s.prover.type = ODM_AUTH_NONE;
        s.opt.has_ui = how & 8;
        s.opt.secure = how & 16;
        s.opt.dm13 = how & 32;
        s.opt.max_obj_size = 100000;
        if (how & 64)
                f.fail_at = f.calls + 1 + fail_at * 4U;
        rc = play(&s, &in);
        expect(rc == 0 || rc == ODM_ENOMEM);
        judge_end(&s, account);
        stage_close(&s);
        expect(f.live == 0);
        return 0;
}
