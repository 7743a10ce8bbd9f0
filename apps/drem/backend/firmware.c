/* SPDX-License-Identifier: Apache-2.0 */
/* One step at a time.  Downloads and the maker's programs are processes; hashing, proving and
 * copying happen on a thread, so that the loop goes on.
 *
 *     download:  fetch URL -> package; fetch URL.sig -> package.sig when no signature was
 *                given; prove
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

#include "heap.h"
#include "log.h"
#include "program.h"
#include "proof.h"

#define TEXT_MAX 512
#define TOO_LONG 128 /* neither good nor one of the codes that mean more */

struct firmware {
        firmware_opt opt;
        slots slots;
        char package[PATH_MAX], signature_file[PATH_MAX];
        /* the step under way */
        uint32_t id;
        odm_fumo_step step;
        odm_arena text; /* of its arguments */
        odm_str url, version, pushed;
        proof proof;
        program *program;
        void (*commanded)(void *ctx, int code);
        pthread_t thread;
        bool busy, has_thread, over; /* over: what tells of the trial may go with the end */
        odm_task_end end;
        char note[TEXT_MAX];
        int64_t have, total;
        loop_timer soon, patience;
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
        f->have = f->total = 0;
        odm_arena_reset(&f->text);
        log_info("step over", log_int("task", f->id),
                 log_text("result", odm_task_cause_name(e.cause)), log_text("reason", note));
        if (f->opt.done(f->opt.ctx, f->id, &e) == 0 && f->over && !f->busy)
                forget_trial(f);
}

