/* SPDX-License-Identifier: Apache-2.0 */
/* What the client must say in a case. */
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "play_inner.h"

static void describe(const struct heard *h, char *out, size_t n)
{
        odm_str uri = h->item ? h->item->source : ODM_ABSENT;

        if (h->c->kind == ODM_CMD_STATUS)
                (void)snprintf(out, n, "Status %.*s %u", (int)h->c->cmd_ref.n, h->c->cmd_ref.p,
                               h->c->code);
        else if (h->c->kind == ODM_CMD_RESULTS)
                (void)snprintf(out, n, "Results %.*s %.*s '%.*s'", (int)h->c->cmd_ref.n,
                               h->c->cmd_ref.p, (int)uri.n, uri.p ? uri.p : "",
                               (int)(h->item->data.bytes.n < 60 ? h->item->data.bytes.n : 60),
                               h->item->data.bytes.p ? h->item->data.bytes.p : "");
        else
                (void)snprintf(out, n, "%s %u", odm_cmd_name(h->c->kind), h->c->code);
}

static const struct heard *take(struct play *p, odm_cmd kind)
{
        char text[200];

        if (p->next == p->n_heard)
                wrong(p, "the client says no more");
        const struct heard *h = &p->heard[p->next++];
        if (h->c->kind != kind) {
                describe(h, text, sizeof text);
                wrong(p, "the client says %s", text);
        }
        return h;
}

static bool has_target(const odm_command *c, odm_str uri)
{
        for (const odm_ref *r = c->target_refs; r; r = r->next)
                if (odm_str_eq(r->uri, uri))
                        return true;
        return false;
}

/* Status ID CODE [texts of Items] [target=URI] */
static void want_status(struct play *p, const line *l)
{
        const odm_command *c = take(p, ODM_CMD_STATUS)->c;
        odm_str target = line_option(l, "target"), item = line_option(l, "item");
        const odm_item *it = c->items;
        bool texts = false;

        if (!odm_str_eq(c->cmd_ref, arg(p, l, 1)) || !code_is(arg(p, l, 2), c->code))
                wrong(p, "the client says Status %.*s %u", (int)c->cmd_ref.n,
                      c->cmd_ref.p ? c->cmd_ref.p : "", c->code);
        if (odm_ref_number(c->msg_ref) != p->msg_id)
                wrong(p, "its MsgRef is %.*s", (int)c->msg_ref.n, c->msg_ref.p ? c->msg_ref.p : "");
        if (target.p && !has_target(c, target))
                wrong(p, "its TargetRef is another one");
        if (item.p && !(it && odm_str_eq(it->target, item)))
                wrong(p, "its Item names another node");
        for (unsigned i = 3; i < l->n; i++) {
                if (!l->arg[i].quoted)
                        continue;
                if (it == NULL || !odm_str_eq(it->data.bytes, l->arg[i].text))
                        wrong(p, "its Item is '%.*s'", it ? (int)it->data.bytes.n : 0,
                              it && it->data.bytes.p ? it->data.bytes.p : "");
                it = it->next;
                texts = true;
        }
        if (texts && it)
                wrong(p, "there are more Items");
}

/* The document as XML text, whatever form it came in. */
static odm_str document_of(struct play *p, const odm_item *it)
{
        odm_limits lim;
        odm_doc *doc;
        odm_buf out;

        odm_limits_init(&lim);
        must(p, odm_doc_decode(it->data.bytes, &lim, &p->a, &doc), "the document");
        odm_buf_init(&out, &teller_mem, MEMORY);
        int rc = odm_doc_encode(&odm_codec_xml, doc, false, &out);
        odm_str text = odm_arena_copy(&p->a, odm_buf_view(&out));
        odm_buf_done(&out);
        must(p, rc, "the document");
        return text;
}

static bool contains(odm_str hay, odm_str needle)
{
        return needle.n == 0 || (hay.n && memmem(hay.p, hay.n, needle.p, needle.n));
}

