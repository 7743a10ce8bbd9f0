/* SPDX-License-Identifier: Apache-2.0 */
/* job_test.c - commands from JSON, the rules of a job's end, and what answers reveal of a tree. */
#include "job.h"

#include "lockout.h"
#include "mirror.h"
#include "support.h"
#include "walk.h"

#define READ "{\"cmd\":\"get\",\"uri\":\"./A\"}"
#define LIST "{\"cmd\":\"get\",\"uri\":\"./A?list=StructData\"}"
#define WRITE "{\"cmd\":\"replace\",\"uri\":\"./A/b\",\"data\":\"x\"}"

static odm_arena arena;

static int open_arena(void **state)
{
        (void)state;
        odm_arena_init(&arena, &heap, (size_t)64 << 20);
        return 0;
}

static int close_arena(void **state)
{
        (void)state;
        odm_arena_done(&arena);
        return 0;
}

static job_commands decode(const char *json, bool atomic)
{
        job_commands all;
        odm_str in = exact_copy(json);
        int rc = job_decode(in, atomic, &arena, &all);

        exact_free(in);
        if (rc < 0)
                fail_msg("%s: %s", json, odm_err_name(rc));
        return all;
}

/* ---- JSON to commands ----------------------------------------------------------------- */

static void commands_become_messages(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *json;
                bool atomic;
                const char *xml; /* what the body holds, blanks and CmdIDs apart */
        } rows[] = {
                {"a get", "[{\"cmd\":\"get\",\"uri\":\"./A?list=Struct\"}]", false,
                 "<Get><Item><Target><LocURI>./A?list=Struct</LocURI></Target></Item></Get>"},
                {"a value with its format",
                 "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"format\":"
                 "\"int\",\"data\":\"5\"}]",
                 false,
                 "<Replace><Item><Target><LocURI>./A</LocURI></Target><Meta><Format "
                 "xmlns=\"syncml:metinf\">int</Format></Meta><Data>5</Data></Item></Replace>"},
                {"octets without a format are bin, and base64 in XML",
                 "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data_base64\":\"AAEC\"}]", false,
                 "<Add><Item><Target><LocURI>./A</LocURI></Target><Meta><Format "
                 "xmlns=\"syncml:metinf\">b64</Format></Meta><Data>AAEC</Data></Item></Add>"},
                {"text for b64 is encoded",
                 "[{\"cmd\":\"replace\",\"uri\":\"./A\",\"format\":"
                 "\"b64\",\"data\":\"abc\"}]",
                 false,
                 "<Replace><Item><Target><LocURI>./A</LocURI></Target><Meta><Format "
                 "xmlns=\"syncml:metinf\">b64</Format></Meta><Data>YWJj</Data></Item></Replace>"},
                {"a copy", "[{\"cmd\":\"copy\",\"uri\":\"./B\",\"source\":\"./A\"}]", false,
                 "<Copy><Item><Target><LocURI>./B</LocURI></Target><Source><LocURI>./A</LocURI>"
                 "</Source></Item></Copy>"},
                {"an exec", "[{\"cmd\":\"exec\",\"uri\":\"./A\",\"correlator\":\"c\"}]", false,
                 "<Exec><Correlator>c</Correlator><Item><Target><LocURI>./A</LocURI></Target>"
                 "</Item></Exec>"},
                {"a choice",
                 "[{\"cmd\":\"alert\",\"code\":1103,\"options\":\"MINDT=5\","
                 "\"items\":[\"which?\",\"this\",\"that\"]}]",
                 false,
                 "<Alert><Data>1103</Data><Item><Data>MINDT=5</Data></Item><Item><Data>which?"
                 "</Data></Item><Item><Data>this</Data></Item><Item><Data>that</Data></Item>"
                 "</Alert>"},
                {"an atomic job", "[{\"cmd\":\"delete\",\"uri\":\"./A\"}]", true,
                 "<Atomic><Delete><Item><Target><LocURI>./A</LocURI></Target></Item></Delete>"
                 "</Atomic>"},
        };

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                job_commands all = decode(rows[i].json, rows[i].atomic);
                odm_msg m = {.hdr = {.ver_dtd = ODM_STR("1.2")}, .body = all.list};
                odm_buf out, plain;
                char want[600];

                odm_buf_init(&out, &heap, 1 << 16);
                odm_buf_init(&plain, &heap, 1 << 16);
                assert_int_equal(odm_msg_convert(&m, &odm_codec_xml, &arena), 0);
                assert_int_equal(odm_encode(&odm_codec_xml, &m, &out), 0);
                assert_int_equal(odm_buf_byte(&out, 0), 0);
                snprintf(want, sizeof want, "%s", rows[i].xml);
                if (strstr(out.p, want) == NULL)
                        fail_msg("%s: %s", rows[i].why, out.p);
                odm_buf_done(&out);
                odm_buf_done(&plain);
        }
}

static void what_is_no_job_is_refused(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *json;
        } rows[] = {
                {"no JSON", "nope"},
                {"an object", "{}"},
                {"nothing", "[]"},
                {"no command", "[1]"},
                {"an unknown one", "[{\"cmd\":\"put\",\"uri\":\".\"}]"},
                {"no node", "[{\"cmd\":\"get\"}]"},
                {"a node that is a number", "[{\"cmd\":\"get\",\"uri\":5}]"},
                {"a copy from nowhere", "[{\"cmd\":\"copy\",\"uri\":\"./A\"}]"},
                {"a format nobody knows", "[{\"cmd\":\"add\",\"uri\":\"./A\",\"format\":\"x\"}]"},
                {"no base64", "[{\"cmd\":\"add\",\"uri\":\"./A\",\"data_base64\":\"*\"}]"},
                {"an alert of another kind", "[{\"cmd\":\"alert\",\"code\":1226,\"items\":[]}]"},
                {"a sequence of nothing", "[{\"cmd\":\"sequence\",\"commands\":[]}]"},
                {"too deep",
                 "[{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"atomic\",\"commands\":["
                 "{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"get\",\"uri\":\".\"}]}]}]}]"},
        };
        const job_commands before = {.n = 77};

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                job_commands got = before;
                odm_str in = exact_copy(rows[i].json);
                int rc = job_decode(in, false, &arena, &got);
                if (rc != ODM_EMALFORMED || got.n != 77)
                        fail_msg("%s: %s", rows[i].why, odm_err_name(rc));
                exact_free(in);
        }
}

