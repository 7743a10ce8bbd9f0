/* SPDX-License-Identifier: Apache-2.0 */
/* Samples that wait: what is told to whom, what is over, what a restart keeps, what goes for want
 * of room, journals that are damaged. */
#include "part/samples.h"

#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char dir[64], path[80];
static samples *s;
static char told[4096];
static uint64_t ids[64];
static size_t n_ids;

static int set_up(void **state)
{
        (void)state;
        snprintf(dir, sizeof dir, "/tmp/samples_test.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        snprintf(path, sizeof path, "%s/samples", dir);
        return samples_open(path, 4096, &s, NULL);
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        samples_close(s);
        s = NULL;
        snprintf(command, sizeof command, "rm -r %s", dir);
        return system(command);
}

static void again(size_t max)
{
        samples_close(s);
        assert_int_equal(samples_open(path, max, &s, NULL), 0);
}

static void add(uint32_t task, const char *server, const char *correlator, int64_t at,
                const char *value)
{
        const sample_head h = {.task = task,
                               .server = odm_cstr(server),
                               .correlator = odm_cstr(correlator),
                               .data = ODM_STR("./DiagMon/Memory/DiagMonData"),
                               .at = {1290000000 + at}};

        assert_int_equal(samples_begin(s, &h), 0);
        assert_int_equal(samples_leaf(s, ODM_STR("RAMAvail"), ODM_FMT_INT, odm_cstr(value)), 0);
        assert_int_equal(samples_leaf(s, ODM_STR("Note"), ODM_FMT_CHR, ODM_STR("")), 0);
        assert_int_equal(samples_end(s, NULL), 0);
}

static int hear(void *ctx, const odm_alert *a)
{
        size_t n = strlen(told);

        (void)ctx;
        assert_int_equal(a->code, 1226);
        assert_str(a->type, "urn:oma:at:diagmon:1.0:CollectedSimpleDataReport");
        snprintf(told + n, sizeof told - n, "%.*s %s %.*s '%.*s' %.*s\n", (int)a->source.n,
                 a->source.p, odm_format_name(a->format), (int)a->source_name.n, a->source_name.p,
                 (int)a->data.n, a->data.p, a->correlator.p ? (int)a->correlator.n : 1,
                 a->correlator.p ? a->correlator.p : "-");
        ids[n_ids++] = a->id;
        assert_true(a->id < 1ull << 48);
        return 0;
}

static const char *tell(const char *server)
{
        told[0] = 0;
        n_ids = 0;
        assert_int_equal(samples_each(s, odm_cstr(server), hear, NULL), 0);
        return told;
}

#define AT "./DiagMon/Memory/DiagMonData/"

static void leaves_are_told_when_due(void **state)
{
        (void)state;
        add(5, "srv", "c1", 0, "100");
        assert_string_equal(tell("srv"), "");
        assert_null(samples_waits(s).p);
        samples_due(s, 4);
        assert_string_equal(tell("srv"), "");
        samples_due(s, 5);
        assert_string_equal(tell("other"), "");
        assert_string_equal(tell("srv"), AT "RAMAvail int 20101117T132000Z '100' c1\n" AT
                                            "Note chr 20101117T132000Z '' c1\n");
        assert_str(samples_waits(s), "srv");
}

static void what_is_over_is_not_told_again(void **state)
{
        (void)state;
        add(5, "srv", NULL, 0, "100");
        add(5, "srv", NULL, 1, "200");
        samples_due(s, 5);
        tell("srv");
        assert_int_equal(n_ids, 4);
        samples_over(s, ids[0]);
        samples_over(s, ids[0]);
        samples_over(s, 999 << 16);
        samples_over(s, ids[0] + 60000);
        assert_int_equal(samples_held(s), 2);
        uint64_t rest = ids[1];
        assert_string_equal(tell("srv"), AT "Note chr 20101117T132000Z '' -\n" AT
                                            "RAMAvail int 20101117T132001Z '200' -\n" AT
                                            "Note chr 20101117T132001Z '' -\n");
        samples_over(s, rest);
        assert_int_equal(samples_held(s), 1);
        again(4096);
        assert_int_equal(samples_held(s), 1);
        assert_non_null(strstr(tell("srv"), "'200'"));
        assert_null(strstr(told, "'100'"));
}

/* A report that was not due when the agent ended is due afterwards. */
static void a_restart_keeps_them(void **state)
{
        (void)state;
        add(5, "srv", "c1", 0, "100");
        add(6, "two", "c2", 0, "300");
        again(4096);
        assert_non_null(strstr(tell("srv"), "'100' c1"));
        assert_non_null(strstr(tell("two"), "'300' c2"));
        add(5, "srv", "c1", 9, "400"); /* numbers go on */
        samples_due(s, 5);
        tell("srv");
        assert_int_equal(n_ids, 4);
        assert_true(ids[2] >> 16 > ids[1] >> 16);
}

static void what_is_not_due_can_be_forgotten(void **state)
{
        (void)state;
        add(5, "srv", NULL, 0, "100");
        samples_due(s, 5);
        add(5, "srv", NULL, 1, "200");
        add(6, "srv", NULL, 1, "300");
        assert_true(samples_of(s, 5) > samples_of(s, 6));
        samples_drop(s, 5);
        assert_int_equal(samples_held(s), 2);
        assert_int_equal(samples_dropped(s), 0); /* not for want of room */
        again(4096);
        assert_int_equal(samples_held(s), 2);
}

static void the_oldest_go_when_there_is_no_room(void **state)
{
        char text[16];

        (void)state;
        for (int i = 0; i < 100; i++) {
                snprintf(text, sizeof text, "%d", i);
                add(5, "srv", NULL, i, text);
        }
        samples_due(s, 5);
        assert_true(samples_held(s) < 30);
        assert_int_equal(samples_held(s) + samples_dropped(s), 100);
        assert_null(strstr(tell("srv"), "'0'"));
        assert_non_null(strstr(told, "'99'"));
        size_t before = samples_held(s);
        again(4096);
        assert_int_equal(samples_held(s), before);
        again(1024); /* a smaller ceiling now */
        assert_true(samples_held(s) < before);
        assert_non_null(strstr(tell("srv"), "'99'"));
}

static void one_too_large_is_refused(void **state)
{
        const sample_head h = {.task = 1, .server = ODM_STR("srv"), .data = ODM_STR("./x")};
        static char big[5000];

        (void)state;
        memset(big, 'x', sizeof big);
        add(5, "srv", NULL, 0, "100");
        assert_int_equal(samples_begin(s, &h), 0);
        assert_int_equal(samples_leaf(s, ODM_STR("a"), ODM_FMT_CHR, ODM_STR("b")), 0);
        assert_int_equal(samples_leaf(s, ODM_STR("c"), ODM_FMT_CHR, (odm_str){big, sizeof big}),
                         ODM_ELIMIT);
        assert_int_equal(samples_end(s, NULL), 0); /* what fitted */
        samples_due(s, 1);
        assert_string_equal(tell("srv"), "./x/a chr 19700101T000000Z 'b' -\n");
}

/* The journal does not grow with what is history. */
static void the_journal_stays_small(void **state)
{
        struct stat st;

        (void)state;
        for (int i = 0; i < 300; i++) {
                for (int k = 0; k < 15; k++)
                        add(5, "srv", NULL, k, "100");
                samples_due(s, 5);
                tell("srv");
                for (size_t k = 0; k < n_ids; k++)
                        samples_over(s, ids[k]);
        }
        assert_int_equal(samples_held(s), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_true(st.st_size < 400 << 10);
}

static void strange_journals_are_refused(void **state)
{
        static const struct {
                const char *why, *record;
                size_t n;
        } rows[] = {
                {"no such kind", "X", 1},
                {"a short end", "D\1\0", 3},
                {"a short sample", "A\1\0\0\0\5\0\0\0", 9},
                {"a text longer than all", "A\1\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0srv", 24},
                {"too many leaves",
                 "A\1\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0s\xff\xff\xff\xff\1\0\0\0d\xff\xff\0\0",
                 35},
        };

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                odm_str record = exact_bytes(rows[i].record, rows[i].n);
                fsio_journal *j = NULL;
                samples_close(s);
                s = NULL;
                unlink(path);
                assert_int_equal(fsio_journal_open(NULL, path, NULL, NULL, &j, NULL), 0);
                assert_int_equal(fsio_journal_append(j, record), 0);
                fsio_journal_close(j);
                if (samples_open(path, 4096, &s, NULL) != ODM_EMALFORMED)
                        fail_msg("%s", rows[i].why);
                exact_free(record);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
                T(leaves_are_told_when_due),
                T(what_is_over_is_not_told_again),
                T(a_restart_keeps_them),
                T(what_is_not_due_can_be_forgotten),
                T(the_oldest_go_when_there_is_no_room),
                T(one_too_large_is_refused),
                T(the_journal_stays_small),
                T(strange_journals_are_refused),
#undef T
        };

        return RUN_TESTS(tests);
}
