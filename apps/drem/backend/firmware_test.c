/* SPDX-License-Identifier: Apache-2.0 */
/* Steps done by a program of the device's maker, and by slots: every way each can end.  The
 * downloader is a stand-in that copies; the real one has its own test. */
#include "firmware.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "proof.h"
#include "support.h"
#include "workshop.h"

static loop *l;
static int64_t patience;
static struct {
        bool done, restart;
        int64_t saved;
        odm_task_cause cause;
        bool has_data;
        char note[256];
} got;

/* FILE of "dremd-patch --max-size N -- BASE PATCH FILE": some patches stand for an image. */
static const char patch_script[] =
        "#!/bin/sh\n"
        "grep -q spoilt \"$5\" && echo 'end CORRUPT no fit' && exit 1\n"
        "grep -q 4 \"$5\" && cp \"$(dirname \"$0\")/image\" \"$6\" || cp \"$5\" \"$6\"\n"
        "echo 'end OK '\n";
static const char maker_script[] =
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n"
        "[ \"$1\" = install ] && { cp \"$2\" installed; echo \"$3\" >version; }\n"
        "echo 'reading the script'; [ -f says ] && cat says; exit \"$(cat \"$1.code\")\"\n";

static int set_up(void **state)
{
        (void)state;
        workshop_open();
        workshop_put("maker", maker_script, 0755);
        workshop_put("patch", patch_script, 0755);
        workshop_put("image", "the image", 0644);
        workshop_put("other", "another image", 0644);
        workshop_sign("image");
        return 0;
}

static int on_done(void *ctx, uint32_t id, const odm_task_end *e)
{
        (void)ctx;
        assert_int_equal(id, 7);
        got.done = true;
        got.cause = e->cause;
        got.has_data = e->has_data;
        got.saved = e->saved;
        snprintf(got.note, sizeof got.note, "%.*s", (int)e->note.n, e->note.p ? e->note.p : "");
        loop_stop(l);
        return 0;
}

static void on_restart(void *ctx, const char *why)
{
        (void)ctx;
        (void)why;
        got.restart = true;
        loop_stop(l);
}

static struct {
        unsigned calls;
        firmware_health health;
        char text[256];
} found;

static void on_found(void *ctx, firmware_health health, const char *text)
{
        (void)ctx;
        found.calls++;
        found.health = health;
        snprintf(found.text, sizeof found.text, "%s", text);
}

static firmware *open_firmware(firmware_installer installer)
{
        static char folder[WORKSHOP_PATH], fetch[WORKSHOP_PATH], keys[WORKSHOP_PATH],
                both[WORKSHOP_PATH], maker[WORKSHOP_PATH], patch[WORKSHOP_PATH],
                adapter[WORKSHOP_PATH];
        firmware_opt o = {
                .loop = l,
                .folder = folder,
                .terms = {.fetch = fetch, .max_size = 1 << 20, .tries = 1, .patience_ms = patience},
                .patch = patch,
                .keys = keys,
                .installer = installer,
                .slots = both,
                .command = maker,
                .adapter = adapter,
                .arguments = "-x 1",
                .done = on_done,
                .restart = on_restart,
                .found = on_found};
        firmware *f = NULL;

        workshop_path("kept", folder);
        workshop_path("fetch", fetch);
        workshop_path("keys", keys);
        workshop_path("slots", both);
        workshop_path("maker", maker);
        workshop_path("patch", patch);
        workshop_path("adapter", adapter);
        assert_int_equal(firmware_open(&o, &f, NULL), 0);
        return f;
}

static void step(firmware *f, odm_fumo_step s, const char *args, const char *pushed)
{
        const odm_task t = {.id = 7, .kind = &odm_fumo_kind, .step = s, .args = odm_cstr(args)};

        memset(&got, 0, sizeof got);
        assert_int_equal(firmware_begin(f, &t, ODM_STR("2.0"), odm_cstr(pushed)), 0);
        assert_int_equal(firmware_begin(f, &t, ODM_STR("2.0"), ODM_ABSENT), ODM_ESTATE);
        assert_false(got.done || got.restart); /* never from within */
        assert_int_equal(loop_run(l), 0);
}

static void expect(const char *why, odm_task_cause cause, const char *note)
{
        if (!got.done || got.cause != cause || strcmp(got.note, note) != 0)
                fail_msg("%s: done %d, %s, '%s'", why, got.done, odm_task_cause_text(got.cause),
                         got.note);
}

