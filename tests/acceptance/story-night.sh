# SPDX-License-Identifier: Apache-2.0
# The night of the broken backhaul, on a clock that the script sets ahead (clock.sh): for six hours a gateway is alone
# with its devices, most of which sleep.  What waits for them runs, policies act, a unit is changed, the gateway itself is
# killed; then all of it is told, once, with its times.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
. "$here/clock.sh"
sn=$home/story-night
mkdir -p "$sn"
step_out
level=./LwM2M/26241/0/0
battery=./DiagMon/Battery/DiagMonData/1/BatteryLevel

hut() # field of what the gateway says of itself
{
        gw_says hut "$1"
}

hut_is() # field, value
{
        gw_is hut "$@"
}

job_is() # id, state
{
        "$xrem" --json job show "$1" | grep -q "\"state\": \"$2\""
}

begins()
{
        start_clock "$sn/clock" && start_server night || return 1
        python3 "$here/wan.py" 127.0.0.1 "$tls_port" "$sn" >"$sn/port" &
        pid[wan]=$!
        eventually 20 test -s "$sn/port" || return 1
        gw_url=https://localhost:$(cat "$sn/port")/dm start_gateway hut '[transport]' "ca_file = $home/tls/ca.pem" \
                '[gateway]' 'ask = no' || return 1
        eventually 20 is_active hut && hut wake-port >"$sn/wake" &&
                "$xrem" device set hut --wake "udp://127.0.0.1:$(cat "$sn/port")"
}

is_waiting() # kind of a job of the gateway
{
        "$xrem" job list hut | grep -q " waiting .* $1 "
}

# Of itself, each ten minutes, told each half hour.  The server begins that within ten minutes.
takes_samples()
{
        "$xrem" --quiet metric collect --function ./DiagMon/Memory --every 600 --period 1800 --device hut &&
                go_ahead 600 && eventually 20 is_waiting collection && eventually 20 hut_is state idle
}

# Six that sleep but for a moment each half hour, one whose battery goes down, and a lamp that is always there.
places_devices()
{
        {
                printf '[run]\nseed = 11\nwake = no\n'
                call=30m behind_lwm2m nodes night/ 1 3 'tags = night' 'awake = 3s'
                call=30m behind_lwm2m fading night/ 5 1 'tags = night' 'awake = 3s' 'battery = 60' 'drain = 10m'
                call=30m behind_lwm2m lamps night/ 6 1 'tags = night'
                call=30m behind_dm heat night/ 11 2 'tags = night'
                printf '[fault outage]\nkind = alarm\ngroup = nodes\ndevices = 2\nalarm = power-failure\nafter = 2h\nfor = 1h\n'
        } >"$sn/scenario"
        simulate nightsim "$sn/scenario"
        { printf '[run]\nseed = 12\n' && call=30m behind_lwm2m units night/ 4 1 'tags = night' 'awake = 3s'; } >"$sn/old"
        simulate oldunit "$sn/old"
        go_ahead 2
        eventually 20 devices_with --tag night 8 && eventually 20 hut_is devices 8 || return 1
        go_ahead 40 # the window in which the gateway gathers, and longer than they are awake
        eventually 20 devices_with --tag night --state asleep 7 && eventually 20 hut_is devices-asleep 7
}

key_of() # device
{
        "$xrem" --json device show "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["gateway"]["key"])'
}

