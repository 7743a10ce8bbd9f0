/* SPDX-License-Identifier: Apache-2.0 */
/* The list of requirements and its table, see requirement.h. */
#include "requirement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MOST 512
#define FILE_MOST ((size_t)4 << 20)

static const char head[] = "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
                           "# Conformance\n\n"
                           "Every requirement and test case of our list for OMA DM 1.2.1 and 1.3, "
                           "what proves it, and how it "
                           "went.\nA case is a file below `tests/conformance/cases`, played "
                           "through both codecs; client and "
                           "server cases drive\nthe engines themselves. `./dev conformance` plays "
                           "them and writes this page; "
                           "`make check` fails when it is out\nof date.\n\n";

/* ---- reading ----------------------------------------------------------------------- */

static odm_str cut_word(odm_str *s)
{
        size_t n = 0;

        while (n < s->n && s->p[n] != ' ')
                n++;
        odm_str word = odm_str_to(*s, n);
        *s = odm_str_trim(odm_str_from(*s, n));
        return word;
}

static bool known(odm_str word)
{
        static const char *const words[] = {"cases", "every", "test", "promise", "because"};

        for (size_t i = 0; i < ODM_COUNT(words); i++)
                if (odm_str_is(word, words[i]))
                        return true;
        return false;
}

static bool add_proof(requirement *r, odm_str text, odm_arena *a)
{
        proof *p = odm_new(a, proof), **at = &r->proofs;

        if (p == NULL)
                return false;
        while (*at)
                at = &(*at)->next;
        p->word = odm_arena_copy(a, cut_word(&text));
        p->text = odm_arena_copy(a, text);
        *at = p;
        return p->word.p && p->text.p && known(p->word);
}

static requirement *make(odm_str text, odm_arena *a)
{
        requirement *r = odm_new(a, requirement);

        if (r == NULL)
                return NULL;
        r->id = odm_arena_copy(a, cut_word(&text));
        r->purpose = odm_arena_copy(a, text);
        return r->id.p && r->purpose.p ? r : NULL;
}

bool requirement_read(const char *file, odm_arena *a, requirement **out)
{
        requirement *list = NULL, *last = NULL;
        FILE *f = fopen(file, "r");
        char text[LINE_MOST];
        unsigned number = 0;
        bool ok = f != NULL;

        while (ok && fgets(text, sizeof text, f)) {
                odm_str whole = odm_str_trim(odm_cstr(text));
                number++;
                if (whole.n == 0 || *whole.p == '#')
                        continue;
                if (*text == ' ') {
                        ok = last && add_proof(last, whole, a);
                        continue;
                }
                requirement *r = make(whole, a);
                if (last)
                        last->next = r;
                else
                        list = r;
                last = r;
                ok = r != NULL;
        }
        if (!ok)
                printf("Bail out! %s:%u: not understood\n", file, number);
        if (f)
                fclose(f);
        *out = list;
        return ok;
}

/* ---- what proves them ------------------------------------------------------------------- */

static bool has_case(const test_case *cases, odm_str id)
{
        for (const test_case *c = cases; c; c = c->next)
                if (case_covers(c, id))
                        return true;
        return false;
}

static bool read_file(const char *root, odm_str name, odm_buf *out)
{
        char path[1024];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s%s%.*s", root, *root ? "/" : "", (int)name.n, name.p);
        odm_buf_cut(out, 0);
        f = fopen(path, "rb");
        if (f == NULL || odm_buf_reserve(out, FILE_MOST) < 0) {
                if (f)
                        fclose(f);
                return false;
        }
        out->n = fread(out->p, 1, FILE_MOST, f);
        fclose(f);
        return true;
}

static bool file_has(const char *root, odm_str name, odm_str text, odm_buf *b)
{
        return text.n && read_file(root, name, b) && memmem(b->p, b->n, text.p, text.n);
}

/* test NAME FILE FUNCTION */
static bool test_is_there(odm_str text, const char *root, const char *tests, odm_arena *a,
                          odm_buf *b)
{
        odm_str name = cut_word(&text), file = cut_word(&text);
        odm_str quoted = odm_arena_fmt(a, "\"name\": \"%.*s\"", (int)name.n, name.p);

        return (tests == NULL || file_has("", odm_cstr(tests), quoted, b)) &&
               file_has(root, file, text, b);
}

static bool covered_by(const test_case *cases, odm_str ids)
{
        while (ids.n)
                if (!has_case(cases, cut_word(&ids)))
                        return false;
        return true;
}

static bool proof_holds(const proof *p, const test_case *cases, const char *root, const char *tests,
                        odm_arena *a, odm_buf *b)
{
        if (odm_str_is(p->word, "cases"))
                return p->text.n && covered_by(cases, p->text);
        if (odm_str_is(p->word, "test"))
                return test_is_there(p->text, root, tests, a, b);
        if (odm_str_is(p->word, "promise"))
                return file_has(root, ODM_STR("tests/acceptance/run"), p->text, b);
        return odm_str_is(p->word, "every") || p->text.n;
}

