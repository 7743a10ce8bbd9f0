/* SPDX-License-Identifier: Apache-2.0 */
#include "part/outside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "odm/tree.h"
#include "program.h"

extern char **environ;

#define FIRST_MS 3000 /* how long the first answers may take */
#define OLD_MS 5000
#define SERVICES 128
#define GPSD_PORT 2947
#define GPSD_MS 200 /* it is on this machine: there at once, or not at all */
#define LINE 2048

typedef struct service {
        char name[65], rx[24], tx[24];
} service;

typedef struct source { /* a program that is asked again and again */
        outside *o;
        const char *command;
        void (*line)(outside *o, odm_str line);
        void (*over)(outside *o); /* the whole answer is there */
        program *program;
        odm_time asked;
        bool there;
} source;

struct outside {
        loop *loop;
        source systemd, modem;
        service *services, *new_services; /* SERVICES of each; the last answer, and the next */
        size_t n, new_n;
        service one; /* of the lines that come */
        outside_radio_state radio, new_radio;
        /* gpsd */
        bool has_gpsd, has_place;
        loop_io gps;
        odm_time gps_tried;
        char text[LINE];
        size_t text_n;
        outside_place_state place;
};

/* ---- lines ---------------------------------------------------------------------------------------- */

static void keep(char *out, size_t room, odm_str s)
{
        size_t n = s.n < room - 1 ? s.n : room - 1;

        for (size_t i = 0; i < n; i++)
                out[i] = (unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] > '~' ? '?' : s.p[i];
        out[n] = 0;
}

static bool is_number(odm_str s)
{
        size_t digits = 0;

        for (size_t i = 0; i < s.n; i++) {
                bool digit = s.p[i] >= '0' && s.p[i] <= '9';
                if (!digit && !(i == 0 && s.p[i] == '-') && s.p[i] != '.')
                        return false;
                digits += digit;
        }
        return digits > 0;
}

/* A service that systemd counts for; others say "[no data]" or the largest number. */
static void end_service(outside *o)
{
        uint64_t rx, tx;

        if (o->one.name[0] && o->new_n < SERVICES &&
            odm_str_u64(odm_cstr(o->one.rx), UINT64_MAX - 1, &rx) == 0 &&
            odm_str_u64(odm_cstr(o->one.tx), UINT64_MAX - 1, &tx) == 0)
                o->new_services[o->new_n++] = o->one;
        memset(&o->one, 0, sizeof o->one);
}

static void on_service_line(outside *o, odm_str line)
{
        static const struct {
                const char *key;
                size_t offset, room;
        } keys[] = {
                {"Id=", offsetof(service, name), sizeof o->one.name},
                {"IPIngressBytes=", offsetof(service, rx), sizeof o->one.rx},
                {"IPEgressBytes=", offsetof(service, tx), sizeof o->one.tx},
        };

        if (line.n == 0)
                end_service(o);
        for (size_t i = 0; i < ODM_COUNT(keys); i++)
                if (odm_str_starts(line, keys[i].key))
                        keep((char *)&o->one + keys[i].offset, keys[i].room,
                             odm_str_from(line, strlen(keys[i].key)));
}

static void on_services_over(outside *o)
{
        service *before = o->services;

        end_service(o);
        o->services = o->new_services;
        o->n = o->new_n;
        o->new_services = before;
        o->new_n = 0;
}

