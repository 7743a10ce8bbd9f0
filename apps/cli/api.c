/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to the server, one request at a time on it. */
#include "api.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "http_client.h"
#include "net.h"
#include "odm/msg.h"
#include "term.h"

#define BODY_MAX (64u << 20) /* octets of an answer: trees and objects can be long */
#define SLACK_MS 15000       /* beyond what the server was asked to wait */
#define HURRY_MS 1500        /* as long as a person waits for a completion */

struct xrem_link {
        loop *l;
        http_client *http;
        tls_cred *tls;
        loop_timer tick;
        xrem_progress *progress;
        bool interrupted; /* Ctrl-C */
        /* the answer */
        bool done;
        int rc;
        unsigned status;
        const char *why;
        odm_str body;
        const xrem_ask *ask;
        xrem *c;
};

/* ---- the connection -------------------------------------------------------------- */

static int open_tls(xrem *c, struct xrem_link *k)
{
        tls_cred_opt opt = {.ca_file = c->set.ca};
        diag d = {{0}};

        if (!odm_str_starts(odm_cstr(c->set.server), "https:"))
                return XREM_OK;
        if (tls_cred_new(&opt, &k->tls, &d) < 0)
                return xrem_fail(XREM_BAD_INPUT, "%s", d.text);
        return XREM_OK;
}

/* A token is as good as a password: say when it can be read on its way. */
static void warn_of_plain_token(const xrem *c)
{
        net_url url;
        net_addr addr;

        if (c->set.token == NULL || net_url_parse(odm_cstr(c->set.server), &url) < 0 ||
            strcmp(url.scheme, "http") != 0 || strcmp(url.host, "localhost") == 0)
                return;
        if (net_addr_parse(url.host, 0, &addr) < 0 || !net_addr_is_loopback(&addr))
                xrem_note(c, "xrem: the token travels unencrypted to %s; https would hide it",
                          url.host);
}

static void free_link(struct xrem_link *k)
{
        http_client_free(k->http);
        loop_free(k->l);
        tls_cred_free(k->tls);
        odm_free(&heap_mem, k, sizeof *k);
}

static void on_signal(void *ctx, int signo)
{
        struct xrem_link *k = ctx;

        (void)signo;
        k->interrupted = true;
        loop_stop(k->l);
}

static int open_link(xrem *c, unsigned wait_s)
{
        struct xrem_link *k;
        http_client_opt opt;
        int rc;

        xrem_api_done(c);
        k = odm_alloc(&heap_mem, sizeof *k);
        if (k == NULL)
                xrem_out_of_memory();
        k->c = c;
        if ((rc = open_tls(c, k)) != XREM_OK) {
                free_link(k);
                return rc;
        }
        http_client_opt_init(&opt);
        opt.tls = k->tls;
        opt.user_agent = "xrem/" XREM_VERSION;
        opt.limits.max_body = opt.max_inflated = BODY_MAX;
        opt.reply_ms = c->hurry ? HURRY_MS : (int64_t)wait_s * 1000 + SLACK_MS;
        if (c->hurry)
                opt.connect_ms = HURRY_MS;
        if (loop_new(&k->l) < 0 || loop_signal(k->l, SIGINT, on_signal, k) < 0 ||
            http_client_new(k->l, &opt, &k->http) < 0) {
                free_link(k);
                return xrem_fail(XREM_BROKEN, "cannot make an HTTP client");
        }
        c->link = k;
        warn_of_plain_token(c);
        c->link_wait_s = wait_s;
        return XREM_OK;
}

void xrem_api_done(xrem *c)
{
        if (c->link)
                free_link(c->link);
        c->link = NULL;
}

/* ---- one exchange ------------------------------------------------------------------ */

static void give_body(const xrem_ask *ask, const http_reply *r)
{
        uint64_t first, n, all = 0;

        if (http_content_range(http_reply_field(r, "content-range"), &first, &n, &all) < 0)
                all = 0;
        ask->take(ask->ctx, r->body, all);
}

static void on_reply(void *ctx, const http_reply *r)
{
        struct xrem_link *k = ctx;

        k->done = true;
        k->rc = r->rc;
        k->status = r->status;
        k->why = r->rc < 0 ? xrem_fmt(k->c, "%s", r->why ? r->why : odm_err_text(r->rc)) : NULL;
        k->body = ODM_STR("");
        if (r->rc == 0 && k->ask->take && r->status >= 200 && r->status < 300)
                give_body(k->ask, r);
        else if (r->rc == 0)
                k->body = xrem_copy(k->c, r->body);
        loop_timer_stop(&k->tick);
        loop_stop(k->l);
}

static void on_tick(void *ctx)
{
        struct xrem_link *k = ctx;

        if (k->progress == NULL)
                return;
        xrem_progress_tick(k->progress);
        if (loop_timer_set(k->l, &k->tick, odm_time_add(loop_now(), XREM_PROGRESS_MS)) < 0)
                xrem_out_of_memory();
}

