/* SPDX-License-Identifier: Apache-2.0 */
/* base.h - what every room of libodm stands on: errors, strings, time, memory,
 * growable buffers, randomness and the tracer.
 *
 * The library touches nothing outside: memory, randomness and trace are handed in
 * as the small tables below, the time as an argument. */
#ifndef ODM_BASE_H
#define ODM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ODM_MUST_USE __attribute__((warn_unused_result))
#define ODM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ODM_UNREACHABLE() __builtin_unreachable()
#define ODM_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- errors ------------------------------------------------------------ */

/* An error says that we could not do our job; 0 is success.  What a peer did
 * wrong is a status (odm/msg.h), never one of these, except that a decoder
 * says ODM_EMALFORMED or ODM_ELIMIT of bytes it cannot read. */
#define ODM_ERRORS(X)                                \
        X(ENOMEM, -1, "out of memory")               \
        X(EINVAL, -2, "argument out of range")       \
        X(EMALFORMED, -3, "malformed input")         \
        X(ELIMIT, -4, "a ceiling was reached")       \
        X(ESTATE, -5, "not possible in this state")  \
        X(ENOENT, -6, "not found")                   \
        X(EEXIST, -7, "exists already")              \
        X(EUNSUPPORTED, -8, "not supported")         \
        X(EIO, -9, "the device or the store failed") \
        X(EACCESS, -10, "not permitted")

enum odm_err {
#define X(name, value, text) ODM_##name = (value),
        ODM_ERRORS(X)
#undef X
};

/* The name ("ENOMEM") and the sentence of an error; "OK" / "success" for 0 and
 * above, "E?" / "unknown error" for a number that is none of ours. */
const char *odm_err_name(int err);
const char *odm_err_text(int err);

/* ---- borrowed strings -------------------------------------------------- */

/* Octets with their length, borrowed from whoever owns them.  p == NULL means
 * "absent", which is not the same as empty (p set, n == 0).  No terminating
 * zero is implied, and zeros inside are allowed. */
typedef struct odm_str {
        const char *p;
        size_t n;
} odm_str;

#define ODM_STR(literal) ((odm_str){"" literal, sizeof(literal) - 1})
#define ODM_ABSENT ((odm_str){NULL, 0})

odm_str odm_cstr(const char *z);       /* NULL gives ODM_ABSENT */
bool odm_str_eq(odm_str a, odm_str b); /* equal octets; absent equals empty */
bool odm_str_is(odm_str a, const char *z);
bool odm_str_ieq(odm_str a, const char *z); /* ASCII letters of either case are equal */
bool odm_str_starts(odm_str a, const char *z);
int odm_str_cmp(odm_str a, odm_str b);       /* by octets; a prefix sorts first */
odm_str odm_str_trim(odm_str a);             /* without blanks, tabs, CR and LF at both ends */
odm_str odm_str_from(odm_str a, size_t off); /* the rest from off, empty past the end */
odm_str odm_str_to(odm_str a, size_t n);     /* the first n octets, at most all */
bool odm_str_has(odm_str a, char c);

/* Decimal text to a number: digits only, the whole string.  Returns 0,
 * ODM_EMALFORMED, or ODM_ELIMIT above `max`; *out is written on success only. */
ODM_MUST_USE int odm_str_u64(odm_str a, uint64_t max, uint64_t *out);

/* Compares n octets in a time that does not depend on where they differ. */
bool odm_equal_ct(const void *a, const void *b, size_t n);
void odm_wipe(void *p, size_t n); /* zeroes a secret; not optimised away */

/* True when s is well-formed UTF-8 without NUL. */
bool odm_utf8_ok(odm_str s);
size_t odm_utf8_len(odm_str s); /* characters, not octets; s must be UTF-8 */
/* The largest m <= n at which s can be cut without splitting a character. */
size_t odm_utf8_cut(odm_str s, size_t n);

/* ---- time -------------------------------------------------------------- */

/* Monotonic and calendar time are different types, so that they cannot be mixed. */
typedef struct odm_time {
        int64_t ms; /* milliseconds of a clock that never goes back */
} odm_time;

typedef struct odm_wall {
        int64_t s; /* seconds since 1970-01-01T00:00:00Z */
} odm_wall;

#define ODM_NEVER ((odm_time){INT64_MAX})
static inline odm_time odm_time_add(odm_time t, int64_t ms)
{
        return t.ms > INT64_MAX - ms ? ODM_NEVER : (odm_time){t.ms + ms};
}
static inline bool odm_time_reached(odm_time now, odm_time deadline)
{
        return now.ms >= deadline.ms;
}

#define ODM_WALL_TEXT 17 /* room for "20010711T163817Z" and a zero */
/* ISO 8601 basic, UTC, as TStamp has it (dm-tree.md 3).  Years 1970 to 9999. */
void odm_wall_format(odm_wall w, char out[ODM_WALL_TEXT]);
ODM_MUST_USE int odm_wall_parse(odm_str s, odm_wall *out); /* 0 or ODM_EMALFORMED */

/* ---- memory ------------------------------------------------------------ */