static void too_many_commands_are_refused(void **state)
{
        (void)state;
        char *json = malloc(JOB_COMMANDS_MAX * 40 + 100), *p = json;
        job_commands all;

        *p++ = '[';
        for (int i = 0; i <= JOB_COMMANDS_MAX; i++)
                p += snprintf(p, 40, "%s{\"cmd\":\"get\",\"uri\":\".\"}", i ? "," : "");
        snprintf(p, 2, "]");
        assert_int_equal(job_decode(odm_cstr(json), false, &arena, &all), ODM_ELIMIT);
        free(json);
}

static int torture_decode(failing *f, void *arg)
{
        odm_arena a;
        job_commands all;
        odm_command *list;
        uint32_t *map, n;
        const bool skip[8] = {false, true};

        (void)arg;
        odm_arena_init(&a, &f->mem, 1 << 20);
        int rc = job_decode(
                ODM_STR("[{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"get\","
                        "\"uri\":\"./A\"},{\"cmd\":\"add\",\"uri\":\"./B\",\"data_base64\":"
                        "\"AAEC\",\"format\":\"bin\",\"type\":\"x/y\"}]}]"),
                false, &a, &all);
        if (rc == 0)
                rc = job_remainder(&all, skip, &a, &list, &map, &n);
        odm_arena_done(&a);
        return rc;
}

static void decoding_survives_want_of_memory(void **state)
{
        (void)state;
        torture(torture_decode, NULL, 100);
}

/* ---- what is left ------------------------------------------------------------------------ */

#define FIVE                                                                      \
        "[{\"cmd\":\"get\",\"uri\":\"./A\"},"                                     \
        "{\"cmd\":\"sequence\",\"commands\":[{\"cmd\":\"exec\",\"uri\":\"./E\"}," \
        "{\"cmd\":\"add\",\"uri\":\"./B\",\"data\":\"x\"}]},"                     \
        "{\"cmd\":\"atomic\",\"commands\":[{\"cmd\":\"add\",\"uri\":\"./"         \
        "C\",\"format\":\"node\"}]}]"
/* numbers: 0 Get, 1 Sequence, 2 Exec, 3 Add, 4 Atomic, 5 Add */

static void the_remainder_keeps_its_numbers(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *skip, *want;
        } rows[] = {
                {"all", "......", "0 1 2 3 4 5"},
                {"the first answered", "x.....", "1 2 3 4 5"},
                {"a member answered", "x.x...", "1 3 4 5"},
                {"all members answered", "x.xx..", "4 5"},
                {"an atomic goes whole", "xxxx.x", "4 5"},
                {"nothing", "xxxxxx", ""},
        };
        job_commands all = decode(FIVE, false);

        assert_int_equal(all.n, 6);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                bool skip[6];
                odm_command *list;
                uint32_t *map, n;
                char got[40] = "";
                for (int k = 0; k < 6; k++)
                        skip[k] = rows[i].skip[k] == 'x';
                assert_int_equal(job_remainder(&all, skip, &arena, &list, &map, &n), 0);
                for (uint32_t k = 0; k < n; k++)
                        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u", k ? " " : "",
                                 map[k]);
                if (strcmp(got, rows[i].want) != 0)
                        fail_msg("%s: %s", rows[i].why, got);
                assert_true((list == NULL) == (n == 0));
        }
}

#define TAKEN_APART                                                                          \
        "[{\"cmd\":\"atomic\",\"split\":true,\"commands\":[{\"cmd\":\"delete\",\"uri\":\"./" \
        "A\"},{\"cmd\":\"add\",\"uri\":\"./B\",\"data\":\"x\"}]},"                           \
        "{\"cmd\":\"get\",\"uri\":\"./C\"}]"

static void the_pieces_of_an_atomic_are_left(void **state)
{
        static const struct row {
                const char *why, *skip, *want;
                odm_cmd first;
        } rows[] = {
                {"whole", "....", "0 1 2 3", ODM_CMD_ATOMIC},
                {"taken apart, nothing done", "x...", "1 2 3", ODM_CMD_DELETE},
                {"the first piece done", "xx..", "2 3", ODM_CMD_ADD},
                {"all pieces done", "xxx.", "3", ODM_CMD_GET},
        };
        job_commands all = decode(TAKEN_APART, false);

        (void)state;
        assert_true(all.split);
        assert_false(decode(FIVE, false).split);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                bool skip[4];
                odm_command *list;
                uint32_t *map, n;
                char got[40] = "";
                for (int k = 0; k < 4; k++)
                        skip[k] = rows[i].skip[k] == 'x';
                assert_int_equal(job_remainder(&all, skip, &arena, &list, &map, &n), 0);
                for (uint32_t k = 0; k < n; k++)
                        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%u", k ? " " : "",
                                 map[k]);
                if (strcmp(got, rows[i].want) != 0 || list->kind != rows[i].first)
                        fail_msg("%s: %s", rows[i].why, got);
        }
}

/* ---- the rules ------------------------------------------------------------------------------- */

/* "200 - 202" ... by number; '-' has no answer. */
static void answers(const job_commands *all, const char *text, job_answer *ans)
{
        char copy[100], *at = copy;

        snprintf(copy, sizeof copy, "%s", text);
        for (uint32_t i = 0; i < all->n; i++) {
                char *word = strsep(&at, " ");
                unsigned status = word && *word != '-' ? (unsigned)strtoul(word, NULL, 10) : 0;
                ans[i] = (job_answer){.has = status != 0,
                                      .status = status,
                                      .pending = status == 202 &&
                                                 all->flat[i].c->kind == ODM_CMD_EXEC};
        }
}

