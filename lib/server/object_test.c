/* SPDX-License-Identifier: Apache-2.0 */
/* Large objects both ways, and values in the form that the codec wants. */
#include "script.h"
#include "support.h"

/* ---- large objects --------------------------------------------------------------------------- */

/* A device that puts chunks together; returns how many messages it took. */
static unsigned take_object(play *p, odm_str want, unsigned max)
{
        unsigned n = 0;
        odm_buf got;
        bool more = true;

        odm_buf_init(&got, &heap, 64u << 20);
        while (more && ++n < 5000) {
                const odm_command *c = p->reply->body;
                while (c && c->kind == ODM_CMD_STATUS)
                        c = c->next;
                assert_non_null(c);
                assert_true(p->reply_n <= max);
                assert_null(c->next);
                more = c->items->more;
                assert_int_equal(p->reply->final, !more);
                assert_int_equal(c->items->meta.has_size, n == 1);
                assert_int_equal(odm_buf_str(&got, c->items->data.bytes), 0);
                if (n == 1)
                        assert_true(c->items->meta.size >= want.n);
                say_all(p, more ? 213 : 200);
                if (more)
                        say(p, "alert 1222");
                p->no_final = more;
                post(p);
                assert_int_equal(p->rc, 0);
        }
        odm_str all = odm_buf_view(&got);
        if (p->codec == &odm_codec_xml)
                assert_int_equal(odm_b64_decode(&p->a, odm_buf_view(&got), &all), 0);
        assert_int_equal(all.n, want.n);
        assert_memory_equal(all.p, want.p, want.n);
        odm_buf_done(&got);
        return n;
}

static void sends_a_large_object(void **state)
{
        static const struct row {
                const char *why;
                size_t n;
                unsigned max;
                bool save;
        } rows[] = {
                {"100 kB in 8 kB messages", 100000, 8192, false},
                {"in messages of 1500, saved at each", 9001, 1500, true},
                {"a little more than fits", 2100, 2000, false},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                EACH_CODEC(i)
                {
                        play p;
                        open_play(&p, i);
                        p.max_msg = rows[r].max;
                        p.save_each = rows[r].save;
                        odm_command *c = big(&p, rows[r].n);
                        job_list(&p, 1, chain(c, command(&p, ODM_CMD_GET, "./After", NULL)));
                        package1(&p);
                        heard(&p, WELCOME);
                        while (p.seen[strlen(p.seen) - 1] ==
                               '0') { /* only Statuses: asks for more */
                                say(&p, "status 0 212");
                                say(&p, "alert 1222");
                                p.no_final = true;
                                post(&p);
                        }
                        (void)take_object(&p, c->items->data.bytes, rows[r].max);
                        expect(&p, "S0=200 Get(./After) Final");
                        heard(&p, "1/0 200");
                        play_close(&p);
                }
}

static void text_is_cut_between_characters(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                odm_buf got;
                open_play(&p, i);
                char *text = odm_arena_get(&p.a, 4000);
                for (size_t k = 0; k < 4000; k += 4)
                        memcpy(text + k, "\xC3\xA4&a", 4);
                odm_command *c = command(&p, ODM_CMD_REPLACE, "./T", NULL);
                c->items->data = (odm_data){ODM_DATA_TEXT, {text, 4000}};
                job_list(&p, 1, c);
                p.max_msg = 2000;
                package1(&p);
                odm_buf_init(&got, &heap, 8192);
                for (int n = 0; n < 20 && strstr(p.seen, "./T"); n++) {
                        const odm_command *r = p.reply->body;
                        while (r->kind == ODM_CMD_STATUS)
                                r = r->next;
                        assert_true(odm_utf8_ok(r->items->data.bytes));
                        assert_int_equal(odm_buf_str(&got, r->items->data.bytes), 0);
                        p.no_final = r->items->more;
                        say_all(&p, r->items->more ? 213 : 200);
                        post(&p);
                }
                assert_octets(odm_buf_view(&got), ((odm_str){text, 4000}));
                odm_buf_done(&got);
                play_close(&p);
        }
}

