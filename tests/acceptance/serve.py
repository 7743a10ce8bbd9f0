#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Serves a folder on loopback with entity tags and ranges; prints its port.  A path below /slow/ comes at a
# crawl, and stops half way while FOLDER/../hold is there.  Appends a line to FOLDER/../requests for each request.  serve.py FOLDER
import hashlib
import http.server
import os
import re
import sys
import time

folder = sys.argv[1]
hold = os.path.join(folder, "..", "hold")
CHUNK = 16384


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        slow = self.path.startswith("/slow/")
        name = os.path.basename(self.path)
        try:
            with open(os.path.join(folder, name), "rb") as f:
                data = f.read()
        except OSError:
            self.send_error(404)
            return
        tag = '"%s"' % hashlib.sha256(data).hexdigest()[:16]
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        start = 0
        if wanted and self.headers.get("If-Range", tag) == tag and int(wanted[1]) < len(data):
            start = int(wanted[1])
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        else:
            self.send_response(200)
        with open(os.path.join(folder, "..", "requests"), "a") as log:
            log.write("%s %d\n" % (name, start))
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        for at in range(start, len(data), CHUNK):
            self.wfile.write(data[at:at + CHUNK])
            if slow:
                time.sleep(0.05)
            while slow and at >= len(data) // 2 and os.path.exists(hold):
                time.sleep(0.02)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
