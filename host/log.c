/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one event, one line, one write; see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_OCTETS 4096 /* PIPE_BUF: a write of this length is not mixed with another */
#define MESSAGE_MAX 1024
#define TRACE_MAX 256

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};
const char *const log_form_names[] = {"text", "logfmt", "json", NULL};

/* The process has one log; set up before threads, then only `level` changes. */
static struct {
        const char *program;
        log_form form;
        int fd;
        _Atomic int level;
        char rooms[TRACE_MAX]; /* ",codec,client," */
        odm_tracer tracer;
} self = {.program = "", .fd = 2, .level = LOG_LEVEL_INFO};

/* A line being made; what does not fit is left out. */
typedef struct line {
        char p[LINE_MAX_OCTETS];
        size_t n;
} line;

static void put(line *l, char c)
{
        if (l->n < sizeof l->p - 2) /* room for the closing brace and the line end */
                l->p[l->n++] = c;
}

static void put_text(line *l, const char *z)
{
        while (*z)
                put(l, *z++);
}

static void put_escape(line *l, unsigned char c)
{
        char t[8];

        snprintf(t, sizeof t, "\\u%04x", c);
        put_text(l, t);
}

static void put_escaped(line *l, odm_str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c == '"' || c == '\\') {
                        put(l, '\\');
                        put(l, (char)c);
                } else if (c == '\n') {
                        put_text(l, "\\n");
                } else if (c == '\t') {
                        put_text(l, "\\t");
                } else if (c < 0x20 || c == 0x7f) {
                        put_escape(l, c);
                } else {
                        put(l, (char)c);
                }
        }
}

/* JSON needs valid UTF-8; whatever is not is shown octet by octet. */
static void put_quoted(line *l, odm_str s)
{
        put(l, '"');
        if (odm_utf8_ok(s)) {
                put_escaped(l, s);
        } else {
                for (size_t i = 0; i < s.n; i++) {
                        unsigned char c = (unsigned char)s.p[i];
                        if (c >= 0x80)
                                put_escape(l, c);
                        else
                                put_escaped(l, (odm_str){s.p + i, 1});
                }
        }
        put(l, '"');
}

static bool is_plain(odm_str s)
{
        if (s.n == 0)
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' ||
                    s.p[i] == 0x7f)
                        return false;
        return true;
}

static void put_value(line *l, const log_field *f)
{
        char t[24];

        switch (f->kind) {
        case LOG_KIND_STR:
                if (self.form != LOG_FORM_JSON && is_plain(f->s) && odm_utf8_ok(f->s))
                        for (size_t i = 0; i < f->s.n; i++)
                                put(l, f->s.p[i]);
                else
                        put_quoted(l, f->s);
                break;
        case LOG_KIND_INT:
                snprintf(t, sizeof t, "%lld", (long long)f->i);
                put_text(l, t);
                break;
        case LOG_KIND_BOOL: put_text(l, f->i ? "true" : "false"); break;
        case LOG_KIND_END: break;
        }
}

static void put_field(line *l, const log_field *f)
{
        if (self.form == LOG_FORM_JSON) {
                put(l, ',');
                put_quoted(l, odm_cstr(f->key));
                put(l, ':');
        } else {
                put(l, ' ');
                put_text(l, f->key);
                put(l, '=');
        }
        put_value(l, f);
}

/* The whole field or nothing (false): a cut in the middle would make the line unreadable as JSON.
 */
static bool put_whole(line *l, const log_field *f)
{
        size_t before = l->n;

        put_field(l, f);
        if (l->n < sizeof l->p - 2)
                return true;
        l->n = before;
        return false;
}

static void put_time(line *l, char between, const char *end)
{
        struct timespec ts;
        struct tm tm;
        char t[64];

        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        snprintf(t, sizeof t, "%04d-%02d-%02d%c%02d:%02d:%02d.%03ld%s", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, between, tm.tm_hour, tm.tm_min, tm.tm_sec,
                 ts.tv_nsec / 1000000, end);
        put_text(l, t);
}

