/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

static void *heap_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        (void)ctx;
        assert_true((p == NULL) == (old_n == 0)); /* who frees must know the size */
        if (n == 0) {
                free(p);
                return NULL;
        }
        return realloc(p, n);
}

const odm_mem heap = {heap_resize, NULL};

odm_str exact_bytes(const void *p, size_t n)
{
        char *q = malloc(n ? n : 1);

        assert_non_null(q);
        if (n)
                memcpy(q, p, n);
        return (odm_str){q, n};
}

odm_str exact_copy(const char *z)
{
        return exact_bytes(z, strlen(z));
}

void exact_free(odm_str s)
{
        free((void *)(uintptr_t)s.p);
}

odm_str from_hex(const char *hex)
{
        char *q = malloc(strlen(hex) / 2 + 1);
        size_t n = 0;
        int high = -1;

        assert_non_null(q);
        for (; *hex; hex++) {
                static const char digits[] = "0123456789abcdef";
                char c = *hex;
                if (c == ' ' || c == '\n' || c == '\t')
                        continue;
                if (c >= 'A' && c <= 'F')
                        c = (char)(c - 'A' + 'a');
                const char *at = strchr(digits, c);
                assert_non_null(at);
                if (high < 0) {
                        high = (int)(at - digits);
                } else {
                        q[n++] = (char)(high << 4 | (int)(at - digits));
                        high = -1;
                }
        }
        assert_int_equal(high, -1);
        odm_str exact = exact_bytes(q, n);
        free(q);
        return exact;
}

uint64_t seeded_next(seeded *s) /* splitmix64 */
{
        uint64_t z = (s->state += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

static int seeded_fill(void *ctx, void *p, size_t n)
{
        unsigned char *q = p;

        for (size_t i = 0; i < n; i++)
                q[i] = (unsigned char)seeded_next(ctx);
        return 0;
}

odm_rng seeded_rng(seeded *s, uint64_t seed)
{
        s->state = seed;
        return (odm_rng){seeded_fill, s};
}

static void *failing_resize(void *ctx, void *p, size_t old_n, size_t n)
{
        failing *f = ctx;

        if (n > 0) {
                f->calls++;
                if (f->fail_at &&
                    (f->calls == f->fail_at || (f->for_ever && f->calls > f->fail_at)))
                        return NULL;
        }
        f->live += (p == NULL && n > 0);
        f->live -= (p != NULL && n == 0);
        return heap_resize(NULL, p, old_n, n);
}

void failing_init(failing *f)
{
        *f = (failing){.mem = {failing_resize, f}};
}

static void torture_once(torture_body body, void *arg, uint64_t at, bool for_ever)
{
        failing f;

        failing_init(&f);
        f.fail_at = at;
        f.for_ever = for_ever;
        int rc = body(&f, arg);
        if (rc != 0 && rc != ODM_ENOMEM)
                fail_msg("allocation %llu%s: returned %s", (unsigned long long)at,
                         for_ever ? " and all after" : "", odm_err_name(rc));
        if (f.live != 0)
                fail_msg("allocation %llu%s: %llu blocks left", (unsigned long long)at,
                         for_ever ? " and all after" : "", (unsigned long long)f.live);
}

void torture(torture_body body, void *arg, unsigned most)
{
        failing f;

        failing_init(&f);
        int rc = body(&f, arg);
        if (rc != 0)
                fail_msg("without any failure: returned %s", odm_err_name(rc));
        assert_true(f.live == 0);
        uint64_t step = f.calls > most ? f.calls / most : 1;
        for (uint64_t at = 1; at <= f.calls; at += step) {
                torture_once(body, arg, at, false);
                torture_once(body, arg, at, true);
        }
        torture_once(body, arg, 0, false); /* and it succeeds when run again */
}

void assert_str_at(odm_str a, odm_str b, const char *file, int line)
{
        if (odm_str_eq(a, b))
                return;
        print_error("%s:%d: got '%.*s' (%zu), want '%.*s' (%zu)\n", file, line, (int)a.n,
                    a.p ? a.p : "", a.n, (int)b.n, b.p ? b.p : "", b.n);
        _fail(file, line);
}

const char *quick_folder(void)
{
        static const char memory[] = "/dev/shm";

        return access(memory, W_OK | X_OK) == 0 ? memory : "/tmp";
}

void write_below(const char *root, const char *path, const char *text)
{
        char whole[512];
        FILE *f;

        snprintf(whole, sizeof whole, "%s%s", root, path);
        for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')); at++) {
                *at = 0;
                mkdir(whole, 0755);
                *at = '/';
        }
        f = fopen(whole, "we");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
}
