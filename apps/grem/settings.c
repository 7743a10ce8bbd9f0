/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "net.h"
#include "plugin.h"

#define SECOND 1000
#define DAY (24 * (int64_t)3600 * SECOND)

static const char *const edited_words[] = {"use", "refuse", NULL};

static const cfg_key gateway_keys[] = {
        {"gateway.store", CFG_STRING, NULL,
         "Where devices, alerts and orders are kept. Default: gateway.db in agent.state."},
        {"gateway.copy_every", CFG_DURATION, "1h",
         "How often gateway.db is copied to gateway.db.copy while the gateway runs, if it has\n"
         "changed; 0: when the gateway ends alone.",
         0, 30 * DAY},
        {"gateway.devices", CFG_INT, "10000", "Most devices that the gateway knows.", 1, 1000000},
        {"gateway.provisioned_only", CFG_BOOL, "no",
         "Whether only devices are served that the server has named before."},
        {"gateway.records_kept", CFG_DURATION, "30d",
         "How long the record of a device is kept after it went; 0 for ever.", 0, 3650 * DAY},
        {"gateway.alerts", CFG_INT, "20000",
         "Most alerts that wait for the server; then the oldest one goes of the device with most.",
         100, 1000000},
        {"gateway.alerts_size", CFG_SIZE, "256M",
         "Most octets of them; then the oldest ones go of the device that has most.", 32 * 1048576,
         (int64_t)65536 * 1048576},
        {"gateway.live", CFG_DURATION, "5s",
         "How long a read waits for a device that is awake; then what it said last is told.", 100,
         60 * SECOND},
        {"gateway.cache", CFG_INT, "200000",
         "Most values of devices that are kept, for reads while a device sleeps.", 0, 100000000},
        {"gateway.ask", CFG_BOOL, "yes",
         "Whether the server is asked, at each start, for a configuration where there is none in\n"
         "./GwMO/Config."},
        {"gateway.certificate_warning", CFG_DURATION, "30d",
         "How long before a certificate of the gateway ends the server is asked for another one, "
         "each\n"
         "day; 0 for never.",
         0, 3650 * DAY},
        {"gateway.validate_every", CFG_DURATION, "1h",
         "How often devices that a rule of ./GwMO/Config/Ext/Validation names are looked at, "
         "beside\n"
         "each time they attach; 0: then alone.",
         0, 365 * DAY},
        {"gateway.heal_tries", CFG_INT, "3",
         "Times a device in quarantine is healed before the gateway gives it up.", 1, 100},
        {"gateway.heal_time", CFG_DURATION, "1h", "How long an image may take to heal one.", SECOND,
         DAY},
        {"gateway.samples", CFG_INT, "200000",
         "Most measurements of devices that are kept for the server; then the oldest go.", 1000,
         100000000},
        {"gateway.metrics", CFG_STRING, NULL,
         "Address for /metrics, such as 127.0.0.1:9465; none if not set."},

        {"integrity.edited", CFG_ENUM, "use",
         "What a start makes of a configuration file that was changed since the last one: use it,\n"
         "and tell the servers; or refuse it, and use the last one until gremd --accept-config.",
         .choices = edited_words},

        {"images.listen", CFG_STRING, NULL,
         "Address where devices fetch images over HTTP, address:port, or :port for all addresses;\n"
         "none if not set."},
        {"images.url", CFG_STRING, NULL,
         "URL by which devices reach it, http://host:port. Default: made from images.listen."},
        {"images.keys", CFG_PATH, NULL,
         "Folder of trusted keys: an image has to be signed by one of them. Default: that of\n"
         "firmware.keys; without either, a right hash is enough, and devices prove it themselves."},
        {"images.max_size", CFG_SIZE, "1G", "Largest image.", 1024, 4095 * (int64_t)1048576},
        {"images.max_total", CFG_SIZE, "4G", "All images together.", 1024,
         (int64_t)1048576 * 1048576},
        {"images.tries", CFG_INT, "100", "Tries of a download; each goes on where the last ended.",
         1, 100000},
        {"images.retry_wait", CFG_DURATION, "2m", "Wait between two of them.", 0, DAY},
        {"images.download_time", CFG_DURATION, "7d",
         "So long all of them may take together; 0 for no end.", 0, 365 * DAY},
};

/* Where gremd differs from dremd. */
static const struct {
        const char *name, *def;
} defaults[] = {
        {"agent.state", "/var/lib/gremd"},
        {"device.type", "gateway"},
        {"firmware.slots", "/var/lib/gremd/slots"},
        {"plugin.tables", "/etc/xrem/gremd/tables"},
        {"session.retry_max", "5m"}, /* many wait for it */
};

static void set_default(cfg_key *keys, size_t n, const char *name, const char *def)
{
        size_t i = 0;

        while (i < n && strcmp(keys[i].name, name) != 0)
                i++;
        assert(i < n);
        keys[i].def = def;
}

int settings_keys(cfg_key **out, size_t *n)
{
        size_t total = conf_keys_n + ODM_COUNT(gateway_keys), at;
        cfg_key *keys;

        for (size_t i = 0; adapter_at(i); i++)
                total += adapter_at(i)->n_keys;
        keys = calloc(total, sizeof *keys);
        if (!keys)
                return ODM_ENOMEM;
        memcpy(keys, conf_keys, conf_keys_n * sizeof *keys);
        at = conf_keys_n;
        memcpy(keys + at, gateway_keys, sizeof gateway_keys);
        at += ODM_COUNT(gateway_keys);
        for (size_t i = 0; adapter_at(i); i++) {
                const adapter_class *k = adapter_at(i);
                if (k->n_keys)
                        memcpy(keys + at, k->keys, k->n_keys * sizeof *keys);
                at += k->n_keys;
        }
        for (size_t i = 0; i < ODM_COUNT(defaults); i++)
                set_default(keys, conf_keys_n, defaults[i].name, defaults[i].def);
        *out = keys;
        *n = total;
        return 0;
}

int settings_check(const cfg *c, diag *d)
{
        const char *metrics = cfg_str(c, "gateway.metrics");
        net_addr a;

        if (metrics && net_hostport_parse(metrics, &a) < 0)
                return diag_set(d, ODM_EMALFORMED, "gateway.metrics: '%s' is no address:port",
                                metrics);
        for (size_t i = 0; adapter_at(i); i++) {
                const adapter_class *k = adapter_at(i);
                int rc = k->check && k->wanted(c) ? k->check(c, d) : 0;
                if (rc < 0)
                        return rc;
        }
        return conf_check(c, d);
}