static void a_job_ends_by_its_answers(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *answers;
                store_job_state to;
                const char *reason;
        } rows[] = {
                {"all good", "200 200 200 201 200 200", STORE_JOB_DONE, ""},
                {"an exec goes on", "200 200 202 200 200 200", STORE_JOB_WAITING, "accepted"},
                {"waits even when another failed", "404 200 202 200 200 200", STORE_JOB_WAITING,
                 ""},
                {"a result of a later enabler", "200 200 1250 200 200 200", STORE_JOB_DONE, ""},
                {"one failed", "404 200 200 200 200 200", STORE_JOB_FAILED,
                 "Get ./A: 404 Not found"},
                {"the member at fault is named", "200 200 200 200 507 418", STORE_JOB_FAILED,
                 "Add ./C: 418"},
                {"not executed is no success", "200 200 200 215 200 200", STORE_JOB_FAILED,
                 "Add ./B: 215"},
                {"rolled back is no success", "200 200 200 200 507 216", STORE_JOB_FAILED,
                 "Atomic: 507"},
                {"no answer", "200 200 200 200 200 -", STORE_JOB_FAILED, "Add ./C: 0 no answer"},
        };
        job_commands all = decode(FIVE, false);
        job_answer ans[6];
        job_verdict v;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                answers(&all, rows[i].answers, ans);
                job_finish(&all, ans, &v);
                if (v.to != rows[i].to || strncmp(v.reason, rows[i].reason, strlen(rows[i].reason)))
                        fail_msg("%s: %s %s", rows[i].why, store_job_state_name(v.to), v.reason);
        }
}

static void an_object_tells_in_its_own_codes(void **state)
{
        job_commands all =
                decode("[{\"cmd\":\"exec\",\"uri\":\"./LAWMO/Operations/Wipe\"}]", false);
        job_answer ans = {.has = true, .status = 1406};
        job_verdict v;

        (void)state;
        job_finish(&all, &ans, &v);
        assert_int_equal(v.to, STORE_JOB_FAILED);
        assert_string_equal(v.reason, "Exec ./LAWMO/Operations/Wipe: 1406 Wipe not performed");
        ans.alert = ODM_STR("urn:oma:at:scomo:1.0:OperationComplete");
        job_finish(&all, &ans, &v);
        assert_string_equal(v.reason,
                            "Exec ./LAWMO/Operations/Wipe: 1406 Install failed, out of memory");
}

#define OPTIONAL                                                                           \
        "[{\"cmd\":\"copy\",\"uri\":\"./A\",\"source\":\"./B\",\"optional\":true},"        \
        "{\"cmd\":\"atomic\",\"optional\":true,\"commands\":[{\"cmd\":\"delete\",\"uri\":" \
        "\"./C\"}]},{\"cmd\":\"get\",\"uri\":\"./D\"}]"
/* numbers: 0 Copy, 1 Atomic, 2 Delete, 3 Get */

static void optional_commands_may_be_refused(void **state)
{
        static const struct row {
                const char *answers;
                store_job_state to;
        } rows[] = {
                {"404 200 200 200", STORE_JOB_DONE},   {"405 200 200 200", STORE_JOB_DONE},
                {"406 200 200 200", STORE_JOB_DONE},   {"501 200 200 200", STORE_JOB_DONE},
                {"215 200 200 200", STORE_JOB_DONE},   {"425 200 200 200", STORE_JOB_FAILED},
                {"500 200 200 200", STORE_JOB_FAILED}, {"- 200 200 200", STORE_JOB_FAILED},
                {"200 406 215 200", STORE_JOB_DONE},   {"200 507 404 200", STORE_JOB_FAILED},
                {"200 406 215 404", STORE_JOB_FAILED}, {"200 200 200 406", STORE_JOB_FAILED},
        };
        job_commands all = decode(OPTIONAL, false);
        job_answer ans[4];
        job_verdict v;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                answers(&all, rows[i].answers, ans);
                job_finish(&all, ans, &v);
                if (v.to != rows[i].to)
                        fail_msg("%s: %s %s", rows[i].answers, store_job_state_name(v.to),
                                 v.reason);
        }
}

static void what_changes_waits_for_lists_before_it(void **state)
{
        static const struct row {
                const char *why, *json, *skip;
                uint32_t part; /* number of the first that waits */
        } rows[] = {
                {"no list", "[" READ "," WRITE "]", "..", 2},
                {"a list alone", "[" LIST "," READ "]", "..", 2},
                {"a list, and a change", "[" LIST "," READ "," WRITE "," READ "]", "....", 2},
                {"the list was read", "[" LIST "," READ "," WRITE "]", "x..", 3},
                {"the change comes first", "[" WRITE "," LIST "]", "..", 2},
                {"a list in a Sequence",
                 "[{\"cmd\":\"sequence\",\"commands\":[" LIST "]}," WRITE "]", "...", 2},
                {"no fallback wanted",
                 "[{\"cmd\":\"get\",\"uri\":\"./A?list=Struct\",\"fallback\":false}," WRITE "]",
                 "..", 2},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                job_commands all = decode(rows[i].json, false);
                bool skip[4] = {false};
                for (size_t k = 0; k < all.n; k++)
                        skip[k] = rows[i].skip[k] == 'x';
                if (job_first_part(&all, skip) != rows[i].part)
                        fail_msg("%s: %u", rows[i].why, job_first_part(&all, skip));
        }
}

static void refused_lists_are_walked(void **state)
{
        static const struct row {
                const char *json;
                unsigned status;
                bool sent, want;
        } rows[] = {
                {LIST, 406, true, true},   {LIST, 404, true, true},  {LIST, 405, true, true},
                {LIST, 501, true, true},   {LIST, 215, true, true},  {LIST, 415, true, true},
                {LIST, 413, true, true},   {LIST, 400, true, true},  {LIST, 500, true, true},
                {LIST, 200, true, false},  {LIST, 425, true, false}, {LIST, 0, true, false},
                {LIST, 406, false, false}, {READ, 406, true, false}, {WRITE, 406, true, false},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char json[200];
                snprintf(json, sizeof json, "[%s]", rows[i].json);
                job_commands all = decode(json, false);
                if (job_wants_walk(&all.flat[0], rows[i].status, rows[i].sent) != rows[i].want)
                        fail_msg("%s %u", rows[i].json, rows[i].status);
        }
}

/* An interior node with two children, one of them interior and empty. */
static void take(walk *w, const char *uri, const char *format, const char *data)
{
        const store_value v = {
                .uri = odm_cstr(uri), .format = odm_cstr(format), .data = odm_cstr(data)};

        assert_int_equal(walk_take(w, 0, 200, &v, 1), 0);
}

