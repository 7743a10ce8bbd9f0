/* SPDX-License-Identifier: Apache-2.0 */
/* msg.h - a SyncML message, and a DDF or TNDS document, as plain data.
 *
 * A message and all that hangs from it live in one arena; text is borrowed from
 * the decoded input where that was possible.  Lists are linked through `next`
 * and end with NULL.  An absent element is an odm_str with p == NULL.
 * Facts: dm-representation.md sections 2, 3, 5; statuses: dm-protocol.md 8. */
#ifndef ODM_MSG_H
#define ODM_MSG_H

#include "odm/base.h"

/* ---- vocabulary ---------------------------------------------------------- */

/* Commands by element name.  The last group is data synchronisation's: decoded
 * so that it can be refused with 406. */
#define ODM_COMMANDS(X)         \
        X(STATUS, "Status")     \
        X(RESULTS, "Results")   \
        X(ALERT, "Alert")       \
        X(ADD, "Add")           \
        X(REPLACE, "Replace")   \
        X(DELETE, "Delete")     \
        X(GET, "Get")           \
        X(COPY, "Copy")         \
        X(EXEC, "Exec")         \
        X(SEQUENCE, "Sequence") \
        X(ATOMIC, "Atomic")     \
        X(PUT, "Put")           \
        X(SEARCH, "Search")     \
        X(MAP, "Map")           \
        X(MOVE, "Move")         \
        X(SYNC, "Sync")

typedef enum odm_cmd {
        ODM_CMD_UNKNOWN, /* an element that is no command; odm_command.name has it */
#define X(id, text) ODM_CMD_##id,
        ODM_COMMANDS(X)
#undef X
} odm_cmd;

const char *odm_cmd_name(odm_cmd c); /* "?" for ODM_CMD_UNKNOWN */
odm_cmd odm_cmd_parse(odm_str name);
/* True for Put, Search, Map, Move, Sync: no part of DM. */
bool odm_cmd_is_foreign(odm_cmd c);

#define ODM_FORMATS(X)  \
        X(B64, "b64")   \
        X(BIN, "bin")   \
        X(BOOL, "bool") \
        X(CHR, "chr")   \
        X(INT, "int")   \
        X(NODE, "node") \
        X(NULL, "null") \
        X(XML, "xml")   \
        X(DATE, "date") \
        X(TIME, "time") \
        X(FLOAT, "float")

typedef enum odm_format {
        ODM_FMT_ABSENT, /* no Format element; means chr, or what the command says */
#define X(id, text) ODM_FMT_##id,
        ODM_FORMATS(X)
#undef X
                ODM_FMT_OTHER, /* a word that is none of these */
} odm_format;

const char *odm_format_name(odm_format f); /* "chr" for ODM_FMT_ABSENT, "?" for other */
odm_format odm_format_parse(odm_str s);    /* letters of either case; blanks trimmed */

/* Statuses that code names; any number from 100 to 1999 may occur. */
#define ODM_STATUSES(X)                                              \
        X(101, IN_PROGRESS, "In progress")                           \
        X(200, OK, "OK")                                             \
        X(201, ITEM_ADDED, "Item added")                             \
        X(202, ACCEPTED, "Accepted for processing")                  \
        X(212, AUTH_ACCEPTED, "Authentication accepted")             \
        X(213, CHUNK_ACCEPTED, "Chunked item accepted and buffered") \
        X(214, CANCELLED, "Operation cancelled")                     \
        X(215, NOT_EXECUTED, "Not executed")                         \
        X(216, ROLLED_BACK, "Atomic roll back OK")                   \
        X(304, NOT_MODIFIED, "Not modified")                         \
        X(400, BAD_REQUEST, "Bad request")                           \
        X(401, INVALID_CREDENTIALS, "Invalid credentials")           \
        X(403, FORBIDDEN, "Forbidden")                               \
        X(404, NOT_FOUND, "Not found")                               \
        X(405, NOT_ALLOWED, "Command not allowed")                   \
        X(406, UNSUPPORTED, "Optional feature not supported")        \
        X(407, MISSING_CREDENTIALS, "Missing credentials")           \
        X(408, TIMEOUT, "Request timeout")                           \
        X(411, SIZE_REQUIRED, "Size required")                       \
        X(412, INCOMPLETE, "Incomplete command")                     \
        X(413, TOO_LARGE, "Request entity too large")                \
        X(414, URI_TOO_LONG, "URI too long")                         \
        X(415, BAD_FORMAT, "Unsupported media type or format")       \
        X(416, RANGE, "Requested size too big")                      \
        X(418, EXISTS, "Already exists")                             \
        X(420, FULL, "Device full")                                  \
        X(424, SIZE_MISMATCH, "Size mismatch")                       \
        X(425, DENIED, "Permission denied")                          \
        X(500, FAILED, "Command failed")                             \
        X(501, NOT_IMPLEMENTED, "Command not implemented")           \
        X(503, UNAVAILABLE, "Service unavailable")                   \
        X(505, BAD_DTD, "DTD version not supported")                 \
        X(507, ATOMIC_FAILED, "Atomic failed")                       \
        X(510, STORE_FAILED, "Data store failure")                   \
        X(511, SERVER_FAILED, "Server failure")                      \
        X(513, BAD_PROTO, "Protocol version not supported")          \
        X(516, ROLLBACK_FAILED, "Atomic roll back failed")           \
        X(517, ATOMIC_TOO_LARGE, "Atomic response too large to fit")

