/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads go on beside each other; proofs of what is to be installed, and installers, one after
 * the other in the order they were asked for.  When nothing else waits, installers are asked what
 * they have. */
#include "software.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "delivery.h"
#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "program.h"

#define NOTE 500
#define JOB_TEXT (512u << 10)
#define LIST_TEXT ((size_t)8 << 20)

typedef struct job {
        struct job *next;
        software *s;
        uint32_t id;
        odm_scomo_step step;
        odm_arena text; /* of what follows */
        odm_str url, pkg, name, params, type, component, installer, hold;
        proof proof;
        bool active, over;
        delivery *delivery;
        odm_component *made; /* of an installation that is over */
        size_t n_made;
} job;

struct software {
        software_opt opt;
        job *jobs;    /* in the order they came; those that are over stay a while */
        job *current; /* whose turn it is */
        bool stale[SOFTWARE_INSTALLERS];
        /* the installer that runs */
        program *program;
        const software_installer *installer;
        bool listing;
        loop_timer limit, soon;
        odm_arena text;
        odm_component *list;
        size_t n_list, room;
        char note[NOTE + 1];
};

static void go_on(software *s);

static void file_of(const software *s, odm_str hold, char out[PATH_MAX])
{
        snprintf(out, PATH_MAX, "%s/%.*s", s->opt.folder, (int)hold.n, hold.p ? hold.p : "");
}

static void free_job(job *j)
{
        delivery_end(j->delivery);
        odm_arena_done(&j->text);
        free(j);
}

/* Takes a job out of the list: `all` that are over, or beyond those that tasks may still ask for.
 */
static void forget_old(software *s, uint32_t id)
{
        size_t n = 0;

        for (job *j = s->jobs; j; j = j->next)
                n += j->over;
        for (job **at = &s->jobs; *at;) {
                job *j = *at;
                if (j->over && (j->id == id || n > ODM_TASK_MAX)) {
                        *at = j->next;
                        free_job(j);
                        n--;
                } else {
                        at = &j->next;
                }
        }
}

static void finish(job *j, odm_task_cause cause, const char *note)
{
        software *s = j->s;
        char file[PATH_MAX];
        odm_task_end e = {.cause = cause, .note = note[0] ? odm_cstr(note) : ODM_ABSENT};

        file_of(s, j->hold, file);
        e.has_data = j->hold.n && cause != ODM_CAUSE_UNSIGNED && cause != ODM_CAUSE_CORRUPT &&
                     cause != ODM_CAUSE_NOT_ACCEPTED && access(file, F_OK) == 0;
        j->over = true;
        if (s->current == j)
                s->current = NULL;
        log_info("step over", log_int("task", j->id),
                 log_text("result", odm_task_cause_name(cause)), log_text("reason", note));
        (void)s->opt.done(s->opt.ctx, j->id, &e);
        go_on(s);
}

/* ---- what installers say ------------------------------------------------------------------ */

static odm_str field(odm_str *rest)
{
        const char *end = memchr(rest->p, '\t', rest->n);
        odm_str one = odm_str_to(*rest, end ? (size_t)(end - rest->p) : rest->n);

        *rest = odm_str_from(*rest, one.n + (end != NULL));
        return one;
}

static bool is_text(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
                        return false;
        return odm_utf8_ok(s);
}

static bool has_room(software *s)
{
        size_t room = s->room ? 2 * s->room : 16;
        odm_component *list;

        if (s->n_list >= s->opt.most)
                return false;
        if (s->n_list < s->room)
                return true;
        list = realloc(s->list, room * sizeof *list);
        if (!list)
                return false;
        s->list = list;
        s->room = room;
        return true;
}

/* "component<TAB>ID<TAB>VERSION<TAB>STATE<TAB>NAME<TAB>DESCRIPTION" */
static void take_component(software *s, odm_str line)
{
        odm_component c;

        if (!has_room(s))
                return;
        (void)field(&line);
        c = (odm_component){.id = field(&line), .version = field(&line)};
        c.active = odm_str_is(field(&line), "active");
        c.name = field(&line);
        c.description = odm_str_trim(line);
        if (c.id.n == 0 || c.id.n > ODM_SCOMO_ID || !is_text(c.id) || !is_text(c.version) ||
            !is_text(c.name) || !is_text(c.description)) {
                log_warn("an installer tells of a component without sense",
                         log_text("installer", s->installer->name));
                return;
        }
        c.id = odm_arena_copy(&s->text, c.id);
        c.version = odm_arena_copy(&s->text, c.version);
        c.name = odm_arena_copy(&s->text, c.name);
        c.description = odm_arena_copy(&s->text, c.description);
        c.installer = odm_cstr(s->installer->name);
        if (s->text.err == 0)
                s->list[s->n_list++] = c;
}

