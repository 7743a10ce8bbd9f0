/* SPDX-License-Identifier: Apache-2.0 */
/* FUMO: every arrow and every refusal of mo-fumo.md 3 and 4, the codes of 6, the power cut at each
 * stored step of 8, each allocation failing in turn. */
#include "lab.h"
#include "mo.h"
#include "odm/fumo.h"

static odm_fumo fumo; /* one at a time: tests and restarts do not overlap */
static char dropped[64];

static void drop(void *ctx, odm_str uri)
{
        (void)ctx;
        snprintf(dropped, sizeof dropped, "%.*s", (int)uri.n, uri.p);
}

static int mount(lab *l)
{
        fumo = (odm_fumo){.drop = drop};
        return odm_fumo_mount(&fumo, l->tasks, &odm_mo_fumo);
}

static int made(lab *l)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv&Add=srv&Delete=srv")};
        int rc = odm_fumo_add(&fumo, "main", LAB_NOW);

        return rc == 0 ? odm_tree_write(l->tree, ODM_STR("./FUMO?prop=ACL"), &acl, LAB_NOW) : rc;
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc = lab_open(l, mem, mount);

        return rc == 0 ? made(l) : rc;
}

/* One line of a story:
 *   = REL VALUE      the server replaces a leaf      ! REL [CORR] STATUS   it executes a node
 *   ? STEP           that is lent now, or "nothing"  + CAUSE DATA          it ends so
 *   s N              the State                       > TEXT                the alert, answered with
 * 200 < TEXT           the alert, answered with 500    - STATUS              the object is deleted
 */
static void tell(lab *l, const char *why, const char *line);

static const odm_task *lent;

static void expect_step(lab *l, const char *why, const char *name)
{
        int rc = odm_tasks_next(l->tasks, LAB_NOW, &lent);

        if (rc < 0 || (rc == 0) != (strcmp(name, "nothing") == 0) ||
            (rc == 1 && strcmp(lent->kind->steps[lent->step], name) != 0))
                fail_msg("%s: wanted %s, rc %d", why, name, rc);
}

static void expect_said(lab *l, const char *why, const char *text, unsigned status)
{
        assert_int_equal(lab_report(l, status), 0);
        if (strcmp(l->said, text) != 0)
                fail_msg("%s: wanted '%s', said '%s'", why, text, l->said);
}

static void end_step(lab *l, const char *why, const char *cause, const char *data)
{
        odm_task_end e = {.cause = odm_task_cause_of(odm_cstr(cause)),
                          .has_data = strcmp(data, "kept") == 0,
                          .note = ODM_STR("so it was")};

        assert_string_equal(odm_task_cause_name(e.cause), cause);
        if (odm_tasks_done(l->tasks, lent->id, &e, LAB_NOW) != 0)
                fail_msg("%s: %s refused", why, cause);
}

static void tell(lab *l, const char *why, const char *line)
{
        char a[128] = "", b[128] = "", c[64] = "", uri[160], said[256];
        unsigned status = 0;
        int n = sscanf(line + 1, "%127s %127s %63s", a, b, c);

        snprintf(uri, sizeof uri, "./FUMO/main/%s", a);
        switch (line[0]) {
        case '=':
                assert_int_equal(lab_set(l, uri, strstr(a, "PkgData") ? ODM_FMT_BIN : ODM_FMT_CHR,
                                         b, &status),
                                 0);
                if (status != (n == 3 ? strtoul(c, NULL, 10) : 200))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '!':
                assert_int_equal(lab_exec(l, uri, n == 3 ? b : NULL, &status), 0);
                if (status != strtoul(n == 3 ? c : b, NULL, 10))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        case '?': expect_step(l, why, a); break;
        case '+': end_step(l, why, a, b); break;
        case 's':
                if (strcmp(lab_get(l, "./FUMO/main/State"), a) != 0)
                        fail_msg("%s: State %s, not %s", why, lab_get(l, "./FUMO/main/State"), a);
                break;
        case '>':
        case '<':
                snprintf(said, sizeof said, "%s%s",
                         n > 0 ? "org.openmobilealliance.dm.firmwareupdate." : "",
                         n > 0 ? line + 2 : "");
                if (n > 0)
                        strncat(said, "\n", sizeof said - strlen(said) - 1);
                expect_said(l, why, said, line[0] == '>' ? 200 : 500);
                break;
        case '-':
                assert_int_equal(lab_delete(l, "./FUMO/main", &status), 0);
                if (status != strtoul(a, NULL, 10))
                        fail_msg("%s: %s: %u", why, line, status);
                break;
        default: fail_msg("%s: what is '%s'?", why, line);
        }
}