enum odm_status_code {
#define X(code, id, text) ODM_ST_##id = (code),
        ODM_STATUSES(X)
#undef X
};

const char *odm_status_text(unsigned code); /* "Status" for a code without a name here */
static inline bool odm_status_ok(unsigned code)
{
        return (code >= 200 && code < 300) || (code >= 1200 && code < 1300);
}

/* Alert codes (dm-protocol.md 5). */
enum odm_alert_code {
        ODM_ALERT_DISPLAY = 1100,
        ODM_ALERT_CONFIRM = 1101,
        ODM_ALERT_INPUT = 1102,
        ODM_ALERT_CHOICE = 1103,
        ODM_ALERT_CHOICES = 1104,
        ODM_ALERT_SERVER_INITIATED = 1200,
        ODM_ALERT_CLIENT_INITIATED = 1201,
        ODM_ALERT_NEXT_MESSAGE = 1222,
        ODM_ALERT_ABORT = 1223,
        ODM_ALERT_CLIENT_EVENT = 1224,
        ODM_ALERT_NO_END_OF_DATA = 1225,
        ODM_ALERT_GENERIC = 1226,
};

/* ---- the message ----------------------------------------------------------- */

/* The value of a Data element, as it travels: base64 is not decoded here. */
typedef enum odm_data_kind {
        ODM_DATA_ABSENT,
        ODM_DATA_TEXT,   /* text; in WBXML STR_I, in XML escaped */
        ODM_DATA_OPAQUE, /* octets; in WBXML OPAQUE (XML writes them as text) */
        ODM_DATA_XML,    /* element content: the XML text of the elements inside Data */
} odm_data_kind;

typedef struct odm_data {
        odm_data_kind kind;
        odm_str bytes;
} odm_data;

/* The elements of MetInf that DM uses; order on the wire is the DTD's. */
typedef struct odm_meta {
        bool present;
        odm_format format;   /* ODM_FMT_ABSENT when there is none */
        odm_str format_text; /* the word as received, for ODM_FMT_OTHER */
        odm_str type;
        odm_str mark;
        odm_str next_nonce; /* base64 text; raw octets only when nonce_raw */
        bool nonce_raw;     /* WBXML OPAQUE that is no base64: octets as they are */
        bool has_size, has_max_msg, has_max_obj;
        uint32_t size, max_msg, max_obj; /* UINT32_MAX for more */
} odm_meta;

typedef struct odm_cred {
        bool present;
        odm_meta meta;
        odm_str data; /* base64 text */
} odm_cred;

typedef struct odm_item {
        struct odm_item *next;
        odm_str target, target_name; /* LocURI and LocName */
        odm_str source, source_name;
        odm_meta meta;
        odm_data data;
        bool more; /* MoreData */
} odm_item;

typedef struct odm_ref {
        struct odm_ref *next;
        odm_str uri;
} odm_ref;

