# SPDX-License-Identifier: Apache-2.0
# The alerts that the server keeps of a device, oldest first: type, source, mark, data of each.
# events.py FOLDER-OF-THE-SERVER DEVICE
import json
import sqlite3
import sys

db = sqlite3.connect(f"file:{sys.argv[1]}/nrem.db?mode=ro", uri=True, timeout=10)
rows = db.execute("SELECT e.data FROM event e JOIN device d ON d.id = e.device "
                  "WHERE d.name = ? AND e.kind = 'alert' ORDER BY e.seq", (sys.argv[2],))
for (text,) in rows:
    e = json.loads(text)
    print(e.get("type", "-"), e.get("source", "-"), e.get("mark", "-"), e.get("data", ""))
