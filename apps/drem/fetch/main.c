/* SPDX-License-Identifier: Apache-2.0 */
/* dremd-fetch: one download, in a process of its own that lives as long as the download.
 *
 *     dremd-fetch [options] URL FILE
 *
 * FILE is there, whole, when it ends well.  Until then the octets are in FILE.part, and what they
 * are a part of in FILE.part.of, so that another call goes on where this one was cut.  On standard
 * output: lines "progress DONE TOTAL", TOTAL 0 when unknown, and "received OCTETS", those of
 * answers since the last such line, now and then; at the end "end CAUSE SENTENCE", CAUSE as in
 * ODM_TASK_CAUSES.
 *
 *     dremd-fetch --upload TYPE [options] URL FILE
 *
 * sends FILE to URL instead, by POST.  Facts: mo-others.md 4.2, 4.3; mo-fumo.md 6. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "descriptor.h"
#include "heap.h"
#include "odm/task.h"

#define REDIRECTS 5
#define OF_MAX 4096

typedef struct fetch {
        /* as asked */
        const char *url, *file, *ca, *upload; /* upload: the type of what is sent; or NULL */
        int64_t max_size, retries, wait_ms, stall_s;
        /* while it goes on */
        CURL *curl;
        char part[PATH_MAX], of[PATH_MAX];
        char error[CURL_ERROR_SIZE];
        char etag[512], type[128], part_of[96], target[DESCRIPTOR_URL + 1];
        char asked[512]; /* the tag that what we have belongs to; "" without a range */
        int fd;
        int64_t have, expected; /* expected: of the whole, -1 unknown */
        int64_t shown_at;
        uint64_t received; /* octets that were not told yet */
        bool no_room, io_failed, started, is_descriptor, too_large, other;
        odm_buf small; /* a descriptor */
        descriptor dd;
        bool has_dd;
} fetch;

/* ---- memory of what a part is a part of ------------------------------------------------- */

