/* SPDX-License-Identifier: Apache-2.0 */
/* xrem get, set, add, delete, copy, exec and run: commands to a device, as one job each. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "flat.h"
#include "io.h"
#include "job.h"
#include "table.h"

static json_t *command(xrem *c, const char *cmd, const char *uri)
{
        json_t *o = json_object();

        xrem_json_set(o, "cmd", json_string(cmd));
        if (uri)
                xrem_json_set(o, "uri", xrem_json_text(c, odm_cstr(uri)));
        return o;
}

static json_t *only(json_t *cmd)
{
        json_t *list = json_array();

        xrem_json_push(list, cmd);
        return list;
}

/* ---- values that are sent ------------------------------------------------------------ */

typedef struct value {
        bool given;
        bool octets; /* to be sent as base64 */
        odm_str data;
} value;

static int read_value(xrem *c, const xrem_args *a, value *out)
{
        const char *file = xrem_value(a, "file"), *word = a->n_words > 2 ? a->word[2] : NULL;
        const char *format = xrem_value(a, "format");
        int sources = (file != NULL) + (word != NULL) + xrem_has(a, "stdin"), rc = XREM_OK;

        *out = (value){.given = sources > 0, .data = odm_cstr(word)};
        if (sources > 1)
                return xrem_fail(XREM_USAGE, "give one of VALUE, --file and --stdin");
        if (file || xrem_has(a, "stdin"))
                rc = xrem_read_file(c, file, &out->data);
        if (rc != XREM_OK || !out->given)
                return rc;
        if (xrem_has(a, "b64")) {
                out->octets = true;
                if (odm_b64_decode(&c->arena, out->data, &out->data) < 0)
                        return xrem_fail(XREM_BAD_INPUT, "the value is no base64");
        }
        if ((format && strcmp(format, "bin") == 0) || !odm_utf8_ok(out->data))
                out->octets = true;
        return XREM_OK;
}

static int check_format(const char *word)
{
        static const char *const words[] = {
#define X(id, text) text,
                ODM_FORMATS(X)
#undef X
        };

        if (word == NULL || odm_format_parse(odm_cstr(word)) != ODM_FMT_OTHER)
                return XREM_OK;
        const char *near = xrem_nearest(word, words, ODM_COUNT(words));
        return xrem_fail(XREM_USAGE, "--format: unknown format '%s'%s%s", word,
                         near ? "; did you mean " : "", near ? near : "");
}

static int put_value(xrem *c, const xrem_args *a, const value *v, json_t *cmd)
{
        const char *format = xrem_value(a, "format"), *type = xrem_value(a, "type");
        int rc = check_format(format);

        if (rc != XREM_OK)
                return rc;
        if (format)
                xrem_json_set(cmd, "format", json_string(format));
        if (type)
                xrem_json_set(cmd, "type", xrem_json_text(c, odm_cstr(type)));
        if (v->given && v->octets)
                xrem_json_set(cmd, "data_base64", xrem_json_text(c, xrem_b64(c, v->data)));
        else if (v->given)
                xrem_json_set(cmd, "data", xrem_json_text(c, v->data));
        return XREM_OK;
}

/* ---- values that come back -------------------------------------------------------------- */

static bool is_interior(const json_t *node)
{
        odm_str f = xrem_json_str(node, "format");

        return odm_str_is(f, "node");
}

/* The names of children, as an interior node's value lists them, one a line. */
static odm_str names_in_lines(xrem *c, odm_str list)
{
        odm_str out = xrem_copy(c, list);
        char *p = (char *)out.p; /* our own copy */

        for (size_t i = 0; i < out.n; i++)
                if (p[i] == '/')
                        p[i] = '\n';
        return out;
}

static void print_one(xrem *c, const json_t *node)
{
        bool octets;
        odm_str v = xrem_node_value(c, node, &octets);

        if (is_interior(node))
                v = names_in_lines(c, v);
        else if (octets)
                v = xrem_json_str(node, "data_base64");
        xrem_put_text(c, v);
        if (v.n == 0 || v.p[v.n - 1] != '\n')
                putchar('\n');
}

