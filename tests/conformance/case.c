/* SPDX-License-Identifier: Apache-2.0 */
/* Reading case files: words between blanks, "text" with \" \\ \n \xHH inside, and "text"*N
 * for the text N times. */
#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MOST (1u << 20)

static int hex(char c)
{
        const char *at = c ? strchr("0123456789abcdef", c) : NULL;

        return at ? (int)(at - "0123456789abcdef") : -1;
}

static bool put_escape(odm_buf *b, const char **at)
{
        const char *p = *at + 1;

        if (*p == 'n') {
                *at = p + 1;
                return odm_buf_byte(b, '\n') == 0;
        }
        if (*p == 'x' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
                *at = p + 3;
                return odm_buf_byte(b, (uint8_t)(hex(p[1]) * 16 + hex(p[2]))) == 0;
        }
        if (*p != '"' && *p != '\\')
                return false;
        *at = p + 1;
        return odm_buf_byte(b, (uint8_t)*p) == 0;
}

/* "..." with what follows; *at stands on the first quotation mark. */
static bool read_quoted(const char **at, odm_buf *b)
{
        const char *p = *at + 1;
        unsigned long times = 1;
        char *end;

        while (*p && *p != '"' && *p != '\n')
                if (*p == '\\' ? !put_escape(b, &p) : odm_buf_byte(b, (uint8_t)*p++) < 0)
                        return false;
        if (*p++ != '"')
                return false;
        if (*p == '*') {
                times = strtoul(p + 1, &end, 10);
                p = end;
        }
        size_t n = b->n;
        for (unsigned long i = 1; i < times; i++)
                if (odm_buf_reserve(b, n) < 0 || odm_buf_put(b, b->p, n) < 0)
                        return false;
        *at = p;
        return true;
}

static bool read_token(const char **at, odm_arena *a, token *out)
{
        const char *p = *at;
        odm_buf b;
        bool ok = true;

        odm_buf_init(&b, a->mem, FILE_MOST * 8);
        out->quoted = *p == '"';
        if (out->quoted) {
                ok = read_quoted(&p, &b);
        } else {
                while (ok && *p && *p != ' ' && *p != '\t' && *p != '\n')
                        if (*p == '=' && p[1] == '"') { /* name="text" */
                                p++;
                                ok = odm_buf_byte(&b, '=') == 0 && read_quoted(&p, &b);
                        } else {
                                ok = odm_buf_byte(&b, (uint8_t)*p++) == 0;
                        }
        }
        out->text = odm_arena_copy(a, odm_buf_view(&b));
        odm_buf_done(&b);
        *at = p;
        return ok && out->text.p;
}

static const char *skip(const char *p)
{
        while (*p == ' ' || *p == '\t')
                p++;
        return p;
}

/* raw TEXT: the rest of the line is one argument, as it stands. */
static line *read_raw(const char *p, odm_arena *a)
{
        line *l = odm_new(a, line);

        p = skip(p);
        if (l)
                l->arg = odm_new(a, token);
        if (l == NULL || l->arg == NULL)
                return NULL;
        l->word = ODM_STR("raw");
        l->n = 1;
        l->arg->quoted = true;
        l->arg->text = odm_arena_copy(a, odm_str_trim((odm_str){p, strcspn(p, "\n")}));
        return l->arg->text.p ? l : NULL;
}

/* One line without its title; NULL when it cannot be understood. */
static line *read_line(const char *p, odm_arena *a)
{
        line *l = odm_new(a, line);
        token t[TOKENS];
        unsigned n = 0;

        for (p = skip(p); l && *p && *p != '\n'; p = skip(p))
                if (n == TOKENS || !read_token(&p, a, &t[n++]))
                        return NULL;
        if (l == NULL || n == 0)
                return NULL;
        l->word = t[0].text;
        l->n = n - 1;
        l->arg = odm_arena_get(a, n * sizeof *t);
        if (l->arg == NULL)
                return NULL;
        memcpy(l->arg, t + 1, l->n * sizeof *t);
        return l;
}

static bool complain(const char *file, unsigned number, const char *what)
{
        printf("Bail out! %s:%u: %s\n", file, number, what);
        return false;
}

static test_case *last_case(test_case *c)
{
        while (c->next)
                c = c->next;
        return c;
}

static bool read_all(const char *file, char *text, odm_arena *a, test_case **list)
{
        test_case **end = list;
        line **line_end = NULL;
        unsigned number = 0;

        while (*end)
                end = &(*end)->next;
        for (char *p = text, *next; *p; p = next) {
                next = p + strcspn(p, "\n");
                odm_str whole = odm_str_trim((odm_str){p, (size_t)(next - p)});
                next += *next == '\n';
                number++;
                if (whole.n == 0 || *whole.p == '#')
                        continue;
                if (odm_str_starts(whole, "case ")) {
                        test_case *c = odm_new(a, test_case);
                        if (c == NULL)
                                return complain(file, number, "no memory");
                        c->file = file;
                        c->title = odm_arena_copy(a, odm_str_trim(odm_str_from(whole, 5)));
                        *end = c;
                        end = &c->next;
                        line_end = &c->lines;
                        continue;
                }
                line *l =
                        odm_str_starts(whole, "raw ") ? read_raw(whole.p + 4, a) : read_line(p, a);
                if (l == NULL || line_end == NULL)
                        return complain(file, number, "not understood");
                l->number = number;
                if (odm_str_is(l->word, "side") && line_has(l, "server"))
                        last_case(*list)->server = true;
                *line_end = l;
                line_end = &l->next;
        }
        return true;
}

bool case_read(const char *file, odm_arena *a, test_case **list)
{
        FILE *f = fopen(file, "rb");
        char *text = calloc(1, FILE_MOST + 1);
        bool ok = f && text && fread(text, 1, FILE_MOST, f) < FILE_MOST;

        if (!ok)
                complain(file, 0, "cannot be read");
        ok = ok && read_all(file, text, a, list);
        if (f)
                fclose(f);
        free(text);
        return ok;
}

bool case_covers(const test_case *c, odm_str id)
{
        for (const line *l = c->lines; l; l = l->next)
                for (unsigned i = 0; odm_str_is(l->word, "covers") && i < l->n; i++)
                        if (odm_str_eq(l->arg[i].text, id))
                                return true;
        return false;
}

odm_str line_option(const line *l, const char *name)
{
        size_t n = strlen(name);

        for (unsigned i = 0; i < l->n; i++)
                if (!l->arg[i].quoted && odm_str_starts(l->arg[i].text, name) &&
                    l->arg[i].text.n > n && l->arg[i].text.p[n] == '=')
                        return odm_str_from(l->arg[i].text, n + 1);
        return ODM_ABSENT;
}

bool line_has(const line *l, const char *word)
{
        for (unsigned i = 0; i < l->n; i++)
                if (!l->arg[i].quoted && odm_str_is(l->arg[i].text, word))
                        return true;
        return false;
}
