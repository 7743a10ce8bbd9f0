#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the real nremd and dremd at random moments under load.

    kill.py NREMD DREMD XREMSIM [--kills N] [--seconds S] [--seed X] [--keep]

A server, a device with jobs coming over REST, and a crowd of simulated devices.  One of the two
daemons is killed again and again and started as it was; after each time, and at the end:

- a job that REST acknowledged is there, once, and what it had as its end stays so;
- nothing is done twice: no Exec, no Add, no job of one Idempotency-Key;
- the device holds what the last acknowledged job wrote, and two nodes that only atomic jobs write are equal;
- a nonce that was given up never comes back;
- both start by themselves, and say no error.

The seed decides what is asked and who is killed when; how far each has come then, the machine."""
import argparse
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

NAME = "this"
EXT = "./Vendor/xrem/Config/Ext/"
KEYS = ["k0", "k1", "k2", "k3"]
OPEN = ("queued", "notified", "in_session", "waiting")
START_S = 60  # on a machine that is busy
SETTLE_S = 120


class Wrong(Exception):
    pass


class Daemon:
    """A program with a configuration and a log, killed and started again."""

    def __init__(self, folder, name, program, ready, text):
        self.name, self.program, self.ready = name, program, ready
        self.conf = os.path.join(folder, name + ".conf")
        self.log = os.path.join(folder, name + ".log")
        self.out = open(self.log, "ab")
        self.process, self.mark, self.starts = None, 0, 0
        self.write(text)

    def write(self, text):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def lines(self):
        with open(self.log, "rb") as f:
            f.seek(self.mark)
            return f.read().decode("utf-8", "replace").splitlines()

    def start(self):
        self.mark = os.path.getsize(self.log)
        self.process = subprocess.Popen([self.program, "--config", self.conf], stdout=self.out, stderr=self.out)
        self.starts += 1
        end = time.monotonic() + START_S
        while not any(self.ready in line for line in self.lines()):
            if self.process.poll() is not None:
                raise Wrong(f"{self.name} does not start again: " + " | ".join(self.lines()[-3:]))
            if time.monotonic() > end:
                raise Wrong(f"{self.name} is not ready after {START_S} s")
            time.sleep(0.02)

    def alive(self):
        if self.process.poll() is not None:
            raise Wrong(f"{self.name} ended by itself with {self.process.returncode}: " + " | ".join(self.lines()[-3:]))

    def kill(self):
        self.alive()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                if self.process.wait(30) != 0:
                    raise Wrong(f"{self.name} ended with {self.process.returncode}")
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Wrong(f"{self.name} does not end") from None

    def check_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            for line in f:
                if re.search(r"\berror\b|Sanitizer|runtime error|assert", line, re.I) and "http-error" not in line:
                    raise Wrong(f"{self.name} says: {line.strip()}")


class World:
    def __init__(self, a):
        self.a = a
        self.random = random.Random(a.seed)
        self.folder = tempfile.mkdtemp(prefix="kill.")
        self.jobs = {}  # number -> what was acknowledged: key, commands, state
        self.order = []
        self.asked = 0  # keys of jobs
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.trouble = []
        self.nonces = {}  # device -> (the one of now, those given up)
        self.crowd = None
        self.posts_again = 0
        self.make_daemons()

    def make_daemons(self):
        state = os.path.join(self.folder, "server")
        os.mkdir(state)
        conf = (
            f"[server]\nstate = {state}\n[dm]\nlisten = 127.0.0.1:0\n[api]\nlisten = 127.0.0.1:0\n"
            "[wake]\nfrom = 127.0.0.1:0\nfirst = 500ms\n[jobs]\nattempts = 1000\n[store]\njobs_kept = 1000000\n"
        )
        self.server = Daemon(self.folder, "nremd", self.a.nremd, "started", conf)
        self.server.start()
        self.port = next(m.group(1) for m in (re.search(r"listening.* port=(\d+)", x) for x in self.server.lines()) if m)
        self.server.write(conf.replace("127.0.0.1:0\n[", f"127.0.0.1:{self.port}\n[", 2))  # one listener for both
        self.dm = f"http://127.0.0.1:{self.port}/dm"
        self.database = os.path.join(state, "nrem.db")
        with open(os.path.join(state, "admin.token"), encoding="utf-8") as f:
            self.token = f.read().strip()
        self.device = Daemon(
            self.folder, "dremd", self.a.dremd, "ready",
            f"[agent]\nstate = {os.path.join(self.folder, 'device')}\n[device]\nid = urn:kill:this\n"
            f"[account]\nserver_id = xrem\nurl = {self.dm}\nuser = this\npassword = pw\nserver_password = sv\n"
            "[session]\ninterval = 10s\nretry_min = 100ms\nretry_max = 1s\n"
            "[wake]\nlisten = 127.0.0.1:0\nmin_interval = 0s\n[log]\nlevel = debug\n",
        )

    # ---- REST --------------------------------------------------------------------

    def ask(self, method, path, body=None, key=None):
        """Status and JSON; raises OSError or HTTPException when nothing came back."""
        c = http.client.HTTPConnection("127.0.0.1", int(self.port), timeout=30)
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            c.request(method, "/api/v1" + path, json.dumps(body) if body else None, headers)
            r = c.getresponse()
            text = r.read()
            return r.status, json.loads(text) if text else None
        finally:
            c.close()

    def surely(self, method, path, body=None, key=None):
        """The same, asked again until there is an answer that counts."""
        end = time.monotonic() + START_S
        while True:
            try:
                status, answer = self.ask(method, path, body, key)
                if status != 503:
                    return status, answer
            except (OSError, http.client.HTTPException, ValueError):
                pass
            if time.monotonic() > end:
                raise Wrong(f"{method} {path}: no answer for {START_S} s")
            self.posts_again += method == "POST"
            time.sleep(0.05)

    # ---- load --------------------------------------------------------------------

    def make_job(self, dice, n):
        """Kind, where it writes, and its commands; the number n is what it writes."""
        kind = dice.choice(["set", "set", "set", "pair", "add", "exec", "exec", "get"])
        text = str(n)
        if kind == "set":
            uri = EXT + dice.choice(KEYS)
            return kind, uri, {"commands": [{"cmd": "replace", "uri": uri, "data": text}]}
        if kind == "pair":
            both = [{"cmd": "replace", "uri": EXT + x, "data": text} for x in ("a", "b")]
            return kind, EXT + "a", {"atomic": True, "commands": both}
        if kind == "add":
            uri = EXT + "n" + text
            return kind, uri, {"commands": [{"cmd": "add", "uri": uri, "data": text}, {"cmd": "get", "uri": uri}]}
        if kind == "exec":
            return kind, text, {"commands": [{"cmd": "exec", "uri": "./Vendor/xrem/Ping", "data": "ping-" + text}]}
        return kind, "", {"commands": [{"cmd": "get", "uri": "./DevInfo/Man"}]}

    def post_jobs(self):
        """One after the other, so that their order is known; each until it is acknowledged."""
        dice = random.Random(self.a.seed + 1)
        try:
            while not self.over.is_set():
                n = self.asked + 1
                kind, where, job = self.make_job(dice, n)
                self.asked = n
                status, answer = self.surely("POST", f"/devices/{NAME}/jobs", job, f"key-{n}")
                if status not in (200, 201):
                    raise Wrong(f"job {n} was answered {status}: {answer}")
                with self.lock:
                    self.jobs[answer["id"]] = {"n": n, "kind": kind, "where": where, "state": None}
                    self.order.append(answer["id"])
                self.over.wait(dice.random() * 0.03)
        except Wrong as e:
            self.trouble.append(str(e))

    def start_crowd(self):
        args = [self.a.xremsim, "--json", "--quiet", "-n", "40", "--prefix", "crowd/"]
        env = dict(os.environ, XREM_TOKEN=self.token)
        made = subprocess.run(args + ["--create", "--api", f"http://127.0.0.1:{self.port}"], env=env,
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Wrong("xremsim: " + made.stdout + made.stderr)
        self.crowd = subprocess.Popen(args + ["--server", self.dm, "-s", "1000000", "-p", "4", "-r", "60",
                                              "--max-time", "7200"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def stop_crowd(self):
        """How many of its sessions there were, and how many ended well."""
        self.crowd.send_signal(signal.SIGTERM)
        out, err = self.crowd.communicate(timeout=60)
        told = json.loads(out)
        if self.crowd.returncode not in (0, 1):
            raise Wrong(f"xremsim ended with {self.crowd.returncode}: {err.decode()}")
        return told["sessions"], told["outcomes"].get("done", 0)

    # ---- what must hold ------------------------------------------------------------

    def check_jobs(self):
        """Those acknowledged are there; an end stays an end.  How many are open."""
        with self.lock:
            known = [(i, j) for i, j in self.jobs.items()]
        left = 0
        listed = self.list_jobs()
        for ident, j in known:
            now = listed.get(ident)
            if now is None:
                raise Wrong(f"job {j['n']} was acknowledged, and is gone")
            if j["state"] and now["state"] != j["state"]:
                raise Wrong(f"job {j['n']} was {j['state']}, and is {now['state']}")
            if now["state"] not in OPEN:
                if now["state"] != "done":
                    raise Wrong(f"job {j['n']} ({j['kind']}) is {now['state']}: {now.get('reason')}")
                j["state"] = now["state"]
            elif not (j["kind"] == "exec" and now["state"] == "waiting"):
                left += 1
        return left

    def list_jobs(self):
        found, path = {}, f"/jobs?device={NAME}&limit=1000"
        after = ""
        while True:
            status, page = self.surely("GET", path + after)
            if status != 200:
                raise Wrong(f"the list of jobs: {status}")
            for j in page["items"]:
                if j["id"] in found:
                    raise Wrong("a job stands twice in the list")
                found[j["id"]] = j
            if not page.get("next"):
                return found
            after = "&" + ("cursor=" + page["next"])

    def check_nonces(self):
        """Read beside the server, as it is at this moment."""
        db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        try:
            rows = db.execute("SELECT d.name, a.nonce, a.server_nonce FROM account a JOIN device d ON d.id = a.device").fetchall()
        finally:
            db.close()
        for device, *now in rows:
            for which, nonce in enumerate(now):
                if nonce is None:
                    continue
                last, gone = self.nonces.setdefault((device, which), (nonce, set()))
                if nonce in gone:
                    raise Wrong(f"device {device} has a nonce again that was given up")
                if nonce != last:
                    gone.add(last)
                    self.nonces[device, which] = (nonce, gone)

    def check_nonces_moved(self):
        for which in (0, 1):
            if not self.nonces.get((NAME, which), (None, None))[1]:
                raise Wrong("nonces of the device do not move on")

    def do_now(self, commands):
        """A job of our own, and its end."""
        self.extra += 1
        status, j = self.surely("POST", f"/devices/{NAME}/jobs", {"commands": commands}, f"own-{self.extra}")
        if status == 201:
            status, j = self.surely("GET", f"/jobs/{j['id']}?wait=60")
        if status != 200 or j["state"] != "done":
            raise Wrong(f"{commands}: {status} {j}")
        return j

    def check_values(self):
        """The last job that wrote a node is what it holds; all of them are done by now."""
        want = {EXT + k: "0" for k in KEYS + ["a"]}
        for ident in self.order:
            j = self.jobs[ident]
            if j["kind"] in ("set", "pair"):
                want[j["where"]] = str(j["n"])
            elif j["kind"] == "add":
                want[j["where"]] = str(j["n"])
        want[EXT + "b"] = want[EXT + "a"]
        got = self.live_tree()
        for uri, value in want.items():
            if got.get(uri) != value:
                raise Wrong(f"{uri} holds {got.get(uri)}, not {value}")
        for uri in got:
            if uri not in want:
                raise Wrong(f"{uri} was never written")

    def live_tree(self):
        j = self.do_now([{"cmd": "get", "uri": EXT[:-1] + "?list=StructData"}])
        return {r["uri"]: r["data"] for r in j["commands"][0]["results"] if r.get("format") != "node"}

    def check_effects(self):
        with open(self.device.log, encoding="utf-8", errors="replace") as f:
            ran = re.findall(r"\bping-(\d+)\b", "".join(line for line in f if "pinged" in line))
        twice = {n for n in ran if ran.count(n) > 1}
        if twice:
            raise Wrong(f"Exec of job {sorted(twice)} ran twice")
        for j in self.jobs.values():
            if j["kind"] == "exec" and j["state"] == "done" and str(j["n"]) not in ran:
                raise Wrong(f"Exec of job {j['n']} is done, and never ran")
        if len(self.list_jobs()) != len(self.jobs) + self.extra:
            raise Wrong("a job was made twice of one Idempotency-Key")
        return len(ran)

    # ---- the run --------------------------------------------------------------------

    def begin(self):
        self.extra = 0
        status, answer = self.surely("POST", "/devices", {
            "name": NAME, "devid": "urn:kill:this", "user": "this", "password": "pw",
            "server_user": "xrem", "server_password": "sv"})
        if status != 201:
            raise Wrong(f"no device: {status} {answer}")
        self.device.start()
        self.do_now([{"cmd": "add", "uri": EXT + x, "data": "0"} for x in KEYS + ["a", "b"]])
        self.start_crowd()
        self.poster = threading.Thread(target=self.post_jobs)
        self.poster.start()

    def kill_one(self):
        time.sleep(0.05 + self.random.random() * 1.2)
        both = (self.server, self.device)
        one = self.random.choice(both)
        for d in both:
            d.alive()
        if self.crowd.poll() is not None:
            raise Wrong("xremsim has ended")
        one.kill()
        time.sleep(self.random.choice([0, 0, 0.3]))
        one.start()
        if one is self.server:
            self.check_jobs()
        self.check_nonces()
        if self.trouble:
            raise Wrong(self.trouble[0])

    def settle(self):
        self.over.set()
        self.poster.join()
        if self.trouble:
            raise Wrong(self.trouble[0])
        crowd = self.stop_crowd()
        end = time.monotonic() + SETTLE_S
        while self.check_jobs():
            if time.monotonic() > end:
                raise Wrong(f"{self.check_jobs()} jobs are left after {SETTLE_S} s")
            time.sleep(0.2)
        self.check_nonces()
        self.check_nonces_moved()
        self.check_values()
        ran = self.check_effects()
        self.device.stop()
        self.server.stop()
        for d in (self.server, self.device):
            d.check_log()
        return crowd, ran

    def cleanup(self):
        self.over.set()
        for p in (self.crowd, self.server.process, self.device.process):
            if p and p.poll() is None:
                p.kill()
                p.wait()
        if self.a.keep:
            print(f"# kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def run(a):
    w = World(a)
    kills = 0
    try:
        end = time.monotonic() + a.seconds
        w.begin()
        while kills < a.kills and time.monotonic() < end:
            w.kill_one()
            kills += 1
        if kills == 0:
            raise Wrong(f"nobody was killed in {a.seconds} s")
        crowd, ran = w.settle()
        print(f"# {kills} kills: {w.server.starts - 1} of nremd, {w.device.starts - 1} of dremd; {len(w.jobs)} jobs"
              f" acknowledged, {ran} of them Exec that ran; {w.posts_again} requests asked again;"
              f" {crowd[1]} of {crowd[0]} sessions of the crowd ended well")
    finally:
        w.cleanup()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("nremd")
    p.add_argument("dremd")
    p.add_argument("xremsim")
    p.add_argument("--kills", type=int, default=10)
    p.add_argument("--seconds", type=float, default=1e9, help="no kill begins after that")
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--keep", action="store_true", help="leave the folder with logs and databases")
    a = p.parse_args()
    if a.seed is None:
        a.seed = random.SystemRandom().randrange(1 << 32)
    print(f"1..1\n# seed {a.seed}", flush=True)
    try:
        run(a)
        print("ok 1 - killed and started again, nothing is lost and nothing is done twice")
    except Wrong as e:
        print(f"not ok 1 - {e}\n# again: {' '.join(sys.argv)}" + ("" if "--seed" in sys.argv else f" --seed {a.seed}"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
