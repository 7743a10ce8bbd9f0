# SPDX-License-Identifier: Apache-2.0
# A server and devices of its own for each group of promises, on ports the system
# chose, in a folder that goes at the end.  Sourced by tests/acceptance/run.

bin=$(cd "${1:?folder of the programs}" && pwd)/apps
nremd=$bin/nrem/nremd
dremd=$bin/drem/dremd
xrem=$bin/cli/xrem
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

home=$(mktemp -d)
count=0
failures=0
declare -A pid=()

# Every process of ours ends by its number, whatever happened.
cleanup()
{
        local name
        [ "$BASHPID" = $$ ] || return 0 # a child between fork and exec is not us
        for name in "${!pid[@]}"; do
                kill -KILL "${pid[$name]}" 2>/dev/null && wait "${pid[$name]}" 2>/dev/null
        done
        [ -n "${KEEP:-}" ] && echo "# kept: $home" || rm -rf "$home"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# ---- reporting ------------------------------------------------------------------

promise() # title, command ...: TAP, with what the command printed when it fails
{
        local title=$1 log=$home/promise.out
        shift
        count=$((count + 1))
        if "$@" >"$log" 2>&1; then
                echo "ok $count - $title"
                return 0
        fi
        failures=$((failures + 1))
        echo "not ok $count - $title"
        sed 's/^/# /' "$log" | tail -n 12
        tail -qn 2 "$home"/*.log | sed 's/^/# /'
}

fail()
{
        echo "$*"
        return 1
}

equal() # got, wanted, what
{
        [ "$1" = "$2" ] || fail "${3:-value}: got '$1', want '$2'"
}

code_of() # wanted exit code, command ...
{
        local want=$1 got=0
        shift
        "$@" || got=$?
        [ "$got" -eq "$want" ] || fail "exit code $got, want $want: $*"
}

patience=4 # so many times slower may a machine be than the one that seconds are written for

eventually() # seconds, command ...: until it succeeds
{
        local end=$((SECONDS + patience * $1))
        shift
        until "$@" >/dev/null 2>&1; do
                [ $SECONDS -lt $end ] || fail "not within the time: $*" || return 1
                sleep 0.05
        done
}

# ---- programs ---------------------------------------------------------------------

logged() # log, text: a line of it, waiting for it
{
        eventually 20 grep -q -- "$2" "$1" && grep -- "$2" "$1" | tail -n 1
}

start_server() # name, then lines of configuration beyond the usual
{
        local dir=$home/$1
        mkdir -p "$dir"
        [ -f "$home/tls/server.pem" ] || "$nremd" --make-dev-ca "$home/tls" >/dev/null
        {
                printf '[server]\nstate = %s\n[tls]\ncert = %s\nkey = %s\n' "$dir" \
                        "$home/tls/server.pem" "$home/tls/server.key"
                printf '[dm]\nlisten = 127.0.0.1:0\nlisten_tls = 127.0.0.1:0\n'
                printf '[api]\nlisten = 127.0.0.1:0\n[wake]\nfirst = 500ms\n'
                printf '%s\n' "${@:2}"
        } >"$dir/nremd.conf"
        run_server "$1"
}

run_server() # name: start it with the configuration it has, and learn its ports
{
        local dir=$home/$1 log=$home/$1.log mark
        touch "$log"
        mark=$(wc -l <"$log")
        "$nremd" --config "$dir/nremd.conf" >>"$dir/first" 2>>"$log" &
        pid[$1]=$!
        eventually 20 sh -c "tail -n +$((mark + 1)) '$log' | grep -q 'nremd: started'" || {
                tail -n 5 "$log" >&2
                return 1
        }
        plain_port=$(port_of "$log" "$mark" 'tls=false devices=true')
        tls_port=$(port_of "$log" "$mark" 'tls=true devices=true')
        api_port=$(port_of "$log" "$mark" 'tls=false .*rest=true')
        # The same ports after a restart, as devices have them in their accounts.
        sed -i "s/^listen = 127.0.0.1:0/listen = 127.0.0.1:$plain_port/
                s/^listen_tls = 127.0.0.1:0/listen_tls = 127.0.0.1:$tls_port/" "$dir/nremd.conf"
        export XREM_SERVER=http://127.0.0.1:$api_port
        XREM_TOKEN=$(cat "$dir/admin.token")
        export XREM_TOKEN
}

# A script with a server of its own steps out of the world it was called in, and back at its end.
step_out()
{
        outside=("${XREM_SERVER:-}" "${XREM_TOKEN:-}" "${plain_port:-}" "${tls_port:-}" "${api_port:-}")
}

step_back()
{
        export XREM_SERVER=${outside[0]} XREM_TOKEN=${outside[1]}
        plain_port=${outside[2]} tls_port=${outside[3]} api_port=${outside[4]}
}

port_of() # log, lines to skip, text
{
        tail -n +$(($2 + 1)) "$1" | grep 'listening' | grep -- "$3" | sed 's/.* port=\([0-9]*\).*/\1/'
}

add_device() # name, then options of device add: makes the account, and the agent's passwords
{
        local dir=$home/$1
        mkdir -p "$dir"
        "$xrem" --quiet device add "$1" --devid "urn:test:$1" --user "$1" --password "pw-$1" \
                --server-user xrem --server-password "sv-$1" "${@:2}" >/dev/null
}

start_device() # name, url, then lines of configuration beyond the usual
{
        local dir=$home/$1
        mkdir -p "$dir"
        {
                printf '[agent]\nstate = %s\n[device]\nid = urn:test:%s\n' "$dir" "$1"
                printf '[account]\nserver_id = xrem\nurl = %s\nuser = %s\n' "$2" "$1"
                printf 'password = %s\nserver_password = %s\n' "${password:-pw-$1}" "sv-$1"
                printf '[transport]\nca_file = %s\n' "${ca:-$home/tls/ca.pem}"
                printf '[wake]\nlisten = 127.0.0.1:0\nmin_interval = 0s\n[session]\nretry_min = 200ms\n'
                printf '%s\n' "${@:3}"
        } >"$dir/dremd.conf"
        run_device "$1"
}

run_device() # name
{
        "$dremd" --config "$home/$1/dremd.conf" 2>>"$home/$1.log" &
        pid[$1]=$!
}

stop() # name, signal
{
        kill -s "${2:-TERM}" "${pid[$1]}" && wait "${pid[$1]}"
        local code=$?
        unset "pid[$1]"
        [ "${2:-TERM}" = KILL ] || [ "$code" -eq 0 ] || fail "$1 ended with $code"
}

trap_type=urn:oma:at:diagmon:1.0:Trap

events() # device: the alerts the server has of it, a line each
{
        python3 "$here/events.py" "$home/${server:-server2}" "$1"
}

counted() # device, text, how many: so many alerts have it
{
        equal "$(events "$1" | grep -c -- "$2")" "$3" "alerts with $2"
}

alarms() # device: the alarms the server has of it, a line each
{
        events "$1" | grep urn:oma:at:x-xrem-fm:1.0:Alarm
}

flip() # file, octet
{
        local octet
        octet=$(od -An -tu1 -j "$2" -N 1 "$1") && [ -n "$octet" ] || return 1
        printf "\\$(printf %03o $((octet ^ 32)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

is_active() # name
{
        "$xrem" --json device show "$1" | grep -q '"state": *"active"'
}

session_is() # name, what of the last one, value
{
        equal "$(last_session "$1" "$2")" "$3" "$2"
}

last_session() # name, what of it
{
        "$xrem" --json session list "$1" |
                python3 -c 'import json,sys; print(json.load(sys.stdin)["items"][0].get(sys.argv[1]))' "$2"
}

status() # name, field: what the agent says of itself; nothing when it does not run
{
        local out
        out=$("$dremd" --config "$home/$1/dremd.conf" --status) && echo "$out" | sed -n "s/^$2: //p"
}

has_status() # name, field, value
{
        [ "$(status "$1" "$2")" = "$3" ]
}

has_child() # process, name of the program; small systems have no pgrep
{
        cat /proc/[0-9]*/stat 2>/dev/null | awk -v p="$1" -v n="($2)" '$2 == n && $4 == p {got = 1} END {exit !got}'
}

has_counted() # name, field, number: that or more
{
        [ "$(status "$1" "$2")" -ge "$3" ]
}
