/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_schema.h - the tables, as numbered migrations: script i brings a file from version i to
 * i+1. A script that was released is never changed; a change is a new one.
 *
 * Every table of a device carries the device in its primary key and unique constraints, so that the
 * same tables can be spread over several machines by device.
 *
 * Of a device each list has its index with the name behind, so that a page comes in order: by
 * state, maker, model, firmware, and by tag in a table of its own.  last_contact has none, as each
 * session changes it.
 *
 * What changes with each message is written often, so it is kept narrow: an index names no column
 * that changes while a job is under way but job_state, and `message` is of sessions kept by older
 * versions only. */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#define SQLITE_MIGRATIONS                                                                          \
        "CREATE TABLE counter (kind INTEGER PRIMARY KEY, value INTEGER NOT NULL);"                 \
        "CREATE TABLE device (id INTEGER PRIMARY KEY, rev INTEGER NOT NULL, name TEXT NOT NULL,"   \
        " devid TEXT, state INTEGER NOT NULL, maker TEXT, model TEXT, hwv TEXT, fwv TEXT,"         \
        " swv TEXT, dmv TEXT, lang TEXT, tags TEXT, note TEXT, wake_reported TEXT,"                \
        " wake_override TEXT, address TEXT, route TEXT, created INTEGER NOT NULL,"                 \
        " updated INTEGER NOT NULL, last_contact INTEGER NOT NULL, wake_at INTEGER NOT NULL,"      \
        " wake_tries INTEGER NOT NULL, wake_session INTEGER NOT NULL);"                            \
        "CREATE INDEX device_wake ON device (wake_at) WHERE wake_at > 0;"                          \
        "CREATE INDEX device_state ON device (state);"                                             \
        "CREATE TABLE device_name (name TEXT PRIMARY KEY, device INTEGER NOT NULL) WITHOUT ROWID;" \
        "CREATE TABLE device_devid (devid TEXT PRIMARY KEY, device INTEGER NOT NULL)"              \
        " WITHOUT ROWID;"                                                                          \
        "CREATE TABLE account (device INTEGER PRIMARY KEY, user TEXT, secret TEXT, password TEXT," \
        " auth INTEGER NOT NULL, flags INTEGER NOT NULL, server_id TEXT, server_user TEXT,"        \
        " server_secret TEXT, server_password TEXT, server_auth INTEGER NOT NULL, nonce BLOB,"     \
        " previous BLOB, server_nonce BLOB, failures INTEGER NOT NULL,"                            \
        " locked_until INTEGER NOT NULL);"                                                         \
        "CREATE TABLE job (device INTEGER NOT NULL, id INTEGER NOT NULL, kind TEXT,"               \
        " atomic INTEGER NOT NULL, state INTEGER NOT NULL, priority INTEGER NOT NULL,"             \
        " deadline INTEGER NOT NULL, attempts INTEGER NOT NULL, max_attempts INTEGER NOT NULL,"    \
        " correlator TEXT, actor TEXT, route TEXT, reason TEXT, session INTEGER NOT NULL,"         \
        " created INTEGER NOT NULL, updated INTEGER NOT NULL, started INTEGER NOT NULL,"           \
        " finished INTEGER NOT NULL, commands TEXT NOT NULL, PRIMARY KEY (device, id));"           \
        "CREATE INDEX job_id ON job (id);"                                                         \
        "CREATE INDEX job_state ON job (state, id);"                                               \
        "CREATE INDEX job_open ON job (device, priority DESC, id) WHERE state < 4;"                \
        "CREATE INDEX job_ended ON job (device, id) WHERE state >= 4;"                             \
        "CREATE INDEX job_deadline ON job (deadline) WHERE state < 4 AND deadline > 0;"            \
        "CREATE TABLE result (device INTEGER NOT NULL, job INTEGER NOT NULL,"                      \
        " \"index\" INTEGER NOT NULL, status INTEGER NOT NULL, sent INTEGER NOT NULL, text TEXT,"  \
        " at INTEGER NOT NULL, items BLOB, PRIMARY KEY (device, job, \"index\"));"                 \
        "CREATE TABLE note (device INTEGER NOT NULL, job INTEGER NOT NULL, n INTEGER NOT NULL,"    \
        " at INTEGER NOT NULL, state INTEGER NOT NULL, text TEXT, PRIMARY KEY (device, job, n));"  \
        "CREATE TABLE tree (device INTEGER PRIMARY KEY, at INTEGER NOT NULL, nodes BLOB NOT "      \
        "NULL);"                                                                                   \
        "CREATE TABLE path (id INTEGER PRIMARY KEY, path TEXT NOT NULL);"                          \
        "CREATE TABLE session (device INTEGER NOT NULL, id INTEGER NOT NULL, dm_id TEXT, sid "     \
        "TEXT,"                                                                                    \
        " peer TEXT, route TEXT, codec TEXT, agent TEXT, tls INTEGER NOT NULL,"                    \
        " authenticated INTEGER NOT NULL, outcome TEXT, started INTEGER NOT NULL,"                 \
        " last INTEGER NOT NULL, messages INTEGER NOT NULL, bytes_in INTEGER NOT NULL,"            \
        " bytes_out INTEGER NOT NULL, PRIMARY KEY (device, id));"                                  \
        "CREATE INDEX session_id ON session (id);"                                                 \
        "CREATE INDEX session_sid ON session (sid) WHERE sid IS NOT NULL;"                         \
        "CREATE TABLE saved (device INTEGER NOT NULL, session INTEGER NOT NULL, state BLOB NOT"    \
        " NULL, PRIMARY KEY (device, session));"                                                   \
        "CREATE TABLE message (device INTEGER NOT NULL, session INTEGER NOT NULL,"                 \
        " n INTEGER NOT NULL, at INTEGER NOT NULL, out INTEGER NOT NULL, mime TEXT, hmac TEXT,"    \
        " size INTEGER NOT NULL, bytes BLOB, PRIMARY KEY (device, session, n));"                   \
        "CREATE TABLE token (name TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, role TEXT,"         \
        " scope TEXT, created INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"          \
        "CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"          \
        "CREATE TABLE event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER NOT"     \
        " NULL, kind TEXT, data TEXT);"                                                            \
        "CREATE INDEX event_device ON event (device, seq);"                                        \
        "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, device INTEGER NOT"     \
        " NULL, actor TEXT, action TEXT, target TEXT, detail TEXT, outcome TEXT);"                 \
        "CREATE INDEX audit_device ON audit (device, seq)",                                        \
                "ALTER TABLE job ADD COLUMN key TEXT;"                                             \
                "CREATE UNIQUE INDEX job_key ON job (device, key) WHERE key IS NOT NULL",          \
                "ALTER TABLE job ADD COLUMN open INTEGER NOT NULL DEFAULT 0;"                      \
                "UPDATE job SET open = 1 WHERE state < 4;"                                         \
                "DROP INDEX job_open; DROP INDEX job_ended; DROP INDEX job_deadline;"              \
                "CREATE INDEX job_open ON job (device, priority DESC, id) WHERE open = 1;"         \
                "CREATE INDEX job_ended ON job (device, id) WHERE open = 0;"                       \
                "CREATE INDEX job_deadline ON job (deadline) WHERE open = 1 AND deadline > 0;"     \
                "ALTER TABLE note RENAME TO old_note;"                                             \
                "CREATE TABLE note (device INTEGER NOT NULL, job INTEGER NOT NULL,"                \
                " n INTEGER NOT NULL, at INTEGER NOT NULL, state INTEGER NOT NULL, text TEXT,"     \
                " PRIMARY KEY (device, job, n)) WITHOUT ROWID;"                                    \
                "INSERT INTO note SELECT device, job, n, at, state, text FROM old_note;"           \
                "DROP TABLE old_note;"                                                             \
                "ALTER TABLE session ADD COLUMN log BLOB;"                                         \
                "DROP INDEX session_id; DROP INDEX session_sid;"                                   \
                "ALTER TABLE saved ADD COLUMN sid TEXT;"                                           \
                "UPDATE saved SET sid = (SELECT s.sid FROM session s"                              \
                " WHERE s.device = saved.device AND s.id = saved.session);"                        \
                "CREATE INDEX saved_sid ON saved (sid)",                                           \
                "CREATE TABLE row_number (name TEXT PRIMARY KEY, last INTEGER NOT NULL)"           \
                " WITHOUT ROWID;"                                                                  \
                "ALTER TABLE device ADD COLUMN reached TEXT;"                                      \
                "DROP INDEX device_state;"                                                         \
                "CREATE INDEX device_state ON device (state, name);"                               \
                "CREATE INDEX device_maker ON device (maker, name) WHERE maker IS NOT NULL;"       \
                "CREATE INDEX device_model ON device (model, name) WHERE model IS NOT NULL;"       \
                "CREATE INDEX device_fwv ON device (fwv, name) WHERE fwv IS NOT NULL;"             \
                "CREATE TABLE device_tag (tag TEXT, name TEXT, device INTEGER NOT NULL,"           \
                " PRIMARY KEY (tag, name)) WITHOUT ROWID;"                                         \
                "INSERT OR IGNORE INTO device_tag"                                                 \
                " WITH RECURSIVE word (device, name, tag, rest) AS ("                              \
                "SELECT id, name, '', tags || ' ' FROM device WHERE tags IS NOT NULL"              \
                " UNION ALL SELECT device, name, substr(rest, 1, instr(rest, ' ') - 1),"           \
                " substr(rest, instr(rest, ' ') + 1) FROM word WHERE rest <> '')"                  \
                " SELECT tag, name, device FROM word WHERE tag <> '';"                             \
                "INSERT INTO counter SELECT 16 + state, count(*) FROM device GROUP BY state;"      \
                "INSERT INTO counter SELECT 32 + state, count(*) FROM job GROUP BY state;"         \
                "INSERT INTO counter SELECT 48, count(*) FROM session"

#endif
