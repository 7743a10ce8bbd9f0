/* SPDX-License-Identifier: Apache-2.0 */
/* SCOMO: every arrow and every refusal of mo-scomo.md 3 and 4, the codes of 6, the power cut at
 * each stored step of 8, each allocation failing in turn. */
#include "lab.h"
#include "mo.h"
#include "odm/scomo.h"

static odm_scomo scomo; /* one at a time: tests and restarts do not overlap */
static odm_component list[ODM_SCOMO_MADE + 1];
static size_t n_list;
static bool keep, quick;
static unsigned changes;

static odm_task_cause fits(void *ctx, odm_str env, odm_str type)
{
        (void)ctx;
        if (env.n && !odm_str_is(env, "linux"))
                return ODM_CAUSE_MISMATCH;
        return type.n && !odm_str_is(type, "application/x-tar") ? ODM_CAUSE_NOT_ACCEPTED
                                                                : ODM_CAUSE_OK;
}

static int made_of(void *ctx, uint32_t id, size_t i, odm_component *out)
{
        (void)ctx;
        assert_true(id > 0);
        if (i >= n_list)
                return 0;
        *out = list[i];
        return 1;
}

static int at_once(void *ctx, const odm_task *t, odm_scomo_step step, odm_task_end *out)
{
        (void)ctx;
        assert_true(t->step == (unsigned)step);
        *out = (odm_task_end){.cause = odm_str_is(odm_task_arg(t, "id"), "broken")
                                               ? ODM_CAUSE_FAILED
                                               : ODM_CAUSE_OK};
        return quick;
}

static void on_change(void *ctx)
{
        (void)ctx;
        changes++;
}

static int mount(lab *l)
{
        scomo = (odm_scomo){.keep = keep,
                            .fits = fits,
                            .made = made_of,
                            .at_once = at_once,
                            .changed = on_change};
        return odm_scomo_mount(&scomo, l->tasks, &odm_mo_scomo);
}

static int made(lab *l)
{
        const odm_value acl = {.data = ODM_STR("Get=*&Replace=srv&Exec=srv&Add=srv&Delete=srv")};

        return odm_tree_write(l->tree, ODM_STR("./SCM?prop=ACL"), &acl, LAB_NOW);
}

static int open_lab(lab *l, const odm_mem *mem)
{
        int rc = lab_open(l, mem, mount);

        return rc == 0 ? made(l) : rc;
}

/* ---- stories ------------------------------------------------------------------------------ */

/* One line of a story; addresses are below ./SCM, with D, L and C for Download, Delivered,
 * Deployed:
 *   * URI STATUS         the server adds a node      = URI VALUE [STATUS]   it adds or sets a leaf
 *   ! URI [CORR] STATUS  it executes a node          - URI STATUS           it deletes
 *   ? STEP [ARG=VALUE]   that is lent now, or "nothing"
 *   + CAUSE DATA         it ends so; DATA "kept"     s URI VALUE            a leaf is so
 *   m ID VERSION 0|1     what an installation makes from now on; without words: nothing
 *   y ID VERSION 0|1     all that an installer has; without words: nothing
 *   > TEXT / < TEXT      the alert, answered with 200 / 500 */
static const odm_task *lent;

static const char *address(const char *word)
{
        static char uri[256];
        const char *root = word[0] == 'D'   ? "./SCM/Download"
                           : word[0] == 'L' ? "./SCM/Inventory/Delivered"
                                            : "./SCM/Inventory/Deployed";

        snprintf(uri, sizeof uri, "%s%s", root, word + 1);
        return uri;
}

static unsigned add(lab *l, const char *uri, odm_format format, const char *data)
{
        const odm_op op = {.kind = ODM_CMD_ADD,
                           .target = odm_cstr(uri),
                           .server = ODM_STR("srv"),
                           .has_value = data != NULL,
                           .value = {.format = format, .data = odm_cstr(data)}};
        odm_answer out = {0};
        odm_arena a;

        odm_arena_init(&a, &heap, 1 << 20);
        assert_int_equal(odm_tree_do(l->tree, &op, LAB_NOW, &a, &out), 0);
        odm_arena_done(&a);
        return out.status;
}

static unsigned set_or_add(lab *l, const char *uri, const char *data)
{
        odm_format f =
                strstr(uri, "/Data") || strstr(uri, "/Signature") ? ODM_FMT_BIN : ODM_FMT_CHR;
        unsigned status = 0;

        if (odm_tree_exists(l->tree, odm_cstr(uri)))
                assert_int_equal(lab_set(l, uri, f, data, &status), 0);
        else
                status = add(l, uri, f, data);
        return status == 201 ? 200 : status;
}

static void expect_status(const char *why, const char *line, unsigned got, const char *want)
{
        if (got != (want[0] ? strtoul(want, NULL, 10) : 200))
                fail_msg("%s: %s: %u", why, line, got);
}

static void expect_step(lab *l, const char *why, const char *name, char *arg)
{
        int rc = odm_tasks_next(l->tasks, LAB_NOW, &lent);
        char *value = strchr(arg, '=');

        if (rc < 0 || (rc == 0) != (strcmp(name, "nothing") == 0) ||
            (rc == 1 && strcmp(lent->kind->steps[lent->step], name) != 0))
                fail_msg("%s: wanted %s, rc %d", why, name, rc);
        if (!value)
                return;
        *value++ = 0;
        if (!odm_str_is(odm_task_arg(lent, arg), value))
                fail_msg("%s: %s is not %s", why, arg, value);
}