/* "modem.signal.lte.rsrp : -95.00"; what is not known is "--". */
void outside_radio_line(outside_radio_state *s, odm_str line)
{
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        odm_str key, value;
        const struct {
                const char *key;
                char *out;
                size_t room;
        } numbers[] = {
                {"modem.location.3gpp.mcc", s->mcc, sizeof s->mcc},
                {"modem.location.3gpp.mnc", s->mnc, sizeof s->mnc},
                {"modem.signal.gsm.rssi", s->rssi[0], sizeof s->rssi[0]},
                {"modem.signal.umts.rssi", s->rssi[1], sizeof s->rssi[1]},
                {"modem.signal.lte.rssi", s->rssi[2], sizeof s->rssi[2]},
                {"modem.signal.umts.rscp", s->rscp, sizeof s->rscp},
                {"modem.signal.umts.ecio", s->ecno, sizeof s->ecno},
                {"modem.signal.lte.rsrp", s->rsrp, sizeof s->rsrp},
                {"modem.signal.lte.rsrq", s->rsrq, sizeof s->rsrq},
        };

        if (!colon)
                return;
        key = odm_str_trim(odm_str_to(line, (size_t)(colon - line.p)));
        value = odm_str_trim(odm_str_from(line, (size_t)(colon - line.p) + 1));
        if (value.n == 0 || odm_str_is(value, "--"))
                return;
        for (size_t i = 0; i < ODM_COUNT(numbers); i++)
                if (odm_str_is(key, numbers[i].key) && is_number(value))
                        keep(numbers[i].out, numbers[i].room, value);
        if (odm_str_starts(key, "modem.generic.access-technologies.value"))
                keep(s->tech, sizeof s->tech, value);
        else if (odm_str_is(key, "modem.location.3gpp.cid"))
                keep(s->cell, sizeof s->cell, value);
        else if (odm_str_is(key, "modem.location.3gpp.tac") ||
                 (odm_str_is(key, "modem.location.3gpp.lac") && !s->area[0]))
                keep(s->area, sizeof s->area, value);
        else if (odm_str_is(key, "modem.3gpp.registration-state"))
                s->roaming = odm_str_is(value, "roaming") ? 1 : odm_str_is(value, "home") ? 0 : -1;
}

static void on_radio_line(outside *o, odm_str line)
{
        outside_radio_line(&o->new_radio, line);
}

static void on_radio_over(outside *o)
{
        o->radio = o->new_radio;
        o->new_radio = (outside_radio_state){.roaming = -1};
}

/* The value behind "name": of a line of JSON that holds nothing nested before it. */
static odm_str json_value(odm_str line, const char *name)
{
        char key[32];
        const char *at;
        odm_str rest;
        size_t n = 0;

        snprintf(key, sizeof key, "\"%s\":", name);
        at = memmem(line.p, line.n, key, strlen(key));
        if (!at)
                return ODM_ABSENT;
        rest = odm_str_from(line, (size_t)(at - line.p) + strlen(key));
        if (rest.n && rest.p[0] == '"')
                rest = odm_str_from(rest, 1);
        while (n < rest.n && rest.p[n] != ',' && rest.p[n] != '"' && rest.p[n] != '}')
                n++;
        return odm_str_to(rest, n);
}

/* "2010-10-03T12:05:01.000Z" as our objects write it. */
static void basic_time(odm_str s, char out[ODM_WALL_TEXT])
{
        char text[ODM_WALL_TEXT] = "";
        odm_wall w;

        if (s.n < 19)
                return;
        snprintf(text, sizeof text, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", s.p, s.p + 5, s.p + 8, s.p + 11,
                 s.p + 14, s.p + 17);
        if (odm_wall_parse(odm_cstr(text), &w) == 0)
                memcpy(out, text, sizeof text);
}

/* With six digits, as our objects have them (mo-diagmon.md 2). */
static void put_degrees(char *out, size_t room, odm_str s)
{
        char text[32];

        keep(text, sizeof text, s);
        snprintf(out, room, "%.6f", strtod(text, NULL));
}

bool outside_place_line(outside_place_state *s, odm_str line)
{
        odm_str lat = json_value(line, "lat"), lon = json_value(line, "lon");
        odm_str alt = json_value(line, "altMSL"), radius = json_value(line, "eph");

        if (!odm_str_is(json_value(line, "class"), "TPV") || !is_number(lat) || !is_number(lon))
                return false;
        memset(s, 0, sizeof *s);
        put_degrees(s->lat, sizeof s->lat, lat);
        put_degrees(s->lon, sizeof s->lon, lon);
        if (!alt.p)
                alt = json_value(line, "alt");
        if (is_number(alt))
                keep(s->alt, sizeof s->alt, alt);
        if (is_number(radius))
                keep(s->radius, sizeof s->radius, radius);
        basic_time(json_value(line, "time"), s->time);
        return true;
}

/* ---- asking --------------------------------------------------------------------------------------- */

static void each_line(outside *o, source *s, const char *text)
{
        while (*text) {
                size_t n = strcspn(text, "\n");
                s->line(o, (odm_str){text, n});
                text += n + (text[n] != 0);
        }
}