static void finish(firmware *f, odm_task_cause cause, bool has_data, const char *note)
{
        loop_timer_stop(&f->patience);
        f->end = (odm_task_end){.cause = cause, .has_data = has_data};
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

static odm_task_cause write_pushed(firmware *f)
{
        diag d = {{0}};

        (void)unlink(f->signature_file);
        if (fsio_write(NULL, f->package, f->pushed, 0600, &d) == 0)
                return ODM_CAUSE_OK;
        snprintf(f->note, sizeof f->note, "%s", d.text);
        return errno == ENOSPC ? ODM_CAUSE_NO_ROOM : ODM_CAUSE_FAILED;
}

static odm_task_cause into_slots(firmware *f)
{
        char version[SLOTS_VERSION + 1], hash[65];
        diag d = {{0}};

        snprintf(version, sizeof version, "%.*s", (int)f->version.n,
                 f->version.p ? f->version.p : "");
        if (!version[0] && proof_hash(f->package, hash, &d) == 0)
                snprintf(version, sizeof version, "%.12s", hash);
        if (slots_install(&f->slots, f->package, version, &d) == 0)
                return ODM_CAUSE_OK;
        snprintf(f->note, sizeof f->note, "%s", d.text);
        return errno == ENOSPC ? ODM_CAUSE_NO_ROOM : ODM_CAUSE_FAILED;
}

/* The confirmed image may be the one that this installation was about: the power went after its
 * trial. */
static bool is_in_use(const firmware *f)
{
        char path[300], a[65], b[65];

        slots_path(&f->slots, true, path);
        return proof_hash(path, a, NULL) == 0 && proof_hash(f->package, b, NULL) == 0 &&
               strcmp(a, b) == 0;
}

static void on_thread_over(void *ctx);

static void *work(void *ctx)
{
        firmware *f = ctx;
        odm_task_cause c = ODM_CAUSE_OK;

        if (f->step == ODM_FUMO_INSTALL && f->pushed.n)
                c = write_pushed(f);
        if (c == ODM_CAUSE_OK && f->step != ODM_FUMO_CHECK)
                c = prove(f); /* before an installation too: the disk is not trusted for long */
        if (c == ODM_CAUSE_OK && f->step == ODM_FUMO_INSTALL && f->opt.installer == FIRMWARE_SLOTS)
                c = into_slots(f);
        if (f->step == ODM_FUMO_CHECK)
                c = is_in_use(f) ? ODM_CAUSE_OK : ODM_CAUSE_INTERRUPTED;
        f->end.cause = c;
        while (loop_post(f->opt.loop, on_thread_over, f) < 0)
                (void)usleep(
                        100000); /* until there is memory: nobody else can say that we are done */
        return NULL;
}

static void start_thread(firmware *f)
{
        f->note[0] = 0;
        if (pthread_create(&f->thread, NULL, work, f) == 0)
                f->has_thread = true;
        else
                finish(f, ODM_CAUSE_FAILED, false, "no thread for it");
}

/* ---- downloads -------------------------------------------------------------------------- */

static bool is_progress(odm_str line, int64_t *done, int64_t *total)
{
        static const char word[] = "progress ";
        odm_str rest = odm_str_from(line, sizeof word - 1);
        size_t n = 0;
        uint64_t one, two;

        while (n < rest.n && rest.p[n] != ' ')
                n++;
        if (!odm_str_starts(line, word) || odm_str_u64(odm_str_to(rest, n), INT64_MAX, &one) < 0 ||
            odm_str_u64(odm_str_from(rest, n + 1), INT64_MAX, &two) < 0)
                return false;
        *done = (int64_t)one;
        *total = (int64_t)two;
        return true;
}

static void on_fetch_line(void *ctx, odm_str line)
{
        firmware *f = ctx;
        char text[PROGRAM_LINE + 1], name[32];
        int at = 0;

        if (is_progress(line, &f->have, &f->total))
                return;
        snprintf(text, sizeof text, "%.*s", (int)line.n, line.p);
        if (sscanf(text, "end %31s %n", name, &at) == 1) {
                f->end.cause = odm_task_cause_of(odm_cstr(name));
                snprintf(f->note, sizeof f->note, "%.500s", at ? text + at : "");
        }
}

static void start_fetch(firmware *f, const char *url, const char *file, const char *max,
                        void (*done)(void *ctx, int code))
{
        char retries[24], wait[24];
        const char *argv[16] = {f->opt.fetch, "--max-size", max, "--retries",
                                retries,      "--wait",     wait};
        size_t n = 7;
        diag d = {{0}};

        snprintf(retries, sizeof retries, "%lld", (long long)f->opt.retries);
        snprintf(wait, sizeof wait, "%lld", (long long)f->opt.wait_ms);
        if (f->opt.ca) {
                argv[n++] = "--ca";
                argv[n++] = f->opt.ca;
        }
        argv[n++] = "--";
        argv[n++] = url;
        argv[n++] = file;
        const program_opt o = {.argv = argv, .line = on_fetch_line, .done = done, .ctx = f};
        f->end.cause = ODM_CAUSE_FAILED;
        snprintf(f->note, sizeof f->note, "the downloader died");
        if (program_start(f->opt.loop, &o, &f->program, &d) < 0)
                finish(f, ODM_CAUSE_FAILED, false, d.text);
}

/* A package without a signature is refused when it is proved; here its absence is no failure. */
static void on_signature(void *ctx, int code)
{
        firmware *f = ctx;

        (void)code;
        f->program = NULL;
        start_thread(f);
}

static void on_package(void *ctx, int code)
{
        firmware *f = ctx;
        odm_str url;

        (void)code;
        f->program = NULL;
        if (f->end.cause != ODM_CAUSE_OK) {
                finish(f, f->end.cause, false, f->note);
                return;
        }
        (void)unlink(f->signature_file);
        url = odm_arena_fmt(&f->text, "%.*s" PROOF_SUFFIX, (int)f->url.n, f->url.p);
        if (f->proof.signature.n || !url.p)
                start_thread(f);
        else
                start_fetch(f, url.p, f->signature_file, "65536", on_signature);
}

static void begin_download(firmware *f)
{
        char max[24];

        snprintf(max, sizeof max, "%lld", (long long)f->opt.max_size);
        (void)unlink(f->package);
        if (f->opt.download_ms > 0 &&
            loop_timer_set(f->opt.loop, &f->patience,
                           odm_time_add(loop_now(), f->opt.download_ms)) < 0)
                log_error("no memory for a timer");
        start_fetch(f, f->url.p, f->package, max, on_package);
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

/* An image or a program that hangs must not keep the task for ever, nor a server that drips.  What
 * was fetched whole by now is proved all the same. */
static void on_patience_over(void *ctx)
{
        firmware *f = ctx;

        if (f->step == ODM_FUMO_DOWNLOAD) {
                if (f->program) {
                        program_kill(f->program);
                        f->program = NULL;
                        finish(f, ODM_CAUSE_TIMEOUT, false, "the download took too long");
                }
                return;
        }
        program_kill(f->program);
        snprintf(f->note, sizeof f->note, "the command took too long");
        on_command_over(f, TOO_LONG);
}

static void run_command(firmware *f, const char *const *argv, void (*done)(void *ctx, int code))
{
        const program_opt o = {
                .argv = argv, .line = on_program_line, .done = on_command_over, .ctx = f};
        diag d = {{0}};

        f->note[0] = 0;
        f->commanded = done;
        if (program_start(f->opt.loop, &o, &f->program, &d) < 0)
                finish(f, ODM_CAUSE_FAILED, false, d.text);
        else if (f->opt.command_ms > 0 &&
                 loop_timer_set(f->opt.loop, &f->patience,
                                odm_time_add(loop_now(), f->opt.command_ms)) < 0)
                log_error("no memory for a timer");
}

static void on_installed(void *ctx, int code)
{
        firmware *f = ctx;

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

static void on_proved(firmware *f)
{
        odm_str version = odm_arena_copy(&f->text, f->version.p ? f->version : ODM_STR(""));
        const char *const argv[] = {f->opt.command, "install", f->package,
                                    version.p ? version.p : "", NULL};

        if (f->opt.installer == FIRMWARE_SLOTS)
                f->opt.restart(f->opt.ctx, "a new image is to be tried");
        else
                run_command(f, argv, on_installed);
}

static void on_thread_over(void *ctx)
{
        firmware *f = ctx;
        odm_task_cause c;

        pthread_join(f->thread, NULL);
        f->has_thread = false;
        c = f->end.cause;
        if (f->step == ODM_FUMO_INSTALL && c == ODM_CAUSE_OK) {
                on_proved(f);
                return;
        }
        if (f->step == ODM_FUMO_CHECK)
                f->over = c == ODM_CAUSE_OK;
        else if (f->step == ODM_FUMO_INSTALL || c != ODM_CAUSE_OK)
                drop_package(f);
        finish(f, c, f->step == ODM_FUMO_DOWNLOAD && c == ODM_CAUSE_OK, f->note);
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
static void on_slot_checked(void *ctx, int code)
{
        firmware *f = ctx;

        if (code == 0) {
                confirm(f);
                return;
        }
        log_warn("the new image does not pass its check", log_int("start", f->slots.starts),
                 log_text("reason", f->note));
        f->opt.restart(f->opt.ctx, "the new image did not pass its check");
}

static void on_maker_checked(void *ctx, int code)
{
        firmware *f = ctx;

        if (code != 3)
                drop_package(f);
        finish(f,
               code == 0   ? ODM_CAUSE_OK
               : code == 3 ? ODM_CAUSE_INTERRUPTED
                           : ODM_CAUSE_FAILED,
               false, f->note);
}

static void fell_back(firmware *f)
{
        f->over = true;
        finish(f, ODM_CAUSE_FAILED, false, f->slots.reason);
}

static void begin_check(firmware *f)
{
        const char *const maker[] = {f->opt.command, "check", NULL};
        char image[300];
        const char *const check[] = {f->opt.command, image, NULL};

        f->note[0] = 0;
        if (f->opt.installer == FIRMWARE_EXEC) {
                run_command(f, maker, on_maker_checked);
                return;
        }
        switch (f->slots.state) {
        case SLOTS_FELL_BACK: fell_back(f); break;
        case SLOTS_TRIAL:
                slots_path(&f->slots, true, image);
                if (f->opt.command)
                        run_command(f, check, on_slot_checked);
                else
                        confirm(f);
                break;
        case SLOTS_EMPTY:
        case SLOTS_GOOD: start_thread(f); break;
        }
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
        f->note[0] = 0;
        log_info("step begins", log_int("task", t->id), log_text("step", t->kind->steps[t->step]),
                 log_str("url", f->url));
        if (f->step != ODM_FUMO_CHECK)
                hear(f); /* the trial before is over, even if the power went as it was told */
        switch (f->step) {
        case ODM_FUMO_DOWNLOAD: begin_download(f); break;
        case ODM_FUMO_INSTALL: start_thread(f); break;
        case ODM_FUMO_CHECK: begin_check(f); break;
        }
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
        *done = f->have;
        *total = f->total;
}

const char *firmware_version(const firmware *f)
{
        return f->opt.installer == FIRMWARE_SLOTS ? f->slots.version : "";
}

void firmware_drop(firmware *f)
{
        if (!f->busy)
                drop_package(f);
}
