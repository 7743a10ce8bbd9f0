/* SPDX-License-Identifier: Apache-2.0 */
/* Contents on disk: uploads that go on, over restarts, against each other, on a disk that fills. */
#include "blob.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"

#define SIZE 100000
#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

typedef struct fix {
        char dir[64], hash[65];
        blobs *b;
        char *text;
        const char *wanted; /* a hash */
        int64_t wanted_part;
} fix;

static void hash_of_text(fix *f)
{
        FILE *p;
        char path[80], line[160];

        snprintf(path, sizeof path, "%s/text", f->dir);
        assert_int_equal(fsio_write(NULL, path, (odm_str){f->text, SIZE}, 0600, NULL), 0);
        snprintf(line, sizeof line, "sha256sum '%s'", path);
        p = popen(line, "r");
        assert_non_null(p);
        assert_non_null(fgets(f->hash, sizeof f->hash, p));
        pclose(p);
        unlink(path);
}

static void open_blobs(fix *f)
{
        assert_int_equal(blobs_new(f->dir, &f->b, NULL), 0);
}

static int set_up(void **state)
{
        fix *f = calloc(1, sizeof *f);

        assert_non_null(f);
        f->text = malloc(SIZE);
        assert_non_null(f->text);
        for (size_t i = 0; i < SIZE; i++)
                f->text[i] = (char)('a' + i % 25);
        snprintf(f->dir, sizeof f->dir, "/tmp/blob_test.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        hash_of_text(f);
        open_blobs(f);
        *state = f;
        return 0;
}

static unsigned files(const fix *f, bool gone)
{
        DIR *d = opendir(f->dir);
        const struct dirent *e;
        char path[400];
        unsigned n = 0;

        assert_non_null(d);
        while ((e = readdir(d))) {
                if (e->d_name[0] == '.')
                        continue;
                n++;
                snprintf(path, sizeof path, "%s/%s", f->dir, e->d_name);
                if (gone)
                        unlink(path);
        }
        closedir(d);
        return n;
}

static int tear_down(void **state)
{
        fix *f = *state;

        blobs_free(f->b);
        (void)files(f, true);
        rmdir(f->dir);
        free(f->text);
        free(f);
        return 0;
}

static odm_str hash(const fix *f)
{
        return odm_cstr(f->hash);
}

static odm_str piece(const fix *f, size_t from, size_t to)
{
        return (odm_str){f->text + from, to - from};
}

/* From one octet to another, as a put of its own. */
static void put(fix *f, int64_t id, size_t from, size_t to)
{
        uint64_t have = 0;
        blob_put *p;

        assert_int_equal(blobs_put(f->b, id, SIZE, from, &p, &have, NULL), 0);
        while (from < to) {
                size_t n = to - from < 7000 ? to - from : 7000;
                assert_int_equal(blob_put_write(p, piece(f, from, from + n)), 0);
                from += n;
        }
        blob_put_end(p);
}

static void check_content(fix *f)
{
        uint64_t size = 0;
        char *back = malloc(SIZE);
        int fd = blobs_open(f->b, hash(f), &size);

        assert_non_null(back);
        assert_true(fd >= 0);
        assert_int_equal(size, SIZE);
        assert_int_equal(read(fd, back, SIZE), SIZE);
        assert_memory_equal(back, f->text, SIZE);
        close(fd);
        free(back);
        assert_int_equal(blobs_have(f->b, 99, hash(f), SIZE), SIZE);
}

static void comes_in_pieces(void **state)
{
        fix *f = *state;

        put(f, 7, 0, 30000);
        assert_int_equal(blobs_have(f->b, 7, hash(f), SIZE), 30000);
        assert_int_equal(blobs_sync(f->b, 7, NULL), 0);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), ODM_ESTATE);
        put(f, 7, 30000, SIZE);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        check_content(f);
        assert_int_equal(files(f, false), 1);
}

/* The hash of what was there before is made up for. */
static void goes_on_after_a_restart(void **state)
{
        fix *f = *state;

        put(f, 7, 0, 30000);
        blobs_free(f->b);
        open_blobs(f);
        assert_int_equal(blobs_have(f->b, 7, hash(f), SIZE), 30000);
        put(f, 7, 30000, 60000);
        put(f, 7, 60000, SIZE);
        blobs_free(f->b);
        open_blobs(f);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        check_content(f);
}