/* Two lines: the address, and the entity tag it had. */
static bool same_source(const fetch *f, char etag[512])
{
        char text[OF_MAX];
        int fd = open(f->of, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        char *line;

        if (fd >= 0)
                close(fd);
        if (n <= 0)
                return false;
        text[n] = 0;
        line = strchr(text, '\n');
        if (!line || (size_t)(line - text) != strlen(f->target) ||
            strncmp(text, f->target, (size_t)(line - text)) != 0)
                return false;
        line[1 + strcspn(line + 1, "\n")] = 0;
        snprintf(etag, 512, "%s", line + 1);
        return etag[0] != 0;
}

static bool remember_source(const fetch *f)
{
        FILE *o = fopen(f->of, "w");
        bool ok = o != NULL;

        if (o) {
                ok = fprintf(o, "%s\n%s\n", f->target, f->etag) > 0 && fflush(o) == 0 &&
                     fsync(fileno(o)) == 0;
                ok = fclose(o) == 0 && ok;
        }
        return ok;
}

/* ---- what curl calls -------------------------------------------------------------------- */

static int64_t now_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void show(fetch *f, bool at_once)
{
        int64_t now = now_ms();

        if (!at_once && now - f->shown_at < 500)
                return;
        f->shown_at = now;
        (void)printf("progress %lld %lld\nreceived %llu\n", (long long)f->have,
                     (long long)(f->expected > 0 ? f->expected : 0),
                     (unsigned long long)f->received);
        f->received = 0;
        (void)fflush(stdout);
}

static bool header_is(const char *line, size_t n, const char *name, char *out, size_t max)
{
        size_t m = strlen(name);

        if (n <= m || strncasecmp(line, name, m) != 0 || line[m] != ':')
                return false;
        odm_str v = odm_str_trim((odm_str){line + m + 1, n - m - 1});
        if (v.n < max) {
                memcpy(out, v.p, v.n);
                out[v.n] = 0;
        }
        return true;
}

static size_t on_header(char *line, size_t one, size_t n, void *ctx)
{
        fetch *f = ctx;

        n *= one;
        if (n > 5 && strncasecmp(line, "HTTP/", 5) == 0)
                f->etag[0] = f->type[0] = f->part_of[0] = 0; /* of the last answer counts */
        else if (!header_is(line, n, "ETag", f->etag, sizeof f->etag) &&
                 !header_is(line, n, "Content-Range", f->part_of, sizeof f->part_of))
                (void)header_is(line, n, "Content-Type", f->type, sizeof f->type);
        return n;
}

/* A weak tag names what is alike, not what is the same. */
static bool is_strong(const char *etag)
{
        return etag[0] == '"';
}

/* Where a range begins: "bytes 5-9/10". */
static bool begins(const char *range, uint64_t *from)
{
        static const char unit[] = "bytes ";
        const char *digits = range + sizeof unit - 1;

        if (strncasecmp(range, unit, sizeof unit - 1) != 0)
                return false;
        return odm_str_u64((odm_str){digits, strcspn(digits, "-")}, INT64_MAX, from) == 0;
}

/* Whether a 206 is the rest of what we have: it begins there, and is of the same entity. */
static bool is_the_rest(const fetch *f)
{
        uint64_t from;

        return f->asked[0] && begins(f->part_of, &from) && from == (uint64_t)f->have &&
               (f->etag[0] == 0 || strcmp(f->etag, f->asked) == 0);
}

static bool start_body(fetch *f)
{
        curl_off_t length = -1;
        long code = 0;

        f->started = true;
        curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
        curl_easy_getinfo(f->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        f->is_descriptor = !f->has_dd &&
                           strncasecmp(f->type, DESCRIPTOR_TYPE, sizeof DESCRIPTOR_TYPE - 1) == 0;
        if (f->is_descriptor)
                return true;
        f->other = code == 206 && !is_the_rest(f);
        if (f->other)
                return false;
        if (code != 206) { /* the whole, whatever we asked for; of what was there nothing stays */
                f->have = 0;
                if (ftruncate(f->fd, 0) < 0 || lseek(f->fd, 0, SEEK_SET) < 0 || fsync(f->fd) < 0)
                        return false;
        }
        f->too_large = length > f->max_size - f->have;
        f->expected = length < 0 || f->too_large ? -1 : length + f->have;
        if (f->asked[0] && f->etag[0] == 0)
                snprintf(f->etag, sizeof f->etag, "%s", f->asked);
        if (!is_strong(f->etag))
                f->etag[0] = 0;
        return !f->too_large && remember_source(f);
}

static void disk_failed(fetch *f)
{
        f->no_room = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
        f->io_failed = true;
}

static size_t on_body(char *p, size_t one, size_t n, void *ctx)
{
        fetch *f = ctx;
        size_t left = n *= one;

        f->received += n;
        if (!f->started && !start_body(f)) {
                if (!f->too_large && !f->other)
                        disk_failed(f);
                return 0;
        }
        if (f->is_descriptor)
                return odm_buf_put(&f->small, p, n) < 0 ? 0 : n;
        if (f->have + (int64_t)n > f->max_size) {
                f->too_large = true;
                return 0;
        }
        while (left) {
                ssize_t k = write(f->fd, p, left);
                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0) {
                        disk_failed(f);
                        return 0;
                }
                p += k;
                left -= (size_t)k;
        }
        f->have += (int64_t)n;
        show(f, false);
        return n;
}

/* ---- one try ---------------------------------------------------------------------------- */

typedef struct verdict {
        odm_task_cause cause;
        bool again; /* it may go better the next time */
        const char *why;
} verdict;

static verdict of_code(long code)
{
        switch (code) {
        case 200:
        case 206: return (verdict){ODM_CAUSE_OK, false, ""};
        case 401:
        case 403:
        case 407: return (verdict){ODM_CAUSE_AUTH, false, "the server demands credentials"};
        case 404:
        case 410: return (verdict){ODM_CAUSE_BAD_URL, false, "the server has no such file"};
        case 408: return (verdict){ODM_CAUSE_TIMEOUT, true, "the server gave up waiting"};
        case 503: return (verdict){ODM_CAUSE_UNAVAILABLE, true, "the server is busy"};
        default:
                return code >= 500 ? (verdict){ODM_CAUSE_SERVER, true, "the server failed"}
                                   : (verdict){ODM_CAUSE_BAD_URL, false, "the server refused"};
        }
}

static verdict of_curl(const fetch *f, CURLcode rc)
{
        switch (rc) {
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT: return (verdict){ODM_CAUSE_BAD_URL, false, f->error};
        case CURLE_TOO_MANY_REDIRECTS:
                return (verdict){ODM_CAUSE_BAD_URL, false, "too many redirections"};
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT: return (verdict){ODM_CAUSE_UNAVAILABLE, true, f->error};
        case CURLE_OPERATION_TIMEDOUT: return (verdict){ODM_CAUSE_TIMEOUT, true, f->error};
        case CURLE_OUT_OF_MEMORY: return (verdict){ODM_CAUSE_NO_ROOM, false, "out of memory"};
        default: return (verdict){ODM_CAUSE_NETWORK, true, f->error};
        }
}

static void set_up(fetch *f, const char *range, struct curl_slist *headers)
{
        const bool tls = strncasecmp(f->target, "https:", 6) == 0;

        curl_easy_reset(f->curl);
        curl_easy_setopt(f->curl, CURLOPT_URL, f->target);
        curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(f->curl, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
        curl_easy_setopt(f->curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(f->curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
        curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "xrem dremd/" XREM_VERSION);
        curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
        curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
        curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->error);
        curl_easy_setopt(f->curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT, 30L);
        curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 32L);
        curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, (long)f->stall_s);
        curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
        if (range)
                curl_easy_setopt(f->curl, CURLOPT_RANGE, range);
        if (f->ca)
                curl_easy_setopt(f->curl, CURLOPT_CAINFO, f->ca);
}

