/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of WBXML that we did not write understands what we write: libwbxml's
 * wbxml2xml, run on files in a temporary folder, gives the same message. */
#include <sys/wait.h>
#include <unistd.h>

#include "oracle.h"
#include "support.h"
#include "vectors.h"

#define MOST ((size_t)1 << 24)
#define TOOL "/usr/bin/wbxml2xml"

static char folder[] = "/tmp/odm-codec-XXXXXX";

static void write_file(const char *path, odm_str s)
{
        FILE *f = fopen(path, "wb");

        assert_non_null(f);
        assert_int_equal(fwrite(s.p, 1, s.n, f), s.n);
        assert_int_equal(fclose(f), 0);
}

static odm_str read_file(const char *path)
{
        static char room[1 << 16];
        FILE *f = fopen(path, "rb");

        assert_non_null(f);
        size_t n = fread(room, 1, sizeof room, f);
        (void)fclose(f);
        return exact_bytes(room, n);
}

static int run_tool(const char *in, const char *out)
{
        int status = -1;
        pid_t pid = fork();

        if (pid == 0) {
                if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
                        (void)execl(TOOL, TOOL, "-k", "-o", out, in, (char *)NULL);
                _exit(127);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void dump_of(const odm_codec *c, odm_str in, odm_buf *out)
{
        odm_arena a;
        odm_msg *m = NULL;

        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_decode(c, in, NULL, &a, &m), 0);
        dump_msg(m, out);
        odm_arena_done(&a);
}

static void check(const odm_msg *m)
{
        char in[64], out[64];
        odm_buf wbxml, ours, theirs;

        odm_buf_init(&wbxml, &heap, MOST);
        odm_buf_init(&ours, &heap, MOST);
        odm_buf_init(&theirs, &heap, MOST);
        (void)snprintf(in, sizeof in, "%s/in.wbxml", folder);
        (void)snprintf(out, sizeof out, "%s/out.xml", folder);
        assert_int_equal(odm_encode(&odm_codec_wbxml, m, &wbxml), 0);
        write_file(in, odm_buf_view(&wbxml));
        assert_int_equal(run_tool(in, out), 0);
        odm_str xml = read_file(out);
        dump_of(&odm_codec_wbxml, odm_buf_view(&wbxml), &ours);
        dump_of(&odm_codec_xml, xml, &theirs);
        assert_octets(odm_buf_view(&theirs), odm_buf_view(&ours));
        exact_free(xml);
        (void)unlink(in);
        (void)unlink(out);
        odm_buf_done(&theirs);
        odm_buf_done(&ours);
        odm_buf_done(&wbxml);
}

static void a_first_message_is_understood(void **state)
{
        odm_str in = from_hex(package1_hex);
        odm_arena a;
        odm_msg *m = NULL;

        (void)state;
        odm_arena_init(&a, &heap, MOST);
        assert_int_equal(odm_decode(&odm_codec_wbxml, in, NULL, &a, &m), 0);
        check(m);
        odm_arena_done(&a);
        exact_free(in);
}

/* Every command and field that DM has. */
static void all_we_write_is_understood(void **state)
{
        odm_ref ref2 = {.uri = ODM_STR("./B")}, ref = {.next = &ref2, .uri = ODM_STR("./A?x=1&y")};
        odm_item chunk = {.target = ODM_STR("./C"),
                          .meta = {.present = true, .has_size = true, .size = 70000},
                          .data = {ODM_DATA_TEXT, ODM_STR("caf\xc3\xa9 <&>")},
                          .more = true};
        odm_item item = {.next = &chunk,
                         .target = ODM_STR("./A"),
                         .target_name = ODM_STR("n"),
                         .source = ODM_STR("./S"),
                         .meta = {.present = true,
                                  .format = ODM_FMT_CHR,
                                  .type = ODM_STR("text/plain"),
                                  .mark = ODM_STR("warning")},
                         .data = {ODM_DATA_OPAQUE, ODM_STR("octets")}};
        odm_command member = {.kind = ODM_CMD_ADD, .cmd_id = ODM_STR("9"), .items = &item};
        odm_command exec = {.kind = ODM_CMD_EXEC,
                            .cmd_id = ODM_STR("8"),
                            .correlator = ODM_STR("c"),
                            .items = &item};
        odm_command atomic = {
                .next = &exec, .kind = ODM_CMD_ATOMIC, .cmd_id = ODM_STR("7"), .body = &member};
        odm_command alert = {.next = &atomic,
                             .kind = ODM_CMD_ALERT,
                             .cmd_id = ODM_STR("3"),
                             .no_resp = true,
                             .code = 1226,
                             .items = &item};
        odm_command results = {.next = &alert,
                               .kind = ODM_CMD_RESULTS,
                               .cmd_id = ODM_STR("2"),
                               .msg_ref = ODM_STR("1"),
                               .cmd_ref = ODM_STR("5"),
                               .meta = {.present = true, .type = ODM_STR("a/b")},
                               .items = &item};
        odm_command status = {.next = &results,
                              .kind = ODM_CMD_STATUS,
                              .cmd_id = ODM_STR("1"),
                              .msg_ref = ODM_STR("1"),
                              .cmd_ref = ODM_STR("0"),
                              .cmd = ODM_STR("SyncHdr"),
                              .target_refs = &ref,
                              .source_refs = &ref2,
                              .chal = {.present = true,
                                       .format = ODM_FMT_B64,
                                       .type = ODM_STR("syncml:auth-md5"),
                                       .next_nonce = ODM_STR("AAEC")},
                              .code = 212};
        odm_msg m = {.hdr = {.ver_dtd = ODM_STR("1.2"),
                             .ver_proto = ODM_STR("DM/1.2"),
                             .session_id = ODM_STR("A1"),
                             .msg_id = ODM_STR("1"),
                             .target = ODM_STR("t"),
                             .source = ODM_STR("s"),
                             .source_name = ODM_STR("user"),
                             .resp_uri = ODM_STR("http://a/b?c=d"),
                             .meta = {.present = true,
                                      .has_max_msg = true,
                                      .max_msg = 8192,
                                      .has_max_obj = true,
                                      .max_obj = 1 << 20}},
                     .body = &status,
                     .final = true};

        (void)state;
        check(&m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_first_message_is_understood),
                cmocka_unit_test(all_we_write_is_understood),
        };

        if (access(TOOL, X_OK) != 0) {
                printf("1..0 # SKIP %s is not here\n", TOOL);
                return 0;
        }
        if (mkdtemp(folder) == NULL)
                return 1;
        int rc = RUN_TESTS(tests);
        (void)rmdir(folder);
        return rc;
}
