/* SPDX-License-Identifier: Apache-2.0 */
/* One step at a time.  Downloads and the maker's programs are processes; hashing, proving and
 * copying happen on a thread, so that the loop goes on.
 *
 *     start:     the images are looked at (slots), then
 *     download:  the patch, if the image in use is the one it is against, or the whole; proved
 *     install:   a pushed package is written and proved; then slots or the program
 *     check:     what the slots, or the program, say of the start before */
#include "firmware.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delivery.h"
#include "delta.h"
#include "heap.h"
#include "log.h"
#include "program.h"
#include "proof.h"

#define TEXT_MAX 512
#define TOO_LONG 128 /* neither good nor one of the codes that mean more */
#define MAKER_ARGS 12

typedef enum soundness { UNKNOWN, WHOLE, DAMAGED } soundness; /* of an image */

struct firmware {
        firmware_opt opt;
        slots slots;
        char package[PATH_MAX], signature_file[PATH_MAX];
        /* the step under way */
        uint32_t id;
        odm_fumo_step step;
        unsigned tries; /* of it, those before restarts included */
        odm_arena text; /* of its arguments */
        odm_str url, delta_url, delta_base, version, pushed;
        proof proof;
        delta *delta;
        int64_t patch; /* octets of the patch that made the package; 0: it was fetched whole */
        delivery *delivery;
        program *program;
        void (*commanded)(firmware *f, int code);
        pthread_t thread;
        odm_task_cause (*work)(firmware *f); /* on the thread */
        void (*worked)(firmware *f);         /* on the loop, `got` being what came of it */
        odm_task_cause got;
        bool busy, has_thread, over; /* over: what tells of the trial may go with the end */
        odm_task_end end;
        char note[TEXT_MAX];
        loop_timer soon, patience;
        /* the look at the start: a step that comes in the middle of it waits */
        bool looking;
        soundness mine, other;
};

/* ---- the end of a step ------------------------------------------------------------------ */

static void drop_package(firmware *f)
{
        (void)unlink(f->package);
        (void)unlink(f->signature_file);
}

static void hear(firmware *f)
{
        diag d = {{0}};

        if (slots_heard(&f->slots, &d) < 0)
                log_error("the marker cannot be written", log_text("reason", d.text));
}

/* The end of a trial is kept by now.  Had the power gone before, what is forgotten here would have
 * told it once more. */
static void forget_trial(firmware *f)
{
        f->over = false;
        hear(f);
        drop_package(f);
}

static void on_soon(void *ctx)
{
        firmware *f = ctx;
        char note[TEXT_MAX];
        odm_task_end e = f->end;

        memcpy(note, f->note, sizeof note);
        e.note = note[0] ? odm_cstr(note) : ODM_ABSENT;
        f->busy = false;
        odm_arena_reset(&f->text);
        log_info("step over", log_int("task", f->id),
                 log_text("result", odm_task_cause_name(e.cause)), log_int("saved", e.saved),
                 log_text("reason", note));
        if (f->opt.done(f->opt.ctx, f->id, &e) == 0 && f->over && !f->busy)
                forget_trial(f);
}

static void finish(firmware *f, odm_task_cause cause, bool has_data, const char *note)
{
        loop_timer_stop(&f->patience);
        f->end.cause = cause;
        f->end.has_data = has_data;
        if (note != f->note)
                snprintf(f->note, sizeof f->note, "%s", note);
        if (loop_timer_set(f->opt.loop, &f->soon, loop_now()) < 0)
                log_error("no memory to end a step");
}

/* ---- on the thread ---------------------------------------------------------------------- */

static bool read_signature(firmware *f, odm_buf *b)
{
        return fsio_read(f->signature_file, PROOF_SIGNATURE_MAX, b, NULL) == 0;
}

static odm_task_cause prove(firmware *f)
{
        odm_task_cause cause = ODM_CAUSE_FAILED;
        proof p = f->proof;
        diag d = {{0}};
        odm_buf b;

        odm_buf_init(&b, &heap_mem, PROOF_SIGNATURE_MAX);
        if (p.signature.n == 0 && read_signature(f, &b))
                p.signature = odm_buf_view(&b);
        if (proof_check(f->opt.keys, &p, f->package, &cause, &d) < 0)
                cause = ODM_CAUSE_FAILED;
        snprintf(f->note, sizeof f->note, "%s", d.text);
        odm_buf_done(&b);
        return cause;
}