bool requirement_check(const requirement *list, const test_case *cases, const char *root,
                       const char *tests, odm_arena *a, char *why, size_t n)
{
        bool ok = true;
        odm_buf b;

        odm_buf_init(&b, a->mem, FILE_MOST);
        for (const requirement *r = list; r && ok; r = r->next) {
                if (r->proofs == NULL && !has_case(cases, r->id)) {
                        (void)snprintf(why, n, "%.*s has no case and no reason", (int)r->id.n,
                                       r->id.p);
                        ok = false;
                }
                for (const proof *p = r->proofs; p && ok; p = p->next)
                        if (!proof_holds(p, cases, root, tests, a, &b)) {
                                (void)snprintf(why, n, "%.*s: no such %.*s: %.*s", (int)r->id.n,
                                               r->id.p, (int)p->word.n, p->word.p, (int)p->text.n,
                                               p->text.p);
                                ok = false;
                        }
        }
        odm_buf_done(&b);
        return ok;
}

/* ---- the page -------------------------------------------------------------------------------- */

static const char *verdict(const test_case *c)
{
        return !c->ran                ? "not run"
               : c->ok[0] && c->ok[1] ? "ok"
               : c->ok[0]             ? "fails in WBXML"
               : c->ok[1]             ? "fails in XML"
                                      : "fails";
}

static const char *verdict_of(const test_case *cases, odm_str id)
{
        for (const test_case *c = cases; c; c = c->next)
                if ((id.n == 0 || case_covers(c, id)) && strcmp(verdict(c), "ok") != 0)
                        return verdict(c);
        return "ok";
}

static const char *verdict_of_all(const test_case *cases, odm_str ids)
{
        while (ids.n) {
                const char *v = verdict_of(cases, cut_word(&ids));
                if (strcmp(v, "ok") != 0)
                        return v;
        }
        return "ok";
}

static int row(odm_buf *out, const requirement *r, odm_str proof_text, const char *result)
{
        return odm_buf_fmt(out, "| %.*s | %.*s | %.*s | %s |\n", (int)r->id.n, r->id.p,
                           (int)r->purpose.n, r->purpose.p, (int)proof_text.n, proof_text.p,
                           result);
}

static int proof_row(odm_buf *out, const requirement *r, const proof *p, const test_case *cases)
{
        odm_str text = p->text;
        char said[LINE_MOST];

        if (odm_str_is(p->word, "cases")) {
                (void)snprintf(said, sizeof said, "the cases of %.*s", (int)text.n, text.p);
                return row(out, r, odm_cstr(said), verdict_of_all(cases, text));
        }
        if (odm_str_is(p->word, "every"))
                return row(out, r, ODM_STR("every case, in XML and in WBXML"),
                           verdict_of(cases, ODM_ABSENT));
        if (odm_str_is(p->word, "test")) {
                odm_str name = cut_word(&text), file = cut_word(&text);
                (void)snprintf(said, sizeof said, "`%.*s` of `%.*s`", (int)text.n, text.p,
                               (int)file.n, file.p);
                (void)name;
                return row(out, r, odm_cstr(said), "its own suite");
        }
        if (odm_str_is(p->word, "promise")) {
                (void)snprintf(said, sizeof said, "acceptance: %.*s", (int)text.n, text.p);
                return row(out, r, odm_cstr(said), "its own suite");
        }
        return 0;
}

static bool is_proved(const requirement *r, const test_case *cases)
{
        for (const proof *p = r->proofs; p; p = p->next)
                if (!odm_str_is(p->word, "because"))
                        return true;
        return has_case(cases, r->id);
}

static int table(const requirement *list, const test_case *cases, odm_buf *out)
{
        int rc = odm_buf_str(out, ODM_STR("| requirement | purpose | proved by | result |\n"
                                          "| --- | --- | --- | --- |\n"));

        for (const requirement *r = list; r && rc == 0; r = r->next) {
                for (const test_case *c = cases; c && rc == 0; c = c->next)
                        if (case_covers(c, r->id))
                                rc = row(out, r, c->title, verdict(c));
                for (const proof *p = r->proofs; p && rc == 0; p = p->next)
                        rc = proof_row(out, r, p, cases);
        }
        return rc;
}

static int reasons(const requirement *list, const test_case *cases, bool proved, odm_buf *out)
{
        int rc = 0;

        for (const requirement *r = list; r && rc == 0; r = r->next)
                for (const proof *p = r->proofs; p && rc == 0; p = p->next)
                        if (odm_str_is(p->word, "because") && is_proved(r, cases) == proved)
                                rc = odm_buf_fmt(out, "- %.*s, %.*s: %.*s\n", (int)r->id.n, r->id.p,
                                                 (int)r->purpose.n, r->purpose.p, (int)p->text.n,
                                                 p->text.p);
        return rc;
}

int requirement_page(const requirement *list, const test_case *cases, odm_buf *out)
{
        unsigned all = 0, proved = 0;
        int rc = odm_buf_str(out, odm_cstr(head));

        for (const requirement *r = list; r; r = r->next) {
                all++;
                proved += is_proved(r, cases);
        }
        if (rc == 0)
                rc = odm_buf_fmt(out, "%u of %u requirements are proved.\n\n", proved, all);
        if (rc == 0)
                rc = table(list, cases, out);
        if (rc == 0)
                rc = odm_buf_str(out, ODM_STR("\n## Not proved, and why\n\n"));
        if (rc == 0)
                rc = reasons(list, cases, false, out);
        if (rc == 0)
                rc = odm_buf_str(out, ODM_STR("\n## Remarks\n\n"));
        return rc == 0 ? reasons(list, cases, true, out) : rc;
}
