/* SPDX-License-Identifier: Apache-2.0 */
/* A folder below /tmp, its keys by OpenSSL; see workshop.h. */
#include "workshop.h"

#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "support.h"

char workshop[64];

/* FILE of "dremd-fetch ... -- URL FILE". */
static const char fetch_script[] = "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\n"
                                   "echo 'progress 1 2'\n"
                                   "echo received $(cat \"$2\" 2>/dev/null | wc -c)\n"
                                   "cp \"$2\" \"$3\" 2>/dev/null && echo 'end OK ' && exit 0\n"
                                   "echo 'end BAD_URL the server has no such file'; exit 1\n";

void workshop_path(const char *name, char out[WORKSHOP_PATH])
{
        assert_true((size_t)snprintf(out, WORKSHOP_PATH, "%s/%s", workshop, name) < WORKSHOP_PATH);
}

void workshop_put(const char *name, const char *text, mode_t mode)
{
        char path[WORKSHOP_PATH];

        workshop_path(name, path);
        assert_int_equal(fsio_write(NULL, path, odm_cstr(text), mode, NULL), 0);
}

bool workshop_has(const char *name)
{
        char path[WORKSHOP_PATH];

        workshop_path(name, path);
        return access(path, F_OK) == 0;
}

const char *workshop_text(const char *name)
{
        static char text[1024];
        char path[WORKSHOP_PATH];
        odm_buf b;

        odm_buf_init(&b, &heap, sizeof text);
        workshop_path(name, path);
        text[0] = 0;
        if (fsio_read(path, sizeof text - 1, &b, NULL) == 0)
                snprintf(text, sizeof text, "%.*s", (int)b.n, b.p ? b.p : "");
        odm_buf_done(&b);
        return text;
}

static void run(const char *command)
{
        char text[512];

        assert_true((size_t)snprintf(text, sizeof text, "cd %s && %s", workshop, command) <
                    sizeof text);
        assert_int_equal(system(text), 0);
}

void workshop_sign(const char *name)
{
        char text[256];

        snprintf(text, sizeof text,
                 "openssl dgst -sha256 -binary %s >hash && "
                 "openssl pkeyutl -sign -rawin -inkey key -in hash -out %s.sig",
                 name, name);
        run(text);
}

void workshop_open(void)
{
        snprintf(workshop, sizeof workshop, "/tmp/workshop.XXXXXX");
        assert_non_null(mkdtemp(workshop));
        workshop_put("fetch", fetch_script, 0755);
        run("mkdir keys && openssl genpkey -algorithm ed25519 -out key 2>/dev/null && "
            "openssl pkey -in key -pubout -out keys/k.pub");
}

int workshop_close(void **state)
{
        char command[96];

        (void)state;
        snprintf(command, sizeof command, "rm -rf %s", workshop);
        return system(command);
}