typedef struct odm_command {
        struct odm_command *next;
        odm_cmd kind;
        unsigned code;  /* Status: its status.  Alert: its alert code.  0 = missing or no number */
        odm_str name;   /* element name, for ODM_CMD_UNKNOWN */
        odm_str cmd_id; /* absent when the peer left it out */
        union {
                odm_meta meta; /* on the command; each Item inherits it element by element */
                odm_meta chal; /* Status, instead of meta; chal.present tells */
        };
        odm_item *items;
        struct odm_command *body; /* members of Sequence and Atomic */
        odm_str correlator;       /* Alert, Exec */

        /* Status and Results */
        odm_str msg_ref, cmd_ref, cmd; /* cmd: the name of the command answered */
        odm_ref *target_refs, *source_refs;
        odm_cred *cred; /* NULL = none; never used by DM, kept to be ignored */
        bool no_resp;
} odm_command;

typedef struct odm_hdr {
        odm_str ver_dtd, ver_proto, session_id, msg_id;
        odm_str target, target_name, source, source_name;
        odm_str resp_uri;
        bool no_resp;
        odm_cred cred;
        odm_meta meta; /* MaxMsgSize, MaxObjSize */
} odm_hdr;

typedef struct odm_msg {
        odm_hdr hdr;
        odm_command *body;
        bool final;
        bool has_body; /* a SyncBody element was there */
} odm_msg;

/* What counts for an item: its own Meta over the command's, element by element
 * (dm-representation.md 3). */
odm_meta odm_meta_of(const odm_command *cmd, const odm_item *item);
/* Number of an MsgID or CmdRef; 0 when absent or no number up to 2^31-1. */
uint32_t odm_ref_number(odm_str s);

/* ---- DDF and TNDS documents -------------------------------------------------- */

enum odm_access { /* bits of DDF AccessType */
                  ODM_ACC_ADD = 1,
                  ODM_ACC_COPY = 2,
                  ODM_ACC_DELETE = 4,
                  ODM_ACC_EXEC = 8,
                  ODM_ACC_GET = 16,
                  ODM_ACC_REPLACE = 32,
};

typedef enum odm_occurs {
        ODM_OCC_ONE, /* the default */
        ODM_OCC_ZERO_OR_ONE,
        ODM_OCC_ZERO_OR_MORE,
        ODM_OCC_ONE_OR_MORE,
        ODM_OCC_ZERO_OR_N,
        ODM_OCC_ONE_OR_N,
} odm_occurs;

/* One Node element of a MgmtTree document: description (DDF) or instance (TNDS). */
typedef struct odm_doc_node {
        struct odm_doc_node *next, *children;
        odm_str name;   /* absent: NodeName left out; empty: named later */
        odm_str path;   /* Path, relative to where the document goes */
        odm_data value; /* Value; ODM_DATA_ABSENT when there is none */
        /* RTProperties */
        bool has_rt;
        odm_str acl, title, tstamp, ver_no;
        odm_format format; /* ODM_FMT_ABSENT when there is none */
        odm_str type;      /* MIME type, or MO identifier when type_is_ddf_name */
        bool type_is_ddf_name;
        /* DFProperties */
        bool has_df;
        uint8_t access; /* bits of odm_access */
        odm_str default_value, description, df_title;
        odm_format df_format;
        odm_occurs occurs;
        uint32_t occurs_n;        /* of ZeroOrN and OneOrN */
        bool permanent;           /* Scope; default dynamic */
        bool any_case;            /* CIS */
        odm_ref *df_types;        /* MIME types, or one MO identifier ... */
        bool df_type_is_ddf_name; /* ... when set */
} odm_doc_node;

typedef struct odm_doc {
        odm_str ver_dtd, man, mod;
        odm_doc_node *nodes;
} odm_doc;

/* ---- what a device tells of itself (mo-others.md 1.2) --------------------------------- */

/* An event, or the end of a long operation; texts are lent as the function that takes it says. */
typedef struct odm_alert {
        uint64_t id;   /* the host's */
        unsigned code; /* 1224 or 1226 */
        odm_str source, source_name, target, type, mark, data, correlator;
        odm_format format; /* ODM_FMT_ABSENT = chr */
} odm_alert;

#endif