static void end_step(lab *l, const char *why, const char *cause, const char *data)
{
        odm_task_end e = {.cause = odm_task_cause_of(odm_cstr(cause)),
                          .has_data = strcmp(data, "kept") == 0,
                          .note = ODM_STR("so-it-was")};

        assert_string_equal(odm_task_cause_name(e.cause), cause);
        if (odm_tasks_done(l->tasks, lent->id, &e, LAB_NOW) != 0)
                fail_msg("%s: %s refused", why, cause);
}

/* Each alert as "EXEC TARGET MARK RESULT ID CORR". */
static char told[2048];

static int hear(void *ctx, const odm_alert *a)
{
        size_t n = strlen(told);

        (void)ctx;
        assert_str(a->type, "urn:oma:at:scomo:1.0:OperationComplete");
        assert_true(a->format == ODM_FMT_XML && a->code == 1226);
        snprintf(told + n, sizeof told - n, "%s%.*s %.*s %.*s %.*s %.*s", n ? "; " : "",
                 (int)a->source.n, a->source.p, (int)a->target.n, a->target.p, (int)a->mark.n,
                 a->mark.p, (int)a->data.n, a->data.p, a->correlator.p ? (int)a->correlator.n : 1,
                 a->correlator.p ? a->correlator.p : "-");
        return 0;
}

/* Long words of alerts made short again. */
static void shorten(char *s)
{
        static const char *const words[][2] = {
                {"./SCM/Download", "D"},
                {"./SCM/Inventory/Delivered", "L"},
                {"./SCM/Inventory/Deployed", "C"},
                {"/Operations", ""},
                {"<ResultCode>", ""},
                {"</ResultCode><Identifier>", " "},
                {"</Identifier>", ""},
                {"informational", "good"},
                {"critical", "bad"},
        };

        for (size_t i = 0; i < ODM_COUNT(words); i++)
                for (char *at; (at = strstr(s, words[i][0])) != NULL;) {
                        memcpy(at, words[i][1], strlen(words[i][1]));
                        memmove(at + strlen(words[i][1]), at + strlen(words[i][0]),
                                strlen(at + strlen(words[i][0])) + 1);
                }
}

static void expect_told(lab *l, const char *why, const char *want, unsigned status)
{
        uint64_t ids[ODM_TASK_MAX];
        size_t n = 0;

        told[0] = 0;
        assert_int_equal(odm_tasks_reports(l->tasks, ODM_STR("srv"), hear, NULL), 0);
        shorten(told);
        if (strcmp(told, want) != 0)
                fail_msg("%s: wanted '%s', told '%s'", why, want, told);
        for (size_t i = 0; odm_tasks_at(l->tasks, i); i++)
                if (odm_tasks_at(l->tasks, i)->step == 0)
                        ids[n++] = ODM_TASK_ALERT | (uint64_t)odm_tasks_at(l->tasks, i)->id << 8;
        while (n-- > 0)
                for (uint64_t i = 0; i < ODM_TASK_ALERTS; i++)
                        assert_int_equal(odm_tasks_reported(l->tasks, ids[n] | i, status, LAB_NOW),
                                         0);
        assert_int_equal(
                odm_tasks_session_over(l->tasks, ODM_STR("srv"), (odm_time){1000}, LAB_NOW), 0);
}

static void components(const char *id, const char *version, const char *active)
{
        static char ids[ODM_COUNT(list)][32], versions[ODM_COUNT(list)][16];

        if (!id[0]) {
                n_list = 0;
                return;
        }
        snprintf(ids[n_list], sizeof ids[0], "%s", id);
        snprintf(versions[n_list], sizeof versions[0], "%s", version);
        list[n_list] = (odm_component){.id = odm_cstr(ids[n_list]),
                                       .name = odm_cstr(ids[n_list]),
                                       .version = odm_cstr(versions[n_list]),
                                       .installer = ODM_STR("archive"),
                                       .active = active[0] == '1'};
        n_list++;
}

static void sync_all(void)
{
        bool changed = false;

        assert_int_equal(odm_scomo_sync(&scomo, "archive", list, n_list, LAB_NOW, &changed), 0);
}

static void tell(lab *l, const char *why, const char *line)
{
        char a[128] = "", b[128] = "", c[64] = "";
        unsigned status = 0;
        int n = sscanf(line + 1, "%127s %127s %63s", a, b, c);

        switch (line[0]) {
        case '*':
                status = add(l, address(a), ODM_FMT_NODE, NULL);
                expect_status(why, line, status == 201 ? 200 : status, b);
                break;
        case '=': expect_status(why, line, set_or_add(l, address(a), b), c); break;
        case '!':
                assert_int_equal(lab_exec(l, address(a), n == 3 ? b : NULL, &status), 0);
                expect_status(why, line, status, n == 3 ? c : b);
                break;
        case '-':
                assert_int_equal(lab_delete(l, address(a), &status), 0);
                expect_status(why, line, status, b);
                break;
        case '?': expect_step(l, why, a, b); break;
        case '+': end_step(l, why, a, b); break;
        case 's':
                if (strcmp(lab_get(l, address(a)), n == 1 ? "" : b) != 0)
                        fail_msg("%s: %s is %s", why, line, lab_get(l, address(a)));
                break;
        case 'm': components(a, b, c); break;
        case 'y':
                components(a, b, c);
                sync_all();
                break;
        case '>':
        case '<': expect_told(l, why, line + 1, line[0] == '>' ? 200 : 500); break;
        default: fail_msg("%s: what is '%s'?", why, line);
        }
}