struct story {
        const char *why, *line[24];
};

#define DL "=Download/PkgURL http://h/p"
#define DLU "=DownloadAndUpdate/PkgURL http://h/p"
#define OK_DL "download ./FUMO/main informational 200 c1"
#define OK_UP "update ./FUMO/main informational 200 c2"

static const struct story stories[] = {
        {"a download, then an update that keeps nothing",
         {DL, "s10", "!Download c1 202", "s30", "?download", "+OK -", "s50", "> " OK_DL, ">",
          "!Update c2 202", "s60", "?install", "+OK -", "s100", "> " OK_UP, ">"}},
        {"one that keeps the package",
         {DL, "!Download c1 202", "?download", "+OK -", "!Update c2 202", "?install", "+OK kept",
          "s90", "!Update 202", "?install", "+FAILED kept", "s70", "!Update 202", "s60"}},
        {"both in one, and one alert",
         {DLU, "!DownloadAndUpdate c3 202", "?download", "+OK -", "s60", ">", "?install", "+OK -",
          "s100", "> downloadandupdate ./FUMO/main informational 200 c3", ">"}},
        {"a failed download of both is told as such",
         {DLU, "!DownloadAndUpdate c3 202", "?download", "+UNSIGNED -", "s20",
          "> downloadandupdate ./FUMO/main critical 404 c3", "?nothing"}},
        {"no Correlator, none in the alert",
         {DL, "!Download 202", "?download", "+NETWORK -", "s20",
          "> download ./FUMO/main critical 503 -"}},
        {"a failed update",
         {DL, "!Download c1 202", "?download", "+OK -", "> " OK_DL, "!Update c2 202", "?install",
          "+MISMATCH -", "s80", "> update ./FUMO/main critical 403 c2", "!Update 405"}},
        {"after a failure the next order goes through",
         {DL, "!Download 202", "?download", "+TIMEOUT -", "s20", "!Download 202", "s30"}},
        {"no address, no download",
         {"!Download 405", "!DownloadAndUpdate 405", "s10", ">", "?nothing"}},
        {"no package, no update", {"!Update 405", "s10", "?nothing"}},
        {"busy: refused without an alert, and the first goes on",
         {DL, DLU, "!Download c1 202", "!Download c9 405", "!DownloadAndUpdate 405", "!Update 405",
          "-405", "=Update/PkgData abc 405", "?download", "+OK -", "> " OK_DL, ">"}},
        {"the address was copied: a new one does not touch the work",
         {DL, "!Download c1 202", "=Download/PkgURL http://other/", "?download", "+OK -", "s50"}},
        {"pushed in the session",
         {"=Update/PkgData firmware", "s50", "!Update c2 202", "?install", "+OK -", "s100",
          "> " OK_UP, "!Update 405"}},
        {"pushed again", {"=Update/PkgData one", "=Update/PkgData two", "s50"}},
        {"taken back: there is nothing to install",
         {"=Update/PkgData one", "=Update/PkgData", "s10", "!Update 405"}},
        {"a download makes the pushed one old",
         {"=Update/PkgData one", DL, "!Download 202", "s30", "?download", "+FAILED -", "s20",
          "!Update 405"}},
        {"not the server's to write", {"=State 50 405", "s10"}},
        {"only those three can be executed",
         {"!State 405", "!Download/PkgURL 405", "!Nothing 404"}},
        {"a report the server could not take is told again",
         {DL, "!Download c1 202", "?download", "+OK -", "< " OK_DL, "> " OK_DL, ">"}},
        {"deleted when idle", {"-200"}},
        {"the user said no",
         {DL, "!Download 202", "?download", "+CANCELLED -", "s20",
          "> download ./FUMO/main critical 401 -"}},
};

static void every_arrow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                lab l;
                dropped[0] = 0;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(stories[i].line) && stories[i].line[k]; k++)
                        tell(&l, stories[i].why, stories[i].line[k]);
                lab_close(&l);
        }
}

