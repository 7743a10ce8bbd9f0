-- SPDX-License-Identifier: Apache-2.0
-- The database of a server of version 2, as its own scripts made it; see README.md.
PRAGMA page_size = 4096;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE counter (kind INTEGER PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO counter VALUES(0,7);
INSERT INTO counter VALUES(1,12);
INSERT INTO counter VALUES(2,5);
INSERT INTO counter VALUES(99,0);
CREATE TABLE device (id INTEGER PRIMARY KEY, rev INTEGER NOT NULL, name TEXT NOT NULL, devid TEXT,
  state INTEGER NOT NULL, maker TEXT, model TEXT, hwv TEXT, fwv TEXT, swv TEXT, dmv TEXT, lang
  TEXT, tags TEXT, note TEXT, wake_reported TEXT, wake_override TEXT, address TEXT, route TEXT,
  created INTEGER NOT NULL, updated INTEGER NOT NULL, last_contact INTEGER NOT NULL, wake_at
  INTEGER NOT NULL, wake_tries INTEGER NOT NULL, wake_session INTEGER NOT NULL);
INSERT INTO device
  VALUES(7,1,'old/meter','IMEI:7',0,NULL,'M1',NULL,NULL,NULL,NULL,NULL,'old north',NULL,NULL,NULL,NULL,NULL,1000,1000,0,0,0,0);
CREATE TABLE device_name (name TEXT PRIMARY KEY, device INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO device_name VALUES('old/meter',7);
CREATE TABLE device_devid (devid TEXT PRIMARY KEY, device INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO device_devid VALUES('IMEI:7',7);
CREATE TABLE account (device INTEGER PRIMARY KEY, user TEXT, secret TEXT, password TEXT, auth
  INTEGER NOT NULL, flags INTEGER NOT NULL, server_id TEXT, server_user TEXT, server_secret TEXT,
  server_password TEXT, server_auth INTEGER NOT NULL, nonce BLOB, previous BLOB, server_nonce
  BLOB, failures INTEGER NOT NULL, locked_until INTEGER NOT NULL);
INSERT INTO account VALUES(7,'u','s',NULL,2,0,'xrem',NULL,NULL,NULL,0,X'616263',NULL,NULL,0,0);
CREATE TABLE job (device INTEGER NOT NULL, id INTEGER NOT NULL, kind TEXT, atomic INTEGER NOT
  NULL, state INTEGER NOT NULL, priority INTEGER NOT NULL, deadline INTEGER NOT NULL, attempts
  INTEGER NOT NULL, max_attempts INTEGER NOT NULL, correlator TEXT, actor TEXT, route TEXT, reason
  TEXT, session INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, started
  INTEGER NOT NULL, finished INTEGER NOT NULL, commands TEXT NOT NULL, key TEXT, PRIMARY KEY
  (device, id));
INSERT INTO job
  VALUES(7,11,'get',0,4,0,0,0,3,NULL,NULL,NULL,NULL,0,2000,2600,0,2600,'[{"cmd":"get","uri":"./DevInfo/Man"}]',NULL);
INSERT INTO job
  VALUES(7,12,'get',0,0,0,0,0,3,NULL,NULL,NULL,NULL,0,2000,2000,0,0,'[{"cmd":"get","uri":"./DevInfo/Man"}]',NULL);
CREATE TABLE result (device INTEGER NOT NULL, job INTEGER NOT NULL, "index" INTEGER NOT NULL,
  status INTEGER NOT NULL, sent INTEGER NOT NULL, text TEXT, at INTEGER NOT NULL, items BLOB,
  PRIMARY KEY (device, job, "index"));
INSERT INTO result
  VALUES(7,11,0,200,1,NULL,2500,X'010e2e2f446576496e666f2f4d616e04636872000541636d65');
CREATE TABLE note (device INTEGER NOT NULL, job INTEGER NOT NULL, n INTEGER NOT NULL, at INTEGER
  NOT NULL, state INTEGER NOT NULL, text TEXT, PRIMARY KEY (device, job, n));
INSERT INTO note VALUES(7,11,1,2600,4,'done');
CREATE TABLE tree (device INTEGER PRIMARY KEY, at INTEGER NOT NULL, nodes BLOB NOT NULL);
INSERT INTO tree VALUES(7,2600,X'01a814030106000000000206000000000304000541636d6500');
CREATE TABLE path (id INTEGER PRIMARY KEY, path TEXT NOT NULL);
INSERT INTO path VALUES(1,'.');
INSERT INTO path VALUES(2,'./DevInfo');
INSERT INTO path VALUES(3,'./DevInfo/Man');
CREATE TABLE session (device INTEGER NOT NULL, id INTEGER NOT NULL, dm_id TEXT, sid TEXT, peer
  TEXT, route TEXT, codec TEXT, agent TEXT, tls INTEGER NOT NULL, authenticated INTEGER NOT NULL,
  outcome TEXT, started INTEGER NOT NULL, last INTEGER NOT NULL, messages INTEGER NOT NULL,
  bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, PRIMARY KEY (device, id));
INSERT INTO session VALUES(7,5,'1','sid',NULL,NULL,'xml',NULL,0,1,'done',3000,3100,2,0,0);
CREATE TABLE saved (device INTEGER NOT NULL, session INTEGER NOT NULL, state BLOB NOT NULL,
  PRIMARY KEY (device, session));
INSERT INTO saved VALUES(7,5,X'7374617465');
CREATE TABLE message (device INTEGER NOT NULL, session INTEGER NOT NULL, n INTEGER NOT NULL, at
  INTEGER NOT NULL, out INTEGER NOT NULL, mime TEXT, hmac TEXT, size INTEGER NOT NULL, bytes BLOB,
  PRIMARY KEY (device, session, n));
INSERT INTO message
  VALUES(7,5,1,3000,0,'application/vnd.syncml.dm+xml',NULL,9,X'3c53796e634d4c2f3e');
CREATE TABLE token (name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, role TEXT, scope TEXT,
  created INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO token
  VALUES('first',X'3031323334353637383930313233343536373839303132333435363738393031','admin',NULL,900,0);
CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO setting VALUES('rest.token_hash',X'68617368');
CREATE TABLE event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER NOT NULL, kind
  TEXT, data TEXT);
INSERT INTO event VALUES(1,2600,7,'job.done','{"job":"11"}');
CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER NOT NULL, actor
  TEXT, action TEXT, target TEXT, detail TEXT, outcome TEXT);
INSERT INTO audit VALUES(1,1000,7,'first','device.create','old/meter',NULL,'201');
CREATE INDEX device_wake ON device (wake_at) WHERE wake_at > 0;
CREATE INDEX device_state ON device (state);
CREATE INDEX job_id ON job (id);
CREATE INDEX job_state ON job (state, id);
CREATE INDEX job_open ON job (device, priority DESC, id) WHERE state < 4;
CREATE INDEX job_ended ON job (device, id) WHERE state >= 4;
CREATE INDEX job_deadline ON job (deadline) WHERE state < 4 AND deadline > 0;
CREATE INDEX session_id ON session (id);
CREATE INDEX session_sid ON session (sid) WHERE sid IS NOT NULL;
CREATE INDEX event_device ON event (device, seq);
CREATE INDEX audit_device ON audit (device, seq);
CREATE UNIQUE INDEX job_key ON job (device, key) WHERE key IS NOT NULL;
PRAGMA application_id = 2020762989;
PRAGMA user_version = 2;
COMMIT;