struct story {
        const char *why, *line[40];
        bool keep, quick;
};

#define NEW "*D/x", "=D/x/PkgID net.x-1", "=D/x/PkgURL http://h/p"
#define PUSH "*L/y", "=L/y/PkgID net.y-1", "=L/y/Data octets"
#define HAVE "y app 1.0 1"
#define OPS "/Operations/"

static const struct story stories[] = {
        {"what the server does not put there, the device does",
         {NEW, "sD/x/Status 10", "sD/x" OPS "Download", "sD/x" OPS "DownloadInstall",
          "sD/x/State (none)", "*L/y", "sL/y/Status 10", "sL/y/State 10", "sL/y" OPS "Install",
          "sL/y" OPS "Remove"}},
        {"a download: a package is delivered",
         {NEW, "=D/x/Name X", "!D/x" OPS "Download c1 202", "sD/x/Status 30",
          "?download url=http://h/p", "+OK kept", "sD/x/Status 40", "sL/x/PkgID net.x-1",
          "sL/x/Name X", "sL/x/Status 10", "sL/x/State 10", "sL/x/Ext/xrem/Held p1",
          ">D/x/Download L/x good 1200 net.x-1 c1", ">"}},
        {"and installed, and removed",
         {NEW,
          "!D/x" OPS "Download c1 202",
          "?download",
          "+OK kept",
          ">D/x/Download L/x good 1200 net.x-1 c1",
          "m app 1.0 1",
          "!L/x" OPS "Install c2 202",
          "sL/x/Status 40",
          "?install hold=p1",
          "+OK kept",
          "sL/x/Status 10",
          "sL/x/State 20",
          "sC/app/ID app",
          "sC/app/Version 1.0",
          "sC/app/PkgIDRef net.x-1",
          "sC/app/State 20",
          "sC/app/Status 10",
          ">L/x/Install C/app good 1200 app c2",
          "!L/x" OPS "Install 405",
          "!C/app" OPS "Remove c3 202",
          "sC/app/Status 30",
          "?remove id=app",
          "+OK -",
          "sC/app/ID (none)",
          "sL/x/State 10",
          ">C/app/Remove C/app good 1200 app c3",
          "!L/x" OPS "Remove 1200",
          "sL/x/PkgID (none)",
          ">"}},
        {"a download and installation in one: one alert, nothing is kept of the package",
         {NEW, "m app 2.0 1", "!D/x" OPS "DownloadInstall c1 202", "?download", "+OK kept",
          "sD/x/Status 50", ">", "?install active=1", "+OK kept", "sD/x/Status 10",
          "sL/x/PkgID (none)", "sC/app/State 20", ">D/x/DownloadInstall C/app good 1200 app c1",
          ">"}},
        {"the same where packages are kept",
         {NEW, "m app 2.0 1", "!D/x" OPS "DownloadInstall c1 202", "?download", "+OK kept",
          "?install", "+OK kept", "sD/x/Status 40", "sL/x/State 20", "sL/x/Status 10",
          ">D/x/DownloadInstall C/app good 1200 app c1"},
         .keep = true},
        {"inactive, then active, then not",
         {NEW,
          "m app 2.0 0",
          "!D/x" OPS "DownloadInstallInactive c1 202",
          "?download",
          "+OK kept",
          "?install active=0",
          "+OK kept",
          "sC/app/State 10",
          ">D/x/DownloadInstallInactive C/app good 1200 app c1",
          "!C/app" OPS "Deactivate 1200",
          "!C/app" OPS "Activate c2 202",
          "sC/app/Status 50",
          "?activate installer=archive",
          "+OK -",
          "sC/app/Status 10",
          "sC/app/State 20",
          ">C/app/Activate C/app good 1200 app c2",
          "!C/app" OPS "Activate 1200",
          "!C/app" OPS "Deactivate 202",
          "sC/app/Status 70",
          "?deactivate",
          "+OK -",
          "sC/app/Status 10",
          "sC/app/State 10",
          ">C/app/Deactivate C/app good 1200 app -",
          ">"}},
        {"a package of two components: an alert each",
         {NEW, "m app 1.0 1", "m lib/x 3 1", "!D/x" OPS "DownloadInstall c1 202", "?download",
          "+OK kept", "?install", "+OK kept", "sC/lib_x/ID lib/x",
          ">D/x/DownloadInstall C/app good 1200 app c1; "
          "D/x/DownloadInstall C/lib_x good 1200 lib/x c1",
          ">"}},
        {"one of none is told as the package",
         {NEW, "!D/x" OPS "DownloadInstall c1 202", "?download", "+OK kept", "?install", "+OK -",
          ">D/x/DownloadInstall D/x good 1200 net.x-1 c1", ">"}},
        {"a failed download",
         {NEW, "!D/x" OPS "DownloadInstall c1 202", "?download", "+BAD_URL -", "sD/x/Status 20",
          "sD/x/Ext/xrem/Reason so-it-was", ">D/x/DownloadInstall D/x bad 1402 net.x-1 c1",
          "?nothing", "!D/x" OPS "DownloadInstall 202", "sD/x/Status 30"}},
        {"an installation fails, and nothing is kept",
         {NEW, "m app 1.0 1", "!D/x" OPS "DownloadInstall c1 202", "?download", "+OK kept",
          "?install", "+FAILED kept", "sD/x/Status 70", "sC/app/ID (none)", "sL/x/PkgID (none)",
          ">D/x/DownloadInstall D/x bad 1405 net.x-1 c1"}},
        {"it fails, and the package is kept",
         {NEW, "!D/x" OPS "DownloadInstall c1 202", "?download", "+OK kept", "?install",
          "+FAILED kept", "sD/x/Status 60", "sL/x/Status 50", "sL/x/State 10",
          ">D/x/DownloadInstall L/x bad 1405 net.x-1 c1", "!L/x" OPS "Install 202"},
         .keep = true},
        {"a bad signature is never kept",
         {NEW, "!D/x" OPS "DownloadInstall c1 202", "?download", "+OK kept", "?install",
          "+UNSIGNED -", "sD/x/Status 70", "sL/x/PkgID (none)",
          ">D/x/DownloadInstall D/x bad 1407 net.x-1 c1"},
         .keep = true},
        {"a newer version takes the place of the older one",
         {NEW, HAVE, "sC/app/Version 1.0", "m", "m app 2.0 1", "!D/x" OPS "DownloadInstall c1 202",
          "?download", "+OK kept", "?install", "+OK kept", "sC/app/Version 2.0",
          "sC/app/PkgIDRef net.x-1", "sC/app-2/ID (none)",
          ">D/x/DownloadInstall C/app good 1200 app c1"}},
        {"the package before it is not installed any more",
         {PUSH, "m app 1.0 1", "!L/y" OPS "Install 202", "?install pushed=1", "+OK kept",
          "sL/y/State 20", ">L/y/Install C/app good 1200 app -", NEW,
          "!D/x" OPS "DownloadInstall 202", "?download", "+OK kept", "?install", "+OK kept",
          "sL/y/State 10"}},
        {"pushed in the session",
         {PUSH, "!L/y" OPS "InstallInactive c1 202", "m app 1.0 0", "?install active=0", "+OK kept",
          "sL/y/Data", "sL/y/Ext/xrem/Held p1", "sL/y/State 20",
          ">L/y/InstallInactive C/app good 1200 app c1"}},
        {"pushed, and it fails",
         {PUSH, "!L/y" OPS "Install c1 202", "?install", "+NO_ROOM kept", "sL/y/Status 50",
          "sL/y/State 10", ">L/y/Install L/y bad 1406 net.y-1 c1", "!L/y" OPS "Install 202",
          "?install hold=p1", "+UNSIGNED -", "sL/y/Status 60", "sL/y/Ext/xrem/Held",
          ">L/y/Install L/y bad 1407 net.y-1 -", "!L/y" OPS "Install 405", "=L/y/Data more",
          "sL/y/Status 10", "!L/y" OPS "Install 202", "?install pushed=1"}},
        {"pushed again: what was held before is of no use",
         {PUSH, "!L/y" OPS "Install 202", "?install", "+FAILED kept", "=L/y/Data other",
          "sL/y/Ext/xrem/Held", "sL/y/Status 10"}},
        {"nothing there, nothing to install", {"*L/y", "=L/y/PkgID a", "!L/y" OPS "Install 405"}},
        {"no address, no download",
         {"*D/x", "=D/x/PkgID a", "!D/x" OPS "Download 405", "sD/x/Status 10", "?nothing", ">"}},
        {"no name, no download",
         {"*D/x", "=D/x/PkgURL http://h/", "!D/x" OPS "Download 405", "?nothing"}},
        {"an environment we do not have is refused at once",
         {NEW, "=D/x/EnvType jvm", "!D/x" OPS "DownloadInstall 1413", "sD/x/Status 10", "?nothing",
          ">", "!D/x" OPS "Download 202"}},
        {"so is a kind of package that nobody here installs",
         {NEW, "=D/x/PkgType application/zip", "!D/x" OPS "DownloadInstallInactive 1413",
          "?nothing", ">", "=D/x/PkgType application/x-tar", "=D/x/EnvType linux",
          "!D/x" OPS "DownloadInstall 202"}},
        {"busy: refused without an alert, and the first goes on",
         {NEW, "!D/x" OPS "Download c1 202", "!D/x" OPS "Download 405",
          "!D/x" OPS "DownloadInstall 405", "-D/x 405", "=D/x/PkgID other 405",
          "=D/x/PkgURL http://other/", "?download url=http://h/p", "+OK kept",
          ">D/x/Download L/x good 1200 net.x-1 c1", "-D/x 200"}},
        {"a busy package is not taken away",
         {PUSH, "!L/y" OPS "Install 202", "!L/y" OPS "Remove 405", "-L/y 405", "=L/y/Data more 405",
          "?install", "+FAILED -", "-L/y 200"}},
        {"two packages at a time",
         {NEW, "*D/z", "=D/z/PkgID z", "=D/z/PkgURL http://h/z", "!D/x" OPS "Download 202",
          "!D/z" OPS "Download 202", "?download hold=p1", "?download hold=p2"}},
        {"one package under two names is refused",
         {NEW, "*D/z", "=D/z/PkgID net.x-1 500", "sD/z/PkgID (none)", "=D/x/PkgID net.x-1",
          "*D/x 418", "*L/y", "=L/y/PkgID net.x-1", "*L/z", "=L/z/PkgID net.x-1 500"}},
        {"downloaded again: the same node tells of it",
         {NEW, "!D/x" OPS "Download 202", "?download", "+OK kept",
          ">D/x/Download L/x good 1200 net.x-1 -", "!D/x" OPS "Download 202", "?download hold=p2",
          "+OK kept", "sL/x/Ext/xrem/Held p2", "sL/x-2/PkgID (none)"}},
        {"a name taken by another package",
         {NEW, "*L/x", "=L/x/PkgID other", "!D/x" OPS "Download 202", "?download", "+OK kept",
          "sL/x-2/PkgID net.x-1", ">D/x/Download L/x-2 good 1200 net.x-1 -"}},
        {"activation fails",
         {"y app 1 0", "!C/app" OPS "Activate c1 202", "?activate", "+FAILED -", "sC/app/Status 40",
          "sC/app/State 10", ">C/app/Activate C/app bad 1409 app c1"}},
        {"deactivation fails",
         {HAVE, "!C/app" OPS "Deactivate c1 202", "?deactivate", "+UNSUPPORTED -",
          "sC/app/Status 60", "sC/app/State 20", ">C/app/Deactivate C/app bad 1411 app c1"}},
        {"removal fails",
         {HAVE, "!C/app" OPS "Remove c1 202", "?remove", "+FAILED -", "sC/app/Status 20",
          "sC/app/State 20", ">C/app/Remove C/app bad 1408 app c1", "!C/app" OPS "Remove 202"}},
        {"what takes no time is told at once",
         {HAVE, "!C/app" OPS "Deactivate c1 1200", "sC/app/State 10", "sC/app/Status 10",
          "!C/app" OPS "Activate 1200", "sC/app/State 20", "!C/app" OPS "Remove 1200",
          "sC/app/ID (none)", "?nothing", ">"},
         .quick = true},
        {"and so is its failure",
         {"y broken 1 0", "!C/broken" OPS "Activate 1409", "sC/broken/Status 40",
          "sC/broken/State 10", ">"},
         .quick = true},
        {"components come and go by other hands",
         {HAVE, "y lib 2 0", "sC/app/State 20", "sC/lib/State 10", "m", "y lib 3 1",
          "sC/app/ID (none)", "sC/lib/Version 3", "sC/lib/State 20", "m", "y app 1 1", "m",
          "!C/app" OPS "Remove 202", "y other 1 1", "sC/app/Status 30", "?remove", "+OK -",
          "sC/app/ID (none)"}},
        {"not the server's to write or delete",
         {HAVE, "=C/app/State 10 405", "=C/app/ID b 405", "=D/w/Status 40", "sD/w/Status 10",
          "=L/w/Ext/xrem/Held p1", "sL/w/Ext/xrem/Held", "=L/v/State 20", "sL/v/State 10",
          "-D/y 404", "*C/mine 405", NEW, "=D/x/Status 40 405"}},
        {"only those can be executed",
         {NEW, "!D/x/Status 405", "!D/x" OPS "Ext 404", "!D/x 405", "!D/y" OPS "Download 404"}},
        {"a report the server could not take is told again",
         {NEW, "!D/x" OPS "Download c1 202", "?download", "+NETWORK -",
          "<D/x/Download D/x bad 1402 net.x-1 c1", ">D/x/Download D/x bad 1402 net.x-1 c1", ">"}},
        {"an ID that looks like mark-up",
         {"y a<b>&c 1 1", "!C/a_b__c" OPS "Deactivate c1 202", "?deactivate", "+OK -",
          ">C/a_b__c/Deactivate C/a_b__c good 1200 a&lt;b&gt;&amp;c c1"}},
        {"an address with nothing after it",
         {"*D/x", "=D/x/PkgID a", "=D/x/PkgURL", "!D/x" OPS "Download 405"}},
};

