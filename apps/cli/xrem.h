/* SPDX-License-Identifier: Apache-2.0 */
/* xrem.h - what every command of `xrem` shares: the exit codes, the settings in
 * force, and memory that is given back when the program ends.
 *
 * A command is a function of this struct and its parsed words (args.h), which
 * writes its answer to stdout and returns an exit code.  A program may end when
 * memory does, so the helpers below never return NULL. */
#ifndef XREM_H
#define XREM_H

#include "heap.h"
#include "odm/base.h"

/* Documented in xrem(1); scripts rely on them. */
enum xrem_exit {
        XREM_OK = 0,
        XREM_REFUSED = 1,     /* the device or the server answered, but not with success */
        XREM_USAGE = 2,       /* unknown command or option, missing word */
        XREM_NOT_FOUND = 3,   /* no such device, job, session, token or node */
        XREM_UNREACHABLE = 4, /* no connection to the server */
        XREM_TIMEOUT = 5,     /* gave up waiting; the job is still queued */
        XREM_DENIED = 6,      /* token missing, wrong or without the right */
        XREM_BAD_INPUT = 7,   /* a file or value that cannot be read or understood */
        XREM_BROKEN = 8,      /* out of memory, output not writable */
};

#define XREM_MEMORY_MAX (512u << 20) /* octets one command may use */

typedef struct xrem_settings {
        const char *server; /* base URL, never NULL after xrem_config_load() */
        const char *token;  /* NULL: none known */
        const char *ca;     /* PEM file, or NULL for the system's */
        unsigned timeout_s; /* longest wait for a device */
        bool json, quiet;
} xrem_settings;

typedef struct xrem {
        odm_arena arena;          /* all that a command makes */
        struct xrem_owned *owned; /* JSON values, see json.h */
        struct xrem_link *link;   /* to the server, see api.h */
        bool interrupted;         /* by Ctrl-C, while waiting */
        unsigned link_wait_s;     /* how long it may take to answer */
        xrem_settings set;
        bool hurry;            /* completion: a slow server counts as none */
        bool utf8;             /* the terminal shows UTF-8 */
        bool out_tty, err_tty; /* who is looking */
        bool out_colour, err_colour;
} xrem;

/* Prints "xrem: ..." to stderr, a stranger's words in it made visible (term.h), and returns `code`.
 */
int xrem_fail(int code, const char *fmt, ...) ODM_PRINTF(2, 3);
/* Prints a remark to stderr unless --quiet. */
void xrem_note(const xrem *c, const char *fmt, ...) ODM_PRINTF(2, 3);
/* True with --quiet, but not with --json: a command that made or changed something prints no more
 * of it than `id`, which is printed here; NULL: nothing. */
bool xrem_terse(const xrem *c, const char *id);
/* Ends the program: we are out of memory, and there is nobody to ask for more. */
_Noreturn void xrem_out_of_memory(void);

/* True of a status after which the command's effect stands: success, but not cancelled, not
 * executed or rolled back (dm-protocol.md 8). */
bool xrem_succeeded(unsigned status);

void *xrem_get(xrem *c, size_t n);                                    /* zeroed */
const char *xrem_fmt(xrem *c, const char *fmt, ...) ODM_PRINTF(2, 3); /* zero-terminated */
odm_str xrem_str(xrem *c, const char *fmt, ...) ODM_PRINTF(2, 3);
const char *xrem_z(xrem *c, odm_str s); /* copy with a zero behind it; "" for absent */
odm_str xrem_copy(xrem *c, odm_str s);
#define xrem_new(c, type, n) ((type *)xrem_get((c), sizeof(type) * (n)))

#endif
