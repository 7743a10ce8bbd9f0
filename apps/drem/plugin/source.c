/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fsio.h"
#include "heap.h"
#include "log.h"
#include "odm/trap.h"
#include "program.h"

/* ---- values ------------------------------------------------------------------------------- */

static bool is_int(odm_str s)
{
        bool minus = s.n && s.p[0] == '-';
        uint64_t n;

        return odm_str_u64(odm_str_from(s, minus), (uint64_t)INT32_MAX + minus, &n) == 0;
}

bool source_fits(odm_format f, odm_str text)
{
        int64_t n;

        switch (f) {
        case ODM_FMT_INT: return is_int(text);
        case ODM_FMT_FLOAT: return odm_trap_number(text, &n) == 0;
        case ODM_FMT_BOOL: return odm_str_is(text, "true") || odm_str_is(text, "false");
        case ODM_FMT_BIN: return true;
        default: return odm_utf8_ok(text);
        }
}

/* Cuts the line end that programs and files have. */
static void trim(odm_format f, odm_buf *b, size_t from)
{
        while (f != ODM_FMT_BIN && b->n > from &&
               (b->p[b->n - 1] == '\n' || b->p[b->n - 1] == '\r'))
                odm_buf_cut(b, b->n - 1);
}

/* ---- files -------------------------------------------------------------------------------- */

/* A pipe or a device could keep us waiting for ever. */
static int open_plain(const char *path, int flags)
{
        struct stat st;
        int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
                close(fd);
                errno = ENOENT;
                fd = -1;
        }
        return fd;
}

static int read_all(int fd, odm_buf *out)
{
        char block[4096];
        ssize_t n;
        int rc = 0;

        while (rc == 0 && (n = read(fd, block, sizeof block)) != 0) {
                if (n > 0)
                        rc = odm_buf_put(out, block, (size_t)n);
                else if (errno != EINTR)
                        rc = ODM_EIO;
        }
        return rc;
}

int source_file(const char *path, odm_format f, odm_buf *out)
{
        size_t before = out->n;
        int fd = open_plain(path, O_RDONLY);
        int rc;

        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? ODM_ENOENT : ODM_EIO;
        rc = read_all(fd, out);
        close(fd);
        if (rc == 0)
                trim(f, out, before);
        if (rc == 0 && !source_fits(f, odm_str_from(odm_buf_view(out), before)))
                rc = ODM_ENOENT;
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}

static int put_in_place(const char *path, odm_str text, diag *d)
{
        int fd = open_plain(path, O_WRONLY | O_TRUNC);
        ssize_t n;

        if (fd < 0)
                return diag_set(d, errno == ENOENT ? ODM_ENOENT : ODM_EIO, "%s: %s", path,
                                strerror(errno));
        do
                n = write(fd, text.p, text.n);
        while (n < 0 && errno == EINTR);
        if (n != (ssize_t)text.n || close(fd) < 0)
                return diag_set(d, ODM_EIO, "%s: %s", path, strerror(errno));
        return 0;
}

/* A file of the kernel's is no file to be replaced, and a link is not to become one. */
static bool is_in_place(const char *path)
{
        struct stat st;

        return strncmp(path, "/sys/", 5) == 0 || strncmp(path, "/proc/", 6) == 0 ||
               lstat(path, &st) < 0 || S_ISLNK(st.st_mode);
}

int source_put(const char *path, odm_format f, odm_str value, diag *d)
{
        struct stat st;
        odm_buf b;
        int rc;

        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return diag_set(d, ODM_ENOENT, "%s: there is no such file", path);
        odm_buf_init(&b, &heap_mem, SOURCE_MOST + 1);
        rc = odm_buf_str(&b, value);
        if (rc == 0 && f != ODM_FMT_BIN)
                rc = odm_buf_byte(&b, '\n');
        if (rc == 0 && (is_in_place(path) ||
                        fsio_write(NULL, path, odm_buf_view(&b), st.st_mode & 0777, NULL) < 0))
                rc = put_in_place(path, odm_buf_view(&b), d);
        odm_buf_done(&b);
        return rc;
}

/* ---- properties --------------------------------------------------------------------------- */

