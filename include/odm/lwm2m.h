/* SPDX-License-Identifier: Apache-2.0 */
/* lwm2m.h - what travels between an LwM2M client and its server, as plain data, both ways.
 *
 *     path          /3/0/9             object, instance, resource, resource instance
 *     value         typed              what kind it is says the registry of objects
 *     list          path and value...  all that one payload holds, whatever its format
 *     registration  ep lt lwm2m b Q    query parameters; </1/0>,</3/0>... the links
 *
 * CoAP itself is libcoap's (host/coap.h).  Nothing here reads a clock or a socket; results are in
 * the arena given and borrow from the payload where they can.  Versions 1.0 and 1.1.
 * Facts: lwm2m.md 3, 4. */
#ifndef ODM_LWM2M_H
#define ODM_LWM2M_H

#include "odm/base.h"

/* ---- numbers --------------------------------------------------------------------------- */

/* Content-Format and Accept. */
typedef enum odm_lw_ct {
        ODM_LW_TEXT = 0,
        ODM_LW_LINK = 40,
        ODM_LW_OPAQUE = 42,
        ODM_LW_CBOR = 60,
        ODM_LW_SENML_JSON = 110,
        ODM_LW_SENML_CBOR = 112,
        ODM_LW_OLD_TLV = 1542, /* read as TLV and JSON; never written */
        ODM_LW_OLD_JSON = 1543,
        ODM_LW_TLV = 11542,
        ODM_LW_JSON = 11543,
        ODM_LW_NO_CT = 0x10000, /* there is none */
} odm_lw_ct;

/* Codes of CoAP as they are said, 205 for 2.05. */
enum odm_coap_code {
        ODM_COAP_CREATED = 201,
        ODM_COAP_DELETED = 202,
        ODM_COAP_CHANGED = 204,
        ODM_COAP_CONTENT = 205,
        ODM_COAP_CONTINUE = 231,
        ODM_COAP_BAD_REQUEST = 400,
        ODM_COAP_UNAUTHORIZED = 401,
        ODM_COAP_BAD_OPTION = 402,
        ODM_COAP_FORBIDDEN = 403,
        ODM_COAP_NOT_FOUND = 404,
        ODM_COAP_NOT_ALLOWED = 405,
        ODM_COAP_NOT_ACCEPTABLE = 406,
        ODM_COAP_INCOMPLETE = 408,
        ODM_COAP_PRECONDITION = 412,
        ODM_COAP_TOO_LARGE = 413,
        ODM_COAP_BAD_FORMAT = 415,
        ODM_COAP_FAILED = 500,
        ODM_COAP_NOT_IMPLEMENTED = 501,
        ODM_COAP_UNAVAILABLE = 503,
};

/* ---- paths ----------------------------------------------------------------------------- */

#define ODM_LW_ID_MAX 65534
#define ODM_LW_PATH_TEXT 25 /* "/65534/65534/65534/65534" and a zero */

typedef struct odm_lw_path {
        uint8_t depth; /* 0: the root, "/"; 1 object .. 4 resource instance */
        uint16_t id[4];
} odm_lw_path;

#define ODM_LW_PATH1(o) ((odm_lw_path){1, {(o)}})
#define ODM_LW_PATH2(o, i) ((odm_lw_path){2, {(o), (i)}})
#define ODM_LW_PATH3(o, i, r) ((odm_lw_path){3, {(o), (i), (r)}})
#define ODM_LW_PATH4(o, i, r, m) ((odm_lw_path){4, {(o), (i), (r), (m)}})

/* "/3/0/9", "3/0/9", "/" or "".  0, ODM_EMALFORMED (also for numbers with leading zeros, and for
 * more than four of them), ODM_ELIMIT for a number above ODM_LW_ID_MAX. */