static void put_head_text(line *l, const char *level, odm_str msg)
{
        char t[8];

        put_time(l, ' ', " ");
        snprintf(t, sizeof t, "%-5s ", level);
        for (size_t i = 0; t[i]; i++)
                put(l, t[i] >= 'a' && t[i] <= 'z' ? (char)(t[i] - 32) : t[i]);
        put_text(l, self.program);
        put_text(l, ": ");
        for (size_t i = 0; i < msg.n; i++)
                put(l, (unsigned char)msg.p[i] < ' ' ? ' ' : msg.p[i]);
        put(l, ' ');
}

static odm_str shorten(odm_str msg, size_t most)
{
        if (most >= msg.n)
                return msg;
        return odm_str_to(msg, odm_utf8_ok(msg) ? odm_utf8_cut(msg, most) : most);
}

/* As much of the message as there is room for: an octet of it may take six. */
static void put_message(line *l, odm_str msg)
{
        for (size_t n = msg.n;; n /= 2) {
                const log_field f = log_str("msg", shorten(msg, n));
                if (put_whole(l, &f) || n == 0)
                        return;
        }
}

static void put_head(line *l, const char *level, odm_str msg)
{
        const log_field head[] = {log_text("level", level), log_text("program", self.program)};

        if (self.form == LOG_FORM_TEXT) {
                put_head_text(l, level, msg);
                return;
        }
        put_text(l, self.form == LOG_FORM_JSON ? "{\"time\":\"" : "time=");
        put_time(l, 'T', self.form == LOG_FORM_JSON ? "Z\"" : "Z");
        for (size_t i = 0; i < ODM_COUNT(head); i++)
                put_field(l, &head[i]);
        put_message(l, msg);
}

static void emit(line *l)
{
        size_t done = 0;

        if (self.form == LOG_FORM_JSON)
                l->p[l->n++] = '}';
        l->p[l->n++] = '\n';
        while (done < l->n) {
                ssize_t w = write(self.fd, l->p + done, l->n - done);
                if (w < 0 && errno != EINTR)
                        return; /* there is nowhere left to say so */
                if (w > 0)
                        done += (size_t)w;
        }
}

void log_event(log_level level, const char *msg, ...)
{
        int keep = errno;
        line l;
        va_list ap;

        if ((int)level > atomic_load_explicit(&self.level, memory_order_relaxed))
                return;
        l.n = 0;
        put_head(&l, log_level_names[level], shorten(odm_cstr(msg), MESSAGE_MAX));
        va_start(ap, msg);
        for (;;) {
                log_field f = va_arg(ap, log_field);
                if (f.kind == LOG_KIND_END)
                        break;
                (void)put_whole(&l, &f);
        }
        va_end(ap);
        emit(&l);
        errno = keep;
}

static bool is_traced(const char *room)
{
        char want[64];

        if (strstr(self.rooms, ",all,"))
                return true;
        snprintf(want, sizeof want, ",%s,", room);
        return strstr(self.rooms, want) != NULL;
}

static void trace_line(void *ctx, const char *room, const char *text)
{
        const log_field f = log_text("room", room);
        int keep = errno;
        line l;

        (void)ctx;
        if (!is_traced(room))
                return;
        l.n = 0;
        put_head(&l, "trace", shorten(odm_cstr(text), MESSAGE_MAX));
        (void)put_whole(&l, &f);
        emit(&l);
        errno = keep;
}

static int name_index(const char *const *names, odm_str name)
{
        for (int i = 0; names[i]; i++)
                if (odm_str_ieq(name, names[i]))
                        return i;
        return -1;
}

int log_level_parse(odm_str name)
{
        return name_index(log_level_names, name);
}

int log_form_parse(odm_str name)
{
        return name_index(log_form_names, name);
}

void log_init(const char *program, log_level level, log_form form, int fd, const char *trace)
{
        if (!trace)
                trace = getenv("ODM_TRACE");
        self.program = program;
        self.form = form;
        self.fd = fd;
        self.rooms[0] = 0;
        if (trace && *trace)
                snprintf(self.rooms, sizeof self.rooms, ",%.*s,", TRACE_MAX - 4, trace);
        self.tracer = (odm_tracer){.line = trace_line};
        log_set_level(level);
}

void log_set_level(log_level level)
{
        atomic_store(&self.level, (int)level);
}

log_level log_get_level(void)
{
        return (log_level)atomic_load(&self.level);
}

const odm_tracer *log_tracer(void)
{
        return self.rooms[0] ? &self.tracer : NULL;
}