static const char *url(const char *name)
{
        static char text[128];

        snprintf(text, sizeof text, "url=%s/%s\n", workshop, name);
        return text;
}

static void packages_are_fetched_and_proved(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        firmware *f = open_firmware(FIRMWARE_EXEC);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        expect("signed", ODM_CAUSE_OK, "");
        assert_true(got.has_data && workshop_has("kept/package"));
        step(f, ODM_FUMO_DOWNLOAD, url("other"), NULL);
        expect("unsigned", ODM_CAUSE_UNSIGNED, "the package has no signature");
        assert_false(workshop_has("kept/package"));
        step(f, ODM_FUMO_DOWNLOAD, url("nowhere"), NULL);
        expect("not there", ODM_CAUSE_BAD_URL, "the server has no such file");
        workshop_put("fetch", "#!/bin/sh\nexit 9\n", 0755);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        expect("a downloader that dies", ODM_CAUSE_FAILED, "the downloader died");
        firmware_close(f);
        workshop_put("fetch", "#!/bin/sh\nexec sleep 60\n", 0755);
        patience = 100;
        f = open_firmware(FIRMWARE_EXEC);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        expect("one that drips", ODM_CAUSE_TIMEOUT, "the download took too long");
        firmware_close(f);
        patience = 0;
        loop_free(l);
}

static void makers_programs_say_how_it_went(void **state)
{
        static const struct {
                const char *why, *code, *says;
                bool restart;
                odm_task_cause cause;
                const char *note;
        } rows[] = {
                {"done", "0", NULL, false, ODM_CAUSE_OK, "reading the script"},
                {"a restart", "10", NULL, true, ODM_CAUSE_OK, ""},
                {"no room", "20", "4 MB are missing\n", false, ODM_CAUSE_NO_ROOM,
                 "4 MB are missing"},
                {"failed", "1", "bad block 7\n\n", false, ODM_CAUSE_FAILED, "bad block 7"},
        };

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                firmware *f = open_firmware(FIRMWARE_EXEC);
                step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
                workshop_put("install.code", rows[i].code, 0644);
                if (rows[i].says)
                        workshop_put("says", rows[i].says, 0644);
                step(f, ODM_FUMO_INSTALL, "", NULL);
                assert_true(workshop_has("installed"));
                if (rows[i].restart)
                        assert_true(got.restart && !got.done && workshop_has("kept/package"));
                else
                        expect(rows[i].why, rows[i].cause, rows[i].note);
                firmware_close(f);
        }
        loop_free(l);
}

static void makers_programs_are_asked_after_the_restart(void **state)
{
        static const struct {
                const char *code;
                odm_task_cause cause;
        } rows[] = {{"0", ODM_CAUSE_OK}, {"3", ODM_CAUSE_INTERRUPTED}, {"1", ODM_CAUSE_FAILED}};

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                firmware *f = open_firmware(FIRMWARE_EXEC);
                workshop_put("check.code", rows[i].code, 0644);
                step(f, ODM_FUMO_CHECK, "", NULL);
                expect(rows[i].code, rows[i].cause, "reading the script");
                firmware_close(f);
        }
        loop_free(l);
}

static void what_was_pushed_is_proved_before_it_is_installed(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        firmware *f = open_firmware(FIRMWARE_EXEC);
        workshop_put("install.code", "0", 0644);
        step(f, ODM_FUMO_INSTALL, "pushed=1\nsignature=AAAA\n", "the image");
        expect("a wrong signature", ODM_CAUSE_UNSIGNED, got.note);
        assert_false(workshop_has("installed"));
        step(f, ODM_FUMO_INSTALL, "pushed=1\n", "the image");
        expect("none", ODM_CAUSE_UNSIGNED, "the package has no signature");
        assert_false(workshop_has("installed"));
        firmware_close(f);
        loop_free(l);
}

/* A package is looked at once more when it is installed. */
static void what_changed_on_the_disk_is_not_installed(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        firmware *f = open_firmware(FIRMWARE_EXEC);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        workshop_put("kept/package", "the imagf", 0600);
        workshop_put("install.code", "0", 0644);
        step(f, ODM_FUMO_INSTALL, "", NULL);
        assert_int_equal(got.cause, ODM_CAUSE_UNSIGNED);
        assert_false(workshop_has("installed"));
        firmware_close(f);
        loop_free(l);
}