static void a_walk_goes_down_level_by_level(void **state)
{
        job_commands all = decode("[" LIST "]", false);
        odm_command *gets;
        walk w;

        (void)state;
        assert_int_equal(walk_begin(&w, all.flat[0].c, &arena), 0);
        assert_int_equal(walk_gets(&w, &gets), 1);
        assert_str(gets->items->target, "./A");
        assert_null(gets->next);
        take(&w, "./A", "node", "b//c/");
        assert_int_equal(walk_next(&w), 0);
        assert_int_equal(walk_gets(&w, &gets), 1);
        assert_str(gets->items->target, "./A/b");
        assert_str(gets->next->items->target, "./A/c");
        assert_null(gets->next->next);
        take(&w, "", "chr", "value");
        assert_int_equal(walk_take(&w, 1, 425, NULL, 0), 0); /* hidden from us */
        assert_int_equal(walk_next(&w), 0);
        assert_int_equal(walk_gets(&w, &gets), 0);
        assert_int_equal(w.status, 200);
        assert_int_equal(w.n, 2);
        assert_str(w.v[0].uri, "./A");
        assert_null(w.v[0].data.p);
        assert_str(w.v[1].uri, "./A/b");
        assert_str(w.v[1].data, "value");
}

static void a_walk_ends_where_there_is_nothing(void **state)
{
        job_commands all = decode("[" LIST "]", false);
        odm_command *gets;
        walk w;

        (void)state;
        assert_int_equal(walk_begin(&w, all.flat[0].c, &arena), 0);
        assert_int_equal(walk_gets(&w, &gets), 1);
        assert_int_equal(walk_take(&w, 0, 404, NULL, 0), 0);
        assert_int_equal(walk_next(&w), 0);
        assert_int_equal(walk_gets(&w, &gets), 0);
        assert_int_equal(w.status, 404);
        assert_int_equal(w.n, 0);
}

/* A device that makes up children without end. */
static void a_walk_has_a_ceiling(void **state)
{
        job_commands all = decode("[" LIST "]", false);
        odm_command *gets;
        unsigned rounds = 0;
        walk w;

        (void)state;
        assert_int_equal(walk_begin(&w, all.flat[0].c, &arena), 0);
        while (walk_gets(&w, &gets) == 1 && rounds++ < 2 * WALK_NODES) {
                for (size_t i = 0; i < w.sent; i++) {
                        const store_value v = {.uri = gets->items->target,
                                               .format = ODM_STR("node"),
                                               .data = ODM_STR("a/b/c/d/e/f/g/h/i/j")};
                        assert_int_equal(walk_take(&w, i, 200, &v, 1), 0);
                        gets = gets->next;
                }
                assert_int_equal(walk_next(&w), 0);
        }
        assert_true(rounds < WALK_NODES);
        assert_int_equal(w.status, 413);
        assert_int_equal(w.n, 0);
}

static void a_lost_job_goes_by_the_rules(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *answers;
                bool given;
                uint32_t attempts;
                store_job_state to;
        } rows[] = {
                {"never sent", "- - - - - -", false, 1, STORE_JOB_QUEUED},
                {"never sent, whatever the attempts", "- - - - - -", false, 9, STORE_JOB_QUEUED},
                {"an exec may have run", "- - - - - -", true, 1, STORE_JOB_WAITING},
                {"the exec was answered", "- - 200 - - -", true, 1, STORE_JOB_QUEUED},
                {"the last attempt", "- - 200 - - -", true, 3, STORE_JOB_FAILED},
                {"all was answered", "200 200 200 200 200 200", true, 3, STORE_JOB_DONE},
                {"members tell of their holder", "200 - 200 200 - 200", true, 1, STORE_JOB_DONE},
        };
        job_commands all = decode(FIVE, false);
        job_answer ans[6];
        job_verdict v;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                answers(&all, rows[i].answers, ans);
                job_lost(&all, ans, rows[i].given, rows[i].attempts, 3, ODM_STR("c"), &v);
                if (v.to != rows[i].to)
                        fail_msg("%s: %s %s", rows[i].why, store_job_state_name(v.to), v.reason);
        }
}

/* What a gateway has is known by its State; to cancel twice does no harm. */
static void gateways_are_asked_by_state(void **state)
{
        static const struct {
                const char *uri, *node;
        } rows[] = {
                {"./GwMO/Fanout/Fanout/x1/Operations/Start", "./GwMO/Fanout/Fanout/x1/State"},
                {"./GwMO/ImageInventory/Images/i0/Operations/Download",
                 "./GwMO/ImageInventory/Images/i0/State"},
                {"./GwMO/ImageInventory/Images/i0/Operations/Rollback",
                 "./GwMO/ImageInventory/Images/i0/State"},
                {"./GwMO/Fanout/Fanout/x1/Operations/Cancel", NULL},
                {"./GwMO/Fanout/Fanout/x1/y/Operations/Start", NULL},
                {"./FUMO/main/Update", NULL},
                {"", NULL},
        };
        job_commands all = decode("[{\"cmd\":\"exec\",\"uri\":\"./GwMO/Fanout/Fanout/x1/"
                                  "Operations/Cancel\",\"optional\":true}]",
                                  false);
        job_answer ans[1] = {{.has = false}};
        uint32_t exec[1];
        job_verdict v;

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str s = job_exec_state(odm_cstr(rows[i].uri), &arena);
                if (rows[i].node ? !odm_str_is(s, rows[i].node) : s.p != NULL)
                        fail_msg("%s", rows[i].uri);
        }
        job_lost(&all, ans, true, 1, 3, ODM_STR("c"), &v);
        assert_int_equal(v.to, STORE_JOB_QUEUED);
        assert_int_equal(job_in_doubt(&all, ans, exec), 0);
        ans[0] = (job_answer){.has = true, .status = 405, .text = ODM_STR("it is over")};
        job_finish(&all, ans, &v); /* it is optional */
        assert_int_equal(v.to, STORE_JOB_DONE);
}