static verdict judge(fetch *f, CURLcode rc)
{
        long code = 0;

        curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
        if (f->too_large)
                return (verdict){ODM_CAUSE_NO_ROOM, false, "larger than there is room for"};
        if (f->no_room)
                return (verdict){ODM_CAUSE_NO_ROOM, false, "the disk is full"};
        if (f->io_failed)
                return (verdict){ODM_CAUSE_FAILED, false, "the file cannot be written"};
        if (rc == CURLE_HTTP_RETURNED_ERROR)
                return of_code(code);
        if (rc == CURLE_WRITE_ERROR && f->is_descriptor)
                return (verdict){ODM_CAUSE_NOT_ACCEPTED, false, "a descriptor without end"};
        if (rc != CURLE_OK)
                return of_curl(f, rc);
        if (code != 200 && code != 206)
                return of_code(code == 204 ? 404 : code);
        if (f->expected >= 0 && f->have < f->expected && !f->is_descriptor)
                return (verdict){ODM_CAUSE_NETWORK, true, "the file was cut short"};
        if (!f->started)
                return (verdict){ODM_CAUSE_CORRUPT, false, "the file is empty"};
        return (verdict){ODM_CAUSE_OK, false, ""};
}

static verdict try_once(fetch *f)
{
        char match[600], range[32];
        struct curl_slist *headers = NULL;
        struct stat st;
        CURLcode rc;
        verdict v;

        f->started = f->is_descriptor = f->other = false;
        f->error[0] = f->asked[0] = 0;
        odm_buf_cut(&f->small, 0);
        f->have = fstat(f->fd, &st) == 0 ? st.st_size : 0;
        if (f->have > 0 && same_source(f, f->asked)) {
                snprintf(match, sizeof match, "If-Range: %s", f->asked);
                headers = curl_slist_append(headers, match);
                snprintf(range, sizeof range, "%lld-", (long long)f->have);
                (void)lseek(f->fd, f->have, SEEK_SET);
        } else {
                f->have = 0;
        }
        set_up(f, f->have ? range : NULL, headers);
        rc = curl_easy_perform(f->curl);
        v = judge(f, rc);
        long code = 0;
        curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
        curl_slist_free_all(headers);
        if (f->other || (code == 416 && f->have > 0)) { /* another file by now: from its start */
                f->have = 0;
                (void)!ftruncate(f->fd, 0);
                return (verdict){ODM_CAUSE_NETWORK, true, "the rest is not of the same file"};
        }
        return v;
}

static void pause_between(const fetch *f)
{
        struct timespec pause = {f->wait_ms / 1000, f->wait_ms % 1000 * 1000000};

        (void)nanosleep(&pause, NULL);
}

static verdict with_retries(fetch *f)
{
        verdict v = {ODM_CAUSE_FAILED, false, ""};

        for (int64_t i = 0; i < f->retries; i++) {
                if (i > 0)
                        pause_between(f);
                v = try_once(f);
                if (!v.again)
                        break;
        }
        return v;
}

/* ---- descriptors ------------------------------------------------------------------------ */

/* objectURI against the descriptor's own address. */
static bool resolve(fetch *f, const char *base, const char *uri)
{
        CURLU *u = curl_url();
        char *text = NULL;
        bool ok = u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
                  curl_url_set(u, CURLUPART_URL, uri, 0) == CURLUE_OK &&
                  curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK &&
                  strlen(text) < sizeof f->target;

        if (ok)
                snprintf(f->target, sizeof f->target, "%s", text);
        curl_free(text);
        curl_url_cleanup(u);
        return ok;
}