static odm_task_cause why_not_written(void)
{
        return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? ODM_CAUSE_NO_ROOM
                                                                    : ODM_CAUSE_FAILED;
}

static odm_task_cause write_pushed(firmware *f)
{
        diag d = {{0}};

        (void)unlink(f->signature_file);
        if (fsio_write(NULL, f->package, f->pushed, 0600, &d) == 0)
                return ODM_CAUSE_OK;
        snprintf(f->note, sizeof f->note, "%s", d.text);
        return why_not_written();
}

static odm_task_cause into_slots(firmware *f)
{
        char version[SLOTS_VERSION + 1], hash[SLOTS_HASH + 1] = "";
        diag d = {{0}};

        snprintf(version, sizeof version, "%.*s", (int)f->version.n,
                 f->version.p ? f->version.p : "");
        if (proof_hash(f->package, hash, &d) == 0 && !version[0])
                snprintf(version, sizeof version, "%.12s", hash);
        if (slots_install(&f->slots, f->package, version, hash, &d) == 0)
                return ODM_CAUSE_OK;
        snprintf(f->note, sizeof f->note, "%s", d.text);
        return why_not_written();
}

static odm_task_cause install(firmware *f)
{
        odm_task_cause c = f->pushed.n ? write_pushed(f) : ODM_CAUSE_OK;

        if (c == ODM_CAUSE_OK)
                c = prove(f); /* what was downloaded too: the disk is not trusted for long */
        if (c == ODM_CAUSE_OK && f->opt.installer == FIRMWARE_SLOTS)
                c = into_slots(f);
        return c;
}

/* The confirmed image may be the one that this installation was about: the power went after its
 * trial.  What was pushed may never have reached the file. */
static odm_task_cause compare(firmware *f)
{
        char path[300], a[65], b[65];
        bool same;

        slots_path(&f->slots, true, path);
        same = proof_hash(path, a, NULL) == 0 &&
               (f->pushed.n ? proof_hash_of(f->pushed, b) : proof_hash(f->package, b, NULL)) == 0 &&
               strcmp(a, b) == 0;
        return same ? ODM_CAUSE_OK : ODM_CAUSE_INTERRUPTED;
}

static void on_thread_over(void *ctx)
{
        firmware *f = ctx;

        pthread_join(f->thread, NULL);
        f->has_thread = false;
        f->worked(f);
}

static void *run(void *ctx)
{
        firmware *f = ctx;

        f->got = f->work(f);
        while (loop_post(f->opt.loop, on_thread_over, f) < 0)
                (void)usleep(
                        100000); /* until there is memory: nobody else can say that we are done */
        return NULL;
}

static bool start_thread(firmware *f, odm_task_cause (*work)(firmware *f),
                         void (*worked)(firmware *f))
{
        f->note[0] = 0;
        f->work = work;
        f->worked = worked;
        f->has_thread = pthread_create(&f->thread, NULL, run, f) == 0;
        return f->has_thread;
}

static void start_work(firmware *f, odm_task_cause (*work)(firmware *f),
                       void (*worked)(firmware *f))
{
        if (!start_thread(f, work, worked))
                finish(f, ODM_CAUSE_FAILED, false, "no thread for it");
}

/* ---- downloads -------------------------------------------------------------------------- */

static void deliver(firmware *f, odm_str url);

static int64_t size_of(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 ? st.st_size : 0;
}

static void on_delivered(void *ctx, odm_task_cause cause, const char *note)
{
        firmware *f = ctx;

        f->delivery = NULL;
        if (f->patch && cause != ODM_CAUSE_OK) {
                log_warn("what the delta made is not the package: the whole is fetched",
                         log_int("task", f->id), log_text("reason", note));
                f->patch = 0;
                deliver(f, f->url);
                return;
        }
        if (f->patch)
                f->end.saved = size_of(f->package) - f->patch;
        finish(f, cause, cause == ODM_CAUSE_OK, note);
}