static void slots_are_tried(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        firmware *f = open_firmware(FIRMWARE_SLOTS);
        workshop_put("maker", "#!/bin/sh\n[ -f \"$1\" ] && exec cat \"$1\"\nexit 1\n", 0755);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        step(f, ODM_FUMO_INSTALL, "", NULL);
        assert_true(got.restart && workshop_has("slots/b"));
        firmware_close(f);
        f = open_firmware(FIRMWARE_SLOTS);
        assert_string_equal(firmware_version(f), "2.0");
        step(f, ODM_FUMO_CHECK, "", NULL);
        expect("the check passes", ODM_CAUSE_OK, "the image");
        firmware_close(f);
        f = open_firmware(FIRMWARE_SLOTS); /* asked again, as after a cut: what is in use is not
                                              what is here */
        step(f, ODM_FUMO_CHECK, "", NULL);
        expect("no package to compare", ODM_CAUSE_INTERRUPTED, "");
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        step(f, ODM_FUMO_CHECK, "", NULL);
        expect("it is in use already", ODM_CAUSE_OK, "");
        firmware_close(f);
        loop_free(l);
}

/* Two images were installed, and the second one runs. */
static void run_images(const char *first, const char *second)
{
        const char *const names[] = {first, second};
        char from[WORKSHOP_PATH], both[WORKSHOP_PATH], hash[65];
        slots s;

        workshop_path("slots", both);
        assert_int_equal(slots_open(&s, NULL, both, NULL), 0);
        for (size_t i = 0; i < ODM_COUNT(names); i++) {
                workshop_path(names[i], from);
                assert_int_equal(proof_hash(from, hash, NULL), 0);
                assert_int_equal(slots_install(&s, from, names[i], hash, NULL), 0);
                assert_int_equal(slots_confirm(&s, NULL), 0);
        }
}

static void a_delta_is_tried_first(void **state)
{
        static const struct {
                const char *why, *base, *delta, *url;
                odm_task_cause cause;
                int64_t saved;
        } rows[] = {
                {"it fits", "other", "small", "image", ODM_CAUSE_OK, 5},
                {"the base in capitals", "OTHER", "small", "image", ODM_CAUSE_OK, 5},
                {"against another image", "image", "small", "image", ODM_CAUSE_OK, 0},
                {"not there", "other", "nowhere", "image", ODM_CAUSE_OK, 0},
                {"it makes no image", "other", "spoilt", "image", ODM_CAUSE_OK, 0},
                {"it makes another image", "other", "other", "image", ODM_CAUSE_OK, 0},
                {"nor is the whole there", "other", "spoilt", "nowhere", ODM_CAUSE_BAD_URL, 0},
        };
        char args[700], hash[65], from[WORKSHOP_PATH];

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        workshop_put("spoilt", "spoilt", 0644);
        workshop_put("small", "4 -5", 0644);
        run_images("image", "other");
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                firmware *f = open_firmware(FIRMWARE_SLOTS);
                bool upper = strcmp(rows[i].base, "OTHER") == 0;
                workshop_path(upper ? "other" : rows[i].base, from);
                assert_int_equal(proof_hash(from, hash, NULL), 0);
                for (char *p = hash; upper && *p; p++)
                        *p = (char)(*p >= 'a' ? *p - 32 : *p);
                snprintf(args, sizeof args, "url=%s/%s\ndelta_url=%s/%s\ndelta_base=%s\n", workshop,
                         rows[i].url, workshop, rows[i].delta, hash);
                step(f, ODM_FUMO_DOWNLOAD, args, NULL);
                if (got.cause != rows[i].cause || got.saved != rows[i].saved)
                        fail_msg("%s: %s, %d saved, '%s'", rows[i].why,
                                 odm_task_cause_text(got.cause), (int)got.saved, got.note);
                if (got.cause == ODM_CAUSE_OK && !workshop_has("kept/package"))
                        fail_msg("%s: no package", rows[i].why);
                if (workshop_has("kept/package.delta"))
                        fail_msg("%s: the delta is left", rows[i].why);
                firmware_close(f);
        }
        loop_free(l);
}

/* ---- the look at the start -------------------------------------------------------------- */

static void expect_found(const char *why, firmware_health health, const char *text, bool restart)
{
        if (found.calls == 0 || found.health != health || strcmp(found.text, text) != 0 ||
            got.restart != restart)
                fail_msg("%s: %u calls, %d, '%s', restart %d", why, found.calls, (int)found.health,
                         found.text, got.restart);
}

