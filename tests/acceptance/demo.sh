# SPDX-License-Identifier: Apache-2.0
# The living demo: it starts, its device can be managed, and nothing of it is left when it ends.
# Sourced by tests/acceptance/run, whose world it uses.

demo="$home/the demo" # in a folder as people may have them

starts_the_demo()
{
        DEMO_BIN=$bin DEMO_HOME=$demo "$here/../../tools/demo" >"$home/demo.out" 2>&1 &
        pid[demo]=$!
        eventually 60 grep -q 'Ctrl-C ends it' "$home/demo.out"
}

as_its_user() # command ...: as somebody who read its environment
{
        (. "$demo/env" && "$@")
}

demo_is_managed()
{
        as_its_user xrem set this ./FUMO/main/PkgVersion 1.0 &&
                as_its_user sh -c 'xrem set this ./FUMO/main/DownloadAndUpdate/PkgURL $PACKAGES/image-1.0' &&
                as_its_user xrem exec this ./FUMO/main/DownloadAndUpdate --timeout 60 &&
                equal "$(as_its_user xrem get this ./DevDetail/FwV)" 1.0 FwV
}

simulated() # query, number of devices
{
        [ "$(as_its_user xrem --json device list "${@:2}" | grep -c '"name"')" = "$1" ]
}

has_simulated_devices()
{
        eventually 30 simulated 200 --tag simulated --state active || fail 'not all of them called' || return 1
        simulated 100 --tag meters && simulated 100 --model B2 || fail 'not those of each model' || return 1
        as_its_user sh -c 'xrem set meters/99 ./FUMO/main/DownloadAndUpdate/PkgURL $PACKAGES/M1-2.0' &&
                as_its_user xrem exec meters/99 ./FUMO/main/DownloadAndUpdate --timeout 60 &&
                equal "$(as_its_user xrem get meters/99 ./DevDetail/FwV)" 2.0 FwV
}

# Behind the demo's gateway: LwM2M and OMA DM alike.
reaches_behind_the_gateway()
{
        eventually 30 all_behind || fail "$(as_its_user xrem device list --tag behind)" || return 1
        equal "$(as_its_user xrem get meter/3 ./DevDetail/FwV)" 1.0 'FwV of meter/3' &&
                equal "$(as_its_user xrem get meter/33 ./DevDetail/FwV)" 1.0 'FwV of meter/33'
}

does_the_same_to_them()
{
        local restart=./DiagMon/Restart/Operations/Start battery=./DiagMon/Battery/DiagMonData/1/BatteryLevel level
        equal "$(as_its_user xrem exec meter/5 $restart)" 1200 'restart of meter/5' || return 1
        level=$(as_its_user xrem get meter/3 $battery) && [ "$level" -gt 0 ] && [ "$level" -le 100 ] || fail "battery: $level" || return 1
        as_its_user code_of 3 xrem exec meter/25 $restart 2>"$home/demo.refusal" && grep -q '404 Not found' "$home/demo.refusal" &&
                as_its_user code_of 3 xrem get meter/30 $battery 2>"$home/demo.refusal" && grep -q '404 Not found' "$home/demo.refusal"
}

# Some speak LwM2M, some OMA DM, some sleep; the gateway itself is no meter.
updates_them_together()
{
        local n id
        # One that was told of before it had said what it is, is named again by its gateway.
        eventually 30 all_behind --model M1 || fail "$(as_its_user xrem device list --tag behind | grep -v ' M1 ')" || return 1
        as_its_user xrem --quiet package add "$demo/objects/www/M1-2.0" --name meter --version 2.0 --model M1 2>/dev/null || return 1
        as_its_user xrem campaign create try --package meter@2.0 --device gate --dry-run >"$home/demo.dry" &&
                grep -q 'gate .*skip .*the package is not for it: ' "$home/demo.dry" || fail "$(cat "$home/demo.dry")" || return 1
        id=$(as_its_user xrem --quiet campaign create behind --package meter@2.0 --tag behind --start) || return 1
        as_its_user xrem campaign watch "$id" --for 240 || fail "$(as_its_user xrem campaign devices "$id" | grep -v succeeded)" || return 1
        for n in 3 17 33; do
                equal "$(as_its_user xrem get "meter/$n" ./DevDetail/FwV)" 2.0 "FwV of meter/$n" || return 1
        done
}

# Who has no battery has no samples, and says why.
charts_batteries()
{
        local id
        id=$(as_its_user xrem metric collect battery=./DiagMon/Battery/DiagMonData/1/BatteryLevel --every 2 --prefix meter/3) &&
                eventually 30 has_chart meter/3 && eventually 30 job_says_why meter/30 && as_its_user xrem metric stop "$id" || return 1
        equal "$(as_its_user xrem metric get meter/30 battery --from -10m --step raw 2>&1)" 'no samples' 'samples of meter/30'
}

has_chart() # device: two samples and their bars
{
        [ "$(as_its_user xrem metric get "$1" battery --from -10m --step raw | grep -cE '(█|#)+$')" -ge 2 ]
}

job_says_why() # device
{
        local id
        id=$(as_its_user xrem --json job list "$1" | python3 -c '
import json, sys
print(next(j["id"] for j in json.load(sys.stdin)["items"] if j["kind"] == "collection" and j["state"] == "done"))') &&
                as_its_user xrem job show "$id" | grep -q 'BatteryLevel *404 Not found'
}

all_behind() # query: forty of them are there; some sleep
{
        [ "$(as_its_user xrem device list --tag behind "$@" | grep -cE '^meter/[0-9]+ +(active|asleep) ')" = 40 ]
}

demo_is_cut()
{
        as_its_user power cut device && as_its_user power on device &&
                equal "$(as_its_user xrem get this ./DevDetail/FwV)" 1.0 FwV &&
                as_its_user alerts | grep -q 'firmwareupdate.downloadandupdate ./FUMO/main informational 200'
}

demo_leaves_nothing()
{
        local name were=()
        for name in server device devices gateway behind; do
                were+=("$(cat "$demo/$name.pid")")
        done
        stop demo || return 1
        for name in "${were[@]}"; do
                ! kill -0 "$name" 2>/dev/null || fail "$name is left" || return 1
        done
        flock -n "$demo/lock" true
}

promise 'the demo starts, with all it needs' starts_the_demo
promise 'its device takes the image that comes with it' demo_is_managed
promise 'two hundred simulated devices live beside it, and take theirs' has_simulated_devices
promise 'forty devices behind a gateway are managed like the others' reaches_behind_the_gateway
promise 'what they can do they do, else they say why not' does_the_same_to_them
promise 'new firmware for all of them is one campaign' updates_them_together
promise 'their batteries are a chart' charts_batteries
promise 'its power can be cut, and it comes back' demo_is_cut
promise 'it ends with all that it started' demo_leaves_nothing