static void every_arrow(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(stories); i++) {
                lab l;
                n_list = 0;
                keep = stories[i].keep;
                quick = stories[i].quick;
                assert_int_equal(open_lab(&l, &heap), 0);
                for (size_t k = 0; k < ODM_COUNT(stories[i].line) && stories[i].line[k]; k++)
                        tell(&l, stories[i].why, stories[i].line[k]);
                lab_close(&l);
        }
        keep = quick = false;
}

static void codes(void **state)
{
        static const struct {
                odm_task_cause cause;
                unsigned download, install, activate, deactivate, removal;
        } rows[] = {
                {ODM_CAUSE_OK, 1200, 1200, 1200, 1200, 1200},
                {ODM_CAUSE_CANCELLED, 1401, 1401, 1401, 1401, 1401},
                {ODM_CAUSE_CORRUPT, 1402, 1405, 1409, 1410, 1408},
                {ODM_CAUSE_MISMATCH, 1413, 1413, 1413, 1413, 1413},
                {ODM_CAUSE_UNSIGNED, 1407, 1407, 1407, 1407, 1407},
                {ODM_CAUSE_NOT_ACCEPTED, 1402, 1405, 1409, 1410, 1408},
                {ODM_CAUSE_AUTH, 1403, 1403, 1403, 1403, 1403},
                {ODM_CAUSE_TIMEOUT, 1402, 1405, 1409, 1410, 1408},
                {ODM_CAUSE_UNSUPPORTED, 1411, 1411, 1411, 1411, 1411},
                {ODM_CAUSE_FAILED, 1402, 1405, 1409, 1410, 1408},
                {ODM_CAUSE_BAD_URL, 1402, 1405, 1409, 1410, 1408},
                {ODM_CAUSE_UNAVAILABLE, 1501, 1501, 1501, 1501, 1501},
                {ODM_CAUSE_SERVER, 1500, 1500, 1500, 1500, 1500},
                {ODM_CAUSE_NO_ROOM, 1404, 1406, 1409, 1410, 1408},
                {ODM_CAUSE_NETWORK, 1402, 1405, 1409, 1410, 1408},
                {ODM_CAUSE_BAD_CONFIG, 1400, 1400, 1400, 1400, 1400},
                {ODM_CAUSE_INTERRUPTED, 1402, 1405, 1409, 1410, 1408},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_task_cause c = rows[i].cause;
                assert_int_equal(odm_scomo_result(c, ODM_SCOMO_DOWNLOAD), rows[i].download);
                assert_int_equal(odm_scomo_result(c, ODM_SCOMO_INSTALL), rows[i].install);
                assert_int_equal(odm_scomo_result(c, ODM_SCOMO_CHECK), rows[i].install);
                assert_int_equal(odm_scomo_result(c, ODM_SCOMO_ACTIVATE), rows[i].activate);
                assert_int_equal(odm_scomo_result(c, ODM_SCOMO_DEACTIVATE), rows[i].deactivate);
                assert_int_equal(odm_scomo_result(c, ODM_SCOMO_REMOVE), rows[i].removal);
        }
}