static void want_document(struct play *p, const line *l, const odm_item *it)
{
        odm_str text = document_of(p, it);

        for (unsigned i = 0; i < l->n; i++) {
                odm_str a = l->arg[i].text;
                bool no = odm_str_starts(a, "without=");
                if (!no && !odm_str_starts(a, "with="))
                        continue;
                if (contains(text, odm_str_from(a, no ? 8 : 5)) == no)
                        wrong(p, "the document is %.*s", (int)text.n, text.p);
        }
        if (!odm_str_is(it->meta.type, odm_codec_tnds_mime(p->codec)))
                wrong(p, "its Type is %.*s", (int)it->meta.type.n, it->meta.type.p);
}

static odm_str octets_of(struct play *p, odm_meta *meta, odm_str d)
{
        if (meta->format == ODM_FMT_B64) {
                must(p, odm_b64_decode(&p->a, d, &d), "base64");
                meta->format = ODM_FMT_BIN;
        }
        return d.p ? d : ODM_STR("");
}

static void want_meta(struct play *p, odm_str word, const odm_meta *got)
{
        odm_meta m = message_meta(word, &p->a);
        odm_format f = got->format == ODM_FMT_ABSENT ? ODM_FMT_CHR : got->format;
        odm_str type = got->type.p ? got->type : ODM_STR("text/plain");

        if (m.format != f)
                wrong(p, "its Format is %s", odm_format_name(f));
        if (m.type.p && !odm_str_eq(m.type, type))
                wrong(p, "its Type is %.*s", (int)type.n, type.p);
}

/* YYYYMMDDThhmmssZ, and later than the one before. */
static void want_stamp(struct play *p, odm_str got)
{
        static const char form[] = "00000000T000000Z";
        bool ok = got.n == sizeof form - 1 &&
                  (p->stamp.n == 0 || memcmp(got.p, p->stamp.p, got.n) > 0);

        for (size_t i = 0; ok && i < got.n; i++)
                ok = form[i] == '0' ? got.p[i] >= '0' && got.p[i] <= '9' : got.p[i] == form[i];
        if (!ok)
                wrong(p, "the time is '%.*s'", (int)got.n, got.p);
        p->stamp = got;
}

/* Results ID URI [FORMAT[:TYPE]] [DATA] [more] [size=N] [nodata] [stamp] [with=..] [without=..] */
static void want_results(struct play *p, const line *l)
{
        const struct heard *h = take(p, ODM_CMD_RESULTS);
        odm_str size = line_option(l, "size");
        odm_meta meta = odm_meta_of(h->c, h->item);
        odm_str got;
        unsigned i = 3;

        if (!odm_str_eq(h->c->cmd_ref, arg(p, l, 1)) || !odm_str_eq(h->item->source, arg(p, l, 2)))
                wrong(p, "the client says Results %.*s %.*s", (int)h->c->cmd_ref.n, h->c->cmd_ref.p,
                      (int)h->item->source.n, h->item->source.p);
        if (h->item->more != line_has(l, "more"))
                wrong(p, "MoreData is %sthere", h->item->more ? "" : "not ");
        if (size.p ? !meta.has_size || meta.size != number(p, size) : meta.has_size)
                wrong(p, "its Size is not that");
        if (line_has(l, "nodata") && h->item->data.kind != ODM_DATA_ABSENT)
                wrong(p, "it has Data");
        if (line_has(l, "tnds")) {
                want_document(p, l, h->item);
                return;
        }
        got = h->item->more ? h->value : octets_of(p, &meta, h->value);
        if (line_has(l, "stamp"))
                want_stamp(p, got);
        if (i < l->n && !l->arg[i].quoted && message_is_format(l->arg[i].text))
                want_meta(p, l->arg[i++].text, &meta);
        if (i < l->n && (l->arg[i].quoted || meta.format == ODM_FMT_BIN)) {
                odm_str want = message_data(&l->arg[i], meta.format, &p->a);
                if (!odm_str_eq(got, want))
                        wrong(p, "its Data is '%.*s' (%zu)", (int)(got.n < 80 ? got.n : 80), got.p,
                              got.n);
        }
}