static void print_many(xrem *c, const json_t *list)
{
        static const xrem_col cols[] = {
                {.head = "Node", .keep = true}, {.head = "Format"}, {.head = "Value"}};
        xrem_table *t = xrem_table_new(c, cols, ODM_COUNT(cols));

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *n = json_array_get(list, i);
                xrem_cell cells[] = {CELL(xrem_json_str(n, "uri")),
                                     CELL(xrem_json_str(n, "format")), CELL(xrem_node_text(c, n))};
                xrem_table_row(t, cells);
        }
        xrem_table_print(t, c->out_tty);
}

/* All results of a job's commands, in order. */
static json_t *results_of(xrem *c, const json_t *job)
{
        const json_t *cmds = json_object_get(job, "commands");
        json_t *all = xrem_own(c, json_array());

        for (size_t i = 0; i < json_array_size(cmds); i++)
                json_array_extend(all, json_object_get(json_array_get(cmds, i), "results"));
        return all;
}

static int write_octets(xrem *c, const xrem_args *a, const json_t *list)
{
        bool octets;

        if (json_array_size(list) != 1)
                return xrem_fail(XREM_USAGE, "--raw and --output are for one value, not %zu",
                                 json_array_size(list));
        odm_str v = xrem_node_value(c, json_array_get(list, 0), &octets);
        return xrem_write_file(c, xrem_value(a, "output"), v, octets);
}

static int print_results(xrem *c, const xrem_args *a, const json_t *job)
{
        const json_t *list = results_of(c, job);
        size_t n = json_array_size(list);

        if (xrem_has(a, "raw") || xrem_has(a, "output"))
                return n ? write_octets(c, a, list) : XREM_OK;
        if (n == 1)
                print_one(c, json_array_get(list, 0));
        else if (n > 1)
                print_many(c, list);
        return XREM_OK;
}

/* ---- the commands ------------------------------------------------------------------------- */

static int do_job(xrem *c, const xrem_args *a, json_t *commands, bool atomic)
{
        json_t *job = NULL;
        int rc = xrem_job_make(c, a, a->word[0], commands, atomic, &job), printed;

        if (rc != XREM_OK || job == NULL)
                return rc;
        printed = c->set.json ? xrem_print_json(json_incref(job)) : print_results(c, a, job);
        rc = xrem_job_verdict(c, job);
        if (rc == XREM_OK && c->err_tty && !c->set.json && json_array_size(results_of(c, job)) == 0)
                xrem_note(c, "done");
        return rc == XREM_OK ? printed : rc;
}

int xrem_run_get(xrem *c, const xrem_args *a)
{
        json_t *list = json_array();

        for (size_t i = 1; i < a->n_words; i++)
                xrem_json_push(list, command(c, "get", a->word[i]));
        return do_job(c, a, list, false);
}

int xrem_run_delete(xrem *c, const xrem_args *a)
{
        json_t *list = json_array();

        for (size_t i = 1; i < a->n_words; i++)
                xrem_json_push(list, command(c, "delete", a->word[i]));
        return do_job(c, a, list, false);
}

int xrem_run_copy(xrem *c, const xrem_args *a)
{
        json_t *cmd = command(c, "copy", a->word[2]);

        xrem_json_set(cmd, "source", xrem_json_text(c, odm_cstr(a->word[1])));
        return do_job(c, a, only(cmd), false);
}

int xrem_run_exec(xrem *c, const xrem_args *a)
{
        json_t *cmd = command(c, "exec", a->word[1]);
        const char *correlator = xrem_value(a, "correlator");

        if (a->n_words > 2)
                xrem_json_set(cmd, "data", xrem_json_text(c, odm_cstr(a->word[2])));
        if (correlator)
                xrem_json_set(cmd, "correlator", xrem_json_text(c, odm_cstr(correlator)));
        return do_job(c, a, only(cmd), false);
}