static void files_are_held_while_they_are_needed(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (const char *const *s = (const char *const[]){NEW, "!D/x" OPS "Download 202", NULL}; *s;
             s++)
                tell(&l, "", *s);
        assert_int_equal(odm_scomo_holds(&scomo, ODM_STR("p1")), 1);
        tell(&l, "", "?download");
        tell(&l, "", "+OK kept");
        assert_int_equal(odm_scomo_holds(&scomo, ODM_STR("p1")), 1);
        assert_int_equal(odm_scomo_holds(&scomo, ODM_STR("p2")), 0);
        changes = 0;
        tell(&l, "", "!L/x" OPS "Remove 1200");
        assert_true(changes > 0);
        assert_int_equal(odm_scomo_holds(&scomo, ODM_STR("p1")), 0);
        lab_close(&l);
}

static int count_one(void *ctx, const odm_component *c)
{
        size_t *n = ctx;

        (*n)++;
        return odm_str_is(c->id, "app") && odm_str_is(c->version, "1.0") && c->active ? 0 : ODM_EIO;
}

static void what_an_installer_has_can_be_read_and_changes_once(void **state)
{
        bool changed = false;
        size_t n = 0;
        lab l;

        (void)state;
        n_list = 0;
        assert_int_equal(open_lab(&l, &heap), 0);
        tell(&l, "", HAVE);
        assert_int_equal(odm_scomo_sync(&scomo, "archive", list, 1, LAB_NOW, &changed), 0);
        assert_false(changed);
        assert_int_equal(odm_scomo_sync(&scomo, "dpkg", NULL, 0, LAB_NOW, &changed), 0);
        assert_false(changed); /* of another one */
        assert_int_equal(odm_scomo_each(&scomo, "archive", count_one, &n), 0);
        assert_int_equal(odm_scomo_each(&scomo, "dpkg", count_one, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(odm_scomo_sync(&scomo, "archive", NULL, 0, LAB_NOW, &changed), 0);
        assert_true(changed);
        assert_int_equal(odm_tree_begin(l.tree, LAB_NOW), 0);
        assert_int_equal(odm_scomo_sync(&scomo, "archive", NULL, 0, LAB_NOW, &changed), ODM_ESTATE);
        odm_tree_rollback(l.tree);
        l.log_fails = true;
        assert_int_equal(odm_scomo_sync(&scomo, "archive", list, 1, LAB_NOW, &changed), ODM_EIO);
        l.log_fails = false;
        assert_int_equal(odm_scomo_sync(&scomo, "archive", list, 1, LAB_NOW, &changed), 0);
        lab_close(&l);
}

static void the_proof_goes_with_the_package(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (const char *const *s =
                     (const char *const[]){
                             NEW, "=D/x/Ext/xrem/Hash abc", "=D/x/Ext/xrem/Signature xyz",
                             "=D/x/InstallParams a=b", "!D/x" OPS "Download 202",
                             "?download signature=eHl6", "+OK kept", "sL/x/Ext/xrem/Hash abc",
                             "sL/x/Ext/xrem/Signature xyz", "sL/x/InstallParams a=b",
                             "!L/x" OPS "Install 202", "?install signature=eHl6", NULL};
             *s; s++)
                tell(&l, "proof", *s);
        assert_true(odm_str_is(odm_task_arg(lent, "params"), "a=b"));
        lab_close(&l);
}

static void what_is_no_line_is_no_order(void **state)
{
        lab l;

        (void)state;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (const char *const *s = (const char *const[]){NEW, NULL}; *s; s++)
                tell(&l, "", *s);
        assert_int_equal(set_or_add(&l, "./SCM/Download/x/Description", "two\nlines"), 200);
        tell(&l, "prose is taken", "!D/x" OPS "Download 202");
        tell(&l, "prose is taken", "?download");
        assert_str(odm_task_arg(lent, "description"), "two lines");
        tell(&l, "", "+FAILED -");
        assert_int_equal(set_or_add(&l, "./SCM/Download/x/PkgURL", "two\nlines"), 200);
        tell(&l, "it would be two arguments", "!D/x" OPS "Download 405");
        lab_close(&l);
}

/* ---- power cuts --------------------------------------------------------------------------- */

static const char *const order[] = {NEW,         "m app 1.0 1", "!D/x" OPS "DownloadInstall c3 202",
                                    "?download", "+OK kept",    "?install",
                                    "+OK kept"};

static const char *step_before(const lab *l)
{
        const odm_task *t = odm_tasks_at(l->tasks, 0);

        return !t ? "none" : t->step ? t->kind->steps[t->step] : "over";
}

/* Whatever was on the disk: the device comes to an end by itself, tells it once, and is idle. */
static void goes_on_to_one_alert(lab *l, bool ordered, bool undone)
{
        odm_task_end e = {.cause = ODM_CAUSE_OK, .has_data = true};
        bool failed = false;

        for (int i = 0; i < 5 && odm_tasks_next(l->tasks, LAB_NOW, &lent) == 1; i++) {
                failed = undone && lent->step == ODM_SCOMO_CHECK;
                e.cause = failed ? ODM_CAUSE_INTERRUPTED : ODM_CAUSE_OK;
                assert_int_equal(odm_tasks_done(l->tasks, lent->id, &e, LAB_NOW), 0);
        }
        expect_told(l, "after a power cut",
                    !ordered ? ""
                    : failed ? "D/x/DownloadInstall D/x bad 1405 net.x-1 c3"
                             : "D/x/DownloadInstall C/app good 1200 app c3",
                    200);
        if (ordered)
                assert_string_equal(lab_get(l, "./SCM/Download/x/Status"), failed ? "70" : "10");
        if (ordered)
                assert_string_equal(lab_get(l, "./SCM/Inventory/Deployed/app/ID"),
                                    failed ? "(none)" : "app");
        expect_told(l, "only once", "", 200);
        assert_null(odm_tasks_at(l->tasks, 0));
}

static void the_power_may_go_after_any_record(void **state)
{
        lab l;
        size_t checks = 0, idle = 0;

        (void)state;
        n_list = 0;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < ODM_COUNT(order); i++)
                tell(&l, "", order[i]);
        for (size_t n = 0; n <= 2 * l.n_log + 1; n++) {
                lab again;
                assert_int_equal(lab_restart(&l, n / 2, &again, mount, made), 0);
                checks += strcmp(step_before(&again), "check") == 0;
                idle += strcmp(step_before(&again), "none") == 0;
                goes_on_to_one_alert(&again, strcmp(step_before(&again), "none") != 0, n % 2);
                lab_close(&again);
        }
        assert_true(checks > 0 && idle > 0);
        lab_close(&l);
}

/* Each record of the change of a component, with the same end at last. */
static void components_survive_power_cuts(void **state)
{
        static const struct {
                const char *op, *step, *done;
        } rows[] = {
                {"!C/app" OPS "Activate c1 202", "activate",
                 "C/app/Activate C/app good 1200 app c1"},
                {"!C/app" OPS "Remove c1 202", "remove", "C/app/Remove C/app good 1200 app c1"},
        };
        const odm_task_end ok = {.cause = ODM_CAUSE_OK};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                lab l, again;
                n_list = 0;
                assert_int_equal(open_lab(&l, &heap), 0);
                tell(&l, "", "y app 1 0");
                size_t from = l.n_log;
                tell(&l, "", rows[i].op);
                expect_step(&l, "", rows[i].step, (char[]){""});
                for (size_t n = from; n <= l.n_log; n++) {
                        assert_int_equal(lab_restart(&l, n, &again, mount, made), 0);
                        bool ordered = odm_tasks_at(again.tasks, 0) != NULL;
                        if (odm_tasks_next(again.tasks, LAB_NOW, &lent) == 1)
                                assert_int_equal(
                                        odm_tasks_done(again.tasks, lent->id, &ok, LAB_NOW), 0);
                        expect_told(&again, rows[i].op, ordered ? rows[i].done : "", 200);
                        lab_close(&again);
                }
                lab_close(&l);
        }
}

