/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - what a program says about its running, for people and for machines.
 *
 * One log a process, on standard error or a file descriptor.  An event is a level, a
 * sentence and fields:
 *
 *     log_info("session ended", log_str("device", id), log_int("ms", took));
 *
 * gives, in the three forms,
 *
 *     2026-11-22 16:40:01.123 INFO  nremd: session ended  device=urn:uuid:1 ms=12
 *     time=2026-11-22T16:40:01.123Z level=info program=nremd msg="session ended" device=...
 *     {"time":"2026-11-22T16:40:01.123Z","level":"info","program":"nremd","msg":"session
 * ended",...}
 *
 * A line leaves in one write, so lines of threads do not mix.  All functions are safe in any
 * thread after log_init(); before it, events go to standard error as text.  Secrets never go in. */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "odm/base.h"

typedef enum log_level {
        LOG_LEVEL_ERROR, /* we could not do our job: somebody must look */
        LOG_LEVEL_WARN,  /* odd, but we go on */
        LOG_LEVEL_INFO,  /* what happens in ordinary life */
        LOG_LEVEL_DEBUG,
} log_level;

typedef enum log_form { LOG_FORM_TEXT, LOG_FORM_LOGFMT, LOG_FORM_JSON } log_form;

extern const char *const log_level_names[]; /* "error" ... NULL: choices for cfg and cli */
extern const char *const log_form_names[];  /* "text" "logfmt" "json" NULL */
/* The level or form of a name, or -1. */
int log_level_parse(odm_str name);
int log_form_parse(odm_str name);

/* `program` is borrowed for ever.  `trace` is a list of rooms such as "codec,client" or "all"
 * (copied, cut at 255 octets), for log_tracer(); NULL takes the environment's ODM_TRACE. */
void log_init(const char *program, log_level level, log_form form, int fd, const char *trace);
void log_set_level(log_level level);
log_level log_get_level(void);

typedef enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_BOOL } log_kind;

typedef struct log_field { /* made by the functions below; borrows what it points to */
        const char *key;
        log_kind kind;
        odm_str s;
        int64_t i;
} log_field;

static inline log_field log_str(const char *key, odm_str v)
{
        return (log_field){.key = key, .kind = LOG_KIND_STR, .s = v};
}
static inline log_field log_text(const char *key, const char *v)
{
        return log_str(key, odm_cstr(v ? v : ""));
}
static inline log_field log_int(const char *key, int64_t v)
{
        return (log_field){.key = key, .kind = LOG_KIND_INT, .i = v};
}
static inline log_field log_bool(const char *key, bool v)
{
        return (log_field){.key = key, .kind = LOG_KIND_BOOL, .i = v};
}
static inline log_field log_err(int odm_err) /* error="out of memory" */
{
        return log_text("error", odm_err_text(odm_err));
}

/* The fields follow `msg` as log_field values, the last one of kind LOG_KIND_END: use the
 * macros, which add it. */
void log_event(log_level level, const char *msg, ...);
#define LOG_END ((log_field){.kind = LOG_KIND_END})
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__, LOG_END)
#define log_warn(...) log_event(LOG_LEVEL_WARN, __VA_ARGS__, LOG_END)
#define log_info(...) log_event(LOG_LEVEL_INFO, __VA_ARGS__, LOG_END)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_END)

/* The tracer for libodm, or NULL when no room is traced: lines of the named rooms are written
 * whatever the level, as level "trace". */
const odm_tracer *log_tracer(void);

#endif