static void on_line(void *ctx, odm_str line)
{
        software *s = ctx;

        if (odm_str_starts(line, "component\t"))
                take_component(s, line);
        else if (odm_str_trim(line).n)
                snprintf(s->note, sizeof s->note, "%.*s",
                         (int)odm_str_to(line, line.n < NOTE ? line.n : NOTE).n, line.p);
}

static odm_task_cause of_code(int code)
{
        switch (code) {
        case 0: return ODM_CAUSE_OK;
        case 20: return ODM_CAUSE_NO_ROOM;
        case 30: return ODM_CAUSE_MISMATCH;
        case 40: return ODM_CAUSE_UNSUPPORTED;
        case 50: return ODM_CAUSE_NOT_ACCEPTED;
        default: return ODM_CAUSE_FAILED;
        }
}

/* ---- running them ------------------------------------------------------------------------- */

static int copy_made(job *j, const odm_component *list, size_t n)
{
        odm_arena *a = &j->text;

        if (n > ODM_SCOMO_MADE)
                n = ODM_SCOMO_MADE;
        j->made = odm_arena_zget(a, (n + 1) * sizeof *j->made);
        for (size_t i = 0; j->made && i < n; i++) {
                j->made[i] = list[i];
                j->made[i].id = odm_arena_copy(a, list[i].id);
                j->made[i].version = odm_arena_copy(a, list[i].version);
                j->made[i].name = odm_arena_copy(a, list[i].name);
                j->made[i].description = odm_arena_copy(a, list[i].description);
        }
        if (a->err)
                return a->err;
        j->n_made = n;
        return 0;
}

static void order_over(software *s, int code)
{
        job *j = s->current;
        odm_task_cause cause = of_code(code);
        char note[sizeof s->note];

        snprintf(note, sizeof note, "%s", cause == ODM_CAUSE_OK ? "" : s->note);
        if (cause != ODM_CAUSE_OK && j->step == ODM_SCOMO_CHECK)
                cause = ODM_CAUSE_INTERRUPTED;
        if (cause == ODM_CAUSE_OK && copy_made(j, s->list, s->n_list) < 0)
                log_error("no memory for what was installed", log_int("task", j->id));
        for (size_t i = 0; i < s->opt.n_installers; i++)
                s->stale[i] = true; /* one may have touched what another one has */
        finish(j, cause, note);
}

static void list_over(software *s, int code)
{
        if (code == 0)
                s->opt.listed(s->opt.ctx, s->installer->name, s->list, s->n_list);
        else
                log_warn("an installer does not say what it has",
                         log_text("installer", s->installer->name), log_text("reason", s->note));
        go_on(s);
}

static void on_program_over(void *ctx, int code)
{
        software *s = ctx;

        s->program = NULL;
        loop_timer_stop(&s->limit);
        if (s->listing)
                list_over(s, code);
        else
                order_over(s, code);
}

static void on_limit(void *ctx)
{
        software *s = ctx;

        program_kill(s->program);
        snprintf(s->note, sizeof s->note, "the installer took too long");
        on_program_over(s, 128);
}

/* Runs the installer with the words of an order, which end with NULL. */
static int run(software *s, const software_installer *with, const char *const *words, diag *d)
{
        const char *argv[SOFTWARE_WORDS + 8] = {NULL};
        const program_opt o = {.argv = argv, .line = on_line, .done = on_program_over, .ctx = s};
        size_t n = 0;
        int rc;

        for (; n < SOFTWARE_WORDS && with->command[n]; n++)
                argv[n] = with->command[n];
        for (size_t i = 0; words[i]; i++)
                argv[n++] = words[i];
        odm_arena_reset(&s->text);
        s->n_list = 0;
        s->note[0] = 0;
        s->installer = with;
        rc = program_start(s->opt.loop, &o, &s->program, d);
        if (rc == 0 && s->opt.command_ms > 0 &&
            loop_timer_set(s->opt.loop, &s->limit, odm_time_add(loop_now(), s->opt.command_ms)) < 0)
                log_error("no memory for a timer");
        return rc;
}