ODM_MUST_USE int odm_lw_path_parse(odm_str s, odm_lw_path *out);
odm_str odm_lw_path_format(odm_lw_path p, char out[ODM_LW_PATH_TEXT]); /* "/3/0/9"; "/" */
bool odm_lw_path_eq(odm_lw_path a, odm_lw_path b);
bool odm_lw_path_below(odm_lw_path p, odm_lw_path top);    /* equal counts as below */
int odm_lw_path_cmp(odm_lw_path a, odm_lw_path b);         /* parents before children */
odm_lw_path odm_lw_path_down(odm_lw_path p, uint16_t id);  /* p.depth < 4 */
odm_lw_path odm_lw_path_to(odm_lw_path p, unsigned depth); /* its first `depth` numbers */

/* ---- values and lists ------------------------------------------------------------------- */

typedef enum odm_lw_type {
        ODM_LW_T_NONE,    /* of an executable resource; of a node without a value */
        ODM_LW_T_STRING,  /* data */
        ODM_LW_T_INTEGER, /* i; unsigned ones too, above INT64_MAX ODM_ELIMIT */
        ODM_LW_T_FLOAT,   /* f; never NAN nor infinite */
        ODM_LW_T_BOOLEAN, /* b */
        ODM_LW_T_OPAQUE,  /* data */
        ODM_LW_T_TIME,    /* i, seconds since 1970 */
        ODM_LW_T_OBJLNK,  /* link */
        ODM_LW_T_CORELNK, /* data */
        ODM_LW_T_UNKNOWN, /* the registry does not know: as the format has it, TLV as data */
} odm_lw_type;
const char *odm_lw_type_name(odm_lw_type t); /* "String" */

typedef struct odm_lw_value {
        odm_lw_type type;
        odm_str data;
        int64_t i;
        double f;
        bool b;
        uint16_t link[2]; /* object, instance; 65535:65535 is the null link */
} odm_lw_value;

/* The text form (content format 0): "-7", "1.5", "1", "12:0"; octets as base64; time in seconds.
 * In `a`; absent on failure (a->err tells). */
odm_str odm_lw_value_text(const odm_lw_value *v, odm_arena *a);
/* The other way.  ODM_LW_T_UNKNOWN makes a string.  0, ODM_EMALFORMED, ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int odm_lw_value_parse(odm_lw_type type, odm_str text, odm_arena *a,
                                    odm_lw_value *out);

/* One thing that a payload tells.  Without a value: that it is there and empty (a multiple resource
 * without instances, an instance without resources), or, in a composite request, that it is wanted.
 */
typedef struct odm_lw_node {
        odm_lw_path path;
        odm_lw_value value; /* ODM_LW_T_NONE: without */
        int64_t t; /* SenML, JSON: seconds since 1970; below 2^28 relative to now; 0: now */
} odm_lw_node;

typedef struct odm_lw_list {
        odm_lw_node *v;
        size_t n;
} odm_lw_list;

#define ODM_LW_NODES_MAX 4096 /* of one payload: beyond ODM_ELIMIT */

/* The value of the node at exactly `p`, or NULL. */
const odm_lw_node *odm_lw_list_find(const odm_lw_list *l, odm_lw_path p);

/* ---- the registry of objects -------------------------------------------------------------- */

enum odm_lw_ops { ODM_LW_R = 1, ODM_LW_W = 2, ODM_LW_E = 4 };

typedef struct odm_lw_resource {
        uint16_t id;
        uint8_t ops; /* bits of odm_lw_ops; 0: of the bootstrap interface only */
        odm_lw_type type;
        bool multiple, mandatory;
        odm_str name, units;
} odm_lw_resource;

typedef struct odm_lw_object {
        uint16_t id;
        odm_str name, urn, version; /* version "1.0" */
        bool multiple, mandatory;
        const odm_lw_resource *v; /* by rising id */
        size_t n;
} odm_lw_object;

/* Objects 0-9, 16, 20, 25 and 26, by rising id. */
extern const odm_lw_object odm_lw_builtin[];
extern const size_t odm_lw_builtin_n;

/* Those, and what was loaded beside or over them.  Every function takes NULL for the built-in ones
 * alone. */
