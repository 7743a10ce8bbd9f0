#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A receiver of webhooks: receiver.py PORT SECRET-FILE OUTPUT.

Prints its port, and writes a line for each event: whether the signature was good, the event's
number and kind."""
import hashlib
import hmac
import http.server
import json
import sys

secret = open(sys.argv[2], "rb").read()
out = open(sys.argv[3], "a", buffering=1)


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = self.headers["X-Xrem-Time"].encode() + b"." + body
        want = "sha256=" + hmac.new(secret, text, hashlib.sha256).hexdigest()
        good = hmac.compare_digest(want, self.headers["X-Xrem-Signature"])
        for e in json.loads(body)["events"]:
            print("good" if good else "bad", e["id"], e["kind"], file=out)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True


server = Server(("127.0.0.1", int(sys.argv[1])), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
