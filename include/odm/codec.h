/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h - bytes to messages and back: SyncML 1.2 as XML and as WBXML.
 *
 * The two codecs are values behind one interface; a program that names only one
 * links only that one.  Facts: dm-representation.md. */
#ifndef ODM_CODEC_H
#define ODM_CODEC_H

#include "odm/msg.h"

/* Ceilings of a decoder.  Reaching one is ODM_ELIMIT. */
typedef struct odm_limits {
        size_t max_msg;     /* octets of a document; default 1 MiB */
        uint32_t max_depth; /* nested elements; default 32, at most 128 (dm-representation.md 4.10)
                             */
        uint32_t max_commands; /* commands of a message, members included; default 4096 */
        uint32_t max_items;    /* items and references of a message, nodes and types of a
                                * document; default 16384 */
} odm_limits;

void odm_limits_init(odm_limits *l);

typedef struct odm_codec odm_codec;
extern const odm_codec odm_codec_xml;
extern const odm_codec odm_codec_wbxml;

const char *odm_codec_name(const odm_codec *c);      /* "xml", "wbxml" */
const char *odm_codec_mime(const odm_codec *c);      /* application/vnd.syncml.dm+xml ... */
const char *odm_codec_tnds_mime(const odm_codec *c); /* application/vnd.syncml.dmtnds+xml ... */
bool odm_codec_is_binary(const odm_codec *c);        /* WBXML: octets need no base64 */

/* Decodes one whole message into `arena`; `lim` NULL means the defaults; text is borrowed from `in`
 * where possible, so `in` must outlive the message.  Lenient as dm-representation.md 2 and
 * dm-protocol.md 11 ask: any order of elements, Meta on the command, bare text in Target.  Commands
 * nobody knows arrive as ODM_CMD_UNKNOWN; of them and of data synchronisation's commands CmdID and
 * NoResp are kept.  XML text is UTF-8; text of WBXML is whatever octets the peer sent.  The XML
 * codec's parser, expat, allocates with malloc(), apart from the arena. Returns 0; ODM_EMALFORMED
 * for what is no SyncML message; ODM_ELIMIT for a ceiling of `lim` or of the arena; ODM_ENOMEM.
 * *out is set on success only. */
ODM_MUST_USE int odm_decode(const odm_codec *c, odm_str in, const odm_limits *lim, odm_arena *arena,
                            odm_msg **out);

/* Guesses the codec of a document from its first octets; NULL when it is neither. */
const odm_codec *odm_codec_guess(odm_str in);

/* Writes a message piece by piece, so that a session can stop before MaxMsgSize.
 *
 *     odm_write_begin(&w, codec, buf, &hdr);
 *     mark = odm_write_mark(&w);
 *     odm_write_command(&w, cmd);
 *     if (odm_write_size(&w, true) > max)
 *             odm_write_undo(&w, mark);
 *     odm_write_end(&w, true);                                              */
typedef struct odm_writer {
        const odm_codec *codec;
        odm_buf *buf;
        size_t start; /* where in buf the message begins */
        uint8_t page; /* WBXML: the current code page */
} odm_writer;

typedef struct odm_mark {
        size_t n;
        uint8_t page;
} odm_mark;

/* Each returns 0, ODM_ENOMEM, or ODM_ELIMIT when the buffer's maximum is reached or members
 * nest more than 128 deep; ODM_EINVAL for a command of kind ODM_CMD_UNKNOWN, and, for XML, for
 * text that XML cannot carry: control characters, or what is no UTF-8 (octets belong in
 * base64 there, see odm_msg_convert()).  After a failure the buffer holds what it held
 * before the call.  ODM_DATA_XML is written as it is in XML, and as text in WBXML. */
ODM_MUST_USE int odm_write_begin(odm_writer *w, const odm_codec *c, odm_buf *buf,
                                 const odm_hdr *hdr);
ODM_MUST_USE int odm_write_command(odm_writer *w,
                                   const odm_command *cmd); /* cmd->next is not looked at */
ODM_MUST_USE int odm_write_end(odm_writer *w, bool final);
/* Octets the message would have if it were ended now. */
size_t odm_write_size(const odm_writer *w, bool final);
odm_mark odm_write_mark(const odm_writer *w);
void odm_write_undo(odm_writer *w, odm_mark m);
/* How many octets of `d` from `off` on fit into `room` octets of message, element
 * and length octets of Data included; never cuts a character or an escape (OPAQUE in
 * WBXML is cut anywhere).  A switch of the code page before Data is not counted: measure
 * the rest of the command with empty Data in it, which has that switch.  ODM_DATA_XML is
 * all or, when `off` is not 0 or it does not fit, what fits of it as ODM_DATA_TEXT. */
size_t odm_write_fit(const odm_writer *w, const odm_data *d, size_t off, size_t room);

/* True when XML can carry `s` as text: UTF-8 without control characters.  What it cannot
 * carry travels as base64. */
bool odm_xml_can_carry(odm_str s);

/* A whole message at once. */
ODM_MUST_USE int odm_encode(const odm_codec *c, const odm_msg *m, odm_buf *out);

/* Rewrites in place, for the other codec, what differs between them: octets of
 * Format bin become base64 of Format b64 for XML; TNDS documents change their form
 * (dm-representation.md 4.10 rule 6, dm-tree.md 8).  Memory from `arena`.  For whole
 * objects: an item with MoreData is left alone, and so must its last chunk be.
 * Returns 0, ODM_ENOMEM, ODM_ELIMIT, or ODM_EMALFORMED for a broken inner document. */
ODM_MUST_USE int odm_msg_convert(odm_msg *m, const odm_codec *to, odm_arena *arena);

/* ---- DDF and TNDS documents ------------------------------------------------- */

/* Decodes a MgmtTree document, XML or WBXML by its first octets, with the
 * tolerances of dm-representation.md 4.9.  Errors as odm_decode(). */
ODM_MUST_USE int odm_doc_decode(odm_str in, const odm_limits *lim, odm_arena *arena, odm_doc **out);
/* The same for a document in the form of `c` or, unless it is NULL, of `other`: a program that
 * names one codec links only that one. */
ODM_MUST_USE int odm_doc_decode_as(const odm_codec *c, const odm_codec *other, odm_str in,
                                   const odm_limits *lim, odm_arena *arena, odm_doc **out);
/* Encodes `d`; the WBXML form has its own header (4.9).  `df` writes DFProperties
 * too (a DDF); a TNDS document has none.  The value of a node of format bin is written as
 * base64 in XML and as octets in WBXML, whichever it is in `d` (OPAQUE octets, TEXT base64).
 * XML has no declaration, so that it can be ODM_DATA_XML.  Errors as odm_write_command(). */
ODM_MUST_USE int odm_doc_encode(const odm_codec *c, const odm_doc *d, bool df, odm_buf *out);

/* XML text for people: indented, two blanks a level; comments and declarations go.
 * Returns 0, ODM_EMALFORMED, ODM_ELIMIT or ODM_ENOMEM. */
ODM_MUST_USE int odm_xml_pretty(odm_str xml, const odm_limits *lim, odm_buf *out);

#endif
