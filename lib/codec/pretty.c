/* SPDX-License-Identifier: Apache-2.0 */
/* XML laid out for people.  An element of text stays on its line; comments, declarations
 * and blanks between elements go. */
#include "sink.h"
#include "xml.h"

struct pretty {
        struct xml_parse parse; /* comes first: see xml.h */
        struct sink out;
        odm_buf text; /* since the last tag */
        uint32_t depth, max_depth;
        bool leaf; /* no element since the last start tag */
};

static void put(struct pretty *p, const char *z)
{
        sink_put(&p->out, z, strlen(z));
}

static void new_line(struct pretty *p)
{
        if (p->out.at && p->out.at > p->out.buf->p + p->out.before)
                put(p, "\n");
        for (uint32_t i = 0; i < p->depth; i++)
                put(p, "  ");
}

/* Text among elements has a line of its own. */
static void flush_text(struct pretty *p)
{
        odm_str text = odm_str_trim(odm_buf_view(&p->text));

        if (text.n) {
                new_line(p);
                odm_sink_escaped(&p->out, text);
        }
        odm_buf_cut(&p->text, 0);
}

static void put_attribute(struct pretty *p, const char *name, const char *value)
{
        put(p, " ");
        put(p, name);
        put(p, "=\"");
        for (; *value; value++) {
                size_t n = strcspn(value, "\"\n\t");
                odm_sink_escaped(&p->out, (odm_str){value, n});
                value += n;
                if (*value == '\0')
                        break;
                put(p, *value == '"' ? "&quot;" : *value == '\n' ? "&#10;" : "&#9;");
        }
        put(p, "\"");
}

/* The start tag stays open, so that an element without content can be <a/>. */
static void finish_tag(struct pretty *p)
{
        if (p->leaf)
                put(p, ">");
        p->leaf = false;
}

static void on_start(void *ctx, const char *name, const char **attributes)
{
        struct pretty *p = ctx;

        if (p->parse.rc < 0)
                return;
        finish_tag(p);
        flush_text(p);
        if (p->depth >= p->max_depth) {
                odm_xml_fail(&p->parse, ODM_ELIMIT);
                return;
        }
        new_line(p);
        put(p, "<");
        put(p, name);
        for (; attributes[0]; attributes += 2)
                put_attribute(p, attributes[0], attributes[1]);
        p->leaf = true;
        p->depth++;
        odm_xml_fail(&p->parse, p->out.rc);
}

static void put_end(struct pretty *p, const char *name)
{
        put(p, "</");
        put(p, name);
        put(p, ">");
}

static void on_end(void *ctx, const char *name)
{
        struct pretty *p = ctx;

        if (p->parse.rc < 0)
                return;
        if (p->leaf && p->text.n == 0) {
                put(p, "/>");
        } else if (p->leaf) {
                put(p, ">");
                odm_sink_escaped(&p->out, odm_buf_view(&p->text));
                put_end(p, name);
        } else {
                flush_text(p);
                p->depth--;
                new_line(p);
                p->depth++;
                put_end(p, name);
        }
        p->leaf = false;
        p->depth--;
        odm_buf_cut(&p->text, 0);
        odm_xml_fail(&p->parse, p->out.rc);
}

static void on_text(void *ctx, const char *s, int n)
{
        struct pretty *p = ctx;

        odm_xml_fail(&p->parse, odm_buf_put(&p->text, s, (size_t)n));
}

int odm_xml_pretty(odm_str xml, const odm_limits *lim, odm_buf *out)
{
        odm_limits standard;
        struct pretty p = {.out = sink_begin(out, 0)};

        odm_limits_init(&standard);
        if (lim == NULL)
                lim = &standard;
        if (xml.n > lim->max_msg)
                return ODM_ELIMIT;
        p.max_depth = lim->max_depth;
        odm_buf_init(&p.text, out->mem, out->max);
        int rc = odm_xml_run(&p.parse, xml, on_start, on_end, on_text);
        odm_buf_done(&p.text);
        if (rc == 0)
                put(&p, "\n");
        if (rc < 0)
                p.out.rc = rc;
        return sink_end(&p.out);
}