static int exchange(xrem *c, const xrem_ask *ask, odm_str body)
{
        struct xrem_link *k = c->link;
        http_field fields[4];
        size_t n = 0;

        fields[n++] = (http_field){ODM_STR("Accept"),
                                   ask->take ? ODM_STR("*/*") : ODM_STR("application/json")};
        if (c->set.token)
                fields[n++] = (http_field){ODM_STR("Authorization"),
                                           xrem_str(c, "Bearer %s", c->set.token)};
        if (body.p)
                fields[n++] = (http_field){ODM_STR("Content-Type"),
                                           ask->octets.p ? ODM_STR("application/octet-stream")
                                                         : ODM_STR("application/json")};
        if (ask->range.p)
                fields[n++] = (http_field){
                        ask->octets.p ? ODM_STR("Content-Range") : ODM_STR("Range"), ask->range};
        http_request r = {.method = ask->method, .fields = fields, .n_fields = n, .body = body};
        size_t len = strlen(c->set.server);
        while (len > 0 && c->set.server[len - 1] == '/')
                len--;
        r.url = xrem_str(c, "%.*s%s", (int)len, c->set.server, ask->path);
        k->done = false;
        k->ask = ask;
        k->progress = ask->progress;
        k->tick = (loop_timer){.fn = on_tick, .ctx = k};
        int rc = http_client_send(k->http, &r, on_reply, k);
        if (rc < 0)
                return xrem_fail(XREM_USAGE, "cannot ask %s: %s", c->set.server, odm_err_text(rc));
        on_tick(k);
        while (!k->done && !k->interrupted)
                if (loop_run(k->l) < 0)
                        return xrem_fail(XREM_BROKEN, "cannot wait for the server");
        loop_timer_stop(&k->tick);
        if (k->done)
                return XREM_OK;
        http_client_cancel(k->http);
        c->interrupted = true;
        return XREM_TIMEOUT;
}

/* ---- what an answer means ------------------------------------------------------------- */

static int code_of(unsigned status, long long device_status)
{
        switch (status) {
        case 401:
        case 403: return XREM_DENIED;
        case 404: return XREM_NOT_FOUND;
        case 400:
        case 413:
        case 415:
        case 422: return XREM_BAD_INPUT;
        case 502: return device_status == ODM_ST_NOT_FOUND ? XREM_NOT_FOUND : XREM_REFUSED;
        case 503: return XREM_UNREACHABLE;
        case 504: return XREM_TIMEOUT;
        default: return XREM_REFUSED;
        }
}

/* The members at fault, a line each; the detail says no more than the first of them. */
static void tell_errors(int code, const char *title, const json_t *errors)
{
        size_t n = json_array_size(errors);

        if (n > 1)
                xrem_fail(code, "%s:", title);
        for (size_t i = 0; i < n; i++) {
                const json_t *e = json_array_get(errors, i);
                const char *name = xrem_json_z(e, "name"), *reason = xrem_json_z(e, "reason");

                xrem_fail(code, "%s%s%s: %s", n > 1 ? "  " : title, n > 1 ? "" : ": ",
                          name ? name : "?", reason ? reason : "?");
        }
}

/* It says all by itself. */
static bool is_sentence(const char *s)
{
        return s && *s && s[strlen(s) - 1] == '.';
}

static int tell_problem(xrem *c, const struct xrem_link *k, const json_t *problem)
{
        const char *title = xrem_json_z(problem, "title"), *detail = xrem_json_z(problem, "detail");
        const char *job = xrem_json_z(problem, "job");
        const json_t *errors = json_object_get(problem, "errors");
        int code = code_of(k->status, xrem_json_int(problem, "device_status", 0));

        if (title == NULL && k->status == 503)
                title = xrem_fmt(c, "%s has no time, or is ending; try again", c->set.server);
        if (title == NULL)
                title = xrem_fmt(c, "the server answered %u", k->status);
        if (json_array_size(errors))
                tell_errors(code, title, errors);
        else if (is_sentence(detail))
                xrem_fail(code, "%s", detail);
        else
                xrem_fail(code, "%s%s%s", title, detail ? ": " : "", detail ? detail : "");
        if (k->status == 401 && c->set.token == NULL)
                xrem_fail(code, "no token is known; see --token, XREM_TOKEN and the config file");
        if (k->status == 504 && job)
                xrem_fail(code, "xrem job show %s tells more", job);
        return code;
}

static bool is_exists(const json_t *problem)
{
        const char *type = xrem_json_z(problem, "type"), *word = type ? strrchr(type, ':') : NULL;

        return word && strcmp(word, ":exists") == 0;
}

