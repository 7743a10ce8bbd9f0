# SPDX-License-Identifier: Apache-2.0
# What simulated devices have beside firmware: a campaign of software over a slow link and a redirect, samples of
# DiagMon at their times, a trap that becomes an alarm, a restart.  Sourced by tests/acceptance/run, whose world it uses.

sd=$home/simulated
step_out

start_simulated()
{
        mkdir -p "$sd/www" || return 1
        { printf 'version: 2.1\ncomponent: net.example.reader\n' && head -c 9000 /dev/urandom; } >"$sd/www/reader.pkg"
        cat >"$sd/moved.py" <<'END'
import http.server, sys
class Moved(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/old/"):
            self.send_response(302)
            self.send_header("Location", "../" + self.path[5:])
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Moved(*a, directory=sys.argv[1]))
print(s.server_address[1], flush=True)
s.serve_forever()
END
        cat >"$sd/scenario" <<END
[run]
seed = 7
[group readers]
count = 20
prefix = reader/
tags = readers
call = 1s
start = 500ms
install = 300ms
reboot = 300ms
software = yes
diag = memory, battery, sensor, restart
traps = yes
battery = 90
drain = 1s
[group far]
count = 1
prefix = far/
call = 1s
start = 500ms
install = 300ms
link = 6k
software = yes
[fault corrupted]
kind = bad-download
group = readers
devices = 4, 14
END
        python3 "$sd/moved.py" "$sd/www" >"$sd/port" &
        pid[moved]=$!
        start_server simulated || return 1
        "$bin/sim/xremsim" --scenario "$sd/scenario" --json --create --server "http://127.0.0.1:$plain_port/dm" \
                --api "$XREM_SERVER" >"$sd/out" 2>"$home/simulated-fleet.log" &
        pid[simulated-fleet]=$!
        eventually 30 has_called reader/ 20 && eventually 20 has_called far/ 1 && eventually 5 test -s "$sd/port" &&
                moved=http://127.0.0.1:$(cat "$sd/port")/old/reader.pkg
}

has_called() # prefix, how many
{
        [ "$("$xrem" --json device list --prefix "$1" --state active | grep -c '"name"')" = "$2" ]
}

# How many items of a campaign are in a state.
items() # campaign, state
{
        "$xrem" --json campaign show "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["devices"][sys.argv[1]])' "$2"
}

campaign_of_software()
{
        local id
        "$xrem" --quiet package add "$sd/www/reader.pkg" --name reader --version 2.1 --kind software \
                --component net.example.reader || return 1
        id=$("$xrem" --quiet campaign create readers --package reader@2.1 --tag readers --retries 0 --stop-above 50 --start) || return 1
        code_of 1 "$xrem" campaign watch "$id" --for 180 || return 1
        equal "$(items "$id" succeeded)" 18 succeeded && equal "$(items "$id" failed)" 2 failed || { "$xrem" campaign devices "$id" --state failed; return 1; }
        "$xrem" campaign devices "$id" --state failed | grep -q 'reader/4 .*1402' &&
                equal "$("$xrem" get reader/7 ./SCM/Inventory/Deployed/net.example.reader/Version)" 2.1 Version &&
                code_of 3 "$xrem" get reader/14 ./SCM/Inventory/Deployed/net.example.reader/Version || return 1
        "$xrem" --quiet campaign retry "$id" >/dev/null && "$xrem" campaign watch "$id" --for 180 >/dev/null || return 1
        equal "$(items "$id" succeeded)" 20 'succeeded in the end'
}

# 9 kB at 6 kB a second, behind a redirect to a path of its own.
over_a_slow_link()
{
        local began=$SECONDS
        "$xrem" add far/1 ./SCM/Download/r --node && "$xrem" add far/1 ./SCM/Download/r/PkgID reader &&
                "$xrem" add far/1 ./SCM/Download/r/PkgURL "$moved" &&
                "$xrem" exec far/1 ./SCM/Download/r/Operations/DownloadInstallInactive --timeout 60 || return 1
        [ $((SECONDS - began)) -ge 1 ] || fail 'faster than the link'
        equal "$("$xrem" get far/1 ./SCM/Inventory/Deployed/net.example.reader/State)" 10 State
}