static void a_failure_is_told_in_the_devices_words(void **state)
{
        static const struct {
                const char *text, *reason;
        } rows[] = {
                {NULL, "Replace ./A: 405 Command not allowed"},
                {"nothing can be written", "Replace ./A: 405 Command not allowed (nothing can be "
                                           "written)"},
                {"at ./A/b", "Replace ./A: 405 Command not allowed"},
                {"\xff", "Replace ./A: 405 Command not allowed"},
        };
        job_commands all = decode("[{\"cmd\":\"replace\",\"uri\":\"./A\",\"data\":\"1\"}]", false);

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                job_answer ans[1] = {{.has = true, .status = 405, .text = odm_cstr(rows[i].text)}};
                job_verdict v;

                job_finish(&all, ans, &v);
                assert_string_equal(v.reason, rows[i].reason);
        }
}

static void adds_are_checked_before_they_are_repeated(void **state)
{
        (void)state;
        job_commands all = decode(FIVE, false);
        job_answer ans[6];
        bool there[6] = {false}, skip[6];
        uint32_t check[6];

        answers(&all, "200 - 200 - - -", ans);
        assert_int_equal(job_to_check(&all, ans, check), 2);
        assert_int_equal(check[0], 3);
        assert_int_equal(check[1], 5);
        there[3] = true;
        job_apply_check(&all, there, ans, skip);
        assert_true(skip[0] && skip[2] && skip[3] && !skip[4] && !skip[5]);
        there[5] = true;
        job_apply_check(&all, there, ans, skip);
        assert_true(skip[4] && skip[5]);
}

/* What is there is left from before: it goes, and all of it is added. */
static void what_is_deleted_first_is_not_looked_at(void **state)
{
        job_commands all = decode("[{\"cmd\":\"delete\",\"uri\":\"./A/x\",\"optional\":true},"
                                  "{\"cmd\":\"add\",\"uri\":\"./A/x\",\"format\":\"node\"},"
                                  "{\"cmd\":\"add\",\"uri\":\"./A/x/y\",\"data\":\"1\"},"
                                  "{\"cmd\":\"add\",\"uri\":\"./A/xy\",\"data\":\"1\"}]",
                                  false);
        job_answer ans[4] = {{.has = false}};
        uint32_t check[4];

        (void)state;
        assert_int_equal(job_to_check(&all, ans, check), 1);
        assert_int_equal(check[0], 3);
        ans[0] = (job_answer){.has = true, .status = ODM_ST_OK};
        assert_int_equal(job_to_check(&all, ans, check), 3);
}

#define TWO_TASKS                                                                  \
        "[{\"cmd\":\"exec\",\"uri\":\"./FUMO/main/Update\",\"correlator\":\"c\"}," \
        "{\"cmd\":\"get\",\"uri\":\"./FUMO/main/State\"},"                         \
        "{\"cmd\":\"exec\",\"uri\":\"./DiagMon/Memory/Operations/Start\",\"correlator\":\"c\"}]"

static void a_device_is_asked_for_what_it_keeps(void **state)
{
        (void)state;
        static const struct row {
                const char *uri;
                bool is;
        } rows[] = {
                {"./FUMO/main/Download", true},
                {"./FUMO/x/DownloadAndUpdate", true},
                {"./FUMO/main/Download/PkgURL", false},
                {"./FUMO/main", false},
                {"./FUMO//Update", false},
                {"./SCM/Download/a/Operations/DownloadInstall", true},
                {"./SCM/Inventory/Deployed/a/Operations/Remove", true},
                {"./SCM/Inventory/Deployed/a/Operations/Ext/x", false},
                {"./DiagMon/Memory/Operations/Start", true},
                {"./DiagMon/RF/GSM/Operations/Stop", true},
                {"./LAWMO/Operations/Wipe", true},
                {"./LAWMO/Operations/FactoryReset", false},
                {"./DCMO/cam/Operations/Disable", true},
                {"./Schedule/a/Operations/RunNow", false},
                {"./Vendor/xrem/Ping", false},
                {"./GwDev/1/FUMO/main/Update", false},
                {"", false},
        };

        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (job_exec_is_task(odm_cstr(rows[i].uri)) != rows[i].is)
                        fail_msg("%s", rows[i].uri);
}

static void execs_in_doubt_go_by_the_list(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *json, *answers;
                uint32_t doubts;
                const char *kept; /* which of the Execs the device has */
                uint32_t attempts;
                store_job_state to;
                const char *reason;
        } rows[] = {
                {"it has both", TWO_TASKS, "- - -", 2, "02", 1, STORE_JOB_WAITING,
                 "the device has it"},
                {"it has none", TWO_TASKS, "- - -", 2, "", 1, STORE_JOB_QUEUED,
                 "the device never got Exec ./FUMO/main/Update; it will be sent again"},
                {"it has one", TWO_TASKS, "- - -", 2, "0", 1, STORE_JOB_QUEUED,
                 "the device never got Exec ./DiagMon/Memory/Operations/Start;"},
                {"one was answered", TWO_TASKS, "202 200 -", 1, "", 1, STORE_JOB_QUEUED,
                 "the device never got Exec ./DiagMon"},
                {"enough", TWO_TASKS, "202 200 -", 1, "", 3, STORE_JOB_FAILED,
                 "the device never got Exec ./DiagMon/Memory/Operations/Start: every session"},
                {"kept at the last attempt", TWO_TASKS, "202 200 -", 1, "2", 3, STORE_JOB_WAITING,
                 ""},
                {"all was answered", TWO_TASKS, "202 - 202", 0, "", 1, STORE_JOB_WAITING, ""},
                {"nobody knows of one of them", FIVE, "- - - - - -", 0, "", 1, STORE_JOB_WAITING,
                 ""},
        };
        job_verdict v;

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                job_commands all = decode(rows[i].json, false);
                job_answer ans[6];
                job_task tasks[3] = {{ODM_STR("./FUMO/main/Update"), ODM_STR("other")}};
                uint32_t exec[6], n, n_tasks = 1;
                answers(&all, rows[i].answers, ans);
                n = job_in_doubt(&all, ans, exec);
                if (n != rows[i].doubts)
                        fail_msg("%s: %u", rows[i].why, n);
                for (const char *k = rows[i].kept; *k; k++)
                        tasks[n_tasks++] = (job_task){job_uri(all.flat[*k - '0'].c), ODM_STR("c")};
                for (uint32_t k = 0; k < n; k++)
                        if (job_is_kept(all.flat[exec[k]].c, tasks, n_tasks))
                                ans[exec[k]] =
                                        (job_answer){.has = true, .pending = true, .status = 202};
                if (n == 0)
                        continue;
                job_doubt_over(&all, ans, rows[i].attempts, 3, &v);
                if (v.to != rows[i].to || strncmp(v.reason, rows[i].reason, strlen(rows[i].reason)))
                        fail_msg("%s: %s %s", rows[i].why, store_job_state_name(v.to), v.reason);
        }
}

