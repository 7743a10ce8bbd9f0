/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance: cases as text files, played in XML and in WBXML.
 *
 *     conformance [--table] [--only WORD] [--requirements FILE] [CASES...]
 *
 * Without CASES, from the root of the sources: all there are.
 * Prints TAP, a line for each case and codec; with --table, requirements with their cases
 * and results, and those without a case. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "case.h"
#include "play.h"
#include "teller.h"

static struct {
        bool table;
        const char *only, *requirements;
} arg;

static bool wanted(const test_case *c)
{
        return arg.only == NULL || memmem(c->title.p, c->title.n, arg.only, strlen(arg.only)) ||
               case_covers(c, odm_cstr(arg.only));
}

static unsigned play_all(test_case *list)
{
        static const odm_codec *const codecs[] = {&odm_codec_xml, &odm_codec_wbxml};
        unsigned number = 0, failed = 0;
        char why[400];

        for (test_case *c = list; c; c = c->next)
                for (size_t i = 0; wanted(c) && i < ODM_COUNT(codecs); i++) {
                        why[0] = '\0';
                        c->ran = true;
                        c->ok[i] = (c->server ? play_server : play_client)(c, codecs[i], why,
                                                                           sizeof why);
                        failed += !c->ok[i];
                        if (arg.table)
                                continue;
                        printf("%sok %u - %.*s (%s)\n", c->ok[i] ? "" : "not ", ++number,
                               (int)c->title.n, c->title.p, odm_codec_name(codecs[i]));
                        if (!c->ok[i])
                                printf("# %s\n", why);
                }
        if (!arg.table)
                printf("1..%u\n", number);
        return failed;
}

static const char *verdict(const test_case *c)
{
        return !c->ran                ? "not run"
               : c->ok[0] && c->ok[1] ? "ok"
               : c->ok[0]             ? "fails in WBXML"
               : c->ok[1]             ? "fails in XML"
                                      : "fails";
}

static void show_requirement(const test_case *list, odm_str id, odm_str purpose)
{
        for (const test_case *c = list; c; c = c->next)
                if (case_covers(c, id))
                        printf("| %.*s | %.*s | %.*s | %s |\n", (int)id.n, id.p, (int)purpose.n,
                               purpose.p, (int)c->title.n, c->title.p, verdict(c));
}

/* One pass over the requirements: with their cases, or those that have none. */
static bool show_pass(const test_case *list, bool without, unsigned *all, unsigned *covered)
{
        FILE *f = fopen(arg.requirements, "r");
        char text[256];

        if (f == NULL)
                return false;
        *all = *covered = 0;
        while (fgets(text, sizeof text, f)) {
                odm_str whole = odm_str_trim(odm_cstr(text)), id = whole;
                const char *blank = whole.n ? memchr(whole.p, ' ', whole.n) : NULL;
                if (whole.n == 0 || *whole.p == '#')
                        continue;
                if (blank)
                        id.n = (size_t)(blank - whole.p);
                odm_str purpose = odm_str_trim(odm_str_from(whole, id.n));
                bool has = false;
                for (const test_case *c = list; c; c = c->next)
                        has = has || case_covers(c, id);
                (*all)++;
                *covered += has;
                if (!without)
                        show_requirement(list, id, purpose);
                else if (!has)
                        printf("- %.*s\n", (int)whole.n, whole.p);
        }
        fclose(f);
        return true;
}

static bool show_table(const test_case *list)
{
        unsigned all, covered;

        printf("| requirement | purpose | case | result |\n|---|---|---|---|\n");
        if (!show_pass(list, false, &all, &covered))
                return false;
        printf("\n%u of %u requirements have a case here. Without one:\n\n", covered, all);
        return show_pass(list, true, &all, &covered);
}

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

int main(int argc, char **argv)
{
        test_case *list = NULL;
        odm_arena a;
        bool ok = true;

        arg.requirements = "tests/conformance/requirements.txt";

        odm_arena_init(&a, &teller_mem, (size_t)256 << 20);
        for (int i = 1; i < argc && ok; i++) {
                if (strcmp(argv[i], "--table") == 0)
                        arg.table = true;
                else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
                        arg.only = argv[++i];
                else if (strcmp(argv[i], "--requirements") == 0 && i + 1 < argc)
                        arg.requirements = argv[++i];
                else
                        ok = case_read(argv[i], &a, &list);
        }
        if (ok && list == NULL)
                ok = read_default(&a, &list);
        if (ok && play_all(list) > 0)
                ok = false;
        if (arg.table && !show_table(list))
                ok = false;
        odm_arena_done(&a);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