static int hex_of(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet behind a backslash at s->p[0]: \n, \t, \", \\, \x1b, \033. */
static int escaped(odm_str *s, uint8_t *out)
{
        static const char plain[] = "nrtabfv\"\\'", means[] = "\n\r\t\a\b\f\v\"\\'";
        const char *at = s->n && s->p[0] ? strchr(plain, s->p[0]) : NULL;
        int n = 0;

        if (at) {
                *out = (uint8_t)means[at - plain];
                *s = odm_str_from(*s, 1);
                return 0;
        }
        if (s->n >= 3 && s->p[0] == 'x' && hex_of(s->p[1]) >= 0 && hex_of(s->p[2]) >= 0) {
                *out = (uint8_t)(hex_of(s->p[1]) << 4 | hex_of(s->p[2]));
                *s = odm_str_from(*s, 3);
                return 0;
        }
        if (s->n < 3)
                return ODM_EMALFORMED;
        for (size_t i = 0; i < 3; i++) {
                if (s->p[i] < '0' || s->p[i] > '7')
                        return ODM_EMALFORMED;
                n = n * 8 + (s->p[i] - '0');
        }
        *out = (uint8_t)n;
        *s = odm_str_from(*s, 3);
        return 0;
}

static int take_quoted(odm_str *s, odm_buf *out)
{
        int rc = s->n && s->p[0] == '"' ? 0 : ODM_EMALFORMED;

        *s = odm_str_from(*s, 1);
        while (rc == 0 && s->n && s->p[0] != '"') {
                uint8_t c = (uint8_t)s->p[0];
                *s = odm_str_from(*s, 1);
                if (c == '\\')
                        rc = escaped(s, &c);
                if (rc == 0)
                        rc = odm_buf_byte(out, c);
        }
        if (rc == 0 && s->n == 0)
                rc = ODM_EMALFORMED;
        *s = odm_str_trim(odm_str_from(*s, 1));
        return rc;
}

static odm_str take_word(odm_str *s)
{
        odm_str w;
        size_t n = 0;

        while (n < s->n && s->p[n] != ' ')
                n++;
        w = odm_str_to(*s, n);
        *s = odm_str_trim(odm_str_from(*s, n));
        return w;
}

static int take_item(char type, odm_str *s, odm_buf *out)
{
        if (strchr("sog", type))
                return take_quoted(s, out);
        return odm_buf_str(out, take_word(s));
}

int source_property(odm_str text, odm_buf *out)
{
        odm_str s = odm_str_trim(text);
        odm_str type = take_word(&s);
        bool list = type.n == 2 && type.p[0] == 'a';
        uint64_t n = 1;
        size_t before = out->n;
        int rc = 0;

        if ((type.n != 1 && !list) || !strchr("sogbynqiuxtd", type.p[type.n - 1]))
                return ODM_EUNSUPPORTED;
        if (list && odm_str_u64(take_word(&s), 4096, &n) < 0)
                return ODM_EMALFORMED;
        for (uint64_t i = 0; i < n && rc == 0; i++) {
                if (i > 0)
                        rc = odm_buf_byte(out, ' ');
                if (rc == 0 && s.n == 0)
                        rc = ODM_EMALFORMED;
                if (rc == 0)
                        rc = take_item(type.p[type.n - 1], &s, out);
        }
        if (rc == 0 && s.n)
                rc = ODM_EMALFORMED;
        if (rc < 0)
                odm_buf_cut(out, before);
        return rc;
}

/* ---- what is asked beside the loop -------------------------------------------------------- */

#define WORDS 8

struct source {
        loop *loop;
        const table_node *node;
        void (*heard)(void *ctx, const table_node *n);
        void *ctx;
        program *run;
        loop_timer next, limit;
        odm_buf coming, value; /* what is being printed, and what was */
        bool known, complained, too_much;
        char *words, *bus; /* of a property, cut apart */
        const char *argv[WORDS];
};

int source_value(const source *s, odm_str *out)
{
        if (!s->known)
                return ODM_ENOENT;
        *out = odm_buf_view(&s->value);
        return 0;
}

static void settle(source *s, const char *why)
{
        bool was = s->known;
        odm_str before = odm_buf_view(&s->value), now = odm_buf_view(&s->coming);
        bool same = was && !why && odm_str_eq(before, now);
        odm_buf old = s->value;

        if (why && !s->complained)
                log_warn("a vendor's node has no value", log_text("node", s->node->at),
                         log_text("reason", why));
        s->complained = why != NULL;
        s->known = why == NULL;
        s->value = s->coming;
        s->coming = old;
        odm_buf_cut(&s->coming, 0);
        if (s->heard && !same && (was || s->known))
                s->heard(s->ctx, s->node);
        if (loop_timer_set(s->loop, &s->next, odm_time_add(loop_now(), s->node->refresh_ms)) < 0)
                log_error("no memory for a timer");
}

static void on_line(void *ctx, odm_str line)
{
        source *s = ctx;

        if ((s->coming.n && odm_buf_byte(&s->coming, '\n') < 0) ||
            odm_buf_str(&s->coming, line) < 0)
                s->too_much = true;
}

/* busctl's words become the value in their place. */
static const char *read_property(source *s)
{
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, SOURCE_MOST);
        rc = source_property(odm_buf_view(&s->coming), &b);
        if (rc < 0) {
                odm_buf_done(&b);
                return "the property has a type that no node has";
        }
        odm_buf_done(&s->coming);
        s->coming = b;
        return NULL;
}

