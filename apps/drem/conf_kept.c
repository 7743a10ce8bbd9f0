/* SPDX-License-Identifier: Apache-2.0 */
#include "conf_kept.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fsio.h"
#include "heap.h"
#include "proof.h"

#define HEAD_MAX (CONF_KEPT_PATH + 256)
#define TICK_NS 20000000 /* writes that are nearer to each other may have the same time */

typedef struct stamp {                  /* what a write changes */
        int64_t size, written, changed; /* octets; nanoseconds */
} stamp;

typedef struct text { /* of a file */
        odm_buf b;
        stamp at;
        char hash[65];
        bool there;
} text;

/* ---- what a start makes of it ------------------------------------------------------------ */

conf_was conf_judge(const conf_facts *f)
{
        bool damaged = !f->there || f->empty || !f->good || f->untouched;

        if (!f->kept_whole)
                return !f->good ? CONF_UNREADABLE : f->kept ? CONF_COPY_LOST : CONF_FIRST;
        if (f->same)
                return f->good ? CONF_SAME : CONF_UNREADABLE;
        if (!f->kept_good)
                return f->good ? CONF_EDITED : CONF_UNREADABLE;
        return damaged ? CONF_DAMAGED : f->refuse ? CONF_REFUSED : CONF_EDITED;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int64_t nanoseconds(struct timespec t)
{
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void text_init(text *t)
{
        *t = (text){.there = false};
        odm_buf_init(&t->b, &heap_mem, CONF_KEPT_MAX + HEAD_MAX);
}

static void text_done(text *t)
{
        if (t->b.n)
                odm_wipe(t->b.p, t->b.n); /* it may hold passwords */
        odm_buf_done(&t->b);
}

/* ODM_ENOENT is an error here too. */
static int text_read(text *t, const char *path, size_t most, diag *d)
{
        struct stat st;
        int rc = fsio_read(path, most, &t->b, d);

        if (rc < 0)
                return rc;
        t->there = true;
        if (stat(path, &st) == 0)
                t->at = (stamp){st.st_size, nanoseconds(st.st_mtim), nanoseconds(st.st_ctim)};
        return proof_hash_of(odm_buf_view(&t->b), t->hash);
}

static int parse(const conf_source *s, odm_str in, cfg **out, diag *d)
{
        cfg *c = NULL;
        int rc = cfg_new(s->keys, s->n_keys, &c);

        for (size_t i = 0; rc == 0 && i < s->set->n; i++)
                rc = cfg_set(c, s->set->at[i], d);
        if (rc == 0 && in.p)
                rc = cfg_parse(c, in, s->file, d);
        if (rc == 0)
                rc = cfg_check(c, d);
        if (rc == 0)
                rc = s->check(c, d);
        if (rc < 0)
                cfg_free(c);
        else
                *out = c;
        return rc;
}

static void find_name(const char *file, char out[CONF_KEPT_PATH])
{
        char *whole = realpath(file, NULL);

        (void)snprintf(out, CONF_KEPT_PATH, "%s", whole ? whole : file);
        free(whole);
}

/* ---- where the copy is ------------------------------------------------------------------------ */

/* "state = PATH" in [agent] of a file that may be damaged elsewhere. */
static bool scan_for_state(odm_str in, char out[CONF_KEPT_PATH])
{
        bool agent = false;

        while (in.n) {
                const char *nl = memchr(in.p, '\n', in.n), *eq;
                odm_str s = odm_str_trim(odm_str_to(in, nl ? (size_t)(nl - in.p) : in.n));

                in = odm_str_from(in, nl ? (size_t)(nl - in.p) + 1 : in.n);
                if (s.n && s.p[0] == '[')
                        agent = odm_str_is(s, "[agent]");
                eq = agent && s.n ? memchr(s.p, '=', s.n) : NULL;
                if (!eq || !odm_str_is(odm_str_trim(odm_str_to(s, (size_t)(eq - s.p))), "state"))
                        continue;
                s = odm_str_trim(odm_str_from(s, (size_t)(eq - s.p) + 1));
                if (s.n == 0 || s.p[0] != '/' || s.n >= CONF_KEPT_PATH)
                        return false;
                (void)snprintf(out, CONF_KEPT_PATH, "%.*s", (int)s.n, s.p);
                return true;
        }
        return false;
}

/* The state folder: as the file says; where that cannot be read, as the command line, the line of
 * the file or the default has it. */
static int find_state(const conf_source *s, const cfg *good, odm_str in, char out[CONF_KEPT_PATH])
{
        cfg *c = NULL;
        diag d;
        int rc = 0;

        if (good) {
                (void)snprintf(out, CONF_KEPT_PATH, "%s", cfg_str(good, "agent.state"));
                return 0;
        }
        rc = cfg_new(s->keys, s->n_keys, &c);
        for (size_t i = 0; rc == 0 && i < s->set->n; i++)
                rc = cfg_set(c, s->set->at[i], &d);
        if (rc == 0 && (cfg_given(c, "agent.state") || !scan_for_state(in, out)))
                (void)snprintf(out, CONF_KEPT_PATH, "%s", cfg_str(c, "agent.state"));
        cfg_free(c);
        return rc;
}

/* ---- the copy ------------------------------------------------------------------------------------ */

typedef struct copy {
        text t;
        odm_str body;
        char hash[65], file[CONF_KEPT_PATH];
        stamp at;
} copy;

/* Whether there is one of this file; *whole: its text is what was written. */
static bool copy_read(copy *k, const char *state, const char *file, bool *whole)
{
        char *path = fsio_join(state, "conf.kept"), head[HEAD_MAX], hash[65];
        odm_str in;
        const char *nl;
        int place = 0;
        bool there;

        *whole = false;
        there = path && text_read(&k->t, path, CONF_KEPT_MAX + HEAD_MAX, NULL) == 0;
        free(path);
        in = odm_buf_view(&k->t.b);
        nl = there && in.n ? memchr(in.p, '\n', in.n) : NULL;
        if (!nl || (size_t)(nl - in.p) >= sizeof head)
                return there;
        (void)snprintf(head, sizeof head, "%.*s", (int)(nl - in.p), in.p);
        if (sscanf(head, "# %64[0-9a-f] %" SCNd64 " %" SCNd64 " %" SCNd64 " %n", k->hash,
                   &k->at.size, &k->at.written, &k->at.changed, &place) < 4 ||
            place == 0)
                return true;
        if (strcmp(head + place, file) != 0)
                return false; /* of another file */
        k->body = odm_str_from(in, (size_t)(nl - in.p) + 1);
        *whole = proof_hash_of(k->body, hash) == 0 && strcmp(hash, k->hash) == 0;
        return true;
}

static int copy_write(const char *state, const char *file, const text *t, diag *d)
{
        char *path = fsio_join(state, "conf.kept");
        odm_buf b;
        int rc;

        odm_buf_init(&b, &heap_mem, CONF_KEPT_MAX + HEAD_MAX);
        rc = path ? odm_buf_fmt(&b, "# %s %" PRId64 " %" PRId64 " %" PRId64 " %s\n", t->hash,
                                t->at.size, t->at.written, t->at.changed, file)
                  : ODM_ENOMEM;
        if (rc == 0)
                rc = odm_buf_str(&b, odm_buf_view(&t->b));
        if (rc == 0)
                rc = fsio_write(NULL, path, odm_buf_view(&b), 0600, d);
        if (b.n)
                odm_wipe(b.p, b.n);
        odm_buf_done(&b);
        free(path);
        return rc;
}

/* ---- both --------------------------------------------------------------------------------------- */

static bool same_stamp(const stamp *a, const stamp *b)
{
        return a->size == b->size && a->written == b->written && a->changed == b->changed;
}

static void find_facts(const conf_source *s, const text *t, copy *k, const char *state,
                       const char *file, conf_facts *f, cfg **kept)
{
        diag d;

        f->kept = copy_read(k, state, file, &f->kept_whole);
        f->there = t->there;
        f->empty = t->b.n == 0 && k->body.n > 0;
        f->same = f->kept_whole && t->there && strcmp(t->hash, k->hash) == 0;
        f->untouched = f->kept_whole && t->there && same_stamp(&t->at, &k->at) &&
                       k->t.at.written - k->at.changed > TICK_NS;
        f->kept_good = f->kept_whole && parse(s, k->body, kept, &d) == 0;
        f->refuse = f->kept_good && cfg_enum(*kept, "integrity.edited") == 1;
}

static void say_why(const conf_facts *f, const diag *d, conf_kept *k)
{
        const char *why = !f->there  ? "it is not there"
                          : f->empty ? "it is empty"
                          : !f->good ? d->text
                                     : "its octets changed, and nobody wrote it";

        (void)snprintf(k->why, sizeof k->why, "%.500s", why);
}

int conf_kept_open(const conf_source *s, conf_kept *k, cfg **out, diag *d)
{
        char state[CONF_KEPT_PATH];
        conf_facts f = {.there = false};
        cfg *good = NULL, *kept = NULL;
        bool use_copy;
        text t;
        copy c = {.file = ""};
        int rc, why;

        *k = (conf_kept){.was = CONF_UNREADABLE};
        find_name(s->file, k->file);
        text_init(&t);
        text_init(&c.t);
        why = text_read(&t, s->file, CONF_KEPT_MAX, d);
        if (why == 0)
                why = parse(s, odm_buf_view(&t.b), &good, d);
        f.good = why == 0;
        rc = find_state(s, good, odm_buf_view(&t.b), state);
        if (rc == 0) {
                find_facts(s, &t, &c, state, k->file, &f, &kept);
                k->was = conf_judge(&f);
        }
        use_copy = k->was == CONF_DAMAGED || k->was == CONF_REFUSED;
        if (rc == 0 && k->was == CONF_UNREADABLE)
                rc = why;
        if (rc == 0 && k->was == CONF_DAMAGED)
                say_why(&f, d, k);
        if (rc == 0)
                *out = use_copy ? kept : good;
        cfg_free(rc == 0 && use_copy ? NULL : kept);
        cfg_free(rc == 0 && !use_copy ? NULL : good);
        text_done(&t);
        text_done(&c.t);
        return rc;
}

int conf_kept_write(const conf_source *s, const cfg *c, diag *d)
{
        char file[CONF_KEPT_PATH];
        cfg *good = NULL;
        text t;
        int rc;

        find_name(s->file, file);
        text_init(&t);
        rc = text_read(&t, s->file, CONF_KEPT_MAX, d);
        if (rc == 0)
                rc = parse(s, odm_buf_view(&t.b), &good, d);
        if (rc == 0)
                rc = copy_write(cfg_str(c, "agent.state"), file, &t, d);
        cfg_free(good);
        text_done(&t);
        return rc;
}
