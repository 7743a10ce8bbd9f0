#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/gateway.sh - what devices cost behind a gateway, and what the backhaul is spared.
#
#     bench/gateway.sh [--build DIR] [--quick] [--devices N]
#
# All on loopback.  gremd with N LwM2M devices of xremsim, all registered: resident memory of gremd above that of an empty one, for each.
# One Get of the firmware's version of all of them as a fan-out of nremd's: sessions and octets between nremd and gremd, as gremd logs
# them.  Beside it, in the same run, N OMA DM devices that each call nremd and are asked the same.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release devices=10000
while [ $# -gt 0 ]; do
        case $1 in
        --build) build=$2 && shift ;;
        --quick) devices=1000 ;;
        --devices) devices=$2 && shift ;;
        *) sed -n '3,10s/^# \{0,1\}//p' "$0" && exit 2 ;;
        esac
        shift
done
sim=$build/apps/sim/xremsim nremd=$build/apps/nrem/nremd gremd=$build/apps/grem/gremd xrem=$build/apps/cli/xrem
for f in "$sim" "$nremd" "$gremd" "$xrem"; do
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
number() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$2" | head -1; }

mkdir "$dir/nremd" "$dir/gremd"
"$nremd" -s server.state="$dir/nremd" -s dm.listen=127.0.0.1:0 -s api.listen=127.0.0.1:0 -s gateways.devices=$((devices + 10)) \
        -s limits.connections=20000 >"$dir/nremd.log" 2>&1 &
pids="$pids $!"
until_true 30 'the start of nremd' grep -q 'started' "$dir/nremd.log"
url=http://127.0.0.1:$(port_of "$dir/nremd.log" listening)
XREM_SERVER=$url XREM_TOKEN=$(cat "$dir/nremd/admin.token")
export XREM_SERVER XREM_TOKEN
"$xrem" --quiet device add gate --devid urn:bench:gate --user gate --password pw-gate-1 --server-user xrem --server-password sv-gate-1 >/dev/null
cat >"$dir/gremd.conf" <<END
[agent]
state = $dir/gremd
[device]
id = urn:bench:gate
[account]
server_id = xrem
url = $url/dm
user = gate
password = pw-gate-1
server_password = sv-gate-1
[wake]
listen = 127.0.0.1:0
min_interval = 0s
[gateway]
devices = $((devices + 10))
[lwm2m]
listen = 127.0.0.1:0
END
"$gremd" --config "$dir/gremd.conf" 2>"$dir/gremd.log" &
gate=$!
pids="$pids $gate"
until_true 30 'the start of gremd' grep -q 'gremd: ready' "$dir/gremd.log"
coap=$(port_of "$dir/gremd.log" LwM2M)
until_true 30 'the first session of gremd' sh -c "'$xrem' --json device show gate | grep -q '\"state\": *\"active\"'"
empty=$(memory $gate)

say "$devices LwM2M devices register"
cat >"$dir/behind" <<END
[run]
seed = 1
[group behind]
protocol = lwm2m
server = coap://127.0.0.1:$coap
prefix = b/
count = $devices
call = 1h
start = $((devices / 500 + 1))s
END
"$sim" --scenario "$dir/behind" -q --json >"$dir/behind.out" 2>"$dir/behind.err" &
runs=$!
pids="$pids $runs"
registered() { [ "$(grep -c 'state=1 before=0' "$dir/gremd.log")" -ge "$devices" ]; }
until_true $((devices / 50 + 60)) 'the registration of all' registered
say 'their records are read'
until_true $((devices / 20 + 120)) 'the inventory of all' grep -q "inventory of a gateway was read.*devices=$devices " "$dir/nremd.log"
sleep 3
full=$(memory $gate)

say 'one order to all of them'
mark=$(wc -l <"$dir/gremd.log")
python3 - >"$dir/task.json" <<'END'
import json
at = './GwMO/Fanout/Fanout/bench'
def add(rel, data, format='chr'):
    return {'cmd': 'add', 'uri': at + rel, 'format': format, 'data': data}
get = '<SyncBody><Get><CmdID>1</CmdID><Item><Target><LocURI>./DevDetail/FwV</LocURI></Target></Item></Get></SyncBody>'
print(json.dumps([{'cmd': 'add', 'uri': at, 'format': 'node'}, add('/TaskID', 'bench'), add('/Targets/1', 'all'), add('/MaxParallel', '64', 'int'),
                  add('/Cmds', get, 'xml'), {'cmd': 'exec', 'uri': at + '/Operations/Start'}]))
END
began=$(date +%s%N)
"$xrem" run gate --file "$dir/task.json" --timeout $((devices / 20 + 60)) >"$dir/task.out"
until_true $((devices / 20 + 60)) 'the end of the order' grep -q 'a fan-out is over' "$dir/gremd.log"
took=$((($(date +%s%N) - began) / 1000000))
completed() { "$xrem" --json event --kind alert -n 50 | grep -q completionstatus; }
until_true 60 'the word of it at the server' completed
until_true 30 'the end of that session' sh -c "[ \"\$(tail -n 1 '$dir/gremd.log' | grep -c 'session done')\" = 1 ]"
read -r sessions octets < <(tail -n +$((mark + 1)) "$dir/gremd.log" | grep 'session done' |
        sed 's/.*bytes_in=\([0-9]*\) bytes_out=\([0-9]*\).*/\1 \2/' | awk '{n++; o += $1 + $2} END {print n + 0, o + 0}')
kill $runs && wait $runs || { cat "$dir/behind.err" >&2 && exit 1; }
pids=${pids/ $runs/}

say "$devices OMA DM devices, each by itself"
"$sim" --create --api "$url" -n "$devices" -q -p 64 >"$dir/made.out"
"$sim" --server "$url/dm" -n "$devices" -q -p 32 >"$dir/warm.out" # they become known
echo '{"commands": [{"cmd": "get", "uri": "./DevDetail/FwV"}]}' >"$dir/job.json"
"$sim" --give "$dir/job.json" --api "$url" -n "$devices" -q -p 64 >"$dir/give.out"
"$sim" --server "$url/dm" -n "$devices" -q -p 32 --json >"$dir/direct.out"
say ''
direct=$(number sessions "$dir/direct.out")
direct_octets=$(($(number octets_out "$dir/direct.out") + $(number octets_in "$dir/direct.out")))

printf '%-44s %12d\n' 'devices behind the gateway' "$devices" 'kB of an empty gateway' "$empty" 'kB with all of them' "$full"
awk -v n=$((full - empty)) -v d="$devices" 'BEGIN {printf "%-44s %12.2f\n", "kB a device", n / d}'
printf '%-44s %12d\n' 'sessions with the server, one order to all' $sessions 'octets of them' $octets 'milliseconds' $took \
        'sessions, each device by itself' "$direct" 'octets of them' $direct_octets
awk -v a=$sessions -v b="$direct" -v c=$octets -v d=$direct_octets 'BEGIN {printf "%-44s %12.0f\n%-44s %12.1f\n", "sessions spared: one for", b / a, "octets spared: one for", d / c}'
