# SPDX-License-Identifier: Apache-2.0
# Takes one POST: its type and body go into a file.  Prints the port.  take.py FILE
import http.server
import sys


class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(sys.argv[1], "wb") as f:
            f.write(self.headers["Content-Type"].encode() + b"\n" + body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
print(server.server_port, flush=True)
server.handle_request()