static void the_proof_goes_with_the_task(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", DL);
        tell(&l, "", "=Ext/xrem/Hash abcdef");
        tell(&l, "", "=Ext/xrem/DeltaURL http://h/d=1");
        tell(&l, "", "!Download c 202");
        tell(&l, "", "?download");
        assert_str(odm_task_arg(lent, "url"), "http://h/p");
        assert_str(odm_task_arg(lent, "hash"), "abcdef");
        assert_str(odm_task_arg(lent, "delta_url"), "http://h/d=1");
        assert_null(odm_task_arg(lent, "delta").p);
        assert_null(odm_task_arg(lent, "key").p);
        lab_close(&l);
}

static void a_deleted_object_drops_its_package(void **state)
{
        lab l;

        (void)state;
        dropped[0] = 0;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "deleted", "-200");
        assert_string_equal(dropped, "./FUMO/main");
        lab_close(&l);
}

static void codes(void **state)
{
        static const struct {
                odm_task_cause cause;
                unsigned download, install;
        } rows[] = {
                {ODM_CAUSE_OK, 200, 200},          {ODM_CAUSE_CANCELLED, 401, 401},
                {ODM_CAUSE_CORRUPT, 402, 402},     {ODM_CAUSE_MISMATCH, 403, 403},
                {ODM_CAUSE_UNSIGNED, 404, 404},    {ODM_CAUSE_NOT_ACCEPTED, 405, 405},
                {ODM_CAUSE_AUTH, 406, 406},        {ODM_CAUSE_TIMEOUT, 407, 407},
                {ODM_CAUSE_UNSUPPORTED, 408, 408}, {ODM_CAUSE_FAILED, 409, 410},
                {ODM_CAUSE_BAD_URL, 411, 411},     {ODM_CAUSE_UNAVAILABLE, 412, 412},
                {ODM_CAUSE_SERVER, 500, 500},      {ODM_CAUSE_NO_ROOM, 501, 502},
                {ODM_CAUSE_NETWORK, 503, 503},     {ODM_CAUSE_BAD_CONFIG, 400, 400},
                {ODM_CAUSE_INTERRUPTED, 503, 410},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                assert_int_equal(odm_fumo_result(rows[i].cause, true), rows[i].download);
                assert_int_equal(odm_fumo_result(rows[i].cause, false), rows[i].install);
        }
}

/* ---- power cuts ------------------------------------------------------------------------- */

static void order_all(lab *l)
{
        tell(l, "", DLU);
        tell(l, "", "!DownloadAndUpdate c3 202");
        tell(l, "", "?download");
        tell(l, "", "+OK -");
        tell(l, "", "?install");
        tell(l, "", "+OK -");
}

/* Whatever was on the disk: the device comes to an end by itself, tells it once, and is idle. */
static void goes_on_to_one_alert(lab *l, bool ordered)
{
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};
        const char *state;

        for (int i = 0; i < 5 && odm_tasks_next(l->tasks, LAB_NOW, &lent) == 1; i++)
                assert_int_equal(odm_tasks_done(l->tasks, lent->id, &ok, LAB_NOW), 0);
        state = lab_get(l, "./FUMO/main/State");
        assert_true(strcmp(state, ordered ? "100" : "10") == 0);
        expect_said(l, "after a power cut",
                    ordered ? "org.openmobilealliance.dm.firmwareupdate.downloadandupdate "
                              "./FUMO/main informational 200 c3\n"
                            : "",
                    200);
        expect_said(l, "only once", "", 200);
        assert_null(odm_tasks_at(l->tasks, 0));
        assert_string_equal(lab_get(l, "./Vendor/Task/1/Kind"), "(none)");
}

static void the_power_may_go_after_any_record(void **state)
{
        lab l;
        size_t accepted = 0, idle = 0;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        order_all(&l);
        for (size_t n = 0; n <= l.n_log; n++) {
                lab again;
                assert_int_equal(lab_restart(&l, n, &again, mount, made), 0);
                bool ordered = odm_tasks_at(again.tasks, 0) != NULL;
                accepted += ordered;
                idle += !ordered;
                goes_on_to_one_alert(&again, ordered);
                lab_close(&again);
        }
        assert_true(idle > 3 && accepted > 4); /* before and after the Exec, in this order alone */
        lab_close(&l);
}