components_come_and_go()
{
        local c=./SCM/Inventory/Deployed/net.example.reader
        "$xrem" exec far/1 $c/Operations/Activate --timeout 60 && equal "$("$xrem" get far/1 $c/State)" 20 State &&
                "$xrem" exec far/1 $c/Operations/Remove --timeout 60 && code_of 3 "$xrem" get far/1 $c/State
}

csv_of() # device, metric
{
        "$xrem" metric get "$1" "$2" --from -10m --step raw --csv 2>/dev/null | tr -d '\r' >"$sd/csv"
}

has_levels() # device, how many
{
        csv_of "$1" batteryinfo.1.BatteryLevel
        awk -F, -v n="$2" 'NR > 1 && $4 != "" {if ($4 < 5 || $4 > 90) bad = 1; k++} END {exit bad || k < n}' "$sd/csv"
}

samples_arrive()
{
        "$xrem" --quiet metric collect --function ./DiagMon/Battery --every 1 --period 2 --prefix reader/1 >/dev/null || return 1
        eventually 30 has_levels reader/1 3 && eventually 20 has_levels reader/19 3 || { cat "$sd/csv"; return 1; }
        "$xrem" get reader/2 ./DiagMon/Sensor/DiagMonData/temp1/Value | grep -q '^[0-9]*\.[0-9]$' &&
                [ "$("$xrem" get reader/2 ./DiagMon/Memory/DiagMonData/RAMTotal)" -ge 64000 ]
}

alarms_of() # device: state and how often of each
{
        "$xrem" --json alarm list "$1" --all | python3 -c '
import json, sys
for a in json.load(sys.stdin)["items"]: print(a["state"], a["count"], a["source"])'
}

is_alarm() # device, state
{
        [ "$(alarms_of "$1")" = "$2 1 ./Trap/Level" ]
}

a_trap_is_an_alarm()
{
        cat >"$sd/trap.json" <<END
[{"cmd": "add", "uri": "./Trap/Level", "format": "node"},
 {"cmd": "add", "uri": "./Trap/Level/TrapConfig/Ref", "data": "./Vendor/sim/Level"},
 {"cmd": "add", "uri": "./Trap/Level/TrapConfig/High", "data": "50"},
 {"cmd": "add", "uri": "./Trap/Level/TrapConfig/SampIntrvl", "data": "1"},
 {"cmd": "add", "uri": "./Trap/Level/ServerIDs/a/ServerID", "data": "xrem"}]
END
        "$xrem" run reader/9 --file "$sd/trap.json" >/dev/null && equal "$(alarms_of reader/9)" '' alarms || return 1
        "$xrem" set reader/9 ./Vendor/sim/Level 77 && eventually 20 is_alarm reader/9 active || return 1
        equal "$("$xrem" get reader/9 ./Trap/Level/Status)" 20 Status || return 1
        "$xrem" set reader/9 ./Vendor/sim/Level 3 && eventually 20 is_alarm reader/9 cleared
}

starts_again_when_told()
{
        "$xrem" exec reader/11 ./DiagMon/Restart/Operations/Start --timeout 60 &&
                equal "$("$xrem" get reader/11 ./DiagMon/Restart/DiagMonData/RestartCount)" 1 RestartCount
}

counts_it()
{
        stop simulated-fleet || return 1
        python3 - "$sd/out" <<'END'
import json, sys
r = json.load(open(sys.argv[1]))
r = r.get("fleet", r)
assert r["software"] == 23 and r["software_ok"] == 21, r
assert r["samples"] >= 6 and r["traps"] == 2 and r["redirects"] == 1, r
END
}

if promise 'simulated devices of more kinds call' start_simulated; then
        promise 'a campaign of software: two of twenty got a damaged package, and are retried' campaign_of_software
        promise 'a package behind a redirect comes over a slow link' over_a_slow_link
        promise 'a component is activated, and removed' components_come_and_go
        promise 'samples of a function that was started on devices arrive' samples_arrive
        promise 'a trap becomes an alarm, and ends with its condition' a_trap_is_an_alarm
        promise 'a device starts again when it is told to' starts_again_when_told
        promise 'the simulator tells what there was' counts_it
        promise 'its server ends cleanly' stop simulated
fi
{ stop moved KILL; } 2>/dev/null
step_back
