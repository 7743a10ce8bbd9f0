# SPDX-License-Identifier: Apache-2.0
# A way to the server that loses what it is told to lose: prints its port.  lossy.py ADDRESS PORT FOLDER
#
# The file FOLDER/lose says what: "order TEXT" every reply that holds TEXT, "answer TEXT" every message after a
# reply that held it.  FOLDER/lost gets a line for it.  Nothing more goes through then, until FOLDER/lose is gone: who
# tries again meanwhile is as one who did not.
import http.client
import http.server
import os
import sys

address, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ordered, cut = False, False


def wanted():
    try:
        with open(os.path.join(folder, "lose")) as f:
            kind, text = f.read().split()
            return kind, text.encode()
    except (FileNotFoundError, ValueError):  # not there, or not yet written
        return "", b""


class Way(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def lose(self, what):
        global cut
        cut = True
        with open(os.path.join(folder, "lost"), "a") as log:
            print(what, file=log)
        self.close_connection = True

    def do_POST(self):
        global ordered, cut
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind, text = wanted()
        cut = cut and kind != ""
        if cut:
            self.close_connection = True
            return None
        if kind == "answer" and ordered:
            return self.lose(kind)
        peer = http.client.HTTPConnection(address, port, timeout=10)
        peer.request("POST", self.path, body, dict(self.headers))
        reply = peer.getresponse()
        data = reply.read()
        peer.close()
        if kind == "order" and text in data:
            return self.lose(kind)
        ordered = kind == "answer" and text in data
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer((address, 0), Way)
print(server.server_address[1], flush=True)
server.serve_forever()
