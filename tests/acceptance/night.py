# SPDX-License-Identifier: Apache-2.0
# What a gateway told after its way to the server had been cut, as the server keeps its sessions: the events from before
# BACK came in one session, each once, those of each place in the order in which they happened.
# night.py SESSIONS BACK WAITED: a JSON object a session, newest first; how many alerts had waited at least
import collections
import json
import sys
import xml.etree.ElementTree as xml

WANTED = {  # what is to have happened in these hours
    "x-dm-scheduling:1.0:TaskResult light": 1,
    "x-dm-scheduling:1.0:TaskResult look": 5,
    "x-dm-scheduling:1.0:TaskResult save": 1,
    "oma-gwmo:resultaggregation:1.0": 6,  # five of the policy, one of the order from before
    "oma-gwmo:completionstatus:1.0": 6,
    "diagmon:1.0:TrapNotification": 1,
    "diagmon:1.0:TrapInactiveNotification": 1,
    "x-xrem-gw:1.0:DeviceState": 2,  # the unit that broke; that the one in its place sleeps
    "oma-gwmo:devicedetached:1.0": 1,
    "oma-gwmo:deviceattached:1.1": 1,  # the one in its place
    "x-xrem-fm:1.0:Alarm": 1,  # when it starts again the gateway finds its configuration changed: its ports are there
}


def text(item, name):
    return item.findtext(".//{*}" + name) or ""


def alerts(session):
    """Time, kind, source, data of each that is from before."""
    for message in session["messages"]:
        if message["direction"] != "in":
            continue
        for alert in xml.fromstring(message["xml"]).iterfind(".//{*}Alert"):
            at = text(alert, "LocName")
            if alert.findtext("{*}Data") != "1226" or not at or at > sys.argv[2]:
                continue
            item = alert.find("{*}Item")
            kind, source, data = text(item, "Type"), text(item.find("{*}Source"), "LocURI"), item.findtext("{*}Data") or ""
            if kind.endswith("TaskResult"):
                kind += " " + source.rsplit("/", 1)[1]
            yield at, kind.removeprefix("urn:oma:at:"), source, data


def read_all(path):
    with open(path) as f:
        rest, decoder = f.read().lstrip(), json.JSONDecoder()
    while rest:
        session, end = decoder.raw_decode(rest)
        yield session
        rest = rest[end:].lstrip()


told = [t for t in (list(alerts(s)) for s in read_all(sys.argv[1])) if t]
assert len(told) == 1, f"{len(told)} sessions told of it"
told = told[0]
twice = [a for a, n in collections.Counter(told).items() if n > 1]
assert not twice, f"twice: {twice}"

places = collections.defaultdict(list)  # a device, its record, a schedule, the fan-outs ...
for at, _, source, _ in told:
    places["/".join(source.split("/")[:5 if "/Inventory/" in source else 3])].append(at)
for place, times in places.items():
    assert times == sorted(times), f"{place}: {times}"

counts = collections.Counter(kind for _, kind, *_ in told)
samples = counts.pop("diagmon:1.0:CollectedSimpleDataReport", 0)
states = [a for a in told if a[1].endswith("DeviceState")]
assert counts == WANTED, f"not as it was: {dict(counts)}, {states}"
assert sum(counts.values()) >= int(sys.argv[3]), f"{sys.argv[3]} had waited, {sum(counts.values())} came"
assert samples >= 4 * 36, f"{samples} values of samples"
print(f"{len(told)} in one session")