/* Without an address the package is there, and is only to be proved. */
static void deliver(firmware *f, odm_str url)
{
        const delivery_opt o = {.terms = f->opt.terms,
                                .keys = f->opt.keys,
                                .url = url,
                                .file = f->package,
                                .proof = f->proof,
                                .done = on_delivered,
                                .ctx = f};
        diag d = {{0}};
        int rc = delivery_start(f->opt.loop, &o, &f->delivery, &d);

        if (rc < 0)
                finish(f, ODM_CAUSE_FAILED, false, d.text[0] ? d.text : odm_err_text(rc));
}

static void on_patched(void *ctx, bool made, int64_t octets, const char *note)
{
        firmware *f = ctx;

        f->delta = NULL;
        if (made) {
                f->patch = octets;
                deliver(f, ODM_ABSENT);
                return;
        }
        log_info("the delta is of no use: the whole is fetched", log_int("task", f->id),
                 log_text("reason", note));
        deliver(f, f->url);
}

static int patch(firmware *f)
{
        char base[300];
        const delta_opt o = {
                .terms = f->opt.terms,
                .patch = f->opt.patch,
                .url = f->delta_url,
                .base_hash = f->delta_base,
                .base = base,
                .signature_url = f->proof.signature.n
                                         ? ODM_ABSENT
                                         : odm_arena_join(&f->text, f->url, ODM_STR(PROOF_SUFFIX)),
                .file = f->package,
                .done = on_patched,
                .ctx = f};

        slots_path(&f->slots, true, base);
        return delta_start(f->opt.loop, &o, &f->delta);
}

static void begin_download(firmware *f)
{
        drop_package(f);
        f->patch = 0;
        if (f->opt.installer != FIRMWARE_SLOTS || f->slots.state == SLOTS_EMPTY || !f->opt.patch ||
            !f->delta_url.n || !f->delta_base.n || patch(f) < 0)
                deliver(f, f->url);
}

/* ---- installation and what follows ------------------------------------------------------ */

static void on_program_line(void *ctx, odm_str line)
{
        firmware *f = ctx;

        if (odm_str_trim(line).n)
                snprintf(f->note, sizeof f->note, "%.*s", (int)odm_str_to(line, 500).n, line.p);
}

static void on_command_over(void *ctx, int code)
{
        firmware *f = ctx;

        loop_timer_stop(&f->patience);
        f->program = NULL;
        f->commanded(f, code);
}

/* An image or a program that hangs must not keep the task for ever. */
static void on_patience_over(void *ctx)
{
        firmware *f = ctx;

        program_kill(f->program);
        snprintf(f->note, sizeof f->note, "the command took too long");
        on_command_over(f, TOO_LONG);
}

static int run_command(firmware *f, const char *const *argv, void (*done)(firmware *f, int code))
{
        const program_opt o = {
                .argv = argv, .line = on_program_line, .done = on_command_over, .ctx = f};
        diag d = {{0}};
        int rc;

        f->note[0] = 0;
        f->commanded = done;
        rc = program_start(f->opt.loop, &o, &f->program, &d);
        if (rc < 0)
                snprintf(f->note, sizeof f->note, "%s", d.text);
        else if (f->opt.command_ms > 0 &&
                 loop_timer_set(f->opt.loop, &f->patience,
                                odm_time_add(loop_now(), f->opt.command_ms)) < 0)
                log_error("no memory for a timer");
        return rc;
}

/* The maker's program with one to three words for it; absent ones are NULL. */
static void run_maker(firmware *f, const char *one, const char *two, const char *three,
                      void (*done)(firmware *f, int code))
{
        const char *argv[MAKER_ARGS] = {f->opt.installer == FIRMWARE_EXEC ? f->opt.command
                                                                          : f->opt.adapter};
        const char *const words[] = {one, two, three};
        size_t n = 1;

        if (f->opt.installer != FIRMWARE_EXEC) {
                argv[n++] = "--folder";
                argv[n++] = f->opt.folder;
                argv[n++] = "--check";
                argv[n++] = f->opt.command ? f->opt.command : "";
                argv[n++] = "--arguments";
                argv[n++] = f->opt.arguments ? f->opt.arguments : "";
        }
        for (size_t i = 0; i < ODM_COUNT(words) && words[i]; i++)
                argv[n++] = words[i];
        if (run_command(f, argv, done) < 0)
                finish(f, ODM_CAUSE_FAILED, false, f->note);
}