/* The first time nothing runs yet that could wait: at most FIRST_MS. */
static bool ask_now(source *s, char *text, size_t room)
{
        const char *argv[] = {"/bin/sh", "-c", s->command, NULL};
        posix_spawn_file_actions_t actions;
        size_t n = 0;
        int pipes[2], status = 1;
        pid_t pid;
        bool ok;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return false;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        ok = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) ==
             0;
        posix_spawn_file_actions_destroy(&actions);
        close(pipes[1]);
        for (odm_time until = odm_time_add(loop_now(), FIRST_MS); ok;) {
                struct pollfd f = {.fd = pipes[0], .events = POLLIN};
                int64_t left = until.ms - loop_now().ms;
                ssize_t k;
                if (left <= 0 || poll(&f, 1, (int)left) <= 0) {
                        (void)kill(pid, SIGKILL);
                        break;
                }
                k = read(pipes[0], text + n, room - 1 - n);
                if (k <= 0)
                        break;
                n += (size_t)k;
        }
        close(pipes[0]);
        text[n] = 0;
        if (ok)
                while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
                }
        return ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void first_answer(outside *o, source *s)
{
        size_t room = 256u << 10;
        char *text = malloc(room);

        if (text && ask_now(s, text, room)) {
                each_line(o, s, text);
                s->over(o);
                s->there = true;
        }
        free(text);
}

static void on_line(void *ctx, odm_str line)
{
        source *s = ctx;

        s->line(s->o, line);
}

static void on_done(void *ctx, int code)
{
        source *s = ctx;

        s->program = NULL;
        s->over(s->o);
        if (code != 0)
                log_debug("no answer", log_text("command", s->command), log_int("code", code));
}

static void ask(source *s)
{
        const char *const argv[] = {"/bin/sh", "-c", s->command, NULL};
        const program_opt o = {.argv = argv, .line = on_line, .done = on_done, .ctx = s};
        diag d = {{0}};

        if (!s->o->loop || s->program ||
            !odm_time_reached(loop_now(), odm_time_add(s->asked, OLD_MS)))
                return;
        s->asked = loop_now();
        if (program_start(s->o->loop, &o, &s->program, &d) < 0)
                log_debug("no answer", log_text("command", s->command), log_text("reason", d.text));
}

/* ---- gpsd ----------------------------------------------------------------------------------------- */