static void a_node_is_there_when_it_is_as_wanted(void **state)
{
        (void)state;
        static const struct row {
                const char *why;
                uint32_t add, status;
                store_value v;
                bool there;
        } rows[] = {
                {"the value", 3, 200, {{"./B", 3}, {"chr", 3}, {NULL, 0}, {"x", 1}}, true},
                {"another value", 3, 200, {{"./B", 3}, {"chr", 3}, {NULL, 0}, {"y", 1}}, false},
                {"an interior node instead",
                 3,
                 200,
                 {{"./B", 3}, {"node", 4}, {NULL, 0}, {"x", 1}},
                 false},
                {"not there", 3, 404, {{"./B", 3}, {NULL, 0}, {NULL, 0}, {NULL, 0}}, false},
                {"a node", 5, 200, {{"./C/", 4}, {"node", 4}, {NULL, 0}, {"a/b", 3}}, true},
                {"a leaf instead", 5, 200, {{"./C", 3}, {"chr", 3}, {NULL, 0}, {"", 0}}, false},
        };
        job_commands all = decode(FIVE, false);

        for (size_t i = 0; i < ODM_COUNT(rows); i++)
                if (job_is_there(all.flat[rows[i].add].c, rows[i].status, &rows[i].v, 1) !=
                    rows[i].there)
                        fail_msg("%s", rows[i].why);
}

static void alerts_find_their_exec(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *correlator, *source, *answers;
                int32_t want;
        } rows[] = {
                {"by correlator", "c1", "./X", "202 202", 0},
                {"the other one", "c2", "./X", "202 202", 1},
                {"of nobody", "c9", "./E", "202 202", -1},
                {"by its node", NULL, "./F/Run", "202 202", 1},
                {"by the object above it", NULL, "./F", "202 202", 1},
                {"not by a name that only begins alike", NULL, "./F/Ru", "202 202", -1},
                {"only where one waits", NULL, "./F", "202 200", -1},
                {"answered already", "c1", "./E", "200 202", -1},
                {"its session was lost before the answer", "c1", "./E", "- -", 0},
        };
        job_commands all = decode("[{\"cmd\":\"exec\",\"uri\":\"./E\",\"correlator\":\"c1\"},"
                                  "{\"cmd\":\"exec\",\"uri\":\"./F/Run\",\"correlator\":\"c2\"}]",
                                  false);
        job_answer ans[2];

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                answers(&all, rows[i].answers, ans);
                if (job_alerted(&all, ans, odm_cstr(rows[i].correlator), odm_cstr(rows[i].source),
                                false) != rows[i].want)
                        fail_msg("%s", rows[i].why);
        }
        answers(&all, "1200 202", ans); /* a component was told of: there may be others */
        assert_int_equal(job_alerted(&all, ans, ODM_STR("c1"), ODM_STR("./E"), true), -1);
        ans[0].told = true;
        assert_int_equal(job_alerted(&all, ans, ODM_STR("c1"), ODM_STR("./E"), false), -1);
        assert_int_equal(job_alerted(&all, ans, ODM_STR("c1"), ODM_STR("./E"), true), 0);
        assert_int_equal(job_alerted(&all, ans, ODM_ABSENT, ODM_STR("./E"), true), 0);
        assert_true(job_alert_gathers(ODM_STR("urn:oma:at:scomo:1.0:OperationComplete")));
        assert_true(job_alert_gathers(
                ODM_STR("org.openmobilealliance.dm.softwarecomponent.operationcomplete")));
        assert_false(job_alert_gathers(ODM_STR("urn:oma:at:diagmon:1.0:OperationComplete")));
        assert_false(job_alert_ends(ODM_STR("urn:oma:at:scomo:1.0:UserRequest")));
        assert_true(job_alert_asks(ODM_STR("urn:oma:at:scomo:1.0:DeviceRequest")));
        assert_true(job_alert_ends(ODM_STR("urn:oma:at:diagmon:1.0:OperationComplete")));
        assert_true(job_alert_ends(ODM_STR("urn:oma:at:scomo:1.0:OperationComplete")));
        assert_true(job_alert_ends(ODM_ABSENT));
        assert_false(job_alert_ends(ODM_STR("urn:oma:at:diagmon:1.0:CollectedSimpleDataReport")));
        assert_false(job_alert_ends(ODM_STR("urn:oma:at:diagmon:1.0:collectedsimpledatareport")));
        assert_false(job_alert_ends(ODM_STR("urn:oma:at:diagmon:1.0:TrapNotification")));
        assert_false(job_alert_ends(ODM_STR("urn:oma:at:x-xrem-fm:1.0:Alarm")));
        assert_false(job_alert_ends(ODM_STR("urn:oma:at:x-dm-scheduling:1.0:StateChange")));
        assert_true(job_alert_ends(ODM_STR("urn:oma:at:x-dm-scheduling:1.0:TaskResult")));
        assert_false(
                job_alert_ends(ODM_STR("org.openmobilealliance.dm.firmwareupdate.userrequest")));
        assert_true(job_alert_ends(ODM_STR("org.openmobilealliance.dm.firmwareupdate.update")));
        assert_true(
                job_alert_asks(ODM_STR("org.openmobilealliance.dm.firmwareupdate.devicerequest")));
        assert_false(job_alert_asks(ODM_STR("org.openmobilealliance.dm.firmwareupdate.update")));
        assert_int_equal(job_alert_status(ODM_STR(" 1200 ok")), 1200);
        assert_int_equal(job_alert_status(ODM_STR("404")), 404);
        assert_int_equal(job_alert_status(ODM_STR("<ResultCode>1402</ResultCode><ID>a</ID>")),
                         1402);
        assert_int_equal(job_alert_status(ODM_STR("<Other>1402</Other>")), 200);
        assert_int_equal(job_alert_status(ODM_STR("fine")), 200);
        assert_int_equal(job_alert_status(ODM_STR("7")), 200);
        assert_int_equal(job_alert_status(ODM_STR("99999999999")), 200);
}