static void what_the_power_cuts_each_time_is_given_up(void **state)
{
        static lab lives[ODM_SCOMO_TRIES + 1];
        lab *l = lives;

        (void)state;
        n_list = 0;
        assert_int_equal(open_lab(l, &heap), 0);
        tell(l, "", "y app 1 0");
        tell(l, "", "!C/app" OPS "Activate c1 202");
        for (int i = 0; i < ODM_SCOMO_TRIES; i++, l++) {
                tell(l, "in turn", "?activate");
                assert_int_equal(lab_restart(l, l->n_log, l + 1, mount, made), 0);
                lab_close(l);
        }
        tell(l, "given up", "?nothing");
        tell(l, "given up", "sC/app/Status 40");
        tell(l, "told", ">C/app/Activate C/app bad 1409 app c1");
        lab_close(l);
}

/* ---- failures of the device --------------------------------------------------------------- */

static void nothing_is_accepted_that_cannot_be_kept(void **state)
{
        const odm_task_end ok = {.cause = ODM_CAUSE_OK, .has_data = true};
        unsigned status = 0;
        lab l;

        (void)state;
        n_list = 0;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < 4; i++)
                tell(&l, "", order[i]);
        l.log_fails = true;
        assert_int_equal(lab_exec(&l, "./SCM/Download/x/Operations/DownloadInstall", "c1", &status),
                         ODM_EIO);
        l.log_fails = false;
        tell(&l, "as it was", "sD/x/Status 10");
        tell(&l, "nothing to do", "?nothing");
        for (size_t i = 4; i + 1 < ODM_COUNT(order); i++)
                tell(&l, "", order[i]);
        l.log_fails = true;
        assert_true(odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW) < 0);
        l.log_fails = false;
        tell(&l, "not over", "sD/x/Status 50");
        tell(&l, "not over", "sC/app/ID (none)");
        assert_int_equal(odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW), 0);
        tell(&l, "now", "sC/app/ID app");
        lab_close(&l);
}

