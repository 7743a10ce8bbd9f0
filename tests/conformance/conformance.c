/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance: cases as text files, played in XML and in WBXML.
 *
 *     conformance [--table | --write FILE] [--only WORD] [--requirements FILE] [--root FOLDER]
 *                 [--tests FILE] [--page FILE] [CASES...]
 *
 * Without CASES, from the root of the sources: all there are.
 * Prints TAP, a line for each case and codec, then whether each requirement is proved (named tests
 * are looked for in --tests, Meson's intro-tests.json, and below --root) and whether --page is the
 * page that these results make.  With --table that page; --write writes it to a file. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"
#include "play.h"
#include "requirement.h"
#include "teller.h"

#define PAGE_MOST ((size_t)4 << 20)

static struct {
        bool table;
        const char *write, *only, *requirements, *root, *tests, *page;
} arg;

static unsigned n_tests;

static void tell(bool ok, const char *title, const char *codec, const char *why)
{
        if (arg.table || arg.write) {
                if (!ok)
                        (void)fprintf(stderr, "not ok - %s%s\n# %s\n", title, codec, why);
                return;
        }
        printf("%sok %u - %s%s\n", ok ? "" : "not ", ++n_tests, title, codec);
        if (!ok)
                printf("# %s\n", why);
}

static bool wanted(const test_case *c)
{
        return arg.only == NULL || memmem(c->title.p, c->title.n, arg.only, strlen(arg.only)) ||
               case_covers(c, odm_cstr(arg.only));
}

static bool play_one(test_case *c)
{
        static const odm_codec *const codecs[] = {&odm_codec_xml, &odm_codec_wbxml};
        static const char *const names[] = {" (xml)", " (wbxml)"};
        char why[400], title[200];
        bool ok = true;

        (void)snprintf(title, sizeof title, "%.*s", (int)c->title.n, c->title.p);
        c->ran = true;
        for (size_t i = 0; i < ODM_COUNT(codecs); i++) {
                why[0] = '\0';
                c->ok[i] = (c->server ? play_server : play_client)(c, codecs[i], why, sizeof why);
                tell(c->ok[i], title, names[i], why);
                ok = ok && c->ok[i];
        }
        return ok;
}

static bool play_all(test_case *list)
{
        bool ok = true;

        for (test_case *c = list; c; c = c->next)
                if (wanted(c))
                        ok = play_one(c) && ok;
        return ok;
}

/* ---- the page ----------------------------------------------------------------------- */

static bool is_current(odm_str page)
{
        char *text = malloc(PAGE_MOST);
        FILE *f = fopen(arg.page, "rb");
        size_t n = f && text ? fread(text, 1, PAGE_MOST, f) : 0;
        bool same = odm_str_eq((odm_str){text, n}, page);

        if (f)
                fclose(f);
        free(text);
        return same;
}

static bool write_page(odm_str page)
{
        FILE *f = fopen(arg.write, "wb");
        bool ok = f && fwrite(page.p, 1, page.n, f) == page.n;

        if (f)
                ok = fclose(f) == 0 && ok;
        if (!ok)
                (void)fprintf(stderr, "%s cannot be written\n", arg.write);
        return ok;
}

static bool report(const requirement *list, const test_case *cases)
{
        odm_buf page;
        bool ok = true;

        odm_buf_init(&page, &teller_mem, PAGE_MOST);
        if (requirement_page(list, cases, &page) < 0)
                return false;
        if (arg.table)
                printf("%.*s", (int)page.n, page.p);
        if (arg.write)
                ok = write_page(odm_buf_view(&page));
        if (arg.page) {
                ok = is_current(odm_buf_view(&page));
                tell(ok, arg.page, " is the page of these results", "run ./dev conformance");
        }
        odm_buf_done(&page);
        return ok;
}

/* Only when all was played is there something to say of the whole. */
static bool judge(const test_case *cases, odm_arena *a)
{
        requirement *list;
        char why[400] = "";

        if (arg.only)
                return true;
        if (!requirement_read(arg.requirements, a, &list))
                return false;
        bool ok = requirement_check(list, cases, arg.root, arg.tests, a, why, sizeof why);
        tell(ok, "each requirement has a case, a test or a reason", "", why);
        return report(list, cases) && ok;
}

/* ---- arguments ------------------------------------------------------------------------ */

static bool read_default(odm_arena *a, test_case **list)
{
        glob_t g;
        bool ok = glob("tests/conformance/cases/*.case", 0, NULL, &g) == 0;

        for (size_t i = 0; ok && i < g.gl_pathc; i++) {
                odm_str name = odm_arena_copy(a, odm_cstr(g.gl_pathv[i]));
                ok = name.p && case_read(name.p, a, list);
        }
        globfree(&g);
        if (!ok && *list == NULL)
                printf("Bail out! no cases below tests/conformance here\n");
        return ok;
}

/* True when argv[i] is an option with a value, which is taken. */
static bool take_option(int argc, char **argv, int i)
{
        const struct {
                const char *name;
                const char **to;
        } options[] = {{"--write", &arg.write}, {"--only", &arg.only},
                       {"--root", &arg.root},   {"--requirements", &arg.requirements},
                       {"--tests", &arg.tests}, {"--page", &arg.page}};

        for (size_t k = 0; k < ODM_COUNT(options) && i + 1 < argc; k++)
                if (strcmp(argv[i], options[k].name) == 0) {
                        *options[k].to = argv[i + 1];
                        return true;
                }
        return false;
}

int main(int argc, char **argv)
{
        test_case *list = NULL;
        odm_arena a;
        bool ok = true;

        arg.requirements = "tests/conformance/requirements.txt";
        arg.root = ".";
        odm_arena_init(&a, &teller_mem, (size_t)256 << 20);
        for (int i = 1; i < argc && ok; i++) {
                if (strcmp(argv[i], "--table") == 0)
                        arg.table = true;
                else if (take_option(argc, argv, i))
                        i++;
                else
                        ok = case_read(argv[i], &a, &list);
        }
        if (ok && list == NULL)
                ok = read_default(&a, &list);
        ok = ok && play_all(list);
        ok = judge(list, &a) && ok;
        if (!arg.table && !arg.write)
                printf("1..%u\n", n_tests);
        odm_arena_done(&a);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
