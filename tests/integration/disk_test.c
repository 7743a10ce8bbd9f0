/* SPDX-License-Identifier: Apache-2.0 */
/* What the real programs do about their disks: files they do not start on, which they leave alone
 * and name, with what is wrong and what to do; and a disk that fills up while they work and has
 * room again. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon.h"
#include "fsio.h"
#include "heap.h"

#define FILL_BLOCK 4096
#define DEVICES_MOST 2000

/* ---- disks of our own ------------------------------------------------------------------- */

static bool own_mounts; /* what we mount nobody else sees, and it goes with us */

static void make_own_mounts(void)
{
        own_mounts = unshare(CLONE_NEWNS) == 0 &&
                     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        if (!own_mounts)
                print_message("# the disks of our own are left out: %s\n", strerror(errno));
}

static void mount_disk(const char *name, const char *options)
{
        char path[300];

        (void)snprintf(path, sizeof path, "%s", daemon_path(name));
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        assert_int_equal(mount("none", path, "tmpfs", 0, options), 0);
}

static void unmount_disk(const char *name)
{
        assert_int_equal(umount2(daemon_path(name), MNT_DETACH), 0);
        (void)rmdir(daemon_path(name));
}

/* Leaves no room at all. */
static void fill_disk(const char *name)
{
        static const char block[FILL_BLOCK];
        int fd = open(daemon_path(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

        assert_true(fd >= 0);
        while (write(fd, block, sizeof block) > 0)
                ;
        assert_int_equal(errno, ENOSPC);
        close(fd);
}

static void wait_for_log(const char *log, const char *text)
{
        const struct timespec pause = {0, 20000000};

        for (int i = 0; i < 1500; i++) {
                if (daemon_says(log, text))
                        return;
                nanosleep(&pause, NULL);
        }
        odm_buf b = daemon_text(log);
        fail_msg("%s does not say \"%s\": %s", log, text, b.p);
}

/* ---- files nremd does not start on ---------------------------------------------------------- */

static odm_buf good; /* a database that nremd made */

static void make_good(void)
{
        daemon_process p = daemon_start("log", NULL);

        assert_int_equal(daemon_ask(&p, false, "POST", "/api/v1/devices", "{\"name\":\"a\"}", NULL),
                         201);
        daemon_stop(&p);
        odm_buf_init(&good, &heap_mem, 1 << 24);
        assert_int_equal(fsio_read(daemon_path("state/nrem.db"), 1 << 24, &good, NULL), 0);
        assert_true(good.n > 3 * 4096);
}

static const struct row {
        const char *why;
        size_t cut; /* only so much of it; 0: all */
        size_t at;  /* octets put there */
        const char *bytes;
        const char *says[3];
} rows[] = {
        {"no database", 0, 0, "[dm]\nlisten = :1\n", {"nrem.db", "not a database", "backup"}},
        {"half of it", 3 * 4096 - 100, 0, NULL, {"nrem.db", "damaged", "backup"}},
        {"its first page lost", 0, 100, "zzzzzzzzzzzzzzzz", {"nrem.db", "damaged", "backup"}},
        {"another page lost", 0, 2 * 4096, "zzzzzzzzzzzzzzzz", {"nrem.db", "damaged", "backup"}},
        {"of a newer version",
         0,
         60,
         "\001\001\001\001",
         {"nrem.db", "newer version", "start that"}},
        {"of another program", 0, 68, "ABCD", {"nrem.db", "another program", "name another"}},
};

static int start_on(const char *name)
{
        char state[300];

        (void)snprintf(state, sizeof state, "server.state=%s", daemon_path(name));
        const char *const args[] = {
                "-s", state, "-s", "dm.listen=127.0.0.1:0", "-s", "api.listen=127.0.0.1:0", NULL};
        return daemon_end(daemon_run("out", args));
}

static void expect_told(const char *why, int code, const char *const says[3])
{
        odm_buf b = daemon_text("out");

        if (code != 1)
                fail_msg("%s: ended with %d: %s", why, code, b.p);
        for (int i = 0; i < 3; i++)
                if (!strstr(b.p, says[i]))
                        fail_msg("%s: says nothing of \"%s\": %s", why, says[i], b.p);
        odm_buf_done(&b);
}

static void nremd_leaves_alone_what_it_cannot_read(void **state)
{
        (void)state;
        make_good();
        assert_int_equal(mkdir(daemon_path("bad"), 0700), 0);
        for (size_t i = 0; i < ODM_COUNT(rows); i++) {
                const struct row *r = &rows[i];
                odm_buf after;
                char *copy = malloc(good.n);
                odm_str s = {copy, r->cut ? r->cut : good.n};
                assert_non_null(copy);
                memcpy(copy, good.p, good.n);
                if (r->bytes)
                        memcpy(copy + r->at, r->bytes, strlen(r->bytes));
                assert_int_equal(fsio_write(NULL, daemon_path("bad/nrem.db"), s, 0600, NULL), 0);
                expect_told(r->why, start_on("bad"), r->says);
                odm_buf_init(&after, &heap_mem, 1 << 24);
                assert_int_equal(fsio_read(daemon_path("bad/nrem.db"), 1 << 24, &after, NULL), 0);
                if (!odm_str_eq(odm_buf_view(&after), s))
                        fail_msg("%s: the file was changed", r->why);
                odm_buf_done(&after);
                free(copy);
        }
        odm_buf_done(&good);
}

/* ---- no right to write, no room ------------------------------------------------------------- */

static void nremd_does_not_start_where_it_cannot_write(void **state)
{
        static const char *const read_only[] = {"read-only", "Read-only file system",
                                                "not started"};
        static const char *const full[] = {"full", "No space left on device", "not started"};

        (void)state;
        if (!own_mounts)
                SKIP_TEST("no mounts of our own");
        mount_disk("read-only", "size=1m");
        assert_int_equal(
                mount("none", daemon_path("read-only"), NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        expect_told("read-only", start_on("read-only"), read_only);
        unmount_disk("read-only");
        mount_disk("full", "size=64k,nr_inodes=20");
        fill_disk("full/filler");
        expect_told("full", start_on("full"), full);
        assert_int_equal(unlink(daemon_path("full/filler")), 0);
        unmount_disk("full");
}

/* ---- full while it works ---------------------------------------------------------------- */

static unsigned post_device(const daemon_process *p, int i, json_t **answer)
{
        char body[64];

        (void)snprintf(body, sizeof body, "{\"name\":\"dev/%d\"}", i);
        return daemon_ask(p, false, "POST", "/api/v1/devices", body, answer);
}

static bool is_there(const daemon_process *p, int i)
{
        char path[64];

        (void)snprintf(path, sizeof path, "/api/v1/devices/dev%%2F%d", i);
        unsigned status = daemon_ask(p, false, "GET", path, NULL, NULL);
        assert_true(status == 200 || status == 404);
        return status == 200;
}

static json_t *simulate(const daemon_process *p, const char *token, int code)
{
        char url[64];

        (void)snprintf(url, sizeof url, "http://localhost:%u/dm", p->port);
        const char *const args[] = {"--json", "--quiet",  "--server", url,          "-n", "4", "-s",
                                    "1",      "--prefix", "sim/",     "--max-time", "20", NULL};
        assert_int_equal(daemon_end(daemon_run_program(XREMSIM, token, "sim.out", args)), code);
        odm_buf b = daemon_text("sim.out");
        json_t *o = json_loads(b.p, 0, NULL);
        if (!o)
                fail_msg("xremsim says %s", b.p);
        odm_buf_done(&b);
        return o;
}

static json_int_t done_of(json_t *o)
{
        json_int_t n = json_integer_value(json_object_get(json_object_get(o, "outcomes"), "done"));

        json_decref(o);
        return n;
}

static void make_sim_devices(const daemon_process *p, const char *token)
{
        char api[64];

        (void)snprintf(api, sizeof api, "http://localhost:%u", p->port);
        const char *const args[] = {"--json", "--quiet", "--create", "--api", api,
                                    "-n",     "4",       "--prefix", "sim/",  NULL};
        assert_int_equal(daemon_end(daemon_run_program(XREMSIM, token, "sim.out", args)), 0);
}

/* Devices are made until there is no room: how many were. */
static int post_until_full(const daemon_process *p)
{
        json_t *o = NULL;
        unsigned status = 201;
        int n = 0;

        while (n < DEVICES_MOST && (status = post_device(p, n, &o)) == 201) {
                json_decref(o);
                n++;
        }
        assert_int_equal(status, 503);
        assert_string_equal(json_string_value(json_object_get(o, "type")),
                            "urn:xrem:problem:unavailable");
        json_decref(o);
        return n;
}

static void nremd_turns_all_away_until_there_is_room(void **state)
{
        odm_buf token;
        json_t *o;

        (void)state;
        if (!own_mounts)
                SKIP_TEST("no mounts of our own");
        mount_disk("state", "size=4m");
        daemon_process p = daemon_start("log", NULL);
        token = daemon_text("state/admin.token");
        token.p[strcspn(token.p, "\n")] = 0;
        make_sim_devices(&p, token.p);
        fill_disk("state/filler");
        int n = post_until_full(&p);
        wait_for_log("log", "nothing can be kept");
        wait_for_log("log", "make room");
        assert_int_equal(daemon_ask(&p, false, "GET", "/api/v1/health", NULL, &o), 503);
        json_decref(o);
        for (int i = 0; i <= n; i++)
                assert_int_equal(is_there(&p, i), i < n);       /* it is read on */
        assert_int_equal(done_of(simulate(&p, token.p, 1)), 0); /* devices are told to come later */

        assert_int_equal(unlink(daemon_path("state/filler")), 0);
        wait_for_log("log", "the store keeps again");
        assert_int_equal(daemon_ask(&p, false, "GET", "/api/v1/health", NULL, NULL), 200);
        assert_int_equal(post_device(&p, n, NULL), 201);
        assert_int_equal(done_of(simulate(&p, token.p, 0)), 4);
        kill(p.pid, SIGKILL);
        assert_int_equal(daemon_end(p.pid), -SIGKILL);
        p = daemon_start("log", NULL);
        for (int i = 0; i <= n + 1; i++)
                assert_int_equal(is_there(&p, i), i <= n);
        daemon_stop(&p);
        unmount_disk("state");
        odm_buf_done(&token);
}

/* ---- the agent, and the gateway, which is one with more behind it ------------------------------ */

/* Writes the configuration of either, its state in the folder "agent". */
static const char *configure_agent(unsigned port)
{
        char text[1024];
        int n = snprintf(text, sizeof text,
                         "[agent]\nstate = %s\n[device]\nid = urn:disk\n"
                         "[account]\nserver_id = xrem\nurl = http://localhost:%u/dm\n"
                         "user = disk\npassword = pw\nserver_password = spw\n"
                         "[wake]\nlisten = 127.0.0.1:0\nmin_interval = 0s\n"
                         "[session]\nretry_min = 200ms\nretry_max = 1s\n",
                         daemon_path("agent"), port);

        assert_true(n > 0 && (size_t)n < sizeof text);
        assert_int_equal(fsio_write(NULL, daemon_path("agent.conf"), odm_cstr(text), 0600, NULL),
                         0);
        return daemon_path("agent.conf");
}

static pid_t start_program(const char *program, const char *log, unsigned port)
{
        char conf[300];

        (void)snprintf(conf, sizeof conf, "%s", configure_agent(port));
        const char *const args[] = {"--config", conf, NULL};
        return daemon_run_program(program, NULL, log, args);
}

static pid_t start_agent(const char *log, unsigned port)
{
        return start_program(DREMD, log, port);
}

static void expect_program_told(const char *program, const char *why, const char *const says[3])
{
        expect_told(why, daemon_end(start_program(program, "out", 9)), says);
}

static void dremd_leaves_alone_what_it_cannot_read(void **state)
{
        static const char *const spoilt[] = {"agent/journal", "not a journal of ours",
                                             "not started"};
        static const char text[] = "[agent]\nid = 7\n";
        odm_buf after;

        (void)state;
        assert_int_equal(mkdir(daemon_path("agent"), 0700), 0);
        assert_int_equal(fsio_write(NULL, daemon_path("agent/journal"), odm_cstr(text), 0600, NULL),
                         0);
        expect_program_told(DREMD, "another file", spoilt);
        after = daemon_text("agent/journal");
        assert_string_equal(after.p, text);
        odm_buf_done(&after);
        assert_int_equal(unlink(daemon_path("agent/journal")), 0);
}

static void does_not_start_where_it_cannot_write(const char *program)
{
        static const char *const read_only[] = {"agent", "Read-only file system", "not started"};
        static const char *const full[] = {"agent", "No space left on device", "not started"};

        if (!own_mounts)
                SKIP_TEST("no mounts of our own");
        mount_disk("agent", "size=1m");
        assert_int_equal(mount("none", daemon_path("agent"), NULL, MS_REMOUNT | MS_RDONLY, NULL),
                         0);
        expect_program_told(program, "read-only", read_only);
        unmount_disk("agent");
        mount_disk("agent", "size=64k,nr_inodes=20");
        fill_disk("agent/filler");
        expect_program_told(program, "full", full);
        unmount_disk("agent");
}

static void dremd_does_not_start_where_it_cannot_write(void **state)
{
        (void)state;
        does_not_start_where_it_cannot_write(DREMD);
}

static void gremd_does_not_start_where_it_cannot_write(void **state)
{
        (void)state;
        does_not_start_where_it_cannot_write(GREMD);
}

/* The account of either, anew. */
static void make_device(const daemon_process *p)
{
        static const char device[] = "{\"name\":\"disk\",\"devid\":\"urn:disk\","
                                     "\"user\":\"disk\",\"password\":\"pw\","
                                     "\"server_password\":\"spw\"}";

        (void)daemon_ask(p, false, "DELETE", "/api/v1/devices/disk", NULL, NULL);
        assert_int_equal(daemon_ask(p, false, "POST", "/api/v1/devices", device, NULL), 201);
}

/* Puts `size` octets of `c` into the agent's large object, and waits up to 20 s: the job's state.
 */
static void put_data(const daemon_process *p, char c, size_t size, int wait, char job[24])
{
        char *body = malloc(size + 400);
        json_t *o = NULL;
        size_t n;

        assert_non_null(body);
        n = (size_t)snprintf(body, 400,
                             "{\"wait\":%d,\"commands\":[{\"cmd\":\"replace\",\"uri\":"
                             "\"./Vendor/xrem/Config/Note\",\"format\":\"chr\",\"data\":\"",
                             wait);
        memset(body + n, c, size);
        memcpy(body + n + size, "\"}]}", 5);
        assert_int_equal(daemon_ask(p, false, "POST", "/api/v1/devices/disk/jobs", body, &o), 201);
        (void)snprintf(job, 24, "%s", json_string_value(json_object_get(o, "id")));
        json_decref(o);
        free(body);
}

/* Waits until the job has ended: whether it is done. */
static bool job_is_done(const daemon_process *p, const char *job)
{
        char path[64];
        json_t *o = NULL;

        (void)snprintf(path, sizeof path, "/api/v1/jobs/%s?wait=30", job);
        assert_int_equal(daemon_ask(p, false, "GET", path, NULL, &o), 200);
        const char *state = json_string_value(json_object_get(o, "state"));
        bool done = strcmp(state, "done") == 0;
        if (!done && strcmp(state, "failed") != 0)
                fail_msg("job %s is %s", job, state);
        json_decref(o);
        return done;
}

/* The octet that the agent's note is full of. */
static char note_of(const daemon_process *p)
{
        static const char get[] = "{\"wait\":30,\"commands\":[{\"cmd\":\"get\",\"uri\":"
                                  "\"./Vendor/xrem/Config/Note\"}]}";
        json_t *o = NULL;

        assert_int_equal(daemon_ask(p, false, "POST", "/api/v1/devices/disk/jobs", get, &o), 201);
        const json_t *command = json_array_get(json_object_get(o, "commands"), 0);
        const json_t *item = json_array_get(json_object_get(command, "results"), 0);
        const char *data = json_string_value(json_object_get(item, "data"));
        if (!data)
                fail_msg("the note is not told");
        char c = data[0];
        json_decref(o);
        return c;
}

#define NOTE 3000 /* octets: more than may be left of the page that the journal ends in, twice */

/* While there is no room no job is done; with room again they are, and what was done stays. */
static void dremd_does_nothing_that_it_cannot_keep(void **state)
{
        const char *const settings[] = {"wake.first=500ms", "wake.max=1s", NULL};
        char job[4][24];
        int done = 0;

        (void)state;
        if (!own_mounts)
                SKIP_TEST("no mounts of our own");
        mount_disk("agent", "size=1m");
        daemon_process p = daemon_start("log", settings);
        make_device(&p);
        pid_t agent = start_agent("agent.log", p.port);
        put_data(&p, 'a', NOTE, 30, job[0]);
        assert_true(job_is_done(&p, job[0]));
        fill_disk("agent/filler");
        for (int i = 1; i < 4; i++)
                put_data(&p, (char)('a' + i), NOTE, 3, job[i]);
        wait_for_log("agent.log", "No space left on device");
        assert_int_equal(unlink(daemon_path("agent/filler")), 0);
        for (int i = 1; i < 4; i++)
                if (job_is_done(&p, job[i]))
                        done = i;
        assert_int_equal(note_of(&p), 'a' + done);
        kill(agent, SIGKILL);
        assert_int_equal(daemon_end(agent), -SIGKILL);
        agent = start_agent("agent.log", p.port);
        assert_int_equal(note_of(&p), 'a' + done);
        kill(agent, SIGTERM);
        assert_int_equal(daemon_end(agent), 0);
        daemon_stop(&p);
        unmount_disk("agent");
}

/* ---- the gateway ------------------------------------------------------------------------------ */

#define GATEWAY_DEVICES 4

/* What is damaged it mends by itself (tests/acceptance/gateway-recovery.sh); what is newer it
 * leaves. */
static void gremd_leaves_alone_what_is_newer(void **state)
{
        static const char *const says[] = {"gateway.db", "newer version", "start that"};
        odm_buf before, after;

        (void)state;
        pid_t pid = start_program(GREMD, "agent.log", 9);
        wait_for_log("agent.log", "gremd: ready");
        kill(pid, SIGTERM);
        assert_int_equal(daemon_end(pid), 0);
        odm_buf_init(&before, &heap_mem, 1 << 24);
        odm_buf_init(&after, &heap_mem, 1 << 24);
        assert_int_equal(fsio_read(daemon_path("agent/gateway.db"), 1 << 24, &before, NULL), 0);
        memcpy(before.p + 60, "\001\001\001\001", 4);
        assert_int_equal(fsio_write(NULL, daemon_path("agent/gateway.db"), odm_buf_view(&before),
                                    0600, NULL),
                         0);
        expect_program_told(GREMD, "newer", says);
        assert_int_equal(fsio_read(daemon_path("agent/gateway.db"), 1 << 24, &after, NULL), 0);
        assert_octets(odm_buf_view(&after), odm_buf_view(&before));
        odm_buf_done(&before);
        odm_buf_done(&after);
}

/* Starts the gateway with a door for devices; its port. */
static unsigned start_gateway(pid_t *pid, unsigned server)
{
        char conf[300];
        const char *const args[] = {"--config", conf,
                                    "-s",       "omadm.listen=127.0.0.1:0",
                                    "-s",       "omadm.server_id=gw",
                                    "-s",       "omadm.unknown=accept",
                                    "-s",       "omadm.accept_password=behind",
                                    "-s",       "omadm.accept_server_password=behind",
                                    NULL};
        unsigned port = 0;

        (void)snprintf(conf, sizeof conf, "%s", configure_agent(server));
        *pid = daemon_run_program(GREMD, NULL, "agent.log", args);
        wait_for_log("agent.log", "gremd: ready");
        odm_buf b = daemon_text("agent.log");
        const char *at = strstr(b.p, "listening for OMA DM");
        at = at ? strstr(at, "port=") : NULL;
        assert_true(at && sscanf(at, "port=%u", &port) == 1 && port != 0);
        odm_buf_done(&b);
        return port;
}

/* How often alarms were told to the server. */
static json_int_t alarms_told(const daemon_process *p)
{
        json_t *o = NULL;
        json_int_t told = 0;
        size_t i;
        const json_t *a;

        assert_int_equal(daemon_ask(p, false, "GET", "/api/v1/alarms", NULL, &o), 200);
        json_array_foreach(json_object_get(o, "items"), i, a) told +=
                json_integer_value(json_object_get(a, "count"));
        json_decref(o);
        return told;
}

static pid_t start_devices(const daemon_process *p, unsigned door)
{
        char text[600], file[300], api[64];
        odm_buf token = daemon_text("state/admin.token");

        (void)snprintf(
                text, sizeof text,
                "[run]\nseed = 9\n[group boxes]\nprefix = box/\ncount = %d\n"
                "server = http://127.0.0.1:%u/dm\nserver_id = gw\npassword = behind\n"
                "call = 500ms\nstart = 100ms\n"
                "[fault alarm]\nkind = alarm\nafter = 500ms\nfor = 1h\nalarm = power-failure\n"
                "severity = critical\n",
                GATEWAY_DEVICES, door);
        assert_int_equal(fsio_write(NULL, daemon_path("scenario"), odm_cstr(text), 0600, NULL), 0);
        (void)snprintf(file, sizeof file, "%s", daemon_path("scenario"));
        (void)snprintf(api, sizeof api, "http://127.0.0.1:%u", p->port);
        token.p[strcspn(token.p, "\n")] = 0;
        const char *const args[] = {"--scenario", file, "--json", "--create", "--api", api, NULL};
        pid_t pid = daemon_run_program(XREMSIM, token.p, "sim.out", args);
        odm_buf_done(&token);
        return pid;
}

/* Devices raise their alarms while the gateway's disk is full: they keep them. With room again each
 * is told, once, also by one that was killed. */
static void gremd_takes_no_alarm_that_it_cannot_keep(void **state)
{
        const struct timespec pause = {0, 50000000};
        pid_t gateway, devices;
        char job[24];

        (void)state;
        if (!own_mounts)
                SKIP_TEST("no mounts of our own");
        mount_disk("agent", "size=8m");
        daemon_process p = daemon_start("log", NULL);
        make_device(&p);
        unsigned door = start_gateway(&gateway, p.port);
        put_data(&p, 'a', NOTE, 30, job);
        assert_true(job_is_done(&p, job));
        fill_disk("agent/filler");
        devices = start_devices(&p, door);
        wait_for_log("agent.log", "nothing can be kept");
        assert_int_equal(alarms_told(&p), 0);
        assert_int_equal(unlink(daemon_path("agent/filler")), 0);
        wait_for_log("agent.log", "the store keeps again");
        for (int i = 0; i < 1200 && alarms_told(&p) < GATEWAY_DEVICES; i++)
                nanosleep(&pause, NULL);
        assert_int_equal(alarms_told(&p), GATEWAY_DEVICES);
        kill(gateway, SIGKILL);
        assert_int_equal(daemon_end(gateway), -SIGKILL);
        (void)start_gateway(&gateway, p.port);
        put_data(&p, 'b', NOTE, 30, job);
        assert_true(job_is_done(&p, job));
        assert_int_equal(alarms_told(&p), GATEWAY_DEVICES);
        kill(devices, SIGTERM);
        (void)daemon_end(devices);
        kill(gateway, SIGTERM);
        assert_int_equal(daemon_end(gateway), 0);
        daemon_stop(&p);
        unmount_disk("agent");
}

static int prepare(void **state)
{
        if (daemon_make_folder(state) < 0)
                return -1;
        daemon_make_certificates();
        make_own_mounts();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nremd_leaves_alone_what_it_cannot_read),
                cmocka_unit_test(nremd_does_not_start_where_it_cannot_write),
                cmocka_unit_test(nremd_turns_all_away_until_there_is_room),
                cmocka_unit_test(dremd_leaves_alone_what_it_cannot_read),
                cmocka_unit_test(dremd_does_not_start_where_it_cannot_write),
                cmocka_unit_test(dremd_does_nothing_that_it_cannot_keep),
                cmocka_unit_test(gremd_leaves_alone_what_is_newer),
                cmocka_unit_test(gremd_does_not_start_where_it_cannot_write),
                cmocka_unit_test(gremd_takes_no_alarm_that_it_cannot_keep),
        };
        return cmocka_run_group_tests(tests, prepare, daemon_drop_folder);
}