static void on_made(firmware *f, int code)
{
        if (code == 10) {
                f->opt.restart(f->opt.ctx, "the installer asks for it");
                return;
        }
        drop_package(f);
        finish(f,
               code == 0    ? ODM_CAUSE_OK
               : code == 20 ? ODM_CAUSE_NO_ROOM
                            : ODM_CAUSE_FAILED,
               false, f->note);
}

static void on_installed(firmware *f)
{
        odm_str version = odm_arena_copy(&f->text, f->version.p ? f->version : ODM_STR(""));

        if (f->got != ODM_CAUSE_OK) {
                drop_package(f);
                finish(f, f->got, false, f->note);
        } else if (f->opt.installer == FIRMWARE_SLOTS) {
                f->opt.restart(f->opt.ctx, "a new image is to be tried");
        } else {
                run_maker(f, "install", f->package, version.p ? version.p : "", on_made);
        }
}

/* ---- after the restart ------------------------------------------------------------------ */

static void confirm(firmware *f)
{
        diag d = {{0}};

        if (slots_confirm(&f->slots, &d) < 0) {
                finish(f, ODM_CAUSE_FAILED, false, d.text);
                return;
        }
        f->over = true;
        finish(f, ODM_CAUSE_OK, false, f->note);
}

/* Not good: the next start counts, until there were enough of them. */
static void try_again(firmware *f)
{
        log_warn("the new image does not pass its check", log_int("start", f->slots.starts),
                 log_text("reason", f->note));
        f->opt.restart(f->opt.ctx, "the new image did not pass its check");
}

static void on_slot_checked(firmware *f, int code)
{
        if (code == 0)
                confirm(f);
        else
                try_again(f);
}

static void on_maker_checked(firmware *f, int code)
{
        if (code == 10 && f->tries < SLOTS_STARTS) { /* then it is asked again */
                f->opt.restart(f->opt.ctx, "the installer asks for it");
                return;
        }
        if (code != 3)
                drop_package(f);
        finish(f,
               code == 0   ? ODM_CAUSE_OK
               : code == 3 ? ODM_CAUSE_INTERRUPTED
                           : ODM_CAUSE_FAILED,
               false, f->note);
}

static void on_compared(firmware *f)
{
        f->over = f->got == ODM_CAUSE_OK;
        finish(f, f->got, false, f->note);
}

static void fell_back(firmware *f)
{
        f->over = true;
        finish(f, ODM_CAUSE_FAILED, false, f->slots.reason);
}

static int check_slot(firmware *f, void (*done)(firmware *f, int code))
{
        char image[300];
        const char *const argv[] = {f->opt.command, image, NULL};

        slots_path(&f->slots, true, image);
        return run_command(f, argv, done);
}

static void begin_check(firmware *f)
{
        f->note[0] = 0;
        if (f->opt.installer != FIRMWARE_SLOTS) {
                run_maker(f, "check", NULL, NULL, on_maker_checked);
                return;
        }
        switch (f->slots.state) {
        case SLOTS_FELL_BACK: fell_back(f); break;
        case SLOTS_TRIAL:
                if (!f->opt.command)
                        confirm(f);
                else if (check_slot(f, on_slot_checked) < 0)
                        finish(f, ODM_CAUSE_FAILED, false, f->note);
                break;
        case SLOTS_EMPTY:
        case SLOTS_GOOD: start_work(f, compare, on_compared); break;
        }
}

static void go(firmware *f)
{
        if (f->step != ODM_FUMO_CHECK)
                hear(f); /* the trial before is over, even if the power went as it was told */
        switch (f->step) {
        case ODM_FUMO_DOWNLOAD: begin_download(f); break;
        case ODM_FUMO_INSTALL: start_work(f, install, on_installed); break;
        case ODM_FUMO_CHECK: begin_check(f); break;
        }
}

