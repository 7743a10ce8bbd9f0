# SPDX-License-Identifier: Apache-2.0
"""Catches one datagram on a free loopback port: prints the port, then writes the
datagram to the file named.  Ends by itself after 60 seconds."""
import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
s.settimeout(60)
print(s.getsockname()[1], flush=True)
with open(sys.argv[1], "wb") as out:
    out.write(s.recv(2048))
