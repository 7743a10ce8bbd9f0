/* SPDX-License-Identifier: Apache-2.0 */
/* ddfgen - makes the constant descriptor table of one management object from its DDF document.
 *
 *     ddfgen object NAME FILE.ddf OUT.c      const odm_mo odm_mo_NAME
 *     ddfgen header OUT.h NAME ...           declares all of them
 *
 * Runs while the build runs.  The document is judged by odm_mo_from_doc(), as one that a vendor
 * hands to a server is; what it refuses is named by file, node and reason, and nothing is written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "odm/codec.h"
#include "odm/tree.h"

#define FILE_MOST ((size_t)4 << 20)

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        (void)old_n;
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

static const odm_mem heap = {heap_resize, NULL};

static int complain(const char *file, const char *what)
{
        fprintf(stderr, "%s: %s\n", file, what);
        return 1;
}

/* ---- input ------------------------------------------------------------------------- */

static int read_file(const char *file, odm_buf *to)
{
        char block[4096];
        FILE *f = fopen(file, "rb");
        int rc = 0;
        size_t n;

        if (f == NULL)
                return complain(file, strerror(errno));
        while (rc == 0 && (n = fread(block, 1, sizeof block, f)) > 0)
                rc = odm_buf_put(to, block, n);
        if (rc < 0)
                rc = complain(file, odm_err_text(rc));
        else if (ferror(f))
                rc = complain(file, "cannot be read");
        fclose(f);
        return rc;
}

static int load(const char *file, odm_arena *a, odm_buf *text, odm_mo *mo)
{
        const char *why = "unknown";
        odm_doc *doc = NULL;
        odm_str where = ODM_STR("");
        odm_limits lim;
        int rc = read_file(file, text);

        if (rc)
                return rc;
        odm_limits_init(&lim);
        lim.max_msg = FILE_MOST;
        lim.max_depth = 3 * ODM_URI_SEGS;
        rc = odm_doc_decode(odm_buf_view(text), &lim, a, &doc);
        if (rc < 0)
                return complain(file, odm_err_text(rc));
        if (doc->nodes == NULL || doc->nodes->next)
                return complain(file, "exactly one top Node is wanted");
        rc = odm_mo_from_doc(doc->nodes, a, mo, &why);
        if (rc == ODM_EMALFORMED) {
                if (odm_mo_culprit(doc->nodes, a, &where) < 0)
                        where = ODM_STR("?");
                fprintf(stderr, "%s: node %.*s: %s\n", file, (int)where.n, where.p, why);
                return 1;
        }
        return rc < 0 ? complain(file, odm_err_text(rc)) : 0;
}

/* ---- output -------------------------------------------------------------------------- */

static void put_str(FILE *f, odm_str s)
{
        fputs("{\"", f);
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c == '"' || c == '\\')
                        fprintf(f, "\\%c", c);
                else if (c >= ' ' && c < 0x7f && c != '?') /* no trigraph by accident */
                        fputc(c, f);
                else
                        fprintf(f, "\\%03o", c);
        }
        fprintf(f, "\", %zu}", s.n);
}

static void put_field(FILE *f, const char *name, odm_str s)
{
        fprintf(f, "         .%s = ", name);
        put_str(f, s);
        fputs(",\n", f);
}

static void put_desc(FILE *f, const odm_desc *d)
{
        fputs("        {\n", f);
        put_field(f, "name", d->name);
        fprintf(f, "         .format = (odm_format)%d, /* %s */\n", (int)d->format,
                odm_format_name(d->format));
        fprintf(f, "         .access = %u,\n", (unsigned)d->access);
        fprintf(f, "         .permanent = %d,\n", d->permanent);
        fprintf(f, "         .any_case = %d,\n", d->any_case);
        fprintf(f, "         .occurs = (odm_occurs)%d,\n", (int)d->occurs);
        fprintf(f, "         .occurs_n = %u,\n", (unsigned)d->occurs_n);
        put_field(f, "type", d->type);
        put_field(f, "types", d->types);
        fprintf(f, "         .has_default = %d,\n", d->has_default);
        put_field(f, "default_value", d->default_value);
        put_field(f, "title", d->title);
        put_field(f, "text", d->text);
        fprintf(f, "         .parent = %u,\n         .first_child = %u,\n         .next = %u,\n",
                (unsigned)d->parent, (unsigned)d->first_child, (unsigned)d->next);
        fputs("        },\n", f);
}

static int close_file(const char *file, FILE *f)
{
        bool bad = ferror(f);

        if (fclose(f) != 0 || bad) {
                remove(file);
                return complain(file, "cannot be written");
        }
        return 0;
}

static int write_object(const char *file, const char *name, const odm_mo *mo)
{
        FILE *f = fopen(file, "w");

        if (f == NULL)
                return complain(file, strerror(errno));
        fprintf(f, "/* Made by ddfgen from %s.ddf; changes are lost. */\n", name);
        fputs("#include \"mo.h\"\n\nstatic const odm_desc nodes[] = {\n", f);
        for (uint16_t i = 0; i < mo->n; i++)
                put_desc(f, &mo->nodes[i]);
        fprintf(f, "};\n\nconst odm_mo odm_mo_%s = {\n        .id = ", name);
        put_str(f, mo->id);
        fputs(",\n        .path = ", f);
        put_str(f, mo->path);
        fprintf(f, ",\n        .nodes = nodes,\n        .n = %u,\n};\n", (unsigned)mo->n);
        return close_file(file, f);
}

static int make_object(const char *name, const char *in, const char *out)
{
        odm_arena a;
        odm_buf text;
        odm_mo mo;
        int rc;

        odm_arena_init(&a, &heap, FILE_MOST * 16);
        odm_buf_init(&text, &heap, FILE_MOST);
        rc = load(in, &a, &text, &mo);
        if (rc == 0)
                rc = write_object(out, name, &mo);
        odm_buf_done(&text);
        odm_arena_done(&a);
        return rc;
}

static int make_header(const char *out, char **names, int n)
{
        FILE *f = fopen(out, "w");

        if (f == NULL)
                return complain(out, strerror(errno));
        fputs("/* Made by ddfgen; changes are lost.  The management objects as data. */\n"
              "#ifndef MO_H\n#define MO_H\n\n#include \"odm/tree.h\"\n\n",
              f);
        for (int i = 0; i < n; i++)
                fprintf(f, "extern const odm_mo odm_mo_%s;\n", names[i]);
        fputs("\n#endif\n", f);
        return close_file(out, f);
}

int main(int argc, char **argv)
{
        if (argc == 5 && strcmp(argv[1], "object") == 0)
                return make_object(argv[2], argv[3], argv[4]);
        if (argc >= 4 && strcmp(argv[1], "header") == 0)
                return make_header(argv[2], argv + 3, argc - 3);
        fputs("usage: ddfgen object NAME FILE.ddf OUT.c | ddfgen header OUT.h NAME ...\n", stderr);
        return 2;
}
