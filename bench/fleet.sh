#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/fleet.sh - what a fleet costs its server: sessions a second, latency, memory, lists, a storm of alarms.
#
#     bench/fleet.sh [--build DIR] [--quick] [--json] [--sizes "1000 100000"] [--campaign N] [--keep DIR]
#
# All on loopback, the store SQLite with every commit durable, on the disk of TMPDIR.  For each number of devices a
# store is filled, and a sample of them calls, 32 at a time; each has a job of three commands.  The stores take turns, five of them, and
# what is told of each is the middle one.  Rates and latency hold for the
# server and xremsim together on this machine; the processor's time is the server's alone.  At last a campaign of firmware updates N simulated
# devices: each is woken, fetches 20 kB from the server, installs, starts again, reports, and is asked for its version.  --keep leaves the
# stores for the next run; --campaign 0: none.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/bench/args.sh"
build=$root/build/release sizes='1000 10000 100000 1000000' json=no sample=1000 storm=5000 campaign=2000 rounds=5 keep=
while [ $# -gt 0 ]; do
        case $1 in
        --build) needs "$@" && build=$2 && shift ;;
        --quick) sizes='1000 20000' sample=300 storm=500 campaign=200 rounds=3 ;;
        --json) json=yes ;;
        --sizes)
                needs "$@" && sizes=$2 && shift
                for s in ${sizes:-none}; do is_number --sizes "$s"; done
                ;;
        --campaign)
                needs "$@" && campaign=$2 && shift
                [ "$campaign" = 0 ] || is_number --campaign "$campaign"
                ;;
        --keep) needs "$@" && keep=$2 && shift ;;
        --help) help ;;
        *) refuse "there is no option $1" ;;
        esac
        shift
done
sim=$build/apps/sim/xremsim nremd=$build/apps/nrem/nremd xrem=$build/apps/cli/xrem store=$build/bench/bench-store
for f in "$sim" "$nremd" "$xrem" "$store"; do
        [ -x "$f" ] || { echo "$f is not built: ninja -C $build" >&2 && exit 1; }
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/fleet-bench.XXXXXX")
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

# Starts nremd on the folder $1; sets url, pid.
start_nremd()
{
        "$nremd" -s server.state="$1" -s dm.listen=127.0.0.1:0 -s api.listen=127.0.0.1:0 -s wake.enabled="${2:-no}" \
                -s log.form=json -s limits.connections=20000 >"$dir/log" 2>&1 &
        pid=$!
        pids="$pids $pid"
        for _ in $(seq 1500); do
                grep -qs '"started"' "$dir/log" && break
                sleep 0.02
        done
        url=http://127.0.0.1:$(sed -n '/"listening"/s/.*"port":\([0-9]*\).*/\1/p' "$dir/log" | head -1)
        XREM_SERVER=$url XREM_TOKEN=$(cat "$1/admin.token")
        export XREM_SERVER XREM_TOKEN
}

stop_nremd()
{
        kill "$pid" && wait "$pid" 2>/dev/null || true
        pids=${pids/ $pid/}
}