/* ---- the look at the start -------------------------------------------------------------- */

static soundness examine(const firmware *f, bool in_use)
{
        const char *want = in_use ? f->slots.hash : f->slots.other_hash;
        char path[300], have[65];

        if (!want[0])
                return UNKNOWN;
        slots_path(&f->slots, in_use, path);
        return proof_hash(path, have, NULL) == 0 && strcmp(have, want) == 0 ? WHOLE : DAMAGED;
}

static odm_task_cause look(firmware *f)
{
        f->mine = examine(f, true);
        f->other = examine(f, false);
        return ODM_CAUSE_OK;
}

static void look_over(firmware *f)
{
        f->looking = false;
        if (f->busy)
                go(f);
}

static void tell(const firmware *f, firmware_health health, const char *text)
{
        if (health != FIRMWARE_SOUND)
                log_warn("firmware", log_text("detail", text));
        if (f->opt.found)
                f->opt.found(f->opt.ctx, health, text);
}

static void on_lone_checked(firmware *f, int code)
{
        diag d = {{0}};

        if (code != 0) {
                try_again(f);
                return;
        }
        if (slots_confirm(&f->slots, &d) < 0)
                log_error("the marker cannot be written", log_text("reason", d.text));
        else
                log_info("the new image works", log_text("version", f->slots.version));
        look_over(f);
}

static bool is_ordered(const firmware *f)
{
        return f->busy || (f->opt.ordered && f->opt.ordered(f->opt.ctx));
}

/* A trial, or the end of one, that no task asks for: its order was lost, and the device must not
 * fall back for that. */
static void settle(firmware *f)
{
        if (is_ordered(f)) {
                look_over(f);
        } else if (f->slots.state == SLOTS_TRIAL) {
                if (!f->opt.command)
                        on_lone_checked(f, 0);
                else if (check_slot(f, on_lone_checked) < 0)
                        on_lone_checked(f, TOO_LONG);
        } else {
                if (f->slots.state == SLOTS_FELL_BACK) {
                        tell(f, FIRMWARE_FELL_BACK, f->slots.reason);
                        hear(f);
                }
                look_over(f);
        }
}

/* Whether the device starts again with the other image. */
static bool leave_damaged(firmware *f)
{
        char text[SLOTS_REASON];
        diag d = {{0}};
        int rc = ODM_ENOENT;

        snprintf(text, sizeof text, "the image %.80s in slot %c is damaged", f->slots.version,
                 f->slots.in_use);
        if (f->slots.state == SLOTS_TRIAL)
                rc = slots_refuse(&f->slots, text, &d);
        else if (f->other == WHOLE)
                rc = slots_damaged(&f->slots, text, &d);
        if (rc < 0) {
                log_error("a damaged image stays in use", log_text("reason", d.text));
                tell(f, FIRMWARE_DAMAGED, text);
                return false;
        }
        tell(f, FIRMWARE_SWITCHED, text);
        f->opt.restart(f->opt.ctx, text);
        return true;
}

static void on_looked(firmware *f)
{
        char text[SLOTS_REASON];
        diag d = {{0}};

        if (f->mine == DAMAGED) {
                if (!leave_damaged(f))
                        settle(f);
                return;
        }
        if (slots_sound(&f->slots, &d) < 0)
                log_error("the marker cannot be written", log_text("reason", d.text));
        snprintf(text, sizeof text, "the spare image %.80s in slot %c is damaged",
                 f->slots.other_version, f->slots.in_use == 'a' ? 'b' : 'a');
        if (f->other != DAMAGED)
                tell(f, FIRMWARE_SOUND, "");
        else if (!is_ordered(f)) /* else its place may be one that is being filled */
                tell(f, FIRMWARE_SPARE_DAMAGED, text);
        settle(f);
}

/* ---- life
 * --------------------------------------------------------------------------------------------------
 */

static odm_str kept(firmware *f, odm_str s)
{
        return s.p ? odm_arena_copy(&f->text, s) : ODM_ABSENT;
}