static void stop_it(void *ctx)
{
        (void)ctx;
        loop_stop(l);
}

/* Starts the device; the loop runs until a restart is wanted, or nothing happens any more. */
static void start_device(void)
{
        loop_timer end = {.fn = stop_it};

        memset(&got, 0, sizeof got);
        memset(&found, 0, sizeof found);
        firmware *f = open_firmware(FIRMWARE_SLOTS);
        assert_int_equal(found.calls, 0); /* never from within */
        assert_int_equal(loop_timer_set(l, &end, odm_time_add(loop_now(), 1000)), 0);
        while (!got.restart && !found.calls)
                assert_int_equal(loop_once(l, 1000), 0);
        loop_timer_stop(&end);
        firmware_close(f);
}

static void read_slots(slots *s)
{
        char both[WORKSHOP_PATH];

        workshop_path("slots", both);
        assert_int_equal(slots_open(s, NULL, both, NULL), 0);
}

static void damaged_images_are_left(void **state)
{
        slots s;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        run_images("image", "other"); /* "image" in b, then "other" in a, which runs */
        start_device();
        expect_found("all is well", FIRMWARE_SOUND, "", false);
        workshop_put("slots/a", "another imagE", 0644);
        start_device();
        expect_found("the one in use", FIRMWARE_SWITCHED, "the image other in slot a is damaged",
                     true);
        read_slots(&s);
        assert_true(s.in_use == 'b' && s.state == SLOTS_FELL_BACK && s.switches == 1);
        start_device(); /* nobody ordered it: it is known by now, and told */
        assert_true(found.calls == 2 && found.health == FIRMWARE_FELL_BACK);
        read_slots(&s);
        assert_true(s.in_use == 'b' && s.state == SLOTS_GOOD && s.switches == 0);
        start_device();
        expect_found("the spare one", FIRMWARE_SPARE_DAMAGED,
                     "the spare image other in slot a is damaged", false);
        workshop_put("slots/b", "the imagE", 0644);
        start_device();
        expect_found("both", FIRMWARE_DAMAGED, "the image image in slot b is damaged", false);
        read_slots(&s);
        assert_int_equal(s.in_use, 'b');
        loop_free(l);
}

/* A disk that never reads the same twice: it goes to and fro three times, and then stays. */
/* The power went between the image and its marker: what is in the place is not what was there, and
 * is about to be written once more. */
static void a_place_that_is_being_filled_is_no_damage(void **state)
{
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        run_images("image", "other");
        workshop_put("slots/b", "a new image", 0644);
        memset(&found, 0, sizeof found);
        firmware *f = open_firmware(FIRMWARE_SLOTS);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        expect("the task goes on", ODM_CAUSE_OK, "");
        assert_int_equal(found.calls, 0);
        firmware_close(f);
        start_device();
        expect_found("no task is under way any more", FIRMWARE_SPARE_DAMAGED,
                     "the spare image image in slot b is damaged", false);
        loop_free(l);
}

static void it_does_not_start_again_for_ever(void **state)
{
        unsigned restarts = 0;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        run_images("image", "other");
        for (int i = 0; i < 8; i++) {
                slots s;
                read_slots(&s);
                workshop_put(s.in_use == 'a' ? "slots/a" : "slots/b", "spoilt", 0644);
                workshop_put(s.in_use == 'a' ? "slots/b" : "slots/a",
                             s.in_use == 'a' ? "the image" : "another image", 0644);
                start_device();
                restarts += got.restart;
        }
        assert_int_equal(restarts, SLOTS_STARTS);
        assert_int_equal(found.health, FIRMWARE_DAMAGED);
        loop_free(l);
}

