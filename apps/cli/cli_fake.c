/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in for nremd, so that the online commands can be tested without one.
 *
 * It answers as docs/openapi.yaml says, from the table below, and prints its port on stdout.
 * Jobs are queued when first asked for, and ended from the second time on; device "asleep"
 * never ends one.  Each request's method, path and body is a line on stderr.  It ends with its
 * standard input. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "httpd.h"

#define TOKEN "Bearer good"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

static const struct route {
        const char *method, *path;
        unsigned status;
        const char *body;
} routes[] = {
        {"GET", "/api/v1/health", 200, "{\"status\":\"ok\",\"checks\":{\"store\":\"ok\"}}"},
        {"GET", "/api/v1/devices", 200,
         "{\"items\":[{\"name\":\"this\",\"state\":\"active\",\"tags\":[\"lab\",\"linux\"],"
         "\"manufacturer\":\"A maker whose name is far too long for any terminal\","
         "\"model\":\"M\\u001b[31m\",\"created\":\"2026-01-01T00:00:00Z\"}]}"},
        {"POST", "/api/v1/devices", 201,
         "{\"name\":\"acme/1\",\"state\":\"provisioned\",\"tags\":[],\"created\":"
         "\"2026-01-01T00:00:00Z\",\"password\":\"made-up\",\"server_password\":\"made-too\"}"},
        {"GET", "/api/v1/devices/acme%2F1", 200,
         "{\"name\":\"acme/1\",\"state\":\"held\",\"tags\":[],\"created\":"
         "\"2026-01-01T00:00:00Z\"}"},
        {"PATCH", "/api/v1/devices/acme%2F1", 200,
         "{\"name\":\"acme/1\",\"state\":\"active\",\"tags\":[],\"created\":"
         "\"2026-01-01T00:00:00Z\"}"},
        {"DELETE", "/api/v1/devices/acme%2F1", 204, ""},
        {"POST", "/api/v1/devices/this/wake", 202, "{\"device\":\"this\",\"route\":\"udp\"}"},
        {"GET", "/api/v1/devices/this/tree", 200,
         "{\"device\":\"this\",\"uri\":\"./A\",\"source\":\"mirror\",\"nodes\":["
         "{\"uri\":\"./A\",\"format\":\"node\",\"age\":3},"
         "{\"uri\":\"./A/b\",\"format\":\"node\",\"age\":3},"
         "{\"uri\":\"./A/b/c\",\"format\":\"int\",\"data\":\"5\",\"age\":300},"
         "{\"uri\":\"./A/d\",\"format\":\"chr\",\"data\":\"x\",\"age\":3,"
         "\"title\":\"Delay\",\"access\":[\"get\",\"replace\"],\"scope\":\"dynamic\"},"
         "{\"uri\":\"./A/e\",\"format\":\"bin\",\"size\":99,\"age\":3}]}"},
        {"POST", "/api/v1/devices/this/jobs", 201,
         "{\"id\":\"j1\",\"device\":\"this\",\"state\":\"queued\"}"},
        {"POST", "/api/v1/devices/bad/jobs", 201,
         "{\"id\":\"j2\",\"device\":\"bad\",\"state\":\"queued\"}"},
        {"POST", "/api/v1/devices/asleep/jobs", 201,
         "{\"id\":\"j3\",\"device\":\"asleep\",\"state\":\"queued\"}"},
        {"POST", "/api/v1/devices/bytes/jobs", 201,
         "{\"id\":\"j4\",\"device\":\"bytes\",\"state\":\"queued\"}"},
        {"POST", "/api/v1/devices/away/jobs", 201,
         "{\"id\":\"j9\",\"device\":\"away\",\"state\":\"queued\"}"},
        {"GET", "/api/v1/jobs/j9", 503, ""},
        {"POST", "/api/v1/devices/picky/jobs", 400,
         "{\"type\":\"urn:xrem:problem:invalid\",\"title\":\"Bad request\",\"status\":400,"
         "\"errors\":[{\"name\":\"commands[0].uri\",\"reason\":\"no URI\"}]}"},
        {"GET", "/api/v1/jobs/j1", 200,
         "{\"id\":\"j1\",\"device\":\"this\",\"state\":\"done\",\"atomic\":false,\"attempts\":1,"
         "\"commands\":[{\"cmd\":\"get\",\"uri\":\"./A/b\",\"status\":200,\"results\":["
         "{\"uri\":\"./A/b\",\"format\":\"chr\",\"data\":\"hello\"}]}]}"},
        {"GET", "/api/v1/jobs/j2", 200,
         "{\"id\":\"j2\",\"device\":\"bad\",\"state\":\"failed\",\"commands\":["
         "{\"cmd\":\"get\",\"uri\":\"./No\",\"status\":404,\"status_text\":\"Not found\","
         "\"why\":\"none \\u001b[31m here\"}]}"},
        {"GET", "/api/v1/jobs/j3", 200,
         "{\"id\":\"j3\",\"device\":\"asleep\",\"state\":\"notified\"}"},
        {"GET", "/api/v1/jobs/j4", 200,
         "{\"id\":\"j4\",\"device\":\"bytes\",\"state\":\"done\",\"commands\":["
         "{\"cmd\":\"get\",\"uri\":\"./B\",\"status\":200,\"results\":["
         "{\"uri\":\"./B\",\"format\":\"bin\",\"data_base64\":\"AAEC/w==\"}]}]}"},
        {"DELETE", "/api/v1/jobs/j1", 409,
         "{\"type\":\"urn:xrem:problem:state\",\"title\":\"Conflict\",\"status\":409,"
         "\"detail\":\"the job has ended\"}"},
        {"GET", "/api/v1/jobs", 200,
         "{\"items\":[{\"id\":\"j1\",\"device\":\"this\",\"state\":\"done\",\"attempts\":1}]}"},
        {"GET", "/api/v1/devices/this/sessions", 200,
         "{\"items\":[{\"id\":\"s1\",\"device\":\"this\",\"started\":\"2026-01-01T00:00:00Z\"}]}"},
        {"GET", "/api/v1/devices/this/sessions/s1", 200,
         "{\"id\":\"s1\",\"device\":\"this\",\"started\":\"2026-01-01T00:00:00Z\",\"messages\":["
         "{\"direction\":\"in\",\"time\":\"2026-01-01T00:00:00Z\",\"size\":3,\"content_type\":"
         "\"application/vnd.syncml.dm+xml\",\"raw_base64\":\"YWJj\",\"xml\":\"<SyncML><SyncHdr>"
         "<MsgID>1</MsgID></SyncHdr><SyncBody><Alert><CmdID>1</CmdID><Data>1200</Data></Alert>"
         "<Final/></SyncBody></SyncML>\"}]}"},
        {"GET", "/api/v1/events", 200,
         "{\"items\":[{\"id\":\"7\",\"time\":\"2026-01-01T00:00:00Z\",\"kind\":\"job.done\","
         "\"device\":\"this\",\"data\":{\"device\":\"this\",\"key\":\"k\\u001b[31m\"}}],"
         "\"last\":\"7\",\"missed\":3}"},
        {"GET", "/api/v1/campaigns", 200,
         "{\"items\":[{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":"
         "\"firmware\",\"wave\":2,\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}]}"},
        {"POST", "/api/v1/campaigns", 201,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"draft\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":0,\"failed\":0}}"},
        {"POST", "/api/v1/campaigns/preview", 200,
         "{\"items\":[{\"device\":\"a/"
         "1\",\"action\":\"order\",\"commands\":[{\"cmd\":\"exec\",\"uri\":\"./"
         "F\"}]},{\"device\":\"a/2\",\"action\":\"out\",\"reason\":\"its model is M2; wanted is "
         "M1\"}]}"},
        {"GET", "/api/v1/campaigns/7", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"done\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}"},
        {"GET", "/api/v1/campaigns/8", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"done\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":100,\"failed\":0}}"},
        {"GET", "/api/v1/campaigns/7/devices", 200,
         "{\"items\":[{\"device\":\"a/"
         "3\",\"state\":\"failed\",\"tries\":1,\"class\":\"corrupt\",\"reason\":\"Corrupted "
         "package (402)\"}]}"},
        {"POST", "/api/v1/campaigns/7/approve", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}"},
        {"POST", "/api/v1/campaigns/7/start", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}"},
        {"POST", "/api/v1/campaigns/7/resume", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}"},
        {"POST", "/api/v1/campaigns/7/cancel", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}"},
        {"POST", "/api/v1/campaigns/7/retry", 200,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":95,\"failed\":5}}"},
        {"POST", "/api/v1/campaigns/7/pause", 409,
         "{\"type\":\"urn:xrem:problem:state\",\"title\":\"Not "
         "possible\",\"status\":409,\"detail\":\"Only a running campaign is paused.\"}"},
        {"POST", "/api/v1/campaigns/7/rollback", 201,
         "{\"id\":\"7\",\"name\":\"spring\",\"state\":\"running\",\"kind\":\"firmware\",\"wave\":2,"
         "\"devices\":{\"all\":100,\"succeeded\":0,\"failed\":0}}"},
        {"DELETE", "/api/v1/campaigns/7", 204, ""},
        {"GET", "/api/v1/rules", 200,
         "{\"items\":[{\"id\":\"1\",\"name\":\"cool "
         "down\",\"on\":\"alarm.raised\",\"enabled\":true,"
         "\"fired\":3,\"do\":[{\"tag\":\"hot\"}],\"actor\":\"ada\"}]}"},
        {"POST", "/api/v1/rules", 201, "{\"id\":\"1\",\"name\":\"cool down\"}"},
        {"GET", "/api/v1/rules/1", 200, "{\"id\":\"1\",\"name\":\"cool down\"}"},
        {"PATCH", "/api/v1/rules/1", 200, "{\"id\":\"1\"}"},
        {"DELETE", "/api/v1/rules/1", 204, ""},
        {"GET", "/api/v1/templates", 200,
         "{\"items\":[{\"id\":\"1\",\"name\":\"report often\",\"mode\":\"watch\","
         "\"enabled\":true,\"counts\":{\"unknown\":0,\"conform\":41,\"drifted\":2,"
         "\"applying\":0,\"failed\":0}}]}"},
        {"POST", "/api/v1/templates", 201, "{\"id\":\"1\",\"name\":\"report often\"}"},
        {"GET", "/api/v1/templates/1", 200, "{\"id\":\"1\",\"name\":\"report often\"}"},
        {"PATCH", "/api/v1/templates/1", 200, "{\"id\":\"1\"}"},
        {"DELETE", "/api/v1/templates/1", 204, ""},
        {"GET", "/api/v1/templates/1/devices", 200,
         "{\"items\":[{\"device\":\"this\",\"state\":\"drifted\",\"since\":"
         "\"2026-01-01T00:00:00Z\",\"difference\":[{\"uri\":\"./A\"}]}]}"},
        {"POST", "/api/v1/templates/1/check", 204, ""},
        {"GET", "/api/v1/devices/this/templates", 200,
         "{\"items\":[{\"template\":\"1\",\"name\":\"report often\",\"state\":\"drifted\","
         "\"difference\":[{\"uri\":\"./Vendor/xrem/Config/Interval\",\"is\":\"differs\","
         "\"wanted\":\"600\",\"found\":\"60\\u001b[31m\"}]},"
         "{\"template\":\"2\",\"name\":\"access\",\"state\":\"conform\"}]}"},
        {"GET", "/api/v1/gateways", 200,
         "{\"items\":[{\"name\":\"acme/gw/1\",\"state\":\"active\",\"devices\":60,"
         "\"inventory_read\":\"2026-01-01T00:00:00Z\"}]}"},
        {"GET", "/api/v1/gateways/gw", 200,
         "{\"name\":\"gw\",\"state\":\"active\",\"devices\":60,\"fanouts\":true,\"images\":"
         "[{\"package\":\"meter 1.7\",\"state\":\"ready\",\"since\":\"2026-01-01T00:00:00Z\"}]}"},
        {"GET", "/api/v1/gateways/gw/devices", 200,
         "{\"items\":[{\"device\":\"meter/17\",\"state\":\"asleep\",\"key\":\"d0017\",\"mode\":"
         "\"adaptation\",\"protocol\":\"LWM2M/1.1\",\"devid\":\"urn:1\\u001b[31m\","
         "\"address\":\"10.0.0.7:5683\"}]}"},
        {"POST", "/api/v1/gateways/gw/sync", 202, ""},
        {"DELETE", "/api/v1/gateways/gw", 202, "{\"devices\":60}"},
        {"POST", "/api/v1/devices/this/replace", 204, ""},
        {"POST", "/api/v1/devices/acme%2F1/replace", 200,
         "{\"password\":\"made-up\",\"server_password\":\"made-too\"}"},
        {"POST", "/api/v1/devices/taken/replace", 409,
         "{\"type\":\"urn:xrem:problem:exists\",\"title\":\"It exists already\",\"detail\":"
         "\"d0012 has that DevId, and would be removed\"}"},
        {"POST", "/api/v1/devices/this/move", 204, ""},
        {"GET", "/api/v1/alarms", 200,
         "{\"items\":[{\"id\":\"17\",\"device\":\"this\",\"state\":\"active\",\"severity\":"
         "\"major\",\"cause\":\"unreachable\",\"source\":\"\",\"text\":\"silent \\u001b[31m\","
         "\"count\":2,\"seen\":\"2026-01-01T00:00:00Z\"}]}"},
        {"GET", "/api/v1/alarms/counts", 200,
         "{\"active\":{\"critical\":0,\"major\":12,\"minor\":3,\"warning\":0,\"indeterminate\":0},"
         "\"unacknowledged\":{\"critical\":0,\"major\":11,\"minor\":0,\"warning\":0,"
         "\"indeterminate\":0},\"total\":15}"},
        {"GET", "/api/v1/alarms/rules", 200,
         "{\"rules\":[{\"cause\":\"overheat\",\"ignore\":true}],\"built_in\":[{\"alert\":"
         "\"urn:x:hot\",\"does\":\"raises\",\"cause\":\"trap\"}]}"},
        {"PUT", "/api/v1/alarms/rules", 200, "{\"rules\":[],\"built_in\":[]}"},
        {"GET", "/api/v1/alarms/17", 200,
         "{\"id\":\"17\",\"device\":\"this\",\"state\":\"active\",\"severity\":\"major\","
         "\"cause\":\"unreachable\",\"history\":[{\"time\":\"2026-01-01T00:00:00Z\",\"what\":"
         "\"commented\",\"severity\":\"major\",\"text\":\"on the way\",\"actor\":\"ada\"}]}"},
        {"PATCH", "/api/v1/alarms/17", 200, "{\"id\":\"17\"}"},
        {"POST", "/api/v1/alarms/17/clear", 200, "{\"id\":\"17\"}"},
        {"POST", "/api/v1/alarms", 201, "{\"id\":\"18\"}"},
        {"GET", "/api/v1/devices/this/presence", 200,
         "{\"device\":\"this\",\"state\":\"active\",\"expected_every\":3600,\"awake_for\":0,"
         "\"expected_by\":\"device\"}"},
        {"PATCH", "/api/v1/devices/this/presence", 204, ""},
        {"GET", "/api/v1/devices/this/metrics", 200,
         "{\"items\":[{\"metric\":\"memory.RAMAvail\",\"value\":4711,\"at\":"
         "\"2026-01-01T00:00:00Z\",\"samples\":3,\"every\":60,\"late\":true},"
         "{\"metric\":\"link.lo.State\",\"text\":\"up\",\"text_at\":"
         "\"2026-01-01T00:00:00Z\",\"late\":false}]}"},
        {"POST", "/api/v1/devices/this/metrics", 202, "{\"values\":2}"},
        {"GET", "/api/v1/metrics", 200,
         "{\"device\":\"this\",\"metric\":\"@load\",\"step\":\"raw\",\"items\":["
         "{\"at\":\"2026-01-01T00:00:00Z\",\"value\":0.1},"
         "{\"at\":\"2026-01-01T00:01:00Z\",\"gap\":true,\"until\":"
         "\"2026-01-01T00:05:00Z\"},"
         "{\"at\":\"2026-01-01T00:05:00Z\",\"value\":7}]}"},
        {"POST", "/api/v1/metrics/collections", 201, "{\"id\":\"3\"}"},
        {"GET", "/api/v1/metrics/collections", 200,
         "{\"items\":[{\"id\":\"3\",\"state\":\"active\",\"selector\":{},\"nodes\":["
         "{\"uri\":\"./A\"},{\"uri\":\"./B\"}],\"every\":60,\"asked\":9,"
         "\"answered\":8,\"failed\":1,\"actor\":\"ada\","
         "\"created\":\"2026-01-01T00:00:00Z\"}]}"},
        {"DELETE", "/api/v1/metrics/collections/3", 202, "{}"},
        {"POST", "/api/v1/metrics/thresholds", 201, "{\"id\":\"5\"}"},
        {"GET", "/api/v1/metrics/thresholds", 200,
         "{\"items\":[{\"id\":\"5\",\"metric\":\"load\",\"high\":80.5,"
         "\"hysteresis\":0.0,\"selector\":{},\"severity\":\"major\",\"actor\":\"ada\","
         "\"created\":\"2026-01-01T00:00:00Z\"}]}"},
        {"DELETE", "/api/v1/metrics/thresholds/5", 204, ""},
        {"GET", "/api/v1/packages", 200,
         "{\"items\":[{\"id\":\"1\",\"name\":\"box\",\"version\":\"1.0\",\"kind\":\"firmware\","
         "\"state\":\"ready\",\"size\":6,\"users\":0,\"sha256\":"
         "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"}]}"},
        {"POST", "/api/v1/packages", 201,
         "{\"id\":\"2\",\"name\":\"box\",\"version\":\"2.0\",\"state\":\"wanted\",\"received\":2}"},
        {"PUT", "/api/v1/packages/2/content", 200,
         "{\"id\":\"2\",\"name\":\"box\",\"version\":\"2.0\",\"state\":\"ready\"}"},
        {"GET", "/api/v1/packages/1", 200,
         "{\"id\":\"1\",\"name\":\"box\",\"version\":\"1.0\",\"kind\":\"firmware\","
         "\"state\":\"ready\",\"file\":\"box.img\",\"size\":6,\"signer\":\"maker\","
         "\"fits\":{\"model\":[\"M1\"]},\"device\":{\"name\":\"this\",\"fits\":false,"
         "\"why\":\"its model is M2\\u001b[31m\",\"url\":\"http://a/x\"},\"sha256\":"
         "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"}"},
        {"GET", "/api/v1/packages/1/content", 200, "hello\n"},
        {"GET", "/api/v1/packages/4", 200,
         "{\"id\":\"4\",\"name\":\"box\",\"state\":\"ready\",\"file\":\"big.img\",\"size\":2000}"},
        {"GET", "/api/v1/packages/4/content", 200, X500 X500 X500 X500},
        {"GET", "/api/v1/packages/3", 200,
         "{\"id\":\"3\",\"state\":\"ready\",\"url\":\"https://else/box.img\"}"},
        {"PATCH", "/api/v1/packages/1", 200, "{\"id\":\"1\"}"},
        {"DELETE", "/api/v1/packages/1", 409,
         "{\"type\":\"urn:xrem:problem:state\",\"title\":\"Conflict\",\"status\":409,"
         "\"detail\":\"The package is in use\"}"},
        {"GET", "/api/v1/webhooks", 200,
         "{\"items\":[{\"id\":\"1\",\"url\":\"https://x/in\",\"kinds\":[\"alarm.\"],"
         "\"enabled\":true,\"state\":\"failing\",\"failures\":3,\"error\":\"answered 500\","
         "\"created\":\"2026-01-01T00:00:00Z\",\"actor\":\"ada\"}]}"},
        {"POST", "/api/v1/webhooks", 201,
         "{\"id\":\"1\",\"url\":\"https://x/in\",\"kinds\":[],\"secret\":\"made-up\"}"},
        {"PATCH", "/api/v1/webhooks/1", 200, "{\"id\":\"1\"}"},
        {"POST", "/api/v1/webhooks/1/test", 202, "{}"},
        {"DELETE", "/api/v1/webhooks/1", 204, ""},
        {"GET", "/api/v1/tokens", 200,
         "{\"items\":[{\"name\":\"ci\",\"role\":\"viewer\",\"created\":"
         "\"2026-01-01T00:00:00Z\"}]}"},
        {"POST", "/api/v1/tokens", 201,
         "{\"name\":\"ci\",\"role\":\"viewer\",\"created\":\"2026-01-01T00:00:00Z\","
         "\"token\":\"xr_secret\"}"},
        {"DELETE", "/api/v1/tokens/ci", 204, ""},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned asked[ODM_COUNT(routes)];

