#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/gateway.sh - what devices cost behind a gateway, and what the backhaul is spared.
#
#     bench/gateway.sh [--build DIR] [--quick] [--devices N]
#
# All on loopback.  gremd with N LwM2M devices of xremsim, all registered: resident memory of gremd above that of an empty one, for each,
# once nremd has read the whole inventory; what that and the alerts before it cost.
# One Get of the firmware's version of all of them as a fan-out of nremd's: sessions and octets between nremd and gremd, as gremd logs
# them.  Reads of one device by CoAP straight, and through gremd's tree by a session of nremd's.  The start of gremd with all of them.
# Then, in the same run, N OMA DM devices that each call nremd and are asked the same.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release devices=10000
while [ $# -gt 0 ]; do
        case $1 in
        --build) build=$2 && shift ;;
        --quick) devices=1000 ;;
        --devices) devices=$2 && shift ;;
        *) sed -n '3,12s/^# \{0,1\}//p' "$0" && exit 2 ;;
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
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
# Sessions of a gateway and their octets, from a line of its log on.
traffic() # log, line
{
        tail -n +"$2" "$1" | grep 'session done' |
                sed 's/.*bytes_in=\([0-9]*\) bytes_out=\([0-9]*\).*/\1 \2/' | awk '{n++; o += $1 + $2} END {print n + 0, o + 0}'
}
row() { printf '%-52s %12s\n' "$@"; }
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
gateway_conf() # name, port of CoAP
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
sim_stop() # name
{
        kill $runs && wait $runs || { cat "$dir/$1.err" >&2 && exit 1; }
        pids=${pids/ $runs/}
}
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
awk -v n=$((full - empty)) -v d="$devices" 'BEGIN {printf "%-52s %12.2f\n", "kB a device", n / d}'
row 'ms until all are registered' $took_registered 'ms of the processor of the gateway for that' $gate_registered \
        'ms until the server knows all' $learnt 'ms of the processor of the server for that' $server_learnt \
        'sessions for that' "$learn_sessions" 'octets of them' "$learn_octets"
row 'sessions with the server, one order to all' "$sessions" 'octets of them' "$octets" 'ms' $took \
        'sessions, each device by itself' "$direct" 'octets of them' $direct_octets
awk -v a="$sessions" -v b="$direct" -v c="$octets" -v d=$direct_octets 'BEGIN {printf "%-52s %12.0f\n%-52s %12.1f\n", "sessions spared: one for", b / a, "octets spared: one for", d / c}'
row 'us of a read by CoAP straight' "$native" 'us of one through the tree' $in_tree
row 'ms of the start with all of them' $took_start 'ms of the processor for that' "$cpu_start"
