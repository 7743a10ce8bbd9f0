#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/nremd.sh - what nremd costs, beside what the same exchange costs without it.
#
#     bench/nremd.sh [--build DIR] [--quick] [--json] [--repeat N]
#
# All on loopback, the store SQLite with every commit durable. The parties take turns; a figure is
# the median of the rounds. Costs are processor time of the server's threads (schedstat), so that
# the load's own cost and waiting do not count.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/bench/args.sh"
build=$root/build/release quick=no json=no repeat=
while [ $# -gt 0 ]; do
        case $1 in
        --build) needs "$@" && build=$2 && shift ;;
        --quick) quick=yes ;;
        --json) json=yes ;;
        --repeat) needs "$@" && is_number "$1" "$2" && repeat=$2 && shift ;;
        --help) help ;;
        *) refuse "there is no option $1" ;;
        esac
        shift
done
sim=$build/apps/sim/xremsim nremd=$build/apps/nrem/nremd
echo_=$build/bench/bench-echo post=$build/bench/bench-post store=$build/bench/bench-store
for f in "$sim" "$nremd" "$echo_" "$post" "$store"; do
        [ -x "$f" ] || { echo "$f is not built: ninja -C $build" >&2 && exit 1; }
done

devices=600 tls_devices=150 idle=2000 sizes="1000 100000 1000000" sample=400
[ $quick = yes ] && devices=200 tls_devices=50 idle=500 sizes="1000 20000" sample=200
[ -n "$repeat" ] || { repeat=5 && [ $quick = no ] || repeat=3; }
parallel=32

dir=$(mktemp -d "${TMPDIR:-/tmp}/nremd-bench.XXXXXX")
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

# ---- the parties ---------------------------------------------------------------------

# Starts an nremd named $1; sets port, tls_port, pid, token.
start_nremd()
{
        mkdir -p "$dir/$1"
        [ -e "$dir/ca/ca.pem" ] || "$nremd" --make-dev-ca="$dir/ca" >"$dir/ca.log"
        "$nremd" -s server.state="$dir/$1" -s dm.listen=127.0.0.1:0 -s api.listen=127.0.0.1:0 \
                -s dm.listen_tls=127.0.0.1:0 -s tls.cert="$dir/ca/server.pem" \
                -s tls.key="$dir/ca/server.key" -s wake.enabled=no -s log.form=json \
                -s log.level=info -s limits.connections=20000 >"$dir/$1.log" 2>&1 &
        pid=$!
        pids="$pids $pid"
        for _ in $(seq 500); do
                grep -qs '"started"' "$dir/$1.log" && break
                sleep 0.02
        done
        port=$(sed -n '/"listening"/{/"tls":true/!s/.*"port":\([0-9]*\).*/\1/p}' "$dir/$1.log" | head -1)
        tls_port=$(sed -n '/"listening"/{/"tls":true/s/.*"port":\([0-9]*\).*/\1/p}' "$dir/$1.log" | head -1)
        token=$(cat "$dir/$1/admin.token")
        [ -n "$port" ] && [ -n "$tls_port" ] || { cat "$dir/$1.log" >&2 && exit 1; }
}

# Starts an echo named $1, with TLS if $2; sets port and pid.
start_echo()
{
        mkfifo "$dir/$1.in"
        if [ "${2:-}" = tls ]; then
                "$echo_" "$dir/ca/server.pem" "$dir/ca/server.key" <"$dir/$1.in" >"$dir/$1.port" &
        else
                "$echo_" <"$dir/$1.in" >"$dir/$1.port" &
        fi
        pid=$!
        pids="$pids $pid"
        exec {hold}>"$dir/$1.in"
        for _ in $(seq 250); do [ -s "$dir/$1.port" ] && break; sleep 0.02; done
        port=$(cat "$dir/$1.port")
}

