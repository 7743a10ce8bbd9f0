/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions with each allocation failing in turn: they end with ODM_ENOMEM or go well, leave
 * nothing behind, and leave each command done or not done. */
#include "stage.h"

#define N1 "EBESExQVFhcYGRobHB0eHw=="
#define SMALL "<Meta><MaxMsgSize xmlns='syncml:metinf'>1200</MaxMsgSize></Meta>"

static const char *const everyday[] = {
        HDR_CODE(1, 212, CHAL("syncml:auth-md5", N1)) GET("1", "./A")
                GET("2", "./A?list=StructData")
                        CMD("Atomic", "3", ADD_NODE("4", "./T") ADD("5", "./T/a", "1"))
                                CMD("Sequence", "6", REPLACE("7", "./A/b", "x") GET("8", "./none"))
                                        EXEC("9", "./Vendor/Run") DELETE("10", "./A/c") "<Final/>",
        HDR_OK(2)
                CMD("Atomic", "1", REPLACE("2", "./A/b", "y") DELETE("3", "./nothing")) "<Final/>",
        HDR_OK(3) "<Final/>",
        NULL,
};

static const char *const chunked[] = {
        HDR_OK(1) CMD("Replace", "1",
                      "<Item>" TARGET("./A/b") SIZE(6) DATA("abc") "<MoreData/></Item>"),
        HDR_OK(2) REPLACE("1", "./A/b", "def") "<Final/>",
        HDR_OK(3) CMD("Replace", "1",
                      "<Item>" TARGET("./A/b") SIZE(6) DATA("abc") "<MoreData/></Item>"),
        HDR_OK(4) GET("1", "./A?list=TNDS") GET("2", "./DMAcc?list=StructData") "<Final/>",
        HDR_OK(5) ALERT("1", "1222", ""),
        HDR_OK(6) ALERT("1", "1222", ""),
        NULL,
};

static const char *const interactive[] = {
        HDR_OK(1) CMD("Atomic", "1",
                      REPLACE("2", "./A/b", "x")
                              ALERT("3", "1102", TEXT_ITEM("DR=a+b") TEXT_ITEM("Name?")))
                EXEC("4", "./Vendor/Later") "<Final/>",
        "answer",
        "answer",
        HDR_OK(2) "<Final/>",
        NULL,
};

struct play {
        const char *const *lines;
        const odm_codec *codec;
        enum stage_account account;
        const char *hdr;
        size_t pad; /* octets said besides: they move where a block of memory ends */
};

static int one_line(struct stage *s, const char *line)
{
        static const char *const text[] = {"John"};
        const odm_request *req;
        int rc;

        if (odm_client_outcome(s->c) != ODM_OUTCOME_NONE)
                return 0;
        if (strcmp(line, "answer") == 0)
                return odm_client_next(s->c, &req) == 1 ? stage_answer(s, 200, text, 1) : 0;
        rc = stage_say(s, line);
        if (rc < 0 || s->heard == NULL || s->prover.type == ODM_AUTH_NONE)
                return rc;
        (void)odm_prover_answer(&s->prover, s->heard->body->code,
                                s->heard->body->chal.present ? &s->heard->body->chal : NULL);
        return 0;
}

static int play(failing *f, void *arg)
{
        const struct play *p = arg;
        odm_alert alert = {.id = 1,
                           .code = ODM_ALERT_GENERIC,
                           .type = ODM_STR("com.example/x"),
                           .data = ODM_STR("y")};
        char pad[2048], said[4096];
        struct stage s;
        int rc = stage_open(&s, &f->mem, p->codec, p->account);

        s.opt.has_ui = true;
        memset(pad, 'p', sizeof pad);
        if (p->pad)
                alert.data = (odm_str){pad, p->pad};
        if (rc == 0)
                rc = stage_start(&s);
        if (rc == 0)
                rc = odm_client_alert(s.c, &alert);
        (void)snprintf(said, sizeof said, "<RespURI>http://dm.example/%.*s</RespURI>",
                       (int)(p->pad / 8), pad);
        s.hdr = p->pad ? said : p->hdr;
        for (const char *const *line = p->lines; *line && rc == 0; line++)
                rc = one_line(&s, *line);
        odm_client_free(s.c);
        s.c = NULL;
        if (s.tree && odm_tree_in_transaction(s.tree))
                fail_msg("a transaction was left open");
        stage_close(&s);
        return rc;
}

static void every_allocation_may_fail(void **state)
{
        const struct play plays[] = {
                {everyday, &odm_codec_xml, STAGE_DIGEST, NULL, 0},
                {everyday, &odm_codec_wbxml, STAGE_MAC, NULL, 0},
                {chunked, &odm_codec_xml, STAGE_OPEN, SMALL, 0},
                {chunked, &odm_codec_wbxml, STAGE_OPEN, SMALL, 0},
                {interactive, &odm_codec_wbxml, STAGE_OPEN, NULL, 0},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(plays); i++)
                torture(play, (void *)(uintptr_t)&plays[i], 400);
}

/* Most is taken from blocks, so that only who needs a new one sees it fail: each in its turn. */
static void every_block_may_be_the_last(void **state)
{
        (void)state;
        for (size_t pad = 1; pad < 2000; pad += 71) {
                struct play p = {everyday, &odm_codec_wbxml, STAGE_OPEN, NULL, pad};
                torture(play, &p, 400);
        }
}

static void memory_has_a_ceiling(void **state)
{
        struct stage s;
        char uri[32];

        (void)state;
        begins(&s, &odm_codec_wbxml, STAGE_OPEN);
        for (int i = 0; i < 100; i++) {
                char value[1000];
                memset(value, 'x', sizeof value);
                value[sizeof value - 1] = '\0';
                (void)snprintf(uri, sizeof uri, "./L/n%d", i);
                sets(&s, uri, value);
        }
        s.opt.max_memory = 60000;
        starts(&s);
        says(&s, HDR_OK(1) GET("1", "./L?list=StructData") GET("2", "./A/b") "<Final/>");
        assert_non_null(s.line.p);
        assert_non_null(strstr(s.line.p, "Get 413 [./L?list=StructData]"));
        stage_close(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_allocation_may_fail),
                cmocka_unit_test(every_block_may_be_the_last),
                cmocka_unit_test(memory_has_a_ceiling),
        };
        return RUN_TESTS(tests);
}