# Processor time of a process so far, in microseconds; its memory in MB.
cpu() { cat /proc/"$1"/task/*/schedstat | awk '{n += $1} END {printf "%.0f\n", n / 1000}'; }
memory() { awk '/^VmRSS/ {printf "%.0f\n", $2 / 1024}' "/proc/$1/status"; }
number() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$2" | head -1; }
# $1 of the object $2 in $3
inner() { sed -n "/\"$2\"/,/}/s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$3" | head -1; }

cat >"$dir/job.json" <<'END'
{"commands": [{"cmd": "get", "uri": "./Vendor/sim/Text"},
              {"cmd": "replace", "uri": "./Vendor/sim/Level", "format": "int", "data": "7"},
              {"cmd": "get", "uri": "./Vendor/sim/Level"}]}
END

# Milliseconds of pages of lists, one request at a time: the middle one and the slowest, over all lists.
cat >"$dir/lists.py" <<'END'
import json, os, time, urllib.parse, urllib.request
url, token = os.environ['XREM_SERVER'], os.environ['XREM_TOKEN']
paths = ['devices?limit=100', 'devices?limit=100&model=simulated', 'devices?limit=100&prefix=sim/9', 'devices?limit=100&state=active',
         'jobs?limit=100', 'jobs?limit=100&state=done', 'events?limit=100', 'alarms?limit=100', 'packages?limit=100']
took = []
for path in paths:
    cursor = ''
    for page in range(10):
        request = urllib.request.Request(f'{url}/api/v1/{path}{cursor}', headers={'Authorization': 'Bearer ' + token})
        began = time.monotonic()
        answer = json.load(urllib.request.urlopen(request))
        took.append(((time.monotonic() - began) * 1000, path))
        if not answer.get('next') or path.startswith('events'):
            continue
        cursor = '&cursor=' + urllib.parse.quote(answer['next'])
took.sort()
print('%.1f %.1f %s' % (took[len(took) // 2][0], took[-1][0], took[-1][1]))
END

sessions() # count, stride: into $dir/sim.out; sets spent, microseconds of the server a session
{
        local before
        "$sim" --give "$dir/job.json" --api "$url" -n "$1" --stride "$2" -q -p 64 >"$dir/give.out" ||
                { cat "$dir/give.out" >&2 && exit 1; }
        before=$(cpu "$pid")
        "$sim" --server "$url/dm" -n "$1" --stride "$2" -q -p 32 --json >"$dir/sim.out" || { cat "$dir/sim.out" >&2 && exit 1; }
        sleep 0.2
        spent=$((($(cpu "$pid") - before) / $1))
}

alarms() { "$xrem" --json alarm counts | python3 -c 'import json,sys; print(json.load(sys.stdin)["active"]["major"])'; }

# All of $1 devices have called, and raise an alarm in the same moment: one that no run before has left in the store.
run_storm()
{
        local before
        before=$(alarms)
        cat >"$dir/storm" <<END
[run]
seed = 1
parallel = 64
wake = no
[group storm]
count = $1
prefix = sim/
call = 1h
start = 1s
[fault storm]
kind = alarm
alarm = storm-$(date +%s)
after = $2s
END
        "$sim" --scenario "$dir/storm" --server "$url/dm" --json -q >"$dir/storm.out" 2>"$dir/storm.err" &
        local runs=$!
        pids="$pids $runs"
        for _ in $(seq 1200); do
                sleep 0.2
                [ $(($(alarms) - before)) -lt "$1" ] || break
        done
        kill "$runs" && wait "$runs" && [ "$(number alarms "$dir/storm.out")" = "$1" ] ||
                { cat "$dir/storm.err" "$dir/storm.out" >&2 && exit 1; }
        pids=${pids/ $runs/}
}

rest() # method, path, body
{
        curl -sS -X "$1" -H "Authorization: Bearer $XREM_TOKEN" -H 'Content-Type: application/json' ${3:+-d "$3"} "$url/api/v1/$2"
}

until_said() # seconds, what, command ...
{
        local end=$((SECONDS + $1)) what=$2
        until "${@:3}" | grep -q "$what"; do
                [ $SECONDS -lt $end ] || { echo "no $what: $("${@:3}")" >&2 && exit 1; }
                sleep 0.2
        done
}

# Until the server rests: a store that was just filled has things to be made up for at its first start.
settle()
{
        local before after
        for _ in $(seq 300); do
                before=$(cpu "$pid") && sleep 1 && after=$(cpu "$pid")
                [ $((after - before)) -gt 50000 ] || return 0
        done
}

# $1 devices; sets took, in seconds, and spent, microseconds of the server for each.
run_campaign()
{
        local began before
        { printf 'version: 2.0\nmodel: C1\n' && head -c 20000 /dev/zero; } >"$dir/package"
        cat >"$dir/campaign" <<END
[run]
seed = 1
parallel = 64
[group campaign]
count = $1
prefix = c/
model = C1
call = 6h
start = $(($1 / 400 + 1))s
install = 100ms
reboot = 100ms
END
        "$sim" --scenario "$dir/campaign" --create --api "$url" --server "$url/dm" --json -q >"$dir/campaign.out" 2>"$dir/campaign.err" &
        local runs=$!
        pids="$pids $runs"
        until_said $(($1 / 50 + 60)) '"items":\[{' rest GET 'devices?prefix=c/&state=active&limit=1'
        until_said $(($1 / 50 + 60)) '"items":\[\]' rest GET 'devices?prefix=c/&state=provisioned&limit=1'
        "$xrem" -q package add "$dir/package" --name c --version 2.0 >/dev/null
        began=$(date +%s%N) before=$(cpu "$pid")
        rest POST campaigns '{"name":"c","package":"1","target":{"model":"C1"},"start":true}' >"$dir/made"
        until_said $(($1 / 10 + 60)) '"state":"done"' rest GET campaigns/1
        took=$(($(date +%s%N) - began)) spent=$((($(cpu "$pid") - before) / $1))
        took=$(awk -v n=$took 'BEGIN {printf "%.1f", n / 1e9}')
        rest GET campaigns/1 | grep -q "\"succeeded\":$1," || { rest GET campaigns/1 >&2 && exit 1; }
        kill "$runs" && wait "$runs" || { cat "$dir/campaign.err" "$dir/campaign.out" >&2 && exit 1; }
        pids=${pids/ $runs/}
}

# All servers stand at the same time, and take turns: what else the machine does meanwhile, it does to each of them.
declare -A at_pid at_url at_token costs ran
turn() { pid=${at_pid[$1]} url=${at_url[$1]} && export XREM_SERVER=$url XREM_TOKEN=${at_token[$1]}; }
middle() { printf '%s\n' $1 | sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
counts() { n=$(($1 < sample ? $1 : sample)) stride=$(($1 / sample > 1000 ? 1000 : $1 / sample)) && [ "$stride" -gt 0 ] || stride=1; }

for s in $sizes; do
        say "a store of $s devices"
        at=$dir/store$s
        [ -z "$keep" ] || at=$keep/store$s
        mkdir -p "$at"
        [ -e "$at/nrem.db" ] || "$store" fill "$at/nrem.db" 1 "$s" >"$dir/fill.out"
        start_nremd "$at"
        at_pid[$s]=$pid at_url[$s]=$url at_token[$s]=$XREM_TOKEN
        counts "$s"
        settle
        "$sim" --server "$url/dm" -n $n --stride $stride -q -p 32 >"$dir/warm.out"
done
for round in $(seq $rounds); do
        for s in $sizes; do
                say "$s devices: sessions, round $round of $rounds"
                turn "$s" && counts "$s"
                sessions $n $stride
                costs[$s]="${costs[$s]:-} $spent"
                ran[$s]="${ran[$s]:-}$(number sessions_per_second "$dir/sim.out") $(inner p50 session_us "$dir/sim.out") $(
                        inner p95 session_us "$dir/sim.out") $(inner p99 session_us "$dir/sim.out")
"
        done
done
rows=
for s in $sizes; do
        turn "$s"
        lists=$(python3 "$dir/lists.py")
        say "$s devices: a storm of alarms"
        k=$((s < storm ? s : storm))
        run_storm $k $((k / 150 + 3))
        rows="$rows$s $(printf '%s' "${ran[$s]}" | sort -n | sed -n "$(((rounds + 1) / 2))p") $(middle "${costs[$s]}") $(memory "$pid") $(
                stat -c %s "${keep:-$dir}/store$s/nrem.db") ${lists% *} $k $(number alarm_seconds "$dir/storm.out") ${lists##* }
"
        stop_nremd
done
took=0 spent=0 campaign_mb=0
if [ "$campaign" -gt 0 ]; then
        say "a campaign over $campaign devices"
        start_nremd "$dir/campaigns" yes
        run_campaign "$campaign"
        campaign_mb=$(memory "$pid")
        stop_nremd
fi
say ""

if [ $json = yes ]; then
        printf '{"sizes": '
        printf '%s' "$rows" | awk 'BEGIN {printf "["}
                {printf "%s\n  {\"devices\": %d, \"sessions_per_second\": %.1f, \"session_ms\": [%.1f, %.1f, %.1f], \"server_us\": %d, ", (NR > 1 ? "," : ""), $1, $2, $3 / 1000, $4 / 1000, $5 / 1000, $6}
                {printf "\"resident_mb\": %d, \"store_mb\": %d, \"list_ms\": [%s, %s], \"storm\": %d, \"storm_seconds\": %s}", $7, $8 / 1e6, $9, $10, $11, $12}
                END {printf "\n]"}'
        printf ',\n "campaign": {"devices": %d, "seconds": %s, "server_us": %d, "resident_mb": %d}}\n' "$campaign" "$took" $spent "$campaign_mb"
else
        printf '%-10s %10s %8s %8s %8s %10s %9s %9s %9s %9s %12s %10s\n' devices 'sessions/s' 'ms 50 %' '95 %' '99 %' 'server us' 'MB' \
                'store MB' 'list ms' 'slowest' 'alarms' 'alarms/s'
        printf '%s' "$rows" | awk '{printf "%-10d %10.1f %8.1f %8.1f %8.1f %10d %9d %9d %9s %9s %12d %10.1f\n",
                $1, $2, $3 / 1000, $4 / 1000, $5 / 1000, $6, $7, $8 / 1e6, $9, $10, $11, $11 / $12}'
        [ "$campaign" -eq 0 ] || printf '\na campaign over %d devices: %s s, %s devices/s, %d us of the server each, %s MB\n' "$campaign" "$took" \
                "$(awk -v n="$campaign" -v t="$took" 'BEGIN {printf "%.1f", n / t}')" $spent "$campaign_mb"
fi
