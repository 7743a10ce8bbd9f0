/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of DTLS, from a file: a line an identity, "IDENTITY KEY [ENDPOINT]", the key in
 * hexadecimal, the endpoint the identity itself unless it is given.  The file is read again when it
 * has changed; one that cannot be read then leaves the keys as they were. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "lwm2m_inner.h"

#define FILE_MAX ((size_t)16 << 20)
#define KEY_MIN 8 /* octets: shorter ones are no secrets */

static odm_str word(odm_str *rest)
{
        odm_str s = odm_str_trim(*rest);
        size_t n = 0;

        while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
                n++;
        *rest = odm_str_from(s, n);
        return odm_str_to(s, n);
}

static int digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool lw_keys_hex(odm_str hex, uint8_t key[CO_KEY_MAX], size_t *n)
{
        if (hex.n % 2 || hex.n / 2 < KEY_MIN || hex.n / 2 > CO_KEY_MAX)
                return false;
        for (size_t i = 0; i < hex.n; i += 2) {
                int hi = digit(hex.p[i]), lo = digit(hex.p[i + 1]);

                if (hi < 0 || lo < 0)
                        return false;
                key[i / 2] = (uint8_t)(hi << 4 | lo);
        }
        *n = hex.n / 2;
        return true;
}

/* 1: a key, 0: nothing on this line, or ODM_EMALFORMED. */
static int read_line(odm_str line, seal *out)
{
        odm_str rest = odm_str_trim(line), key;

        if (rest.n == 0 || rest.p[0] == '#')
                return 0;
        *out = (seal){.identity = word(&rest)};
        key = word(&rest);
        out->ep = word(&rest);
        if (out->ep.n == 0)
                out->ep = out->identity;
        if (!lw_keys_hex(key, out->key, &out->n) || out->identity.n > CO_IDENTITY_MAX ||
            out->ep.n > ODM_LW_EP_MAX || odm_str_trim(rest).n > 0)
                return ODM_EMALFORMED;
        return 1;
}

static int by_identity(const void *a, const void *b)
{
        return odm_str_cmp(((const seal *)a)->identity, ((const seal *)b)->identity);
}

static size_t count_lines(odm_str text)
{
        size_t n = 1;

        for (size_t i = 0; i < text.n; i++)
                n += text.p[i] == '\n';
        return n;
}

/* Reads all of them into `to`; *line is that of a mistake. */
static int read_all(odm_str text, keyring *to, unsigned *line)
{
        size_t at = 0;

        *line = 0;
        to->v = odm_arena_zget(&to->mem, count_lines(text) * sizeof *to->v);
        if (!to->v)
                return odm_arena_err(&to->mem);
        while (at < text.n) {
                const char *nl = memchr(text.p + at, '\n', text.n - at);
                size_t n = nl ? (size_t)(nl - text.p) - at : text.n - at;
                int rc;

                ++*line;
                rc = read_line((odm_str){text.p + at, n}, &to->v[to->n]);
                if (rc < 0)
                        return rc;
                to->n += (size_t)rc;
                at += n + 1;
        }
        if (to->n)
                qsort(to->v, to->n, sizeof *to->v, by_identity);
        for (size_t i = 1; i < to->n; i++)
                if (odm_str_eq(to->v[i - 1].identity, to->v[i].identity))
                        return ODM_EEXIST;
        return 0;
}

static void ring_done(keyring *k)
{
        if (k->v)
                odm_wipe(k->v, k->n * sizeof *k->v);
        odm_arena_done(&k->mem);
}

static bool stamp_of(const char *path, int64_t out[3])
{
        struct stat st;

        if (stat(path, &st) < 0)
                return false;
        out[0] = st.st_mtim.tv_sec;
        out[1] = st.st_mtim.tv_nsec;
        out[2] = (int64_t)st.st_ino;
        return true;
}

static int load(lwm2m *a, diag *d)
{
        keyring fresh = {.path = a->keys.path};
        odm_buf text;
        odm_str copy;
        unsigned line = 0;
        int rc;

        odm_buf_init(&text, &heap_mem, FILE_MAX);
        odm_arena_init(&fresh.mem, &heap_mem, 4 * FILE_MAX);
        if (!stamp_of(fresh.path, fresh.stamp))
                rc = ODM_ENOENT;
        else
                rc = fsio_read(fresh.path, FILE_MAX, &text, d);
        if (rc == 0) {
                copy = odm_arena_copy(&fresh.mem, odm_buf_view(&text));
                rc = copy.p ? read_all(copy, &fresh, &line) : odm_arena_err(&fresh.mem);
        }
        if (text.p)
                odm_wipe(text.p, text.n);
        odm_buf_done(&text);
        if (rc < 0) {
                diag_set(d, rc, "%s:%u: %s", fresh.path, line, odm_err_text(rc));
                memcpy(a->keys.stamp, fresh.stamp, sizeof fresh.stamp); /* told once */
                ring_done(&fresh);
                return rc;
        }
        ring_done(&a->keys);
        a->keys = fresh;
        return 0;
}

int lw_keys_open(lwm2m *a, diag *d)
{
        odm_arena_init(&a->keys.mem, &heap_mem, 4096);
        a->keys.path = cfg_str(a->conf, "lwm2m.keys");
        return a->keys.path ? load(a, d) : 0;
}

void lw_keys_close(lwm2m *a)
{
        ring_done(&a->keys);
}

static void refresh(lwm2m *a)
{
        int64_t now[3];
        diag d = {0};

        if (!a->keys.path || !stamp_of(a->keys.path, now) ||
            memcmp(now, a->keys.stamp, sizeof now) == 0)
                return;
        if (load(a, &d) < 0)
                log_error("keys are as before", log_text("why", d.text));
}

static const seal *find(lwm2m *a, odm_str identity)
{
        const seal key = {.identity = identity};

        if (a->keys.n == 0)
                return NULL;
        return bsearch(&key, a->keys.v, a->keys.n, sizeof key, by_identity);
}

bool lw_keys_find(void *ctx, odm_str identity, uint8_t key[CO_KEY_MAX], size_t *n)
{
        lwm2m *a = ctx;
        const seal *s;

        refresh(a);
        s = find(a, identity);
        if (!s)
                return false;
        memcpy(key, s->key, s->n);
        *n = s->n;
        return true;
}

bool lw_keys_may_be(lwm2m *a, odm_str identity, odm_str ep)
{
        const seal *s;

        refresh(a);
        s = find(a, identity);
        if (s)
                return odm_str_eq(s->ep, ep);
        /* Of a certificate: its name.  Else its key was taken away. */
        return cfg_str(a->conf, "lwm2m.cert") && odm_str_eq(identity, ep);
}

bool lw_keys_need(lwm2m *a, odm_str ep)
{
        refresh(a);
        for (size_t i = 0; i < a->keys.n; i++)
                if (odm_str_eq(a->keys.v[i].ep, ep))
                        return true;
        return false;
}