static void an_interrupted_installation_is_looked_after(void **state)
{
        static const struct {
                const char *why, *step, *cause, *state;
        } rows[] = {
                {"it went well", "check", "OK", "100"},
                {"it failed", "check", "FAILED", "80"},
                {"it never began: once more", "check", "INTERRUPTED", "60"},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l, again;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, "", DLU);
                tell(&l, "", "!DownloadAndUpdate c3 202");
                tell(&l, "", "?download");
                tell(&l, "", "+OK -");
                tell(&l, "", "?install");
                assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
                expect_step(&again, rows[i].why, rows[i].step);
                end_step(&again, rows[i].why, rows[i].cause, "-");
                assert_string_equal(lab_get(&again, "./FUMO/main/Ext/xrem/Reason"),
                                    strcmp(rows[i].cause, "OK") == 0 ? "" : "so it was");
                if (strcmp(lab_get(&again, "./FUMO/main/State"), rows[i].state) != 0)
                        fail_msg("%s: %s", rows[i].why, lab_get(&again, "./FUMO/main/State"));
                lab_close(&again);
                lab_close(&l);
        }
}

/* What a delta spared is told with the download that it spared it to, and no longer. */
static void what_was_spared_is_told(void **state)
{
        static const struct {
                const char *why;
                odm_task_cause cause;
                int64_t saved;
                const char *text;
        } rows[] = {
                {"a delta", ODM_CAUSE_OK, 123456789012, "123456789012"},
                {"the whole", ODM_CAUSE_OK, 0, "0"},
                {"more than the whole", ODM_CAUSE_OK, -7, "0"},
                {"nothing came", ODM_CAUSE_NETWORK, 0, "0"},
        };
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_string_equal(lab_get(&l, "./FUMO/main/Ext/xrem/Saved"), "0");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const odm_task_end e = {.cause = rows[i].cause, .saved = rows[i].saved};
                tell(&l, "", "= Download/PkgURL http://h/p");
                tell(&l, "", "!Download c 202");
                expect_step(&l, rows[i].why, "download");
                assert_int_equal(odm_tasks_done(l.tasks, lent->id, &e, LAB_NOW), 0);
                if (strcmp(lab_get(&l, "./FUMO/main/Ext/xrem/Saved"), rows[i].text) != 0)
                        fail_msg("%s: %s", rows[i].why, lab_get(&l, "./FUMO/main/Ext/xrem/Saved"));
                assert_int_equal(lab_report(&l, 200), 0);
        }
        lab_close(&l);
}

static void the_device_may_find_its_image_lost(void **state)
{
        const odm_str why = ODM_STR("slot a is damaged");
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_int_equal(odm_fumo_lost(&fumo, "main", why, LAB_NOW), 0);
        assert_string_equal(lab_get(&l, "./FUMO/main/State"), "80");
        assert_string_equal(lab_get(&l, "./FUMO/main/Ext/xrem/Reason"), "slot a is damaged");
        tell(&l, "", DLU);
        tell(&l, "", "!DownloadAndUpdate c 202");
        assert_int_equal(odm_fumo_lost(&fumo, "main", why, LAB_NOW), 0);
        assert_string_equal(lab_get(&l, "./FUMO/main/State"), "30"); /* the task will tell */
        lab_close(&l);
}

static void the_image_in_use_is_named(void **state)
{
        lab l;
        size_t n;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        assert_int_equal(odm_fumo_image(&fumo, "main", ODM_STR("ab12"), LAB_NOW), 1);
        assert_string_equal(lab_get(&l, "./FUMO/main/Ext/xrem/ImageHash"), "ab12");
        n = l.n_log;
        assert_int_equal(odm_fumo_image(&fumo, "main", ODM_STR("ab12"), LAB_NOW), 0);
        assert_int_equal(l.n_log, n); /* known: nothing is written */
        lab_close(&l);
}

static void an_installation_that_never_begins_is_given_up(void **state)
{
        lab lives[ODM_FUMO_TRIES + 1], *l = lives;

        (void)state;
        assert_int_equal(open_lab(l, &heap), 0);
        tell(l, "", DLU);
        tell(l, "", "!DownloadAndUpdate c3 202");
        tell(l, "", "?download");
        tell(l, "", "+OK -");
        for (int i = 0; i < ODM_FUMO_TRIES; i++, l++) {
                expect_step(l, "in turn", "install");
                assert_int_equal(lab_restart(l, l->n_log, l + 1, mount, made), 0);
                lab_close(l);
                expect_step(l + 1, "looked after", "check");
                end_step(l + 1, "never ran", "INTERRUPTED", "-");
        }
        tell(l, "given up", "s80");
        tell(l, "told", "> downloadandupdate ./FUMO/main critical 410 c3");
        lab_close(l);
}