typedef struct odm_lw_registry odm_lw_registry;
#define ODM_LW_OBJECTS_MAX 2048
#define ODM_LW_RESOURCES_MAX 512 /* of one object */

ODM_MUST_USE int odm_lw_registry_new(const odm_mem *mem, odm_lw_registry **out);
void odm_lw_registry_free(odm_lw_registry *r);
/* Each has from now on what the other had; who borrowed one sees that. */
void odm_lw_registry_swap(odm_lw_registry *a, odm_lw_registry *b);
/* Takes each Object of an OMA object definition document (root LWM2M); one of an id that is there
 * already replaces it, unless its version is older.  *n: how many were read; may be NULL.
 * 0; or with nothing taken ODM_EMALFORMED with *why (static text), ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int odm_lw_registry_load(odm_lw_registry *r, odm_str xml, size_t *n, const char **why);
const odm_lw_object *odm_lw_object_find(const odm_lw_registry *r, uint16_t id); /* NULL: unknown */
const odm_lw_resource *odm_lw_resource_find(const odm_lw_registry *r, uint16_t object, uint16_t id);
/* Of a resource or resource instance; ODM_LW_T_UNKNOWN for what is not known. */
odm_lw_type odm_lw_type_at(const odm_lw_registry *r, odm_lw_path p);
/* Each in the order of ids: start with NULL; NULL after the last. */
const odm_lw_object *odm_lw_object_next(const odm_lw_registry *r, const odm_lw_object *after);

/* ---- payloads -------------------------------------------------------------------------------- */

typedef struct odm_lw_frame {       /* what a payload is about */
        const odm_lw_registry *reg; /* may be NULL */
        odm_lw_path at;             /* path of the request; "/" for composite ones and Send */
        odm_str root;               /* what stands before paths in names: "/lwm2m"; may be absent */
} odm_lw_frame;

/* Reads a payload of any of the formats.  An object with one instance whose answer leaves the
 * instance out is taken for instance 0.  ODM_LW_NO_CT is text on a resource, else TLV.
 * 0; ODM_EMALFORMED; ODM_ELIMIT; ODM_ENOMEM; ODM_EUNSUPPORTED for another format, or one that
 * cannot say what is asked (text of an instance).  Text of the result borrows from `in` and `a`. */
ODM_MUST_USE int odm_lw_decode(const odm_lw_frame *f, unsigned ct, odm_str in, odm_arena *a,
                               odm_lw_list *out);
/* Writes nodes, all at or below f->at, in rising order of their paths (ODM_EINVAL else).
 * ODM_LW_TEXT, OPAQUE and CBOR take one node, that at f->at itself.  Appends to `out`.
 * 0, ODM_EINVAL, ODM_EUNSUPPORTED, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_lw_encode(const odm_lw_frame *f, unsigned ct, const odm_lw_list *l,
                               odm_buf *out);
/* The format to write `n` nodes at `at` in, for a peer of version 1.0 (or 1.1) without a wish:
 * text or octets for a resource with one value, else TLV; SenML CBOR for composite requests. */
unsigned odm_lw_ct_for(odm_lw_path at, odm_lw_type type, size_t n);

/* ---- links: registration, Discover, /25/x/3 ---------------------------------------------- */

enum odm_lw_attr { /* bits of odm_lw_attrs.has */
                   ODM_LW_PMIN = 1,
                   ODM_LW_PMAX = 2,
                   ODM_LW_GT = 4,
                   ODM_LW_LT = 8,
                   ODM_LW_ST = 16,
};

typedef struct odm_lw_attrs {
        unsigned has;
        int64_t pmin, pmax; /* seconds */
        double gt, lt, st;
} odm_lw_attrs;

typedef struct odm_lw_link {
        odm_lw_path path; /* depth 1 .. 4 */
        odm_str ver;      /* of an object: "2.2"; absent: 1.0 */
        int32_t dim;      /* instances of a multiple resource; -1: not told */
        int32_t ssid;     /* of an instance of 0 and 1; -1 */
        odm_lw_attrs attrs;
} odm_lw_link;