/* ever Status ID CODE; ever URI DATA: said once, and no other way, in all messages until now */
static void want_ever(struct play *p, const line *l)
{
        bool status = odm_str_is(arg(p, l, 1), "Status");
        unsigned n = 0;

        for (const struct ever *e = p->ever; e; e = e->next) {
                const struct heard *h = &e->what;
                if (h->c->kind != (status ? ODM_CMD_STATUS : ODM_CMD_RESULTS) ||
                    (status ? !odm_str_eq(h->c->cmd_ref, arg(p, l, 2))
                            : h->item->more || !odm_str_eq(h->item->source, arg(p, l, 1))))
                        continue;
                n++;
                if (status ? !code_is(arg(p, l, 3), h->c->code)
                           : !odm_str_eq(h->value, arg(p, l, 2)))
                        wrong(p, "it was another one");
        }
        if (n != 1)
                wrong(p, "it was said %u times", n);
}

static void want_alert(struct play *p, const line *l)
{
        const struct heard *h = take(p, ODM_CMD_ALERT);
        odm_str source = line_option(l, "source");

        odm_str type = line_option(l, "type"), mark = line_option(l, "mark");
        odm_str correlator = line_option(l, "correlator");
        odm_meta meta = h->item ? odm_meta_of(h->c, h->item) : (odm_meta){.present = false};

        if (h->c->code != number(p, arg(p, l, 1)))
                wrong(p, "the client says Alert %u", h->c->code);
        if ((type.p && !odm_str_eq(meta.type, type)) || (mark.p && !odm_str_eq(meta.mark, mark)) ||
            (correlator.p && !odm_str_eq(h->c->correlator, correlator)))
                wrong(p, "its Type, Mark or Correlator is another one");
        if (source.p && !(h->item && (odm_str_eq(h->item->source, source) ||
                                      odm_str_eq(h->item->target, source))))
                wrong(p, "its Item names another node");
        for (unsigned i = 2; i < l->n; i++) {
                if (!l->arg[i].quoted && message_is_format(l->arg[i].text))
                        want_meta(p, l->arg[i].text, &meta);
                if (l->arg[i].quoted &&
                    !(h->item && odm_str_eq(h->item->data.bytes, l->arg[i].text)))
                        wrong(p, "its Data is another one");
        }
}

/* Replace URI [DATA]: an Item of DevInfo in package 1 */
static void want_devinfo(struct play *p, const line *l)
{
        const odm_item *it = take(p, ODM_CMD_REPLACE)->item;

        if (!odm_str_eq(it->source, arg(p, l, 1)))
                wrong(p, "the Item is %.*s", (int)it->source.n, it->source.p ? it->source.p : "");
        if (l->n > 2 && !odm_str_eq(it->data.bytes, l->arg[2].text))
                wrong(p, "its Data is '%.*s'", (int)it->data.bytes.n, it->data.bytes.p);
}

/* cred none; cred basic; cred md5 [NONCE] [password=] */
static void want_cred(struct play *p, const line *l)
{
        const odm_cred *c = &p->reply->hdr.cred;
        odm_str type = arg(p, l, 1), other = line_option(l, "password"), want;
        char password[64];

        if (odm_str_is(type, "none")) {
                if (c->present)
                        wrong(p, "it shows credentials");
                return;
        }
        if (!c->present || !odm_str_eq(c->meta.type, message_challenge(type).type))
                wrong(p, "it shows no such credentials");
        (void)snprintf(password, sizeof password, "%.*s", other.p ? (int)other.n : 2,
                       other.p ? other.p : "pw");
        if (odm_str_is(type, "md5"))
                want = play_digest(p, "dev", password, l->n > 2 ? l->arg[2].text : ODM_ABSENT);
        else
                want = odm_auth_basic(&p->a, ODM_STR("dev"), ODM_STR("pw"));
        if (!odm_str_eq(c->data, want))
                wrong(p, "the credentials are %.*s", (int)c->data.n, c->data.p ? c->data.p : "");
}

/* mac none; mac [NONCE] */
static void want_mac(struct play *p, const line *l)
{
        odm_str nonce = l->n > 1 ? l->arg[1].text : ODM_ABSENT;

        if (odm_str_is(nonce, "none")
                    ? p->mac.n != 0
                    : !odm_str_eq(p->mac, play_mac(p, "dev", "pw", nonce, p->body)))
                wrong(p, "the MAC is '%.*s'", (int)p->mac.n, p->mac.p ? p->mac.p : "");
}

