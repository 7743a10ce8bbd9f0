/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a package fits, where it is found, and which paths are its own. */
#include "package.h"

#include "heap.h"
#include "support.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define S(z)                        \
        {                           \
                "" z, sizeof(z) - 1 \
        }

static const store_device meter = {
        .maker = S("Acme"), .model = S("M1"), .fwv = S("1.10"), .reached = S("http://a:8080")};

static const struct fit_row {
        const char *why, *fits, *said;
} fit_rows[] = {
        {"for all", "", NULL},
        {"its model", "{\"model\":[\"M0\",\"M1\"]}", NULL},
        {"its version is in the range", "{\"fwv\":\">=1.9 <2\"}", NULL},
        {"another model", "{\"model\":\"M2\"}", "its model is M1; wanted is M2"},
        {"too old", "{\"fwv\":\">=1.11\"}", "its firmware version is 1.10; wanted is >=1.11"},
        {"damaged", "{\"fwv\"", "which devices the package is for cannot be read"},
};

static void whom_it_fits(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(fit_rows); i++) {
                const package p = {.fits = odm_cstr(fit_rows[i].fits)};
                odm_str why = ODM_ABSENT;
                if (package_fits(&p, &meter, &a, &why) != !fit_rows[i].said)
                        fail_msg("%s", fit_rows[i].why);
                assert_octets(why, odm_cstr(fit_rows[i].said));
        }
        odm_arena_done(&a);
}

static const struct link_row {
        const char *why, *base, *url;
        uint32_t state;
        bool called; /* the device has */
        const char *want;
} link_rows[] = {
        {"below what the device called", NULL, "", PACKAGE_READY, true,
         "http://a:8080/packages/7/" HASH "/box-2.img"},
        {"below what is configured", "https://dl.example", "", PACKAGE_READY, true,
         "https://dl.example/packages/7/" HASH "/box-2.img"},
        {"it has not called yet", NULL, "", PACKAGE_READY, false, NULL},
        {"it has not called, but all is configured", "https://dl.example/x", "", PACKAGE_READY,
         false, "https://dl.example/x/packages/7/" HASH "/box-2.img"},
        {"elsewhere", "https://dl.example", "http://b/c?d", PACKAGE_READY, true, "http://b/c?d"},
        {"not there yet", "https://dl.example", "", PACKAGE_WANTED, true, NULL},
};

static void where_it_is_found(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(link_rows); i++) {
                const struct link_row *r = &link_rows[i];
                const package p = {.id = 7,
                                   .state = r->state,
                                   .url = odm_cstr(r->url),
                                   .sha256 = ODM_STR(HASH),
                                   .file = ODM_STR("box-2.img")};
                const store_device none = {.id = 1};
                odm_str link = package_link(&p, r->called ? &meter : &none, odm_cstr(r->base), &a);
                if (!odm_str_eq(link, odm_cstr(r->want)))
                        fail_msg("%s: %.*s", r->why, (int)link.n, link.p ? link.p : "");
        }
        odm_arena_done(&a);
}

static const cfg_key keys[] = {{"dm.url", CFG_STRING, NULL, "d"},
                               {"packages.url", CFG_STRING, NULL, "p"}};

static const struct base_row {
        const char *why, *conf, *want;
} base_rows[] = {
        {"nothing is configured", "", NULL},
        {"where devices call, without the path", "[dm]\nurl = https://dm.example:444/dm\n",
         "https://dm.example:444"},
        {"the same without a path", "[dm]\nurl = https://dm.example\n", "https://dm.example"},
        {"of its own", "[dm]\nurl = https://dm.example/dm\n[packages]\nurl = http://cdn/x/\n",
         "http://cdn/x"},
        {"no more than a slash", "[packages]\nurl = /\n", NULL},
};

static void what_links_begin_with(void **state)
{
        odm_arena a;

        (void)state;
        odm_arena_init(&a, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(base_rows); i++) {
                diag d = {{0}};
                cfg *c = NULL;
                odm_str got;
                assert_int_equal(cfg_new(keys, ODM_COUNT(keys), &c), 0);
                assert_int_equal(cfg_parse(c, odm_cstr(base_rows[i].conf), "x", &d), 0);
                got = package_base(c, &a);
                if (!odm_str_eq(got, odm_cstr(base_rows[i].want)))
                        fail_msg("%s: %.*s", base_rows[i].why, (int)got.n, got.p ? got.p : "");
                cfg_free(c);
        }
        assert_null(package_base(NULL, &a).p);
        odm_arena_done(&a);
}

static const struct path_row {
        const char *why, *path;
        int want; /* 0: none of the package's; 1: its content; 2: its signature */
} path_rows[] = {
        {"content", "/packages/7/" HASH "/box-2.img", 1},
        {"signature", "/packages/7/" HASH "/box-2.img.sig", 2},
        {"another file", "/packages/7/" HASH "/box-3.img", 0},
        {"a signature of a signature", "/packages/7/" HASH "/box-2.img.sig.sig", 0},
        {"another hash", "/packages/7/" OTHER "/box-2.img", 0},
        {"a short hash", "/packages/7/0123/box-2.img", 0},
        {"no hash", "/packages/7/box-2.img", 0},
        {"letters of the upper case",
         "/packages/7/"
         "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789ab"
         "cdef/box-2.img",
         0},
        {"no file", "/packages/7/" HASH "/", 0},
        {"nothing behind the hash", "/packages/7/" HASH, 0},
        {"a folder", "/packages/7/" HASH "/x/box-2.img", 0},
        {"a folder above", "/packages/7/" HASH "/..", 0},
        {"no number", "/packages/x/" HASH "/box-2.img", 0},
        {"no number at all", "/packages//" HASH "/box-2.img", 0},
        {"nothing", "/packages/", 0},
        {"elsewhere", "/package/7/" HASH "/box-2.img", 0},
};

static void which_paths_are_its_own(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(path_rows); i++) {
                package p = {.id = 7,
                             .state = PACKAGE_READY,
                             .sha256 = ODM_STR(HASH),
                             .file = ODM_STR("box-2.img"),
                             .signature = ODM_STR("s")};
                odm_str in = exact_copy(path_rows[i].path);
                package_path path = {0};
                bool signature = false,
                     ok = package_path_read(in, &path) && package_path_is(&path, &p, &signature);
                if ((ok ? signature ? 2 : 1 : 0) != path_rows[i].want)
                        fail_msg("%s: %d, %d", path_rows[i].why, ok, signature);
                p.state = PACKAGE_WANTED;
                assert_false(path.id && package_path_is(&path, &p, &signature));
                p = (package){.state = PACKAGE_READY,
                              .sha256 = p.sha256,
                              .file = p.file,
                              .url = ODM_STR("http://x")};
                assert_false(path.id && package_path_is(&path, &p, &signature));
                p.url = p.signature = ODM_ABSENT;
                if (path_rows[i].want == 2)
                        assert_false(package_path_is(&path, &p, &signature));
                exact_free(in);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whom_it_fits),
                cmocka_unit_test(where_it_is_found),
                cmocka_unit_test(what_links_begin_with),
                cmocka_unit_test(which_paths_are_its_own),
        };

        return RUN_TESTS(tests);
}