typedef struct odm_lw_links {
        odm_str root; /* alternate path, without a slash at its end: "/lwm2m"; "" for none */
        odm_lw_link *v;
        size_t n;
        unsigned cts; /* what ct= of the root told: bits of odm_lw_can */
} odm_lw_links;

enum odm_lw_can { /* formats that a client offers for all its objects */
                  ODM_LW_CAN_TLV = 1,
                  ODM_LW_CAN_JSON = 2,
                  ODM_LW_CAN_SENML_JSON = 4,
                  ODM_LW_CAN_SENML_CBOR = 8,
};

#define ODM_LW_LINKS_MAX 4096

/* `root`: what the paths begin with; absent: the link with rt="oma.lwm2m" says so, or nothing.
 * Links to what is no path of LwM2M, and parameters not known, are left out.
 * 0, ODM_EMALFORMED (no link-format), ODM_ELIMIT, ODM_ENOMEM. */
ODM_MUST_USE int odm_lw_links_parse(odm_str in, odm_str root, odm_arena *a, odm_lw_links *out);
/* `</>;rt="oma.lwm2m";ct=11542,</1/0>,...`; the root's link only `with_root` (a registration). */
ODM_MUST_USE int odm_lw_links_format(const odm_lw_links *l, bool with_root, odm_buf *out);

/* Write-Attributes: "pmin=10" ...; in `a`.  At most ODM_LW_QUERIES. */
#define ODM_LW_QUERIES 8
ODM_MUST_USE int odm_lw_attrs_format(const odm_lw_attrs *at, odm_arena *a,
                                     odm_str out[ODM_LW_QUERIES], size_t *n);
/* One parameter; a bare name takes the attribute away (*cleared gets its bit).  ODM_EMALFORMED for
 * a bad value, ODM_ENOENT for another name. */
ODM_MUST_USE int odm_lw_attrs_parse(odm_str query, odm_lw_attrs *at, unsigned *cleared);

/* ---- registration --------------------------------------------------------------------------- */

#define ODM_LW_LIFETIME 86400 /* seconds, when lt is absent */
#define ODM_LW_EP_MAX 255

typedef struct odm_lw_register {
        odm_str ep;      /* absent in an update */
        int64_t lt;      /* seconds; -1: absent */
        odm_str version; /* "1.0" */
        odm_str binding; /* "UQ"; absent: "U" */
        odm_str sms;     /* absent: none */
        bool queue;      /* Q of either version */
} odm_lw_register;

/* The query parameters of Register, or of Update.  *out borrows from them.
 * 0; ODM_EMALFORMED: answer 4.00; ODM_EUNSUPPORTED: a version that is not ours, answer 4.12. */
ODM_MUST_USE int odm_lw_register_parse(const odm_str *query, size_t n, bool update,
                                       odm_lw_register *out);
/* The parameters to send, in `a`. */
ODM_MUST_USE int odm_lw_register_format(const odm_lw_register *r, bool update, odm_arena *a,
                                        odm_str out[ODM_LW_QUERIES], size_t *n);

/* ---- Execute --------------------------------------------------------------------------------- */

#define ODM_LW_ARGS 10
typedef struct odm_lw_arg {
        uint8_t id;    /* 0 .. 9 */
        odm_str value; /* without its quotes; absent: none */
} odm_lw_arg;

/* "0='x',1": 0 or ODM_EMALFORMED (syntax, a number twice).  Empty is no argument. */
ODM_MUST_USE int odm_lw_args_parse(odm_str in, odm_lw_arg out[ODM_LW_ARGS], size_t *n);
/* 0; ODM_EINVAL for a value that cannot be quoted; what the buffer says. */
ODM_MUST_USE int odm_lw_args_format(const odm_lw_arg *v, size_t n, odm_buf *out);

#endif
