#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/gateway.sh - what devices cost behind a gateway, and what the backhaul is spared.
#
#     bench/gateway.sh [--build DIR] [--quick] [--json] [--devices N] [--features]
#
# All on loopback.  gremd with N LwM2M devices of xremsim, all registered: resident memory of gremd above that of an empty one, for each,
# once nremd has read the whole inventory; what that and the alerts before it cost.
# One Get of the firmware's version of all of them as a fan-out of nremd's: sessions and octets between nremd and gremd, as gremd logs
# them.  Reads of one device by CoAP straight, and through gremd's tree by a session of nremd's.  The start of gremd with all of them.
# Then, in the same run, N OMA DM devices that each call nremd and are asked the same.
# With --features instead: 200 devices come, and each has its battery measured once a second, which changes each five; then 50 that sleep
# are asked for their firmware's version, each by a job.  Sessions and octets between nremd and gremd, once with nothing that spares them
# (events and values told at once and again, no values kept), once with all of it.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/bench/args.sh"
build=$root/build/release devices=10000 features= json=no
while [ $# -gt 0 ]; do
        case $1 in
        --build) needs "$@" && build=$2 && shift ;;
        --quick) devices=1000 ;;
        --json) json=yes ;;
        --devices) needs "$@" && is_number "$1" "$2" && devices=$2 && shift ;;
        --features) features=1 devices=400 ;;
        --help) help ;;
        *) refuse "there is no option $1" ;;
        esac
        shift