/* ---- which one ---------------------------------------------------------------------------- */

static bool is_type(const software_installer *i, odm_str type)
{
        size_t n = 0;

        while (n < type.n && type.p[n] != ';')
                n++;
        type = odm_str_trim(odm_str_to(type, n));
        for (size_t k = 0; i->types[k]; k++)
                if (odm_str_ieq(type, i->types[k]))
                        return true;
        return false;
}

static const software_installer *for_type(const software *s, odm_str type)
{
        for (size_t i = 0; i < s->opt.n_installers; i++)
                if (is_type(&s->opt.installer[i], type))
                        return &s->opt.installer[i];
        return NULL;
}

static const software_installer *by_name(const software *s, odm_str name)
{
        for (size_t i = 0; i < s->opt.n_installers; i++)
                if (odm_str_is(name, s->opt.installer[i].name))
                        return &s->opt.installer[i];
        return NULL;
}

/* What a file is by its first octets. */
static odm_str type_of(const char *file)
{
        static const struct {
                size_t at, n;
                const char *octets, *type;
        } kinds[] = {
                {0, 21, "!<arch>\ndebian-binary", "application/vnd.debian.binary-package"},
                {257, 5, "ustar", "application/x-tar"},
                {0, 2, "\x1f\x8b", "application/gzip"},
                {0, 6,
                 "\xfd"
                 "7zXZ\0",
                 "application/x-xz"},
                {0, 4, "\x28\xb5\x2f\xfd", "application/zstd"},
                {0, 4, "PK\3\4", "application/zip"},
        };
        char block[512];
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, block, sizeof block);

        if (fd >= 0)
                close(fd);
        for (size_t i = 0; i < ODM_COUNT(kinds); i++)
                if (n >= (ssize_t)(kinds[i].at + kinds[i].n) &&
                    memcmp(block + kinds[i].at, kinds[i].octets, kinds[i].n) == 0)
                        return odm_cstr(kinds[i].type);
        return ODM_STR("application/octet-stream");
}

odm_task_cause software_fits(const software *s, odm_str env, odm_str type)
{
        bool known = odm_str_trim(env).n == 0;

        for (size_t i = 0; s->opt.environments[i] && !known; i++)
                known = odm_str_ieq(odm_str_trim(env), s->opt.environments[i]);
        if (!known)
                return ODM_CAUSE_MISMATCH;
        return odm_str_trim(type).n == 0 || for_type(s, type) ? ODM_CAUSE_OK
                                                              : ODM_CAUSE_NOT_ACCEPTED;
}

/* ---- orders --------------------------------------------------------------------------------- */

static const char *text(odm_str s)
{
        return s.p ? s.p : ""; /* arenas put a zero behind what they copy */
}

static void install_now(job *j)
{
        software *s = j->s;
        char file[PATH_MAX];
        file_of(s, j->hold, file);
        const software_installer *with = for_type(s, j->type.n ? j->type : type_of(file));
        const char *const install[] = {"install",     file,
                                       text(j->pkg),  j->active ? "active" : "inactive",
                                       text(j->name), text(j->params),
                                       NULL};
        const char *const check[] = {"check", text(j->pkg), NULL};
        diag d = {{0}};

        if (!with)
                finish(j,
                       j->step == ODM_SCOMO_CHECK ? ODM_CAUSE_INTERRUPTED : ODM_CAUSE_NOT_ACCEPTED,
                       "nothing here installs packages of that kind");
        else if (run(s, with, j->step == ODM_SCOMO_CHECK ? check : install, &d) < 0)
                finish(j, ODM_CAUSE_FAILED, d.text);
}

static void on_proved(void *ctx, odm_task_cause cause, const char *note)
{
        job *j = ctx;

        j->delivery = NULL;
        if (cause == ODM_CAUSE_OK)
                install_now(j);
        else
                finish(j, cause, note);
}

