/* SPDX-License-Identifier: Apache-2.0 */
/* Bootstrap (lwm2m.md 3.6, 6.6): a device that asks at /bs is given the account of a file, a line
 * for each, "ENDPOINT URI [IDENTITY KEY]"; without a key it is one without protection.
 *
 *     POST /bs?ep=   2.04   DELETE /   PUT /0/1   PUT /1/1   POST /bs (finish)
 *
 * An account with a key is given over DTLS only, to the endpoint of the identity that it showed, or
 * where the plain listener is this machine's own. */
#include <stdlib.h>
#include <string.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

#define FILE_MAX ((size_t)4 << 20)
#define BODY_MAX ((size_t)4096)
#define BOOTS_MAX 256 /* at one time */
#define STEP_MS 30000
#define MODE_PSK 0
#define MODE_NONE 3
#define OBJECT_INSTANCE 1 /* 0 is that of the bootstrap server itself, mostly */

typedef struct account {
        odm_str ep, uri, identity;
        uint8_t key[CO_KEY_MAX];
        size_t n;
} account;

typedef enum boot_step {
        BOOT_DELETE,
        BOOT_SECURITY,
        BOOT_SERVER,
        BOOT_FINISH,
        BOOT_OVER
} boot_step;

typedef struct boot { /* a device that is given its account */
        struct boot *next;
        lwm2m *a;
        co_end *end;
        net_addr to;
        boot_step step;
        uint64_t ask;
        char *identity; /* who it must be; NULL without DTLS */
        odm_arena mem;
        account acc;
} boot;

/* ---- accounts ------------------------------------------------------------------------------------------ */

static odm_str word(odm_str *rest)
{
        odm_str s = odm_str_trim(*rest);
        size_t n = 0;

        while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
                n++;
        *rest = odm_str_from(s, n);
        return odm_str_to(s, n);
}

/* 1: that of `ep`; 0: not; ODM_EMALFORMED. */
static int read_line(odm_str line, odm_str ep, account *out)
{
        odm_str rest = odm_str_trim(line), key;

        if (rest.n == 0 || rest.p[0] == '#')
                return 0;
        *out = (account){.ep = word(&rest)};
        out->uri = word(&rest);
        out->identity = word(&rest);
        key = word(&rest);
        if (out->uri.n == 0 || odm_str_trim(rest).n > 0)
                return ODM_EMALFORMED;
        if (out->identity.n && !lw_keys_hex(key, out->key, &out->n))
                return ODM_EMALFORMED;
        return odm_str_eq(out->ep, ep);
}

static int find_line(odm_str text, odm_str ep, account *out)
{
        size_t at = 0;

        while (at < text.n) {
                const char *nl = memchr(text.p + at, '\n', text.n - at);
                size_t n = nl ? (size_t)(nl - text.p) - at : text.n - at;
                int rc = read_line((odm_str){text.p + at, n}, ep, out);

                if (rc != 0)
                        return rc < 0 ? rc : 0;
                at += n + 1;
        }
        return ODM_ENOENT;
}

/* The account of `ep`, in `mem`. */
static int find_account(lwm2m *a, odm_str ep, odm_arena *mem, account *out)
{
        const char *path = cfg_str(a->conf, "lwm2m.bootstrap");
        odm_buf text;
        diag d = {0};
        int rc;

        if (!path)
                return ODM_ENOENT;
        odm_buf_init(&text, &heap_mem, FILE_MAX);
        rc = fsio_read(path, FILE_MAX, &text, &d);
        if (rc == 0)
                rc = find_line(odm_buf_view(&text), ep, out);
        if (rc == 0) {
                out->ep = odm_arena_copy(mem, out->ep);
                out->uri = odm_arena_copy(mem, out->uri);
                out->identity = odm_arena_copy(mem, out->identity);
                rc = mem->err;
        } else if (rc != ODM_ENOENT) {
                log_error("accounts for bootstrap", log_text("file", path), log_err(rc));
        }
        if (text.p)
                odm_wipe(text.p, text.n);
        odm_buf_done(&text);
        return rc;
}

/* ---- what is written -------------------------------------------------------------------------------------- */

static odm_lw_node text_at(uint16_t object, uint16_t resource, odm_lw_type type, odm_str s)
{
        return (odm_lw_node){.path = ODM_LW_PATH3(object, OBJECT_INSTANCE, resource),
                             .value = {.type = type, .data = s}};
}

static odm_lw_node number_at(uint16_t object, uint16_t resource, int64_t i)
{
        return (odm_lw_node){.path = ODM_LW_PATH3(object, OBJECT_INSTANCE, resource),
                             .value = {.type = ODM_LW_T_INTEGER, .i = i}};
}

static odm_lw_node flag_at(uint16_t object, uint16_t resource, bool b)
{
        return (odm_lw_node){.path = ODM_LW_PATH3(object, OBJECT_INSTANCE, resource),
                             .value = {.type = ODM_LW_T_BOOLEAN, .b = b}};
}

static int write_security(const boot *b, odm_buf *out)
{
        const account *c = &b->acc;
        odm_lw_node v[] = {
                text_at(0, 0, ODM_LW_T_STRING, c->uri),
                flag_at(0, 1, false),
                number_at(0, 2, c->n ? MODE_PSK : MODE_NONE),
                text_at(0, 3, ODM_LW_T_OPAQUE, c->identity),
                text_at(0, 4, ODM_LW_T_OPAQUE, ODM_STR("")),
                text_at(0, 5, ODM_LW_T_OPAQUE, (odm_str){(const char *)c->key, c->n}),
                number_at(0, 10, cfg_int(b->a->conf, "lwm2m.short_id")),
        };
        const odm_lw_frame f = {.at = ODM_LW_PATH2(0, OBJECT_INSTANCE)};

        return odm_lw_encode(&f, ODM_LW_TLV, &(odm_lw_list){v, ODM_COUNT(v)}, out);
}