/* chal none; chal md5: in the Status for the server's SyncHdr, with a nonce that is new */
static void want_chal(struct play *p, const line *l)
{
        const odm_command *st = p->reply->body;
        odm_str type = arg(p, l, 1);
        bool has = st && st->kind == ODM_CMD_STATUS && st->chal.present;

        if (odm_str_is(type, "none")
                    ? has
                    : !has || !odm_str_eq(st->chal.type, message_challenge(type).type))
                wrong(p, "there is %s challenge", has ? "a" : "no such");
        if (has)
                teller_nonce(&p->t, &st->chal, &p->a, &p->nonces);
}

/* hdr CODE: the Status for the server's SyncHdr */
static void want_hdr(struct play *p, const line *l)
{
        const odm_command *st = p->reply->body;

        if (st == NULL || !code_is(arg(p, l, 1), st->code))
                wrong(p, "the Status for the SyncHdr is %u", st ? st->code : 0);
}

/* What the header says, or the message as a whole; false when it is none of these. */
static bool want_of_header(struct play *p, const line *l, odm_str what)
{
        const odm_hdr *h = &p->reply->hdr;
        odm_str got = odm_str_is(what, "session")  ? h->session_id
                      : odm_str_is(what, "msg-id") ? h->msg_id
                      : odm_str_is(what, "proto")  ? h->ver_proto
                      : odm_str_is(what, "dtd")    ? h->ver_dtd
                      : odm_str_is(what, "url")    ? p->url
                                                   : ODM_ABSENT;

        if (odm_str_is(what, "cred"))
                want_cred(p, l);
        else if (odm_str_is(what, "mac"))
                want_mac(p, l);
        else if (odm_str_is(what, "chal"))
                want_chal(p, l);
        else if (odm_str_is(what, "hdr"))
                want_hdr(p, l);
        else if (got.p == NULL)
                return false;
        else if (!odm_str_eq(got, arg(p, l, 1)))
                wrong(p, "it is '%.*s'", (int)got.n, got.p);
        return true;
}

void play_finish_wants(struct play *p)
{
        char text[200];

        if (p->saying)
                play_send(p);
        if (p->client == NULL || p->next == p->n_heard || (p->msg_id == 0 && p->next == 0))
                return;
        describe(&p->heard[p->next], text, sizeof text);
        wrong(p, "the client also says %s", text);
}

void play_want(struct play *p, const line *l)
{
        odm_str what = arg(p, l, 0), max = line_option(l, "at-most");

        if (p->saying)
                play_send(p);
        if (outside_want(&p->out, l))
                return;
        if (odm_str_is(what, "nothing")) {
                if (p->reply)
                        wrong(p, "the client answers");
        } else if (p->reply == NULL) {
                wrong(p, "the client says nothing (%s)", odm_client_diag(p->client));
        } else if (odm_str_is(what, "Status")) {
                want_status(p, l);
        } else if (odm_str_is(what, "Results")) {
                want_results(p, l);
        } else if (odm_str_is(what, "Alert")) {
                want_alert(p, l);
        } else if (odm_str_is(what, "Replace")) {
                want_devinfo(p, l);
        } else if (want_of_header(p, l, what)) {
                return;
        } else if (odm_str_is(what, "Final") || odm_str_is(what, "open")) {
                if (p->reply->final != odm_str_is(what, "Final"))
                        wrong(p, "Final is %sthere", p->reply->final ? "" : "not ");
        } else if (max.p) {
                if (p->reply_n > number(p, max))
                        wrong(p, "the message has %zu octets", p->reply_n);
        } else if (odm_str_is(what, "ever")) {
                want_ever(p, l);
        } else if (odm_str_is(what, "told")) {
                if (p->told != number(p, arg(p, l, 1)))
                        wrong(p, "the host was told %u", p->told);
        } else if (odm_str_is(what, "rest")) {
                p->next = p->n_heard;
        } else {
                wrong(p, "a want that is not understood");
        }
}
