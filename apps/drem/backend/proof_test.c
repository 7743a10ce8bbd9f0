/* SPDX-License-Identifier: Apache-2.0 */
/* Packages signed by OpenSSL, which knows nothing of us, and every way a signature can be wrong. */
#include "proof.h"

#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "support.h"

static char dir[64];

/* maker: trusted; stranger: not.  maker.sig is raw, maker.cms DER; the CA signs a certificate that
 * signs. */
static const char workshop[] =
        "set -e; cd %s; mkdir keys none; printf 'the image' >image; printf 'the imagf' >other\n"
        "openssl dgst -sha256 -binary image >hash\n"
        "for n in maker stranger; do\n"
        "openssl genpkey -algorithm ed25519 -out $n.key; openssl pkey -in $n.key -pubout -out "
        "$n.pub\n"
        "openssl pkeyutl -sign -rawin -inkey $n.key -in hash -out $n.sig\n"
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$n-ca "
        "-days 30 "
        "-keyout $n-ca.key -out $n.ca\n"
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$n-signer "
        "-keyout $n-s.key -out $n-s.csr\n"
        "openssl x509 -req -in $n-s.csr -CA $n.ca -CAkey $n-ca.key -days 30 -out $n-s.pem\n"
        "openssl cms -sign -binary -in image -signer $n-s.pem -inkey $n-s.key -outform DER -out "
        "$n.cms\n"
        "done\n"
        "cp maker.pub maker.ca keys; printf junk >keys/junk.pub; printf junk >keys/junk.ca";

static int set_up(void **state)
{
        char path[96], command[256];
        FILE *f;

        (void)state;
        snprintf(dir, sizeof dir, "/tmp/proof_test.XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/workshop", dir);
        f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f, workshop, dir);
        fclose(f);
        snprintf(command, sizeof command, "bash %s >/dev/null 2>%s/log", path, dir);
        if (system(command) != 0) {
                snprintf(command, sizeof command, "cat %s/log >&2", dir);
                (void)!system(command);
                fail_msg("the workshop failed: is openssl installed?");
        }
        return 0;
}

static int tear_down(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -rf %s", dir);
        return system(command);
}

static odm_str file(odm_buf *b, const char *name)
{
        char path[128];

        odm_buf_cut(b, 0);
        if (!name)
                return ODM_ABSENT;
        snprintf(path, sizeof path, "%s/%s", dir, name);
        assert_int_equal(fsio_read(path, 1 << 20, b, NULL), 0);
        return odm_buf_view(b);
}

static const struct row {
        const char *why, *package, *signature, *alg, *key, *hash_alg, *folder;
        bool right_hash, wrong_hash;
        odm_task_cause want;
} rows[] = {
        {.why = "Ed25519", .signature = "maker.sig", .alg = "ed25519-sha256", .want = ODM_CAUSE_OK},
        {.why = "Ed25519, told by its length", .signature = "maker.sig", .want = ODM_CAUSE_OK},
        {.why = "CMS", .signature = "maker.cms", .alg = "cms", .want = ODM_CAUSE_OK},
        {.why = "CMS, told by its length", .signature = "maker.cms", .want = ODM_CAUSE_OK},
        {.why = "the named key", .signature = "maker.sig", .key = "maker", .want = ODM_CAUSE_OK},
        {.why = "the named CA", .signature = "maker.cms", .key = "maker", .want = ODM_CAUSE_OK},
        {.why = "the hash too",
         .signature = "maker.sig",
         .right_hash = true,
         .hash_alg = "sha-256",
         .want = ODM_CAUSE_OK},
        {.why = "another hash",
         .signature = "maker.sig",
         .wrong_hash = true,
         .want = ODM_CAUSE_CORRUPT},
        {.why = "another kind of hash",
         .signature = "maker.sig",
         .hash_alg = "md5",
         .want = ODM_CAUSE_UNSUPPORTED},
        {.why = "one octet differs",
         .package = "other",
         .signature = "maker.sig",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "one octet differs, CMS",
         .package = "other",
         .signature = "maker.cms",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "no signature", .want = ODM_CAUSE_UNSIGNED},
        {.why = "a right hash is no signature", .right_hash = true, .want = ODM_CAUSE_UNSIGNED},
        {.why = "by another key", .signature = "stranger.sig", .want = ODM_CAUSE_UNSIGNED},
        {.why = "by another CA's signer", .signature = "stranger.cms", .want = ODM_CAUSE_UNSIGNED},
        {.why = "no such key",
         .signature = "maker.sig",
         .key = "nobody",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "a key file with junk",
         .signature = "maker.sig",
         .key = "junk",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "nobody is trusted",
         .signature = "maker.sig",
         .folder = "none",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "no folder",
         .signature = "maker.sig",
         .folder = "nowhere",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "junk for CMS", .signature = "workshop", .alg = "cms", .want = ODM_CAUSE_UNSIGNED},
        {.why = "CMS said, Ed25519 given",
         .signature = "maker.sig",
         .alg = "cms",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "Ed25519 said, CMS given",
         .signature = "maker.cms",
         .alg = "ed25519-sha256",
         .want = ODM_CAUSE_UNSIGNED},
        {.why = "another algorithm",
         .signature = "maker.sig",
         .alg = "rsa",
         .want = ODM_CAUSE_UNSUPPORTED},
        {.why = "a key named like a path",
         .signature = "maker.sig",
         .key = "../maker",
         .want = ODM_CAUSE_UNSIGNED},
};