/* Tasks of a device that does not do this any more: they end, and are told. */
static void tasks_without_their_object_end(void **state)
{
        const odm_task_end gone = {.cause = ODM_CAUSE_UNSUPPORTED};
        lab l;

        (void)state;
        n_list = 0;
        assert_int_equal(open_lab(&l, &heap), 0);
        for (size_t i = 0; i < 6; i++)
                tell(&l, "", order[i]);
        odm_task t = *lent;
        assert_int_equal(odm_scomo_kind.ended(NULL, l.tasks, &t, &gone), 0);
        assert_int_equal(t.result, 1411);
        lab_close(&l);
}

static int whole_life(failing *f, void *arg)
{
        static const char *const leaves[][2] = {{"PkgID", "net.x-1"}, {"PkgURL", "http://h/p"}};
        const odm_task_end ok = {.cause = ODM_CAUSE_OK, .has_data = true};
        unsigned status = 0;
        bool changed = false;
        lab l;
        int rc = open_lab(&l, &f->mem);

        (void)arg;
        for (size_t i = 0; i < ODM_COUNT(leaves) && rc == 0; i++) {
                char uri[64];
                const odm_value v = {.format = ODM_FMT_CHR, .data = odm_cstr(leaves[i][1])};
                snprintf(uri, sizeof uri, "./SCM/Download/x/%s", leaves[i][0]);
                rc = odm_tree_write(l.tree, odm_cstr(uri), &v, LAB_NOW);
        }
        if (rc == 0)
                rc = lab_exec(&l, "./SCM/Download/x/Operations/DownloadInstall", "c1", &status);
        if (rc == 0)
                assert_true(status == 202);
        for (int i = 0; i < 2 && rc == 0; i++) {
                rc = odm_tasks_next(l.tasks, LAB_NOW, &lent);
                if (rc == 1)
                        rc = odm_tasks_done(l.tasks, lent->id, &ok, LAB_NOW);
        }
        if (rc == 0)
                rc = odm_scomo_sync(&scomo, "archive", NULL, 0, LAB_NOW, &changed);
        if (rc == 0)
                rc = odm_scomo_holds(&scomo, ODM_STR("p1"));
        if (rc >= 0)
                rc = lab_report(&l, 200);
        lab_close(&l);
        return rc;
}

static void each_allocation_may_fail(void **state)
{
        (void)state;
        n_list = 0;
        keep = true;
        components("app", "1.0", "1");
        torture(whole_life, NULL, 600);
        keep = false;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_arrow),
                cmocka_unit_test(codes),
                cmocka_unit_test(files_are_held_while_they_are_needed),
                cmocka_unit_test(what_an_installer_has_can_be_read_and_changes_once),
                cmocka_unit_test(the_proof_goes_with_the_package),
                cmocka_unit_test(what_is_no_line_is_no_order),
                cmocka_unit_test(the_power_may_go_after_any_record),
                cmocka_unit_test(components_survive_power_cuts),
                cmocka_unit_test(what_the_power_cuts_each_time_is_given_up),
                cmocka_unit_test(nothing_is_accepted_that_cannot_be_kept),
                cmocka_unit_test(tasks_without_their_object_end),
                cmocka_unit_test(each_allocation_may_fail),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