done
ask=$build/bench/bench-ask
sim=$build/apps/sim/xremsim nremd=$build/apps/nrem/nremd gremd=$build/apps/grem/gremd xrem=$build/apps/cli/xrem
for f in "$ask" "$sim" "$nremd" "$gremd" "$xrem"; do
        [ -x "$f" ] || { echo "$f is not built: ninja -C $build" >&2 && exit 1; }
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/gateway-bench.XXXXXX")
pids=
finish()
{
        for p in $pids; do kill "$p" 2>/dev/null || true; done
        wait 2>/dev/null || true
        rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM
say() { if [ -t 2 ]; then printf '\r%s\033[K' "$*" >&2; fi; }

until_true() # seconds, what, command ...
{
        local end=$((SECONDS + $1)) what=$2
        until "${@:3}" >/dev/null 2>&1; do
                [ $SECONDS -lt $end ] || { echo "$what did not happen" >&2 && exit 1; }
                sleep 0.2
        done
}
port_of() { grep "$2" "$1" | sed 's/.* port=\([0-9]*\).*/\1/' | head -1; }
memory() { awk '/^VmRSS/ {print $2}' "/proc/$1/status"; }
now_us() { echo $(($(date +%s%N) / 1000)); }
# Processor time of a process so far, in milliseconds.
spent() { awk '{sub(/.*\) /, ""); print ($12 + $13) * 10}' "/proc/$1/stat"; }
ratio() { awk -v a="$1" -v b="$2" -v digits="$3" 'BEGIN {printf "%.*f\n", digits, a / b}'; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
# Sessions of a gateway and their octets, from a line of its log on.
traffic() # log, line
{
        tail -n +"$2" "$1" | grep 'session done' |
                sed 's/.*bytes_in=\([0-9]*\) bytes_out=\([0-9]*\).*/\1 \2/' | awk '{n++; o += $1 + $2} END {print n + 0, o + 0}'
}
rows=
row() # what, value ...
{
        if [ $json = no ]; then
                printf '%-52s %12s\n' "$@"
                return
        fi
        while [ $# -gt 0 ]; do
                rows="$rows${rows:+,}"$'\n'"  {\"what\": \"$1\", \"value\": $2}"
                shift 2
        done
}
rows_end() { [ $json = no ] || printf '[%s\n]\n' "$rows"; }
number() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$2" | head -1; }

mkdir "$dir/nremd"
"$nremd" -s server.state="$dir/nremd" -s dm.listen=127.0.0.1:0 -s api.listen=127.0.0.1:0 -s gateways.devices=$((devices + 10)) \
        -s limits.connections=20000 >"$dir/nremd.log" 2>&1 &
server=$!
pids="$pids $server"
until_true 30 'the start of nremd' grep -q 'started' "$dir/nremd.log"
url=http://127.0.0.1:$(port_of "$dir/nremd.log" listening)
XREM_SERVER=$url XREM_TOKEN=$(cat "$dir/nremd/admin.token")
export XREM_SERVER XREM_TOKEN
"$xrem" --quiet device add gate --devid urn:bench:gate --user gate --password pw-gate-1 --server-user xrem --server-password sv-gate-1 >/dev/null
gateway_conf() # name, port of CoAP, lines of [gateway]
{
        cat <<END
[agent]
state = $dir/$1
[device]
id = urn:bench:$1
[account]
server_id = xrem
url = $url/dm
user = $1
password = pw-gate-1
server_password = sv-gate-1
[wake]
listen = 127.0.0.1:0
min_interval = 0s
[gateway]
devices = $((devices + 10))
${3:-}
[lwm2m]
listen = 127.0.0.1:$2
END
}
gateway_start() # name; sets gate and coap
{
        "$gremd" --config "$dir/$1.conf" 2>"$dir/$1.log" &
        gate=$!
        pids="$pids $gate"
        until_true 60 'the start of gremd' grep -q 'gremd: ready' "$dir/$1.log"
        coap=$(port_of "$dir/$1.log" LwM2M)
}
gateway_conf gate 0 >"$dir/gate.conf"
gateway_start gate
until_true 30 'the first session of gremd' sh -c "'$xrem' --json device show gate | grep -q '\"state\": *\"active\"'"
empty=$(memory $gate)

behind() # count, seconds
{
        cat <<END
[run]
seed = 1
[group behind]
protocol = lwm2m
server = coap://127.0.0.1:$coap
prefix = b/
count = $1
call = 1h
start = $2s
END
}
sim_start() # name; sets runs
{
        "$sim" --scenario "$dir/$1" -q --json >"$dir/$1.out" 2>"$dir/$1.err" &
        runs=$!
        pids="$pids $runs"
}
# A gateway of its own, with windows of so many seconds, values told again after so many (0: when they are others), so many of them kept.
# 200 devices come within ten seconds, and are measured for forty more; 50 that sleep are asked something.
with_features() # name, window, again, kept
{
        local at=./GwMO/Config/Ext/Reports/battery log=$dir/$1.log mark n
        say "$1: 200 devices, measured each second"
        "$xrem" --quiet device add "$1" --devid "urn:bench:$1" --user "$1" --password pw-gate-1 --server-user xrem --server-password sv-gate-1 >/dev/null
        { gateway_conf "$1" 0 "cache = $4" && echo 'awake = 1s'; } >"$dir/$1.conf"
        gateway_start "$1"
        until_true 30 'the first session of gremd' sh -c "'$xrem' --json device show $1 | grep -q '\"state\": *\"active\"'"
        {
                "$xrem" set "$1" ./GwMO/Config/Alerts/BatchWindow "$2" && "$xrem" set "$1" ./GwMO/Config/Alerts/ReportWindow "$2"
                "$xrem" add "$1" $at --node && "$xrem" add "$1" $at/Match 'id=*awake*' && "$xrem" add "$1" $at/Interval 1 --format int
                "$xrem" add "$1" $at/Nodes ./DiagMon/Battery/DiagMonData/1/BatteryLevel && "$xrem" add "$1" $at/Most "$3" --format int
        } >"$dir/$1.set"
        idle() { tail -n 1 "$log" | grep -q 'session done'; }
        until_true 20 'the end of that session' idle
        mark=$(wc -l <"$log")
        behind 200 10 | sed "s|^prefix = .*|prefix = $1/awake/|; \$adrain = 5s" >"$dir/$1.awake"
        sim_start "$1.awake"
        came() { [ "$(tail -n +$((mark + 1)) "$log" | grep -c 'state=1 before=0')" -ge 200 ]; }
        until_true 60 'the registration of all' came
        sleep 40
        "$xrem" delete "$1" $at >>"$dir/$1.set"
        sleep $(($2 + 5)) # what waits is told
        traffic "$log" $((mark + 1)) >"$dir/$1.measured"
        sim_stop "$1.awake"

        say "$1: 50 devices that sleep are asked"
        for n in $(seq 50); do
                "$xrem" --quiet device add "$1/asleep/$n" --devid "urn:xremsim:$1/asleep/$n" >/dev/null
        done
        behind 50 2 | sed "s|^prefix = .*|prefix = $1/asleep/|; s/^call = .*/call = 20s/; \$aawake = 1s" >"$dir/$1.asleep"
        sim_start "$1.asleep"
        known() { [ "$("$xrem" gateway devices "$1" | grep -c "^$1/asleep/.*asleep")" = 50 ]; }
        until_true 120 'the sleep of all' known "$1"
        sleep $(($2 + 5))
        mark=$(wc -l <"$log")
        for n in $(seq 50); do
                "$xrem" get "$1/asleep/$n" ./DevDetail/FwV --no-wait
        done >"$dir/$1.jobs"
        answered() { for n in $(cat "$1"); do [ "$("$xrem" job show "$n" | grep -c '^State  *done')" = 1 ] || return 1; done; }
        until_true 120 'their answers' answered "$dir/$1.jobs"
        traffic "$log" $((mark + 1)) >"$dir/$1.asked"
        sim_stop "$1.asleep"
        kill $gate && wait $gate || true
        pids=${pids/ $gate/}
}
sim_stop() # name
{
        kill $runs && wait $runs || { cat "$dir/$1.err" >&2 && exit 1; }
        pids=${pids/ $runs/}
}
if [ -n "$features" ]; then
        with_features off 0 1 0
        with_features on 30 0 200000
        say ''
        for f in off on; do
                read -r sessions octets <"$dir/$f.measured"
                row "features $f, 200 devices measured: sessions" "$sessions" "features $f, 200 devices measured: octets" "$octets"
                read -r sessions octets <"$dir/$f.asked"
                row "features $f, 50 sleepers asked: sessions" "$sessions" "features $f, 50 sleepers asked: octets" "$octets"
        done
        rows_end
        exit 0
fi
say "$devices LwM2M devices register"
behind "$devices" $((devices / 500 + 1)) >"$dir/behind"
mark=$(wc -l <"$dir/gate.log")
server_before=$(spent $server) gate_before=$(spent $gate) began=$(now_us)
sim_start behind
registered() { [ "$(grep -c 'state=1 before=0' "$dir/gate.log")" -ge "$devices" ]; }
until_true $((devices / 50 + 60)) 'the registration of all' registered
gate_registered=$(($(spent $gate) - gate_before)) took_registered=$((($(now_us) - began) / 1000))
say 'their records are read'
# The first answers may be of some only; a device whose alert came between two readings is read by itself.
known() { [ "$("$xrem" --json gateway show gate | sed -n 's/.*"devices": *\([0-9]*\).*/\1/p' | head -1)" -ge "$devices" ]; }
until_true $((devices / 20 + 120)) 'the inventory of all' known
learnt=$((($(now_us) - began) / 1000)) server_learnt=$(($(spent $server) - server_before))
sleep 3
read -r learn_sessions learn_octets < <(traffic "$dir/gate.log" $((mark + 1)))
full=$(memory $gate)

say 'one order to all of them'
mark=$(wc -l <"$dir/gate.log")
python3 - >"$dir/task.json" <<'END'
import json
at = './GwMO/Fanout/Fanout/bench'
def add(rel, data, format='chr'):
    return {'cmd': 'add', 'uri': at + rel, 'format': format, 'data': data}
get = '<SyncBody><Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/FwV</LocURI></Target></Item></Get></SyncBody>'
print(json.dumps([{'cmd': 'add', 'uri': at, 'format': 'node'}, add('/TaskID', 'bench'), add('/Targets/1', 'all'), add('/MaxParallel', '64', 'int'),
                  add('/Cmds', get, 'xml'), {'cmd': 'exec', 'uri': at + '/Operations/Start'}]))
END
began=$(now_us)
"$xrem" run gate --file "$dir/task.json" --timeout $((devices / 20 + 60)) >"$dir/task.out"
until_true $((devices / 20 + 60)) 'the end of the order' grep -q 'a fan-out is over' "$dir/gate.log"
took=$((($(now_us) - began) / 1000))
completed() { "$xrem" --json event --kind alert -n 50 | grep -q completionstatus; }
until_true 60 'the word of it at the server' completed
until_true 30 'the end of that session' sh -c "[ \"\$(tail -n 1 '$dir/gate.log' | grep -c 'session done')\" = 1 ]"
read -r sessions octets < <(traffic "$dir/gate.log" $((mark + 1)))

say 'one read after the other'
many=500
one_device=$("$xrem" get gate ./GwMO/Inventory/Records/d0007/Addr | grep -o '127[0-9.:]*')
gets() { awk -v uri="$1" -v n="$2" 'BEGIN {printf "["; for (i = 0; i < n; i++) printf "%s{\"cmd\": \"get\", \"uri\": \"%s\"}", i ? ", " : "", uri; print "]"}'; }
gets ./DevDetail/FwV $many >"$dir/own"
gets ./GwDev/d0007/DevDetail/FwV $many >"$dir/below"
# Microseconds of a job of the gateway, the server's and the CLI's share included.
job_us() # file
{
        local began
        began=$(now_us)
        "$xrem" --quiet run gate --file "$dir/$1" >"$dir/job.out" || { cat "$dir/job.out" >&2 && exit 1; }
        echo $(($(now_us) - began))
}
: >"$dir/times"
for _ in 1 2 3 4 5 6 7; do # in turns
        "$ask" "$one_device" 3/0/3 $many | sed 's/^/native /' >>"$dir/times"
        for f in own below; do
                echo "$f $(job_us $f)" >>"$dir/times"
        done
done
time_of() { sed -n "s/^$1 \([0-9]*\).*/\1/p" "$dir/times" | median; }
native=$(time_of native)
in_tree=$((($(time_of below) - $(time_of own)) / many)) # less what one of the gateway's own costs

say 'the gateway begins anew'
kill $gate && wait $gate || true
pids=${pids/ $gate/}
gateway_conf gate "$coap" >"$dir/gate.conf"
began=$(now_us)
gateway_start gate
took_start=$((($(now_us) - began) / 1000)) cpu_start=$(spent $gate)
sim_stop behind
kill $gate && wait $gate || true
pids=${pids/ $gate/}

say "$devices OMA DM devices, each by itself"
"$sim" --create --api "$url" -n "$devices" -q -p 64 >"$dir/made.out"
"$sim" --server "$url/dm" -n "$devices" -q -p 32 >"$dir/warm.out" # they become known
echo '{"commands": [{"cmd": "get", "uri": "./DevDetail/FwV"}]}' >"$dir/job.json"
"$sim" --give "$dir/job.json" --api "$url" -n "$devices" -q -p 64 >"$dir/give.out"
"$sim" --server "$url/dm" -n "$devices" -q -p 32 --json >"$dir/direct.out"
say ''
direct=$(number sessions "$dir/direct.out")
direct_octets=$(($(number octets_out "$dir/direct.out") + $(number octets_in "$dir/direct.out")))

row 'devices behind the gateway' "$devices" 'kB of an empty gateway' "$empty" 'kB with all of them' "$full"
row 'kB a device' "$(ratio $((full - empty)) "$devices" 2)"
row 'ms until all are registered' $took_registered 'ms of the processor of the gateway for that' $gate_registered \
        'ms until the server knows all' $learnt 'ms of the processor of the server for that' $server_learnt \
        'sessions for that' "$learn_sessions" 'octets for that' "$learn_octets"
row 'sessions with the server, one order to all' "$sessions" 'octets, one order to all' "$octets" 'ms, one order to all' $took \
        'sessions, each device by itself' "$direct" 'octets, each device by itself' $direct_octets \
        'sessions spared: one for' "$(ratio "$direct" "$sessions" 0)" 'octets spared: one for' "$(ratio $direct_octets "$octets" 1)"
row 'us of a read by CoAP straight' "$native" 'us of one through the tree' $in_tree
row 'ms of the start with all of them' $took_start 'ms of the processor for that' "$cpu_start"
rows_end
