/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c - our codecs beside libwbxml and a bare scan by expat, in one run: the same two
 * messages, the parties taking turns, the median of several rounds.  See bench/README.md. */
#include <stdlib.h>
#include <string.h>

#include <expat.h>
#include <wbxml/wbxml.h>

#include "measure.h"
#include "odm/codec.h"

#define SMALL 24 /* commands: 2 kB of WBXML, and 64 kB */
#define LARGE 816

/* One message in both forms, and what the parties keep between runs. */
struct subject {
        unsigned commands;
        odm_msg *msg;
        odm_buf wbxml, xml, out;
        odm_arena arena, work; /* of msg; of each decode, reset before it */
};

/* ---- the message ------------------------------------------------------------------ */

static odm_item *new_item(odm_arena *a, unsigned n)
{
        odm_item *i = odm_new(a, odm_item);

        bench_must(i != NULL, "memory");
        i->target = odm_arena_fmt(a, "./Vendor/App%u/Port", n);
        return i;
}

/* Three kinds in turn: a Status, a Get, a Replace with Meta and Data. */
static odm_command *new_command(odm_arena *a, unsigned n)
{
        static const char *const names[] = {"Get", "Replace", "Add"};
        odm_command *c = odm_new(a, odm_command);

        bench_must(c != NULL, "memory");
        c->cmd_id = odm_arena_fmt(a, "%u", n + 1);
        if (n % 3 == 0) {
                c->kind = ODM_CMD_STATUS;
                c->msg_ref = ODM_STR("1");
                c->cmd_ref = c->cmd_id;
                c->cmd = odm_cstr(names[n / 3 % 3]);
                c->target_refs = odm_new(a, odm_ref);
                bench_must(c->target_refs != NULL, "memory");
                c->target_refs->uri =
                        odm_arena_fmt(a, "./Vendor/App%u/Port/Number/Of/The/Service", n);
                c->code = 200;
                return c;
        }
        c->kind = n % 3 == 1 ? ODM_CMD_GET : ODM_CMD_REPLACE;
        c->items = new_item(a, n);
        if (c->kind == ODM_CMD_REPLACE) {
                c->items->meta = (odm_meta){
                        .present = true, .format = ODM_FMT_CHR, .type = ODM_STR("text/plain")};
                c->items->data = (odm_data){
                        ODM_DATA_TEXT,
                        odm_arena_fmt(
                                a,
                                "the value number %u of this node, as long as such a thing is here",
                                n)};
        }
        return c;
}

static void subject_init(struct subject *s, unsigned commands)
{
        s->commands = commands;
        odm_arena_init(&s->arena, &bench_heap, BENCH_MOST);
        odm_arena_init(&s->work, &bench_heap, BENCH_MOST);
        odm_buf_init(&s->wbxml, &bench_heap, BENCH_MOST);
        odm_buf_init(&s->xml, &bench_heap, BENCH_MOST);
        odm_buf_init(&s->out, &bench_heap, BENCH_MOST);
        s->msg = odm_new(&s->arena, odm_msg);
        bench_must(s->msg != NULL, "memory");
        s->msg->hdr = (odm_hdr){.ver_dtd = ODM_STR("1.2"),
                                .ver_proto = ODM_STR("DM/1.2"),
                                .session_id = ODM_STR("A1"),
                                .msg_id = ODM_STR("2"),
                                .target = ODM_STR("IMEI:004999010640000"),
                                .source = ODM_STR("http://dm.example/s")};
        s->msg->final = true;
        odm_command **tail = &s->msg->body;
        for (unsigned n = 0; n < commands; n++, tail = &(*tail)->next)
                *tail = new_command(&s->arena, n);
        bench_must(odm_encode(&odm_codec_wbxml, s->msg, &s->wbxml) == 0, "encoding WBXML");
        bench_must(odm_encode(&odm_codec_xml, s->msg, &s->xml) == 0, "encoding XML");
}

static void subject_done(struct subject *s)
{
        odm_buf_done(&s->out);
        odm_buf_done(&s->xml);
        odm_buf_done(&s->wbxml);
        odm_arena_done(&s->work);
        odm_arena_done(&s->arena);
}