/* The allocator that everything is given.  resize(ctx, NULL, 0, n) allocates,
 * resize(ctx, p, old, 0) frees and returns NULL; a failed resize returns NULL
 * and leaves p as it was.  Memory is aligned for any type. */
typedef struct odm_mem {
        void *(*resize)(void *ctx, void *p, size_t old_n, size_t n);
        void *ctx;
} odm_mem;

void *odm_alloc(const odm_mem *m, size_t n);        /* zeroed; NULL when out of memory */
void odm_free(const odm_mem *m, void *p, size_t n); /* NULL is allowed */

/* An arena hands out memory that is given back all at once.  It never grows
 * past `max` octets.  A call that returns NULL leaves the reason in `err`. */
typedef struct odm_arena {
        const odm_mem *mem; /* borrowed while the arena lives */
        struct odm_chunk *chunks;
        char *at, *end;   /* free part of the newest chunk */
        size_t used, max; /* octets taken from mem, and their ceiling */
        size_t chunk;     /* size of the next chunk */
        int err;          /* 0, ODM_ENOMEM or ODM_ELIMIT; sticky until reset */
} odm_arena;

void odm_arena_init(odm_arena *a, const odm_mem *m, size_t max);
/* Takes the first block from the caller, who keeps it alive as long as the arena. */
void odm_arena_init_on(odm_arena *a, const odm_mem *m, size_t max, void *block, size_t n);
void *odm_arena_get(odm_arena *a, size_t n);  /* not zeroed, aligned to 8 */
void *odm_arena_zget(odm_arena *a, size_t n); /* zeroed */
/* Copies s; the copy has a zero behind it for convenience.  NULL p on failure
 * and for an absent s (then a->err tells which). */
odm_str odm_arena_copy(odm_arena *a, odm_str s);
odm_str odm_arena_join(odm_arena *a, odm_str x, odm_str y);
odm_str odm_arena_fmt(odm_arena *a, const char *fmt, ...) ODM_PRINTF(2, 3);
odm_str odm_arena_number(odm_arena *a, uint64_t v); /* decimal digits */
void odm_arena_reset(odm_arena *a); /* empties it; keeps one chunk for the next use */
void odm_arena_done(odm_arena *a);
static inline int odm_arena_err(const odm_arena *a)
{
        return a->err < 0 ? a->err : ODM_ENOMEM;
}
#define odm_new(arena, type) ((type *)odm_arena_zget((arena), sizeof(type)))

/* A growable buffer, born with its maximum. */
typedef struct odm_buf {
        const odm_mem *mem;
        char *p;
        size_t n, cap, max;
} odm_buf;

void odm_buf_init(odm_buf *b, const odm_mem *m, size_t max);
/* Each returns 0, ODM_ENOMEM or ODM_ELIMIT; on failure the contents stay as they were. */
ODM_MUST_USE int odm_buf_put(odm_buf *b, const void *p, size_t n);
ODM_MUST_USE int odm_buf_str(odm_buf *b, odm_str s);
ODM_MUST_USE int odm_buf_byte(odm_buf *b, uint8_t c);
ODM_MUST_USE int odm_buf_fmt(odm_buf *b, const char *fmt, ...) ODM_PRINTF(2, 3);
ODM_MUST_USE int odm_buf_reserve(odm_buf *b, size_t more);
void odm_buf_cut(odm_buf *b, size_t n); /* forgets all after the first n octets */
void odm_buf_trim(odm_buf *b);          /* gives back room that is not used, if it can */
void odm_buf_done(odm_buf *b);
static inline odm_str odm_buf_view(const odm_buf *b)
{
        return (odm_str){b->p ? b->p : "", b->n};
}

/* ---- base64 (RFC 4648 section 4) ---------------------------------------- */

static inline size_t odm_b64_size(size_t n)
{
        return (n + 2) / 3 * 4;
}
/* Padded, no line breaks.  Absent on failure (a->err tells). */
odm_str odm_b64_encode(odm_arena *a, odm_str octets);
/* Blanks and line breaks are skipped.  Returns 0, ODM_EMALFORMED, ODM_ENOMEM, ODM_ELIMIT. */
ODM_MUST_USE int odm_b64_decode(odm_arena *a, odm_str text, odm_str *out);

/* ---- randomness and trace ------------------------------------------------ */

/* Fills p with n unpredictable octets.  Returns 0 or ODM_EIO. */
typedef struct odm_rng {
        int (*fill)(void *ctx, void *p, size_t n);
        void *ctx;
} odm_rng;

/* One line a call, without line end; secrets never go in. */
typedef struct odm_tracer {
        void (*line)(void *ctx, const char *room, const char *text);
        void *ctx;
} odm_tracer;

void odm_trace(const odm_tracer *t, const char *room, const char *fmt, ...) ODM_PRINTF(3, 4);
#define ODM_TRACE(t, room, ...)                              \
        do {                                                 \
                if ((t) && (t)->line)                        \
                        odm_trace((t), (room), __VA_ARGS__); \
        } while (0)

#endif