/* ---- what comes from afar --------------------------------------------------------------- */

/* Notes come from programs and download servers; the end of a step is kept whatever they say. */
static void any_note_can_be_kept(void **state)
{
        static char most[600];
        const struct {
                const char *why, *note, *reason;
        } rows[] = {
                {"plain", "bad block 7", "bad block 7"},
                {"no UTF-8", "caf\xe9", "caf?"},
                {"colours", "\x1b[31mbad\x1b[0m", " [31mbad [0m"},
                {"cut within a character", most, NULL},
        };

        (void)state;
        for (size_t i = 0; i + 2 < sizeof most; i += 2)
                memcpy(most + i + 1, "\xc3\xa9", 2);
        most[0] = 'x';
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const odm_task_end e = {.cause = ODM_CAUSE_FAILED, .note = odm_cstr(rows[i].note)};
                lab l;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, rows[i].why, DL);
                tell(&l, rows[i].why, "!Download c1 202");
                tell(&l, rows[i].why, "?download");
                if (odm_tasks_done(l.tasks, lent->id, &e, LAB_NOW) != 0)
                        fail_msg("%s: the end is refused", rows[i].why);
                tell(&l, rows[i].why, "s20");
                if (rows[i].reason)
                        assert_string_equal(lab_get(&l, "./FUMO/main/Ext/xrem/Reason"),
                                            rows[i].reason);
                lab_close(&l);
        }
}

static void put_leaf(lab *l, const char *rel, odm_format format, char fill, size_t n)
{
        char uri[96], *text = malloc(n);

        assert_non_null(text);
        memset(text, fill, n);
        const odm_value v = {.format = format, .data = {text, n}};
        snprintf(uri, sizeof uri, "./FUMO/main/%s", rel);
        assert_int_equal(odm_tree_write(l->tree, odm_cstr(uri), &v, LAB_NOW), 0);
        free(text);
}

/* An address of 2048 octets must do (mo-fumo.md 2), and signatures of CMS are long. */
static void orders_may_be_long(void **state)
{
        lab l, again;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        put_leaf(&l, "Download/PkgURL", ODM_FMT_CHR, 'u', 2048);
        put_leaf(&l, "Ext/xrem/DeltaURL", ODM_FMT_CHR, 'd', 2048);
        put_leaf(&l, "Ext/xrem/Hash", ODM_FMT_CHR, 'a', 64);
        put_leaf(&l, "Ext/xrem/KeyID", ODM_FMT_CHR, 'k', 64);
        put_leaf(&l, "Ext/xrem/Signature", ODM_FMT_BIN, 's', 4000);
        tell(&l, "long", "!Download c1 202");
        assert_int_equal(lab_restart(&l, l.n_log, &again, mount, made), 0);
        expect_step(&again, "kept", "download");
        assert_int_equal(odm_task_arg(lent, "url").n, 2048);
        assert_int_equal(odm_task_arg(lent, "delta_url").n, 2048);
        assert_true(odm_task_arg(lent, "signature").n > 5000);
        end_step(&again, "kept", "OK", "-");
        tell(&again, "", "s50");
        put_leaf(&again, "Ext/xrem/Signature", ODM_FMT_BIN, 's', 60000);
        tell(&again, "more than a task keeps", "!Update c2 405");
        tell(&again, "as it was", "s50");
        lab_close(&again);
        lab_close(&l);
}

static void addresses_with_line_breaks_are_refused(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        put_leaf(&l, "Download/PkgURL", ODM_FMT_CHR, '\n', 3);
        tell(&l, "it would be two arguments", "!Download c1 405");
        tell(&l, "as it was", "s10");
        tell(&l, "as it was", "?nothing");
        tell(&l, "", DL);
        put_leaf(&l, "Ext/xrem/KeyID", ODM_FMT_CHR, '\n', 1);
        tell(&l, "so is any other leaf", "!Download c1 405");
        put_leaf(&l, "Ext/xrem/KeyID", ODM_FMT_CHR, 'k', 1);
        tell(&l, "mended", "!Download c1 202");
        lab_close(&l);
}