static int reach_gpsd(void)
{
        const struct sockaddr_in to = {.sin_family = AF_INET,
                                       .sin_port = htons(GPSD_PORT),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        static const char watch[] = "?WATCH={\"enable\":true,\"json\":true};\n";
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -1;
        if (connect(fd, (const struct sockaddr *)&to, sizeof to) <
                    0 || /* on this machine: at once */
            send(fd, watch, sizeof watch - 1, MSG_NOSIGNAL) < 0 ||
            fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static void leave_gpsd(outside *o)
{
        if (o->gps.fd < 0)
                return;
        loop_io_del(&o->gps);
        close(o->gps.fd);
        o->gps.fd = -1;
        o->has_place = false;
}

static void take_text(outside *o, const char *p, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (p[i] != '\n') {
                        if (o->text_n <
                            sizeof o->text) /* of what is longer we need only the start */
                                o->text[o->text_n++] = p[i];
                        continue;
                }
                if (outside_place_line(&o->place, (odm_str){o->text, o->text_n}))
                        o->has_place = true;
                o->text_n = 0;
        }
}

static void on_gps(void *ctx, unsigned events)
{
        outside *o = ctx;
        char block[1024];
        ssize_t n = read(o->gps.fd, block, sizeof block);

        (void)events;
        if (n > 0)
                take_text(o, block, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                leave_gpsd(o);
}

static void look_for_gpsd(outside *o)
{
        if (!o->has_gpsd || !o->loop || o->gps.fd >= 0 ||
            !odm_time_reached(loop_now(), odm_time_add(o->gps_tried, OLD_MS)))
                return;
        o->gps_tried = loop_now();
        o->text_n = 0;
        o->gps.fd = reach_gpsd();
        if (o->gps.fd >= 0 && loop_io_add(o->loop, &o->gps, LOOP_READ) < 0)
                leave_gpsd(o);
}

/* ---- life ----------------------------------------------------------------------------------------- */

int outside_new(outside **out)
{
        outside *o = calloc(1, sizeof *o);
        int fd;

        if (!o)
                return ODM_ENOMEM;
        o->gps = (loop_io){.fd = -1, .fn = on_gps, .ctx = o};
        o->new_radio.roaming = o->radio.roaming = -1;
        o->systemd = (source){.o = o, .line = on_service_line, .over = on_services_over};
        o->systemd.command = "systemctl show '*.service' "
                             "--property=Id,IPIngressBytes,IPEgressBytes 2>/dev/null";
        o->modem = (source){.o = o, .line = on_radio_line, .over = on_radio_over};
        o->modem.command = "mmcli -m any --output-keyvalue 2>/dev/null && "
                           "{ mmcli -m any --location-get --output-keyvalue; "
                           "mmcli -m any --signal-get --output-keyvalue; } 2>/dev/null; "
                           "command -v mmcli >/dev/null && mmcli -m any >/dev/null 2>&1";
        o->services = calloc(SERVICES, sizeof *o->services);
        o->new_services = calloc(SERVICES, sizeof *o->new_services);
        if (!o->services || !o->new_services) {
                outside_close(o);
                return ODM_ENOMEM;
        }
        first_answer(o, &o->systemd);
        first_answer(o, &o->modem);
        fd = reach_gpsd();
        o->has_gpsd = fd >= 0;
        if (fd >= 0)
                close(fd);
        if (o->n == 0) { /* nobody counts: what the memory was for is not needed */
                free(o->services);
                free(o->new_services);
                o->services = o->new_services = NULL;
        }
        *out = o;
        return 0;
}

void outside_open(outside *o, loop *l)
{
        o->loop = l;
        look_for_gpsd(o);
}

void outside_close(outside *o)
{
        if (!o)
                return;
        program_kill(o->systemd.program);
        program_kill(o->modem.program);
        leave_gpsd(o);
        free(o->services);
        free(o->new_services);
        free(o);
}

bool outside_has_services(const outside *o)
{
        return o->services != NULL;
}

bool outside_has_radio(const outside *o)
{
        return o->modem.there;
}

bool outside_has_place(const outside *o)
{
        return o->has_gpsd;
}

/* ---- what they say -------------------------------------------------------------------------------- */

void outside_services(outside *o, probe_sink *to)
{
        for (size_t i = 0; i < o->n; i++) {
                const service *s = &o->services[i];
                if (!odm_name_ok(odm_cstr(s->name)))
                        continue;
                probe_put(to, s->name, "%s/App", s->name);
                probe_put(to, s->rx, "%s/RxBytes", s->name);
                probe_put(to, s->tx, "%s/TxBytes", s->name);
        }
        if (o->services)
                ask(&o->systemd);
}

static const char *access_of(const char *tech)
{
        if (strcmp(tech, "lte") == 0)
                return "lte";
        if (strcmp(tech, "umts") == 0 || strncmp(tech, "hs", 2) == 0)
                return "umts";
        if (strncmp(tech, "gsm", 3) == 0 || strcmp(tech, "gprs") == 0 || strcmp(tech, "edge") == 0)
                return "gsm";
        return "";
}

static void put_rounded(probe_sink *to, const char *text, const char *rel)
{
        double n = strtod(text, NULL);

        if (text[0])
                probe_put_int(to, (int64_t)(n < 0 ? n - 0.5 : n + 0.5), "%s", rel);
}

/* Only of the access that is in use: of the others the modem says nothing now. */
void outside_radio(outside *o, const char *access, probe_sink *to)
{
        const outside_radio_state *s = &o->radio;
        int which = strcmp(access, "gsm") == 0 ? 0 : strcmp(access, "umts") == 0 ? 1 : 2;
        static const char *const types[] = {"GSM", "WCDMA", "LTE"};

        ask(&o->modem);
        if (strcmp(access_of(s->tech), access) != 0)
                return;
        probe_put(to, types[which], "NetType");
        probe_put(to, s->mcc, "MCC");
        probe_put(to, s->mnc, "MNC");
        probe_put(to, s->cell, "CellID");
        probe_put(to, s->area, "LAC");
        put_rounded(to, s->rssi[which], "RSSI");
        if (which == 1) {
                put_rounded(to, s->rscp, "RSCP");
                put_rounded(to, s->ecno, "EcNo");
        }
        if (which == 2) {
                put_rounded(to, s->rsrp, "RSRP");
                put_rounded(to, s->rsrq, "RSRQ");
        }
        if (s->roaming >= 0)
                probe_put(to, s->roaming ? "true" : "false", "Roaming");
}

bool outside_place(outside *o, probe_sink *to)
{
        look_for_gpsd(o);
        if (!o->has_place)
                return false;
        probe_put(to, o->place.lat, "Lat");
        probe_put(to, o->place.lon, "Long");
        put_rounded(to, o->place.alt, "Alt");
        put_rounded(to, o->place.radius, "Radius");
        probe_put(to, o->place.time, "Time");
        return true;
}