/* ---- the mirror ------------------------------------------------------------------------- */

static void answers_reveal_the_tree(void **state)
{
        (void)state;
        static const struct row {
                const char *why, *json;
                unsigned status;
                store_value v[2];
                size_t n;
                const char *want; /* S set, G gone, C children: path=value */
        } rows[] = {
                {"a leaf",
                 "get\",\"uri\":\"./A",
                 200,
                 {{{"./A", 3}, {"chr", 3}, {NULL, 0}, {"1", 1}}},
                 1,
                 "S./A=1 "},
                {"its children",
                 "get\",\"uri\":\"./A",
                 200,
                 {{{"./A", 3}, {"node", 4}, {NULL, 0}, {"x/y", 3}}},
                 1,
                 "C./A=x/y "},
                {"a node that is not", "get\",\"uri\":\"./A", 404, {{{NULL, 0}}}, 0, "G./A= "},
                {"a refusal", "get\",\"uri\":\"./A", 425, {{{NULL, 0}}}, 0, ""},
                {"a property",
                 "get\",\"uri\":\"./A?prop=ACL",
                 200,
                 {{{"./A?prop=ACL", 12}, {NULL, 0}, {NULL, 0}, {"Get=*", 5}}},
                 1,
                 ""},
                {"a list with values is complete",
                 "get\",\"uri\":\"./A?list=StructData",
                 200,
                 {{{"./A", 3}, {"node", 4}, {NULL, 0}, {NULL, 0}},
                  {{"./A/b", 5}, {"int", 3}, {NULL, 0}, {"2", 1}}},
                 2,
                 "G./A= S./A= S./A/b=2 "},
                {"no path of ours",
                 "get\",\"uri\":\"./A",
                 200,
                 {{{"A/b", 3}, {"chr", 3}, {NULL, 0}, {"1", 1}}},
                 1,
                 "S./A/b=1 "},
                {"what the store refuses is left out, not the rest",
                 "get\",\"uri\":\"./A",
                 200,
                 {{{"/", 1}, {"chr", 3}, {NULL, 0}, {"1", 1}},
                  {{"./A/c", 5}, {"chr", 3}, {NULL, 0}, {"2", 1}}},
                 2,
                 "S./A/c=2 "},
                {"a secret is not kept",
                 "get\",\"uri\":\"./DMAcc/x/AppAuth/1/AAuthSecret",
                 200,
                 {{{"./DMAcc/x/AppAuth/1/AAuthSecret", 31}, {"chr", 3}, {NULL, 0}, {"pw", 2}}},
                 1,
                 "S./DMAcc/x/AppAuth/1/AAuthSecret= "},
                {"nor a document with one",
                 "replace\",\"data\":\"<NodeName>AAuthSecret</NodeName>\",\"uri\":\"./A",
                 200,
                 {{{NULL, 0}}},
                 0,
                 "S./A= "},
                {"a write",
                 "replace\",\"data\":\"n\",\"uri\":\"./A",
                 200,
                 {{{NULL, 0}}},
                 0,
                 "S./A=n "},
                {"a write that failed",
                 "replace\",\"data\":\"n\",\"uri\":\"./A",
                 403,
                 {{{NULL, 0}}},
                 0,
                 ""},
                {"a write rolled back",
                 "replace\",\"data\":\"n\",\"uri\":\"./A",
                 216,
                 {{{NULL, 0}}},
                 0,
                 ""},
                {"a delete", "delete\",\"uri\":\"./A", 200, {{{NULL, 0}}}, 0, "G./A= "},
                {"a document",
                 "get\",\"uri\":\"./V/M?list=TNDS",
                 200,
                 {{{"./V/M?list=TNDS", 15},
                   {"xml", 3},
                   {"application/vnd.syncml.dmtnds+xml", 33},
                   {"<MgmtTree><VerDTD>1.2</VerDTD><Node><NodeName>M</NodeName><Node><NodeName>a"
                    "</NodeName><RTProperties><Format><chr/></Format></RTProperties><Value>7</"
                    "Value>"
                    "</Node></Node></MgmtTree>",
                    168}}},
                 1,
                 "S./V/M= S./V/M/a=7 "},
        };

        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                char json[200], got[300] = "";
                mirror_changes m = {.a = &arena};
                store_value v[2] = {rows[i].v[0], rows[i].v[1]};
                snprintf(json, sizeof json, "[{\"cmd\":\"%s\"}]", rows[i].json);
                if (v[0].type.p)
                        v[0].data.n = strlen(v[0].data.p);
                job_commands all = decode(json, false);
                assert_int_equal(mirror_answer(&m, all.list, rows[i].status, v, rows[i].n), 0);
                for (size_t k = 0; k < m.n; k++)
                        snprintf(got + strlen(got), sizeof got - strlen(got), "%c%.*s=%.*s ",
                                 "SGC"[m.v[k].kind], (int)m.v[k].path.n, m.v[k].path.p,
                                 (int)m.v[k].value.n, m.v[k].value.p ? m.v[k].value.p : "");
                if (strcmp(got, rows[i].want) != 0)
                        fail_msg("%s: %s", rows[i].why, got);
        }
}

/* ---- lock-out --------------------------------------------------------------------------- */