static void on_delivered(void *ctx, odm_task_cause cause, const char *note)
{
        job *j = ctx;

        j->delivery = NULL;
        finish(j, cause, note);
}

static int deliver(job *j, void (*done)(void *ctx, odm_task_cause c, const char *note), diag *d)
{
        const software_opt *so = &j->s->opt;
        char file[PATH_MAX];
        const delivery_opt o = {.terms = so->terms,
                                .keys = so->keys,
                                .url = j->step == ODM_SCOMO_DOWNLOAD ? j->url : ODM_ABSENT,
                                .file = file,
                                .proof = j->proof,
                                .done = done,
                                .ctx = j};

        file_of(j->s, j->hold, file);
        return delivery_start(so->loop, &o, &j->delivery, d);
}

static void change_component(job *j, const char *order)
{
        const software_installer *with = by_name(j->s, j->installer);
        const char *const words[] = {order, text(j->component), NULL};
        diag d = {{0}};

        if (!with)
                finish(j, ODM_CAUSE_BAD_CONFIG, "its installer is not here any more");
        else if (run(j->s, with, words, &d) < 0)
                finish(j, ODM_CAUSE_FAILED, d.text);
}

static void start(job *j)
{
        diag d = {{0}};

        j->s->current = j;
        j->s->listing = false;
        switch (j->step) {
        case ODM_SCOMO_DOWNLOAD: break; /* has no turn to wait for */
        case ODM_SCOMO_INSTALL:
                if (deliver(j, on_proved, &d) < 0)
                        finish(j, ODM_CAUSE_FAILED, d.text);
                break;
        case ODM_SCOMO_CHECK: install_now(j); break;
        case ODM_SCOMO_ACTIVATE: change_component(j, "activate"); break;
        case ODM_SCOMO_DEACTIVATE: change_component(j, "deactivate"); break;
        case ODM_SCOMO_REMOVE: change_component(j, "remove"); break;
        }
}

static void ask(software *s, size_t i)
{
        static const char *const words[] = {"list", NULL};
        diag d = {{0}};

        s->stale[i] = false;
        s->listing = true;
        if (run(s, &s->opt.installer[i], words, &d) < 0) {
                log_warn("an installer does not run", log_text("reason", d.text));
                go_on(s);
        }
}

static void on_soon(void *ctx)
{
        software *s = ctx;

        if (s->current || s->program)
                return;
        for (job *j = s->jobs; j; j = j->next)
                if (!j->over && j->step != ODM_SCOMO_DOWNLOAD) {
                        start(j);
                        return;
                }
        for (size_t i = 0; i < s->opt.n_installers; i++)
                if (s->stale[i]) {
                        ask(s, i);
                        return;
                }
}

/* By the loop, so that nothing is over before it was begun. */
static void go_on(software *s)
{
        if (loop_timer_set(s->opt.loop, &s->soon, loop_now()) < 0)
                log_error("no memory for a timer");
}

void software_look(software *s)
{
        for (size_t i = 0; i < s->opt.n_installers; i++)
                s->stale[i] = true;
        go_on(s);
}

static odm_str kept(job *j, const odm_task *t, const char *arg)
{
        return odm_arena_copy(&j->text, odm_task_arg(t, arg));
}

static int keep_arguments(job *j, const odm_task *t)
{
        odm_str sig = odm_task_arg(t, "signature");
        int rc = 0;

        j->url = kept(j, t, "url");
        j->pkg = kept(j, t, "pkg");
        j->name = kept(j, t, "name");
        j->params = kept(j, t, "params");
        j->type = kept(j, t, "type");
        j->component = kept(j, t, "id");
        j->installer = kept(j, t, "installer");
        j->hold = kept(j, t, "hold");
        j->active = odm_str_is(odm_task_arg(t, "active"), "1");
        j->proof = (proof){.hash_alg = kept(j, t, "hash_alg"),
                           .hash = kept(j, t, "hash"),
                           .sig_alg = kept(j, t, "sig_alg"),
                           .key = kept(j, t, "key")};
        if (sig.n)
                rc = odm_b64_decode(&j->text, sig, &j->proof.signature);
        return rc < 0 ? rc : j->text.err;
}

