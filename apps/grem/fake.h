/* SPDX-License-Identifier: Apache-2.0 */
/* fake.h - an adapter in memory, for tests: devices that do what the test says.
 *
 *     fake *f = fake_of(a);                        what fake_class.open() made, or fake_latest()
 *     fake_device *d = fake_new(f, "urn:imei:1");  FAKE_TREE; not attached yet
 *     fake_attach(d);                              host->seen(), and awake for good
 *     fake_set(d, "./Ext/Level", "17", ODM_FMT_INT);
 *     fake_refuse(d, "./FUMO/main/Update", 405, "no such thing");
 *     fake_delay(d, 300);                          from now on answers take 300 ms of the loop
 *     fake_sleep(d, 60000);                        host->asleep()
 *     ...
 *     assert_string_equal(fake_log(f), "read 1 ./DevInfo/Man\nexec 1 ./Reboot/Now\n");
 *
 * A device has a tree of nodes with values.  Reads, writes, creates and deletes work on it, all or
 * none; an execute needs a node whose type is FAKE_EXEC, and is answered 200 unless fake_later()
 * was said.  Everything is answered on the loop, from within the call while there is no delay.
 * Asleep devices answer nothing until they are awake (or the call is cancelled). */
#ifndef GREM_FAKE_H
#define GREM_FAKE_H

#include "adapter.h"

#define FAKE_EXEC "application/x-fake-exec" /* Type of leaves that can be executed */
#define FAKE_SILENT (-1)                    /* a delay: never */

typedef struct fake fake;
typedef struct fake_device fake_device;

/* "fake"; always wanted, no settings, no tables.  Offers all but commands, which fake_commands()
 * turns on. */
extern const adapter_class fake_class;
fake *fake_of(void *adapter);
fake *fake_latest(void); /* the one opened last; NULL after its close */

/* What a new device has:
 *   ./DevInfo    node, urn:oma:mo:oma-dm-devinfo:1.1    DevId (its id) Man "Fake" Mod "F1" DmV
 * "1.2" Lang "en"
 *   ./DevDetail  node, urn:oma:mo:oma-dm-devdetail:1.1  FwV "1.0" SwV "1.0" HwV "1.0"
 *                DevTyp "sensor"
 *   ./FUMO/main  node, urn:oma:mo:oma-fumo:1.0          PkgName State (int, 10) Update (exec)
 *                DownloadAndUpdate/PkgURL DownloadAndUpdate (a node that can be executed)
 *   ./Reboot/Now an exec
 *   ./Ext        node, empty */
/* A device that is not attached; `id` is its DeviceID.  Asserts that there is memory. */
fake_device *fake_new(fake *f, const char *id);
fake_device *fake_find(fake *f, const char *id);
/* What seen() tells beyond DevInfo and DevDetail, to be set before fake_attach(); protocol "FAKE/1"
 * unless said otherwise. */
void fake_protocol(fake_device *d, const char *protocol);
/* Below a gateway's ./GwMO/Fanout/Fanout there is room for 1000 nodes, each with Operations/Start.
 */
void fake_is_gateway(fake_device *d, bool is);
void fake_pattern(fake_device *d, int64_t wake_interval_s, int64_t awake_s);
void fake_lifetime(fake_device *d, int64_t s);

/* seen(), and awake(0).  NULL when the gateway refused it (fake_why() has the status). */
gw_device *fake_attach(fake_device *d);
unsigned fake_why(const fake_device *d);
gw_device *fake_record(const fake_device *d);
void fake_wake(fake_device *d, int64_t ms);     /* awake(); what waits is answered */
void fake_sleep(fake_device *d, int64_t ms);    /* asleep() */
void fake_go(fake_device *d, adapter_gone why); /* gone() */
bool fake_is_awake(const fake_device *d);

/* Makes the node, and interior ones on its way; changes its value when it is there. */
void fake_set(fake_device *d, const char *path, const char *value, odm_format format);
void fake_interior(fake_device *d, const char *path, const char *type);
void fake_exec(fake_device *d, const char *path);
void fake_drop(fake_device *d, const char *path); /* and all below */
/* NULL: no such leaf.  Lent until the next change. */
const char *fake_value(const fake_device *d, const char *path);
size_t fake_children(const fake_device *d, const char *path);

void fake_delay(fake_device *d, int64_t ms); /* 0, FAKE_SILENT */
/* Every operation on exactly this path is answered so; 0 ends it.  An absent path: all. */
void fake_refuse(fake_device *d, const char *path, unsigned status, const char *text);
/* Executes are answered 202; `ms` later a final alert of `type` comes from the node executed, with
 * the call's correlator and `result` as its data (int).  type NULL: answered 200 again. */
void fake_later(fake_device *d, int64_t ms, const char *type, int result);
/* An alert now, as one of the device's own accord.  What host->alert() returned. */
int fake_alert(fake_device *d, const char *source, const char *type, const char *data,
               const char *mark);
/* host->changed() with the value that the node has now. */
void fake_changed(fake_device *d, const char *path);
void fake_caps(fake_device *d, unsigned caps); /* of adapter_cap */
void fake_commands(fake_device *d, bool on);   /* offers ADAPTER_COMMANDS */

/* A line for each call, "read KEY PATH PATH ..", "write KEY PATH=VALUE ..", "create", "remove",
 * "exec KEY PATH [ARG]", "observe KEY PATH", "wake KEY", "commands KEY N", "cancel KEY", KEY being
 * what fake_key() gave (else the id).  Cut after 16 KiB. */
const char *fake_log(const fake *f);
void fake_log_clear(fake *f);
void fake_key(fake_device *d, const char *key);
unsigned fake_calls(const fake *f);   /* since it was opened */
unsigned fake_waiting(const fake *f); /* not answered yet */

#endif