static void pushed_packages_may_be_large(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (int i = 0; i < 2; i++) {
                put_leaf(&l, "Update/PkgData", ODM_FMT_BIN, 'p', 3000000);
                tell(&l, "large", "s50");
                tell(&l, "large", "!Update c2 202");
                tell(&l, "large", "?install");
                tell(&l, "large", i ? "+FAILED -" : "+OK -");
                tell(&l, "large", i ? "s80" : "s100");
                assert_string_equal(lab_get(&l, "./FUMO/main/Update/PkgData"), "");
        }
        put_leaf(&l, "Update/PkgData", ODM_FMT_BIN, 'p', 3000000);
        tell(&l, "", DL);
        tell(&l, "a download instead", "!Download c1 202");
        assert_string_equal(lab_get(&l, "./FUMO/main/Update/PkgData"), "");
        lab_close(&l);
}

/* The answer came, and what was reported cannot be forgotten: once more, then. */
static void a_report_that_cannot_be_forgotten_is_told_again(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", DL);
        tell(&l, "", "!Download c1 202");
        tell(&l, "", "?download");
        tell(&l, "", "+OK -");
        assert_int_equal(lab_tell(&l), 0);
        l.log_fails = true;
        assert_true(odm_tasks_reported(l.tasks, l.last_alert, 200, LAB_NOW) < 0);
        l.log_fails = false;
        tell(&l, "again", "> " OK_DL);
        tell(&l, "and no more", ">");
        assert_null(odm_tasks_at(l.tasks, 0));
        lab_close(&l);
}

/* ---- failures of the device ------------------------------------------------------------- */

static void nothing_is_accepted_that_cannot_be_kept(void **state)
{
        lab l;
        unsigned status = 0;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", DL);
        l.log_fails = true;
        assert_int_equal(lab_exec(&l, "./FUMO/main/Download", "c1", &status), ODM_EIO);
        l.log_fails = false;
        tell(&l, "as it was", "s10");
        tell(&l, "nothing to do", "?nothing");
        tell(&l, "and it can be ordered again", "!Download c1 202");
        expect_step(&l, "lent", "download");
        l.log_fails = true;
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};
        assert_true(odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW) < 0);
        l.log_fails = false;
        tell(&l, "not over", "s30");
        assert_int_equal(odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW), 0);
        tell(&l, "now", "s50");
        lab_close(&l);
}

static int whole_life(failing *f, void *arg)
{
        unsigned status = 0;
        lab l;
        int rc = open_lab(&l, &f->mem);

        (void)arg;
        if (rc == 0)
                rc = lab_set(&l, "./FUMO/main/DownloadAndUpdate/PkgURL", ODM_FMT_CHR, "http://h/p",
                             &status);
        if (rc == 0)
                rc = lab_exec(&l, "./FUMO/main/DownloadAndUpdate", "c1", &status);
        if (rc == 0)
                assert_true(status == 202);
        if (rc == 0)
                rc = lab_finish(&l, 2);
        lab_close(&l);
        return rc;
}

static void each_allocation_may_fail(void **state)
{
        (void)state;
        torture(whole_life, NULL, 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(the_proof_goes_with_the_task),
                cmocka_unit_test(a_deleted_object_drops_its_package),
                cmocka_unit_test(codes),
                cmocka_unit_test(the_power_may_go_after_any_record),
                cmocka_unit_test(an_interrupted_installation_is_looked_after),
                cmocka_unit_test(what_was_spared_is_told),
                cmocka_unit_test(the_device_may_find_its_image_lost),
                cmocka_unit_test(the_image_in_use_is_named),
                cmocka_unit_test(an_installation_that_never_begins_is_given_up),
                cmocka_unit_test(any_note_can_be_kept),
                cmocka_unit_test(orders_may_be_long),
                cmocka_unit_test(addresses_with_line_breaks_are_refused),
                cmocka_unit_test(pushed_packages_may_be_large),
                cmocka_unit_test(a_report_that_cannot_be_forgotten_is_told_again),
                cmocka_unit_test(nothing_is_accepted_that_cannot_be_kept),
                cmocka_unit_test(each_allocation_may_fail),
        };

        return RUN_TESTS(tests);
}