static void goes_on_only_where_it_ended(void **state)
{
        fix *f = *state;
        uint64_t have = 0;
        blob_put *p = NULL;

        put(f, 7, 0, 30000);
        assert_int_equal(blobs_put(f->b, 7, SIZE, 29999, &p, &have, NULL), ODM_ESTATE);
        assert_int_equal(have, 30000);
        assert_int_equal(blobs_put(f->b, 7, SIZE, 30001, &p, &have, NULL), ODM_ESTATE);
        assert_int_equal(blobs_put(f->b, 8, SIZE, 1, &p, &have, NULL), ODM_ESTATE);
        assert_int_equal(have, 0);
        put(f, 7, 0, SIZE); /* from the beginning is allowed */
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        check_content(f);
}

static void the_last_one_is_alive(void **state)
{
        fix *f = *state;
        uint64_t have = 0;
        blob_put *old, *new;

        assert_int_equal(blobs_put(f->b, 7, SIZE, 0, &old, &have, NULL), 0);
        assert_int_equal(blob_put_write(old, piece(f, 0, 10)), 0);
        assert_int_equal(blobs_put(f->b, 7, SIZE, 10, &new, &have, NULL), 0);
        assert_int_equal(blob_put_write(old, piece(f, 10, 20)), ODM_ESTATE);
        assert_int_equal(blob_put_write(new, piece(f, 10, SIZE)), 0);
        assert_int_equal(blob_put_write(new, piece(f, 0, 1)), ODM_ELIMIT);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        assert_int_equal(blob_put_write(new, piece(f, 0, 1)), ODM_ESTATE);
        blob_put_end(old);
        blob_put_end(new);
        check_content(f);
}

static void what_is_not_meant_is_dropped(void **state)
{
        fix *f = *state;
        diag d = {{0}};

        put(f, 7, 0, SIZE);
        assert_int_equal(blobs_finish(f->b, 7, ODM_STR(NO_HASH), SIZE, &d), ODM_EMALFORMED);
        assert_non_null(strstr(d.text, f->hash));
        assert_int_equal(blobs_have(f->b, 7, ODM_STR(NO_HASH), SIZE), 0);
        put(f, 7, 0, SIZE);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
}

static void the_same_is_kept_once(void **state)
{
        fix *f = *state;

        put(f, 7, 0, SIZE);
        put(f, 8, 0, 10);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        assert_int_equal(blobs_have(f->b, 8, hash(f), SIZE), SIZE);
        assert_int_equal(blobs_finish(f->b, 8, hash(f), SIZE, NULL), 0);
        assert_int_equal(files(f, false), 1);
}

static bool is_wanted(void *ctx, odm_str sha256, int64_t id)
{
        const fix *f = ctx;

        return sha256.p ? f->wanted && odm_str_is(sha256, f->wanted) : id == f->wanted_part;
}

static void touch(const fix *f, const char *name)
{
        char path[200];

        snprintf(path, sizeof path, "%s/%s", f->dir, name);
        assert_int_equal(fsio_write(NULL, path, ODM_STR("x"), 0600, NULL), 0);
}

static void leftovers_are_swept(void **state)
{
        fix *f = *state;

        put(f, 7, 0, SIZE);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        put(f, 8, 0, 10);
        put(f, 9, 0, 10);
        touch(f, NO_HASH);
        touch(f, "lost+found");
        touch(f, "x.part");
        f->wanted = f->hash;
        f->wanted_part = 8;
        assert_int_equal(blobs_sweep(f->b, is_wanted, f), 2);
        assert_int_equal(files(f, false), 4); /* what is not ours stays */
        assert_int_equal(blobs_have(f->b, 8, ODM_STR(NO_HASH), SIZE), 10);
        assert_int_equal(blobs_have(f->b, 9, ODM_STR(NO_HASH), SIZE), 0);
        f->wanted = NULL;
        assert_true(blobs_pin(f->b, hash(f), SIZE));
        blobs_remove(f->b, hash(f), is_wanted, f);
        check_content(f);
        blobs_unpin(f->b, hash(f));
        blobs_remove(f->b, hash(f), is_wanted, f);
        assert_int_equal(blobs_have(f->b, 7, hash(f), SIZE), 0);
        assert_false(blobs_pin(f->b, hash(f), SIZE));
}

/* While the rows are looked through, the same content comes again: it stays. */
static bool comes_again(void *ctx, odm_str sha256, int64_t id)
{
        fix *f = ctx;

        (void)sha256;
        (void)id;
        assert_false(blobs_pin(f->b, hash(f), SIZE));
        put(f, 12, 0, SIZE);
        assert_int_equal(blobs_finish(f->b, 12, hash(f), SIZE, NULL), 0);
        return false;
}