static void reply(httpd_req *r, unsigned status, const char *body)
{
        httpd_reply out = {.status = status, .type = "application/json", .body = odm_cstr(body)};

        if (status == 204)
                out.type = NULL;
        httpd_send(r, &out);
}

static void trace(const httpd_req *r)
{
        odm_str m = httpd_method(r), p = httpd_path(r), q = httpd_query_text(r), b = httpd_body(r);

        fprintf(stderr, "%.*s %.*s?%.*s %.*s\n", (int)m.n, m.p, (int)p.n, p.p, (int)q.n,
                q.p ? q.p : "", (int)b.n, b.p ? b.p : "");
}

/* A job that ends does so from the second question on. */
static bool still_queued(size_t i)
{
        pthread_mutex_lock(&lock);
        bool first = asked[i]++ == 0;
        pthread_mutex_unlock(&lock);
        return first && strncmp(routes[i].path, "/api/v1/jobs/", 13) == 0 &&
               strcmp(routes[i].method, "GET") == 0;
}

static void handle(void *ctx, httpd_req *r)
{
        (void)ctx;
        trace(r);
        if (!odm_str_is(httpd_path(r), "/api/v1/health") &&
            !odm_str_is(httpd_field(r, "Authorization"), TOKEN)) {
                reply(r, 401, "{\"title\":\"Unauthorized\",\"status\":401}");
                return;
        }
        for (size_t i = 0; i < ODM_COUNT(routes); i++) {
                if (!odm_str_is(httpd_method(r), routes[i].method) ||
                    !odm_str_is(httpd_path(r), routes[i].path))
                        continue;
                if (still_queued(i))
                        reply(r, 200, "{\"id\":\"j\",\"device\":\"this\",\"state\":\"queued\"}");
                else
                        reply(r, routes[i].status, routes[i].body);
                return;
        }
        reply(r, 404, "{\"title\":\"Not found\",\"status\":404,\"detail\":\"no such device\"}");
}

int main(void)
{
        httpd_listener l;
        httpd_opt opt;
        httpd *h = NULL;
        diag d = {{0}};
        char c;

        httpd_listener_init(&l);
        httpd_opt_init(&opt);
        if (net_addr_parse("127.0.0.1", 0, &l.addr) < 0)
                return 1;
        l.app.handle = handle;
        if (httpd_start(&opt, &l, 1, &h, &d) < 0) {
                fprintf(stderr, "%s\n", d.text);
                return 1;
        }
        printf("%u\n", httpd_port(h, 0));
        fflush(stdout);
        while (read(STDIN_FILENO, &c, 1) > 0)
                continue;
        httpd_stop(h, 100);
        return 0;
}
