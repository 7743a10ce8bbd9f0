/* SPDX-License-Identifier: Apache-2.0 */
/* Operations one by one: the rows C-CMD, C-PRP and C-OBJ of dm-conformance.md at tree level. */
#include "fixture.h"

#define ADD ODM_CMD_ADD
#define REP ODM_CMD_REPLACE
#define DEL ODM_CMD_DELETE
#define GET ODM_CMD_GET
#define CPY ODM_CMD_COPY
#define EXE ODM_CMD_EXEC
#define NODE ODM_FMT_NODE
#define CHR ODM_FMT_CHR
#define INT ODM_FMT_INT
#define ABS ODM_FMT_ABSENT
#define S "srv"

static void commands_do_as_the_table_says(void **state)
{
        static const struct row rows[] = {
                {"open the tree to the server", NULL, REP, ".?prop=ACL", ABS,
                 "Add=*&Get=*&Replace=*&Delete=*&Exec=*", 200},
                {"C-CMD-01 an interior node", S, ADD, "./T", NODE, NULL, 200},
                {"C-CMD-01 a leaf", S, ADD, "./T/a", CHR, "one", 200},
                {"C-CMD-01 its value", S, GET, "./T/a", ABS, NULL, 200, "one"},
                {"C-CMD-01 its name", S, GET, "./T/a?prop=Name", ABS, NULL, 200, "a"},
                {"C-CMD-01 its format", S, GET, "./T/a?prop=Format", ABS, NULL, 200, "chr"},
                {"C-CMD-01 its type", S, GET, "./T/a?prop=Type", ABS, NULL, 200, "text/plain"},
                {"C-CMD-01 its list", S, GET, "./T/a?prop=ACL", ABS, NULL, 200, ""},
                {"C-CMD-02 it exists", S, ADD, "./T/a", CHR, "two", 418},
                {"C-CMD-02 the root exists", S, ADD, ".", NODE, NULL, 418},
                {"C-CMD-03 below a leaf", S, ADD, "./T/a/b", CHR, "x", 405},
                {"C-CMD-04 parents are made", S, ADD, "./N1/N2/x", CHR, "x", 200},
                {"C-CMD-04 with an empty list", S, GET, "./N1/N2?prop=ACL", ABS, NULL, 200, ""},
                {"C-CMD-05 nothing to replace", S, REP, "./none", CHR, "x", 404},
                {"C-CMD-06 an interior node has no value", S, REP, "./T", CHR, "x", 405},
                {"C-CMD-10 names of children", S, GET, "./N1", ABS, NULL, 200, "N2"},
                {"C-CMD-10 the root's children", S, GET, ".", ABS, NULL, 200,
                 "Acc/Inbox/N1/T/Vendor"},
                {"C-CMD-07 a subtree goes", S, DEL, "./N1", ABS, NULL, 200},
                {"C-CMD-07 it is gone", S, GET, "./N1", ABS, NULL, 404},
                {"C-CMD-07 all of it", S, GET, "./N1/N2/x", ABS, NULL, 404},
                {"C-CMD-08 permanent", S, DEL, "./Vendor/lab", ABS, NULL, 405},
                {"C-CMD-08 the root", S, DEL, ".", ABS, NULL, 405},
                {"C-CMD-08 a permanent node inside", S, DEL, "./Vendor", ABS, NULL, 405},
                {"C-CMD-11 missing", S, GET, "./none", ABS, NULL, 404},
                {"C-CMD-12 accepted", S, EXE, "./Vendor/lab/Run", ABS, "go", 202},
                {"C-CMD-12 no Exec", S, EXE, "./Vendor/lab/Name", ABS, NULL, 405},
                {"C-CMD-12 missing", S, EXE, "./Vendor/lab/none", ABS, NULL, 404},
                {"C-CMD-13 a copy", S, CPY, "./T/b", ABS, "./T/a", 200},
                {"C-CMD-13 of its own", S, REP, "./T/a", CHR, "three", 200},
                {"C-CMD-13 stays", S, GET, "./T/b", ABS, NULL, 200, "one"},
                {"C-CMD-13 over another", S, CPY, "./T/b", ABS, "./T/a", 200},
                {"C-CMD-13 which is overwritten", S, GET, "./T/b", ABS, NULL, 200, "three"},
                {"C-CMD-13 interior", S, CPY, "./T/c", ABS, "./Vendor", 405},
                {"C-CMD-13 onto itself", S, CPY, "./T/b", ABS, "./T/b", 200},
                {"C-CMD-13 no source", S, CPY, "./T/c", ABS, "./T/none", 404},
                {"C-CMD-17 segment too long", S, GET,
                 "./T/"
                 "1234567890123456789012345678901234567890123456789012345678901234567890",
                 ABS, NULL, 414},
                {"C-CMD-17 too deep", S, GET, "./1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", ABS,
                 NULL, 414},
                {"C-CMD-18 a permanent bool stays one", S, REP, "./Vendor/lab/Flag", INT, "1", 405},
                {"C-CMD-18 no bool", S, REP, "./Vendor/lab/Flag", ABS, "maybe", 415},
                {"C-CMD-18 said chr, meant bool", S, REP, "./Vendor/lab/Flag", CHR, "true", 200},
                {"another form of a bool", S, REP, "./Vendor/lab/Flag", ABS, "False", 200},
                {"is kept in the usual one", S, GET, "./Vendor/lab/Flag", ABS, NULL, 200, "false"},
                {"a number for one", S, REP, "./Vendor/lab/Flag", ABS, "1", 200},
                {"too", S, GET, "./Vendor/lab/Flag", ABS, NULL, 200, "true"},
                {"another number is none", S, REP, "./Vendor/lab/Flag", ABS, "2", 415},
                {"C-CMD-18 beyond 32 bits", S, REP, "./Vendor/lab/Level", INT, "2147483648", 415},
                {"C-CMD-18 the least int", S, REP, "./Vendor/lab/Level", INT, "-2147483648", 200},
                {"C-CMD-22 a slash at the end", S, GET, "./T/", ABS, NULL, 404},
                {"C-CMD-22 dots", S, GET, "./T/../T", ABS, NULL, 404},
                {"C-CMD-22 an empty segment", S, GET, "./T//a", ABS, NULL, 404},
                {"C-CMD-22 a dot inside", S, GET, "T/./a", ABS, NULL, 404},
                {"C-CMD-23 without ./", S, GET, "T/a", ABS, NULL, 200, "three"},
                {"C-CMD-24 emptied", S, REP, "./T/a", CHR, "", 200},
                {"C-CMD-24 and still there", S, GET, "./T/a", ABS, NULL, 200, ""},
                {"a live value", S, GET, "./Vendor/lab/Live", ABS, NULL, 200, "alive"},
                {"a live value is nobody's to set", S, REP, "./Vendor/lab/Live", CHR, "x", 405},
                {"live children, in order", S, GET, "./Vendor/lab/Ports", ABS, NULL, 200, "p1/p2"},
                {"below a live child", S, GET, "./Vendor/lab/Ports/p2/Count", ABS, NULL, 200, "2"},
                {"its format", S, GET, "./Vendor/lab/Ports/p2/Count?prop=Format", ABS, NULL, 200,
                 "int"},
                {"no stamp of a live node", S, GET, "./Vendor/lab/Ports/p2?prop=VerNo", ABS, NULL,
                 406},
                {"a live child that is not", S, GET, "./Vendor/lab/Ports/p3", ABS, NULL, 404},
                {"a live node does not go", S, DEL, "./Vendor/lab/Ports/p1", ABS, NULL, 405},
                {"nothing below a live node", S, ADD, "./Vendor/lab/Ports/p1/x", CHR, "x", 405},
                {"a provider refuses", S, REP, "./Vendor/lab/Picky", CHR, "no", 403},
                {"and agrees", S, REP, "./Vendor/lab/Picky", CHR, "yes", 200},
                {"no such description", S, ADD, "./Vendor/lab/None", CHR, "x", 405},
                {"the open branch", S, ADD, "./Vendor/lab/Ext/mine/x", INT, "7", 200},
                {"an instance", S, ADD, "./Vendor/lab/Items/i1", NODE, NULL, 200},
                {"its leaf", S, ADD, "./Vendor/lab/Items/i1/Id", INT, "1", 200},
                {"twice the same", S, ADD, "./Vendor/lab/Items/i1/Id", INT, "1", 418},
                {"a node where a leaf is described", S, ADD, "./Vendor/lab/Items/i1/Text", NODE,
                 NULL, 415},
                {"a leaf where a node is described", S, ADD, "./Vendor/lab/Items/i2", CHR, "x",
                 415},
                {"the second", S, ADD, "./Vendor/lab/Items/i2/Text", CHR, "t", 200},
                {"the third", S, ADD, "./Vendor/lab/Items/i3", NODE, NULL, 200},
                {"three at most", S, ADD, "./Vendor/lab/Items/i4", NODE, NULL, 420},
                {"C-CMD-09 lacks Delete", S, DEL, "./Vendor/lab/Items/i1/Id", ABS, NULL, 405},
                {"C-CMD-09 goes with its parent", S, DEL, "./Vendor/lab/Items/i1", ABS, NULL, 200},
                {"C-CMD-09 gone", S, GET, "./Vendor/lab/Items/i1/Id", ABS, NULL, 404},
                {"room again", S, ADD, "./Vendor/lab/Items/i4", NODE, NULL, 200},
        };
        struct lab l;

        (void)state;
        lab_init(&l);
        lab_rows(&l, rows, ODM_COUNT(rows));
        lab_close(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commands_do_as_the_table_says),
        };

        return RUN_TESTS(tests);
}