static void a_removal_does_not_take_what_comes_meanwhile(void **state)
{
        fix *f = *state;

        put(f, 7, 0, SIZE);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        blobs_remove(f->b, hash(f), comes_again, f);
        check_content(f);
}

static void a_package_goes_in_the_middle(void **state)
{
        fix *f = *state;
        uint64_t have = 0;
        blob_put *p;

        assert_int_equal(blobs_put(f->b, 7, SIZE, 0, &p, &have, NULL), 0);
        assert_int_equal(blob_put_write(p, piece(f, 0, 10)), 0);
        blobs_drop(f->b, 7);
        assert_int_equal(blob_put_write(p, piece(f, 10, 20)), ODM_ESTATE);
        blob_put_end(p);
        assert_int_equal(files(f, false), 0);
        assert_int_equal(blobs_have(f->b, 7, hash(f), SIZE), 0);
}

/* What was written before the disk was full is good, and goes on once there is room. */
static void a_disk_fills_up(void **state)
{
        fix *f = *state;
        const struct rlimit small = {50000, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
        uint64_t have = 0;
        blob_put *p;
        int rc;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(blobs_put(f->b, 7, SIZE, 0, &p, &have, NULL), 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        rc = blob_put_write(p, piece(f, 0, SIZE));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
        assert_int_equal(rc, ODM_ELIMIT);
        assert_non_null(strstr(blob_put_why(p), "File too large"));
        blob_put_end(p);
        assert_int_equal(blobs_have(f->b, 7, hash(f), SIZE), 50000);
        put(f, 7, 50000, SIZE);
        assert_int_equal(blobs_finish(f->b, 7, hash(f), SIZE, NULL), 0);
        check_content(f);
}

typedef struct racer {
        fix *f;
        pthread_t t;
        int64_t id;
        int wrote, done; /* the first that is neither 0 nor ODM_ESTATE */
        diag why;
} racer;

static bool is_bad(int rc)
{
        return rc != 0 && rc != ODM_ESTATE;
}

static void *race(void *arg)
{
        racer *r = arg;

        for (int i = 0; i < 20; i++) {
                uint64_t have = 0;
                blob_put *p;
                if (blobs_put(r->f->b, r->id, SIZE, 0, &p, &have, NULL) == 0) {
                        int rc = blob_put_write(p, piece(r->f, 0, SIZE));
                        if (is_bad(rc) && !r->wrote) {
                                r->wrote = rc;
                                (void)diag_set(&r->why, rc, "%s", blob_put_why(p));
                        }
                        blob_put_end(p);
                }
                (void)blobs_have(r->f->b, r->id, hash(r->f), SIZE);
                diag d = {{0}};
                int done = blobs_finish(r->f->b, r->id, hash(r->f), SIZE, &d);
                if (is_bad(done) && !r->done) {
                        r->done = done;
                        r->why = d;
                }
        }
        return NULL;
}

/* Many bring the same, two of them for the same package, while one removes. */
static void many_at_once(void **state)
{
        fix *f = *state;
        racer r[4];

        for (int i = 0; i < 4; i++) {
                r[i] = (racer){.f = f, .id = 1 + i / 2};
                assert_int_equal(pthread_create(&r[i].t, NULL, race, &r[i]), 0);
        }
        for (int i = 0; i < 50; i++)
                blobs_remove(f->b, hash(f), is_wanted, f);
        for (int i = 0; i < 4; i++)
                pthread_join(r[i].t, NULL);
        for (int i = 0; i < 4; i++)
                if (r[i].wrote || r[i].done)
                        fail_msg("%d %d: %s", r[i].wrote, r[i].done, r[i].why.text);
        put(f, 9, 0, SIZE);
        assert_int_equal(blobs_finish(f->b, 9, hash(f), SIZE, NULL), 0);
        check_content(f);
        f->wanted = f->hash;
        (void)blobs_sweep(f->b, is_wanted, f);
        assert_int_equal(files(f, false), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(comes_in_pieces),
                T(goes_on_after_a_restart),
                T(goes_on_only_where_it_ended),
                T(the_last_one_is_alive),
                T(what_is_not_meant_is_dropped),
                T(the_same_is_kept_once),
                T(leftovers_are_swept),
                T(a_removal_does_not_take_what_comes_meanwhile),
                T(a_package_goes_in_the_middle),
                T(a_disk_fills_up),
                T(many_at_once),
        };

        return RUN_TESTS(tests);
}