int xrem_run_set(xrem *c, const xrem_args *a)
{
        const char *format = xrem_value(a, "format");
        value v;
        int rc = read_value(c, a, &v);

        if (rc != XREM_OK)
                return rc;
        if (!v.given && !(format && strcmp(format, "null") == 0))
                return xrem_fail(XREM_USAGE, "what value? give VALUE, --file or --stdin");
        json_t *cmd = command(c, "replace", a->word[1]);
        rc = put_value(c, a, &v, cmd);
        if (rc != XREM_OK) {
                json_decref(cmd);
                return rc;
        }
        return do_job(c, a, only(cmd), false);
}

/* A subtree travels as an XML document; the server changes it for WBXML sessions. */
static int read_subtree(xrem *c, const char *path, odm_str *out)
{
        odm_doc *d = NULL;
        xrem_flat *list;
        odm_limits lim;
        odm_buf b;
        size_t n;
        int rc = xrem_read_file(c, path, out);

        if (rc != XREM_OK)
                return rc;
        odm_limits_init(&lim);
        lim.max_msg = XREM_FILE_MAX;
        if (odm_doc_decode(*out, &lim, &c->arena, &d) == 0)
                rc = xrem_flat_recode(c, d, false);
        else if ((rc = xrem_flat_read(c, path, *out, &list, &n)) == XREM_OK)
                rc = xrem_flat_doc(c, path, list, n, false, &d);
        if (rc != XREM_OK)
                return rc;
        odm_buf_init(&b, &heap_mem, XREM_FILE_MAX);
        if (odm_doc_encode(&odm_codec_xml, d, false, &b) < 0)
                xrem_out_of_memory();
        *out = xrem_copy(c, odm_buf_view(&b));
        odm_buf_done(&b);
        return XREM_OK;
}

static int add_subtree(xrem *c, const xrem_args *a, const char *path)
{
        odm_str text;
        int rc = read_subtree(c, path, &text);

        if (rc != XREM_OK)
                return rc;
        json_t *cmd = command(c, "add", a->word[1]);
        xrem_json_set(cmd, "format", json_string("xml"));
        xrem_json_set(cmd, "type", json_string(odm_codec_tnds_mime(&odm_codec_xml)));
        xrem_json_set(cmd, "data", xrem_json_text(c, text));
        return do_job(c, a, only(cmd), false);
}

int xrem_run_add(xrem *c, const xrem_args *a)
{
        const char *tnds = xrem_value(a, "tnds");
        bool node = xrem_has(a, "node");
        value v;
        int rc = read_value(c, a, &v);

        if (rc != XREM_OK)
                return rc;
        if ((tnds || node) && (v.given || xrem_has(a, "format") || (tnds && node)))
                return xrem_fail(XREM_USAGE, "--node and --tnds take no value and no format");
        if (tnds)
                return add_subtree(c, a, tnds);
        json_t *cmd = command(c, "add", a->word[1]);
        if (node)
                xrem_json_set(cmd, "format", json_string("node"));
        rc = put_value(c, a, &v, cmd);
        if (rc != XREM_OK) {
                json_decref(cmd);
                return rc;
        }
        return do_job(c, a, only(cmd), false);
}

int xrem_run_run(xrem *c, const xrem_args *a)
{
        const char *path = xrem_value(a, "file");
        const char *name = path && strcmp(path, "-") != 0 ? path : "standard input";
        bool atomic = xrem_has(a, "atomic");
        json_error_t err;
        odm_str text;

        if (path == NULL)
                return xrem_fail(XREM_USAGE, "--file FILE is needed; - is standard input");
        int rc = xrem_read_file(c, path, &text);
        if (rc != XREM_OK)
                return rc;
        json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &err);
        if (j == NULL)
                return xrem_fail(XREM_BAD_INPUT, "%s:%d:%d: %s", name, err.line, err.column,
                                 err.text);
        xrem_own(c, j);
        if (json_is_object(j)) {
                atomic = atomic || json_is_true(json_object_get(j, "atomic"));
                j = json_object_get(j, "commands");
        }
        if (!json_is_array(j))
                return xrem_fail(XREM_BAD_INPUT, "%s: a list of commands is expected", name);
        return do_job(c, a, json_incref(j), atomic);
}