static verdict follow_descriptor(fetch *f)
{
        char base[DESCRIPTOR_URL + 1];
        int rc = descriptor_parse(odm_buf_view(&f->small), &f->dd);
        verdict v;

        if (rc == ODM_EUNSUPPORTED)
                return (verdict){ODM_CAUSE_NOT_ACCEPTED, false, "a descriptor of another version"};
        if (rc < 0)
                return (verdict){ODM_CAUSE_NOT_ACCEPTED, false, "a damaged descriptor"};
        f->has_dd = true;
        snprintf(base, sizeof base, "%s", f->target);
        if (!resolve(f, base, f->dd.object))
                return (verdict){ODM_CAUSE_BAD_URL, false, "a descriptor with a bad objectURI"};
        if (f->dd.size > (uint64_t)f->max_size)
                return (verdict){ODM_CAUSE_NO_ROOM, false, "larger than there is room for"};
        v = with_retries(f);
        if (v.cause == ODM_CAUSE_OK && (uint64_t)f->have != f->dd.size)
                return (verdict){ODM_CAUSE_CORRUPT, false, "not of the size the descriptor says"};
        return v;
}

static const char *status_of(odm_task_cause c)
{
        switch (c) {
        case ODM_CAUSE_OK: return "900 Success";
        case ODM_CAUSE_NO_ROOM: return "901 Insufficient memory";
        case ODM_CAUSE_CANCELLED: return "902 User Cancelled";
        case ODM_CAUSE_NETWORK:
        case ODM_CAUSE_TIMEOUT:
        case ODM_CAUSE_UNAVAILABLE: return "903 Loss of Service";
        case ODM_CAUSE_CORRUPT: return "905 Attribute mismatch";
        case ODM_CAUSE_NOT_ACCEPTED: return "953 Non-Acceptable Content";
        case ODM_CAUSE_AUTH:
        case ODM_CAUSE_BAD_URL:
        case ODM_CAUSE_SERVER: return "954 Loader Error";
        default: return "952 Device Aborted";
        }
}

static size_t swallow(char *p, size_t one, size_t n, void *ctx)
{
        (void)p;
        (void)ctx;
        return one * n;
}

/* Whether it arrives changes nothing. */
static void notify(fetch *f, const char *base, odm_task_cause c)
{
        char body[64];

        if (!f->has_dd || !f->dd.notify[0] || !resolve(f, base, f->dd.notify))
                return;
        snprintf(body, sizeof body, "%s\r\n", status_of(c));
        set_up(f, NULL, NULL);
        curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, NULL);
        curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, swallow);
        curl_easy_setopt(f->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, 30L);
        (void)curl_easy_perform(f->curl);
}

/* ---- the other way ---------------------------------------------------------------------- */

static verdict send_once(fetch *f, FILE *in, curl_off_t size)
{
        struct curl_slist *headers = NULL;
        char type[160];
        CURLcode rc;
        long code = 0;

        f->error[0] = 0;
        snprintf(type, sizeof type, "Content-Type: %s", f->upload);
        headers = curl_slist_append(headers, type);
        headers = curl_slist_append(headers, "Expect:");
        set_up(f, NULL, headers);
        curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, NULL);
        curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, swallow);
        curl_easy_setopt(f->curl, CURLOPT_FOLLOWLOCATION, 0L); /* it is for whom it is for */
        curl_easy_setopt(f->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(f->curl, CURLOPT_READDATA, in);
        curl_easy_setopt(f->curl, CURLOPT_POSTFIELDSIZE_LARGE, size);
        rewind(in);
        rc = curl_easy_perform(f->curl);
        curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &code);
        curl_slist_free_all(headers);
        if (rc == CURLE_HTTP_RETURNED_ERROR)
                return of_code(code);
        if (rc != CURLE_OK)
                return of_curl(f, rc);
        return code >= 200 && code < 300
                       ? (verdict){ODM_CAUSE_OK, false, ""}
                       : (verdict){ODM_CAUSE_BAD_URL, false, "the server refused"};
}

static verdict send_all(fetch *f)
{
        verdict v = {ODM_CAUSE_FAILED, false, "the file cannot be read"};
        struct stat st;
        FILE *in;

        if (strlen(f->url) >= sizeof f->target)
                return (verdict){ODM_CAUSE_BAD_URL, false, "the address is too long"};
        snprintf(f->target, sizeof f->target, "%s", f->url);
        in = fopen(f->file, "re");
        if (!in || fstat(fileno(in), &st) < 0)
                goto out;
        for (int64_t i = 0; i < f->retries; i++) {
                if (i > 0)
                        pause_between(f);
                v = send_once(f, in, st.st_size);
                if (!v.again)
                        break;
        }
out:
        if (in)
                fclose(in);
        return v;
}