static int put_pushed(const job *j, odm_str data, diag *d)
{
        char file[PATH_MAX];

        file_of(j->s, j->hold, file);
        delivery_drop(file);
        return fsio_write(NULL, file, data, 0600, d);
}

int software_begin(software *s, const odm_task *t, odm_str pushed)
{
        job *j = calloc(1, sizeof *j), **last = &s->jobs;
        diag d = {{0}};
        int rc;

        if (!j)
                return ODM_ENOMEM;
        j->s = s;
        j->id = t->id;
        j->step = (odm_scomo_step)t->step;
        odm_arena_init(&j->text, &heap_mem, JOB_TEXT);
        rc = keep_arguments(j, t);
        if (rc == 0 && j->step == ODM_SCOMO_INSTALL && odm_task_arg(t, "pushed").p && pushed.n)
                rc = put_pushed(j, pushed, &d);
        if (rc == 0 && j->step == ODM_SCOMO_DOWNLOAD)
                rc = deliver(j, on_delivered, &d);
        if (rc < 0) {
                log_error("a step cannot begin", log_text("reason", d.text));
                free_job(j);
                return rc;
        }
        forget_old(s, t->id);
        while (*last)
                last = &(*last)->next;
        *last = j;
        log_info("step begins", log_int("task", t->id), log_text("step", t->kind->steps[t->step]),
                 log_str("url", j->url));
        if (j->step != ODM_SCOMO_DOWNLOAD)
                go_on(s);
        return 0;
}

int software_made(const software *s, uint32_t id, size_t i, odm_component *out)
{
        for (const job *j = s->jobs; j; j = j->next)
                if (j->id == id && j->over && i < j->n_made) {
                        *out = j->made[i];
                        return 1;
                }
        return 0;
}

/* ---- files ------------------------------------------------------------------------------------ */

/* "p7" of "p7.sig.part"; absent for what is not ours. */
static odm_str hold_of(const char *name)
{
        size_t n = 1 + strspn(name + (name[0] == 'p'), "0123456789");

        return name[0] == 'p' && n > 1 && (name[n] == 0 || name[n] == '.') ? (odm_str){name, n}
                                                                           : ODM_ABSENT;
}

void software_tidy(software *s, int (*holds)(void *ctx, odm_str name), void *ctx)
{
        DIR *d = opendir(s->opt.folder);
        struct dirent *e;
        char file[PATH_MAX];

        while (d && (e = readdir(d)) != NULL) {
                odm_str hold = hold_of(e->d_name);
                if (!hold.p || holds(ctx, hold) != 0)
                        continue;
                snprintf(file, sizeof file, "%s/%s", s->opt.folder, e->d_name);
                (void)unlink(file);
        }
        if (d)
                closedir(d);
}

/* ---- life ------------------------------------------------------------------------------------- */

int software_open(const software_opt *opt, software **out, diag *d)
{
        software *s = calloc(1, sizeof *s);
        int rc;

        if (!s)
                return ODM_ENOMEM;
        s->opt = *opt;
        s->soon = (loop_timer){.fn = on_soon, .ctx = s};
        s->limit = (loop_timer){.fn = on_limit, .ctx = s};
        odm_arena_init(&s->text, &heap_mem, LIST_TEXT);
        rc = fsio_mkdir(opt->folder, 0700, d);
        if (rc < 0) {
                software_close(s);
                return rc;
        }
        software_look(s);
        *out = s;
        return 0;
}

void software_close(software *s)
{
        if (!s)
                return;
        if (s->listing)
                program_kill(s->program);
        else
                program_leave(s->program);
        while (s->jobs) {
                job *j = s->jobs;
                s->jobs = j->next;
                free_job(j);
        }
        loop_timer_stop(&s->limit);
        loop_timer_stop(&s->soon);
        odm_arena_done(&s->text);
        free(s->list);
        free(s);
}

int software_status(const software *s, odm_buf *b)
{
        int64_t done, total;
        int rc = 0;

        for (const job *j = s->jobs; j && rc == 0; j = j->next)
                if (j->delivery && j->step == ODM_SCOMO_DOWNLOAD) {
                        delivery_progress(j->delivery, &done, &total);
                        rc = odm_buf_fmt(b, "downloaded-%u: %lld of %lld\n", (unsigned)j->id,
                                         (long long)done, (long long)total);
                }
        return rc;
}