static void documents_become_text(void **state)
{
        (void)state;
        static const char xml[] = "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node>"
                                  "<NodeName>M</NodeName><Value>7</Value></Node></MgmtTree>";
        const struct row {
                const char *why, *type;
                odm_format format;
                odm_data_kind kind;
                bool wbxml, broken, binary; /* as a document, cut short, in a WBXML session */
                const char *want;           /* type */
        } rows[] = {
                {"octets", "application/vnd.syncml.dmtnds+wbxml", ODM_FMT_BIN, ODM_DATA_OPAQUE,
                 true, false, true, "application/vnd.syncml.dmtnds+xml"},
                {"base64", "application/vnd.syncml.dmtnds+wbxml", ODM_FMT_B64, ODM_DATA_TEXT, true,
                 false, false, "application/vnd.syncml.dmtnds+xml"},
                {"nested", "application/vnd.syncml.dmtnds+xml", ODM_FMT_XML, ODM_DATA_XML, false,
                 false, false, "application/vnd.syncml.dmtnds+xml"},
                {"text of the wrong name", "application/vnd.syncml.dmtnds+wbxml", ODM_FMT_XML,
                 ODM_DATA_TEXT, false, false, true, "application/vnd.syncml.dmtnds+xml"},
                {"broken", "application/vnd.syncml.dmtnds+wbxml", ODM_FMT_BIN, ODM_DATA_OPAQUE,
                 true, true, true, "application/vnd.syncml.dmtnds+wbxml"},
                {"another type", "application/octet-stream", ODM_FMT_BIN, ODM_DATA_OPAQUE, true,
                 false, true, "application/octet-stream"},
        };
        static const odm_command none;
        odm_limits lim;
        odm_doc *doc;
        odm_buf b;

        odm_limits_init(&lim);
        odm_buf_init(&b, &heap, 65536);
        assert_int_equal(odm_doc_decode(odm_cstr(xml), &lim, &arena, &doc), 0);
        assert_int_equal(odm_doc_encode(&odm_codec_wbxml, doc, false, &b), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_str in = r->wbxml ? odm_buf_view(&b) : odm_cstr(xml);
                odm_item item = {.meta = {.present = true, .format = r->format}};
                store_value v;
                if (r->broken)
                        in = odm_str_to(in, in.n / 2);
                item.meta.format_text = odm_cstr(odm_format_name(r->format));
                item.meta.type = odm_cstr(r->type);
                item.data = (odm_data){r->kind,
                                       r->format == ODM_FMT_B64 ? odm_b64_encode(&arena, in) : in};
                assert_int_equal(job_value(&none, &item, r->binary, &arena, &v), 0);
                bool text = odm_str_starts(v.data, "<MgmtTree") &&
                            memmem(v.data.p, v.data.n, "<Value>7</Value>", 16);
                if (!odm_str_is(v.type, r->want) || text != (strstr(r->want, "+xml") != NULL) ||
                    (!text && !odm_str_eq(v.data, in)))
                        fail_msg("%s: %.*s %.*s", r->why, (int)v.type.n, v.type.p, (int)v.data.n,
                                 v.data.p);
        }
        odm_buf_done(&b);
}

static void guessing_gets_slower(void **state)
{
        (void)state;
        lockout *l;
        odm_time t = {1000};
        odm_str dev = ODM_STR("IMEI:1"), here = ODM_STR("10.0.0.1"), there = ODM_STR("10.0.0.2");

        assert_int_equal(lockout_new(3, 1000, &l), 0);
        assert_int_equal(lockout_failed(l, dev, here, t), 1);
        assert_int_equal(lockout_failed(l, dev, here, t), 2);
        assert_int_equal(lockout_left(l, dev, here, t), 0);
        assert_int_equal(lockout_failed(l, dev, here, t), 3);
        assert_int_equal(lockout_left(l, dev, here, t), 1000);
        assert_int_equal(lockout_left(l, dev, there, t), 0);
        t.ms += 1000;
        assert_int_equal(lockout_left(l, dev, here, t), 0);
        lockout_failed(l, dev, here, t);
        assert_int_equal(lockout_left(l, dev, here, t), 2000);
        for (int i = 0; i < 40; i++)
                lockout_failed(l, dev, here, t);
        assert_int_equal(lockout_left(l, dev, here, t), LOCKOUT_MOST_MS);
        lockout_clear(l, dev, here);
        assert_int_equal(lockout_left(l, dev, here, t), 0);
        for (int i = 0; i < 3; i++) {
                lockout_failed(l, dev, here, t);
                lockout_failed(l, dev, there, t);
                lockout_failed(l, ODM_STR("other"), here, t);
        }
        lockout_pardon(l, dev); /* from every address, and nobody else */
        assert_int_equal(lockout_left(l, dev, here, t), 0);
        assert_int_equal(lockout_left(l, dev, there, t), 0);
        assert_int_equal(lockout_left(l, ODM_STR("other"), here, t), 1000);
        lockout_failed(l, dev, here, t);
        lockout_failed(l, dev, here, t);
        t.ms += LOCKOUT_FORGET_MS + 1; /* long ago: forgotten */
        assert_int_equal(lockout_failed(l, dev, here, t), 1);
        lockout_free(l);
}

static void many_strangers_do_not_grow_it(void **state)
{
        (void)state;
        lockout *l;
        char name[32];

        assert_int_equal(lockout_new(1, 1000, &l), 0);
        for (int i = 0; i < 3 * LOCKOUT_PAIRS; i++) {
                snprintf(name, sizeof name, "%d", i);
                lockout_failed(l, odm_cstr(name), ODM_STR("a"), (odm_time){i});
        }
        assert_true(lockout_left(l, odm_cstr(name), ODM_STR("a"),
                                 (odm_time){3 * LOCKOUT_PAIRS - 1}) > 0);
        lockout_free(l);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, open_arena, close_arena)
        const struct CMUnitTest tests[] = {
                T(commands_become_messages),
                T(what_is_no_job_is_refused),
                T(too_many_commands_are_refused),
                T(decoding_survives_want_of_memory),
                T(the_remainder_keeps_its_numbers),
                T(a_job_ends_by_its_answers),
                T(a_lost_job_goes_by_the_rules),
                T(the_pieces_of_an_atomic_are_left),
                T(an_object_tells_in_its_own_codes),
                T(optional_commands_may_be_refused),
                T(what_changes_waits_for_lists_before_it),
                T(refused_lists_are_walked),
                T(a_walk_goes_down_level_by_level),
                T(a_walk_ends_where_there_is_nothing),
                T(a_walk_has_a_ceiling),
                T(gateways_are_asked_by_state),
                T(a_failure_is_told_in_the_devices_words),
                T(adds_are_checked_before_they_are_repeated),
                T(what_is_deleted_first_is_not_looked_at),
                T(a_device_is_asked_for_what_it_keeps),
                T(execs_in_doubt_go_by_the_list),
                T(a_node_is_there_when_it_is_as_wanted),
                T(alerts_find_their_exec),
                T(answers_reveal_the_tree),
                T(documents_become_text),
                T(guessing_gets_slower),
                T(many_strangers_do_not_grow_it),
        };

        return RUN_TESTS(tests);
}