static void large_objects_that_cannot_go(void **state)
{
        static const struct row {
                const char *why;
                unsigned max_obj;
                bool yes;
                const char *log;
        } rows[] = {
                {"beyond MaxObjSize", 10000, true, "1/0 413 unsent; 1/1 215 unsent; done 1 unsent"},
                {"no large objects", 0, false, "1/0 413 unsent; 1/1 215 unsent; done 1 unsent"},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++) {
                char want[PLAY_LOG];
                play p;
                open_play(&p, r % 2);
                p.max_msg = 8192;
                p.max_obj = rows[r].max_obj;
                job_list(&p, 1, chain(big(&p, 20000), command(&p, ODM_CMD_GET, "./A", NULL)));
                job(&p, 2);
                play_start(&p);
                odm_server_set_large_objects(p.s, rows[r].yes);
                package1(&p);
                if (!p.reply->final) { /* it tried a message with fewer Statuses */
                        say(&p, "status 0 212");
                        say(&p, "alert 1222");
                        p.no_final = true;
                        post(&p);
                }
                assert_non_null(strstr(p.seen, "Get(./A) Final")); /* the next job goes on */
                (void)snprintf(want, sizeof want, WELCOME "; %s", rows[r].log);
                heard(&p, want);
                play_close(&p);
        }
}

/* MaxObjSize counts what travels: base64 takes a third more (dm-protocol.md 4). */
static void max_obj_size_counts_what_travels(void **state)
{
        static const struct row {
                unsigned max_obj;
                bool xml, goes;
        } rows[] = {{4000, true, true}, {3999, true, false}, {3000, false, true}};

        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++) {
                play p;
                open_play(&p, rows[r].xml ? 0 : 1);
                p.max_msg = 2000;
                p.max_obj = rows[r].max_obj;
                job_list(&p, 1, big(&p, 3000));
                package1(&p);
                assert_int_equal(strstr(p.seen, "Replace(") != NULL, rows[r].goes);
                play_close(&p);
        }
}

/* A job that XML cannot carry fails; the session and the next job do not. */
static void values_that_xml_cannot_carry(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                for (int large = 0; large < 2; large++) {
                        play p;
                        open_play(&p, i);
                        char *text = odm_arena_get(&p.a, 5000);
                        memset(text, 'x', 5000);
                        text[large ? 4000 : 1] = '\x01';
                        odm_command *c = command(&p, ODM_CMD_REPLACE, "./T", NULL);
                        c->items->data = (odm_data){ODM_DATA_TEXT, {text, large ? 5000 : 3}};
                        odm_command *d = command(&p, ODM_CMD_GET, "./\x02", NULL);
                        job_list(&p, 1, c);
                        job_list(&p, 2, d);
                        job(&p, 3);
                        p.max_msg = 2000;
                        package1(&p);
                        if (i == 0) {
                                expect(&p, SETUP " Get(./A) Final");
                                heard(&p, WELCOME "; 1/0 400 unsent; done 1 unsent; 2/0 400 unsent;"
                                                  " done 2 unsent");
                        } else {
                                assert_non_null(strstr(p.seen, "Replace(./T)"));
                        }
                        play_close(&p);
                }
        }
}

static void too_big_for_one_message(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                job_list(&p, 1, group(&p, ODM_CMD_ATOMIC, chain(big(&p, 4000), big(&p, 4000))));
                job(&p, 2);
                p.max_msg = 4096;
                package1(&p);
                expect(&p, SETUP);
                say(&p, "status 0 212");
                say(&p, "alert 1222");
                p.no_final = true;
                post(&p);
                expect(&p, "S0=200 S2=200 Get(./A) Final");
                heard(&p,
                      WELCOME "; 1/0 413 unsent; 1/1 215 unsent; 1/2 215 unsent; done 1 unsent");
                play_close(&p);
        }
}

static void object_that_breaks_off(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.max_msg = 4096;
                job_list(&p, 1, big(&p, 20000));
                package1(&p);
                heard(&p, WELCOME);
                for (int again = 0; again < 2; again++) {
                        say_all(&p, 213);
                        say(&p, "alert 1222");
                        p.no_final = true;
                        post(&p);
                        assert_non_null(strstr(p.seen, "Replace(./Big)+"));
                        say(&p, "status 0 212");
                        say(&p, "alert 1225");
                        post(&p);
                        if (again)
                                break;
                        assert_non_null(strstr(p.seen, "Replace(./Big)+"));
                        const odm_command *c = p.reply->body->next->next;
                        assert_true(c->items->meta.has_size); /* from the start */
                        heard(&p, "");
                }
                expect(&p, "S0=200 S2=200 Final");
                heard(&p, "1/0 424 unsent; done 1; end 1");
                play_close(&p);
        }
}