static void a_trial_whose_task_is_lost_is_decided_by_its_check(void **state)
{
        char both[WORKSHOP_PATH], from[WORKSHOP_PATH];
        slots s;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        workshop_path("slots", both);
        workshop_path("image", from);
        run_images("other", "other");
        read_slots(&s);
        assert_int_equal(slots_install(&s, from, "2.0", "", NULL), 0);
        workshop_put("maker", "#!/bin/sh\ngrep -q 'the image' \"$1\"\n", 0755);
        firmware *f = open_firmware(FIRMWARE_SLOTS);
        do {
                assert_int_equal(loop_once(l, 1000), 0);
                read_slots(&s);
        } while (s.state == SLOTS_TRIAL);
        firmware_close(f);
        assert_true(s.state == SLOTS_GOOD && strcmp(s.version, "2.0") == 0);
        /* and one that does not pass is left after its starts, and that is told */
        workshop_path("other", from);
        assert_int_equal(slots_install(&s, from, "3.0", "", NULL), 0);
        for (int i = 0; i < SLOTS_STARTS; i++) {
                memset(&got, 0, sizeof got);
                f = open_firmware(FIRMWARE_SLOTS);
                while (!got.restart)
                        assert_int_equal(loop_once(l, 1000), 0);
                firmware_close(f);
        }
        memset(&found, 0, sizeof found);
        f = open_firmware(FIRMWARE_SLOTS);
        while (found.calls < 2)
                assert_int_equal(loop_once(l, 1000), 0);
        firmware_close(f);
        assert_int_equal(found.health, FIRMWARE_FELL_BACK);
        assert_string_equal(found.text, "3.0 was started 3 times and never confirmed");
        read_slots(&s);
        assert_true(s.state == SLOTS_GOOD && strcmp(s.version, "2.0") == 0);
        loop_free(l);
}

/* ---- pushed packages, full disks, ends in the middle ------------------------------------------- */

static odm_str signature_of(const char *file, char out[128])
{
        char command[400];
        FILE *p;

        snprintf(command, sizeof command, "base64 -w 0 <%s/%s", workshop, file);
        p = popen(command, "r"); /* NOLINT(cert-env33-c) */
        assert_non_null(p);
        out[fread(out, 1, 127, p)] = 0;
        assert_int_equal(pclose(p), 0);
        return odm_cstr(out);
}

static void what_was_pushed_and_signed_is_installed(void **state)
{
        char signature[128], args[300];

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        firmware *f = open_firmware(FIRMWARE_EXEC);
        workshop_put("install.code", "0", 0644);
        snprintf(args, sizeof args, "pushed=1\nsignature=%s\n",
                 signature_of("image.sig", signature).p);
        step(f, ODM_FUMO_INSTALL, args, "the image");
        expect("signed", ODM_CAUSE_OK, "reading the script");
        assert_true(workshop_has("installed"));
        firmware_close(f);
        /* The power went before it was in the file; an older package, the image in use, is there.
         */
        run_images("image", "other");
        f = open_firmware(FIRMWARE_SLOTS);
        workshop_put("kept/package", "another image", 0600);
        step(f, ODM_FUMO_CHECK, args, "the image");
        expect("not the one in use", ODM_CAUSE_INTERRUPTED, "");
        step(f, ODM_FUMO_CHECK, args, "another image");
        expect("the one in use", ODM_CAUSE_OK, "");
        firmware_close(f);
        loop_free(l);
}

static void a_full_disk_is_told(void **state)
{
        struct rlimit before, low;
        char args[300], signature[128], *large = malloc(100001);

        (void)state;
        assert_non_null(large);
        memset(large, 'x', 100000);
        large[100000] = 0;
        assert_int_equal(loop_new(&l), 0);
        snprintf(args, sizeof args, "pushed=1\nsignature=%s\n",
                 signature_of("image.sig", signature).p);
        firmware *f = open_firmware(FIRMWARE_SLOTS);
        (void)signal(SIGXFSZ, SIG_IGN); /* a limit of the process stands for the disk's */
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        low = before;
        low.rlim_cur = 50000;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
        step(f, ODM_FUMO_INSTALL, args, large);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(got.done && got.cause == ODM_CAUSE_NO_ROOM);
        firmware_close(f);
        loop_free(l);
        free(large);
}

static void it_can_be_closed_while_its_thread_works(void **state)
{
        char args[300], signature[128];
        odm_task install = {.id = 7, .kind = &odm_fumo_kind, .step = ODM_FUMO_INSTALL};

        (void)state;
        snprintf(args, sizeof args, "pushed=1\nsignature=%s\n",
                 signature_of("image.sig", signature).p);
        install.args = odm_cstr(args);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(loop_new(&l), 0);
                memset(&got, 0, sizeof got);
                firmware *f = open_firmware(i ? FIRMWARE_SLOTS : FIRMWARE_EXEC);
                assert_int_equal(firmware_begin(f, &install, ODM_ABSENT, ODM_STR("the image")), 0);
                firmware_close(f);
                assert_false(got.done || got.restart);
                loop_free(l);
        }
}