/* ---- the parties ------------------------------------------------------------------- */

static void our_decode(struct subject *s, const odm_codec *c, const odm_buf *in)
{
        odm_msg *m;

        odm_arena_reset(&s->work);
        bench_must(odm_decode(c, odm_buf_view(in), NULL, &s->work, &m) == 0, "decoding");
}

static void our_wbxml_decode(struct subject *s)
{
        our_decode(s, &odm_codec_wbxml, &s->wbxml);
}

static void our_xml_decode(struct subject *s)
{
        our_decode(s, &odm_codec_xml, &s->xml);
}

static void our_wbxml_encode(struct subject *s)
{
        odm_buf_cut(&s->out, 0);
        bench_must(odm_encode(&odm_codec_wbxml, s->msg, &s->out) == 0, "encoding");
}

static void our_xml_encode(struct subject *s)
{
        odm_buf_cut(&s->out, 0);
        bench_must(odm_encode(&odm_codec_xml, s->msg, &s->out) == 0, "encoding");
}

static void expat_scan(struct subject *s)
{
        XML_Parser p = XML_ParserCreate("UTF-8");

        bench_must(p && XML_Parse(p, s->xml.p, (int)s->xml.n, 1) == XML_STATUS_OK, "expat");
        XML_ParserFree(p);
}

static void libwbxml_to_xml(struct subject *s)
{
        WBXMLConvWBXML2XML *conv = NULL;
        WB_UTINY *out = NULL;
        WB_ULONG n = 0;

        bench_must(wbxml_conv_wbxml2xml_create(&conv) == WBXML_OK, "libwbxml");
        wbxml_conv_wbxml2xml_set_gen_type(conv, WBXML_GEN_XML_COMPACT);
        bench_must(wbxml_conv_wbxml2xml_run(conv, (WB_UTINY *)s->wbxml.p, (WB_ULONG)s->wbxml.n,
                                            &out, &n) == WBXML_OK,
                   "wbxml2xml");
        free(out);
        wbxml_conv_wbxml2xml_destroy(conv);
}

static void libwbxml_to_wbxml(struct subject *s)
{
        WBXMLConvXML2WBXML *conv = NULL;
        WB_UTINY *out = NULL;
        WB_ULONG n = 0;

        bench_must(wbxml_conv_xml2wbxml_create(&conv) == WBXML_OK, "libwbxml");
        wbxml_conv_xml2wbxml_disable_string_table(conv);
        bench_must(wbxml_conv_xml2wbxml_run(conv, (WB_UTINY *)s->xml.p, (WB_ULONG)s->xml.n, &out,
                                            &n) == WBXML_OK,
                   "xml2wbxml");
        free(out);
        wbxml_conv_xml2wbxml_destroy(conv);
}

/* What libwbxml's converters do, done by us. */
static void our_to_xml(struct subject *s)
{
        odm_msg *m;

        odm_arena_reset(&s->work);
        bench_must(odm_decode(&odm_codec_wbxml, odm_buf_view(&s->wbxml), NULL, &s->work, &m) == 0,
                   "decoding");
        odm_buf_cut(&s->out, 0);
        bench_must(odm_encode(&odm_codec_xml, m, &s->out) == 0, "encoding");
}

static void our_to_wbxml(struct subject *s)
{
        odm_msg *m;

        odm_arena_reset(&s->work);
        bench_must(odm_decode(&odm_codec_xml, odm_buf_view(&s->xml), NULL, &s->work, &m) == 0,
                   "decoding");
        odm_buf_cut(&s->out, 0);
        bench_must(odm_encode(&odm_codec_wbxml, m, &s->out) == 0, "encoding");
}

static const struct party {
        const char *name, *what;
        void (*run)(struct subject *s);
        int beside; /* the row it is measured against */
} parties[] = {
        {"wbxml-decode", "our WBXML decode", our_wbxml_decode, 5},
        {"wbxml-encode", "our WBXML encode", our_wbxml_encode, 6},
        {"xml-decode", "our XML decode", our_xml_decode, 3},
        {"expat-scan", "expat's scan alone", expat_scan, -1},
        {"xml-encode", "our XML encode", our_xml_encode, 5},
        {"libwbxml-to-xml", "libwbxml, WBXML to XML", libwbxml_to_xml, -1},
        {"libwbxml-to-wbxml", "libwbxml, XML to WBXML", libwbxml_to_wbxml, -1},
        {"to-xml", "ours, WBXML to XML", our_to_xml, 5},
        {"to-wbxml", "ours, XML to WBXML", our_to_wbxml, 6},
};