static int keep_arguments(firmware *f, const odm_task *t, odm_str version, odm_str pushed)
{
        odm_str sig = odm_task_arg(t, "signature");
        int rc = 0;

        f->url = kept(f, odm_task_arg(t, "url"));
        f->delta_url = kept(f, odm_task_arg(t, "delta_url"));
        f->delta_base = kept(f, odm_task_arg(t, "delta_base"));
        f->version = kept(f, version);
        f->pushed = odm_task_arg(t, "pushed").p ? kept(f, pushed) : ODM_ABSENT;
        f->proof = (proof){.hash_alg = kept(f, odm_task_arg(t, "hash_alg")),
                           .hash = kept(f, odm_task_arg(t, "hash")),
                           .sig_alg = kept(f, odm_task_arg(t, "sig_alg")),
                           .key = kept(f, odm_task_arg(t, "key"))};
        if (sig.n)
                rc = odm_b64_decode(&f->text, sig, &f->proof.signature);
        return rc < 0 ? rc : f->text.err;
}

int firmware_begin(firmware *f, const odm_task *t, odm_str version, odm_str pushed)
{
        int rc;

        if (f->busy)
                return ODM_ESTATE;
        rc = keep_arguments(f, t, version, pushed);
        if (rc < 0) {
                odm_arena_reset(&f->text);
                return rc;
        }
        f->busy = true;
        f->over = false;
        f->id = t->id;
        f->step = (odm_fumo_step)t->step;
        f->tries = t->tries;
        f->note[0] = 0;
        log_info("step begins", log_int("task", t->id), log_text("step", t->kind->steps[t->step]),
                 log_str("url", f->url));
        f->end = (odm_task_end){.cause = ODM_CAUSE_OK};
        if (!f->looking)
                go(f);
        return 0;
}

int firmware_open(const firmware_opt *opt, firmware **out, diag *d)
{
        firmware *f = calloc(1, sizeof *f);
        int rc;

        if (!f)
                return ODM_ENOMEM;
        f->opt = *opt;
        f->soon = (loop_timer){.fn = on_soon, .ctx = f};
        f->patience = (loop_timer){.fn = on_patience_over, .ctx = f};
        odm_arena_init(&f->text, &heap_mem, (size_t)64 << 20);
        snprintf(f->package, sizeof f->package, "%s/package", opt->folder);
        snprintf(f->signature_file, sizeof f->signature_file, "%s/package" PROOF_SUFFIX,
                 opt->folder);
        rc = fsio_mkdir(opt->folder, 0700, d);
        if (rc == 0 && opt->installer == FIRMWARE_SLOTS) {
                rc = slots_open(&f->slots, NULL, opt->slots, d);
                if (rc == 0)
                        rc = slots_start(&f->slots, d);
                f->looking = rc == 0 && f->slots.state != SLOTS_EMPTY;
                if (f->looking && !start_thread(f, look, on_looked))
                        rc = diag_set(d, ODM_ENOMEM, "no thread to look at the images");
        }
        if (rc < 0)
                firmware_close(f);
        else
                *out = f;
        return rc;
}

void firmware_close(firmware *f)
{
        if (!f)
                return;
        delta_end(f->delta);
        delivery_end(f->delivery);
        program_kill(f->program);
        if (f->has_thread)
                pthread_join(f->thread, NULL);
        loop_timer_stop(&f->soon);
        loop_timer_stop(&f->patience);
        odm_arena_done(&f->text);
        free(f);
}

void firmware_progress(const firmware *f, int64_t *done, int64_t *total)
{
        *done = *total = 0;
        if (f->delta)
                delta_progress(f->delta, done, total);
        else if (f->delivery)
                delivery_progress(f->delivery, done, total);
}

const char *firmware_version(const firmware *f)
{
        return f->opt.installer == FIRMWARE_SLOTS ? f->slots.version : "";
}

const char *firmware_image(const firmware *f)
{
        return f->opt.installer == FIRMWARE_SLOTS ? f->slots.hash : "";
}

void firmware_drop(firmware *f)
{
        if (f->busy)
                return;
        delivery_drop(f->package);
        delta_drop(f->package);
}