static void chunk_refused(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        p.max_msg = 4096;
        job_list(&p, 1, chain(big(&p, 20000), command(&p, ODM_CMD_GET, "./A", NULL)));
        package1(&p);
        heard(&p, WELCOME);
        say_all(&p, 413);
        post(&p);
        expect(&p, "S0=200 Get(./A) Final");
        heard(&p, "1/0 413");
        play_close(&p);
}

static void chunk_challenged(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                open_play(&p, i);
                p.max_msg = 4096;
                odm_command *c = big(&p, 20000);
                job_list(&p, 1, c);
                package1(&p);
                heard(&p, WELCOME);
                say_all(&p, 407);
                p.out.body->code = 407;
                p.out.body->chal = chal("AAECAwQFBgcICQoLDA0ODw==");
                post(&p);
                heard(&p, "nonces s");
                (void)take_object(&p, c->items->data.bytes, 4096);
                heard(&p, "1/0 200; done 1; end 1");
                play_close(&p);
        }
}

/* A chunk's answer without credentials: refused, and then the object goes on. */
static void chunk_after_a_refusal(void **state)
{
        (void)state;
        play p;
        open_play(&p, 1);
        p.max_msg = 4096;
        p.opt.every_message = true;
        odm_command *c = big(&p, 20000);
        job_list(&p, 1, c);
        package1(&p);
        heard(&p, WELCOME);
        p.show = ODM_AUTH_NONE;
        p.no_final = true;
        say_all(&p, 213);
        say(&p, "alert 1222");
        post(&p);
        expect(&p, "S0=407! S3=407 Final");
        p.show = ODM_AUTH_MD5;
        say(&p, "status 0 200");
        odm_command *st = say_command(&p, ODM_CMD_STATUS);
        st->msg_ref = ODM_STR("1");
        st->cmd_ref = ODM_STR("4");
        st->code = 213;
        say(&p, "alert 1222");
        post(&p);
        expect(&p, "S0=200! S3=200 Replace(./Big)+");
        assert_false(p.reply->body->next->next->items->meta.has_size);
        play_close(&p);
}

static void send_chunk(play *p, const char *text, size_t size, bool more)
{
        odm_command *c = say_command(p, ODM_CMD_RESULTS);
        odm_item *it = say_item(p, c, "./A", text);

        c->msg_ref = ODM_STR("1");
        c->cmd_ref = ODM_STR("4");
        it->more = more;
        it->meta = (odm_meta){.present = true, .has_size = size > 0, .size = size};
}

static void send_alert_chunk(play *p, const char *type, const char *text, size_t size, bool more)
{
        odm_command *c = say_command(p, ODM_CMD_ALERT);
        odm_item *it = typed_item(p, c, type, text);

        c->code = 1226;
        c->correlator = ODM_STR("c1");
        it->more = more;
        it->meta.has_size = size > 0;
        it->meta.size = size;
}