static int write_server(const boot *b, odm_buf *out)
{
        odm_lw_node v[] = {
                number_at(1, 0, cfg_int(b->a->conf, "lwm2m.short_id")),
                number_at(1, 1, cfg_ms(b->a->conf, "lwm2m.lifetime") / 1000),
                flag_at(1, 6, true),
                text_at(1, 7, ODM_LW_T_STRING, ODM_STR("U")),
        };
        const odm_lw_frame f = {.at = ODM_LW_PATH2(1, OBJECT_INSTANCE)};

        return odm_lw_encode(&f, ODM_LW_TLV, &(odm_lw_list){v, ODM_COUNT(v)}, out);
}

/* ---- steps ------------------------------------------------------------------------------------------------------ */

static void boot_free(boot *b)
{
        boot **at = &b->a->boots;

        while (*at != b)
                at = &(*at)->next;
        *at = b->next;
        b->a->n_boots--;
        if (b->ask)
                co_cancel(b->end, b->ask);
        odm_wipe(&b->acc, sizeof b->acc);
        odm_arena_done(&b->mem);
        free(b->identity);
        free(b);
}

static void take_step(boot *b);

static void on_answer(void *ctx, co_end_of why, const co_msg *m)
{
        boot *b = ctx;

        b->ask = 0;
        if (why != CO_REPLY || co_class(m->code) != 2) {
                char code[CO_CODE_TEXT] = "";

                if (m)
                        co_code_format(m->code, code);
                log_warn("bootstrap failed", log_str("endpoint", b->acc.ep),
                         log_text("why", co_end_text(why)), log_text("code", code));
                boot_free(b);
                return;
        }
        b->step++;
        take_step(b);
}

static int fill(const boot *b, co_msg *m, odm_buf *body)
{
        switch (b->step) {
        case BOOT_DELETE: m->code = CO_DELETE; return 0;
        case BOOT_SECURITY:
                m->code = CO_PUT;
                m->path = ODM_STR("0/1");
                m->format = ODM_LW_TLV;
                return write_security(b, body);
        case BOOT_SERVER:
                m->code = CO_PUT;
                m->path = ODM_STR("1/1");
                m->format = ODM_LW_TLV;
                return write_server(b, body);
        case BOOT_FINISH:
                m->code = CO_POST;
                m->path = ODM_STR("bs");
                return 0;
        case BOOT_OVER: break;
        }
        return ODM_ESTATE;
}

static void take_step(boot *b)
{
        co_how how = {.deadline_ms = STEP_MS};
        odm_buf body;
        co_msg m;
        int rc;

        if (b->step == BOOT_OVER) {
                log_info("bootstrapped", log_str("endpoint", b->acc.ep),
                         log_str("server", b->acc.uri));
                boot_free(b);
                return;
        }
        odm_buf_init(&body, &heap_mem, BODY_MAX);
        co_msg_init(&m, 0);
        rc = fill(b, &m, &body);
        m.body = odm_buf_view(&body);
        if (b->identity)
                how.identity = odm_cstr(b->identity);
        if (rc == 0)
                rc = co_ask(b->end, &b->to, &m, &how, on_answer, b, &b->ask);
        if (body.p)
                odm_wipe(body.p, body.n);
        odm_buf_done(&body);
        if (rc < 0) {
                log_error("bootstrap", log_str("endpoint", b->acc.ep), log_err(rc));
                boot_free(b);
        }
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static bool may_have(lwm2m *a, const account *c, co_request *r, co_peer *p)
{
        bool secure = co_request_end(r) == a->secure;

        if (secure)
                return lw_keys_may_be(a, co_peer_identity(p), c->ep);
        return c->n == 0 || !cfg_bool(a->conf, "lwm2m.insecure"); /* its listener is local */
}

/* What was under way for it is over: it asks anew, and must not hear both in turns. */
static void drop_older(const boot *b)
{
        for (boot *x = b->a->boots, *next; x; x = next) {
                next = x->next;
                if (x != b && odm_str_eq(x->acc.ep, b->acc.ep))
                        boot_free(x);
        }
}

void lw_boot_request(lwm2m *a, co_request *r, co_peer *p, const co_msg *m)
{
        odm_str ep = co_query(m, "ep"), identity = co_peer_identity(p);
        boot *b;
        int rc;

        if (a->n_boots >= BOOTS_MAX || !(b = calloc(1, sizeof *b))) {
                co_answer_code(r, CO_UNAVAILABLE);
                return;
        }
        b->next = a->boots;
        b->a = a;
        a->boots = b;
        a->n_boots++;
        b->end = co_request_end(r);
        co_peer_addr(p, &b->to);
        odm_arena_init(&b->mem, &heap_mem, 16384);
        rc = ep.n ? find_account(a, ep, &b->mem, &b->acc) : ODM_EMALFORMED;
        if (rc == 0 && !may_have(a, &b->acc, r, p))
                rc = ODM_EACCESS;
        if (rc == 0 && identity.p)
                rc = lw_client_text(&b->identity, identity);
        if (rc < 0) {
                co_answer_code(r, ep.n == 0 || rc == ODM_ENOENT ? CO_BAD_REQUEST
                                  : rc == ODM_EACCESS           ? CO_FORBIDDEN
                                                                : CO_SERVER_ERROR);
                boot_free(b);
                return;
        }
        drop_older(b);
        co_answer_code(r, CO_CHANGED);
        take_step(b);
}

void lw_boot_drop_all(lwm2m *a)
{
        while (a->boots)
                boot_free(a->boots);
}
