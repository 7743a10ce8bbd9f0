/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_lab.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "log.h"
#include "support.h"

void lab_begin(char dir[64], const char *name)
{
        log_init(name, getenv("AGENT_TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, LOG_FORM_TEXT,
                 2, NULL);
        snprintf(dir, 64, "%s/%s.XXXXXX", quick_folder(), name);
        assert_non_null(mkdtemp(dir));
}

void lab_remove(const char *dir)
{
        char command[96];

        snprintf(command, sizeof command, "rm -r %s", dir);
        assert_int_equal(system(command), 0);
}

void lab_set(cfg *c, const char *fmt, ...)
{
        char text[512];
        diag d = {{0}};
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        if (cfg_set(c, text, &d) < 0)
                fail_msg("%s", d.text);
}

void lab_account(cfg *c, const char *server_id, const char *host, unsigned port, const char *user,
                 const char *password, const char *server_password)
{
        lab_set(c, "account.server_id=%s", server_id);
        lab_set(c, "account.url=http://%s:%u/dm", host, port);
        lab_set(c, "account.user=%s", user);
        lab_set(c, "account.password=%s", password);
        lab_set(c, "account.server_password=%s", server_password);
        lab_set(c, "session.retry_min=200ms");
}

void lab_open(const cfg *c, loop *l, const agent_app *app, agent **out)
{
        diag d = {{0}};

        if (agent_open(c, l, "0.0", false, app, out, &d) < 0)
                fail_msg("%s", d.text);
}

bool lab_status_has(const agent *g, const char *text)
{
        odm_buf b;
        bool found;

        odm_buf_init(&b, &heap_mem, 65536);
        assert_int_equal(agent_status(g, &b), 0);
        assert_int_equal(odm_buf_byte(&b, 0), 0);
        found = strstr(b.p, text) != NULL;
        odm_buf_done(&b);
        return found;
}
