# SPDX-License-Identifier: Apache-2.0
# A wide area network that can be cut: prints its port, passes on what comes there by TCP to ADDRESS PORT, and by UDP to
# the port on this machine that FOLDER/wake names.  wan.py ADDRESS PORT FOLDER
#
# While FOLDER/cut is there, nothing goes through: connections stand and hear nothing, what was under way is lost.
# FOLDER/calls gets a line for each connection that is made, "open" or "cut".
import os
import socket
import sys
import threading

to, folder = (sys.argv[1], int(sys.argv[2])), sys.argv[3]


def is_cut():
    return os.path.exists(os.path.join(folder, "cut"))


def pump(a, b, lost):
    """Passes on what comes; what comes while the way is cut is lost, and so is all after it."""
    try:
        while data := a.recv(65536):
            if is_cut():
                lost.set()
            if not lost.is_set():
                b.sendall(data)
    except OSError:
        pass
    if lost.is_set() or is_cut():  # nobody hears that it ended
        return
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def carry(near, far):
    lost = threading.Event()
    ways = [threading.Thread(target=pump, args=(a, b, lost), daemon=True) for a, b in ((near, far), (far, near))]
    for t in ways:
        t.start()
    for t in ways:
        t.join()


def serve(near):
    with open(os.path.join(folder, "calls"), "a") as log:
        print("cut" if is_cut() else "open", file=log)
    try:
        with near:
            if is_cut():
                while near.recv(65536):
                    pass
            else:
                with socket.create_connection(to) as far:
                    carry(near, far)
    except OSError:
        pass


def relay(datagrams):
    while True:
        data = datagrams.recv(65536)
        try:
            with open(os.path.join(folder, "wake")) as f:
                if not is_cut():
                    datagrams.sendto(data, ("127.0.0.1", int(f.read())))
        except OSError:
            pass


def listen():
    """One port for both; one that is free for streams need not be for datagrams."""
    while True:
        streams = socket.create_server(("127.0.0.1", 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            datagrams.bind(streams.getsockname())
            return streams, datagrams
        except OSError:
            streams.close()
            datagrams.close()


listener, datagrams = listen()
threading.Thread(target=relay, args=(datagrams,), daemon=True).start()
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
