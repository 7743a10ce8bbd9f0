# SPDX-License-Identifier: Apache-2.0
# A small HTTP proxy: prints its port, writes the first line of each request into a file, passes all else on.
# proxy.py ADDRESS FILE
import http.client
import http.server
import sys
import urllib.parse


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        with open(sys.argv[2], "a") as log:
            print(self.requestline, file=log)
        to = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        peer = http.client.HTTPConnection(to.hostname, to.port, timeout=10)
        fields = {k: v for k, v in self.headers.items() if k.lower() not in ("connection", "proxy-authorization")}
        peer.request("POST", to.path + ("?" + to.query if to.query else ""), body, fields)
        reply = peer.getresponse()
        data = reply.read()
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        peer.close()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer((sys.argv[1], 0), Proxy)
print(server.server_address[1], flush=True)
server.serve_forever()