static void signatures(void **state)
{
        char folder[128], path[128], right[65];
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap_mem, 1 << 20);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_task_cause got = ODM_CAUSE_FAILED;
                diag d = {{0}};
                snprintf(path, sizeof path, "%s/%s", dir, r->package ? r->package : "image");
                snprintf(folder, sizeof folder, "%s/%s", dir, r->folder ? r->folder : "keys");
                assert_int_equal(proof_hash(path, right, NULL), 0);
                const proof p = {
                        .hash_alg = odm_cstr(r->hash_alg),
                        .hash = r->right_hash   ? odm_cstr(right)
                                : r->wrong_hash ? ODM_STR("00")
                                                : ODM_ABSENT,
                        .sig_alg = odm_cstr(r->alg),
                        .signature = file(&b, r->signature),
                        .key = odm_cstr(r->key),
                };
                assert_int_equal(proof_check(folder, &p, path, &got, &d), 0);
                if (got != r->want || (got != ODM_CAUSE_OK) != (d.text[0] != 0))
                        fail_msg("%s: %s (%s)", r->why, odm_task_cause_text(got), d.text);
        }
        odm_buf_done(&b);
}

/* What is in memory is judged as the file is; without a folder the hash alone is looked at. */
static void the_same_in_memory(void **state)
{
        const proof unsigned_ = {.hash_alg = ODM_STR("sha-256")}, wrong = {.hash = ODM_STR("00")};
        odm_task_cause got = ODM_CAUSE_FAILED;
        char folder[128];
        diag d = {{0}};
        odm_buf b, sig;

        (void)state;
        odm_buf_init(&b, &heap_mem, 1 << 20);
        odm_buf_init(&sig, &heap_mem, 1 << 20);
        snprintf(folder, sizeof folder, "%s/keys", dir);
        odm_str image = file(&b, "image");
        const proof good = {.signature = file(&sig, "maker.sig")};
        assert_int_equal(proof_check_of(image, folder, &good, &got, &d), 0);
        assert_int_equal(got, ODM_CAUSE_OK);
        assert_int_equal(proof_check_of(odm_str_to(image, image.n - 1), folder, &good, &got, &d),
                         0);
        assert_int_equal(got, ODM_CAUSE_UNSIGNED);
        assert_int_equal(proof_check_of(image, folder, &unsigned_, &got, &d), 0);
        assert_int_equal(got, ODM_CAUSE_UNSIGNED);
        assert_int_equal(proof_check_of(image, NULL, &unsigned_, &got, &d), 0);
        assert_int_equal(got, ODM_CAUSE_OK);
        assert_int_equal(proof_check_of(image, NULL, &wrong, &got, &d), 0);
        assert_int_equal(got, ODM_CAUSE_CORRUPT);
        odm_buf_done(&b);
        odm_buf_done(&sig);
}

static void what_is_not_there(void **state)
{
        odm_task_cause got = ODM_CAUSE_FAILED;
        const proof p = {.sig_alg = ODM_STR("cms")};
        diag d = {{0}};

        (void)state;
        assert_int_equal(proof_check(dir, &p, "/nonexistent", &got, &d), ODM_EIO);
        assert_int_equal(got, ODM_CAUSE_FAILED);
        assert_non_null(strstr(d.text, "/nonexistent: No such file"));
        assert_int_equal(proof_check(dir, &p, "/dev/null", &got, &d), ODM_EIO);
        assert_int_equal(proof_check(dir, &p, dir, &got, &d), ODM_EIO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(signatures),
                cmocka_unit_test(the_same_in_memory),
                cmocka_unit_test(what_is_not_there),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