schedule() # name, part and value of its condition, by turns; then the command
{
        local part
        printf ',{"cmd": "add", "uri": "./Schedule/%s/ID", "data": "%s"}' "$1" "$1"
        for ((part = 2; part < $#; part += 2)); do
                printf ',{"cmd": "add", "uri": "./Schedule/%s/Condition/1/%s", "data": "%s"}' "$1" "${@:part:2}"
        done
        printf ',{"cmd": "add", "uri": "./Schedule/%s/Task/1/Cmd", "format": "xml", "data": "%s"}' "$1" "${!#}"
        printf ',{"cmd": "exec", "uri": "./Schedule/%s/Operations/Activate"}' "$1"
}

item() # address, value
{
        printf '<Item><Target><LocURI>%s</LocURI></Target>%s</Item>' "$1" "${2:+<Data>$2</Data>}"
}

# At half past one the lamp is lit.  Each hour a stored task reads batteries; when one is low, its device is to save.
stores_policies()
{
        local lamp fading soon
        lamp=./GwDev/$(key_of night/6) fading=./GwDev/$(key_of night/5) || return 1
        soon=$(date -u -d '+90 minutes' +%Y%m%dT%H%M%SZ)
        {
                printf '[{"cmd": "add", "uri": "./GwMO/Fanout/Fanout/read/TaskID", "data": "read"}'
                printf ',{"cmd": "add", "uri": "./GwMO/Fanout/Fanout/read/Targets/%s", "data": "dev:urn:xremsim:night/%s"}' 1 1 5 5
                printf ',{"cmd": "add", "uri": "./GwMO/Fanout/Fanout/read/Cmds", "format": "xml", "data": "%s"}' \
                        "<SyncBody><Get><CmdID>1</CmdID>$(item $battery)</Get><Get><CmdID>2</CmdID>$(item $level)</Get></SyncBody>"
                schedule light Timer/Base "$soon" "<Replace>$(item "$lamp${level#.}" 42)</Replace>"
                schedule look Timer/Base "$soon" Timer/Recurrence FREQ=HOURLY \
                        "<Exec>$(item ./GwMO/Fanout/Fanout/read/Operations/Start)</Exec>"
                schedule save Threshold/Ref "$fading${battery#.}" Threshold/Low 40 "<Replace>$(item "$fading${level#.}" 1)</Replace>"
                printf ']'
        } >"$sn/policies"
        "$xrem" run hut --file "$sn/policies" && hut_is schedules-active 3
}

orders_before()
{
        sn_early=$("$xrem" set night/1 $level 7 --no-wait) && eventually 20 hut_is fanouts-open 1
}

became() # key, state, state before: how often since the way was cut
{
        tail -n +"$((sn_cut + 1))" "$home/hut.log" | grep -c "device  key=$1 .*state=$2 before=$3"
}

# Each of the sleepers has been there so often, sessions with the gateway are over, and so is all that waited for them.
all_woke()
{
        local k
        for k in $sn_sleepers $sn_calling; do
                [ "$(became "$k" 1 2)" -ge "$1" ] || return 1
        done
        for k in $sn_calling; do
                [ "$(became "$k" 2 1)" -ge "$1" ] || return 1
        done
        hut_is fanouts-open 0
}

# Ten minutes at a time, each of which brings a sample of the gateway's memory, and each third a waking of the devices.
pass() # steps from and to
{
        local i
        for i in $(seq "$1" "$2"); do
                go_ahead 600
                eventually 10 has_sampled "$i" || return 1
                [ $((i % 3)) -ne 0 ] || eventually 10 all_woke $((i / 3)) || return 1
        done
}

has_sampled() # how often since the way was cut
{
        [ "$(hut samples-waiting)" -ge "$1" ]
}

for_each() # command, words
{
        local w
        for w in "${@:2}"; do
                "$1" "$w" || return 1
        done
}

# The window in which the gateway gathers, once more: who fell asleep meanwhile is told of.
has_told_all()
{
        go_ahead 40 && eventually 20 gw_has_told_all hut
}

# For two hours.  A job at the far end waits as well.
is_cut_off()
{
        has_told_all || return 1
        sn_sleepers=$(for_each key_of night/1 night/2 night/3 night/5) && sn_calling=$(for_each key_of night/11 night/12) || return 1
        sn_cut=$(wc -l <"$home/hut.log") && sn_away=$(date -u +%Y%m%dT%H%M%SZ) && touch "$sn/cut" && pass 1 12 || return 1
        sn_late=$("$xrem" set night/3 $level 9 --no-wait)
}

# One breaks at two o'clock, and another is put in its place at three.
changes_a_unit()
{
        stop oldunit KILL
        pass 13 18 || return 1
        {
                printf '[run]\nseed = 13\n'
                call=30m behind_lwm2m units new/ 4 1 'behind = yes' 'awake = 3s' 'swv = 1.1'
        } >"$sn/new"
        simulate newunit "$sn/new"
        go_ahead 2 # so that it is there before the clock goes on, and asleep long before the gateway is killed
        eventually 20 hut_is devices 9 && pass 19 24
}

# At four, with all that waits for the server.
is_killed()
{
        local field was=()
        for field in north-alerts-waiting schedule-results-waiting samples-waiting; do
                was+=("$(hut $field)")
        done
        stop hut KILL
        go_ahead 5
        run_gateway hut && hut wake-port >"$sn/wake" && equal "$(hut north-alerts-waiting)" "${was[0]}" 'alerts of devices' &&
                equal "$(hut schedule-results-waiting)" "${was[1]}" 'results of policies' || return 1
        [ "$(hut samples-waiting)" -ge "${was[2]}" ] || fail 'samples are lost' || return 1
        pass 25 36
}

unreachable_alarms() # state, how many devices behind the gateway have the alarm in it
{
        [ "$("$xrem" --json alarm list --prefix night/ --state "$1" |
                python3 -c 'import json,sys; print(sum(a["cause"] == "unreachable" for a in json.load(sys.stdin)["items"]))')" = "$2" ]
}

hut_alarm() # state
{
        "$xrem" --json alarm list hut --state "$1" | grep -q '"cause": "unreachable"'
}

misses_only_the_gateway()
{
        devices_with --tag night --state unreachable 8 && hut_alarm active &&
                unreachable_alarms suppressed 8 && unreachable_alarms active 0 || fail "$("$xrem" alarm list)" || return 1
        job_is "$sn_early" waiting && job_is "$sn_late" queued
}

rests() # no call of the gateway is under way: it has failed, and the next is some seconds off
{
        local i
        for i in 1 2 3 4 5 6; do
                eventually 1 hut_is state idle >/dev/null && return 0
                go_ahead 30
        done
        fail 'the gateway calls and calls'
}

sessions_since() # time: the numbers of those of the gateway
{
        "$xrem" --json session list hut -n 1000 | python3 -c '
import json, sys
print(*(s["id"] for s in json.load(sys.stdin)["items"] if s["started"].replace("-", "").replace(":", "")[:15] >= sys.argv[1][:15]))' "$1"
}

# All sessions of the gateway since the way was cut, as the server has them: in the hours before there was none.
all_is_told_at_once()
{
        local waits id ids
        rests || return 1
        waits=$(($(hut north-alerts-waiting) + $(hut schedule-results-waiting)))
        sn_back=$(date -u +%Y%m%dT%H%M%SZ)
        rm "$sn/cut" && go_ahead 300
        eventually 20 is_active hut && eventually 20 gw_has_told_all hut || return 1
        ids=$(sessions_since "$sn_back") && [ -n "$ids" ] || fail 'no sessions' || return 1
        for id in $ids; do
                "$xrem" --json session show hut "$id" || return 1
        done >"$sn/sessions"
        python3 "$here/night.py" "$sn/sessions" "$sn_back" "$waits"
}

has_found() # the far end, all of them as they are
{
        devices_with --tag night --state unreachable 0 && hut_alarm cleared && unreachable_alarms active 0 &&
                unreachable_alarms suppressed 0
}

finds_all_again()
{
        eventually 20 has_found || fail "$("$xrem" alarm list)" || return 1
        go_ahead 90 # after which the alarms of those that are still away would be shown
        eventually 20 job_is "$sn_early" 'done' && has_found || fail "$("$xrem" alarm list)"
}

# What the gateway knows of a device that sleeps.
stands_since_then() # device, level
{
        local at when
        at=./GwDev/$(key_of "$1")${level#.}
        equal "$(gw_get hut "$at")" "$2" "level of $1" && when=$(gw_get hut "$at?prop=TStamp") || return 1
        [[ $when > $sn_away && $when < $sn_back ]] || fail "$1: $when"
}

# The lamp was lit, the battery saved, the order from before carried out, all in the night.
policies_have_acted()
{
        equal "$(gw_get night/6 $level)" 42 'level of the lamp' && stands_since_then night/5 1 && stands_since_then night/1 7
}

# Each sample of six hours, no gap between two; the next report is not due yet.
samples_are_whole()
{
        "$xrem" metric get hut memory.RAMTotal --from -8h --step raw --csv | tr -d '\r' >"$sn/csv" || return 1
        awk -F, 'NR > 1 {if ($4 == "") gap = 1; else {n++; bad += gap}} END {exit bad || n < 36}' "$sn/csv" || fail "$(cat "$sn/csv")"
}

late_job_is_done()
{
        go_ahead 1800
        eventually 20 job_is "$sn_late" 'done' || fail "$("$xrem" job show "$sn_late")" || return 1
        equal "$(gw_get night/3 $level)" 9 'level that was ordered meanwhile'
}

new_unit_has_the_name()
{
        eventually 20 "$xrem" device show "hut/$(key_of_new)" && "$xrem" gateway replace night/4 urn:xremsim:new/4 --yes &&
                equal "$(version_at_waking)" 1.1 SwV || return 1
        curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/api/v1/devices/night%2F4" >"$sn/device" &&
                grep -q '"devid": *"urn:xremsim:new/4"' "$sn/device" || fail "$(cat "$sn/device")" || return 1
        code_of 3 "$xrem" device show "hut/$(key_of_new)" 2>/dev/null
}

# Asked at once, or when it wakes.
version_at_waking()
{
        local get
        "$xrem" get night/4 ./DevDetail/SwV --timeout 3600 &
        get=$!
        eventually 20 answered_or_waits $get && go_ahead 1800 && wait $get
}

answered_or_waits() # process
{
        ! kill -0 "$1" || hut_is fanouts-open 1
}

key_of_new()
{
        sed -n 's/.*device  key=\(d[0-9]*\) id=urn:xremsim:new\/4 .*/\1/p' "$home/hut.log" | head -n 1
}

promise 'a gateway, with a server far away' begins
promise 'its memory is sampled' takes_samples
promise 'eight devices behind it, seven of which sleep' places_devices
promise 'it is told what to do by itself' stores_policies
promise 'it has an order for one that sleeps' orders_before
promise 'the way is cut: for two hours all goes on' is_cut_off
promise 'a unit breaks, and another one takes its place' changes_a_unit
promise 'the gateway is killed: what waited waits' is_killed
promise 'six hours: the server misses the gateway, and of those behind it nobody by himself' misses_only_the_gateway
promise 'the way is back: one session tells all, once, in order, with its times' all_is_told_at_once
promise 'the alarms are over' finds_all_again
promise 'policies acted at the devices' policies_have_acted
promise 'no sample is missing' samples_are_whole
promise 'a job that came meanwhile is done when its device wakes' late_job_is_done
promise 'the new unit takes the name of the old one' new_unit_has_the_name
promise 'the gateway of that night ends cleanly' stop hut
promise 'so do the devices' stop nightsim
promise 'and the new one' stop newunit
promise 'and the server' stop night
{ stop wan KILL; } 2>/dev/null
end_clock
step_back