#define PARTIES (sizeof parties / sizeof parties[0])

/* ---- measuring ---------------------------------------------------------------------- */

static double once(const struct party *p, struct subject *s, unsigned times)
{
        double start = bench_now_us();

        for (unsigned i = 0; i < times; i++)
                p->run(s);
        return (bench_now_us() - start) / times;
}

static void measure(struct subject *s, unsigned rounds, double medians[PARTIES])
{
        static double taken[PARTIES][BENCH_ROUNDS];
        unsigned times = 40000 / s->commands / 8 + 1;

        for (size_t i = 0; i < PARTIES; i++) /* once, unmeasured */
                (void)once(&parties[i], s, times / 4 + 1);
        for (unsigned r = 0; r < rounds; r++)
                for (size_t i = 0; i < PARTIES; i++)
                        taken[i][r] = once(&parties[i], s, times);
        for (size_t i = 0; i < PARTIES; i++) {
                medians[i] = bench_median(taken[i], rounds);
        }
}

static void print_table(const struct subject *s, const double medians[PARTIES])
{
        printf("%u commands: %zu octets of WBXML, %zu of XML\n", s->commands, s->wbxml.n, s->xml.n);
        for (size_t i = 0; i < PARTIES; i++) {
                int beside = parties[i].beside;
                printf("  %-26s %10.2f us", parties[i].what, medians[i]);
                if (beside >= 0)
                        printf("   %5.2f times as fast as %s", medians[beside] / medians[i],
                               parties[beside].what);
                printf("\n");
        }
}

static void print_json(const struct subject *s, const double medians[PARTIES])
{
        bench_row(true);
        printf("{\"commands\": %u, \"wbxml_octets\": %zu, \"xml_octets\": %zu, \"us\": {",
               s->commands, s->wbxml.n, s->xml.n);
        for (size_t i = 0; i < PARTIES; i++)
                printf("%s\"%s\": %.3f", i ? ", " : "", parties[i].name, medians[i]);
        printf("}}");
}

/* For a profiler, which counts instructions where a clock cannot. */
static int run_only(const char *name, unsigned commands, unsigned rounds)
{
        for (size_t i = 0; i < PARTIES; i++)
                if (strcmp(parties[i].name, name) == 0) {
                        struct subject s;
                        subject_init(&s, commands);
                        (void)once(&parties[i], &s, rounds);
                        subject_done(&s);
                        return 0;
                }
        bench_refuse("there is no row %s", name);
}

static void usage(void)
{
        printf("usage: bench-codec [--json] [--rounds N] [--commands N] [--only ROW]\n"
               "Times our codecs beside libwbxml2 and expat; medians of N rounds (11) of "
               "processor time.\n"
               "  --commands N  only a message of that many commands (24 and 816)\n"
               "  --only ROW    run one row of the message N times and print nothing,\n"
               "                to be counted by a profiler.  Rows:");
        for (size_t i = 0; i < PARTIES; i++)
                printf(" %s", parties[i].name);
        printf("\n");
}

static void run_size(const bench_opt *o, unsigned commands)
{
        struct subject s;
        double medians[PARTIES];

        subject_init(&s, commands);
        measure(&s, o->rounds, medians);
        if (o->json)
                print_json(&s, medians);
        else
                print_table(&s, medians);
        subject_done(&s);
}

int main(int argc, char **argv)
{
        bench_opt o;

        bench_options(argc, argv, true, usage, &o);
        if (o.only)
                return run_only(o.only, o.commands ? o.commands : SMALL, o.rounds);
        if (o.commands) {
                run_size(&o, o.commands);
        } else {
                run_size(&o, SMALL);
                run_size(&o, LARGE);
        }
        bench_rows_end(o.json);
        return 0;
}