/* One event, once all of it is there. */
static void takes_chunked_alerts(void **state)
{
        static const struct row {
                const char *why;
                size_t size, again; /* again: it comes once more, from its start */
                const char *first, *last, *log;
        } rows[] = {
                {"whole", 12, 0, "213", "200", "alert 1226 com.x/a c1onetwosixten; "},
                {"begun anew", 12, 12, "213", "200", "alert 1226 com.x/a c1onetwosixten; "},
                {"another Size", 13, 0, "213", "424", ""},
                {"no Size", 0, 0, "411", NULL, NULL},
                {"too large", 99999999, 0, "413", NULL, NULL},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                for (int saved = 0; saved < 2; saved++)
                        EACH_CODEC(i)
                        {
                                char want[PLAY_LOG];
                                play p;
                                open_play(&p, i);
                                p.save_each = saved;
                                p.no_final = true;
                                send_alert_chunk(&p, "com.x/a", "onetwo", rows[r].size, true);
                                post(&p);
                                (void)snprintf(want, sizeof want, "S0=212! S1=%s 1222",
                                               rows[r].first);
                                expect(&p, want);
                                heard(&p, "auth; nonces c");
                                if (rows[r].again) {
                                        say(&p, "status 0 200");
                                        send_alert_chunk(&p, "com.x/a", "onetwo", rows[r].again,
                                                         true);
                                        post(&p);
                                        expect(&p, "S0=200 S2=213 1222");
                                }
                                if (rows[r].last) {
                                        p.no_final = false;
                                        say(&p, "status 0 200");
                                        send_alert_chunk(&p, "com.x/a", "sixten", 0, false);
                                        post(&p);
                                        (void)snprintf(want, sizeof want, "S0=200 S2=%s Final",
                                                       rows[r].last);
                                        expect(&p, want);
                                        (void)snprintf(want, sizeof want, "%send 1", rows[r].log);
                                        heard(&p, want);
                                }
                                play_close(&p);
                        }
}

/* Half of one that is never gone on with is not mixed with the next. */
static void a_chunk_of_an_alert_is_forgotten(void **state)
{
        play p;

        (void)state;
        open_play(&p, 0);
        p.no_final = true;
        send_alert_chunk(&p, "com.x/a", "onetwo", 12, true);
        post(&p);
        p.no_final = false;
        say(&p, "status 0 200");
        odm_command *c = say_command(&p, ODM_CMD_ALERT);
        c->code = 1226;
        typed_item(&p, c, "com.x/b", "1")->source = ODM_STR("./Vendor/Y");
        post(&p);
        expect(&p, "S0=200 S2=200 Final");
        heard(&p, "auth; nonces c; alert 1226 com.x/b ; end 1");
        play_close(&p);
}

static void takes_chunked_results(void **state)
{
        static const struct row {
                const char *why;
                size_t size;
                const char *first, *last, *log;
        } rows[] = {
                {"whole", 9, "S0=200 S4=213 1222", "S0=200 Final",
                 "1/0 200 ./A=onetwosix; done 1; end 1"},
                {"another Size", 10, "S0=200 S4=213 1222", "S0=200 S3=424 Final",
                 "1/0 424; done 1; end 1"},
                {"no Size", 0, "S0=200 S4=411 1222", NULL, NULL},
                {"too large", 99999999, "S0=200 S4=413 1222", NULL, NULL},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                for (int saved = 0; saved < 2; saved++)
                        EACH_CODEC(i)
                        {
                                play p;
                                open_play(&p, i);
                                p.save_each = saved;
                                job(&p, 1);
                                package1(&p);
                                heard(&p, WELCOME);
                                p.no_final = true;
                                say(&p, "status 0 212");
                                say(&p, "status 4 200");
                                say(&p, "alert 1222");
                                send_chunk(&p, "one", rows[r].size, true);
                                post(&p);
                                assert_non_null(strstr(p.seen, rows[r].first + 7));
                                if (rows[r].last) {
                                        say(&p, "status 0 200");
                                        send_chunk(&p, "two", 0, true);
                                        post(&p);
                                        expect(&p, "S0=200 S2=213 1222");
                                        p.no_final = false;
                                        say(&p, "status 0 200");
                                        say(&p, "status 3 200");
                                        send_chunk(&p, "six", 0, false);
                                        post(&p);
                                        expect(&p, rows[r].last);
                                        heard(&p, rows[r].log);
                                }
                                play_close(&p);
                        }
}

/* A device that goes on with an object that was refused: its end is no value. */
static void the_rest_of_a_refused_object_is_none(void **state)
{
        static const struct row {
                const char *why;
                size_t size;
                const char *again, *last, *log;
        } rows[] = {
                {"no Size", 0, "S0=200 S2=411 1222", "S0=200 S2=411 Final",
                 "1/0 411; done 1; end 1"},
                {"too large", 99999999, "S0=200 S2=413 1222", "S0=200 S2=413 Final",
                 "1/0 413; done 1; end 1"},
        };
        (void)state;
        for (size_t r = 0; r < ODM_COUNT(rows); r++)
                for (int saved = 0; saved < 2; saved++)
                        EACH_CODEC(i)
                        {
                                play p;
                                open_play(&p, i);
                                p.save_each = saved;
                                job(&p, 1);
                                package1(&p);
                                heard(&p, WELCOME);
                                p.no_final = true;
                                say(&p, "status 0 212");
                                say(&p, "status 4 200");
                                send_chunk(&p, "one", rows[r].size, true);
                                post(&p);
                                say(&p, "status 0 200");
                                send_chunk(&p, "two", 0, true);
                                post(&p);
                                expect(&p, rows[r].again);
                                p.no_final = false;
                                say(&p, "status 0 200");
                                send_chunk(&p, "six", 0, false);
                                post(&p);
                                expect(&p, rows[r].last);
                                heard(&p, rows[r].log);
                                play_close(&p);
                        }
}

/* Something else begins before the object is whole: Alert 1225 names it. */
static void results_that_break_off(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        chain(job(&p, 1), command(&p, ODM_CMD_GET, "./B", NULL));
        package1(&p);
        heard(&p, WELCOME);
        p.no_final = true;
        say(&p, "status 0 212");
        say(&p, "status 4 200");
        say(&p, "status 5 200");
        send_chunk(&p, "one", 9, true);
        post(&p);
        expect(&p, "S0=200 S4=213 1222");
        odm_command *c = say_command(&p, ODM_CMD_RESULTS);
        c->msg_ref = ODM_STR("1");
        c->cmd_ref = ODM_STR("5");
        say_item(&p, c, "./B", "b");
        post(&p);
        expect(&p, "S0=200 1225 1222");
        assert_str(p.reply->body->next->items->source, "./A");
        send_chunk(&p, "one", 6, true); /* it comes again, whole this time */
        post(&p);
        p.no_final = false;
        send_chunk(&p, "two", 0, false);
        post(&p);
        heard(&p, "1/0 200 ./A=onetwo; 1/1 200 ./B=b; done 1; end 1");
        play_close(&p);
}

/* Size may count what the base64 means; and an alert breaks an object off. */
static void base64_results(void **state)
{
        (void)state;
        for (int alert = 0; alert < 2; alert++) {
                play p;
                open_play(&p, 0);
                job(&p, 1);
                package1(&p);
                heard(&p, WELCOME);
                p.no_final = true;
                say(&p, "status 4 200");
                send_chunk(&p, "AAECAwQF", 9, true);
                p.out.body->next->items->meta.format = ODM_FMT_B64;
                post(&p);
                if (alert) {
                        say(&p, "alert 1226");
                        post(&p);
                        expect(&p, "S0=200 S1=412 1225 1222");
                }
                p.no_final = false;
                send_chunk(&p, "BgcI", alert ? 3 : 0, false);
                post(&p);
                heard(&p, alert ? "1/0 200 ./A=BgcI; done 1; end 1"
                                : "1/0 200 ./A=AAECAwQFBgcI; done 1; end 1");
                play_close(&p);
        }
}

static void object_that_grows_too_large(void **state)
{
        (void)state;
        for (int memory = 0; memory < 2; memory++) {
                play p;
                open_play(&p, 0);
                if (memory)
                        p.opt.max_memory = 20000;
                else
                        p.opt.max_obj_size = 20;
                job(&p, 1);
                package1(&p);
                heard(&p, WELCOME);
                p.no_final = true;
                say(&p, "status 4 200");
                if (memory) {
                        char *text = odm_arena_zget(&p.a, 12001);
                        memset(text, 'x', 12000);
                        send_chunk(&p, text, 12500, true);
                } else {
                        send_chunk(&p, "this is more than twenty octets", 19, true);
                }
                post(&p);
                if (p.rc == 0) { /* or the message itself was too much */
                        assert_non_null(strstr(p.seen, memory ? "S2=420" : "S2=413"));
                        p.no_final = false;
                        post(&p);
                        heard(&p, memory ? "1/0 420; done 1; end 1" : "1/0 413; done 1; end 1");
                } else {
                        assert_int_equal(p.rc, ODM_ELIMIT);
                }
                play_close(&p);
        }
}

static void package_ends_inside_an_object(void **state)
{
        (void)state;
        play p;
        open_play(&p, 0);
        job(&p, 1);
        package1(&p);
        heard(&p, WELCOME);
        say(&p, "status 0 212");
        say(&p, "status 4 200");
        send_chunk(&p, "one", 9, true);
        post(&p);
        heard(&p, "1/0 424; done 1; end 1");
        play_close(&p);
}

/* ---- values in the codec's form -------------------------------------------------------------- */

static void values_take_the_codecs_form(void **state)
{
        static const char tnds[] =
                "<MgmtTree "
                "xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2</VerDTD><Node><NodeName>M</NodeName>"
                "<RTProperties><Format><chr/></Format><Type><MIME>text/plain</MIME></Type>"
                "</RTProperties><Value>x</Value></Node></MgmtTree>";
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                bool xml = i == 0;
                open_play(&p, i);
                odm_command *c = big(&p, 5);
                odm_command *d = command(&p, ODM_CMD_ADD, "./M", NULL);
                d->items->data = (odm_data){ODM_DATA_XML, odm_cstr(tnds)};
                d->items->meta = (odm_meta){.present = true,
                                            .format = ODM_FMT_XML,
                                            .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
                job_list(&p, 1, chain(c, d));
                package1(&p);
                const odm_command *r = p.reply->body->next->next->next;
                assert_int_equal(r->items->meta.format, xml ? ODM_FMT_B64 : ODM_FMT_BIN);
                assert_int_equal(r->items->data.bytes.n, xml ? 8 : 5);
                assert_int_equal(r->next->items->data.kind, xml ? ODM_DATA_XML : ODM_DATA_OPAQUE);
                assert_str(r->next->items->meta.type, xml ? "application/vnd.syncml.dmtnds+xml"
                                                          : "application/vnd.syncml.dmtnds+wbxml");
                assert_int_equal(c->items->data.kind,
                                 ODM_DATA_OPAQUE); /* the host's stay as they are */
                assert_int_equal(d->items->data.kind, ODM_DATA_XML);
                play_close(&p);
        }
}

static void large_document(void **state)
{
        (void)state;
        EACH_CODEC(i)
        {
                play p;
                odm_buf doc;
                open_play(&p, i);
                odm_buf_init(&doc, &heap, 65536);
                assert_int_equal(odm_buf_fmt(&doc, "<MgmtTree xmlns=\"syncml:dmddf1.2\"><VerDTD>1.2"
                                                   "</VerDTD>"),
                                 0);
                for (int n = 0; n < 60; n++)
                        assert_int_equal(
                                odm_buf_fmt(&doc,
                                            "<Node><NodeName>N%d</NodeName><RTProperties>"
                                            "<Format><chr/></Format><Type><MIME>text/plain"
                                            "</MIME></Type></RTProperties><Value>some longer "
                                            "text for a value</Value></Node>",
                                            n),
                                0);
                assert_int_equal(odm_buf_fmt(&doc, "</MgmtTree>"), 0);
                odm_command *d = command(&p, ODM_CMD_ADD, "./M", NULL);
                d->items->data = (odm_data){ODM_DATA_XML, odm_buf_view(&doc)};
                d->items->meta = (odm_meta){.present = true,
                                            .format = ODM_FMT_XML,
                                            .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
                job_list(&p, 1, d);
                p.max_msg = 2000;
                package1(&p);
                heard(&p, WELCOME);
                unsigned n = 0;
                while (p.rc == 0 && !odm_server_ended(p.s) && ++n < 40) {
                        p.no_final = !p.reply->final;
                        say_all(&p, p.no_final ? 213 : 200);
                        if (p.no_final)
                                say(&p, "alert 1222");
                        post(&p);
                }
                heard(&p, "1/0 200; done 1; end 1");
                assert_true(n > 2);
                odm_buf_done(&doc);
                play_close(&p);
        }
}

static void broken_document(void **state)
{
        (void)state;
        play p;
        open_play(&p, 1);
        odm_command *d = command(&p, ODM_CMD_ADD, "./M", NULL);
        d->items->data = (odm_data){ODM_DATA_XML, ODM_STR("<MgmtTree")};
        d->items->meta = (odm_meta){.present = true,
                                    .format = ODM_FMT_XML,
                                    .type = ODM_STR("application/vnd.syncml.dmtnds+xml")};
        job_list(&p, 1, d);
        package1(&p);
        expect(&p, SETUP " Final");
        heard(&p, WELCOME "; 1/0 400 unsent; done 1 unsent; end 1");
        play_close(&p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sends_a_large_object),
                cmocka_unit_test(text_is_cut_between_characters),
                cmocka_unit_test(large_objects_that_cannot_go),
                cmocka_unit_test(max_obj_size_counts_what_travels),
                cmocka_unit_test(values_that_xml_cannot_carry),
                cmocka_unit_test(too_big_for_one_message),
                cmocka_unit_test(object_that_breaks_off),
                cmocka_unit_test(chunk_refused),
                cmocka_unit_test(chunk_challenged),
                cmocka_unit_test(chunk_after_a_refusal),
                cmocka_unit_test(takes_chunked_alerts),
                cmocka_unit_test(a_chunk_of_an_alert_is_forgotten),
                cmocka_unit_test(takes_chunked_results),
                cmocka_unit_test(the_rest_of_a_refused_object_is_none),
                cmocka_unit_test(results_that_break_off),
                cmocka_unit_test(base64_results),
                cmocka_unit_test(object_that_grows_too_large),
                cmocka_unit_test(package_ends_inside_an_object),
                cmocka_unit_test(values_take_the_codecs_form),
                cmocka_unit_test(large_document),
                cmocka_unit_test(broken_document),
        };

        return RUN_TESTS(tests);
}
