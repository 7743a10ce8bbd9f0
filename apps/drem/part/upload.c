/* SPDX-License-Identifier: Apache-2.0 */
#include "part/upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap.h"
#include "log.h"
#include "odm/codec.h"
#include "program.h"

#define MIME "application/vnd.syncml.dmtnds+xml"
#define DOCUMENT (16u << 20) /* octets of what is sent */
#define TRIES "3"            /* mo-diagmon.md 10 */
#define WAIT_MS "5000"

typedef struct upload upload;
struct upload {
        upload *next;
        diagmon *g;
        uint32_t id;
        char *file, *url, *object, *server, *correlator;
        unsigned result; /* of the run */
        program *program;
        odm_task_cause cause;
        char note[200];
};

static void free_upload(upload *u)
{
        upload **at = &u->g->uploads;

        while (*at && *at != u)
                at = &(*at)->next;
        if (*at)
                *at = u->next;
        program_kill(u->program);
        if (u->file)
                (void)unlink(u->file);
        free(u->file);
        free(u->url);
        free(u->object);
        free(u->server);
        free(u->correlator);
        free(u);
}

void upload_close(diagmon *g)
{
        while (g->uploads)
                free_upload(g->uploads);
}

static void on_line(void *ctx, odm_str line)
{
        upload *u = ctx;
        odm_str rest = odm_str_from(line, 4), name = rest;
        const char *blank;

        if (!odm_str_starts(line, "end "))
                return;
        blank = memchr(rest.p, ' ', rest.n);
        if (blank)
                name = odm_str_to(rest, (size_t)(blank - rest.p));
        u->cause = odm_task_cause_of(name);
        rest = odm_str_trim(odm_str_from(rest, name.n));
        snprintf(u->note, sizeof u->note, "%.*s", (int)rest.n, rest.p);
}

static void on_done(void *ctx, int code)
{
        upload *u = ctx;
        const part_host *h = u->g->host;
        odm_task_end e = {.cause = code == 0 ? ODM_CAUSE_OK : u->cause};
        char note[sizeof u->note];
        uint32_t id = u->id;

        snprintf(note, sizeof note, "%s", code == 0 ? "" : u->note);
        e.note = odm_cstr(note);
        u->program = NULL;
        run_tell_others(u->g, (const function *)odm_diag_of(&u->g->diag, odm_cstr(u->object)),
                        u->object, odm_cstr(u->server), odm_cstr(u->correlator),
                        code == 0 ? u->result : odm_diag_result(u->cause, true));
        free_upload(u);
        (void)h->done(h->ctx, id, &e);
}

/* DiagMonData as a TNDS document. */
static int write_document(const diagmon *g, odm_str object, const char *path)
{
        odm_op op = {.kind = ODM_CMD_GET};
        odm_answer got = {0};
        odm_arena a;
        odm_buf b;
        int rc;

        odm_arena_init(&a, &heap_mem, DOCUMENT);
        odm_buf_init(&b, &heap_mem, DOCUMENT);
        op.target = odm_arena_join(&a, object, ODM_STR("/DiagMonData?list=TNDS"));
        rc = op.target.p ? odm_tree_do(g->host->tree, &op, loop_wall(), &a, &got)
                         : odm_arena_err(&a);
        if (rc == 0 && (!odm_status_ok(got.status) || !got.results || !got.results->doc))
                rc = ODM_EIO;
        if (rc == 0)
                rc = odm_doc_encode(&odm_codec_xml, got.results->doc, false, &b);
        if (rc == 0)
                rc = fsio_write(NULL, path, odm_buf_view(&b), 0600, NULL);
        odm_buf_done(&b);
        odm_arena_done(&a);
        return rc;
}

static int start(upload *u)
{
        const cfg *c = u->g->host->conf;
        const char *ca = cfg_str(c, "transport.ca_file");
        const char *argv[16] = {cfg_str(c, "firmware.fetch"),
                                "--upload",
                                MIME,
                                "--retries",
                                TRIES,
                                "--wait",
                                WAIT_MS};
        size_t n = 7;
        diag d = {{0}};
        int rc;

        if (ca) {
                argv[n++] = "--ca";
                argv[n++] = ca;
        }
        argv[n++] = u->url;
        argv[n] = u->file;
        const program_opt o = {.argv = argv, .line = on_line, .done = on_done, .ctx = u};
        rc = program_start(u->g->host->loop, &o, &u->program, &d);
        if (rc < 0)
                log_error("the upload", log_text("reason", d.text));
        return rc;
}

static char *copy(odm_str s)
{
        return s.p ? strndup(s.p, s.n) : NULL;
}

static bool take_task(upload *u, const odm_task *t)
{
        uint64_t n = 1200;

        if (odm_str_u64(odm_task_arg(t, "result"), 1999, &n) < 0)
                n = 1200;
        u->result = (unsigned)n;
        u->url = copy(odm_task_arg(t, "DiagDataURL"));
        u->object = copy(t->object);
        u->server = copy(t->server);
        u->correlator = copy(t->correlator);
        return u->url && u->object && (u->server || !t->server.p) &&
               (u->correlator || !t->correlator.p);
}

int upload_begin(diagmon *g, const odm_task *t)
{
        upload *u = calloc(1, sizeof *u);
        char name[40];
        int rc = ODM_ENOMEM;

        if (!u)
                return rc;
        u->g = g;
        u->id = t->id;
        u->cause = ODM_CAUSE_FAILED;
        u->next = g->uploads;
        g->uploads = u;
        snprintf(name, sizeof name, "upload-%u", (unsigned)t->id);
        u->file = fsio_join(g->folder, name);
        if (take_task(u, t) && u->file)
                rc = write_document(g, t->object, u->file);
        if (rc == 0)
                rc = start(u);
        if (rc < 0)
                free_upload(u);
        return rc;
}