static int take_answer(xrem *c, const xrem_ask *ask, json_t **out)
{
        const struct xrem_link *k = c->link;
        json_t *j = NULL;
        bool empty = odm_str_trim(k->body).n == 0;

        if (k->rc == ODM_EINVAL)
                return xrem_fail(XREM_BAD_INPUT, "'%s': %s", c->set.server, k->why);
        if (ask->away && (k->rc < 0 || k->status == 503)) {
                *ask->away = true;
                return XREM_UNREACHABLE;
        }
        if (k->rc < 0)
                return xrem_fail(XREM_UNREACHABLE, "cannot reach %s: %s", c->set.server, k->why);
        if (!empty) {
                j = json_loadb(k->body.p, k->body.n, JSON_ALLOW_NUL, NULL);
                if (j)
                        xrem_own(c, j);
        }
        if (ask->exists && k->status == 409 && is_exists(j)) {
                *ask->exists = j;
                return XREM_REFUSED;
        }
        if (!ask->any_status && (k->status < 200 || k->status > 299))
                return tell_problem(c, k, j);
        if (j == NULL && !(empty && (k->status == 202 || k->status == 204)) && !ask->take)
                return xrem_fail(XREM_UNREACHABLE, "%s does not answer as nremd does",
                                 c->set.server);
        if (out)
                *out = j;
        return XREM_OK;
}

int xrem_api(xrem *c, const xrem_ask *ask, json_t **out)
{
        odm_str body = ask->octets;
        int rc = XREM_OK;

        if (ask->body) {
                char *text = json_dumps(ask->body, JSON_COMPACT);

                json_decref(ask->body);
                if (text == NULL)
                        xrem_out_of_memory();
                body = xrem_copy(c, odm_cstr(text));
                free(text);
        }
        if (c->link == NULL || c->link_wait_s < ask->wait_s)
                rc = open_link(c, ask->wait_s);
        if (rc == XREM_OK)
                rc = exchange(c, ask, body);
        return rc == XREM_OK ? take_answer(c, ask, out) : rc;
}

int xrem_api_list(xrem *c, const char *path, uint64_t limit, json_t **out)
{
        json_t *all = xrem_own(c, json_array());
        const char *cursor = NULL;

        do {
                uint64_t left = limit ? limit - json_array_size(all) : 1000;
                const char *page = xrem_query(
                        c, path, "limit",
                        xrem_fmt(c, "%llu", (unsigned long long)(left > 1000 ? 1000 : left)));
                xrem_ask ask = {.method = "GET", .path = xrem_query(c, page, "cursor", cursor)};
                json_t *j = NULL;
                int rc = xrem_api(c, &ask, &j);

                if (rc != XREM_OK)
                        return rc;
                if (json_array_extend(all, json_object_get(j, "items")) < 0)
                        return xrem_fail(XREM_UNREACHABLE, "%s does not answer as nremd does",
                                         c->set.server);
                cursor = xrem_json_z(j, "next");
        } while (cursor && (limit == 0 || json_array_size(all) < limit));
        *out = all;
        return XREM_OK;
}

/* ---- paths and times ---------------------------------------------------------------------- */

const char *xrem_escape(xrem *c, const char *s)
{
        static const char digits[] = "0123456789ABCDEF";
        char *p = xrem_get(c, strlen(s) * 3 + 1);
        size_t n = 0;

        for (; *s; s++) {
                uint8_t b = (uint8_t)*s;
                bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
                             (b >= '0' && b <= '9') || strchr("-._~", b);

                if (plain) {
                        p[n++] = (char)b;
                } else {
                        p[n++] = '%';
                        p[n++] = digits[b >> 4];
                        p[n++] = digits[b & 15];
                }
        }
        return p;
}

const char *xrem_query(xrem *c, const char *path, const char *name, const char *value)
{
        if (value == NULL)
                return path;
        return xrem_fmt(c, "%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', name,
                        xrem_escape(c, value));
}

const char *xrem_device_path(xrem *c, const char *device, const char *rest)
{
        return xrem_fmt(c, "/api/v1/devices/%s%s", xrem_escape(c, device), rest);
}

odm_str xrem_ago(xrem *c, odm_str time)
{
        char compact[ODM_WALL_TEXT];
        size_t n = 0;
        odm_wall then;

        if (time.p == NULL)
                return ODM_ABSENT;
        for (size_t i = 0; i < time.n && n + 1 < sizeof compact; i++) {
                if (time.p[i] == '.') /* parts of a second */
                        while (i + 1 < time.n && time.p[i] != 'Z')
                                i++;
                if (time.p[i] != '-' && time.p[i] != ':')
                        compact[n++] = time.p[i];
        }
        if (odm_wall_parse((odm_str){compact, n}, &then) < 0)
                return time;
        int64_t s = loop_wall().s - then.s;
        const char *in = s < -1 ? "in " : "", *ago = s < -1 ? "" : " ago";
        s = s < -1 ? -s : s < 0 ? 0 : s; /* clocks of two machines differ a little */
        if (s < 120)
                return xrem_str(c, "%s%d s%s", in, (int)s, ago);
        if (s < 120 * 60)
                return xrem_str(c, "%s%d min%s", in, (int)(s / 60), ago);
        if (s < 48 * 3600)
                return xrem_str(c, "%s%d h%s", in, (int)(s / 3600), ago);
        return xrem_str(c, "%s%lld days%s", in, (long long)(s / 86400), ago);
}