# nginx answers a POST of $1 octets with as many; sets port and pid, or leaves pid empty.
start_nginx()
{
        pid=
        command -v nginx >/dev/null || return 0
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        cat >"$dir/nginx.conf" <<EOF
worker_processes 2;
daemon off;
pid $dir/nginx.pid;
error_log $dir/nginx.log;
events { worker_connections 4096; }
http {
        access_log off;
        keepalive_requests 100000000;
        client_body_temp_path $dir/nginx-body;
        proxy_temp_path $dir/nginx-1;
        fastcgi_temp_path $dir/nginx-2;
        uwsgi_temp_path $dir/nginx-3;
        scgi_temp_path $dir/nginx-4;
        server {
                listen 127.0.0.1:$port;
                location / { return 200 "$(head -c "$1" /dev/zero | tr '\0' x)"; }
        }
}
EOF
        nginx -e "$dir/nginx.log" -c "$dir/nginx.conf" 2>/dev/null &
        pid=$!
        pids="$pids $pid"
        sleep 0.3
        kill -0 $pid 2>/dev/null || pid=
}

# ---- measuring ------------------------------------------------------------------------

# Processor time of a process and its children so far, in microseconds.
cpu()
{
        local all="$1 $(cat "/proc/$1/task/$1/children" 2>/dev/null || true)" p
        for p in $all; do cat /proc/"$p"/task/*/schedstat; done |
                awk '{n += $1} END {printf "%.0f\n", n / 1000}'
}

number() { sed -n "s/.*\"$1\": *\([0-9.]*\).*/\1/p" "$2" | head -1; }
median() { sort -n "$1" | awk '{a[NR] = $1} END {print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2}'; }

cat >"$dir/job.json" <<'EOF'
{"commands": [{"cmd": "get", "uri": "./Vendor/sim/Text"},
              {"cmd": "replace", "uri": "./Vendor/sim/Level", "format": "int", "data": "7"},
              {"cmd": "get", "uri": "./Vendor/sim/Level"}]}
EOF

# give PORT TOKEN COUNT OPTIONS: a job for each, so that a session has work.
give()
{
        XREM_TOKEN=$2 "$sim" --give "$dir/job.json" --api "http://127.0.0.1:$1" -n "$3" -q \
                -p 64 "${@:4}" >"$dir/give.out" || { cat "$dir/give.out" >&2 && exit 1; }
}

# What nothing depends on is written after the last reply: let it be counted, and be over.
settle() { sleep 0.15; }

# devices FILE WHAT PID URL COUNT OPTIONS: microseconds of PID for each session or message.
devices()
{
        local before after file=$1 what=$2 p=$3
        settle
        before=$(cpu "$p")
        "$sim" --server "$4" -n "$5" -q -p $parallel --json "${@:6}" >"$dir/sim.out" ||
                { cat "$dir/sim.out" >&2 && exit 1; }
        settle
        after=$(cpu "$p")
        awk -v a="$before" -v b="$after" -v n="$(number "$what" "$dir/sim.out")" \
                'BEGIN {print (b - a) / n}' >>"$dir/$file"
}

# posts FILE PID URL SIZE COUNT EACH PER [CA MODE]: microseconds of PID for each PER requests.
posts()
{
        local before after
        settle
        before=$(cpu "$2")
        "$post" "$3" "$4" "$5" $parallel "$6" "${@:8}" >"$dir/post.out"
        settle
        after=$(cpu "$2")
        awk -v a="$before" -v b="$after" -v n="$5" -v per="$7" \
                'BEGIN {print (b - a) / n * per}' >>"$dir/$1"
}

rss() { awk '/^VmRSS/ {print $2 * 1024}' "/proc/$1/status"; }

# idle PID URL CA: octets of PID for each connection that is open and idle.
idle()
{
        local before after
        "$post" "$2" 0 200 32 1 ${3:+"$3" full} >"$dir/idle.out"
        sleep 0.3
        before=$(rss "$1")
        mkfifo "$dir/idle.in"
        "$post" "$2" 0 "$idle" "$idle" 0 ${3:+"$3" full} <"$dir/idle.in" >"$dir/idle.out" &
        local held=$!
        exec 9>"$dir/idle.in"
        for _ in $(seq 1000); do
                grep -q held "$dir/idle.out" && break
                kill -0 $held 2>/dev/null || break
                sleep 0.02
        done
        grep -q held "$dir/idle.out" || { echo "the connections do not stand" >&2 && exit 1; }
        after=$(rss "$1")
        exec 9>&-
        wait $held
        rm "$dir/idle.in"
        awk -v a="$before" -v b="$after" -v n="$idle" 'BEGIN {printf "%.0f\n", (b - a) / n}'
}

# ---- the run ---------------------------------------------------------------------------

say "starting"
start_nremd main
main=$pid main_token=$token
dm=http://127.0.0.1:$port/dm api_port=$port
dms=https://localhost:$tls_port/dm
health=http://127.0.0.1:$port/healthz healths=https://localhost:$tls_port/healthz
ca=$dir/ca/ca.pem
start_echo plain
echo_pid=$pid echo_url=http://127.0.0.1:$port/
start_echo tls tls
echos_pid=$pid echos_url=https://localhost:$port/

idle_plain=$(idle "$main" "$health" "")
idle_tls=$(idle "$main" "$healths" "$ca")

# Devices that have called before, so that no first contact is measured.
XREM_TOKEN=$main_token "$sim" --create --api "http://127.0.0.1:$api_port" -n $devices -q -p 64 >"$dir/create.out"
created=$(awk '/a second/ {print $3}' "$dir/create.out")
"$sim" --server "$dm" -n $devices -q -p $parallel --json >"$dir/sim.out"
give "$api_port" "$main_token" $devices
"$sim" --server "$dm" -n $devices -q -p $parallel --json >"$dir/sim.out"
each=$(awk -v m="$(number messages "$dir/sim.out")" -v s=$devices 'BEGIN {printf "%.0f\n", m / s}')
size=$(awk -v o="$(number octets_out "$dir/sim.out")" -v m="$(number messages "$dir/sim.out")" 'BEGIN {printf "%.0f\n", o / m}')
start_nginx "$size"
nginx_pid=$pid nginx_url=http://127.0.0.1:${port}/

for round in $(seq "$repeat"); do
        say "round $round of $repeat"
        n=$((devices * each)) m=$((tls_devices * each))
        give "$api_port" "$main_token" $devices
        devices kept.nremd messages "$main" "$dm" $devices --keep-connection yes
        posts kept.echo "$echo_pid" "$echo_url" "$size" $((n * 4)) 0 1
        [ -z "$nginx_pid" ] || posts kept.nginx "$nginx_pid" "$nginx_url" "$size" $((n * 4)) 0 1
        give "$api_port" "$main_token" $devices
        devices session.nremd sessions "$main" "$dm" $devices
        posts session.echo "$echo_pid" "$echo_url" "$size" $((n * 4)) "$each" "$each"
        give "$api_port" "$main_token" $tls_devices
        devices full.nremd sessions "$main" "$dms" $tls_devices --ca "$ca" --resume no
        posts full.echo "$echos_pid" "$echos_url" "$size" "$m" "$each" "$each" "$ca" full
        # each of the connections begins with a full handshake, on both sides: one in twenty
        give "$api_port" "$main_token" $((tls_devices * 4))
        devices resumed.nremd sessions "$main" "$dms" $((tls_devices * 4)) --ca "$ca"
        resumed=$(awk -v r="$(number tls_resumed "$dir/sim.out")" -v h="$(number tls_handshakes "$dir/sim.out")" \
                -v new=$parallel 'BEGIN {printf "%.3f\n", r / (h - new)}')
        posts resumed.echo "$echos_pid" "$echos_url" "$size" $((m * 4)) "$each" "$each" "$ca" resume
done

# ---- what a batch waits, beside the disk's own sync -----------------------------------------

say "group commit"
mkdir "$dir/delay"
read -r sync alone some many < <("$store" delay "$dir/delay")
most=$(awk -v s="$sync" 'BEGIN {printf "%.2f", 2 * s + 2}')

# ---- flatness: stores of several sizes at one time, measured in turns -----------------------

i=0
for s in $sizes; do
        say "a store of $s devices"
        mkdir "$dir/flat$s"
        "$store" fill "$dir/flat$s/nrem.db" 1 "$s"
        start_nremd "flat$s"
        flat_pid[i]=$pid flat_port[i]=$port flat_token[i]=$token flat_stride[i]=$((s / sample > 1000 ? 1000 : s / sample))
        "$sim" --server "http://127.0.0.1:$port/dm" -n $sample --stride "${flat_stride[i]}" -q -p $parallel >"$dir/sim.out"
        i=$((i + 1))
done
for round in $(seq "$repeat"); do
        say "flatness, round $round of $repeat"
        i=0
        for s in $sizes; do
                give "${flat_port[i]}" "${flat_token[i]}" $sample --stride "${flat_stride[i]}"
                devices "flat.$s" sessions "${flat_pid[i]}" "http://127.0.0.1:${flat_port[i]}/dm" \
                        $sample --stride "${flat_stride[i]}"
                i=$((i + 1))
        done
done
say ""

# ---- what came of it -------------------------------------------------------------------------

ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f\n", a / b}'; }
us() { awk -v a="$1" 'BEGIN {printf "%.1f\n", a}'; }

compare() # NAME, FILE, PEER, MARK
{
        local ours theirs r verdict=short
        ours=$(us "$(median "$dir/$2.nremd")") theirs=$(us "$(median "$dir/$2.$3")")
        r=$(ratio "$theirs" "$ours")
        awk -v r="$r" -v m="$4" 'BEGIN {exit !(r >= m)}' && verdict=met
        if [ $json = yes ]; then
                printf '  {"what": "%s", "nremd_us": %s, "peer": "%s", "peer_us": %s, "ratio": %s, "wanted": %s},\n' \
                        "$1" "$ours" "$3" "$theirs" "$r" "$4"
        else
                printf '  %-40s %9s %-6s %9s %7s %7s  %s\n' "$1" "$ours" "$3" "$theirs" "$r" "$4" $verdict
        fi
}

plain_figure() # NAME, KEY, VALUE, MARK
{
        if [ $json = yes ]; then
                printf '  {"what": "%s", "value": %s, "wanted": "%s"},\n' "$1" "$2" "$3"
        else
                printf '  %-40s %9s  wanted: %s\n' "$1" "$2" "$3"
        fi
}

if [ $json = yes ]; then
        printf '[\n'
else
        printf 'Messages of %s octets, %s in a session with its three commands; median of %s rounds.\n\n' "$size" "$each" "$repeat"
        printf '  %-40s %9s %-6s %9s %7s %7s\n' 'microseconds of processor time' nremd peer "" rate wanted
fi
compare "a message, connection kept" kept echo 0.5
[ -z "$nginx_pid" ] || compare "a message, connection kept" kept nginx 0.5
compare "a session, new connection" session echo 0.4
compare "a session, TLS 1.3, full handshake" full echo 0.9
compare "a session, TLS 1.3, resumed" resumed echo 0.8
[ $json = yes ] || printf '\n'
plain_figure "share of returning devices that resume" "$resumed" "0.95 and more"
plain_figure "octets an idle plain connection" "$idle_plain" "12288 at most"
plain_figure "octets an idle TLS connection" "$idle_tls" "28672 at most"
plain_figure "devices created a second over REST" "$created" "-"
plain_figure "ms a sync of this disk takes" "$sync" "-"
plain_figure "ms from a batch to its commit, alone" "$alone" "$most at most"
plain_figure "the same, 32 under way" "$some" "$most at most"
plain_figure "the same, 256 under way" "$many" "$most at most"
base=$(median "$dir/flat.${sizes%% *}")
for s in $sizes; do
        v=$(us "$(median "$dir/flat.$s")")
        plain_figure "us a session, $s devices" "$v" "within a tenth of the first ($(ratio "$v" "$base"))"
done
if [ $json = yes ]; then
        printf '  {"what": "octets of a message", "value": %s, "wanted": "-"}\n]\n' "$size"
fi