static void on_done(void *ctx, int code)
{
        source *s = ctx;
        const char *why = NULL;

        s->run = NULL;
        loop_timer_stop(&s->limit);
        if (code != 0)
                why = "the command failed";
        else if (s->too_much)
                why = "it printed too much";
        else if (s->node->kind == TABLE_DBUS)
                why = read_property(s);
        if (!why && !source_fits(s->node->format, odm_buf_view(&s->coming)))
                why = "what it printed is no value of this format";
        settle(s, why);
}

static void on_limit(void *ctx)
{
        source *s = ctx;

        program_kill(s->run);
        s->run = NULL;
        settle(s, "the command took too long");
}

static void on_next(void *ctx)
{
        source *s = ctx;
        const program_opt o = {.argv = s->argv, .line = on_line, .done = on_done, .ctx = s};
        diag d = {{0}};

        odm_buf_cut(&s->coming, 0);
        s->too_much = false;
        if (program_start(s->loop, &o, &s->run, &d) < 0) {
                settle(s, d.text[0] ? d.text : "out of memory");
                return;
        }
        if (loop_timer_set(s->loop, &s->limit, odm_time_add(loop_now(), s->node->timeout_ms)) < 0)
                log_error("no memory for a timer");
}

/* "system", "session" or an address, and four words. */
static int cut_words(source *s)
{
        const char *blanks = " \t";
        size_t n = 0;
        char *at;

        s->words = strdup(s->node->text);
        if (!s->words)
                return ODM_ENOMEM;
        s->argv[n++] = "busctl";
        at = s->words + strspn(s->words, blanks);
        for (size_t i = 0; i < 5 && *at; i++) {
                size_t len = strcspn(at, blanks);
                char *next = at + len + (at[len] != 0);
                at[len] = 0;
                s->argv[i == 0 ? 1 : i + 2] = at;
                at = next + strspn(next, blanks);
        }
        s->argv[2] = "get-property";
        if (strcmp(s->argv[1], "system") == 0 || strcmp(s->argv[1], "session") == 0) {
                s->argv[1] = strcmp(s->argv[1], "system") == 0 ? "--system" : "--user";
        } else if (asprintf(&s->bus, "--address=%s", s->argv[1]) < 0) {
                s->bus = NULL;
                return ODM_ENOMEM;
        } else {
                s->argv[1] = s->bus;
        }
        return 0;
}

int source_open(loop *l, const table_node *n, void (*heard)(void *ctx, const table_node *n),
                void *ctx, source **out)
{
        source *s = calloc(1, sizeof *s);
        int rc = 0;

        if (!s)
                return ODM_ENOMEM;
        s->loop = l;
        s->node = n;
        s->heard = heard;
        s->ctx = ctx;
        s->next = (loop_timer){.fn = on_next, .ctx = s};
        s->limit = (loop_timer){.fn = on_limit, .ctx = s};
        odm_buf_init(&s->coming, &heap_mem, SOURCE_MOST);
        odm_buf_init(&s->value, &heap_mem, SOURCE_MOST);
        if (n->kind == TABLE_DBUS) {
                rc = cut_words(s);
        } else {
                s->argv[0] = "/bin/sh";
                s->argv[1] = "-c";
                s->argv[2] = n->text;
        }
        if (rc == 0 && loop_timer_set(l, &s->next, loop_now()) < 0)
                rc = ODM_ENOMEM;
        if (rc < 0)
                source_close(s);
        else
                *out = s;
        return rc;
}

void source_close(source *s)
{
        if (!s)
                return;
        loop_timer_stop(&s->next);
        loop_timer_stop(&s->limit);
        program_kill(s->run);
        odm_buf_done(&s->coming);
        odm_buf_done(&s->value);
        free(s->words);
        free(s->bus);
        free(s);
}