/* ---- the whole -------------------------------------------------------------------------- */

static verdict keep_it(fetch *f)
{
        if (fsync(f->fd) < 0 || rename(f->part, f->file) < 0)
                return (verdict){ODM_CAUSE_FAILED, false, "the file cannot be kept"};
        (void)unlink(f->of);
        return (verdict){ODM_CAUSE_OK, false, ""};
}

/* One process at a time writes a part.  The one before may be dying still, or have finished the
 * file just now. */
static bool open_part(fetch *f)
{
        struct stat ours, named;

        for (;;) {
                f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
                if (f->fd < 0)
                        return false;
                if (flock(f->fd, LOCK_EX) < 0) {
                        close(f->fd);
                        return false;
                }
                if (fstat(f->fd, &ours) == 0 && stat(f->part, &named) == 0 &&
                    named.st_ino == ours.st_ino)
                        return true;
                close(f->fd);
        }
}

static verdict fetch_all(fetch *f)
{
        verdict v;

        snprintf(f->part, sizeof f->part, "%s.part", f->file);
        snprintf(f->of, sizeof f->of, "%s.part.of", f->file);
        if (strlen(f->url) >= sizeof f->target)
                return (verdict){ODM_CAUSE_BAD_URL, false, "the address is too long"};
        snprintf(f->target, sizeof f->target, "%s", f->url);
        if (!open_part(f))
                return (verdict){ODM_CAUSE_FAILED, false, strerror(errno)};
        v = with_retries(f);
        if (v.cause == ODM_CAUSE_OK && f->is_descriptor)
                v = follow_descriptor(f);
        show(f, true);
        if (v.cause == ODM_CAUSE_OK)
                v = keep_it(f);
        if (v.cause != ODM_CAUSE_OK && !v.again) { /* nothing to go on from */
                (void)unlink(f->part);
                (void)unlink(f->of);
        }
        close(f->fd);
        return v;
}

static const char about[] = "Fetches URL into FILE, going on where an earlier call was cut.";

int main(int argc, char **argv)
{
        fetch f = {.max_size = (int64_t)1 << 40, .retries = 5, .wait_ms = 120000, .stall_s = 60};
        const cli_option options[] = {
                {0, "max-size", CLI_INT, &f.max_size, "OCTETS", "refuse what is larger"},
                {0, "retries", CLI_INT, &f.retries, "N", "tries in all; default 5"},
                {0, "wait", CLI_INT, &f.wait_ms, "MS", "between two tries; default two minutes"},
                {0, "stall", CLI_INT, &f.stall_s, "S", "give a silent server up; default 60"},
                {0, "upload", CLI_STRING, &f.upload, "TYPE", "send FILE, which is of this type"},
                {0, "ca", CLI_STRING, &f.ca, "FILE", "certificates that are trusted"},
        };
        const cli_program p = {"dremd-fetch", XREM_VERSION, "[options] URL FILE",
                               about,         options,      ODM_COUNT(options),
                               NULL};
        int first;
        verdict v;

        switch (cli_parse(&p, argc, argv, false, &first)) {
        case CLI_EXIT_OK: return CLI_OK;
        case CLI_EXIT_USAGE: return CLI_USAGE;
        case CLI_GO_ON: break;
        }
        if (argc - first != 2) {
                (void)fprintf(stderr, "dremd-fetch: URL and FILE are needed; try --help\n");
                return CLI_USAGE;
        }
        f.url = argv[first];
        f.file = argv[first + 1];
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN);         /* a limit is a full disk */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* who asked for it will ask again */
        odm_buf_init(&f.small, &heap_mem, DESCRIPTOR_MAX);
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (f.curl = curl_easy_init()) == NULL)
                return CLI_FAILED;
        v = f.upload ? send_all(&f) : fetch_all(&f);
        notify(&f, f.url, v.cause);
        (void)printf("end %s %s\n", odm_task_cause_name(v.cause), v.why);
        odm_buf_done(&f.small);
        curl_easy_cleanup(f.curl);
        curl_global_cleanup();
        return v.cause == ODM_CAUSE_OK ? CLI_OK : CLI_FAILED;
}