static void adapters_are_told_where_and_what(void **state)
{
        char want[600], path[128];
        odm_buf b;

        (void)state;
        assert_int_equal(loop_new(&l), 0);
        workshop_put("adapter",
                     "#!/bin/sh\n[ \"$7\" = check ] && exit 10\necho \"$@\" >\"$2/said\"\n", 0755);
        firmware *f = open_firmware(FIRMWARE_RAUC);
        step(f, ODM_FUMO_DOWNLOAD, url("image"), NULL);
        step(f, ODM_FUMO_INSTALL, "", NULL);
        expect("installed", ODM_CAUSE_OK, "");
        snprintf(want, sizeof want,
                 "--folder %s/kept --check %s/maker --arguments -x 1 install %s/kept/package 2.0\n",
                 workshop, workshop, workshop);
        workshop_path("kept/said", path);
        odm_buf_init(&b, &heap_mem, 4096);
        assert_int_equal(fsio_read(path, 4096, &b, NULL), 0);
        assert_octets(odm_buf_view(&b), odm_cstr(want));
        odm_buf_done(&b);
        for (unsigned tries = 1; tries <= SLOTS_STARTS;
             tries++) { /* it asks for one more restart */
                const odm_task t = {
                        .id = 7, .kind = &odm_fumo_kind, .step = ODM_FUMO_CHECK, .tries = tries};
                memset(&got, 0, sizeof got);
                assert_int_equal(firmware_begin(f, &t, ODM_STR("2.0"), ODM_ABSENT), 0);
                assert_int_equal(loop_run(l), 0);
                assert_true(got.restart == (tries < SLOTS_STARTS));
                firmware_close(f);
                f = open_firmware(FIRMWARE_RAUC);
        }
        assert_true(got.done && got.cause == ODM_CAUSE_FAILED); /* but not for ever */
        firmware_close(f);
        loop_free(l);
}

typedef struct watch {
        loop_timer timer;
        firmware *f;
        int64_t have, total;
} watch;

static void look(void *ctx)
{
        watch *w = ctx;

        firmware_progress(w->f, &w->have, &w->total);
        if (w->total)
                loop_stop(l);
        else
                assert_int_equal(loop_timer_set(l, &w->timer, odm_time_add(loop_now(), 5)), 0);
}

static void it_tells_how_far_it_is_and_can_be_closed_in_the_middle(void **state)
{
        const odm_task t = {.id = 7,
                            .kind = &odm_fumo_kind,
                            .step = ODM_FUMO_DOWNLOAD,
                            .args = odm_cstr(url("image"))};

        watch w = {.timer = {.fn = look, .ctx = &w}};

        workshop_put("fetch",
                     "#!/bin/sh\n"
                     "printf 'progress 1 2\\nprogress 3\\nprogress -3 4\\n'\n"
                     "echo 'progress 9223372036854775808 9'\n"
                     "exec sleep 60\n",
                     0755);
        (void)state;
        assert_int_equal(loop_new(&l), 0);
        firmware *f = open_firmware(FIRMWARE_EXEC);
        assert_int_equal(firmware_begin(f, &t, ODM_ABSENT, ODM_ABSENT), 0);
        w.f = f;
        look(&w);
        assert_int_equal(loop_run(l), 0);
        assert_true(w.have == 1 && w.total == 2); /* what is no progress changes nothing */
        firmware_close(f);
        loop_free(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, workshop_close)
        const struct CMUnitTest tests[] = {
                T(packages_are_fetched_and_proved),
                T(makers_programs_say_how_it_went),
                T(makers_programs_are_asked_after_the_restart),
                T(what_was_pushed_is_proved_before_it_is_installed),
                T(what_changed_on_the_disk_is_not_installed),
                T(slots_are_tried),
                T(a_delta_is_tried_first),
                T(damaged_images_are_left),
                T(a_place_that_is_being_filled_is_no_damage),
                T(it_does_not_start_again_for_ever),
                T(a_trial_whose_task_is_lost_is_decided_by_its_check),
                T(what_was_pushed_and_signed_is_installed),
                T(a_full_disk_is_told),
                T(it_can_be_closed_while_its_thread_works),
                T(adapters_are_told_where_and_what),
                T(it_tells_how_far_it_is_and_can_be_closed_in_the_middle),
        };

        return RUN_TESTS(tests);
}
